//! What the coordinator's pages cost the server, each beside the sign-in page, which reads nothing: time from the first
//! byte of a request to the last byte of the answer, and bytes on the wire.

mod live;

use std::{
    io::Write,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};

use crate::{
    desk::{Address, Client, Desk, Found, telling},
    years::Plan,
};

/// Goals: the slowest of twenty, and the largest, compressed.
const SLOWEST_MS: f64 = 100.0;
const LARGEST: usize = 150 * 1024;

/// One address, measured.
pub struct Row {
    address: Address,
    p50: f64,
    p95: f64,
    wire: usize,
}

impl Row {
    fn misses(&self) -> bool {
        self.p95 > SLOWEST_MS || self.wire > LARGEST
    }
}

/// Measures every address of a base that [`crate::years::make`] made, prints a table, and says whether all goals were met.
/// `only` is how a route begins.
pub fn measure(
    dir: &Path,
    plan: &Plan,
    rounds: usize,
    only: &str,
    live: bool,
    out: &mut impl Write,
) -> Result<bool> {
    let begun = Instant::now();
    let desk = Desk::open(dir, plan)?;
    writeln!(out, "the server and its views were there after {:.0} s", begun.elapsed().as_secs_f64())?;
    let mut client = desk.client()?;
    let Found { addresses, missing } = desk.addresses(&mut client, &telling(dir)?)?;
    let floor = times(rounds.max(20), || Ok(client.load("GET", "/sign-in", "")?.taken))?;
    let floor_p50 = quantile(&floor, 0.5);
    writeln!(
        out,
        "floor: GET /sign-in {floor_p50:.2} ms; load average {}\n\n{:<66} {:>9} {:>9} {:>8} {:>9}",
        load()?,
        "milliseconds of the server, bytes on the wire",
        "p50",
        "p95",
        "to floor",
        "bytes"
    )?;
    let mut met = true;
    for address in addresses.into_iter().filter(|address| address.route.starts_with(only)) {
        let row = time(&mut client, address, rounds)?;
        met &= !row.misses();
        print(out, &row, floor_p50)?;
    }
    for route in missing {
        met = false;
        writeln!(out, "{route}: no page links to one")?;
    }
    if live {
        met &= live::appears(&desk, out)?;
    }
    desk.stop()?;
    Ok(met)
}

fn load() -> Result<String> {
    let load = std::fs::read_to_string("/proc/loadavg")?;
    Ok(load.split_whitespace().next().unwrap_or_default().to_owned())
}

fn time(client: &mut Client, address: Address, rounds: usize) -> Result<Row> {
    let mut wire = 0;
    let mut load = || {
        let answer = client.load(address.method, &address.path, address.body)?;
        ensure!(answer.status == 200, "{} answers {}", address.route, answer.status);
        ensure!(answer.compressed || answer.wire < 1000, "{} is not compressed", address.route);
        wire = wire.max(answer.wire);
        Ok(answer.taken)
    };
    load()?;
    let taken = times(rounds, load)?;
    Ok(Row { p50: quantile(&taken, 0.5), p95: quantile(&taken, 0.95), address, wire })
}

/// In milliseconds, the shortest first.
fn times(rounds: usize, mut work: impl FnMut() -> Result<Duration>) -> Result<Vec<f64>> {
    let taken = (0..rounds).map(|_| Ok(work()?.as_secs_f64() * 1000.0)).collect::<Result<Vec<_>>>();
    let mut taken = taken?;
    taken.sort_by(f64::total_cmp);
    Ok(taken)
}

fn quantile(sorted: &[f64], part: f64) -> f64 {
    let place = (sorted.len() as f64 * part).ceil() as usize;
    sorted.get(place.saturating_sub(1)).copied().unwrap_or_default()
}

fn print(out: &mut impl Write, row: &Row, floor: f64) -> Result<()> {
    let Row { address, p50, p95, wire } = row;
    let query = address.path.split_once('?').map(|(_, query)| format!("?{query}")).unwrap_or_default();
    let mut what = format!("{} {}{query} {}", address.method, address.route, address.body);
    what.truncate(what.char_indices().nth(66).map_or(what.len(), |(at, _)| at));
    let mark = if row.misses() { "  MISSED" } else { "" };
    writeln!(out, "{what:<66} {p50:>9.1} {p95:>9.1} {:>8.1} {wire:>9}{mark}", p50 / floor)?;
    Ok(out.flush()?)
}
