//! The log: for each team the ordered sequence of accepted changes, and the few facts that cannot be
//! views (tablets, codes, quarantine). The one source of truth.
//!
//! One thread writes (`writer`), any number read. `append` is what happens to a batch inside the
//! commit; what is slow about admission happened before, in `crate::admission`.

mod answered;
mod append;
mod audit;
mod batch;
#[cfg(test)]
mod contract;
mod copy;
pub mod db;
mod desk;
mod ends;
mod enrol;
mod entries;
mod figures;
mod fleet;
mod job;
mod keeper;
mod quota;
mod read;
mod readers;
mod readmit;
mod recipient;
mod remote;
mod revoke;
mod schema;
mod seal;
mod team;
#[cfg(test)]
mod tests;
mod watcher;
mod writer;

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};
use rusqlite_migration::{M, Migrations};
use tokio::sync::watch;
use wayside_protocol::error::Code;
use wayside_protocol::record::RecordId;

pub use answered::{ANSWERED_MS, Before, Request, answered as note_answer, begin as begin_answer};
pub use append::{Source, append, append_unmoved};
pub use audit::{
    Audited, By, Fault, Head as AuditHead, Noted, Verified, audit, audit_all, audited, audited_by,
    audited_of, each_audited, head as audit_head, last_done, verify as verify_audit,
};
pub(crate) use copy::copy_all;
pub use db::Place;
pub use db::{Conn, ToValue, connections};
pub use desk::{
    CLAIM_MS, Claimed, claim, claims, desk_state, held_unseen, held_unseen_count, leave, note_held_seen,
};
use ends::Teller;
pub use ends::{End, Ends};
pub use enrol::{
    CODE_VALID_MS, Enrolment, Joining, LastContact, Tablet, Visit, enrol, held_by_tablet, join_tablet,
    last_contacts, make_code, tablet_by_key, tablets_of,
};
pub use entries::{
    Made, SERVER, enter, entries, erase_again, has_entries, hashes, is_erased, latest, named, off_tablets,
};
pub use figures::{Figures, figures};
pub use fleet::{Fellow, fleet, open_codes, rename_tablet};
pub use job::Txn;
pub use keeper::{
    Alarm, Keeper, RESTORE_WINDOW_MS, add_restore_point, alarm, alarms, keeper, know_ledger,
    last_restore_point, set_epoch, set_keeper, watermark,
};
pub use quota::{Quota, Quotas};
pub use read::{
    Part, Quarantined, Row, Standing, changes_of_all, each_pair, heads, known, part, quarantine,
    quarantine_code, record_changes, row_at, rows_after, signed_items, sum_at, touched,
};
pub use readmit::{Readmission, readmit};
pub use recipient::{
    Recipient, add_recipient, end_recipient, recipient_by_name, recipient_by_number, recipients,
};
pub use revoke::{is_held_back, key_of, left_by, note_ordered, refuse_held, renew, revoke, take_out, wake};
pub(crate) use schema::require_durable;
pub(crate) use seal::{seal, unseal};
pub use team::{
    Team, add_team, team_by_id, team_by_name, team_by_number, team_of, teams, teams_of, teams_of_held,
    teams_of_tablet,
};

use crate::error::{Error, Result};
use readers::{At, Pool, Readers};
use watcher::Watcher;
use writer::Writer;

const MIGRATIONS: &[M<'static>] = &[
    M::up(include_str!("../../migrations/log/1.sql")),
    M::up(include_str!("../../migrations/log/2_accounts.sql")),
    M::up(include_str!("../../migrations/log/3_restore.sql")),
    M::up(include_str!("../../migrations/log/4_archive.sql")),
    M::up(include_str!("../../migrations/log/5_login_position.sql")),
    M::up(include_str!("../../migrations/log/6_today.sql")),
    M::up(include_str!("../../migrations/log/7_tablets_say.sql")),
    M::up(include_str!("../../migrations/log/8_seal.sql")),
    M::up(include_str!("../../migrations/log/9_accounts.sql")),
    M::up(include_str!("../../migrations/log/10_revoked.sql")),
    M::up(include_str!("../../migrations/log/11_trail.sql")),
    M::up(include_str!("../../migrations/log/12_answered.sql")),
    M::up(include_str!("../../migrations/log/13_recipient.sql")),
    M::up(include_str!("../../migrations/log/14_quota.sql")),
];
/// The schema that this program writes; a backup of a later one is a newer program's.
pub const SCHEMA: usize = MIGRATIONS.len();

