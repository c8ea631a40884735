//! Who is in front of the tablet: a PIN where the team has a list of its staff, a typed id where it has none.
//!
//! While nobody is signed in, nothing that a record holds leaves this program for the page (`in_front`). The page keeps
//! what was typed: somebody else may sign in and go on with it.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use serde_json::{Value, json};
use wayside_client_core::{Code, Kind, Page};

use super::{
    Answer,
    app::{App, Body},
    fail::Fail,
    lists::label,
};

/// Minutes without a touch until the page locks; a team may set others, under `settings/lock_minutes`.
const LOCK_MINUTES: f64 = 5.0;

/// Refuses whatever shows or changes records while the tablet is locked.
pub async fn in_front(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    match app.with(is_locked).await {
        Ok(false) => next.run(request).await,
        Ok(true) => Fail::wrong_place("locked", "Sign in first: this tablet is locked.").into_response(),
        Err(fail) => fail.into_response(),
    }
}

/// Whether the team has a list and nobody of it is signed in; whoever was taken off the list is not any more.
pub fn is_locked(app: &App) -> Result<bool, Fail> {
    let members = app.tablet.staff()?;
    let signed_in = app.staff();
    Ok(!members.is_empty() && !members.iter().any(|member| signed_in.as_ref() == Some(&member.id)))
}

/// What the page is told of it with its state.
pub fn state(app: &App) -> Result<Value, Fail> {
    let minutes = app.tablet.list(Some(Kind::Team), Page::default())?;
    let minutes = minutes.iter().filter_map(|team| team.pointer("/settings/lock_minutes")?.as_f64());
    let minutes = minutes.filter(|minutes| *minutes > 0.0).fold(f64::INFINITY, f64::min);
    let name = app.name_of(app.staff().as_deref())?;
    Ok(json!({
        "listed": !app.tablet.staff()?.is_empty(),
        "locked": is_locked(app)?,
        "name": name,
        "lock_minutes": if minutes.is_finite() { minutes } else { LOCK_MINUTES },
    }))
}

pub async fn list(State(app): State<Arc<App>>) -> Answer {
    app.with(|app| {
        let members: Vec<Value> = app
            .tablet
            .staff()?
            .into_iter()
            .map(|member| {
                let role = if member.role.is_empty() { String::new() } else { label(&member.role) };
                json!({"id": member.id, "name": member.name, "role": role, "has_pin": member.has_pin,
                    "locked_seconds": member.locked_seconds})
            })
            .collect();
        Ok(Json(json!({"members": members, "last": app.staff()})))
    })
    .await
}

#[derive(Deserialize)]
pub struct Typed {
    staff: String,
}

/// Who types their id, where the team has no list.
pub async fn set(State(app): State<Arc<App>>, Body(Typed { staff }): Body<Typed>) -> Answer {
    app.with(move |app| {
        let staff = staff.trim().to_owned();
        if app.staff_is_fixed() || !app.tablet.staff()?.is_empty() {
            return Err(Fail::code(Code::WrongKind));
        }
        if staff.is_empty() {
            return Err(Fail::field(Code::MissingField, "staff", "Say who is recording."));
        }
        if staff.len() > 256 {
            return Err(Fail::field(Code::TooLarge, "staff", "This is too long for a name."));
        }
        app.set_staff(Some(staff));
        Ok(Json(json!({})))
    })
    .await
}

#[derive(Deserialize)]
pub struct SignIn {
    staff: String,
    pin: String,
}

pub async fn sign_in(State(app): State<Arc<App>>, Body(given): Body<SignIn>) -> Answer {
    app.with(move |app| {
        let member = app.tablet.sign_in(&given.staff, &given.pin)?;
        app.set_staff(Some(member.id));
        Ok(Json(json!({"name": member.name})))
    })
    .await
}

pub async fn lock(State(app): State<Arc<App>>) -> Answer {
    app.with(|app| {
        // Where there is no list nothing could let anybody in again.
        if !app.tablet.staff()?.is_empty() {
            app.set_staff(None);
        }
        Ok(Json(json!({})))
    })
    .await
}

/// What a member reads to a coordinator.
pub async fn challenge(State(app): State<Arc<App>>, Body(Typed { staff }): Body<Typed>) -> Answer {
    app.with(move |app| Ok(Json(json!({"digits": app.tablet.unlock_challenge(&staff)?.digits})))).await
}

#[derive(Deserialize)]
pub struct Unlock {
    staff: String,
    code: String,
    pin: String,
}

pub async fn unlock(State(app): State<Arc<App>>, Body(given): Body<Unlock>) -> Answer {
    app.with(move |app| {
        app.tablet.unlock(&given.staff, &given.code, &given.pin)?;
        let member = app.tablet.sign_in(&given.staff, &given.pin)?;
        app.set_staff(Some(member.id));
        Ok(Json(json!({"name": member.name})))
    })
    .await
}
