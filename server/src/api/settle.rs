//! Settling what stands beside each other: a change by the server's own hand, authored on exactly the
//! heads that the coordinator saw, through the same log as everybody's.
//!
//! So whoever settles overwrites nothing they did not see. Two who settle the same thing at once, or a
//! tablet that edits meanwhile, leave a conflict again, which is shown again.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use wayside_protocol::error::{Code, Invalid};
use wayside_protocol::record::schema::{self, AMENDMENTS, At, MEASUREMENTS_PATH, READINGS_PATH, Shape};
use wayside_protocol::record::{Corrections, Hash, Kind, RecordId, Rules, Scalar, View, Write, chunk, path};

use super::acts::needed;
use super::author::{self, Opened, new_entry};
use crate::base::Base;
use crate::error::{Error, Result};

/// What a coordinator decided.
#[derive(Debug, Clone)]
pub struct Settle {
    /// The path of the conflict, as it was shown.
    pub path: String,
    /// The value that counts from now on. For a reading or a measurement: an object whose members replace
    /// those of the entry.
    pub value: Value,
    /// What the page stood on.
    pub heads: Vec<Hash>,
    /// Why. Needed for a value that nobody had recorded; it stays in the history.
    pub reason: String,
}

impl Settle {
    /// Reads heads as pages and API send them.
    pub fn heads<'a>(texts: impl Iterator<Item = &'a str>) -> Result<Vec<Hash>> {
        let heads = texts.map(|text| {
            let bytes = data_encoding::HEXLOWER.decode(text.trim().as_bytes()).ok();
            bytes.and_then(|bytes| bytes.try_into().ok()).ok_or(Error::Refused(Code::HeadsUnknown))
        });
        heads.collect()
    }
}

impl From<Invalid> for Error {
    fn from(invalid: Invalid) -> Self {
        Error::Said(invalid.code, invalid.message)
    }
}

/// Settles one conflict. What was decided is durable when this returns. Blocks.
pub fn settle(base: &Base, id: RecordId, by: &str, settle: Settle) -> Result<()> {
    let heads = settle.heads.clone();
    let why = settle.reason.trim().to_owned();
    let done =
        author::edit_because(base, id, (by, &why), Some(heads), move |opened| writes(opened, &settle))?;
    if done { Ok(()) } else { Err(Code::NotInConflict.into()) }
}

fn writes(opened: &Opened, settle: &Settle) -> Result<Vec<Write>> {
    let (kind, view) = (opened.kind, opened.record.view());
    let values = conflict(&view, &settle.path).ok_or(Code::NotInConflict)?;
    // What somebody once recorded may be chosen as it is; what is typed here is checked like any entry.
    let chosen = values.iter().any(|value| value.get("value") == Some(&settle.value));
    if !chosen {
        needed(&settle.reason, "Say why it is another value.")?;
    }
    let rules = if chosen { Rules::Admission } else { Rules::Entry };
    let (path, value) = if let Some((parent, root)) = entry(kind, &settle.path) {
        let entry = correction(&view, parent, root, values, settle)?;
        (path::join(parent, &new_entry()), entry)
    } else if let Some((entry, member)) = amended(kind, &settle.path) {
        if !chosen {
            return Err(Code::NotSettleable.into());
        }
        let amendment = amendment(opened.raws, entry, member, &settle.value)?;
        (path::join(AMENDMENTS, &new_entry()), amendment)
    } else if can_settle(kind, &settle.path) {
        (settle.path.clone(), settle.value.clone())
    } else {
        return Err(Code::NotSettleable.into());
    };
    opened.write(&path, value, rules)
}

fn conflict<'a>(view: &'a View, path: &str) -> Option<&'a [Value]> {
    let found =
        view.conflicts.iter().find(|conflict| conflict.get("path").and_then(Value::as_str) == Some(path))?;
    found.get("values")?.as_array().map(Vec::as_slice)
}

/// A reading or measurement: its map and its id.
fn entry(kind: Kind, path: &str) -> Option<(&'static str, &str)> {
    let parents = [READINGS_PATH, MEASUREMENTS_PATH].into_iter().filter(|_| kind == Kind::Contact);
    parents
        .filter_map(|parent| Some((parent, path.strip_prefix(parent)?.strip_prefix('/')?)))
        .find(|(_, id)| !id.contains('/'))
}

