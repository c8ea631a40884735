//! What PostgreSQL waits for, and who uses the processors, while something runs.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use anyhow::{Result, anyhow};
use postgres::{Client, NoTls};

use super::super::party::Usage;
use crate::{nodes::Node, postgres::Postgres, process::cpu};

/// Between two looks.
const EVERY: Duration = Duration::from_millis(20);

/// What bounded a run.
pub struct Bound {
    pub what: String,
    pub seconds: f64,
    /// Seconds of CPU: all servers (with the views that each makes), PostgreSQL, and the tablets of the bench.
    pub servers: f64,
    pub postgres: f64,
    pub tablets: f64,
    pub changes: usize,
    /// Bytes that PostgreSQL wrote ahead.
    pub wal: i64,
    pub commits: i64,
    /// Connections at work at any one moment, by what they wait for.
    pub waits: BTreeMap<String, f64>,
}

/// A run under way.
pub struct Watched<'a> {
    postgres: &'a Postgres,
    nodes: &'a [Node],
    begun: Instant,
    cpu: [f64; 3],
    wal: i64,
    commits: i64,
    client: Client,
    stop: Arc<AtomicBool>,
    looking: JoinHandle<Result<BTreeMap<String, f64>>>,
}

impl<'a> Watched<'a> {
    pub fn start(postgres: &'a Postgres, nodes: &'a [Node]) -> Result<Watched<'a>> {
        let url = postgres.url("postgres");
        let mut client = Client::connect(&url, NoTls)?;
        let (wal, commits) = written(&mut client)?;
        let stop = Arc::new(AtomicBool::new(false));
        let until = stop.clone();
        let looking = thread::spawn(move || look(&url, &until));
        let cpu = used(postgres, nodes)?;
        Ok(Watched { postgres, nodes, begun: Instant::now(), cpu, wal, commits, client, stop, looking })
    }

    pub fn end(mut self, what: String, changes: usize) -> Result<Bound> {
        let (seconds, cpu) = (self.begun.elapsed().as_secs_f64(), used(self.postgres, self.nodes)?);
        self.stop.store(true, Ordering::Release);
        let waits = self.looking.join().map_err(|_| anyhow!("a panic"))??;
        // Counts of commits are a second late.
        thread::sleep(Duration::from_millis(1_200));
        let (wal, commits) = written(&mut self.client)?;
        let [servers, postgres, tablets] = [0, 1, 2].map(|who| cpu[who] - self.cpu[who]);
        let (wal, commits) = (wal - self.wal, commits - self.commits);
        Ok(Bound { what, seconds, servers, postgres, tablets, changes, wal, commits, waits })
    }
}

/// Bytes of the write-ahead log and commits so far.
fn written(client: &mut Client) -> Result<(i64, i64)> {
    let sql = "SELECT (pg_current_wal_lsn() - '0/0')::bigint, sum(xact_commit)::bigint FROM pg_stat_database";
    let row = client.query_one(sql, &[])?;
    Ok((row.try_get(0)?, row.try_get(1)?))
}

fn used(postgres: &Postgres, nodes: &[Node]) -> Result<[f64; 3]> {
    let servers: f64 = nodes.iter().filter_map(Node::pid).map(|pid| cpu(pid, false)).sum::<Result<_>>()?;
    let processes = postgres.processes();
    // What those came to that have ended stands with the first.
    let each = processes.iter().enumerate().map(|(n, pid)| cpu(*pid, n == 0).or(Ok::<_, anyhow::Error>(0.0)));
    Ok([servers, each.sum::<Result<f64>>()?, Usage::own()?.cpu])
}

fn look(url: &str, stop: &AtomicBool) -> Result<BTreeMap<String, f64>> {
    let mut client = Client::connect(url, NoTls)?;
    let sql = "SELECT coalesce(wait_event_type || ' ' || wait_event, 'at work'), count(*) FROM pg_stat_activity
               WHERE state = 'active' AND backend_type = 'client backend' AND pid <> pg_backend_pid() GROUP BY 1";
    let (mut seen, mut looks) = (BTreeMap::<String, i64>::new(), 0);
    while !stop.load(Ordering::Acquire) {
        for row in client.query(sql, &[])? {
            *seen.entry(row.try_get(0)?).or_default() += row.try_get::<_, i64>(1)?;
        }
        looks += 1;
        thread::sleep(EVERY);
    }
    Ok(seen.into_iter().map(|(wait, count)| (wait, count as f64 / f64::from(looks.max(1)))).collect())
}
