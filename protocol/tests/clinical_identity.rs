//! Identity: the pack's postcodes, and the forms in which people give everything else.
#![allow(clippy::unwrap_used)]

use jiff::civil::{Date, date};
use proptest::prelude::*;
use serde_json::json;
use wayside_protocol::clinical::Level;
use wayside_protocol::clinical::identity::*;

fn ids(checked: &Checked) -> Vec<&str> {
    checked.notices.iter().map(|text| text.id.as_str()).collect()
}

fn value(checked: Checked) -> String {
    checked.value.unwrap_or_default()
}

#[test]
fn clinical_every_postcode_case() {
    let path = format!("{}/tests/clinical/postcode_cases.csv", env!("CARGO_MANIFEST_DIR"));
    let rows: Vec<_> = csv::Reader::from_path(path).unwrap().into_records().map(|row| row.unwrap()).collect();
    assert_eq!(rows.len(), 47);
    for row in rows {
        let got = Postcode::parse(&row[0]);
        assert_eq!(got.normalised, row[1], "{row:?}");
        // The pack files parts of a postcode under invalid, and asks to keep them.
        let status = if got.status == PostcodeStatus::Partial { "invalid" } else { got.status.as_str() };
        assert_eq!(status, &row[2], "{row:?}");
        assert_eq!(
            got.status == PostcodeStatus::Partial,
            row[3].contains("partial") || row[3].contains("sector"),
            "{row:?}"
        );
        assert_eq!(got.status.has_area(), &row[2] == "valid_format");
        if let PostcodeStatus::Pseudo(meaning) = got.status {
            let expected = match row[3].split([',', ';']).next().unwrap() {
                "no fixed abode" => "postcode-no-fixed-abode",
                "address not known" => "postcode-not-known",
                "England" => "postcode-england",
                "India" => "postcode-india",
                "Wales" => "postcode-wales",
                other => panic!("{other}"),
            };
            assert_eq!(meaning, expected);
        }
        let suggested = row[3].split_once("suggest ").map(|(_, meant)| meant);
        assert_eq!(got.suggestion.as_deref(), suggested, "{row:?}");
        // Never blocks; kept as it is, or asked about.
        let checked = check_postcode(&row[0]);
        assert!(checked.can_save(true), "{row:?}");
        assert_eq!(checked.value.unwrap_or_default(), row[1]);
    }
    for (text, meaning) in
        [("zz99 1wz", "scotland"), ("ZZ992WZ", "northern-ireland"), ("ZZ99 9AZ", "other-country")]
    {
        assert_eq!(
            Postcode::parse(text).status,
            PostcodeStatus::Pseudo(
                ["postcode-scotland", "postcode-northern-ireland", "postcode-other-country"]
                    .into_iter()
                    .find(|id| id.ends_with(meaning))
                    .unwrap()
            )
        );
    }
    assert_eq!(Postcode::parse("ZZ99 3VY").status, PostcodeStatus::Invalid);
    assert_eq!(Postcode::parse("ZZ99 VVZ").status, PostcodeStatus::Invalid);
    assert_eq!(Postcode::parse("LS97TF").outward(), Some("LS9"));
    assert_eq!(Postcode::parse("LS9").outward(), None);
    assert_eq!(ids(&check_postcode("LS9")), ["postcode-partial"]);
    assert_eq!(check_postcode("LS9").level, None);
    assert_eq!(ids(&check_postcode("LS9 OTF")), ["postcode-suggestion"]);
    assert_eq!(Postcode::parse("LS9 ITF").suggestion.as_deref(), Some("LS9 1TF"));
    assert!(!check_postcode("QS1 1AA").can_save(false));
    assert_eq!(check_postcode(" "), check_postcode(""));
}

