//! The tablets: each with a store of its own, recording now and then, and in touch with base by itself.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use jiff::{Timestamp, civil::Date, tz::TimeZone};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use tokio::{sync::watch, task::JoinSet, time::sleep};
use wayside_client_core::{By, Key, SyncReport, Tablet};
use wayside_server::Base;

use super::{Plan, Waits, blocking};
use crate::day::{self, TabletPlan};

const KEY: [u8; 32] = [7; 32];
/// As a team of several vans.
const IN_A_TEAM: usize = 5;
/// Tablets that are made at once.
const AT_ONCE: usize = 16;
/// Contacts of a tablet; more than it comes to.
const MOST: usize = 100_000;

struct Van {
    name: String,
    tablet: Tablet,
    /// Syncs that ended well.
    synced: watch::Sender<usize>,
}

/// Syncs that failed, by code.
type Failed = BTreeMap<String, usize>;

pub struct Tablets {
    vans: Vec<Arc<Van>>,
    failed: Arc<Mutex<Failed>>,
    /// From the end of the call that records a contact until it is at base.
    pub waits: Waits,
    /// Ends with this.
    live: JoinSet<()>,
}

impl Tablets {
    /// Tablets in their teams, in touch with base from now on.
    pub async fn enrolled(base: &Arc<Base>, url: &str, dir: &Path, plan: &Plan) -> Result<Tablets> {
        let (admin, teams) = (base.clone(), plan.tablets.div_ceil(IN_A_TEAM));
        blocking(move || (0..teams).try_for_each(|n| Ok(admin.team_add(&team(n)).map(drop)?))).await?;
        let (mut vans, mut joining) = (Vec::new(), JoinSet::new());
        for n in 0..plan.tablets {
            let (base, url, name) = (base.clone(), url.to_owned(), format!("van-{n}"));
            let at = dir.join(&name);
            joining.spawn(async move {
                let (tablet, code) = blocking(move || {
                    let tablet = Tablet::open(&at, &Key::from_bytes(KEY))?;
                    Ok((tablet, base.enrol_code(&team(n / IN_A_TEAM), Some(&url))?.to_text()))
                })
                .await?;
                tablet.enrol(&code, &name).await.with_context(|| format!("{name} is enrolled"))?;
                Ok::<_, anyhow::Error>(Arc::new(Van { name, tablet, synced: watch::channel(0).0 }))
            });
            if joining.len() >= AT_ONCE {
                vans.extend(joining.join_next().await.transpose()?.transpose()?);
            }
        }
        while let Some(van) = joining.join_next().await {
            vans.push(van??);
        }
        let failed = Arc::<Mutex<Failed>>::default();
        let mut live = JoinSet::new();
        for van in &vans {
            live.spawn(in_touch(van.clone(), failed.clone()));
        }
        Ok(Tablets { vans, failed, waits: Waits::default(), live })
    }

    /// Everybody records until it is over. Ends with how many contacts.
    pub fn work(
        &self,
        plan: &Plan,
        over: &watch::Receiver<bool>,
    ) -> impl Future<Output = Result<usize>> + use<> {
        let mut working = JoinSet::new();
        let today = Timestamp::now().to_zoned(TimeZone::UTC).date();
        for (n, van) in self.vans.iter().enumerate() {
            let seed = plan.seed << 16 | n as u64;
            working.spawn(record(van.clone(), seed, today, plan.pace, self.waits.clone(), over.clone()));
        }
        async move {
            let mut recorded = 0;
            while let Some(done) = working.join_next().await {
                recorded += done??;
            }
            Ok(recorded)
        }
    }

    /// Waits until base has everything that was recorded.
    pub async fn until_at_base(&self) -> Result<()> {
        for van in &self.vans {
            let mut synced = van.synced.subscribe();
            while van.waiting().await? > 0 {
                synced.changed().await?;
            }
        }
        Ok(())
    }

    /// Syncs that failed, by code.
    pub fn end(mut self) -> Failed {
        self.live.abort_all();
        self.failed.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Van {
    async fn waiting(self: &Arc<Van>) -> Result<u64> {
        let here = self.clone();
        blocking(move || Ok(here.tablet.status()?.waiting)).await
    }
}

fn team(n: usize) -> String {
    format!("Team {n}")
}

/// As an app does it, as long as it lasts.
async fn in_touch(van: Arc<Van>, failed: Arc<Mutex<Failed>>) {
    let heard = |report: &SyncReport| match &report.error {
        None => van.synced.send_modify(|synced| *synced += 1),
        Some(error) => {
            let mut failed = failed.lock().unwrap_or_else(PoisonError::into_inner);
            *failed.entry(error.code.clone()).or_default() += 1;
        }
    };
    van.tablet.live(|_| {}, heard).await;
}

/// Somebody's day: a contact, until it is at base, and then nothing for a while.
async fn record(
    van: Arc<Van>,
    seed: u64,
    today: Date,
    pace: Duration,
    waits: Waits,
    mut over: watch::Receiver<bool>,
) -> Result<usize> {
    let mut rng = StdRng::seed_from_u64(seed);
    let plan = TabletPlan::new(&van.name, "Kirkgate car park", MOST);
    let mut synced = van.synced.subscribe();
    for i in 0..MOST {
        // The first comes at any moment of the first while: nobody begins together.
        let pause = pace.mul_f64(if i == 0 { rng.random() } else { rng.random_range(0.5..1.5) });
        tokio::select! {
            () = sleep(pause) => {}
            _ = over.wait_for(|over| *over) => return Ok(i),
        }
        let line = day::contact(seed, today, &plan, i);
        let here = van.clone();
        blocking(move || Ok(here.tablet.record(line, &By::staff("nurse-01")).map(drop)?)).await?;
        let recorded = Instant::now();
        loop {
            synced.mark_unchanged();
            if van.waiting().await? == 0 {
                break;
            }
            tokio::select! {
                changed = synced.changed() => changed?,
                _ = over.wait_for(|over| *over) => return Ok(i + 1),
            }
        }
        waits.add(recorded.elapsed());
    }
    Ok(MOST)
}
