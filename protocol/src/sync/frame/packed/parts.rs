//! What the changes say: heads, keys, what they replace, messages, values; and changes put together from it.

use std::collections::HashMap;

use serde_json::Value;

use super::{
    column::{Cell, Rows},
    keys::Keys,
    streams::{Sources, Streams},
};
use crate::{
    record::{
        Hash, RecordId, canonical,
        chunk::{self, Builder, Chunk, Replaced, Scalar},
        parse_canonical,
    },
    sync::wire::Malformed,
};

/// Bits of a head's code.
const OTHER_ACTOR: u8 = 1;
const EDIT: u8 = 2;
const REPLACES: u8 = 4;

/// Writes the changes, each with its place among the frame's items; `hashes` gives the place of every item.
pub(super) fn write(
    changes: &[(usize, &Chunk)],
    hashes: &HashMap<Hash, usize>,
    records: &[RecordId],
    out: &mut Streams,
) {
    let mut actors = Actors::default();
    for (row, chunk) in changes {
        write_head(*row, chunk, &mut actors, hashes, out);
    }
    let mut keys = Keys::default();
    let mut columns: Vec<Vec<(usize, Cell)>> = vec![Vec::new()];
    for (row, chunk) in changes {
        for (key, value) in chunk.writes() {
            let place = keys.write(key, &value, out);
            columns.resize_with(columns.len().max(place + 1), Vec::new);
            if let Some(column) = columns.get_mut(place) {
                column.push((*row, cell(&value)));
            }
        }
        keys.end(out);
    }
    for (_, chunk) in changes.iter().filter(|(_, chunk)| replaces(chunk)) {
        let mut last = 0;
        for (_, replaced) in chunk.replaces() {
            out.numbers.varint(replaced.len() as u64);
            for op in replaced {
                let actor = actors.place(op.actor, out);
                out.numbers.varint(actor as u64);
                out.signed(op.counter as i64 - last);
                last = op.counter as i64;
            }
        }
    }
    let mut rows = Rows::new(records);
    let messages: Vec<(usize, Cell)> =
        changes.iter().map(|(row, chunk)| (*row, message(chunk.message))).collect();
    rows.write(&messages, out);
    for column in columns.iter().skip(1) {
        rows.write(column, out);
    }
}

fn replaces(chunk: &Chunk) -> bool {
    chunk.replaces().any(|(_, replaced)| !replaced.is_empty())
}

fn message(text: &str) -> Cell {
    Cell::Json(parse_canonical(text.as_bytes()).unwrap_or_else(|| Value::String(text.to_owned())))
}

fn cell(value: &Scalar) -> Cell {
    match value {
        Scalar::Null => Cell::Json(Value::Null),
        Scalar::Bool(b) => Cell::Json(Value::Bool(*b)),
        Scalar::Int(n) => Cell::Json(Value::from(*n)),
        Scalar::Uint(n) => Cell::Uint(*n),
        Scalar::F64(n) => Cell::Float(*n),
        Scalar::Str(text) => Cell::Json(Value::String((*text).to_owned())),
        Scalar::Bytes(bytes) => match parse_canonical(bytes) {
            Some(json) => Cell::Json(json),
            None => Cell::Bytes(bytes.to_vec()),
        },
    }
}

fn write_head(
    row: usize,
    chunk: &Chunk,
    actors: &mut Actors,
    hashes: &HashMap<Hash, usize>,
    out: &mut Streams,
) {
    let beginning = chunk.deps.is_empty() && (chunk.seq, chunk.start_op, chunk.time) == (1, 1, 0);
    let same = actors.last().is_some_and(|last| last == chunk.actor);
    let bit = |set: bool, bit: u8| if set { bit } else { 0 };
    out.codes.u8(bit(!same, OTHER_ACTOR) | bit(!beginning, EDIT) | bit(replaces(chunk), REPLACES));
    if !same {
        let place = actors.place(chunk.actor, out);
        out.numbers.varint(place as u64);
        actors.last = place;
    }
    if beginning {
        return;
    }
    out.numbers.varint(chunk.deps.len() as u64);
    for dep in &chunk.deps {
        match hashes.get(dep).and_then(|at| row.checked_sub(*at)).filter(|back| *back > 0) {
            Some(back) => out.numbers.varint(back as u64),
            None => {
                out.numbers.varint(0);
                out.random.raw(dep);
            }
        }
    }
    out.numbers.varint(chunk.seq);
    out.numbers.varint(chunk.start_op);
    out.signed(chunk.time);
}

