//! What leaves this tablet: records that base has archived or erased, and those of a team that it is taken out of.
//!
//! An archived record is hidden at once and counts no longer; its bytes are *retained* until base needs them no more. An
//! erased one is gone at once, with all that was still to be sent of it.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension, Params, Row as SqlRow};
use wayside_protocol::{
    record::{Kind, RecordId},
    sync::{
        Position, SetSum,
        frame::{Entry, What},
    },
};

use super::{
    index,
    log::{cursor, number, set_cursor},
    meta,
};
use crate::error::{Error, Result};

/// Takes entries of a team's log, in their order, and returns how many records were erased here. The changes of what
/// is active again come after them. Taking them twice changes nothing.
pub fn apply_entries(conn: &Connection, team: RecordId, entries: &[Entry]) -> Result<u64> {
    let (place, mut sum) = cursor(conn, team)?;
    let (mut back, mut erased) = (BTreeSet::new(), 0);
    for entry in entries {
        // Another team's record is none of this log's business; one that is not here has nothing to lose.
        let Some(Known { no, archived }) = known(conn, team, entry.record)? else { continue };
        match entry.what {
            What::Archive => {
                if !archived {
                    each_counted(conn, no, place, |hash| sum.remove(entry.record, hash))?;
                }
                let sql = "UPDATE record SET archived = ? WHERE no = ?";
                conn.prepare_cached(sql)?.execute((number(entry.seq)?, no))?;
                back.remove(&no);
            }
            What::Activate if archived => {
                each_counted(conn, no, place, |hash| sum.add(entry.record, hash))?;
                conn.prepare_cached("UPDATE record SET archived = NULL WHERE no = ?")?.execute([no])?;
                back.insert(no);
            }
            What::Activate => {}
            What::Erase => {
                take_out(conn, entry.record, no, archived, place, &mut sum)?;
                back.remove(&no);
                erased += 1;
            }
        }
    }
    set_cursor(conn, team, place, &sum)?;
    back.into_iter().try_for_each(|no| look(conn, no))?;
    hide(conn)?;
    Ok(erased)
}

/// Deletes a record that base says was erased, if it is here, and returns whether it was.
pub fn erase(conn: &Connection, team: RecordId, record: RecordId) -> Result<bool> {
    let Some(Known { no, archived }) = known(conn, team, record)? else { return Ok(false) };
    let (place, mut sum) = cursor(conn, team)?;
    take_out(conn, record, no, archived, place, &mut sum)?;
    set_cursor(conn, team, place, &sum)?;
    hide(conn)?;
    Ok(true)
}

struct Known {
    no: i64,
    archived: bool,
}

fn known(conn: &Connection, team: RecordId, record: RecordId) -> Result<Option<Known>> {
    let sql = "SELECT no, archived IS NOT NULL FROM record WHERE id = ? AND team = ?";
    let read = |row: &SqlRow<'_>| Ok(Known { no: row.get(0)?, archived: row.get(1)? });
    Ok(conn.prepare_cached(sql)?.query_row((record.as_bytes(), team.as_bytes()), read).optional()?)
}

/// Calls `f` with each change of a record that the sum at a cursor covers while the record is active.
fn each_counted(
    conn: &Connection,
    no: i64,
    cursor: u64,
    mut f: impl FnMut(&wayside_protocol::record::Hash),
) -> Result<()> {
    let mut statement = conn.prepare_cached("SELECT hash FROM change WHERE record = ? AND seq <= ?")?;
    let mut rows = statement.query((no, number(cursor)?))?;
    while let Some(row) = rows.next()? {
        f(&row.get(0)?);
    }
    Ok(())
}

/// Takes an erased record out of the sum and out of the store.
fn take_out(
    conn: &Connection,
    record: RecordId,
    no: i64,
    archived: bool,
    cursor: u64,
    sum: &mut SetSum,
) -> Result<()> {
    if !archived {
        each_counted(conn, no, cursor, |hash| sum.remove(record, hash))?;
    }
    index::forget(conn, no)?;
    delete(conn, no)
}

/// Deletes a record with its changes, and lists of which nothing is left.
fn delete(conn: &Connection, no: i64) -> Result<()> {
    let sql = "SELECT DISTINCT list FROM change WHERE record = ? AND list IS NOT NULL";
    let lists = numbers(conn, sql, [no])?;
    conn.prepare_cached("DELETE FROM record WHERE no = ?")?.execute([no])?;
    for list in lists {
        let sql =
            "DELETE FROM signed_list WHERE no = ?1 AND NOT EXISTS (SELECT 1 FROM change WHERE list = ?1)";
        conn.prepare_cached(sql)?.execute([list])?;
    }
    Ok(())
}

