//! Servers one version apart over one PostgreSQL: the newer one widens the schema while the older one serves, and only a later
//! version takes away what nobody uses any more. No older schema was ever released, so the newer server is played by SQL.
#![allow(clippy::unwrap_used)]

use anyhow::Result;
use wayside_client_core::{By, Key, Tablet};
use wayside_tests::{
    field::{copy_dir, lines},
    nodes::{Databases, Nodes, base_over},
    postgres::{Postgres, skipped},
    programs,
};

/// As a migration of the next version might be: columns and tables of which this version knows nothing.
const WIDER: &str = "
    ALTER TABLE log ADD COLUMN later TEXT;
    ALTER TABLE record ADD COLUMN later BIGINT NOT NULL DEFAULT 0;
    ALTER TABLE team ADD COLUMN later BYTEA;
    CREATE TABLE later (n BIGINT PRIMARY KEY);
    UPDATE wayside_schema SET version = version + 1 WHERE part = 'log'";
/// As one of the version after that: what runs must not be older than that.
const NARROWER: &str = "UPDATE wayside_schema SET oldest = version, version = version + 1 WHERE part = 'log'";

#[test]
fn a_server_works_on_a_wider_schema_and_does_not_start_on_one_that_left_it_behind() -> Result<()> {
    if skipped() {
        return Ok(());
    }
    // What is done at base blocks.
    let runtime = tokio::runtime::Runtime::new()?;
    let dir = tempfile::tempdir()?;
    let postgres = Postgres::start()?;
    postgres.create("log")?;
    postgres.create("ledger")?;
    let (log, ledger) = (postgres.url("log"), postgres.url("ledger"));
    let databases = Databases::at(dir.path(), &log, &ledger)?;
    let mut nodes = Nodes::new(&programs!().server, dir.path(), &[databases.clone(), databases])?;
    nodes.start()?;
    copy_dir(&dir.path().join("base/keys"), &dir.path().join("admin/keys"));
    let base = base_over(&dir.path().join("admin"), &log, &ledger)?;
    base.team_add("Leeds East")?;
    let url = format!("https://{}", nodes.address());
    let mut tablets = Vec::new();
    for name in ["left", "right"] {
        let tablet = Tablet::open(&dir.path().join(name), &Key::from_bytes([7; 32]))?;
        runtime.block_on(tablet.enrol(&base.enrol_code("Leeds East", Some(&url))?.to_text(), name))?;
        tablets.push(tablet);
    }
    let mut recorded = lines(1, "left", 40).into_iter();
    // Syncs go to one server and the other in turn.
    let mut all_agree = || -> Result<()> {
        for _ in 0..4 {
            tablets[0].record(recorded.next().unwrap(), &By::staff("nurse-01"))?;
            for tablet in &tablets {
                let report = runtime.block_on(tablet.sync(|_| {}));
                assert!(report.error.is_none() && report.in_sync, "{report:?}");
            }
        }
        assert_eq!(tablets[0].status()?.records, tablets[1].status()?.records);
        Ok(())
    };
    all_agree()?;
    postgres.sql("log", WIDER)?;
    all_agree()?;
    nodes.nodes[0].stop()?;
    nodes.start()?;
    all_agree()?;

    postgres.sql("log", NARROWER)?;
    nodes.nodes[1].stop()?;
    let refused = nodes.nodes[1].start().unwrap_err().to_string();
    assert!(refused.contains("newer"), "{refused}");
    Ok(())
}
