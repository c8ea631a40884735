//! The coordinator's pages: server-rendered, readable without JavaScript, kept up to date by a small
//! script.
//!
//! `guard` stands in front of every address here, `sign_in` lets people in, `live` tells open pages that
//! something changed, `pages` shows what `crate::api` finds, `words` says it in English.

mod assets;
mod guard;
mod languages;
mod live;
mod pages;
mod sign_in;
#[cfg(test)]
mod tests;
pub(crate) mod words;

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::{Method, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::Response;
use axum::routing::{MethodRouter, any, get, post};
use tokio::sync::{Semaphore, watch};
use tower_http::compression::CompressionLayer;
use wayside_protocol::error::Code;

use crate::accounts::{Role, Throttle};
use crate::api::{self, Readers};
use crate::base::Base;
use crate::error::{Error, Result};
use crate::reach::Reaches;
use crate::router::{Route, Who};

pub(crate) use guard::{Visitor, note, retry_after, status};
pub(crate) use words::LONDON;

/// No form here is longer.
const MAX_FORM: usize = 64 * 1024;
/// Password hashes at once: each takes 19 MiB and a core.
const HASHES: usize = 2;
/// Sign-ins that may wait for one.
const WAITING: usize = 32;

/// What a service is called that nobody gave a name.
pub const DEFAULT_NAME: &str = "Wayside";

/// What all doors to the pages share.
pub struct Web {
    pub base: Arc<Base>,
    pub readers: Readers,
    pub reaches: Reaches,
    /// The organisation's own name for its service.
    pub name: String,
    throttle: Throttle,
    hashes: Semaphore,
    waiting: Semaphore,
    closing: watch::Sender<bool>,
}

impl Web {
    pub fn new(base: Arc<Base>, name: &str) -> Arc<Web> {
        Arc::new(Web {
            base,
            readers: Readers::default(),
            reaches: Reaches::default(),
            name: name.to_owned(),
            throttle: Throttle::default(),
            hashes: Semaphore::new(HASHES),
            waiting: Semaphore::new(WAITING),
            closing: watch::channel(false).0,
        })
    }

    /// Ends what would otherwise stay open: the channels of live pages.
    pub fn close(&self) {
        self.closing.send_replace(true);
    }
}

/// One listener on which the pages are served.
pub struct Door {
    pub web: Arc<Web>,
    /// Over TLS: cookies never go any other way.
    pub secure: bool,
    /// Without TLS: the port on this machine, by which alone this listener may be called.
    pub loopback: Option<u16>,
}

impl Door {
    /// Cookies know no ports: without TLS, several servers on one machine need names of their own.
    fn cookie(&self) -> String {
        match self.loopback {
            Some(port) => format!("wayside-{port}"),
            None => "__Host-wayside".to_owned(),
        }
    }
}

const fn page(path: &'static str) -> Route {
    Route { method: "GET", path, who: Who::Account(Role::Viewer) }
}

/// A form that changes nothing: what is asked must not stand in an address.
const fn reads(path: &'static str) -> Route {
    Route { method: "POST", path, who: Who::Account(Role::Viewer) }
}

const fn open(method: &'static str, path: &'static str) -> Route {
    Route { method, path, who: Who::Anyone }
}

const fn settles(path: &'static str) -> Route {
    Route { method: "POST", path, who: Who::Account(Role::Coordinator) }
}

const fn administers(path: &'static str) -> Route {
    Route { method: "POST", path, who: Who::Account(Role::Administrator) }
}

/// What leaves this server with names in it.
const fn exports(path: &'static str) -> Route {
    Route { method: "GET", path, who: Who::Account(Role::Coordinator) }
}

/// Every address of the pages and of the API under them.
pub const ROUTES: &[Route] = &[
    open("GET", "/assets/{name}"),
    open("GET", "/sign-in"),
    open("POST", "/sign-in"),
    Route { method: "GET", path: "/sign-in/once", who: Who::LinkHolder },
    Route { method: "POST", path: "/sign-out", who: Who::Account(Role::Viewer) },
    page("/"),
    page("/sessions"),
    page("/sessions/{id}"),
    page("/people/{id}"),
    page("/checks/{id}"),
    page("/checks/{id}/letter"),
    page("/records/{id}"),
    settles("/records/{id}/settle"),
    settles("/records/{id}/act"),
    page("/follow-ups"),
    page("/duplicates"),
    page("/fleet"),
    page("/fleet/{id}"),
    settles("/fleet/{id}"),
    administers("/fleet"),
    page("/sites"),
    page("/sites/{id}"),
    settles("/sites"),
    settles("/sites/{id}"),
    page("/api/v1/fleet"),
    page("/api/v1/sites"),
    page("/quality"),
    page("/api/v1/quality"),
    page("/find"),
    reads("/find"),
    page("/find/{id}"),
    page("/reach"),
    page("/reach.csv"),
    page("/people/{id}/beside/{other}"),
    page("/quarantine"),
    page("/teams"),
    page("/teams/{id}"),
    page("/teams/{id}/staff/{entry}"),
    page("/teams/{id}/services/{entry}"),
    settles("/teams/{id}/staff"),
    settles("/teams/{id}/staff/{entry}"),
    settles("/teams/{id}/staff/{entry}/pin"),
    settles("/teams/{id}/staff/{entry}/unlock"),
    settles("/teams/{id}/services"),
    settles("/teams/{id}/services/{entry}"),
    settles("/teams/{id}/groups"),
    settles("/teams/{id}/guide"),
    settles("/teams/{id}/lock"),
    page("/api/v1/teams"),
    page("/api/v1/teams/{id}"),
    page("/events"),
    settles("/records/{id}/claim"),
    settles("/quarantine/{hash}/seen"),
    page("/api/v1/today"),
    settles("/api/v1/records/{id}/claim"),
    settles("/api/v1/quarantine/{hash}/seen"),
    page("/api/v1/sessions"),
    page("/api/v1/sessions/{id}"),
    page("/api/v1/people/{id}"),
    page("/api/v1/checks/{id}"),
    page("/api/v1/records/{id}/history"),
    settles("/api/v1/records/{id}/settle"),
    settles("/api/v1/records/{id}/act"),
    page("/api/v1/follow-ups"),
    page("/api/v1/duplicates"),
    page("/api/v1/conflicts"),
    page("/api/v1/reach"),
    reads("/api/v1/find"),
    page("/api/v1/people/{id}/beside/{other}"),
    page("/api/v1/quarantine"),
    exports("/api/v1/checks/{id}/fhir"),
    exports("/api/v1/checks/{id}/gp-summary"),
    exports("/api/v1/sessions/{id}/fhir"),
    exports("/api/v1/fhir/{name}"),
];

fn handler(route: &Route) -> Option<MethodRouter<Arc<Door>>> {
    Some(match (route.method, route.path) {
        ("GET", "/assets/{name}") => get(assets::asset),
        ("GET", "/sign-in") => get(sign_in::form),
        ("POST", "/sign-in") => post(sign_in::with_password),
        ("GET", "/sign-in/once") => get(sign_in::with_link),
        ("POST", "/sign-out") => post(sign_in::out),
        ("GET", "/") => get(pages::today),
        ("GET", "/sessions") => get(pages::sessions),
        ("GET", "/sessions/{id}") => get(pages::session),
        ("GET", "/people/{id}") => get(pages::person),
        ("GET", "/checks/{id}") => get(pages::check),
        ("GET", "/checks/{id}/letter") => get(pages::letter),
        ("GET", "/records/{id}") => get(pages::record),
        ("POST", "/records/{id}/settle") => post(pages::settle),
        ("POST", "/records/{id}/act") => post(pages::act),
        ("POST", "/records/{id}/claim") => post(pages::claim),
        ("POST", "/quarantine/{hash}/seen") => post(pages::looked),
        ("GET", "/follow-ups") => get(pages::follow_ups),
        ("GET", "/duplicates") => get(pages::duplicates),
        ("GET", "/fleet") => get(pages::fleet),
        ("POST", "/fleet") => post(pages::enrol),
        ("GET", "/fleet/{id}") => get(pages::tablet),
        ("POST", "/fleet/{id}") => post(pages::rename_tablet),
        ("GET", "/sites") => get(pages::sites),
        ("POST", "/sites") => post(pages::add_site),
        ("GET", "/sites/{id}") => get(pages::site),
        ("POST", "/sites/{id}") => post(pages::change_site),
        ("GET", "/quality") => get(pages::quality),
        ("GET", "/find") => get(pages::find_form),
        ("POST", "/find") => post(pages::find),
        ("GET", "/find/{id}") => get(pages::open_found),
        ("GET", "/reach") => get(pages::reach),
        ("GET", "/reach.csv") => get(pages::reach_csv),
        ("GET", "/people/{id}/beside/{other}") => get(pages::beside),
        ("GET", "/quarantine") => get(pages::quarantine),
        ("GET", "/teams") => get(pages::team::teams),
        ("GET", "/teams/{id}") => get(pages::team::team),
        ("GET", "/teams/{id}/staff/{entry}") => get(pages::team::member),
        ("GET", "/teams/{id}/services/{entry}") => get(pages::team::service),
        ("POST", "/teams/{id}/staff") => post(pages::team::add_member),
        ("POST", "/teams/{id}/staff/{entry}") => post(pages::team::change_member),
        ("POST", "/teams/{id}/staff/{entry}/pin") => post(pages::team::set_pin),
        ("POST", "/teams/{id}/staff/{entry}/unlock") => post(pages::team::unlock),
        ("POST", "/teams/{id}/services") => post(pages::team::add_service),
        ("POST", "/teams/{id}/services/{entry}") => post(pages::team::change_service),
        ("POST", "/teams/{id}/groups") => post(pages::team::set_group),
        ("POST", "/teams/{id}/guide") => post(pages::team::set_guide),
        ("POST", "/teams/{id}/lock") => post(pages::team::set_lock_minutes),
        ("GET", "/api/v1/teams") => get(pages::team::teams_json),
        ("GET", "/api/v1/teams/{id}") => get(pages::team::team_json),
        ("GET", "/events") => get(live::events),
        _ => return api::handler(route),
    })
}

/// The router of [`ROUTES`], each behind the guard, for a listener of its own.
pub fn router(door: Door) -> Router {
    let door = Arc::new(door);
    routes(&door).fallback_service(unknown(&door))
}

/// The same without an answer for other addresses.
pub fn routes(door: &Arc<Door>) -> Router {
    let mut router = Router::new();
    for route in ROUTES {
        if let Some(handler) = handler(route) {
            let guard = from_fn_with_state((door.clone(), route), guard::guard);
            router = router.route(route.path, handler.layer(guard));
        }
    }
    // Pages shrink to a tenth; what streams (events) is left alone. How long an answer is gives away what is in it only to
    // somebody who can have it asked for with text of their own beside it, and no other site can: cookies are strict.
    router.layer(CompressionLayer::new()).layer(DefaultBodyLimit::max(MAX_FORM)).with_state(door.clone())
}

/// What answers where there is nothing: a page for people, a code for programs.
pub fn unknown(door: &Arc<Door>) -> MethodRouter {
    static NOWHERE: Route = page("/{*nowhere}");
    let guard = from_fn_with_state((door.clone(), &NOWHERE), guard::guard);
    any(pages::nowhere).layer(guard).layer(from_fn(programs)).with_state(door.clone())
}

async fn programs(request: Request, next: Next) -> Response {
    let accepts = request.headers().get(header::ACCEPT).and_then(|accepts| accepts.to_str().ok());
    let reads = accepts.is_some_and(|accepts| accepts.contains("text/html"));
    if request.method() == Method::GET && reads && !request.uri().path().starts_with("/api/") {
        next.run(request).await
    } else {
        api::refuse(&Code::NotFound.into())
    }
}

/// Does what blocks where that is allowed.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work).await.unwrap_or(Err(Error::Internal("a panic inside a request")))
}
