//! The log: for each team the ordered sequence of accepted changes, and the few facts that cannot be
//! views (tablets, codes, quarantine). The one source of truth.
//!
//! One thread writes (`writer`), any number read. `append` is what happens to a batch inside the
//! commit; what is slow about admission happened before, in `crate::admission`.

mod append;
mod audit;
mod enrol;
mod entries;
mod keeper;
mod read;
mod readmit;
mod team;
#[cfg(test)]
mod tests;
mod writer;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, TransactionBehavior};
use rusqlite_migration::{M, Migrations};
use tokio::sync::watch;
use wayside_protocol::error::Code;
use wayside_protocol::record::RecordId;

pub use append::{Source, append, unmoved};
pub use audit::{Audited, audit, audited, last_done};
pub use enrol::{Enrolment, Joining, Tablet, enrol, join_tablet, make_code, tablet_by_key, tablets_of};
pub use entries::{
    Made, SERVER, enter, entries, erase_again, has_entries, hashes, is_erased, latest, named, off_tablets,
};
pub use keeper::{
    Alarm, Keeper, RESTORE_WINDOW_MS, add_restore_point, alarm, alarms, keeper, know_ledger, set_epoch,
    set_keeper, watermark,
};
pub use read::{
    Quarantined, Row, Standing, heads, known, quarantine, quarantine_code, record_changes, row_at,
    rows_after, signed_items, sum_at, touched,
};
pub use readmit::{Readmission, readmit};
pub use team::{Team, add_team, team_by_id, team_by_name, team_by_number, teams, teams_of};
pub use writer::Txn;

use crate::error::{Error, Result};
use writer::Writer;

const MIGRATIONS: &[M<'static>] = &[
    M::up(include_str!("../../migrations/log/1.sql")),
    M::up(include_str!("../../migrations/log/2_accounts.sql")),
    M::up(include_str!("../../migrations/log/3_restore.sql")),
    M::up(include_str!("../../migrations/log/4_archive.sql")),
];
/// The schema that this program writes; a backup of a later one is a newer program's.
pub const SCHEMA: usize = MIGRATIONS.len();

/// How long one process waits for another's commit.
pub(crate) const BUSY: Duration = Duration::from_secs(30);
/// Idle read connections that are kept: opening one costs more than judging a frame. As many as there are requests
/// at once.
const KEPT_READERS: usize = 64;
/// What each of them keeps of the file, in kilobytes; the operating system keeps the rest.
const READER_CACHE: i64 = 512;
/// How often a journal is tried to be emptied, each time waiting for others.
const SCRUBS: u32 = 4;

/// The last sequence number of each team.
pub type Heads = BTreeMap<RecordId, u64>;

pub struct Log {
    path: PathBuf,
    writer: Writer,
    readers: Mutex<Vec<Connection>>,
    heads: watch::Receiver<Heads>,
}

impl Log {
    /// Opens `DIR/log.db`, made or upgraded as needed. One of a newer version is refused.
    pub fn open(data: &Path) -> Result<Log> {
        let path = data.join("log.db");
        let mut connection = connect(&path)?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        migrate(&mut connection, &Migrations::from_slice(MIGRATIONS))?;
        let (sender, heads) = watch::channel(heads_of(&connection)?);
        let writer = Writer::start(connection, sender)?;
        Ok(Log { path, writer, readers: Mutex::default(), heads })
    }

    /// Reads in one snapshot. Blocks: call it where blocking is allowed.
    pub fn read<T>(&self, work: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        let pooled = self.readers.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut connection = match pooled {
            Some(connection) => connection,
            None => {
                let connection = connect(&self.path)?;
                connection.pragma_update(None, "query_only", true)?;
                connection.pragma_update(None, "cache_size", -READER_CACHE)?;
                connection
            }
        };
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Deferred)?;
        let result = work(&transaction);
        transaction.finish()?;
        let mut readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        if readers.len() < KEPT_READERS {
            readers.push(connection);
        }
        result
    }

    /// Runs `work` in the writer's next group, and returns when that is durable. Blocks.
    pub fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Txn) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.writer.write(work)
    }

    /// Leaves `work` for the writer's next group. For what may be lost.
    pub fn post(&self, work: impl FnOnce(&mut Txn) -> Result<()> + Send + 'static) {
        self.writer.post(work);
    }

    /// Notes that a tablet was here, and how far its estimate of the time was off. Kept in memory until the next
    /// commit, at most a minute: nobody waits for a disk because a tablet looked in.
    pub fn seen(&self, tablet: i64, now_ms: u64, skew_ms: i64) {
        self.writer.seen(tablet, now_ms, skew_ms);
    }

    /// Changes after every commit of this process. Another process may append too: poll as well.
    pub fn watch(&self) -> watch::Receiver<Heads> {
        self.heads.clone()
    }
}

fn heads_of(connection: &Connection) -> Result<Heads> {
    Ok(heads(connection)?.into_iter().map(|(team, _, head)| (team, head)).collect())
}

/// A connection as every database here has it.
pub(crate) fn connect(path: &Path) -> Result<Connection> {
    let connection = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    connection.busy_timeout(BUSY)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    // What is erased is overwritten where it lay.
    connection.pragma_update(None, "secure_delete", true)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

/// Works on a log that nobody else has open, and leaves it one file, all of it on disk.
pub(crate) fn rework(path: &Path, work: impl FnOnce(&mut Connection) -> Result<()>) -> Result<()> {
    let mut connection = connect(path)?;
    migrate(&mut connection, &Migrations::from_slice(MIGRATIONS))?;
    work(&mut connection)?;
    // Nothing stays of what was erased on the way.
    connection.execute_batch("VACUUM")?;
    connection.pragma_update(None, "journal_mode", "DELETE")?;
    Ok(connection.close().map_err(|(_, error)| error)?)
}

/// Writes a database anew, so that no page of it holds anything that was deleted, and empties its journal. `secure_delete`
/// alone leaves copies behind where pages were rearranged. Others wait for it. Blocks.
pub(crate) fn scrub(path: &Path) -> Result<()> {
    let connection = connect(path)?;
    connection.execute_batch("VACUUM")?;
    // Whoever reads in the middle of it keeps the journal: they are soon done.
    for _ in 0..SCRUBS {
        let busy: bool = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
        if !busy {
            return Ok(());
        }
    }
    Err(Error::Refused(Code::StorageFailed))
}

pub(crate) fn migrate(connection: &mut Connection, migrations: &Migrations) -> Result<()> {
    match migrations.to_latest(connection) {
        // Two processes may meet a new database at once: the one that came second looks again.
        Err(rusqlite_migration::Error::RusqliteError { .. }) => Ok(migrations.to_latest(connection)?),
        result => Ok(result?),
    }
}
