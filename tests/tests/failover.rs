//! Servers and PostgreSQL fail under load, and the primary's machine is lost: nothing acknowledged is, and tablets go on by
//! themselves. One seed with 20 tablets; `WAYSIDE_TABLETS=200 WAYSIDE_SEEDS=10` is the drill of the long run.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

use wayside_tests::{
    failover::{Size, drill},
    postgres, programs, seeds,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_acknowledged_is_lost_and_no_number_is_skipped_when_servers_and_the_primary_fail() {
    if postgres::skipped() {
        return;
    }
    let many = std::env::var("WAYSIDE_SEEDS").is_ok();
    let tablets = std::env::var("WAYSIDE_TABLETS").ok().and_then(|text| text.parse().ok());
    let tablets = tablets.unwrap_or(if many { 200 } else { 20 });
    for seed in seeds::seeds(1).into_iter().take(10) {
        let size = Size { tablets, apart: 4 * tablets, faults: 6 };
        let report = drill(&programs!(), seed, size).await;
        let report = report.unwrap_or_else(|error| panic!("seed {seed}: {error:#}"));
        eprintln!("seed {seed}, {tablets} tablets: {report:?}");
        assert!(report.faults.values().sum::<usize>() > size.faults, "seed {seed}");
    }
}
