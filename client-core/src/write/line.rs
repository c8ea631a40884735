//! One line of a van day: a contact, with the session and the person it needs, in one transaction.

use rusqlite::OptionalExtension;
use serde_json::{Map, Value};
use wayside_protocol::{
    error::{Code, Invalid},
    record::{
        Kind, Record, RecordId, Scalar, Write,
        schema::{self, At},
        value_at,
    },
};

use super::{By, Pen, object};
use crate::{
    error::{Error, Result},
    fold,
    store::records,
    tablet::Tablet,
};

/// What a line became.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Recorded {
    pub contact: RecordId,
    pub session: RecordId,
    pub site: RecordId,
    /// `None` for somebody who gave no details.
    pub person: Option<RecordId>,
}

/// Where a contact takes place.
pub(super) struct Place {
    pub session: RecordId,
    pub site: RecordId,
    pub team: Option<RecordId>,
}

impl Tablet {
    /// Records one contact: `{session, person, contact}`, as `records.md` shows it.
    ///
    /// A session is an id, or an object that is found or made by its site and date; a person an id, an object,
    /// which always makes a new person, or null.
    pub fn record(&self, line: Value, by: &By) -> Result<Recorded> {
        let mut line = object(line, "")?;
        let session = line.remove("session").filter(|value| !value.is_null());
        let person = line.remove("person").filter(|value| !value.is_null());
        let contact = line.remove("contact").filter(|value| !value.is_null());
        if let Some(name) = line.keys().next() {
            let message = "A line holds session, person and contact, and nothing else.";
            return Err(Invalid::new(Code::BadPath, name, message).into());
        }
        let session = session.ok_or_else(|| absent("session"))?;
        let contact = contact.ok_or_else(|| absent("contact"))?;
        self.write(by, |pen| {
            let place = pen.place(session).map_err(|error| error.within("session"))?;
            let person = person.map(|person| pen.person(person, place.team)).transpose();
            let person = person.map_err(|error| error.within("person"))?;
            let contact = pen.contact(contact, &place, person).map_err(|error| error.within("contact"))?;
            Ok(Recorded { contact, session: place.session, site: place.site, person })
        })
    }
}

fn absent(path: &str) -> Error {
    Invalid::new(Code::MissingField, path, format!("{path} is missing.")).into()
}

