//! One file, whole or not at all: its rows become a dataset of their own in one transaction, whose last step makes it the
//! one that counts. Readers see the old one until then. What it replaces is taken out afterwards.

use std::io::Read;
use std::path::Path;

use csv::{ByteRecord, ReaderBuilder};
use rusqlite::{Transaction, TransactionBehavior};
use sha2::{Digest, Sha256};
use wayside_protocol::error::Code;

use super::layout::{Fields, Layout};
use super::{Kind, Reference};
use crate::error::{Error, Result};

/// How often progress is said, in rows.
const STEP: u64 = 20_000;
/// Pages of 4 KiB that are kept while millions of rows go in.
const CACHE_PAGES: i64 = 16_000;
/// Of a file with a header, the share of rows that may say nothing before it counts as another kind of file.
const MOST_SKIPPED: u64 = 2;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    pub kind: Kind,
    pub release: String,
    pub rows: u64,
    /// Rows of the file that say nothing that is used here.
    pub skipped: u64,
}

/// Brings a file in; what it is its first row says. `progress` hears how many bytes have been read.
/// A file that is cut short in a row, or holds a row that cannot be, changes nothing.
pub fn import(
    data: &Path,
    file: impl Read,
    release: &str,
    now_ms: u64,
    progress: &mut dyn FnMut(u64),
) -> Result<Imported> {
    let mut reference = Reference::open(data)?;
    reference.conn.pragma_update(None, "cache_size", CACHE_PAGES)?;
    sweep(&mut reference)?;

    let mut rows = ReaderBuilder::new().has_headers(false).flexible(false).from_reader(Hashing::new(file));
    let mut record = ByteRecord::new();
    if !rows.read_byte_record(&mut record).map_err(|error| malformed(&error, 1))? {
        return Err(Error::Said(Code::ReferenceUnknown, "This file is empty.".to_owned()));
    }
    let layout = Layout::of(&record).ok_or(Code::ReferenceUnknown)?;

    let transaction = reference.conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute(
        "INSERT INTO dataset (kind, release, digest, rows, skipped, imported_at) VALUES (?, ?, zeroblob(32), 0, 0, ?)",
        (layout.kind.as_str(), release, now_ms),
    )?;
    let dataset = transaction.last_insert_rowid();
    // Counted here: where lines end in \r\n the reader's own count lags behind.
    let (mut taken, mut skipped, mut number) = (0, 0, 1);
    {
        let mut insert = transaction.prepare(&insertion(&transaction, layout.kind)?)?;
        let mut more = layout.headless;
        if !more {
            number += 1;
            more = rows.read_byte_record(&mut record).map_err(|error| malformed(&error, number))?;
        }
        while more {
            match layout.row(&record) {
                Fields::Row(fields) => {
                    let fields = fields.iter().map(|field| (!field.is_empty()).then_some(field.as_str()));
                    insert.raw_bind_parameter(1, dataset)?;
                    for (index, field) in fields.enumerate() {
                        insert.raw_bind_parameter(index + 2, field)?;
                    }
                    taken += u64::try_from(insert.raw_execute()?).unwrap_or(0);
                }
                Fields::Skip => skipped += 1,
                Fields::Wrong(why) => return Err(wrong(number, why)),
            }
            if (taken + skipped) % STEP == 0 {
                progress(rows.get_ref().bytes);
            }
            number += 1;
            more = rows.read_byte_record(&mut record).map_err(|error| malformed(&error, number))?;
        }
    }
    if taken == 0 || (!layout.headless && skipped > taken / MOST_SKIPPED) {
        let text =
            format!("Of this file's rows {taken} can be used and {skipped} cannot: nothing was changed.");
        return Err(Error::Said(Code::ReferenceUnknown, text));
    }
    let hashing = rows.into_inner();
    progress(hashing.bytes);
    transaction.execute(
        "UPDATE dataset SET digest = ?, rows = ?, skipped = ? WHERE n = ?",
        (hashing.hash.finalize().as_slice(), taken, skipped, dataset),
    )?;
    transaction.execute(
        "INSERT INTO current (kind, dataset) VALUES (?, ?) ON CONFLICT (kind) DO UPDATE SET dataset = excluded.dataset",
        (layout.kind.as_str(), dataset),
    )?;
    transaction.commit()?;
    sweep(&mut reference)?;
    Ok(Imported { kind: layout.kind, release: release.to_owned(), rows: taken, skipped })
}

/// Into the table of a kind; a row that stands twice in the file counts once, as it came last.
fn insertion(transaction: &Transaction, kind: Kind) -> Result<String> {
    let table = kind.table();
    let columns = transaction.prepare(&format!("SELECT * FROM {table} LIMIT 0"))?.column_count();
    // An empty field is no text where a column is a number or may be empty.
    let values = (0..columns).map(|index| match (kind, index) {
        (_, 0) => "?".to_owned(),
        (Kind::Deprivation(_), 6) => format!("CAST(?{} AS INTEGER)", index + 1),
        _ => format!("coalesce(?{}, '')", index + 1),
    });
    let values = values.collect::<Vec<_>>().join(", ");
    Ok(format!("INSERT OR REPLACE INTO {table} VALUES ({values})"))
}

/// Takes out what no longer counts: after an import, and before one what a program that died left behind.
fn sweep(reference: &mut Reference) -> Result<()> {
    let transaction = reference.conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let old: Vec<(i64, String)> = transaction
        .prepare("SELECT n, kind FROM dataset WHERE n NOT IN (SELECT dataset FROM current)")?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    for (n, kind) in old {
        if let Some(kind) = Kind::ALL.into_iter().find(|known| known.as_str() == kind) {
            transaction.execute(&format!("DELETE FROM {} WHERE dataset = ?", kind.table()), [n])?;
        }
        transaction.execute("DELETE FROM dataset WHERE n = ?", [n])?;
    }
    Ok(transaction.commit()?)
}

fn wrong(row: u64, why: &str) -> Error {
    Error::Said(Code::ReferenceMalformed, format!("Row {row}: {why}. Nothing was changed."))
}

fn malformed(error: &csv::Error, row: u64) -> Error {
    match error.kind() {
        csv::ErrorKind::UnequalLengths { .. } => wrong(row, "it has not as many columns as the first row"),
        csv::ErrorKind::Io(_) => {
            Error::Said(Code::ReferenceMalformed, "The file cannot be read to its end.".into())
        }
        _ => wrong(row, "it is no row of a CSV file"),
    }
}

/// Counts and digests what is read.
struct Hashing<R> {
    inner: R,
    hash: Sha256,
    bytes: u64,
}

impl<R> Hashing<R> {
    fn new(inner: R) -> Hashing<R> {
        Hashing { inner, hash: Sha256::new(), bytes: 0 }
    }
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.hash.update(&buffer[..read]);
        self.bytes += read as u64;
        Ok(read)
    }
}
