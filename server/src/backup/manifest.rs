//! What a backup must hold, and whether it does.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;

use jiff::Timestamp;
use rusqlite::{Connection, OpenFlags};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use wayside_protocol::error::Code;
use wayside_protocol::record::RecordId;
use wayside_protocol::sync::SetSum;
use wayside_protocol::sync::frame::What;

use super::{LOG, failed, private_file, sync_dir};
use crate::error::{Error, Result};
use crate::ledger::hex;
use crate::log::db::Conn;
use crate::log::{self, SCHEMA, Team};

pub(super) const FILE: &str = "manifest.json";
const FORMAT: u32 = 1;

/// Bytes stand in hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    pub format: u32,
    pub made_at: Timestamp,
    /// The schema of the copy.
    pub schema: usize,
    /// The server's identity, whose key is not in the backup.
    pub identity: String,
    pub ledger: String,
    /// The last entry of the ledger that the copy knows.
    pub ledger_position: u64,
    pub teams: Vec<TeamHead>,
    /// SHA-256 of `log.db`.
    #[serde(default)]
    pub digest: String,
}

/// Where a team's log ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TeamHead {
    pub id: RecordId,
    pub epoch: String,
    pub head: u64,
    pub fingerprint: String,
}

impl Manifest {
    pub fn of(copy: &Conn, made_at: Timestamp) -> Result<Manifest> {
        let keeper = log::keeper(copy)?.ok_or(Error::Internal("a log without a keeper"))?;
        let teams = log::teams(copy)?.into_iter().map(|team| {
            let fingerprint = hex(&log::sum_at(copy, team.n, team.head)?.fingerprint());
            Ok(TeamHead { id: team.id, epoch: hex(&team.epoch), head: team.head, fingerprint })
        });
        Ok(Manifest {
            format: FORMAT,
            made_at,
            schema: schema(copy)?,
            identity: hex(&keeper.identity),
            ledger: hex(&keeper.ledger),
            ledger_position: keeper.position,
            teams: teams.collect::<Result<_>>()?,
            digest: String::new(),
        })
    }

    /// Writes the manifest beside its log; both are on disk when this returns.
    pub fn seal(mut self, dir: &Path) -> Result<()> {
        self.digest = digest(&dir.join(LOG))?;
        let text = serde_json::to_vec_pretty(&self).map_err(|_| Error::Internal("a manifest"))?;
        let write = || {
            let mut file = private_file(&dir.join(FILE))?;
            file.write_all(&text)?;
            file.sync_all()?;
            File::open(dir.join(LOG))?.sync_all()?;
            sync_dir(dir)
        };
        write().map_err(failed)
    }
}

/// Opens a backup and proves it whole: every byte as it was written, every page readable, every team's log without
/// a gap and with the fingerprint that the manifest names, computed from its changes. Blocks.
pub fn verify(dir: &Path) -> Result<Manifest> {
    let damaged = || Error::Refused(Code::BackupDamaged);
    let text = match fs::read(dir.join(FILE)) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(damaged()),
        Err(error) => return Err(failed(error)),
    };
    let manifest: Manifest = serde_json::from_slice(&text).map_err(|_| damaged())?;
    if manifest.format != FORMAT || manifest.schema > SCHEMA {
        return Err(Error::Newer);
    }
    if !dir.join(LOG).is_file() || digest(&dir.join(LOG))? != manifest.digest {
        return Err(damaged());
    }
    let copy = Connection::open_with_flags(
        dir.join(LOG),
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    copy.pragma_update(None, "trusted_schema", false)?;
    if !is_whole(&Conn::of_sqlite(copy), &manifest).unwrap_or(false) {
        return Err(damaged());
    }
    Ok(manifest)
}

fn is_whole(copy: &Conn, manifest: &Manifest) -> Result<bool> {
    let checked: String = copy.only("PRAGMA quick_check(1)", &[], |row| row.get(0))?;
    let said = Manifest { digest: manifest.digest.clone(), ..Manifest::of(copy, manifest.made_at)? };
    let sums = log::teams(copy)?.iter().map(|team| sum_is_right(copy, team)).collect::<Result<Vec<_>>>()?;
    Ok(checked == "ok" && said == *manifest && sums.into_iter().all(|right| right))
}

/// Whether a team's log has no gap and sums up to what it says.
pub fn sum_is_right(copy: &Conn, team: &Team) -> Result<bool> {
    let entries = log::entries(copy, team.n, 0, team.head)?;
    let mut entries = entries.into_iter().peekable();
    let (mut sum, mut last, mut off, mut gap) = (SetSum::default(), 0, HashSet::new(), false);
    let mut enter = |sum: &mut SetSum, last: &mut u64| -> Result<()> {
        while let Some(entry) = entries.next_if(|entry| entry.seq == *last + 1) {
            *last = entry.seq;
            let hashes = || log::hashes(copy, team.n, entry.record, Some(entry.seq));
            if entry.what == What::Activate {
                off.remove(&entry.record);
                hashes()?.iter().for_each(|hash| sum.add(entry.record, hash));
            } else if off.insert(entry.record) {
                hashes()?.iter().for_each(|hash| sum.remove(entry.record, hash));
            }
        }
        Ok(())
    };
    log::each_pair(copy, team.n, u64::MAX, |seq, record, hash| {
        enter(&mut sum, &mut last)?;
        gap |= seq != last + 1;
        last = seq;
        sum.add(record, &hash);
        Ok(!gap)
    })?;
    enter(&mut sum, &mut last)?;
    Ok(!gap && last == team.head && sum == log::sum_at(copy, team.n, team.head)?)
}

fn schema(copy: &Conn) -> Result<usize> {
    copy.only("PRAGMA user_version", &[], |row| row.get(0))
}

pub fn digest(path: &Path) -> Result<String> {
    let read = || {
        let (mut file, mut digest, mut piece) = (File::open(path)?, Sha256::new(), vec![0; 1 << 16]);
        loop {
            match file.read(&mut piece)? {
                0 => return Ok(hex(&digest.finalize())),
                n => digest.update(piece.get(..n).unwrap_or_default()),
            }
        }
    };
    read().map_err(failed)
}
