//! The guided measurement: its order, step by step.
#![allow(clippy::unwrap_used)]

use serde_json::{Value, json};
use wayside_protocol::clinical::guide::*;
use wayside_protocol::clinical::*;

/// A grown man, so that nothing is asked about age or pregnancy.
fn man() -> Value {
    json!({"date_of_birth": "1968-02-03", "sex": "male"})
}

fn woman() -> Value {
    json!({"date_of_birth": "1990-02-03", "sex": "female"})
}

/// A contact with a regular pulse and these readings: arm, systolic, diastolic.
fn contact(readings: &[(&str, i64, i64)]) -> Value {
    let mut contact =
        json!({"started_at": "2026-11-20T13:00:00Z", "bp": {"pulse_rhythm": "regular", "readings": {}}});
    for (arm, systolic, diastolic) in readings {
        add(&mut contact, arm, "sitting", *systolic, *diastolic);
    }
    contact
}

fn add(contact: &mut Value, arm: &str, position: &str, systolic: i64, diastolic: i64) {
    let readings = contact["bp"]["readings"].as_object_mut().unwrap();
    let number = readings.len();
    let reading = json!({"taken_at": format!("2026-11-20T13:{number:02}:00Z"), "systolic": systolic, "diastolic": diastolic, "arm": arm, "position": position});
    readings.insert(format!("r{number:02}"), reading);
}

fn step(contact: &Value, person: Value) -> Step {
    next_step(contact, Some(&person), &GuideSettings::default())
}

fn code(contact: &Value, person: Value) -> &'static str {
    step(contact, person).code.as_str()
}

/// The next reading: which, where, and why.
fn reading(readings: &[(&str, i64, i64)]) -> Option<(usize, Option<&'static str>, String)> {
    let step = step(&contact(readings), man());
    let next = step.reading?;
    Some((next.number, next.arm.map(Arm::as_str), step.notes[0].id.clone()))
}

fn wants(
    number: usize,
    arm: Option<&'static str>,
    why: &str,
) -> Option<(usize, Option<&'static str>, String)> {
    Some((number, arm, why.to_owned()))
}

#[test]
fn clinical_guide_asks_what_decides_the_ladder_first() {
    let empty = json!({"started_at": "2026-11-20T13:00:00Z"});
    assert_eq!(code(&empty, json!({})), "ask_age");
    assert_eq!(next_step(&empty, None, &GuideSettings::default()).fields, ["age_band"]);
    assert_eq!(code(&empty, woman()), "ask_pregnant");
    assert_eq!(
        code(&empty, json!({"date_of_birth": "1990-02-03"})),
        "ask_pregnant",
        "an unknown sex is asked"
    );
    assert_eq!(code(&empty, man()), "ask_pulse_rhythm");
    for (birth, asked) in [
        ("1914-11-20", false),
        ("1914-11-21", false),
        ("1970-11-20", false),
        ("1970-11-21", true),
        ("2014-11-20", true),
        ("2014-11-21", false),
    ] {
        let girl = json!({"date_of_birth": birth, "sex": "female"});
        assert_eq!(code(&empty, girl) == "ask_pregnant", asked, "{birth}");
    }
    let mut answered = empty.clone();
    answered["pregnant"] = json!(false);
    assert_eq!(code(&answered, woman()), "ask_pulse_rhythm");
    answered["declined"] = json!(["bp/pulse_rhythm"]);
    let step = step(&answered, woman());
    assert_eq!((step.code, step.required, step.interrupts), (StepCode::TakeReading, true, false));
    assert_eq!(step.reading, Some(NextReading { number: 1, arm: None, position: "sitting" }));
    assert_eq!((step.wait_seconds, step.not_before), (None, None));
}

