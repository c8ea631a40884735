//! What stands in front of every page: by which name the server was called, where a form came from, who
//! is signed in and what they may do; and the headers that every answer carries.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use wayside_protocol::error::Code;

use super::{Door, blocking, pages};
use crate::accounts::{self, Login, Role, Token};
use crate::api::{self, VIEWED};
use crate::error::{Error, Result};
use crate::router::{BEHIND_S, Route, Who};

/// Nothing runs or loads but our own files; nobody frames us; forms go nowhere else.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; \
    img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

static HEADERS: [(HeaderName, &str); 6] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

/// Set by the script of a page that refreshes itself: nobody need be in front of it.
const LIVE: HeaderName = HeaderName::from_static("x-wayside-live");

/// Who asks, as the guard found out.
#[derive(Debug, Clone, Default)]
pub struct Visitor {
    pub login: Option<Login>,
}

impl Visitor {
    pub fn may_settle(&self) -> bool {
        self.login.as_ref().is_some_and(|login| login.account.role >= Role::Coordinator)
    }

    /// Who is signed in: refused where nobody is.
    pub fn account(&self) -> Result<&accounts::Account> {
        self.login.as_ref().map(|login| &login.account).ok_or(Code::NotSignedIn.into())
    }

    pub fn may_administer(&self) -> bool {
        self.login.as_ref().is_some_and(|login| login.account.role >= Role::Administrator)
    }

    pub fn name(&self) -> Option<&str> {
        self.login.as_ref().map(|login| login.account.name.as_str())
    }
}

pub async fn guard(
    State((door, route)): State<(Arc<Door>, &'static Route)>,
    mut request: Request,
    next: Next,
) -> Response {
    let (visitor, admitted) =
        match visit(&door, route, request.method().clone(), request.headers().clone()).await {
            Ok(visitor) => {
                let admitted = allowed(route, &visitor);
                (visitor, admitted)
            }
            Err(error) => (Visitor::default(), Err(error)),
        };
    let admitted = match admitted {
        Ok(()) => up_to_date(&door, route, &visitor).await,
        refused => refused,
    };
    let mut response = match admitted {
        Ok(()) => {
            request.extensions_mut().insert(visitor);
            next.run(request).await
        }
        Err(error) => refuse(&door, route, &visitor, &error),
    };
    let headers = response.headers_mut();
    for (name, value) in &HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    // Health records do not stay in a browser's cache.
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

async fn visit(door: &Arc<Door>, route: &Route, method: Method, headers: HeaderMap) -> Result<Visitor> {
    let headers = &headers;
    let host = host(headers)?;
    if let Some(port) = door.loopback {
        // Whoever makes a name of theirs point to this machine (DNS rebinding) still calls it by that name.
        let local = matches!(host.host(), "127.0.0.1" | "localhost" | "[::1]");
        if !local || host.port_u16().unwrap_or(80) != port {
            return Err(Code::HostUnknown.into());
        }
    }
    if method != Method::GET && method != Method::HEAD {
        same_origin(headers, &host, door.secure)?;
    }
    let Who::Account(_) = route.who else { return Ok(Visitor::default()) };
    let Some(token) = cookie(headers, &door.cookie()).and_then(Token::parse) else {
        return Ok(Visitor::default());
    };
    let base = door.web.base.clone();
    // A page that refreshes itself does not keep anybody signed in.
    let somebody = !headers.contains_key(LIVE) && route.path != "/events";
    blocking(move || {
        let login = base.log.read(|conn| accounts::signed_in(conn, &token, base.clock.now_ms()))?;
        if let Some(login) = login.as_ref().filter(|_| somebody) {
            accounts::touch(&base, login);
        }
        Ok(Visitor { login })
    })
    .await
}

fn allowed(route: &Route, visitor: &Visitor) -> Result<()> {
    let Who::Account(least) = route.who else { return Ok(()) };
    match &visitor.login {
        None => Err(Code::NotSignedIn.into()),
        Some(login) if login.account.role < least => Err(Code::RoleNotAllowed.into()),
        Some(_) => Ok(()),
    }
}

/// Whether the views here show all that this login wrote, wherever that was, and are whole. Waits a little for them.
async fn up_to_date(door: &Arc<Door>, route: &Route, visitor: &Visitor) -> Result<()> {
    // Signing out shows nothing, and the live channel says nothing of what was recorded.
    let Some(login) = visitor.login.as_ref().filter(|_| !matches!(route.path, "/sign-out" | "/events"))
    else {
        return Ok(());
    };
    let base = &door.web.base;
    if base.followed.is_incomplete() {
        return Err(Code::Behind.into());
    }
    let Some(wrote) = login.wrote.filter(|wrote| !base.followed.wait_for(wrote, Duration::ZERO)) else {
        return Ok(());
    };
    let base = base.clone();
    blocking(move || match base.followed.wait_for(&wrote, VIEWED) {
        true => Ok(()),
        false => Err(Code::Behind.into()),
    })
    .await
}

fn host(headers: &HeaderMap) -> Result<Authority> {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    host.and_then(|host| host.parse().ok()).ok_or(Error::Refused(Code::HostUnknown))
}

/// Whether a form was sent by a page of ours. Browsers say so themselves; an older one, or a program,
/// names the origin. With no word on it at all a request that changes something is refused.
fn same_origin(headers: &HeaderMap, host: &Authority, secure: bool) -> Result<()> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let ours = match text("sec-fetch-site") {
        Some(site) => site == "same-origin",
        None => {
            let scheme = if secure { "https://" } else { "http://" };
            let origin = text("origin").and_then(|origin| origin.strip_prefix(scheme));
            origin.is_some_and(|origin| origin.eq_ignore_ascii_case(host.as_str()))
        }
    };
    if ours { Ok(()) } else { Err(Code::CrossOrigin.into()) }
}

fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.filter(|(own, _)| *own == name).map(|(_, value)| value).next()
}

