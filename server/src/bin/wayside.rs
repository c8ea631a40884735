//! The `wayside` program: see `wayside_server::cli`.

use std::io;
use std::process::ExitCode;

/// Deriving views is many small allocations in two threads: with the system's allocator it takes a third more time.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    wayside_server::quiet_panics();
    let code = wayside_server::cli::run(std::env::args_os(), &mut io::stdout(), &mut io::stderr());
    ExitCode::from(code)
}
