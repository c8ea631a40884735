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
    if begun_anew || now.length <= mark.length {
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

/// The last sector of what was being written is not what it should be.
fn garble(mut wal: fs::File, from: u64, to: u64, rng: &mut StdRng) -> io::Result<()> {
    let begin = from.max(to.saturating_sub(SECTOR));
    let mut junk = vec![0; (to - begin) as usize];
    rng.fill(&mut junk[..]);
    wal.seek(SeekFrom::Start(begin))?;
    wal.write_all(&junk)
}
