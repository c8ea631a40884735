//! Whether something stayed as it was.

use std::fmt;

use super::sampler::Sample;

/// Something that must not grow, and by how much it may: a share of what it is on average, and so much more for what comes
/// and goes.
pub struct Bound {
    pub what: &'static str,
    pub unit: &'static str,
    pub of: fn(&Sample) -> Option<f64>,
    share: f64,
    more: f64,
}

pub const BOUNDS: [Bound; 6] = [
    Bound { what: "memory", unit: "MB", of: |seen| Some(seen.memory), share: 0.05, more: 8.0 },
    Bound { what: "open handles", unit: "", of: |seen| Some(seen.handles), share: 0.05, more: 16.0 },
    Bound { what: "write-ahead logs", unit: "MB", of: |seen| Some(seen.wal), share: 0.25, more: 16.0 },
    Bound { what: "views behind", unit: "changes", of: |seen| Some(seen.behind), share: 0.5, more: 200.0 },
    Bound { what: "at base, p95", unit: "ms", of: |seen| seen.sync[1], share: 0.5, more: 500.0 },
    Bound { what: "pages, p95", unit: "ms", of: |seen| seen.page[1], share: 0.5, more: 250.0 },
];

/// What one of them came to in the second half.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged {
    pub what: &'static str,
    pub unit: &'static str,
    pub mean: f64,
    /// From the beginning to the end of the second half, along the line that fits best.
    pub grew: f64,
    pub bound: f64,
}

impl Judged {
    pub fn is_flat(&self) -> bool {
        self.grew <= self.bound
    }
}

impl fmt::Display for Judged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Judged { what, unit, mean, grew, bound } = self;
        let mark = if self.is_flat() { "" } else { "  MISSED" };
        write!(
            f,
            "{what}: {mean:.1} {unit} on average in the second half, {grew:+.1} over it, at most +{bound:.1}{mark}"
        )
    }
}

/// All of them, of what was seen from the middle on.
pub fn judge(samples: &[Sample]) -> Vec<Judged> {
    let half = samples.last().map_or(0.0, |last| last.at / 2.0);
    BOUNDS.iter().map(|bound| bound.judge(samples.iter().filter(|seen| seen.at >= half))).collect()
}

impl Bound {
    fn judge<'a>(&self, samples: impl Iterator<Item = &'a Sample>) -> Judged {
        let points: Vec<(f64, f64)> = samples.filter_map(|seen| Some((seen.at, (self.of)(seen)?))).collect();
        let count = points.len().max(1) as f64;
        let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
        let (at, value) = (mean(|point| point.0), mean(|point| point.1));
        let across: f64 = points.iter().map(|point| (point.0 - at).powi(2)).sum();
        let along: f64 = points.iter().map(|point| (point.0 - at) * (point.1 - value)).sum();
        let lasted = points.last().zip(points.first()).map_or(0.0, |(last, first)| last.0 - first.0);
        let grew = if across > 0.0 { along / across * lasted } else { 0.0 };
        let bound = value * self.share + self.more;
        Judged { what: self.what, unit: self.unit, mean: value, grew, bound }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(memory: impl Fn(f64) -> f64) -> Vec<Sample> {
        let seen = |n: u32| {
            let at = f64::from(n) * 5.0;
            Sample {
                at,
                memory: memory(at),
                handles: 1000.0 + f64::from(n % 7),
                threads: 20.0,
                cpu: 0.5,
                disk: at,
                wal: 8.0,
                changes: at * 20.0,
                behind: f64::from(n % 3),
                sync: if n.is_multiple_of(10) {
                    [None; 3]
                } else {
                    [Some(20.0), Some(60.0 + f64::from(n % 9)), Some(90.0)]
                },
                page: [Some(5.0), Some(12.0), Some(40.0)],
            }
        };
        (1..=720).map(seen).collect()
    }

    fn missed(memory: impl Fn(f64) -> f64) -> Vec<&'static str> {
        let judged = judge(&samples(memory));
        judged.into_iter().filter(|one| !one.is_flat()).map(|one| one.what).collect()
    }

    #[test]
    fn a_leak_of_a_few_megabytes_in_half_an_hour_is_seen_and_a_server_that_warms_up_has_none() {
        let nothing: Vec<&str> = Vec::new();
        assert_eq!(missed(|_| 120.0), nothing);
        // What comes and goes.
        assert_eq!(missed(|at| 120.0 + 6.0 * (at / 40.0).sin()), nothing);
        // Half an hour of growth at first, and none afterwards.
        assert_eq!(missed(|at| 60.0 + at.min(1800.0) / 30.0), nothing);
        assert_eq!(missed(|at| 120.0 + at / 100.0), ["memory"]);
    }

    #[test]
    fn growth_is_what_the_line_that_fits_best_grows_by() {
        let judged = judge(&samples(|at| 100.0 + at / 100.0));
        assert!((judged[0].grew - 18.0).abs() < 0.1, "{}", judged[0].grew);
        assert!((judged[0].mean - 127.0).abs() < 0.1, "{}", judged[0].mean);
        assert_eq!(judge(&[]).len(), BOUNDS.len());
    }
}
