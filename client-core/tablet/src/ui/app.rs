//! What all requests share: the tablet, who records where, and what the page is told of itself.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use axum::{
    Json,
    body::Bytes,
    extract::{FromRequest, Request, State},
};
use jiff::{Timestamp, Zoned};
use serde::de::DeserializeOwned;
use serde_json::json;
use tokio::sync::{Notify, watch};
use wayside_client_core::{By, Code, RecordId, Rules, Status, Tablet};
use wayside_protocol::clinical::text::Text;

use super::{
    Answer, UiOptions,
    display::Shown,
    fail::Fail,
    notices, staff,
    sync::{Event, Progressing},
    today,
};

pub struct App {
    pub tablet: Tablet,
    pub addr: SocketAddr,
    pub token: String,
    pub signal: Option<watch::Sender<bool>>,
    pub stopped: watch::Receiver<bool>,
    /// Somebody wants a sync now.
    pub wanted: Notify,
    /// What the page was last told.
    pub event: watch::Sender<Event>,
    pub progress: Mutex<Progressing>,
    /// Goes up whenever what a screen shows may have changed.
    revision: AtomicU64,
    seen: Mutex<Option<Status>>,
    /// Held from looking at how things stand to saying so: who looked first must not be the last to say.
    telling: Mutex<()>,
    desk: Mutex<Desk>,
    shown: Mutex<Shown>,
}

/// Who records, and where, as long as this program runs.
#[derive(Debug, Clone, Default)]
struct Desk {
    staff: Option<String>,
    staff_fixed: bool,
    session: Option<RecordId>,
    /// Of what is new, on a tablet of several teams.
    team: Option<RecordId>,
}

impl App {
    pub fn new(
        tablet: Tablet,
        addr: SocketAddr,
        token: String,
        options: UiOptions,
        stopped: watch::Receiver<bool>,
    ) -> App {
        let UiOptions { staff, team, signal, .. } = options;
        let desk = Desk { staff_fixed: staff.is_some(), staff, session: None, team };
        App {
            shown: Mutex::new(Shown::open(tablet.dir())),
            tablet,
            addr,
            token,
            signal,
            stopped,
            wanted: Notify::new(),
            event: watch::Sender::new(Event::default()),
            progress: Mutex::default(),
            revision: AtomicU64::new(0),
            seen: Mutex::new(None),
            telling: Mutex::default(),
            desk: Mutex::new(desk),
        }
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How the page looks, and its phrases.
    pub fn shown(&self) -> MutexGuard<'_, Shown> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the rules say, in the page's language.
    pub fn say(&self, text: &Text) -> String {
        let language = self.shown().display.language.clone();
        self.tablet.words(text, &language)
    }

    pub fn say_id(&self, id: &str) -> String {
        self.say(&Text::new(id))
    }

    /// One of the page's own phrases.
    pub fn phrase(&self, english: &str) -> String {
        self.shown().phrases.say(english, &[])
    }

    /// In whose name something is recorded, for the team of what it belongs to.
    pub fn by(&self, team: Option<RecordId>) -> By {
        let desk = self.desk().clone();
        let staff = desk.staff.unwrap_or_else(|| By::default().staff);
        By { staff, team: team.or(desk.team), checks: Rules::Entry }
    }

    pub fn staff(&self) -> Option<String> {
        self.desk().staff.clone()
    }

    pub fn set_staff(&self, staff: Option<String>) {
        self.desk().staff = staff;
        self.tell();
    }

    /// Whom a record's `by` stands for: a name, or what is there where no team's list has it.
    pub fn name_of(&self, by: Option<&str>) -> Result<Option<String>, Fail> {
        let Some(id) = by else { return Ok(None) };
        Ok(Some(self.tablet.staff_name(id)?.unwrap_or_else(|| id.to_owned())))
    }

    /// Whether the program was started in somebody's name.
    pub fn staff_is_fixed(&self) -> bool {
        self.desk().staff_fixed
    }

    pub fn open_session(&self, session: RecordId) {
        self.desk().session = Some(session);
    }

    /// Whether there is a signal, as far as the switch says; `None` without a switch.
    pub fn signal_on(&self) -> Option<bool> {
        self.signal.as_ref().map(|signal| *signal.borrow())
    }

    /// Does something with the tablet off the async threads.
    pub async fn with<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&App) -> Result<T, Fail> + Send + 'static,
    ) -> Result<T, Fail> {
        let app = self.clone();
        let done = tokio::task::spawn_blocking(move || work(&app)).await;
        done.unwrap_or_else(|_| Err(Fail::code(Code::Internal)))
    }

    /// Does something that records: then the page hears of it, and it is sent at once.
    pub async fn saving<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&App) -> Result<T, Fail> + Send + 'static,
    ) -> Result<T, Fail> {
        let done = self
            .with(move |app| {
                let done = work(app)?;
                app.changed();
                Ok(done)
            })
            .await;
        if done.is_ok() {
            self.wanted.notify_one();
        }
        done
    }

    /// Something was recorded or fetched.
    pub fn changed(&self) {
        self.revision.fetch_add(1, Ordering::AcqRel);
        self.publish();
    }

    /// Reads how things stand and tells the page. Blocks for a moment.
    pub fn publish(&self) {
        let telling = self.telling.lock().unwrap_or_else(PoisonError::into_inner);
        if let Ok(status) = self.tablet.status() {
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            // Another program may record into the same database.
            let differs = seen.as_ref().is_some_and(|seen| {
                (seen.waiting, seen.quarantined, seen.conflicts, seen.records)
                    != (status.waiting, status.quarantined, status.conflicts, status.records)
            });
            if differs {
                self.revision.fetch_add(1, Ordering::AcqRel);
            }
            *seen = Some(status);
        }
        self.say_how_it_stands(&telling);
    }

    /// Tells the page, with the status as it was last read.
    pub fn tell(&self) {
        self.say_how_it_stands(&self.telling.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn say_how_it_stands(&self, _telling: &MutexGuard<()>) {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(status) = seen else { return };
        let progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let phrases = self.shown().phrases.clone();
        let event = Event {
            sync: progress.chip(&status, self.signal_on(), Timestamp::now(), &phrases),
            notices: notices::open(self, &status),
            signal: self.signal_on(),
            revision: self.revision.load(Ordering::Acquire),
            locked: staff::is_locked(self).unwrap_or(true),
            wiped: self.tablet.is_wiped(),
        };
        self.event.send_if_modified(|told| {
            let differs = *told != event;
            *told = event;
            differs
        });
    }
}

/// The date here.
pub fn today_here() -> String {
    Zoned::now().date().to_string()
}

/// Now, to the second.
pub fn now() -> String {
    Timestamp::from_second(Timestamp::now().as_second()).unwrap_or(Timestamp::UNIX_EPOCH).to_string()
}

/// A JSON body.
pub struct Body<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = Fail;

    async fn from_request(request: Request, state: &S) -> Result<Self, Fail> {
        let bytes = Bytes::from_request(request, state).await.map_err(|_| Fail::code(Code::TooLarge))?;
        serde_json::from_slice(&bytes).map(Body).map_err(|_| Fail::code(Code::BadJson))
    }
}

