//! What a CSV extract costs: rows a second beside a bare dump of the same rows, its memory, and what it costs to ask for
//! what changed.
//!
//! A few thousand contacts with their people come in through the server's own door and are derived by its own code. Their
//! rows are then copied under other ids, in the tables that extracts read, until there are as many as are wanted: what is
//! read has the shape that real rows have, and is there in minutes. Changes come in through the door again.

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    ops::Range,
    path::Path,
    process::{Command, Stdio},
    time::Instant,
};

use anyhow::{Context, Result, ensure};
use rusqlite::{Connection, params};
use serde_json::{Value, json};
use wayside_server::{
    Base, Clock,
    extract::{self, Extract},
    sync,
    views::{Position, Views},
};

use super::{TEAM, party::Usage, prepared::PaperTablet};

/// Copies in one transaction.
const AT_ONCE: usize = 20_000;
/// How often an extract of what changed is timed; the shortest counts.
const ROUNDS: usize = 5;

/// What was asked for, and where it all lies.
pub struct Plan {
    /// Contacts in the views.
    pub contacts: usize,
    /// Of those, how many came in through the door.
    pub real: usize,
}

/// Files that are timed.
const FILES: [&str; 3] = ["contacts", "readings", "people"];
/// More than this, in megabytes, is not the same memory; nor is this many times the time the same time.
const SLACK: (f64, f64) = (8.0, 3.0);

/// Prints the figures as they come: with a tenth of the contacts and with all of them. False where memory grew with
/// their number, or what an extract of a hundred changes costs.
pub fn run(dir: &Path, plan: &Plan, out: &mut impl Write) -> Result<bool> {
    let base = Base::open(dir, Clock::default())?;
    base.team_add(TEAM)?;
    let real = plan.real.min(plan.contacts / 10).max(1);
    push(&base, real, 1)?;
    Views::to_follow(dir)?.catch_up(&base.log)?;
    let stored = stored(dir)?;
    writeln!(
        out,
        "{real} contacts came in through the server's door; the others are their rows under other ids"
    )?;
    let mut copies = 1;
    let mut figures = Vec::new();
    for contacts in [plan.contacts / 10, plan.contacts] {
        let wanted = contacts.div_ceil(real);
        let contacts = multiply(&dir.join("views.db"), &stored, copies..wanted)?;
        copies = wanted;
        writeln!(out, "\nwith {contacts} contacts:")?;
        figures.push(measure(&base, dir, contacts, out)?);
    }
    let [(little, before), (most, after)] = figures.as_slice() else { return Ok(true) };
    let (grown, slower) = (most - little, after / before);
    let flat = grown <= SLACK.0 && slower <= SLACK.1;
    writeln!(
        out,
        "\nten times as many contacts: {grown:+.1} MB at the most, {slower:.2} times as long for what 100 changes made{}",
        if flat { "" } else { "  MISSED" }
    )?;
    Ok(flat)
}

/// The most memory of any file, in megabytes, and seconds for the extract after 100 changes.
fn measure(base: &Base, dir: &Path, contacts: usize, out: &mut impl Write) -> Result<(f64, f64)> {
    let floor = dump(&dir.join("views.db"), &dir.join("floor.csv"), contacts)?;
    let (mut most_memory, mut after_hundred) = (0.0_f64, 0.0);
    for file in FILES {
        let took = in_a_process(dir, file, contacts)?;
        most_memory = most_memory.max(took.most_memory);
        writeln!(
            out,
            "{file}.csv: {} rows in {:.1} s, {:.0} rows/s; contacts read {:.0}/s, {:.2} of a bare dump ({:.0}/s); peak memory {:.0} MB, {:.0} MB before",
            took.rows,
            took.seconds,
            took.rows as f64 / took.seconds,
            contacts as f64 / took.seconds,
            contacts as f64 / took.seconds / floor,
            floor,
            took.most_memory,
            took.before
        )?;
    }
    for changes in [100, 1000] {
        let from = positions(dir)?;
        // A contact and its person each.
        push(base, changes / 2, (contacts + changes) as u64)?;
        Views::to_follow(dir)?.catch_up(&base.log)?;
        let (rows, seconds) = since(dir, &from)?;
        ensure!(rows == (changes / 2) as u64, "{rows} rows of {changes} changes");
        writeln!(
            out,
            "contacts.csv after {changes} changes: {rows} rows in {:.2} ms, {:.1} µs a change",
            seconds * 1e3,
            seconds * 1e6 / changes as f64
        )?;
        if changes == 100 {
            after_hundred = seconds;
        }
    }
    Ok((most_memory, after_hundred))
}