/// The same of a shared log.
pub(crate) const SHARED_SCHEMA: usize = schema::LOG.migrations.len();

/// How long one process waits for another's commit.
pub(crate) const BUSY: Duration = Duration::from_secs(30);
/// How often a journal is tried to be emptied, each time waiting for others.
const SCRUBS: u32 = 4;
/// How often others may be faster with a step of a new database.
const MEETINGS: u32 = 100;
const MEETING: Duration = Duration::from_millis(5);

/// A place in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    pub team: RecordId,
    pub epoch: [u8; 8],
    pub seq: u64,
}

pub struct Log {
    writer: Writer,
    readers: Readers,
    ends: Teller,
    /// Looks for what other nodes append.
    _watcher: Option<Watcher>,
    place: Option<Place>,
}

impl Log {
    /// Opens `DIR/log.db`, made or upgraded as needed. One of a newer version is refused.
    pub fn open(data: &Path) -> Result<Log> {
        let path = data.join("log.db");
        let connection = open_file(&path)?;
        let ends = Teller::begin(&connection)?;
        let writer = Writer::start(path.clone(), connection, ends.clone())?;
        let readers = Readers::new(At::File(path));
        Ok(Log { writer, readers, ends, _watcher: None, place: None })
    }

    /// Opens a log that nodes share, made or upgraded as needed. Refused where a newer program has narrowed the schema,
    /// and where the database does not promise that what it commits is on its disk. Blocks.
    pub fn open_shared(place: &Place) -> Result<Log> {
        let connection = open_place(place)?;
        let ends = Teller::begin(&connection)?;
        drop(connection);
        let writer = Writer::start_remote(place, &ends)?;
        let watcher = Watcher::start(place.clone(), ends.clone())?;
        let readers = Readers::new(At::Server(Box::new(place.clone())));
        Ok(Log { writer, readers, ends, _watcher: Some(watcher), place: Some(place.clone()) })
    }

    /// How the connections that read stand.
    pub(crate) fn pool(&self) -> Pool {
        self.readers.pool()
    }

    /// Whether other nodes may be over the same log.
    pub fn is_shared(&self) -> bool {
        self.place.is_some()
    }

    /// Why nothing can be written just now ([`Code::StorageFull`], [`Code::StorageFailed`]), while a disk fails: it is tried
    /// again every few seconds. `None` where all is well, and always over a shared log.
    pub fn failing(&self) -> Option<Code> {
        self.writer.failing()
    }

    /// Reads in one snapshot. Blocks: call it where blocking is allowed.
    pub fn read<T>(&self, work: impl FnOnce(&Conn) -> Result<T>) -> Result<T> {
        self.readers.read(work)
    }

    /// Writes to a shared log what may be lost with the database's server: what lies in memory where there is one node.
    /// Not in a transaction of the log. Blocks.
    pub(crate) fn jot<T>(&self, work: impl FnOnce(&Conn) -> Result<T>) -> Result<T> {
        self.readers.jot(work)
    }