#[test]
fn clinical_guide_second_and_third_readings_and_arms() {
    assert_eq!(reading(&[("left", 139, 89)]), None);
    assert_eq!(reading(&[("left", 140, 89)]), wants(2, Some("right"), "why-other-arm"));
    assert_eq!(reading(&[("right", 139, 90)]), wants(2, Some("left"), "why-other-arm"));
    assert_eq!(reading(&[("left", 150, 90), ("right", 146, 88)]), None, "close enough");
    assert_eq!(
        reading(&[("left", 150, 90), ("right", 140, 90)]),
        wants(3, Some("right"), "why-readings-differ")
    );
    assert_eq!(
        reading(&[("left", 150, 90), ("right", 150, 95)]),
        wants(3, Some("right"), "why-readings-differ")
    );
    assert_eq!(reading(&[("left", 150, 90), ("right", 140, 90), ("right", 152, 90)]), None);
    // 15 is not more than 15.
    assert_eq!(reading(&[("left", 155, 90), ("right", 140, 90)]).unwrap().2, "why-readings-differ");
    // 16 is: the lower arm again, then the higher one, then the higher one decides.
    let mut taken = vec![("left", 156, 90), ("right", 140, 90)];
    assert_eq!(reading(&taken), wants(3, Some("right"), "why-arms-differ"));
    taken.push(("right", 139, 90));
    assert_eq!(reading(&taken), wants(4, Some("left"), "why-arms-differ"));
    taken.push(("left", 157, 90));
    assert_eq!(reading(&taken), None, "two of the higher arm, close to each other");
    let derived = derive(&contact(&taken), Some(&man()));
    assert_eq!((derived.systolic, derived.chosen_reading.as_deref()), (Some(156), Some("r00")));
    assert!(derived.why.ends_with("The arms differ by more than 15: the left arm counts"), "{}", derived.why);
    taken.pop();
    taken.push(("left", 170, 90));
    assert_eq!(reading(&taken), wants(5, Some("left"), "why-higher-arm"));
    taken.push(("left", 158, 90));
    assert_eq!(reading(&taken), None);
    // They turn out alike: then the last two count as ever.
    let alike = [("left", 156, 90), ("right", 140, 90), ("right", 147, 90), ("left", 149, 90)];
    assert_eq!(reading(&alike), None);
    assert_eq!(derive(&contact(&alike), Some(&man())).systolic, Some(147));
    // Without named arms there is nothing to compare.
    assert_eq!(reading(&[("", 150, 90)]), wants(2, None, "why-raised"));
    // Six at most, however they differ.
    let many: Vec<_> = (0..6).map(|n| ("left", 120 + n * 10, 80)).collect();
    assert_eq!(reading(&many), None);
    assert!(reading(&many[..5]).is_some());
}

#[test]
fn clinical_guide_leaves_the_other_arm_where_no_diagnosis_is_considered() {
    let mut raised = contact(&[("left", 150, 90)]);
    let arm = |contact: &Value, person| step(contact, person).reading.and_then(|r| r.arm).map(Arm::as_str);
    raised["declined"] = json!(["bp/other_arm"]);
    assert_eq!(arm(&raised, man()), Some("left"));
    raised["declined"] = json!([]);
    raised["prior_diagnosis"] = json!(["hypertension"]);
    assert_eq!(arm(&raised, man()), Some("left"));
    raised["prior_diagnosis"] = json!([]);
    raised["pregnant"] = json!(true);
    assert_eq!(arm(&raised, woman()), Some("left"));
    raised["pregnant"] = json!(false);
    assert_eq!(arm(&raised, woman()), Some("right"));
    let one_arm = GuideSettings { both_arms: false, ..GuideSettings::default() };
    assert_eq!(next_step(&raised, Some(&woman()), &one_arm).reading.unwrap().arm, Some(Arm::Left));
    // The repeat of both arms can be declined, too: the higher one decides then.
    let mut differ = contact(&[("left", 156, 90), ("right", 138, 80)]);
    assert_eq!(step(&differ, man()).skip, Some("bp/other_arm"));
    let derived = derive(&differ, Some(&man()));
    assert_eq!(
        (derived.systolic, derived.category, derived.another_reading_due),
        (Some(156), Some(Category::High), true)
    );
    differ["declined"] = json!(["other_arm"]);
    assert_eq!(step(&differ, man()).code, StepCode::TakeReading);
}

