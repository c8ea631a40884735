//! Every address of this server, in one list, and the one function that makes a router of it.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderValue, Request, StatusCode, header};
use axum::response::Response;
use axum::routing::{get, post};
use serde_json::json;
use wayside_protocol::error::Code;

use crate::accounts::{Role, Scope};
use crate::base::Base;
use crate::error::{Error, Result};
use crate::limits::Limit;
use crate::sync::{Gate, Reading};
use crate::views::Behind;
use crate::{log, sync, web};

const FRAMES: &str = "application/vnd.wayside.frames";
const JSON: &str = "application/json";
/// When to ask again whether a server has caught up, in seconds.
pub(crate) const BEHIND_S: u64 = 5;

/// Who may use an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// Whoever can reach the server: it says nothing about anybody.
    Anyone,
    /// Whoever holds an unused enrolment code, and the key that is being enrolled.
    CodeHolder,
    /// A tablet that is enrolled, by its signature over the request, within its own teams.
    Tablet,
    /// Whoever holds an unused one-time link to the pages.
    LinkHolder,
    /// Who is signed in, whatever they may do: what is about their own account.
    SignedIn,
    /// Who is signed in with an account of this role, or of one that includes it.
    Account(Role),
    /// The same of an account that has this role in every team: what is about all of them, or about none.
    EveryTeam(Role),
}

impl Who {
    /// Whether somebody must be signed in.
    pub const fn wants_account(self) -> bool {
        self.role().is_some() || matches!(self, Who::SignedIn)
    }

    /// The least role of an account that may use it; `None` where none is asked for.
    pub const fn role(self) -> Option<Role> {
        match self {
            Who::Account(role) | Who::EveryTeam(role) => Some(role),
            Who::Anyone | Who::CodeHolder | Who::Tablet | Who::LinkHolder | Who::SignedIn => None,
        }
    }
}

/// One address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route {
    pub method: &'static str,
    pub path: &'static str,
    pub who: Who,
    /// With a program's token of this scope, too, as far as its account may; `None` for a browser's cookie alone.
    pub token: Option<Scope>,
}

impl Route {
    pub(crate) const fn new(method: &'static str, path: &'static str, who: Who) -> Route {
        Route { method, path, who, token: None }
    }

    pub(crate) const fn token(self, scope: Scope) -> Route {
        Route { token: Some(scope), ..self }
    }
}

/// Every address, so that tests can ask of each whether it refuses who may not use it.
pub fn routes() -> impl Iterator<Item = &'static Route> {
    ROUTES.iter().chain(web::ROUTES)
}

/// The addresses of programs: tablets, and whoever watches over the server.
const ROUTES: &[Route] = &[
    Route::new("GET", "/healthz", Who::Anyone),
    Route::new("GET", "/readyz", Who::Anyone),
    Route::new("POST", "/sync/v1", Who::Tablet),
    Route::new("POST", "/sync/v1/enrol", Who::CodeHolder),
    Route::new("POST", "/sync/v1/live", Who::Tablet),
];

/// What every handler needs.
#[derive(Clone)]
struct App {
    base: Arc<Base>,
    gate: Arc<Gate>,
}

/// The router of the addresses of programs. One in the list without a handler here answers 404.
pub fn router(base: Arc<Base>) -> Router {
    router_behind(base, Gate::default())
}

fn router_behind(base: Arc<Base>, gate: Gate) -> Router {
    let mut router = Router::new();
    for route in ROUTES {
        let handler = match (route.method, route.path) {
            ("GET", "/healthz") => get(health),
            ("GET", "/readyz") => get(ready),
            ("POST", "/sync/v1") => post(exchange),
            ("POST", "/sync/v1/enrol") => post(enrol),
            ("POST", "/sync/v1/live") => post(live),
            _ => continue,
        };
        router = router.route(route.path, handler);
    }
    router
        .fallback(async || refuse_json(StatusCode::NOT_FOUND, Code::NotFound))
        .method_not_allowed_fallback(async || {
            refuse_json(StatusCode::METHOD_NOT_ALLOWED, Code::MethodNotAllowed)
        })
        .with_state(App { base, gate: Arc::new(gate) })
}

/// Whether the process is alive: who restarts it need not know what it waits for.
async fn health() -> Response {
    answer(StatusCode::OK, JSON, json!({"status": "ok"}).to_string().into_bytes())
}

