//! Randomness: the operating system's. Only the simulator, which has the feature for it, draws from a seed, so that a run
//! is the same each time.

use rand::distr::{Distribution, StandardUniform};

/// A random value, good for keys and secrets.
pub fn random<T>() -> T
where
    StandardUniform: Distribution<T>,
{
    #[cfg(feature = "simulated")]
    if let Some(drawn) = seeded::draw() {
        return drawn;
    }
    rand::random()
}

#[cfg(feature = "simulated")]
pub mod seeded {
    use std::sync::{Mutex, PoisonError};

    use rand::distr::{Distribution, StandardUniform};
    use rand::rngs::StdRng;
    use rand::{RngExt, SeedableRng};

    static SOURCE: Mutex<Option<StdRng>> = Mutex::new(None);

    /// From now on everything random in this process comes from this seed.
    pub fn begin(seed: u64) {
        *SOURCE.lock().unwrap_or_else(PoisonError::into_inner) = Some(StdRng::seed_from_u64(seed));
    }

    pub(super) fn draw<T>() -> Option<T>
    where
        StandardUniform: Distribution<T>,
    {
        let mut source = SOURCE.lock().unwrap_or_else(PoisonError::into_inner);
        source.as_mut().map(|source| source.random())
    }
}
