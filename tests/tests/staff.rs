//! Staff on a tablet without signal: the list comes from base by sync, PINs are checked here, a lock holds, and a
//! coordinator's code, read out over the telephone, lets its member in. None of it touches what was recorded.

use std::{
    io::Write,
    process::{Output, Stdio},
};

use serde_json::{Value, json};
use wayside_tests::{
    field::{Field, TabletCli},
    programs,
};

fn line(staff: &str) -> Value {
    json!({
        "session": {"site": "Masjid Al-Noor", "date": "2026-11-20", "setting": "pop_up"},
        "person": {"name": {"given": "Amina", "family": "Khan"}, "nhs_number": "999 000 0018"},
        "contact": {"started_at": "2026-11-20T13:05:00Z", "bp": {"readings": [
            {"taken_at": "2026-11-20T13:06:00Z", "systolic": 152, "diastolic": 94, "by": staff}]}},
    })
}

/// A command whose first line of input is a PIN.
fn typing(tablet: &TabletCli, args: &[&str], pin: &str) -> Output {
    let mut command = tablet.command(args);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("wayside-tablet starts");
    writeln!(child.stdin.take().expect("its input"), "{pin}").expect("a line");
    child.wait_with_output().expect("wayside-tablet ends")
}

fn signs_in(tablet: &TabletCli, member: &str, pin: &str) -> Result<Value, Value> {
    let output = typing(tablet, &["sign-in", member, "--json"], pin);
    let (good, said) =
        (output.status.success(), if output.status.success() { output.stdout } else { output.stderr });
    let said = serde_json::from_slice(&said).expect("one JSON object");
    if good { Ok(said) } else { Err(said) }
}

fn at_base(field: &Field, line: &[&str]) -> String {
    field.wayside_text(&[line, &["--team", "Leeds East"]].concat())
}

#[test]
fn a_member_who_forgot_their_pin_is_let_in_by_base_without_signal_and_loses_nothing() {
    let mut field = Field::new(programs!());
    field.serve();
    field.wayside_text(&["team", "add", "Leeds East"]);
    let amira = at_base(&field, &["staff", "add", "Amira", "--role", "nurse"]);
    let bela = at_base(&field, &["staff", "add", "Bela"]);
    let (pin, belas) =
        (at_base(&field, &["staff", "pin", "Amira"]), at_base(&field, &["staff", "pin", "Bela"]));
    let van = field.enrolled("van", "Leeds East");
    // Before the first sync the list has not come: staff type who they are.
    assert_eq!(van.json(&["staff"]), json!([]));
    van.ok(&["sync"]);
    let staff = van.json(&["staff"]);
    assert_eq!(
        (&staff[0]["name"], &staff[1]["name"], &staff[0]["has_pin"]),
        (&json!("Amira"), &json!("Bela"), &json!(true))
    );

    // No signal from here on.
    field.stop_server();
    assert_eq!(signs_in(&van, &amira, &pin).expect("the right PIN")["name"], "Amira");
    let recorded = van.record(&[line(&amira)]);
    let (ids, _) = van.record_with(&["--staff", &amira], &[line(&amira)]);
    let waiting = van.json(&["status"])["waiting"].clone();
    assert!(waiting.as_u64().is_some_and(|waiting| waiting > 0));

    // Each command is a process of its own: what is counted has to be on disk.
    let wrong = if pin == "907352" { "907353" } else { "907352" };
    for left in [4, 3, 2, 1] {
        let refused = signs_in(&van, &amira, wrong).expect_err("a wrong PIN");
        assert_eq!((&refused["code"], &refused["tries_left"]), (&json!("pin_wrong"), &json!(left)));
    }
    let refused = signs_in(&van, &amira, wrong).expect_err("a wrong PIN");
    assert_eq!((&refused["code"], &refused["locked_seconds"]), (&json!("staff_locked"), &json!(1200)));
    assert_eq!(signs_in(&van, &amira, &pin).expect_err("locked")["code"], "staff_locked");
    assert!(van.json(&["staff"])[0]["locked_until"].is_string());
    signs_in(&van, &bela, &belas).expect("somebody else is not affected");

    // By telephone: the digits one way, the code the other.
    let digits = van.ok(&["unlock", &amira]);
    let answer = at_base(&field, &["staff", "unlock", "Amira", &digits]);
    let (code, tablet) = answer.split_once('\t').expect("a code and a tablet");
    assert_eq!((code.len(), tablet), (8, "van"));
    let output = typing(&van, &["unlock", &bela, "--code", code], "604173");
    assert!(!output.status.success(), "a code for one member lets in no other");
    let output = typing(&van, &["unlock", &amira, "--code", code], "604173");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    signs_in(&van, &amira, "604173").expect("the new PIN");
    assert_eq!(signs_in(&van, &amira, &pin).expect_err("the forgotten PIN")["code"], "pin_wrong");

    // All that was recorded is there and goes to base.
    assert_eq!(van.json(&["status"])["waiting"], waiting);
    field.serve();
    let report = van.json(&["sync"]);
    assert_eq!((&report["in_sync"], &report["accepted"]), (&json!(true), &waiting));
    for id in recorded.iter().chain(&ids) {
        assert_eq!(field.wayside_json(&["show", id])["id"], json!(id));
    }
    assert_eq!(field.wayside_json(&["show", &ids[0]])["created"]["by"], json!(amira));
    // The PIN that base sets next replaces the one chosen on the tablet.
    let next = at_base(&field, &["staff", "pin", "Amira"]);
    signs_in(&van, &amira, "604173").expect("until the tablet hears of it");
    van.ok(&["sync"]);
    signs_in(&van, &amira, &next).expect("base's new PIN");

    // What a PIN is checked against is in nothing that either side prints.
    let team_id = van.json(&["status"])["teams"][0]["id"].as_str().expect("an id").to_owned();
    let printed = [
        van.ok(&["show", &team_id]),
        van.ok(&["list", "--json"]),
        van.ok(&["history", &team_id, "--json"]),
        van.ok(&["staff", "--json"]),
        field.wayside_text(&["show", &team_id]),
        field.wayside_text(&["list", "--json"]),
        at_base(&field, &["team", "show", "--json"]),
    ];
    for printed in &printed {
        assert!(!printed.contains("argon2") && !printed.contains(&next), "{printed}");
    }
    assert!(printed[0].contains("has_pin"));
}
