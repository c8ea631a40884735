//! Writing to PostgreSQL, where others write, too.
//!
//! One team for each transaction: its row is locked first, in READ COMMITTED, so that all that is read afterwards is
//! what the last one left. Jobs of the team that queue up meanwhile share a commit.
//!
//! A commit carries a random mark. A connection that is lost while it commits leaves open what became of it: whoever
//! runs it again writes the same mark first, which waits for the lost one to end, and fails if that was committed. Then
//! the answers of the first time stand. So each job happens once, and nothing is acknowledged that was not committed.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use wayside_protocol::record::RecordId;

use super::db::{Conn, Place, args};
use super::ends::Teller;
use super::job::{Job, Ran, Txn};
use super::seal::is_sealed;
use super::writer::{GROUP, NOTED, Queue, Seen};
use crate::error::Error;

/// Threads that write teams' logs, each over a connection of its own.
pub const TEAM_WRITERS: usize = 4;
/// How long a group is tried again before those who wait are told to come later.
const PATIENCE: Duration = Duration::from_secs(15);
/// And while the database cannot be reached: they are told at once rather than one after the other.
const NO_PATIENCE: Duration = Duration::from_secs(1);
/// How often others may be in the way.
const ATTEMPTS: u32 = 12;
const LONGEST_PAUSE_MS: u64 = 1000;
/// Connections on which watchers are told; a hint, polling is the truth.
pub(super) const CHANNEL: &str = "wayside_log";

type Jobs = Vec<Box<dyn Job>>;

/// One thread's.
pub struct Hand {
    place: Place,
    connection: Option<Conn>,
    ends: Teller,
    /// With the thread that keeps house.
    seen: Option<Arc<Seen>>,
    /// Taken off the queue, of other teams than the one whose turn it is.
    aside: VecDeque<Box<dyn Job>>,
    /// How long the next group is tried.
    patience: Duration,
}

/// Why a group has to run again.
struct Failed {
    error: Error,
    /// Whether it may have been committed all the same.
    unknown: bool,
}

impl From<Error> for Failed {
    fn from(error: Error) -> Failed {
        Failed { error, unknown: false }
    }
}

impl Hand {
    pub fn new(place: Place, ends: Teller, seen: Option<Arc<Seen>>) -> Hand {
        Hand { place, connection: None, ends, seen, aside: VecDeque::new(), patience: PATIENCE }
    }

