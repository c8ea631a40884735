//! Every address of this server, in one list, and the one function that makes a router of it.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderValue, Request, StatusCode, header};
use axum::response::Response;
use axum::routing::{get, post};
use http_body_util::BodyExt;
use serde_json::json;
use tokio::sync::Semaphore;
use wayside_protocol::error::Code;
use wayside_protocol::sync::frame::MAX_BODY;

use crate::accounts::Role;
use crate::base::Base;
use crate::error::{Error, Result};
use crate::{log, sync, web};

const FRAMES: &str = "application/vnd.wayside.frames";
const JSON: &str = "application/json";
/// Requests that are worked on at once, the rest wait with their bodies read: a bound on memory, and
/// enough that one commit serves many.
const AT_ONCE: usize = 64;
/// How long a body may stand still. A bad link pauses; a dead one should free its place.
const STILL: Duration = Duration::from_secs(60);

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
    /// Who is signed in with an account of this role, or of one that includes it.
    Account(Role),
}

/// One address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route {
    pub method: &'static str,
    pub path: &'static str,
    pub who: Who,
}

/// Every address, so that tests can ask of each whether it refuses who may not use it.
pub fn routes() -> impl Iterator<Item = &'static Route> {
    ROUTES.iter().chain(web::ROUTES)
}

/// The addresses of programs: tablets, and whoever watches over the server.
const ROUTES: &[Route] = &[
    Route { method: "GET", path: "/healthz", who: Who::Anyone },
    Route { method: "POST", path: "/sync/v1", who: Who::Tablet },
    Route { method: "POST", path: "/sync/v1/enrol", who: Who::CodeHolder },
];

/// What every handler needs.
#[derive(Clone)]
struct App {
    base: Arc<Base>,
    places: Arc<Semaphore>,
}

/// The router of the addresses of programs. One in the list without a handler here answers 404.
pub fn router(base: Arc<Base>) -> Router {
    let mut router = Router::new();
    for route in ROUTES {
        let handler = match (route.method, route.path) {
            ("GET", "/healthz") => get(health),
            ("POST", "/sync/v1") => post(exchange),
            ("POST", "/sync/v1/enrol") => post(enrol),
            _ => continue,
        };
        router = router.route(route.path, handler);
    }
    router
        .fallback(async || refuse_json(StatusCode::NOT_FOUND, Code::NotFound))
        .method_not_allowed_fallback(async || {
            refuse_json(StatusCode::METHOD_NOT_ALLOWED, Code::MethodNotAllowed)
        })
        .with_state(App { base, places: Arc::new(Semaphore::new(AT_ONCE)) })
}

async fn health(State(App { base, .. }): State<App>) -> Response {
    let read = blocking(move || base.log.read(|conn| log::heads(conn).map(|_| ()))).await;
    match read {
        Ok(()) => answer(StatusCode::OK, JSON, json!({"status": "ok"}).to_string().into_bytes()),
        Err(error) => refuse_json(StatusCode::SERVICE_UNAVAILABLE, error.code()),
    }
}

async fn exchange(State(app): State<App>, request: Request<Body>) -> Response {
    frames(app, request, sync::exchange).await
}

async fn enrol(State(app): State<App>, request: Request<Body>) -> Response {
    frames(app, request, sync::enrol).await
}

/// Reads a body, does the work where blocking is allowed, and answers in frames.
async fn frames(app: App, request: Request<Body>, work: fn(&Base, &[u8]) -> Result<Vec<u8>>) -> Response {
    let App { base, places } = app;
    let clock = base.clock.clone();
    let done = match read_body(request).await {
        Ok(body) => {
            let place = places.acquire_owned().await;
            let work = move || {
                // Kept by the work itself, which goes on when the link is cut meanwhile.
                let _place = place;
                work(&base, &body)
            };
            blocking(work).await
        }
        Err(error) => Err(error),
    };
    match done {
        Ok(body) => answer(StatusCode::OK, FRAMES, body),
        Err(error) => {
            let status = status(error.code());
            if status.is_server_error() {
                tracing::error!(code = %error.code(), detail = error.detail(), "request failed");
            } else {
                tracing::info!(code = %error.code(), "request refused");
            }
            answer(status, FRAMES, sync::refusal(&error, clock.now_ms()))
        }
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.unwrap_or(Err(Error::Internal("a panic inside a request")))
}

/// The whole body, never more than [`MAX_BODY`] of it.
async fn read_body(request: Request<Body>) -> Result<Bytes> {
    let declared = request.headers().get(header::CONTENT_LENGTH);
    let declared = declared.and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if declared.is_some_and(|length| length > MAX_BODY as u64) {
        return Err(Code::TooLarge.into());
    }
    let mut body = request.into_body();
    let mut bytes = Vec::new();
    while let Some(frame) = tokio::time::timeout(STILL, body.frame()).await.map_err(|_| Code::LinkCut)? {
        let Ok(data) = frame.map_err(|_| Code::LinkCut)?.into_data() else { continue };
        if bytes.len() + data.len() > MAX_BODY {
            return Err(Code::TooLarge.into());
        }
        bytes.extend_from_slice(&data);
    }
    Ok(bytes.into())
}

fn status(code: Code) -> StatusCode {
    match code {
        Code::FrameMalformed | Code::LinkCut => StatusCode::BAD_REQUEST,
        Code::SignatureInvalid | Code::TabletUnknown => StatusCode::UNAUTHORIZED,
        Code::TeamNotAllowed | Code::CodeUnknown | Code::CodeExpired => StatusCode::FORBIDDEN,
        Code::Clock | Code::CodeUsed => StatusCode::CONFLICT,
        Code::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Code::VersionUnsupported => StatusCode::UNPROCESSABLE_ENTITY,
        Code::StorageFailed | Code::ServerFailed => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

fn answer(status: StatusCode, content_type: &'static str, body: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

fn refuse_json(status: StatusCode, code: Code) -> Response {
    answer(status, JSON, Error::Refused(code).to_json().to_string().into_bytes())
}

#[cfg(test)]
#[path = "router_tests.rs"]
mod tests;
