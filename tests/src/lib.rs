//! The demo, end-to-end tests, simulations and benches, and what they share.

pub mod balancer;
pub mod bench;
pub mod browser;
pub mod cuts;
pub mod day;
pub mod demo;
pub mod desk;
pub mod failover;
pub mod field;
pub mod link;
pub mod nodes;
pub mod postgres;
pub mod seeds;
pub mod slow_link;
pub mod world;
pub mod years;
