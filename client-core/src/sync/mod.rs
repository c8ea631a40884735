//! Bringing tablet and server to hold the same.
//!
//! `plan` decides what to offer, `engine` speaks the protocol without I/O, `link` moves bytes. What is in this file
//! joins them to the store: each step that an answer brings is one transaction, so that a sync may be cut or
//! dropped at any point and goes on from there.

pub mod engine;
mod enrol;
mod link;
mod pin;
pub mod plan;

use std::{
    fs::File,
    sync::{Arc, atomic::Ordering},
};

use ed25519_dalek::SigningKey;
use wayside_protocol::error::Code;

use self::{
    engine::{Answer, Engine, Next, Outline, Step},
    link::{Link, Received},
};
use crate::{
    error::{Error, Problem, Result},
    store::{
        log,
        meta::{self, Server},
    },
    tablet::{Inner, Tablet},
};

const PATH: &str = "/sync/v1";
/// Bytes of changes in one request: the most, and the least to which a link that keeps being cut brings it down.
const MOST: usize = 1 << 20;
const LEAST: usize = 16 << 10;
/// The estimate of the server's clock stands while it is about right: an answer that took long to arrive says
/// less about the time than the one before.
const CLOCK_SLACK_MS: i64 = 30_000;

/// What a sync is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    Connecting,
    Exchanging,
    /// Comparing everything from the beginning, because the two sides did not hold the same.
    Comparing,
    Done,
}

/// How far a sync has come. Bytes are those of HTTP, before TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Progress {
    pub phase: Phase,
    /// Changes that the server has answered for, of so many.
    pub pushed: u64,
    pub to_push: u64,
    pub pulled: u64,
    pub exchanges: u64,
    pub bytes_up: u64,
    pub bytes_down: u64,
}

/// What a sync came to, also one that failed half way.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize)]
pub struct SyncReport {
    /// Changes that the server has answered for.
    pub pushed: u64,
    /// Of these, now in the server's log, those that were there already included.
    pub accepted: u64,
    pub quarantined: u64,
    /// Changes that were not held here before.
    pub pulled: u64,
    /// Proven: both sides hold the same, nothing waits and nothing is in quarantine.
    pub in_sync: bool,
    pub exchanges: u64,
    pub bytes_up: u64,
    pub bytes_down: u64,
    pub error: Option<Problem>,
}

/// What an enrolment came to.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Enrolment {
    pub team: wayside_protocol::record::RecordId,
    pub team_name: String,
}

/// Held while a sync runs, in this process or another, and by whatever it still has under way.
struct Running {
    tablet: Arc<Inner>,
    _file: File,
}

impl Running {
    fn begin(tablet: &Arc<Inner>) -> Result<Arc<Running>> {
        if tablet.syncing.swap(true, Ordering::AcqRel) {
            return Err(Error::Failed(Code::SyncRunning));
        }
        let locked = File::create(tablet.dir.join("sync.lock")).map_err(Error::Directory).and_then(|file| {
            match file.try_lock() {
                Err(std::fs::TryLockError::WouldBlock) => Err(Error::Failed(Code::SyncRunning)),
                // A file system without locks: one process is guarded all the same.
                _ => Ok(file),
            }
        });
        match locked {
            Ok(file) => Ok(Arc::new(Running { tablet: tablet.clone(), _file: file })),
            Err(error) => {
                tablet.syncing.store(false, Ordering::Release);
                Err(error)
            }
        }
    }

    /// Does something with the store off the async threads. What was begun is finished, even if nobody waits for
    /// it any more: then the sync ends with it.
    async fn on_store<T: Send + 'static>(
        self: &Arc<Self>,
        f: impl FnOnce(&Inner) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let running = self.clone();
        let done = tokio::task::spawn_blocking(move || f(&running.tablet)).await;
        done.unwrap_or(Err(Error::Failed(Code::Internal)))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.tablet.syncing.store(false, Ordering::Release);
    }
}

