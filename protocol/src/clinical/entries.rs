//! Reading the maps of entries of a contact: what is live, in which order, and what disagrees.
//!
//! Entries are written once; what happens to one later is told by `struck_out`, `corrected_by` and
//! `corrects`. Nothing here trusts the shape of the JSON: what makes no sense is passed over.

use jiff::Timestamp;
use serde_json::{Map, Value};

/// A live entry and its id.
pub(super) type Entry<'a> = (&'a str, &'a Value);

/// One place in a map: an entry, or what it was corrected to. More than one alternative when corrections
/// were made side by side and nobody has settled them yet.
pub(super) struct Slot<'a> {
    /// By id, never empty.
    pub(super) alternatives: Vec<Entry<'a>>,
    taken_at: Option<Timestamp>,
    /// The id of the original.
    pub(super) root: &'a str,
}

/// The live entries of a map, a correction at the place of what it corrects; in the order of the
/// originals' `taken_at`, those without a usable one last, ties by id.
pub(super) fn slots(map: Option<&Value>) -> Vec<Slot<'_>> {
    let Some(map) = map.and_then(Value::as_object) else {
        return Vec::new();
    };
    let mut slots: Vec<Slot<'_>> = Vec::new();
    for (id, entry) in map.iter().filter(|(_, entry)| is_live(entry)) {
        let root = root(map, id);
        match slots.iter_mut().find(|slot| slot.root == root) {
            Some(slot) => slot.alternatives.push((id, entry)),
            None => {
                // The original may not have arrived: then its correction's own time is all there is.
                let taken_at = timestamp(map.get(root).unwrap_or(entry).get("taken_at"));
                slots.push(Slot { alternatives: vec![(id, entry)], taken_at, root });
            }
        }
    }
    for slot in &mut slots {
        slot.alternatives.sort_unstable_by_key(|(id, _)| *id);
    }
    slots.sort_unstable_by_key(|slot| (slot.taken_at.is_none(), slot.taken_at, slot.root));
    slots
}

/// An RFC 3339 time.
pub(super) fn timestamp(value: Option<&Value>) -> Option<Timestamp> {
    value?.as_str()?.parse().ok()
}

/// The texts of an array.
pub(super) fn strings(array: Option<&Value>) -> impl Iterator<Item = &str> {
    array.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

/// Whether something was said here: neither absent, nor null, nor false.
pub(super) fn is_set(value: Option<&Value>) -> bool {
    !matches!(value, None | Some(Value::Null | Value::Bool(false)))
}

/// Every value that a field holds: the one shown, and those beside it that nobody has settled yet.
pub(super) fn values_at<'a>(record: &'a Value, path: &'a str) -> impl Iterator<Item = &'a Value> {
    let conflicts = record.get("conflicts").and_then(Value::as_array).into_iter().flatten();
    let others = conflicts
        .filter(move |conflict| conflict.get("path").and_then(Value::as_str) == Some(path))
        .filter_map(|conflict| conflict.get("values")?.as_array())
        .flatten()
        .filter_map(|value| value.get("value"));
    record.pointer(&format!("/{path}")).into_iter().chain(others)
}

/// Neither struck out nor replaced. Striking out a correction strikes out the reading: the original does
/// not come back, for the correction is the form in which staff saw it when they struck it out.
fn is_live(entry: &Value) -> bool {
    let replaced = entry.get("corrected_by").and_then(Value::as_array).is_some_and(|by| !by.is_empty());
    entry.is_object() && !is_set(entry.get("struck_out")) && !replaced
}

/// Follows `corrects` to the original. Ends on hostile circles too.
fn root<'a>(map: &'a Map<String, Value>, id: &'a str) -> &'a str {
    let mut at = id;
    for _ in 0..map.len() {
        match map.get(at).and_then(|entry| entry.get("corrects")).and_then(Value::as_str) {
            Some(original) if original != id => at = original,
            _ => break,
        }
    }
    at
}

/// Whether the person declined what stands at this path: `declined` names the path, a group around it, or
/// its last segment alone.
pub(super) fn is_declined(record: &Value, path: &str) -> bool {
    let named = |name: &str| {
        let inside = path.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        !name.is_empty() && (inside || path.rsplit('/').next() == Some(name))
    };
    let declined = record.get("declined").and_then(Value::as_array);
    declined.into_iter().flatten().filter_map(Value::as_str).any(named)
}
