//! Who writes: one thread over SQLite (`Hand` below), several over PostgreSQL (`remote`).
//!
//! An fsync costs the same for one change as for a thousand. So what is queued while one group commits
//! becomes the next group: one transaction, a savepoint for each job so that one that fails takes
//! nothing with it, one commit, and only then the answers.
//!
//! That a tablet was here is no reason for a commit of its own: it is written with the next one, or after a
//! minute.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use wayside_protocol::{error::Code, record::RecordId};

use super::db::{Conn, Place};
use super::ends::Teller;
use super::enrol::Visit;
use super::job::{Job, Ran, Txn, Typed};
use super::remote;
use super::seal::is_sealed;
use crate::error::{Error, Result};

/// Jobs that wait for a writer; whoever comes later waits outside.
const QUEUE: usize = 256;
/// Jobs in one transaction, so that nobody waits long for a commit.
pub(super) const GROUP: usize = 128;

/// How long what is only noted waits for a commit to go along with.
pub(super) const NOTED: Duration = Duration::from_secs(60);
/// How often a disk that failed is tried while nobody else does.
const PROBED: Duration = Duration::from_secs(2);

pub(super) type Queue = Receiver<Box<dyn Job>>;

/// Which tablets were here, by number.
#[derive(Default)]
pub(super) struct Seen(Mutex<HashMap<i64, Visit>>);

impl Seen {
    pub fn write(&self, connection: &Conn) -> Result<()> {
        let mut seen: Vec<_> =
            std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner)).into_iter().collect();
        // In one order everywhere: two nodes must not wait for each other.
        seen.sort_unstable();
        for (tablet, visit) in seen {
            super::enrol::write_seen(connection, tablet, visit)?;
        }
        Ok(())
    }

    /// Writes what is noted, where nothing else has been committed for a while.
    pub fn note(&self, connection: &Conn) {
        if self.0.lock().unwrap_or_else(PoisonError::into_inner).is_empty() {
            return;
        }
        let written = || -> Result<()> {
            connection.begin()?;
            self.write(connection)?;
            connection.commit()
        };
        if let Err(error) = written() {
            let _ = connection.rollback();
            tracing::warn!(code = %error.code(), detail = error.detail(), "when tablets were here is not noted");
        }
    }
}

pub struct Writer {
    /// Empty once it is closed.
    queues: Vec<SyncSender<Box<dyn Job>>>,
    threads: Vec<JoinHandle<()>>,
    seen: Arc<Seen>,
    hasher: RandomState,
    health: Arc<Health>,
}

/// Why nothing can be committed to a file, as long as nothing can.
#[derive(Default)]
struct Health(Mutex<Option<Code>>);

impl Health {
    fn failing(&self) -> Option<Code> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_now(&self, failing: Option<Code>) {
        let before = std::mem::replace(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner), failing);
        match failing {
            Some(code) if before != failing => tracing::error!(%code, "the disk takes nothing: reading only"),
            None if before.is_some() => tracing::info!("the disk takes changes again"),
            _ => {}
        }
    }
}

impl Writer {
    /// One thread over a file.
    pub fn start(path: PathBuf, connection: Conn, ends: Teller) -> Result<Writer> {
        let mut writer = Writer::empty();
        let (seen, health) = (writer.seen.clone(), writer.health.clone());
        let hand = Hand { path, connection, ends, seen, health };
        writer.add(move |queue| hand.run(&queue))?;
        Ok(writer)
    }

    /// One thread for jobs that are about no team, and several for those that are, each team always on the same.
    pub fn start_remote(place: &Place, ends: &Teller) -> Result<Writer> {
        let mut writer = Writer::empty();
        for number in 0..=remote::TEAM_WRITERS {
            let seen = (number == 0).then(|| writer.seen.clone());
            let hand = remote::Hand::new(place.clone(), ends.clone(), seen);
            writer.add(move |queue| hand.run(&queue))?;
        }
        Ok(writer)
    }

    fn empty() -> Writer {
        Writer {
            queues: Vec::new(),
            threads: Vec::new(),
            seen: Arc::default(),
            hasher: RandomState::new(),
            health: Arc::default(),
        }
    }

    fn add(&mut self, run: impl FnOnce(Queue) + Send + 'static) -> Result<()> {
        let (jobs, queue) = sync_channel(QUEUE);
        let thread = thread::Builder::new().name("log writer".into()).spawn(move || run(queue));
        self.threads.push(thread.map_err(|error| Error::File("log writer", error))?);
        self.queues.push(jobs);
        Ok(())
    }

    /// Why nothing can be committed, while that is so. Of a file: a shared log says it itself.
    pub fn failing(&self) -> Option<Code> {
        self.health.failing()
    }

    /// Notes that a tablet was here.
    pub fn seen(&self, tablet: i64, visit: Visit) {
        let mut seen = self.seen.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Not written yet, and a visit that says nothing of it comes after one that did.
        let before = seen.get(&tablet).and_then(|before| before.waiting);
        seen.insert(tablet, Visit { waiting: visit.waiting.or(before), ..visit });
    }

