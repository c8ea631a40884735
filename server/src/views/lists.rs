//! What coordinators' lists read: tasks by their day, people who may be one, who stands for whom.

use rusqlite::params;
use wayside_protocol::record::RecordId;

use super::{Views, people};
use crate::error::{Error, Result};

/// A follow-up or referral that somebody must still do something about.
#[derive(Debug, Clone)]
pub struct TaskRow {
    pub contact: RecordId,
    /// As in `TaskKind`.
    pub kind: String,
    pub entry: String,
}

/// Two people who may be one, by the records that stand for them.
#[derive(Debug, Clone)]
pub struct Pair {
    pub a: RecordId,
    pub b: RecordId,
    pub team_a: RecordId,
    pub team_b: RecordId,
    /// Likely, and not only possible.
    pub likely: bool,
    /// Ids of texts, the strongest first.
    pub reasons: Vec<String>,
}

/// Pairs of those that stand, without what was merged and what coordinators said are two people.
const PAIRS: &str = "
    SELECT min(pa.standing, pb.standing) AS x, max(pa.standing, pb.standing) AS y, max(pair.weight) AS weight,
           pair.likely, pair.reasons
    FROM pair JOIN person AS pa ON pa.id = pair.a JOIN person AS pb ON pb.id = pair.b
    WHERE pa.standing <> pb.standing
      AND (?1 IS NULL OR pa.standing = ?1 OR pb.standing = ?1)
      AND NOT EXISTS (
          SELECT 1 FROM person AS pc JOIN not_same ON not_same.holder = pc.id
          JOIN person AS pd ON pd.id = not_same.other
          WHERE (pc.standing = pa.standing AND pd.standing = pb.standing)
             OR (pc.standing = pb.standing AND pd.standing = pa.standing))
    GROUP BY x, y";

impl Views {
    /// Open tasks with a day from `from` to before `until` (`YYYY-MM-DD`, empty for no end), the earliest
    /// first; those without a day instead where `from` is `None`.
    pub fn open_tasks(&self, from: Option<&str>, until: &str, skip: u64, limit: u64) -> Result<Vec<TaskRow>> {
        let mut statement = self.conn.prepare_cached(
            "SELECT contact, kind, entry FROM task
             WHERE open = 1 AND CASE WHEN ?1 IS NULL THEN due_on IS NULL
                 ELSE due_on >= ?1 AND (?2 = '' OR due_on < ?2) END
             ORDER BY due_on, contact, kind, entry LIMIT ?4 OFFSET ?3",
        )?;
        let rows = statement.query_map(params![from, until, skip, limit], |row| {
            Ok(TaskRow { contact: RecordId::from_bytes(row.get(0)?), kind: row.get(1)?, entry: row.get(2)? })
        })?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// How many open tasks have a day before `today`, that day, a later one, and none.
    pub fn task_counts(&self, today: &str) -> Result<[u64; 4]> {
        let mut statement = self.conn.prepare_cached(
            "SELECT coalesce(sum(due_on < ?1), 0), coalesce(sum(due_on = ?1), 0),
                    coalesce(sum(due_on > ?1), 0), coalesce(sum(due_on IS NULL), 0)
             FROM task WHERE open = 1",
        )?;
        let counts = |row: &rusqlite::Row| Ok([row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?]);
        Ok(statement.query_row([today], counts)?)
    }

    /// People who may be one, the likeliest first: all of them, or those of one person.
    pub fn pairs(&self, of: Option<RecordId>, skip: u64, limit: u64) -> Result<Vec<Pair>> {
        let mut statement = self.conn.prepare_cached(&format!(
            "SELECT x, y, ta.team, tb.team, likely, reasons FROM ({PAIRS})
             JOIN person AS ta ON ta.id = x JOIN person AS tb ON tb.id = y
             ORDER BY likely DESC, weight DESC, x, y LIMIT ?2 OFFSET ?3"
        ))?;
        let of = of.map(|id| *id.as_bytes());
        let rows = statement.query_map(params![of, limit, skip], |row| {
            let id = |index| row.get(index).map(RecordId::from_bytes);
            let (likely, reasons): (i64, String) = (row.get(4)?, row.get(5)?);
            Ok((id(0)?, id(1)?, id(2)?, id(3)?, likely == 2, reasons))
        })?;
        let pairs = rows.map(|row| {
            let (a, b, team_a, team_b, likely, reasons) = row?;
            let reasons =
                serde_json::from_str(&reasons).map_err(|_| Error::Internal("reasons in the views"))?;
            Ok(Pair { a, b, team_a, team_b, likely, reasons })
        });
        pairs.collect()
    }

    /// How many pairs there are: likely ones, and possible ones.
    pub fn pair_counts(&self) -> Result<(u64, u64)> {
        let mut statement = self.conn.prepare_cached(&format!(
            "SELECT coalesce(sum(likely = 2), 0), coalesce(sum(likely = 1), 0) FROM ({PAIRS})"
        ))?;
        let none: Option<[u8; 16]> = None;
        Ok(statement.query_row([none], |row| Ok((row.get(0)?, row.get(1)?)))?)
    }

    /// The record that stands for a person: the lowest id of all that were merged with it.
    pub fn standing(&self, id: RecordId) -> Result<RecordId> {
        people::standing(&self.conn, id)
    }

    /// Every record of a person by the one that stands for it, that one first, with what each was merged
    /// into.
    pub fn merged(&self, standing: RecordId) -> Result<Vec<(RecordId, Option<RecordId>)>> {
        let mut statement =
            self.conn.prepare_cached("SELECT id, merged_into FROM person WHERE standing = ? ORDER BY id")?;
        let rows = statement.query_map([standing.as_bytes()], |row| {
            let into: Option<[u8; 16]> = row.get(1)?;
            Ok((RecordId::from_bytes(row.get(0)?), into.map(RecordId::from_bytes)))
        })?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }
}
