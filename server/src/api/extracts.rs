//! Doors through which CSV extracts leave: whose, for whom, and streamed from one snapshot.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query};
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};
use serde::Deserialize;
use tokio::sync::oneshot;
use wayside_protocol::error::Code;
use wayside_protocol::sync::frame::MAX_REASON;

use super::feed::{MORE, NEXT, Pieces};
pub use super::feed::{Place, stretch};
use super::http::asked;
use super::refuse;
use crate::accounts::Role;
use crate::base::Base;
use crate::error::{Error, Result};
use crate::extract::{Extract, File, Pseudonyms, dictionary_csv, dictionary_json};
use crate::log::{self, Audited, By, Recipient};
use crate::router::Route;
use crate::web::{Ask, Door, Said, blocking};

const CSV: &str = "text/csv; charset=utf-8";
/// Why somebody takes what names people: not in an address, which others log.
const REASON: &str = "wayside-reason";

/// What serves an address of extracts.
pub fn handler(route: &Route) -> Option<MethodRouter<Arc<Door>>> {
    Some(match (route.method, route.path) {
        ("GET", "/api/v1/extracts/{name}") => get(identifiable),
        ("GET", "/api/v1/pseudonymous/{recipient}/{name}") => get(pseudonymous),
        ("GET", "/api/v1/extracts/dictionary.csv") => get(dictionary_as_csv),
        ("GET", "/api/v1/extracts/dictionary.json") => get(dictionary_as_json),
        _ => return None,
    })
}

/// One file, as somebody asks for it.
pub struct Wish {
    pub file: File,
    /// Whose pseudonyms; without a recipient it names people, and wants a reason.
    pub recipient: Option<i64>,
    /// A place that an earlier one gave; empty for everything.
    pub after: String,
    /// Records at the most.
    pub limit: Option<u64>,
    pub reason: String,
}

#[derive(Debug, Default, Deserialize)]
struct Since {
    #[serde(default)]
    after: String,
    limit: Option<u64>,
}

/// `people.csv` and so on: nothing else is a file, whatever stands in an address.
fn file(name: &str) -> Result<File> {
    name.strip_suffix(".csv").and_then(File::parse).ok_or(Code::NotFound.into())
}

async fn identifiable(
    Ask { door, .. }: Ask,
    Path(name): Path<String>,
    since: Result<Query<Since>, QueryRejection>,
    headers: HeaderMap,
) -> Response {
    let wish = || {
        let Since { after, limit } = asked(since)?;
        let reason = headers.get(REASON).map(|said| String::from_utf8_lossy(said.as_bytes()).into_owned());
        Ok(Wish { file: file(&name)?, recipient: None, after, limit, reason: reason.unwrap_or_default() })
    };
    answer(&door, wish()).await
}

async fn pseudonymous(
    Ask { door, .. }: Ask,
    Path((recipient, name)): Path<(String, String)>,
    since: Result<Query<Since>, QueryRejection>,
) -> Response {
    let wish = || {
        let Since { after, limit } = asked(since)?;
        let recipient = recipient.parse().map_err(|_| Code::RecipientUnknown)?;
        Ok(Wish { file: file(&name)?, recipient: Some(recipient), after, limit, reason: String::new() })
    };
    answer(&door, wish()).await
}

async fn answer(door: &Arc<Door>, wish: Result<Wish>) -> Response {
    let sent = match wish {
        Ok(wish) => send(door, wish).await,
        Err(error) => Err(error),
    };
    sent.unwrap_or_else(|error| refuse(&error))
}

/// A reason as it goes into the audit trail.
pub fn reason(text: &str) -> Result<String> {
    let reason: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match reason.chars().count() {
        0 => Err(Error::Said(
            Code::MissingField,
            format!("Say why: an extract that names people needs a reason (by program: header {REASON})."),
        )),
        1..=MAX_REASON => Ok(reason),
        _ => Err(Error::Said(Code::OutOfRange, format!("A reason has at most {MAX_REASON} characters."))),
    }
}

