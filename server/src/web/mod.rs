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
mod trail;
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

use crate::accounts::{Role, Scope, Throttle};
use crate::api::{self, Readers};
use crate::base::Base;
use crate::error::{Error, Result};
use crate::openapi;
use crate::reach::Reaches;
use crate::router::{Route, Who};

pub(crate) use guard::{Visitor, note, refuse_unseen, retry_after, status};
pub(crate) use pages::Ask;
pub(crate) use trail::{Said, address};
pub(crate) use words::LONDON;

/// No form here is longer.
pub(crate) const MAX_FORM: usize = 64 * 1024;
/// Password hashes at once: each takes 19 MiB and a core.
const HASHES: usize = 2;
/// Sign-ins that may wait for one.
const WAITING: usize = 32;

/// What a service is called that nobody gave a name.
pub const DEFAULT_NAME: &str = "Wayside";

/// What all doors to the pages share.
#[derive(Clone)]
pub struct Web {
    pub base: Arc<Base>,
    /// Nobody's, until [`Door::of`] makes them those of who asks: a handler that forgets to ask shows nothing.
    pub readers: Readers,
    pub reaches: Arc<Reaches>,
    /// The organisation's own name for its service.
    pub name: String,
    lately: Arc<trail::Lately>,
    throttle: Arc<Throttle>,
    hashes: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
    closing: watch::Sender<bool>,
}

impl Web {
    pub fn new(base: Arc<Base>, name: &str) -> Arc<Web> {
        Arc::new(Web {
            base,
            readers: Readers::nobody(),
            reaches: Arc::default(),
            name: name.to_owned(),
            lately: Arc::default(),
            throttle: Arc::default(),
            hashes: Arc::new(Semaphore::new(HASHES)),
            waiting: Arc::new(Semaphore::new(WAITING)),
            closing: watch::channel(false).0,
        })
    }

    /// True once everything that stays open is to end.
    pub(crate) fn closing(&self) -> watch::Receiver<bool> {
        self.closing.subscribe()
    }

    /// Ends what would otherwise stay open: the channels of live pages.
    pub fn close(&self) {
        self.closing.send_replace(true);
    }
}

/// One listener on which the pages are served.
#[derive(Clone)]
pub struct Door {
    pub web: Arc<Web>,
    /// Over TLS: cookies never go any other way.
    pub secure: bool,
    /// Without TLS: the port on this machine, by which alone this listener may be called.
    pub loopback: Option<u16>,
}

impl Door {
    /// The same door as somebody goes through it: what they read by is limited to their teams.
    fn of(&self, visitor: &Visitor) -> Arc<Door> {
        let Some(login) = &visitor.login else { return Arc::new(self.clone()) };
        let readers = self.web.readers.of(&login.account.roles);
        Arc::new(Door { web: Arc::new(Web { readers, ..Web::clone(&self.web) }), ..self.clone() })
    }

    /// Cookies know no ports: without TLS, several servers on one machine need names of their own.
    fn cookie(&self) -> String {
        match self.loopback {
            Some(port) => format!("wayside-{port}"),
            None => "__Host-wayside".to_owned(),
        }
    }
}

const fn page(path: &'static str) -> Route {
    Route::new("GET", path, Who::Account(Role::Viewer))
}

/// A form that changes nothing: what is asked must not stand in an address.
const fn reads(path: &'static str) -> Route {
    Route::new("POST", path, Who::Account(Role::Viewer))
}

const fn open(method: &'static str, path: &'static str) -> Route {
    Route::new(method, path, Who::Anyone)
}

const fn settles(path: &'static str) -> Route {
    Route::new("POST", path, Who::Account(Role::Coordinator))
}

const fn administers(path: &'static str) -> Route {
    Route::new("POST", path, Who::Account(Role::Administrator))
}

/// What is about whoever asks.
const fn own(method: &'static str, path: &'static str) -> Route {
    Route::new(method, path, Who::SignedIn)
}

/// What is about every team, or about none.
const fn keeps(method: &'static str, path: &'static str, least: Role) -> Route {
    Route::new(method, path, Who::EveryTeam(least))
}

