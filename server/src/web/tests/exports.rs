//! Checks as FHIR, through the doors.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use serde_json::{Value, json};
use wayside_protocol::record::{Kind, RecordId};
use wayside_protocol::sync::frame::What;

use super::coordinating::{push, very_high};
use super::happenings::Happenings;
use super::{Answer, Desk};
use crate::accounts::Role;
use crate::log::{self, Made};

const TYPES: [&str; 9] = [
    "Organization",
    "Location",
    "Patient",
    "Consent",
    "Encounter",
    "Observation",
    "ServiceRequest",
    "Task",
    "Provenance",
];

async fn ok(desk: &Desk, cookie: &str, path: &str) -> Answer {
    let answer = desk.get(path, cookie).await;
    assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.body);
    answer
}

fn header<'a>(answer: &'a Answer, name: &str) -> &'a str {
    answer.headers[name].to_str().unwrap()
}

fn consents(given: bool) -> Value {
    json!({"name": {"given": "Amina", "family": "Khan"},
        "consents": [{"purpose": "share_with_gp", "given": given, "at": "2026-11-17T13:00:00Z"}]})
}

/// Somebody's copy of everything, kept up to date by feeds.
#[derive(Default)]
struct Copy {
    /// By type: from where to ask next.
    places: BTreeMap<&'static str, String>,
    held: BTreeMap<String, Value>,
}

impl Copy {
    /// How many lines came.
    async fn follow(&mut self, desk: &Desk, cookie: &str, limit: &str) -> usize {
        let mut lines = 0;
        for ty in TYPES {
            loop {
                let after = self.places.get(ty).cloned().unwrap_or_default();
                let answer =
                    ok(desk, cookie, &format!("/api/v1/fhir/{ty}.ndjson?after={after}{limit}")).await;
                for line in answer.body.lines() {
                    lines += 1;
                    self.take(&serde_json::from_str(line).unwrap());
                }
                self.places.insert(ty, header(&answer, "wayside-next").to_owned());
                if header(&answer, "wayside-more") == "false" {
                    break;
                }
            }
        }
        lines
    }

    fn take(&mut self, resource: &Value) {
        if resource["resourceType"] != "Bundle" {
            let own = format!(
                "{}/{}",
                resource["resourceType"].as_str().unwrap(),
                resource["id"].as_str().unwrap()
            );
            self.held.insert(own, resource.clone());
            return;
        }
        for entry in resource["entry"].as_array().unwrap() {
            assert_eq!(entry["request"]["method"], "DELETE");
            let url = entry["request"]["url"].as_str().unwrap();
            match url.split_once('?') {
                None => drop(self.held.remove(url)),
                // As a FHIR server searches: the parameter is the member.
                Some((ty, query)) => {
                    let (member, to) = query.split_once('=').unwrap();
                    self.held.retain(|own, held| {
                        let named = held[member].to_string().contains(to);
                        !(own.starts_with(&format!("{ty}/")) && named)
                    });
                }
            }
        }
    }
}

/// What left, as the audit trail tells it.
fn taken(desk: &Desk) -> Vec<log::Audited> {
    let mut trail = desk.site.base.log.read(log::audited).unwrap();
    trail.retain(|act| act.act.starts_with("fhir_") || act.act == "gp_summary");
    trail
}

