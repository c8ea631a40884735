use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use age::secrecy::ExposeSecret;
use age::x25519::Identity;
use serde_json::json;
use tempfile::TempDir;
use wayside_protocol::error::Code;
use wayside_protocol::record::Kind;

use super::tests::{clock, code, fresh_place};
use super::{Keep, Key, Manifest, Recipients, Schedule, backup_sealed, is_as_written, keep, opened, restore};
use super::{restore_shared, sealed, verify_sealed};
use crate::testing::{START, Site, Tablet, nowhere, shared_places};
use crate::{Base, Error, Places, log};

const HOUR: u64 = 60 * 60 * 1000;
const NAME: &str = "Unmistakable";

fn quiet(_: &'static str, _: u64) -> Result<(), Error> {
    Ok(())
}

/// A server with a record in it, a shelf, and a pair of keys of which the private one is in a file.
struct Cellar {
    site: Site,
    shelf: TempDir,
    key: Key,
    public: String,
    tablet: Tablet,
}

fn key(dir: &Path, identity: &Identity) -> Key {
    let path = dir.join("key.txt");
    fs::write(&path, format!("# a comment\n{}\n", identity.to_string().expose_secret())).unwrap();
    Key::read(&path).unwrap()
}

impl Cellar {
    fn new() -> Cellar {
        Cellar::of(Site::new())
    }

    fn of(site: Site) -> Cellar {
        let (identity, elsewhere) = (Identity::generate(), tempfile::tempdir().unwrap());
        let tablet = site.tablet();
        tablet.push(&site, &[tablet.begin(Kind::Person, json!({"name": {"family": NAME}})).1]);
        let key = key(elsewhere.path(), &identity);
        let public = identity.to_public().to_string();
        Cellar { site, shelf: tempfile::tempdir().unwrap(), key, public, tablet }
    }

    fn back_up(&self) -> PathBuf {
        let recipients = Recipients::parse(&[&self.public]).unwrap();
        backup_sealed(&self.site.base, self.shelf.path(), &recipients, &mut quiet).unwrap()
    }

    fn restore(&self, from: &Path, key: Option<&Key>, place: &Path) -> Result<Manifest, Error> {
        let clock = clock(&self.site);
        opened(from, key, place, &mut quiet, |from| restore(from, place, &clock))
    }

    fn points(&self) -> u64 {
        let sql = "SELECT count(*) FROM restore_point";
        self.site.base.log.read(|conn| conn.only(sql, &[], |row| row.get(0))).unwrap()
    }
}

/// Every byte of what lies below a directory.
fn bytes_below(dir: &Path) -> Vec<u8> {
    let mut all = Vec::new();
    for entry in fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()) {
        match entry.is_dir() {
            true => all.extend(bytes_below(&entry)),
            false => drop(File::open(entry).unwrap().read_to_end(&mut all).unwrap()),
        }
    }
    all
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|held| held == text.as_bytes())
}

#[test]
fn an_encrypted_backup_shows_nothing_and_becomes_a_server_with_the_private_key_alone() {
    let cellar = Cellar::new();
    let made = cellar.back_up();
    assert_eq!(cellar.points(), 1, "it is a restore point");
    let names = || fs::read_dir(cellar.site.dir.path()).unwrap().map(|entry| entry.unwrap().file_name());
    assert!(!names().any(|name| name == "backup.scratch"), "nothing stays");
    assert!(
        holds(&bytes_below(cellar.site.dir.path()), NAME) && !holds(&bytes_below(cellar.shelf.path()), NAME)
    );

    let place = fresh_place(&cellar.site);
    assert_eq!(code(cellar.restore(&made, None, place.path())), Code::BackupSealed);
    let elsewhere = tempfile::tempdir().unwrap();
    let other = key(elsewhere.path(), &Identity::generate());
    assert_eq!(code(cellar.restore(&made, Some(&other), place.path())), Code::BackupSealed);
    assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1, "the keys alone");
    assert_eq!(code(cellar.restore(&made, Some(&cellar.key), cellar.site.dir.path())), Code::DataNotEmpty);

    let manifest = cellar.restore(&made, Some(&cellar.key), place.path()).unwrap();
    assert_eq!((manifest.teams[0].head, fs::read_dir(place.path()).unwrap().count()), (2, 2), "log and keys");
    let restored = Base::open(place.path(), clock(&cellar.site)).unwrap();
    let epoch = |base: &Base| base.log.read(log::teams).unwrap()[0].epoch;
    assert_ne!(epoch(&restored), epoch(&cellar.site.base));
    let tablet = cellar.site.tablet();
    assert!(tablet.exchange(&cellar.site.base, vec![nowhere(cellar.site.team)], vec![]).is_ok());
}

