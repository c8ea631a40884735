//! *Fleet*: the tablets, and how new ones come to be among them.

use askama::Template;
use axum::Form;
use axum::extract::Path;
use axum::extract::rejection::FormRejection;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use qrcode::{Color, EcLevel, QrCode};
use serde::Deserialize;
use wayside_protocol::error::Code;
use wayside_protocol::record::RecordId;

use super::super::words;
use super::frame::Frame;
use super::table::{Cell, Fact, Row, Table};
use super::{Ask, html};
use crate::api::{self, InFleet, NewCode};
use crate::base::Base;
use crate::error::{Error, Result};
use crate::log::By;
use crate::web::blocking;

const PART: &str = "/fleet";
/// What stands around the picture of a code, in its squares.
const QUIET: usize = 4;

#[derive(Template)]
#[template(path = "fleet.html")]
struct FleetPage {
    frame: Frame,
    alarms: Vec<String>,
    tablets: Table,
    teams: Vec<Team>,
}

/// A team in the form for a new tablet.
struct Team {
    id: RecordId,
    name: String,
    /// Said where codes are out that nobody has used.
    open: String,
}

pub async fn fleet(ask: Ask) -> Response {
    ask.page(|door, frame| {
        let fleet = api::fleet(&door.web.base, &door.web.readers)?;
        let now = door.web.base.clock.now_ms();
        let rows = fleet.tablets.iter().map(|one| Row {
            key: one.id.clone(),
            class: "",
            cells: vec![
                Cell::link(name_of(one), format!("/fleet/{}", one.id)).lines(one.teams.clone()),
                Cell::new(last_seen(one, now)).lines(one.skew_ms.and_then(words::skew).into_iter().collect()),
                Cell::new(waiting(one)),
                Cell::new(words::grouped(one.quarantined.cast_signed())),
                program(one),
                alarms(one),
            ],
        });
        let head =
            vec!["Tablet", "Last heard of", "Not sent yet", "In quarantine", "Program", "To look into"];
        let tablets = Table { caption: "Tablets", head, rows: rows.collect() };
        let teams = fleet.teams.iter().map(|team| Team {
            id: team.id,
            name: team.name.clone(),
            open: match team.open_codes {
                0 => String::new(),
                open => format!("{} not used yet", words::count(open.cast_signed(), "code")),
            },
        });
        Ok(FleetPage {
            alarms: fleet.alarms.iter().map(|code| said(code)).collect(),
            tablets,
            teams: teams.collect(),
            frame: frame.titled("Fleet", PART, "change"),
        })
    })
    .await
}

fn name_of(one: &InFleet) -> String {
    if one.name.is_empty() { format!("Tablet {}", one.id) } else { one.name.clone() }
}

fn last_seen(one: &InFleet, now: u64) -> String {
    one.last_seen_at
        .as_deref()
        .map_or_else(|| "Never since it was enrolled".to_owned(), |at| words::ago(at, now))
}

fn waiting(one: &InFleet) -> String {
    match one.waiting {
        Some(0) => "Nothing".to_owned(),
        Some(waiting) => words::count(waiting.cast_signed(), "change"),
        None => "It does not say".to_owned(),
    }
}

fn standing(one: &InFleet) -> String {
    match (&one.revoked_at, &one.ordered_at) {
        (None, _) => "In use".to_owned(),
        (Some(at), None) => {
            format!(
                "Revoked {}. It has not been here since, or still has something to hand over",
                words::when(at)
            )
        }
        (Some(at), Some(ordered)) => format!(
            "Revoked {}. It handed over all that it had, and was ordered to wipe itself {}",
            words::when(at),
            words::when(ordered)
        ),
    }
}

fn program(one: &InFleet) -> Cell {
    if one.revoked_at.is_some() {
        return Cell::tag("Revoked", "nhsuk-tag--red");
    }
    match one.up_to_date {
        Some(true) => Cell::new("Up to date"),
        Some(false) => Cell::tag("Older than this server", "nhsuk-tag--yellow"),
        None => Cell::new("Not known yet"),
    }
}