#[tokio::test]
async fn a_check_leaves_as_a_transaction_and_who_took_it_is_written_down() {
    let desk = Desk::new();
    let cora = desk.signed_in("cora", Role::Coordinator).await;
    let tablet = desk.site.tablet();
    let person = push(&desk, &tablet, Kind::Person, consents(true));
    let check = push(&desk, &tablet, Kind::Contact, very_high(Some(person), &json!({})));
    let answer = ok(&desk, &cora, &format!("/api/v1/checks/{check}/fhir")).await;
    assert_eq!(header(&answer, "content-type"), "application/fhir+json");
    let types: Vec<String> = answer.json()["entry"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["resource"]["resourceType"].as_str().unwrap().to_owned())
        .collect();
    for ty in ["Organization", "Patient", "Consent", "Encounter", "Observation", "Provenance"] {
        assert!(types.iter().any(|found| found == ty), "{ty}: {types:?}");
    }
    let again = ok(&desk, &cora, &format!("/api/v1/checks/{check}/fhir")).await;
    assert_eq!(again.body, answer.body);
    let trail = taken(&desk);
    let acts: Vec<_> = trail.iter().map(|act| (act.who.as_str(), act.act.as_str(), act.record)).collect();
    assert_eq!(acts, [("cora", "fhir_check", Some(check)); 2]);
    // Of a person there is no check, and nothing goes.
    assert_eq!(desk.get(&format!("/api/v1/checks/{person}/fhir"), &cora).await.code(), "record_not_found");
    assert_eq!(desk.get("/api/v1/checks/nonsense/fhir", &cora).await.code(), "bad_id");
    assert_eq!(taken(&desk).len(), 2);
}

#[tokio::test]
async fn a_session_leaves_with_all_its_checks() {
    let desk = Desk::new();
    let cora = desk.signed_in("cora", Role::Coordinator).await;
    let tablet = desk.site.tablet();
    let site = push(&desk, &tablet, Kind::Site, json!({"name": "Example Market", "type": "market"}));
    let session = RecordId::session(site, "2026-11-17");
    let (_, begin) = tablet.begin_as(
        session,
        rand::random(),
        Kind::Session,
        json!({"site": site.to_string(), "date": "2026-11-17", "setting": "van"}),
    );
    tablet.push(&desk.site, &[begin]);
    for _ in 0..3 {
        push(&desk, &tablet, Kind::Contact, very_high(None, &json!({"session": session.to_string()})));
    }
    let bundle = ok(&desk, &cora, &format!("/api/v1/sessions/{session}/fhir")).await.json();
    let count = |ty: &str| {
        let entries = bundle["entry"].as_array().unwrap();
        entries.iter().filter(|entry| entry["resource"]["resourceType"] == ty).count()
    };
    assert_eq!(
        (count("Encounter"), count("Location"), count("Organization"), count("Patient")),
        (3, 2, 1, 3)
    );
    assert_eq!(desk.get(&format!("/api/v1/sessions/{site}/fhir"), &cora).await.code(), "record_not_found");
}

#[tokio::test]
async fn a_summary_goes_only_where_the_person_agreed() {
    let desk = Desk::new();
    let cora = desk.signed_in("cora", Role::Coordinator).await;
    let tablet = desk.site.tablet();
    let agreed = push(&desk, &tablet, Kind::Person, consents(true));
    let refused = push(&desk, &tablet, Kind::Person, consents(false));
    let silent = push(&desk, &tablet, Kind::Person, json!({"name": {"given": "Omar"}}));
    for person in [Some(refused), Some(silent), None] {
        let check = push(&desk, &tablet, Kind::Contact, very_high(person, &json!({})));
        let answer = desk.get(&format!("/api/v1/checks/{check}/gp-summary"), &cora).await;
        assert_eq!((answer.status, answer.code().as_str()), (StatusCode::FORBIDDEN, "consent_missing"));
    }
    assert_eq!(taken(&desk), []);
    let check = push(&desk, &tablet, Kind::Contact, very_high(Some(agreed), &json!({})));
    let path = format!("/api/v1/checks/{check}/gp-summary");
    let bundle = ok(&desk, &cora, &path).await.json();
    assert_eq!(bundle["entry"][0]["resource"]["resourceType"], "Composition");
    assert!(bundle["entry"][0]["resource"]["text"]["div"].as_str().unwrap().contains("190/124 mmHg"));
    assert_eq!(taken(&desk)[0].act, "gp_summary");
    // What was agreed elsewhere and withdrawn on the record that was merged with it counts, too.
    let mut other = tablet.begin(
        Kind::Person,
        json!({"merged_into": agreed.to_string(),
        "consents": [{"purpose": "share_with_gp", "given": false, "at": "2026-11-18T13:00:00Z"}]}),
    );
    tablet.push(&desk.site, &[other.1]);
    desk.catch_up();
    assert_eq!(desk.get(&path, &cora).await.code(), "consent_missing");
    tablet.push(&desk.site, &[tablet.set(&mut other.0, "merged_into", Value::Null)]);
    desk.catch_up();
    ok(&desk, &cora, &path).await;
}

