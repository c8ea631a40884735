//! `wayside backup` and `wayside restore`.

use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Subcommand};
use indicatif::{HumanBytes, HumanCount, ProgressBar};
use wayside_protocol::error::Code;

use super::data::Data;
use super::{existing, printing};
use crate::backup::{self, Key, Manifest, Recipients};
use crate::clock::Clock;
use crate::error::{Error, Result};

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Backup {
    #[command(subcommand)]
    command: Option<BackupCommand>,
    /// Where to. Needed.
    #[arg(long, value_name = "DIR")]
    to: Option<PathBuf>,
    /// Encrypts it to a public key as age-keygen prints it; may be given several times. Without one, whoever has the backup
    /// reads it.
    #[arg(long = "recipient", value_name = "AGE1")]
    recipients: Vec<String>,
    #[command(flatten)]
    data: Data,
}

#[derive(Subcommand)]
pub enum BackupCommand {
    /// Proves a backup whole. Of an encrypted one without --identity only that its bytes are those that were written.
    Verify {
        /// A file, or a directory where it is not encrypted.
        backup: PathBuf,
        /// The private key that opens it, in a file as age-keygen writes it. It is decrypted below TMPDIR for as long as this
        /// takes.
        #[arg(long, value_name = "FILE")]
        identity: Option<PathBuf>,
    },
}

#[derive(Args)]
pub struct Restore {
    /// As `backup` printed it.
    #[arg(long, value_name = "BACKUP")]
    from: PathBuf,
    /// The private key that opens it, if it is encrypted, in a file as age-keygen writes it.
    #[arg(long, value_name = "FILE")]
    identity: Option<PathBuf>,
    #[command(flatten)]
    data: Data,
}

pub fn backup(args: Backup, out: &mut impl Write) -> Result<()> {
    match (args.command, args.to) {
        (Some(BackupCommand::Verify { backup, identity }), _) => verify(&backup, identity.as_deref(), out),
        (None, Some(to)) => {
            let base = existing(&args.data)?;
            let made = if args.recipients.is_empty() {
                backup::backup(&base, &to)?
            } else {
                let bar = bar();
                let recipients = Recipients::parse(&args.recipients)?;
                backup::backup_sealed(&base, &to, &recipients, &mut |step, done| shown(&bar, step, done))?
            };
            writeln!(out, "{}", made.display()).map_err(printing)
        }
        (None, None) => Err(Error::Said(Code::BadArguments, "Say where to: --to DIR.".into())),
    }
}

fn verify(path: &Path, identity: Option<&Path>, out: &mut impl Write) -> Result<()> {
    if path.is_dir() {
        return whole(&backup::verify(path)?, out);
    }
    match identity {
        Some(identity) => {
            let (key, bar) = (Key::read(identity)?, bar());
            let verified = backup::verify_sealed(path, &key, &mut |step, done| shown(&bar, step, done))?;
            bar.finish_and_clear();
            whole(&verified, out)
        }
        None => match backup::is_as_written(path)? {
            Some(true) => writeln!(
                out,
                "Its bytes are those that were written. With --identity its content is proven, too."
            )
            .map_err(printing),
            Some(false) => Err(Code::BackupDamaged.into()),
            None => Err(Code::BackupSealed.into()),
        },
    }
}

fn whole(manifest: &Manifest, out: &mut impl Write) -> Result<()> {
    let changes: u64 = manifest.teams.iter().map(|team| team.head).sum();
    let (teams, at) = (manifest.teams.len(), manifest.made_at);
    writeln!(out, "Whole: {teams} teams with {changes} changes, as of {at}.").map_err(printing)
}

pub fn restore(args: Restore, out: &mut impl Write) -> Result<()> {
    let ((data, places), clock) = (args.data.place()?, Clock::default());
    let (key, bar) = (args.identity.as_deref().map(Key::read).transpose()?, bar());
    let mut told = |step, done| shown(&bar, step, done);
    let restored =
        backup::opened(&args.from, key.as_ref(), &data, &mut told, |from| match places.are_shared() {
            true => backup::restore_shared(from, &data, &places, &clock),
            false => backup::restore(from, &data, &clock),
        })?;
    bar.finish_and_clear();
    let made_at = restored.made_at;
    writeln!(out, "Restored as of {made_at}. Tablets give back what came later when they sync next.")
        .map_err(printing)
}

fn bar() -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new_spinner();
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

/// Copying counts rows, everything else bytes.
fn shown(bar: &ProgressBar, step: &'static str, done: u64) -> Result<()> {
    bar.set_message(match (step, done) {
        (_, 0) => step.to_owned(),
        ("copying", rows) => format!("{step}: {} rows", HumanCount(rows)),
        (_, bytes) => format!("{step}: {}", HumanBytes(bytes)),
    });
    Ok(())
}
