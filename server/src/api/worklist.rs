//! The worklist: whom somebody must look at, the most urgent first.

use rusqlite::{Connection, OptionalExtension};
use serde::Serialize;
use serde_json::Value;
use wayside_protocol::clinical::Urgency;
use wayside_protocol::record::RecordId;

use super::changes::rfc3339;
use super::records::{read, referred, standing};
use super::{Readers, Signs};
use crate::base::Base;
use crate::error::Result;
use crate::views::Views;

/// Checks on one page.
const PAGE: u64 = 50;
const MOST_PAGES: u64 = 10_000;

/// Which part of the worklist is asked for.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    pub urgency: Option<Urgency>,
    pub when: When,
    /// Those that are in somebody's hands instead of those that wait.
    pub handled: bool,
    /// From 1.
    pub page: u64,
}

/// By when the check began, as its tablet says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum When {
    /// Nobody drops off the list because a day went by.
    #[default]
    Open,
    Today,
}

#[derive(Debug, Clone, Serialize)]
pub struct Worklist {
    /// How many there are of each urgency, whatever is filtered.
    pub counts: Vec<(&'static str, u64)>,
    /// Emergencies, and those to be seen today. Never those that are handled.
    pub urgent: u64,
    /// How many left the list because somebody took them in hand.
    pub handled: u64,
    /// In the part that was asked for.
    pub total: u64,
    pub page: u64,
    pub pages: u64,
    pub items: Vec<Item>,
    pub tablets: Vec<TabletSeen>,
    /// What happened to the log itself, the latest first.
    pub alarms: Vec<Alarm>,
    /// How far the views have come.
    pub position: u64,
}

#[derive(Debug, Clone, Serialize)]
pub struct Item {
    pub check: String,
    pub person: Option<Who>,
    pub session: Option<String>,
    pub site: Option<String>,
    pub started_at: String,
    pub category: Option<String>,
    pub systolic: Option<i64>,
    pub diastolic: Option<i64>,
    pub urgency: String,
    pub why: String,
    /// What makes it urgent beside the reading.
    pub signs: Signs,
    pub actions: Vec<String>,
    /// Fields with values that nobody has settled.
    pub conflicts: usize,
    /// Values disagree that decide how urgent it is: the more urgent of them counts.
    pub disputed: bool,
}

#[derive(Debug, Clone, Serialize)]
pub struct Who {
    pub id: String,
    pub name: Option<String>,
    /// On the day of the check, in years.
    pub age: Option<i64>,
}

/// Something about the log itself, within the restore window.
#[derive(Debug, Clone, Serialize)]
pub struct Alarm {
    pub code: String,
    /// The name of the tablet that it is about.
    pub tablet: Option<String>,
    pub last_at: String,
    pub times: u64,
}

impl Who {
    pub(super) fn of(person: &Value, age: Option<i64>) -> Who {
        Who {
            id: person.get("id").and_then(Value::as_str).unwrap_or_default().to_owned(),
            name: name_of(person),
            age,
        }
    }
}

/// A tablet and when it was last heard of.
#[derive(Debug, Clone, Serialize)]
pub struct TabletSeen {
    pub id: String,
    pub name: String,
    pub last_seen_at: Option<String>,
    /// Its clock less ours.
    pub skew_ms: Option<i64>,
}

/// What time it is in London, whose days are those of the pages.
pub(crate) fn now(base: &Base) -> jiff::Zoned {
    let now = i64::try_from(base.clock.now_ms()).unwrap_or(0);
    jiff::Timestamp::from_millisecond(now).unwrap_or_default().to_zoned(crate::web::LONDON.clone())
}

/// The worklist. Blocks.
pub fn worklist(base: &Base, readers: &Readers, filter: &Filter) -> Result<Worklist> {
    let since = match filter.when {
        When::Open => String::new(),
        When::Today => {
            now(base).start_of_day().map(|start| start.timestamp().to_string()).unwrap_or_default()
        }
    };
    read(base, readers, |log, views| {
        let (waiting, handled) =
            (views.attention_counts(false, &since)?, views.attention_counts(true, &since)?);
        let of = |found: &[(String, u64)], urgency: Urgency| {
            found.iter().find(|(name, _)| name == urgency.as_str()).map_or(0, |(_, count)| *count)
        };
        let count = |urgency| of(if filter.handled { &handled } else { &waiting }, urgency);
        let ranked: Vec<Urgency> =
            Urgency::ALL.iter().rev().copied().filter(|urgency| *urgency > Urgency::Routine).collect();
        let total = match filter.urgency {
            Some(urgency) => count(urgency),
            None => ranked.iter().map(|urgency| count(*urgency)).sum(),
        };
        let pages = total.div_ceil(PAGE).clamp(1, MOST_PAGES);
        let page = filter.page.clamp(1, pages);
        let seen = views.attention(filter.handled, filter.urgency, &since, (page - 1) * PAGE, PAGE)?;
        let mut items = Vec::with_capacity(seen.len());
        for seen in seen {
            items.extend(item(views, seen.id)?);
        }
        Ok(Worklist {
            counts: ranked.iter().map(|urgency| (urgency.as_str(), count(*urgency))).collect(),
            urgent: of(&waiting, Urgency::Emergency) + of(&waiting, Urgency::SameDay),
            handled: handled.iter().map(|(_, count)| count).sum(),
            total,
            page,
            pages,
            items,
            tablets: tablets(log)?,
            alarms: alarms(log, base.clock.now_ms())?,
            position: views.position()?,
        })
    })
}

/// One check as lists show it.
pub(super) fn item(views: &Views, id: RecordId) -> Result<Option<Item>> {
    let Some(check) = views.show(id)? else { return Ok(None) };
    let person = standing(views, &check)?;
    let session = referred(views, &check, "session")?;
    let site = match &session {
        Some(session) => referred(views, session, "site")?,
        None => None,
    };
    let text = |pointer: &str| check.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let number = |pointer: &str| check.pointer(pointer).and_then(Value::as_i64);
    let actions = check.pointer("/derived/actions").and_then(Value::as_array).into_iter().flatten();
    let age = number("/derived/age");
    Ok(Some(Item {
        check: id.to_string(),
        person: person.map(|person| Who::of(&person, age)),
        session: text("/session").filter(|_| session.is_some()),
        site: site.and_then(|site| site.get("name").and_then(Value::as_str).map(str::to_owned)),
        started_at: text("/started_at").unwrap_or_default(),
        category: text("/derived/category"),
        systolic: number("/derived/systolic"),
        diastolic: number("/derived/diastolic"),
        urgency: text("/derived/urgency").unwrap_or_default(),
        why: text("/derived/why").unwrap_or_default(),
        signs: Signs::of(&check),
        actions: actions.filter_map(Value::as_str).map(str::to_owned).collect(),
        conflicts: check.get("conflicts").and_then(Value::as_array).map_or(0, Vec::len),
        disputed: check.pointer("/derived/disputed").is_some(),
    }))
}

/// Given and family name, as far as they are known.
pub(crate) fn name_of(person: &Value) -> Option<String> {
    let part = |name: &str| person.pointer(name).and_then(Value::as_str).map(str::trim);
    let parts: Vec<&str> = [part("/name/given"), part("/name/family")].into_iter().flatten().collect();
    let name = parts.join(" ").trim().to_owned();
    (!name.is_empty()).then_some(name)
}

fn alarms(log: &Connection, now: u64) -> Result<Vec<Alarm>> {
    let mut names = log.prepare_cached("SELECT name FROM tablet WHERE id = ?")?;
    let alarms = crate::log::alarms(log, now)?.into_iter().map(|alarm| {
        let tablet = match &alarm.tablet {
            Some(id) => names.query_row([id], |row| row.get(0)).optional()?,
            None => None,
        };
        Ok(Alarm { code: alarm.code, tablet, last_at: rfc3339(alarm.last_at), times: alarm.times })
    });
    alarms.collect()
}

/// Every tablet, the one that was silent longest first.
pub(super) fn tablets(log: &Connection) -> Result<Vec<TabletSeen>> {
    let mut statement = log.prepare_cached(
        "SELECT id, name, last_seen_at, clock_skew_ms FROM tablet ORDER BY coalesce(last_seen_at, 0), name, id",
    )?;
    let rows = statement.query_map([], |row| {
        Ok(TabletSeen {
            id: row.get(0)?,
            name: row.get(1)?,
            last_seen_at: row.get::<_, Option<u64>>(2)?.map(rfc3339),
            skew_ms: row.get(3)?,
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}
