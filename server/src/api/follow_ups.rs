//! Follow-ups and referrals that somebody of the team must still do something about.

use jiff::ToSpan;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use wayside_protocol::clinical::follow_up::{self, Call, Task};

use super::items::{Reachable, Who, now};
use super::records::{read, standing};
use super::{Names, Part, Readers, cursor};
use crate::base::Base;
use crate::error::Result;
use crate::openapi::shapes;
use crate::views::TaskPlace;

/// Tasks on one page.
const PAGE: u64 = 25;
const MOST_PAGES: u64 = 10_000;
/// Of its cursors.
const LIST: u8 = b'f';

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct FollowUps {
    /// The day that decides, in London.
    pub today: String,
    pub overdue: u64,
    pub due: u64,
    pub coming: u64,
    /// Those for which no day was said.
    pub undated: u64,
    /// Which part this is: `all` (that have a day), `overdue`, `due`, `coming` or `undated`.
    pub part: &'static str,
    pub total: u64,
    pub page: u64,
    pub pages: u64,
    pub items: Vec<TaskItem>,
    /// Send it as `after` for what follows; null where this is the last page by now.
    pub next: Option<String>,
}

/// One of them, with what whoever takes it up needs to know.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct TaskItem {
    pub check: String,
    pub person: Option<Who>,
    #[serde(flatten)]
    pub reach: Reachable,
    pub started_at: String,
    #[schema(value_type = shapes::Task)]
    pub task: Task,
    /// All calls of the check, the oldest first.
    #[schema(value_type = Vec<shapes::Call>)]
    pub calls: Vec<Call>,
    /// Who made the last of these, and what happened last, by name.
    pub last_call_by: Option<String>,
    pub last_by: Option<String>,
}

/// A page of the list, the earliest day first. Blocks.
pub fn follow_ups(base: &Base, readers: &Readers, asked: &Part) -> Result<FollowUps> {
    let after = cursor::after(LIST, &asked.after)?;
    let today = now(base).date();
    let (day, next) = (today.to_string(), today.saturating_add(1.day()).to_string());
    read(base, readers, |log, views| {
        let names = Names::read(base, log, views)?;
        let [overdue, due, coming, undated] = views.task_counts(&day)?;
        let (part, total, from, until) = match asked.show.as_str() {
            "overdue" => ("overdue", overdue, Some(""), day.as_str()),
            "due" => ("due", due, Some(day.as_str()), next.as_str()),
            "coming" => ("coming", coming, Some(next.as_str()), ""),
            "undated" => ("undated", undated, None, ""),
            _ => ("all", overdue + due + coming, Some(""), ""),
        };
        let pages = total.div_ceil(PAGE).clamp(1, MOST_PAGES);
        let page = asked.page().clamp(1, pages);
        let skip = match &after {
            Some(place) => views.open_tasks_through(from, until, place)?,
            None => (page - 1) * PAGE,
        };
        let rows = views.open_tasks(from, until, skip, PAGE)?;
        let more = skip + (rows.len() as u64) < total;
        let last = rows.last().filter(|_| more);
        let last = last.map(|row| (row.due_on.clone(), row.contact, row.kind.clone(), row.entry.clone()));
        let following = last.map(|place: TaskPlace| cursor::told(LIST, &place)).transpose()?;
        let mut items = Vec::new();
        for row in rows {
            let Some(check) = views.show(row.contact)? else { continue };
            let task = follow_up::tasks(&check, today)
                .into_iter()
                .find(|task| task.kind.as_str() == row.kind && task.entry == row.entry);
            let Some(task) = task else { continue };
            let person = standing(views, &check)?;
            let calls = follow_up::calls(&check);
            let by = |by: Option<&String>| by.map(|by| names.staff(by));
            items.push(TaskItem {
                check: row.contact.to_string(),
                reach: Reachable::of(person.as_ref()),
                person: person
                    .as_ref()
                    .map(|person| Who::of(person, check.pointer("/derived/age").and_then(Value::as_i64))),
                started_at: check.get("started_at").and_then(Value::as_str).unwrap_or_default().to_owned(),
                last_call_by: by(calls.last().and_then(|call| call.by.as_ref())),
                last_by: by(task.last.as_ref().and_then(|last| last.by.as_ref())),
                task,
                calls,
            });
        }
        let (today, next) = (day.clone(), following);
        Ok(FollowUps { today, overdue, due, coming, undated, part, total, page, pages, items, next })
    })
}
