//! Records that turned out to be one: persons, sites and sessions with `merged_into`.
//!
//! Whoever is merged into somebody forms one component with them, in whatever order and direction people
//! said so, and also when two merge each other. The lowest id that is known stands for all of them, so that
//! every replica agrees. Setting `merged_into` to null takes them apart again.

use std::collections::{BTreeMap, BTreeSet};

use crate::record::RecordId;

/// For each record the one that stands for it, from all of them with what they are merged into. An id that is
/// named but not there (in another team, archived, erased) still ties those that name it together; it never
/// stands for anybody.
pub fn standing(
    merged: impl IntoIterator<Item = (RecordId, Option<RecordId>)>,
) -> BTreeMap<RecordId, RecordId> {
    let mut known = BTreeSet::new();
    let mut beside: BTreeMap<RecordId, Vec<RecordId>> = BTreeMap::new();
    for (id, into) in merged {
        known.insert(id);
        if let Some(into) = into {
            beside.entry(id).or_default().push(into);
            beside.entry(into).or_default().push(id);
        }
    }
    let mut standing: BTreeMap<RecordId, RecordId> = BTreeMap::new();
    for id in &known {
        if !standing.contains_key(id) {
            let together = component(*id, |id| beside.get(&id).cloned().unwrap_or_default());
            // Ids are walked upwards: the first of a component is its lowest known one.
            standing
                .extend(together.into_iter().filter(|other| known.contains(other)).map(|other| (other, *id)));
        }
    }
    standing
}

/// Everybody whom steps of `beside` lead to: what a record is merged into, and what is merged into it.
pub fn component(id: RecordId, mut beside: impl FnMut(RecordId) -> Vec<RecordId>) -> BTreeSet<RecordId> {
    let mut found = BTreeSet::from([id]);
    let mut left = vec![id];
    while let Some(id) = left.pop() {
        for other in beside(id) {
            if found.insert(other) {
                left.push(other);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u8) -> RecordId {
        RecordId::from_bytes([n; 16])
    }

    fn of(merged: &[(u8, Option<u8>)]) -> Vec<(u8, u8)> {
        let first = |id: RecordId| id.as_bytes().first().copied().unwrap_or_default();
        standing(merged.iter().map(|(one, into)| (id(*one), into.map(id))))
            .into_iter()
            .map(|(one, stands)| (first(one), first(stands)))
            .collect()
    }

    #[test]
    fn the_lowest_id_stands_for_all_whichever_way_they_were_merged() {
        assert_eq!(of(&[(1, None), (2, None)]), [(1, 1), (2, 2)]);
        // Down, up, in a chain, and in a circle.
        assert_eq!(of(&[(1, None), (2, Some(1))]), [(1, 1), (2, 1)]);
        assert_eq!(of(&[(1, Some(2)), (2, None)]), [(1, 1), (2, 1)]);
        assert_eq!(of(&[(1, None), (2, Some(3)), (3, Some(1)), (4, None)]), [(1, 1), (2, 1), (3, 1), (4, 4)]);
        assert_eq!(of(&[(1, Some(2)), (2, Some(3)), (3, Some(1))]), [(1, 1), (2, 1), (3, 1)]);
        assert_eq!(of(&[(3, Some(3))]), [(3, 3)]);
        // One that is not here ties two together and stands for nobody.
        assert_eq!(of(&[(5, Some(1)), (7, Some(1))]), [(5, 5), (7, 5)]);
    }
}