#[test]
fn clinical_guide_waits_by_the_clock_of_the_last_reading() {
    let step = step(&contact(&[("left", 150, 90)]), man());
    assert_eq!((step.wait_seconds, step.not_before.as_deref()), (Some(60), Some("2026-11-20T13:01:00Z")));
    let team = json!({"settings": {"guide": {"wait_seconds": 120, "systolic_difference": 20, "unknown": 1}}});
    let settings = GuideSettings::of_team(&team);
    assert_eq!(
        (settings.wait_seconds, settings.systolic_difference, settings.diastolic_difference),
        (120, 20, 5)
    );
    assert_eq!(
        GuideSettings::of_team(&json!({"settings": {"guide": {"wait_seconds": "x"}}})),
        GuideSettings::default()
    );
    let later = next_step(&contact(&[("left", 150, 90)]), Some(&man()), &settings);
    assert_eq!(later.not_before.as_deref(), Some("2026-11-20T13:02:00Z"));
    let differ = contact(&[("left", 150, 90), ("right", 140, 90)]);
    assert!(next_step(&differ, Some(&man()), &settings).reading.is_none());
}

#[test]
fn clinical_guide_red_flags_interrupt_any_very_high_reading() {
    for (systolic, diastolic, due) in [(179, 119, false), (180, 80, true), (150, 120, true)] {
        let step = step(&contact(&[("left", systolic, diastolic)]), man());
        assert_eq!(step.code == StepCode::AskRedFlags, due, "{systolic}/{diastolic}");
        assert_eq!(step.interrupts, due);
        assert_eq!(step.notes.iter().any(|note| note.id == "note-any-red-flag-is-999"), due);
    }
    // Before the questions that were left open, and for whoever it is; after a later low reading, too.
    let mut bare = json!({"bp": {"readings": {}}});
    add(&mut bare, "left", "sitting", 190, 100);
    assert_eq!(code(&bare, json!({})), "ask_red_flags");
    let mut high = contact(&[("left", 190, 100), ("right", 130, 80)]);
    assert_eq!(code(&high, man()), "ask_red_flags");
    assert_eq!(step(&high, man()).choices.len(), 8);
    let mut flags = serde_json::Map::new();
    for (at, (flag, _)) in codes::RED_FLAGS.iter().enumerate() {
        assert_eq!(step(&high, man()).choices.len(), 8 - at);
        flags.insert(format!("f{at}"), json!({"flag": flag, "present": false}));
        high["bp"]["red_flags"] = Value::Object(flags.clone());
    }
    assert_ne!(code(&high, man()), "ask_red_flags");
    high["bp"]["red_flags"] = json!({});
    high["declined"] = json!(["bp/red_flags"]);
    assert_ne!(code(&high, man()), "ask_red_flags");
    // A home reading, a corrected one and one that disagrees count as well.
    let mut home = contact(&[("left", 190, 100)]);
    home["bp"]["readings"]["r00"]["setting"] = json!("hbpm");
    assert_eq!(code(&home, man()), "ask_red_flags");
    let mut disagree = contact(&[("left", 130, 80)]);
    disagree["bp"]["readings"]["r00"]["corrected_by"] = json!(["c", "d"]);
    disagree["bp"]["readings"]["c"] = json!({"systolic": 131, "diastolic": 80, "corrects": "r00"});
    disagree["bp"]["readings"]["d"] = json!({"systolic": 190, "diastolic": 80, "corrects": "r00"});
    assert_eq!(code(&disagree, man()), "ask_red_flags");
}

