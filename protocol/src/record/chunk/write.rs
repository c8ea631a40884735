//! A change put together from what it says: the one encoding that [`super::parse`] accepts.

use sha2::{Digest, Sha256};

use super::{MAGIC, Replaced, Scalar, TYPE_CHANGE, column};

/// What stands before a change's operations, as [`super::Chunk`] shows it.
pub struct Head<'a> {
    pub deps: Vec<[u8; 32]>,
    pub actor: &'a [u8],
    pub seq: u64,
    pub start_op: u64,
    pub time: i64,
    pub message: &'a str,
}

/// Collects what a change says, operation by operation.
///
/// Nothing is checked: contents that no honest change has give bytes that [`super::parse`] refuses.
pub struct Builder<'a> {
    head: Head<'a>,
    keys: Vec<&'a str>,
    metas: Vec<u64>,
    values: Vec<u8>,
    counts: Vec<u64>,
    replaced: Vec<Replaced<'a>>,
}

impl<'a> Builder<'a> {
    pub fn new(head: Head<'a>) -> Builder<'a> {
        Builder {
            head,
            keys: Vec::new(),
            metas: Vec::new(),
            values: Vec::new(),
            counts: Vec::new(),
            replaced: Vec::new(),
        }
    }

    /// One more operation: sets `key`, in place of `replaced`.
    pub fn set(&mut self, key: &'a str, value: Scalar, replaced: &[Replaced<'a>]) {
        let start = self.values.len();
        let kind = match value {
            Scalar::Null => 0,
            Scalar::Bool(false) => 1,
            Scalar::Bool(true) => 2,
            Scalar::Uint(n) => {
                uleb(&mut self.values, n);
                3
            }
            Scalar::Int(n) => {
                sleb(&mut self.values, n);
                4
            }
            Scalar::F64(n) => {
                self.values.extend_from_slice(&n.to_le_bytes());
                5
            }
            Scalar::Str(text) => {
                self.values.extend_from_slice(text.as_bytes());
                6
            }
            Scalar::Bytes(bytes) => {
                self.values.extend_from_slice(bytes);
                7
            }
        };
        self.metas.push(((self.values.len() - start) as u64) << 4 | kind);
        self.keys.push(key);
        self.counts.push(replaced.len() as u64);
        self.replaced.extend_from_slice(replaced);
    }

    /// The change's bytes and its hash.
    pub fn finish(self) -> (Vec<u8>, [u8; 32]) {
        let mut others: Vec<&[u8]> = self.replaced.iter().map(|replaced| replaced.actor).collect();
        others.retain(|actor| *actor != self.head.actor);
        others.sort_unstable();
        others.dedup();

        let mut body = Vec::with_capacity(self.values.len() + 512);
        uleb(&mut body, self.head.deps.len() as u64);
        self.head.deps.iter().for_each(|dep| body.extend_from_slice(dep));
        bytes(&mut body, self.head.actor);
        uleb(&mut body, self.head.seq);
        uleb(&mut body, self.head.start_op);
        sleb(&mut body, self.head.time);
        bytes(&mut body, self.head.message.as_bytes());
        uleb(&mut body, others.len() as u64);
        others.iter().for_each(|actor| bytes(&mut body, actor));

        let ops = self.keys.len() as u64;
        let mut insert = Vec::new();
        uleb(&mut insert, ops);
        let index = |replaced: &Replaced| others.binary_search(&replaced.actor).map_or(0, |at| at as u64 + 1);
        let authors: Vec<u64> = self.replaced.iter().map(index).collect();
        let mut last = 0;
        let steps = self.replaced.iter().map(|replaced| {
            let step = (replaced.counter as i64).wrapping_sub(last);
            last = replaced.counter as i64;
            step
        });
        let columns = [
            (column::KEY_STRING, runs(&self.keys, |out, key| bytes(out, key.as_bytes()))),
            (column::INSERT, insert),
            (column::ACTION, runs(&vec![super::ACTION_SET; self.keys.len()], uleb_of)),
            (column::VALUE_META, runs(&self.metas, uleb_of)),
            (column::VALUE, self.values),
            (column::REPLACED_COUNT, runs(&self.counts, uleb_of)),
            (column::REPLACED_ACTOR, runs(&authors, uleb_of)),
            (column::REPLACED_COUNTER, runs(&steps.collect::<Vec<_>>(), |out, n| sleb(out, *n))),
        ];
        uleb(&mut body, columns.iter().filter(|(_, data)| !data.is_empty()).count() as u64);
        for (number, data) in columns.iter().filter(|(_, data)| !data.is_empty()) {
            uleb(&mut body, *number);
            uleb(&mut body, data.len() as u64);
        }
        columns.iter().for_each(|(_, data)| body.extend_from_slice(data));

        let mut raw = Vec::with_capacity(body.len() + 16);
        raw.extend_from_slice(&MAGIC);
        raw.extend_from_slice(&[0; 4]);
        raw.push(TYPE_CHANGE);
        bytes(&mut raw, &body);
        let hash: [u8; 32] = Sha256::digest(raw.get(8..).unwrap_or_default()).into();
        if let (Some(place), Some(sum)) = (raw.get_mut(4..8), hash.get(..4)) {
            place.copy_from_slice(sum);
        }
        (raw, hash)
    }
}

