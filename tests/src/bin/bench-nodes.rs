//! `cargo bench-nodes`: what one, two and three servers over one PostgreSQL take in and give out, and what bounds them.

use std::{
    io::{Write, stderr, stdout},
    process::ExitCode,
};

use anyhow::Result;
use clap::Parser;
use wayside_tests::bench::nodes::{Bound, Shape, run};

/// Measures and prints tables. `bench-nodes serve ...` is `wayside serve ...`, for the servers that are measured.
#[derive(Parser)]
struct Arguments {
    /// A quarter of the requests
    #[arg(long)]
    quick: bool,
    /// So many servers at most
    #[arg(long, default_value_t = 3)]
    servers: usize,
}

fn main() -> ExitCode {
    wayside_server::quiet_panics();
    if std::env::args().nth(1).is_some_and(|first| first == "serve") {
        return ExitCode::from(wayside_server::cli::run(std::env::args_os(), &mut stdout(), &mut stderr()));
    }
    let arguments = std::env::args().enumerate().filter(|(i, argument)| *i != 1 || argument != "--");
    match measure(&Arguments::parse_from(arguments.map(|(_, argument)| argument)), &mut stdout()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(stderr(), "The bench could not go on: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn measure(arguments: &Arguments, out: &mut impl Write) -> Result<()> {
    let program = std::env::current_exe()?;
    writeln!(out, "{:<58} {:>22} {:>18} {:>6}  floor is", "", "measured", "floor", "ratio")?;
    for shape in Shape::all(arguments.quick) {
        let measured = run(&program, shape, arguments.servers)?;
        for figure in &measured.figures {
            let amount = |value: f64| format!("{value:.0} {}", figure.unit);
            let (value, floor, ratio) = (amount(figure.value), amount(figure.floor), figure.ratio());
            writeln!(out, "{:<58} {value:>22} {floor:>18} {ratio:>6.2}  {}", figure.what, figure.note)?;
        }
        let heading =
            "µs of CPU a change; what connections to PostgreSQL waited for, on average at any moment";
        writeln!(out, "\n{heading}")?;
        for bound in &measured.bounds {
            writeln!(out, "{}", line(bound))?;
        }
        writeln!(out)?;
        out.flush()?;
    }
    Ok(())
}

fn line(bound: &Bound) -> String {
    let each = |seconds: f64| seconds * 1e6 / bound.changes as f64;
    let mut waits: Vec<_> = bound.waits.iter().collect();
    waits.sort_by(|a, b| b.1.total_cmp(a.1));
    let waits: Vec<String> = waits.iter().take(5).map(|(wait, count)| format!("{wait} {count:.1}")).collect();
    format!(
        "{:<46} {:>5.1} s  servers {:>4.0} PostgreSQL {:>4.0} tablets {:>4.0}  {:>5.0} B of WAL a change, {:>5.1} \
         changes a commit;  {}",
        bound.what,
        bound.seconds,
        each(bound.servers),
        each(bound.postgres),
        each(bound.tablets),
        bound.wal as f64 / bound.changes as f64,
        bound.changes as f64 / bound.commits.max(1) as f64,
        waits.join(", ")
    )
}
