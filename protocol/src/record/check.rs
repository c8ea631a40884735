//! What a value must be to stand at a path: types, code lists, and the clinical pack's entry limits.
//!
//! Tablets check at entry, where unusual values also want a confirmation; the server checks again
//! at admission and does not insist on it. Nothing here is about Automerge: that is `admit`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::{
    chunk::{Chunk, Scalar as ChunkScalar},
    ids::{RecordId, is_entry_id, tablet_id},
    message::Message,
    path,
    schema::{self, AMENDMENTS, At, Kind, MEASUREMENTS_PATH, Member, READINGS_PATH, Shape, Type},
    value::{Scalar, is_shallow},
};
use crate::{
    clinical::{self, NhsNumber},
    error::{Code, Invalid},
    sync::PublicKey,
};

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rules {
    /// A person is typing: unusual values must be confirmed.
    Entry,
    /// A change has arrived: what could have been saved honestly passes.
    Admission,
    /// Nobody: for tests that must get past the tablet.
    Unchecked,
}

/// The longest text, and the longest canonical JSON, that one value may hold.
const MAX_TEXT: usize = 10_000;

/// Checks one value at a document path and returns it as it is stored: times in UTC, NHS numbers as
/// ten digits. Null clears a field and is always allowed, but for entries and required fields.
pub fn value_at(kind: Kind, at_path: &str, value: Value, rules: Rules) -> Result<Scalar, Invalid> {
    if rules == Rules::Unchecked {
        // What would pass is still stored in its form; what would not is stored as it came.
        return value_at(kind, at_path, value.clone(), Rules::Admission).or(Ok(Scalar::from_json(value)));
    }
    if at_path.is_empty() || at_path.len() > 256 {
        return Err(Invalid::new(Code::BadPath, "", "A field's path is 1 to 256 characters long."));
    }
    let at = schema::at(kind, at_path);
    let value = match (at, value) {
        (At::Entry(_) | At::TallyEntry, Value::Null) => {
            return Err(Invalid::new(
                Code::WrongType,
                at_path,
                "An entry cannot be cleared: strike it out instead.",
            ));
        }
        (_, Value::Null) if is_required(kind, at_path) => {
            return Err(Invalid::new(Code::MissingField, at_path, format!("{at_path} cannot be cleared.")));
        }
        (_, Value::Null) => Value::Null,
        (At::Field(Shape::One(ty)), value) => one(&|| at_path.to_owned(), ty, value)?,
        (At::Field(Shape::Composite(members)), value) => composite(at_path, members, value)?,
        (At::SetMember, value @ Value::Bool(_)) => value,
        (At::SetMember, _) => return Err(wrong_type(at_path, "true or false")),
        (At::Entry(members), value) => entry(at_path, members, value, rules)?,
        (At::TallyEntry, value) => tally(at_path, value)?,
        (At::Field(_), _) => {
            return Err(Invalid::new(
                Code::WrongType,
                at_path,
                format!("{at_path} holds fields of its own."),
            ));
        }
        (At::OpenMember | At::Unknown, value) => value,
    };
    let value = special(kind, at_path, value)?;
    let size = match &value {
        Value::String(text) => text.len(),
        Value::Object(_) | Value::Array(_) => json_length(&value),
        _ => 0,
    };
    if size > MAX_TEXT || !is_shallow(&value) {
        return Err(Invalid::new(
            Code::TooLarge,
            at_path,
            format!("{at_path} is too large: at most {MAX_TEXT} characters, and not nested deeply."),
        ));
    }
    Ok(Scalar::from_json(value))
}

/// How many bytes a value takes as JSON.
fn json_length(value: &Value) -> usize {
    struct Length(usize);
    impl std::io::Write for Length {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut length = Length(0);
    // Counting does not fail.
    let _ = serde_json::to_writer(&mut length, value);
    length.0
}

/// Which required fields a beginning lacks.
pub fn missing(kind: Kind, has: impl Fn(&str) -> bool) -> Option<&'static str> {
    kind.fields().iter().find(|field| field.required && !has(field.name)).map(|field| field.name)
}

