use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use serde_json::json;
use tempfile::TempDir;
use wayside_protocol::error::Code;
use wayside_protocol::record::Kind;

use super::{backup, restore, verify};
use crate::log::Audited;
use crate::testing::{START, Site, Tablet, nowhere};
use crate::{Base, Clock, Error, accounts, log};

const DAY: u64 = 24 * 60 * 60 * 1000;

pub(super) fn clock(site: &Site) -> Clock {
    let now = site.now.clone();
    Clock::new(move || now.load(Ordering::Relaxed))
}

/// A new place with the server's keys and ledger in it.
pub(super) fn fresh_place(site: &Site) -> TempDir {
    let place = tempfile::tempdir().unwrap();
    let keys = place.path().join("keys");
    fs::create_dir(&keys).unwrap();
    for file in fs::read_dir(site.dir.path().join("keys")).unwrap().map(|file| file.unwrap()) {
        fs::copy(file.path(), keys.join(file.file_name())).unwrap();
    }
    place
}

fn record(site: &Site, tablet: &Tablet, count: usize) {
    let offers: Vec<_> =
        (0..count).map(|_| tablet.begin(Kind::Person, json!({"name": {"family": "Khan"}})).1).collect();
    tablet.push(site, &offers);
}

fn backed_up(site: &Site) -> (TempDir, PathBuf) {
    let shelf = tempfile::tempdir().unwrap();
    let made = backup(&site.base, shelf.path()).unwrap();
    (shelf, made)
}

pub(super) fn code(result: Result<impl Sized, Error>) -> Code {
    result.err().expect("a refusal").code()
}

fn epoch(base: &Base) -> [u8; 8] {
    base.log.read(log::teams).unwrap()[0].epoch
}

fn alarms(base: &Base) -> Vec<String> {
    let now = base.clock.now_ms();
    base.log.read(|conn| log::alarms(conn, now)).unwrap().into_iter().map(|alarm| alarm.code).collect()
}

#[test]
fn a_backup_becomes_a_server_with_a_new_epoch_and_what_came_after_in_the_ledger() {
    let site = Site::new();
    let first = site.tablet();
    record(&site, &first, 5);
    for name in ["amira", "basil"] {
        accounts::add(&site.base, name, accounts::Role::Coordinator, "a long enough password").unwrap();
    }
    let (_shelf, made) = backed_up(&site);
    // After the backup: more records, another tablet, another team, and somebody who left.
    record(&site, &first, 3);
    let later = site.tablet();
    site.base.team_add("South").unwrap();
    accounts::disable(&site.base, "amira").unwrap();

    let place = fresh_place(&site);
    let manifest = restore(&made, place.path(), &clock(&site)).unwrap();
    assert_eq!(manifest.teams[0].head, 6);
    let restored = Base::open(place.path(), clock(&site)).unwrap();
    assert_ne!(epoch(&restored), epoch(&site.base));
    let teams = restored.log.read(log::teams).unwrap();
    assert_eq!(
        teams.iter().map(|team| (team.name.as_str(), team.head)).collect::<Vec<_>>(),
        [("North", 6), ("South", 0)]
    );
    assert!(later.exchange(&restored, vec![nowhere(site.team)], vec![]).is_ok(), "enrolled after the backup");
    let accounts: Vec<_> = accounts::list(&restored).unwrap();
    assert_eq!(accounts.iter().map(|account| account.disabled).collect::<Vec<_>>(), [true, false]);
    assert_eq!(alarms(&restored), ["server_restored"]);
    // A second opening finds nothing to do.
    let before = epoch(&restored);
    drop(restored);
    assert_eq!(epoch(&Base::open(place.path(), clock(&site)).unwrap()), before);
}

#[test]
fn a_damaged_or_cut_backup_is_refused_and_leaves_no_server() {
    let site = Site::new();
    record(&site, &site.tablet(), 40);
    let (_shelf, made) = backed_up(&site);
    assert!(verify(&made).is_ok());
    let place = fresh_place(&site);
    let whole = fs::read(made.join("log.db")).unwrap();
    let text = fs::read(made.join("manifest.json")).unwrap();
    let mut turned = whole.clone();
    turned[whole.len() / 2] ^= 1;
    let refused = |at: &Path| {
        assert_eq!(code(restore(at, place.path(), &clock(&site))), Code::BackupDamaged);
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1, "the keys alone");
    };
    for log in [&whole[..whole.len() - 1], &whole[..4096], &[], &turned] {
        fs::write(made.join("log.db"), log).unwrap();
        refused(&made);
    }
    fs::write(made.join("log.db"), &whole).unwrap();
    // The log of another moment under this manifest, with its digest put right: the fingerprints tell.
    record(&site, &site.tablet(), 1);
    let (_shelf, other) = backed_up(&site);
    fs::copy(other.join("log.db"), made.join("log.db")).unwrap();
    let mut manifest: serde_json::Value = serde_json::from_slice(&text).unwrap();
    manifest["digest"] = json!(super::manifest::digest(&made.join("log.db")).unwrap());
    fs::write(made.join("manifest.json"), manifest.to_string()).unwrap();
    refused(&made);
    fs::write(made.join("log.db"), &whole).unwrap();
    for cut in [0, 1, text.len() / 2] {
        fs::write(made.join("manifest.json"), &text[..cut]).unwrap();
        refused(&made);
    }
    fs::remove_file(made.join("manifest.json")).unwrap();
    refused(&made);
    let newer = String::from_utf8(text.clone()).unwrap().replace("\"format\": 1", "\"format\": 2");
    fs::write(made.join("manifest.json"), newer).unwrap();
    assert_eq!(code(restore(&made, place.path(), &clock(&site))), Code::StorageNewer);
    fs::write(made.join("manifest.json"), &text).unwrap();
    assert!(restore(&made, place.path(), &clock(&site)).is_ok(), "whole again");
}

