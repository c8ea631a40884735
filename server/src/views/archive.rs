//! What is read from the views to archive, to look up what is archived, and to erase.

use std::collections::BTreeSet;

use rusqlite::{OptionalExtension, ToSql, params};
use serde_json::{Map, Value};
use wayside_protocol::record::RecordId;

use super::Views;
use super::write::parse;
use crate::error::Result;

/// A record that is on the tablets.
#[derive(Debug, Clone)]
pub struct Active {
    pub id: RecordId,
    /// Whether somebody still has to do something about it: a follow-up or referral is open, a monitor is lent, values
    /// disagree, or it is on the worklist.
    pub open: bool,
    /// Of a contact: whoever stands for its person. Of a person: whoever stands for it.
    pub person: Option<RecordId>,
    /// Of a contact.
    pub session: Option<RecordId>,
}

/// People and everything about them.
#[derive(Debug, Clone, Default)]
pub struct Belongings {
    /// With those merged with them.
    pub persons: BTreeSet<RecordId>,
    pub contacts: BTreeSet<RecordId>,
    /// Of these contacts.
    pub sessions: BTreeSet<RecordId>,
}

const CONTACTS: &str = "
    SELECT record.id, attention = 1 OR conflict_count > 0
            OR EXISTS (SELECT 1 FROM task WHERE task.contact = record.id AND open = 1)
            OR (fields ->> '$.monitor_loan' IS NOT NULL AND fields ->> '$.monitor_loan.returned_at' IS NULL),
        coalesce(person.standing, contact.person), contact.session
    FROM record JOIN contact ON contact.id = record.id
        LEFT JOIN person ON person.id = contact.person AND person.team = contact.team
    WHERE record.archived = 0 AND record.team = ?1 AND record.kind = 'contact'";
const PERSONS: &str = "
    SELECT record.id, conflict_count > 0, person.standing, NULL
    FROM record JOIN person ON person.id = record.id
    WHERE record.archived = 0 AND record.team = ?1 AND record.kind = 'person'";
const SESSIONS: &str = "
    SELECT id, conflict_count > 0, NULL, NULL FROM record
    WHERE archived = 0 AND team = ?1 AND kind = 'session'";

impl Views {
    pub fn active_contacts(&self, team: RecordId) -> Result<Vec<Active>> {
        self.active(CONTACTS, team)
    }

    pub fn active_persons(&self, team: RecordId) -> Result<Vec<Active>> {
        self.active(PERSONS, team)
    }

    pub fn active_sessions(&self, team: RecordId) -> Result<Vec<Active>> {
        self.active(SESSIONS, team)
    }

    fn active(&self, sql: &str, team: RecordId) -> Result<Vec<Active>> {
        let mut statement = self.conn.prepare_cached(sql)?;
        let rows = statement.query_map([team.as_bytes()], |row| {
            let (person, session): (Option<[u8; 16]>, Option<String>) = (row.get(2)?, row.get(3)?);
            Ok(Active {
                id: RecordId::from_bytes(row.get(0)?),
                open: row.get(1)?,
                person: person.map(RecordId::from_bytes),
                session: session.and_then(|session| session.parse().ok()),
            })
        })?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// Archived people of a team with all of these words in their records, by whoever stands for them.
    pub fn archived_persons(&self, team: RecordId, query: &str, limit: usize) -> Result<Vec<RecordId>> {
        let words: Vec<String> = query.to_lowercase().split_whitespace().map(str::to_owned).collect();
        let mut statement = self.conn.prepare_cached(&format!(
            "SELECT DISTINCT person.standing FROM record JOIN person ON person.id = record.id
             WHERE record.archived = 1 AND record.kind = 'person' AND record.team = ? {}
             ORDER BY person.standing DESC LIMIT ?",
            "AND instr(search, ?) > 0 ".repeat(words.len())
        ))?;
        let team = *team.as_bytes();
        let mut values: Vec<&dyn ToSql> = vec![&team];
        values.extend(words.iter().map(|word| word as &dyn ToSql));
        values.push(&limit);
        let rows = statement.query_map(values.as_slice(), |row| Ok(RecordId::from_bytes(row.get(0)?)))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// A person's fields, if it is one of this team.
    pub fn person_fields(&self, team: RecordId, id: RecordId) -> Result<Option<Map<String, Value>>> {
        let mut statement = self
            .conn
            .prepare_cached("SELECT fields FROM record WHERE id = ? AND team = ? AND kind = 'person'")?;
        let fields: Option<String> =
            statement.query_row((id.as_bytes(), team.as_bytes()), |row| row.get(0)).optional()?;
        fields.map(|fields| parse(&fields)).transpose()
    }

    /// When somebody was seen last, as the contacts say; empty for never.
    pub fn last_seen(&self, standing: RecordId) -> Result<String> {
        let mut statement = self.conn.prepare_cached(
            "SELECT coalesce(max(started_at), '') FROM contact AS c WHERE c.person IN
                 (SELECT id FROM person WHERE standing = ? AND person.team = c.team)",
        )?;
        Ok(statement.query_row([standing.as_bytes()], |row| row.get(0))?)
    }

    /// What belongs to people of a team. Ids of others and of what are no persons are left out.
    pub fn belongings(&self, team: RecordId, of: &[RecordId]) -> Result<Belongings> {
        let mut all = Belongings::default();
        for person in of {
            all.persons.extend(self.ids(
                "SELECT id FROM person WHERE team = ?1 AND standing IN
                     (SELECT standing FROM person WHERE id = ?2 AND team = ?1)",
                team,
                *person,
            )?);
        }
        for person in &all.persons {
            all.contacts.extend(self.ids(
                "SELECT id FROM contact WHERE person = ?2 AND +team = ?1",
                team,
                *person,
            )?);
            // Also where it is one of two persons that a contact's change names.
            let mut disputed = self.conn.prepare_cached(
                "SELECT id FROM record WHERE team = ? AND kind = 'contact' AND instr(conflicts, ?) > 0",
            )?;
            let rows = disputed.query_map(params![team.as_bytes(), person.to_string()], |row| {
                Ok(RecordId::from_bytes(row.get(0)?))
            })?;
            all.contacts.extend(rows.collect::<rusqlite::Result<Vec<_>>>()?);
        }
        for contact in &all.contacts {
            let mut statement = self
                .conn
                .prepare_cached("SELECT session FROM contact WHERE id = ? AND session IS NOT NULL")?;
            for session in statement.query_map([contact.as_bytes()], |row| row.get::<_, String>(0))? {
                all.sessions.extend(session?.parse::<RecordId>().ok());
            }
        }
        Ok(all)
    }

    fn ids(&self, sql: &str, team: RecordId, id: RecordId) -> Result<Vec<RecordId>> {
        let mut statement = self.conn.prepare_cached(sql)?;
        let rows = statement
            .query_map((team.as_bytes(), id.as_bytes()), |row| Ok(RecordId::from_bytes(row.get(0)?)))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// The team of a record that the views hold, and its kind.
    pub fn kind_of(&self, id: RecordId) -> Result<Option<(RecordId, String)>> {
        let mut statement = self.conn.prepare_cached("SELECT team, kind FROM record WHERE id = ?")?;
        let found = statement
            .query_row([id.as_bytes()], |row| Ok((RecordId::from_bytes(row.get(0)?), row.get(1)?)))
            .optional()?;
        Ok(found)
    }
}
