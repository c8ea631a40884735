//! Requests that were here before, so that a recorded one cannot be played again while its time still passes.

use std::collections::{HashSet, VecDeque};
use std::sync::{Mutex, PoisonError};

use wayside_protocol::sync::CLOCK_WINDOW_MS;

use crate::error::Result;
use crate::log::Log;
use crate::log::db::args;

/// At most so many are remembered, the oldest forgotten first: with 500 tablets a hundred requests each, within the
/// window. What is forgotten too early, or by a restart, can be played again and stores nothing new.
const MOST: usize = 50_000;

type Nonce = (i64, [u8; 16]);

#[derive(Default)]
pub struct Nonces(Mutex<Memory>);

#[derive(Default)]
struct Memory {
    seen: HashSet<Nonce>,
    /// With the server's time at which each was seen, the oldest first.
    order: VecDeque<(u64, Nonce)>,
}

impl Nonces {
    /// Remembers a tablet's nonce, for all nodes over this log; false if it was here within the clock window. Blocks.
    pub fn is_new_to(&self, log: &Log, tablet: i64, nonce: [u8; 16], now_ms: u64) -> Result<bool> {
        if !self.is_new(tablet, nonce, now_ms) {
            return Ok(false);
        }
        if !log.is_shared() {
            return Ok(true);
        }
        let sql = "INSERT INTO nonce (tablet, nonce) VALUES (?, ?) ON CONFLICT DO NOTHING";
        log.jot(|conn| Ok(conn.execute(sql, args![tablet, nonce])? == 1))
    }

    /// Remembers a tablet's nonce here; false if it was here within the clock window.
    fn is_new(&self, tablet: i64, nonce: [u8; 16], now_ms: u64) -> bool {
        let mut memory = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A request's time may lie this far ahead when it is first seen, and stays good as long after it.
        let gone = |at: u64| now_ms.saturating_sub(at) > 2 * CLOCK_WINDOW_MS;
        while memory.order.len() >= MOST || memory.order.front().is_some_and(|(at, _)| gone(*at)) {
            let Some((_, oldest)) = memory.order.pop_front() else { break };
            memory.seen.remove(&oldest);
        }
        let new = memory.seen.insert((tablet, nonce));
        if new {
            memory.order.push_back((now_ms, (tablet, nonce)));
        }
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nonce_is_new_once_in_a_window_and_memory_is_bounded() {
        let nonces = Nonces::default();
        assert!(nonces.is_new(1, [1; 16], 0));
        assert!(!nonces.is_new(1, [1; 16], 2 * CLOCK_WINDOW_MS));
        assert!(nonces.is_new(2, [1; 16], 0), "another tablet's");
        assert!(nonces.is_new(1, [1; 16], 2 * CLOCK_WINDOW_MS + 1), "its time no longer passes");
        for n in 0..MOST as u128 + 10 {
            assert!(nonces.is_new(3, n.to_le_bytes(), 3 * CLOCK_WINDOW_MS));
        }
        let memory = nonces.0.lock().unwrap();
        assert_eq!((memory.seen.len(), memory.order.len()), (MOST, MOST));
    }
}
