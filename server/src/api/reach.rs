//! Which months and whose are asked for. The figures themselves are `crate::reach`'s and `crate::quality`'s.

use jiff::ToSpan;
use jiff::civil::Date;
use serde::Deserialize;

use super::items::now;
use super::{Readers, fleet};
use crate::base::Base;
use crate::error::Result;
use crate::quality::{Quality, WRONG_CLOCK_MS};
use crate::reach::Asked;

/// With this month, what is shown where nobody asked for others.
const MONTHS_BEFORE: i64 = 2;

/// `from` and `to` (`YYYY-MM`; of a day its month counts) and `team` (an id), as in the address of the page.
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
    let to = month(&period.to).unwrap_or_else(|| today_in_london(base));
    let from = month(&period.from).unwrap_or_else(|| to.saturating_sub(MONTHS_BEFORE.months()));
    let team = if period.team.len() > 64 { String::new() } else { period.team.clone() };
    Asked::months(from, to, team)
}

/// How well the contacts of these months were recorded, by site. Blocks.
pub fn quality(base: &Base, readers: &Readers, asked: &Asked) -> Result<Quality> {
    let tablets = fleet(base, readers)?.tablets.into_iter();
    let wrong =
        tablets.filter(|tablet| tablet.skew_ms.is_some_and(|skew| skew.unsigned_abs() >= WRONG_CLOCK_MS));
    let wrong = wrong.map(|tablet| tablet.id).collect();
    let today = today_in_london(base).to_string();
    readers.read(base, |views| crate::quality::quality(views, asked, &today, &wrong))
}

/// Today, in London.
pub fn today_in_london(base: &Base) -> Date {
    now(base).date()
}

fn month(text: &str) -> Option<Date> {
    format!("{}-01", text.get(..7)?).parse().ok()
}
