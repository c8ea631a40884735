//! What the log promises, on each database that it may lie in: SQLite always, PostgreSQL where WAYSIDE_POSTGRES names a
//! server.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use serde_json::json;
use wayside_protocol::record::Kind;
use wayside_protocol::sync::SetSum;
use wayside_protocol::sync::frame::{Verdict, What};

use super::db::args;
use super::*;
use crate::accounts::{self, Credentials, Role, Roles, Scope, Wish, second};
use crate::admission::{Judge, Judgement, Offer};
use crate::ledger::Entry;
use crate::testing::{Site, Tablet, on_both, quarantined};
use crate::{Error, archive, backup, sync};

/// What only several nodes can do to each other.
macro_rules! shared {
    ($($name:ident),* $(,)?) => {
        mod nodes {
            $(#[test] fn $name() { crate::testing::Site::shared().map(super::$name); })*
        }
    };
}

on_both! {
    numbers_have_no_gap_and_every_row_proves_its_set,
    what_is_pushed_again_is_known_under_its_number,
    many_commit_together_and_one_that_fails_takes_nothing_with_it,
    a_panic_inside_a_job_fails_that_job_alone,
    a_judgement_does_not_outlive_the_record_that_it_was_made_on,
    one_record_offered_to_two_teams_is_judged_for_each,
    what_waits_is_released_and_what_is_bad_takes_what_builds_on_it_along,
    what_is_archived_comes_back_and_what_is_erased_does_not,
    a_code_is_used_once_and_by_the_same_tablet_again,
    accounts_have_one_name_in_any_case_and_end_when_they_are_disabled,
    roles_by_team_tokens_and_second_factors_are_kept,
    alarms_restore_points_and_epochs_are_kept,
}

shared! {
    two_nodes_write_one_log_and_no_reader_ever_skips_a_number,
    two_teams_race_for_a_record_and_two_authors_for_an_actor,
    a_code_that_two_tablets_use_at_two_nodes_is_used_once,
    connections_that_are_cut_lose_nothing_and_double_nothing,
    a_request_is_taken_once_at_any_node_and_who_lost_the_turn_stores_nothing,
    a_second_node_joins_without_an_alarm_and_a_narrowed_schema_is_refused,
    a_database_that_forgets_what_it_acknowledged_is_refused,
    news_of_another_node_arrives,
}

/// Proves a team's log: numbers without a gap, and the running sum at the end what its changes and entries make.
fn prove(site: &Site) -> u64 {
    site.base
        .log
        .read(|conn| {
            let team = team_by_id(conn, site.team)?.unwrap();
            assert!(backup::sum_is_right(conn, &team)?);
            Ok(team.head)
        })
        .unwrap()
}

fn numbers_have_no_gap_and_every_row_proves_its_set(site: Site) {
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

fn what_is_pushed_again_is_known_under_its_number(site: Site) {
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

fn many_commit_together_and_one_that_fails_takes_nothing_with_it(site: Site) {
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
                        txn.conn.execute("UPDATE team SET head = 0", &[])?;
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
    assert_eq!(watch.borrow()[&site.team].head, 97);
}

fn a_panic_inside_a_job_fails_that_job_alone(site: Site) {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let failed = site.base.log.write(|_| -> Result<()> { panic!("on purpose") });
    std::panic::set_hook(hook);
    assert!(matches!(failed, Err(Error::Internal(_))));
    site.base.team_add("South").unwrap();
}

/// What was judged before another tablet's commit is judged again after the lock.
fn a_judgement_does_not_outlive_the_record_that_it_was_made_on(site: Site) {
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
    let source = Source { tablet: "test".into(), server, received_at: 0, turn: None, quotas: None };
    let verdicts =
        site.base.log.write(move |txn| append(txn, &source, &offers, &[vec![judged.clone()]])).unwrap();
    assert_eq!(verdicts, [[Verdict::Accepted { seq: 3 }]]);
}

/// What is read of a record for one team says nothing of it for another.
fn one_record_offered_to_two_teams_is_judged_for_each(site: Site) {
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

fn what_waits_is_released_and_what_is_bad_takes_what_builds_on_it_along(site: Site) {
    let tablet = site.tablet();
    let (mut person, begin) = tablet.begin(Kind::Person, json!({"sex": "F"}));
    let edit = tablet.edit(&mut person, None, json!({"language": "ur"}));
    let later = tablet.edit(&mut person, None, json!({"phone": "07700 900123"}));
    assert_eq!(tablet.push(&site, &[later.clone(), edit.clone()]), [Verdict::Waiting, Verdict::Waiting]);
    assert_eq!(tablet.push(&site, std::slice::from_ref(&edit)), [Verdict::Waiting]);
    assert_eq!(tablet.push(&site, std::slice::from_ref(&begin)), [Verdict::Accepted { seq: 2 }]);
    let known = [Verdict::Known { seq: 2 }, Verdict::Known { seq: 3 }, Verdict::Known { seq: 4 }];
    assert_eq!(tablet.push(&site, &[begin, edit, later]), known);
    assert_eq!((site.count("waiting"), site.count("waiting_for")), (0, 0));

    let (mut bad, begin) = tablet.begin(Kind::Person, json!({"sex": 3}));
    let edit = tablet.edit(&mut bad, None, json!({"language": "ur"}));
    assert_eq!(tablet.push(&site, &[edit]), [Verdict::Waiting]);
    assert_eq!(tablet.push(&site, &[begin]), [quarantined(Code::WrongType)]);
    assert_eq!((site.count("waiting"), site.count("quarantine")), (0, 2));
    assert_eq!(prove(&site), 4);
}

fn what_is_archived_comes_back_and_what_is_erased_does_not(site: Site) {
    let tablet = site.tablet();
    let (mut person, begin) = tablet.begin(Kind::Person, json!({"sex": "F"}));
    tablet.push(&site, &[begin]);
    let (team, id) = (site.team, person.id());
    let enter = |what| {
        let made = Made { at: 7, by: "test" };
        site.base.log.write_for(team, move |txn| super::enter(txn, team, what, &[id], made)).unwrap()
    };
    assert_eq!((enter(What::Archive), enter(What::Archive)), (vec![id], vec![]));
    assert_eq!(prove(&site), 3);
    let edit = tablet.edit(&mut person, None, json!({"language": "ur"}));
    assert_eq!(
        tablet.push(&site, &[edit]),
        [Verdict::Accepted { seq: 5 }],
        "behind the entry that brings it back"
    );
    assert_eq!(prove(&site), 5);

    let erasure = archive::erasure(&site.base, id).unwrap();
    archive::erase(&site.base, erasure, "test", "asked for").unwrap();
    assert_eq!(prove(&site), 6);
    let edit = tablet.edit(&mut person, None, json!({"language": "en"}));
    assert_eq!(tablet.push(&site, &[edit]), [Verdict::Erased]);
    site.base
        .log
        .read(|conn| {
            let team = team_by_id(conn, team)?.unwrap();
            assert_eq!(record_changes(conn, team.n, id)?, Vec::<Vec<u8>>::new());
            assert_eq!(
                off_tablets(conn, team.n, id)?.map(|entry| (entry.what, entry.seq)),
                Some((What::Erase, 6))
            );
            let acts: Vec<String> = audited(conn)?.into_iter().map(|act| act.act).collect();
            assert_eq!(
                (acts, last_done(conn, "erase")?),
                (vec!["erase".to_owned()], Some(crate::testing::START))
            );
            assert_eq!(last_done(conn, "archive")?, None);
            Ok(())
        })
        .unwrap();
}

fn a_code_is_used_once_and_by_the_same_tablet_again(site: Site) {
    let secret = site.base.enrol_code("North", Some("https://base.example")).unwrap().secret;
    let (mut one, mut two) = (Tablet::new(), Tablet::new());
    one.enrol(&site.base, secret).unwrap();
    one.enrol(&site.base, secret).unwrap();
    assert_eq!(two.enrol(&site.base, secret).unwrap_err().code(), Code::CodeUsed);
    assert_eq!(two.enrol(&site.base, [9; 16]).unwrap_err().code(), Code::CodeUnknown);
    assert_eq!(site.count("tablet"), 1);
    site.base
        .log
        .read(|conn| {
            let tablet = tablet_by_key(conn, &one.public())?.unwrap();
            assert_eq!(teams_of(conn, tablet.n)?[0].id, site.team);
            assert_eq!(tablets_of(conn, site.team)?, [tablet]);
            Ok(())
        })
        .unwrap();
}

fn accounts_have_one_name_in_any_case_and_end_when_they_are_disabled(site: Site) {
    let base = &site.base;
    accounts::add(base, "amina", Role::Coordinator, "correct horse battery").unwrap();
    let again = accounts::add(base, "AMINA", Role::Viewer, "correct horse battery");
    assert_eq!(again.unwrap_err().code(), Code::AccountExists);
    let throttle = accounts::Throttle::default();
    let sign_in = |name: &str, password: &str| {
        let shown = Credentials { name: name.into(), password: password.into(), ..Credentials::default() };
        accounts::sign_in(base, &throttle, &shown)
    };
    let (token, _) = sign_in("Amina", "correct horse battery").unwrap();
    let now = base.clock.now_ms();
    let signed_in = || base.log.read(|conn| accounts::signed_in(conn, &token, now)).unwrap();
    assert_eq!(signed_in().unwrap().account.name, "amina");
    let link = accounts::sign_in_link(base, "amina", "https://base.example").unwrap();
    let code = accounts::Token::parse(link.split_once("code=").unwrap().1).unwrap();
    accounts::sign_in_with_link(base, &code, None).unwrap();
    assert!(accounts::sign_in_with_link(base, &code, None).is_err(), "it works once");
    accounts::disable(base, "AMINA").unwrap();
    assert!(signed_in().is_none());
    assert!(sign_in("amina", "correct horse battery").is_err());
    assert!(accounts::list(base).unwrap()[0].disabled);
}

fn roles_by_team_tokens_and_second_factors_are_kept(site: Site) {
    let base = &site.base;
    let south = base.team_add("South").unwrap();
    accounts::add(base, "amina", Role::Administrator, "correct horse battery").unwrap();
    let account = || accounts::list(base).unwrap().remove(0);
    assert_eq!(account().roles, Roles::Everywhere(Role::Administrator));
    accounts::set_role(base, "test", "AMINA", Some(south), Some(Role::Viewer)).unwrap();
    accounts::set_role(base, "test", "amina", Some(site.team), Some(Role::Coordinator)).unwrap();
    accounts::set_role(base, "test", "amina", Some(south), Some(Role::Administrator)).unwrap();
    let of = [(site.team, Role::Coordinator), (south, Role::Administrator)];
    assert_eq!(account().roles, Roles::Of(of.into_iter().collect()));
    let wish =
        Wish { account: "Amina".into(), name: "x".into(), scopes: vec![Scope::Fhir, Scope::Read], days: 1 };
    let text = accounts::issue(base, "test", &wish).unwrap();
    let token = accounts::bearer(&format!("Bearer {text}")).unwrap();
    let shown = || base.log.read(|conn| accounts::presented(conn, &token, base.clock.now_ms())).unwrap();
    let login = shown().unwrap();
    assert_eq!((login.account.roles, login.scopes), (account().roles, Some(vec![Scope::Read, Scope::Fhir])));
    accounts::set_role(base, "test", "amina", Some(south), None).unwrap();
    assert_eq!(shown().unwrap().account.roles.in_team(south), None, "at once");
    accounts::set_role(base, "test", "amina", None, Some(Role::Viewer)).unwrap();
    assert_eq!(account().roles, Roles::Everywhere(Role::Viewer));
    accounts::revoke(base, "test", accounts::tokens(base).unwrap()[0].n).unwrap();
    assert!(shown().is_none());
    let noted = base.ledger.after(0).unwrap();
    assert!(matches!(noted.last(), Some(Entry::TokenRevoked { .. })), "a restore must not undo it");

    let by = By::from("amina");
    second::begin(base, &by, &account(), "Wayside").unwrap();
    second::begin(base, &by, &account(), "Wayside").unwrap();
    assert_eq!(second::confirm(base, &by, &account(), "000000").unwrap_err().code(), Code::CodeWrong);
    assert!(!account().second_factor);
    second::remove(base, "test", &account()).unwrap();
}

fn alarms_restore_points_and_epochs_are_kept(site: Site) {
    let log = &site.base.log;
    let before = log.read(|conn| Ok(team_by_id(conn, site.team)?.unwrap())).unwrap();
    let n = before.n;
    let done = log.write(move |txn| {
        for at in [10, 20] {
            alarm(txn.conn, Code::TabletCopied, Some("van"), at)?;
            add_restore_point(txn.conn, at, &[(n, at)])?;
        }
        set_epoch(txn.conn, n, [3; 8])
    });
    done.unwrap();
    log.read(|conn| {
        let [alarm] = &alarms(conn, 20)?[..] else { panic!("one alarm, twice") };
        assert_eq!((alarm.tablet.as_deref(), alarm.last_at, alarm.times), (Some("van"), 20, 2));
        assert_eq!(watermark(conn, n, 20)?, 10, "of the oldest");
        assert_eq!(watermark(conn, n, 11 + RESTORE_WINDOW_MS)?, 20);
        assert_eq!(heads(conn)?, [(site.team, [3; 8], before.head)]);
        Ok(())
    })
    .unwrap();
}

fn two_nodes_write_one_log_and_no_reader_ever_skips_a_number(site: Site) {
    let (_dir, other) = site.node();
    let tablets: Vec<_> = (0..6).map(|_| site.tablet()).collect();
    let ended = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let (mut seen, mut last) = (0, 0);
            loop {
                let ends = ended.load(Ordering::Relaxed);
                let node = if seen % 2 == 0 { &site.base } else { &other };
                let (from, to) = node
                    .log
                    .read(|conn| {
                        let team = team_by_id(conn, site.team)?.unwrap();
                        let from = last;
                        each_pair_after(conn, team.n, last, |seq| {
                            assert_eq!(seq, last + 1, "a number was skipped");
                            last = seq;
                        })?;
                        assert_eq!(last, team.head);
                        Ok((from, last))
                    })
                    .unwrap();
                seen += u64::from(to > from);
                if ends {
                    break last;
                }
            }
        });
        let writers: Vec<_> = tablets
            .iter()
            .enumerate()
            .map(|(index, tablet)| {
                let (site, other) = (&site, &other);
                scope.spawn(move || {
                    for n in 0..10 {
                        let base = if (index + n) % 2 == 0 { &site.base } else { other };
                        let offer = tablet.begin(Kind::Person, json!({"sex": "F"})).1;
                        let frame = tablet.frame(site.team, &[offer]);
                        let answer = tablet.exchange(base, vec![], vec![frame]).unwrap();
                        assert!(matches!(answer.verdicts[0][..], [Verdict::Accepted { .. }]));
                        let failed = base.log.write_for(site.team, |txn| {
                            txn.conn.execute("UPDATE team SET head = head + 1", &[])?;
                            Err::<(), _>(Error::Internal("on purpose"))
                        });
                        assert!(failed.is_err());
                    }
                })
            })
            .collect();
        writers.into_iter().for_each(|writer| writer.join().unwrap());
        ended.store(true, Ordering::Relaxed);
        assert_eq!(reader.join().unwrap(), 61);
    });
    assert_eq!(prove(&site), 61);
}

