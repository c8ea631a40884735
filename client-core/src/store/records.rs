//! Records, their changes, and the views rebuilt from them.

use std::{
    collections::HashSet,
    panic::{AssertUnwindSafe, catch_unwind},
    slice,
};

use rusqlite::{Connection, OptionalExtension, Row as SqlRow};
use serde_json::{Map, Value};
use wayside_protocol::{
    error::Code,
    record::{Actor, Authored, Hash, Kind, Record, RecordError, RecordId, View, chunk::Chunk},
};

use super::{archive, index, join_hashes, split_hashes};
use crate::{
    error::{Error, Result},
    fold,
};

/// A record as it is stored.
#[derive(Debug, Clone)]
pub struct Row {
    pub no: i64,
    pub id: RecordId,
    /// As its beginning says, perhaps a kind of a newer version; empty as long as that has not arrived.
    pub kind: String,
    pub team: Option<RecordId>,
    pub heads: Vec<Hash>,
    pub quarantined: u64,
    /// Archived by base: kept here for a while, and shown to nobody.
    pub hidden: bool,
    /// `None` while every change is in quarantine.
    pub view: Option<View>,
}

impl Row {
    pub const COLUMNS: &str = "r.no, r.id, r.kind, r.team, r.heads, r.quarantined, r.view, r.hidden";

    pub fn read(row: &SqlRow) -> rusqlite::Result<Row> {
        let kind: String = row.get(2)?;
        let heads: Vec<u8> = row.get(4)?;
        let view: Option<String> = row.get(6)?;
        Ok(Row {
            no: row.get(0)?,
            id: RecordId::from_bytes(row.get(1)?),
            team: row.get::<_, Option<[u8; 16]>>(3)?.map(RecordId::from_bytes),
            heads: split_hashes(&heads),
            quarantined: row.get(5)?,
            hidden: row.get(7)?,
            view: view.map(|text| read_view(&kind, &text)),
            kind,
        })
    }

    pub fn kind(&self) -> Option<Kind> {
        Kind::parse(&self.kind)
    }
}

fn read_view(kind: &str, text: &str) -> View {
    let mut stored: Map<String, Value> = serde_json::from_str(text).unwrap_or_default();
    let fields = match stored.remove("fields") {
        Some(Value::Object(fields)) => fields,
        _ => Map::new(),
    };
    let conflicts = match stored.remove("conflicts") {
        Some(Value::Array(conflicts)) => conflicts,
        _ => Vec::new(),
    };
    View { kind: Kind::parse(kind), fields, conflicts }
}

/// A record that is held here, hidden or not.
pub fn find(conn: &Connection, id: RecordId) -> Result<Option<Row>> {
    let sql = format!("SELECT {} FROM record r WHERE r.id = ?", Row::COLUMNS);
    Ok(conn.prepare_cached(&sql)?.query_row([id.as_bytes()], Row::read).optional()?)
}

/// A record that people see.
pub fn get(conn: &Connection, id: RecordId) -> Result<Row> {
    find(conn, id)?.filter(|row| !row.hidden).ok_or(Error::Failed(Code::RecordNotFound))
}

/// A record that is about to be written: a form that was open when base archived it is saved all the same.
pub fn held(conn: &Connection, id: RecordId) -> Result<Row> {
    find(conn, id)?.ok_or(Error::Failed(Code::RecordNotFound))
}

/// A record's row.
pub struct Made {
    pub no: i64,
    pub archived: bool,
}

pub fn is_held(conn: &Connection, id: RecordId) -> Result<bool> {
    let sql = "SELECT EXISTS (SELECT 1 FROM record WHERE id = ?)";
    Ok(conn.prepare_cached(sql)?.query_row([id.as_bytes()], |row| row.get(0))?)
}

/// A record's row, made if it is not there. Where it is, the team of the newest word stands.
pub fn make(conn: &Connection, id: RecordId, team: Option<RecordId>) -> Result<Made> {
    let team = team.map(|team| *team.as_bytes());
    let sql = "INSERT INTO record (id, team) VALUES (?, ?)
        ON CONFLICT (id) DO UPDATE SET team = coalesce(excluded.team, team)
        RETURNING no, archived IS NOT NULL";
    let made = |row: &SqlRow| Ok(Made { no: row.get(0)?, archived: row.get(1)? });
    Ok(conn.prepare_cached(sql)?.query_row((id.as_bytes(), team), made)?)
}

