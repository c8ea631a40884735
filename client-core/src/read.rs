//! What people see of records.

use serde_json::{Map, Value, json};
use wayside_protocol::{
    error::Code,
    record::{Hash, Kind, Record, RecordId, Scalar, chunk},
};

use rusqlite::Connection;

use crate::{
    error::Result,
    fold,
    store::{
        log::{self, Quarantined},
        records::{self, Row},
    },
    tablet::Tablet,
};

/// A search shows no more than this: whoever sees so many types another word.
const MOST_FOUND: usize = 200;

/// A record as a screen shows it.
#[derive(Debug, Clone, PartialEq)]
pub struct Shown {
    /// Nested as in `records.md`, with `team`, `conflicts`, `derived`, and where the server refused something
    /// `quarantined`: `[{hash, code, message, values: {path: value}}]`.
    pub json: Value,
    /// The base for the edit that this screen leads to: see [`crate::Edit::base`].
    pub heads: Vec<Hash>,
}

/// Which part of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Page {
    pub offset: u64,
    /// `None`: all of it.
    pub limit: Option<u64>,
}

impl Tablet {
    pub fn show(&self, id: RecordId) -> Result<Shown> {
        self.0.store.read(|conn| {
            let row = records::get(conn, id)?;
            Ok(Shown { json: to_json(conn, &row)?, heads: row.heads })
        })
    }

    /// Records, of one kind or all, the last one to arrive here first.
    pub fn list(&self, kind: Option<Kind>, page: Page) -> Result<Vec<Value>> {
        let sql = format!(
            "SELECT {} FROM record r WHERE ?1 IS NULL OR r.kind = ?1 ORDER BY r.no DESC LIMIT ?2 OFFSET ?3",
            Row::COLUMNS
        );
        let limit = page.limit.and_then(|limit| i64::try_from(limit).ok()).unwrap_or(-1);
        let offset = i64::try_from(page.offset).unwrap_or(i64::MAX);
        self.0.store.read(|conn| {
            let mut statement = conn.prepare_cached(&sql)?;
            let rows = statement.query_map((kind.map(Kind::as_str), limit, offset), Row::read)?;
            let rows = rows.collect::<Result<Vec<_>, _>>()?;
            rows.iter().map(|row| to_json(conn, row)).collect()
        })
    }

    /// Persons, then sites and teams, in which every word of `text` is found: in a name, NHS number, date of
    /// birth or phone number. Case, accents and the spacing of numbers do not matter.
    pub fn search(&self, text: &str) -> Result<Vec<Value>> {
        let words = fold::query(text);
        if words.is_empty() {
            return Ok(Vec::new());
        }
        let sql = format!(
            "SELECT {} FROM search s JOIN record r ON r.no = s.record WHERE {} ORDER BY s.rank, s.text LIMIT {MOST_FOUND}",
            Row::COLUMNS,
            vec!["s.text LIKE ?"; words.len()].join(" AND ")
        );
        // Letters and digits only: nothing in them means something to LIKE.
        let patterns = words.iter().map(|word| format!("%{word}%"));
        self.0.store.read(|conn| {
            let mut statement = conn.prepare(&sql)?;
            let rows = statement.query_map(rusqlite::params_from_iter(patterns), Row::read)?;
            let rows = rows.collect::<Result<Vec<_>, _>>()?;
            rows.iter().map(|row| to_json(conn, row)).collect()
        })
    }
}

fn to_json(conn: &Connection, row: &Row) -> Result<Value> {
    let team = row.team.map(|team| team.to_string());
    let mut json = match &row.view {
        Some(view) => {
            let person = view.fields.get("person").and_then(Value::as_str).and_then(|id| id.parse().ok());
            let person = person.map(|id| records::find(conn, id)).transpose()?.flatten();
            let person = person.and_then(|row| row.view).map(|view| Value::Object(view.fields));
            view.to_json(team.as_deref(), person.as_ref())
        }
        None => json!({
            "id": row.id, "kind": row.kind, "team": team, "conflicts": [], "derived": {},
        }),
    };
    if row.quarantined > 0
        && let Value::Object(object) = &mut json
    {
        let quarantined = log::quarantined(conn, row.no)?;
        let quarantined = quarantined.iter().map(|change| quarantined_json(row.id, change)).collect();
        object.insert("quarantined".into(), Value::Array(quarantined));
    }
    Ok(json)
}

fn quarantined_json(id: RecordId, change: &Quarantined) -> Value {
    let message = Code::parse(&change.code).map_or("The server did not accept this.", Code::message);
    let mut said: Map<String, Value> = values(&change.raw).into_iter().collect();
    if said.is_empty() && change.deps.is_empty() {
        // Too large for the parser of what comes from elsewhere, but this tablet wrote it itself.
        said = Record::load(id, [&change.raw]).map(|record| record.view().fields).unwrap_or_default();
    }
    json!({
        "hash": data_encoding::HEXLOWER.encode(&change.hash),
        "code": change.code,
        "message": message,
        "values": said,
    })
}

/// What a change says, by path.
pub fn values(raw: &[u8]) -> Vec<(String, Value)> {
    let Ok(chunk) = chunk::parse(raw) else { return Vec::new() };
    let writes = chunk.writes().filter(|(path, _)| !matches!(*path, "id" | "kind" | "schema"));
    writes
        .filter_map(|(path, value)| Some((path.to_owned(), Scalar::from_chunk(&value)?.to_json())))
        .collect()
}
