//! Dice whose throws are the same for ever: ChaCha8 by name (never "the standard generator", which may
//! change), and integers only, so that no platform rounds differently.

use rand::Rng;
use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;

/// A seeded stream of choices for one subject ("person", "readings", ...) of one contact. Subjects have
/// streams of their own, so that a new question about the person does not reshuffle every blood pressure.
pub(super) struct Dice(ChaCha8Rng);

impl Dice {
    pub(super) fn new(seed: u64, tablet: &str, contact: usize, subject: &str) -> Dice {
        let words = [seed, digest(tablet), contact as u64, digest(subject)];
        let mut key = [0u8; 32];
        for (slot, word) in key.chunks_exact_mut(8).zip(words) {
            slot.copy_from_slice(&word.to_le_bytes());
        }
        Dice(ChaCha8Rng::from_seed(key))
    }

    /// A number from 0 up to, not including, `n`.
    pub(super) fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.0.next_u64()) * u128::from(n)) >> 64) as u64
    }

    /// A number from `low` to `high`, both included.
    pub(super) fn between(&mut self, low: i64, high: i64) -> i64 {
        low + self.below((high - low + 1) as u64) as i64
    }

    pub(super) fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    pub(super) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize]
    }

    /// One of the values, each as often as its weight says.
    pub(super) fn weighted<T: Copy>(&mut self, from: &[(T, u64)]) -> T {
        let mut rest = self.below(from.iter().map(|(_, weight)| weight).sum());
        for (value, weight) in from {
            if rest < *weight {
                return *value;
            }
            rest -= weight;
        }
        from[from.len() - 1].0
    }

    /// Roughly normal: the sum of twelve even throws has a standard deviation of one throw.
    pub(super) fn bell(&mut self, mean: i64, spread: i64) -> i64 {
        let sum: i64 = (0..12).map(|_| self.between(0, 1000)).sum();
        mean + (sum - 6000) * spread / 1000
    }
}

/// FNV-1a, 64 bit.
fn digest(text: &str) -> u64 {
    text.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_is_pinned() {
        let mut dice = Dice::new(7, "van-a", 3, "person");
        let throws: Vec<u64> = (0..6).map(|_| dice.below(1000)).collect();
        assert_eq!(
            throws,
            [772, 484, 149, 58, 367, 38],
            "a change here changes every simulated day: printed seeds no longer replay"
        );
    }

    #[test]
    fn subjects_and_tablets_differ() {
        let throw = |tablet, contact, subject| Dice::new(1, tablet, contact, subject).below(1 << 40);
        let first = throw("a", 0, "person");
        for other in [throw("b", 0, "person"), throw("a", 1, "person"), throw("a", 0, "readings")] {
            assert_ne!(first, other);
        }
    }

    #[test]
    fn bell_and_weights_stay_in_bounds() {
        let mut dice = Dice::new(2, "a", 0, "shape");
        let throws: Vec<i64> = (0..2000).map(|_| dice.bell(100, 10)).collect();
        let mean = throws.iter().sum::<i64>() / 2000;
        assert!((98..=102).contains(&mean), "{mean}");
        assert!(throws.iter().all(|x| (40..=160).contains(x)));
        let ones = (0..2000).filter(|_| dice.weighted(&[(0, 3), (1, 1)]) == 1).count();
        assert!((400..=600).contains(&ones), "{ones}");
    }
}
