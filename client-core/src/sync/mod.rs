//! Bringing tablet and server to hold the same.
//!
//! `plan` decides what to offer, `engine` speaks the protocol without I/O, `link` moves bytes. What is in this file
//! joins them to the store: each step that an answer brings is one transaction, so that a sync may be cut or
//! dropped at any point and goes on from there.

mod apply;
pub mod engine;
mod enrol;
mod link;
mod live;
mod look_up;
pub mod memory;
mod orders;
mod pin;
pub mod plan;
mod renew;
pub mod repair;
pub mod step;
mod verify;

use apply::set_clock;
pub(crate) use apply::{apply, settle};
pub use live::News;
pub use look_up::{Archived, LookedUp};

use std::{
    fs::File,
    sync::{Arc, atomic::Ordering},
};

use rusqlite::Connection;
use wayside_protocol::{
    error::Code,
    record::RecordId,
    sync::{
        Duty, Receipt, capability,
        frame::{Found, Hello, LookUp, Place, STREAMED_VERSION},
    },
};

use self::{
    engine::Engine,
    link::{Answering, Link},
    memory::{Memory, Unanswered},
    step::{Answer, Next, Outline, Step},
};
use crate::{
    error::{Error, Problem, Result},
    store::{
        log,
        meta::{self, Server},
        repair as repair_store,
    },
    tablet::{Inner, Tablet},
};

const PATH: &str = "/sync/v1";
/// A notice stands for a week.
const NOTICE_MS: i64 = 7 * 24 * 60 * 60 * 1000;

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
    /// Frames from base with something in them that was held here already: what cut links cost.
    pub frames_again: u64,
    /// Proven: both sides hold the same, nothing waits and nothing is in quarantine.
    pub in_sync: bool,
    pub exchanges: u64,
    pub bytes_up: u64,
    pub bytes_down: u64,
    pub error: Option<Problem>,
    /// What staff should know, each a sentence and its code.
    pub notices: Vec<Notice>,
    /// The server has too much to do and wants to be asked again after so many seconds.
    pub retry_after: Option<u64>,
}

/// Something that staff should know: nothing is lost and nothing has to be typed again.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Notice {
    pub code: &'static str,
    pub message: &'static str,
    /// When, by this device's clock; RFC 3339 in UTC. Of a sync's report: just now.
    pub at: Option<String>,
}

impl Notice {
    fn of(code: Code) -> Notice {
        Notice { code: code.as_str(), message: code.message(), at: None }
    }

    /// Those of the last days, the newest first.
    pub(crate) fn standing(conn: &rusqlite::Connection, now_ms: i64) -> Result<Vec<Notice>> {
        let standing = meta::notices(conn)?.into_iter().filter_map(|(code, at)| {
            let given: jiff::Timestamp = at.parse().ok()?;
            let recent = now_ms.saturating_sub(given.as_millisecond()) < NOTICE_MS;
            let code = Code::parse(&code)
                .filter(|code| recent || matches!(code, Code::UpgradeNeeded | Code::TabletWiped))?;
            Some(Notice { at: Some(at), ..Notice::of(code) })
        });
        Ok(standing.collect())
    }
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
        if tablet.store.is_wiped() {
            return Err(Error::Failed(Code::TabletWiped));
        }
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
        self.tablet.store.touch();
    }
}

impl Tablet {
    /// Sends what is waiting and fetches what is new, in a Tokio runtime. Whatever stops it is in the report;
    /// what was done until then stays done. Dropping the future stops it, at any point.
    pub async fn sync(&self, progress: impl Fn(Progress) + Send + Sync) -> SyncReport {
        let mut sync = Run::new(None, &progress);
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
    /// What the server wants staff to know, for the end.
    notice: Option<Error>,
    /// Something of this team came that builds on what is not here.
    differs: Option<RecordId>,
    /// What is to be looked up, and what came of it.
    look_up: Option<LookUp>,
    found: Option<Found>,
    progress: &'a (dyn Fn(Progress) + Send + Sync),
}

impl<'a> Run<'a> {
    fn new(look_up: Option<LookUp>, progress: &'a (dyn Fn(Progress) + Send + Sync)) -> Run<'a> {
        Run {
            report: SyncReport::default(),
            to_push: 0,
            notice: None,
            differs: None,
            look_up,
            found: None,
            progress,
        }
    }
}

impl Run<'_> {
    fn tell(&self, phase: Phase) {
        let SyncReport { pushed, pulled, exchanges, bytes_up, bytes_down, .. } = self.report;
        let to_push = self.to_push.max(pushed);
        (self.progress)(Progress { phase, pushed, to_push, pulled, exchanges, bytes_up, bytes_down });
    }

