//! Names that stand for ids in what one recipient is given, and nowhere else.

use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::error::{Error, Result};
use crate::keys::Identity;

const LABEL: &[u8] = b"wayside pseudonyms 1\0";
/// Bytes of a hash that are given: nobody meets two alike, and nobody needs more.
const GIVEN: usize = 16;

/// Makes the pseudonyms of one recipient: HMAC-SHA256 of an id.
#[derive(Clone)]
pub struct Pseudonyms(Hmac<Sha256>);

impl Pseudonyms {
    /// The key comes from the server's own and from the recipient's secret: who has the database without the keys, or a
    /// backup, cannot find out who a pseudonym stands for by trying all ids.
    pub fn new(identity: &Identity, secret: &[u8; 32]) -> Result<Pseudonyms> {
        let mut mac = keyed(&identity.key().to_bytes())?;
        mac.update(LABEL);
        mac.update(secret);
        Ok(Pseudonyms(keyed(&mac.finalize().into_bytes())?))
    }

    /// In hexadecimal, 32 digits. The same id is the same in every file of the recipient.
    pub fn of(&self, id: &str) -> String {
        let mut mac = self.0.clone();
        mac.update(id.as_bytes());
        let hash = mac.finalize().into_bytes();
        HEXLOWER.encode(hash.get(..GIVEN).unwrap_or_default())
    }
}

fn keyed(key: &[u8]) -> Result<Hmac<Sha256>> {
    Hmac::new_from_slice(key).map_err(|_| Error::Internal("a key of pseudonyms"))
}
