//! Where a command finds its server: the directory and, if nodes share a log, the databases.

use std::path::{Path, PathBuf};

use clap::Args;
use wayside_protocol::error::Code;

use crate::base::{Base, Places};
use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::log::Place;
use crate::settings::{Said, Settings};

#[derive(Args)]
pub struct Data {
    /// The server's data directory. Also from WAYSIDE_DATA or the configuration file.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// A configuration file. Also from WAYSIDE_CONFIG; without either, and without --data, /etc/wayside/wayside.toml.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// A log that nodes share: postgres://USER@HOST/DATABASE, or file:PATH of a file with such an address. Also from
    /// WAYSIDE_LOG_URL. Who may list this machine's processes reads what stands here: put no password here.
    #[arg(long, value_name = "URL")]
    log: Option<String>,
    /// The ledger of such a log, in another database. Also from WAYSIDE_LEDGER_URL.
    #[arg(long, value_name = "URL")]
    ledger: Option<String>,
}

impl Data {
    /// What was said here, in the environment, and in which file.
    pub fn said(&self) -> Result<Said> {
        for typed in self.log.iter().chain(&self.ledger) {
            Place::typed(typed)?;
        }
        let mut said = Said::here(self.config.clone());
        if self.data.is_none() {
            said = said.or_installed();
        }
        said.argument("data", "--data", self.data.as_deref().map(text).transpose()?);
        said.argument("database.log", "--log", self.log.clone());
        said.argument("database.ledger", "--ledger", self.ledger.clone());
        Ok(said)
    }

    pub fn settings(&self) -> Result<Settings> {
        Settings::load_or_refuse(&self.said()?)
    }

    /// The directory, and where log and ledger lie, if not there.
    pub fn place(&self) -> Result<(PathBuf, Places)> {
        let settings = self.settings()?;
        Ok((settings.data()?, settings.places()?))
    }

    pub fn open(&self) -> Result<Base> {
        let (data, places) = self.place()?;
        Base::open_at(&data, &places, Clock::default())
    }

    /// The directory of a server that is there already: a mistyped one must not become a new server.
    pub fn existing(&self) -> Result<Base> {
        let (data, places) = self.place()?;
        is_there(&data, &places)?;
        Base::open_at(&data, &places, Clock::default())
    }
}

pub fn is_there(data: &Path, places: &Places) -> Result<()> {
    if !places.are_shared() && !data.join("log.db").is_file() {
        return Err(Error::File("data directory", std::io::ErrorKind::NotFound.into()));
    }
    Ok(())
}

/// A path as a setting holds it.
pub fn text(path: &Path) -> Result<String> {
    let says = "A path that is not in UTF-8 cannot be used here.";
    path.to_str().map(str::to_owned).ok_or_else(|| Error::Said(Code::BadArguments, says.into()))
}
