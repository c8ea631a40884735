//! Writing what was derived: the rows of each record, those of whoever depends on it, and the cursor.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, OptionalExtension, Transaction};
use serde_json::{Map, Value};
use wayside_protocol::record::{Kind, RecordId, View};

use super::derive::{Contact, ContactRows, Part, Record, person_id};
use super::people::{self, Known};
use super::{changed, quality, today, urgent};
use crate::error::{Error, Result};

/// Writes a part of a team's log.
pub(super) fn part(views: &Transaction, known: &mut Known, team: &[u8; 16], part: Part) -> Result<()> {
    // `None`: written before, and again because of its person.
    let mut contacts: BTreeMap<RecordId, Option<Contact>> = BTreeMap::new();
    // Whose contacts came, went or are told differently.
    let mut sessions = BTreeSet::new();
    for id in &part.gone {
        let theirs =
            contacts_of(views, team, *id)?.into_iter().filter(|contact| !part.gone.contains(contact));
        contacts.extend(theirs.map(|contact| (contact, None)));
        sessions.extend(quality::counted_in(views, *id)?);
        forget(views, known, team, *id)?;
    }
    contacts.extend(part.contacts.into_iter().map(|(id, contact)| (id, Some(contact))));
    for row in &part.records {
        record(views, team, row)?;
    }
    for id in part.persons.keys() {
        for contact in contacts_of(views, team, *id)? {
            contacts.entry(contact).or_default();
        }
    }
    people::write(views, known, team, &part.persons)?;
    for (id, due) in contacts {
        // Of one whose person changed, and not itself: the end of the part, which follows all that was told before.
        let seq = part.numbers.get(&id).copied().unwrap_or(part.to);
        let view = match due {
            Some(Contact::Derived(rows)) => {
                contact(views, (team, id), &rows, seq, &mut sessions)?;
                continue;
            }
            Some(Contact::Alone(view)) => view,
            None => stored(views, id)?,
        };
        let person = person_id(&view.fields).and_then(|person| part.persons.get(&person));
        let rows = match person {
            Some(person) => ContactRows::of(id, view, Some(&person.whole)),
            None => {
                let person = person_of(views, team, &view.fields)?;
                ContactRows::of(id, view, person.as_ref())
            }
        };
        contact(views, (team, id), &rows, seq, &mut sessions)?;
    }
    quality::write(views, &sessions)?;
    let gone = |id: &RecordId| part.gone.contains(id);
    changed::write(views, team, &part.numbers, &part.persons, gone)
}

/// Forgets everything about a team.
pub(super) fn forget_team(views: &Transaction, known: &mut Known, team: &[u8; 16]) -> Result<()> {
    people::forget(views, known, team)?;
    for sql in [
        "DELETE FROM task WHERE contact IN (SELECT id FROM contact WHERE team = ?)",
        "DELETE FROM record WHERE team = ?",
        "DELETE FROM contact WHERE team = ?",
        "DELETE FROM reach WHERE team = ?",
        "DELETE FROM quality WHERE team = ?",
        "DELETE FROM todo WHERE team = ?",
        "DELETE FROM urgent WHERE team = ?",
        "DELETE FROM changed WHERE team = ?",
        "DELETE FROM cursor WHERE team = ?",
    ] {
        views.execute(sql, [team])?;
    }
    Ok(())
}

/// Forgets a record that was erased.
fn forget(views: &Transaction, known: &mut Known, team: &[u8; 16], id: RecordId) -> Result<()> {
    people::forget_one(views, known, team, id)?;
    urgent::forget(views, id)?;
    forget_rows(views, id)?;
    for sql in ["DELETE FROM contact WHERE id = ?", "DELETE FROM record WHERE id = ?"] {
        views.prepare_cached(sql)?.execute([id.as_bytes()])?;
    }
    Ok(())
}

/// Forgets what the tables beside it hold of a contact.
fn forget_rows(views: &Transaction, id: RecordId) -> Result<()> {
    today::forget(views, id)?;
    for sql in ["DELETE FROM task WHERE contact = ?", "DELETE FROM reach WHERE contact = ?"] {
        views.prepare_cached(sql)?.execute([id.as_bytes()])?;
    }
    Ok(())
}

