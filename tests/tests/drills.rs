//! What goes wrong with storage, and how it heals: a server restored from a backup, lost, or set back behind everybody's
//! back; a tablet set back to an older copy of itself, or copied to a second one. Real servers and tablets, and days
//! made up from a seed. In each drill no record and no edit is lost, everybody comes to hold the same, and staff are
//! told in a sentence.

#![allow(clippy::unwrap_used)]

use std::{collections::BTreeSet, fs, sync::Arc};

use rand::RngExt;
use wayside_client_core::ManualClock;
use wayside_server::backup;
use wayside_tests::{
    field::copy_dir,
    seeds,
    world::{Van, World},
};

/// A few in the normal run; up to 200, some forty minutes of them, when more are asked for.
fn few_seeds() -> impl Iterator<Item = u64> {
    seeds::seeds(2).into_iter().take(200)
}

/// The one alarm that a drill ends with.
fn only(code: &str) -> BTreeSet<String> {
    BTreeSet::from([code.to_owned()])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_restored_from_a_backup_of_an_hour_ago_is_refilled() {
    for seed in few_seeds() {
        let mut world = World::new(seed, 3).await;
        world.work(30).await;
        world.everybody_syncs().await;
        let shelf = world.dir.path().join("shelf");
        let made = backup::backup(world.server().base(), &shelf).unwrap();
        // An hour in which some sync and some do not, and one tablet is new.
        world.enrol().await;
        world.work(30).await;
        let synced = world.rng.random_range(0..3);
        world.sync(synced).await;
        world.pass(60);
        world.stop().await;
        world.move_keys();
        backup::restore(&made, &world.data, &world.clock()).unwrap();
        for at in 0..3 {
            world.record(at);
        }
        world.serve().await;
        world.work(10).await;
        world.nothing_is_lost().await;
        for van in &world.tablets[..3] {
            assert_eq!(van.times_told("server_restored"), 1, "seed {seed}: {}", van.name);
            assert_eq!(van.times_told("tablet_copied"), 0, "seed {seed}: {}", van.name);
            let notice = &van.tablet().status().unwrap().notices[0];
            assert!(notice.message.ends_with("nothing is lost."), "{}", notice.message);
        }
        assert_eq!(world.alarms(), only("server_restored"), "seed {seed}");
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_was_lost_starts_empty_and_is_refilled() {
    for seed in few_seeds() {
        let mut world = World::new(seed, 3).await;
        world.work(40).await;
        // What only the server and the tablets that pulled it hold.
        world.everybody_syncs().await;
        world.work(10).await;
        world.stop().await;
        world.move_keys();
        world.serve().await;
        world.work(10).await;
        world.nothing_is_lost().await;
        for van in &world.tablets {
            assert_eq!(van.times_told("server_restored"), 1, "seed {seed}: {}", van.name);
        }
        assert_eq!(world.alarms(), only("log_replaced"), "seed {seed}");
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_is_set_back_behind_everybodys_back_is_noticed_by_a_receipt() {
    for seed in few_seeds() {
        let mut world = World::new(seed, 3).await;
        world.work(20).await;
        world.everybody_syncs().await;
        world.stop().await;
        let copy = world.dir.path().join("copy.db");
        fs::copy(world.data.join("log.db"), &copy).unwrap();
        world.serve().await;
        world.record(0);
        world.work(20).await;
        world.everybody_syncs().await;
        world.stop().await;
        // Somebody puts the old file back. Nothing in the ledger tells.
        fs::copy(&copy, world.data.join("log.db")).unwrap();
        world.serve().await;
        assert_eq!(world.alarms(), BTreeSet::new(), "seed {seed}");
        if world.rng.random() {
            world.record(1);
            world.record(2);
        }
        world.nothing_is_lost().await;
        assert_eq!(world.alarms(), only("log_replaced"), "seed {seed}");
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tablet_set_back_to_an_old_copy_goes_on_and_forks_nothing() {
    for seed in few_seeds() {
        let mut world = World::new(seed, 2).await;
        world.work(20).await;
        world.everybody_syncs().await;
        world.tablets[0].tablet = None;
        let copy = world.dir.path().join("copy");
        copy_dir(&world.tablets[0].dir, &copy);
        world.open(0);
        world.record(0);
        world.work(20).await;
        world.everybody_syncs().await;
        let told_before = world.tablets[0].told.clone();
        assert!(told_before.is_empty(), "seed {seed}: {told_before:?}");
        // The old copy comes back, and work goes on with it.
        world.tablets[0].tablet = None;
        fs::remove_dir_all(&world.tablets[0].dir).unwrap();
        copy_dir(&copy, &world.tablets[0].dir);
        world.open(0);
        for _ in 0..3 {
            world.record(0);
            world.edit(0);
        }
        world.work(10).await;
        world.nothing_is_lost().await;
        assert_eq!(world.tablets[0].times_told("tablet_copied"), 1, "seed {seed}");
        assert_eq!(world.tablets[1].told, [""; 0], "seed {seed}");
        assert_eq!(world.alarms(), only("tablet_copied"), "seed {seed}");
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tablet_copied_to_a_second_one_records_on_both_and_nothing_is_lost() {
    for seed in few_seeds() {
        let mut world = World::new(seed, 2).await;
        world.work(20).await;
        world.everybody_syncs().await;
        world.record(0);
        world.tablets[0].tablet = None;
        let twin = Van {
            dir: world.dir.path().join("twin"),
            name: "twin".into(),
            tablet: None,
            clock: Arc::new(ManualClock::new(0)),
            told: Vec::new(),
            recorded: world.tablets[0].recorded,
        };
        copy_dir(&world.tablets[0].dir, &twin.dir);
        world.tablets.push(twin);
        world.open(0);
        world.open(2);
        for _ in 0..3 {
            for at in [0, 2] {
                world.record(at);
                world.edit(at);
                world.sync(at).await;
            }
        }
        world.work(20).await;
        world.nothing_is_lost().await;
        let told =
            world.tablets[0].times_told("tablet_copied") + world.tablets[2].times_told("tablet_copied");
        assert!(told > 0, "seed {seed}");
        assert_eq!(world.tablets[1].told, [""; 0], "seed {seed}");
        assert_eq!(world.alarms(), only("tablet_copied"), "seed {seed}");
        world.stop().await;
    }
}

/// The link of the tablets that refill a restored server is cut again and again.
#[tokio::test(flavor = "multi_thread")]
async fn a_refill_that_is_cut_at_any_byte_goes_on_and_loses_nothing() {
    let mut cuts = 0;
    for seed in few_seeds() {
        let mut world = World::new(seed, 2).await;
        world.work(20).await;
        world.everybody_syncs().await;
        let made = backup::backup(world.server().base(), &world.dir.path().join("shelf")).unwrap();
        world.work(40).await;
        world.everybody_syncs().await;
        world.stop().await;
        world.move_keys();
        backup::restore(&made, &world.data, &world.clock()).unwrap();
        world.serve().await;
        for at in 0..2 {
            world.record(at);
            for _ in 0..8 {
                // A handshake takes some 2,000 of them.
                let bytes = world.rng.random_range(1_500..16_000);
                if !world.cut_sync(at, bytes).await {
                    break;
                }
                cuts += 1;
            }
        }
        world.nothing_is_lost().await;
        for van in &world.tablets {
            assert_eq!(van.times_told("server_restored"), 1, "seed {seed}: {}", van.name);
        }
        assert_eq!(world.alarms(), only("server_restored"), "seed {seed}");
        world.stop().await;
    }
    assert!(cuts > 0);
}

/// What a repair costs follows what differs, not what is held.
#[tokio::test(flavor = "multi_thread")]
async fn a_repair_costs_what_was_lost() {
    let mut world = World::new(1, 2).await;
    for _ in 0..150 {
        world.record(0);
        world.pass(1);
    }
    world.everybody_syncs().await;
    let made = backup::backup(world.server().base(), &world.dir.path().join("shelf")).unwrap();
    for _ in 0..5 {
        world.record(0);
        world.pass(1);
    }
    let lost = world.sync(0).await.pushed;
    world.stop().await;
    world.move_keys();
    backup::restore(&made, &world.data, &world.clock()).unwrap();
    world.serve().await;
    // The one that holds what was lost gives it back; it is sent nothing.
    let report = world.sync(0).await;
    assert_eq!((report.pushed, report.pulled, report.in_sync), (lost, 0, true));
    assert!(report.bytes_down < 4_000 && report.bytes_up < 12_000, "{report:?}");
    // The one that lacks only this pulls it.
    let report = world.sync(1).await;
    assert_eq!((report.pushed, report.pulled, report.in_sync), (0, lost, true));
    assert!(report.bytes_down < 12_000 && report.bytes_up < 4_000, "{report:?}");
    world.stop().await;
}
