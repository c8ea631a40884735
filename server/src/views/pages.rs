//! What the pages and their API read beside single records.

use rusqlite::{Connection, Row, params};
use wayside_protocol::clinical::Urgency;
use wayside_protocol::record::RecordId;

use super::Views;
use crate::error::Result;

/// One contact, as far as lists need it.
#[derive(Debug, Clone)]
pub struct Seen {
    pub id: RecordId,
    pub person: Option<String>,
    pub session: Option<String>,
    pub started_at: String,
    pub category: Option<String>,
    pub urgency: String,
}

/// How many contacts of a session, by category and urgency.
#[derive(Debug, Clone)]
pub struct Count {
    pub session: Option<String>,
    pub category: Option<String>,
    pub urgency: String,
    pub count: u64,
}

const SEEN: &str = "id, person, session, started_at, category, urgency";

fn seen(row: &Row) -> rusqlite::Result<Seen> {
    Ok(Seen {
        id: RecordId::from_bytes(row.get(0)?),
        person: row.get(1)?,
        session: row.get(2)?,
        started_at: row.get(3)?,
        category: row.get(4)?,
        urgency: row.get(5)?,
    })
}

impl Views {
    /// Reads in one snapshot.
    pub fn snapshot<T>(&self, work: impl FnOnce(&Views) -> Result<T>) -> Result<T> {
        let transaction = self.conn.unchecked_transaction()?;
        let result = work(self);
        transaction.finish()?;
        result
    }

    /// How far the views have come: grows with every change they take in.
    pub fn position(&self) -> Result<u64> {
        let mut statement = self.conn.prepare_cached("SELECT coalesce(sum(seq), 0) FROM cursor")?;
        Ok(statement.query_row([], |row| row.get(0))?)
    }

    /// What pages that are open compare themselves with: how far the views have come, and what is held
    /// in quarantine.
    pub(crate) fn seen_with(&self, log: &Connection) -> Result<String> {
        let mut statement = log.prepare_cached("SELECT count(*), coalesce(max(n), 0) FROM quarantine")?;
        let (held, last): (u64, i64) = statement.query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(format!("{}-{held}-{last}", self.position()?))
    }

    /// A part of the worklist, the most urgent first, then the oldest: of one urgency or of all, of
    /// contacts that began at or after `since` (RFC 3339 in UTC; empty for all).
    pub fn attention(
        &self,
        urgency: Option<Urgency>,
        since: &str,
        skip: u64,
        limit: u64,
    ) -> Result<Vec<Seen>> {
        let mut statement = self.conn.prepare_cached(&format!(
            "SELECT {SEEN} FROM contact WHERE attention = 1 AND (?1 IS NULL OR rank = ?1) AND started_at >= ?2
             ORDER BY rank DESC, started_at, id LIMIT ?3 OFFSET ?4"
        ))?;
        let rank = urgency.map(|urgency| urgency as i64);
        let rows = statement.query_map(params![rank, since, limit, skip], seen)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// How many contacts are on the worklist, by urgency.
    pub fn attention_counts(&self, since: &str) -> Result<Vec<(String, u64)>> {
        let mut statement = self.conn.prepare_cached(
            "SELECT urgency, count(*) FROM contact WHERE attention = 1 AND started_at >= ?
             GROUP BY rank, urgency ORDER BY rank DESC",
        )?;
        let rows = statement.query_map([since], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// Every contact of a session, in the order in which they began.
    pub fn of_session(&self, session: RecordId) -> Result<Vec<Seen>> {
        self.of("session", session)
    }

    /// Every contact with a person, in the order in which they began.
    pub fn of_person(&self, person: RecordId) -> Result<Vec<Seen>> {
        self.of("person", person)
    }

    fn of(&self, column: &str, id: RecordId) -> Result<Vec<Seen>> {
        let mut statement = self.conn.prepare_cached(&format!(
            "SELECT {SEEN} FROM contact WHERE {column} = ? ORDER BY started_at, id"
        ))?;
        let rows = statement.query_map([id.to_string()], seen)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// Contacts counted by session, category and urgency.
    pub fn counts(&self) -> Result<Vec<Count>> {
        let mut statement = self.conn.prepare_cached(
            "SELECT session, category, urgency, count(*) FROM contact
             GROUP BY session, category, urgency ORDER BY session, rank DESC, category",
        )?;
        let rows = statement.query_map([], |row| {
            Ok(Count {
                session: row.get(0)?,
                category: row.get(1)?,
                urgency: row.get(2)?,
                count: row.get(3)?,
            })
        })?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }
}
