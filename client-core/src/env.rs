//! Time and randomness, passed in so that any failing run replays from its seed.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicI64, Ordering},
};

use jiff::{Timestamp, tz::TimeZone};
use rand::{Rng, SeedableRng, rngs::StdRng};

/// What time it is, as far as this device knows. It orders nothing.
pub trait Clock: Send + Sync {
    /// Milliseconds since 1970, in UTC.
    fn now_ms(&self) -> i64;

    /// The device's offset from UTC in minutes, east positive.
    fn offset_minutes(&self) -> i32 {
        0
    }
}

/// Where keys, ids, actors and nonces come from. Outside of tests it must be cryptographically secure.
pub trait Random: Send + Sync {
    fn fill(&self, bytes: &mut [u8]);
}

/// The world as a tablet sees it.
#[derive(Clone)]
pub struct Env {
    pub clock: Arc<dyn Clock>,
    pub random: Arc<dyn Random>,
}

impl Env {
    /// The device's own clock and the operating system's randomness.
    pub fn system() -> Env {
        Env { clock: Arc::new(SystemClock), random: Arc::new(SystemRandom) }
    }

    /// A clock that stands still until it is moved, and randomness from a seed: for tests and simulations only.
    pub fn seeded(seed: u64, clock: Arc<ManualClock>) -> Env {
        Env { clock, random: Arc::new(SeededRandom::new(seed)) }
    }

    pub(crate) fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.random.fill(&mut bytes);
        bytes
    }

    /// The device's time, RFC 3339 in UTC, to the second.
    pub(crate) fn now_text(&self) -> String {
        let seconds = self.clock.now_ms().div_euclid(1000);
        Timestamp::from_second(seconds).unwrap_or(Timestamp::UNIX_EPOCH).to_string()
    }
}

impl Default for Env {
    fn default() -> Self {
        Env::system()
    }
}

pub struct SystemClock;

impl Clock for SystemClock {
    fn now_ms(&self) -> i64 {
        Timestamp::now().as_millisecond()
    }

    fn offset_minutes(&self) -> i32 {
        TimeZone::system().to_offset(Timestamp::now()).seconds() / 60
    }
}

pub struct SystemRandom;

impl Random for SystemRandom {
    fn fill(&self, bytes: &mut [u8]) {
        rand::rng().fill_bytes(bytes);
    }
}

/// A clock that a test sets.
pub struct ManualClock(AtomicI64);

impl ManualClock {
    pub fn new(now_ms: i64) -> ManualClock {
        ManualClock(AtomicI64::new(now_ms))
    }

    pub fn set(&self, now_ms: i64) {
        self.0.store(now_ms, Ordering::Relaxed);
    }

    pub fn advance(&self, ms: i64) {
        self.0.fetch_add(ms, Ordering::Relaxed);
    }
}

impl Clock for ManualClock {
    fn now_ms(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The same bytes for the same seed: never for a real tablet.
pub struct SeededRandom(Mutex<StdRng>);

impl SeededRandom {
    pub fn new(seed: u64) -> SeededRandom {
        SeededRandom(Mutex::new(StdRng::seed_from_u64(seed)))
    }
}

impl Random for SeededRandom {
    fn fill(&self, bytes: &mut [u8]) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).fill_bytes(bytes);
    }
}
