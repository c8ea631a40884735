//! Readings taken within one second keep the order in which they were recorded.
//!
//! Which two readings are the last decides what a check comes to (`clinical::entries` goes by `taken_at`, then by id), and
//! ids are random. So a reading whose second is taken is noted a second later. Times come with whole seconds from every
//! door of ours; a diary's are its author's and stay as they are.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use wayside_protocol::record::{Record, Scalar, Write, schema::READINGS_PATH};

/// The new readings among `writes`, moved on from those of `record` and from each other.
pub(super) fn in_order(record: Option<&Record>, mut writes: Vec<Write>) -> Vec<Write> {
    if !writes.iter().any(is_reading) {
        return writes;
    }
    let mut taken: BTreeSet<Timestamp> = BTreeSet::new();
    for entry in record.into_iter().flat_map(there) {
        taken.extend(time(&entry));
    }
    for write in writes.iter_mut().filter(|write| is_reading(write)) {
        let Scalar::Json(entry) = &mut write.value else { continue };
        let Some(mut at) = time(entry).filter(|_| moves(entry)) else { continue };
        while taken.contains(&at) {
            let Ok(next) = at.checked_add(SignedDuration::from_secs(1)) else { break };
            at = next;
            entry["taken_at"] = Value::String(at.to_string());
        }
        taken.insert(at);
    }
    writes
}

fn is_reading(write: &Write) -> bool {
    write.path.strip_prefix(READINGS_PATH).is_some_and(|rest| rest.starts_with('/'))
}

/// A correction stands in its original's place; a diary's times are those of its days.
fn moves(entry: &Value) -> bool {
    entry["corrects"].is_null() && !matches!(entry["setting"].as_str(), Some("hbpm" | "abpm"))
}

fn time(entry: &Value) -> Option<Timestamp> {
    entry["taken_at"].as_str()?.parse().ok()
}

fn there(record: &Record) -> Vec<Value> {
    let fields = Value::Object(record.view().fields);
    let readings = fields.pointer(&format!("/{READINGS_PATH}")).and_then(Value::as_object);
    readings.into_iter().flat_map(|readings| readings.values().cloned()).collect()
}
