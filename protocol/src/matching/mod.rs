//! Likely duplicates: how much speaks for two records being of one person, and what.
//!
//! Agreement weights after Fellegi and Sunter: each field that both records hold adds the logarithm of
//! how much more often it comes out so for one person than for two. The table is in [`weights`], all D.
//! The result is a hint with its reasons. Nothing here merges anything, and nothing should on its own:
//! that is for a person who has seen both.

mod compare;
mod facts;
pub mod find;
mod keys;
pub mod merged;
pub mod weights;

pub use facts::PersonFacts;

use serde::Serialize;

use crate::clinical::text::Text;
use weights::Outcome;

/// What to make of a weight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Likeness {
    /// Not worth anybody's time.
    None,
    /// Worth a look.
    Possible,
    /// Show it before a new record is saved.
    Likely,
}

/// What speaks for and against one person.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Match {
    /// In bits: each more doubles the odds.
    pub weight: f64,
    pub likely: Likeness,
    /// The strongest first, for and against.
    pub reasons: Vec<Text>,
}

/// Compares two people. The same whichever comes first.
pub fn score(a: &PersonFacts, b: &PersonFacts) -> Match {
    let mut found: Vec<&Outcome> = compare::all(a, b);
    let weight: f64 = found.iter().map(|outcome| outcome.weight()).sum();
    // By absolute weight; equal ones stay in the order of the fields.
    found.sort_by(|a, b| b.weight().abs().total_cmp(&a.weight().abs()));

    let has = |wanted: &Outcome| found.iter().any(|outcome| outcome.id == wanted.id);
    let likely = if weight >= weights::LIKELY && !weights::NEVER_LIKELY_WITH.iter().any(has) {
        Likeness::Likely
    } else if weight >= weights::POSSIBLE || has(&weights::NHS_NUMBER_SAME) {
        // The same NHS number on two very different people is a mistake that somebody should see.
        Likeness::Possible
    } else {
        Likeness::None
    };
    let reasons = found.iter().map(|outcome| Text::new(format!("match-{}", outcome.id))).collect();
    Match { weight, likely, reasons }
}
