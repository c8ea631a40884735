//! What the device gives to a tablet: a key store and a clock.

use std::sync::Arc;

use wayside_client_core::{Clock, Code, Error, Key, KeyStore, SystemClock};

use crate::{
    convert,
    error::{Result, WaysideError},
};

/// Where the app keeps the key of the records: the Android Keystore, the Keychain, or a file that only its user can
/// read. Called while a tablet is opened, unlocked or wiped, on the thread of that call; it must not call the tablet.
/// What it throws makes that call fail with `key_store_failed`.
#[uniffi::export(foreign)]
pub trait TabletKeys: Send + Sync {
    /// The 32 bytes that were saved; `None` only where none were ever saved. Where the store cannot be read now,
    /// throw.
    fn load(&self) -> Result<Option<Vec<u8>>, WaysideError>;

    /// Keeps 32 bytes, and returns when they are kept for good.
    fn save(&self, key: Vec<u8>) -> Result<(), WaysideError>;

    /// Forgets them: the tablet was wiped, by `wipe` or, during a sync and on its thread, as base ordered.
    fn forget(&self) -> Result<(), WaysideError>;
}

/// What time it is, for tests of an app. Called often, on any thread, while the tablet is at work: answer at once, and
/// never call the tablet. Where it throws, the device's own clock counts.
#[uniffi::export(foreign)]
pub trait TabletClock: Send + Sync {
    /// Milliseconds since 1970, in UTC.
    fn now_ms(&self) -> Result<i64, WaysideError>;

    /// Milliseconds since some beginning, sleep included, that nobody can set.
    fn uptime_ms(&self) -> Result<u64, WaysideError>;

    /// The offset from UTC in minutes, east positive.
    fn offset_minutes(&self) -> Result<i32, WaysideError>;
}

pub struct Keeper<'a>(pub &'a dyn TabletKeys);

impl KeyStore for Keeper<'_> {
    fn load(&self) -> Result<Option<Key>, Error> {
        let bytes = self.0.load().map_err(|_| Code::KeyStoreFailed)?;
        // Something else than a key is there: never a reason to make a new one.
        bytes.map(|bytes| convert::key(bytes).map_err(|_| Code::KeyStoreFailed.into())).transpose()
    }

    fn save(&self, key: &Key) -> Result<(), Error> {
        self.0.save(key.as_bytes().to_vec()).map_err(|_| Code::KeyStoreFailed.into())
    }
}

pub struct DeviceClock(pub Arc<dyn TabletClock>);

impl Clock for DeviceClock {
    fn now_ms(&self) -> i64 {
        self.0.now_ms().unwrap_or_else(|_| SystemClock.now_ms())
    }

    fn uptime_ms(&self) -> u64 {
        self.0.uptime_ms().unwrap_or_else(|_| SystemClock.uptime_ms())
    }

    fn offset_minutes(&self) -> i32 {
        self.0.offset_minutes().unwrap_or_else(|_| SystemClock.offset_minutes())
    }
}
