//! The grouped form of changes: whatever goes in comes out, byte for byte, and whatever arrives does no harm.

#![allow(clippy::unwrap_used)]

use ed25519_dalek::SigningKey;
use proptest::prelude::*;
use serde_json::json;
use wayside_protocol::{
    record::{
        Author, Flattener, Kind, Message, Record, RecordId, Rules, change_hash,
        chunk::{Builder, Head, Replaced, Scalar, parse},
        entry_id,
    },
    sync::{
        Frame, capability,
        frame::{Changes, Item, List, MAX_PAYLOAD, decode, grouped},
        sign_list, verify_list,
        wire::Writer,
    },
};

const TEAM: RecordId = RecordId::from_bytes([3; 16]);

fn key() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}

/// One list, signed as it should be.
fn signed(items: Vec<Item>) -> Changes {
    let mut list = List { author: 0, signature: [0; 64], items };
    list.signature = sign_list(&key(), TEAM, &list.signed_items(change_hash));
    Changes { team: TEAM, authors: Vec::new(), lists: vec![list] }
}

fn encode(changes: &Changes) -> Vec<u8> {
    let mut body = Vec::new();
    Frame::Changes(changes.clone()).encode_for(capability::GROUPED, &mut body);
    body
}

/// Frame type 9, not compressed, so that a test can change what it says.
fn plain(payload: &[u8]) -> Vec<u8> {
    let mut body = Writer::default();
    body.u8(9);
    body.u8(0);
    body.bytes(payload);
    body.0
}

/// A person and a contact as tablets record them, edited by somebody who saw them and by somebody who did not.
fn recorded(contacts: usize) -> Vec<Item> {
    let mut items = Vec::new();
    let mut counter = 0u8;
    for n in 0..contacts {
        let at = format!("2026-11-20T13:{:02}:30Z", n % 60);
        let message = Message {
            at,
            by: "nurse-01".into(),
            offset: 0,
            tablet: "gr2q7gf5lh6pzfdn".into(),
            supersedes: Vec::new(),
            reason: String::new(),
        };
        let person = RecordId::fresh(1_795_179_990_000 + 70_000 * n as u64, &[n as u8; 10]);
        let id = RecordId::fresh(1_795_179_990_003 + 70_000 * n as u64, &[n as u8 + 1; 10]);
        let mut new_id = || {
            counter = counter.wrapping_add(1);
            entry_id([counter, 1, 2, n as u8, 3])
        };
        let mut writes = |kind, json: serde_json::Value| {
            let mut flattener = Flattener { kind, rules: Rules::Entry, new_id: &mut new_id };
            flattener.object(json.as_object().unwrap().clone()).unwrap()
        };
        let author = Author { actor: [n as u8 / 3; 16], fresh: [200; 16], message: &message };
        let person_json = json!({"name": {"given": "Röi", "family": format!("Family {n}")}, "sex": "female",
            "date_of_birth": "1961-04-09", "language": "pa"});
        let (_, change) =
            Record::begin(person, Kind::Person, &writes(Kind::Person, person_json), &author).unwrap();
        items.push(Item::Body { record: person, seq: 7 + n as u64 * 2, raw: change.raw });
        let contact_json = json!({"person": person.to_string(), "session": "460a892b-9dc4-5bd8-9edf-683246954d1d",
            "started_at": "2026-11-20T13:05:00Z", "bp": {"readings": [
                {"taken_at": "2026-11-20T13:06:00Z", "systolic": 120 + n, "diastolic": 80, "arm": "left"},
                {"taken_at": "2026-11-20T13:08:00Z", "systolic": 118 + n, "diastolic": 79}]},
            "measurements": [{"what": "height", "value": 171.5, "unit": "cm", "taken_at": "2026-11-20T13:09:00Z"}]});
        let (mut record, change) =
            Record::begin(id, Kind::Contact, &writes(Kind::Contact, contact_json), &author).unwrap();
        let shown = record.heads();
        items.push(Item::Body { record: id, seq: 8 + n as u64 * 2, raw: change.raw });
        let other = Author { actor: [100 + n as u8; 16], ..author };
        for (author, reason) in [(&author, "walk_up"), (&other, "invited")] {
            let writes = writes(Kind::Contact, json!({"reason": reason, "satisfaction": 4}));
            let change = record.edit(Some(&shown), &writes, author).unwrap().unwrap();
            items.push(Item::Body { record: id, seq: 900 + n as u64, raw: change.raw });
        }
        let heads = record.heads();
        let settle = writes(Kind::Contact, json!({"reason": "referred"}));
        let change = record.edit(Some(&heads), &settle, &author).unwrap().unwrap();
        items.push(Item::Body { record: id, seq: 5, raw: change.raw });
    }
    items
}

