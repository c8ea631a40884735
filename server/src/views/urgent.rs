//! Checks that call for somebody today, in the order in which they began to: what programs are told of.

use rusqlite::{Connection, params};
use wayside_protocol::record::RecordId;

use super::Views;
use super::today::{Part, Todo};
use crate::error::Result;

/// A check that calls for somebody today, and since which number of its team's log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Urgent {
    pub seq: u64,
    pub contact: RecordId,
}

/// Notes that a contact calls for somebody since `seq`, if it does and did not before; or that it no longer does.
///
/// `seq` follows everything that was derived before. So nobody who was told of all up to some number misses one, however
/// the log was cut into batches: a contact that stays urgent keeps its number until the views are derived again. `known`:
/// it was written before.
pub(super) fn write(
    views: &Connection,
    (team, id): (&[u8; 16], RecordId),
    todos: &[Todo],
    seq: u64,
    known: bool,
) -> Result<()> {
    if todos.iter().any(|todo| todo.part == Part::Urgent) {
        let insert =
            "INSERT INTO urgent (contact, team, seq) VALUES (?, ?, ?) ON CONFLICT (contact) DO NOTHING";
        views.prepare_cached(insert)?.execute(params![id.as_bytes(), team, seq])?;
    } else if known {
        forget(views, id)?;
    }
    Ok(())
}

pub(super) fn forget(views: &Connection, contact: RecordId) -> Result<()> {
    views.prepare_cached("DELETE FROM urgent WHERE contact = ?")?.execute([contact.as_bytes()])?;
    Ok(())
}

impl Views {
    /// A team's urgent contacts after a number and a contact of that number, in their order, no more than `limit`.
    pub fn urgent(&self, team: RecordId, after: (u64, [u8; 16]), limit: usize) -> Result<Vec<Urgent>> {
        let mut statement = self.conn.prepare_cached(
            "SELECT seq, contact FROM urgent WHERE team = ?1 AND (seq, contact) > (?2, ?3)
             ORDER BY seq, contact LIMIT ?4",
        )?;
        let rows = statement.query_map(params![team.as_bytes(), after.0, after.1, limit], |row| {
            Ok(Urgent { seq: row.get(0)?, contact: RecordId::from_bytes(row.get(1)?) })
        })?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }
}
