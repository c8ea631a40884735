//! The PostgreSQL that other tests run on does what it is told.

use std::{
    fs,
    time::{Duration, Instant},
};

use anyhow::Result;
use wayside_tests::postgres::{Postgres, is_stopped, skipped};

#[test]
fn what_was_committed_is_on_the_promoted_standby_and_nothing_is_left_behind() -> Result<()> {
    if skipped() {
        return Ok(());
    }
    let mut primary = Postgres::start()?;
    assert_eq!(primary.sql("postgres", "SHOW fsync")?, "on");
    primary.create("kept")?;
    let standby = primary.synchronous_standby()?;
    primary.sql("kept", "CREATE TABLE t (n BIGINT); INSERT INTO t SELECT generate_series(1, 100)")?;
    primary.kill()?;
    assert!(primary.sql("kept", "SELECT 1").is_err(), "gone");
    standby.promote()?;
    assert_eq!(standby.sql("kept", "INSERT INTO t VALUES (101); SELECT count(*) FROM t")?, "101");

    // The killed one comes back as it was; paused, none of its processes moves until it goes on.
    primary.run()?;
    primary.pause();
    let paused = primary.processes();
    assert!(paused.len() > 3 && paused.into_iter().all(is_stopped));
    primary.resume();
    assert_eq!(primary.sql("kept", "SELECT count(*) FROM t")?, "100");

    let (dirs, pids) = ([primary.data(), standby.data()], standby.processes());
    drop((primary, standby));
    assert!(dirs.iter().all(|dir| !dir.exists()));
    // Whoever takes in their ends may be slow.
    let begun = Instant::now();
    while !pids.iter().all(|pid| has_ended(*pid)) {
        assert!(begun.elapsed() < Duration::from_secs(60), "they go on");
        std::thread::yield_now();
    }
    Ok(())
}

/// Whether a process is no more, or is but a number that nobody has taken back yet.
fn has_ended(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"));
    stat.map_or(true, |stat| stat.contains(") Z "))
}
