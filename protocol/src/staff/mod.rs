//! A team's staff: who they are, the PINs behind which a tablet's screen is locked, and the codes by which
//! a coordinator lets somebody in who forgot theirs.
//!
//! A PIN gates the screen. It protects neither the database (its key does) nor the server (signatures do):
//! `docs/security.md` says what it stops.

mod challenge;
mod pin;

use serde_json::{Map, Value};

pub use challenge::{Challenge, UnlockSecret, unlock_code, unlock_secret};
pub use pin::{Pin, PinVerifier};

use crate::record::schema::AMENDMENTS;

/// Wrong tries in a row, of PINs or of unlock codes, before a member is locked.
pub const MOST_TRIES: u32 = 5;
/// How long a lock lasts, in milliseconds.
pub const LOCK_MS: u64 = 20 * 60 * 1000;

/// What a service to refer to is for: the needs that the clinical pack names (section 11), and what lies beside
/// them, since no source gives a list. Kinds of a newer version are kept and shown as they are.
pub const SERVICE_KINDS: &[&str] = &[
    "gp",
    "gp_registration",
    "pharmacy",
    "stop_smoking",
    "weight",
    "alcohol",
    "physical_activity",
    "social_prescribing",
    "housing",
    "money",
    "mental_health",
    "interpreting",
    "other",
];

/// The member of a staff entry that holds a PIN's verifier. It is for signing in and for nothing else: no
/// door shows it.
pub(crate) const PIN: &str = "pin";
/// What the doors show instead.
const HAS_PIN: &str = "has_pin";
const STAFF: &str = "staff";

/// A member as the team's record has them.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Member {
    /// The entry's id, to which what they record is attributed.
    pub id: String,
    pub name: String,
    /// Empty where none was given.
    pub role: String,
    /// Whoever left stays in the list, so that their name is known.
    pub active: bool,
    pub has_pin: bool,
}

/// The staff of a team's record (nested JSON, as doors show it), by name. Struck-out entries are nobody.
pub fn members(team: &Map<String, Value>) -> Vec<Member> {
    let entries = team.get(STAFF).and_then(Value::as_object).into_iter().flatten();
    let mut members: Vec<Member> = entries
        .filter(|(_, entry)| entry.get("struck_out").is_none_or(Value::is_null))
        .filter_map(|(id, entry)| {
            let text = |name: &str| entry.get(name).and_then(Value::as_str);
            Some(Member {
                id: id.clone(),
                name: text("name")?.to_owned(),
                role: text("role").unwrap_or_default().to_owned(),
                active: entry.get("active").and_then(Value::as_bool).unwrap_or(true),
                has_pin: entry.get(HAS_PIN).and_then(Value::as_bool).unwrap_or(false),
            })
        })
        .collect();
    members.sort_by(|a, b| (a.name.to_lowercase(), &a.id).cmp(&(b.name.to_lowercase(), &b.id)));
    members
}

/// One value of a record's document as a door may show it: without the verifier of a PIN. `path` is the
/// document's. For what reads changes themselves; a record's view is without verifiers already.
pub fn shown_value(path: &str, mut value: Value) -> Value {
    match path.split('/').next() {
        Some(STAFF) => hide_in(&mut value),
        Some(AMENDMENTS) => value.get_mut("set").into_iter().for_each(hide_in),
        _ => {}
    }
    value
}

/// Takes the verifiers out of a whole record's fields and conflicts.
pub(crate) fn hide_pins(fields: &mut Map<String, Value>, conflicts: &mut [Value]) {
    if let Some(Value::Object(staff)) = fields.get_mut(STAFF) {
        staff.values_mut().for_each(hide_in);
    }
    for conflict in conflicts {
        let path = conflict.get("path").and_then(Value::as_str).unwrap_or_default();
        if path.split('/').next() != Some(STAFF) {
            continue;
        }
        let is_pin = path.ends_with("/pin");
        for one in conflict.get_mut("values").and_then(Value::as_array_mut).into_iter().flatten() {
            match one.get_mut("value") {
                Some(value) if is_pin => *value = Value::Null,
                Some(value) => hide_in(value),
                None => {}
            }
        }
    }
}

fn hide_in(entry: &mut Value) {
    if let Value::Object(entry) = entry
        && let Some(pin) = entry.remove(PIN)
    {
        entry.insert(HAS_PIN.to_owned(), Value::Bool(!pin.is_null()));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_verifier_is_in_nothing_that_is_shown() {
        let entry = json!({"name": "A", "pin": "$argon2id$secret"});
        let mut fields = json!({"staff": {"aaaaaaaa": entry, "bbbbbbbb": {"name": "B", "active": false}}});
        let mut conflicts = vec![
            json!({"path": "staff/aaaaaaaa/pin", "values": [{"value": "$argon2id$secret"}]}),
            json!({"path": "staff/aaaaaaaa", "values": [{"value": entry}]}),
            json!({"path": "name", "values": [{"value": "x"}]}),
        ];
        hide_pins(fields.as_object_mut().unwrap(), &mut conflicts);
        let amendment = json!({"entry": "staff/aaaaaaaa", "set": {"pin": "$argon2id$secret"}});
        let shown = [
            fields.clone(),
            Value::Array(conflicts.clone()),
            shown_value("staff/aaaaaaaa", entry),
            shown_value("amendments/cccccccc", amendment),
        ];
        for shown in &shown {
            assert!(!shown.to_string().contains("argon2"), "{shown}");
        }
        assert_eq!(conflicts[2]["values"][0]["value"], "x");
        let members = members(fields.as_object().unwrap());
        assert_eq!(
            members.iter().map(|m| (m.has_pin, m.active)).collect::<Vec<_>>(),
            [(true, true), (false, false)]
        );
    }
}
