//! Worklist, sessions, one session, quarantine.

use askama::Template;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query};
use axum::response::Response;
use serde_json::Value;
use wayside_protocol::clinical::Urgency;
use wayside_protocol::error::Code;

use super::super::words;
use super::Ask;
use super::frame::Frame;
use super::pager::Pager;
use super::table::{Cell, Fact, Row, Table, text};
use crate::api::{self, Asked, Filter, Item, When};

/// A filter, as a link.
pub struct Choice {
    pub text: String,
    pub href: String,
    pub current: bool,
}

#[derive(Template)]
#[template(path = "worklist.html")]
struct WorklistPage {
    frame: Frame,
    urgent: u64,
    choices: Vec<Choice>,
    days: Vec<Choice>,
    states: Vec<Choice>,
    table: Table,
    pager: Pager,
    tablets: Table,
    /// The first thing to know of how fresh this is.
    fresh: String,
    /// What happened to the log itself, in sentences.
    alarms: Vec<String>,
}

pub async fn worklist(ask: Ask, asked: Result<Query<Asked>, QueryRejection>) -> Response {
    let filter: Filter = asked.map(|Query(asked)| asked).unwrap_or_default().into();
    ask.page(move |door, frame| {
        let now = door.web.base.clock.now_ms();
        let list = api::worklist(&door.web.base, &door.web.readers, &filter)?;
        let all: u64 = list.counts.iter().map(|(_, count)| count).sum();
        let mut choices = vec![Choice {
            text: format!("All ({})", grouped(all)),
            href: address(&Filter { urgency: None, page: 1, ..filter.clone() }),
            current: filter.urgency.is_none(),
        }];
        choices.extend(list.counts.iter().map(|(code, count)| Choice {
            text: format!("{} ({})", words::urgency(code), grouped(*count)),
            href: address(&Filter { urgency: Urgency::parse(code), page: 1, ..filter.clone() }),
            current: filter.urgency.is_some_and(|urgency| urgency.as_str() == *code),
        }));
        let day = |when: When, text: &str| Choice {
            text: text.to_owned(),
            href: address(&Filter { when, page: 1, ..filter.clone() }),
            current: filter.when == when,
        };
        let state = |handled: bool, text: String| Choice {
            text,
            href: address(&Filter { handled, urgency: None, page: 1, ..filter.clone() }),
            current: filter.handled == handled,
        };
        let title = match list.urgent {
            0 => "Worklist".to_owned(),
            urgent => format!("({} urgent) Worklist", grouped(urgent)),
        };
        let tablets = tablets(&list.tablets, now);
        Ok(WorklistPage {
            frame: frame.titled(title, "/", "check"),
            urgent: list.urgent,
            choices,
            days: vec![day(When::Open, "Any day"), day(When::Today, "Today only")],
            states: vec![
                state(false, "Waiting".to_owned()),
                state(true, format!("In hand ({})", grouped(list.handled))),
            ],
            table: items(if filter.handled { "In hand" } else { "Whom to look at" }, &list.items, true),
            pager: Pager::new(list.page, list.pages, |page| address(&Filter { page, ..filter.clone() })),
            fresh: fresh(&list.tablets, now),
            alarms: list.alarms.iter().map(alarm).collect(),
            tablets,
        })
    })
    .await
}

fn alarm(alarm: &api::Alarm) -> String {
    let code = Code::parse(&alarm.code);
    let what = match (code, &alarm.tablet) {
        (Some(Code::TabletCopied), Some(name)) => format!(
            "The tablet {name} was set back to an older copy of itself, or copied to a second tablet: nothing is \
             lost, but only one of them should be used."
        ),
        (Some(code), _) => code.message().to_owned(),
        (None, _) => words::spaced(&alarm.code),
    };
    format!("{}: {what}", words::when(&alarm.last_at))
}

fn grouped(n: u64) -> String {
    words::grouped(i64::try_from(n).unwrap_or(i64::MAX))
}

fn address(filter: &Filter) -> String {
    let mut parts = Vec::new();
    parts.extend(filter.urgency.map(|urgency| format!("urgency={urgency}")));
    if filter.when == When::Today {
        parts.push("when=today".to_owned());
    }
    if filter.handled {
        parts.push("show=handled".to_owned());
    }
    if filter.page > 1 {
        parts.push(format!("page={}", filter.page));
    }
    if parts.is_empty() { "/".to_owned() } else { format!("/?{}", parts.join("&")) }
}

