//! Enrolment: a one-time secret for a certificate and a team.

use sha2::{Digest, Sha256};
use wayside_protocol::error::Code;
use wayside_protocol::sync::frame::{self, Enrolled, Frame, PROTOCOL_VERSION};
use wayside_protocol::sync::{UNKNOWN_SERVER, capability, sign_certificate, verify_request};

use crate::base::Base;
use crate::error::Result;
use crate::ledger::{Entry, hex};
use crate::log::{self, Enrolment};

/// Enrols the tablet that asks. Blocks.
pub fn enrol(base: &Base, body: &[u8]) -> Result<Vec<u8>> {
    let (signed, signature) = frame::unseal(body)?;
    let mut frames = frame::decode(signed)?.into_iter();
    let (Some(Frame::Enrol(ask)), None) = (frames.next(), frames.next()) else {
        return Err(Code::FrameMalformed.into());
    };
    if ask.version != PROTOCOL_VERSION {
        return Err(Code::VersionUnsupported.into());
    }
    // The tablet does not know our key yet; that it holds its own is what counts here. Its TLS pins us.
    if !verify_request(&ask.tablet, &UNKNOWN_SERVER, signed, &signature) {
        return Err(Code::SignatureInvalid.into());
    }
    let certificate = sign_certificate(base.identity.key(), &ask.tablet);
    let now = base.clock.now_ms();
    let name = ask.name.trim().to_owned();
    let enrolment = Enrolment { secret: ask.secret, tablet: ask.tablet, name, certificate };
    let ledger = base.ledger.clone();
    let team = base.log.write(move |txn| {
        let team = log::enrol(txn, &enrolment, now)?;
        let (code, tablet) = (hex(&Sha256::digest(enrolment.secret)), hex(&enrolment.tablet));
        let entry = Entry::Enrolled { code, tablet, name: enrolment.name.clone(), team: team.id };
        ledger.note(txn.conn, &entry, now)?;
        Ok(team)
    })?;
    let mut answer = Vec::new();
    Frame::Enrolled(Enrolled {
        server: *base.identity.public(),
        certificate,
        server_time_ms: base.clock.now_ms(),
        team: team.id,
        team_name: team.name,
        capabilities: capability::OURS,
    })
    .encode(&mut answer);
    Ok(answer)
}
