use axum::body::Body;
use axum::http::{StatusCode, header};
use serde_json::{Value, json};
use wayside_protocol::record::{Kind, Record, RecordId};

use super::{Desk, form, request};
use crate::accounts::Role;
use crate::testing::Tablet;

/// A person whose family name two tablets changed side by side.
fn conflict(desk: &Desk) -> RecordId {
    let (one, two) = (desk.site.tablet(), desk.site.tablet());
    let (mut person, begin) = one.begin(Kind::Person, json!({"name": {"given": "Amina", "family": "Cahn"}}));
    let base = person.heads();
    one.push(&desk.site, std::slice::from_ref(&begin));
    one.push(&desk.site, &[one.edit(&mut person, Some(&base), json!({"name": {"family": "Khan"}}))]);
    two.push(&desk.site, &[two.edit(&mut person, Some(&base), json!({"name": {"family": "Kahn"}}))]);
    desk.catch_up();
    begin.0
}

async fn record(desk: &Desk, cookie: &str, id: RecordId) -> Value {
    let answer = desk.get(&format!("/api/v1/people/{id}"), cookie).await;
    assert_eq!(answer.status, StatusCode::OK);
    answer.json()
}

async fn settle(desk: &Desk, cookie: &str, id: RecordId, body: &Value) -> super::Answer {
    let asked = request("POST", &format!("/api/v1/records/{id}/settle"), cookie)
        .header(header::ORIGIN, super::ORIGIN)
        .header(header::CONTENT_TYPE, "application/json");
    desk.send(asked.body(Body::from(body.to_string())).unwrap()).await
}

#[tokio::test]
async fn settling_makes_a_conflict_vanish_and_says_who_did_it() {
    let desk = Desk::new();
    let cora = desk.signed_in("cora", Role::Coordinator).await;
    let vic = desk.signed_in("vic", Role::Viewer).await;
    let id = conflict(&desk);
    let page = desk.get(&format!("/people/{id}"), &cora).await.body;
    assert!(page.contains("To settle") && page.contains("Khan") && page.contains("Kahn"));
    assert!(page.contains(&format!("action=\"/records/{id}/settle\"")));
    // A viewer sees both values and no form.
    let page = desk.get(&format!("/people/{id}"), &vic).await.body;
    assert!(page.contains("To settle") && page.contains("A coordinator can settle this."));
    assert!(!page.contains("/settle\""));

    let heads = desk.heads(id).join(" ");
    assert_eq!(desk.heads(id).len(), 2);
    let fields = [("path", "name/family"), ("heads", &heads), ("choice", "\"Khan\""), ("other", "")];
    let answer = desk.post(&format!("/records/{id}/settle"), &cora, &form(&fields)).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
    assert_eq!(answer.header(header::LOCATION), format!("/people/{id}"));

    let shown = record(&desk, &cora, id).await;
    assert_eq!(shown["record"]["conflicts"], json!([]));
    assert_eq!(shown["record"]["name"]["family"], "Khan");
    let last = shown["history"].as_array().unwrap().last().unwrap();
    assert_eq!((&last["by"], &last["tablet_name"]), (&json!("cora"), &json!("This server")));
    assert_eq!(
        (&last["writes"][0]["path"], &last["writes"][0]["value"]),
        (&json!("name/family"), &json!("Khan"))
    );
    let before = last["writes"][0]["before"].as_array().unwrap();
    assert!(before.len() == 2 && before.contains(&json!("Khan")) && before.contains(&json!("Kahn")));
    assert_eq!(last["beside"], json!([]));
    assert!(!desk.get(&format!("/people/{id}"), &cora).await.body.contains("To settle"));
    // The same again finds nothing to settle, on the new heads as on the old.
    let now = json!({"path": "name/family", "value": "Kahn", "heads": desk.heads(id)});
    let answer = settle(&desk, &cora, id, &now).await;
    assert_eq!((answer.status, answer.code().as_str()), (StatusCode::CONFLICT, "not_in_conflict"));
}

