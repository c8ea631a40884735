//! What must not grow with what a tablet holds. `./tests/run --long` tries it with a hundred thousand records.
#![allow(clippy::unwrap_used)]

use wayside_client_core::{By, SyncReport, Tablet};
use wayside_server::{Server, ServerConfig};
use wayside_tests::{
    bench::{TEAM, exchanges::fill, party},
    seeds::seeds,
};

/// Records that the long run tries, and the quick one.
const LONG: usize = 100_000;
const QUICK: usize = 1_500;

async fn synced(tablet: &Tablet) -> SyncReport {
    let report = tablet.sync(|_| {}).await;
    assert!(report.error.is_none() && report.in_sync, "{report:?}");
    report
}

/// Promise 6 at any size: a reconnect with nothing new is one request, and costs what it costs with no records at all.
#[tokio::test(flavor = "multi_thread")]
async fn promise_6_a_reconnect_costs_the_same_whatever_is_held() {
    let records = if seeds(1).len() > 1 { LONG } else { QUICK };
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(ServerConfig::local(dir.path().join("base"))).await.unwrap();
    let base = server.base().clone();
    tokio::task::spawn_blocking(move || base.team_add(TEAM)).await.unwrap().unwrap();
    let url = server.url().to_owned();
    let tablet = party::enrolled(&server, &url, &dir.path().join("tablet")).await.unwrap();
    synced(&tablet).await;
    let empty = synced(&tablet).await;

    // A contact and a person each.
    let data = dir.path().join("base");
    let filled = tokio::task::spawn_blocking(move || fill(&data, records / 2)).await.unwrap().unwrap();
    assert_eq!((filled, synced(&tablet).await.pulled), (records, records as u64));
    synced(&tablet).await;
    let full = synced(&tablet).await;
    for (way, empty, full) in
        [("up", empty.bytes_up, full.bytes_up), ("down", empty.bytes_down, full.bytes_down)]
    {
        assert!(full <= 512, "{full} bytes {way}");
        // Numbers of records take a few bytes more.
        assert!(full <= empty + 8, "{way}: {full} bytes, {empty} with no records");
    }
    assert_eq!((empty.exchanges, full.exchanges), (1, 1));

    // What is new costs itself, and not a byte for what is there.
    let start = "2026-11-20T10:00:00Z";
    let line = serde_json::json!({
        "session": {"site": "Kirkgate Market", "date": "2026-11-20"},
        "contact": {"started_at": start, "age_band": "40-49"},
    });
    tablet.record(line, &By::staff("nurse-01")).unwrap();
    let one = synced(&tablet).await;
    assert!(one.exchanges == 1 && one.bytes_up + one.bytes_down < 3_000, "{one:?}");
    drop(tablet);
    server.shutdown().await.unwrap();
}
