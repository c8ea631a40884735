//! Quarantine, judged again after an update: what passes now is at base and on every tablet, once, and what staff have
//! typed again meanwhile never counts twice. The rule of an older version is played by a record that the log takes for
//! another team's.
#![allow(clippy::unwrap_used)]

use rusqlite::Connection;
use serde_json::{Value, json};
use wayside_tests::{
    day::{self, TabletPlan},
    field::{Field, TabletCli},
    programs,
};

const TEAM: &str = "Leeds East";
const ELSEWHERE: &str = "Elsewhere";

struct World {
    field: Field,
    van: TabletCli,
    other: TabletCli,
}

impl World {
    fn new() -> World {
        let mut field = Field::new(programs!());
        field.serve();
        field.wayside_text(&["team", "add", TEAM]);
        field.wayside_text(&["team", "add", ELSEWHERE]);
        let [van, other] = ["van", "other"].map(|name| field.enrolled(name, TEAM));
        World { field, van, other }
    }

    /// A contact on `van`: its id, and its session's.
    fn record(&self) -> (String, String) {
        let plan = TabletPlan::new("van", "Masjid Al-Noor", 1);
        let line = day::contact(1, "2026-11-20".parse().unwrap(), &plan, 0);
        let contact = self.van.record(&[line]).remove(0);
        let session = self.van.json(&["show", &contact])["session"].as_str().unwrap().to_owned();
        (contact, session)
    }

    /// The log takes a record for that of this team: tablets of another are refused what they write into it.
    fn bind(&self, record: &str, team: &str) {
        let log = Connection::open(self.field.dir.path().join("base/log.db")).unwrap();
        let id = data_encoding::HEXLOWER.decode(record.replace('-', "").as_bytes()).unwrap();
        let bound = "INSERT INTO record (record, team, kind, changes, bytes)
            VALUES (?1, (SELECT n FROM team WHERE name = ?2), '', 1, 0)
            ON CONFLICT (record) DO UPDATE SET team = excluded.team";
        assert_eq!(log.execute(bound, (id, team)).unwrap(), 1);
    }

    fn forget(&self, record: &str) {
        let log = Connection::open(self.field.dir.path().join("base/log.db")).unwrap();
        let id = data_encoding::HEXLOWER.decode(record.replace('-', "").as_bytes()).unwrap();
        assert_eq!(log.execute("DELETE FROM record WHERE record = ? AND kind = ''", [id]).unwrap(), 1);
    }

    fn readmit(&self, args: &[&str]) -> Vec<Value> {
        let args = [&["quarantine", "readmit"], args].concat();
        self.field.wayside_json(&args).as_array().unwrap().clone()
    }

    /// The record as base and both tablets show it, which must be the same.
    fn everywhere(&self, record: &str) -> Value {
        let at_base = self.field.wayside_json(&["show", record]);
        for tablet in [&self.van, &self.other] {
            assert_eq!(sync(tablet)["in_sync"], true, "{}", tablet.name);
            assert_eq!(tablet.json(&["show", record]), at_base, "{}", tablet.name);
        }
        at_base
    }
}

fn sync(tablet: &TabletCli) -> Value {
    let report = tablet.json(&["sync"]);
    assert_eq!(report["error"], Value::Null, "{report}");
    report
}

fn outcomes(readmitted: &[Value]) -> Vec<&str> {
    readmitted.iter().map(|item| item["outcome"].as_str().unwrap()).collect()
}

#[test]
fn what_an_update_takes_is_accepted_and_leaves_the_quarantine_of_the_tablet_too() {
    let world = World::new();
    let (contact, _) = world.record();
    sync(&world.van);
    world.bind(&contact, ELSEWHERE);
    world.van.ok(&["edit", &contact, "--set", "satisfaction=4"]);
    world.van.ok(&["edit", &contact, "--set", "satisfaction_comment=\"Kind\""]);
    assert_eq!(sync(&world.van)["quarantined"], 2);
    // Somebody goes on with what is left of it.
    world.bind(&contact, TEAM);
    world.van.ok(&["edit", &contact, "--set", "ext/later=1"]);
    sync(&world.van);
    let shown = world.van.json(&["show", &contact]);
    assert_eq!(
        (&shown["satisfaction"], &shown["quarantined"][0]["code"]),
        (&Value::Null, &json!("record_elsewhere"))
    );

    assert!(world.readmit(&["--code", "out_of_range"]).is_empty());
    assert!(world.readmit(&["--team", ELSEWHERE]).is_empty());
    assert!(world.readmit(&["0190b3f2-6c1a-7cde-8f00-2a6b1c9d4e5f"]).is_empty());
    let refused = world.field.wayside(&["quarantine", "readmit", "nothing"]);
    assert!(String::from_utf8(refused.stderr).unwrap().contains("bad_id"));
    assert_eq!(outcomes(&world.readmit(&["--code", "record_elsewhere", &contact])), ["accepted", "accepted"]);
    assert!(world.readmit(&[]).is_empty(), "nothing is left");
    let shown = world.everywhere(&contact);
    assert_eq!(
        (&shown["satisfaction"], &shown["satisfaction_comment"], &shown["ext"]["later"]),
        (&json!(4), &json!("Kind"), &json!(1))
    );
    assert_eq!(shown["quarantined"], Value::Null);
    assert_eq!(world.van.json(&["status"])["quarantined"], 0);
}