/// Checks as rows: of the worklist with what to do, of a session with what came out.
fn items(caption: &'static str, items: &[Item], whole: bool) -> Table {
    let head = if whole {
        vec!["How soon", "Reading", "Person", "Where and when", "Why", "What to do next"]
    } else {
        vec!["How soon", "Reading", "Person", "When", "What to do next"]
    };
    let rows = items.iter().map(|item| {
        let mut cells = vec![
            Cell::tag(words::urgency(&item.urgency), words::urgency_colour(&item.urgency)),
            reading(item),
            who(item),
        ];
        if whole {
            let site = item.site.clone().unwrap_or_else(|| "Site not known yet".to_owned());
            cells.push(Cell::new(site).lines(vec![words::when(&item.started_at)]));
            let mut why = words::signs(&item.signs);
            if item.disputed {
                why.push("Disputed: the more urgent value counts until somebody settles it".to_owned());
            }
            why.push(item.why.clone());
            cells.push(Cell::default().lines(why));
        } else {
            cells.push(Cell::new(words::clock(&item.started_at)));
        }
        let mut next = item.actions.iter().map(|action| words::action(action));
        cells.push(Cell::new(next.next().unwrap_or_default()).lines(next.collect()));
        Row { key: item.check.clone(), class: words::urgency_row(&item.urgency), cells }
    });
    Table { caption, head, rows: rows.collect() }
}

fn reading(item: &Item) -> Cell {
    let words = item.category.as_deref().map(words::category);
    match (item.systolic, item.diastolic, words) {
        (Some(systolic), Some(diastolic), words) => {
            Cell::new(format!("{systolic}/{diastolic}")).strong().lines(words.into_iter().collect())
        }
        (_, _, Some(words)) => Cell::new(words),
        _ => Cell::new("No reading"),
    }
}

fn who(item: &Item) -> Cell {
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

fn tablets(tablets: &[api::TabletSeen], now: u64) -> Table {
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

fn fresh(tablets: &[api::TabletSeen], now: u64) -> String {
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
#[template(path = "sessions.html")]
struct SessionsPage {
    frame: Frame,
    table: Table,
}

pub async fn sessions(ask: Ask) -> Response {
    ask.page(move |door, frame| {
        let rows = api::sessions(&door.web.base, &door.web.readers)?.into_iter().map(|listed| {
            let site = listed.site.unwrap_or_else(|| "Site not known yet".to_owned());
            let cells = vec![
                Cell::link(site, format!("/sessions/{}", listed.id)),
                Cell::new(words::date(&listed.date)),
                Cell::new(listed.setting.as_deref().map(words::spaced).unwrap_or_default()),
                Cell::new(grouped(listed.seen)),
                Cell::new(grouped(listed.attention)),
            ];
            Row { key: listed.id, class: "", cells }
        });
        let head = vec!["Site", "Date", "Setting", "People seen", "On the worklist"];
        let table = Table { caption: "Sessions, the latest first", head, rows: rows.collect() };
        Ok(SessionsPage { frame: frame.titled("Sessions", "/sessions", "session"), table })
    })
    .await
}

#[derive(Template)]
#[template(path = "session.html")]
struct SessionPage {
    frame: Frame,
    id: String,
    facts: Vec<Fact>,
    tallies: Vec<Fact>,
    categories: Vec<Fact>,
    table: Table,
}

pub async fn session(ask: Ask, Path(id): Path<String>) -> Response {
    ask.page_of(id, move |door, frame, id| {
        let session = api::session(&door.web.base, &door.web.readers, id)?;
        let record = &session.record;
        let site = session.site.as_ref().and_then(|site| text(site, "/name")).unwrap_or("Site not known yet");
        let day = text(record, "/date").map(words::date).unwrap_or_default();
        let mut facts = vec![Fact::new("Date", &day)];
        if let Some(site_id) = session.site.as_ref().and_then(|site| text(site, "/id")) {
            facts.push(Fact::link("Site", site, format!("/records/{site_id}")));
        }
        facts.extend(super::table::facts(
            record,
            &[
                ("/setting", "Setting"),
                ("/vehicle", "Vehicle"),
                ("/starts_at", "Starts"),
                ("/ends_at", "Ends"),
                ("/languages", "Languages"),
                ("/audience", "Audience"),
            ],
        ));
        facts.push(Fact::new("Staff", or_none(&session.staff)));
        facts.push(Fact::new("Tablets", or_none(&session.tablets)));
        let tallies = record.get("tallies").and_then(Value::as_object).into_iter().flatten();
        let categories = session.categories.iter().map(|(category, count)| {
            let words = category.as_deref().map_or("No category".to_owned(), words::category);
            Fact::new(&words, grouped(*count))
        });
        Ok(SessionPage {
            frame: frame.titled(format!("{site}, {day}"), "/sessions", "check"),
            id: id.to_string(),
            facts,
            tallies: tallies.map(|(name, n)| Fact::new(&words::spaced(name), words::value("", n))).collect(),
            categories: categories.collect(),
            table: items("People seen", &session.checks, false),
        })
    })
    .await
}

fn or_none(names: &[String]) -> String {
    if names.is_empty() { "None recorded".to_owned() } else { names.join(", ") }
}

#[derive(Template)]
#[template(path = "quarantine.html")]
struct QuarantinePage {
    frame: Frame,
    table: Table,
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
        Ok(QuarantinePage { frame: frame.titled("Quarantine", "/quarantine", "held change"), table })
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
