//! What the coordinator's pages are measured and shown with: `cargo world` makes a base after three years, `cargo
//! bench-pages` measures every page on it, `cargo page-pictures` draws every page.

use std::{io::stdout, path::PathBuf, process::ExitCode};

use anyhow::Result;
use clap::{Parser, Subcommand};
use wayside_tests::{
    bench::pages,
    desk::pictures,
    years::{self, Plan},
};

#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Makes a data directory with three years of contacts, or leaves the one that is there
    World {
        #[arg(long, default_value_t = 200_000)]
        contacts: usize,
        dir: PathBuf,
    },
    /// Draws every page at a desk and on a phone, into this folder
    Pictures {
        #[arg(default_value = "docs/pages")]
        dir: PathBuf,
    },
    /// Measures every page and every address of the API on such a directory, which it makes first if need be
    Bench {
        #[arg(long, default_value_t = 200_000)]
        contacts: usize,
        #[arg(long, default_value = "target/world")]
        dir: PathBuf,
        /// Requests for each address
        #[arg(long, default_value_t = 20)]
        rounds: usize,
        /// Only addresses that begin so
        #[arg(long, default_value = "")]
        only: String,
        /// Without a browser: not how soon a new check stands on an open page
        #[arg(long)]
        no_live: bool,
    },
}

fn main() -> ExitCode {
    wayside_server::quiet_panics();
    wayside_tests::ended(run(Arguments::parse()))
}

/// Whether everything is as it should be.
fn run(arguments: Arguments) -> Result<bool> {
    let mut out = stdout();
    match arguments.command {
        Command::World { contacts, dir } => {
            years::make(&dir, &Plan::of(contacts), &mut out)?;
            Ok(true)
        }
        Command::Pictures { dir } => {
            std::fs::create_dir_all(&dir)?;
            pictures::draw(&dir, &mut out)?;
            Ok(true)
        }
        Command::Bench { contacts, dir, rounds, only, no_live } => {
            let plan = Plan::of(contacts);
            years::make(&dir, &plan, &mut out)?;
            pages::measure(&dir, &plan, rounds, &only, !no_live, &mut out)
        }
    }
}
