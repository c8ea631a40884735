//! Records between JSON, as the client core takes and gives them, and typed structs.
//!
//! A struct says what this version knows of a record. What it does not know stays in the record: a struct that is saved
//! names the fields to set, and never the whole.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::DeserializeOwned};
use serde_json::{Map, Value, json};
use wayside_client_core::{Code, Error, Invalid};

use crate::error::Result;

/// JSON text; `path` says which field it was given for. The text itself is not repeated: it holds personal data.
pub fn parse(text: &str, path: &str) -> Result<Value> {
    Ok(serde_json::from_str(text).map_err(|_| bad(path))?)
}

fn bad(path: &str) -> Error {
    Invalid::new(Code::BadJson, path, Code::BadJson.message()).into()
}

/// A struct from its JSON. A field that a newer version made into something else is left out alone.
pub fn read<T: DeserializeOwned + Default>(value: Value) -> T {
    if let Ok(whole) = T::deserialize(&value) {
        return whole;
    }
    let Value::Object(fields) = value else { return T::default() };
    let is_known = |(name, value): &(String, Value)| T::deserialize(json!({name: value})).is_ok();
    let known: Map<String, Value> = fields.into_iter().filter(is_known).collect();
    T::deserialize(Value::Object(known)).unwrap_or_default()
}

/// What a struct says, as the client core takes it: what is not set is left out, and so are entries that were read from
/// a record and are in it already.
pub fn said(fields: &impl Serialize) -> Result<Value> {
    // The one thing that can fail is text that stands for JSON.
    let value = serde_json::to_value(fields).map_err(|_| bad("ext"))?;
    Ok(without_unset(value).unwrap_or_else(|| json!({})))
}

fn without_unset(value: Value) -> Option<Value> {
    match value {
        Value::Null => None,
        Value::Array(items) => {
            let new = items.into_iter().filter(|item| item.get("id").is_none_or(Value::is_null));
            let items: Vec<Value> = new.filter_map(without_unset).collect();
            (!items.is_empty()).then_some(Value::Array(items))
        }
        Value::Object(members) => {
            let members: Map<String, Value> =
                members.into_iter().filter_map(|(name, value)| Some((name, without_unset(value)?))).collect();
            (!members.is_empty()).then_some(Value::Object(members))
        }
        value => Some(value),
    }
}

/// What the client core gives, as JSON text.
pub fn out(value: &impl Serialize) -> String {
    serde_json::to_value(value).unwrap_or_default().to_string()
}

/// A group of fields, each of which may be one that this version does not know.
pub fn group<'de, D: Deserializer<'de>, T: DeserializeOwned + Default>(from: D) -> Result<T, D::Error> {
    Ok(read(Value::deserialize(from)?))
}

/// Entries by id as a list, in the order of their times.
pub fn entries<'de, D: Deserializer<'de>, T: DeserializeOwned + Default>(
    from: D,
) -> Result<Vec<T>, D::Error> {
    let Value::Object(entries) = Value::deserialize(from)? else { return Ok(Vec::new()) };
    let mut entries: Vec<(String, Value)> = entries
        .into_iter()
        .filter_map(|(id, mut entry)| {
            entry.as_object_mut()?.insert("id".to_owned(), Value::String(id));
            Some((time(&entry), entry))
        })
        .collect();
    // Stable: entries without a time stay in the order of their ids.
    entries.sort_by(|(a, _), (b, _)| a.cmp(b));
    Ok(entries.into_iter().map(|(_, entry)| read(entry)).collect())
}

fn time(entry: &Value) -> String {
    let names = ["taken_at", "at", "made_at", "given_at", "asked_at", "due_on"];
    names.into_iter().find_map(|name| entry[name].as_str()).unwrap_or_default().to_owned()
}

/// A field that may hold any JSON, as text: text stays as it is, everything else is JSON text.
pub fn text<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    Ok(shown(Value::deserialize(from)?))
}

