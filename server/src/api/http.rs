//! The JSON doors of what the pages show, behind the same sign-in.

use std::sync::Arc;

use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Path, Query};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use wayside_protocol::error::Code;
use wayside_protocol::record::RecordId;

use super::tag::tagged;
use super::{Acted, Month, Paging, Period, Readers, Settle, Take, Wish};
use crate::base::Base;
use crate::error::{Error, Result};
use crate::router::Route;
use crate::web::{Ask, Door, Visitor, blocking, note, retry_after, status};

/// What serves an address of the API.
pub fn handler(route: &Route) -> Option<MethodRouter<Arc<Door>>> {
    Some(match (route.method, route.path) {
        ("GET", "/api/v1/today") => get(today),
        ("POST", "/api/v1/records/{id}/claim") => post(claim),
        ("POST", "/api/v1/quarantine/{hash}/seen") => post(seen_held),
        ("GET", "/api/v1/sessions") => get(sessions),
        ("GET", "/api/v1/sessions/{id}") => get(session),
        ("GET", "/api/v1/people/{id}") => get(person),
        ("GET", "/api/v1/checks/{id}") => get(check),
        ("GET", "/api/v1/records/{id}/history") => get(history),
        ("POST", "/api/v1/records/{id}/settle") => post(settle),
        ("POST", "/api/v1/records/{id}/act") => post(act),
        ("GET", "/api/v1/quarantine") => get(quarantine),
        ("GET", "/api/v1/follow-ups") => get(follow_ups),
        ("GET", "/api/v1/duplicates") => get(duplicates),
        ("GET", "/api/v1/conflicts") => get(disputed),
        ("GET", "/api/v1/reach") => get(reach),
        ("GET", "/api/v1/quality") => get(quality),
        ("POST", "/api/v1/find") => post(find),
        ("GET", "/api/v1/fleet") => get(fleet),
        ("GET", "/api/v1/sites") => get(sites),
        ("GET", "/api/v1/checks") => get(super::checks::list),
        ("GET", "/api/v1/urgent") => get(super::urgent::list),
        ("GET", "/api/v1/urgent/stream") => get(super::urgent::stream),
        ("GET", "/api/v1/openapi.json") => get(document),
        ("GET", "/api/v1/people/{id}/beside/{other}") => get(side_by_side),
        _ => return super::fhir::handler(route),
    })
}

/// An error as `{code, message, retry}`.
pub(crate) fn refuse(error: &Error) -> Response {
    note(error);
    let mut response = (status(error), Json(error.to_json())).into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    retry_after(error, &mut response);
    response.extensions_mut().insert(error.code());
    response
}

async fn answer<T: Serialize>(
    door: &Arc<Door>,
    work: impl FnOnce(&Base, &Readers) -> Result<T> + Send + 'static,
) -> Response {
    let web = door.web.clone();
    let done = blocking(move || {
        let found = work(&web.base, &web.readers)?;
        serde_json::to_value(found).map_err(|_| Error::Internal("JSON of an answer"))
    });
    match done.await {
        Ok(value) => Json(value).into_response(),
        Err(error) => refuse(&error),
    }
}

/// The same with an `ETag`: 304 where the asker has just this.
async fn tag_answer<T: Serialize>(
    door: &Arc<Door>,
    headers: HeaderMap,
    work: impl FnOnce(&Base, &Readers) -> Result<T> + Send + 'static,
) -> Response {
    let web = door.web.clone();
    let done = blocking(move || {
        let found = work(&web.base, &web.readers)?;
        serde_json::to_vec(&found).map_err(|_| Error::Internal("JSON of an answer"))
    });
    match done.await {
        Ok(bytes) => tagged(&headers, bytes),
        Err(error) => refuse(&error),
    }
}

/// What stands after `?` in an address of the API. Pages show something whatever was typed there; a program is told.
pub(crate) fn asked<T>(query: Result<Query<T>, QueryRejection>) -> Result<T> {
    let says = "What stands after `?` in this address is not understood.";
    query.map(|Query(asked)| asked).map_err(|_| Error::Said(Code::BadArguments, says.to_owned()))
}

