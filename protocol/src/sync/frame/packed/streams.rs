//! The four streams of a grouped frame, and the limits on what they may grow to.

use crate::sync::wire::{Malformed, Reader, Writer};

/// Written side by side, joined at the end.
#[derive(Default)]
pub(super) struct Streams {
    /// One byte each: kinds of things, keys, members of tables.
    pub codes: Writer,
    /// Varints.
    pub numbers: Writer,
    /// UTF-8, each ended by a zero byte.
    pub texts: Writer,
    /// What cannot be guessed: ids, signatures, hashes.
    pub random: Writer,
}

impl Streams {
    /// A signed number, small ones of either sign in few bytes.
    pub fn signed(&mut self, value: i64) {
        self.numbers.varint(zigzag(value));
    }

    pub fn text(&mut self, text: &str) {
        self.texts.raw(text.as_bytes());
        self.texts.u8(0);
    }

    /// The payload, and the places in it where the statistics change.
    pub fn join(self) -> (Vec<u8>, Vec<usize>) {
        let streams = [self.codes, self.numbers, self.texts, self.random];
        let mut out = Writer::default();
        streams.iter().for_each(|stream| out.varint(stream.0.len() as u64));
        let cuts = streams.iter().map(|stream| {
            out.raw(&stream.0);
            out.0.len()
        });
        let cuts = cuts.collect();
        (out.0, cuts)
    }
}

/// The streams of a payload, read side by side.
pub(super) struct Sources<'a> {
    pub codes: Reader<'a>,
    pub numbers: Reader<'a>,
    pub texts: Reader<'a>,
    pub random: Reader<'a>,
    left: usize,
}

impl<'a> Sources<'a> {
    /// `budget`: the bytes that may come of it in all.
    pub fn split(payload: &'a [u8], budget: usize) -> Result<Sources<'a>, Malformed> {
        let mut reader = Reader::new(payload);
        let mut length = || usize::try_from(reader.varint()?).map_err(|_| Malformed);
        let lengths = [length()?, length()?, length()?, length()?];
        let mut next = |n: usize| Ok(Reader::new(reader.take(n)?));
        let [codes, numbers, texts, random] = lengths;
        Ok(Sources {
            codes: next(codes)?,
            numbers: next(numbers)?,
            texts: next(texts)?,
            random: next(random)?,
            left: budget,
        })
    }

    /// Accounts for what a few bytes here become there. A byte can stand for a long text, so sizes that arrive
    /// bound nothing.
    pub fn spend(&mut self, bytes: usize) -> Result<(), Malformed> {
        self.left = self.left.checked_sub(bytes).ok_or(Malformed)?;
        Ok(())
    }

    pub fn signed(&mut self) -> Result<i64, Malformed> {
        Ok(unzigzag(self.numbers.varint()?))
    }

    /// A number of things that are kept; never more than the budget allows.
    pub fn count(&mut self) -> Result<usize, Malformed> {
        let count = self.index()?;
        if count > self.left { Err(Malformed) } else { Ok(count) }
    }

    /// A place in a table, or a distance: looked up before it is believed.
    pub fn index(&mut self) -> Result<usize, Malformed> {
        usize::try_from(self.numbers.varint()?).map_err(|_| Malformed)
    }

    pub fn text(&mut self) -> Result<&'a str, Malformed> {
        let text = std::str::from_utf8(self.texts.until_zero()?).map_err(|_| Malformed)?;
        self.spend(text.len())?;
        Ok(text)
    }
}

pub(super) fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

pub(super) fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

/// The bytes of a varint.
pub(super) fn width(value: u64) -> u32 {
    (64 - (value | 1).leading_zeros()).div_ceil(7)
}
