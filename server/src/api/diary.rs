//! A day of a home diary, typed in at base from paper or over the telephone.

use jiff::Timestamp;
use jiff::civil::{Date, Time};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use wayside_protocol::clinical::check_reading;
use wayside_protocol::error::Code;
use wayside_protocol::record::schema::READINGS_PATH;
use wayside_protocol::record::{Kind, RecordId, Rules, Write, path};

use super::acts::{contact, needed, ticked};
use super::author::{self, Opened, new_entry};
use super::{Readers, changes, records};
use crate::base::Base;
use crate::error::{Error, Result};
use crate::web::LONDON;

/// Two readings sitting, a minute apart, morning and evening (clinical pack, 1.11). What a diary does not say
/// is their time: these stand for it, as on the tablets.
const TIMES: [Time; 4] = [
    Time::constant(8, 0, 0, 0),
    Time::constant(8, 1, 0, 0),
    Time::constant(20, 0, 0, 0),
    Time::constant(20, 1, 0, 0),
];

/// One day as typed: each reading as in `138/86`, or nothing.
#[derive(Debug, Clone, Deserialize)]
pub struct DiaryDay {
    /// `YYYY-MM-DD`, as in London.
    day: String,
    #[serde(default)]
    morning: String,
    #[serde(default)]
    morning_again: String,
    #[serde(default)]
    evening: String,
    #[serde(default)]
    evening_again: String,
    #[serde(default)]
    confirmed_unusual: Value,
}

/// Where a day goes.
enum Place {
    Check(RecordId),
    /// A check that is still to be begun, of this team, with what it takes over from the one that was shown.
    New(RecordId, Map<String, Value>),
}

/// Enters a day and returns the check that has it. Beside readings taken by staff home readings would not
/// count: from such a check they go to the person's diary, the first check after it with home readings only.
/// Where there is none yet, it is begun, in the same session. Blocks.
pub(super) fn enter(
    base: &Base,
    readers: &Readers,
    id: RecordId,
    by: &str,
    typed: DiaryDay,
) -> Result<RecordId> {
    match place(base, readers, id)? {
        Place::Check(check) => {
            author::edit(base, check, by, None, move |opened| into(opened, &typed)).map(|_| check)
        }
        Place::New(team, mut fields) => author::begin(base, team, Kind::Contact, by, |at| {
            fields.insert("started_at".into(), json!(at));
            fields.insert("bp".into(), json!({"readings": of_day(&typed, by, at)?}));
            Ok(fields)
        }),
    }
}

fn place(base: &Base, readers: &Readers, id: RecordId) -> Result<Place> {
    records::read(base, readers, |log, views| {
        let (team, team_id) = changes::team_of(log, id)?.ok_or(Code::RecordNotFound)?;
        let stored = changes::stored(log, team, id)?;
        let record = records::load(id, stored.iter().map(|change| &change.raw))?;
        let shown = record.view().whole();
        if record.kind() != Some(Kind::Contact) || takes_diary(&shown) {
            return Ok(Place::Check(id));
        }
        let text = |record: &Value, name: &str| record.get(name).and_then(Value::as_str).map(str::to_owned);
        let person: Option<RecordId> = text(&shown, "person").and_then(|person| person.parse().ok());
        let Some(person) = person else {
            let says =
                "Beside readings taken by staff a home diary does not count, and this check names nobody.";
            return Err(Error::Said(Code::WrongKind, says.to_owned()));
        };
        let begun = text(&shown, "started_at").unwrap_or_default();
        for later in views.of_person(views.standing(person)?)?.iter().filter(|one| one.started_at > begun) {
            let found = views.show(later.id)?.unwrap_or_default();
            let own = text(&found, "team").as_deref() == Some(team_id.to_string().as_str());
            let dropped = found.get("entered_in_error").is_some_and(|error| !error.is_null());
            let diary = |reading: &Value| counts(reading) && reading.get("setting") == Some(&json!("hbpm"));
            if own && !dropped && takes_diary(&found) && readings(&found).any(diary) {
                return Ok(Place::Check(later.id));
            }
        }
        let mut fields = Map::from_iter([
            ("reason".to_owned(), json!("follow_up")),
            ("check_type".to_owned(), json!("bp_only")),
        ]);
        for name in ["session", "person"] {
            fields.extend(text(&shown, name).map(|id| (name.to_owned(), json!(id))));
        }
        Ok(Place::New(team_id, fields))
    })
}

