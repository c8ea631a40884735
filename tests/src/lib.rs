//! The demo, end-to-end tests, simulations and benches, and what they share.

pub mod bench;
pub mod browser;
pub mod cuts;
pub mod day;
pub mod demo;
pub mod field;
pub mod link;
pub mod seeds;
pub mod slow_link;
pub mod world;
