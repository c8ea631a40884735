//! A server made from a backup.

use std::fs;
use std::io;
use std::path::Path;

use rusqlite::TransactionBehavior;
use wayside_protocol::error::Code;

use super::manifest::{self, Manifest, verify};
use super::{LOG, failed, private_file, rejoin, sync_dir};
use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::keys::{self, Identity};
use crate::ledger::{self, Ledger};
use crate::log;

/// Until it is whole the log has another name, so that a restore that was interrupted is no server.
const DRAFT: &str = "log.db.restoring";

/// Makes a server in `data` from the backup in `from`. `data` holds the server's keys and ledger, which are in no
/// backup, and nothing else. Every team gets a new epoch. Blocks.
pub fn restore(from: &Path, data: &Path, clock: &Clock) -> Result<Manifest> {
    empty_but_for_keys(data)?;
    let manifest = verify(from)?;
    keys::present(data)?;
    let (identity, ledger) = (Identity::open(data)?, Ledger::open(data)?);
    if ledger::hex(identity.public()) != manifest.identity {
        return Err(Code::IdentityMissing.into());
    }
    if ledger::hex(&ledger.id) != manifest.ledger || ledger.position()? < manifest.ledger_position {
        return Err(Code::LedgerMissing.into());
    }
    let draft = data.join(DRAFT);
    let copy = || {
        io::copy(&mut fs::File::open(from.join(LOG))?, &mut private_file(&draft)?)?;
        Ok(())
    };
    copy().map_err(failed)?;
    if manifest::digest(&draft)? != manifest.digest {
        return Err(Code::BackupDamaged.into());
    }
    log::rework(&draft, |connection| {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let now = clock.now_ms();
        log::alarm(&transaction, Code::ServerRestored, None, now)?;
        rejoin::rejoin(&transaction, &identity, &ledger, now)?;
        Ok(transaction.commit()?)
    })?;
    fs::File::open(&draft)
        .and_then(|file| file.sync_all())
        .and_then(|()| fs::rename(&draft, data.join(LOG)))
        .and_then(|()| sync_dir(data))
        .map_err(failed)?;
    Ok(manifest)
}

fn empty_but_for_keys(data: &Path) -> Result<()> {
    let entries = match fs::read_dir(data) {
        Ok(entries) => entries,
        // Without a directory there are no keys either, which is what must be said.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(Error::File("data directory", error)),
    };
    for entry in entries {
        let entry = entry.map_err(|error| Error::File("data directory", error))?;
        let name = entry.file_name();
        if name.to_string_lossy().starts_with(DRAFT) {
            fs::remove_file(entry.path()).map_err(failed)?;
        } else if name != "keys" {
            return Err(Code::DataNotEmpty.into());
        }
    }
    Ok(())
}
