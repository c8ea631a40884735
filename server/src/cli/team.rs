//! `wayside team`, `wayside staff`, `wayside service`: what the *Team* page does, at a terminal.

use std::io::{self, BufRead, Write};

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use wayside_protocol::clinical::guide::GuideSettings;
use wayside_protocol::error::Code;
use wayside_protocol::staff::Pin;

use super::{Data, existing, printing};
use crate::api::team::{self, MemberFields, ServiceFields, Team};
use crate::base::Base;
use crate::error::{Error, Result};

/// Who stands as author in what is done here.
const BY: &str = "server";

#[derive(Subcommand)]
pub enum TeamCommand {
    /// Adds a team and prints its id.
    Add {
        name: String,
        #[command(flatten)]
        data: Data,
    },
    /// Shows a team: staff, services, groups, settings.
    Show(Of),
    /// Adds a group that people may belong to.
    AddGroup {
        group: String,
        #[command(flatten)]
        of: Of,
    },
    /// Takes a group out.
    RemoveGroup {
        group: String,
        #[command(flatten)]
        of: Of,
    },
    /// Sets the guided measurement, as in `wait_seconds=60`; what is not named stays.
    Guide {
        #[arg(required = true, value_name = "NAME=VALUE")]
        set: Vec<String>,
        #[command(flatten)]
        of: Of,
    },
    /// After so many minutes without a touch the team's tablets lock.
    LockAfter {
        minutes: u64,
        #[command(flatten)]
        of: Of,
    },
}

#[derive(Subcommand)]
pub enum StaffCommand {
    /// Adds a member and prints their id.
    Add {
        name: String,
        #[arg(long, default_value = "")]
        role: String,
        #[command(flatten)]
        of: Of,
    },
    /// Lists the team's staff.
    List(Of),
    Rename {
        /// Name or id.
        member: String,
        name: String,
        #[command(flatten)]
        of: Of,
    },
    Role {
        member: String,
        role: String,
        #[command(flatten)]
        of: Of,
    },
    /// Puts somebody back into the list on the tablets.
    Activate {
        member: String,
        #[command(flatten)]
        of: Of,
    },
    /// Takes somebody who left out of the list on the tablets; what they recorded keeps their name.
    Deactivate {
        member: String,
        #[command(flatten)]
        of: Of,
    },
    /// Sets a member's PIN: draws six digits and prints them, once.
    Pin {
        member: String,
        /// Reads the PIN from the first line of standard input instead, and prints nothing.
        #[arg(long)]
        typed: bool,
        #[command(flatten)]
        of: Of,
    },
    /// Prints the code that lets a member in on a tablet which keeps them out.
    Unlock {
        member: String,
        /// The ten digits that the tablet shows.
        challenge: Vec<String>,
        #[command(flatten)]
        of: Of,
    },
}

#[derive(Subcommand)]
pub enum ServiceCommand {
    /// Adds a service and prints its id.
    Add {
        name: String,
        #[command(flatten)]
        fields: Fields,
        #[command(flatten)]
        of: Of,
    },
    /// Lists the team's services.
    List(Of),
    /// Changes what is named.
    Edit {
        /// Its id.
        service: String,
        #[arg(long)]
        name: Option<String>,
        #[command(flatten)]
        fields: Fields,
        #[command(flatten)]
        of: Of,
    },
    /// Offers a service on the tablets again.
    Activate {
        service: String,
        #[command(flatten)]
        of: Of,
    },
    /// Offers a service no more; what referred to it stays.
    Deactivate {
        service: String,
        #[command(flatten)]
        of: Of,
    },
}

/// Of which team.
#[derive(Args)]
pub struct Of {
    /// The team's name or id.
    #[arg(long)]
    team: String,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    data: Data,
}

#[derive(Args)]
pub struct Fields {
    /// What it is for, as in stop_smoking.
    #[arg(long)]
    kind: Option<String>,
    #[arg(long)]
    phone: Option<String>,
    #[arg(long)]
    hours: Option<String>,
    #[arg(long)]
    area: Option<String>,
}

impl Of {
    fn open(&self) -> Result<(Base, Team)> {
        let base = existing(&self.data)?;
        let team = team::find(&base, &self.team)?;
        Ok((base, team))
    }

