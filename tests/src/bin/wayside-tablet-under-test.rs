//! The tablet's program with `record --unchecked`, built with the tests so that they always run the
//! code beside them.

use std::{io, process::ExitCode};

fn main() -> ExitCode {
    wayside_tablet::quiet_panics();
    ExitCode::from(wayside_tablet::cli::run(std::env::args_os(), &mut io::stdout(), &mut io::stderr()))
}
