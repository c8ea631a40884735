//! What stands at the end: the health check in one, the card for the person seen, a person checked at once.
#![allow(clippy::unwrap_used)]

use jiff::civil::Date;
use serde_json::{Value, json};
use wayside_protocol::clinical::card::{ResultCard, result_card};
use wayside_protocol::clinical::health_check::CheckType;
use wayside_protocol::clinical::health_summary::{HealthCheck, health_check, last_check};
use wayside_protocol::clinical::identity::{PersonFinding, check_nhs_number, check_person};
use wayside_protocol::clinical::text::{Arg, Text};
use wayside_protocol::clinical::*;

fn day(text: &str) -> Date {
    text.parse().unwrap()
}

fn ids(texts: &[Text]) -> Vec<&str> {
    texts.iter().map(|text| text.id.as_str()).collect()
}

fn contact(systolic: i64, diastolic: i64) -> Value {
    json!({"started_at": "2026-11-20T13:00:00Z", "bp": {"pulse_rhythm": "regular", "readings": {
        "aaaaaaaa": {"taken_at": "2026-11-20T13:06:00Z", "systolic": systolic, "diastolic": diastolic}}}})
}

fn summed_up(contact: &Value, person: &Value) -> HealthCheck {
    health_check(contact, Some(person), None, day("2026-11-20"))
}

fn card(contact: &Value) -> ResultCard {
    result_card(contact, &derive(contact, None))
}

/// A health check with everything in it.
fn full() -> Value {
    let mut full = contact(128, 80);
    full["check_type"] = json!("nhs_health_check");
    full["measurements"] = json!({
        "a": {"what": "height", "value": 160, "unit": "cm"}, "b": {"what": "weight", "value": 64, "unit": "kg"},
        "c": {"what": "waist", "value": 90, "unit": "cm"}, "d": {"what": "hba1c", "value": 43, "unit": "mmol/mol"},
        "e": {"what": "total_cholesterol", "value": 5.2, "unit": "mmol/L"},
        "f": {"what": "hdl", "value": 1.3, "unit": "mmol/L"}});
    full["lifestyle"] = json!({
        "smoking": "light", "audit_c": {"q1": 2, "q2": 2, "q3": 1}, "family_history": ["none"],
        "gppaq": {"work": "standing", "exercise": "none", "cycling": "none"},
        "risk_score": {"value": 11.2, "source": "QRISK3"}});
    full["advice"] = json!({"a": {"code": "DEMENTIA_INFORMATION"}});
    full
}

fn woman(ethnic_category: &str) -> Value {
    json!({"date_of_birth": "1968-02-03", "sex": "female", "ethnic_category": ethnic_category})
}

#[test]
fn clinical_a_health_check_is_summed_up_with_every_part() {
    let check = summed_up(&full(), &woman("J"));
    assert_eq!(check.check_type, CheckType::NhsHealthCheck);
    assert_eq!(check.bmi.map(|bmi| (bmi.bmi, bmi.code())), Some((25.0, "overweight")));
    assert_eq!(check.waist_to_height.map(|(ratio, band)| (ratio, band.as_str())), Some((0.56, "raised")));
    assert_eq!(check.audit_c_q3, "audit-q3-female");
    assert_eq!(check.activity.unwrap().as_str(), "moderately_inactive");
    assert_eq!(check.smoking.unwrap().as_str(), "light");
    assert_eq!(check.family_history, ["none"]);
    assert_eq!(check.diabetes.as_str(), "negative");
    let hba1c = check.hba1c.map(|(value, band)| (value, band.unwrap().as_str()));
    assert_eq!(hba1c, Some((43.0, "high_risk")));
    assert_eq!((check.total_cholesterol, check.hdl), (Some(5.2), Some(1.3)));
    assert_eq!(check.risk_score, Some(json!({"value": 11.2, "source": "QRISK3"})));
    assert_eq!(check.eligibility_text.id, "eligibility-eligible");
    assert_eq!(
        ids(&check.texts),
        [
            "bmi-ask-first",
            "bmi-overweight",
            "thresholds-yes",
            "waist-raised",
            "alcohol-increasing",
            "audit-positive",
            "activity-moderately_inactive",
            "smoking-light",
            "diabetes-negative",
            "hba1c-high_risk",
        ]
    );
    // A mixed background: both are named.
    assert_eq!(
        ids(&summed_up(&full(), &woman("G")).texts)[..4],
        ["bmi-ask-first", "bmi-overweight", "bmi-overweight", "thresholds-ask_family_background"]
    );
    // A raised pair alone is enough for the diabetes filter.
    let mut raised = full();
    raised["bp"]["readings"]["aaaaaaaa"]["diastolic"] = json!(90);
    assert_eq!(summed_up(&raised, &woman("J")).diabetes.as_str(), "positive");
    // Units are fixed: other ones are not used.
    let mut inches = full();
    inches["measurements"]["c"]["unit"] = json!("in");
    assert_eq!(summed_up(&inches, &woman("J")).waist_to_height, None);
}