/// Contacts with their people, through the door.
fn push(base: &Base, contacts: usize, seed: u64) -> Result<()> {
    let now_ms = u64::try_from(jiff::Timestamp::now().as_millisecond())?;
    let (requests, _) = PaperTablet::enrolled(base, TEAM, seed)?.requests(contacts, seed, now_ms)?;
    requests.iter().try_for_each(|body| sync::exchange(base, body).map(drop).map_err(Into::into))
}

/// A person's or contact's row as it came through the door: id, team, kind, fields, conflicts, when it was created, and
/// its number.
type Stored = (Vec<u8>, Vec<u8>, String, String, String, String, u64);

fn stored(dir: &Path) -> Result<Vec<Stored>> {
    let sql = "SELECT record.id, record.team, record.kind, fields, conflicts, created, changed.seq
               FROM record JOIN changed ON changed.id = record.id WHERE kind IN ('person', 'contact')";
    let db = Connection::open(dir.join("views.db"))?;
    let rows = db
        .prepare(sql)?
        .query_map([], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?, row.get(6)?))
        })?
        .collect::<rusqlite::Result<_>>()?;
    Ok(rows)
}

/// Adds these copies of every row; the first, of number 0, is what is there. Returns how many contacts there are then.
fn multiply(path: &Path, stored: &[Stored], copies: Range<usize>) -> Result<usize> {
    let db = Connection::open(path)?;
    db.pragma_update(None, "journal_mode", "WAL")?;
    db.pragma_update(None, "synchronous", "OFF")?;
    let mut written = 0;
    let mut transaction = db.unchecked_transaction()?;
    for copy in copies {
        for (id, team, kind, fields, conflicts, created, seq) in stored {
            let other = renamed(id, copy)?;
            // A contact's person is copied by the same rule.
            let mut text = fields.replace(&hyphened(id), &hyphened(&other));
            if kind == "contact"
                && let Some(person) = serde_json::from_str::<Value>(fields)?["person"].as_str()
            {
                let known = data_encoding::HEXLOWER.decode(person.replace('-', "").as_bytes())?;
                text = text.replace(person, &hyphened(&renamed(&known, copy)?));
            }
            transaction
                .prepare_cached(
                    "INSERT INTO record (id, team, kind, fields, conflicts, conflict_count, search, created)
                     VALUES (?, ?, ?, ?, ?, 0, '', ?)",
                )?
                .execute(params![other, team, kind, text, conflicts, created])?;
            transaction
                .prepare_cached("INSERT INTO changed (id, team, seq, gone) VALUES (?, ?, ?, 0)")?
                .execute(params![other, team, seq])?;
            if kind == "person" {
                transaction
                    .prepare_cached("INSERT INTO person (id, team, standing) VALUES (?1, ?2, ?1)")?
                    .execute(params![other, team])?;
            }
            written += 1;
            if written % AT_ONCE == 0 {
                transaction.commit()?;
                transaction = db.unchecked_transaction()?;
            }
        }
    }
    transaction.commit()?;
    Ok(db.query_row("SELECT count(*) FROM record WHERE kind = 'contact'", [], |row| row.get(0))?)
}

/// The same id with another end, which is random in every id.
fn renamed(id: &[u8], copy: usize) -> Result<Vec<u8>> {
    let mut id = id.to_vec();
    let end = id.get_mut(12..).context("an id")?;
    end.copy_from_slice(&u32::try_from(copy)?.to_be_bytes());
    Ok(id)
}

