//! A record's changes as the log holds them, each after those it builds on: its history.

use std::collections::{HashMap, HashSet};

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use wayside_protocol::error::Code;
use wayside_protocol::record::{self, Hash, Message, RecordId, Scalar, chunk, schema, tablet_id};

use super::Names;
use crate::error::{Error, Result};
use crate::fhir::Made;
use crate::log::db::{Conn, args};

/// More changes than any honest record has; "made side by side" is left out beyond it.
const MOST_COMPARED: usize = 500;

/// One change, as people read it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Change {
    /// Its place in this record's history, from 1.
    pub number: usize,
    pub hash: String,
    /// By the tablet's own clock, RFC 3339.
    pub at: String,
    /// That clock's offset from UTC in minutes.
    pub offset: i32,
    pub by: String,
    pub by_name: String,
    /// Who signed it, which no tablet can make up.
    pub tablet: String,
    pub tablet_name: String,
    /// When this server took it in, RFC 3339.
    pub received_at: String,
    /// Numbers of earlier changes that its author had not seen.
    pub beside: Vec<usize>,
    pub writes: Vec<Write>,
    /// Why, where somebody who settled something said so.
    pub reason: String,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Write {
    pub path: String,
    /// What stood there for whoever wrote: nothing, one value, or several that disagreed.
    pub before: Vec<Value>,
    pub value: Value,
}

/// A change with what is needed to build on it.
pub(super) struct Stored {
    pub hash: Hash,
    pub raw: Vec<u8>,
    pub deps: Vec<Hash>,
    signer: [u8; 32],
    received_at: u64,
}

/// The number of the team that a record belongs to, with the team's id.
pub(super) fn team_of(conn: &Conn, record: RecordId) -> Result<Option<(i64, RecordId)>> {
    conn.one(
        "SELECT team.n, team.id FROM record JOIN team ON team.n = record.team
         WHERE record.record = ?1 AND NOT EXISTS (SELECT 1 FROM erased WHERE record = ?1)",
        args![record],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )
}

/// All accepted changes of a record, in log order, which is causal.
pub(super) fn stored(conn: &Conn, team: i64, record: RecordId) -> Result<Vec<Stored>> {
    conn.all(
        "SELECT log.hash, log.raw, log.received_at, signed_list.author
         FROM log JOIN signed_list ON signed_list.n = log.list
         WHERE log.team = ? AND log.record = ? ORDER BY +log.seq",
        args![team, record],
        |row| {
            let raw: Vec<u8> = row.get(1)?;
            let parsed = chunk::parse(&raw).map_err(|_| Error::Internal("an accepted change"))?;
            let deps = parsed.deps.clone();
            Ok(Stored { hash: row.get(0)?, deps, raw, received_at: row.get(2)?, signer: row.get(3)? })
        },
    )
}

/// The changes that these heads stand for, in the same order; refused where a head is not known.
pub(super) fn up_to<'a>(changes: &'a [Stored], heads: &[Hash]) -> Result<Vec<&'a Stored>> {
    if heads.is_empty() || heads.iter().any(|head| !changes.iter().any(|change| change.hash == *head)) {
        return Err(Code::HeadsUnknown.into());
    }
    let mut wanted: HashSet<Hash> = heads.iter().copied().collect();
    let mut kept: Vec<&Stored> = Vec::new();
    // Backwards, so that each change is met before those it builds on.
    for change in changes.iter().rev() {
        if wanted.contains(&change.hash) {
            wanted.extend(&change.deps);
            kept.push(change);
        }
    }
    kept.reverse();
    Ok(kept)
}

/// The history that people read. `told` is what the record itself says of its changes.
pub(super) fn history(changes: &[Stored], told: Vec<record::Change>, names: &Names) -> Vec<Change> {
    let mut told: HashMap<String, record::Change> =
        told.into_iter().map(|change| (change.hash.clone(), change)).collect();
    let beside = beside(changes);
    let shown = changes.iter().enumerate().map(|(index, change)| {
        let hash = data_encoding::HEXLOWER.encode(&change.hash);
        let parsed = chunk::parse(&change.raw).ok();
        let message = parsed.as_ref().and_then(|parsed| Message::parse(parsed.message));
        let tablet = tablet_id(&change.signer);
        let by = message.as_ref().map_or_else(String::new, |message| message.by.clone());
        let set = told.remove(&hash).map(|told| told.set).unwrap_or_default();
        Change {
            number: index + 1,
            hash,
            at: message.as_ref().map_or_else(String::new, |message| message.at.clone()),
            offset: message.as_ref().map_or(0, |message| message.offset),
            by_name: names.staff(&by),
            by,
            tablet_name: names.tablet(&tablet),
            tablet,
            received_at: rfc3339(change.received_at),
            beside: beside.get(index).cloned().unwrap_or_default(),
            writes: set
                .into_iter()
                .map(|set| Write { path: set.path, before: set.before, value: set.after })
                .collect(),
            reason: message.map(|message| message.reason).unwrap_or_default(),
        }
    });
    shown.collect()
}

/// For each change the numbers of the earlier ones that are not in its past.
fn beside(changes: &[Stored]) -> Vec<Vec<usize>> {
    if changes.len() > MOST_COMPARED {
        return Vec::new();
    }
    let index: HashMap<Hash, usize> =
        changes.iter().enumerate().map(|(i, change)| (change.hash, i)).collect();
    let mut pasts: Vec<HashSet<usize>> = Vec::with_capacity(changes.len());
    for change in changes {
        let mut past = HashSet::new();
        for dep in change.deps.iter().filter_map(|dep| index.get(dep)) {
            past.insert(*dep);
            past.extend(pasts.get(*dep).into_iter().flatten());
        }
        pasts.push(past);
    }
    let beside = pasts.iter().enumerate().map(|(at, past)| {
        (0..at).filter(|earlier| !past.contains(earlier)).map(|earlier| earlier + 1).collect()
    });
    beside.collect()
}

/// A time of ours for people and programs.
pub(crate) fn rfc3339(ms: u64) -> String {
    i64::try_from(ms)
        .ok()
        .and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok())
        .map(|at| at.to_string())
        .unwrap_or_default()
}

/// Who made each change of a record, and of which places: for its provenance.
pub(super) fn made(changes: &[Stored], names: &Names) -> Vec<Made> {
    let told = changes.iter().filter_map(|change| {
        let parsed = chunk::parse(&change.raw).ok()?;
        let message = Message::parse(parsed.message).unwrap_or_default();
        let paths = parsed.writes().map(|(path, value)| {
            let amends = || Scalar::from_chunk(&value)?.to_json().get("entry")?.as_str().map(str::to_owned);
            let amended = path.starts_with(schema::AMENDMENTS).then(amends).flatten();
            amended.unwrap_or_else(|| path.to_owned())
        });
        let tablet = tablet_id(&change.signer);
        Some(Made {
            hash: data_encoding::HEXLOWER.encode(&change.hash),
            at: message.at,
            received_at: rfc3339(change.received_at),
            by_name: names.staff(&message.by),
            by: message.by,
            tablet_name: names.tablet(&tablet),
            tablet,
            paths: paths.collect(),
            begins: change.deps.is_empty(),
        })
    });
    told.collect()
}
