//! Health-check rules against the pack's case files, and their edges.
#![allow(clippy::unwrap_used)]

use jiff::civil::date;
use serde_json::{Value, json};
use wayside_protocol::clinical::activity::*;
use wayside_protocol::clinical::alcohol::*;
use wayside_protocol::clinical::diabetes::*;
use wayside_protocol::clinical::health_check::*;
use wayside_protocol::clinical::smoking::Smoking;
use wayside_protocol::clinical::*;

fn cases(name: &str) -> Vec<Vec<String>> {
    let path = format!("{}/tests/clinical/{name}", env!("CARGO_MANIFEST_DIR"));
    let mut reader = csv::Reader::from_path(&path).unwrap();
    reader.records().map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect()
}

#[test]
fn clinical_every_bmi_category_case() {
    let rows = cases("bmi_cases.csv");
    assert_eq!(rows.len(), 38);
    for row in rows {
        let index = bmi(row[0].parse().unwrap(), row[1].parse().unwrap()).unwrap();
        let got = bmi_result(index, Some(&row[2]));
        assert_eq!(format!("{:.1}", got.bmi), row[4], "{row:?}");
        assert_eq!(got.thresholds.as_str(), row[5], "{row:?}");
        assert_eq!(got.standard.as_str(), row[6], "{row:?}");
        assert_eq!(got.lower.as_str(), row[7], "{row:?}");
        assert_eq!(got.code(), row[8], "{row:?}");
    }
}

#[test]
fn clinical_bmi_thresholds_are_those_of_the_ethnic_categories() {
    for row in cases("ethnic_categories.csv") {
        let expected = match row[4].as_str() {
            "yes" => BmiThresholds::Lower,
            "no" => BmiThresholds::Standard,
            _ => BmiThresholds::AskFamilyBackground,
        };
        assert_eq!(bmi_thresholds(Some(&row[0])), expected, "{row:?}");
    }
    // A local second character changes nothing; what is missing or unknown is asked.
    assert_eq!(bmi_thresholds(Some("J1")), BmiThresholds::Lower);
    assert_eq!(bmi_thresholds(None), BmiThresholds::AskFamilyBackground);
    assert_eq!(bmi_thresholds(Some("q")), BmiThresholds::AskFamilyBackground);
    // Either side of every cut of both sets.
    let band = |index: f64, ethnic: &str| bmi_result(index, Some(ethnic)).code();
    for (ethnic, cuts) in [("A", [25.0, 30.0, 35.0, 40.0]), ("H", [23.0, 27.5, 32.5, 37.5])] {
        let names = ["healthy", "overweight", "obesity_1", "obesity_2", "obesity_3"];
        for (at, cut) in cuts.into_iter().enumerate() {
            assert_eq!(
                (band(cut - 0.1, ethnic), band(cut, ethnic)),
                (names[at], names[at + 1]),
                "{ethnic} {cut}"
            );
        }
        assert_eq!((band(18.4, ethnic), band(18.5, ethnic)), ("underweight", "healthy"));
    }
}

#[test]
fn clinical_waist_to_height_only_below_a_bmi_of_35() {
    let band =
        |waist: f64| waist_to_height(waist, 200.0, Some(34.9)).map(|(ratio, band)| (ratio, band.as_str()));
    assert_eq!(band(78.9), Some((0.39, "below_bands")));
    assert_eq!(band(79.0), Some((0.40, "healthy")), "0.395 goes up");
    assert_eq!(band(98.9), Some((0.49, "healthy")));
    assert_eq!(band(99.0), Some((0.50, "raised")), "0.495 goes up");
    assert_eq!(band(118.9), Some((0.59, "raised")));
    assert_eq!(band(119.0), Some((0.60, "high")));
    assert_eq!(waist_to_height(100.0, 170.0, Some(35.0)), None);
    assert!(waist_to_height(100.0, 170.0, None).is_some());
    assert_eq!(waist_to_height(201.0, 170.0, None), None, "outside the entry limits");
    assert_eq!(waist_to_height(100.0, 49.0, None), None, "outside the entry limits");
    assert_eq!(waist_to_height(f64::NAN, 170.0, None), None);
}

