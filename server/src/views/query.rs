//! What is read from the views. Each answer is as every door prints it.

use rusqlite::{OptionalExtension, Row, ToSql};
use serde_json::{Map, Value, json};
use wayside_protocol::record::{Kind, RecordId, View};

use super::Views;
use super::write::{parse, person_of};
use crate::error::Result;

const COLUMNS: &str = "team, kind, fields, conflicts, archived";

/// A row of `record`, not parsed yet.
struct Stored {
    team: [u8; 16],
    kind: String,
    fields: String,
    conflicts: String,
    archived: bool,
}

fn stored(row: &Row) -> rusqlite::Result<Stored> {
    Ok(Stored {
        team: row.get(0)?,
        kind: row.get(1)?,
        fields: row.get(2)?,
        conflicts: row.get(3)?,
        archived: row.get(4)?,
    })
}

impl Views {
    /// One record with conflicts and what is derived.
    pub fn show(&self, id: RecordId) -> Result<Option<Value>> {
        let mut statement =
            self.conn.prepare_cached(&format!("SELECT {COLUMNS} FROM record WHERE id = ?"))?;
        let found = statement.query_row([id.as_bytes()], stored).optional()?;
        found.map(|found| self.shown(found)).transpose()
    }

    /// All records, or those of a kind, in the order in which they say they were made.
    pub fn list(&self, kind: Option<Kind>) -> Result<Vec<Value>> {
        match kind.map(Kind::as_str) {
            Some(kind) => self.all("kind = ?", &[&kind]),
            None => self.all("1", &[]),
        }
    }

    /// Records in which every word of `text` occurs, in whatever case. A number that is written in
    /// groups is found by its groups.
    pub fn search(&self, text: &str) -> Result<Vec<Value>> {
        let words: Vec<String> = text.to_lowercase().split_whitespace().map(str::to_owned).collect();
        let condition = vec!["instr(search, ?) > 0"; words.len()].join(" AND ");
        let words: Vec<&dyn ToSql> = words.iter().map(|word| word as &dyn ToSql).collect();
        self.all(if condition.is_empty() { "0" } else { &condition }, &words)
    }

    fn all(&self, condition: &str, values: &[&dyn ToSql]) -> Result<Vec<Value>> {
        let mut statement = self.conn.prepare_cached(&format!(
            "SELECT {COLUMNS} FROM record WHERE {condition} ORDER BY created, id"
        ))?;
        let rows = statement.query_map(values, stored)?;
        rows.map(|row| self.shown(row?)).collect()
    }

    fn shown(&self, stored: Stored) -> Result<Value> {
        let (fields, conflicts) = (parse(&stored.fields)?, parse(&stored.conflicts)?);
        let view = View { kind: Kind::parse(&stored.kind), fields, conflicts };
        let person = match view.kind {
            Some(Kind::Contact) => person_of(&self.conn, &stored.team, &view.fields)?,
            _ => None,
        };
        let team = RecordId::from_bytes(stored.team).to_string();
        let mut shown = view.to_json(Some(&team), person.as_ref());
        if let (true, Some(members)) = (stored.archived, shown.as_object_mut()) {
            members.insert("archived".into(), Value::Bool(true));
        }
        Ok(shown)
    }

    /// Contacts that somebody must look at, of any date: the most urgent first, then the oldest.
    pub fn worklist(&self) -> Result<Vec<Value>> {
        let mut statement = self.conn.prepare_cached(
            "SELECT contact.id, coalesce(person.standing, contact.person), category, actions, urgency, why, started_at
             FROM contact LEFT JOIN person ON person.id = contact.person AND person.team = contact.team
             WHERE attention = 1 ORDER BY rank DESC, started_at, contact.id",
        )?;
        let rows = statement.query_map([], |row| {
            let mut object = Map::new();
            object.insert("contact".into(), json!(RecordId::from_bytes(row.get(0)?).to_string()));
            let person: Option<[u8; 16]> = row.get(1)?;
            object.insert("person".into(), json!(person.map(|id| RecordId::from_bytes(id).to_string())));
            object.insert("category".into(), json!(row.get::<_, Option<String>>(2)?));
            object.insert("urgency".into(), json!(row.get::<_, String>(4)?));
            object.insert("why".into(), json!(row.get::<_, String>(5)?));
            object.insert("started_at".into(), json!(row.get::<_, String>(6)?));
            Ok((object, row.get::<_, String>(3)?))
        })?;
        let items = rows.map(|row| {
            let (mut object, actions) = row?;
            object.insert("actions".into(), parse(&actions)?);
            Ok(Value::Object(object))
        });
        items.collect()
    }
}
