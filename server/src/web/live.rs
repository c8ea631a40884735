//! The live channel of open pages: it says that something changed, never what.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderName, HeaderValue};
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use tokio::sync::watch;

use super::{Door, Visitor, Web, blocking};
use crate::accounts;
use crate::health::Channel as Open;

/// Proxies close what is silent. Spread, so that a thousand pages do not all speak at once.
const HEARTBEAT: Duration = Duration::from_secs(15);
const JITTER_MS: u64 = 5000;

struct Channel {
    web: Arc<Web>,
    visitor: Visitor,
    heads: watch::Receiver<String>,
    closing: watch::Receiver<bool>,
    begun: bool,
    ended: bool,
    _counted: Open,
}

pub async fn events(State(door): State<Arc<Door>>, Extension(visitor): Extension<Visitor>) -> Response {
    let web = door.web.clone();
    let (heads, closing) = (web.base.viewed(), web.closing.subscribe());
    let _counted = web.base.metrics.channel("pages");
    let channel = Channel { web, visitor, heads, closing, begun: false, ended: false, _counted };
    let mut response = Sse::new(stream::unfold(channel, next)).into_response();
    // Some proxies gather answers unless told not to.
    let unbuffered = HeaderName::from_static("x-accel-buffering");
    response.headers_mut().insert(unbuffered, HeaderValue::from_static("no"));
    response
}

async fn next(mut channel: Channel) -> Option<(Result<Event, Infallible>, Channel)> {
    if channel.ended {
        return None;
    }
    let moved = if channel.begun {
        let beat = HEARTBEAT + Duration::from_millis(rand::random::<u64>() % JITTER_MS);
        tokio::select! {
            moved = channel.heads.changed() => {
                moved.ok()?;
                true
            }
            _ = channel.closing.wait_for(|closing| *closing) => return None,
            () = tokio::time::sleep(beat) => false,
        }
    } else {
        channel.begun = true;
        true
    };
    // Signed out, disabled or run out since: this page hears no more.
    if !still_there(&channel).await {
        channel.ended = true;
        return Some((Ok(Event::default().event("end").data("signed out")), channel));
    }
    let event = if moved {
        let heads = channel.heads.borrow_and_update().clone();
        Event::default().event("heads").data(heads)
    } else {
        Event::default().comment("")
    };
    Some((Ok(event), channel))
}

async fn still_there(channel: &Channel) -> bool {
    let (base, visitor) = (channel.web.base.clone(), channel.visitor.clone());
    let there = blocking(move || {
        let now = base.clock.now_ms();
        base.log.read(|conn| match &visitor.login {
            Some(login) => Ok(accounts::still_signed_in(conn, login, now)?.is_some()),
            None => Ok(false),
        })
    });
    there.await.unwrap_or(false)
}
