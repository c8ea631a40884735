//! Being told how things stand, and the end of a tablet: locked, or wiped.

use std::{sync::Arc, time::Duration};

use tokio::time::sleep;
use wayside_protocol::error::Code;

use crate::{
    error::{Error, Result},
    store::log,
    tablet::{Status, Tablet},
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
                Ok(Err(error)) if Error::code(&error) == Code::TabletLocked => return,
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

    /// Deletes everything that was recorded and this tablet's identity: to record again it is opened and enrolled
    /// anew. [`Code::RecordsUnsent`] while base lacks something, waiting or refused, unless `unsent_too`.
    pub fn wipe(&self, unsent_too: bool) -> Result<()> {
        self.0.store.delete(&self.0.dir, |conn| {
            let open = log::open(conn)?;
            let lacking = open.waiting > 0 || open.quarantined > 0;
            if lacking && !unsent_too { Err(Error::Failed(Code::RecordsUnsent)) } else { Ok(()) }
        })
    }
}
