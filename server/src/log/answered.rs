//! What programs' requests were answered, so that one that comes again is not done again.

use wayside_protocol::record::RecordId;

use super::db::{Conn, args};
use crate::error::Result;

/// How long a request is known.
pub const ANSWERED_MS: u64 = 24 * 60 * 60 * 1000;

/// A request that names itself.
#[derive(Debug, Clone, Copy)]
pub struct Request {
    pub account: i64,
    /// SHA-256 of its name.
    pub key: [u8; 32],
    /// SHA-256 of what it asks for.
    pub digest: [u8; 32],
    pub record: Option<RecordId>,
}

/// What is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Before {
    /// Nothing: from now on it is known to have begun.
    Nothing,
    /// It began, and has no answer.
    Begun,
    /// It has this status and this answer.
    Answered(u16, Vec<u8>),
    /// Something else was asked under this name.
    Another,
}

/// Begins a request, if it has not been before. Of two at once, at whichever server, one begins.
pub fn begin(conn: &Conn, request: &Request, now: u64) -> Result<Before> {
    conn.execute("DELETE FROM answered WHERE at <= ?", args![now.saturating_sub(ANSWERED_MS)])?;
    let Request { account, key, digest, record } = request;
    let begun = conn.execute(
        "INSERT INTO answered (account, key, request, record, at, status, answer) VALUES (?, ?, ?, ?, ?, 0, ?)
         ON CONFLICT (account, key) DO NOTHING",
        args![account, key, digest, record, now, [0; 0]],
    )?;
    if begun == 1 {
        return Ok(Before::Nothing);
    }
    let (known, status, answer): ([u8; 32], u64, Vec<u8>) = conn.only(
        "SELECT request, status, answer FROM answered WHERE account = ? AND key = ?",
        args![account, key],
        |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
    )?;
    Ok(match u16::try_from(status) {
        _ if known != *digest => Before::Another,
        Ok(status @ 1..) => Before::Answered(status, answer),
        _ => Before::Begun,
    })
}

/// Notes what it was answered.
pub fn answered(conn: &Conn, request: &Request, status: u16, answer: &[u8]) -> Result<()> {
    conn.execute(
        "UPDATE answered SET status = ?3, answer = ?4 WHERE account = ?1 AND key = ?2",
        args![request.account, request.key, u64::from(status), answer],
    )?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;
    use crate::accounts::{self, Role};
    use crate::testing::{START, Site};

    fn asked(what: u8, record: Option<RecordId>) -> Request {
        Request { account: 1, key: [7; 32], digest: [what; 32], record }
    }

    fn is_known(site: &Site) {
        accounts::add(&site.base, "prog", Role::Viewer, "correct horse battery").unwrap();
        let log = &site.base.log;
        let begin =
            |request: Request, now: u64| log.write(move |txn| begin(txn.conn, &request, now)).unwrap();
        // Of many at once, one begins.
        let at_once: Vec<Before> = thread::scope(|scope| {
            let begun: Vec<_> = (0..8).map(|_| scope.spawn(|| begin(asked(1, None), START))).collect();
            begun.into_iter().map(|begun| begun.join().unwrap()).collect()
        });
        assert_eq!(at_once.iter().filter(|before| **before == Before::Nothing).count(), 1);
        assert!(at_once.iter().all(|before| matches!(before, Before::Nothing | Before::Begun)));
        log.write(|txn| answered(txn.conn, &asked(1, None), 201, b"{}")).unwrap();
        assert_eq!(begin(asked(1, None), START + ANSWERED_MS - 1), Before::Answered(201, b"{}".to_vec()));
        assert_eq!(begin(asked(2, None), START), Before::Another);
        // After a day the name is free; and with the record goes what was said of it.
        assert_eq!(begin(asked(2, Some(site.team)), START + ANSWERED_MS), Before::Nothing);
        let team = site.team;
        log.write(move |txn| crate::log::erase_again(txn.conn, team, START)).unwrap();
        assert_eq!(site.count("answered"), 0);
    }

    #[test]
    fn what_a_request_was_answered_is_known_for_a_day_to_every_server() {
        is_known(&Site::new());
        if let Some(shared) = Site::shared() {
            is_known(&shared);
        }
    }
}
