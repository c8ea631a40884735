//! People by when they were seen last, for the review of what is kept.

use rusqlite::params;
use wayside_protocol::record::RecordId;

use super::Views;
use crate::error::Result;

impl Views {
    /// People who were not seen since a day, `YYYY-MM-DD`, or never, who was seen longest ago first; at most so many. With
    /// when they were seen last, empty for never.
    pub fn not_seen_since(&self, day: &str, most: usize) -> Result<Vec<(RecordId, String)>> {
        let mut statement = self.conn.prepare_cached(
            "SELECT p.standing, coalesce(max(c.started_at), '') AS last
             FROM person AS p LEFT JOIN contact AS c ON c.person = p.id AND c.team = p.team
             GROUP BY p.standing HAVING last < ?1 ORDER BY last, p.standing LIMIT ?2",
        )?;
        let rows = statement.query_map(params![day, most as i64], |row| {
            Ok((RecordId::from_bytes(row.get(0)?), row.get(1)?))
        })?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }
}
