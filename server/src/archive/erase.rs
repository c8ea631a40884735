//! Erasing somebody: the person, those merged with them, their contacts; from the log, the views, and what is in
//! quarantine or waits. Ids, hashes and signatures stay, and the ledger keeps the ids, so that no restore and no tablet
//! brings them back.

use std::collections::BTreeSet;

use wayside_protocol::error::Code;
use wayside_protocol::record::{Kind, RecordId};
use wayside_protocol::sync::frame::What;

use crate::base::Base;
use crate::error::{Error, Result};
use crate::ledger::Entry;
use crate::log::db::{Conn, args};
use crate::log::{self, Audited, By, Made};
use crate::views::Views;

/// What is to be erased.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Erasure {
    pub team: RecordId,
    pub persons: BTreeSet<RecordId>,
    pub contacts: BTreeSet<RecordId>,
}

/// Finds what erasing a person takes with it. Nothing of somebody who was erased before. Blocks.
pub fn erasure(base: &Base, person: RecordId) -> Result<Erasure> {
    let mut views = Views::open(base.data())?;
    views.catch_up(&base.log)?;
    let Some((team, kind)) = views.kind_of(person)? else {
        return base.log.read(|conn| never_accepted(conn, person));
    };
    if kind != Kind::Person.as_str() {
        return Err(Error::Said(Code::WrongKind, "Only a person can be erased, with all contacts.".into()));
    }
    let belongings = views.belongings(team, &[person])?;
    let mut erasure = Erasure { team, persons: belongings.persons, contacts: belongings.contacts };
    base.log.read(|conn| erasure.extend(conn))?;
    Ok(erasure)
}

/// Somebody of whom no change was ever accepted.
fn never_accepted(conn: &Conn, person: RecordId) -> Result<Erasure> {
    let persons = BTreeSet::from([person]);
    for team in log::teams(conn)? {
        let mut erasure = Erasure { team: team.id, persons: persons.clone(), contacts: BTreeSet::new() };
        erasure.extend(conn)?;
        let held = conn.exists(
            "SELECT 1 FROM quarantine WHERE team = ?1 AND record = ?2
             UNION ALL SELECT 1 FROM waiting WHERE team = ?1 AND record = ?2",
            args![team.n, person],
        )?;
        if held || !erasure.contacts.is_empty() {
            return Ok(erasure);
        }
        if log::is_erased(conn, person)? {
            return Ok(Erasure { persons: BTreeSet::new(), ..erasure });
        }
    }
    Err(Code::RecordNotFound.into())
}

impl Erasure {
    pub fn is_empty(&self) -> bool {
        self.persons.is_empty() && self.contacts.is_empty()
    }

    fn ids(&self) -> impl Iterator<Item = RecordId> {
        self.persons.iter().chain(&self.contacts).copied()
    }

    /// Adds contacts with these people that the views do not show: refused, waiting, or of one moment ago.
    fn extend(&mut self, conn: &Conn) -> Result<()> {
        let team = log::team_by_id(conn, self.team)?.ok_or(Code::TeamUnknown)?.n;
        for sql in [
            "SELECT record, raw FROM quarantine WHERE team = ?",
            "SELECT record, raw FROM waiting WHERE team = ?",
        ] {
            conn.each(sql, args![team], |row| {
                self.take(row.get(0)?, &row.get::<Vec<u8>>(1)?);
                Ok(true)
            })?;
        }
        Ok(())
    }

    fn take(&mut self, record: RecordId, raw: &[u8]) {
        let with = |(name, named): (&str, RecordId)| name == "person" && self.persons.contains(&named);
        if log::named(raw).into_iter().any(with) {
            self.contacts.insert(record);
        }
    }
}

/// Erases, whoever had asked for it. Blocks, and others wait for a while: both databases are written anew, so that nothing
/// stays in them.
pub fn erase(base: &Base, erasure: Erasure, by: impl Into<By>, reason: &str) -> Result<()> {
    let now = base.clock.now_ms();
    let mut views = Views::open(base.data())?;
    let from = views.head(erasure.team)?.unwrap_or_default();
    let (ledger, reason) = (base.ledger.clone(), reason.to_owned());
    let act = by.into().does("erase", now);
    if !erasure.is_empty() {
        base.log.write_for(erasure.team, move |txn| {
            let mut erasure = erasure.clone();
            let team = log::team_by_id(txn.conn, erasure.team)?.ok_or(Code::TeamUnknown)?;
            // Somebody may have been there since it was found.
            erasure.extend(txn.conn)?;
            log::rows_after(
                txn.conn,
                team.n,
                from,
                |_, _| false,
                |row| {
                    erasure.take(row.record, &row.raw);
                    Ok(true)
                },
            )?;
            let all: Vec<RecordId> = erasure.ids().collect();
            log::enter(txn, team.id, What::Erase, &all, Made { at: now, by: log::SERVER })?;
            for person in &erasure.persons {
                txn.conn.execute("DELETE FROM erase_request WHERE person = ?", args![*person])?;
                let (record, reason) = (Some(*person), reason.clone());
                log::audit(txn.conn, &Audited { record, reason, ..act.clone() })?;
            }
            all.into_iter().try_for_each(|record| ledger.note(txn.conn, &Entry::Erased { record }, now))
        })?;
    }
    views.catch_up(&base.log)?;
    drop(views);
    base.scrub()
}
