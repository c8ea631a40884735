//! Limits so tight that honest tablets meet them all the time: nothing is lost, and everything arrives later.
#![allow(clippy::unwrap_used)]

use rand::RngExt;
use wayside_server::limits::{Limit, Pace, Settings};
use wayside_tests::{seeds::seeds, world::World};

/// Some that no fleet gets along with: in a test no minute passes.
fn harsh(world: &mut World) -> Settings {
    let mut pace = |most| Pace { burst: world.rng.random_range(1..most), per_minute: 1 };
    let (tablet, address) = (pace(5), pace(9));
    Settings { tablet, address, ..Settings::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_for_now_arrives_later() {
    let (mut refused, mut served) = (0, 0);
    for seed in seeds(4) {
        let mut world = World::new(seed, 3).await;
        for _ in 0..60 {
            let at = world.rng.random_range(0..world.tablets.len());
            match world.rng.random_range(0..8) {
                0 => {
                    let settings = harsh(&mut world);
                    world.server().base().limits.set(settings);
                }
                1 | 2 => world.record(at),
                3 => world.edit(at),
                _ => {
                    let report = world.tablets[at].tablet().sync(|_| {}).await;
                    match &report.error {
                        None => served += 1,
                        Some(error) => {
                            assert_eq!(error.code, "rate_limited", "seed {seed}");
                            assert!(error.retry && report.retry_after > Some(0), "seed {seed}: {report:?}");
                            assert!(!report.in_sync, "seed {seed}");
                            refused += 1;
                        }
                    }
                }
            }
            world.pass(1);
        }
        let counted = world.server().base().limits.counts();
        world.server().base().limits.set(Settings::default());
        world.nothing_is_lost().await;
        let met = counted.of(Limit::AddressRate) + counted.of(Limit::TabletRate);
        let after = world.server().base().limits.counts();
        assert_eq!(
            after.of(Limit::AddressRate) + after.of(Limit::TabletRate),
            met,
            "seed {seed}: then no more"
        );
    }
    assert!(refused > 20 && served > 20, "{refused} refused, {served} not");
}
