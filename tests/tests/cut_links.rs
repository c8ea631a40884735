//! A link that is cut after any number of bytes: nothing is lost, nothing is there twice, at most one frame is sent again,
//! and the sync after it finishes what was begun.
#![allow(clippy::unwrap_used)]

use wayside_tests::{cuts::CutLinks, seeds};

/// One frame or less: most of the bytes are those of the handshake, of hello and seal, of verdicts and state.
#[tokio::test(flavor = "multi_thread")]
async fn a_small_exchange_cut_at_any_byte_loses_and_doubles_nothing() {
    let mut world = CutLinks::new().await.unwrap();
    for seed in seeds::slow_seeds(30) {
        let (up, down) = world.cut_both_ways(seed, 1 + seed as usize % 6).await.unwrap();
        assert!(up <= 1 && down <= 1, "seed {seed}: {up} frames up and {down} down went twice");
        world.check().unwrap_or_else(|error| panic!("seed {seed}: {error}"));
    }
    assert!(world.cuts >= 15, "only {} syncs were cut", world.cuts);
    world.shutdown().await.unwrap();
}

/// Many frames each way.
#[tokio::test(flavor = "multi_thread")]
async fn a_large_exchange_cut_at_any_byte_sends_one_frame_again_at_most() {
    let mut world = CutLinks::new().await.unwrap();
    let mut cuts = 0;
    for seed in seeds::slow_seeds(5) {
        // Each sync that went well teaches them that the link is good.
        world.learn_that_links_are_bad().await.unwrap();
        cuts -= i64::from(world.cuts);
        let (up, down) = world.cut_both_ways(seed, 100).await.unwrap();
        assert!(up <= 1 && down <= 1, "seed {seed}: {up} frames up and {down} down went twice");
        world.check().unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        cuts += i64::from(world.cuts);
    }
    assert!(cuts >= 4, "only {cuts} syncs were cut");
    world.shutdown().await.unwrap();
}

/// As of a server that is too busy to begin to read what was cut before the tablet is there again.
#[tokio::test(flavor = "multi_thread")]
async fn what_arrives_after_the_tablet_has_come_again_costs_one_frame_at_most() {
    let mut world = CutLinks::new().await.unwrap();
    for seed in seeds::slow_seeds(3) {
        world.learn_that_links_are_bad().await.unwrap();
        let again = world.cut_and_arrive_late(seed).await.unwrap();
        assert!(again <= 1, "seed {seed}: {again} frames went twice");
        world.sync(1).await.unwrap();
        world.check().unwrap_or_else(|error| panic!("seed {seed}: {error}"));
    }
    world.shutdown().await.unwrap();
}
