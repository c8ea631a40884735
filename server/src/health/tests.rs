use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::json;
use wayside_protocol::error::Code;
use wayside_protocol::record::Kind;

use super::doctor::{Finding, Patient, State, examine};
use super::page::{Beside, page};
use crate::limits::Limit;
use crate::settings::{Said, Settings};
use crate::testing::{Site, on_both, shared_addresses};
use crate::{Clock, Places, Server, ServerConfig, log};

const BESIDE: Beside = Beside { certificate: Some(4_000_000_000), begun: 1 };

fn get(addr: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(addr).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {addr}\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// One accepted change, one in quarantine.
fn pushed() -> Site {
    push_to(Site::new())
}

fn push_to(site: Site) -> Site {
    let tablet = site.tablet();
    let good = tablet.begin(Kind::Person, json!({"name": {"family": "Khan"}})).1;
    let bad = tablet.begin(Kind::Person, json!({"sex": 1})).1;
    tablet.push(&site, &[good, bad]);
    site
}

on_both!(metrics_say_what_became_of_changes_and_how_the_log_stands);

fn metrics_say_what_became_of_changes_and_how_the_log_stands(site: Site) {
    let site = push_to(site);
    let text = page(&site.base, &BESIDE).unwrap();
    for line in [
        "wayside_sync_verdicts_total{verdict=\"accepted\",code=\"\"} 1",
        "wayside_sync_verdicts_total{verdict=\"quarantined\",code=\"wrong_type\"} 1",
        "wayside_sync_verdicts_total{verdict=\"waiting\",code=\"\"} 0",
        "wayside_sync_frames_total 1",
        "wayside_quarantine_changes{code=\"wrong_type\"} 1.0",
        "wayside_quarantine_unseen_changes 1.0",
        "wayside_log_readable 1.0",
        "wayside_log_head_changes 2.0",
        "wayside_tablets 1.0",
        "wayside_open_channels{kind=\"tablets\"} 0",
        "wayside_certificate_expiry_timestamp_seconds 4000000000.0",
    ] {
        assert!(text.lines().any(|held| held == line), "{line}\n{text}");
    }
    assert!(text.ends_with("# EOF\n"));
    assert!(!text.contains("wayside_backup_last"), "there was none");
    let channel = site.base.metrics.channel("tablets");
    assert!(page(&site.base, &BESIDE).unwrap().contains("wayside_open_channels{kind=\"tablets\"} 1"));
    drop(channel);
    assert!(page(&site.base, &BESIDE).unwrap().contains("wayside_open_channels{kind=\"tablets\"} 0"));
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_are_counted_by_template_and_metrics_are_served_apart() {
    let dir = tempfile::tempdir().unwrap();
    let local = Some("127.0.0.1:0".to_owned());
    let config = ServerConfig { metrics: local.clone(), pages: local, ..ServerConfig::local(dir.path()) };
    let running = Server::start(config).await.unwrap();
    let (pages, metrics) = (running.pages_addr().unwrap(), running.metrics_addr().unwrap());
    let asked = tokio::task::spawn_blocking(move || {
        let shown = get(pages, "/people/somebody-by-name");
        assert!(shown.to_lowercase().contains("x-request-id: "), "{shown}");
        get(pages, "/nowhere/somebody-by-name");
        (get(metrics, "/metrics"), get(metrics, "/people"), get(pages, "/metrics"))
    });
    let (text, nothing, on_pages) = asked.await.unwrap();
    assert!(text.starts_with("HTTP/1.1 200") && text.contains("application/openmetrics-text"), "{text}");
    assert!(
        text.contains("wayside_requests_total{method=\"GET\",route=\"/people/{id}\",status=\"303\"} 1"),
        "{text}"
    );
    assert!(text.contains("route=\"other\""), "{text}");
    assert!(!text.contains("somebody"), "{text}");
    assert!(text.contains("wayside_certificate_expiry_timestamp_seconds"), "{text}");
    assert!(nothing.starts_with("HTTP/1.1 404"), "{nothing}");
    assert!(!on_pages.contains("wayside_requests_total"), "{on_pages}");
    running.shutdown().await.unwrap();
    assert!(TcpStream::connect(metrics).is_err());
}

/// Names of metrics in an expression of the alert rules.
fn named(rules: &str) -> BTreeSet<&str> {
    let words = rules.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    words.filter(|word| word.starts_with("wayside_")).collect()
}

/// Of a server that has met everything that there is a figure for.
fn all_metrics(site: Site) -> String {
    let site = push_to(site);
    for _ in 0..3 {
        let tablet = site.tablet();
        tablet.push(&site, &[tablet.begin(Kind::Person, json!({"name": {"family": "Khan"}})).1]);
    }
    site.base.metrics.answered("GET", "/", 200, std::time::Duration::ZERO);
    site.base.limits.met(Limit::Waiting);
    let now = site.base.clock.now_ms();
    let noted = site.base.log.write(move |txn| {
        log::alarm(txn.conn, Code::LogReplaced, None, now)?;
        log::add_restore_point(txn.conn, 1, &[])
    });
    noted.unwrap();
    page(&site.base, &BESIDE).unwrap()
}

#[test]
fn alerts_speak_of_metrics_that_there_are_and_each_leads_to_what_to_do() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/operations");
    let rules = std::fs::read_to_string(docs.join("alerts.yml")).unwrap();
    let to_do = std::fs::read_to_string(docs.join("alarms.md")).unwrap();
    // Only said while commits fail.
    let mut text = all_metrics(Site::new()) + "wayside_log_failing ";
    match Site::shared() {
        Some(shared) => text.push_str(&all_metrics(shared)),
        // Without one here nobody sees what it would say.
        None => ["connect_failures_total", "connections_in_use", "connections_most"]
            .iter()
            .for_each(|name| text.push_str(&format!("wayside_postgres_{name} "))),
    }
    let there = named(&text);
    for name in named(&rules) {
        assert!(there.contains(name), "{name} in alerts.yml is no metric");
    }
    let alerts: Vec<&str> = rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    assert!(alerts.len() > 10, "{alerts:?}");
    for alert in &alerts {
        assert!(
            to_do.contains(&format!("\n## {alert}\n")),
            "alarms.md does not say what to do about {alert}"
        );
        let link = format!("alarms.md#{}", alert.to_lowercase());
        assert!(rules.contains(&link), "{alert} does not lead there");
    }
    let headings = to_do.lines().filter_map(|line| line.strip_prefix("## Wayside"));
    for heading in headings {
        assert!(alerts.contains(&format!("Wayside{heading}").as_str()), "there is no alert Wayside{heading}");
    }
}

struct Ward {
    dir: tempfile::TempDir,
    now: u64,
    /// Where its log and ledger are, if not in the directory.
    databases: Option<[String; 2]>,
}

impl Ward {
    fn examine(&self) -> Vec<Finding> {
        let mut arguments = vec![("data", "--data", self.dir.path().display().to_string())];
        if let Some([log, ledger]) = &self.databases {
            // An address as an argument is refused where it holds a password.
            let file = |name: &str, address: &str| {
                let path = self.dir.path().join(name);
                std::fs::write(&path, address).unwrap();
                format!("file:{}", path.display())
            };
            arguments.push(("database.log", "--log", file("log.url", log)));
            arguments.push(("database.ledger", "--ledger", file("ledger.url", ledger)));
        }
        let said = Said { arguments, ..Said::default() };
        let settings = Settings::load(&said).unwrap().unwrap();
        let now = self.now;
        let (data, clock) = (self.dir.path().to_owned(), Clock::new(move || now));
        examine(&Patient { settings: &settings, data, clock, deep: true }).unwrap()
    }

    fn state(&self, check: &str) -> State {
        let findings = self.examine();
        let found = findings.iter().find(|finding| finding.check == check);
        found.unwrap_or_else(|| panic!("{check} in {findings:?}")).state
    }
}

/// A server that is healthy but for its change in quarantine, stopped.
fn ward() -> Ward {
    ward_of(pushed(), None)
}

fn ward_of(site: Site, databases: Option<[String; 2]>) -> Ward {
    let Site { dir, base, .. } = site;
    crate::backup::backup(&base, &dir.path().join("backups")).unwrap();
    let now = base.clock.now_ms();
    drop(base);
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
    Ward { dir, now, databases }
}

#[test]
fn the_doctor_says_of_a_healthy_server_that_it_is_and_changes_nothing() {
    let ward = ward();
    let before = std::fs::read(ward.dir.path().join("log.db")).unwrap();
    let findings = ward.examine();
    let bad: Vec<_> = findings.iter().filter(|finding| finding.state == State::Fail).collect();
    assert!(bad.is_empty(), "{bad:?}");
    let warned: Vec<_> =
        findings.iter().filter(|one| one.state == State::Warn).map(|one| one.check).collect();
    // What the machine under a test is like is not the server's doing.
    let own: Vec<_> =
        warned.into_iter().filter(|check| !matches!(*check, "disk_space" | "disk_sync" | "clock")).collect();
    assert_eq!(own, ["quarantine"], "{findings:?}");
    for finding in &findings {
        assert_eq!(
            finding.state == State::Ok,
            finding.do_this.is_empty() && finding.means.is_empty(),
            "{finding:?}"
        );
    }
    assert_eq!(std::fs::read(ward.dir.path().join("log.db")).unwrap(), before);
    assert!(!ward.dir.path().join("views.db").exists(), "none was made");
}

#[test]
fn the_doctor_finds_what_is_wrong() {
    let ward = ward();
    let path = |name: &str| ward.dir.path().join(name);
    let open = |name: &str, mode: u32| {
        std::fs::set_permissions(path(name), std::fs::Permissions::from_mode(mode)).unwrap();
    };
    open("keys/identity.key", 0o644);
    assert_eq!(ward.state("keys"), State::Fail);
    open("keys/identity.key", 0o600);
    open("", 0o755);
    assert_eq!(ward.state("data_directory"), State::Warn);
    open("", 0o700);

    let identity = std::fs::read(path("keys/identity.key")).unwrap();
    std::fs::write(path("keys/identity.key"), [7; 32]).unwrap();
    assert_eq!(ward.state("identity"), State::Fail, "another server's");
    std::fs::write(path("keys/identity.key"), identity).unwrap();
    std::fs::rename(path("keys/ledger.db"), path("ledger.db")).unwrap();
    assert_eq!(ward.state("ledger"), State::Fail);
    assert!(!path("keys/ledger.db").exists(), "none was made");
    std::fs::rename(path("ledger.db"), path("keys/ledger.db")).unwrap();

    let hour = 60 * 60 * 1000;
    for (ms, state) in [(hour, State::Ok), (27 * hour, State::Warn), (8 * 24 * hour, State::Fail)] {
        let moved = Ward { now: ward.now + ms, dir: copied(ward.dir.path()), databases: None };
        assert_eq!(moved.state("backup"), state, "{ms}");
    }
    let back = Ward { now: ward.now - hour, dir: copied(ward.dir.path()), databases: None };
    assert_eq!(back.state("clocks"), State::Fail, "a tablet was here an hour from now");

    std::fs::write(path("keys/tls.crt"), "no certificate").unwrap();
    assert_eq!(ward.state("certificate"), State::Fail);
    std::fs::remove_file(path("keys/tls.crt")).unwrap();

    let mut log = std::fs::read(path("log.db")).unwrap();
    let middle = log.len() / 2;
    log[middle..].fill(0x5a);
    std::fs::write(path("log.db"), &log).unwrap();
    let findings = ward.examine();
    let about_log = ["log", "pages", "fingerprints"];
    let failed = |one: &&Finding| one.state == State::Fail && about_log.contains(&one.check);
    assert!(findings.iter().any(|one| failed(&one)), "{findings:?}");
    std::fs::write(path("log.db"), "this is no database, and never was one").unwrap();
    assert_eq!(ward.state("log"), State::Fail);
    std::fs::remove_file(path("log.db")).unwrap();
    assert_eq!(ward.state("log"), State::Fail);
    assert!(!path("log.db").exists());
}

#[test]
fn the_doctor_looks_at_a_log_in_postgresql_and_says_when_it_is_away() {
    let Some(addresses) = shared_addresses() else { return };
    let places = Places::parse(Some(&addresses[0]), Some(&addresses[1])).unwrap();
    let mut ward = ward_of(push_to(Site::at(places)), Some(addresses.clone()));
    let findings = ward.examine();
    let found = |check: &str| findings.iter().find(|one| one.check == check).map(|one| one.state);
    for check in ["log", "ledger", "identity", "fingerprints", "audit", "backup"] {
        assert_eq!(found(check), Some(State::Ok), "{check} in {findings:?}");
    }
    assert_eq!(found("postgres_standby"), Some(State::Warn), "{findings:?}");
    assert_eq!(found("quarantine"), Some(State::Warn), "{findings:?}");
    let bad: Vec<_> = findings.iter().filter(|finding| finding.state == State::Fail).collect();
    assert!(bad.is_empty(), "{bad:?}");
    for (log, ledger, check) in [
        ("nowhere", addresses[1].as_str(), "log"),
        (addresses[0].as_str(), "nowhere", "ledger"),
        (addresses[0].as_str(), addresses[0].as_str(), "ledger"),
    ] {
        // A database that is not there, and one that is another thing.
        let (host, _) = addresses[0].rsplit_once('/').unwrap();
        let whole = |name: &str| if name == "nowhere" { format!("{host}/nowhere") } else { name.to_owned() };
        ward.databases = Some([whole(log), whole(ledger)]);
        assert_eq!(ward.state(check), State::Fail, "{log} {ledger}");
    }
}

fn copied(from: &Path) -> tempfile::TempDir {
    let to = tempfile::tempdir().unwrap();
    fn copy(from: &Path, to: &Path) {
        for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
            let target = to.join(entry.file_name());
            if entry.path().is_dir() {
                std::fs::create_dir(&target).unwrap();
                copy(&entry.path(), &target);
            } else {
                std::fs::copy(entry.path(), target).unwrap();
            }
        }
    }
    copy(from, to.path());
    to
}
