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

use std::{
    io::{Write, stderr},
    process::ExitCode,
};

/// How a program of this crate ends: well where all was as it should be.
pub fn ended(well: anyhow::Result<bool>) -> ExitCode {
    match well {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            let _ = writeln!(stderr(), "This could not go on: {error:#}");
            ExitCode::FAILURE
        }
    }
}
