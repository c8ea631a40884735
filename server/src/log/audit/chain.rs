//! Appending to the trail. Each row has a place and the SHA-256 of all that it says and of the row before it, so that
//! nothing can be altered, taken out or put in without all that follows being written anew. That, and a tail that was
//! cut off, shows by what the ledger notes of the chain.
//!
//! A reason is covered by its digest with a random salt: erasing somebody takes both away and leaves the chain whole.

use sha2::{Digest, Sha256};
use wayside_protocol::record::RecordId;

use super::super::db::{Conn, args};
use super::{Audited, COLUMNS, read};
use crate::error::Result;
use crate::random::random;

/// Where the chain ends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Head {
    /// The place of the last row, and so how many there are.
    pub place: u64,
    pub hash: [u8; 32],
}

/// Where the chain ends; before it began, at nothing.
pub fn head(conn: &Conn) -> Result<Head> {
    Ok(find(conn)?.unwrap_or_default())
}

pub(super) fn find(conn: &Conn) -> Result<Option<Head>> {
    conn.one("SELECT place, hash FROM audit_head", &[], |row| {
        Ok(Head { place: row.get(0)?, hash: row.get(1)? })
    })
}

/// Appends an act, inside the transaction that does it. Others who append wait for the end of that transaction.
pub fn audit(conn: &Conn, act: &Audited) -> Result<()> {
    audit_all(conn, std::slice::from_ref(act)).map(drop)
}

/// Appends acts in their order. Returns where the chain then ends.
pub fn audit_all(conn: &Conn, acts: &[Audited]) -> Result<Head> {
    let mut head = lock_head(conn)?;
    for act in acts {
        let (salt, digest) = salted(&act.reason);
        head = next(head, act, &digest);
        conn.execute(
            "INSERT INTO audit (at, who, account, address, act, record, reason, place, salt, digest, hash)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            args![
                act.at,
                &act.who,
                act.account,
                &act.address,
                &act.act,
                act.record,
                &act.reason,
                head.place,
                salt,
                digest,
                head.hash
            ],
        )?;
    }
    write_head(conn, head)?;
    Ok(head)
}

fn write_head(conn: &Conn, Head { place, hash }: Head) -> Result<()> {
    conn.execute("UPDATE audit_head SET place = ?, hash = ?", args![place, hash]).map(drop)
}

/// The head, kept from all others; the chain begins with the rows that were there before it.
fn lock_head(conn: &Conn) -> Result<Head> {
    conn.lock("audit_head")?;
    if let Some(head) = find(conn)? {
        return Ok(head);
    }
    let sql = "INSERT INTO audit_head (one, place, hash) VALUES (1, 0, ?) ON CONFLICT DO NOTHING";
    conn.execute(sql, args![Head::default().hash])?;
    conn.lock("audit_head")?;
    let mut head = head(conn)?;
    if head.place > 0 {
        // Somebody else began it meanwhile.
        return Ok(head);
    }
    let sql = format!("SELECT {COLUMNS}, n FROM audit WHERE place IS NULL ORDER BY n");
    for (n, act) in conn.all(&sql, &[], |row| Ok((row.get::<i64>(7)?, read(row)?)))? {
        let (salt, digest) = salted(&act.reason);
        head = next(head, &act, &digest);
        let sql = "UPDATE audit SET place = ?, salt = ?, digest = ?, hash = ? WHERE n = ?";
        conn.execute(sql, args![head.place, salt, digest, head.hash, n])?;
    }
    write_head(conn, head)?;
    Ok(head)
}

/// Chains the rows of a log that is older than the chain. Outside any transaction.
pub fn begin_if_needed(conn: &Conn) -> Result<()> {
    let waits = find(conn)?.is_none() && conn.exists("SELECT n FROM audit LIMIT 1", &[])?;
    if waits { conn.alone(|conn| lock_head(conn).map(drop)) } else { Ok(()) }
}

/// Takes away why people dealt with a record, as it is erased. Why it is erased stays.
pub fn forget_reasons(conn: &Conn, record: RecordId) -> Result<()> {
    let sql = "UPDATE audit SET reason = '', salt = NULL WHERE record = ? AND act <> 'erase'";
    conn.execute(sql, args![record]).map(drop)
}

fn salted(reason: &str) -> ([u8; 16], [u8; 32]) {
    let salt = random();
    (salt, digest_of(&salt, reason))
}

pub(super) fn digest_of(salt: &[u8; 16], reason: &str) -> [u8; 32] {
    Sha256::new().chain_update(salt).chain_update(reason).finalize().into()
}

/// Where the chain ends after one more row. Each text goes in behind its length, and what may be missing behind whether it
/// is there, so that no two rows go in alike.
pub(super) fn next(head: Head, act: &Audited, digest: &[u8; 32]) -> Head {
    let place = head.place + 1;
    let mut hash = Sha256::new();
    hash.update(head.hash);
    hash.update(place.to_be_bytes());
    hash.update(act.at.to_be_bytes());
    for text in [&act.who, &act.address, &act.act] {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text);
    }
    hash.update([u8::from(act.account.is_some()), u8::from(act.record.is_some())]);
    hash.update(act.account.unwrap_or_default().to_be_bytes());
    hash.update(act.record.map(|record| *record.as_bytes()).unwrap_or_default());
    hash.update(digest);
    Head { place, hash: hash.finalize().into() }
}
