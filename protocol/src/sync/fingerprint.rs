//! An order-independent digest of a set of changes, so that two sides can prove they hold the same.

use sha2::{Digest, Sha256};

use crate::record::{Hash, RecordId};

/// The running sum over a set of (record, change hash) pairs: addition modulo 2^256 of
/// SHA-256(record id ‖ change hash), little-endian, and how many there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SetSum {
    pub sum: [u8; 32],
    pub count: u64,
}

/// The first 16 bytes of SHA-256(sum ‖ count as u64, little-endian).
pub type Fingerprint = [u8; 16];

/// SHA-256(record id ‖ change hash).
pub(super) fn pair_digest(record: RecordId, hash: &Hash) -> [u8; 32] {
    Sha256::new().chain_update(record.as_bytes()).chain_update(hash).finalize().into()
}

impl SetSum {
    pub fn add(&mut self, record: RecordId, hash: &Hash) {
        let digest = pair_digest(record, hash);
        let mut carry = 0u16;
        for (byte, add) in self.sum.iter_mut().zip(digest) {
            let total = u16::from(*byte) + u16::from(add) + carry;
            *byte = total as u8;
            carry = total >> 8;
        }
        self.count += 1;
    }

    /// Takes a pair away that was added before.
    pub fn remove(&mut self, record: RecordId, hash: &Hash) {
        let digest = pair_digest(record, hash);
        let mut borrow = 0i16;
        for (byte, less) in self.sum.iter_mut().zip(digest) {
            let total = i16::from(*byte) - i16::from(less) - borrow;
            *byte = total as u8;
            borrow = i16::from(total < 0);
        }
        self.count = self.count.wrapping_sub(1);
    }

    pub fn fingerprint(&self) -> Fingerprint {
        let digest = Sha256::new().chain_update(self.sum).chain_update(self.count.to_le_bytes()).finalize();
        let mut fingerprint = [0; 16];
        fingerprint.copy_from_slice(&digest[..16]);
        fingerprint
    }
}

/// One fingerprint for several teams: the first 16 bytes of SHA-256 of the ASCII bytes `wayside-teams-1` and, for each
/// team in the order of its id, id ‖ epoch ‖ cursor as u64, little-endian ‖ fingerprint at the cursor.
pub fn combined(teams: impl IntoIterator<Item = (RecordId, [u8; 8], u64, Fingerprint)>) -> Fingerprint {
    let mut teams: Vec<_> = teams.into_iter().collect();
    teams.sort_unstable();
    let mut digest = Sha256::new().chain_update(b"wayside-teams-1");
    for (team, epoch, cursor, at) in teams {
        digest.update(team.as_bytes());
        digest.update(epoch);
        digest.update(cursor.to_le_bytes());
        digest.update(at);
    }
    let mut fingerprint = [0; 16];
    fingerprint.copy_from_slice(&digest.finalize()[..16]);
    fingerprint
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_does_not_matter_and_every_pair_does() {
        let record = RecordId::from_bytes([1; 16]);
        let other = RecordId::from_bytes([2; 16]);
        let pairs = [(record, [3; 32]), (record, [4; 32]), (other, [3; 32])];
        let sum = |pairs: &[(RecordId, Hash)]| {
            let mut sum = SetSum::default();
            pairs.iter().for_each(|(record, hash)| sum.add(*record, hash));
            sum.fingerprint()
        };
        let mut reversed = pairs;
        reversed.reverse();
        assert_eq!(sum(&pairs), sum(&reversed));
        assert_ne!(sum(&pairs), sum(&pairs[..2]));
        assert_ne!(sum(&pairs[..1]), sum(&pairs[2..]));
        assert_ne!(sum(&[]), [0; 16]);
    }

    #[test]
    fn the_combined_fingerprint_is_of_every_place_in_any_order() {
        let place = |n: u8| (RecordId::from_bytes([n; 16]), [n; 8], u64::from(n), [n; 16]);
        let both = combined([place(1), place(2)]);
        assert_eq!(both, combined([place(2), place(1)]));
        for other in [
            combined([place(1)]),
            combined([place(1), place(3)]),
            combined([place(1), (place(2).0, [9; 8], 2, [2; 16])]),
            combined([place(1), (place(2).0, [2; 8], 9, [2; 16])]),
            combined([place(1), (place(2).0, [2; 8], 2, [9; 16])]),
        ] {
            assert_ne!(both, other);
        }
    }

    #[test]
    fn what_is_taken_away_was_never_there() {
        let pairs: Vec<_> = (0..200u8).map(|n| (RecordId::from_bytes([n; 16]), [n ^ 0x5a; 32])).collect();
        let mut sum = SetSum::default();
        pairs.iter().for_each(|(record, hash)| sum.add(*record, hash));
        let mut kept = SetSum::default();
        pairs.iter().step_by(2).for_each(|(record, hash)| kept.add(*record, hash));
        pairs.iter().skip(1).step_by(2).for_each(|(record, hash)| sum.remove(*record, hash));
        assert_eq!(sum, kept);
        pairs.iter().step_by(2).for_each(|(record, hash)| sum.remove(*record, hash));
        assert_eq!(sum, SetSum::default());
    }

    #[test]
    fn the_sum_carries() {
        let mut sum = SetSum { sum: [0xff; 32], count: 0 };
        let before = SetSum::default();
        sum.add(RecordId::from_bytes([1; 16]), &[3; 32]);
        let mut plain = before;
        plain.add(RecordId::from_bytes([1; 16]), &[3; 32]);
        // (2^256 - 1) + x = x - 1 modulo 2^256
        let mut expected = plain.sum;
        for byte in &mut expected {
            let (less, borrow) = byte.overflowing_sub(1);
            *byte = less;
            if !borrow {
                break;
            }
        }
        assert_eq!(sum.sum, expected);
    }
}