#[tokio::test]
async fn a_place_that_is_none_and_a_type_that_is_none_are_refused() {
    let desk = Desk::new();
    let cora = desk.signed_in("cora", Role::Coordinator).await;
    for after in ["x", "AA", "AQE", "%FF", "AQ%3D%3D", &"A".repeat(4000)] {
        let answer = desk.get(&format!("/api/v1/fhir/Patient.ndjson?after={after}"), &cora).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{after}: {}", answer.body);
    }
    for name in ["Patient", "patient.ndjson", "Composition.ndjson", "Bundle.ndjson", ".ndjson"] {
        assert_eq!(desk.get(&format!("/api/v1/fhir/{name}"), &cora).await.code(), "not_found", "{name}");
    }
    let answer = desk.get("/api/v1/fhir/Patient.ndjson?limit=many", &cora).await;
    assert_eq!(answer.code(), "bad_arguments");
}

#[tokio::test]
async fn an_erased_check_is_taken_back_with_all_that_it_came_to() {
    let desk = Desk::new();
    let cora = desk.signed_in("cora", Role::Coordinator).await;
    let tablet = desk.site.tablet();
    let person = push(&desk, &tablet, Kind::Person, consents(true));
    let check = push(&desk, &tablet, Kind::Contact, very_high(Some(person), &json!({})));
    let kept = push(&desk, &tablet, Kind::Contact, very_high(None, &json!({})));
    let mut copy = Copy::default();
    copy.follow(&desk, &cora, "").await;
    assert!(copy.held.values().any(|held| held.to_string().contains("Amina")));
    let team = desk.site.team;
    let made = Made { at: 1, by: log::SERVER };
    let erase = move |txn: &mut log::Txn| log::enter(txn, team, What::Erase, &[person, check], made);
    desk.site.base.log.write(erase).unwrap();
    desk.catch_up();
    copy.follow(&desk, &cora, "").await;
    let said: String = copy.held.values().map(Value::to_string).collect();
    for gone in ["Amina", &person.to_string(), &check.to_string()] {
        assert!(!said.contains(gone), "{gone}");
    }
    assert!(said.contains(&kept.to_string()));
}

/// The views are made anew: places stay what they were.
fn derive_again(desk: &Desk) {
    desk.catch_up();
    let views = rusqlite::Connection::open(desk.site.dir.path().join("views.db")).unwrap();
    views.execute("DELETE FROM made_by", []).unwrap();
    desk.catch_up();
}

/// Whatever happens in whatever order, a copy that follows in small steps is the copy of somebody who takes everything
/// at once; and who asks again is sent nothing.
#[tokio::test]
async fn a_copy_that_follows_is_a_copy_of_everything() {
    for seed in 0..8 {
        let desk = Desk::new();
        let cora = desk.signed_in("cora", Role::Coordinator).await;
        let mut happenings = Happenings::new(&desk, seed);
        let mut copy = Copy::default();
        for _ in 0..24 {
            happenings.next(&desk);
            if happenings.chance(0.2) {
                derive_again(&desk);
            }
            if happenings.chance(0.4) {
                desk.catch_up();
                copy.follow(&desk, &cora, happenings.limit()).await;
            }
        }
        desk.catch_up();
        copy.follow(&desk, &cora, "").await;
        let mut whole = Copy::default();
        whole.follow(&desk, &cora, "").await;
        let names = |copy: &Copy| copy.held.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&copy), names(&whole), "seed {seed}");
        for (own, held) in &whole.held {
            assert_eq!(&copy.held[own], held, "seed {seed}: {own}");
        }
        assert_eq!(copy.follow(&desk, &cora, "").await, 0, "seed {seed}");
        derive_again(&desk);
        assert_eq!(copy.follow(&desk, &cora, "").await, 0, "seed {seed}");
    }
}
