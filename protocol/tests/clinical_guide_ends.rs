//! The guided measurement, followed by somebody who answers anything: it always ends, and never asks twice.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::{Value, json};
use wayside_protocol::clinical::guide::*;
use wayside_protocol::clinical::text::Texts;
use wayside_protocol::clinical::*;

fn man() -> Value {
    json!({"date_of_birth": "1968-02-03", "sex": "male"})
}

fn woman() -> Value {
    json!({"date_of_birth": "1990-02-03", "sex": "female"})
}

/// Answers a step as somebody might: by what it asks for, or by skipping it.
fn answer(contact: &mut Value, person: &mut Value, step: &Step, choice: u8, value: i64) {
    let skip = choice.is_multiple_of(4);
    if skip && let Some(word) = step.skip {
        if !contact["declined"].is_array() {
            contact["declined"] = json!([]);
        }
        contact["declined"].as_array_mut().unwrap().push(json!(word));
        return;
    }
    let count = |map: &Value| map.as_object().map_or(0, serde_json::Map::len);
    let push = |map: &mut Value, entry: Value| {
        if !map.is_object() {
            *map = json!({});
        }
        let id = format!("z{:03}", count(map));
        map[id] = entry;
    };
    let pick = |at: u8| step.choices[usize::from(at) % step.choices.len()].value;
    match step.code {
        StepCode::AskAge if person.is_object() && choice % 2 == 1 => {
            person["date_of_birth"] = json!("1980-01-01")
        }
        StepCode::AskAge => contact["age_band"] = json!("40-49"),
        StepCode::AskPregnant => contact["pregnant"] = json!(choice % 2 == 1),
        StepCode::AskPulseRhythm => contact["bp"]["pulse_rhythm"] = json!(pick(choice)),
        StepCode::RecheckPulse => contact["bp"]["pulse_rhythm_again"] = json!(pick(choice)),
        StepCode::AskRedFlags => {
            push(&mut contact["bp"]["red_flags"], json!({"flag": pick(choice), "present": choice > 240}))
        }
        StepCode::AskSymptoms => contact["bp"]["symptoms"] = json!([pick(choice)]),
        StepCode::TakeReading
        | StepCode::TakeStanding
        | StepCode::TakeLying
        | StepCode::EnterHomeReadings => {
            let next = step.reading.clone();
            let number = count(&contact["bp"]["readings"]);
            push(
                &mut contact["bp"]["readings"],
                json!({
                    "systolic": value, "diastolic": value - 50, "position": next.as_ref().map(|n| n.position),
                    "arm": next.and_then(|n| n.arm).map_or("left", Arm::as_str),
                    "setting": if step.code == StepCode::EnterHomeReadings { "hbpm" } else { "clinic" },
                    "taken_at": format!("2026-11-{:02}T13:00:00Z", 1 + number % 28),
                }),
            );
        }
        StepCode::OfferMonitoring => contact["monitor_loan"] = json!({"device": "x"}),
        StepCode::CallEmergency => push(&mut contact["referrals"], json!({"urgency": "emergency"})),
        StepCode::Arrange => {
            push(&mut contact["referrals"], json!({"urgency": step.text.id.rsplit('-').next()}))
        }
        StepCode::GiveAdvice => push(&mut contact["advice"], json!({"code": "x"})),
        StepCode::Done => {}
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let word = prop::sample::select(vec![
        "bp",
        "readings",
        "systolic",
        "diastolic",
        "a",
        "b",
        "corrects",
        "corrected_by",
        "setting",
        "hbpm",
        "arm",
        "left",
        "position",
        "standing",
        "irregular",
        "pulse_rhythm",
        "red_flags",
        "flag",
        "present",
        "chest_pain",
        "declined",
        "ended",
        "how",
        "parked",
        "conflicts",
        "path",
        "values",
        "value",
        "referrals",
        "urgency",
        "emergency",
        "bp/readings",
        "symptoms",
        "dizzy",
        "taken_at",
        "2026-11-20T13:00:00Z",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        prop_oneof![0..320_i64, any::<i64>()].prop_map(Value::from),
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
    fn clinical_guide_always_ends_and_never_asks_twice(
        answers in prop::collection::vec((any::<u8>(), 60..230_i64), 60),
        person in prop::sample::select(vec![json!({}), man(), woman(), json!({"age_years": 15}), Value::Null]),
        begun in prop::sample::select(vec![json!({}), json!({"diary": true}), json!({"bp": {"pulse_rhythm": "irregular"}})]),
    ) {
        let mut contact = begun;
        if contact["diary"].is_boolean() {
            contact = json!({"bp": {"readings": {"q": {"systolic": 130, "diastolic": 80, "setting": "hbpm", "taken_at": "2026-11-01T08:00:00Z"}}}});
        }
        contact["started_at"] = json!("2026-11-20T13:00:00Z");
        let mut person = person;
        let texts = Texts::english();
        let mut seen = BTreeSet::new();
        let mut ended = false;
        for (choice, value) in answers {
            let asked = (!person.is_null()).then_some(&person);
            let step = next_step(&contact, asked, &GuideSettings::default());
            for text in std::iter::once(&step.text).chain(&step.notes).chain(step.choices.iter().map(|c| &c.text)) {
                prop_assert!(texts.say(text) != text.id, "no text for {text:?}");
            }
            if step.code == StepCode::Done {
                ended = true;
                break;
            }
            prop_assert!(step.skip.is_some() && !step.fields.is_empty());
            // A reading, the open red flags and a more urgent arrangement may come again: what is asked differs.
            let reading = step.reading.as_ref().map(|reading| reading.number);
            let flags = step.choices.len();
            let diary = if step.code == StepCode::EnterHomeReadings { contact["bp"]["readings"].as_object().map_or(0, |r| r.len()) } else { 0 };
            prop_assert!(seen.insert((step.code, step.skip, reading, flags, diary, step.text.id.clone())), "asked twice: {step:?}");
            prop_assert!(next_step(&contact, asked, &GuideSettings::default()) == step);
            let mut after = contact.clone();
            answer(&mut after, &mut person, &step, choice, value);
            contact = after;
        }
        prop_assert!(ended, "still going: {contact}");
    }

    #[test]
    fn clinical_guide_any_json_gives_a_step(contact in any_json(), bp in any_json(), person in any_json()) {
        let settings = GuideSettings::of_team(&contact);
        next_step(&contact, Some(&person), &settings);
        let contact = json!({"started_at": "2026-11-20T13:00:00Z", "bp": bp, "declined": contact});
        let step = next_step(&contact, None, &GuideSettings::default());
        prop_assert!(serde_json::to_value(&step).unwrap()["code"].is_string());
    }
}
