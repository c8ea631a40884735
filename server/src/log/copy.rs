//! A whole log, copied from one moment of it into an empty database, whichever engine is on either side.
//!
//! All of it in one transaction: a copy that broke off left nothing behind.

use wayside_protocol::error::Code;

use super::db::{Conn, FromValue, ToValue, Value};
use crate::error::{Error, Result};

/// Rows that are read at once. The longest hold a change, of 64 kB at most.
const PAGE: usize = 256;

/// What is copied of a table, and the columns that it is read by, page by page. A row names only rows of tables before
/// its own. A test holds this against both schemas, so that nothing is forgotten.
struct Table {
    name: &'static str,
    columns: &'static [&'static str],
    key: &'static [&'static str],
}

const TABLES: &[Table] = &[
    Table { name: "team", columns: &["n", "id", "name", "epoch", "head", "created_at"], key: &["n"] },
    Table { name: "signed_list", columns: &["n", "team", "author", "signature", "items"], key: &["n"] },
    Table { name: "actor", columns: &["n", "actor", "author"], key: &["n"] },
    Table {
        name: "record",
        columns: &["n", "record", "team", "kind", "changes", "bytes", "archived"],
        key: &["n"],
    },
    Table {
        name: "log",
        columns: &[
            "team",
            "seq",
            "record",
            "hash",
            "actor",
            "actor_seq",
            "raw",
            "list",
            "received_at",
            "sum",
            "count",
        ],
        key: &["team", "seq"],
    },
    Table {
        name: "entry",
        columns: &["team", "seq", "what", "record", "made_at", "made_by", "sum", "count"],
        key: &["team", "seq"],
    },
    Table {
        name: "quarantine",
        columns: &[
            "n",
            "team",
            "record",
            "hash",
            "raw",
            "code",
            "path",
            "message",
            "tablet",
            "author",
            "list",
            "received_at",
        ],
        key: &["n"],
    },
    Table {
        name: "waiting",
        columns: &["n", "team", "record", "hash", "raw", "tablet", "author", "list", "received_at"],
        key: &["n"],
    },
    Table {
        name: "waiting_for",
        columns: &["team", "record", "missing", "waiting"],
        key: &["team", "record", "missing", "waiting"],
    },
    Table {
        name: "tablet",
        columns: &[
            "n",
            "id",
            "public_key",
            "name",
            "certificate",
            "enrolled_at",
            "last_seen_at",
            "clock_skew_ms",
            "token_shown",
            "token_given",
            "waiting",
            "capabilities",
            "revoked_at",
            "ordered_at",
            "replaced_by",
        ],
        key: &["n"],
    },
    Table { name: "tablet_left", columns: &["tablet", "team", "since"], key: &["tablet", "team"] },
    Table { name: "tablet_team", columns: &["tablet", "team", "since"], key: &["tablet", "team"] },
    Table {
        name: "enrol_code",
        columns: &["secret", "team", "created_at", "expires_at", "used_by", "used_at"],
        key: &["secret"],
    },
    Table {
        name: "account",
        columns: &["n", "name", "role", "password", "created_at", "disabled_at", "by_team"],
        key: &["n"],
    },
    Table { name: "account_role", columns: &["account", "team", "role"], key: &["account", "team"] },
    Table {
        name: "api_token",
        columns: &[
            "n",
            "digest",
            "account",
            "name",
            "scopes",
            "created_at",
            "expires_at",
            "used_at",
            "revoked_at",
            "wrote_team",
            "wrote_epoch",
            "wrote_seq",
        ],
        key: &["n"],
    },
    Table {
        name: "second_factor",
        columns: &["account", "salt", "confirmed_at", "last_step"],
        key: &["account"],
    },
    Table { name: "recovery_code", columns: &["account", "digest"], key: &["account", "digest"] },
    Table {
        name: "known_address",
        columns: &["account", "address", "last_at"],
        key: &["account", "address"],
    },
    Table {
        name: "login",
        columns: &["token", "account", "began_at", "used_at", "wrote_team", "wrote_epoch", "wrote_seq"],
        key: &["token"],
    },
    Table { name: "sign_in_link", columns: &["code", "account", "expires_at"], key: &["code"] },
    Table {
        name: "answered",
        columns: &["account", "key", "request", "record", "at", "status", "answer"],
        key: &["account", "key"],
    },
    Table { name: "claim", columns: &["record", "account", "at", "expires_at"], key: &["record"] },
    Table { name: "held_seen", columns: &["quarantine", "account", "at"], key: &["quarantine"] },
    Table { name: "keeper", columns: &["one", "identity", "ledger", "position"], key: &["one"] },
    Table { name: "restore_point", columns: &["n", "made_at"], key: &["n"] },
    Table { name: "restore_point_head", columns: &["point", "team", "head"], key: &["point", "team"] },
    Table { name: "alarm", columns: &["n", "code", "tablet", "first_at", "last_at", "times"], key: &["n"] },
    Table { name: "erased", columns: &["record"], key: &["record"] },
    Table {
        name: "audit",
        columns: &[
            "n", "at", "who", "act", "record", "reason", "account", "address", "place", "salt", "digest",
            "hash",
        ],
        key: &["n"],
    },
    Table { name: "audit_head", columns: &["one", "place", "hash"], key: &["one"] },
    Table {
        name: "erase_request",
        columns: &["person", "account", "reason", "asked_at", "expires_at"],
        key: &["person"],
    },
    Table { name: "recipient", columns: &["n", "name", "secret", "made_at", "ended_at"], key: &["n"] },
];

