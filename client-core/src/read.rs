//! What people see of records.

use serde_json::{Map, Value, json};
use wayside_protocol::{
    error::Code,
    record::{Hash, Kind, Record, RecordId, Scalar, chunk},
    staff::shown_value,
};

use rusqlite::Connection;

use crate::{
    error::Result,
    store::{
        index,
        records::{self, Row},
        unsettled::{self, Quarantined},
    },
    tablet::Tablet,
};

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

impl Page {
    /// LIMIT and OFFSET.
    pub(crate) fn bounds(self) -> (i64, i64) {
        let limit = self.limit.and_then(|limit| i64::try_from(limit).ok()).unwrap_or(-1);
        (limit, i64::try_from(self.offset).unwrap_or(i64::MAX))
    }
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
        Ok(self.list_shown(kind, page)?.into_iter().map(|shown| shown.json).collect())
    }

    /// As [`Tablet::list`], each as [`Tablet::show`] gives it.
    pub fn list_shown(&self, kind: Option<Kind>, page: Page) -> Result<Vec<Shown>> {
        let sql = format!(
            "SELECT {} FROM record r WHERE r.hidden = 0 AND (?1 IS NULL OR r.kind = ?1)
            ORDER BY r.no DESC LIMIT ?2 OFFSET ?3",
            Row::COLUMNS
        );
        let (limit, offset) = page.bounds();
        self.0.store.read(|conn| {
            let mut statement = conn.prepare_cached(&sql)?;
            let rows = statement.query_map((kind.map(Kind::as_str), limit, offset), Row::read)?;
            let rows = rows.collect::<Result<Vec<_>, _>>()?;
            let shown =
                rows.into_iter().map(|row| Ok(Shown { json: to_json(conn, &row)?, heads: row.heads }));
            shown.collect()
        })
    }
}

pub fn to_json(conn: &Connection, row: &Row) -> Result<Value> {
    let team = row.team.map(|team| team.to_string());
    let mut json = match &row.view {
        Some(view) => {
            let person = index::person_of(conn, view)?;
            view.to_json(team.as_deref(), person.as_ref())
        }
        None => json!({
            "id": row.id, "kind": row.kind, "team": team, "conflicts": [], "derived": {},
        }),
    };
    if row.quarantined > 0
        && let Value::Object(object) = &mut json
    {
        let quarantined = unsettled::quarantined(conn, row.no)?;
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
        .filter_map(|(path, value)| {
            Some((path.to_owned(), shown_value(path, Scalar::from_chunk(&value)?.to_json())))
        })
        .collect()
}
