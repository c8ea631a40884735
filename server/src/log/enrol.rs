//! Tablets, and the one-time codes that bring them here.

use std::collections::HashMap;

use sha2::{Digest, Sha256};
use wayside_protocol::record::{RecordId, tablet_id};
use wayside_protocol::{error::Code, sync::PublicKey, sync::SignatureBytes};

use super::db::{self, Conn, args};
use super::{Team, Txn, team_by_number};
use crate::error::{Error, Result};

/// How long an enrolment code can be used.
pub const CODE_VALID_MS: u64 = 24 * 60 * 60 * 1000;
/// What people call a tablet, in bytes.
const MAX_NAME: usize = 200;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tablet {
    /// Its number in this database.
    pub n: i64,
    /// Its id, from its public key.
    pub id: String,
    pub public_key: PublicKey,
    pub name: String,
    /// It is sent nothing any more, and what it sends is kept apart.
    pub revoked: bool,
    /// It goes by another key now, and this is its id by that one.
    pub replaced_by: Option<String>,
}

const COLUMNS: &str =
    "tablet.n, tablet.id, tablet.public_key, tablet.name, tablet.revoked_at, tablet.replaced_by";

fn tablet(row: &db::Row) -> Result<Tablet> {
    Ok(Tablet {
        n: row.get(0)?,
        id: row.get(1)?,
        public_key: row.get(2)?,
        name: row.get(3)?,
        revoked: row.get::<Option<u64>>(4)?.is_some(),
        replaced_by: row.get(5)?,
    })
}

/// A tablet that asks to be enrolled, its signature verified.
#[derive(Debug, Clone)]
pub struct Enrolment {
    pub secret: [u8; 16],
    pub tablet: PublicKey,
    pub name: String,
    pub certificate: SignatureBytes,
}

/// Stores the digest of a code's secret. It works once, for 24 hours.
pub fn make_code(txn: &Txn, team: RecordId, secret: &[u8; 16], now_ms: u64) -> Result<()> {
    let digest: [u8; 32] = Sha256::digest(secret).into();
    txn.conn.execute(
        "INSERT INTO enrol_code (secret, team, created_at, expires_at)
             SELECT ?, n, ?, ? FROM team WHERE id = ?",
        args![digest, now_ms, now_ms + CODE_VALID_MS, team],
    )?;
    Ok(())
}

/// Takes a code for a tablet and returns the team it now belongs to. The tablet that used a code may
/// come again with it: the answer may have been lost.
pub fn enrol(txn: &Txn, ask: &Enrolment, now_ms: u64) -> Result<Team> {
    check_name(&ask.name)?;
    let id = tablet_id(&ask.tablet);
    let digest: [u8; 32] = Sha256::digest(ask.secret).into();
    let (team, expires_at, used_by): (i64, u64, Option<String>) = txn
        .conn
        .one("SELECT team, expires_at, used_by FROM enrol_code WHERE secret = ?", args![digest], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })?
        .ok_or(Code::CodeUnknown)?;
    if used_by.as_ref().is_some_and(|tablet| *tablet != id) {
        return Err(Error::Refused(Code::CodeUsed));
    }
    if now_ms >= expires_at {
        return Err(Error::Refused(Code::CodeExpired));
    }
    match tablet_by_key(txn.conn, &ask.tablet)? {
        // One that wiped itself has a new key.
        Some(known) if known.revoked => return Err(Code::TabletRevoked.into()),
        Some(known) if known.replaced_by.is_some() => return Err(Code::KeyReplaced.into()),
        _ => {}
    }
    let team = team_by_number(txn.conn, team)?.ok_or(Error::Internal("a code's team"))?;
    let (name, certificate) = (&ask.name, ask.certificate);
    join_tablet(txn.conn, &Joining { id: &id, key: ask.tablet, name, certificate, team: team.n }, now_ms)?;
    let used = txn.conn.execute(
        "UPDATE enrol_code SET used_by = ?, used_at = ? WHERE secret = ? AND used_by IS NULL",
        args![&id, now_ms, digest],
    )?;
    // Somebody else used it in this very moment.
    if used == 0 && used_by.is_none() {
        return Err(Error::Again);
    }
    Ok(team)
}

