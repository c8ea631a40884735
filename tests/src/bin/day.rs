//! Prints a van day as JSON lines, for `wayside-tablet record -` or for reading.

use std::io::{self, BufWriter, ErrorKind, Write};
use std::process::ExitCode;

use clap::Parser;
use jiff::civil::Date;
use wayside_tests::day::{TabletPlan, contact};

/// Prints invented but realistic contacts, one JSON object a line.
#[derive(Parser)]
struct Args {
    /// The same seed gives the same day, for ever.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many; beyond 220 they run on into the following days.
    #[arg(long, default_value_t = 200)]
    contacts: usize,
    #[arg(long, default_value = "Masjid Al-Noor")]
    site: String,
    /// mosque, market, community_centre, ...: decides the session's languages and audience.
    #[arg(long, default_value = "mosque")]
    site_type: String,
    /// van, bus, pop_up, home_visit.
    #[arg(long, default_value = "pop_up")]
    setting: String,
    /// The first session's day.
    #[arg(long, default_value = "2026-11-20")]
    date: Date,
    /// Tablets of one seed see different people.
    #[arg(long, default_value = "tablet-1")]
    tablet: String,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let plan = TabletPlan {
        name: args.tablet,
        site: args.site,
        site_type: args.site_type,
        setting: args.setting,
        contacts: args.contacts,
    };
    let mut out = BufWriter::new(io::stdout().lock());
    let printed = (0..plan.contacts)
        .try_for_each(|i| writeln!(out, "{}", contact(args.seed, args.date, &plan, i)))
        .and_then(|()| out.flush());
    match printed {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever read enough closed the pipe.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "day: {error}");
            ExitCode::FAILURE
        }
    }
}
