//! All metrics as Prometheus reads them: the OpenMetrics text format.

use std::fmt::Error as Formatting;
use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::facts::Facts;
use super::{disk, metrics};
use crate::base::Base;
use crate::error::{Error, Result};
use crate::views::Behind;

pub const TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What a page is made of beside the base.
pub struct Beside {
    /// Until when the certificate in use is valid, in seconds since 1970.
    pub certificate: Option<u64>,
    /// When this process began, in seconds since 1970.
    pub begun: u64,
}

/// Reads everything and writes it down. Where the log cannot be read it says so, and what needs it is left out. Blocks.
pub fn page(base: &Base, beside: &Beside) -> Result<String> {
    let mut page = Page(Registry::with_prefix("wayside"));
    page.process(base, beside);
    match base.log.read(|conn| Facts::of(conn, base.clock.now_ms())) {
        Ok(facts) => {
            page.gauge("log_readable", "1 where the log can be read", 1.0);
            page.facts(&facts, &base.followed.behind(&facts.teams));
        }
        Err(error) => {
            tracing::warn!(code = %error.code(), detail = error.detail(), "the log cannot be read for metrics");
            page.gauge("log_readable", "1 where the log can be read", 0.0);
        }
    }
    let mut text = String::new();
    let write = |text: &mut String| -> std::result::Result<(), Formatting> {
        encode_registry(text, base.metrics.registry())?;
        encode_registry(text, &page.0)?;
        encode_eof(text)
    };
    write(&mut text).map_err(|_| Error::Internal("metrics"))?;
    Ok(text)
}

type Value = Gauge<f64, AtomicU64>;

/// Made anew for each reader.
struct Page(Registry);

impl Page {
    fn gauge(&mut self, name: &str, help: &str, value: f64) {
        let gauge = Value::default();
        gauge.set(value);
        self.0.register(name, help, gauge);
    }

    /// One for each value of a label.
    fn gauges(
        &mut self,
        name: &str,
        help: &str,
        label: &'static str,
        values: impl Iterator<Item = (String, u64)>,
    ) {
        let family = Family::<[(&'static str, String); 1], Value>::default();
        for (value, amount) in values {
            family.get_or_create(&[(label, value)]).set(amount as f64);
        }
        self.0.register(name, help, family);
    }

    fn counter(&mut self, name: &str, help: &str, value: u64) {
        let counter = Counter::<u64>::default();
        counter.inc_by(value);
        self.0.register(name, help, counter);
    }

    /// What was counted elsewhere, one for each value of a label.
    fn counters<'a>(
        &mut self,
        name: &str,
        help: &str,
        label: &'static str,
        values: impl Iterator<Item = (&'a str, u64)>,
    ) {
        let family = Family::<[(&'static str, String); 1], Counter>::default();
        for (value, times) in values {
            family.get_or_create(&[(label, value.to_owned())]).inc_by(times);
        }
        self.0.register(name, help, family);
    }

    /// What is known without the log.
    fn process(&mut self, base: &Base, beside: &Beside) {
        let version = Family::<[(&'static str, String); 1], Value>::default();
        version.get_or_create(&[("version", env!("CARGO_PKG_VERSION").to_owned())]).set(1.0);
        self.0.register("program", "The version of this program", version);
        self.gauge("start_time_seconds", "When this process began, since 1970", beside.begun as f64);
        self.counter("panics", "Panics of this process: each is a fault of the program", metrics::panics());
        self.counter(
            "sync_frames_again",
            "Frames that tablets sent again after a cut",
            base.frames_sent_again(),
        );
        if let Some(until) = beside.certificate {
            let help = "Until when the TLS certificate is valid, since 1970";
            self.gauge("certificate_expiry_timestamp_seconds", help, until as f64);
        }
        if let Ok(space) = disk::space(base.data()) {
            self.gauge("disk_free_bytes", "Free on the disk of the data directory", space.free as f64);
            self.gauge("disk_size_bytes", "Size of the disk of the data directory", space.size as f64);
        }
        let counted = base.limits.counts();
        let refusals = counted.refusals.iter().map(|(code, times)| (code.as_str(), *times));
        self.counters("refusals", "Requests refused, by code", "code", refusals);
        let limits = counted.limits.iter().map(|(limit, times)| (limit.as_str(), *times));
        self.counters("limits_met", "Times that a limit was met", "limit", limits);
        let failing = base.log.failing().map(|code| (code.as_str().to_owned(), 1));
        self.gauges("log_failing", "1 while commits fail, with why", "code", failing.into_iter());
        if base.log.is_shared() {
            let pool = base.log.pool();
            self.gauge("postgres_connections_in_use", "Connections that are read from", pool.out as f64);
            self.gauge("postgres_connections_idle", "Connections kept for the next reader", pool.idle as f64);
            self.gauge("postgres_connections_most", "Readers' connections at most", pool.most as f64);
            let (made, failed) = crate::log::connections();
            self.counter("postgres_connects", "Connections that this process made", made);
            self.counter("postgres_connect_failures", "Connections that it could not make", failed);
        }
    }

    fn facts(&mut self, facts: &Facts, behind: &Behind) {
        let Facts { teams, figures, fleet, alarms } = facts;
        self.gauge("teams", "Teams", teams.len() as f64);
        self.gauge("log_head_changes", "Changes and entries in the logs of all teams", facts.head() as f64);
        self.gauge("views_behind_changes", "What the views here lack of them", behind.changes as f64);
        self.gauge("ready", "1 where pages may be asked for here", f64::from(u8::from(behind.ready)));
        let quarantine = figures.quarantine.iter().map(|(code, count)| (code.clone(), *count));
        self.gauges("quarantine_changes", "Changes in quarantine, by code", "code", quarantine);
        let help = "Changes in quarantine at which nobody has looked";
        self.gauge("quarantine_unseen_changes", help, figures.unseen as f64);
        self.gauge("waiting_changes", "Changes that wait for others", figures.waiting as f64);
        self.gauge("audit_rows", "Rows of the audit trail", figures.audit as f64);
        if let Some(made_at) = figures.last_backup {
            let help = "When the newest verified backup was made, since 1970";
            self.gauge("backup_last_timestamp_seconds", help, (made_at / 1000) as f64);
        }
        self.gauge("tablets", "Tablets that are not revoked", fleet.tablets as f64);
        self.gauge("tablets_lately", "Of them, those here within a week", fleet.lately as f64);
        let help = "Changes that tablets held back when they were last here";
        self.gauge("tablets_outbox_changes", help, fleet.outbox as f64);
        let help = "Tablets with something to send that were silent for three days";
        self.gauge("tablets_silent", help, fleet.silent as f64);
        let help = "Revoked tablets not yet heard to have wiped themselves";
        self.gauge("tablets_unwiped", help, fleet.unwiped as f64);
        let help = "Tablets lately here whose clock is off by two minutes or more";
        self.gauge("tablets_skewed", help, fleet.skewed as f64);
        if let Some(skew_ms) = fleet.skew_ms {
            let help = "Tablets' clocks less this server's, in the middle";
            self.gauge("tablets_skew_seconds", help, skew_ms as f64 / 1000.0);
        }
        let alarms = alarms.iter().map(|(code, times)| (code.clone(), *times));
        self.gauges("alarms", "Alarms of the last week, by code", "code", alarms);
    }
}
