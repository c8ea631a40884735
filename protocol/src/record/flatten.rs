//! From nested JSON, as `records.md` shows it and every door takes it, to the document's writes.

use serde_json::{Map, Value, json};

use super::{
    check::{self, Rules},
    ids::is_entry_id,
    path,
    schema::{self, AMENDMENTS, At, BIRTH, BIRTH_MEMBERS, Field, Kind, Shape},
    value::Scalar,
};
use crate::error::{Code, Invalid};

/// One scalar put at one path of a record.
#[derive(Debug, Clone, PartialEq)]
pub struct Write {
    pub path: String,
    pub value: Scalar,
}

/// Turns JSON into writes. New entries get their ids from `new_id`.
pub struct Flattener<'a> {
    pub kind: Kind,
    pub rules: Rules,
    pub new_id: &'a mut dyn FnMut() -> String,
}

impl Flattener<'_> {
    /// The fields of a new record, or of a part of one. Members that are only shown (`team`,
    /// `created`, `conflicts`, `derived`) and the ones a beginning sets itself are left out, so that
    /// what was shown can be taken back in.
    pub fn object(&mut self, object: Map<String, Value>) -> Result<Vec<Write>, Invalid> {
        let mut writes = Vec::new();
        let mut birth = Map::new();
        for (name, value) in object {
            if value.is_null() || schema::SHOWN_ONLY.contains(&name.as_str()) {
                continue;
            }
            if matches!(name.as_str(), "id" | "kind" | "schema") {
                continue;
            }
            if self.kind == Kind::Person && BIRTH_MEMBERS.iter().any(|member| member.name == name) {
                birth.insert(name, value);
                continue;
            }
            self.at(&path::escape(&name), value, &mut writes)?;
        }
        if !birth.is_empty() {
            self.put(BIRTH, Value::Object(birth), &mut writes)?;
        }
        Ok(writes)
    }

    /// One path with its new value, as in `edit ID --set path=value`.
    pub fn set(&mut self, at_path: &str, value: Value) -> Result<Vec<Write>, Invalid> {
        let first = at_path.split('/').next().unwrap_or_default();
        if matches!(first, "id" | "kind" | "schema") || schema::SHOWN_ONLY.contains(&first) {
            return Err(Invalid::new(Code::BadPath, at_path, format!("{first} is never edited.")));
        }
        if self.kind == Kind::Person && BIRTH_MEMBERS.iter().any(|member| member.name == at_path) {
            return self.set(BIRTH, json!({at_path: value}));
        }
        if at_path.starts_with("tallies/") {
            return Err(Invalid::new(
                Code::BadPath,
                at_path,
                "A tally is never set: add to it, and everybody's counts add up.",
            ));
        }
        let mut writes = Vec::new();
        self.at(at_path, value, &mut writes)?;
        Ok(writes)
    }

    fn put(&self, at_path: &str, value: Value, writes: &mut Vec<Write>) -> Result<(), Invalid> {
        let value = check::value_at(self.kind, at_path, value, self.rules)?;
        writes.push(Write { path: at_path.to_owned(), value });
        Ok(())
    }

    fn at(&mut self, at_path: &str, value: Value, writes: &mut Vec<Write>) -> Result<(), Invalid> {
        match schema::at(self.kind, at_path) {
            At::Field(Shape::Group(fields)) if !value.is_null() => self.group(at_path, fields, value, writes),
            At::Field(Shape::Set(_)) if !value.is_null() => self.set_members(at_path, value, writes),
            At::Field(Shape::Entries(_)) if !value.is_null() => self.entries(at_path, value, writes),
            At::Field(Shape::Tallies) if !value.is_null() => self.tallies(at_path, value, writes),
            At::Field(Shape::Open) if !value.is_null() => self.open(at_path, value, writes),
            At::Entry(_) => self.entry(at_path, value, writes),
            // A bare number or text is the value of an NHS number; until somebody traces it its
            // status is 02, present but not traced (clinical pack, 6.8).
            At::Field(Shape::Composite(_)) if self.kind == Kind::Person && at_path == "nhs_number" => {
                let mut value = match value {
                    Value::String(text) => json!({"value": text}),
                    Value::Number(number) => json!({"value": number.to_string()}),
                    value => value,
                };
                if let Value::Object(object) = &mut value {
                    object.entry("status").or_insert_with(|| json!("02"));
                }
                self.put(at_path, value, writes)
            }
            At::Field(Shape::Composite(_)) if at_path == "monitor_loan" => self.returned_loan(value, writes),
            At::Unknown => self.unknown(at_path, value, writes),
            _ => self.put(at_path, value, writes),
        }
    }

    fn group(
        &mut self,
        at_path: &str,
        fields: &[Field],
        value: Value,
        writes: &mut Vec<Write>,
    ) -> Result<(), Invalid> {
        let Value::Object(object) = value else {
            return Err(Invalid::new(Code::WrongType, at_path, format!("{at_path} must be an object.")));
        };
        for (name, value) in object {
            let known = fields.iter().any(|field| field.name == name);
            if !value.is_null() || !known {
                self.at(&path::join(at_path, &name), value, writes)?;
            }
        }
        Ok(())
    }

    fn set_members(&mut self, at_path: &str, value: Value, writes: &mut Vec<Write>) -> Result<(), Invalid> {
        match value {
            Value::Array(members) => {
                for member in members {
                    let Value::String(member) = member else {
                        return Err(Invalid::new(
                            Code::WrongType,
                            at_path,
                            format!("{at_path} is a set of texts."),
                        ));
                    };
                    self.put(&path::join(at_path, &member), Value::Bool(true), writes)?;
                }
                Ok(())
            }
            Value::Object(members) => members
                .into_iter()
                .try_for_each(|(name, on)| self.put(&path::join(at_path, &name), on, writes)),
            // A set of one, as people write it.
            Value::String(member) => self.put(&path::join(at_path, &member), Value::Bool(true), writes),
            _ => Err(Invalid::new(
                Code::WrongType,
                at_path,
                format!("{at_path} is a set: give an array of texts."),
            )),
        }
    }

    fn entries(&mut self, at_path: &str, value: Value, writes: &mut Vec<Write>) -> Result<(), Invalid> {
        match value {
            Value::Array(entries) => entries.into_iter().try_for_each(|entry| {
                let id = (self.new_id)();
                self.entry(&path::join(at_path, &id), entry, writes)
            }),
            Value::Object(entries) => in_order(entries)
                .into_iter()
                .try_for_each(|(id, entry)| self.entry(&path::join(at_path, &id), entry, writes)),
            Value::String(text) if at_path == "notes" => {
                let id = (self.new_id)();
                self.entry(&path::join(at_path, &id), json!({"text": text}), writes)
            }
            _ => Err(Invalid::new(
                Code::WrongType,
                at_path,
                format!("{at_path} holds entries: give an array, or an object by entry id."),
            )),
        }
    }

    /// An entry is stored as it was written once; what came later and was folded in when it was
    /// shown (struck out, withdrawn) becomes an amendment again.
    fn entry(&mut self, at_path: &str, value: Value, writes: &mut Vec<Write>) -> Result<(), Invalid> {
        let (parent, id) = at_path.rsplit_once('/').unwrap_or_default();
        if !is_entry_id(id) {
            return Err(Invalid::new(
                Code::BadId,
                at_path,
                format!(
                    "An entry's id is 8 characters of a-z and 2-7; give {parent} as an array to have ids made."
                ),
            ));
        }
        let value = match value {
            Value::String(text) if parent == "notes" => json!({"text": text}),
            value => value,
        };
        self.with_amendments(at_path, value, &["struck_out", "withdrawn_at"], writes)
    }

    fn returned_loan(&mut self, value: Value, writes: &mut Vec<Write>) -> Result<(), Invalid> {
        self.with_amendments("monitor_loan", value, &["returned_at"], writes)
    }

    fn with_amendments(
        &mut self,
        at_path: &str,
        mut value: Value,
        later: &[&str],
        writes: &mut Vec<Write>,
    ) -> Result<(), Invalid> {
        let mut set = Map::new();
        if let Value::Object(object) = &mut value {
            object.remove("corrected_by");
            for name in later {
                if let Some(value) = object.remove(*name).filter(|value| !value.is_null()) {
                    set.insert((*name).to_owned(), value);
                }
            }
        }
        self.put(at_path, value, writes)?;
        if set.is_empty() {
            return Ok(());
        }
        let id = (self.new_id)();
        self.put(&path::join(AMENDMENTS, &id), json!({"entry": at_path, "set": set}), writes)
    }

    fn tallies(&mut self, at_path: &str, value: Value, writes: &mut Vec<Write>) -> Result<(), Invalid> {
        let Value::Object(sums) = value else {
            return Err(Invalid::new(Code::WrongType, at_path, "tallies is an object of counts by name."));
        };
        for (name, n) in sums {
            let id = (self.new_id)();
            self.put(&path::join(at_path, &id), json!({"name": name, "n": n}), writes)?;
        }
        Ok(())
    }

    fn open(&mut self, at_path: &str, value: Value, writes: &mut Vec<Write>) -> Result<(), Invalid> {
        let Value::Object(members) = value else {
            return Err(Invalid::new(Code::WrongType, at_path, format!("{at_path} must be an object.")));
        };
        members.into_iter().try_for_each(|(name, value)| self.put(&path::join(at_path, &name), value, writes))
    }

    /// A field of a newer version or of an integrator: objects by path, arrays as one value.
    fn unknown(&mut self, at_path: &str, value: Value, writes: &mut Vec<Write>) -> Result<(), Invalid> {
        match value {
            Value::Object(members) if !members.is_empty() => members
                .into_iter()
                .try_for_each(|(name, value)| self.unknown(&path::join(at_path, &name), value, writes)),
            value => self.put(at_path, value, writes),
        }
    }
}

/// Entries by id, each behind the one that it corrects: an entry names only what was there before.
fn in_order(mut entries: Map<String, Value>) -> Vec<(String, Value)> {
    let mut ordered = Vec::with_capacity(entries.len());
    loop {
        let waits = |entry: &Value| {
            entry
                .get("corrects")
                .and_then(Value::as_str)
                .is_some_and(|original| entries.contains_key(original))
        };
        let ready: Vec<String> =
            entries.iter().filter(|(_, entry)| !waits(entry)).map(|(id, _)| id.clone()).collect();
        if ready.is_empty() {
            // A circle, which admission will refuse.
            ordered.extend(entries);
            return ordered;
        }
        ordered.extend(ready.into_iter().filter_map(|id| entries.remove_entry(&id)));
        if entries.is_empty() {
            return ordered;
        }
    }
}
