//! What a record holds at each key, every concurrent value included.
//!
//! Read from an Automerge document, or from the changes alone: since a change only sets scalars at the root, the
//! values of a key are those of its operations that no other operation replaces, and the one that Automerge
//! prefers is that of the highest operation. `tests/records.rs` compares the two on records at random.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    rc::Rc,
};

use automerge::{Automerge, ROOT, ReadDoc, Value as AmValue};
use serde_json::Value;

use super::{chunk::Chunk, document::Hash, message::Message, schema::Kind, value::Scalar};

/// One value among several that stand beside each other, and where it came from.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Sourced {
    pub value: Value,
    pub source: Option<Rc<Message>>,
}

pub(super) struct Contents {
    /// The different values of each key, the one that Automerge prefers last.
    pub keys: BTreeMap<String, Vec<Sourced>>,
    /// What the record's beginning says of itself; of several beginnings the one with the smallest hash.
    pub created: Option<Rc<Message>>,
}

impl Contents {
    pub fn of_document(doc: &Automerge) -> Contents {
        let mut messages: HashMap<Hash, Rc<Message>> = HashMap::new();
        let mut first: Option<Hash> = None;
        for change in doc.get_changes_meta(&[]) {
            if let Some(message) = change.message.as_deref().and_then(Message::parse) {
                messages.insert(change.hash.0, Rc::new(message));
            }
            if change.deps.is_empty() {
                first = Some(first.map_or(change.hash.0, |first| first.min(change.hash.0)));
            }
        }
        let mut keys: BTreeMap<String, Vec<Sourced>> = BTreeMap::new();
        for key in doc.keys(ROOT) {
            let found = keys.entry(key.clone()).or_default();
            for (value, id) in doc.get_all(ROOT, key.as_str()).unwrap_or_default() {
                if let AmValue::Scalar(value) = value
                    && let Some(value) = Scalar::from_automerge(&value)
                {
                    let source = doc.hash_for_opid(&id).and_then(|hash| messages.get(&hash.0).cloned());
                    add(found, value, source);
                }
            }
        }
        Contents { keys, created: first.and_then(|first| messages.get(&first).cloned()) }
    }

    /// Of a whole history: each change with all that it builds on.
    pub fn of_chunks(chunks: &[Chunk]) -> Contents {
        let replaced: HashSet<(u64, &[u8])> = chunks
            .iter()
            .flat_map(|chunk| chunk.replaces().flat_map(|(_, replaced)| replaced))
            .map(|op| (op.counter, op.actor))
            .collect();
        let messages: Vec<Option<Rc<Message>>> =
            chunks.iter().map(|chunk| Message::parse(chunk.message).map(Rc::new)).collect();
        let mut standing = Vec::new();
        for (chunk, message) in chunks.iter().zip(&messages) {
            for (counter, (key, value)) in (chunk.start_op..).zip(chunk.writes()) {
                if !replaced.contains(&(counter, chunk.actor)) {
                    standing.push((counter, chunk.actor, key, value, message));
                }
            }
        }
        standing.sort_unstable_by_key(|(counter, actor, ..)| (*counter, *actor));
        let mut keys: BTreeMap<String, Vec<Sourced>> = BTreeMap::new();
        for (_, _, key, value, message) in standing {
            // A key of which nothing can be shown is there all the same, as in a document.
            let found = keys.entry(key.to_owned()).or_default();
            if let Some(value) = Scalar::from_chunk(&value) {
                add(found, value, message.clone());
            }
        }
        let beginnings = chunks.iter().zip(messages).filter(|(chunk, _)| chunk.deps.is_empty());
        let first = beginnings.min_by_key(|(chunk, _)| chunk.hash);
        Contents { keys, created: first.and_then(|(_, message)| message) }
    }

    /// `None` when the record is empty or its kind is one of a newer version.
    pub fn kind(&self) -> Option<Kind> {
        let kind = self.keys.get("kind")?.first()?;
        Kind::parse(kind.value.as_str()?)
    }

    /// Who wrote the value that is shown at a key.
    pub fn source_of(&self, key: &str) -> Option<Rc<Message>> {
        self.keys.get(key)?.last()?.source.clone()
    }
}

/// Equal values are one: the last to have written it counts.
fn add(found: &mut Vec<Sourced>, value: Scalar, source: Option<Rc<Message>>) {
    let sourced = Sourced { value: value.into_json(), source };
    match found.iter_mut().find(|other| other.value == sourced.value) {
        Some(equal) => *equal = sourced,
        None => found.push(sourced),
    }
}

/// The hashes that nothing builds on, sorted; `None` when a change builds on one that does not come before it,
/// or comes twice.
pub(super) fn heads(chunks: &[Chunk]) -> Option<Vec<Hash>> {
    let mut known: HashSet<&Hash> = HashSet::new();
    for chunk in chunks {
        if !chunk.deps.iter().all(|dep| known.contains(dep)) || !known.insert(&chunk.hash) {
            return None;
        }
    }
    chunks.iter().flat_map(|chunk| &chunk.deps).for_each(|dep| {
        known.remove(dep);
    });
    let mut heads: Vec<Hash> = known.into_iter().copied().collect();
    heads.sort_unstable();
    Some(heads)
}
