//! How fast views come to be: from nothing, and while the log grows. Beside the least that it could take: the same rows,
//! inserted one after the other into the same tables.

use std::{fs, path::Path, time::Instant};

use anyhow::{Result, ensure};
use rusqlite::{Connection, types::Value};
use wayside_server::{Base, Clock, sync, views::Views};

use super::{Figure, TEAM, party::Usage, prepared::PaperTablet};

/// Tablets that the changes come from.
const TABLETS: usize = 50;
/// Rows in one transaction of the floor.
const BARE: usize = 1000;

/// `changes` is how many the log holds, half of them contacts and half of them their people.
pub fn figures(dir: &Path, changes: usize) -> Result<Vec<Figure>> {
    let base = Base::open(dir, Clock::default())?;
    base.team_add(TEAM)?;
    let now_ms = u64::try_from(jiff::Timestamp::now().as_millisecond())?;
    let mut count = 0;
    // As they come: views follow what each request brought, at once.
    let mut following = 0.0;
    let mut views = Views::to_follow(dir)?;
    for seed in 0..TABLETS as u64 {
        let each = changes.div_ceil(TABLETS * 2);
        let (requests, raws) = PaperTablet::enrolled(&base, TEAM, seed)?.requests(each, seed, now_ms)?;
        for body in requests {
            sync::exchange(&base, &body)?;
            let begun = Instant::now();
            views.catch_up(&base.log)?;
            following += begun.elapsed().as_secs_f64();
        }
        count += raws.len();
    }
    drop(views);
    let grown = Rows::read(&dir.join("views.db"))?;
    for file in ["views.db", "views.db-wal", "views.db-shm"] {
        let _ = fs::remove_file(dir.join(file));
    }
    let (begun, cpu) = (Instant::now(), Usage::own()?.cpu);
    // Not closed yet, as those of the floor are not: whoever closes them last writes the rest of the write-ahead log.
    let mut views = Views::to_follow(dir)?;
    views.catch_up(&base.log)?;
    let (from_nothing, cpu) = (begun.elapsed().as_secs_f64(), Usage::own()?.cpu - cpu);
    drop(views);
    let rows = Rows::read(&dir.join("views.db"))?;
    ensure!(rows == grown, "views that were made from nothing are others");
    let before = Usage::own()?.cpu;
    let floor = rows.insert(&dir.join("floor.db"))?;
    let floor_cpu = Usage::own()?.cpu - before;
    let rate = |what: &str, seconds: f64| Figure {
        what: format!("views of {count} changes: {what}"),
        value: count as f64 / seconds,
        unit: "changes/s",
        floor: count as f64 / floor,
        note: "the same rows, inserted with the same indexes, one thread",
    };
    Ok(vec![
        rate("from nothing", from_nothing),
        Figure {
            what: format!("views of {count} changes: CPU a change, from nothing"),
            value: cpu / count as f64 * 1e6,
            unit: "µs",
            floor: floor_cpu / count as f64 * 1e6,
            note: "those inserts",
        },
        rate("200 at a time, as they come", following),
    ])
}

/// Every row of every table, with the statements that made the tables.
#[derive(PartialEq)]
struct Rows {
    schema: Vec<String>,
    tables: Vec<(String, usize, Vec<Vec<Value>>)>,
}

impl Rows {
    fn read(path: &Path) -> Result<Rows> {
        let db = Connection::open(path)?;
        let all = |sql: &str| -> Result<Vec<String>> {
            Ok(db.prepare(sql)?.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?)
        };
        let schema = all("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY type DESC, name")?;
        let mut tables = Vec::new();
        for table in all("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")? {
            let columns = db.prepare(&format!("SELECT * FROM {table}"))?.column_count();
            let order: Vec<String> = (1..=columns).map(|n| n.to_string()).collect();
            let mut statement =
                db.prepare(&format!("SELECT * FROM {table} ORDER BY {}", order.join(", ")))?;
            let rows = statement.query_map([], |row| (0..columns).map(|i| row.get(i)).collect())?;
            tables.push((table, columns, rows.collect::<rusqlite::Result<_>>()?));
        }
        Ok(Rows { schema, tables })
    }

    /// Seconds to insert them all.
    fn insert(&self, path: &Path) -> Result<f64> {
        let db = Connection::open(path)?;
        db.pragma_update(None, "journal_mode", "WAL")?;
        db.pragma_update(None, "synchronous", "NORMAL")?;
        self.schema.iter().try_for_each(|sql| db.execute_batch(sql))?;
        let begun = Instant::now();
        for (table, columns, rows) in &self.tables {
            let sql = format!("INSERT INTO {table} VALUES ({})", vec!["?"; *columns].join(", "));
            for some in rows.chunks(BARE) {
                let transaction = db.unchecked_transaction()?;
                let mut statement = transaction.prepare_cached(&sql)?;
                some.iter()
                    .try_for_each(|row| statement.execute(rusqlite::params_from_iter(row)).map(drop))?;
                drop(statement);
                transaction.commit()?;
            }
        }
        Ok(begun.elapsed().as_secs_f64())
    }
}
