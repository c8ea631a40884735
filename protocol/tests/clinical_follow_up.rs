//! What is still to be done, from events on several tablets and a date.
#![allow(clippy::unwrap_used)]

use jiff::civil::Date;
use proptest::prelude::*;
use serde_json::{Value, json};
use wayside_protocol::clinical::follow_up::*;
use wayside_protocol::clinical::hindsight::hindsight;
use wayside_protocol::clinical::text::Texts;
use wayside_protocol::clinical::{RULES_VERSION, Urgency, derive};

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
fn clinical_a_task_says_what_it_is_where_it_stands_and_why() {
    let open = [TaskState::Open, TaskState::Due, TaskState::Overdue, TaskState::NotReached];
    for state in TaskState::ALL {
        assert_eq!(state.is_open(), open.contains(state), "{state}");
    }
    let mut contact = referral(
        "within_7_days",
        json!({
            "a": {"referral": "aaaaaaaa", "status": "did_not_attend", "outcome": "no interpreter", "at": "2026-11-23T10:00:00Z", "by": "n"},
            "b": {"referral": "aaaaaaaa", "status": "sent", "at": "2026-11-21T10:00:00Z"},
        }),
    );
    let task = tasks(&contact, day("2026-11-24")).remove(0);
    assert_eq!((task.kind, task.entry.as_str(), task.what.as_str()), (TaskKind::Referral, "aaaaaaaa", "gp"));
    assert_eq!((task.reason.as_deref(), task.urgency), (Some("raised"), Some(Urgency::Within7Days)));
    assert_eq!((task.state, task.since, task.attempts), (TaskState::NotReached, Some(day("2026-11-23")), 1));
    assert_eq!(task.reasons_missed, ["no interpreter"]);
    let last = task.last.unwrap();
    assert_eq!(
        (last.entry.as_str(), last.status.as_str(), last.by.as_deref()),
        ("a", "did_not_attend", Some("n"))
    );
    assert_eq!(
        (last.at.as_deref(), last.outcome.as_deref()),
        (Some("2026-11-23T10:00:00Z"), Some("no interpreter"))
    );

    // To a service of the directory; dated by the check where it says no date of its own.
    contact["referrals"]["aaaaaaaa"] =
        json!({"to": {"service": "s", "name": "Stop smoking"}, "urgency": "within_7_days"});
    contact["referral_events"] = json!({});
    let task = tasks(&contact, day("2026-11-24")).remove(0);
    assert_eq!((task.what.as_str(), task.reason, task.last), ("Stop smoking", None, None));
    assert_eq!(
        (task.state, task.since, task.due_on),
        (TaskState::Open, Some(day("2026-11-20")), Some(day("2026-11-27")))
    );

    // What is due first comes first, what has no day last.
    contact["referrals"] = json!({
        "a": {"to": "gp", "urgency": "routine"}, "b": {"to": "gp", "urgency": "within_3_weeks"},
        "d": {"to": "gp", "urgency": "same_day"}, "c": {"to": "gp", "urgency": "same_day"}});
    contact["follow_ups"] = json!({"e": {"type": "call", "due_on": "2026-11-25"}});
    let order: Vec<String> = tasks(&contact, day("2026-11-24")).into_iter().map(|task| task.entry).collect();
    assert_eq!(order, ["c", "d", "e", "b", "a"]);
    // The later of two new days counts, whatever order they came in.
    contact["follow_up_events"] = json!({
        "y": {"follow_up": "e", "status": "rearranged", "due_on": "2026-12-05", "at": "2026-11-29T10:00:00Z"},
        "z": {"follow_up": "e", "status": "rearranged", "due_on": "2026-12-01", "at": "2026-11-28T10:00:00Z"}});
    let tasks = tasks(&contact, day("2026-11-24"));
    assert_eq!(tasks.iter().find(|task| task.entry == "e").unwrap().due_on, Some(day("2026-12-05")));
}

