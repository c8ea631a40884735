//! What is signed, and by whom: requests and lists of changes by tablets, tablets by the server.
//!
//! All keys are Ed25519. Every signed text begins with a context of its own, so that a signature
//! never means something else.

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};

use crate::record::{Hash, RecordId};

/// A public key, as its 32 bytes.
pub type PublicKey = [u8; 32];
pub type SignatureBytes = [u8; 64];

/// One change's place in a signed list.
pub type ListItem = (RecordId, Hash);

/// Stands for the server's key where a tablet that asks to be enrolled does not know it yet.
pub const UNKNOWN_SERVER: PublicKey = [0; 32];

/// A request is refused with `clock` when its time is further from the server's, in milliseconds.
pub const CLOCK_WINDOW_MS: u64 = 10 * 60 * 1000;

pub(super) fn verify(key: &PublicKey, text: &[u8], signature: &SignatureBytes) -> bool {
    VerifyingKey::from_bytes(key)
        .is_ok_and(|key| key.verify_strict(text, &Signature::from_bytes(signature)).is_ok())
}

fn list_text(team: RecordId, items: &[ListItem]) -> Vec<u8> {
    let mut text = b"wayside-list-1".to_vec();
    text.extend_from_slice(team.as_bytes());
    text.extend_from_slice(&(items.len() as u32).to_le_bytes());
    for (record, hash) in items {
        text.extend_from_slice(record.as_bytes());
        text.extend_from_slice(hash);
    }
    text
}

/// Signs the ordered list of one team's changes that stand in one frame.
pub fn sign_list(key: &SigningKey, team: RecordId, items: &[ListItem]) -> SignatureBytes {
    key.sign(&list_text(team, items)).to_bytes()
}

pub fn verify_list(key: &PublicKey, team: RecordId, items: &[ListItem], signature: &SignatureBytes) -> bool {
    verify(key, &list_text(team, items), signature)
}

fn request_text(server: &PublicKey, body: &[u8]) -> Vec<u8> {
    let mut text = b"wayside-request-1".to_vec();
    text.extend_from_slice(server);
    text.extend_from_slice(body);
    text
}

/// Signs a request's frames for one server; nonce and time stand in its hello.
pub fn sign_request(key: &SigningKey, server: &PublicKey, body: &[u8]) -> SignatureBytes {
    key.sign(&request_text(server, body)).to_bytes()
}

pub fn verify_request(key: &PublicKey, server: &PublicKey, body: &[u8], signature: &SignatureBytes) -> bool {
    verify(key, &request_text(server, body), signature)
}

fn certificate_text(tablet: &PublicKey) -> Vec<u8> {
    let mut text = b"wayside-tablet-1".to_vec();
    text.extend_from_slice(tablet);
    text
}

/// The server's word that a tablet was enrolled with it.
pub fn sign_certificate(server: &SigningKey, tablet: &PublicKey) -> SignatureBytes {
    server.sign(&certificate_text(tablet)).to_bytes()
}

pub fn verify_certificate(server: &PublicKey, tablet: &PublicKey, certificate: &SignatureBytes) -> bool {
    verify(server, &certificate_text(tablet), certificate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_holds_for_its_text_and_key_only() {
        let key = SigningKey::from_bytes(&[1; 32]);
        let public = key.verifying_key().to_bytes();
        let other = SigningKey::from_bytes(&[2; 32]).verifying_key().to_bytes();
        let team = RecordId::from_bytes([3; 16]);
        let items = [(RecordId::from_bytes([4; 16]), [5; 32]), (RecordId::from_bytes([6; 16]), [7; 32])];
        let signature = sign_list(&key, team, &items);
        assert!(verify_list(&public, team, &items, &signature));
        assert!(!verify_list(&other, team, &items, &signature));
        assert!(!verify_list(&public, RecordId::from_bytes([8; 16]), &items, &signature));
        assert!(!verify_list(&public, team, &[items[1], items[0]], &signature));
        assert!(!verify_list(&public, team, &items[..1], &signature));

        let signature = sign_request(&key, &other, b"body");
        assert!(verify_request(&public, &other, b"body", &signature));
        assert!(!verify_request(&public, &public, b"body", &signature));
        assert!(!verify_request(&public, &other, b"body.", &signature));
        assert!(!verify_certificate(&public, &other, &signature));
    }
}
