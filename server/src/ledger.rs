//! What a restore must not undo, in `DIR/keys/ledger.db`: outside the backups, append-only, and small enough to be
//! copied with the keys.
//!
//! Whoever changes such a fact appends it here first, inside the log's transaction, and the log notes how far it
//! knows the ledger. So a log that was set back to an older copy gives itself away when it is opened, and the
//! entries that it does not know are done again before anything is served.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use data_encoding::HEXLOWER;
use rusqlite::{Connection, OpenFlags};
use rusqlite_migration::{M, Migrations};
use serde::{Deserialize, Serialize};
use wayside_protocol::error::Code;
use wayside_protocol::record::RecordId;

use crate::error::{Error, Result};
use crate::log::{self, BUSY};

const FILE: &str = "ledger.db";
const MIGRATIONS: &[M<'static>] = &[M::up(include_str!("../migrations/ledger/1.sql"))];

/// One fact. Keys, codes and epochs are in hexadecimal. A ledger that holds a kind of entry this program does not
/// know is a newer program's, and is refused: the entry may be an erasure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Entry {
    /// A team was added.
    Team { team: RecordId, name: String },
    /// A tablet used up a code (SHA-256 of its secret) and joined a team.
    Enrolled { code: String, tablet: String, name: String, team: RecordId },
    /// A team's log was given a new epoch.
    Epoch { team: RecordId, epoch: String },
    /// An account may not sign in any more.
    AccountDisabled { name: String },
    /// A tablet may not sync any more.
    Revoked { tablet: String },
    /// A tablet left a team.
    TeamLeft { tablet: String, team: RecordId },
    /// A record was erased.
    Erased { record: RecordId },
}

pub struct Ledger {
    connection: Mutex<Connection>,
    /// Random, made with the file.
    pub id: [u8; 16],
}

impl Ledger {
    /// Whether there is one beside the keys.
    pub fn exists(data: &Path) -> bool {
        data.join("keys").join(FILE).is_file()
    }

    /// Opens the ledger beside the keys, made if it is missing: ask [`Ledger::exists`] first where it must not be.
    pub fn open(data: &Path) -> Result<Ledger> {
        let path = data.join("keys").join(FILE);
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = Connection::open_with_flags(&path, flags)?;
        connection.busy_timeout(BUSY)?;
        // One file, so that whoever copies the keys has all of it.
        connection.pragma_update(None, "journal_mode", "DELETE")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "trusted_schema", false)?;
        log::migrate(&mut connection, &Migrations::from_slice(MIGRATIONS))?;
        connection
            .execute("INSERT OR IGNORE INTO ledger (one, id) VALUES (1, ?)", [rand::random::<[u8; 16]>()])?;
        let id = connection.query_row("SELECT id FROM ledger", [], |row| row.get(0))?;
        Ok(Ledger { connection: Mutex::new(connection), id })
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Appends a fact, once; on disk when this returns.
    pub fn append(&self, entry: &Entry, now_ms: u64) -> Result<()> {
        let body = serde_json::to_string(entry).map_err(|_| Error::Internal("a ledger entry"))?;
        self.connection().execute("INSERT OR IGNORE INTO entry (at, body) VALUES (?, ?)", (now_ms, body))?;
        Ok(())
    }

    /// Appends a fact inside the transaction of the log that does what it says, as its last step: should the log
    /// not commit, it finds out when it is opened next.
    pub fn note(&self, log: &Connection, entry: &Entry, now_ms: u64) -> Result<()> {
        self.append(entry, now_ms)?;
        log::know_ledger(log, self.position()?)
    }

    /// The number of the last entry.
    pub fn position(&self) -> Result<u64> {
        let sql = "SELECT coalesce(max(n), 0) FROM entry";
        Ok(self.connection().query_row(sql, [], |row| row.get(0))?)
    }

    /// The entries after a position, in order.
    pub fn after(&self, position: u64) -> Result<Vec<Entry>> {
        let connection = self.connection();
        let mut statement = connection.prepare("SELECT body FROM entry WHERE n > ? ORDER BY n")?;
        let bodies = statement.query_map([position], |row| row.get::<_, String>(0))?;
        bodies.map(|body| serde_json::from_str(&body?).map_err(|_| Error::Newer)).collect()
    }
}

/// Bytes as entries hold them.
pub fn hex(bytes: &[u8]) -> String {
    HEXLOWER.encode(bytes)
}

/// Bytes that an entry holds; one that holds others was not written by us.
pub fn bytes<const N: usize>(hex: &str) -> Result<[u8; N]> {
    let bytes = HEXLOWER.decode(hex.as_bytes()).ok().and_then(|bytes| bytes.try_into().ok());
    bytes.ok_or(Error::Refused(Code::LedgerMissing))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_are_appended_once_and_never_changed() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("keys")).unwrap();
        assert!(!Ledger::exists(dir.path()));
        let ledger = Ledger::open(dir.path()).unwrap();
        let team = RecordId::from_bytes([7; 16]);
        let added = Entry::Team { team, name: "North".into() };
        let epoch = Entry::Epoch { team, epoch: hex(&[1; 8]) };
        for entry in [&added, &epoch, &added] {
            ledger.append(entry, 1).unwrap();
        }
        assert_eq!(ledger.position().unwrap(), 2, "each once");
        for sql in ["UPDATE entry SET at = 9", "DELETE FROM entry", "UPDATE ledger SET id = zeroblob(16)"] {
            assert!(ledger.connection().execute(sql, []).is_err(), "{sql}");
        }
        let again = Ledger::open(dir.path()).unwrap();
        assert!(Ledger::exists(dir.path()));
        assert_eq!((again.id, again.after(0).unwrap()), (ledger.id, vec![added, epoch.clone()]));
        assert_eq!(again.after(1).unwrap(), vec![epoch]);
    }

    #[test]
    fn an_entry_of_a_newer_program_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("keys")).unwrap();
        let ledger = Ledger::open(dir.path()).unwrap();
        let sql = r#"INSERT INTO entry (at, body) VALUES (1, '{"kind":"burnt","record":"x"}')"#;
        ledger.connection().execute(sql, []).unwrap();
        assert!(matches!(ledger.after(0), Err(Error::Newer)));
    }
}
