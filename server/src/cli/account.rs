//! `wayside account`: who may see the pages.

use std::io::{self, BufRead, Write};

use clap::{Subcommand, ValueEnum};
use wayside_protocol::error::Code;

use super::{Data, existing, printing};
use crate::accounts::{self, Role};
use crate::error::{Error, Result};

#[derive(Subcommand)]
pub enum AccountCommand {
    /// Adds an account; its password is the first line of standard input, at least 12 characters.
    Add {
        name: String,
        #[arg(long, value_enum)]
        role: RoleArg,
        #[command(flatten)]
        data: Data,
    },
    /// Lists accounts with their roles.
    List {
        #[command(flatten)]
        data: Data,
    },
    /// Signs an account out everywhere and keeps it out.
    Disable {
        name: String,
        #[command(flatten)]
        data: Data,
    },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum RoleArg {
    /// Reads everything.
    Viewer,
    /// Settles conflicts, too.
    Coordinator,
    /// Everything.
    Administrator,
}

impl From<RoleArg> for Role {
    fn from(role: RoleArg) -> Role {
        match role {
            RoleArg::Viewer => Role::Viewer,
            RoleArg::Coordinator => Role::Coordinator,
            RoleArg::Administrator => Role::Administrator,
        }
    }
}

pub fn run(command: AccountCommand, out: &mut impl Write) -> Result<()> {
    match command {
        AccountCommand::Add { name, role, data } => {
            let base = existing(&data)?;
            accounts::add(&base, &name, role.into(), &password(io::stdin().lock())?)
        }
        AccountCommand::List { data } => {
            for account in accounts::list(&existing(&data)?)? {
                let disabled = if account.disabled { "\tdisabled" } else { "" };
                writeln!(out, "{}\t{}{disabled}", account.name, account.role.as_str()).map_err(printing)?;
            }
            Ok(())
        }
        AccountCommand::Disable { name, data } => accounts::disable(&existing(&data)?, &name),
    }
}

fn password(mut input: impl BufRead) -> Result<String> {
    let mut line = String::new();
    input.read_line(&mut line).map_err(|_| Code::PasswordRefused)?;
    let password = line.trim_end_matches(['\r', '\n']);
    if password.is_empty() {
        let message = "Give the password on standard input.".to_owned();
        return Err(Error::Said(Code::PasswordRefused, message));
    }
    Ok(password.to_owned())
}