    async fn run(&mut self, tablet: &Arc<Inner>) -> Result<()> {
        let running = Running::begin(tablet)?;
        let begun = running.on_store(|tablet| {
            let next = tablet.store.read(|conn| meta::get::<[u8; 32]>(conn, meta::NEXT_SEED))?;
            Ok((tablet.store.read(meta::server)?, next))
        });
        let (server, next) = begun.await?;
        let server = server.ok_or(Error::Failed(Code::NotEnrolled))?;
        if next.is_some() {
            // Base may have it already, and then it takes the one so far no more; if not, the one so far goes on.
            match renew::ask(&running, &server).await {
                Err(error) if error.retry() => return Err(error),
                _ => {}
            }
        }
        let Server { url, pin, key, .. } = server;
        running.on_store(|tablet| tablet.store.write(log::begin_sync)).await?;
        let me = running.on_store(|tablet| tablet.store.read(|conn| tablet.identity(conn))).await?;
        let identity = me.key.clone();
        let mut engine = match self.look_up.take() {
            Some(look_up) => Engine::looking_up(identity, key, look_up),
            None => Engine::new(identity, key),
        };
        let mut link = Link::new(&url, pin, &running.tablet.env)?;
        link.begin();
        self.tell(Phase::Connecting);
        let done = self.exchanges(&running, &mut engine, &mut link).await;
        self.count(&link);
        done?;
        if engine.is_looking() {
            return Err(Error::Failed(Code::VersionUnsupported));
        }
        self.report.in_sync = running.on_store(settle).await?;
        Ok(())
    }

    async fn exchanges(
        &mut self,
        running: &Arc<Running>,
        engine: &mut Engine,
        link: &mut Link,
    ) -> Result<()> {
        loop {
            let (outline, time_ms) = running.on_store(outline).await?;
            let memory = outline.memory.clone();
            self.to_push = self.report.pushed + outline.offers.total;
            let nonce = running.tablet.env.bytes();
            let request = match engine.next(&outline, nonce, time_ms, memory.budget())? {
                Next::Send(request) => request,
                Next::Done => break,
                Next::Refill { team, epoch } => {
                    self.tell(Phase::Comparing);
                    running.on_store(move |tablet| apply(tablet, Step::Refill { team, epoch })).await?;
                    continue;
                }
                Next::OfferAgain(duty) => {
                    running.on_store(move |tablet| tablet.offer_again(duty)).await?;
                    continue;
                }
                Next::Obey(duty) => {
                    self.obey(running, duty).await?;
                    continue;
                }
            };
            let mut next = memory.clone();
            if let Some(frames) = engine.unanswered() {
                // Before any of it is sent: what is cut then is asked about, even by the next run of the program.
                next.sent =
                    if frames.is_empty() { Unanswered::default() } else { Unanswered { nonce, frames } };
                next = keep(running, &memory, next).await?;
            }
            let before = next.clone();
            self.report.exchanges += 1;
            self.tell(Phase::Exchanging);
            let exchanged = self.exchange(running, engine, link, request, &mut next).await;
            self.count(link);
            match exchanged.as_ref().map_err(Error::code) {
                Ok(()) => next.sent = Unanswered::default(),
                Err(Code::LinkCut) => next.was_cut(),
                Err(_) => {}
            }
            keep(running, &before, next).await?;
            match (exchanged, self.differs.take()) {
                (Err(_), Some(team)) => {
                    let refill = engine.differs(team)?;
                    self.tell(Phase::Comparing);
                    running.on_store(move |tablet| apply(tablet, refill)).await?;
                }
                (exchanged, _) => exchanged?,
            }
        }
        // Only now: what was recorded here has arrived all the same.
        self.notice.take().map_or(Ok(()), Err)
    }