/// The actors met so far.
#[derive(Default)]
struct Actors {
    known: Vec<Vec<u8>>,
    last: usize,
}

impl Actors {
    fn last(&self) -> Option<&[u8]> {
        self.known.get(self.last).map(Vec::as_slice)
    }

    /// The actor's place; one that is met first is written down.
    fn place(&mut self, actor: &[u8], out: &mut Streams) -> usize {
        if let Some(place) = self.known.iter().position(|known| known == actor) {
            return place;
        }
        out.random.u8(actor.len() as u8);
        out.random.raw(actor);
        self.known.push(actor.to_vec());
        self.known.len() - 1
    }

    fn read(&mut self, src: &mut Sources) -> Result<usize, Malformed> {
        let place = src.index()?;
        if place == self.known.len() {
            let length = usize::from(src.random.u8()?);
            self.known.push(src.random.take(length)?.to_vec());
        }
        if place < self.known.len() { Ok(place) } else { Err(Malformed) }
    }
}

enum Dep {
    Hash(Hash),
    /// So many items before.
    Back(usize),
}

struct Op {
    key: String,
    replaced: Vec<(usize, u64)>,
    value: Cell,
}

/// What one change says.
pub(super) struct Parts {
    row: usize,
    deps: Vec<Dep>,
    actor: Vec<u8>,
    seq: u64,
    start_op: u64,
    time: i64,
    message: String,
    ops: Vec<Op>,
    /// Of those that it replaces.
    actors: std::rc::Rc<Vec<Vec<u8>>>,
}

struct Head {
    edit: Option<(Vec<Dep>, u64, u64, i64)>,
    actor: usize,
    replaces: bool,
}

impl Parts {
    /// Reads the changes that stand at these places among the frame's items.
    pub fn read(places: &[usize], records: &[RecordId], src: &mut Sources) -> Result<Vec<Parts>, Malformed> {
        let mut actors = Actors::default();
        let heads = places.iter().map(|_| read_head(&mut actors, src)).collect::<Result<Vec<_>, _>>()?;
        let mut keys = Keys::default();
        let mut columns: Vec<Vec<usize>> = vec![Vec::new()];
        let mut ops: Vec<Vec<(usize, String)>> = Vec::with_capacity(places.len());
        for row in places {
            let mut of_change = Vec::new();
            while let Some((place, key)) = keys.read(src)? {
                columns.resize_with(columns.len().max(place + 1), Vec::new);
                columns.get_mut(place).ok_or(Malformed)?.push(*row);
                of_change.push((place, key));
            }
            ops.push(of_change);
        }
        let mut replaced: Vec<Vec<Vec<(usize, u64)>>> = Vec::with_capacity(places.len());
        for (head, ops) in heads.iter().zip(&ops) {
            let count = if head.replaces { ops.len() } else { 0 };
            let mut last = 0i64;
            let of_change = (0..count).map(|_| read_replaced(&mut actors, &mut last, src));
            replaced.push(of_change.collect::<Result<_, _>>()?);
        }
        let mut rows = Rows::new(records);
        let messages = rows.read(places, src)?;
        let columns = columns.iter().map(|rows_of| rows.read(rows_of, src).map(Vec::into_iter));
        let mut columns = columns.collect::<Result<Vec<_>, _>>()?;

        let actors = std::rc::Rc::new(actors.known);
        let mut all = Vec::with_capacity(places.len());
        let heads = places.iter().zip(heads).zip(messages);
        for (((row, head), message), (keys, replaced)) in heads.zip(ops.into_iter().zip(replaced)) {
            let mut replaced = replaced.into_iter();
            let mut ops = Vec::with_capacity(keys.len());
            for (place, key) in keys {
                let value = columns.get_mut(place).and_then(Iterator::next).ok_or(Malformed)?;
                ops.push(Op { key, value, replaced: replaced.next().unwrap_or_default() });
            }
            let (deps, seq, start_op, time) = head.edit.unwrap_or((Vec::new(), 1, 1, 0));
            let message = match message {
                Cell::Json(Value::String(text)) => text,
                Cell::Json(json) => canonical(&json),
                _ => return Err(Malformed),
            };
            let actor = actors.get(head.actor).cloned().ok_or(Malformed)?;
            let actors = actors.clone();
            all.push(Parts { row: *row, deps, actor, seq, start_op, time, message, ops, actors });
        }
        Ok(all)
    }

