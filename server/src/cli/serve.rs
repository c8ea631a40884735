//! `wayside serve`: the settings from all three places, the log on standard error, and the server until it is asked to end.

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;

use clap::Args;
use tracing_subscriber::EnvFilter;

use super::data::{Data, text};
use crate::archive::daily;
use crate::backup::{self, Keep, Schedule};
use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::limits::{self, Pace, Proxies};
use crate::log::{Quota, Quotas};
use crate::serve::{Server, ServerConfig, Signals};
use crate::service;
use crate::settings::{Said, Settings};

/// Each argument overrides the setting of `docs/wayside.toml` that its help names.
#[derive(Args)]
pub struct Serve {
    #[command(flatten)]
    data: Data,
    /// Where tablets, pages and programs are served: 127.0.0.1:8443 unless something else is said. Port 0 takes any that is
    /// free. (listen)
    #[arg(long, value_name = "ADDR")]
    listen: Option<String>,
    /// Where tablets reach this server, if that is not where it listens. (url)
    #[arg(long)]
    url: Option<String>,
    /// Tablets that speak an older version of the sync protocol only send, and are told to be updated. (tablets.oldest_version)
    #[arg(long, value_name = "N")]
    oldest_version: Option<String>,
    /// Once a day, what nobody has changed for so many days leaves the tablets; 0 for never. (tablets.archive_after_days)
    #[arg(long, value_name = "DAYS")]
    archive_after: Option<String>,
    /// A certificate chain (PEM) instead of our own. (tls.cert)
    #[arg(long, value_name = "FILE")]
    tls_cert: Option<PathBuf>,
    /// Its private key (PEM). Tablets pin this key: keep it when the certificate is renewed. (tls.key)
    #[arg(long, value_name = "FILE")]
    tls_key: Option<PathBuf>,
    /// An administrator without a second factor may do nothing on the pages but set one up.
    /// (accounts.administrators_need_second_factor)
    #[arg(long)]
    administrators_need_second_factor: bool,
    /// What the pages call your service. (name)
    #[arg(long)]
    name: Option<String>,
    /// Serves the pages without TLS, too, for a browser on this machine, as in 127.0.0.1:8080. (pages)
    #[arg(long, value_name = "ADDR")]
    pages: Option<String>,
    /// Where Prometheus finds /metrics, as in 127.0.0.1:9464; nowhere unless it is said. (metrics.listen)
    #[arg(long, value_name = "ADDR")]
    metrics: Option<String>,
    /// How the log is written: text or json. (logging.format)
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<String>,
    /// Where encrypted backups go. (backup.to)
    #[arg(long, value_name = "DIR")]
    backup_to: Option<PathBuf>,
    /// Whose private key opens them; may be given several times. (backup.recipients)
    #[arg(long, value_name = "AGE1")]
    backup_recipient: Vec<String>,
    /// How often, in hours. (backup.every_hours)
    #[arg(long, value_name = "HOURS")]
    backup_every: Option<String>,
    /// How many of the last days are kept. (backup.keep_daily)
    #[arg(long, value_name = "N")]
    backup_keep_daily: Option<String>,
    /// And of the last weeks. (backup.keep_weekly)
    #[arg(long, value_name = "N")]
    backup_keep_weekly: Option<String>,
    /// And of the last months. (backup.keep_monthly)
    #[arg(long, value_name = "N")]
    backup_keep_monthly: Option<String>,
}

impl Serve {
    fn said(self) -> Result<Said> {
        let path = |path: Option<PathBuf>| path.as_deref().map(text).transpose();
        let several = (!self.backup_recipient.is_empty()).then(|| self.backup_recipient.join(","));
        let mut said = self.data.said()?;
        for (key, flag, given) in [
            ("listen", "--listen", self.listen),
            ("url", "--url", self.url),
            ("tablets.oldest_version", "--oldest-version", self.oldest_version),
            ("tablets.archive_after_days", "--archive-after", self.archive_after),
            ("tls.cert", "--tls-cert", path(self.tls_cert)?),
            ("tls.key", "--tls-key", path(self.tls_key)?),
            ("name", "--name", self.name),
            ("pages", "--pages", self.pages),
            ("metrics.listen", "--metrics", self.metrics),
            ("logging.format", "--log-format", self.log_format),
            ("backup.to", "--backup-to", path(self.backup_to)?),
            ("backup.recipients", "--backup-recipient", several),
            ("backup.every_hours", "--backup-every", self.backup_every),
            ("backup.keep_daily", "--backup-keep-daily", self.backup_keep_daily),
            ("backup.keep_weekly", "--backup-keep-weekly", self.backup_keep_weekly),
            ("backup.keep_monthly", "--backup-keep-monthly", self.backup_keep_monthly),
        ] {
            said.argument(key, flag, given);
        }
        let needed = self.administrators_need_second_factor.then(|| "true".to_owned());
        said.argument(
            "accounts.administrators_need_second_factor",
            "--administrators-need-second-factor",
            needed,
        );
        Ok(said)
    }
}

