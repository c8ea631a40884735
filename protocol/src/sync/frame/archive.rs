//! Records that leave the tablets and come back: the log's entries about them, and the question for one that is
//! archived. To and from a side with [`capability::ARCHIVE`](crate::sync::capability::ARCHIVE).

use super::{ENTRIES, FOUND, LOOK_UP, record};
use crate::{
    record::RecordId,
    sync::wire::{Malformed, Reader, Writer},
};

/// A frame holds at most this many entries.
pub const MAX_ENTRIES: usize = 4096;
/// A fetch names at most this many records.
pub const MAX_FETCH: usize = 64;
/// An answer shows at most this many records.
pub const MAX_FOUND: usize = 20;
/// The longest reason, in characters; the shortest has one that is not white space.
pub const MAX_REASON: usize = 500;
/// The longest query, and the longest name of a member of staff, in characters.
pub const MAX_QUERY: usize = 200;

/// What happened to a record in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum What {
    /// It leaves the tablets; the server keeps it.
    Archive = 1,
    /// It comes back.
    Activate = 2,
    /// It is gone everywhere.
    Erase = 3,
}

impl What {
    pub fn parse(byte: u8) -> Option<What> {
        [What::Archive, What::Activate, What::Erase].into_iter().find(|what| *what as u8 == byte)
    }
}

/// Entries of a team's log. Those with numbers beyond the tablet's cursor stand among the changes frames in the order of
/// the log; one with a number at or below it says again what the tablet has missed.
///
/// What an activate names follows it whole, under old numbers, before the next mark of its team.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entries {
    pub team: RecordId,
    pub epoch: [u8; 8],
    /// In ascending order of their numbers.
    pub entries: Vec<Entry>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    pub what: What,
    pub record: RecordId,
    /// Its number in the log, from the same sequence as those of changes.
    pub seq: u64,
}

/// Asks for archived records. Stands in the head of a request that has no changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LookUp {
    pub team: RecordId,
    /// Who asks, as changes name them.
    pub staff: String,
    /// Why. It is kept; so nobody's name or number belongs in it.
    pub reason: String,
    pub wish: Wish,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wish {
    /// Archived persons with all of these words.
    Search { query: String },
    /// These persons with their contacts and sessions: they are active again, and come with this answer.
    Fetch { records: Vec<RecordId> },
}

/// The answer to a look up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub team: RecordId,
    pub records: Vec<(RecordId, String)>,
    /// There are others beside these: say more of whom you mean.
    pub more: bool,
}

impl Entries {
    pub(super) fn write(&self, w: &mut Writer) -> u8 {
        w.raw(self.team.as_bytes());
        w.raw(&self.epoch);
        w.varint(self.entries.len() as u64);
        for entry in &self.entries {
            w.u8(entry.what as u8);
            w.raw(entry.record.as_bytes());
            w.varint(entry.seq);
        }
        ENTRIES
    }

    pub(super) fn read(r: &mut Reader) -> Result<Entries, Malformed> {
        let (team, epoch, count) = (record(r)?, r.array()?, r.count(18)?);
        if count > MAX_ENTRIES {
            return Err(Malformed);
        }
        let mut entries: Vec<Entry> = Vec::with_capacity(count);
        for _ in 0..count {
            let what = What::parse(r.u8()?).ok_or(Malformed)?;
            let (record, seq) = (record(r)?, r.varint()?);
            if seq <= entries.last().map_or(0, |last| last.seq) {
                return Err(Malformed);
            }
            entries.push(Entry { what, record, seq });
        }
        Ok(Entries { team, epoch, entries })
    }
}

impl LookUp {
    pub(super) fn write(&self, w: &mut Writer) -> u8 {
        w.raw(self.team.as_bytes());
        w.text(&self.staff);
        w.text(&self.reason);
        match &self.wish {
            Wish::Search { query } => {
                w.u8(0);
                w.text(query);
            }
            Wish::Fetch { records } => {
                w.u8(1);
                w.varint(records.len() as u64);
                records.iter().for_each(|record| w.raw(record.as_bytes()));
            }
        }
        LOOK_UP
    }

