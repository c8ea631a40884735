//! What is small on the way and large inside, what is large on the way, and what has no end.

use serde_json::json;
use wayside_protocol::{
    record::{Kind, Scalar, Write, change_hash},
    sync::{Frame, frame::Hello, frame::MAX_BODY, sign_request, wire::Writer},
};
use wayside_server::accounts::{Role, Scope};

use crate::{
    paper::{Offer, Paper, nowhere, verdicts},
    target::{NORTH, Target},
    wire::http,
};

const CHANGES: u8 = 2;
const HELLO: u8 = 1;

/// A frame of these bytes, compressed or not, that says of itself that it is `plain` bytes long.
fn frame(ty: u8, payload: &[u8], plain: Option<u64>) -> Vec<u8> {
    let mut frame = Writer::default();
    frame.u8(ty);
    frame.u8(u8::from(plain.is_some()));
    plain.into_iter().for_each(|plain| frame.varint(plain));
    frame.bytes(payload);
    frame.0
}

#[test]
fn a_frame_that_swells_or_counts_without_end_is_refused() {
    let target = Target::start();
    let tablet = Paper::enrolled(target.base(), NORTH);
    let zeros = zstd::bulk::compress(&vec![0; 64 << 20], 3).unwrap();
    assert!(zeros.len() < 16 << 10, "a bomb");
    let honest = || -> Hello { tablet.hello(target.base(), vec![]) };
    let head = || tablet.request(honest(), &[], &[]);
    let before = target.heads();
    let mut bombs = Vec::new();
    for plain in [64 << 20, 1 << 20, 100, 0, u64::MAX] {
        bombs.push(frame(CHANGES, &zeros, Some(plain)));
        // Behind the head of a tablet that we know, where frames are read one by one.
        bombs.push([head(), frame(CHANGES, &zeros, Some(plain))].concat());
        // Each of them small enough.
        bombs.push([head(), frame(CHANGES, &zeros, Some(plain)).repeat(64)].concat());
    }
    for count in [1 << 20, 1 << 40, u64::MAX] {
        let mut counted = Writer::default();
        counted.raw(target.north.as_bytes());
        counted.varint(count);
        bombs.push([head(), frame(CHANGES, &counted.0, None)].concat());
        let mut places = Vec::new();
        Frame::Hello(honest()).encode(&mut places);
        let mut hello = Writer(places[3..places.len() - 1].to_vec());
        hello.varint(count);
        let mut body = frame(HELLO, &hello.0, None);
        let seal = sign_request(&tablet.key, &tablet.server, &body);
        Frame::Seal(seal).encode(&mut body);
        bombs.push(body);
    }
    // A length that never comes, and frames that nobody knows, again and again.
    bombs.push([head(), vec![CHANGES, 0, 0xff, 0xff, 0xff, 0xff, 0x7f]].concat());
    bombs.push([head(), [200, 0, 0].repeat(500_000)].concat());
    for (n, bomb) in bombs.into_iter().enumerate() {
        let refused = target.sync(&bomb);
        let code = refused.code();
        assert!(["frame_malformed", "too_large"].contains(&code.as_str()), "{n}: {} {code}", refused.status);
    }
    assert_eq!(target.heads(), before);
    let offer = tablet.begin(Kind::Person, json!({"sex": "F"}));
    let body = tablet.request(honest(), &[], &[tablet.frame(tablet.team, &[offer])]);
    assert_eq!(verdicts(&target.sync(&body).body), ["accepted"]);
}

#[test]
fn a_change_that_swells_or_nests_is_kept_apart() {
    let target = Target::start();
    let tablet = Paper::enrolled(target.base(), NORTH);
    // Automerge would inflate it before anybody has looked.
    let (id, mut change) = tablet.begin(Kind::Person, json!({"sex": "F"}));
    change.raw[8] = 2;
    change.hash = change_hash(&change.raw);
    assert_eq!(tablet.push(target.base(), &[(id, change)]), ["change_compressed"]);
    let nested = |depth: usize| -> Offer {
        let value = (0..depth).fold(json!(1), |value, _| json!([value]));
        let write = Write { path: "ext/deep".into(), value: Scalar::Json(value) };
        tablet.begin_with(rand::random(), Kind::Person, &[write])
    };
    for depth in [20, 1_000] {
        let verdict = tablet.push(target.base(), &[nested(depth)]);
        assert!(verdict != ["accepted"], "{depth}: {verdict:?}");
    }
    let large = json!({"name": {"given": "a".repeat(300_000), "family": "b"}});
    assert_eq!(tablet.push(target.base(), &[tablet.begin(Kind::Person, large)]).len(), 1);
    assert_eq!(tablet.push(target.base(), &[nested(3)]), ["accepted"]);
    let page = target.get("/quarantine", &target.signed_in("ada", Role::Administrator, None));
    assert_eq!(page.status, 200, "it can be looked at");
}

