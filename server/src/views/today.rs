//! What somebody must still do: each check's part in it, and the lists that pages read.

use jiff::civil::Date;
use jiff::{Span, Timestamp, tz::TimeZone};
use rusqlite::{Connection, params};
use serde_json::Value;
use wayside_protocol::clinical::follow_up::{Task, TaskKind};
use wayside_protocol::clinical::{Derived, Urgency};
use wayside_protocol::record::RecordId;

use super::Views;
use crate::error::Result;

/// Where no day was said: after all that have one.
const NO_DAY: &str = "9999-12-31";

/// Why something stands on the list, in the order in which it is taken up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// A check that calls for somebody today, or a referral for today that nobody has confirmed.
    Urgent = 1,
    /// A follow-up that is due or overdue.
    FollowUp = 2,
    /// A check that calls for somebody within weeks, for which nothing was arranged.
    Arrange = 3,
    /// A referral without an outcome.
    Referral = 4,
    /// A check in which values disagree.
    Conflict = 5,
    /// A change in quarantine at which nobody has looked. These stand in the log, not in the views.
    Held = 6,
    /// Was urgent or to be arranged, and is in somebody's hands. Never part of the whole list.
    InHand = 7,
}

impl Part {
    pub const ALL: [Part; 7] = [
        Part::Urgent,
        Part::FollowUp,
        Part::Arrange,
        Part::Referral,
        Part::Conflict,
        Part::Held,
        Part::InHand,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Part::Urgent => "urgent",
            Part::FollowUp => "follow_up",
            Part::Arrange => "arrange",
            Part::Referral => "referral",
            Part::Conflict => "conflict",
            Part::Held => "held",
            Part::InHand => "in_hand",
        }
    }

    pub fn parse(text: &str) -> Option<Part> {
        Part::ALL.into_iter().find(|part| part.as_str() == text)
    }

    fn of(number: i64) -> Option<Part> {
        Part::ALL.into_iter().find(|part| *part as i64 == number)
    }
}

/// By what the list is ordered: part, less its rank, day, when the check began, the check, the entry.
pub type Place = (i64, i64, String, String, RecordId, String);

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Todo {
    pub part: Part,
    rank: i64,
    day: String,
    pub contact: RecordId,
    /// The follow-up or referral that it is about; empty for the check itself.
    pub entry: String,
}

impl Todo {
    /// By when it should be done; `None` where no day was said, and where urgency counts.
    pub fn due_on(&self) -> Option<Date> {
        if self.day == NO_DAY { None } else { self.day.parse().ok() }
    }
}

/// Which of them are asked for.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wanted<'a> {
    /// All but what is in hand, unless one part is named.
    pub part: Option<Part>,
    pub team: Option<RecordId>,
    /// Checks that began at or after this (RFC 3339 in UTC); empty for all.
    pub since: &'a str,
    /// Only those of these sessions, a JSON array of ids as they stand in the contacts.
    pub sessions: Option<&'a str>,
    /// Only these checks, a JSON array of ids in hexadecimal digits.
    pub checks: Option<&'a str>,
}

/// What is to be done about a contact, of which `tasks` are the follow-ups and referrals.
pub(super) fn todos(
    id: RecordId,
    contact: &Value,
    derived: &Derived,
    tasks: &[Task],
    stands: Stands,
) -> Vec<Todo> {
    let todo =
        |part, rank, day: String, entry: &str| Todo { part, rank, day, contact: id, entry: entry.to_owned() };
    let open: Vec<&Task> = tasks.iter().filter(|task| task.state.is_open()).collect();
    let referrals = || open.iter().filter(|task| task.kind == TaskKind::Referral);
    let waits = stands == Stands::Waits;
    let unconfirmed = referrals().filter_map(|task| task.urgency).max();
    // Once everything urgent is in somebody's hands, a referral that nobody confirmed waits among the other referrals.
    let today = [waits.then_some(derived.urgency), unconfirmed.filter(|_| stands != Stands::InHand)];
    let urgent = today.into_iter().flatten().max().filter(|urgency| *urgency >= Urgency::SameDay);

    let mut todos = Vec::new();
    let mut listed = true;
    if let Some(urgency) = urgent {
        todos.push(todo(Part::Urgent, urgency as i64, String::new(), ""));
    } else if waits && unconfirmed < Some(derived.urgency) {
        todos.push(todo(Part::Arrange, 0, due(contact, derived.urgency), ""));
    } else {
        listed = false;
    }
    for task in &open {
        let part = match task.kind {
            TaskKind::FollowUp => Part::FollowUp,
            // The check itself stands above for these.
            TaskKind::Referral if urgent.is_some() && task.urgency >= Some(Urgency::SameDay) => continue,
            TaskKind::Referral => Part::Referral,
        };
        let day = task.due_on.map_or_else(|| NO_DAY.to_owned(), |day| day.to_string());
        todos.push(todo(part, 0, day, &task.entry));
    }
    let disagree = contact.get("conflicts").and_then(Value::as_array).is_some_and(|all| !all.is_empty());
    if (disagree || derived.disputed.is_some()) && !listed {
        todos.push(todo(Part::Conflict, 0, String::new(), ""));
    }
    if stands == Stands::InHand && urgent.is_none() {
        todos.push(todo(Part::InHand, derived.urgency as i64, String::new(), ""));
    }
    todos
}

