//! The sync in the background, and what the page is told of it.
//!
//! At once after every save, and when base says that it has something new; every 300 ms while something waits and base
//! is out of reach; otherwise every 40 s or so, or every 2 s where base cannot say. One at a time. The *No signal* switch
//! cuts the link itself: the sync goes on trying, and finds out.

use std::{
    convert::Infallible,
    sync::{Arc, PoisonError},
    time::Duration,
};

use axum::{
    Json,
    extract::State,
    response::{
        Sse,
        sse::{Event as SseEvent, KeepAlive},
    },
};
use futures_util::{Stream, stream};
use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::watch;
use wayside_client_core::{Code, News, Problem, Progress, Status};

use super::{
    Answer,
    app::{App, Body},
    fail::Fail,
    notices::Notice,
    phrases::Phrases,
};

const AGAIN: Duration = Duration::from_millis(300);
const LOOK: Duration = Duration::from_secs(2);
/// After what a retry cannot help.
const REST: Duration = Duration::from_secs(15);

/// What the page is told whenever it changes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Event {
    pub sync: Chip,
    pub notices: Vec<Notice>,
    pub signal: Option<bool>,
    pub revision: u64,
    /// Nobody who may use this tablet is signed in.
    pub locked: bool,
    /// Nothing is left on this tablet: whatever the page still shows goes.
    pub wiped: bool,
}

/// The sync chip, in words.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Chip {
    pub state: &'static str,
    pub text: String,
    pub detail: String,
}

/// How the sync goes.
#[derive(Debug, Clone, Default)]
pub struct Progressing {
    /// Changes answered for, of so many, while any are being sent.
    pub sending: Option<(u64, u64)>,
    /// What stopped the last sync.
    pub problem: Option<Problem>,
}

impl Progressing {
    /// Always true, never alarming without need: to be offline is normal.
    pub fn chip(&self, status: &Status, signal: Option<bool>, now: Timestamp, phrases: &Phrases) -> Chip {
        let waiting = status.waiting;
        let n = waiting.to_string();
        let last = status.last_synced_at.as_deref().map(|at| ago(at, now, phrases));
        let base = match (&last, status.in_sync) {
            (Some(last), true) => phrases.say("All at base, {when}", &[("when", last)]),
            (Some(last), false) => phrases.say("Last at base {when}", &[("when", last)]),
            (None, _) => phrases.say("Never at base yet", &[]),
        };
        let waits = match waiting {
            0 => phrases.say("Nothing waiting", &[]),
            _ => phrases.say("{n} waiting", &[("n", &n)]),
        };
        // What waits is what nobody at base can see yet.
        let unseen = match waiting {
            0 => waits.clone(),
            1 => phrases.say("{n} waiting: nobody at base can see it yet", &[("n", &n)]),
            _ => phrases.say("{n} waiting: nobody at base can see them yet", &[("n", &n)]),
        };
        let problem = match (signal, &self.problem) {
            (Some(false), _) => Some(Code::NoSignal.as_str()),
            (_, problem) => problem.as_ref().map(|problem| problem.code.as_str()),
        };
        let chip = |state, text: String, detail: String| Chip { state, text, detail };
        if !status.enrolled {
            let detail = phrases.say("{waiting}. Tap to enrol", &[("waiting", &waits)]);
            return chip("not_enrolled", phrases.say("Not enrolled", &[]), detail);
        }
        if signal != Some(false)
            && let Some((done, of)) = self.sending
        {
            let numbers = [("done", &*done.to_string()), ("of", &*of.to_string())];
            return chip("syncing", phrases.say("Syncing {done} of {of}", &numbers), String::new());
        }
        let offline = match problem {
            Some("no_signal") => {
                Some(("no_signal", phrases.say("No signal. {waiting}", &[("waiting", &unseen)])))
            }
            Some("server_unreachable" | "link_cut" | "server_failed" | "clock") => {
                Some(("no_answer", phrases.say("Base does not answer. {waiting}", &[("waiting", &unseen)])))
            }
            _ => None,
        };
        if status.quarantined > 0 {
            let refused = status.quarantined.to_string();
            let detail = offline.map_or(if waiting > 0 { waits } else { base }, |(_, text)| text);
            let text = phrases.say("Needs attention: {n} refused by base", &[("n", &refused)]);
            return chip("attention", text, detail);
        }
        if let Some((state, text)) = offline {
            let safe = || phrases.say("Safe on this tablet. {base}", &[("base", &base)]);
            return chip(state, text, if waiting > 0 { safe() } else { base });
        }
        if let Some(problem) = &self.problem
            && !matches!(problem.code.as_str(), "sync_running" | "not_settled")
        {
            return chip(
                "attention",
                phrases.say("Needs attention", &[]),
                phrases.say(&problem.message, &[]),
            );
        }
        if waiting > 0 {
            return chip("waiting", unseen, base);
        }
        match (status.in_sync, last) {
            (true, Some(_)) => chip("at_base", base, String::new()),
            _ => chip("waiting", phrases.say("Checking with base", &[]), base),
        }
    }