#[test]
fn what_tablets_record_comes_back_and_is_smaller() {
    for contacts in [1, 2, 30] {
        let changes = signed(recorded(contacts));
        let body = encode(&changes);
        assert_eq!(body[0], 9);
        assert_eq!(decode(&body).unwrap(), [Frame::Changes(changes.clone())]);
        let mut plainly = Vec::new();
        Frame::Changes(changes).encode(&mut plainly);
        assert!(body.len() * 10 < plainly.len() * 8, "{} and {}", body.len(), plainly.len());
    }
}

#[test]
fn somebody_who_does_not_know_the_form_is_sent_the_old_one() {
    let changes = signed(recorded(3));
    for capabilities in [0, capability::STREAMED, !capability::GROUPED] {
        let (mut body, mut old) = (Vec::new(), Vec::new());
        Frame::Changes(changes.clone()).encode_for(capabilities, &mut body);
        Frame::Changes(changes.clone()).encode(&mut old);
        assert_eq!(body, old);
        assert_eq!(body[0], 2);
    }
}

#[test]
fn a_few_bytes_that_stand_for_very_many_are_refused() {
    // Each change repeats a long text: a place in a table, one byte.
    let text = "x".repeat(9_000);
    let one = |n: usize| {
        let mut builder =
            Builder::new(Head { deps: vec![], actor: &[1; 16], seq: 1, start_op: 1, time: 0, message: "" });
        builder.set("text", Scalar::Str(&text), &[]);
        Item::Body { record: RecordId::from_bytes([n as u8; 16]), seq: 0, raw: builder.finish().0 }
    };
    let honest = grouped(&signed((0..100).map(one).collect())).unwrap();
    assert!(honest.len() < 30_000);
    assert!(decode(&plain(&honest)).is_ok());
    let changes = signed((0..1000).map(one).collect());
    assert_eq!(grouped(&changes), None);
    // Many frames, each within its limit.
    let many = plain(&honest).repeat(30);
    assert!(decode(&many).is_err());
}

#[test]
fn declared_sizes_are_checked_with_the_dictionary_too() {
    let bomb = zstd::bulk::compress(&vec![0u8; 64 << 20], 19).unwrap();
    for ty in [2, 9] {
        for declared in [0, 1u64 << 19, MAX_PAYLOAD as u64, 64 << 20, u64::MAX] {
            let mut body = Writer::default();
            body.u8(ty);
            body.u8(2);
            body.varint(declared);
            body.bytes(&bomb);
            assert!(decode(&body.0).is_err());
        }
    }
}

#[test]
fn deep_nesting_is_no_way_to_exhaust_the_stack() {
    // JSON too deep to be a value goes as bytes; a payload that says otherwise does not come about, and one that is
    // cut and stretched below is refused or harmless.
    let mut json = "1".to_owned();
    for _ in 0..2_000 {
        json = format!("[{json}]");
    }
    let mut builder =
        Builder::new(Head { deps: vec![], actor: &[1], seq: 1, start_op: 1, time: 0, message: &json });
    builder.set("deep", Scalar::Bytes(json.as_bytes()), &[]);
    let changes = signed(vec![Item::Body { record: TEAM, seq: 0, raw: builder.finish().0 }]);
    assert_eq!(decode(&encode(&changes)).unwrap(), [Frame::Changes(changes)]);
}

