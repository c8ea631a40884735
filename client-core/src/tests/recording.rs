use std::fs;

use serde_json::{Value, json};

use super::{
    KEY, Kit,
    base::{Base, settled},
    by, line,
};
use crate::{By, Code, Edit, Error, Key, Kind, Page, Tablet, write::Recorded};

fn code<T>(result: Result<T, Error>) -> Code {
    result.err().expect("an error").code()
}

#[test]
fn what_was_recorded_is_there_after_a_reopen() {
    let mut kit = Kit::new(1);
    let id = kit.tablet.id();
    let Recorded { contact, person, session, site } = kit.record();
    let before = kit.show(contact);
    kit.reopen();
    assert_eq!(kit.tablet.id(), id);
    assert_eq!(kit.show(contact), before);
    assert_eq!(before["derived"]["category"], "HIGH");
    assert_eq!(before["derived"]["age"], 58);
    assert_eq!(before["created"], json!({"at": "2026-11-20T13:00:00Z", "by": "nurse-01", "tablet": id}));
    assert_eq!(before["team"], Value::Null);
    assert_eq!(before["session"], json!(session));
    assert_eq!(kit.show(session)["site"], json!(site));
    assert_eq!(kit.show(person.unwrap())["nhs_number"]["value"], "9990000018");
    let status = kit.tablet.status().unwrap();
    assert_eq!((status.waiting, status.quarantined, status.conflicts, status.in_sync), (4, 0, 0, false));
    assert_eq!((status.records.contact, status.records.site, status.enrolled), (1, 1, false));
}

#[test]
fn a_wrong_key_opens_nothing_and_destroys_nothing() {
    let mut kit = Kit::new(1);
    let contact = kit.record().contact;
    let file = kit.dir.path().join("tablet.db");
    let before = fs::read(&file).unwrap();
    assert_eq!(code(Tablet::open(kit.dir.path(), &Key::from_bytes([8; 32]))), Code::WrongKey);
    assert_eq!(fs::read(&file).unwrap(), before);
    kit.reopen();
    kit.show(contact);
}

#[test]
fn a_newer_database_is_refused() {
    let kit = Kit::new(1);
    kit.tablet.0.store.write(|conn| Ok(conn.execute_batch("PRAGMA user_version = 99")?)).unwrap();
    assert_eq!(code(Tablet::open(kit.dir.path(), &KEY)), Code::StorageNewer);
}

#[test]
fn nothing_on_disk_can_be_read() {
    let kit = Kit::new(1);
    let mut planted = line();
    planted["person"]["name"] = json!({"given": "Zephyrine", "family": "Quillfeather"});
    planted["session"]["site"] = json!("Marmalade Hall");
    planted["contact"]["notes"] = json!(["lives beside the aqueduct"]);
    for _ in 0..20 {
        kit.tablet.record(planted.clone(), &by()).unwrap();
    }
    let mut seen = 0;
    for entry in fs::read_dir(kit.dir.path()).unwrap() {
        let bytes = fs::read(entry.unwrap().path()).unwrap();
        seen += bytes.len();
        for text in ["Zephyrine", "Quillfeather", "Marmalade", "aqueduct", "9990000018", "SQLite format"] {
            assert!(!bytes.windows(text.len()).any(|window| window == text.as_bytes()), "{text}");
        }
    }
    assert!(seen > 10_000);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let made = kit.dir.path().join("vans/one");
        Tablet::open(&made, &KEY).unwrap();
        assert_eq!(fs::metadata(made).unwrap().permissions().mode() & 0o777, 0o700);
    }
}

#[test]
fn a_line_finds_or_makes_what_it_names() {
    let kit = Kit::new(1);
    let first = kit.record();
    let mut second = line();
    second["session"]["site"] = json!({"name": "  masjid al-noor ", "type": "mosque"});
    second["session"]["setting"] = json!("van");
    second["session"]["staff"] = json!(["nurse-01", "nurse-02"]);
    second["session"]["tallies"] = json!({"approached": 3});
    second["session"]["notes"] = json!(["rain"]);
    second["person"] = Value::Null;
    let again = kit.tablet.record(second.clone(), &by()).unwrap();
    kit.tablet.record(second, &by()).unwrap();
    assert_eq!((again.session, again.site, again.person), (first.session, first.site, None));
    let session = kit.show(first.session);
    assert_eq!(session["setting"], "pop_up", "what it says stays");
    assert_eq!(session["staff"], json!(["nurse-01", "nurse-02"]));
    assert_eq!(session["tallies"]["approached"], 6);
    assert_eq!(session["notes"].as_object().unwrap().len(), 1);
    assert_eq!(kit.show(first.site)["type"], "mosque");
    assert_eq!(kit.show(first.site)["derived"]["sensitive"], true);

    // By id, and an object always makes a new person.
    let mut third = line();
    third["session"] = json!(first.session);
    let third_done = kit.tablet.record(third.clone(), &by()).unwrap();
    assert_eq!((third_done.session, third_done.site), (first.session, first.site));
    assert_ne!(third_done.person, first.person);
    third["person"] = json!(first.person);
    assert_eq!(kit.tablet.record(third, &by()).unwrap().person, first.person);
    let other_day = json!({"site": first.site, "date": "2026-11-21"});
    let other = kit.tablet.create(Kind::Session, other_day.clone(), &by()).unwrap();
    assert_ne!(other, first.session);
    assert_eq!(kit.tablet.create(Kind::Session, other_day, &by()).unwrap(), other);
}

