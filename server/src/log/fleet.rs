//! The tablets as whoever looks after them sees them.

use std::collections::BTreeMap;

use wayside_protocol::error::Code;
use wayside_protocol::record::RecordId;

use super::db::{Conn, args};
use super::enrol::check_name;
use crate::error::Result;

/// One tablet, with what it last said of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fellow {
    pub id: String,
    pub name: String,
    /// Milliseconds since 1970, like every time here.
    pub enrolled_at: u64,
    pub last_seen_at: Option<u64>,
    /// Its estimate of our time less ours.
    pub skew_ms: Option<i64>,
    /// Changes that it still held back; `None` where it does not say.
    pub waiting: Option<u64>,
    /// What its program can do, as bits of `sync::capability`; `None` where it was not here since this is noted.
    pub capabilities: Option<u64>,
    pub teams: Vec<RecordId>,
    /// Teams that it was taken out of.
    pub left: Vec<RecordId>,
    pub revoked_at: Option<u64>,
    /// When it was ordered to wipe itself, with nothing left to send.
    pub ordered_at: Option<u64>,
}

/// Every tablet, the one that was silent longest first.
pub fn fleet(conn: &Conn) -> Result<Vec<Fellow>> {
    let (mut teams, mut left) = (teams_in(conn, "tablet_team")?, teams_in(conn, "tablet_left")?);
    conn.all(
        "SELECT n, id, name, enrolled_at, last_seen_at, clock_skew_ms, waiting, capabilities, revoked_at,
            ordered_at
         FROM tablet WHERE replaced_by IS NULL ORDER BY coalesce(last_seen_at, 0), name, id",
        &[],
        |row| {
            Ok(Fellow {
                id: row.get(1)?,
                name: row.get(2)?,
                enrolled_at: row.get(3)?,
                last_seen_at: row.get(4)?,
                skew_ms: row.get(5)?,
                waiting: row.get(6)?,
                capabilities: row.get::<Option<i64>>(7)?.map(i64::cast_unsigned),
                teams: teams.remove(&row.get::<i64>(0)?).unwrap_or_default(),
                left: left.remove(&row.get::<i64>(0)?).unwrap_or_default(),
                revoked_at: row.get(8)?,
                ordered_at: row.get(9)?,
            })
        },
    )
}

/// The teams of each tablet in a table, by its number.
fn teams_in(conn: &Conn, table: &str) -> Result<BTreeMap<i64, Vec<RecordId>>> {
    let mut teams: BTreeMap<i64, Vec<RecordId>> = BTreeMap::new();
    let sql = format!(
        "SELECT {table}.tablet, team.id FROM {table} JOIN team ON team.n = {table}.team ORDER BY team.n"
    );
    conn.each(&sql, &[], |row| {
        teams.entry(row.get(0)?).or_default().push(row.get(1)?);
        Ok(true)
    })?;
    Ok(teams)
}

/// Gives a tablet another name. [`Code::RecordNotFound`] where there is none of that id.
pub fn rename_tablet(conn: &Conn, id: &str, name: &str) -> Result<()> {
    check_name(name)?;
    let renamed = conn.execute("UPDATE tablet SET name = ? WHERE id = ?", args![name, id])?;
    if renamed == 0 { Err(Code::RecordNotFound.into()) } else { Ok(()) }
}

/// How many codes of each team can still be used.
pub fn open_codes(conn: &Conn, now_ms: u64) -> Result<BTreeMap<RecordId, u64>> {
    let counts = conn.all(
        "SELECT team.id, count(*) FROM enrol_code JOIN team ON team.n = enrol_code.team
         WHERE used_by IS NULL AND expires_at > ? GROUP BY team.id",
        args![now_ms],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    Ok(counts.into_iter().collect())
}