#[test]
fn clinical_every_audit_c_case() {
    let rows = cases("audit_c_cases.csv");
    assert_eq!(rows.len(), 42);
    for row in rows {
        let answer = |at: usize| row[at].parse::<i64>().ok();
        let got = audit_c(answer(0), answer(1), answer(2));
        assert_eq!(got.action().as_str(), row[6], "{row:?}");
        match got {
            AuditC::Scored { score, positive, band, inconsistent } => {
                assert_eq!(score.to_string(), row[3], "{row:?}");
                assert_eq!(positive.to_string(), row[4], "{row:?}");
                assert_eq!(band.as_str(), row[5], "{row:?}");
                assert_eq!(inconsistent, row[7].starts_with("inconsistent"), "{row:?}");
            }
            AuditC::Invalid => assert_eq!(row[5], "invalid", "{row:?}"),
            AuditC::Incomplete => assert_eq!(row[5], "incomplete", "{row:?}"),
        }
    }
    // Who never drinks is not asked the rest.
    assert!(matches!(audit_c(Some(0), None, None), AuditC::Scored { score: 0, inconsistent: false, .. }));
    assert!(matches!(audit_c(Some(0), Some(2), None), AuditC::Scored { score: 2, inconsistent: true, .. }));
    for (a, b, c) in [
        (Some(5), None, None),
        (Some(0), Some(5), None),
        (None, None, Some(-1)),
        (Some(i64::MAX), Some(1), Some(1)),
    ] {
        assert_eq!(audit_c(a, b, c), AuditC::Invalid);
    }
}

#[test]
fn clinical_full_audit_bands_and_the_third_question() {
    let band = |score| audit_band(score).map(AlcoholBand::as_str);
    let edges = [
        (-1, None),
        (0, Some("lower")),
        (7, Some("lower")),
        (8, Some("increasing")),
        (15, Some("increasing")),
        (16, Some("higher")),
        (19, Some("higher")),
        (20, Some("possible_dependence")),
        (40, Some("possible_dependence")),
        (41, None),
    ];
    for (score, expected) in edges {
        assert_eq!(band(score), expected, "{score}");
    }
    assert_eq!(binge_question(Some("female")), "audit-q3-female");
    assert_eq!(binge_question(Some("male")), "audit-q3-male");
    assert_eq!([binge_question(None), binge_question(Some("other"))], ["audit-q3-both"; 2]);
}

#[test]
fn clinical_gppaq_is_the_sheets_table() {
    use Activity::*;
    let rows = [
        (Work::None, [Inactive, ModeratelyInactive, ModeratelyActive, Active]),
        (Work::Sedentary, [Inactive, ModeratelyInactive, ModeratelyActive, Active]),
        (Work::Standing, [ModeratelyInactive, ModeratelyActive, Active, Active]),
        (Work::Physical, [ModeratelyActive, Active, Active, Active]),
        (Work::HeavyManual, [Active; 4]),
    ];
    for (work, levels) in rows {
        for (hours, level) in Hours::ALL.iter().zip(levels) {
            assert_eq!(gppaq(work, *hours, Hours::None), level, "{work} {hours}");
            assert_eq!(gppaq(work, Hours::None, *hours), level, "{work} {hours}");
            assert_eq!(gppaq(work, *hours, *hours), level, "the two are not added up");
            let answers =
                json!({"work": work, "exercise": hours, "cycling": "none", "walking": "3h_or_more"});
            assert_eq!(gppaq_of(&answers), Some(level));
        }
    }
    assert_eq!(gppaq_of(&json!({"work": "heavy_manual"})), Some(Active));
    assert_eq!(gppaq_of(&json!({"work": "standing", "exercise": "none"})), None);
    assert_eq!(gppaq_of(&json!({"work": "standing", "exercise": "a lot", "cycling": "none"})), None);
    assert_eq!(gppaq_of(&json!({"exercise": "none", "cycling": "none"})), None);
    assert_eq!([15, 16, 74, 75].map(gppaq_applies), [false, true, true, false]);
    let codes = ["366121000000108", "366171000000107", "366211000000105", "366241000000106"];
    assert_eq!(Activity::ALL.iter().map(|level| level.snomed()).collect::<Vec<_>>(), codes);
}

