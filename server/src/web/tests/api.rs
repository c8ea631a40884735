//! What programs build on: the document, errors, tags.

use axum::body::Body;
use axum::http::{StatusCode, header};
use serde_json::{Value, json};
use wayside_protocol::record::{Kind, RecordId};

use super::coordinating::{push, very_high};
use super::{Answer, Desk, request};
use crate::accounts::{Role, Scope};
use crate::openapi::DOCUMENT;

/// Holds an answer against the document.
fn is_described(method: &str, path: &str, answer: &Answer) {
    let op = &DOCUMENT["paths"][path][method.to_lowercase()];
    let status = answer.status.as_str();
    let described = &op["responses"][status];
    assert!(described.is_object(), "{method} {path}: {status} is not in the document: {}", answer.body);
    let Some(content) = described["content"].as_object() else {
        assert_eq!(answer.body, "");
        return;
    };
    let (media, content) = content.iter().next().unwrap();
    let own = answer.header(header::CONTENT_TYPE).split(';').next().unwrap();
    assert_eq!(own, media, "{method} {path}");
    if media != "application/json" && !media.ends_with("+json") {
        return;
    }
    let schema = json!({"components": DOCUMENT["components"], "allOf": [content["schema"]]});
    let validator = jsonschema::draft202012::new(&schema).unwrap();
    let body = answer.json();
    let problems: Vec<String> =
        validator.iter_errors(&body).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(problems.is_empty(), "{method} {path} {status}: {problems:?}");
}

struct World {
    desk: Desk,
    token: String,
    person: RecordId,
    other: RecordId,
    check: RecordId,
    session: RecordId,
}

/// Somebody seen at a session, and what a page can show of them.
fn world(scopes: &[Scope], role: Role) -> World {
    let desk = Desk::new();
    let token = desk.token("prog", role, scopes);
    let tablet = desk.site.tablet();
    let named = |given: &str| {
        json!({"name": {"given": given, "family": "Khan"}, "date_of_birth": "1961-02-03",
        "phone": "07700 900123", "consents": [{"purpose": "share_with_gp", "given": true, "at": "2026-11-17T13:00:00Z"}]})
    };
    let person = push(&desk, &tablet, Kind::Person, named("Amina"));
    let other = push(&desk, &tablet, Kind::Person, named("Aminah"));
    let site = push(&desk, &tablet, Kind::Site, json!({"name": "Example Market", "type": "market"}));
    let session = RecordId::session(site, "2026-11-17");
    let fields = json!({"site": site.to_string(), "date": "2026-11-17", "setting": "van"});
    let (_, begin) = tablet.begin_as(session, rand::random(), Kind::Session, fields);
    tablet.push(&desk.site, &[begin]);
    let more = json!({"session": session.to_string(),
        "referrals": [{"to": "GP", "urgency": "same_day", "made_at": "2026-11-17T13:20:00Z"}],
        "follow_ups": [{"type": "call", "due_on": "2026-11-18"}]});
    let check = push(&desk, &tablet, Kind::Contact, very_high(Some(person), &more));
    crate::api::extracts::add_recipient(&desk.site.base, "test", "A university").unwrap();
    desk.catch_up();
    World { desk, token, person, other, check, session }
}

impl World {
    fn filled(&self, path: &str) -> String {
        let id = if path.contains("people/") {
            self.person
        } else if path.contains("sessions/") {
            self.session
        } else if path.contains("teams/") {
            self.desk.site.team
        } else {
            self.check
        };
        path.replace("{id}", &id.to_string())
            .replace("{other}", &self.other.to_string())
            .replace("{recipient}", "1")
            .replace("{name}", if path.contains("/fhir/") { "Observation.ndjson" } else { "contacts.csv" })
    }

    async fn post(&self, path: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Answer {
        let mut asked = request("POST", path, "").header("authorization", format!("Bearer {}", self.token));
        for (name, value) in headers {
            asked = asked.header(*name, *value);
        }
        self.desk.send(asked.body(body.into()).unwrap()).await
    }
}

const JSON: (&str, &str) = ("content-type", "application/json");

#[tokio::test]
async fn answers_of_the_real_handlers_are_what_the_document_says() {
    let world = world(&Scope::ALL, Role::Administrator);
    let mut asked = 0;
    for (path, of) in DOCUMENT["paths"].as_object().unwrap() {
        // What stays open is followed by itself.
        if of.get("get").is_none() || path.ends_with("/stream") {
            continue;
        }
        let request = request("GET", &world.filled(path), "")
            .header("authorization", format!("Bearer {}", world.token))
            .header("wayside-reason", "Handing over");
        let answer = world.desk.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.body);
        is_described("GET", path, &answer);
        asked += 1;
        if path != "/api/v1/openapi.json" {
            let refused = world.desk.get(&world.filled(path), "").await;
            assert_eq!(refused.code(), "not_signed_in");
            is_described("GET", path, &refused);
        }
        if path.contains("{id}") {
            for (id, code) in
                [("nonsense", "bad_id"), ("00000000-0000-7000-8000-000000000000", "record_not_found")]
            {
                let answer =
                    world.desk.get_by(&path.replace("{id}", id).replace("{other}", id), &world.token).await;
                assert_eq!(answer.code(), code, "{path}");
                is_described("GET", path, &answer);
            }
        }
    }
    assert!(asked > 20, "{asked}");
    let heads = world.desk.heads(world.check);
    let act = "/api/v1/records/{id}/act";
    for (body, code) in [
        (json!({"act": "call", "outcome": "no_answer"}), None),
        (json!({"act": "entered_in_error", "reason": "Typed twice.", "heads": heads}), None),
        (json!({"act": "entered_in_error", "reason": "Typed twice."}), Some("heads_unknown")),
        (json!({"act": "referral_event", "referral": "none", "status": "sent"}), Some("entry_not_found")),
        (json!({"act": "dance"}), Some("bad_json")),
    ] {
        let answer = world.post(&world.filled(act), &[JSON], body.to_string()).await;
        is_described("POST", act, &answer);
        match code {
            Some(code) => assert_eq!(answer.code(), code),
            None => assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body),
        }
    }
    let found = world.post("/api/v1/find", &[JSON], json!({"text": "Amina"}).to_string()).await;
    assert_eq!(found.json()["people"].as_array().unwrap().len(), 2, "{}", found.body);
    is_described("POST", "/api/v1/find", &found);
    let claim = "/api/v1/records/{id}/claim";
    let taken = world.post(&world.filled(claim), &[JSON], r#"{"take":"on"}"#).await;
    assert_eq!(taken.status, StatusCode::OK);
    is_described("POST", claim, &taken);
}

