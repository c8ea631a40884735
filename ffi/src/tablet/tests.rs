use std::{
    collections::HashMap,
    sync::{
        Mutex,
        atomic::{AtomicI64, Ordering},
        mpsc,
    },
};

use serde_json::Value;

use super::*;
use crate::{
    BloodPressure, By, Check, Contact, Kind, Name, Person, Phase, Progress, Reading, ReadingCorrection,
    Session, Status, StepCode, Urgency, WaysideError, WhichPerson, WhichSession,
};

fn tablet() -> (tempfile::TempDir, Arc<Tablet>) {
    let dir = tempfile::tempdir().unwrap();
    let tablet = Tablet::open(path(&dir), vec![7; 32]).unwrap();
    (dir, tablet)
}

fn path(dir: &tempfile::TempDir) -> String {
    dir.path().to_str().unwrap().to_owned()
}

fn by() -> By {
    By { staff: "amina".into(), team: None }
}

fn code<T>(result: Result<T>) -> String {
    result.err().unwrap().details().code
}

fn reading(minute: u32, systolic: i32, diastolic: i32) -> Reading {
    let taken_at = format!("2026-11-20T13:{minute:02}:00Z");
    Reading { taken_at, systolic, diastolic, setting: Some("clinic".into()), ..Reading::default() }
}