/// The Verhoeff check digit of SNOMED CT identifiers: a slip in a code shows here.
fn is_snomed(code: &str) -> bool {
    const D: [[usize; 10]; 10] = [
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
        [1, 2, 3, 4, 0, 6, 7, 8, 9, 5],
        [2, 3, 4, 0, 1, 7, 8, 9, 5, 6],
        [3, 4, 0, 1, 2, 8, 9, 5, 6, 7],
        [4, 0, 1, 2, 3, 9, 5, 6, 7, 8],
        [5, 9, 8, 7, 6, 0, 4, 3, 2, 1],
        [6, 5, 9, 8, 7, 1, 0, 4, 3, 2],
        [7, 6, 5, 9, 8, 2, 1, 0, 4, 3],
        [8, 7, 6, 5, 9, 3, 2, 1, 0, 4],
        [9, 8, 7, 6, 5, 4, 3, 2, 1, 0],
    ];
    const P: [[usize; 10]; 8] = [
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
        [1, 5, 7, 6, 2, 8, 3, 0, 9, 4],
        [5, 8, 0, 3, 7, 9, 6, 1, 4, 2],
        [8, 9, 1, 6, 0, 4, 3, 5, 2, 7],
        [9, 4, 5, 3, 1, 2, 6, 8, 7, 0],
        [4, 2, 8, 6, 5, 7, 3, 9, 0, 1],
        [2, 7, 9, 3, 8, 0, 6, 4, 1, 5],
        [7, 0, 4, 6, 9, 1, 3, 2, 5, 8],
    ];
    let digits = code.bytes().rev().map(|c| usize::from(c - b'0'));
    digits.enumerate().fold(0, |sum, (at, digit)| D[sum][P[at % 8][digit]]) == 0
}

#[test]
fn clinical_smoking_codes() {
    let table: Vec<(&str, &str, &str)> = Smoking::ALL
        .iter()
        .map(|status| (status.as_str(), status.snomed().unwrap_or(""), status.data_dictionary()))
        .collect();
    assert_eq!(
        table,
        [
            ("never", "266919005", "4"),
            ("ex", "8517006", "2"),
            ("light", "160603005", "1"),
            ("moderate", "160604004", "1"),
            ("heavy", "160605003", "1"),
            ("very_heavy", "160606002", "1"),
            ("current", "", "1"),
            ("non_smoker", "", "3"),
            ("not_stated", "", "Z"),
            ("unknown", "", "9"),
        ]
    );
    let a_day = |n| Smoking::from_a_day(n).map(Smoking::as_str);
    assert_eq!(
        [0, 1, 9, 10, 19, 20, 39, 40, 200].map(a_day),
        [
            None,
            Some("light"),
            Some("light"),
            Some("moderate"),
            Some("moderate"),
            Some("heavy"),
            Some("heavy"),
            Some("very_heavy"),
            Some("very_heavy"),
        ]
    );
    let current: Vec<_> =
        Smoking::ALL.iter().filter(|status| status.is_current()).map(|s| s.as_str()).collect();
    assert_eq!(current, ["light", "moderate", "heavy", "very_heavy", "current"]);
    let codes =
        Smoking::ALL.iter().filter_map(|s| s.snomed()).chain(Activity::ALL.iter().map(|a| a.snomed()));
    for code in codes.chain(codes::SNOMED.iter().map(|(_, code)| *code)).chain([GPPAQ_SNOMED]) {
        assert!(is_snomed(code), "{code}");
    }
    assert!(!is_snomed("2242651000000107"), "the pack says that this one fails");
}

