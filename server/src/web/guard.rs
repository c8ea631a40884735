//! What stands in front of every page: by which name the server was called, where a form came from, who
//! is signed in and what they may do; and the headers that every answer carries.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::rejection::RawPathParamsRejection;
use axum::extract::{RawPathParams, Request, State};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use data_encoding::HEXLOWER_PERMISSIVE;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use tokio::time::timeout;
use wayside_protocol::error::Code;
use wayside_protocol::record::{Hash, RecordId};

use super::trail::{self, Said, Trace};
use super::{Door, MAX_FORM, blocking, pages};
use crate::accounts::{self, Login, Role, Token};
use crate::api::{self, VIEWED};
use crate::base::Base;
use crate::error::{Error, Result};
use crate::log::{self, By, Conn};
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

/// For a year a browser asks this host in no other way. It believes that only of a certificate that it trusts.
const ONLY_TLS: &str = "max-age=31536000";

/// Set by the script of a page that refreshes itself: nobody need be in front of it.
const LIVE: HeaderName = HeaderName::from_static("x-wayside-live");

/// Who asks, as the guard found out.
#[derive(Debug, Clone, Default)]
pub struct Visitor {
    pub login: Option<Login>,
    /// What they may do in the team of the record that the address names; `None` where it names none.
    here: Option<Role>,
    /// From where they ask; empty where that is not known.
    address: String,
}

impl Visitor {
    pub fn may_settle(&self) -> bool {
        self.role() >= Some(Role::Coordinator)
    }

    /// Who is signed in: refused where nobody is.
    pub fn account(&self) -> Result<&accounts::Account> {
        self.login.as_ref().map(|login| &login.account).ok_or(Code::NotSignedIn.into())
    }

    /// As the audit trail tells of them.
    pub fn by(&self) -> By {
        let login = self.login.as_ref();
        let by_token = if login.is_some_and(|login| login.scopes.is_some()) { ", by token" } else { "" };
        By {
            who: login.map(|login| format!("{}{by_token}", login.account.name)).unwrap_or_default(),
            account: login.map(|login| login.account.n),
            address: self.address.clone(),
        }
    }

    pub fn may_administer(&self) -> bool {
        self.role() >= Some(Role::Administrator)
    }

    /// What they may do here; where nothing says in which team, the most that they may do in any.
    fn role(&self) -> Option<Role> {
        self.here.or_else(|| self.login.as_ref()?.account.roles.highest())
    }

    pub fn name(&self) -> Option<&str> {
        self.login.as_ref().map(|login| login.account.name.as_str())
    }
}

pub async fn guard(
    State((door, route)): State<(Arc<Door>, &'static Route)>,
    named: Result<RawPathParams, RawPathParamsRejection>,
    mut request: Request,
    next: Next,
) -> Response {
    let (mut visitor, mut admitted) =
        match visit(&door, route, request.method().clone(), request.headers().clone()).await {
            Ok(visitor) => {
                let admitted = allowed(&door.web.base, route, &visitor);
                (visitor, admitted)
            }
            Err(error) => (Visitor::default(), Err(error)),
        };
    if admitted.is_ok() {
        match in_team(&door, route, &visitor, named).await {
            Ok(here) => visitor.here = here,
            Err(error) => admitted = Err(error),
        }
    }
    let admitted = match admitted {
        Ok(()) => up_to_date(&door, route, &visitor).await,
        refused => refused,
    };
    visitor.address = trail::address(request.extensions());
    let trace = Trace::of(route, &request);
    let mut response = match admitted {
        Ok(()) => {
            request.extensions_mut().insert(visitor.clone());
            let answer = match gathered(request, door.web.base.limits.settings().form_within).await {
                Ok(request) => next.run(request).await,
                Err(error) => refuse(&door, route, &visitor, &error),
            };
            let (status, said) = (answer.status(), answer.extensions().get::<Said>().cloned());
            match trace.keep(&door, &visitor, status, said).await {
                Ok(()) => answer,
                // What is not written down is not shown.
                Err(error) => refuse(&door, route, &visitor, &error),
            }
        }
        Err(error) if matches!(status(&error), StatusCode::FORBIDDEN | StatusCode::NOT_FOUND) => {
            let written = trace.refused(&door, &visitor, error.code().as_str()).await;
            refuse(&door, route, &visitor, &written.err().unwrap_or(error))
        }
        Err(error) => refuse(&door, route, &visitor, &error),
    };
    dress(&door, &mut response);
    response
}

fn dress(door: &Door, response: &mut Response) {
    let headers = response.headers_mut();
    if door.secure {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static(ONLY_TLS));
    }
    for (name, value) in &HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    // Health records do not stay in a browser's cache.
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
}

