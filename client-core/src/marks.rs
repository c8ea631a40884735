//! Which records a screen lists together or marks: those of a session, those that wait, those to settle.

use rusqlite::{Connection, Params};
use wayside_protocol::record::RecordId;

use crate::{error::Result, people, tablet::Tablet};

impl Tablet {
    /// The contacts of a session, the last one to arrive here first.
    pub fn contacts_of(&self, session: RecordId) -> Result<Vec<RecordId>> {
        let sql = "SELECT r.id FROM contact c JOIN record r ON r.no = c.record
            WHERE c.session = ? ORDER BY r.no DESC";
        self.0.store.read(|conn| ids(conn, sql, [session.as_bytes()]))
    }

    /// The contacts of a person, and of everybody who was found to be one with them.
    pub fn contacts_of_person(&self, person: RecordId) -> Result<Vec<RecordId>> {
        self.0.store.read(|conn| people::contacts_of_person(conn, person))
    }

    /// Records of which the server has not accepted everything yet: nobody at base can see that.
    pub fn waiting_records(&self) -> Result<Vec<RecordId>> {
        let sql = "SELECT DISTINCT r.id FROM change c JOIN record r ON r.no = c.record
            WHERE c.state <> 'accepted' AND c.state <> 'quarantined' ORDER BY r.no";
        self.0.store.read(|conn| ids(conn, sql, ()))
    }

    /// Records in which values disagree or of which the server refused something, the last one to arrive here first.
    pub fn unsettled_records(&self) -> Result<Vec<RecordId>> {
        let sql = "SELECT id FROM record WHERE no IN (
                SELECT no FROM record WHERE conflicts > 0 AND hidden = 0
                UNION SELECT record FROM change WHERE state <> 'accepted' AND state = 'quarantined'
            ) ORDER BY no DESC";
        self.0.store.read(|conn| ids(conn, sql, ()))
    }
}

fn ids(conn: &Connection, sql: &str, params: impl Params) -> Result<Vec<RecordId>> {
    let mut statement = conn.prepare_cached(sql)?;
    let ids = statement.query_map(params, |row| row.get(0).map(RecordId::from_bytes))?;
    Ok(ids.collect::<Result<_, _>>()?)
}
