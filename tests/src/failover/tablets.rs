//! The tablets: each with a store of its own, recording, and in touch with base by itself.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context, Result, anyhow, ensure};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use rusqlite::{Connection, OpenFlags};
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{sleep, timeout},
};
use wayside_client_core::{By, Key, Phase, SyncReport, Tablet};

use super::{Numbered, Region, Report, Size, TABLETS_IN_A_TEAM, blocking};
use crate::day::{self, TabletPlan};

const KEY: [u8; 32] = [7; 32];
/// A tablet that failed often waits a minute or two before it tries again.
const PATIENCE: Duration = Duration::from_secs(600);
/// Contacts of a tablet; more than it comes to.
const MOST: usize = 10_000;
/// So many record as fast as base takes it. What more of them could record together is more than one machine takes, on which
/// they and all servers run: for each of them everybody rests up to so much longer.
const FEW: usize = 20;
const REST_MS: u64 = 100;
/// Tablets that are made at once.
const AT_ONCE: usize = 16;

/// One tablet.
struct Van {
    name: String,
    dir: PathBuf,
    team: Vec<u8>,
    tablet: Tablet,
    /// Syncs that ended well.
    synced: watch::Sender<usize>,
}

/// What all tablets were told together.
#[derive(Default)]
struct Told {
    synced: usize,
    failed: BTreeMap<String, usize>,
    /// What staff were told, and what would have needed a human.
    notices: BTreeSet<&'static str>,
    final_errors: BTreeSet<String>,
    /// Syncs that had to compare everything.
    compared: usize,
}

pub struct Tablets {
    vans: Vec<Arc<Van>>,
    seed: u64,
    told: Arc<Mutex<Told>>,
    /// Ends with this.
    live: JoinSet<()>,
}

impl Tablets {
    /// Tablets in their teams, in touch with base from now on.
    pub async fn enrolled(region: &Region, seed: u64, size: Size) -> Result<Tablets> {
        let base = region.admin.clone();
        let teams = blocking(move || {
            let names = (0..size.tablets.div_ceil(TABLETS_IN_A_TEAM)).map(|n| format!("Team {n}"));
            names
                .map(|name| Ok((base.team_add(&name)?.as_bytes().to_vec(), name)))
                .collect::<Result<Vec<_>>>()
        })
        .await?;
        let url = format!("https://{}", region.nodes.address());
        let mut vans: Vec<Arc<Van>> = Vec::new();
        let mut joining = JoinSet::new();
        for n in 0..size.tablets {
            let (team, team_name) = teams.get(n / TABLETS_IN_A_TEAM).cloned().context("a team")?;
            let (base, url, name) = (region.admin.clone(), url.clone(), format!("van-{n}"));
            let dir = region.dir.path().join(&name);
            joining.spawn(async move {
                let at = dir.clone();
                let (tablet, code) = blocking(move || {
                    let tablet = Tablet::open(&at, &Key::from_bytes(KEY))?;
                    Ok((tablet, base.enrol_code(&team_name, Some(&url))?.to_text()))
                })
                .await?;
                tablet.enrol(&code, &name).await.with_context(|| format!("{name} is enrolled"))?;
                let synced = watch::channel(0).0;
                Ok::<_, anyhow::Error>(Van { name, dir, team, tablet, synced })
            });
            if joining.len() >= AT_ONCE {
                vans.extend(joining.join_next().await.transpose()?.transpose()?.map(Arc::new));
            }
        }
        while let Some(van) = joining.join_next().await {
            vans.push(Arc::new(van??));
        }
        let told = Arc::<Mutex<Told>>::default();
        let mut live = JoinSet::new();
        for van in &vans {
            live.spawn(in_touch(van.clone(), told.clone()));
        }
        Ok(Tablets { vans, seed, told, live })
    }

    /// Everybody records until it is over.
    pub fn work(&self, over: &watch::Receiver<bool>) -> impl Future<Output = Result<()>> + use<> {
        let mut working = JoinSet::new();
        for (n, van) in self.vans.iter().enumerate() {
            let rest = REST_MS * self.vans.len().saturating_sub(FEW) as u64;
            working.spawn(record(van.clone(), self.seed << 16 | n as u64, rest, over.clone()));
        }
        async move {
            while let Some(done) = working.join_next().await {
                done??;
            }
            Ok(())
        }
    }

    /// What each tablet's own store says that base has acknowledged.
    pub async fn acknowledged(&self) -> Result<Vec<(String, Numbered)>> {
        let vans = self.vans.clone();
        blocking(move || vans.iter().map(|van| Ok((van.name.clone(), van.numbered(true)?))).collect()).await
    }

