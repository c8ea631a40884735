//! The tablet's database: SQLCipher, one file, every commit on disk before it is reported.
//!
//! `meta` holds what the tablet knows of itself, `records` the records and their views, `log` the team's log as
//! far as it is held here: places, what to offer, verdicts, what was pulled, `archive` what leaves, `staff` who may use
//! the screen.

pub mod archive;
pub mod index;
pub mod leave;
pub mod log;
pub mod meta;
pub mod records;
pub mod repair;
pub mod staff;
pub mod unsettled;

use std::{
    fs::{DirBuilder, File},
    io::{ErrorKind as IoError, Write},
    path::{Path, PathBuf},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use rusqlite::{Connection, ErrorCode, TransactionBehavior};
use rusqlite_migration::{M, Migrations};
use tokio::sync::watch;
use wayside_protocol::{error::Code, record::Hash};

use crate::{
    error::{Error, Result},
    key::Key,
};

const FILE: &str = "tablet.db";
/// Taken while a database is opened, so that two processes do not make it at once.
const OPENING: &str = "opening.lock";
/// Says when base's order to wipe was obeyed, until somebody has been told.
const WIPED: &str = "wiped";
/// Longer than any transaction of another process takes.
const BUSY: Duration = Duration::from_secs(30);

const STEPS: &[M<'_>] = &[
    M::up(include_str!("../../migrations/01-first.sql")),
    M::up(include_str!("../../migrations/02-staff.sql")),
    M::up(include_str!("../../migrations/03-find.sql")),
    M::up(include_str!("../../migrations/04-archive.sql")),
];
const MIGRATIONS: Migrations<'_> = Migrations::from_slice(STEPS);

pub struct Store {
    /// `None` once it is closed.
    conn: Mutex<Option<Connection>>,
    /// Counts what was committed in this run.
    changed: watch::Sender<u64>,
    dir: PathBuf,
    /// It was wiped as base ordered, by this process or another.
    wiped: AtomicBool,
}

impl Store {
    /// Whether there is a database in a directory, whatever its key.
    pub fn is_there(dir: &Path) -> bool {
        // What cannot be asked may be there: nobody then takes it for a new tablet.
        dir.join(FILE).try_exists().unwrap_or(true)
    }

    /// Whether a tablet in a directory was wiped as base ordered, and not opened since.
    pub fn was_wiped(dir: &Path) -> bool {
        dir.join(WIPED).is_file()
    }

    /// Opens the database in a directory, or makes both. A database that this key does not open is left as it is. One that
    /// was wiped as base ordered is a new one, in which staff are told so.
    pub fn open(dir: &Path, key: &Key) -> Result<Store> {
        let mut store = Store::open_file(dir, key)?;
        if store.read(|_| Ok(())).is_err_and(|error| error.code() == Code::TabletWiped) {
            // The program ended in the middle of it.
            store.remove_files()?;
            store = Store::open_file(dir, key)?;
        }
        let marker = dir.join(WIPED);
        if let Ok(at) = std::fs::read_to_string(&marker) {
            store.write(|conn| meta::add_notice(conn, Code::TabletWiped.as_str(), at.trim()))?;
            std::fs::remove_file(marker).map_err(Error::Directory)?;
        }
        Ok(store)
    }

    fn open_file(dir: &Path, key: &Key) -> Result<Store> {
        make_private(dir).map_err(Error::Directory)?;
        let opening = File::create(dir.join(OPENING)).map_err(Error::Directory)?;
        opening.lock().map_err(Error::Directory)?;
        let mut conn = Connection::open(dir.join(FILE))?;
        // SQLCipher would write to standard error, which is not ours.
        conn.execute_batch("PRAGMA cipher_log_level = NONE;")?;
        // A raw key: no derivation, it is random already.
        conn.execute_batch(&format!("PRAGMA key = \"x'{}'\";", key.to_hex()))?;
        conn.busy_timeout(BUSY)?;
        conn.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(())).map_err(wrong_key)?;
        // 16 MB of pages at most: each that is read again costs its decryption.
        conn.execute_batch(
            "PRAGMA journal_mode = WAL;
             PRAGMA synchronous = FULL;
             PRAGMA fullfsync = ON;
             PRAGMA checkpoint_fullfsync = ON;
             PRAGMA temp_store = MEMORY;
             PRAGMA secure_delete = ON;
             PRAGMA cache_size = -16384;
             PRAGMA cipher_memory_security = OFF;",
        )?;
        MIGRATIONS.to_latest(&mut conn).map_err(|error| match error {
            rusqlite_migration::Error::MigrationDefinition(_) => Error::Failed(Code::StorageNewer),
            rusqlite_migration::Error::RusqliteError { err, .. } => Error::Storage(err),
            _ => Error::Failed(Code::StorageFailed),
        })?;
        conn.execute_batch("PRAGMA foreign_keys = ON;")?;
        conn.set_prepared_statement_cache_capacity(64);
        Ok(Store {
            conn: Mutex::new(Some(conn)),
            changed: watch::channel(0).0,
            dir: dir.to_owned(),
            wiped: AtomicBool::new(false),
        })
    }

    /// Everything in `f` or nothing of it; on disk when this returns.
    pub fn write<T>(&self, f: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        let mut conn = self.conn.lock().unwrap_or_else(PoisonError::into_inner);
        let conn = conn.as_mut().ok_or_else(|| self.gone())?;
        let transaction = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        self.still_there(&transaction)?;
        let done = f(&transaction)?;
        transaction.commit()?;
        self.touch();
        Ok(done)
    }

    /// Empties the log of what was written, after something was deleted for good: earlier states of it stand there.
    pub fn forget_written(&self) -> Result<()> {
        let conn = self.conn.lock().unwrap_or_else(PoisonError::into_inner);
        let conn = conn.as_ref().ok_or_else(|| self.gone())?;
        // While another process reads it stays, and goes with the next one.
        Ok(conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?)
    }

    /// Several reads of one moment.
    pub fn read<T>(&self, f: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        let mut conn = self.conn.lock().unwrap_or_else(PoisonError::into_inner);
        let conn = conn.as_mut().ok_or_else(|| self.gone())?;
        let transaction = conn.transaction_with_behavior(TransactionBehavior::Deferred)?;
        self.still_there(&transaction)?;
        f(&transaction)
    }

    /// Why it is closed.
    fn gone(&self) -> Code {
        if self.is_wiped() { Code::TabletWiped } else { Code::TabletLocked }
    }

    pub fn is_wiped(&self) -> bool {
        self.wiped.load(Ordering::Acquire)
    }

    /// Another process may have wiped the tablet: what this one still has open is a file without a name.
    fn still_there(&self, conn: &Connection) -> Result<()> {
        if meta::get::<String>(conn, meta::WIPED)?.is_none() {
            return Ok(());
        }
        self.wiped.store(true, Ordering::Release);
        Err(Error::Failed(Code::TabletWiped))
    }

    /// Closes the database after the call that is under way. Every later one fails with [`Code::TabletLocked`].
    pub fn close(&self) {
        self.conn.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.touch();
    }

    /// As [`Store::close`] with its files deleted, unless `refuse` finds a reason not to.
    pub fn delete(&self, refuse: impl FnOnce(&Connection) -> Result<()>) -> Result<()> {
        let mut conn = self.conn.lock().unwrap_or_else(PoisonError::into_inner);
        refuse(conn.as_ref().ok_or_else(|| self.gone())?)?;
        drop(conn.take());
        self.touch();
        remove(&self.dir, &FILES)
    }

    /// Deletes everything because base orders it, unless something is left to hand over: then nothing happens, and this is
    /// false. From the moment on at which nothing is, no process records here any more.
    pub fn wipe(&self, at: &str) -> Result<bool> {
        let obeyed = self.write(|conn| {
            let obeys = !leave::is_anything_unsent(conn, None)?;
            if obeys {
                meta::set(conn, meta::WIPED, at)?;
            }
            Ok(obeys)
        })?;
        if obeyed {
            self.remove_files()?;
        }
        Ok(obeyed)
    }

    /// The rest of a wipe: it may have been begun by a program that ended in the middle.
    fn remove_files(&self) -> Result<()> {
        self.wiped.store(true, Ordering::Release);
        let mut conn = self.conn.lock().unwrap_or_else(PoisonError::into_inner);
        let at: String = match conn.as_ref() {
            Some(conn) => meta::get(conn, meta::WIPED)?.unwrap_or_default(),
            None => return Ok(()),
        };
        drop(conn.take());
        self.touch();
        let mut marker = File::create(self.dir.join(WIPED)).map_err(Error::Directory)?;
        marker.write_all(at.as_bytes()).and_then(|()| marker.sync_all()).map_err(Error::Directory)?;
        remove(&self.dir, &FILES)?;
        #[cfg(unix)]
        File::open(&self.dir).and_then(|dir| dir.sync_all()).map_err(Error::Directory)?;
        Ok(())
    }

    /// Changes whenever something was committed by this process, or anything else that people see of the tablet.
    pub fn changed(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// Something that people see has changed, and it is not in the database.
    pub fn touch(&self) {
        self.changed.send_modify(|changed| *changed += 1);
    }
}

/// Everything that a tablet keeps in its directory but for the file that is locked while it syncs.
const FILES: [&str; 4] = [FILE, "tablet.db-wal", "tablet.db-shm", OPENING];

fn remove(dir: &Path, names: &[&str]) -> Result<()> {
    for name in names {
        match std::fs::remove_file(dir.join(name)) {
            Err(error) if error.kind() != IoError::NotFound => return Err(Error::Directory(error)),
            _ => {}
        }
    }
    Ok(())
}

fn wrong_key(error: rusqlite::Error) -> Error {
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => Error::Failed(Code::WrongKey),
        _ => Error::Storage(error),
    }
}

/// Makes the directory, for this user only. One that is there already is its owner's business: it may hold more.
fn make_private(dir: &Path) -> std::io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir)
}

/// Hashes as they are stored: one after the other.
pub fn join_hashes(hashes: &[Hash]) -> Vec<u8> {
    hashes.concat()
}

pub fn split_hashes(bytes: &[u8]) -> Vec<Hash> {
    bytes.as_chunks::<32>().0.to_vec()
}
