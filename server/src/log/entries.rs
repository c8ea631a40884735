//! Entries of the log: records that leave the tablets, come back, or are gone for good.
//!
//! The sum at a number is of the changes whose records are active there. It is a function of the log alone: what an
//! entry takes away or adds again are the record's changes with lower numbers.

use std::collections::HashMap;

use wayside_protocol::error::Code;
use wayside_protocol::record::{Hash, RecordId, chunk};
use wayside_protocol::sync::SetSum;
use wayside_protocol::sync::frame::{Entry, What};

use super::db::{Conn, args};
use super::{Team, Txn, sum_at, team_by_id};
use crate::error::{Error, Result};

/// When an entry was made, and by whom: a tablet's id, or [`SERVER`].
#[derive(Debug, Clone, Copy)]
pub struct Made<'a> {
    pub at: u64,
    pub by: &'a str,
}

/// What stands as author where no tablet asked for it.
pub const SERVER: &str = "server";

/// Enters this of records of one team, where it makes a difference, and returns those. What is erased loses its bytes
/// everywhere in this log.
pub fn enter(
    txn: &mut Txn,
    team: RecordId,
    what: What,
    records: &[RecordId],
    made: Made,
) -> Result<Vec<RecordId>> {
    let (entered, head) = enter_on(txn.conn, team, what, records, made)?;
    if !entered.is_empty() {
        txn.moved(team, head);
    }
    Ok(entered)
}

/// The same where nobody watches yet. Returns where the log ends, too.
fn enter_on(
    conn: &Conn,
    team: RecordId,
    what: What,
    records: &[RecordId],
    made: Made,
) -> Result<(Vec<RecordId>, u64)> {
    let mut team = team_by_id(conn, team)?.ok_or(Code::TeamUnknown)?;
    let mut sum = sum_at(conn, team.n, team.head)?;
    let mut entered = Vec::new();
    for record in records {
        if enter_one(conn, &mut team, &mut sum, Entry { what, record: *record, seq: 0 }, made)? {
            entered.push(*record);
        }
    }
    conn.execute("UPDATE team SET head = ? WHERE n = ?", args![team.head, team.n])?;
    Ok((entered, team.head))
}

/// Enters one, unless it changes nothing. The caller writes the team's head.
pub(super) fn enter_one(
    conn: &Conn,
    team: &mut Team,
    sum: &mut SetSum,
    Entry { what, record, .. }: Entry,
    made: Made,
) -> Result<bool> {
    let all = || hashes(conn, team.n, record, None);
    match (what, archived(conn, team.n, record)?) {
        // What is active was not erased.
        (What::Archive | What::Erase, Some(None)) => all()?.iter().for_each(|hash| sum.remove(record, hash)),
        (What::Activate, Some(Some(_))) if !is_erased(conn, record)? => {
            all()?.iter().for_each(|hash| sum.add(record, hash));
        }
        // Also of one that is archived, or that this log does not hold.
        (What::Erase, _) if !is_erased(conn, record)? => {}
        _ => return Ok(false),
    }
    team.head += 1;
    conn.execute(
        "INSERT INTO entry (team, seq, what, record, made_at, made_by, sum, count)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        args![team.n, team.head, what as u8, record, made.at, made.by, sum.sum, sum.count],
    )?;
    let archived = (what != What::Activate).then_some(team.head);
    conn.execute("UPDATE record SET archived = ? WHERE record = ?", args![archived, record])?;
    if what == What::Erase {
        redact(conn, record)?;
    }
    Ok(true)
}

/// Erases what was erased before this log was set back. Of a record that it does not hold, tablets hear when they offer
/// it.
pub fn erase_again(conn: &Conn, record: RecordId, now_ms: u64) -> Result<()> {
    if is_erased(conn, record)? {
        return Ok(());
    }
    let team: Option<[u8; 16]> = conn.one(
        "SELECT team.id FROM record JOIN team ON team.n = record.team WHERE record = ?",
        args![record],
        |row| row.get(0),
    )?;
    match team {
        Some(team) => {
            let made = Made { at: now_ms, by: SERVER };
            enter_on(conn, RecordId::from_bytes(team), What::Erase, &[record], made).map(drop)
        }
        None => redact(conn, record),
    }
}

