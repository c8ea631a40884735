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
    pub session: Option<String>,
    pub started_at: String,
    pub category: Option<String>,
    pub urgency: String,
}

/// How many contacts of a session, by category, and whether they are on the worklist.
#[derive(Debug, Clone)]
pub struct Count {
    pub session: Option<String>,
    pub category: Option<String>,
    pub attention: bool,
    pub count: u64,
}

const SEEN: &str = "id, session, started_at, category, urgency";

fn seen(row: &Row) -> rusqlite::Result<Seen> {
    Ok(Seen {
        id: RecordId::from_bytes(row.get(0)?),
        session: row.get(1)?,
        started_at: row.get(2)?,
        category: row.get(3)?,
        urgency: row.get(4)?,
    })
}

/// What `attention` holds.
const fn standing_at(handled: bool) -> i64 {
    if handled { 2 } else { 1 }
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
    /// contacts that began at or after `since` (RFC 3339 in UTC; empty for all). `handled` ones instead of
    /// those that wait for somebody.
    pub fn attention(
        &self,
        handled: bool,
        urgency: Option<Urgency>,
        since: &str,
        skip: u64,
        limit: u64,
    ) -> Result<Vec<Seen>> {
        let mut statement = self.conn.prepare_cached(&format!(
            "SELECT {SEEN} FROM contact
             WHERE attention = ?5 AND (?1 IS NULL OR rank = ?1) AND started_at >= ?2
             ORDER BY rank DESC, started_at, id LIMIT ?3 OFFSET ?4"
        ))?;
        let rank = urgency.map(|urgency| urgency as i64);
        let rows = statement.query_map(params![rank, since, limit, skip, standing_at(handled)], seen)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// How many contacts are on the worklist, or were and are handled, by urgency.
    pub fn attention_counts(&self, handled: bool, since: &str) -> Result<Vec<(String, u64)>> {
        let mut statement = self.conn.prepare_cached(
            "SELECT urgency, count(*) FROM contact WHERE attention = ? AND started_at >= ?
             GROUP BY rank, urgency ORDER BY rank DESC",
        )?;
        let rows =
            statement.query_map((standing_at(handled), since), |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// Every contact of a session, in the order in which they began.
    pub fn of_session(&self, session: RecordId) -> Result<Vec<Seen>> {
        let mut statement = self.conn.prepare_cached(&format!(
            "SELECT {SEEN} FROM contact WHERE session = ? ORDER BY started_at, id"
        ))?;
        let rows = statement.query_map([session.to_string()], seen)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// Every contact with a person and with whoever was merged with them, in the order in which they began.
    pub fn of_person(&self, standing: RecordId) -> Result<Vec<Seen>> {
        let mut statement = self.conn.prepare_cached(&format!(
            "SELECT {SEEN} FROM contact AS c WHERE c.person IN
                 (SELECT id FROM person WHERE standing = ? AND person.team = c.team)
             ORDER BY started_at, id"
        ))?;
        let rows = statement.query_map([standing.as_bytes()], seen)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// Contacts counted by session, category, and whether they are on the worklist.
    pub fn counts(&self) -> Result<Vec<Count>> {
        let mut statement = self.conn.prepare_cached(
            "SELECT session, category, attention = 1, count(*) FROM contact
             GROUP BY 1, 2, 3 ORDER BY 1, 2, 3",
        )?;
        let rows = statement.query_map([], |row| {
            Ok(Count {
                session: row.get(0)?,
                category: row.get(1)?,
                attention: row.get(2)?,
                count: row.get(3)?,
            })
        })?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }
}
