//! What base has not simply accepted.

use rusqlite::Connection;
use wayside_protocol::{error::Code, record::Hash};

use super::split_hashes;
use crate::error::Result;

/// Counts of what has not simply been accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Open {
    pub waiting: u64,
    pub quarantined: u64,
    pub conflicts: u64,
}

pub fn counts(conn: &Connection) -> Result<Open> {
    let count = |sql: &str| -> Result<u64> { Ok(conn.prepare_cached(sql)?.query_row([], |row| row.get(0))?) };
    Ok(Open {
        waiting: count("SELECT count(*) FROM change WHERE state <> 'accepted' AND state <> 'quarantined'")?,
        quarantined: count(
            "SELECT count(*) FROM change WHERE state <> 'accepted' AND state = 'quarantined'",
        )?,
        conflicts: count("SELECT count(*) FROM record WHERE conflicts > 0 AND hidden = 0")?,
    })
}

/// A change in quarantine, with what it depends on.
pub struct Quarantined {
    pub hash: Hash,
    pub deps: Vec<Hash>,
    pub code: String,
    pub raw: Vec<u8>,
}

impl Quarantined {
    /// Where it writes.
    pub fn paths(&self) -> Vec<String> {
        crate::read::values(&self.raw).into_iter().map(|(path, _)| path).collect()
    }
}

pub fn quarantined(conn: &Connection, record: i64) -> Result<Vec<Quarantined>> {
    let sql =
        "SELECT hash, deps, code, raw FROM change WHERE record = ? AND state = 'quarantined' ORDER BY no";
    let mut statement = conn.prepare_cached(sql)?;
    let found = statement.query_map([record], |row| {
        let deps: Vec<u8> = row.get(1)?;
        let code: Option<String> = row.get(2)?;
        let code = code.unwrap_or_else(|| Code::Internal.as_str().to_owned());
        Ok(Quarantined { hash: row.get(0)?, deps: split_hashes(&deps), code, raw: row.get(3)? })
    })?;
    Ok(found.collect::<Result<_, _>>()?)
}
