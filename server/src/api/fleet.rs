//! The tablets: when each was last heard of, what it holds back, what is wrong with it; and codes for new ones.

use std::collections::HashMap;

use serde::Serialize;
use utoipa::ToSchema;
use wayside_protocol::error::Code;
use wayside_protocol::record::RecordId;
use wayside_protocol::sync::EnrolmentCode;
use wayside_protocol::sync::capability::OURS;

use super::Readers;
use super::changes::rfc3339;
use super::cursor::{self, Paging};
use crate::accounts::{Role, Teams};
use crate::base::Base;
use crate::error::Result;
use crate::log::{self, Audited, By, CODE_VALID_MS};

/// Of its cursors.
const LIST: u8 = b'v';

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Fleet {
    /// The one that was silent longest first.
    pub tablets: Vec<InFleet>,
    /// Send it as `after` for more tablets; null where these are the last by now.
    pub next: Option<String>,
    pub teams: Vec<Enrolling>,
    /// What happened to the log itself and is about no tablet: codes.
    pub alarms: Vec<String>,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct InFleet {
    pub id: String,
    pub name: String,
    /// Names.
    pub teams: Vec<String>,
    pub enrolled_at: String,
    pub last_seen_at: Option<String>,
    #[serde(skip)]
    last_seen_ms: u64,
    /// Its clock less ours.
    pub skew_ms: Option<i64>,
    /// Changes that it still held back when it was last here; `None` where it does not say.
    pub waiting: Option<u64>,
    /// Of its changes, how many stand in quarantine.
    pub quarantined: u64,
    /// Whether its program can do all that this server can; `None` where that is not known yet.
    pub up_to_date: Option<bool>,
    /// When it was revoked.
    pub revoked_at: Option<String>,
    /// When it was ordered to wipe itself and had nothing left to send, as it said.
    pub ordered_at: Option<String>,
    /// Teams that it was taken out of: names.
    pub left: Vec<String>,
    /// Codes of what the log has against it: a copy, a place that cannot be.
    pub alarms: Vec<String>,
}

/// A team that a tablet may be enrolled in.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Enrolling {
    #[schema(value_type = String)]
    pub id: RecordId,
    pub name: String,
    /// Codes that nobody has used yet and that still work.
    pub open_codes: u64,
}

/// Blocks.
pub fn fleet(base: &Base, readers: &Readers) -> Result<Fleet> {
    let now = base.clock.now_ms();
    base.log.read(|conn| {
        let teams = readers.known_teams(conn)?;
        let team_name =
            |id: &RecordId| teams.iter().find(|team| team.id == *id).map(|team| team.name.clone());
        let held = log::held_by_tablet(conn)?;
        let mut against: HashMap<Option<String>, Vec<String>> = HashMap::new();
        // What happened to the log itself is for whoever looks after all of it.
        let alarms = log::alarms(conn, now)?.into_iter();
        for alarm in alarms.filter(|alarm| alarm.tablet.is_some() || *readers.teams() == Teams::All) {
            against.entry(alarm.tablet).or_default().push(alarm.code);
        }
        let shown = log::fleet(conn)?.into_iter().filter(|one| readers.shows_tablet(&one.teams));
        let tablets = shown.map(|one| InFleet {
            name: one.name,
            teams: one.teams.iter().filter_map(team_name).collect(),
            enrolled_at: rfc3339(one.enrolled_at),
            revoked_at: one.revoked_at.map(rfc3339),
            ordered_at: one.ordered_at.map(rfc3339),
            left: one.left.iter().filter_map(team_name).collect(),
            last_seen_at: one.last_seen_at.map(rfc3339),
            last_seen_ms: one.last_seen_at.unwrap_or_default(),
            skew_ms: one.skew_ms,
            waiting: one.waiting,
            quarantined: held.get(&one.id).copied().unwrap_or_default(),
            up_to_date: one.capabilities.map(|can| can & OURS == OURS),
            alarms: against.remove(&Some(one.id.clone())).unwrap_or_default(),
            id: one.id,
        });
        let tablets = tablets.collect();
        let codes = log::open_codes(conn, now)?;
        let teams = teams.iter().map(|team| Enrolling {
            id: team.id,
            name: team.name.clone(),
            open_codes: codes.get(&team.id).copied().unwrap_or_default(),
        });
        let alarms = against.remove(&None).unwrap_or_default();
        Ok(Fleet { tablets, next: None, teams: teams.collect(), alarms })
    })
}

/// The same with a page of the tablets. One that is heard of meanwhile goes to the end, and may come again there. Blocks.
pub fn fleet_page(base: &Base, readers: &Readers, paging: &Paging) -> Result<Fleet> {
    let fleet = fleet(base, readers)?;
    let (tablets, next) =
        cursor::page(LIST, paging, fleet.tablets, |tablet| (tablet.last_seen_ms, tablet.id.clone()))?;
    Ok(Fleet { tablets, next, ..fleet })
}

/// A code that brings one tablet to a team, once.
#[derive(Debug, Clone)]
pub struct NewCode {
    pub team: String,
    pub code: EnrolmentCode,
    /// When it stops working.
    pub until: String,
}

/// Makes a code for one tablet of a team. Blocks.
pub fn enrol(base: &Base, readers: &Readers, by: &By, team: RecordId) -> Result<NewCode> {
    readers.may(base, team, Role::Administrator)?;
    let team = base.log.read(|conn| log::team_by_id(conn, team))?.ok_or(Code::TeamUnknown)?;
    let now = base.clock.now_ms();
    let until = rfc3339(now + CODE_VALID_MS);
    let act = Audited { record: Some(team.id), ..by.does("enrol_code", now) };
    let code = base.make_enrol_code(&team, None, Some(act))?;
    Ok(NewCode { team: team.name, code, until })
}

/// Gives a tablet another name. Blocks.
pub fn rename_tablet(base: &Base, by: &By, id: &str, name: &str) -> Result<()> {
    let (id, name) = (id.to_owned(), super::team::needed("A name", name)?);
    let act = Audited { reason: id.clone(), ..by.does("rename_tablet", base.clock.now_ms()) };
    base.log.write(move |txn| {
        log::rename_tablet(txn.conn, &id, &name)?;
        log::audit(txn.conn, &act)
    })
}
