//! What the server accepts from a tablet: each trap in bare Automerge 0.12 first, then the guard.
//!
//! A trap that a newer Automerge closes fails here too. That is wanted: the line in DESIGN.md that rests
//! on it can then be weighed again.
#![allow(clippy::unwrap_used)]

mod chunks;
mod craft;
mod histories;
mod honest;
mod mutations;
