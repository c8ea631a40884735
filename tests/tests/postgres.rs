//! The PostgreSQL that other tests run on does what it is told.

use std::path::Path;

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
    assert!(pids.iter().all(|pid| !Path::new(&format!("/proc/{pid}")).exists()));
    Ok(())
}
