//! A connection to the log's database. The log is written once, in SQL that SQLite and PostgreSQL both speak; what
//! they do not share stands here and nowhere else.
//!
//! Parameters are written `?1`, `?2`, or `?` for the next one. Columns are integers, text and bytes: truth is 1 or 0,
//! and whatever PostgreSQL calls boolean or a smaller integer is read as an integer. Numbers of rows (`n`) come from
//! the database and say nothing about order between transactions.

mod place;
mod postgres;
mod sqlite;
mod value;

pub use place::Place;
use postgres::Pg;
pub(super) use sqlite::Sqlite;
pub use value::{FromValue, ToValue, Value};

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use data_encoding::HEXLOWER;
use wayside_protocol::record::RecordId;

use crate::error::{Error, Result};

/// Connections to PostgreSQL that this process made since it began, and that it could not make.
pub fn connections() -> (u64, u64) {
    (postgres::CONNECTED.load(Relaxed), postgres::NOT_CONNECTED.load(Relaxed))
}

/// Parameters of a statement, in order: `args![team.n, record]`.
macro_rules! args {
    ($($value:expr),* $(,)?) => { &[$($crate::log::ToValue::to_value(&$value)),*] };
}
pub(crate) use args;

/// How many rows go into one statement of [`Conn::insert_many`]: few sizes, so that prepared statements stay few.
const CHUNKS: [usize; 9] = [256, 128, 64, 32, 16, 8, 4, 2, 1];

/// One connection. Every call blocks.
pub struct Conn(Kind);

enum Kind {
    Sqlite(Sqlite),
    Postgres(Box<Pg>),
}

/// One row of an answer.
pub struct Row<'a>(RowKind<'a>);

enum RowKind<'a> {
    Sqlite(&'a rusqlite::Row<'a>),
    Postgres(&'a ::postgres::Row),
}

impl Row<'_> {
    /// The value of a column, counted from 0.
    pub fn get<T: FromValue>(&self, index: usize) -> Result<T> {
        let value = match &self.0 {
            RowKind::Sqlite(row) => sqlite::value(row, index)?,
            RowKind::Postgres(row) => postgres::value(row, index)?,
        };
        T::from_value(value).ok_or(Error::Internal("a column of another type"))
    }
}

impl Conn {
    pub(crate) fn of_sqlite(connection: rusqlite::Connection) -> Conn {
        Conn(Kind::Sqlite(Sqlite::new(connection)))
    }

    /// A connection for transactions that write. They wait for a standby as long as it takes: giving up would
    /// acknowledge what it may not have.
    pub(crate) fn writer(place: &Place) -> Result<Conn> {
        Ok(Conn(Kind::Postgres(Box::new(Pg::connect(place, "0")?))))
    }

    pub(crate) fn reader(place: &Place) -> Result<Conn> {
        let conn = Conn(Kind::Postgres(Box::new(Pg::connect(place, "60s")?)));
        // For what may be lost with the server, like the requests that were seen before.
        let _ = conn.batch("SET synchronous_commit = off");
        Ok(conn)
    }

    /// For what only SQLite can: copying the whole database.
    pub(crate) fn sqlite(&self) -> Result<&rusqlite::Connection> {
        match &self.0 {
            Kind::Sqlite(sqlite) => Ok(&sqlite.connection),
            Kind::Postgres(_) => Err(Error::Internal("SQLite alone can do this")),
        }
    }

    pub fn is_postgres(&self) -> bool {
        matches!(self.0, Kind::Postgres(_))
    }

    /// Whether it is of no use any more.
    pub(crate) fn is_broken(&self) -> bool {
        match &self.0 {
            Kind::Sqlite(sqlite) => sqlite.is_broken(),
            Kind::Postgres(postgres) => postgres.is_broken(),
        }
    }

    /// Runs a statement and says how many rows it wrote.
    pub fn execute(&self, sql: &str, args: &[Value]) -> Result<usize> {
        match &self.0 {
            Kind::Sqlite(sqlite) => sqlite.execute(sql, args),
            Kind::Postgres(postgres) => postgres.execute(sql, args),
        }
    }

    /// The first row, if there is one.
    pub fn one<T>(
        &self,
        sql: &str,
        args: &[Value],
        read: impl FnOnce(&Row) -> Result<T>,
    ) -> Result<Option<T>> {
        let (mut read, mut found) = (Some(read), None);
        self.each(sql, args, |row| {
            found = read.take().map(|read| read(row)).transpose()?;
            Ok(false)
        })?;
        Ok(found)
    }

