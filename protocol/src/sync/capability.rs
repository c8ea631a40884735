//! What a side can do beyond version 1, one bit each. Both sides say theirs; only what both can is used.

/// Requests sealed after their head, with ask, terms and marks: `STREAMED_VERSION`.
pub const STREAMED: u64 = 1;

/// Changes in their grouped form, with the dictionary number 1.
pub const GROUPED: u64 = 2;

/// Comparisons, wishes and receipts: a place of another epoch, or beyond the log's end, is sent nothing until they
/// have been compared.
pub const REPAIR: u64 = 1 << 8;

/// Entries that archive, activate and erase records, and looking up what is archived. A tablet without it is sent
/// nothing of a team from the first such entry on.
pub const ARCHIVE: u64 = 1 << 9;

/// Says with each request how many changes the tablet still holds back ([`Ask::waiting`](super::frame::Ask)).
pub const WAITING: u64 = 1 << 10;

/// Obeys orders to wipe itself or to leave a team, once it has handed over what it had not sent.
pub const ORDERS: u64 = 1 << 11;

/// Takes a new key for a tablet, and gives a certificate for it.
pub const NEW_KEY: u64 = 1 << 12;

/// What this build can do.
pub const OURS: u64 = STREAMED | GROUPED | REPAIR | ARCHIVE | WAITING | ORDERS | NEW_KEY;
