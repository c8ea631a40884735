//! One session: who was there, whom it saw and when, and what has not arrived yet.

use askama::Template;
use axum::extract::Path;
use axum::response::Response;
use serde_json::Value;

use super::super::words;
use super::Ask;
use super::chart::Bars;
use super::frame::Frame;
use super::lists::{grouped, reading, who};
use super::table::{Cell, Fact, Row, Table, facts, text};
use crate::api::{self, Item, PopUp, TabletHere};

#[derive(Template)]
#[template(path = "session.html")]
struct SessionPage {
    frame: Frame,
    id: String,
    facts: Vec<Fact>,
    tallies: Vec<Fact>,
    categories: Vec<Fact>,
    bars: Bars,
    over_time: Table,
    staff: Table,
    /// What may still be missing, in sentences.
    missing: Vec<String>,
    tablets: Table,
    people: Table,
}

pub async fn session(ask: Ask, Path(id): Path<String>) -> Response {
    ask.page_of(id, move |door, frame, id| {
        let now = door.web.base.clock.now_ms();
        let session = api::session(&door.web.base, &door.web.readers, id)?;
        let record = &session.record;
        let site = session.site.as_ref().and_then(|site| text(site, "/name")).unwrap_or("Site not known yet");
        let day = text(record, "/date").map(words::date).unwrap_or_default();
        let tallies = record.get("tallies").and_then(Value::as_object).into_iter().flatten();
        let categories = session.categories.iter().map(|(category, count)| {
            let words = category.as_deref().map_or("No category".to_owned(), words::category);
            Fact::new(&words, grouped(*count))
        });
        let counts: Vec<(String, u64)> =
            session.over_time.slots.iter().map(|slot| (slot_name(&session, &slot.from), slot.seen)).collect();
        Ok(SessionPage {
            frame: frame.titled(format!("{site}, {day}"), "/sessions", "check"),
            id: id.to_string(),
            facts: about(&session, site, &day),
            tallies: tallies.map(|(name, n)| Fact::new(&words::spaced(name), words::value("", n))).collect(),
            categories: categories.collect(),
            bars: Bars::of(&counts),
            over_time: over_time(&counts),
            staff: staff(&session),
            missing: missing(&session, now),
            tablets: tablets(&session.tablets, now),
            people: people(&session.checks),
        })
    })
    .await
}

fn about(session: &PopUp, site: &str, day: &str) -> Vec<Fact> {
    let mut out = vec![Fact::new("Date", day)];
    if let Some(id) = session.site.as_ref().and_then(|site| text(site, "/id")) {
        out.push(Fact::link("Site", site, format!("/records/{id}")));
    }
    out.extend(facts(
        &session.record,
        &[
            ("/setting", "Setting"),
            ("/vehicle", "Vehicle"),
            ("/starts_at", "Starts"),
            ("/ends_at", "Ends"),
            ("/languages", "Languages"),
            ("/audience", "Audience"),
        ],
    ));
    let seen = u64::try_from(session.checks.len()).unwrap_or_default();
    out.push(Fact::new("Checks and conversations", grouped(seen)));
    out
}

/// A stretch of a day by its beginning; where each is a day or more, the day.
fn slot_name(session: &PopUp, from: &str) -> String {
    if session.over_time.minutes < 1440 { words::clock(from) } else { words::short_day(from) }
}

fn over_time(counts: &[(String, u64)]) -> Table {
    let rows = counts.iter().map(|(from, seen)| Row {
        key: String::new(),
        class: "",
        cells: vec![Cell::new(from), Cell::new(grouped(*seen))],
    });
    Table { caption: "People seen over time", head: vec!["From", "People seen"], rows: rows.collect() }
}

fn staff(session: &PopUp) -> Table {
    let rows = session.staff.iter().map(|one| Row {
        key: format!("staff-{}", one.name),
        class: "",
        cells: vec![Cell::new(&one.name), Cell::new(grouped(one.seen))],
    });
    Table { caption: "Staff", head: vec!["Name", "Checks and conversations begun"], rows: rows.collect() }
}

fn missing(session: &PopUp, now: u64) -> Vec<String> {
    let mut lines = Vec::new();
    for tablet in &session.tablets {
        let waiting = i64::try_from(tablet.waiting.unwrap_or_default()).unwrap_or(i64::MAX);
        if waiting > 0 {
            let ago = tablet.last_seen_at.as_deref().map(|at| words::ago(at, now)).unwrap_or_default();
            let (many, were) = (words::count(waiting, "change"), if waiting == 1 { "was" } else { "were" });
            lines.push(format!("{} last synced {ago}: {many} {were} still waiting on it.", tablet.name));
        }
    }
    if session.persons_missing > 0 {
        let many = words::count(i64::try_from(session.persons_missing).unwrap_or(0), "check");
        let name = if session.persons_missing == 1 { "names" } else { "name" };
        lines.push(format!("{many} {name} a person whose record has not arrived."));
    }
    if session.held > 0 {
        let many = words::count(i64::try_from(session.held).unwrap_or(0), "change");
        lines.push(format!("{many} from these tablets held in quarantine, of this session or of others."));
    }
    lines
}

fn tablets(tablets: &[TabletHere], now: u64) -> Table {
    let rows = tablets.iter().map(|tablet| {
        let seen = match &tablet.last_seen_at {
            Some(at) => Cell::new(words::ago(at, now)).lines(vec![words::when(at)]),
            None => Cell::new("Never"),
        };
        let waiting = match tablet.waiting {
            None => "It does not say".to_owned(),
            Some(0) => "Nothing".to_owned(),
            Some(many) => words::count(i64::try_from(many).unwrap_or(i64::MAX), "change"),
        };
        Row {
            key: format!("tablet-{}", tablet.name),
            class: "",
            cells: vec![Cell::new(&tablet.name), Cell::new(grouped(tablet.seen)), seen, Cell::new(waiting)],
        }
    });
    let head = vec!["Tablet", "Checks and conversations", "Last synced", "Still waiting on it then"];
    Table { caption: "Tablets", head, rows: rows.collect() }
}

fn people(items: &[Item]) -> Table {
    let rows = items.iter().map(|item| {
        let mut next = item.actions.iter().map(|action| words::action(action));
        let cells = vec![
            Cell::tag(words::urgency(&item.urgency), words::urgency_colour(&item.urgency)),
            reading(item),
            who(item),
            Cell::new(words::clock(&item.started_at)),
            Cell::new(next.next().unwrap_or_default()).lines(next.collect()),
        ];
        Row { key: item.check.clone(), class: words::urgency_row(&item.urgency), cells }
    });
    let head = vec!["How soon", "Reading", "Person", "When", "What to do next"];
    Table { caption: "People seen", head, rows: rows.collect() }
}
