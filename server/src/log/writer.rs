//! The one writer: a thread that owns the write connection and commits for many at once.
//!
//! An fsync costs the same for one change as for a thousand. So what is queued while one group commits
//! becomes the next group: one transaction, a savepoint for each job so that one that fails takes
//! nothing with it, one commit, and only then the answers.
//!
//! That a tablet was here is no reason for a commit of its own: it is written with the next one, or after a
//! minute.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::watch;
use wayside_protocol::{error::Code, record::RecordId};

use super::Heads;
use crate::error::{Error, Result};

/// Jobs that wait for the writer; whoever comes later waits outside.
const QUEUE: usize = 256;
/// Jobs in one transaction, so that nobody waits long for a commit.
const GROUP: usize = 128;

/// How long what is only noted waits for a commit to go along with.
const NOTED: Duration = Duration::from_secs(60);

/// Which tablets were here and how far their estimates of the time were off, by number.
#[derive(Default)]
struct Seen(Mutex<HashMap<i64, (u64, i64)>>);

impl Seen {
    fn take(&self) -> HashMap<i64, (u64, i64)> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn write(&self, connection: &Connection) -> Result<()> {
        for (tablet, (now_ms, skew_ms)) in self.take() {
            super::enrol::write_seen(connection, tablet, now_ms, skew_ms)?;
        }
        Ok(())
    }
}

/// The transaction that a job runs in.
pub struct Txn<'a> {
    pub conn: &'a Connection,
    moved: &'a mut Vec<(RecordId, u64)>,
}

impl Txn<'_> {
    /// Tells those who watch, once it is committed, that a team's log now ends at `head`.
    pub fn moved(&mut self, team: RecordId, head: u64) {
        self.moved.push((team, head));
    }
}

trait Job: Send {
    /// Whether its savepoint is to be kept.
    fn run(&mut self, txn: &mut Txn) -> bool;
    fn answer(self: Box<Self>, committed: bool);
}

struct Typed<W, T> {
    work: Option<W>,
    result: Result<T>,
    reply: SyncSender<Result<T>>,
}

impl<T: Send, W: FnOnce(&mut Txn) -> Result<T> + Send> Job for Typed<W, T> {
    fn run(&mut self, txn: &mut Txn) -> bool {
        if let Some(work) = self.work.take() {
            self.result = catch_unwind(AssertUnwindSafe(|| work(txn)))
                .unwrap_or(Err(Error::Internal("a panic inside the commit")));
        }
        self.result.is_ok()
    }

    fn answer(self: Box<Self>, committed: bool) {
        let result = if committed { self.result } else { self.result.and(Err(Error::Commit)) };
        // Nobody there any more: a link was cut. What was committed stays.
        let _ = self.reply.send(result);
    }
}

pub struct Writer {
    /// `None` once it is closed.
    jobs: Option<SyncSender<Box<dyn Job>>>,
    thread: Option<JoinHandle<()>>,
    seen: Arc<Seen>,
}

impl Writer {
    pub fn start(connection: Connection, heads: watch::Sender<Heads>) -> Result<Writer> {
        let (jobs, queue) = sync_channel(QUEUE);
        let seen = Arc::<Seen>::default();
        let noted = seen.clone();
        let thread = thread::Builder::new()
            .name("log writer".into())
            .spawn(move || run(&connection, &queue, &heads, &noted))
            .map_err(|error| Error::File("log writer", error))?;
        Ok(Writer { jobs: Some(jobs), thread: Some(thread), seen })
    }

    /// Notes that a tablet was here.
    pub fn seen(&self, tablet: i64, now_ms: u64, skew_ms: i64) {
        let mut seen = self.seen.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.insert(tablet, (now_ms, skew_ms));
    }

    pub fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Txn) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (reply, answer) = sync_channel(1);
        let job = Typed { work: Some(work), result: Err(Error::Commit), reply };
        let jobs = self.jobs.as_ref().ok_or(Code::ServerFailed)?;
        jobs.send(Box::new(job)).map_err(|_| Code::ServerFailed)?;
        answer.recv().map_err(|_| Code::ServerFailed)?
    }

    pub fn post(&self, work: impl FnOnce(&mut Txn) -> Result<()> + Send + 'static) {
        let (reply, _) = sync_channel(1);
        let job = Typed { work: Some(work), result: Err(Error::Commit), reply };
        if let Some(jobs) = &self.jobs {
            let _ = jobs.try_send(Box::new(job));
        }
    }
}

impl Drop for Writer {
    /// Finishes what is queued.
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn run(connection: &Connection, queue: &Receiver<Box<dyn Job>>, heads: &watch::Sender<Heads>, seen: &Seen) {
    loop {
        match queue.recv_timeout(NOTED) {
            Ok(first) => commit(connection, first, queue, heads, seen),
            Err(RecvTimeoutError::Timeout) => note(connection, seen),
            Err(RecvTimeoutError::Disconnected) => return note(connection, seen),
        }
    }
}

fn commit(
    connection: &Connection,
    first: Box<dyn Job>,
    queue: &Receiver<Box<dyn Job>>,
    heads: &watch::Sender<Heads>,
    seen: &Seen,
) {
    let mut moved = Vec::new();
    let mut done: Vec<Box<dyn Job>> = Vec::new();
    let committed = group(connection, first, queue, &mut done, &mut moved, seen);
    if let Err(error) = &committed {
        tracing::error!(code = %error.code(), detail = error.detail(), jobs = done.len(), "commit failed");
        if !connection.is_autocommit() {
            let _ = connection.execute_batch("ROLLBACK");
        }
    } else if !moved.is_empty() {
        heads.send_modify(|heads| heads.extend(moved));
    }
    for job in done {
        job.answer(committed.is_ok());
    }
}

/// Writes what is noted, where nothing else has been committed for a while.
fn note(connection: &Connection, seen: &Seen) {
    if seen.0.lock().unwrap_or_else(PoisonError::into_inner).is_empty() {
        return;
    }
    let written = || -> Result<()> {
        let transaction = connection.unchecked_transaction()?;
        seen.write(&transaction)?;
        Ok(transaction.commit()?)
    };
    if let Err(error) = written() {
        tracing::warn!(code = %error.code(), detail = error.detail(), "when tablets were here is not noted");
    }
}

fn group(
    connection: &Connection,
    first: Box<dyn Job>,
    queue: &Receiver<Box<dyn Job>>,
    done: &mut Vec<Box<dyn Job>>,
    moved: &mut Vec<(RecordId, u64)>,
    seen: &Seen,
) -> Result<()> {
    // Pushed before anything can fail, so that everybody is answered.
    done.push(first);
    connection.execute_batch("BEGIN IMMEDIATE")?;
    while let Some(job) = done.last_mut() {
        connection.prepare_cached("SAVEPOINT job")?.execute([])?;
        let before = moved.len();
        if !job.run(&mut Txn { conn: connection, moved }) {
            moved.truncate(before);
            connection.prepare_cached("ROLLBACK TO job")?.execute([])?;
        }
        connection.prepare_cached("RELEASE job")?.execute([])?;
        if done.len() >= GROUP {
            break;
        }
        match queue.try_recv() {
            Ok(next) => done.push(next),
            Err(_) => break,
        }
    }
    seen.write(connection)?;
    connection.execute_batch("COMMIT")?;
    Ok(())
}
