//! The demo, end-to-end tests, simulations and benches, and what they share.

pub mod bench;
pub mod browser;
pub mod day;
pub mod demo;
pub mod field;
pub mod link;
pub mod seeds;
