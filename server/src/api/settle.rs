//! Settling what stands beside each other: a change by the server's own hand, authored on exactly the
//! heads that the coordinator saw, through the same log as everybody's.
//!
//! So whoever settles overwrites nothing they did not see. Two who settle the same thing at once, or a
//! tablet that edits meanwhile, leave a conflict again, which is shown again.

use serde_json::{Map, Value, json};
use wayside_protocol::error::{Code, Invalid};
use wayside_protocol::record::schema::{self, At, MEASUREMENTS_PATH, READINGS_PATH, Shape};
use wayside_protocol::record::{
    Author, Corrections, Flattener, Hash, Kind, Message, Record, RecordId, Rules, View, Write, entry_id,
    tablet_id,
};
use wayside_protocol::sync::frame::Verdict;
use wayside_protocol::sync::sign_list;

use super::changes::{self, rfc3339};
use super::records::load;
use crate::admission::{Offer, Offered, SignedList};
use crate::base::Base;
use crate::error::{Error, Result};
use crate::log::{self, Source};

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
    let now = base.clock.now_ms();
    let server = *base.identity.public();
    // To the second, as tablets write it.
    let at = rfc3339(now - now % 1000);
    let message = Message { at, by: by.to_owned(), offset: 0, tablet: tablet_id(&server) };
    let key = base.identity.key().clone();
    base.log.write(move |txn| {
        let (team, team_id) = changes::team_of(txn.conn, id)?.ok_or(Code::RecordNotFound)?;
        let stored = changes::stored(txn.conn, team, id)?;
        let seen = changes::up_to(&stored, &settle.heads)?;
        // The record as it was on the screen, not as it is now.
        let mut record = load(id, seen.iter().map(|change| &change.raw))?;
        let writes = writes(&record, &settle)?;
        // An actor of its own for each decision: two that are made at once must not share one.
        let actor = rand::random();
        let author = Author { actor, fresh: rand::random(), message: &message };
        let authored = record
            .edit(None, &writes, &author)
            .map_err(|_| Error::Internal("a coordinator's change"))?
            .ok_or(Code::NotInConflict)?;
        let items = vec![(id, authored.hash)];
        let signature = sign_list(&key, team_id, &items);
        let list = SignedList { author: server, signature, items };
        let change = Offered { record: id, hash: authored.hash, raw: authored.raw, list: 0 };
        let offer = Offer { team: team_id, lists: vec![list], changes: vec![change] };
        let source = Source { tablet: tablet_id(&server), server, received_at: now };
        let verdicts = log::append(txn, &source, &[offer], &[])?;
        match verdicts.into_iter().flatten().next() {
            Some(Verdict::Accepted { .. }) => Ok(()),
            // Rolled back, and said to whoever asked: quarantine is for what came from afar.
            Some(Verdict::Quarantined { code }) => {
                Err(Code::parse(&code).unwrap_or(Code::NotSettleable).into())
            }
            _ => Err(Error::Internal("a coordinator's change")),
        }
    })
}

fn writes(record: &Record, settle: &Settle) -> Result<Vec<Write>> {
    let kind = record.kind().ok_or(Code::WrongKind)?;
    let view = record.view();
    let values = conflict(&view, &settle.path).ok_or(Code::NotInConflict)?;
    // What somebody once recorded may be chosen as it is; what is typed here is checked like any entry.
    let chosen = values.iter().any(|value| value.get("value") == Some(&settle.value));
    let rules = if chosen { Rules::Admission } else { Rules::Entry };
    let mut new_id = || entry_id(rand::random());
    let (path, value) = match entry(kind, &settle.path) {
        Some((parent, root)) => {
            let entry = correction(&view, parent, root, values, settle)?;
            (format!("{parent}/{}", new_id()), entry)
        }
        None if can_settle(kind, &settle.path) => (settle.path.clone(), settle.value.clone()),
        None => return Err(Code::NotSettleable.into()),
    };
    Ok(Flattener { kind, rules, new_id: &mut new_id }.set(&path, value)?)
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

/// Whether a value put at this path replaces what stands there. Entries are written once and what
/// happened to them stays told.
pub fn can_settle(kind: Kind, path: &str) -> bool {
    let first = path.split('/').next().unwrap_or_default();
    entry(kind, path).is_some()
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
        merged.insert("reason".into(), json!("Settled by a coordinator with another value"));
    }
    merged.insert("corrects".into(), json!(root));
    merged.insert("supersedes".into(), json!(live));
    Ok(Value::Object(merged))
}
