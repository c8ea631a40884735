//! From the document to nested JSON with every concurrent value, as `records.md` shows it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::{
    chunk::{self, Chunk},
    contents::{Contents, Sourced, heads},
    document::{Hash, Record, RecordError},
    ids::RecordId,
    path,
    schema::{self, AMENDMENTS, At, BIRTH, Kind},
};
use crate::{
    clinical,
    staff::{self, PinVerifier},
};

/// A record as people and programs see it.
#[derive(Debug, Clone)]
pub struct View {
    /// `None` for a kind of a newer version.
    pub kind: Option<Kind>,
    /// `id`, `kind`, `schema`, `created` and all fields, nested; without `team`, `conflicts` and
    /// `derived`.
    pub fields: Map<String, Value>,
    /// `[{path, values: [{value, by, tablet, at}]}]`, by path.
    pub conflicts: Vec<Value>,
}

impl View {
    /// The whole of what `show` prints. `person` is the contact's person, as from
    /// [`View::whole`], for what is derived from age and the like.
    pub fn to_json(&self, team: Option<&str>, person: Option<&Value>) -> Value {
        let mut object = self.fields.clone();
        object.insert("team".into(), team.map_or(Value::Null, |team| json!(team)));
        object.insert("conflicts".into(), Value::Array(self.conflicts.clone()));
        object.insert("derived".into(), self.derived(person));
        Value::Object(object)
    }

    /// The fields with their `conflicts`: what the rules read, so that while values disagree the more
    /// urgent one counts.
    pub fn whole(&self) -> Value {
        self.clone().into_whole()
    }

    /// As [`View::whole`], for whoever needs nothing else.
    pub fn into_whole(mut self) -> Value {
        self.fields.insert("conflicts".into(), Value::Array(self.conflicts));
        Value::Object(self.fields)
    }

    /// What the rules make of a contact; `person` as from [`View::whole`].
    pub fn derive_contact(&self, person: Option<&Value>) -> clinical::Derived {
        clinical::derive(&self.whole(), person)
    }

    fn derived(&self, person: Option<&Value>) -> Value {
        match self.kind {
            Some(Kind::Contact) => serde_json::to_value(self.derive_contact(person)).unwrap_or_default(),
            Some(Kind::Site) => {
                let kind = self.fields.get("type").and_then(Value::as_str).unwrap_or_default();
                json!({"sensitive": schema::PLACES_OF_WORSHIP.contains(&kind)})
            }
            _ => json!({}),
        }
    }
}

impl Record {
    /// Reads the record with all its concurrent values. Verifiers of PINs are left out: every door shows views.
    pub fn view(&self) -> View {
        view(Contents::of_document(&self.doc))
    }

    /// The verifiers of a team's PINs, by the id of the staff entry: the one way to them.
    pub fn pin_verifiers(&self) -> BTreeMap<String, PinVerifier> {
        let view = whole(Contents::of_document(&self.doc));
        let entries = view.fields.get("staff").and_then(Value::as_object).into_iter().flatten();
        let pins = entries.filter_map(|(id, entry)| {
            Some((id.clone(), PinVerifier::parse(entry.get(staff::PIN)?.as_str()?)?))
        });
        pins.collect()
    }
}

impl View {
    /// As [`Record::view`], and the record's heads beside it, from its raw changes (each after those it builds
    /// on). Without Automerge as far as [`chunk::parse`] reads them, which is many times as fast: for whoever
    /// shows a record and does not edit it.
    ///
    /// # Panics
    /// What the parser refuses is left to Automerge, which may panic on what never passed admission.
    pub fn of_changes<B: AsRef<[u8]>>(id: RecordId, raws: &[B]) -> Result<(View, Vec<Hash>), RecordError> {
        let chunks: Result<Vec<_>, _> = raws.iter().map(|raw| chunk::parse(raw.as_ref())).collect();
        match chunks {
            Ok(chunks) => View::of_chunks(&chunks),
            Err(_) => {
                let record = Record::load(id, raws)?;
                Ok((record.view(), record.heads()))
            }
        }
    }

    /// As [`View::of_changes`], of changes that have been parsed already.
    pub fn of_chunks(chunks: &[Chunk]) -> Result<(View, Vec<Hash>), RecordError> {
        let heads = heads(chunks).ok_or(RecordError::Unreadable)?;
        Ok((view(Contents::of_chunks(chunks)), heads))
    }
}

fn view(contents: Contents) -> View {
    let mut view = whole(contents);
    if view.kind == Some(Kind::Team) {
        staff::hide_pins(&mut view.fields, &mut view.conflicts);
    }
    view
}

