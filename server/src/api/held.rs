//! Quarantine: what could not be accepted, kept whole, and why.

use std::cmp::Reverse;

use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::cursor::{self, Paging};
use super::records::read;
use super::{Names, Readers};
use crate::base::Base;
use crate::cli::quarantined;
use crate::error::Result;
use crate::log::{self, Quarantined};
use crate::openapi::shapes;

/// Of its cursors.
const LIST: u8 = b'q';

/// A page of what is held.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct HeldChanges {
    #[schema(value_type = Vec<shapes::Quarantined>)]
    pub changes: Vec<Value>,
    /// Send it as `after` for the next page; null where this is the last by now.
    pub next: Option<String>,
}

/// Everything that is held, the latest first, with the names of the tablets it came from. Blocks.
pub fn held(base: &Base, readers: &Readers) -> Result<Vec<Value>> {
    shown(base, readers, |mut held| {
        held.reverse();
        Ok((held, ()))
    })
    .map(|(items, ())| items)
}

/// A page of the same. Blocks.
pub fn held_page(base: &Base, readers: &Readers, paging: &Paging) -> Result<HeldChanges> {
    let (changes, next) = shown(base, readers, |held| {
        cursor::page(LIST, paging, held, |one| {
            Reverse((one.received_at, one.team.to_string(), one.record.to_string(), one.hash))
        })
    })?;
    Ok(HeldChanges { changes, next })
}

/// Those of everything held, the oldest first, that somebody chooses.
fn shown<T>(
    base: &Base,
    readers: &Readers,
    choose: impl FnOnce(Vec<Quarantined>) -> Result<(Vec<Quarantined>, T)>,
) -> Result<(Vec<Value>, T)> {
    read(base, readers, |log, views| {
        let names = Names::read(base, log, views)?;
        let mut held = log::quarantine(log)?;
        held.retain(|one| readers.teams().holds(one.team));
        let (chosen, told) = choose(held)?;
        let items = chosen.iter().map(|held| {
            let mut item = quarantined(held);
            if let Some(object) = item.as_object_mut() {
                object.insert("tablet_name".into(), json!(names.tablet(&held.tablet)));
            }
            item
        });
        Ok((items.collect(), told))
    })
}
