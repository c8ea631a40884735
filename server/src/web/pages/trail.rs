//! Who has looked at a person's record, and what an account did.

use askama::Template;
use axum::extract::Path;
use axum::response::Response;
use wayside_protocol::error::Code;

use super::super::words;
use super::Ask;
use super::frame::Frame;
use super::table::{Cell, Row, Table};
use crate::accounts;
use crate::api::{self, Act};

/// A page that is a table with some words above it.
#[derive(Template)]
#[template(path = "listed.html")]
pub(super) struct ListedPage {
    pub frame: Frame,
    /// Where a link above leads, and its words; empty for none.
    pub back: (String, &'static str),
    pub lead: Vec<String>,
    /// What is said where the table has no row.
    pub none: &'static str,
    pub table: Table,
}

pub async fn lookers(ask: Ask, Path(id): Path<String>) -> Response {
    ask.page_of(id, |door, frame, id| {
        let looked = api::looked(&door.web.base, &door.web.readers, id)?;
        let name = looked.name.unwrap_or_else(|| "this person".to_owned());
        Ok(ListedPage {
            frame: frame.titled(format!("Who has looked at the record of {name}"), "", ""),
            back: (format!("/people/{}", looked.id), "The person"),
            lead: vec![
                "This person's record, those merged with it, and their checks; the latest first. Who looks again within five minutes stands here once.".to_owned(),
            ],
            none: "Nobody has looked at it yet.",
            table: acts(looked.acts, &looked.id),
        })
    })
    .await
}

/// Accounts, each with what it did.
pub async fn audit(ask: Ask) -> Response {
    ask.page(|door, frame| {
        let rows = accounts::list(&door.web.base)?.into_iter().map(|account| {
            let mut name = Cell::link(&account.name, format!("/audit/{}", account.n));
            if account.disabled {
                name.tag = "Disabled".to_owned();
                name.colour = "nhsuk-tag--grey";
            }
            Row { key: account.n.to_string(), class: "", cells: vec![name] }
        });
        let lead = "Everything that is read, looked for, taken away or changed is written down. Whether that was altered since says the command wayside audit verify.";
        Ok(ListedPage {
            table: Table { caption: "Accounts", head: vec!["Name"], rows: rows.collect() },
            frame: frame.titled("Audit trail", "", ""),
            back: (String::new(), ""),
            lead: vec![lead.to_owned()],
            none: "There is no account.",
        })
    })
    .await
}

pub async fn audit_of(ask: Ask, Path(account): Path<String>) -> Response {
    ask.page(move |door, frame| {
        let n: i64 = account.parse().map_err(|_| Code::NotFound)?;
        let found = accounts::list(&door.web.base)?.into_iter().find(|account| account.n == n);
        let name = found.ok_or(Code::NotFound)?.name;
        let did = api::acts_of(&door.web.base, &door.web.readers, n)?;
        Ok(ListedPage {
            frame: frame.titled(format!("What {name} did"), "", ""),
            back: ("/audit".to_owned(), "All accounts"),
            lead: vec!["The latest first, and only the last 500.".to_owned()],
            none: "Nothing yet.",
            table: acts(did, ""),
        })
    })
    .await
}

/// Rows of the trail; `own` is the record that the page is about.
pub(super) fn acts(acts: Vec<Act>, own: &str) -> Table {
    let row = |(index, act): (usize, Act)| {
        let mut about = Cell::new(&act.reason);
        if let Some(record) = act.record.filter(|record| record != own) {
            about = Cell::link("A record", format!("/records/{record}"));
            about.lines = vec![act.reason.clone()];
        }
        about.lines.retain(|line| !line.is_empty());
        let cells = vec![
            Cell::new(words::when(&act.at)),
            Cell::new(&act.who)
                .lines(vec![act.address].into_iter().filter(|from| !from.is_empty()).collect()),
            Cell::new(did(&act.act)),
            about,
        ];
        Row { key: format!("{}-{index}", act.at), class: "", cells }
    };
    let head = vec!["When", "Who, and from where", "What", "About"];
    Table { caption: "Audit trail", head, rows: acts.into_iter().enumerate().map(row).collect() }
}

/// An act in words.
fn did(act: &str) -> String {
    let words = match act {
        "person" => "Read the person's page",
        "check" => "Read a check",
        "letter" => "Read the letter about a check",
        "record" => "Read a record",
        "history" => "Read the history",
        "beside" => "Compared two people",
        "looked" => "Looked at who had looked",
        "today" => "Read Today",
        "session" => "Read a session",
        "find" => "Searched for people",
        "open" => "Opened a person from a search",
        "look_up" => "Looked up people from a tablet",
        "fetch" => "Fetched the record to a tablet",
        "fhir_check" | "fhir_session" | "fhir_feed" => "Took records as FHIR",
        "gp_summary" => "Took the summary for the practice",
        "subject_access" => "Took everything that is held about the person",
        "sign_in" => "Signed in",
        "sign_in_refused" => "Failed to sign in",
        "refused" => "Was refused",
        "sign_out" => "Signed out",
        "second_factor_begin" => "Began to set up a second factor",
        "change" | "settle" => "Changed the record",
        "erase" => "Erased the person",
        "erase_asked" => "Asked to erase the person",
        "command" => "At the command line",
        other => return words::spaced(other),
    };
    words.to_owned()
}
