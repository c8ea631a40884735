//! What the forms of the team's pages do. Each saves and leads back; a PIN that was set and an unlock code are
//! shown in the answer itself, and nowhere else.

use askama::Template;
use axum::Form;
use axum::extract::Path;
use axum::extract::rejection::FormRejection;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use wayside_protocol::clinical::guide::GuideSettings;
use wayside_protocol::error::Code;
use wayside_protocol::record::RecordId;
use wayside_protocol::staff::Pin;

use super::super::super::blocking;
use super::super::frame::Frame;
use super::super::{Ask, html};
use super::{PART, record_id};
use crate::api::team::{self, MemberFields, ServiceFields, Unlocking};
use crate::base::Base;
use crate::error::{Error, Result};

/// An address's team, and its member or service.
type At = Path<(String, String)>;
type Sent<T> = Result<Form<T>, FormRejection>;

/// Who saves what, off the async threads.
async fn saved<T: Send + 'static>(
    ask: &Ask,
    work: impl FnOnce(&Base, &str) -> Result<T> + Send + 'static,
) -> Result<T> {
    let base = ask.door.web.base.clone();
    let by = ask.visitor.name().unwrap_or_default().to_owned();
    blocking(move || work(&base, &by)).await
}

fn form<T>(sent: Sent<T>) -> Result<T> {
    sent.map(|Form(form)| form).map_err(|_| Code::BadArguments.into())
}

fn answer(ask: &Ask, done: Result<Response>) -> Response {
    done.unwrap_or_else(|error| ask.refuse(&error))
}

fn back(team: RecordId, part: &str) -> Response {
    Redirect::to(&format!("/teams/{team}{part}")).into_response()
}

#[derive(Deserialize)]
pub struct NewMember {
    name: String,
    #[serde(default)]
    role: String,
}

pub async fn add_member(ask: Ask, Path(team): Path<String>, sent: Sent<NewMember>) -> Response {
    let done = async {
        let NewMember { name, role } = form(sent)?;
        let added = saved(&ask, move |base, by| {
            let team = record_id(&team)?;
            Ok((team, team::add_member(base, team, by, &name, &role)?))
        });
        let (team, entry) = added.await?;
        // Who is new needs a PIN next.
        Ok(back(team, &format!("/staff/{entry}")))
    };
    answer(&ask, done.await)
}

#[derive(Deserialize)]
pub struct ChangedMember {
    seen: String,
    name: String,
    #[serde(default)]
    role: String,
    active: String,
}

pub async fn change_member(ask: Ask, Path((team, entry)): At, sent: Sent<ChangedMember>) -> Response {
    let done = async {
        let ChangedMember { seen, name, role, active } = form(sent)?;
        let fields = MemberFields { name: Some(name), role: Some(role), active: Some(active == "yes") };
        let changed = saved(&ask, move |base, by| {
            let team = record_id(&team)?;
            team::change_member(base, team, by, &entry, Some(seen), fields).map(|()| team)
        });
        Ok(back(changed.await?, ""))
    };
    answer(&ask, done.await)
}

#[derive(Template)]
#[template(path = "pin.html")]
struct PinPage {
    frame: Frame,
    team: RecordId,
    name: String,
    pin: String,
}

#[derive(Deserialize)]
pub struct NewPin {
    seen: String,
    /// Empty: base draws one.
    #[serde(default)]
    pin: String,
}

pub async fn set_pin(ask: Ask, Path((team, entry)): At, sent: Sent<NewPin>) -> Response {
    let done = async {
        let NewPin { seen, pin } = form(sent)?;
        let set = saved(&ask, move |base, by| {
            let team = record_id(&team)?;
            let pin = if pin.trim().is_empty() { team::draw_pin() } else { Pin::parse(&pin)? };
            team::set_pin(base, team, by, &entry, Some(seen), &pin)?;
            Ok((team, name_of(base, team, &entry)?, pin))
        });
        let (team, name, pin) = set.await?;
        let frame = Frame::new(&ask.door, &ask.visitor, "").titled("PIN set", PART, "");
        let (left, right) = pin.as_str().split_at(3);
        Ok(html(StatusCode::OK, &PinPage { frame, team, name, pin: format!("{left} {right}") }))
    };
    answer(&ask, done.await)
}

#[derive(Template)]
#[template(path = "unlock.html")]
struct UnlockPage {
    frame: Frame,
    team: RecordId,
    name: String,
    codes: Vec<Unlocking>,
}

#[derive(Deserialize)]
pub struct Digits {
    challenge: String,
}

pub async fn unlock(ask: Ask, Path((team, entry)): At, sent: Sent<Digits>) -> Response {
    let done = async {
        let Digits { challenge } = form(sent)?;
        let found = saved(&ask, move |base, _| {
            let team = record_id(&team)?;
            let codes = team::unlock(base, team, &entry, &challenge)?;
            Ok((team, name_of(base, team, &entry)?, codes))
        });
        let (team, name, mut codes) = found.await?;
        for one in &mut codes {
            // Read out four by four.
            one.code.insert(4, ' ');
        }
        let frame = Frame::new(&ask.door, &ask.visitor, "").titled("Unlock code", PART, "");
        Ok(html(StatusCode::OK, &UnlockPage { frame, team, name, codes }))
    };
    answer(&ask, done.await)
}

