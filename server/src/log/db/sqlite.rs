//! The embedded database.

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{ToSql, params_from_iter};

use super::Value;
use crate::error::{Error, Result};

pub struct Sqlite(pub rusqlite::Connection);

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
    pub fn execute(&self, sql: &str, args: &[Value]) -> Result<usize> {
        Ok(self.0.prepare_cached(sql)?.execute(params_from_iter(args))?)
    }

    pub fn each(
        &self,
        sql: &str,
        args: &[Value],
        mut take: impl FnMut(&rusqlite::Row) -> Result<bool>,
    ) -> Result<()> {
        let mut statement = self.0.prepare_cached(sql)?;
        let mut rows = statement.query(params_from_iter(args))?;
        while let Some(row) = rows.next()? {
            if !take(row)? {
                break;
            }
        }
        Ok(())
    }

    pub fn batch(&self, sql: &str) -> Result<()> {
        Ok(self.0.prepare_cached(sql)?.execute([]).map(drop)?)
    }
}
