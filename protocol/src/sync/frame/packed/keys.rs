//! Which keys the changes set, in which order.

use std::collections::HashMap;

use super::streams::{Sources, Streams};
use crate::{
    record::{chunk::Scalar, entry_bytes, entry_id},
    sync::wire::Malformed,
};

/// Stands at the end of a key in the table whose last segment is an entry's id.
pub(super) const ENTRY: char = '\u{1}';

/// The keys met so far, and which of them came after which the last time: most often it does again.
///
/// Place 0 is the end of one change and the beginning of the next.
pub(super) struct Keys {
    pub texts: Vec<String>,
    places: HashMap<String, usize>,
    next: Vec<usize>,
    last: usize,
}

impl Default for Keys {
    fn default() -> Keys {
        Keys { texts: vec![String::new()], places: HashMap::new(), next: vec![0], last: 0 }
    }
}

impl Keys {
    /// Writes one key; its place in the table.
    pub fn write(&mut self, key: &str, value: &Scalar, out: &mut Streams) -> usize {
        let entry = match (key.rsplit_once('/'), value) {
            (Some((map, id)), Scalar::Bytes(_)) => entry_bytes(id).map(|id| (format!("{map}/{ENTRY}"), id)),
            _ => None,
        };
        let text = entry.as_ref().map_or(key, |(text, _)| text);
        let place = match self.places.get(text) {
            Some(place) => *place,
            None => {
                self.add(text);
                out.text(text);
                self.texts.len() - 1
            }
        };
        self.step(place, out);
        if let Some((_, id)) = entry {
            out.random.raw(&id);
        }
        place
    }

    pub fn end(&mut self, out: &mut Streams) {
        self.step(0, out);
    }

    fn step(&mut self, place: usize, out: &mut Streams) {
        if self.next.get(self.last) == Some(&place) {
            out.codes.u8(0);
        } else {
            out.codes.varint(place as u64 + 1);
        }
        self.follow(place);
    }

    fn follow(&mut self, place: usize) {
        if let Some(next) = self.next.get_mut(self.last) {
            *next = place;
        }
        self.last = place;
    }

    fn add(&mut self, text: &str) {
        self.places.insert(text.to_owned(), self.texts.len());
        self.texts.push(text.to_owned());
        self.next.push(0);
    }

    /// The next key and its place; `None` at the end of the change.
    pub fn read(&mut self, src: &mut Sources) -> Result<Option<(usize, String)>, Malformed> {
        let place = match src.codes.varint()? {
            0 => self.next.get(self.last).copied().ok_or(Malformed)?,
            code => usize::try_from(code - 1).map_err(|_| Malformed)?,
        };
        if place == self.texts.len() {
            let text = src.text()?;
            self.add(text);
        }
        if place >= self.texts.len() {
            return Err(Malformed);
        }
        self.follow(place);
        if place == 0 {
            return Ok(None);
        }
        let text = self.texts.get(place).ok_or(Malformed)?;
        // What an operation takes beside its key: a few bytes in each column.
        src.spend(text.len() + 16)?;
        let key = match text.strip_suffix(ENTRY) {
            Some(map) => format!("{map}{}", entry_id(src.random.array()?)),
            None => text.clone(),
        };
        Ok(Some((place, key)))
    }
}
