//! Erasing a person by two administrators: one asks and says why, another confirms. What is erased is found anew then.

use wayside_protocol::error::Code;
use wayside_protocol::record::RecordId;

use super::access::reason;
use crate::archive;
use crate::base::Base;
use crate::error::Result;
use crate::log::db::{Conn, Row, args};
use crate::log::{self, Audited, By};

/// How long a request waits for the other.
const WAITS_MS: u64 = 7 * 24 * 60 * 60 * 1000;

/// That somebody wants a person erased.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EraseRequest {
    pub person: RecordId,
    /// The account that asked, by number and name.
    pub account: i64,
    pub by: String,
    pub reason: String,
    /// Milliseconds since 1970.
    pub asked_at: u64,
    pub expires_at: u64,
}

/// What asks for it must still be able to sign in.
const OPEN: &str = "SELECT person, erase_request.account, account.name, reason, asked_at, expires_at
    FROM erase_request JOIN account ON account.n = erase_request.account
    WHERE account.disabled_at IS NULL AND expires_at > ?1";

fn request(row: &Row) -> Result<EraseRequest> {
    Ok(EraseRequest {
        person: row.get(0)?,
        account: row.get(1)?,
        by: row.get(2)?,
        reason: row.get(3)?,
        asked_at: row.get(4)?,
        expires_at: row.get(5)?,
    })
}

fn find(conn: &Conn, person: RecordId, now: u64) -> Result<Option<EraseRequest>> {
    conn.one(&format!("{OPEN} AND person = ?2"), args![now, person], request)
}

/// Requests that wait, the oldest first. Blocks.
pub fn erase_requests(base: &Base) -> Result<Vec<EraseRequest>> {
    let now = base.clock.now_ms();
    base.log.read(|conn| conn.all(&format!("{OPEN} ORDER BY asked_at, person"), args![now], request))
}

/// The request about a person, if one waits. Blocks.
pub fn erase_request(base: &Base, person: RecordId) -> Result<Option<EraseRequest>> {
    let now = base.clock.now_ms();
    base.log.read(|conn| find(conn, person, now))
}

/// How many persons and contacts would be erased. Blocks.
pub fn erase_counts(base: &Base, person: RecordId) -> Result<(usize, usize)> {
    let erasure = archive::erasure(base, person)?;
    Ok((erasure.persons.len(), erasure.contacts.len()))
}

/// Asks. Refused where somebody else has asked already: they wait for a confirmation. Blocks.
pub fn ask_to_erase(base: &Base, by: &By, person: RecordId, why: &str) -> Result<()> {
    let (why, now) = (reason(why)?, base.clock.now_ms());
    let account = by.account.ok_or(Code::NotSignedIn)?;
    let act = Audited { record: Some(person), reason: why.clone(), ..by.does("erase_asked", now) };
    if archive::erasure(base, person)?.is_empty() {
        return Err(Code::RecordNotFound.into());
    }
    base.log.write(move |txn| {
        if find(txn.conn, person, now)?.is_some_and(|request| request.account != account) {
            return Err(Code::ChangedMeanwhile.into());
        }
        txn.conn.execute("DELETE FROM erase_request WHERE person = ? OR expires_at <= ?", args![person, now])?;
        txn.conn.execute(
            "INSERT INTO erase_request (person, account, reason, asked_at, expires_at) VALUES (?, ?, ?, ?, ?)",
            args![person, account, &why, now, now + WAITS_MS],
        )?;
        log::audit(txn.conn, &act)
    })
}

/// Confirms and erases. [`Code::EraseByTwo`] for whoever asked, [`Code::EraseUnasked`] where nobody did, or too long ago, or
/// somebody who may not sign in any more. Blocks.
pub fn confirm_erasure(base: &Base, by: &By, person: RecordId) -> Result<()> {
    let asked = erase_request(base, person)?.ok_or(Code::EraseUnasked)?;
    if Some(asked.account) == by.account {
        return Err(Code::EraseByTwo.into());
    }
    let erasure = archive::erasure(base, person)?;
    let who = format!("{}, confirmed by {}", asked.by, by.who);
    archive::erase(base, erasure, By { who, ..by.clone() }, &asked.reason)
}

/// Takes a request back: whoever asked, or any other administrator. Blocks.
pub fn refuse_erasure(base: &Base, by: &By, person: RecordId) -> Result<()> {
    let now = base.clock.now_ms();
    let act = Audited { record: Some(person), ..by.does("erase_refused", now) };
    base.log.write(move |txn| {
        find(txn.conn, person, now)?.ok_or(Code::EraseUnasked)?;
        txn.conn.execute("DELETE FROM erase_request WHERE person = ?", args![person])?;
        log::audit(txn.conn, &act)
    })
}
