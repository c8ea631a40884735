//! What a restore must not undo, in `DIR/keys/ledger.db`: outside the backups, append-only, and small enough to be
//! copied with the keys. Nodes that share a log share a ledger in a database of its own.
//!
//! Whoever changes such a fact appends it here first, inside the log's transaction, and the log notes how far it
//! knows the ledger. So a log that was set back to an older copy gives itself away when it is opened, and the
//! entries that it does not know are done again before anything is served.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use data_encoding::HEXLOWER;
use rusqlite::{Connection, OpenFlags};
use rusqlite_migration::{M, Migrations};
use serde::{Deserialize, Serialize};
use wayside_protocol::error::Code;
use wayside_protocol::record::RecordId;

use crate::error::{Error, Result};
use crate::log::db::{Conn, Place, args};
use crate::log::{self, BUSY, Noted};
use crate::random::random;

const FILE: &str = "ledger.db";
const MIGRATIONS: &[M<'static>] = &[
    M::up(include_str!("../migrations/ledger/1.sql")),
    M::up(include_str!("../migrations/ledger/3_trail.sql")),
];

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
    /// A program's token (its SHA-256) may not be used any more.
    TokenRevoked { digest: String },
    /// A tablet may not sync any more.
    Revoked { tablet: String },
    /// A tablet goes by another key now.
    Renewed { tablet: String, key: String },
    /// A tablet was taken out of a team. It may join it again by another code, and be taken out again: so it says when,
    /// in milliseconds since 1970.
    TeamLeft {
        tablet: String,
        team: RecordId,
        #[serde(default)]
        at: u64,
    },
    /// A record was erased.
    Erased { record: RecordId },
}

enum At {
    /// Beside the keys of this data directory.
    File(PathBuf),
    /// Where nodes share it.
    Server(Box<Place>),
}

impl At {
    fn connect(&self) -> Result<Conn> {
        match self {
            At::File(data) => Ledger::file(data),
            At::Server(place) => Ledger::shared(place),
        }
    }
}

pub struct Ledger {
    connection: Mutex<Conn>,
    at: At,
    /// Random, made with it.
    pub id: [u8; 16],
}

impl Ledger {
    /// Whether there is one beside the keys.
    pub fn exists(data: &Path) -> bool {
        data.join("keys").join(FILE).is_file()
    }

    /// Opens the ledger beside the keys, made if it is missing: ask [`Ledger::exists`] first where it must not be.
    pub fn open(data: &Path) -> Result<Ledger> {
        Ledger::of(At::File(data.to_owned()))
    }

    fn file(data: &Path) -> Result<Conn> {
        let path = data.join("keys").join(FILE);
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = Connection::open_with_flags(&path, flags)?;
        connection.busy_timeout(BUSY)?;
        // One file, so that whoever copies the keys has all of it.
        connection.pragma_update(None, "journal_mode", "DELETE")?;
        // With FULL a power cut may bring the journal back, and take the last entry away again.
        connection.pragma_update(None, "synchronous", "EXTRA")?;
        connection.pragma_update(None, "trusted_schema", false)?;
        log::migrate(&mut connection, &Migrations::from_slice(MIGRATIONS))?;
        Ok(Conn::of_sqlite(connection))
    }

    /// Opens one that nodes share, made if it is missing, in another database than the log: neither is ever set back with
    /// the other. Blocks.
    pub fn open_shared(place: &Place) -> Result<Ledger> {
        Ledger::of(At::Server(Box::new(place.clone())))
    }

    fn shared(place: &Place) -> Result<Conn> {
        let connection = Conn::writer(place)?;
        log::require_durable(&connection)?;
        log::upgrade_ledger(&connection)?;
        Ok(connection)
    }

    /// Copies it beside the keys of another data directory. What is there already must be its beginning. Blocks.
    pub fn copy_beside_keys(&self, data: &Path) -> Result<()> {
        self.copy_into(&Ledger::file(data)?)
    }

    /// Copies it into a shared database, likewise. Blocks.
    pub fn copy_to(&self, place: &Place) -> Result<()> {
        self.copy_into(&Ledger::shared(place)?)
    }

    fn copy_into(&self, to: &Conn) -> Result<()> {
        let held = self.connection()?.all("SELECT n, at, body FROM entry ORDER BY n", &[], |row| {
            Ok((row.get::<u64>(0)?, row.get::<u64>(1)?, row.get::<String>(2)?))
        })?;
        let sql = "SELECT n, at, place, hash, restored FROM trail ORDER BY n";
        let trail = self.connection()?.all(sql, &[], |row| {
            let noted = (row.get::<u64>(2)?, row.get::<[u8; 32]>(3)?, row.get::<u8>(4)?);
            Ok((row.get::<u64>(0)?, row.get::<u64>(1)?, noted.0, noted.1, noted.2))
        })?;
        to.alone(|to| {
            let sql = "INSERT INTO ledger (one, id) VALUES (1, ?) ON CONFLICT DO NOTHING";
            to.execute(sql, args![self.id])?;
            for (n, at, body) in &held {
                let sql = "INSERT INTO entry (n, at, body) VALUES (?, ?, ?) ON CONFLICT DO NOTHING";
                to.execute(sql, args![n, at, body])?;
            }
            for (n, at, place, hash, restored) in &trail {
                let sql = "INSERT INTO trail (n, at, place, hash, restored) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING";
                to.execute(sql, args![n, at, place, hash, restored])?;
            }
            let id: [u8; 16] = to.only("SELECT id FROM ledger", &[], |row| row.get(0))?;
            let copied = to.all("SELECT n, body FROM entry ORDER BY n", &[], |row| {
                Ok((row.get::<u64>(0)?, row.get::<String>(1)?))
            })?;
            let same = held.into_iter().map(|(n, _, body)| (n, body)).eq(copied);
            if same && id == self.id { Ok(()) } else { Err(Error::Refused(Code::DataNotEmpty)) }
        })
    }

