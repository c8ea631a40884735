//! `cargo train-dictionary FILE`: trains the dictionary of the grouped changes on generated contacts.
//!
//! A dictionary that was released never changes, since both sides must have the same: a new one is a new file, a new
//! encoding and a new capability. The seeds are others than those of any bench.

use std::{io::Write, path::PathBuf, process::ExitCode};

use anyhow::{Context, Result};
use clap::Parser;
use wayside_protocol::sync::frame::grouped;
use wayside_tests::bench::offered;

/// Trains the dictionary of the grouped changes.
#[derive(Parser)]
struct Arguments {
    /// Where to write it
    file: PathBuf,
    /// Its size in bytes
    #[arg(long, default_value_t = 32 << 10)]
    size: usize,
}

/// Contacts in one batch: mostly few, as they are where a dictionary helps most.
const BATCHES: [usize; 6] = [1, 1, 3, 8, 20, 60];
const ROUNDS: u64 = 60;
const SEED: u64 = 500_000;

fn main() -> ExitCode {
    match train(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "No dictionary: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn train(arguments: &Arguments) -> Result<()> {
    let mut samples = Vec::new();
    for seed in SEED..SEED + ROUNDS {
        for (batch, contacts) in BATCHES.into_iter().enumerate() {
            let changes = offered(seed * 10 + batch as u64, contacts)?;
            samples.push(grouped(&changes).context("changes that cannot be grouped")?);
        }
    }
    let dictionary = zstd::dict::from_samples(&samples, arguments.size)?;
    std::fs::write(&arguments.file, &dictionary)?;
    writeln!(std::io::stdout(), "{} bytes, from {} batches", dictionary.len(), samples.len())?;
    Ok(())
}
