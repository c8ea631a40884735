//! `wayside config`: what is wrong with the settings, what holds, and the commented example.

use std::io::Write;
use std::path::PathBuf;

use clap::Subcommand;
use wayside_protocol::error::Code;

use super::data::Data;
use super::printing;
use crate::error::{Error, Result};
use crate::settings::{Said, Settings, example};

#[derive(Subcommand)]
pub enum ConfigCommand {
    /// Says all that is wrong with a configuration file and the WAYSIDE_ variables, each with its line.
    Check {
        /// /etc/wayside/wayside.toml, or the one that WAYSIDE_CONFIG names, unless another is said.
        file: Option<PathBuf>,
    },
    /// Prints what holds, and where each value comes from. Addresses of databases are hidden.
    Show {
        #[command(flatten)]
        data: Data,
    },
    /// Prints a file with every setting, its default and what it does.
    Example,
}

pub fn config(command: ConfigCommand, out: &mut impl Write) -> Result<()> {
    match command {
        ConfigCommand::Check { file } => check(Said::here(file).or_installed(), out),
        ConfigCommand::Show { data } => show(&data.settings()?, out).map_err(printing),
        ConfigCommand::Example => write!(out, "{}", example()).map_err(printing),
    }
}

fn check(said: Said, out: &mut impl Write) -> Result<()> {
    if said.file.is_none() {
        let says = "There is no configuration file: name one, or put it at /etc/wayside/wayside.toml.";
        return Err(Error::Said(Code::ConfigInvalid, says.into()));
    }
    let Err(problems) = Settings::load(&said)? else {
        return writeln!(out, "Everything in it can be used.").map_err(printing);
    };
    for problem in &problems {
        writeln!(out, "{problem}").map_err(printing)?;
    }
    let count = problems.len();
    let says = if count == 1 { "One thing is wrong.".into() } else { format!("{count} things are wrong.") };
    Err(Error::Said(Code::ConfigInvalid, says))
}

fn show(settings: &Settings, out: &mut impl Write) -> std::io::Result<()> {
    let mut table = "";
    for (setting, value) in settings.shown() {
        let (above, name) = setting.key.rsplit_once('.').unwrap_or(("", setting.key));
        if above != table {
            writeln!(out, "\n[{above}]")?;
            table = above;
        }
        match value {
            Some((value, from)) => writeln!(out, "{name} = {value}  # {from}")?,
            None => writeln!(out, "# {name} is not set")?,
        }
    }
    Ok(())
}
