//! The tablet as a touch page, for the browser on the same device.
//!
//! Everything on the page comes from this program over loopback, so that it works with no network at all. The
//! page's files lie in `page/` beside this crate's sources and are part of the binary.
//!
//! Who may talk to it (see `guard`): requests that come from this page on this device, with the launch token. The
//! token is behind the `#` of the printed address: a browser sends that part nowhere, and the page keeps it in its
//! tab's own storage and sends it as a header. A cookie would have been handed to every other program that listens
//! on loopback, for cookies know hosts but not ports; and a header is never sent by another site's page.

mod app;
mod assets;
mod card;
mod care;
mod change;
mod contact_view;
mod contacts;
pub(crate) mod display;
mod due;
mod fail;
mod guard;
mod guide;
mod health;
mod lists;
mod notices;
mod people;
mod person_form;
mod phrases;
mod staff;
mod sync;
#[cfg(test)]
mod tests;
mod today;
mod unsettled;
mod words;

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
};

use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, State},
    middleware,
    routing::{get, post},
};
use data_encoding::HEXLOWER;
use serde_json::Value;
use tokio::{net::TcpListener, sync::watch, task::JoinSet};
use wayside_client_core::{RecordId, Tablet};

use self::{app::App, fail::Fail};

/// The largest form is a few hundred bytes; an enrolment code somewhat more.
const MOST_BODY: usize = 64 << 10;

type Answer = Result<Json<Value>, Fail>;

/// How the page is served.
pub struct UiOptions {
    /// Must be an address of loopback; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Who records; `None` lets the page ask. Where a team has a list of its staff, its PINs count all the same.
    pub staff: Option<String>,
    /// The team of what is new, on a tablet of several teams.
    pub team: Option<RecordId>,
    /// Gives the page a *No signal* switch, which sets this: true while there is a signal. Whoever holds the other
    /// end cuts the real link; the page takes what fails meanwhile for a missing signal.
    pub signal: Option<watch::Sender<bool>>,
}

impl Default for UiOptions {
    fn default() -> Self {
        UiOptions { listen: (Ipv4Addr::LOCALHOST, 0).into(), staff: None, team: None, signal: None }
    }
}

/// A page that is being served, with its sync in the background; both end when this is dropped.
#[derive(Debug)]
pub struct Running {
    /// With the launch token: for the browser on this device only.
    pub url: String,
    pub addr: SocketAddr,
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

impl Running {
    /// Stops serving, and returns when everything has ended.
    pub async fn shutdown(mut self) {
        self.stop.send_replace(true);
        while self.tasks.join_next().await.is_some() {}
    }

