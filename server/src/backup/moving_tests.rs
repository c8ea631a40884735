//! A log that moves between directories and, where a server is named, to PostgreSQL and back.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use serde_json::json;
use tempfile::TempDir;
use wayside_protocol::error::Code;
use wayside_protocol::record::{Kind, RecordId};
use wayside_protocol::sync::Fingerprint;

use super::{Shared, Where, backup, check_copy, move_log, restore_shared, unseal};
use crate::testing::{START, Site, nowhere, shared_places};
use crate::{Base, Clock, Places, accounts, log};

fn clock() -> Clock {
    Clock::new(|| START)
}

/// A directory with the server's keys and nothing else.
fn keys_of(site: &Site) -> TempDir {
    let place = tempfile::tempdir().unwrap();
    let keys = place.path().join("keys");
    fs::create_dir(&keys).unwrap();
    fs::copy(site.dir.path().join("keys/identity.key"), keys.join("identity.key")).unwrap();
    place
}

/// A server that holds something of every kind.
fn full() -> Site {
    let site = Site::new();
    let tablet = site.tablet();
    // More than one page of rows.
    let people: Vec<_> =
        (0..300).map(|_| tablet.begin(Kind::Person, json!({"name": {"family": "Khan"}})).1).collect();
    tablet.push(&site, &people);
    // One for quarantine, and one that waits for what never came.
    tablet.push(&site, &[tablet.begin(Kind::Team, json!({"name": "Mine"})).1]);
    let (mut record, _never_sent) = tablet.begin(Kind::Person, json!({"name": {"family": "Odd"}}));
    let edit = tablet.edit(&mut record, None, json!({"name": {"given": "Amina"}}));
    tablet.push(&site, &[edit]);
    accounts::add(&site.base, "amira", accounts::Role::Coordinator, "a long enough password").unwrap();
    site.base.enrol_code("North", Some("https://base.example")).unwrap();
    backup(&site.base, tempfile::tempdir().unwrap().path()).unwrap();
    for table in ["log", "quarantine", "waiting", "waiting_for", "account", "enrol_code", "restore_point"] {
        assert!(site.count(table) > 0, "{table}");
    }
    site
}

fn standing(base: &Base) -> Vec<(RecordId, [u8; 8], u64, Fingerprint)> {
    let read = |conn: &log::Conn| {
        let teams = log::teams(conn)?.into_iter();
        let sum = |team: &log::Team| log::sum_at(conn, team.n, team.head).map(|sum| sum.fingerprint());
        teams.map(|team| Ok((team.id, team.epoch, team.head, sum(&team)?))).collect()
    };
    base.log.read(read).unwrap()
}

fn move_to(from: &Where, to: &Where) -> Result<(), Code> {
    move_log(from, to, START, &mut |_| {}).map(drop).map_err(|error| error.code())
}

fn dir(path: &Path) -> Where {
    Where::Dir(path.to_owned())
}

fn shared(places: &Places) -> Where {
    Where::Shared(Box::new(Shared {
        log: places.log.clone().unwrap(),
        ledger: places.ledger.clone().unwrap(),
    }))
}

#[test]
fn a_log_moves_whole_and_its_old_place_takes_nothing_more() {
    let site = full();
    let before = standing(&site.base);
    let place = keys_of(&site);
    move_to(&dir(site.dir.path()), &dir(place.path())).unwrap();
    let moved = Base::open(place.path(), clock()).unwrap();
    assert_eq!(standing(&moved), before);
    for table in ["log", "quarantine", "waiting", "waiting_for", "account", "enrol_code", "restore_point"] {
        let sql = format!("SELECT count(*) FROM {table}");
        let count: u64 = moved.log.read(|conn| conn.only(&sql, &[], |row| row.get(0))).unwrap();
        assert_eq!(count, site.count(table), "{table}");
    }
    // Whoever still comes to the old one keeps what they have.
    let refused = site.base.team_add("South").unwrap_err();
    assert_eq!((refused.code(), refused.retry()), (Code::LogMoved, true));
    assert!(moved.team_add("South").is_ok());
    // A second time there is something already.
    assert_eq!(move_to(&dir(site.dir.path()), &dir(place.path())), Err(Code::DataNotEmpty));
    // Given up: the old one goes on, and no place in it that a tablet remembers holds any more.
    unseal(&site.base).unwrap();
    assert!(site.base.team_add("West").is_ok());
    assert_ne!(standing(&site.base)[0].1, before[0].1);
}

