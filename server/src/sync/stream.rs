//! Requests as they arrive.
//!
//! Each changes frame is committed as soon as it is whole, so that a cut costs the one that was on its way. Nobody waits
//! for a slow body: a place among those that are worked on is taken for each piece of work, never while reading, and
//! places are given in the order in which they were asked for.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, header};
use http_body_util::BodyExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout, timeout_at};
use wayside_protocol::error::Code;
use wayside_protocol::sync::frame::{Frame, Head, Incoming, MAX_BODY, STREAMED_VERSION};

use super::{Answer, Exchange, MOST_CREDIT, whole_changes};
use crate::base::Base;
use crate::error::{Error, Result};

/// Requests that are worked on at once: a bound on memory, and enough that one commit serves many.
const AT_ONCE: usize = 64;
/// Requests whose bodies are being read, or that wait for a place. Whoever comes later is asked to come again.
const OPEN: usize = 1024;
/// Tablets that are told of news.
const LIVE: usize = 4096;
/// How long a body may stand still. A bad link pauses; a dead one should free its place.
const STILL: Duration = Duration::from_secs(60);
/// And how long it may take: a body of the largest credit at 10 kbit/s.
const WHOLE: Duration = Duration::from_secs(15 * 60);
/// How long a body is read on without a word after its tablet has come again.
const LAST_WORDS: Duration = Duration::from_millis(200);
/// How long a refused body is read on.
const DRAIN: Duration = Duration::from_secs(10);
/// No honest head is larger before its seal comes.
const MAX_HEAD: usize = 256 << 10;
/// What the bodies of all requests that are open should hold together.
const ALL_BODIES: u64 = 64 << 20;
const LEAST_CREDIT: u64 = 64 << 10;
/// Those who are asked to come again do so spread over this time.
const AGAIN_SECONDS: std::ops::Range<u64> = 2..12;

/// Who may be served at once.
pub struct Gate {
    places: Arc<Semaphore>,
    open: Arc<Semaphore>,
    live: Arc<Semaphore>,
    #[cfg(test)]
    pub worked: std::sync::atomic::AtomicU64,
}

impl Default for Gate {
    fn default() -> Gate {
        Gate::of(AT_ONCE, OPEN, LIVE)
    }
}

impl Gate {
    pub fn of(at_once: usize, open: usize, live: usize) -> Gate {
        let many = |many| Arc::new(Semaphore::new(many));
        Gate {
            places: many(at_once),
            open: many(open),
            live: many(live),
            #[cfg(test)]
            worked: Default::default(),
        }
    }

    /// For as long as a request is read and answered.
    pub fn enter(&self) -> Result<OwnedSemaphorePermit> {
        self.open.clone().try_acquire_owned().map_err(|_| busy())
    }

    /// For as long as a tablet waits for news.
    pub fn enter_live(&self) -> Result<OwnedSemaphorePermit> {
        self.live.clone().try_acquire_owned().map_err(|_| busy())
    }

    /// Does a piece of work where blocking is allowed, in its turn.
    pub async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<T> {
        #[cfg(test)]
        self.worked.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let place = self.places.clone().acquire_owned().await;
        let request = tracing::Span::current();
        let work = move || {
            // Kept by the work itself, which goes on when the link is cut meanwhile.
            let _place = place;
            request.in_scope(work)
        };
        tokio::task::spawn_blocking(work).await.unwrap_or(Err(Error::Internal("a panic inside a request")))
    }

    /// What the next body of a tablet may hold, as things are now.
    fn credit(&self) -> u64 {
        let open = OPEN.saturating_sub(self.open.available_permits()).max(1);
        (ALL_BODIES / open as u64).clamp(LEAST_CREDIT, MOST_CREDIT)
    }
}

fn busy() -> Error {
    Error::Busy(rand::random_range(AGAIN_SECONDS))
}

/// A body that is being read.
pub struct Reading {
    body: Body,
    until: Instant,
    still: Duration,
    /// The address that it comes from, for the audit trail; empty where that is not known.
    pub from: String,
}

impl Reading {
    /// Refuses what says that it is too large before any of it is read.
    pub fn begin(headers: &HeaderMap, body: Body) -> Result<Reading> {
        let declared = headers.get(header::CONTENT_LENGTH);
        let declared = declared.and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
        if declared.is_some_and(|length| length > MAX_BODY as u64) {
            return Err(Code::TooLarge.into());
        }
        Ok(Reading { body, until: Instant::now() + WHOLE, still: STILL, from: String::new() })
    }