#[test]
fn clinical_a_health_check_without_answers_says_nothing_of_them() {
    let check = summed_up(&json!({"started_at": "2026-11-20T13:00:00Z"}), &json!({}));
    assert_eq!(check.check_type, CheckType::BpOnly);
    assert_eq!(ids(&check.texts), ["diabetes-not_known"]);
    assert_eq!((check.audit_c_q3, check.bmi, check.hba1c), ("audit-q3-both", None, None));
    assert_eq!(check.eligibility_text.id, "eligibility-age_not_known");
    let alcohol = |q1: i64, q2: i64, q3: i64| {
        let answers = json!({"lifestyle": {"audit_c": {"q1": q1, "q2": q2, "q3": q3}}});
        let texts = summed_up(&answers, &json!({})).texts;
        texts.into_iter().map(|text| text.id).filter(|id| id != "diabetes-not_known").collect::<Vec<_>>()
    };
    assert_eq!(alcohol(1, 1, 1), ["alcohol-lower"]);
    assert_eq!(alcohol(0, 4, 4), ["alcohol-higher", "audit-positive", "audit-inconsistent"]);
    assert_eq!(alcohol(5, 0, 0), ["audit-invalid"]);
}

#[test]
fn clinical_a_health_check_says_how_far_it_is_and_for_whom_it_is() {
    let mut check = full();
    let progress = |contact: &Value| {
        let progress = summed_up(contact, &woman("J")).progress;
        let number = |name| match progress.args.get(name) {
            Some(Arg::Number(number)) => *number,
            other => panic!("{other:?}"),
        };
        (progress.id.clone(), number("done"), number("of"), number("declined"))
    };
    let (id, done, of, declined) = progress(&check);
    assert_eq!((id.as_str(), done, declined), ("check-progress", of, 0));
    check["lifestyle"]["gppaq"] = Value::Null;
    assert_eq!(progress(&check), ("check-progress".to_owned(), of - 1, of, 0));
    check["declined"] = json!(["lifestyle/gppaq"]);
    assert_eq!(progress(&check), ("check-progress-declined".to_owned(), of, of, 1));

    let eligible = |born: &str, diagnoses: Value, last: Option<&str>| {
        let mut check = full();
        check["prior_diagnosis"] = diagnoses;
        let person = json!({"date_of_birth": born});
        let check = health_check(&check, Some(&person), last.map(day), day("2026-11-20"));
        (check.eligibility_text.id.clone(), check.eligibility_text)
    };
    assert_eq!(eligible("2000-02-03", json!([]), None).0, "eligibility-too_young");
    assert_eq!(eligible("1940-02-03", json!([]), None).0, "eligibility-too_old");
    let (id, text) = eligible("1968-02-03", json!(["af"]), None);
    assert_eq!(id, "eligibility-excluded");
    assert!(matches!(&text.args["by"], Arg::Texts { texts } if *texts == ["exclusion-af"]), "{text:?}");
    let (id, text) = eligible("1968-02-03", json!([]), Some("2024-03-01"));
    assert_eq!(id, "eligibility-not_yet");
    assert_eq!(text.args["from"], Arg::Words("2029-03-01".to_owned()));
}

#[test]
fn clinical_the_last_health_check_is_one_that_was_made() {
    let dated = |at: &str| {
        let mut check = full();
        check["started_at"] = json!(at);
        check
    };
    let (old, new) = (dated("2021-05-01T10:00:00Z"), dated("2024-03-01T10:00:00Z"));
    assert_eq!(last_check([&old, &new]), Some(day("2024-03-01")));
    assert_eq!(last_check([&new, &old]), Some(day("2024-03-01")));
    let mut error = new.clone();
    error["entered_in_error"] = json!({"reason": "wrong person"});
    let mut other = new.clone();
    other["check_type"] = json!("bp_only");
    let mut empty = new.clone();
    empty["measurements"] = json!({});
    empty["bp"]["readings"] = json!({});
    assert_eq!(last_check([&old, &error, &other, &empty]), Some(day("2021-05-01")));
    // One of the two is enough.
    let mut only_readings = new.clone();
    only_readings["measurements"] = json!({});
    let mut only_measurements = new.clone();
    only_measurements["bp"]["readings"] = json!({});
    assert_eq!(last_check([&only_readings]), last_check([&only_measurements]));
    assert_eq!(last_check([&only_readings]), Some(day("2024-03-01")));
}

