//! The request was not done.

use super::REFUSAL;
use crate::sync::wire::{Malformed, Reader, Writer};

/// The request was not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// A stable code of `protocol::error`, perhaps of a newer version.
    pub code: String,
    pub message: String,
    pub server_time_ms: u64,
}

impl Refusal {
    pub(super) fn write(&self, w: &mut Writer) -> u8 {
        w.text(&self.code);
        w.text(&self.message);
        w.varint(self.server_time_ms);
        REFUSAL
    }

    pub(super) fn read(r: &mut Reader) -> Result<Refusal, Malformed> {
        Ok(Refusal { code: r.text()?, message: r.text()?, server_time_ms: r.varint()? })
    }
}
