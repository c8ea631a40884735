//! What the system's service manager is told: that the server listens, that it is alive, and that it ends. Where nobody
//! asked for it (`NOTIFY_SOCKET`, as systemd sets it), nothing.

use std::future::pending;

use sd_notify::NotifyState;
use tokio::sync::watch;

/// To be called once the server listens. Ends with it.
pub async fn report(mut closing: watch::Receiver<bool>) {
    tell(&NotifyState::Ready);
    tokio::select! {
        _ = closing.wait_for(|closing| *closing) => {}
        () = beat() => {}
    }
    tell(&NotifyState::Stopping);
}

/// Says that the server is alive, if somebody wants to hear it and three times as often. Threads of both kinds must come to
/// do something for that: those that wait for requests, and those that work on them.
async fn beat() {
    let Some(within) = sd_notify::watchdog_enabled() else { return pending().await };
    while tokio::task::spawn_blocking(|| {}).await.is_ok() {
        tell(&NotifyState::Watchdog);
        tokio::time::sleep(within / 3).await;
    }
}

fn tell(state: &NotifyState) {
    if let Err(error) = sd_notify::notify(std::slice::from_ref(state)) {
        tracing::warn!(kind = %error.kind(), "the service manager cannot be told");
    }
}
