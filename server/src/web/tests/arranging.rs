//! What coordinators arrange on a check's page: referrals, a monitor that comes back, days of a home diary.

use axum::http::StatusCode;
use serde_json::{Value, json};
use wayside_protocol::record::{Kind, RecordId};

use super::coordinating::{SESSION, act, get, page, push, submit, very_high};
use super::{Desk, form};
use crate::accounts::Role;
use crate::api::team::{self, ServiceFields};

/// A check refuses each of these, and says which it was.
async fn refuses(desk: &Desk, cookie: &str, check: RecordId, bodies: &[(Value, &str)]) {
    let before = desk.heads(check);
    for (body, code) in bodies {
        let answer = act(desk, cookie, check, body.clone()).await;
        assert!(answer.status.is_client_error(), "{body}: {}", answer.body);
        assert_eq!(answer.code(), *code, "{body}");
    }
    assert_eq!(desk.heads(check), before);
    assert_eq!(desk.site.count("quarantine"), 0);
}

#[tokio::test]
async fn a_referral_goes_to_a_service_of_the_directory_or_to_whoever_is_named() {
    let desk = Desk::new();
    let cora = desk.signed_in("cora", Role::Coordinator).await;
    let vic = desk.signed_in("vic", Role::Viewer).await;
    let service = |name: &str, active: bool| ServiceFields {
        name: Some(name.into()),
        kind: Some("stop_smoking".into()),
        active: Some(active),
        ..ServiceFields::default()
    };
    for (name, active) in [("Breathe <Easy>", true), ("Closed Clinic", false)] {
        team::add_service(&desk.site.base, desk.site.team, "cora", service(name, active)).unwrap();
    }
    let tablet = desk.site.tablet();
    let check = push(&desk, &tablet, Kind::Contact, very_high(None, &json!({})));
    let at = format!("/checks/{check}");
    let shown = page(&desk, &cora, &at).await;
    assert!(shown.contains("Breathe &#60;Easy&#62; (Stop smoking)"), "the directory is offered");
    assert!(!shown.contains("Closed Clinic"), "and only what is in use");
    assert!(!page(&desk, &vic, &at).await.contains("Make a referral"));

    let refer = [
        ("act", "referral"),
        ("to", "Breathe <Easy>"),
        ("other", ""),
        ("urgency", "routine"),
        ("how", "phone"),
        ("reason", "wants to stop"),
    ];
    assert_eq!(submit(&desk, &cora, check, &refer).await, at);
    let shown = page(&desk, &cora, &at).await;
    assert!(
        shown.contains("Referral to Breathe &#60;Easy&#62; <strong") && shown.contains("wants to stop"),
        "{shown}"
    );
    let named =
        [("act", "referral"), ("to", ""), ("other", "Dr Two"), ("urgency", "same_day"), ("how", "phone")];
    submit(&desk, &cora, check, &named).await;
    let list = get(&desk, &vic, "/api/v1/follow-ups").await;
    assert_eq!((&list["items"][0]["task"]["what"], &list["due"]), (&json!("Dr Two"), &json!(1)));
    let record = get(&desk, &vic, &format!("/api/v1/checks/{check}")).await;
    let made = record["record"]["referrals"].as_object().unwrap();
    assert!(made.values().all(|one| one["by"] == "cora" && one["made_at"].is_string()));

    let refused = [
        (json!({"act": "referral", "urgency": "routine"}), "missing_field"),
        (json!({"act": "referral", "to": "gp", "urgency": ""}), "missing_field"),
        (json!({"act": "referral", "to": "gp", "urgency": "soon"}), "unknown_value"),
        (json!({"act": "referral", "to": "gp"}), "bad_json"),
    ];
    refuses(&desk, &cora, check, &refused).await;
    let person = push(&desk, &tablet, Kind::Person, json!({"name": {"given": "Amina"}}));
    refuses(
        &desk,
        &cora,
        person,
        &[(json!({"act": "referral", "to": "gp", "urgency": "routine"}), "wrong_kind")],
    )
    .await;
    let answer = desk.post(&format!("/records/{check}/act"), &vic, &form(&refer)).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_monitor_comes_back_once() {
    let desk = Desk::new();
    let cora = desk.signed_in("cora", Role::Coordinator).await;
    let vic = desk.signed_in("vic", Role::Viewer).await;
    let tablet = desk.site.tablet();
    let lent = json!({"monitor_loan": {"device": "HM-07", "lent_at": "2026-11-17T13:10:00Z"}});
    let check = push(&desk, &tablet, Kind::Contact, very_high(None, &lent));
    let at = format!("/checks/{check}");
    assert!(!page(&desk, &vic, &at).await.contains("The monitor is back"));
    assert!(page(&desk, &cora, &at).await.contains("The monitor is back"));

    assert_eq!(submit(&desk, &cora, check, &[("act", "return_loan")]).await, at);
    let shown = page(&desk, &cora, &at).await;
    assert!(
        !shown.contains("The monitor is back") && shown.contains("returned at: Wednesday 18 November 2026")
    );
    refuses(&desk, &cora, check, &[(json!({"act": "return_loan"}), "changed_meanwhile")]).await;
    let other = push(&desk, &tablet, Kind::Contact, very_high(None, &json!({})));
    refuses(&desk, &cora, other, &[(json!({"act": "return_loan"}), "entry_not_found")]).await;
    let answer = desk.post(&format!("/records/{check}/act"), &vic, &form(&[("act", "return_loan")])).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn days_of_a_home_diary_are_typed_in_and_their_mean_counts() {
    let desk = Desk::new();
    let cora = desk.signed_in("cora", Role::Coordinator).await;
    let vic = desk.signed_in("vic", Role::Viewer).await;
    let tablet = desk.site.tablet();
    let begun = json!({"session": SESSION, "started_at": "2026-11-17T13:05:00Z", "reason": "follow_up"});
    let check = push(&desk, &tablet, Kind::Contact, begun);
    let at = format!("/checks/{check}");
    let refused = [
        (json!({"act": "diary_day", "day": "2026-11-14"}), "missing_field"),
        (json!({"act": "diary_day", "day": "", "morning": "138/86"}), "missing_field"),
        (json!({"act": "diary_day", "day": "Monday", "morning": "138/86"}), "wrong_type"),
        (json!({"act": "diary_day", "day": "2026-11-19", "morning": "138/86"}), "out_of_range"),
        (json!({"act": "diary_day", "day": "2026-11-14", "morning": "138"}), "wrong_type"),
        (
            json!({"act": "diary_day", "day": "2026-11-14", "morning": "138/86", "evening": "400/86"}),
            "out_of_range",
        ),
        (json!({"act": "diary_day", "day": "2026-11-14", "morning": "86/138"}), "out_of_range"),
    ];
    refuses(&desk, &cora, check, &refused).await;

    for day in ["2026-11-13", "2026-11-14", "2026-11-15", "2026-11-16"] {
        // The first day is higher and does not count (clinical pack, 1.11).
        let first = day == "2026-11-13";
        let (morning, evening) = if first { ("160/100", "162/101") } else { ("138/86", " 140 / 88 ") };
        let typed = [
            ("act", "diary_day"),
            ("day", day),
            ("morning", morning),
            ("morning_again", morning),
            ("evening", evening),
            ("evening_again", evening),
            ("confirmed_unusual", "false"),
        ];
        assert_eq!(submit(&desk, &cora, check, &typed).await, at);
    }
    let shown = get(&desk, &vic, &format!("/api/v1/checks/{check}")).await;
    let (derived, readings) =
        (&shown["record"]["derived"], shown["record"]["bp"]["readings"].as_object().unwrap());
    assert_eq!((readings.len(), &derived["category"]), (16, &json!("HIGH_STAGE1")), "{derived}");
    assert_eq!((&derived["systolic"], &derived["diastolic"]), (&json!(139), &json!(87)));
    assert!(readings.values().all(|one| one["setting"] == "hbpm" && one["by"] == "cora"));
    assert!(readings.values().any(|one| one["taken_at"] == "2026-11-14T08:00:00Z"));
    assert!(page(&desk, &cora, &at).await.contains("139/87"));

    let again = json!({"act": "diary_day", "day": "2026-11-14", "morning": "120/80"});
    refuses(&desk, &cora, check, &[(again.clone(), "changed_meanwhile")]).await;
    assert!(!page(&desk, &vic, &at).await.contains("a day of a home diary"));
    // Beside what staff measured it would not count, and nobody is known whose diary it could be.
    let clinic = push(&desk, &tablet, Kind::Contact, very_high(None, &json!({})));
    assert!(!page(&desk, &cora, &format!("/checks/{clinic}")).await.contains("a day of a home diary"));
    refuses(&desk, &cora, clinic, &[(again, "wrong_kind")]).await;
    let typed = [("act", "diary_day"), ("day", "2026-11-17"), ("morning", "120/80")];
    let answer = desk.post(&format!("/records/{check}/act"), &vic, &form(&typed)).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_diary_from_the_check_that_lent_the_monitor_is_a_check_of_its_own() {
    let desk = Desk::new();
    let cora = desk.signed_in("cora", Role::Coordinator).await;
    let tablet = desk.site.tablet();
    let person = push(&desk, &tablet, Kind::Person, json!({"name": {"given": "Amina"}}));
    let check = push(&desk, &tablet, Kind::Contact, very_high(Some(person), &json!({})));
    let page_of = page(&desk, &cora, &format!("/checks/{check}")).await;
    assert!(page_of.contains("they go to a check of their own"));
    let before = desk.heads(check);
    // What came of a 24-hour monitor, and a diary that was entered in error, are not the place for it.
    for (setting, error) in [("abpm", Value::Null), ("hbpm", json!({"reason": "wrong person"}))] {
        let mean =
            json!({"taken_at": "2026-11-17T20:00:00Z", "systolic": 139, "diastolic": 87, "setting": setting});
        let other = json!({"session": SESSION, "person": person.to_string(), "started_at": "2026-11-17T21:00:00Z",
            "bp": {"readings": {"aaaaaaaa": mean}}, "entered_in_error": error});
        push(&desk, &tablet, Kind::Contact, other);
    }
    let refused = [(json!({"act": "diary_day", "day": "2026-11-17", "morning": "400/80"}), "out_of_range")];
    refuses(&desk, &cora, check, &refused).await;

    let typed = |day: &'static str| {
        [("act", "diary_day"), ("day", day), ("morning", "138/86"), ("evening", "140/88")]
    };
    let diary = submit(&desk, &cora, check, &typed("2026-11-17")).await;
    assert_ne!(diary, format!("/checks/{check}"));
    // Every further day goes to the same one, from either page.
    assert_eq!(submit(&desk, &cora, check, &typed("2026-11-18")).await, diary);
    let id: RecordId = diary.strip_prefix("/checks/").unwrap().parse().unwrap();
    assert_eq!(submit(&desk, &cora, id, &typed("2026-11-16")).await, diary);
    assert_eq!(desk.heads(check), before, "the clinic check stays as it was");
    let shown = get(&desk, &cora, &format!("/api/v1{diary}")).await;
    let record = &shown["record"];
    assert_eq!(record["bp"]["readings"].as_object().unwrap().len(), 6);
    assert_eq!((&record["person"], &record["session"]), (&json!(person.to_string()), &json!(SESSION)));
    assert_eq!((&record["created"]["by"], &record["reason"]), (&json!("cora"), &json!("follow_up")));
    let story = get(&desk, &cora, &format!("/api/v1/people/{person}")).await;
    assert_eq!(story["checks"].as_array().unwrap().len(), 4);
    assert_eq!(desk.site.count("quarantine"), 0);
}
