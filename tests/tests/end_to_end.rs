//! The main job by hand, through the programs as people have them: record offline, sync, list.

#![allow(clippy::unwrap_used)]

use std::{
    collections::BTreeSet,
    fs,
    net::{SocketAddr, TcpStream},
    sync::Arc,
    thread,
    time::Duration,
};

use rustls::{
    ClientConfig, ClientConnection, RootCertStore, Stream,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use serde_json::{Value, json};
use wayside_server::Tls;
use wayside_tests::{
    field::{Field, ids, lines},
    nodes::Node,
    programs, seeds,
};

/// One line with a first reading of these values.
fn reading(systolic: i64, diastolic: i64) -> Value {
    json!({
        "session": {"site": "Masjid Al-Noor", "date": "2026-11-20", "setting": "pop_up"},
        "person": {"name": {"given": "Amina", "family": "Khan"}, "date_of_birth": "1968-02-03",
                   "nhs_number": "999 000 0018", "ethnic_category": "J"},
        "contact": {"started_at": "2026-11-20T13:05:00Z", "reason": "walk_up", "check_type": "bp_only",
            "bp": {"readings": [{"taken_at": "2026-11-20T13:06:00Z", "systolic": systolic, "diastolic": diastolic,
                                 "pulse": 71, "arm": "left", "position": "sitting", "setting": "clinic"}]}}
    })
}

fn values(conflict: &Value) -> BTreeSet<String> {
    conflict["values"].as_array().unwrap().iter().map(|value| value["value"].to_string()).collect()
}

fn conflict<'a>(record: &'a Value, path: &str) -> &'a Value {
    let conflicts = record["conflicts"].as_array().unwrap();
    conflicts
        .iter()
        .find(|conflict| conflict["path"] == path)
        .unwrap_or_else(|| panic!("no conflict at {path}"))
}