/// Lines, which a record may also hold as one text.
pub fn lines<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    Ok(match Value::deserialize(from)? {
        Value::Array(lines) => lines.into_iter().filter_map(shown).collect(),
        value => shown(value).iter().flat_map(|text| text.lines()).map(str::to_owned).collect(),
    })
}

/// As `text`; null is `None`.
pub fn shown(value: Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text),
        value => Some(value.to_string()),
    }
}

/// A field of JSON, as JSON text.
pub mod raw {
    use super::*;

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
        let value = Value::deserialize(from)?;
        Ok((!value.is_null()).then(|| value.to_string()))
    }

    pub fn serialize<S: Serializer>(text: &Option<String>, to: S) -> Result<S::Ok, S::Error> {
        let value = text.as_deref().map(serde_json::from_str::<Value>).transpose();
        value.map_err(|_| serde::ser::Error::custom("not JSON"))?.serialize(to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Contact, Person, Reading};

    #[test]
    fn bad_json_names_the_field_and_not_the_text() {
        let error = parse("Amina", "name/given").unwrap_err();
        assert_eq!(error.details().code, "bad_json");
        assert_eq!(error.details().path, "name/given");
        assert!(!format!("{error} {error:?}").contains("Amina"));
        let person = Person { ext: Some("Amina".into()), ..Person::default() };
        let error = said(&person).unwrap_err();
        assert_eq!((error.details().code.as_str(), error.details().path.as_str()), ("bad_json", "ext"));
        assert!(!format!("{error} {error:?}").contains("Amina"));
    }

    #[test]
    fn what_is_not_set_is_not_said() {
        assert_eq!(said(&Person::default()).unwrap(), json!({}));
        let mut person = Person { phone: Some("07700 900123".into()), ..Person::default() };
        person.name.given = Some("Amina".into());
        person.ext = Some(r#"{"ward": {"code": 7}}"#.into());
        let expected =
            json!({"name": {"given": "Amina"}, "phone": "07700 900123", "ext": {"ward": {"code": 7}}});
        assert_eq!(said(&person).unwrap(), expected);
    }

    #[test]
    fn entries_are_a_list_by_time_and_are_not_said_again() {
        let shown = json!({"bp": {"readings": {
            "zzzzzzzz": {"taken_at": "2026-11-20T13:01:00Z", "systolic": 150, "diastolic": 90},
            "aaaaaaaa": {"taken_at": "2026-11-20T13:02:00Z", "systolic": 140, "diastolic": 85, "colour": "red"},
        }}, "pregnant": false, "ext": {"queue": 3}});
        let mut contact: Contact = read(shown);
        let ids: Vec<_> = contact.bp.readings.iter().map(|reading| reading.id.clone().unwrap()).collect();
        assert_eq!(ids, ["zzzzzzzz", "aaaaaaaa"]);
        assert_eq!(contact.ext.as_deref(), Some(r#"{"queue":3}"#));
        contact.bp.readings.push(Reading {
            taken_at: "2026-11-20T13:03:00Z".into(),
            systolic: 135,
            diastolic: 80,
            ..Reading::default()
        });
        let new = json!({"taken_at": "2026-11-20T13:03:00Z", "systolic": 135, "diastolic": 80});
        let expected = json!({"bp": {"readings": [new]}, "pregnant": false, "ext": {"queue": 3}});
        assert_eq!(said(&contact).unwrap(), expected);
    }

    #[test]
    fn what_a_newer_version_made_of_a_field_hides_no_other() {
        let person: Person = read(
            json!({"phone": {"home": "1"}, "sex": "female", "name": {"given": ["A"], "family": "Khan"}}),
        );
        assert_eq!((person.phone, person.sex.as_deref()), (None, Some("female")));
        assert_eq!((person.name.given, person.name.family.as_deref()), (None, Some("Khan")));
    }
}
