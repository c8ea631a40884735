//! The server's word on how a sync ended, which a tablet keeps and shows again: if the log says otherwise later,
//! somebody replaced it by an older copy.

use ed25519_dalek::{Signer, SigningKey};

use super::{
    fingerprint::Fingerprint,
    signing::{PublicKey, SignatureBytes, verify},
    wire::{Malformed, Reader, Writer},
};
use crate::record::RecordId;

/// New with each receipt; only the server knows what it means. A tablet that shows an old one was set back to an older
/// copy of itself, or there are two of it.
pub type Token = [u8; 8];

/// Where one team stood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    pub team: RecordId,
    pub epoch: [u8; 8],
    /// The tablet held everything up to here.
    pub seq: u64,
    pub fingerprint: Fingerprint,
    /// Bytes of changes numbered up to here may be dropped: every backup that may still be restored has them.
    pub watermark: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    pub token: Token,
    pub positions: Vec<Position>,
    /// The server's, over [`Receipt::text`].
    pub signature: SignatureBytes,
}

impl Receipt {
    pub fn sign(server: &SigningKey, tablet: &PublicKey, token: Token, positions: Vec<Position>) -> Receipt {
        let mut receipt = Receipt { token, positions, signature: [0; 64] };
        receipt.signature = server.sign(&receipt.text(tablet)).to_bytes();
        receipt
    }

    pub fn verify(&self, server: &PublicKey, tablet: &PublicKey) -> bool {
        verify(server, &self.text(tablet), &self.signature)
    }

    /// What is signed. It names the tablet, so that no other can show it.
    fn text(&self, tablet: &PublicKey) -> Vec<u8> {
        let mut text = b"wayside-receipt-1".to_vec();
        text.extend_from_slice(tablet);
        text.extend_from_slice(&self.token);
        text.extend_from_slice(&(self.positions.len() as u32).to_le_bytes());
        for position in &self.positions {
            text.extend_from_slice(position.team.as_bytes());
            text.extend_from_slice(&position.epoch);
            text.extend_from_slice(&position.seq.to_le_bytes());
            text.extend_from_slice(&position.fingerprint);
            text.extend_from_slice(&position.watermark.to_le_bytes());
        }
        text
    }

    /// For keeping it.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        self.write(&mut writer);
        writer.0
    }

    pub fn from_bytes(bytes: &[u8]) -> Result<Receipt, Malformed> {
        Receipt::read(&mut Reader::new(bytes))
    }

    /// What it says of a team.
    pub fn position(&self, team: RecordId) -> Option<&Position> {
        self.positions.iter().find(|position| position.team == team)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receipt_holds_for_its_server_tablet_and_every_word_of_it() {
        let key = SigningKey::from_bytes(&[2; 32]);
        let (server, tablet) = (key.verifying_key().to_bytes(), [9; 32]);
        let team = RecordId::from_bytes([5; 16]);
        let position = Position { team, epoch: [1; 8], seq: 300, fingerprint: [4; 16], watermark: 7 };
        let receipt = Receipt::sign(&key, &tablet, [3; 8], vec![position]);
        assert!(receipt.verify(&server, &tablet));
        assert!(!receipt.verify(&server, &[8; 32]) && !receipt.verify(&tablet, &tablet));
        let altered = [
            Position { team: RecordId::from_bytes([6; 16]), ..position },
            Position { epoch: [2; 8], ..position },
            Position { seq: 301, ..position },
            Position { fingerprint: [5; 16], ..position },
            Position { watermark: 8, ..position },
        ];
        for position in altered {
            assert!(!Receipt { positions: vec![position], ..receipt.clone() }.verify(&server, &tablet));
        }
        assert!(!Receipt { token: [4; 8], ..receipt.clone() }.verify(&server, &tablet));
        let bytes = receipt.to_bytes();
        assert_eq!(Receipt::from_bytes(&bytes), Ok(receipt.clone()));
        assert_eq!(receipt.position(team), Some(&position));
        for end in 0..bytes.len() {
            assert!(Receipt::from_bytes(&bytes[..end]).is_err(), "{end}");
        }
    }
}
