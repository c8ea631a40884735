//! Notices what other nodes append: at once where the database passes on hints, within a second in any case.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::db::{Conn, Place};
use super::ends::Teller;
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
    pub fn start(place: Place, ends: Teller) -> Result<Watcher> {
        let ending = Arc::<AtomicBool>::default();
        let over = ending.clone();
        let run = move || {
            while !over.load(Ordering::Relaxed) {
                if let Err(error) = follow(&place, &ends, &over) {
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
fn follow(place: &Place, ends: &Teller, over: &AtomicBool) -> Result<()> {
    let conn = Conn::reader(place)?;
    // Not every engine has it.
    let _ = conn.listen(super::remote::CHANNEL);
    while !over.load(Ordering::Relaxed) {
        ends.look(&conn)?;
        let until = Instant::now() + POLL;
        while Instant::now() < until && !over.load(Ordering::Relaxed) {
            let hints = conn.hints(SLICE)?;
            let hinted = hints.iter().filter_map(|hint| hint.split_once(' '));
            ends.heard(hinted.filter_map(|(team, head)| Some((team.parse().ok()?, head.parse().ok()?))));
        }
    }
    Ok(())
}