    /// Returns only when serving has ended by itself.
    pub async fn ended(&mut self) {
        while self.tasks.join_next().await.is_some() {}
    }
}

/// Serves the page of a tablet, in a Tokio runtime.
///
/// # Errors
/// An address that is not of loopback, or that cannot be listened on.
pub async fn serve(tablet: Tablet, options: UiOptions) -> io::Result<Running> {
    if !options.listen.ip().is_loopback() {
        let message = "the page is served on loopback only, as in 127.0.0.1:0";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
    }
    let listener = TcpListener::bind(options.listen).await?;
    let addr = listener.local_addr()?;
    let token = HEXLOWER.encode(&rand::random::<[u8; 32]>());
    let url = format!("http://{addr}/#token={token}");
    let (stop, stopped) = watch::channel(false);
    let app = Arc::new(App::new(tablet, addr, token, options, stopped.clone()));

    let mut tasks = JoinSet::new();
    let routes = router(app.clone());
    let ending = sync::stop(stopped.clone());
    tasks.spawn(async move {
        // An error of a listener that was bound is nothing that anybody could act on.
        axum::serve(listener, routes).with_graceful_shutdown(ending).await.ok();
    });
    tasks.spawn(sync::run(app, stopped));
    Ok(Running { url, addr, stop, tasks })
}

/// Whether an endpoint changes something. Those are POST and want the page's origin.
#[cfg(test)]
pub(crate) const ENDPOINTS: &[(&str, &str)] = &[
    ("GET", "/api/state"),
    ("GET", "/api/lists"),
    ("GET", "/api/sites"),
    ("POST", "/api/sites"),
    ("POST", "/api/sessions"),
    ("GET", "/api/sessions/{id}"),
    ("POST", "/api/sessions/{id}/tallies"),
    ("GET", "/api/people"),
    ("POST", "/api/people"),
    ("GET", "/api/people/{id}"),
    ("POST", "/api/people/{id}"),
    ("GET", "/api/guide"),
    ("GET", "/api/services"),
    ("POST", "/api/contacts"),
    ("GET", "/api/contacts/{id}"),
    ("POST", "/api/contacts/{id}"),
    ("GET", "/api/contacts/{id}/card"),
    ("GET", "/api/contacts/{id}/health"),
    ("POST", "/api/diary"),
    ("GET", "/api/due"),
    ("GET", "/api/people/{id}/timeline"),
    ("POST", "/api/check/measurement"),
    ("POST", "/api/contacts/{id}/correct"),
    ("POST", "/api/contacts/{id}/strike"),
    ("GET", "/api/unsettled"),
    ("GET", "/api/unsettled/{id}"),
    ("POST", "/api/unsettled/{id}"),
    ("POST", "/api/check/person"),
    ("POST", "/api/check/reading"),
    ("GET", "/api/staff"),
    ("POST", "/api/staff"),
    ("POST", "/api/staff/sign-in"),
    ("POST", "/api/staff/lock"),
    ("POST", "/api/staff/challenge"),
    ("POST", "/api/staff/unlock"),
    ("GET", "/api/display"),
    ("POST", "/api/display"),
    ("POST", "/api/notices/put-away"),
    ("POST", "/api/enrol"),
    ("POST", "/api/sync"),
    ("POST", "/api/signal"),
    ("GET", "/events"),
];

fn router(app: Arc<App>) -> Router {
    let signed_in = Router::new()
        .route("/api/sites", get(today::sites).post(today::add_site))
        .route("/api/sessions", post(today::begin))
        .route("/api/sessions/{id}", get(today::session))
        .route("/api/sessions/{id}/tallies", post(today::tally))
        .route("/api/people", get(people::find).post(people::create))
        .route("/api/people/{id}", get(people::show).post(people::edit))
        .route("/api/guide", get(guide::before))
        .route("/api/services", get(care::services))
        .route("/api/contacts", post(contacts::create))
        .route("/api/contacts/{id}", get(contacts::show).post(contacts::edit))
        .route("/api/contacts/{id}/card", get(card::card))
        .route("/api/contacts/{id}/health", get(health::show))
        .route("/api/diary", post(due::diary))
        .route("/api/due", get(due::due))
        .route("/api/people/{id}/timeline", get(due::timeline))
        .route("/api/check/measurement", post(contacts::check_measurement))
        .route("/api/contacts/{id}/correct", post(contacts::correct))
        .route("/api/contacts/{id}/strike", post(contacts::strike))
        .route("/api/unsettled", get(unsettled::list))
        .route("/api/unsettled/{id}", get(unsettled::show).post(unsettled::settle))
        .route("/api/check/person", post(people::check))
        .route("/api/check/reading", post(contacts::check_reading))
        .layer(middleware::from_fn_with_state(app.clone(), staff::in_front));
    let closed = Router::new()
        .merge(signed_in)
        .route("/api/state", get(app::state))
        .route("/api/lists", get(lists::lists))
        .route("/api/staff", get(staff::list).post(staff::set))
        .route("/api/staff/sign-in", post(staff::sign_in))
        .route("/api/staff/lock", post(staff::lock))
        .route("/api/staff/challenge", post(staff::challenge))
        .route("/api/staff/unlock", post(staff::unlock))
        .route("/api/display", get(display::show).post(display::set))
        .route("/api/notices/put-away", post(notices::put_away))
        .route("/api/enrol", post(sync::enrol))
        .route("/api/sync", post(sync::now))
        .route("/api/signal", post(sync::signal))
        .route("/events", get(sync::events))
        .layer(middleware::from_fn_with_state(app.clone(), guard::token));
    Router::new()
        .merge(closed)
        .route("/", get(assets::index))
        .route("/page/{file}", get(assets::file))
        .fallback(nothing)
        .layer(DefaultBodyLimit::max(MOST_BODY))
        .layer(middleware::from_fn_with_state(app.clone(), guard::place))
        .with_state(app)
}

async fn nothing(State(_): State<Arc<App>>) -> Fail {
    Fail::code(wayside_client_core::Code::NotFound)
}
