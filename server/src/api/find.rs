//! One search box: people, sites and sessions. What was typed goes nowhere.

use jiff::ToSpan;
use jiff::civil::Date;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use wayside_protocol::error::Code;
use wayside_protocol::matching::find::{Query, Typed, place_name};
use wayside_protocol::record::{Kind, RecordId};

use super::Readers;
use super::items::name_of;
use crate::base::Base;
use crate::error::{Error, Result};
use crate::views::{Views, Whose};

/// People in one answer: whoever sees so many types another word.
const MOST_PEOPLE: usize = 30;
const MOST_SITES: usize = 10;
const MOST_SESSIONS: usize = 15;
/// Characters that are looked for.
const LONGEST: usize = 200;

#[derive(Debug, Clone, Default, Serialize, ToSchema)]
pub struct Found {
    /// The best first; of those that are equally good, who was added last.
    pub people: Vec<FoundPerson>,
    /// There are more than are shown.
    pub more: bool,
    pub sites: Vec<FoundSite>,
    /// Of the sites that were found, or of the day that was typed; the latest first.
    pub sessions: Vec<FoundSession>,
}

/// A person in one line, as far as it tells them from others. Members as in the record.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct FoundPerson {
    pub id: String,
    pub name: Option<String>,
    pub date_of_birth: Option<String>,
    pub age_years: Option<i64>,
    pub nhs_number: Option<String>,
    pub phone: Option<String>,
    pub postcode: Option<String>,
    pub team: String,
    pub entered_in_error: bool,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct FoundSite {
    pub id: String,
    pub name: String,
    pub kind: Option<String>,
    pub postcode: Option<String>,
    pub team: String,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct FoundSession {
    pub id: String,
    pub site: Option<String>,
    /// `YYYY-MM-DD`.
    pub date: String,
    pub team: String,
}

/// Looks for what somebody typed: names in any order, also misspelt; a date of birth, an NHS number or a telephone
/// number, its beginning or its end; a site; the day of a session. Fewer than two characters find nothing. Blocks.
pub fn find(base: &Base, readers: &Readers, text: &str) -> Result<Found> {
    if text.chars().count() > LONGEST {
        let message = format!("At most {LONGEST} characters are looked for.");
        return Err(Error::Said(Code::OutOfRange, message));
    }
    let query = Query::of(text);
    if query.is_too_short() {
        return Ok(Found::default());
    }
    let teams = base.log.read(|log| readers.known_teams(log))?;
    let team_name = |id: Option<&str>| {
        let team = teams.iter().find(|team| Some(team.id.to_string().as_str()) == id);
        team.map_or_else(String::new, |team| team.name.clone())
    };
    readers.read(base, |views| {
        let (ids, more) = views.find_people(&query, MOST_PEOPLE)?;
        let mut people = Vec::with_capacity(ids.len());
        for id in ids {
            people.extend(views.show(id)?.map(|person| found_person(id, &person, team_name)));
        }
        let sites = places(views, &query)?;
        let sessions = sessions(views, &query, &sites, team_name)?;
        let sites = sites.iter().take(MOST_SITES).map(|site| FoundSite {
            id: text_at(site, "/id").unwrap_or_default(),
            name: text_at(site, "/name").unwrap_or_default(),
            kind: text_at(site, "/type"),
            postcode: text_at(site, "/address/postcode"),
            team: team_name(site.get("team").and_then(Value::as_str)),
        });
        Ok(Found { people, more, sites: sites.collect(), sessions })
    })
}

/// Whether a person can be opened from a search. [`Code::RecordNotFound`] where there is none. Blocks.
pub fn open_found(base: &Base, readers: &Readers, id: RecordId) -> Result<()> {
    let found = readers.read(base, |views| views.show(id))?.ok_or(Code::RecordNotFound)?;
    if found.get("kind").and_then(Value::as_str) != Some(Kind::Person.as_str()) {
        return Err(Code::RecordNotFound.into());
    }
    Ok(())
}

fn text_at(record: &Value, pointer: &str) -> Option<String> {
    record.pointer(pointer).and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned)
}

fn found_person(id: RecordId, person: &Value, team_name: impl Fn(Option<&str>) -> String) -> FoundPerson {
    FoundPerson {
        id: id.to_string(),
        name: name_of(person),
        date_of_birth: text_at(person, "/date_of_birth"),
        age_years: person.get("age_years").and_then(Value::as_i64),
        nhs_number: text_at(person, "/nhs_number/value"),
        phone: text_at(person, "/phone"),
        postcode: text_at(person, "/address/postcode"),
        team: team_name(person.get("team").and_then(Value::as_str)),
        entered_in_error: person.get("entered_in_error").is_some(),
    }
}

/// Sites in whose names every word is found.
fn places(views: &Views, query: &Query) -> Result<Vec<Value>> {
    let typed: Vec<Typed> = query.words.iter().map(|word| Typed::of(word)).collect();
    if typed.is_empty() {
        return Ok(Vec::new());
    }
    let mut sites = views.list(Some(Kind::Site))?;
    sites.retain(|site| {
        let name = place_name(site);
        typed.iter().all(|typed| name.split(' ').any(|word| typed.alike(word).is_some()))
    });
    Ok(sites)
}

/// Sessions of these sites, of the days that were typed, or of both.
fn sessions(
    views: &Views,
    query: &Query,
    sites: &[Value],
    team_name: impl Fn(Option<&str>) -> String,
) -> Result<Vec<FoundSession>> {
    let day = query.numbers.iter().find_map(|number| as_date(number));
    let until = day.and_then(|day| day.checked_add(1.day()).ok());
    let (from, until) = match (day, until) {
        (Some(day), Some(until)) => (day.to_string(), until.to_string()),
        _ => (String::new(), "~".to_owned()),
    };
    let wanted: Vec<Option<&str>> = match (query.words.is_empty(), day) {
        (true, Some(_)) => vec![None],
        (true, None) => Vec::new(),
        (false, _) => {
            sites.iter().take(MOST_SITES).map(|site| site.get("id").and_then(Value::as_str)).collect()
        }
    };
    let mut rows = Vec::new();
    for site in wanted {
        rows.extend(views.sessions(Whose { site, team: None }, &from, &until)?);
    }
    rows.sort_by(|a, b| (&b.date, a.id).cmp(&(&a.date, b.id)));
    rows.truncate(MOST_SESSIONS);
    rows.into_iter()
        .map(|row| {
            let site = row.site.and_then(|site| site.parse().ok());
            let site: Option<Value> = site.map(|site| views.show(site)).transpose()?.flatten();
            Ok(FoundSession {
                id: row.id.to_string(),
                site: site.and_then(|site| text_at(&site, "/name")),
                date: row.date,
                team: team_name(Some(row.team.to_string().as_str())),
            })
        })
        .collect()
}

/// A day as the query has it: `20261120`.
fn as_date(number: &str) -> Option<Date> {
    let (year, month, day) = (number.get(..4)?, number.get(4..6)?, number.get(6..)?);
    format!("{year}-{month}-{day}").parse().ok().filter(|_| number.len() == 8)
}