/// One of the record's changes, without what it says.
pub struct Stored {
    pub no: i64,
    pub hash: Hash,
    pub deps: Vec<Hash>,
    pub quarantined: bool,
    /// Whether it has a number in its team's log.
    pub numbered: bool,
    pub raw: Vec<u8>,
}

pub fn changes(conn: &Connection, no: i64) -> Result<Vec<Stored>> {
    let sql = "SELECT no, hash, deps, state = 'quarantined', seq IS NOT NULL, raw FROM change
        WHERE record = ? ORDER BY no";
    let mut statement = conn.prepare_cached(sql)?;
    let changes = statement.query_map([no], |row| {
        let deps: Vec<u8> = row.get(2)?;
        Ok(Stored {
            no: row.get(0)?,
            hash: row.get(1)?,
            deps: split_hashes(&deps),
            quarantined: row.get(3)?,
            numbered: row.get(4)?,
            raw: row.get(5)?,
        })
    })?;
    Ok(changes.collect::<Result<_, _>>()?)
}

/// The changes of the working document: all that are not in quarantine and build on nothing that is.
pub fn live(changes: &[Stored]) -> impl Iterator<Item = &Stored> {
    let mut included: HashSet<Hash> = HashSet::new();
    changes.iter().filter(move |change| {
        let lives = !change.quarantined && change.deps.iter().all(|dep| included.contains(dep));
        lives && included.insert(change.hash)
    })
}

/// The working document, at its heads or as it was at older ones.
pub fn load(id: RecordId, changes: &[Stored]) -> Result<Record> {
    // What was pulled has passed the parser, but only Automerge knows what Automerge makes of it.
    let loaded = catch_unwind(AssertUnwindSafe(|| Record::load(id, live(changes).map(|change| &change.raw))));
    Ok(loaded.unwrap_or(Err(RecordError::Unreadable))?)
}

pub fn load_at(id: RecordId, changes: &[Stored], heads: &[Hash]) -> Result<Record> {
    let mut wanted: HashSet<Hash> = heads.iter().copied().collect();
    for change in changes.iter().rev() {
        if wanted.contains(&change.hash) {
            wanted.extend(&change.deps);
        }
    }
    let ancestors = live(changes).filter(|change| wanted.contains(&change.hash));
    let record = Record::load(id, ancestors.map(|change| &change.raw))?;
    let mut heads = heads.to_vec();
    heads.sort_unstable();
    heads.dedup();
    if record.heads() == heads { Ok(record) } else { Err(RecordError::UnknownHeads.into()) }
}

/// Stores a change made on this tablet, to be offered to the server.
pub fn insert_own(
    conn: &Connection,
    no: i64,
    team: Option<RecordId>,
    deps: &[Hash],
    authored: &Authored,
) -> Result<()> {
    let sql = "INSERT INTO change (record, team, hash, actor, actor_seq, deps, state, own, raw)
        VALUES (?, ?, ?, ?, ?, ?, 'pending', 1, ?)";
    conn.prepare_cached(sql)?.execute((
        no,
        team.map(|team| *team.as_bytes()),
        authored.hash,
        authored.actor,
        i64::try_from(authored.seq).unwrap_or(i64::MAX),
        join_hashes(deps),
        &authored.raw,
    ))?;
    Ok(())
}

/// Whether this actor has a change of the record in quarantine: then its next number is taken.
pub fn is_tainted(conn: &Connection, no: i64, actor: &Actor) -> Result<bool> {
    let sql = "SELECT EXISTS (SELECT 1 FROM change WHERE record = ? AND actor = ? AND state = 'quarantined')";
    Ok(conn.prepare_cached(sql)?.query_row((no, actor), |row| row.get(0))?)
}

/// Rebuilds what people see of a record from its changes.
pub fn refresh(conn: &Connection, no: i64) -> Result<()> {
    let id = conn.prepare_cached("SELECT id FROM record WHERE no = ?")?.query_row([no], |row| row.get(0))?;
    refresh_from(conn, no, RecordId::from_bytes(id), &changes(conn, no)?)
}

