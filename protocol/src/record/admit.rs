//! Whether one change may join the history of a record.
//!
//! Two checks, both pure, made by the server before its commit and again inside it, and by a tablet on
//! what it pulls:
//!
//! - [`History::fit`] places a change among the accepted ones without Automerge: dependencies, numbering,
//!   the author's own sequence, and that it replaces nothing but earlier values of the keys it names.
//! - [`apply_checked`] then applies it to a scratch document and requires that Automerge gives it back byte
//!   for byte, from memory and after `save()` and `load()`. Of a [plain beginning](is_plain_beginning) the first
//!   check proves this already.
//!
//! # Panics inside Automerge
//!
//! Automerge panics on some hostile changes. [`apply_checked`] catches the panic and drops the document,
//! which a panic leaves half changed. It needs `panic = "unwind"`, the default. It does not touch the
//! process's panic hook, and the default hook prints the panic's message to standard error before anything
//! is caught. Such a message can quote keys and values, so it can hold personal data: every program that
//! calls this sets a hook of its own at start (`std::panic::set_hook`), which prints `info.location()` and
//! never `info.payload()`.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use automerge::{Automerge, ChangeHash, ReadDoc};

use super::chunk::{self, Chunk};
use crate::error::Code;

type Hash = [u8; 32];

/// A document kept between calls of [`apply_checked_on`]; `None` until the first.
pub type Scratch = Option<Automerge>;

/// How a change stands to the accepted history of its record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fit {
    /// It can be applied now.
    Fits,
    /// It is already part of the history.
    Known,
    /// It depends on these, which are not part of the history (yet).
    Waits(Vec<Hash>),
    /// It can never become part of this history.
    Refused(Code),
}

/// The accepted changes of one record, as far as placing the next one needs them.
#[derive(Debug, Default)]
pub struct History {
    changes: Vec<Accepted>,
    by_hash: BTreeMap<Hash, usize>,
    actors: BTreeMap<Box<[u8]>, u32>,
    keys: BTreeMap<Box<str>, u32>,
    by_seq: BTreeMap<(u32, u64), usize>,
    /// By author and first operation: an author's operations do not overlap, so this finds the owner of one.
    by_start: BTreeMap<(u32, u64), usize>,
}

#[derive(Debug)]
struct Accepted {
    deps: Vec<Hash>,
    start_op: u64,
    max_op: u64,
    /// The key of each operation.
    keys: Vec<u32>,
}

impl History {
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in a change that was accepted. Order does not matter, and a known one changes nothing.
    ///
    /// This does not ask [`Self::fit`] again: what is accepted stays accepted, also under later rules.
    pub fn insert(&mut self, chunk: &Chunk<'_>) {
        if self.by_hash.contains_key(&chunk.hash) {
            return;
        }
        let index = self.changes.len();
        let actor = number(&mut self.actors, chunk.actor);
        let keys = chunk.keys().map(|key| number(&mut self.keys, key)).collect();
        self.by_hash.insert(chunk.hash, index);
        self.by_seq.insert((actor, chunk.seq), index);
        self.by_start.insert((actor, chunk.start_op), index);
        let (start_op, max_op) = (chunk.start_op, chunk.max_op());
        self.changes.push(Accepted { deps: chunk.deps.clone(), start_op, max_op, keys });
    }

    /// Whether any accepted change sets this key.
    pub fn has_set(&self, key: &str) -> bool {
        self.keys.contains_key(key)
    }

    pub fn contains(&self, hash: &Hash) -> bool {
        self.by_hash.contains_key(hash)
    }

