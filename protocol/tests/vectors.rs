//! The test vectors of `docs/sync-protocol.md`: frames as bytes, and what they mean.
//!
//! `WAYSIDE_VECTORS=write cargo test -p wayside-protocol --test vectors` writes them anew. Vectors of a released form
//! stay: what they say must be readable for ever.

#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use ed25519_dalek::SigningKey;
use serde_json::{Value, json};
use wayside_protocol::{
    error::Code,
    record::{RecordId, change_hash},
    sync::{
        Duty, Frame, NewKey, Order, Position, Receipt, SetSum, capability,
        frame::{
            Ask, Changes, Enrol, Enrolled, Entries, Entry, Found, Hello, Item, List, LookUp, Mark, Place,
            Reconcile, Refusal, Rest, Sent, State, TeamState, Terms, Unlock, Verdict, Verdicts, Want, What,
            Wish, decode,
        },
        sign_certificate, sign_list, sign_request,
    },
};

const TEAM: &str = "0190b3f2-6c1a-7cde-8f00-000000000001";
const RECORD: &str = "0190b3f2-6c1a-7cde-8f00-2a6b1c9d4e5f";
const TIME: u64 = 1_795_179_990_000;
const EPOCH: [u8; 8] = [9, 8, 7, 6, 5, 4, 3, 2];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors")
}

fn hex(bytes: &[u8]) -> Value {
    json!(HEXLOWER.encode(bytes))
}

fn id(text: &str) -> RecordId {
    text.parse().unwrap()
}

fn tablet() -> SigningKey {
    SigningKey::from_bytes(&[1; 32])
}

fn server() -> SigningKey {
    SigningKey::from_bytes(&[2; 32])
}

fn public(key: &SigningKey) -> [u8; 32] {
    key.verifying_key().to_bytes()
}

/// The two changes of the specification's worked contact.
fn worked() -> [Vec<u8>; 2] {
    let text = std::fs::read_to_string(folder().join("worked-contact.hex")).unwrap();
    let mut changes = text.split_whitespace().map(|line| HEXLOWER.decode(line.as_bytes()).unwrap());
    [changes.next().unwrap(), changes.next().unwrap()]
}

fn list(signer: &SigningKey, author: usize, items: Vec<Item>) -> List {
    let mut list = List { author, signature: [0; 64], items };
    list.signature = sign_list(signer, id(TEAM), &list.signed_items(change_hash));
    list
}

fn bodies() -> Vec<Item> {
    let body = |(raw, seq)| Item::Body { record: id(RECORD), seq, raw };
    worked().into_iter().zip([300, 301]).map(body).collect()
}

fn offered() -> Changes {
    let mut items = bodies();
    items.iter_mut().for_each(|item| {
        if let Item::Body { seq, .. } = item {
            *seq = 0;
        }
    });
    Changes { team: id(TEAM), authors: vec![], lists: vec![list(&tablet(), 0, items)] }
}

/// As the server passes them on: the second alone, in the list in which it was signed.
fn passed_on() -> Changes {
    let mut all = list(&tablet(), 1, bodies());
    let [first, _] = worked();
    all.items[0] = Item::Absent { record: id(RECORD), hash: change_hash(&first) };
    let certificate = sign_certificate(&server(), &public(&tablet()));
    Changes { team: id(TEAM), authors: vec![(public(&tablet()), certificate)], lists: vec![all] }
}

fn hello(version: u8) -> Frame {
    let mut sum = SetSum::default();
    sum.add(id(RECORD), &change_hash(&worked()[0]));
    Frame::Hello(Hello {
        version,
        capabilities: capability::STREAMED | capability::GROUPED,
        tablet: public(&tablet()),
        nonce: [3; 16],
        time_ms: TIME,
        teams: vec![Place {
            team: id(TEAM),
            epoch: EPOCH,
            cursor: 1,
            fingerprint: sum.fingerprint(),
            held: vec![(300, 301), (305, 305)],
        }],
    })
}

