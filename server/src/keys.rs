//! The server's keys, in `DIR/keys`: who it is, and its TLS certificate. Kept outside backups, so that
//! a stolen backup cannot speak for the server.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ed25519_dalek::SigningKey;
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use rustls::server::ParsedCertificate;
use sha2::{Digest, Sha256};
use wayside_protocol::error::Code;
use wayside_protocol::sync::PublicKey;

use crate::error::{Error, Result};
use crate::ledger::Ledger;
use crate::random::random;

const IDENTITY: &str = "identity.key";
const KEY_FILE: &str = "identity key file";
const TLS_FILES: &str = "TLS certificate or key file";

/// The key that names this server to its tablets and signs their certificates.
#[derive(Clone)]
pub struct Identity {
    key: SigningKey,
    public: PublicKey,
}

/// Refuses a directory whose identity key, or ledger if it lies there, is missing, before new ones are made that do not
/// belong to it.
pub fn present(data: &Path, with_ledger: bool) -> Result<()> {
    if !data.join("keys").join(IDENTITY).is_file() {
        return Err(Code::IdentityMissing.into());
    }
    if !with_ledger || Ledger::exists(data) { Ok(()) } else { Err(Code::LedgerMissing.into()) }
}

impl Identity {
    /// Reads `keys/identity.key`, made on the first run.
    pub fn open(data: &Path) -> Result<Identity> {
        let path = key_dir(data)?.join(IDENTITY);
        let bytes = read_or_make(&path, KEY_FILE, || Ok(random::<[u8; 32]>().to_vec()))?;
        let seed: [u8; 32] = bytes.try_into().map_err(|_| Error::Key(KEY_FILE))?;
        let key = SigningKey::from_bytes(&seed);
        let public = key.verifying_key().to_bytes();
        Ok(Identity { key, public })
    }

    pub fn key(&self) -> &SigningKey {
        &self.key
    }

    pub fn public(&self) -> &PublicKey {
        &self.public
    }
}

/// What TLS needs, and the pin that enrolment codes carry.
pub struct Tls {
    pub config: Arc<ServerConfig>,
    /// SHA-256 of the certificate's SubjectPublicKeyInfo (DER).
    pub pin: [u8; 32],
    /// Of the files that it was read from.
    pub digest: [u8; 32],
    /// The certificate itself, without those that vouch for it.
    pub leaf: CertificateDer<'static>,
}

/// Where certificate and key come from, when they are not our own.
#[derive(Debug, Clone)]
pub struct TlsFiles {
    pub cert: PathBuf,
    pub key: PathBuf,
}

impl Tls {
    /// The given files, or the self-signed certificate of `DIR/keys`, made on the first run for
    /// localhost and `host`.
    pub fn open(data: &Path, files: Option<&TlsFiles>, host: Option<&str>) -> Result<Tls> {
        let (cert, key) = match files {
            Some(files) => (read(&files.cert)?, read(&files.key)?),
            None => self_signed(data, host)?,
        };
        let digest = Sha256::new().chain_update(&cert).chain_update(&key).finalize().into();
        let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&cert)
            .collect::<Result<_, _>>()
            .map_err(|_| Error::Key(TLS_FILES))?;
        let key = PrivateKeyDer::from_pem_slice(&key).map_err(|_| Error::Key(TLS_FILES))?;
        let leaf = chain.first().ok_or(Error::Key(TLS_FILES))?.clone();
        let spki =
            ParsedCertificate::try_from(&leaf).map_err(|_| Error::Key(TLS_FILES))?.subject_public_key_info();
        let pin = Sha256::digest(&spki).into();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            // Tablets and browsers of the last years speak it: nothing older is let in.
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(|_| Error::Internal("TLS versions"))?
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .map_err(|_| Error::Key(TLS_FILES))?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Tls { config: Arc::new(config), pin, digest, leaf })
    }
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).map_err(|error| Error::File(TLS_FILES, error))
}

fn self_signed(data: &Path, host: Option<&str>) -> Result<(Vec<u8>, Vec<u8>)> {
    let dir = key_dir(data)?;
    let made = |_| Error::Internal("self-signed certificate");
    // The key first: whoever finds a certificate finds its key.
    let key = read_or_make(&dir.join("tls.key"), TLS_FILES, || {
        Ok(rcgen::KeyPair::generate().map_err(made)?.serialize_pem().into_bytes())
    })?;
    let cert = read_or_make(&dir.join("tls.crt"), TLS_FILES, || {
        let text = std::str::from_utf8(&key).map_err(|_| Error::Key(TLS_FILES))?;
        let pair = rcgen::KeyPair::from_pem(text).map_err(|_| Error::Key(TLS_FILES))?;
        let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        names.extend(host.filter(|host| !names.iter().any(|name| name == host)).map(str::to_owned));
        // Valid from 1975 to 4096: tablets pin the key and no clock is trusted.
        let params = rcgen::CertificateParams::new(names).map_err(made)?;
        Ok(params.self_signed(&pair).map_err(made)?.pem().into_bytes())
    })?;
    Ok((cert, key))
}

fn key_dir(data: &Path) -> Result<PathBuf> {
    let dir = data.join("keys");
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&dir)
        .map_err(|error| Error::File("key directory", error))?;
    Ok(dir)
}

/// Reads a file, or makes it, readable by its owner alone. Of two processes that make it at once both
/// read the same one: it appears whole, under its name, once.
fn read_or_make(path: &Path, what: &'static str, make: impl FnOnce() -> Result<Vec<u8>>) -> Result<Vec<u8>> {
    let failed = |error| Error::File(what, error);
    match fs::read(path) {
        Ok(bytes) => return Ok(bytes),
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(failed(error)),
    }
    let draft = path.with_extension(format!("{:016x}", random::<u64>()));
    let mut file =
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft).map_err(failed)?;
    file.write_all(&make()?).and_then(|()| file.sync_all()).map_err(failed)?;
    let linked = fs::hard_link(&draft, path);
    fs::remove_file(&draft).map_err(failed)?;
    match linked {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(failed(error)),
        _ => {}
    }
    if let Some(dir) = path.parent() {
        File::open(dir).and_then(|dir| dir.sync_all()).map_err(failed)?;
    }
    fs::read(path).map_err(failed)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn keys_are_made_once_and_for_their_owner_alone() {
        let dir = tempfile::tempdir().unwrap();
        let first = Identity::open(dir.path()).unwrap();
        assert_eq!(first.public(), Identity::open(dir.path()).unwrap().public());
        let tls = Tls::open(dir.path(), None, Some("10.0.0.7")).unwrap();
        assert_eq!(tls.pin, Tls::open(dir.path(), None, None).unwrap().pin);
        for name in ["identity.key", "tls.key"] {
            let meta = fs::metadata(dir.path().join("keys").join(name)).unwrap();
            assert_eq!(meta.permissions().mode() & 0o777, 0o600, "{name}");
        }
        assert_eq!(fs::read_dir(dir.path().join("keys")).unwrap().count(), 3);
    }

    #[test]
    fn a_cut_key_file_is_refused_and_kept() {
        let dir = tempfile::tempdir().unwrap();
        Identity::open(dir.path()).unwrap();
        let path = dir.path().join("keys/identity.key");
        fs::write(&path, [7; 31]).unwrap();
        assert!(matches!(Identity::open(dir.path()), Err(Error::Key(_))));
        assert_eq!(fs::read(&path).unwrap(), [7; 31]);
    }
}
