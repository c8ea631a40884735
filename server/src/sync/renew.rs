//! A tablet that wants to go by another key.

use wayside_protocol::error::Code;
use wayside_protocol::sync::frame::{Frame, Hello, State};
use wayside_protocol::sync::{NewKey, sign_certificate};

use super::Answer;
use crate::base::Base;
use crate::error::Result;
use crate::ledger::{Entry, hex};
use crate::log;

/// Takes the new key in the place of the one that sealed the request, and certifies it. Blocks.
pub fn answer(base: &Base, hello: &Hello, wish: &NewKey, now: u64) -> Result<Answer> {
    let old = hello.tablet;
    if !wish.verify(base.identity.public(), &old) {
        return Err(Code::SignatureInvalid.into());
    }
    let (new, ledger) = (wish.key, base.ledger.clone());
    let certificate = sign_certificate(base.identity.key(), &new);
    base.log.write(move |txn| {
        let before = log::tablet_by_key(txn.conn, &old)?.ok_or(Code::TabletUnknown)?;
        if before.revoked {
            return Err(Code::TabletRevoked.into());
        }
        log::renew(txn.conn, &old, &new, certificate, now)?;
        if before.replaced_by.is_some() {
            return Ok(());
        }
        ledger.note(txn.conn, &Entry::Renewed { tablet: hex(&old), key: hex(&new) }, now)
    })?;
    let state = State { server_time_ms: base.clock.now_ms(), teams: Vec::new() };
    let frames = vec![Frame::Renewed(certificate), Frame::State(state)];
    Ok(Answer::of(frames, hello.capabilities))
}
