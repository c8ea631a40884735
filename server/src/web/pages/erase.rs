//! Erasing a person: one administrator asks, another confirms.

use askama::Template;
use axum::Form;
use axum::extract::Path;
use axum::extract::rejection::FormRejection;
use axum::response::{IntoResponse, Redirect, Response};
use wayside_protocol::error::Code;
use wayside_protocol::record::RecordId;

use super::super::words;
use super::Ask;
use super::access::Why;
use super::frame::Frame;
use super::table::{Cell, Row, Table};
use super::trail::ListedPage;
use crate::api::{self, EraseRequest, rfc3339};
use crate::base::Base;
use crate::error::Result;
use crate::log::By;
use crate::web::blocking;

#[derive(Template)]
#[template(path = "erase.html")]
struct ErasePage {
    frame: Frame,
    id: String,
    persons: usize,
    contacts: usize,
    /// Who asked, when and why, and until when it waits; empty where nobody did.
    asked: String,
    reason: String,
    /// It was the account that looks.
    own: bool,
}

pub async fn erase_form(ask: Ask, Path(id): Path<String>) -> Response {
    let visitor = ask.visitor.clone();
    ask.page_of(id, move |door, frame, id| {
        let base = &door.web.base;
        let name = api::looked(base, &door.web.readers, id)?.name;
        let (persons, contacts) = api::erase_counts(base, id)?;
        let asked = api::erase_request(base, id)?;
        let own =
            asked.as_ref().is_some_and(|asked| visitor.account().is_ok_and(|one| one.n == asked.account));
        Ok(ErasePage {
            frame: frame.titled(
                format!("Erase {}", name.unwrap_or_else(|| "this person".to_owned())),
                "",
                "",
            ),
            id: id.to_string(),
            persons,
            contacts,
            asked: asked.as_ref().map(told).unwrap_or_default(),
            reason: asked.map(|asked| asked.reason).unwrap_or_default(),
            own,
        })
    })
    .await
}

fn told(asked: &EraseRequest) -> String {
    let (at, until) = (words::when(&rfc3339(asked.asked_at)), words::when(&rfc3339(asked.expires_at)));
    format!("{} asked for this {at}. It waits until {until}.", asked.by)
}

pub async fn ask_to_erase(
    ask: Ask,
    Path(id): Path<String>,
    sent: Result<Form<Why>, FormRejection>,
) -> Response {
    let Ok(Form(Why { reason, .. })) = sent else { return ask.refuse(&Code::BadArguments.into()) };
    done(ask, id, "erase", move |base, by, id| api::ask_to_erase(base, by, id, &reason)).await
}

pub async fn confirm_erasure(ask: Ask, Path(id): Path<String>) -> Response {
    done(ask, id, "", api::confirm_erasure).await
}

pub async fn refuse_erasure(ask: Ask, Path(id): Path<String>) -> Response {
    done(ask, id, "erase", api::refuse_erasure).await
}

/// Goes on to a part of the person's page; where that is gone, to the list of requests.
async fn done(
    ask: Ask,
    id: String,
    part: &str,
    work: impl FnOnce(&Base, &By, RecordId) -> Result<()> + Send + 'static,
) -> Response {
    let next = if part.is_empty() { "/erasures".to_owned() } else { format!("/people/{id}/{part}") };
    let (web, by) = (ask.door.web.clone(), ask.visitor.by());
    let worked = blocking(move || {
        let id: RecordId = id.parse().map_err(|_| Code::BadId)?;
        // Of a team that is theirs.
        api::looked(&web.base, &web.readers, id)?;
        work(&web.base, &by, id)
    });
    match worked.await {
        Ok(()) => Redirect::to(&next).into_response(),
        Err(error) => ask.refuse(&error),
    }
}

/// Requests that wait for another administrator.
pub async fn erasures(ask: Ask) -> Response {
    ask.page(|door, frame| {
        let mut rows = Vec::new();
        for asked in api::erase_requests(&door.web.base)? {
            // Of other teams nothing is said.
            let Ok(found) = api::looked(&door.web.base, &door.web.readers, asked.person) else { continue };
            let name = found.name.unwrap_or_else(|| "No name given".to_owned());
            let cells = vec![
                Cell::link(name, format!("/people/{}/erase", asked.person)),
                Cell::new(told(&asked)),
                Cell::new(asked.reason),
            ];
            rows.push(Row { key: asked.person.to_string(), class: "", cells });
        }
        let lead = "One administrator asks on the person's page and says why, another confirms. Then the person is erased with all checks, here and on every tablet.";
        Ok(ListedPage {
            frame: frame.titled("Requests to erase", "", ""),
            back: (String::new(), ""),
            lead: vec![lead.to_owned()],
            none: "None waits.",
            table: Table { caption: "Requests", head: vec!["Person", "Asked", "Why"], rows },
        })
    })
    .await
}
