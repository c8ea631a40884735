//! Who asks, and what they hold.

use super::{HELLO, MAX_HELD, TeamState, record};
use crate::{
    record::RecordId,
    sync::{
        fingerprint::Fingerprint,
        signing::PublicKey,
        wire::{Malformed, Reader, Writer},
    },
};

/// Who asks, and what they hold. First in a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hello {
    pub version: u8,
    /// Bits for what this side can do beyond version 1, see [`capability`](crate::sync::capability).
    pub capabilities: u64,
    pub tablet: PublicKey,
    pub nonce: [u8; 16],
    /// The server's time as the tablet estimates it, milliseconds since 1970.
    pub time_ms: u64,
    pub teams: Vec<Place>,
}

/// A tablet's place in a team's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub team: RecordId,
    /// The log's epoch; zeros before the first sync.
    pub epoch: [u8; 8],
    /// The last sequence number up to which everything is held.
    pub cursor: u64,
    pub fingerprint: Fingerprint,
    /// Sequence numbers held beyond the cursor, as inclusive ranges, ascending: the tablet's own changes.
    pub held: Vec<(u64, u64)>,
}

impl Place {
    /// Whether a log up to `head` is held here without a gap, and nothing beyond it.
    pub fn holds(&self, head: u64) -> bool {
        let mut held = self.held.iter();
        let end = held.try_fold(self.cursor, |end, (from, to)| (*from == end + 1).then_some(*to));
        end == Some(head)
    }

    /// What base says of it where nothing is new.
    pub fn unmoved(&self) -> TeamState {
        let Place { team, epoch, cursor, fingerprint, .. } = *self;
        TeamState { team, epoch, cursor, fingerprint, more: false }
    }
}

impl Hello {
    pub(super) fn write(&self, w: &mut Writer) -> u8 {
        w.u8(self.version);
        w.varint(self.capabilities);
        w.raw(&self.tablet);
        w.raw(&self.nonce);
        w.varint(self.time_ms);
        w.varint(self.teams.len() as u64);
        for place in &self.teams {
            w.raw(place.team.as_bytes());
            w.raw(&place.epoch);
            w.varint(place.cursor);
            w.raw(&place.fingerprint);
            w.varint(place.held.len() as u64);
            for (from, to) in &place.held {
                w.varint(*from);
                w.varint(to - from);
            }
        }
        HELLO
    }

    pub(super) fn read(r: &mut Reader) -> Result<Hello, Malformed> {
        let version = r.u8()?;
        let capabilities = r.varint()?;
        let tablet = r.array()?;
        let nonce = r.array()?;
        let time_ms = r.varint()?;
        let teams = (0..r.count(42)?).map(|_| {
            let (team, epoch, cursor, fingerprint) = (record(r)?, r.array()?, r.varint()?, r.array()?);
            let ranges = r.count(2)?;
            let mut held = Vec::new();
            let mut after = cursor;
            for _ in 0..ranges {
                let from = r.varint()?;
                let to = from.checked_add(r.varint()?).ok_or(Malformed)?;
                if from <= after || held.len() >= MAX_HELD {
                    return Err(Malformed);
                }
                after = to;
                held.push((from, to));
            }
            Ok(Place { team, epoch, cursor, fingerprint, held })
        });
        let teams = teams.collect::<Result<_, _>>()?;
        Ok(Hello { version, capabilities, tablet, nonce, time_ms, teams })
    }
}
