//! What can be read from the log.

use std::collections::{BTreeMap, HashMap};

use wayside_protocol::record::{Hash, RecordId};
use wayside_protocol::sync::frame::What;
use wayside_protocol::sync::{ListItem, PublicKey, SetSum, SignatureBytes};

use super::db::{self, Conn, ToValue, Value, args};
use crate::error::{Error, Result};

/// Changes that are read at once, of which there may be any number.
const PAGE: usize = 256;
/// And where only their names are.
const PAIRS: usize = 4096;

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
    pub fn of(conn: &Conn, team: i64, record: RecordId) -> Result<Standing> {
        let found = Standing::of_all(conn, team, &[record])?.into_iter().next();
        found.map(|(_, standing)| standing).ok_or(Error::Internal("a record's standing"))
    }

    /// Of each of these records, in any order.
    pub fn of_all(conn: &Conn, team: i64, records: &[RecordId]) -> Result<Vec<(RecordId, Standing)>> {
        let keys: Vec<Value> = records.iter().map(ToValue::to_value).collect();
        conn.all_of(
            "SELECT asked.key, r.team, r.kind, coalesce(r.changes, 0), coalesce(r.bytes, 0),
                    EXISTS (SELECT 1 FROM quarantine q WHERE q.team = ?1 AND q.record = asked.key),
                    EXISTS (SELECT 1 FROM waiting w WHERE w.team = ?1 AND w.record = asked.key),
                    r.archived IS NOT NULL, EXISTS (SELECT 1 FROM erased e WHERE e.record = asked.key)
             FROM asked LEFT JOIN record r ON r.record = asked.key WHERE length(asked.key) > 0",
            args![team],
            &keys,
            |row| {
                let bound: Option<i64> = row.get(1)?;
                let standing = Standing {
                    bound: bound.map(|team| Ok::<_, Error>((team, row.get(2)?))).transpose()?,
                    changes: row.get(3)?,
                    bytes: row.get(4)?,
                    quarantined: row.get(5)?,
                    waiting: row.get(6)?,
                    archived: row.get(7)?,
                    erased: row.get(8)?,
                };
                Ok((row.get(0)?, standing))
            },
        )
    }
}

/// Every team with its epoch and head.
pub fn heads(conn: &Conn) -> Result<Vec<(RecordId, [u8; 8], u64)>> {
    conn.all("SELECT id, epoch, head FROM team ORDER BY n", &[], |row| {
        Ok((row.get(0)?, row.get(1)?, row.get(2)?))
    })
}

/// Reads a team's changes after `seq`, in order, until there are no more or `take` returns false. What
/// `skip` says of a number and its record is passed over without reading its bytes.
pub fn rows_after(
    conn: &Conn,
    team: i64,
    seq: u64,
    skip: impl Fn(u64, RecordId) -> bool,
    mut take: impl FnMut(Row) -> Result<bool>,
) -> Result<()> {
    let (mut after, mut goes_on) = (seq, true);
    while goes_on {
        let (from, mut rows) = (after, 0);
        conn.each(
            "SELECT seq, record, hash, raw, list FROM log WHERE team = ? AND seq > ? ORDER BY seq LIMIT ?",
            args![team, from, PAGE],
            |row| {
                rows += 1;
                after = row.get(0)?;
                let record = row.get(1)?;
                if !skip(after, record) {
                    let (hash, raw, list) = (row.get(2)?, row.get(3)?, row.get(4)?);
                    goes_on = take(Row { seq: after, record, hash, raw, list })?;
                }
                Ok(goes_on)
            },
        )?;
        goes_on &= rows == PAGE;
    }
    Ok(())
}

/// Names a team's changes in order, up to a number, until there are no more or `take` returns false.
pub fn each_pair(
    conn: &Conn,
    team: i64,
    to: u64,
    mut take: impl FnMut(u64, RecordId, Hash) -> Result<bool>,
) -> Result<()> {
    let (mut after, mut goes_on) = (0, true);
    while goes_on {
        let (from, mut rows) = (after, 0);
        conn.each(
            "SELECT seq, record, hash FROM log WHERE team = ? AND seq > ? AND seq <= ? ORDER BY seq LIMIT ?",
            args![team, from, to, PAIRS],
            |row| {
                rows += 1;
                after = row.get(0)?;
                goes_on = take(after, row.get(1)?, row.get(2)?)?;
                Ok(goes_on)
            },
        )?;
        goes_on &= rows == PAIRS;
    }
    Ok(())
}

