//! What a whole contact comes to: corrections, disagreements, signs, home readings, arms.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use serde_json::{Value, json};
use wayside_protocol::clinical::*;

fn codes_of(actions: &[Action]) -> String {
    actions.iter().map(|action| action.as_str()).collect::<Vec<_>>().join(";")
}

/// A contact with these readings, by id, a minute apart.
fn contact(readings: &[(&str, i64, i64)]) -> Value {
    let mut map = serde_json::Map::new();
    for (minute, (id, systolic, diastolic)) in readings.iter().enumerate() {
        let at = format!("2026-11-20T13:{minute:02}:00Z");
        map.insert(
            (*id).into(),
            json!({"taken_at": at, "systolic": systolic, "diastolic": diastolic, "setting": "clinic"}),
        );
    }
    json!({"kind": "contact", "started_at": "2026-11-20T13:00:00Z", "bp": {"readings": map}})
}

#[test]
fn clinical_derived_shape_and_age() {
    let mut contact = contact(&[("b", 152, 94), ("a", 148, 92)]);
    contact["measurements"] = json!({
        "h": {"what": "height", "value": 160, "unit": "cm", "taken_at": "2026-11-20T13:05:00Z"},
        "v": {"what": "weight", "value": 99, "unit": "kg", "taken_at": "2026-11-20T13:05:00Z", "corrected_by": ["w"]},
        "w": {"what": "weight", "value": 63.9, "unit": "kg", "taken_at": "2026-11-20T13:09:00Z", "corrects": "v"},
        "x": {"what": "weight", "value": 88, "unit": "kg", "taken_at": "2026-11-19T13:09:00Z"},
    });
    let person = json!({"date_of_birth": "1968-11-21"});
    assert_eq!(
        serde_json::to_value(derive(&contact, Some(&person))).unwrap(),
        json!({
            "category": "HIGH", "actions": ["OFFER_ABPM_HBPM", "ELSE_GP_WITHIN_3_WEEKS"],
            "urgency": "within_3_weeks", "chosen_reading": "a", "systolic": 148, "diastolic": 92,
            "why": "Lower of the last two readings (152/94, 148/92)", "another_reading_due": false,
            "bmi": 25.0, "age": 57, "rules": RULES_VERSION,
        })
    );
    let age = |person: Value| derive(&contact, Some(&person)).age;
    assert_eq!(age(json!({"date_of_birth": "1968-11-20"})), Some(58));
    assert_eq!(age(json!({"age_years": 40, "age_as_of": "2024-11-20"})), Some(42));
    assert_eq!(age(json!({"age_years": 40, "age_as_of": "2027-01-01"})), Some(39));
    assert_eq!(age(json!({"age_years": i64::MAX, "age_as_of": "1900-01-01"})), None);
    assert_eq!(age(json!({"date_of_birth": "2030-01-01"})), None);
    let child = derive(&contact, Some(&json!({"date_of_birth": "2008-11-21"})));
    assert_eq!((child.age, child.category), (Some(17), Some(Category::NotClassified)));
    contact["age_band"] = json!("under_18");
    assert_eq!(derive(&contact, None).category, Some(Category::NotClassified));
}

#[test]
fn clinical_corrections_keep_their_place_and_disagreements_show_the_more_urgent() {
    // The first of two readings is corrected later: it stays the first.
    let mut corrected = contact(&[("a", 15, 9), ("b", 160, 100)]);
    corrected["bp"]["readings"]["a"]["corrected_by"] = json!(["c"]);
    corrected["bp"]["readings"]["c"] =
        json!({"taken_at": "2026-11-20T15:00:00Z", "systolic": 150, "diastolic": 90, "corrects": "a"});
    let derived = derive(&corrected, None);
    assert_eq!(derived.why, "Lower of the last two readings (150/90, 160/100)");
    assert_eq!(derived.chosen_reading.as_deref(), Some("c"));

    let mut disagree = corrected.clone();
    disagree["bp"]["readings"]["a"]["corrected_by"] = json!(["c", "d"]);
    disagree["bp"]["readings"]["d"] =
        json!({"taken_at": "2026-11-20T15:01:00Z", "systolic": 190, "diastolic": 90, "corrects": "a"});
    disagree["bp"]["readings"]["b"]["struck_out"] = json!({"reason": "cuff slipped"});
    let derived = derive(&disagree, None);
    assert_eq!(derived.category, Some(Category::VeryHigh));
    assert!(derived.why.starts_with("Readings disagree: the more urgent is shown"), "{}", derived.why);

    // Two who corrected it to the same agree.
    disagree["bp"]["readings"]["d"]["systolic"] = json!(150);
    assert_eq!(derive(&disagree, None).why, "The only reading (150/90)");
    // Striking out what a reading was corrected to strikes out the reading.
    for id in ["c", "d"] {
        disagree["bp"]["readings"][id]["struck_out"] = json!({"reason": "wrong person"});
    }
    assert_eq!(derive(&disagree, None).category, None);

    // Far more combinations than are tried: the highest are tried first.
    let mut many = contact(&[]);
    for place in 0..12 {
        many["bp"]["readings"][format!("r{place}")] = json!({"systolic": 1, "diastolic": 1, "corrected_by": ["x"], "taken_at": format!("2026-11-20T13:{place:02}:00Z")});
        for (other, systolic) in [("p", 120), ("q", 185)] {
            many["bp"]["readings"][format!("{other}{place}")] =
                json!({"systolic": systolic, "diastolic": 80, "corrects": format!("r{place}")});
        }
    }
    assert_eq!(derive(&many, None).urgency, Urgency::SameDay);
}

