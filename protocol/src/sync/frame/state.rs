//! Where the log stands.

use super::{STATE, record};
use crate::{
    record::RecordId,
    sync::{
        fingerprint::Fingerprint,
        wire::{Malformed, Reader, Writer},
    },
};

/// Where the log stands; last in an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// Milliseconds since 1970.
    pub server_time_ms: u64,
    pub teams: Vec<TeamState>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TeamState {
    pub team: RecordId,
    pub epoch: [u8; 8],
    /// With this answer everything up to here has been sent.
    pub cursor: u64,
    /// The fingerprint of the log at `cursor`.
    pub fingerprint: Fingerprint,
    /// Whether the log goes on beyond `cursor`.
    pub more: bool,
}

impl State {
    pub(super) fn write(&self, w: &mut Writer) -> u8 {
        w.varint(self.server_time_ms);
        w.varint(self.teams.len() as u64);
        for team in &self.teams {
            w.raw(team.team.as_bytes());
            w.raw(&team.epoch);
            w.varint(team.cursor);
            w.raw(&team.fingerprint);
            w.u8(u8::from(team.more));
        }
        STATE
    }

    pub(super) fn read(r: &mut Reader) -> Result<State, Malformed> {
        let server_time_ms = r.varint()?;
        let teams = (0..r.count(42)?).map(|_| {
            Ok(TeamState {
                team: record(r)?,
                epoch: r.array()?,
                cursor: r.varint()?,
                fingerprint: r.array()?,
                more: r.u8()? != 0,
            })
        });
        Ok(State { server_time_ms, teams: teams.collect::<Result<_, _>>()? })
    }
}
