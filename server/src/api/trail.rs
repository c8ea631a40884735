//! The audit trail as people read it: who looked at a person's record, what an account did.

use serde::Serialize;
use wayside_protocol::error::Code;
use wayside_protocol::record::{Kind, RecordId};

use super::changes::rfc3339;
use super::items::name_of;
use super::records::read;
use super::{Names, Readers};
use crate::base::Base;
use crate::error::Result;
use crate::log::db::Conn;
use crate::log::{self, Audited};
use crate::views::Views;

/// Rows on one page.
const MOST: usize = 500;

/// One row of the trail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Act {
    /// RFC 3339.
    pub at: String,
    /// Of an account its name, of a tablet what people call it, with who held it.
    pub who: String,
    /// From where, if that is known.
    pub address: String,
    pub act: String,
    pub record: Option<String>,
    pub reason: String,
}

impl Act {
    fn of(act: Audited, names: &Names) -> Act {
        // A tablet stands there by its id, with a member of staff.
        let who = match act.who.split_once(' ').filter(|(first, _)| names.knows_tablet(first)) {
            Some((tablet, staff)) => format!("{} on {}", names.staff(staff), names.tablet(tablet)),
            None => act.who,
        };
        Act {
            at: rfc3339(act.at),
            who,
            address: act.address,
            act: act.act,
            record: act.record.map(|record| record.to_string()),
            reason: act.reason,
        }
    }
}

/// A person, with who has looked at any record of theirs.
#[derive(Debug, Clone, Serialize)]
pub struct Looked {
    pub id: String,
    pub name: Option<String>,
    /// The latest first, and only so many.
    pub acts: Vec<Act>,
}

/// Who has looked at a person's records: their own, those merged with them, their checks. Blocks.
pub fn looked(base: &Base, readers: &Readers, id: RecordId) -> Result<Looked> {
    read(base, readers, |log, views| {
        let (standing, all) = belonging(views, id)?;
        let person = views.show(standing)?.ok_or(Code::RecordNotFound)?;
        let names = Names::read(base, log, views)?;
        Ok(Looked { id: standing.to_string(), name: name_of(&person), acts: acts(log, &all, &names)? })
    })
}

pub(super) fn acts(log: &Conn, records: &[RecordId], names: &Names) -> Result<Vec<Act>> {
    let acts = log::audited_of(log, records, MOST)?;
    Ok(acts.into_iter().map(|act| Act::of(act, names)).collect())
}

/// Who stands for a person, and all records that are theirs: those of persons first, then their contacts.
pub(super) fn belonging(views: &Views, id: RecordId) -> Result<(RecordId, Vec<RecordId>)> {
    let (team, kind) = views.kind_of(id)?.ok_or(Code::RecordNotFound)?;
    if kind != Kind::Person.as_str() {
        return Err(Code::RecordNotFound.into());
    }
    let belongings = views.belongings(team, &[id])?;
    let all = belongings.persons.into_iter().chain(belongings.contacts).collect();
    Ok((views.standing(id)?, all))
}

/// What an account did, the latest first, and only so many. Blocks.
pub fn acts_of(base: &Base, readers: &Readers, account: i64) -> Result<Vec<Act>> {
    read(base, readers, |log, views| {
        let names = Names::read(base, log, views)?;
        let acts = log::audited_by(log, account, MOST)?;
        Ok(acts.into_iter().map(|act| Act::of(act, &names)).collect())
    })
}
