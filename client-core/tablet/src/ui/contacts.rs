//! Recording a contact: each saved form is one change, on the heads that the screen showed.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State},
};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use wayside_client_core::{Code, Edit, Kind, RecordId};
use wayside_protocol::clinical::{RULES_VERSION, Urgency, check_reading as limits, codes::RED_FLAGS};

use super::{
    Answer,
    app::{App, Body, now},
    contact_view::{heads, view},
    fail::Fail,
    today::{self, id, record},
};

/// What the number pad sends.
#[derive(Debug, Deserialize)]
struct Reading {
    systolic: Option<i64>,
    diastolic: Option<i64>,
    pulse: Option<i64>,
    arm: Option<String>,
    #[serde(default)]
    confirmed_unusual: bool,
}

impl Reading {
    fn entry(&self, by: &str) -> Result<Value, Fail> {
        for (name, value) in [("systolic", self.systolic), ("diastolic", self.diastolic)] {
            if value.is_none() {
                let message = format!("{}{} is missing.", name[..1].to_uppercase(), &name[1..]);
                return Err(Fail::field(Code::MissingField, name, message));
            }
        }
        let mut entry = json!({
            "taken_at": now(), "systolic": self.systolic, "diastolic": self.diastolic, "pulse": self.pulse,
            "arm": self.arm, "position": "sitting", "setting": "clinic", "by": by,
        });
        if self.confirmed_unusual {
            entry["confirmed_unusual"] = json!(true);
        }
        if let Value::Object(members) = &mut entry {
            members.retain(|_, value| !value.is_null());
        }
        Ok(entry)
    }
}

#[derive(Debug, Deserialize)]
struct RedFlag {
    flag: String,
    present: bool,
}

/// One saved form about a contact.
#[derive(Debug, Deserialize)]
pub struct Change {
    reading: Option<Reading>,
    red_flags: Option<Vec<RedFlag>>,
    /// How it ended: completed, left_early, parked.
    ended: Option<String>,
    #[serde(default)]
    resume: bool,
    /// Who was told, by phone, just now.
    told: Option<String>,
    /// A question of `words::ASKED` and whether the answer is yes.
    asked: Option<String>,
    #[serde(default)]
    on: bool,
}

impl Change {
    /// The paths to set. `contact` is what is there, null for a new one.
    fn set(&self, by: &str, contact: &Value) -> Result<Vec<(String, Value)>, Fail> {
        let mut set: Vec<(&str, Value)> = Vec::new();
        if let Some(reading) = &self.reading {
            set.push(("bp/readings", json!([reading.entry(by)?])));
        }
        if let Some(flags) = &self.red_flags {
            let known = |flag: &RedFlag| RED_FLAGS.iter().any(|(code, _)| *code == flag.flag);
            if !flags.iter().all(known) {
                return Err(Fail::field(Code::UnknownValue, "red_flags", Code::UnknownValue.message()));
            }
            let asked_at = now();
            let entries: Vec<Value> = flags
                .iter()
                .map(|RedFlag { flag, present }| json!({"flag": flag, "present": present, "asked_at": asked_at}))
                .collect();
            set.push(("bp/red_flags", json!(entries)));
        }
        if let Some(how) = &self.ended {
            set.push(("ended", json!({"at": now(), "how": how})));
            if how == "completed" {
                set.extend(advice(by, contact).map(|advice| ("advice", advice)));
            }
        } else if self.resume {
            set.push(("ended", Value::Null));
        }
        if let Some(to) = &self.told {
            let urgency = if to == "999" { Urgency::Emergency.as_str() } else { urgency(contact) };
            set.push((
                "referrals",
                json!([{"to": to, "urgency": urgency, "reason": "raised reading or symptoms", "how": "phone",
                    "made_at": now(), "by": by}]),
            ));
        }
        match (self.asked.as_deref(), self.on) {
            (None, _) => {}
            (Some("pregnant"), on) => set.push(("pregnant", json!(on))),
            (Some("irregular"), true) => set.push(("bp/pulse_rhythm", json!("irregular"))),
            (Some("irregular"), false) => set.push(("bp/pulse_rhythm", json!("regular"))),
            (Some("dizzy"), on) => set.push(("bp/symptoms/dizzy", json!(on))),
            (Some("fainting"), on) => set.push(("bp/symptoms/fainting", json!(on))),
            (Some(_), _) => {
                return Err(Fail::field(Code::UnknownValue, "asked", Code::UnknownValue.message()));
            }
        }
        Ok(set.into_iter().map(|(path, value)| (path.to_owned(), value)).collect())
    }
}

fn urgency(contact: &Value) -> &str {
    match contact.pointer("/derived/urgency").and_then(Value::as_str) {
        Some(urgency) => urgency,
        None => Urgency::Routine.as_str(),
    }
}

/// What the screen advised, with the rules by which it did; `None` when it was said before, or nothing was.
fn advice(by: &str, contact: &Value) -> Option<Value> {
    let derived = &contact["derived"];
    let given: Vec<&Value> =
        contact["advice"].as_object().into_iter().flatten().map(|(_, advice)| &advice["code"]).collect();
    let codes = derived["actions"].as_array().into_iter().flatten().filter(|code| !given.contains(code));
    let advice: Vec<Value> = codes
        .map(|code| {
            json!({"code": code, "category": derived["category"], "rules": RULES_VERSION, "given_at": now(), "by": by})
        })
        .collect();
    (!advice.is_empty()).then(|| json!(advice))
}

