//! The tablet's half of Wayside: it records offline, keeps everything encrypted, and syncs.
//!
//! [`Tablet`] is the whole surface. Behind it, `store` is the encrypted database, `sync` the protocol (a plan and an
//! engine without I/O, and the link that carries their bytes), `write` and `read` what people do with records.
//!
//! A program that uses this sets a panic hook that prints no payloads (see [`wayside_protocol::record::admit`]).

mod env;
mod error;
mod fold;
mod follow_up;
mod guide;
mod key;
mod marks;
mod observe;
mod people;
mod read;
mod settle;
mod staff;
mod store;
mod sync;
mod tablet;
#[cfg(test)]
mod tests;
mod timeline;
mod words;
mod write;

pub use env::{Carried, Carrier, Clock, Env, ManualClock, Random, SeededRandom, SystemClock, SystemRandom};
pub use error::{Error, Problem, Result, SignInRefused};
pub use follow_up::{Due, Service};
pub use guide::{Card, HalfDone};
pub use key::{Key, KeyStore};
pub use people::{Likely, PersonSummary};
pub use read::{Page, Shown};
pub use settle::can_settle;
pub use staff::{Challenge, SignedIn, StaffMember};
pub use sync::{Archived, Enrolment, LookedUp, News, Notice, Phase, Progress, SyncReport};
pub use tablet::{Counts, Status, Tablet, Team};
pub use wayside_protocol::{
    clinical::{
        Action, Arm, Category, Urgency,
        follow_up::{Suggestion, Task, TaskEvent, TaskKind, TaskState},
        guide::{Step, StepCode},
        identity::PersonFinding,
        text::Text,
    },
    error::{Code, Invalid},
    matching::Likeness,
    record::{Hash, Kind, RecordId, Rules},
    timeline::{Event, EventKind, Standing},
};
pub use words::Language;
pub use write::{By, Edit, Recorded};
