//! The frames of the sync protocol, version 1.
//!
//! A body is a sequence of frames. A frame is: type (1 byte), encoding (1 byte: 0 plain, 1 zstd, 2 zstd with a
//! dictionary), for zstd the plain length (varint), length (varint), payload. Frames of an unknown type are
//! skipped, and so are bytes at the end of a known payload: a newer side may add to either.
//!
//! Here are the frames' common form and the caps; each file beside holds one family of payloads.

mod archive;
mod ask;
mod changes;
mod compress;
mod enrol;
mod hello;
mod order;
mod packed;
mod refusal;
mod repair;
mod state;
mod stream;
mod unlock;
mod verdicts;

pub use archive::{
    Entries, Entry, Found, LookUp, MAX_ENTRIES, MAX_FETCH, MAX_FOUND, MAX_QUERY, MAX_REASON, What, Wish,
};
pub use ask::{Ask, MAX_SENT, Mark, Rest, Sent, Terms};
pub use changes::{Changes, Item, List};
pub use enrol::{Enrol, Enrolled};
pub use hello::{Hello, Place};
pub use refusal::Refusal;
pub use repair::{MAX_POSITIONS, MAX_WANTED, Reconcile, Want};
pub use state::{State, TeamState};
pub use stream::{Head, Incoming};
pub use unlock::Unlock;
pub use verdicts::{Verdict, Verdicts};

use self::compress::{DICTIONARY, PLAIN, compress, compress_grouped};
use super::{
    capability,
    order::{NewKey, Order},
    receipt::{Receipt, Token},
    signing::SignatureBytes,
    wire::{Malformed, Reader, Writer},
};
use crate::record::RecordId;

/// The version whose requests end with their seal, and that of enrolment.
pub const PROTOCOL_VERSION: u8 = 1;
/// The version whose requests are sealed after their head, so that each of their changes frames can be committed as
/// it arrives.
pub const STREAMED_VERSION: u8 = 2;

/// No body is larger than this, in either direction.
pub const MAX_BODY: usize = 4 << 20;
/// No frame's plain payload is larger than this.
pub const MAX_PAYLOAD: usize = 1 << 20;
/// No body's payloads are larger than this together, once plain.
const MAX_PLAIN: usize = 16 << 20;
const MAX_FRAMES: usize = 1024;
/// A signed list holds at most this many changes, and at least one.
pub const MAX_LIST: usize = 1024;
/// A frame holds at most this many lists: each costs its reader a signature.
pub const MAX_LISTS: usize = 512;
/// A place names at most this many ranges beyond its cursor.
pub const MAX_HELD: usize = 1024;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    Hello(Hello),
    Changes(Changes),
    Verdicts(Verdicts),
    State(State),
    Enrol(Enrol),
    Enrolled(Enrolled),
    Refusal(Refusal),
    /// The signature over everything before it: of a whole request, from version 2 of its head.
    Seal(SignatureBytes),
    Ask(Ask),
    Terms(Terms),
    Mark(Mark),
    Reconcile(Reconcile),
    Want(Want),
    Receipt(Receipt),
    /// Of the last receipt that the tablet was given.
    Token(Token),
    Unlock(Unlock),
    Entries(Entries),
    LookUp(LookUp),
    Found(Found),
    Order(Order),
    NewKey(NewKey),
    /// The server's certificate for a tablet's new key.
    Renewed(SignatureBytes),
}

const HELLO: u8 = 1;
const CHANGES: u8 = 2;
const VERDICTS: u8 = 3;
const STATE: u8 = 4;
const ENROL: u8 = 5;
const ENROLLED: u8 = 6;
const REFUSAL: u8 = 7;
const SEAL: u8 = 8;
/// Another form of `CHANGES`.
const GROUPED: u8 = 9;
const ASK: u8 = 12;
const TERMS: u8 = 13;
const MARK: u8 = 14;
const RECONCILE: u8 = 20;
const WANT: u8 = 21;
const RECEIPT: u8 = 22;
const TOKEN: u8 = 23;
const UNLOCK: u8 = 24;
const ENTRIES: u8 = 25;
const LOOK_UP: u8 = 26;
const FOUND: u8 = 27;
const ORDER: u8 = 28;
const NEW_KEY: u8 = 29;
const RENEWED: u8 = 30;

