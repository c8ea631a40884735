//! What coordinators tell each other at the desk: who is on it, and which held changes somebody has looked at.

use wayside_protocol::error::Code;
use wayside_protocol::record::{Hash, RecordId};

use super::db::{Conn, args};
use super::read::{QUARANTINED, Quarantined, quarantined};
use crate::accounts::Teams;
use crate::error::{Error, Result};

/// How long a claim stands unless it is renewed: a call with a queue in front of it (D).
pub const CLAIM_MS: u64 = 30 * 60 * 1000;

/// Somebody is on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimed {
    pub record: RecordId,
    pub account: i64,
    /// The account's name.
    pub name: String,
    /// Milliseconds since 1970.
    pub at: u64,
}

/// Claims that stand now.
pub fn claims(conn: &Conn, now: u64) -> Result<Vec<Claimed>> {
    conn.all(
        "SELECT claim.record, claim.account, account.name, claim.at FROM claim
         JOIN account ON account.n = claim.account WHERE claim.expires_at > ? ORDER BY claim.at, claim.record",
        args![now],
        |row| {
            Ok(Claimed { record: row.get(0)?, account: row.get(1)?, name: row.get(2)?, at: row.get(3)? })
        },
    )
}

/// Takes it on, or goes on with it. `over` takes it from whoever has it; else that is refused.
pub fn claim(conn: &Conn, record: RecordId, account: i64, over: bool, now: u64) -> Result<()> {
    conn.execute("DELETE FROM claim WHERE expires_at <= ?", args![now])?;
    // In one step: of two who take it at once, at whichever server, one has it.
    conn.execute(
        "INSERT INTO claim (record, account, at, expires_at) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (record) DO UPDATE SET account = excluded.account, at = excluded.at,
             expires_at = excluded.expires_at WHERE claim.account = excluded.account OR ?5 = 1",
        args![record, account, now, now + CLAIM_MS, u64::from(over)],
    )?;
    let (holder, name): (i64, String) = conn.only(
        "SELECT account, name FROM claim JOIN account ON account.n = claim.account WHERE record = ?",
        args![record],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    match holder == account {
        true => Ok(()),
        false => Err(Error::Said(Code::ChangedMeanwhile, format!("{name} is on it already."))),
    }
}

/// No longer on it. Nothing happens where somebody else is.
pub fn leave(conn: &Conn, record: RecordId, account: i64) -> Result<()> {
    conn.execute("DELETE FROM claim WHERE record = ? AND account = ?", args![record, account])?;
    Ok(())
}

/// Changes in quarantine at which nobody has looked, the oldest first.
pub fn held_unseen(conn: &Conn, team: Option<RecordId>, skip: u64, limit: u64) -> Result<Vec<Quarantined>> {
    let sql =
        format!("SELECT {QUARANTINED} WHERE {UNSEEN} ORDER BY received_at, quarantine.n LIMIT ?2 OFFSET ?3");
    conn.all(&sql, args![of(team), limit, skip], quarantined)
}

/// ?1 is a team's id, or nothing at all for every team's.
const UNSEEN: &str = "(length(?1) = 0 OR team.id = ?1)
    AND NOT EXISTS (SELECT 1 FROM held_seen WHERE held_seen.quarantine = quarantine.n)";

fn of(team: Option<RecordId>) -> Vec<u8> {
    team.map(|team| team.as_bytes().to_vec()).unwrap_or_default()
}

pub fn held_unseen_count(conn: &Conn, team: Option<RecordId>) -> Result<u64> {
    let sql = format!("SELECT count(*) FROM quarantine JOIN team ON team.n = quarantine.team WHERE {UNSEEN}");
    conn.only(&sql, args![of(team)], |row| row.get(0))
}

/// Notes that somebody has looked at what is held of these teams under this hash, or takes that back.
pub fn note_held_seen(
    conn: &Conn,
    hash: &Hash,
    teams: &Teams,
    account: i64,
    seen: bool,
    now: u64,
) -> Result<()> {
    let sql =
        "SELECT quarantine.n, team.id FROM quarantine JOIN team ON team.n = quarantine.team WHERE hash = ?";
    let mut rows: Vec<(i64, RecordId)> = conn.all(sql, args![hash], |row| Ok((row.get(0)?, row.get(1)?)))?;
    rows.retain(|(_, team)| teams.holds(*team));
    if rows.is_empty() {
        return Err(Code::NotFound.into());
    }
    for (n, _) in rows {
        if seen {
            conn.execute(
                "INSERT INTO held_seen (quarantine, account, at) VALUES (?, ?, ?)
                 ON CONFLICT (quarantine) DO NOTHING",
                args![n, account, now],
            )?;
        } else {
            conn.execute("DELETE FROM held_seen WHERE quarantine = ?", args![n])?;
        }
    }
    Ok(())
}

/// Differs once anything of this, or of quarantine, has changed.
pub fn desk_state(conn: &Conn) -> Result<String> {
    let mut parts = Vec::new();
    for sql in [
        "SELECT count(*), coalesce(max(n), 0) FROM quarantine",
        "SELECT count(*), coalesce(max(at), 0) FROM held_seen",
        "SELECT count(*), coalesce(max(at), 0) FROM claim",
    ] {
        let (count, last): (i64, i64) = conn.only(sql, &[], |row| Ok((row.get(0)?, row.get(1)?)))?;
        parts.push(format!("{count}-{last}"));
    }
    Ok(parts.join("-"))
}
