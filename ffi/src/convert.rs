//! Text and bytes from another language, as the client core takes them.

use std::collections::HashMap;

use serde_json::Value;
use wayside_client_core::{Code, Error, Hash, Invalid, Key, RecordId};

use crate::error::Result;

/// A record's id.
pub fn id(text: &str) -> Result<RecordId> {
    Ok(text.parse::<RecordId>().map_err(Error::from)?)
}

/// JSON text; `path` says which field it was given for. The text itself is not repeated: it holds personal data.
pub fn json(text: &str, path: &str) -> Result<Value> {
    let value = serde_json::from_str(text);
    let invalid = |_| Error::from(Invalid::new(Code::BadJson, path, Code::BadJson.message()));
    Ok(value.map_err(invalid)?)
}

/// Paths with their new values, in an order that does not hang on how a language keeps its maps.
pub fn assignments(set: HashMap<String, String>) -> Result<Vec<(String, Value)>> {
    let mut set: Vec<(String, String)> = set.into_iter().collect();
    set.sort_unstable();
    set.into_iter().map(|(path, text)| json(&text, &path).map(|value| (path, value))).collect()
}

/// The heads that a screen showed.
pub fn heads(heads: Option<Vec<Vec<u8>>>) -> Result<Option<Vec<Hash>>> {
    let head = |bytes: Vec<u8>| Hash::try_from(bytes).map_err(|_| Code::HeadsUnknown.into());
    heads.map(|heads| heads.into_iter().map(head).collect()).transpose()
}

/// Heads as bytes.
pub fn heads_out(heads: Vec<Hash>) -> Vec<Vec<u8>> {
    heads.into_iter().map(|head| head.to_vec()).collect()
}

/// The key of the records.
pub fn key(bytes: Vec<u8>) -> Result<Key> {
    let bytes = bytes.try_into().map_err(|_| Code::WrongKey)?;
    Ok(Key::from_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn bad_json_names_the_field_and_not_the_text() {
        let error = json("Amina", "name/given").unwrap_err();
        assert_eq!(error.details().code, "bad_json");
        assert_eq!(error.details().path, "name/given");
        assert!(!format!("{error} {error:?}").contains("Amina"));
    }

    #[test]
    fn assignments_are_parsed_and_in_order_of_path() {
        let set = [("sex", "null"), ("name/family", "\"Kahn\""), ("satisfaction", "5")];
        let set = set.map(|(path, text)| (path.to_owned(), text.to_owned()));
        let expected = [("name/family", json!("Kahn")), ("satisfaction", json!(5)), ("sex", Value::Null)];
        let expected = expected.map(|(path, value)| (path.to_owned(), value));
        assert_eq!(assignments(HashMap::from(set)).unwrap(), expected);
    }

    #[test]
    fn heads_are_32_bytes_and_come_back_the_same() {
        assert_eq!(heads(None).unwrap(), None);
        let bytes = vec![vec![1; 32], vec![2; 32]];
        assert_eq!(heads_out(heads(Some(bytes.clone())).unwrap().unwrap()), bytes);
        assert_eq!(heads(Some(vec![vec![1; 31]])).unwrap_err().details().code, "heads_unknown");
    }

    #[test]
    fn a_key_is_32_bytes() {
        assert!(key(vec![7; 32]).is_ok());
        for wrong in [0, 16, 31, 33] {
            assert_eq!(key(vec![7; wrong]).unwrap_err().details().code, "wrong_key");
        }
    }

    #[test]
    fn an_id_that_is_none_is_an_entry_error() {
        assert_eq!(id("nonsense").unwrap_err().details().code, "bad_id");
    }
}
