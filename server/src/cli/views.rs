//! `wayside views`: what pages read, derived from the log.

use std::io::Write;
use std::path::PathBuf;

use clap::Subcommand;

use super::{Data, existing, printing};
use crate::error::Result;
use crate::log;
use crate::views::Views;

#[derive(Subcommand)]
pub enum ViewsCommand {
    /// Copies the views into a new file, so that another server over the same log need not begin from nothing: put it
    /// into that one's data directory as views.db before it starts. It holds personal data.
    Copy {
        to: PathBuf,
        #[command(flatten)]
        data: Data,
    },
}

pub fn views(command: ViewsCommand, out: &mut impl Write) -> Result<()> {
    let ViewsCommand::Copy { to, data } = command;
    let base = existing(&data)?;
    let views = Views::open(base.data())?;
    views.copy_to(&to)?;
    let come_to = views.come_to()?;
    let teams = base.log.read(log::teams)?;
    let behind: u64 = teams
        .iter()
        .map(|team| team.head.saturating_sub(come_to.get(&team.id).map_or(0, |(_, seq)| *seq)))
        .sum();
    writeln!(out, "Copied. The copy was {behind} changes behind the log: whoever starts with it catches up.")
        .map_err(printing)
}