fn alarms(one: &InFleet) -> Cell {
    let mut said = one.alarms.iter().map(|code| said(code));
    Cell::new(said.next().unwrap_or_default()).lines(said.collect())
}

fn said(code: &str) -> String {
    Code::parse(code).map_or_else(|| code.to_owned(), |code| code.message().to_owned())
}

#[derive(Template)]
#[template(path = "tablet.html")]
struct TabletPage {
    frame: Frame,
    id: String,
    called: String,
    facts: Vec<Fact>,
    revoked: bool,
    /// Teams that it can be taken out of.
    teams: Vec<Team>,
}

pub async fn tablet(ask: Ask, Path(id): Path<String>) -> Response {
    ask.page(move |door, frame| {
        let now = door.web.base.clock.now_ms();
        let fleet = api::fleet(&door.web.base, &door.web.readers)?;
        let one = fleet.tablets.into_iter().find(|one| one.id == id).ok_or(Code::RecordNotFound)?;
        let clock = one.skew_ms.map(|ms| words::skew(ms).unwrap_or_else(|| "right".to_owned()));
        let taken_from = |left: &[String]| match left {
            [] => "None".to_owned(),
            left => left.join(", "),
        };
        let facts = vec![
            Fact::new("Standing", standing(&one)),
            Fact::new("Teams", one.teams.join(", ")),
            Fact::new("Taken out of", taken_from(&one.left)),
            Fact::new("Enrolled", words::when(&one.enrolled_at)),
            Fact::new("Last heard of", last_seen(&one, now)),
            Fact::new("Its clock", clock.unwrap_or_else(|| "Not known yet".to_owned())),
            Fact::new("Not sent yet", waiting(&one)),
            Fact::link("In quarantine", words::grouped(one.quarantined.cast_signed()), "/quarantine".into()),
            Fact::new("Mark", &one.id),
        ];
        let teams = fleet.teams.into_iter().filter(|team| one.teams.contains(&team.name));
        let teams = teams.map(|team| Team { id: team.id, name: team.name, open: String::new() });
        Ok(TabletPage {
            teams: teams.collect(),
            revoked: one.revoked_at.is_some(),
            called: one.name.clone(),
            frame: frame.titled(name_of(&one), PART, "change"),
            id: one.id,
            facts,
        })
    })
    .await
}

#[derive(Deserialize)]
pub struct NewName {
    name: String,
}

pub async fn rename_tablet(
    ask: Ask,
    Path(id): Path<String>,
    sent: Result<Form<NewName>, FormRejection>,
) -> Response {
    let Ok(Form(NewName { name })) = sent else { return ask.refuse(&Code::BadArguments.into()) };
    let (base, by) = (ask.door.web.base.clone(), ask.visitor.by());
    match blocking(move || api::rename_tablet(&base, &by, &id, &name)).await {
        Ok(()) => Redirect::to(PART).into_response(),
        Err(error) => ask.refuse(&error),
    }
}

/// Revokes a tablet.
pub async fn revoke(ask: Ask, Path(id): Path<String>) -> Response {
    let at = format!("{PART}/{id}");
    done(&ask, &at, move |base, by| api::revoke(base, by, &id)).await
}

#[derive(Deserialize)]
pub struct Leaving {
    team: String,
}

/// Takes a tablet out of one team.
pub async fn take_out(
    ask: Ask,
    Path(id): Path<String>,
    sent: Result<Form<Leaving>, FormRejection>,
) -> Response {
    let Ok(Form(Leaving { team })) = sent else { return ask.refuse(&Code::BadArguments.into()) };
    let at = format!("{PART}/{id}");
    done(&ask, &at, move |base, by| {
        let team = team.parse().map_err(|_| Code::BadId)?;
        api::take_out(base, by, &id, team)
    })
    .await
}

#[derive(Deserialize)]
pub struct FromTablet {
    tablet: String,
}

