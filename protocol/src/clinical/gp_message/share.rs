//! Whether somebody agreed that their practice hears of them.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use crate::clinical::entries::{is_set, slots, timestamp};

/// Whether the person agreed that this goes to their practice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Share {
    Agreed,
    Refused,
    Withdrawn,
    NotAsked,
}

impl Share {
    /// Nothing is sent without a yes that stands.
    pub const fn may_send(self) -> bool {
        matches!(self, Share::Agreed)
    }

    pub const fn label(self) -> &'static str {
        match self {
            Share::Agreed => "Agreed to share with the GP practice",
            Share::Refused => "Did not agree to share with the GP practice",
            Share::Withdrawn => "Agreed to share with the GP practice, and withdrew it",
            Share::NotAsked => "Not asked whether to share with the GP practice",
        }
    }
}

/// The purpose of a consent that lets a check go to the practice.
pub const SHARE_WITH_GP: &str = "share_with_gp";

/// Whether somebody agreed, by the consents of all records of theirs. The latest answer counts by the time written
/// down with it; of two of one time, or without one, the one that sends nothing (D).
pub fn share_with_gp<'a>(persons: impl IntoIterator<Item = &'a Value>) -> Share {
    let consents = persons.into_iter().flat_map(|person| slots(person.get("consents")));
    let answers = consents.flat_map(|slot| slot.alternatives).map(|(_, consent)| consent);
    let answers = answers.filter(|consent| consent.get("purpose").is_some_and(|to| to == SHARE_WITH_GP));
    let latest = answers.map(|consent| {
        let share = match (consent.get("given"), is_set(consent.get("withdrawn_at"))) {
            (Some(Value::Bool(true)), false) => Share::Agreed,
            (Some(Value::Bool(true)), true) => Share::Withdrawn,
            _ => Share::Refused,
        };
        (timestamp(consent.get("at")), !share.may_send(), share)
    });
    let latest: Vec<(Option<Timestamp>, bool, Share)> = latest.collect();
    // A refusal without a time stands beside every yes.
    let timeless = latest.iter().find(|(at, refuses, _)| at.is_none() && *refuses);
    let last = timeless.or_else(|| latest.iter().max_by_key(|(at, refuses, _)| (*at, *refuses)));
    last.map_or(Share::NotAsked, |(_, _, share)| *share)
}
