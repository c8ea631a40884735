//! Somebody who finds what was given away, thrown away or kept beside the records: after erasing it names nobody.

use std::fs;

use serde_json::{Value, json};
use wayside_server::{
    Base, Clock,
    accounts::{self, Role, Scope, Wish},
};
use wayside_tests::{
    field::{Field, TabletCli, files_with, is_wiped},
    programs,
};

use crate::wire::{Door, http};

const GONE: &str = "Quillfeather";
const STAYS: &str = "Thistledown";

/// A check on somebody of this name, which also stands in every text of it that somebody may type.
fn seen(name: &str, systolic: i64) -> Value {
    json!({
        "session": {"site": "Masjid Al-Noor", "date": "2026-11-20"},
        "person": {"name": {"given": "Amina", "family": name}, "date_of_birth": "1968-02-14", "phone": "07700 900123",
            "email": format!("{name}@example.org"), "address": {"lines": [format!("1 {name} Lane")]}},
        "contact": {"started_at": "2026-11-20T13:05:00Z", "reason": "walk_up", "check_type": "bp_only",
            "notes": [{"text": format!("{name} comes back on Friday")}],
            "bp": {"readings": [{"taken_at": "2026-11-20T13:06:00Z", "systolic": systolic, "diastolic": 94}]}},
    })
}

/// Everything that leaves by the API, in one text.
fn exported(door: &Door, token: &str) -> String {
    let mut all = String::new();
    for (method, path, body) in [
        ("GET", "/api/v1/today", ""),
        ("GET", "/api/v1/checks?from=2026-11-01&to=2026-11-30", ""),
        ("GET", "/api/v1/quarantine", ""),
        ("GET", "/api/v1/sessions?month=2026-11", ""),
        ("GET", "/api/v1/fhir/Patient.ndjson", ""),
        ("GET", "/api/v1/fhir/Observation.ndjson", ""),
        ("GET", "/api/v1/fhir/Encounter.ndjson", ""),
        ("GET", "/api/v1/extracts/people.csv", ""),
        ("GET", "/api/v1/extracts/contacts.csv", ""),
        ("GET", "/api/v1/extracts/sessions.csv", ""),
        ("POST", "/api/v1/find", r#"{"text": "quillfeather"}"#),
        ("POST", "/api/v1/find", r#"{"text": "thistledown"}"#),
    ] {
        let headers = [
            ("Host", "x"),
            ("Authorization", token),
            ("Content-Type", "application/json"),
            ("Wayside-Reason", "to look for somebody"),
        ];
        // The views may be a moment behind what was just synced.
        let mut answer = door.ask(&http(method, path, &headers, body.as_bytes()));
        while answer.code() == "behind" {
            answer = door.ask(&http(method, path, &headers, body.as_bytes()));
        }
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        all += &answer.text();
    }
    all
}

#[test]
fn who_was_erased_is_in_nothing_that_leaves_and_in_no_log() {
    let (mut field, [van, lost]) = Field::with(programs!(), ["van", "lost"]);
    let (data, log) = (field.dir.path().join("base"), field.dir.path().join("base.log"));
    let base = Base::open(&data, Clock::default()).unwrap();
    accounts::add(&base, "ada", Role::Administrator, "correct horse battery").unwrap();
    let wish = Wish { account: "ada".into(), name: "test".into(), scopes: Scope::ALL.to_vec(), days: 1 };
    let token = format!("Bearer {}", accounts::issue(&base, "test", &wish).unwrap());
    let certificate = fs::read(data.join("keys/tls.crt")).unwrap();
    let door =
        Door { addr: field.address(), certificate: Some(certificate), versions: rustls::DEFAULT_VERSIONS };

    let contact = van.record(&[seen(GONE, 152), seen(STAYS, 118)]).remove(0);
    van.sync();
    lost.sync();
    let person = van.json(&["show", &contact])["person"].as_str().unwrap().to_owned();
    // What a revoked tablet hands over is kept whole, and says their name as well.
    lost.ok(&["edit", &person, "--set", &format!("email={GONE}.2@example.org")]);
    field.wayside_text(&["tablet", "revoke", "lost"]);
    assert_eq!(lost.refused(&["sync"])["code"], "tablet_wiped");
    let extract = |to: &str| {
        let to = field.dir.path().join(to);
        field.wayside_text(&["extract", "--to", to.to_str().unwrap(), "--reason", "to look for somebody"]);
        to
    };
    while !exported(&door, &token).contains(GONE) {}
    let before = extract("before");
    assert!(!files_with(&before, GONE).is_empty() && !files_with(&data, GONE).is_empty());

    field.wayside_text(&["erase", &person, "--reason", "Asked to be forgotten", "--yes"]);
    let names = |text: &str| [text.contains(GONE), text.contains(&GONE.to_lowercase())];
    let after = extract("after");
    while exported(&door, &token).contains(GONE) {}
    let told = exported(&door, &token);
    assert_eq!(names(&told), [false; 2], "{told}");
    assert!(told.contains(STAYS), "and nobody else");
    for (dir, what) in [(&data, "the server"), (&after, "an extract")] {
        for planted in [GONE, &GONE.to_lowercase(), &GONE.to_uppercase()] {
            assert_eq!(files_with(dir, planted), Vec::<std::path::PathBuf>::new(), "{what}");
        }
        assert!(!files_with(dir, STAYS).is_empty(), "{what} has the other");
    }
    for act in [field.wayside_json(&["audit"]).to_string(), fs::read_to_string(&log).unwrap()] {
        assert_eq!(names(&act), [false; 2], "{act}");
        assert_eq!([act.contains(STAYS), act.contains("900123")], [false; 2], "{act}");
    }
    assert!(fs::read_to_string(&log).unwrap().contains("listening"), "something was logged");

    is_wiped(&lost.dir);
    assert_eq!(files_with(&lost.dir, GONE), Vec::<std::path::PathBuf>::new());
    let forgets = |tablet: &TabletCli| {
        tablet.sync();
        assert_eq!(tablet.json(&["search", GONE]), json!([]));
        let all = tablet.json(&["list"]).to_string();
        assert!(!all.contains(GONE) && all.contains(STAYS), "{all}");
    };
    forgets(&van);
    field.stop_server();
}