#[test]
fn clinical_guide_a_red_flag_is_999_and_nothing_else() {
    let mut flagged = contact(&[("left", 150, 90)]);
    flagged["bp"]["red_flags"] = json!({"f": {"flag": "chest_pain", "present": true}});
    let step_now = step(&flagged, man());
    assert_eq!((step_now.code, step_now.interrupts), (StepCode::CallEmergency, true));
    assert_eq!(step_now.notes, [text::Text::new("note-tell-who-was-called")]);
    for (field, entry) in [
        ("referrals", json!({"to": "ambulance", "urgency": "emergency"})),
        ("advice", json!({"code": "EMERGENCY_999_AE"})),
    ] {
        let mut told = flagged.clone();
        told[field] = json!({"a": entry});
        let done = step(&told, man());
        assert_eq!(done.code, StepCode::Done, "nobody waits for another reading");
        assert_eq!(done.notes[0].id, "action-EMERGENCY_999_AE");
    }
    let mut wrong = flagged.clone();
    wrong["referrals"] = json!({"a": {"to": "gp", "urgency": "same_day"}});
    assert_eq!(code(&wrong, man()), "call_emergency");
    flagged["ended"] = json!({"how": "left_early"});
    assert_eq!(code(&flagged, man()), "call_emergency", "also when they have gone");
    flagged["entered_in_error"] = json!({"reason": "wrong person"});
    assert_eq!(code(&flagged, man()), "done");
}

#[test]
fn clinical_guide_feels_an_irregular_pulse_again() {
    let mut irregular = contact(&[]);
    irregular["bp"]["pulse_rhythm"] = json!("irregular");
    let again = step(&irregular, man());
    assert_eq!((again.code, again.wait_seconds), (StepCode::RecheckPulse, Some(300)));
    assert_eq!(derive(&irregular, Some(&man())).urgency, Urgency::SameDay, "counts until it is felt again");
    irregular["bp"]["pulse_rhythm_again"] = json!("irregular");
    let take = step(&irregular, man());
    assert_eq!(take.code, StepCode::TakeReading);
    assert_eq!(take.notes.last().unwrap().id, "note-measure-by-hand");
    assert_eq!(derive(&irregular, Some(&man())).urgency, Urgency::SameDay);
    for unsure in ["not_checked", "regularly"] {
        irregular["bp"]["pulse_rhythm_again"] = json!(unsure);
        assert_eq!(derive(&irregular, Some(&man())).urgency, Urgency::SameDay);
    }
    irregular["bp"]["pulse_rhythm_again"] = json!("regular");
    assert_eq!(derive(&irregular, Some(&man())).urgency, Urgency::Routine);
    assert_eq!(step(&irregular, man()).notes.len(), 1);
    // In conflict the more urgent counts.
    irregular["conflicts"] =
        json!([{"path": PULSE_AGAIN, "values": [{"value": "regular"}, {"value": "irregular"}]}]);
    assert_eq!(derive(&irregular, Some(&man())).urgency, Urgency::SameDay);
    irregular["conflicts"] = json!([]);
    irregular["bp"]["pulse_rhythm_again"] = Value::Null;
    irregular["prior_diagnosis"] = json!(["af"]);
    assert_eq!(code(&irregular, man()), "take_reading", "known already");
}

#[test]
fn clinical_guide_under_18_is_recorded_only() {
    let child = || json!({"date_of_birth": "2010-01-01", "sex": "male"});
    assert_eq!(code(&contact(&[]), child()), "take_reading");
    let mut raised = contact(&[("left", 150, 45)]);
    assert_eq!(code(&raised, child()), "give_advice");
    raised["bp"]["symptoms"] = json!(["dizzy"]);
    raised["advice"] = json!({"a": {"code": "RECORD_ONLY"}});
    raised["referrals"] = json!({"a": {"to": "gp", "urgency": "within_3_weeks"}});
    let done = step(&raised, child());
    assert_eq!((done.code, done.text.id.as_str()), (StepCode::Done, "category-NOT_CLASSIFIED"));
    assert_eq!(done.notes[0].id, "note-under-18");
    // The ladder of pregnancy applies under 18, too.
    let mut girl = contact(&[("left", 150, 90)]);
    girl["pregnant"] = json!(true);
    assert_eq!(code(&girl, json!({"date_of_birth": "2010-01-01", "sex": "female"})), "take_reading");
}

