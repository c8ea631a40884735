//! `wayside tablet`: which there are, and taking records off those that may not have them any more.

use std::io::Write;

use clap::Subcommand;
use serde_json::json;
use wayside_protocol::error::Code;

use super::{Data, Print, existing, printing, text};
use crate::api::{self, InFleet};
use crate::base::Base;
use crate::error::Result;
use crate::log;

/// Who did it, in the audit trail.
const BY: &str = "wayside tablet";

#[derive(Subcommand)]
pub enum TabletCommand {
    /// Lists tablets: mark, name, teams, when last heard of, what it had not sent, and whether it was revoked.
    List(Print),
    /// Revokes a tablet: it is sent nothing more, hands over what it had not sent, and wipes itself. For good.
    Revoke {
        /// Its mark or its name.
        tablet: String,
        #[command(flatten)]
        data: Data,
    },
    /// Takes a tablet out of one team, whose records then leave it.
    Leave {
        /// Its mark or its name.
        tablet: String,
        #[arg(long)]
        team: String,
        #[command(flatten)]
        data: Data,
    },
    /// Admits what a tablet sent after it was revoked or taken out of a team, as far as it passes.
    Admit {
        /// Its mark or its name.
        tablet: String,
        #[command(flatten)]
        print: Print,
    },
    /// Refuses it for good: it stays in quarantine.
    Refuse {
        /// Its mark or its name.
        tablet: String,
        #[command(flatten)]
        print: Print,
    },
}

pub fn run(command: TabletCommand, out: &mut impl Write) -> Result<()> {
    match command {
        TabletCommand::List(print) => list(&print, out),
        TabletCommand::Revoke { tablet, data } => {
            let base = existing(&data)?;
            let id = named(&base, &tablet)?;
            api::revoke(&base, BY, &id)?;
            writeln!(
                out,
                "Revoked. It hands over what it had not sent, and wipes itself, when it syncs next."
            )
            .map_err(printing)
        }
        TabletCommand::Leave { tablet, team, data } => {
            let base = existing(&data)?;
            let id = named(&base, &tablet)?;
            let team =
                base.log.read(|conn| log::team_by_name(conn, team.trim()))?.ok_or(Code::TeamUnknown)?;
            api::take_out(&base, BY, &id, team.id)?;
            writeln!(out, "Taken out of {}. Its records leave the tablet when it syncs next.", team.name)
                .map_err(printing)
        }
        TabletCommand::Admit { tablet, print } => {
            let base = existing(&print.data)?;
            let id = named(&base, &tablet)?;
            let admitted = api::admit_held(&base, BY, &id)?;
            let api::Admitted { accepted, waiting, refused } = admitted;
            let said = format!("{accepted} accepted, {waiting} waiting for others, {refused} refused.");
            say(&print, &json!(admitted), &said, out)
        }
        TabletCommand::Refuse { tablet, print } => {
            let base = existing(&print.data)?;
            let id = named(&base, &tablet)?;
            let refused = api::refuse_held(&base, BY, &id)?;
            say(&print, &json!({"refused": refused}), &format!("{refused} refused."), out)
        }
    }
}

fn say(print: &Print, json: &serde_json::Value, text: &str, out: &mut impl Write) -> Result<()> {
    if print.json { writeln!(out, "{json}") } else { writeln!(out, "{text}") }.map_err(printing)
}

fn list(print: &Print, out: &mut impl Write) -> Result<()> {
    let tablets = api::fleet(&existing(&print.data)?, &api::Readers::whole())?.tablets;
    if print.json {
        return writeln!(out, "{}", json!(tablets)).map_err(printing);
    }
    let rows = tablets.into_iter().map(|one| {
        let standing = if one.revoked_at.is_some() { "revoked" } else { "" };
        let waiting = one.waiting.map(|waiting| waiting.to_string()).unwrap_or_default();
        let InFleet { id, name, teams, last_seen_at, .. } = one;
        vec![id, name, teams.join(", "), last_seen_at.unwrap_or_default(), waiting, standing.to_owned()]
    });
    text::table(rows.collect(), out).map_err(printing)
}

/// The mark of a tablet that somebody names. Of two by one name neither.
fn named(base: &Base, tablet: &str) -> Result<String> {
    let fleet = base.log.read(log::fleet)?;
    if fleet.iter().any(|one| one.id == tablet) {
        return Ok(tablet.to_owned());
    }
    let mut found = fleet.into_iter().filter(|one| one.name == tablet);
    match (found.next(), found.next()) {
        (Some(one), None) => Ok(one.id),
        _ => Err(Code::RecordNotFound.into()),
    }
}
