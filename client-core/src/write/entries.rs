//! What happens to an entry after it was written: it is corrected, struck out, or counted on.

use serde_json::{Map, Value, json};
use wayside_protocol::{
    error::{Code, Invalid},
    record::{
        Corrections, Hash, Kind, Record, RecordId, Scalar,
        path::join,
        schema::{self, AMENDMENTS, At, MEASUREMENTS_PATH, Member, READINGS_PATH},
    },
};

use super::{By, Open, Pen};
use crate::{
    error::{Error, Result},
    store::records,
    tablet::Tablet,
};

/// Members that tie a correction to what it corrects, or excuse it: never carried over into the next one.
const OF_A_CORRECTION: [&str; 3] = ["corrects", "supersedes", "reason"];
/// Members in which two corrections may differ without disagreeing about what was measured.
const NOT_MEASURED: [&str; 6] = ["corrects", "supersedes", "reason", "by", "taken_at", "confirmed_unusual"];

impl Tablet {
    /// Corrects a reading or a measurement by a new entry, whose id is returned. `entry` is its id or its path;
    /// `set` are the members that were wrong, null to leave one out. `base` are the heads that the screen showed.
    ///
    /// The correction replaces every correction seen, so that it settles two that disagree: then `set` must say
    /// what they disagree about, or `entry` name the one that is right.
    pub fn correct(
        &self,
        id: RecordId,
        entry: &str,
        set: Vec<(String, Value)>,
        reason: Option<&str>,
        base: Option<&[Hash]>,
        by: &By,
    ) -> Result<String> {
        self.write(by, |pen| {
            let mut open = pen.open(id)?;
            if open.kind()? != Kind::Contact {
                return Err(Error::Failed(Code::WrongKind));
            }
            let base =
                base.map(|base| pen.standing(&open, base)).transpose()?.filter(|base| !base.is_empty());
            let shown = match &base {
                Some(base) => &records::load_at(id, &open.changes, base)?,
                None => &open.record,
            };
            let (parent, corrected) = find(shown, entry)?;
            let value = correction(shown, parent, &corrected, set, reason)?;
            let new = pen.new_entry_id();
            let writes =
                pen.flattening(Kind::Contact, |flattener| flattener.set(&join(parent, &new), value))?;
            pen.edit(&mut open, base.as_deref(), &writes)?;
            Ok(new)
        })
    }

    /// Strikes out an entry: it stays, and no longer counts. `entry` is its path, or the id of a reading or
    /// measurement.
    pub fn strike_out(&self, id: RecordId, entry: &str, reason: &str, by: &By) -> Result<()> {
        self.write(by, |pen| {
            let mut open = pen.open(id)?;
            let path = entry_path(&open, entry)?;
            let struck = json!({"reason": reason, "at": pen.message.at, "by": pen.message.by});
            let value = json!({"entry": path, "set": {"struck_out": struck}});
            pen.add(&mut open, &join(AMENDMENTS, &pen.new_entry_id()), value)
        })
    }

    /// Adds an entry to one of a record's maps (`referrals`, `referral_events`, `follow_ups`, `follow_up_events`,
    /// `calls`, `advice`, `notes`, ...) and returns its id. Who and when are filled in where the entry can hold
    /// them and does not say. An event must name a task that is there.
    pub fn add(&self, id: RecordId, map: &str, entry: Value, by: &By) -> Result<String> {
        self.write(by, |pen| {
            let mut open = pen.open(id)?;
            let kind = open.kind()?;
            let new = pen.new_entry_id();
            let path = join(map, &new);
            let At::Entry(members) = schema::at(kind, &path) else {
                return Err(Invalid::new(Code::BadPath, map, format!("{map} holds no entries.")).into());
            };
            let mut entry = entry;
            let object = entry.as_object_mut().ok_or_else(|| {
                Error::from(Invalid::new(Code::WrongType, map, "An entry is a JSON object."))
            })?;
            pen.stamp(members, object);
            for (names, of) in [("referral", "referrals"), ("follow_up", "follow_ups")] {
                if let Some(named) = object.get(names).and_then(Value::as_str)
                    && kind == Kind::Contact
                    && !open.record.has(&join(of, named))
                {
                    let message = Code::EntryNotFound.message();
                    return Err(Invalid::new(Code::EntryNotFound, join(of, named), message).into());
                }
            }
            let writes = pen.flattening(kind, |flattener| flattener.set(&path, entry))?;
            pen.edit(&mut open, None, &writes)?;
            Ok(new)
        })
    }

    /// Adds to one of a session's counts; a negative number takes back.
    pub fn tally(&self, session: RecordId, name: &str, n: i64, by: &By) -> Result<()> {
        self.write(by, |pen| {
            let mut open = pen.open(session)?;
            if open.kind()? != Kind::Session {
                return Err(Error::Failed(Code::WrongKind));
            }
            let tallies = Map::from_iter([("tallies".to_owned(), json!({name: n}))]);
            let writes = pen.flattening(Kind::Session, |flattener| flattener.object(tallies))?;
            pen.edit(&mut open, None, &writes)?;
            Ok(())
        })
    }
}