fn is_required(kind: Kind, at_path: &str) -> bool {
    schema::COMMON.iter().chain(kind.fields()).any(|field| field.required && field.name == at_path)
}

fn wrong_type(at_path: &str, wants: &str) -> Invalid {
    Invalid::new(Code::WrongType, at_path, format!("{at_path} must be {wants}."))
}

/// `at` gives the path, which nobody needs as long as all is well.
fn one(at: &dyn Fn() -> String, ty: Type, value: Value) -> Result<Value, Invalid> {
    match (ty, value) {
        (Type::Any, value) => Ok(value),
        (Type::Text, value @ Value::String(_)) => Ok(value),
        (Type::Text, _) => Err(wrong_type(&at(), "text")),
        (Type::Int, Value::Number(n)) if n.is_i64() => Ok(Value::Number(n)),
        (Type::Int, _) => Err(wrong_type(&at(), "a whole number")),
        (Type::Number, value @ Value::Number(_)) => Ok(value),
        (Type::Number, _) => Err(wrong_type(&at(), "a number")),
        (Type::Bool, value @ Value::Bool(_)) => Ok(value),
        (Type::Bool, _) => Err(wrong_type(&at(), "true or false")),
        (ty, Value::String(text)) => coded(at, ty, text).map(Value::String),
        (Type::Date, _) => Err(wrong_type(&at(), "a date, as in 2026-11-20")),
        (Type::Time, _) => Err(wrong_type(&at(), "a time, as in 2026-11-20T13:05:00Z")),
        (_, _) => Err(wrong_type(&at(), "text")),
    }
}

/// Text with a form of its own.
fn coded(at: &dyn Fn() -> String, ty: Type, text: String) -> Result<String, Invalid> {
    match ty {
        Type::Date => match text.parse::<jiff::civil::Date>() {
            Ok(_) if text.len() == 10 => Ok(text),
            _ => Err(wrong_type(&at(), "a date, as in 2026-11-20")),
        },
        Type::Time => match text.parse::<jiff::Timestamp>() {
            Ok(time) => Ok(time.to_string()),
            Err(_) => Err(wrong_type(&at(), "a time with its offset, as in 2026-11-20T13:05:00Z")),
        },
        Type::Id => match text.parse::<RecordId>() {
            Ok(id) => Ok(id.to_string()),
            Err(_) => Err(wrong_type(&at(), "a record's id")),
        },
        Type::Entry if is_entry_id(&text) => Ok(text),
        Type::Entry => Err(wrong_type(&at(), "an entry's id")),
        Type::Code(list) if list.contains(&text.as_str()) => Ok(text),
        Type::Code(list) => {
            let path = at();
            let says = format!("{path} is one of: {}.", list.join(", "));
            Err(Invalid::new(Code::UnknownValue, path, says))
        }
        Type::EthnicCategory if clinical::ethnic_category(&text).is_some() => Ok(text),
        Type::EthnicCategory => {
            let path = at();
            let says = format!(
                "{path} is a code of the NHS ethnic categories: A to S, Z (not stated) or 99 (not known)."
            );
            Err(Invalid::new(Code::UnknownValue, path, says))
        }
        _ => Ok(text),
    }
}

fn composite(at_path: &str, members: &[Member], value: Value) -> Result<Value, Invalid> {
    let Value::Object(mut object) = value else { return Err(wrong_type(at_path, "an object")) };
    for member in members {
        let member_path = || path::join(at_path, member.name);
        match object.get_mut(member.name) {
            None | Some(Value::Null) if member.required => {
                let path = member_path();
                let says = format!("{path} is missing.");
                return Err(Invalid::new(Code::MissingField, path, says));
            }
            None => {}
            Some(Value::Null) => {
                object.remove(member.name);
            }
            Some(value) => *value = one(&member_path, member.ty, value.take())?,
        }
    }
    Ok(Value::Object(object))
}

