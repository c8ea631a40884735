//! The least that records could cost: as JSON lines, ids in, derived values out, `zstd -19`, in one POST, and stored in
//! one transaction.

use std::{path::Path, time::Instant};

use anyhow::{Context, Result};
use rusqlite::Connection;
use serde_json::Value;

use super::party::thread_cpu;

/// What the same records cost somebody who only sends and stores them, in bytes and seconds.
#[derive(Debug, Clone, Copy)]
pub struct Floor {
    pub bytes: u64,
    pub send_cpu: f64,
    pub store_cpu: f64,
    pub store_wall: f64,
}

impl Floor {
    /// `db` is made, and holds the records afterwards.
    pub fn of(records: Vec<Value>, db: &Path) -> Result<Floor> {
        let lines = json_lines(records);
        let before = thread_cpu();
        let sent = zstd::bulk::compress(lines.as_bytes(), 19)?;
        let send_cpu = thread_cpu() - before;
        let db = Connection::open(db)?;
        db.execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
             CREATE TABLE record (id TEXT PRIMARY KEY, json TEXT);",
        )?;
        let (start, before) = (Instant::now(), thread_cpu());
        let received = zstd::bulk::decompress(&sent, lines.len())?;
        let transaction = db.unchecked_transaction()?;
        for line in received.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let record: Value = serde_json::from_slice(line)?;
            let id = record.get("id").and_then(Value::as_str).context("an id")?;
            transaction.prepare_cached("INSERT INTO record VALUES (?, ?)")?.execute((id, line))?;
        }
        transaction.commit()?;
        let (store_cpu, store_wall) = (thread_cpu() - before, start.elapsed().as_secs_f64());
        Ok(Floor { bytes: sent.len() as u64, send_cpu, store_cpu, store_wall })
    }
}

/// Only the bytes.
pub fn floor_bytes(records: Vec<Value>) -> Result<usize> {
    Ok(zstd::bulk::compress(json_lines(records).as_bytes(), 19)?.len())
}

fn json_lines(records: Vec<Value>) -> String {
    let mut lines = String::new();
    for record in records {
        let Value::Object(mut object) = record else { continue };
        for derived in ["derived", "conflicts", "team"] {
            object.remove(derived);
        }
        lines.push_str(&Value::Object(object).to_string());
        lines.push('\n');
    }
    lines
}