impl Frame {
    /// Appends this frame to a body.
    pub fn encode(&self, body: &mut Vec<u8>) {
        let mut payload = Writer::default();
        let ty = match self {
            Frame::Hello(frame) => frame.write(&mut payload),
            Frame::Changes(frame) => frame.write(&mut payload),
            Frame::Verdicts(frame) => frame.write(&mut payload),
            Frame::State(frame) => frame.write(&mut payload),
            Frame::Enrol(frame) => frame.write(&mut payload),
            Frame::Enrolled(frame) => frame.write(&mut payload),
            Frame::Refusal(frame) => frame.write(&mut payload),
            Frame::Seal(signature) => {
                payload.raw(signature);
                SEAL
            }
            Frame::Ask(frame) => frame.write(&mut payload),
            Frame::Terms(frame) => frame.write(&mut payload),
            Frame::Mark(frame) => frame.write(&mut payload),
            Frame::Reconcile(frame) => frame.write(&mut payload),
            Frame::Want(frame) => frame.write(&mut payload),
            Frame::Receipt(frame) => frame.write(&mut payload),
            Frame::Token(token) => {
                payload.raw(token);
                TOKEN
            }
            Frame::Unlock(frame) => frame.write(&mut payload),
            Frame::Entries(frame) => frame.write(&mut payload),
            Frame::LookUp(frame) => frame.write(&mut payload),
            Frame::Found(frame) => frame.write(&mut payload),
            Frame::Order(frame) => frame.write(&mut payload),
            Frame::NewKey(frame) => frame.write(&mut payload),
            Frame::Renewed(certificate) => {
                payload.raw(certificate);
                RENEWED
            }
        };
        let (encoding, sent) = compress(&payload.0);
        put(body, ty, encoding, payload.0.len(), &sent);
    }

    /// The same for a receiver that has these capabilities: changes go in their grouped form, if it knows that.
    pub fn encode_for(&self, capabilities: u64, body: &mut Vec<u8>) {
        let grouped = match self {
            Frame::Changes(changes) if capabilities & capability::GROUPED != 0 => packed::pack(changes),
            _ => None,
        };
        let compressed = grouped.and_then(|(payload, cuts)| {
            compress_grouped(&payload, &cuts).map(|compressed| (payload.len(), compressed))
        });
        match compressed {
            Some((plain, compressed)) if plain <= MAX_PAYLOAD => {
                put(body, GROUPED, DICTIONARY, plain, &compressed);
            }
            _ => self.encode(body),
        }
    }
}

fn put(body: &mut Vec<u8>, ty: u8, encoding: u8, plain: usize, sent: &[u8]) {
    let mut out = Writer(std::mem::take(body));
    out.u8(ty);
    out.u8(encoding);
    if encoding != PLAIN {
        out.varint(plain as u64);
    }
    out.bytes(sent);
    *body = out.0;
}

/// The grouped form of a changes frame before it is compressed, on which its dictionary is trained. Nothing for changes
/// that cannot have it.
pub fn grouped(changes: &Changes) -> Option<Vec<u8>> {
    packed::pack(changes).map(|(payload, _)| payload)
}

/// The frames of a whole body.
pub fn decode(body: &[u8]) -> Result<Vec<Frame>, Malformed> {
    let mut incoming = Incoming::default();
    incoming.push(body)?;
    let mut frames = Vec::new();
    while let Some(frame) = incoming.next_frame()? {
        frames.push(frame);
    }
    if incoming.is_empty() { Ok(frames) } else { Err(Malformed) }
}

/// Splits a sealed request into what was signed and the signature. The seal is the last frame.
pub fn unseal(body: &[u8]) -> Result<(&[u8], SignatureBytes), Malformed> {
    const LENGTH: usize = 3 + 64;
    let split = body.len().checked_sub(LENGTH).ok_or(Malformed)?;
    let (signed, seal) = body.split_at(split);
    match seal {
        [SEAL, 0, 64, signature @ ..] => Ok((signed, signature.try_into().map_err(|_| Malformed)?)),
        _ => Err(Malformed),
    }
}

fn read(ty: u8, r: &mut Reader) -> Result<Option<Frame>, Malformed> {
    Ok(Some(match ty {
        HELLO => Frame::Hello(Hello::read(r)?),
        CHANGES => Frame::Changes(Changes::read(r)?),
        GROUPED => Frame::Changes(packed::unpack(r.take(r.remaining())?)?),
        VERDICTS => Frame::Verdicts(Verdicts::read(r)?),
        STATE => Frame::State(State::read(r)?),
        ENROL => Frame::Enrol(Enrol::read(r)?),
        ENROLLED => Frame::Enrolled(Enrolled::read(r)?),
        REFUSAL => Frame::Refusal(Refusal::read(r)?),
        SEAL => Frame::Seal(r.array()?),
        ASK => Frame::Ask(Ask::read(r)?),
        TERMS => Frame::Terms(Terms::read(r)?),
        MARK => Frame::Mark(Mark::read(r)?),
        RECONCILE => Frame::Reconcile(Reconcile::read(r)?),
        WANT => Frame::Want(Want::read(r)?),
        RECEIPT => Frame::Receipt(Receipt::read(r)?),
        TOKEN => Frame::Token(r.array()?),
        UNLOCK => Frame::Unlock(Unlock::read(r)?),
        ENTRIES => Frame::Entries(Entries::read(r)?),
        LOOK_UP => Frame::LookUp(LookUp::read(r)?),
        FOUND => Frame::Found(Found::read(r)?),
        ORDER => Frame::Order(Order::read(r)?),
        NEW_KEY => Frame::NewKey(NewKey::read(r)?),
        RENEWED => Frame::Renewed(r.array()?),
        _ => return Ok(None),
    }))
}

fn record(r: &mut Reader) -> Result<RecordId, Malformed> {
    Ok(RecordId::from_bytes(r.array()?))
}
