//! The commands as somebody at a terminal has them, without a server.

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};

struct Ran {
    code: u8,
    out: String,
    err: String,
}

impl Ran {
    fn json(&self) -> Value {
        assert_eq!((self.code, self.err.as_str()), (0, ""));
        serde_json::from_str(&self.out).unwrap()
    }

    /// The one object on standard error.
    fn refused(&self) -> Value {
        assert_eq!(self.code, 1, "{}", self.out);
        let refused: Value = serde_json::from_str(&self.err).unwrap();
        assert!(refused["message"].is_string() && refused["retry"].is_boolean());
        refused["code"].clone()
    }
}

fn run(dir: &Path, args: &[&str]) -> Ran {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let before = [OsString::from("wayside-tablet"), "--dir".into(), dir.into()];
    let args = before.into_iter().chain(args.iter().map(OsString::from));
    let code = super::run(args, &mut out, &mut err);
    Ran { code, out: String::from_utf8(out).unwrap(), err: String::from_utf8(err).unwrap() }
}

fn line(systolic: i64) -> Value {
    json!({
        "session": {"site": "Masjid Al-Noor", "date": "2026-11-20"},
        "person": {"name": {"given": "Amina", "family": "Khan"}},
        "contact": {"started_at": "2026-11-20T13:05:00Z", "bp": {"readings":
            [{"taken_at": "2026-11-20T13:06:00Z", "systolic": systolic, "diastolic": 94}]}}
    })
}

fn lines(dir: &Path, lines: &[String]) -> PathBuf {
    let file = dir.join("lines");
    fs::write(&file, lines.join("\n")).unwrap();
    file
}

#[test]
fn a_bad_line_is_named_and_the_rest_recorded() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("tablet");
    let all =
        [line(152).to_string(), String::new(), line(900).to_string(), "{".into(), line(130).to_string()];
    let file = lines(home.path(), &all);
    let ran = run(&dir, &["record", file.to_str().unwrap(), "--staff", "nurse-07"]);
    assert_eq!((ran.code, ran.out.lines().count()), (1, 2));
    let errors: Vec<Value> = ran.err.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&errors[0]["line"], &errors[0]["code"]), (&json!(3), &json!("out_of_range")));
    assert!(errors[0]["path"].as_str().unwrap().ends_with("systolic"));
    assert_eq!((&errors[1]["line"], &errors[1]["code"]), (&json!(4), &json!("bad_json")));

    let contact = ran.out.lines().next().unwrap();
    let shown = run(&dir, &["show", contact, "--json"]).json();
    assert_eq!(
        (&shown["created"]["by"], &shown["derived"]["category"]),
        (&json!("nurse-07"), &json!("HIGH"))
    );
    let reading = shown["bp"]["readings"].as_object().unwrap().keys().next().unwrap().clone();
    let corrected =
        run(&dir, &["correct", contact, &reading, "--set", "systolic=125", "--reason", "slip", "--json"]);
    let entry = corrected.json()["entry"].as_str().unwrap().to_owned();
    assert_eq!(run(&dir, &["show", contact, "--json"]).json()["derived"]["systolic"], 125);
    assert_eq!(run(&dir, &["strike-out", contact, &entry, "--reason", "wrong person"]).out, "Struck out.\n");
    assert_eq!(run(&dir, &["edit", contact, "--set", "satisfaction=5", "reason=walk_up"]).out, "Saved.\n");
    let session = shown["session"].as_str().unwrap();
    assert_eq!(run(&dir, &["tally", session, "leaflets", "-3", "--json"]).json()["n"], -3);

    let status = run(&dir, &["status", "--json"]).json();
    assert_eq!((&status["records"]["contact"], &status["in_sync"]), (&json!(2), &json!(false)));
    assert!(run(&dir, &["status"]).out.contains("waiting: nobody at base can see them yet."));
    assert_eq!(run(&dir, &["list", "--kind", "person", "--json"]).json().as_array().unwrap().len(), 2);
    assert_eq!(run(&dir, &["search", "KHAN", "amina"]).out.lines().count(), 2);
}

