//! `wayside log`: where the log lies, and what is done to it there.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};

use super::data::is_there;
use super::{Data, existing, printing};
use crate::backup::{self, Where};
use crate::base::Base;
use crate::clock::Clock;
use crate::error::Result;
use crate::log::Place;

#[derive(Subcommand)]
pub enum LogCommand {
    /// Moves a log with its ledger to an empty place, proves the copy whole, and leaves the old place sealed.
    Copy(Copy),
    /// Opens a log again that was sealed when it was copied. Only where the copy is not served.
    Unseal {
        #[command(flatten)]
        data: Data,
    },
    /// Proves a copy that was restored from a dump whole, and notes it as a restore point.
    Check {
        /// Where it was restored to: the address of a database, or file:PATH of a file with one.
        #[arg(value_name = "COPY")]
        copy: String,
        #[command(flatten)]
        data: Data,
    },
    /// After a database was set back by its own tools: tablets then give back what is missing.
    Restored {
        #[command(flatten)]
        data: Data,
    },
}

#[derive(Args)]
pub struct Copy {
    /// A data directory, or a shared log: postgres://USER@HOST/DATABASE, or file:PATH of a file with such an address.
    #[arg(long, value_name = "WHERE")]
    from: String,
    /// The ledger of a shared log.
    #[arg(long, value_name = "URL")]
    from_ledger: Option<String>,
    /// Likewise. A directory holds the server's keys already and nothing else.
    #[arg(long, value_name = "WHERE")]
    to: String,
    #[arg(long, value_name = "URL")]
    to_ledger: Option<String>,
}

pub fn log(command: LogCommand, out: &mut impl Write) -> Result<()> {
    match command {
        LogCommand::Copy(copy) => {
            let from = Where::parse(&copy.from, copy.from_ledger.as_deref())?;
            let to = Where::parse(&copy.to, copy.to_ledger.as_deref())?;
            let bar = bar();
            let moved =
                backup::move_log(&from, &to, Clock::default().now_ms(), &mut |rows| bar.set_position(rows))?;
            bar.finish_and_clear();
            let changes: u64 = moved.iter().map(|team| team.head).sum();
            let says = "Serve the copy from now on; the old place takes nothing more.";
            writeln!(
                out,
                "Moved {} teams with {changes} changes, and proved the copy whole. {says}",
                moved.len()
            )
            .map_err(printing)
        }
        LogCommand::Unseal { data } => {
            backup::unseal(&existing(&data)?)?;
            writeln!(out, "The log takes changes again. Do not serve the copy any more.").map_err(printing)
        }
        LogCommand::Check { copy, data } => {
            let behind = backup::check_copy(&existing(&data)?, &Place::typed(&copy)?)?;
            writeln!(out, "The copy is whole and noted as a restore point; {behind} changes came since.")
                .map_err(printing)
        }
        LogCommand::Restored { data } => {
            let (data, places) = data.place()?;
            is_there(&data, &places)?;
            Base::open_restored(&data, &places, Clock::default())?;
            writeln!(out, "Tablets give back what is missing when they sync next.").map_err(printing)
        }
    }
}

fn bar() -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new_spinner();
    bar.set_style(
        ProgressStyle::with_template("{spinner} {human_pos} rows, {per_sec}")
            .unwrap_or(ProgressStyle::default_spinner()),
    );
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}
