//! What coordinators' lists read: tasks by their day, people who may be one, who stands for whom.

use rusqlite::{ToSql, params};
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
    /// `YYYY-MM-DD`; empty where no day was said.
    pub due_on: String,
}

/// By what tasks are ordered: the day, the contact, kind and entry.
pub type TaskPlace = (String, RecordId, String, String);

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
    /// In bits: each more doubles the odds.
    pub weight: f64,
}

/// By what pairs are ordered: likely, weight, and the two.
pub type PairPlace = (bool, f64, RecordId, RecordId);

/// Of some rows of `pair`, those that stand: by who stands for whom, each two once, without what was merged and what
/// coordinators said are two people.
fn standing_pairs(rows: &str) -> String {
    format!(
        "SELECT min(pa.standing, pb.standing) AS x, max(pa.standing, pb.standing) AS y,
                max(pair.weight) AS weight, pair.likely AS likely, pair.reasons AS reasons
         FROM ({rows}) AS pair JOIN person AS pa ON pa.id = pair.a JOIN person AS pb ON pb.id = pair.b
         WHERE pa.standing <> pb.standing
           AND NOT EXISTS (
               SELECT 1 FROM person AS pc JOIN not_same ON not_same.holder = pc.id
               JOIN person AS pd ON pd.id = not_same.other
               WHERE (pc.standing = pa.standing AND pd.standing = pb.standing)
                  OR (pc.standing = pb.standing AND pd.standing = pa.standing))
         GROUP BY x, y"
    )
}

/// Nearly all pairs are of two people of whom nobody has said anything: those are read as they are. The few of whom
/// somebody was merged, or said to be another, are looked at one by one.
const DECIDED: &str = "
    decided AS MATERIALIZED (
        SELECT id FROM person WHERE standing IN (SELECT standing FROM person WHERE standing <> id)
        UNION SELECT holder FROM not_same UNION SELECT other FROM not_same),
    touched AS MATERIALIZED (
        SELECT a, b, weight, likely, reasons FROM pair WHERE a IN (SELECT id FROM decided)
        UNION SELECT a, b, weight, likely, reasons FROM pair WHERE b IN (SELECT id FROM decided))";

impl Views {
    /// Open tasks with a day from `from` to before `until` (`YYYY-MM-DD`, empty for no end), the earliest
    /// first; those without a day instead where `from` is `None`.
    pub fn open_tasks(&self, from: Option<&str>, until: &str, skip: u64, limit: u64) -> Result<Vec<TaskRow>> {
        let mut statement = self.conn.prepare_cached(
            "SELECT contact, kind, entry, coalesce(due_on, '') FROM task
             WHERE open = 1 AND CASE WHEN ?1 IS NULL THEN due_on IS NULL
                 ELSE due_on >= ?1 AND (?2 = '' OR due_on < ?2) END
             ORDER BY due_on, contact, kind, entry LIMIT ?4 OFFSET ?3",
        )?;
        let rows = statement.query_map(params![from, until, skip, limit], |row| {
            Ok(TaskRow {
                contact: RecordId::from_bytes(row.get(0)?),
                kind: row.get(1)?,
                entry: row.get(2)?,
                due_on: row.get(3)?,
            })
        })?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// How many of these tasks stand up to a place in their order, whether or not one stands there now.
    pub fn open_tasks_through(
        &self,
        from: Option<&str>,
        until: &str,
        (due_on, contact, kind, entry): &TaskPlace,
    ) -> Result<u64> {
        let mut statement = self.conn.prepare_cached(
            "SELECT count(*) FROM task
             WHERE open = 1 AND CASE WHEN ?1 IS NULL THEN due_on IS NULL
                 ELSE due_on >= ?1 AND (?2 = '' OR due_on < ?2) END
               AND (coalesce(due_on, ''), contact, kind, entry) <= (?3, ?4, ?5, ?6)",
        )?;
        let place = params![from, until, due_on, contact.as_bytes(), kind, entry];
        Ok(statement.query_row(place, |row| row.get(0))?)
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

    /// People who may be one, the likeliest first.
    pub fn pairs(&self, skip: u64, limit: u64) -> Result<Vec<Pair>> {
        let touched = standing_pairs("SELECT * FROM touched");
        self.read_pairs(
            &format!(
                "WITH {DECIDED}, found (x, y, weight, likely, reasons) AS (
                     SELECT * FROM (
                         SELECT a, b, weight, likely, reasons FROM pair
                         WHERE a NOT IN (SELECT id FROM decided) AND b NOT IN (SELECT id FROM decided)
                         ORDER BY likely DESC, weight DESC, a, b LIMIT ?1 + ?2)
                     UNION ALL {touched})"
            ),
            params![skip, limit],
        )
    }

    /// How many of them stand up to a place: whether it is likely, its weight, and who they are.
    pub fn pairs_through(&self, (likely, weight, x, y): &PairPlace) -> Result<u64> {
        let touched = standing_pairs("SELECT * FROM touched");
        let mut statement = self.conn.prepare_cached(&format!(
            "WITH {DECIDED}, found (x, y, weight, likely) AS (
                 SELECT a, b, weight, likely FROM pair
                 WHERE a NOT IN (SELECT id FROM decided) AND b NOT IN (SELECT id FROM decided)
                 UNION ALL SELECT x, y, weight, likely FROM ({touched}))
             SELECT count(*) FROM found WHERE (-likely, -weight, x, y) <= (-?1, -?2, ?3, ?4)"
        ))?;
        let likely = if *likely { 2 } else { 1 };
        Ok(statement.query_row(params![likely, weight, x.as_bytes(), y.as_bytes()], |row| row.get(0))?)
    }

