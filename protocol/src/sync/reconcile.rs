//! Finding what two sides do not both hold, in rounds whose number grows with the logarithm of what they hold.
//!
//! Range-based set reconciliation by `negentropy` (its protocol version 1), over the pairs (record, change hash) of
//! a team. A pair's id is SHA-256(record ‖ hash), the digest that fingerprints add up. Its place in the order is
//! the first 48 bits of the record's id: of most records the time of their making, so that what an older copy lacks
//! lies together. Nothing depends on that time being right.

use std::collections::BTreeSet;

use negentropy::{Id, Negentropy, NegentropyStorageVector};

use super::{fingerprint::pair_digest, wire::Malformed};
use crate::record::{Hash, RecordId};

pub type PairId = [u8; 32];

/// The beginning of a pair's id, by which it is asked for. Should two begin alike, both are sent.
pub type Brief = [u8; 8];

/// A message is at most this long, and so is an answer: some 1,500 ids.
pub const MAX_MESSAGE: usize = 48 << 10;
/// More rounds than any two sets need: 16 parts a round, and 1,500 ids a message.
pub const MAX_ROUNDS: usize = 256;

pub fn pair_id(record: RecordId, hash: &Hash) -> PairId {
    pair_digest(record, hash)
}

pub fn brief(id: &PairId) -> Brief {
    let mut brief = [0; 8];
    brief.copy_from_slice(&id[..8]);
    brief
}

/// A set of pairs, in the order of comparison.
#[derive(Debug, Clone)]
pub struct Pairs(NegentropyStorageVector);

impl Pairs {
    pub fn new(pairs: impl IntoIterator<Item = (RecordId, Hash)>) -> Pairs {
        let mut storage = NegentropyStorageVector::new();
        for (record, hash) in pairs {
            let made = record.as_bytes()[..6].iter().fold(0, |made, byte| made << 8 | u64::from(*byte));
            // Refused only once it is sealed.
            let _ = storage.insert(made, Id::from_byte_array(pair_id(record, &hash)));
        }
        let _ = storage.seal();
        Pairs(storage)
    }

    /// Answers a message of the other side. Keeps nothing: the same message has the same answer.
    pub fn answer(&self, message: &[u8]) -> Result<Vec<u8>, Malformed> {
        if message.len() > MAX_MESSAGE {
            return Err(Malformed);
        }
        let mut side = Negentropy::borrowed(&self.0, MAX_MESSAGE as u64).map_err(|_| Malformed)?;
        side.reconcile(message).map_err(|_| Malformed)
    }
}

/// The side that asks, and so learns what differs.
#[derive(Debug, Clone)]
pub struct Comparison {
    pairs: Pairs,
    rounds: usize,
    /// Held here alone.
    pub ours: BTreeSet<PairId>,
    /// Held there alone.
    pub theirs: BTreeSet<PairId>,
}

impl Comparison {
    /// Begins, with the first message to send.
    pub fn begin(pairs: Pairs) -> Result<(Comparison, Vec<u8>), Malformed> {
        let mut side = Negentropy::borrowed(&pairs.0, MAX_MESSAGE as u64).map_err(|_| Malformed)?;
        let message = side.initiate().map_err(|_| Malformed)?;
        let (ours, theirs) = (BTreeSet::new(), BTreeSet::new());
        Ok((Comparison { pairs, rounds: 0, ours, theirs }, message))
    }

