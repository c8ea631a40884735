use serde_json::{Value, json};
use wayside_protocol::record::Kind;
use wayside_protocol::sync::EnrolmentCode;

use super::run;
use crate::testing::Site;

/// Runs one command line: exit code, standard output, standard error.
fn wayside(line: &[&str]) -> (u8, String, String) {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let args = ["wayside"].iter().chain(line).map(|arg| arg.into());
    let code = run(args, &mut out, &mut err);
    (code, String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
}

fn ok(line: &[&str]) -> String {
    let (code, out, err) = wayside(line);
    assert_eq!((code, err.as_str()), (0, ""), "{line:?}");
    out
}

fn refused(line: &[&str]) -> String {
    let (code, out, err) = wayside(line);
    assert_eq!((code, out.as_str()), (1, ""), "{line:?}");
    let error: Value = serde_json::from_str(&err).unwrap();
    assert!(error["message"].is_string() && error["retry"].is_boolean());
    error["code"].as_str().unwrap().to_owned()
}

#[test]
fn everything_is_shown_beside_a_server_that_has_the_directory_open() {
    let site = Site::new();
    let data = site.dir.path().to_str().unwrap();
    let tablet = site.tablet();
    let person = tablet.begin(Kind::Person, json!({"name": {"given": "Amina\u{1b}[2J", "family": "Khan"}})).1;
    let bad = tablet.begin(Kind::Person, json!({"sex": 1})).1;
    let contact = json!({"session": person.0.to_string(), "started_at": "2026-11-20T13:05:00Z",
        "person": person.0.to_string(),
        "bp": {"readings": [{"taken_at": "2026-11-20T13:06:00Z", "systolic": 190, "diastolic": 124}]}});
    let contact = tablet.begin(Kind::Contact, contact).1;
    tablet.push(&site, &[person.clone(), bad, contact.clone()]);

    let read = |line: &[&str]| -> Value {
        let text = ok(&[line, &["--json", "--data", data]].concat());
        assert_eq!(text.lines().count(), 1);
        serde_json::from_str(&text).unwrap()
    };
    let shown = read(&["show", &person.0.to_string()]);
    assert_eq!((&shown["name"]["family"], &shown["team"]), (&json!("Khan"), &json!(site.team.to_string())));
    assert_eq!(read(&["list", "--kind", "person"]), json!([shown]));
    assert_eq!(read(&["search", "khan"]), json!([shown]));
    assert_eq!(read(&["list"]), read(&["show", "list"]));
    let worklist = read(&["worklist"]);
    let keys: Vec<_> = worklist[0].as_object().unwrap().keys().cloned().collect();
    assert_eq!(keys, ["actions", "category", "contact", "person", "urgency", "why"]);
    assert_eq!(worklist[0]["person"], person.0.to_string());
    assert_eq!(worklist, read(&["show", "worklist"]));
    let quarantine = read(&["quarantine"]);
    assert_eq!((&quarantine[0]["code"], &quarantine[0]["values"]["sex"]), (&json!("wrong_type"), &json!(1)));
    assert_eq!(quarantine, read(&["show", "quarantine"]));

    // For people: the same without what a terminal would obey.
    for line in [vec!["show", &person.0.to_string()], vec!["list"], vec!["search", "amina"]] {
        let text = ok(&[&line[..], &["--data", data]].concat());
        assert!(text.contains("Khan") && !text.contains('\u{1b}'), "{text}");
    }
    assert!(ok(&["worklist", "--data", data]).contains(&contact.0.to_string()));
    assert!(ok(&["quarantine", "--data", data]).contains("wrong_type"));
}

#[test]
fn teams_and_codes() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().to_str().unwrap();
    let id = ok(&["team", "add", "North", "--data", data]);
    assert_eq!(id.trim().as_bytes()[14], b'7');
    assert_eq!(refused(&["team", "add", "North", "--data", data]), "team_exists");
    assert_eq!(refused(&["team", "add", " ", "--data", data]), "out_of_range");
    assert_eq!(refused(&["enrol-code", "--team", "North", "--data", data]), "missing_field");
    let code = |team| vec!["enrol-code", "--team", team, "--url", "https://base.example/", "--data", data];
    assert_eq!(refused(&code("South")), "team_unknown");
    let text = ok(&code("North"));
    assert_eq!(EnrolmentCode::parse(&text).unwrap().url, "https://base.example");
    let shown: Value = serde_json::from_str(&ok(&["show", id.trim(), "--json", "--data", data])).unwrap();
    assert_eq!((&shown["kind"], &shown["name"]), (&json!("team"), &json!("North")));
    assert_eq!(shown["created"]["by"], "server");
}

