//! Where a page of a list ended: opaque outside. A place is that of the last row by which the list is ordered, never how
//! many were shown, so that nothing is skipped because something before it went.

use data_encoding::BASE64URL_NOPAD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
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

/// What is asked of a list that comes a page at a time, as in the address.
#[derive(Debug, Default, Deserialize)]
pub struct Paging {
    #[serde(default)]
    pub after: String,
    pub limit: Option<u64>,
}

/// A page of a list that is small enough to be read whole: what comes after a place, in the order of places, and the
/// place to ask from next, if more comes. A row whose place changes meanwhile may come twice or not at all; no other does.
pub fn page<T, P: Ord + Serialize + DeserializeOwned>(
    list: u8,
    paging: &Paging,
    mut rows: Vec<T>,
    place: impl Fn(&T) -> P,
) -> Result<(Vec<T>, Option<String>)> {
    let limit = usize::try_from(limit(paging.limit)?).unwrap_or(usize::MAX);
    if let Some(after) = after::<P>(list, &paging.after)? {
        rows.retain(|row| place(row) > after);
    }
    rows.sort_by_cached_key(&place);
    let more = rows.len() > limit;
    rows.truncate(limit);
    let next = rows.last().filter(|_| more).map(|last| told(list, &place(last))).transpose()?;
    Ok((rows, next))
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

    #[test]
    fn pages_of_a_list_neither_skip_nor_repeat_what_stays() {
        let list = |rows: &[u32], after: &str| {
            let paging = Paging { after: after.to_owned(), limit: Some(2) };
            page(b'x', &paging, rows.to_vec(), |row| *row).unwrap()
        };
        let (first, next) = list(&[5, 1, 4, 2, 3], "");
        assert_eq!(first, [1, 2]);
        // The last row seen goes, and one comes before it.
        let (second, next) = list(&[5, 0, 1, 4, 3], &next.unwrap());
        assert_eq!(second, [3, 4]);
        let (third, next) = list(&[5, 0, 1, 4, 3], &next.unwrap());
        assert_eq!((third, next), (vec![5], None));
        assert_eq!(list(&[], ""), (vec![], None));
        assert!(
            page(b'y', &Paging { after: told(b'x', &1).unwrap(), limit: None }, vec![1], |row| *row).is_err()
        );
        assert!(page(b'x', &Paging { after: String::new(), limit: Some(0) }, vec![1], |row| *row).is_err());
    }
}
