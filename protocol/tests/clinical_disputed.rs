//! While clinical values disagree the more urgent outcome counts, and says so.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use serde_json::{Value, json};
use wayside_protocol::clinical::guide::{GuideSettings, next_step};
use wayside_protocol::clinical::*;

fn contact(systolic: i64, diastolic: i64) -> Value {
    json!({"started_at": "2026-11-20T13:00:00Z", "bp": {"readings": {
        "aaaaaaaa": {"taken_at": "2026-11-20T13:06:00Z", "systolic": systolic, "diastolic": diastolic}}}})
}

/// A conflict; the last value is the one that is shown.
fn conflict(path: &str, values: &[Value]) -> Value {
    let values: Vec<Value> = values.iter().map(|value| json!({"value": value, "by": "nurse-01"})).collect();
    json!([{"path": path, "values": values}])
}

fn disputed(derived: &Derived) -> (Vec<&str>, Vec<(Option<&str>, &str)>) {
    let disputed = derived.disputed.as_ref().unwrap();
    let otherwise = disputed.otherwise.iter();
    (
        disputed.paths.iter().map(String::as_str).collect(),
        otherwise.map(|other| (other.category.map(Category::as_str), other.urgency.as_str())).collect(),
    )
}

#[test]
fn clinical_each_disputed_field_shows_the_more_urgent_and_the_other() {
    // Pregnant or not, whichever is shown.
    for shown in [true, false] {
        let mut contact = contact(150, 94);
        contact["pregnant"] = json!(shown);
        contact["conflicts"] = conflict("pregnant", &[json!(!shown), json!(shown)]);
        let derived = derive(&contact, None);
        assert_eq!((derived.category, derived.urgency), (Some(Category::PregHigh), Urgency::SameDay));
        assert_eq!(disputed(&derived), (vec!["pregnant"], vec![(Some("HIGH"), "within_3_weeks")]));
        assert!(derived.why.starts_with("Answers disagree: the more urgent is shown"), "{}", derived.why);
        assert_eq!(derived.disputed.unwrap().text.id, "disputed-more-urgent");
    }
    // The pulse, and the second finding.
    let mut pulse = contact(120, 80);
    pulse["bp"]["pulse_rhythm"] = json!("regular");
    pulse["conflicts"] = conflict("bp/pulse_rhythm", &[json!("irregular"), json!("regular")]);
    let derived = derive(&pulse, None);
    assert_eq!(derived.urgency, Urgency::SameDay);
    assert_eq!(disputed(&derived), (vec!["bp/pulse_rhythm"], vec![(Some("NORMAL"), "routine")]));
    pulse["bp"]["pulse_rhythm_again"] = json!("regular");
    assert_eq!(derive(&pulse, None).urgency, Urgency::Routine, "five minutes later it was regular");
    assert_eq!(derive(&pulse, None).disputed.unwrap().text.id, "disputed-all-the-same");
    // Symptoms that only some say are there.
    let mut low = contact(85, 70);
    low["conflicts"] = conflict("bp/symptoms/fainting", &[json!(true), json!(false)]);
    assert_eq!(disputed(&derive(&low, None)).1, [(Some("LOW"), "routine")]);
    assert_eq!(derive(&low, None).urgency, Urgency::SameDay);
}

#[test]
fn clinical_a_disputed_birth_makes_nobody_a_child() {
    let mut person = json!({"date_of_birth": "2010-02-03"});
    person["conflicts"] =
        conflict("birth", &[json!({"date_of_birth": "1968-02-03"}), json!({"date_of_birth": "2010-02-03"})]);
    let derived = derive(&contact(185, 95), Some(&person));
    assert_eq!(
        (derived.category, derived.urgency, derived.age),
        (Some(Category::VeryHigh), Urgency::SameDay, Some(58))
    );
    assert_eq!(disputed(&derived), (vec!["person/birth"], vec![(Some("NOT_CLASSIFIED"), "routine")]));
    // Whoever is told to do something about it is told the same.
    let step = next_step(&contact(185, 95), Some(&person), &GuideSettings::default());
    assert_eq!(step.code.as_str(), "ask_red_flags");
}

