//! Reaching base, and being told how things stand.

use std::sync::{Arc, Mutex, PoisonError};

use wayside_client_core::{self as facade, Code};

use super::Tablet;
use crate::{
    Enrolment, Problem, Progress, Status, SyncReport,
    error::{Details, Result, WaysideError},
    guard::{self, Apart},
};

/// Is told how far a sync has come.
///
/// Called on a thread of the library, one call after another. Return soon, and wait for no other sync or enrolment
/// in it: until it returns the sync stands still. What it throws is ignored.
#[uniffi::export(foreign)]
pub trait SyncProgress: Send + Sync {
    /// The sync has come so far. The last call says `Done`.
    fn on_progress(&self, progress: Progress) -> Result<(), WaysideError>;
}

/// Is told of the syncs in the background, as [`SyncProgress`] of one.
#[uniffi::export(foreign)]
pub trait SyncListener: Send + Sync {
    /// A sync has come so far. Its last call says `Done`.
    fn on_progress(&self, progress: Progress) -> Result<(), WaysideError>;

    /// A sync has ended, or could not be.
    fn on_report(&self, report: SyncReport) -> Result<(), WaysideError>;
}

/// Is told how things stand, whenever that changes.
///
/// Called on a thread of the library, never on one that is calling it and never while it holds anything: it may take
/// its time, and may call the tablet. What changes quickly is told together. What it throws is ignored.
#[uniffi::export(foreign)]
pub trait StatusListener: Send + Sync {
    /// Things stand so now.
    fn on_status(&self, status: Status) -> Result<(), WaysideError>;
}

/// Ends every sync and enrolment that is under way, and waits until the library's threads have left the program's own
/// code. For a program that is about to end; the Python package calls it by itself. Nothing recorded is lost.
#[uniffi::export]
pub fn end_background() {
    guard::end();
}

/// A listener that is told; keep it as long as it should be.
#[derive(uniffi::Object)]
pub struct StatusWatch(Mutex<Option<Apart<()>>>);

#[uniffi::export]
impl StatusWatch {
    /// Tells no more. A call that is under way still ends.
    pub fn stop(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

#[uniffi::export]
impl Tablet {
    /// How things stand.
    pub fn status(&self) -> Result<Status> {
        self.with(|tablet| Ok(tablet.status()?.into()))
    }

    /// Tells how things stand, now and whenever it changes, until the watch is stopped or dropped, or the tablet is
    /// locked: what this program changes, not what another program does with the same directory.
    pub fn watch_status(&self, listener: Arc<dyn StatusListener>) -> Result<Arc<StatusWatch>> {
        self.with(|tablet| {
            let tablet = tablet.clone();
            let tell = move |status: facade::Status| {
                let _ = listener.on_status(status.into());
            };
            let watch = guard::begin(async move { tablet.watch(tell).await })?;
            Ok(Arc::new(StatusWatch(Mutex::new(Some(watch)))))
        })
    }

    /// Keeps this tablet and base the same as long as there is signal, until `stop_syncing`, `lock` or the end of the
    /// tablet: a sync now, after whatever is recorded, and when base has news; after a failure later and later, up to a
    /// minute or two. Called again, it begins anew with the other listener.
    #[uniffi::method(default(listener = None))]
    pub fn start_syncing(&self, listener: Option<Arc<dyn SyncListener>>) -> Result<()> {
        self.with(|tablet| {
            let (tablet, told) = (tablet.clone(), listener.clone());
            let progress = move |step: facade::Progress| {
                let _ = told.as_ref().map(|told| told.on_progress(step.into()));
            };
            let report = move |report: &facade::SyncReport| {
                let _ = listener.as_ref().map(|listener| listener.on_report(report.clone().into()));
            };
            let mut background = self.background.lock().unwrap_or_else(PoisonError::into_inner);
            // The one before first, so that two are never told at once.
            background.take();
            *background = Some(guard::begin(async move { tablet.live(progress, report).await })?);
            Ok(())
        })
    }

    /// Ends what `start_syncing` began. A step that is under way still ends; what had not arrived goes next time.
    pub fn stop_syncing(&self) {
        self.background.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    /// Whether it keeps itself in sync.
    pub fn keeps_syncing(&self) -> bool {
        self.background.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// Stops every `sync` that is under way, from any thread: it returns with `sync_cancelled`.
    pub fn cancel_sync(&self) {
        self.cancel.send_modify(|cancelled| *cancelled += 1);
    }
}

#[uniffi::export]
impl Tablet {
    /// Joins the team of a one-time code, and with the first one its server. `name` is what people call this tablet.
    /// Everything recorded before belongs to the first team.
    pub async fn enrol(&self, code: String, name: String) -> Result<Enrolment> {
        let tablet = self.inner()?;
        Ok(guard::apart(async move { tablet.enrol(&code, &name).await }).await??.into())
    }

    /// Gives this tablet a new key, and with it another id, as after a copy of it may have been made: from then on base
    /// refuses the old one with `key_replaced`. Everything recorded stays, and what was not sent still goes. It wants
    /// signal, and one sync before it; where it failed with `retry` it is asked again, or by the next sync.
    /// `version_unsupported` with a server that is too old.
    pub async fn renew_key(&self) -> Result<()> {
        let tablet = self.inner()?;
        Ok(guard::apart(async move { tablet.renew_key().await }).await??)
    }

    /// Sends what is waiting and fetches what is new. Never throws: whatever stops it is in the report, and what was
    /// done until then stays done. Cancelled, or by `cancel_sync`, it stops at any point; the next one goes on from
    /// there, and is told `sync_running` (retry) while the last step of the one before still ends.
    #[uniffi::method(default(progress = None))]
    pub async fn sync(&self, progress: Option<Arc<dyn SyncProgress>>) -> SyncReport {
        let mut cancelled = self.cancel.subscribe();
        let tablet = match self.inner() {
            Ok(tablet) => tablet,
            Err(error) => return stopped(&error),
        };
        let tell = move |step: facade::Progress| {
            if let Some(progress) = &progress {
                // A screen that fails to draw must not keep records from reaching base.
                let _ = progress.on_progress(step.into());
            }
        };
        let sync = guard::apart(async move {
            tokio::select! {
                report = tablet.sync(tell) => Some(report),
                _ = cancelled.changed() => None,
            }
        });
        match sync.await {
            Ok(Some(report)) => report.into(),
            Ok(None) => stopped(&Code::SyncCancelled.into()),
            Err(error) => stopped(&error),
        }
    }
}

/// The report of a sync that has none of its own.
fn stopped(error: &WaysideError) -> SyncReport {
    let Details { code, message, retry, .. } = error.details();
    let error = Some(Problem { code, message, retry });
    SyncReport { error, ..facade::SyncReport::default().into() }
}