/// Admits what a revoked tablet had sent.
pub async fn admit_held(ask: Ask, sent: Result<Form<FromTablet>, FormRejection>) -> Response {
    let Ok(Form(FromTablet { tablet })) = sent else { return ask.refuse(&Code::BadArguments.into()) };
    done(&ask, "/quarantine", move |base, by| api::admit_held(base, by, &tablet).map(drop)).await
}

/// Refuses it.
pub async fn refuse_held(ask: Ask, sent: Result<Form<FromTablet>, FormRejection>) -> Response {
    let Ok(Form(FromTablet { tablet })) = sent else { return ask.refuse(&Code::BadArguments.into()) };
    done(&ask, "/quarantine", move |base, by| api::refuse_held(base, by, &tablet).map(drop)).await
}

/// Does it, and goes back to the page.
async fn done(ask: &Ask, at: &str, work: impl FnOnce(&Base, By) -> Result<()> + Send + 'static) -> Response {
    let (base, by) = (ask.door.web.base.clone(), ask.visitor.by());
    match blocking(move || work(&base, by)).await {
        Ok(()) => Redirect::to(at).into_response(),
        Err(error) => ask.refuse(&error),
    }
}

#[derive(Template)]
#[template(path = "enrol.html")]
struct EnrolPage {
    frame: Frame,
    team: String,
    text: String,
    url: String,
    until: String,
    picture: Picture,
}

/// Black squares on white, as one path of an SVG.
pub(super) struct Picture {
    /// Squares on each side, with what stands around them.
    pub side: usize,
    pub path: String,
}

#[derive(Deserialize)]
pub struct Newcomer {
    team: String,
}

/// Makes a code for a new tablet. It is shown in the answer itself, and nowhere else.
pub async fn enrol(ask: Ask, sent: Result<Form<Newcomer>, FormRejection>) -> Response {
    let Ok(Form(Newcomer { team })) = sent else { return ask.refuse(&Code::BadArguments.into()) };
    let (web, by) = (ask.door.web.clone(), ask.visitor.by());
    let made = blocking(move || {
        let id = team.parse().map_err(|_| Code::BadId)?;
        let NewCode { team, code, until } = api::enrol(&web.base, &web.readers, &by, id)?;
        let text = code.to_text();
        Ok((team, picture(&text)?, text, code.url, until))
    });
    match made.await {
        Ok((team, picture, text, url, until)) => {
            let frame = Frame::new(&ask.door, &ask.visitor, "").titled("New tablet", PART, "");
            let until = words::when(&until);
            html(StatusCode::OK, &EnrolPage { frame, team, text, url, until, picture })
        }
        Err(error) => ask.refuse(&error),
    }
}

pub(super) fn picture(text: &str) -> Result<Picture> {
    let code = QrCode::with_error_correction_level(text, EcLevel::M)
        .map_err(|_| Error::Internal("a code as a picture"))?;
    let width = code.width();
    let mut path = String::new();
    for (row, line) in code.to_colors().chunks(width).enumerate() {
        let mut column = 0;
        for run in line.chunk_by(|a, b| a == b) {
            if run.first() == Some(&Color::Dark) {
                let (x, y, run) = (column + QUIET, row + QUIET, run.len());
                path.push_str(&format!("M{x} {y}h{run}v1h-{run}z"));
            }
            column += run.len();
        }
    }
    Ok(Picture { side: width + 2 * QUIET, path })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_picture_has_the_squares_of_its_code_and_a_margin() {
        let text = "wayside1-abc";
        let picture = picture(text).unwrap();
        let code = QrCode::with_error_correction_level(text, EcLevel::M).unwrap();
        assert_eq!(picture.side, code.width() + 8);
        // The corner's own frame: seven dark squares in the first row.
        assert!(picture.path.starts_with("M4 4h7v1h-7z"), "{}", picture.path);
        let dark: usize = picture
            .path
            .split('M')
            .filter_map(|run| run.split_once('h')?.1.split('v').next()?.parse::<usize>().ok())
            .sum();
        assert_eq!(dark, code.to_colors().iter().filter(|color| **color == Color::Dark).count());
    }
}
