//! Whose records are due for review, by the retention rules. Nothing here deletes anything.

use jiff::ToSpan;
use jiff::civil::Date;
use serde::Serialize;
use serde_json::Value;
use wayside_protocol::clinical::retention::review_from;
use wayside_protocol::record::RecordId;

use super::items::name_of;
use super::{Readers, today_in_london};
use crate::base::Base;
use crate::error::Result;
use crate::views::Views;

/// People on the list: whoever sees so many has work for a while.
const MOST: usize = 200;
/// Nobody's record is due sooner after the last contact, in years.
const LEAST: i32 = 8;

#[derive(Debug, Clone, Serialize)]
pub struct Review {
    /// Who was seen longest ago first.
    pub due: Vec<Due>,
    /// There are more than are shown.
    pub more: bool,
}

/// Somebody whose record should be looked at.
#[derive(Debug, Clone, Serialize)]
pub struct Due {
    pub id: String,
    pub name: Option<String>,
    /// `YYYY-MM-DD`: the last contact, or where there was none the day on which the record was made.
    pub last: String,
    pub seen: bool,
    /// Since when it is due.
    pub since: String,
}

/// The people whose records are due. Blocks.
pub fn review(base: &Base, readers: &Readers) -> Result<Review> {
    let today = today_in_london(base);
    let Ok(before) = today.checked_sub(LEAST.years()) else { return Ok(Review { due: vec![], more: false }) };
    readers.read(base, |views| {
        let mut due = Vec::new();
        // Who was seen on the day itself is due.
        for (id, last) in views.not_seen_since(&format!("{before}~"), usize::MAX >> 1)? {
            due.extend(is_due(views, id, &last, today)?);
            if due.len() > MOST {
                break;
            }
        }
        let more = due.len() > MOST;
        due.truncate(MOST);
        Ok(Review { due, more })
    })
}

fn is_due(views: &Views, id: RecordId, seen: &str, today: Date) -> Result<Option<Due>> {
    let Some(person) = views.show(id)? else { return Ok(None) };
    let made = person.pointer("/created/at").and_then(Value::as_str).unwrap_or_default();
    let last = if seen.is_empty() { made } else { seen };
    let Some(day) = last.get(..10).and_then(|day| day.parse::<Date>().ok()) else { return Ok(None) };
    let since = review_from(&person, day).filter(|since| *since <= today);
    Ok(since.map(|since| Due {
        id: id.to_string(),
        name: name_of(&person),
        last: day.to_string(),
        seen: !seen.is_empty(),
        since: since.to_string(),
    }))
}