    pub fn len(&self) -> usize {
        self.changes.len()
    }

    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// Places a change. Walks each accepted change at most once.
    pub fn fit(&self, chunk: &Chunk<'_>) -> Fit {
        if self.contains(&chunk.hash) {
            return Fit::Known;
        }
        let actor = self.actors.get(chunk.actor).copied();
        // Before asking for what is missing: no arrival heals a collision.
        if actor.is_some_and(|actor| self.by_seq.contains_key(&(actor, chunk.seq))) {
            return Fit::Refused(Code::ActorCollision);
        }
        let missing: Vec<Hash> = chunk.deps.iter().filter(|dep| !self.contains(dep)).copied().collect();
        if !missing.is_empty() {
            return Fit::Waits(missing);
        }
        let ancestors = Ancestors::of(self, chunk);
        if chunk.seq > 1 {
            let previous = actor.and_then(|actor| self.by_seq.get(&(actor, chunk.seq - 1)));
            if !previous.is_some_and(|index| ancestors.include(*index)) {
                return Fit::Refused(Code::SequenceGap);
            }
        }
        if chunk.start_op != ancestors.max_op + 1 {
            return Fit::Refused(Code::StartOpWrong);
        }
        if !self.replaces_only_its_keys(chunk, &ancestors) {
            return Fit::Refused(Code::OperationRefused);
        }
        Fit::Fits
    }

    /// Whether every replaced operation is one that the author had before it, of the same key. Otherwise
    /// a change that sets one key could hide the value of another without naming it.
    fn replaces_only_its_keys(&self, chunk: &Chunk<'_>, ancestors: &Ancestors) -> bool {
        chunk.replaces().all(|(key, replaced)| {
            // The change's own operations are the parser's business.
            let mut earlier = replaced.iter().filter(|op| op.counter < chunk.start_op).peekable();
            if earlier.peek().is_none() {
                return true;
            }
            let Some(key) = self.keys.get(key) else { return false };
            earlier.all(|op| {
                let owner = self.actors.get(op.actor).and_then(|actor| {
                    let (_, index) = self.by_start.range((*actor, 0)..=(*actor, op.counter)).next_back()?;
                    ancestors.include(*index).then(|| self.changes.get(*index))?
                });
                owner.is_some_and(|owner| {
                    let offset = usize::try_from(op.counter - owner.start_op).ok();
                    offset.and_then(|offset| owner.keys.get(offset)) == Some(key)
                })
            })
        })
    }
}

/// What a change builds on: all ancestors and the highest operation among them (0 for a beginning).
struct Ancestors {
    included: Vec<bool>,
    max_op: u64,
}

impl Ancestors {
    fn of(history: &History, chunk: &Chunk<'_>) -> Self {
        let mut ancestors = Ancestors { included: vec![false; history.changes.len()], max_op: 0 };
        let mut next: Vec<usize> = Vec::new();
        ancestors.add(history, &chunk.deps, &mut next);
        while let Some(change) = next.pop().and_then(|index| history.changes.get(index)) {
            ancestors.max_op = ancestors.max_op.max(change.max_op);
            ancestors.add(history, &change.deps, &mut next);
        }
        ancestors
    }

    fn add(&mut self, history: &History, deps: &[Hash], next: &mut Vec<usize>) {
        for index in deps.iter().filter_map(|dep| history.by_hash.get(dep)) {
            if let Some(included) = self.included.get_mut(*index)
                && !*included
            {
                *included = true;
                next.push(*index);
            }
        }
    }

    fn include(&self, index: usize) -> bool {
        self.included.get(index).copied().unwrap_or(false)
    }
}

/// The small number that stands for an actor or a key.
fn number<K: Ord + ?Sized>(numbers: &mut BTreeMap<Box<K>, u32>, name: &K) -> u32
where
    Box<K>: for<'a> From<&'a K>,
{
    if let Some(number) = numbers.get(name) {
        return *number;
    }
    // One change holds at most 10,000 names: a record of 2^32 does not fit in memory.
    let number = numbers.len() as u32;
    numbers.insert(name.into(), number);
    number
}

/// Beginnings up to this many operations and bytes are taken by their form: many times what a form fills in.
const PLAIN_OPS: u64 = 512;
const PLAIN_BYTES: usize = 16 * 1024;

