//! The clinical rules against the clinical pack's case files in `clinical/`, and their properties.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
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

/// A low reading with symptoms is one where no low category exists, too: in pregnancy and for a mean.
#[test]
fn clinical_symptoms_with_low_values_outside_the_clinic_ladder() {
    let fainting = Circumstances { fainting: true, ..Circumstances::default() };
    let dizzy = Circumstances { dizzy: true, ..Circumstances::default() };
    for (base, first) in [
        (Circumstances { pregnant: true, ..Circumstances::default() }, "ROUTINE_ANTENATAL"),
        (Circumstances { setting: Setting::Hbpm, ..Circumstances::default() }, "ADVICE_RECHECK_5Y"),
        (Circumstances { setting: Setting::Abpm, ..Circumstances::default() }, "ADVICE_RECHECK_5Y"),
    ] {
        let of = |systolic, signs: Circumstances| {
            let both = Circumstances { pregnant: base.pregnant, setting: base.setting, ..signs };
            codes_of(&classify(systolic, 60, &both).actions)
        };
        assert_eq!(of(89, fainting), format!("{first};GP_SAME_DAY"));
        assert_eq!(of(89, dizzy), format!("{first};GP_WITHIN_3_WEEKS"));
        assert_eq!(of(90, fainting), format!("{first};SYMPTOM_GP_REVIEW"));
    }
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
    assert!(check_code("nhs_number_absent_reason", "overseas-patient").is_ok());
    assert!(check_code("nhs_number_absent_reason", "lost").is_err());
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
    assert!(!check_reading(69, 40, None).is_empty());
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
    let two = home_mean(&[day(1, 200, 100), day(2, 140, 90)]);
    assert_eq!(two.so_far, Some(Pair::new(140, 90)), "the first day never counts once there is another");
    assert_eq!(home_mean(&[day(1, 200, 100)]).so_far, Some(Pair::new(200, 100)));
    assert_eq!(waking_mean(&[Pair::new(140, 90); 13]).pair, None);
    assert_eq!(waking_mean(&[Pair::new(140, 90); 14]).pair, Some(Pair::new(140, 90)));
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
}
