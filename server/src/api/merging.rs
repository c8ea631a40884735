//! Two records of one person: merged, taken apart again, or said to be two people.
//!
//! A merge is one value, `merged_into`, on one of the records: nothing moves, so late uploads to either find
//! the other, and taking it back leaves both as they were. Only within a team.

use serde_json::{Value, json};
use wayside_protocol::error::Code;
use wayside_protocol::record::{Kind, Record, RecordId, Rules, path};

use super::author::{self, new_entry};
use super::changes;
use super::records::load;
use crate::base::Base;
use crate::error::{Error, Result};
use crate::log::db::Conn;

/// A chain of merges longer than this is somebody playing.
const MOST_LINKS: usize = 1000;

/// Merges two people: the record at the end of one's chain is merged into the other's, the higher id into
/// the lower, so that two coordinators who do it at once do the same.
pub(super) fn merge(base: &Base, a: RecordId, b: RecordId, by: &str) -> Result<()> {
    let (end_a, end_b) = base.log.read(|log| {
        let (team_a, _) = person(log, a)?;
        let (team_b, _) = person(log, b)?;
        if team_a != team_b {
            let says =
                "These people belong to different teams: they can be looked at side by side, not merged.";
            return Err(Error::Said(Code::RecordElsewhere, says.to_owned()));
        }
        Ok((end(log, team_a, a)?, end(log, team_a, b)?))
    })?;
    if end_a == end_b {
        return Ok(());
    }
    let (from, into) = (end_a.max(end_b), end_a.min(end_b));
    let merged = author::edit(base, from, by, None, move |opened| {
        // Since it was looked up, somebody may have merged it elsewhere: nobody's merge is undone by another.
        match merged_into(opened.record) {
            Some(other) if other != from && other != into => Err(Code::ChangedMeanwhile.into()),
            _ => opened.write("merged_into", json!(into.to_string()), Rules::Entry),
        }
    });
    merged.map(|_| ())
}

/// Takes back that a record was merged into `from`.
pub(super) fn unmerge(base: &Base, id: RecordId, from: RecordId, by: &str) -> Result<()> {
    let done = author::edit(base, id, by, None, move |opened| {
        if opened.kind != Kind::Person || merged_into(opened.record) != Some(from) {
            return Err(Code::ChangedMeanwhile.into());
        }
        opened.write("merged_into", Value::Null, Rules::Entry)
    });
    done.map(|_| ())
}

/// Says that two are two people. Of different teams, too.
pub(super) fn not_same(base: &Base, a: RecordId, b: RecordId, by: &str) -> Result<()> {
    if a == b {
        return Err(Code::WrongKind.into());
    }
    base.log.read(|log| person(log, a).and(person(log, b)))?;
    let done = author::edit(base, a, by, None, move |opened| {
        let entry = json!({"person": b.to_string(), "at": opened.at, "by": opened.by});
        opened.write(&path::join("not_same_as", &new_entry()), entry, Rules::Entry)
    });
    done.map(|_| ())
}

/// A person with the number of its team.
fn person(log: &Conn, id: RecordId) -> Result<(i64, Record)> {
    let (team, _) = changes::team_of(log, id)?.ok_or(Code::RecordNotFound)?;
    let stored = changes::stored(log, team, id)?;
    let record = load(id, stored.iter().map(|change| &change.raw))?;
    if record.kind() == Some(Kind::Person) { Ok((team, record)) } else { Err(Code::WrongKind.into()) }
}

/// The record at the end of a chain of merges; in a circle, the lowest of it.
fn end(log: &Conn, team: i64, id: RecordId) -> Result<RecordId> {
    let mut chain = vec![id];
    let mut at = id;
    for _ in 0..MOST_LINKS {
        let next = match person(log, at) {
            Ok((own, record)) if own == team => merged_into(&record),
            _ => None,
        };
        // A record that is not here, or of another team, ends nothing: the one before it is the end.
        let here = |id: &RecordId| person(log, *id).is_ok_and(|(own, _)| own == team);
        let Some(next) = next.filter(here) else { return Ok(at) };
        if let Some(place) = chain.iter().position(|seen| *seen == next) {
            return Ok(chain.get(place..).into_iter().flatten().min().copied().unwrap_or(next));
        }
        chain.push(next);
        at = next;
    }
    Ok(at)
}

fn merged_into(record: &Record) -> Option<RecordId> {
    record.view().fields.get("merged_into")?.as_str()?.parse().ok()
}
