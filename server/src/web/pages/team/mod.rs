//! *Team*: staff and their PINs, services to refer to, groups, the settings of the guided measurement.

mod edit;
mod http;

use askama::Template;
use axum::extract::Path;
use axum::response::Response;
use wayside_protocol::clinical::guide::GuideSettings;
use wayside_protocol::error::Code;
use wayside_protocol::record::RecordId;
use wayside_protocol::staff::SERVICE_KINDS;

use super::super::words;
use super::Ask;
use super::frame::Frame;
use super::table::{Cell, Row, Table};
use crate::api::team::{self, Member, Service, Team};
use crate::error::{Error, Result};

pub use edit::{
    add_member, add_service, change_member, change_service, set_group, set_guide, set_lock_minutes, set_pin,
    unlock,
};
pub use http::{team as team_json, teams as teams_json};

/// The address of this part in the navigation.
const PART: &str = "/teams";

#[derive(Template)]
#[template(path = "teams.html")]
struct TeamsPage {
    frame: Frame,
    table: Table,
}

#[derive(Template)]
#[template(path = "team.html")]
struct TeamPage {
    frame: Frame,
    id: RecordId,
    staff: Table,
    services: Table,
    /// Codes, and the same in words.
    groups: Vec<(String, String)>,
    kinds: Vec<Kind>,
    settings: Vec<Setting>,
    both_arms: bool,
    lock_minutes: u64,
    /// What the settings' form stands on.
    guide: String,
}

#[derive(Template)]
#[template(path = "member.html")]
struct MemberPage {
    frame: Frame,
    team: RecordId,
    team_name: String,
    one: Member,
}

#[derive(Template)]
#[template(path = "service.html")]
struct ServicePage {
    frame: Frame,
    team: RecordId,
    team_name: String,
    one: Service,
    kinds: Vec<Kind>,
}

/// A kind of service in a form's list.
struct Kind {
    code: &'static str,
    words: String,
}

/// One number of the guided measurement.
struct Setting {
    name: &'static str,
    label: &'static str,
    value: i64,
}

fn kinds() -> Vec<Kind> {
    SERVICE_KINDS.iter().map(|code| Kind { code, words: kind_words(code) }).collect()
}

fn kind_words(code: &str) -> String {
    match code {
        "gp" => "GP".to_owned(),
        "gp_registration" => "GP registration help".to_owned(),
        code => words::spaced(code),
    }
}

fn settings(guide: &GuideSettings) -> Vec<Setting> {
    let setting = |name, label, value| Setting { name, label, value };
    let number = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
    vec![
        setting(
            "systolic_difference",
            "Third reading from a systolic difference of (mmHg)",
            number(guide.systolic_difference),
        ),
        setting(
            "diastolic_difference",
            "Third reading from a diastolic difference of (mmHg)",
            number(guide.diastolic_difference),
        ),
        setting("most_readings", "Readings at most", i64::try_from(guide.most_readings).unwrap_or(i64::MAX)),
        setting("wait_seconds", "Between two readings (seconds)", guide.wait_seconds),
        setting(
            "pulse_wait_seconds",
            "Before an irregular pulse is felt again (seconds)",
            guide.pulse_wait_seconds,
        ),
        setting("standing_wait_seconds", "Standing, before a reading (seconds)", guide.standing_wait_seconds),
        setting("pregnancy_from", "Ask about pregnancy from age", guide.pregnancy_from),
        setting("pregnancy_to", "Ask about pregnancy to age", guide.pregnancy_to),
    ]
}

pub(super) fn record_id(text: &str) -> Result<RecordId> {
    text.parse().map_err(|_| Code::BadId.into())
}

