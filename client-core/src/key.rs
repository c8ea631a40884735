//! The key of a tablet's database.

use std::{fmt, path::Path};

use data_encoding::HEXLOWER_PERMISSIVE;
use wayside_protocol::error::Code;

use crate::{
    env::Env,
    error::{Error, Result},
    store::Store,
};

/// 256 random bits. Where they are kept is the platform's business: its key store, or a file.
#[derive(Clone, PartialEq, Eq)]
pub struct Key([u8; 32]);

impl Key {
    pub const fn from_bytes(bytes: [u8; 32]) -> Key {
        Key(bytes)
    }

    /// From 64 hexadecimal digits, with white space around them.
    pub fn from_hex(text: &str) -> Result<Key> {
        let bytes = HEXLOWER_PERMISSIVE.decode(text.trim().as_bytes()).ok();
        let bytes = bytes.and_then(|bytes| bytes.try_into().ok());
        bytes.map(Key).ok_or(Error::Failed(Code::KeyFileInvalid))
    }

    /// For the platform's key store, and nothing else.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    pub fn to_hex(&self) -> String {
        HEXLOWER_PERMISSIVE.encode(&self.0)
    }
}

/// Where a platform keeps the key.
pub trait KeyStore {
    /// The key; `None` where none was ever saved. A store that cannot be read now is an error, never `None`.
    fn load(&self) -> Result<Option<Key>>;

    fn save(&self, key: &Key) -> Result<()>;
}

impl Key {
    /// Whether a key that is still kept for a directory is that of records which were wiped as base ordered: then it should
    /// go, too.
    pub fn is_stale(dir: &Path) -> bool {
        Store::was_wiped(dir) && !Store::is_there(dir)
    }

    /// The key of the tablet in a directory: the one that is kept or, for a directory without records or whose records
    /// were wiped as base ordered, a new one,
    /// which is kept before anything is encrypted with it. [`Code::KeyMissing`] for records whose key is gone;
    /// [`Code::KeyStoreFailed`] for a store that does not give back what it was given.
    pub fn kept(dir: &Path, keys: &impl KeyStore, env: &Env) -> Result<Key> {
        if let Some(key) = keys.load()?.filter(|_| !Key::is_stale(dir)) {
            return Ok(key);
        }
        if Store::is_there(dir) {
            return Err(Error::Failed(Code::KeyMissing));
        }
        let key = Key(env.bytes());
        keys.save(&key)?;
        if keys.load()?.as_ref() == Some(&key) { Ok(key) } else { Err(Error::Failed(Code::KeyStoreFailed)) }
    }
}

/// Never the key itself: what is printed ends up in a log.
impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(..)")
    }
}