#[test]
fn clinical_a_disputed_day_or_age_band_makes_nobody_a_child() {
    // Eighteen on that very day.
    let person = json!({"date_of_birth": "2008-11-20"});
    let mut contact = contact(185, 95);
    let days = ["2026-11-20T13:00:00Z", "2026-11-19T13:00:00Z"].map(|day| json!(day));
    for shown in &days {
        contact["started_at"] = shown.clone();
        contact["conflicts"] = conflict("started_at", &days);
        let derived = derive(&contact, Some(&person));
        assert_eq!((derived.category, derived.age), (Some(Category::VeryHigh), Some(18)));
        assert_eq!(disputed(&derived), (vec!["started_at"], vec![(Some("NOT_CLASSIFIED"), "routine")]));
    }
    contact["conflicts"] = json!([]);
    contact["started_at"] = days[1].clone();
    assert_eq!(derive(&contact, Some(&person)).category, Some(Category::NotClassified));

    let bands = [json!("40-49"), json!("under_18")];
    contact["age_band"] = json!("under_18");
    contact["conflicts"] = conflict("age_band", &bands);
    let derived = derive(&contact, None);
    assert_eq!((derived.category, disputed(&derived).0), (Some(Category::VeryHigh), vec!["age_band"]));

    // Two grown-ups are no dispute about the table; what has nothing to do with it is not named.
    let mut grown = json!({"date_of_birth": "1968-02-03", "name": {"family": "Khan"}});
    grown["conflicts"] =
        conflict("birth", &[json!({"date_of_birth": "1950-02-03"}), json!({"date_of_birth": "1968-02-03"})]);
    contact["started_at"] = days[0].clone();
    contact["conflicts"] = conflict("satisfaction", &[json!(4), json!(5)]);
    let derived = derive(&contact, Some(&grown));
    assert_eq!((derived.age, disputed(&derived)), (Some(58), (vec!["person/birth"], vec![])));
    assert_eq!(derived.disputed.unwrap().text.id, "disputed-all-the-same");
    grown["conflicts"] = conflict("name/family", &[json!("Khan"), json!("Kahn")]);
    assert_eq!(derive(&contact, Some(&grown)).disputed, None);
}

#[test]
fn clinical_entered_in_error_counts_only_when_nobody_denies_it() {
    let mut contact = contact(185, 95);
    contact["entered_in_error"] = json!({"reason": "wrong person"});
    assert_eq!(derive(&contact, None).category, None);
    contact["conflicts"] = conflict("entered_in_error", &[Value::Null, contact["entered_in_error"].clone()]);
    let derived = derive(&contact, None);
    assert_eq!(
        (derived.category, disputed(&derived).0),
        (Some(Category::VeryHigh), vec!["entered_in_error"])
    );
}

#[test]
fn clinical_disputed_readings_are_named_and_equal_values_are_no_dispute() {
    let mut contact = contact(125, 80);
    contact["bp"]["readings"]["aaaaaaaa"]["corrected_by"] = json!(["bbbbbbbb", "cccccccc"]);
    for (id, systolic) in [("bbbbbbbb", 152), ("cccccccc", 182)] {
        contact["bp"]["readings"][id] =
            json!({"systolic": systolic, "diastolic": 94, "corrects": "aaaaaaaa"});
    }
    let derived = derive(&contact, None);
    assert_eq!(derived.chosen_reading.as_deref(), Some("cccccccc"));
    assert_eq!(disputed(&derived), (vec!["bp/readings/aaaaaaaa"], vec![(Some("HIGH"), "within_3_weeks")]));
    let shown = serde_json::to_value(&derived).unwrap();
    assert_eq!(shown["disputed"]["otherwise"][0]["systolic"], 152);
    contact["bp"]["readings"]["cccccccc"]["systolic"] = json!(152);
    assert_eq!(derive(&contact, None).disputed, None);
}

proptest! {
    /// A dispute never makes anybody wait longer than any of the values alone would.
    #[test]
    fn clinical_a_dispute_is_as_urgent_as_the_worst_of_its_values(
        systolic in 60i64..240, diastolic in 40i64..130, pregnant in any::<bool>(), irregular in any::<bool>(),
        years in prop::sample::subsequence(vec![1950i16, 1990, 2012], 1..=3),
    ) {
        let births: Vec<Value> = years.iter().map(|year| json!({"date_of_birth": format!("{year}-02-03")})).collect();
        let mut plain = contact(systolic, diastolic);
        let mut alone = Urgency::Routine;
        for birth in &births {
            for pregnant in [pregnant, false] {
                for rhythm in [if irregular { "irregular" } else { "regular" }, "regular"] {
                    plain["pregnant"] = json!(pregnant);
                    plain["bp"]["pulse_rhythm"] = json!(rhythm);
                    alone = alone.max(derive(&plain, Some(birth)).urgency);
                }
            }
        }
        let mut disputed = plain.clone();
        let rhythm = if irregular { "irregular" } else { "regular" };
        disputed["conflicts"] = json!([
            {"path": "pregnant", "values": [{"value": pregnant}, {"value": false}]},
            {"path": "bp/pulse_rhythm", "values": [{"value": rhythm}, {"value": "regular"}]},
        ]);
        let mut person = births.last().unwrap().clone();
        person["conflicts"] = conflict("birth", &births);
        prop_assert_eq!(derive(&disputed, Some(&person)).urgency, alone);
    }
}
