use std::collections::BTreeMap;

use serde_json::{Value, json};
use wayside_protocol::clinical::gp_message::{Sender, Share, gp_message};
use wayside_protocol::record::{RecordId, View, schema::Kind};

use super::*;

const CONTACT: &str = "01a20221-57e6-7f0f-b5c6-452956d7cfbb";
const PERSON: &str = "01a20221-57e6-7f0f-b5c6-452956d7cfaa";
const OTHER: &str = "01a20221-57e6-7f0f-b5c6-452956d7cfab";
const TEAM: &str = "01a20221-57e6-7f0f-b5c6-452956d7cf01";

/// A record as the views show it.
fn shown(kind: Kind, fields: Value) -> Value {
    let mut fields = fields.as_object().unwrap().clone();
    let conflicts = fields.remove("conflicts").and_then(|all| all.as_array().cloned()).unwrap_or_default();
    View { kind: Some(kind), fields, conflicts }.to_json(Some(TEAM), None)
}

fn check(more: Value) -> Value {
    let mut fields = json!({"id": CONTACT, "kind": "contact", "person": PERSON, "session": OTHER,
        "started_at": "2026-07-20T13:05:00Z", "ended": {"at": "2026-07-20T13:25:00Z", "how": "completed"}});
    fields.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    shown(Kind::Contact, fields)
}

fn reading(systolic: i64, diastolic: i64, more: Value) -> Value {
    let mut entry = json!({"taken_at": "2026-07-20T13:06:00Z", "systolic": systolic, "diastolic": diastolic,
        "pulse": 71, "arm": "left", "position": "sitting", "setting": "clinic"});
    entry.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    entry
}

fn mapped(contact: &Value) -> Vec<Resource> {
    super::contact(&Seen { contact, person: PERSON.parse().ok() })
}

fn of<'a>(resources: &'a [Resource], ty: Type, path: &str) -> Vec<&'a Value> {
    resources.iter().filter(|made| made.ty == ty && made.path == path).map(|made| &made.json).collect()
}

/// The pressures of a reading; the pulse is the other resource of its path.
fn pressure<'a>(resources: &'a [Resource], id: &str) -> &'a Value {
    let all = of(resources, Type::Observation, &format!("bp/readings/{id}"));
    all.into_iter().find(|made| made["code"]["text"] == "Blood pressure").unwrap()
}

fn figures(observation: &Value) -> Vec<i64> {
    let components = observation["component"].as_array().into_iter().flatten();
    components.map(|component| component["valueQuantity"]["value"].as_i64().unwrap()).collect()
}

#[test]
fn a_reading_goes_out_as_one_panel_with_both_numbers() {
    let made = mapped(&check(json!({"bp": {"readings": {"aaaaaaaa": reading(152, 94, json!({}))}}})));
    let panel = pressure(&made, "aaaaaaaa");
    assert_eq!(figures(panel), [152, 94]);
    assert_eq!(panel["status"], "final");
    assert_eq!(panel["effectiveDateTime"], "2026-07-20T14:06:00+01:00");
    assert_eq!(panel["interpretation"][0]["coding"][0]["code"], "H");
    assert_eq!(panel["component"][0]["code"]["coding"][1]["code"], "8480-6");
    assert_eq!(panel["component"][1]["valueQuantity"]["code"], "mm[Hg]");
    assert_eq!(panel["subject"]["reference"], format!("Patient/{PERSON}"));
    assert!(!panel.as_object().unwrap().keys().any(|name| name.starts_with("value")));
    let pulse = of(&made, Type::Observation, "bp/readings/aaaaaaaa");
    assert!(pulse.iter().any(|made| made["valueQuantity"]["value"] == 71));
}

#[test]
fn half_a_blood_pressure_never_goes_out() {
    for broken in [json!({"diastolic": null}), json!({"systolic": null}), json!({"systolic": "152"})] {
        let made = mapped(&check(json!({"bp": {"readings": {"aaaaaaaa": reading(152, 94, broken)}}})));
        let panel = pressure(&made, "aaaaaaaa");
        assert!(panel.get("component").is_none() && panel.get("dataAbsentReason").is_some(), "{panel}");
        assert!(panel.get("meta").is_none(), "it is no blood pressure by the profile");
    }
}

