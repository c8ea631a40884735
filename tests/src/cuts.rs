//! A base and two tablets on links that are cut at a byte of one's choice.

use std::{collections::BTreeSet, path::Path};

use anyhow::{Context, Result, ensure};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::Value;
use tempfile::TempDir;
use wayside_client_core::{By, Key, Kind, Page, SyncReport, Tablet};
use wayside_server::{Running, Server, ServerConfig};

use crate::{
    day::{self, TabletPlan},
    link::Link,
};

const TEAM: &str = "Leeds East";
/// A TLS handshake takes some of the bytes before a cut, and what is below this can fall into it.
const HANDSHAKE: u64 = 2_000;

/// One base, two tablets, a link to each.
pub struct CutLinks {
    _dir: TempDir,
    server: Running,
    links: [Link; 2],
    pub tablets: [Tablet; 2],
    plan: TabletPlan,
    pub recorded: usize,
    /// Syncs that ended early.
    pub cuts: u32,
}

impl CutLinks {
    pub async fn new() -> Result<CutLinks> {
        let dir = tempfile::tempdir()?;
        let data = dir.path().join("base");
        let server = Server::start(ServerConfig::local(&data)).await?;
        let adding = data.clone();
        tokio::task::spawn_blocking(move || wayside_server::team_add(&adding, TEAM)).await??;
        let links = [Link::up(server.addr).await?, Link::up(server.addr).await?];
        let left = enrolled(dir.path(), "left", &links[0]).await?;
        let right = enrolled(dir.path(), "right", &links[1]).await?;
        let plan = TabletPlan::new("left", "Kirkgate car park", 100_000);
        Ok(CutLinks { _dir: dir, server, links, tablets: [left, right], plan, recorded: 0, cuts: 0 })
    }

    pub fn record(&mut self, tablet: usize, count: usize) -> Result<()> {
        for _ in 0..count {
            let line = day::contact(7, "2026-11-20".parse()?, &self.plan, self.recorded);
            self.tablets[tablet].record(line, &By::staff("nurse-01"))?;
            self.recorded += 1;
        }
        Ok(())
    }

    /// A sync whose link is cut after so many bytes, both ways together, and comes back afterwards.
    pub async fn cut_sync(&mut self, tablet: usize, bytes: u64) -> Result<SyncReport> {
        self.links[tablet].cut_after(bytes);
        let report = self.tablets[tablet].sync(|_| {}).await;
        self.links[tablet].restore().await?;
        self.cuts += u32::from(report.error.is_some());
        if let Some(error) = &report.error {
            ensure!(error.retry, "a cut is nothing final: {error:?}");
            ensure!(!report.in_sync, "cut, and said to be in sync");
        }
        Ok(report)
    }

    /// A sync over a link that holds.
    pub async fn sync(&self, tablet: usize) -> Result<SyncReport> {
        let report = self.tablets[tablet].sync(|_| {}).await;
        ensure!(report.error.is_none() && report.in_sync, "{report:?}");
        Ok(report)
    }

    /// Cuts both links until the tablets send and ask for small frames.
    pub async fn learn_that_links_are_bad(&mut self) -> Result<()> {
        for tablet in [0, 1] {
            let mut cut = 0;
            for tried in 0.. {
                ensure!(tried < 60, "only {cut} of {tried} syncs were cut in the middle");
                let report = self.cut_sync(tablet, 700 + 50 * tried).await?;
                cut += u32::from(report.error.is_some_and(|error| error.code == "link_cut"));
                if cut == 5 {
                    break;
                }
            }
            self.sync(tablet).await?;
        }
        Ok(())
    }

    /// One tablet records and sends over a link that is cut, then the other fetches over one that is cut. How many
    /// frames went up twice, and came down twice.
    pub async fn cut_both_ways(&mut self, seed: u64, contacts: usize) -> Result<(u64, u64)> {
        let mut rng = StdRng::seed_from_u64(seed);
        let (from, to) = if rng.random() { (0, 1) } else { (1, 0) };
        self.record(from, contacts)?;
        let before = self.server.base().frames_sent_again();
        // A contact is some 200 bytes on the wire in frames as small as these.
        let reach = HANDSHAKE + 1_000 + 180 * contacts as u64;
        // Late cuts leave most behind them; early ones fall into the head.
        let late = |rng: &mut StdRng| match rng.random_range(0..3) {
            0 => rng.random_range(0..reach),
            _ => rng.random_range(reach / 2..reach),
        };
        let (cut_up, cut_down) = (late(&mut rng), late(&mut rng));
        self.cut_sync(from, cut_up).await?;
        self.sync(from).await?;
        let up = self.server.base().frames_sent_again() - before;
        let cut = self.cut_sync(to, cut_down).await?;
        let down = cut.frames_again + self.sync(to).await?.frames_again;
        self.sync(from).await?;
        Ok((up, down))
    }

    /// One tablet records and sends over a link that is cut, and comes again before the server has read any of it. How
    /// many frames went up twice, when all has arrived.
    pub async fn cut_and_arrive_late(&mut self, seed: u64) -> Result<u64> {
        let mut rng = StdRng::seed_from_u64(seed);
        self.record(0, 300)?;
        let before = self.server.base().frames_sent_again();
        // What TLS carries in one piece is 16 KB, and these many contacts are more than 25.
        self.links[0].cut_late(rng.random_range(17_500..25_000));
        let cut = self.tablets[0].sync(|_| {}).await;
        ensure!(cut.error.is_some_and(|error| error.code == "link_cut"), "cut in the middle");
        self.links[0].hold();
        self.sync(0).await?;
        self.links[0].let_arrive().await;
        Ok(self.server.base().frames_sent_again() - before)
    }

    /// Everything that was recorded is on both tablets and at base, once each, and nothing waits.
    pub fn check(&self) -> Result<()> {
        let all = |tablet: &Tablet| -> Result<Vec<Value>> {
            let mut all = tablet.list(None, Page::default())?;
            all.sort_by_key(|record| record["id"].to_string());
            Ok(all)
        };
        let [left, right] = &self.tablets;
        ensure!(all(left)? == all(right)?, "every record is the same on both");
        for tablet in &self.tablets {
            let contacts = tablet.list(Some(Kind::Contact), Page::default())?;
            let ids: BTreeSet<String> = contacts.iter().map(|contact| contact["id"].to_string()).collect();
            ensure!(
                (ids.len(), contacts.len()) == (self.recorded, self.recorded),
                "each contact is there once"
            );
            let status = tablet.status()?;
            ensure!((status.waiting, status.quarantined) == (0, 0), "{status:?}");
        }
        Ok(())
    }

    pub async fn shutdown(self) -> Result<()> {
        Ok(self.server.shutdown().await?)
    }
}

async fn enrolled(dir: &Path, name: &str, link: &Link) -> Result<Tablet> {
    let (data, url) = (dir.join("base"), link.url());
    let code = tokio::task::spawn_blocking(move || wayside_server::enrol_code(&data, TEAM, Some(&url)));
    let tablet = Tablet::open(&dir.join(name), &Key::from_bytes([3; 32]))?;
    tablet.enrol(&code.await??, name).await.context("enrolment")?;
    Ok(tablet)
}