#[test]
fn two_hundred_contacts_recorded_offline_arrive_and_conflicts_show_everywhere() {
    let (mut field, tablets) = Field::with(programs!(), ["left", "right"]);
    let [left, right] = &tablets;

    // A contact that both tablets know.
    let shared = left.record(&[reading(152, 94)]).remove(0);
    left.sync();
    right.sync();
    let person = right.json(&["show", &shared])["person"].as_str().unwrap().to_owned();

    field.stop_server();
    let recorded = left.record(&lines(11, "left", 200));
    assert_eq!(recorded.len(), 200);
    let status = left.json(&["status"]);
    assert!(status["waiting"].as_u64().unwrap() >= 300, "{status}");
    assert_eq!(status["in_sync"], false);
    let error = left.refused(&["sync"]);
    assert_eq!(error["code"], "server_unreachable");
    assert_eq!(error["retry"], true);

    for (tablet, satisfaction, family) in
        [(left, "satisfaction=2", "Kahn"), (right, "satisfaction=5", "Cann")]
    {
        tablet.ok(&["--staff", &format!("nurse-{}", tablet.name), "edit", &shared, "--set", satisfaction]);
        tablet.ok(&["edit", &person, "--set", &format!("name/family={family}")]);
    }

    field.serve();
    let pushed = left.sync();
    assert_eq!(pushed["accepted"], pushed["pushed"]);
    assert_eq!(pushed["quarantined"], 0);
    right.sync();
    assert_eq!(left.sync()["in_sync"], true);
    assert_eq!(right.sync()["in_sync"], true);

    for id in [&shared, &person] {
        let on_left = left.json(&["show", id]);
        assert_eq!(on_left, right.json(&["show", id]), "both tablets show the same record");
        assert_eq!(on_left, field.wayside_json(&["show", id]), "and so does base");
    }
    let contact = field.wayside_json(&["show", &shared]);
    let satisfaction = conflict(&contact, "satisfaction");
    assert_eq!(values(satisfaction), BTreeSet::from(["2".into(), "5".into()]));
    let by: BTreeSet<_> =
        satisfaction["values"].as_array().unwrap().iter().map(|v| v["by"].as_str().unwrap()).collect();
    assert_eq!(by, BTreeSet::from(["nurse-left", "nurse-right"]));
    let names = field.wayside_json(&["show", &person]);
    assert_eq!(
        values(conflict(&names, "name/family")),
        BTreeSet::from([r#""Kahn""#.into(), r#""Cann""#.into()])
    );

    let listed = ids(&field.wayside_json(&["list", "--kind", "contact"]));
    for id in recorded.iter().chain([&shared]) {
        assert!(listed.contains(id.as_str()), "{id} is in the views");
    }
    assert_eq!(listed.len(), 201);

    // Settled where it is shown, it is settled for everybody.
    right.ok(&["edit", &person, "--set", "name/family=Khan"]);
    right.sync();
    left.sync();
    assert_eq!(left.json(&["show", &person])["conflicts"], json!([]));
    assert_eq!(left.json(&["show", &person])["name"]["family"], "Khan");
}

#[test]
fn two_corrections_of_one_reading_stand_side_by_side() {
    let (field, tablets) = Field::with(programs!(), ["left", "right"]);
    let [left, right] = &tablets;
    let contact = left.record(&[reading(125, 94)]).remove(0);
    left.sync();
    right.sync();
    let shown = left.json(&["show", &contact]);
    let reading = shown["bp"]["readings"].as_object().unwrap().keys().next().unwrap().clone();
    left.ok(&["correct", &contact, &reading, "--set", "systolic=152", "--reason", "misread"]);
    right.ok(&["correct", &contact, &reading, "--set", "systolic=182", "--reason", "misheard"]);
    for tablet in [left, right, left] {
        tablet.sync();
    }
    let shown = field.wayside_json(&["show", &contact]);
    assert_eq!(shown, left.json(&["show", &contact]));
    let path = format!("bp/readings/{reading}");
    assert_eq!(conflict(&shown, &path)["values"].as_array().unwrap().len(), 2);
    assert_eq!(shown["bp"]["readings"].as_object().unwrap().len(), 3, "the original stays");
    left.ok(&["correct", &contact, &reading, "--set", "systolic=152", "--reason", "asked both"]);
    left.sync();
    assert_eq!(field.wayside_json(&["show", &contact])["conflicts"], json!([]));
}

#[test]
fn a_very_high_reading_stands_in_the_worklist_as_same_day() {
    let (field, tablets) = Field::with(programs!(), ["van"]);
    let contact = tablets[0].record(&[reading(128, 79), reading(185, 100), reading(152, 94)]).remove(1);
    tablets[0].sync();
    let worklist = field.wayside_json(&["worklist"]);
    let first = &worklist.as_array().unwrap()[0];
    assert_eq!(first["contact"], json!(contact));
    assert_eq!(first["category"], "VERY_HIGH");
    assert_eq!(first["urgency"], "same_day");
    assert_eq!(first["actions"], json!(["GP_SAME_DAY"]));
    assert_eq!(worklist.as_array().unwrap().len(), 2, "the normal one is not work");
}

#[test]
fn a_reading_beyond_the_limit_is_refused_at_entry_and_the_rest_is_recorded() {
    let field = Field::new(programs!());
    let tablet = field.tablet("van");
    let (ids, output) =
        tablet.record_with(&[], &[reading(120, 80), reading(301, 100), reading(69, 45), reading(130, 85)]);
    assert_eq!(ids.len(), 2, "lines 1 and 4");
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("300") && said.contains("out_of_range"), "{said}");
    assert!(said.contains("confirm_unusual"), "{said}");
    assert_eq!(tablet.json(&["status"])["records"]["contact"], 2, "recorded before it is enrolled");
}

#[test]
fn past_the_tablets_check_it_is_quarantined_and_the_other_199_arrive() {
    let (field, tablets) = Field::with(programs!(), ["van"]);
    let van = &tablets[0];
    let mut day = lines(12, "van", 200);
    day[57]["contact"]["bp"] = reading(301, 100)["contact"]["bp"].clone();
    let (recorded, output) = van.record_with(&["--unchecked"], &day);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(recorded.len(), 200);
    let report = van.sync();
    assert_eq!(report["quarantined"], 1);
    assert_eq!(report["in_sync"], false);
    assert_eq!(van.json(&["status"])["quarantined"], 1);

    let quarantine = field.wayside_json(&["quarantine"]);
    let [held] = &quarantine.as_array().unwrap()[..] else { panic!("one in quarantine: {quarantine}") };
    assert_eq!(held["code"], "out_of_range");
    assert_eq!(held["record"], json!(recorded[57]));
    assert!(held["message"].as_str().unwrap().contains("300"), "{held}");
    let listed = ids(&field.wayside_json(&["list", "--kind", "contact"]));
    assert_eq!(listed.len(), 199);
    assert!(recorded.iter().enumerate().all(|(i, id)| listed.contains(id.as_str()) == (i != 57)));
    // Staff see it too, with what it held.
    let shown = van.json(&["show", &recorded[57]]);
    assert_eq!(shown["quarantined"][0]["code"], "out_of_range");
    // And it keeps nothing else back.
    van.record(&[reading(140, 90)]);
    assert_eq!(van.sync()["accepted"], 2);
}

#[test]
fn every_command_says_what_was_wrong_as_one_json_object() {
    let mut field = Field::new(programs!());
    let tablet = field.tablet("van");
    assert_eq!(tablet.refused(&["sync"])["code"], "not_enrolled");
    assert_eq!(tablet.refused(&["show", "0190b3f2-6c1a-7cde-8f00-2a6b1c9d4e5f"])["code"], "record_not_found");
    assert_eq!(tablet.refused(&["show", "nobody"])["code"], "bad_id");
    assert_eq!(tablet.refused(&["enrol", "not-a-code"])["code"], "code_malformed");
    field.serve();
    field.wayside_text(&["team", "add", "Leeds East"]);
    let code = field.wayside_text(&["enrol-code", "--team", "Leeds East"]);
    tablet.ok(&["enrol", &code]);
    assert_eq!(field.tablet("other").refused(&["enrol", &code])["code"], "code_used");
    for (args, expected) in [
        (&["team", "add", "Leeds East"][..], "team_exists"),
        (&["enrol-code", "--team", "Nowhere"], "team_unknown"),
        (&["show", "0190b3f2-6c1a-7cde-8f00-2a6b1c9d4e5f"], "record_not_found"),
    ] {
        let output = field.wayside(args);
        assert_eq!(output.status.code(), Some(1));
        let error: Value = serde_json::from_slice(&output.stderr).expect("one JSON object on standard error");
        assert_eq!(error["code"], expected);
    }
}

#[test]
fn views_deleted_come_back_the_same() {
    let (mut field, tablets) = Field::with(programs!(), ["van"]);
    tablets[0].record(&lines(13, "van", 30));
    tablets[0].sync();
    let before = (field.wayside_json(&["list"]), field.wayside_json(&["worklist"]));
    field.stop_server();
    for file in std::fs::read_dir(field.dir.path().join("base")).unwrap().map(|file| file.unwrap().path()) {
        if file.file_name().unwrap().to_string_lossy().starts_with("views.db") {
            std::fs::remove_file(file).unwrap();
        }
    }
    assert_eq!((field.wayside_json(&["list"]), field.wayside_json(&["worklist"])), before);
}

/// How many certificates a server shows to whoever connects and trusts this one.
fn shown(addr: SocketAddr, trusted: &[u8]) -> usize {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(trusted).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let mut client = ClientConnection::new(Arc::new(config), ServerName::from(addr.ip())).unwrap();
    let mut socket = TcpStream::connect(addr).unwrap();
    let mut stream = Stream::new(&mut client, &mut socket);
    std::io::Write::write_all(&mut stream, b"\r\n").unwrap();
    client.peer_certificates().unwrap().len()
}

/// A renewed certificate, as whoever renews it puts it there: for the same key, and here told apart by the chain that it
/// comes with. The server goes on all the while, and tablets trust it as before.
#[test]
fn a_renewed_certificate_is_taken_when_the_server_is_told_and_by_itself() {
    let programs = programs!();
    let dir = tempfile::tempdir().unwrap();
    let made = |name: &str| {
        Tls::open(&dir.path().join(name), None, None).unwrap();
        fs::read(dir.path().join(name).join("keys/tls.crt")).unwrap()
    };
    let (own, others) = (made("own"), [made("one"), made("two")]);
    let (cert, key) = (dir.path().join("tls.crt"), dir.path().join("own/keys/tls.key"));
    fs::write(&cert, &own).unwrap();
    let place = |path: &std::path::Path| path.display().to_string();
    let files = ["--tls-cert".into(), place(&cert), "--tls-key".into(), place(&key)];
    let mut node = Node::new(&programs.server, &dir.path().join("base"), files.to_vec());
    node.start().unwrap();
    let addr = node.addr().unwrap();
    assert_eq!(shown(addr, &own), 1);
    let until = |wanted: usize| {
        while shown(addr, &own) != wanted {
            thread::sleep(Duration::from_millis(20));
        }
    };
    fs::write(&cert, [own.as_slice(), &others[0]].concat()).unwrap();
    assert_eq!(shown(addr, &own), 1, "not before it looks");
    node.hang_up().unwrap();
    until(2);
    // Half a file changes nothing, and neither does another key's.
    for wrong in [&own[..own.len() / 2], &others[1]] {
        fs::write(&cert, wrong).unwrap();
        node.hang_up().unwrap();
        assert_eq!(shown(addr, &own), 2);
    }
    fs::write(&cert, [own.as_slice(), &others[0], &others[1]].concat()).unwrap();
    // Without a word it takes a minute, for which only the long run waits.
    if seeds::seeds(1).len() == 1 {
        node.hang_up().unwrap();
    }
    until(3);
    node.stop().unwrap();
    // Told in the moment in which it listens, it goes on all the same.
    for _ in 0..5 {
        node.start().unwrap();
        node.hang_up().unwrap();
        assert_eq!(shown(node.addr().unwrap(), &own), 3);
        node.stop().unwrap();
    }
}
