//! What a tablet needs: a cold pull, opening, recording, memory. It is a process of its own, so that its memory is
//! its own.

use std::{
    io::Write,
    path::Path,
    process::{Command, Stdio},
    time::Instant,
};

use anyhow::{Context, Result, ensure};
use rusqlite::Connection;
use serde_json::{Value, json};
use wayside_client_core::{By, Key, Tablet};
use wayside_server::{Base, Clock, sync};

use super::{
    Bench, Figure, SEED, TEAM,
    party::{Usage, thread_cpu},
    prepared::PaperTablet,
    server::wait_for_views,
};
use crate::day::{self, TabletPlan};

const KEY: [u8; 32] = [7; 32];
/// Contacts that are recorded, and times that it is opened; the median counts.
const RECORDED: usize = 41;
const OPENED: usize = 7;
/// Bare inserts in one transaction: about what one frame brings.
const BARE: usize = 256;

/// A fresh tablet beside a server that holds so many contacts. `program` is this very program, which calls
/// [`measure`] when it is given a directory and, on standard input, a code.
pub async fn figures(bench: &Bench, contacts: usize, program: &Path) -> Result<Vec<Figure>> {
    let (data, dir) = (bench.dir.path().join("base"), bench.dir.path().join("measured"));
    let (filled, program) = (data.clone(), program.to_owned());
    let measured = tokio::task::spawn_blocking(move || -> Result<Value> {
        let changes = fill(&filled, contacts)?;
        // What is timed is the pull, not what the server still does with the push.
        wait_for_views(&filled, changes)?;
        let code = wayside_server::enrol_code(&filled, TEAM, None)?;
        let mut child = Command::new(program)
            .arg("--tablet")
            .arg(&dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("the tablet's process")?;
        child.stdin.take().context("its input")?.write_all(code.as_bytes())?;
        let output = child.wait_with_output()?;
        ensure!(output.status.success(), "the tablet's process failed");
        Ok(serde_json::from_slice(&output.stdout)?)
    })
    .await??;
    let what = |what: &str| format!("tablet of {contacts} contacts: {what}");
    let said = |name: &str| measured.get(name).and_then(Value::as_f64).context("what the tablet measured");
    let changes = said("changes")?;
    let figure = |name, value, unit, floor, note| Figure { what: what(name), value, unit, floor, note };
    Ok(vec![
        figure(
            "cold pull",
            changes / said("pull_s")?,
            "changes/s",
            changes / said("stored_s")?,
            "one encrypted SQLite that only stores the same bytes",
        ),
        figure(
            "CPU of the tablet a change of the pull",
            said("pull_cpu_s")? / changes * 1e6,
            "µs",
            said("stored_cpu_s")? / changes * 1e6,
            "the same",
        ),
        figure(
            "recording a contact",
            said("record_ms")?,
            "ms",
            said("insert_ms")?,
            "a bare durable insert of the same size, encrypted",
        ),
        figure("opening", said("open_ms")?, "ms", 100.0, "at most 100 ms"),
        figure("memory", said("memory_mb")?, "MB", 64.0, "at most 64 MB"),
    ])
}

/// Pushes contacts with their people to the server in a data directory; how many changes that are.
fn fill(data: &Path, contacts: usize) -> Result<usize> {
    let base = Base::open(data, Clock::default())?;
    let now_ms = u64::try_from(jiff::Timestamp::now().as_millisecond())?;
    let mut paper = PaperTablet::enrolled(&base, TEAM, SEED)?;
    let (bodies, raws) = paper.requests(contacts, SEED, now_ms)?;
    for body in bodies {
        sync::exchange(&base, &body)?;
    }
    Ok(raws.len())
}

/// The tablet's process: prints what it measured as JSON.
pub async fn measure(dir: &Path, code: &str, out: &mut impl Write) -> Result<()> {
    let key = Key::from_bytes(KEY);
    let tablet = Tablet::open(&dir.join("tablet"), &key)?;
    tablet.enrol(code, "measured").await?;
    let (start, before) = (Instant::now(), Usage::own()?.cpu);
    let report = tablet.sync(|_| {}).await;
    let (pull, pull_cpu) = (start.elapsed().as_secs_f64(), Usage::own()?.cpu - before);
    ensure!(report.error.is_none() && report.in_sync, "the pull failed: {:?}", report.error);

    let bare = encrypted(&dir.join("bare.db"))?;
    let plan = TabletPlan::new("measured", "Masjid Al-Noor", RECORDED);
    let date = "2026-11-20".parse()?;
    let (mut record, mut insert) = (Vec::new(), Vec::new());
    for i in 0..RECORDED {
        let line = day::contact(SEED + 1, date, &plan, i);
        record.push(timed(|| Ok(tablet.record(line, &By::staff("nurse-01"))?))?.1);
        let bytes = vec![u8::try_from(i)?; 1_500];
        insert.push(timed(|| Ok(bare.execute("INSERT INTO change VALUES (?, ?)", (i, bytes))?))?.1);
    }
    drop(tablet);
    let mut open = Vec::new();
    for _ in 0..OPENED {
        let (status, taken) = timed(|| Ok(Tablet::open(&dir.join("tablet"), &key)?.status()?))?;
        ensure!(status.records.contact > 0, "nothing is there");
        open.push(taken);
    }
    let memory = Usage::own()?.most_memory;
    let before = thread_cpu();
    let stored = bare_inserts(dir)?;
    let stored_cpu = thread_cpu() - before;
    let measured = json!({
        "changes": report.pulled, "pull_s": pull, "stored_s": stored, "pull_cpu_s": pull_cpu, "stored_cpu_s": stored_cpu,
        "open_ms": median(open),
        "record_ms": median(record), "insert_ms": median(insert), "memory_mb": memory,
    });
    writeln!(out, "{measured}")?;
    Ok(())
}

/// What a call returns, and how many milliseconds it took.
fn timed<T>(call: impl FnOnce() -> Result<T>) -> Result<(T, f64)> {
    let start = Instant::now();
    let done = call()?;
    Ok((done, start.elapsed().as_secs_f64() * 1000.0))
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// A database as encrypted and as durable as the tablet's, with one table.
fn encrypted(path: &Path) -> Result<Connection> {
    let db = Connection::open(path)?;
    db.execute_batch(&format!("PRAGMA key = \"x'{}'\";", Key::from_bytes(KEY).to_hex()))?;
    db.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
         CREATE TABLE IF NOT EXISTS change (no INTEGER PRIMARY KEY, raw BLOB);",
    )?;
    ensure!(
        db.query_row("PRAGMA cipher_version", [], |row| row.get::<_, String>(0)).is_ok(),
        "not encrypted"
    );
    Ok(db)
}

/// Seconds to store what was pulled, and nothing else.
fn bare_inserts(dir: &Path) -> Result<f64> {
    let raws = {
        let pulled = encrypted(&dir.join("tablet").join("tablet.db"))?;
        let mut statement = pulled.prepare("SELECT raw FROM change WHERE own = 0")?;
        let raws = statement.query_map([], |row| row.get::<_, Vec<u8>>(0))?;
        raws.collect::<Result<Vec<_>, _>>()?
    };
    let db = encrypted(&dir.join("stored.db"))?;
    let start = Instant::now();
    for raws in raws.chunks(BARE) {
        let transaction = db.unchecked_transaction()?;
        for raw in raws {
            transaction.prepare_cached("INSERT INTO change (raw) VALUES (?)")?.execute([raw])?;
        }
        transaction.commit()?;
    }
    Ok(start.elapsed().as_secs_f64())
}
