//! Whom the team reaches, a row for each contact.

use std::collections::{BTreeSet, HashMap};

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use rusqlite::{Transaction, params};
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

/// What stands for an age that was written down as a band across two of ours.
pub const BAND_ACROSS: &str = "across";

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

/// Site and day of each session, by its id.
pub type SessionPlaces = HashMap<[u8; 16], (Option<RecordId>, String)>;

/// The row of a contact, without whose it is.
pub(super) struct Reached {
    session: Option<RecordId>,
    day: String,
    sex: String,
    ethnic: String,
    age: String,
    language: String,
    registered: String,
    postcode: String,
    plus_groups: String,
    step: Step,
    /// The live ones that our own people took, as 152/94 with a comma between them.
    readings: String,
    odd_times: bool,
    tablet: String,
}

impl Reached {
    /// `None` where the contact was entered in error. Both as from `View::whole`.
    pub fn of(contact: &Value, person: Option<&Value>, derived: &Derived) -> Option<Reached> {
        if contact.get("entered_in_error").is_some() {
            return None;
        }
        // Of the person; of the contact where nobody gave details.
        let about = person.unwrap_or(contact);
        let text = |name: &str| said(about, &format!("/{name}"), name);
        let started = contact.get("started_at").and_then(Value::as_str).unwrap_or_default();
        let postcode = match text("address/postcode") {
            written if written.is_empty() || written == DECLINED => written,
            written => Postcode::parse(&written).normalised,
        };
        Some(Reached {
            session: contact.get("session").and_then(Value::as_str).and_then(|id| id.parse().ok()),
            day: day(started),
            sex: text("sex"),
            ethnic: text("ethnic_category"),
            age: age(derived, contact),
            language: text("language"),
            registered: said(about, "/gp/registered", "gp/registered"),
            postcode,
            plus_groups: groups(about),
            step: step(contact, derived),
            readings: readings(contact),
            odd_times: odd_times(contact, started),
            tablet: contact.pointer("/created/tablet").and_then(Value::as_str).unwrap_or_default().to_owned(),
        })
    }

    /// The session that it counts in; all zeros where it names none.
    pub fn session(&self) -> [u8; 16] {
        self.session.map(|id| *id.as_bytes()).unwrap_or_default()
    }

    pub fn write(
        &self,
        views: &Transaction,
        team: &[u8; 16],
        contact: RecordId,
        person: Option<[u8; 16]>,
    ) -> Result<()> {
        views
            .prepare_cached(
                "INSERT OR REPLACE INTO reach (contact, team, person, session, day, sex, ethnic, age, language,
                                               registered, postcode, plus_groups, step, readings, odd_times, tablet)
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            )?
            .execute(params![
                contact.as_bytes(),
                team,
                person,
                self.session(),
                &self.day,
                &self.sex,
                &self.ethnic,
                &self.age,
                &self.language,
                &self.registered,
                &self.postcode,
                &self.plus_groups,
                self.step as i64,
                &self.readings,
                self.odd_times,
                &self.tablet,
            ])?;
        Ok(())
    }
}

/// A session's check takes minutes. Beyond this something is wrong with a time, not with a queue.
const LONGEST_CHECK: SignedDuration = SignedDuration::from_hours(12);

/// The live readings that our own people took: a home diary says nothing of how they read a monitor.
fn own_readings(contact: &Value) -> impl Iterator<Item = &Value> {
    let all = contact.pointer("/bp/readings").and_then(Value::as_object).into_iter().flatten();
    all.map(|(_, reading)| reading).filter(|reading| {
        let gone = reading.get("struck_out").is_some_and(|struck| !struck.is_null());
        let corrected =
            reading.get("corrected_by").and_then(Value::as_array).is_some_and(|by| !by.is_empty());
        let at_home = reading.get("setting").and_then(Value::as_str).is_some_and(|at| at != "clinic");
        !gone && !corrected && !at_home
    })
}

