//! The clinical rules against the clinical pack's case files in `clinical/`, and their properties.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use serde_json::{Value, json};
use wayside_protocol::clinical::*;
use wayside_protocol::error::Code;

/// The rows of a case file, without the head. Text stays as it is: spaces matter.
fn cases(name: &str) -> Vec<Vec<String>> {
    let path = format!("{}/tests/clinical/{name}", env!("CARGO_MANIFEST_DIR"));
    let mut reader = csv::Reader::from_path(&path).unwrap();
    let rows: Vec<Vec<String>> =
        reader.records().map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect();
    assert!(!rows.is_empty(), "{name} is empty");
    rows
}

fn circumstances(setting: &str) -> Circumstances {
    let clinic = Circumstances::default();
    match setting {
        "clinic" => clinic,
        "clinic_redflag" => Circumstances { red_flag: true, ..clinic },
        "clinic_fainting" => Circumstances { fainting: true, ..clinic },
        "clinic_dizzy" => Circumstances { dizzy: true, ..clinic },
        "clinic_irregular_pulse" => Circumstances { irregular_pulse: true, ..clinic },
        "clinic_pregnant" => Circumstances { pregnant: true, ..clinic },
        "clinic_under18" => Circumstances { under_18: true, ..clinic },
        "abpm" => Circumstances { setting: Setting::Abpm, ..clinic },
        "hbpm" => Circumstances { setting: Setting::Hbpm, ..clinic },
        other => panic!("unknown setting {other}"),
    }
}

fn codes_of(actions: &[Action]) -> String {
    actions.iter().map(|action| action.as_str()).collect::<Vec<_>>().join(";")
}

#[test]
fn clinical_every_bp_case() {
    for row in cases("bp_classification_cases.csv") {
        let (systolic, diastolic) = (row[0].parse().unwrap(), row[1].parse().unwrap());
        let got = classify(systolic, diastolic, &circumstances(&row[2]));
        assert_eq!(got.category.as_str(), row[3], "{row:?}");
        assert_eq!(codes_of(&got.actions), row[4], "{row:?}");
        assert_eq!(got.urgency, urgency(&got.actions));
        for code in row[4].split(';') {
            assert!(Action::parse(code).is_some(), "{code}");
        }
    }
}

/// How soon each action must happen, and what the label says of it.
#[test]
fn clinical_every_action_has_its_urgency() {
    let of = |wanted: Urgency| -> Vec<&str> {
        Action::ALL.iter().filter(|action| action.urgency() == wanted).map(|action| action.as_str()).collect()
    };
    assert_eq!(of(Urgency::Emergency), ["EMERGENCY_999_AE", "MATERNITY_EMERGENCY_NOW"]);
    assert_eq!(of(Urgency::SameDay), ["GP_SAME_DAY", "IRREGULAR_PULSE_GP_SAME_DAY", "MATERNITY_SAME_DAY"]);
    assert_eq!(of(Urgency::Within7Days), ["GP_WITHIN_7_DAYS"]);
    assert_eq!(
        of(Urgency::Within3Weeks),
        ["ELSE_GP_WITHIN_3_WEEKS", "GP_WITHIN_3_WEEKS", "SYMPTOM_GP_REVIEW"]
    );
    assert_eq!(of(Urgency::Routine).len(), Action::ALL.len() - 9);
    assert_eq!(urgency(&[]), Urgency::Routine);
}

#[test]
fn clinical_every_nhs_number_case() {
    for row in cases("nhs_number_cases.csv") {
        let parsed = NhsNumber::parse(&row[0]);
        assert_eq!(parsed.is_ok(), row[1] == "true", "{row:?}");
        match parsed {
            Ok(number) => {
                assert_eq!(number.as_str().len(), 10);
                assert_eq!(NhsNumber::parse(&number.to_string()), Ok(number));
                assert!(!format!("{number:?}").contains(number.as_str()));
                if row[2].contains("test range") {
                    assert_eq!(number.range(), NhsNumberRange::Test);
                }
                if row[2].contains("warn") {
                    assert!(number.range().warning().is_some(), "{row:?}");
                }
            }
            Err(problem) => {
                assert_eq!(problem.code(), Code::NhsNumberInvalid);
                assert!(row[0].is_empty() || !problem.to_string().contains(row[0].trim()));
                assert_eq!(row[2].contains("National"), problem == NhsNumberProblem::NationalInsurance);
                assert_eq!(row[2].contains("never issued"), problem == NhsNumberProblem::NeverIssued);
                assert_eq!(row[2].contains("placeholder"), problem == NhsNumberProblem::Placeholder);
            }
        }
    }
    assert_eq!(NhsNumber::parse("9990000018").unwrap().to_string(), "999 000 0018");
    assert_eq!(NhsNumber::parse("qq 12 34 56 c"), Err(NhsNumberProblem::NationalInsurance));
}