#[test]
fn an_encrypted_backup_of_a_shared_log_becomes_one_again_with_the_private_key_alone() {
    let (Some(site), Some(empty)) = (Site::shared(), shared_places()) else { return };
    let cellar = Cellar::of(site);
    let made = cellar.back_up();
    assert_eq!(cellar.points(), 1, "it is a restore point");
    assert!(!holds(&bytes_below(cellar.shelf.path()), NAME));
    let left = |dir: &Path| fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name());
    assert!(!left(cellar.site.dir.path()).any(|name| name == "backup.scratch"), "nothing stays");

    let places = Places { log: empty.log, ledger: cellar.site.places.ledger.clone() };
    let (node, clock) = (fresh_place(&cellar.site), clock(&cellar.site));
    let restored = |key: Option<&Key>| {
        let into = |from: &Path| restore_shared(from, node.path(), &places, &clock);
        opened(&made, key, node.path(), &mut quiet, into)
    };
    assert_eq!(code(restored(None)), Code::BackupSealed);
    assert_eq!(restored(Some(&cellar.key)).unwrap().teams[0].head, 2);
    assert_eq!(left(node.path()).collect::<Vec<_>>(), ["keys"], "nothing lies open");
    let base = Base::open_at(node.path(), &places, clock).unwrap();
    let epoch = |base: &Base| base.log.read(log::teams).unwrap()[0].epoch;
    assert_ne!(epoch(&base), epoch(&cellar.site.base));
    assert_eq!(
        cellar.tablet.exchange(&base, vec![nowhere(cellar.site.team)], vec![]).unwrap().seqs(),
        [1, 2]
    );
}

#[test]
fn servers_over_one_log_make_one_backup_among_them() {
    let Some(site) = Site::shared() else { return };
    let cellar = Cellar::of(site);
    let (_dir, second) = cellar.site.node();
    let keep = Keep { daily: 2, weekly: 0, monthly: 0 };
    let plan = Schedule::new(cellar.shelf.path().into(), &[&cellar.public], 24, keep).unwrap();
    let due = |base: &Base, hours: u64| {
        cellar.site.now.store(START + hours * HOUR, Ordering::Relaxed);
        plan.run_if_due(base).unwrap().is_some()
    };
    let first = &cellar.site.base;
    assert_eq!(
        [due(first, 0), due(&second, 1), due(&second, 24), due(first, 25)],
        [true, false, true, false]
    );
    assert_eq!(cellar.points(), 2);
}

#[test]
fn a_cut_turned_or_foreign_file_is_refused_by_its_digest_or_by_its_cipher() {
    let cellar = Cellar::new();
    let made = cellar.back_up();
    let verified = || verify_sealed(&made, &cellar.key, &mut quiet);
    assert_eq!(verified().unwrap().teams[0].head, 2);
    assert_eq!(is_as_written(&made).unwrap(), Some(true));
    let (whole, noted) = (fs::read(&made).unwrap(), sealed::beside(&made));
    let digest = fs::read(&noted).unwrap();
    let cuts = [0, 1, 20, 200, whole.len() / 2, whole.len() - 1].map(|len| whole[..len].to_vec());
    let turned = [3, 30, 150, 400, 1000, whole.len() / 2, whole.len() - 1].map(|at| {
        let mut turned = whole.clone();
        turned[at] ^= 1;
        turned
    });
    for (n, bad) in cuts.into_iter().chain(turned).enumerate() {
        fs::write(&made, &bad).unwrap();
        fs::write(&noted, &digest).unwrap();
        assert_eq!(is_as_written(&made).unwrap(), Some(false), "{n}");
        assert_eq!(code(verified()), Code::BackupDamaged, "{n}");
        let place = fresh_place(&cellar.site);
        assert_eq!(code(cellar.restore(&made, Some(&cellar.key), place.path())), Code::BackupDamaged, "{n}");
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1, "{n}: the keys alone");
        // The digest lost, too: what is encrypted is authenticated. A turned stanza is a stanza for somebody else.
        fs::remove_file(&noted).unwrap();
        assert!(matches!(code(verified()), Code::BackupDamaged | Code::BackupSealed), "{n}");
    }
    fs::write(&made, &whole).unwrap();
    assert!(verified().is_ok(), "whole again, also without its digest");
    fs::write(&noted, [0xff, 0xfe]).unwrap();
    assert_eq!(code(verified()), Code::BackupDamaged);
}

