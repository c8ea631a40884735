//! `cargo demo`: the main job of Wayside on this machine, with nothing installed.

use std::{io::Write, process::ExitCode};

use anyhow::Result;
use clap::Parser;
use jiff::{Timestamp, civil::Date, tz::TimeZone};
use wayside_tests::demo::{Demo, DemoPlan};

/// One server, three tablets and a day without signal, on embedded storage.
#[derive(Parser)]
struct Arguments {
    /// End after the day instead of waiting for Ctrl-C; prints a summary as JSON on the last line
    #[arg(long)]
    exit: bool,
    /// The same seed gives the same day
    #[arg(long, default_value_t = 20_261_120)]
    seed: u64,
    /// Contacts that the three tablets record together
    #[arg(long, default_value_t = 300)]
    contacts: usize,
    /// The day that is played; yesterday unset
    #[arg(long)]
    date: Option<Date>,
}

fn main() -> ExitCode {
    wayside_server::quiet_panics();
    let mut out = std::io::stdout();
    let played = tokio::runtime::Runtime::new()
        .map_err(Into::into)
        .and_then(|runtime| runtime.block_on(play(Arguments::parse(), &mut out)));
    match played {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => {
            let _ = writeln!(std::io::stderr(), "Something that was recorded is not at base.");
            ExitCode::FAILURE
        }
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "The demo could not go on: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Whether everything that was recorded is on the server and in its views.
async fn play(arguments: Arguments, out: &mut impl Write) -> Result<bool> {
    let dir = tempfile::tempdir()?;
    let yesterday = Timestamp::now().to_zoned(TimeZone::UTC).date().yesterday()?;
    let date = arguments.date.unwrap_or(yesterday);
    let plan = DemoPlan { seed: arguments.seed, contacts: arguments.contacts, date };
    let mut demo = Demo::start(dir.path(), plan).await?;
    writeln!(out, "Wayside, a demo on invented people. The server listens on {}.", demo.addr())?;
    let summary = demo.tell(out).await?;
    if !arguments.exit {
        let live = demo.go_live(true).await?;
        writeln!(out, "\nNow you. Open these two beside each other, and switch the tablet's signal off:")?;
        writeln!(out, "  a tablet         {}", live.tablet_url)?;
        writeln!(out, "  the coordinator  {}", live.coordinator_url)?;
        writeln!(out, "\nThe other tablets go on seeing people. Ctrl-C ends everything.")?;
        tokio::signal::ctrl_c().await?;
        live.stop().await;
    }
    demo.stop().await?;
    writeln!(out, "\n{}", summary.to_json())?;
    Ok(summary.is_complete())
}
