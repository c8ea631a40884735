//! Subject access: everything that is held about one person, to be read by them (pack 10.4). What is held about somebody
//! else is left out where it has a place of its own: likely duplicates are not here.

use serde::Serialize;
use serde_json::Value;
use wayside_protocol::record::{Kind, RecordId};
use wayside_protocol::sync::frame::MAX_REASON;

use super::changes::rfc3339;
use super::items::name_of;
use super::records::{person, read, shown};
use super::trail::{acts, belonging};
use super::{Act, Names, Readers, Shown, Told};
use crate::base::Base;
use crate::cli::quarantined;
use crate::error::{Error, Result};
use crate::log;
use wayside_protocol::error::Code;

#[derive(Debug, Clone, Serialize)]
pub struct Access {
    pub id: String,
    pub name: Option<String>,
    /// RFC 3339.
    pub made_at: String,
    /// Everything that happened, the oldest first: checks, advice, referrals and what became of them.
    pub story: Vec<Told>,
    /// Every record of theirs with all values that it ever had: persons first, then checks and conversations.
    pub records: Vec<Shown>,
    /// What was refused and is kept.
    pub quarantined: Vec<Value>,
    /// Who looked at any of it, the latest first.
    pub looked: Vec<Act>,
    #[serde(skip)]
    pub names: std::sync::Arc<Names>,
}

/// Everything about a person, by any of their records. Blocks.
pub fn access(base: &Base, readers: &Readers, id: RecordId) -> Result<Access> {
    let found = person(base, readers, id)?;
    read(base, readers, |log, views| {
        let (standing, all) = belonging(views, id)?;
        let names = Names::read(base, log, views)?;
        let mut records = Vec::with_capacity(all.len());
        for record in &all {
            records.push(shown(log, *record, &names)?);
        }
        records.sort_by_key(|shown| {
            let began = shown.record.get("started_at").and_then(Value::as_str).unwrap_or_default();
            (shown.kind() != Some(Kind::Person), began.to_owned())
        });
        let held = log::quarantine(log)?.into_iter().filter(|change| all.contains(&change.record));
        Ok(Access {
            id: standing.to_string(),
            name: name_of(&found.shown.record),
            made_at: rfc3339(base.clock.now_ms()),
            story: found.timeline,
            records,
            quarantined: held.map(|change| quarantined(&change)).collect(),
            looked: acts(log, &all, &names)?,
            names: names.into(),
        })
    })
}

/// A reason that somebody typed, if it is one.
pub fn reason(typed: &str) -> Result<String> {
    let reason = typed.trim();
    if reason.is_empty() || reason.chars().count() > MAX_REASON {
        let message = format!("A reason has 1 to {MAX_REASON} characters.");
        return Err(Error::Said(Code::OutOfRange, message));
    }
    Ok(reason.to_owned())
}
