//! Tablets that may not have a team's records any more: revoked, or taken out of a team.
//!
//! Both are one thing here: the team moves from those that a tablet belongs to (`tablet_team`) to those that it has left
//! (`tablet_left`). It is sent nothing of these, and what it sends goes to quarantine, until it has obeyed.

use wayside_protocol::error::Code;
use wayside_protocol::record::{RecordId, tablet_id};
use wayside_protocol::sync::{PublicKey, SignatureBytes};

use super::db::{Conn, args};
use super::{Team, Txn, tablet_by_key, team};
use crate::error::Result;

/// Revokes a tablet by its key, whether or not it was before. The log knows no way back: the tablet makes itself a new key.
pub fn revoke(conn: &Conn, key: &PublicKey, now_ms: u64) -> Result<()> {
    let sql = "UPDATE tablet SET revoked_at = coalesce(revoked_at, ?) WHERE public_key = ?";
    conn.execute(sql, args![now_ms, key])?;
    leave(conn, key, None, now_ms)
}

/// Takes a tablet out of a team.
pub fn take_out(conn: &Conn, key: &PublicKey, team: RecordId, now_ms: u64) -> Result<()> {
    leave(conn, key, Some(team), now_ms)
}

fn leave(conn: &Conn, key: &PublicKey, team: Option<RecordId>, now_ms: u64) -> Result<()> {
    let of = "tablet = (SELECT n FROM tablet WHERE public_key = ?1)
        AND (team = (SELECT n FROM team WHERE id = ?2) OR ?2 IS NULL)";
    let sql = format!(
        "INSERT INTO tablet_left (tablet, team, since) SELECT tablet, team, ?3 FROM tablet_team WHERE {of}
         ON CONFLICT DO NOTHING"
    );
    conn.execute(&sql, args![key, team, now_ms])?;
    conn.execute(&format!("DELETE FROM tablet_team WHERE {of}"), args![key, team])?;
    Ok(())
}

/// The teams that a tablet was taken out of, as far as it has not joined them again.
pub fn left_by(conn: &Conn, tablet: i64) -> Result<Vec<Team>> {
    team::through(conn, "tablet_left", tablet)
}

/// Whether what a tablet sends of a team is kept apart.
pub fn is_held_back(conn: &Conn, tablet: &str, team: i64) -> Result<bool> {
    let sql = "SELECT 1 FROM tablet JOIN tablet_left ON tablet_left.tablet = tablet.n
        WHERE tablet.id = ? AND tablet_left.team = ?";
    conn.exists(sql, args![tablet, team])
}

/// Notes that a tablet which was revoked was ordered to wipe itself, and had nothing left to hand over.
pub fn note_ordered(conn: &Conn, tablet: i64, now_ms: u64) -> Result<()> {
    let sql = "UPDATE tablet SET ordered_at = ? WHERE n = ? AND ordered_at IS NULL";
    conn.execute(sql, args![now_ms, tablet]).map(drop)
}

/// The key of a tablet that is still in use, by its id; [`Code::RecordNotFound`] where there is none.
pub fn key_of(conn: &Conn, id: &str) -> Result<PublicKey> {
    let sql = "SELECT public_key FROM tablet WHERE id = ? AND replaced_by IS NULL";
    conn.one(sql, args![id], |row| row.get(0))?.ok_or(Code::RecordNotFound.into())
}

/// Lets a tablet go by a new key, in the place of one that may not sync any more: the teams, also those that it was taken
/// out of, move along. What the old one signed stays valid. Doing it again changes nothing; [`Code::KeyReplaced`] where the
/// old key has another successor, or the new one is known already.
pub fn renew(
    conn: &Conn,
    old: &PublicKey,
    new: &PublicKey,
    certificate: SignatureBytes,
    now_ms: u64,
) -> Result<()> {
    let id = tablet_id(new);
    let before = tablet_by_key(conn, old)?.ok_or(Code::TabletUnknown)?;
    if before.replaced_by.as_ref() == Some(&id) {
        return Ok(());
    }
    if before.replaced_by.is_some() || tablet_by_key(conn, new)?.is_some() {
        return Err(Code::KeyReplaced.into());
    }
    conn.execute(
        "INSERT INTO tablet (id, public_key, name, certificate, enrolled_at, last_seen_at, clock_skew_ms, waiting,
                capabilities, revoked_at)
         SELECT ?, ?, name, ?, ?, last_seen_at, clock_skew_ms, waiting, capabilities, revoked_at
         FROM tablet WHERE public_key = ?",
        args![&id, new, certificate, now_ms, old],
    )?;
    for table in ["tablet_team", "tablet_left"] {
        let sql = format!(
            "UPDATE {table} SET tablet = (SELECT n FROM tablet WHERE public_key = ?)
             WHERE tablet = (SELECT n FROM tablet WHERE public_key = ?)"
        );
        conn.execute(&sql, args![new, old])?;
    }
    conn.execute("UPDATE tablet SET replaced_by = ? WHERE public_key = ?", args![id, old]).map(drop)
}

/// Wakes whoever waits for news of these teams: a tablet that was taken out of one learns it at once.
pub fn wake(txn: &mut Txn, teams: &[Team]) {
    teams.iter().for_each(|team| txn.moved(team.id, team.head));
}

/// Refuses for good what a revoked tablet sent, and returns how much. It stays in quarantine, and whoever else sends the
/// same is heard.
pub fn refuse_held(conn: &Conn, tablet: &str) -> Result<u64> {
    let (held, refused) = (Code::FromRevokedTablet, Code::RefusedAtBase);
    let sql = "UPDATE quarantine SET code = ?, message = ? WHERE tablet = ? AND code = ?";
    Ok(conn.execute(sql, args![refused.as_str(), refused.message(), tablet, held.as_str()])? as u64)
}
