//! A new key for this tablet, as after a copy of it may have been made: from then on base takes the old one no more.
//!
//! The new key is on disk before base is asked to take it, and is in force here in the transaction in which base's
//! answer is stored. An answer that is lost is asked for again by the next sync, before anything else.

use std::sync::Arc;

use ed25519_dalek::SigningKey;
use rusqlite::Connection;
use wayside_protocol::{
    error::Code,
    record::{Hash, RecordId},
    sync::{Frame, NewKey, SignatureBytes, capability, frame, sign_list, sign_request, verify_certificate},
};

use super::{PATH, Running, by_status, hello, link::Link, memory::Memory, plan::SignedList, set_clock};
use crate::{
    error::{Error, Result},
    store::{
        log,
        meta::{self, Server},
        staff,
    },
    tablet::{Identity, Inner, Tablet},
};

/// What the old key signs goes in lists of so many: one that is offered later names all of its list.
const LIST: usize = 64;

impl Tablet {
    /// Gives this tablet a new key, and with it another id. Everything that was recorded stays, what was not sent is sent
    /// under the old one's signature, and copies of this tablet can sync no more. Fails offline, and may then be asked
    /// again. [`Code::VersionUnsupported`] with a server that is too old.
    pub async fn renew_key(&self) -> Result<()> {
        let running = Running::begin(&self.0)?;
        let begun = running.on_store(|tablet| {
            tablet.store.write(|conn| {
                let server = meta::server(conn)?.ok_or(Error::Failed(Code::NotEnrolled))?;
                if meta::teams(conn)?.is_empty() {
                    return Err(Error::Failed(Code::NotEnrolled));
                }
                if Memory::load(conn)?.server_can & capability::NEW_KEY == 0 {
                    return Err(Error::Failed(Code::VersionUnsupported));
                }
                if meta::get::<[u8; 32]>(conn, meta::NEXT_SEED)?.is_none() {
                    meta::set(conn, meta::NEXT_SEED, tablet.env.bytes::<32>())?;
                }
                Ok(server)
            })
        });
        let server = begun.await?;
        ask(&running, &server).await
    }
}

/// Has base take the key that is to come. One of which it says that another stands in its place is forgotten; after any other
/// answer base may have it all the same, and is asked again.
pub async fn ask(running: &Arc<Running>, server: &Server) -> Result<()> {
    let asked = match exchange(running, server, true).await {
        Err(error) if error.code() == Code::Clock => exchange(running, server, false).await,
        asked => asked,
    };
    match asked {
        Ok(certificate) => {
            running
                .on_store(move |tablet| {
                    tablet.store.write(|conn| take(tablet, conn, certificate))?;
                    // Whoever asks now hears of the new one.
                    tablet.store.read(|conn| tablet.identity(conn)).map(drop)
                })
                .await
        }
        Err(error) => {
            if error.code() == Code::KeyReplaced {
                let forget = |tablet: &Inner| tablet.store.write(|conn| meta::remove(conn, meta::NEXT_SEED));
                running.on_store(forget).await?;
            }
            Err(error)
        }
    }
}

/// One request, and base's word for the new key.
async fn exchange(running: &Arc<Running>, server: &Server, learn_time: bool) -> Result<SignatureBytes> {
    let identity = server.key;
    let (request, new) = running.on_store(move |tablet| request(tablet, &identity)).await?;
    let mut link = Link::new(&server.url, server.pin, &running.tablet.env)?;
    let received = link.post(PATH, request).await?;
    if let Some(cut) = received.cut {
        return Err(cut);
    }
    let frames = match frame::decode(&received.body) {
        Ok(frames) => frames,
        Err(_) if !received.status.is_success() => return Err(by_status(received.status)),
        Err(malformed) => return Err(malformed.into()),
    };
    let certificate = frames.iter().find_map(|frame| match frame {
        Frame::Renewed(certificate) => Some(*certificate),
        _ => None,
    });
    match (certificate, frames.as_slice()) {
        (Some(certificate), _) if verify_certificate(&identity, &new, &certificate) => Ok(certificate),
        (Some(_), _) => Err(Error::Failed(Code::SignatureInvalid)),
        (None, [Frame::Refusal(refusal)]) => {
            if learn_time && refusal.code == Code::Clock.as_str() {
                let time = refusal.server_time_ms;
                running.on_store(move |tablet| set_clock(tablet, time)).await?;
            }
            Err(Error::from(refusal))
        }
        (None, _) => Err(Error::Failed(Code::FrameMalformed)),
    }
}

/// The request that asks for it, and the new public key.
fn request(tablet: &Inner, server: &[u8; 32]) -> Result<(Vec<u8>, [u8; 32])> {
    tablet.store.read(|conn| {
        let me = tablet.identity(conn)?;
        let seed: [u8; 32] = meta::get(conn, meta::NEXT_SEED)?.ok_or(Error::Failed(Code::Internal))?;
        let next = SigningKey::from_bytes(&seed);
        let mut body = Vec::new();
        Frame::Hello(hello(tablet, conn, Vec::new())?).encode(&mut body);
        Frame::NewKey(NewKey::sign(&next, server, &me.public)).encode(&mut body);
        Frame::Seal(sign_request(&me.key, server, &body)).encode(&mut body);
        Ok((body, next.verifying_key().to_bytes()))
    })
}

/// The new key is in force. What was recorded says under which key, so the old one signs for it a last time.
fn take(tablet: &Inner, conn: &Connection, certificate: SignatureBytes) -> Result<()> {
    let me = tablet.identity(conn)?;
    let seed: [u8; 32] = meta::get(conn, meta::NEXT_SEED)?.ok_or(Error::Failed(Code::Internal))?;
    let old: SignatureBytes = meta::get(conn, meta::CERTIFICATE)?.ok_or(Error::Failed(Code::NotEnrolled))?;
    for (team, _) in meta::teams(conn)? {
        // What is still to be sent apart: a list is named whole with whatever of it goes.
        for sent in [false, true] {
            let own = log::own_without_list(conn, team, sent)?;
            for changes in own.chunks(LIST) {
                sign_for(conn, team, &me, old, changes)?;
            }
        }
    }
    meta::set(conn, meta::SEED, seed)?;
    meta::set(conn, meta::CERTIFICATE, certificate)?;
    // Said to, or about, the old one.
    for name in [meta::NEXT_SEED, meta::RECEIPT, meta::SENT, meta::UNLOCK_SECRET] {
        meta::remove(conn, name)?;
    }
    staff::forget_challenges(conn)
}

fn sign_for(
    conn: &Connection,
    team: RecordId,
    me: &Identity,
    certificate: SignatureBytes,
    changes: &[(i64, RecordId, Hash)],
) -> Result<()> {
    let items: Vec<(RecordId, Hash)> = changes.iter().map(|(_, record, hash)| (*record, *hash)).collect();
    let signature = sign_list(&me.key, team, &items);
    let list = SignedList { author: me.public, certificate, signature, items };
    let numbers: Vec<i64> = changes.iter().map(|(no, ..)| *no).collect();
    log::put_in_list(conn, team, &list, &numbers)
}