#[test]
fn clinical_diabetes_filter_and_hba1c() {
    let result = |index: f64, ethnic: &str| Some(bmi_result(index, Some(ethnic)));
    let pair = |systolic, diastolic| Some(Pair::new(systolic, diastolic));
    let normal = pair(139, 89);
    for (bmi, pair, expected) in [
        (result(29.9, "A"), normal, "negative"),
        (result(30.0, "A"), normal, "positive"),
        (result(27.4, "K"), normal, "negative"),
        (result(27.5, "K"), normal, "positive"),
        (result(27.5, "M"), normal, "positive"),
        (result(27.4, "Z"), normal, "negative"),
        (result(27.5, "Z"), normal, "ask_family_background"),
        (result(30.0, "Z"), normal, "positive"),
        (result(20.0, "A"), pair(140, 60), "positive"),
        (result(20.0, "A"), pair(120, 90), "positive"),
        (result(28.0, "Z"), pair(140, 60), "positive"),
        (result(28.0, "Z"), None, "ask_family_background"),
        (result(31.0, "A"), None, "positive"),
        (None, pair(140, 60), "positive"),
        (None, normal, "not_known"),
        (result(20.0, "A"), None, "not_known"),
        (None, None, "not_known"),
    ] {
        assert_eq!(diabetes_filter(bmi, pair).as_str(), expected, "{bmi:?} {pair:?}");
    }
    let band = |value| hba1c_band(value).map(Hba1cBand::as_str);
    assert_eq!(
        [41.9, 42.0, 47.9, 48.0].map(band),
        [Some("below"), Some("high_risk"), Some("high_risk"), Some("diabetes_range")]
    );
    assert_eq!([0.0, -1.0, f64::NAN, f64::INFINITY].map(band), [None; 4]);
}

#[test]
fn clinical_nhs_health_check_eligibility() {
    let today = date(2026, 11, 20);
    let of = |age, diagnoses: &[&str], last| eligibility(age, diagnoses, last, today);
    assert_eq!(of(Some(39), &[], None), Eligibility::TooYoung);
    assert_eq!(of(Some(40), &[], None), Eligibility::Eligible);
    assert_eq!(of(Some(74), &["smi"], None), Eligibility::Eligible);
    assert_eq!(of(Some(75), &[], None), Eligibility::TooOld);
    assert_eq!(of(None, &[], None), Eligibility::AgeNotKnown);
    for (code, _) in NHS_HEALTH_CHECK_EXCLUSIONS {
        assert_eq!(of(Some(50), &[code], None), Eligibility::Excluded { by: vec![code] });
    }
    assert_eq!(NHS_HEALTH_CHECK_EXCLUSIONS.len(), 11);
    assert_eq!(of(Some(50), &[], Some(date(2021, 11, 20))), Eligibility::Eligible);
    assert_eq!(of(Some(50), &[], Some(date(2021, 11, 21))), Eligibility::NotYet { from: date(2026, 11, 21) });
    assert_eq!(
        serde_json::to_value(of(Some(50), &["af"], None)).unwrap(),
        json!({"status": "excluded", "by": ["af"]})
    );
}

fn full() -> (Value, Value) {
    let measure = |what: &str| json!({"what": what, "value": 5, "taken_at": "2026-11-20T13:00:00Z"});
    let contact = json!({
        "check_type": "nhs_health_check", "started_at": "2026-11-20T13:00:00Z",
        "bp": {"readings": {"a": {"systolic": 120, "diastolic": 80, "taken_at": "2026-11-20T13:00:00Z"}}, "pulse_rhythm": "regular"},
        "measurements": {"h": measure("height"), "w": measure("weight"), "c": measure("total_cholesterol")},
        "lifestyle": {
            "smoking": "never", "audit_c": {"q1": 0}, "gppaq": {"work": "none", "exercise": "none", "cycling": "none"},
            "family_history": ["none"], "risk_score": {"name": "QRISK3", "value": 8.1, "source": "letter"},
        },
        "advice": {"d": {"code": "DEMENTIA_INFORMATION"}},
    });
    (contact, json!({"sex": "female", "ethnic_category": "Z", "date_of_birth": "1959-01-01"}))
}

