use std::os::unix::fs::PermissionsExt;

use rusqlite::types::Value as Sql;
use serde_json::{Value, json};
use wayside_protocol::error::Code;
use wayside_protocol::record::{Kind, RecordId};
use wayside_protocol::sync::frame::What;

use super::Views;
use crate::Error;
use crate::testing::{START, Site};

fn views(site: &Site) -> Views {
    let mut views = Views::open(site.dir.path()).unwrap();
    views.catch_up(&site.base.log).unwrap();
    views
}

/// Every row of every table.
fn dump(views: &Views) -> Vec<Vec<Sql>> {
    let mut rows = Vec::new();
    for table in [
        "cursor",
        "record",
        "contact",
        "task",
        "person",
        "person_key",
        "pair",
        "not_same",
        "todo",
        "reach",
        "quality",
        "find_key",
        "find_word",
        "changed",
    ] {
        let columns = views.conn.prepare(&format!("SELECT * FROM {table}")).unwrap().column_count();
        let order: Vec<String> = (1..=columns).map(|n| n.to_string()).collect();
        let sql = format!("SELECT * FROM {table} ORDER BY {}", order.join(", "));
        let mut statement = views.conn.prepare(&sql).unwrap();
        let found = statement.query_map([], |row| (0..columns).map(|i| row.get(i)).collect()).unwrap();
        rows.extend(found.map(Result::unwrap));
    }
    rows
}

fn contact(person: Option<RecordId>, started_at: &str, readings: &[(i64, i64)]) -> Value {
    let readings: Vec<_> = readings
        .iter()
        .map(|(s, d)| json!({"taken_at": started_at, "systolic": s, "diastolic": d}))
        .collect();
    json!({"session": RecordId::from_bytes([5; 16]).to_string(), "started_at": started_at,
        "person": person.map(|id| id.to_string()), "bp": {"readings": readings}})
}

#[test]
fn a_contact_is_shown_with_its_person_whichever_came_first() {
    let site = Site::new();
    let tablet = site.tablet();
    let fields = json!({"name": {"given": "Amina"}, "date_of_birth": "1968-02-03"});
    let (mut person, begin) = tablet.begin(Kind::Person, fields);
    let fields = contact(Some(begin.0), "2026-11-20T13:05:00Z", &[(152, 94)]);
    let seen = tablet.begin(Kind::Contact, fields).1;
    tablet.push(&site, std::slice::from_ref(&seen));
    let age = |views: &Views| views.show(seen.0).unwrap().unwrap()["derived"]["age"].clone();
    assert_eq!(age(&views(&site)), Value::Null);
    tablet.push(&site, &[begin]);
    assert_eq!(age(&views(&site)), 58);
    let shown = views(&site).show(seen.0).unwrap().unwrap();
    assert_eq!(shown["team"], site.team.to_string());
    assert_eq!(shown["conflicts"], json!([]));

    // A child's pressure is read differently: what is derived follows the person.
    let before = views(&site).worklist().unwrap();
    tablet.push(&site, &[tablet.edit(&mut person, None, json!({"date_of_birth": "2015-02-03"}))]);
    assert_ne!(views(&site).worklist().unwrap(), before);
}