#[test]
fn what_was_asked_and_did_not_happen_is_said_in_json() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().to_str().unwrap();
    assert_eq!(refused(&["lost"]), "bad_arguments");
    assert_eq!(refused(&["show"]), "bad_arguments");
    // A mistyped directory does not become a server.
    assert_eq!(refused(&["list", "--data", data]), "storage_failed");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    let site = Site::new();
    let data = site.dir.path().to_str().unwrap();
    assert_eq!(refused(&["show", "somebody", "--data", data]), "bad_id");
    let nobody = "0190b3f2-6c1a-7cde-8f00-2a6b1c9d4e5f";
    assert_eq!(refused(&["show", nobody, "--data", data]), "record_not_found");
    assert_eq!(refused(&["list", "--kind", "people", "--data", data]), "unknown_value");
    assert_eq!(refused(&["serve", "--listen", "nowhere", "--data", data]), "bad_arguments");
    assert!(ok(&["--help"]).contains("enrol-code"));
}

#[test]
fn a_teams_staff_and_services_at_a_terminal() {
    let site = Site::new();
    let data = site.dir.path().to_str().unwrap();
    let of = |line: &[&str]| -> Vec<String> {
        [line, &["--team", "North", "--data", data]].concat().iter().map(|part| (*part).to_owned()).collect()
    };
    let said = |line: &[&str]| -> String {
        ok(&of(line).iter().map(String::as_str).collect::<Vec<_>>()).trim().to_owned()
    };
    let not = |line: &[&str]| -> String { refused(&of(line).iter().map(String::as_str).collect::<Vec<_>>()) };
    let id = said(&["staff", "add", "Amira Khan", "--role", "nurse"]);
    assert_eq!(not(&["staff", "add", "amira khan"]), "staff_exists");
    assert_eq!(said(&["staff", "list"]), format!("{id}\tAmira Khan\tnurse\tno pin"));
    let pin = said(&["staff", "pin", "amira khan"]);
    assert!(pin.len() == 6 && pin.bytes().all(|byte| byte.is_ascii_digit()), "{pin}");
    said(&["staff", "rename", &id, "Amira Shah"]);
    said(&["staff", "role", "Amira Shah", "lead"]);
    assert_eq!(said(&["staff", "list"]), format!("{id}\tAmira Shah\tlead\tpin"));
    said(&["staff", "deactivate", &id]);
    assert!(said(&["staff", "list"]).ends_with("left"));
    assert_eq!(not(&["staff", "unlock", &id, "0000000000"]), "challenge_unknown");
    said(&["staff", "activate", &id]);
    let tablet = site.tablet();
    let digits =
        wayside_protocol::staff::Challenge::new(&wayside_protocol::record::tablet_id(&tablet.public()), 5);
    let digits = digits.to_string();
    // As it was read out: in two groups.
    let (left, right) = digits.split_once(' ').unwrap();
    let codes: Value =
        serde_json::from_str(&said(&["staff", "unlock", "Amira Shah", left, right, "--json"])).unwrap();
    assert_eq!((codes[0]["code"].as_str().unwrap().len(), &codes[0]["tablet"]), (8, &json!("van tablet")));
    assert_eq!(not(&["staff", "pin", "Nobody"]), "staff_unknown");

    let service =
        said(&["service", "add", "Quit Leeds", "--kind", "stop_smoking", "--phone", "0113 496 0000"]);
    assert_eq!(not(&["service", "add", "x", "--kind", "astrology"]), "unknown_value");
    said(&["service", "edit", &service, "--hours", "Mondays"]);
    said(&["service", "deactivate", &service]);
    assert_eq!(
        said(&["service", "list"]),
        format!("{service}\tstop_smoking\tQuit Leeds\t0113 496 0000\tnot offered")
    );
    assert_eq!(not(&["service", "edit", "aaaaaaaa", "--hours", "x"]), "entry_not_found");
    said(&["team", "guide", "wait_seconds=90", "both_arms=false"]);
    for (wrong, code) in
        [("wait=1", "bad_arguments"), ("wait_seconds=-1", "out_of_range"), ("wait_seconds=x", "wrong_type")]
    {
        assert_eq!(not(&["team", "guide", wrong]), code, "{wrong}");
    }
    said(&["team", "add-group", "Taxi drivers"]);
    said(&["team", "lock-after", "10"]);
    let shown: Value = serde_json::from_str(&said(&["team", "show", "--json"])).unwrap();
    assert_eq!((&shown["guide"]["wait_seconds"], &shown["lock_minutes"]), (&json!(90), &json!(10)));
    assert_eq!(
        (&shown["services"][0]["hours"], &shown["plus_groups"]),
        (&json!("Mondays"), &json!(["Taxi drivers"]))
    );
    assert!(said(&["team", "show"]).contains("wait_seconds=90"));
    // What a PIN is checked against is in no line that anything here prints.
    let team = site.team.to_string();
    for line in [
        vec!["show", &team, "--json"],
        vec!["list", "--json"],
        vec!["search", "amira", "--json"],
        vec!["quarantine"],
    ] {
        let text = ok(&[&line[..], &["--data", data]].concat());
        assert!(!text.contains("argon2") && !text.contains(&pin), "{line:?}");
    }
    assert!(!shown.to_string().contains("argon2"));
}