fn entry(at_path: &str, members: &[Member], value: Value, rules: Rules) -> Result<Value, Invalid> {
    let (parent, id) = at_path.rsplit_once('/').unwrap_or_default();
    if !is_entry_id(id) {
        return Err(Invalid::new(Code::BadId, at_path, "An entry's id is 8 characters of a-z and 2-7."));
    }
    let value = composite(at_path, members, value)?;
    let object = value.as_object();
    if let Some(name) = schema::FOLDED_IN.iter().find(|name| object.is_some_and(|o| o.contains_key(**name))) {
        return Err(Invalid::new(Code::BadPath, at_path, format!("{name} is said by a later entry.")));
    }
    let int = |name: &str| object.and_then(|o| o.get(name)).and_then(Value::as_i64);
    let confirmed = object.and_then(|o| o.get("confirmed_unusual")).and_then(Value::as_bool) == Some(true);
    let findings = match parent {
        READINGS_PATH => clinical::check_reading(
            int("systolic").unwrap_or_default(),
            int("diastolic").unwrap_or_default(),
            int("pulse"),
        ),
        MEASUREMENTS_PATH => {
            let what = object.and_then(|o| o.get("what")).and_then(Value::as_str).unwrap_or_default();
            let number = object.and_then(|o| o.get("value")).and_then(Value::as_f64).unwrap_or_default();
            clinical::check_measurement(what, number)
        }
        AMENDMENTS => {
            let set_path = path::join(at_path, "set");
            let set = object.and_then(|o| o.get("set")).cloned().unwrap_or_default();
            let named = object.and_then(|o| o.get("entry")).and_then(Value::as_str).unwrap_or_default();
            let amendable = schema::amendable(named);
            let set = composite(&set_path, &amendable, set)?;
            let names = set.as_object().into_iter().flatten().map(|(name, _)| name);
            if let Some(name) = names.into_iter().find(|name| !amendable.iter().any(|m| m.name == *name)) {
                let says = format!("{name} of an entry is never amended: correct the entry instead.");
                return Err(Invalid::new(Code::BadPath, set_path, says));
            }
            return Ok(value);
        }
        _ => return Ok(value),
    };
    match findings.refusal(confirmed || rules == Rules::Admission) {
        Some(finding) => Err(finding.invalid(parent)),
        None => Ok(value),
    }
}

fn tally(at_path: &str, value: Value) -> Result<Value, Invalid> {
    const MEMBERS: &[Member] = &[
        Member { name: "name", ty: Type::Text, required: true },
        Member { name: "n", ty: Type::Int, required: true },
    ];
    let value = composite(at_path, MEMBERS, value)?;
    match value.get("n").and_then(Value::as_i64) {
        Some(n) if (-1_000_000..=1_000_000).contains(&n) => Ok(value),
        _ => Err(Invalid::new(Code::OutOfRange, at_path, "A tally entry is at most 1,000,000.")),
    }
}

/// Rules of single fields that a type does not say.
fn special(kind: Kind, at_path: &str, value: Value) -> Result<Value, Invalid> {
    match (kind, at_path) {
        (Kind::Contact, "satisfaction") if !value.is_null() => match value.as_i64() {
            Some(1..=5) => Ok(value),
            _ => Err(Invalid::new(Code::OutOfRange, at_path, "satisfaction is 1 to 5.")),
        },
        (Kind::Person, "nhs_number") if !value.is_null() => {
            let mut object: Map<String, Value> = value.as_object().cloned().unwrap_or_default();
            let text = object.get("value").and_then(Value::as_str).unwrap_or_default();
            let number = NhsNumber::parse(text)
                .map_err(|problem| Invalid::new(Code::NhsNumberInvalid, at_path, problem.to_string()))?;
            object.insert("value".into(), Value::String(number.as_str().to_owned()));
            Ok(Value::Object(object))
        }
        _ => Ok(value),
    }
}