/// The readings of a day as one change of a check that takes them.
fn into(opened: &Opened, typed: &DiaryDay) -> Result<Vec<Write>> {
    contact(opened)?;
    let fields = Value::Object(opened.record.view().fields);
    if !takes_diary(&fields) {
        return Err(Code::ChangedMeanwhile.into());
    }
    let mut writes = Vec::new();
    for reading in of_day(typed, opened.by, opened.at)? {
        let same = |there: &Value| counts(there) && there.get("taken_at") == reading.get("taken_at");
        if readings(&fields).any(same) {
            let says = "Readings of this day and time are there already. Correct those instead.";
            return Err(Error::Said(Code::ChangedMeanwhile, says.to_owned()));
        }
        writes.extend(opened.write(&path::join(READINGS_PATH, &new_entry()), reading, Rules::Entry)?);
    }
    Ok(writes)
}

/// At least one reading, as entries. `now` is RFC 3339.
fn of_day(typed: &DiaryDay, by: &str, now: &str) -> Result<Vec<Value>> {
    let day = day(&typed.day, now)?;
    let texts = [&typed.morning, &typed.morning_again, &typed.evening, &typed.evening_again];
    let typed_in = texts.into_iter().zip(TIMES).filter(|(text, _)| !text.trim().is_empty());
    let entries = typed_in.map(|(text, time)| {
        let (systolic, diastolic) = pressures(text)?;
        let mut reading = json!({"taken_at": taken_at(day, time)?, "systolic": systolic,
            "diastolic": diastolic, "position": "sitting", "setting": "hbpm", "by": by});
        // Only where there is something to confirm: the rules pass over a question that was answered.
        if ticked(&typed.confirmed_unusual) && !check_reading(systolic, diastolic, None).is_empty() {
            reading["confirmed_unusual"] = json!(true);
        }
        Ok(reading)
    });
    let entries: Vec<Value> = entries.collect::<Result<_>>()?;
    if entries.is_empty() {
        return Err(Error::Said(Code::MissingField, "Enter at least one reading.".to_owned()));
    }
    Ok(entries)
}

/// Whether home readings count in a contact: it has none that staff took.
pub fn takes_diary(record: &Value) -> bool {
    readings(record).filter(|reading| counts(reading)).all(is_home)
}

fn readings(fields: &Value) -> impl Iterator<Item = &Value> {
    fields.pointer("/bp/readings").and_then(Value::as_object).into_iter().flat_map(Map::values)
}

/// Neither struck out nor corrected.
fn counts(reading: &Value) -> bool {
    let corrected = reading.get("corrected_by").and_then(Value::as_array).is_some_and(|by| !by.is_empty());
    !corrected && reading.get("struck_out").is_none_or(Value::is_null)
}

fn is_home(reading: &Value) -> bool {
    matches!(reading.get("setting").and_then(Value::as_str), Some("hbpm" | "abpm"))
}

fn day(typed: &str, now: &str) -> Result<Date> {
    let says = |code: Code, words: &str| Error::Said(code, words.to_owned());
    let day: Date = needed(typed, "Enter the day.")?
        .parse()
        .map_err(|_| says(Code::WrongType, "The day must be a date, as in 2026-11-18."))?;
    let now: Timestamp = now.parse().map_err(|_| Error::Internal("the time of a change"))?;
    if day > now.to_zoned(LONDON.clone()).date() {
        return Err(says(Code::OutOfRange, "This day is still to come."));
    }
    Ok(day)
}

fn taken_at(day: Date, time: Time) -> Result<String> {
    let at = day.to_datetime(time).to_zoned(LONDON.clone());
    at.map(|at| at.timestamp().to_string()).map_err(|_| Code::OutOfRange.into())
}

/// `138/86`, with whatever spaces.
fn pressures(text: &str) -> Result<(i64, i64)> {
    let pair = text.split_once('/').and_then(|(systolic, diastolic)| {
        Some((systolic.trim().parse().ok()?, diastolic.trim().parse().ok()?))
    });
    pair.ok_or_else(|| {
        let says = "Write each reading as two whole numbers with a stroke between, as in 138/86.";
        Error::Said(Code::WrongType, says.to_owned())
    })
}