#[test]
fn what_still_does_not_pass_stays_with_its_reason_of_today() {
    let world = World::new();
    let (contact, _) = world.record();
    world.bind(&contact, ELSEWHERE);
    assert_eq!(sync(&world.van)["quarantined"], 1);
    let before = world.field.wayside_json(&["quarantine"]);
    let again = world.readmit(&[before[0]["hash"].as_str().unwrap()]);
    assert_eq!((outcomes(&again), &again[0]["code"]), (vec!["refused"], &json!("record_elsewhere")));
    assert_eq!(world.field.wayside_json(&["quarantine"]), before);
    let text = world.field.wayside_text(&["quarantine", "readmit"]);
    assert!(text.contains("refused") && text.contains(&contact), "{text}");
    world.forget(&contact);
    assert_eq!(outcomes(&world.readmit(&[])), ["accepted"]);
    assert_eq!(world.everywhere(&contact)["kind"], "contact");
}

/// Leaflets that were refused, and counted again by hand.
#[test]
fn what_was_typed_again_meanwhile_is_never_taken_up_beside_it() {
    let world = World::new();
    let (whole, session) = world.record();
    // A record all of which was refused, and which was made anew from its draft.
    world.bind(&whole, ELSEWHERE);
    assert_eq!(sync(&world.van)["quarantined"], 1);
    world.forget(&whole);
    world.van.ok(&["edit", &whole, "--set", "satisfaction=5"]);
    sync(&world.van);
    let leaflets = |shown: Value| shown["tallies"]["leaflets"].as_i64().unwrap();
    let before = leaflets(world.van.json(&["show", &session]));
    world.bind(&session, ELSEWHERE);
    world.van.ok(&["tally", &session, "leaflets", "3"]);
    assert_eq!(sync(&world.van)["quarantined"], 1);
    world.van.ok(&["tally", &session, "leaflets", "3"]);
    world.van.ok(&["edit", &session, "--set", "ext/weather=\"rain\""]);
    assert_eq!(sync(&world.van)["quarantined"], 2);

    world.bind(&session, TEAM);
    let readmitted = world.readmit(&[]);
    let of = |record: &str| -> Vec<Value> {
        readmitted.iter().filter(|item| item["record"] == record).cloned().collect()
    };
    assert_eq!(outcomes(&of(&session)), ["superseded", "accepted", "accepted"], "{readmitted:?}");
    assert_eq!(outcomes(&of(&whole)), ["superseded"], "{readmitted:?}");
    for tablet in [&world.van, &world.other] {
        sync(tablet);
        assert_eq!(leaflets(tablet.json(&["show", &session])), before + 3, "{}", tablet.name);
        assert_eq!(tablet.json(&["show", &whole])["satisfaction"], 5, "{}", tablet.name);
    }
    assert_eq!(leaflets(world.field.wayside_json(&["show", &session])), before + 3);
    assert_eq!(world.van.json(&["status"])["quarantined"], 2, "kept for the record");
    assert_eq!(world.field.wayside_json(&["quarantine"]).as_array().unwrap().len(), 2);
}

/// One refused change says several things, and others build on it: what is typed again of it in part replaces none of it.
#[test]
fn what_was_typed_again_in_part_loses_nothing_of_the_rest() {
    let world = World::new();
    let (contact, session) = world.record();
    sync(&world.van);
    world.bind(&contact, ELSEWHERE);
    world.van.ok(&["edit", &contact, "--set", "satisfaction=4", "--set", "ext/shoes=\"red\""]);
    world.van.ok(&["edit", &contact, "--set", "satisfaction_comment=\"Kind\""]);
    assert_eq!(sync(&world.van)["quarantined"], 2);
    world.bind(&session, ELSEWHERE);
    let entry = |id: &str, text: &str| format!("notes/{id}={{\"text\":\"{text}\"}}");
    let both =
        ["edit", &session, "--set", &entry("aaaaaaaa", "First"), "--set", &entry("bbbbbbbb", "Second")];
    world.van.ok(&both);
    assert_eq!(sync(&world.van)["quarantined"], 1);
    world.bind(&contact, TEAM);
    world.bind(&session, TEAM);
    world.van.ok(&["edit", &contact, "--set", "satisfaction=5"]);
    world.van.ok(&["edit", &session, "--set", &entry("cccccccc", "First")]);
    sync(&world.van);

    let readmitted = world.readmit(&[]);
    assert_eq!(outcomes(&readmitted), ["accepted"; 3], "{readmitted:?}");
    let shown = world.everywhere(&contact);
    assert_eq!((&shown["ext"]["shoes"], &shown["satisfaction_comment"]), (&json!("red"), &json!("Kind")));
    let conflict = &shown["conflicts"][0];
    assert_eq!(
        (&conflict["path"], conflict["values"].as_array().unwrap().len()),
        (&json!("satisfaction"), 2)
    );
    assert_eq!(world.everywhere(&session)["notes"].as_object().unwrap().len(), 3);
}
