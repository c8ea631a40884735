//! The embedded database.

use std::cell::Cell;

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{ErrorCode, ToSql, params_from_iter};

use super::Value;
use crate::error::{Error, Result};

pub struct Sqlite {
    pub connection: rusqlite::Connection,
    /// Its file failed in its hands: what it has read before may not be what lies there.
    broken: Cell<bool>,
}

impl ToSql for Value<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Value::Null => ValueRef::Null,
            Value::Int(number) => ValueRef::Integer(*number),
            Value::Text(text) => ValueRef::Text(text.as_bytes()),
            Value::Bytes(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

pub fn value<'a>(row: &'a rusqlite::Row, index: usize) -> Result<Value<'a>> {
    Ok(match row.get_ref(index)? {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => Value::Int(number),
        ValueRef::Text(text) => {
            Value::Text(std::str::from_utf8(text).map_err(|_| Error::Internal("text that is none"))?)
        }
        ValueRef::Blob(bytes) => Value::Bytes(bytes),
        ValueRef::Real(_) => return Err(Error::Internal("a column of another type")),
    })
}

impl Sqlite {
    pub fn new(connection: rusqlite::Connection) -> Sqlite {
        Sqlite { connection, broken: Cell::new(false) }
    }

    pub fn is_broken(&self) -> bool {
        self.broken.get()
    }

    fn seen<T>(&self, done: rusqlite::Result<T>) -> Result<T> {
        use ErrorCode::{CannotOpen, DatabaseCorrupt, FileLockingProtocolFailed, ReadOnly, SystemIoFailure};
        let failed = |error: &rusqlite::Error| {
            matches!(
                error.sqlite_error_code(),
                Some(SystemIoFailure | ReadOnly | CannotOpen | DatabaseCorrupt | FileLockingProtocolFailed)
            )
        };
        Ok(done.inspect_err(|error| self.broken.set(self.broken.get() || failed(error)))?)
    }

    pub fn execute(&self, sql: &str, args: &[Value]) -> Result<usize> {
        let execute = || self.connection.prepare_cached(sql)?.execute(params_from_iter(args));
        self.seen(execute())
    }

    pub fn each(
        &self,
        sql: &str,
        args: &[Value],
        mut take: impl FnMut(&rusqlite::Row) -> Result<bool>,
    ) -> Result<()> {
        let mut statement = self.seen(self.connection.prepare_cached(sql))?;
        let mut rows = self.seen(statement.query(params_from_iter(args)))?;
        while let Some(row) = self.seen(rows.next())? {
            if !take(row)? {
                break;
            }
        }
        Ok(())
    }

    pub fn batch(&self, sql: &str) -> Result<()> {
        self.execute(sql, &[]).map(drop)
    }
}