/// Run lengths in their canonical form: every run of two or more as a run, the rest as it comes.
fn runs<T: PartialEq>(values: &[T], write: impl Fn(&mut Vec<u8>, &T)) -> Vec<u8> {
    let mut out = Vec::new();
    let mut single: Vec<&T> = Vec::new();
    let flush = |out: &mut Vec<u8>, single: &mut Vec<&T>| {
        if !single.is_empty() {
            sleb(out, -(single.len() as i64));
            single.drain(..).for_each(|value| write(out, value));
        }
    };
    for run in values.chunk_by(|a, b| a == b) {
        let Some(first) = run.first() else { continue };
        if run.len() == 1 {
            single.push(first);
        } else {
            flush(&mut out, &mut single);
            sleb(&mut out, run.len() as i64);
            write(&mut out, first);
        }
    }
    flush(&mut out, &mut single);
    out
}

fn uleb_of(out: &mut Vec<u8>, value: &u64) {
    uleb(out, *value);
}

fn uleb(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn sleb(out: &mut Vec<u8>, mut value: i64) {
    loop {
        let byte = value as u8 & 0x7f;
        value >>= 7;
        // The sign is the last byte's second bit.
        if (value == 0 && byte & 0x40 == 0) || (value == -1 && byte & 0x40 != 0) {
            return out.push(byte);
        }
        out.push(byte | 0x80);
    }
}

fn bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    uleb(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::chunk::parse;

    #[test]
    fn what_is_put_together_is_read_back() {
        let long = "k".repeat(130);
        let other = [9u8; 16];
        let mut builder = Builder::new(Head {
            deps: vec![[1; 32], [2; 32]],
            actor: &[7; 16],
            seq: 300,
            start_op: 1_000,
            time: -70_000,
            message: "a message",
        });
        let theirs = Replaced { actor: &other, counter: 4 };
        let own = Replaced { actor: &[7; 16], counter: 700 };
        builder.set("a", Scalar::Int(-65), &[theirs]);
        builder.set("b", Scalar::Int(64), &[theirs, own]);
        builder.set(&long, Scalar::Str("Róisín"), &[]);
        for (key, value) in [
            ("c", Scalar::Null),
            ("d", Scalar::Null),
            ("e", Scalar::Bool(true)),
            ("f", Scalar::Bool(false)),
            ("g", Scalar::Uint(u64::MAX)),
            ("h", Scalar::F64(-0.0)),
            ("i", Scalar::Bytes(&[0; 300])),
            ("j", Scalar::Int(i64::MIN)),
        ] {
            builder.set(key, value, &[]);
        }
        let (raw, hash) = builder.finish();
        let read = parse(&raw).unwrap();
        assert_eq!(read.hash, hash);
        assert_eq!((read.seq, read.start_op, read.time), (300, 1_000, -70_000));
        assert_eq!(read.ops, 11);

        let mut again = Builder::new(Head {
            deps: read.deps.clone(),
            actor: read.actor,
            seq: read.seq,
            start_op: read.start_op,
            time: read.time,
            message: read.message,
        });
        for ((key, value), (_, replaced)) in read.writes().zip(read.replaces()) {
            again.set(key, value, replaced);
        }
        assert_eq!(again.finish(), (raw, hash));
    }
}
