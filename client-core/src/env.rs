//! Time and randomness, passed in so that any failing run replays from its seed.

use std::{
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
};

use jiff::{Timestamp, tz::TimeZone};
use rand::{Rng, SeedableRng, rngs::StdRng};

/// What time it is, as far as this device knows. It orders nothing.
pub trait Clock: Send + Sync {
    /// Milliseconds since 1970, in UTC.
    fn now_ms(&self) -> i64;

    /// Milliseconds since some beginning, sleep included, that nobody can set: since the device was switched on
    /// where the platform says so, else since this program began. It proves that time has passed.
    fn uptime_ms(&self) -> u64;

    /// The device's offset from UTC in minutes, east positive.
    fn offset_minutes(&self) -> i32 {
        0
    }
}

/// Where keys, ids, actors and nonces come from. Outside of tests it must be cryptographically secure.
pub trait Random: Send + Sync {
    fn fill(&self, bytes: &mut [u8]);
}

/// What brings requests to base and answers back instead of a network, in simulations: without sockets, TLS or a time of
/// its own.
pub trait Carrier: Send + Sync {
    /// Takes a request to a path of the server. `None`: the link was cut before an answer began.
    fn post(&self, path: &str, body: Vec<u8>) -> Pin<Box<dyn Future<Output = Option<Carried>> + Send>>;
}

/// An answer, as far as it arrived.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Carried {
    /// Of HTTP.
    pub status: u16,
    pub body: Vec<u8>,
    /// The link was cut behind it.
    pub cut: bool,
}

/// The world as a tablet sees it.
#[derive(Clone)]
pub struct Env {
    pub clock: Arc<dyn Clock>,
    pub random: Arc<dyn Random>,
    /// `None` for the network.
    pub carrier: Option<Arc<dyn Carrier>>,
}

impl Env {
    /// The device's own clock and the operating system's randomness.
    pub fn system() -> Env {
        Env { clock: Arc::new(SystemClock), random: Arc::new(SystemRandom), carrier: None }
    }

    /// A clock that stands still until it is moved, and randomness from a seed: for tests and simulations only.
    pub fn seeded(seed: u64, clock: Arc<ManualClock>) -> Env {
        Env { clock, random: Arc::new(SeededRandom::new(seed)), carrier: None }
    }

    pub(crate) fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.random.fill(&mut bytes);
        bytes
    }

    /// The device's time, RFC 3339 in UTC, to the second.
    pub(crate) fn now_text(&self) -> String {
        self.text_after(0)
    }

    /// What the device's clock will say after so many milliseconds.
    pub(crate) fn text_after(&self, ms: u64) -> String {
        let then = self.clock.now_ms().saturating_add_unsigned(ms);
        Timestamp::from_second(then.div_euclid(1000)).unwrap_or(Timestamp::UNIX_EPOCH).to_string()
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

    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn uptime_ms(&self) -> u64 {
        let uptime = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        let ms = uptime.tv_sec.saturating_mul(1000).saturating_add(uptime.tv_nsec / 1_000_000);
        u64::try_from(ms).unwrap_or(0)
    }

    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    fn uptime_ms(&self) -> u64 {
        static BEGAN: std::sync::LazyLock<std::time::Instant> =
            std::sync::LazyLock::new(std::time::Instant::now);
        u64::try_from(BEGAN.elapsed().as_millis()).unwrap_or(u64::MAX)
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
pub struct ManualClock {
    now_ms: AtomicI64,
    uptime_ms: AtomicU64,
}

impl ManualClock {
    pub fn new(now_ms: i64) -> ManualClock {
        ManualClock { now_ms: AtomicI64::new(now_ms), uptime_ms: AtomicU64::new(1_000_000) }
    }

    /// Somebody sets the clock: no time passes.
    pub fn set(&self, now_ms: i64) {
        self.now_ms.store(now_ms, Ordering::Relaxed);
    }

    /// Time passes.
    pub fn advance(&self, ms: i64) {
        self.now_ms.fetch_add(ms, Ordering::Relaxed);
        self.uptime_ms.fetch_add(ms.unsigned_abs(), Ordering::Relaxed);
    }

    /// The device is switched off and on again.
    pub fn restart(&self) {
        self.uptime_ms.store(0, Ordering::Relaxed);
    }
}

impl Clock for ManualClock {
    fn now_ms(&self) -> i64 {
        self.now_ms.load(Ordering::Relaxed)
    }

    fn uptime_ms(&self) -> u64 {
        self.uptime_ms.load(Ordering::Relaxed)
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