/// One change by its number; its bytes are empty where its record was erased.
pub fn row_at(conn: &Conn, team: i64, seq: u64) -> Result<Option<Row>> {
    conn.one("SELECT record, hash, raw, list FROM log WHERE team = ? AND seq = ?", args![team, seq], |row| {
        let record = row.get(0)?;
        Ok(Row { seq, record, hash: row.get(1)?, raw: row.get(2)?, list: row.get(3)? })
    })
}

/// The records that a team's next changes and entries after `seq` belong to, each with the number of its last one, and
/// the number of the last of all.
pub fn touched(conn: &Conn, team: i64, seq: u64, limit: usize) -> Result<(u64, BTreeMap<RecordId, u64>)> {
    let (mut last, mut records) = (seq, BTreeMap::new());
    conn.each(
        "SELECT seq, record FROM log WHERE team = ?1 AND seq > ?2
         UNION ALL SELECT seq, record FROM entry WHERE team = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3",
        args![team, seq, limit],
        |row| {
            last = row.get(0)?;
            records.insert(row.get(1)?, last);
            Ok(true)
        },
    )?;
    Ok((last, records))
}

/// A part of a team's log, as whoever derives views from it needs it.
#[derive(Debug)]
pub struct Part {
    /// The number of its last row; the one before it where there is none.
    pub to: u64,
    /// Every record that its rows belong to, with all its raw changes (also those from before and behind this part),
    /// each after those it depends on; none of one that was erased.
    pub records: BTreeMap<RecordId, Vec<Vec<u8>>>,
    /// The number of the last row of each in this part.
    pub numbers: BTreeMap<RecordId, u64>,
    /// What became of those that are off the tablets.
    pub off_tablets: BTreeMap<RecordId, What>,
}

/// The next `limit` rows after `seq`, in a few queries however many they are.
pub fn part(conn: &Conn, team: i64, seq: u64, limit: usize) -> Result<Part> {
    const TOUCHED: &str = "(SELECT record FROM log WHERE team = ?1 AND seq > ?2 AND seq <= ?3
         UNION SELECT record FROM entry WHERE team = ?1 AND seq > ?2 AND seq <= ?3)";
    let (to, numbers) = touched(conn, team, seq, limit)?;
    let records = numbers.keys().map(|record| (*record, Vec::new())).collect();
    let mut part = Part { to, records, numbers, off_tablets: BTreeMap::new() };
    // Sorted here: asked for an order by number, SQLite would go through the whole log of the team.
    let sql = format!("SELECT record, seq, raw FROM log WHERE team = ?1 AND record IN {TOUCHED}");
    let mut changes = conn.all(&sql, args![team, seq, part.to], |row| {
        Ok((row.get::<RecordId>(0)?, row.get::<u64>(1)?, row.get::<Vec<u8>>(2)?))
    })?;
    changes.sort_unstable_by_key(|(_, seq, _)| *seq);
    for (record, _, raw) in changes.into_iter().filter(|(_, _, raw)| !raw.is_empty()) {
        part.records.entry(record).or_default().push(raw);
    }
    let sql = format!("SELECT record, what FROM entry WHERE team = ?1 AND record IN {TOUCHED} ORDER BY seq");
    let entries = conn.all(&sql, args![team, seq, part.to], |row| Ok((row.get(0)?, row.get::<u8>(1)?)))?;
    for (record, what) in entries {
        part.off_tablets.insert(record, What::parse(what).ok_or(Error::Internal("an entry"))?);
    }
    // The last one counts.
    part.off_tablets.retain(|_, what| *what != What::Activate);
    Ok(part)
}

