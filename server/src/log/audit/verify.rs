//! Whether the trail is as it was written.

use std::collections::BTreeMap;

use super::super::db::{Conn, args};
use super::chain::{Head, digest_of, find, next};
use super::{COLUMNS, PAGE, read};
use crate::error::Result;

/// Faults that are told one by one.
const MOST: usize = 50;

/// What the ledger noted of the chain's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Noted {
    pub head: Head,
    /// The log was restored, and the chain goes on from here.
    pub restored: bool,
}

/// What is wrong, by the places of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// This row, or the one before it, does not say what it said; or something was put in between.
    Changed { place: u64 },
    /// These are not there any more.
    Missing { from: u64, to: u64 },
    /// A row of the table, by its number in it, that is in no chain.
    Outside { n: i64 },
    /// The ledger knows this row otherwise: the chain was written anew up to here or beyond.
    Rewritten { place: u64 },
    /// The ledger knows of these, and the chain ends before: its end was cut off.
    Cut { from: u64, to: u64 },
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verified {
    pub rows: u64,
    /// The first of them.
    pub faults: Vec<Fault>,
    /// How many there are.
    pub wrong: u64,
    /// What restores lost, as the ledger knows: from and to.
    pub lost: Vec<(u64, u64)>,
}

impl Verified {
    fn fault(&mut self, fault: Fault) {
        self.wrong += 1;
        if self.faults.len() < MOST {
            self.faults.push(fault);
        }
    }
}

/// Proves the chain against itself and against what the ledger noted, oldest first. What it noted must have been read
/// before `conn` began to read.
pub fn verify(conn: &Conn, noted: &[Noted]) -> Result<Verified> {
    let mut found = Verified::default();
    let mut notes = notes(noted, &mut found);
    // `None` behind a gap: nobody knows what the next row was chained to.
    let (mut before, mut last) = (Some(Head::default()), 0);
    let sql = format!(
        "SELECT {COLUMNS}, place, salt, digest, hash,
             EXISTS (SELECT 1 FROM erased WHERE erased.record = audit.record)
         FROM audit WHERE place > ? ORDER BY place LIMIT {PAGE}"
    );
    loop {
        let (began, mut any) = (last, false);
        conn.each(&sql, args![began], |row| {
            any = true;
            let act = read(row)?;
            let (place, salt): (u64, Option<[u8; 16]>) = (row.get(7)?, row.get(8)?);
            let (digest, hash): ([u8; 32], [u8; 32]) = (row.get(9)?, row.get(10)?);
            let erased: bool = row.get(11)?;
            if place > last + 1 {
                found.fault(Fault::Missing { from: last + 1, to: place - 1 });
                before = None;
            }
            let is_reason = match salt {
                Some(salt) => digest_of(&salt, &act.reason) == digest,
                None => erased && act.reason.is_empty(),
            };
            let follows = before.is_none_or(|before| next(before, &act, &digest).hash == hash);
            if !is_reason || !follows {
                found.fault(Fault::Changed { place });
            }
            if notes.remove(&place).is_some_and(|noted| noted != hash) {
                found.fault(Fault::Rewritten { place });
            }
            found.rows += 1;
            last = place;
            before = Some(Head { place, hash });
            Ok(true)
        })?;
        if !any {
            break;
        }
    }
    ends(conn, last, before, &mut found)?;
    if let Some((to, _)) = notes.last_key_value().filter(|(place, _)| **place > last) {
        found.fault(Fault::Cut { from: last + 1, to: *to });
    }
    conn.each("SELECT n FROM audit WHERE place IS NULL ORDER BY n", &[], |row| {
        found.fault(Fault::Outside { n: row.get(0)? });
        Ok(true)
    })?;
    Ok(found)
}

/// What must still be so, by place. A restore takes back what was noted beyond it.
fn notes(noted: &[Noted], found: &mut Verified) -> BTreeMap<u64, [u8; 32]> {
    let mut notes = BTreeMap::new();
    for Noted { head, restored } in noted {
        if *restored {
            let taken = notes.split_off(&(head.place + 1));
            found.lost.extend(taken.last_key_value().map(|(to, _)| (head.place + 1, *to)));
        }
        if head.place > 0 {
            notes.insert(head.place, head.hash);
        }
    }
    notes
}

/// Whether the chain ends where its head says.
fn ends(conn: &Conn, last: u64, before: Option<Head>, found: &mut Verified) -> Result<()> {
    let head = find(conn)?.unwrap_or_default();
    if head.place > last {
        found.fault(Fault::Missing { from: last + 1, to: head.place });
    } else if before.is_some_and(|before| before != head) {
        // Rows behind the head, or a head of other rows.
        found.fault(Fault::Changed { place: head.place + 1 });
    }
    Ok(())
}
