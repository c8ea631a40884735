//! Finding people again, and seeing that somebody is here already.

use serde_json::{Value, json};

use super::{Kit, by, line};
use crate::{Edit, Kind, Page, RecordId};

fn person(kit: &Kit, person: Value) -> RecordId {
    let mut line = line();
    line["person"] = person;
    kit.tablet.record(line, &by()).unwrap().person.unwrap()
}

fn found(kit: &Kit, text: &str) -> Vec<String> {
    let records = kit.tablet.search(text, Page::default()).unwrap();
    records.iter().map(|record| record["id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn people_are_found_however_they_are_typed() {
    let kit = Kit::new(1);
    let amina = kit.record().person.unwrap().to_string();
    let jose =
        person(&kit, json!({"name": {"given": "José", "family": "Núñez"}, "date_of_birth": "1970-12-01"}));
    let mohamed = person(&kit, json!({"name": {"given": "Mohamed", "family": "Sheikh"}}));
    for text in [
        "amina khan",
        "KHAN Amina",
        "kh am",
        "Kahn",
        "amnia",
        "khan 3/2/1968",
        "3 Feb 1968",
        "03.02.1968",
        "1968-02-03",
        "3rd February 1968 amina",
        "999 000 0018",
        "9990000018",
        "07700 900123",
        "900123",
    ] {
        assert_eq!(found(&kit, text).first(), Some(&amina), "{text}");
    }
    assert_eq!(found(&kit, "jose nunez"), [jose.to_string()]);
    assert_eq!(found(&kit, "NÚÑEZ"), [jose.to_string()]);
    assert_eq!(found(&kit, "muhammad shaikh"), [mohamed.to_string()]);
    assert!(found(&kit, "a").is_empty() && found(&kit, "").is_empty() && found(&kit, "begum").is_empty());
    assert!(found(&kit, "amina 4/2/1968").is_empty(), "every word must be found");
    // A site is found among the people, after them.
    let site = kit.tablet.list(Some(Kind::Site), Page::default()).unwrap().remove(0)["id"].clone();
    assert_eq!(found(&kit, "masjid"), [site.as_str().unwrap()]);
    let page = Page { offset: 0, limit: Some(1) };
    assert_eq!(kit.tablet.search("mo", page).unwrap().len(), 1);
}

#[test]
fn the_best_comes_first_and_every_concurrent_name_is_found() {
    let kit = Kit::new(1);
    let near = person(&kit, json!({"name": {"given": "Fatima", "family": "Khanum"}}));
    let exact = person(&kit, json!({"name": {"given": "Fatima", "family": "Khan"}}));
    assert_eq!(found(&kit, "khan"), [exact.to_string(), near.to_string()]);

    // Two people edited the name on the same screen.
    let heads = kit.shown(exact).heads;
    kit.tablet.edit(exact, Edit::set("name/family", "Patel").on(&heads), &by()).unwrap();
    kit.tablet.edit(exact, Edit::set("name/family", "Begum").on(&heads), &by()).unwrap();
    for text in ["patel", "begum"] {
        assert_eq!(found(&kit, text), [exact.to_string()]);
    }
    assert_eq!(found(&kit, "khan"), [near.to_string()]);
}

#[test]
fn somebody_who_is_here_already_is_named_with_the_reasons() {
    let kit = Kit::new(1);
    let amina = kit.record().person.unwrap();
    let typed = json!({"name": {"given": "Aminah", "family": "Kahn"}, "date_of_birth": "1968-02-03", "phone": "+44 7700 900123"});
    let likely = kit.tablet.likely_duplicates(&typed).unwrap();
    let [one] = &likely[..] else { panic!("{likely:?}") };
    assert_eq!((one.person.id, one.person.name.as_str()), (amina, "Amina Khan"));
    assert_eq!(
        (one.person.birth.as_str(), one.person.nhs_number.as_str()),
        ("3 February 1968", "999 000 0018")
    );
    assert_eq!(one.person.phone, "07700 900123");
    assert_eq!(one.words, ["Same date of birth", "Same telephone number", "Nearly the same name"]);
    let shown = serde_json::to_value(one).unwrap();
    assert_eq!((&shown["likeness"], &shown["name"]), (&json!("likely"), &json!("Amina Khan")));

    // The same number on somebody quite different is worth a look; a stranger is not.
    let other = json!({"name": {"given": "George", "family": "Smith"}, "nhs_number": "999 000 0018"});
    assert_eq!(kit.tablet.likely_duplicates(&other).unwrap().len(), 1);
    assert!(
        kit.tablet
            .likely_duplicates(&json!({"name": {"given": "Olga", "family": "Petrova"}}))
            .unwrap()
            .is_empty()
    );
    // Nobody is a duplicate of themselves, nor of somebody they were said not to be.
    let own = kit.show(amina);
    assert!(kit.tablet.likely_duplicates(&own).unwrap().is_empty());
    let twin = person(&kit, typed);
    assert_eq!(kit.tablet.likely_duplicates(&own).unwrap()[0].person.id, twin);
    kit.tablet.edit(amina, Edit::set("not_same_as", json!([{"person": twin}])), &by()).unwrap();
    for id in [amina, twin] {
        assert!(kit.tablet.likely_duplicates(&kit.show(id)).unwrap().is_empty());
    }
}

#[test]
fn of_people_found_to_be_one_the_lowest_stands_for_all_until_they_are_taken_apart() {
    let kit = Kit::new(1);
    let first = kit.record().person.unwrap();
    kit.clock.advance(1);
    let second = person(&kit, json!({"name": {"given": "Mina", "family": "Kan"}, "phone": "07700 900456"}));
    assert!(first < second, "ids are by time");
    // Whichever way round it was said.
    kit.tablet.edit(first, Edit::set("merged_into", second.to_string()), &by()).unwrap();
    assert_eq!(found(&kit, "mina kan"), [first.to_string()]);
    assert_eq!(found(&kit, "07700 900456"), [first.to_string()]);
    let likely = kit
        .tablet
        .likely_duplicates(&json!({"name": {"given": "Mina", "family": "Kan"}, "phone": "07700 900456"}));
    assert_eq!(likely.unwrap().iter().map(|one| one.person.id).collect::<Vec<_>>(), [first]);
    // A late contact of the merged person stands in the one story.
    let mut late = line();
    late["person"] = json!(second);
    late["session"]["date"] = json!("2026-12-04");
    late["contact"]["started_at"] = json!("2026-12-04T13:00:00Z");
    let late = kit.tablet.record(late, &by()).unwrap().contact;
    let told = kit.tablet.timeline(first).unwrap();
    assert!(told.iter().any(|event| event.record == late.to_string()));
    assert_eq!(told, kit.tablet.timeline(second).unwrap());

    kit.tablet.edit(first, Edit::set("merged_into", Value::Null), &by()).unwrap();
    assert_eq!(found(&kit, "mina kan"), [second.to_string(), first.to_string()], "the nearer name first");
    assert_eq!(found(&kit, "07700 900456"), [second.to_string()]);
    assert!(!kit.tablet.timeline(first).unwrap().iter().any(|event| event.record == late.to_string()));
}

#[test]
fn an_older_database_is_searched_after_an_upgrade() {
    let mut kit = Kit::new(1);
    let person = kit.record().person.unwrap();
    let parked = kit.record().contact;
    kit.tablet.park(parked, &by()).unwrap();
    let before = kit.tablet.half_done(Page::default()).unwrap();
    // As the schema before left it.
    let undo =
        "DROP TABLE contact; DROP TABLE person; DROP TABLE find_key; DELETE FROM meta WHERE name = 'index';
        DROP INDEX record_archived; DROP INDEX record_hidden; DROP INDEX change_list; DROP TABLE notice;
        ALTER TABLE record DROP COLUMN archived; ALTER TABLE record DROP COLUMN hidden;
        INSERT INTO meta VALUES ('notice', 'server_restored'), ('notice_at', '2026-11-19T12:00:00Z');
        PRAGMA user_version = 2;";
    kit.tablet.0.store.write(|conn| Ok(conn.execute_batch(undo)?)).unwrap();
    kit.reopen();
    assert_eq!(found(&kit, "khan 3/2/1968").first(), Some(&person.to_string()));
    assert_eq!(kit.tablet.half_done(Page::default()).unwrap(), before);
    let notices = kit.tablet.status().unwrap().notices;
    let told: Vec<_> = notices.iter().map(|notice| (notice.code, notice.at.as_deref())).collect();
    assert_eq!(told, [("server_restored", Some("2026-11-19T12:00:00Z"))]);
}

#[test]
fn what_identifies_a_person_is_checked_as_it_was_typed() {
    let kit = Kit::new(1);
    let typed = json!({
        "name": {"given": "  Amina ", "family": "Kh4n"}, "date_of_birth": "3 feb 1868", "nhs_number": "999 000 0019",
        "address": {"postcode": "ls90tf"}, "phone": "+447700900123",
    });
    let findings = serde_json::to_value(kit.tablet.check_person(&typed)).unwrap();
    let at = |path: &str| {
        findings.as_array().unwrap().iter().find(|finding| finding["path"] == path).unwrap().clone()
    };
    assert_eq!((&at("name/given")["value"], &at("name/given")["level"]), (&json!("Amina"), &json!("fine")));
    let confirm = (&json!("confirm"), &json!("confirm_unusual"));
    assert_eq!((&at("name/family")["level"], &at("name/family")["code"]), confirm);
    assert_eq!((&at("date_of_birth")["level"], &at("date_of_birth")["code"]), confirm);
    assert_eq!(at("date_of_birth")["shown"], "3 February 1868");
    assert_eq!(
        (&at("nhs_number")["level"], &at("nhs_number")["code"]),
        (&json!("block"), &json!("nhs_number_invalid"))
    );
    assert_eq!(at("address/postcode")["value"], "LS9 0TF");
    assert_eq!(at("phone")["shown"], "07700 900123");
}
