//! The `wayside-tablet` program: see `wayside_tablet::cli`.

use std::{io, process::ExitCode};

fn main() -> ExitCode {
    wayside_tablet::quiet_panics();
    let code = wayside_tablet::cli::run(std::env::args_os(), &mut io::stdout(), &mut io::stderr());
    ExitCode::from(code)
}
