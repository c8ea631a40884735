//! Reach: whom the team meets and whom it misses, in figures that may be shared.

use askama::Template;
use axum::extract::Query;
use axum::extract::rejection::QueryRejection;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use wayside_protocol::record::RecordId;

use super::super::words;
use super::frame::Frame;
use super::lists::Choice;
use super::table::{Cell, Row, Table};
use super::{Ask, refuse};
use crate::api::{self, Period};
use crate::error::{Error, Result};
use crate::reach::{Completeness, Figure, Line, Reach, SMALL};
use crate::reference::Year;
use crate::views::DECLINED;
use crate::web::{Door, blocking};

/// How far people came, as in `Reach::people`.
const STEPS: [&str; 5] = ["Seen", "Measured", "Newly raised", "Handed on", "Followed through"];

#[derive(Template)]
#[template(path = "reach.html")]
struct ReachPage {
    frame: Frame,
    from: String,
    to: String,
    small: u64,
    choices: Vec<Choice>,
    funnel: Table,
    cuts: Vec<Table>,
    months: Table,
    completeness: Table,
    /// What the figures by deprivation rest on.
    index: String,
    csv: String,
}

pub async fn reach(ask: Ask, period: Result<Query<Period>, QueryRejection>) -> Response {
    let period = period.map(|Query(period)| period).unwrap_or_default();
    ask.page(move |door, frame| {
        let asked = api::asked(&door.web.base, &period);
        let found = door.web.reaches.read(&door.web.base, &door.web.readers, &asked)?;
        let names = names(door)?;
        let name = |by: &str, code: &str| line_name(&names, by, code);
        let mut choices = vec![Choice {
            text: "All teams".to_owned(),
            href: address(&found, ""),
            current: asked.team.is_empty(),
        }];
        for team in door.web.base.log.read(crate::log::teams)? {
            let id = team.id.to_string();
            choices.push(Choice { text: team.name, href: address(&found, &id), current: asked.team == id });
        }
        let cuts = found.cuts.iter().filter(|cut| !cut.by.starts_with("plus:"));
        let mut tables: Vec<Table> = cuts
            .map(|cut| {
                let beside = cut.lines.iter().any(|line| line.population_percent.is_some());
                let rows = cut.lines.iter().map(|line| row(line, name(&cut.by, &line.code), beside));
                table(cut_name(&cut.by), beside, rows.collect())
            })
            .collect();
        let groups = found.cuts.iter().filter_map(|cut| {
            let group = cut.by.strip_prefix("plus:")?;
            let within = cut.lines.iter().find(|line| line.code == "in")?;
            Some(row(within, words::spaced(group), false))
        });
        tables.push(table("By group", false, groups.collect()));
        let everybody = Line { code: String::new(), people: found.people.clone(), population_percent: None };
        let months = found.months.iter().map(|line| row(line, words::month(&line.code), false));
        Ok(ReachPage {
            frame: frame.titled("Reach", "/reach", ""),
            from: found.from.clone(),
            to: found.to.clone(),
            small: SMALL,
            choices,
            funnel: table("Everybody", false, vec![row(&everybody, "Everybody".to_owned(), false)]),
            cuts: tables,
            months: table("By month", false, months.collect()),
            completeness: completeness(&found.completeness),
            index: index(found.deprivation),
            csv: format!("/reach.csv?from={}&to={}&team={}", found.from, found.to, asked.team),
        })
    })
    .await
}

/// The same figures for a spreadsheet.
pub async fn csv(ask: Ask, period: Result<Query<Period>, QueryRejection>) -> Response {
    let period = period.map(|Query(period)| period).unwrap_or_default();
    let Ask { door, visitor } = ask;
    let inside = door.clone();
    let made = blocking(move || {
        let asked = api::asked(&inside.web.base, &period);
        let found = inside.web.reaches.read(&inside.web.base, &inside.web.readers, &asked)?;
        sheet(&found, &names(&inside)?)
    });
    match made.await {
        Ok(text) => {
            let mut response = text.into_response();
            let kind = HeaderValue::from_static("text/csv; charset=utf-8");
            let name = HeaderValue::from_static("attachment; filename=\"reach.csv\"");
            response.headers_mut().insert(header::CONTENT_TYPE, kind);
            response.headers_mut().insert(header::CONTENT_DISPOSITION, name);
            response
        }
        Err(error) => refuse(&door, &visitor, &error),
    }
}

fn sheet(reach: &Reach, names: &[(RecordId, String)]) -> Result<String> {
    let failed = || Error::Internal("a CSV file in memory");
    let mut sheet = csv::Writer::from_writer(Vec::new());
    let head = ["by", "code", "name", "seen", "measured", "newly_raised", "handed_on", "followed_through"];
    sheet.write_record(head).map_err(|_| failed())?;
    let everybody = Line { code: String::new(), people: reach.people.clone(), population_percent: None };
    let months = reach.months.iter().map(|line| ("month", line));
    let lines = reach.cuts.iter().flat_map(|cut| cut.lines.iter().map(|line| (cut.by.as_str(), line)));
    for (by, line) in [("everybody", &everybody)].into_iter().chain(lines).chain(months) {
        let mut cells = vec![by.to_owned(), safe(&line.code), safe(&line_name(names, by, &line.code))];
        cells.extend(line.people.iter().map(|figure| shown(*figure)));
        sheet.write_record(cells).map_err(|_| failed())?;
    }
    let bytes = sheet.into_inner().map_err(|_| failed())?;
    String::from_utf8(bytes).map_err(|_| failed())
}

