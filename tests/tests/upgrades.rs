//! What versions left behind, for each schema that a version ended with: a server's data, a tablet with a contact that it had not
//! sent, dumps of PostgreSQL, and what all of that held, made by the programs of that version (`tests/old/make`). Today's program
//! takes it over, and nothing is missing. (The schema before these is in `old_versions`.)
#![allow(clippy::unwrap_used)]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use anyhow::Result;
use rusqlite::Connection;
use serde_json::Value;
use tempfile::TempDir;
use wayside_client_core::{Key, Tablet};
use wayside_server::{Base, Clock, Server, ServerConfig, accounts, backup, enrol_code, log, views::Views};
use wayside_tests::{
    field::copy_dir,
    nodes::base_over,
    postgres::{Postgres, skipped},
};

/// By the schema of its log on SQLite. Numbers between these never were the last one of a version.
const LEFT: [&str; 4] = ["log-3", "log-4", "log-8", "log-13"];
/// Those that could keep a log in PostgreSQL.
const ON_POSTGRES: [&str; 2] = ["log-8", "log-13"];

fn old(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("old").join(name)
}

/// A copy of it, and what it held.
fn left_by(name: &str) -> (TempDir, Value) {
    let dir = tempfile::tempdir().unwrap();
    copy_dir(&old(name), dir.path());
    let held = fs::read_to_string(old(name).join("held.json")).unwrap();
    (dir, serde_json::from_str(&held).unwrap())
}

fn hex(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(bytes)
}

/// Every team's epoch, head and set, and every record, are what they were; and the whole proves itself in a backup.
fn holds_what_it_held(name: &str, base: &Base, held: &Value) {
    let teams = base.log.read(|conn| {
        let teams = log::teams(conn)?.into_iter();
        teams.map(|team| Ok((log::sum_at(conn, team.n, team.head)?, team))).collect::<Result<Vec<_>, _>>()
    });
    let teams = teams.unwrap();
    assert_eq!(teams.len(), held["teams"].as_object().unwrap().len(), "{name}");
    for (sum, team) in &teams {
        let then = &held["teams"][&team.name];
        assert_eq!(hex(&team.epoch), then["epoch"], "{name}: {}", team.name);
        assert_eq!(team.head, then["head"], "{name}: {}", team.name);
        assert_eq!(
            (hex(&sum.sum), sum.count),
            (then["sum"].as_str().unwrap().into(), then["count"].as_u64().unwrap()),
            "{name}"
        );
    }
    let mut views = Views::open(base.data()).unwrap();
    views.catch_up(&base.log).unwrap();
    let pair =
        |id: &Value, kind: &Value| (id.as_str().unwrap().to_owned(), kind.as_str().unwrap().to_owned());
    let listed = views.list(None).unwrap();
    let now: BTreeSet<_> = listed.iter().map(|record| pair(&record["id"], &record["kind"])).collect();
    let then = held["records"].as_array().unwrap().iter().map(|record| pair(&record[0], &record[1]));
    assert_eq!(now, then.collect(), "{name}");
    let names: Vec<_> = accounts::list(base).unwrap().into_iter().map(|account| account.name).collect();
    assert_eq!(names, ["amira"], "{name}");
    let backups = tempfile::tempdir().unwrap();
    backup::backup(base, backups.path()).unwrap();
}

#[test]
fn what_stands_in_the_tree_is_of_the_schemas_that_it_is_named_after() {
    let names = fs::read_dir(old("")).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let names: BTreeSet<_> = names.filter(|name| name.starts_with("log-")).collect();
    assert_eq!(names, LEFT.map(str::to_owned).into());
    for name in LEFT {
        let (dir, held) = left_by(name);
        for (part, file) in [("log", "log.db"), ("ledger", "keys/ledger.db"), ("views", "views.db")] {
            let database = Connection::open(dir.path().join("base").join(file)).unwrap();
            let version: u64 = database.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap();
            assert_eq!(held[part], version, "{name}: {part}");
        }
        assert_eq!(format!("log-{}", held["log"]), name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_and_a_tablet_of_every_version_are_taken_over_whole() {
    for name in LEFT {
        let (dir, held) = left_by(name);
        let data = dir.path().join("base");
        let same = |base: &Base| holds_what_it_held(name, base, &held);
        tokio::task::block_in_place(|| same(&Base::open(&data, Clock::default()).unwrap()));

        let server = Server::start(ServerConfig::local(&data)).await.unwrap();
        let key = fs::read_to_string(dir.path().join("tablet.key")).unwrap();
        let key: [u8; 32] =
            data_encoding::HEXLOWER.decode(key.trim().as_bytes()).unwrap().try_into().unwrap();
        let tablet = Tablet::open(&dir.path().join("tablet"), &Key::from_bytes(key)).unwrap();
        let waiting = tablet.status().unwrap().waiting;
        assert!(waiting > 0, "{name}");
        // The server has another address here than it had then.
        let code = tokio::task::block_in_place(|| enrol_code(&data, "Leeds East", None)).unwrap();
        tablet.enrol(&code, "van").await.unwrap();
        let report = tablet.sync(|_| {}).await;
        assert_eq!(
            (report.error.clone(), report.quarantined, report.in_sync),
            (None, 0, true),
            "{name}: {report:?}"
        );
        assert!(report.accepted as u64 >= waiting as u64, "{name}: {report:?}");
        // What the old programs erased, or took out of quarantine, nobody brings back: the rest is on both sides.
        let fresh = Tablet::open(&dir.path().join("fresh"), &Key::from_bytes([3; 32])).unwrap();
        let code = tokio::task::block_in_place(|| enrol_code(&data, "Leeds East", None)).unwrap();
        fresh.enrol(&code, "fresh").await.unwrap();
        assert!(fresh.sync(|_| {}).await.in_sync, "{name}");
        assert_eq!(fresh.status().unwrap().records, tablet.status().unwrap().records, "{name}");
        server.shutdown().await.unwrap();
    }
}

#[test]
fn a_log_in_postgresql_of_every_version_is_taken_over_whole() -> Result<()> {
    if skipped() {
        return Ok(());
    }
    let postgres = Postgres::start()?;
    for name in ON_POSTGRES {
        let (dir, held) = left_by(name);
        let databases = ["log", "ledger"]
            .map(|part| (format!("{part}_{}", held["log"]), dir.path().join(format!("{part}.sql"))));
        for (database, dump) in &databases {
            postgres.create(database)?;
            postgres.fill(database, dump)?;
        }
        let data = dir.path().join("node");
        copy_dir(&dir.path().join("base/keys"), &data.join("keys"));
        fs::remove_file(data.join("keys/ledger.db"))?;
        let [log, ledger] = databases.map(|(database, _)| postgres.url(&database));
        holds_what_it_held(name, &base_over(&data, &log, &ledger)?, &held);
    }
    Ok(())
}