fn refuse(door: &Arc<Door>, route: &Route, visitor: &Visitor, error: &Error) -> Response {
    if route.path.starts_with("/api/") || route.path == "/events" {
        return api::refuse(error);
    }
    if route.method == "GET" && error.code() == Code::NotSignedIn {
        return Redirect::to("/sign-in").into_response();
    }
    let mut response = pages::refuse(door, visitor, error);
    if route.method == "GET" && error.code() == Code::Behind {
        response.headers_mut().insert(header::REFRESH, HeaderValue::from(BEHIND_S));
    }
    response
}

/// The status that goes with a code.
pub fn status(error: &Error) -> StatusCode {
    match error.code() {
        Code::NotSignedIn | Code::SignInWrong | Code::LinkInvalid => StatusCode::UNAUTHORIZED,
        Code::RoleNotAllowed | Code::CrossOrigin | Code::ConsentMissing => StatusCode::FORBIDDEN,
        Code::HostUnknown => StatusCode::MISDIRECTED_REQUEST,
        Code::TryLater => StatusCode::TOO_MANY_REQUESTS,
        Code::RecordNotFound | Code::NotFound | Code::BadId => StatusCode::NOT_FOUND,
        Code::NotInConflict | Code::HeadsUnknown | Code::ChangedMeanwhile => StatusCode::CONFLICT,
        Code::StorageFailed | Code::ServerFailed | Code::Behind => StatusCode::SERVICE_UNAVAILABLE,
        Code::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        Code::BadJson | Code::BadArguments | Code::CursorInvalid => StatusCode::BAD_REQUEST,
        _ => StatusCode::UNPROCESSABLE_ENTITY,
    }
}

/// Notes what failed, without anybody's data.
pub fn note(error: &Error) {
    if status(error).is_server_error() && error.code() != Code::Behind {
        tracing::error!(code = %error.code(), detail = error.detail(), "page failed");
    } else {
        tracing::debug!(code = %error.code(), "page refused");
    }
}

/// Where an answer says how long to wait.
pub fn retry_after(error: &Error, response: &mut Response) {
    let seconds = match error {
        Error::TryLater(seconds) => *seconds,
        error if error.code() == Code::Behind => BEHIND_S,
        _ => return,
    };
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
}
