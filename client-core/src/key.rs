//! The key of a tablet's database.

use std::fmt;

use data_encoding::HEXLOWER_PERMISSIVE;
use wayside_protocol::error::Code;

use crate::error::{Error, Result};

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

    pub fn to_hex(&self) -> String {
        HEXLOWER_PERMISSIVE.encode(&self.0)
    }
}

/// Never the key itself: what is printed ends up in a log.
impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(..)")
    }
}
