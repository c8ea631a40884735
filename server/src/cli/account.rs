//! `wayside account`: who may see the pages.

use std::io::{self, BufRead, IsTerminal, Write};

use clap::{Subcommand, ValueEnum};
use wayside_protocol::error::Code;

use super::{Data, existing, printing};
use crate::accounts::{self, OPERATOR, Role, Roles, Scope, Wish};
use crate::api::rfc3339;
use crate::error::{Error, Result};

#[derive(Subcommand)]
pub enum AccountCommand {
    /// Adds an account; its password, at least 12 characters and hard to guess, is asked for, or the first line of standard input.
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
    /// Says what an account may do: in one team, or in every team, those that come later too, and over the server itself.
    Role {
        name: String,
        /// A role, or none.
        #[arg(value_enum)]
        role: RoleOrNone,
        /// A team's name or id. A role in one team takes away a role in every team.
        #[arg(long, conflicts_with = "every_team", required_unless_present = "every_team")]
        team: Option<String>,
        #[arg(long)]
        every_team: bool,
        #[command(flatten)]
        data: Data,
    },
    /// Takes away the second factor of an account whose telephone and recovery codes are lost.
    ResetSecondFactor {
        name: String,
        #[command(flatten)]
        data: Data,
    },
    /// Tokens, with which programs use the API in the name of an account.
    Token {
        #[command(subcommand)]
        command: TokenCommand,
    },
}

#[derive(Subcommand)]
pub enum TokenCommand {
    /// Makes a token and prints it, this once.
    Add {
        /// In whose name it works.
        account: String,
        /// What people call it.
        #[arg(long)]
        name: String,
        /// read, write, fhir, extract, extract_pseudonymous or urgent; given again for each.
        #[arg(long = "scope", required = true, value_name = "SCOPE")]
        scopes: Vec<String>,
        /// How long it works.
        #[arg(long, default_value_t = 90)]
        days: u32,
        #[command(flatten)]
        data: Data,
    },
    /// Lists tokens: number, account, name, scopes, until when, and whether it works.
    List {
        #[command(flatten)]
        data: Data,
    },
    /// Ends the token of this number.
    Revoke {
        n: i64,
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

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum RoleOrNone {
    Viewer,
    Coordinator,
    Administrator,
    None,
}

impl From<RoleOrNone> for Option<Role> {
    fn from(role: RoleOrNone) -> Option<Role> {
        match role {
            RoleOrNone::Viewer => Some(Role::Viewer),
            RoleOrNone::Coordinator => Some(Role::Coordinator),
            RoleOrNone::Administrator => Some(Role::Administrator),
            RoleOrNone::None => None,
        }
    }
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
            accounts::add(&base, &name, role.into(), &password()?)
        }
        AccountCommand::List { data } => {
            for account in accounts::list(&existing(&data)?)? {
                let disabled = if account.disabled { "\tdisabled" } else { "" };
                writeln!(out, "{}\t{}{disabled}", account.name, roles(&account.roles)).map_err(printing)?;
            }
            Ok(())
        }
        AccountCommand::Disable { name, data } => accounts::disable(&existing(&data)?, &name),
        AccountCommand::Role { name, role, team, every_team: _, data } => {
            let base = existing(&data)?;
            let team = match team {
                Some(team) => Some(crate::api::team::find(&base, &team)?.id),
                None => None,
            };
            accounts::set_role(&base, OPERATOR, &name, team, role.into())
        }
        AccountCommand::ResetSecondFactor { name, data } => {
            let base = existing(&data)?;
            let mut all = accounts::list(&base)?.into_iter();
            let account = all.find(|one| one.name.eq_ignore_ascii_case(name.trim()));
            accounts::second::remove(&base, OPERATOR, &account.ok_or(Code::AccountUnknown)?)
        }
        AccountCommand::Token { command } => token(command, out),
    }
}

fn token(command: TokenCommand, out: &mut impl Write) -> Result<()> {
    match command {
        TokenCommand::Add { account, name, scopes, days, data } => {
            let parsed = scopes.iter().map(|text| {
                let all = Scope::ALL.map(Scope::as_str).join(", ");
                let unknown = || Error::Said(Code::UnknownValue, format!("A scope is one of: {all}."));
                Scope::parse(text).ok_or_else(unknown)
            });
            let wish = Wish { account, name, scopes: parsed.collect::<Result<_>>()?, days };
            let text = accounts::issue(&existing(&data)?, OPERATOR, &wish)?;
            writeln!(out, "{text}").map_err(printing)
        }
        TokenCommand::List { data } => {
            let base = existing(&data)?;
            for token in accounts::tokens(&base)? {
                let scopes: Vec<&str> = token.scopes.iter().map(|scope| scope.as_str()).collect();
                let state = if token.works(base.clock.now_ms()) { "" } else { "\tended" };
                let (n, account, name, scopes) = (token.n, token.account, token.name, scopes.join(" "));
                let until = rfc3339(token.expires_at);
                writeln!(out, "{n}\t{account}\t{name}\t{scopes}\t{until}{state}").map_err(printing)?;
            }
            Ok(())
        }
        TokenCommand::Revoke { n, data } => accounts::revoke(&existing(&data)?, OPERATOR, n),
    }
}

/// What an account may do, in one word for every team, or team by team.
fn roles(roles: &Roles) -> String {
    match roles {
        Roles::Everywhere(role) => role.as_str().to_owned(),
        Roles::Of(teams) => {
            let of: Vec<String> =
                teams.iter().map(|(team, role)| format!("{team}={}", role.as_str())).collect();
            if of.is_empty() { "none".to_owned() } else { of.join(",") }
        }
    }
}

/// The first line of standard input; of somebody at a terminal, whose screen does not show it.
fn password() -> Result<String> {
    let mut line = String::new();
    let read = match io::stdin().is_terminal() {
        true => rpassword::prompt_password("Password: ").map(|typed| line = typed),
        false => io::stdin().lock().read_line(&mut line).map(drop),
    };
    read.map_err(|_| Code::PasswordRefused)?;
    let password = line.trim_end_matches(['\r', '\n']);
    if password.is_empty() {
        let message = "Give the password on standard input.".to_owned();
        return Err(Error::Said(Code::PasswordRefused, message));
    }
    Ok(password.to_owned())
}