    /// The row of a statement that always has one.
    pub fn only<T>(&self, sql: &str, args: &[Value], read: impl FnOnce(&Row) -> Result<T>) -> Result<T> {
        self.one(sql, args, read)?.ok_or(Error::Internal("a row is missing"))
    }

    /// All rows.
    pub fn all<T>(
        &self,
        sql: &str,
        args: &[Value],
        mut read: impl FnMut(&Row) -> Result<T>,
    ) -> Result<Vec<T>> {
        let mut all = Vec::new();
        self.each(sql, args, |row| {
            all.push(read(row)?);
            Ok(true)
        })?;
        Ok(all)
    }

    /// Whether there is any row.
    pub fn exists(&self, sql: &str, args: &[Value]) -> Result<bool> {
        Ok(self.one(sql, args, |_| Ok(()))?.is_some())
    }

    /// Row by row, until `take` returns false. The connection may be used meanwhile. PostgreSQL sends all rows first:
    /// what may be many is asked for in pieces.
    pub fn each(&self, sql: &str, args: &[Value], mut take: impl FnMut(&Row) -> Result<bool>) -> Result<()> {
        match &self.0 {
            Kind::Sqlite(sqlite) => sqlite.each(sql, args, |row| take(&Row(RowKind::Sqlite(row)))),
            Kind::Postgres(postgres) => {
                for row in postgres.query(sql, args)? {
                    if !take(&Row(RowKind::Postgres(&row)))? {
                        break;
                    }
                }
                Ok(())
            }
        }
    }

    /// Asks about many keys at once: `sql` names them as the column `key` of a table `asked`, and begins its own
    /// parameters, `fixed`, at `?1`. Keys are bytes; an empty one may be asked for beside them, which names nothing. Order
    /// holds only among rows of one key.
    pub fn all_of<T>(
        &self,
        sql: &str,
        fixed: &[Value],
        keys: &[Value],
        mut read: impl FnMut(&Row) -> Result<T>,
    ) -> Result<Vec<T>> {
        let (mut rest, mut all) = (keys, Vec::new());
        while !rest.is_empty() {
            let (now, later) = rest.split_at(rest.len().min(CHUNKS[0]));
            let size = now.len().next_power_of_two();
            let places: Vec<String> = (1..=size).map(|place| format!("(?{})", fixed.len() + place)).collect();
            let sql = format!("WITH asked (key) AS (VALUES {}) {sql}", places.join(", "));
            let padding = vec![Value::Bytes(&[]); size - now.len()];
            let args: Vec<Value> = fixed.iter().chain(now).chain(&padding).copied().collect();
            self.each(&sql, &args, |row| {
                all.push(read(row)?);
                Ok(true)
            })?;
            rest = later;
        }
        Ok(all)
    }

    /// Writes rows of `columns` values each, laid end to end: `head` is the statement up to `VALUES`, `tail` what comes
    /// behind. What `RETURNING` says is read in the order of the rows on SQLite and PostgreSQL, but promised by neither:
    /// ask for enough to tell.
    pub fn insert_many<T>(
        &self,
        head: &str,
        tail: &str,
        columns: usize,
        values: &[Value],
        mut read: impl FnMut(&Row) -> Result<T>,
    ) -> Result<Vec<T>> {
        let (mut rest, mut all) = (values, Vec::new());
        while !rest.is_empty() {
            let rows = rest.len() / columns;
            let size = CHUNKS.into_iter().find(|size| *size <= rows).unwrap_or(1);
            let (now, later) = rest.split_at(size * columns);
            let row = format!("({})", vec!["?"; columns].join(", "));
            let sql = format!("{head} VALUES {} {tail}", vec![row.as_str(); size].join(", "));
            self.each(&sql, now, |row| {
                all.push(read(row)?);
                Ok(true)
            })?;
            rest = later;
        }
        Ok(all)
    }

    /// Keeps all others from writing any team's log until the transaction ends. SQLite has one writer.
    pub(crate) fn lock_all(&self) -> Result<()> {
        match self.is_postgres() {
            true => self.all("SELECT n FROM team ORDER BY n FOR UPDATE", &[], |_| Ok(())).map(drop),
            false => Ok(()),
        }
    }

