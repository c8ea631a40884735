//! Links without a network: the tablets' own sync hands its requests to the server's own router in this thread. On the way
//! they are cut at any byte, held back, sent twice, damaged; and either side may die meanwhile.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use axum::{
    Router,
    body::{Body, Bytes},
    http::{Request, StatusCode},
};
use ed25519_dalek::SigningKey;
use futures_util::stream;
use http_body_util::BodyExt;
use sha2::{Digest, Sha256};
use tower::ServiceExt;
use wayside_client_core::{Carried, Carrier, ManualClock, RecordId};
use wayside_protocol::{
    record::{Hash, change_hash},
    sync::{
        CLOCK_WINDOW_MS, Frame, PublicKey,
        frame::{self, Incoming, Item},
    },
};

use super::{
    disk::{Mark, copy_dir},
    older::{ALL, answered, as_version_1},
    world::MOST_SKEW,
};

/// What HTTP adds to a body in each direction, about: see the test of promise 6 for what it is on a real link.
pub const HEAD: u64 = 140;
const EXCHANGE: &str = "/sync/v1";
/// One record of TLS: what is damaged in it never reaches the reader.
const TLS_RECORD: usize = 16 << 10;

/// What happens to one request of a sync, counted from nought, or to its answer. Shares are of its bytes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Fault {
    CutUp(f64),
    CutDown(f64),
    /// The link is cut, and the request arrives at some later time, after others.
    Late,
    Twice,
    /// A byte turns on the way up, behind TLS.
    DamagedUp(f64),
    /// A byte turns on the way down: TLS ends the link at that record.
    DamagedDown(f64),
    ServerDies,
    /// Somebody records on the tablet while the request is on its way.
    Meanwhile,
    /// Its request is on the way.
    TabletDiesSending,
    /// It has the answer and is storing it.
    TabletDiesStoring,
}

/// A request that is held back.
pub struct Late {
    pub path: String,
    pub body: Vec<u8>,
    /// When that began.
    pub since: u64,
}

impl Late {
    /// Whether the tablet's clock was so far off that base would not have taken it then.
    pub fn has_wrong_time(&self) -> bool {
        let frames = frame::decode(&self.body).unwrap_or_default();
        let time = frames.iter().find_map(|frame| match frame {
            Frame::Hello(hello) => Some(hello.time_ms),
            _ => None,
        });
        time.is_some_and(|time| time.abs_diff(self.since) > CLOCK_WINDOW_MS - MOST_SKEW.unsigned_abs())
    }
}

/// What all links share.
#[derive(Default)]
pub struct Wire {
    /// The nodes over the one log, while they are up: no request knows to which it goes.
    pub nodes: Vec<Router>,
    pub log: PathBuf,
    pub late: Vec<Late>,
    /// What time it is.
    pub now: Arc<AtomicU64>,
    /// The server died: how its log stood when the request came.
    pub died: Option<Mark>,
    /// Keys that tablets made, by what is public of them, and base's.
    pub keys: BTreeMap<PublicKey, SigningKey>,
    pub identity: PublicKey,
    /// Everything that went over any link.
    trace: Sha256,
}

impl Wire {
    pub fn note(&mut self, what: &[u8]) {
        self.trace.update((what.len() as u64).to_le_bytes());
        self.trace.update(what);
    }

    pub fn digest(&self) -> [u8; 32] {
        self.trace.clone().finalize().into()
    }
}

/// Changes by team, record and hash.
pub type Carriage = BTreeSet<(RecordId, RecordId, Hash)>;

/// What went over a link one way in one sync.
#[derive(Default, Clone)]
pub struct Way {
    /// The changes of each frame that was sent, and whether all of it arrived.
    pub frames: Vec<(Carriage, bool)>,
}

impl Way {
    /// Of `sent` the first `arrived` bytes came through.
    fn note(&mut self, sent: &[u8], arrived: usize) {
        let whole = frames(&sent[..arrived.min(sent.len())]).len();
        let all = frames(sent).into_iter().enumerate();
        self.frames.extend(all.map(|(n, changes)| (changes, n < whole)));
    }

    pub fn all(&self) -> Carriage {
        self.frames.iter().flat_map(|(changes, _)| changes).copied().collect()
    }

