//! One exchange of a tablet at a time, and none that the tablet has given up.
//!
//! A tablet that comes again after a cut asks what arrived. Its earlier request may still be here, its last frames
//! in the middle of their commit, or its link dead without anybody having noticed. So the new one tells the old one to
//! come to an end, and waits for that. Or the old one may not have been read at all yet, by a server that is busy: the
//! tablet names it by its nonce, and it is turned away when it comes. No clock orders requests, on neither side.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedMutexGuard, watch};
use wayside_protocol::error::Code;

use crate::error::Result;
use crate::log::Log;
use crate::log::db::{Conn, args};

type Nonce = [u8; 16];

/// Requests that a tablet has given up and that are remembered, the oldest forgotten first. Each costs the tablet a link
/// that was cut; one that comes after so many others was held up for longer than its time passes.
const GIVEN_UP: usize = 64;

#[derive(Default)]
pub struct Turns(Mutex<HashMap<i64, Turn>>);

struct Turn {
    /// Counts those who came.
    newest: watch::Sender<u64>,
    /// Held by who is at it.
    at_it: Arc<tokio::sync::Mutex<()>>,
    given_up: VecDeque<Nonce>,
}

/// A tablet's turn, until it is dropped.
pub struct Mine {
    number: u64,
    newest: watch::Receiver<u64>,
    _at_it: OwnedMutexGuard<()>,
}

impl Turns {
    /// Waits for the turn of a request. It names the earlier one that its tablet has given up, if any.
    pub async fn take(&self, tablet: i64, nonce: Nonce, given_up: Option<Nonce>) -> Result<Mine> {
        let (number, newest, at_it) = self.with(tablet, |turn| {
            turn.give_up(given_up);
            turn.allow(nonce)?;
            turn.newest.send_modify(|newest| *newest += 1);
            let number = *turn.newest.borrow();
            Ok((number, turn.newest.subscribe(), turn.at_it.clone()))
        })?;
        let at_it = at_it.lock_owned().await;
        // The tablet may have come again while this one waited.
        self.with(tablet, |turn| turn.allow(nonce))?;
        Ok(Mine { number, newest, _at_it: at_it })
    }

    fn with<T>(&self, tablet: i64, see: impl FnOnce(&mut Turn) -> Result<T>) -> Result<T> {
        let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || Turn { newest: watch::channel(0).0, at_it: Arc::default(), given_up: VecDeque::new() };
        see(turns.entry(tablet).or_insert_with(new))
    }
}

impl Turn {
    fn give_up(&mut self, nonce: Option<Nonce>) {
        let Some(nonce) = nonce.filter(|nonce| !self.given_up.contains(nonce)) else { return };
        if self.given_up.len() == GIVEN_UP {
            self.given_up.pop_front();
        }
        self.given_up.push_back(nonce);
    }

    /// Nobody hears what is answered to a request that was given up.
    fn allow(&self, nonce: Nonce) -> Result<()> {
        if self.given_up.contains(&nonce) { Err(Code::LinkCut.into()) } else { Ok(()) }
    }
}

/// Takes the turn of a request at all nodes over one log. Whoever had it stores nothing any more, once what it is
/// committing now is there: see `log::append`. Blocks.
pub fn take_shared(log: &Log, tablet: i64, nonce: Nonce, given_up: Option<Nonce>) -> Result<()> {
    let take = |conn: &Conn| {
        // The first of all: the row keeps others of this tablet waiting until this one is done.
        conn.execute(
            "INSERT INTO turn (tablet, nonce) VALUES (?, ?)
             ON CONFLICT (tablet) DO UPDATE SET nonce = excluded.nonce",
            args![tablet, nonce],
        )?;
        if let Some(given_up) = given_up {
            let sql = "INSERT INTO given_up (tablet, nonce) VALUES (?, ?) ON CONFLICT DO NOTHING";
            conn.execute(sql, args![tablet, given_up])?;
        }
        let sql = "SELECT 1 FROM given_up WHERE tablet = ? AND nonce = ?";
        if conn.exists(sql, args![tablet, nonce])? { Err(Code::LinkCut.into()) } else { Ok(()) }
    };
    log.jot(|conn| conn.alone(take))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(taken: Result<Mine>) -> bool {
        taken.is_err_and(|error| error.code() == Code::LinkCut)
    }

    #[tokio::test]
    async fn what_was_given_up_is_turned_away_before_and_while_it_waits_and_of_no_other_tablet() {
        let turns = Arc::new(Turns::default());
        let first = turns.take(1, [1; 16], None).await.unwrap();
        let waiting = turns.clone();
        let waiting = tokio::spawn(async move { waiting.take(1, [2; 16], None).await });
        while *first.newest.borrow() < 2 {
            tokio::task::yield_now().await;
        }
        let again = turns.clone();
        let again = tokio::spawn(async move { again.take(1, [3; 16], Some([2; 16])).await });
        while *first.newest.borrow() < 3 {
            tokio::task::yield_now().await;
        }
        // The one that is at it may still finish: the newest waits for it.
        drop(first);
        assert!(refused(waiting.await.unwrap()));
        drop(again.await.unwrap().unwrap());
        assert!(refused(turns.take(1, [2; 16], None).await), "and whenever it comes");
        assert!(turns.take(2, [2; 16], None).await.is_ok());
    }

    #[tokio::test]
    async fn what_is_remembered_is_bounded() {
        let turns = Turns::default();
        for n in 0..3 * GIVEN_UP as u8 {
            drop(turns.take(1, [255; 16], Some([n; 16])).await.unwrap());
        }
        assert!(refused(turns.take(1, [2 * GIVEN_UP as u8; 16], None).await));
        assert_eq!(turns.0.lock().unwrap()[&1].given_up.len(), GIVEN_UP);
    }
}