/// A request with its whole body, which nobody waits for longer than this.
async fn gathered(request: Request, within: Duration) -> Result<Request> {
    let (head, body) = request.into_parts();
    let read = timeout(within, Limited::new(body, MAX_FORM).collect()).await;
    let body = read.map_err(|_| Code::LinkCut)?.map_err(|error| match error.is::<LengthLimitError>() {
        true => Code::TooLarge,
        false => Code::LinkCut,
    })?;
    Ok(Request::from_parts(head, Body::from(body.to_bytes())))
}

/// Refuses a request to pages or API before anybody has looked at it.
pub fn refuse_unseen(door: &Arc<Door>, path: &str, error: &Error) -> Response {
    let is_page = !(path.starts_with("/api/") || path.starts_with("/fhir/"));
    let mut response =
        if is_page { pages::refuse(door, &Visitor::default(), error) } else { api::refuse(error) };
    dress(door, &mut response);
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
    let by_account = route.who.wants_account();
    // No browser sends this unless a script of ours tells it to: a program, which sends no form.
    if let Some(shown) = headers.get(header::AUTHORIZATION).filter(|_| by_account && is_program(route)) {
        return by_token(door, shown).await;
    }
    if method != Method::GET && method != Method::HEAD {
        same_origin(headers, &host, door.secure)?;
    }
    let Some(token) = cookie(headers, &door.cookie()).and_then(Token::parse).filter(|_| by_account) else {
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
        Ok(Visitor { login, ..Visitor::default() })
    })
    .await
}

/// An address of the API, where a program may show its token.
fn is_program(route: &Route) -> bool {
    route.path.starts_with("/api/") || route.path.starts_with("/fhir/")
}

/// In whose name a program asks. Whatever cookies come with it count for nothing.
async fn by_token(door: &Arc<Door>, shown: &HeaderValue) -> Result<Visitor> {
    let Some(token) = shown.to_str().ok().and_then(accounts::bearer) else {
        return Err(Code::NotSignedIn.into());
    };
    let base = door.web.base.clone();
    blocking(move || {
        let login = base.log.read(|conn| accounts::presented(conn, &token, base.clock.now_ms()))?;
        if let Some(login) = &login {
            accounts::touch(&base, login);
        }
        Ok(Visitor { login, ..Visitor::default() })
    })
    .await
}

/// An administrator with a browser who has not set one up. A token was made by somebody who had to.
fn lacks_second_factor(login: &Login) -> bool {
    let account = &login.account;
    login.scopes.is_none() && account.roles.highest() == Some(Role::Administrator) && !account.second_factor
}

fn allowed(base: &Base, route: &Route, visitor: &Visitor) -> Result<()> {
    if !route.who.wants_account() {
        return Ok(());
    }
    let login = visitor.login.as_ref().ok_or(Code::NotSignedIn)?;
    let Some(least) = route.who.role() else { return Ok(()) };
    let roles = &login.account.roles;
    let role = if matches!(route.who, Who::EveryTeam(_)) { roles.everywhere() } else { roles.highest() };
    if role < Some(least) {
        return Err(Code::RoleNotAllowed.into());
    }
    if base.second_factor_needed() && lacks_second_factor(login) {
        return Err(Code::SecondFactorNeeded.into());
    }
    match (&login.scopes, route.token) {
        (None, _) => Ok(()),
        (Some(scopes), Some(scope)) if scopes.contains(&scope) => Ok(()),
        (Some(_), _) => Err(Code::ScopeMissing.into()),
    }
}

