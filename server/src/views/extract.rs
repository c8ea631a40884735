//! What extracts read: the records of a kind that changed, one after the other.

use rusqlite::{OptionalExtension, params};
use serde_json::Value;
use wayside_protocol::record::{Kind, RecordId, View};

use super::Views;
use super::derive::person_id;
use super::write::{parse, person_of};
use crate::error::Result;
use crate::extract::Extracted;

impl Views {
    /// Gives every record of a kind that changed in a team after a number and up to another to `each`, in the order of
    /// the log, and with them whatever was erased, of which nobody knows the kind; contacts with the person that they
    /// name, if that is wanted. Holds one record at a time.
    pub fn extracted(
        &self,
        team: RecordId,
        kind: Kind,
        with_owner: bool,
        (from, until): (u64, u64),
        mut each: impl FnMut(Extracted) -> Result<()>,
    ) -> Result<()> {
        let mut changed = self.conn.prepare_cached(
            "SELECT id, gone FROM changed WHERE team = ?1 AND seq > ?2 AND seq <= ?3 ORDER BY seq, id",
        )?;
        let mut record = self.conn.prepare_cached(
            "SELECT fields, conflicts FROM record WHERE id = ?1 AND team = ?2 AND kind = ?3",
        )?;
        let mut rows = changed.query(params![team.as_bytes(), from, until])?;
        while let Some(row) = rows.next()? {
            let (id, gone) = (RecordId::from_bytes(row.get(0)?), row.get(1)?);
            if gone {
                each(Extracted::Gone(id))?;
                continue;
            }
            let stored: Option<(String, String)> = record
                .query_row(params![id.as_bytes(), team.as_bytes(), kind.as_str()], |row| {
                    Ok((row.get(0)?, row.get(1)?))
                })
                .optional()?;
            let Some((fields, conflicts)) = stored else { continue };
            let view = View { kind: Some(kind), fields: parse(&fields)?, conflicts: parse(&conflicts)? };
            let (owner, whom) = match kind {
                Kind::Contact => {
                    let owner = match with_owner {
                        true => person_of(&self.conn, team.as_bytes(), &view.fields)?,
                        false => None,
                    };
                    (owner, person_id(&view.fields))
                }
                Kind::Person => (None, Some(id)),
                _ => (None, None),
            };
            let person = whom.map(|whom| self.standing_in(whom, team)).transpose()?.flatten();
            let record: Value = view.into_whole();
            each(Extracted::There { id, record, owner, person })?;
        }
        Ok(())
    }

    /// The record that stands for a person of a team; `None` where there is no such person there.
    fn standing_in(&self, id: RecordId, team: RecordId) -> Result<Option<RecordId>> {
        let mut statement =
            self.conn.prepare_cached("SELECT standing FROM person WHERE id = ? AND team = ?")?;
        let found =
            statement.query_row(params![id.as_bytes(), team.as_bytes()], |row| row.get(0)).optional()?;
        Ok(found.map(RecordId::from_bytes))
    }
}