    /// Keeps others from a row of this table until the transaction ends, and waits for whoever has it.
    pub(crate) fn lock(&self, table: &'static str) -> Result<()> {
        match self.is_postgres() {
            true => self.all(&format!("SELECT 1 FROM {table} FOR UPDATE"), &[], |_| Ok(())).map(drop),
            false => Ok(()),
        }
    }

    /// Begins a transaction that writes one team's log, if any, once nobody else does. What was read of the team before
    /// counts no more. One message on PostgreSQL.
    pub(super) fn begin_for(&self, team: Option<RecordId>) -> Result<()> {
        match (&self.0, team) {
            (Kind::Postgres(postgres), Some(team)) => postgres.batch(&format!(
                "BEGIN ISOLATION LEVEL READ COMMITTED; SELECT 1 FROM team WHERE id = decode('{}', 'hex') FOR UPDATE",
                HEXLOWER.encode(team.as_bytes())
            )),
            _ => self.begin(),
        }
    }

    /// Commits together with a mark, by which it can be told that this was done. In one message.
    pub(super) fn commit_marked(&self, mark: &str) -> Result<()> {
        self.batch(&format!("INSERT INTO done (mark) VALUES ('{mark}'); COMMIT"))
    }

    /// Begins a transaction that writes.
    pub(super) fn begin(&self) -> Result<()> {
        match &self.0 {
            Kind::Sqlite(sqlite) => sqlite.batch("BEGIN IMMEDIATE"),
            Kind::Postgres(postgres) => postgres.batch("BEGIN ISOLATION LEVEL READ COMMITTED"),
        }
    }

    /// Begins one that reads, all of it at one moment.
    pub(super) fn begin_read(&self) -> Result<()> {
        match &self.0 {
            Kind::Sqlite(sqlite) => sqlite.batch("BEGIN"),
            Kind::Postgres(postgres) => postgres.batch("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"),
        }
    }

    /// Does something in a transaction of its own.
    pub(crate) fn alone<T>(&self, work: impl FnOnce(&Conn) -> Result<T>) -> Result<T> {
        self.begin()?;
        let done = work(self).and_then(|done| self.commit().map(|()| done));
        if done.is_err() {
            let _ = self.rollback();
        }
        done
    }

    /// Reads, all of it at one moment, where others go on writing.
    pub(crate) fn at_one_moment<T>(&self, work: impl FnOnce(&Conn) -> Result<T>) -> Result<T> {
        self.begin_read()?;
        let done = work(self);
        self.rollback()?;
        done
    }

    /// From the next number on the database gives out numbers of its own again, after rows were written with theirs.
    pub(super) fn number_on(&self, table: &str) -> Result<()> {
        if !self.is_postgres() {
            return Ok(());
        }
        let sql = format!("SELECT coalesce(max(n), 0) + 1 FROM {table}");
        let next: u64 = self.only(&sql, &[], |row| row.get(0))?;
        self.batch(&format!("ALTER TABLE {table} ALTER COLUMN n RESTART WITH {next}"))
    }

    pub(super) fn savepoint(&self) -> Result<()> {
        self.batch("SAVEPOINT job")
    }

    /// Undoes what was done since the savepoint.
    pub(super) fn back(&self) -> Result<()> {
        self.batch("ROLLBACK TO SAVEPOINT job")
    }

    pub(super) fn release(&self) -> Result<()> {
        self.batch("RELEASE SAVEPOINT job")
    }

    pub(super) fn commit(&self) -> Result<()> {
        self.batch("COMMIT")
    }

    pub(super) fn rollback(&self) -> Result<()> {
        match &self.0 {
            // Some errors end a transaction by themselves.
            Kind::Sqlite(sqlite) if sqlite.connection.is_autocommit() => Ok(()),
            _ => self.batch("ROLLBACK"),
        }
    }

    /// Asks for hints on a channel.
    pub(super) fn listen(&self, channel: &'static str) -> Result<()> {
        self.batch(&format!("LISTEN {channel}"))
    }

    /// Hints that came, after waiting for one for some time.
    pub(super) fn hints(&self, wait: Duration) -> Result<Vec<String>> {
        match &self.0 {
            Kind::Sqlite(_) => Ok(Vec::new()),
            Kind::Postgres(postgres) => postgres.hints(wait),
        }
    }

    /// Statements without parameters or rows.
    pub(super) fn batch(&self, sql: &str) -> Result<()> {
        match &self.0 {
            Kind::Sqlite(sqlite) => sqlite.batch(sql),
            Kind::Postgres(postgres) => postgres.batch(sql),
        }
    }
}
