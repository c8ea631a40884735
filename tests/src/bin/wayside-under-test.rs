//! The server's program, built with the tests so that they always run the code beside them.

use std::{io, process::ExitCode};

/// As the server's own program has it.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    wayside_server::quiet_panics();
    ExitCode::from(wayside_server::cli::run(std::env::args_os(), &mut io::stdout(), &mut io::stderr()))
}
