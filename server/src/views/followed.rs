//! How far the views of this process have come, for whoever wants to see what they have just written.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use wayside_protocol::record::RecordId;

use crate::log::{Position, Team};

/// A server that is not farther behind than this is ready: a second's work.
pub(crate) const LITTLE: u64 = 5000;

/// For each team: in which epoch the views follow it, and the last number that they show.
pub type Shown = BTreeMap<RecordId, ([u8; 8], u64)>;

#[derive(Default)]
pub struct Followed {
    /// `None` while nobody follows here.
    state: Mutex<Option<State>>,
    moved: Condvar,
}

#[derive(Default)]
struct State {
    shown: Shown,
    /// False from the start, and while a team is derived anew, until the views have come to the end of the log.
    complete: bool,
}

/// What the views of this process lack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Behind {
    /// Changes and entries of the log.
    pub changes: u64,
    /// In so many teams.
    pub teams: usize,
    /// Whether pages may be asked for here.
    pub ready: bool,
}

impl Followed {
    /// Somebody begins to follow. No page is shown before the first time that the views are complete.
    pub fn begin(&self) {
        self.state().get_or_insert_default();
    }

    /// Nobody follows any more: ends every wait.
    pub fn end(&self) {
        *self.state() = None;
        self.moved.notify_all();
    }

    /// Says how far the views have come.
    pub fn now_at(&self, shown: Shown) {
        if let Some(state) = &mut *self.state() {
            let goes_on = |(team, (epoch, seq)): (&RecordId, &([u8; 8], u64))| {
                shown.get(team).is_some_and(|(now, to)| now == epoch && to >= seq)
            };
            // Else a team is derived anew.
            state.complete &= state.shown.iter().all(goes_on);
            state.shown = shown;
        }
        self.moved.notify_all();
    }

    /// The same at the end of the log.
    pub fn now_complete(&self, shown: Shown) {
        if let Some(state) = &mut *self.state() {
            *state = State { shown, complete: true };
        }
        self.moved.notify_all();
    }

    /// What they lack of these teams.
    pub fn behind(&self, teams: &[Team]) -> Behind {
        let state = self.state();
        let shown = |team: &Team| {
            let (epoch, seq) = state.as_ref()?.shown.get(&team.id)?;
            (*epoch == team.epoch).then_some(*seq)
        };
        let lacking = teams.iter().map(|team| team.head.saturating_sub(shown(team).unwrap_or_default()));
        let lacking: Vec<u64> = lacking.filter(|changes| *changes > 0).collect();
        let changes = lacking.iter().sum();
        let complete = state.as_ref().is_some_and(|state| state.complete);
        Behind { changes, teams: lacking.len(), ready: complete && changes <= LITTLE }
    }

    /// Whether pages would show views that are half made.
    pub fn is_incomplete(&self) -> bool {
        self.state().as_ref().is_some_and(|state| !state.complete)
    }

    /// Waits until the views show a place in the log, at most so long; false if they don't. Not at all where nobody
    /// follows: a command line writes without views. Blocks, unless it need not wait.
    pub fn wait_for(&self, position: &Position, at_most: Duration) -> bool {
        let lacks = |state: &mut Option<State>| {
            state.as_ref().is_some_and(|state| {
                let shown = state.shown.get(&position.team);
                !shown.is_some_and(|(epoch, seq)| *epoch == position.epoch && *seq >= position.seq)
            })
        };
        let waited = self.moved.wait_timeout_while(self.state(), at_most, lacks);
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }

    fn state(&self) -> MutexGuard<'_, Option<State>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    const LONG: Duration = Duration::from_secs(60);
    const TEAM: RecordId = RecordId::from_bytes([7; 16]);

    fn at(seq: u64) -> Position {
        Position { team: TEAM, epoch: [1; 8], seq }
    }

    fn shown(seq: u64) -> Shown {
        Shown::from([(TEAM, ([1; 8], seq))])
    }

    #[test]
    fn who_wrote_waits_for_the_views_and_never_for_ever() {
        let followed = Followed::default();
        let begun = Instant::now();
        assert!(followed.wait_for(&at(1), LONG));
        followed.begin();
        followed.now_complete(shown(4));
        assert!(followed.wait_for(&at(4), LONG));
        assert!(begun.elapsed() < LONG, "nobody follows, or it is there already");

        let short = Duration::from_millis(30);
        let begun = Instant::now();
        assert!(!followed.wait_for(&at(5), short));
        assert!(!followed.wait_for(&Position { team: RecordId::from_bytes([8; 16]), ..at(1) }, short));
        assert!(!followed.wait_for(&Position { epoch: [2; 8], ..at(1) }, short));
        assert!(begun.elapsed() >= 3 * short, "behind, a team that the views have not met, another epoch");

        std::thread::scope(|scope| {
            let waits = scope.spawn(|| followed.wait_for(&at(5), LONG));
            followed.now_at(shown(5));
            assert!(waits.join().unwrap());
            let waits = scope.spawn(|| followed.wait_for(&at(6), LONG));
            followed.end();
            waits.join().unwrap();
        });
        assert!(begun.elapsed() < LONG);
    }

    #[test]
    fn nobody_is_ready_before_the_views_were_complete_once_and_while_a_team_is_derived_anew() {
        let team = |epoch, head| Team { n: 1, id: TEAM, name: "North".into(), epoch, head };
        let followed = Followed::default();
        let all = [team([1; 8], LITTLE + 4)];
        assert!(!followed.is_incomplete(), "nobody follows: a command line");
        assert!(!followed.behind(&all).ready);
        followed.begin();
        followed.now_at(shown(4));
        assert!(followed.is_incomplete());
        assert_eq!(followed.behind(&all), Behind { changes: LITTLE, teams: 1, ready: false });
        followed.now_complete(shown(4));
        assert!(!followed.is_incomplete());
        assert_eq!(followed.behind(&all), Behind { changes: LITTLE, teams: 1, ready: true });
        assert!(!followed.behind(&[team([1; 8], LITTLE + 5)]).ready);
        assert_eq!(followed.behind(&[team([1; 8], 4)]), Behind { changes: 0, teams: 0, ready: true });

        assert_eq!(followed.behind(&[team([2; 8], 9)]).changes, 9);
        followed.now_at(Shown::from([(TEAM, ([2; 8], 0))]));
        assert!(followed.is_incomplete());
        followed.now_complete(Shown::from([(TEAM, ([2; 8], 9))]));
        assert!(!followed.is_incomplete());
    }
}
