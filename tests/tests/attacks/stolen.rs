//! What a thief holds: a tablet that is switched off, or a request that was overheard.

use std::{fs, path::Path};

use ed25519_dalek::SigningKey;
use rusqlite::Connection;
use serde_json::json;
use wayside_client_core::{By, Key, Tablet};
use wayside_protocol::record::Kind;
use wayside_server::Base;
use wayside_tests::field::{copy_dir, files_with};

use crate::{
    paper::{Offer, Paper, nowhere, verdicts},
    target::{NORTH, SOUTH, Target},
    wire::http,
};

/// In every text that a tablet keeps.
const PLANTED: &str = "Zzyzxborough";

#[test]
fn nothing_can_be_read_in_a_stolen_tablets_directory() {
    let dir = tempfile::tempdir().unwrap();
    let (at, key) = (dir.path().join("tablet"), Key::from_bytes(rand::random()));
    let tablet = Tablet::open(&at, &key).unwrap();
    let line = json!({
        "session": {"site": format!("{PLANTED} Hall"), "date": "2026-11-20"},
        "person": {"name": {"given": PLANTED, "family": PLANTED}, "phone": "07700 900 461",
            "address": {"lines": [format!("1 {PLANTED} Lane")], "postcode": "LS2 7HY"}},
        "contact": {"started_at": "2026-11-20T13:05:00Z", "notes": [{"text": format!("From {PLANTED}")}],
            "bp": {"readings": [{"taken_at": "2026-11-20T13:06:00Z", "systolic": 152, "diastolic": 94}]},
            "ext": {"free": PLANTED}},
    });
    let recorded = tablet.record(line, &By::staff(&format!("nurse-{PLANTED}"))).unwrap();
    // While it is open there is a journal beside the database, and after a search what a search leaves.
    tablet.search(&PLANTED.to_lowercase(), Default::default()).unwrap();
    let locked_up = |dir: &Path| {
        for planted in [PLANTED, &PLANTED.to_lowercase(), "900 461", "systolic", "SQLite format"] {
            assert_eq!(files_with(dir, planted), Vec::<std::path::PathBuf>::new(), "{planted}");
        }
    };
    assert!(fs::read_dir(&at).unwrap().count() >= 2, "a database and its journal");
    locked_up(&at);
    let stolen = dir.path().join("stolen");
    copy_dir(&at, &stolen);
    drop(tablet);
    locked_up(&at);

    let conn = Connection::open(stolen.join("tablet.db")).unwrap();
    assert!(conn.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(())).is_err(), "without a key");
    drop(conn);
    let refused = Tablet::open(&stolen, &Key::from_bytes(rand::random())).err().unwrap();
    assert_eq!(refused.code_text(), "wrong_key");
    // With its key it is all there: also in the copy, so it was copied whole.
    let shown = Tablet::open(&stolen, &key).unwrap().show(recorded.person.unwrap()).unwrap();
    assert_eq!(shown.json["name"]["family"], PLANTED);
}

/// A request that pushes one person, honest in everything, and what it pushes.
fn pushing_one(tablet: &Paper, base: &Base) -> (Vec<u8>, Offer) {
    let offer = tablet.begin(Kind::Person, json!({"sex": "F"}));
    let frames = [tablet.frame(tablet.team, std::slice::from_ref(&offer))];
    (tablet.request(tablet.hello(base, vec![nowhere(tablet.team)]), &[], &frames), offer)
}

fn pushing(tablet: &Paper, base: &Base) -> Vec<u8> {
    pushing_one(tablet, base).0
}

#[test]
fn a_request_that_was_overheard_works_once_and_only_as_it_was_sent() {
    let target = Target::start();
    let tablet = Paper::enrolled(target.base(), NORTH);
    let before = target.heads();
    let mut line = target.door().connect().unwrap();
    let length = pushing(&tablet, target.base()).len();
    let (mut refused, mut unsigned) = (0, 0);
    for at in 0..length {
        let (mut body, offer) = pushing_one(&tablet, target.base());
        if let Some(byte) = body.get_mut(at) {
            *byte ^= 1 << (at % 8);
        }
        line.say(&http("POST", "/sync/v1", &[("Host", "x")], &body)).unwrap();
        let answer = line.hear().unwrap().expect("an answer");
        let code = answer.code();
        if verdicts(&answer.body) == ["accepted"] {
            // A number that only the server sets and nobody signs: what was stored is what was signed.
            assert_eq!(tablet.push(target.base(), &[offer]), ["known"], "byte {at}");
            unsigned += 1;
            continue;
        }
        // A frame of another type says nothing to anybody: nothing is done, and the tablet is told of no verdict.
        assert_eq!(verdicts(&answer.body), Vec::<String>::new(), "byte {at}");
        let codes = [
            "frame_malformed",
            "signature_invalid",
            "version_unsupported",
            "team_not_allowed",
            "too_large",
            "",
        ];
        assert!(codes.contains(&code.as_str()), "byte {at}: {code}");
        assert!(!code.is_empty() || answer.status == 200, "byte {at}: {}", answer.status);
        refused += usize::from(!code.is_empty());
    }
    assert!(refused > length * 9 / 10 && unsigned <= 4, "{refused} of {length}, {unsigned}");
    assert_eq!(target.heads(), before + unsigned, "nothing else was stored");

    let before = target.heads();
    let body = pushing(&tablet, target.base());
    assert_eq!(verdicts(&target.sync(&body).body), ["accepted"]);
    let again = target.sync(&body);
    assert_eq!((again.status, again.code().as_str()), (409, "replayed"));
    assert_eq!(target.heads(), before + 1);
}

#[test]
fn a_request_for_one_server_team_or_time_is_refused_at_another() {
    let (target, other) = (Target::start(), Target::start());
    let key = SigningKey::from_bytes(&rand::random());
    let here = Paper::enrolled_with(key.clone(), target.base(), NORTH);
    let there = Paper::enrolled_with(key, other.base(), NORTH);
    // The same key at both: only for whom it signed tells them apart.
    let aimed = Paper { server: there.server, ..here.clone() };
    let refused = target.sync(&pushing(&aimed, target.base()));
    assert_eq!((refused.status, refused.code().as_str()), (401, "signature_invalid"));

    let offer = || here.begin(Kind::Person, json!({"sex": "F"}));
    let south = target.south;
    for (places, frames) in [
        (vec![], vec![here.frame(south, &[offer()])]),
        (vec![nowhere(south)], vec![]),
        (vec![nowhere(here.team), nowhere(south)], vec![]),
    ] {
        let refused = target.sync(&here.request(here.hello(target.base(), places), &[], &frames));
        assert_eq!((refused.status, refused.code().as_str()), (403, "team_not_allowed"));
    }
    for minutes in [-11_i64, 11] {
        let mut hello = here.hello(target.base(), vec![]);
        hello.time_ms = hello.time_ms.saturating_add_signed(minutes * 60_000);
        let refused = target.sync(&here.request(hello, &[], &[here.frame(here.team, &[offer()])]));
        assert_eq!((refused.status, refused.code().as_str()), (409, "clock"));
    }
    let before = target.heads();
    assert_eq!(verdicts(&target.sync(&pushing(&here, target.base())).body), ["accepted"]);
    assert_eq!(verdicts(&other.sync(&pushing(&there, other.base())).body), ["accepted"]);
    let both = Paper::enrolled_with(here.key.clone(), target.base(), SOUTH);
    assert_eq!(verdicts(&target.sync(&pushing(&both, target.base())).body), ["accepted"]);
    assert_eq!(target.heads(), before + 2);
}
