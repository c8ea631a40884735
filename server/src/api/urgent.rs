//! New urgent checks, for programs: as a list, and as a stream that stays open. Either goes on from a cursor.
//!
//! What somebody is told of holds no name: who it is about stands in the check.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use data_encoding::BASE64URL_NOPAD;
use futures_util::stream;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::{Semaphore, SemaphorePermit, watch};
use utoipa::ToSchema;
use wayside_protocol::error::Code;
use wayside_protocol::record::RecordId;

use super::http::asked;
use super::{cursor, refuse};
use crate::accounts;
use crate::error::{Error, Result};
use crate::health::Channel;
use crate::views::{Position, Views};
use crate::web::{Door, Visitor, Web, blocking};

/// Proxies close what is silent.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// After how many milliseconds to connect again.
const RECONNECT: Duration = Duration::from_secs(3);
/// Told in one go.
const BATCH: u64 = 100;
/// Streams at once.
static STREAMS: Semaphore = Semaphore::const_new(64);

/// An urgent check.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct UrgentCheck {
    /// The id of the check.
    pub id: String,
    /// The id of its team.
    pub team: String,
    /// By the reading that counts; null where only signs make it urgent.
    pub category: Option<String>,
    /// A code of the rules: `emergency` or `same_day`.
    pub urgency: String,
    /// Why, in English.
    pub why: String,
    /// When the check began, RFC 3339.
    pub at: String,
}

/// Urgent checks in the order in which they came to be.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct UrgentChecks {
    pub checks: Vec<UrgentCheck>,
    /// Send it as `after`, here or to the stream: what came since.
    pub next: String,
    /// Whether there is more already.
    pub more: bool,
}

/// From where, as in the address.
#[derive(Debug, Default, Deserialize)]
pub struct From {
    /// Empty for everything that is urgent now; `now` for what comes from now on.
    #[serde(default)]
    after: String,
    limit: Option<u64>,
}

/// The last that somebody was told of, in each team: the log's epoch, its number, and the check of that number.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Told(BTreeMap<RecordId, ([u8; 8], u64, [u8; 16])>);

const VERSION: u8 = b'u';
const ONE: usize = 16 + 8 + 8 + 16;

impl Told {
    fn parse(text: &str) -> Result<Told> {
        let bytes = BASE64URL_NOPAD.decode(text.as_bytes()).map_err(|_| Code::CursorInvalid)?;
        let teams = match bytes.split_first() {
            Some((&VERSION, teams)) if teams.len() % ONE == 0 => teams,
            _ => return Err(Code::CursorInvalid.into()),
        };
        let read = |bytes: &[u8]| {
            let (team, rest) = bytes.split_first_chunk()?;
            let (epoch, rest) = rest.split_first_chunk()?;
            let (seq, contact) = rest.split_first_chunk()?;
            // SQLite's numbers have a sign.
            let seq = u64::from_be_bytes(*seq).min(i64::MAX.cast_unsigned());
            Some((RecordId::from_bytes(*team), (*epoch, seq, contact.try_into().ok()?)))
        };
        Ok(Told(teams.chunks_exact(ONE).filter_map(read).collect()))
    }

    fn text(&self) -> String {
        let mut bytes = vec![VERSION];
        for (team, (epoch, seq, contact)) in &self.0 {
            bytes.extend(team.as_bytes());
            bytes.extend(epoch);
            bytes.extend(seq.to_be_bytes());
            bytes.extend(contact);
        }
        BASE64URL_NOPAD.encode(&bytes)
    }

    /// After what in a team's log; in another epoch than before everything comes again.
    fn of(&self, head: &Position) -> (u64, [u8; 16]) {
        match self.0.get(&head.team) {
            Some((epoch, seq, contact)) if *epoch == head.epoch => (*seq, *contact),
            _ => (0, [0; 16]),
        }
    }

    /// As if told of all there is.
    fn now(views: &Views) -> Result<Told> {
        let heads = views.positions()?;
        Ok(Told(heads.into_iter().map(|head| (head.team, (head.epoch, head.seq, [0xff; 16]))).collect()))
    }

    fn begin(after: &str, views: &Views) -> Result<Told> {
        match after {
            "" => Ok(Told::default()),
            "now" => Told::now(views),
            after => Told::parse(after),
        }
    }

    /// What comes next, each with what somebody was told of once they have it; no more than `limit`.
    fn next(&mut self, views: &Views, limit: u64) -> Result<Vec<(UrgentCheck, String)>> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let mut told = Vec::new();
        for head in views.positions()? {
            for urgent in views.urgent(head.team, self.of(&head), limit - told.len())? {
                self.0.insert(head.team, (head.epoch, urgent.seq, *urgent.contact.as_bytes()));
                if let Some(check) = views.show(urgent.contact)? {
                    told.push((UrgentCheck::of(&check), self.text()));
                }
            }
        }
        Ok(told)
    }
}

