//! What was put in quarantine is judged again, by the rules of today: after an update that takes more than the version
//! before it did, or once somebody has mended what was wrong here.

use std::collections::{HashSet, VecDeque};

use wayside_protocol::error::Code;
use wayside_protocol::record::{Hash, Message, RecordId, ShortHash, chunk};
use wayside_protocol::sync::PublicKey;
use wayside_protocol::sync::frame::Verdict;

use super::append::{Held, judge_again};
use super::db::args;
use super::{Team, Txn, record_changes, team_by_id};
use crate::admission::Offered;
use crate::error::{Error, Result};

/// What became of a change that was judged again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readmission {
    Accepted {
        seq: u64,
    },
    /// It depends on what is not here, and is kept until that arrives.
    Waiting,
    /// It stays in quarantine, for the reason with this code.
    Refused(String),
    /// It stays in quarantine: what it said was saved anew, which names it.
    Superseded,
}

/// Judges changes of one record that are in quarantine once more, and after each that is accepted also what was refused
/// only because it depends on it. Tablets hear of what is accepted by pulling it.
pub fn readmit(
    txn: &mut Txn,
    server: PublicKey,
    team: RecordId,
    record: RecordId,
    hashes: &[Hash],
) -> Result<Vec<(Hash, Readmission)>> {
    let team = team_by_id(txn.conn, team)?.ok_or(Code::TeamUnknown)?;
    let superseded = superseded(txn, &team, record)?;
    let mut outcomes: Vec<(Hash, Readmission)> = Vec::new();
    let mut left: VecDeque<Hash> = hashes.iter().copied().collect();
    while let Some(hash) = left.pop_front() {
        // Gone meanwhile: somebody else was here, too.
        let Some(held) = held(txn, team.n, record, hash)? else { continue };
        let outcome = if superseded.iter().any(|short| hash.starts_with(short)) {
            Readmission::Superseded
        } else {
            match judge_again(txn, server, team.id, &held)? {
                Verdict::Accepted { seq } => Readmission::Accepted { seq },
                Verdict::Waiting => Readmission::Waiting,
                Verdict::Quarantined { code } => Readmission::Refused(code),
                Verdict::Known { .. } | Verdict::Erased => return Err(Error::Internal("a readmission")),
            }
        };
        if matches!(outcome, Readmission::Accepted { .. }) {
            left.extend(refused_for(txn, team.n, record, hash)?);
        }
        // Judged before what it depends on, it is judged a second time.
        outcomes.retain(|(other, _)| *other != hash);
        outcomes.push((hash, outcome));
    }
    Ok(outcomes)
}

fn held(txn: &Txn, team: i64, record: RecordId, hash: Hash) -> Result<Option<Held>> {
    txn.conn.one(
        "SELECT raw, tablet, author, list, received_at FROM quarantine
         WHERE team = ? AND record = ? AND hash = ?",
        args![team, record, hash],
        |row| {
            Ok(Held {
                change: Offered { record, hash, raw: row.get(0)?, list: 0 },
                tablet: row.get(1)?,
                author: row.get(2)?,
                list: row.get(3)?,
                received_at: row.get(4)?,
            })
        },
    )
}

/// What is in quarantine of a record, with its code.
fn quarantined(txn: &Txn, team: i64, record: RecordId) -> Result<Vec<(Hash, Vec<u8>, String)>> {
    txn.conn.all(
        "SELECT hash, raw, code FROM quarantine WHERE team = ? AND record = ? ORDER BY received_at, n",
        args![team, record],
        |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
    )
}

/// What was refused for depending on this change.
fn refused_for(txn: &Txn, team: i64, record: RecordId, hash: Hash) -> Result<Vec<Hash>> {
    let depends = |raw: &[u8]| chunk::parse(raw).is_ok_and(|chunk| chunk.deps.contains(&hash));
    let dependents = quarantined(txn, team, record)?.into_iter();
    let dependents =
        dependents.filter(|(_, raw, code)| *code == Code::DependsOnQuarantined.as_str() && depends(raw));
    Ok(dependents.map(|(hash, ..)| hash).collect())
}

/// What the record's changes say that they were saved in place of, whether or not they were accepted themselves.
fn superseded(txn: &Txn, team: &Team, record: RecordId) -> Result<HashSet<ShortHash>> {
    let accepted = record_changes(txn.conn, team.n, record)?.into_iter();
    let refused = quarantined(txn, team.n, record)?.into_iter().map(|(_, raw, _)| raw);
    let messages = accepted.chain(refused).filter_map(|raw| Message::parse(chunk::parse(&raw).ok()?.message));
    Ok(messages.flat_map(|message| message.supersedes).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use wayside_protocol::record::Kind;

    use super::*;
    use crate::testing::{Site, quarantined};

    #[test]
    fn what_was_refused_for_another_comes_with_it_whatever_the_order() {
        let site = Site::new();
        let tablet = site.tablet();
        let south = site.base.team_add("South").unwrap();
        let bind = |record: RecordId, team: RecordId| {
            let sql = "UPDATE record SET team = (SELECT n FROM team WHERE id = ?) WHERE record = ?";
            site.base.log.write(move |txn| txn.conn.execute(sql, args![team, record])).unwrap();
        };
        let (mut record, begin) = tablet.begin(Kind::Person, json!({"sex": "F"}));
        let first = tablet.edit(&mut record, None, json!({"phone": "1"}));
        let second = tablet.edit(&mut record, None, json!({"phone": "2"}));
        let third = tablet.edit(&mut record, None, json!({"language": "ur"}));
        tablet.push(&site, &[begin]);
        // An older version's rule.
        bind(record.id(), south);
        assert_eq!(tablet.push(&site, std::slice::from_ref(&first)), [quarantined(Code::RecordElsewhere)]);
        bind(record.id(), site.team);
        let depends = quarantined(Code::DependsOnQuarantined);
        assert_eq!(tablet.push(&site, &[second.clone(), third.clone()]), [depends.clone(), depends]);

        let readmit = |hashes: Vec<Hash>| {
            let (server, team, record) = (*site.base.identity.public(), site.team, record.id());
            site.base.log.write(move |txn| super::readmit(txn, server, team, record, &hashes)).unwrap()
        };
        let [first, second, third] = [first.1.hash, second.1.hash, third.1.hash];
        let refused = Readmission::Refused(Code::DependsOnQuarantined.as_str().into());
        assert_eq!(readmit(vec![second]), [(second, refused)]);
        assert_eq!((site.count("quarantine"), site.head()), (3, 2));
        let accepted = |hash, seq| (hash, Readmission::Accepted { seq });
        // The third is not named, and comes along.
        assert_eq!(
            readmit(vec![second, first]),
            [accepted(first, 3), accepted(second, 4), accepted(third, 5)]
        );
        assert_eq!((site.count("quarantine"), site.head()), (0, 5));
        assert_eq!(readmit(vec![first]), []);
    }
}
