//! What is still to be done, from events on several tablets and a date.
#![allow(clippy::unwrap_used)]

use jiff::civil::Date;
use proptest::prelude::*;
use serde_json::{Value, json};
use wayside_protocol::clinical::follow_up::*;
use wayside_protocol::clinical::hindsight::hindsight;
use wayside_protocol::clinical::{RULES_VERSION, derive};

fn day(text: &str) -> Date {
    text.parse().unwrap()
}

fn contact(systolic: i64, diastolic: i64) -> Value {
    json!({"started_at": "2026-11-20T13:00:00Z", "bp": {"readings": {
        "aaaaaaaa": {"taken_at": "2026-11-20T13:06:00Z", "systolic": systolic, "diastolic": diastolic}}}})
}

fn referral(urgency: &str, events: Value) -> Value {
    json!({"started_at": "2026-11-20T13:00:00Z", "referral_events": events, "referrals": {
        "aaaaaaaa": {"to": "gp", "urgency": urgency, "reason": "raised", "made_at": "2026-11-20T13:10:00Z"}}})
}

fn state(contact: &Value, on: &str) -> &'static str {
    tasks(contact, day(on))[0].state.as_str()
}

#[test]
fn clinical_a_referral_is_due_when_its_urgency_says() {
    for (urgency, due) in [
        ("emergency", "2026-11-20"),
        ("same_day", "2026-11-20"),
        ("within_7_days", "2026-11-27"),
        ("within_3_weeks", "2026-12-11"),
    ] {
        let contact = referral(urgency, json!({}));
        let task = &tasks(&contact, day(due))[0];
        assert_eq!(
            (task.due_on, task.since, task.state),
            (Some(day(due)), Some(day(due)), TaskState::Due),
            "{urgency}"
        );
        assert_eq!(state(&contact, "2026-12-12"), "overdue");
        assert_eq!(state(&contact, "2026-11-19"), "open");
    }
    assert_eq!(state(&referral("routine", json!({})), "2036-11-20"), "open");
}

#[test]
fn clinical_what_has_ended_stays_ended_whichever_clock_was_wrong() {
    let of = |events: &[(&str, &str)]| -> TaskState {
        let events: serde_json::Map<String, Value> = events
            .iter()
            .enumerate()
            .map(|(n, (status, at))| {
                (format!("e{n}"), json!({"referral": "aaaaaaaa", "status": status, "at": at}))
            })
            .collect();
        tasks(&referral("same_day", Value::Object(events)), day("2027-01-01"))[0].state
    };
    assert_eq!(of(&[("sent", "2026-11-20T14:00:00Z")]), TaskState::Overdue);
    assert_eq!(
        of(&[("sent", "2026-11-20T14:00:00Z"), ("received", "2026-11-20T15:00:00Z")]),
        TaskState::Received
    );
    assert_eq!(
        of(&[("received", "2026-11-20T15:00:00Z"), ("did_not_attend", "2026-11-22T15:00:00Z")]),
        TaskState::NotReached
    );
    // A tablet whose clock is a day behind closed it.
    assert_eq!(
        of(&[("closed", "2026-11-19T15:00:00Z"), ("received", "2026-11-20T15:00:00Z")]),
        TaskState::Done
    );
    assert_eq!(
        of(&[("declined", "2026-11-19T15:00:00Z"), ("sent", "2026-11-20T15:00:00Z")]),
        TaskState::Declined
    );
    assert_eq!(
        of(&[("attended", "2026-11-20T15:00:00Z"), ("declined", "2026-11-21T15:00:00Z")]),
        TaskState::Done
    );
    // What was struck out did not happen.
    let undone = json!({"e": {"referral": "aaaaaaaa", "status": "closed", "struck_out": {"reason": "another person"}}});
    assert_eq!(state(&referral("same_day", undone), "2027-01-01"), "overdue");
}

#[test]
fn clinical_a_follow_up_moves_is_missed_and_is_done() {
    let mut contact = json!({"started_at": "2026-11-20T13:00:00Z", "follow_ups": {"ffffffff": {"type": "call", "due_on": "2026-11-27", "for": "result"}}});
    assert_eq!(state(&contact, "2026-11-26"), "open");
    assert_eq!(state(&contact, "2026-11-27"), "due");
    assert_eq!(state(&contact, "2026-11-28"), "overdue");
    contact["follow_up_events"] = json!({
        "a": {"follow_up": "ffffffff", "status": "not_reached", "reason_missed": "no bus", "at": "2026-11-28T10:00:00Z"},
        "b": {"follow_up": "ffffffff", "status": "rearranged", "due_on": "2026-12-05", "at": "2026-11-29T10:00:00Z"},
        "c": {"follow_up": "gggggggg", "status": "done", "at": "2026-11-29T10:00:00Z"},
    });
    let task = &tasks(&contact, day("2026-12-01"))[0];
    assert_eq!((task.state, task.due_on, task.attempts), (TaskState::Open, Some(day("2026-12-05")), 1));
    assert_eq!(
        (task.what.as_str(), task.reason.as_deref(), &task.reasons_missed[..]),
        ("call", Some("result"), &["no bus".to_owned()][..])
    );
    contact["follow_up_events"]["d"] =
        json!({"follow_up": "ffffffff", "status": "done", "at": "2026-12-05T10:00:00Z", "by": "n"});
    let task = &tasks(&contact, day("2027-01-01"))[0];
    assert_eq!((task.state, task.since), (TaskState::Done, Some(day("2026-12-05"))));
    assert_eq!(task.last.as_ref().unwrap().by.as_deref(), Some("n"));
    contact["entered_in_error"] = json!({"reason": "x"});
    assert!(tasks(&contact, day("2027-01-01")).is_empty());
}

