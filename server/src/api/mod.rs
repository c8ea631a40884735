//! What the pages show, as data: each function is one page's content, and the answer of its JSON door.
//!
//! Lists come from the views. A single record comes from the log, in one snapshot with its heads and its
//! history: what somebody settles is authored on exactly the heads that they saw, which views that lag
//! behind could not promise.

mod acts;
mod audit;
mod author;
mod changes;
mod diary;
mod disputed;
mod duplicates;
mod feed;
mod fhir;
mod find;
mod fleet;
mod follow_ups;
mod held;
mod http;
mod items;
mod letter;
mod merging;
mod names;
mod reach;
mod records;
mod sessions;
mod settle;
mod signs;
mod sites;
mod story;
pub mod team;
mod today;

use std::sync::{Mutex, PoisonError};

pub use acts::{Acted, Done};
pub(crate) use audit::audit;
pub(crate) use author::VIEWED;
pub use changes::{Change, Write};
pub use diary::takes_diary;
pub use disputed::{Disputed, Unsettled, disputed};
pub use duplicates::{Duplicates, Likely, SideBySide, Two, duplicates, side_by_side};
pub use find::{Found, FoundPerson, FoundSession, FoundSite, find, open_found};
pub use fleet::{Enrolling, Fleet, InFleet, NewCode, enrol, fleet, rename_tablet};
pub use follow_ups::{FollowUps, TaskItem, follow_ups};
pub use held::held;
pub(crate) use http::refuse;
pub use http::{Part, handler};
pub(crate) use items::name_of;
pub use items::{Alarm, Item, Reachable, TabletSeen, Who};
pub use letter::{Letter, letter};
pub use names::Names;
pub use reach::{Period, asked, quality, today_in_london};
pub use records::{Attention, Check, Member, Person, Shown, check, history, person, record};
pub use sessions::{Listed, Month, Named, PopUp, Sessions, TabletHere, session, sessions};
pub use settle::{Settle, can_settle, settle};
pub use signs::Signs;
pub use sites::{ListedSite, SiteFields, add_site, change_site, site, sites};
pub use story::Told;
pub use today::{Claim, Filter, Held, Take, Thing, Today, Wish, claim, seen_held, today};

use crate::base::Base;
use crate::error::Result;
use crate::views::Views;

/// Idle connections to the views that are kept.
const KEPT: usize = 4;

/// Connections to the views, for reading.
#[derive(Default)]
pub struct Readers(Mutex<Vec<Views>>);

impl Readers {
    /// Reads the views in one snapshot. Blocks.
    pub fn read<T>(&self, base: &Base, work: impl FnOnce(&Views) -> Result<T>) -> Result<T> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let views = match kept {
            Some(views) => views,
            None => Views::open(base.data())?,
        };
        let result = views.snapshot(work);
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < KEPT {
            kept.push(views);
        }
        result
    }
}