fn each_pair_after(conn: &Conn, team: i64, after: u64, mut take: impl FnMut(u64)) -> crate::Result<()> {
    rows_after(
        conn,
        team,
        after,
        |_, _| false,
        |row| {
            take(row.seq);
            Ok(true)
        },
    )
}

fn two_teams_race_for_a_record_and_two_authors_for_an_actor(site: Site) {
    let (_dir, other) = site.node();
    let south = site.base.team_add("South").unwrap();
    let one = site.tablet();
    let mut two = Tablet::new();
    two.join(&site.base, "South").unwrap();
    for round in 0..12 {
        let id = RecordId::fresh(crate::testing::START, &rand::random());
        let record_race = round % 2 == 0;
        let fields = json!({"sex": "F"});
        let theirs = if record_race { id } else { RecordId::fresh(crate::testing::START, &rand::random()) };
        let actor = rand::random();
        let offer_one = one.begin_as(id, actor, Kind::Person, fields.clone()).1;
        let actor = if record_race { rand::random() } else { actor };
        let offer_two = two.begin_as(theirs, actor, Kind::Person, fields).1;
        let push = |tablet: &Tablet, base: &crate::Base, team, offer: &crate::testing::Offer| {
            let frame = tablet.frame(team, std::slice::from_ref(offer));
            tablet.exchange(base, vec![], vec![frame]).unwrap().verdicts.remove(0).remove(0)
        };
        let (first, second) = std::thread::scope(|scope| {
            let first = scope.spawn(|| push(&one, &site.base, site.team, &offer_one));
            let second = scope.spawn(|| push(&two, &other, south, &offer_two));
            (first.join().unwrap(), second.join().unwrap())
        });
        let accepted = |verdict: &Verdict| matches!(verdict, Verdict::Accepted { .. });
        assert_eq!(u32::from(accepted(&first)) + u32::from(accepted(&second)), 1, "{first:?} {second:?}");
        let code = if record_race { Code::RecordElsewhere } else { Code::ActorOwned };
        assert!([&first, &second].contains(&&quarantined(code)), "{first:?} {second:?}");
    }
    prove(&site);
}

