//! The listener of `/metrics`, and what every request of the others passes, so that it is counted.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use hyper_util::rt::TokioTimer;
use tokio::task::JoinHandle;
use tracing::Instrument;
use wayside_protocol::error::Code;

use super::page::{self, Beside};
use super::{Metrics, certificate};
use crate::base::Base;
use crate::error::{Error, Result};
use crate::renew::Renewal;
use crate::serve::HEAD;

/// By which somebody who saw an answer finds its lines in the log.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Counts a request, and gives it an id under which all lines of the log about it stand. Of its address only the template
/// is known here.
pub async fn observe(State(metrics): State<Arc<Metrics>>, request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map_or("other", MatchedPath::as_str).to_owned();
    let method = method(request.method());
    let id = format!("{:016x}", rand::random::<u64>());
    let span = tracing::info_span!("request", id, method, route);
    let begun = Instant::now();
    let mut response = next.run(request).instrument(span.clone()).await;
    let (status, took) = (response.status().as_u16(), begun.elapsed());
    metrics.answered(method, &route, status, took);
    span.in_scope(|| tracing::debug!(status, ms = took.as_secs_f64() * 1000.0, "answered"));
    // Tablets have no byte to spare for it.
    if let Some(id) = HeaderValue::from_str(&id).ok().filter(|_| !route.starts_with("/sync/")) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}

/// Anybody can make up a method, and each would be a number of its own for ever.
fn method(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "OPTIONS" => "OPTIONS",
        _ => "other",
    }
}

/// The listener of `/metrics` alone.
pub struct Door {
    pub addr: SocketAddr,
    handle: axum_server::Handle<SocketAddr>,
    serving: JoinHandle<Result<()>>,
}

struct Keeper {
    base: Arc<Base>,
    renewal: Arc<Renewal>,
    begun: u64,
}

impl Door {
    pub fn serve(base: Arc<Base>, renewal: Arc<Renewal>, listener: TcpListener) -> Result<Door> {
        let addr = listener.local_addr().map_err(Error::Listen)?;
        let handle = axum_server::Handle::new();
        let mut server = axum_server::from_tcp(listener).map_err(Error::Listen)?.handle(handle.clone());
        server.http_builder().http1().timer(TokioTimer::new()).header_read_timeout(HEAD);
        let begun = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let service = router(Arc::new(Keeper { base, renewal, begun })).into_make_service();
        let serving = tokio::spawn(async move { server.serve(service).await.map_err(Error::Listen) });
        tracing::info!(%addr, "metrics are served");
        Ok(Door { addr, handle, serving })
    }

    pub async fn shutdown(self) -> Result<()> {
        self.handle.graceful_shutdown(Some(crate::serve::GRACE));
        self.serving.await.unwrap_or(Err(Error::Internal("a panic in the metrics")))
    }
}

fn router(keeper: Arc<Keeper>) -> Router {
    let refuse = |status: StatusCode, code: Code| (status, Error::Refused(code).to_json().to_string());
    Router::new()
        .route("/metrics", get(metrics))
        .fallback(move || async move { refuse(StatusCode::NOT_FOUND, Code::NotFound) })
        .method_not_allowed_fallback(move || async move {
            refuse(StatusCode::METHOD_NOT_ALLOWED, Code::MethodNotAllowed)
        })
        .with_state(keeper)
}

async fn metrics(State(keeper): State<Arc<Keeper>>) -> Response {
    let written = tokio::task::spawn_blocking(move || {
        let certificate = certificate::said_by(&keeper.renewal.shown()).ok().map(|said| said.until);
        page::page(&keeper.base, &Beside { certificate, begun: keeper.begun })
    });
    match written.await.unwrap_or(Err(Error::Internal("a panic in the metrics"))) {
        Ok(page) => ([(header::CONTENT_TYPE, page::TYPE)], page).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_json().to_string()).into_response(),
    }
}
