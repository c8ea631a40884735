//! What a process that died leaves on its disk: everything that was committed, and as much of the write under way as had
//! arrived, its end perhaps garbled.

use std::{
    fs::{self, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use rand::{RngExt, rngs::StdRng};

/// Header of a write-ahead log: another one means that it was begun anew.
const HEADER: usize = 32;
/// And of each page in it.
const FRAME_HEADER: usize = 24;
const SECTOR: u64 = 512;

/// How a database's write-ahead log stood: everything up to here was committed and synced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    length: u64,
    header: Vec<u8>,
}

impl Mark {
    pub fn of(database: &Path) -> Mark {
        let wal = wal_of(database);
        let length = fs::metadata(&wal).map_or(0, |meta| meta.len());
        let mut header = Vec::new();
        if let Ok(file) = fs::File::open(&wal) {
            let _ = file.take(HEADER as u64).read_to_end(&mut header);
        }
        Mark { length, header }
    }
}

fn wal_of(database: &Path) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push("-wal");
    name.into()
}

/// Files of a folder and of those in it, but for what SQLite makes anew and what a program that is up has in memory.
pub fn copy_dir(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy_dir(&path, &target)?;
        } else if !entry.file_name().to_string_lossy().ends_with("-shm") {
            fs::copy(&path, &target)?;
        }
    }
    Ok(())
}

/// Copies a folder as a death in the middle of the writes since `mark` would have left it. `database` is a name in it. Whether
/// anything was torn off.
pub fn copy_torn(from: &Path, to: &Path, database: &str, mark: &Mark, rng: &mut StdRng) -> io::Result<bool> {
    copy_dir(from, to)?;
    let now = Mark::of(&from.join(database));
    let begun_anew = mark.length > 0 && mark.header != now.header;
    if begun_anew || now.length <= mark.length || is_moved(&to.join(database), mark.length)? {
        return Ok(false);
    }
    let length = rng.random_range(mark.length..=now.length);
    let wal = OpenOptions::new().write(true).open(wal_of(&to.join(database)))?;
    wal.set_len(length)?;
    if rng.random() {
        garble(wal, mark.length, length, rng)?;
    }
    Ok(length < now.length)
}

/// Whether something that stands in the log behind `from` was moved into the database already: SQLite has all of the log on
/// the disk before it does that.
fn is_moved(database: &Path, from: u64) -> io::Result<bool> {
    let (file, wal) = (fs::read(database)?, fs::read(wal_of(database))?);
    let number =
        |at: usize| wal.get(at..at + 4).map(|n| u32::from_be_bytes([n[0], n[1], n[2], n[3]]) as usize);
    let Some(page) = number(8).filter(|page| *page > 0) else { return Ok(false) };
    let mut at = HEADER.max(from as usize);
    while let (Some(n), Some(written)) = (number(at), wal.get(at + FRAME_HEADER..at + FRAME_HEADER + page)) {
        if n > 0 && file.get((n - 1) * page..n * page) == Some(written) {
            return Ok(true);
        }
        at += FRAME_HEADER + page;
    }
    Ok(false)
}

/// The last sector of what was being written is not what it should be.
fn garble(mut wal: fs::File, from: u64, to: u64, rng: &mut StdRng) -> io::Result<()> {
    let begin = from.max(to.saturating_sub(SECTOR));
    let mut junk = vec![0; (to - begin) as usize];
    rng.fill(&mut junk[..]);
    wal.seek(SeekFrom::Start(begin))?;
    wal.write_all(&junk)
}