#[test]
fn clinical_guide_low_readings_ask_for_symptoms_and_standing() {
    assert_eq!(code(&contact(&[("left", 89, 60)]), man()), "ask_symptoms");
    assert_eq!(code(&contact(&[("left", 90, 59)]), man()), "ask_symptoms");
    assert_eq!(code(&contact(&[("left", 90, 60)]), man()), "give_advice");
    let mut dizzy = contact(&[("left", 120, 70)]);
    dizzy["bp"]["symptoms"] = json!(["dizzy"]);
    let stand = step(&dizzy, man());
    assert_eq!((stand.code, stand.required, stand.wait_seconds), (StepCode::TakeStanding, false, Some(60)));
    assert_eq!(stand.reading, Some(NextReading { number: 2, arm: Some(Arm::Left), position: "standing" }));
    // No drop: enough. A smaller one: from lying. A full one: enough, and a review.
    for (systolic, diastolic, expected) in [
        (120, 70, "arrange"),
        (119, 70, "take_lying"),
        (120, 69, "take_lying"),
        (101, 61, "take_lying"),
        (100, 70, "arrange"),
        (120, 60, "arrange"),
    ] {
        let mut stood = dizzy.clone();
        add(&mut stood, "left", "standing", systolic, diastolic);
        assert_eq!(code(&stood, man()), expected, "{systolic}/{diastolic}");
        let derived = derive(&stood, Some(&man()));
        assert_eq!(derived.systolic, Some(120), "a standing reading never decides");
        assert_eq!(
            derived.why.contains("Drop on standing"),
            systolic <= 100 || diastolic <= 60,
            "{}",
            derived.why
        );
    }
    let mut lying = dizzy.clone();
    add(&mut lying, "left", "standing", 110, 70);
    add(&mut lying, "left", "lying", 125, 72);
    assert_eq!(code(&lying, man()), "take_standing", "once more, after lying");
    add(&mut lying, "left", "standing", 106, 70);
    assert_eq!(code(&lying, man()), "arrange");
    dizzy["declined"] = json!(["bp/standing"]);
    assert_eq!(code(&dizzy, man()), "arrange");
    // A drop without a symptom that was written down still needs its review, unless one is due anyway.
    let mut silent = contact(&[("left", 150, 90), ("left", 150, 90)]);
    add(&mut silent, "left", "standing", 120, 80);
    assert!(derive(&silent, Some(&man())).actions.contains(&Action::SymptomGpReview));
    assert_eq!(derive(&silent, Some(&man())).category, Some(Category::High));
    silent["bp"]["readings"]["r00"]["systolic"] = json!(185);
    silent["bp"]["readings"]["r01"]["systolic"] = json!(185);
    assert!(!derive(&silent, Some(&man())).actions.contains(&Action::SymptomGpReview));
    let child = json!({"date_of_birth": "2010-01-01"});
    assert!(!derive(&silent, Some(&child)).actions.contains(&Action::SymptomGpReview));
    // Lying alone decides, where nobody sat.
    let mut only_lying = contact(&[]);
    add(&mut only_lying, "left", "lying", 150, 90);
    assert_eq!(derive(&only_lying, Some(&man())).category, Some(Category::High));
}

