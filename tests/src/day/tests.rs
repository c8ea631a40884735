use std::collections::BTreeSet;

use wayside_protocol::clinical::{codes, derive};
use wayside_protocol::record::{Flattener, Kind, Rules};

use super::cases::GUARANTEED;
use super::*;

fn plan(contacts: usize) -> DayPlan {
    let date = jiff::civil::date(2026, 11, 20);
    DayPlan {
        date,
        tablets: vec![
            TabletPlan::new("van-a", "Hallowby Mosque", contacts),
            TabletPlan::new("van-b", "Hallowby Mosque", contacts),
        ],
    }
}

fn tablet(seed: u64, contacts: usize) -> Vec<Value> {
    let DayPlan { date, tablets } = plan(contacts);
    Day::new(seed, &DayPlan { date, tablets: tablets[..1].to_vec() }).tablets.swap_remove(0).contacts
}

fn pairs(line: &Value) -> Vec<(i64, i64)> {
    let readings = line.pointer("/contact/bp/readings").and_then(Value::as_array);
    let number = |reading: &Value, name: &str| reading[name].as_i64().unwrap();
    readings.into_iter().flatten().map(|r| (number(r, "systolic"), number(r, "diastolic"))).collect()
}

fn texts<'a>(lines: &'a [Value], pointer: &str) -> BTreeSet<&'a str> {
    lines.iter().filter_map(|line| line.pointer(pointer)?.as_str()).collect()
}

#[test]
fn a_seed_gives_the_same_day_and_another_seed_another() {
    let (one, same, other) = (Day::new(7, &plan(80)), Day::new(7, &plan(80)), Day::new(8, &plan(80)));
    assert!(one.contacts().eq(same.contacts()));
    assert_ne!(one.tablets[0].contacts, other.tablets[0].contacts);
    assert_ne!(one.tablets[0].contacts, one.tablets[1].contacts, "tablets see different people");
}

#[test]
fn a_small_day_is_the_beginning_of_a_large_one() {
    let (small, large) = (tablet(3, 25), tablet(3, 500));
    assert_eq!(small[..], large[..25]);
    assert_eq!(large[499]["session"]["date"], "2026-11-22", "500 contacts take three days");
}

#[test]
fn lines_have_only_known_keys() {
    let known = |value: &Value, allowed: &str| {
        for key in value.as_object().unwrap().keys() {
            assert!(allowed.split_whitespace().any(|name| name == key), "{key} is not in: {allowed}");
        }
    };
    for line in &tablet(11, 600) {
        known(line, "session person contact");
        known(&line["session"], "site date starts_at ends_at setting vehicle languages audience tallies");
        if line["person"].is_object() {
            known(
                &line["person"],
                "name date_of_birth age_years age_as_of age_is_estimate sex gender nhs_number nhs_number_absent_reason \
                 address phone email contact_preference language interpreter_needed communication_needs ethnic_category \
                 plus_groups gp consents declined",
            );
        }
        known(
            &line["contact"],
            "age_band sex ethnic_category started_at ended check_type reason prior_diagnosis on_treatment pregnant bp \
             measurements lifestyle advice referrals follow_ups monitor_loan notes satisfaction declined",
        );
    }
}

#[test]
fn every_awkward_case_comes_by_in_time_for_every_seed() {
    for seed in 0..40 {
        let day = tablet(seed, ALL_CASES);
        let has = |what: &str, found: &dyn Fn(&Value) -> bool| {
            assert!(day.iter().any(found), "seed {seed}: nobody with {what} in the first {ALL_CASES}");
        };
        for case in GUARANTEED {
            if let Some(readings) = case.readings.filter(|readings| !readings.is_empty()) {
                has(case.name, &|line| pairs(line) == readings);
            }
        }
        let flag = |line: &Value, name: &str| line.pointer(name).and_then(Value::as_bool) == Some(true);
        has("confirmed 69/45", &|l| {
            pairs(l) == [(69, 45)] && flag(l, "/contact/bp/readings/0/confirmed_unusual")
        });
        has("an irregular pulse", &|l| l.pointer("/contact/bp/pulse_rhythm") == Some(&json!("irregular")));
        has("a red flag", &|l| {
            let flags = l.pointer("/contact/bp/red_flags").and_then(Value::as_array);
            flags.is_some_and(|flags| flags.iter().any(|flag| flag["present"] == true))
        });
        has("fainting", &|l| {
            l.pointer("/contact/bp/symptoms/0") == Some(&json!("fainting")) && pairs(l)[0].0 < 90
        });
        has("a severe pregnancy", &|l| pairs(l) == [(160, 110)] && flag(l, "/contact/pregnant"));
        has("no name", &|l| l["person"].is_null() && l["contact"]["age_band"].is_string());
        has("no readings", &|l| pairs(l).is_empty() && l["contact"].get("bp").is_none());
        has("no patience", &|l| l["contact"]["ended"]["how"] == "left_early");
        has("few years", &|l| born(l).is_some_and(|year| year >= 2009));
    }
}

