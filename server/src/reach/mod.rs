//! Reach: whom the team meets and whom it misses, and what becomes of a raised reading; never a number from which one
//! could tell who it was.
//!
//! `count` adds up, one pass over the rows that `views::reach` keeps, in people: somebody who came three times counts once,
//! with the furthest that they came. `suppress` decides what of it may be shown. Everything that leaves this room has been
//! through it: pages, JSON and CSV show the same figures. `disclosure` tries to get behind them.

mod count;
#[cfg(test)]
mod disclosure;
mod kept;
mod places;
mod suppress;
#[cfg(test)]
mod tests;

use jiff::civil::Date;
use serde::{Serialize, Serializer};
use utoipa::ToSchema;

pub use kept::Reaches;
pub use suppress::{Figure, Funnel, SMALL, cut, total};

use crate::reference::Year;

/// Which months and whose.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Asked {
    /// The first day of a month and the last of one, both included.
    pub from: Date,
    pub to: Date,
    /// The id of a team; all of them where empty.
    pub team: String,
}

impl Asked {
    /// The whole months from that of one day to that of another. Nobody may ask for single days: the same figures for
    /// one day more would say who came on it.
    pub fn months(from: Date, to: Date, team: String) -> Asked {
        Asked { from: from.min(to).first_of_month(), to: to.max(from).last_of_month(), team }
    }
}

/// What a page, the API and the CSV show.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Reach {
    pub from: String,
    pub to: String,
    /// People by how far they came: seen, measured, newly raised, handed on, followed through.
    pub people: Vec<Figure>,
    /// The same people cut up, each way by itself.
    pub cuts: Vec<Cut>,
    /// People by month, each counted in every month in which they came.
    pub months: Vec<Line>,
    /// How many gave what; of everybody.
    pub completeness: Vec<Completeness>,
    /// The year of the index of deprivation that was used; `None` where none was imported.
    #[serde(serialize_with = "spell_year")]
    #[schema(value_type = Option<u16>)]
    pub deprivation: Option<Year>,
    /// The district with whose population cuts are compared: where most of these people live.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compared_with: Option<String>,
}

/// One way to cut everybody up. Its lines add up to everybody, but for what is hidden and rounded.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Cut {
    /// `ethnic_category`, `quintile`, `age`, `sex`, `registered`, `language`, `site`, `ward` or `plus:<group>`.
    pub by: String,
    pub lines: Vec<Line>,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Line {
    /// As in the records; `?` for "asked, declined to say", empty for "not known".
    pub code: String,
    /// By how far they came, as in [`Reach::people`].
    pub people: Vec<Figure>,
    /// Of the population where a baseline was imported: how many of every 100 belong here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub population_percent: Option<f64>,
}

/// What was answered to one question.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Completeness {
    pub field: &'static str,
    pub given: Figure,
    pub declined: Figure,
    pub missing: Figure,
}

impl Serialize for Figure {
    /// A number, or `"*"`.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Figure::About(value) => serializer.serialize_u64(*value),
            Figure::Hidden => serializer.serialize_str("*"),
        }
    }
}

fn spell_year<S: Serializer>(year: &Option<Year>, serializer: S) -> Result<S::Ok, S::Error> {
    match year {
        Some(Year::Y2019) => serializer.serialize_u16(2019),
        Some(Year::Y2025) => serializer.serialize_u16(2025),
        None => serializer.serialize_none(),
    }
}
