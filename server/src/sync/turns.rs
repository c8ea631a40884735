//! One exchange of a tablet at a time.
//!
//! A tablet that comes again after a cut asks what arrived. Its earlier request may still be here, its last frames
//! in the middle of their commit, or its link dead without anybody having noticed. So the new one tells the old one to
//! come to an end, and waits for that.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedMutexGuard, watch};

#[derive(Default)]
pub struct Turns(Mutex<HashMap<i64, Turn>>);

#[derive(Clone)]
struct Turn {
    /// Counts those who came.
    newest: watch::Sender<u64>,
    /// Held by who is at it.
    at_it: Arc<tokio::sync::Mutex<()>>,
}

/// A tablet's turn, until it is dropped.
pub struct Mine {
    number: u64,
    newest: watch::Receiver<u64>,
    _at_it: OwnedMutexGuard<()>,
}

impl Turns {
    pub async fn take(&self, tablet: i64) -> Mine {
        let turn = {
            let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let new = || Turn { newest: watch::channel(0).0, at_it: Arc::default() };
            turns.entry(tablet).or_insert_with(new).clone()
        };
        let mut number = 0;
        turn.newest.send_modify(|newest| {
            *newest += 1;
            number = *newest;
        });
        Mine { number, newest: turn.newest.subscribe(), _at_it: turn.at_it.lock_owned().await }
    }
}

impl Mine {
    /// Returns when the tablet has come again.
    pub async fn is_over(&mut self) {
        let number = self.number;
        // The sender lives as long as the server.
        if self.newest.wait_for(|newest| *newest > number).await.is_err() {
            std::future::pending().await
        }
    }
}