#[tokio::test]
async fn another_value_may_be_typed_and_nonsense_may_not() {
    let desk = Desk::new();
    let cora = desk.signed_in("cora", Role::Coordinator).await;
    let id = conflict(&desk);
    let heads = desk.heads(id);
    let before = desk.site.head();
    for (body, code) in [
        (json!({"path": "name/family", "value": 7, "heads": heads, "reason": "phoned"}), "wrong_type"),
        (json!({"path": "name/family", "value": "x", "heads": heads}), "missing_field"),
        (json!({"path": "name/family", "value": "x", "heads": heads, "reason": " "}), "missing_field"),
        (
            json!({"path": "name/family", "value": "x", "heads": heads, "reason": "x".repeat(600)}),
            "too_large",
        ),
        (json!({"path": "name/given", "value": "x", "heads": heads}), "not_in_conflict"),
        (json!({"path": "name/family", "value": "x", "heads": []}), "heads_unknown"),
        (json!({"path": "name/family", "value": "x", "heads": ["ab"]}), "heads_unknown"),
        (json!({"path": "name/family", "value": "x", "heads": ["00".repeat(32)]}), "heads_unknown"),
        (json!({"path": "name/family"}), "bad_json"),
    ] {
        let answer = settle(&desk, &cora, id, &body).await;
        assert!(answer.status.is_client_error(), "{body}");
        assert_eq!(answer.code(), code, "{body}");
    }
    // Nothing came of that, neither in the log nor in quarantine.
    assert_eq!((desk.site.head(), desk.site.count("quarantine")), (before, 0));
    let heads = heads.join(" ");
    let why = "She spelt it <b>herself</b>";
    let fields = [
        ("path", "name/family"),
        ("heads", &heads),
        ("choice", "other"),
        ("other", " Qan "),
        ("reason", why),
    ];
    let answer = desk.post(&format!("/records/{id}/settle"), &cora, &form(&fields)).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    let shown = record(&desk, &cora, id).await;
    assert_eq!(shown["record"]["name"]["family"], "Qan");
    // The reason is part of the change, and stands in the history and beside the value.
    assert_eq!(shown["history"].as_array().unwrap().last().unwrap()["reason"], why);
    let page = desk.get(&format!("/people/{id}"), &cora).await.body;
    assert_eq!(page.matches("Why: She spelt it &#60;b&#62;herself").count(), 2);
    // Every value that the field ever had, with who and where.
    let values = page.split("Every value that each field ever had").nth(1).unwrap();
    for value in ["Cahn", "Khan", "Kahn", "Qan"] {
        assert!(values.contains(value), "{value}");
    }
    assert!(values.contains("cora") && values.contains("This server"));
}

#[tokio::test]
async fn two_who_settle_at_once_leave_a_conflict_and_lose_nothing() {
    let desk = Desk::new();
    let one = desk.signed_in("one", Role::Coordinator).await;
    let two = desk.signed_in("two", Role::Administrator).await;
    let id = conflict(&desk);
    let heads = desk.heads(id);
    let body = |value: &str| json!({"path": "name/family", "value": value, "heads": heads});
    let (left, right) = (body("Khan"), body("Kahn"));
    let (first, second) = tokio::join!(settle(&desk, &one, id, &left), settle(&desk, &two, id, &right));
    assert_eq!((first.status, second.status), (StatusCode::CREATED, StatusCode::CREATED));
    let shown = record(&desk, &one, id).await;
    let conflicts = shown["record"]["conflicts"].as_array().unwrap();
    assert_eq!(conflicts.len(), 1);
    let by: Vec<&str> = conflicts[0]["values"]
        .as_array()
        .unwrap()
        .iter()
        .map(|value| value["by"].as_str().unwrap())
        .collect();
    assert!(by.contains(&"one") && by.contains(&"two"));
    assert!(desk.get(&format!("/people/{id}"), &one).await.body.contains("To settle"));
    // On what both have left it can be settled for good.
    let again = json!({"path": "name/family", "value": "Khan", "heads": desk.heads(id)});
    assert_eq!(settle(&desk, &two, id, &again).await.status, StatusCode::CREATED);
    assert_eq!(record(&desk, &one, id).await["record"]["conflicts"], json!([]));
}

#[tokio::test]
async fn an_edit_that_nobody_saw_stays_beside_the_decision() {
    let desk = Desk::new();
    let cora = desk.signed_in("cora", Role::Coordinator).await;
    let id = conflict(&desk);
    let heads = desk.heads(id);
    // While the page is open a tablet writes once more, on what it had seen.
    let tablet = desk.site.tablet();
    let raws = desk.site.base.log.read(|conn| {
        let team = crate::log::team_by_id(conn, desk.site.team)?.unwrap();
        crate::log::record_changes(conn, team.n, id)
    });
    let mut person = Record::load(id, raws.unwrap()).unwrap();
    tablet.push(&desk.site, &[tablet.edit(&mut person, None, json!({"name": {"family": "Caan"}}))]);
    let body = json!({"path": "name/family", "value": "Khan", "heads": heads});
    assert_eq!(settle(&desk, &cora, id, &body).await.status, StatusCode::CREATED);
    let shown = record(&desk, &cora, id).await;
    let values: Vec<&str> = shown["record"]["conflicts"][0]["values"]
        .as_array()
        .unwrap()
        .iter()
        .map(|value| value["value"].as_str().unwrap())
        .collect();
    assert!(values.contains(&"Caan") && values.contains(&"Khan"), "{values:?}");
}

