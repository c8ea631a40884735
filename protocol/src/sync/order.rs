//! What base orders a tablet to do with what it holds, and a tablet's wish for another key: words that nobody else may
//! be able to say.

use ed25519_dalek::{Signer, SigningKey};

use super::signing::{PublicKey, SignatureBytes, verify};
use crate::record::RecordId;

/// What a tablet must do once base has a verdict on everything that it had not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Duty {
    /// Delete everything that it holds, its key included: it was revoked.
    Wipe,
    /// Delete everything of one team, which it was taken out of.
    Leave(RecordId),
}

/// A duty, signed by the server for one tablet and one of its requests: it cannot be played again, not even to the same
/// tablet, which may have joined the team anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Order {
    pub duty: Duty,
    pub signature: SignatureBytes,
}

impl Order {
    /// `nonce` is that of the request which this answers.
    pub fn sign(server: &SigningKey, tablet: &PublicKey, nonce: &[u8; 16], duty: Duty) -> Order {
        Order { duty, signature: server.sign(&text(tablet, nonce, duty)).to_bytes() }
    }

    pub fn verify(&self, server: &PublicKey, tablet: &PublicKey, nonce: &[u8; 16]) -> bool {
        verify(server, &text(tablet, nonce, self.duty), &self.signature)
    }
}

impl Duty {
    /// As it stands in frames and in what is signed: a byte, and a team or zeros.
    pub(super) fn parts(self) -> (u8, RecordId) {
        match self {
            Duty::Wipe => (1, RecordId::from_bytes([0; 16])),
            Duty::Leave(team) => (2, team),
        }
    }

    pub(super) fn of(what: u8, team: RecordId) -> Option<Duty> {
        match what {
            1 => Some(Duty::Wipe),
            2 => Some(Duty::Leave(team)),
            _ => None,
        }
    }
}

fn text(tablet: &PublicKey, nonce: &[u8; 16], duty: Duty) -> Vec<u8> {
    let (what, team) = duty.parts();
    let mut text = b"wayside-order-1".to_vec();
    text.extend_from_slice(tablet);
    text.extend_from_slice(nonce);
    text.push(what);
    text.extend_from_slice(team.as_bytes());
    text
}

/// A tablet's wish to go by a new key from now on. The request that holds it is sealed with the key so far; this proves
/// that who asks holds the new one, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewKey {
    pub key: PublicKey,
    /// By the new key.
    pub signature: SignatureBytes,
}

impl NewKey {
    pub fn sign(new: &SigningKey, server: &PublicKey, old: &PublicKey) -> NewKey {
        let key = new.verifying_key().to_bytes();
        NewKey { key, signature: new.sign(&new_key_text(server, old)).to_bytes() }
    }

    pub fn verify(&self, server: &PublicKey, old: &PublicKey) -> bool {
        verify(&self.key, &new_key_text(server, old), &self.signature)
    }
}

fn new_key_text(server: &PublicKey, old: &PublicKey) -> Vec<u8> {
    [b"wayside-new-key-1".as_slice(), server, old].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(n: u8) -> (SigningKey, PublicKey) {
        let key = SigningKey::from_bytes(&[n; 32]);
        let public = key.verifying_key().to_bytes();
        (key, public)
    }

    #[test]
    fn an_order_holds_for_its_server_tablet_request_and_duty() {
        let ((server, server_key), (_, tablet)) = (key(2), key(1));
        let (one, other) = (RecordId::from_bytes([5; 16]), RecordId::from_bytes([6; 16]));
        let all = [Duty::Wipe, Duty::Leave(one), Duty::Leave(other)];
        for duty in all {
            let order = Order::sign(&server, &tablet, &[3; 16], duty);
            assert!(order.verify(&server_key, &tablet, &[3; 16]));
            assert!(!order.verify(&server_key, &tablet, &[4; 16]), "another request");
            assert!(!order.verify(&server_key, &[7; 32], &[3; 16]), "another tablet");
            assert!(!order.verify(&tablet, &tablet, &[3; 16]), "another server");
            for other in all.into_iter().filter(|other| *other != duty) {
                assert!(!Order { duty: other, ..order }.verify(&server_key, &tablet, &[3; 16]));
            }
            let (what, team) = duty.parts();
            assert_eq!(Duty::of(what, team), Some(duty));
        }
        assert_eq!((Duty::of(0, one), Duty::of(3, one)), (None, None));
    }

    #[test]
    fn a_new_key_speaks_for_itself_to_one_server_after_one_key() {
        let ((_, server), (_, old), (new, _)) = (key(2), key(1), key(9));
        let wish = NewKey::sign(&new, &server, &old);
        assert!(wish.verify(&server, &old));
        assert!(!wish.verify(&old, &old) && !wish.verify(&server, &server));
        assert!(!NewKey { key: old, ..wish }.verify(&server, &old));
    }
}
