//! Numbers about the log as a whole, for those who look after the server.

use std::collections::BTreeMap;

use super::db::Conn;
use crate::error::Result;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Figures {
    /// Changes in quarantine, by code.
    pub quarantine: BTreeMap<String, u64>,
    /// Of those, at which nobody has looked.
    pub unseen: u64,
    /// Changes that wait for what they depend on.
    pub waiting: u64,
    /// When the newest backup that was opened again and compared was made, in milliseconds since 1970.
    pub last_backup: Option<u64>,
    /// Rows of the audit trail.
    pub audit: u64,
}

pub fn figures(conn: &Conn) -> Result<Figures> {
    let quarantine = conn.all("SELECT code, count(*) FROM quarantine GROUP BY code", &[], |row| {
        Ok((row.get(0)?, row.get(1)?))
    })?;
    Ok(Figures {
        quarantine: quarantine.into_iter().collect(),
        unseen: super::held_unseen_count(conn, None)?,
        waiting: conn.only("SELECT count(*) FROM waiting", &[], |row| row.get(0))?,
        last_backup: conn.only("SELECT max(made_at) FROM restore_point", &[], |row| row.get(0))?,
        audit: super::audit_head(conn)?.place,
    })
}
