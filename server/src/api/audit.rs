//! What coordinators do that leaves no change in any record, and must leave a trace all the same.

use wayside_protocol::record::RecordId;

use crate::base::Base;
use crate::error::Result;
use crate::log::{self, Audited};

/// Appends an act of an account to the audit trail. `what` says what it was done to, by ids alone: never personal
/// data. Durable when it returns. Blocks.
pub fn audit(base: &Base, who: &str, act: &str, record: Option<RecordId>, what: &str) -> Result<()> {
    let act = audited(base, who, act, record, what);
    base.log.write(move |txn| log::audit(txn.conn, &act))
}

/// The same for a transaction that does what it says.
pub fn audited(base: &Base, who: &str, act: &str, record: Option<RecordId>, what: &str) -> Audited {
    let at = base.clock.now_ms();
    Audited { at, who: who.to_owned(), act: act.to_owned(), record, reason: what.to_owned() }
}