/// Whether a tablet may be called so.
pub(super) fn check_name(name: &str) -> Result<()> {
    if name.len() > MAX_NAME {
        let message = format!("A tablet's name is at most {MAX_NAME} bytes long.");
        return Err(Error::Said(Code::TooLarge, message));
    }
    Ok(())
}

/// A tablet and the team that it becomes one of.
pub struct Joining<'a> {
    pub id: &'a str,
    pub key: PublicKey,
    pub name: &'a str,
    pub certificate: SignatureBytes,
    /// The team's number.
    pub team: i64,
}

/// Makes a tablet one of a team's, whether or not it is known yet.
pub fn join_tablet(conn: &Conn, joining: &Joining, now_ms: u64) -> Result<()> {
    let Joining { id, key, name, certificate, team } = joining;
    conn.execute(
        "INSERT INTO tablet (id, public_key, name, certificate, enrolled_at) VALUES (?, ?, ?, ?, ?)
         ON CONFLICT (id) DO UPDATE SET name = excluded.name",
        args![id, key, name, certificate, now_ms],
    )?;
    conn.execute(
        "INSERT INTO tablet_team (tablet, team, since) SELECT n, ?, ? FROM tablet WHERE id = ?
         ON CONFLICT DO NOTHING",
        args![team, now_ms, id],
    )?;
    let sql = "DELETE FROM tablet_left WHERE team = ? AND tablet = (SELECT n FROM tablet WHERE id = ?)";
    conn.execute(sql, args![team, id])?;
    Ok(())
}

pub fn tablet_by_key(conn: &Conn, key: &PublicKey) -> Result<Option<Tablet>> {
    conn.one(&format!("SELECT {COLUMNS} FROM tablet WHERE public_key = ?"), args![key], tablet)
}

/// The tablets of a team, by name.
pub fn tablets_of(conn: &Conn, team: RecordId) -> Result<Vec<Tablet>> {
    conn.all(
        &format!(
            "SELECT {COLUMNS} FROM tablet
             JOIN tablet_team ON tablet_team.tablet = tablet.n JOIN team ON team.n = tablet_team.team
             WHERE team.id = ? ORDER BY tablet.name, tablet.n"
        ),
        args![team],
        tablet,
    )
}

/// What is noted when a tablet was here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Visit {
    /// Milliseconds since 1970.
    pub at: u64,
    /// How far its estimate of our time was off.
    pub skew_ms: i64,
    /// How many changes it still holds back; `None` where it does not say: then what it said before stands.
    pub waiting: Option<u64>,
    /// What its program can do, as bits of `sync::capability`.
    pub capabilities: u64,
}

/// Writes that a tablet was here. It may have been at another node since.
pub(super) fn write_seen(conn: &Conn, tablet: i64, visit: Visit) -> Result<()> {
    let Visit { at, skew_ms, waiting, capabilities } = visit;
    conn.execute(
        "UPDATE tablet SET last_seen_at = ?1, clock_skew_ms = ?2, waiting = coalesce(?3, waiting), capabilities = ?4
         WHERE n = ?5 AND coalesce(last_seen_at, 0) <= ?1",
        args![at, skew_ms, waiting, capabilities.cast_signed(), tablet],
    )?;
    Ok(())
}

/// When a tablet was last heard of, and how many changes it still held back then, as far as it said so.
#[derive(Debug, Clone, Copy)]
pub struct LastContact {
    pub at: Option<u64>,
    pub waiting: Option<u64>,
}

/// By the tablet's id.
pub fn last_contacts(conn: &Conn) -> Result<HashMap<String, LastContact>> {
    let all = conn.all("SELECT id, last_seen_at, waiting FROM tablet", &[], |row| {
        Ok((row.get(0)?, LastContact { at: row.get(1)?, waiting: row.get(2)? }))
    })?;
    Ok(all.into_iter().collect())
}

/// How many changes of each tablet, by its id, are held in quarantine.
pub fn held_by_tablet(conn: &Conn) -> Result<HashMap<String, u64>> {
    let sql = "SELECT tablet, count(*) FROM quarantine GROUP BY tablet";
    let all = conn.all(sql, &[], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(all.into_iter().collect())
}