#[test]
fn struck_out_and_corrected_readings_keep_their_ids() {
    let one = |readings: Value| mapped(&check(json!({"bp": {"readings": readings}})));
    let first = one(json!({"aaaaaaaa": reading(125, 94, json!({}))}));
    let corrected = one(json!({"aaaaaaaa": reading(125, 94, json!({"corrected_by": ["bbbbbbbb"]})),
        "bbbbbbbb": reading(152, 94, json!({"corrects": "aaaaaaaa"}))}));
    let struck =
        one(json!({"aaaaaaaa": reading(125, 94, json!({"struck_out": {"reason": "cuff slipped"}}))}));
    let id = &pressure(&first, "aaaaaaaa")["id"];
    for (made, status, figure) in [(&corrected, "corrected", 152), (&struck, "entered-in-error", 125)] {
        let panel = pressure(made, "aaaaaaaa");
        assert_eq!((&panel["id"], &panel["status"]), (id, &json!(status)));
        assert_eq!(figures(panel), [figure, 94]);
        assert_eq!(made.len(), first.len(), "a place is one resource");
    }
    assert!(pressure(&struck, "aaaaaaaa")["note"][0]["text"].as_str().unwrap().contains("cuff slipped"));
    let pulses = of(&struck, Type::Observation, "bp/readings/aaaaaaaa");
    assert!(pulses.iter().all(|made| made["status"] == "entered-in-error"));

    // A contact that was entered in error takes all of it along.
    let gone = mapped(&check(json!({"entered_in_error": {"reason": "wrong person"},
        "bp": {"readings": {"aaaaaaaa": reading(152, 94, json!({}))}},
        "referrals": {"cccccccc": {"to": "gp"}}, "follow_ups": {"dddddddd": {"type": "call"}}})));
    assert!(gone.iter().all(|made| made.json["status"] == "entered-in-error"), "{gone:?}");
    assert_eq!(gone.len(), 5);
}

#[test]
fn what_disagrees_goes_out_unsettled_and_never_as_truth() {
    let both = json!({"aaaaaaaa": reading(125, 94, json!({"corrected_by": ["bbbbbbbb", "cccccccc"]})),
        "bbbbbbbb": reading(152, 94, json!({"corrects": "aaaaaaaa", "pulse": 80})),
        "cccccccc": reading(162, 94, json!({"corrects": "aaaaaaaa"}))});
    let smoking = json!([{"path": "lifestyle/smoking", "values": [{"value": "never"}, {"value": "heavy"}]}]);
    let contact =
        check(json!({"bp": {"readings": both}, "lifestyle": {"smoking": "never"}, "conflicts": smoking}));
    let made = mapped(&contact);
    let panel = pressure(&made, "aaaaaaaa");
    let said = panel["note"][0]["text"].as_str().unwrap();
    assert!(said.contains("152/94") && said.contains("162/94"), "{said}");
    let unsettled = [panel, of(&made, Type::Observation, "lifestyle/smoking")[0]];
    for made in unsettled {
        assert_eq!(made["status"], "preliminary");
        assert_eq!(made["dataAbsentReason"]["coding"][0]["code"], "temp-unknown");
        assert!(
            made.as_object().unwrap().keys().all(|name| !name.starts_with("value") && name != "component")
        );
        assert!(made.get("interpretation").is_none());
    }
    let pulses = of(&made, Type::Observation, "bp/readings/aaaaaaaa");
    assert!(pulses.iter().all(|made| made["status"] == "preliminary" && made.get("valueQuantity").is_none()));
}

#[test]
fn a_merged_person_points_to_who_stands_for_both_and_disputes_are_left_out() {
    let (standing, merged): (RecordId, RecordId) = (PERSON.parse().unwrap(), OTHER.parse().unwrap());
    let person = |id: &str, more: Value| {
        let mut fields = json!({"id": id, "kind": "person", "name": {"given": "Amina", "family": "Khan"},
            "date_of_birth": "1968-02-03", "nhs_number": {"value": "999 000 0018", "status": "01"},
            "ethnic_category": "J", "sex": "female", "gp": {"registered": "yes", "ods_code": "B99999"}});
        fields.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        patient(&shown(Kind::Person, fields), standing, &[standing, merged]).swap_remove(0).json
    };
    let (kept, gone) = (person(PERSON, json!({})), person(OTHER, json!({"merged_into": PERSON})));
    assert_eq!(
        kept["link"],
        json!([{"other": {"reference": format!("Patient/{OTHER}")}, "type": "replaces"}])
    );
    assert_eq!(gone["link"][0]["type"], "replaced-by");
    assert_eq!((&kept["active"], &gone["active"]), (&json!(true), &json!(false)));
    let number = &kept["identifier"][0];
    assert_eq!((&number["value"], &kept["birthDate"]), (&json!("9990000018"), &json!("1968-02-03")));
    assert_eq!(number["extension"][0]["valueCodeableConcept"]["coding"][0]["code"], "01");
    assert_eq!(kept["generalPractitioner"][0]["identifier"]["value"], "B99999");

    let conflicts = json!([
        {"path": "name/family", "values": [{"value": "Khan"}, {"value": "Kahn <b>"}]},
        {"path": "nhs_number", "values": [{"value": {"value": "9990000018"}}, {"value": {"value": "9990000026"}}]},
        {"path": "birth", "values": [{"value": {"date_of_birth": "1968-02-03"}}, {"value": {"date_of_birth": "1986-02-03"}}]},
    ]);
    let disputed = person(PERSON, json!({"conflicts": conflicts}));
    assert_eq!(disputed["name"][0].get("family"), None);
    assert_eq!(disputed["name"][0]["given"][0], "Amina");
    assert_eq!(disputed.get("birthDate"), None);
    assert_eq!(
        disputed["identifier"].as_array().unwrap().len(),
        1,
        "a number that may be another's is not sent"
    );
    let told = disputed["text"]["div"].as_str().unwrap();
    assert!(told.contains("Kahn &lt;b&gt;") && told.contains("1986-02-03"), "{told}");
}