    /// One request, and its answer frame by frame as it comes.
    async fn exchange(
        &mut self,
        running: &Arc<Running>,
        engine: &mut Engine,
        link: &mut Link,
        request: Vec<u8>,
        memory: &mut Memory,
    ) -> Result<()> {
        let clock = running.tablet.env.clock.clone();
        let ms_since = |begin: u64| clock.uptime_ms().saturating_sub(begin);
        let (size, sent_at) = (request.len(), clock.uptime_ms());
        let answering = link.send(PATH, request, link::IDLE).await?;
        memory.went_up(size, ms_since(sent_at));
        self.report.retry_after = answering.retry_after.map(|after| after.as_secs());
        let (status, begun_at) = (answering.status, clock.uptime_ms());
        let mut arriving = Arriving { answering, engine, size: 0 };
        let mut next = Some(arriving.piece().await);
        while let Some(Piece { answer, over }) = next {
            let more = async {
                // What comes next is read and taken apart while this is being stored.
                let goes_on = over.is_none() && answer.error.is_none();
                Ok(if goes_on { Some(arriving.piece().await) } else { None })
            };
            let storing = async {
                for step in answer.steps {
                    self.take(running, step, memory).await?;
                }
                Ok::<_, Error>(())
            };
            let ((), more) = tokio::try_join!(storing, more)?;
            match answer.error {
                Some(error)
                    if error.code() == Code::FrameMalformed
                        && !status.is_success()
                        && !arriving.engine.ended() =>
                {
                    return Err(by_status(status));
                }
                Some(error) => return Err(error),
                None => {}
            }
            if let Some(over) = over {
                if over.is_ok() {
                    memory.came_down(arriving.size, ms_since(begun_at));
                }
                return over;
            }
            next = more;
        }
        Ok(())
    }

    async fn take(&mut self, running: &Arc<Running>, step: Step, memory: &mut Memory) -> Result<()> {
        if let Step::Found(found) = step {
            self.found = Some(found);
            return Ok(());
        }
        if let Step::Notice(code) = step {
            return self.told(running, code).await;
        }
        if let Step::Terms { server_can, credit, notice } = step {
            (memory.server_can, memory.credit) = (server_can, credit);
            self.notice = match Code::parse(&notice) {
                _ if notice.is_empty() => None,
                // Everything goes on; staff should know.
                Some(Code::TabletCopied) => {
                    self.told(running, Code::TabletCopied).await?;
                    None
                }
                Some(Code::UpgradeNeeded) => {
                    self.told(running, Code::UpgradeNeeded).await?;
                    Some(Error::Failed(Code::UpgradeNeeded))
                }
                Some(code) => Some(Error::Failed(code)),
                None => Some(Error::Server { message: notice.clone(), code: notice }),
            };
            return Ok(());
        }
        let pulled = if let Step::Pulled { team, .. } = &step { Some(*team) } else { None };
        let applied = running.on_store(move |tablet| apply(tablet, step)).await;
        if applied.as_ref().is_err_and(|error| error.code() == Code::NotSettled) {
            self.differs = pulled;
        }
        let applied = applied?;
        if applied.log.erased > 0 {
            running.on_store(|tablet| tablet.store.forget_written()).await?;
            self.told(running, Code::RecordErased).await?;
        }
        self.report.frames_again += u64::from(applied.log.again > 0);
        self.report.pushed += applied.answered;
        self.report.accepted += applied.log.accepted;
        self.report.quarantined += applied.log.quarantined;
        self.report.pulled += applied.log.new;
        self.tell(Phase::Exchanging);
        Ok(())
    }

