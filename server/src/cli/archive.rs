//! `wayside archive`, `wayside erase`, `wayside audit`: what leaves the tablets, what is gone for good, who looked.

use std::io::{self, BufRead, Write};

use clap::{Args, ValueEnum};
use serde_json::{Value, json};
use wayside_protocol::error::Code;
use wayside_protocol::sync::frame::MAX_REASON;

use super::{Data, Print, existing, printing, text};
use crate::api::name_of;
use crate::archive::{self, DAYS};
use crate::error::{Error, Result};
use crate::log::{self, Audited, Fault};
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

#[derive(Args)]
pub struct Audit {
    /// Shows the trail, unless something else is said.
    what: Option<AuditWhat>,
    #[command(flatten)]
    print: Print,
}

#[derive(Clone, Copy, ValueEnum)]
enum AuditWhat {
    /// Proves that no row of the trail was altered, taken out, put in or cut off, by its chain and by what the ledger
    /// noted of it. Exit 1 where one was, with where.
    Verify,
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

pub fn audit(args: &Audit, out: &mut impl Write) -> Result<()> {
    match args.what {
        Some(AuditWhat::Verify) => verify(&args.print, out),
        None => trail(&args.print, out),
    }
}

fn trail(print: &Print, out: &mut impl Write) -> Result<()> {
    let acts = existing(&print.data)?.log.read(log::audited)?;
    if print.json {
        return writeln!(out, "{}", Value::from_iter(acts.iter().map(shown))).map_err(printing);
    }
    let rows = acts.into_iter().map(|act| {
        let record = act.record.map(|record| record.to_string()).unwrap_or_default();
        vec![time(act.at).unwrap_or_default(), act.act, act.who, act.address, record, act.reason]
    });
    text::table(rows.collect(), out).map_err(printing)
}

fn shown(act: &Audited) -> Value {
    json!({"at": time(act.at), "who": act.who, "account": act.account, "address": act.address, "act": act.act,
        "record": act.record, "reason": act.reason})
}

fn verify(print: &Print, out: &mut impl Write) -> Result<()> {
    let found = existing(&print.data)?.verify_audit()?;
    let faults: Vec<String> = found.faults.iter().map(fault).collect();
    let lost: Vec<String> =
        found.lost.iter().map(|(from, to)| format!("A restore lost {}.", rows(*from, *to))).collect();
    if print.json {
        let whole = json!({"rows": found.rows, "wrong": found.wrong, "faults": faults, "lost": lost});
        writeln!(out, "{whole}").map_err(printing)?;
    } else {
        for line in lost.iter().chain(&faults) {
            writeln!(out, "{line}").map_err(printing)?;
        }
        writeln!(out, "{} rows, {} faults.", found.rows, found.wrong).map_err(printing)?;
    }
    if found.wrong == 0 { Ok(()) } else { Err(Code::AuditBroken.into()) }
}

fn rows(from: u64, to: u64) -> String {
    if from == to { format!("row {from}") } else { format!("rows {from} to {to}") }
}

fn fault(fault: &Fault) -> String {
    match *fault {
        Fault::Changed { place } => {
            format!("Row {place}, or the one before it, was altered, or something was put in between.")
        }
        Fault::Missing { from, to } => format!("Missing: {}.", rows(from, to)),
        Fault::Outside { n } => format!(
            "Row number {n} of the table is in no chain: it was put in by hand or by an older program."
        ),
        Fault::Rewritten { place } => {
            format!("The ledger knows row {place} otherwise: the trail was written anew.")
        }
        Fault::Cut { from, to } => format!("Cut off: {}, which the ledger knows of.", rows(from, to)),
    }
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
