//! What the sync costs, beside the least that it could cost, both measured in the same run.

mod bytes;
mod offered;
mod prepared;
pub mod server;
pub mod tablet;

use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::{Map, Value};
use wayside_client_core::{By, Key, Page, SyncReport, Tablet};
use wayside_server::{Running, Server, ServerConfig};

pub use offered::offered;

use crate::day::{self, TabletPlan};

const TEAM: &str = "Bench";
/// Other seeds than anything that a dictionary is ever trained on.
const SEED: u64 = 900_001;

/// One line of the table.
#[derive(Debug, Clone)]
pub struct Figure {
    pub what: String,
    pub value: f64,
    pub unit: &'static str,
    /// The least it could be, or the most, in the same unit.
    pub floor: f64,
    pub note: &'static str,
}

impl Figure {
    pub fn ratio(&self) -> f64 {
        self.value / self.floor
    }

    pub fn to_json(&self) -> Value {
        serde_json::json!({"what": self.what, "value": self.value, "unit": self.unit, "floor": self.floor,
                           "ratio": self.ratio()})
    }
}

/// A server and a team to sync with.
pub struct Bench {
    dir: tempfile::TempDir,
    server: Running,
}

impl Bench {
    pub async fn start() -> Result<Bench> {
        let dir = tempfile::tempdir()?;
        let data = dir.path().join("base");
        let server = Server::start(ServerConfig::local(&data)).await?;
        tokio::task::spawn_blocking(move || wayside_server::team_add(&data, TEAM)).await??;
        Ok(Bench { dir, server })
    }

    async fn tablet(&self, name: &str) -> Result<Tablet> {
        let data = self.dir.path().join("base");
        let code =
            tokio::task::spawn_blocking(move || wayside_server::enrol_code(&data, TEAM, None)).await??;
        let tablet = Tablet::open(&self.dir.path().join(name), &Key::from_bytes(rand::random()))?;
        tablet.enrol(&code, name).await?;
        let report = tablet.sync(|_| {}).await;
        ensure!(report.error.is_none(), "the first sync failed");
        Ok(tablet)
    }

    /// Bytes and exchanges: `contacts` up, the same down to a fresh tablet, and a reconnect with nothing new.
    pub async fn bytes(&self, contacts: usize) -> Result<Vec<Figure>> {
        let full = self.tablet(&format!("full-{contacts}")).await?;
        let before: Vec<Value> = full.list(None, Page::default())?;
        record(&full, contacts)?;
        let up = synced(full.sync(|_| {}).await)?;
        let floor = floor(&full, &before)? as f64;
        let fresh_before = self.dir.path().join(format!("fresh-{contacts}"));
        let down = self.cold_pull(&fresh_before).await?;
        let all = floor_of(full.list(None, Page::default())?)? as f64;
        let idle = synced(full.sync(|_| {}).await)?;
        ensure!(idle.exchanges == 1, "a reconnect with nothing new took {} exchanges", idle.exchanges);
        let parts = bytes::Parts::of(&self.dir.path().join("base/log.db"))?;
        let other = up.bytes_up.saturating_sub(parts.frames);
        let floor_is = "zstd -19 of the records as JSON lines";
        let figure = |what: &str, value: u64, unit, floor, note| Figure {
            what: format!("{what} ({contacts})"),
            value: value as f64,
            unit,
            floor,
            note,
        };
        Ok(vec![
            figure("new contacts up, both ways", up.bytes_up + up.bytes_down, "B", floor, floor_is),
            figure("  up", up.bytes_up, "B", floor, floor_is),
            figure("    changes", parts.frames, "B", floor, "the same: what share it is"),
            figure("      random bits of ids", parts.ids, "B", floor, "the same"),
            figure("      signatures", parts.signatures, "B", floor, "the same"),
            figure("    hello, seals, HTTP headers", other, "B", floor, "the same"),
            figure("  down: verdicts, state, HTTP headers", up.bytes_down, "B", floor, "the same"),
            figure("  exchanges", up.exchanges, "", 1.0, "one request"),
            figure("down to a fresh tablet, both ways", down.bytes_up + down.bytes_down, "B", all, floor_is),
            figure("  down", down.bytes_down, "B", all, floor_is),
            figure("  exchanges", down.exchanges, "", 1.0, "one request"),
            figure("reconnect, nothing new, up", idle.bytes_up, "B", 512.0, "promise 6: at most 512"),
            figure("reconnect, nothing new, down", idle.bytes_down, "B", 512.0, "promise 6: at most 512"),
            figure("reconnect, nothing new, round trips", idle.exchanges, "", 1.0, "one request"),
        ])
    }

    async fn cold_pull(&self, dir: &Path) -> Result<SyncReport> {
        let data = self.dir.path().join("base");
        let code =
            tokio::task::spawn_blocking(move || wayside_server::enrol_code(&data, TEAM, None)).await??;
        let tablet = Tablet::open(dir, &Key::from_bytes(rand::random()))?;
        tablet.enrol(&code, "fresh").await?;
        synced(tablet.sync(|_| {}).await)
    }

    pub async fn stop(self) -> Result<()> {
        Ok(self.server.shutdown().await?)
    }
}

fn record(tablet: &Tablet, contacts: usize) -> Result<()> {
    let plan = TabletPlan::new("bench", "Masjid Al-Noor", contacts);
    let date = "2026-11-20".parse()?;
    for i in 0..contacts {
        tablet.record(day::contact(SEED, date, &plan, i), &By::staff("nurse-01"))?;
    }
    Ok(())
}

fn synced(report: SyncReport) -> Result<SyncReport> {
    ensure!(report.error.is_none() && report.in_sync, "a sync failed: {:?}", report.error);
    Ok(report)
}

/// The least that the new records could cost: as JSON lines, ids in, derived values out, `zstd -19`, one POST.
fn floor(tablet: &Tablet, before: &[Value]) -> Result<usize> {
    let new = tablet.list(None, Page::default())?.into_iter().filter(|record| !before.contains(record));
    floor_of(new.collect())
}

fn floor_of(records: Vec<Value>) -> Result<usize> {
    let mut lines = String::new();
    for record in records {
        let Value::Object(mut object): Value = record else { continue };
        for derived in ["derived", "conflicts", "team"] {
            object.remove(derived);
        }
        lines.push_str(&Value::Object(object).to_string());
        lines.push('\n');
    }
    Ok(zstd::bulk::compress(lines.as_bytes(), 19).context("zstd")?.len())
}

/// What a record's JSON line is made of, for changes that no tablet made.
fn part(line: &Value, name: &str) -> Map<String, Value> {
    line.get(name).and_then(Value::as_object).cloned().unwrap_or_default()
}
