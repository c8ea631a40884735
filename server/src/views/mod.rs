//! Views: what people read, in a SQLite file of its own, derived from the log by following it.
//!
//! `follow` reads the log, `derive` says what it comes to, `write` writes it, `query` reads. `serve` and any command line
//! may follow at the same time: the cursor is read and moved inside the transaction that writes the rows.

mod archive;
mod begun;
mod changed;
mod copy;
mod derive;
mod extract;
mod find;
mod follow;
mod followed;
mod later;
mod limit;
mod lists;
mod pages;
mod people;
mod quality;
mod query;
mod reach;
mod retention;
mod sessions;
#[cfg(test)]
mod tests;
mod today;
mod urgent;
mod write;

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};
use rusqlite_migration::{M, Migrations};
use wayside_protocol::{clinical::RULES_VERSION, record::schema::SCHEMA_VERSION};

pub use archive::{Active, Belongings};
pub use begun::Begun;
pub use changed::{Changed, Position};
pub use follow::follow;
pub(crate) use followed::LITTLE;
pub use followed::{Behind, Followed, Shown};

pub use lists::{Pair, PairPlace, TaskPlace, TaskRow};
pub use quality::QualityRow;
pub use reach::{BAND_ACROSS, DECLINED, ReachRow, SessionPlaces, Step, age_band};
pub use sessions::{SessionRow, Whose};
pub use today::{Part, Place as TodoPlace, Todo, Wanted};

use crate::error::Result;
use crate::log::{connect, migrate};

const MIGRATIONS: &[M<'static>] = &[
    M::up(include_str!("../../migrations/views/1.sql")),
    M::up(include_str!("../../migrations/views/2_coordinator.sql")),
    M::up(include_str!("../../migrations/views/3_archive.sql")),
    M::up(include_str!("../../migrations/views/4_reach.sql")),
    M::up(include_str!("../../migrations/views/5_sessions.sql")),
    M::up(include_str!("../../migrations/views/6_today.sql")),
    M::up(include_str!("../../migrations/views/7_find.sql")),
    M::up(include_str!("../../migrations/views/8_changed.sql")),
    M::up(include_str!("../../migrations/views/9_quality.sql")),
    M::up(include_str!("../../migrations/views/10_urgent.sql")),
];

/// Rows are derived again when this, the schema or the clinical rules change.
const DERIVATION: u32 = 3;

/// The views of one data directory.
pub struct Views {
    conn: Connection,
    known: people::Known,
    /// Whether they were found to be of the log that they follow.
    fits: bool,
    /// Whether they show some teams alone.
    limited: bool,
}

impl Views {
    /// Opens `DIR/views.db`. It may lag behind the log: see [`Views::catch_up`].
    pub fn open(data: &Path) -> Result<Views> {
        let mut conn = connect(&data.join("views.db"))?;
        // What a power cut takes away is derived again.
        conn.pragma_update(None, "synchronous", "NORMAL")?;
        let version: usize = conn.pragma_query_value(None, "user_version", |row| row.get(0))?;
        if version < MIGRATIONS.len() {
            // A step may want them.
            later::make_up(&mut conn)?;
        }
        migrate(&mut conn, &Migrations::from_slice(MIGRATIONS))?;
        let rules = format!("{DERIVATION}/{SCHEMA_VERSION}/{RULES_VERSION}");
        let transaction = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let current: bool = transaction.query_row(
            "SELECT EXISTS (SELECT 1 FROM made_by WHERE rules = ?)",
            [&rules],
            |row| row.get(0),
        )?;
        if !current {
            transaction.execute_batch(
                "DELETE FROM made_by; DELETE FROM cursor; DELETE FROM record; DELETE FROM contact;
                 DELETE FROM task; DELETE FROM person; DELETE FROM person_key; DELETE FROM pair;
                 DELETE FROM not_same; DELETE FROM reach; DELETE FROM quality; DELETE FROM todo; DELETE FROM urgent;
                 DELETE FROM find_key;
                 DELETE FROM find_word; DELETE FROM changed;",
            )?;
            transaction.execute("INSERT INTO made_by (rules) VALUES (?)", [&rules])?;
        }
        transaction.commit()?;
        Ok(Views { conn, known: people::Known::default(), fits: false, limited: false })
    }
}