impl Pen<'_> {
    /// Fills in who and when, where an entry can hold them and does not say.
    pub(super) fn stamp(&self, members: &[Member], entry: &mut Map<String, Value>) {
        for name in ["at", "made_at", "given_at", "asked_at"] {
            if members.iter().any(|member| member.name == name) {
                entry.entry(name).or_insert_with(|| json!(self.message.at));
            }
        }
        if members.iter().any(|member| member.name == "by") {
            entry.entry("by").or_insert_with(|| json!(self.message.by));
        }
    }

    fn add(&self, open: &mut Open, path: &str, value: Value) -> Result<()> {
        let kind = open.kind()?;
        let writes = self.flattening(kind, |flattener| flattener.set(path, value))?;
        self.edit(open, None, &writes)?;
        Ok(())
    }
}

fn not_found(entry: &str) -> Error {
    Invalid::new(Code::EntryNotFound, entry, Code::EntryNotFound.message()).into()
}

/// The map and the id of a reading or measurement.
fn find(record: &Record, entry: &str) -> Result<(&'static str, String)> {
    for parent in [READINGS_PATH, MEASUREMENTS_PATH] {
        let id = entry.strip_prefix(parent).and_then(|rest| rest.strip_prefix('/')).unwrap_or(entry);
        if !id.contains('/') && record.has(&join(parent, id)) {
            return Ok((parent, id.to_owned()));
        }
    }
    Err(not_found(entry))
}

fn entry_path(open: &Open, entry: &str) -> Result<String> {
    let kind = open.kind()?;
    if matches!(schema::at(kind, entry), At::Entry(_)) && open.record.has(entry) {
        return Ok(entry.to_owned());
    }
    let (parent, id) = find(&open.record, entry)?;
    Ok(join(parent, &id))
}

/// The entries of a map as they were written, without what happened to them later.
fn written(record: &Record, parent: &str) -> Vec<(String, Map<String, Value>)> {
    let fields = Value::Object(record.view().fields);
    let ids = fields.pointer(&format!("/{parent}")).and_then(Value::as_object);
    let entries = ids.into_iter().flat_map(Map::keys).filter_map(|id| {
        let values = record.scalars(&join(parent, id));
        let object = values.into_iter().find_map(|value| match value {
            Scalar::Json(Value::Object(object)) => Some(object),
            _ => None,
        })?;
        Some((id.clone(), object))
    });
    entries.collect()
}

fn correction(
    record: &Record,
    parent: &str,
    corrected: &str,
    set: Vec<(String, Value)>,
    reason: Option<&str>,
) -> Result<Value> {
    let entries: Vec<(String, Value)> =
        written(record, parent).into_iter().map(|(id, object)| (id, Value::Object(object))).collect();
    let chains = Corrections::of(entries.iter().map(|(id, value)| (id.as_str(), value)));
    let root = chains.root(corrected);
    let leaves = chains.leaves(root, entries.iter().map(|(id, _)| id.as_str()));
    let value_of = |id: &str| {
        let found = entries.iter().find(|(other, _)| other == id);
        found.and_then(|(_, value)| value.as_object().cloned()).ok_or_else(|| not_found(corrected))
    };
    let mut value = match leaves.as_slice() {
        _ if leaves.contains(&corrected) => value_of(corrected)?,
        [] => value_of(corrected)?,
        [leaf] => value_of(leaf)?,
        several => agreed(root, several, &value_of, &set)?,
    };
    for name in OF_A_CORRECTION {
        value.remove(name);
    }
    // Whoever confirmed an unusual value confirmed that one.
    if set.iter().any(|(name, _)| !NOT_MEASURED.contains(&name.as_str())) {
        value.remove("confirmed_unusual");
    }
    for (name, member) in set {
        if OF_A_CORRECTION.contains(&name.as_str()) {
            let message = format!("{name} is not corrected: it says what this entry corrects.");
            return Err(Invalid::new(Code::BadPath, join(parent, &name), message).into());
        }
        match member {
            Value::Null => value.remove(&name),
            member => value.insert(name, member),
        };
    }
    value.insert("corrects".into(), json!(corrected));
    let supersedes: Vec<&str> = leaves.into_iter().filter(|leaf| *leaf != corrected).collect();
    if !supersedes.is_empty() {
        value.insert("supersedes".into(), json!(supersedes));
    }
    if let Some(reason) = reason {
        value.insert("reason".into(), json!(reason));
    }
    Ok(Value::Object(value))
}

/// What several live corrections agree on. Where they do not, `set` must decide: nobody's value is dropped
/// without a word.
fn agreed(
    root: &str,
    leaves: &[&str],
    value_of: &impl Fn(&str) -> Result<Map<String, Value>>,
    set: &[(String, Value)],
) -> Result<Map<String, Value>> {
    let values = leaves.iter().map(|leaf| value_of(leaf)).collect::<Result<Vec<_>>>()?;
    let mut agreed = values.first().cloned().unwrap_or_default();
    // What is not measured comes from the original, where it is here.
    let original = value_of(root).unwrap_or_default();
    for name in NOT_MEASURED {
        agreed.remove(name);
        if let Some(value) = original.get(name) {
            agreed.insert(name.to_owned(), value.clone());
        }
    }
    for name in values.iter().flat_map(Map::keys) {
        let first = values.first().and_then(|value| value.get(name));
        let differ = values.iter().any(|value| value.get(name) != first);
        let decided = set.iter().any(|(decided, _)| decided == name);
        if differ && !decided && !NOT_MEASURED.contains(&name.as_str()) {
            let message = format!("The corrections disagree about {name}: say which is right.");
            return Err(Invalid::new(Code::MissingField, name, message).into());
        }
    }
    Ok(agreed)
}
