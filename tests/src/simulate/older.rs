//! Tablets of version 1 of the protocol: this program behind a link that takes from its requests, and from the answers, what
//! they did not know. Requests are sealed anew, by the key that the simulator overheard being made.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use ed25519_dalek::SigningKey;
use rand::RngExt;
use wayside_client_core::{Carried, Code, Random};
use wayside_protocol::sync::{
    Frame, PublicKey, capability,
    frame::{self, Enrolled, Hello, Refusal, Terms},
    sign_request,
};

use super::{
    wire::{Wire, lock},
    world::World,
};

/// What version 1 knows nothing of.
pub const ALL: u64 = capability::OURS;

/// Hears what keys a tablet makes.
pub struct Overheard {
    source: Arc<dyn Random>,
    wire: Arc<Mutex<Wire>>,
}

impl Overheard {
    pub fn new(source: Arc<dyn Random>, wire: Arc<Mutex<Wire>>) -> Overheard {
        Overheard { source, wire }
    }
}

impl Random for Overheard {
    fn fill(&self, bytes: &mut [u8]) {
        self.source.fill(bytes);
        if let Ok(seed) = <[u8; 32]>::try_from(&*bytes) {
            let key = SigningKey::from_bytes(&seed);
            lock(&self.wire).keys.insert(key.verifying_key().to_bytes(), key);
        }
    }
}

/// A request as a tablet of version 1 would have sent it, or what base of that version says to a later one.
pub fn as_version_1(
    body: Vec<u8>,
    keys: &BTreeMap<PublicKey, SigningKey>,
    identity: &PublicKey,
) -> Result<Vec<u8>, Carried> {
    let Ok(mut frames) = frame::decode(&body) else { return Ok(body) };
    let Some(Frame::Hello(Hello { version, capabilities, tablet, time_ms, .. })) = frames.first_mut() else {
        return Ok(body);
    };
    if *version != 1 {
        let code = Code::VersionUnsupported;
        let refusal =
            Refusal { code: code.as_str().into(), message: code.message().into(), server_time_ms: *time_ms };
        let mut body = Vec::new();
        Frame::Refusal(refusal).encode(&mut body);
        return Err(Carried { status: 400, body, cut: false });
    }
    *capabilities = 0;
    let Some(key) = keys.get(tablet) else { return Ok(body) };
    let mut older = Vec::new();
    let said = frames.iter().filter(|frame| matches!(frame, Frame::Hello(_) | Frame::Changes(_)));
    said.for_each(|frame| frame.encode_for(0, &mut older));
    Frame::Seal(sign_request(key, identity, &older)).encode(&mut older);
    Ok(older)
}

/// The answer as base would have given it that can do less.
pub fn answered(carried: Carried, hidden: u64) -> Carried {
    let Ok(frames) = frame::decode(&carried.body) else { return carried };
    if hidden == 0 {
        return carried;
    }
    let mut body = Vec::new();
    for frame in frames {
        let frame = match frame {
            Frame::Terms(terms) => {
                Frame::Terms(Terms { capabilities: terms.capabilities & !hidden, ..terms })
            }
            Frame::Enrolled(enrolled) => {
                Frame::Enrolled(Enrolled { capabilities: enrolled.capabilities & !hidden, ..enrolled })
            }
            frame => frame,
        };
        frame.encode_for(capability::OURS & !hidden, &mut body);
    }
    Carried { body, ..carried }
}

impl World {
    /// A tablet gets another version of the program: one that sends its changes plain and says less, one of version 1, or
    /// the new one.
    pub fn change_program(&mut self, at: usize) {
        use wayside_protocol::sync::capability::{GROUPED, WAITING};
        let masks = [0, 0, 0, GROUPED, GROUPED | WAITING, ALL];
        let mask = masks[self.any(masks.len())];
        // Base is never put back to a version that does not know of a key which it gave.
        if mask == ALL && self.vans[at].renewing {
            return;
        }
        let before = std::mem::replace(&mut self.vans[at].line.own().hidden, mask);
        // What it says and asks at first is not what it will.
        self.vans[at].quiet_at = 0;
        match (before, mask) {
            (before, mask) if before == mask => {}
            (ALL, _) => self.did("an upgrade from version 1"),
            (_, ALL) => self.did("back to version 1"),
            (_, 0) => self.did("an upgrade"),
            _ => self.did("an older program"),
        }
    }

    pub fn becomes_old(&mut self, at: usize) {
        self.vans[at].line.own().hidden = ALL;
        self.did("a tablet of version 1");
    }

    /// Mostly nobody has another program than the day before.
    pub fn may_change_program(&mut self, at: usize) {
        if self.rng.random_bool(0.1) {
            self.change_program(at);
        }
    }
}
