//! The demo, end-to-end tests, simulations and benches, and what they share.

pub mod balancer;
pub mod bench;
pub mod browser;
pub mod cuts;
pub mod day;
pub mod demo;
pub mod desk;
pub mod disk;
pub mod failover;
pub mod field;
pub mod link;
pub mod nodes;
pub mod postgres;
pub mod process;
pub mod seeds;
pub mod simulate;
pub mod slow_link;
pub mod soak;
pub mod world;
pub mod years;