/// Whether pages may be asked for here: the log can be read and written, and the views are not far behind it. What tablets
/// send is taken as long as the disk takes it.
async fn ready(State(App { base, .. }): State<App>) -> Response {
    let behind = blocking(move || {
        let teams = base.log.read(log::teams)?;
        match base.log.failing() {
            Some(code) => Err(code.into()),
            None => Ok(base.followed.behind(&teams)),
        }
    });
    let Behind { changes, teams, ready } = match behind.await {
        Ok(behind) => behind,
        Err(error) => return come_again(refuse_json(StatusCode::SERVICE_UNAVAILABLE, error.code())),
    };
    let (status, code) =
        if ready { (StatusCode::OK, "ok") } else { (StatusCode::SERVICE_UNAVAILABLE, Code::Behind.as_str()) };
    let body = json!({"code": code, "behind": changes, "teams": teams});
    let response = answer(status, JSON, body.to_string().into_bytes());
    if ready { response } else { come_again(response) }
}

fn come_again(mut response: Response) -> Response {
    response.headers_mut().insert(header::RETRY_AFTER, BEHIND_S.into());
    response
}

async fn exchange(State(app): State<App>, request: Request<Body>) -> Response {
    let work =
        async |app: &App, reading: &mut Reading| sync::receive(app.base.clone(), &app.gate, reading).await;
    let answered = within(&app, request, work).await;
    frames(&app.base, answered.map(|answer| answer.into_body(app.gate.clone())))
}

async fn live(State(app): State<App>, request: Request<Body>) -> Response {
    let read_head = async |_: &App, reading: &mut Reading| reading.only_head().await;
    let wait = async || {
        let from = web::address(request.extensions());
        let head = within(&app, request, read_head).await?;
        sync::live(app.base.clone(), &app.gate, head, from).await
    };
    frames(&app.base, wait().await)
}

async fn enrol(State(app): State<App>, request: Request<Body>) -> Response {
    let work = async |app: &App, reading: &mut Reading| {
        let (base, from, body) = (app.base.clone(), reading.from.clone(), reading.whole().await?);
        let enrol = move || {
            let enrolled = sync::enrol(&base, &body);
            enrolled.inspect_err(|error| base.refused_tablet(None, &from, error.code()))
        };
        app.gate.work(enrol).await
    };
    frames(&app.base, within(&app, request, work).await)
}

/// Works on a request among those that are open, its body read by the work itself.
async fn within<T>(
    app: &App,
    request: Request<Body>,
    work: impl AsyncFnOnce(&App, &mut Reading) -> Result<T>,
) -> Result<T> {
    let _open = app.gate.enter().inspect_err(|_| app.base.limits.met(Limit::Open))?;
    let (head, body) = request.into_parts();
    let mut reading = Reading::begin(&head.headers, body)?;
    reading.from = web::address(&head.extensions);
    let done = work(app, &mut reading).await;
    if done.is_err() {
        reading.drain().await;
    }
    done
}

/// What a request came to, in frames.
fn frames(base: &Base, done: Result<impl Into<Body>>) -> Response {
    match done {
        Ok(body) => answer(StatusCode::OK, FRAMES, body),
        Err(error) => refuse(base, error),
    }
}

/// A refusal, in a frame.
pub(crate) fn refuse(base: &Base, error: Error) -> Response {
    let status = status(error.code());
    if status.is_server_error() {
        tracing::error!(code = %error.code(), detail = error.detail(), "request failed");
    } else {
        tracing::info!(code = %error.code(), "request refused");
    }
    let mut refused = answer(status, FRAMES, sync::refusal(&error, base.clock.now_ms()));
    if let Some(seconds) = error.after() {
        refused.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    }
    refused.extensions_mut().insert(error.code());
    refused
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    let request = tracing::Span::current();
    tokio::task::spawn_blocking(move || request.in_scope(work))
        .await
        .unwrap_or(Err(Error::Internal("a panic inside a request")))
}

fn status(code: Code) -> StatusCode {
    match code {
        Code::FrameMalformed | Code::LinkCut => StatusCode::BAD_REQUEST,
        Code::SignatureInvalid | Code::TabletUnknown => StatusCode::UNAUTHORIZED,
        Code::TeamNotAllowed
        | Code::TabletRevoked
        | Code::KeyReplaced
        | Code::CodeUnknown
        | Code::CodeExpired => StatusCode::FORBIDDEN,
        Code::Clock | Code::CodeUsed | Code::Replayed => StatusCode::CONFLICT,
        Code::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Code::RateLimited | Code::HoldFull => StatusCode::TOO_MANY_REQUESTS,
        Code::VersionUnsupported => StatusCode::UNPROCESSABLE_ENTITY,
        Code::StorageFull => StatusCode::INSUFFICIENT_STORAGE,
        Code::StorageFailed | Code::ServerFailed | Code::Busy => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

fn answer(status: StatusCode, content_type: &'static str, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

fn refuse_json(status: StatusCode, code: Code) -> Response {
    let mut refused = answer(status, JSON, Error::Refused(code).to_json().to_string().into_bytes());
    refused.extensions_mut().insert(code);
    refused
}

#[cfg(test)]
#[path = "router_tests.rs"]
mod tests;
