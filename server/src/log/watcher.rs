//! Notices what other nodes append: at once where the database passes on hints, within a second in any case.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::db::{Conn, Place};
use super::{Heads, heads_of};
use crate::error::{Error, Result};

/// How often the heads are read, hints or none.
const POLL: Duration = Duration::from_secs(1);
/// A thread that is to end notices within this.
const SLICE: Duration = Duration::from_millis(100);

pub(super) struct Watcher {
    ending: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Watcher {
    pub fn start(place: Place, heads: Arc<watch::Sender<Heads>>) -> Result<Watcher> {
        let ending = Arc::<AtomicBool>::default();
        let ends = ending.clone();
        let run = move || {
            while !ends.load(Ordering::Relaxed) {
                if let Err(error) = follow(&place, &heads, &ends) {
                    tracing::warn!(detail = error.detail(), "what other nodes append is noticed late");
                    thread::sleep(POLL);
                }
            }
        };
        let thread = thread::Builder::new().name("log watcher".into()).spawn(run);
        let thread = thread.map_err(|error| Error::File("log watcher", error))?;
        Ok(Watcher { ending, thread: Some(thread) })
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.ending.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Until the connection is lost or the watcher ends.
fn follow(place: &Place, heads: &watch::Sender<Heads>, ends: &AtomicBool) -> Result<()> {
    let conn = Conn::reader(place)?;
    // Not every engine has it.
    let _ = conn.listen(super::remote::CHANNEL);
    while !ends.load(Ordering::Relaxed) {
        let now = heads_of(&conn)?;
        heads.send_if_modified(|held| {
            let moved = *held != now;
            *held = now;
            moved
        });
        let until = Instant::now() + POLL;
        while Instant::now() < until && !ends.load(Ordering::Relaxed) {
            let hints = conn.hints(SLICE)?;
            if hints.is_empty() {
                continue;
            }
            let hinted: BTreeMap<_, u64> = hints
                .iter()
                .filter_map(|hint| hint.split_once(' '))
                .filter_map(|(team, head)| Some((team.parse().ok()?, head.parse().ok()?)))
                .collect();
            heads.send_if_modified(|held| {
                let before = held.clone();
                for (team, head) in hinted {
                    let known = held.entry(team).or_default();
                    *known = (*known).max(head);
                }
                *held != before
            });
        }
    }
    Ok(())
}
