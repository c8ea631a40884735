//! Pop-up sessions: where, when, how many came, and who was seen.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::Serialize;
use serde_json::Value;
use wayside_protocol::error::Code;
use wayside_protocol::record::{Kind, RecordId};

use super::records::{read, referred};
use super::worklist::{Item, item};
use super::{Names, Readers};
use crate::base::Base;
use crate::error::Result;

/// One session in the list.
#[derive(Debug, Clone, Serialize)]
pub struct Listed {
    pub id: String,
    pub site: Option<String>,
    pub date: String,
    pub setting: Option<String>,
    /// Checks and conversations.
    pub seen: u64,
    /// Of these, on the worklist.
    pub attention: u64,
}

/// One session with whom it saw.
#[derive(Debug, Clone, Serialize)]
pub struct PopUp {
    pub record: Value,
    pub site: Option<Value>,
    /// Checks and conversations, in the order in which they began.
    pub checks: Vec<Item>,
    /// How many of each category; `None` is a conversation, or a check that has no category.
    pub categories: Vec<(Option<String>, u64)>,
    /// Names of who recorded something here, and of those that the session lists.
    pub staff: Vec<String>,
    pub tablets: Vec<String>,
}

/// All sessions, the latest first. Blocks.
pub fn sessions(base: &Base, readers: &Readers) -> Result<Vec<Listed>> {
    read(base, readers, |_, views| {
        let mut counts: HashMap<String, (u64, u64)> = HashMap::new();
        for count in views.counts()? {
            let (seen, attention) = counts.entry(count.session.unwrap_or_default()).or_default();
            *seen += count.count;
            if count.attention {
                *attention += count.count;
            }
        }
        let mut sites: HashMap<String, String> = HashMap::new();
        for site in views.list(Some(Kind::Site))? {
            let text = |name: &str| site.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
            sites.insert(text("id"), text("name"));
        }
        let mut listed: Vec<Listed> = views
            .list(Some(Kind::Session))?
            .iter()
            .map(|session| {
                let text = |name: &str| session.get(name).and_then(Value::as_str).map(str::to_owned);
                let id = text("id").unwrap_or_default();
                let (seen, attention) = counts.get(&id).copied().unwrap_or_default();
                Listed {
                    site: text("site").and_then(|site| sites.get(&site).cloned()),
                    date: text("date").unwrap_or_default(),
                    setting: text("setting"),
                    id,
                    seen,
                    attention,
                }
            })
            .collect();
        listed.sort_by(|a, b| b.date.cmp(&a.date).then_with(|| a.site.cmp(&b.site)).then(a.id.cmp(&b.id)));
        Ok(listed)
    })
}

/// One session. Blocks.
pub fn session(base: &Base, readers: &Readers, id: RecordId) -> Result<PopUp> {
    read(base, readers, |log, views| {
        let names = Names::read(base, log, views)?;
        let is_session =
            |record: &Value| record.get("kind").and_then(Value::as_str) == Some(Kind::Session.as_str());
        let record = views.show(id)?.filter(is_session).ok_or(Code::RecordNotFound)?;
        let site = referred(views, &record, "site")?;
        let mut staff: BTreeSet<String> = BTreeSet::new();
        let mut tablets: BTreeSet<String> = BTreeSet::new();
        for member in record.get("staff").and_then(Value::as_array).into_iter().flatten() {
            staff.extend(member.as_str().map(|id| names.staff(id)));
        }
        let mut checks = Vec::new();
        let mut categories: BTreeMap<Option<String>, u64> = BTreeMap::new();
        for seen in views.of_session(id)? {
            let Some(check) = views.show(seen.id)? else { continue };
            if check.get("team") != record.get("team") {
                continue;
            }
            let made = |name: &str| check.pointer(name).and_then(Value::as_str).map(str::to_owned);
            staff.extend(made("/created/by").map(|by| names.staff(&by)));
            tablets.extend(made("/created/tablet").map(|tablet| names.tablet(&tablet)));
            *categories.entry(seen.category).or_default() += 1;
            checks.extend(item(views, seen.id)?);
        }
        Ok(PopUp {
            record,
            site,
            checks,
            categories: categories.into_iter().collect(),
            staff: staff.into_iter().collect(),
            tablets: tablets.into_iter().collect(),
        })
    })
}
