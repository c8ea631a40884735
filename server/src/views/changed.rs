//! Since when each record is as it is exported: what lets a reader ask for what changed since it last asked.
//!
//! Numbers are those of the team's log, so that a place in it means the same on every server and after the views were
//! derived again.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{OptionalExtension, Transaction, params};
use wayside_protocol::record::{Kind, RecordId, Scalar, chunk};

use super::Views;
use super::derive::Person;
use crate::error::Result;

/// How far the views of a team have come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    pub team: RecordId,
    pub epoch: [u8; 8],
    pub seq: u64,
}

/// A record that changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Changed {
    pub id: RecordId,
    pub seq: u64,
    /// `None` of one that was erased, and of a kind of a newer version.
    pub kind: Option<Kind>,
    pub gone: bool,
}

/// Whom a person was ever merged into, by its changes: once it is taken apart, its record no longer says.
pub(super) fn ever_merged_into(raws: &[Vec<u8>]) -> BTreeSet<RecordId> {
    const FIELD: &str = "merged_into";
    // Keys stand in a change as they are: most persons were never merged, and their changes are not read again.
    let named = raws.iter().filter(|raw| raw.windows(FIELD.len()).any(|part| part == FIELD.as_bytes()));
    let changes = named.filter_map(|raw| chunk::parse(raw).ok());
    let mut into = BTreeSet::new();
    for change in changes {
        let written = change.writes().filter(|(path, _)| *path == FIELD);
        let values = written.filter_map(|(_, value)| Scalar::from_chunk(&value));
        into.extend(values.filter_map(|value| value.to_json().as_str()?.parse::<RecordId>().ok()));
    }
    into
}

/// Marks what a batch touched, and what depends on the persons among it: all who were or had been found to be the same,
/// and their contacts. Each of `persons` knows whom it was ever [merged into](ever_merged_into).
///
/// That is a function of the log, however it was cut into batches: the last change that moved somebody from one person
/// to another, or a later one of theirs, finds them at one end of the link that it made or took away.
pub(super) fn write(
    views: &Transaction,
    team: &[u8; 16],
    records: &BTreeMap<RecordId, u64>,
    persons: &BTreeMap<RecordId, Person>,
    gone: impl Fn(&RecordId) -> bool,
) -> Result<()> {
    let mut mark = views.prepare_cached(
        "INSERT INTO changed (id, team, seq, gone) VALUES (?1, ?2, ?3, ?4) ON CONFLICT (id) DO UPDATE
         SET seq = max(seq, excluded.seq), gone = max(gone, excluded.gone)",
    )?;
    for (record, seq) in records {
        mark.execute((record.as_bytes(), team, seq, gone(record)))?;
    }
    // Also of one who is not here, those who were merged into it.
    let mut together = views.prepare_cached(
        "SELECT id FROM person WHERE team = ?2 AND standing IN
             (SELECT standing FROM person WHERE (id = ?1 OR merged_into = ?1) AND team = ?2)",
    )?;
    let mut contacts = views.prepare_cached("SELECT id FROM contact WHERE person = ? AND +team = ?")?;
    for (person, Person { merged_into, .. }) in persons {
        let seq = records.get(person);
        let mut theirs: BTreeSet<[u8; 16]> = BTreeSet::new();
        for end in merged_into.iter().chain([person]) {
            for member in together.query_map((end.as_bytes(), team), |row| row.get(0))? {
                theirs.insert(member?);
            }
        }
        for member in &theirs {
            mark.execute((member, team, seq, false))?;
            for contact in contacts.query_map((member, team), |row| row.get::<_, [u8; 16]>(0))? {
                mark.execute((contact?, team, seq, false))?;
            }
        }
    }
    Ok(())
}

impl Views {
    /// How far they have come in each team.
    pub fn positions(&self) -> Result<Vec<Position>> {
        let mut statement = self.conn.prepare_cached("SELECT team, epoch, seq FROM cursor ORDER BY team")?;
        let rows = statement.query_map([], |row| {
            Ok(Position { team: RecordId::from_bytes(row.get(0)?), epoch: row.get(1)?, seq: row.get(2)? })
        })?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// Records of a team that changed after `from` (a number, and an id among those of one number) and not after
    /// `until`, in order, no more than `limit`.
    pub fn changed(
        &self,
        team: RecordId,
        from: (u64, Option<RecordId>),
        until: u64,
        limit: usize,
    ) -> Result<Vec<Changed>> {
        let mut statement = self.conn.prepare_cached(
            "SELECT changed.id, seq, gone, record.kind FROM changed LEFT JOIN record ON record.id = changed.id
             WHERE changed.team = ?1 AND (seq, changed.id) > (?2, ?3) AND seq <= ?4
             ORDER BY seq, changed.id LIMIT ?5",
        )?;
        let id = from.1.map_or([0xff; 16], |id| *id.as_bytes());
        let rows = statement.query_map(params![team.as_bytes(), from.0, id, until, limit], |row| {
            let kind: Option<String> = row.get(3)?;
            Ok(Changed {
                id: RecordId::from_bytes(row.get(0)?),
                seq: row.get(1)?,
                gone: row.get(2)?,
                kind: kind.as_deref().and_then(Kind::parse),
            })
        })?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// The number of the team's `nth` record (from 1) that changed after `from`; `None` where there are fewer.
    pub fn nth_changed(&self, team: RecordId, from: u64, nth: u64) -> Result<Option<u64>> {
        let mut statement = self.conn.prepare_cached(
            "SELECT seq FROM changed WHERE team = ? AND seq > ? ORDER BY seq, id LIMIT 1 OFFSET ?",
        )?;
        let found = statement.query_row((team.as_bytes(), from, nth.saturating_sub(1)), |row| row.get(0));
        Ok(found.optional()?)
    }
    /// How many of the team's records changed after `from`.
    pub fn count_changed(&self, team: RecordId, from: u64) -> Result<u64> {
        let mut statement =
            self.conn.prepare_cached("SELECT count(*) FROM changed WHERE team = ? AND seq > ?")?;
        Ok(statement.query_row((team.as_bytes(), from), |row| row.get(0))?)
    }
}