/// What later entries say differently of an earlier one: its path, and the member that they disagree about.
fn amended(kind: Kind, path: &str) -> Option<(&str, &str)> {
    let (entry, member) = path.rsplit_once('/')?;
    let may_be = matches!(schema::at(kind, entry), At::Entry(_)) || entry == "monitor_loan";
    (may_be && schema::amendable(entry).iter().any(|known| known.name == member)).then_some((entry, member))
}

/// An amendment that replaces every one that says something of this member of the entry.
fn amendment(raws: &[Vec<u8>], entry: &str, member: &str, value: &Value) -> Result<Value> {
    let mut amendments: BTreeMap<String, Value> = BTreeMap::new();
    for raw in raws {
        let parsed = chunk::parse(raw).map_err(|_| Error::Internal("an accepted change"))?;
        for (key, written) in parsed.writes() {
            let id = key.strip_prefix(AMENDMENTS).and_then(|rest| rest.strip_prefix('/'));
            if let (Some(id), Some(Scalar::Json(written))) = (id, Scalar::from_chunk(&written)) {
                amendments.insert(id.to_owned(), written);
            }
        }
    }
    let chains = Corrections::of(amendments.iter().map(|(id, written)| (id.as_str(), written)));
    let mut set = Map::new();
    let mut replaced = Vec::new();
    for (id, written) in &amendments {
        let said = written.get("set").and_then(Value::as_object);
        let about = written.get("entry").and_then(Value::as_str) == Some(entry);
        let Some(said) = said.filter(|said| about && said.contains_key(member)) else { continue };
        if chains.by.contains_key(id.as_str()) {
            continue;
        }
        // What they say of other members stays said.
        for (name, other) in said.iter().filter(|(name, _)| *name != member) {
            if set.insert(name.clone(), other.clone()).is_some_and(|earlier| earlier != *other) {
                return Err(Code::NotSettleable.into());
            }
        }
        replaced.push(id.as_str());
    }
    set.insert(member.to_owned(), value.clone());
    Ok(json!({"entry": entry, "set": set, "supersedes": replaced}))
}

/// Whether a value put at this path replaces what stands there. Entries are written once and what
/// happened to them stays told.
pub fn can_settle(kind: Kind, path: &str) -> bool {
    let first = path.split('/').next().unwrap_or_default();
    entry(kind, path).is_some()
        || amended(kind, path).is_some()
        || match schema::at(kind, path) {
            At::Field(Shape::One(_) | Shape::Composite(_)) | At::SetMember | At::OpenMember => {
                !matches!(first, "id" | "kind" | "schema")
            }
            _ => false,
        }
}

/// A correction of the entry that replaces every live one of its chain.
fn correction(view: &View, parent: &str, root: &str, values: &[Value], settle: &Settle) -> Result<Value> {
    let fields = Value::Object(view.fields.clone());
    let entries =
        fields.pointer(&format!("/{parent}")).and_then(Value::as_object).ok_or(Code::EntryNotFound)?;
    let chains = Corrections::of(entries.iter().map(|(id, value)| (id.as_str(), value)));
    let live: Vec<&str> = chains
        .leaves(root, entries.keys().map(String::as_str))
        .into_iter()
        .filter(|id| *id != root && entries.get(*id).is_some_and(|entry| entry.get("struck_out").is_none()))
        .collect();
    if live.len() < 2 {
        return Err(Code::NotSettleable.into());
    }
    let Value::Object(decided) = &settle.value else {
        return Err(Error::Said(Code::WrongType, format!("{} must be an object.", settle.path)));
    };
    let original = entries.get(root).and_then(Value::as_object).cloned().unwrap_or_default();
    let taken_at = original.get("taken_at").cloned();
    let chosen = values.iter().any(|value| value.get("value") == Some(&settle.value));
    // A correction that is chosen counts as it is, also in what it left out. Of another value, what was not
    // decided anew (arm, position, unit) is as the original has it, but not that somebody confirmed that one.
    let mut merged: Map<String, Value> = if chosen { Map::new() } else { original };
    if !chosen {
        merged.remove("confirmed_unusual");
    }
    merged.extend(decided.iter().map(|(name, value)| (name.clone(), value.clone())));
    for name in schema::FOLDED_IN {
        merged.remove(*name);
    }
    if let Some(taken_at) = taken_at {
        merged.insert("taken_at".into(), taken_at);
    }
    if !chosen {
        merged.insert("reason".into(), json!(settle.reason.trim()));
    }
    merged.insert("corrects".into(), json!(root));
    merged.insert("supersedes".into(), json!(live));
    Ok(Value::Object(merged))
}
