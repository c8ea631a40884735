//! What the server stands on: its directory, the disk, the clock, the certificate.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::{Command, Stdio};

use super::{Finding, Patient, ago, size};
use crate::error::{Error, Result};
use crate::health::{certificate, disk};
use crate::keys::Tls;

/// Below this a database cannot even be upgraded.
const LEAST_FREE: u64 = 256 << 20;
/// A commit that takes longer keeps everybody waiting.
const SLOW_MS: u128 = 250;
/// Somebody needs that long to renew a certificate in no hurry.
const SOON_DAYS: u64 = 21;

pub fn look(patient: &Patient) -> Result<Vec<Finding>> {
    let mut findings = vec![directory(&patient.data)];
    if patient.data.is_dir() {
        findings.push(secrets(&patient.data));
        findings.push(space(&patient.data));
        findings.push(syncs(&patient.data));
    }
    findings.push(clock());
    findings.push(certificate(patient)?);
    Ok(findings)
}

fn directory(data: &Path) -> Finding {
    const CHECK: &str = "data_directory";
    let meta = match fs::metadata(data) {
        Ok(meta) if meta.is_dir() => meta,
        _ => {
            return Finding::fail(
                CHECK,
                "There is no such directory, or this account may not look into it.",
                "There is no server here, or the wrong directory was named.",
                "Name the right one with --data or --config, and run this as the server's own account.",
            );
        }
    };
    let (mode, mine) = (meta.permissions().mode() & 0o777, rustix::process::geteuid().as_raw());
    if mode & 0o077 != 0 {
        return Finding::warn(
            CHECK,
            format!("Its mode is {mode:04o}."),
            "Other accounts of this machine may read people's records.",
            "chmod 700 on the data directory.",
        );
    }
    if meta.uid() != mine {
        return Finding::warn(
            CHECK,
            "It belongs to another account than the one that runs this.",
            "What is found here may not be what the server finds.",
            "Run this as the server's own account: sudo -u wayside wayside doctor.",
        );
    }
    Finding::ok(CHECK, "There, and for its own account alone.")
}

fn secrets(data: &Path) -> Finding {
    const CHECK: &str = "keys";
    let keys = data.join("keys");
    if !keys.is_dir() {
        return Finding::fail(
            CHECK,
            "There is no keys directory.",
            "Without the identity key and the ledger this server does not start: tablets know it by that key.",
            "Put the keys directory back from where its copy is kept.",
        );
    }
    let open = |path: &Path| fs::metadata(path).is_ok_and(|meta| meta.permissions().mode() & 0o077 != 0);
    let inside = ["identity.key", "tls.key"].map(|name| keys.join(name));
    // The directory keeps others out; a key's own mode counts once it is copied.
    if open(&keys) || inside.iter().any(|path| open(path)) {
        return Finding::fail(
            CHECK,
            "Other accounts of this machine may read them.",
            "Whoever has the identity key can speak for this server.",
            "chmod 700 on keys, 600 on what is in it; find out who could read it meanwhile.",
        );
    }
    Finding::ok(CHECK, "For their own account alone.")
}

fn space(data: &Path) -> Finding {
    const CHECK: &str = "disk_space";
    let disk = match disk::space(data) {
        Ok(disk) => disk,
        Err(error) => {
            return Finding::fail(CHECK, error.kind().to_string(), "The disk does not answer.", DISK);
        }
    };
    let held: u64 = ["log.db", "views.db"]
        .iter()
        .filter_map(|name| Some(fs::metadata(data.join(name)).ok()?.len()))
        .sum();
    let found =
        format!("{} free of {}; log and views take {}.", size(disk.free), size(disk.size), size(held));
    if disk.free < LEAST_FREE {
        let means = "Soon nothing more can be recorded here. Tablets keep what they have meanwhile.";
        return Finding::fail(CHECK, found, means, MAKE_ROOM);
    }
    if disk.free < disk.size / 10 || disk.free < held {
        let means = "An erasure writes both databases anew and needs as much again; so does a backup on the same disk.";
        return Finding::warn(CHECK, found, means, MAKE_ROOM);
    }
    Finding::ok(CHECK, found)
}

const MAKE_ROOM: &str =
    "Make the disk larger, or delete old backups and logs that lie on it; never log.db or keys.";
