//! One plain Automerge change, read without Automerge.
//!
//! A change that arrives from elsewhere is read here before Automerge sees a byte of it. Automerge 0.12
//! takes declared sizes at their word: it inflates what is compressed, iterates run lengths of billions
//! and does not verify the checksum of a single change. This parser does none of that. It walks the
//! bytes once, allocates nothing beyond the limits below whatever a change declares, and accepts exactly
//! one encoding of what a Wayside tablet can say: scalars set at the root of a record.
//!
//! Accepting one encoding only (minimal LEB128, canonical run lengths, sorted dependencies and authors)
//! costs nothing, since Automerge writes no other, and means that what passes here is what Automerge
//! will write back byte for byte. A new version of Automerge that encoded otherwise would fail the honest
//! half of `tests/hostile_changes.rs`, before it reached a tablet.
//!
//! A delete is refused, so that nothing hides an entry; clearing a field writes null. Automerge makes a
//! delete by itself in one case: `put` of the value that already wins a conflict deletes the other values.
//! Whoever settles a conflict on that value sets a different one first, in the same transaction.
//!
//! What needs the rest of the record (dependencies, numbering, what a change replaces) is checked by
//! [`super::admit`].

mod bytes;
mod write;

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use self::bytes::{Reader, rle};
pub use self::write::{Builder, Head};
use crate::error::Code;

/// The whole chunk, header included, in bytes. A contact is one to three kilobytes.
pub const MAX_BYTES: usize = 64 * 1024;
/// Operations in one change, and operations that one change replaces.
pub const MAX_OPS: u64 = 10_000;
/// Dependencies of one change.
pub const MAX_DEPS: u64 = 64;
/// Authors named by one change, beside its own.
pub const MAX_OTHER_ACTORS: u64 = 64;
/// An actor's id in bytes. Ours are 16 random bytes.
pub const MAX_ACTOR_BYTES: u64 = 64;
/// Operation and sequence numbers stay below this: Automerge keeps them as `u32` and panics on the next
/// edit when one comes near the end.
pub const MAX_COUNTER: u64 = 1 << 31;
/// The header's time stays within plus or minus this. Automerge stores times as differences and clips
/// one that overflows: a time at the far end would make the *next* honest change unreadable.
pub const MAX_TIME: i64 = 1 << 53;

pub(super) const MAGIC: [u8; 4] = [0x85, 0x6f, 0x4a, 0x83];
const HEADER_BEFORE_TYPE: usize = 8;
const TYPE_CHANGE: u8 = 1;
const TYPE_COMPRESSED: u8 = 2;
const ACTION_SET: u64 = 1;
const DEFLATE_BIT: u64 = 0b1000;

/// Column numbers, as `id << 4 | type`, in the order in which a change holds them.
mod column {
    pub const OBJECT_ACTOR: u64 = 1;
    pub const OBJECT_COUNTER: u64 = 2;
    pub const KEY_ACTOR: u64 = 17;
    pub const KEY_COUNTER: u64 = 19;
    pub const KEY_STRING: u64 = 21;
    pub const INSERT: u64 = 52;
    pub const ACTION: u64 = 66;
    pub const VALUE_META: u64 = 86;
    pub const VALUE: u64 = 87;
    pub const REPLACED_COUNT: u64 = 112;
    pub const REPLACED_ACTOR: u64 = 113;
    pub const REPLACED_COUNTER: u64 = 115;
    pub const EXPAND: u64 = 148;
    pub const MARK_NAME: u64 = 165;

    /// Known and honest columns together. A chunk that declares more has an unknown or a repeated one.
    pub const COUNT: u64 = 14;
}

/// The only values of a record.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Scalar<'a> {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    F64(f64),
    Str(&'a str),
    Bytes(&'a [u8]),
}

/// An operation that this change's operation replaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Replaced<'a> {
    pub actor: &'a [u8],
    pub counter: u64,
}

#[derive(Debug)]
struct Write<'a> {
    key: &'a str,
    value: Scalar<'a>,
    /// Where this operation's replaced ones end in `Chunk::replaced`; they begin where the previous end.
    replaced_end: usize,
}

/// One well-formed change that only sets scalars at the root, borrowed from its raw bytes.
#[derive(Debug)]
pub struct Chunk<'a> {
    /// The change's hash, computed from the bytes.
    pub hash: [u8; 32],
    /// Strictly ascending.
    pub deps: Vec<[u8; 32]>,
    pub actor: &'a [u8],
    pub seq: u64,
    pub start_op: u64,
    /// The header's time as the author wrote it: never trusted, never an order.
    pub time: i64,
    /// Empty when the change has none.
    pub message: &'a str,
    /// How many operations the change holds: at least one.
    pub ops: u64,
    writes: Vec<Write<'a>>,
    replaced: Vec<Replaced<'a>>,
}

