//! Pop-up sessions by their day, and how many each saw.

use rusqlite::{OptionalExtension, params};
use wayside_protocol::record::RecordId;

use super::Views;
use crate::error::Result;

/// One session as lists show it.
#[derive(Debug, Clone)]
pub struct SessionRow {
    pub id: RecordId,
    pub team: RecordId,
    /// The site's id as it stands in the session.
    pub site: Option<String>,
    /// `YYYY-MM-DD`.
    pub date: String,
    pub setting: Option<String>,
}

/// Which sessions are asked for; `None` is all.
#[derive(Debug, Clone, Copy, Default)]
pub struct Whose<'a> {
    pub site: Option<&'a str>,
    pub team: Option<RecordId>,
}

// As the index has it. It is named in the queries: the planner would go through all sessions there are.
const DAY: &str = "json_extract(fields, '$.date')";
const WHOSE: &str = "kind = 'session' AND (?1 IS NULL OR json_extract(fields, '$.site') = ?1)
    AND (?2 IS NULL OR team = ?2)";

impl Views {
    /// Records by the index of their day; a view, of some teams, cannot be told which index to take.
    fn by_day(&self) -> &'static str {
        if self.is_limited() { "record" } else { "record INDEXED BY session_by_day" }
    }

    /// Sessions from one day to before another, both `YYYY-MM-DD`, the latest first.
    pub fn sessions(&self, whose: Whose<'_>, from: &str, until: &str) -> Result<Vec<SessionRow>> {
        let mut statement = self.conn.prepare_cached(&format!(
            "SELECT id, team, json_extract(fields, '$.site'), {DAY}, json_extract(fields, '$.setting')
             FROM {} WHERE {WHOSE} AND {DAY} >= ?3 AND {DAY} < ?4
             ORDER BY {DAY} DESC, id",
            self.by_day()
        ))?;
        let team = whose.team.map(|team| *team.as_bytes());
        let rows = statement.query_map(params![whose.site, team, from, until], |row| {
            Ok(SessionRow {
                id: RecordId::from_bytes(row.get(0)?),
                team: RecordId::from_bytes(row.get(1)?),
                site: row.get(2)?,
                date: row.get(3)?,
                setting: row.get(4)?,
            })
        })?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// The day of the last session before one day (`YYYY-MM-DD`).
    pub fn last_session_before(&self, whose: Whose<'_>, day: &str) -> Result<Option<String>> {
        let mut statement = self.conn.prepare_cached(&format!(
            "SELECT {DAY} FROM {} WHERE {WHOSE} AND {DAY} < ?3
             ORDER BY {DAY} DESC LIMIT 1",
            self.by_day()
        ))?;
        let team = whose.team.map(|team| *team.as_bytes());
        Ok(statement.query_row(params![whose.site, team, day], |row| row.get(0)).optional()?)
    }

    /// How many checks and conversations a session has, and how many of them wait for somebody.
    pub fn seen_at(&self, session: RecordId, team: RecordId) -> Result<(u64, u64)> {
        let mut statement = self.conn.prepare_cached(
            "SELECT count(*), coalesce(sum(attention = 1), 0) FROM contact WHERE session = ? AND team = ?",
        )?;
        let counted = statement
            .query_row((session.to_string(), team.as_bytes()), |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(counted)
    }
}
