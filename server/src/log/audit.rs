//! The audit trail: who looked at what had left the tablets, who archived and erased. Append-only. No personal data but
//! ids and the reason as it was typed.

use wayside_protocol::record::RecordId;

use super::db::{Conn, args};
use crate::error::Result;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audited {
    /// Milliseconds since 1970.
    pub at: u64,
    /// A tablet's id and the name of a member of staff, or a command.
    pub who: String,
    /// `look_up`, `fetch`, `archive` or `erase`; of an account `find`, `open`, `unlock`, `enrol_code`, `rename_tablet` and
    /// what leaves.
    pub act: String,
    pub record: Option<RecordId>,
    pub reason: String,
}

/// Appends an act, inside the transaction that does it.
pub fn audit(conn: &Conn, act: &Audited) -> Result<()> {
    let record = act.record.map(|record| *record.as_bytes());
    conn.execute(
        "INSERT INTO audit (at, who, act, record, reason) VALUES (?, ?, ?, ?, ?)",
        args![act.at, &act.who, &act.act, record, &act.reason],
    )?;
    Ok(())
}

/// The whole trail, oldest first.
pub fn audited(conn: &Conn) -> Result<Vec<Audited>> {
    conn.all("SELECT at, who, act, record, reason FROM audit ORDER BY n", &[], |row| {
        let record: Option<[u8; 16]> = row.get(3)?;
        Ok(Audited {
            at: row.get(0)?,
            who: row.get(1)?,
            act: row.get(2)?,
            record: record.map(RecordId::from_bytes),
            reason: row.get(4)?,
        })
    })
}

/// When something was done last.
pub fn last_done(conn: &Conn, act: &str) -> Result<Option<u64>> {
    conn.only("SELECT max(at) FROM audit WHERE act = ?", args![act], |row| row.get(0))
}