#[test]
fn somebody_without_details_is_a_patient_of_that_contact_alone() {
    let contact =
        check(json!({"sex": "female", "bp": {"readings": {"aaaaaaaa": reading(118, 76, json!({}))}}}));
    let made = super::contact(&Seen { contact: &contact, person: None });
    let patient = made.iter().find(|made| made.ty == Type::Patient).unwrap();
    assert_eq!(patient.json["gender"], "female");
    assert!(patient.json.get("name").is_none());
    assert_eq!(pressure(&made, "aaaaaaaa")["subject"]["reference"], format!("Patient/{}", patient.id));
}

#[test]
fn a_home_diary_goes_out_with_its_mean() {
    let readings: serde_json::Map<String, Value> = (0..10)
        .map(|n| {
            let more = json!({"setting": "hbpm", "taken_at": format!("2026-07-{}T08:00:00Z", 10 + n / 2)});
            (format!("aaaaaaa{}", char::from(b'a' + n)), reading(150, 92, more))
        })
        .collect();
    let made = mapped(&check(json!({"bp": {"readings": readings}})));
    let mean = of(&made, Type::Observation, "derived/mean")[0];
    assert_eq!(figures(mean), [150, 92]);
    assert_eq!(mean["derivedFrom"].as_array().unwrap().len(), 10);
    assert_eq!(mean["extension"][0]["valueCodeableConcept"]["coding"][0]["code"], "residential");
}

/// A contact with one of everything.
fn whole() -> (Value, Vec<Resource>) {
    let contact = check(json!({"bp": {"readings": {"aaaaaaaa": reading(190, 124, json!({}))},
            "pulse_rhythm": "irregular", "red_flags": {"ffffffff": {"flag": "chest_pain", "present": false}}},
        "measurements": {"bbbbbbbb": {"what": "height", "value": 170, "unit": "cm"},
            "cccccccc": {"what": "weight", "value": 81.5, "unit": "kg"}, "hhhhhhhh": {"what": "hba1c", "value": 44}},
        "lifestyle": {"smoking": "light", "audit_c": {"q1": 2, "q2": 1, "q3": 1},
            "gppaq": {"work": "sedentary", "exercise": "none", "cycling": "none"}},
        "pregnant": false, "declined": ["lifestyle/family_history"],
        "referrals": {"dddddddd": {"to": "gp", "urgency": "same_day", "reason": "very high", "made_at": "2026-07-20T13:20:00Z"}},
        "referral_events": {"gggggggg": {"referral": "dddddddd", "status": "attended"}},
        "follow_ups": {"eeeeeeee": {"type": "repeat_bp", "due_on": "2026-07-27"}}}));
    let made = vec![Made {
        hash: "ab".repeat(32),
        at: "2026-07-20T13:06:10Z".into(),
        received_at: "2026-07-20T18:00:00Z".into(),
        by: "nurse-01".into(),
        by_name: "Nurse One".into(),
        tablet: "abcdefgh234567ab".into(),
        tablet_name: "Van".into(),
        paths: vec!["bp/readings/aaaaaaaa".into()],
        begins: true,
    }];
    let mut resources = mapped(&contact);
    resources.extend(provenance(CONTACT, &made, &resources));
    (contact, resources)
}