/// A body; `says` what it should be.
pub(crate) fn sent<T>(body: Result<Json<T>, JsonRejection>, says: &str) -> Result<T> {
    body.map(|Json(sent)| sent).map_err(|rejection| match rejection.status() {
        StatusCode::UNSUPPORTED_MEDIA_TYPE => Code::MediaType.into(),
        StatusCode::PAYLOAD_TOO_LARGE => Code::TooLarge.into(),
        _ => Error::Said(Code::BadJson, says.to_owned()),
    })
}

pub(super) fn id(text: &str) -> Result<RecordId> {
    text.parse().map_err(|_| Code::BadId.into())
}

/// `show` (a part of the list) and `page`, as in the addresses of follow-ups and duplicates.
#[derive(Debug, Default, Deserialize)]
pub struct Part {
    #[serde(default)]
    pub show: String,
    page: Option<u64>,
    /// A cursor, which counts for more than a page.
    #[serde(default)]
    pub after: String,
}

impl Part {
    pub fn page(&self) -> u64 {
        self.page.unwrap_or(1)
    }
}

async fn today(
    Ask { door, .. }: Ask,
    Extension(visitor): Extension<Visitor>,
    wish: Result<Query<Wish>, QueryRejection>,
) -> Response {
    answer(&door, move |base, readers| super::today(base, readers, &asked(wish)?.into(), visitor.account()?))
        .await
}

#[derive(Deserialize)]
struct Taken {
    take: Take,
}

async fn claim(
    Ask { door, .. }: Ask,
    Extension(visitor): Extension<Visitor>,
    Path(text): Path<String>,
    body: Result<Json<Taken>, JsonRejection>,
) -> Response {
    answer(&door, move |base, readers| {
        let Taken { take } = sent(body, "Send {take} as JSON: on, over or off.")?;
        super::claim(base, readers, id(&text)?, visitor.account()?, take)?;
        Ok(json!({"check": text}))
    })
    .await
}

#[derive(Deserialize)]
struct LookedAt {
    seen: bool,
}

async fn seen_held(
    Ask { door, .. }: Ask,
    Extension(visitor): Extension<Visitor>,
    Path(hash): Path<String>,
    body: Result<Json<LookedAt>, JsonRejection>,
) -> Response {
    answer(&door, move |base, readers| {
        let LookedAt { seen } = sent(body, "Send {seen} as JSON: true or false.")?;
        super::seen_held(base, readers, &hash, visitor.account()?, seen)?;
        Ok(json!({"hash": hash, "seen": seen}))
    })
    .await
}

async fn reach(Ask { door, .. }: Ask, period: Result<Query<Period>, QueryRejection>) -> Response {
    let web = door.web.clone();
    answer(&door, move |base, readers| {
        let found = web.reaches.read(base, readers, &super::asked(base, &asked(period)?))?;
        serde_json::to_value(&*found).map_err(|_| Error::Internal("JSON of an answer"))
    })
    .await
}

async fn sessions(Ask { door, .. }: Ask, month: Result<Query<Month>, QueryRejection>) -> Response {
    answer(&door, move |base, readers| super::sessions(base, readers, &asked(month)?)).await
}

async fn session(Ask { door, .. }: Ask, headers: HeaderMap, Path(text): Path<String>) -> Response {
    tag_answer(&door, headers, move |base, readers| super::session(base, readers, id(&text)?)).await
}

async fn person(Ask { door, .. }: Ask, headers: HeaderMap, Path(text): Path<String>) -> Response {
    tag_answer(&door, headers, move |base, readers| super::person(base, readers, id(&text)?)).await
}

async fn check(Ask { door, .. }: Ask, headers: HeaderMap, Path(text): Path<String>) -> Response {
    tag_answer(&door, headers, move |base, readers| super::check(base, readers, id(&text)?)).await
}

async fn history(Ask { door, .. }: Ask, headers: HeaderMap, Path(text): Path<String>) -> Response {
    tag_answer(&door, headers, move |base, readers| super::history(base, readers, id(&text)?)).await
}

async fn quarantine(Ask { door, .. }: Ask, paging: Result<Query<Paging>, QueryRejection>) -> Response {
    answer(&door, move |base, readers| super::held_page(base, readers, &asked(paging)?)).await
}