/// Where corrections disagree every combination is tried, and of equally urgent ones the highest is shown.
#[test]
fn clinical_disagreements_are_tried_through() {
    let corrected = |pairs: &[(i64, i64)]| {
        let mut contact = contact(&[]);
        for (place, (high, low)) in pairs.iter().enumerate() {
            let at = format!("2026-11-20T13:{place:02}:00Z");
            let readings = &mut contact["bp"]["readings"];
            readings[format!("r{place}")] = json!({"taken_at": at, "corrected_by": ["x"]});
            for (name, systolic) in [("p", high), ("q", low)] {
                readings[format!("{name}{place}")] =
                    json!({"systolic": systolic, "diastolic": 70, "corrects": format!("r{place}")});
            }
        }
        contact["bp"]["symptoms"] = json!(["fainting"]);
        contact
    };
    // The lower of the two is the more urgent here: fainting with a low reading is for today.
    let derived = derive(&corrected(&[(120, 85)]), None);
    assert_eq!((derived.systolic, derived.urgency), (Some(85), Urgency::SameDay));
    // Only the last combination of all is low: the lower of the last two is the second of each.
    let derived = derive(&corrected(&[(125, 122), (120, 85)]), None);
    assert_eq!((derived.systolic, derived.urgency), (Some(85), Urgency::SameDay));
    let derived = derive(&corrected(&[(120, 85), (125, 122)]), None);
    assert_eq!((derived.systolic, derived.urgency), (Some(85), Urgency::SameDay));
    let derived = derive(&corrected(&[(125, 122)]), None);
    assert_eq!((derived.systolic, derived.chosen_reading.as_deref()), (Some(125), Some("p0")), "the highest");
}

#[test]
fn clinical_derived_says_what_was_left_out_and_what_is_due() {
    let mut readings = contact(&[("a", 150, 90), ("b", 20, 10)]);
    let derived = derive(&readings, None);
    assert_eq!(derived.why, "The only reading (150/90). Left out as impossible: 1");
    assert!(derived.another_reading_due);
    readings["bp"]["readings"]["c"] = json!({"systolic": "high"});
    assert!(derive(&readings, None).why.ends_with("Left out, without usable values: 1"));
    assert_eq!(derive(&contact(&[("a", 150, 90)]), None).why, "The only reading (150/90)");
    let impossible = derive(&contact(&[("a", 20, 10)]), None);
    assert_eq!(
        (impossible.category, impossible.why.as_str()),
        (Some(Category::Invalid), "The only reading (20/10)")
    );
    // The arms must be measured again, though two readings of the higher one agree.
    let mut arms = contact(&[("a", 150, 80), ("b", 130, 80), ("c", 150, 80)]);
    for (id, arm) in [("a", "left"), ("b", "right"), ("c", "left")] {
        arms["bp"]["readings"][id]["arm"] = json!(arm);
    }
    assert!(derive(&arms, None).another_reading_due);
    arms["bp"]["readings"]["b"]["systolic"] = json!(148);
    assert!(!derive(&arms, None).another_reading_due);
    let mut series = contact(&[("a", 200, 130), ("b", 200, 130)]);
    for id in ["a", "b"] {
        series["bp"]["readings"][id]["setting"] = json!("abpm");
    }
    assert!(
        derive(&series, None).why.contains("too high to wait (200/130)"),
        "{}",
        derive(&series, None).why
    );
    // On the eighteenth birthday somebody is an adult.
    let at =
        |birth: &str| derive(&contact(&[("a", 150, 90)]), Some(&json!({"date_of_birth": birth}))).category;
    assert_eq!(at("2008-11-20"), Some(Category::High));
    assert_eq!(at("2008-11-21"), Some(Category::NotClassified));
}

#[test]
fn clinical_values_are_whole_however_they_are_written() {
    let systolic = |value: Value| {
        let mut one = contact(&[("a", 0, 80)]);
        one["bp"]["readings"]["a"]["systolic"] = value;
        derive(&one, None).systolic
    };
    assert_eq!(systolic(json!(152)), Some(152));
    assert_eq!(systolic(json!(152.0)), Some(152));
    assert_eq!(systolic(json!(1e6)), Some(1_000_000), "impossible, and said so");
    for unusable in [json!(152.5), json!(1e9), json!(1e300), json!("152"), json!(true), json!(u64::MAX)] {
        assert_eq!(systolic(unusable.clone()), None, "{unusable}");
    }
}