    /// The change's bytes and hash; `hashes` are those of the items before it.
    pub fn assemble(&self, hashes: &[Hash]) -> Result<(Vec<u8>, Hash), Malformed> {
        let deps = self.deps.iter().map(|dep| match dep {
            Dep::Hash(hash) => Ok(*hash),
            Dep::Back(back) => {
                let at = self.row.checked_sub(*back).ok_or(Malformed)?;
                hashes.get(at).copied().ok_or(Malformed)
            }
        });
        let mut builder = Builder::new(chunk::Head {
            deps: deps.collect::<Result<_, _>>()?,
            actor: &self.actor,
            seq: self.seq,
            start_op: self.start_op,
            time: self.time,
            message: &self.message,
        });
        for op in &self.ops {
            let replaced = op.replaced.iter().map(|(actor, counter)| {
                let actor = self.actors.get(*actor).ok_or(Malformed)?;
                Ok(Replaced { actor, counter: *counter })
            });
            let replaced = replaced.collect::<Result<Vec<_>, _>>()?;
            let json;
            let value = match &op.value {
                Cell::Json(Value::Null) => Scalar::Null,
                Cell::Json(Value::Bool(b)) => Scalar::Bool(*b),
                Cell::Json(Value::String(text)) => Scalar::Str(text),
                Cell::Json(Value::Number(n)) => Scalar::Int(n.as_i64().ok_or(Malformed)?),
                Cell::Json(value) => {
                    json = canonical(value);
                    Scalar::Bytes(json.as_bytes())
                }
                Cell::Uint(n) => Scalar::Uint(*n),
                Cell::Float(n) => Scalar::F64(*n),
                Cell::Bytes(bytes) => Scalar::Bytes(bytes),
            };
            builder.set(&op.key, value, &replaced);
        }
        Ok(builder.finish())
    }
}

fn read_head(actors: &mut Actors, src: &mut Sources) -> Result<Head, Malformed> {
    let code = src.codes.u8()?;
    src.spend(64)?;
    if code & OTHER_ACTOR != 0 {
        actors.last = actors.read(src)?;
    }
    let mut head = Head { edit: None, actor: actors.last, replaces: code & REPLACES != 0 };
    if code & EDIT != 0 {
        let count = src.count()?;
        src.spend(count.saturating_mul(32))?;
        let deps = (0..count).map(|_| match src.index()? {
            0 => Ok(Dep::Hash(src.random.array()?)),
            back => Ok(Dep::Back(back)),
        });
        let deps = deps.collect::<Result<_, _>>()?;
        head.edit = Some((deps, src.numbers.varint()?, src.numbers.varint()?, src.signed()?));
    }
    Ok(head)
}

fn read_replaced(
    actors: &mut Actors,
    last: &mut i64,
    src: &mut Sources,
) -> Result<Vec<(usize, u64)>, Malformed> {
    let count = src.count()?;
    src.spend(count.saturating_mul(16))?;
    let ops = (0..count).map(|_| {
        let actor = actors.read(src)?;
        *last = last.checked_add(src.signed()?).ok_or(Malformed)?;
        Ok((actor, u64::try_from(*last).map_err(|_| Malformed)?))
    });
    ops.collect()
}
