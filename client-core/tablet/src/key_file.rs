//! The database's key in a file of its own, beside the database and never in it.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind, Write},
    path::{Path, PathBuf},
};

use rand::Rng;
use wayside_client_core::{Code, Error, Key};

/// Where the key of a directory `D` is kept unless somebody says otherwise: `D.key`.
pub fn beside(dir: &Path) -> io::Result<PathBuf> {
    // Absolute, so that `.` has a name too.
    let dir: PathBuf = std::path::absolute(dir)?.components().collect();
    let mut name = dir.into_os_string();
    name.push(".key");
    Ok(name.into())
}

/// Reads the key, or makes it where neither it nor a database is there yet. A key file is never overwritten: with
/// it would go everything that was recorded. Only that of a tablet which was wiped goes.
pub fn open(path: &Path, dir: &Path) -> Result<Key, Error> {
    if Key::is_stale(dir) {
        forget(path);
    }
    match fs::read_to_string(path) {
        Ok(text) => Key::from_hex(&text),
        Err(error) if error.kind() == ErrorKind::NotFound && !dir.join("tablet.db").exists() => {
            match make(path) {
                Ok(key) => Ok(key),
                // Another process was faster.
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                    let text = fs::read_to_string(path).map_err(|_| Error::Failed(Code::KeyFileInvalid))?;
                    Key::from_hex(&text)
                }
                Err(_) => Err(Error::Failed(Code::KeyFileInvalid)),
            }
        }
        Err(_) => Err(Error::Failed(Code::KeyFileInvalid)),
    }
}

/// Deletes the key of records that are gone. What cannot be deleted is overwritten.
pub fn forget(path: &Path) {
    if let Err(error) = fs::remove_file(path)
        && error.kind() != ErrorKind::NotFound
    {
        let _ = fs::write(path, "");
    }
}

fn make(path: &Path) -> io::Result<Key> {
    let mut bytes = [0; 32];
    rand::rng().fill_bytes(&mut bytes);
    let key = Key::from_bytes(bytes);
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    if let Some(parent) = parent {
        fs::create_dir_all(parent)?;
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    writeln!(file, "{}", key.to_hex())?;
    // On disk before the first record is: without the key that record is lost.
    file.sync_all()?;
    File::open(parent.unwrap_or(Path::new(".")))?.sync_all()?;
    Ok(key)
}

/// Whether others than the owner can read it.
pub fn is_open_to_others(path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o077 != 0)
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        false
    }
}
