//! The letter about a check, and what is drawn of its readings.

use serde_json::{Value, json};
use wayside_protocol::record::{Kind, RecordId};

use super::Desk;
use super::coordinating::{SESSION, act, page, push};
use crate::accounts::Role;
use crate::testing::Tablet;

fn person(desk: &Desk, tablet: &Tablet, consents: Value) -> RecordId {
    let fields = json!({"name": {"given": "Amina", "family": "Khan"}, "date_of_birth": "1968-02-03",
        "nhs_number": {"value": "999 000 0018"}, "address": {"lines": ["1 Some Street"], "postcode": "LS1 4AP"},
        "gp": {"practice_name": "Park Surgery", "ods_code": "B86001"}, "consents": consents});
    push(desk, tablet, Kind::Person, fields)
}

fn consent(given: bool) -> Value {
    json!({"cccccccc": {"purpose": "share_with_gp", "given": given, "at": "2026-11-17T13:00:00Z", "by": "nurse-01"}})
}

fn reading(minute: u8, systolic: i64, diastolic: i64, more: Value) -> Value {
    let mut reading = json!({"taken_at": format!("2026-11-17T13:{minute:02}:00Z"), "systolic": systolic,
        "diastolic": diastolic, "pulse": 71, "arm": "left", "position": "sitting", "setting": "clinic"});
    reading.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    reading
}

fn check(desk: &Desk, tablet: &Tablet, person: Option<RecordId>) -> RecordId {
    let fields = json!({"session": SESSION, "started_at": "2026-11-17T13:05:00Z", "reason": "walk_up",
        "person": person.map(|id| id.to_string()),
        "bp": {"readings": {"aaaaaaaa": reading(6, 158, 96, json!({})), "bbbbbbbb": reading(8, 152, 94, json!({}))}}});
    push(desk, tablet, Kind::Contact, fields)
}

const FOR_PRACTICE: &str = "To the GP practice";

#[tokio::test]
async fn with_consent_there_is_a_letter_with_every_item_and_a_copy_for_the_person() {
    let desk = Desk::new();
    let vic = desk.signed_in("vic", Role::Viewer).await;
    let tablet = desk.site.tablet();
    let person = person(&desk, &tablet, consent(true));
    let check = check(&desk, &tablet, Some(person));
    let letter = page(&desk, &vic, &format!("/checks/{check}/letter")).await;
    let (practice, own) = letter.split_once("id=\"for-person\"").unwrap();
    assert!(practice.contains(FOR_PRACTICE));
    for item in [
        "Amina Khan",
        "3 February 1968",
        "999 000 0018",
        "1 Some Street",
        "Park Surgery",
        "B86001",
        "North",
        "152/94 mmHg",
        "158/96 mmHg",
        "71 a minute",
        "nurse-01",
        "Reason for the contact",
    ] {
        assert!(practice.contains(item), "{item}");
    }
    assert!(!practice.contains("needs it") && !practice.contains("Disputed"));
    assert!(own.contains("Amina Khan") && own.contains("152 over 94") && own.contains("What to do next"));
    // It never says what somebody has.
    assert!(!letter.to_lowercase().contains("hypertension"));
    assert!(
        page(&desk, &vic, &format!("/checks/{check}")).await.contains(&format!("/checks/{check}/letter"))
    );
}

#[tokio::test]
async fn without_consent_only_the_persons_copy_is_printed() {
    let desk = Desk::new();
    let vic = desk.signed_in("vic", Role::Viewer).await;
    let tablet = desk.site.tablet();
    let refused = person(&desk, &tablet, consent(false));
    let silent = person(&desk, &tablet, json!({}));
    let agreed = person(&desk, &tablet, consent(true));
    for who in [Some(refused), Some(silent), None] {
        let check = check(&desk, &tablet, who);
        let letter = page(&desk, &vic, &format!("/checks/{check}/letter")).await;
        assert!(!letter.contains(FOR_PRACTICE) && !letter.contains("999 000 0018"), "{who:?}");
        assert!(letter.contains("No letter to the practice.") && letter.contains("id=\"for-person\""));
    }
    // A refusal on the other record of the same person counts, too.
    let check = check(&desk, &tablet, Some(agreed));
    let path = format!("/checks/{check}/letter");
    assert!(page(&desk, &vic, &path).await.contains(FOR_PRACTICE));
    let cora = desk.signed_in("cora", Role::Coordinator).await;
    let merged = act(&desk, &cora, agreed, json!({"act": "merge", "with": refused.to_string()})).await;
    assert!(merged.status.is_success(), "{}", merged.body);
    assert!(!page(&desk, &vic, &path).await.contains(FOR_PRACTICE));
}