impl<'a> Chunk<'a> {
    /// What the change sets, in order. A key comes twice only when the later value replaces the earlier.
    pub fn writes(&self) -> impl ExactSizeIterator<Item = (&'a str, Scalar<'a>)> + '_ {
        self.writes.iter().map(|write| (write.key, write.value))
    }

    /// The keys that the change sets, in order, as often as it sets them.
    pub fn keys(&self) -> impl ExactSizeIterator<Item = &'a str> + '_ {
        self.writes.iter().map(|write| write.key)
    }

    /// For each operation its key and the operations that it replaces, the change's own included.
    pub fn replaces(&self) -> impl Iterator<Item = (&'a str, &[Replaced<'a>])> + '_ {
        let mut from = 0;
        self.writes.iter().map(move |write| {
            let replaced = self.replaced.get(from..write.replaced_end).unwrap_or_default();
            from = write.replaced_end;
            (write.key, replaced)
        })
    }

    /// The number of the last operation.
    pub fn max_op(&self) -> u64 {
        self.start_op + self.ops - 1
    }
}

/// Reads exactly one plain change from the whole of `raw`.
///
/// The code says what is wrong with the change: [`Code::ChangeTooLarge`], [`Code::ChangeCompressed`],
/// [`Code::ChangeChecksum`], [`Code::ChangeMalformed`], [`Code::StartOpWrong`] for operation numbers out
/// of all bounds, [`Code::SequenceGap`] for such sequence numbers, and [`Code::OperationRefused`] for a
/// well-formed change that does anything else than set scalars at the root.
pub fn parse(raw: &[u8]) -> Result<Chunk<'_>, Code> {
    if raw.len() > MAX_BYTES {
        return Err(Code::ChangeTooLarge);
    }
    let mut header = Reader { rest: raw };
    if header.array::<4>()? != MAGIC {
        return Err(Code::ChangeMalformed);
    }
    let checksum = header.array::<4>()?;
    match header.byte()? {
        TYPE_CHANGE => {}
        TYPE_COMPRESSED => return Err(Code::ChangeCompressed),
        _ => return Err(Code::ChangeMalformed),
    }
    if header.uleb()? != header.rest.len() as u64 {
        return Err(Code::ChangeMalformed);
    }
    // The hash covers type, length and contents. The length is minimal, so these are those very bytes.
    let hash: [u8; 32] = Sha256::digest(raw.get(HEADER_BEFORE_TYPE..).unwrap_or_default()).into();
    if !hash.starts_with(&checksum) {
        return Err(Code::ChangeChecksum);
    }
    parse_contents(hash, header)
}