#[test]
fn a_log_is_moved_only_where_the_servers_keys_are() {
    let (site, empty) = (full(), tempfile::tempdir().unwrap());
    assert_eq!(move_to(&dir(site.dir.path()), &dir(empty.path())), Err(Code::IdentityMissing));
    assert!(site.base.team_add("South").is_ok(), "not sealed for nothing");
    assert!(move_to(&dir(empty.path()), &dir(site.dir.path())).is_err(), "there is no log");
}

#[test]
fn a_log_moves_to_a_shared_database_and_back_byte_for_byte() {
    let Some(places) = shared_places() else { return };
    let site = full();
    let before = standing(&site.base);
    let raws = |base: &Base| -> Vec<(u64, Vec<u8>)> {
        let sql = "SELECT seq, raw FROM log ORDER BY team, seq";
        base.log.read(|conn| conn.all(sql, &[], |row| Ok((row.get(0)?, row.get(1)?)))).unwrap()
    };
    move_to(&dir(site.dir.path()), &shared(&places)).unwrap();
    let node = keys_of(&site);
    let base = Arc::new(Base::open_at(node.path(), &places, clock()).unwrap());
    assert_eq!((standing(&base), raws(&base)), (before.clone(), raws(&site.base)));
    // Rows get numbers of their own there.
    let added = base.team_add("South").unwrap();
    let later = standing(&base);
    assert!(later.iter().any(|team| team.0 == added));
    drop(base);
    let back = keys_of(&site);
    move_to(&shared(&places), &dir(back.path())).unwrap();
    let base = Base::open(back.path(), clock()).unwrap();
    assert_eq!(standing(&base), later);
    // The shared one is sealed, for every node.
    let other = Base::open_at(keys_of(&site).path(), &places, clock()).unwrap();
    assert_eq!(other.team_add("East").unwrap_err().code(), Code::LogMoved);
}

#[test]
fn a_shared_log_is_backed_up_and_restored_into_an_empty_database() {
    let Some(site) = Site::shared() else { return };
    let tablet = site.tablet();
    let person = || tablet.begin(Kind::Person, json!({"name": {"family": "Khan"}})).1;
    tablet.push(&site, &[person(), person()]);
    let shelf = tempfile::tempdir().unwrap();
    let made = backup(&site.base, shelf.path()).unwrap();
    tablet.push(&site, &[person()]);
    // Into another database, with the ledger that knows more.
    let empty = shared_places().unwrap();
    let places = Places { log: empty.log, ledger: site.places.ledger.clone() };
    let node = keys_of(&site);
    restore_shared(&made, node.path(), &places, &clock()).unwrap();
    let base = Base::open_at(node.path(), &places, clock()).unwrap();
    let (old, new) = (standing(&site.base), standing(&base));
    assert_eq!((old[0].2, new[0].2), (4, 3));
    assert_ne!(old[0].1, new[0].1, "a new epoch");
    assert!(tablet.exchange(&base, vec![nowhere(site.team)], vec![]).is_ok());
    let again = restore_shared(&made, node.path(), &places, &clock());
    assert_eq!(again.unwrap_err().code(), Code::DataNotEmpty);
}

#[test]
fn a_copy_that_a_database_restored_is_proved_before_it_is_a_restore_point() {
    let (Some(site), Some(scratch)) = (Site::shared(), shared_places()) else { return };
    let tablet = site.tablet();
    tablet.push(&site, &[tablet.begin(Kind::Person, json!({"name": {"family": "Khan"}})).1]);
    // As a dump of now would be.
    let copy = log::open_place(scratch.log.as_ref().unwrap()).unwrap();
    let copied = |conn: &log::Conn| copy.alone(|copy| log::copy_all(conn, copy, &mut |_| {}));
    site.base.log.read(copied).unwrap();
    tablet.push(&site, &[tablet.begin(Kind::Person, json!({"name": {"family": "Khan"}})).1]);
    let n = site.base.log.read(|conn| Ok(log::teams(conn)?[0].n)).unwrap();
    let watermark = || site.base.log.read(|conn| log::watermark(conn, n, START)).unwrap();
    assert_eq!(watermark(), 0);
    assert_eq!(check_copy(&site.base, scratch.log.as_ref().unwrap()).unwrap(), 1);
    assert_eq!(watermark(), 2);
    // One change less than its head says.
    copy.execute("DELETE FROM log WHERE seq = 2", &[]).unwrap();
    assert!(check_copy(&site.base, scratch.log.as_ref().unwrap()).is_err());
    let before = standing(&site.base)[0].1;
    Base::open_restored(site.dir.path(), &site.places, clock()).unwrap();
    assert_ne!(standing(&site.base)[0].1, before);
}
