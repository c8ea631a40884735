use serde_json::json;
use wayside_protocol::error::Code;
use wayside_protocol::record::Kind;
use wayside_protocol::sync::frame::{Verdict, What};

use super::*;
use crate::testing::{Site, quarantined};
use crate::{Base, Clock, Error};

#[test]
fn an_accepted_record_that_does_not_load_holds_up_nothing_else() {
    let site = Site::new();
    let tablet = site.tablet();
    let (mut person, begin) = tablet.begin(Kind::Person, json!({"sex": "F"}));
    tablet.push(&site, &[begin]);
    let edit = tablet.edit(&mut person, None, json!({"language": "ur"}));
    let damaged =
        "INSERT INTO log (team, seq, record, hash, actor, actor_seq, raw, list, received_at, sum, count)
        SELECT team, seq + 1, record, zeroblob(32), actor, 99, x'00', list, received_at, sum, count
        FROM log ORDER BY seq DESC LIMIT 1";
    let head = "UPDATE team SET head = 3";
    site.base.log.write(move |txn| txn.conn.execute(damaged, &[]).and(txn.conn.execute(head, &[]))).unwrap();
    let other = tablet.begin(Kind::Person, json!({"sex": "M"})).1;
    let verdicts = tablet.push(&site, &[edit, other]);
    let failed = Code::ServerFailed;
    assert!(failed.retry(), "it is offered again");
    assert_eq!(verdicts, [quarantined(failed), Verdict::Accepted { seq: 4 }]);
}

#[test]
fn a_visit_costs_no_commit_and_goes_along_with_the_next() {
    let site = Site::new();
    let _tablet = site.tablet();
    let seen = || {
        let sql = "SELECT n, last_seen_at FROM tablet";
        let read = |row: &db::Row| Ok((row.get::<i64>(0)?, row.get::<Option<u64>>(1)?));
        site.base.log.read(|conn| conn.only(sql, &[], read)).unwrap()
    };
    let (n, never) = seen();
    assert_eq!(never, None);
    site.base.log.seen(n, super::Visit { at: 5, skew_ms: 0, waiting: Some(14), capabilities: 0 });
    site.base.log.seen(n, super::Visit { at: 5, skew_ms: 0, waiting: None, capabilities: 0 });
    assert_eq!(seen(), (n, None));
    site.base.log.write(|_| Ok(())).unwrap();
    assert_eq!(seen(), (n, Some(5)));
    let contacts = site.base.log.read(super::last_contacts).unwrap();
    assert_eq!(contacts.values().map(|contact| contact.waiting).collect::<Vec<_>>(), [Some(14)]);
}

#[test]
fn rows_of_the_log_are_never_changed() {
    let site = Site::new();
    for sql in ["UPDATE log SET seq = 7", "UPDATE log SET raw = x''", "DELETE FROM log"] {
        let done = site.base.log.write(move |txn| txn.conn.execute(sql, &[]));
        assert!(matches!(done, Err(Error::Database(_))), "{sql}");
    }
    assert_eq!(site.count("log"), 1);
}

#[test]
fn a_newer_database_is_refused_and_untouched() {
    let site = Site::new();
    let (dir, base) = (site.dir, site.base);
    drop(base);
    let path = dir.path().join("log.db");
    let conn = Connection::open(&path).unwrap();
    conn.pragma_update(None, "user_version", 99).unwrap();
    assert!(matches!(Log::open(dir.path()), Err(Error::Newer)));
    let version: i64 = conn.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
    assert_eq!(version, 99);
}

#[test]
fn two_processes_may_open_a_new_directory_at_once() {
    let dir = tempfile::tempdir().unwrap();
    std::thread::scope(|scope| {
        let opened: Vec<_> = (0..4).map(|_| scope.spawn(|| Log::open(dir.path()).map(drop))).collect();
        opened.into_iter().for_each(|open| open.join().unwrap().unwrap());
    });
}

/// A log of the schema before entries, with a team and a change in it.
#[test]
fn an_older_log_is_upgraded_and_goes_on() {
    let site = Site::new();
    let tablet = site.tablet();
    let (mut person, begin) = tablet.begin(Kind::Person, json!({"sex": "F"}));
    tablet.push(&site, &[begin]);
    let Site { dir, base, now, team, places } = site;
    drop(base);
    let path = dir.path().join("log.db");
    let old = tempfile::tempdir().unwrap();
    let mut copy = Connection::open(old.path().join("log.db")).unwrap();
    Migrations::from_slice(&MIGRATIONS[..3]).to_latest(&mut copy).unwrap();
    copy.execute("ATTACH ? AS new", [path.to_str().unwrap()]).unwrap();
    let tables =
        ["team", "signed_list", "actor", "log", "tablet", "tablet_team", "enrol_code", "keeper", "record"];
    for table in tables {
        // Those that the old schema has.
        let columns = "SELECT group_concat(name) FROM pragma_table_info(?, 'main')";
        let columns: String = copy.query_row(columns, [table], |row| row.get(0)).unwrap();
        let copied = format!("INSERT INTO main.{table} ({columns}) SELECT {columns} FROM new.{table}");
        copy.execute_batch(&copied).unwrap();
    }
    copy.execute_batch("DETACH new").unwrap();
    drop(copy);
    for name in ["log.db-wal", "log.db-shm"] {
        let _ = std::fs::remove_file(dir.path().join(name));
    }
    std::fs::rename(old.path().join("log.db"), &path).unwrap();
    let time = now.clone();
    let clock = Clock::new(move || time.load(std::sync::atomic::Ordering::Relaxed));
    let base = std::sync::Arc::new(Base::open(dir.path(), clock).unwrap());
    let site = Site { dir, base, now, team, places };
    let id = person.id();
    let made = super::Made { at: 0, by: "test" };
    let entered = move |txn: &mut Txn| super::enter(txn, team, What::Archive, &[id], made);
    assert_eq!(site.base.log.write(entered).unwrap(), [id]);
    let edit = tablet.edit(&mut person, None, json!({"language": "ur"}));
    assert_eq!(tablet.push(&site, &[edit]), [Verdict::Accepted { seq: 5 }], "behind archive and activate");
}
