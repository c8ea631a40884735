//! A panic must not cross over with its text, which can quote a record.

use std::{
    future::Future,
    io::Write,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Mutex, Once, PoisonError},
    time::Duration,
};

use tokio::{
    runtime::{Builder, Handle, Runtime},
    task::JoinHandle,
};
use wayside_client_core::Code;

use crate::error::Result;

/// Makes panics say where they happened and nothing else. In a library of its own, as apps load it, this hook is
/// nobody else's.
pub fn quiet_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        std::panic::set_hook(Box::new(|info| {
            let place = info.location().map(ToString::to_string).unwrap_or_default();
            let _ = writeln!(std::io::stderr(), "wayside: panic at {place}");
        }));
    });
}

/// A call whose panic is an error like any other. (UniFFI would hand over its text.)
pub fn call<T>(f: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(f)).unwrap_or_else(|_| Err(Code::Internal.into()))
}

/// Where everything async runs. Ours, so that it can be ended.
static RUNTIME: Mutex<Option<Runtime>> = Mutex::new(None);

/// How long a program that ends waits for what it was doing.
const ENDING: Duration = Duration::from_secs(10);

/// Runs on the runtime's own thread: UniFFI polls a future wherever the other language happens to wait for it,
/// which may be the thread that draws the screen. Dropped, it ends what it runs.
pub async fn apart<T: Send + 'static>(future: impl Future<Output = T> + Send + 'static) -> Result<T> {
    let mut task = begin(future)?;
    (&mut task.0).await.map_err(|_| Code::Internal.into())
}

/// As [`apart`], without waiting for it.
pub fn begin<T: Send + 'static>(future: impl Future<Output = T> + Send + 'static) -> Result<Apart<T>> {
    Ok(Apart(runtime()?.spawn(future)))
}

fn runtime() -> Result<Handle> {
    let mut runtime = RUNTIME.lock().unwrap_or_else(PoisonError::into_inner);
    if runtime.is_none() {
        // One thread waits for the network; what touches the disk has threads of its own.
        let made = Builder::new_multi_thread().worker_threads(1).thread_name("wayside").enable_all().build();
        *runtime = Some(made.map_err(|_| Code::Internal)?);
    }
    runtime.as_ref().map(|runtime| runtime.handle().clone()).ok_or(Code::Internal.into())
}

/// Ends what runs in the background and waits until no thread of ours can be inside the other language any more.
pub fn end() {
    let ending = RUNTIME.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(runtime) = ending {
        runtime.shutdown_timeout(ENDING);
    }
}

/// Something that runs until it is dropped.
pub struct Apart<T>(JoinHandle<T>);

impl<T> Drop for Apart<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::sync::oneshot;

    use super::*;

    #[test]
    fn a_panic_is_an_error_without_its_text() {
        quiet_panics();
        let error = call::<()>(|| panic!("Amina Khan")).unwrap_err();
        assert_eq!(error.details().code, "internal");
        assert!(!format!("{error} {error:?}").contains("Amina"));
    }

    #[tokio::test]
    async fn a_panic_in_a_task_is_an_error_too() {
        quiet_panics();
        let error = apart(async { panic!("Amina Khan") }).await.map(|(): ()| ()).unwrap_err();
        assert_eq!(error.details().code, "internal");
    }

    #[tokio::test]
    async fn what_nobody_waits_for_any_more_ends() {
        let held = Arc::new(());
        let weak = Arc::downgrade(&held);
        let (started, has_started) = oneshot::channel();
        let (ended, has_ended) = oneshot::channel::<()>();
        let endless = apart(async move {
            let _both = (held, ended);
            let _ = started.send(());
            std::future::pending::<()>().await;
        });
        {
            let mut endless = Box::pin(endless);
            tokio::select! {
                _ = &mut endless => unreachable!("it is endless"),
                begun = has_started => begun.unwrap(),
            }
        }
        assert!(has_ended.await.is_err(), "the task was dropped, not finished");
        assert!(weak.upgrade().is_none());
    }
}
