//! What both sides say when they may not hold the same: the question of what differs, what is wanted, and the
//! receipt that says how a sync ended. From version 2, between hello and seal, or before the state.

use super::{RECEIPT, RECONCILE, WANT, record};
use crate::{
    record::RecordId,
    sync::{
        receipt::{Position, Receipt},
        reconcile::Brief,
        wire::{Malformed, Reader, Writer},
    },
};

/// A wish names at most this many changes. Who lacks more pulls the log from its beginning.
pub const MAX_WANTED: usize = 16 << 10;
/// And a receipt this many teams.
pub const MAX_POSITIONS: usize = 256;

/// A turn of a comparison of one team's changes (see [`reconcile`](crate::sync::reconcile)).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reconcile {
    pub team: RecordId,
    /// The log's epoch; a turn of another one is not answered.
    pub epoch: [u8; 8],
    /// The comparison is with the log up to here. 0 in the first question: the server chooses, and answers with it.
    pub head: u64,
    pub message: Vec<u8>,
}

/// Changes that a comparison found to be missing on the tablet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Want {
    pub team: RecordId,
    pub epoch: [u8; 8],
    /// As in the comparison.
    pub head: u64,
    pub briefs: Vec<Brief>,
}

impl Reconcile {
    pub(super) fn write(&self, w: &mut Writer) -> u8 {
        w.raw(self.team.as_bytes());
        w.raw(&self.epoch);
        w.varint(self.head);
        w.bytes(&self.message);
        RECONCILE
    }

    pub(super) fn read(r: &mut Reader) -> Result<Reconcile, Malformed> {
        let (team, epoch, head) = (record(r)?, r.array()?, r.varint()?);
        Ok(Reconcile { team, epoch, head, message: r.bytes()?.to_vec() })
    }
}

impl Want {
    pub(super) fn write(&self, w: &mut Writer) -> u8 {
        w.raw(self.team.as_bytes());
        w.raw(&self.epoch);
        w.varint(self.head);
        w.varint(self.briefs.len() as u64);
        self.briefs.iter().for_each(|brief| w.raw(brief));
        WANT
    }

    pub(super) fn read(r: &mut Reader) -> Result<Want, Malformed> {
        let (team, epoch, head) = (record(r)?, r.array()?, r.varint()?);
        let count = r.count(8)?;
        if count > MAX_WANTED {
            return Err(Malformed);
        }
        let briefs = (0..count).map(|_| r.array()).collect::<Result<_, _>>()?;
        Ok(Want { team, epoch, head, briefs })
    }
}

impl Receipt {
    pub(in crate::sync) fn write(&self, w: &mut Writer) -> u8 {
        w.raw(&self.token);
        w.varint(self.positions.len() as u64);
        for position in &self.positions {
            w.raw(position.team.as_bytes());
            w.raw(&position.epoch);
            w.varint(position.seq);
            w.raw(&position.fingerprint);
            w.varint(position.watermark);
        }
        w.raw(&self.signature);
        RECEIPT
    }

    pub(in crate::sync) fn read(r: &mut Reader) -> Result<Receipt, Malformed> {
        let token = r.array()?;
        let count = r.count(42)?;
        if count > MAX_POSITIONS {
            return Err(Malformed);
        }
        let positions = (0..count).map(|_| {
            Ok(Position {
                team: record(r)?,
                epoch: r.array()?,
                seq: r.varint()?,
                fingerprint: r.array()?,
                watermark: r.varint()?,
            })
        });
        let positions = positions.collect::<Result<_, Malformed>>()?;
        Ok(Receipt { token, positions, signature: r.array()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sync::{Frame, frame::decode};

    #[test]
    fn frames_survive_and_a_cut_or_endless_one_is_refused() {
        let team = RecordId::from_bytes([5; 16]);
        let position = Position { team, epoch: [1; 8], seq: 300, fingerprint: [4; 16], watermark: 7 };
        let frames = [
            Frame::Reconcile(Reconcile { team, epoch: [1; 8], head: 900, message: vec![0x61; 300] }),
            Frame::Want(Want { team, epoch: [1; 8], head: 900, briefs: vec![[3; 8], [4; 8]] }),
            Frame::Receipt(Receipt { token: [2; 8], positions: vec![position; 2], signature: [9; 64] }),
            Frame::Token([2; 8]),
        ];
        for frame in frames {
            let mut body = Vec::new();
            frame.encode(&mut body);
            for end in 1..body.len() {
                assert_eq!(decode(&body[..end]), Err(Malformed), "{end} of {frame:?}");
            }
            assert_eq!(decode(&body), Ok(vec![frame]));
        }
        for (ty, fixed, count) in [(WANT, 25, 1 << 20), (RECEIPT, 8, 1 << 20)] {
            let mut payload = Writer(vec![0; fixed]);
            payload.varint(count);
            payload.raw(&[0; 100]);
            let mut body = Writer::default();
            body.raw(&[ty, 0]);
            body.bytes(&payload.0);
            assert_eq!(decode(&body.0), Err(Malformed), "{ty}");
        }
    }
}