    /// For a body that must not be given up because a machine is busy.
    #[cfg(test)]
    pub fn patient(self) -> Reading {
        Reading { still: WHOLE, ..self }
    }

    /// What came next, until the end.
    async fn next(&mut self) -> Result<Option<axum::body::Bytes>> {
        loop {
            let next = timeout_at(self.until, timeout(self.still, self.body.frame())).await;
            let Some(frame) = next.map_err(|_| Code::LinkCut)?.map_err(|_| Code::LinkCut)? else {
                return Ok(None);
            };
            if let Ok(data) = frame.map_err(|_| Code::LinkCut)?.into_data() {
                return Ok(Some(data));
            }
        }
    }

    /// The whole body.
    pub async fn whole(&mut self) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.rest(&mut bytes).await?;
        Ok(bytes)
    }

    async fn rest(&mut self, bytes: &mut Vec<u8>) -> Result<()> {
        while let Some(data) = self.next().await? {
            if bytes.len() + data.len() > MAX_BODY {
                return Err(Code::TooLarge.into());
            }
            bytes.extend_from_slice(&data);
        }
        Ok(())
    }

    /// Reads on for a moment and forgets it: who is still sending does not hear why they are refused.
    pub async fn drain(&mut self) {
        let rest = async { while let Ok(Some(_)) = self.next().await {} };
        let _ = timeout(DRAIN, rest).await;
    }

    /// The head of a request of version 2, or the whole of an older one.
    async fn head(&mut self, incoming: &mut Incoming) -> Result<Begun> {
        let mut bytes = Vec::new();
        loop {
            if let Some(frame) = incoming.peek()? {
                match frame {
                    Frame::Hello(hello) if hello.version == STREAMED_VERSION => {}
                    _ => {
                        self.rest(&mut bytes).await?;
                        return Ok(Begun::Whole(bytes));
                    }
                }
                if let Some(head) = incoming.next_head()? {
                    return Ok(Begun::Head(head));
                }
            }
            if incoming.unread() > MAX_HEAD {
                return Err(Code::FrameMalformed.into());
            }
            let Some(data) = self.next().await? else { return Err(Code::FrameMalformed.into()) };
            bytes.extend_from_slice(&data);
            push(incoming, &data)?;
        }
    }

    /// A head that nothing may follow.
    pub async fn only_head(&mut self) -> Result<Head> {
        let bytes = self.whole().await?;
        let mut incoming = Incoming::default();
        push(&mut incoming, &bytes)?;
        match incoming.next_head()? {
            Some(head) if incoming.is_empty() => Ok(head),
            _ => Err(Code::FrameMalformed.into()),
        }
    }
}

enum Begun {
    Head(Head),
    Whole(Vec<u8>),
}

fn push(incoming: &mut Incoming, data: &[u8]) -> Result<()> {
    incoming.push(data).map_err(|_| Code::TooLarge.into())
}

/// Takes in a whole exchange as it comes, and answers it.
pub async fn receive(base: Arc<Base>, gate: &Gate, reading: &mut Reading) -> Result<Answer> {
    let mut incoming = Incoming::default();
    let head = match reading.head(&mut incoming).await? {
        Begun::Head(head) => head,
        Begun::Whole(body) => {
            let from = reading.from.clone();
            return gate.work(move || super::exchanged(&base, &body, &from)).await;
        }
    };
    let (opening, from) = (base.clone(), reading.from.clone());
    let (mut exchange, _) = gate.work(move || Exchange::open(&opening, head, &from)).await?;
    let (tablet, nonce, given_up) = exchange.turn();
    let mut turn = base.turns.take(tablet, nonce, given_up).await?;
    let recalling = base.clone();
    let recall = move || {
        exchange.take_turn(&recalling)?;
        exchange.recall(&recalling).map(|()| exchange)
    };
    exchange = gate.work(recall).await?;
    loop {
        let changes = whole_changes(&mut incoming)?;
        if !changes.is_empty() {
            let base = base.clone();
            let pushed = move || exchange.push(&base, changes).map(|()| exchange);
            exchange = gate.work(pushed).await?;
        }
        let next = tokio::select! {
            biased;
            next = reading.next() => next?,
            // Its link was cut, whether or not that has been noticed here. What has arrived still counts.
            () = turn.is_over() => timeout(LAST_WORDS, reading.next()).await.map_err(|_| Code::LinkCut)??,
        };
        match next {
            Some(data) => push(&mut incoming, &data)?,
            None if incoming.is_empty() => break,
            None => return Err(Code::FrameMalformed.into()),
        }
    }
    let credit = gate.credit();
    gate.work(move || exchange.answer(&base, credit)).await
}