async fn follow_ups(Ask { door, .. }: Ask, part: Result<Query<Part>, QueryRejection>) -> Response {
    answer(&door, move |base, readers| super::follow_ups(base, readers, &asked(part)?)).await
}

async fn duplicates(Ask { door, .. }: Ask, part: Result<Query<Part>, QueryRejection>) -> Response {
    answer(&door, move |base, readers| super::duplicates(base, readers, &asked(part)?)).await
}

async fn disputed(Ask { door, .. }: Ask, part: Result<Query<Part>, QueryRejection>) -> Response {
    answer(&door, move |base, readers| super::disputed(base, readers, &asked(part)?)).await
}

async fn side_by_side(Ask { door, .. }: Ask, Path((one, other)): Path<(String, String)>) -> Response {
    answer(&door, move |base, readers| super::side_by_side(base, readers, id(&one)?, id(&other)?)).await
}

async fn quality(Ask { door, .. }: Ask, period: Result<Query<Period>, QueryRejection>) -> Response {
    answer(&door, move |base, readers| {
        let period = asked(period)?;
        super::quality(base, readers, &super::asked(base, &period))
    })
    .await
}

async fn fleet(Ask { door, .. }: Ask, paging: Result<Query<Paging>, QueryRejection>) -> Response {
    answer(&door, move |base, readers| super::fleet_page(base, readers, &asked(paging)?)).await
}

async fn sites(Ask { door, .. }: Ask, paging: Result<Query<Paging>, QueryRejection>) -> Response {
    answer(&door, move |base, readers| super::site_page(base, readers, &asked(paging)?)).await
}

/// This API as OpenAPI: the same for everybody.
async fn document() -> Response {
    Json(&*crate::openapi::DOCUMENT).into_response()
}

#[derive(Deserialize)]
struct Wanted {
    text: String,
}

/// People, sites and sessions; by POST, so that nobody's name stands in an address.
async fn find(Ask { door, .. }: Ask, body: Result<Json<Wanted>, JsonRejection>) -> Response {
    answer(&door, move |base, readers| {
        let Wanted { text } = sent(body, "Send {text} as JSON.")?;
        super::find(base, readers, &text)
    })
    .await
}

#[derive(Deserialize)]
struct Decided {
    path: String,
    value: Value,
    heads: Vec<String>,
    #[serde(default)]
    reason: String,
}

async fn settle(
    Ask { door, .. }: Ask,
    Extension(visitor): Extension<Visitor>,
    Path(text): Path<String>,
    body: Result<Json<Decided>, JsonRejection>,
) -> Response {
    let by = visitor.name().unwrap_or_default().to_owned();
    written(&door, move |base, _| {
        let decided = sent(body, "Send {path, value, heads, reason} as JSON.")?;
        let id = id(&text)?;
        let heads = Settle::heads(decided.heads.iter().map(String::as_str))?;
        super::settle(
            base,
            id,
            &by,
            Settle { path: decided.path, value: decided.value, heads, reason: decided.reason },
        )?;
        Ok(id)
    })
    .await
}

async fn act(
    Ask { door, .. }: Ask,
    Extension(visitor): Extension<Visitor>,
    Path(text): Path<String>,
    body: Result<Json<Acted>, JsonRejection>,
) -> Response {
    let by = visitor.name().unwrap_or_default().to_owned();
    written(&door, move |base, readers| {
        let acted: Acted = sent(body, "Send {act, heads, ...} as JSON, with what that act needs.")?;
        Ok(acted.carry_out(base, readers, id(&text)?, &by)?.record)
    })
    .await
}

/// Writes to a record; answers with which it was and what the next edit stands on.
async fn written(
    door: &Arc<Door>,
    work: impl FnOnce(&Base, &Readers) -> Result<RecordId> + Send + 'static,
) -> Response {
    let done = answer(door, move |base, readers| {
        let id = work(base, readers)?;
        let (shown, _) = super::record(base, readers, id)?;
        Ok(
            json!({"record": id.to_string(), "heads": shown.heads, "conflicts": shown.record.get("conflicts")}),
        )
    });
    let mut response = done.await;
    if response.status() == StatusCode::OK {
        *response.status_mut() = StatusCode::CREATED;
    }
    response
}