    pub fn run(mut self, queue: &Queue) {
        let mut noted = Instant::now();
        loop {
            let next = match self.aside.pop_front() {
                Some(job) => Ok(job),
                None => queue.recv_timeout(NOTED),
            };
            match next {
                Ok(first) => {
                    self.aside.extend(queue.try_iter().take(GROUP));
                    let group = self.group(first);
                    self.settle(group, Instant::now() + self.patience);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return self.keep_house(),
            }
            if noted.elapsed() >= NOTED {
                noted = Instant::now();
                self.keep_house();
            }
        }
    }

    /// A job with those that wait and are of the same team, in their order.
    fn group(&mut self, first: Box<dyn Job>) -> Jobs {
        let team = first.team();
        let mut group = vec![first];
        for job in std::mem::take(&mut self.aside) {
            if job.team() == team && group.len() < GROUP {
                group.push(job);
            } else {
                self.aside.push_back(job);
            }
        }
        group
    }

    /// Brings jobs to an end and answers them.
    fn settle(&mut self, mut jobs: Jobs, until: Instant) {
        let mark = format!("{:032x}", rand::random::<u128>());
        let (mut unknown, mut pause_ms, mut attempts) = (false, 10, 0);
        loop {
            match self.attempt(&mut jobs, &mark, &mut unknown) {
                Ok(moved) => {
                    self.patience = PATIENCE;
                    jobs.into_iter().for_each(|job| job.answer(None));
                    return self.tell(moved);
                }
                Err(failed) => {
                    unknown |= failed.unknown;
                    let (error, count) = (failed.error, jobs.len());
                    tracing::debug!(detail = error.detail(), unknown, jobs = count, "a commit runs again");
                    attempts += 1;
                    let lost = error.leaves_open() || error.wants_another_server();
                    if Instant::now() >= until || !lost && attempts >= ATTEMPTS {
                        self.patience = if lost { NO_PATIENCE } else { PATIENCE };
                        tracing::error!(code = %error.code(), detail = error.detail(), jobs = count, "commit failed");
                        return jobs
                            .into_iter()
                            .for_each(|job| job.answer(Some(Error::Commit(error.code()))));
                    }
                    if count > 1 && !unknown {
                        // One of them is in the others' way.
                        return jobs.into_iter().for_each(|job| self.settle(vec![job], until));
                    }
                }
            }
            std::thread::sleep(Duration::from_millis(rand::random_range(pause_ms / 2..=pause_ms)));
            pause_ms = (pause_ms * 2).min(LONGEST_PAUSE_MS);
        }
    }

    fn attempt(
        &mut self,
        jobs: &mut Jobs,
        mark: &str,
        unknown: &mut bool,
    ) -> std::result::Result<Vec<(RecordId, u64)>, Failed> {
        let conn = match self.connection.take().filter(|conn| !conn.is_broken()) {
            Some(conn) => conn,
            None => Conn::writer(&self.place)?,
        };
        let done = work(&conn, jobs, mark, unknown);
        if done.is_err() {
            let _ = conn.rollback();
        }
        self.connection = Some(conn).filter(|conn| done.is_ok() || !conn.is_broken());
        // What went wrong on a server that no longer takes writes goes wrong there again.
        if done.as_ref().is_err_and(|failed| failed.error.wants_another_server()) {
            self.connection = None;
        }
        done
    }

    fn tell(&self, moved: Vec<(RecordId, u64)>) {
        let Some(conn) = self.connection.as_ref().filter(|_| !moved.is_empty()) else { return };
        self.ends.moved(&moved);
        for (team, head) in moved {
            let hint = format!("{team} {head}");
            if conn.execute("SELECT pg_notify(?, ?)", args![CHANNEL, hint]).is_err() {
                break;
            }
        }
    }

    /// Writes when tablets were here, and forgets what is old.
    fn keep_house(&mut self) {
        let Some(seen) = self.seen.clone() else { return };
        if self.connection.as_ref().is_none_or(Conn::is_broken) {
            self.connection = Conn::writer(&self.place).ok();
        }
        let Some(conn) = &self.connection else { return };
        seen.note(conn);
        let now = "CAST(extract(epoch FROM now()) AS BIGINT)";
        for sql in [
            format!("DELETE FROM done WHERE at < {now} - 3600"),
            format!("DELETE FROM nonce WHERE at < {now} - 3600"),
            format!("DELETE FROM given_up WHERE at < {now} - 3600"),
        ] {
            if let Err(error) = conn.execute(&sql, &[]) {
                tracing::warn!(detail = error.detail(), "what is old is not forgotten");
            }
        }
    }
}

fn work(
    conn: &Conn,
    jobs: &mut Jobs,
    mark: &str,
    unknown: &mut bool,
) -> std::result::Result<Vec<(RecordId, u64)>, Failed> {
    conn.begin_for(jobs.first().and_then(|job| job.team()))?;
    let marked = *unknown;
    if marked {
        let sql = "INSERT INTO done (mark) VALUES (?) ON CONFLICT DO NOTHING";
        if conn.execute(sql, args![mark])? == 0 {
            // It was committed. Perhaps only here: a standby has it once it has what is written after it. Where the logs end
            // now is found by looking.
            conn.execute("UPDATE done SET mark = mark WHERE mark = ?", args![mark])?;
            conn.commit()?;
            return Ok(Vec::new());
        }
        *unknown = false;
    }
    let sealed = is_sealed(conn)?;
    let (mut moved, alone) = (Vec::new(), jobs.len() == 1);
    for job in jobs {
        let before = moved.len();
        if !alone {
            conn.savepoint()?;
        }
        match job.run(&mut Txn::new(conn, &mut moved, sealed)) {
            Ran::Again(error) => return Err(error.into()),
            Ran::Undone(_) if alone => {
                conn.rollback()?;
                return Ok(Vec::new());
            }
            Ran::Undone(_) => {
                moved.truncate(before);
                conn.back()?;
                conn.release()?;
            }
            Ran::Kept if alone => {}
            Ran::Kept => conn.release()?,
        }
    }
    let committed = if marked { conn.commit() } else { conn.commit_marked(mark) };
    committed.map_err(|error| Failed { unknown: error.leaves_open(), error })?;
    Ok(moved)
}
