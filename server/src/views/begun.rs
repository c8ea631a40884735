//! Checks by when they began.

use rusqlite::params;
use wayside_protocol::record::RecordId;

use super::Views;
use crate::error::Result;

/// Which checks are asked for.
#[derive(Debug, Clone, Default)]
pub struct Begun {
    /// Those that began at or after the one and before the other (RFC 3339 in UTC); empty for no end.
    pub from: String,
    pub until: String,
    /// Of these categories; of any, and of none, where it is empty.
    pub categories: Vec<String>,
    pub team: Option<RecordId>,
    /// Those that follow this one: when it began, and its id.
    pub after: Option<(String, RecordId)>,
}

impl Views {
    /// Checks and conversations in the order in which they began, no more than `limit`: when each began, and its id.
    pub fn begun(&self, asked: &Begun, limit: u64) -> Result<Vec<(String, RecordId)>> {
        let mut statement = self.conn.prepare_cached(
            "SELECT started_at, id FROM contact
             WHERE (started_at, id) > (?1, ?2) AND started_at >= ?3 AND (?4 = '' OR started_at < ?4)
               AND (?5 = '' OR instr(?5, ',' || coalesce(category, '?') || ',') > 0)
               AND (?6 IS NULL OR team = ?6)
             ORDER BY started_at, id LIMIT ?7",
        )?;
        let (begun, id) = match &asked.after {
            Some((begun, id)) => (begun.as_str(), id.as_bytes().as_slice()),
            None => ("", [].as_slice()),
        };
        let categories = match asked.categories.as_slice() {
            [] => String::new(),
            some => format!(",{},", some.join(",")),
        };
        let team = asked.team.as_ref().map(RecordId::as_bytes);
        let values = params![begun, id, asked.from, asked.until, categories, team, limit];
        let rows = statement.query_map(values, |row| Ok((row.get(0)?, RecordId::from_bytes(row.get(1)?))))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }
}
