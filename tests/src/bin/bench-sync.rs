//! `cargo bench-sync`: bytes, round trips and throughput of the sync, each beside its floor.

use std::{io::Write, path::PathBuf, process::ExitCode};

use anyhow::Result;
use clap::Parser;
use wayside_tests::bench::{Bench, Figure, server, tablet};

/// Measures the sync and prints a table.
#[derive(Parser)]
struct Arguments {
    /// Under a minute: the smaller sizes
    #[arg(long)]
    quick: bool,
    /// Only what goes over the wire
    #[arg(long)]
    bytes: bool,
    /// A last line to read by program
    #[arg(long)]
    json: bool,
    /// Be the tablet that another of these measures
    #[arg(long, hide = true)]
    tablet: Option<PathBuf>,
}

fn main() -> ExitCode {
    wayside_server::quiet_panics();
    let arguments = Arguments::parse();
    let mut out = std::io::stdout();
    let mut run = || -> Result<()> {
        if let Some(dir) = &arguments.tablet {
            let code = std::io::read_to_string(std::io::stdin())?;
            return tokio::runtime::Runtime::new()?.block_on(tablet::measure(dir, code.trim(), &mut out));
        }
        let figures = tokio::runtime::Runtime::new()?.block_on(measure(&arguments))?;
        print(&mut out, &figures, arguments.json)
    };
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "The bench could not go on: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn measure(arguments: &Arguments) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for contacts in if arguments.quick { &[200][..] } else { &[200, 2_000] } {
        let bench = Bench::start().await?;
        figures.extend(bench.bytes(*contacts).await?);
        bench.stop().await?;
    }
    if arguments.bytes {
        return Ok(figures);
    }
    let dir = tempfile::tempdir()?;
    let changes = if arguments.quick { 10_000 } else { 40_000 };
    let path = dir.path().to_owned();
    figures.extend(tokio::task::spawn_blocking(move || server::ingest(&path, changes)).await??);
    let bench = Bench::start().await?;
    let contacts = if arguments.quick { 2_000 } else { 10_000 };
    figures.extend(tablet::figures(&bench, contacts, &std::env::current_exe()?).await?);
    bench.stop().await?;
    Ok(figures)
}

fn print(out: &mut impl Write, figures: &[Figure], json: bool) -> Result<()> {
    writeln!(out, "{:<52} {:>12} {:>12} {:>7}  floor is", "", "measured", "floor", "ratio")?;
    for figure in figures {
        writeln!(
            out,
            "{:<52} {:>12} {:>12} {:>7.2}  {}",
            figure.what,
            amount(figure.value, figure.unit),
            amount(figure.floor, figure.unit),
            figure.ratio(),
            figure.note
        )?;
    }
    if json {
        let all: Vec<_> = figures.iter().map(Figure::to_json).collect();
        writeln!(out, "{}", serde_json::Value::Array(all))?;
    }
    Ok(())
}

fn amount(value: f64, unit: &str) -> String {
    format!("{value:.0} {}", unit.replace("changes", "ch"))
}
