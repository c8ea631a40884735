//! What lists of checks share, tablets, and quarantine.

use std::collections::BTreeMap;

use askama::Template;
use axum::response::Response;
use serde_json::Value;
use wayside_protocol::error::Code;

use super::super::words;
use super::Ask;
use super::frame::Frame;
use super::table::{Cell, Row, Table};
use crate::api::{self, Item};

/// A filter, as a link.
pub struct Choice {
    pub text: String,
    pub href: String,
    pub current: bool,
}

pub(super) fn grouped(n: u64) -> String {
    words::grouped(i64::try_from(n).unwrap_or(i64::MAX))
}

pub(super) fn reading(item: &Item) -> Cell {
    let words = item.category.as_deref().map(words::category);
    match (item.systolic, item.diastolic, words) {
        (Some(systolic), Some(diastolic), words) => {
            Cell::new(format!("{systolic}/{diastolic}")).strong().lines(words.into_iter().collect())
        }
        (_, _, Some(words)) => Cell::new(words),
        _ => Cell::new("No reading"),
    }
}

pub(super) fn who(item: &Item) -> Cell {
    let href = format!("/checks/{}", item.check);
    let mut lines = Vec::new();
    let name = match &item.person {
        Some(person) => {
            lines.extend(person.age.map(|age| format!("Aged {age}")));
            person.name.clone().unwrap_or_else(|| "Name not given".to_owned())
        }
        None => "No details given".to_owned(),
    };
    if item.conflicts > 0 {
        lines
            .push(format!("{} to settle", words::count(i64::try_from(item.conflicts).unwrap_or(0), "field")));
    }
    Cell::link(name, href).lines(lines)
}

pub(super) fn tablets(tablets: &[api::TabletSeen], now: u64) -> Table {
    let rows = tablets.iter().map(|tablet| {
        let seen = match &tablet.last_seen_at {
            Some(at) => Cell::new(words::ago(at, now)).lines(vec![words::when(at)]),
            None => Cell::new("Never since it was enrolled"),
        };
        let clock = match tablet.skew_ms {
            Some(ms) => words::skew(ms).map_or("Right".to_owned(), |skew| words::spaced(&skew)),
            None => "Not known yet".to_owned(),
        };
        Row {
            key: tablet.id.clone(),
            class: "",
            cells: vec![Cell::new(&tablet.name), seen, Cell::new(clock)],
        }
    });
    Table { caption: "Tablets", head: vec!["Tablet", "Last synced", "Clock"], rows: rows.collect() }
}

/// How long a tablet may be silent before the page says so.
const SILENT_MS: u64 = 60 * 60 * 1000;

pub(super) fn fresh(tablets: &[api::TabletSeen], now: u64) -> String {
    let seen = |tablet: &api::TabletSeen| {
        tablet.last_seen_at.as_deref().and_then(|at| at.parse::<jiff::Timestamp>().ok())
    };
    let late: Vec<&api::TabletSeen> = tablets
        .iter()
        .filter(|tablet| {
            let at = seen(tablet).map_or(0, |at| u64::try_from(at.as_millisecond()).unwrap_or(0));
            at + SILENT_MS < now
        })
        .collect();
    match late.as_slice() {
        [] if tablets.is_empty() => "No tablet has been enrolled yet.".to_owned(),
        [] => "Every tablet has synced within the last hour.".to_owned(),
        [first, rest @ ..] => {
            let many = words::count(i64::try_from(rest.len() + 1).unwrap_or(0), "tablet");
            let have = if rest.is_empty() { "has" } else { "have" };
            match &first.last_seen_at {
                Some(at) => format!(
                    "{many} {have} not synced within the last hour, one not since {}.",
                    words::when(at)
                ),
                None => format!("{many} {have} not synced within the last hour, one never."),
            }
        }
    }
}

#[derive(Template)]
#[template(path = "quarantine.html")]
struct QuarantinePage {
    frame: Frame,
    /// What came from tablets that were revoked, and nobody has decided about.
    revoked: Vec<Revoked>,
    table: Table,
}

struct Revoked {
    id: String,
    name: String,
    many: String,
}

/// By tablet, as often as its changes are held.
fn from_revoked(held: &[Value]) -> Vec<Revoked> {
    let mut tablets: BTreeMap<(&str, &str), i64> = BTreeMap::new();
    let code = Code::FromRevokedTablet.as_str();
    for item in held.iter().filter(|item| item["code"] == code) {
        let get = |name: &str| item.get(name).and_then(Value::as_str).unwrap_or_default();
        *tablets.entry((get("tablet_name"), get("tablet"))).or_default() += 1;
    }
    let revoked = tablets.into_iter().map(|((name, id), many)| Revoked {
        id: id.to_owned(),
        name: name.to_owned(),
        many: words::count(many, "change"),
    });
    revoked.collect()
}

pub async fn quarantine(ask: Ask) -> Response {
    ask.page(move |door, frame| {
        let held = api::held(&door.web.base, &door.web.readers)?;
        let rows = held.iter().map(|item| {
            let get = |name: &str| item.get(name).and_then(Value::as_str).unwrap_or_default();
            let written = item.get("values").and_then(Value::as_object).into_iter().flatten();
            let lines = written.filter(|(path, _)| !matches!(path.as_str(), "id" | "kind" | "schema")).map(
                |(path, value)| {
                    let name = path.rsplit('/').next().unwrap_or_default();
                    format!("{}: {}", words::field(path), words::value(name, value))
                },
            );
            let kind = item.pointer("/values/kind").and_then(Value::as_str).map(kind_words);
            let about = if get("path").is_empty() { Vec::new() } else { vec![words::field(get("path"))] };
            let cells = vec![
                Cell::new(get("message")).lines(about),
                Cell::new(kind.unwrap_or("A change to a record")).lines(lines.collect()),
                Cell::new(get("tablet_name")),
                Cell::new(words::when(get("received_at"))),
            ];
            Row { key: get("hash").to_owned(), class: "", cells }
        });
        let head = vec!["Why it is held", "What it holds", "From", "Received"];
        let table = Table { caption: "Held in quarantine, the latest first", head, rows: rows.collect() };
        let revoked = from_revoked(&held);
        Ok(QuarantinePage { frame: frame.titled("Quarantine", "/quarantine", "held change"), revoked, table })
    })
    .await
}

/// What a kind of record is called on pages.
pub(super) fn kind_words(kind: &str) -> &'static str {
    match kind {
        "contact" => "A check or conversation",
        "person" => "A person",
        "session" => "A session",
        "site" => "A site",
        "team" => "A team",
        _ => "A record of a newer kind",
    }
}