#[tokio::test]
async fn disputed_values_are_said_as_such_and_drawn_as_such() {
    let desk = Desk::new();
    let vic = desk.signed_in("vic", Role::Viewer).await;
    let (one, two) = (desk.site.tablet(), desk.site.tablet());
    let person = person(&desk, &one, consent(true));
    let fields = json!({"session": SESSION, "person": person.to_string(), "started_at": "2026-11-17T13:05:00Z",
        "bp": {"readings": {"aaaaaaaa": reading(6, 131, 84, json!({}))}}});
    let (mut check, begin) = one.begin(Kind::Contact, fields);
    let base = check.heads();
    one.push(&desk.site, std::slice::from_ref(&begin));
    for (tablet, id, systolic) in [(&one, "bbbbbbbb", 152), (&two, "cccccccc", 162)] {
        let fields = reading(6, systolic, 94, json!({"corrects": "aaaaaaaa", "reason": "slip"}));
        let edit = tablet.edit(&mut check, Some(&base), json!({"bp": {"readings": {id: fields}}}));
        tablet.push(&desk.site, &[edit]);
    }
    desk.catch_up();
    let letter = page(&desk, &vic, &format!("/checks/{}/letter", begin.0)).await;
    let (practice, own) = letter.split_once("id=\"for-person\"").unwrap();
    assert!(practice.contains("Some values are disputed") && practice.contains("see all readings"));
    assert!(practice.contains("152/94") && practice.contains("162/94"));
    assert!(!own.contains("152") && !own.contains("162") && own.contains("is being checked"), "{own}");
    // Both are drawn, each with a broken line, and the thresholds of staff's readings beside them.
    let shown = page(&desk, &vic, &format!("/checks/{}", begin.0)).await;
    assert_eq!(shown.matches("app-chart__reading--disputed").count(), 2);
    assert!(shown.contains("Raised: upper 140") && shown.contains("Very high: lower 120"));
    assert!(shown.contains("A broken line joins values that are disputed."));
    let story = page(&desk, &vic, &format!("/people/{person}")).await;
    assert!(story.contains("Readings over time") && story.contains("(disputed)"));
}

#[tokio::test]
async fn home_readings_and_those_of_children_are_drawn_with_their_own_lines() {
    let desk = Desk::new();
    let vic = desk.signed_in("vic", Role::Viewer).await;
    let tablet = desk.site.tablet();
    let home = |minute, systolic| reading(minute, systolic, 84, json!({"setting": "hbpm"}));
    let readings = json!({"aaaaaaaa": home(6, 138), "bbbbbbbb": home(8, 136)});
    let fields =
        json!({"session": SESSION, "started_at": "2026-11-17T13:05:00Z", "bp": {"readings": readings}});
    let at_home = push(&desk, &tablet, Kind::Contact, fields);
    let shown = page(&desk, &vic, &format!("/checks/{at_home}")).await;
    assert!(shown.contains("Stage 1: upper 135") && !shown.contains("Raised: upper 140"));
    let child = push(&desk, &tablet, Kind::Person, json!({"date_of_birth": "2012-02-03"}));
    let shown = page(&desk, &vic, &format!("/checks/{}", check(&desk, &tablet, Some(child)))).await;
    assert!(shown.contains("Under 18 no lines are drawn") && !shown.contains("upper 140"));
}
