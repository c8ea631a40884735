//! The JSON doors of what the pages show, behind the same sign-in.

use std::sync::Arc;

use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use wayside_protocol::error::Code;
use wayside_protocol::record::RecordId;

use super::{Acted, Month, Period, Readers, Settle, Take, Wish};
use crate::base::Base;
use crate::error::{Error, Result};
use crate::router::Route;
use crate::web::{Door, Visitor, blocking, note, retry_after, status};

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
        ("GET", "/api/v1/people/{id}/beside/{other}") => get(side_by_side),
        _ => return super::fhir::handler(route),
    })
}

/// An error as `{code, message, retry}`.
pub(crate) fn refuse(error: &Error) -> Response {
    note(error);
    let mut response = (status(error), Json(error.to_json())).into_response();
    retry_after(error, &mut response);
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

pub(super) fn id(text: &str) -> Result<RecordId> {
    text.parse().map_err(|_| Code::BadId.into())
}

/// `show` (a part of the list) and `page`, as in the addresses of follow-ups and duplicates.
#[derive(Debug, Default, Deserialize)]
pub struct Part {
    #[serde(default)]
    pub show: String,
    page: Option<u64>,
}

impl Part {
    pub fn page(&self) -> u64 {
        self.page.unwrap_or(1)
    }
}

async fn today(
    State(door): State<Arc<Door>>,
    Extension(visitor): Extension<Visitor>,
    wish: Result<Query<Wish>, QueryRejection>,
) -> Response {
    let filter = wish.map(|Query(wish)| wish).unwrap_or_default().into();
    answer(&door, move |base, readers| super::today(base, readers, &filter, visitor.account()?)).await
}

#[derive(Deserialize)]
struct Taken {
    take: Take,
}

async fn claim(
    State(door): State<Arc<Door>>,
    Extension(visitor): Extension<Visitor>,
    Path(text): Path<String>,
    body: Result<Json<Taken>, JsonRejection>,
) -> Response {
    let Ok(Json(Taken { take })) = body else {
        return refuse(&Error::Said(Code::BadJson, "Send {take} as JSON: on, over or off.".to_owned()));
    };
    answer(&door, move |base, readers| {
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
    State(door): State<Arc<Door>>,
    Extension(visitor): Extension<Visitor>,
    Path(hash): Path<String>,
    body: Result<Json<LookedAt>, JsonRejection>,
) -> Response {
    let Ok(Json(LookedAt { seen })) = body else {
        return refuse(&Error::Said(Code::BadJson, "Send {seen} as JSON: true or false.".to_owned()));
    };
    answer(&door, move |base, readers| {
        super::seen_held(base, readers, &hash, visitor.account()?, seen)?;
        Ok(json!({"hash": hash, "seen": seen}))
    })
    .await
}

async fn reach(State(door): State<Arc<Door>>, period: Result<Query<Period>, QueryRejection>) -> Response {
    let period = period.map(|Query(period)| period).unwrap_or_default();
    let web = door.web.clone();
    answer(&door, move |base, readers| {
        let found = web.reaches.read(base, readers, &super::asked(base, &period))?;
        serde_json::to_value(&*found).map_err(|_| Error::Internal("JSON of an answer"))
    })
    .await
}

async fn sessions(State(door): State<Arc<Door>>, asked: Result<Query<Month>, QueryRejection>) -> Response {
    let month = asked.map(|Query(month)| month).unwrap_or_default();
    answer(&door, move |base, readers| super::sessions(base, readers, &month)).await
}

async fn session(State(door): State<Arc<Door>>, Path(text): Path<String>) -> Response {
    answer(&door, move |base, readers| super::session(base, readers, id(&text)?)).await
}

async fn person(State(door): State<Arc<Door>>, Path(text): Path<String>) -> Response {
    answer(&door, move |base, readers| super::person(base, readers, id(&text)?)).await
}

async fn check(State(door): State<Arc<Door>>, Path(text): Path<String>) -> Response {
    answer(&door, move |base, readers| super::check(base, readers, id(&text)?)).await
}

async fn history(State(door): State<Arc<Door>>, Path(text): Path<String>) -> Response {
    answer(&door, move |base, readers| super::history(base, readers, id(&text)?)).await
}

async fn quarantine(State(door): State<Arc<Door>>) -> Response {
    answer(&door, super::held).await
}

async fn follow_ups(State(door): State<Arc<Door>>, part: Result<Query<Part>, QueryRejection>) -> Response {
    let part = part.map(|Query(part)| part).unwrap_or_default();
    answer(&door, move |base, readers| super::follow_ups(base, readers, &part)).await
}

async fn duplicates(State(door): State<Arc<Door>>, part: Result<Query<Part>, QueryRejection>) -> Response {
    let part = part.map(|Query(part)| part).unwrap_or_default();
    answer(&door, move |base, readers| super::duplicates(base, readers, part.page())).await
}

async fn disputed(State(door): State<Arc<Door>>, part: Result<Query<Part>, QueryRejection>) -> Response {
    let part = part.map(|Query(part)| part).unwrap_or_default();
    answer(&door, move |base, readers| super::disputed(base, readers, part.page())).await
}

async fn side_by_side(State(door): State<Arc<Door>>, Path((one, other)): Path<(String, String)>) -> Response {
    answer(&door, move |base, readers| super::side_by_side(base, readers, id(&one)?, id(&other)?)).await
}

async fn quality(State(door): State<Arc<Door>>, period: Result<Query<Period>, QueryRejection>) -> Response {
    let period = period.map(|Query(period)| period).unwrap_or_default();
    answer(&door, move |base, readers| super::quality(base, readers, &super::asked(base, &period))).await
}

async fn fleet(State(door): State<Arc<Door>>) -> Response {
    answer(&door, |base, _| super::fleet(base)).await
}

async fn sites(State(door): State<Arc<Door>>) -> Response {
    answer(&door, super::sites).await
}

#[derive(Deserialize)]
struct Wanted {
    text: String,
}

/// People, sites and sessions; by POST, so that nobody's name stands in an address.
async fn find(
    State(door): State<Arc<Door>>,
    Extension(visitor): Extension<Visitor>,
    body: Result<Json<Wanted>, JsonRejection>,
) -> Response {
    let Ok(Json(Wanted { text })) = body else {
        return refuse(&Error::Said(Code::BadJson, "Send {text} as JSON.".to_owned()));
    };
    let by = visitor.name().unwrap_or_default().to_owned();
    answer(&door, move |base, readers| super::find(base, readers, &by, &text)).await
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
    State(door): State<Arc<Door>>,
    Extension(visitor): Extension<Visitor>,
    Path(text): Path<String>,
    body: Result<Json<Decided>, JsonRejection>,
) -> Response {
    let Ok(Json(decided)) = body else {
        let problem = "Send {path, value, heads, reason} as JSON.".to_owned();
        return refuse(&Error::Said(Code::BadJson, problem));
    };
    let by = visitor.name().unwrap_or_default().to_owned();
    written(&door, move |base, _| {
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
    State(door): State<Arc<Door>>,
    Extension(visitor): Extension<Visitor>,
    Path(text): Path<String>,
    body: Result<Json<Acted>, JsonRejection>,
) -> Response {
    let Ok(Json(acted)) = body else {
        let problem = "Send {act, heads, ...} as JSON, with what that act needs.".to_owned();
        return refuse(&Error::Said(Code::BadJson, problem));
    };
    let by = visitor.name().unwrap_or_default().to_owned();
    written(&door, move |base, readers| Ok(acted.carry_out(base, readers, id(&text)?, &by)?.record)).await
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
