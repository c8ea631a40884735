//! *Data quality*: whether the records can be trusted, by site and never by who took a reading.

use askama::Template;
use axum::extract::Query;
use axum::extract::rejection::QueryRejection;
use axum::response::Response;
use wayside_protocol::record::RecordId;

use super::super::words;
use super::Ask;
use super::frame::Frame;
use super::lists::Choice;
use super::reach::{Months, names, shown, team_choices};
use super::table::{Cell, Row, Table};
use crate::api::{self, Period};
use crate::quality::{LastDigit, Recorded};
use crate::reach::SMALL;

const PART: &str = "/quality";

#[derive(Template)]
#[template(path = "quality.html")]
struct QualityPage {
    frame: Frame,
    months: Months,
    choices: Vec<Choice>,
    small: u64,
    /// What is missing or cannot be, by site and by quarter.
    missing: Vec<Table>,
    /// How readings are spread, likewise.
    readings: Vec<Table>,
    digits: Table,
    /// What the last digits come to.
    spread: &'static str,
    clocks: Table,
}

pub async fn quality(ask: Ask, period: Result<Query<Period>, QueryRejection>) -> Response {
    let period = period.map(|Query(period)| period).unwrap_or_default();
    ask.page(move |door, frame| {
        let base = &door.web.base;
        let asked = api::asked(base, &period);
        let found = api::quality(base, &door.web.readers, &asked)?;
        let named = names(door)?;
        let sites: Vec<(String, &Recorded)> = std::iter::once(("Everywhere".to_owned(), &found.everywhere))
            .chain(found.sites.iter().map(|site| (site_name(&named, &site.code), site)))
            .collect();
        let quarters: Vec<(String, &Recorded)> =
            found.quarters.iter().map(|one| (quarter(&one.code), one)).collect();
        let clocks = api::fleet(base, &door.web.readers)?.tablets.into_iter().filter_map(|tablet| {
            let skew = words::skew(tablet.skew_ms?)?;
            let name = Cell::link(&tablet.name, format!("/fleet/{}", tablet.id));
            let cells = vec![name, Cell::new(capital(&skew)), Cell::new(tablet.teams.join(", "))];
            Some(Row { key: tablet.id, class: "", cells })
        });
        let head = vec!["Tablet", "When it was last heard of", "Teams"];
        Ok(QualityPage {
            frame: frame.titled("Data quality", PART, ""),
            months: Months::of(door, &asked, PART)?,
            choices: team_choices(door, &asked, PART)?,
            small: SMALL,
            missing: vec![missing("By site", &sites), missing("By quarter", &quarters)],
            readings: vec![
                readings("Readings by site", &sites),
                readings("Readings by quarter", &quarters),
            ],
            digits: digits(&found.last_digits),
            spread: match found.digits_by_chance {
                Some(true) => "They are spread as chance spreads them.",
                Some(false) => "Some digits come far more or far less often than chance brings them: readings may be rounded.",
                None => "There are too few readings to say whether any were rounded.",
            },
            clocks: Table { caption: "Clocks that are wrong", head, rows: clocks.collect() },
        })
    })
    .await
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

fn site_name(sites: &[(RecordId, String)], code: &str) -> String {
    let site = sites.iter().find(|(site, _)| site.to_string() == code);
    site.map_or_else(|| "Site not known yet".to_owned(), |(_, name)| name.clone())
}

/// "July to September 2026", for `2026-Q3`.
fn quarter(code: &str) -> String {
    let months = match code.get(5..) {
        Some("Q1") => "January to March",
        Some("Q2") => "April to June",
        Some("Q3") => "July to September",
        Some("Q4") => "October to December",
        _ => return "Day not known".to_owned(),
    };
    format!("{months} {}", &code[..4])
}

fn missing(caption: &'static str, of: &[(String, &Recorded)]) -> Table {
    let rows = of.iter().map(|(name, one)| {
        let figures = [one.contacts, one.ethnicity_missing, one.impossible_times, one.wrong_clock];
        let cells = std::iter::once(Cell::new(name)).chain(figures.map(|figure| Cell::new(shown(figure))));
        Row { key: format!("missing-{}", one.code), class: "", cells: cells.collect() }
    });
    let head = vec![
        "Where or when",
        "Checks and conversations",
        "Ethnic category missing",
        "Impossible times",
        "On a tablet with a wrong clock",
    ];
    Table { caption, head, rows: rows.collect() }
}

fn readings(caption: &'static str, of: &[(String, &Recorded)]) -> Table {
    let number =
        |of: Option<f64>, unit: &str| of.map_or_else(|| "Too few".to_owned(), |of| format!("{of}{unit}"));
    let rows = of.iter().map(|(name, one)| Row {
        key: format!("readings-{}", one.code),
        class: "",
        cells: vec![
            Cell::new(name),
            Cell::new(shown(one.readings)),
            Cell::new(shown(one.just_below)),
            Cell::new(shown(one.just_above)),
            Cell::new(number(one.below_to_above, "")),
            Cell::new(number(one.zeros_percent, "%")),
        ],
    });
    let head =
        vec!["Where or when", "Readings", "130 to 139", "140 to 149", "130s to one of 140s", "Ending in 0"];
    Table { caption, head, rows: rows.collect() }
}

fn digits(found: &[LastDigit]) -> Table {
    let rows = found.iter().map(|one| Row {
        key: format!("digit-{}", one.digit),
        class: "",
        cells: vec![
            Cell::new(one.digit.to_string()),
            Cell::new(shown(one.systolic)),
            Cell::new(shown(one.diastolic)),
        ],
    });
    let head = vec!["Last digit", "Systolic", "Diastolic"];
    Table { caption: "Last digits of readings", head, rows: rows.collect() }
}