#[test]
fn archive_erase_and_audit() {
    let site = Site::new();
    let data = site.dir.path().to_str().unwrap();
    let tablet = site.tablet();
    let person = tablet.begin(Kind::Person, json!({"name": {"given": "Amina\u{1b}[2J", "family": "Khan"}})).1;
    let id = person.0.to_string();
    tablet.push(&site, &[person]);
    // The command goes by the time of day, which is later than that of the tests.
    let dry = ok(&["archive", "--days", "1", "--dry-run", "--data", data]);
    let done = ok(&["archive", "--days", "1", "--data", data]);
    assert_eq!(dry.replace("Would leave", "Left"), done);
    assert!(ok(&["show", &id, "--data", data]).contains("Khan"));
    assert_eq!(refused(&["archive", "--days", "0", "--data", data]), "bad_arguments");
    let refuse =
        |id: &str, reason: &str| refused(&["erase", id, "--reason", reason, "--yes", "--data", data]);
    assert_eq!(refuse("amina", "Asked for it"), "bad_id");
    assert_eq!(refuse(&id, " "), "out_of_range");
    assert_eq!(refuse(&site.team.to_string(), "Asked for it"), "wrong_kind");
    let said = ok(&["erase", &id, "--reason", "Asked for it", "--yes", "--data", data]);
    assert!(said.contains("Khan") && said.contains("Erased.") && !said.contains('\u{1b}'), "{said}");
    assert_eq!(refused(&["show", &id, "--data", data]), "record_not_found");
    let trail: Value = serde_json::from_str(&ok(&["audit", "--json", "--data", data])).unwrap();
    let rows = trail.as_array().unwrap();
    let shown = rows.iter().find(|row| row["act"] == "command").unwrap();
    assert!(shown["who"].as_str().unwrap().starts_with("wayside show"), "{shown}");
    assert_eq!(shown["record"], json!(id), "who reads at the command line is written down, too");
    let last = rows.last().unwrap();
    assert_eq!(
        (&last["act"], &last["record"], &last["reason"]),
        (&json!("erase"), &json!(id), &json!("Asked for it"))
    );
    assert!(ok(&["audit", "--data", data]).contains("Asked for it"));
    let sound = ok(&["audit", "verify", "--data", data]);
    assert_eq!(sound, format!("{} rows, 0 faults.\n", rows.len()));
    let found: Value = serde_json::from_str(&ok(&["audit", "verify", "--json", "--data", data])).unwrap();
    assert_eq!(found, json!({"rows": rows.len(), "wrong": 0, "faults": [], "lost": []}));
    let forge = "DROP TRIGGER audit_is_never_updated; UPDATE audit SET who = 'nobody' WHERE place = 1";
    rusqlite::Connection::open(site.dir.path().join("log.db")).unwrap().execute_batch(forge).unwrap();
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let args = ["wayside", "audit", "verify", "--data", data];
    assert_eq!(run(args.iter().map(Into::into), &mut out, &mut err), 1);
    assert!(String::from_utf8(out).unwrap().starts_with("Row 1, or the one before it, was altered"));
    assert!(String::from_utf8(err).unwrap().contains("audit_broken"));
}