    /// One line for people, one object for programs.
    fn say(&self, out: &mut impl Write, text: &str, json: &Value) -> Result<()> {
        if self.json { writeln!(out, "{json}") } else { writeln!(out, "{text}") }.map_err(printing)
    }
}

pub fn team(command: TeamCommand, out: &mut impl Write) -> Result<()> {
    match command {
        TeamCommand::Add { name, data } => {
            // The first thing that anybody does: this may make a new server.
            let id = data.open()?.team_add(&name)?;
            writeln!(out, "{id}").map_err(printing)
        }
        TeamCommand::Show(of) => show(&of, out),
        TeamCommand::AddGroup { group, of } => set_group(&of, &group, true, out),
        TeamCommand::RemoveGroup { group, of } => set_group(&of, &group, false, out),
        TeamCommand::Guide { set, of } => {
            let (base, known) = of.open()?;
            let settings = changed(&known.guide, &set)?;
            team::set_guide(&base, known.id, BY, None, &settings)?;
            of.say(out, "Saved.", &json!({"team": known.id, "guide": settings}))
        }
        TeamCommand::LockAfter { minutes, of } => {
            let (base, known) = of.open()?;
            team::set_lock_minutes(&base, known.id, BY, minutes)?;
            of.say(out, "Saved.", &json!({"team": known.id, "lock_minutes": minutes}))
        }
    }
}

fn show(of: &Of, out: &mut impl Write) -> Result<()> {
    let (_, team) = of.open()?;
    let json = serde_json::to_value(&team).map_err(|_| Error::Internal("JSON of a team"))?;
    if of.json {
        return writeln!(out, "{json}").map_err(printing);
    }
    writeln!(out, "{}\t{}", team.id, team.name).map_err(printing)?;
    print_staff(&team, out)?;
    print_services(&team, out)?;
    for group in &team.plus_groups {
        writeln!(out, "group\t{group}").map_err(printing)?;
    }
    writeln!(out, "lock after\t{} minutes", team.lock_minutes).map_err(printing)?;
    for (name, value) in json.get("guide").and_then(Value::as_object).into_iter().flatten() {
        writeln!(out, "guide\t{name}={value}").map_err(printing)?;
    }
    Ok(())
}

fn print_staff(team: &Team, out: &mut impl Write) -> Result<()> {
    for one in &team.staff {
        let member = &one.member;
        let state = match (member.active, member.has_pin) {
            (false, _) => "left",
            (true, true) => "pin",
            (true, false) => "no pin",
        };
        writeln!(out, "{}\t{}\t{}\t{state}", member.id, member.name, member.role).map_err(printing)?;
    }
    Ok(())
}

fn print_services(team: &Team, out: &mut impl Write) -> Result<()> {
    for service in &team.services {
        let state = if service.active { "offered" } else { "not offered" };
        let team::Service { id, name, kind, phone, .. } = service;
        writeln!(out, "{id}\t{kind}\t{name}\t{phone}\t{state}").map_err(printing)?;
    }
    Ok(())
}

fn set_group(of: &Of, group: &str, there: bool, out: &mut impl Write) -> Result<()> {
    let (base, known) = of.open()?;
    team::set_group(&base, known.id, BY, group, there)?;
    of.say(out, "Saved.", &json!({"team": known.id, "group": group, "there": there}))
}

/// The settings with what was named on the command line.
fn changed(guide: &GuideSettings, set: &[String]) -> Result<GuideSettings> {
    let mut value = serde_json::to_value(guide).map_err(|_| Error::Internal("JSON of settings"))?;
    for assignment in set {
        let unknown = || Error::Said(Code::BadArguments, format!("There is no such setting: {assignment}."));
        let (name, given) = assignment.split_once('=').ok_or_else(unknown)?;
        let place = value.get_mut(name.trim()).ok_or_else(unknown)?;
        *place = serde_json::from_str(given.trim()).map_err(|_| Code::WrongType)?;
    }
    serde_json::from_value(value).map_err(|_| Code::WrongType.into())
}