fn born(line: &Value) -> Option<i64> {
    match line.pointer("/person/age_years").and_then(Value::as_i64) {
        Some(age) => Some(2026 - age),
        None => line.pointer("/person/date_of_birth")?.as_str()?[..4].parse().ok(),
    }
}

#[test]
fn every_nhs_number_is_in_the_test_range_and_passes_modulus_11() {
    let mut seen = 0;
    for line in &tablet(5, 2000) {
        let Some(given) = line.pointer("/person/nhs_number") else { continue };
        let text = given.as_str().or_else(|| given["value"].as_str()).unwrap();
        let digits: Vec<u32> = text.chars().filter_map(|c| c.to_digit(10)).collect();
        assert_eq!((digits.len(), &digits[..3]), (10, &[9, 9, 9][..]), "{text}");
        let sum: u32 = digits[..9].iter().zip((2..=10).rev()).map(|(digit, weight)| digit * weight).sum();
        assert_eq!((11 - sum % 11) % 11, digits[9], "{text}");
        seen += 1;
    }
    assert!(seen > 1000, "most people know their number: {seen}");
}

#[test]
fn values_keep_to_the_entry_limits() {
    for line in tablet(9, 3000) {
        for reading in line.pointer("/contact/bp/readings").and_then(Value::as_array).into_iter().flatten() {
            let (systolic, diastolic) =
                (reading["systolic"].as_i64().unwrap(), reading["diastolic"].as_i64().unwrap());
            let pulse = reading["pulse"].as_i64().unwrap_or(70);
            assert!(
                (50..=300).contains(&systolic) && (20..=200).contains(&diastolic) && systolic > diastolic,
                "{reading}"
            );
            assert!((40..=150).contains(&pulse), "{reading}");
            let usual = systolic >= 70 && (40..=180).contains(&diastolic);
            assert!(usual || reading["confirmed_unusual"] == true, "{reading}");
        }
        for measured in line.pointer("/contact/measurements").and_then(Value::as_array).into_iter().flatten()
        {
            let value = measured["value"].as_f64().unwrap();
            let usual = match measured["what"].as_str().unwrap() {
                "height" => (130.0..=210.0).contains(&value),
                "weight" => (20.0..=350.0).contains(&value),
                "waist" => (50.0..=200.0).contains(&value),
                _ => value > 0.0,
            };
            assert!(usual, "{measured}");
        }
    }
}

#[test]
fn nobody_can_be_rung_or_found() {
    let lines = tablet(13, 2000);
    for phone in texts(&lines, "/person/phone") {
        let digits: String = phone.replace("+44", "0").chars().filter(char::is_ascii_digit).collect();
        assert!(digits.len() == 11 && digits.starts_with("07700900"), "{phone}");
    }
    for postcode in texts(&lines, "/person/address/postcode") {
        let area = postcode.to_uppercase();
        assert!(
            ["ZB", "ZC", "ZF", "ZG", "ZZ99 "].iter().any(|made_up| area.starts_with(made_up)),
            "{postcode}"
        );
    }
    assert!(texts(&lines, "/person/email").iter().all(|email| email.ends_with("@example.org")));
}

#[test]
fn times_come_from_the_plan_and_go_forward() {
    let lines = tablet(17, CONTACTS_A_DAY);
    let started: Vec<Timestamp> =
        lines.iter().map(|line| line["contact"]["started_at"].as_str().unwrap().parse().unwrap()).collect();
    assert!(started.is_sorted());
    assert!(texts(&lines, "/contact/started_at").iter().all(|at| at.starts_with("2026-11-20T")));
    assert!(texts(&lines, "/contact/ended/at").iter().all(|at| at.starts_with("2026-11-20T")));
}