#[test]
fn clinical_the_card_says_figures_meaning_next_step_and_when_to_call() {
    let shown = |contact: &Value| {
        let card = card(contact);
        let next: Vec<String> = card.next.iter().map(|text| text.id.clone()).collect();
        (card.systolic.zip(card.diastolic), card.meaning.id, next.join(" "), card.warning.is_some())
    };
    let on_card = |systolic, diastolic, meaning: &str, next: &str, warning| {
        (Some((systolic, diastolic)), meaning.to_owned(), next.to_owned(), warning)
    };
    assert_eq!(
        shown(&contact(120, 78)),
        on_card(120, 78, "card-category-NORMAL", "card-action-ADVICE_RECHECK_5Y", false)
    );
    assert_eq!(
        shown(&contact(136, 78)),
        on_card(136, 78, "card-category-NORMAL-close", "card-action-ADVICE_RECHECK_SOONER", false)
    );
    assert_eq!(
        shown(&contact(150, 94)),
        on_card(
            150,
            94,
            "card-category-HIGH",
            "card-action-OFFER_ABPM_HBPM card-action-ELSE_GP_WITHIN_3_WEEKS",
            true
        )
    );
    let very_high = shown(&contact(190, 94));
    assert_eq!((very_high.1.as_str(), very_high.3), ("card-category-VERY_HIGH", true));
    for (pregnant, meaning) in [(150, "card-category-PREG_HIGH"), (165, "card-category-PREG_SEVERE")] {
        let mut contact = contact(pregnant, 94);
        contact["pregnant"] = json!(true);
        assert_eq!((shown(&contact).1.as_str(), shown(&contact).3), (meaning, true));
    }
    // Nothing that is for staff alone.
    let mut irregular = contact(120, 78);
    irregular["bp"]["pulse_rhythm"] = json!("irregular");
    assert!(derive(&irregular, None).actions.contains(&Action::ManualBpIfTrained));
    let card_of_it = card(&irregular);
    assert!(!ids(&card_of_it.next).contains(&"card-action-MANUAL_BP_IF_TRAINED"), "{:?}", card_of_it.next);
    assert!(!card_of_it.next.is_empty());

    let one = card(&contact(150, 94));
    assert_eq!((one.is_average, one.title.id.as_str()), (false, "card-title"));
    assert_eq!(one.seen_at.as_deref(), Some("2026-11-20T13:00:00Z"));
    let figures = one.figures.unwrap();
    assert_eq!(
        (&figures.args["systolic"], &figures.args["diastolic"]),
        (&Arg::Number(150), &Arg::Number(94))
    );
    let Arg::Texts { texts } = &one.warning.unwrap().args["signs"] else { panic!() };
    assert_eq!(texts.len(), codes::RED_FLAGS.len());
    assert!(texts.contains(&"red-flag-chest_pain".to_owned()));

    // Home readings of four days are an average, in both stages.
    for (systolic, meaning) in [(140, "card-category-HIGH_STAGE1"), (155, "card-category-HIGH_STAGE2")] {
        let mut home = contact(systolic, 80);
        let readings: serde_json::Map<String, Value> = (0..16)
            .map(|n| {
                let at = format!("2026-11-{:02}T{:02}:00:00Z", 13 + n / 4, 8 + n % 4);
                (
                    format!("r{n:02}"),
                    json!({"taken_at": at, "systolic": systolic, "diastolic": 80, "setting": "hbpm"}),
                )
            })
            .collect();
        home["bp"]["readings"] = Value::Object(readings);
        let average = card(&home);
        assert_eq!((average.systolic, average.is_average), (Some(systolic), true));
        assert_eq!((average.title.id.as_str(), average.meaning.id.as_str()), ("card-title-average", meaning));
        assert!(average.warning.is_some());
    }
}

#[test]
fn clinical_the_card_shows_no_figures_that_nobody_had() {
    for nothing in [json!({}), contact(90, 120)] {
        let card = card(&nothing);
        assert_eq!((card.systolic, card.diastolic, card.figures), (None, None, None));
        assert_eq!((card.meaning.id.as_str(), card.warning), ("card-no-result", None));
        assert!(!card.is_average);
        assert!(!ids(&card.next).contains(&"card-action-RE_ENTER"));
    }
    // The most urgent comes first, with signs and no reading at all, too.
    let mut flagged = json!({"bp": {"red_flags": {"a": {"flag": "chest_pain", "present": true}}}});
    assert_eq!(ids(&card(&flagged).next), ["card-action-EMERGENCY_999_AE"]);
    flagged["bp"] = json!({"symptoms": ["fainting"], "pulse_rhythm": "irregular"});
    let next = card(&flagged).next;
    let urgency = |id: &str| {
        Action::ALL.iter().find(|action| id.ends_with(action.as_str())).map(|action| action.urgency())
    };
    assert!(next.len() > 1, "{next:?}");
    assert!(ids(&next).is_sorted_by_key(|id| std::cmp::Reverse(urgency(id))), "{next:?}");
}

