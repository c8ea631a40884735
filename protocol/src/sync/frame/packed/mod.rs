//! The grouped form of a changes frame: what is alike stands together, what the receiver can work out is left out.
//!
//! Each change is taken apart into what it says. All heads come first, then all keys, all messages, then the values of one
//! key after the other, JSON taken apart into its members. Hashes, checksums, lengths and ids that follow from
//! something else are not sent. The receiver puts each change together again ([`chunk::Builder`]); that the bytes are the
//! author's is proved by the list's signature, as ever. What does not come back the same travels as it is.
//!
//! Four streams keep different kinds of bytes apart, so that each is compressed by its own statistics.

mod column;
mod ids;
mod keys;
mod parts;
mod streams;

use std::collections::HashMap;

use super::{Changes, Item, List, MAX_LIST, MAX_LISTS};
use crate::{
    record::{Hash, RecordId, change_hash, chunk},
    sync::wire::Malformed,
};
use ids::Ids;
use parts::Parts;
use streams::{Sources, Streams};

/// An item's kinds; its code is kind * 3 + how its record is written.
const GROUPED: u8 = 0;
const RAW: u8 = 1;
const ABSENT: u8 = 2;

/// What may come of one payload, as [`Sources::spend`] counts it: a generous measure of the changes' bytes.
const MAX_EXPANDED: usize = 4 << 20;

/// The payload, and where one stream ends and the next begins; nothing if it would not come back the same.
pub(super) fn pack(changes: &Changes) -> Option<(Vec<u8>, Vec<usize>)> {
    let mut out = Streams::default();
    out.random.raw(changes.team.as_bytes());
    out.numbers.varint(changes.authors.len() as u64);
    for (key, certificate) in &changes.authors {
        out.random.raw(key);
        out.random.raw(certificate);
    }
    out.numbers.varint(changes.lists.len() as u64);
    for list in &changes.lists {
        out.numbers.varint(list.author as u64);
        out.numbers.varint(list.items.len() as u64);
        out.random.raw(&list.signature);
    }
    let items: Vec<&Item> = changes.lists.iter().flat_map(|list| &list.items).collect();
    write_items(&items, &mut out);
    let (payload, cuts) = out.join();
    // Whoever receives it must get these very changes, or it goes in the form that needs no care.
    (unpack(&payload).as_ref() == Ok(changes)).then_some((payload, cuts))
}

fn write_items(items: &[&Item], out: &mut Streams) {
    let chunks: Vec<Option<chunk::Chunk>> = items
        .iter()
        .map(|item| match item {
            Item::Body { raw, .. } => chunk::parse(raw).ok().filter(is_ordinary),
            Item::Absent { .. } => None,
        })
        .collect();
    let records: Vec<RecordId> = items
        .iter()
        .map(|item| match item {
            Item::Body { record, .. } | Item::Absent { record, .. } => *record,
        })
        .collect();
    let mut ids = Ids::default();
    let forms: Vec<ids::Form> = records.iter().enumerate().map(|(row, id)| ids.form(*id, row)).collect();
    for ((item, chunk), form) in items.iter().zip(&chunks).zip(&forms) {
        let kind = match (item, chunk) {
            (Item::Absent { .. }, _) => ABSENT,
            (_, None) => RAW,
            (_, Some(_)) => GROUPED,
        };
        out.codes.u8(kind * 3 + form.code());
    }
    let mut last = 0u64;
    for item in items {
        if let Item::Body { seq, .. } = item {
            out.signed(seq.wrapping_sub(last) as i64);
            last = *seq;
        }
    }
    forms.iter().for_each(|form| form.write(out));
    let mut hashes: HashMap<Hash, usize> = HashMap::new();
    let mut changes = Vec::new();
    for (row, (item, chunk)) in items.iter().zip(&chunks).enumerate() {
        let hash = match (item, chunk) {
            (Item::Absent { hash, .. }, _) => {
                out.random.raw(hash);
                *hash
            }
            (Item::Body { raw, .. }, None) => {
                out.numbers.varint(raw.len() as u64);
                out.random.raw(raw);
                change_hash(raw)
            }
            (_, Some(chunk)) => {
                changes.push((row, chunk));
                chunk.hash
            }
        };
        hashes.insert(hash, row);
    }
    parts::write(&changes, &hashes, &records, out);
}