#[test]
fn a_day_is_as_mixed_as_a_real_one() {
    let lines = tablet(19, 1000);
    assert!(texts(&lines, "/person/language").len() >= 12);
    let categories = texts(&lines, "/person/ethnic_category");
    assert!(
        categories.len() >= 12 && categories.contains("Z") && categories.contains("99"),
        "{categories:?}"
    );
    assert!(texts(&lines, "/person/address/postcode").contains("ZZ99 3VZ"));
    let share = |what: &dyn Fn(&Value) -> bool| lines.iter().filter(|line| what(line)).count() / 10;
    let raised = share(&|line| pairs(line).first().is_some_and(|first| first.0 >= 140 || first.1 >= 90));
    assert!((20..=50).contains(&raised), "{raised} % raised");
    let several = share(&|line| pairs(line).len() > 1);
    assert!((15..=50).contains(&several), "{several} % with several readings");
    let nameless = share(&|line| line["person"].is_null());
    assert!((3..=12).contains(&nameless), "{nameless} % without a name");
    let sent_on = share(&|line| line["contact"]["referrals"].is_array());
    assert!((15..=60).contains(&sent_on), "{sent_on} % referred");
    let older = |line: &Value| born(line).is_some_and(|year| year < 1966);
    let mean = |wanted: bool| {
        let systolic: Vec<i64> = lines
            .iter()
            .filter(|line| older(line) == wanted)
            .filter_map(|l| Some(pairs(l).first()?.0))
            .collect();
        systolic.iter().sum::<i64>() / systolic.len() as i64
    };
    assert!(mean(true) > mean(false) + 4, "pressures rise with age: {} against {}", mean(true), mean(false));
}

#[test]
fn the_first_line_of_a_session_carries_its_tallies() {
    let lines = tablet(23, CONTACTS_A_DAY + 2);
    let with_tallies: Vec<usize> =
        (0..lines.len()).filter(|i| lines[*i]["session"].get("tallies").is_some()).collect();
    assert_eq!(with_tallies, [0, CONTACTS_A_DAY]);
}

#[test]
fn protocol_takes_every_line_as_it_is() {
    let lines = tablet(29, 1500);
    for line in &lines {
        let mut n = 0;
        let mut new_id = || {
            n += 1;
            entry_id(n)
        };
        for (kind, part) in [(Kind::Person, &line["person"]), (Kind::Contact, &line["contact"])] {
            let Value::Object(fields) = part.clone() else { continue };
            let mut flattener = Flattener { kind, rules: Rules::Entry, new_id: &mut new_id };
            flattener.object(fields).unwrap_or_else(|error| panic!("{error:?}: {part}"));
        }
    }
}

/// An entry id out of a number.
fn entry_id(n: u32) -> String {
    (0..8).map(|place| char::from(b'a' + ((n >> (4 * place)) & 15) as u8)).collect()
}

/// Entries by id, as a record is shown.
fn shown(contact: &Value) -> Value {
    let mut contact = contact.clone();
    for entries in ["/bp/readings", "/bp/red_flags", "/measurements"] {
        if let Some(Value::Array(list)) = contact.pointer_mut(entries).map(Value::take) {
            let by_id = list.into_iter().enumerate().map(|(n, entry)| (entry_id(n as u32), entry));
            *contact.pointer_mut(entries).unwrap() = Value::Object(by_id.collect());
        }
    }
    contact
}

#[test]
fn staff_concluded_what_the_rules_conclude() {
    for line in &tablet(31, 1500) {
        let contact = &shown(&line["contact"]);
        // Somebody without a name is as old as the band says, which the rules do not read.
        if line["person"].is_null() || contact["ended"]["how"] == "left_early" {
            continue;
        }
        let derived = derive(contact, Some(&line["person"]));
        let category = contact.pointer("/advice/0/category").and_then(Value::as_str);
        if contact.get("advice").is_some() {
            assert_eq!(
                derived.category.map(|category| category.as_str()),
                category,
                "{} {contact}",
                derived.why
            );
        }
        let actions: Vec<&str> = derived.actions.iter().map(|action| action.as_str()).collect();
        for advice in contact["advice"].as_array().into_iter().flatten() {
            assert!(actions.contains(&advice["code"].as_str().unwrap()), "{actions:?} {contact}");
        }
    }
}

#[test]
fn flags_symptoms_and_reasons_are_those_of_the_rules() {
    let lines = tablet(37, 1500);
    for flag in lines.iter().filter_map(|line| line.pointer("/contact/bp/red_flags")?.as_array()).flatten() {
        assert!(codes::label(codes::RED_FLAGS, flag["flag"].as_str().unwrap()).is_some(), "{flag}");
    }
    for symptom in texts(&lines, "/contact/bp/symptoms/0") {
        let known = [codes::SYMPTOMS_FAINTING, codes::SYMPTOMS_DIZZY]
            .iter()
            .any(|l| codes::label(l, symptom).is_some());
        assert!(known, "{symptom}");
    }
    for reason in texts(&lines, "/person/nhs_number_absent_reason") {
        assert!(codes::label(codes::NHS_NUMBER_ABSENT_REASON, reason).is_some(), "{reason}");
    }
}