#[test]
fn clinical_guide_offers_monitoring_then_refers_then_tells() {
    let mut high = contact(&[("left", 150, 90), ("right", 150, 90)]);
    assert_eq!(code(&high, man()), "offer_monitoring");
    for (field, value) in [
        ("monitor_loan", json!({"device": "loan-1"})),
        ("follow_ups", json!({"a": {"type": "hbpm_diary"}})),
        ("referrals", json!({"a": {"to": "pharmacy", "urgency": "routine"}})),
    ] {
        let mut arranged = high.clone();
        arranged[field] = value;
        assert_eq!(code(&arranged, man()), "give_advice", "{field}");
    }
    let mut other = high.clone();
    other["follow_ups"] = json!({"a": {"type": "call"}});
    assert_eq!(code(&other, man()), "offer_monitoring");
    high["declined"] = json!(["monitoring"]);
    let refer = step(&high, man());
    assert_eq!((refer.code, refer.text.id.as_str()), (StepCode::Arrange, "step-arrange-within_3_weeks"));
    high["referrals"] = json!({"a": {"to": "gp", "urgency": "within_3_weeks"}});
    assert_eq!(code(&high, man()), "give_advice");
    high["advice"] = json!({"a": {"code": "OFFER_ABPM_HBPM"}});
    assert_eq!(code(&high, man()), "done");
    assert!(!is_half_done(&high, Some(&man()), &GuideSettings::default()));
}

#[test]
fn clinical_guide_urgent_results_are_arranged_even_after_somebody_left() {
    let no_flags: serde_json::Map<String, Value> = codes::RED_FLAGS
        .iter()
        .map(|(flag, _)| ((*flag).to_owned(), json!({"flag": flag, "present": false})))
        .collect();
    let mut very_high = contact(&[("left", 190, 100), ("right", 186, 100)]);
    very_high["bp"]["red_flags"] = Value::Object(no_flags);
    let arrange = step(&very_high, man());
    assert_eq!((arrange.code, arrange.text.id.as_str()), (StepCode::Arrange, "step-arrange-same_day"));
    assert!(arrange.notes.iter().any(|note| note.id == "note-no-practice-or-shut"));
    very_high["ended"] = json!({"how": "left_early"});
    assert_eq!(code(&very_high, man()), "arrange");
    very_high["referrals"] = json!({"a": {"to": "gp", "urgency": "within_7_days"}});
    assert_eq!(code(&very_high, man()), "arrange", "a later one is not enough");
    very_high["referrals"] = json!({"a": {"to": "111", "urgency": "same_day"}});
    assert_eq!(code(&very_high, man()), "done");
    // Nothing more is asked of somebody who has gone; a parked contact goes on where it was.
    let mut gone = contact(&[("left", 150, 90)]);
    gone["ended"] = json!({"how": "completed"});
    assert_eq!(code(&gone, man()), "done");
    gone["ended"] = json!({"how": "parked"});
    assert_eq!(code(&gone, man()), "take_reading");
    assert!(is_half_done(&gone, Some(&man()), &GuideSettings::default()));
    let mut pregnant = contact(&[("left", 160, 90), ("left", 160, 90)]);
    pregnant["pregnant"] = json!(true);
    let now = step(&pregnant, woman());
    assert_eq!((now.text.id.as_str(), now.interrupts), ("step-arrange-emergency", true));
}

#[test]
fn clinical_guide_home_diaries_are_entered_not_measured() {
    let mut diary = json!({"started_at": "2026-11-20T13:00:00Z", "bp": {"readings": {}}});
    for day in 1..=4 {
        for part in ["a", "b"] {
            let entered = step(&diary, man()).code;
            let expected =
                if day == 1 && part == "a" { StepCode::AskPulseRhythm } else { StepCode::EnterHomeReadings };
            // A single value is a mean that somebody typed in.
            let typed_in = day == 1 && part == "b";
            assert_eq!(entered, if typed_in { StepCode::GiveAdvice } else { expected }, "{day}{part}");
            diary["bp"]["readings"][format!("r{day}{part}")] = json!({"taken_at": format!("2026-11-{day:02}T08:00:00Z"), "systolic": 128, "diastolic": 80, "setting": "hbpm"});
            if day == 4 {
                break;
            }
        }
    }
    assert_eq!(code(&diary, man()), "give_advice");
}