    /// The changes of those that arrived whole.
    pub fn arrived(&self) -> Carriage {
        let whole = self.frames.iter().filter(|(_, whole)| *whole);
        whole.flat_map(|(changes, _)| changes).copied().collect()
    }

    /// Whether these are changes of one frame alone.
    pub fn one_frame_has(&self, changes: &Carriage) -> bool {
        changes.is_empty() || self.frames.iter().any(|(frame, _)| changes.is_subset(frame))
    }
}

/// What each whole frame of changes in a body carries.
fn frames(body: &[u8]) -> Vec<Carriage> {
    let mut incoming = Incoming::default();
    let mut all = Vec::new();
    if incoming.push(body).is_err() {
        return all;
    }
    while let Ok(Some(frame)) = incoming.next_frame() {
        let Frame::Changes(changes) = frame else { continue };
        let items = changes.lists.iter().flat_map(|list| &list.items);
        let bodies = items.filter_map(|item| match item {
            Item::Body { record, raw, .. } => Some((changes.team, *record, change_hash(raw))),
            Item::Absent { .. } => None,
        });
        all.push(bodies.collect());
    }
    all
}

/// One tablet's link.
#[derive(Clone)]
pub struct Line(Arc<Inner>);

struct Inner {
    wire: Arc<Mutex<Wire>>,
    own: Mutex<Own>,
    clock: Arc<ManualClock>,
}

#[derive(Default)]
pub struct Own {
    /// What happens to which request.
    pub fault: Option<(usize, Fault)>,
    /// Requests of this sync so far.
    pub requests: usize,
    pub up: u64,
    pub down: u64,
    /// Whether somebody wants to know which frames of changes these were.
    pub watched: bool,
    pub sent: Way,
    pub came: Way,
    /// Whether the fault happened.
    pub hit: bool,
    /// The tablet died: what is left of it, or how its database stood when the answer came.
    pub died: Option<Died>,
    /// Where the tablet's database is.
    pub dir: PathBuf,
    /// Where what is left of it goes.
    pub grave: PathBuf,
    /// Bytes a second.
    pub rate: u64,
    /// What the server is not known to be able to do: as if it were an older one.
    pub hidden: u64,
    /// What somebody does on the tablet while the faulty request is on its way.
    pub meanwhile: Option<Box<dyn FnOnce() + Send>>,
}

pub enum Died {
    Left,
    At(Mark),
}

impl Line {
    pub fn new(wire: Arc<Mutex<Wire>>, clock: Arc<ManualClock>) -> Line {
        Line(Arc::new(Inner { wire, own: Mutex::default(), clock }))
    }