fn check(readings: Vec<Reading>) -> Check {
    let session = Session {
        site: Some("Masjid Al-Noor".into()),
        date: Some("2026-11-20".into()),
        ..Session::default()
    };
    Check {
        session: WhichSession::At { session },
        person: WhichPerson::New { person: person() },
        contact: Contact {
            started_at: Some("2026-11-20T13:05:00Z".into()),
            bp: BloodPressure { readings, ..BloodPressure::default() },
            ext: Some(r#"{"queue":{"number":12}}"#.into()),
            ..Contact::default()
        },
    }
}

fn person() -> Person {
    Person {
        name: Name { given: Some("Amina".into()), family: Some("Khan".into()) },
        date_of_birth: Some("1968-02-03".into()),
        sex: Some("male".into()),
        ..Person::default()
    }
}

#[test]
fn a_data_class_goes_in_and_one_comes_back() {
    let (_dir, tablet) = tablet();
    let recorded = tablet.record(check(vec![reading(6, 152, 94)]), by()).unwrap();
    let shown = tablet.contact(recorded.contact.clone()).unwrap();
    assert_eq!(shown.contact.bp.readings[0].systolic, 152);
    assert_eq!(shown.contact.ext.as_deref(), Some(r#"{"queue":{"number":12}}"#));
    assert_eq!(shown.contact.person, recorded.person);
    let derived = shown.derived.unwrap();
    assert_eq!(derived.category.unwrap().code, "HIGH");
    assert_eq!(derived.urgency, Urgency::Within3Weeks);
    assert!(derived.actions.iter().all(|action| action.label != action.code), "{:?}", derived.actions);
    assert_eq!(shown.about.created.unwrap().by.as_deref(), Some("amina"));

    let shown = tablet.person(recorded.person.unwrap()).unwrap();
    assert_eq!(shown.person, person());
    assert_eq!(code(tablet.session(recorded.contact)), "wrong_kind");
}

#[test]
fn what_was_shown_may_be_saved_whole_and_only_the_change_counts() {
    let (_dir, tablet) = tablet();
    let id = tablet.create_person(person(), by()).unwrap();
    let shown = tablet.person(id.clone()).unwrap();
    // Meanwhile somebody else changes another field.
    let mut other = shown.person.clone();
    other.phone = Some("07700 900123".into());
    tablet.update_person(id.clone(), other, by(), Some(shown.about.heads.clone()), vec![]).unwrap();
    let mut mine = shown.person.clone();
    mine.name.family = Some("Kahn".into());
    let base = Some(shown.about.heads.clone());
    tablet.update_person(id.clone(), mine, by(), base.clone(), vec!["sex".into()]).unwrap();
    let now = tablet.person(id.clone()).unwrap();
    assert_eq!(now.about.conflicts, [], "each changed a field of their own");
    assert_eq!(now.person.name.family.as_deref(), Some("Kahn"));
    assert!(now.person.phone.is_some() && now.person.sex.is_none());
    assert_eq!(now.person.date_of_birth.as_deref(), Some("1968-02-03"));

    // The same field, on the same old screen.
    let mut theirs = shown.person;
    theirs.name.family = Some("Cann".into());
    tablet.update_person(id.clone(), theirs, by(), base, vec![]).unwrap();
    let [unsettled] = tablet.unsettled(0, None).unwrap().try_into().unwrap();
    assert_eq!(unsettled.kind, Some(Kind::Person));
    let [conflict] = unsettled.about.conflicts.as_slice() else { panic!("{:?}", unsettled.about) };
    assert_eq!((conflict.path.as_str(), conflict.can_settle), ("name/family", true));
    let kahn = conflict.values.iter().find(|value| value.text == "Kahn").unwrap();
    let heads = Some(unsettled.about.heads.clone());
    tablet.settle(id.clone(), conflict.path.clone(), kahn.json.clone(), by(), heads).unwrap();
    let now = tablet.person(id).unwrap();
    assert_eq!((now.about.conflicts, now.person.name.family.as_deref()), (vec![], Some("Kahn")));
}

#[test]
fn a_guided_check_is_one_call_for_each_step() {
    let (_dir, tablet) = tablet();
    let recorded = tablet.record(check(vec![]), by()).unwrap();
    let step = tablet.next_step(recorded.contact.clone(), "en-GB".into()).unwrap();
    assert_eq!(
        (step.code, step.fields.as_slice()),
        (StepCode::AskPulseRhythm, &["bp/pulse_rhythm".into()][..])
    );
    assert!(step.choices.iter().any(|choice| choice.value == "regular" && !choice.text.is_empty()));
    let mut answer = Contact::default();
    answer.bp.pulse_rhythm = Some("regular".into());
    let contact = recorded.contact.clone();
    let step = tablet.answer(contact.clone(), answer, by(), Some(step.heads), "en-GB".into()).unwrap();
    assert_eq!((step.code, step.reading.as_ref().map(|next| next.number)), (StepCode::TakeReading, Some(1)));

    tablet.park(contact.clone(), by()).unwrap();
    let [parked] = tablet.half_done(0, None).unwrap().try_into().unwrap();
    assert_eq!((parked.parked, parked.name.as_str(), parked.contact), (true, "Amina Khan", contact.clone()));
    tablet.resume(contact.clone(), by()).unwrap();

    let mut answer = Contact::default();
    answer.bp.readings = vec![reading(8, 118, 76)];
    let step = tablet.answer(contact.clone(), answer, by(), None, "en-GB".into()).unwrap();
    assert_eq!(step.code, StepCode::GiveAdvice);
    let card = tablet.result_card(contact.clone(), "en-GB".into()).unwrap();
    assert_eq!((card.systolic, card.diastolic), (Some(118), Some(76)));
    assert!(card.figures.unwrap().contains("118") && !card.next.is_empty());
    let skip = Contact { declined: step.skip.into_iter().collect(), ..Contact::default() };
    let step = tablet.answer(contact.clone(), skip, by(), Some(step.heads), "en-GB".into()).unwrap();
    assert_eq!(step.code, StepCode::Done);
    tablet.finish(contact.clone(), by(), false).unwrap();
    assert_eq!(tablet.contact(contact).unwrap().contact.ended.unwrap().how.as_deref(), Some("completed"));
}

#[test]
fn a_reading_is_corrected_settled_and_struck_out() {
    let (_dir, tablet) = tablet();
    let recorded = tablet.record(check(vec![reading(6, 152, 94)]), by()).unwrap();
    let contact = recorded.contact;
    let shown = tablet.contact(contact.clone()).unwrap();
    let first = shown.contact.bp.readings[0].id.clone().unwrap();
    let right = |systolic| ReadingCorrection { systolic: Some(systolic), ..ReadingCorrection::default() };
    for systolic in [132, 135] {
        let (reason, base) = (Some("Misread.".into()), Some(shown.about.heads.clone()));
        tablet.correct_reading(contact.clone(), first.clone(), right(systolic), by(), reason, base).unwrap();
    }
    let shown = tablet.contact(contact.clone()).unwrap();
    let [conflict] = shown.about.conflicts.as_slice() else { panic!("{:?}", shown.about.conflicts) };
    assert!(conflict.can_settle && conflict.values.len() == 2);
    let right = conflict.values.iter().find(|value| value.json.contains("135")).unwrap();
    tablet.settle(contact.clone(), conflict.path.clone(), right.json.clone(), by(), None).unwrap();
    let shown = tablet.contact(contact.clone()).unwrap();
    assert_eq!((shown.about.conflicts.len(), shown.derived.unwrap().systolic), (0, Some(135)));
    let readings = shown.contact.bp.readings;
    let original = readings.iter().find(|reading| reading.id.as_ref() == Some(&first)).unwrap();
    assert_eq!((original.systolic, original.corrected_by.is_empty()), (152, false));
    let [last] = readings.iter().filter(|reading| reading.corrected_by.is_empty()).collect::<Vec<_>>()[..]
    else {
        panic!("{readings:?}")
    };
    tablet.strike_out(contact.clone(), last.id.clone().unwrap(), "Wrong person.".into(), by()).unwrap();
    let shown = tablet.contact(contact.clone()).unwrap();
    let struck = shown.contact.bp.readings.iter().find(|reading| reading.struck_out.is_some()).unwrap();
    assert_eq!(struck.struck_out.as_ref().unwrap().reason.as_deref(), Some("Wrong person."));
    // Saved back whole, nothing of it is there twice.
    tablet.update_contact(contact.clone(), shown.contact.clone(), by(), None, vec![]).unwrap();
    assert_eq!(tablet.contact(contact).unwrap().contact, shown.contact);
}

#[test]
fn a_tally_adds_up_and_is_not_saved_with_its_session() {
    let (_dir, tablet) = tablet();
    let session = Session {
        site: Some("Kirkgate Market".into()),
        date: Some("2026-11-20".into()),
        ..Session::default()
    };
    let id = tablet.open_session(session.clone(), by()).unwrap();
    assert_eq!(tablet.open_session(session, by()).unwrap(), id, "found, not made again");
    tablet.tally(id.clone(), "leaflets".into(), 3, by()).unwrap();
    let mut shown = tablet.session(id.clone()).unwrap();
    shown.session.vehicle = Some("Van 2".into());
    tablet.update_session(id.clone(), shown.session, by(), None, vec![]).unwrap();
    let session = tablet.session(id).unwrap().session;
    assert_eq!((session.tallies["leaflets"], session.vehicle.as_deref()), (3, Some("Van 2")));
    assert_eq!(tablet.sites(0, None).unwrap()[0].site.name.as_deref(), Some("Kirkgate Market"));
}

#[test]
fn people_are_found_and_likely_ones_shown_before_saving() {
    let (_dir, tablet) = tablet();
    let recorded = tablet.record(check(vec![reading(6, 152, 94)]), by()).unwrap();
    let [found] = tablet.search("khan amina".into(), 0, None).unwrap().try_into().unwrap();
    assert_eq!((found.name.as_str(), found.birth.as_str()), ("Amina Khan", "3 February 1968"));
    let mut typed = person();
    typed.name.family = Some("Kahn".into());
    let [likely] = tablet.likely_duplicates(typed, None, "en-GB".into()).unwrap().try_into().unwrap();
    assert_eq!(Some(likely.person.id.as_str()), recorded.person.as_deref());
    assert!(!likely.reasons.is_empty());
    assert!(tablet.likely_duplicates(person(), recorded.person.clone(), "en-GB".into()).unwrap().is_empty());
    let contacts = tablet.contacts_of_person(recorded.person.unwrap()).unwrap();
    assert_eq!(contacts[0].about.id, recorded.contact);
    assert_eq!(tablet.contacts_of_session(recorded.session, 0, None).unwrap(), contacts);
}

#[test]
fn what_cannot_be_saved_says_where_and_why() {
    let (_dir, tablet) = tablet();
    let details = tablet.record(check(vec![reading(6, 301, 100)]), by()).unwrap_err().details();
    assert_eq!(details.code, "out_of_range");
    assert!(details.path.ends_with("systolic"), "{}", details.path);
    assert!(details.message.contains("300"), "{}", details.message);
    assert_eq!(code(tablet.record_json("{".into(), by())), "bad_json");
    assert_eq!(tablet.list_json(None, 0, None).unwrap(), "[]");
}

#[test]
fn another_key_does_not_open_it_and_a_locked_one_says_so() {
    let (dir, tablet) = tablet();
    let recorded = tablet.record(check(vec![reading(6, 152, 94)]), by()).unwrap();
    let id = tablet.id().unwrap();
    tablet.lock();
    assert!(tablet.is_locked());
    assert_eq!(code(tablet.contact(recorded.contact.clone())), "tablet_locked");
    assert_eq!(code(tablet.record(check(vec![]), by())), "tablet_locked");
    assert_eq!(code(Tablet::open(path(&dir), vec![8; 32])), "wrong_key");
    assert_eq!(code(tablet.unlock(Some(vec![8; 32]))), "wrong_key");
    assert_eq!(code(tablet.unlock(None)), "wrong_key");
    assert!(tablet.is_locked());
    tablet.unlock(Some(vec![7; 32])).unwrap();
    tablet.unlock(None).unwrap();
    assert_eq!(tablet.contact(recorded.contact).unwrap().contact.bp.readings.len(), 1);
    assert_eq!(tablet.id().unwrap(), id);
}

/// A key store that a test looks into.
#[derive(Default)]
struct Keys {
    kept: Mutex<Option<Vec<u8>>>,
    forgets_at_once: bool,
}

impl TabletKeys for Keys {
    fn load(&self) -> Result<Option<Vec<u8>>, WaysideError> {
        Ok(self.kept.lock().unwrap().clone())
    }

    fn save(&self, key: Vec<u8>) -> Result<(), WaysideError> {
        if !self.forgets_at_once {
            *self.kept.lock().unwrap() = Some(key);
        }
        Ok(())
    }

    fn forget(&self) -> Result<(), WaysideError> {
        *self.kept.lock().unwrap() = None;
        Ok(())
    }
}

#[test]
fn a_key_is_made_once_kept_before_it_is_used_and_never_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let forgetful = Arc::new(Keys { forgets_at_once: true, ..Keys::default() });
    assert_eq!(code(Tablet::open_with(path(&dir), forgetful, None)), "key_store_failed");
    assert!(!dir.path().join("tablet.db").exists());

    let keys = Arc::new(Keys::default());
    let tablet = Tablet::open_with(path(&dir), keys.clone(), None).unwrap();
    let key = keys.kept.lock().unwrap().clone().unwrap();
    tablet.lock();
    tablet.unlock(None).unwrap();
    drop(tablet);
    keys.forget().unwrap();
    assert_eq!(code(Tablet::open_with(path(&dir), keys.clone(), None)), "key_missing");
    assert_eq!(*keys.kept.lock().unwrap(), None, "no other one was made");
    keys.save(key).unwrap();
    Tablet::open_with(path(&dir), keys, None).unwrap();
}

#[test]
fn a_wipe_leaves_nothing_and_forgets_the_key() {
    let dir = tempfile::tempdir().unwrap();
    let keys = Arc::new(Keys::default());
    let tablet = Tablet::open_with(path(&dir), keys.clone(), None).unwrap();
    let id = tablet.id().unwrap();
    tablet.record(check(vec![reading(6, 152, 94)]), by()).unwrap();
    assert_eq!(code(tablet.wipe(false)), "records_unsent");
    assert_eq!(tablet.status().unwrap().records.contact, 1);
    tablet.wipe(true).unwrap();
    assert!(tablet.is_locked() && keys.kept.lock().unwrap().is_none());
    let left: Vec<_> = std::fs::read_dir(dir.path()).unwrap().map(|file| file.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().starts_with("tablet.db")), "{left:?}");
    tablet.unlock(None).unwrap();
    assert_ne!(tablet.id().unwrap(), id);
    assert_eq!(tablet.status().unwrap().records.contact, 0);
}

struct Hands(AtomicI64);

impl TabletClock for Hands {
    fn now_ms(&self) -> Result<i64, WaysideError> {
        Ok(self.0.load(Ordering::Relaxed))
    }

    fn uptime_ms(&self) -> Result<u64, WaysideError> {
        Err(Code::Internal.into())
    }

    fn offset_minutes(&self) -> Result<i32, WaysideError> {
        Ok(60)
    }
}

#[test]
fn an_apps_clock_counts_and_one_that_throws_does_not() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::new(Hands(AtomicI64::new(1_795_179_600_000)));
    let tablet = Tablet::open_with(path(&dir), Arc::new(Keys::default()), Some(clock)).unwrap();
    let id = tablet.create_person(person(), by()).unwrap();
    let created = tablet.person(id).unwrap().about.created.unwrap();
    assert_eq!(created.at.as_deref(), Some("2026-11-20T13:00:00Z"));
    assert_eq!(tablet.staff().unwrap(), []);
}

