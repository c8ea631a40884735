//! `with-postgres COMMAND...`: runs a command beside a PostgreSQL of its own, whose address it finds in `WAYSIDE_POSTGRES`: for
//! tests of crates that do not know this one.

use std::process::{Command, ExitCode};

use anyhow::{Context, Result};
use wayside_tests::postgres::{Postgres, skipped};

fn main() -> Result<ExitCode> {
    let mut arguments = std::env::args_os().skip(1);
    let mut command = Command::new(arguments.next().context("which command?")?);
    command.args(arguments);
    let server = if skipped() { None } else { Some(Postgres::start()?) };
    if let Some(server) = &server {
        command.env("WAYSIDE_POSTGRES", server.url("postgres"));
    }
    let status = command.status().context("the command runs")?;
    let code = status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1);
    Ok(ExitCode::from(code))
}
