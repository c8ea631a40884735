//! `wayside quarantine`: what could not be accepted, and judging it again.

use std::collections::BTreeMap;
use std::io::Write;

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use wayside_protocol::error::Code;
use wayside_protocol::record::{Hash, RecordId};

use super::{Print, existing, printing, quarantined, text};
use crate::error::{Error, Result};
use crate::log::{self, Readmission};

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Quarantine {
    #[command(subcommand)]
    command: Option<QuarantineCommand>,
    #[command(flatten)]
    print: Print,
}

#[derive(Subcommand)]
enum QuarantineCommand {
    /// Judges changes in quarantine again, by the rules of this version. What passes is accepted, with what was refused
    /// only because it depends on it; tablets hear of it when they sync next.
    Readmit(Readmit),
}

#[derive(Args)]
struct Readmit {
    /// Only what was refused with this code.
    #[arg(long)]
    code: Option<String>,
    /// Only what came for this team.
    #[arg(long)]
    team: Option<String>,
    /// Records, or hashes of changes; all that are in quarantine unless some are named.
    ids: Vec<String>,
    #[command(flatten)]
    print: Print,
}

pub fn run(quarantine: Quarantine, out: &mut impl Write) -> Result<()> {
    match quarantine.command {
        Some(QuarantineCommand::Readmit(readmit)) => self::readmit(&readmit, out),
        None => list(&quarantine.print, out),
    }
}

pub fn list(print: &Print, out: &mut impl Write) -> Result<()> {
    let base = existing(&print.data)?;
    let items: Vec<Value> = base.log.read(log::quarantine)?.iter().map(quarantined).collect();
    if print.json {
        return writeln!(out, "{}", Value::Array(items)).map_err(printing);
    }
    text::quarantine(&items, out).map_err(printing)
}

/// What somebody names at a terminal.
enum Named {
    Record(RecordId),
    Change(Hash),
}

fn named(id: &str) -> Result<Named> {
    if let Ok(record) = id.parse() {
        return Ok(Named::Record(record));
    }
    let hash = data_encoding::HEXLOWER_PERMISSIVE.decode(id.as_bytes()).ok();
    hash.and_then(|hash| hash.try_into().ok()).map(Named::Change).ok_or(Error::Refused(Code::BadId))
}

fn readmit(readmit: &Readmit, out: &mut impl Write) -> Result<()> {
    let named = readmit.ids.iter().map(|id| named(id)).collect::<Result<Vec<_>>>()?;
    let base = existing(&readmit.print.data)?;
    let team = readmit.team.as_ref().map(|name| {
        let team = base.log.read(|conn| log::team_by_name(conn, name))?;
        Ok::<_, Error>(team.ok_or(Code::TeamUnknown)?.id)
    });
    let team = team.transpose()?;
    let mut wanted: BTreeMap<(RecordId, RecordId), Vec<Hash>> = BTreeMap::new();
    for held in base.log.read(log::quarantine)? {
        let is_named = named.is_empty()
            || named.iter().any(|named| match named {
                Named::Record(record) => *record == held.record,
                Named::Change(hash) => *hash == held.hash,
            });
        // What a revoked tablet sent is somebody's decision, not a matter of rules: only if it is named.
        let decided =
            [Code::FromRevokedTablet, Code::RefusedAtBase].map(Code::as_str).contains(&held.code.as_str());
        let of_code = match &readmit.code {
            Some(code) => *code == held.code,
            None => !decided || !named.is_empty(),
        };
        if is_named && of_code && team.is_none_or(|team| team == held.team) {
            wanted.entry((held.team, held.record)).or_default().push(held.hash);
        }
    }
    let mut items = Vec::new();
    for ((team, record), hashes) in wanted {
        let server = *base.identity.public();
        // A commit for each record: nobody waits long for it, and it may be stopped anywhere.
        let done = base.log.write_for(team, move |txn| log::readmit(txn, server, team, record, &hashes))?;
        items.extend(done.into_iter().map(|(hash, outcome)| outcome_json(team, record, &hash, outcome)));
    }
    if readmit.print.json {
        return writeln!(out, "{}", Value::Array(items)).map_err(printing);
    }
    text::readmitted(&items, out).map_err(printing)
}

fn outcome_json(team: RecordId, record: RecordId, hash: &Hash, outcome: Readmission) -> Value {
    let hash = data_encoding::HEXLOWER.encode(hash);
    let mut item = json!({"team": team.to_string(), "record": record.to_string(), "hash": hash});
    item["outcome"] = match &outcome {
        Readmission::Accepted { .. } => "accepted",
        Readmission::Waiting => "waiting",
        Readmission::Refused(_) => "refused",
        Readmission::Superseded => "superseded",
    }
    .into();
    match outcome {
        Readmission::Accepted { seq } => item["number"] = seq.into(),
        Readmission::Refused(code) => item["code"] = code.into(),
        Readmission::Waiting | Readmission::Superseded => {}
    }
    item
}
