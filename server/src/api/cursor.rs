//! Where a page of a list ended: opaque outside. A place is that of the last row by which the list is ordered, never how
//! many were shown, so that nothing is skipped because something before it went.

use data_encoding::BASE64URL_NOPAD;
use serde::Serialize;
use serde::de::DeserializeOwned;
use wayside_protocol::error::Code;

use crate::error::{Error, Result};

/// Rows of one page where nobody says how many.
const USUAL: u64 = 50;
const MOST: u64 = 200;
/// Characters of a cursor.
const LONGEST: usize = 1024;

/// How many rows are wanted.
pub fn limit(asked: Option<u64>) -> Result<u64> {
    match asked {
        None => Ok(USUAL),
        Some(limit @ 1..=MOST) => Ok(limit),
        Some(_) => Err(Error::Said(Code::BadArguments, format!("A limit is a number from 1 to {MOST}."))),
    }
}

/// A place in a list of some kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    pub text: String,
    pub rest: Vec<u8>,
}

impl Cursor {
    /// As it is told: of which list, a text, and bytes.
    pub fn of(list: u8, text: &str, rest: &[u8]) -> String {
        let length = u16::try_from(text.len()).unwrap_or(u16::MAX);
        let text = &text.as_bytes()[..usize::from(length)];
        BASE64URL_NOPAD.encode(&[&[list], length.to_be_bytes().as_slice(), text, rest].concat())
    }

    /// [`Code::CursorInvalid`] of what this list never told.
    pub fn parse(list: u8, told: &str) -> Result<Cursor> {
        let read = || {
            let bytes = BASE64URL_NOPAD.decode(told.get(..LONGEST.min(told.len()))?.as_bytes()).ok()?;
            let bytes = bytes.strip_prefix(&[list])?;
            let (length, rest) = bytes.split_first_chunk()?;
            let (text, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
            Some(Cursor { text: String::from_utf8(text.to_vec()).ok()?, rest: rest.to_vec() })
        };
        read().ok_or(Error::Refused(Code::CursorInvalid))
    }
}

/// A place that is a tuple: what a list is ordered by.
pub fn told(list: u8, place: &impl Serialize) -> Result<String> {
    let text = serde_json::to_string(place).map_err(|_| Error::Internal("a cursor"))?;
    Ok(Cursor::of(list, &text, &[]))
}

/// The place that was told; `None` where none is asked for.
pub fn after<T: DeserializeOwned>(list: u8, told: &str) -> Result<Option<T>> {
    if told.is_empty() {
        return Ok(None);
    }
    let cursor = Cursor::parse(list, told)?;
    serde_json::from_str(&cursor.text).map(Some).map_err(|_| Error::Refused(Code::CursorInvalid))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_comes_back_and_nothing_else_is_one() {
        let told = Cursor::of(b'c', "2026-11-17T13:05:00Z", &[7; 16]);
        let back = Cursor::parse(b'c', &told).unwrap();
        assert_eq!((back.text.as_str(), back.rest.as_slice()), ("2026-11-17T13:05:00Z", [7; 16].as_slice()));
        for wrong in ["", "c", "é", "AAAA", &told[..10], &"A".repeat(4000), &format!("{told}!")] {
            assert!(Cursor::parse(b'c', wrong).is_err(), "{wrong}");
        }
        assert!(Cursor::parse(b'u', &told).is_err());
    }
}
