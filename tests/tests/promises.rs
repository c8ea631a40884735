//! The ten promises of the design, each a test by its name.
#![allow(clippy::unwrap_used)]

use std::{
    collections::BTreeSet,
    io::{BufRead, BufReader},
    path::PathBuf,
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use serde_json::{Value, json};
use wayside_client_core::{By, Env, Key, Kind, ManualClock, Page, SystemRandom, Tablet};
use wayside_server::{Clock, Server, ServerConfig};
use wayside_tests::{
    cuts::CutLinks,
    field::{Field, TabletCli, copy_dir, files_with, is_wiped, lines, write_lines},
    programs,
    world::KEY,
};

fn reading(systolic: i64, diastolic: i64) -> Value {
    json!({
        "session": {"site": "Masjid Al-Noor", "date": "2026-11-20"},
        "person": {"name": {"given": "Amina", "family": "Khan"}},
        "contact": {"started_at": "2026-11-20T13:05:00Z",
            "bp": {"readings": [{"taken_at": "2026-11-20T13:06:00Z", "systolic": systolic, "diastolic": diastolic}]}}
    })
}

fn field_with(tablets: &[&str]) -> (Field, Vec<TabletCli>) {
    let mut field = Field::new(programs!());
    field.serve();
    field.wayside_text(&["team", "add", "Leeds East"]);
    let tablets = tablets.iter().map(|name| field.enrolled(name, "Leeds East")).collect();
    (field, tablets)
}

/// A tablet in this process, with the clock it is given.
async fn tablet_with(field: &Field, name: &str, env: Env) -> Tablet {
    let tablet = Tablet::open_with(&field.dir.path().join(name), &Key::from_bytes([7; 32]), env).unwrap();
    let code = field.wayside_text(&["enrol-code", "--team", "Leeds East"]);
    tablet.enrol(&code, name).await.unwrap();
    tablet
}

fn sync(tablet: &TabletCli) -> Value {
    let report = tablet.json(&["sync"]);
    assert_eq!(report["error"], Value::Null, "{report}");
    report
}

fn ids(list: &Value) -> BTreeSet<String> {
    list.as_array().unwrap().iter().map(|record| record["id"].as_str().unwrap().to_owned()).collect()
}

/// Each id is printed after its commit, so a program killed right then has it on disk.
#[test]
fn promise_1_recorded_means_durable() {
    let field = Field::new(programs!());
    let tablet = field.tablet("van");
    let file = field.dir.path().join("day.lines");
    write_lines(&file, &lines(1, "van", 40));
    let mut child = tablet
        .command(&["record", file.to_str().unwrap()])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut printed = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let mut acknowledged: BTreeSet<String> = printed.by_ref().take(7).collect();
    child.kill().unwrap();
    acknowledged.extend(printed);
    child.wait().unwrap();
    assert!(acknowledged.len() < 40, "killed before the end");
    assert!(acknowledged.is_subset(&ids(&tablet.json(&["list", "--kind", "contact"]))));
}

#[test]
fn promise_2_synced_means_durable_on_the_server() {
    let (mut field, tablets) = field_with(&["van"]);
    let recorded: BTreeSet<String> = tablets[0].record(&lines(2, "van", 30)).into_iter().collect();
    assert_eq!(sync(&tablets[0])["in_sync"], true);
    field.kill_server();
    assert_eq!(ids(&field.wayside_json(&["list", "--kind", "contact"])), recorded);
}

/// The other half of promise 2: what is saved while a sync runs is not taken for synced.
#[tokio::test(flavor = "multi_thread")]
async fn promise_2_an_edit_made_while_a_sync_runs_is_never_marked_synced_by_it() {
    let (field, _) = field_with(&[]);
    let tablet = tablet_with(&field, "van", Env::system()).await;
    let by = By::staff("nurse-01");
    let person = tablet.record(reading(120, 80), &by).unwrap().person.unwrap();
    let (inside, edited) = (tablet.clone(), Arc::new(AtomicBool::new(false)));
    let once = edited.clone();
    let report = tablet
        .sync(move |progress| {
            // After the request was put together and before anybody answered it.
            if progress.exchanges == 1 && progress.pushed == 0 && !once.swap(true, Ordering::SeqCst) {
                let edit = wayside_client_core::Edit::set("name/family", "Kahn");
                inside.edit(person, edit, &By::staff("nurse-01")).unwrap();
            }
        })
        .await;
    assert!(report.error.is_none());
    assert!(edited.load(Ordering::SeqCst), "the edit fell into the sync");
    let family = |field: &Field| field.wayside_json(&["show", &person.to_string()])["name"]["family"].clone();
    // The sync may have gone on to another exchange, which took the edit along; it never says so otherwise.
    let waiting = tablet.status().unwrap().waiting;
    assert_eq!(family(&field), if waiting == 0 { "Kahn" } else { "Khan" });
    assert_eq!(report.pushed, report.accepted);
    assert_eq!(report.exchanges > 1, waiting == 0, "only an exchange of its own can have taken it");
    assert!(tablet.sync(|_| {}).await.error.is_none());
    assert_eq!(family(&field), "Kahn");
    assert_eq!(tablet.status().unwrap().waiting, 0);
}

#[test]
fn promise_3_no_value_is_silently_overwritten() {
    let (field, tablets) = field_with(&["left", "right"]);
    let contact = tablets[0].record(&[reading(152, 94)]).remove(0);
    let shown = tablets[0].json(&["show", &contact]);
    let (person, session) = (shown["person"].as_str().unwrap(), shown["session"].as_str().unwrap());
    tablets.iter().for_each(|tablet| drop(sync(tablet)));
    for (tablet, phone, leaflets) in [(&tablets[0], "07700 900001", "3"), (&tablets[1], "07700 900002", "4")]
    {
        tablet.ok(&["edit", person, "--set", &format!("phone=\"{phone}\"")]);
        tablet.ok(&["tally", session, "leaflets", leaflets]);
    }
    tablets[0].ok(&["edit", person, "--set", r#"entered_in_error={"reason":"twice"}"#]);
    for tablet in [&tablets[0], &tablets[1], &tablets[0]] {
        sync(tablet);
    }
    for shown in [
        tablets[0].json(&["show", person]),
        tablets[1].json(&["show", person]),
        field.wayside_json(&["show", person]),
    ] {
        let values = shown["conflicts"][0]["values"].to_string();
        assert!(values.contains("07700 900001") && values.contains("07700 900002"), "{values}");
        assert_eq!(shown["entered_in_error"]["reason"], "twice", "the edit beside it stays visible");
    }
    assert_eq!(field.wayside_json(&["show", session])["tallies"]["leaflets"], 7);
}

/// A tablet's clock a day wrong, both ways.
#[tokio::test(flavor = "multi_thread")]
async fn promise_4_no_clock_is_trusted() {
    const DAY_MS: i64 = 24 * 60 * 60 * 1000;
    let (field, right) = field_with(&["right"]);
    for (name, skew) in [("fast", DAY_MS), ("slow", -DAY_MS)] {
        let clock = ManualClock::new(jiff::Timestamp::now().as_millisecond() + skew);
        let env = Env { clock: Arc::new(clock), random: Arc::new(SystemRandom), carrier: None };
        let tablet = tablet_with(&field, name, env.clone()).await;
        // As if the clock had jumped after enrolment: a tablet that has learnt the skew, then lost it.
        let person = tablet.record(reading(152, 94), &By::staff("nurse-01")).unwrap().person.unwrap();
        let report = tablet.sync(|_| {}).await;
        assert!(report.error.is_none(), "{name}: {:?}", report.error);
        assert!(report.in_sync);
        let shown = tablet.status().unwrap().clock_skew_ms.unwrap();
        assert!((shown - skew).abs() < 60_000, "{name}: {shown} ms shown");
        // The later edit wins over the earlier one it has seen, whatever the clocks say.
        sync(&right[0]);
        right[0].ok(&["edit", &person.to_string(), "--set", "name/family=Kahn"]);
        sync(&right[0]);
        assert!(tablet.sync(|_| {}).await.in_sync);
        let shown = tablet.show(person).unwrap().json;
        assert_eq!((&shown["name"]["family"], &shown["conflicts"]), (&json!("Kahn"), &json!([])));
    }
}

#[test]
fn promise_5_one_bad_record_blocks_nothing() {
    let (field, tablets) = field_with(&["van"]);
    let mut day = lines(5, "van", 50);
    day[20]["contact"]["bp"] = reading(301, 100)["contact"]["bp"].clone();
    let (recorded, _) = tablets[0].record_with(&["--unchecked"], &day);
    let report = sync(&tablets[0]);
    assert_eq!(report["quarantined"], 1);
    let at_base = ids(&field.wayside_json(&["list", "--kind", "contact"]));
    assert_eq!(at_base.len(), 49);
    assert!(recorded.iter().enumerate().all(|(i, id)| at_base.contains(id) == (i != 20)));
    let held = &field.wayside_json(&["quarantine"])[0];
    assert_eq!((&held["record"], &held["code"]), (&json!(recorded[20]), &json!("out_of_range")));
    assert!(held["values"].to_string().contains("301"), "kept whole");
    assert_eq!(tablets[0].json(&["show", &recorded[20]])["quarantined"][0]["code"], "out_of_range");
}

#[test]
fn promise_6_cost_follows_change() {
    let (_field, tablets) = field_with(&["van"]);
    let mut costs = Vec::new();
    for count in [200, 600] {
        tablets[0].record(&lines(count as u64, "van", count));
        sync(&tablets[0]);
        sync(&tablets[0]);
        let report = sync(&tablets[0]);
        assert_eq!((&report["exchanges"], &report["in_sync"]), (&json!(1), &json!(true)), "{report}");
        let bytes = |name: &str| report[name].as_u64().unwrap();
        assert!(bytes("bytes_up") <= 512 && bytes("bytes_down") <= 512, "{report}");
        costs.push(bytes("bytes_up") + bytes("bytes_down"));
    }
    // A cursor's number may take a byte more.
    assert!(costs[1] <= costs[0] + 4, "{costs:?}");
}

/// It was set back to before it joined the last of its teams: base knows of one more than the tablet.
#[test]
fn promise_6_cost_follows_change_where_base_knows_of_more_teams() {
    let (field, tablets) = field_with(&["van"]);
    let van = &tablets[0];
    let join = |n: usize| {
        let name = format!("Team {n}");
        field.wayside_text(&["team", "add", &name]);
        van.ok(&["enrol", &field.wayside_text(&["enrol-code", "--team", &name]), "--name", "van"]);
    };
    (1..5).for_each(join);
    sync(van);
    let copy = field.dir.path().join("copy");
    copy_dir(&van.dir, &copy);
    join(5);
    std::fs::remove_dir_all(&van.dir).unwrap();
    std::fs::rename(&copy, &van.dir).unwrap();
    sync(van);
    let report = sync(van);
    assert_eq!((&report["exchanges"], &report["in_sync"]), (&json!(1), &json!(true)), "{report}");
    assert!(report["bytes_up"].as_u64().unwrap() <= 512 && report["bytes_down"].as_u64().unwrap() <= 512);
}

/// Links cut at seeded bytes, both ways, in exchanges of many frames; `cut_links.rs` tries more of them.
#[tokio::test(flavor = "multi_thread")]
async fn promise_7_cut_anywhere() {
    let mut world = CutLinks::new().await.unwrap();
    for seed in 100..102 {
        world.learn_that_links_are_bad().await.unwrap();
        let (up, down) = world.cut_both_ways(seed, 60).await.unwrap();
        assert!(up <= 1 && down <= 1, "seed {seed}: {up} frames up and {down} down went twice");
    }
    world.check().unwrap();
    world.shutdown().await.unwrap();
}

/// A server restored from an older backup, and tablets set back and copied. `drills.rs` has many days of each.
#[test]
fn promise_8_restores_heal() {
    if programs!().on_postgres {
        // What is set back here is a file; a database of PostgreSQL is set back otherwise.
        return;
    }
    let (mut field, tablets) = field_with(&["left", "right"]);
    let (base, dir) = (field.dir.path().join("base"), field.dir.path().to_owned());
    let mut recorded: BTreeSet<String> = tablets[0].record(&lines(8, "left", 20)).into_iter().collect();
    tablets.iter().for_each(|tablet| drop(sync(tablet)));
    let made = field.wayside_text(&["backup", "--to", dir.join("shelf").to_str().unwrap()]);
    copy_dir(&tablets[1].dir, &dir.join("right-before"));
    recorded.extend(tablets[0].record(&lines(9, "left", 10)));
    recorded.extend(tablets[1].record(&lines(10, "right", 10)));
    tablets.iter().for_each(|tablet| drop(sync(tablet)));

    field.stop_server();
    std::fs::rename(&base, dir.join("lost")).unwrap();
    let refused = field.wayside(&["restore", "--from", &made]);
    assert!(String::from_utf8(refused.stderr).unwrap().contains("identity_missing"), "says what is missing");
    copy_dir(&dir.join("lost/keys"), &base.join("keys"));
    field.wayside_text(&["restore", "--from", &made]);
    field.serve();
    let report = sync(&tablets[0]);
    assert_eq!(report["notices"][0]["code"], "server_restored", "{report}");
    sync(&tablets[1]);
    assert_eq!(ids(&field.wayside_json(&["list", "--kind", "contact"])), recorded, "refilled");

    // One tablet goes on from an old copy of itself, the other on two devices at once.
    std::fs::remove_dir_all(&tablets[1].dir).unwrap();
    copy_dir(&dir.join("right-before"), &tablets[1].dir);
    recorded.extend(tablets[1].record(&lines(11, "right", 5)));
    let twin = field.tablet("twin");
    copy_dir(&tablets[0].dir, &twin.dir);
    std::fs::copy(tablets[0].dir.with_extension("key"), twin.dir.with_extension("key")).unwrap();
    let mut told = BTreeSet::new();
    for round in 0..3 {
        for tablet in [&twin, &tablets[0], &tablets[1]] {
            recorded.extend(tablet.record(&lines(20 + round, &tablet.name, 2)));
            let notices = sync(tablet)["notices"].clone();
            told.extend(notices.as_array().unwrap().iter().map(|notice| notice["code"].to_string()));
        }
    }
    assert!(told.contains("\"tablet_copied\""), "{told:?}");
    for tablet in [&twin, &tablets[0], &tablets[1]] {
        assert_eq!(sync(tablet)["in_sync"], true);
        assert_eq!(ids(&tablet.json(&["list", "--kind", "contact"])), recorded);
    }
    assert_eq!(
        ids(&field.wayside_json(&["list", "--kind", "contact"])),
        recorded,
        "nothing lost, nothing twice"
    );
    assert_eq!(field.wayside_json(&["quarantine"]), json!([]));
}

/// What is kept of promise 9 already: nothing can be read in a tablet's directory.
#[test]
fn promise_9_always_locked() {
    let field = Field::new(programs!());
    let tablet = field.tablet("van");
    tablet.record(&[reading(152, 94)]);
    tablet.json(&["search", "Khan"]);
    let planted: [&[u8]; 4] = [b"Amina", b"Khan", b"Masjid", b"systolic"];
    for file in std::fs::read_dir(&tablet.dir).unwrap().map(|file| file.unwrap().path()) {
        let bytes = std::fs::read(&file).unwrap();
        for word in planted {
            assert!(
                !bytes.windows(word.len()).any(|window| window == word),
                "{} can be read",
                file.display()
            );
        }
    }
    let elsewhere = tablet.dir.with_extension("other-key");
    std::fs::write(&elsewhere, "00".repeat(32)).unwrap();
    let error = tablet.refused(&["--key-file", elsewhere.to_str().unwrap(), "list"]);
    assert_eq!(error["code"], "wrong_key");
    assert_eq!(
        tablet.json(&["list", "--kind", "contact"]).as_array().unwrap().len(),
        1,
        "and nothing was lost by it"
    );
}

/// What nobody has changed for a month leaves the tablets and comes back for a reason; what is erased is nowhere.
/// `archive.rs` has many weeks of both.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn promise_9_least_data() {
    const WHY: [&str; 2] = ["--reason", "Came back to the van"];
    let seen = |given: &str, family: &str| {
        let mut line = reading(118, 76);
        line["person"]["name"] = json!({"given": given, "family": family});
        line
    };
    let (mut field, tablets) = field_with(&["left", "right"]);
    let base = field.dir.path().join("base");
    field.stop_server();
    let then = jiff::Timestamp::now().as_millisecond().unsigned_abs() - 40 * 24 * 60 * 60 * 1000;
    let listen = field.address().to_string();
    let config = ServerConfig { listen, clock: Clock::new(move || then), ..field.config() };
    let forty_days_ago = Server::start(config).await.unwrap();
    let contact = tablets[0].record(&[seen("Amina", "Quillfeather"), seen("Bilal", "Thistledown")]).remove(0);
    tablets.iter().for_each(|tablet| drop(sync(tablet)));
    forty_days_ago.shutdown().await.unwrap();
    field.serve();

    field.wayside_text(&["archive"]);
    for tablet in &tablets {
        assert_eq!(sync(tablet)["in_sync"], true);
        assert_eq!(tablet.json(&["list", "--kind", "person"]), json!([]));
        assert_eq!(tablet.json(&["search", "quillfeather"]), json!([]));
        assert_eq!(tablet.refused(&["show", &contact])["code"], "record_not_found");
        assert_eq!(tablet.json(&["status"])["archived"], 5);
    }
    let blank = tablets[1].refused(&["look-up", "quillfeather", "--reason", " "]);
    assert_eq!(blank["code"], "missing_field", "not without a reason");
    let found = tablets[1].json(&["look-up", "QUILLFEATHER", WHY[0], WHY[1]]);
    assert_eq!(found["people"][0]["name"], "Amina Quillfeather", "{found}");
    let person = found["people"][0]["id"].as_str().unwrap();
    tablets[1].ok(&["fetch", person, WHY[0], WHY[1]]);
    sync(&tablets[0]);
    for tablet in &tablets {
        assert_eq!(tablet.json(&["show", &contact])["person"], person);
        assert_eq!(tablet.json(&["list", "--kind", "person"]).as_array().unwrap().len(), 1);
    }
    let audit = field.wayside_json(&["audit"]).to_string();
    assert!(audit.contains(person) && audit.contains(WHY[1]) && !audit.to_lowercase().contains("quill"));

    tablets[0].ok(&["edit", person, "--set", "phone=07700900222"]);
    assert!(!files_with(&base, "Quillfeather").is_empty());
    field.wayside_text(&["erase", person, "--reason", "Asked to be forgotten", "--yes"]);
    for tablet in &tablets {
        let report = sync(tablet);
        assert_eq!(
            (&report["in_sync"], &report["notices"][0]["code"]),
            (&json!(true), &json!("record_erased"))
        );
        assert_eq!(tablet.refused(&["show", person])["code"], "record_not_found");
        assert_eq!(tablet.json(&["status"])["notices"][0]["code"], "record_erased");
    }
    for said in ["Quillfeather", "07700900222"] {
        assert_eq!(files_with(&base, said), [] as [PathBuf; 0], "{said}");
    }
    assert!(!files_with(&base, "Thistledown").is_empty(), "and nobody else");
    field.stop_server();
    let offline = tablets[0].refused(&["look-up", "thistledown", WHY[0], WHY[1]]);
    assert_eq!((&offline["code"], &offline["retry"]), (&json!("server_unreachable"), &json!(true)));
}

/// As an administrator does it: one command, on the programs themselves, with a planted name.
#[test]
fn promise_9_one_click_revokes_it() {
    const PLANTED: &str = "Zzyzxborough";
    let (field, [van, other]) = Field::with(programs!(), ["van", "other"]);
    let mut line = lines(76, "van", 1).remove(0);
    line["person"] = json!({"name": {"given": "Amina", "family": PLANTED}, "sex": "F"});
    van.record(&[line]);
    van.sync();
    van.record(&lines(77, "van", 3));
    let key = van.dir.with_extension("key");
    assert!(key.exists() && files_with(&van.dir, PLANTED).is_empty(), "it is encrypted");
    assert!(!van.json(&["search", PLANTED]).as_array().unwrap().is_empty(), "and it is there");

    field.wayside_text(&["tablet", "revoke", "van"]);
    let said = van.refused(&["sync"]);
    assert_eq!(said["code"], "tablet_wiped", "{said}");
    assert!(!key.exists(), "the key is gone");
    is_wiped(&van.dir);
    let held: Value = serde_json::from_str(&field.wayside_text(&["quarantine", "--json"])).unwrap();
    assert!(held.as_array().unwrap().iter().all(|one| one["code"] == "from_revoked_tablet"));
    // A bulk readmission decides nothing about it.
    let readmitted: Value =
        serde_json::from_str(&field.wayside_text(&["quarantine", "readmit", "--json"])).unwrap();
    assert_eq!(readmitted, json!([]));
    field.wayside_text(&["tablet", "admit", "van"]);
    other.sync();
    let contacts = other.json(&["list", "--kind", "contact"]);
    assert_eq!(contacts.as_array().unwrap().len(), 4);
    // Whoever opens it next learns why it is empty.
    assert!(van.ok(&["status"]).contains("wiped itself"));
    assert!(files_with(&van.dir, PLANTED).is_empty());
    assert_ne!(KEY.to_hex(), std::fs::read_to_string(&key).unwrap().trim());
}

/// A record with fields of a newer version goes through a tablet that does not know them.
#[tokio::test(flavor = "multi_thread")]
async fn promise_10_old_tablets_do_no_harm() {
    let (field, tablets) = field_with(&["newer"]);
    let mut line = reading(152, 94);
    line["contact"]["oxygen"] = json!({"saturation": 97, "probe": {"finger": "left"}});
    line["contact"]["bp"]["readings"][0]["cuff_pressure_curve"] = json!([1, 2, 3]);
    line["person"]["preferred_greeting"] = json!("Salaam");
    let contact = tablets[0].record(&[line]).remove(0);
    sync(&tablets[0]);
    let old = tablet_with(&field, "old", Env::system()).await;
    let first = old.sync(|_| {}).await;
    assert!(first.in_sync, "{first:?}");
    let id = contact.parse().unwrap();
    old.edit(id, wayside_client_core::Edit::set("satisfaction", 4), &By::staff("nurse-02")).unwrap();
    assert!(old.sync(|_| {}).await.in_sync);
    sync(&tablets[0]);
    for shown in [
        old.show(id).unwrap().json,
        tablets[0].json(&["show", &contact]),
        field.wayside_json(&["show", &contact]),
    ] {
        assert_eq!(shown["oxygen"], json!({"saturation": 97, "probe": {"finger": "left"}}));
        let reading = shown["bp"]["readings"].as_object().unwrap().values().next().unwrap();
        assert_eq!(reading["cuff_pressure_curve"], json!([1, 2, 3]));
        assert_eq!(shown["satisfaction"], 4);
    }
    let people = old.list(Some(Kind::Person), Page::default()).unwrap();
    assert_eq!(people[0]["preferred_greeting"], "Salaam");
}