/// What leaves this server with names in it.
const fn exports(path: &'static str) -> Route {
    Route::new("GET", path, Who::Account(Role::Coordinator))
}

/// Every address of the pages and of the API under them.
pub const ROUTES: &[Route] = &[
    open("GET", "/assets/{name}"),
    open("GET", "/sign-in"),
    open("POST", "/sign-in"),
    Route::new("GET", "/sign-in/once", Who::LinkHolder),
    own("POST", "/sign-out"),
    own("GET", "/account"),
    own("POST", "/account/password"),
    own("POST", "/account/sign-out-everywhere"),
    own("POST", "/account/second-factor"),
    own("POST", "/account/second-factor/confirm"),
    own("POST", "/account/second-factor/remove"),
    keeps("GET", "/accounts", Role::Administrator),
    keeps("POST", "/accounts/roles", Role::Administrator),
    keeps("POST", "/accounts/tokens", Role::Administrator),
    keeps("POST", "/accounts/tokens/{n}/revoke", Role::Administrator),
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
    keeps("POST", "/fleet/{id}/revoke", Role::Administrator),
    keeps("POST", "/fleet/{id}/leave", Role::Administrator),
    keeps("POST", "/quarantine/admit", Role::Administrator),
    keeps("POST", "/quarantine/refuse", Role::Administrator),
    page("/sites"),
    page("/sites/{id}"),
    settles("/sites"),
    settles("/sites/{id}"),
    exports("/people/{id}/looked"),
    exports("/people/{id}/access"),
    settles("/people/{id}/access"),
    Route::new("GET", "/people/{id}/erase", Who::Account(Role::Administrator)),
    administers("/people/{id}/erase"),
    administers("/people/{id}/erase/confirm"),
    administers("/people/{id}/erase/refuse"),
    Route::new("GET", "/erasures", Who::Account(Role::Administrator)),
    exports("/retention"),
    keeps("GET", "/audit", Role::Administrator),
    keeps("GET", "/audit/{account}", Role::Administrator),
    page("/api/v1/fleet").token(Scope::Read),
    page("/api/v1/sites").token(Scope::Read),
    page("/quality"),
    page("/api/v1/quality").token(Scope::Read),
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
    page("/api/v1/teams").token(Scope::Read),
    page("/api/v1/teams/{id}").token(Scope::Read),
    page("/events"),
    settles("/records/{id}/claim"),
    settles("/quarantine/{hash}/seen"),
    page("/api/v1/today").token(Scope::Read),
    settles("/api/v1/records/{id}/claim").token(Scope::Write),
    settles("/api/v1/quarantine/{hash}/seen").token(Scope::Write),
    page("/api/v1/sessions").token(Scope::Read),
    page("/api/v1/sessions/{id}").token(Scope::Read),
    page("/api/v1/people/{id}").token(Scope::Read),
    page("/api/v1/checks/{id}").token(Scope::Read),
    page("/api/v1/records/{id}/history").token(Scope::Read),
    settles("/api/v1/records/{id}/settle").token(Scope::Write),
    settles("/api/v1/records/{id}/act").token(Scope::Write),
    page("/api/v1/follow-ups").token(Scope::Read),
    page("/api/v1/duplicates").token(Scope::Read),
    page("/api/v1/conflicts").token(Scope::Read),
    page("/api/v1/reach").token(Scope::Read),
    reads("/api/v1/find").token(Scope::Read),
    page("/api/v1/people/{id}/beside/{other}").token(Scope::Read),
    page("/api/v1/quarantine").token(Scope::Read),
    exports("/api/v1/checks/{id}/fhir").token(Scope::Fhir),
    exports("/api/v1/checks/{id}/gp-summary").token(Scope::Fhir),
    exports("/api/v1/sessions/{id}/fhir").token(Scope::Fhir),
    exports("/api/v1/fhir/{name}").token(Scope::Fhir),
    exports("/extracts"),
    settles("/extracts"),
    keeps("POST", "/extracts/recipients", Role::Administrator),
    page("/extracts/dictionary"),
    exports("/api/v1/extracts/{name}").token(Scope::Extract),
    exports("/api/v1/pseudonymous/{recipient}/{name}").token(Scope::ExtractPseudonymous),
    page("/api/v1/extracts/dictionary.csv").token(Scope::Read),
    page("/api/v1/extracts/dictionary.json").token(Scope::Read),
    page("/api/v1/checks").token(Scope::Read),
    page("/api/v1/urgent").token(Scope::Urgent),
    page("/api/v1/urgent/stream").token(Scope::Urgent),
    open("GET", "/api/v1/openapi.json"),
    open("GET", "/api"),
];