/// Shows or hides a record, as things stand: what is archived is hidden unless something of it has no number yet, or it
/// is the person or the session of a contact that is shown.
pub fn look(conn: &Connection, no: i64) -> Result<()> {
    let sql = "SELECT r.kind, r.hidden, r.archived IS NOT NULL
            AND NOT EXISTS (SELECT 1 FROM change c WHERE c.record = r.no AND c.seq IS NULL)
            AND NOT EXISTS (SELECT 1 FROM contact c WHERE c.person = r.id AND c.record <> r.no)
            AND NOT EXISTS (SELECT 1 FROM contact c WHERE c.session = r.id AND c.record <> r.no)
        FROM record r WHERE r.no = ?";
    let (kind, hidden, hides): (String, bool, bool) =
        conn.prepare_cached(sql)?.query_row([no], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    if hidden == hides {
        return Ok(());
    }
    conn.prepare_cached("UPDATE record SET hidden = ? WHERE no = ?")?.execute((hides, no))?;
    if hides {
        return index::forget(conn, no);
    }
    index::restore(conn, no)?;
    if Kind::parse(&kind) == Some(Kind::Contact) {
        let sql =
            "SELECT b.no FROM contact c JOIN record b ON b.id IN (c.person, c.session) WHERE c.record = ?";
        numbers(conn, sql, [no])?.into_iter().try_for_each(|no| look(conn, no))?;
    }
    Ok(())
}

/// Hides what is archived and still shown, as far as nothing keeps it in sight any more. Contacts first: they may.
fn hide(conn: &Connection) -> Result<()> {
    let sql = "SELECT no FROM record WHERE archived IS NOT NULL AND hidden = 0 ORDER BY kind <> 'contact'";
    numbers(conn, sql, ())?.into_iter().try_for_each(|no| look(conn, no))
}

fn numbers(conn: &Connection, sql: &str, params: impl Params) -> Result<Vec<i64>> {
    let mut statement = conn.prepare_cached(sql)?;
    let numbers = statement.query_map(params, |row| row.get(0))?;
    Ok(numbers.collect::<rusqlite::Result<_>>()?)
}

/// Forgets that anything of a team was archived, with the numbers that said so: what base does not hold is offered.
pub fn reset(conn: &Connection, team: RecordId) -> Result<()> {
    let sql = "UPDATE record SET archived = NULL WHERE team = ? AND archived IS NOT NULL RETURNING no";
    numbers(conn, sql, [team.as_bytes()])?.into_iter().try_for_each(|no| look(conn, no))
}

/// Deletes retained records once every backup that may be restored has all of them, as a receipt says. Returns how many.
pub fn drop_retained(conn: &Connection, position: &Position) -> Result<usize> {
    let sql = "SELECT r.no FROM record r JOIN team t ON t.id = r.team
        WHERE r.archived <= ?3 AND r.hidden = 1 AND t.id = ?1 AND t.epoch = ?2
            AND NOT EXISTS (SELECT 1 FROM change c WHERE c.record = r.no AND (c.seq IS NULL OR c.seq > ?3))";
    let row = (position.team.as_bytes(), position.epoch, number(position.watermark)?);
    let dropped = numbers(conn, sql, row)?;
    if !dropped.is_empty() {
        dropped.iter().try_for_each(|no| delete(conn, *no))?;
        meta::count_deletion(conn)?;
    }
    Ok(dropped.len())
}

/// Deletes every record of a team, contacts first.
pub fn delete_team(conn: &Connection, team: RecordId) -> Result<()> {
    let sql = "SELECT no FROM record WHERE team = ? ORDER BY kind <> 'contact'";
    numbers(conn, sql, [team.as_bytes()])?.into_iter().try_for_each(|no| {
        index::forget(conn, no)?;
        conn.prepare_cached("DELETE FROM record WHERE no = ?")?.execute([no])?;
        Ok::<_, Error>(())
    })?;
    meta::count_deletion(conn)
}

/// How many records are hidden here and retained.
pub fn retained(conn: &Connection) -> Result<u64> {
    let sql = "SELECT count(*) FROM record WHERE hidden = 1";
    Ok(conn.prepare_cached(sql)?.query_row([], |row| row.get(0))?)
}