/// Adds a recipient with a fresh secret, and returns its number. Blocks.
pub fn add_recipient(base: &Base, by: impl Into<By>, name: &str) -> Result<i64> {
    let (name, secret, now) = (name.to_owned(), rand::random(), base.clock.now_ms());
    let act = by.into().does("recipients", now);
    base.log.write(move |txn| {
        let n = log::add_recipient(txn.conn, &name, &secret, now)?;
        log::audit(txn.conn, &Audited { reason: format!("added recipient {n}"), ..act.clone() })?;
        Ok(n)
    })
}

/// Ends a recipient: nothing more is made for it. Blocks.
pub fn end_recipient(base: &Base, by: impl Into<By>, n: i64) -> Result<()> {
    let now = base.clock.now_ms();
    let act = Audited { reason: format!("ended recipient {n}"), ..by.into().does("recipients", now) };
    base.log.write(move |txn| {
        log::end_recipient(txn.conn, n, now)?;
        log::audit(txn.conn, &act)
    })
}

/// What is to be written: with the pseudonyms of a recipient, if there is one.
pub fn extract(base: &Base, file: File, recipient: Option<&Recipient>) -> Result<Extract> {
    if recipient.is_some() && !file.is_shared() {
        return Err(Code::NotFound.into());
    }
    let pseudonyms =
        recipient.map(|recipient| Pseudonyms::new(&base.identity, &recipient.secret)).transpose()?;
    Ok(Extract { file, pseudonyms })
}

/// An answer with the file as its body, read from one snapshot of the views as it is taken; in the audit trail before it
/// goes.
pub async fn send(door: &Arc<Door>, wish: Wish) -> Result<Response> {
    let web = door.web.clone();
    let inside = web.clone();
    let (extract, after, told) = blocking(move || {
        let after = Place::parse(&wish.after)?;
        let recipient =
            wish.recipient.map(|n| inside.base.log.read(|conn| log::recipient_by_number(conn, n)));
        let recipient = recipient.transpose()?;
        let name = wish.file.as_str();
        let told = match &recipient {
            Some(recipient) => format!("{name}.csv for recipient {}", recipient.n),
            None => format!("{name}.csv: {}", reason(&wish.reason)?),
        };
        Ok((extract(&inside.base, wish.file, recipient.as_ref())?, after, told))
    })
    .await?;
    let name = extract.name();
    let (mut pieces, body) = Pieces::new()?;
    let (head, begun) = oneshot::channel();
    tokio::task::spawn_blocking(move || {
        let mut head = Some(head);
        let readers = web.readers.who_may(Role::Coordinator);
        let done = readers.read(&web.base, |views| {
            let stretch = stretch(views, &after, wish.limit)?;
            let next = stretch.next.to_string();
            if let Some(head) = head.take() {
                let _ = head.send(Ok((next.clone(), stretch.more)));
            }
            extract.write(views, &stretch.parts, &next, &mut pieces)
        });
        match (done, head) {
            // Whoever read it has gone.
            (Ok(_) | Err(Error::File(..)), _) => {}
            (Err(error), Some(head)) => drop(head.send(Err(error))),
            (Err(error), None) => pieces.cut(&error),
        }
    });
    let (next, more) = begun.await.map_err(|_| Error::Internal("a panic inside an extract"))??;
    let mut response = Body::into_response(body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(CSV));
    // Both are letters, digits, dots, `-` and `_`.
    let named = HeaderValue::try_from(format!("attachment; filename=\"{name}\"")).ok();
    headers.extend(named.map(|named| (header::CONTENT_DISPOSITION, named)));
    headers.extend(HeaderValue::try_from(next).ok().map(|next| (HeaderName::from_static(NEXT), next)));
    headers.insert(MORE, HeaderValue::from_static(if more { "true" } else { "false" }));
    Ok(Said { reason: told, ..Said::default() }.on(response))
}

async fn dictionary_as_csv() -> Response {
    match dictionary_csv() {
        Ok(text) => {
            let named = "attachment; filename=\"wayside-dictionary.csv\"";
            ([(header::CONTENT_TYPE, CSV), (header::CONTENT_DISPOSITION, named)], text).into_response()
        }
        Err(error) => refuse(&error),
    }
}

async fn dictionary_as_json() -> Response {
    axum::Json(dictionary_json()).into_response()
}