/// The raw changes of each of these records, as [`record_changes`] has them.
pub fn changes_of_all(
    conn: &Conn,
    team: i64,
    records: &[RecordId],
) -> Result<HashMap<RecordId, Vec<Vec<u8>>>> {
    let keys: Vec<Value> = records.iter().map(ToValue::to_value).collect();
    let rows: Vec<(RecordId, Vec<u8>)> = conn.all_of(
        "SELECT log.record, log.raw FROM asked JOIN log ON log.team = ?1 AND log.record = asked.key
         WHERE length(log.raw) > 0 ORDER BY log.seq",
        args![team],
        &keys,
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    let mut all: HashMap<RecordId, Vec<Vec<u8>>> = HashMap::new();
    rows.into_iter().for_each(|(record, raw)| all.entry(record).or_default().push(raw));
    Ok(all)
}

/// The raw changes of one record, each after those it depends on; none of one that was erased.
pub fn record_changes(conn: &Conn, team: i64, record: RecordId) -> Result<Vec<Vec<u8>>> {
    // The plus keeps SQLite from going through the whole log of the team, in which nothing need be sorted.
    conn.all(
        "SELECT raw FROM log WHERE team = ? AND record = ? AND length(raw) > 0 ORDER BY +seq",
        args![team, record],
        |row| row.get(0),
    )
}

/// The number of a change in the log.
pub fn known(conn: &Conn, team: i64, record: RecordId, hash: &Hash) -> Result<Option<u64>> {
    conn.one(
        "SELECT seq FROM log WHERE team = ? AND record = ? AND hash = ?",
        args![team, record, hash],
        |row| row.get(0),
    )
}

/// Why a change is in quarantine.
pub fn quarantine_code(conn: &Conn, team: i64, record: RecordId, hash: &Hash) -> Result<Option<String>> {
    conn.one(
        "SELECT code FROM quarantine WHERE team = ? AND record = ? AND hash = ?",
        args![team, record, hash],
        |row| row.get(0),
    )
}

/// Everything in quarantine, oldest first.
pub fn quarantine(conn: &Conn) -> Result<Vec<Quarantined>> {
    conn.all(&format!("SELECT {QUARANTINED} ORDER BY received_at, quarantine.n"), &[], quarantined)
}

/// What [`quarantined`] reads.
pub(super) const QUARANTINED: &str =
    "team.id, record, hash, raw, code, path, message, tablet, author, received_at
    FROM quarantine JOIN team ON team.n = quarantine.team";

pub(super) fn quarantined(row: &db::Row) -> Result<Quarantined> {
    Ok(Quarantined {
        team: row.get(0)?,
        record: row.get(1)?,
        hash: row.get(2)?,
        raw: row.get(3)?,
        code: row.get(4)?,
        path: row.get(5)?,
        message: row.get(6)?,
        tablet: row.get(7)?,
        author: row.get(8)?,
        received_at: row.get(9)?,
    })
}

/// A signed list: who signed it, the signature, and what.
pub fn signed_items(conn: &Conn, list: i64) -> Result<(PublicKey, SignatureBytes, Vec<ListItem>)> {
    let (author, signature, bytes): (_, _, Vec<u8>) =
        conn.only("SELECT author, signature, items FROM signed_list WHERE n = ?", args![list], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })?;
    let broken = || Error::Internal("a stored list");
    let items = bytes.chunks(48).map(|item| {
        let (record, hash) = item.split_first_chunk::<16>().ok_or_else(broken)?;
        Ok((RecordId::from_bytes(*record), hash.try_into().map_err(|_| broken())?))
    });
    Ok((author, signature, items.collect::<Result<_>>()?))
}

/// The running sum at a row of a team's log; the empty one at 0.
pub fn sum_at(conn: &Conn, team: i64, seq: u64) -> Result<SetSum> {
    if seq == 0 {
        return Ok(SetSum::default());
    }
    let found = conn.one(
        "SELECT sum, count FROM log WHERE team = ?1 AND seq = ?2
         UNION ALL SELECT sum, count FROM entry WHERE team = ?1 AND seq = ?2",
        args![team, seq],
        |row| Ok(SetSum { sum: row.get(0)?, count: row.get(1)? }),
    )?;
    found.ok_or(Error::Internal("a number that the log does not have"))
}