/// With the verifiers of PINs.
fn whole(mut contents: Contents) -> View {
    let kind = contents.kind();
    let mut conflicts = BTreeMap::new();
    let mut values: BTreeMap<String, Value> = BTreeMap::new();
    for (key, concurrent) in &mut contents.keys {
        if concurrent.len() > 1 {
            conflicts.insert(key.clone(), concurrent.clone());
        }
        // Automerge's own choice, the same on every replica, stands where one value is needed.
        if let Some(shown) = concurrent.last_mut() {
            values.insert(key.clone(), shown.value.take());
        }
    }
    // From here on only where values come from.
    let contents = &contents;
    let mut amendments = Vec::new();
    values.retain(|key, value| {
        let amends = key.strip_prefix(AMENDMENTS).is_some_and(|rest| rest.starts_with('/'));
        if amends {
            amendments.push((key.clone(), value.take()));
        }
        !amends
    });
    let amended = amend(&mut values, amendments, contents, &mut conflicts);
    corrections(kind, &mut values, contents, &amended, &mut conflicts);

    let mut fields = Map::new();
    for (key, value) in values {
        insert(kind, &mut fields, &key, value, contents, &mut conflicts);
    }
    if let Some(message) = &contents.created {
        let created = json!({"at": message.at, "by": message.by, "tablet": message.tablet});
        fields.insert("created".into(), created);
    }
    let conflicts = conflicts
        .into_iter()
        .map(|(path, values)| {
            let values: Vec<Value> = values.into_iter().map(Sourced::into_json).collect();
            json!({"path": path, "values": values})
        })
        .collect();
    View { kind, fields, conflicts }
}

impl Sourced {
    fn into_json(self) -> Value {
        let source = self.source;
        json!({
            "value": self.value,
            "by": source.as_ref().map(|m| &m.by),
            "tablet": source.as_ref().map(|m| &m.tablet),
            "at": source.as_ref().map(|m| &m.at),
        })
    }
}

type Conflicts = BTreeMap<String, Vec<Sourced>>;

/// Folds what happened to an entry later into the entry. Two different values of one member stand
/// as a conflict at the entry's path. Returns the paths that were struck out.
fn amend(
    values: &mut BTreeMap<String, Value>,
    amendments: Vec<(String, Value)>,
    contents: &Contents,
    conflicts: &mut Conflicts,
) -> Vec<String> {
    let mut struck = Vec::new();
    // An amendment that a later one names counts no more.
    let chains = Corrections::of(amendments.iter().map(|(key, value)| (id_of(key), value)));
    let replaced: BTreeSet<String> = chains.by.keys().map(|id| (*id).to_owned()).collect();
    let amendments = amendments.into_iter().filter(|(key, _)| !replaced.contains(id_of(key)));
    let mut folded: BTreeMap<(String, String), Vec<Sourced>> = BTreeMap::new();
    for (key, amendment) in amendments {
        let Some(entry) = amendment.get("entry").and_then(Value::as_str) else { continue };
        let Some(set) = amendment.get("set").and_then(Value::as_object) else { continue };
        let amendable = schema::amendable(entry);
        for (name, value) in set {
            if !amendable.iter().any(|member| member.name == name) {
                continue;
            }
            let seen = folded.entry((entry.to_owned(), name.clone())).or_default();
            if !seen.iter().any(|other| same_amendment(&other.value, value)) {
                seen.push(Sourced { value: value.clone(), source: contents.source_of(&key) });
            }
        }
    }
    for ((entry, name), mut seen) in folded {
        let Some(Value::Object(object)) = values.get_mut(&entry) else { continue };
        if name == "struck_out" {
            struck.push(entry.clone());
        }
        if seen.len() > 1 {
            conflicts.insert(path::join(&entry, &name), seen.clone());
        }
        if let Some(first) = seen.drain(..).next() {
            object.insert(name, first.value);
        }
    }
    struck
}

/// Whether two say the same of an entry: who said it and when is no disagreement.
fn same_amendment(a: &Value, b: &Value) -> bool {
    let said = |value: &Value| {
        let mut value = value.clone();
        if let Value::Object(members) = &mut value {
            members.remove("at");
            members.remove("by");
        }
        value
    };
    said(a) == said(b)
}

/// The last segment of an entry's path.
fn id_of(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, id)| id)
}

/// Marks corrected entries with `corrected_by`, and shows two live corrections that differ as a
/// conflict at the entry that both correct.
fn corrections(
    kind: Option<Kind>,
    values: &mut BTreeMap<String, Value>,
    contents: &Contents,
    struck: &[String],
    conflicts: &mut Conflicts,
) {
    if kind != Some(Kind::Contact) {
        return;
    }
    for parent in [schema::READINGS_PATH, schema::MEASUREMENTS_PATH] {
        let entries: BTreeMap<String, &Value> = values
            .range(format!("{parent}/")..)
            .take_while(|(key, _)| key.starts_with(parent))
            .filter_map(|(key, value)| Some((key.strip_prefix(parent)?.strip_prefix('/')?.to_owned(), value)))
            .collect();
        let chains = Corrections::of(entries.iter().map(|(id, value)| (id.as_str(), *value)));
        let mut live: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (id, value) in &entries {
            let corrects = value.get("corrects").is_some();
            let gone = chains.by.contains_key(id.as_str()) || struck.contains(&path::join(parent, id));
            if corrects && !gone {
                live.entry(chains.root(id)).or_default().push(id);
            }
        }
        for (root, ids) in live {
            let mut seen: Vec<Sourced> = Vec::new();
            for id in ids {
                let value = entries.get(id).map_or(Value::Null, |value| (*value).clone());
                if !seen.iter().any(|other| measured(&other.value) == measured(&value)) {
                    let source = contents.source_of(&path::join(parent, id));
                    seen.push(Sourced { value, source });
                }
            }
            if seen.len() > 1 {
                conflicts.insert(path::join(parent, root), seen);
            }
        }
        let by: Vec<(String, Vec<String>)> = chains
            .by
            .iter()
            .map(|(id, by)| (path::join(parent, id), by.iter().map(|s| s.to_string()).collect()))
            .collect();
        for (key, by) in by {
            if let Some(Value::Object(object)) = values.get_mut(&key) {
                object.insert("corrected_by".into(), json!(by));
            }
        }
    }
}

