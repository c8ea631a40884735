//! A link that is cut after any number of bytes: nothing is lost, nothing is there twice, about one frame is sent again,
//! and the sync after it finishes what was begun.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

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
async fn a_large_exchange_cut_at_any_byte_sends_a_frame_a_cut_again_at_most() {
    let mut world = CutLinks::new().await.unwrap();
    let mut cuts = 0;
    // Over all cuts: a tablet that is back before the server has begun to read what it had sent may send a few
    // frames again after one of them (promise 7).
    let mut again = 0;
    for seed in seeds::slow_seeds(5) {
        // Each sync that went well teaches them that the link is good.
        world.learn_that_links_are_bad().await.unwrap();
        cuts -= i64::from(world.cuts);
        let (up, down) = world.cut_both_ways(seed, 100).await.unwrap();
        println!("seed {seed}: {up} frames up and {down} down went twice");
        again += i64::try_from(up.max(down)).unwrap();
        world.check().unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        cuts += i64::from(world.cuts);
    }
    assert!(cuts >= 4, "only {cuts} syncs were cut");
    assert!(again <= cuts, "{again} frames went again for {cuts} cuts");
    world.shutdown().await.unwrap();
}
