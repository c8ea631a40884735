//! Backups of the log, and servers made from them.
//!
//! A backup is a directory: `log.db`, a copy of the whole log with accounts and tablets, and `manifest.json`, which
//! says what it must hold; or both in one encrypted file (`sealed`). It is a restore point once it was opened again and compared. Keys and ledger are never in
//! it: who steals a backup cannot speak for the server, and who restores one cannot undo an erasure.

mod keep;
mod manifest;
mod moving;
#[cfg(test)]
mod moving_tests;
mod rejoin;
mod restore;
mod schedule;
mod sealed;
#[cfg(test)]
mod sealed_tests;
#[cfg(test)]
mod tests;

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rusqlite::Connection;
use rusqlite::backup::Backup;

pub use keep::Keep;
pub(crate) use manifest::sum_is_right;
pub use manifest::{Manifest, verify};
pub use moving::{Shared, Standing, Where, check_copy, move_log, unseal};
pub use rejoin::{draw_epoch, join};
pub use restore::{opened, restore, restore_shared};
pub use schedule::{Schedule, scheduled};
pub use sealed::{Key, Recipients, is_as_written, verify_sealed};

use crate::base::Base;
use crate::error::{Error, Result};
use crate::log::{self, Conn};

const LOG: &str = "log.db";
const WHAT: &str = "backup";

/// Hears which step of a backup is under way, and how many rows or bytes it has done. An error ends it.
pub type Told<'a> = &'a mut dyn FnMut(&'static str, u64) -> Result<()>;

/// Copies the log into a new directory below `to`, opens the copy and compares it, and notes it as a restore point.
/// Returns where it lies. Not encrypted. Works beside a running server. Blocks.
pub fn backup(base: &Base, to: &Path) -> Result<PathBuf> {
    let (now, at) = moment(base);
    let made = to.join(keep::stem(at));
    let draft = made.with_added_extension("unfinished");
    private_dir(to).and_then(|()| private_dir(&draft)).map_err(failed)?;
    // What is left of it could be taken for a backup.
    let draft = Scratch(draft);
    let manifest = fill(base, &draft.0, at, &mut |_, _| Ok(()))?;
    fs::rename(&draft.0, &made).and_then(|()| sync_dir(to)).map_err(failed)?;
    note(base, now, manifest)?;
    Ok(made)
}

/// The same as one file in `to`, encrypted to these public keys and opened again after that. The copy lies in the data
/// directory meanwhile, in the clear like the log: so the directory of the backups never sees anything readable. Blocks.
pub fn backup_sealed(base: &Base, to: &Path, recipients: &Recipients, told: Told) -> Result<PathBuf> {
    let _alone = alone(base.data())?;
    let scratch = Scratch(base.data().join("backup.scratch"));
    scratch.clear()?;
    private_dir(&scratch.0).map_err(failed)?;
    let (now, at) = moment(base);
    let manifest = fill(base, &scratch.0, at, told)?;
    let (name, draft) = (keep::name(at), Scratch(to.join(keep::draft(at))));
    let digest = sealed::seal(&scratch.0, &manifest, &draft.0, recipients, told)?;
    sealed::note_digest(to, &name, &digest)?;
    let made = to.join(name);
    fs::rename(&draft.0, &made).and_then(|()| sync_dir(to)).map_err(failed)?;
    note(base, now, manifest)?;
    Ok(made)
}

/// Now, as the log notes it and as names say it.
fn moment(base: &Base) -> (u64, Timestamp) {
    let now = base.clock.now_ms();
    (now, i64::try_from(now).ok().and_then(|now| Timestamp::from_millisecond(now).ok()).unwrap_or_default())
}

fn note(base: &Base, now: u64, manifest: Manifest) -> Result<()> {
    base.log.write(move |txn| {
        let heads = manifest.teams.iter().map(|team| {
            let known = log::team_by_id(txn.conn, team.id)?.ok_or(Error::Internal("a backup's team"))?;
            Ok((known.n, team.head))
        });
        log::add_restore_point(txn.conn, now, &heads.collect::<Result<Vec<_>>>()?)
    })
}

/// Where something lies until it is done; gone after that, whatever came of it.
struct Scratch(PathBuf);

impl Scratch {
    fn clear(&self) -> Result<()> {
        let gone = if self.0.is_dir() { fs::remove_dir_all(&self.0) } else { fs::remove_file(&self.0) };
        match gone {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed(error)),
            _ => Ok(()),
        }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = self.clear();
    }
}

/// One process at a time has the scratch place of a data directory.
fn alone(data: &Path) -> Result<File> {
    let take = || {
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(data.join("backup.lock"))?;
        file.lock()?;
        Ok(file)
    };
    take().map_err(failed)
}

fn fill(base: &Base, draft: &Path, at: Timestamp, told: Told) -> Result<Manifest> {
    let path = draft.join(LOG);
    private_file(&path).map_err(failed)?;
    if base.log.is_shared() {
        let copy = log::open_file(&path)?;
        base.log.read(|conn| {
            copy.alone(|copy| log::copy_all(conn, copy, &mut |rows| drop(told("copying", rows))))
        })?;
    } else {
        told("copying", 0)?;
        let mut copy = Connection::open(&path)?;
        // All pages in one step: one moment of the log, while others go on writing.
        base.log.read(|conn| Ok(Backup::new(conn.sqlite()?, &mut copy)?.step(-1).map(drop)?))?;
    }
    let copy = Connection::open(&path)?;
    // One file without companions, that can be read where nothing may be written.
    copy.pragma_update(None, "journal_mode", "DELETE")?;
    let copy = Conn::of_sqlite(copy);
    told("comparing", 0)?;
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
