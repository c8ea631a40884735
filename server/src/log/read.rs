//! What can be read from the log.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension};
use wayside_protocol::record::{Hash, RecordId};
use wayside_protocol::sync::{ListItem, PublicKey, SetSum, SignatureBytes};

use crate::error::{Error, Result};

/// One accepted change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    pub seq: u64,
    pub record: RecordId,
    pub hash: Hash,
    pub raw: Vec<u8>,
    /// The number of its signed list.
    pub list: i64,
}

/// One change in quarantine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quarantined {
    pub team: RecordId,
    pub record: RecordId,
    pub hash: Hash,
    pub raw: Vec<u8>,
    pub code: String,
    pub path: String,
    pub message: String,
    pub tablet: String,
    pub author: PublicKey,
    pub received_at: u64,
}

/// What is known of a record without reading its changes. What is not so of most records is asked once here, so
/// that nobody looks for it with each change.
#[derive(Debug, Clone)]
pub struct Standing {
    /// The team that it is bound to, and its kind.
    pub bound: Option<(i64, String)>,
    /// How many changes it has in the log, and their bytes.
    pub changes: u64,
    pub bytes: u64,
    /// Whether any change of it that came for this team is in quarantine, or waits.
    pub quarantined: bool,
    pub waiting: bool,
    /// Whether it is off the tablets, or gone for good.
    pub archived: bool,
    pub erased: bool,
}

impl Standing {
    pub fn of(conn: &Connection, team: i64, record: RecordId) -> Result<Standing> {
        let mut statement = conn.prepare_cached(
            "SELECT r.team, r.kind, coalesce(r.changes, 0), coalesce(r.bytes, 0),
                    EXISTS (SELECT 1 FROM quarantine WHERE team = ?1 AND record = ?2),
                    EXISTS (SELECT 1 FROM waiting WHERE team = ?1 AND record = ?2),
                    r.archived IS NOT NULL, EXISTS (SELECT 1 FROM erased WHERE record = ?2)
             FROM (SELECT 1) LEFT JOIN record r ON r.record = ?2",
        )?;
        let standing = statement.query_row((team, record.as_bytes()), |row| {
            let bound: Option<i64> = row.get(0)?;
            Ok(Standing {
                bound: bound.map(|team| Ok::<_, rusqlite::Error>((team, row.get(1)?))).transpose()?,
                changes: row.get(2)?,
                bytes: row.get(3)?,
                quarantined: row.get(4)?,
                waiting: row.get(5)?,
                archived: row.get(6)?,
                erased: row.get(7)?,
            })
        });
        Ok(standing?)
    }
}