fn hyphened(id: &[u8]) -> String {
    let text = data_encoding::HEXLOWER.encode(id);
    let parts = [0..8, 8..12, 12..16, 16..20, 20..32].map(|part| text.get(part).unwrap_or_default());
    parts.join("-")
}

/// Contacts a second that a bare SQLite reads and writes as CSV, as they stand.
fn dump(from: &Path, to: &Path, contacts: usize) -> Result<f64> {
    let db = Connection::open(from)?;
    let begun = Instant::now();
    let mut sheet = csv::Writer::from_writer(BufWriter::new(File::create(to)?));
    let mut statement = db.prepare("SELECT hex(id), fields, conflicts FROM record WHERE kind = 'contact'")?;
    let mut rows = statement.query([])?;
    let mut count = 0;
    while let Some(row) = rows.next()? {
        for column in 0..3 {
            sheet.write_field(row.get_ref(column)?.as_str()?)?;
        }
        sheet.write_record(None::<&[u8]>)?;
        count += 1;
    }
    sheet.flush()?;
    ensure!(count == contacts);
    let seconds = begun.elapsed().as_secs_f64();
    std::fs::remove_file(to)?;
    Ok(count as f64 / seconds)
}

fn positions(dir: &Path) -> Result<Vec<Position>> {
    Ok(Views::open(dir)?.positions()?)
}

struct Took {
    rows: u64,
    seconds: f64,
    /// Megabytes.
    most_memory: f64,
    before: f64,
}

/// In a process of its own, so that its memory is its own.
fn in_a_process(dir: &Path, file: &str, contacts: usize) -> Result<Took> {
    let program = std::env::current_exe()?;
    let done = Command::new(program)
        .args(["--contacts", &contacts.to_string(), "--extract", file, "--data"])
        .arg(dir)
        .stderr(Stdio::inherit())
        .output()?;
    ensure!(done.status.success(), "the extract failed");
    let said: Value = serde_json::from_slice(&done.stdout)?;
    let number = |name: &str| said[name].as_f64().context("a figure");
    Ok(Took {
        rows: said["rows"].as_u64().context("rows")?,
        seconds: number("seconds")?,
        most_memory: number("most_memory")?,
        before: number("before")?,
    })
}

/// What that process does: one file, whole, to a file beside the views.
pub fn whole(dir: &Path, file: &str, out: &mut impl Write) -> Result<()> {
    let file = extract::File::parse(file).context("a file of extracts")?;
    let views = Views::open(dir)?;
    let path = dir.join("extract.csv");
    let before = Usage::own()?.most_memory;
    let begun = Instant::now();
    let rows = views.snapshot(|views| {
        let parts: Vec<(u64, Position)> = views.positions()?.into_iter().map(|until| (0, until)).collect();
        let sheet = File::create(&path).map_err(|error| wayside_server::Error::File("extract", error))?;
        Extract { file, pseudonyms: None }.write(views, &parts, "next", BufWriter::new(sheet))
    })?;
    let seconds = begun.elapsed().as_secs_f64();
    let most_memory = Usage::own()?.most_memory;
    std::fs::remove_file(path)?;
    writeln!(
        out,
        "{}",
        json!({"rows": rows, "seconds": seconds, "most_memory": most_memory, "before": before})
    )?;
    Ok(())
}

/// Rows, and seconds, of what changed since a place.
fn since(dir: &Path, from: &[Position]) -> Result<(u64, f64)> {
    let views = Views::open(dir)?;
    let extract = Extract { file: extract::File::Contacts, pseudonyms: None };
    let mut best = (0, f64::MAX);
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        let rows = views.snapshot(|views| {
            let parts = views.positions()?.into_iter().map(|until| {
                let known = from.iter().find(|known| known.team == until.team);
                (known.map_or(0, |known| known.seq), until)
            });
            extract.write(views, &parts.collect::<Vec<_>>(), "next", io::sink())
        })?;
        best = (rows, begun.elapsed().as_secs_f64().min(best.1));
    }
    Ok(best)
}
