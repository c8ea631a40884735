//! `wayside archive`, `wayside erase`, `wayside audit`: what leaves the tablets, what is gone for good, who looked.

use std::io::{self, BufRead, Write};

use clap::Args;
use serde_json::{Value, json};
use wayside_protocol::error::Code;
use wayside_protocol::sync::frame::MAX_REASON;

use super::{Data, Print, existing, printing, text};
use crate::api::name_of;
use crate::archive::{self, DAYS};
use crate::error::{Error, Result};
use crate::log::{self, Audited};
use crate::views::Views;

#[derive(Args)]
pub struct Archive {
    /// What nobody has changed for so many days.
    #[arg(long, value_name = "N", default_value_t = DAYS, value_parser = clap::value_parser!(u32).range(1..))]
    days: u32,
    /// Says what would be archived, and does nothing.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    data: Data,
}

#[derive(Args)]
pub struct Erase {
    /// The person's id.
    person: String,
    /// Why, for the audit trail: without anybody's name or number.
    #[arg(long)]
    reason: String,
    /// Does not ask.
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    data: Data,
}

pub fn archive(args: &Archive, out: &mut impl Write) -> Result<()> {
    let base = existing(&args.data)?;
    let archived = archive::archive(&base, args.days, "wayside archive", args.dry_run)?;
    let said = if args.dry_run { "Would leave the tablets" } else { "Left the tablets" };
    writeln!(out, "{said}: {archived}.").map_err(printing)
}

pub fn erase(args: &Erase, out: &mut impl Write) -> Result<()> {
    let reason = args.reason.trim();
    if reason.is_empty() || reason.chars().count() > MAX_REASON {
        let message = format!("A reason has 1 to {MAX_REASON} characters.");
        return Err(Error::Said(Code::OutOfRange, message));
    }
    let base = existing(&args.data)?;
    let erasure = archive::erasure(&base, args.person.parse().map_err(|_| Code::BadId)?)?;
    let views = Views::open(base.data())?;
    let mut rows = Vec::new();
    for person in &erasure.persons {
        let name = views.show(*person)?.as_ref().and_then(name_of).unwrap_or_default();
        rows.push(vec!["person".to_owned(), person.to_string(), name]);
    }
    for contact in &erasure.contacts {
        let shown = views.show(*contact)?.unwrap_or_default();
        let began = shown["started_at"].as_str().unwrap_or_default().to_owned();
        rows.push(vec!["contact".to_owned(), contact.to_string(), began]);
    }
    text::table(rows, out).map_err(printing)?;
    drop(views);
    if !args.yes && !erasure.is_empty() {
        writeln!(out, "This cannot be undone. Type yes to erase it here and on all tablets:")
            .and_then(|()| out.flush())
            .map_err(printing)?;
        confirmed(io::stdin().lock())?;
    }
    archive::erase(&base, erasure, "wayside erase", reason)?;
    writeln!(out, "Erased. Backups made before now still hold it until they expire.").map_err(printing)
}

fn confirmed(mut input: impl BufRead) -> Result<()> {
    let mut answer = String::new();
    input.read_line(&mut answer).map_err(|error| Error::File("input", error))?;
    if answer.trim() == "yes" { Ok(()) } else { Err(Code::NotConfirmed.into()) }
}

pub fn audit(print: &Print, out: &mut impl Write) -> Result<()> {
    let acts = existing(&print.data)?.log.read(log::audited)?;
    if print.json {
        return writeln!(out, "{}", Value::from_iter(acts.iter().map(shown))).map_err(printing);
    }
    let rows = acts.into_iter().map(|act| {
        let record = act.record.map(|record| record.to_string()).unwrap_or_default();
        vec![time(act.at).unwrap_or_default(), act.act, act.who, record, act.reason]
    });
    text::table(rows.collect(), out).map_err(printing)
}

fn shown(act: &Audited) -> Value {
    json!({"at": time(act.at), "who": act.who, "act": act.act, "record": act.record, "reason": act.reason})
}

fn time(ms: u64) -> Option<String> {
    Some(jiff::Timestamp::from_millisecond(i64::try_from(ms).ok()?).ok()?.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_yes_is_yes() {
        assert!(confirmed("yes\n".as_bytes()).is_ok());
        for answer in ["", "\n", "y\n", "no\n", "yes, but\n"] {
            assert_eq!(confirmed(answer.as_bytes()).unwrap_err().code(), Code::NotConfirmed, "{answer:?}");
        }
    }
}