/// Checks a whole change of a record as the server does at admission: its message, and every value
/// against schema and entry limits. `kind` is the record's, `None` where it has no beginning yet;
/// `author` is who signed the change; `exists` says whether an accepted change has written a path.
/// Returns the record's kind.
pub fn change(
    id: RecordId,
    kind: Option<Kind>,
    chunk: &Chunk,
    author: &PublicKey,
    exists: impl Fn(&str) -> bool,
) -> Result<Kind, Invalid> {
    let refuse = |code: Code| Invalid::new(code, "", code.message());
    if Message::parse(chunk.message).is_none_or(|message| message.tablet != tablet_id(author)) {
        return Err(refuse(Code::ChangeMessage));
    }
    let kind = match chunk.deps.is_empty() {
        true => beginning(id, kind, chunk),
        false => kind.filter(|_| !chunk.keys().any(|key| SET_ONCE.contains(&key))),
    };
    let kind = kind.ok_or_else(|| refuse(Code::BeginningInvalid))?;
    let writes: Vec<(&str, Option<Scalar>)> =
        chunk.writes().map(|(key, value)| (key, Scalar::from_chunk(&value))).collect();
    // What a change itself replaces is never seen: only the last write of a key counts.
    let last: BTreeMap<&str, &Option<Scalar>> = writes.iter().map(|(key, value)| (*key, value)).collect();
    for (key, value) in &last {
        let value = value
            .as_ref()
            .ok_or_else(|| Invalid::new(Code::WrongType, *key, format!("{key} holds what no record may.")))?;
        if SET_ONCE.contains(key) {
            continue;
        }
        if schema::SHOWN_ONLY.contains(&key.split('/').next().unwrap_or_default()) {
            return Err(Invalid::new(Code::BadPath, *key, format!("{key} is shown, never stored.")));
        }
        let stored = value_at(kind, key, value.to_json(), Rules::Admission)?;
        if stored != *value {
            let says = format!("{key} is not written in its stored form.");
            return Err(Invalid::new(Code::WrongType, *key, says));
        }
    }
    let mut earlier = BTreeSet::new();
    for (key, value) in &writes {
        references(kind, key, value, |named| exists(named) || earlier.contains(named))?;
        earlier.insert(*key);
    }
    for (key, replaced) in chunk.replaces() {
        if !replaced.is_empty() && matches!(schema::at(kind, key), At::Entry(_) | At::TallyEntry) {
            return Err(Invalid::new(Code::EntryWrittenOnce, key, Code::EntryWrittenOnce.message()));
        }
    }
    match missing(kind, |name| last.contains_key(name)) {
        Some(name) if chunk.deps.is_empty() => {
            Err(Invalid::new(Code::MissingField, name, format!("{name} is missing.")))
        }
        _ => Ok(kind),
    }
}

/// What a beginning sets, each once, and no other change does.
const SET_ONCE: &[&str] = &["id", "kind", "schema"];

/// The kind that a beginning gives its record, if it matches the envelope.
fn beginning(id: RecordId, kind: Option<Kind>, chunk: &Chunk) -> Option<Kind> {
    let once = |name: &str| {
        let mut values = chunk.writes().filter(|(key, _)| *key == name).map(|(_, value)| value);
        values.next().filter(|_| values.next().is_none())
    };
    let (ChunkScalar::Str(own_id), ChunkScalar::Str(own_kind)) = (once("id")?, once("kind")?) else {
        return None;
    };
    let own = Kind::parse(own_kind)?;
    let schema = matches!(once("schema")?, ChunkScalar::Int(version) if version >= 1);
    (schema && own_id == id.to_string() && kind.is_none_or(|kind| kind == own)).then_some(own)
}

/// An entry names only entries that were there before it, so that no two can replace each other.
fn references(
    kind: Kind,
    key: &str,
    value: &Option<Scalar>,
    exists: impl Fn(&str) -> bool,
) -> Result<(), Invalid> {
    let (At::Entry(_), Some(Scalar::Json(value))) = (schema::at(kind, key), value) else { return Ok(()) };
    let parent = key.rsplit_once('/').map_or("", |(parent, _)| parent);
    let one = |name: &str| value.get(name).and_then(Value::as_str);
    let replaced = value.get("supersedes").and_then(Value::as_array).into_iter().flatten();
    let named = replaced.filter_map(Value::as_str).chain(one("corrects")).map(|id| path::join(parent, id));
    let amended = one("entry").filter(|_| parent == AMENDMENTS).map(str::to_owned);
    match named.chain(amended).find(|named| !exists(named)) {
        Some(named) => Err(Invalid::new(Code::EntryNotFound, key, format!("{named} is not in this record."))),
        None => Ok(()),
    }
}
