use serde_json::json;
use wayside_protocol::error::Code;
use wayside_protocol::record::Kind;
use wayside_protocol::sync::SetSum;
use wayside_protocol::sync::frame::{Verdict, What};

use super::*;
use crate::admission::{Judge, Judgement, Offer};
use crate::testing::{Site, quarantined};
use crate::{Base, Clock, Error};

#[test]
fn numbers_have_no_gap_and_every_row_proves_its_set() {
    let site = Site::new();
    let (one, two) = (site.tablet(), site.tablet());
    let (mut person, begin) = one.begin(Kind::Person, json!({"name": {"given": "Amina"}}));
    let edit = one.edit(&mut person, None, json!({"language": "ur"}));
    assert_eq!(one.push(&site, &[begin, edit]), [Verdict::Accepted { seq: 2 }, Verdict::Accepted { seq: 3 }]);
    let bad = two.begin(Kind::Person, json!({"sex": 3})).1;
    let good = two.begin(Kind::Site, json!({"name": "Market"})).1;
    assert_eq!(two.push(&site, &[bad, good])[1], Verdict::Accepted { seq: 4 });

    site.base
        .log
        .read(|conn| {
            let mut sum = SetSum::default();
            let mut expected = 1;
            let team = team_by_id(conn, site.team)?.unwrap();
            rows_after(
                conn,
                team.n,
                0,
                |_, _| false,
                |row| {
                    assert_eq!(row.seq, expected);
                    expected += 1;
                    sum.add(row.record, &row.hash);
                    assert_eq!(sum_at(conn, team.n, row.seq)?, sum);
                    Ok(true)
                },
            )?;
            assert_eq!((team.head, expected), (4, 5));
            Ok(())
        })
        .unwrap();
}

#[test]
fn what_is_pushed_again_is_known_under_its_number() {
    let site = Site::new();
    let tablet = site.tablet();
    let offer = tablet.begin(Kind::Site, json!({"name": "Market"})).1;
    assert_eq!(tablet.push(&site, std::slice::from_ref(&offer)), [Verdict::Accepted { seq: 2 }]);
    assert_eq!(tablet.push(&site, std::slice::from_ref(&offer)), [Verdict::Known { seq: 2 }]);
    // Twice in one list.
    let again = tablet.begin(Kind::Site, json!({"name": "Hall"})).1;
    let verdicts = tablet.push(&site, &[again.clone(), again]);
    assert_eq!(verdicts, [Verdict::Accepted { seq: 3 }, Verdict::Known { seq: 3 }]);
    assert_eq!(site.head(), 3);
}

#[test]
fn many_commit_together_and_one_that_fails_takes_nothing_with_it() {
    let site = Site::new();
    let tablets: Vec<_> = (0..24).map(|_| site.tablet()).collect();
    let mut watch = site.base.log.watch();
    watch.mark_unchanged();
    std::thread::scope(|scope| {
        for tablet in &tablets {
            let site = &site;
            scope.spawn(move || {
                for _ in 0..4 {
                    let offer = tablet.begin(Kind::Person, json!({"sex": "F"})).1;
                    assert!(matches!(tablet.push(site, &[offer])[..], [Verdict::Accepted { .. }]));
                    let failed = site.base.log.write(|txn| {
                        txn.conn.execute("UPDATE team SET head = 0", [])?;
                        Err::<(), _>(Error::Internal("on purpose"))
                    });
                    assert!(matches!(failed, Err(Error::Internal("on purpose"))));
                }
            });
        }
    });
    assert_eq!(site.head(), 1 + 24 * 4);
    assert_eq!(site.count("log"), 1 + 24 * 4);
    assert!(watch.has_changed().unwrap());
    assert_eq!(watch.borrow()[&site.team], 97);
}

#[test]
fn a_panic_inside_a_job_fails_that_job_alone() {
    let site = Site::new();
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let failed = site.base.log.write(|_| -> Result<()> { panic!("on purpose") });
    std::panic::set_hook(hook);
    assert!(matches!(failed, Err(Error::Internal(_))));
    site.base.team_add("South").unwrap();
}

