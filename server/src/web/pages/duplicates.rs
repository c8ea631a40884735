//! People who may be one: the list, and two of them next to each other.

use askama::Template;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query};
use axum::response::Response;
use serde_json::Value;
use wayside_protocol::error::Code;
use wayside_protocol::matching::Likeness;

use super::super::words;
use super::Ask;
use super::frame::Frame;
use super::lists::{Choice, grouped, kind_words};
use super::pager::Pager;
use super::person::identifying;
use super::table::{Cell, Fact, Row, Table, text};
use crate::api::{self, Likely, Part};

#[derive(Template)]
#[template(path = "duplicates.html")]
struct DuplicatesPage {
    frame: Frame,
    choices: Vec<Choice>,
    /// What is listed.
    about: &'static str,
    first: String,
    table: Table,
    pager: Pager,
}

/// Who may be recorded twice; with `show=conflicts`, records in which values disagree.
pub async fn duplicates(ask: Ask, part: Result<Query<Part>, QueryRejection>) -> Response {
    let part = part.map(|Query(part)| part).unwrap_or_default();
    ask.page(move |door, frame| {
        let (base, readers) = (&door.web.base, &door.web.readers);
        let conflicts = part.show == "conflicts";
        // Of the other list only how long it is.
        let first = Part::default();
        let (of_pairs, of_conflicts) = if conflicts { (&first, &part) } else { (&part, &first) };
        let pairs = api::duplicates(base, readers, of_pairs)?;
        let disputed = api::disputed(base, readers, of_conflicts)?;
        let choice = |text: &str, count: u64, href: &str, current: bool| Choice {
            text: format!("{text} ({})", grouped(count)),
            href: href.to_owned(),
            current,
        };
        let twice = pairs.likely + pairs.possible;
        let choices = vec![
            choice("Likely duplicates", twice, "/duplicates", !conflicts),
            choice("Values disagree", disputed.total, "/duplicates?show=conflicts", conflicts),
        ];
        let frame = frame.titled("To put right", "/duplicates", if conflicts { "record" } else { "pair" });
        Ok(if conflicts {
            DuplicatesPage {
                frame,
                choices,
                about: "Records in which different values were written down side by side, of people above all. Checks in \
                    which values disagree stand on Today.",
                first: if disputed.total == 0 { "Nothing disagrees.".to_owned() } else { String::new() },
                pager: Pager::new(disputed.page, disputed.pages, |page| {
                    format!("/duplicates?show=conflicts&page={page}")
                }),
                table: unsettled(&disputed.records),
            }
        } else {
            DuplicatesPage {
                frame,
                choices,
                about: "Records that may be of one person. Nothing is merged on its own: look at both, then decide.",
                first: match (pairs.likely, pairs.possible) {
                    (0, 0) => "Nobody seems to be recorded twice.".to_owned(),
                    (likely, possible) => format!("{likely} likely, {possible} possible."),
                },
                pager: Pager::new(pairs.page, pairs.pages, |page| format!("/duplicates?page={page}")),
                table: twos(&pairs.pairs),
            }
        })
    })
    .await
}

fn twos(pairs: &[api::Two]) -> Table {
    let rows = pairs.iter().map(|pair| {
        let next =
            if pair.across_teams { "Look at both: of two teams, so only linked" } else { "Look at both" };
        let cells = vec![
            likeness(pair.one.likely),
            someone(&pair.one, pair.across_teams),
            someone(&pair.other, pair.across_teams),
            Cell::default().lines(pair.one.reasons.clone()),
            Cell::link(next, format!("/people/{}/beside/{}", pair.one.id, pair.other.id)),
        ];
        Row { key: format!("{}-{}", pair.one.id, pair.other.id), class: "", cells }
    });
    let head = vec!["How likely", "One", "The other", "What speaks for it and against it", "Next"];
    Table { caption: "Who may be recorded twice, the likeliest first", head, rows: rows.collect() }
}

fn unsettled(records: &[api::Unsettled]) -> Table {
    let rows = records.iter().map(|record| {
        let place = if record.kind == "person" { "people" } else { "records" };
        let name = record.name.clone().unwrap_or_else(|| "Name not given".to_owned());
        let cells = vec![
            Cell::new(kind_words(&record.kind)),
            Cell::new(&name),
            Cell::default().lines(record.fields.iter().map(|field| words::field(field)).collect()),
            Cell::link(format!("Settle: {name}"), format!("/{place}/{}", record.id)),
        ];
        Row { key: record.id.clone(), class: "", cells }
    });
    let head = vec!["What it is", "Name", "What disagrees", "Next"];
    Table { caption: "Records in which values disagree, people first", head, rows: rows.collect() }
}

