//! What several lists show alike: a check, who it is about, tablets, what happened to the log.

use super::changes::rfc3339;
use super::records::referred;
use super::{Readers, Signs};
use crate::accounts::Teams;
use crate::base::Base;
use crate::error::Result;
use crate::log::db::{Conn, args};
use crate::views::Views;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// A check as lists show it.
#[derive(Debug, Clone, Serialize, ToSchema)]
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

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Who {
    pub id: String,
    pub name: Option<String>,
    /// On the day of the check, in years.
    pub age: Option<i64>,
}

/// How to reach somebody.
#[derive(Debug, Clone, Default, Serialize, ToSchema)]
pub struct Reachable {
    /// As it was written down.
    pub phone: Option<String>,
    /// For the call.
    pub language: Option<String>,
    pub interpreter_needed: bool,
}

/// Something about the log itself, within the restore window.
#[derive(Debug, Clone, Serialize, ToSchema)]
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

impl Reachable {
    pub(super) fn of(person: Option<&Value>) -> Reachable {
        let of = |name: &str| person.and_then(|person| person.get(name));
        Reachable {
            phone: of("phone").and_then(Value::as_str).map(str::to_owned),
            language: of("language").and_then(Value::as_str).map(str::to_owned),
            interpreter_needed: of("interpreter_needed") == Some(&Value::Bool(true)),
        }
    }
}

/// A tablet and when it was last heard of.
#[derive(Debug, Clone, Serialize, ToSchema)]
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

/// A check as lists show it, with the record that stands for its person.
pub(super) fn item_of(views: &Views, check: &Value, person: Option<&Value>) -> Result<Item> {
    let session = referred(views, check, "session")?;
    let site = match &session {
        Some(session) => referred(views, session, "site")?,
        None => None,
    };
    Ok(item_at(check, person, session.as_ref(), site.as_ref()))
}

/// The same with everything at hand.
pub(super) fn item_at(
    check: &Value,
    person: Option<&Value>,
    session: Option<&Value>,
    site: Option<&Value>,
) -> Item {
    let text = |pointer: &str| check.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let number = |pointer: &str| check.pointer(pointer).and_then(Value::as_i64);
    let actions = check.pointer("/derived/actions").and_then(Value::as_array).into_iter().flatten();
    let age = number("/derived/age");
    Item {
        check: text("/id").unwrap_or_default(),
        person: person.map(|person| Who::of(person, age)),
        session: text("/session").filter(|_| session.is_some()),
        site: site.and_then(|site| site.get("name").and_then(Value::as_str).map(str::to_owned)),
        started_at: text("/started_at").unwrap_or_default(),
        category: text("/derived/category"),
        systolic: number("/derived/systolic"),
        diastolic: number("/derived/diastolic"),
        urgency: text("/derived/urgency").unwrap_or_default(),
        why: text("/derived/why").unwrap_or_default(),
        signs: Signs::of(check),
        actions: actions.filter_map(Value::as_str).map(str::to_owned).collect(),
        conflicts: check.get("conflicts").and_then(Value::as_array).map_or(0, Vec::len),
        disputed: check.pointer("/derived/disputed").is_some(),
    }
}

/// Given and family name, as far as they are known.
pub(crate) fn name_of(person: &Value) -> Option<String> {
    let part = |name: &str| person.pointer(name).and_then(Value::as_str).map(str::trim);
    let parts: Vec<&str> = [part("/name/given"), part("/name/family")].into_iter().flatten().collect();
    let name = parts.join(" ").trim().to_owned();
    (!name.is_empty()).then_some(name)
}

pub(super) fn alarms(log: &Conn, shown: &Readers, now: u64) -> Result<Vec<Alarm>> {
    let seen = tablets(log, shown)?;
    let of_theirs = |alarm: &crate::log::Alarm| match &alarm.tablet {
        Some(id) => seen.iter().any(|tablet| tablet.id == *id),
        // What happened to the log itself is for whoever looks after all of it.
        None => *shown.teams() == Teams::All,
    };
    let alarms = crate::log::alarms(log, now)?.into_iter().filter(of_theirs).map(|alarm| {
        let tablet = match &alarm.tablet {
            Some(id) => log.one("SELECT name FROM tablet WHERE id = ?", args![id], |row| row.get(0))?,
            None => None,
        };
        Ok(Alarm { code: alarm.code, tablet, last_at: rfc3339(alarm.last_at), times: alarm.times })
    });
    alarms.collect()
}

/// The tablets of whoever reads, the one that was silent longest first.
pub(super) fn tablets(log: &Conn, readers: &Readers) -> Result<Vec<TabletSeen>> {
    let shown = crate::log::fleet(log)?.into_iter().filter(|one| readers.shows_tablet(&one.teams));
    let seen = shown.map(|one| TabletSeen {
        id: one.id,
        name: one.name,
        last_seen_at: one.last_seen_at.map(rfc3339),
        skew_ms: one.skew_ms,
    });
    Ok(seen.collect())
}
