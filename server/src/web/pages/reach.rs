//! Reach: whom the team meets and whom it misses, in figures that may be shared.

use askama::Template;
use axum::extract::Query;
use axum::extract::rejection::QueryRejection;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use jiff::ToSpan;
use jiff::civil::Date;
use serde_json::json;
use wayside_protocol::record::RecordId;

use super::super::words;
use super::chart::Bars;
use super::frame::Frame;
use super::lists::Choice;
use super::table::{Cell, Row, Table};
use super::{Ask, refuse};
use crate::api::{self, Period};
use crate::error::{Error, Result};
use crate::reach::{Asked, Completeness, Figure, Line, Reach, SMALL};
use crate::reference::Year;
use crate::views::{BAND_ACROSS, DECLINED};
use crate::web::{Door, blocking};

/// Months that can be chosen.
const MOST_MONTHS: i64 = 240;
/// Bars with room for a number above each.
const MOST_NUMBERED: usize = 8;

/// How far people came, as in `Reach::people`.
const STEPS: [&str; 5] = ["Seen", "Measured", "Newly raised", "Handed on", "Followed through"];

#[derive(Template)]
#[template(path = "reach.html")]
struct ReachPage {
    frame: Frame,
    months: Months,
    small: u64,
    choices: Vec<Choice>,
    funnel: Table,
    cuts: Vec<Table>,
    /// People seen in each month.
    over_time: Bars,
    by_month: Table,
    completeness: Table,
    /// What the figures by deprivation rest on.
    index: String,
    /// With whose population they are compared; empty where with nobody's.
    beside: String,
    csv: String,
}

/// The form in which a period is chosen, and the teams beside it.
pub struct Months {
    pub action: &'static str,
    pub team: String,
    pub all: Vec<Month>,
}

/// One month in the form's lists.
pub struct Month {
    /// `YYYY-MM`.
    pub code: String,
    pub words: String,
    pub first: bool,
    pub last: bool,
}

impl Months {
    /// From the first month in which anybody was seen to this one, the latest first, and whatever else was asked for.
    pub fn of(door: &Door, asked: &Asked, action: &'static str) -> Result<Months> {
        let first = door.web.readers.read(&door.web.base, |views| views.first_day())?;
        let first: Option<Date> = first.and_then(|day| day.parse().ok());
        let first =
            first.unwrap_or(asked.from).min(asked.from).max(asked.to.saturating_sub(MOST_MONTHS.months()));
        let last = api::today_in_london(&door.web.base).max(asked.to);
        let code = |day: Date| day.strftime("%Y-%m").to_string();
        let mut all = Vec::new();
        let mut day = last.first_of_month();
        while day >= first.first_of_month() && day > Date::MIN {
            let month = Month {
                words: day.strftime("%B %Y").to_string(),
                first: day == asked.from,
                last: day == asked.to.first_of_month(),
                code: code(day),
            };
            all.push(month);
            day = day.saturating_sub(1.month());
        }
        Ok(Months { action, team: asked.team.clone(), all })
    }
}

/// One choice for each team, and all of them.
pub fn team_choices(door: &Door, asked: &Asked, part: &str) -> Result<Vec<Choice>> {
    let address = |team: &str| {
        let team = if team.is_empty() { String::new() } else { format!("&team={team}") };
        format!("{part}?{}{team}", address_of(asked))
    };
    let current = asked.team.is_empty();
    let mut choices = vec![Choice { text: "All teams".to_owned(), href: address(""), current }];
    for team in door.web.base.log.read(|log| door.web.readers.known_teams(log))? {
        let id = team.id.to_string();
        choices.push(Choice { text: team.name, href: address(&id), current: asked.team == id });
    }
    Ok(choices)
}

/// As in an address.
fn address_of(asked: &Asked) -> String {
    format!("from={}&to={}", asked.from.strftime("%Y-%m"), asked.to.strftime("%Y-%m"))
}