impl Pen<'_> {
    fn place(&self, session: Value) -> Result<Place> {
        match session {
            Value::String(id) => {
                let id = self.existing(&id, Kind::Session)?;
                let row = records::held(self.conn, id)?;
                let site = row.view.as_ref().and_then(|view| view.fields.get("site")?.as_str()?.parse().ok());
                let site = site.ok_or_else(|| absent("site"))?;
                Ok(Place { session: id, site, team: self.team_beside(Some(id))? })
            }
            value => self.session(object(value, "")?),
        }
    }

    /// A record that is here, by its id.
    fn existing(&self, id: &str, kind: Kind) -> Result<RecordId> {
        let id: RecordId = id.parse()?;
        let row = records::held(self.conn, id)?;
        if row.kind() == Some(kind) { Ok(id) } else { Err(Error::Failed(Code::WrongKind)) }
    }

    /// The session at a site on a date, found or made. One that is there keeps what it says: only tallies, new
    /// members of sets, and what it lacks are added.
    pub(super) fn session(&self, mut fields: Map<String, Value>) -> Result<Place> {
        let site = fields.remove("site").filter(|value| !value.is_null()).ok_or_else(|| absent("site"))?;
        let date = fields.remove("date").filter(|value| !value.is_null()).ok_or_else(|| absent("date"))?;
        let Scalar::Text(date) = value_at(Kind::Session, "date", date, self.rules)? else {
            return Err(absent("date"));
        };
        let site = self.site(site).map_err(|error| error.within("site"))?;
        let team = self.team_beside(Some(site))?;
        let session = RecordId::session(site, &date);
        let there = records::find(self.conn, session)?.is_some_and(|row| row.view.is_some());
        if there {
            self.complete(session, fields)?;
        } else {
            fields.insert("site".into(), Value::String(site.to_string()));
            fields.insert("date".into(), Value::String(date));
            let writes = self.flattening(Kind::Session, |flattener| flattener.object(fields))?;
            self.begin(session, Kind::Session, team, &writes)?;
        }
        Ok(Place { session, site, team })
    }

    /// A site by its id, by its name, or by an object with its name, found or made.
    fn site(&self, site: Value) -> Result<RecordId> {
        let mut fields = match site {
            Value::String(text) => match text.parse::<RecordId>() {
                Ok(_) => return self.existing(&text, Kind::Site),
                Err(_) => Map::from_iter([("name".to_owned(), Value::String(text))]),
            },
            value => object(value, "")?,
        };
        let name = fields.get("name").and_then(Value::as_str).map(fold::name).unwrap_or_default();
        if name.is_empty() {
            return Err(absent("name"));
        }
        let team = self.tablet.team_for(self.conn, self.team)?;
        match self.site_named(&name, team)? {
            Some(site) => {
                fields.remove("name");
                self.complete(site, fields)?;
                Ok(site)
            }
            None => self.create(Kind::Site, team, fields),
        }
    }

    fn site_named(&self, name: &str, team: Option<RecordId>) -> Result<Option<RecordId>> {
        // Of several the lowest id, so that tablets which have heard of each other's agree.
        let sql = "SELECT id FROM record WHERE name = ? AND kind = 'site' AND team IS ? ORDER BY id LIMIT 1";
        let team = team.map(|team| *team.as_bytes());
        let found: Option<[u8; 16]> =
            self.conn.prepare_cached(sql)?.query_row((name, team), |row| row.get(0)).optional()?;
        let Some(mut site) = found.map(RecordId::from_bytes) else { return Ok(None) };
        // A site that turned out to be another one stands for it; a circle of such ends somewhere.
        for _ in 0..8 {
            let row = records::find(self.conn, site)?;
            let into = row.and_then(|row| row.view?.fields.get("merged_into")?.as_str()?.parse().ok());
            match into {
                Some(into) if records::find(self.conn, into)?.is_some() => site = into,
                _ => break,
            }
        }
        Ok(Some(site))
    }

    fn person(&self, person: Value, team: Option<RecordId>) -> Result<RecordId> {
        match person {
            Value::String(id) => self.existing(&id, Kind::Person),
            value => self.create(Kind::Person, team, object(value, "")?),
        }
    }

    fn contact(&self, contact: Value, place: &Place, person: Option<RecordId>) -> Result<RecordId> {
        let mut fields = object(contact, "")?;
        if let Some(name) = ["session", "person"].into_iter().find(|name| fields.contains_key(*name)) {
            let message = format!("{name} stands beside the contact in a line, not in it.");
            return Err(Invalid::new(Code::BadPath, name, message).into());
        }
        fields.insert("session".into(), Value::String(place.session.to_string()));
        if let Some(person) = person {
            fields.insert("person".into(), Value::String(person.to_string()));
        }
        self.create(Kind::Contact, place.team, fields)
    }

    /// Adds to a record what it lacks. Nothing that it says is changed.
    fn complete(&self, id: RecordId, fields: Map<String, Value>) -> Result<()> {
        if fields.is_empty() {
            return Ok(());
        }
        let mut open = self.open(id)?;
        let kind = open.kind()?;
        let mut writes = self.flattening(kind, |flattener| flattener.object(fields))?;
        let known = entries(&open.record, kind);
        writes.retain(|write| match schema::at(kind, &write.path) {
            At::TallyEntry => true,
            At::SetMember => {
                write.value == Scalar::Bool(true) && !open.record.scalars(&write.path).contains(&write.value)
            }
            // The same note on every line of a day is one note.
            At::Entry(_) => !known.iter().any(|other| same_map(other, write) && other.value == write.value),
            _ => !open.record.scalars(&write.path).iter().any(|value| *value != Scalar::Null),
        });
        if !writes.is_empty() {
            self.edit(&mut open, None, &writes)?;
        }
        Ok(())
    }
}

fn same_map(one: &Write, other: &Write) -> bool {
    let map = |write: &Write| write.path.rsplit_once('/').map(|(map, _)| map.to_owned());
    map(one) == map(other)
}

/// The entries at the top of a record, as they were written.
fn entries(record: &Record, kind: Kind) -> Vec<Write> {
    let fields = record.view().fields;
    let maps = kind.fields().iter().filter(|field| matches!(field.shape, schema::Shape::Entries(_)));
    let paths = maps.flat_map(|field| {
        let ids = fields.get(field.name).and_then(Value::as_object).into_iter().flat_map(Map::keys);
        ids.map(|id| format!("{}/{id}", field.name)).collect::<Vec<_>>()
    });
    paths
        .flat_map(|path| {
            let values = record.scalars(&path);
            values.into_iter().map(move |value| Write { path: path.clone(), value })
        })
        .collect()
}
