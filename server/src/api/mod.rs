//! What the pages show, as data: each function is one page's content, and the answer of its JSON door.
//!
//! Lists come from the views. A single record comes from the log, in one snapshot with its heads and its
//! history: what somebody settles is authored on exactly the heads that they saw, which views that lag
//! behind could not promise.

mod access;
mod acts;
mod author;
mod changes;
mod checks;
mod cursor;
mod diary;
mod disputed;
mod duplicates;
mod erasing;
pub(crate) mod extracts;
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
mod once;
mod plain;
mod reach;
mod readers;
mod records;
mod retention;
mod revoke;
mod sessions;
mod settle;
mod signs;
mod sites;
mod story;
mod tag;
pub mod team;
mod today;
mod trail;
mod urgent;

pub use access::{Access, access, reason};
pub use acts::{Acted, Done};
pub(crate) use author::VIEWED;
pub(crate) use changes::rfc3339;
pub use changes::{Change, Write};
pub use checks::Checks;
pub use cursor::Paging;
pub use diary::takes_diary;
pub use disputed::{Disputed, Unsettled, disputed};
pub use duplicates::{Duplicates, Likely, SideBySide, Two, duplicates, side_by_side};
pub use erasing::{
    EraseRequest, ask_to_erase, confirm_erasure, erase_counts, erase_request, erase_requests, refuse_erasure,
};
pub use find::{Found, FoundPerson, FoundSession, FoundSite, find, open_found};
pub use fleet::{Enrolling, Fleet, InFleet, NewCode, enrol, fleet, fleet_page, rename_tablet};
pub use follow_ups::{FollowUps, TaskItem, follow_ups};
pub use held::{HeldChanges, held, held_page};
pub use http::{Part, handler};
pub(crate) use http::{asked as understood, refuse};
pub(crate) use items::name_of;
pub use items::{Alarm, Item, Reachable, TabletSeen, Who};
pub use letter::{Letter, letter};
pub use names::Names;
pub(crate) use once::once;
pub(crate) use plain::in_our_words;
pub use reach::{Period, asked, quality, today_in_london};
pub use readers::Readers;
pub use records::{Attention, Check, Member, Person, Shown, check, history, person, record};
pub use retention::{Due, Review, review};
pub use revoke::{Admitted, admit_held, refuse_held, revoke, take_out};
pub use sessions::{Listed, Month, Named, PopUp, Sessions, TabletHere, session, sessions};
pub use settle::{Settle, can_settle, settle};
pub use signs::Signs;
pub use sites::{ListedSite, SiteFields, Sites, add_site, change_site, site, site_page, sites};
pub use story::Told;
pub use today::{Claim, Filter, Held, Take, Thing, Today, Wish, claim, seen_held, today};
pub use trail::{Act, Looked, acts_of, looked};
pub use urgent::{UrgentCheck, UrgentChecks};