pub async fn teams(ask: Ask) -> Response {
    ask.page(|door, frame| {
        let rows = team::teams(&door.web.base, &door.web.readers)?.into_iter().map(|team| {
            let active = team.staff.iter().filter(|one| one.member.active).count();
            let services = team.services.iter().filter(|service| service.active).count();
            let cells = vec![
                Cell::link(&team.name, format!("/teams/{}", team.id)),
                Cell::new(active.to_string()),
                Cell::new(services.to_string()),
            ];
            Row { key: team.id.to_string(), class: "", cells }
        });
        let table = Table { caption: "Teams", head: vec!["Team", "Staff", "Services"], rows: rows.collect() };
        Ok(TeamsPage { frame: frame.titled("Teams", PART, "change"), table })
    })
    .await
}

pub async fn team(ask: Ask, Path(id): Path<String>) -> Response {
    ask.page_of(id, |door, frame, id| {
        let team = team::team(&door.web.base, id)?;
        Ok(TeamPage {
            frame: frame.titled(&team.name, PART, "change"),
            id: team.id,
            staff: staff_table(&team),
            services: services_table(&team),
            kinds: kinds(),
            settings: settings(&team.guide),
            both_arms: team.guide.both_arms,
            lock_minutes: team.lock_minutes,
            guide: serde_json::to_string(&team.guide).map_err(|_| Error::Internal("JSON of settings"))?,
            groups: team.plus_groups.into_iter().map(in_words).collect(),
        })
    })
    .await
}

fn in_words(group: String) -> (String, String) {
    let words = words::value("plus_groups", &group.as_str().into());
    (group, words)
}

fn staff_table(team: &Team) -> Table {
    let rows = team.staff.iter().map(|one| {
        let member = &one.member;
        let state = match (member.active, member.has_pin) {
            (false, _) => Cell::tag("Left", "nhsuk-tag--grey"),
            (true, true) => Cell::new("Has a PIN"),
            (true, false) => Cell::tag("No PIN yet", "nhsuk-tag--yellow"),
        };
        let cells = vec![
            Cell::link(&member.name, format!("/teams/{}/staff/{}", team.id, member.id)),
            Cell::new(&member.role),
            state,
        ];
        Row { key: member.id.clone(), class: "", cells }
    });
    Table { caption: "Staff", head: vec!["Name", "Role", "Signing in"], rows: rows.collect() }
}

fn services_table(team: &Team) -> Table {
    let rows = team.services.iter().map(|service| {
        let name = Cell::link(&service.name, format!("/teams/{}/services/{}", team.id, service.id));
        let state =
            if service.active { Cell::new("Offered") } else { Cell::tag("Not offered", "nhsuk-tag--grey") };
        let lines = [service.hours.clone(), service.area.clone()].into_iter().filter(|line| !line.is_empty());
        let cells = vec![
            name,
            Cell::new(kind_words(&service.kind)),
            Cell::new(&service.phone).lines(lines.collect()),
            state,
        ];
        Row { key: service.id.clone(), class: "", cells }
    });
    let head = vec!["Name", "For", "Phone, hours, area", "On tablets"];
    Table { caption: "Services to refer to", head, rows: rows.collect() }
}

pub async fn member(ask: Ask, Path((id, entry)): Path<(String, String)>) -> Response {
    ask.page_of(id, move |door, frame, id| {
        let team = team::team(&door.web.base, id)?;
        let one = team.staff.into_iter().find(|one| one.member.id == entry).ok_or(Code::RecordNotFound)?;
        let frame = frame.titled(&one.member.name, PART, "change");
        Ok(MemberPage { frame, team: team.id, team_name: team.name, one })
    })
    .await
}

pub async fn service(ask: Ask, Path((id, entry)): Path<(String, String)>) -> Response {
    ask.page_of(id, move |door, frame, id| {
        let team = team::team(&door.web.base, id)?;
        let one = team.services.into_iter().find(|one| one.id == entry).ok_or(Code::RecordNotFound)?;
        let frame = frame.titled(&one.name, PART, "change");
        Ok(ServicePage { frame, team: team.id, team_name: team.name, one, kinds: kinds() })
    })
    .await
}