/// What a spreadsheet must not take for a formula (clinical pack, section 9).
fn safe(text: &str) -> String {
    match text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        true => format!("'{text}"),
        false => text.to_owned(),
    }
}

/// Names of sites, by their ids.
fn names(door: &Door) -> Result<Vec<(RecordId, String)>> {
    door.web.readers.read(&door.web.base, |views| {
        let sites = views.list(Some(wayside_protocol::record::Kind::Site))?;
        let named = sites.iter().filter_map(|site| {
            let id = site.get("id")?.as_str()?.parse().ok()?;
            Some((id, site.get("name")?.as_str()?.to_owned()))
        });
        Ok(named.collect())
    })
}

fn address(reach: &Reach, team: &str) -> String {
    let team = if team.is_empty() { String::new() } else { format!("&team={team}") };
    format!("/reach?from={}&to={}{team}", reach.from, reach.to)
}

fn cut_name(by: &str) -> &'static str {
    match by {
        "ethnic_category" => "By ethnic category",
        "quintile" => "By deprivation of the area where they live",
        "age" => "By age",
        "sex" => "By sex",
        "registered" => "By registration with a GP",
        "language" => "By language",
        "site" => "By the site where they were first met",
        "ward" => "By ward",
        _ => "Others",
    }
}

fn line_name(sites: &[(RecordId, String)], by: &str, code: &str) -> String {
    match (by, code) {
        ("everybody", _) => "Everybody".to_owned(),
        ("month", month) => words::month(month),
        (_, DECLINED) => "Asked, declined to say".to_owned(),
        (_, "") => "Not known".to_owned(),
        ("quintile", "none") => "Not in England, or no fixed abode".to_owned(),
        ("quintile", "1") => "1, most deprived fifth (Core20)".to_owned(),
        ("quintile", "5") => "5, least deprived fifth".to_owned(),
        ("age", "under_18") => "Under 18".to_owned(),
        ("age", "80+") => "80 and over".to_owned(),
        ("age", band) => band.replace('-', " to "),
        ("site", id) => {
            let site = sites.iter().find(|(site, _)| site.to_string() == id);
            site.map_or_else(|| "Site not known yet".to_owned(), |(_, name)| name.clone())
        }
        (by, "in") if by.starts_with("plus:") => words::spaced(&by["plus:".len()..]),
        (by, "out") if by.starts_with("plus:") => "Everybody else".to_owned(),
        (by, code) => words::value(by, &json!(code)),
    }
}

fn table(caption: &'static str, beside: bool, rows: Vec<Row>) -> Table {
    let mut head = vec!["Who"];
    head.extend(STEPS);
    if beside {
        head.push("Of the population");
    }
    Table { caption, head, rows }
}

fn row(line: &Line, name: String, beside: bool) -> Row {
    let mut cells = vec![Cell::new(name)];
    cells.extend(line.people.iter().map(|figure| Cell::new(shown(*figure))));
    if beside {
        let percent = line.population_percent.map(|percent| format!("{percent:.1}%"));
        cells.push(Cell::new(percent.unwrap_or_else(|| "Not known".to_owned())));
    }
    Row { key: line.code.clone(), cells, ..Row::default() }
}

fn completeness(fields: &[Completeness]) -> Table {
    let row = |one: &Completeness| Row {
        key: one.field.to_owned(),
        cells: vec![
            Cell::new(match one.field {
                "gp" | "registered" => "Registered with a GP".to_owned(),
                field => words::spaced(field),
            }),
            Cell::new(shown(one.given)),
            Cell::new(shown(one.declined)),
            Cell::new(shown(one.missing)),
        ],
        ..Row::default()
    };
    Table {
        caption: "How complete the answers are",
        head: vec!["Question", "Answered", "Declined to say", "Not asked, or not known"],
        rows: fields.iter().map(row).collect(),
    }
}

fn shown(figure: Figure) -> String {
    match figure {
        Figure::About(value) => words::grouped(i64::try_from(value).unwrap_or(i64::MAX)),
        Figure::Hidden => "*".to_owned(),
    }
}

fn index(year: Option<Year>) -> String {
    let year = match year {
        Some(Year::Y2019) => "2019",
        Some(Year::Y2025) => "2025",
        None => {
            return "No index of deprivation has been imported, so nothing can be said of deprivation."
                .to_owned();
        }
    };
    format!("Deprivation is that of the area (English indices of deprivation {year}), never of a person.")
}
