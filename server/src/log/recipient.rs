//! Who is given pseudonymised extracts, each with a secret of its own.

use wayside_protocol::error::Code;

use super::db::{Conn, Row, args};
use crate::error::{Error, Result};

/// An organisation, or a purpose within one, whose pseudonyms nobody else shares.
#[derive(Clone, PartialEq, Eq)]
pub struct Recipient {
    pub n: i64,
    pub name: String,
    /// Half of what its pseudonyms are made with.
    pub secret: [u8; 32],
    /// Milliseconds since 1970.
    pub made_at: u64,
    pub ended_at: Option<u64>,
}

const COLUMNS: &str = "n, name, secret, made_at, ended_at FROM recipient";
const MAX_NAME: usize = 100;

fn recipient(row: &Row) -> Result<Recipient> {
    Ok(Recipient {
        n: row.get(0)?,
        name: row.get(1)?,
        secret: row.get(2)?,
        made_at: row.get(3)?,
        ended_at: row.get(4)?,
    })
}

/// In the order in which they were added, those that have ended among them.
pub fn recipients(conn: &Conn) -> Result<Vec<Recipient>> {
    conn.all(&format!("SELECT {COLUMNS} ORDER BY n"), &[], recipient)
}

/// One that is given extracts. [`Code::RecipientUnknown`] where there is none, or no longer.
pub fn recipient_by_number(conn: &Conn, n: i64) -> Result<Recipient> {
    let sql = format!("SELECT {COLUMNS} WHERE n = ? AND ended_at IS NULL");
    conn.one(&sql, args![n], recipient)?.ok_or(Code::RecipientUnknown.into())
}

/// The same by its name.
pub fn recipient_by_name(conn: &Conn, name: &str) -> Result<Recipient> {
    let sql = format!("SELECT {COLUMNS} WHERE name = ? AND ended_at IS NULL");
    conn.one(&sql, args![name.trim()], recipient)?.ok_or(Code::RecipientUnknown.into())
}

/// Adds one and returns its number. A name is never used twice, not even of one that has ended: its pseudonyms are others.
pub fn add_recipient(conn: &Conn, name: &str, secret: &[u8; 32], now: u64) -> Result<i64> {
    let name = name.trim();
    if name.is_empty() || name.chars().count() > MAX_NAME || name.chars().any(char::is_control) {
        let message = format!("A recipient's name is one line of 1 to {MAX_NAME} characters.");
        return Err(Error::Said(Code::OutOfRange, message));
    }
    let sql = "INSERT INTO recipient (name, secret, made_at) VALUES (?, ?, ?) ON CONFLICT (name) DO NOTHING";
    if conn.execute(sql, args![name, secret, now])? == 0 {
        return Err(Code::RecipientExists.into());
    }
    conn.only("SELECT n FROM recipient WHERE name = ?", args![name], |row| row.get(0))
}

/// Ends it: its secret goes, and with it whoever could tell who its pseudonyms stand for.
pub fn end_recipient(conn: &Conn, n: i64, now: u64) -> Result<()> {
    let nothing = [0_u8; 32];
    let sql = "UPDATE recipient SET ended_at = ?, secret = ? WHERE n = ? AND ended_at IS NULL";
    match conn.execute(sql, args![now, nothing, n])? {
        0 => Err(Code::RecipientUnknown.into()),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Site;

    #[test]
    fn a_recipient_has_a_name_for_ever_and_a_secret_until_it_ends() {
        for site in [Some(Site::new()), Site::shared()].into_iter().flatten() {
            let log = &site.base.log;
            let add = |name: &'static str| log.write(move |txn| add_recipient(txn.conn, name, &[7; 32], 1));
            let n = add(" Public health ").unwrap();
            assert_eq!(add("Public health").unwrap_err().code(), Code::RecipientExists);
            let found = log.read(|conn| recipient_by_name(conn, "Public health")).unwrap();
            assert_eq!((found.n, found.secret, found.ended_at), (n, [7; 32], None));
            log.write(move |txn| end_recipient(txn.conn, n, 2)).unwrap();
            assert!(log.read(|conn| recipient_by_number(conn, n)).is_err());
            let all = log.read(recipients).unwrap();
            assert_eq!((all.len(), all[0].secret, all[0].ended_at), (1, [0; 32], Some(2)));
            assert_eq!(add("Public health").unwrap_err().code(), Code::RecipientExists);
            let again = log.write(move |txn| end_recipient(txn.conn, n, 3));
            assert_eq!(again.unwrap_err().code(), Code::RecipientUnknown);
        }
    }
}
