//! Likely duplicates: what is found, what is never called likely, and why.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use serde_json::{Value, json};
use wayside_protocol::matching::*;

fn amina() -> Value {
    json!({
        "name": {"given": "Amina", "family": "Khan"}, "date_of_birth": "1968-02-03", "sex": "female",
        "nhs_number": {"value": "9990000018"}, "address": {"postcode": "LS9 7TF"}, "phone": "07700 900123",
    })
}

fn with(changes: Value) -> Value {
    let mut person = amina();
    for (key, value) in changes.as_object().unwrap() {
        person[key] = value.clone();
    }
    person
}

fn compare(a: &Value, b: &Value) -> Match {
    score(&PersonFacts::of(a), &PersonFacts::of(b))
}

fn ids(found: &Match) -> Vec<&str> {
    found.reasons.iter().map(|reason| reason.id.as_str()).collect()
}

/// Whether the reason is given, and how the pair is called.
fn against(changes: Value, reason: &str) -> Likeness {
    let found = compare(&amina(), &with(changes));
    assert!(ids(&found).contains(&reason), "{found:?}");
    found.likely
}

#[test]
fn matching_the_same_person_written_down_differently_is_likely() {
    assert_eq!(compare(&amina(), &amina()).likely, Likeness::Likely);
    for (changes, reason) in [
        (json!({"name": {"given": "KHAN", "family": "Amina"}}), "match-name-swapped"),
        (json!({"name": {"given": "Aminah", "family": "Khan"}}), "match-name-close"),
        (json!({"name": {"given": "Ámina", "family": "khan"}}), "match-name-same"),
        (json!({"name": {"given": "Amina Bibi", "family": "Khan"}}), "match-name-partly"),
        (json!({"date_of_birth": "1968-03-02"}), "match-birth-day-and-month-swapped"),
        (json!({"date_of_birth": "1968-02-08"}), "match-birth-one-digit"),
        (json!({"address": {"postcode": "ls97tf"}}), "match-postcode-same"),
        (json!({"address": {"postcode": "LS9 8AA"}}), "match-postcode-near"),
        (json!({"address": {"postcode": "BD1 1AA"}}), "match-postcode-differs"),
        (json!({"phone": "+44 7700 900123"}), "match-phone-same"),
        (json!({"phone": "07700 900999"}), "match-phone-differs"),
        (
            json!({"date_of_birth": null, "age_years": 55, "age_as_of": "2026-11-20", "age_is_estimate": true}),
            "match-age-fits",
        ),
        (json!({"nhs_number": "999 000 0018"}), "match-nhs-number-same"),
    ] {
        assert_eq!(against(changes.clone(), reason), Likeness::Likely, "{changes}");
    }
    // Without any number: name and date of birth are enough, name alone is not.
    let plain = json!({"name": {"given": "Amina", "family": "Khan"}, "date_of_birth": "1968-02-03"});
    assert_eq!(compare(&amina(), &plain).likely, Likeness::Likely);
    let name_only = json!({"name": {"given": "Amina", "family": "Khan"}});
    assert_eq!(compare(&amina(), &name_only).likely, Likeness::Possible);
    let one_name = json!({"name": {"given": "Amina"}});
    assert_eq!(compare(&one_name, &one_name).likely, Likeness::None, "half a name says little");
    let birth_only = json!({"date_of_birth": "1968-02-03"});
    assert_eq!(compare(&amina(), &birth_only).likely, Likeness::Possible);
}

#[test]
fn matching_twins_relatives_and_two_nhs_numbers_are_never_likely() {
    let other = "9990000026";
    assert!(wayside_protocol::clinical::NhsNumber::parse(other).is_ok());
    assert_eq!(
        against(json!({"nhs_number": {"value": other}}), "match-nhs-number-differs"),
        Likeness::Possible
    );
    let twin = json!({"name": {"given": "Sadia", "family": "Khan"}, "nhs_number": null});
    assert_eq!(against(twin, "match-name-one-part"), Likeness::Possible);
    let someone = json!({"name": {"given": "Peter", "family": "Jones"}, "nhs_number": null});
    assert_eq!(against(someone, "match-name-differs"), Likeness::Possible);
    assert_eq!(against(json!({"sex": "male"}), "match-sex-differs"), Likeness::Possible);
    // A mother, at the same address.
    let mother = json!({"name": {"given": "Sadia", "family": "Khan"}, "nhs_number": null, "date_of_birth": "1940-07-19"});
    assert_eq!(against(mother, "match-birth-differs"), Likeness::Possible);
    let stranger =
        json!({"name": {"given": "Peter", "family": "Jones"}, "date_of_birth": "1951-07-19", "sex": "male"});
    assert_eq!(compare(&amina(), &stranger).likely, Likeness::None);
    // The same NHS number on somebody quite different: a mistake to be seen.
    let mut mistake = stranger.clone();
    mistake["nhs_number"] = json!({"value": "9990000018"});
    assert_eq!(compare(&amina(), &mistake).likely, Likeness::Possible);
}

