//! A base that refuses: what a tablet makes of it, and of a new key that it wished for.

use std::{
    future::{Future, ready},
    pin::Pin,
    sync::{Arc, Mutex},
};

use wayside_protocol::sync::{Frame, capability, frame::Refusal};

use super::{KEY, Kit, base::Base};
use crate::{
    Code, Env, Tablet,
    env::{Carried, Carrier},
    store::meta,
    sync::memory::Memory,
};

/// Refuses everything with a code.
struct Refuses(Mutex<Code>);

impl Carrier for Refuses {
    fn post(&self, _: &str, _: Vec<u8>) -> Pin<Box<dyn Future<Output = Option<Carried>> + Send>> {
        let code = *self.0.lock().unwrap();
        let (code, message) = (code.as_str().to_owned(), code.message().to_owned());
        let mut body = Vec::new();
        Frame::Refusal(Refusal { code, message, server_time_ms: super::NOW as u64 }).encode(&mut body);
        Box::pin(ready(Some(Carried { status: 400, body, cut: false })))
    }
}

/// A tablet that speaks to a base.
fn enrolled(base: &Arc<Refuses>) -> Kit {
    let mut kit = Kit::new(1);
    Base::new().enrol(&kit);
    let env = Env { carrier: Some(base.clone()), ..Env::seeded(2, kit.clock.clone()) };
    kit.tablet = Tablet::open_with(kit.dir.path(), &KEY, env).unwrap();
    kit
}

#[tokio::test]
async fn base_is_believed_rather_than_the_status_of_its_answer() {
    for code in [Code::FrameMalformed, Code::SignatureInvalid, Code::Busy] {
        let kit = enrolled(&Arc::new(Refuses(Mutex::new(code))));
        assert_eq!(kit.tablet.sync(|_| {}).await.error.unwrap().code, code.as_str());
    }
}

#[tokio::test]
async fn a_key_that_base_may_have_taken_is_forgotten_only_if_another_stands_in_its_place() {
    let base = Arc::new(Refuses(Mutex::new(Code::FrameMalformed)));
    let kit = enrolled(&base);
    let store = &kit.tablet.0.store;
    let next = || store.read(|conn| meta::get::<[u8; 32]>(conn, meta::NEXT_SEED)).unwrap();
    store
        .write(|conn| {
            let before = Memory::load(conn)?;
            Memory { server_can: capability::OURS, ..before.clone() }.keep(conn, &before)
        })
        .unwrap();
    // As after a request, or an answer, that was damaged on its way.
    let refused = kit.tablet.renew_key().await.unwrap_err();
    assert_eq!(refused.code(), Code::FrameMalformed);
    let wished = next();
    assert!(wished.is_some(), "base may have taken it");
    for code in [Code::SignatureInvalid, Code::Clock, Code::ServerFailed] {
        *base.0.lock().unwrap() = code;
        assert!(kit.tablet.sync(|_| {}).await.error.is_some());
        assert_eq!(next(), wished, "{code:?}");
    }
    *base.0.lock().unwrap() = Code::KeyReplaced;
    assert_eq!(kit.tablet.renew_key().await.unwrap_err().code(), Code::KeyReplaced);
    assert_eq!(next(), None, "a copy was first");
}
