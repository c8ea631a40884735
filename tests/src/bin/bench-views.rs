//! `cargo bench-views`: how many changes a second the views take in, beside a floor measured in the same run.

use std::io::{Write, stdout};

use anyhow::Result;
use clap::Parser;
use wayside_tests::bench::views;

/// As the server's own program has it.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Fills a log, derives its views as it grows and from nothing, compares them, and prints a table.
#[derive(Parser)]
struct Arguments {
    /// So many changes.
    #[arg(long, default_value_t = 40_000)]
    changes: usize,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let dir = tempfile::tempdir()?;
    let mut out = stdout();
    writeln!(out, "{:<58} {:>16} {:>16} {:>6}  floor is", "", "measured", "floor", "ratio")?;
    for figure in views::figures(dir.path(), arguments.changes)? {
        let (what, ratio, note) = (&figure.what, figure.ratio(), figure.note);
        let amount = |value: f64| format!("{value:.0} {}", figure.unit);
        let (value, floor) = (amount(figure.value), amount(figure.floor));
        writeln!(out, "{what:<58} {value:>16} {floor:>16} {ratio:>6.2}  {note}")?;
    }
    Ok(())
}
