//! What became of frames whose verdicts were lost with a cut link.
//!
//! A frame is committed whole, with the list that it holds: where that is stored, and something is known of everything in it,
//! the frame arrived, or need not be sent again.

use wayside_protocol::record::{Hash, RecordId};
use wayside_protocol::sync::ListItem;
use wayside_protocol::sync::frame::{Sent, Verdict, Verdicts};

use crate::error::Result;
use crate::log::db::{Conn, args};
use crate::log::{self, Team};

/// Verdicts on those of these frames that were committed, numbered as they were asked for.
pub fn verdicts(conn: &Conn, teams: &[Team], sent: &[Sent]) -> Result<Vec<Verdicts>> {
    let mut found = Vec::new();
    for (frame, sent) in (0..).zip(sent) {
        let team = teams.iter().find(|team| team.id == sent.team);
        let Some(team) = team else { continue };
        let Some(items) = list(conn, team.n, &sent.list)? else { continue };
        let verdicts = items.iter().map(|(record, hash)| verdict(conn, team.n, *record, hash));
        // One that is nowhere: the tablet was giving it back, of somebody's list of which there was some already.
        if let Some(verdicts) = verdicts.collect::<Result<Option<Vec<_>>>>()? {
            found.push(Verdicts { team: team.id, frame, verdicts });
        }
    }
    Ok(found)
}

/// What stands in the list of which these are the first bytes of the signature.
fn list(conn: &Conn, team: i64, signature: &[u8; 16]) -> Result<Option<Vec<ListItem>>> {
    let (mut from, mut to) = ([0; 64], [0xff; 64]);
    from[..16].copy_from_slice(signature);
    to[..16].copy_from_slice(signature);
    let n: Option<i64> = conn.one(
        "SELECT n FROM signed_list WHERE team = ? AND signature BETWEEN ? AND ?",
        args![team, from, to],
        |row| row.get(0),
    )?;
    Ok(n.map(|n| log::signed_items(conn, n)).transpose()?.map(|(_, _, items)| items))
}

fn verdict(conn: &Conn, team: i64, record: RecordId, hash: &Hash) -> Result<Option<Verdict>> {
    if log::is_erased(conn, record)? {
        return Ok(Some(Verdict::Erased));
    }
    if let Some(seq) = log::known(conn, team, record, hash)? {
        return Ok(Some(Verdict::Known { seq }));
    }
    if let Some(code) = log::quarantine_code(conn, team, record, hash)? {
        return Ok(Some(Verdict::Quarantined { code }));
    }
    let waits: Option<i64> = conn.one(
        "SELECT 1 FROM waiting WHERE team = ? AND record = ? AND hash = ?",
        args![team, record, hash],
        |row| row.get(0),
    )?;
    Ok(waits.map(|_| Verdict::Waiting))
}
