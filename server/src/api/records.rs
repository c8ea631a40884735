//! Single records with their history: a person, a check, or any record as it is.

use rusqlite::Connection;
use serde::Serialize;
use serde_json::Value;
use wayside_protocol::error::Code;
use wayside_protocol::record::{Kind, Record, RecordId, View};

use super::changes::{self, Change};
use super::{Names, Readers};
use crate::base::Base;
use crate::error::{Error, Result};
use crate::views::Views;

/// A record in the state that its heads stand for.
#[derive(Debug, Clone, Serialize)]
pub struct Shown {
    /// As every door prints it, with conflicts and what is derived.
    pub record: Value,
    /// What to send back with an edit, in hexadecimal.
    pub heads: Vec<String>,
    pub history: Vec<Change>,
}

impl Shown {
    pub fn kind(&self) -> Option<Kind> {
        self.record.get("kind").and_then(Value::as_str).and_then(Kind::parse)
    }
}

/// A check or conversation, with what it refers to.
#[derive(Debug, Clone, Serialize)]
pub struct Check {
    #[serde(flatten)]
    pub shown: Shown,
    /// The person's record, if there is one here.
    pub person: Option<Value>,
    pub session: Option<Value>,
    pub site: Option<Value>,
    /// The id of the reading that decided, the tablets and staff by name: for people.
    #[serde(skip)]
    pub names: std::sync::Arc<Names>,
}

/// A person with all checks and conversations, the latest first.
#[derive(Debug, Clone, Serialize)]
pub struct Person {
    #[serde(flatten)]
    pub shown: Shown,
    pub checks: Vec<Value>,
    #[serde(skip)]
    pub names: std::sync::Arc<Names>,
}

/// Any record. [`Code::RecordNotFound`] where there is none. Blocks.
pub fn record(base: &Base, readers: &Readers, id: RecordId) -> Result<(Shown, Names)> {
    read(base, readers, |log, views| {
        let names = Names::read(base, log, views)?;
        Ok((shown(log, id, &names)?, names))
    })
}

/// The history of a record alone. Blocks.
pub fn history(base: &Base, readers: &Readers, id: RecordId) -> Result<Vec<Change>> {
    Ok(record(base, readers, id)?.0.history)
}

/// A check or conversation. Blocks.
pub fn check(base: &Base, readers: &Readers, id: RecordId) -> Result<Check> {
    read(base, readers, |log, views| {
        let names = Names::read(base, log, views)?;
        let shown = of_kind(shown(log, id, &names)?, Kind::Contact)?;
        let refers = |name: &str| -> Result<Option<Value>> { referred(views, &shown.record, name) };
        let (person, session) = (refers("person")?, refers("session")?);
        let site = match &session {
            Some(session) => referred(views, session, "site")?,
            None => None,
        };
        Ok(Check { shown, person, session, site, names: names.into() })
    })
}

/// A person. Blocks.
pub fn person(base: &Base, readers: &Readers, id: RecordId) -> Result<Person> {
    read(base, readers, |log, views| {
        let names = Names::read(base, log, views)?;
        let shown = of_kind(shown(log, id, &names)?, Kind::Person)?;
        let mut checks = Vec::new();
        for seen in views.of_person(id)?.into_iter().rev() {
            let check = views.show(seen.id)?;
            // A reference from another team shows nothing here.
            checks.extend(check.filter(|check| check.get("team") == shown.record.get("team")));
        }
        Ok(Person { shown, checks, names: names.into() })
    })
}

/// Both the log and the views, each in a snapshot.
pub(super) fn read<T>(
    base: &Base,
    readers: &Readers,
    work: impl FnOnce(&Connection, &Views) -> Result<T>,
) -> Result<T> {
    base.log.read(|log| readers.read(base, |views| work(log, views)))
}

fn of_kind(shown: Shown, kind: Kind) -> Result<Shown> {
    if shown.kind() == Some(kind) { Ok(shown) } else { Err(Code::RecordNotFound.into()) }
}

/// The record that a field names, if it is one of the same team.
pub(super) fn referred(views: &Views, record: &Value, name: &str) -> Result<Option<Value>> {
    let Some(id) = record.get(name).and_then(Value::as_str).and_then(|id| id.parse::<RecordId>().ok()) else {
        return Ok(None);
    };
    Ok(views.show(id)?.filter(|found| found.get("team") == record.get("team")))
}

fn shown(log: &Connection, id: RecordId, names: &Names) -> Result<Shown> {
    let (team, team_id) = changes::team_of(log, id)?.ok_or(Code::RecordNotFound)?;
    let changes = changes::stored(log, team, id)?;
    let record = load(id, changes.iter().map(|change| &change.raw))?;
    let view = record.view();
    let person = person_of(log, team, &view)?;
    Ok(Shown {
        record: view.to_json(Some(&team_id.to_string()), person.as_ref()),
        heads: record.heads().iter().map(|head| data_encoding::HEXLOWER.encode(head)).collect(),
        history: changes::history(&changes, names),
    })
}

pub(super) fn load<'a>(id: RecordId, raws: impl Iterator<Item = &'a Vec<u8>>) -> Result<Record> {
    Record::load(id, raws).map_err(|_| Error::Internal("an accepted record"))
}

/// The fields of a contact's person, for what is derived from age and the like.
fn person_of(log: &Connection, team: i64, view: &View) -> Result<Option<Value>> {
    let named = view.fields.get("person").filter(|_| view.kind == Some(Kind::Contact));
    let Some(id) = named.and_then(Value::as_str).and_then(|id| id.parse::<RecordId>().ok()) else {
        return Ok(None);
    };
    if changes::team_of(log, id)?.is_none_or(|(bound, _)| bound != team) {
        return Ok(None);
    }
    let changes = changes::stored(log, team, id)?;
    let person = load(id, changes.iter().map(|change| &change.raw))?;
    let fields = Value::Object(person.view().fields);
    Ok(Some(fields).filter(|_| person.kind() == Some(Kind::Person)))
}
