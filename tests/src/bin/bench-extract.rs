//! `cargo bench-extract`: how fast records leave as CSV, beside a bare dump of the same rows, and in how much memory.

use std::{io::stdout, path::PathBuf, process::ExitCode};

use anyhow::Result;
use clap::Parser;
use wayside_tests::bench::extract::{self, Plan};

/// Fills a server's views, extracts them, and prints what it cost.
#[derive(Parser)]
struct Arguments {
    /// So many contacts, each with a person; measured with a tenth of them first.
    #[arg(long, default_value_t = 1_000_000)]
    contacts: usize,
    /// So many of them come in through the server's own door; the others are copies of their rows.
    #[arg(long, default_value_t = 10_000)]
    real: usize,
    /// Only extracts this file from the views in `--data`: what the bench starts for each file.
    #[arg(long, requires = "data", hide = true)]
    extract: Option<String>,
    #[arg(long, hide = true)]
    data: Option<PathBuf>,
}

fn main() -> ExitCode {
    wayside_tests::ended(run(Arguments::parse()))
}

/// Whether everything is as it should be.
fn run(arguments: Arguments) -> Result<bool> {
    let Arguments { contacts, real, extract, data } = arguments;
    match (extract, data) {
        (Some(file), Some(data)) => extract::whole(&data, &file, &mut stdout()).map(|()| true),
        _ => {
            let dir = tempfile::tempdir()?;
            extract::run(dir.path(), &Plan { contacts, real }, &mut stdout())
        }
    }
}