#[test]
fn a_bad_line_leaves_nothing_behind() {
    let kit = Kit::new(1);
    let bad = |pointer: &str, value: Value| {
        let mut line = line();
        *line.pointer_mut(pointer).unwrap() = value;
        let error = kit.tablet.record(line, &by()).unwrap_err();
        (error.code(), error.path().to_owned())
    };
    let (reading, path) = bad("/contact/bp/readings/0/systolic", json!(400));
    assert_eq!(reading, Code::OutOfRange);
    assert!(path.starts_with("contact/bp/readings/") && path.ends_with("/systolic"), "{path}");
    assert_eq!(bad("/contact/bp/readings/0/systolic", json!(65)).0, Code::OutOfRange);
    assert_eq!(bad("/contact/started_at", Value::Null).0, Code::MissingField);
    assert_eq!(
        bad("/person/nhs_number", json!("999 000 0019")),
        (Code::NhsNumberInvalid, "person/nhs_number".into())
    );
    assert_eq!(bad("/session/date", json!("20 November")), (Code::WrongType, "session/date".into()));
    assert_eq!(bad("/session/site", Value::Null), (Code::MissingField, "session/site".into()));
    assert_eq!(bad("/session", json!("0190b3f2-6c1a-7cde-8f00-2a6b1c9d4e5f")).0, Code::RecordNotFound);
    assert_eq!(bad("/contact", json!({"session": "x"})), (Code::BadPath, "contact/session".into()));
    let mut more = line();
    more["outcome"] = json!("x");
    assert_eq!(code(kit.tablet.record(more, &by())), Code::BadPath);
    assert_eq!(kit.tablet.status().unwrap().waiting, 0);
    assert!(kit.tablet.list(None, Page::default()).unwrap().is_empty());
}

#[test]
fn edits_are_checked_and_entries_written_once() {
    let kit = Kit::new(1);
    let Recorded { contact, person, .. } = kit.record();
    let person = person.unwrap();
    kit.tablet.edit(person, Edit::set("name/family", "Kahn").and("gp/registered", "no"), &by()).unwrap();
    assert_eq!(kit.show(person)["name"]["family"], "Kahn");
    assert_eq!(kit.show(person)["gp"]["registered"], "no");
    let path = format!("bp/readings/{}", kit.reading(contact));
    let again = json!({"taken_at": "2026-11-20T13:06:00Z", "systolic": 120, "diastolic": 80});
    let edit = |id, path: &str, value: Value| code(kit.tablet.edit(id, Edit::set(path, value), &by()));
    assert_eq!(edit(contact, &path, again), Code::EntryWrittenOnce);
    assert_eq!(edit(contact, "started_at", Value::Null), Code::MissingField);
    assert_eq!(edit(contact, "reason", json!("bored")), Code::UnknownValue);
    assert_eq!(edit(contact, "team", json!("x")), Code::BadPath);
    assert_eq!(edit(crate::RecordId::from_bytes([1; 16]), "reason", json!("walk_up")), Code::RecordNotFound);
    assert_eq!(code(kit.tablet.create(Kind::Team, json!({"name": "x"}), &by())), Code::RecordRefused);
}

#[test]
fn an_edit_on_what_an_older_screen_showed_is_a_conflict() {
    let kit = Kit::new(1);
    let person = kit.record().person.unwrap();
    let screen = kit.shown(person).heads;
    let family = |name: &str| Edit::set("name/family", name);
    kit.tablet.edit(person, family("Kahn"), &by()).unwrap();
    kit.tablet.edit(person, family("Cahn").on(&screen), &by()).unwrap();
    let json = kit.show(person);
    assert_eq!(json["conflicts"][0]["path"], "name/family");
    assert_eq!(json["conflicts"][0]["values"].as_array().unwrap().len(), 2);
    assert_eq!(kit.tablet.status().unwrap().conflicts, 1);
    // Either name finds her.
    assert_eq!(kit.tablet.search("kahn", Page::default()).unwrap().len(), 1);
    assert_eq!(kit.tablet.search("cahn", Page::default()).unwrap().len(), 1);
    kit.tablet.edit(person, family("Kahn"), &by()).unwrap();
    assert_eq!(kit.show(person)["conflicts"], json!([]));
    assert_eq!(code(kit.tablet.edit(person, family("X").on(&[[9; 32]]), &by())), Code::RecordNotFound);
}

