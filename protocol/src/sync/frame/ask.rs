//! What both sides settle beside the exchange itself: how large frames are to be, what became of frames whose
//! verdicts never arrived, what the next request may hold. From version 2.

use super::{ASK, MARK, TERMS, record};
use crate::{
    record::RecordId,
    sync::{
        fingerprint::Fingerprint,
        wire::{Malformed, Reader, Writer},
    },
};

/// A request names at most this many frames of an earlier one.
pub const MAX_SENT: usize = 1024;

/// Stands between hello and seal.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ask {
    /// Changes frames of the answer should hold about so many plain bytes, so that each lands within a second or two.
    pub frame_bytes: u64,
    /// Frames of an earlier request whose verdicts never arrived.
    pub sent: Vec<Sent>,
    /// The nonce of that request. The tablet goes by what it is told of `sent` now: should the request still turn up, it is
    /// not worked on. Nothing is said where `sent` is empty, nor by an older tablet.
    pub given_up: Option<[u8; 16]>,
    /// The tablet's teams that the hello does not name, because nothing is new of them on the tablet.
    pub rest: Option<Rest>,
    /// Changes that have not arrived yet as far as the tablet knows, those of this very request among them. Nothing is
    /// written for 0: a quiet tablet pays nothing for it.
    pub waiting: u64,
}

/// A frame that was sent, of one signed list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sent {
    pub team: RecordId,
    /// The first bytes of the list's signature.
    pub list: [u8; 16],
}

/// Several teams in one: how many, and their combined fingerprint (see [`combined`](crate::sync::combined)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rest {
    pub teams: u64,
    pub fingerprint: Fingerprint,
}

/// The server's side of it. Stands before the state.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Terms {
    /// What the server can do beyond version 1: [`capability`](crate::sync::capability).
    pub capabilities: u64,
    /// The body of the next request should not be larger than this.
    pub credit: u64,
    /// The log holds the same as what [`Ask::rest`] stands for, and no more.
    pub rest_same: bool,
    /// A stable code that staff should be shown; empty for none.
    pub notice: String,
}

/// Follows a changes frame of an answer: with it everything up to `cursor` has been sent, or was known to be held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    pub team: RecordId,
    pub epoch: [u8; 8],
    pub cursor: u64,
}

impl Ask {
    pub(super) fn write(&self, w: &mut Writer) -> u8 {
        w.varint(self.frame_bytes);
        w.varint(self.sent.len() as u64);
        for sent in &self.sent {
            w.raw(sent.team.as_bytes());
            w.raw(&sent.list);
        }
        match &self.rest {
            None => w.varint(0),
            Some(rest) => {
                w.varint(rest.teams);
                w.raw(&rest.fingerprint);
            }
        }
        if let Some(nonce) = self.given_up.filter(|_| !self.sent.is_empty()) {
            w.raw(&nonce);
        }
        // Where a nonce is due and missing, its place would be taken for it.
        if self.waiting > 0 && (self.sent.is_empty() || self.given_up.is_some()) {
            w.varint(self.waiting);
        }
        ASK
    }

    pub(super) fn read(r: &mut Reader) -> Result<Ask, Malformed> {
        let frame_bytes = r.varint()?;
        let count = r.count(32)?;
        if count > MAX_SENT {
            return Err(Malformed);
        }
        let sent = (0..count).map(|_| Ok(Sent { team: record(r)?, list: r.array()? }));
        let sent = sent.collect::<Result<Vec<_>, Malformed>>()?;
        let rest = match r.varint()? {
            0 => None,
            teams => Some(Rest { teams, fingerprint: r.array()? }),
        };
        let given_up = if sent.is_empty() || r.is_empty() { None } else { Some(r.array()?) };
        let waiting = if r.is_empty() { 0 } else { r.varint()? };
        Ok(Ask { frame_bytes, sent, given_up, rest, waiting })
    }
}

impl Terms {
    pub(super) fn write(&self, w: &mut Writer) -> u8 {
        w.varint(self.capabilities);
        w.varint(self.credit);
        w.u8(u8::from(self.rest_same));
        w.text(&self.notice);
        TERMS
    }

    pub(super) fn read(r: &mut Reader) -> Result<Terms, Malformed> {
        Ok(Terms {
            capabilities: r.varint()?,
            credit: r.varint()?,
            rest_same: r.u8()? != 0,
            notice: r.text()?,
        })
    }
}

impl Mark {
    pub(super) fn write(&self, w: &mut Writer) -> u8 {
        w.raw(self.team.as_bytes());
        w.raw(&self.epoch);
        w.varint(self.cursor);
        MARK
    }

    pub(super) fn read(r: &mut Reader) -> Result<Mark, Malformed> {
        Ok(Mark { team: record(r)?, epoch: r.array()?, cursor: r.varint()? })
    }
}