struct Throws(Mutex<Vec<Phase>>);

impl SyncProgress for Throws {
    fn on_progress(&self, progress: Progress) -> Result<(), WaysideError> {
        self.0.lock().unwrap().push(progress.phase);
        Err(Code::Internal.into())
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
    tablet.lock();
    assert_eq!(tablet.sync(None).await.error.unwrap().code, "tablet_locked");
}

struct Tells(Mutex<mpsc::Sender<Status>>, Arc<Tablet>);

impl StatusListener for Tells {
    fn on_status(&self, status: Status) -> Result<(), WaysideError> {
        // On no lock of the tablet's: it may be asked.
        self.1.status()?;
        self.0.lock().unwrap().send(status).unwrap();
        Err(Code::Internal.into())
    }
}

#[test]
fn a_listener_hears_how_things_stand_and_whatever_changes_it() {
    let (_dir, tablet) = tablet();
    let (sender, heard) = mpsc::channel();
    let watch = tablet.watch_status(Arc::new(Tells(Mutex::new(sender), tablet.clone()))).unwrap();
    assert_eq!(heard.recv().unwrap().waiting, 0);
    tablet.record(check(vec![reading(6, 152, 94)]), by()).unwrap();
    assert_eq!(heard.recv().unwrap().records.contact, 1);
    watch.stop();
    // The listener is let go of, and with it the channel.
    while heard.recv().is_ok() {}
    let (sender, heard) = mpsc::channel();
    let _watch = tablet.watch_status(Arc::new(Tells(Mutex::new(sender), tablet.clone()))).unwrap();
    assert_eq!(heard.recv().unwrap().records.contact, 1);
    tablet.lock();
    while heard.recv().is_ok() {}
}

struct Reports(Mutex<mpsc::Sender<String>>);

impl SyncListener for Reports {
    fn on_progress(&self, _: Progress) -> Result<(), WaysideError> {
        Err(Code::Internal.into())
    }