/// The pattern of the pack, letter by letter: what each place may hold.
#[test]
fn clinical_postcode_letters_are_those_of_the_pattern() {
    let letters = |build: &dyn Fn(char) -> String| -> String {
        ('A'..='Z').filter(|c| Postcode::parse(&build(*c)).status == PostcodeStatus::ValidFormat).collect()
    };
    let without = |gone: &str| -> String { ('A'..='Z').filter(|c| !gone.contains(*c)).collect() };
    assert_eq!(letters(&|c| format!("{c}1 1AA")), without("QVX"));
    assert_eq!(letters(&|c| format!("{c}11 1AA")), without("QVX"));
    assert_eq!(letters(&|c| format!("{c}A1 1AA")), without("QVX"));
    assert_eq!(letters(&|c| format!("A{c}1 1AA")), without("IJZ"));
    assert_eq!(letters(&|c| format!("A{c}11 1AA")), without("IJZ"));
    assert_eq!(letters(&|c| format!("A1{c} 1AA")), "ABCDEFGHJKPSTUW");
    assert_eq!(letters(&|c| format!("AA1{c} 1AA")), "ABEHMNPRVWXY");
    assert_eq!(letters(&|c| format!("A1 1{c}A")), without("CIKMOV"));
    assert_eq!(letters(&|c| format!("A1 1A{c}")), without("CIKMOV"));
    assert_eq!(letters(&|c| format!("A1 {c}AA")), "");
    for wrong in ["1A 1AA", "AAA1 1AA", "A111 1AA", "A1AA 1AA", "AA 1AA", "É1 1AA", "A1 1ÀA", "GIR 0AB"] {
        assert_ne!(Postcode::parse(wrong).status, PostcodeStatus::ValidFormat, "{wrong}");
    }
}

#[test]
fn clinical_practice_codes() {
    for good in ["A81001", "y02 345", "W98765", "ALD123", "gue001", "JER999", "H12345", "P12345"] {
        assert_eq!(check_practice(good).level, None, "{good}");
    }
    for odd in [
        "I81001", "O81001", "X81001", "Z81001", "A8100", "A810011", "ALD12", "ALD1234", "ALDABC", "12345",
        "A8100B", "É12345",
    ] {
        let checked = check_practice(odd);
        assert_eq!((checked.level, ids(&checked)), (Some(Level::Confirm), vec!["practice-invalid"]), "{odd}");
        assert!(checked.value.is_some(), "kept");
    }
    assert_eq!(check_practice("y 02345").value.as_deref(), Some("Y02345"));
    for (code, id, meaning) in [
        ("V81997", "practice-none", OdsDefault::NoRegisteredGp),
        ("V81998", "practice-not-applicable", OdsDefault::NotApplicable),
        ("V81999", "practice-not-known", OdsDefault::NotKnown),
    ] {
        let checked = check_practice(code);
        assert_eq!((checked.level, ids(&checked)), (None, vec![id]));
        assert_eq!((ods_default(code), meaning.code()), (Some(meaning), code));
    }
    assert_eq!(ods_default("V81000"), None);
    assert_eq!(check_practice("").value, None);
}

#[test]
fn clinical_telephone_numbers() {
    for (typed, stored, shown) in [
        ("07700 900123", "07700900123", "07700 900123"),
        ("+44 7700 900123", "07700900123", "07700 900123"),
        ("+44 (0)7700 900-123", "07700900123", "07700 900123"),
        ("0044 7700 900123", "07700900123", "07700 900123"),
        ("447700900123", "07700900123", "07700 900123"),
        ("(020) 7946 0018", "02079460018", "020 7946 0018"),
        ("0113 496 0123", "01134960123", "0113 496 0123"),
        ("0121.496.0123", "01214960123", "0121 496 0123"),
        ("01632 960123", "01632960123", "01632 960123"),
        ("0300 123 4567", "03001234567", "0300 123 4567"),
        ("+92 21 1234567", "+92211234567", "+92211234567"),
        ("0169 772 1234", "01697721234", "01697 721234"),
        ("0800 1111 22", "0800111122", "0800 111 122"),
    ] {
        let checked = check_phone(typed);
        assert_eq!(
            (checked.value.as_deref(), checked.shown.as_str(), checked.level),
            (Some(stored), shown, None),
            "{typed}"
        );
    }
    for (odd, id) in [
        ("07700 90012", "phone-short"),
        ("07700 9001234", "phone-long"),
        ("7700 900123", "phone-no-zero"),
        ("0400 1234567", "phone-odd"),
        ("+12", "phone-odd"),
        ("+1234567890123456", "phone-odd"),
        ("07700 900123 ask for Ali", "phone-letters"),
        ("020 7946 001", "phone-short"),
    ] {
        let checked = check_phone(odd);
        assert_eq!((checked.level, ids(&checked)), (Some(Level::Confirm), vec![id]), "{odd}");
        assert!(checked.value.is_some(), "kept once confirmed");
    }
    assert_eq!(check_phone("none").level, Some(Level::Block));
    assert_eq!((check_phone("  ").value, check_phone("").level), (None, None));
    assert_eq!(show_phone("0113"), "0113");
    assert_eq!(show_phone("011349"), "0113 49");
}

