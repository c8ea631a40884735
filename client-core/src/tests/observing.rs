//! What front ends lean on: being told, locked, wiped; forms saved as objects; conflicts settled; the key kept.

use std::{cell::RefCell, fs};

use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::{KEY, Kit, by, line};
use crate::{Code, Edit, Env, Error, Key, KeyStore, Page, Tablet};

fn failed<T>(result: Result<T, Error>) -> Code {
    result.err().unwrap().code()
}

#[tokio::test]
async fn how_things_stand_is_told_until_the_tablet_is_locked() {
    let kit = Kit::new(1);
    let (sender, mut told) = mpsc::unbounded_channel();
    let watched = kit.tablet.clone();
    let watch = tokio::spawn(async move {
        let asked = watched.clone();
        let tell = move |status: crate::Status| {
            // On a thread of its own, that holds nothing.
            asked.status().unwrap();
            sender.send(status.records.contact).unwrap();
        };
        watched.watch(tell).await;
    });
    assert_eq!(told.recv().await, Some(0));
    kit.record();
    assert_eq!(told.recv().await, Some(1));
    // What changes nothing that is shown is not told.
    kit.tablet.0.store.write(|_| Ok(())).unwrap();
    kit.tablet.lock();
    watch.await.unwrap();
    assert_eq!(told.recv().await, None);
}

#[test]
fn a_locked_tablet_refuses_everything_and_opens_again() {
    let mut kit = Kit::new(2);
    let contact = kit.record().contact;
    kit.tablet.lock();
    assert_eq!(failed(kit.tablet.show(contact)), Code::TabletLocked);
    assert_eq!(failed(kit.tablet.record(line(), &by())), Code::TabletLocked);
    assert_eq!(failed(kit.tablet.wipe(true)), Code::TabletLocked);
    kit.tablet.lock();
    kit.reopen();
    assert_eq!(kit.show(contact)["kind"], "contact");
}

#[test]
fn a_wipe_refuses_to_lose_what_base_lacks_unless_it_is_told_to() {
    let mut kit = Kit::new(3);
    let id = kit.tablet.id();
    kit.record();
    assert_eq!(failed(kit.tablet.wipe(false)), Code::RecordsUnsent);
    assert_eq!(kit.tablet.status().unwrap().records.contact, 1);
    kit.tablet.wipe(true).unwrap();
    assert!(
        !fs::read_dir(kit.dir.path())
            .unwrap()
            .any(|file| { file.unwrap().file_name().to_string_lossy().starts_with("tablet.db") })
    );
    kit.reopen();
    assert_ne!(kit.tablet.id(), id);
    assert_eq!(kit.tablet.status().unwrap().records.contact, 0);
}

#[test]
fn an_update_sets_what_it_says_and_leaves_the_rest() {
    let kit = Kit::new(4);
    let recorded = kit.record();
    let person = recorded.person.unwrap();
    let shown = kit.shown(person);
    kit.tablet.edit(person, Edit::set("sex", "female"), &by()).unwrap();
    let form = json!({"name": {"family": "Kahn"}, "phone": null, "age_years": 58, "age_as_of": "2026-11-20",
        "plus_groups": ["roma"]});
    let clear = ["email".to_owned()];
    let heads = kit.tablet.update(person, form, &clear, Some(&shown.heads), &by()).unwrap();
    let now = kit.shown(person);
    assert_eq!(now.heads, heads);
    let json = &now.json;
    assert_eq!((&json["name"]["family"], &json["name"]["given"]), (&json!("Kahn"), &json!("Amina")));
    assert_eq!((&json["sex"], &json["phone"]), (&json!("female"), &shown.json["phone"]));
    assert_eq!((&json["age_years"], &json["plus_groups"]), (&json!(58), &json!(["roma"])));
    assert_eq!(json["conflicts"], json!([]));

    // What is the same as on the screen is not written: nobody else's change is in conflict with it.
    let before = kit.shown(person);
    kit.tablet.edit(person, Edit::set("phone", "07700 900999"), &by()).unwrap();
    let whole = json!({"name": {"family": "Kahn", "given": "Amina"}, "phone": before.json["phone"]});
    kit.tablet.update(person, whole, &[], Some(&before.heads), &by()).unwrap();
    assert_eq!(kit.show(person)["conflicts"], json!([]));
    kit.tablet.update(person, json!({}), &["phone".to_owned()], None, &by()).unwrap();
    assert_eq!(kit.show(person)["phone"], Value::Null);
}

#[test]
fn new_entries_of_an_update_say_who_and_when() {
    let kit = Kit::new(5);
    let contact = kit.record().contact;
    let form = json!({
        "bp": {"red_flags": [{"flag": "chest_pain", "present": false}]},
        "advice": [{"code": "RECORD_ONLY"}, {"code": "RECORD_ONLY", "by": "somebody-else"}],
    });
    kit.tablet.update(contact, form, &[], None, &by()).unwrap();
    let shown = kit.show(contact);
    let entries = |pointer: &str| shown.pointer(pointer).unwrap().as_object().unwrap().values().cloned();
    assert_eq!(entries("/bp/red_flags").next().unwrap()["asked_at"], "2026-11-20T13:00:00Z");
    let mut said: Vec<String> = entries("/advice").map(|advice| advice["by"].to_string()).collect();
    said.sort();
    assert_eq!(said, ["\"nurse-01\"", "\"somebody-else\""]);
    let other = kit.tablet.update(contact, json!([]), &[], None, &by());
    assert_eq!(failed(other), Code::WrongType);
}

