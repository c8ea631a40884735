//! Records other than checks in which values disagree: mostly who somebody is. Checks stand on Today.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::items::name_of;
use super::records::{read, referred};
use super::{Part, Readers, cursor};
use crate::base::Base;
use crate::error::Result;

/// Records on one page.
const PAGE: u64 = 50;
const MOST_PAGES: u64 = 10_000;
/// Of its cursors.
const LIST: u8 = b'd';

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Disputed {
    pub total: u64,
    pub page: u64,
    pub pages: u64,
    pub records: Vec<Unsettled>,
    /// Send it as `after` for what follows; null where this is the last page by now.
    pub next: Option<String>,
}

/// One of them.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Unsettled {
    pub id: String,
    pub kind: String,
    /// Of a person, site or team; a session's site.
    pub name: Option<String>,
    /// Paths of the fields, as in `conflicts`.
    pub fields: Vec<String>,
}

/// A page of the list: people first, the latest first. Blocks.
pub fn disputed(base: &Base, readers: &Readers, asked: &Part) -> Result<Disputed> {
    let after = cursor::after(LIST, &asked.after)?;
    read(base, readers, |_, views| {
        let total = views.disputed_count()?;
        let pages = total.div_ceil(PAGE).clamp(1, MOST_PAGES);
        let page = asked.page().clamp(1, pages);
        let skip = match &after {
            Some(place) => views.disputed_through(place)?,
            None => (page - 1) * PAGE,
        };
        let rows = views.disputed(skip, PAGE)?;
        let more = skip + (rows.len() as u64) < total;
        let last =
            rows.last().filter(|_| more).map(|(id, kind, created)| (kind.clone(), created.clone(), *id));
        let mut records = Vec::new();
        for (id, kind, _) in rows {
            let Some(record) = views.show(id)? else { continue };
            let named = |record: &Value| record.get("name").and_then(Value::as_str).map(str::to_owned);
            let name = match kind.as_str() {
                "person" => name_of(&record),
                "session" => referred(views, &record, "site")?.as_ref().and_then(named),
                _ => named(&record),
            };
            let conflicts = record.get("conflicts").and_then(Value::as_array).into_iter().flatten();
            let fields = conflicts.filter_map(|conflict| Some(conflict.get("path")?.as_str()?.to_owned()));
            records.push(Unsettled { id: id.to_string(), kind, name, fields: fields.collect() });
        }
        let next = last.map(|place| cursor::told(LIST, &place)).transpose()?;
        Ok(Disputed { total, page, pages, records, next })
    })
}
