//! People who may be one: the list, one person's, and two side by side. Nothing here merges.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use wayside_protocol::clinical::text::{Text, Texts};
use wayside_protocol::matching::{Likeness, Match, PersonFacts, score};
use wayside_protocol::record::RecordId;

use super::items::name_of;
use super::records::{Person, person, read, record};
use super::{Part, Readers, cursor};
use crate::base::Base;
use crate::error::Result;
use crate::log;
use crate::log::db::Conn;
use crate::views::{Pair, Views};

/// Pairs on one page.
const PAGE: u64 = 50;
const MOST_PAGES: u64 = 10_000;
/// Of its cursors.
const LIST: u8 = b'p';
/// Of one person.
const MOST_OF_ONE: u64 = 20;

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Duplicates {
    pub likely: u64,
    pub possible: u64,
    pub page: u64,
    pub pages: u64,
    pub pairs: Vec<Two>,
    /// Send it as `after` for what follows; null where this is the last page by now.
    pub next: Option<String>,
}

/// Two records that may be of one person.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Two {
    pub one: Likely,
    pub other: Likely,
    /// Of two teams: they are only linked, never merged.
    pub across_teams: bool,
}

/// Somebody who may be the same person.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Likely {
    pub id: String,
    pub name: Option<String>,
    pub date_of_birth: Option<String>,
    pub age_years: Option<i64>,
    pub team: String,
    pub team_name: String,
    pub across_teams: bool,
    #[schema(value_type = String)]
    pub likely: Likeness,
    /// What speaks for it and against it, in words, the strongest first.
    pub reasons: Vec<String>,
}

/// Two people next to each other.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct SideBySide {
    pub one: Person,
    pub other: Person,
    pub across_teams: bool,
    /// By record: already merged with each other.
    pub same: bool,
    #[schema(value_type = String)]
    pub likely: Likeness,
    pub reasons: Vec<String>,
}

/// A page of the list, the likeliest first. Blocks.
pub fn duplicates(base: &Base, readers: &Readers, asked: &Part) -> Result<Duplicates> {
    let after = cursor::after(LIST, &asked.after)?;
    read(base, readers, |log, views| {
        let (likely, possible) = views.pair_counts()?;
        let pages = (likely + possible).div_ceil(PAGE).clamp(1, MOST_PAGES);
        let page = asked.page().clamp(1, pages);
        let skip = match &after {
            Some(place) => views.pairs_through(place)?,
            None => (page - 1) * PAGE,
        };
        let rows = views.pairs(skip, PAGE)?;
        let more = skip + (rows.len() as u64) < likely + possible;
        let last = rows.last().filter(|_| more).map(|pair| (pair.likely, pair.weight, pair.a, pair.b));
        let next = last.map(|place| cursor::told(LIST, &place)).transpose()?;
        let texts = Texts::english();
        let mut pairs = Vec::new();
        for pair in rows {
            let one = one_of(log, views, &pair, pair.a, &texts)?;
            let other = one_of(log, views, &pair, pair.b, &texts)?;
            if let (Some(one), Some(other)) = (one, other) {
                pairs.push(Two { one, other, across_teams: pair.team_a != pair.team_b });
            }
        }
        Ok(Duplicates { likely, possible, page, pages, pairs, next })
    })
}

/// Who may be the same as this person.
pub(super) fn likely(log: &Conn, views: &Views, standing: RecordId) -> Result<Vec<Likely>> {
    let texts = Texts::english();
    let mut found = Vec::new();
    for pair in views.pairs_of(standing, MOST_OF_ONE)? {
        let other = if pair.a == standing { pair.b } else { pair.a };
        found.extend(one_of(log, views, &pair, other, &texts)?);
    }
    Ok(found)
}

fn one_of(log: &Conn, views: &Views, pair: &Pair, id: RecordId, texts: &Texts) -> Result<Option<Likely>> {
    let Some(person) = views.show(id)? else { return Ok(None) };
    let team = if id == pair.a { pair.team_a } else { pair.team_b };
    let text = |name: &str| person.get(name).and_then(Value::as_str).map(str::to_owned);
    Ok(Some(Likely {
        id: id.to_string(),
        name: name_of(&person),
        date_of_birth: text("date_of_birth"),
        age_years: person.get("age_years").and_then(Value::as_i64),
        team_name: log::team_by_id(log, team)?.map(|team| team.name).unwrap_or_default(),
        team: team.to_string(),
        across_teams: pair.team_a != pair.team_b,
        likely: if pair.likely { Likeness::Likely } else { Likeness::Possible },
        reasons: pair.reasons.iter().map(|id| texts.say_id(id)).collect(),
    }))
}

/// Two people next to each other, whether or not anything speaks for it. Blocks.
pub fn side_by_side(base: &Base, readers: &Readers, one: RecordId, other: RecordId) -> Result<SideBySide> {
    let ids = (one, other);
    let (mut one, mut other) = (person(base, readers, one)?, person(base, readers, other)?);
    let id = |person: &Person| person.shown.record.get("id").cloned();
    let same = id(&one) == id(&other);
    if same && ids.0 != ids.1 {
        apart(base, readers, &mut one, ids.0)?;
        apart(base, readers, &mut other, ids.1)?;
    }
    let Match { likely, reasons, .. } =
        score(&PersonFacts::of(&one.shown.record), &PersonFacts::of(&other.shown.record));
    let texts = Texts::english();
    Ok(SideBySide {
        same,
        across_teams: one.shown.record.get("team") != other.shown.record.get("team"),
        likely,
        reasons: reasons.iter().map(|text: &Text| texts.say(text)).collect(),
        one,
        other,
    })
}

/// What one record of somebody says by itself, whomever it was merged with.
fn apart(base: &Base, readers: &Readers, person: &mut Person, id: RecordId) -> Result<()> {
    person.shown = record(base, readers, id)?.0;
    let id = id.to_string();
    person.checks.retain(|check| check.get("person").and_then(Value::as_str) == Some(id.as_str()));
    Ok(())
}
