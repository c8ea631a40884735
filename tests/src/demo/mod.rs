//! The demo: one server, three tablets, a day without signal, and what comes of it. Everything in it
//! is the product itself: real files, real TLS, a link that is really cut.

mod live;
mod print;
mod story;

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};
use jiff::civil::Date;
use serde_json::Value;
use wayside_client_core::{By, Code, Key, Page, RecordId, SyncReport, Tablet};
use wayside_server::{
    Running, Server, ServerConfig,
    log::{team_by_name, touched},
    views::Views,
};

use crate::{
    day::{Day, DayPlan, TabletPlan},
    link::Link,
};

pub use live::Live;

/// What the demo is asked to do.
#[derive(Debug, Clone)]
pub struct DemoPlan {
    pub seed: u64,
    /// All tablets together.
    pub contacts: usize,
    pub date: Date,
}

/// The last line of `cargo demo -- --exit`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// Records on the tablets, each once: sites, sessions, people, contacts.
    pub recorded: usize,
    /// Of these, in the server's log with all their changes.
    pub on_server: usize,
    /// Of these, in what coordinators see.
    pub in_views: usize,
    /// Records with values that somebody must settle.
    pub conflicts: usize,
    pub bytes_up: u64,
    pub bytes_down: u64,
}

impl Summary {
    pub fn is_complete(&self) -> bool {
        self.recorded == self.on_server && self.recorded == self.in_views
    }

    pub fn to_json(&self) -> Value {
        serde_json::json!({
            "recorded": self.recorded, "on_server": self.on_server, "in_views": self.in_views,
            "conflicts": self.conflicts, "bytes_up": self.bytes_up, "bytes_down": self.bytes_down,
        })
    }
}

/// One simulated tablet with its own link to base.
pub struct DemoTablet {
    pub name: &'static str,
    pub staff: &'static str,
    pub tablet: Tablet,
    pub link: Link,
    day: Vec<Value>,
}

impl DemoTablet {
    fn by(&self) -> By {
        By::staff(self.staff)
    }
}

/// The demo as it runs.
pub struct Demo {
    plan: DemoPlan,
    pub data: PathBuf,
    pub server: Running,
    pub tablets: Vec<DemoTablet>,
    summary: Summary,
}

const TEAM: &str = "Leeds East outreach";
/// (name, staff, site, type of site, setting): two in one van, one in a mosque.
const TABLETS: [(&str, &str, &str, &str, &str); 3] = [
    ("Van, left", "nurse-01", "Harehills Lane car park", "car_park", "van"),
    ("Van, right", "nurse-02", "Harehills Lane car park", "car_park", "van"),
    ("Mosque", "volunteer-07", "Masjid Al-Noor", "mosque", "pop_up"),
];

impl Demo {
    /// Starts the server and enrols the tablets, each through a link of its own.
    pub async fn start(dir: &Path, plan: DemoPlan) -> Result<Demo> {
        let data = dir.join("base");
        let config = ServerConfig {
            name: TEAM.to_owned(),
            pages: Some("127.0.0.1:0".into()),
            ..ServerConfig::local(&data)
        };
        let server = Server::start(config).await.context("the server did not start")?;
        let at = data.clone();
        tokio::task::spawn_blocking(move || wayside_server::team_add(&at, TEAM)).await??;

        let each = plan.contacts / TABLETS.len();
        let extra = plan.contacts - each * TABLETS.len();
        let plans = TABLETS.iter().enumerate().map(|(i, (name, _, site, site_type, setting))| TabletPlan {
            name: (*name).to_owned(),
            site: (*site).to_owned(),
            site_type: (*site_type).to_owned(),
            setting: (*setting).to_owned(),
            contacts: each + usize::from(i < extra),
        });
        let day = Day::new(plan.seed, &DayPlan { date: plan.date, tablets: plans.collect() });

        let mut tablets = Vec::new();
        for ((name, staff, ..), day) in TABLETS.into_iter().zip(day.tablets) {
            let link = Link::up(server.addr).await?;
            let (data, url) = (data.clone(), link.url());
            let code =
                tokio::task::spawn_blocking(move || wayside_server::enrol_code(&data, TEAM, Some(&url)))
                    .await??;
            let tablet =
                Tablet::open(&dir.join(name.replace([' ', ','], "")), &Key::from_bytes(rand::random()))?;
            tablet.enrol(&code, name).await?;
            tablets.push(DemoTablet { name, staff, tablet, link, day: day.contacts });
        }
        Ok(Demo { plan, data, server, tablets, summary: Summary::default() })
    }