#[test]
fn what_did_not_happen_is_one_object_on_standard_error() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("tablet");
    let ran = run(&dir, &["sync", "--json"]);
    assert_eq!(ran.refused(), "not_enrolled");
    let report: Value = serde_json::from_str(&ran.out).unwrap();
    let mut keys: Vec<&str> = report.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    let expected = [
        "accepted",
        "bytes_down",
        "bytes_up",
        "error",
        "exchanges",
        "frames_again",
        "in_sync",
        "notices",
        "pulled",
        "pushed",
        "quarantined",
        "retry_after",
    ];
    assert_eq!(keys, expected);
    assert_eq!(run(&dir, &["enrol", "wayside1-nonsense"]).refused(), "code_malformed");
    assert_eq!(run(&dir, &["show", "nobody"]).refused(), "bad_id");
    assert_eq!(run(&dir, &["show", "0190b3f2-6c1a-7cde-8f00-2a6b1c9d4e5f"]).refused(), "record_not_found");
    assert_eq!(run(&dir, &["show"]).refused(), "bad_arguments");
    assert_eq!(run(&dir, &["list", "--kind", "horse"]).refused(), "bad_arguments");
    assert_eq!(run(&dir, &["--help"]).code, 0);
}

#[test]
fn the_key_lies_beside_the_records_and_is_never_made_again() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("tablet");
    let key = home.path().join("tablet.key");
    run(&dir, &["status", "--json"]).json();
    let text = fs::read_to_string(&key).unwrap();
    assert_eq!(text.trim().len(), 64);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    }
    fs::rename(&key, home.path().join("elsewhere")).unwrap();
    assert_eq!(run(&dir, &["status"]).refused(), "key_file_invalid");
    assert!(!key.exists());
    fs::write(&key, "ab".repeat(32)).unwrap();
    assert_eq!(run(&dir, &["status"]).refused(), "wrong_key");
    let elsewhere = home.path().join("elsewhere");
    run(&dir, &["--key-file", elsewhere.to_str().unwrap(), "status", "--json"]).json();
    assert_eq!(fs::read_to_string(&key).unwrap(), "ab".repeat(32));
}

#[test]
fn a_contact_is_guided_and_told_in_words() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("tablet");
    let file = lines(home.path(), &[line(182).to_string()]);
    let contact = run(&dir, &["record", file.to_str().unwrap()]).out.trim().to_owned();
    let next = run(&dir, &["next", &contact]);
    assert!(next.out.starts_with("Very high reading. Ask now"), "{}", next.out);
    assert!(next.out.contains("  - Chest pain\n"), "{}", next.out);
    assert_eq!(run(&dir, &["next", &contact, "--json"]).json()["code"], "ask_red_flags");

    let card = run(&dir, &["card", &contact]).out;
    assert!(card.starts_with("Your blood pressure\n182 over 94\nThis reading is very high."), "{card}");
    assert!(card.contains("For staff: Nobody at base can see this. Phone now"), "{card}");
    let card = run(&dir, &["card", &contact, "--language", "../../etc/passwd", "--json"]).json();
    assert_eq!((&card["systolic"], &card["words"][1]), (&json!(182), &json!("182 over 94")));
    assert!(run(&dir, &["health-check", &contact]).out.starts_with("1 of 4\n"));

    let call = r#"{"outcome": "reached", "spoke_to": "the practice"}"#;
    let entry = run(&dir, &["--staff", "nurse-07", "add", &contact, "calls", call]).out.trim().to_owned();
    let shown = run(&dir, &["show", &contact, "--json"]).json();
    assert_eq!(shown["calls"][&entry]["by"], "nurse-07");
    let person = shown["person"].as_str().unwrap();
    let story = run(&dir, &["timeline", person]).out;
    assert!(story.contains("Telephone call: reached  nurse-07\n    Spoke to the practice\n"), "{story}");
    assert!(run(&dir, &["history", person]).out.contains("name/family: nothing -> \"Khan\""));
    assert_eq!(run(&dir, &["half-done"]).out.lines().count(), 1);
    assert_eq!(run(&dir, &["park", &contact]).out, "Parked.\n");
    assert!(run(&dir, &["half-done"]).out.contains("Masjid Al-Noor  Amina Khan  Very high reading"));
    assert_eq!(run(&dir, &["resume", &contact]).out, "Taken up again.\n");
    assert_eq!(run(&dir, &["due"]).out, "Nothing is due.\n");

    assert_eq!(run(&dir, &["add", &contact, "calls", "{"]).refused(), "bad_json");
    assert_eq!(run(&dir, &["add", &contact, "calls", r#"{"outcome": "sang"}"#]).refused(), "unknown_value");
    assert_eq!(run(&dir, &["park", person]).refused(), "wrong_kind");
    assert_eq!(run(&dir, &["due", "--on", "soon"]).refused(), "bad_arguments");
    assert_eq!(run(&dir, &["check-person", "/nowhere"]).refused(), "bad_arguments");
}