fn found(person: &Value) -> Vec<PersonFinding> {
    check_person(person, day("2026-11-20"))
}

#[test]
fn clinical_a_person_is_checked_at_once_and_each_field_says_what_is_wrong() {
    let fine = found(&json!({
        "name": {"given": "Amina", "family": "Khan"}, "date_of_birth": "3 Feb 1968",
        "nhs_number": {"value": "999 000 0018"}, "address": {"postcode": "ls97tf"}, "phone": "07700 900123",
        "gp": {"ods_code": "v81999"}}));
    let stored: Vec<(&str, Option<&str>)> =
        fine.iter().map(|one| (one.path, one.checked.value.as_deref())).collect();
    assert_eq!(
        stored,
        [
            ("name/given", Some("Amina")),
            ("name/family", Some("Khan")),
            ("date_of_birth", Some("1968-02-03")),
            ("nhs_number", Some("9990000018")),
            ("address/postcode", Some("LS9 7TF")),
            ("phone", Some("07700900123")),
            ("gp/ods_code", Some("V81999")),
        ]
    );
    assert!(fine.iter().all(|one| one.code.is_none()), "{fine:?}");
    assert!(found(&json!({"name": {"given": "  "}, "phone": null})).is_empty());

    let code = |person: Value| -> Vec<Option<&str>> {
        found(&person).iter().map(|one| one.code.map(|code| code.as_str())).collect()
    };
    assert_eq!(code(json!({"nhs_number": "999 000 0019"})), [Some("nhs_number_invalid")]);
    assert_eq!(code(json!({"date_of_birth": "2027-02-03"})), [Some("out_of_range")]);
    assert_eq!(code(json!({"date_of_birth": "31 Feb 1968"})), [Some("wrong_type")]);
    assert_eq!(code(json!({"date_of_birth": "1900-02-03"})), [Some("confirm_unusual")]);
    assert_eq!(code(json!({"age_years": 58})), [None]);
    assert_eq!(code(json!({"age_years": "about 58"})), [Some("wrong_type")]);
    assert_eq!(
        code(json!({"name": {"given": "12", "family": "--"}})),
        [Some("confirm_unusual"), Some("wrong_type")]
    );
    let shown = serde_json::to_value(&found(&json!({"date_of_birth": "2027-02-03"}))[0]).unwrap();
    assert_eq!(
        (&shown["path"], &shown["code"], &shown["level"]),
        (&json!("date_of_birth"), &json!("out_of_range"), &json!("block"))
    );
    assert_eq!(serde_json::to_value(&fine[0]).unwrap()["code"], Value::Null);
}

#[test]
fn clinical_nhs_number_ranges_warn_and_never_refuse() {
    use NhsNumberRange::{EnglandWalesIsleOfMan, NorthernIreland, NotIssued, Scotland, Test};
    // The first and the last of each, without a whole number that could be somebody's.
    for (from, to, range) in [
        (0, 9, NotIssued),
        (10, 311, Scotland),
        (312, 319, NotIssued),
        (320, 399, NorthernIreland),
        (400, 499, EnglandWalesIsleOfMan),
        (500, 599, NotIssued),
        (600, 799, EnglandWalesIsleOfMan),
        (800, 899, NotIssued),
        (900, 999, Test),
    ] {
        assert!((from..=to).all(|start| NhsNumberRange::of(start) == range), "{from} to {to}");
        // Fluent's English and the one in code are about the same thing.
        assert_eq!(range.warning().is_some(), range.text_id().is_some());
    }
    for (number, range, warning) in [
        ("999 000 0018", Test, "nhs-number-test"),
        ("500 000 0005", NotIssued, "nhs-number-not-issued"),
        ("123 456 7881", Scotland, "nhs-number-scotland"),
    ] {
        assert_eq!(NhsNumber::parse(number).unwrap().range(), range);
        let checked = check_nhs_number(number);
        assert!(checked.can_save(false));
        assert_eq!(ids(&checked.notices), [warning]);
        assert_eq!((checked.shown.as_str(), checked.value.unwrap().len()), (number, 10));
    }
}