fn readings(contact: &Value) -> String {
    let number = |reading: &Value, name: &str| reading.get(name).and_then(Value::as_i64);
    let pair = |reading: &Value| Some((number(reading, "systolic")?, number(reading, "diastolic")?));
    let pairs =
        own_readings(contact).filter_map(pair).map(|(systolic, diastolic)| format!("{systolic}/{diastolic}"));
    pairs.collect::<Vec<_>>().join(",")
}

fn odd_times(contact: &Value, started: &str) -> bool {
    let Ok(started) = started.parse::<Timestamp>() else { return false };
    let taken = own_readings(contact)
        .filter_map(|reading| reading.get("taken_at")?.as_str()?.parse::<Timestamp>().ok());
    taken.into_iter().any(|taken| taken.duration_since(started).abs() > LONGEST_CHECK)
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
        None => contact.get("age_band").and_then(Value::as_str).map_or("", age_band),
    }
    .to_owned()
}

/// Somebody without details has a band that a tablet wrote down, which need not be one of ours: where it lies within one
/// of ours it is that one, and where it lies across two nobody knows which.
pub fn age_band(written: &str) -> &str {
    let ends = match written.strip_suffix('+') {
        Some(from) => (from.parse().ok(), Some(u8::MAX)),
        None => {
            written.split_once('-').map_or((None, None), |(from, to)| (from.parse().ok(), to.parse().ok()))
        }
    };
    match ends {
        (Some(..), Some(..18)) => "under_18",
        (Some(18..), Some(..30)) => "18-29",
        (Some(30..), Some(..40)) => "30-39",
        (Some(40..), Some(..50)) => "40-49",
        (Some(50..), Some(..60)) => "50-59",
        (Some(60..), Some(..70)) => "60-69",
        (Some(70..), Some(..80)) => "70-79",
        (Some(80..), Some(_)) => "80+",
        _ if written == "under_18" => written,
        _ => BAND_ACROSS,
    }
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
    /// The first day on which anybody was seen, as far as days are known.
    pub fn first_day(&self) -> Result<Option<String>> {
        let mut statement = self.conn.prepare_cached("SELECT min(day) FROM reach WHERE day > ''")?;
        Ok(statement.query_row([], |row| row.get(0))?)
    }

    /// Site and day of each session, by its id, as far as they are here.
    pub fn places_of_sessions(&self) -> Result<SessionPlaces> {
        let mut statement = self.conn.prepare_cached(
            "SELECT id, json_extract(fields, '$.site'), json_extract(fields, '$.date') FROM record WHERE kind = 'session'",
        )?;
        let mut sessions = HashMap::new();
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let (site, day): (Option<String>, Option<String>) = (row.get(1)?, row.get(2)?);
            sessions.insert(row.get(0)?, (site.and_then(|site| site.parse().ok()), day.unwrap_or_default()));
        }
        Ok(sessions)
    }

    /// Every contact of these days (`YYYY-MM-DD`, both included), in no order.
    pub fn reach(&self, from: &str, to: &str, mut each: impl FnMut(ReachRow) -> Result<()>) -> Result<()> {
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
            })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_band_counts_as_the_one_of_ours_within_which_it_lies() {
        for (written, ours) in [
            ("under_18", "under_18"),
            ("0-9", "under_18"),
            ("10-17", "under_18"),
            ("20-29", "18-29"),
            ("18-29", "18-29"),
            ("40-49", "40-49"),
            ("65-69", "60-69"),
            ("80-89", "80+"),
            ("90+", "80+"),
            ("80+", "80+"),
            ("10-19", BAND_ACROSS),
            ("35-44", BAND_ACROSS),
            ("70+", BAND_ACROSS),
            ("about forty", BAND_ACROSS),
            ("", BAND_ACROSS),
        ] {
            assert_eq!(age_band(written), ours, "{written}");
        }
    }
}
