//! The five records over Automerge, flat: one root map whose keys are paths and whose values are
//! scalars, so that two independent beginnings of one record merge.
//!
//! JSON at every door is nested; `flatten` and `view` map between the two by the tables of
//! `schema`. `document` makes and loads records. `chunk` and `admit` are the guard in front of
//! Automerge for bytes that came from outside.

pub mod admit;
mod check;
pub mod chunk;
mod contents;
mod document;
mod flatten;
mod history;
mod ids;
mod message;
pub mod path;
pub mod schema;
mod value;
mod view;

pub use check::{Rules, change as check_change, missing, value_at};
pub use document::{Actor, Author, Authored, Hash, Record, RecordError, change_hash};
pub use flatten::{Flattener, Write};
pub use history::{Change, Set};
pub use ids::{RecordId, entry_bytes, entry_id, is_entry_id, tablet_id};
pub use message::{MAX_SUPERSEDES, Message, ShortHash, short_hash};
pub use schema::Kind;
pub use value::{Scalar, canonical, parse_canonical};
pub use view::{Corrections, View};
