//! Backups of the log, and servers made from them.
//!
//! A backup is a directory: `log.db`, a copy of the whole log with accounts and tablets, and `manifest.json`, which
//! says what it must hold. It is a restore point once it was opened again and compared. Keys and ledger are never in
//! it: who steals a backup cannot speak for the server, and who restores one cannot undo an erasure.

mod manifest;
mod moving;
#[cfg(test)]
mod moving_tests;
mod rejoin;
mod restore;
#[cfg(test)]
mod tests;

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rusqlite::Connection;
use rusqlite::backup::Backup;

pub(crate) use manifest::sum_is_right;
pub use manifest::{Manifest, verify};
pub use moving::{Shared, Standing, Where, check_copy, move_log, unseal};
pub use rejoin::{draw_epoch, join};
pub use restore::{restore, restore_shared};

use crate::base::Base;
use crate::error::{Error, Result};
use crate::log::{self, Conn};

const LOG: &str = "log.db";
const WHAT: &str = "backup";

/// Copies the log into a new directory below `to`, opens the copy and compares it, and notes it as a restore point.
/// Returns where it lies. Works beside a running server. Blocks.
pub fn backup(base: &Base, to: &Path) -> Result<PathBuf> {
    let now = base.clock.now_ms();
    let at =
        i64::try_from(now).ok().and_then(|now| Timestamp::from_millisecond(now).ok()).unwrap_or_default();
    // To the millisecond, so that two made one after the other have names of their own.
    let name = format!("wayside-{}", at.strftime("%Y%m%dT%H%M%S%3fZ"));
    let draft = to.join(format!("{name}.unfinished"));
    private_dir(to).and_then(|()| private_dir(&draft)).map_err(failed)?;
    let done = fill(base, &draft, at).and_then(|manifest| {
        fs::rename(&draft, to.join(&name)).and_then(|()| sync_dir(to)).map_err(failed)?;
        Ok(manifest)
    });
    let manifest = match done {
        Ok(manifest) => manifest,
        Err(error) => {
            // What is left of it could be taken for a backup.
            let _ = fs::remove_dir_all(&draft);
            return Err(error);
        }
    };
    base.log.write(move |txn| {
        let heads = manifest.teams.iter().map(|team| {
            let known = log::team_by_id(txn.conn, team.id)?.ok_or(Error::Internal("a backup's team"))?;
            Ok((known.n, team.head))
        });
        log::add_restore_point(txn.conn, now, &heads.collect::<Result<Vec<_>>>()?)
    })?;
    Ok(to.join(name))
}

fn fill(base: &Base, draft: &Path, at: Timestamp) -> Result<Manifest> {
    let path = draft.join(LOG);
    private_file(&path).map_err(failed)?;
    if base.log.is_shared() {
        let copy = log::open_file(&path)?;
        base.log.read(|conn| copy.alone(|copy| log::copy_all(conn, copy, &mut |_| {})))?;
    } else {
        let mut copy = Connection::open(&path)?;
        // All pages in one step: one moment of the log, while others go on writing.
        base.log.read(|conn| Ok(Backup::new(conn.sqlite()?, &mut copy)?.step(-1).map(drop)?))?;
    }
    let copy = Connection::open(&path)?;
    // One file without companions, that can be read where nothing may be written.
    copy.pragma_update(None, "journal_mode", "DELETE")?;
    let copy = Conn::of_sqlite(copy);
    let manifest = Manifest::of(&copy, at)?;
    drop(copy);
    manifest.seal(draft)?;
    verify(draft)
}

fn failed(error: io::Error) -> Error {
    Error::File(WHAT, error)
}

fn private_dir(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

fn private_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

fn sync_dir(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}