    /// How long until the next try.
    fn pause(&self, waiting: u64) -> Duration {
        match &self.problem {
            Some(problem) if problem.retry && (waiting > 0 || problem.code == "sync_running") => AGAIN,
            Some(problem) if !problem.retry => REST,
            _ => LOOK,
        }
    }
}

/// What the chip says, for whoever translates it.
#[cfg(test)]
pub(super) const PHRASES: &[&str] = &[
    "All at base, {when}",
    "Last at base {when}",
    "Never at base yet",
    "Nothing waiting",
    "{n} waiting",
    "{n} waiting: nobody at base can see it yet",
    "{n} waiting: nobody at base can see them yet",
    "{waiting}. Tap to enrol",
    "Not enrolled",
    "Syncing {done} of {of}",
    "No signal. {waiting}",
    "Base does not answer. {waiting}",
    "Needs attention: {n} refused by base",
    "Safe on this tablet. {base}",
    "Needs attention",
    "Checking with base",
    "some time ago",
    "just now",
    "1 minute ago",
    "{n} minutes ago",
    "at {time}",
    "on {date} at {time}",
];

/// A time that is past, in words.
fn ago(at: &str, now: Timestamp, phrases: &Phrases) -> String {
    let Ok(at) = at.parse::<Timestamp>() else { return phrases.say("some time ago", &[]) };
    let minutes = now.duration_since(at).max(SignedDuration::ZERO).as_mins();
    let local = at.to_zoned(TimeZone::system());
    let time = format!("{:02}:{:02}", local.hour(), local.minute());
    match minutes {
        0 => phrases.say("just now", &[]),
        1 => phrases.say("1 minute ago", &[]),
        2..60 => phrases.say("{n} minutes ago", &[("n", &minutes.to_string())]),
        60..720 => phrases.say("at {time}", &[("time", &time)]),
        _ => {
            let date = super::words::date(local.date());
            phrases.say("on {date} at {time}", &[("date", &date), ("time", &time)])
        }
    }
}

/// Syncs until the page is no longer served.
pub async fn run(app: Arc<App>, stopped: watch::Receiver<bool>) {
    let mut signal = app.signal.as_ref().map(watch::Sender::subscribe);
    let mut news = app.tablet.news();
    loop {
        let pause = tokio::select! {
            pause = once(&app) => pause,
            // Cut in the middle: a sync may be dropped at any point.
            () = turned(&mut signal) => {
                finished(&app, None);
                published(&app).await;
                continue;
            }
            () = stop(stopped.clone()) => return,
        };
        tokio::select! {
            () = idle(pause, &mut news) => {}
            () = app.wanted.notified() => {}
            // On: at once. Off: the page is told.
            () = turned(&mut signal) => {}
            () = stop(stopped.clone()) => return,
        }
    }
}