#[test]
fn clinical_every_bmi_case() {
    for row in cases("bmi_cases.csv") {
        let got = bmi(row[0].parse().unwrap(), row[1].parse().unwrap()).unwrap();
        assert_eq!(format!("{got:.1}"), row[4], "{row:?}");
    }
    // Exactly 28.05 and 18.05: halves go up, though neither is exact in binary.
    assert_eq!(bmi(200.0, 112.2), Some(28.1));
    assert_eq!(bmi(200.0, 72.2), Some(18.1));
    assert_eq!(bmi(0.0, 70.0), None);
    assert_eq!(bmi(f64::NAN, f64::INFINITY), None);
}

#[test]
fn clinical_ethnic_categories_are_the_packs() {
    let rows = cases("ethnic_categories.csv");
    assert_eq!(rows.len(), codes::ETHNIC_CATEGORIES.len());
    for (row, ours) in rows.iter().zip(codes::ETHNIC_CATEGORIES) {
        assert_eq!(
            [ours.code, ours.description, ours.group, ours.label],
            [&row[0], &row[1], &row[2], &row[3]]
        );
    }
    assert_eq!(ethnic_category("C2").unwrap().code, "C");
    assert_ne!(ethnic_category("Z").unwrap(), ethnic_category("99").unwrap());
    for wrong in ["", "9", "I", "999", "a", "É", "A-", "ABC"] {
        assert_eq!(check_code("ethnic_category", wrong).unwrap_err().code, Code::UnknownValue, "{wrong}");
    }
    assert!(check_code("nhs_number/status", "02").is_ok());
    assert!(check_code("nhs_number/status", "2").is_err());
    assert!(check_code("language", "anything").is_ok());
}

#[test]
fn clinical_limits_say_what_is_wrong() {
    let said = |findings: Findings| -> Vec<String> {
        findings
            .iter()
            .map(|finding| format!("{} {}: {}", finding.code(), finding.path, finding.message))
            .collect()
    };
    assert!(check_reading(152, 94, Some(71)).is_empty());
    assert_eq!(
        said(check_reading(301, 94, None)),
        ["out_of_range systolic: Systolic cannot be more than 300."]
    );
    assert_eq!(
        said(check_reading(120, 120, None)),
        ["out_of_range diastolic: Diastolic must be lower than systolic."]
    );
    assert_eq!(
        said(check_reading(69, 181, Some(19))),
        [
            "confirm_unusual systolic: Systolic below 70 is unusual: measure again, or confirm it.",
            "confirm_unusual diastolic: Diastolic above 180 is unusual: measure again, or confirm it.",
            "out_of_range diastolic: Diastolic must be lower than systolic.",
            "out_of_range pulse: Pulse cannot be less than 20.",
        ]
    );
    assert_eq!(
        said(check_measurement("height", 250.5)),
        ["out_of_range value: Height cannot be more than 250 cm."]
    );
    assert_eq!(check_measurement("height", 211.0).refusal(false).unwrap().code(), Code::ConfirmUnusual);
    assert!(check_measurement("height", 211.0).refusal(true).is_none());
    assert!(check_measurement("weight", f64::NAN).blocked());
    assert!(check_measurement("hba1c", -1.0).is_empty());
    let invalid = check_reading(49, 40, None).refusal(true).unwrap().invalid("bp/readings/a");
    assert_eq!(invalid.path, "bp/readings/a/systolic");
}

fn chosen(readings: &[(i64, i64)]) -> (usize, bool) {
    let pairs: Vec<Pair> = readings.iter().map(|(s, d)| Pair::new(*s, *d)).collect();
    let choice = choose(&pairs).unwrap();
    (choice.index, choice.another_reading_due)
}

#[test]
fn clinical_the_lower_of_the_last_two_is_one_real_pair() {
    assert_eq!(choose(&[]), None);
    assert_eq!(chosen(&[(139, 89)]), (0, false));
    assert_eq!(chosen(&[(139, 90)]), (0, true));
    assert_eq!(chosen(&[(150, 88), (146, 92)]), (1, false), "values cross: lower systolic");
    assert_eq!(chosen(&[(150, 88), (150, 92)]), (0, false), "tie: lower diastolic");
    assert_eq!(chosen(&[(150, 88), (150, 88)]), (1, false), "exact tie: the later");
    assert_eq!(chosen(&[(150, 88), (160, 88)]), (0, true), "10 systolic is substantial");
    assert_eq!(chosen(&[(150, 88), (159, 92)]), (0, false));
    assert_eq!(chosen(&[(150, 88), (150, 83)]), (1, true), "5 diastolic is substantial");
    assert_eq!(chosen(&[(120, 70), (138, 80)]), (0, false), "the first was not raised");
    assert_eq!(chosen(&[(120, 70), (150, 80)]), (0, true), "raised at the end");
    assert_eq!(chosen(&[(120, 60), (170, 95), (150, 90)]), (2, false), "only the last two count");
    let choice = choose(&[Pair::new(152, 94), Pair::new(148, 92)]).unwrap();
    assert_eq!(choice.why, "Lower of the last two readings (152/94, 148/92)");
    assert!(red_flag_questions_due(&[Pair::new(185, 80), Pair::new(130, 80)]));
}

