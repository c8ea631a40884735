//! The story of a person, and everything that ever happened to a record.

use std::panic::{AssertUnwindSafe, catch_unwind};

use rusqlite::Connection;
use serde_json::Value;
use wayside_protocol::{
    error::Code,
    record::{Change, Kind, RecordError, RecordId},
    timeline::{Event, Seen, Told, timeline},
};

use crate::{
    error::{Error, Result},
    guide::{Place, place},
    people,
    store::records,
    tablet::Tablet,
};

impl Tablet {
    /// The story of a person and of everybody who was found to be one with them, over all contacts, oldest first.
    pub fn timeline(&self, person: RecordId) -> Result<Vec<Event>> {
        self.0.store.read(|conn| {
            if records::get(conn, person)?.kind() != Some(Kind::Person) {
                return Err(Error::Failed(Code::WrongKind));
            }
            let mut persons = Vec::new();
            for id in people::together(conn, person)? {
                persons.extend(read(conn, id)?);
            }
            let mut contacts = Vec::new();
            for id in people::contacts_of_person(conn, person)? {
                if let Some((contact, history)) = read(conn, id)? {
                    let session =
                        contact.get("session").and_then(Value::as_str).and_then(|id| id.parse().ok());
                    let place = session.map(|session| place(conn, session)).transpose()?;
                    contacts.push((contact, history, place));
                }
            }
            let persons: Vec<Told<'_>> =
                persons.iter().map(|(record, history)| Told { record, history }).collect();
            let contacts: Vec<Seen<'_>> = contacts.iter().map(seen).collect();
            Ok(timeline(&persons, &contacts))
        })
    }

    /// Every change of a record, oldest first: who, when, on which tablet, and what stood there before.
    pub fn history(&self, id: RecordId) -> Result<Vec<Change>> {
        self.0.store.read(|conn| {
            let row = records::get(conn, id)?;
            history(conn, row.no, id)
        })
    }
}

fn seen((record, history, place): &(Value, Vec<Change>, Option<Place>)) -> Seen<'_> {
    Seen {
        contact: Told { record, history },
        session: place.as_ref().and_then(|place| place.session.as_ref()),
        site: place.as_ref().and_then(|place| place.site.as_ref()),
    }
}

/// A record with its history; `None` while all of it is in quarantine.
fn read(conn: &Connection, id: RecordId) -> Result<Option<(Value, Vec<Change>)>> {
    let Some(row) = records::find(conn, id)? else { return Ok(None) };
    let Some(view) = &row.view else { return Ok(None) };
    Ok(Some((view.whole(), history(conn, row.no, id)?)))
}

fn history(conn: &Connection, no: i64, id: RecordId) -> Result<Vec<Change>> {
    let record = records::load(id, &records::changes(conn, no)?)?;
    let history = catch_unwind(AssertUnwindSafe(|| record.history()));
    history.map_err(|_| Error::Record(RecordError::Unreadable))
}
