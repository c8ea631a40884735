//! A link that is cut after any number of bytes: nothing is lost, nothing is there twice, and the sync
//! after it finishes what was begun.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::Value;
use wayside_client_core::{By, Key, Kind, Page, Tablet};
use wayside_server::{Server, ServerConfig};
use wayside_tests::{
    day::{self, TabletPlan},
    link::Link,
    seeds,
};

const TEAM: &str = "Leeds East";

fn contacts(tablet: &Tablet) -> BTreeSet<String> {
    let records = tablet.list(Some(Kind::Contact), Page::default()).unwrap();
    records.iter().map(|record| record["id"].as_str().unwrap().to_owned()).collect()
}

async fn enrolled(dir: &std::path::Path, name: &str, link: &Link) -> Tablet {
    let (data, url) = (dir.join("base"), link.url());
    let code = tokio::task::spawn_blocking(move || wayside_server::enrol_code(&data, TEAM, Some(&url)));
    let tablet = Tablet::open(&dir.join(name), &Key::from_bytes([3; 32])).unwrap();
    tablet.enrol(&code.await.unwrap().unwrap(), name).await.unwrap();
    tablet
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_cut_at_any_byte_loses_and_doubles_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(ServerConfig::local(dir.path().join("base"))).await.unwrap();
    let data = dir.path().join("base");
    tokio::task::spawn_blocking(move || wayside_server::team_add(&data, TEAM)).await.unwrap().unwrap();
    let mut link = Link::up(server.addr).await.unwrap();
    let left = enrolled(dir.path(), "left", &link).await;
    let right = enrolled(dir.path(), "right", &link).await;
    let plan = TabletPlan::new("left", "Kirkgate car park", 10_000);
    let (mut recorded, mut cuts) = (0, 0);
    for seed in seeds::slow_seeds(40) {
        let mut rng = StdRng::seed_from_u64(seed);
        let (pushing, pulling) = if rng.random() { (&left, &right) } else { (&right, &left) };
        for _ in 0..rng.random_range(1..8) {
            let line = day::contact(seed, "2026-11-20".parse().unwrap(), &plan, recorded);
            pushing.record(line, &By::staff("nurse-01")).unwrap();
            recorded += 1;
        }
        for tablet in [pushing, pulling] {
            // The TLS handshake is some 2 kB, so most of these fall into the exchange itself.
            link.cut_after(rng.random_range(0..9_000));
            let report = tablet.sync(|_| {}).await;
            cuts += u32::from(report.error.is_some());
            assert!(report.error.as_ref().is_none_or(|error| error.retry), "seed {seed}: {:?}", report.error);
            let status = tablet.status().unwrap();
            assert!(!(report.error.is_some() && report.in_sync), "seed {seed}: cut, and said to be in sync");
            assert_eq!(status.quarantined, 0, "seed {seed}");
            link.restore().await.unwrap();
        }
        for tablet in [pushing, pulling, pushing] {
            let report = tablet.sync(|_| {}).await;
            assert!(report.error.is_none() && report.in_sync, "seed {seed}: {report:?}");
        }
        assert_eq!(contacts(&left).len(), recorded, "seed {seed}");
        assert_eq!(contacts(&left), contacts(&right), "seed {seed}");
        let both = |tablet: &Tablet| -> Vec<Value> {
            let mut all = tablet.list(None, Page::default()).unwrap();
            all.sort_by_key(|record| record["id"].to_string());
            all
        };
        assert_eq!(both(&left), both(&right), "seed {seed}: every record the same on both");
    }
    assert!(cuts >= 20, "only {cuts} syncs were cut");
    server.shutdown().await.unwrap();
}