pub(super) fn likeness(likely: Likeness) -> Cell {
    match likely {
        Likeness::Likely => Cell::tag("Likely", "nhsuk-tag--orange"),
        Likeness::Possible => Cell::tag("Possible", "nhsuk-tag--yellow"),
        Likeness::None => Cell::tag("Unlikely", "nhsuk-tag--grey"),
    }
}

fn someone(one: &Likely, team: bool) -> Cell {
    let name = one.name.clone().unwrap_or_else(|| "Name not given".to_owned());
    let born = match (&one.date_of_birth, one.age_years) {
        (Some(date), _) => Some(format!("Born {}", words::birthday(date))),
        (None, Some(years)) => Some(format!("Aged about {years}")),
        _ => None,
    };
    let team = team.then(|| format!("Team {}", one.team_name));
    Cell::link(name, format!("/people/{}", one.id)).lines(born.into_iter().chain(team).collect())
}

/// One field of both.
struct Line {
    key: String,
    one: String,
    other: String,
    differs: bool,
}

#[derive(Template)]
#[template(path = "beside.html")]
struct BesidePage {
    frame: Frame,
    one: String,
    other: String,
    one_name: String,
    other_name: String,
    likely: Cell,
    reasons: Vec<String>,
    lines: Vec<Line>,
    across_teams: bool,
    same: bool,
    /// Merged with each other directly: which record says so, and into which.
    merged: Option<(String, String)>,
}

/// Two people next to each other.
pub async fn beside(ask: Ask, Path((one, other)): Path<(String, String)>) -> Response {
    ask.page_of(one, move |door, frame, one| {
        let other = other.parse().map_err(|_| Code::BadId)?;
        let found = api::side_by_side(&door.web.base, &door.web.readers, one, other)?;
        let (one, other) = (&found.one, &found.other);
        let name = |person: &api::Person| {
            api::name_of(&person.shown.record).unwrap_or_else(|| "Name not given".to_owned())
        };
        let id = |person: &api::Person| text(&person.shown.record, "/id").unwrap_or_default().to_owned();
        Ok(BesidePage {
            frame: frame.titled("Is this one person?", "/duplicates", "change"),
            one: id(one),
            other: id(other),
            one_name: name(one),
            other_name: name(other),
            likely: likeness(found.likely),
            reasons: found.reasons,
            lines: lines(&facts(one), &facts(other)),
            across_teams: found.across_teams,
            same: found.same,
            merged: merged(one, other).or_else(|| merged(other, one)),
        })
    })
    .await
}

fn merged(one: &api::Person, into: &api::Person) -> Option<(String, String)> {
    let (from, into) = (text(&one.shown.record, "/id")?, text(&into.shown.record, "/id")?);
    let is = text(&one.shown.record, "/merged_into") == Some(into) && from != into;
    is.then(|| (from.to_owned(), into.to_owned()))
}

/// What tells two people apart, with when and where they were seen.
fn facts(person: &api::Person) -> Vec<Fact> {
    let mut facts = identifying(&person.shown.record);
    let checks = person.checks.iter().map(|check: &Value| {
        let number = |pointer: &str| check.pointer(pointer).and_then(Value::as_i64);
        let when = text(check, "/started_at").map(words::when).unwrap_or_default();
        match (number("/derived/systolic"), number("/derived/diastolic")) {
            (Some(high), Some(low)) => format!("{when}: {high}/{low}"),
            _ => when,
        }
    });
    facts.push(Fact::new("Seen", checks.collect::<Vec<_>>().join("; ")));
    facts
}

fn lines(one: &[Fact], other: &[Fact]) -> Vec<Line> {
    let mut keys: Vec<&str> = one.iter().map(|fact| fact.key.as_str()).collect();
    keys.extend(
        other.iter().map(|fact| fact.key.as_str()).filter(|key| !one.iter().any(|fact| fact.key == *key)),
    );
    let of = |facts: &[Fact], key: &str| {
        facts.iter().find(|fact| fact.key == key).map(|fact| fact.value.clone()).unwrap_or_default()
    };
    keys.into_iter()
        .map(|key| {
            let (one, other) = (of(one, key), of(other, key));
            // Nothing said is not another answer, and nobody is seen twice at once.
            let said = !one.is_empty() && !other.is_empty() && key != "Seen";
            Line { key: key.to_owned(), differs: said && one != other, one, other }
        })
        .collect()
}
