//! The tablet.

use std::{collections::HashMap, path::Path, sync::Arc};

use serde_json::Value;
use wayside_client_core as facade;

use crate::{
    By, Enrolment, Kind, Problem, Progress, Recorded, Shown, Status, SyncReport,
    convert::{assignments, heads, heads_out, id, json, key},
    error::{Details, Result, WaysideError},
    guard,
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

/// Ends every sync and enrolment that is under way, and waits until the library's threads have left the program's own
/// code. For a program that is about to end; the Python package calls it by itself. Nothing recorded is lost.
#[uniffi::export]
pub fn end_background() {
    guard::end();
}

/// A tablet's records and its link to base. To be shared between threads. All calls block for some milliseconds,
/// but for `enrol` and `sync`, which are async; one that records returns when what it recorded is on disk, and has
/// saved nothing when it throws.
#[derive(uniffi::Object)]
pub struct Tablet(facade::Tablet);

#[uniffi::export]
impl Tablet {
    /// Opens the tablet in a directory, or makes it. `key` is 32 random bytes, the same each time; keep them in the
    /// platform's key store. Without them the records are lost, and with another key this fails with `wrong_key`.
    /// Open a directory once in a program and share the tablet.
    #[uniffi::constructor]
    pub fn open(dir: String, key: Vec<u8>) -> Result<Arc<Self>> {
        guard::quiet_panics();
        guard::call(|| {
            let key = self::key(key)?;
            Ok(Arc::new(Tablet(facade::Tablet::open(Path::new(&dir), &key)?)))
        })
    }

    /// This tablet's id, derived from its public key.
    pub fn id(&self) -> String {
        self.0.id().to_owned()
    }

    /// Records one contact: the JSON text of `{session, person, contact}`. The session and its site are found or
    /// made; `person` is an id, an object, which makes a new person, or null.
    pub fn record(&self, line: String, by: By) -> Result<Recorded> {
        guard::call(|| Ok(self.0.record(json(&line, "")?, &by.try_into()?)?.into()))
    }

    /// Makes one record from the JSON text of its fields and returns its id. A session that is there already is
    /// completed instead.
    pub fn create(&self, kind: Kind, fields: String, by: By) -> Result<String> {
        guard::call(|| Ok(self.0.create(kind.into(), json(&fields, "")?, &by.try_into()?)?.to_string()))
    }

    /// Saves a form, as one change, and returns the record's heads after it.
    ///
    /// `set` holds paths, as in `name/family`, and their new values as JSON text (text in quotes; null clears).
    /// Setting a field that is in conflict settles it. `base` are the heads that the screen showed, from `show`:
    /// what came in since then stays beside this edit as a conflict instead of being overwritten unseen.
    #[uniffi::method(default(base = None))]
    pub fn edit(
        &self,
        id: String,
        set: HashMap<String, String>,
        by: By,
        base: Option<Vec<Vec<u8>>>,
    ) -> Result<Vec<Vec<u8>>> {
        guard::call(|| {
            let edit = facade::Edit { base: heads(base)?, set: assignments(set)? };
            Ok(heads_out(self.0.edit(self::id(&id)?, edit, &by.try_into()?)?))
        })
    }

    /// Corrects a reading or a measurement by a new entry, whose id is returned. `entry` is its id or its path;
    /// `set` are the members that were wrong, as JSON text, null to leave one out; `base` as for `edit`.
    #[uniffi::method(default(reason = None, base = None))]
    pub fn correct(
        &self,
        id: String,
        entry: String,
        set: HashMap<String, String>,
        by: By,
        reason: Option<String>,
        base: Option<Vec<Vec<u8>>>,
    ) -> Result<String> {
        guard::call(|| {
            let (set, base, by) = (assignments(set)?, heads(base)?, by.try_into()?);
            let entry =
                self.0.correct(self::id(&id)?, &entry, set, reason.as_deref(), base.as_deref(), &by)?;
            Ok(entry)
        })
    }

    /// Strikes out an entry: it stays, and no longer counts. `entry` is its path, or the id of a reading or
    /// measurement.
    pub fn strike_out(&self, id: String, entry: String, reason: String, by: By) -> Result<()> {
        guard::call(|| Ok(self.0.strike_out(self::id(&id)?, &entry, &reason, &by.try_into()?)?))
    }

    /// Adds to one of a session's counts, as in `leaflets`; a negative number takes back.
    pub fn tally(&self, session: String, name: String, n: i64, by: By) -> Result<()> {
        guard::call(|| Ok(self.0.tally(id(&session)?, &name, n, &by.try_into()?)?))
    }

    /// A record as a screen shows it.
    pub fn show(&self, id: String) -> Result<Shown> {
        guard::call(|| Ok(self.0.show(self::id(&id)?)?.into()))
    }

    /// Records, of one kind or all, the last one to arrive here first: the JSON text of an array. Ask for a page
    /// at a time.
    #[uniffi::method(default(kind = None, offset = 0, limit = None))]
    pub fn list(&self, kind: Option<Kind>, offset: u64, limit: Option<u64>) -> Result<String> {
        guard::call(|| {
            let page = facade::Page { offset, limit };
            Ok(Value::Array(self.0.list(kind.map(facade::Kind::from), page)?).to_string())
        })
    }

    /// Persons, then sites and teams, in which every word of `text` is found: the JSON text of an array, of no more
    /// than 200. Case, accents and the spacing of numbers do not matter.
    pub fn search(&self, text: String) -> Result<String> {
        guard::call(|| Ok(Value::Array(self.0.search(&text, facade::Page::default())?).to_string()))
    }

    /// How things stand.
    pub fn status(&self) -> Result<Status> {
        guard::call(|| Ok(self.0.status()?.into()))
    }
}

#[uniffi::export]
impl Tablet {
    /// Joins the team of a one-time code, and with the first one its server. `name` is what people call this tablet.
    /// Everything recorded before belongs to the first team.
    pub async fn enrol(&self, code: String, name: String) -> Result<Enrolment> {
        let tablet = self.0.clone();
        Ok(guard::apart(async move { tablet.enrol(&code, &name).await }).await??.into())
    }

    /// Sends what is waiting and fetches what is new. Never throws: whatever stops it is in the report, and what was
    /// done until then stays done. Cancelled, it stops at any point; the next one goes on from there, and is told
    /// `sync_running` (retry) while the last step of the one before still ends.
    #[uniffi::method(default(progress = None))]
    pub async fn sync(&self, progress: Option<Arc<dyn SyncProgress>>) -> SyncReport {
        let tablet = self.0.clone();
        let tell = move |step: facade::Progress| {
            if let Some(progress) = &progress {
                // A screen that fails to draw must not keep records from reaching base.
                let _ = progress.on_progress(step.into());
            }
        };
        match guard::apart(async move { tablet.sync(tell).await }).await {
            Ok(report) => report.into(),
            Err(error) => {
                let Details { code, message, retry, .. } = error.details();
                let error = Some(Problem { code, message, retry });
                SyncReport { error, ..facade::SyncReport::default().into() }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use serde_json::json;

    use super::*;
    use crate::Phase;

    fn tablet() -> (tempfile::TempDir, Arc<Tablet>) {
        let dir = tempfile::tempdir().unwrap();
        let tablet = Tablet::open(dir.path().to_str().unwrap().to_owned(), vec![7; 32]).unwrap();
        (dir, tablet)
    }

    fn by() -> By {
        By { staff: "amina".into(), team: None }
    }

    fn set(path: &str, value: &Value) -> HashMap<String, String> {
        HashMap::from([(path.to_owned(), value.to_string())])
    }

    fn line(systolic: i64, diastolic: i64) -> String {
        let reading =
            json!({"taken_at": "2026-11-20T13:06:00Z", "systolic": systolic, "diastolic": diastolic});
        json!({
            "session": {"site": "Masjid Al-Noor", "date": "2026-11-20"},
            "person": {"name": {"given": "Amina", "family": "Khan"}},
            "contact": {"started_at": "2026-11-20T13:05:00Z", "bp": {"readings": [reading]}},
        })
        .to_string()
    }

    fn shown(tablet: &Tablet, id: &str) -> Value {
        serde_json::from_str(&tablet.show(id.to_owned()).unwrap().json).unwrap()
    }

    #[test]
    fn a_contact_is_recorded_shown_edited_and_corrected() {
        let (_dir, tablet) = tablet();
        let recorded = tablet.record(line(152, 94), by()).unwrap();
        let person = recorded.person.unwrap();
        let before = tablet.show(person.clone()).unwrap().heads;
        tablet.edit(person.clone(), set("name/family", &json!("Kahn")), by(), Some(before.clone())).unwrap();
        // On what the screen showed, not on what is there now: both stay.
        tablet.edit(person.clone(), set("name/family", &json!("Cann")), by(), Some(before)).unwrap();
        assert_eq!(shown(&tablet, &person)["conflicts"][0]["path"], "name/family");
        assert_eq!(tablet.status().unwrap().conflicts, 1);

        let readings = shown(&tablet, &recorded.contact)["bp"]["readings"].clone();
        let reading = readings.as_object().unwrap().keys().next().unwrap().clone();
        let reason = Some("Misread.".to_owned());
        let id = recorded.contact.clone();
        let entry =
            tablet.correct(id.clone(), reading, set("systolic", &json!(132)), by(), reason, None).unwrap();
        assert_eq!(shown(&tablet, &id)["bp"]["readings"][&entry]["systolic"], 132);
        tablet.strike_out(id.clone(), entry.clone(), "Wrong person.".into(), by()).unwrap();
        assert!(shown(&tablet, &id)["bp"]["readings"][&entry]["struck_out"].is_object());

        tablet.tally(recorded.session.clone(), "leaflets".into(), 3, by()).unwrap();
        assert_eq!(shown(&tablet, &recorded.session)["tallies"]["leaflets"], 3);
    }

    #[test]
    fn lists_and_searches_are_arrays() {
        let (_dir, tablet) = tablet();
        let site = tablet.create(Kind::Site, json!({"name": "Kirkgate Market"}).to_string(), by()).unwrap();
        let listed: Value =
            serde_json::from_str(&tablet.list(Some(Kind::Site), 0, Some(5)).unwrap()).unwrap();
        assert_eq!(listed[0]["id"], site.as_str());
        let found: Value = serde_json::from_str(&tablet.search("kirk".into()).unwrap()).unwrap();
        assert_eq!(found[0]["id"], site.as_str());
        assert_eq!(tablet.list(Some(Kind::Person), 0, None).unwrap(), "[]");
    }

    #[test]
    fn what_cannot_be_saved_says_where_and_why() {
        let (_dir, tablet) = tablet();
        let details = tablet.record(line(301, 100), by()).unwrap_err().details();
        assert_eq!(details.code, "out_of_range");
        assert!(details.path.ends_with("systolic"), "{}", details.path);
        assert!(details.message.contains("300"), "{}", details.message);
        let details = tablet.record("{".into(), by()).unwrap_err().details();
        assert_eq!(details.code, "bad_json");
    }

    #[test]
    fn another_key_does_not_open_it() {
        let (dir, tablet) = tablet();
        drop(tablet);
        let dir = dir.path().to_str().unwrap().to_owned();
        let error = Tablet::open(dir, vec![8; 32]).err().unwrap();
        assert_eq!(error.details().code, "wrong_key");
    }

    struct Throws(Mutex<Vec<Phase>>);

    impl SyncProgress for Throws {
        fn on_progress(&self, progress: Progress) -> Result<(), WaysideError> {
            self.0.lock().unwrap().push(progress.phase);
            Err(facade::Code::Internal.into())
        }
    }

    #[tokio::test]
    async fn a_sync_that_cannot_be_reports_it_and_tells_the_end() {
        let (_dir, tablet) = tablet();
        let heard = Arc::new(Throws(Mutex::default()));
        let report = tablet.sync(Some(heard.clone())).await;
        assert_eq!(report.error.unwrap().code, "not_enrolled");
        assert_eq!(*heard.0.lock().unwrap(), [Phase::Done]);
        let error = tablet.enrol("nonsense".into(), "van".into()).await.unwrap_err();
        assert_eq!(error.details().code, "code_malformed");
    }
}