fn parse_contents(hash: [u8; 32], mut body: Reader<'_>) -> Result<Chunk<'_>, Code> {
    let deps = ascending(&mut body, MAX_DEPS, Reader::array::<32>)?;
    let actor = actor_id(&mut body)?;
    let seq = body.uleb()?;
    if seq == 0 || seq >= MAX_COUNTER {
        return Err(Code::SequenceGap);
    }
    let start_op = body.uleb()?;
    if start_op == 0 || start_op >= MAX_COUNTER {
        return Err(Code::StartOpWrong);
    }
    let time = body.sleb()?;
    if !(-MAX_TIME..=MAX_TIME).contains(&time) {
        return Err(Code::ChangeMalformed);
    }
    let message_len = body.uleb()?;
    let message = utf8(body.take(message_len)?)?;
    let others = ascending(&mut body, MAX_OTHER_ACTORS, actor_id)?;
    if others.contains(&actor) {
        return Err(Code::ChangeMalformed);
    }

    let columns = Columns::parse(body)?;
    let actions = rle(columns.action, Code::ChangeMalformed, Reader::uleb)?;
    let ops = actions.len() as u64;
    if actions.iter().any(|action| *action != ACTION_SET) || ops == 0 {
        return Err(Code::OperationRefused);
    }
    // `start_op` is below 2^31 and `ops` at most 10,000: this cannot overflow.
    if start_op + ops > MAX_COUNTER {
        return Err(Code::StartOpWrong);
    }
    all_false(columns.insert, ops)?;
    // A null key belongs to an element of a list or text.
    let keys = rle(columns.key, Code::OperationRefused, string)?;
    let metas = rle(columns.value_meta, Code::ChangeMalformed, Reader::uleb)?;
    let counts = rle(columns.replaced_count, Code::ChangeMalformed, Reader::uleb)?;
    if keys.len() as u64 != ops || metas.len() as u64 != ops || counts.len() as u64 != ops {
        return Err(Code::ChangeMalformed);
    }
    let replaced = replaced_ops(&columns, actor, &others)?;

    let mut values = Reader { rest: columns.value };
    let mut writes = Vec::with_capacity(actions.len());
    let mut replaced_end = 0usize;
    for ((key, meta), count) in keys.into_iter().zip(metas).zip(counts) {
        // Each count alone may be anything up to 2^64: compare before adding.
        if count > (replaced.len() - replaced_end) as u64 {
            return Err(Code::ChangeMalformed);
        }
        replaced_end += count as usize;
        writes.push(Write { key, value: scalar(meta, &mut values)?, replaced_end });
    }
    if !values.rest.is_empty() || replaced_end != replaced.len() {
        return Err(Code::ChangeMalformed);
    }
    let chunk = Chunk { hash, deps, actor, seq, start_op, time, message, ops, writes, replaced };
    check_replaced(&chunk)?;
    Ok(chunk)
}

/// A counted list, strictly ascending, as Automerge writes dependencies and other authors.
fn ascending<'a, T: PartialOrd>(
    body: &mut Reader<'a>,
    limit: u64,
    read: impl Fn(&mut Reader<'a>) -> Result<T, Code>,
) -> Result<Vec<T>, Code> {
    let count = body.uleb()?;
    if count > limit {
        return Err(Code::ChangeTooLarge);
    }
    let mut list: Vec<T> = Vec::new();
    for _ in 0..count {
        let item = read(body)?;
        if list.last().is_some_and(|last| *last >= item) {
            return Err(Code::ChangeMalformed);
        }
        list.push(item);
    }
    Ok(list)
}

fn actor_id<'a>(body: &mut Reader<'a>) -> Result<&'a [u8], Code> {
    let len = body.uleb()?;
    if len == 0 || len > MAX_ACTOR_BYTES {
        return Err(Code::ChangeMalformed);
    }
    body.take(len)
}

fn string<'a>(column: &mut Reader<'a>) -> Result<&'a str, Code> {
    let len = column.uleb()?;
    utf8(column.take(len)?)
}

fn utf8(bytes: &[u8]) -> Result<&str, Code> {
    std::str::from_utf8(bytes).map_err(|_| Code::ChangeMalformed)
}

#[derive(Default)]
struct Columns<'a> {
    key: &'a [u8],
    insert: &'a [u8],
    action: &'a [u8],
    value_meta: &'a [u8],
    value: &'a [u8],
    replaced_count: &'a [u8],
    replaced_actor: &'a [u8],
    replaced_counter: &'a [u8],
}

impl<'a> Columns<'a> {
    /// The column table, and the data that it lays out, to the last byte.
    fn parse(mut body: Reader<'a>) -> Result<Self, Code> {
        let count = body.uleb()?;
        if count > column::COUNT {
            return Err(Code::ChangeMalformed);
        }
        let mut table = [(0u64, 0u64); column::COUNT as usize];
        let mut last = None;
        let mut refused = false;
        for slot in table.iter_mut().take(count as usize) {
            let (spec, len) = (body.uleb()?, body.uleb()?);
            if spec & DEFLATE_BIT != 0 {
                return Err(Code::ChangeCompressed);
            }
            // Automerge leaves out a column without data.
            if len == 0 || last.is_some_and(|last| last >= spec) {
                return Err(Code::ChangeMalformed);
            }
            last = Some(spec);
            *slot = (spec, len);
        }
        let mut columns = Columns::default();
        for (spec, len) in table.into_iter().take(count as usize) {
            let data = body.take(len)?;
            match spec {
                column::KEY_STRING => columns.key = data,
                column::INSERT => columns.insert = data,
                column::ACTION => columns.action = data,
                column::VALUE_META => columns.value_meta = data,
                column::VALUE => columns.value = data,
                column::REPLACED_COUNT => columns.replaced_count = data,
                column::REPLACED_ACTOR => columns.replaced_actor = data,
                column::REPLACED_COUNTER => columns.replaced_counter = data,
                // Automerge leaves these out when no operation needs them: their presence says that one
                // works inside another object, in a list, or marks text. They are never walked.
                column::OBJECT_ACTOR
                | column::OBJECT_COUNTER
                | column::KEY_ACTOR
                | column::KEY_COUNTER
                | column::EXPAND
                | column::MARK_NAME => refused = true,
                _ => return Err(Code::ChangeMalformed),
            }
        }
        // Nothing after the columns: Automerge would keep such bytes (in 0.12 they name an author).
        if !body.rest.is_empty() {
            return Err(Code::ChangeMalformed);
        }
        if refused {
            return Err(Code::OperationRefused);
        }
        Ok(columns)
    }
}