#[test]
fn what_is_too_large_too_deep_or_packed_is_refused_by_the_pages() {
    let target = Target::start();
    let ada = target.signed_in("ada", Role::Administrator, None);
    let wish = wayside_server::accounts::Wish {
        account: "ada".into(),
        name: "attack".into(),
        scopes: Scope::ALL.to_vec(),
        days: 1,
    };
    let token = format!("Bearer {}", wayside_server::accounts::issue(target.base(), "test", &wish).unwrap());
    let send_to = |path: &str, more: &[(&str, &str)], body: &[u8]| {
        let mut headers = vec![("Host", "x"), ("Authorization", &token)];
        headers.extend(more);
        target.door().ask(&http("POST", path, &headers, body))
    };
    let send = |more: &[(&str, &str)], body: &[u8]| send_to("/api/v1/find", more, body);
    let json = ("Content-Type", "application/json");
    let nested = |depth: usize| {
        let value = format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
        let body = format!("{{\"path\": \"sex\", \"value\": {value}, \"heads\": []}}");
        let path = "/api/v1/records/01931d4a-0000-7000-8000-000000000000/settle";
        send_to(path, &[json], body.as_bytes()).code()
    };
    assert_eq!(nested(20_000), "bad_json");
    assert_ne!(nested(3), "bad_json");
    let packed = zstd::bulk::compress(&br#"{"text": "xxxx"}"#.repeat(1000), 3).unwrap();
    for (what, more, body, code) in [
        ("too large", &[json][..], &[b' '; 70_000][..], "too_large"),
        ("packed", &[json, ("Content-Encoding", "zstd")], &packed, "bad_json"),
        ("gzipped", &[json, ("Content-Encoding", "gzip")], b"\x1f\x8b\x08\x00\x00\x00\x00\x00", "bad_json"),
        ("no JSON", &[("Content-Type", "application/cbor")], b"\xa1\x64text\x61x", "media_type"),
        ("cut", &[json], br#"{"text": "x"#, "bad_json"),
        (
            "too long a text",
            &[json],
            format!("{{\"text\": \"{}\"}}", "x".repeat(20_000)).as_bytes(),
            "out_of_range",
        ),
    ] {
        let refused = send(more, body);
        assert_eq!(refused.code(), code, "{what}: {} {}", refused.status, refused.text());
        assert!((400..500).contains(&refused.status), "{what}");
    }
    assert_eq!(send(&[json], br#"{"text": "zzqx", "more": [[[1]]]}"#).status, 200);
    let form = target.post("/find", &ada, &[("text", &"x".repeat(70_000))]);
    assert!((400..500).contains(&form.status), "{}", form.status);
    assert_eq!(target.post("/find", &ada, &[("text", "zzqx")]).status, 200);
}

#[test]
fn a_head_or_a_length_without_end_is_not_waited_for() {
    let target = Target::start();
    let tablet = Paper::enrolled(target.base(), NORTH);
    // Said before anything of it was sent.
    let says = |path: &str, length: u64| {
        let head = format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n");
        target.door().ask(head.as_bytes())
    };
    for path in ["/sync/v1", "/sync/v1/enrol", "/sync/v1/live"] {
        let refused = says(path, 10 << 30);
        assert_eq!((refused.status, refused.code().as_str()), (413, "too_large"), "{path}");
    }
    let refused = says("/sync/v1", MAX_BODY as u64 + 1);
    assert_eq!((refused.status, refused.code().as_str()), (413, "too_large"));
    let host = target.door().addr.to_string();
    for headers in [
        vec![("X-Long".to_owned(), "x".repeat(4 << 20))],
        (0..5_000).map(|n| (format!("X-{n}"), "x".to_owned())).collect(),
        vec![("Cookie".to_owned(), "a=b; ".repeat(800_000))],
    ] {
        let mut all = vec![("Host", host.as_str())];
        all.extend(headers.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        let mut line = target.door().connect().unwrap();
        // It may have hung up before all of it was said.
        let _ = line.say(&http("GET", "/healthz", &all, b""));
        if let Ok(Some(answer)) = line.hear() {
            assert!([400, 431].contains(&answer.status), "{}", answer.status);
        }
    }
    assert_eq!(target.get("/healthz", "").status, 200);
    let asks = tablet.request(tablet.hello(target.base(), vec![nowhere(tablet.team)]), &[], &[]);
    assert_eq!(target.sync(&asks).status, 200);
}
