//! Subject access: everything that is held about one person, on one page to be read or printed.

use askama::Template;
use axum::extract::Path;
use axum::extract::rejection::FormRejection;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use axum::{Form, Json};
use serde::Deserialize;
use wayside_protocol::error::Code;
use wayside_protocol::record::Kind;

use super::super::words;
use super::Ask;
use super::frame::Frame;
use super::person::{Line, told};
use super::record::Common;
use super::table::{Table, text};
use super::trail::acts;
use crate::api::{self, Shown};
use crate::web::{Said, blocking};

#[derive(Template)]
#[template(path = "access-form.html")]
struct AccessForm {
    frame: Frame,
    id: String,
}

pub async fn access_form(ask: Ask, Path(id): Path<String>) -> Response {
    ask.page_of(id, |door, frame, id| {
        let found = api::looked(&door.web.base, &door.web.readers, id)?;
        let name = found.name.unwrap_or_else(|| "this person".to_owned());
        Ok(AccessForm { frame: frame.titled(format!("Everything held about {name}"), "", ""), id: found.id })
    })
    .await
}

/// One record with all values that it ever had.
struct Held {
    title: String,
    common: Common,
}

#[derive(Template)]
#[template(path = "access.html")]
struct AccessPage {
    frame: Frame,
    id: String,
    made: String,
    story: Vec<Line>,
    records: Vec<Held>,
    /// What was refused, as JSON.
    quarantined: Vec<String>,
    looked: Table,
}

#[derive(Deserialize)]
pub struct Why {
    #[serde(default)]
    pub(super) reason: String,
    /// `json`: as a file for programs.
    #[serde(default, rename = "as")]
    form: String,
}

pub async fn access(ask: Ask, Path(id): Path<String>, sent: Result<Form<Why>, FormRejection>) -> Response {
    let Ok(Form(Why { reason, form })) = sent else { return ask.refuse(&Code::BadArguments.into()) };
    let said = Said { reason: reason.trim().to_owned(), ..Said::default() };
    let why = reason;
    if form == "json" {
        return said.on(as_json(ask, id, why).await);
    }
    let page = ask.page_of(id, move |door, frame, id| {
        api::reason(&why)?;
        let found = api::access(&door.web.base, &door.web.readers, id)?;
        let name = found.name.clone().unwrap_or_else(|| "this person".to_owned());
        let held = |shown: &Shown| Held { title: title(shown), common: Common::of(shown, &found.names) };
        Ok(AccessPage {
            frame: frame.titled(format!("Everything held about {name}"), "", ""),
            made: words::when(&found.made_at),
            story: found.story.iter().map(told).collect(),
            records: found.records.iter().map(held).collect(),
            quarantined: found.quarantined.iter().map(ToString::to_string).collect(),
            looked: acts(found.looked, &found.id),
            id: found.id,
        })
    });
    said.on(page.await)
}

async fn as_json(ask: Ask, id: String, why: String) -> Response {
    let web = ask.door.web.clone();
    let found = blocking(move || {
        api::reason(&why)?;
        api::access(&web.base, &web.readers, id.parse().map_err(|_| Code::BadId)?)
    });
    match found.await {
        Ok(found) => {
            let name = HeaderValue::from_static("attachment; filename=\"subject-access.json\"");
            ([(header::CONTENT_DISPOSITION, name)], Json(found)).into_response()
        }
        Err(error) => ask.refuse(&error),
    }
}

fn title(shown: &Shown) -> String {
    match shown.kind() {
        Some(Kind::Person) => "The person's record".to_owned(),
        _ => text(&shown.record, "/started_at").map_or_else(
            || "A check or conversation".to_owned(),
            |at| format!("Check or conversation, {}", words::when(at)),
        ),
    }
}
