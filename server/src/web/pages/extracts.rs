//! *Extracts*: files that leave, for whom, and what their columns mean.

use askama::Template;
use axum::Form;
use axum::extract::rejection::FormRejection;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use wayside_protocol::error::Code;
use wayside_protocol::sync::frame::MAX_REASON;

use super::super::words;
use super::Ask;
use super::frame::Frame;
use super::table::{Cell, Row, Table};
use crate::accounts::Role;
use crate::api::extracts::{Wish, add_recipient, end_recipient, send};
use crate::extract::{Column, File};
use crate::log;
use crate::web::blocking;

const PART: &str = "/extracts";

#[derive(Template)]
#[template(path = "extracts.html")]
struct ExtractsPage {
    frame: Frame,
    /// By code and in words.
    files: Vec<(&'static str, String)>,
    /// Those that there are without names.
    without: Vec<(&'static str, String)>,
    recipients: Vec<(i64, String)>,
    may_add: bool,
    longest: usize,
}

#[derive(Template)]
#[template(path = "dictionary.html")]
struct DictionaryPage {
    frame: Frame,
    tables: Vec<Table>,
}

fn named(file: File) -> String {
    let mut words = words::spaced(file.as_str());
    words.get_mut(..1).into_iter().for_each(str::make_ascii_uppercase);
    words
}

pub async fn extracts(ask: Ask) -> Response {
    let may_add = may_add(&ask);
    ask.page(move |door, frame| {
        let recipients = door.web.base.log.read(log::recipients)?.into_iter();
        let recipients = recipients.filter(|recipient| recipient.ended_at.is_none());
        let files = File::ALL.into_iter().map(|file| (file, (file.as_str(), named(file))));
        Ok(ExtractsPage {
            frame: frame.titled("Extracts", PART, ""),
            files: files.clone().map(|(_, named)| named).collect(),
            without: files.filter(|(file, _)| file.is_shared()).map(|(_, named)| named).collect(),
            recipients: recipients.map(|recipient| (recipient.n, recipient.name)).collect(),
            may_add,
            longest: MAX_REASON,
        })
    })
    .await
}

/// Recipients are those of the whole server.
fn may_add(ask: &Ask) -> bool {
    let account = ask.visitor.account();
    account.is_ok_and(|account| account.roles.everywhere() >= Some(Role::Administrator))
}

#[derive(Deserialize)]
pub struct Asked {
    file: String,
    recipient: Option<i64>,
    #[serde(default)]
    after: String,
    #[serde(default)]
    reason: String,
}

/// The file itself.
pub async fn extract(ask: Ask, form: Result<Form<Asked>, FormRejection>) -> Response {
    let Ok(Form(Asked { file, recipient, after, reason })) = form else {
        return ask.refuse(&Code::BadArguments.into());
    };
    let Some(file) = File::parse(&file) else { return ask.refuse(&Code::NotFound.into()) };
    let wish = Wish { file, recipient, after: after.trim().to_owned(), limit: None, reason };
    send(&ask.door, wish).await.unwrap_or_else(|error| ask.refuse(&error))
}

#[derive(Deserialize)]
pub struct Changed {
    act: String,
    #[serde(default)]
    name: String,
    n: Option<i64>,
}

/// Adds a recipient, or ends one.
pub async fn recipients(ask: Ask, form: Result<Form<Changed>, FormRejection>) -> Response {
    let Ok(Form(Changed { act, name, n })) = form else { return ask.refuse(&Code::BadArguments.into()) };
    if !may_add(&ask) {
        return ask.refuse(&Code::RoleNotAllowed.into());
    }
    let (base, by) = (ask.door.web.base.clone(), ask.visitor.by());
    let done = blocking(move || match (act.as_str(), n) {
        ("add", _) => add_recipient(&base, by, &name).map(drop),
        ("end", Some(n)) => end_recipient(&base, by, n),
        _ => Err(Code::BadArguments.into()),
    });
    match done.await {
        Ok(()) => Redirect::to(PART).into_response(),
        Err(error) => ask.refuse(&error),
    }
}

pub async fn dictionary(ask: Ask) -> Response {
    ask.page(|_, frame| {
        let tables = File::ALL.into_iter().map(|file| {
            let head = vec!["Column", "Holds", "Unit", "Codes", "Meaning", "Source", "Without names"];
            Table { caption: caption(file), head, rows: file.columns().iter().map(row).collect() }
        });
        Ok(DictionaryPage { frame: frame.titled("Data dictionary", PART, ""), tables: tables.collect() })
    })
    .await
}

const fn caption(file: File) -> &'static str {
    match file {
        File::People => "People: people.csv",
        File::Contacts => "Contacts: contacts.csv",
        File::Readings => "Readings of blood pressure: readings.csv",
        File::Measurements => "Measurements: measurements.csv",
        File::FollowUps => "Follow-ups: follow_ups.csv",
        File::Referrals => "Referrals: referrals.csv",
        File::Sessions => "Sessions: sessions.csv",
        File::Sites => "Sites: sites.csv",
    }
}

fn row(column: &Column) -> Row {
    let mut codes = Cell::new("");
    codes.lines = column.codes.iter().map(|(code, label)| format!("{code}: {label}")).collect();
    let cells = vec![
        Cell::new(&column.name),
        Cell::new(column.ty.as_str()),
        Cell::new(column.note.unit),
        codes,
        Cell::new(column.note.about),
        Cell::new(column.note.source),
        Cell::new(column.note.shared.as_str()),
    ];
    Row { key: column.name.clone(), class: "", cells }
}