const TODAY: Date = date(2026, 11, 20);

#[test]
fn clinical_dates_of_birth() {
    for typed in [
        "1968-02-03",
        "1968/2/3",
        "3/2/1968",
        "03.02.1968",
        "3 2 1968",
        "03-02-1968",
        "03021968",
        "3 Feb 1968",
        "3rd February 1968",
        " 3 FEBRUARY 1968 ",
        "1968 feb 3",
    ] {
        let checked = check_date_of_birth(typed, TODAY);
        assert_eq!(
            (checked.value.as_deref(), checked.shown.as_str(), checked.level),
            (Some("1968-02-03"), "3 February 1968", None),
            "{typed}"
        );
    }
    let months =
        ["Jan", "Feb", "March", "Apr", "May", "June", "Jul", "August", "Sept", "Oct", "November", "dec"];
    for (at, month) in (1..).zip(months) {
        assert_eq!(parse_date(&format!("1st {month} 2000")), Some(date(2000, at, 1)));
    }
    for wrong in [
        "3/2/68",
        "30 2 1968",
        "2/13/1968",
        "3 Febr 1968",
        "1968",
        "yesterday",
        "3.2",
        "0302196",
        "3 2 1968 4",
        "99999999",
        "2000000000 1 1968",
        "³ 2 1968",
    ] {
        assert_eq!(ids(&check_date_of_birth(wrong, TODAY)), ["birth-not-a-date"], "{wrong}");
        assert!(!check_date_of_birth(wrong, TODAY).can_save(true));
    }
    assert_eq!(check_date_of_birth("20 11 2026", TODAY).level, None);
    let future = check_date_of_birth("21 11 2026", TODAY);
    assert_eq!((future.level, ids(&future)), (Some(Level::Block), vec!["birth-in-future"]));
    assert_eq!(check_date_of_birth("20 11 1906", TODAY).level, None, "120 exactly");
    let old = check_date_of_birth("20 11 1905", TODAY);
    assert_eq!((old.level, ids(&old)), (Some(Level::Confirm), vec!["birth-long-ago"]));
    assert_eq!(check_date_of_birth("", TODAY).value, None);
}

#[test]
fn clinical_estimated_ages() {
    let level = |years| check_estimated_age(years).level;
    assert_eq!([0, 120, 121, 130].map(level), [None, None, Some(Level::Confirm), Some(Level::Confirm)]);
    assert_eq!([-1, 131, i64::MAX].map(level), [Some(Level::Block); 3]);
    let age = |person: serde_json::Value| age_on(&person, TODAY).map(|age| (age.years, age.is_estimate));
    assert_eq!(age(json!({"date_of_birth": "1968-11-20"})), Some((58, false)));
    assert_eq!(age(json!({"date_of_birth": "1968-11-21"})), Some((57, false)));
    assert_eq!(age(json!({"age_years": 40})), Some((40, true)));
    assert_eq!(age(json!({"age_years": 40, "age_as_of": "2024-11-20"})), Some((42, false)));
    assert_eq!(
        age(json!({"age_years": 40, "age_as_of": "2026-11-20", "age_is_estimate": true})),
        Some((40, true))
    );
    assert_eq!(age(json!({"date_of_birth": "2026-11-21"})), None);
    assert_eq!(age(json!({"date_of_birth": "1896-11-20"})), Some((130, false)));
    assert_eq!(age(json!({"date_of_birth": "1895-11-20"})), None);
}