impl Tablet {
    /// Sends what is waiting and fetches what is new, in a Tokio runtime. Whatever stops it is in the report;
    /// what was done until then stays done. Dropping the future stops it, at any point.
    pub async fn sync(&self, progress: impl Fn(Progress) + Send + Sync) -> SyncReport {
        let mut sync = Run { report: SyncReport::default(), to_push: 0, progress: &progress };
        if let Err(error) = sync.run(&self.0).await {
            sync.report.error = Some(Problem::from(&error));
        }
        sync.tell(Phase::Done);
        sync.report
    }
}

struct Run<'a> {
    report: SyncReport,
    to_push: u64,
    progress: &'a (dyn Fn(Progress) + Send + Sync),
}

impl Run<'_> {
    fn tell(&self, phase: Phase) {
        let SyncReport { pushed, pulled, exchanges, bytes_up, bytes_down, .. } = self.report;
        let to_push = self.to_push.max(pushed);
        (self.progress)(Progress { phase, pushed, to_push, pulled, exchanges, bytes_up, bytes_down });
    }

    async fn run(&mut self, tablet: &Arc<Inner>) -> Result<()> {
        let running = Running::begin(tablet)?;
        let server = running.on_store(|tablet| tablet.store.read(meta::server)).await?;
        let Server { url, pin, key, .. } = server.ok_or(Error::Failed(Code::NotEnrolled))?;
        running.on_store(|tablet| tablet.store.write(log::offer_waiting_again)).await?;
        let mut engine = Engine::new(SigningKey::clone(&tablet.key), key);
        let mut link = Link::new(&url, pin)?;
        self.tell(Phase::Connecting);
        let done = self.exchanges(&running, &mut engine, &mut link).await;
        self.count(&link);
        done?;
        self.report.in_sync = running.on_store(settle).await?;
        Ok(())
    }

    async fn exchanges(
        &mut self,
        running: &Arc<Running>,
        engine: &mut Engine,
        link: &mut Link,
    ) -> Result<()> {
        let mut budget = running.on_store(|tablet| tablet.store.read(budget)).await?;
        loop {
            let (outline, time_ms) = running.on_store(move |tablet| outline(tablet, budget)).await?;
            self.to_push = self.report.pushed + outline.offers.total;
            let nonce = running.tablet.env.bytes();
            let request = match engine.next(&outline, nonce, time_ms, budget)? {
                Next::Send(request) => request,
                Next::Done => return Ok(()),
                Next::Refill { team, epoch } => {
                    self.tell(Phase::Comparing);
                    running.on_store(move |tablet| apply(tablet, Step::Refill { team, epoch })).await?;
                    continue;
                }
            };
            self.report.exchanges += 1;
            self.tell(Phase::Exchanging);
            let received = link.post(PATH, request).await;
            self.count(link);
            let answer = match received {
                Ok(Received { body, cut: None, status }) => {
                    let mut answer = engine.response(&body);
                    if let Some(error) = &answer.error
                        && error.code() == Code::FrameMalformed
                        && !status.is_success()
                    {
                        answer.error = Some(by_status(status));
                    }
                    answer
                }
                Ok(Received { body, cut: Some(cut), .. }) => {
                    let answer = engine.partial(&body);
                    Answer { error: answer.error.or(Some(cut)), ..answer }
                }
                Err(error) => Answer { error: Some(error), ..Answer::default() },
            };
            budget = match answer.error.as_ref().map(Error::code) {
                None => (budget * 2).min(MOST),
                Some(Code::LinkCut) => (budget / 2).max(LEAST),
                Some(_) => budget,
            };
            let next_budget = budget;
            running.on_store(move |tablet| keep_budget(tablet, next_budget)).await?;
            for step in answer.steps {
                let applied = running.on_store(move |tablet| apply(tablet, step)).await?;
                self.report.pushed += applied.answered;
                self.report.accepted += applied.log.accepted;
                self.report.quarantined += applied.log.quarantined;
                self.report.pulled += applied.log.new;
                self.tell(Phase::Exchanging);
            }
            if let Some(error) = answer.error {
                return Err(error);
            }
        }
    }

    fn count(&mut self, link: &Link) {
        self.report.bytes_up = link.counters.up.load(Ordering::Relaxed);
        self.report.bytes_down = link.counters.down.load(Ordering::Relaxed);
    }
}

