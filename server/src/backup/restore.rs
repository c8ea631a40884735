//! A server made from a backup.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use wayside_protocol::error::Code;

use super::manifest::{self, Manifest, verify};
use super::{Key, LOG, Scratch, Told, failed, private_file, rejoin, sealed, sync_dir};
use crate::base::Places;
use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::keys::{self, Identity};
use crate::ledger::{self, Ledger};
use crate::log::{self, AuditHead, Conn, Noted};

/// Until it is whole the log has another name, so that a restore that was interrupted is no server.
const DRAFT: &str = "log.db.restoring";
/// Where an encrypted backup lies open meanwhile, under the name of a restore that was interrupted.
const OPENED: &str = "log.db.restoring.opened";

/// Makes an encrypted backup one that lies open in `data` for as long as `work` takes. One that is not encrypted is
/// what it is.
pub fn opened<T>(
    from: &Path,
    key: Option<&Key>,
    data: &Path,
    told: Told,
    work: impl FnOnce(&Path) -> Result<T>,
) -> Result<T> {
    if !from.is_file() {
        return work(from);
    }
    let key = key.ok_or(Error::Refused(Code::BackupSealed))?;
    // Said before hours of work, not after.
    if data.join(LOG).exists() {
        return Err(Code::DataNotEmpty.into());
    }
    keys::present(data, false)?;
    let open = Scratch(data.join(OPENED));
    open.clear()?;
    sealed::unpack(from, key, &open.0, told)?;
    work(&open.0)
}

/// Makes a server in `data` from the backup in `from`. `data` holds the server's keys and ledger, which are in no
/// backup, and nothing else. Every team gets a new epoch. Blocks.
pub fn restore(from: &Path, data: &Path, clock: &Clock) -> Result<Manifest> {
    empty_but_for_keys(data, from)?;
    let manifest = verify(from)?;
    keys::present(data, true)?;
    let (identity, ledger) = (Identity::open(data)?, Ledger::open(data)?);
    belong_together(&manifest, &identity, &ledger)?;
    let draft = data.join(DRAFT);
    let copy = || {
        io::copy(&mut fs::File::open(from.join(LOG))?, &mut private_file(&draft)?)?;
        Ok(())
    };
    copy().map_err(failed)?;
    if manifest::digest(&draft)? != manifest.digest {
        return Err(Code::BackupDamaged.into());
    }
    let mut trail = AuditHead::default();
    log::rework(&draft, |conn| {
        trail = log::audit_head(conn)?;
        begin_again(conn, &identity, &ledger, clock.now_ms())
    })?;
    fs::File::open(&draft)
        .and_then(|file| file.sync_all())
        .and_then(|()| fs::rename(&draft, data.join(LOG)))
        .and_then(|()| sync_dir(data))
        .map_err(failed)?;
    ledger.note_trail(&Noted { head: trail, restored: true }, clock.now_ms())?;
    Ok(manifest)
}

/// The same into an empty database that nodes share. Their keys are in `data`, their ledger in a database of its own.
/// Blocks.
pub fn restore_shared(from: &Path, data: &Path, places: &Places, clock: &Clock) -> Result<Manifest> {
    let (Some(log), Some(ledger)) = (&places.log, &places.ledger) else {
        return Err(Error::Internal("a shared log without its places"));
    };
    let manifest = verify(from)?;
    keys::present(data, false)?;
    let (identity, ledger) = (Identity::open(data)?, Ledger::open_shared(ledger)?);
    belong_together(&manifest, &identity, &ledger)?;
    // Of an older schema, it is upgraded on the way; what was verified stays as it is.
    let work = scratch_file(data)?;
    let done = || -> Result<AuditHead> {
        fs::copy(from.join(LOG), &work).map_err(failed)?;
        let (copy, target) = (log::open_file(&work)?, log::open_place(log)?);
        target.alone(|target| {
            copy.at_one_moment(|copy| log::copy_all(copy, target, &mut |_| {}))?;
            begin_again(target, &identity, &ledger, clock.now_ms())?;
            log::audit_head(target)
        })
    };
    let result = done();
    for end in ["", "-wal", "-shm"] {
        let _ = fs::remove_file(format!("{}{end}", work.display()));
    }
    ledger.note_trail(&Noted { head: result?, restored: true }, clock.now_ms())?;
    Ok(manifest)
}

/// Where a backup is upgraded, under the name of a restore that was interrupted.
fn scratch_file(data: &Path) -> Result<PathBuf> {
    let path = data.join(DRAFT);
    private_file(&path).map_err(failed)?;
    Ok(path)
}

/// Whether keys and ledger are those of the server that was backed up.
fn belong_together(manifest: &Manifest, identity: &Identity, ledger: &Ledger) -> Result<()> {
    if ledger::hex(identity.public()) != manifest.identity {
        return Err(Code::IdentityMissing.into());
    }
    if ledger::hex(&ledger.id) != manifest.ledger || ledger.position()? < manifest.ledger_position {
        return Err(Code::LedgerMissing.into());
    }
    Ok(())
}

fn begin_again(conn: &Conn, identity: &Identity, ledger: &Ledger, now_ms: u64) -> Result<()> {
    log::alarm(conn, Code::ServerRestored, None, now_ms)?;
    rejoin::rejoin(conn, identity, ledger, now_ms)
}

/// What a restore left that was interrupted is removed; `from` itself may lie open there.
fn empty_but_for_keys(data: &Path, from: &Path) -> Result<()> {
    let entries = match fs::read_dir(data) {
        Ok(entries) => entries,
        // Without a directory there are no keys either, which is what must be said.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(Error::File("data directory", error)),
    };
    for entry in entries {
        let entry = entry.map_err(|error| Error::File("data directory", error))?;
        let name = entry.file_name();
        if entry.path() == from {
            continue;
        }
        if name.to_string_lossy().starts_with(DRAFT) {
            Scratch(entry.path()).clear()?;
        } else if name != "keys" {
            return Err(Code::DataNotEmpty.into());
        }
    }
    Ok(())
}
