//! A team's own record: its staff, the services that it refers to, its groups, the settings of the guided
//! measurement. Only base writes it, tablets read it.
//!
//! A member or a service is one entry; each change of it is one amendment with all that it holds now, which
//! replaces the amendments seen. Everything passes through the one writer, and a form that was shown before
//! somebody else's change is refused: so nothing is overwritten unseen, and nothing here is ever in conflict.

mod guide;
mod services;
mod staff;
mod unlock;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;
use wayside_protocol::clinical::guide::GuideSettings;
use wayside_protocol::error::Code;
use wayside_protocol::record::schema::{self, AMENDMENTS};
use wayside_protocol::record::{Record, RecordId, Rules, Scalar, chunk, path};

pub use guide::{set_group, set_guide, set_lock_minutes};
pub use services::{Service, ServiceFields, add_service, change_service};
pub use staff::{Member, MemberFields, add_member, change_member, draw_pin, find_member, set_pin};
pub use unlock::{Unlocking, unlock};

use super::author::{self, new_entry};
use super::cursor::{self, Paging};
use super::{Readers, changes};
use crate::base::Base;
use crate::error::{Error, Result};
use crate::log;
use crate::log::db::Conn;

/// Characters of a name, and of any other line that is typed here.
const LONGEST: usize = 200;
/// Where nobody set another.
const LOCK_MINUTES: u64 = 5;

/// Of its cursors.
const LIST: u8 = b'm';

/// A page of teams, in the order of their ids.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Teams {
    pub teams: Vec<Team>,
    /// Send it as `after` for the next page; null where this is the last by now.
    pub next: Option<String>,
}

/// A team as its page shows it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Team {
    #[schema(value_type = String)]
    pub id: RecordId,
    pub name: String,
    /// By name, those who left included.
    pub staff: Vec<Member>,
    /// By kind and name, those that are no longer used included.
    pub services: Vec<Service>,
    pub plus_groups: Vec<String>,
    #[schema(value_type = Object)]
    pub guide: GuideSettings,
    /// Minutes without a touch after which a tablet's page locks.
    pub lock_minutes: u64,
}

/// The teams of whoever reads, in the order in which they were added. Blocks.
pub fn teams(base: &Base, readers: &Readers) -> Result<Vec<Team>> {
    base.log.read(|conn| readers.known_teams(conn)?.iter().map(|team| read(conn, team)).collect())
}

/// A page of them. Blocks.
pub fn team_page(base: &Base, readers: &Readers, paging: &Paging) -> Result<Teams> {
    base.log.read(|conn| {
        let (known, next) =
            cursor::page(LIST, paging, readers.known_teams(conn)?, |team| team.id.to_string())?;
        let teams = known.iter().map(|team| read(conn, team)).collect::<Result<_>>()?;
        Ok(Teams { teams, next })
    })
}

/// One team. [`Code::RecordNotFound`] where there is none. Blocks.
pub fn team(base: &Base, id: RecordId) -> Result<Team> {
    base.log.read(|conn| read(conn, &log::team_by_id(conn, id)?.ok_or(Code::RecordNotFound)?))
}

/// The team of a name, or of an id. Blocks.
pub fn find(base: &Base, text: &str) -> Result<Team> {
    base.log.read(|conn| {
        let found = match text.trim().parse::<RecordId>() {
            Ok(id) => log::team_by_id(conn, id)?,
            Err(_) => log::team_by_name(conn, text.trim())?,
        };
        read(conn, &found.ok_or(Code::TeamUnknown)?)
    })
}

fn read(conn: &Conn, team: &log::Team) -> Result<Team> {
    let stored = changes::stored(conn, team.n, team.id)?;
    let raws: Vec<Vec<u8>> = stored.into_iter().map(|change| change.raw).collect();
    let unreadable = |_| Error::Internal("an accepted record");
    let fields = Record::load(team.id, &raws).map_err(unreadable)?.view().fields;
    let live = live_amendments(&raws)?;
    let seen = |map: &str, id: &str| seen(live.get(&path::join(map, id)));
    let set = fields.get("plus_groups").and_then(Value::as_array).into_iter().flatten();
    let plus_groups = set.filter_map(Value::as_str).map(str::to_owned).collect();
    let lock_minutes = fields.get("settings").and_then(|settings| settings.get("lock_minutes")?.as_u64());
    Ok(Team {
        id: team.id,
        name: team.name.clone(),
        staff: staff::members(&fields, |id| seen("staff", id)),
        services: services::services(&fields, |id| seen("services", id)),
        plus_groups,
        lock_minutes: lock_minutes.unwrap_or(LOCK_MINUTES),
        guide: GuideSettings::of_team(&Value::Object(fields)),
    })
}

