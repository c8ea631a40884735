//! Servers that are older than the tablet, and what they answered, as it was recorded; clocks that are set.

use ed25519_dalek::SigningKey;
use wayside_protocol::sync::{
    Frame, capability,
    frame::{self, Hello, PROTOCOL_VERSION, Refusal, STREAMED_VERSION},
    sign_certificate,
};

use super::{
    Kit, NOW,
    base::{Base, sync_through, whole},
};
use crate::{
    Code,
    store::{log, meta},
    sync::{apply, engine::Engine, outline},
};

fn hello(request: &[u8]) -> Hello {
    let mut incoming = frame::Incoming::default();
    incoming.push(request).unwrap();
    match incoming.peek() {
        Ok(Some(Frame::Hello(hello))) => hello,
        other => panic!("{other:?}"),
    }
}

fn refusal(code: Code) -> Vec<u8> {
    let mut body = Vec::new();
    let (code, message) = (code.as_str().to_owned(), String::new());
    Frame::Refusal(Refusal { code, message, server_time_ms: NOW as u64 }).encode(&mut body);
    body
}

/// A server that was put back to an older version: it said once what it could, and no longer can.
#[test]
fn a_server_that_went_back_a_version_is_spoken_to_in_its_own() {
    for code in [Code::VersionUnsupported, Code::FrameMalformed] {
        let (mut base, kit) = (Base::new(), Kit::new(1));
        base.enrol(&kit);
        kit.tablet.0.store.write(|conn| meta::set(conn, meta::SERVER_CAN, capability::OURS as i64)).unwrap();
        kit.record();
        let mut versions = Vec::new();
        let outcome = sync_through(&kit.tablet, &Base::new(), |request| {
            versions.push(hello(&request).version);
            if versions.ends_with(&[STREAMED_VERSION]) { refusal(code) } else { base.handle(&request) }
        });
        assert_eq!((outcome.code(), outcome.in_sync, outcome.accepted), (None, true, 4));
        assert_eq!(versions[..2], [STREAMED_VERSION, PROTOCOL_VERSION]);
    }
}

/// And one that refuses both is believed, and nothing is lost.
#[test]
fn a_tablet_that_is_refused_for_its_age_keeps_everything_and_says_so() {
    let kit = Kit::new(1);
    Base::new().enrol(&kit);
    kit.record();
    let outcome = sync_through(&kit.tablet, &Base::new(), |_| refusal(Code::VersionUnsupported));
    assert_eq!(outcome.code(), Some(Code::VersionUnsupported));
    assert_eq!(kit.tablet.status().unwrap().waiting, 4);
    kit.record();
    assert!(kit.tablet.status().unwrap().waiting > 4, "and it goes on recording");
}

/// The answer of a server of version 1, as it went over the wire.
#[test]
fn a_recorded_answer_of_an_old_server_is_read() {
    let request = include_bytes!("../../../tests/old/version-1/frames/old-first.request");
    let answer = include_bytes!("../../../tests/old/version-1/frames/old-first.answer");
    let seed = include_bytes!("../../../tests/old/version-1/base/keys/identity.key");
    let key = SigningKey::from_bytes(seed);
    let kit = Kit::new(1);
    let inner = &kit.tablet.0;
    let team = hello(request).teams[0].team;
    let certificate = sign_certificate(&key, &inner.store.read(|conn| inner.identity(conn)).unwrap().public);
    let url = "https://127.0.0.1:1".to_owned();
    let server = meta::Server { url, pin: [0; 32], key: key.verifying_key().to_bytes(), certificate };
    inner
        .store
        .write(|conn| {
            meta::set_server(conn, &server)?;
            meta::join_team(conn, team, "Leeds East")
        })
        .unwrap();
    let mut engine =
        Engine::new(inner.store.read(|conn| inner.identity(conn)).unwrap().key.clone(), server.key);
    let (outline, time) = outline(inner).unwrap();
    engine.next(&outline, [0; 16], time, 1 << 20).unwrap();
    let answer = whole(&mut engine, answer, true);
    assert!(answer.error.is_none(), "{:?}", answer.error);
    for step in answer.steps {
        apply(inner, step).unwrap();
    }
    let place = inner.store.read(log::places).unwrap().remove(0);
    assert_eq!((place.cursor, place.held.len()), (5, 0));
    assert_eq!(kit.tablet.list(Some(crate::Kind::Contact), crate::Page::default()).unwrap().len(), 1);
}

/// Base tells by it which request was long on its way.
#[test]
fn a_request_is_later_than_every_one_before_unless_the_clock_went_back_by_far() {
    let kit = Kit::new(1);
    let inner = &kit.tablet.0;
    let asks = || inner.store.read(|conn| inner.asks_at(conn)).unwrap();
    let start = NOW as u64;
    assert_eq!([asks(), asks()], [start, start + 1]);
    kit.clock.advance(60_000);
    assert_eq!(asks(), start + 60_000);
    // Base says that it is earlier.
    inner.store.write(|conn| meta::set(conn, meta::CLOCK_OFFSET, -120_000)).unwrap();
    assert_eq!([asks(), asks()], [start + 60_001, start + 60_002]);
    kit.clock.advance(120_000);
    assert_eq!(asks(), start + 60_003, "still as base sees it");
    kit.clock.advance(1);
    assert_eq!(asks(), start + 60_004);
    kit.clock.advance(1000);
    assert_eq!(asks(), start + 61_001, "and on with the time");
    // So much would be refused.
    inner.store.write(|conn| meta::set(conn, meta::CLOCK_OFFSET, -600_000)).unwrap();
    assert_eq!(asks(), start + 61_001 - 480_000);
}
