//! Whom the team reaches, a row for each contact.

use std::collections::{BTreeSet, HashMap};

use jiff::Timestamp;
use jiff::civil::Date;
use rusqlite::Transaction;
use serde_json::Value;
use wayside_protocol::clinical::follow_up::{TaskState, tasks};
use wayside_protocol::clinical::identity::Postcode;
use wayside_protocol::clinical::{Category, Derived};
use wayside_protocol::record::RecordId;

use super::Views;
use crate::error::Result;
use crate::web::LONDON;

/// What stands for "asked, declined to say".
pub const DECLINED: &str = "?";

/// How far a contact came. Each step is part of the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    Seen,
    /// A reading that could be classified.
    Measured,
    /// A raised one of somebody who was not known to have high blood pressure.
    NewlyRaised,
    /// With a referral or a follow-up.
    HandedOn,
    /// One of which came to its end: attended, done or closed.
    FollowedThrough,
}

impl Step {
    pub const ALL: [Step; 5] =
        [Step::Seen, Step::Measured, Step::NewlyRaised, Step::HandedOn, Step::FollowedThrough];
}

/// One contact, as it counts.
#[derive(Debug, Clone)]
pub struct ReachRow {
    /// The person who stands for whoever was seen; the contact itself where nobody gave details.
    pub who: [u8; 16],
    pub team: [u8; 16],
    /// Of its session; all zeros where it names none.
    pub session: [u8; 16],
    pub day: String,
    pub sex: String,
    pub ethnic: String,
    pub age: String,
    pub language: String,
    pub registered: String,
    pub postcode: String,
    pub plus_groups: String,
    /// The place of its [`Step`].
    pub step: usize,
}

/// Writes the row of a contact; takes it out where the contact was entered in error.
pub(super) fn write(
    views: &Transaction,
    team: &[u8; 16],
    id: RecordId,
    contact: &Value,
    person: Option<&Value>,
    derived: &Derived,
) -> Result<()> {
    if contact.get("entered_in_error").is_some() {
        views.prepare_cached("DELETE FROM reach WHERE contact = ?")?.execute([id.as_bytes()])?;
        return Ok(());
    }
    // Of the person; of the contact where nobody gave details.
    let about = person.unwrap_or(contact);
    let text = |name: &str| said(about, &format!("/{name}"), name);
    let started = contact.get("started_at").and_then(Value::as_str).unwrap_or_default();
    let named = |name: &str| contact.get(name)?.as_str()?.parse::<RecordId>().ok().map(|id| *id.as_bytes());
    let (person_id, session) = (named("person"), named("session"));
    let postcode = match text("address/postcode") {
        written if written.is_empty() || written == DECLINED => written,
        written => Postcode::parse(&written).normalised,
    };
    views
        .prepare_cached(
            "INSERT OR REPLACE INTO reach (contact, team, person, session, day, sex, ethnic, age, language, registered, postcode,
                                plus_groups, step)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )?
        .execute((
            id.as_bytes(),
            team,
            person_id,
            session.unwrap_or_default(),
            day(started),
            text("sex"),
            text("ethnic_category"),
            age(derived, contact),
            text("language"),
            said(about, "/gp/registered", "gp/registered"),
            postcode,
            groups(about),
            step(contact, derived) as i64,
        ))?;
    Ok(())
}

/// The day in London on which something began.
fn day(at: &str) -> String {
    let at = at.parse::<Timestamp>().ok();
    at.map(|at| at.to_zoned(LONDON.clone()).date().to_string()).unwrap_or_default()
}

fn said(record: &Value, pointer: &str, name: &str) -> String {
    let value = record.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let declined = record.get("declined").and_then(Value::as_array).into_iter().flatten();
    match value.is_empty() && declined.filter_map(Value::as_str).any(|field| field == name) {
        true => DECLINED.to_owned(),
        false => value.to_owned(),
    }
}

/// As people count: by tens from 30, and by the ages that the NHS Health Check has.
fn age(derived: &Derived, contact: &Value) -> String {
    match derived.age {
        Some(..18) => "under_18",
        Some(18..30) => "18-29",
        Some(30..40) => "30-39",
        Some(40..50) => "40-49",
        Some(50..60) => "50-59",
        Some(60..70) => "60-69",
        Some(70..80) => "70-79",
        Some(_) => "80+",
        None => match contact.get("age_band").and_then(Value::as_str) {
            Some("80-89" | "90-99") => "80+",
            Some(band) => return band.to_owned(),
            None => "",
        },
    }
    .to_owned()
}

/// A set is an array of its members in JSON.
fn groups(about: &Value) -> String {
    let groups = about.get("plus_groups").and_then(Value::as_array).into_iter().flatten();
    let groups: BTreeSet<&str> =
        groups.filter_map(Value::as_str).filter(|group| !group.contains(',')).collect();
    groups.into_iter().collect::<Vec<_>>().join(",")
}

fn step(contact: &Value, derived: &Derived) -> Step {
    let Some(category) = derived.category else { return Step::Seen };
    let raised = match category {
        Category::High | Category::HighStage1 | Category::HighStage2 | Category::VeryHigh => true,
        Category::PregHigh | Category::PregSevere => true,
        Category::Normal | Category::Low | Category::PregNotHigh => false,
        Category::NotClassified | Category::Invalid => return Step::Seen,
    };
    let diagnoses = contact.get("prior_diagnosis").and_then(Value::as_array).into_iter().flatten();
    let known = diagnoses.filter_map(Value::as_str).any(|known| known == "hypertension")
        || contact.get("on_treatment").and_then(Value::as_bool) == Some(true);
    if !raised || known {
        return Step::Measured;
    }
    // On the first of all days nothing is due: what came to its end the events alone say.
    let tasks = tasks(contact, Date::MIN);
    if tasks.iter().any(|task| task.state == TaskState::Done) {
        Step::FollowedThrough
    } else if tasks.is_empty() {
        Step::NewlyRaised
    } else {
        Step::HandedOn
    }
}

impl Views {
    /// The site of each session, by their ids, as far as they are here.
    pub fn sites_of_sessions(&self) -> Result<HashMap<[u8; 16], RecordId>> {
        let mut statement = self
            .conn
            .prepare_cached("SELECT id, json_extract(fields, '$.site') FROM record WHERE kind = 'session'")?;
        let mut sites = HashMap::new();
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let site: Option<String> = row.get(1)?;
            if let Some(site) = site.and_then(|site| site.parse().ok()) {
                sites.insert(row.get(0)?, site);
            }
        }
        Ok(sites)
    }

    /// Every contact of these days (`YYYY-MM-DD`, both included), in no order.
    pub fn reach(&self, from: &str, to: &str, mut each: impl FnMut(ReachRow)) -> Result<()> {
        let mut statement = self.conn.prepare_cached(
            "SELECT coalesce(person.standing, reach.person, reach.contact), reach.team,
                    session, day, sex, ethnic, age, language, registered, postcode, plus_groups, step
             FROM reach
             LEFT JOIN person ON person.id = reach.person AND person.team = reach.team
             WHERE day BETWEEN ? AND ?",
        )?;
        let mut rows = statement.query((from, to))?;
        while let Some(row) = rows.next()? {
            each(ReachRow {
                who: row.get(0)?,
                team: row.get(1)?,
                session: row.get(2)?,
                day: row.get(3)?,
                sex: row.get(4)?,
                ethnic: row.get(5)?,
                age: row.get(6)?,
                language: row.get(7)?,
                registered: row.get(8)?,
                postcode: row.get(9)?,
                plus_groups: row.get(10)?,
                step: row.get(11)?,
            });
        }
        Ok(())
    }
}
