//! How far the views of this process have come, for whoever wants to see what they have just written.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use wayside_protocol::record::RecordId;

use crate::log::Heads;

/// The last number of each team that the views show; `None` while nobody follows here.
#[derive(Default)]
pub struct Followed {
    heads: Mutex<Option<Heads>>,
    moved: Condvar,
}

impl Followed {
    /// Says how far the views have come; `None` ends every wait.
    pub fn now_at(&self, heads: Option<Heads>) {
        *self.heads.lock().unwrap_or_else(PoisonError::into_inner) = heads;
        self.moved.notify_all();
    }

    /// Waits until the views show a number of a team, at most so long. Not at all where nobody follows: a
    /// command line writes without views. Blocks.
    pub fn wait_for(&self, team: RecordId, seq: u64, at_most: Duration) {
        let heads = self.heads.lock().unwrap_or_else(PoisonError::into_inner);
        let behind = |heads: &mut Option<Heads>| {
            heads.as_ref().is_some_and(|heads| heads.get(&team).is_none_or(|shown| *shown < seq))
        };
        // Whether it came or the time ran out: what was written is durable, and is answered for either way.
        drop(self.moved.wait_timeout_while(heads, at_most, behind));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn who_wrote_waits_for_the_views_and_never_for_ever() {
        let (followed, team) = (Followed::default(), RecordId::from_bytes([7; 16]));
        let begun = Instant::now();
        followed.wait_for(team, 1, LONG);
        followed.now_at(Some(Heads::from([(team, 4)])));
        followed.wait_for(team, 4, LONG);
        assert!(begun.elapsed() < LONG, "nobody follows, or it is there already");

        let short = Duration::from_millis(30);
        let begun = Instant::now();
        followed.wait_for(team, 5, short);
        followed.wait_for(RecordId::from_bytes([8; 16]), 1, short);
        assert!(begun.elapsed() >= 2 * short, "behind, and a team that the views have not met");

        std::thread::scope(|scope| {
            let waits = scope.spawn(|| followed.wait_for(team, 5, LONG));
            followed.now_at(Some(Heads::from([(team, 5)])));
            waits.join().unwrap();
            let waits = scope.spawn(|| followed.wait_for(team, 6, LONG));
            followed.now_at(None);
            waits.join().unwrap();
        });
        assert!(begun.elapsed() < LONG);
    }
}