    pub(super) fn read(r: &mut Reader) -> Result<LookUp, Malformed> {
        let team = record(r)?;
        let (staff, reason) = (said(r, MAX_QUERY)?, said(r, MAX_REASON)?);
        let wish = match r.u8()? {
            0 => Wish::Search { query: said(r, MAX_QUERY)? },
            1 => {
                let count = r.count(16)?;
                if count > MAX_FETCH {
                    return Err(Malformed);
                }
                Wish::Fetch { records: (0..count).map(|_| record(r)).collect::<Result<_, _>>()? }
            }
            _ => return Err(Malformed),
        };
        Ok(LookUp { team, staff, reason, wish })
    }
}

impl Found {
    pub(super) fn write(&self, w: &mut Writer) -> u8 {
        w.raw(self.team.as_bytes());
        w.varint(self.records.len() as u64);
        for (record, summary) in &self.records {
            w.raw(record.as_bytes());
            w.text(summary);
        }
        w.u8(u8::from(self.more));
        FOUND
    }

    pub(super) fn read(r: &mut Reader) -> Result<Found, Malformed> {
        let (team, count) = (record(r)?, r.count(17)?);
        if count > MAX_FETCH {
            return Err(Malformed);
        }
        let records = (0..count).map(|_| Ok((record(r)?, r.text()?))).collect::<Result<_, Malformed>>()?;
        Ok(Found { team, records, more: r.u8()? != 0 })
    }
}

/// A text that says something, and is no longer than this.
fn said(r: &mut Reader, most: usize) -> Result<String, Malformed> {
    let text = r.text()?;
    if text.trim().is_empty() || text.chars().count() > most { Err(Malformed) } else { Ok(text) }
}

#[cfg(test)]
mod tests {
    use super::super::{Frame, decode};
    use super::*;

    const ID: RecordId = RecordId::from_bytes([5; 16]);

    fn entry(seq: u64) -> Entry {
        Entry { what: What::Archive, record: ID, seq }
    }

    fn entries(entries: Vec<Entry>) -> Frame {
        Frame::Entries(Entries { team: ID, epoch: [1; 8], entries })
    }

    fn look_up(reason: &str, wish: Wish) -> Frame {
        Frame::LookUp(LookUp { team: ID, staff: "nurse-01".into(), reason: reason.into(), wish })
    }

    fn round(frame: &Frame) -> Result<Vec<Frame>, Malformed> {
        let mut body = Vec::new();
        frame.encode(&mut body);
        decode(&body)
    }

    #[test]
    fn frames_survive_and_a_cut_one_is_refused() {
        let search = Wish::Search { query: "khan 1968".into() };
        let frames = [
            entries(vec![entry(3), Entry { what: What::Erase, ..entry(4) }, entry(900)]),
            entries(vec![]),
            look_up("She came back", search),
            look_up("She came back", Wish::Fetch { records: vec![ID; MAX_FETCH] }),
            Frame::Found(Found { team: ID, records: vec![(ID, "{}".into())], more: true }),
        ];
        for frame in frames {
            let mut body = Vec::new();
            frame.encode(&mut body);
            for end in 1..body.len() {
                assert_eq!(decode(&body[..end]), Err(Malformed), "{end} of {frame:?}");
            }
            assert_eq!(decode(&body), Ok(vec![frame]));
        }
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let search = |query: &str| Wish::Search { query: query.into() };
        for frame in [
            entries(vec![entry(3), entry(3)]),
            entries(vec![entry(0)]),
            entries((1..=MAX_ENTRIES as u64 + 1).map(entry).collect()),
            look_up("", search("khan")),
            look_up(" \n", search("khan")),
            look_up(&"é".repeat(MAX_REASON + 1), search("khan")),
            look_up("She came back", search(" ")),
            look_up("She came back", search(&"x".repeat(MAX_QUERY + 1))),
            look_up("She came back", Wish::Fetch { records: vec![ID; MAX_FETCH + 1] }),
            Frame::Found(Found { team: ID, records: vec![(ID, String::new()); MAX_FETCH + 1], more: false }),
        ] {
            assert_eq!(round(&frame), Err(Malformed), "{frame:?}");
        }
        assert!(round(&look_up(&"é".repeat(MAX_REASON), search("khan"))).is_ok());
        // A kind of entry that is not known here.
        let mut body = Vec::new();
        entries(vec![entry(3)]).encode(&mut body);
        let at = 3 + 16 + 8 + 1;
        for unknown in [0, 4] {
            body[at] = unknown;
            assert_eq!(decode(&body), Err(Malformed));
        }
        body[at] = 2;
        assert!(decode(&body).is_ok());
    }
}
