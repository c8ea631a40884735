//! What the engine is given and what it asks for: the words between it, the store and the driver.

use std::collections::HashSet;

use wayside_protocol::{
    error::Code,
    record::{Hash, RecordId},
    staff::UnlockSecret,
    sync::{
        Duty, Receipt,
        frame::{Entry, Found, Verdict},
        reconcile::PairId,
    },
};

use super::{
    memory::Memory,
    plan::{Offers, TeamPlace},
    repair::Held,
};
use crate::{error::Error, store::log::PulledList};

/// What the store holds at the moment of a request.
#[derive(Debug, Clone)]
pub struct Outline {
    pub places: Vec<TeamPlace>,
    pub offers: Offers,
    pub memory: Memory,
    /// What is held of the teams that are being refilled.
    pub held: Held,
    /// How the last sync ended.
    pub receipt: Option<Receipt>,
    /// Whether this tablet still lacks its secret for unlock codes.
    pub asks_unlock: bool,
}

/// What comes next in a sync.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    Send(Vec<u8>),
    /// The two sides do not hold the same: forget the team's numbers and compare from the beginning.
    Refill {
        team: RecordId,
        epoch: [u8; 8],
    },
    /// Base has ordered this, and may have lost what it had in quarantine: that is offered again first.
    OfferAgain(Duty),
    /// Base has ordered this, and has a verdict on everything that is held here.
    Obey(Duty),
    /// Everything is sent, everything is here, and the fingerprints are equal.
    Done,
}

/// One thing for the store to do, in one transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// For exactly the changes of one frame that was sent.
    Verdicts {
        team: RecordId,
        verdicts: Vec<(RecordId, Hash, Verdict)>,
    },
    Pulled {
        team: RecordId,
        lists: Vec<PulledList>,
        /// With this frame everything up to here is held: epoch and cursor.
        mark: Option<([u8; 8], u64)>,
    },
    /// Records that base has archived, activated or erased. What is active again follows.
    Entries {
        team: RecordId,
        entries: Vec<Entry>,
    },
    State {
        team: RecordId,
        epoch: [u8; 8],
        cursor: u64,
        more: bool,
    },
    /// Forget the team's numbers: everything is compared from the beginning of a log with this epoch.
    Refill {
        team: RecordId,
        epoch: [u8; 8],
    },
    /// The team was compared with the log up to `head`: both sides hold `common`, and all of it is here.
    Repaired {
        team: RecordId,
        epoch: [u8; 8],
        head: u64,
        common: HashSet<PairId>,
    },
    /// The server's word on how this sync ended.
    Receipt(Receipt),
    /// The answer to a look up.
    Found(Found),
    /// Something that staff should know.
    Notice(Code),
    /// What unlock codes of this tablet are computed from.
    UnlockSecret {
        secret: UnlockSecret,
    },
    /// The server's time, milliseconds since 1970.
    Time {
        server_time_ms: u64,
    },
    /// What the server can do, what the next body may hold, and a code that staff should be shown.
    Terms {
        server_can: u64,
        credit: u64,
        notice: String,
    },
}

/// What an answer came to: the steps before the first thing that was wrong with it, and that.
#[derive(Debug, Default)]
pub struct Answer {
    pub steps: Vec<Step>,
    pub error: Option<Error>,
}
