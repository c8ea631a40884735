//! The secret for unlock codes: asked for by a tablet that has none yet, given in the answer.

use super::{Malformed, Reader, UNLOCK, Writer};
use crate::staff::UnlockSecret;

/// In a request, without a secret: asks for this tablet's. In an answer: gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unlock {
    pub secret: Option<UnlockSecret>,
}

impl Unlock {
    pub(super) fn write(&self, w: &mut Writer) -> u8 {
        w.bytes(self.secret.as_ref().map_or(&[], |secret| secret.as_slice()));
        UNLOCK
    }

    pub(super) fn read(r: &mut Reader) -> Result<Unlock, Malformed> {
        match r.bytes()? {
            [] => Ok(Unlock { secret: None }),
            secret => Ok(Unlock { secret: Some(secret.try_into().map_err(|_| Malformed)?) }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Frame, decode};
    use super::*;

    #[test]
    fn it_survives_the_wire_and_no_other_length_does() {
        for secret in [None, Some([7; 32])] {
            let frame = Frame::Unlock(Unlock { secret });
            let mut body = Vec::new();
            frame.encode(&mut body);
            assert_eq!(decode(&body), Ok(vec![frame]));
        }
        for length in [1usize, 31, 33] {
            let mut w = Writer::default();
            w.bytes(&vec![7; length]);
            assert_eq!(Unlock::read(&mut Reader::new(&w.0)), Err(Malformed));
        }
        assert_eq!(decode(&[UNLOCK, 0, 1, 0]), Ok(vec![Frame::Unlock(Unlock { secret: None })]));
    }
}