#[test]
fn clinical_signs_count_with_and_without_readings() {
    let mut contact = contact(&[]);
    let derived = derive(&contact, None);
    assert_eq!((derived.category, derived.actions.len(), needs_attention(&derived)), (None, 0, false));
    contact["bp"]["symptoms"] = json!(["tired", 7]);
    assert_eq!(codes_of(&derive(&contact, None).actions), "SYMPTOM_GP_REVIEW");
    contact["bp"]["symptoms"] = json!([]);
    contact["bp"]["pulse_rhythm"] = json!("irregular");
    assert_eq!(codes_of(&derive(&contact, None).actions), "IRREGULAR_PULSE_GP_SAME_DAY");
    // The same in conflict: either value counts.
    contact["bp"]["pulse_rhythm"] = json!("regular");
    contact["conflicts"] =
        json!([{"path": "bp/pulse_rhythm", "values": [{"value": "regular"}, {"value": "irregular"}]}]);
    assert_eq!(derive(&contact, None).urgency, Urgency::SameDay);
    contact["bp"]["red_flags"] = json!({"f": {"flag": "chest_pain", "present": true}});
    let derived = derive(&contact, None);
    assert_eq!(codes_of(&derived.actions), "EMERGENCY_999_AE");
    assert!(needs_attention(&derived));
    contact["entered_in_error"] = json!({"at": "2026-11-20T14:00:00Z"});
    let derived = derive(&contact, None);
    assert_eq!((derived.actions.len(), derived.why.as_str()), (0, "Entered in error"));
}

#[test]
fn clinical_home_and_clinic_readings() {
    let set = |contact: &mut Value, id: &str, setting: &str| {
        contact["bp"]["readings"][id]["setting"] = json!(setting)
    };
    let mut mixed = contact(&[("a", 138, 80), ("b", 150, 95)]);
    set(&mut mixed, "b", "hbpm");
    assert_eq!(derive(&mixed, None).category, Some(Category::Normal), "the clinic decides");
    set(&mut mixed, "a", "hbpm");
    let derived = derive(&mixed, None);
    assert_eq!((derived.category, derived.another_reading_due), (None, true), "{}", derived.why);
    mixed["bp"]["readings"]["a"]["systolic"] = json!(200);
    assert_eq!(derive(&mixed, None).category, Some(Category::VeryHigh), "too high to wait");
    let mut typed = contact(&[("a", 150, 95)]);
    set(&mut typed, "a", "abpm");
    assert_eq!(derive(&typed, None).category, Some(Category::HighStage2));
    // An impossible reading hides nothing, an unusual one that was confirmed asks no more.
    assert_eq!(derive(&contact(&[("a", 185, 100), ("b", 20, 10)]), None).systolic, Some(185));
    let mut unusual = contact(&[("a", 69, 45)]);
    assert_eq!(codes_of(&derive(&unusual, None).actions), "CONFIRM_ENTRY;ADVICE_LOW");
    unusual["bp"]["readings"]["a"]["confirmed_unusual"] = json!(true);
    assert_eq!(codes_of(&derive(&unusual, None).actions), "ADVICE_LOW");
}

/// Values as an edge case likes them: near every cut-off, or anywhere.
fn any_value() -> impl Strategy<Value = i64> {
    prop_oneof![4 => 0..320_i64, 1 => any::<i64>(), 1 => Just(i64::MIN), 1 => Just(i64::MAX)]
}

/// JSON as hostile as it comes, out of the words that mean something here.
fn any_json() -> impl Strategy<Value = Value> {
    let word = prop_oneof![
        Just("a"),
        Just("b"),
        Just("corrects"),
        Just("corrected_by"),
        Just("struck_out"),
        Just("systolic"),
        Just("diastolic"),
        Just("taken_at"),
        Just("what"),
        Just("value"),
        Just("present"),
        Just("hbpm"),
        Just("setting"),
        Just("2026-11-20T13:00:00Z"),
        Just("conflicts"),
        Just("path"),
        Just("values")
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any_value().prop_map(Value::from),
        word.clone().prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 60, 6, move |inner| {
        let map = prop::collection::vec((word.clone(), inner.clone()), 0..6);
        prop_oneof![
            prop::collection::vec(inner, 0..5).prop_map(Value::from),
            map.prop_map(|members| members.into_iter().map(|(k, v)| (k.to_owned(), v)).collect::<Value>()),
        ]
    })
}

proptest! {
    #[test]
    fn clinical_hostile_json_derives_something(bp in any_json(), readings in any_json(), measurements in any_json(), person in any_json()) {
        let contact = json!({
            "started_at": "2026-11-20T13:00:00Z", "measurements": measurements, "conflicts": bp.clone(),
            "bp": {"readings": readings, "red_flags": bp.clone(), "symptoms": bp},
        });
        prop_assert_eq!(derive(&contact, Some(&person)).rules, RULES_VERSION);
    }
}