#[test]
fn reference_data_comes_in_from_a_file_and_is_listed() {
    let site = Site::new();
    let data = site.dir.path().to_str().unwrap();
    let file = site.dir.path().join("NSPL_TEST.csv");
    std::fs::write(&file, "pcds,doterm,lsoa21\nLS9 7TF,,E01999001\nLS9 7TG,,E01999002\n").unwrap();
    let file = file.to_str().unwrap();
    let said = ok(&["reference", "import", file, "--data", data]);
    assert!(said.starts_with("2 rows of postcodes are in, as \u{201c}NSPL_TEST\u{201d}"), "{said}");
    let listed: Value = serde_json::from_str(&ok(&["reference", "list", "--json", "--data", data])).unwrap();
    assert_eq!((&listed[0]["kind"], &listed[0]["rows"]), (&json!("postcodes"), &json!(2)));
    std::fs::write(file, "this is something else\n").unwrap();
    assert_eq!(refused(&["reference", "import", file, "--data", data]), "reference_unknown");
    assert_eq!(refused(&["reference", "import", "/nowhere", "--data", data]), "storage_failed");
}

#[test]
fn views_are_copied_beside_a_running_server() {
    let site = Site::new();
    let data = site.dir.path().to_str().unwrap();
    let tablet = site.tablet();
    tablet.push(&site, &[tablet.begin(Kind::Person, json!({"name": {"family": "Khan"}})).1]);
    let copy = site.dir.path().join("copy.db");
    let copy = copy.to_str().unwrap();
    assert!(ok(&["views", "copy", copy, "--data", data]).contains("2 changes behind"));
    assert_eq!(refused(&["views", "copy", copy, "--data", data]), "storage_failed", "it is there");
    assert_eq!(refused(&["views", "copy", "/tmp/x", "--data", "/nowhere"]), "storage_failed");
}

#[test]
fn extracts_are_written_once_for_their_owner_and_go_on_from_a_place() {
    use std::os::unix::fs::PermissionsExt;

    let site = Site::new();
    let data = site.dir.path().to_str().unwrap();
    let tablet = site.tablet();
    let push = |family: &str| {
        tablet.push(&site, &[tablet.begin(Kind::Person, json!({"name": {"family": family}})).1]);
    };
    push("=Khan");
    let dir = tempfile::tempdir().unwrap();
    let to = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let line = |to: &str, more: &[&str]| {
        let words = ["extract", "--to", to, "--reason", "a test", "--data", data];
        [&words[..], more].concat().iter().map(|word| (*word).to_owned()).collect::<Vec<_>>()
    };
    let words = |line: &[String]| ok(&line.iter().map(String::as_str).collect::<Vec<_>>());
    let refused = |line: &[String]| refused(&line.iter().map(String::as_str).collect::<Vec<_>>());
    let said = words(&line(&to("all"), &[]));
    assert!(said.starts_with("wayside-people.csv\t1\n") && said.lines().count() == 9, "{said}");
    let next = said.lines().last().unwrap().strip_prefix("next\t").unwrap();
    let path = dir.path().join("all/wayside-people.csv");
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(
        text.contains(",'=Khan,") && text.lines().last().unwrap().starts_with(&format!("end,{next},")),
        "{text}"
    );
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    // Nothing is written over, and what refers to it stays.
    assert_eq!(refused(&line(&to("all"), &[])), "storage_failed");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
    for (bad, code) in [
        (&["../people"][..], "unknown_value"),
        (&["--after", "x"], "cursor_invalid"),
        (&["--recipient", "nobody"], "recipient_unknown"),
    ] {
        assert_eq!(refused(&line(&to("bad"), bad)), code, "{bad:?}");
    }
    assert!(!dir.path().join("bad").exists());
    push("Begum");
    assert!(words(&line(&to("next"), &["people", "--after", next])).starts_with("wayside-people.csv\t1\n"));
    let text = std::fs::read_to_string(dir.path().join("next/wayside-people.csv")).unwrap();
    assert!(text.contains("Begum") && !text.contains("Khan"));
    let told = "the recipient's own/../name";
    assert_eq!(ok(&["recipient", "add", told, "--data", data]).trim(), "1");
    words(&line(&to("shared"), &["--recipient", told]));
    let mut names: Vec<_> =
        std::fs::read_dir(dir.path().join("shared")).unwrap().map(|file| file.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names.len(), 7);
    assert!(names.iter().all(|name| name.to_str().unwrap().ends_with("-pseudonymised.csv")));
    let text = std::fs::read_to_string(dir.path().join("shared/wayside-people-pseudonymised.csv")).unwrap();
    assert!(!text.contains("Begum") && !text.contains("Khan") && text.lines().count() == 4);
    ok(&["recipient", "end", told, "--data", data]);
    assert_eq!(ok(&["recipient", "list", "--data", data]), format!("1\t{told}\tended\n"));
    assert!(ok(&["audit", "--data", data]).contains("for recipient 1: a test"));
}

