//! Who stands for whom, and who may be the same: kept up to date person by person.
//!
//! Both are functions of the persons that are there, whatever the order in which they came. So is the rule
//! that a key which very many share counts no more: whoever brings it over that number, or back under it,
//! has everybody under it compared again.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use rusqlite::{Connection, OptionalExtension, Transaction};
use serde_json::Value;
use wayside_protocol::matching::{Likeness, PersonFacts, merged, score};
use wayside_protocol::record::{RecordId, View};

use super::follow::parse;
use crate::error::Result;

/// A key that more people share than this says nothing about two of them: a common name, the first of
/// January. It bounds what one new person costs.
const MOST_OF_A_KEY: u64 = 50;

/// Writes who these persons of one team are by now. Their rows in `record` are there already.
pub(super) fn write(views: &Transaction, team: &[u8; 16], persons: &[(RecordId, View)]) -> Result<()> {
    let mut keys = BTreeMap::new();
    for (id, view) in persons {
        place(views, team, *id, named(view.fields.get("merged_into")))?;
        decided(views, *id, view)?;
        // Who was entered in error is nobody's duplicate.
        let there = !view.fields.contains_key("entered_in_error");
        let facts = there.then(|| PersonFacts::of(&Value::Object(view.fields.clone())));
        keys.insert(*id, facts.map(|facts| facts.keys()).unwrap_or_default());
    }
    rekey(views, &keys)
}

/// Forgets the persons of a team, before they are derived again.
pub(super) fn forget(views: &Transaction, team: &[u8; 16]) -> Result<()> {
    let mut statement = views.prepare_cached("SELECT id FROM person WHERE team = ?")?;
    let ids = ids(statement.query_map([team], |row| row.get(0))?)?;
    rekey(views, &ids.iter().map(|id| (*id, Vec::new())).collect())?;
    views.execute("DELETE FROM not_same WHERE holder IN (SELECT id FROM person WHERE team = ?)", [team])?;
    views.execute("DELETE FROM person WHERE team = ?", [team])?;
    Ok(())
}

/// The record that stands for a person of this team; itself where none of that id is here.
pub(super) fn standing(conn: &Connection, id: RecordId) -> Result<RecordId> {
    let mut statement = conn.prepare_cached("SELECT standing FROM person WHERE id = ?")?;
    let found = statement.query_row([id.as_bytes()], |row| row.get(0)).optional()?;
    Ok(found.map_or(id, RecordId::from_bytes))
}

fn named(value: Option<&Value>) -> Option<RecordId> {
    value?.as_str()?.parse().ok()
}

fn ids(rows: impl Iterator<Item = rusqlite::Result<[u8; 16]>>) -> Result<Vec<RecordId>> {
    Ok(rows.map(|row| row.map(RecordId::from_bytes)).collect::<rusqlite::Result<_>>()?)
}

/// Puts a person where `merged_into` says, and finds anew who stands for everybody that it touches.
fn place(views: &Transaction, team: &[u8; 16], id: RecordId, into: Option<RecordId>) -> Result<()> {
    let mut touched = BTreeSet::from([id]);
    let mut before = views.prepare_cached("SELECT merged_into FROM person WHERE id = ?")?;
    let before: Option<Option<[u8; 16]>> = before.query_row([id.as_bytes()], |row| row.get(0)).optional()?;
    if before == Some(into.map(|into| *into.as_bytes())) {
        return Ok(());
    }
    let mut together = views.prepare_cached(
        "SELECT id FROM person WHERE standing = (SELECT standing FROM person WHERE id = ?)",
    )?;
    touched.extend(ids(together.query_map([id.as_bytes()], |row| row.get(0))?)?);
    views
        .prepare_cached(
            "INSERT OR REPLACE INTO person (id, team, merged_into, standing) VALUES (?, ?, ?, ?)",
        )?
        .execute((id.as_bytes(), team, into.map(|into| *into.as_bytes()), id.as_bytes()))?;
    while let Some(next) = touched.pop_first() {
        let mut problem = None;
        let component = merged::component(next, |id| {
            beside(views, team, id).unwrap_or_else(|error| {
                problem = Some(error);
                Vec::new()
            })
        });
        if let Some(problem) = problem {
            return Err(problem);
        }
        let mut known = Vec::new();
        for member in &component {
            touched.remove(member);
            if is_of(views, team, *member)? {
                known.push(*member);
            }
        }
        let Some(lowest) = known.first().copied() else { continue };
        for member in known {
            views
                .prepare_cached("UPDATE person SET standing = ? WHERE id = ?")?
                .execute((lowest.as_bytes(), member.as_bytes()))?;
        }
    }
    Ok(())
}

fn is_of(views: &Connection, team: &[u8; 16], id: RecordId) -> Result<bool> {
    let mut statement =
        views.prepare_cached("SELECT EXISTS (SELECT 1 FROM person WHERE id = ? AND team = ?)")?;
    Ok(statement.query_row((id.as_bytes(), team), |row| row.get(0))?)
}

