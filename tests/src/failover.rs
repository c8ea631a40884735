//! A region's afternoon on which everything fails that can: three servers over a PostgreSQL with a synchronous standby, tablets
//! that record and sync by themselves, and faults at moments from a seed. Everything is real: processes, signals, TLS, disks.
#![allow(clippy::print_stderr)]

mod faults;
mod follower;
mod tablets;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    sync::Arc,
    time::Instant,
};

use anyhow::{Context, Result, ensure};
use rand::{SeedableRng, rngs::StdRng};
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::watch;
use wayside_server::{Base, log, views::Views};

use self::{follower::Follower, tablets::Tablets};
use crate::{
    field::{Programs, copy_dir},
    link::Link,
    nodes::{Databases, Nodes, base_over},
    postgres::Postgres,
};

/// A change by its team, record and hash, and its number in the team's log.
type Numbered = BTreeMap<(Vec<u8>, Vec<u8>, Vec<u8>), u64>;

const NODES: usize = 3;
/// As a team of several vans.
const TABLETS_IN_A_TEAM: usize = 5;

/// How much happens.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    pub tablets: usize,
    /// Changes in the log from one fault to the next, at most.
    pub apart: usize,
    /// Beside the end of the primary.
    pub faults: usize,
}

/// What happened. Nothing of it is wrong: where something is, the drill ends with an error.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Faults by name.
    pub faults: BTreeMap<&'static str, usize>,
    /// Changes in the log at the end.
    pub changes: usize,
    /// Syncs of tablets that ended well, and that failed, by code.
    pub synced: usize,
    pub failed: BTreeMap<String, usize>,
    /// How often the follower read, and how often it lost its connection.
    pub reads: usize,
    pub reconnects: usize,
    /// From the end of the primary until a change was accepted on the other one, in seconds.
    pub without_primary: f64,
    /// From the last fault until everybody held the same, in seconds.
    pub healed: f64,
    pub taken: f64,
}

/// PostgreSQL, the servers over it, and what lies between them.
struct Region {
    primary: Postgres,
    standby: Postgres,
    /// Each server's ways to primary and standby.
    links: Vec<[Link; 2]>,
    nodes: Nodes,
    /// For what an administrator does, and to look at the end.
    admin: Arc<Base>,
    dir: TempDir,
}

impl Region {
    async fn start(programs: &Programs) -> Result<Region> {
        let (primary, standby) = blocking(|| {
            let primary = Postgres::start()?;
            primary.create("log")?;
            primary.create("ledger")?;
            let standby = primary.synchronous_standby()?;
            Ok((primary, standby))
        })
        .await?;
        let dir = tempfile::tempdir()?;
        let (mut links, mut databases) = (Vec::new(), Vec::new());
        for n in 0..NODES {
            let to = |port: u16| Link::up(([127, 0, 0, 1], port).into());
            let pair = [to(primary.port()).await?, to(standby.port()).await?];
            let ports = [pair[0].addr().port(), pair[1].addr().port()];
            let here = dir.path().join(format!("databases-{n}"));
            fs::create_dir(&here)?;
            databases.push(Databases::at(
                &here,
                &primary.url_by(&ports, "log"),
                &primary.url_by(&ports, "ledger"),
            )?);
            links.push(pair);
        }
        let (server, at) = (programs.server.clone(), dir.path().to_owned());
        let ports = [primary.port(), standby.port()];
        let [log, ledger] = ["log", "ledger"].map(|database| primary.url_by(&ports, database));
        let (nodes, admin) = blocking(move || {
            let mut nodes = Nodes::new(&server, &at, &databases)?;
            nodes.start()?;
            let data = at.join("admin");
            copy_dir(&at.join("base/keys"), &data.join("keys"));
            Ok((nodes, base_over(&data, &log, &ledger)?))
        })
        .await?;
        Ok(Region { primary, standby, links, nodes, admin: Arc::new(admin), dir })
    }

    /// What the log holds now.
    fn numbered(&self) -> Result<Numbered> {
        let ports = [self.primary.port(), self.standby.port()];
        follower::numbered(&self.primary.url_by(&ports, "log"))
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await?
}

/// One afternoon.
pub async fn drill(programs: &Programs, seed: u64, size: Size) -> Result<Report> {
    eprintln!("seed {seed}");
    let mut rng = StdRng::seed_from_u64(seed);
    let begun = Instant::now();
    let mut region = Region::start(programs).await?;
    let tablets = Tablets::enrolled(&region, seed, size).await?;
    let ports = [region.primary.port(), region.standby.port()];
    let follower = Follower::start(region.primary.url_by(&ports, "log"));

    let (over, until) = watch::channel(false);
    let working = tablets.work(&until);
    let mut report = Report::default();
    let kept = faults::happen(&mut region, &tablets, &follower, size, &mut rng, &mut report).await?;
    let last = Instant::now();
    eprintln!("after {} changes: the last fault is over", follower.seen());
    over.send_replace(true);
    working.await?;
    let region = Arc::new(region);
    let here = region.clone();
    let log = tablets.until_all_hold(move || here.numbered()).await?;
    report.healed = last.elapsed().as_secs_f64();

    // What a tablet was told is in the log has the same number there to this day.
    for (name, kept) in &kept {
        let lost = kept.iter().find(|(change, seq)| log.get(*change) != Some(seq));
        ensure!(lost.is_none(), "{name} was told of {lost:?}, and it is not in the log");
    }
    let followed = follower.end(log.len())?;
    ensure!(followed.numbered == log, "the follower saw something else than what is there now");
    (report.reads, report.reconnects) = (followed.reads, followed.reconnects);
    report.changes = log.len();
    tablets.end(&mut report)?;
    let taken = blocking(move || at_base(&region)).await;
    taken?;
    report.taken = begun.elapsed().as_secs_f64();
    Ok(report)
}

/// Nothing was refused, nobody was alarmed, and every server shows the same.
fn at_base(region: &Region) -> Result<()> {
    let base = &region.admin;
    let now = base.clock.now_ms();
    let alarms = base.log.read(|conn| log::alarms(conn, now))?;
    let codes: BTreeSet<String> = alarms.into_iter().map(|alarm| alarm.code).collect();
    ensure!(codes.is_empty(), "alarms: {codes:?}");
    ensure!(base.log.read(log::quarantine)?.is_empty(), "something is in quarantine");
    let mut shown: Vec<Vec<Value>> = Vec::new();
    for node in &region.nodes.nodes {
        let mut views = Views::open(&node.data)?;
        views.catch_up(&base.log)?;
        shown.push(views.list(None)?);
    }
    let first = shown.first().context("a server")?;
    ensure!(!first.is_empty() && shown.iter().all(|all| all == first), "servers show different things");
    Ok(())
}