#[test]
fn a_password_is_refused_in_an_argument_and_printed_nowhere() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().to_str().unwrap();
    // Nobody listens there.
    let address = "postgres://u:hunter2secret@127.0.0.1:1/wayside?connect_timeout=1";
    let ways: [&[&str]; 4] = [
        &["account", "list", "--log", address, "--ledger", address, "--data", data],
        &["serve", "--log", address, "--ledger", address, "--data", data],
        &["log", "copy", "--from", data, "--to", address, "--to-ledger", address],
        &["log", "check", address, "--data", data],
    ];
    for line in ways {
        let (code, out, err) = wayside(line);
        assert_eq!(code, 1, "{line:?}");
        assert!(!format!("{out}{err}").contains("hunter2secret"), "{out}{err}");
    }
    assert_eq!(refused(ways[0]), "bad_arguments");
    let file = dir.path().join("address");
    std::fs::write(&file, address).unwrap();
    let file = format!("file:{}", file.display());
    let (code, out, err) = wayside(&["account", "list", "--log", &file, "--ledger", &file, "--data", data]);
    assert_eq!(code, 1);
    assert!(err.contains("storage_failed") && !format!("{out}{err}").contains("hunter2secret"), "{err}");
}

#[test]
fn a_server_is_found_by_its_configuration_file_and_looked_at_by_the_doctor() {
    let site = Site::new();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("wayside.toml");
    std::fs::write(&path, format!("data = {:?}\n", site.dir.path())).unwrap();
    let file = path.to_str().unwrap();
    assert!(ok(&["list", "--json", "--config", file]).contains("North"));
    assert!(ok(&["config", "show", "--config", file]).contains("listen = \"127.0.0.1:8443\"  # default"));
    assert!(ok(&["config", "check", file]).contains("can be used"));
    let said: Value = serde_json::from_str(&ok(&["doctor", "--json", "--config", file])).unwrap();
    assert!(
        said["checks"].as_array().unwrap().iter().any(|one| one["check"] == "ledger" && one["state"] == "ok")
    );
    std::fs::remove_file(site.dir.path().join("keys/identity.key")).unwrap();
    let (code, out, err) = wayside(&["doctor", "--config", file]);
    assert!(code == 1 && out.contains("FAIL  identity: ") && err.contains("doctor_failed"), "{out}{err}");

    std::fs::write(&path, "lisen = 1\n[log]\nformat = 'x'\n").unwrap();
    let (code, out, err) = wayside(&["config", "check", file]);
    assert_eq!((code, out.lines().count()), (1, 2), "{out}");
    assert!(out.contains("Line 1: There is no setting lisen. Did you mean listen?"), "{out}");
    assert!(err.contains("config_invalid"), "{err}");
    assert_eq!(refused(&["list", "--config", file]), "config_invalid");
    assert_eq!(refused(&["serve", "--listen", "127.0.0.1:0", "--config", file]), "config_invalid");
}