    /// Runs `work` in a writer's next group, and returns when that is durable. It may run several times, and only the
    /// last counts. Blocks.
    pub fn write<T: Send + 'static>(
        &self,
        work: impl FnMut(&mut Txn) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.writer.write(None, work)
    }

    /// The same where the log was copied away and takes nothing else.
    pub(crate) fn write_sealed<T: Send + 'static>(
        &self,
        work: impl FnMut(&mut Txn) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.writer.write_sealed(work)
    }

    /// The same as [`Log::write`] for work on one team's log, which nobody else writes meanwhile: whatever appends to it or enters
    /// something.
    pub fn write_for<T: Send + 'static>(
        &self,
        team: RecordId,
        work: impl FnMut(&mut Txn) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.writer.write(Some(team), work)
    }

    /// Leaves `work` for the writer's next group. For what may be lost.
    pub fn post(&self, work: impl FnMut(&mut Txn) -> Result<()> + Send + 'static) {
        self.writer.post(work);
    }

    /// Notes that a tablet was here, and how far its estimate of the time was off. Kept in memory until the next
    /// commit, at most a minute: nobody waits for a disk because a tablet looked in.
    pub fn seen(&self, tablet: i64, visit: Visit) {
        self.writer.seen(tablet, visit);
    }

    /// Changes after every commit of this process, and soon after those of other nodes. Another process over the same
    /// file may append, too: [`Log::look_around`].
    pub fn watch(&self) -> watch::Receiver<Ends> {
        self.ends.watch()
    }

    /// Tells those who watch of what another process has appended. Blocks.
    pub fn look_around(&self) -> Result<()> {
        self.read(|conn| self.ends.look(conn))
    }
}

/// Brings the database of a shared ledger to the schema of this program.
pub(crate) fn upgrade_ledger(connection: &Conn) -> Result<()> {
    schema::upgrade(connection, schema::LEDGER)
}

/// A connection as every database here has it.
pub(crate) fn connect(path: &Path) -> Result<Connection> {
    let connection = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    connection.busy_timeout(BUSY)?;
    write_ahead(&connection)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    // What is erased is overwritten where it lay.
    connection.pragma_update(None, "secure_delete", true)?;
    connection.set_prepared_statement_cache_capacity(192);
    Ok(connection)
}

/// Nobody waits for this by himself where several processes meet a new file.
fn write_ahead(connection: &Connection) -> Result<()> {
    for _ in 0..MEETINGS {
        match connection.pragma_update(None, "journal_mode", "WAL") {
            Err(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseBusy) => {
                std::thread::sleep(MEETING);
            }
            result => return Ok(result?),
        }
    }
    Err(Error::Refused(Code::StorageFailed))
}

/// A connection of its own to the log in a file, made or upgraded as needed.
pub(crate) fn open_file(path: &Path) -> Result<Conn> {
    let mut connection = connect(path)?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    migrate(&mut connection, &Migrations::from_slice(MIGRATIONS))?;
    let conn = Conn::of_sqlite(connection);
    audit::begin_if_needed(&conn)?;
    Ok(conn)
}

/// The same to a shared one.
pub(crate) fn open_place(place: &Place) -> Result<Conn> {
    let connection = Conn::writer(place)?;
    schema::require_durable(&connection)?;
    schema::upgrade(&connection, schema::LOG)?;
    audit::begin_if_needed(&connection)?;
    Ok(connection)
}

/// Works on a log that nobody else has open, and leaves it one file, all of it on disk.
pub(crate) fn rework(path: &Path, work: impl FnOnce(&Conn) -> Result<()>) -> Result<()> {
    let mut connection = connect(path)?;
    migrate(&mut connection, &Migrations::from_slice(MIGRATIONS))?;
    let conn = Conn::of_sqlite(connection);
    conn.begin()?;
    work(&conn)?;
    conn.commit()?;
    let connection = conn.sqlite()?;
    // Nothing stays of what was erased on the way.
    connection.execute_batch("VACUUM")?;
    connection.pragma_update(None, "journal_mode", "DELETE")?;
    Ok(())
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
    for _ in 0..MEETINGS {
        match migrations.to_latest(connection) {
            // Several processes may meet a new database at once: of those that want the same step one takes it, and the
            // others look again.
            Err(rusqlite_migration::Error::RusqliteError { .. }) => {}
            result => return Ok(result?),
        }
    }
    Ok(migrations.to_latest(connection)?)
}
