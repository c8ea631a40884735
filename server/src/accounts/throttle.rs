//! Slows down guessing: a name that fails again and again must wait longer and longer.
//!
//! By name, whether or not there is such an account, so that it says nothing and keeps nobody else out.
//! In memory: a restart forgives, which costs a guesser more than it gives.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use sha2::{Digest, Sha256};

use crate::error::{Error, Result};

/// Attempts before the first wait: people mistype.
const FREE: u32 = 5;
const LONGEST_WAIT_MS: u64 = 60_000;
/// Forgotten after this long without an attempt.
const FORGET_MS: u64 = 60 * 60 * 1000;
const MOST_NAMES: usize = 10_000;

#[derive(Default)]
pub struct Throttle {
    /// By the digest of the name, so that no list of what people typed lies in memory.
    names: Mutex<HashMap<[u8; 32], Attempts>>,
}

struct Attempts {
    count: u32,
    /// Refused before this.
    until_ms: u64,
    last_ms: u64,
}

fn key(name: &str) -> [u8; 32] {
    Sha256::digest(name.to_lowercase()).into()
}

impl Throttle {
    /// Counts an attempt before it is made, so that many at once gain nothing. [`Error::TryLater`] when
    /// this name must wait.
    pub fn begin(&self, name: &str, now_ms: u64) -> Result<()> {
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        if names.len() >= MOST_NAMES {
            names.retain(|_, attempts| now_ms < attempts.last_ms + FORGET_MS);
        }
        let key = key(name);
        if names.len() >= MOST_NAMES && !names.contains_key(&key) {
            return Err(Error::TryLater(LONGEST_WAIT_MS / 1000));
        }
        let attempts = names.entry(key).or_insert(Attempts { count: 0, until_ms: 0, last_ms: now_ms });
        if now_ms >= attempts.last_ms + FORGET_MS {
            attempts.count = 0;
        }
        if now_ms < attempts.until_ms {
            return Err(Error::TryLater((attempts.until_ms - now_ms).div_ceil(1000)));
        }
        attempts.last_ms = now_ms;
        attempts.count += 1;
        if attempts.count >= FREE {
            let wait = 1000u64 << (attempts.count - FREE).min(10);
            attempts.until_ms = now_ms + wait.min(LONGEST_WAIT_MS);
        }
        Ok(())
    }

    pub fn succeeded(&self, name: &str) {
        self.names.lock().unwrap_or_else(PoisonError::into_inner).remove(&key(name));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_name_waits_longer_and_longer_and_others_do_not() {
        let throttle = Throttle::default();
        let mut now = 1_000_000;
        for _ in 0..FREE {
            throttle.begin("Amina", now).unwrap();
        }
        let mut waits = Vec::new();
        for _ in 0..8 {
            let Err(Error::TryLater(seconds)) = throttle.begin("AMINA", now) else { panic!("no wait") };
            waits.push(seconds);
            throttle.begin("Bela", now).unwrap();
            throttle.succeeded("bela");
            now += seconds * 1000;
            throttle.begin("amina", now).unwrap();
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60]);
        throttle.succeeded("amina");
        throttle.begin("amina", now).unwrap();
        throttle.begin("amina", now).unwrap();
    }
}
