//! What became of each change offered.

use super::{VERDICTS, record};
use crate::{
    record::RecordId,
    sync::wire::{Malformed, Reader, Writer},
};

/// One verdict for each change offered in one frame, in its order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdicts {
    pub team: RecordId,
    /// Which of the request's change frames, counted from 0.
    pub frame: u64,
    pub verdicts: Vec<Verdict>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// In the log under this number, durable.
    Accepted { seq: u64 },
    /// Was in the log already.
    Known { seq: u64 },
    /// Kept whole with a reason (a stable code), not part of the record.
    Quarantined { code: String },
    /// Kept until what it depends on arrives.
    Waiting,
    /// Of a record that was erased: not kept.
    Erased,
}

impl Verdicts {
    pub(super) fn write(&self, w: &mut Writer) -> u8 {
        w.raw(self.team.as_bytes());
        w.varint(self.frame);
        w.varint(self.verdicts.len() as u64);
        // Numbers of one batch mostly follow each other: the step from the one before.
        let mut last = 0u64;
        for verdict in &self.verdicts {
            match verdict {
                Verdict::Accepted { seq } | Verdict::Known { seq } => {
                    w.u8(if matches!(verdict, Verdict::Accepted { .. }) { 0 } else { 1 });
                    w.varint(seq.wrapping_sub(last));
                    last = *seq;
                }
                Verdict::Quarantined { code } => {
                    w.u8(2);
                    w.text(code);
                }
                Verdict::Waiting => w.u8(3),
                Verdict::Erased => w.u8(4),
            }
        }
        VERDICTS
    }

    pub(super) fn read(r: &mut Reader) -> Result<Verdicts, Malformed> {
        let team = record(r)?;
        let frame = r.varint()?;
        let mut last = 0u64;
        let verdicts = (0..r.count(1)?).map(|_| {
            let kind = r.u8()?;
            Ok(match kind {
                0 | 1 => {
                    last = last.wrapping_add(r.varint()?);
                    if kind == 0 { Verdict::Accepted { seq: last } } else { Verdict::Known { seq: last } }
                }
                2 => Verdict::Quarantined { code: r.text()? },
                3 => Verdict::Waiting,
                4 => Verdict::Erased,
                _ => return Err(Malformed),
            })
        });
        Ok(Verdicts { team, frame, verdicts: verdicts.collect::<Result<_, _>>()? })
    }
}