fn name_of(base: &Base, team: RecordId, entry: &str) -> Result<String> {
    Ok(team::find_member(&team::team(base, team)?, entry)?.member.name.clone())
}

#[derive(Deserialize)]
pub struct ServiceForm {
    /// Not there for one that is new.
    seen: Option<String>,
    name: String,
    kind: String,
    #[serde(default)]
    phone: String,
    #[serde(default)]
    hours: String,
    #[serde(default)]
    area: String,
    active: Option<String>,
}

impl ServiceForm {
    fn fields(self) -> ServiceFields {
        ServiceFields {
            name: Some(self.name),
            kind: Some(self.kind),
            phone: Some(self.phone),
            hours: Some(self.hours),
            area: Some(self.area),
            active: self.active.map(|active| active == "yes"),
        }
    }
}

pub async fn add_service(ask: Ask, Path(team): Path<String>, sent: Sent<ServiceForm>) -> Response {
    let done = async {
        let fields = form(sent)?.fields();
        let added = saved(&ask, move |base, by| {
            let team = record_id(&team)?;
            team::add_service(base, team, by, fields).map(|_| team)
        });
        Ok(back(added.await?, ""))
    };
    answer(&ask, done.await)
}

pub async fn change_service(ask: Ask, Path((team, entry)): At, sent: Sent<ServiceForm>) -> Response {
    let done = async {
        let form = form(sent)?;
        let changed = saved(&ask, move |base, by| {
            let team = record_id(&team)?;
            // A form that does not say what it stood on must not replace what it never showed.
            let seen = form.seen.clone().ok_or(Code::BadArguments)?;
            team::change_service(base, team, by, &entry, Some(seen), form.fields()).map(|()| team)
        });
        Ok(back(changed.await?, ""))
    };
    answer(&ask, done.await)
}

#[derive(Deserialize)]
pub struct Group {
    group: String,
    there: String,
}

pub async fn set_group(ask: Ask, Path(team): Path<String>, sent: Sent<Group>) -> Response {
    let done = async {
        let Group { group, there } = form(sent)?;
        let set = saved(&ask, move |base, by| {
            let team = record_id(&team)?;
            team::set_group(base, team, by, &group, there == "yes").map(|()| team)
        });
        Ok(back(set.await?, ""))
    };
    answer(&ask, done.await)
}

#[derive(Deserialize)]
pub struct Guide {
    /// The settings that the form showed, as JSON.
    before: String,
    systolic_difference: String,
    diastolic_difference: String,
    both_arms: String,
    most_readings: String,
    wait_seconds: String,
    pulse_wait_seconds: String,
    standing_wait_seconds: String,
    pregnancy_from: String,
    pregnancy_to: String,
}

impl Guide {
    fn settings(&self) -> Result<GuideSettings> {
        Ok(GuideSettings {
            systolic_difference: whole(&self.systolic_difference)?,
            diastolic_difference: whole(&self.diastolic_difference)?,
            both_arms: self.both_arms == "yes",
            most_readings: whole(&self.most_readings)?,
            wait_seconds: whole(&self.wait_seconds)?,
            pulse_wait_seconds: whole(&self.pulse_wait_seconds)?,
            standing_wait_seconds: whole(&self.standing_wait_seconds)?,
            pregnancy_from: whole(&self.pregnancy_from)?,
            pregnancy_to: whole(&self.pregnancy_to)?,
        })
    }
}

fn whole<T: std::str::FromStr>(text: &str) -> Result<T> {
    let wrong = |_| Error::Said(Code::WrongType, "Each of these is a whole number.".to_owned());
    text.trim().parse().map_err(wrong)
}

pub async fn set_guide(ask: Ask, Path(team): Path<String>, sent: Sent<Guide>) -> Response {
    let done = async {
        let guide = form(sent)?;
        let set = saved(&ask, move |base, by| {
            let team = record_id(&team)?;
            let before = serde_json::from_str(&guide.before).map_err(|_| Code::BadArguments)?;
            team::set_guide(base, team, by, Some(before), &guide.settings()?).map(|()| team)
        });
        Ok(back(set.await?, ""))
    };
    answer(&ask, done.await)
}

#[derive(Deserialize)]
pub struct LockAfter {
    minutes: String,
}

pub async fn set_lock_minutes(ask: Ask, Path(team): Path<String>, sent: Sent<LockAfter>) -> Response {
    let done = async {
        let LockAfter { minutes } = form(sent)?;
        let set = saved(&ask, move |base, by| {
            let team = record_id(&team)?;
            team::set_lock_minutes(base, team, by, whole(&minutes)?).map(|()| team)
        });
        Ok(back(set.await?, ""))
    };
    answer(&ask, done.await)
}