#[test]
fn a_field_and_a_reading_are_settled_and_what_cannot_be_is_not() {
    let kit = Kit::new(6);
    let recorded = kit.record();
    let (person, contact) = (recorded.person.unwrap(), recorded.contact);
    let base = kit.shown(person).heads;
    for family in ["Kahn", "Cann"] {
        kit.tablet.edit(person, Edit::set("name/family", family).on(&base), &by()).unwrap();
    }
    let heads = kit.shown(person).heads;
    kit.tablet.settle(person, "name/family", json!("Khan"), Some(&heads), &by()).unwrap();
    let shown = kit.show(person);
    assert_eq!((&shown["conflicts"], &shown["name"]["family"]), (&json!([]), &json!("Khan")));

    let weight = json!({"what": "weight", "value": 80, "unit": "kg", "taken_at": "2026-11-20T13:10:00Z"});
    let weight = kit.tablet.add(contact, "measurements", weight, &by()).unwrap();
    let base = kit.shown(contact).heads;
    for (entry, name, values) in [(kit.reading(contact), "systolic", [132, 135]), (weight, "value", [82, 84])]
    {
        for value in values {
            let set = vec![(name.to_owned(), json!(value))];
            kit.tablet.correct(contact, &entry, set, None, Some(&base), &by()).unwrap();
        }
    }
    let conflicts = kit.show(contact)["conflicts"].as_array().unwrap().clone();
    assert_eq!(conflicts.len(), 2);
    for conflict in conflicts {
        let path = conflict["path"].as_str().unwrap();
        let strange = json!({"systolic": 1});
        assert_eq!(failed(kit.tablet.settle(contact, path, strange, None, &by())), Code::NotInConflict);
        kit.tablet.settle(contact, path, conflict["values"][1]["value"].clone(), None, &by()).unwrap();
    }
    assert_eq!(kit.show(contact)["conflicts"], json!([]));
    let nothing = kit.tablet.settle(contact, "advice/aaaaaaaa/struck_out", json!(1), None, &by());
    assert_eq!(failed(nothing), Code::NotSettleable);
}

#[test]
fn a_contact_is_finished_and_found_with_its_person() {
    let kit = Kit::new(7);
    let recorded = kit.record();
    kit.tablet.finish(recorded.contact, false, &by()).unwrap();
    let ended = json!({"at": "2026-11-20T13:00:00Z", "how": "completed"});
    assert_eq!(kit.show(recorded.contact)["ended"], ended);
    kit.tablet.finish(recorded.contact, true, &by()).unwrap();
    assert_eq!(kit.show(recorded.contact)["ended"]["how"], "left_early");
    let person = recorded.person.unwrap();
    assert_eq!(failed(kit.tablet.finish(person, false, &by())), Code::WrongKind);
    assert_eq!(kit.tablet.contacts_of_person(person).unwrap(), [recorded.contact]);
    let found = kit.tablet.find_people("khan", Page::default()).unwrap();
    assert_eq!(found.iter().map(|one| one.id).collect::<Vec<_>>(), [person]);
    assert_eq!(kit.tablet.find_people("masjid", Page::default()).unwrap(), [], "a site is nobody");
    let (step, heads) = kit.tablet.guide(recorded.contact).unwrap();
    assert_eq!(
        (step, heads),
        (kit.tablet.next_step(recorded.contact).unwrap(), kit.shown(recorded.contact).heads)
    );
}

struct Shelf {
    key: RefCell<Option<Key>>,
    loses: bool,
}

impl KeyStore for Shelf {
    fn load(&self) -> Result<Option<Key>, Error> {
        Ok(self.key.borrow().clone())
    }

    fn save(&self, key: &Key) -> Result<(), Error> {
        if !self.loses {
            *self.key.borrow_mut() = Some(key.clone());
        }
        Ok(())
    }
}

#[test]
fn a_key_is_made_for_an_empty_directory_only_and_only_where_it_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let env = Env::system();
    let loses = Shelf { key: RefCell::new(None), loses: true };
    assert_eq!(failed(Key::kept(dir.path(), &loses, &env)), Code::KeyStoreFailed);
    let shelf = Shelf { key: RefCell::new(None), loses: false };
    let key = Key::kept(dir.path(), &shelf, &env).unwrap();
    assert!(key != KEY && Key::kept(dir.path(), &shelf, &env).unwrap() == key);
    Tablet::open(dir.path(), &key).unwrap();
    shelf.key.replace(None);
    assert_eq!(failed(Key::kept(dir.path(), &shelf, &env)), Code::KeyMissing);
    assert!(shelf.key.borrow().is_none());
}