/// Takes everything that was said of a record out of the log; ids, hashes and signatures stay.
fn redact(conn: &Conn, record: RecordId) -> Result<()> {
    conn.execute("INSERT INTO erased (record) VALUES (?)", args![record])?;
    conn.execute(
        "UPDATE log SET raw = ?2 WHERE team = (SELECT team FROM record WHERE record = ?1) AND record = ?1",
        args![record, [0; 0]],
    )?;
    for sql in [
        "DELETE FROM quarantine WHERE record = ?",
        "DELETE FROM waiting WHERE record = ?",
        "DELETE FROM answered WHERE record = ?",
        "DELETE FROM erase_request WHERE person = ?",
    ] {
        conn.execute(sql, args![record])?;
    }
    super::audit::forget_reasons(conn, record)
}

/// For a record of this team, whether and since which number it is off the tablets.
fn archived(conn: &Conn, team: i64, record: RecordId) -> Result<Option<Option<u64>>> {
    conn.one("SELECT archived FROM record WHERE record = ? AND team = ?", args![record, team], |row| {
        row.get(0)
    })
}

pub fn is_erased(conn: &Conn, record: RecordId) -> Result<bool> {
    conn.exists("SELECT 1 FROM erased WHERE record = ?", args![record])
}

/// The hashes of a record's changes, those before a number if there is one.
pub fn hashes(conn: &Conn, team: i64, record: RecordId, before: Option<u64>) -> Result<Vec<Hash>> {
    conn.all(
        "SELECT hash FROM log WHERE team = ? AND record = ? AND seq < ?",
        args![team, record, before.unwrap_or(u64::MAX)],
        |row| row.get(0),
    )
}

/// Whether a team's log has entries beyond a number.
pub fn has_entries(conn: &Conn, team: i64, after: u64) -> Result<bool> {
    conn.exists("SELECT 1 FROM entry WHERE team = ? AND seq > ?", args![team, after])
}

/// The entries of a team's log with numbers beyond `after` and up to `to`, in order.
pub fn entries(conn: &Conn, team: i64, after: u64, to: u64) -> Result<Vec<Entry>> {
    conn.all(
        "SELECT what, record, seq FROM entry WHERE team = ? AND seq > ? AND seq <= ? ORDER BY seq",
        args![team, after, to],
        |row| {
            let what = What::parse(row.get(0)?).ok_or(Error::Internal("an entry"))?;
            Ok(Entry { what, record: row.get(1)?, seq: row.get(2)? })
        },
    )
}

/// The last entry of each record among these.
pub fn latest(entries: &[Entry]) -> HashMap<RecordId, Entry> {
    entries.iter().map(|entry| (entry.record, *entry)).collect()
}

/// The last entry of a record that is off the tablets.
pub fn off_tablets(conn: &Conn, team: i64, record: RecordId) -> Result<Option<Entry>> {
    let last: Option<(u8, u64)> = conn.one(
        "SELECT what, seq FROM entry WHERE team = ? AND record = ? ORDER BY seq DESC LIMIT 1",
        args![team, record],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    let Some((what, seq)) = last else { return Ok(None) };
    let what = What::parse(what).ok_or(Error::Internal("an entry"))?;
    Ok((what != What::Activate).then_some(Entry { what, record, seq }))
}

/// The records that a change names and without which it would say little: whose contact it is, of which session, into
/// whom somebody was merged.
pub fn named(raw: &[u8]) -> Vec<(&'static str, RecordId)> {
    const NAMES: [&str; 3] = ["person", "session", "merged_into"];
    let Ok(chunk) = chunk::parse(raw) else { return Vec::new() };
    let names = chunk.writes().filter_map(|(key, value)| {
        let name = NAMES.into_iter().find(|name| *name == key)?;
        match value {
            chunk::Scalar::Str(text) => Some((name, text.parse().ok()?)),
            _ => None,
        }
    });
    names.collect()
}