/// Every team with its epoch and head.
pub fn heads(conn: &Connection) -> Result<Vec<(RecordId, [u8; 8], u64)>> {
    let mut statement = conn.prepare_cached("SELECT id, epoch, head FROM team ORDER BY n")?;
    let rows =
        statement.query_map([], |row| Ok((RecordId::from_bytes(row.get(0)?), row.get(1)?, row.get(2)?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Reads a team's changes after `seq`, in order, until there are no more or `take` returns false. What
/// `skip` says of a number and its record is passed over without reading its bytes.
pub fn rows_after(
    conn: &Connection,
    team: i64,
    seq: u64,
    skip: impl Fn(u64, RecordId) -> bool,
    mut take: impl FnMut(Row) -> Result<bool>,
) -> Result<()> {
    let mut statement = conn.prepare_cached(
        "SELECT seq, record, hash, raw, list FROM log WHERE team = ? AND seq > ? ORDER BY seq",
    )?;
    let mut rows = statement.query((team, seq))?;
    while let Some(row) = rows.next()? {
        let (seq, record) = (row.get(0)?, RecordId::from_bytes(row.get(1)?));
        if skip(seq, record) {
            continue;
        }
        let row = Row { seq, record, hash: row.get(2)?, raw: row.get(3)?, list: row.get(4)? };
        if !take(row)? {
            break;
        }
    }
    Ok(())
}

/// One change by its number; its bytes are empty where its record was erased.
pub fn row_at(conn: &Connection, team: i64, seq: u64) -> Result<Option<Row>> {
    let mut statement =
        conn.prepare_cached("SELECT record, hash, raw, list FROM log WHERE team = ? AND seq = ?")?;
    let row = statement.query_row((team, seq), |row| {
        let record = RecordId::from_bytes(row.get(0)?);
        Ok(Row { seq, record, hash: row.get(1)?, raw: row.get(2)?, list: row.get(3)? })
    });
    Ok(row.optional()?)
}

/// The records that a team's next changes and entries after `seq` belong to, and the number of the last of these.
pub fn touched(conn: &Connection, team: i64, seq: u64, limit: usize) -> Result<(u64, BTreeSet<RecordId>)> {
    let mut statement = conn.prepare_cached(
        "SELECT seq, record FROM log WHERE team = ?1 AND seq > ?2
         UNION ALL SELECT seq, record FROM entry WHERE team = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3",
    )?;
    let mut rows = statement.query((team, seq, limit))?;
    let (mut last, mut records) = (seq, BTreeSet::new());
    while let Some(row) = rows.next()? {
        last = row.get(0)?;
        records.insert(RecordId::from_bytes(row.get(1)?));
    }
    Ok((last, records))
}

/// The raw changes of one record, each after those it depends on; none of one that was erased.
pub fn record_changes(conn: &Connection, team: i64, record: RecordId) -> Result<Vec<Vec<u8>>> {
    // The plus keeps SQLite from going through the whole log of the team, in which nothing need be sorted.
    let mut statement = conn
        .prepare_cached("SELECT raw FROM log WHERE team = ? AND record = ? AND raw <> x'' ORDER BY +seq")?;
    let rows = statement.query_map((team, record.as_bytes()), |row| row.get(0))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// The number of a change in the log.
pub fn known(conn: &Connection, team: i64, record: RecordId, hash: &Hash) -> Result<Option<u64>> {
    let mut statement =
        conn.prepare_cached("SELECT seq FROM log WHERE team = ? AND record = ? AND hash = ?")?;
    Ok(statement.query_row((team, record.as_bytes(), hash), |row| row.get(0)).optional()?)
}

/// Why a change is in quarantine.
pub fn quarantine_code(
    conn: &Connection,
    team: i64,
    record: RecordId,
    hash: &Hash,
) -> Result<Option<String>> {
    let mut statement =
        conn.prepare_cached("SELECT code FROM quarantine WHERE team = ? AND record = ? AND hash = ?")?;
    Ok(statement.query_row((team, record.as_bytes(), hash), |row| row.get(0)).optional()?)
}

/// Everything in quarantine, oldest first.
pub fn quarantine(conn: &Connection) -> Result<Vec<Quarantined>> {
    let mut statement = conn.prepare_cached(
        "SELECT team.id, record, hash, raw, code, path, message, tablet, author, received_at
         FROM quarantine JOIN team ON team.n = quarantine.team ORDER BY received_at, quarantine.n",
    )?;
    let rows = statement.query_map([], |row| {
        Ok(Quarantined {
            team: RecordId::from_bytes(row.get(0)?),
            record: RecordId::from_bytes(row.get(1)?),
            hash: row.get(2)?,
            raw: row.get(3)?,
            code: row.get(4)?,
            path: row.get(5)?,
            message: row.get(6)?,
            tablet: row.get(7)?,
            author: row.get(8)?,
            received_at: row.get(9)?,
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// A signed list: who signed it, the signature, and what.
pub fn signed_items(conn: &Connection, list: i64) -> Result<(PublicKey, SignatureBytes, Vec<ListItem>)> {
    let mut statement =
        conn.prepare_cached("SELECT author, signature, items FROM signed_list WHERE n = ?")?;
    let (author, signature, bytes): (_, _, Vec<u8>) =
        statement.query_row([list], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let broken = || Error::Internal("a stored list");
    let items = bytes.chunks(48).map(|item| {
        let (record, hash) = item.split_first_chunk::<16>().ok_or_else(broken)?;
        Ok((RecordId::from_bytes(*record), hash.try_into().map_err(|_| broken())?))
    });
    Ok((author, signature, items.collect::<Result<_>>()?))
}

/// The running sum at a row of a team's log; the empty one at 0.
pub fn sum_at(conn: &Connection, team: i64, seq: u64) -> Result<SetSum> {
    if seq == 0 {
        return Ok(SetSum::default());
    }
    for sql in [
        "SELECT sum, count FROM log WHERE team = ? AND seq = ?",
        "SELECT sum, count FROM entry WHERE team = ? AND seq = ?",
    ] {
        let mut statement = conn.prepare_cached(sql)?;
        let sum = |row: &rusqlite::Row| Ok(SetSum { sum: row.get(0)?, count: row.get(1)? });
        if let Some(sum) = statement.query_row((team, seq), sum).optional()? {
            return Ok(sum);
        }
    }
    Err(Error::Internal("a number that the log does not have"))
}