/// What two corrections must agree on to be no conflict: all but which entry they replace and why.
fn measured(value: &Value) -> Value {
    let mut value = value.clone();
    if let Value::Object(object) = &mut value {
        for name in ["corrects", "supersedes", "reason", "by", "taken_at", "confirmed_unusual"] {
            object.remove(name);
        }
    }
    value
}

/// Which entry replaces which, among the entries of one map.
pub struct Corrections<'a> {
    /// For each replaced entry, those that replace it.
    pub by: BTreeMap<&'a str, Vec<&'a str>>,
    corrects: BTreeMap<&'a str, &'a str>,
}

impl<'a> Corrections<'a> {
    pub fn of(entries: impl Iterator<Item = (&'a str, &'a Value)>) -> Corrections<'a> {
        let mut chains = Corrections { by: BTreeMap::new(), corrects: BTreeMap::new() };
        for (id, value) in entries {
            let corrects = value.get("corrects").and_then(Value::as_str);
            let supersedes = value.get("supersedes").and_then(Value::as_array).into_iter().flatten();
            if let Some(original) = corrects {
                chains.corrects.insert(id, original);
            }
            for replaced in corrects.into_iter().chain(supersedes.filter_map(Value::as_str)) {
                if replaced != id {
                    chains.by.entry(replaced).or_default().push(id);
                }
            }
        }
        chains
    }

    /// The entry at the beginning of the chain of corrections that `id` is part of.
    pub fn root<'b>(&'b self, id: &'b str) -> &'b str {
        let mut at = id;
        // A chain is never longer than there are entries; a hostile circle ends there too.
        for _ in 0..=self.corrects.len() {
            match self.corrects.get(at) {
                Some(original) => at = original,
                None => break,
            }
        }
        at
    }

    /// The entries of the chain of `root` that nothing replaces.
    pub fn leaves(&self, root: &str, ids: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
        ids.filter(|id| self.root(id) == root && !self.by.contains_key(id)).collect()
    }
}

/// Puts one document value where the nested JSON shows it.
fn insert(
    kind: Option<Kind>,
    fields: &mut Map<String, Value>,
    key: &str,
    value: Value,
    contents: &Contents,
    conflicts: &mut Conflicts,
) {
    if value.is_null() {
        return;
    }
    let segments = path::split(key);
    match kind.map_or(At::Unknown, |kind| schema::at(kind, key)) {
        At::SetMember if value == json!(true) => {
            let (member, set) = match segments.split_last() {
                Some((member, set)) => (member.clone(), set),
                None => return,
            };
            if let Some(Value::Array(members)) = slot(fields, set, || json!([])) {
                members.push(Value::String(member));
            }
        }
        At::SetMember => {}
        At::TallyEntry => {
            let (Some(name), Some(n)) =
                (value.get("name").and_then(Value::as_str), value.get("n").and_then(Value::as_i64))
            else {
                return;
            };
            let sum = slot(fields, &["tallies".to_owned(), name.to_owned()], || json!(0));
            if let Some(sum) = sum {
                *sum = json!(sum.as_i64().unwrap_or_default().saturating_add(n));
            }
        }
        At::Field(_) if key == BIRTH => {
            if let Value::Object(members) = value {
                fields.extend(members);
            }
        }
        _ => match slot(fields, &segments, || Value::Null) {
            Some(place) if place.is_null() => *place = value,
            // `a` beside `a/b`: nested JSON holds only one of them, so the other is a conflict.
            _ => {
                let source = contents.source_of(key);
                conflicts.entry(key.to_owned()).or_default().push(Sourced { value, source });
            }
        },
    }
}

/// The place of a path in nested JSON, made where it is not there yet; `None` where a value stands
/// in the way.
fn slot<'a>(
    fields: &'a mut Map<String, Value>,
    segments: &[String],
    empty: impl Fn() -> Value,
) -> Option<&'a mut Value> {
    let (last, parents) = segments.split_last()?;
    let mut at = fields;
    for name in parents {
        at = at.entry(name.clone()).or_insert_with(|| json!({})).as_object_mut()?;
    }
    Some(at.entry(last.clone()).or_insert_with(empty))
}