const DISK: &str =
    "Look at the system's log (journalctl -k) for errors of the disk; replace it if there are any.";

fn syncs(data: &Path) -> Finding {
    const CHECK: &str = "disk_sync";
    match disk::sync_a_file(data) {
        Ok(took) if took.as_millis() <= SLOW_MS => {
            Finding::ok(CHECK, format!("A file was written and synced in {} ms.", took.as_millis()))
        }
        Ok(took) => Finding::warn(
            CHECK,
            format!("Writing and syncing a small file took {} ms.", took.as_millis()),
            "Every commit waits for the disk this long, and tablets and pages with it.",
            "Look for what else uses the disk; a disk that is always this slow is too slow.",
        ),
        Err(error) => Finding::fail(
            CHECK,
            format!("A file cannot be written and synced: {}.", error.kind()),
            "Nothing can be recorded here now. Tablets keep what they have meanwhile.",
            DISK,
        ),
    }
}

fn clock() -> Finding {
    const CHECK: &str = "clock";
    // systemd's own keeper of the time leaves a file; others are asked for through it.
    if Path::new("/run/systemd/timesync/synchronized").exists() {
        return Finding::ok(CHECK, "Kept right over the network.");
    }
    let asked = Command::new("timedatectl")
        .args(["show", "--property=NTPSynchronized", "--value"])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output();
    let said = asked.ok().filter(|asked| asked.status.success()).map(|asked| asked.stdout);
    match said.as_deref().map(<[u8]>::trim_ascii) {
        Some(b"yes") => Finding::ok(CHECK, "Kept right over the network."),
        Some(b"no") => Finding::warn(
            CHECK,
            "Nothing keeps it right.",
            "Tablets sync all the same, but times of receipt, logins and what is due are by this clock.",
            "Turn on a time service: timedatectl set-ntp true, or chrony.",
        ),
        _ => Finding::ok(CHECK, "Whether something keeps it right cannot be found out here."),
    }
}

fn certificate(patient: &Patient) -> Result<Finding> {
    const CHECK: &str = "certificate";
    let files = patient.settings.tls()?;
    // Opened only where they are: they would be made.
    let own = ["tls.crt", "tls.key"].map(|name| patient.data.join("keys").join(name).is_file());
    if files.is_none() && own == [false; 2] {
        return Ok(Finding::ok(CHECK, "None yet: the server makes one when it starts."));
    }
    let read = match files.is_some() || own == [true; 2] {
        true => Tls::open(&patient.data, files.as_ref(), None),
        false => Err(Error::Key("TLS certificate or key file")),
    };
    let said = match read.and_then(|tls| certificate::said_by(&tls.leaf)) {
        Ok(said) => said,
        Err(error) => {
            let means = "Certificate and key cannot be read or do not belong together: the server does not start with them.";
            let do_this = "Put back the certificate that was issued for this key.";
            return Ok(Finding::unread(CHECK, &error, means, do_this));
        }
    };
    let left_s = said.until.saturating_sub(patient.clock.now_ms() / 1000);
    let found = format!("Valid for another {}.", ago(left_s * 1000));
    if left_s == 0 {
        let means = "Browsers and programs turn away; tablets do not, since they pin the key.";
        return Ok(Finding::fail(CHECK, "It is no longer valid.", means, RENEW));
    }
    if left_s < SOON_DAYS * 24 * 60 * 60 {
        let means = "Browsers and programs turn away when it has run out; tablets do not.";
        return Ok(Finding::warn(CHECK, found, means, RENEW));
    }
    let host = patient.settings.text("url").and_then(|url| host_of(&url));
    if files.is_some() && host.is_some_and(|host| !said.is_for(&host)) {
        let means = "Browsers and programs that call the server by its address turn away.";
        let do_this = "Have a certificate issued that names the host of `url`, for the same key.";
        return Ok(Finding::warn(CHECK, "It is not for the host of `url`.", means, do_this));
    }
    Ok(Finding::ok(CHECK, found))
}

const RENEW: &str =
    "Renew it for the same key; the server takes the new file within a minute, or at once on SIGHUP.";

/// `base.example` of `https://base.example:8443/`.
fn host_of(url: &str) -> Option<String> {
    let authority: axum::http::Uri = url.parse().ok()?;
    authority.host().map(str::to_owned)
}
