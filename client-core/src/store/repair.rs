//! What a comparison with the server's log needs of the store, and what it comes to.

use std::collections::{BTreeSet, HashSet};

use rusqlite::Connection;
use wayside_protocol::{
    record::{Hash, RecordId},
    sync::reconcile::{PairId, pair_id},
};

use super::{
    log::{self, Epoch},
    records,
};
use crate::error::Result;

/// Everything of a team that is held here, whatever the server said of it.
pub fn held(conn: &Connection, team: RecordId) -> Result<Vec<(RecordId, Hash)>> {
    let sql = "SELECT r.id, c.hash FROM change c JOIN record r ON r.no = c.record WHERE c.team = ?";
    let mut statement = conn.prepare_cached(sql)?;
    let pairs =
        statement.query_map([team.as_bytes()], |row| Ok((RecordId::from_bytes(row.get(0)?), row.get(1)?)))?;
    Ok(pairs.collect::<Result<_, _>>()?)
}

/// Both sides hold everything in `common`, and nothing of the log up to `head` is missing here: the cursor stands
/// there. What was held here alone has no number and so is offered.
pub fn repaired(
    conn: &Connection,
    team: RecordId,
    epoch: Epoch,
    head: u64,
    common: &HashSet<PairId>,
) -> Result<()> {
    let sql = "SELECT c.no, c.record, r.id, c.hash, c.state = 'quarantined' FROM change c
        JOIN record r ON r.no = c.record WHERE c.team = ? AND c.seq IS NULL";
    let mut statement = conn.prepare_cached(sql)?;
    let mut rows = statement.query([team.as_bytes()])?;
    let (mut numbers, mut touched) = (Vec::new(), BTreeSet::new());
    while let Some(row) = rows.next()? {
        if common.contains(&pair_id(RecordId::from_bytes(row.get(2)?), &row.get(3)?)) {
            numbers.push(row.get::<_, i64>(0)?);
            if row.get(4)? {
                touched.insert(row.get::<_, i64>(1)?);
            }
        }
    }
    for no in numbers {
        // Its own number was not asked for: it lies at or below this one.
        log::set_number(conn, team, no, head)?;
    }
    touched.into_iter().try_for_each(|record| records::refresh(conn, record))?;
    log::advance(conn, team, epoch, head, false)
}