/// A value on its way from one database to another.
enum Held {
    Null,
    Int(i64),
    Text(String),
    Bytes(Vec<u8>),
}

impl FromValue for Held {
    fn from_value(value: Value) -> Option<Self> {
        Some(match value {
            Value::Null => Held::Null,
            Value::Int(number) => Held::Int(number),
            Value::Text(text) => Held::Text(text.to_owned()),
            Value::Bytes(bytes) => Held::Bytes(bytes.to_vec()),
        })
    }
}

impl ToValue for Held {
    fn to_value(&self) -> Value<'_> {
        match self {
            Held::Null => Value::Null,
            Held::Int(number) => Value::Int(*number),
            Held::Text(text) => Value::Text(text),
            Held::Bytes(bytes) => Value::Bytes(bytes),
        }
    }
}

/// Copies everything that `from` holds into `to`, inside the transactions that both are in. `told` hears how many rows
/// were written so far. Refuses a log that is not empty.
pub fn copy_all(from: &Conn, to: &Conn, told: &mut dyn FnMut(u64)) -> Result<u64> {
    if to.exists("SELECT n FROM team LIMIT 1", &[])? || to.exists("SELECT one FROM keeper LIMIT 1", &[])? {
        return Err(Error::Refused(Code::DataNotEmpty));
    }
    let mut written = 0;
    for table in TABLES {
        let before = written;
        copy_table(from, to, table, &mut written, told)?;
        let sql = format!("SELECT count(*) FROM {}", table.name);
        let held: u64 = to.only(&sql, &[], |row| row.get(0))?;
        if held != written - before {
            return Err(Error::Internal("a copied table has other rows"));
        }
        if table.key == ["n"] {
            to.number_on(table.name)?;
        }
    }
    Ok(written)
}

fn copy_table(
    from: &Conn,
    to: &Conn,
    table: &Table,
    written: &mut u64,
    told: &mut dyn FnMut(u64),
) -> Result<()> {
    let Table { name, columns, key } = table;
    let (width, keys, columns_list) = (columns.len(), key.join(", "), columns.join(", "));
    let marks = vec!["?"; key.len()].join(", ");
    let insert = format!("INSERT INTO {name} ({columns_list})");
    let mut last: Vec<Held> = Vec::new();
    loop {
        let after = if last.is_empty() { String::new() } else { format!("WHERE ({keys}) > ({marks})") };
        let sql = format!("SELECT {columns_list} FROM {name} {after} ORDER BY {keys} LIMIT {PAGE}");
        let mut page: Vec<Held> = Vec::new();
        let place: Vec<Value> = last.iter().map(Held::to_value).collect();
        from.each(&sql, &place, |row| {
            for column in 0..width {
                page.push(row.get(column)?);
            }
            Ok(true)
        })?;
        let rows = page.len() / width;
        let values: Vec<Value> = page.iter().map(Held::to_value).collect();
        to.insert_many(&insert, "", width, &values, |_| Ok(()))?;
        *written += rows as u64;
        told(*written);
        if rows < PAGE {
            return Ok(());
        }
        let of_last = page.drain((rows - 1) * width..).zip(*columns);
        let mut of_last: Vec<_> = of_last.filter(|(_, column)| key.contains(column)).collect();
        of_last.sort_by_key(|(_, column)| key.iter().position(|name| name == *column));
        last = of_last.into_iter().map(|(value, _)| value).collect();
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::testing::Site;

    /// What lives for a moment, or says something of this very database.
    const LEFT: [&str; 6] = ["seal", "done", "nonce", "turn", "given_up", "wayside_schema"];

    /// Every table's columns; SQLite's own numbers of rows that the other does without are left.
    fn columns(conn: &Conn) -> BTreeSet<(String, String)> {
        let sql = match conn.is_postgres() {
            true => {
                "SELECT CAST(table_name AS TEXT), CAST(column_name AS TEXT) FROM information_schema.columns
                     WHERE table_schema = 'public'"
            }
            false => {
                "SELECT m.name, c.name FROM sqlite_schema AS m JOIN pragma_table_info(m.name) AS c
                      WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%'"
            }
        };
        let all = conn.all(sql, &[], |row| Ok((row.get::<String>(0)?, row.get::<String>(1)?))).unwrap();
        let own = |(table, column): &(String, String)| {
            matches!((table.as_str(), column.as_str()), ("log" | "entry", "n"))
                || LEFT.contains(&table.as_str())
        };
        all.into_iter().filter(|found| !own(found)).collect()
    }

    #[test]
    fn every_column_of_both_schemas_is_copied() {
        let copied: BTreeSet<(String, String)> = TABLES
            .iter()
            .flat_map(|table| {
                table.columns.iter().map(|column| (table.name.to_owned(), (*column).to_owned()))
            })
            .collect();
        for site in [Some(Site::new()), Site::shared()].into_iter().flatten() {
            assert_eq!(site.base.log.read(|conn| Ok(columns(conn))).unwrap(), copied);
        }
    }
}
