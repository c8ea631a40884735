//! After the day: two links, a tablet of one's own with a *No signal* switch that cuts a real link, and
//! tablets that go on seeing people.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context, Result};
use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use serde_json::{Value, json};
use tokio::{sync::watch, task::JoinSet};
use wayside_client_core::{By, Key, Tablet};
use wayside_server::accounts::{self, Role};
use wayside_tablet::ui;

use super::{Demo, TABLETS, TEAM};
use crate::{
    day::{self, TabletPlan},
    link::Link,
};

/// Somebody comes to one of the simulated tablets this often.
const EVERY: Duration = Duration::from_secs(7);

/// The demo's pages, served until it is dropped.
pub struct Live {
    /// The tablet's page.
    pub tablet_url: String,
    /// Signs in once, as a coordinator.
    pub coordinator_url: String,
    /// Where the tablet finds base while there is a signal.
    pub link: SocketAddr,
    page: ui::Running,
    tasks: JoinSet<()>,
}

impl Demo {
    /// Enrols one more tablet and serves its page; makes an account and a link that signs in once. With `visitors`
    /// the simulated tablets go on seeing people.
    pub async fn go_live(&self, visitors: bool) -> Result<Live> {
        let link = Link::up(self.server.addr).await?;
        let (data, url, at) = (self.data.clone(), link.url(), link.addr());
        let code = tokio::task::spawn_blocking(move || wayside_server::enrol_code(&data, TEAM, Some(&url)))
            .await??;
        let dir = self.data.with_file_name("yours");
        let tablet = Tablet::open(&dir, &Key::from_bytes(rand::random()))?;
        tablet.enrol(&code, "Yours").await?;
        let report = tablet.sync(|_| {}).await;
        anyhow::ensure!(report.error.is_none(), "the first sync of your tablet failed");

        let (signal, signals) = watch::channel(true);
        let options =
            ui::UiOptions { staff: Some("you".into()), signal: Some(signal), ..ui::UiOptions::default() };
        let page = ui::serve(tablet, options).await?;
        let mut tasks = JoinSet::new();
        tasks.spawn(switch(link, signals));
        if visitors {
            tasks.spawn(see_people(
                self.plan.seed,
                self.tablets.iter().map(|t| (t.tablet.clone(), t.by())).collect(),
            ));
        }
        Ok(Live {
            tablet_url: page.url.clone(),
            coordinator_url: self.sign_in("coordinator").await?,
            link: at,
            page,
            tasks,
        })
    }

    /// Makes an account with a password that nobody knows, and a link that signs it in once.
    pub async fn sign_in(&self, name: &str) -> Result<String> {
        let (base, url, name) = (self.server.base().clone(), self.server.pages_url(), name.to_owned());
        let made = tokio::task::spawn_blocking(move || {
            let password: String = (0..4).map(|_| format!("{:016x}", rand::random::<u64>())).collect();
            accounts::add(&base, &name, Role::Coordinator, &password)?;
            accounts::sign_in_link(&base, &name, &url)
        });
        made.await?.context("no account")
    }
}

impl Live {
    pub async fn stop(mut self) {
        self.tasks.shutdown().await;
        self.page.shutdown().await;
    }
}

/// The page's switch cuts and restores the link.
async fn switch(mut link: Link, mut signals: watch::Receiver<bool>) {
    while signals.changed().await.is_ok() {
        let on = *signals.borrow_and_update();
        if !on {
            link.cut().await;
        } else if link.restore().await.is_err() {
            // Somebody took the port meanwhile: there is no way back to base, and the page says so.
            continue;
        }
    }
}

/// People come to the simulated tablets, one after the other, and each is synced at once.
async fn see_people(seed: u64, tablets: Vec<(Tablet, By)>) {
    let mut clock = tokio::time::interval(EVERY);
    for i in 0.. {
        for (index, (tablet, by)) in tablets.iter().enumerate() {
            clock.tick().await;
            let Some((name, _, site, site_type, setting)) = TABLETS.get(index).copied() else { continue };
            let plan = TabletPlan {
                name: format!("{name}, later"),
                site: site.to_owned(),
                site_type: site_type.to_owned(),
                setting: setting.to_owned(),
                contacts: usize::MAX,
            };
            let today = Timestamp::now().to_zoned(TimeZone::UTC).date();
            let line = now(day::contact(seed, today, &plan, i + 1), &today.to_string());
            let (recording, by) = (tablet.clone(), by.clone());
            // A demo goes on when one simulated visitor could not be recorded.
            let _ = tokio::task::spawn_blocking(move || recording.record(line, &by)).await;
            tablet.sync(|_| {}).await;
        }
    }
}

/// Moves everything that a line says happened so that the contact begins now.
fn now(mut line: Value, today: &str) -> Value {
    let started = line.pointer("/contact/started_at").and_then(Value::as_str);
    if let Some(started) = started.and_then(|text| text.parse::<Timestamp>().ok()) {
        let by = Timestamp::now().duration_since(started);
        shift(&mut line, SignedDuration::from_secs(by.as_secs()));
    }
    line["session"] = json!({"site": line["session"]["site"], "date": today});
    line
}

fn shift(value: &mut Value, by: SignedDuration) {
    match value {
        Value::String(text) => {
            if let Ok(time) = text.parse::<Timestamp>() {
                *text = time.saturating_add(by).unwrap_or(time).to_string();
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| shift(item, by)),
        Value::Object(members) => members.values_mut().for_each(|member| shift(member, by)),
        _ => {}
    }
}