fn handler(route: &Route) -> Option<MethodRouter<Arc<Door>>> {
    Some(match (route.method, route.path) {
        ("GET", "/assets/{name}") => get(assets::asset),
        ("GET", "/sign-in") => get(sign_in::form),
        ("POST", "/sign-in") => post(sign_in::with_password),
        ("GET", "/sign-in/once") => get(sign_in::with_link),
        ("POST", "/sign-out") => post(sign_in::out),
        ("GET", "/account") => get(pages::account::account),
        ("POST", "/account/password") => post(pages::account::change_password),
        ("POST", "/account/sign-out-everywhere") => post(pages::account::sign_out_everywhere),
        ("POST", "/account/second-factor") => post(pages::account::begin),
        ("POST", "/account/second-factor/confirm") => post(pages::account::confirm),
        ("POST", "/account/second-factor/remove") => post(pages::account::remove),
        ("GET", "/accounts") => get(pages::accounts::accounts),
        ("POST", "/accounts/roles") => post(pages::accounts::set_role),
        ("POST", "/accounts/tokens") => post(pages::accounts::add_token),
        ("POST", "/accounts/tokens/{n}/revoke") => post(pages::accounts::revoke_token),
        ("GET", "/") => get(pages::today),
        ("GET", "/sessions") => get(pages::sessions),
        ("GET", "/sessions/{id}") => get(pages::session),
        ("GET", "/people/{id}") => get(pages::person),
        ("GET", "/people/{id}/looked") => get(pages::lookers),
        ("GET", "/people/{id}/access") => get(pages::access_form),
        ("POST", "/people/{id}/access") => post(pages::access),
        ("GET", "/people/{id}/erase") => get(pages::erase_form),
        ("POST", "/people/{id}/erase") => post(pages::ask_to_erase),
        ("POST", "/people/{id}/erase/confirm") => post(pages::confirm_erasure),
        ("POST", "/people/{id}/erase/refuse") => post(pages::refuse_erasure),
        ("GET", "/erasures") => get(pages::erasures),
        ("GET", "/retention") => get(pages::retention),
        ("GET", "/audit") => get(pages::audit),
        ("GET", "/audit/{account}") => get(pages::audit_of),
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
        ("POST", "/fleet/{id}/revoke") => post(pages::revoke),
        ("POST", "/fleet/{id}/leave") => post(pages::take_out),
        ("POST", "/quarantine/admit") => post(pages::admit_held),
        ("POST", "/quarantine/refuse") => post(pages::refuse_held),
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
        ("GET", "/extracts") => get(pages::extracts),
        ("POST", "/extracts") => post(pages::extract),
        ("POST", "/extracts/recipients") => post(pages::recipients),
        ("GET", "/extracts/dictionary") => get(pages::dictionary),
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
        ("GET", "/api") => get(pages::api),
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
        if let Some(mut handler) = handler(route) {
            if openapi::is_done_once(route) {
                handler = handler.layer(from_fn_with_state(door.clone(), api::once));
            }
            let guard = from_fn_with_state((door.clone(), route), guard::guard);
            router = router.route(route.path, handler.layer(guard));
        }
    }
    let router = router.layer(from_fn(api::in_our_words));
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
    let request = tracing::Span::current();
    let work = move || request.in_scope(work);
    tokio::task::spawn_blocking(work).await.unwrap_or(Err(Error::Internal("a panic inside a request")))
}
