//! So many within a time, for each key by itself.
//!
//! One number for each key, the time at which all that it did would have been done at the allowed pace: the generic cell
//! rate algorithm. A crate for it (governor) would bring its own clock and a store that grows with its keys; without
//! these, what is left of it are the three lines of [`Rate::take`].

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Keys that are remembered. Beyond it those who did least are forgotten, and may begin anew.
const MOST: usize = 100_000;
const MINUTE: Duration = Duration::from_secs(60);

/// So many in one go, and so many in each minute after that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    pub burst: u32,
    pub per_minute: u32,
}

pub struct Rate<K>(Mutex<HashMap<K, Duration>>);

impl<K> Default for Rate<K> {
    fn default() -> Rate<K> {
        Rate(Mutex::default())
    }
}

impl<K: Clone + Eq + Hash> Rate<K> {
    /// Counts one more, at a time since whenever; an error says how long to wait, and counts nothing.
    pub fn take(&self, key: &K, pace: Pace, now: Duration) -> Result<(), Duration> {
        let each = MINUTE / pace.per_minute.max(1);
        let ahead = each * pace.burst.max(1).saturating_sub(1);
        let mut done_at = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let held = done_at.get(key).copied();
        let done = held.unwrap_or(now).max(now);
        if done > now + ahead {
            return Err(done - now - ahead);
        }
        if held.is_none() && done_at.len() >= MOST {
            make_room(&mut done_at, now);
        }
        done_at.insert(key.clone(), done + each);
        Ok(())
    }

    /// Forgets everybody.
    pub fn forget(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

/// Forgets who is as good as new; and if that leaves more than half, those of the rest who did least.
fn make_room<K: Eq + Hash>(done_at: &mut HashMap<K, Duration>, now: Duration) {
    done_at.retain(|_, done| *done > now);
    if done_at.len() > MOST / 2 {
        let mut times: Vec<Duration> = done_at.values().copied().collect();
        let at = times.len() - MOST / 2;
        let (_, least, _) = times.select_nth_unstable(at);
        let least = *least;
        done_at.retain(|_, done| *done > least);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACE: Pace = Pace { burst: 5, per_minute: 60 };

    fn at(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn a_burst_passes_and_then_one_in_each_interval_for_each_key_alone() {
        let rate = Rate::default();
        for _ in 0..5 {
            rate.take(&1, PACE, at(100)).unwrap();
        }
        assert_eq!(rate.take(&1, PACE, at(100)), Err(at(1000)));
        assert_eq!(rate.take(&1, PACE, at(600)), Err(at(500)), "what was refused is not counted");
        rate.take(&2, PACE, at(600)).unwrap();
        rate.take(&1, PACE, at(1100)).unwrap();
        assert!(rate.take(&1, PACE, at(1100)).is_err());
        // Whoever was silent has the whole burst again and no more.
        for _ in 0..5 {
            rate.take(&1, PACE, at(3_600_000)).unwrap();
        }
        assert!(rate.take(&1, PACE, at(3_600_000)).is_err());
    }

    /// Whenever somebody comes: never more than the burst and what the time since has given, and who keeps the pace is never
    /// refused.
    #[test]
    fn no_window_holds_more_than_the_pace_allows() {
        for seed in 0..50u64 {
            let rate = Rate::default();
            let (mut now, mut random, mut taken) =
                (0, seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1, Vec::new());
            for _ in 0..400 {
                random ^= random << 13;
                random ^= random >> 7;
                random ^= random << 17;
                now += random % 700;
                if rate.take(&1, PACE, at(now)).is_ok() {
                    taken.push(now);
                }
            }
            for (n, from) in taken.iter().enumerate() {
                for (more, to) in taken.iter().enumerate().skip(n) {
                    let allowed = 5 + (to - from) / 1000;
                    assert!(
                        (more - n + 1) as u64 <= allowed + 1,
                        "seed {seed}: {} in {} ms",
                        more - n + 1,
                        to - from
                    );
                }
            }
            let honest = Rate::default();
            (0..400).for_each(|n| honest.take(&1, PACE, at(n * 1000)).unwrap());
        }
    }

    #[test]
    fn however_many_come_memory_is_bounded_and_who_did_most_stays_remembered() {
        let rate = Rate::default();
        for _ in 0..5 {
            rate.take(&u64::MAX, PACE, at(0)).unwrap();
        }
        for key in 0..1_000_000 {
            rate.take(&key, PACE, at(1)).unwrap();
        }
        assert!(rate.0.lock().unwrap().len() <= MOST);
        assert!(rate.take(&u64::MAX, PACE, at(1)).is_err(), "a flood of others does not wipe the slate");
    }
}