/// Whatever came of a frame that was altered: no list holds its signature over other bytes than were signed.
fn nothing_is_forged(frames: &[Frame], honest: &Changes) {
    for frame in frames {
        let Frame::Changes(changes) = frame else { continue };
        for list in &changes.lists {
            let author = key().verifying_key().to_bytes();
            if verify_list(&author, changes.team, &list.signed_items(change_hash), &list.signature) {
                for (item, true_item) in list.items.iter().zip(&honest.lists[0].items) {
                    let (Item::Body { raw, record, .. }, Item::Body { raw: true_raw, record: id, .. }) =
                        (item, true_item)
                    else {
                        continue;
                    };
                    assert_eq!((record, raw), (id, true_raw));
                }
            }
        }
    }
}

fn scalar() -> impl Strategy<Value = OwnScalar> {
    prop_oneof![
        Just(OwnScalar::Null),
        any::<bool>().prop_map(OwnScalar::Bool),
        any::<i64>().prop_map(OwnScalar::Int),
        (0i64..300).prop_map(OwnScalar::Int),
        any::<u64>().prop_map(OwnScalar::Uint),
        any::<f64>().prop_map(OwnScalar::F64),
        (-30_000i32..30_000).prop_map(|n| OwnScalar::F64(f64::from(n) / 100.0)),
        "\\PC{0,30}".prop_map(OwnScalar::Str),
        "[a-c\0]{0,3}".prop_map(OwnScalar::Str),
        "(19|20|31)[0-9]{2}-[01][0-9]-[0-3][0-9]".prop_map(OwnScalar::Str),
        "20[0-9]{2}-0[0-9]-[0-2][0-9]T1[0-9]:[0-5][0-9]:[0-6][0-9]Z".prop_map(OwnScalar::Str),
        any::<[u8; 16]>().prop_map(|id| OwnScalar::Str(RecordId::from_bytes(id).to_string())),
        (0u8..6).prop_map(|n| OwnScalar::Str(RecordId::from_bytes([n; 16]).to_string())),
        prop::collection::vec(any::<u8>(), 0..20).prop_map(OwnScalar::Bytes),
        json_value()
            .prop_map(|json| OwnScalar::Bytes(wayside_protocol::record::canonical(&json).into_bytes())),
    ]
}

fn json_value() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(|b| json!(b)),
        any::<i64>().prop_map(|n| json!(n)),
        any::<u64>().prop_map(|n| json!(n)),
        any::<f64>().prop_map(|n| json!(n)),
        "[a-b\0\"é]{0,4}".prop_map(|text| json!(text)),
    ];
    leaf.prop_recursive(4, 30, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(|items| json!(items)),
            prop::collection::btree_map("[a-c]{0,2}|at\0", inner, 0..4).prop_map(|members| json!(members)),
        ]
    })
}

#[derive(Debug, Clone)]
enum OwnScalar {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    F64(f64),
    Str(String),
    Bytes(Vec<u8>),
}

impl OwnScalar {
    fn borrow(&self) -> Scalar<'_> {
        match self {
            OwnScalar::Null => Scalar::Null,
            OwnScalar::Bool(b) => Scalar::Bool(*b),
            OwnScalar::Int(n) => Scalar::Int(*n),
            OwnScalar::Uint(n) => Scalar::Uint(*n),
            OwnScalar::F64(n) => Scalar::F64(*n),
            OwnScalar::Str(text) => Scalar::Str(text),
            OwnScalar::Bytes(bytes) => Scalar::Bytes(bytes),
        }
    }
}

