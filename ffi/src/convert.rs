//! Text and bytes from another language, as the client core takes them.

use std::{collections::HashMap, str::FromStr};

use data_encoding::HEXLOWER;
use serde_json::Value;
use wayside_client_core::{Code, Error, Hash, Invalid, Key, Page, RecordId};

use crate::{error::Result, json};

/// A record's id.
pub fn id(text: &str) -> Result<RecordId> {
    Ok(text.parse::<RecordId>().map_err(Error::from)?)
}

/// A date, given as `name`.
pub fn date<T: FromStr>(text: &str, name: &str) -> Result<T> {
    let invalid = |_| Error::from(Invalid::new(Code::WrongType, name, "A date is written as 2026-11-20."));
    Ok(text.parse().map_err(invalid)?)
}

/// Paths with their new values, in an order that does not hang on how a language keeps its maps.
pub fn assignments(set: HashMap<String, String>) -> Result<Vec<(String, Value)>> {
    let mut set: Vec<(String, String)> = set.into_iter().collect();
    set.sort_unstable();
    set.into_iter().map(|(path, text)| json::parse(&text, &path).map(|value| (path, value))).collect()
}

/// The heads that a screen showed.
pub fn heads(heads: Option<String>) -> Result<Option<Vec<Hash>>> {
    let head = |hex: &str| HEXLOWER.decode(hex.as_bytes()).ok()?.try_into().ok();
    let decode = |text: String| text.split_terminator('.').map(head).collect::<Option<Vec<Hash>>>();
    heads.map(|text| decode(text).ok_or_else(|| Code::HeadsUnknown.into())).transpose()
}

/// Heads as one text, equal where they are.
pub fn heads_out(heads: &[Hash]) -> String {
    heads.iter().map(|head| HEXLOWER.encode(head)).collect::<Vec<_>>().join(".")
}

/// The key of the records.
pub fn key(bytes: Vec<u8>) -> Result<Key> {
    let bytes = bytes.try_into().map_err(|_| Code::WrongKey)?;
    Ok(Key::from_bytes(bytes))
}

/// A part of a list.
pub fn page(offset: u64, limit: Option<u64>) -> Page {
    Page { offset, limit }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn assignments_are_parsed_and_in_order_of_path() {
        let set = [("sex", "null"), ("name/family", "\"Kahn\""), ("satisfaction", "5")];
        let set = set.map(|(path, text)| (path.to_owned(), text.to_owned()));
        let expected = [("name/family", json!("Kahn")), ("satisfaction", json!(5)), ("sex", Value::Null)];
        let expected = expected.map(|(path, value)| (path.to_owned(), value));
        assert_eq!(assignments(HashMap::from(set)).unwrap(), expected);
    }

    #[test]
    fn heads_come_back_the_same() {
        assert_eq!(heads(None).unwrap(), None);
        for hashes in [vec![], vec![[1; 32]], vec![[1; 32], [2; 32]]] {
            assert_eq!(heads(Some(heads_out(&hashes))).unwrap(), Some(hashes));
        }
        for wrong in ["nonsense", "00", "."] {
            assert_eq!(heads(Some(wrong.into())).unwrap_err().details().code, "heads_unknown", "{wrong}");
        }
    }

    #[test]
    fn a_key_is_32_bytes() {
        assert!(key(vec![7; 32]).is_ok());
        for wrong in [0, 16, 31, 33] {
            assert_eq!(key(vec![7; wrong]).unwrap_err().details().code, "wrong_key");
        }
    }

    #[test]
    fn an_id_or_a_date_that_is_none_is_an_entry_error() {
        assert_eq!(id("nonsense").unwrap_err().details().code, "bad_id");
        let details = date::<u8>("20/11", "on").unwrap_err().details();
        assert_eq!((details.code.as_str(), details.path.as_str()), ("wrong_type", "on"));
    }
}
