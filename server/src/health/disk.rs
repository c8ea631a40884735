//! The disk under a directory.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

/// In bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    /// What this account may still use.
    pub free: u64,
    pub size: u64,
}

pub fn space(dir: &Path) -> io::Result<Space> {
    let disk = rustix::fs::statvfs(dir)?;
    let bytes = |blocks: u64| blocks.saturating_mul(disk.f_frsize);
    Ok(Space { free: bytes(disk.f_bavail), size: bytes(disk.f_blocks) })
}

/// Writes a small file, has it synced as a commit is, and takes it away again. How long that took.
pub fn sync_a_file(dir: &Path) -> io::Result<Duration> {
    let path = dir.join(format!("doctor.{:016x}", rand::random::<u64>()));
    let begun = Instant::now();
    let write = || -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        file.write_all(&[0; 4096])?;
        file.sync_all()?;
        File::open(dir)?.sync_all()
    };
    let written = write();
    let took = begun.elapsed();
    let removed = fs::remove_file(&path);
    written?;
    removed.map(|()| took)
}
