//! `cargo bench-sync`: what the sync costs in bytes, exchanges, time, CPU and memory, each figure beside its floor.

use std::{
    ffi::OsString,
    io::{Write, stderr, stdout},
    path::{Path, PathBuf},
    process::ExitCode,
    time::Instant,
};

use anyhow::{Context, Result};
use clap::{Parser, Subcommand, ValueEnum};
use serde_json::Value;
use wayside_tests::bench::{
    Bench, Figure,
    exchanges::{self, Reconnects},
    party::{self, ClientArguments},
    peers::{self, Row},
    server, tablet,
};

/// Measures the sync and prints a table: everything, or the sections that are named.
#[derive(Parser)]
#[command(args_conflicts_with_subcommands = true)]
struct Arguments {
    /// What to measure
    #[arg(value_enum)]
    sections: Vec<Section>,
    /// Under a minute: the smaller sizes
    #[arg(long)]
    quick: bool,
    /// A last line to read by program
    #[arg(long)]
    json: bool,
    /// Only this: the bench of other sync engines in this folder, with ours among them
    #[arg(long, value_name = "DIR")]
    peers: Option<PathBuf>,
    /// Which of them
    #[arg(long, value_name = "NAMES", default_value = "P0,P1,P2,P4", requires = "peers")]
    among: String,
    /// With so many contacts
    #[arg(long, value_name = "N", value_delimiter = ',', default_value = "200", requires = "peers")]
    contacts: Vec<usize>,
    /// Be the tablet that another of these measures
    #[arg(long, hide = true)]
    tablet: Option<PathBuf>,
    #[command(subcommand)]
    role: Option<Role>,
}

#[derive(ValueEnum, Clone, Copy, PartialEq, Eq)]
enum Section {
    /// Push, cold pull and reconnects, on a good link and on one of 300 ms and 200 kbit/s
    Links,
    /// Reconnects of a tablet that holds 100,000 contacts; not in the quick run
    Large,
    /// The server with 500 tablets at once
    Server,
    /// What a tablet needs: a cold pull, recording, opening, memory
    Tablet,
}

/// The processes that are measured, each by itself.
#[derive(Subcommand)]
enum Role {
    #[command(hide = true)]
    Client(ClientArguments),
    #[command(hide = true)]
    Server { data: PathBuf },
    #[command(hide = true)]
    PeerServer { port: u16, data: PathBuf },
}

