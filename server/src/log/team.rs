//! Teams: the unit of access and of replication.

use wayside_protocol::error::Code;
use wayside_protocol::record::{Hash, RecordId};

use super::Txn;
use super::db::{self, Conn, args};
use crate::error::{Error, Result};

/// A team and where its log stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Team {
    /// Its number in this database.
    pub n: i64,
    pub id: RecordId,
    pub name: String,
    pub epoch: [u8; 8],
    pub head: u64,
}

const COLUMNS: &str = "team.n, team.id, team.name, team.epoch, team.head";

fn team(row: &db::Row) -> Result<Team> {
    Ok(Team { n: row.get(0)?, id: row.get(1)?, name: row.get(2)?, epoch: row.get(3)?, head: row.get(4)? })
}

/// Registers a team. Its record is appended by the caller, in the same transaction.
pub fn add_team(txn: &Txn, id: RecordId, name: &str, epoch: [u8; 8], now_ms: u64) -> Result<Team> {
    if team_by_name(txn.conn, name)?.is_some() {
        return Err(Error::Refused(Code::TeamExists));
    }
    txn.conn.execute(
        "INSERT INTO team (id, name, epoch, created_at) VALUES (?, ?, ?, ?)",
        args![id, name, epoch, now_ms],
    )?;
    team_by_id(txn.conn, id)?.ok_or(Error::Internal("a team was not stored"))
}

pub fn team_by_name(conn: &Conn, name: &str) -> Result<Option<Team>> {
    conn.one(&format!("SELECT {COLUMNS} FROM team WHERE name = ?"), args![name], team)
}

pub fn team_by_id(conn: &Conn, id: RecordId) -> Result<Option<Team>> {
    conn.one(&format!("SELECT {COLUMNS} FROM team WHERE id = ?"), args![id], team)
}

pub fn team_by_number(conn: &Conn, n: i64) -> Result<Option<Team>> {
    conn.one(&format!("SELECT {COLUMNS} FROM team WHERE n = ?"), args![n], team)
}

/// All teams, in the order in which they were added.
pub fn teams(conn: &Conn) -> Result<Vec<Team>> {
    conn.all(&format!("SELECT {COLUMNS} FROM team ORDER BY n"), &[], team)
}

/// The team to which a record belongs; a team belongs to itself.
pub fn team_of(conn: &Conn, record: RecordId) -> Result<Option<RecordId>> {
    let sql = "SELECT team.id FROM record JOIN team ON team.n = record.team WHERE record.record = ?1
         UNION SELECT id FROM team WHERE id = ?1";
    conn.one(sql, args![record], |row| row.get(0))
}

/// The teams of the tablet of this id; none where there is none.
pub fn teams_of_tablet(conn: &Conn, tablet: &str) -> Result<Vec<RecordId>> {
    let sql = "SELECT team.id FROM tablet JOIN tablet_team ON tablet_team.tablet = tablet.n
         JOIN team ON team.n = tablet_team.team WHERE tablet.id = ?";
    conn.all(sql, args![tablet], |row| row.get(0))
}

/// The teams of which something is held under this hash.
pub fn teams_of_held(conn: &Conn, hash: &Hash) -> Result<Vec<RecordId>> {
    let sql = "SELECT team.id FROM quarantine JOIN team ON team.n = quarantine.team WHERE hash = ?";
    conn.all(sql, args![hash], |row| row.get(0))
}

/// The teams that a tablet belongs to.
pub fn teams_of(conn: &Conn, tablet: i64) -> Result<Vec<Team>> {
    through(conn, "tablet_team", tablet)
}

/// The teams of a tablet's rows in a table.
pub(super) fn through(conn: &Conn, table: &str, tablet: i64) -> Result<Vec<Team>> {
    conn.all(
        &format!(
            "SELECT {COLUMNS} FROM team JOIN {table} ON {table}.team = team.n
         WHERE {table}.tablet = ? ORDER BY team.n"
        ),
        args![tablet],
        team,
    )
}