#[test]
fn clinical_calls_are_told_in_the_order_in_which_they_were_made() {
    let contact = json!({"calls": {
        "a": {"outcome": "reached", "at": "2026-11-20T15:00:00Z", "by": "n", "spoke_to": "the practice", "about": "result"},
        "b": {"outcome": "no_answer", "at": "2026-11-20T14:00:00Z"},
        "c": {"outcome": "reached", "at": "2026-11-20T13:00:00Z", "struck_out": {"reason": "other person"}}}});
    let told = calls(&contact);
    let order: Vec<(&str, &str)> =
        told.iter().map(|call| (call.entry.as_str(), call.outcome.as_str())).collect();
    assert_eq!(order, [("b", "no_answer"), ("a", "reached")]);
    let reached = &told[1];
    assert_eq!((reached.at.as_deref(), reached.by.as_deref()), (Some("2026-11-20T15:00:00Z"), Some("n")));
    assert_eq!(
        (reached.spoke_to.as_deref(), reached.about.as_deref()),
        (Some("the practice"), Some("result"))
    );
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
    // What is routine and needs no date asks for nothing.
    assert!(asked(&contact(90, 120)).is_empty(), "impossible: enter it again");
    let mut child = contact(150, 90);
    child["age_band"] = json!("under_18");
    assert!(asked(&child).is_empty(), "recorded only");
    let mut declined = contact(150, 90);
    declined["declined"] = json!(["monitoring"]);
    assert_eq!(asked(&declined), [on("gp", "2026-12-11")]);
    let mut pregnant = contact(150, 90);
    pregnant["pregnant"] = json!(true);
    assert_eq!(asked(&pregnant), [on("maternity", "2026-11-20")]);
    let mut flag = contact(150, 90);
    flag["bp"]["red_flags"] = json!({"a": {"flag": "chest_pain", "present": true}});
    assert_eq!(asked(&flag), [on("999", "2026-11-20")]);
    pregnant["bp"]["readings"]["aaaaaaaa"]["systolic"] = json!(165);
    assert_eq!(asked(&pregnant), [on("maternity", "2026-11-20")]);
    // Two reasons to see a GP are one appointment, the sooner.
    let mut irregular = contact(120, 78);
    irregular["bp"]["pulse_rhythm"] = json!("irregular");
    irregular["bp"]["symptoms"] = json!(["dizzy"]);
    assert_eq!(asked(&irregular).iter().filter(|(what, _)| *what == "gp").count(), 1);
    assert_eq!(asked(&irregular)[0], on("gp", "2026-11-20"));
    // What is arranged is not asked for again; a referral that is less urgent is not enough.
    let mut referred = contact(190, 90);
    referred["referrals"] = json!({"a": {"to": "pharmacy", "urgency": "within_7_days"}});
    assert_eq!(asked(&referred).len(), 2);
    referred["referrals"]["a"]["urgency"] = json!("same_day");
    assert_eq!(asked(&referred), [on("repeat_bp", "2026-11-27")]);
    referred["follow_ups"] = json!({"b": {"type": "call"}});
    assert_eq!(asked(&referred).len(), 1);
    referred["follow_ups"]["c"] = json!({"type": "repeat_bp"});
    assert!(asked(&referred).is_empty());
    for kind in ["hbpm_diary", "hbpm", "abpm", "home_monitor"] {
        let mut monitored = contact(150, 90);
        monitored["follow_ups"] = json!({"f": {"type": kind}});
        assert!(asked(&monitored).is_empty(), "{kind}");
        monitored["follow_ups"]["f"]["struck_out"] = json!({"reason": "not taken"});
        assert_eq!(asked(&monitored), [on("hbpm_diary", "2026-11-27")], "{kind}");
    }
    let mut no_loan = contact(150, 90);
    no_loan["declined"] = json!(["monitor_loan"]);
    assert_eq!(asked(&no_loan), [on("gp", "2026-12-11")]);
    let derived = derive(&no_loan, None);
    let one = suggestions(&no_loan, &derived, day("2026-11-20")).remove(0);
    assert_eq!(
        (one.kind, one.urgency, one.text.id.as_str()),
        (TaskKind::Referral, Some(Urgency::Within3Weeks), "referral-gp")
    );
    assert!(one.text.args.contains_key("urgency"));
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
    high["monitor_loan"] = json!(null);
    high["follow_ups"] = json!({"f": {"type": "call"}});
    assert!(!handled(&high), "a call is no monitoring");
    high["follow_ups"]["g"] = json!({"type": "abpm"});
    assert!(handled(&high));
    let mut very_high = contact(190, 90);
    very_high["monitor_loan"] = json!({"lent_at": "2026-11-20T13:10:00Z"});
    assert!(!handled(&very_high));
    very_high["referrals"] = json!({"aaaaaaaa": {"to": "gp", "urgency": "within_3_weeks"}});
    very_high["referral_events"] = json!({"e": {"referral": "aaaaaaaa", "status": "received"}});
    assert!(!handled(&very_high), "not urgent enough");
    very_high["referrals"]["aaaaaaaa"]["urgency"] = json!("same_day");
    assert!(handled(&very_high));
    for (status, is_handled) in
        [("attended", true), ("closed", true), ("declined", false), ("did_not_attend", false)]
    {
        very_high["referral_events"]["e"]["status"] = json!(status);
        assert_eq!(handled(&very_high), is_handled, "{status}");
    }
    very_high["referrals"]["aaaaaaaa"]["urgency"] = json!("emergency");
    very_high["referral_events"] = json!({"e": {"referral": "aaaaaaaa", "status": "received"}});
    assert!(handled(&very_high), "more urgent than it has to be");
    // What is found out later calls for more than the referral covers.
    very_high["referrals"]["aaaaaaaa"]["urgency"] = json!("same_day");
    very_high["bp"]["red_flags"] = json!({"f": {"flag": "chest_pain", "present": true}});
    assert!(!handled(&very_high));
    very_high["bp"]["red_flags"]["f"]["struck_out"] = json!({"reason": "misheard"});
    assert!(handled(&very_high));
    very_high["referral_events"] = json!({"e": {"referral": "aaaaaaaa", "status": "sent"}});
    assert!(!handled(&very_high));
    very_high["calls"] = json!({"c": {"outcome": "no_answer"}});
    assert!(!handled(&very_high));
    very_high["calls"]["d"] = json!({"outcome": "reached", "spoke_to": "the practice"});
    assert!(handled(&very_high));
    for (at, is_handled) in
        [("2026-11-20T13:05:30Z", true), ("2026-11-20T13:20:00Z", true), ("2026-11-20T13:04:30Z", false)]
    {
        very_high["calls"]["d"]["at"] = json!(at);
        assert_eq!(handled(&very_high), is_handled, "a reading of 13:06 after a call of {at}");
    }
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
    // Where only an action was noted, it is the action that is compared.
    contact["advice"] = json!({"a": {"code": "OFFER_ABPM_HBPM"}});
    assert_eq!(at(&contact), None);
    contact["advice"]["a"] =
        json!({"code": "ADVICE_RECHECK_5Y", "rules": "2020.1", "given_at": "2026-11-20T13:00:00Z"});
    let differs = at(&contact).unwrap();
    assert_eq!(
        (differs.entry.as_str(), differs.code.as_deref(), differs.category),
        ("a", Some("ADVICE_RECHECK_5Y"), None)
    );
    assert_eq!(
        (differs.rules.as_deref(), differs.given_at.as_deref()),
        (Some("2020.1"), Some("2026-11-20T13:00:00Z"))
    );
    assert_eq!(differs.text.id, "hindsight-other-rules");
    let said = Texts::english().say(&differs.text);
    assert!(said.contains("2020.1") && said.contains("Raised"), "{said}");
    // What somebody recorded since, not other rules.
    contact["advice"]["a"]["rules"] = json!(RULES_VERSION);
    assert_eq!(at(&contact).unwrap().text.id, "hindsight-other-values");
    contact["advice"]["a"]["rules"] = json!(2020);
    assert_eq!(at(&contact).unwrap().rules.as_deref(), Some("2020"));
    contact["advice"]["a"]["rules"] = Value::Null;
    assert!(!at(&contact).unwrap().other_rules);
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
