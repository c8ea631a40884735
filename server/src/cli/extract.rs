//! `wayside extract` and `wayside recipient`: CSV files that leave, and for whom.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{BufWriter, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use wayside_protocol::error::Code;

use super::{Data, existing, printing};
use crate::api::extracts::{self, Place, add_recipient, end_recipient, stretch};
use crate::error::{Error, Result};
use crate::extract::File;
use crate::log::{self, Audited, By};
use crate::views::Views;

/// Who adds and ends recipients, in the audit trail.
const RECIPIENT: &str = "wayside recipient";

#[derive(Args)]
pub struct Extract {
    /// people, contacts, readings, measurements, follow_ups, referrals, sessions or sites; all of them where none is named.
    files: Vec<String>,
    /// Where the files are put: none is written over.
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
    /// Why, for the audit trail: without anybody's name or number.
    #[arg(long)]
    reason: String,
    /// Without names, with the pseudonyms of this recipient.
    #[arg(long, value_name = "NAME")]
    recipient: Option<String>,
    /// Only what changed since the place that an earlier extract gave.
    #[arg(long, value_name = "PLACE", default_value = "")]
    after: String,
    #[command(flatten)]
    data: Data,
}

#[derive(Subcommand)]
pub enum RecipientCommand {
    /// Adds an organisation, or a purpose within one, with pseudonyms of its own.
    Add {
        name: String,
        #[command(flatten)]
        data: Data,
    },
    /// Lists recipients by number.
    List {
        #[command(flatten)]
        data: Data,
    },
    /// Makes nothing more for it, and forgets how its pseudonyms are made.
    End {
        name: String,
        #[command(flatten)]
        data: Data,
    },
}

pub fn extract(args: &Extract, out: &mut impl Write) -> Result<()> {
    let base = existing(&args.data)?;
    let named = args.files.iter().map(|name| File::parse(name).ok_or(Code::UnknownValue));
    let mut files: Vec<File> = named.collect::<Result<_, _>>()?;
    let recipient =
        args.recipient.as_deref().map(|name| base.log.read(|conn| log::recipient_by_name(conn, name)));
    let recipient = recipient.transpose()?;
    if files.is_empty() {
        files = File::ALL.into_iter().filter(|file| recipient.is_none() || file.is_shared()).collect();
    }
    let extracts: Vec<_> = files
        .iter()
        .map(|file| extracts::extract(&base, *file, recipient.as_ref()))
        .collect::<Result<_>>()?;
    let (after, reason) = (Place::parse(&args.after)?, extracts::reason(&args.reason)?);
    let names: Vec<&str> = files.iter().map(|file| file.as_str()).collect();
    let whose = recipient.map(|recipient| format!(" for recipient {}", recipient.n)).unwrap_or_default();
    let reason = format!("{}{whose}: {reason}", names.join(", "));
    let act = Audited { reason, ..By::from("wayside extract").does("extract", base.clock.now_ms()) };
    base.log.write(move |txn| log::audit(txn.conn, &act))?;
    let mut views = Views::open(base.data())?;
    views.catch_up(&base.log)?;
    DirBuilder::new().recursive(true).mode(0o700).create(&args.to).map_err(unwritable)?;
    // One snapshot for all: what refers to each other fits.
    views.snapshot(|views| {
        let stretch = stretch(views, &after, None)?;
        let next = stretch.next.to_string();
        for extract in &extracts {
            let name = extract.name();
            let rows = saved(&args.to.join(&name), |file| extract.write(views, &stretch.parts, &next, file))?;
            writeln!(out, "{name}\t{rows}").map_err(printing)?;
        }
        writeln!(out, "next\t{next}").map_err(printing)
    })
}

/// Writes a new file, for its owner alone; one that is not whole does not stay.
fn saved(path: &Path, write: impl FnOnce(&mut BufWriter<fs::File>) -> Result<u64>) -> Result<u64> {
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(unwritable)?;
    let mut file = BufWriter::new(file);
    let done = write(&mut file).and_then(|rows| {
        let file = file.into_inner().map_err(|error| unwritable(error.into_error()))?;
        file.sync_all().map_err(unwritable)?;
        Ok(rows)
    });
    if done.is_err() {
        let _ = fs::remove_file(path);
    }
    done
}

fn unwritable(error: std::io::Error) -> Error {
    Error::File("extract", error)
}

pub fn recipient(command: RecipientCommand, out: &mut impl Write) -> Result<()> {
    match command {
        RecipientCommand::Add { name, data } => {
            let n = add_recipient(&existing(&data)?, RECIPIENT, &name)?;
            writeln!(out, "{n}").map_err(printing)
        }
        RecipientCommand::List { data } => {
            for recipient in existing(&data)?.log.read(log::recipients)? {
                let ended = if recipient.ended_at.is_some() { "\tended" } else { "" };
                writeln!(out, "{}\t{}{ended}", recipient.n, recipient.name).map_err(printing)?;
            }
            Ok(())
        }
        RecipientCommand::End { name, data } => {
            let base = existing(&data)?;
            let recipient = base.log.read(|conn| log::recipient_by_name(conn, &name))?;
            end_recipient(&base, RECIPIENT, recipient.n)
        }
    }
}
