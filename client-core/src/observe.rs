//! Being told how things stand, and the end of a tablet: locked, or wiped.

use std::{
    sync::{Arc, PoisonError},
    time::Duration,
};

use tokio::time::sleep;
use wayside_protocol::{error::Code, sync::Duty};

use crate::{
    error::{Error, Result},
    store::{leave, unsettled},
    tablet::{Inner, Status, Tablet},
};

/// What changes within so short a time is told together: a screen need not be drawn more often, and counting all
/// records is not free.
const TOGETHER: Duration = Duration::from_millis(50);

impl Tablet {
    /// Tells how things stand: now, and after whatever this process changes, each time that it is different from the
    /// time before; in a Tokio runtime, until it is dropped or the tablet is locked. `told` runs on a thread of its
    /// own, may take its time and may call the tablet.
    pub async fn watch(&self, told: impl Fn(Status) + Send + Sync + 'static) {
        let mut changed = self.0.store.changed();
        let told = Arc::new(told);
        let mut last = None;
        loop {
            changed.mark_unchanged();
            let (tablet, told) = (self.clone(), told.clone());
            let before = last.take();
            let telling = tokio::task::spawn_blocking(move || {
                let status = tablet.status()?;
                if before.as_ref() != Some(&status) {
                    told(status.clone());
                }
                Ok(status)
            });
            match telling.await {
                Ok(Ok(status)) => last = Some(status),
                Ok(Err(error)) if matches!(Error::code(&error), Code::TabletLocked | Code::TabletWiped) => {
                    return;
                }
                // The disk: the next change is another try.
                Ok(Err(_)) => {}
                // `told` panicked: it is not asked again.
                Err(_) => return,
            }
            sleep(TOGETHER).await;
            if changed.changed().await.is_err() {
                return;
            }
        }
    }

    /// Closes the database, after whatever call is under way, and with it forgets the key. Everything that is called
    /// later, also by a sync that runs, fails with [`Code::TabletLocked`]; [`Tablet::open`] opens it again.
    pub fn lock(&self) {
        self.0.store.close();
    }

    /// Calls `forget` when base has ordered this tablet to be wiped and its records are gone: where the key is kept, it
    /// goes too. Once, on the thread that wipes.
    pub fn when_wiped(&self, forget: impl FnOnce() + Send + 'static) {
        *self.0.when_wiped.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(forget));
    }

    /// Whether base has had it wiped: nothing is left, and every call fails with [`Code::TabletWiped`].
    pub fn is_wiped(&self) -> bool {
        self.0.store.is_wiped()
    }

    /// Deletes everything that was recorded and this tablet's identity: to record again it is opened and enrolled
    /// anew. [`Code::RecordsUnsent`] while base lacks something, waiting or refused, unless `unsent_too`.
    pub fn wipe(&self, unsent_too: bool) -> Result<()> {
        self.0.store.delete(|conn| {
            let open = unsettled::counts(conn)?;
            let lacking = open.waiting > 0 || open.quarantined > 0;
            if lacking && !unsent_too { Err(Error::Failed(Code::RecordsUnsent)) } else { Ok(()) }
        })
    }
}

impl Inner {
    /// What base has put in quarantine is offered once more before it is deleted here.
    pub(crate) fn offer_again(&self, duty: Duty) -> Result<()> {
        let team = match duty {
            Duty::Wipe => None,
            Duty::Leave(team) => Some(team),
        };
        self.store.write(|conn| leave::offer_again(conn, team))
    }

    /// Does what base ordered; false where something is left to hand over, and nothing happened.
    pub(crate) fn obey(&self, duty: Duty) -> Result<bool> {
        let Duty::Leave(team) = duty else { return self.wipe() };
        let left = self.store.write(|conn| leave::leave(conn, team))?;
        if left {
            self.store.forget_written()?;
        }
        Ok(left)
    }

    fn wipe(&self) -> Result<bool> {
        let wiped = self.store.wipe(&self.env.now_text())?;
        if wiped {
            let forget = self.when_wiped.lock().unwrap_or_else(PoisonError::into_inner).take();
            if let Some(forget) = forget {
                forget();
            }
        }
        Ok(wiped)
    }
}