/// The operations that this change's operations replace, with their authors resolved.
fn replaced_ops<'a>(
    columns: &Columns<'a>,
    actor: &'a [u8],
    others: &[&'a [u8]],
) -> Result<Vec<Replaced<'a>>, Code> {
    let actors = rle(columns.replaced_actor, Code::ChangeMalformed, Reader::uleb)?;
    let deltas = rle(columns.replaced_counter, Code::ChangeMalformed, Reader::sleb)?;
    if actors.len() != deltas.len() {
        return Err(Code::ChangeMalformed);
    }
    let mut named = vec![false; others.len()];
    let mut counter = 0i64;
    let mut replaced = Vec::with_capacity(actors.len());
    for (index, delta) in actors.into_iter().zip(deltas) {
        counter = counter.checked_add(delta).ok_or(Code::ChangeMalformed)?;
        let number = u64::try_from(counter).map_err(|_| Code::ChangeMalformed)?;
        if number == 0 || number >= MAX_COUNTER {
            return Err(Code::ChangeMalformed);
        }
        let author = match index.checked_sub(1) {
            None => actor,
            Some(other) => {
                let other = usize::try_from(other).map_err(|_| Code::ChangeMalformed)?;
                *named.get_mut(other).ok_or(Code::ChangeMalformed)? = true;
                *others.get(other).ok_or(Code::ChangeMalformed)?
            }
        };
        replaced.push(Replaced { actor: author, counter: number });
    }
    // An author that nothing refers to would be dropped when Automerge writes the change back.
    if named.contains(&false) {
        return Err(Code::ChangeMalformed);
    }
    Ok(replaced)
}

/// What can be said of the replaced operations without the rest of the record: they come before the
/// change, in order, and one of the change's own is an earlier one of the same key.
///
/// A key set twice must chain. Otherwise the change would be in conflict with itself, a conflict between
/// two values that one person never saw side by side.
fn check_replaced(chunk: &Chunk<'_>) -> Result<(), Code> {
    let mut earlier: BTreeMap<&str, u64> = BTreeMap::new();
    for (id, (key, replaced)) in (chunk.start_op..).zip(chunk.replaces()) {
        let mut own = None;
        for pair in replaced.windows(2) {
            if let [a, b] = pair
                && (a.counter, a.actor) >= (b.counter, b.actor)
            {
                return Err(Code::ChangeMalformed);
            }
        }
        for op in replaced {
            if op.counter < chunk.start_op {
                continue;
            }
            // From `start_op` on there is only this change: nobody else's operation of such a number can
            // be among its ancestors.
            if op.actor != chunk.actor || op.counter >= id || own.replace(op.counter).is_some() {
                return Err(Code::ChangeMalformed);
            }
        }
        if earlier.insert(key, id) != own {
            return Err(Code::OperationRefused);
        }
    }
    Ok(())
}

fn scalar<'a>(meta: u64, values: &mut Reader<'a>) -> Result<Scalar<'a>, Code> {
    let (kind, len) = (meta & 0xf, meta >> 4);
    let mut data = Reader { rest: values.take(len)? };
    let value = match kind {
        0 => Scalar::Null,
        1 => Scalar::Bool(false),
        2 => Scalar::Bool(true),
        3 => Scalar::Uint(data.uleb()?),
        4 => Scalar::Int(data.sleb()?),
        5 => Scalar::F64(f64::from_le_bytes(data.array::<8>()?)),
        6 => Scalar::Str(utf8(data.take(len)?)?),
        7 => Scalar::Bytes(data.take(len)?),
        // Counters and timestamps, which Wayside has no use for, and what Automerge does not know itself.
        _ => return Err(Code::OperationRefused),
    };
    if !data.rest.is_empty() {
        return Err(Code::ChangeMalformed);
    }
    Ok(value)
}

/// A boolean column that is false throughout: one count of all operations.
fn all_false(column: &[u8], ops: u64) -> Result<(), Code> {
    let mut column = Reader { rest: column };
    let count = column.uleb()?;
    if count > MAX_OPS {
        return Err(Code::ChangeTooLarge);
    }
    if !column.rest.is_empty() {
        // What follows the count of false is a count of true.
        return Err(Code::OperationRefused);
    }
    if count != ops {
        return Err(Code::ChangeMalformed);
    }
    Ok(())
}
