//! What people look for, derived from each record's view: parts of names, numbers, who stands for whom, which
//! contacts are half done. Never the truth; built again when the rules or this program change.

use rusqlite::{Connection, OptionalExtension};
use serde_json::{Value, json};
use wayside_protocol::{
    clinical::{
        RULES_VERSION,
        follow_up::tasks,
        guide::{GuideSettings, next_step},
        identity::fold_name,
    },
    matching::{PersonFacts, find, merged::component},
    record::{Kind, RecordId, View},
};

use super::{
    meta,
    records::{self, Row},
};
use crate::error::Result;

/// Raised whenever this file derives something else.
const VERSION: u32 = 1;
const BUILT: &str = "index";

/// Builds everything again where it was made by other rules or another version of this program.
pub fn bring_up_to_date(conn: &Connection) -> Result<()> {
    let version = format!("{VERSION} {RULES_VERSION}");
    if meta::get::<String>(conn, BUILT)?.as_ref() == Some(&version) {
        return Ok(());
    }
    // Teams first, then persons: what a contact comes to depends on both.
    let sql = "SELECT no FROM record WHERE view IS NOT NULL AND hidden = 0
        ORDER BY CASE kind WHEN 'team' THEN 0 WHEN 'person' THEN 1 ELSE 2 END, no";
    let all: Vec<i64> =
        conn.prepare(sql)?.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    for no in all {
        let sql = format!("SELECT {} FROM record r WHERE r.no = ?", Row::COLUMNS);
        let row = conn.prepare_cached(&sql)?.query_row([no], Row::read)?;
        if let Some(view) = &row.view {
            write(conn, &row, view)?;
        }
    }
    meta::set(conn, BUILT, version)
}

/// Brings up to date what one record is found by, after its view has been stored.
pub fn refresh(conn: &Connection, row: &Row, view: &View) -> Result<()> {
    write(conn, row, view)?;
    let dependents = match view.kind {
        // An age or a sex decides what is asked.
        Some(Kind::Person) => {
            let sql = "SELECT record FROM contact WHERE person = ?";
            numbers(conn, sql, [row.id.as_bytes()])?
        }
        Some(Kind::Team) if settings_changed(conn, row, view)? => {
            let sql = "SELECT c.record FROM contact c JOIN record r ON r.no = c.record WHERE r.team IS ?";
            numbers(conn, sql, [row.team.map(|team| *team.as_bytes())])?
        }
        _ => Vec::new(),
    };
    for no in dependents {
        let sql = format!("SELECT {} FROM record r WHERE r.no = ?", Row::COLUMNS);
        let contact = conn.prepare_cached(&sql)?.query_row([no], Row::read)?;
        if let Some(view) = &contact.view {
            write_contact(conn, &contact, view)?;
        }
    }
    Ok(())
}

/// Brings a record back into the lists, from its view as it is stored.
pub fn restore(conn: &Connection, no: i64) -> Result<()> {
    let sql = format!("SELECT {} FROM record r WHERE r.no = ?", Row::COLUMNS);
    let row = conn.prepare_cached(&sql)?.query_row([no], Row::read)?;
    row.view.as_ref().map_or(Ok(()), |view| refresh(conn, &row, view))
}

/// Under what the settings of a team's guide are remembered.
pub fn settings_name(team: RecordId) -> String {
    format!("guide {team}")
}

/// Whether the team's settings of the guide are others than when its contacts were last looked at.
fn settings_changed(conn: &Connection, row: &Row, view: &View) -> Result<bool> {
    let name = settings_name(row.id);
    let now = view.fields.get("settings").and_then(|settings| settings.get("guide"));
    let now = now.map(Value::to_string).unwrap_or_default();
    let changed = meta::get::<String>(conn, &name)?.unwrap_or_default() != now;
    if changed {
        meta::set(conn, &name, now)?;
    }
    Ok(changed)
}

