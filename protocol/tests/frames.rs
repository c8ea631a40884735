//! Frames: what is written is read back, and whatever arrives never does harm.

#![allow(clippy::unwrap_used)]

use ed25519_dalek::SigningKey;
use proptest::prelude::*;
use wayside_protocol::{
    record::{RecordId, change_hash},
    sync::{
        Duty, Frame, NewKey, Order,
        frame::{
            Ask, Changes, Enrol, Enrolled, Entries, Entry, Found, Hello, Item, List, LookUp, MAX_BODY, Mark,
            Place, Refusal, Rest, Sent, State, TeamState, Terms, Verdict, Verdicts, What, Wish, decode,
            unseal,
        },
        sign_list, sign_request, verify_list, verify_request,
        wire::Writer,
    },
};

fn id(n: u8) -> RecordId {
    RecordId::from_bytes([n; 16])
}

fn every_frame() -> Vec<Frame> {
    vec![
        Frame::Hello(Hello {
            version: 1,
            capabilities: 300,
            tablet: [1; 32],
            nonce: [2; 16],
            time_ms: 1_790_000_000_000,
            teams: vec![Place {
                team: id(3),
                epoch: [4; 8],
                cursor: 70_000,
                fingerprint: [5; 16],
                held: vec![(70_002, 70_009), (70_011, 70_011)],
            }],
        }),
        Frame::Changes(Changes {
            team: id(3),
            authors: vec![([6; 32], [7; 64])],
            lists: vec![List {
                author: 1,
                signature: [8; 64],
                items: vec![
                    Item::Body { record: id(9), seq: 12, raw: vec![10; 300] },
                    Item::Absent { record: id(9), hash: [11; 32] },
                ],
            }],
        }),
        Frame::Verdicts(Verdicts {
            team: id(3),
            frame: 2,
            verdicts: vec![
                Verdict::Accepted { seq: 100 },
                Verdict::Known { seq: 7 },
                Verdict::Quarantined { code: "out_of_range".into() },
                Verdict::Waiting,
                Verdict::Accepted { seq: u64::MAX },
                Verdict::Erased,
            ],
        }),
        Frame::State(State {
            server_time_ms: 9,
            teams: vec![TeamState {
                team: id(3),
                epoch: [4; 8],
                cursor: 5,
                fingerprint: [6; 16],
                more: true,
            }],
        }),
        Frame::Enrol(Enrol { version: 1, secret: [1; 16], tablet: [2; 32], name: "Van 2, left".into() }),
        Frame::Enrolled(Enrolled {
            server: [1; 32],
            certificate: [2; 64],
            server_time_ms: 3,
            team: id(4),
            team_name: "Leeds East".into(),
            capabilities: 1,
        }),
        Frame::Ask(Ask {
            frame_bytes: 4096,
            sent: vec![Sent { team: id(3), list: [7; 16] }],
            given_up: Some([8; 16]),
            rest: Some(Rest { teams: 12, fingerprint: [6; 16] }),
            waiting: 300,
        }),
        Frame::Ask(Ask::default()),
        Frame::Ask(Ask { waiting: 14, ..Ask::default() }),
        Frame::Terms(Terms {
            capabilities: 1,
            credit: 1 << 20,
            rest_same: true,
            notice: "upgrade_needed".into(),
        }),
        Frame::Mark(Mark { team: id(3), epoch: [4; 8], cursor: 300 }),
        Frame::Entries(Entries {
            team: id(3),
            epoch: [4; 8],
            entries: vec![
                Entry { what: What::Archive, record: id(9), seq: 7 },
                Entry { what: What::Erase, record: id(9), seq: 300 },
            ],
        }),
        Frame::LookUp(LookUp {
            team: id(3),
            staff: "nurse-01".into(),
            reason: "Came back".into(),
            wish: Wish::Fetch { records: vec![id(9)] },
        }),
        Frame::Found(Found { team: id(3), records: vec![(id(9), "{}".into())], more: false }),
        Frame::Order(Order { duty: Duty::Wipe, signature: [1; 64] }),
        Frame::Order(Order { duty: Duty::Leave(id(3)), signature: [1; 64] }),
        Frame::NewKey(NewKey { key: [1; 32], signature: [2; 64] }),
        Frame::Renewed([3; 64]),
        Frame::Refusal(Refusal { code: "clock".into(), message: "Too far.".into(), server_time_ms: 8 }),
    ]
}

