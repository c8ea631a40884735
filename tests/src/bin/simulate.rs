//! `cargo simulate`: days of tablets and a base that never were, each from a seed, and what they break.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Write, stdout},
    panic::{AssertUnwindSafe, catch_unwind},
    process::{Child, Command, ExitCode, Stdio},
    sync::mpsc::{Sender, channel},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow};
use clap::Parser;
use wayside_tests::simulate::{FAULTS, Shape, run};

/// From so many runs on each kind of fault must have happened.
const ENOUGH: u64 = 500;
/// So often it says how far it has come.
const MINUTE: Duration = Duration::from_secs(60);

/// Runs simulations, several at once, and prints the seed of each that breaks a promise
#[derive(Parser)]
struct Arguments {
    /// So many, each with the next seed
    #[arg(long, default_value_t = 100)]
    runs: u64,
    /// The first seed; without it one that nobody has tried
    #[arg(long)]
    seed: Option<u64>,
    /// Tablets at most
    #[arg(long, default_value_t = 8)]
    tablets: usize,
    #[arg(long, default_value_t = 3)]
    days: u64,
    /// All runs have that many tablets
    #[arg(long)]
    all_tablets: bool,
    /// Processes at once; as many as there are processors unless set
    #[arg(long)]
    jobs: Option<u64>,
    /// Tells on standard error what happens in each run
    #[arg(long)]
    tell: bool,
    /// Ends with the first run that fails
    #[arg(long)]
    first: bool,
    /// A part of the work, for another process of this program
    #[arg(long, hide = true)]
    part: bool,
}

fn main() -> ExitCode {
    wayside_server::quiet_panics();
    let arguments = Arguments::parse();
    let done = if arguments.part { part(&arguments) } else { whole(&arguments) };
    wayside_tests::ended(done)
}

fn shape(arguments: &Arguments) -> Shape {
    let Arguments { tablets, days, all_tablets: all, tell, .. } = *arguments;
    Shape { tablets: tablets.max(1), days, all, tell }
}

/// Runs in this process, one after the other; each ends with a line for whoever started it.
fn part(arguments: &Arguments) -> Result<bool> {
    let (first, mut out) = (arguments.seed.context("a first seed")?, stdout());
    let mut all_well = true;
    for seed in first..first + arguments.runs {
        let done = catch_unwind(AssertUnwindSafe(|| run(seed, shape(arguments))));
        let done = done.unwrap_or_else(|panic| {
            let said = panic.downcast_ref::<String>().cloned();
            let said = said.or_else(|| panic.downcast_ref::<&str>().map(|said| (*said).to_owned()));
            Err(anyhow!("a panic: {}", said.unwrap_or_default()))
        });
        match done {
            Ok(outcome) => {
                let trace = data_encoding::HEXLOWER.encode(&outcome.trace);
                writeln!(out, "{seed}\tok\t{}\t{trace}", serde_json::to_string(&outcome.counts)?)?;
            }
            Err(error) => {
                all_well = false;
                writeln!(out, "{seed}\tfailed\t{}", format!("{error:#}").replace(['\n', '\t'], " "))?;
                if arguments.first {
                    break;
                }
            }
        }
    }
    Ok(all_well)
}

/// What one run came to.
enum Heard {
    Well(BTreeMap<String, u64>),
    Failed(u64, String),
}

/// Starts a part of the work; its lines go to `told`.
fn start(arguments: &Arguments, from: u64, runs: u64, told: Sender<Heard>) -> Result<Child> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["--part", "--seed", &from.to_string(), "--runs", &runs.to_string()]);
    command.args(["--tablets", &arguments.tablets.to_string(), "--days", &arguments.days.to_string()]);
    command.args(arguments.all_tablets.then_some("--all-tablets"));
    command.args(arguments.first.then_some("--first"));
    command.args(arguments.tell.then_some("--tell"));
    let mut child = command.stdout(Stdio::piped()).spawn()?;
    let lines = BufReader::new(child.stdout.take().context("its output")?).lines();
    std::thread::spawn(move || {
        let (mut next, mut over) = (from, false);
        for heard in lines.map_while(Result::ok).filter_map(|line| heard(&line)) {
            next += 1;
            over = matches!(heard, Heard::Failed(..));
            let _ = told.send(heard);
        }
        if next < from + runs && !over {
            let _ = told.send(Heard::Failed(next, "the process ended in the middle of it".to_owned()));
        }
    });
    Ok(child)
}

fn heard(line: &str) -> Option<Heard> {
    let mut parts = line.splitn(4, '\t');
    let (seed, how, rest) = (parts.next()?.parse().ok()?, parts.next()?, parts.next()?);
    Some(match how {
        "ok" => Heard::Well(serde_json::from_str(rest).ok()?),
        _ => Heard::Failed(seed, rest.to_owned()),
    })
}

fn whole(arguments: &Arguments) -> Result<bool> {
    let first = arguments.seed.unwrap_or_else(|| rand::random::<u64>() >> 24);
    let processors = std::thread::available_parallelism().map_or(2, |n| n.get() as u64);
    let jobs = arguments.jobs.unwrap_or(processors).clamp(1, arguments.runs.max(1));
    let (begun, mut out) = (Instant::now(), stdout());
    writeln!(out, "{} runs from seed {first}, {jobs} at once.", arguments.runs)?;
    let (told, all) = channel();
    let mut from = first;
    let mut children = Vec::new();
    for job in 0..jobs {
        let runs = (arguments.runs + job) / jobs;
        children.push(start(arguments, from, runs, told.clone())?);
        from += runs;
    }
    drop(told);
    let mut said_at = begun;
    let (mut counts, mut failed, mut ran) = (BTreeMap::<String, u64>::new(), 0, 0);
    for heard in all {
        ran += 1;
        match heard {
            Heard::Well(some) => {
                some.into_iter().for_each(|(what, times)| *counts.entry(what).or_default() += times);
            }
            Heard::Failed(seed, how) => {
                failed += 1;
                say(arguments, seed, &how, &mut out)?;
                if arguments.first {
                    break;
                }
            }
        }
        if said_at.elapsed() >= MINUTE {
            said_at = Instant::now();
            writeln!(out, "{ran} runs in {} s, {failed} failed", begun.elapsed().as_secs())?;
        }
    }
    for mut child in children {
        // With --first the others are not waited for.
        let _ = child.kill();
        child.wait()?;
    }
    counts.iter().try_for_each(|(what, times)| writeln!(out, "{times:>10}  {what}"))?;
    // Few runs need not meet everything.
    let never: Vec<_> = FAULTS.iter().filter(|fault| !counts.contains_key(**fault)).collect();
    let met_all = ran < ENOUGH || never.is_empty();
    if !met_all {
        writeln!(out, "never happened: {never:?}")?;
    }
    writeln!(out, "{ran} runs in {:.0} s, {failed} failed.", begun.elapsed().as_secs_f64())?;
    Ok(failed == 0 && met_all)
}

fn say(arguments: &Arguments, seed: u64, how: &str, out: &mut impl Write) -> Result<()> {
    writeln!(out, "seed {seed} failed: {how}")?;
    let Arguments { tablets, days, .. } = arguments;
    let all = if arguments.all_tablets { " --all-tablets" } else { "" };
    writeln!(out, "  cargo simulate --runs 1 --seed {seed} --tablets {tablets} --days {days}{all}")?;
    Ok(())
}
