//! Record ids: of a UUIDv7 only what is random, and the step of its time.

use std::collections::HashMap;

use super::streams::{Sources, Streams, unzigzag, zigzag};
use crate::{record::RecordId, sync::wire::Malformed};

#[derive(Debug, Clone, Copy)]
pub(super) enum Form {
    /// A UUIDv7: the step of its time in milliseconds from the one before, and 74 random bits.
    Timed {
        step: i64,
        id: RecordId,
    },
    Other(RecordId),
    /// The same as so many places before.
    Back(usize),
}

#[derive(Default)]
pub(super) struct Ids {
    first: HashMap<RecordId, usize>,
    last_ms: i64,
}

impl Ids {
    /// How to write the id at `row`, given those before it.
    pub fn form(&mut self, id: RecordId, row: usize) -> Form {
        if let Some(first) = self.first.get(&id) {
            return Form::Back(row - first);
        }
        self.first.insert(id, row);
        self.fresh(id)
    }

    /// The same for an id that has no place.
    pub fn fresh(&mut self, id: RecordId) -> Form {
        let bytes = id.as_bytes();
        if bytes[6] >> 4 != 7 || bytes[8] >> 6 != 0b10 {
            return Form::Other(id);
        }
        let ms = bytes[..6].iter().fold(0, |ms, byte| ms << 8 | i64::from(*byte));
        let step = ms - self.last_ms;
        self.last_ms = ms;
        Form::Timed { step, id }
    }

    /// The id of the item at `row`, or one that stands there; `records` are the items' own, as far as they are known.
    pub fn read(
        &mut self,
        code: u8,
        row: usize,
        records: &[RecordId],
        src: &mut Sources,
    ) -> Result<RecordId, Malformed> {
        match code {
            0 => {
                let number = src.numbers.varint()?;
                let ms = self.last_ms.checked_add(unzigzag(number >> 2)).ok_or(Malformed)?;
                let [0, 0, time @ ..] = ms.to_be_bytes() else { return Err(Malformed) };
                self.last_ms = ms;
                let random: [u8; 9] = src.random.array()?;
                let mut bytes = [0; 16];
                bytes[..6].copy_from_slice(&time);
                bytes[6] = 0x70 | (number as u8 & 3) << 2 | random[0] >> 6;
                bytes[7] = random[1];
                bytes[8] = 0x80 | random[0] & 0x3f;
                bytes[9..].copy_from_slice(&random[2..]);
                Ok(RecordId::from_bytes(bytes))
            }
            1 => Ok(RecordId::from_bytes(src.random.array()?)),
            _ => {
                let at = row.checked_sub(src.index()?).ok_or(Malformed)?;
                records.get(at).copied().ok_or(Malformed)
            }
        }
    }
}

impl Form {
    pub fn code(&self) -> u8 {
        match self {
            Form::Timed { .. } => 0,
            Form::Other(_) => 1,
            Form::Back(_) => 2,
        }
    }

    pub fn write(&self, out: &mut Streams) {
        match self {
            Form::Timed { step, id } => {
                // 74 random bits: nine bytes, and two bits beside the step, which is short.
                let bytes = id.as_bytes();
                out.numbers.varint(zigzag(*step) << 2 | u64::from(bytes[6] >> 2 & 3));
                out.random.u8(bytes[6] << 6 | bytes[8] & 0x3f);
                out.random.u8(bytes[7]);
                out.random.raw(&bytes[9..]);
            }
            Form::Other(id) => out.random.raw(id.as_bytes()),
            Form::Back(back) => out.numbers.varint(*back as u64),
        }
    }
}
