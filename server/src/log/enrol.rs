//! Tablets, and the one-time codes that bring them here.

use rusqlite::{Connection, OptionalExtension};
use sha2::{Digest, Sha256};
use wayside_protocol::record::{RecordId, tablet_id};
use wayside_protocol::{error::Code, sync::PublicKey, sync::SignatureBytes};

use super::{Team, Txn, team_by_number};
use crate::error::{Error, Result};

/// How long an enrolment code can be used.
const VALID_MS: u64 = 24 * 60 * 60 * 1000;
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
    txn.conn
        .prepare_cached(
            "INSERT INTO enrol_code (secret, team, created_at, expires_at)
             SELECT ?, n, ?, ? FROM team WHERE id = ?",
        )?
        .execute((digest, now_ms, now_ms + VALID_MS, team.as_bytes()))?;
    Ok(())
}

/// Takes a code for a tablet and returns the team it now belongs to. The tablet that used a code may
/// come again with it: the answer may have been lost.
pub fn enrol(txn: &Txn, ask: &Enrolment, now_ms: u64) -> Result<Team> {
    if ask.name.len() > MAX_NAME {
        return Err(Error::Said(
            Code::TooLarge,
            format!("A tablet's name is at most {MAX_NAME} bytes long."),
        ));
    }
    let id = tablet_id(&ask.tablet);
    let digest: [u8; 32] = Sha256::digest(ask.secret).into();
    let (team, expires_at, used_by): (i64, u64, Option<String>) = txn
        .conn
        .prepare_cached("SELECT team, expires_at, used_by FROM enrol_code WHERE secret = ?")?
        .query_row([digest], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?
        .ok_or(Code::CodeUnknown)?;
    if used_by.as_ref().is_some_and(|tablet| *tablet != id) {
        return Err(Error::Refused(Code::CodeUsed));
    }
    if now_ms >= expires_at {
        return Err(Error::Refused(Code::CodeExpired));
    }
    let team = team_by_number(txn.conn, team)?.ok_or(Error::Internal("a code's team"))?;
    let (name, certificate) = (&ask.name, ask.certificate);
    join_tablet(txn.conn, &Joining { id: &id, key: ask.tablet, name, certificate, team: team.n }, now_ms)?;
    txn.conn
        .prepare_cached(
            "UPDATE enrol_code SET used_by = ?, used_at = ? WHERE secret = ? AND used_by IS NULL",
        )?
        .execute((&id, now_ms, digest))?;
    Ok(team)
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
pub fn join_tablet(conn: &Connection, joining: &Joining, now_ms: u64) -> Result<()> {
    let Joining { id, key, name, certificate, team } = joining;
    conn.prepare_cached(
        "INSERT INTO tablet (id, public_key, name, certificate, enrolled_at) VALUES (?, ?, ?, ?, ?)
         ON CONFLICT (id) DO UPDATE SET name = excluded.name",
    )?
    .execute((id, key, name, certificate, now_ms))?;
    conn.prepare_cached(
        "INSERT INTO tablet_team (tablet, team, since) SELECT n, ?, ? FROM tablet WHERE id = ?
         ON CONFLICT DO NOTHING",
    )?
    .execute((team, now_ms, id))?;
    Ok(())
}

pub fn tablet_by_key(conn: &Connection, key: &PublicKey) -> Result<Option<Tablet>> {
    let mut statement =
        conn.prepare_cached("SELECT n, id, public_key, name FROM tablet WHERE public_key = ?")?;
    let tablet = statement
        .query_row([key], |row| {
            Ok(Tablet { n: row.get(0)?, id: row.get(1)?, public_key: row.get(2)?, name: row.get(3)? })
        })
        .optional()?;
    Ok(tablet)
}

/// The tablets of a team, by name.
pub fn tablets_of(conn: &Connection, team: RecordId) -> Result<Vec<Tablet>> {
    let mut statement = conn.prepare_cached(
        "SELECT tablet.n, tablet.id, tablet.public_key, tablet.name FROM tablet
         JOIN tablet_team ON tablet_team.tablet = tablet.n JOIN team ON team.n = tablet_team.team
         WHERE team.id = ? ORDER BY tablet.name, tablet.n",
    )?;
    let rows = statement.query_map([team.as_bytes()], |row| {
        Ok(Tablet { n: row.get(0)?, id: row.get(1)?, public_key: row.get(2)?, name: row.get(3)? })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Writes that a tablet was here, and how far its estimate of the time was off.
pub(super) fn write_seen(conn: &Connection, tablet: i64, now_ms: u64, skew_ms: i64) -> Result<()> {
    conn.prepare_cached("UPDATE tablet SET last_seen_at = ?, clock_skew_ms = ? WHERE n = ?")?
        .execute((now_ms, skew_ms, tablet))?;
    Ok(())
}
