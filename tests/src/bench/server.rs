//! How many changes a second the server takes in, durably, beside a bare loop that only stores them.

use std::{path::Path, sync::Arc, time::Instant};

use anyhow::Result;
use wayside_protocol::sync::{
    Frame,
    frame::{Verdict, decode},
};
use wayside_server::{Base, Clock, sync};

use super::{Figure, TEAM, prepared::PaperTablet};

/// Tablets that push at the same time, as many threads.
const TABLETS: u64 = 8;

pub fn ingest(dir: &Path, contacts_each: usize) -> Result<Figure> {
    let base = Arc::new(Base::open(&dir.join("ingest"), Clock::default())?);
    base.team_add(TEAM)?;
    let now_ms = u64::try_from(jiff::Timestamp::now().as_millisecond())?;
    let (mut requests, mut raws) = (Vec::new(), Vec::new());
    for seed in 0..TABLETS {
        let (bodies, bytes) =
            PaperTablet::enrolled(&base, TEAM, seed)?.requests(contacts_each, seed, now_ms)?;
        requests.push(bodies);
        raws.extend(bytes);
    }
    let start = Instant::now();
    let accepted: usize = std::thread::scope(|scope| -> Result<usize> {
        let pushing: Vec<_> = requests
            .iter()
            .map(|bodies| {
                let base = &base;
                scope.spawn(move || -> Result<usize> {
                    let mut accepted = 0;
                    for body in bodies {
                        accepted += accepted_in(&sync::exchange(base, body)?)?;
                    }
                    Ok(accepted)
                })
            })
            .collect();
        pushing.into_iter().map(|thread| thread.join().map_err(|_| anyhow::anyhow!("a panic"))?).sum()
    })?;
    let taken = start.elapsed().as_secs_f64();
    anyhow::ensure!(accepted == raws.len(), "{accepted} of {} changes were accepted", raws.len());
    let bare = bare_inserts(&dir.join("bare.db"), &raws)?;
    Ok(Figure {
        what: format!("server, {TABLETS} tablets at once, {accepted} changes"),
        value: accepted as f64 / taken,
        unit: "changes/s",
        floor: raws.len() as f64 / bare,
        note: "one SQLite that only stores the same bytes as durably",
    })
}

fn accepted_in(answer: &[u8]) -> Result<usize> {
    let frames = decode(answer)?;
    let verdicts = frames.iter().filter_map(|frame| match frame {
        Frame::Verdicts(verdicts) => Some(&verdicts.verdicts),
        _ => None,
    });
    Ok(verdicts.flatten().filter(|verdict| matches!(verdict, Verdict::Accepted { .. })).count())
}

/// Seconds for the same bytes in transactions of 200, as durable as the log: WAL, synchronous FULL.
fn bare_inserts(path: &Path, raws: &[Vec<u8>]) -> Result<f64> {
    let mut db = rusqlite::Connection::open(path)?;
    db.pragma_update(None, "journal_mode", "WAL")?;
    db.pragma_update(None, "synchronous", "FULL")?;
    db.execute_batch("CREATE TABLE log (team INTEGER, seq INTEGER, raw BLOB, UNIQUE (team, seq))")?;
    let start = Instant::now();
    for (batch, raws) in raws.chunks(200).enumerate() {
        let transaction = db.transaction()?;
        for (i, raw) in raws.iter().enumerate() {
            let seq = (batch * 200 + i) as u64;
            transaction.prepare_cached("INSERT INTO log VALUES (1, ?, ?)")?.execute((seq, raw))?;
        }
        transaction.commit()?;
    }
    Ok(start.elapsed().as_secs_f64())
}