/// Holds everything that an address names against the teams of who asks, and says what they may do there. What is of another
/// team is not there, like what never was, whatever else the request says. Whoever has one role in every team is asked for
/// nothing.
async fn in_team(
    door: &Arc<Door>,
    route: &'static Route,
    visitor: &Visitor,
    named: Result<RawPathParams, RawPathParamsRejection>,
) -> Result<Option<Role>> {
    let Some(login) = visitor.login.as_ref() else { return Ok(None) };
    if login.account.roles.everywhere().is_some() {
        return Ok(None);
    }
    // What is no text is no id either.
    let named = named.map_err(|_| Code::NotFound)?;
    let named: Vec<(String, String)> =
        named.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    if named.is_empty() {
        return Ok(None);
    }
    let (base, roles) = (door.web.base.clone(), login.account.roles.clone());
    let here = blocking(move || {
        base.log.read(|conn| {
            let mut here = None;
            for (name, value) in &named {
                let Some(teams) = teams_of(conn, route, name, value)? else { continue };
                let own: Vec<Option<Role>> = teams.iter().map(|team| roles.in_team(*team)).collect();
                if own.iter().all(Option::is_none) {
                    return Err(Code::RecordNotFound.into());
                }
                // A tablet may be in several teams, and an address may name two records: the least counts. Whoever has no role
                // in one of them may look, as everybody may who sees the other.
                let least = own.into_iter().map(|role| role.unwrap_or(Role::Viewer)).min();
                here = if here.is_some() { here.min(least) } else { least };
            }
            Ok(here)
        })
    })
    .await?;
    if here.is_some() && here < route.who.role() { Err(Code::RoleNotAllowed.into()) } else { Ok(here) }
}

/// The teams of what a part of an address names; none where it is not there, and `None` where it names nothing of a team.
fn teams_of(conn: &Conn, route: &Route, name: &str, value: &str) -> Result<Option<Vec<RecordId>>> {
    if let Ok(id) = value.parse() {
        return Ok(Some(log::team_of(conn, id)?.into_iter().collect()));
    }
    match name {
        "id" if route.path.starts_with("/fleet/") => log::teams_of_tablet(conn, value).map(Some),
        "hash" => match HEXLOWER_PERMISSIVE.decode(value.as_bytes()).map(Hash::try_from) {
            Ok(Ok(hash)) => log::teams_of_held(conn, &hash).map(Some),
            _ => Ok(Some(Vec::new())),
        },
        _ => Ok(None),
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
    if is_program(route) || route.path == "/events" {
        let mut response = api::refuse(error);
        if response.status() == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        return response;
    }
    if route.method == "GET" && error.code() == Code::NotSignedIn {
        return Redirect::to("/sign-in").into_response();
    }
    if route.method == "GET" && error.code() == Code::SecondFactorNeeded {
        return Redirect::to("/account").into_response();
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
        Code::NotSignedIn | Code::SignInWrong | Code::LinkInvalid | Code::CodeWrong => {
            StatusCode::UNAUTHORIZED
        }
        Code::RoleNotAllowed
        | Code::ScopeMissing
        | Code::SecondFactorNeeded
        | Code::CrossOrigin
        | Code::ConsentMissing => StatusCode::FORBIDDEN,
        Code::HostUnknown => StatusCode::MISDIRECTED_REQUEST,
        Code::TryLater | Code::RateLimited => StatusCode::TOO_MANY_REQUESTS,
        Code::LinkCut => StatusCode::REQUEST_TIMEOUT,
        Code::RecordNotFound | Code::NotFound | Code::TokenUnknown | Code::BadId | Code::RecipientUnknown => {
            StatusCode::NOT_FOUND
        }
        Code::NotInConflict | Code::HeadsUnknown | Code::ChangedMeanwhile => StatusCode::CONFLICT,
        Code::StorageFull => StatusCode::INSUFFICIENT_STORAGE,
        Code::StorageFailed | Code::ServerFailed | Code::Behind => StatusCode::SERVICE_UNAVAILABLE,
        Code::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        Code::BadJson | Code::BadArguments | Code::CursorInvalid => StatusCode::BAD_REQUEST,
        Code::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
        Code::MediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Code::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Code::KeyPending => StatusCode::CONFLICT,
        Code::Busy => StatusCode::SERVICE_UNAVAILABLE,
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
    let behind = (error.code() == Code::Behind).then_some(BEHIND_S);
    if let Some(seconds) = error.after().or(behind) {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
}
