//! Being up to date while there is signal: the server is asked to say when it has something new, and a sync follows;
//! and one follows whatever is recorded here.

use std::{sync::Arc, time::Duration};

use tokio::{sync::watch, time::sleep};
use wayside_protocol::{
    error::Code,
    sync::{
        Frame,
        frame::{self, State},
        sign_request,
    },
};

use super::{Progress, SyncReport, by_status, hello, link::Link, memory::Memory, plan::TeamPlace, set_clock};
use crate::{
    error::{Error, Result},
    store::{
        log,
        meta::{self, Server},
    },
    tablet::{Inner, Tablet},
};

const PATH: &str = "/sync/v1/live";
/// The server answers within 45 seconds, news or not. A link that is silent for longer is dead.
const SILENT: Duration = Duration::from_secs(75);
/// Where nobody can tell of news, base is asked this often.
const LOOK: Duration = Duration::from_secs(2);
/// However long base wants to be left alone.
const LONGEST: Duration = Duration::from_secs(15 * 60);
/// After a failure: from the first to the second, doubling, plus up to as much again.
const PAUSE_MS: (u64, u64) = (500, 60_000);

/// Waits for news from base over a connection of its own, which stays open between waits.
pub struct News {
    tablet: Arc<Inner>,
    open: Option<(Server, Link)>,
    /// When base wants to be asked again, after it refused.
    asked: Option<Duration>,
}

impl Tablet {
    /// To hear, while there is signal, that base has something which is not here.
    pub fn news(&self) -> News {
        News { tablet: self.0.clone(), open: None, asked: None }
    }

    /// Changes whenever something was recorded here, by this process.
    pub fn recorded(&self) -> watch::Receiver<u64> {
        self.0.recorded.subscribe()
    }

    /// Keeps this tablet and base the same as long as there is signal, until it is dropped or wiped as base ordered: a sync now, after whatever
    /// is recorded here, and when base has news. `told` hears of each, `progress` how far it has come. After a failure the
    /// next try comes later and later, up to a minute or two, unless something is recorded; but never before base wants it.
    pub async fn live(
        &self,
        progress: impl Fn(Progress) + Send + Sync,
        told: impl Fn(&SyncReport) + Send + Sync,
    ) {
        let (mut news, mut recorded) = (self.news(), self.recorded());
        let mut failures = 0;
        loop {
            recorded.mark_unchanged();
            let report = self.sync(&progress).await;
            told(&report);
            if self.0.store.is_wiped() {
                return;
            }
            if report.error.is_some()
                && let Some(asked) = report.retry_after
            {
                sleep(Duration::from_secs(asked).min(LONGEST)).await;
            }
            let heard = async {
                if report.error.is_some() {
                    sleep(pause(&self.0, failures)).await;
                } else if until_news(&mut news).await.is_err() {
                    sleep(news.asked.map_or(LOOK, |asked| asked.clamp(LOOK, LONGEST))).await;
                }
            };
            tokio::select! {
                () = heard => {}
                _ = recorded.changed() => {}
            }
            failures = if report.error.is_some() { failures + 1 } else { 0 };
        }
    }
}

async fn until_news(news: &mut News) -> Result<()> {
    while !news.wait().await? {}
    Ok(())
}

/// Spread, so that the tablets of a van that comes back into signal do not all ask in the same moment.
fn pause(tablet: &Inner, failures: u32) -> Duration {
    let ms = (PAUSE_MS.0 << failures.min(16)).min(PAUSE_MS.1);
    let random = u64::from_le_bytes(tablet.env.bytes());
    Duration::from_millis(ms + random % ms)
}

impl News {
    /// True when base has something that is not here: then it is time for a sync. False after some 40 seconds without.
    /// An error says that nobody can tell, now (no signal) or with this server (`version_unsupported`). Dropping the
    /// future is safe, and costs a new connection.
    pub async fn wait(&mut self) -> Result<bool> {
        let mut clock_refused = false;
        loop {
            let (server, request) = on_store(&self.tablet, request).await?;
            let (known, mut link) = match self.open.take() {
                Some((known, link)) if known == server => (known, link),
                _ => {
                    let link = Link::new(&server.url, server.pin, &self.tablet.env)?;
                    (server, link)
                }
            };
            let mut answering = link.send(PATH, request, SILENT).await?;
            let status = answering.status;
            self.asked = answering.retry_after;
            let mut body = Vec::new();
            while let Some(bytes) = answering.next().await? {
                body.extend_from_slice(&bytes);
            }
            self.open = Some((known, link));
            let state = match frame::decode(&body).as_deref() {
                Ok([Frame::State(state)]) => state.clone(),
                Ok([Frame::Refusal(refusal)]) if refusal.code == Code::Clock.as_str() && !clock_refused => {
                    clock_refused = true;
                    let time = refusal.server_time_ms;
                    on_store(&self.tablet, move |tablet| set_clock(tablet, time)).await?;
                    continue;
                }
                Ok([Frame::Refusal(refusal)]) => return Err(Error::from(refusal)),
                _ if !status.is_success() => return Err(by_status(status)),
                _ => return Err(Error::Failed(Code::FrameMalformed)),
            };
            return on_store(&self.tablet, move |tablet| is_news(tablet, &state)).await;
        }
    }
}

async fn on_store<T: Send + 'static>(
    tablet: &Arc<Inner>,
    f: impl FnOnce(&Inner) -> Result<T> + Send + 'static,
) -> Result<T> {
    let tablet = tablet.clone();
    let done = tokio::task::spawn_blocking(move || f(&tablet)).await;
    done.unwrap_or(Err(Error::Failed(Code::Internal)))
}

/// Where this tablet stands, and to whom it says so.
fn request(tablet: &Inner) -> Result<(Server, Vec<u8>)> {
    tablet.store.read(|conn| {
        let server = meta::server(conn)?.ok_or(Error::Failed(Code::NotEnrolled))?;
        if !Memory::load(conn)?.streamed() {
            return Err(Error::Failed(Code::VersionUnsupported));
        }
        let places = log::places(conn)?.iter().map(TeamPlace::to_wire).collect();
        let mut body = Vec::new();
        Frame::Hello(hello(tablet, conn, places)?).encode(&mut body);
        let seal = sign_request(&tablet.identity(conn)?.key, &server.key, &body);
        Frame::Seal(seal).encode(&mut body);
        Ok((server, body))
    })
}

/// Whether the logs hold what is not here, as things are now: what this tablet itself has sent meanwhile is no news.
fn is_news(tablet: &Inner, state: &State) -> Result<bool> {
    let places = tablet.store.read(log::places)?;
    Ok(places.iter().any(|place| {
        let found = state.teams.iter().find(|team| team.team == place.team);
        found.is_some_and(|team| team.epoch != place.epoch || !place.to_wire().holds(team.cursor))
    }))
}