fn reading(systolic: i64, more: Value) -> Value {
    let mut reading = json!({"taken_at": "2026-11-20T13:06:00Z", "systolic": systolic, "diastolic": 94,
        "arm": "left", "setting": "clinic"});
    reading.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    reading
}

/// A check whose one reading two tablets corrected side by side.
fn corrected(desk: &Desk, tablets: &[Tablet]) -> RecordId {
    let fields = json!({"session": "01a20221-57e6-7f0f-b5c6-452956d7cfbb", "started_at": "2026-11-20T13:05:00Z",
        "bp": {"readings": {"aaaaaaaa": reading(252, json!({"confirmed_unusual": true}))}}});
    let (mut check, begin) = tablets[0].begin(Kind::Contact, fields);
    let base = check.heads();
    tablets[0].push(&desk.site, std::slice::from_ref(&begin));
    for (tablet, (id, systolic)) in tablets.iter().zip([("bbbbbbbb", 152), ("cccccccc", 162)]) {
        let fields = reading(systolic, json!({"corrects": "aaaaaaaa", "reason": "slip"}));
        let edit = tablet.edit(&mut check, Some(&base), json!({"bp": {"readings": {id: fields}}}));
        tablet.push(&desk.site, &[edit]);
    }
    desk.catch_up();
    begin.0
}

#[tokio::test]
async fn a_reading_is_settled_by_one_more_correction() {
    let desk = Desk::new();
    let cora = desk.signed_in("cora", Role::Coordinator).await;
    let tablets = [desk.site.tablet(), desk.site.tablet()];
    for (choice, typed, expected) in
        [(None, ["158", "96", "70"], (158, 96)), (Some(152), ["", "", ""], (152, 94))]
    {
        let id = corrected(&desk, &tablets);
        let get = async || desk.get(&format!("/api/v1/checks/{id}"), &cora).await.json();
        let before = get().await;
        let conflict = &before["record"]["conflicts"][0];
        assert_eq!(conflict["path"], "bp/readings/aaaaaaaa");
        let values = conflict["values"].as_array().unwrap();
        let chosen = values.iter().find(|one| one["value"]["systolic"].as_i64() == choice);
        let choice = chosen.map_or("other".to_owned(), |one| one["value"].to_string());
        let heads = desk.heads(id).join(" ");
        let page = desk.get(&format!("/checks/{id}"), &cora).await.body;
        assert!(page.contains("name=\"systolic\"") && page.contains("Corrected by reading"));
        let fields = [
            ("path", "bp/readings/aaaaaaaa"),
            ("heads", &heads),
            ("choice", &choice),
            ("systolic", typed[0]),
            ("diastolic", typed[1]),
            ("pulse", typed[2]),
            ("reason", "looked at the monitor again"),
        ];
        let answer = desk.post(&format!("/records/{id}/settle"), &cora, &form(&fields)).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
        let after = get().await;
        assert_eq!(after["record"]["conflicts"], json!([]));
        let derived = &after["record"]["derived"];
        assert_eq!((&derived["systolic"], &derived["diastolic"]), (&json!(expected.0), &json!(expected.1)));
        let readings = after["record"]["bp"]["readings"].as_object().unwrap();
        assert_eq!(readings.len(), 4);
        let new = &readings[derived["chosen_reading"].as_str().unwrap()];
        let said = if typed[0].is_empty() { "slip" } else { "looked at the monitor again" };
        assert_eq!(new["reason"], said);
        let history = after["history"].as_array().unwrap();
        assert_eq!(history.last().unwrap()["reason"], "looked at the monitor again");
        assert_eq!((&new["corrects"], &new["arm"]), (&json!("aaaaaaaa"), &json!("left")));
        assert_eq!(new["taken_at"], "2026-11-20T13:06:00Z");
        assert_eq!(new["supersedes"].as_array().unwrap().len(), 2);
    }
    // Out of all limits, or unusual and not confirmed: refused like at any tablet.
    let id = corrected(&desk, &tablets);
    let heads = desk.heads(id);
    for (systolic, code) in [(400, "out_of_range"), (69, "confirm_unusual")] {
        let value = json!({"systolic": systolic, "diastolic": 45, "confirmed_unusual": false});
        let body = json!({"path": "bp/readings/aaaaaaaa", "value": value, "heads": heads, "reason": "read it again"});
        let answer = settle(&desk, &cora, id, &body).await;
        assert!(answer.status.is_client_error(), "{code}: {}", answer.body);
        assert_eq!(answer.code(), code);
    }
}
