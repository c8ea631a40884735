//! What one saved form says about a contact, as the paths that it sets.

use serde::Deserialize;
use serde_json::{Map, Value, json};
use wayside_client_core::{Code, Kind};
use wayside_protocol::{
    clinical::{Action, Category, RULES_VERSION, Urgency, codes::RED_FLAGS},
    record::{
        path::join,
        schema::{At, Member, Shape, at},
    },
};

use super::{app::now, fail::Fail};

/// What the number pad sends.
#[derive(Debug, Deserialize)]
pub(super) struct Reading {
    systolic: Option<i64>,
    diastolic: Option<i64>,
    pulse: Option<i64>,
    arm: Option<String>,
    /// sitting, standing or lying.
    position: Option<String>,
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
            "arm": self.arm, "position": self.position.as_deref().unwrap_or("sitting"), "setting": "clinic",
            "by": by,
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

/// What the screen said when the advice was given: kept with it, whatever later rules say.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Saw {
    category: Option<String>,
    actions: Vec<String>,
    rules: String,
    /// In which language it was told, where that was chosen.
    language: Option<String>,
}

/// One saved form about a contact.
#[derive(Debug, Deserialize)]
pub struct Change {
    pub(super) reading: Option<Reading>,
    red_flags: Option<Vec<RedFlag>>,
    /// How it ended: completed, left_early, parked.
    ended: Option<String>,
    #[serde(default)]
    resume: bool,
    /// Why it should not be here.
    entered_in_error: Option<String>,
    /// 999 was called, just now.
    #[serde(default)]
    called_999: bool,
    /// The advice on the screen was given.
    saw: Option<Saw>,
    /// Fields of `SETTABLE` by path.
    #[serde(default)]
    set: Map<String, Value>,
    /// What was asked for and refused, or cannot be done: the guide's words for it.
    #[serde(default)]
    declined: Vec<String>,
}

/// What the page may set of a contact. Everything else has its own form.
const SETTABLE: &[&str] = &[
    "advice",
    "age_band",
    "bp/pulse_rhythm",
    "bp/pulse_rhythm_again",
    "bp/readings",
    "bp/symptoms",
    "calls",
    "check_type",
    "ethnic_category",
    "follow_up_events",
    "follow_ups",
    "lifestyle",
    "measurements",
    "monitor_loan",
    "notes",
    "on_treatment",
    "pregnant",
    "prior_diagnosis",
    "reason",
    "referral_events",
    "referrals",
    "sex",
];

/// Members of entries that say when something was; they are filled in where the page does not say.
const WHEN: &[&str] = &["at", "given_at", "made_at", "taken_at", "lent_at"];

impl Change {
    /// The paths to set. `contact` is what is there, null for a new one.
    pub fn set(&self, by: &str, contact: &Value) -> Result<Vec<(String, Value)>, Fail> {
        let mut set: Vec<(String, Value)> = Vec::new();
        let mut put = |path: &str, value: Value| set.push((path.to_owned(), value));
        if let Some(reading) = &self.reading {
            put("bp/readings", json!([reading.entry(by)?]));
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
            put("bp/red_flags", json!(entries));
        }
        if let Some(how) = &self.ended {
            put("ended", json!({"at": now(), "how": how}));
        } else if self.resume {
            put("ended", Value::Null);
        }
        if let Some(reason) = &self.entered_in_error {
            put("entered_in_error", json!({"at": now(), "by": by, "reason": reason}));
        }
        if self.called_999 {
            let referral = json!({"to": "999", "urgency": Urgency::Emergency, "how": "phone",
                "reason": "red flag or emergency", "made_at": now(), "by": by});
            put("referrals", json!([referral]));
        }
        if let Some(advice) = self.saw.as_ref().and_then(|saw| saw.advice(by, contact)) {
            put("advice", advice);
        }
        for (path, value) in &self.set {
            put(path, filled(path, value.clone(), by)?);
        }
        for word in &self.declined {
            if word.len() > 64
                || !word.bytes().all(|b| b.is_ascii_lowercase() || b"_/0123456789".contains(&b))
            {
                return Err(Fail::field(Code::BadPath, "declined", Code::BadPath.message()));
            }
            put(&join("declined", word), json!(true));
        }
        Ok(set)
    }
}

/// A value that the page may set, with who and when where its entries say so.
fn filled(path: &str, mut value: Value, by: &str) -> Result<Value, Fail> {
    let below = |field: &&&str| {
        path.strip_prefix(**field).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    if SETTABLE.iter().find(below).is_none() {
        return Err(Fail::field(Code::BadPath, path, Code::BadPath.message()));
    }
    match at(Kind::Contact, path) {
        At::Field(Shape::Entries(members)) => {
            for entry in value.as_array_mut().into_iter().flatten() {
                stamp(entry, members, by);
            }
        }
        At::Field(Shape::Composite(members)) => stamp(&mut value, members, by),
        _ => {}
    }
    Ok(value)
}

/// Readings of a diary, each with who wrote it down.
pub fn stamped_readings(readings: Value, by: &str) -> Result<Value, Fail> {
    filled("bp/readings", readings, by)
}

fn stamp(entry: &mut Value, members: &[Member], by: &str) {
    let Value::Object(entry) = entry else { return };
    for name in WHEN.iter().filter(|name| members.iter().any(|member| member.name == **name)) {
        entry.entry(*name).or_insert_with(|| json!(now()));
    }
    if members.iter().any(|member| member.name == "by") {
        entry.entry("by").or_insert_with(|| json!(by));
    }
    entry.retain(|_, value| !value.is_null());
}

impl Saw {
    /// Each piece of advice once; `None` when everything was said before.
    fn advice(&self, by: &str, contact: &Value) -> Option<Value> {
        let given: Vec<&Value> =
            contact["advice"].as_object().into_iter().flatten().map(|(_, advice)| &advice["code"]).collect();
        let codes = self
            .actions
            .iter()
            .filter(|code| Action::parse(code).is_some() && !given.contains(&&json!(code)));
        let category = self.category.as_deref().filter(|category| Category::parse(category).is_some());
        let rules = if self.rules.is_empty() { RULES_VERSION } else { &self.rules };
        let advice: Vec<Value> = codes
            .map(|code| {
                let mut advice = json!({"code": code, "category": category, "rules": rules, "given_at": now(),
                    "by": by, "language": self.language});
                if let Value::Object(members) = &mut advice {
                    members.retain(|_, value| !value.is_null());
                }
                advice
            })
            .collect();
        (!advice.is_empty()).then(|| json!(advice))
    }
}
