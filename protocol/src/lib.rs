//! What tablets and server must agree on: the five records over Automerge, the clinical rules,
//! the sync frames, and the stable error codes.
//!
//! Pure: no input or output, no clock, no randomness. Whatever depends on those is passed in.

pub mod clinical;
pub mod error;
pub mod matching;
pub mod record;
pub mod staff;
pub mod sync;
pub mod timeline;