#[test]
fn views_that_were_deleted_come_back_the_same() {
    let site = Site::new();
    let (one, two) = (site.tablet(), site.tablet());
    let mut grown = views(&site);
    for i in 0..6 {
        let (mut person, begin) = one.begin(Kind::Person, json!({"name": {"family": "Khan"}}));
        let base = person.heads();
        let day = format!("2026-11-2{i}T10:00:00Z");
        let seen = two.begin(Kind::Contact, contact(Some(begin.0), &day, &[(150 + i, 90), (141, 88)])).1;
        two.push(&site, &[seen]);
        grown.catch_up(&site.base.log).unwrap();
        one.push(&site, &[begin]);
        grown.catch_up(&site.base.log).unwrap();
        let left = one.edit(&mut person, Some(&base), json!({"name": {"family": "Kahn"}}));
        let right = two.edit(&mut person, Some(&base), json!({"name": {"family": "Cahn"}}));
        one.push(&site, &[left]);
        two.push(&site, &[right]);
        grown.catch_up(&site.base.log).unwrap();
    }
    let before = dump(&grown);
    assert!(before.len() > 12);
    drop(grown);
    for file in ["views.db", "views.db-wal", "views.db-shm"] {
        let _ = std::fs::remove_file(site.dir.path().join(file));
    }
    let after = views(&site);
    assert_eq!(dump(&after), before);

    // Both sides of a conflict are found, whichever is shown.
    for text in ["kahn", "CAHN"] {
        assert_eq!(after.search(text).unwrap().len(), 6, "{text}");
    }
    let listed = after.list(Some(Kind::Person)).unwrap();
    assert!(listed.iter().all(|person| person["conflicts"][0]["path"] == "name/family"));
    assert_eq!(after.search("kahn nowhere").unwrap().len(), 0);
    assert_eq!(after.search(" ").unwrap().len(), 0);
}

#[test]
fn quality_is_counted_where_and_when_a_contact_is_now() {
    let site = Site::new();
    let tablet = site.tablet();
    let mut views = views(&site);
    let counted = |views: &Views| -> Vec<(u8, String, u64, u64)> {
        let rows = views.quality("2026-11-01", "2026-11-30").unwrap();
        let mut rows: Vec<_> =
            rows.into_iter().map(|row| (row.session[0], row.day, row.contacts, row.readings)).collect();
        rows.sort();
        rows
    };
    let fields = contact(None, "2026-11-20T13:05:00Z", &[(150, 90), (141, 88)]);
    let (mut one, begin) = tablet.begin(Kind::Contact, fields.clone());
    tablet.push(&site, &[begin, tablet.begin(Kind::Contact, fields).1]);
    views.catch_up(&site.base.log).unwrap();
    assert_eq!(counted(&views), [(5, "2026-11-20".into(), 2, 4)]);

    let elsewhere = json!({"session": RecordId::from_bytes([6; 16]).to_string()});
    tablet.push(&site, &[tablet.edit(&mut one, None, elsewhere)]);
    views.catch_up(&site.base.log).unwrap();
    assert_eq!(counted(&views), [(5, "2026-11-20".into(), 1, 2), (6, "2026-11-20".into(), 1, 2)]);

    tablet.push(&site, &[tablet.edit(&mut one, None, json!({"started_at": "2026-11-21T13:05:00Z"}))]);
    views.catch_up(&site.base.log).unwrap();
    assert_eq!(counted(&views), [(5, "2026-11-20".into(), 1, 2), (6, "2026-11-21".into(), 1, 2)]);

    let error = json!({"entered_in_error": {"at": "2026-11-22T10:00:00Z", "reason": "a training entry"}});
    tablet.push(&site, &[tablet.edit(&mut one, None, error)]);
    views.catch_up(&site.base.log).unwrap();
    assert_eq!(counted(&views), [(5, "2026-11-20".into(), 1, 2)]);
}

#[test]
fn the_worklist_begins_with_the_most_urgent_and_then_the_oldest() {
    let site = Site::new();
    let tablet = site.tablet();
    let offers: Vec<_> = [
        ("2026-11-20T13:05:00Z", (152, 94)),
        ("2026-11-20T14:05:00Z", (190, 124)),
        ("2026-11-19T13:05:00Z", (154, 96)),
        ("2026-11-20T15:05:00Z", (118, 76)),
    ]
    .into_iter()
    .map(|(at, reading)| tablet.begin(Kind::Contact, contact(None, at, &[reading])).1)
    .collect();
    tablet.push(&site, &offers);
    let listed = views(&site).worklist().unwrap();
    let order: Vec<_> = listed.iter().map(|item| item["contact"].as_str().unwrap().to_owned()).collect();
    let id = |i: usize| offers[i].0.to_string();
    assert_eq!(order[0], id(1));
    assert_eq!(order.iter().filter(|contact| **contact == id(3)).count(), 0);
    let high: Vec<_> = order.iter().filter(|contact| **contact != id(1)).cloned().collect();
    assert!(high == [id(2), id(0)] || high.is_empty(), "{listed:?}");
    assert_eq!(listed[0]["person"], Value::Null);
    assert!(listed[0]["actions"].is_array() && listed[0]["why"].is_string());
}