/// Whether keys and names of members keep clear of the bytes that end a text here or mark an entry's id. Nobody's
/// honest change fails this, and one that does must not keep the others from being grouped.
fn is_ordinary(chunk: &chunk::Chunk) -> bool {
    let escaped = |json: &[u8]| json.windows(6).any(|six| six == br"\u0000");
    chunk.keys().all(|key| !key.contains(['\0', keys::ENTRY]))
        && !escaped(chunk.message.as_bytes())
        && chunk.writes().all(|(_, value)| !matches!(value, chunk::Scalar::Bytes(json) if escaped(json)))
}

pub(super) fn unpack(payload: &[u8]) -> Result<Changes, Malformed> {
    let mut src = Sources::split(payload, MAX_EXPANDED)?;
    let team = RecordId::from_bytes(src.random.array()?);
    let authors = src.numbers.varint()?;
    // What is counted here is read before anything is kept for it.
    let mut known = Vec::new();
    for _ in 0..authors {
        known.push((src.random.array()?, src.random.array()?));
    }
    let count = src.numbers.varint()?;
    if count > MAX_LISTS as u64 {
        return Err(Malformed);
    }
    let mut lists = Vec::new();
    let mut total = 0;
    for _ in 0..count {
        let author = src.index()?;
        let items = src.index()?;
        if author > known.len() || items == 0 || items > MAX_LIST {
            return Err(Malformed);
        }
        total += items;
        lists.push((List { author, signature: src.random.array()?, items: Vec::new() }, items));
    }
    let mut items = read_items(total, &mut src)?.into_iter();
    let lists =
        lists.into_iter().map(|(list, count)| List { items: items.by_ref().take(count).collect(), ..list });
    Ok(Changes { team, lists: lists.collect(), authors: known })
}

fn read_items(count: usize, src: &mut Sources) -> Result<Vec<Item>, Malformed> {
    let codes = src.codes.take(count)?;
    src.spend(codes.len() * 48)?;
    let mut seqs = Vec::with_capacity(count);
    let mut last = 0u64;
    for code in codes {
        if code / 3 != ABSENT {
            last = last.wrapping_add(src.signed()? as u64);
        }
        seqs.push(last);
    }
    let mut ids = Ids::default();
    let mut records = Vec::with_capacity(count);
    for (row, code) in codes.iter().enumerate() {
        let id = ids.read(code % 3, row, &records, src)?;
        records.push(id);
    }
    let mut items = Vec::with_capacity(count);
    let mut grouped = Vec::new();
    for (row, ((code, seq), record)) in codes.iter().zip(seqs).zip(&records).enumerate() {
        let record = *record;
        items.push(match code / 3 {
            GROUPED => {
                grouped.push(row);
                Item::Body { record, seq, raw: Vec::new() }
            }
            RAW => {
                let length = src.index()?;
                src.spend(length)?;
                Item::Body { record, seq, raw: src.random.take(length)?.to_vec() }
            }
            ABSENT => Item::Absent { record, hash: src.random.array()? },
            _ => return Err(Malformed),
        });
    }
    let parts = Parts::read(&grouped, &records, src)?;
    let mut hashes: Vec<Hash> = Vec::with_capacity(count);
    let mut parts = parts.into_iter();
    for (item, code) in items.iter_mut().zip(codes) {
        hashes.push(match item {
            Item::Absent { hash, .. } => *hash,
            Item::Body { raw, .. } if code / 3 == RAW => change_hash(raw),
            Item::Body { raw, .. } => {
                let (bytes, hash) = parts.next().ok_or(Malformed)?.assemble(&hashes)?;
                *raw = bytes;
                hash
            }
        });
    }
    Ok(items)
}
