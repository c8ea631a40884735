//! What the pages and their API read beside single records.

use rusqlite::Row;
use wayside_protocol::record::RecordId;

use super::Views;
use crate::error::Result;
use crate::log::{self, Conn};

/// One contact, as far as lists need it.
#[derive(Debug, Clone)]
pub struct Seen {
    pub id: RecordId,
    pub session: Option<String>,
    pub started_at: String,
    pub category: Option<String>,
    pub urgency: String,
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
        let mut statement = self.conn.prepare_cached("SELECT coalesce(sum(seq), 0) FROM main.cursor")?;
        Ok(statement.query_row([], |row| row.get(0))?)
    }

    /// What pages that are open compare themselves with: how far the views have come, what is held
    /// in quarantine, and who is on what.
    pub(crate) fn seen_with(&self, log: &Conn) -> Result<String> {
        Ok(format!("{}-{}", self.position()?, log::desk_state(log)?))
    }

    /// Every contact that names a session, in the order in which they began.
    pub fn of_session(&self, session: RecordId) -> Result<Vec<Seen>> {
        let mut statement = self.conn.prepare_cached(&format!(
            "SELECT {SEEN} FROM contact WHERE session = ? ORDER BY started_at, id"
        ))?;
        let rows = statement.query_map([session.to_string()], seen)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// Every contact with a person and with whoever was merged with them, in the order in which they began.
    pub fn of_person(&self, standing: RecordId) -> Result<Vec<Seen>> {
        // Of the person's own team alone. The plus keeps SQLite from going through all contacts of that team.
        let mut statement = self.conn.prepare_cached(&format!(
            "SELECT {SEEN} FROM contact WHERE person IN (SELECT id FROM person WHERE standing = ?)
                 AND +team = (SELECT team FROM person WHERE person.id = contact.person)
             ORDER BY started_at, id"
        ))?;
        let rows = statement.query_map([standing.as_bytes()], seen)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }
}