fn main() -> ExitCode {
    wayside_server::quiet_panics();
    // `cargo bench-sync -- --quick` means the same as without the dashes.
    let dashes = |(i, argument): &(usize, OsString)| *i != 1 || argument != "--";
    let arguments = std::env::args_os().enumerate().filter(dashes).map(|(_, argument)| argument);
    match run(&Arguments::parse_from(arguments)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(stderr(), "The bench could not go on: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<()> {
    let (mut out, runtime) = (stdout(), tokio::runtime::Runtime::new()?);
    if let Some(dir) = &arguments.tablet {
        let code = std::io::read_to_string(std::io::stdin())?;
        return runtime.block_on(tablet::measure(dir, code.trim(), &mut out));
    }
    match &arguments.role {
        Some(Role::Client(client)) => runtime.block_on(party::client(client, &mut out)),
        Some(Role::Server { data }) => runtime.block_on(party::server(data, &mut out)),
        Some(Role::PeerServer { port, data }) => runtime.block_on(peers::server(*port, data)),
        None => {
            let begun = Instant::now();
            let measured = match &arguments.peers {
                Some(folder) => beside_peers(&mut out, arguments, folder)?,
                None => runtime.block_on(measure(&mut out, arguments))?,
            };
            writeln!(out, "\nTook {:.0} s; load average {}.", begun.elapsed().as_secs_f64(), load()?)?;
            if arguments.json {
                writeln!(out, "{}", Value::Array(measured))?;
            }
            Ok(())
        }
    }
}

/// What else the machine has to do: figures of a busy one say less.
fn load() -> Result<String> {
    let load = std::fs::read_to_string("/proc/loadavg")?;
    Ok(load.split_whitespace().next().unwrap_or_default().to_owned())
}

async fn measure(out: &mut impl Write, arguments: &Arguments) -> Result<Vec<Value>> {
    let (quick, named) = (arguments.quick, &arguments.sections);
    let wanted = |section: Section| {
        if named.is_empty() { section != Section::Large || !quick } else { named.contains(&section) }
    };
    let program = std::env::current_exe()?;
    let mut table = Table { out, measured: Vec::new() };
    let mut few = Reconnects::default();
    writeln!(
        table.out,
        "Load average {}.\n\n{:<76} {:>12} {:>12} {:>7}  floor is",
        load()?,
        "",
        "measured",
        "floor",
        "ratio"
    )?;
    if wanted(Section::Links) {
        for contacts in if quick { &[200][..] } else { &[200, 2_000, 10_000] } {
            table.add(exchanges::all(&program, *contacts, &mut few).await?)?;
        }
    }
    if wanted(Section::Large) {
        table.add(exchanges::reconnects(&program, 100_000, &mut few).await?)?;
    }
    if wanted(Section::Server) {
        let dir = tempfile::tempdir()?;
        let path = dir.path().to_owned();
        let changes = if quick { 10_000 } else { 40_000 };
        table.add(tokio::task::spawn_blocking(move || server::ingest(&path, changes)).await??)?;
    }
    if wanted(Section::Tablet) {
        let bench = Bench::start().await?;
        let contacts = if quick { 2_000 } else { 10_000 };
        table.add(tablet::figures(&bench, contacts, &program).await?)?;
        bench.stop().await?;
    }
    Ok(table.measured)
}

struct Table<'a, W> {
    out: &'a mut W,
    measured: Vec<Value>,
}

impl<W: Write> Table<'_, W> {
    fn add(&mut self, figures: Vec<Figure>) -> Result<()> {
        for figure in figures {
            let (value, floor) = (amount(figure.value, figure.unit), amount(figure.floor, figure.unit));
            let (what, ratio, note) = (&figure.what, figure.ratio(), figure.note);
            writeln!(self.out, "{what:<76} {value:>12} {floor:>12} {ratio:>7.2}  {note}")?;
            self.measured.push(figure.to_json());
        }
        Ok(self.out.flush()?)
    }
}

fn amount(value: f64, unit: &str) -> String {
    match unit {
        "s" => format!("{value:.3} s"),
        _ => format!("{value:.0} {}", unit.replace("changes", "ch")),
    }
}

/// What the peers' table shows: a column of their results, its heading, its width.
const COLUMNS: [(&str, &str, usize); 13] = [
    ("n", "contacts", 8),
    ("scenario", "sync", 4),
    ("peer", "peer", 4),
    ("link", "link", 4),
    ("up_bytes", "up B", 9),
    ("down_bytes", "down B", 9),
    ("wall_s", "wall s", 9),
    ("wall_x_p0", "to P0", 7),
    ("server_cpu_s", "CPU server", 10),
    ("client_cpu_s", "CPU tablet", 10),
    ("server_rss_mb", "MB server", 9),
    ("client_rss_mb", "MB tablet", 9),
    ("note", "", 0),
];

fn beside_peers(out: &mut impl Write, arguments: &Arguments, folder: &Path) -> Result<Vec<Value>> {
    let program = std::env::current_exe()?;
    // Beside this program, so that what was installed there serves the next run, too.
    let scratch = program.parent().and_then(Path::parent).context("a place for the peers")?.join("peers");
    let rows = peers::run(&program, folder, &scratch, &arguments.among, &arguments.contacts)?;
    writeln!(
        out,
        "S1 push, S2 cold pull, S3 reconnect, S4 reconnect with 5 edits each side. P0 is the floor, W"
    )?;
    writeln!(
        out,
        "is ours. Bytes and seconds as in the folder's README; ours are with TLS, theirs without.\n"
    )?;
    let line = |cell: &dyn Fn(&str, &str) -> String| {
        let cells = COLUMNS.map(|(name, heading, width)| format!("{:>width$}", cell(name, heading)));
        cells.join(" ")
    };
    writeln!(out, "{}", line(&|_, heading| heading.to_owned()))?;
    for row in &rows {
        writeln!(out, "{}", line(&|name, _| row.get(name).chars().take(60).collect()))?;
    }
    Ok(rows.iter().map(Row::to_json).collect())
}