/// A team from before teams had records gets one when it first needs it.
fn ensure_record(base: &Base, id: RecordId) -> Result<()> {
    let (team, there) =
        base.log.read(|conn| Ok((log::team_by_id(conn, id)?, changes::team_of(conn, id)?.is_some())))?;
    let team = team.ok_or(Code::RecordNotFound)?;
    if there { Ok(()) } else { base.begin_team_record(team.id, &team.name) }
}

/// The amendments that nothing replaces, by the path of the entry that they amend.
fn live_amendments(raws: &[Vec<u8>]) -> Result<BTreeMap<String, BTreeSet<String>>> {
    let mut live: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut replaced = BTreeSet::new();
    for raw in raws {
        let parsed = chunk::parse(raw).map_err(|_| Error::Internal("an accepted change"))?;
        for (key, value) in parsed.writes() {
            let id = key.strip_prefix(AMENDMENTS).and_then(|rest| rest.strip_prefix('/'));
            let (Some(id), Some(Scalar::Json(amendment))) = (id, Scalar::from_chunk(&value)) else {
                continue;
            };
            let Some(entry) = amendment.get("entry").and_then(Value::as_str) else { continue };
            live.entry(entry.to_owned()).or_default().insert(id.to_owned());
            let names = amendment.get("supersedes").and_then(Value::as_array).into_iter().flatten();
            replaced.extend(names.filter_map(Value::as_str).map(str::to_owned));
        }
    }
    live.values_mut().for_each(|ids| ids.retain(|id| !replaced.contains(id)));
    Ok(live)
}

/// What a form stands on: the amendments that count. Empty for an entry that is as it was first written.
fn seen(live: Option<&BTreeSet<String>>) -> String {
    live.map(|ids| ids.iter().map(String::as_str).collect::<Vec<_>>().join(" ")).unwrap_or_default()
}

/// Adds an entry to a map of the team's record and returns its id. `check` sees the record as it is then.
fn add(
    base: &Base,
    team: RecordId,
    by: &str,
    map: &'static str,
    entry: Value,
    check: impl Fn(&Map<String, Value>) -> Result<()> + Send + 'static,
) -> Result<String> {
    ensure_record(base, team)?;
    let id = new_entry();
    let at = path::join(map, &id);
    author::edit(base, team, by, None, move |opened| {
        check(&opened.record.view().fields)?;
        opened.write(&at, entry.clone(), Rules::Entry)
    })?;
    Ok(id)
}

/// Amends an entry of the team's record. `change` gets what it holds now and the whole record. `seen` is what
/// the form stood on; `None` for what replaces whatever is there.
fn amend(
    base: &Base,
    team: RecordId,
    by: &str,
    at: String,
    seen_before: Option<String>,
    change: impl Fn(&mut Map<String, Value>, &Map<String, Value>) -> Result<()> + Send + 'static,
) -> Result<()> {
    ensure_record(base, team)?;
    author::edit(base, team, by, None, move |opened| {
        let fields = opened.record.view().fields;
        let (map, id) = at.split_once('/').unwrap_or_default();
        let entry = fields.get(map).and_then(|entries| entries.get(id)).ok_or(Code::EntryNotFound)?;
        let live = live_amendments(opened.raws)?.remove(&at);
        if seen_before.as_ref().is_some_and(|before| *before != seen(live.as_ref())) {
            return Err(Code::ChangedMeanwhile.into());
        }
        let names: Vec<&str> = schema::amendable(&at).iter().map(|member| member.name).collect();
        let mut set: Map<String, Value> =
            names.iter().filter_map(|name| Some(((*name).to_owned(), entry.get(*name)?.clone()))).collect();
        if let Some(verifier) = opened.record.pin_verifiers().remove(id).filter(|_| map == staff::MAP) {
            set.insert("pin".into(), json!(verifier.as_str()));
        }
        let before = set.clone();
        change(&mut set, &fields)?;
        if set == before {
            return Ok(Vec::new());
        }
        let replaces = live.unwrap_or_default();
        let amendment = json!({"entry": at, "set": set, "supersedes": replaces});
        opened.write(&path::join(AMENDMENTS, &new_entry()), amendment, Rules::Entry)
    })?;
    Ok(())
}

/// One line as somebody typed it.
pub(super) fn line(what: &str, text: &str) -> Result<String> {
    let text = text.trim();
    if text.chars().count() > LONGEST || text.chars().any(char::is_control) {
        return Err(Error::Said(
            Code::OutOfRange,
            format!("{what} is one line of at most {LONGEST} characters."),
        ));
    }
    Ok(text.to_owned())
}

pub(super) fn needed(what: &str, text: &str) -> Result<String> {
    let text = line(what, text)?;
    if text.is_empty() {
        return Err(Error::Said(Code::MissingField, format!("{what} is missing.")));
    }
    Ok(text)
}
