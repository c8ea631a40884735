//! How the server stands at this moment, read from its log.

use std::collections::BTreeMap;

use crate::error::Result;
use crate::log::{self, Conn, Figures, Team};

/// A tablet that has something to send and was silent for so long is worth a telephone call.
pub const SILENT_MS: u64 = 3 * DAY_MS;
/// A tablet's clock that is farther off than this is worth a word; the same that the pages use.
pub const SKEW_MS: i64 = 2 * 60 * 1000;
/// Tablets that were here within this time say something about the clock of the server.
pub const LATELY_MS: u64 = 7 * DAY_MS;
pub const DAY_MS: u64 = 24 * 60 * 60 * 1000;

pub struct Facts {
    pub teams: Vec<Team>,
    pub figures: Figures,
    pub fleet: Fleet,
    /// By code, of the last week.
    pub alarms: BTreeMap<String, u64>,
}

#[derive(Debug, Default, PartialEq, Eq)]
pub struct Fleet {
    /// That are not revoked.
    pub tablets: usize,
    /// That were here within a week.
    pub lately: usize,
    /// Changes that they held back when they were last here.
    pub outbox: u64,
    /// With something to send, and silent for [`SILENT_MS`].
    pub silent: usize,
    /// Revoked, and not yet heard to have wiped themselves.
    pub unwiped: usize,
    /// Lately here with a clock that is off.
    pub skewed: usize,
    /// When the last of them was here.
    pub last_seen_at: Option<u64>,
    /// How far their clocks are off in the middle; said only where at least three were here.
    pub skew_ms: Option<i64>,
}

impl Facts {
    /// Reads them. Blocks.
    pub fn of(conn: &Conn, now: u64) -> Result<Facts> {
        let mut alarms = BTreeMap::new();
        for alarm in log::alarms(conn, now)? {
            *alarms.entry(alarm.code).or_default() += alarm.times;
        }
        Ok(Facts {
            teams: log::teams(conn)?,
            figures: log::figures(conn)?,
            fleet: Fleet::of(&log::fleet(conn)?, now),
            alarms,
        })
    }

    /// Where the logs of all teams end, added up.
    pub fn head(&self) -> u64 {
        self.teams.iter().map(|team| team.head).sum()
    }
}

impl Fleet {
    fn of(fellows: &[log::Fellow], now: u64) -> Fleet {
        let mut fleet = Fleet::default();
        let mut skews = Vec::new();
        for one in fellows {
            if one.revoked_at.is_some() {
                fleet.unwiped += usize::from(one.ordered_at.is_none());
                continue;
            }
            let silent_ms = now.saturating_sub(one.last_seen_at.unwrap_or(one.enrolled_at));
            let waiting = one.waiting.unwrap_or_default();
            fleet.tablets += 1;
            fleet.last_seen_at = fleet.last_seen_at.max(one.last_seen_at);
            fleet.outbox += waiting;
            fleet.silent += usize::from(waiting > 0 && silent_ms > SILENT_MS);
            if let Some(skew) = one.skew_ms.filter(|_| silent_ms <= LATELY_MS) {
                fleet.lately += 1;
                fleet.skewed += usize::from(skew.abs() >= SKEW_MS);
                skews.push(skew);
            }
        }
        skews.sort_unstable();
        // Of two, one may be wrong.
        fleet.skew_ms = skews.get(skews.len() / 2).copied().filter(|_| skews.len() >= 3);
        fleet
    }
}