fn a_code_that_two_tablets_use_at_two_nodes_is_used_once(site: Site) {
    let (_dir, other) = site.node();
    for _ in 0..8 {
        let secret = site.base.enrol_code("North", Some("https://base.example")).unwrap().secret;
        let (mut one, mut two) = (Tablet::new(), Tablet::new());
        let (first, second) = std::thread::scope(|scope| {
            let first = scope.spawn(|| one.enrol(&site.base, secret).is_ok());
            let second = scope.spawn(|| two.enrol(&other, secret).is_ok());
            (first.join().unwrap(), second.join().unwrap())
        });
        assert_eq!(u32::from(first) + u32::from(second), 1);
    }
    assert_eq!(site.count("tablet"), 8);
    let position = site.base.log.read(|conn| Ok(keeper(conn)?.unwrap().position)).unwrap();
    assert_eq!(position, site.base.ledger.position().unwrap(), "the log knows its whole ledger");
}

fn connections_that_are_cut_lose_nothing_and_double_nothing(site: Site) {
    let tablets: Vec<_> = (0..4).map(|_| site.tablet()).collect();
    let sql = "SELECT CAST(current_database() AS TEXT)";
    let name: String = site.base.log.read(|conn| conn.only(sql, &[], |row| row.get(0))).unwrap();
    let stored = AtomicU64::new(0);
    let cuts = std::thread::scope(|scope| {
        let cutting = scope.spawn(|| {
            let place = Place::parse(&std::env::var("WAYSIDE_POSTGRES").unwrap()).unwrap();
            let conn = Conn::writer(&place).unwrap();
            let sql = "SELECT CASE WHEN pg_terminate_backend(pid) THEN 1 END
                       FROM pg_stat_activity WHERE datname = ?";
            let mut cuts = 0;
            // Not faster than something comes through in between, at whatever moment of it.
            for after in (0..90).step_by(6) {
                while stored.load(Ordering::Relaxed) < after {
                    std::thread::yield_now();
                }
                cuts += conn.all(sql, args![name], |_| Ok(())).unwrap().len();
            }
            cuts
        });
        for tablet in &tablets {
            let (site, stored) = (&site, &stored);
            scope.spawn(move || {
                for _ in 0..25 {
                    let offer = tablet.begin(Kind::Person, json!({"sex": "F"})).1;
                    // What a tablet does: it comes again until it has a verdict.
                    let verdicts = loop {
                        let frame = tablet.frame(site.team, std::slice::from_ref(&offer));
                        match tablet.exchange(&site.base, vec![], vec![frame]) {
                            Ok(answer) => break answer.verdicts,
                            Err(error) => assert!(error.retry(), "{error:?}"),
                        }
                    };
                    assert!(matches!(verdicts[0][..], [Verdict::Accepted { .. } | Verdict::Known { .. }]));
                    stored.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        cutting.join().unwrap()
    });
    assert!(cuts > 0);
    assert_eq!((prove(&site), site.count("log")), (101, 101), "{cuts} cuts");
}

fn a_request_is_taken_once_at_any_node_and_who_lost_the_turn_stores_nothing(site: Site) {
    let (_dir, other) = site.node();
    let tablet = site.tablet();
    let hello = tablet.hello(site.base.clock.now_ms(), vec![]);
    let body = tablet.body(site.base.identity.public(), hello, vec![]);
    sync::exchange(&site.base, &body).unwrap();
    assert_eq!(sync::exchange(&other, &body).unwrap_err().code(), Code::Replayed);

    let server = *site.base.identity.public();
    let n = site.base.log.read(|conn| Ok(tablet_by_key(conn, &tablet.public())?.unwrap().n)).unwrap();
    let push = |base: &crate::Base, nonce: [u8; 16]| {
        let offer = tablet.begin(Kind::Person, json!({"sex": "F"})).1;
        let offers = [Offer::verify(tablet.frame(site.team, &[offer]), &tablet.public(), &server).unwrap()];
        let source =
            Source { tablet: "test".into(), server, received_at: 0, turn: Some((n, nonce)), quotas: None };
        base.log.write_for(site.team, move |txn| append(txn, &source, &offers, &[]))
    };
    sync::take_shared(&site.base.log, n, [1; 16], None).unwrap();
    push(&site.base, [1; 16]).unwrap();
    sync::take_shared(&other.log, n, [2; 16], Some([1; 16])).unwrap();
    assert_eq!(push(&site.base, [1; 16]).unwrap_err().code(), Code::LinkCut);
    push(&other, [2; 16]).unwrap();
    let given_up = sync::take_shared(&site.base.log, n, [1; 16], None);
    assert_eq!(given_up.unwrap_err().code(), Code::LinkCut, "and takes the turn from nobody");
    push(&other, [2; 16]).unwrap();
    assert_eq!(site.head(), 4);
}

fn a_second_node_joins_without_an_alarm_and_a_narrowed_schema_is_refused(site: Site) {
    let (_dir, other) = site.node();
    assert_eq!(other.log.read(|conn| alarms(conn, 0)).unwrap(), []);
    let schema = |sql: &'static str| site.base.log.write(move |txn| txn.conn.execute(sql, &[])).unwrap();
    // What a newer program added does not trouble this one.
    schema("UPDATE wayside_schema SET version = version + 1");
    schema("ALTER TABLE record ADD COLUMN later TEXT");
    let (_dir, _newer) = site.node();
    site.tablet().begin(Kind::Person, json!({"sex": "F"}));
    schema("UPDATE wayside_schema SET oldest = version");
    let dir = tempfile::tempdir().unwrap();
    let refused = crate::Base::open_at(dir.path(), &site.places, crate::Clock::default());
    assert!(matches!(refused, Err(Error::Newer)));
}

fn a_database_that_forgets_what_it_acknowledged_is_refused(site: Site) {
    let sql = "SELECT CAST(current_database() AS TEXT)";
    let name = site.base.log.read(|conn| conn.only(sql, &[], |row| row.get::<String>(0))).unwrap();
    let sql = format!("ALTER DATABASE {name} SET synchronous_commit = off");
    site.base.log.write(move |txn| txn.conn.execute(&sql, &[])).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let refused = crate::Base::open_at(dir.path(), &site.places, crate::Clock::default());
    assert_eq!(refused.err().unwrap().code(), Code::StorageFailed);
}

fn news_of_another_node_arrives(site: Site) {
    let (_dir, other) = site.node();
    let tablet = site.tablet();
    let mut heads = other.log.watch();
    let offer = tablet.begin(Kind::Person, json!({"sex": "F"})).1;
    tablet.push(&site, &[offer]);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let came = async {
        heads.wait_for(|heads| heads.get(&site.team).is_some_and(|end| end.head == 2)).await.map(drop)
    };
    let came = runtime.block_on(async { tokio::time::timeout(Duration::from_secs(60), came).await });
    came.unwrap().unwrap();
}
