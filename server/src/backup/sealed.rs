//! An encrypted backup: one file that only the holder of a private key opens. The server holds none.
//!
//! `wayside-….age` is an age file. In it the manifest stands in one line, and after it the log's database: a standard `age`
//! and `tail -n +2` get at it without this program. Beside it lies the SHA-256 of the file, as `sha256sum --check` reads it.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, BufWriter, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use age::stream::StreamReader;
use age::x25519;
use sha2::{Digest, Sha256};
use wayside_protocol::error::Code;

use super::manifest::{self, FILE, Manifest, verify};
use super::{LOG, Told, failed, private_dir, private_file, sync_dir};
use crate::error::{Error, Result};
use crate::ledger::hex;
use crate::random::random;

/// Of a manifest: some 300 bytes for each team.
const LONGEST_LINE: u64 = 16 << 20;
const PIECE: usize = 1 << 18;

/// Public keys, to whose holders backups are encrypted.
#[derive(Debug, Clone)]
pub struct Recipients(Vec<x25519::Recipient>);

impl Recipients {
    /// One at least, as `age-keygen` prints them: `age1…`.
    pub fn parse<S: AsRef<str>>(keys: &[S]) -> Result<Recipients> {
        let parsed: Option<Vec<_>> = keys.iter().map(|key| key.as_ref().trim().parse().ok()).collect();
        match parsed {
            Some(keys) if !keys.is_empty() => Ok(Recipients(keys)),
            _ => Err(Code::BackupKeyInvalid.into()),
        }
    }
}

/// Private keys, any of which may open a backup.
pub struct Key(Vec<Box<dyn age::Identity + Send + Sync>>);

impl Key {
    /// From a file as `age-keygen` writes it.
    pub fn read(path: &Path) -> Result<Key> {
        let file = File::open(path).map_err(|error| Error::File("private key of the backups", error))?;
        let keys = age::IdentityFile::from_buffer(BufReader::new(file)).ok();
        match keys.and_then(|keys| keys.into_identities().ok()) {
            Some(keys) if !keys.is_empty() => Ok(Key(keys)),
            _ => Err(Code::BackupKeyInvalid.into()),
        }
    }

    fn all(&self) -> impl Iterator<Item = &dyn age::Identity> {
        self.0.iter().map(|key| key.as_ref() as &dyn age::Identity)
    }
}

/// Encrypts the verified backup in `dir` into the new file `path`, opens that again, and proves that the very same comes out.
/// Both are on disk when this returns. Returns the file's digest.
pub fn seal(
    dir: &Path,
    manifest: &Manifest,
    path: &Path,
    recipients: &Recipients,
    told: Told,
) -> Result<String> {
    // Made for this file and forgotten with this call: nobody else's private key is here to open it with.
    let proof = x25519::Identity::generate();
    write(dir, manifest, path, recipients, &proof.to_public(), told)?;
    let (said, mut log) = open(path, [&proof as &dyn age::Identity].into_iter())?;
    let mut digest = Sha256::new();
    carry(&mut log, &mut Digesting(&mut digest), "proving", told)?;
    if said != *manifest || hex(&digest.finalize()) != manifest.digest {
        return Err(Code::BackupDamaged.into());
    }
    manifest::digest(path)
}

fn write(
    dir: &Path,
    manifest: &Manifest,
    path: &Path,
    recipients: &Recipients,
    proof: &x25519::Recipient,
    told: Told,
) -> Result<()> {
    let keys = recipients.0.iter().chain([proof]).map(|key| key as &dyn age::Recipient);
    let encryptor = age::Encryptor::with_recipients(keys).map_err(|_| Error::Internal("encryption"))?;
    let mut line = serde_json::to_vec(manifest).map_err(|_| Error::Internal("a manifest"))?;
    line.push(b'\n');
    let out = BufWriter::with_capacity(PIECE, private_file(path).map_err(failed)?);
    let mut sealed = encryptor.wrap_output(out).map_err(failed)?;
    sealed.write_all(&line).map_err(failed)?;
    carry(&mut File::open(dir.join(LOG)).map_err(failed)?, &mut sealed, "encrypting", told)?;
    let file = sealed.finish().map_err(failed)?.into_inner().map_err(|error| failed(error.into_error()))?;
    file.sync_all().map_err(failed)
}

