//! What has left this tablet, looked up at base.

use std::io::Write;

use clap::Subcommand;
use serde_json::json;
use wayside_client_core::{By, Code, Error, Tablet};

use super::{
    Common, Done,
    commands::{record_id, runtime},
};

#[derive(Subcommand)]
pub enum AtBase {
    /// Finds archived people at base by all these words. Base keeps who asked and why, and not for whom.
    LookUp {
        #[arg(required = true)]
        text: Vec<String>,
        /// Why, without anybody's name or number.
        #[arg(long)]
        reason: String,
    },
    /// Brings archived people back to the tablets, with their contacts. Base keeps who asked for whom and why.
    Fetch {
        #[arg(required = true)]
        id: Vec<String>,
        /// Why, without anybody's name or number.
        #[arg(long)]
        reason: String,
    },
}

pub fn command(tablet: &Tablet, common: &Common, by: &By, command: AtBase, out: &mut impl Write) -> Done {
    match command {
        AtBase::LookUp { text, reason } => {
            let text = text.join(" ");
            let found = runtime()?.block_on(tablet.look_up(by.team, &text, &by.staff, &reason))?;
            if common.json {
                let json = serde_json::to_value(&found).map_err(|_| Error::Failed(Code::Internal))?;
                writeln!(out, "{json}")?;
                return Ok(());
            }
            for person in &found.people {
                let id = person.id.map(|id| id.to_string()).unwrap_or_default();
                let said =
                    [&person.name, &person.birth, &person.sex, &person.postcode_area, &person.last_seen];
                let said: Vec<&str> =
                    said.into_iter().map(String::as_str).filter(|part| !part.is_empty()).collect();
                writeln!(out, "{id}  {}", said.join(", "))?;
            }
            match (found.people.is_empty(), found.more) {
                (true, _) => writeln!(out, "Nobody archived was found at base.")?,
                (_, true) => writeln!(out, "There are others: say more of whom you mean.")?,
                _ => {}
            }
        }
        AtBase::Fetch { id, reason } => {
            let ids = id.iter().map(|id| record_id(id)).collect::<Done<Vec<_>>>()?;
            let fetched = runtime()?.block_on(tablet.fetch(by.team, &ids, &by.staff, &reason))?;
            if fetched.is_empty() {
                return Err(Error::Failed(Code::RecordNotFound).into());
            }
            if common.json {
                writeln!(out, "{}", json!({"fetched": fetched}))?;
            } else {
                writeln!(out, "Here again, with their contacts: {}.", fetched.len())?;
            }
        }
    }
    Ok(())
}