    /// Who may be the same as one person, by the record that stands for them: the likeliest first.
    pub fn pairs_of(&self, standing: RecordId, limit: u64) -> Result<Vec<Pair>> {
        let theirs = "SELECT id FROM person WHERE standing = ?3";
        let found = standing_pairs(&format!(
            "SELECT * FROM pair WHERE a IN ({theirs}) UNION SELECT * FROM pair WHERE b IN ({theirs})"
        ));
        let with = format!("WITH found (x, y, weight, likely, reasons) AS ({found})");
        self.read_pairs(&with, params![0, limit, standing.as_bytes()])
    }

    /// Of `found`: ?1 are skipped, ?2 are read.
    fn read_pairs(&self, with: &str, values: &[&dyn ToSql]) -> Result<Vec<Pair>> {
        let mut statement = self.conn.prepare_cached(&format!(
            "{with} SELECT x, y, ta.team, tb.team, likely, reasons, weight FROM found
             JOIN person AS ta ON ta.id = x JOIN person AS tb ON tb.id = y
             ORDER BY likely DESC, weight DESC, x, y LIMIT ?2 OFFSET ?1"
        ))?;
        let rows = statement.query_map(values, |row| {
            let id = |index| row.get(index).map(RecordId::from_bytes);
            let (likely, reasons): (i64, String) = (row.get(4)?, row.get(5)?);
            Ok((id(0)?, id(1)?, id(2)?, id(3)?, likely == 2, reasons, row.get(6)?))
        })?;
        let pairs = rows.map(|row| {
            let (a, b, team_a, team_b, likely, reasons, weight) = row?;
            let reasons =
                serde_json::from_str(&reasons).map_err(|_| Error::Internal("reasons in the views"))?;
            Ok(Pair { a, b, team_a, team_b, likely, reasons, weight })
        });
        pairs.collect()
    }

    /// How many pairs there are: likely ones, and possible ones.
    pub fn pair_counts(&self) -> Result<(u64, u64)> {
        let touched = standing_pairs("SELECT * FROM touched");
        let of = |likely: u8| {
            format!(
                "(SELECT count(*) FROM pair WHERE likely = {likely})
                 - (SELECT count(*) FROM touched WHERE likely = {likely})
                 + (SELECT count(*) FROM standing WHERE likely = {likely})"
            )
        };
        let mut statement = self.conn.prepare_cached(&format!(
            "WITH {DECIDED}, standing AS MATERIALIZED ({touched}) SELECT {}, {}",
            of(2),
            of(1)
        ))?;
        Ok(statement.query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?)
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