    fn of(at: At) -> Result<Ledger> {
        let connection = at.connect()?;
        let sql = "INSERT INTO ledger (one, id) VALUES (1, ?) ON CONFLICT DO NOTHING";
        connection.execute(sql, args![random::<[u8; 16]>()])?;
        let id = connection.only("SELECT id FROM ledger", &[], |row| row.get(0))?;
        Ok(Ledger { connection: Mutex::new(connection), at, id })
    }

    /// The connection, a new one where the last was lost.
    fn connection(&self) -> Result<MutexGuard<'_, Conn>> {
        let mut connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        if connection.is_broken() {
            *connection = self.at.connect()?;
        }
        Ok(connection)
    }

    /// Appends a fact, once; on disk when this returns. Returns its number.
    pub fn append(&self, entry: &Entry, now_ms: u64) -> Result<u64> {
        let body = serde_json::to_string(entry).map_err(|_| Error::Internal("a ledger entry"))?;
        let connection = self.connection()?;
        connection.alone(|connection| {
            // Numbered one after the other: whoever reads on from a number must not miss one that comes late.
            connection.lock("ledger")?;
            let sql =
                "INSERT INTO entry (n, at, body) SELECT coalesce(max(n), 0) + 1, ?1, ?2 FROM entry WHERE true
                       ON CONFLICT (body) DO NOTHING";
            connection.execute(sql, args![now_ms, body])?;
            connection.only("SELECT n FROM entry WHERE body = ?", args![body], |row| row.get(0))
        })
    }

    /// Appends a fact inside the transaction of the log that does what it says, as its last step. The log then knows the
    /// ledger up to that fact, unless there are others before it which it does not know: should a log not commit what it
    /// has noted here, it finds out when it is opened next.
    pub fn note(&self, log: &Conn, entry: &Entry, now_ms: u64) -> Result<()> {
        log.lock("keeper")?;
        let known = log::keeper(log)?.map(|keeper| keeper.position);
        let n = self.append(entry, now_ms)?;
        if known.is_some_and(|known| n == known + 1) {
            log::know_ledger(log, n)?;
        }
        Ok(())
    }

    /// Notes where the audit trail of the log ends, as it was committed. `restored`: the log was restored, and its trail
    /// goes on from there. No entry: a log that lacks rows of the trail alone is not one that was set back.
    pub fn note_trail(&self, noted: &Noted, now_ms: u64) -> Result<()> {
        let Noted { head, restored } = noted;
        self.connection()?.alone(|connection| {
            connection.lock("ledger")?;
            let sql = "INSERT INTO trail (n, at, place, hash, restored)
                       SELECT coalesce(max(n), 0) + 1, ?1, ?2, ?3, ?4 FROM trail";
            connection.execute(sql, args![now_ms, head.place, head.hash, u8::from(*restored)]).map(drop)
        })
    }

    /// What was noted of the audit trail, oldest first.
    pub fn trail(&self) -> Result<Vec<Noted>> {
        self.connection()?.all("SELECT place, hash, restored FROM trail ORDER BY n", &[], |row| {
            Ok(Noted {
                head: log::AuditHead { place: row.get(0)?, hash: row.get(1)? },
                restored: row.get(2)?,
            })
        })
    }

    /// The number of the last entry.
    pub fn position(&self) -> Result<u64> {
        let sql = "SELECT coalesce(max(n), 0) FROM entry";
        self.connection()?.only(sql, &[], |row| row.get(0))
    }

    /// The entries after a position, in order.
    pub fn after(&self, position: u64) -> Result<Vec<Entry>> {
        self.connection()?.all("SELECT body FROM entry WHERE n > ? ORDER BY n", args![position], |row| {
            serde_json::from_str(&row.get::<String>(0)?).map_err(|_| Error::Newer)
        })
    }
}

impl Drop for Ledger {
    /// A client of PostgreSQL says goodbye, which blocks: wherever the ledger is dropped.
    fn drop(&mut self) {
        if matches!(self.at, At::File(_)) {
            return;
        }
        let Ok(nothing) = Connection::open_in_memory() else { return };
        let connection = self.connection.get_mut().unwrap_or_else(PoisonError::into_inner);
        let held = std::mem::replace(connection, Conn::of_sqlite(nothing));
        let _ = std::thread::spawn(move || drop(held)).join();
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
            assert!(ledger.connection().unwrap().execute(sql, &[]).is_err(), "{sql}");
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
        ledger.connection().unwrap().execute(sql, &[]).unwrap();
        assert!(matches!(ledger.after(0), Err(Error::Newer)));
    }
}
