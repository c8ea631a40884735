//! The schema of a shared database: made and widened by whichever node comes first.
//!
//! Nodes one version apart serve together. So a migration only adds what an older program does not miss, and what that
//! leaves over is taken away by a later one, whose `oldest` is raised: programs of an older schema are refused then.

use wayside_protocol::error::Code;

use super::db::{Conn, args};
use crate::error::{Error, Result};

/// Ones that make or alter tables, with the schema of the oldest program that can work with the result.
type Migration = (&'static str, u64);

pub struct Part {
    name: &'static str,
    /// One that must not be in the same database.
    apart_from: &'static str,
    pub migrations: &'static [Migration],
}

pub const LOG: Part = Part {
    name: "log",
    apart_from: "ledger",
    migrations: &[
        (include_str!("../../migrations/postgres/log_1.sql"), 1),
        (include_str!("../../migrations/postgres/log_2.sql"), 1),
        (include_str!("../../migrations/postgres/log_3.sql"), 1),
        (include_str!("../../migrations/postgres/log_4.sql"), 1),
        (include_str!("../../migrations/postgres/log_5.sql"), 1),
        (include_str!("../../migrations/postgres/log_6.sql"), 1),
        (include_str!("../../migrations/postgres/log_7.sql"), 1),
    ],
};
pub const LEDGER: Part = Part {
    name: "ledger",
    apart_from: "log",
    migrations: &[
        (include_str!("../../migrations/postgres/ledger_1.sql"), 1),
        (include_str!("../../migrations/postgres/ledger_3.sql"), 1),
    ],
};

const TABLE: &str = "CREATE TABLE IF NOT EXISTS wayside_schema
    (part TEXT PRIMARY KEY, version BIGINT NOT NULL, oldest BIGINT NOT NULL)";
/// Nodes that begin at once are in each other's way.
const ATTEMPTS: u32 = 20;

/// Brings a database to the schema of this program.
pub fn upgrade(conn: &Conn, part: Part) -> Result<()> {
    let mut attempt = 0;
    loop {
        attempt += 1;
        match upgrade_once(conn, &part) {
            Err(error) if attempt < ATTEMPTS && error.is_of_the_moment() && !conn.is_broken() => {
                conn.rollback()?;
                let pause = rand::random_range(20..200);
                std::thread::sleep(std::time::Duration::from_millis(pause));
            }
            Err(error) => {
                let _ = conn.rollback();
                return Err(error);
            }
            Ok(()) => return Ok(()),
        }
    }
}

fn upgrade_once(conn: &Conn, part: &Part) -> Result<()> {
    // Asked first: a role that may make no tables can work with them.
    if conn.batch("SELECT 1 FROM wayside_schema LIMIT 0").is_err() {
        conn.batch(TABLE)?;
    }
    let sql = "SELECT 1 FROM wayside_schema WHERE part = ?";
    if conn.exists(sql, args![part.apart_from])? {
        let says = "The log and its ledger must lie in two databases: who sets back the one must not set back the other.";
        return Err(Error::Said(Code::BadArguments, says.into()));
    }
    let sql = "INSERT INTO wayside_schema (part, version, oldest) VALUES (?, 0, 0) ON CONFLICT DO NOTHING";
    conn.execute(sql, args![part.name])?;
    conn.begin()?;
    let sql = "SELECT version, oldest FROM wayside_schema WHERE part = ? FOR UPDATE";
    let (version, oldest): (usize, usize) =
        conn.only(sql, args![part.name], |row| Ok((row.get(0)?, row.get(1)?)))?;
    if oldest > part.migrations.len() {
        return Err(Error::Newer);
    }
    for (number, (sql, oldest)) in part.migrations.iter().enumerate().skip(version) {
        conn.batch(sql)?;
        let noted = "UPDATE wayside_schema SET version = ?, oldest = ? WHERE part = ?";
        conn.execute(noted, args![number + 1, oldest, part.name])?;
    }
    conn.commit()
}

/// Refuses a server that acknowledges what is not on its disk yet. One of another make says nothing of it.
pub fn require_durable(conn: &Conn) -> Result<()> {
    for setting in ["fsync", "synchronous_commit"] {
        let value: Option<String> = match conn.one(&format!("SHOW {setting}"), &[], |row| row.get(0)) {
            Err(error) if conn.is_broken() => return Err(error),
            value => value.ok().flatten(),
        };
        if value.is_some_and(|value| value == "off") {
            let says =
                format!("The database runs with {setting} off: it would lose what it has acknowledged.");
            return Err(Error::Said(Code::StorageFailed, says));
        }
    }
    Ok(())
}
