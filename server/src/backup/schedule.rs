//! Backups that a server makes by itself.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use wayside_protocol::error::Code;

use super::keep::{self, Keep};
use super::{Recipients, backup_sealed};
use crate::base::{Base, ends_within};
use crate::error::{Error, Result};

/// After a start the first look is soon.
const FIRST: Duration = Duration::from_secs(10);
const LOOK: Duration = Duration::from_secs(60);
/// One that failed is tried again by then.
const AGAIN: Duration = Duration::from_secs(10 * 60);
const HOUR_MS: u64 = 60 * 60 * 1000;
const LONGEST_HOURS: u32 = 7 * 24;

/// What is backed up by itself, where to, and for how long.
#[derive(Debug, Clone)]
pub struct Schedule {
    /// Must be there: a disk that is not mounted is not to be filled where it would be.
    to: PathBuf,
    recipients: Recipients,
    every_ms: u64,
    keep: Keep,
}

impl Schedule {
    /// Into `to`, encrypted to these public keys, every so many hours: a week at most, which is the restore window.
    pub fn new<S: AsRef<str>>(to: PathBuf, keys: &[S], every_hours: u32, keep: Keep) -> Result<Schedule> {
        if every_hours == 0 || every_hours > LONGEST_HOURS {
            let says = format!("Backups are made every 1 to {LONGEST_HOURS} hours.");
            return Err(Error::Said(Code::OutOfRange, says));
        }
        let recipients = Recipients::parse(keys)?;
        Ok(Schedule { to, recipients, every_ms: u64::from(every_hours) * HOUR_MS, keep })
    }

    /// Makes a backup where the newest one in the directory is old, then deletes what need not stay. Servers that share the
    /// directory make one among them. Returns what was made. Blocks.
    pub fn run_if_due(&self, base: &Base) -> Result<Option<PathBuf>> {
        let now = base.clock.now_ms();
        if keep::made_in(&self.to)?.iter().any(|at| self.is_fresh(*at, now)) {
            return Ok(None);
        }
        let mut closing = base.closing();
        let made = backup_sealed(base, &self.to, &self.recipients, &mut |_, _| {
            // Nobody waits with the end of a server for this.
            if *closing.borrow_and_update() { Err(Code::ServerFailed.into()) } else { Ok(()) }
        })?;
        // It was opened and compared: older ones may go.
        match self.keep.prune(&self.to, now) {
            Ok(0) => {}
            Ok(gone) => tracing::info!(gone, "old backups deleted"),
            Err(error) => {
                tracing::warn!(code = %error.code(), detail = error.detail(), "old backups are not deleted")
            }
        }
        Ok(Some(made))
    }

    /// One from the future, by a clock that was wrong, is not taken for fresh.
    fn is_fresh(&self, at: Timestamp, now_ms: u64) -> bool {
        u64::try_from(at.as_millisecond())
            .is_ok_and(|at| at <= now_ms + HOUR_MS && now_ms < at + self.every_ms)
    }
}

/// Backs up whenever it is due until the server ends.
pub async fn scheduled(base: Arc<Base>, schedule: Schedule) {
    let mut closing = base.closing();
    let mut pause = FIRST;
    while !ends_within(&mut closing, pause).await {
        let (running, plan) = (base.clone(), schedule.clone());
        let run = tokio::task::spawn_blocking(move || plan.run_if_due(&running)).await;
        pause = LOOK;
        match run.unwrap_or(Err(Error::Internal("a panic while backing up"))) {
            Ok(None) => {}
            Ok(Some(_)) => tracing::info!("backed up: encrypted, opened again and compared"),
            Err(_) if *closing.borrow() => return,
            Err(error) => {
                tracing::error!(code = %error.code(), detail = error.detail(), "not backed up");
                pause = AGAIN;
            }
        }
    }
}
