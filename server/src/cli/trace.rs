//! What is done at the command line stands in the audit trail like what is done on the pages.

use std::path::PathBuf;

use clap::{ArgMatches, FromArgMatches};
use wayside_protocol::error::Code;
use wayside_protocol::record::RecordId;

use super::Data;
use crate::error::Result;
use crate::log::Audited;

/// Commands that show and change nobody's data, or that write a row of their own, and those that leave no log to write to.
const UNTRACED: [&str; 10] =
    ["serve", "config", "doctor", "audit", "archive", "erase", "reference", "views", "log", "restore"];

/// Notes a command that was carried out: which, by whom as the operating system says, and about which record.
pub fn trace(matches: &ArgMatches) -> Result<()> {
    let (mut words, mut leaf) = (vec!["wayside"], matches);
    while let Some((word, deeper)) = leaf.subcommand() {
        words.push(word);
        leaf = deeper;
    }
    let text = |name| leaf.try_get_one::<String>(name).ok().flatten();
    if words.get(1).is_none_or(|word| UNTRACED.contains(word)) {
        return Ok(());
    }
    // Read a second time: the command has taken its own.
    if leaf.try_get_one::<PathBuf>("config").is_err() {
        return Ok(());
    }
    let Ok(data) = Data::from_arg_matches(leaf) else { return Ok(()) };
    let base = data.open()?;
    let user = ["SUDO_USER", "USER", "LOGNAME"].into_iter().find_map(|name| std::env::var(name).ok());
    let by = user.map(|user| format!(" ({user})")).unwrap_or_default();
    let record = ["what", "id"].into_iter().find_map(|name| text(name)?.parse::<RecordId>().ok());
    let account = text("name").filter(|_| matches!(words.get(1), Some(&"account" | &"sign-in-link")));
    let written = base.audit(vec![Audited {
        at: base.clock.now_ms(),
        who: format!("{}{by}", words.join(" ")),
        act: "command".into(),
        record,
        reason: account.cloned().unwrap_or_default(),
        ..Audited::default()
    }]);
    match written {
        // A log that was copied away takes nothing more; what is done goes on in the copy.
        Err(error) if error.code() == Code::LogMoved => Ok(()),
        written => written,
    }
}