pub async fn reach(ask: Ask, period: Result<Query<Period>, QueryRejection>) -> Response {
    let period = period.map(|Query(period)| period).unwrap_or_default();
    ask.page(move |door, frame| {
        let asked = api::asked(&door.web.base, &period);
        let found = door.web.reaches.read(&door.web.base, &door.web.readers, &asked)?;
        let names = names(door)?;
        let name = |by: &str, code: &str| line_name(&names, by, code);
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
        let seen = |line: &Line| {
            let seen = line.people.first().and_then(|figure| figure.value()).unwrap_or_default();
            (words::short_month(&line.code), seen)
        };
        let seen: Vec<(String, u64)> = found.months.iter().map(seen).collect();
        let mut over_time = Bars::of(&seen);
        if seen.len() > MOST_NUMBERED {
            // The numbers above the bars would run into each other.
            over_time.bars.iter_mut().for_each(|bar| bar.value.clear());
        }
        Ok(ReachPage {
            frame: frame.titled("Reach", "/reach", ""),
            months: Months::of(door, &asked, "/reach")?,
            small: SMALL,
            choices: team_choices(door, &asked, "/reach")?,
            funnel: table("Everybody", false, vec![row(&everybody, "Everybody".to_owned(), false)]),
            cuts: tables,
            over_time,
            by_month: table("By month", false, months.collect()),
            completeness: completeness(&found.completeness),
            index: index(found.deprivation),
            beside: found.compared_with.clone().unwrap_or_default(),
            csv: format!("/reach.csv?{}&team={}", address_of(&asked), asked.team),
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
    let steps = ["seen", "measured", "newly_raised", "handed_on", "followed_through"];
    let answers = ["answered", "declined", "not_known"];
    let head = ["by", "code", "name"].into_iter().chain(steps).chain(["population_percent"]).chain(answers);
    sheet.write_record(head).map_err(|_| failed())?;
    let everybody = Line { code: String::new(), people: reach.people.clone(), population_percent: None };
    let months = reach.months.iter().map(|line| ("month", line));
    let lines = reach.cuts.iter().flat_map(|cut| cut.lines.iter().map(|line| (cut.by.as_str(), line)));
    for (by, line) in [("everybody", &everybody)].into_iter().chain(lines).chain(months) {
        let mut cells = vec![by.to_owned(), safe(&line.code), safe(&line_name(names, by, &line.code))];
        cells.extend(line.people.iter().map(|figure| plain(*figure)));
        cells.push(line.population_percent.map(|percent| format!("{percent:.1}")).unwrap_or_default());
        cells.extend(answers.map(|_| String::new()));
        sheet.write_record(cells).map_err(|_| failed())?;
    }
    for one in &reach.completeness {
        let mut cells = vec!["completeness".to_owned(), one.field.to_owned(), question(one.field)];
        cells.extend(steps.iter().chain(&["population_percent"]).map(|_| String::new()));
        cells.extend([one.given, one.declined, one.missing].map(plain));
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
pub fn names(door: &Door) -> Result<Vec<(RecordId, String)>> {
    door.web.readers.read(&door.web.base, |views| {
        let sites = views.list(Some(wayside_protocol::record::Kind::Site))?;
        let named = sites.iter().filter_map(|site| {
            let id = site.get("id")?.as_str()?.parse().ok()?;
            Some((id, site.get("name")?.as_str()?.to_owned()))
        });
        Ok(named.collect())
    })
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
        ("age", BAND_ACROSS) => "Recorded as another band".to_owned(),
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
            Cell::new(question(one.field)),
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

fn question(field: &str) -> String {
    match field {
        "gp" | "registered" => "Registered with a GP".to_owned(),
        field => words::spaced(field),
    }
}

/// For a spreadsheet: a number without commas.
fn plain(figure: Figure) -> String {
    match figure {
        Figure::About(value) => value.to_string(),
        Figure::Hidden => "*".to_owned(),
    }
}

pub fn shown(figure: Figure) -> String {
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
