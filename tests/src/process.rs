//! What the kernel says of a process that runs.

use std::{collections::BTreeMap, fs};

use anyhow::{Context, Result};

/// Of `/proc/PID/stat`, the same on every Linux that we know.
const TICKS: f64 = 100.0;

/// Seconds of CPU of a process, and of its children that have ended.
pub fn cpu(pid: u32, with_children: bool) -> Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let (_, rest) = stat.rsplit_once(')').context("a process")?;
    let numbers = rest.split_whitespace().skip(11).take(if with_children { 4 } else { 2 });
    let ticks: f64 = numbers.map(|ticks| Ok(ticks.parse::<f64>()?)).sum::<Result<_>>()?;
    Ok(ticks / TICKS)
}

/// Megabytes that it holds in memory, and its threads.
pub fn memory_and_threads(pid: u32) -> Result<(f64, f64)> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let fields: BTreeMap<&str, &str> = status.lines().filter_map(|line| line.split_once(':')).collect();
    let number = |name: &str| -> Result<f64> {
        let value = fields.get(name).context("a figure of a process")?;
        Ok(value.trim().trim_end_matches(" kB").parse()?)
    };
    Ok((number("VmRSS")? * 1024.0 / 1e6, number("Threads")?))
}

/// Files, sockets and whatever else it has open.
pub fn handles(pid: u32) -> Result<usize> {
    Ok(fs::read_dir(format!("/proc/{pid}/fd"))?.count())
}
