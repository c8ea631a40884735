//! The audit trail: who looked at whose record, searched, took something away, signed in, was refused, and administered.
//! Append-only, and a chain (`chain`) that can be proved (`verify`). No personal data but ids, names of accounts and
//! staff, where they were, and the reason as it was typed.

mod chain;
#[cfg(test)]
mod tests;
mod verify;

use wayside_protocol::record::RecordId;

pub use chain::{Head, audit, audit_all, head};
pub(super) use chain::{begin_if_needed, forget_reasons};
pub use verify::{Fault, Noted, Verified, verify};

use super::db::{Conn, Row, args};
use crate::error::Result;

/// Rows that are read at once.
const PAGE: u64 = 512;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Audited {
    /// Milliseconds since 1970.
    pub at: u64,
    /// The name of an account, a tablet's id and the name of a member of staff, or a command.
    pub who: String,
    /// The number of an account.
    pub account: Option<i64>,
    /// From where they came; empty where that is not known.
    pub address: String,
    /// `look_up`, `fetch`, `archive` or `erase`; of an account what `web::trail` lists.
    pub act: String,
    pub record: Option<RecordId>,
    /// Why, where that is asked; else what it was done to.
    pub reason: String,
}

/// Who does something, as the trail tells of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct By {
    /// As in [`Audited::who`].
    pub who: String,
    /// The number of an account.
    pub account: Option<i64>,
    /// From where they came; empty where that is not known.
    pub address: String,
}

impl By {
    /// What they do, for a row in the transaction that does it.
    pub fn does(&self, act: &str, at: u64) -> Audited {
        let By { who, account, address } = self.clone();
        Audited { at, who, account, address, act: act.to_owned(), ..Audited::default() }
    }
}

/// A command.
impl From<&str> for By {
    fn from(who: &str) -> By {
        By { who: who.to_owned(), ..By::default() }
    }
}

const COLUMNS: &str = "at, who, account, address, act, record, reason";

fn read(row: &Row) -> Result<Audited> {
    Ok(Audited {
        at: row.get(0)?,
        who: row.get(1)?,
        account: row.get(2)?,
        address: row.get(3)?,
        act: row.get(4)?,
        record: row.get(5)?,
        reason: row.get(6)?,
    })
}

/// The whole trail, oldest first, row by row.
pub fn each_audited(conn: &Conn, mut take: impl FnMut(Audited) -> Result<()>) -> Result<()> {
    let sql = format!("SELECT {COLUMNS}, n FROM audit WHERE n > ? ORDER BY n LIMIT {PAGE}");
    let mut last = 0;
    loop {
        let page = conn.all(&sql, args![last], |row| Ok((row.get::<i64>(7)?, read(row)?)))?;
        let Some((n, _)) = page.last() else { return Ok(()) };
        last = *n;
        page.into_iter().try_for_each(|(_, act)| take(act))?;
    }
}

/// The whole trail, oldest first.
pub fn audited(conn: &Conn) -> Result<Vec<Audited>> {
    let mut all = Vec::new();
    each_audited(conn, |act| {
        all.push(act);
        Ok(())
    })?;
    Ok(all)
}

/// What was done with any of these records, the latest first.
pub fn audited_of(conn: &Conn, records: &[RecordId], most: usize) -> Result<Vec<Audited>> {
    let keys: Vec<_> = records.iter().map(super::ToValue::to_value).collect();
    let columns = COLUMNS.replace(", ", ", audit.");
    let sql = format!("SELECT audit.{columns}, audit.n FROM asked JOIN audit ON audit.record = asked.key");
    let mut all = conn.all_of(&sql, &[], &keys, |row| Ok((row.get::<i64>(7)?, read(row)?)))?;
    all.sort_by_key(|(n, act)| std::cmp::Reverse((act.at, *n)));
    all.truncate(most);
    Ok(all.into_iter().map(|(_, act)| act).collect())
}

/// What an account did, the latest first.
pub fn audited_by(conn: &Conn, account: i64, most: usize) -> Result<Vec<Audited>> {
    let sql = format!("SELECT {COLUMNS} FROM audit WHERE account = ? ORDER BY place DESC LIMIT {most}");
    conn.all(&sql, args![account], read)
}

/// When something was done last.
pub fn last_done(conn: &Conn, act: &str) -> Result<Option<u64>> {
    conn.only("SELECT max(at) FROM audit WHERE act = ?", args![act], |row| row.get(0))
}