/// What was judged before another tablet's commit is judged again after the lock.
#[test]
fn a_judgement_does_not_outlive_the_record_that_it_was_made_on() {
    let site = Site::new();
    let (one, two) = (site.tablet(), site.tablet());
    let (mut person, begin) = two.begin(Kind::Person, json!({"sex": "F"}));
    let edit = one.edit(&mut person, None, json!({"language": "ur"}));
    let server = *site.base.identity.public();
    let offers = [Offer::verify(one.frame(site.team, &[edit]), &one.public(), &server).unwrap()];
    let judged = site
        .base
        .log
        .read(|conn| {
            let team = team_by_id(conn, site.team)?.unwrap();
            Judge::new(server).judge(conn, &team, &offers[0].changes[0], &one.public())
        })
        .unwrap();
    assert!(matches!(judged.judgement, Judgement::Waits(_)));

    assert_eq!(two.push(&site, &[begin]), [Verdict::Accepted { seq: 2 }]);
    let source = Source { tablet: "test".into(), server, received_at: 0 };
    let verdicts = site.base.log.write(move |txn| append(txn, &source, &offers, &[vec![judged]])).unwrap();
    assert_eq!(verdicts, [[Verdict::Accepted { seq: 3 }]]);
}

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
    site.base.log.write(move |txn| Ok(txn.conn.execute_batch(&format!("{damaged}; {head}"))?)).unwrap();
    let other = tablet.begin(Kind::Person, json!({"sex": "M"})).1;
    let verdicts = tablet.push(&site, &[edit, other]);
    let failed = Code::ServerFailed;
    assert!(failed.retry(), "it is offered again");
    assert_eq!(verdicts, [quarantined(failed), Verdict::Accepted { seq: 4 }]);
}

/// What is read of a record for one team says nothing of it for another.
#[test]
fn one_record_offered_to_two_teams_is_judged_for_each() {
    let site = Site::new();
    let (one, other) = (site.tablet(), site.base.team_add("Other").unwrap());
    let (mut person, begin) = one.begin(Kind::Person, json!({"sex": "F"}));
    let edit = one.edit(&mut person, None, json!({"language": "ur"}));
    one.push(&site, &[begin]);
    let server = *site.base.identity.public();
    let offer = Offer::verify(one.frame(site.team, &[edit]), &one.public(), &server).unwrap();
    site.base
        .log
        .read(|conn| {
            let mut judge = Judge::new(server);
            let mut judge_for = |team| {
                let team = team_by_id(conn, team)?.unwrap();
                Ok::<_, Error>(judge.judge(conn, &team, &offer.changes[0], &one.public())?.judgement)
            };
            assert_eq!(judge_for(other)?, Judgement::Quarantine(Code::RecordElsewhere.into()));
            assert!(matches!(judge_for(site.team)?, Judgement::Fits { .. }));
            Ok(())
        })
        .unwrap();
}

#[test]
fn a_visit_costs_no_commit_and_goes_along_with_the_next() {
    let site = Site::new();
    let _tablet = site.tablet();
    let seen = || {
        let sql = "SELECT n, last_seen_at FROM tablet";
        let read = |row: &rusqlite::Row| Ok((row.get::<_, i64>(0)?, row.get::<_, Option<u64>>(1)?));
        site.base.log.read(|conn| Ok(conn.query_row(sql, [], read)?)).unwrap()
    };
    let (n, never) = seen();
    assert_eq!(never, None);
    site.base.log.seen(n, 5, 0);
    assert_eq!(seen(), (n, None));
    site.base.log.write(|_| Ok(())).unwrap();
    assert_eq!(seen(), (n, Some(5)));
}

#[test]
fn rows_of_the_log_are_never_changed() {
    let site = Site::new();
    for sql in ["UPDATE log SET seq = 7", "UPDATE log SET raw = x''", "DELETE FROM log"] {
        let done = site.base.log.write(move |txn| Ok(txn.conn.execute(sql, [])?));
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
    let Site { dir, base, now, team } = site;
    drop(base);
    let path = dir.path().join("log.db");
    let old = tempfile::tempdir().unwrap();
    let mut copy = Connection::open(old.path().join("log.db")).unwrap();
    Migrations::from_slice(&MIGRATIONS[..3]).to_latest(&mut copy).unwrap();
    copy.execute("ATTACH ? AS new", [path.to_str().unwrap()]).unwrap();
    for table in ["team", "signed_list", "actor", "log", "tablet", "tablet_team", "enrol_code", "keeper"] {
        copy.execute_batch(&format!("INSERT INTO main.{table} SELECT * FROM new.{table}")).unwrap();
    }
    let columns = "n, record, team, kind, changes, bytes";
    copy.execute_batch(&format!("INSERT INTO main.record ({columns}) SELECT {columns} FROM new.record"))
        .unwrap();
    copy.execute_batch("DETACH new").unwrap();
    drop(copy);
    for name in ["log.db-wal", "log.db-shm"] {
        let _ = std::fs::remove_file(dir.path().join(name));
    }
    std::fs::rename(old.path().join("log.db"), &path).unwrap();
    let time = now.clone();
    let clock = Clock::new(move || time.load(std::sync::atomic::Ordering::Relaxed));
    let base = std::sync::Arc::new(Base::open(dir.path(), clock).unwrap());
    let site = Site { dir, base, now, team };
    let id = person.id();
    let made = super::Made { at: 0, by: "test" };
    let entered = move |txn: &mut Txn| super::enter(txn, team, What::Archive, &[id], made);
    assert_eq!(site.base.log.write(entered).unwrap(), [id]);
    let edit = tablet.edit(&mut person, None, json!({"language": "ur"}));
    assert_eq!(tablet.push(&site, &[edit]), [Verdict::Accepted { seq: 5 }], "behind archive and activate");
}