/// How a check stands by the rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stands {
    /// Nobody need look.
    Routine = 0,
    Waits = 1,
    InHand = 2,
}

/// By when somebody should see the person, counted from the check: as for a referral of that urgency.
fn due(contact: &Value, urgency: Urgency) -> String {
    let days = match urgency {
        Urgency::Within7Days => 7,
        Urgency::Within3Weeks => 21,
        Urgency::Emergency | Urgency::SameDay | Urgency::Routine => 0,
    };
    let begun = contact.get("started_at").and_then(Value::as_str).and_then(|at| at.parse::<Timestamp>().ok());
    let day = begun.map(|at| at.to_zoned(TimeZone::UTC).date());
    day.and_then(|day| day.checked_add(Span::new().days(days)).ok())
        .map_or_else(|| NO_DAY.to_owned(), |day: Date| day.to_string())
}

/// Writes what is to be done about a contact of which nothing is there.
pub(super) fn write(
    views: &Connection,
    (team, id): (&[u8; 16], RecordId),
    started_at: &str,
    todos: &[Todo],
) -> Result<()> {
    let mut insert = views.prepare_cached(
        "INSERT INTO todo (part, rank, day, started_at, contact, entry, team) VALUES (?, ?, ?, ?, ?, ?, ?)",
    )?;
    for Todo { part, rank, day, entry, .. } in todos {
        insert.execute(params![*part as i64, rank, day, started_at, id.as_bytes(), entry, team])?;
    }
    Ok(())
}

pub(super) fn forget(views: &Connection, contact: RecordId) -> Result<()> {
    views.prepare_cached("DELETE FROM todo WHERE contact = ?")?.execute([contact.as_bytes()])?;
    Ok(())
}

/// Of ?1 today (`YYYY-MM-DD`), ?2 team, ?3 since, ?4 sessions, ?5 checks. Follow-ups wait for their day.
const WANTED: &str = "(part <> 2 OR day <= ?1) AND (?2 IS NULL OR team = ?2) AND started_at >= ?3
    AND (?4 IS NULL OR todo.contact IN
        (SELECT id FROM contact WHERE session IN (SELECT value FROM json_each(?4))))
    AND (?5 IS NULL OR todo.contact IN (SELECT unhex(value) FROM json_each(?5)))";