#[test]
fn clinical_names_fold_alike() {
    for (a, b) in [
        ("O'Brien", "OBRIEN"),
        ("O’Brien", "o`brien"),
        ("Smith-Jones", "smith  jones"),
        ("José", "jose"),
        ("Jose\u{301}", "JOSÉ"),
        ("Łukasz", "lukasz"),
        ("Søren", "Soren"),
        ("Weiß", "weiss"),
        ("Nguyễn", "nguyen"),
        ("  Amina ", "amina"),
        ("St. John", "st john"),
        ("Æthel", "aethel"),
        ("İbrahim", "ibrahim"),
        ("ﬁona", "fiona"),
        ("مُحَمَّد", "محمد"),
        ("Đặng", "dang"),
        ("ʻAlī", "ali"),
    ] {
        assert_eq!(fold_name(a), fold_name(b), "{a} {b}");
    }
    assert_eq!(fold_name("---"), "");
    assert_eq!(fold_name("प्रिया।"), fold_name("प्रिया"));
    assert_ne!(fold_name("की"), fold_name("का"), "vowel signs are letters");
    assert_eq!(name_tokens("van der Berg"), ["berg", "der", "van"]);
    assert_eq!(name_key("Amina", "Khan"), name_key("Khan", "AMINA"));
    assert_eq!(name_key("Mary Ann", "Smith-Jones"), name_key("Jones", "Smith Mary-Ann"));
    assert_ne!(name_key("Amina", "Khan"), name_key("Amina", "Khan Khan"));
    assert_eq!(value(check_name("  Mary   Ann ")), "Mary Ann");
    assert_eq!(ids(&check_name("K2han")), ["name-digits"]);
    assert!(check_name("K2han").can_save(true) && !check_name("K2han").can_save(false));
    assert_eq!(check_name("?!").level, Some(Level::Block));
    assert_eq!((check_name(" ").level, check_name(" ").value), (None, None));
}

#[test]
fn clinical_a_verdict_is_spelt_for_front_ends() {
    assert_eq!(
        serde_json::to_value(check_postcode("ls9 OTF")).unwrap(),
        json!({
            "value": "LS9 OTF", "shown": "LS9 OTF", "level": "confirm",
            "notices": [{"id": "postcode-suggestion", "args": {"postcode": "LS9 0TF"}}],
        })
    );
    assert_eq!(serde_json::to_value(check_practice("A81001")).unwrap()["level"], "fine");
    assert_eq!(serde_json::to_value(check_phone("x")).unwrap()["level"], "block");
}

proptest! {
    #[test]
    fn clinical_no_text_makes_a_check_panic(text in any::<String>(), digits in "[0-9 +()./-]{0,20}") {
        for text in [text, digits] {
            for checked in [check_postcode(&text), check_practice(&text), check_phone(&text), check_date_of_birth(&text, TODAY), check_name(&text)] {
                prop_assert_eq!(checked.level.is_some() && checked.notices.is_empty(), false);
                // What is stored is stored the same again.
                if let Some(stored) = &checked.value {
                    prop_assert!(!stored.is_empty());
                }
            }
            let stable = |check: fn(&str) -> Checked| check(&text).value.is_none_or(|v| check(&v).value == Some(v));
            prop_assert!(stable(check_postcode) && stable(check_practice) && stable(check_name));
            prop_assert_eq!(fold_name(&fold_name(&text)), fold_name(&text));
        }
    }
}