#[test]
fn clinical_completeness_counts_declined_and_tells_it_from_not_asked() {
    let (contact, person) = full();
    let of = |contact: &Value, person: &Value, age| completeness(contact, Some(person), Some(age));
    let whole = of(&contact, &person, 67);
    assert_eq!((whole.done, whole.of, whole.declined), (14, 14, 0), "{whole:?}");
    assert_eq!(of(&contact, &person, 64).of, 13, "dementia information at 65 to 74 only");
    assert_eq!([65, 74, 75].map(|age| of(&contact, &person, age).of), [14, 14, 13]);

    // Each thing taken away is not asked; then declined, by any of the ways to say so, it counts again.
    let gone: [(&str, &str, Item); 10] = [
        ("/bp/readings/a", "bp/readings", Item::BloodPressure),
        ("/bp/pulse_rhythm", "bp/pulse_rhythm", Item::PulseRhythm),
        ("/measurements/h", "height", Item::Height),
        ("/measurements/w", "measurements", Item::Weight),
        ("/measurements/c", "measurements/total_cholesterol", Item::Cholesterol),
        ("/lifestyle/smoking", "lifestyle", Item::Smoking),
        ("/lifestyle/audit_c", "audit_c", Item::Alcohol),
        ("/lifestyle/gppaq", "lifestyle/gppaq", Item::Activity),
        ("/lifestyle/family_history", "family_history", Item::FamilyHistory),
        ("/lifestyle/risk_score", "risk_score", Item::RiskScore),
    ];
    for (pointer, word, item) in gone {
        let mut less = contact.clone();
        *less.pointer_mut(pointer).unwrap() = Value::Null;
        let got = of(&less, &person, 67);
        assert_eq!(got.done, 13, "{pointer}");
        assert!(got.items.contains(&(item, Answer::NotAsked)), "{got:?}");
        less["declined"] = json!([word]);
        let got = of(&less, &person, 67);
        assert_eq!((got.done, got.declined), (14, 1), "{word}");
        assert!(got.items.contains(&(item, Answer::Declined)), "{got:?}");
    }
    let mut changed_mind = contact.clone();
    changed_mind["declined"] = json!(["lifestyle", 7, ""]);
    assert_eq!(of(&changed_mind, &person, 67).declined, 0, "what is there counts");
    // What is not a usable answer is none.
    for (pointer, value) in [
        ("/bp/pulse_rhythm", json!("not_checked")),
        ("/lifestyle/smoking", json!("unknown")),
        ("/lifestyle/audit_c", json!({"q1": 3})),
        ("/lifestyle/gppaq", json!({"work": "none"})),
        ("/lifestyle/family_history", json!([])),
        ("/measurements/h/struck_out", json!({"reason": "x"})),
        ("/advice/d/code", json!("ADVICE_RECHECK_5Y")),
    ] {
        let mut less = contact.clone();
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        less.pointer_mut(parent).unwrap()[key] = value;
        assert_eq!(of(&less, &person, 67).done, 13, "{pointer}");
    }
    // 99 is a gap, Z is an answer; the person may decline, too.
    let mut unknown = person.clone();
    unknown["ethnic_category"] = json!("99");
    assert_eq!(of(&contact, &unknown, 67).done, 13);
    unknown["declined"] = json!(["ethnic_category"]);
    assert_eq!(of(&contact, &unknown, 67).declined, 1);
}

#[test]
fn clinical_each_check_type_has_its_items() {
    let count = |kind: &str| completeness(&json!({"check_type": kind}), None, None).of;
    assert_eq!(
        ["bp_only", "nhs_health_check", "smi_physical", "learning_disability", "?"].map(count),
        [4, 13, 11, 10, 4]
    );
    let unnamed = json!({"age_band": "40-49", "sex": "male", "declined": ["bp/pulse_rhythm"]});
    let got = completeness(&unnamed, None, None);
    assert_eq!((got.done, got.of, got.declined), (3, 4, 1));
    let waist = completeness_of(
        &[Item::Waist, Item::Hba1c],
        &json!({"measurements": {"a": {"what": "waist", "value": 90}}}),
        None,
        None,
    );
    assert_eq!((waist.done, waist.of), (1, 2));
}