#[test]
fn every_frame_survives() {
    let frames = every_frame();
    let mut body = Vec::new();
    frames.iter().for_each(|frame| frame.encode(&mut body));
    assert_eq!(decode(&body).unwrap(), frames);
}

#[test]
fn a_newer_side_may_add_frames_and_fields() {
    let mut body = Vec::new();
    Frame::Refusal(Refusal { code: "clock".into(), message: String::new(), server_time_ms: 8 })
        .encode(&mut body);
    let mut newer = Writer::default();
    newer.u8(200);
    newer.u8(0);
    newer.bytes(b"a frame of the future");
    newer.raw(&body[..1]);
    newer.u8(0);
    let mut payload = body[3..].to_vec();
    payload.extend_from_slice(b"a field of the future");
    newer.bytes(&payload);
    assert_eq!(decode(&newer.0).unwrap(), decode(&body).unwrap());
}

#[test]
fn a_body_cut_short_is_refused_or_holds_only_whole_frames() {
    let frames = every_frame();
    let mut body = Vec::new();
    frames.iter().for_each(|frame| frame.encode(&mut body));
    for end in 0..body.len() {
        if let Ok(read) = decode(&body[..end]) {
            assert_eq!(read[..], frames[..read.len()]);
        }
    }
}

#[test]
fn declared_sizes_are_checked_before_anything_is_allocated() {
    let bomb = zstd::bulk::compress(&vec![0u8; 64 << 20], 19).unwrap();
    for declared in [1u64 << 19, 1 << 20, 64 << 20, u64::MAX] {
        let mut body = Writer::default();
        body.u8(2);
        body.u8(1);
        body.varint(declared);
        body.bytes(&bomb);
        assert!(decode(&body.0).is_err());
    }
    assert!(decode(&vec![0; MAX_BODY + 1]).is_err());
}

#[test]
fn a_request_is_sealed_for_one_server() {
    let key = SigningKey::from_bytes(&[7; 32]);
    let tablet = key.verifying_key().to_bytes();
    let server = [9; 32];
    let mut body = Vec::new();
    every_frame().iter().for_each(|frame| frame.encode(&mut body));
    let signature = sign_request(&key, &server, &body);
    Frame::Seal(signature).encode(&mut body);
    let (signed, seal) = unseal(&body).unwrap();
    assert!(verify_request(&tablet, &server, signed, &seal));
    assert!(!verify_request(&tablet, &[8; 32], signed, &seal));
    for at in [0, signed.len() / 2, signed.len() - 1] {
        let mut altered = body.clone();
        altered[at] ^= 1;
        let (signed, seal) = unseal(&altered).unwrap();
        assert!(!verify_request(&tablet, &server, signed, &seal));
    }
    assert!(unseal(&body[..body.len() - 1]).is_err());
    assert!(unseal(&[]).is_err());
}

#[test]
fn a_list_holds_its_signature_with_some_of_its_changes_left_out() {
    let key = SigningKey::from_bytes(&[7; 32]);
    let author = key.verifying_key().to_bytes();
    let raws = [vec![1; 50], vec![2; 60]];
    let items: Vec<_> = raws.iter().map(|raw| (id(1), change_hash(raw))).collect();
    let signature = sign_list(&key, id(3), &items);
    let mut list = List {
        author: 0,
        signature,
        items: vec![
            Item::Body { record: id(1), seq: 4, raw: raws[0].clone() },
            Item::Absent { record: id(1), hash: items[1].1 },
        ],
    };
    assert!(verify_list(&author, id(3), &list.signed_items(change_hash), &list.signature));
    let Item::Body { raw, .. } = &mut list.items[0] else { unreachable!() };
    raw[20] ^= 1;
    assert!(!verify_list(&author, id(3), &list.signed_items(change_hash), &list.signature));
}

proptest! {
    #[test]
    fn whatever_arrives_never_panics(body in proptest::collection::vec(any::<u8>(), 0..600)) {
        let _ = decode(&body);
        let _ = unseal(&body);
    }

    #[test]
    fn altered_frames_never_panic(at in any::<prop::sample::Index>(), bit in 0u8..8, cut in any::<prop::sample::Index>()) {
        let mut body = Vec::new();
        every_frame().iter().for_each(|frame| frame.encode(&mut body));
        let at = at.index(body.len());
        body[at] ^= 1 << bit;
        let _ = decode(&body);
        let _ = decode(&body[..cut.index(body.len())]);
    }
}