impl UrgentCheck {
    fn of(check: &Value) -> UrgentCheck {
        let text = |pointer: &str| check.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        UrgentCheck {
            id: text("/id").unwrap_or_default(),
            team: text("/team").unwrap_or_default(),
            category: text("/derived/category"),
            urgency: text("/derived/urgency").unwrap_or_default(),
            why: text("/derived/why").unwrap_or_default(),
            at: text("/started_at").unwrap_or_default(),
        }
    }
}

pub async fn list(
    State(door): State<Arc<Door>>,
    Extension(visitor): Extension<Visitor>,
    from: Result<Query<From>, QueryRejection>,
) -> Response {
    let web = door.web.clone();
    let found = blocking(move || {
        let from = asked(from)?;
        let limit = cursor::limit(from.limit)?;
        web.readers.of(&visitor.account()?.roles).read(&web.base, |views| {
            let mut told = Told::begin(&from.after, views)?;
            let checks = told.next(views, limit)?;
            let next = told.text();
            let more = !told.next(views, 1)?.is_empty();
            Ok(UrgentChecks { checks: checks.into_iter().map(|(check, _)| check).collect(), next, more })
        })
    });
    match found.await {
        Ok(page) => axum::Json(page).into_response(),
        Err(error) => refuse(&error),
    }
}

/// A program that is told.
struct Listener {
    web: Arc<Web>,
    visitor: Visitor,
    told: Told,
    /// What is to be told next, the last first.
    ready: Vec<Event>,
    moved: watch::Receiver<String>,
    closing: watch::Receiver<bool>,
    _permit: SemaphorePermit<'static>,
    _counted: Channel,
}

pub async fn stream(
    State(door): State<Arc<Door>>,
    Extension(visitor): Extension<Visitor>,
    headers: HeaderMap,
    from: Result<Query<From>, QueryRejection>,
) -> Response {
    match listen(&door, visitor, &headers, from).await {
        Ok(listener) => {
            let mut response = Sse::new(stream::unfold(listener, next)).into_response();
            // Some proxies gather answers unless told not to.
            let unbuffered = HeaderName::from_static("x-accel-buffering");
            response.headers_mut().insert(unbuffered, HeaderValue::from_static("no"));
            response
        }
        Err(error) => refuse(&error),
    }
}

async fn listen(
    door: &Arc<Door>,
    visitor: Visitor,
    headers: &HeaderMap,
    from: Result<Query<From>, QueryRejection>,
) -> Result<Listener> {
    let from = asked(from)?;
    // What a client says when it connects again is later than what stands in its address.
    let last =
        headers.get("last-event-id").and_then(|last| last.to_str().ok()).filter(|last| !last.is_empty());
    let after = last.unwrap_or(&from.after).to_owned();
    let permit = STREAMS.try_acquire().map_err(|_| Error::Busy(5))?;
    let web = door.web.clone();
    // Before anything is read: what comes in between is looked for once too often, never too seldom.
    let (moved, closing) = (web.base.viewed(), web.closing());
    let (inside, reads) = (web.clone(), visitor.clone());
    let told = blocking(move || {
        let readers = inside.readers.of(&reads.account()?.roles);
        readers.read(&inside.base, |views| Told::begin(&after, views))
    })
    .await?;
    let hello = Event::default().retry(RECONNECT).comment("listening");
    let _counted = web.base.metrics.channel("programs");
    Ok(Listener { web, visitor, told, ready: vec![hello], moved, closing, _permit: permit, _counted })
}

async fn next(mut listener: Listener) -> Option<(Result<Event, Infallible>, Listener)> {
    loop {
        if let Some(event) = listener.ready.pop() {
            return Some((Ok(event), listener));
        }
        listener.moved.mark_unchanged();
        // What cannot be read now, or no longer may be, ends it: whoever connects again goes on from here, or is told why not.
        listener.look().await.ok()?;
        if !listener.ready.is_empty() {
            continue;
        }
        let moved = tokio::select! {
            moved = listener.moved.changed() => {
                moved.ok()?;
                true
            }
            _ = listener.closing.wait_for(|closing| *closing) => return None,
            () = tokio::time::sleep(HEARTBEAT) => false,
        };
        if !moved {
            return Some((Ok(Event::default().comment("")), listener));
        }
    }
}

impl Listener {
    /// Gathers what is new, as far as this login still may.
    async fn look(&mut self) -> Result<()> {
        let (web, visitor, mut told) = (self.web.clone(), self.visitor.clone(), self.told.clone());
        let (told, found) = blocking(move || {
            let login = visitor.login.as_ref().ok_or(Code::NotSignedIn)?;
            let now = web.base.clock.now_ms();
            let login = web.base.log.read(|conn| accounts::still_signed_in(conn, login, now))?;
            let login = login.ok_or(Code::NotSignedIn)?;
            let readers = web.readers.of(&login.account.roles);
            let found = readers.read(&web.base, |views| told.next(views, BATCH))?;
            Ok((told, found))
        })
        .await?;
        for (check, id) in found.into_iter().rev() {
            let data = serde_json::to_string(&check).map_err(|_| Error::Internal("JSON of an event"))?;
            self.ready.push(Event::default().event("urgent").id(id).data(data));
        }
        self.told = told;
        Ok(())
    }
}