#[derive(Deserialize)]
pub struct Create {
    session: String,
    person: Option<String>,
    started_at: Option<String>,
    #[serde(flatten)]
    change: Change,
}

/// A new contact, with its first form.
pub async fn create(State(app): State<Arc<App>>, Body(create): Body<Create>) -> Answer {
    app.saving(move |app| {
        let session = id(&create.session)?;
        let place = today::place(app, session)?;
        let by = app.by(place.team);
        let mut contact = json!({
            "session": session, "started_at": create.started_at.unwrap_or_else(now),
        });
        if let Some(person) = &create.person {
            let person = id(person)?;
            record(app, person, Kind::Person)?;
            contact["person"] = json!(person);
        }
        if create.change.reading.is_some() {
            contact["check_type"] = json!("bp_only");
        }
        if let Value::Object(fields) = &mut contact {
            for (path, value) in create.change.set(&by.staff, &Value::Null)? {
                nest(fields, &path, value);
            }
        }
        let made = app.tablet.create(Kind::Contact, contact, &by)?;
        Ok(Json(view(app, made)?))
    })
    .await
}

/// Puts a value at its path in nested JSON.
fn nest(fields: &mut Map<String, Value>, path: &str, value: Value) {
    match path.split_once('/') {
        Some((group, rest)) => {
            if let Value::Object(inner) = fields.entry(group).or_insert_with(|| json!({})) {
                nest(inner, rest, value);
            }
        }
        None => {
            fields.insert(path.to_owned(), value);
        }
    }
}

pub async fn show(State(app): State<Arc<App>>, Path(contact): Path<String>) -> Answer {
    app.with(move |app| Ok(Json(view(app, id(&contact)?)?))).await
}

#[derive(Deserialize)]
pub struct Save {
    base: Option<Vec<String>>,
    #[serde(flatten)]
    change: Change,
}

pub async fn edit(
    State(app): State<Arc<App>>,
    Path(contact): Path<String>,
    Body(save): Body<Save>,
) -> Answer {
    app.saving(move |app| {
        let contact = id(&contact)?;
        let known = record(app, contact, Kind::Contact)?;
        let by = app.by(None);
        let set = save.change.set(&by.staff, &known)?;
        let base = save.base.as_deref().map(heads).transpose()?;
        if !set.is_empty() {
            app.tablet.edit(contact, Edit { base, set }, &by)?;
        }
        Ok(Json(view(app, contact)?))
    })
    .await
}

#[derive(Deserialize)]
pub struct Correct {
    base: Option<Vec<String>>,
    reading: String,
    set: Map<String, Value>,
    reason: String,
}

/// What may be corrected here.
const CORRECTED: &[&str] = &["systolic", "diastolic", "pulse", "arm", "confirmed_unusual"];

pub async fn correct(
    State(app): State<Arc<App>>,
    Path(contact): Path<String>,
    Body(correct): Body<Correct>,
) -> Answer {
    app.saving(move |app| {
        let contact = id(&contact)?;
        needs_reason(&correct.reason)?;
        let base = correct.base.as_deref().map(heads).transpose()?;
        if let Some(name) = correct.set.keys().find(|name| !CORRECTED.contains(&name.as_str())) {
            return Err(Fail::field(Code::BadPath, name, Code::BadPath.message()));
        }
        let set = correct.set.into_iter().collect();
        let reason = Some(correct.reason.trim());
        app.tablet.correct(contact, &correct.reading, set, reason, base.as_deref(), &app.by(None))?;
        Ok(Json(view(app, contact)?))
    })
    .await
}

fn needs_reason(reason: &str) -> Result<(), Fail> {
    if reason.trim().is_empty() {
        return Err(Fail::field(Code::MissingField, "reason", "Say why, in a word or two."));
    }
    Ok(())
}

#[derive(Deserialize)]
pub struct Strike {
    /// The entry's path.
    entry: String,
    reason: String,
}

pub async fn strike(
    State(app): State<Arc<App>>,
    Path(contact): Path<String>,
    Body(strike): Body<Strike>,
) -> Answer {
    app.saving(move |app| {
        let contact: RecordId = id(&contact)?;
        record(app, contact, Kind::Contact)?;
        needs_reason(&strike.reason)?;
        app.tablet.strike_out(contact, &strike.entry, strike.reason.trim(), &app.by(None))?;
        Ok(Json(view(app, contact)?))
    })
    .await
}

/// The limits that what was typed so far breaks.
pub async fn check_reading(Body(typed): Body<Value>) -> Answer {
    let number = |name: &str| typed[name].as_i64();
    let (systolic, diastolic) = (number("systolic"), number("diastolic"));
    // What is not typed yet stands at a value that is always possible, and nothing is said of it.
    let found = limits(systolic.unwrap_or(120), diastolic.unwrap_or(20), number("pulse"));
    let findings: Vec<Value> = found
        .iter()
        .filter(|finding| number(finding.path).is_some())
        .filter(|finding| {
            systolic.is_some() || finding.path != "diastolic" || !finding.message.contains("lower than")
        })
        .map(|finding| {
            let level = if finding.code() == Code::OutOfRange { "block" } else { "confirm" };
            json!({"level": level, "path": finding.path, "message": finding.message})
        })
        .collect();
    Ok(Json(json!({"findings": findings})))
}