#[test]
fn keys_that_are_none_are_refused() {
    let public = Identity::generate().to_public().to_string();
    let parse = |keys: &[&str]| Recipients::parse(keys).map(drop);
    assert!(parse(&[&public, &format!(" {public}\n")]).is_ok());
    for bad in [&[][..], &[""], &["age1"], &[&public[1..]], &[&public, "somebody"]] {
        assert_eq!(code(parse(bad)), Code::BackupKeyInvalid, "{bad:?}");
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("key");
    for bad in ["", "# nothing\n", "AGE-SECRET-KEY-1", &public, "\u{0}\n"] {
        fs::write(&path, bad).unwrap();
        assert_eq!(code(Key::read(&path)), Code::BackupKeyInvalid, "{bad:?}");
    }
    assert_eq!(code(Key::read(&dir.path().join("nowhere"))), Code::StorageFailed);
}

#[test]
fn a_server_backs_up_when_it_is_due_and_deletes_what_need_not_stay() {
    let cellar = Cellar::new();
    let (base, now) = (&cellar.site.base, &cellar.site.now);
    let keep = Keep { daily: 2, weekly: 0, monthly: 0 };
    let plan = |to: &Path| Schedule::new(to.into(), &[&cellar.public], 24, keep).unwrap();
    let (plan, unmounted) = (plan(cellar.shelf.path()), plan(&cellar.shelf.path().join("unmounted")));
    let due = |hours: u64| {
        now.store(START + hours * HOUR, Ordering::Relaxed);
        plan.run_if_due(base).unwrap().is_some()
    };
    assert_eq!(
        [0, 1, 23, 24, 30, 48, 49, 72, 100].map(due),
        [true, false, false, true, false, true, false, true, true]
    );
    let made = keep::made_in(cellar.shelf.path()).unwrap();
    assert_eq!((made.len(), cellar.points()), (2, 5), "the others are gone");
    assert!(made.iter().all(|at| {
        verify_sealed(&cellar.shelf.path().join(keep::name(*at)), &cellar.key, &mut quiet).is_ok()
    }));
    // Somebody set the clock back: what seems to come from the future does not stand for today's.
    assert!(due(10) && !due(11));
    assert_eq!(code(unmounted.run_if_due(base)), Code::StorageFailed);
    assert!(!cellar.shelf.path().join("unmounted").exists());
    for hours in [0, 169] {
        assert_eq!(code(Schedule::new("x".into(), &[&cellar.public], hours, keep)), Code::OutOfRange);
    }
}

#[test]
fn a_backup_that_is_ended_on_the_way_leaves_nothing() {
    let cellar = Cellar::new();
    let recipients = Recipients::parse(&[&cellar.public]).unwrap();
    for at in ["copying", "comparing", "encrypting", "proving"] {
        let mut told = |step, _| if step == at { Err(Code::ServerFailed.into()) } else { Ok(()) };
        let made = backup_sealed(&cellar.site.base, cellar.shelf.path(), &recipients, &mut told);
        assert_eq!(code(made), Code::ServerFailed, "{at}");
        assert_eq!(fs::read_dir(cellar.shelf.path()).unwrap().count(), 0, "{at}");
        assert!(!cellar.site.dir.path().join("backup.scratch").exists(), "{at}");
    }
    assert_eq!(cellar.points(), 0, "none is a restore point");
    cellar.back_up();
}