    /// Takes an answer. Returns the next message, or `None` when everything is known.
    pub fn go_on(&mut self, answer: &[u8]) -> Result<Option<Vec<u8>>, Malformed> {
        self.rounds += 1;
        if answer.len() > MAX_MESSAGE || self.rounds > MAX_ROUNDS {
            return Err(Malformed);
        }
        let mut side = Negentropy::borrowed(&self.pairs.0, MAX_MESSAGE as u64).map_err(|_| Malformed)?;
        side.set_initiator();
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        let next = side.reconcile_with_ids(answer, &mut ours, &mut theirs).map_err(|_| Malformed)?;
        self.ours.extend(ours.into_iter().map(|id| id.to_bytes()));
        self.theirs.extend(theirs.into_iter().map(|id| id.to_bytes()));
        Ok(next)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use sha2::{Digest, Sha256};

    use super::*;

    /// A pair whose record was made at that moment.
    fn pair(made: u64, n: u64) -> (RecordId, Hash) {
        let mut id = [0; 16];
        id[..6].copy_from_slice(&made.to_be_bytes()[2..]);
        id[8..].copy_from_slice(&n.to_be_bytes());
        (RecordId::from_bytes(id), Sha256::digest(n.to_le_bytes()).into())
    }

    fn ids(pairs: &[(RecordId, Hash)]) -> BTreeSet<PairId> {
        pairs.iter().map(|(record, hash)| pair_id(*record, hash)).collect()
    }

    /// Compares to the end: what only each side holds, rounds, bytes both ways.
    fn compare(ours: &[(RecordId, Hash)], theirs: &[(RecordId, Hash)]) -> (Comparison, usize) {
        let there = Pairs::new(theirs.iter().copied());
        let (mut comparison, mut message) = Comparison::begin(Pairs::new(ours.iter().copied())).unwrap();
        let mut bytes = 0;
        loop {
            let answer = there.answer(&message).unwrap();
            bytes += message.len() + answer.len();
            match comparison.go_on(&answer).unwrap() {
                Some(next) => message = next,
                None => return (comparison, bytes),
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn what_differs_is_found_exactly(
            common in 0usize..3000, ours in 0usize..300, theirs in 0usize..3000, spread in 1u64..100_000,
        ) {
            let pairs = |from: usize, count: usize| -> Vec<_> {
                (from..from + count).map(|n| pair(n as u64 * 7919 % spread, n as u64)).collect()
            };
            let both = pairs(0, common);
            let (mine, yours) = (pairs(10_000, ours), pairs(20_000, theirs));
            let (here, there) = ([both.clone(), mine.clone()].concat(), [both, yours.clone()].concat());
            let (found, _) = compare(&here, &there);
            prop_assert_eq!(found.ours, ids(&mine));
            prop_assert_eq!(found.theirs, ids(&yours));
        }

        #[test]
        fn hostile_messages_are_refused_or_answered_within_the_limit(
            message in prop::collection::vec(any::<u8>(), 0..400), known in any::<bool>(),
        ) {
            let pairs = Pairs::new((0..500).map(|n| pair(n, n)));
            let mut message = message;
            if known && let Some(first) = message.first_mut() {
                *first = 0x61;
            }
            if let Ok(answer) = pairs.answer(&message) {
                prop_assert!(answer.len() <= MAX_MESSAGE);
            }
            let (mut comparison, _) = Comparison::begin(pairs).unwrap();
            let _ = comparison.go_on(&message);
            prop_assert!(comparison.ours.len() <= 500);
        }
    }

    #[test]
    fn rounds_grow_with_the_logarithm_and_bytes_with_the_difference() {
        let all: Vec<_> = (0..100_000).map(|n| pair(n * 30, n)).collect();
        // The last hour is missing.
        let (found, bytes) = compare(&all, &all[..99_500]);
        assert_eq!((found.ours.len(), found.theirs.len()), (500, 0));
        assert!(found.rounds <= 5, "{}", found.rounds);
        assert!(bytes < 8_000, "{bytes}");
        // Ten here and there.
        let holes: Vec<_> =
            all.iter().enumerate().filter(|(n, _)| n % 10_000 != 77).map(|(_, p)| *p).collect();
        let (found, bytes) = compare(&all, &holes);
        assert_eq!((found.ours.len(), found.theirs.len()), (10, 0));
        assert!(found.rounds <= 5 && bytes < 60_000, "{} {bytes}", found.rounds);
        // Everything, on one side.
        let (found, bytes) = compare(&all, &[]);
        assert_eq!((found.ours.len(), found.rounds), (100_000, 1));
        assert!(bytes < 1_000, "{bytes}");
    }

    #[test]
    fn a_message_that_is_too_long_is_refused_before_it_is_read() {
        let pairs = Pairs::new([pair(1, 1)]);
        assert_eq!(pairs.answer(&vec![0x61; MAX_MESSAGE + 1]), Err(Malformed));
        // Half of an honest one, too.
        let (_, message) = Comparison::begin(Pairs::new((0..1000).map(|n| pair(n, n)))).unwrap();
        assert_eq!(pairs.answer(&message[..message.len() - 3]), Err(Malformed));
    }
}