#[test]
fn two_may_follow_at_once() {
    let site = Site::new();
    let tablet = site.tablet();
    for _ in 0..3 {
        let offers: Vec<_> = (0..200).map(|_| tablet.begin(Kind::Person, json!({"sex": "F"})).1).collect();
        tablet.push(&site, &offers);
    }
    std::thread::scope(|scope| {
        let all: Vec<_> = (0..3).map(|_| scope.spawn(|| dump(&views(&site)))).collect();
        let dumps: Vec<_> = all.into_iter().map(|one| one.join().unwrap()).collect();
        assert!(dumps.iter().all(|dump| *dump == dumps[0] && dump.len() == 1803));
    });
}

#[test]
fn another_epoch_or_other_rules_derive_everything_again() {
    let site = Site::new();
    let tablet = site.tablet();
    tablet.push(&site, &[tablet.begin(Kind::Person, json!({"sex": "F"})).1]);
    let before = dump(&views(&site));
    let spoil = |sql: &str| views(&site).conn.execute_batch(sql).unwrap();
    spoil("DELETE FROM record; UPDATE made_by SET rules = 'older'");
    assert_eq!(dump(&views(&site)), before);
    spoil("UPDATE record SET search = 'spoilt'; UPDATE cursor SET epoch = zeroblob(8)");
    assert_eq!(dump(&views(&site)), before);
    spoil("PRAGMA user_version = 99");
    assert!(matches!(Views::open(site.dir.path()), Err(Error::Newer)));
}

#[test]
fn quarantine_shows_what_would_have_been_written() {
    let site = Site::new();
    let tablet = site.tablet();
    let fields = json!({"nhs_number": {"value": "999 000 0019"}, "name": {"given": "Amina"}});
    tablet.push(&site, &[tablet.begin(Kind::Person, fields).1]);
    let kept = site.base.log.read(crate::log::quarantine).unwrap();
    let shown = crate::cli::quarantined(&kept[0]);
    assert_eq!(shown["code"], Code::NhsNumberInvalid.as_str());
    assert_eq!(shown["path"], "nhs_number");
    assert_eq!(shown["values"]["name/given"], "Amina");
    let at: jiff::Timestamp = shown["received_at"].as_str().unwrap().parse().unwrap();
    assert_eq!(at.as_millisecond(), START as i64);
    assert!(views(&site).list(Some(Kind::Person)).unwrap().is_empty());
}

fn amina(family: &str) -> Value {
    json!({"name": {"given": "Amina", "family": family}, "date_of_birth": "1968-02-03", "phone": "07700 900123"})
}

