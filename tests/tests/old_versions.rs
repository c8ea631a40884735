//! What an older version left behind, as it was: a server's data, a tablet's database, and requests on the wire. They were
//! made by the programs of protocol version 1 (`tests/old/version-1`): a tablet that fetched a record with fields of a
//! newer version, had a change refused, and then recorded a contact and edited that record without signal.
#![allow(clippy::unwrap_used)]

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use serde_json::json;
use tempfile::TempDir;
use wayside_client_core::{Key, Tablet};
use wayside_protocol::sync::{
    Frame,
    frame::{Changes, Item, Verdict, decode},
};
use wayside_server::{Base, Clock, Server, ServerConfig, backup, sync};
use wayside_tests::field::copy_dir;

const SEEN_BY_BOTH: &str = "01a2028a-1855-7783-aa20-05b49507a59c";
const RECORDED_ON_OLD: &str = "01a2028a-1add-7bee-9ca5-e9f5fdb26369";

fn old() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("old/version-1")
}

fn old_site() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    copy_dir(&old(), dir.path());
    dir
}

/// Promise 10, with a real old database: everything on it arrives, and what it did not know of survived there.
#[tokio::test(flavor = "multi_thread")]
async fn an_old_tablets_database_is_taken_over_with_all_that_waits_on_it() {
    let dir = old_site();
    let data = dir.path().join("base");
    let server = Server::start(ServerConfig::local(&data)).await.unwrap();
    let key = fs::read_to_string(dir.path().join("tablet.key")).unwrap();
    let key: [u8; 32] = data_encoding::HEXLOWER.decode(key.trim().as_bytes()).unwrap().try_into().unwrap();
    let tablet = Tablet::open(&dir.path().join("tablet"), &Key::from_bytes(key)).unwrap();
    assert_eq!((tablet.status().unwrap().waiting, tablet.status().unwrap().quarantined), (5, 1));
    // The server has another address here than it had then.
    let code = tokio::task::spawn_blocking(move || wayside_server::enrol_code(&data, "Leeds East", None));
    tablet.enrol(&code.await.unwrap().unwrap(), "old").await.unwrap();
    let report = tablet.sync(|_| {}).await;
    assert_eq!((report.error.clone(), report.accepted, report.quarantined), (None, 5, 0), "{report:?}");
    assert_eq!((tablet.status().unwrap().waiting, tablet.status().unwrap().quarantined), (0, 1));

    let fresh = Tablet::open(&dir.path().join("fresh"), &Key::from_bytes([3; 32])).unwrap();
    let data = dir.path().join("base");
    let code = tokio::task::spawn_blocking(move || wayside_server::enrol_code(&data, "Leeds East", None));
    fresh.enrol(&code.await.unwrap().unwrap(), "fresh").await.unwrap();
    assert!(fresh.sync(|_| {}).await.in_sync);
    for tablet in [&tablet, &fresh] {
        let shown = tablet.show(SEEN_BY_BOTH.parse().unwrap()).unwrap().json;
        assert_eq!(shown["oxygen"], json!({"saturation": 97, "probe": {"finger": "left"}}));
        let reading = shown["bp"]["readings"].as_object().unwrap().values().next().unwrap();
        assert_eq!(reading["cuff_pressure_curve"], json!([1, 2, 3]));
        assert_eq!(shown["satisfaction"], 4, "what the old tablet added");
        let recorded = tablet.show(RECORDED_ON_OLD.parse().unwrap()).unwrap().json;
        assert_eq!(recorded["started_at"], "2026-11-21T10:05:00Z");
    }
    server.shutdown().await.unwrap();
    // A backup computes each team's fingerprint from its changes.
    tokio::task::block_in_place(|| {
        let base = Base::open(&dir.path().join("base"), Clock::default()).unwrap();
        backup::backup(&base, &dir.path().join("shelf")).unwrap();
    });
}

fn body(name: &str) -> Vec<u8> {
    fs::read(old().join("frames").join(name)).unwrap()
}

fn hashes(frames: &[Frame]) -> Vec<Vec<u8>> {
    let changes = frames.iter().filter_map(|frame| match frame {
        Frame::Changes(Changes { lists, .. }) => Some(lists.iter().flat_map(|list| &list.items)),
        _ => None,
    });
    let raws = changes.flatten().filter_map(|item| match item {
        Item::Body { raw, .. } => Some(raw.clone()),
        Item::Absent { .. } => None,
    });
    raws.collect()
}

/// Requests as they went over the wire then, answered in a way that a program of then understands.
#[test]
fn recorded_requests_of_an_old_tablet_are_answered_in_its_own_words() {
    for (name, verdicts) in [("newer-first", 4), ("old-first", 0), ("old-push", 2)] {
        let request = body(&format!("{name}.request"));
        let recorded = decode(&body(&format!("{name}.answer"))).unwrap();
        let Some(Frame::Hello(hello)) = decode(&request).unwrap().into_iter().next() else {
            panic!("no hello")
        };
        let dir = old_site();
        let time = hello.time_ms;
        let base = Arc::new(Base::open(&dir.path().join("base"), Clock::new(move || time)).unwrap());
        let answer = sync::exchange(&base, &request).unwrap();
        // Plain or zstd without a dictionary, and no type that version 1 does not have.
        let frames = decode(&answer).unwrap();
        assert!(
            frames
                .iter()
                .all(|frame| matches!(frame, Frame::Verdicts(_) | Frame::Changes(_) | Frame::State(_))),
            "{name}"
        );
        assert!(answer[1] <= 1, "{name}: encoding {}", answer[1]);
        let given = frames.iter().filter_map(|frame| match frame {
            Frame::Verdicts(frame) => Some(&frame.verdicts),
            _ => None,
        });
        let given: Vec<&Verdict> = given.flatten().collect();
        assert_eq!(given.len(), verdicts, "{name}");
        // It was sent these then, and is sent at least these now.
        let now = hashes(&frames);
        assert!(hashes(&recorded).iter().all(|raw| now.contains(raw)), "{name}");
        assert!(matches!(frames.last(), Some(Frame::State(_))));
    }
}
