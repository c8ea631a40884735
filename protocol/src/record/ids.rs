//! Names of things: records, entries, tablets.

use std::{fmt, str::FromStr, sync::LazyLock};

use data_encoding::{BASE32_NOPAD, Encoding};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::error::{Code, Invalid};

/// A record's id: a UUIDv7 made on the tablet, or for a session the UUIDv5 of site and date.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct RecordId(Uuid);

impl RecordId {
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        RecordId(Uuid::from_bytes(bytes))
    }

    pub fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }

    /// A fresh UUIDv7 from the tablet's time (milliseconds since 1970) and 10 random bytes.
    pub fn fresh(unix_ms: u64, random: &[u8; 10]) -> Self {
        RecordId(uuid::Builder::from_unix_timestamp_millis(unix_ms, random).into_uuid())
    }

    /// The id of the session at a site on a date, the same on every tablet of a van.
    /// Namespace: the site's id; name: the date as `YYYY-MM-DD`.
    pub fn session(site: RecordId, date: &str) -> Self {
        RecordId(Uuid::new_v5(&site.0, date.as_bytes()))
    }
}

impl fmt::Display for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

impl fmt::Debug for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for RecordId {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        // Only the hyphenated form: one record has one spelling.
        match Uuid::try_parse(text) {
            Ok(uuid) if text.len() == 36 => Ok(RecordId(uuid)),
            _ => Err(Invalid::new(
                Code::BadId,
                "",
                "A record id looks like 0190b3f2-6c1a-7cde-8f00-2a6b1c9d4e5f.",
            )),
        }
    }
}

fn lower_base32() -> &'static Encoding {
    static LOWER: LazyLock<Encoding> = LazyLock::new(|| {
        let mut spec = BASE32_NOPAD.specification();
        spec.symbols.make_ascii_lowercase();
        // The specification is RFC 4648's with lower-case symbols, which is always valid.
        spec.encoding().unwrap_or(BASE32_NOPAD)
    });
    &LOWER
}

/// An entry's id, unique in its record: 8 base32 characters of 40 random bits.
pub fn entry_id(random: [u8; 5]) -> String {
    lower_base32().encode(&random)
}

/// The random bits of an entry's id; `None` for what is no such id.
pub fn entry_bytes(text: &str) -> Option<[u8; 5]> {
    let mut bytes = [0; 5];
    let decoded = is_entry_id(text).then(|| lower_base32().decode_mut(text.as_bytes(), &mut bytes));
    matches!(decoded, Some(Ok(5))).then_some(bytes)
}

pub fn is_entry_id(text: &str) -> bool {
    text.len() == 8 && text.bytes().all(|b| matches!(b, b'a'..=b'z' | b'2'..=b'7'))
}

/// A tablet's id: the first 10 bytes of the SHA-256 of its Ed25519 public key, as 16 base32
/// characters. The server's own identity is named in the same way.
pub fn tablet_id(public_key: &[u8; 32]) -> String {
    lower_base32().encode(&Sha256::digest(public_key)[..10])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_the_same_on_every_tablet() {
        let site: RecordId = "0190b3f2-6c1a-7cde-8f00-2a6b1c9d4e5f".parse().unwrap();
        assert_eq!(RecordId::session(site, "2026-11-20"), RecordId::session(site, "2026-11-20"));
        assert_ne!(RecordId::session(site, "2026-11-20"), RecordId::session(site, "2026-11-21"));
        assert_eq!(RecordId::session(site, "2026-11-20").to_string().as_bytes()[14], b'5');
    }

    #[test]
    fn ids_have_one_spelling() {
        let id = RecordId::fresh(1_790_000_000_000, &[7; 10]);
        assert_eq!(id.to_string().parse::<RecordId>().unwrap(), id);
        assert!(id.to_string().replace('-', "").parse::<RecordId>().is_err());
        assert!("{0190b3f2-6c1a-7cde-8f00-2a6b1c9d4e5}".parse::<RecordId>().is_err());
        assert_eq!(entry_id([0xff; 5]), "77777777");
        assert!(is_entry_id(&entry_id([1, 2, 3, 4, 5])));
        assert_eq!(tablet_id(&[3; 32]).len(), 16);
    }
}