#[test]
fn everything_of_a_check_is_coded_as_the_pack_says() {
    let (_, made) = whole();
    let code = |path: &str| {
        let found = of(&made, Type::Observation, path)[0];
        found["code"]["coding"][0]["code"].as_str().unwrap_or_default().to_owned()
    };
    assert_eq!(code("measurements/bbbbbbbb"), "8302-2");
    assert_eq!(code("measurements/hhhhhhhh"), "1003671000000109");
    assert_eq!(code("lifestyle/audit_c"), "763256006");
    let observed = |path: &str| of(&made, Type::Observation, path)[0].clone();
    assert_eq!(observed("lifestyle/audit_c")["valueInteger"], 4);
    assert_eq!(observed("lifestyle/smoking")["valueCodeableConcept"]["coding"][0]["code"], "160603005");
    assert_eq!(observed("bp/pulse_rhythm")["valueCodeableConcept"]["coding"][0]["code"], "61086009");
    assert_eq!(observed("derived/bmi")["valueQuantity"]["value"], 28.2);
    let declined = observed("lifestyle/family_history");
    assert_eq!(declined["dataAbsentReason"]["coding"][0]["code"], "asked-declined");
    let request = of(&made, Type::ServiceRequest, "referrals/dddddddd")[0];
    assert_eq!((&request["status"], &request["priority"]), (&json!("completed"), &json!("asap")));
    assert!(request["reasonReference"][0]["reference"].as_str().unwrap().starts_with("Observation/"));
    let task = of(&made, Type::Task, "follow_ups/eeeeeeee")[0];
    assert_eq!(
        (&task["status"], &task["restriction"]["period"]["end"]),
        (&json!("requested"), &json!("2026-07-27"))
    );
    // Who wrote a reading wrote its pressures, its pulse, and the record.
    let provenance = made.iter().find(|made| made.ty == Type::Provenance).unwrap();
    assert_eq!(provenance.json["target"].as_array().unwrap().len(), 3);
}

/// A server that takes transactions: by type and id.
fn load(server: &mut BTreeMap<String, Value>, bundle: &Value) {
    for entry in bundle["entry"].as_array().unwrap() {
        assert_eq!(entry["request"]["method"], "PUT");
        server.insert(entry["request"]["url"].as_str().unwrap().to_owned(), entry["resource"].clone());
    }
}

#[test]
fn exporting_twice_is_the_same_and_loading_twice_doubles_nothing() {
    let bundle = transaction(&whole().1);
    assert_eq!(bundle, transaction(&whole().1));
    let mut server = BTreeMap::new();
    load(&mut server, &bundle);
    let once = server.clone();
    load(&mut server, &bundle);
    assert_eq!(server, once);
    assert_eq!(server.len(), bundle["entry"].as_array().unwrap().len(), "no two of one id");
    // Nothing in it points to what is not there, and nobody is named by two ways at once.
    let text = bundle.to_string();
    assert!(!text.contains("\"reference\":\"Patient/") && text.contains(&format!("urn:uuid:{PERSON}")));
}

#[test]
fn the_summary_is_a_document_that_people_can_read() {
    let (contact, resources) = whole();
    let person = shown(
        Kind::Person,
        json!({"id": PERSON, "kind": "person", "name": {"given": "Amina", "family": "<Khan>"}}),
    );
    let sender = Sender { organisation: "Leeds East", clinician: "Nurse One", role: "nurse" };
    let message = gp_message(&contact, Some(&person), Share::Agreed, sender);
    let seen = Seen { contact: &contact, person: PERSON.parse().ok() };
    let bundle = summary(&seen, &message, &resources, "2026-07-20T18:00:00Z");
    assert_eq!(bundle["type"], "document");
    let first = &bundle["entry"][0]["resource"];
    assert_eq!(first["resourceType"], "Composition");
    let told = first["text"]["div"].as_str().unwrap();
    for words in [
        "190/124 mmHg",
        "Amina &lt;Khan&gt;",
        "Leeds East",
        "Nurse One",
        "Irregular",
        "Referred to gp, today",
    ] {
        assert!(told.contains(words), "{words}: {told}");
    }
    assert!(told.contains("<th>Address</th><td>Not recorded</td>"));
    let types: Vec<&str> = bundle["entry"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["resource"]["resourceType"].as_str().unwrap())
        .collect();
    assert!(types.contains(&"Observation") && !types.contains(&"Provenance") && !types.contains(&"Location"));
    assert_eq!(bundle, summary(&seen, &message, &resources, "2026-07-20T18:00:00Z"));
}
