//! What this process counts while it runs.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use wayside_protocol::sync::frame::{Verdict, Verdicts};

/// Seconds. A page takes some milliseconds, an exchange over a bad link minutes.
const BUCKETS: [f64; 9] = [0.005, 0.02, 0.1, 0.5, 1.0, 2.5, 10.0, 60.0, 300.0];

/// Panics of the whole process: they are hooked before there is a server.
static PANICS: AtomicU64 = AtomicU64::new(0);

pub(crate) fn note_panic() {
    PANICS.fetch_add(1, Relaxed);
}

pub(super) fn panics() -> u64 {
    PANICS.load(Relaxed)
}

type Labels<const N: usize> = [(&'static str, String); N];

/// Labels are templates of addresses, methods, statuses and codes: few, and none of them anybody's.
pub struct Metrics {
    registry: Registry,
    requests: Family<Labels<3>, Counter>,
    durations: Family<Labels<1>, Histogram, fn() -> Histogram>,
    frames: Counter,
    verdicts: Family<Labels<2>, Counter>,
    open: Family<Labels<1>, Gauge>,
}

impl Default for Metrics {
    fn default() -> Metrics {
        let buckets: fn() -> Histogram = || Histogram::new(BUCKETS);
        let mut metrics = Metrics {
            registry: Registry::with_prefix("wayside"),
            requests: Family::default(),
            durations: Family::new_with_constructor(buckets),
            frames: Counter::default(),
            verdicts: Family::default(),
            open: Family::default(),
        };
        let registry = &mut metrics.registry;
        registry.register(
            "requests",
            "Requests answered, by template of the address",
            metrics.requests.clone(),
        );
        registry.register(
            "request_duration_seconds",
            "Seconds until an answer began",
            metrics.durations.clone(),
        );
        registry.register("sync_frames", "Frames of changes that tablets sent", metrics.frames.clone());
        registry.register("sync_verdicts", "Verdicts on tablets' changes", metrics.verdicts.clone());
        registry.register("open_channels", "Channels that wait for news", metrics.open.clone());
        // A counter that is not there yet looks like one that never moved.
        for verdict in ["accepted", "known", "quarantined", "waiting", "erased"] {
            drop(metrics.verdicts.get_or_create(&[("verdict", verdict.into()), ("code", String::new())]));
        }
        for kind in ["tablets", "pages", "programs"] {
            drop(metrics.open.get_or_create(&[("kind", kind.into())]));
        }
        metrics
    }
}

impl Metrics {
    pub(super) fn registry(&self) -> &Registry {
        &self.registry
    }

    /// An answer to a request began after this time.
    pub(super) fn answered(&self, method: &str, route: &str, status: u16, took: Duration) {
        let labels = [("method", method.into()), ("route", route.into()), ("status", status.to_string())];
        self.requests.get_or_create(&labels).inc();
        self.durations.get_or_create(&[("route", route.into())]).observe(took.as_secs_f64());
    }

    /// What became of frames of changes.
    pub(crate) fn pushed(&self, frames: &[Verdicts]) {
        self.frames.inc_by(frames.len() as u64);
        for verdict in frames.iter().flat_map(|frame| &frame.verdicts) {
            let (verdict, code) = match verdict {
                Verdict::Accepted { .. } => ("accepted", ""),
                Verdict::Known { .. } => ("known", ""),
                Verdict::Quarantined { code } => ("quarantined", code.as_str()),
                Verdict::Waiting => ("waiting", ""),
                Verdict::Erased => ("erased", ""),
            };
            self.verdicts.get_or_create(&[("verdict", verdict.into()), ("code", code.into())]).inc();
        }
    }

    /// Counts a channel that stays open, of `tablets`, `pages` or `programs`, for as long as what is returned is held.
    pub(crate) fn channel(&self, kind: &'static str) -> Channel {
        let gauge = self.open.get_or_create_owned(&[("kind", kind.into())]);
        gauge.inc();
        Channel(gauge)
    }
}

pub(crate) struct Channel(Gauge);

impl Drop for Channel {
    fn drop(&mut self) {
        self.0.dec();
    }
}
