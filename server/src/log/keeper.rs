//! What the log knows of the keys and the ledger that it belongs to, of its backups, and of what went wrong with it.

use wayside_protocol::error::Code;
use wayside_protocol::sync::PublicKey;

use super::db::{Conn, args};
use crate::error::Result;

/// How long somebody may restore from a backup and have all that came after it back from the tablets.
pub const RESTORE_WINDOW_MS: u64 = 7 * 24 * 60 * 60 * 1000;

/// Whose log this is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keeper {
    pub identity: PublicKey,
    pub ledger: [u8; 16],
    /// The last entry of the ledger that this log knows.
    pub position: u64,
}

/// `None` for a log that was never opened beside a ledger.
pub fn keeper(conn: &Conn) -> Result<Option<Keeper>> {
    conn.one("SELECT identity, ledger, position FROM keeper", &[], |row| {
        Ok(Keeper { identity: row.get(0)?, ledger: row.get(1)?, position: row.get(2)? })
    })
}

pub fn set_keeper(conn: &Conn, keeper: &Keeper) -> Result<()> {
    conn.execute(
        "INSERT INTO keeper (one, identity, ledger, position) VALUES (1, ?, ?, ?)
         ON CONFLICT (one) DO UPDATE
         SET identity = excluded.identity, ledger = excluded.ledger, position = excluded.position",
        args![keeper.identity, keeper.ledger, keeper.position],
    )?;
    Ok(())
}

/// Notes that this log knows the ledger up to here.
pub fn know_ledger(conn: &Conn, position: u64) -> Result<()> {
    conn.execute("UPDATE keeper SET position = ?1 WHERE position < ?1", args![position])?;
    Ok(())
}

/// What coordinators should know of the log itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alarm {
    pub code: String,
    /// The id of the tablet that it is about, if it is about one.
    pub tablet: Option<String>,
    /// Milliseconds since 1970.
    pub last_at: u64,
    pub times: u64,
}

/// Raises an alarm, or says that it was raised again.
pub fn alarm(conn: &Conn, code: Code, tablet: Option<&str>, now_ms: u64) -> Result<()> {
    tracing::warn!(%code, tablet, "alarm");
    conn.execute(
        "INSERT INTO alarm (code, tablet, first_at, last_at, times) VALUES (?1, ?2, ?3, ?3, 1)
         ON CONFLICT (code, tablet) DO UPDATE SET last_at = excluded.last_at, times = alarm.times + 1",
        args![code.as_str(), tablet.unwrap_or_default(), now_ms],
    )?;
    Ok(())
}

/// The alarms of the restore window, the latest first.
pub fn alarms(conn: &Conn, now_ms: u64) -> Result<Vec<Alarm>> {
    conn.all(
        "SELECT code, tablet, last_at, times FROM alarm WHERE last_at > ? ORDER BY last_at DESC, n DESC",
        args![now_ms.saturating_sub(RESTORE_WINDOW_MS)],
        |row| {
            let tablet: String = row.get(1)?;
            let tablet = (!tablet.is_empty()).then_some(tablet);
            Ok(Alarm { code: row.get(0)?, tablet, last_at: row.get(2)?, times: row.get(3)? })
        },
    )
}

/// Notes a backup that was opened again and compared, with where each team's log ended in it.
pub fn add_restore_point(conn: &Conn, made_at: u64, heads: &[(i64, u64)]) -> Result<()> {
    let point =
        conn.only("INSERT INTO restore_point (made_at) VALUES (?) RETURNING n", args![made_at], |row| {
            row.get::<i64>(0)
        })?;
    for (team, head) in heads {
        conn.execute(
            "INSERT INTO restore_point_head (point, team, head) VALUES (?, ?, ?)",
            args![point, team, head],
        )?;
    }
    Ok(())
}

/// When the newest backup was made that was opened again and compared, in milliseconds since 1970; `None` if there was none.
pub fn last_restore_point(conn: &Conn) -> Result<Option<u64>> {
    conn.one("SELECT made_at FROM restore_point ORDER BY made_at DESC LIMIT 1", &[], |row| row.get(0))
}

/// Up to here a tablet may drop bytes of a team's log: whatever backup of the restore window the server is
/// restored from, it has them. 0 where there is no backup, or the oldest does not know the team.
pub fn watermark(conn: &Conn, team: i64, now_ms: u64) -> Result<u64> {
    let head = conn.one(
        "SELECT coalesce((SELECT head FROM restore_point_head WHERE point = restore_point.n AND team = ?), 0)
         FROM restore_point WHERE made_at >= ? ORDER BY made_at, n LIMIT 1",
        args![team, now_ms.saturating_sub(RESTORE_WINDOW_MS)],
        |row| row.get(0),
    )?;
    Ok(head.unwrap_or(0))
}

/// Gives a team's log a new epoch: no place in it that a tablet remembers holds any more.
pub fn set_epoch(conn: &Conn, team: i64, epoch: [u8; 8]) -> Result<()> {
    conn.execute("UPDATE team SET epoch = ? WHERE n = ?", args![epoch, team])?;
    // What tablets were given meanwhile is not known here: nobody is called a copy for it.
    conn.execute("UPDATE tablet SET token_shown = NULL, token_given = NULL", &[])?;
    Ok(())
}