/// Returns when it is time to look again.
async fn idle(pause: Duration, news: &mut News) {
    if pause != LOOK {
        tokio::time::sleep(pause).await;
    } else if news.wait().await.is_err() {
        // Nobody can say.
        tokio::time::sleep(LOOK).await;
    }
}

/// Returns when the switch is turned; never without one.
async fn turned(signal: &mut Option<watch::Receiver<bool>>) {
    match signal {
        Some(signal) => {
            if signal.changed().await.is_err() {
                std::future::pending().await
            }
        }
        None => std::future::pending().await,
    }
}

/// Returns when the page is no longer to be served.
pub async fn stop(mut stopped: watch::Receiver<bool>) {
    // An error says that nobody is left to want it served.
    stopped.wait_for(|stop| *stop).await.ok();
}

fn finished(app: &App, problem: Option<Problem>) {
    let mut progress = app.progress.lock().unwrap_or_else(PoisonError::into_inner);
    progress.sending = None;
    progress.problem = problem;
}

/// Reads how things stand, tells the page, and says how long to wait.
async fn published(app: &Arc<App>) -> Duration {
    let told = app
        .with(|app| {
            app.publish();
            Ok(app.tablet.status()?.waiting)
        })
        .await;
    let progress = app.progress.lock().unwrap_or_else(PoisonError::into_inner);
    progress.pause(told.unwrap_or_default())
}

async fn once(app: &Arc<App>) -> Duration {
    let telling = app.clone();
    let progress = move |progress: Progress| {
        if progress.to_push > 0 {
            let mut known = telling.progress.lock().unwrap_or_else(PoisonError::into_inner);
            known.sending = Some((progress.pushed, progress.to_push));
            drop(known);
            telling.tell();
        }
    };
    let report = app.tablet.sync(progress).await;
    let busy = report.error.as_ref().is_some_and(|problem| problem.code == Code::SyncRunning.as_str());
    // Another program's sync says nothing about ours.
    let before = app.progress.lock().unwrap_or_else(PoisonError::into_inner).problem.clone();
    let not_enrolled =
        report.error.as_ref().is_some_and(|problem| problem.code == Code::NotEnrolled.as_str());
    finished(app, if busy { before } else { report.error });
    if report.pulled > 0 || report.pushed > 0 {
        app.with(|app| {
            app.changed();
            Ok(())
        })
        .await
        .ok();
    }
    let pause = published(app).await;
    if busy {
        AGAIN
    } else if not_enrolled {
        LOOK
    } else {
        pause
    }
}

/// A stream of what the page is told, the present state first.
pub async fn events(State(app): State<Arc<App>>) -> Sse<impl Stream<Item = Result<SseEvent, Infallible>>> {
    app.with(|app| {
        app.publish();
        Ok(())
    })
    .await
    .ok();
    let mut told = app.event.subscribe();
    told.mark_changed();
    let stopped = app.stopped.clone();
    let stream = stream::unfold((told, stopped), |(mut told, stopped)| async move {
        tokio::select! {
            changed = told.changed() => changed.ok()?,
            () = stop(stopped.clone()) => return None,
        }
        let event = told.borrow_and_update().clone();
        let event = SseEvent::default().json_data(event).unwrap_or_default();
        Some((Ok(event), (told, stopped)))
    });
    Sse::new(stream).keep_alive(KeepAlive::new().interval(Duration::from_secs(15)))
}

pub async fn now(State(app): State<Arc<App>>) -> Answer {
    app.wanted.notify_one();
    Ok(Json(json!({})))
}

#[derive(Deserialize)]
pub struct Switch {
    /// Whether there is a signal.
    on: bool,
}