    /// Waits until each tablet holds what the log has of its team, with the same numbers, and knows that it does.
    /// Nobody tells it to sync. Returns what the log has.
    pub async fn until_all_hold(
        &self,
        read: impl Fn() -> Result<Numbered> + Send + Sync + 'static,
    ) -> Result<Numbered> {
        let everybody = async {
            for van in &self.vans {
                let mut synced = van.synced.subscribe();
                while van.tablet.status()?.waiting > 0 {
                    synced.changed().await?;
                }
            }
            // Now nothing more comes.
            let log = blocking(read).await?;
            for van in &self.vans {
                let wanted: Numbered = log
                    .iter()
                    .filter(|((team, ..), _)| *team == van.team)
                    .map(|(change, seq)| (change.clone(), *seq))
                    .collect();
                let mut synced = van.synced.subscribe();
                loop {
                    let (here, held) = (van.clone(), van.tablet.status()?);
                    if held.in_sync && blocking(move || here.numbered(false)).await? == wanted {
                        break;
                    }
                    synced.changed().await?;
                }
            }
            Ok(log)
        };
        match timeout(PATIENCE, everybody).await {
            Ok(log) => log,
            Err(_) => Err(anyhow!("tablets did not come to hold the same; failed: {:?}", self.failures())),
        }
    }

    fn failures(&self) -> BTreeMap<String, usize> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).failed.clone()
    }

    /// Nobody needed a human.
    pub fn end(mut self, report: &mut Report) -> Result<()> {
        self.live.abort_all();
        let told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        ensure!(told.final_errors.is_empty(), "errors that no retry helps: {:?}", told.final_errors);
        ensure!(told.notices.is_empty(), "staff were told: {:?}", told.notices);
        ensure!(told.compared == 0, "{} syncs had to compare everything", told.compared);
        (report.synced, report.failed) = (told.synced, told.failed.clone());
        Ok(())
    }
}

impl Van {
    /// What its store holds with a number: all of it, or what was made here.
    fn numbered(&self, own: bool) -> Result<Numbered> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let store = Connection::open_with_flags(self.dir.join("tablet.db"), flags)?;
        store.execute_batch(&format!("PRAGMA key = \"x'{}'\";", data_encoding::HEXLOWER.encode(&KEY)))?;
        store.busy_timeout(PATIENCE)?;
        let mut statement = store.prepare(
            "SELECT c.team, r.id, c.hash, c.seq FROM change c JOIN record r ON r.no = c.record
             WHERE c.seq IS NOT NULL AND (c.own OR NOT ?)",
        )?;
        let rows = statement
            .query_map([own], |row| Ok(((row.get(0)?, row.get(1)?, row.get(2)?), row.get::<_, u64>(3)?)))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }
}

/// As an app does it, as long as the drill lasts.
async fn in_touch(van: Arc<Van>, told: Arc<Mutex<Told>>) {
    let lock = || told.lock().unwrap_or_else(PoisonError::into_inner);
    let heard = |report: &SyncReport| {
        let mut told = lock();
        match &report.error {
            None => {
                told.synced += 1;
                van.synced.send_modify(|synced| *synced += 1);
            }
            Some(error) => {
                *told.failed.entry(error.code.clone()).or_default() += 1;
                if !error.retry {
                    told.final_errors.insert(error.code.clone());
                }
            }
        }
        told.notices.extend(report.notices.iter().map(|notice| notice.code));
    };
    let progress = |progress: wayside_client_core::Progress| {
        if progress.phase == Phase::Comparing {
            lock().compared += 1;
        }
    };
    van.tablet.live(progress, heard).await;
}

/// Somebody's afternoon: one contact after the other, now and then before the last one is at base. A failed sync is not waited
/// for, nor followed at once: each contact makes the tablet try again, and a drill that recorded after each failure would
/// only measure how fast it can fail. Where many record, each rests between two, up to so many milliseconds.
async fn record(van: Arc<Van>, seed: u64, rest: u64, mut over: watch::Receiver<bool>) -> Result<()> {
    let mut rng = StdRng::seed_from_u64(seed);
    let plan = TabletPlan::new(&van.name, "Kirkgate car park", MOST);
    let mut synced = van.synced.subscribe();
    for i in 0..MOST {
        let line = day::contact(seed, "2026-11-20".parse()?, &plan, i);
        let here = van.clone();
        // Before it is recorded: the sync that follows may end at once.
        synced.mark_unchanged();
        blocking(move || Ok(here.tablet.record(line, &By::staff("nurse-01")).map(drop)?)).await?;
        let (at_once, patience) = (rng.random_ratio(1, 10), rng.random_range(1_000..4_000));
        let rest = Duration::from_millis(rng.random_range(0..=rest));
        let waits = async {
            if !at_once {
                let _ = timeout(Duration::from_millis(patience), synced.changed()).await;
                sleep(rest).await;
            }
        };
        tokio::select! {
            () = waits => {}
            _ = over.wait_for(|over| *over) => break,
        }
    }
    Ok(())
}
