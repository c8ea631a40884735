//! Hostile bytes against the protocol crate. `./run` builds this with coverage and calls it; see `./run --help`.
//!
//! A target panics when something that must hold does not: that is a finding. Each says at its head what it holds
//! the crate to. Everything runs in this process; nothing is kept from one input to the next.

mod admission;
mod changes;
mod frames;
mod reconcile;
mod records;
mod seeds;

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let name = arguments.next().unwrap_or_default();
    if name == "seeds" {
        return match seeds::write(&arguments.next().unwrap_or_default()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("No seeds: {error}");
                ExitCode::FAILURE
            }
        };
    }
    fuzz(&name);
    // A target that is run ends the process itself.
    ExitCode::FAILURE
}

fn fuzz(target: &str) {
    match target {
        "frames" => bolero::check!().for_each(|bytes: &[u8]| frames::run(bytes)),
        "admission" => bolero::check!().for_each(|bytes: &[u8]| {
            admission::run(bytes);
        }),
        "reconcile" => bolero::check!().for_each(|bytes: &[u8]| reconcile::run(bytes)),
        "records" => bolero::check!().for_each(|bytes: &[u8]| records::run(bytes)),
        _ => eprintln!("There is no target of this name."),
    }
}
