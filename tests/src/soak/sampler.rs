//! Somebody who looks at the server from outside every few seconds.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use rusqlite::{Connection, OpenFlags};

use super::{Waits, quantile};
use crate::process;

/// Times in milliseconds; nothing where nobody waited.
pub type Spread = [Option<f64>; 3];

/// Of what a [`Spread`] is.
pub const PARTS: [(&str, f64); 3] = [("p50", 0.5), ("p95", 0.95), ("p99", 0.99)];

/// What was seen at one moment, and since the moment before.
#[derive(Debug, Clone)]
pub struct Sample {
    /// Seconds since the beginning.
    pub at: f64,
    /// Megabytes.
    pub memory: f64,
    pub handles: f64,
    pub threads: f64,
    /// Of one core, since the moment before.
    pub cpu: f64,
    /// Megabytes: of the whole data directory, and of write-ahead logs in it.
    pub disk: f64,
    pub wal: f64,
    /// In the log.
    pub changes: f64,
    /// Of these, not in the views yet.
    pub behind: f64,
    /// From recording until at base.
    pub sync: Spread,
    pub page: Spread,
}

impl Sample {
    pub fn line(&self) -> String {
        let ms =
            |spread: &Spread| spread.map(|ms| ms.map_or("-".to_owned(), |ms| format!("{ms:.0}"))).join("/");
        format!(
            "{:>6.0} s  {:>6.1} MB  {:>5} handles  {:>4.0} % CPU  {:>7.1} MB on disk, {:>5.1} MB WAL  {:>7} changes, {:>4} \
             behind  at base {} ms  pages {} ms",
            self.at,
            self.memory,
            self.handles,
            self.cpu * 100.0,
            self.disk,
            self.wal,
            self.changes,
            self.behind,
            ms(&self.sync),
            ms(&self.page)
        )
    }
}

pub struct Sampler {
    pid: u32,
    data: PathBuf,
    log: Connection,
    views: Connection,
    syncs: Waits,
    pages: Waits,
    begun: Instant,
    /// When it was looked at last, and the CPU until then.
    last: (Instant, f64),
    samples: Vec<Sample>,
}

impl Sampler {
    pub fn new(pid: u32, data: &Path, syncs: Waits, pages: Waits) -> Result<Sampler> {
        let open = |name: &str| -> Result<Connection> {
            let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
            let db = Connection::open_with_flags(data.join(name), flags)?;
            db.busy_timeout(Duration::from_secs(30))?;
            Ok(db)
        };
        let begun = Instant::now();
        let last = (begun, process::cpu(pid, false)?);
        let (log, views) = (open("log.db")?, open("views.db")?);
        Ok(Sampler { pid, data: data.to_owned(), log, views, syncs, pages, begun, last, samples: Vec::new() })
    }

    pub fn look(&mut self) -> Result<&Sample> {
        let now = Instant::now();
        let cpu = process::cpu(self.pid, false)?;
        let used = (cpu - self.last.1) / (now - self.last.0).as_secs_f64();
        self.last = (now, cpu);
        let (memory, threads) = process::memory_and_threads(self.pid)?;
        let (disk, wal) = sizes(&self.data)?;
        // The views first: what comes in between the two is no lag.
        let viewed = self.viewed()?;
        let changes = self.changes()?;
        let spread = |waits: &Waits| {
            let waits = waits.take();
            PARTS.map(|(_, part)| quantile(&waits, part))
        };
        let (sync, page) = (spread(&self.syncs), spread(&self.pages));
        self.samples.push(Sample {
            at: (now - self.begun).as_secs_f64(),
            memory,
            handles: process::handles(self.pid)? as f64,
            threads,
            cpu: used,
            disk,
            wal,
            changes: changes as f64,
            behind: changes.saturating_sub(viewed) as f64,
            sync,
            page,
        });
        self.samples.last().context("a sample")
    }

    fn changes(&self) -> Result<u64> {
        Ok(self.log.query_row("SELECT coalesce(sum(head), 0) FROM team", [], |row| row.get(0))?)
    }

    fn viewed(&self) -> Result<u64> {
        Ok(self.views.query_row("SELECT coalesce(sum(seq), 0) FROM cursor", [], |row| row.get(0))?)
    }

    /// Waits until the views show the whole log. Returns how many contacts they show.
    pub async fn until_shown(&self, patience: Duration) -> Result<usize> {
        let end = Instant::now() + patience;
        while self.viewed()? < self.changes()? {
            ensure!(Instant::now() < end, "the views do not come to the end of the log");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(self.views.query_row("SELECT count(*) FROM contact", [], |row| row.get(0))?)
    }

    pub fn into_samples(self) -> Vec<Sample> {
        self.samples
    }
}

/// Megabytes below a directory, and those of write-ahead logs among them.
fn sizes(dir: &Path) -> Result<(f64, f64)> {
    let (mut all, mut wal) = (0.0, 0.0);
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        // What is taken away while somebody looks is nothing any more.
        let Ok(found) = entry.metadata() else { continue };
        if found.is_dir() {
            let (below, of_it) = sizes(&entry.path())?;
            (all, wal) = (all + below, wal + of_it);
            continue;
        }
        let size = found.len() as f64 / 1e6;
        all += size;
        if entry.file_name().to_string_lossy().ends_with("-wal") {
            wal += size;
        }
    }
    Ok((all, wal))
}