/// As `refresh`, with all of its changes at hand.
pub fn refresh_from(conn: &Connection, no: i64, id: RecordId, changes: &[Stored]) -> Result<()> {
    let raws: Vec<&[u8]> = live(changes).map(|change| change.raw.as_slice()).collect();
    let viewed = catch_unwind(AssertUnwindSafe(|| View::of_changes(id, &raws)));
    let (view, heads) = viewed.unwrap_or(Err(RecordError::Unreadable))?;
    show(conn, no, id, &view, &heads)
}

/// The row of a record that is not held yet and begins with this change, and what people see of it.
pub fn insert_new(conn: &Connection, id: RecordId, team: RecordId, chunk: &Chunk) -> Result<i64> {
    let (view, heads) = View::of_chunks(slice::from_ref(chunk))?;
    let Columns { kind, person, name, stored } = Columns::of(&view);
    let sql = "INSERT INTO record (id, team, kind, heads, conflicts, person, name, view)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?)";
    let conflicts = view.conflicts.len();
    let row = (id.as_bytes(), team.as_bytes(), kind, join_hashes(&heads), conflicts, person, name, stored?);
    let no = conn.prepare_cached(sql)?.insert(row)?;
    let (kind, team) = (kind.to_owned(), Some(team));
    index::refresh(
        conn,
        &Row { no, id, kind, team, heads, quarantined: 0, hidden: false, view: None },
        &view,
    )?;
    Ok(no)
}

/// What a record's row says of its view.
struct Columns<'a> {
    kind: &'a str,
    person: Option<[u8; 16]>,
    name: Option<String>,
    stored: Result<String>,
}

impl Columns<'_> {
    fn of(view: &View) -> Columns<'_> {
        let text = |name: &str| view.fields.get(name).and_then(Value::as_str);
        let person = text("person").and_then(|id| id.parse::<RecordId>().ok());
        let usable = view.kind == Some(Kind::Site) && !view.fields.contains_key("entered_in_error");
        let stored = StoredView { conflicts: &view.conflicts, fields: &view.fields };
        Columns {
            kind: text("kind").unwrap_or_default(),
            person: person.filter(|_| view.kind == Some(Kind::Contact)).map(|id| *id.as_bytes()),
            name: text("name").filter(|_| usable).map(fold::name),
            stored: serde_json::to_string(&stored).map_err(|_| Error::Failed(Code::Internal)),
        }
    }
}

#[derive(serde::Serialize)]
struct StoredView<'a> {
    conflicts: &'a [Value],
    fields: &'a Map<String, Value>,
}

/// As `refresh`, with the working document at hand.
pub fn refresh_with(conn: &Connection, no: i64, record: &Record) -> Result<()> {
    let viewed = catch_unwind(AssertUnwindSafe(|| record.view()));
    let view = viewed.map_err(|_| Error::Record(RecordError::Unreadable))?;
    show(conn, no, record.id(), &view, &record.heads())
}

fn show(conn: &Connection, no: i64, id: RecordId, view: &View, heads: &[Hash]) -> Result<()> {
    let Columns { kind, person, name, stored } = Columns::of(view);
    let stored = if heads.is_empty() { None } else { Some(stored?) };
    let sql =
        "UPDATE record SET kind = iif(?2 = '', kind, ?2), heads = ?3, conflicts = ?4, person = ?5, name = ?6,
            view = ?7,
            quarantined = (SELECT count(*) FROM change WHERE record = ?1 AND state = 'quarantined')
        WHERE no = ?1 RETURNING team, archived IS NOT NULL, hidden";
    let conflicts = view.conflicts.len();
    let params = (no, kind, join_hashes(heads), conflicts, person, name, stored);
    let (team, archived, hidden): (Option<[u8; 16]>, bool, bool) =
        conn.prepare_cached(sql)?.query_row(params, |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    if !hidden {
        let (kind, team) = (kind.to_owned(), team.map(RecordId::from_bytes));
        let row = Row { no, id, kind, team, heads: heads.to_vec(), quarantined: 0, hidden, view: None };
        if row.heads.is_empty() { index::forget(conn, no)? } else { index::refresh(conn, &row, view)? }
    }
    if archived { archive::look(conn, no) } else { Ok(()) }
}
