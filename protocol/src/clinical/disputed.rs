//! Values that disagree: what a contact would mean with each of them.
//!
//! Until somebody settles a field, all its values stand. For each way to read the contact there is a
//! [`Side`]; the most urgent outcome of all counts, so that an open conflict makes nobody wait longer (D).

use serde::Serialize;
use serde_json::Value;

use super::derive::{circumstances, irregular_pulse_of};
use super::entries::{Slot, is_set, strings, timestamp, values_at};
use super::identity::age_on;
use super::readings::{alternatives, utc_date};
use super::text::Text;
use super::{Action, Category, Circumstances, PULSE_AGAIN, Urgency};

/// What stands beside an outcome because values disagree.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Disputed {
    /// Paths of the contact, or of its person (`person/birth`), as in `conflicts`.
    pub paths: Vec<String>,
    /// What else the contact could come to; empty where all values lead to the same.
    pub otherwise: Vec<Otherwise>,
    pub text: Text,
}

/// An outcome that does not count as long as a more urgent one stands beside it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Otherwise {
    pub category: Option<Category>,
    pub actions: Vec<Action>,
    pub urgency: Urgency,
    /// mmHg.
    pub systolic: Option<i64>,
    pub diastolic: Option<i64>,
}

impl Otherwise {
    /// The numbers behind it do not make it another one.
    pub(super) fn same_outcome(&self, other: &Otherwise) -> bool {
        (self.category, &self.actions) == (other.category, &other.actions)
    }
}

/// One way to read what was asked and seen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Side {
    pub(super) circumstances: Circumstances,
    /// Whole years on the day of the contact.
    pub(super) age: Option<i64>,
}

/// Every way to read it, at most 16, the careful ones first. Exactly one where nothing is disputed.
pub(super) fn sides(contact: &Value, person: Option<&Value>) -> Vec<Side> {
    let pregnant = either(values_at(contact, "pregnant").map(|value| *value == Value::Bool(true)));
    let irregular = either(pulses(contact));
    let mut sides: Vec<Side> = Vec::new();
    for age in ages(contact, person) {
        // Symptoms that only some say are there count first, then are left out.
        for symptoms in [true, false] {
            let seen = circumstances(contact, age, symptoms);
            for pregnant in &pregnant {
                for irregular_pulse in &irregular {
                    let circumstances =
                        Circumstances { pregnant: *pregnant, irregular_pulse: *irregular_pulse, ..seen };
                    let side = Side { circumstances, age };
                    if !sides.contains(&side) {
                        sides.push(side);
                    }
                }
            }
        }
    }
    sides
}

/// The different answers, yes before no; no where there is none.
fn either(answers: impl Iterator<Item = bool>) -> Vec<bool> {
    let answers: Vec<bool> = answers.collect();
    match (answers.contains(&true), answers.contains(&false)) {
        (true, true) => vec![true, false],
        (true, false) => vec![true],
        (false, _) => vec![false],
    }
}

fn pulses(contact: &Value) -> impl Iterator<Item = bool> {
    let words = |path: &'static str| -> Vec<Option<&Value>> {
        let found: Vec<_> = values_at(contact, path).map(Some).collect();
        if found.is_empty() { vec![None] } else { found }
    };
    let again = words(PULSE_AGAIN);
    words("bp/pulse_rhythm")
        .into_iter()
        .flat_map(move |first| again.clone().into_iter().map(move |again| irregular_pulse_of(first, again)))
}

/// Ages by every date of birth and every day that the record gives: one for grown-ups and one for children
/// at most, the grown-up first.
fn ages(contact: &Value, person: Option<&Value>) -> Vec<Option<i64>> {
    let births: Vec<&Value> = person
        .into_iter()
        .flat_map(|person| std::iter::once(person).chain(conflicting(person, "birth")))
        .collect();
    let days = values_at(contact, "started_at").filter_map(|at| timestamp(Some(at))).map(utc_date);
    let mut ages: Vec<i64> = Vec::new();
    for day in days {
        for birth in &births {
            if let Some(age) = age_on(birth, day).map(|age| age.years)
                && !ages.iter().any(|other| (*other < 18) == (age < 18))
            {
                ages.push(age);
            }
        }
    }
    ages.sort_by_key(|age| *age < 18);
    if ages.is_empty() { vec![None] } else { ages.into_iter().map(Some).collect() }
}

/// The values of a conflict.
fn conflicting<'a>(record: &'a Value, path: &'a str) -> impl Iterator<Item = &'a Value> {
    let conflicts = record.get("conflicts").and_then(Value::as_array).into_iter().flatten();
    conflicts
        .filter(move |conflict| conflict.get("path").and_then(Value::as_str) == Some(path))
        .filter_map(|conflict| conflict.get("values")?.as_array())
        .flatten()
        .filter_map(|value| value.get("value"))
}

/// Whether the contact was entered in error. Where only some say so it still counts.
pub(super) fn is_in_error(contact: &Value) -> bool {
    let mut said = values_at(contact, IN_ERROR).peekable();
    said.peek().is_some() && said.all(|value| is_set(Some(value)))
}

const IN_ERROR: &str = "entered_in_error";

/// Fields of a contact that can change what it comes to.
const FIELDS: &[&str] = &[IN_ERROR, "pregnant", "age_band", "started_at", "bp/pulse_rhythm", PULSE_AGAIN];

/// Which clinical values disagree.
pub(super) fn paths(contact: &Value, person: Option<&Value>, readings: &[Slot<'_>]) -> Vec<String> {
    let named = |record: &Value, wanted: &dyn Fn(&str) -> bool| -> Vec<String> {
        let conflicts = record.get("conflicts").and_then(Value::as_array).into_iter().flatten();
        let paths = conflicts.filter_map(|conflict| conflict.get("path")?.as_str());
        paths.filter(|path| wanted(path)).map(str::to_owned).collect()
    };
    let mut paths = named(contact, &|path| FIELDS.contains(&path) || path.starts_with("bp/symptoms/"));
    let disputed = readings.iter().filter(|slot| alternatives(slot).len() > 1);
    paths.extend(disputed.map(|slot| format!("bp/readings/{}", slot.root)));
    let births = person.map(|person| named(person, &|path| path == "birth")).unwrap_or_default();
    paths.extend(births.into_iter().map(|path| format!("person/{path}")));
    paths
}

/// Members of a set that only some say are in it.
pub(super) fn disputed_members<'a>(contact: &'a Value, set: &str) -> Vec<&'a str> {
    let conflicts = contact.get("conflicts").and_then(Value::as_array).into_iter().flatten();
    let paths = conflicts.filter_map(|conflict| conflict.get("path")?.as_str());
    paths.filter_map(|path| path.strip_prefix(set)?.strip_prefix('/')).collect()
}

/// The members of `bp/symptoms`: with those that are disputed, or without them.
pub(super) fn symptoms(contact: &Value, with_disputed: bool) -> Vec<&str> {
    let disputed = disputed_members(contact, "bp/symptoms");
    let mut symptoms: Vec<&str> = strings(contact.pointer("/bp/symptoms")).collect();
    symptoms.retain(|symptom| !disputed.contains(symptom));
    if with_disputed {
        symptoms.extend(disputed);
    }
    symptoms
}