/// Everything that views hold of people: merges in both directions, in a chain and taken back, pairs, decisions.
#[test]
fn merges_follow_ups_and_pairs_are_the_same_when_they_are_derived_again() {
    let site = Site::new();
    let tablet = site.tablet();
    let mut grown = views(&site);
    let mut people: Vec<_> = (0..7).map(|_| tablet.begin(Kind::Person, amina("Khan"))).collect();
    people.sort_by_key(|(_, begin)| begin.0);
    let ids: Vec<RecordId> = people.iter().map(|(_, begin)| begin.0).collect();
    let mut offers = Vec::new();
    for (index, into) in [(1, Some(0)), (0, Some(2)), (4, Some(3)), (5, Some(4)), (4, None), (6, Some(1))] {
        let into = into.map_or(Value::Null, |into: usize| json!(ids[into].to_string()));
        offers.push(tablet.set(&mut people[index].0, "merged_into", into));
    }
    let day = json!({"follow_ups": [{"type": "call", "due_on": "2026-11-20"}]});
    let mut contacts = Vec::new();
    for (_, begin) in &people {
        let mut fields = contact(Some(begin.0), "2026-11-20T13:05:00Z", &[(190, 124)]);
        fields.as_object_mut().unwrap().extend(day.as_object().unwrap().clone());
        contacts.push(tablet.begin(Kind::Contact, fields).1);
    }
    // Checks come before their people, and people in the wrong order.
    tablet.push(&site, &contacts);
    grown.catch_up(&site.base.log).unwrap();
    for (_, begin) in people.iter().rev() {
        tablet.push(&site, std::slice::from_ref(begin));
        grown.catch_up(&site.base.log).unwrap();
    }
    for offer in offers {
        tablet.push(&site, &[offer]);
        grown.catch_up(&site.base.log).unwrap();
    }
    let lowest = |ids: &[usize]| {
        for i in ids {
            assert_eq!(grown.standing(people[*i].1.0).unwrap(), people[ids[0]].1.0, "{ids:?} {i}");
        }
        assert_eq!(grown.of_person(people[ids[0]].1.0).unwrap().len(), ids.len());
    };
    lowest(&[0, 1, 2, 6]);
    lowest(&[3]);
    lowest(&[4, 5]);
    // Three that stand, each like the others.
    assert_eq!(grown.pairs(0, 100).unwrap().len(), 3);
    assert_eq!(grown.task_counts("2026-11-20").unwrap(), [0, 7, 0, 0]);
    let before = dump(&grown);
    drop(grown);
    for file in ["views.db", "views.db-wal", "views.db-shm"] {
        let _ = std::fs::remove_file(site.dir.path().join(file));
    }
    assert_eq!(dump(&views(&site)), before);
}

/// A name that very many share makes no pairs; and that is so whoever came last.
#[test]
fn a_key_that_very_many_share_says_nothing() {
    let site = Site::new();
    let tablet = site.tablet();
    let mut grown = views(&site);
    let named = || tablet.begin(Kind::Person, json!({"name": {"given": "Amina", "family": "Khan"}})).1;
    let some: Vec<_> = (0..3).map(|_| named()).collect();
    tablet.push(&site, &some);
    grown.catch_up(&site.base.log).unwrap();
    assert_eq!(grown.pairs(0, 100).unwrap().len(), 3);
    let many: Vec<_> = (0..60).map(|_| named()).collect();
    tablet.push(&site, &many);
    grown.catch_up(&site.base.log).unwrap();
    assert_eq!(grown.pairs(0, 100).unwrap().len(), 0);
    let (grown, fresh) = (dump(&grown), {
        for file in ["views.db", "views.db-wal", "views.db-shm"] {
            let _ = std::fs::remove_file(site.dir.path().join(file));
        }
        dump(&views(&site))
    });
    assert_eq!(grown, fresh);
}