#[test]
fn matching_leaves_out_what_is_no_evidence() {
    let homeless = || json!({"address": {"postcode": "ZZ99 3VZ"}});
    assert_eq!(compare(&homeless(), &homeless()).reasons, []);
    for person in [
        json!({"address": {"postcode": "LS9"}}),
        json!({"nhs_number": {"value": "1234567890"}}),
        json!({"phone": "none"}),
        json!({"sex": "unknown"}),
        json!({"age_years": 40}),
        json!({"age_years": 400, "age_as_of": "2026-01-01"}),
        json!({"name": {"given": "-"}}),
        json!(null),
        json!([1]),
    ] {
        let found = compare(&person, &person);
        assert_eq!((found.reasons.len(), found.weight, found.likely), (0, 0.0, Likeness::None), "{person}");
    }
    let found = compare(&amina(), &with(json!({"date_of_birth": "1968-02-08"})));
    assert_eq!(ids(&found)[0], "match-nhs-number-same", "the strongest first");
    // Nicknames are not guessed at.
    let bill = json!({"name": {"given": "Bill", "family": "Smith"}});
    let william = json!({"name": {"given": "William", "family": "Smith"}});
    assert_eq!(ids(&compare(&bill, &william)), ["match-name-one-part"]);
}

#[test]
fn matching_ages_overlap_within_what_they_are_worth() {
    let aged = |years: i64, guessed: bool| json!({"age_years": years, "age_as_of": "2026-11-20", "age_is_estimate": guessed});
    let fits = |a: &Value, b: &Value| ids(&compare(a, b)) == ["match-age-fits"];
    let born = json!({"date_of_birth": "1968-02-03"});
    for (years, guessed, expected) in [
        (58, false, true),
        (57, false, true),
        (59, false, true),
        (56, false, false),
        (60, false, false),
        (51, true, true),
        (50, true, false),
        (65, true, true),
        (66, true, false),
    ] {
        assert_eq!(fits(&born, &aged(years, guessed)), expected, "{years} {guessed}");
        assert_eq!(fits(&aged(years, guessed), &born), expected);
    }
    assert!(fits(&aged(40, true), &aged(47, false)) && !fits(&aged(40, true), &aged(48, true)));
    assert!(fits(&aged(40, false), &aged(41, false)) && !fits(&aged(40, false), &aged(42, false)));
}

#[test]
fn matching_weights_are_probabilities_with_the_right_sign() {
    for outcome in weights::ALL {
        assert!(outcome.m > 0.0 && outcome.m < 1.0 && outcome.u > 0.0 && outcome.u < 1.0, "{outcome:?}");
        let agrees = !outcome.id.ends_with("differs")
            && !outcome.id.ends_with("one-part")
            && outcome.id != "postcode-near";
        assert_eq!(outcome.weight() > 0.0, agrees, "{outcome:?}");
    }
    for field in ["nhs-number", "name", "birth", "age", "postcode", "phone", "sex"] {
        let of = || weights::ALL.iter().filter(|outcome| outcome.id.starts_with(field));
        for sum in [of().map(|o| o.m).sum::<f64>(), of().map(|o| o.u).sum::<f64>()] {
            assert!((sum - 1.0).abs() < 0.02, "{field}: the outcomes of a field exclude each other: {sum}");
        }
    }
}

fn any_person() -> impl Strategy<Value = Value> {
    let name =
        || prop::sample::select(vec!["Amina", "Aminah", "Khan", "Kahn", "khan amina", "O'Brien", "", "محمد"]);
    let birth = prop::sample::select(vec!["1968-02-03", "1968-03-02", "1968-02-08", "1990-12-31", "no"]);
    let postcode = prop::sample::select(vec!["LS9 7TF", "LS9 8AA", "BD1 1AA", "ZZ99 3VZ"]);
    (name(), name(), birth, postcode, 0..100_i64, any::<bool>()).prop_map(|(given, family, birth, postcode, age, dated)| {
        let mut person = json!({"name": {"given": given, "family": family}, "address": {"postcode": postcode}, "sex": if dated { "male" } else { "female" }});
        if dated { person["date_of_birth"] = json!(birth) } else { person["age_years"] = json!(age); person["age_as_of"] = json!("2026-11-20") }
        person
    })
}

proptest! {
    #[test]
    fn matching_is_the_same_either_way(a in any_person(), b in any_person()) {
        let (there, back) = (compare(&a, &b), compare(&b, &a));
        prop_assert_eq!(there.likely, back.likely);
        prop_assert!((there.weight - back.weight).abs() < 1e-9);
        prop_assert_eq!(ids(&there), ids(&back));
    }

    #[test]
    fn matching_nobody_is_less_like_themselves_than_like_another(a in any_person(), b in any_person()) {
        prop_assert!(compare(&a, &a).weight >= compare(&a, &b).weight - 1e-9);
    }

    #[test]
    fn matching_any_text_compares(a in any::<String>(), b in any::<String>()) {
        let person = |text: &str| json!({"name": {"given": text, "family": text}, "phone": text, "address": {"postcode": text}, "nhs_number": text, "date_of_birth": text});
        prop_assert!(compare(&person(&a), &person(&b)).weight.is_finite());
    }
}
