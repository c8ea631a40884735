//! The tablet: open, locked, wiped. What is done with it stands in the files below, by what a screen is about.

mod archive;
mod care;
mod find;
mod people;
mod records;
mod sync;
#[cfg(test)]
mod tests;

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, RwLock},
};

use tokio::sync::watch;
use wayside_client_core::{self as facade, Code};

pub use self::archive::{ArchivedPerson, LookedUp};
pub use self::sync::{StatusListener, StatusWatch, SyncListener, SyncProgress, end_background};
use crate::{
    convert,
    device::{DeviceClock, Keeper, TabletClock, TabletKeys},
    error::Result,
    guard::{self, Apart},
};

/// The version of these bindings' surface, as in `1.0`: see `ffi/surface.txt`.
#[uniffi::export]
pub fn surface_version() -> String {
    crate::SURFACE_VERSION.to_owned()
}

/// A tablet's records and its link to base. To be shared between threads. All calls block for some milliseconds,
/// but for `enrol` and `sync`, which are async; one that records returns when what it recorded is on disk, and has
/// saved nothing when it throws.
#[derive(uniffi::Object)]
pub struct Tablet {
    dir: PathBuf,
    keys: Option<Arc<dyn TabletKeys>>,
    env: facade::Env,
    /// `None` while it is locked.
    open: RwLock<Option<facade::Tablet>>,
    /// Keeps it in sync while there is signal.
    background: Mutex<Option<Apart<()>>>,
    /// Changes when syncs that run are to stop.
    cancel: watch::Sender<u64>,
}

#[uniffi::export]
impl Tablet {
    /// Opens the tablet in a directory, or makes it. `key` is 32 random bytes, the same each time; keep them in the
    /// platform's key store. Without them the records are lost, and with another key this fails with `wrong_key`.
    /// Open a directory once in a program and share the tablet.
    #[uniffi::constructor]
    pub fn open(dir: String, key: Vec<u8>) -> Result<Arc<Self>> {
        guard::quiet_panics();
        guard::call(|| {
            let tablet = Tablet::closed(dir, None, facade::Env::system());
            tablet.unlock(Some(key))?;
            Ok(Arc::new(tablet))
        })
    }

    /// Opens the tablet in a directory with the key that the app's key store keeps, or makes both. A key is made only
    /// for a directory without records, and saved before anything is encrypted with it: `key_missing` for records whose
    /// key is gone, `key_store_failed` where the store throws or does not give back what it was given. `clock` is for
    /// tests of an app; `None` is the device's.
    #[uniffi::constructor(default(clock = None))]
    pub fn open_with(
        dir: String,
        keys: Arc<dyn TabletKeys>,
        clock: Option<Arc<dyn TabletClock>>,
    ) -> Result<Arc<Self>> {
        guard::quiet_panics();
        guard::call(|| {
            let mut env = facade::Env::system();
            if let Some(clock) = clock {
                env.clock = Arc::new(DeviceClock(clock));
            }
            let tablet = Tablet::closed(dir, Some(keys), env);
            tablet.unlock(None)?;
            Ok(Arc::new(tablet))
        })
    }

    /// Closes the database and forgets the key: nothing can be read before `unlock`, and every call fails with
    /// `tablet_locked`. A call that is under way ends first; a sync stops, and so do the one in the background and all
    /// watches of the status. Nothing recorded is lost.
    pub fn lock(&self) {
        self.stop();
        // What still runs has this tablet too, so it is closed and not only dropped.
        if let Some(tablet) = self.open.write().unwrap_or_else(PoisonError::into_inner).take() {
            tablet.lock();
        }
    }

    /// Opens it again after `lock`, with the key or, for `None`, the one that its key store keeps. Does nothing on a
    /// tablet that is open.
    #[uniffi::method(default(key = None))]
    pub fn unlock(&self, key: Option<Vec<u8>>) -> Result<()> {
        guard::call(|| {
            let mut open = self.open.write().unwrap_or_else(PoisonError::into_inner);
            if open.is_some() {
                return Ok(());
            }
            let key = match (key, &self.keys) {
                (Some(key), _) => convert::key(key)?,
                (None, Some(keys)) => facade::Key::kept(&self.dir, &Keeper(keys.as_ref()), &self.env)?,
                (None, None) => return Err(Code::WrongKey.into()),
            };
            let tablet = facade::Tablet::open_with(&self.dir, &key, self.env.clone())?;
            if let Some(keys) = self.keys.clone() {
                // A store that fails now is asked for a new key when the tablet is opened next.
                tablet.when_wiped(move || drop(keys.forget()));
            }
            *open = Some(tablet);
            Ok(())
        })
    }

    /// Whether it is locked.
    pub fn is_locked(&self) -> bool {
        self.open.read().unwrap_or_else(PoisonError::into_inner).is_none()
    }

    /// Deletes everything that was recorded on this tablet, its enrolment and, in a key store, its key: to record again
    /// it is unlocked and enrolled anew. Base keeps what it has. `records_unsent` while something waits or was refused,
    /// unless `unsent_too`: then that is lost. The tablet is locked afterwards.
    #[uniffi::method(default(unsent_too = false))]
    pub fn wipe(&self, unsent_too: bool) -> Result<()> {
        guard::call(|| {
            let mut open = self.open.write().unwrap_or_else(PoisonError::into_inner);
            open.as_ref().ok_or(Code::TabletLocked)?.wipe(unsent_too)?;
            *open = None;
            drop(open);
            self.stop();
            self.keys.as_ref().map_or(Ok(()), |keys| keys.forget().map_err(|_| Code::KeyStoreFailed.into()))
        })
    }

    /// This tablet's id, derived from its public key.
    pub fn id(&self) -> Result<String> {
        Ok(self.inner()?.id())
    }
}

impl Tablet {
    fn closed(dir: String, keys: Option<Arc<dyn TabletKeys>>, env: facade::Env) -> Tablet {
        Tablet {
            dir: Path::new(&dir).to_owned(),
            keys,
            env,
            open: RwLock::new(None),
            background: Mutex::new(None),
            cancel: watch::channel(0).0,
        }
    }

    /// The tablet, while it is not locked.
    fn inner(&self) -> Result<facade::Tablet> {
        let open = self.open.read().unwrap_or_else(PoisonError::into_inner);
        open.clone().ok_or_else(|| Code::TabletLocked.into())
    }

    /// A call on the open tablet. A panic in it is an error like any other.
    fn with<T>(&self, f: impl FnOnce(&facade::Tablet) -> Result<T>) -> Result<T> {
        guard::call(|| f(&self.inner()?))
    }

    /// Ends every sync.
    fn stop(&self) {
        self.background.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.cancel.send_modify(|cancelled| *cancelled += 1);
    }
}