#[test]
fn clinical_each_result_asks_for_what_follows() {
    let asked = |contact: &Value| -> Vec<(&str, Option<String>)> {
        let derived = derive(contact, None);
        let asked = suggestions(contact, &derived, day("2026-11-20"));
        asked.into_iter().map(|one| (one.what, one.due_on.map(|date| date.to_string()))).collect()
    };
    let on = |what: &'static str, date: &str| (what, Some(date.to_owned()));
    assert_eq!(asked(&contact(120, 78)), [on("repeat_bp", "2031-11-20")]);
    assert_eq!(asked(&contact(136, 78)), [on("repeat_bp", "2027-11-20")]);
    assert_eq!(asked(&contact(150, 90)), [on("hbpm_diary", "2026-11-27")]);
    assert_eq!(asked(&contact(190, 90)), [on("gp", "2026-11-20"), on("repeat_bp", "2026-11-27")]);
    let mut declined = contact(150, 90);
    declined["declined"] = json!(["monitoring"]);
    assert_eq!(asked(&declined), [on("gp", "2026-12-11")]);
    let mut pregnant = contact(150, 90);
    pregnant["pregnant"] = json!(true);
    assert_eq!(asked(&pregnant), [on("maternity", "2026-11-20")]);
    let mut flag = contact(150, 90);
    flag["bp"]["red_flags"] = json!({"a": {"flag": "chest_pain", "present": true}});
    assert_eq!(asked(&flag), [on("999", "2026-11-20")]);
    // What is arranged is not asked for again.
    let mut lent = contact(150, 90);
    lent["monitor_loan"] = json!({"lent_at": "2026-11-20T13:10:00Z"});
    assert!(asked(&lent).is_empty());
    assert_eq!(
        repeats(day("2026-11-30")).map(|date| date.to_string()),
        ["2027-02-28", "2027-05-30", "2027-11-30"]
    );
}

#[test]
fn clinical_handled_means_in_somebody_elses_hands() {
    let handled = |contact: &Value| is_handled(contact, &derive(contact, None));
    assert!(handled(&contact(120, 78)));
    let mut high = contact(150, 90);
    assert!(!handled(&high));
    high["monitor_loan"] = json!({"lent_at": "2026-11-20T13:10:00Z"});
    assert!(handled(&high));
    let mut very_high = contact(190, 90);
    very_high["monitor_loan"] = json!({"lent_at": "2026-11-20T13:10:00Z"});
    assert!(!handled(&very_high));
    very_high["referrals"] = json!({"aaaaaaaa": {"to": "gp", "urgency": "within_3_weeks"}});
    very_high["referral_events"] = json!({"e": {"referral": "aaaaaaaa", "status": "received"}});
    assert!(!handled(&very_high), "not urgent enough");
    very_high["referrals"]["aaaaaaaa"]["urgency"] = json!("same_day");
    assert!(handled(&very_high));
    very_high["referral_events"] = json!({"e": {"referral": "aaaaaaaa", "status": "sent"}});
    assert!(!handled(&very_high));
    very_high["calls"] = json!({"c": {"outcome": "no_answer"}});
    assert!(!handled(&very_high));
    very_high["calls"]["d"] = json!({"outcome": "reached", "spoke_to": "the practice"});
    assert!(handled(&very_high));
}

#[test]
fn clinical_new_rules_stand_beside_what_was_said_and_never_change_it() {
    let mut contact = contact(150, 90);
    let at = |contact: &Value| hindsight(contact, &derive(contact, None));
    assert_eq!(at(&contact), None);
    contact["advice"] = json!({"a": {"code": "OFFER_ABPM_HBPM", "category": "HIGH", "rules": "2020.1"}});
    assert_eq!(at(&contact), None, "other rules that say the same say nothing new");
    contact["advice"]["a"]["category"] = json!("NORMAL");
    let differs = at(&contact).unwrap();
    assert_eq!(
        (differs.category.as_deref(), differs.now.unwrap().as_str(), differs.other_rules),
        (Some("NORMAL"), "HIGH", true)
    );
    contact["advice"]["a"]["rules"] = json!(RULES_VERSION);
    assert!(!at(&contact).unwrap().other_rules);
    // What was said last counts.
    contact["advice"]["b"] = json!({"category": "HIGH", "given_at": "2026-11-20T14:00:00Z"});
    assert_eq!(at(&contact), None);
    contact["advice"] = json!({"a": {"code": "DEMENTIA_INFORMATION"}});
    assert_eq!(at(&contact), None);
}

proptest! {
    /// Whatever stands there, nothing fails, and every task has one state.
    #[test]
    fn clinical_tasks_never_fail(status in "[a-z_]{0,14}", urgency in "[a-z_0-9]{0,14}", at in ".{0,25}", due in ".{0,12}") {
        let contact = json!({
            "started_at": at, "referrals": {"a": {"to": {"name": 1}, "urgency": urgency, "made_at": at}, "b": 3},
            "referral_events": {"e": {"referral": "a", "status": status, "at": at}},
            "follow_ups": {"f": {"type": 7, "due_on": due}}, "follow_up_events": [1], "calls": {"c": {"outcome": null}},
        });
        prop_assert_eq!(tasks(&contact, Date::MAX).len(), 2);
        prop_assert_eq!(calls(&contact).len(), 1);
        suggestions(&contact, &derive(&contact, None), Date::MAX);
    }
}
