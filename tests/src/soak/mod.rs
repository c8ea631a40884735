//! A long day: a real server process, many tablets that record and keep in touch, coordinators who read pages, and
//! somebody who writes down every few seconds what the server holds and how long everybody waits. At the end a report
//! with plots, and whether the second half was as flat as it has to be.

mod coordinators;
mod judge;
mod plot;
mod report;
mod sampler;
mod served;
mod tablets;

use std::{
    io::Write,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Result, ensure};
use tokio::{runtime::Runtime, sync::watch, time::Instant};
use wayside_server::{Base, Clock};

use self::{coordinators::Coordinators, report::Report, sampler::Sampler, served::Served, tablets::Tablets};

/// After the end, so long at the most until everything is at base and on the pages.
const PATIENCE: Duration = Duration::from_secs(300);

/// What happens.
#[derive(Debug, Clone)]
pub struct Plan {
    pub tablets: usize,
    pub coordinators: usize,
    /// How long it is looked at, everybody being enrolled.
    pub lasts: Duration,
    /// Between two looks at the server.
    pub every: Duration,
    /// Between two contacts of one tablet, on average.
    pub pace: Duration,
    pub seed: u64,
    /// Where the report goes.
    pub report: PathBuf,
}

/// How long somebody waited for something, in milliseconds, since somebody asked last.
#[derive(Clone, Default)]
struct Waits(Arc<Mutex<Vec<f64>>>);

impl Waits {
    fn add(&self, taken: Duration) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(taken.as_secs_f64() * 1e3);
    }

    /// The shortest first.
    fn take(&self) -> Vec<f64> {
        let mut taken = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        taken.sort_by(f64::total_cmp);
        taken
    }
}

/// Of waits, the shortest first.
fn quantile(sorted: &[f64], part: f64) -> Option<f64> {
    let place = (sorted.len() as f64 * part).ceil() as usize;
    sorted.get(place.saturating_sub(1)).copied()
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await?
}

/// Runs it all, writes the report, and says whether the second half was flat. `program serve ...` is `wayside serve ...`.
pub fn run(program: &Path, plan: &Plan, out: &mut impl Write) -> Result<bool> {
    Runtime::new()?.block_on(soak(program, plan, out))
}

async fn soak(program: &Path, plan: &Plan, out: &mut impl Write) -> Result<bool> {
    writeln!(out, "seed {}", plan.seed)?;
    let dir = tempfile::tempdir()?;
    let data = dir.path().join("base");
    let (program, at) = (program.to_owned(), data.clone());
    let mut served = blocking(move || Served::start(&program, &at)).await?;
    let admin = Arc::new(Base::open(&data, Clock::default())?);
    writeln!(out, "enrolling {} tablets", plan.tablets)?;
    let tablets = Tablets::enrolled(&admin, &served.url, dir.path(), plan).await?;

    let (over, until) = watch::channel(false);
    let working = tablets.work(plan, &until);
    let reading = Coordinators::start(&admin, served.pages, plan.coordinators, plan.seed)?;
    let mut sampler = Sampler::new(served.pid(), &data, tablets.waits.clone(), reading.waits.clone())?;
    let end = Instant::now() + plan.lasts;
    while Instant::now() < end {
        tokio::time::sleep(plan.every).await;
        let sample = sampler.look()?;
        ensure!(served.runs()?, "the server has ended: {}", served.said());
        writeln!(out, "{}", sample.line())?;
    }
    let read = blocking(move || reading.end()).await?;
    over.send_replace(true);
    let recorded = working.await?;
    tokio::time::timeout(PATIENCE, tablets.until_at_base()).await??;
    let shown = sampler.until_shown(PATIENCE).await?;
    ensure!(shown == recorded, "{recorded} contacts were recorded and {shown} are shown");
    let failed = tablets.end();
    blocking(move || served.stop()).await?;

    let samples = sampler.into_samples();
    let report = Report { plan, samples: &samples, recorded, pages: read.pages, failed, unread: read.failed };
    let path = report.write()?;
    for judged in report.judged() {
        writeln!(out, "{judged}")?;
    }
    writeln!(out, "{recorded} contacts, all of them on the pages; the report is {}", path.display())?;
    Ok(report.is_flat())
}
