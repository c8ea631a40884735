//! What base orders a tablet to do, and a new key for a tablet: from capability bits 11 and 12.

use super::{Malformed, NEW_KEY, ORDER, Reader, Writer, record};
use crate::sync::order::{Duty, NewKey, Order};

impl Order {
    pub(super) fn write(&self, w: &mut Writer) -> u8 {
        let (what, team) = self.duty.parts();
        w.u8(what);
        w.raw(team.as_bytes());
        w.raw(&self.signature);
        ORDER
    }

    pub(super) fn read(r: &mut Reader) -> Result<Order, Malformed> {
        let duty = Duty::of(r.u8()?, record(r)?).ok_or(Malformed)?;
        Ok(Order { duty, signature: r.array()? })
    }
}

impl NewKey {
    pub(super) fn write(&self, w: &mut Writer) -> u8 {
        w.raw(&self.key);
        w.raw(&self.signature);
        NEW_KEY
    }

    pub(super) fn read(r: &mut Reader) -> Result<NewKey, Malformed> {
        Ok(NewKey { key: r.array()?, signature: r.array()? })
    }
}