/// A well-formed change of any contents, or now and then bytes that are no change, or none at all.
fn item() -> impl Strategy<Value = Item> {
    let record = prop_oneof![
        (0u8..6).prop_map(|n| RecordId::from_bytes([n; 16])),
        any::<[u8; 16]>().prop_map(RecordId::from_bytes),
        (0u64..(1 << 48), any::<[u8; 10]>()).prop_map(|(ms, random)| RecordId::fresh(ms, &random)),
    ];
    let key = prop_oneof!["[a-d]{1,2}", "x/[a-z2-7]{8}", "[a-z/\u{1}]{1,9}"];
    let head = (
        prop::collection::btree_set(any::<[u8; 32]>(), 0..3),
        (0u8..3, 1u64..400, 1u64..5_000, -3i64..3),
        prop_oneof![Just(String::new()), "\\PC{0,9}", json_value().prop_map(|json| json.to_string())],
    );
    let ops =
        prop::collection::btree_map(key, (scalar(), prop::collection::btree_set(1u64..5_000, 0..3)), 1..8);
    let change = (head, ops).prop_map(|((deps, (actor, seq, start_op, time), message), ops)| {
        let actor = [actor; 16];
        let mut builder = Builder::new(Head {
            deps: deps.into_iter().collect(),
            actor: &actor,
            seq,
            start_op,
            time,
            message: &message,
        });
        for (key, (value, counters)) in &ops {
            let replaced: Vec<Replaced> = counters
                .iter()
                .filter(|counter| **counter < start_op)
                .map(|counter| Replaced {
                    actor: if counter % 2 == 0 { &actor } else { &[9; 3] },
                    counter: *counter,
                })
                .collect();
            builder.set(key, value.borrow(), &replaced);
        }
        builder.finish().0
    });
    prop_oneof![
        8 => (record.clone(), any::<u16>(), change)
            .prop_map(|(record, seq, raw)| Item::Body { record, seq: seq.into(), raw }),
        1 => (record.clone(), any::<u64>(), prop::collection::vec(any::<u8>(), 0..60))
            .prop_map(|(record, seq, raw)| Item::Body { record, seq, raw }),
        1 => (record, any::<[u8; 32]>()).prop_map(|(record, hash)| Item::Absent { record, hash }),
    ]
}

proptest! {
    #[test]
    fn any_batch_comes_back(
        items in prop::collection::vec(item(), 1..12),
        more in prop::collection::vec(item(), 1..4),
        repeat in any::<bool>(),
    ) {
        let mut changes = signed(items.clone());
        changes.authors.push(([6; 32], [7; 64]));
        let items = if repeat { items } else { more };
        changes.lists.push(List { author: 1, signature: [8; 64], items });
        prop_assert_eq!(decode(&encode(&changes)).unwrap(), [Frame::Changes(changes.clone())]);
        let payload = grouped(&changes);
        prop_assert!(payload.is_some());
        prop_assert_eq!(decode(&plain(&payload.unwrap())).unwrap(), [Frame::Changes(changes)]);
    }

    #[test]
    fn a_well_formed_change_is_put_together_as_it_was(item in item()) {
        let Item::Body { raw, .. } = item else { return Ok(()) };
        let Ok(chunk) = parse(&raw) else { return Ok(()) };
        let mut again = Builder::new(Head {
            deps: chunk.deps.clone(),
            actor: chunk.actor,
            seq: chunk.seq,
            start_op: chunk.start_op,
            time: chunk.time,
            message: chunk.message,
        });
        for ((key, value), (_, replaced)) in chunk.writes().zip(chunk.replaces()) {
            again.set(key, value, replaced);
        }
        prop_assert_eq!(again.finish(), (raw.clone(), chunk.hash));
    }

    #[test]
    fn altered_payloads_never_panic_and_forge_nothing(
        changes in (0usize..64, any::<u8>()),
        place in any::<prop::sample::Index>(),
        places in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
    ) {
        let honest = signed(recorded(2));
        let mut payload = grouped(&honest).unwrap();
        // Often near the front, where the structure is.
        let at = if changes.0 < 32 { changes.0 } else { place.index(payload.len()) };
        payload[at] = changes.1;
        for (at, byte) in places {
            let at = at.index(payload.len());
            payload[at] ^= byte;
        }
        nothing_is_forged(&decode(&plain(&payload)).unwrap_or_default(), &honest);
        let mut body = encode(&honest);
        let at = place.index(body.len());
        body[at] ^= changes.1;
        nothing_is_forged(&decode(&body).unwrap_or_default(), &honest);
    }

    #[test]
    fn payloads_of_noise_never_panic(payload in prop::collection::vec(prop_oneof![0u8..25, any::<u8>()], 0..300)) {
        let _ = decode(&plain(&payload));
        // Lengths that fit, so that the noise is read.
        let quarter = payload.len() / 4;
        let mut fitting = Writer::default();
        (0..4).for_each(|_| fitting.varint(quarter as u64));
        fitting.raw(&payload);
        let _ = decode(&plain(&fitting.0));
    }
}