/// Runs until the process is asked to end.
pub fn serve(serve: Serve, out: &mut impl Write) -> Result<()> {
    let settings = Settings::load_or_refuse(&serve.said()?)?;
    write_log(&settings);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::File("async runtime", error))?;
    runtime.block_on(until_signal(&settings, out))
}

async fn until_signal(settings: &Settings, out: &mut impl Write) -> Result<()> {
    let schedule = schedule(settings)?;
    let running = Server::start(config(settings)?).await?;
    let signals = Signals::heard()?;
    let base = running.base().clone();
    base.require_version(u8::try_from(settings.number("tablets.oldest_version")).unwrap_or(u8::MAX));
    base.limits.set(limits_of(settings)?);
    if settings.flag("accounts.administrators_need_second_factor") {
        base.require_second_factor();
    }
    let days = u32::try_from(settings.number("tablets.archive_after_days")).unwrap_or(u32::MAX);
    let mut daily = Vec::from_iter((days > 0).then(|| tokio::spawn(daily(base.clone(), days))));
    let scheduled = schedule.map(|schedule| tokio::spawn(backup::scheduled(base.clone(), schedule)));
    let told = tokio::spawn(service::report(base.closing()));
    drop(base);
    let mut said = format!("Wayside is listening on https://{}\n", running.addr);
    if let Some(addr) = running.pages_addr() {
        said += &format!("The pages are at http://{addr}\n");
    }
    if let Some(addr) = running.metrics_addr() {
        said += &format!("Metrics are at http://{addr}/metrics\n");
    }
    // Whoever started it may have stopped reading: that is no reason to serve nobody.
    if out.write_all(said.as_bytes()).and_then(|()| out.flush()).is_err() {
        tracing::warn!("nobody reads where this server listens");
    }
    let served = running.until_signal(signals).await;
    for task in daily.drain(..).chain(scheduled).chain([told]) {
        let _ = task.await;
    }
    served
}

fn config(settings: &Settings) -> Result<ServerConfig> {
    let local = ServerConfig::local(settings.data()?);
    Ok(ServerConfig {
        places: settings.places()?,
        listen: settings.text("listen").unwrap_or(local.listen),
        url: settings.text("url"),
        tls: settings.tls()?,
        name: settings.text("name").unwrap_or(local.name),
        pages: settings.text("pages"),
        metrics: settings.text("metrics.listen"),
        clock: Clock::default(),
        data: local.data,
    })
}

/// `None` where backups are not made by the server itself.
fn schedule(settings: &Settings) -> Result<Option<Schedule>> {
    let Some(to) = settings.text("backup.to") else { return Ok(None) };
    let number = |key: &str| u32::try_from(settings.number(key)).unwrap_or(u32::MAX);
    let keep = Keep {
        daily: number("backup.keep_daily"),
        weekly: number("backup.keep_weekly"),
        monthly: number("backup.keep_monthly"),
    };
    let every = number("backup.every_hours");
    Schedule::new(to.into(), &settings.list("backup.recipients"), every, keep).map(Some)
}

fn limits_of(settings: &Settings) -> Result<limits::Settings> {
    let number = |key: &str| u32::try_from(settings.number(key)).unwrap_or(u32::MAX);
    let quota = |changes: &str, mib: &str| Quota {
        changes: settings.number(changes),
        bytes: settings.number(mib) << 20,
    };
    let nets =
        settings.list("limits.trusted_proxies").iter().map(|net| net.parse()).collect::<Result<_>>()?;
    let header = settings.text("limits.proxy_header").unwrap_or_default().parse()?;
    Ok(limits::Settings {
        tablet: Pace { burst: number("limits.tablet_burst"), per_minute: number("limits.tablet_per_minute") },
        address: Pace {
            burst: number("limits.address_burst"),
            per_minute: number("limits.address_per_minute"),
        },
        tablet_at_once: number("limits.tablet_at_once"),
        address_at_once: number("limits.address_at_once"),
        held: Quotas {
            tablet: quota("limits.held_by_tablet", "limits.held_by_tablet_mib"),
            team: quota("limits.held_of_team", "limits.held_of_team_mib"),
        },
        proxies: Proxies { nets, header },
        ..limits::Settings::default()
    })
}

/// Logs to standard error. Nothing of ours carries personal data; what dependencies say is kept to warnings unless somebody
/// asks for more.
fn write_log(settings: &Settings) {
    let filter = settings.text("logging.filter").unwrap_or_default();
    let log = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("info")))
        .with_ansi(io::stderr().is_terminal())
        .with_writer(io::stderr);
    let _ = match settings.text("logging.format").as_deref() {
        Some("json") => log.json().flatten_event(true).with_span_list(false).try_init(),
        _ => log.try_init(),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_nobody_sets_a_limit_the_limits_own_default_holds() {
        let settings = Settings::load_or_refuse(&Said::default()).unwrap();
        assert_eq!(limits_of(&settings).unwrap(), limits::Settings::default());
    }
}
