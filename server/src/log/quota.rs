//! How much may lie in quarantine of one tablet, and of one team. Nothing there is ever deleted by itself, so without a
//! bound one tablet gone bad, a revoked one too, could fill the disk.

use super::Source;
use super::db::{Conn, Value, args};
use crate::error::Result;

/// When a tablet comes again for whose changes there is no room: somebody has to look at what is there.
pub(super) const AGAIN_S: u64 = 15 * 60;

/// So many changes, and so many bytes of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    pub changes: u64,
    pub bytes: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quotas {
    /// Of what one tablet sent, over all teams.
    pub tablet: Quota,
    /// Of one team, whoever sent it.
    pub team: Quota,
}

/// What is left of both.
pub(super) struct Room {
    tablet: Quota,
    team: Quota,
}

/// Whether quarantine takes so many bytes more of who sends this. `room` is what it takes, once that was looked up.
pub(super) fn takes(
    room: &mut Option<Room>,
    conn: &Conn,
    team: i64,
    source: &Source,
    bytes: u64,
) -> Result<bool> {
    let Some(quotas) = &source.quotas else { return Ok(true) };
    let left = match room.take() {
        Some(left) => left,
        None => Room::left(conn, team, &source.tablet, quotas)?,
    };
    Ok(room.insert(left).take(bytes))
}

impl Room {
    fn left(conn: &Conn, team: i64, tablet: &str, quotas: &Quotas) -> Result<Room> {
        // From indexes that hold just this: quarantine may be large.
        let held = |column: &str, of: &[Value]| {
            let sql =
                format!("SELECT count(*), coalesce(sum(length(raw)), 0) FROM quarantine WHERE {column} = ?");
            conn.only(&sql, of, |row| Ok(Quota { changes: row.get(0)?, bytes: row.get(1)? }))
        };
        let (of_tablet, of_team) = (held("tablet", args![tablet])?, held("team", args![team])?);
        Ok(Room { tablet: quotas.tablet.less(of_tablet), team: quotas.team.less(of_team) })
    }

    /// Takes room for one more change, if there is any.
    fn take(&mut self, bytes: u64) -> bool {
        let one = Quota { changes: 1, bytes };
        let fits = self.tablet.holds(one) && self.team.holds(one);
        if fits {
            (self.tablet, self.team) = (self.tablet.less(one), self.team.less(one));
        }
        fits
    }
}

impl Quota {
    fn holds(self, other: Quota) -> bool {
        self.changes >= other.changes && self.bytes >= other.bytes
    }

    fn less(self, other: Quota) -> Quota {
        Quota {
            changes: self.changes.saturating_sub(other.changes),
            bytes: self.bytes.saturating_sub(other.bytes),
        }
    }
}
