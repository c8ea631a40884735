//! One person over two pop-ups, on two tablets, by the programs as staff have them: from the first raised reading to
//! a referral that was closed, in one story.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

use serde_json::{Value, json};
use wayside_tests::{
    field::{Field, TabletCli},
    programs,
};

fn sync(tablet: &TabletCli) {
    assert_eq!(tablet.sync()["in_sync"], true);
}

fn next(tablet: &TabletCli, contact: &str) -> String {
    tablet.json(&["next", contact])["code"].as_str().unwrap().to_owned()
}

/// Adds an entry and returns its id.
fn add(tablet: &TabletCli, record: &str, map: &str, entry: &Value) -> String {
    tablet.ok(&["add", record, map, &entry.to_string()])
}

fn reading(at: &str, systolic: i64, diastolic: i64, setting: &str) -> Value {
    json!({"taken_at": at, "systolic": systolic, "diastolic": diastolic, "arm": "left", "position": "sitting",
        "setting": setting})
}

fn begun(person: Value, site: &str, date: &str, reason: &str) -> Value {
    json!({"session": {"site": site, "date": date}, "person": person,
        "contact": {"started_at": format!("{date}T13:00:00Z"), "reason": reason, "check_type": "bp_only"}})
}

#[test]
fn from_a_raised_reading_to_a_closed_referral_in_one_story() {
    let (field, [van, hall]) = Field::with(programs!(), ["van", "hall"]);
    let person =
        json!({"name": {"given": "Amina", "family": "Khan"}, "date_of_birth": "1950-02-03", "sex": "female"});
    let first = van.record(&[begun(person, "Masjid Al-Noor", "2026-11-20", "walk_up")]).remove(0);

    // Guided, step by step; parked between two of them.
    assert_eq!(next(&van, &first), "ask_pulse_rhythm");
    van.ok(&["edit", &first, "--set", "bp/pulse_rhythm=regular"]);
    assert_eq!(next(&van, &first), "take_reading");
    add(&van, &first, "bp/readings", &reading("2026-11-20T13:02:00Z", 154, 96, "clinic"));
    let step = van.json(&["next", &first]);
    assert_eq!((&step["reading"]["arm"], &step["skip"]), (&json!("right"), &json!("bp/other_arm")));
    van.ok(&["edit", &first, "--set", r#"declined=["bp/other_arm"]"#]);
    van.ok(&["park", &first]);
    let half_done = van.json(&["half-done"]);
    assert_eq!((&half_done[0]["id"], &half_done[0]["name"]), (&json!(first), &json!("Amina Khan")));
    van.ok(&["resume", &first]);
    let step = van.json(&["next", &first]);
    assert_eq!((&step["reading"]["number"], &step["notes"][0]["id"]), (&json!(2), &json!("why-raised")));
    add(&van, &first, "bp/readings", &reading("2026-11-20T13:04:00Z", 168, 98, "clinic"));
    let step = van.json(&["next", &first]);
    assert_eq!(
        (&step["reading"]["number"], &step["notes"][0]["id"]),
        (&json!(3), &json!("why-readings-differ"))
    );
    let third = add(&van, &first, "bp/readings", &reading("2026-11-20T13:06:00Z", 160, 95, "clinic"));
    let derived = van.json(&["show", &first])["derived"].clone();
    assert_eq!((&derived["category"], &derived["chosen_reading"]), (&json!("HIGH"), &json!(third)));

    // A monitor goes home with her.
    assert_eq!(next(&van, &first), "offer_monitoring");
    van.ok(&["edit", &first, "--set", r#"monitor_loan={"device":"HM-07","lent_at":"2026-11-20T13:10:00Z"}"#]);
    let diary = add(&van, &first, "follow_ups", &json!({"type": "hbpm_diary", "due_on": "2026-11-27"}));
    assert_eq!(next(&van, &first), "give_advice");
    let rules = derived["rules"].clone();
    add(&van, &first, "advice", &json!({"code": "OFFER_ABPM_HBPM", "category": "HIGH", "rules": rules}));
    assert_eq!(next(&van, &first), "done");
    van.ok(&["edit", &first, "--set", r#"ended={"at":"2026-11-20T13:15:00Z","how":"completed"}"#]);
    sync(&van);

    // A week later, another pop-up, another tablet: she is found, due, and brings four days of readings.
    sync(&hall);
    let found = hall.json(&["search", "kahn", "3/2/1950"]);
    let person = found[0]["id"].as_str().unwrap().to_owned();
    let due = hall.json(&["due", "--on", "2026-11-28"]);
    assert_eq!((&due[0]["entry"], &due[0]["state"]), (&json!(diary), &json!("overdue")));
    let second = hall.record(&[begun(json!(person), "Church Hall", "2026-11-28", "follow_up")]).remove(0);
    for day in 23..=26 {
        for (hour, systolic) in [(8, 144), (8, 142), (20, 146), (20, 140)] {
            let minute = systolic % 10;
            let at = format!("2026-11-{day}T{hour:02}:{minute:02}:00Z");
            add(
                &hall,
                &second,
                "bp/readings",
                &reading(&at, if day == 23 { 175 } else { systolic }, 88, "hbpm"),
            );
        }
    }
    let derived = hall.json(&["show", &second])["derived"].clone();
    assert_eq!((&derived["category"], &derived["systolic"]), (&json!("HIGH_STAGE1"), &json!(143)));
    assert_eq!(next(&hall, &second), "arrange");
    let gp = json!({"to": "gp", "urgency": "within_3_weeks", "reason": "raised average", "made_at": "2026-11-28T13:10:00Z"});
    let referral = add(&hall, &second, "referrals", &gp);
    let happened = |at: &str, status: &str| json!({"referral": referral, "status": status, "at": at});
    add(&hall, &second, "referral_events", &happened("2026-11-28T13:20:00Z", "sent"));
    add(
        &hall,
        &first,
        "follow_up_events",
        &json!({"follow_up": diary, "status": "done", "at": "2026-11-28T13:11:00Z"}),
    );
    hall.ok(&["edit", &first, "--set", r#"monitor_loan={"device":"HM-07","lent_at":"2026-11-20T13:10:00Z","returned_at":"2026-11-28T13:12:00Z"}"#]);
    add(
        &hall,
        &second,
        "advice",
        &json!({"code": "GP_WITHIN_3_WEEKS", "category": "HIGH_STAGE1", "rules": rules}),
    );
    assert_eq!(next(&hall, &second), "done");
    sync(&hall);

    // The first tablet hears from the practice.
    sync(&van);
    assert_eq!(van.json(&["due", "--on", "2026-12-19"])[0]["state"], "due");
    add(&van, &second, "referral_events", &happened("2026-12-01T09:00:00Z", "received"));
    assert_eq!(van.json(&["due", "--on", "2027-12-19"]), json!([]));
    let closed = json!({"referral": referral, "status": "closed", "outcome": "seen, treatment begun", "at": "2026-12-15T09:00:00Z"});
    add(&van, &second, "referral_events", &closed);
    sync(&van);
    sync(&hall);

    let story = van.json(&["timeline", &person]);
    assert_eq!(story, hall.json(&["timeline", &person]), "one story, wherever it is told");
    let story = story.as_array().unwrap();
    let told: Vec<&str> = story.iter().map(|event| event["words"][0].as_str().unwrap()).collect();
    let expected = [
        "Seen at Masjid Al-Noor",
        "Reading 154/96",
        "Reading 168/98",
        "Reading 160/95",
        "Raised reading, 160/95",
        "Monitor lent HM-07",
        "Completed",
        "Home reading 175/88",
        "Home reading 140/88",
        "Seen at Church Hall",
        "Raised average, 143/88",
        "Referred to the GP practice",
        "Home readings, diary to come back: done",
        "Monitor came back",
        "the GP practice: sent",
        "the GP practice: received there",
        "the GP practice: closed",
    ];
    let mut at = 0;
    for wanted in expected {
        let found = told[at..].iter().position(|said| *said == wanted);
        at += found.unwrap_or_else(|| panic!("{wanted} is not there in its place: {told:#?}"));
    }
    assert_eq!(told.iter().filter(|said| said.starts_with("Home reading 1")).count(), 16);
    // The clocks of both tablets are this machine's: who, when and where is told of each.
    let tablets: BTreeSet<&str> = story.iter().filter_map(|event| event["tablet"].as_str()).collect();
    assert_eq!(tablets.len(), 2);
    assert_eq!(field.wayside_json(&["show", &second])["derived"]["category"], "HIGH_STAGE1");
}

#[test]
fn two_corrections_made_offline_both_stay_and_the_more_urgent_counts_until_settled() {
    let (field, [left, right]) = Field::with(programs!(), ["left", "right"]);
    let person = json!({"name": {"given": "Amina", "family": "Khan"}, "date_of_birth": "1950-02-03"});
    let contact = left.record(&[begun(person, "Masjid Al-Noor", "2026-11-20", "walk_up")]).remove(0);
    let slip = add(&left, &contact, "bp/readings", &reading("2026-11-20T13:02:00Z", 128, 84, "clinic"));
    sync(&left);
    sync(&right);
    left.ok(&[
        "--staff",
        "nurse-l",
        "correct",
        &contact,
        &slip,
        "--set",
        "systolic=182",
        "--reason",
        "misheard",
    ]);
    right.ok(&[
        "--staff",
        "nurse-r",
        "correct",
        &contact,
        &slip,
        "--set",
        "systolic=152",
        "--reason",
        "misread",
    ]);
    for tablet in [&left, &right, &left] {
        sync(tablet);
    }
    for shown in [
        left.json(&["show", &contact]),
        right.json(&["show", &contact]),
        field.wayside_json(&["show", &contact]),
    ] {
        let derived = &shown["derived"];
        assert_eq!((&derived["category"], &derived["systolic"]), (&json!("VERY_HIGH"), &json!(182)));
        assert_eq!(derived["disputed"]["paths"], json!([format!("bp/readings/{slip}")]));
        let other = &derived["disputed"]["otherwise"][0];
        assert_eq!((&other["category"], &other["systolic"]), (&json!("HIGH"), &json!(152)));
    }
    left.ok(&["correct", &contact, &slip, "--set", "systolic=152", "--reason", "asked both"]);
    sync(&left);
    sync(&right);
    let shown = right.json(&["show", &contact]);
    assert_eq!((&shown["conflicts"], &shown["derived"]["disputed"]), (&json!([]), &Value::Null));
    assert_eq!(shown["derived"]["category"], "HIGH");

    // Everything that anybody said is still there, on both tablets, in the same order.
    let history = left.json(&["history", &contact]);
    assert_eq!(history, right.json(&["history", &contact]));
    let corrections: Vec<(&str, i64)> = history
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|change| change["set"].as_array().unwrap().iter().map(move |set| (change, set)))
        .filter(|(_, set)| set["after"]["corrects"] == json!(slip))
        .map(|(change, set)| (change["by"].as_str().unwrap(), set["after"]["systolic"].as_i64().unwrap()))
        .collect();
    let first_two: BTreeSet<_> = corrections[..2].iter().copied().collect();
    assert_eq!(first_two, BTreeSet::from([("nurse-l", 182), ("nurse-r", 152)]));
    assert_eq!(corrections.len(), 3);
}

#[test]
fn somebody_who_is_likely_here_already_is_recorded_and_named() {
    let tablet = Field::new(programs!());
    let tablet = tablet.tablet("van");
    let amina = json!({"name": {"given": "Amina", "family": "Khan"}, "date_of_birth": "1950-02-03", "phone": "07700 900123"});
    let line = begun(amina.clone(), "Masjid Al-Noor", "2026-11-20", "walk_up");
    tablet.record(std::slice::from_ref(&line));
    let (ids, output) = tablet.record_with(&[], std::slice::from_ref(&line));
    assert_eq!((ids.len(), output.status.code()), (1, Some(0)));
    let warning: Value = serde_json::from_slice(&output.stderr).unwrap();
    assert_eq!((&warning["line"], &warning["warning"]), (&json!(1), &json!("likely_duplicate")));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!["Amina", "Khan", "1950", "900123"].iter().any(|word| said.contains(word)), "{said}");
    let (_, output) = tablet.record_with(&["--no-duplicates"], &[line]);
    assert!(output.stderr.is_empty());

    let file = tablet.dir.with_extension("person");
    std::fs::write(&file, amina.to_string()).unwrap();
    let file = file.to_str().unwrap();
    assert_eq!(tablet.json(&["duplicates", file]).as_array().unwrap().len(), 3);
    assert!(
        tablet
            .ok(&["duplicates", file])
            .contains("likely: Same date of birth; Same name; Same telephone number")
    );
    assert!(tablet.ok(&["check-person", file]).contains("date_of_birth: 3 February 1950"));
    assert_eq!(tablet.ok(&["services"]), "The team's directory is empty.");
    assert_eq!(tablet.refused(&["timeline", &ids[0]])["code"], "wrong_kind");
}
