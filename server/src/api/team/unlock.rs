//! A code for a member whom a tablet keeps out, computed here from the digits that the tablet shows.

use serde::Serialize;
use wayside_protocol::error::Code;
use wayside_protocol::record::RecordId;
use wayside_protocol::staff::{Challenge, unlock_code, unlock_secret};

use crate::base::Base;
use crate::error::Result;
use crate::log;

/// The answer to one tablet's digits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unlocking {
    /// What people call the tablet.
    pub tablet: String,
    /// Eight digits.
    pub code: String,
}

/// The code for a member of this team, by the digits that were read out. More than one where tablets of the
/// team share their mark: people know which one they hold. [`Code::ChallengeUnknown`] where no tablet of the
/// team can have shown these digits. Blocks.
pub fn unlock(base: &Base, team: RecordId, staff: &str, digits: &str) -> Result<Vec<Unlocking>> {
    let challenge = Challenge::parse(digits).ok_or(Code::ChallengeUnknown)?;
    let known = super::team(base, team)?;
    if !known.staff.iter().any(|one| one.member.id == staff && one.member.active) {
        return Err(Code::StaffUnknown.into());
    }
    let tablets = base.log.read(|conn| log::tablets_of(conn, team))?;
    let codes: Vec<Unlocking> = tablets
        .into_iter()
        .filter(|tablet| challenge.is_of(&tablet.id))
        .map(|tablet| {
            let secret = unlock_secret(base.identity.key().as_bytes(), &tablet.public_key);
            Unlocking { tablet: tablet.name, code: unlock_code(&secret, team, staff, &challenge) }
        })
        .collect();
    if codes.is_empty() {
        return Err(Code::ChallengeUnknown.into());
    }
    Ok(codes)
}