#[test]
fn a_restore_wants_the_keys_the_ledger_and_an_empty_place() {
    let site = Site::new();
    let (_shelf, made) = backed_up(&site);
    assert_eq!(code(restore(&made, site.dir.path(), &clock(&site))), Code::DataNotEmpty);
    let nowhere = tempfile::tempdir().unwrap();
    assert_eq!(code(restore(&made, &nowhere.path().join("new"), &clock(&site))), Code::IdentityMissing);
    let place = fresh_place(&site);
    fs::remove_file(place.path().join("keys/ledger.db")).unwrap();
    assert_eq!(code(restore(&made, place.path(), &clock(&site))), Code::LedgerMissing);
    let elsewhere = fresh_place(&Site::new());
    assert_eq!(code(restore(&made, elsewhere.path(), &clock(&site))), Code::IdentityMissing);
    let foreign = elsewhere.path().join("keys/ledger.db");
    fs::copy(&foreign, place.path().join("keys/ledger.db")).unwrap();
    assert_eq!(code(restore(&made, place.path(), &clock(&site))), Code::LedgerMissing);
    assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1, "nothing was made");
}

#[test]
fn a_server_without_its_ledger_or_key_does_not_open_and_makes_no_new_ones() {
    for (file, expected) in [("ledger.db", Code::LedgerMissing), ("identity.key", Code::IdentityMissing)] {
        let Site { dir, base, now, .. } = Site::new();
        drop(base);
        let path = dir.path().join("keys").join(file);
        fs::rename(&path, dir.path().join("aside")).unwrap();
        let open = || {
            Base::open(
                dir.path(),
                Clock::new({
                    let now = now.clone();
                    move || now.load(Ordering::Relaxed)
                }),
            )
        };
        assert_eq!(code(open()), expected);
        assert!(!path.exists());
        fs::rename(dir.path().join("aside"), &path).unwrap();
        assert!(open().is_ok(), "put back, it opens");
    }
}

#[test]
fn a_log_put_back_behind_our_back_is_noticed_when_it_is_opened() {
    let site = Site::new();
    let tablet = site.tablet();
    let (_shelf, made) = backed_up(&site);
    let later = site.tablet();
    let before = epoch(&site.base);
    let Site { dir, base, now, team, .. } = site;
    let base = Arc::into_inner(base).unwrap();
    drop(base);
    for name in ["log.db-wal", "log.db-shm"] {
        let _ = fs::remove_file(dir.path().join(name));
    }
    fs::copy(made.join("log.db"), dir.path().join("log.db")).unwrap();
    let time = now.clone();
    let base = Base::open(dir.path(), Clock::new(move || time.load(Ordering::Relaxed))).unwrap();
    assert_ne!(epoch(&base), before);
    assert_eq!(alarms(&base), ["log_replaced"]);
    for tablet in [tablet, later] {
        assert!(tablet.exchange(&base, vec![nowhere(team)], vec![]).is_ok());
    }
    now.store(START + 8 * DAY, Ordering::Relaxed);
    assert_eq!(alarms(&base), [""; 0], "shown as long as it can matter");
}

#[test]
fn a_server_that_starts_empty_beside_its_ledger_knows_its_teams_and_tablets() {
    let site = Site::new();
    let tablet = site.tablet();
    record(&site, &tablet, 2);
    let place = fresh_place(&site);
    let base = Base::open(place.path(), clock(&site)).unwrap();
    let teams = base.log.read(log::teams).unwrap();
    assert_eq!(teams.iter().map(|team| (team.id, team.head)).collect::<Vec<_>>(), [(site.team, 0)]);
    assert!(tablet.exchange(&base, vec![nowhere(site.team)], vec![]).is_ok());
    assert_eq!(alarms(&base), ["log_replaced"]);
}

#[test]
fn the_watermark_is_where_the_oldest_backup_of_the_window_ends() {
    let site = Site::new();
    let tablet = site.tablet();
    let shelf = tempfile::tempdir().unwrap();
    let watermark = |now| {
        let team = site.base.log.read(log::teams).unwrap()[0].n;
        site.base.log.read(|conn| log::watermark(conn, team, now)).unwrap()
    };
    assert_eq!(watermark(START), 0, "no backup, nothing may be dropped");
    for day in [0, 3, 6] {
        site.now.store(START + day * DAY, Ordering::Relaxed);
        record(&site, &tablet, 2);
        backup(&site.base, shelf.path()).unwrap();
    }
    // Heads 3, 5 and 7: the team's own record is the first.
    let seen = [6, 7, 8, 10, 11, 13, 14].map(|day| watermark(START + day * DAY));
    assert_eq!(seen, [3, 3, 5, 5, 7, 7, 0]);
    assert_eq!(fs::read_dir(shelf.path()).unwrap().count(), 3);
}

#[test]
fn a_restore_says_which_rows_of_the_audit_trail_it_lost() {
    let site = Site::new();
    let looks = |n: u64| {
        let row = |at| Audited { at, who: "vic".into(), act: "person".into(), ..Audited::default() };
        site.base.audit((0..n).map(row).collect()).unwrap();
    };
    looks(3);
    let (_shelf, made) = backed_up(&site);
    looks(2);
    site.base.note_trail().unwrap();
    let place = fresh_place(&site);
    restore(&made, place.path(), &clock(&site)).unwrap();
    let base = Base::open(place.path(), clock(&site)).unwrap();
    let found = base.verify_audit().unwrap();
    assert_eq!((found.rows, found.wrong, found.lost), (3, 0, vec![(4, 5)]));
}
