//! *Find*: one box for people, sites and sessions. What is typed comes in a form and never stands in an address.

use askama::Template;
use axum::Form;
use axum::extract::Path;
use axum::extract::rejection::FormRejection;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use wayside_protocol::error::Code;
use wayside_protocol::record::RecordId;

use super::super::words;
use super::Ask;
use super::frame::Frame;
use super::table::{Cell, Row, Table};
use crate::api::{self, Found, FoundPerson, FoundSession, FoundSite};
use crate::web::blocking;

#[derive(Template)]
#[template(path = "find.html")]
struct FindPage {
    frame: Frame,
    typed: String,
    /// Something was looked for.
    asked: bool,
    more: bool,
    people: Table,
    sites: Table,
    sessions: Table,
}

pub async fn find_form(ask: Ask) -> Response {
    ask.page(|_, frame| Ok(page(frame, String::new(), false, Found::default()))).await
}

#[derive(Deserialize)]
pub struct Typed {
    #[serde(default)]
    text: String,
}

pub async fn find(ask: Ask, typed: Result<Form<Typed>, FormRejection>) -> Response {
    let Ok(Form(Typed { text })) = typed else { return ask.refuse(&Code::BadArguments.into()) };
    ask.page(move |door, frame| {
        let found = api::find(&door.web.base, &door.web.readers, &text)?;
        Ok(page(frame, text, true, found))
    })
    .await
}

/// Opens a person that was found: an address of its own, so that the audit trail tells it from a person opened otherwise.
pub async fn open_found(ask: Ask, Path(id): Path<String>) -> Response {
    let door = ask.door.clone();
    let opened = blocking(move || {
        let id: RecordId = id.parse().map_err(|_| Code::BadId)?;
        api::open_found(&door.web.base, &door.web.readers, id).map(|()| id)
    });
    match opened.await {
        Ok(id) => Redirect::to(&format!("/people/{id}")).into_response(),
        Err(error) => ask.refuse(&error),
    }
}

fn page(frame: Frame, typed: String, asked: bool, found: Found) -> FindPage {
    FindPage {
        frame: frame.titled("Find", "/find", ""),
        typed,
        asked,
        more: found.more,
        people: people(&found.people),
        sites: sites(&found.sites),
        sessions: sessions(&found.sessions),
    }
}

fn people(found: &[FoundPerson]) -> Table {
    let row = |person: &FoundPerson| {
        let name = person.name.clone().unwrap_or_else(|| "No name given".to_owned());
        let mut who = Cell::link(name, format!("/find/{}", person.id));
        if person.entered_in_error {
            who.tag = "Entered in error".to_owned();
            who.colour = "nhsuk-tag--grey";
        }
        let birth = match (&person.date_of_birth, person.age_years) {
            (Some(date), _) => words::birthday(date),
            (None, Some(years)) => words::count(years, "year"),
            (None, None) => String::new(),
        };
        let cells = vec![
            who,
            Cell::new(birth),
            Cell::new(person.nhs_number.as_deref().map(words::nhs_number).unwrap_or_default()),
            Cell::new(person.phone.as_deref().map(words::phone).unwrap_or_default()),
            Cell::new(person.postcode.clone().unwrap_or_default()),
            Cell::new(&person.team),
        ];
        Row { key: person.id.clone(), class: "", cells }
    };
    let head = vec!["Name", "Born", "NHS number", "Phone", "Postcode", "Team"];
    Table { caption: "People", head, rows: found.iter().map(row).collect() }
}

fn sites(found: &[FoundSite]) -> Table {
    let row = |site: &FoundSite| {
        let cells = vec![
            Cell::link(&site.name, format!("/sites/{}", site.id)),
            Cell::new(site.kind.as_deref().map(words::spaced).unwrap_or_default()),
            Cell::new(site.postcode.clone().unwrap_or_default()),
            Cell::new(&site.team),
        ];
        Row { key: site.id.clone(), class: "", cells }
    };
    let head = vec!["Site", "Kind", "Postcode", "Team"];
    Table { caption: "Sites", head, rows: found.iter().map(row).collect() }
}

fn sessions(found: &[FoundSession]) -> Table {
    let row = |session: &FoundSession| {
        let site = session.site.clone().unwrap_or_else(|| "Site not known yet".to_owned());
        let cells = vec![
            Cell::link(words::date(&session.date), format!("/sessions/{}", session.id)),
            Cell::new(site),
            Cell::new(&session.team),
        ];
        Row { key: session.id.clone(), class: "", cells }
    };
    let head = vec!["Day", "Site", "Team"];
    Table { caption: "Sessions", head, rows: found.iter().map(row).collect() }
}
