//! A log that was copied away takes nothing more: what came to it would be lost.

use super::db::{Conn, args};
use crate::error::Result;

/// Closes a log to whatever would be written, for good unless it is opened again. Waits for everybody who is writing.
pub fn seal(conn: &Conn, now_ms: u64) -> Result<()> {
    conn.execute("UPDATE seal SET sealed_at = coalesce(sealed_at, ?)", args![now_ms])?;
    Ok(())
}

/// Opens it again.
pub fn unseal(conn: &Conn) -> Result<()> {
    conn.execute("UPDATE seal SET sealed_at = NULL", &[])?;
    Ok(())
}

/// Whether the log is sealed, asked in a transaction that writes: nobody seals it until that ends.
pub(super) fn is_sealed(conn: &Conn) -> Result<bool> {
    let sql = format!("SELECT sealed_at FROM seal {}", if conn.is_postgres() { "FOR SHARE" } else { "" });
    Ok(conn.only(&sql, &[], |row| row.get::<Option<u64>>(0))?.is_some())
}
