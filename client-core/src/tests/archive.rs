//! Records that base archives, brings back and erases.

use std::collections::BTreeSet;

use rusqlite::{Connection, types::ValueRef};
use serde_json::json;
use wayside_protocol::{
    record::RecordId,
    sync::{Position, Receipt, frame::What},
};

use super::{
    KEY, Kit,
    base::{Base, settled},
    by, line,
};
use crate::{
    Code, Edit, Env, Kind, Page, Recorded, Tablet,
    store::{archive, meta},
    sync::settle,
};

fn enrolled(base: &Base, seed: u64) -> Kit {
    let kit = Kit::new(seed);
    base.enrol(&kit);
    kit
}

/// Archives everything of a line but its site.
fn archive(base: &mut Base, recorded: &Recorded) {
    for record in [recorded.person.unwrap(), recorded.contact, recorded.session] {
        base.says(What::Archive, record);
    }
}

/// The server's word that its backups hold everything up to `watermark`.
fn backed_up(kit: &Kit, base: &Base, watermark: u64) {
    let position = Position { team: base.team, epoch: base.epoch, seq: 0, fingerprint: [0; 16], watermark };
    let tablet = kit.public();
    let receipt = Receipt::sign(&base.key, &tablet, [1; 8], vec![position]);
    kit.tablet.0.store.write(|conn| meta::set(conn, meta::RECEIPT, receipt.to_bytes())).unwrap();
}

fn listed(kit: &Kit) -> BTreeSet<RecordId> {
    let all = kit.tablet.list(None, Page::default()).unwrap();
    all.iter().map(|record| record["id"].as_str().unwrap().parse().unwrap()).collect()
}

fn found(kit: &Kit, text: &str) -> usize {
    kit.tablet.search(text, Page::default()).unwrap().len()
}

/// How many rows of the store hold these bytes.
fn rows_with(kit: &Kit, bytes: &[u8]) -> usize {
    kit.tablet
        .0
        .store
        .read(|conn| {
            let tables = "SELECT name FROM sqlite_schema WHERE type = 'table'";
            let tables: Vec<String> =
                conn.prepare(tables)?.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
            let mut found = 0;
            for table in tables {
                let mut statement = conn.prepare(&format!("SELECT * FROM \"{table}\""))?;
                let columns = statement.column_count();
                let mut rows = statement.query([])?;
                while let Some(row) = rows.next()? {
                    found += usize::from((0..columns).any(|column| match row.get_ref(column) {
                        Ok(ValueRef::Text(held) | ValueRef::Blob(held)) => {
                            held.windows(bytes.len()).any(|window| window == bytes)
                        }
                        _ => false,
                    }));
                }
            }
            Ok(found)
        })
        .unwrap()
}

fn changes(kit: &Kit) -> u64 {
    let count = |conn: &rusqlite::Connection| {
        Ok(conn.query_row("SELECT count(*) FROM change", [], |row| row.get(0))?)
    };
    kit.tablet.0.store.read(count).unwrap()
}

#[test]
fn what_is_archived_leaves_every_list_and_comes_back_whole() {
    let mut base = Base::new();
    let (one, two) = (enrolled(&base, 1), enrolled(&base, 2));
    let recorded = one.record();
    let (person, contact) = (recorded.person.unwrap(), recorded.contact);
    let due = json!([{"type": "repeat_bp", "due_on": "2026-11-21"}]);
    one.tablet.edit(contact, Edit::set("follow_ups", due), &by()).unwrap();
    settled(&one, &mut base);
    settled(&two, &mut base);
    let before = (listed(&two), two.show(person), two.tablet.status().unwrap().records);
    let on = "2026-12-01".parse().unwrap();
    assert_eq!((found(&two, "Khan"), two.tablet.due(on).unwrap().len()), (1, 1));

    archive(&mut base, &recorded);
    let outcome = settled(&two, &mut base);
    assert!(outcome.in_sync, "the fingerprints agree without it");
    assert_eq!(listed(&two), BTreeSet::from([recorded.site]));
    assert_eq!((found(&two, "Khan"), found(&two, "9990000018")), (0, 0));
    assert_eq!(two.tablet.due(on).unwrap(), []);
    assert_eq!(two.tablet.half_done(Page::default()).unwrap(), []);
    assert_eq!(two.tablet.likely_duplicates(&line()["person"]).unwrap(), []);
    assert_eq!(two.tablet.contacts_of(recorded.session).unwrap(), []);
    for refused in [
        two.tablet.show(person).map(drop),
        two.tablet.timeline(person).map(drop),
        two.tablet.history(contact).map(drop),
    ] {
        assert_eq!(refused.unwrap_err().code(), Code::RecordNotFound);
    }
    let status = two.tablet.status().unwrap();
    assert_eq!((status.records.person, status.records.contact, status.records.site), (0, 0, 1));
    assert_eq!(status.archived, 3);
    // A tablet that is new gets what is active.
    let three = enrolled(&base, 3);
    assert!(settled(&three, &mut base).in_sync);
    assert_eq!(listed(&three), BTreeSet::from([recorded.site]));
    assert_eq!(three.tablet.status().unwrap().archived, 0);

    for record in [person, contact, recorded.session] {
        base.says(What::Activate, record);
    }
    for kit in [&two, &three] {
        assert!(settled(kit, &mut base).in_sync);
        assert_eq!((listed(kit), kit.show(person), kit.tablet.status().unwrap().records), before);
        assert_eq!((found(kit, "Khan"), kit.tablet.due(on).unwrap().len()), (1, 1));
    }
}

