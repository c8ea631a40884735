//! So many at the same time, for each key by itself. Only those who are inside cost memory.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

type Counts<K> = Arc<Mutex<HashMap<K, u32>>>;

pub struct AtOnce<K>(Counts<K>);

/// A place, until it is dropped.
pub struct Inside<K: Eq + Hash> {
    key: K,
    counts: Counts<K>,
}

impl<K> Default for AtOnce<K> {
    fn default() -> AtOnce<K> {
        AtOnce(Arc::default())
    }
}

impl<K: Clone + Eq + Hash> AtOnce<K> {
    /// `None` where so many are inside already.
    pub fn enter(&self, key: K, most: u32) -> Option<Inside<K>> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let inside = counts.get(&key).copied().unwrap_or_default();
        if inside >= most {
            return None;
        }
        counts.insert(key.clone(), inside + 1);
        Some(Inside { key, counts: self.0.clone() })
    }
}

impl<K: Eq + Hash> Drop for Inside<K> {
    fn drop(&mut self) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let left = counts.get_mut(&self.key).map(|inside| {
            *inside -= 1;
            *inside
        });
        if left == Some(0) {
            counts.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_leaves_makes_room_and_leaves_nothing_behind() {
        let places = AtOnce::default();
        let first = places.enter("one", 2).unwrap();
        let second = places.enter("one", 2).unwrap();
        assert!(places.enter("one", 2).is_none());
        let other = places.enter("other", 2).unwrap();
        drop(first);
        let third = places.enter("one", 2).unwrap();
        assert!(places.enter("one", 2).is_none());
        drop((second, third, other));
        assert!(places.0.lock().unwrap().is_empty());
    }
}