    pub fn own(&self) -> MutexGuard<'_, Own> {
        lock(&self.0.own)
    }

    /// Before the next sync.
    pub fn begin(&self, fault: Option<(usize, Fault)>) {
        let mut own = self.own();
        (own.fault, own.requests, own.up, own.down) = (fault, 0, 0, 0);
        (own.hit, own.died) = (false, None);
        (own.sent, own.came) = Default::default();
    }

    async fn carry(self, path: String, body: Vec<u8>) -> Option<Carried> {
        let inner = &*self.0;
        let body = match self.as_sent(&path, body) {
            Ok(body) => body,
            Err(refused) => return Some(refused),
        };
        let (fault, rate) = {
            let mut own = self.own();
            own.up += body.len() as u64 + HEAD;
            let here = own.requests;
            own.requests += 1;
            if own.died.is_some() {
                return None;
            }
            let fault = own.fault.filter(|(at, _)| *at == here).map(|(_, fault)| fault);
            own.hit |= fault.is_some();
            (fault, own.rate.max(1))
        };
        let pass = |bytes: usize| inner.clock.advance((bytes as u64 * 1000 / rate) as i64);
        pass(body.len());
        lock(&inner.wire).note(&body);
        let through = if let Some(Fault::CutUp(share)) = fault { at(&body, share) } else { body.len() };
        {
            let mut own = self.own();
            if own.watched {
                own.sent.note(&body, through);
            }
        }
        let log = {
            let wire = lock(&inner.wire);
            wire.nodes.first()?;
            Mark::of(&wire.log)
        };
        let carried = match fault {
            Some(Fault::CutUp(_)) => {
                deliver(&inner.wire, &path, &body[..through], false).await;
                None
            }
            Some(Fault::Meanwhile) => {
                let meanwhile = self.own().meanwhile.take();
                if let Some(act) = meanwhile {
                    act();
                }
                deliver(&inner.wire, &path, &body, true).await
            }
            Some(Fault::Late) => {
                let mut wire = lock(&inner.wire);
                let since = wire.now.load(Ordering::Relaxed);
                wire.late.push(Late { path, body, since });
                None
            }
            Some(Fault::Twice) => {
                let first = deliver(&inner.wire, &path, &body, true).await;
                deliver(&inner.wire, &path, &body, true).await;
                first
            }
            Some(Fault::DamagedUp(share)) => {
                let mut damaged = body.clone();
                let at = at(&body, share).min(body.len().saturating_sub(1));
                damaged[at] ^= 1 << (at % 8);
                deliver(&inner.wire, &path, &damaged, true).await
            }
            Some(Fault::TabletDiesSending) => {
                {
                    let mut own = self.own();
                    copy_dir(&own.dir, &own.grave).ok()?;
                    own.died = Some(Died::Left);
                }
                deliver(&inner.wire, &path, &body, true).await;
                None
            }
            _ => deliver(&inner.wire, &path, &body, true).await,
        };
        let mut carried = answered(carried?, self.own().hidden);
        let cut = match fault {
            Some(Fault::CutDown(share)) => Some(at(&carried.body, share)),
            Some(Fault::DamagedDown(share)) => Some(at(&carried.body, share) / TLS_RECORD * TLS_RECORD),
            _ => None,
        };
        {
            let mut own = self.own();
            if own.watched {
                own.came.note(&carried.body, cut.unwrap_or(carried.body.len()));
            }
        }
        if let Some(cut) = cut {
            carried.body.truncate(cut);
            carried.cut = true;
        }
        pass(carried.body.len());
        let mut own = self.own();
        own.down += carried.body.len() as u64 + HEAD;
        let mut wire = lock(&inner.wire);
        wire.note(&carried.body);
        match fault {
            Some(Fault::ServerDies) => {
                (wire.nodes, wire.died) = (Vec::new(), Some(log));
                return None;
            }
            Some(Fault::TabletDiesStoring) => {
                own.died = Some(Died::At(Mark::of(&own.dir.join("tablet.db"))));
            }
            // Not even its head came.
            Some(Fault::CutDown(_)) if carried.body.is_empty() => return None,
            _ => {}
        }
        Some(carried)
    }

    /// A request as this tablet's program says it, or how it is refused.
    fn as_sent(&self, path: &str, body: Vec<u8>) -> Result<Vec<u8>, Carried> {
        if self.own().hidden != ALL || path != EXCHANGE {
            return Ok(body);
        }
        let wire = lock(&self.0.wire);
        as_version_1(body, &wire.keys, &wire.identity)
    }
}

impl Carrier for Line {
    fn post(&self, path: &str, body: Vec<u8>) -> Pin<Box<dyn Future<Output = Option<Carried>> + Send>> {
        Box::pin(self.clone().carry(path.to_owned(), body))
    }
}

fn at(body: &[u8], share: f64) -> usize {
    ((body.len() as f64 * share) as usize).min(body.len())
}

/// Hands a request to the server, whole or as much of it as came before the link was cut. `None`: nobody is there.
pub async fn deliver(wire: &Mutex<Wire>, path: &str, body: &[u8], whole: bool) -> Option<Carried> {
    let node = {
        let nodes = &lock(wire).nodes;
        // A request ends with its signature.
        let any = body.last().copied().unwrap_or_default() as usize;
        nodes.get(any % nodes.len().max(1))?.clone()
    };
    let mut pieces: Vec<Result<Bytes, std::io::Error>> =
        body.chunks(4096).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
    if !whole {
        pieces.push(Err(std::io::ErrorKind::ConnectionReset.into()));
    }
    let request = Request::post(path).body(Body::from_stream(stream::iter(pieces))).ok()?;
    let response = node.oneshot(request).await.ok()?;
    let status: StatusCode = response.status();
    let body = response.into_body().collect().await.ok()?.to_bytes().to_vec();
    Some(Carried { status: status.as_u16(), body, cut: false })
}

pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// For whoever looks at a path of a log.
pub fn log_in(data: &Path) -> PathBuf {
    data.join("log.db")
}