pub async fn signal(State(app): State<Arc<App>>, Body(Switch { on }): Body<Switch>) -> Answer {
    let Some(signal) = &app.signal else { return Err(Fail::code(Code::NotFound)) };
    signal.send_if_modified(|known| std::mem::replace(known, on) != on);
    app.tell();
    Ok(Json(json!({"on": on})))
}

#[derive(Deserialize)]
pub struct Enrol {
    code: String,
    #[serde(default)]
    name: String,
}

pub async fn enrol(State(app): State<Arc<App>>, Body(Enrol { code, name }): Body<Enrol>) -> Answer {
    let name = name.trim();
    if name.is_empty() {
        return Err(Fail::field(
            Code::MissingField,
            "name",
            "Give this tablet a name, as in Van 2, tablet 1.",
        ));
    }
    let enrolled = app.tablet.enrol(code.trim(), name).await.map_err(|error| match error.code() {
        code if code.retry() => Fail::from(error),
        code => Fail::field(code, "code", error.to_string()),
    })?;
    app.with(|app| {
        app.changed();
        Ok(())
    })
    .await?;
    app.wanted.notify_one();
    Ok(Json(json!({"team": enrolled.team_name})))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chip(waiting: u64, quarantined: u64, problem: Option<Code>, signal: Option<bool>) -> (String, String) {
        let now: Timestamp = "2026-11-22T12:00:00Z".parse().unwrap();
        let status = Status {
            waiting,
            quarantined,
            conflicts: 0,
            last_synced_at: Some("2026-11-22T11:57:30Z".into()),
            in_sync: waiting == 0 && quarantined == 0,
            records: Default::default(),
            enrolled: true,
            teams: Vec::new(),
            tablet: String::new(),
            name: None,
            clock_skew_ms: None,
            syncing: false,
            archived: 0,
            notices: Vec::new(),
        };
        let problem = problem.map(|code| Problem {
            code: code.as_str().into(),
            message: code.message().into(),
            retry: code.retry(),
        });
        let chip = Progressing { sending: None, problem }.chip(&status, signal, now, &Phrases::default());
        (chip.text, chip.detail)
    }

    #[test]
    fn the_chip_says_what_is_so() {
        let text = |waiting, quarantined, problem, signal| chip(waiting, quarantined, problem, signal).0;
        assert_eq!(text(0, 0, None, None), "All at base, 2 minutes ago");
        assert_eq!(text(3, 0, None, None), "3 waiting: nobody at base can see them yet");
        assert_eq!(
            text(3, 0, Some(Code::NoSignal), None),
            "No signal. 3 waiting: nobody at base can see them yet"
        );
        assert_eq!(
            text(3, 0, Some(Code::ServerUnreachable), None),
            "Base does not answer. 3 waiting: nobody at base can see them yet"
        );
        assert_eq!(
            text(3, 0, Some(Code::ServerUnreachable), Some(false)),
            "No signal. 3 waiting: nobody at base can see them yet"
        );
        assert_eq!(text(0, 0, Some(Code::NoSignal), None), "No signal. Nothing waiting");
        assert_eq!(text(0, 1, None, None), "Needs attention: 1 refused by base");
        assert_eq!(
            chip(2, 1, Some(Code::NoSignal), None).1,
            "No signal. 2 waiting: nobody at base can see them yet"
        );
        assert_eq!(text(0, 0, Some(Code::ServerNotTrusted), None), "Needs attention");
    }

    #[test]
    fn it_tries_again_soon_only_while_something_waits() {
        let after = |code: Option<Code>, waiting| {
            let problem = code.map(|code| Problem {
                code: code.as_str().into(),
                message: String::new(),
                retry: code.retry(),
            });
            Progressing { sending: None, problem }.pause(waiting)
        };
        assert_eq!(after(Some(Code::NoSignal), 1), AGAIN);
        assert_eq!(after(Some(Code::NoSignal), 0), LOOK);
        assert_eq!(after(None, 0), LOOK);
        assert_eq!(after(Some(Code::ServerNotTrusted), 1), REST);
    }
}