    fn on_report(&self, report: crate::SyncReport) -> Result<(), WaysideError> {
        self.0.lock().unwrap().send(report.error.unwrap().code).unwrap();
        Ok(())
    }
}

#[test]
fn a_background_sync_is_started_told_and_stopped() {
    let (_dir, tablet) = tablet();
    let (sender, heard) = mpsc::channel();
    tablet.start_syncing(Some(Arc::new(Reports(Mutex::new(sender))))).unwrap();
    assert!(tablet.keeps_syncing());
    assert_eq!(heard.recv().unwrap(), "not_enrolled");
    // Something recorded is another try at once.
    tablet.record(check(vec![]), by()).unwrap();
    assert_eq!(heard.recv().unwrap(), "not_enrolled");
    tablet.stop_syncing();
    assert!(!tablet.keeps_syncing());
    while heard.recv().is_ok() {}
    tablet.start_syncing(None).unwrap();
    tablet.lock();
    assert!(!tablet.keeps_syncing());
    assert_eq!(code(tablet.start_syncing(None)), "tablet_locked");
}

#[test]
fn a_form_of_paths_and_json_does_what_a_typed_one_does() {
    let (_dir, tablet) = tablet();
    let id = tablet.create_json(Kind::Person, r#"{"name": {"given": "Amina"}}"#.into(), by()).unwrap();
    let set = HashMap::from([("name/family".to_owned(), "\"Khan\"".to_owned())]);
    let heads = tablet.edit_json(id.clone(), set, by(), None).unwrap();
    let shown = tablet.person(id.clone()).unwrap();
    assert_eq!((shown.about.heads, shown.person.name.family.as_deref()), (heads, Some("Khan")));
    let json: Value = serde_json::from_str(&tablet.show_json(id).unwrap()).unwrap();
    assert_eq!(json["name"]["family"], "Khan");
}