impl Views {
    /// What is to be done on a day (`YYYY-MM-DD`), the most urgent first, then what should have been done longest.
    pub fn todos(&self, wanted: &Wanted, today: &str, skip: u64, limit: u64) -> Result<Vec<Todo>> {
        let mut statement = self.conn.prepare_cached(&format!(
            "SELECT part, rank, day, contact, entry FROM todo WHERE part BETWEEN ?6 AND ?7 AND {WANTED}
             ORDER BY part, rank DESC, day, started_at, contact, entry LIMIT ?8 OFFSET ?9"
        ))?;
        let (first, last) = wanted.part.map_or((Part::Urgent, Part::Held), |part| (part, part));
        let team = wanted.team.as_ref().map(RecordId::as_bytes);
        let Wanted { since, sessions, checks, .. } = wanted;
        let values = params![today, team, since, sessions, checks, first as i64, last as i64, limit, skip];
        let rows = statement.query_map(values, |row| {
            let part = Part::of(row.get(0)?).unwrap_or(Part::Urgent);
            let contact = RecordId::from_bytes(row.get(3)?);
            Ok(Todo { part, rank: row.get(1)?, day: row.get(2)?, contact, entry: row.get(4)? })
        })?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// By what the list is ordered, of one thing.
    pub fn place_of(&self, todo: &Todo) -> Result<Place> {
        let mut statement = self
            .conn
            .prepare_cached("SELECT started_at FROM todo WHERE contact = ? AND part = ? AND entry = ?")?;
        let begun = statement
            .query_row(params![todo.contact.as_bytes(), todo.part as i64, todo.entry], |row| row.get(0))?;
        Ok((todo.part as i64, -todo.rank, todo.day.clone(), begun, todo.contact, todo.entry.clone()))
    }

    /// How many things stand on the list up to a place, whether or not one stands there now.
    pub fn todos_through(&self, wanted: &Wanted, today: &str, place: &Place) -> Result<u64> {
        let mut statement = self.conn.prepare_cached(&format!(
            "SELECT count(*) FROM todo WHERE part BETWEEN ?6 AND ?7 AND {WANTED}
             AND (part, -rank, day, started_at, contact, entry) <= (?8, ?9, ?10, ?11, ?12, ?13)"
        ))?;
        let (first, last) = wanted.part.map_or((Part::Urgent, Part::Held), |part| (part, part));
        let team = wanted.team.as_ref().map(RecordId::as_bytes);
        let (part, rank, day, begun, contact, entry) = place;
        let asked = params![
            today,
            team,
            wanted.since,
            wanted.sessions,
            wanted.checks,
            first as i64,
            last as i64,
            part,
            rank,
            day,
            begun,
            contact.as_bytes(),
            entry
        ];
        Ok(statement.query_row(asked, |row| row.get(0))?)
    }

    /// How many things there are of each part, whatever part is wanted.
    pub fn todo_counts(&self, wanted: &Wanted, today: &str) -> Result<Vec<(Part, u64)>> {
        let mut statement = self
            .conn
            .prepare_cached(&format!("SELECT part, count(*) FROM todo WHERE {WANTED} GROUP BY part"))?;
        let team = wanted.team.as_ref().map(RecordId::as_bytes);
        let values = params![today, team, wanted.since, wanted.sessions, wanted.checks];
        let rows = statement
            .query_map(values, |row| Ok((Part::of(row.get(0)?).unwrap_or(Part::Urgent), row.get(1)?)))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// Records other than checks in which values disagree, with their kind: people first, the latest first.
    /// Each with its kind and when it was made.
    pub fn disputed(&self, skip: u64, limit: u64) -> Result<Vec<(RecordId, String, String)>> {
        let mut statement = self.conn.prepare_cached(
            "SELECT id, kind, created FROM record WHERE conflict_count > 0 AND kind <> 'contact'
             ORDER BY kind <> 'person', created DESC, id LIMIT ? OFFSET ?",
        )?;
        let rows = statement.query_map((limit, skip), |row| {
            Ok((RecordId::from_bytes(row.get(0)?), row.get(1)?, row.get(2)?))
        })?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// How many of them stand up to one of this kind and id that was made then.
    pub fn disputed_through(&self, (kind, created, id): &(String, String, RecordId)) -> Result<u64> {
        let mut statement = self.conn.prepare_cached(
            "SELECT count(*) FROM record WHERE conflict_count > 0 AND kind <> 'contact' AND (
                 (kind <> 'person') < (?1 <> 'person')
                 OR (kind <> 'person') = (?1 <> 'person') AND (created > ?2 OR created = ?2 AND id <= ?3))",
        )?;
        Ok(statement.query_row(params![kind, created, id.as_bytes()], |row| row.get(0))?)
    }

    pub fn disputed_count(&self) -> Result<u64> {
        let mut statement = self
            .conn
            .prepare_cached("SELECT count(*) FROM record WHERE conflict_count > 0 AND kind <> 'contact'")?;
        Ok(statement.query_row([], |row| row.get(0))?)
    }
}
