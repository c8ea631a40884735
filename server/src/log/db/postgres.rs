//! A connection to PostgreSQL, or to an engine that speaks like it.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use ::postgres::fallible_iterator::FallibleIterator;
use ::postgres::types::{IsNull, ToSql, Type, to_sql_checked};
use ::postgres::{Client, Row, Statement};
use bytes::BytesMut;

use super::{Place, Value};
use crate::error::{Error, Result};

/// Statements are texts of this program and few. More than this would be a mistake, and memory on the other side.
const STATEMENTS: usize = 512;

/// What every connection is told first. An engine that does not know one of these goes without it.
const SETTINGS: [&str; 3] = [
    // Whoever is stopped in the middle of a commit, or cut off, must not keep the others waiting for long.
    "SET idle_in_transaction_session_timeout = '30s'",
    "SET lock_timeout = '20s'",
    "SET client_min_messages = 'warning'",
];

/// Connections of this process that were made, and that could not be.
pub static CONNECTED: AtomicU64 = AtomicU64::new(0);
pub static NOT_CONNECTED: AtomicU64 = AtomicU64::new(0);

pub struct Pg {
    client: RefCell<Client>,
    /// Prepared ones, by the text in which they are written here.
    statements: RefCell<HashMap<String, Statement>>,
}

impl Pg {
    /// `patience` is how long one statement may take, as PostgreSQL writes it; 0 for any time.
    pub fn connect(place: &Place, patience: &str) -> Result<Pg> {
        let connected = place.config.connect(place.tls.clone());
        let counted = if connected.is_ok() { &CONNECTED } else { &NOT_CONNECTED };
        counted.fetch_add(1, Relaxed);
        let mut client = connected?;
        let patience = format!("SET statement_timeout = '{patience}'");
        for setting in SETTINGS.into_iter().chain([patience.as_str()]) {
            let _ = client.batch_execute(setting);
        }
        Ok(Pg { client: RefCell::new(client), statements: RefCell::default() })
    }

    pub fn is_broken(&self) -> bool {
        self.client.borrow().is_closed()
    }

    pub fn execute(&self, sql: &str, args: &[Value]) -> Result<usize> {
        let statement = self.prepare(sql, args)?;
        let written = self.client.borrow_mut().execute(&statement, &borrowed(args))?;
        usize::try_from(written).map_err(|_| Error::Internal("a number of rows"))
    }

    pub fn query(&self, sql: &str, args: &[Value]) -> Result<Vec<Row>> {
        let statement = self.prepare(sql, args)?;
        Ok(self.client.borrow_mut().query(&statement, &borrowed(args))?)
    }

    /// Statements without parameters or rows.
    pub fn batch(&self, sql: &str) -> Result<()> {
        Ok(self.client.borrow_mut().batch_execute(sql)?)
    }

    pub fn hints(&self, wait: Duration) -> Result<Vec<String>> {
        let mut client = self.client.borrow_mut();
        let mut notifications = client.notifications();
        let mut hints: Vec<String> =
            notifications.timeout_iter(wait).take(1).map(|hint| Ok(hint.payload().to_owned())).collect()?;
        hints.extend(notifications.iter().map(|hint| Ok(hint.payload().to_owned())).collect::<Vec<_>>()?);
        Ok(hints)
    }

    fn prepare(&self, sql: &str, args: &[Value]) -> Result<Statement> {
        if let Some(statement) = self.statements.borrow().get(sql) {
            return Ok(statement.clone());
        }
        let types: Vec<Type> = args.iter().map(|value| type_of(*value)).collect();
        let statement = self.client.borrow_mut().prepare_typed(&numbered(sql), &types)?;
        let mut statements = self.statements.borrow_mut();
        if statements.len() >= STATEMENTS {
            statements.clear();
        }
        statements.insert(sql.to_owned(), statement.clone());
        Ok(statement)
    }
}

fn borrowed<'a>(args: &'a [Value<'a>]) -> Vec<&'a (dyn ToSql + Sync)> {
    args.iter().map(|value| value as _).collect()
}

/// The database finds out what a null is one of.
fn type_of(value: Value) -> Type {
    match value {
        Value::Null => Type::UNKNOWN,
        Value::Int(_) => Type::INT8,
        Value::Text(_) => Type::TEXT,
        Value::Bytes(_) => Type::BYTEA,
    }
}

/// `?` and `?1` as `$1`.
fn numbered(sql: &str) -> String {
    let (mut out, mut last) = (String::with_capacity(sql.len() + 16), 0);
    let mut pieces = sql.split('?');
    out.push_str(pieces.next().unwrap_or_default());
    for piece in pieces {
        let digits = piece.bytes().take_while(u8::is_ascii_digit).count();
        let (number, rest) = piece.split_at(digits);
        last = number.parse().unwrap_or(last + 1);
        out.push_str(&format!("${last}{rest}"));
    }
    out
}

impl ToSql for Value<'_> {
    fn to_sql(
        &self,
        ty: &Type,
        out: &mut BytesMut,
    ) -> std::result::Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match (*self, ty) {
            (Value::Null, _) => Ok(IsNull::Yes),
            (Value::Int(number), &Type::INT4) => i32::try_from(number)?.to_sql(ty, out),
            (Value::Int(number), &Type::INT8) => number.to_sql(ty, out),
            (Value::Text(text), &Type::TEXT | &Type::VARCHAR) => text.to_sql(ty, out),
            (Value::Bytes(bytes), &Type::BYTEA) => bytes.to_sql(ty, out),
            _ => Err("a parameter of another type".into()),
        }
    }

    fn accepts(ty: &Type) -> bool {
        matches!(*ty, Type::INT4 | Type::INT8 | Type::TEXT | Type::VARCHAR | Type::BYTEA)
    }

    to_sql_checked!();
}

pub fn value(row: &Row, index: usize) -> Result<Value<'_>> {
    let column = row.columns().get(index).ok_or(Error::Internal("a column that is not there"))?;
    let value = match *column.type_() {
        Type::INT8 => row.try_get::<_, Option<i64>>(index)?.map(Value::Int),
        Type::INT4 => row.try_get::<_, Option<i32>>(index)?.map(|number| Value::Int(number.into())),
        Type::BOOL => row.try_get::<_, Option<bool>>(index)?.map(|truth| Value::Int(truth.into())),
        Type::BYTEA => row.try_get::<_, Option<&[u8]>>(index)?.map(Value::Bytes),
        Type::TEXT | Type::VARCHAR => row.try_get::<_, Option<&str>>(index)?.map(Value::Text),
        _ => return Err(Error::Internal("a column of another type")),
    };
    Ok(value.unwrap_or(Value::Null))
}

#[cfg(test)]
mod tests {
    use super::numbered;

    #[test]
    fn parameters_are_numbered_as_sqlite_numbers_them() {
        assert_eq!(numbered("SELECT 1"), "SELECT 1");
        assert_eq!(numbered("a = ? AND b = ?"), "a = $1 AND b = $2");
        assert_eq!(numbered("(?1, ?2, ?12, ?2)"), "($1, $2, $12, $2)");
        assert_eq!(numbered("?2, ?"), "$2, $3");
    }
}