#[test]
fn what_waits_keeps_an_archived_record_in_sight_with_whom_it_is_about() {
    let mut base = Base::new();
    let kit = enrolled(&base, 1);
    let (recorded, other) = (kit.record(), kit.record());
    settled(&kit, &mut base);
    archive(&mut base, &recorded);
    base.says(What::Archive, other.person.unwrap());
    kit.tablet.edit(recorded.contact, Edit::set("satisfaction", 4), &by()).unwrap();
    // The answer is told before the server has heard of the edit.
    let entries = (0..base.log.len()).filter_map(|index| {
        let entry = &base.log[index];
        Some(wayside_protocol::sync::frame::Entry {
            what: entry.what?,
            record: entry.record,
            seq: index as u64 + 1,
        })
    });
    let entries: Vec<_> = entries.collect();
    let apply = |conn: &rusqlite::Connection| archive::apply_entries(conn, base.team, &entries);
    kit.tablet.0.store.write(apply).unwrap();
    let shown = listed(&kit);
    assert!(shown.is_superset(&[recorded.contact, recorded.person.unwrap(), recorded.session].into()));
    // Still the person of a contact that nobody archived.
    assert!(shown.contains(&other.person.unwrap()));
    assert_eq!(kit.tablet.waiting_records().unwrap(), [recorded.contact]);

    assert!(settled(&kit, &mut base).in_sync);
    assert_eq!(kit.show(recorded.contact)["satisfaction"], 4);
    assert_eq!(base.log.last().unwrap().record, recorded.contact, "it came after its activation");
    assert_eq!(base.log[base.log.len() - 2].what, Some(What::Activate));
}

#[test]
fn a_form_that_was_open_is_saved_and_brings_the_record_back() {
    let mut base = Base::new();
    let (one, two) = (enrolled(&base, 1), enrolled(&base, 2));
    let recorded = one.record();
    settled(&one, &mut base);
    settled(&two, &mut base);
    let heads = two.shown(recorded.contact).heads;
    archive(&mut base, &recorded);
    settled(&one, &mut base);
    settled(&two, &mut base);
    two.tablet.edit(recorded.contact, Edit::set("satisfaction", 5).on(&heads), &by()).unwrap();
    assert_eq!(listed(&two).len(), 4, "the contact, and whom and where it is about");
    assert!(settled(&two, &mut base).in_sync);
    assert!(settled(&one, &mut base).in_sync);
    assert_eq!(one.show(recorded.contact)["satisfaction"], 5);
    // The session of that day, too, though its bytes are long gone here.
    backed_up(&one, &base, base.log.len() as u64);
    settle(&one.tablet.0).unwrap();
    let again = one.record();
    assert_eq!(again.session, recorded.session);
    assert!(settled(&one, &mut base).in_sync);
    assert!(settled(&two, &mut base).in_sync);
    assert_eq!(one.show(again.session), two.show(again.session));
}

#[test]
fn bytes_go_once_every_backup_has_them_and_not_before() {
    let mut base = Base::new();
    let (one, two) = (enrolled(&base, 1), enrolled(&base, 2));
    let (recorded, kept) = (one.record(), one.record());
    settled(&one, &mut base);
    settled(&two, &mut base);
    for record in [recorded.person.unwrap(), recorded.contact] {
        base.says(What::Archive, record);
    }
    settled(&two, &mut base);
    let held = changes(&two);
    let head = base.log.len() as u64;
    for watermark in [0, head - 2, head - 1] {
        backed_up(&two, &base, watermark);
        settled(&two, &mut base);
        assert_eq!(changes(&two), held - u64::from(watermark == head - 1), "watermark {watermark}");
    }
    backed_up(&two, &base, head);
    settled(&two, &mut base);
    assert_eq!((changes(&two), two.tablet.status().unwrap().archived), (held - 2, 0));
    assert_eq!(rows_with(&two, recorded.contact.to_string().as_bytes()), 0);
    // Signed with others' changes, the list stays for them.
    assert_eq!(rows_with(&two, recorded.contact.as_bytes()), 1);
    assert!(rows_with(&two, kept.contact.as_bytes()) > 1);
    assert!(settled(&two, &mut base).in_sync);

    // The server is restored from a backup that has it: it comes again, and is archived again.
    let mut restored = Base::new();
    restored.log = base.log.iter().take(head as usize - 2).map(super::syncing::copy).collect();
    restored.epoch = [9; 8];
    assert!(settled(&two, &mut restored).in_sync);
    assert_eq!(two.show(recorded.contact), one.show(recorded.contact));
}