pub async fn state(State(app): State<Arc<App>>) -> Answer {
    app.with(|app| {
        app.publish();
        let status = app.tablet.status()?;
        let desk = app.desk().clone();
        // Where the tablet stands is nothing for whoever is not signed in.
        let session = desk.session.filter(|_| !staff::is_locked(app).unwrap_or(true));
        let place = session.map(|session| today::place(app, session)).transpose()?;
        Ok(Json(json!({
            "tablet": status.name.clone().unwrap_or_else(|| "This tablet".to_owned()),
            "enrolled": status.enrolled,
            "teams": status.teams,
            "staff": desk.staff.unwrap_or_default(),
            "staff_fixed": desk.staff_fixed,
            "sign_in": staff::state(app)?,
            "session": session,
            "site": place.as_ref().map(|place| json!({"name": place.site_name})),
            "date": place.map_or_else(today_here, |place| place.date),
            "signal": app.signal_on(),
            "sync": app.event.borrow().sync,
            "notices": app.event.borrow().notices,
        })))
    })
    .await
}

#[cfg(test)]
mod tests {
    use std::{sync::Barrier, thread};

    use wayside_client_core::Key;

    use super::*;

    /// Else a chip says that it syncs until the next thing happens.
    #[test]
    fn the_page_hears_last_how_things_stand_at_last() {
        let dir = tempfile::tempdir().unwrap();
        let tablet = Tablet::open(&dir.path().join("tablet"), &Key::from_bytes([7; 32])).unwrap();
        let status = Status { enrolled: true, ..tablet.status().unwrap() };
        let (addr, stopped) = (([127, 0, 0, 1], 1).into(), watch::channel(false).1);
        let app = App::new(tablet, addr, String::new(), UiOptions::default(), stopped);
        *app.seen.lock().unwrap() = Some(status);
        let (rounds, together) = (2000, Barrier::new(2));
        thread::scope(|scope| {
            scope.spawn(|| {
                for _ in 0..rounds {
                    together.wait();
                    app.tell();
                    together.wait();
                }
            });
            let stale = (0..rounds).filter(|_| {
                app.progress.lock().unwrap().sending = Some((0, 1));
                together.wait();
                app.progress.lock().unwrap().sending = None;
                app.tell();
                together.wait();
                app.event.borrow().sync.state == "syncing"
            });
            assert_eq!(stale.count(), 0, "times of {rounds}");
        });
    }
}