/// Whom a person of this team was merged into, and who was merged into that id.
fn beside(views: &Connection, team: &[u8; 16], id: RecordId) -> Result<Vec<RecordId>> {
    let mut statement = views.prepare_cached(
        "SELECT merged_into FROM person WHERE id = ?1 AND team = ?2 AND merged_into IS NOT NULL
         UNION SELECT id FROM person WHERE merged_into = ?1 AND team = ?2",
    )?;
    ids(statement.query_map((id.as_bytes(), team), |row| row.get(0))?)
}

/// Whom coordinators found to be somebody else.
fn decided(views: &Transaction, id: RecordId, view: &View) -> Result<()> {
    views.prepare_cached("DELETE FROM not_same WHERE holder = ?")?.execute([id.as_bytes()])?;
    let entries = view.fields.get("not_same_as").and_then(Value::as_object).into_iter().flatten();
    for (entry, said) in entries.filter(|(_, said)| said.get("struck_out").is_none_or(Value::is_null)) {
        let Some(other) = named(said.get("person")) else { continue };
        views.prepare_cached("INSERT INTO not_same (holder, entry, other) VALUES (?, ?, ?)")?.execute((
            id.as_bytes(),
            entry,
            other.as_bytes(),
        ))?;
    }
    Ok(())
}

/// Gives persons their keys of today, and compares whoever that concerns.
fn rekey(views: &Transaction, changed: &BTreeMap<RecordId, Vec<String>>) -> Result<()> {
    let mut touched: BTreeSet<String> = changed.values().flatten().cloned().collect();
    let mut old = views.prepare_cached("SELECT key FROM person_key WHERE person = ?")?;
    for id in changed.keys() {
        for key in old.query_map([id.as_bytes()], |row| row.get(0))? {
            touched.insert(key?);
        }
    }
    let mut before = BTreeMap::new();
    for key in &touched {
        before.insert(key, sharing(views, key)?);
    }
    for (id, keys) in changed {
        views.prepare_cached("DELETE FROM person_key WHERE person = ?")?.execute([id.as_bytes()])?;
        for key in keys {
            views
                .prepare_cached("INSERT INTO person_key (key, person) VALUES (?, ?)")?
                .execute((key, id.as_bytes()))?;
        }
    }
    let mut concerned: BTreeSet<RecordId> = changed.keys().copied().collect();
    for (key, count) in before {
        if (count > MOST_OF_A_KEY) != (sharing(views, key)? > MOST_OF_A_KEY) {
            concerned.extend(under(views, key)?);
        }
    }
    let mut facts = HashMap::new();
    for id in concerned {
        compare(views, id, &mut facts)?;
    }
    Ok(())
}

fn sharing(views: &Connection, key: &str) -> Result<u64> {
    let mut statement = views.prepare_cached("SELECT count(*) FROM person_key WHERE key = ?")?;
    Ok(statement.query_row([key], |row| row.get(0))?)
}

fn under(views: &Connection, key: &str) -> Result<Vec<RecordId>> {
    let mut statement = views.prepare_cached("SELECT person FROM person_key WHERE key = ?")?;
    ids(statement.query_map([key], |row| row.get(0))?)
}

/// Finds anew with whom one person makes a pair.
fn compare(views: &Transaction, id: RecordId, facts: &mut HashMap<RecordId, PersonFacts>) -> Result<()> {
    for sql in ["DELETE FROM pair WHERE a = ?", "DELETE FROM pair WHERE b = ?"] {
        views.prepare_cached(sql)?.execute([id.as_bytes()])?;
    }
    let mut candidates = BTreeSet::new();
    let mut own = views.prepare_cached("SELECT key FROM person_key WHERE person = ?")?;
    for key in own.query_map([id.as_bytes()], |row| row.get::<_, String>(0))? {
        let sharing = under(views, &key?)?;
        if sharing.len() as u64 <= MOST_OF_A_KEY {
            candidates.extend(sharing);
        }
    }
    candidates.remove(&id);
    if candidates.is_empty() {
        return Ok(());
    }
    let mut of = |id: RecordId| -> Result<PersonFacts> {
        if let Some(known) = facts.get(&id) {
            return Ok(known.clone());
        }
        let found = facts_of(views, id)?;
        facts.insert(id, found.clone());
        Ok(found)
    };
    let subject = of(id)?;
    for other in candidates {
        let found = score(&subject, &of(other)?);
        let likely = match found.likely {
            Likeness::None => continue,
            Likeness::Possible => 1,
            Likeness::Likely => 2,
        };
        let reasons: Vec<&str> = found.reasons.iter().map(|reason| reason.id.as_str()).collect();
        let (a, b) = (id.min(other), id.max(other));
        views
            .prepare_cached("INSERT INTO pair (a, b, weight, likely, reasons) VALUES (?, ?, ?, ?, ?)")?
            .execute((a.as_bytes(), b.as_bytes(), found.weight, likely, Value::from(reasons).to_string()))?;
    }
    Ok(())
}

fn facts_of(views: &Connection, id: RecordId) -> Result<PersonFacts> {
    let mut statement = views.prepare_cached("SELECT fields FROM record WHERE id = ?")?;
    let fields: Option<String> = statement.query_row([id.as_bytes()], |row| row.get(0)).optional()?;
    Ok(match fields {
        Some(fields) => PersonFacts::of(&parse(&fields)?),
        None => PersonFacts::default(),
    })
}
