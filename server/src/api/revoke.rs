//! Taking records off tablets that may not have them any more: revoking one, taking one out of a team, and what then comes
//! from it.

use std::collections::BTreeMap;

use serde::Serialize;
use wayside_protocol::error::Code;
use wayside_protocol::record::{Hash, RecordId};
use wayside_protocol::sync::PublicKey;

use crate::base::Base;
use crate::error::Result;
use crate::ledger::{Entry, hex};
use crate::log::{self, Audited, By, Readmission};

/// Revokes a tablet, for good: from now on it is sent nothing, what it sends is kept apart, and it is ordered to wipe itself
/// once it has sent everything. A restore does not undo it. Blocks.
pub fn revoke(base: &Base, by: impl Into<By>, id: &str) -> Result<()> {
    let act = Audited { reason: id.to_owned(), ..by.into().does("revoke_tablet", base.clock.now_ms()) };
    take_away(base, act, id, None)
}

/// Takes a tablet out of one team, likewise. It may join that team again by a new code. Blocks.
pub fn take_out(base: &Base, by: impl Into<By>, id: &str, team: RecordId) -> Result<()> {
    let reason = format!("{id} {team}");
    let act = Audited { reason, ..by.into().does("take_out_tablet", base.clock.now_ms()) };
    take_away(base, act, id, Some(team))
}

fn take_away(base: &Base, act: Audited, id: &str, team: Option<RecordId>) -> Result<()> {
    let (now, ledger, id) = (base.clock.now_ms(), base.ledger.clone(), id.to_owned());
    base.log.write(move |txn| {
        // Nothing that is being appended meanwhile counts as sent before.
        txn.conn.lock_all()?;
        let key: PublicKey = log::key_of(txn.conn, &id)?;
        let tablet = log::tablet_by_key(txn.conn, &key)?.ok_or(Code::RecordNotFound)?;
        let teams = log::teams_of(txn.conn, tablet.n)?;
        let entry = match team {
            Some(team) if teams.iter().all(|own| own.id != team) => return Err(Code::TeamUnknown.into()),
            Some(team) => {
                log::take_out(txn.conn, &key, team, now)?;
                Entry::TeamLeft { tablet: hex(&key), team, at: now }
            }
            None => {
                log::revoke(txn.conn, &key, now)?;
                Entry::Revoked { tablet: hex(&key) }
            }
        };
        log::wake(txn, &teams);
        log::audit(txn.conn, &act)?;
        ledger.note(txn.conn, &entry, now)
    })
}

/// What became of what a revoked tablet had sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Admitted {
    pub accepted: u64,
    /// These wait for others that are not here.
    pub waiting: u64,
    /// Refused for another reason: they stay in quarantine.
    pub refused: u64,
}

/// Judges what a tablet sent after it was revoked, or taken out of the team, as if it had not been. Blocks.
pub fn admit_held(base: &Base, by: impl Into<By>, tablet: &str) -> Result<Admitted> {
    // Many commits follow: said before the first, so that none can be without it.
    let now = base.clock.now_ms();
    base.audit(vec![Audited { reason: tablet.to_owned(), ..by.into().does("admit_held", now) }])?;
    let code = Code::FromRevokedTablet.as_str();
    let mut records: BTreeMap<(RecordId, RecordId), Vec<Hash>> = BTreeMap::new();
    for held in base.log.read(log::quarantine)? {
        if held.tablet == tablet && held.code == code {
            records.entry((held.team, held.record)).or_default().push(held.hash);
        }
    }
    let mut admitted = Admitted::default();
    for ((team, record), hashes) in records {
        let server = *base.identity.public();
        // A commit for each record: nobody waits long for it, and it may be stopped anywhere.
        let done = base.log.write_for(team, move |txn| {
            let done = log::readmit(txn, server, team, record, &hashes)?;
            let n = log::team_by_id(txn.conn, team)?.ok_or(Code::TeamUnknown)?.n;
            // What waited for one that came behind it was accepted with that.
            let done = done.into_iter().map(|(hash, outcome)| {
                let seq = log::known(txn.conn, n, record, &hash)?;
                Ok(seq.map_or(outcome, |seq| Readmission::Accepted { seq }))
            });
            done.collect::<Result<Vec<_>>>()
        })?;
        for outcome in done {
            match outcome {
                Readmission::Accepted { .. } => admitted.accepted += 1,
                Readmission::Waiting => admitted.waiting += 1,
                Readmission::Refused(_) | Readmission::Superseded => admitted.refused += 1,
            }
        }
    }
    Ok(admitted)
}

/// Refuses all of it, for good: it stays in quarantine. Returns how much. Blocks.
pub fn refuse_held(base: &Base, by: impl Into<By>, tablet: &str) -> Result<u64> {
    let tablet = tablet.to_owned();
    let act = Audited { reason: tablet.clone(), ..by.into().does("refuse_held", base.clock.now_ms()) };
    base.log.write(move |txn| {
        let refused = log::refuse_held(txn.conn, &tablet)?;
        log::audit(txn.conn, &act)?;
        Ok(refused)
    })
}

#[cfg(test)]
#[path = "revoke_tests.rs"]
mod tests;