pub fn staff(command: StaffCommand, out: &mut impl Write) -> Result<()> {
    let change = |of: &Of, member: &str, fields: MemberFields, out: &mut _| {
        let (base, known) = of.open()?;
        let id = team::find_member(&known, member)?.member.id.clone();
        team::change_member(&base, known.id, BY, &id, None, fields)?;
        of.say(out, "Saved.", &json!({"team": known.id, "id": id}))
    };
    match command {
        StaffCommand::Add { name, role, of } => {
            let (base, known) = of.open()?;
            let id = team::add_member(&base, known.id, BY, &name, &role)?;
            of.say(out, &id, &json!({"team": known.id, "id": id}))
        }
        StaffCommand::List(of) => {
            let (_, team) = of.open()?;
            if of.json {
                return writeln!(out, "{}", json!(team.staff)).map_err(printing);
            }
            print_staff(&team, out)
        }
        StaffCommand::Rename { member, name, of } => {
            change(&of, &member, MemberFields { name: Some(name), ..MemberFields::default() }, out)
        }
        StaffCommand::Role { member, role, of } => {
            change(&of, &member, MemberFields { role: Some(role), ..MemberFields::default() }, out)
        }
        StaffCommand::Activate { member, of } => {
            change(&of, &member, MemberFields { active: Some(true), ..MemberFields::default() }, out)
        }
        StaffCommand::Deactivate { member, of } => {
            change(&of, &member, MemberFields { active: Some(false), ..MemberFields::default() }, out)
        }
        StaffCommand::Pin { member, typed, of } => {
            let (base, known) = of.open()?;
            let id = &team::find_member(&known, &member)?.member.id;
            let pin = if typed { typed_pin(io::stdin().lock())? } else { team::draw_pin() };
            team::set_pin(&base, known.id, BY, id, None, &pin)?;
            // Whoever typed it knows it.
            let shown = if typed { "Saved." } else { pin.as_str() };
            let drawn = (!typed).then_some(pin.as_str());
            of.say(out, shown, &json!({"team": known.id, "id": id, "pin": drawn}))
        }
        StaffCommand::Unlock { member, challenge, of } => {
            let (base, known) = of.open()?;
            let id = &team::find_member(&known, &member)?.member.id;
            let codes = team::unlock(&base, known.id, id, &challenge.concat())?;
            if of.json {
                return writeln!(out, "{}", json!(codes)).map_err(printing);
            }
            codes.iter().try_for_each(|one| writeln!(out, "{}\t{}", one.code, one.tablet)).map_err(printing)
        }
    }
}

fn typed_pin(mut input: impl BufRead) -> Result<Pin> {
    let mut line = String::new();
    input.read_line(&mut line).map_err(|_| Code::PinRefused)?;
    Ok(Pin::parse(&line)?)
}

pub fn service(command: ServiceCommand, out: &mut impl Write) -> Result<()> {
    let change = |of: &Of, service: &str, fields: ServiceFields, out: &mut _| {
        let (base, known) = of.open()?;
        team::change_service(&base, known.id, BY, service, None, fields)?;
        of.say(out, "Saved.", &json!({"team": known.id, "id": service}))
    };
    let with = |name: Option<String>, fields: Fields| {
        let Fields { kind, phone, hours, area } = fields;
        ServiceFields { name, kind, phone, hours, area, active: None }
    };
    match command {
        ServiceCommand::Add { name, fields, of } => {
            let (base, known) = of.open()?;
            let id = team::add_service(&base, known.id, BY, with(Some(name), fields))?;
            of.say(out, &id, &json!({"team": known.id, "id": id}))
        }
        ServiceCommand::List(of) => {
            let (_, team) = of.open()?;
            if of.json {
                return writeln!(out, "{}", json!(team.services)).map_err(printing);
            }
            print_services(&team, out)
        }
        ServiceCommand::Edit { service, name, fields, of } => change(&of, &service, with(name, fields), out),
        ServiceCommand::Activate { service, of } => {
            change(&of, &service, ServiceFields { active: Some(true), ..ServiceFields::default() }, out)
        }
        ServiceCommand::Deactivate { service, of } => {
            change(&of, &service, ServiceFields { active: Some(false), ..ServiceFields::default() }, out)
        }
    }
}
