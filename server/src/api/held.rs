//! Quarantine: what could not be accepted, kept whole, and why.

use serde_json::{Value, json};

use super::records::read;
use super::{Names, Readers};
use crate::base::Base;
use crate::cli::quarantined;
use crate::error::Result;
use crate::log;

/// Everything that is held, the latest first, with the names of the tablets it came from. Blocks.
pub fn held(base: &Base, readers: &Readers) -> Result<Vec<Value>> {
    read(base, readers, |log, views| {
        let names = Names::read(base, log, views)?;
        let mut items: Vec<Value> = log::quarantine(log)?
            .iter()
            .filter(|held| readers.teams().holds(held.team))
            .map(|held| {
                let mut item = quarantined(held);
                if let Some(object) = item.as_object_mut() {
                    object.insert("tablet_name".into(), json!(names.tablet(&held.tablet)));
                }
                item
            })
            .collect();
        items.reverse();
        Ok(items)
    })
}