    fn tablet(&mut self, index: usize) -> Result<&mut DemoTablet> {
        self.tablets.get_mut(index).context("no such tablet")
    }

    /// Syncs every tablet at the same time, each with a bar of its own, until nothing is left to do.
    async fn sync_all(&mut self, bars: &print::Bars) -> Result<()> {
        // Twice: what the last tablet brought in, the first one fetches in the second round.
        for _ in 0..2 {
            let mut syncs = tokio::task::JoinSet::new();
            for (index, tablet) in self.tablets.iter().enumerate() {
                let (bar, tablet) = (bars.bar(index), tablet.tablet.clone());
                syncs.spawn(async move { tablet.sync(move |progress| print::show(&bar, &progress)).await });
            }
            while let Some(report) = syncs.join_next().await {
                self.count(&report?)?;
            }
        }
        bars.finish();
        Ok(())
    }

    fn count(&mut self, report: &SyncReport) -> Result<()> {
        self.summary.bytes_up += report.bytes_up;
        self.summary.bytes_down += report.bytes_down;
        let problem = report.error.as_ref().map(|error| error.message.clone());
        ensure!(problem.is_none(), "a tablet could not sync: {}", problem.unwrap_or_default());
        Ok(())
    }

    /// Looks at both ends: everything on the tablets must be in the log and in the views.
    pub async fn check(&mut self) -> Result<&Summary> {
        let mut recorded = BTreeSet::new();
        for tablet in &self.tablets {
            let status = tablet.tablet.status()?;
            ensure!(status.in_sync, "{} does not hold what base holds", tablet.name);
            for record in tablet.tablet.list(None, Page::default())? {
                let id = record.get("id").and_then(Value::as_str).unwrap_or_default();
                recorded.insert(id.parse::<RecordId>()?);
            }
        }
        let data = self.data.clone();
        let base = self.server.base().clone();
        let summary = tokio::task::spawn_blocking(move || -> Result<Summary> {
            let mut views = Views::open(&data)?;
            views.catch_up(&base.log)?;
            let mut summary = Summary { recorded: recorded.len(), ..Summary::default() };
            for record in views.list(None)? {
                let id: RecordId = record.get("id").and_then(Value::as_str).unwrap_or_default().parse()?;
                if !recorded.contains(&id) {
                    continue;
                }
                summary.in_views += 1;
                let conflicts = record.get("conflicts").and_then(Value::as_array);
                summary.conflicts += usize::from(conflicts.is_some_and(|conflicts| !conflicts.is_empty()));
            }
            // A tablet in sync has proved by fingerprint that base holds each of its changes.
            let held = base.log.read(|conn| {
                let team = team_by_name(conn, TEAM)?.ok_or(Code::TeamUnknown)?;
                Ok(touched(conn, team.n, 0, i64::MAX as usize)?.1.into_keys().collect())
            })?;
            summary.on_server = recorded.intersection(&held).count();
            Ok(summary)
        })
        .await??;
        self.summary =
            Summary { bytes_up: self.summary.bytes_up, bytes_down: self.summary.bytes_down, ..summary };
        Ok(&self.summary)
    }

    /// Where the server listens.
    pub fn addr(&self) -> SocketAddr {
        self.server.addr
    }

    pub async fn stop(self) -> Result<()> {
        Ok(self.server.shutdown().await?)
    }
}
