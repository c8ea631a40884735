//! The `wayside` program: see `wayside_server::cli`.

use std::io;
use std::process::ExitCode;

fn main() -> ExitCode {
    wayside_server::quiet_panics();
    let code = wayside_server::cli::run(std::env::args_os(), &mut io::stdout(), &mut io::stderr());
    ExitCode::from(code)
}