fn record(views: &Transaction, team: &[u8; 16], row: &Record) -> Result<()> {
    views
        .prepare_cached(
            "INSERT OR REPLACE INTO record
                 (id, team, kind, fields, conflicts, conflict_count, search, created, archived)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )?
        .execute((
            row.id.as_bytes(),
            team,
            &row.kind,
            &row.fields,
            &row.conflicts,
            row.conflict_count,
            &row.search,
            &row.created,
            row.archived,
        ))?;
    Ok(())
}

/// `seq`: the number of the team's log that makes it so.
fn contact(
    views: &Transaction,
    (team, id): (&[u8; 16], RecordId),
    rows: &ContactRows,
    seq: u64,
    sessions: &mut BTreeSet<[u8; 16]>,
) -> Result<()> {
    let person = rows.person.map(|person| *person.as_bytes());
    // Most are new, and leave nothing of before behind.
    let known: bool = views
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM contact WHERE id = ?)")?
        .query_row([id.as_bytes()], |row| row.get(0))?;
    if known {
        sessions.extend(quality::counted_in(views, id)?);
        forget_rows(views, id)?;
    }
    views
        .prepare_cached(
            "INSERT OR REPLACE INTO contact
                 (id, team, session, person, started_at, category, actions, urgency, rank, why, attention)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )?
        .execute((
            id.as_bytes(),
            team,
            &rows.session,
            person,
            &rows.started_at,
            rows.category,
            &rows.actions,
            rows.urgency,
            rows.rank,
            &rows.why,
            rows.stands as i64,
        ))?;
    if let Some(reached) = &rows.reached {
        sessions.insert(reached.session());
        reached.write(views, team, id, person)?;
    }
    today::write(views, (team, id), &rows.started_at, &rows.todos)?;
    urgent::write(views, (team, id), &rows.todos, seq, known)?;
    for task in &rows.tasks {
        let due_on = task.due_on.map(|due| due.to_string());
        views
            .prepare_cached("INSERT INTO task (contact, kind, entry, due_on, open) VALUES (?, ?, ?, ?, ?)")?
            .execute((id.as_bytes(), task.kind.as_str(), &task.entry, due_on, task.state.is_open()))?;
    }
    Ok(())
}

fn contacts_of(views: &Transaction, team: &[u8; 16], person: RecordId) -> Result<Vec<RecordId>> {
    // The plus keeps SQLite from going through all contacts of the team.
    let mut statement = views.prepare_cached("SELECT id FROM contact WHERE person = ? AND +team = ?")?;
    let rows = statement.query_map((person.as_bytes(), team), |row| Ok(RecordId::from_bytes(row.get(0)?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// The fields of a contact's person with what is disputed of them, if that is a person of the same team. A
/// reference to another team's record shows nothing of it.
pub(super) fn person_of(
    conn: &Connection,
    team: &[u8; 16],
    contact: &Map<String, Value>,
) -> Result<Option<Value>> {
    let Some(person) = person_id(contact) else { return Ok(None) };
    let mut statement = conn.prepare_cached(
        "SELECT fields, conflicts FROM record WHERE id = ? AND team = ? AND kind = 'person'",
    )?;
    let found: Option<(String, String)> =
        statement.query_row((person.as_bytes(), team), |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    let Some((fields, conflicts)) = found else { return Ok(None) };
    let person = View { kind: Some(Kind::Person), fields: parse(&fields)?, conflicts: parse(&conflicts)? };
    Ok(Some(person.into_whole()))
}

/// JSON that stands in a view.
pub(super) fn parse<T: serde::de::DeserializeOwned>(text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|_| Error::Internal("JSON in the views"))
}

/// A contact as it was written before.
fn stored(views: &Transaction, id: RecordId) -> Result<View> {
    let (fields, conflicts): (String, String) = views
        .prepare_cached("SELECT fields, conflicts FROM record WHERE id = ?")?
        .query_row([id.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(View { kind: Some(Kind::Contact), fields: parse(&fields)?, conflicts: parse(&conflicts)? })
}
