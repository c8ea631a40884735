//! `wayside doctor`: the server looked at from all sides, beside a running one or a stopped one. Nothing is changed: what a
//! newer program would upgrade stays as it is.

mod books;
mod field;
mod ground;

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::log::{Conn, Place};
use crate::settings::Settings;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    Ok,
    /// Something to look at before it becomes worse.
    Warn,
    /// Something that must be put right.
    Fail,
}

/// What one look came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was looked at: stable.
    pub check: &'static str,
    pub state: State,
    pub found: String,
    /// What that means, and what to do about it; empty where all is well.
    pub means: &'static str,
    pub do_this: &'static str,
}

impl Finding {
    fn ok(check: &'static str, found: impl Into<String>) -> Finding {
        Finding { check, state: State::Ok, found: found.into(), means: "", do_this: "" }
    }

    fn warn(
        check: &'static str,
        found: impl Into<String>,
        means: &'static str,
        do_this: &'static str,
    ) -> Finding {
        Finding { check, state: State::Warn, found: found.into(), means, do_this }
    }

    fn fail(
        check: &'static str,
        found: impl Into<String>,
        means: &'static str,
        do_this: &'static str,
    ) -> Finding {
        Finding { check, state: State::Fail, found: found.into(), means, do_this }
    }

    /// What could not be looked at at all.
    fn unread(check: &'static str, error: &Error, means: &'static str, do_this: &'static str) -> Finding {
        let detail = error.detail();
        let found = match detail.as_str() {
            "" => error.to_string(),
            detail => format!("{error} ({detail})"),
        };
        Finding::fail(check, found, means, do_this)
    }
}

/// What is looked at.
pub struct Patient<'a> {
    pub settings: &'a Settings,
    pub data: PathBuf,
    pub clock: Clock,
    /// Also what takes as long as the log is large: every page, every team's fingerprint, the audit trail.
    pub deep: bool,
}

/// Looks at everything. Blocks.
pub fn examine(patient: &Patient) -> Result<Vec<Finding>> {
    let mut findings = ground::look(patient)?;
    // Without a directory there is nothing else to look at.
    if patient.data.is_dir() {
        findings.extend(books::look(patient)?);
    }
    Ok(findings)
}

/// The worst of it.
pub fn worst(findings: &[Finding]) -> State {
    findings.iter().map(|finding| finding.state).max().unwrap_or(State::Ok)
}

/// A database as it lies there: not made, not upgraded, not written to.
fn as_it_lies(path: &Path) -> Result<Conn> {
    use rusqlite::{Connection, OpenFlags};
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(crate::log::BUSY)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    Ok(Conn::of_sqlite(connection))
}

fn shared(place: &Place) -> Result<Conn> {
    Conn::reader(place)
}

/// "3 days", "5 hours", "40 minutes".
fn ago(ms: u64) -> String {
    let (amount, unit) = match ms / 60_000 {
        minutes @ 0..120 => (minutes, "minute"),
        minutes @ 120..2880 => (minutes / 60, "hour"),
        minutes => (minutes / 1440, "day"),
    };
    format!("{amount} {unit}{}", if amount == 1 { "" } else { "s" })
}

/// "12.3 GB".
fn size(bytes: u64) -> String {
    let bytes = bytes as f64;
    match bytes {
        0.0..1e6 => format!("{:.0} kB", bytes / 1e3),
        1e6..1e9 => format!("{:.0} MB", bytes / 1e6),
        _ => format!("{:.1} GB", bytes / 1e9),
    }
}