/// Notes the digest of `NAME` in `DIR/NAME.sha256`.
pub fn note_digest(dir: &Path, name: &str, digest: &str) -> Result<()> {
    let write = || {
        let mut file = private_file(&beside(&dir.join(name)))?;
        writeln!(file, "{digest}  {name}")?;
        file.sync_all()?;
        sync_dir(dir)
    };
    write().map_err(failed)
}

/// Where the digest of a backup is noted.
pub fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".sha256");
    name.into()
}

/// Whether a file is, byte for byte, what was written; `None` where no digest lies beside it. No key is needed.
pub fn is_as_written(path: &Path) -> Result<Option<bool>> {
    let noted = match fs::read_to_string(beside(path)) {
        Ok(noted) => noted,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) if error.kind() == ErrorKind::InvalidData => return Ok(Some(false)),
        Err(error) => return Err(failed(error)),
    };
    let noted = noted.split_whitespace().next().unwrap_or_default();
    Ok(Some(noted == manifest::digest(path)?))
}

/// Decrypts a backup into `dir`, which is made, and proves it whole there. Blocks.
pub fn unpack(path: &Path, key: &Key, dir: &Path, told: Told) -> Result<Manifest> {
    if is_as_written(path)? == Some(false) {
        return Err(Code::BackupDamaged.into());
    }
    let (manifest, mut log) = open(path, key.all())?;
    private_dir(dir).map_err(failed)?;
    carry(&mut log, &mut private_file(&dir.join(LOG)).map_err(failed)?, "decrypting", told)?;
    let text = serde_json::to_vec(&manifest).map_err(|_| Error::Internal("a manifest"))?;
    private_file(&dir.join(FILE)).and_then(|mut file| file.write_all(&text)).map_err(failed)?;
    verify(dir)
}

/// Decrypts a backup into a scratch place and proves it whole there; nothing stays. Blocks.
pub fn verify_sealed(path: &Path, key: &Key, told: Told) -> Result<Manifest> {
    let scratch = std::env::temp_dir().join(format!("wayside-verify-{:032x}", random::<u128>()));
    let verified = unpack(path, key, &scratch, told);
    if scratch.exists() {
        fs::remove_dir_all(&scratch).map_err(failed)?;
    }
    verified
}

type Log = BufReader<StreamReader<BufReader<File>>>;

/// The manifest of an encrypted backup, which is not proven yet, and its log.
fn open<'a>(path: &Path, keys: impl Iterator<Item = &'a dyn age::Identity>) -> Result<(Manifest, Log)> {
    let file = BufReader::with_capacity(PIECE, File::open(path).map_err(failed)?);
    let opened = age::Decryptor::new_buffered(file).and_then(|sealed| sealed.decrypt(keys));
    let mut log = BufReader::with_capacity(PIECE, opened.map_err(unopened)?);
    let mut line = Vec::new();
    log.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line).map_err(torn)?;
    let manifest = serde_json::from_slice(&line).map_err(|_| Error::Refused(Code::BackupDamaged))?;
    Ok((manifest, log))
}

fn unopened(error: age::DecryptError) -> Error {
    match error {
        age::DecryptError::NoMatchingKeys => Code::BackupSealed.into(),
        age::DecryptError::Io(error) => torn(error),
        _ => Code::BackupDamaged.into(),
    }
}

/// Bytes that are not what was encrypted, or end too early, are no failure of the disk.
fn torn(error: io::Error) -> Error {
    match error.kind() {
        ErrorKind::InvalidData | ErrorKind::UnexpectedEof => Code::BackupDamaged.into(),
        _ => failed(error),
    }
}

/// Copies all of it, and says how many bytes were.
fn carry(from: &mut impl Read, to: &mut impl Write, step: &'static str, told: Told) -> Result<()> {
    let (mut piece, mut done) = (vec![0; PIECE], 0);
    loop {
        let read = match from.read(&mut piece) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            read => read.map_err(torn)?,
        };
        if read == 0 {
            return Ok(());
        }
        to.write_all(piece.get(..read).unwrap_or_default()).map_err(failed)?;
        done += read as u64;
        told(step, done)?;
    }
}

struct Digesting<'a>(&'a mut Sha256);

impl Write for Digesting<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
