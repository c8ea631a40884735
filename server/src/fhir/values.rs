//! Parts of resources, and what the records say at a place.

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use wayside_protocol::record::{Corrections, path, schema};

use crate::web::LONDON;

pub const SNOMED: &str = "http://snomed.info/sct";
pub const LOINC: &str = "http://loinc.org";
const UCUM: &str = "http://unitsofmeasure.org";

/// A coding of a system.
#[derive(Debug, Clone, Copy)]
pub struct Code {
    pub system: &'static str,
    pub code: &'static str,
    pub display: &'static str,
}

impl Code {
    pub const fn snomed(code: &'static str, display: &'static str) -> Code {
        Code { system: SNOMED, code, display }
    }

    pub const fn loinc(code: &'static str, display: &'static str) -> Code {
        Code { system: LOINC, code, display }
    }

    pub fn json(self) -> Value {
        json!({"system": self.system, "code": self.code, "display": self.display})
    }
}

/// A concept of codes; of none it is its words alone.
pub fn concept(codes: &[Code], text: &str) -> Value {
    let mut concept = Map::new();
    if !codes.is_empty() {
        concept.insert("coding".into(), codes.iter().map(|code| code.json()).collect());
    }
    if let Some(text) = clean(text) {
        concept.insert("text".into(), text.into());
    }
    Value::Object(concept)
}

/// A measured value. `code` is UCUM's.
pub fn quantity(value: impl Into<Value>, unit: &str, code: &str) -> Value {
    json!({"value": value.into(), "unit": unit, "system": UCUM, "code": code})
}

/// Why there is no value.
pub fn absent(code: &str, display: &str) -> Value {
    let system = "http://terminology.hl7.org/CodeSystem/data-absent-reason";
    json!({"coding": [{"system": system, "code": code, "display": display}]})
}

/// Values disagree: somebody will say which it is.
pub fn unsettled() -> Value {
    absent("temp-unknown", "Temporarily Unknown")
}

pub fn note(text: &str) -> Value {
    json!([{"text": clean(text).unwrap_or_else(|| "-".to_owned())}])
}

/// A text as FHIR takes it: not empty, no control characters but those of lines.
pub fn clean(text: &str) -> Option<String> {
    let kept: String = text.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).collect();
    let kept = kept.trim();
    (!kept.is_empty()).then(|| kept.to_owned())
}

/// A time with the offset of London, as everything English is sent.
pub fn instant(text: &str) -> Option<String> {
    let at: Timestamp = text.parse().ok()?;
    Some(at.to_zoned(LONDON.clone()).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string())
}

/// The text at a JSON pointer.
pub fn text<'a>(value: &'a Value, pointer: &str) -> Option<&'a str> {
    value.pointer(pointer)?.as_str()
}

/// A value in words, for notes: a text, a number, or the named parts of something larger.
pub fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::Null => String::new(),
        Value::Array(values) => values.iter().map(plain).collect::<Vec<_>>().join(", "),
        Value::Object(members) => {
            let parts =
                members.iter().map(|(name, value)| format!("{}: {}", name.replace('_', " "), plain(value)));
            parts.collect::<Vec<_>>().join(", ")
        }
        Value::Number(number) => number.to_string(),
    }
}

/// The different values of a field while nobody has settled which it is; empty where nothing disagrees.
pub fn disputed<'a>(record: &'a Value, path: &str) -> Vec<&'a Value> {
    let conflicts = record.get("conflicts").and_then(Value::as_array).into_iter().flatten();
    let found = conflicts.filter(|conflict| text(conflict, "/path") == Some(path));
    let values = found.filter_map(|conflict| conflict.get("values")?.as_array()).flatten();
    values.filter_map(|value| value.get("value")).collect()
}

/// Values that disagree, in one line.
pub fn either(values: &[&Value]) -> String {
    let mut said: Vec<String> = Vec::new();
    for value in values.iter().map(|value| plain(value)).filter(|value| !value.is_empty()) {
        if !said.contains(&value) {
            said.push(value);
        }
    }
    format!("Not settled, values disagree: {}.", said.join(" / "))
}

/// One place in a map of entries: what was written there first, and all that it was corrected to.
pub struct Place<'a> {
    /// The id of the original, under which the place is known for ever.
    pub root: &'a str,
    /// Every entry of it.
    pub all: Vec<&'a Value>,
    /// What stands, more than one where corrections were made side by side.
    pub live: Vec<(&'a str, &'a Value)>,
    /// What was struck out last, where nothing stands.
    pub struck: Option<&'a Value>,
}

impl Place<'_> {
    pub fn was_corrected(&self) -> bool {
        self.all.len() > 1
    }

    /// Why it was struck out.
    pub fn reason(&self) -> &str {
        self.struck.and_then(|entry| text(entry, "/struck_out/reason")).unwrap_or("no reason was given")
    }
}

/// The places of a map of entries, by the id of their originals.
pub fn places<'a>(record: &'a Value, map: &str) -> Vec<Place<'a>> {
    let Some(entries) = record.pointer(&format!("/{map}")).and_then(Value::as_object) else {
        return Vec::new();
    };
    let entries: Vec<(&str, &Value)> = entries
        .iter()
        .filter(|(_, entry)| entry.is_object())
        .map(|(id, entry)| (id.as_str(), entry))
        .collect();
    let chains = Corrections::of(entries.iter().copied());
    let mut places: Vec<Place<'a>> = Vec::new();
    for (id, entry) in &entries {
        let root = chains.root(id);
        let root = entries.iter().find(|(known, _)| *known == root).map_or(*id, |(known, _)| *known);
        let at = places.iter().position(|place| place.root == root).unwrap_or_else(|| {
            places.push(Place { root, all: Vec::new(), live: Vec::new(), struck: None });
            places.len() - 1
        });
        let Some(place) = places.get_mut(at) else { continue };
        place.all.push(entry);
        let replaced = chains.by.contains_key(id) || entry.get("corrected_by").is_some();
        match entry.get("struck_out").is_some_and(|struck| !struck.is_null()) {
            true => place.struck = Some(entry),
            false if !replaced => place.live.push((id, entry)),
            false => {}
        }
    }
    places
}

/// Whether an entry of a contact's map is the reading at this path.
pub fn reading_path(root: &str) -> String {
    path::join(schema::READINGS_PATH, root)
}
