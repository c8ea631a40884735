//! In signal: what one tablet records is on the other a moment later, without anybody asking for it.
#![allow(clippy::unwrap_used)]

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::{sync::watch, task::JoinHandle, time::timeout};
use wayside_client_core::{By, Key, RecordId, Tablet};
use wayside_server::{Server, ServerConfig};

const TEAM: &str = "Leeds East";

struct Van {
    tablet: Tablet,
    /// Changes with each sync that ended.
    synced: watch::Receiver<u64>,
    task: JoinHandle<()>,
}

async fn van(dir: &std::path::Path, name: &str) -> Van {
    let data = dir.join("base");
    let code = tokio::task::spawn_blocking(move || wayside_server::enrol_code(&data, TEAM, None));
    let tablet = Tablet::open(&dir.join(name), &Key::from_bytes([3; 32])).unwrap();
    tablet.enrol(&code.await.unwrap().unwrap(), name).await.unwrap();
    let (sender, synced) = watch::channel(0);
    let inside = tablet.clone();
    let task = tokio::spawn(async move {
        inside
            .live(
                |_| {},
                move |report| {
                    assert!(report.error.is_none(), "{report:?}");
                    sender.send_modify(|syncs| *syncs += 1);
                },
            )
            .await;
    });
    Van { tablet, synced, task }
}

impl Van {
    async fn holds(&mut self, contact: RecordId) {
        while self.tablet.show(contact).is_err() {
            self.synced.changed().await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tablets_in_signal_see_each_others_contacts_within_a_second() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(ServerConfig::local(dir.path().join("base"))).await.unwrap();
    let data = dir.path().join("base");
    tokio::task::spawn_blocking(move || wayside_server::team_add(&data, TEAM)).await.unwrap().unwrap();
    let (mut left, mut right) = (van(dir.path(), "left").await, van(dir.path(), "right").await);
    for van in [&mut left, &mut right] {
        van.synced.wait_for(|syncs| *syncs > 0).await.unwrap();
    }
    for turn in 0..6 {
        let (from, to) = if turn % 2 == 0 { (&left, &mut right) } else { (&right, &mut left) };
        let line = json!({
            "session": {"site": "Masjid Al-Noor", "date": "2026-11-20"}, "person": null,
            "contact": {"started_at": format!("2026-11-20T13:0{turn}:00Z")}
        });
        let recorded_at = Instant::now();
        let contact = from.tablet.record(line, &By::staff("nurse-01")).unwrap().contact;
        timeout(Duration::from_secs(20), to.holds(contact)).await.unwrap();
        let taken = recorded_at.elapsed();
        assert!(taken < Duration::from_secs(1), "turn {turn}: {taken:?}");
    }
    // The server ends although both wait for news.
    left.task.abort();
    let ending = Instant::now();
    server.shutdown().await.unwrap();
    assert!(ending.elapsed() < Duration::from_secs(10));
    right.task.abort();
}