#[tokio::test]
async fn whatever_is_wrong_with_a_request_is_said_by_a_code() {
    let world = world(&[Scope::Read, Scope::Write], Role::Coordinator);
    let find = "/api/v1/find";
    for (path, headers, body, status, code) in [
        (find, vec![JSON], "{".to_owned(), 400, "bad_json"),
        (find, vec![JSON], r#"{"text":7}"#.to_owned(), 400, "bad_json"),
        (find, vec![], r#"{"text":"Amina"}"#.to_owned(), 415, "media_type"),
        (find, vec![JSON], format!(r#"{{"text":"{}"}}"#, "x".repeat(70_000)), 413, "too_large"),
        ("/api/v1/today", vec![JSON], "{}".to_owned(), 405, "method_not_allowed"),
        ("/api/v1/nowhere", vec![JSON], "{}".to_owned(), 404, "not_found"),
    ] {
        let answer = world.post(path, &headers, body).await;
        assert_eq!(
            (answer.status.as_u16(), answer.code().as_str()),
            (status, code),
            "{path}: {}",
            answer.body
        );
        assert_eq!(answer.header(header::CACHE_CONTROL), "no-store", "{path}");
    }
    for (path, status, code) in [
        ("/api/v1/today?page=many", 400, "bad_arguments"),
        ("/api/v1/follow-ups?page=-1", 400, "bad_arguments"),
        ("/api/v1/duplicates?page=x", 400, "bad_arguments"),
        ("/api/v1/people/%ff", 400, "bad_arguments"),
        ("/api/v1/people/%ff/beside/%fe", 400, "bad_arguments"),
        ("/api/v1/fhir/Patient.ndjson", 403, "role_not_allowed"),
    ] {
        let answer = world.desk.get_by(path, &world.token).await;
        let code = if path.contains("fhir") { "scope_missing" } else { code };
        assert_eq!(
            (answer.status.as_u16(), answer.code().as_str()),
            (status, code),
            "{path}: {}",
            answer.body
        );
    }
}

#[tokio::test]
async fn what_a_program_has_already_is_not_sent_again() {
    let world = world(&[Scope::Read, Scope::Write], Role::Coordinator);
    for path in [
        "/api/v1/people/{id}",
        "/api/v1/checks/{id}",
        "/api/v1/sessions/{id}",
        "/api/v1/records/{id}/history",
    ] {
        let path = world.filled(path);
        let first = world.desk.get_by(&path, &world.token).await;
        let tag = first.header(header::ETAG).to_owned();
        assert_eq!(first.header(header::CACHE_CONTROL), "no-store");
        let again = |known: String| {
            let asked = request("GET", &path, "")
                .header("authorization", format!("Bearer {}", world.token))
                .header(header::IF_NONE_MATCH, known);
            world.desk.send(asked.body(Body::empty()).unwrap())
        };
        for known in [tag.clone(), format!("\"other\", {tag}"), "*".to_owned(), tag.replace("W/", "")] {
            let answer = again(known).await;
            assert_eq!((answer.status, answer.body.as_str()), (StatusCode::NOT_MODIFIED, ""));
            assert_eq!(answer.header(header::ETAG), tag);
        }
        assert_eq!(again("W/\"other\"".to_owned()).await.body, first.body);
    }
    let check = world.filled("/api/v1/checks/{id}");
    let before = world.desk.get_by(&check, &world.token).await.header(header::ETAG).to_owned();
    let call = json!({"act": "call", "outcome": "no_answer"}).to_string();
    let act = world.filled("/api/v1/records/{id}/act");
    assert_eq!(world.post(&act, &[JSON], call).await.status, StatusCode::CREATED);
    let after = world.desk.get_by(&check, &world.token).await;
    assert_ne!(after.header(header::ETAG), before);
    assert!(after.body.contains("no_answer"));
}

#[tokio::test]
async fn the_page_about_the_api_names_every_address_and_runs_no_script() {
    let desk = Desk::new();
    let page = desk.get("/api", "").await;
    assert_eq!(page.status, StatusCode::OK);
    for (path, of) in DOCUMENT["paths"].as_object().unwrap() {
        for method in of.as_object().unwrap().keys() {
            assert!(page.body.contains(&format!("{} {path}", method.to_uppercase())), "{path}");
        }
    }
    assert!(!page.body.contains("<script"));
    let types: Vec<&Value> = DOCUMENT["components"]["schemas"].as_object().unwrap().values().collect();
    assert!(types.len() > 40);
    assert!(page.body.contains("id=\"type-Today\""));
}