    /// Does what base ordered, unless something was recorded in this very moment: that is handed over first.
    async fn obey(&mut self, running: &Arc<Running>, duty: Duty) -> Result<()> {
        let obeyed = running.on_store(move |tablet| tablet.obey(duty)).await?;
        match duty {
            Duty::Wipe if obeyed => Err(Error::Failed(Code::TabletWiped)),
            Duty::Leave(_) if obeyed => self.told(running, Code::TeamLeft).await,
            _ => Ok(()),
        }
    }

    /// Something that staff should know, once in a sync.
    async fn told(&mut self, running: &Arc<Running>, code: Code) -> Result<()> {
        if !self.report.notices.iter().any(|notice| notice.code == code.as_str()) {
            self.report.notices.push(Notice::of(code));
            running.on_store(move |tablet| apply(tablet, Step::Notice(code))).await?;
        }
        Ok(())
    }

    fn count(&mut self, link: &Link) {
        self.report.bytes_up = link.counters.up.load(Ordering::Relaxed);
        self.report.bytes_down = link.counters.down.load(Ordering::Relaxed);
    }
}

/// An answer as it comes.
struct Arriving<'a> {
    answering: Answering<'a>,
    engine: &'a mut Engine,
    /// Bytes that have arrived.
    size: usize,
}

/// What came of some of it; how it ended, if it did.
struct Piece {
    answer: Answer,
    over: Option<Result<()>>,
}

impl Arriving<'_> {
    /// Reads on until there is something to do.
    async fn piece(&mut self) -> Piece {
        loop {
            let bytes = match self.answering.next().await {
                Ok(Some(bytes)) => bytes,
                Ok(None) => return Piece { answer: self.engine.finish(true), over: Some(Ok(())) },
                Err(cut) => return Piece { answer: self.engine.finish(false), over: Some(Err(cut)) },
            };
            self.size += bytes.len();
            let answer = self.engine.feed(&bytes);
            if !answer.steps.is_empty() || answer.error.is_some() {
                return Piece { answer, over: None };
            }
        }
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

/// Written only when something changed: a sync that finds nothing new writes nothing but that it was.
async fn keep(running: &Arc<Running>, before: &Memory, now: Memory) -> Result<Memory> {
    if *before == now {
        return Ok(now);
    }
    let before = before.clone();
    running.on_store(move |tablet| tablet.store.write(|conn| now.keep(conn, &before)).map(|()| now)).await
}

/// What the store holds now, and the server's time as estimated here.
pub(crate) fn outline(tablet: &Inner) -> Result<(Outline, u64)> {
    tablet.store.read(|conn| {
        let memory = Memory::load(conn)?;
        let (places, offers) = (log::places(conn)?, log::offers(conn, memory.budget())?);
        let refilling = places.iter().filter(|place| place.refilling);
        let held = refilling.map(|place| Ok((place.team, repair_store::held(conn, place.team)?)));
        let held = held.collect::<Result<_>>()?;
        let receipt = receipt(conn)?;
        let asks_unlock = meta::get::<[u8; 32]>(conn, meta::UNLOCK_SECRET)?.is_none();
        let outline = Outline { places, offers, memory, held, receipt, asks_unlock };
        Ok((outline, tablet.asks_at(conn)?))
    })
}

/// How a request begins that asks something beside an exchange, of a server that streams.
fn hello(tablet: &Inner, conn: &Connection, teams: Vec<Place>) -> Result<Hello> {
    Ok(Hello {
        version: STREAMED_VERSION,
        capabilities: capability::OURS,
        tablet: tablet.identity(conn)?.public,
        nonce: tablet.env.bytes(),
        time_ms: tablet.asks_at(conn)?,
        teams,
    })
}

/// The last receipt. One that cannot be read is as good as none.
fn receipt(conn: &rusqlite::Connection) -> Result<Option<Receipt>> {
    let bytes: Option<Vec<u8>> = meta::get(conn, meta::RECEIPT)?;
    Ok(bytes.and_then(|bytes| Receipt::from_bytes(&bytes).ok()))
}
