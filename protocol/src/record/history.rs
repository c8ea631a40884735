//! Everything that ever happened to a record: each change with who made it and what it replaced.

use std::collections::{BTreeMap, BTreeSet};

use automerge::{ChangeHash, ROOT, ReadDoc, Value as AmValue};
use serde::Serialize;
use serde_json::Value;

use super::{
    chunk,
    document::{Hash, Record},
    message::Message,
    value::Scalar,
};
use crate::staff::shown_value;

/// One change of a record.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Change {
    /// Lower-case hex.
    pub hash: String,
    /// RFC 3339 in UTC, by the clock of the tablet that made it.
    pub at: String,
    /// Staff id, or a coordinator's account.
    pub by: String,
    pub tablet: String,
    /// Why, where somebody who settled something said so.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// By path, the record's own `id`, `kind` and `schema` left out.
    pub set: Vec<Set>,
}

/// One field that a change set.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Set {
    /// The document's path, as in `name/family` or `bp/readings/<id>`.
    pub path: String,
    /// What stood there for whoever made the change: nothing, one value, or several that disagreed.
    pub before: Vec<Value>,
    /// Null where the field was cleared.
    pub after: Value,
}

impl Record {
    /// Every change, each after those that it builds on; of those that nothing orders, the one that says it is
    /// older first. The same on every replica.
    pub fn history(&self) -> Vec<Change> {
        let mut left: BTreeMap<Hash, (automerge::Change, Message)> = BTreeMap::new();
        for change in self.doc.get_changes(&[]) {
            // A change without a message is never accepted; what it set would be shown without a name.
            let message = change.message().and_then(Message::parse).unwrap_or_default();
            left.insert(change.hash().0, (change, message));
        }
        let mut ready: BTreeSet<(String, Hash)> = BTreeSet::new();
        let mut waits: BTreeMap<Hash, usize> = BTreeMap::new();
        let mut leads_to: BTreeMap<Hash, Vec<Hash>> = BTreeMap::new();
        for (hash, (change, message)) in &left {
            let deps: Vec<Hash> =
                change.deps().iter().map(|dep| dep.0).filter(|dep| left.contains_key(dep)).collect();
            if deps.is_empty() {
                ready.insert((message.at.clone(), *hash));
            }
            waits.insert(*hash, deps.len());
            for dep in deps {
                leads_to.entry(dep).or_default().push(*hash);
            }
        }
        let mut history = Vec::with_capacity(left.len());
        while let Some((_, hash)) = ready.pop_first() {
            let Some((change, message)) = left.remove(&hash) else { continue };
            history.push(self.told(&change, message));
            for next in leads_to.remove(&hash).unwrap_or_default() {
                let open = waits.entry(next).or_default();
                *open = open.saturating_sub(1);
                if *open == 0
                    && let Some((_, message)) = left.get(&next)
                {
                    ready.insert((message.at.clone(), next));
                }
            }
        }
        history
    }

    fn told(&self, change: &automerge::Change, message: Message) -> Change {
        let mut last: BTreeMap<String, Value> = BTreeMap::new();
        if let Ok(chunk) = chunk::parse(change.raw_bytes()) {
            // What a change itself replaces is never seen: only the last write of a key counts.
            for (path, value) in chunk.writes() {
                if let Some(value) =
                    Scalar::from_chunk(&value).filter(|_| !matches!(path, "id" | "kind" | "schema"))
                {
                    last.insert(path.to_owned(), value.to_json());
                }
            }
        }
        let set = last.into_iter().map(|(path, after)| {
            let before = self.before(&path, change.deps()).into_iter().map(|value| shown_value(&path, value));
            Set { before: before.collect(), after: shown_value(&path, after), path }
        });
        Change {
            hash: data_encoding::HEXLOWER.encode(&change.hash().0),
            set: set.collect(),
            at: message.at,
            by: message.by,
            tablet: message.tablet,
            reason: message.reason,
        }
    }

    /// The different values at a path, as somebody saw them who had these changes.
    fn before(&self, path: &str, deps: &[ChangeHash]) -> Vec<Value> {
        let mut values: Vec<Value> = Vec::new();
        // Without any heads Automerge would answer for now.
        if deps.is_empty() {
            return values;
        }
        for (value, _) in self.doc.get_all_at(ROOT, path, deps).unwrap_or_default() {
            if let AmValue::Scalar(value) = value
                && let Some(value) = Scalar::from_automerge(&value).map(|value| value.to_json())
                && !value.is_null()
                && !values.contains(&value)
            {
                values.push(value);
            }
        }
        values
    }
}