fn numbers(conn: &Connection, sql: &str, params: impl rusqlite::Params) -> Result<Vec<i64>> {
    let mut statement = conn.prepare_cached(sql)?;
    let found = statement.query_map(params, |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    Ok(found)
}

fn write(conn: &Connection, row: &Row, view: &View) -> Result<()> {
    write_text(conn, row.no, searchable(view))?;
    match view.kind {
        Some(Kind::Person) => write_person(conn, row, view),
        Some(Kind::Contact) => write_contact(conn, row, view),
        _ => Ok(()),
    }
}

/// Takes a record of which nothing is left out of every list.
pub fn forget(conn: &Connection, no: i64) -> Result<()> {
    write_text(conn, no, None)?;
    let stood_for: Option<[u8; 16]> = conn
        .prepare_cached("SELECT standing FROM person WHERE record = ?")?
        .query_row([no], |row| row.get(0))
        .optional()?;
    for table in ["contact", "person", "find_key"] {
        conn.prepare_cached(&format!("DELETE FROM {table} WHERE record = ?"))?.execute([no])?;
    }
    // Whom it stood for, or stood with, may have somebody else standing for them now.
    if let Some(standing) = stood_for {
        let mut statement = conn.prepare_cached("SELECT id FROM person WHERE standing = ?")?;
        let left = statement.query_map([standing], |row| row.get(0).map(RecordId::from_bytes))?;
        for id in left.collect::<rusqlite::Result<Vec<_>>>()? {
            write_standing(conn, id)?;
        }
    }
    Ok(())
}

fn write_text(conn: &Connection, no: i64, found: Option<(i64, String)>) -> Result<()> {
    match found {
        Some((rank, text)) => {
            let sql = "INSERT INTO search (record, rank, text) VALUES (?, ?, ?)
                ON CONFLICT (record) DO UPDATE SET rank = excluded.rank, text = excluded.text";
            conn.prepare_cached(sql)?.execute((no, rank, text))?;
        }
        None => {
            conn.prepare_cached("DELETE FROM search WHERE record = ?")?.execute([no])?;
        }
    }
    Ok(())
}

fn write_contact(conn: &Connection, row: &Row, view: &View) -> Result<()> {
    let contact = view.whole();
    let id = |name: &str| {
        let id = contact.get(name).and_then(Value::as_str).and_then(|id| id.parse::<RecordId>().ok());
        id.map(|id| *id.as_bytes())
    };
    let person = person_of(conn, view)?;
    let step = next_step(&contact, person.as_ref(), &guide_settings(conn, row.team)?).code;
    let open = tasks(&contact, jiff::civil::Date::MIN).iter().any(|task| task.state.is_open());
    let parked = contact.pointer("/ended/how").is_some_and(|how| how == "parked");
    let started_at = contact.get("started_at").and_then(Value::as_str).unwrap_or_default();
    let sql = "INSERT OR REPLACE INTO contact (record, session, person, started_at, parked, step, open)
        VALUES (?, ?, ?, ?, ?, ?, ?)";
    conn.prepare_cached(sql)?.execute((
        row.no,
        id("session"),
        id("person"),
        started_at,
        parked,
        step.as_str(),
        open,
    ))?;
    Ok(())
}

/// A contact's person with its conflicts, if it is here.
pub fn person_of(conn: &Connection, contact: &View) -> Result<Option<Value>> {
    let person = contact.fields.get("person").and_then(Value::as_str).and_then(|id| id.parse().ok());
    let row = person.map(|id| records::find(conn, id)).transpose()?.flatten();
    Ok(row.and_then(|row| row.view).map(|view| view.whole()))
}

/// The settings of the guide that a contact's team has, as today.
pub fn guide_settings(conn: &Connection, team: Option<RecordId>) -> Result<GuideSettings> {
    let sql = "SELECT json_extract(view, '$.fields.settings.guide') FROM record
        WHERE kind = 'team' AND team IS ? ORDER BY id LIMIT 1";
    let team = team.map(|team| *team.as_bytes());
    let found: Option<Option<String>> =
        conn.prepare_cached(sql)?.query_row([team], |row| row.get(0)).optional()?;
    let guide: Value = found.flatten().and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
    Ok(GuideSettings::of_team(&json!({"settings": {"guide": guide}})))
}

fn write_person(conn: &Connection, row: &Row, view: &View) -> Result<()> {
    let merged =
        view.fields.get("merged_into").and_then(Value::as_str).and_then(|id| id.parse::<RecordId>().ok());
    let name =
        |part: &str| view.fields.get("name").and_then(|name| name.get(part)?.as_str()).unwrap_or_default();
    let sort = fold_name(&format!("{} {}", name("family"), name("given")));
    let before: Option<Option<[u8; 16]>> = conn
        .prepare_cached("SELECT merged_into FROM person WHERE record = ?")?
        .query_row([row.no], |row| row.get(0))
        .optional()?;
    let sql = "INSERT INTO person (record, id, merged_into, standing, name) VALUES (?1, ?2, ?3, ?2, ?4)
        ON CONFLICT (record) DO UPDATE SET merged_into = excluded.merged_into, name = excluded.name";
    conn.prepare_cached(sql)?.execute((row.no, row.id.as_bytes(), merged.map(|id| *id.as_bytes()), sort))?;
    // One that is new stands for itself, as its row says, unless somebody was found to be one with it.
    if before.is_some() || merged.is_some() || is_merged_into(conn, row.id)? {
        write_standing(conn, row.id)?;
    }
    let is_new = before.is_none();
    // Whoever it was merged into before may stand alone now.
    if let Some(Some(before)) = before.filter(|before| *before != merged.map(|id| *id.as_bytes())) {
        write_standing(conn, RecordId::from_bytes(before))?;
    }

    let mut keys = PersonFacts::of(&Value::Object(view.fields.clone())).keys();
    keys.extend(find::words_of(&view.whole()).iter().map(|word| format!("{WORD}{word}")));
    if !is_new {
        conn.prepare_cached("DELETE FROM find_key WHERE record = ?")?.execute([row.no])?;
    }
    for key in keys {
        let sql = "INSERT OR IGNORE INTO find_key (key, record) VALUES (?, ?)";
        conn.prepare_cached(sql)?.execute((key, row.no))?;
    }
    Ok(())
}

/// What the keys of words begin with.
pub const WORD: &str = "word ";

fn is_merged_into(conn: &Connection, id: RecordId) -> Result<bool> {
    let sql = "SELECT EXISTS (SELECT 1 FROM person WHERE merged_into = ?)";
    Ok(conn.prepare_cached(sql)?.query_row([id.as_bytes()], |row| row.get(0))?)
}

/// Who stands for everybody that this person was found to be one with.
fn write_standing(conn: &Connection, id: RecordId) -> Result<()> {
    let sql = "SELECT merged_into FROM person WHERE id = ?1 AND merged_into IS NOT NULL
        UNION SELECT id FROM person WHERE merged_into = ?1";
    let mut failed = None;
    let together = component(id, |id| {
        let beside = || -> rusqlite::Result<Vec<RecordId>> {
            let mut statement = conn.prepare_cached(sql)?;
            statement.query_map([id.as_bytes()], |row| row.get(0).map(RecordId::from_bytes))?.collect()
        };
        beside().unwrap_or_else(|error| {
            failed = Some(error);
            Vec::new()
        })
    });
    if let Some(error) = failed {
        return Err(error.into());
    }
    let mut standing = None;
    for id in &together {
        let known: bool = conn
            .prepare_cached("SELECT EXISTS (SELECT 1 FROM person WHERE id = ?)")?
            .query_row([id.as_bytes()], |row| row.get(0))?;
        if known {
            let first = *standing.get_or_insert(*id);
            let sql = "UPDATE person SET standing = ?2 WHERE id = ?1 AND standing <> ?2";
            conn.prepare_cached(sql)?.execute((id.as_bytes(), first.as_bytes()))?;
        }
    }
    Ok(())
}

/// The numbers and names that a search looks through, every concurrent value included, and where the record
/// stands in the results. A person's name has keys of its own.
fn searchable(view: &View) -> Option<(i64, String)> {
    match view.kind? {
        Kind::Person => Some((0, find::numbers_of(&view.whole()).join(" "))),
        Kind::Site => Some((1, find::place_name(&view.whole()))),
        Kind::Team => Some((2, find::place_name(&view.whole()))),
        _ => None,
    }
}