/// What an answer that holds no frames means.
fn by_status(status: hyper::StatusCode) -> Error {
    Error::Failed(match status.as_u16() {
        404 => Code::NotFound,
        405 => Code::MethodNotAllowed,
        413 => Code::TooLarge,
        _ => Code::ServerFailed,
    })
}

fn budget(conn: &rusqlite::Connection) -> Result<usize> {
    let kept: Option<i64> = meta::get(conn, meta::BUDGET)?;
    Ok(kept.and_then(|kept| usize::try_from(kept).ok()).unwrap_or(MOST).clamp(LEAST, MOST))
}

/// Written only when it changes: a sync that finds nothing new writes nothing but that it was.
fn keep_budget(tablet: &Inner, next: usize) -> Result<()> {
    if tablet.store.read(budget)? == next {
        return Ok(());
    }
    tablet.store.write(|conn| meta::set(conn, meta::BUDGET, i64::try_from(next).unwrap_or(i64::MAX)))
}

/// What the store holds now, and the server's time as estimated here.
pub(crate) fn outline(tablet: &Inner, budget: usize) -> Result<(Outline, u64)> {
    tablet.store.read(|conn| {
        let asks_unlock = meta::get::<[u8; 32]>(conn, meta::UNLOCK_SECRET)?.is_none();
        let outline = Outline { places: log::places(conn)?, offers: log::offers(conn, budget)?, asks_unlock };
        let offset: i64 = meta::get(conn, meta::CLOCK_OFFSET)?.unwrap_or(0);
        let time = tablet.env.clock.now_ms().saturating_add(offset);
        Ok((outline, u64::try_from(time).unwrap_or(0)))
    })
}

#[derive(Default)]
pub(crate) struct Applied {
    pub answered: u64,
    pub log: log::Applied,
}

/// Takes one step, in one transaction.
pub(crate) fn apply(tablet: &Inner, step: Step) -> Result<Applied> {
    let mut applied = Applied::default();
    match step {
        Step::Verdicts { team, verdicts } => {
            applied.log = tablet.store.write(|conn| log::apply_verdicts(conn, team, &verdicts))?;
            applied.answered = verdicts.len() as u64;
        }
        Step::Pulled { team, lists } => {
            applied.log = tablet.store.write(|conn| log::apply_pulled(conn, team, &lists))?;
        }
        Step::State { team, epoch, cursor, more } => {
            if tablet.store.read(|conn| log::stands_at(conn, team, epoch, cursor, more))? {
                return Ok(applied);
            }
            tablet.store.write(|conn| log::advance(conn, team, epoch, cursor, more))?;
        }
        Step::Refill { team, epoch } => {
            tablet.store.write(|conn| log::begin_refill(conn, team, epoch))?;
        }
        Step::UnlockSecret { secret } => {
            tablet.store.write(|conn| meta::set(conn, meta::UNLOCK_SECRET, secret))?;
        }
        Step::Time { server_time_ms } => set_clock(tablet, server_time_ms)?,
    }
    Ok(applied)
}

/// Learns how far the device's clock is off.
fn set_clock(tablet: &Inner, server_time_ms: u64) -> Result<()> {
    let Ok(server) = i64::try_from(server_time_ms) else { return Ok(()) };
    let offset = server.saturating_sub(tablet.env.clock.now_ms());
    let known: Option<i64> = tablet.store.read(|conn| meta::get(conn, meta::CLOCK_OFFSET))?;
    if known.is_some_and(|known| known.abs_diff(offset) <= CLOCK_SLACK_MS.unsigned_abs()) {
        return Ok(());
    }
    tablet.store.write(|conn| meta::set(conn, meta::CLOCK_OFFSET, offset))
}

/// The sync has proven that both sides hold the same. Whether all is at base depends on what was recorded since,
/// and on the quarantine.
pub(crate) fn settle(tablet: &Inner) -> Result<bool> {
    tablet.store.write(|conn| {
        meta::set(conn, meta::SETTLED, 1)?;
        meta::set(conn, meta::LAST_SYNCED_AT, tablet.env.now_text())?;
        let open = log::open(conn)?;
        Ok(open.waiting == 0 && open.quarantined == 0)
    })
}