/// By the same actor it would be a fork of what base still has, also where another process has dropped it.
#[test]
fn what_was_dropped_is_begun_anew_by_another_actor_in_every_process() {
    let mut base = Base::new();
    let kit = enrolled(&base, 1);
    let other = Tablet::open_with(kit.dir.path(), &KEY, Env::seeded(2, kit.clock.clone())).unwrap();
    let actors = |session: RecordId| -> BTreeSet<[u8; 16]> {
        let sql = "SELECT DISTINCT c.actor FROM change c JOIN record r ON r.no = c.record WHERE r.id = ?";
        let read = |conn: &Connection| {
            let mut statement = conn.prepare(sql)?;
            let actors = statement.query_map([session.as_bytes()], |row| row.get(0))?;
            Ok(actors.collect::<Result<_, _>>()?)
        };
        kit.tablet.0.store.read(read).unwrap()
    };
    let recorded = other.record(line(), &by()).unwrap();
    let before = actors(recorded.session);
    settled(&kit, &mut base);
    archive(&mut base, &recorded);
    settled(&kit, &mut base);
    backed_up(&kit, &base, base.log.len() as u64);
    settled(&kit, &mut base);
    assert_eq!((before.len(), actors(recorded.session)), (1, BTreeSet::new()), "dropped");
    for tablet in [&other, &kit.tablet] {
        assert_eq!(tablet.record(line(), &by()).unwrap().session, recorded.session);
    }
    assert!(before.is_disjoint(&actors(recorded.session)));
}

/// Nothing that is retained is lost with the server; and where the server has it archived, it says so again.
#[test]
fn a_refill_gives_back_what_is_retained() {
    let mut base = Base::new();
    let kit = enrolled(&base, 1);
    let recorded = kit.record();
    settled(&kit, &mut base);
    archive(&mut base, &recorded);
    settled(&kit, &mut base);
    let shown = listed(&kit);

    let mut moved = Base::new();
    moved.log = base.log.iter().map(super::syncing::copy).collect();
    moved.epoch = [8; 8];
    assert!(settled(&kit, &mut moved).in_sync);
    assert_eq!((listed(&kit), moved.log.len()), (shown, base.log.len()), "archived there: nothing to give");
    assert_eq!(kit.tablet.status().unwrap().archived, 3);

    let mut lost = Base::new();
    lost.epoch = [7; 8];
    assert!(settled(&kit, &mut lost).in_sync);
    assert_eq!(lost.log.len(), 4, "everything");
    assert_eq!(listed(&kit).len(), 4, "until it is archived again");
}

#[test]
fn what_is_erased_is_gone_at_once_with_what_was_still_to_be_sent() {
    let mut base = Base::new();
    let (one, two) = (enrolled(&base, 1), enrolled(&base, 2));
    let recorded = one.record();
    let person = recorded.person.unwrap();
    let mut other = line();
    other["person"] = json!({"name": {"given": "Bilal", "family": "Ahmed"}});
    let other = one.tablet.record(other, &by()).unwrap();
    settled(&one, &mut base);
    settled(&two, &mut base);
    // Two has something of it to send, and does not know yet.
    two.tablet.edit(person, Edit::set("phone", "07700 900222"), &by()).unwrap();
    assert!(rows_with(&two, b"Khan") > 0 && rows_with(&two, b"900222") > 0);
    base.says(What::Archive, other.person.unwrap());
    base.says(What::Erase, person);
    base.says(What::Erase, recorded.contact);
    for kit in [&one, &two] {
        assert!(settled(kit, &mut base).in_sync);
        for word in ["Khan", "900123", "900222", "9990000018"] {
            assert_eq!(rows_with(kit, word.as_bytes()), 0, "{word}");
        }
        assert_eq!(kit.tablet.status().unwrap().waiting, 0);
        assert!(
            kit.tablet.list(Some(Kind::Person), Page::default()).unwrap().len() == 1,
            "the other contact's"
        );
        assert_eq!(kit.show(other.contact)["person"], other.person.unwrap().to_string());
        let overwrites: i64 = kit
            .tablet
            .0
            .store
            .read(|conn| Ok(conn.query_row("PRAGMA secure_delete", [], |row| row.get(0))?))
            .unwrap();
        assert_eq!(overwrites, 1, "and what was deleted is overwritten");
    }
    // Somebody comes back with it: the verdict says so again.
    let three = enrolled(&base, 3);
    assert!(settled(&three, &mut base).in_sync);
    assert_eq!(rows_with(&three, b"Khan"), 0);
}

/// A simulation found it: what kept a session in sight was erased, and the session stayed.
#[test]
fn what_was_in_sight_only_for_a_contact_goes_with_it() {
    let mut base = Base::new();
    let kit = enrolled(&base, 1);
    let recorded = kit.record();
    settled(&kit, &mut base);
    for record in [recorded.person.unwrap(), recorded.session] {
        base.says(What::Archive, record);
    }
    assert!(settled(&kit, &mut base).in_sync);
    assert_eq!(listed(&kit).len(), 4);
    base.says(What::Erase, recorded.contact);
    assert!(settled(&kit, &mut base).in_sync);
    assert_eq!(listed(&kit), BTreeSet::from([recorded.site]));
}
