//! Backups that `wayside serve` makes by itself, of a log in its directory and of one in PostgreSQL: nobody gives a command, and
//! with the private key they become servers again.
#![allow(clippy::unwrap_used)]

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use wayside_client_core::{By, Tablet};
use wayside_tests::{
    field::{copy_dir, files_with, ids, lines},
    nodes::{Databases, Node},
    postgres::skipped,
    programs,
    world::KEY,
};

/// A pair that protects nothing else.
const PUBLIC: &str = "age15tgr7ugedeuayws4wl9mqam7q5k69ge2eyca628ysm723kymhf0sy3re5y";
const PRIVATE: &str = "AGE-SECRET-KEY-1L2D9X29MF6Z6ZNUG5LQ4TWVV3F9EQV8KG2HY6QRJG3JQ28F5X66QZJM8PT\n";
/// The first is due ten seconds after the start.
const PATIENCE: Duration = Duration::from_secs(120);

fn wayside(arguments: &[&str], at: &[String]) -> Result<String> {
    let output = Command::new(programs!().server).args(arguments).args(at).output()?;
    ensure!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?.trim_end().to_owned())
}

/// Waits for the first backup, which has its name only once it is proven.
fn first_in(shelf: &Path) -> Result<PathBuf> {
    let until = Instant::now() + PATIENCE;
    loop {
        let found = fs::read_dir(shelf)?.map(|entry| entry.unwrap().path());
        if let Some(made) = found.into_iter().find(|path| path.extension().is_some_and(|end| end == "age")) {
            return Ok(made);
        }
        ensure!(Instant::now() < until, "no backup was made");
        thread::sleep(Duration::from_millis(50));
    }
}

/// `log` and `ledger` are where the server's log is, `empty` where the one that is restored will be; none in a directory.
fn backs_itself_up(dir: &Path, databases: Option<(Databases, Databases)>) -> Result<()> {
    let (data, shelf, new) = (dir.join("base"), dir.join("shelf"), dir.join("new"));
    let arguments = databases.as_ref().map_or(Vec::new(), |(used, _)| used.arguments());
    let at = |data: &Path, databases: &[String]| {
        [&["--data".to_owned(), data.display().to_string()], databases].concat()
    };
    let mut node = Node::new(&programs!().server, &data, arguments.clone());
    node.start()?;
    let here = at(&data, &arguments);
    wayside(&["team", "add", "Leeds East"], &here)?;
    let tablet = Tablet::open(&dir.join("van"), &KEY)?;
    for line in lines(5, "van", 3) {
        tablet.record(line, &By::staff("nurse-01"))?;
    }
    let runtime = tokio::runtime::Runtime::new()?;
    runtime
        .block_on(tablet.enrol(&wayside(&["enrol-code", "--team", "Leeds East"], &here)?, "van"))
        .context("enrolling")?;
    assert!(runtime.block_on(tablet.sync(|_| {})).in_sync);
    let held =
        |at: &[String]| -> Result<_> { Ok(ids(&serde_json::from_str(&wayside(&["list", "--json"], at)?)?)) };
    let before = held(&here)?;
    assert!(before.len() > 3, "{before:?}");
    node.stop()?;

    fs::create_dir(&shelf)?;
    node.with(vec![
        ("WAYSIDE_BACKUP_TO".into(), shelf.clone().into()),
        ("WAYSIDE_BACKUP_RECIPIENTS".into(), PUBLIC.into()),
    ]);
    node.start()?;
    let made = first_in(&shelf)?;
    node.stop()?;
    assert!(files_with(&shelf, "SQLite format 3").is_empty(), "it is encrypted");
    let (made, key) = (made.to_str().unwrap(), dir.join("backup.key"));
    fs::write(&key, PRIVATE)?;
    let key = key.to_str().unwrap();
    wayside(&["backup", "verify", made, "--identity", key], &[])?;

    copy_dir(&data.join("keys"), &new.join("keys"));
    let there = match &databases {
        None => at(&new, &[]),
        // What a restore must not undo stays where it is.
        Some((used, empty)) => at(&new, &[&empty.arguments()[..2], &used.arguments()[2..]].concat()),
    };
    wayside(&["restore", "--from", made, "--identity", key], &there)?;
    assert_eq!(held(&there)?, before);
    Ok(())
}

#[test]
fn a_server_backs_itself_up_encrypted() -> Result<()> {
    backs_itself_up(tempfile::tempdir()?.path(), None)
}

#[test]
fn a_server_over_postgresql_backs_itself_up_encrypted() -> Result<()> {
    if skipped() {
        return Ok(());
    }
    let [dir, other] = [tempfile::tempdir()?, tempfile::tempdir()?];
    let databases = (Databases::shared(dir.path())?, Databases::shared(other.path())?);
    backs_itself_up(dir.path(), Some(databases))
}
