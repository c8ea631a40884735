//! Single records with their history: a person, a check, or any record as it is.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use wayside_protocol::clinical::follow_up::{self, Call, Task};
use wayside_protocol::clinical::hindsight::{Hindsight, hindsight};
use wayside_protocol::clinical::{Derived, needs_attention};
use wayside_protocol::error::Code;
use wayside_protocol::record::{Kind, Record, RecordId, View};

use super::changes::{self, Change};
use super::duplicates::{Likely, likely};
use super::items::now;
use super::story::{self, Told};
use super::{Names, Readers};
use crate::base::Base;
use crate::error::{Error, Result};
use crate::log;
use crate::log::db::Conn;
use crate::openapi::shapes;
use crate::views::Views;

/// A record in the state that its heads stand for.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Shown {
    /// As every door prints it, with conflicts and what is derived.
    #[schema(value_type = shapes::AnyRecord)]
    pub record: Value,
    /// What to send back with an edit, in hexadecimal.
    pub heads: Vec<String>,
    pub history: Vec<Change>,
    /// What the rules make of a contact.
    #[serde(skip)]
    pub(super) derived: Option<Derived>,
}

impl Shown {
    pub fn kind(&self) -> Option<Kind> {
        self.record.get("kind").and_then(Value::as_str).and_then(Kind::parse)
    }
}

/// A check or conversation, with what it refers to.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Check {
    #[serde(flatten)]
    pub shown: Shown,
    /// The record that stands for the person, if there is one here.
    #[schema(value_type = Option<shapes::AnyRecord>)]
    pub person: Option<Value>,
    #[schema(value_type = Option<shapes::AnyRecord>)]
    pub session: Option<Value>,
    #[schema(value_type = Option<shapes::AnyRecord>)]
    pub site: Option<Value>,
    /// Referrals and follow-ups as they stand today.
    #[schema(value_type = Vec<shapes::Task>)]
    pub tasks: Vec<Task>,
    #[schema(value_type = Vec<shapes::Call>)]
    pub calls: Vec<Call>,
    /// Whether it waits for somebody, or is in somebody's hands.
    pub attention: Attention,
    /// What was said to the person, where today's rules would say something else.
    #[schema(value_type = Option<Object>)]
    pub hindsight: Option<Hindsight>,
    /// The tablets and staff by name: for people.
    #[serde(skip)]
    pub names: std::sync::Arc<Names>,
}

/// Whether somebody must look at a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Attention {
    No,
    Waits,
    Handled,
}

/// A person with all checks and conversations, the latest first: their own, and those of everybody who was
/// merged with them.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Person {
    /// The record that stands for all.
    #[serde(flatten)]
    pub shown: Shown,
    /// The other records, with what each was merged into.
    pub merged: Vec<Member>,
    #[schema(value_type = Vec<shapes::AnyRecord>)]
    pub checks: Vec<Value>,
    pub duplicates: Vec<Likely>,
    /// Everything that happened, the oldest first.
    pub timeline: Vec<Told>,
    #[serde(skip)]
    pub names: std::sync::Arc<Names>,
}

/// A record that was merged.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Member {
    #[schema(value_type = shapes::AnyRecord)]
    pub record: Value,
    pub merged_into: Option<String>,
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
        let (person, session) = (standing(views, &shown.record)?, referred(views, &shown.record, "session")?);
        let site = match &session {
            Some(session) => referred(views, session, "site")?,
            None => None,
        };
        let tasks = follow_up::tasks(&shown.record, now(base).date());
        let calls = follow_up::calls(&shown.record);
        let attention = match &shown.derived {
            Some(derived) if needs_attention(derived) => {
                let handled = follow_up::is_handled(&shown.record, derived);
                if handled { Attention::Handled } else { Attention::Waits }
            }
            _ => Attention::No,
        };
        let hindsight = shown.derived.as_ref().and_then(|derived| hindsight(&shown.record, derived));
        Ok(Check { shown, person, session, site, tasks, calls, attention, hindsight, names: names.into() })
    })
}

/// A person, by any of their records. Blocks.
pub fn person(base: &Base, readers: &Readers, id: RecordId) -> Result<Person> {
    read(base, readers, |log, views| {
        let names = Names::read(base, log, views)?;
        let standing = views.standing(id)?;
        let shown = of_kind(shown(log, standing, &names)?, Kind::Person)?;
        let mut merged = Vec::new();
        for (id, into) in views.merged(standing)?.into_iter().filter(|(id, _)| *id != standing) {
            let record = views.show(id)?;
            merged.extend(record.map(|record| Member { record, merged_into: into.map(|id| id.to_string()) }));
        }
        let mut checks = Vec::new();
        for seen in views.of_person(standing)?.into_iter().rev() {
            checks.extend(views.show(seen.id)?);
        }
        let duplicates = likely(log, views, standing)?;
        let timeline = story::of(log, views, standing, &checks, &names)?;
        Ok(Person { shown, merged, checks, duplicates, timeline, names: names.into() })
    })
}

/// Both the log and the views, each in a snapshot.
pub(super) fn read<T>(
    base: &Base,
    readers: &Readers,
    work: impl FnOnce(&Conn, &Views) -> Result<T>,
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

/// The record that stands for a contact's person.
pub(super) fn standing(views: &Views, contact: &Value) -> Result<Option<Value>> {
    let Some(person) = referred(views, contact, "person")? else { return Ok(None) };
    let Some(id) = person.get("id").and_then(Value::as_str).and_then(|id| id.parse().ok()) else {
        return Ok(Some(person));
    };
    let standing = views.standing(id)?;
    if standing == id { Ok(Some(person)) } else { views.show(standing) }
}

pub(super) fn shown(conn: &Conn, id: RecordId, names: &Names) -> Result<Shown> {
    let (team, team_id) = changes::team_of(conn, id)?.ok_or(Code::RecordNotFound)?;
    let changes = changes::stored(conn, team, id)?;
    let record = load(id, changes.iter().map(|change| &change.raw))?;
    let view = record.view();
    let person = person_of(conn, team, &view)?;
    let derived = (view.kind == Some(Kind::Contact)).then(|| view.derive_contact(person.as_ref()));
    let mut json = view.to_json(Some(&team_id.to_string()), person.as_ref());
    if let (Some(_), Some(members)) = (log::off_tablets(conn, team, id)?, json.as_object_mut()) {
        members.insert("archived".into(), Value::Bool(true));
    }
    Ok(Shown {
        derived,
        record: json,
        heads: record.heads().iter().map(|head| data_encoding::HEXLOWER.encode(head)).collect(),
        history: changes::history(&changes, record.history(), names),
    })
}

pub(super) fn load<'a>(id: RecordId, raws: impl Iterator<Item = &'a Vec<u8>>) -> Result<Record> {
    Record::load(id, raws).map_err(|_| Error::Internal("an accepted record"))
}

/// The fields of a contact's person, for what is derived from age and the like.
fn person_of(log: &Conn, team: i64, view: &View) -> Result<Option<Value>> {
    let named = view.fields.get("person").filter(|_| view.kind == Some(Kind::Contact));
    let Some(id) = named.and_then(Value::as_str).and_then(|id| id.parse::<RecordId>().ok()) else {
        return Ok(None);
    };
    if changes::team_of(log, id)?.is_none_or(|(bound, _)| bound != team) {
        return Ok(None);
    }
    let changes = changes::stored(log, team, id)?;
    let person = load(id, changes.iter().map(|change| &change.raw))?;
    Ok(Some(person.view().whole()).filter(|_| person.kind() == Some(Kind::Person)))
}
