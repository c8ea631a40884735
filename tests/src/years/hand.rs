//! Whoever records on one tablet, on one day.

use anyhow::Result;
use jiff::Timestamp;
use rand::{RngExt, rngs::StdRng};
use serde_json::{Map, Value};
use wayside_protocol::record::{
    Actor, Author, Authored, Flattener, Kind, Message, Record, RecordId, Rules, Write, entry_id,
};

use crate::bench::prepared::PaperTablet;

/// A change of a record, to be sent.
pub type Made = (RecordId, Authored);

pub struct Hand {
    pub rng: StdRng,
    actor: Actor,
    message: Message,
}

/// A record as it was begun.
pub struct Begun {
    pub id: RecordId,
    pub kind: Kind,
    pub writes: Vec<Write>,
    pub change: Authored,
}

impl Hand {
    /// `now` is when everything is saved, in milliseconds.
    pub fn new(mut rng: StdRng, tablet: &PaperTablet, staff: &str, now: u64) -> Hand {
        let at = Timestamp::from_second(i64::try_from(now / 1000).unwrap_or_default()).unwrap_or_default();
        let (at, by, tablet) = (at.to_string(), staff.to_owned(), tablet.id());
        Hand { actor: rng.random(), rng, message: Message { at, by, tablet, ..Message::default() } }
    }

    pub fn chance(&mut self, in_a_thousand: u32) -> bool {
        self.rng.random_range(0..1000) < in_a_thousand
    }

    /// When this hand saves, RFC 3339.
    pub fn at(&self) -> &str {
        &self.message.at
    }

    pub fn begin(&mut self, id: RecordId, kind: Kind, json: Map<String, Value>) -> Result<Begun> {
        let writes = self.writes(kind, json)?;
        let author = Author { actor: self.actor, fresh: self.rng.random(), message: &self.message };
        let (_, change) = Record::begin(id, kind, &writes, &author)?;
        Ok(Begun { id, kind, writes, change })
    }

    /// A change of these members, on what is there.
    pub fn edit(&mut self, record: Record, kind: Kind, json: Value) -> Result<Option<Made>> {
        let Value::Object(json) = json else { return Ok(None) };
        let writes = self.writes(kind, json)?;
        self.write(record, &writes)
    }

    pub fn write(&mut self, mut record: Record, writes: &[Write]) -> Result<Option<Made>> {
        let author = Author { actor: self.actor, fresh: self.rng.random(), message: &self.message };
        Ok(record.edit(None, writes, &author)?.map(|change| (record.id(), change)))
    }

    fn writes(&mut self, kind: Kind, json: Map<String, Value>) -> Result<Vec<Write>> {
        let mut new_id = || entry_id(self.rng.random());
        Ok(Flattener { kind, rules: Rules::Entry, new_id: &mut new_id }.object(json)?)
    }
}