    pub fn write<T: Send + 'static>(
        &self,
        team: Option<RecordId>,
        work: impl FnMut(&mut Txn) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.send(team, false, work)
    }

    pub fn write_sealed<T: Send + 'static>(
        &self,
        work: impl FnMut(&mut Txn) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.send(None, true, work)
    }

    fn send<T: Send + 'static>(
        &self,
        team: Option<RecordId>,
        sealed: bool,
        work: impl FnMut(&mut Txn) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (reply, answer) = sync_channel(1);
        let job = Typed { team, sealed, work, result: Err(Error::Commit(Code::StorageFailed)), reply };
        let jobs = self.queue(team).ok_or(Code::ServerFailed)?;
        jobs.send(Box::new(job)).map_err(|_| Code::ServerFailed)?;
        answer.recv().map_err(|_| Code::ServerFailed)?
    }

    pub fn post(&self, work: impl FnMut(&mut Txn) -> Result<()> + Send + 'static) {
        let (reply, _) = sync_channel(1);
        let job =
            Typed { team: None, sealed: false, work, result: Err(Error::Commit(Code::StorageFailed)), reply };
        if let Some(jobs) = self.queue(None) {
            let _ = jobs.try_send(Box::new(job));
        }
    }

    fn queue(&self, team: Option<RecordId>) -> Option<&SyncSender<Box<dyn Job>>> {
        let others = self.queues.len().saturating_sub(1) as u64;
        let index = match team {
            Some(team) if others > 0 => 1 + self.hasher.hash_one(team) % others,
            _ => 0,
        };
        self.queues.get(usize::try_from(index).ok()?)
    }
}

impl Drop for Writer {
    /// Finishes what is queued.
    fn drop(&mut self) {
        self.queues.clear();
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

/// Who writes to a file.
struct Hand {
    path: PathBuf,
    connection: Conn,
    ends: Teller,
    seen: Arc<Seen>,
    health: Arc<Health>,
}

impl Hand {
    fn run(mut self, queue: &Queue) {
        loop {
            let patience = if self.health.failing().is_some() { PROBED } else { NOTED };
            match queue.recv_timeout(patience) {
                Ok(first) => self.commit(first, queue),
                Err(RecvTimeoutError::Timeout) if self.health.failing().is_some() => self.probe(),
                Err(RecvTimeoutError::Timeout) => self.seen.note(&self.connection),
                Err(RecvTimeoutError::Disconnected) => return self.seen.note(&self.connection),
            }
        }
    }

    fn commit(&mut self, first: Box<dyn Job>, queue: &Queue) {
        let mut moved = Vec::new();
        let mut done: Vec<Box<dyn Job>> = Vec::new();
        let committed = group(&self.connection, first, queue, &mut done, &mut moved, &self.seen);
        self.health.is_now(self.failing(&committed));
        let lost = committed.as_ref().err().map(Error::code);
        if let Err(error) = &committed {
            tracing::error!(code = %error.code(), detail = error.detail(), jobs = done.len(), "commit failed");
            self.recover();
        } else {
            self.ends.moved(&moved);
        }
        for job in done {
            job.answer(lost.map(Error::Commit));
        }
    }

    /// Commits something that changes nothing, to see whether the disk takes it again. Nobody else may write for hours.
    fn probe(&mut self) {
        let probed = self.connection.alone(|conn| {
            conn.execute("UPDATE keeper SET position = position", &[])?;
            self.seen.write(conn)
        });
        self.health.is_now(self.failing(&probed));
        if probed.is_err() {
            self.recover();
        }
    }

    /// What a commit says of the disk. One that only waited too long for another process says nothing.
    fn failing(&self, done: &Result<()>) -> Option<Code> {
        match done {
            Ok(()) => None,
            Err(error) if error.code() == Code::StorageFull => Some(Code::StorageFull),
            Err(_) if self.connection.is_broken() => Some(Code::StorageFailed),
            Err(_) => self.health.failing(),
        }
    }

    /// After a disk failed, what the connection believes to be in the file may not be there: it begins anew.
    fn recover(&mut self) {
        let _ = self.connection.rollback();
        if self.connection.is_broken() {
            match super::open_file(&self.path) {
                Ok(connection) => self.connection = connection,
                Err(error) => tracing::debug!(detail = error.detail(), "the log does not open"),
            }
        }
    }
}

fn group(
    connection: &Conn,
    first: Box<dyn Job>,
    queue: &Queue,
    done: &mut Vec<Box<dyn Job>>,
    moved: &mut Vec<(RecordId, u64)>,
    seen: &Seen,
) -> Result<()> {
    // Pushed before anything can fail, so that everybody is answered.
    done.push(first);
    connection.begin()?;
    let sealed = is_sealed(connection)?;
    while let Some(job) = done.last_mut() {
        connection.savepoint()?;
        let before = moved.len();
        if let Ran::Undone(code) = job.run(&mut Txn::new(connection, moved, sealed)) {
            moved.truncate(before);
            // A failing disk has undone all of it already, and what it says then is not why.
            connection
                .back()
                .map_err(|error| if code.is_of_storage() { Error::Commit(code) } else { error })?;
        }
        connection.release()?;
        if done.len() >= GROUP {
            break;
        }
        match queue.try_recv() {
            Ok(next) => done.push(next),
            Err(_) => break,
        }
    }
    seen.write(connection)?;
    connection.commit()
}
