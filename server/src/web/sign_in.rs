//! Signing in and out.

use std::net::SocketAddr;
use std::sync::Arc;

use askama::Template;
use axum::extract::rejection::{FormRejection, QueryRejection};
use axum::extract::{ConnectInfo, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::{Extension, Form};
use serde::Deserialize;
use wayside_protocol::error::Code;

use super::pages::{Frame, html, refuse};
use super::trail::Said;
use super::{Door, Visitor, Web, blocking, guard};
use crate::accounts::{self, Credentials, Token};
use crate::error::{Error, Result};

#[derive(Template)]
#[template(path = "sign-in.html")]
struct SignIn {
    frame: Frame,
    name: String,
    problem: Option<String>,
}

#[derive(Template)]
#[template(path = "signed-in.html")]
struct SignedIn {
    frame: Frame,
}

#[derive(Deserialize)]
pub struct Typed {
    #[serde(default)]
    name: String,
    #[serde(default)]
    password: String,
    #[serde(default)]
    code: String,
}

#[derive(Deserialize)]
pub struct Once {
    #[serde(default)]
    code: String,
}

pub async fn form(State(door): State<Arc<Door>>) -> Response {
    shown(&door, String::new(), None)
}

fn shown(door: &Arc<Door>, name: String, problem: Option<&Error>) -> Response {
    let frame = Frame::new(door, &Visitor::default(), "Sign in");
    let page = SignIn { frame, name, problem: problem.map(ToString::to_string) };
    let mut response = html(problem.map_or(StatusCode::OK, guard::status), &page);
    if let Some(error) = problem {
        guard::note(error);
        guard::retry_after(error, &mut response);
        response.extensions_mut().insert(error.code());
    }
    response
}

pub async fn with_password(
    State(door): State<Arc<Door>>,
    from: Option<Extension<ConnectInfo<SocketAddr>>>,
    form: Result<Form<Typed>, FormRejection>,
) -> Response {
    let Ok(Form(Typed { name, password, code })) = form else {
        return shown(&door, String::new(), Some(&Code::SignInWrong.into()));
    };
    let address = from.map(|Extension(ConnectInfo(from))| from.ip());
    let credentials = Credentials { name: name.clone(), password, code, address };
    let signed = hashing(&door, move |web| accounts::sign_in(&web.base, &web.throttle, &credentials));
    match signed.await {
        Ok((token, _)) => with_cookie(&door, Some(&token), Redirect::to("/").into_response()),
        Err(error) => {
            let (base, typed) = (door.web.base.clone(), name.clone());
            let account = blocking(move || accounts::named(&base, &typed)).await.ok().flatten();
            // Whom somebody tried to be. What is no account's name may be a password in the wrong field.
            let account = account.map(|account| (account.n, account.name));
            Said { account, ..Said::default() }.on(shown(&door, name, Some(&error)))
        }
    }
}

/// Does what hashes passwords, after those who came before. Guessing in parallel must not take all memory, nor stand in
/// line for ever.
pub(super) async fn hashing<T: Send + 'static>(
    door: &Arc<Door>,
    work: impl FnOnce(&Web) -> Result<T> + Send + 'static,
) -> Result<T> {
    let web = door.web.clone();
    let _place = web.waiting.try_acquire().map_err(|_| Error::TryLater(1))?;
    let _turn = web.hashes.acquire().await.map_err(|_| Code::ServerFailed)?;
    let inside = web.clone();
    blocking(move || work(&inside)).await
}

/// The link of `wayside sign-in-link`. It answers with a page of its own rather than a redirect: a link
/// that was followed from somewhere else would carry a strict cookie into no redirect, but the page that
/// this one goes on to is ours.
pub async fn with_link(
    State(door): State<Arc<Door>>,
    headers: HeaderMap,
    from: Option<Extension<ConnectInfo<SocketAddr>>>,
    query: Result<Query<Once>, QueryRejection>,
) -> Response {
    let nobody = Visitor::default();
    // A browser that looks ahead must not use up the link.
    let ahead = ["sec-purpose", "purpose"]
        .iter()
        .any(|name| headers.get(*name).is_some_and(|value| value.as_bytes().starts_with(b"prefetch")));
    if ahead {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let Some(code) = query.ok().and_then(|Query(once)| Token::parse(&once.code)) else {
        return refuse(&door, &nobody, &Code::LinkInvalid.into());
    };
    let base = door.web.base.clone();
    let address = from.map(|Extension(ConnectInfo(from))| from.ip());
    match blocking(move || accounts::sign_in_with_link(&base, &code, address)).await {
        Ok(token) => {
            let frame = Frame::new(&door, &nobody, "You are signed in");
            with_cookie(&door, Some(&token), html(StatusCode::OK, &SignedIn { frame }))
        }
        Err(error) => refuse(&door, &nobody, &error),
    }
}

pub async fn out(State(door): State<Arc<Door>>, Extension(visitor): Extension<Visitor>) -> Response {
    let base = door.web.base.clone();
    let (login, by) = (visitor.login.clone(), visitor.by());
    let ended = blocking(move || login.map_or(Ok(()), |login| accounts::sign_out(&base, &by, &login)));
    match ended.await {
        Ok(()) => with_cookie(&door, None, Redirect::to("/sign-in").into_response()),
        Err(error) => refuse(&door, &visitor, &error),
    }
}

/// Strict: no other site can make a browser show us signed in. It ends with the browser; when it runs
/// out before that, the server knows.
fn with_cookie(door: &Door, token: Option<&Token>, mut response: Response) -> Response {
    let value = token.map(Token::to_text).unwrap_or_default();
    let over = if token.is_none() { "; Max-Age=0" } else { "" };
    let secure = if door.secure { "; Secure" } else { "" };
    let cookie = format!("{}={value}; Path=/; HttpOnly; SameSite=Strict{secure}{over}", door.cookie());
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    response
}
