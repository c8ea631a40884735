//! What a GP practice is told: all items of the pack, never half a blood pressure, nothing disputed as truth.
#![allow(clippy::unwrap_used)]

use serde_json::{Value, json};
use wayside_protocol::clinical::gp_message::{
    GpItem, GpMessage, GpStanding, Said, Sender, Share, gp_message, share_with_gp,
};

fn told(contact: Value, person: Option<Value>) -> GpMessage {
    let sender = Sender { organisation: "Leeds East", clinician: "Nurse One", role: "nurse" };
    gp_message(&contact, person.as_ref(), Share::Agreed, sender)
}

fn said(message: &GpMessage, item: GpItem) -> String {
    let parts = message.line(item).unwrap().said.iter().map(|said| match said {
        Said::Words(words) => words.clone(),
        Said::Day(day) => day.clone(),
        Said::At { at, words } => format!("{at} {words}"),
    });
    parts.collect::<Vec<_>>().join(" | ")
}

fn standing(message: &GpMessage, item: GpItem) -> GpStanding {
    message.line(item).unwrap().standing
}

fn amina() -> Value {
    json!({"name": {"given": "Amina", "family": "Khan"}, "date_of_birth": "1968-02-03", "sex": "female",
        "nhs_number": "999 000 0018", "address": {"lines": ["1 Example Street"], "postcode": "ZZ99 3CZ"},
        "gp": {"registered": "yes", "ods_code": "B99999", "practice_name": "Example Surgery"}})
}

fn check(more: Value) -> Value {
    let mut contact = json!({"started_at": "2026-11-20T13:05:00Z", "reason": "walk_up", "check_type": "bp_only",
        "bp": {"readings": {
            "aaaaaaaa": {"taken_at": "2026-11-20T13:06:00Z", "systolic": 158, "diastolic": 98, "pulse": 80},
            "bbbbbbbb": {"taken_at": "2026-11-20T13:08:00Z", "systolic": 152, "diastolic": 94, "pulse": 71, "arm": "left"}}}});
    contact.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    contact
}

#[test]
fn every_item_that_the_message_must_have_is_there() {
    let message = told(check(json!({})), Some(amina()));
    for item in GpItem::ALL.iter().filter(|item| item.mandatory()) {
        assert_eq!(standing(&message, *item), GpStanding::Recorded, "{item}");
    }
    assert_eq!(message.lines.len(), GpItem::ALL.len());
    assert_eq!(said(&message, GpItem::BloodPressure), "152/94 mmHg");
    assert_eq!(said(&message, GpItem::PulseRate), "71 a minute");
    assert!(said(&message, GpItem::Readings).contains("158/98 mmHg"));
    assert!(said(&message, GpItem::Readings).contains("152/94 mmHg, pulse 71, left arm, this one counts"));
    assert!(said(&message, GpItem::Summary).contains("Raised reading"));
    assert!(said(&message, GpItem::NhsNumber).starts_with("999 000 0018 (present, not traced)"));
    assert!(!said(&message, GpItem::Summary).to_lowercase().contains("hypertension"));
}

#[test]
fn what_was_not_recorded_and_what_was_declined_are_told_apart() {
    let message = told(check(json!({"declined": ["lifestyle"]})), Some(json!({"declined": ["address"]})));
    assert_eq!(standing(&message, GpItem::Address), GpStanding::Declined);
    assert_eq!(standing(&message, GpItem::Lifestyle), GpStanding::Declined);
    assert_eq!(standing(&message, GpItem::DateOfBirth), GpStanding::NotRecorded);
}