/// Every type of frame: a name, the frame, and whether it goes in its grouped form.
fn frames() -> Vec<(&'static str, Frame, bool)> {
    let mut signed = Vec::new();
    hello(1).encode(&mut signed);
    let position = Position { team: id(TEAM), epoch: EPOCH, seq: 301, fingerprint: [6; 16], watermark: 200 };
    let receipt = Receipt::sign(&server(), &public(&tablet()), [5; 8], vec![position]);
    vec![
        ("hello", hello(1), false),
        ("changes", Frame::Changes(offered()), false),
        ("changes-passed-on", Frame::Changes(passed_on()), false),
        ("changes-grouped", Frame::Changes(offered()), true),
        ("changes-grouped-passed-on", Frame::Changes(passed_on()), true),
        (
            "verdicts",
            Frame::Verdicts(Verdicts {
                team: id(TEAM),
                frame: 0,
                verdicts: vec![
                    Verdict::Accepted { seq: 300 },
                    Verdict::Known { seq: 7 },
                    Verdict::Quarantined { code: "out_of_range".into() },
                    Verdict::Waiting,
                    Verdict::Accepted { seq: 301 },
                    Verdict::Erased,
                ],
            }),
            false,
        ),
        (
            "state",
            Frame::State(State {
                server_time_ms: TIME + 500,
                teams: vec![TeamState {
                    team: id(TEAM),
                    epoch: EPOCH,
                    cursor: 301,
                    fingerprint: [6; 16],
                    more: true,
                }],
            }),
            false,
        ),
        (
            "enrol",
            Frame::Enrol(Enrol {
                version: 1,
                secret: [9; 16],
                tablet: public(&tablet()),
                name: "Van 2, left".into(),
            }),
            false,
        ),
        (
            "enrolled",
            Frame::Enrolled(Enrolled {
                server: public(&server()),
                certificate: sign_certificate(&server(), &public(&tablet())),
                server_time_ms: TIME,
                team: id(TEAM),
                team_name: "Leeds East".into(),
                capabilities: capability::STREAMED | capability::GROUPED,
            }),
            false,
        ),
        ("seal", Frame::Seal(sign_request(&tablet(), &public(&server()), &signed)), false),
        (
            "ask",
            Frame::Ask(Ask {
                frame_bytes: 65_536,
                sent: vec![Sent { team: id(TEAM), list: [7; 16] }],
                given_up: None,
                rest: Some(Rest { teams: 3, fingerprint: [6; 16] }),
                waiting: 0,
            }),
            false,
        ),
        (
            "ask, an earlier request given up",
            Frame::Ask(Ask {
                frame_bytes: 65_536,
                sent: vec![Sent { team: id(TEAM), list: [7; 16] }],
                given_up: Some([3; 16]),
                rest: None,
                waiting: 0,
            }),
            false,
        ),
        (
            "terms",
            Frame::Terms(Terms {
                capabilities: capability::STREAMED | capability::GROUPED,
                credit: 1 << 20,
                rest_same: true,
                notice: "upgrade_needed".into(),
            }),
            false,
        ),
        ("mark", Frame::Mark(Mark { team: id(TEAM), epoch: EPOCH, cursor: 301 }), false),
        (
            "reconcile",
            Frame::Reconcile(Reconcile {
                team: id(TEAM),
                epoch: EPOCH,
                head: 301,
                message: vec![0x61, 0, 0, 0],
            }),
            false,
        ),
        (
            "want",
            Frame::Want(Want { team: id(TEAM), epoch: EPOCH, head: 301, briefs: vec![[4; 8], [8; 8]] }),
            false,
        ),
        ("receipt", Frame::Receipt(receipt), false),
        ("token", Frame::Token([5; 8]), false),
        ("asks for the secret for unlock codes", Frame::Unlock(Unlock { secret: None }), false),
        ("gives the secret for unlock codes", Frame::Unlock(Unlock { secret: Some([9; 32]) }), false),
        (
            "entries",
            Frame::Entries(Entries {
                team: id(TEAM),
                epoch: EPOCH,
                entries: [(What::Archive, 302), (What::Activate, 303), (What::Erase, 700)]
                    .map(|(what, seq)| Entry { what, record: id(RECORD), seq })
                    .to_vec(),
            }),
            false,
        ),
        ("looks up", look_up(Wish::Search { query: "khan 1968".into() }), false),
        ("fetches", look_up(Wish::Fetch { records: vec![id(RECORD)] }), false),
        (
            "found",
            Frame::Found(Found {
                team: id(TEAM),
                records: vec![(id(RECORD), r#"{"name":"Amina Khan","nhs_number":"0019"}"#.into())],
                more: true,
            }),
            false,
        ),
        ("order to wipe", order(Duty::Wipe), false),
        ("order to leave a team", order(Duty::Leave(id(TEAM))), false),
        (
            "new key",
            Frame::NewKey(NewKey::sign(
                &SigningKey::from_bytes(&[4; 32]),
                &public(&server()),
                &public(&tablet()),
            )),
            false,
        ),
        (
            "renewed",
            Frame::Renewed(sign_certificate(&server(), &public(&SigningKey::from_bytes(&[4; 32])))),
            false,
        ),
    ]
}

fn order(duty: Duty) -> Frame {
    Frame::Order(Order::sign(&server(), &public(&tablet()), &[3; 16], duty))
}

fn look_up(wish: Wish) -> Frame {
    let (staff, reason) = ("nurse-01".into(), "Came back to the mosque".into());
    Frame::LookUp(LookUp { team: id(TEAM), staff, reason, wish })
}

/// A refusal for every code: any may arrive.
fn refusals() -> Vec<(&'static str, Frame, bool)> {
    let refusal = |code: &Code| Refusal {
        code: code.as_str().into(),
        message: code.message().into(),
        server_time_ms: TIME + 500,
    };
    Code::ALL.iter().map(|code| (code.as_str(), Frame::Refusal(refusal(code)), false)).collect()
}

/// What a frame means. A new type of frame does not compile here, so that it gets a vector above.
fn meaning(frame: &Frame) -> Value {
    match frame {
        Frame::Hello(hello) => json!({"hello": {
            "version": hello.version, "capabilities": hello.capabilities, "tablet": hex(&hello.tablet),
            "nonce": hex(&hello.nonce), "time_ms": hello.time_ms,
            "teams": hello.teams.iter().map(|place| json!({
                "team": place.team, "epoch": hex(&place.epoch), "cursor": place.cursor,
                "fingerprint": hex(&place.fingerprint), "held": place.held,
            })).collect::<Vec<_>>(),
        }}),
        Frame::Changes(changes) => json!({"changes": {
            "team": changes.team,
            "authors": changes.authors.iter()
                .map(|(key, certificate)| json!({"key": hex(key), "certificate": hex(certificate)}))
                .collect::<Vec<_>>(),
            "lists": changes.lists.iter().map(|list| json!({
                "author": list.author, "signature": hex(&list.signature),
                "items": list.items.iter().map(item).collect::<Vec<_>>(),
            })).collect::<Vec<_>>(),
        }}),
        Frame::Verdicts(verdicts) => json!({"verdicts": {
            "team": verdicts.team, "frame": verdicts.frame,
            "verdicts": verdicts.verdicts.iter().map(|verdict| match verdict {
                Verdict::Accepted { seq } => json!({"accepted": seq}),
                Verdict::Known { seq } => json!({"known": seq}),
                Verdict::Quarantined { code } => json!({"quarantined": code}),
                Verdict::Waiting => json!("waiting"),
                Verdict::Erased => json!("erased"),
            }).collect::<Vec<_>>(),
        }}),
        Frame::State(state) => json!({"state": {
            "server_time_ms": state.server_time_ms,
            "teams": state.teams.iter().map(|team| json!({
                "team": team.team, "epoch": hex(&team.epoch), "cursor": team.cursor,
                "fingerprint": hex(&team.fingerprint), "more": team.more,
            })).collect::<Vec<_>>(),
        }}),
        Frame::Enrol(enrol) => json!({"enrol": {
            "version": enrol.version, "secret": hex(&enrol.secret), "tablet": hex(&enrol.tablet),
            "name": enrol.name,
        }}),
        Frame::Enrolled(enrolled) => json!({"enrolled": {
            "server": hex(&enrolled.server), "certificate": hex(&enrolled.certificate),
            "server_time_ms": enrolled.server_time_ms, "team": enrolled.team, "team_name": enrolled.team_name,
            "capabilities": enrolled.capabilities,
        }}),
        Frame::Refusal(refusal) => json!({"refusal": {
            "code": refusal.code, "message": refusal.message, "server_time_ms": refusal.server_time_ms,
        }}),
        Frame::Seal(signature) => json!({"seal": hex(signature)}),
        Frame::Ask(ask) => json!({"ask": {
            "frame_bytes": ask.frame_bytes,
            "sent": ask.sent.iter().map(|sent| json!({"team": sent.team, "list": hex(&sent.list)})).collect::<Vec<_>>(),
            "given_up": ask.given_up.map(|nonce| hex(&nonce)),
            "rest": ask.rest.as_ref()
                .map(|rest| json!({"teams": rest.teams, "fingerprint": hex(&rest.fingerprint)})),
        }}),
        Frame::Terms(terms) => json!({"terms": {
            "capabilities": terms.capabilities, "credit": terms.credit, "rest_same": terms.rest_same,
            "notice": terms.notice,
        }}),
        Frame::Mark(mark) => {
            json!({"mark": {"team": mark.team, "epoch": hex(&mark.epoch), "cursor": mark.cursor}})
        }
        Frame::Reconcile(reconcile) => json!({"reconcile": {
            "team": reconcile.team, "epoch": hex(&reconcile.epoch), "head": reconcile.head,
            "message": hex(&reconcile.message),
        }}),
        Frame::Want(want) => json!({"want": {
            "team": want.team, "epoch": hex(&want.epoch), "head": want.head,
            "briefs": want.briefs.iter().map(|brief| hex(brief)).collect::<Vec<_>>(),
        }}),
        Frame::Receipt(receipt) => json!({"receipt": {
            "token": hex(&receipt.token), "signature": hex(&receipt.signature),
            "positions": receipt.positions.iter().map(|position| json!({
                "team": position.team, "epoch": hex(&position.epoch), "seq": position.seq,
                "fingerprint": hex(&position.fingerprint), "watermark": position.watermark,
            })).collect::<Vec<_>>(),
        }}),
        Frame::Token(token) => json!({"token": hex(token)}),
        Frame::Unlock(unlock) => json!({"unlock": unlock.secret.map(|secret| hex(&secret))}),
        Frame::Entries(entries) => json!({"entries": {
            "team": entries.team, "epoch": hex(&entries.epoch),
            "entries": entries.entries.iter().map(|entry| json!({
                "what": match entry.what {
                    What::Archive => "archive", What::Activate => "activate", What::Erase => "erase",
                },
                "record": entry.record, "number": entry.seq,
            })).collect::<Vec<_>>(),
        }}),
        Frame::LookUp(look_up) => json!({"look_up": {
            "team": look_up.team, "staff": look_up.staff, "reason": look_up.reason,
            "wish": match &look_up.wish {
                Wish::Search { query } => json!({"search": query}),
                Wish::Fetch { records } => json!({"fetch": records}),
            },
        }}),
        Frame::Found(found) => json!({"found": {
            "team": found.team, "more": found.more,
            "records": found.records.iter()
                .map(|(record, summary)| json!({"record": record, "summary": summary}))
                .collect::<Vec<_>>(),
        }}),
        Frame::Order(order) => json!({"order": {
            "wipe": order.duty == Duty::Wipe,
            "leave": match order.duty { Duty::Wipe => Value::Null, Duty::Leave(team) => json!(team) },
            "signature": hex(&order.signature),
        }}),
        Frame::NewKey(wish) => json!({"new_key": {"key": hex(&wish.key), "signature": hex(&wish.signature)}}),
        Frame::Renewed(certificate) => json!({"renewed": hex(certificate)}),
    }
}

fn item(item: &Item) -> Value {
    match item {
        Item::Body { record, seq, raw } => json!({"record": record, "number": seq, "change": hex(raw)}),
        Item::Absent { record, hash } => json!({"record": record, "absent": hex(hash)}),
    }
}

fn encode(frame: &Frame, grouped: bool) -> Vec<u8> {
    let mut body = Vec::new();
    frame.encode_for(if grouped { capability::GROUPED } else { 0 }, &mut body);
    body
}

fn check(file: &str, frames: Vec<(&'static str, Frame, bool)>) {
    let path = folder().join(file);
    if std::env::var("WAYSIDE_VECTORS").is_ok_and(|value| value == "write") {
        let lines = frames.iter().map(|(name, frame, grouped)| {
            let line = json!({"name": name, "hex": hex(&encode(frame, *grouped)), "meaning": meaning(frame)});
            line.to_string() + "\n"
        });
        std::fs::write(&path, lines.collect::<String>()).unwrap();
    }
    let text = std::fs::read_to_string(&path).unwrap();
    let vectors: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let names: Vec<&str> = vectors.iter().filter_map(|vector| vector["name"].as_str()).collect();
    for (name, frame, grouped) in &frames {
        let at =
            names.iter().position(|known| known == name).unwrap_or_else(|| panic!("no vector for {name}"));
        let vector = &vectors[at];
        let bytes = HEXLOWER.decode(vector["hex"].as_str().unwrap().as_bytes()).unwrap();
        assert_eq!(decode(&bytes).unwrap(), std::slice::from_ref(frame), "{name}");
        assert_eq!(meaning(frame), vector["meaning"], "{name}");
        // A new release of the compressor may find fewer bytes.
        if bytes[1] == 0 {
            assert_eq!(encode(frame, *grouped), bytes, "{name}");
        }
    }
    // What was written once stays readable, also when nothing writes it any more.
    for vector in &vectors {
        let bytes = HEXLOWER.decode(vector["hex"].as_str().unwrap().as_bytes()).unwrap();
        assert_eq!(meaning(&decode(&bytes).unwrap()[0]), vector["meaning"]);
    }
}

#[test]
fn every_type_of_frame() {
    check("frames.jsonl", frames());
}

#[test]
fn a_refusal_with_every_code() {
    check("refusals.jsonl", refusals());
}