#[test]
fn two_corrections_side_by_side_are_settled_by_a_third() {
    let kit = Kit::new(1);
    let contact = kit.record().contact;
    let reading = kit.reading(contact);
    let screen = kit.shown(contact).heads;
    let correct = |entry: &str, set: &[(&str, Value)], base| {
        let set = set.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        kit.tablet.correct(contact, entry, set, Some("misread"), base, &by())
    };
    let one = correct(&reading, &[("systolic", json!(142))], Some(&screen[..])).unwrap();
    assert_eq!(kit.show(contact)["derived"]["chosen_reading"], json!(one));
    assert_eq!(kit.show(contact)["bp"]["readings"][&one]["arm"], "left", "the rest is kept");
    let two = correct(&reading, &[("systolic", json!(125))], Some(&screen[..])).unwrap();
    let json = kit.show(contact);
    assert_eq!(json["conflicts"][0]["path"], format!("bp/readings/{reading}"));
    assert_eq!(json["derived"]["systolic"], 142, "the more urgent counts until it is settled");
    // Neither value is chosen without a word.
    assert_eq!(code(correct(&reading, &[("pulse", json!(70))], None)), Code::MissingField);
    let three = correct(&format!("bp/readings/{reading}"), &[("systolic", json!(140))], None).unwrap();
    let json = kit.show(contact);
    assert_eq!(json["conflicts"], json!([]));
    assert_eq!(json["derived"]["systolic"], 140);
    let settled = &json["bp"]["readings"][&three];
    assert_eq!(settled["corrects"], json!(reading));
    let mut superseded: Vec<&str> =
        settled["supersedes"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    superseded.sort_unstable();
    let mut expected = vec![one.as_str(), two.as_str()];
    expected.sort_unstable();
    assert_eq!(superseded, expected);
    // From the single correction that lives now; limits apply.
    let four = correct(&reading, &[("pulse", json!(70))], None).unwrap();
    assert_eq!(kit.show(contact)["bp"]["readings"][&four]["systolic"], 140);
    assert_eq!(code(correct(&reading, &[("diastolic", json!(145))], None)), Code::OutOfRange);
    assert_eq!(code(correct(&reading, &[("corrects", json!("x"))], None)), Code::BadPath);
    assert_eq!(code(correct("aaaaaaaa", &[], None)), Code::EntryNotFound);
    kit.tablet.strike_out(contact, &four, "wrong person", &by()).unwrap();
    let json = kit.show(contact);
    assert_eq!(json["bp"]["readings"][&four]["struck_out"]["reason"], "wrong person");
    assert_eq!(json["derived"]["category"], Value::Null);
}

#[test]
fn tallies_add_up_and_only_on_sessions() {
    let kit = Kit::new(1);
    let Recorded { session, contact, .. } = kit.record();
    kit.tablet.tally(session, "leaflets", 5, &by()).unwrap();
    kit.tablet.tally(session, "leaflets", -2, &by()).unwrap();
    assert_eq!(kit.show(session)["tallies"]["leaflets"], 3);
    assert_eq!(code(kit.tablet.tally(contact, "leaflets", 1, &by())), Code::WrongKind);
}

#[test]
fn people_are_found_however_they_are_written() {
    let kit = Kit::new(1);
    let mut other = line();
    other["person"] = json!({"name": {"given": "José", "family": "O’Brien-Núñez"}});
    kit.record();
    kit.tablet.record(other, &by()).unwrap();
    let found = |text: &str| -> Vec<String> {
        let found = kit.tablet.search(text, Page::default()).unwrap();
        found.iter().map(|json| json["kind"].as_str().unwrap().to_owned()).collect()
    };
    for text in
        ["amina", "KHAN Am", "9990000018", "999 000 0018", "1968-02-03", "03/02/1968 khan", "07700 900 123"]
    {
        assert_eq!(found(text), ["person"], "{text}");
    }
    assert_eq!(found("jose obrien nunez"), ["person"]);
    assert_eq!(found("al-noor"), ["site"]);
    assert!(found("amina obrien").is_empty());
    assert!(found("%").is_empty());
    let contacts = kit.tablet.list(Some(Kind::Contact), Page { offset: 0, limit: Some(1) }).unwrap();
    assert_eq!(contacts.len(), 1);
}

#[test]
fn several_teams_must_be_told_apart() {
    let mut base = Base::new();
    let kit = Kit::new(1);
    let first = kit.record();
    base.enrol(&kit);
    assert_eq!(kit.show(first.contact)["team"], json!(base.team));
    settled(&kit, &mut base);
    let second = crate::RecordId::from_bytes([6; 16]);
    kit.tablet.0.store.write(|conn| crate::store::meta::join_team(conn, second, "Northside")).unwrap();
    assert_eq!(code(kit.tablet.record(line(), &by())), Code::TeamAmbiguous);
    let named = By { team: Some(second), ..by() };
    let other = kit.tablet.record(line(), &named).unwrap();
    assert_ne!(other.site, first.site, "a site belongs to a team");
    assert_eq!(kit.show(other.contact)["team"], json!(second));
    // What belongs to a session belongs to its team.
    let mut more = line();
    more["session"] = json!(first.session);
    assert_eq!(kit.show(kit.tablet.record(more, &by()).unwrap().contact)["team"], json!(base.team));
    let foreign = By { team: Some(crate::RecordId::from_bytes([7; 16])), ..by() };
    assert_eq!(code(kit.tablet.record(line(), &foreign)), Code::TeamNotAllowed);
}