/// What is archived stays, marked; what is erased goes, and whoever was with it is seen without it.
#[test]
fn views_that_were_deleted_come_back_the_same_after_archiving_and_erasing() {
    let site = Site::new();
    let tablet = site.tablet();
    let mut grown = views(&site);
    let mut people: Vec<_> = (0..4).map(|_| tablet.begin(Kind::Person, amina("Khan"))).collect();
    people.sort_by_key(|(_, begin)| begin.0);
    let ids: Vec<RecordId> = people.iter().map(|(_, begin)| begin.0).collect();
    let mut offers: Vec<_> = people.iter().map(|(_, begin)| begin.clone()).collect();
    // One leads on to the next: who stands for them is erased.
    offers.push(tablet.set(&mut people[1].0, "merged_into", json!(ids[0].to_string())));
    offers.push(tablet.set(&mut people[2].0, "merged_into", json!(ids[0].to_string())));
    let contacts: Vec<_> = ids
        .iter()
        .map(|id| tablet.begin(Kind::Contact, contact(Some(*id), "2026-11-20T13:05:00Z", &[(152, 94)])).1)
        .collect();
    offers.extend(contacts.iter().cloned());
    tablet.push(&site, &offers);
    grown.catch_up(&site.base.log).unwrap();
    let mut enter = |what, records: Vec<RecordId>| {
        let (team, made) = (site.team, crate::log::Made { at: START, by: "test" });
        site.base.log.write(move |txn| crate::log::enter(txn, team, what, &records, made)).unwrap();
        grown.catch_up(&site.base.log).unwrap();
        let before = dump(&grown);
        let fresh = tempfile::tempdir().unwrap();
        let mut fresh = Views::open(fresh.path()).unwrap();
        fresh.catch_up(&site.base.log).unwrap();
        assert_eq!(dump(&fresh), before);
    };
    enter(What::Archive, vec![ids[3], contacts[3].0]);
    enter(What::Erase, vec![ids[0]]);
    enter(What::Activate, vec![ids[3]]);
    enter(What::Erase, vec![ids[3], contacts[3].0, contacts[0].0]);
    assert_eq!(grown.show(ids[0]).unwrap(), None);
    assert_eq!(grown.list(Some(Kind::Person)).unwrap().len(), 2);
    assert_eq!(grown.list(Some(Kind::Contact)).unwrap().len(), 2);
    assert_eq!(grown.standing(ids[2]).unwrap(), ids[1], "still one, by the next");
}

/// A file of views that came from elsewhere is taken as far as it is of this log, and no farther.
#[test]
fn copied_views_are_followed_from_where_they_are_and_foreign_ones_forgotten() {
    let (site, elsewhere) = (Site::new(), Site::new());
    let tablet = site.tablet();
    let begin = |family: &str| tablet.begin(Kind::Person, json!({"name": {"family": family}})).1;
    tablet.push(&site, &[begin("Khan"), begin("Begum")]);
    let copy = site.dir.path().join("copy.db");
    views(&site).copy_to(&copy).unwrap();
    assert_eq!(std::fs::metadata(&copy).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(matches!(views(&site).copy_to(&copy), Err(Error::File(..))), "never over another file");
    tablet.push(&site, &[begin("Ali")]);
    let expected = dump(&views(&site));
    let spoilt_if_derived_again = "UPDATE record SET search = 'copied' WHERE kind = 'person'";
    let begin_with = |file: &std::path::Path, sql: &str| {
        for file in ["views.db", "views.db-wal", "views.db-shm"] {
            let _ = std::fs::remove_file(site.dir.path().join(file));
        }
        std::fs::copy(file, site.dir.path().join("views.db")).unwrap();
        Views::open(site.dir.path()).unwrap().conn.execute_batch(sql).unwrap();
        views(&site)
    };
    // What it held is not read again, what came later is.
    let taken = begin_with(&copy, spoilt_if_derived_again);
    assert_eq!((taken.search("copied").unwrap().len(), taken.search("ali").unwrap().len()), (2, 1));
    assert_eq!(dump(&begin_with(&copy, "")), expected);

    // It says that it is farther than this log ever was.
    let beyond = format!("UPDATE cursor SET seq = 1000; {spoilt_if_derived_again}");
    assert_eq!(dump(&begin_with(&copy, &beyond)), expected);
    // Of another server.
    let other = elsewhere.tablet();
    other.push(&elsewhere, &[other.begin(Kind::Person, json!({"name": {"family": "Smith"}})).1]);
    let foreign = elsewhere.dir.path().join("copy.db");
    views(&elsewhere).copy_to(&foreign).unwrap();
    assert_eq!(dump(&begin_with(&foreign, "")), expected);
}