#[test]
fn clinical_means_say_what_is_missing() {
    let day = |day: i8, systolic, diastolic| (jiff::civil::date(2026, 11, day), systolic, diastolic);
    let mean = home_mean(&[day(3, 141, 90), day(1, 200, 100), day(2, 140, 91), day(4, 141, 90)]);
    assert_eq!(mean.pair, Some(Pair::new(141, 90)), "422/3 and 271/3, without the first day");
    let short = home_mean(&[day(1, 200, 100), day(2, 140, 90), day(3, 141, 91)]);
    assert_eq!((short.pair, short.so_far), (None, Some(Pair::new(141, 91))), "halves go up");
    assert!(short.why.contains("at least 4 days are needed, there are 3"), "{}", short.why);
    assert_eq!(home_mean(&[]).so_far, None);
    assert_eq!(waking_mean(&[Pair::new(140, 90); 13]).pair, None);
    assert_eq!(waking_mean(&[Pair::new(140, 90); 14]).pair, Some(Pair::new(140, 90)));
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

#[test]
fn clinical_urgency_is_ordered_and_spelt() {
    let spelt: Vec<_> = Urgency::ALL.iter().map(|urgency| serde_json::to_value(urgency).unwrap()).collect();
    assert_eq!(spelt, ["routine", "within_3_weeks", "within_7_days", "same_day", "emergency"]);
    assert!(Urgency::ALL.is_sorted());
}

fn any_circumstances() -> impl Strategy<Value = Circumstances> {
    let setting = prop_oneof![Just(Setting::Clinic), Just(Setting::Abpm), Just(Setting::Hbpm)];
    (setting, any::<[bool; 6]>()).prop_map(
        |(setting, [red_flag, fainting, dizzy, irregular_pulse, pregnant, under_18])| Circumstances {
            setting,
            red_flag,
            fainting,
            dizzy,
            irregular_pulse,
            pregnant,
            under_18,
        },
    )
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
    fn clinical_every_input_has_an_outcome(s in any_value(), d in any_value(), c in any_circumstances()) {
        let got = classify(s, d, &c);
        prop_assert!(!got.actions.is_empty());
        prop_assert_eq!(got.actions.contains(&Action::Emergency999Ae), c.red_flag);
        prop_assert!(!c.irregular_pulse || got.urgency >= Urgency::SameDay);
        let mut distinct = got.actions.clone();
        distinct.sort_unstable();
        distinct.dedup();
        prop_assert_eq!(distinct.len(), got.actions.len());
        check_reading(s, d, Some(s));
    }

    #[test]
    fn clinical_raising_a_value_never_lowers_urgency(
        s in 90..=300_i64, d in 60..=200_i64, more_s in 0..=60_i64, more_d in 0..=60_i64, c in any_circumstances()
    ) {
        // Within what can be saved: beyond, the answer is to enter it again.
        let d = d.min(s - 1);
        let higher_s = (s + more_s).min(300);
        let higher_d = (d + more_d).min(200).min(higher_s - 1);
        prop_assert!(classify(higher_s, higher_d, &c).urgency >= classify(s, d, &c).urgency);
    }

    #[test]
    fn clinical_no_circumstance_lowers_urgency(
        s in 50..=300_i64, d in 20..=200_i64, c in any_circumstances()
    ) {
        let base = Circumstances { under_18: c.under_18, pregnant: c.pregnant, setting: c.setting, ..Circumstances::default() };
        prop_assert!(classify(s, d, &c).urgency >= classify(s, d, &base).urgency);
    }

    #[test]
    fn clinical_the_choice_is_one_of_the_last_two(readings in prop::collection::vec((any_value(), any_value()), 1..6)) {
        let pairs: Vec<Pair> = readings.iter().map(|(s, d)| Pair::new(*s, *d)).collect();
        let choice = choose(&pairs).unwrap();
        prop_assert!(choice.index < pairs.len() && choice.index + 2 >= pairs.len());
        waking_mean(&pairs);
    }

    #[test]
    fn clinical_no_text_makes_the_nhs_number_parser_panic(text in any::<String>()) {
        if let Err(problem) = NhsNumber::parse(&text) {
            prop_assert!(!problem.to_string().is_empty());
        }
    }

    #[test]
    fn clinical_hostile_json_derives_something(bp in any_json(), readings in any_json(), measurements in any_json(), person in any_json()) {
        let contact = json!({
            "started_at": "2026-11-20T13:00:00Z", "measurements": measurements, "conflicts": bp.clone(),
            "bp": {"readings": readings, "red_flags": bp.clone(), "symptoms": bp},
        });
        prop_assert_eq!(derive(&contact, Some(&person)).rules, RULES_VERSION);
    }
}
