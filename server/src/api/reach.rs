//! Which days and whose are asked for. The figures themselves are `crate::reach`'s.

use jiff::ToSpan;
use serde::Deserialize;

use super::worklist::now;
use crate::base::Base;
use crate::reach::Asked;

/// What is shown where nobody asked for days.
const DAYS: i64 = 90;

/// `from` and `to` (`YYYY-MM-DD`, both included) and `team` (an id), as in the address of the page.
#[derive(Debug, Default, Deserialize)]
pub struct Period {
    #[serde(default)]
    from: String,
    #[serde(default)]
    to: String,
    #[serde(default)]
    team: String,
}

/// What is not understood is as if it were not there.
pub fn asked(base: &Base, period: &Period) -> Asked {
    let to = period.to.parse().unwrap_or_else(|_| now(base).date());
    let from = period.from.parse().unwrap_or_else(|_| to.saturating_sub(DAYS.days()));
    let team = if period.team.len() > 64 { String::new() } else { period.team.clone() };
    Asked { from, to, team }
}
