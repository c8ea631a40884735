//! `cargo soak`: a real server with many tablets and some coordinators for as long as one likes, and whether its memory,
//! handles, disk and latency stay as they are.

use std::{
    io::{stderr, stdout},
    path::PathBuf,
    process::ExitCode,
    time::Duration,
};

use anyhow::Result;
use clap::Parser;
use wayside_tests::soak::{Plan, run};

/// As the server's own program has it: with the system's allocator five hundred threads that come and go look like a leak.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Runs a server under load and writes a report with plots. Exit 1 where its second half was not flat. `soak serve ...` is
/// `wayside serve ...`, for the server that is watched.
#[derive(Parser)]
struct Arguments {
    /// How long, once everybody is enrolled
    #[arg(long, default_value_t = 60.0)]
    minutes: f64,
    #[arg(long, default_value_t = 1000)]
    tablets: usize,
    #[arg(long, default_value_t = 4)]
    coordinators: usize,
    /// Seconds from one look at the server to the next
    #[arg(long, default_value_t = 5.0)]
    every: f64,
    /// Seconds from one contact of a tablet to its next, on average
    #[arg(long, default_value_t = 90.0)]
    pace: f64,
    #[arg(long)]
    seed: Option<u64>,
    /// Where the report goes
    #[arg(long, default_value = "target/soak")]
    report: PathBuf,
}

fn main() -> ExitCode {
    wayside_server::quiet_panics();
    if std::env::args().nth(1).is_some_and(|first| first == "serve") {
        return ExitCode::from(wayside_server::cli::run(std::env::args_os(), &mut stdout(), &mut stderr()));
    }
    wayside_tests::ended(soak(Arguments::parse()))
}

fn soak(arguments: Arguments) -> Result<bool> {
    let seconds = |seconds: f64| Duration::try_from_secs_f64(seconds);
    let plan = Plan {
        tablets: arguments.tablets,
        coordinators: arguments.coordinators,
        lasts: seconds(arguments.minutes * 60.0)?,
        every: seconds(arguments.every)?,
        pace: seconds(arguments.pace)?,
        seed: arguments.seed.unwrap_or_else(|| rand::random_range(0..1 << 32)),
        report: arguments.report,
    };
    run(&std::env::current_exe()?, &plan, &mut stdout())
}