#[test]
fn half_a_reading_and_one_that_was_struck_out_are_not_told() {
    let readings = json!({"readings": {
        "aaaaaaaa": {"taken_at": "2026-11-20T13:06:00Z", "systolic": 190},
        "bbbbbbbb": {"taken_at": "2026-11-20T13:08:00Z", "systolic": 152, "diastolic": 94, "struck_out": {"reason": "cuff"}}}});
    let message = told(check(json!({"bp": readings})), Some(amina()));
    for item in [GpItem::BloodPressure, GpItem::Readings] {
        assert_eq!(said(&message, item), "", "{item}");
    }
    assert!(!serde_json::to_string(&message).unwrap().contains("190"));
}

#[test]
fn values_that_disagree_are_all_told_and_marked() {
    let readings = json!({"readings": {
        "aaaaaaaa": {"taken_at": "2026-11-20T13:06:00Z", "systolic": 125, "diastolic": 94, "corrected_by": ["bbbbbbbb", "cccccccc"]},
        "bbbbbbbb": {"taken_at": "2026-11-20T13:06:00Z", "systolic": 152, "diastolic": 94, "corrects": "aaaaaaaa"},
        "cccccccc": {"taken_at": "2026-11-20T13:06:00Z", "systolic": 122, "diastolic": 74, "corrects": "aaaaaaaa"}}});
    let mut person = amina();
    person["conflicts"] = json!([{"path": "name/family", "values": [{"value": "Khan"}, {"value": "Kahn"}]},
        {"path": "birth", "values": [{"value": {"date_of_birth": "1968-02-03"}}, {"value": {"date_of_birth": "1986-02-03"}}]}]);
    let message = told(check(json!({"bp": readings})), Some(person));
    for (item, both) in [
        (GpItem::BloodPressure, ["152/94", "122/74"]),
        (GpItem::Readings, ["152/94", "122/74"]),
        (GpItem::Name, ["Khan", "Kahn"]),
        (GpItem::DateOfBirth, ["1968-02-03", "1986-02-03"]),
    ] {
        assert_eq!(standing(&message, item), GpStanding::Unsettled, "{item}");
        assert!(
            both.iter().all(|value| said(&message, item).contains(value)),
            "{item}: {}",
            said(&message, item)
        );
    }
    assert!(!said(&message, GpItem::Readings).contains("this one counts"));
}

#[test]
fn only_a_yes_that_stands_lets_it_go() {
    let consent = |more: Value| {
        let mut consent = json!({"purpose": "share_with_gp", "given": true, "at": "2026-11-20T13:00:00Z"});
        consent.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        consent
    };
    let yes = || consent(json!({}));
    let no = |at: &str| consent(json!({"given": false, "at": at}));
    for (consents, share) in [
        (vec![], Share::NotAsked),
        (vec![yes()], Share::Agreed),
        (vec![consent(json!({"purpose": "contact_me"}))], Share::NotAsked),
        (vec![consent(json!({"given": null}))], Share::Refused),
        (vec![consent(json!({"withdrawn_at": "2026-11-21T09:00:00Z"}))], Share::Withdrawn),
        (vec![consent(json!({"struck_out": {"reason": "wrong person"}}))], Share::NotAsked),
        (vec![yes(), no("2026-11-21T09:00:00Z")], Share::Refused),
        (vec![yes(), no("2026-11-19T09:00:00Z")], Share::Agreed),
        (vec![yes(), no("2026-11-20T13:00:00Z")], Share::Refused),
        (vec![yes(), no("")], Share::Refused),
    ] {
        let ids = ["aaaaaaaa", "bbbbbbbb"].into_iter().map(str::to_owned);
        let map: serde_json::Map<String, Value> = ids.zip(consents).collect();
        let person = json!({"consents": map});
        assert_eq!(share_with_gp([&person]), share, "{person}");
        assert_eq!(share.may_send(), share == Share::Agreed);
    }
    // What somebody said on another record of theirs they said.
    let (one, other) = (
        json!({"consents": {"aaaaaaaa": yes()}}),
        json!({"consents": {"bbbbbbbb": no("2026-11-21T09:00:00Z")}}),
    );
    assert_eq!(share_with_gp([&one, &other]), Share::Refused);
}
