//! Slows down guessing: who fails again and again must wait longer and longer, never long enough to be locked out.
//!
//! Counted for each name, whether or not there is such an account, so that it says nothing; and for each address, whatever
//! names come from it. An address from which the account has signed in before is counted by itself, with that name: somebody
//! who guesses from elsewhere does not keep out who has always come from there. In memory: a restart forgives, which costs
//! a guesser more than it gives.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use sha2::{Digest, Sha256};

use crate::error::{Error, Result};

/// Attempts before the first wait: people mistype.
const FREE: u32 = 5;
/// The same of an address, behind which there may be a whole office.
const FREE_OF_ADDRESS: u32 = 40;
const LONGEST_WAIT_MS: u64 = 60_000;
/// Forgotten after this long without an attempt.
const FORGET_MS: u64 = 60 * 60 * 1000;
/// Beyond it those who were silent longest are forgotten: many names must not keep out others.
const MOST: usize = 20_000;

/// Who tries to get in.
#[derive(Debug, Clone, Copy)]
pub struct Attempt<'a> {
    pub name: &'a str,
    /// From where; `None` where that is not known.
    pub address: Option<IpAddr>,
    /// Whether the account has signed in from there before.
    pub known: bool,
}

#[derive(Default)]
pub struct Throttle {
    /// By digest, so that no list of what people typed lies in memory.
    counts: Mutex<HashMap<Key, Attempts>>,
}

type Key = [u8; 32];

#[derive(Clone, Copy)]
struct Attempts {
    count: u32,
    /// Refused before this.
    until_ms: u64,
    last_ms: u64,
}

impl Attempt<'_> {
    /// By what it is counted, with how many are free.
    fn keys(&self) -> Vec<(Key, u32)> {
        let name = Sha256::digest(self.name.to_lowercase());
        let digest = |kind: u8, parts: &[&[u8]]| -> Key {
            let mut hash = Sha256::new_with_prefix([kind]);
            parts.iter().for_each(|part| hash.update(part));
            hash.finalize().into()
        };
        let address = self.address.map(place);
        match (address, self.known) {
            (Some(address), true) => vec![(digest(1, &[&name, &address]), FREE)],
            (Some(address), false) => {
                vec![(digest(0, &[&name]), FREE), (digest(2, &[&address]), FREE_OF_ADDRESS)]
            }
            (None, _) => vec![(digest(0, &[&name]), FREE)],
        }
    }
}

/// What of an address counts as one: all of IPv4, the network of IPv6, in which everybody has many.
pub(crate) fn place(address: IpAddr) -> Vec<u8> {
    match address.to_canonical() {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets()[..8].to_vec(),
    }
}

impl Throttle {
    /// Counts an attempt before it is made, so that many at once gain nothing. [`Error::TryLater`] when it must wait.
    pub fn begin(&self, attempt: &Attempt, now_ms: u64) -> Result<()> {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let keys = attempt.keys();
        let until = keys.iter().filter_map(|(key, _)| counts.get(key)).map(|held| held.until_ms).max();
        if let Some(until) = until.filter(|until| now_ms < *until) {
            return Err(Error::TryLater((until - now_ms).div_ceil(1000)));
        }
        make_room(&mut counts, now_ms);
        for (key, free) in keys {
            let held = counts.entry(key).or_insert(Attempts { count: 0, until_ms: 0, last_ms: now_ms });
            if now_ms >= held.last_ms + FORGET_MS {
                held.count = 0;
            }
            held.last_ms = now_ms;
            held.count += 1;
            if held.count >= free {
                let wait = 1000u64 << (held.count - free).min(10);
                held.until_ms = now_ms + wait.min(LONGEST_WAIT_MS);
            }
        }
        Ok(())
    }

    /// Forgets what was counted of a name. What came from an address stays: somebody has one right password among many.
    pub fn succeeded(&self, attempt: &Attempt) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        for (key, free) in attempt.keys() {
            match free {
                FREE => drop(counts.remove(&key)),
                // This attempt was none to count.
                _ => {
                    if let Some(held) = counts.get_mut(&key) {
                        held.count = held.count.saturating_sub(1);
                        held.until_ms = 0;
                    }
                }
            }
        }
    }
}

fn make_room(counts: &mut HashMap<Key, Attempts>, now_ms: u64) {
    if counts.len() < MOST {
        return;
    }
    counts.retain(|_, held| now_ms < held.last_ms + FORGET_MS);
    if counts.len() >= MOST {
        let mut times: Vec<u64> = counts.values().map(|held| held.last_ms).collect();
        let (_, middle, _) = times.select_nth_unstable(MOST / 2);
        let middle = *middle;
        counts.retain(|_, held| held.last_ms > middle);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(name: &str, last: u8) -> Attempt<'_> {
        Attempt { name, address: Some([192, 0, 2, last].into()), known: false }
    }

    #[test]
    fn one_name_waits_longer_and_longer_and_others_do_not() {
        let throttle = Throttle::default();
        let mut now = 1_000_000;
        for _ in 0..FREE {
            throttle.begin(&from("Amina", 1), now).unwrap();
        }
        let mut waits = Vec::new();
        for address in 0..8 {
            // From wherever.
            let Err(Error::TryLater(seconds)) = throttle.begin(&from("AMINA", address), now) else {
                panic!("no wait")
            };
            waits.push(seconds);
            throttle.begin(&from("Bela", address), now).unwrap();
            throttle.succeeded(&from("bela", address));
            now += seconds * 1000;
            throttle.begin(&from("amina", address), now).unwrap();
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60]);
        throttle.succeeded(&from("amina", 1));
        throttle.begin(&from("amina", 1), now).unwrap();
        throttle.begin(&from("amina", 1), now).unwrap();
    }

    #[test]
    fn guessing_from_elsewhere_keeps_nobody_out_where_they_have_been_before() {
        let throttle = Throttle::default();
        let home = Attempt { known: true, ..from("amina", 7) };
        let mut now = 1_000_000;
        for round in 0..1000u64 {
            now += round;
            let _ = throttle.begin(&from("amina", (round % 200) as u8 + 20), now);
            if round % 100 == 0 {
                throttle.begin(&home, now).unwrap();
                throttle.succeeded(&home);
            }
        }
        // Guessing from that very place is slowed down, too.
        for _ in 0..FREE {
            throttle.begin(&home, now).unwrap();
        }
        assert!(matches!(throttle.begin(&home, now), Err(Error::TryLater(1))));
    }

    #[test]
    fn an_address_that_tries_many_names_waits_and_no_other_does() {
        let throttle = Throttle::default();
        for n in 0..FREE_OF_ADDRESS {
            throttle.begin(&from(&format!("name {n}"), 1), 1000).unwrap();
        }
        assert!(throttle.begin(&from("another", 1), 1000).is_err());
        throttle.begin(&from("another", 2), 1000).unwrap();
        throttle.begin(&Attempt { known: true, ..from("another", 1) }, 1000).unwrap();
    }

    #[test]
    fn however_many_names_are_tried_there_is_room_for_another() {
        let throttle = Throttle::default();
        for n in 0..(MOST as u64 + 100) {
            let name = format!("name {n}");
            throttle.begin(&Attempt { name: &name, address: None, known: false }, n).unwrap();
        }
        assert!(throttle.counts.lock().unwrap().len() <= MOST);
    }
}
