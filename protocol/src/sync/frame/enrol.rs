//! Enrolment: the question and the answer.

use super::{ENROL, ENROLLED, record};
use crate::{
    record::RecordId,
    sync::{
        signing::{PublicKey, SignatureBytes},
        wire::{Malformed, Reader, Writer},
    },
};

/// Asks to be enrolled with a one-time secret. Sealed with the key that is being enrolled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enrol {
    pub version: u8,
    pub secret: [u8; 16],
    pub tablet: PublicKey,
    /// What people call this tablet.
    pub name: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enrolled {
    /// The server's identity key.
    pub server: PublicKey,
    pub certificate: SignatureBytes,
    pub server_time_ms: u64,
    pub team: RecordId,
    pub team_name: String,
    /// What the server can do beyond version 1; 0 from one that does not say.
    pub capabilities: u64,
}

impl Enrol {
    pub(super) fn write(&self, w: &mut Writer) -> u8 {
        w.u8(self.version);
        w.raw(&self.secret);
        w.raw(&self.tablet);
        w.text(&self.name);
        ENROL
    }

    pub(super) fn read(r: &mut Reader) -> Result<Enrol, Malformed> {
        Ok(Enrol { version: r.u8()?, secret: r.array()?, tablet: r.array()?, name: r.text()? })
    }
}

impl Enrolled {
    pub(super) fn write(&self, w: &mut Writer) -> u8 {
        w.raw(&self.server);
        w.raw(&self.certificate);
        w.varint(self.server_time_ms);
        w.raw(self.team.as_bytes());
        w.text(&self.team_name);
        w.varint(self.capabilities);
        ENROLLED
    }

    pub(super) fn read(r: &mut Reader) -> Result<Enrolled, Malformed> {
        Ok(Enrolled {
            server: r.array()?,
            certificate: r.array()?,
            server_time_ms: r.varint()?,
            team: record(r)?,
            team_name: r.text()?,
            capabilities: if r.is_empty() { 0 } else { r.varint()? },
        })
    }
}