/// Whether [`apply_checked`] can say nothing but yes to a change that [`History::fit`] takes, so that it need
/// not be asked.
///
/// So it is with a beginning of usual size in a record that holds nothing. There is no other change that it could
/// meet; its operations are numbered from 1, set scalars at the root and replace at most each other, in a chain
/// for each key; and the parser takes the one encoding of these that Automerge writes. What is left would be a
/// fault of Automerge's that an honest tablet could meet as well, when it recorded just this.
/// `a_beginning_that_parses_and_fits_is_always_taken` looks for one; showing a record does not need Automerge.
pub fn is_plain_beginning(history: &History, chunk: &Chunk<'_>, raw: &[u8]) -> bool {
    history.is_empty() && chunk.deps.is_empty() && chunk.ops <= PLAIN_OPS && raw.len() <= PLAIN_BYTES
}

/// Applies `raw` to a scratch document of the record's `accepted` changes (raw bytes, dependencies first)
/// and requires that it can be read back. Ask [`History::fit`] first: this takes a change that is known
/// already, or that waits, for one that cannot be read.
///
/// The codes of [`chunk::parse`], since nothing reaches Automerge unread; [`Code::ChangeUnreadable`] when
/// Automerge refuses, panics, or gives back anything else than these bytes; [`Code::Internal`] when the
/// accepted changes themselves do not load, which is never the fault of this change.
pub fn apply_checked(accepted: &[&[u8]], raw: &[u8]) -> Result<(), Code> {
    apply_checked_on(&mut None, accepted, raw)
}

/// [`apply_checked`] for consecutive changes of one record, without loading it again each time.
///
/// `None` is a document not loaded: `accepted` is loaded first. `Some` holds `accepted` already, by an
/// earlier call; on success it holds `raw` as well, and the caller adds `raw` to `accepted`. Whenever a
/// change is refused after Automerge saw it the document is dropped, since a panic or a half-applied change
/// poisons it, and the next call loads again.
pub fn apply_checked_on(scratch: &mut Scratch, accepted: &[&[u8]], raw: &[u8]) -> Result<(), Code> {
    let chunk = chunk::parse(raw)?;
    // The document lives inside the closure, so that a panic drops it.
    let loaded = scratch.take();
    let applied = catch_unwind(AssertUnwindSafe(|| {
        let mut document = match loaded {
            Some(document) => document,
            None => load(accepted)?,
        };
        apply(&mut document, &chunk, raw)?;
        Ok(document)
    }));
    *scratch = Some(applied.unwrap_or(Err(Code::ChangeUnreadable))?);
    Ok(())
}

fn load(accepted: &[&[u8]]) -> Result<Automerge, Code> {
    // One load of all is faster than one of each, and nothing here is hostile any more. A panic or a
    // swallowed tail is told from one that the new change causes.
    let loaded = catch_unwind(|| {
        let mut document = Automerge::new();
        document.load_incremental(&accepted.concat()).ok()?;
        (document.stats().num_changes == accepted.len() as u64).then_some(document)
    });
    loaded.ok().flatten().ok_or(Code::Internal)
}

fn apply(document: &mut Automerge, chunk: &Chunk<'_>, raw: &[u8]) -> Result<(), Code> {
    let hash = ChangeHash(chunk.hash);
    let mut expected = document.get_heads();
    expected.retain(|head| !chunk.deps.contains(&head.0));
    expected.push(hash);
    expected.sort_unstable();

    // `load_incremental` verifies the checksum, which `Change::from_bytes` does not. It reports success for
    // bytes that it skipped and for a change that waits for others: only the result tells.
    document.load_incremental(raw).map_err(|_| Code::ChangeUnreadable)?;
    if document.get_heads() != expected || !gives_back(document, &hash, raw) {
        return Err(Code::ChangeUnreadable);
    }
    // Every hash covers the hashes it depends on, so equal heads mean that every change reloads as it was,
    // the earlier ones too.
    let reloaded = Automerge::load(&document.save()).map_err(|_| Code::ChangeUnreadable)?;
    if reloaded.get_heads() != expected || !gives_back(&reloaded, &hash, raw) {
        return Err(Code::ChangeUnreadable);
    }
    Ok(())
}

fn gives_back(document: &Automerge, hash: &ChangeHash, raw: &[u8]) -> bool {
    document.get_change_by_hash(hash).is_some_and(|change| change.raw_bytes() == raw)
}
