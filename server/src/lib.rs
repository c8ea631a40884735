//! The other half of Wayside: the log of accepted changes, the sync endpoint that fills it, and the
//! views that people read.
//!
//! `log` is the one source of truth and `admission` its door; `sync` is the wire, `router` every
//! address, `serve` the running server; `views` are derived from the log alone; `base` is what an
//! administrator does with a data directory, `cli` the command line over all of it. `web` are the
//! coordinator's pages, `api` what they show as data, `accounts` who may see them, `archive` what leaves the tablets
//! or is erased. `settings` is what an operator sets, `health` what the server says of how it does.

pub mod accounts;
pub mod admission;
pub mod api;
pub mod archive;
pub mod backup;
mod base;
pub mod cli;
mod clock;
mod error;
pub mod extract;
mod fhir;
pub mod health;
mod keys;
pub mod ledger;
pub mod limits;
pub mod log;
pub mod openapi;
mod quality;
mod random;
pub mod reach;
pub mod reference;
mod renew;
mod router;
mod serve;
mod service;
pub mod settings;
pub mod sync;
#[cfg(test)]
mod testing;
pub mod views;
mod web;

use std::path::Path;

pub use base::{Base, Places};
pub use clock::Clock;
pub use error::{Error, Result};
pub use keys::{Identity, Tls, TlsFiles};
#[cfg(feature = "simulated")]
pub use random::seeded;
pub use router::{Route, Who, router, routes};
pub use serve::{Running, Server, ServerConfig, Signals, quiet_panics};

/// Adds a team to a data directory, whether or not a server runs on it. Returns its id. Blocks.
pub fn team_add(data: &Path, name: &str) -> Result<wayside_protocol::record::RecordId> {
    Base::open(data, Clock::default())?.team_add(name)
}

/// Makes a link that signs an account in once, within ten minutes. Without a URL it leads to where the
/// pages were served last. Blocks.
pub fn sign_in_link(data: &Path, name: &str, url: Option<&str>) -> Result<String> {
    let base = Base::open(data, Clock::default())?;
    let url = url.map_or_else(|| base.pages_url(), |url| Ok(url.to_owned()))?;
    accounts::sign_in_link(&base, name, &url)
}

/// Makes an enrolment code and returns its text. Without a URL it names the address where a server
/// listened last. Blocks.
pub fn enrol_code(data: &Path, team: &str, url: Option<&str>) -> Result<String> {
    Ok(Base::open(data, Clock::default())?.enrol_code(team, url)?.to_text())
}
