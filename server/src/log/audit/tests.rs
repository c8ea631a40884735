use std::sync::Arc;

use super::chain::{digest_of, next};
use super::*;
use crate::Base;
use crate::testing::{START, Site};

fn act(n: u64) -> Audited {
    Audited {
        at: START + n,
        who: "vic".into(),
        account: Some(1),
        address: "192.0.2.7".into(),
        act: "person".into(),
        record: Some(RecordId::from_bytes([u8::try_from(n).unwrap(); 16])),
        reason: format!("reason {n}"),
    }
}

/// Ten rows, in a file and, where there is one, in a shared log.
fn each_trail(work: impl Fn(&Site)) {
    for site in [Some(Site::new()), Site::shared()].into_iter().flatten() {
        site.base.audit((1..=10).map(act).collect()).unwrap();
        work(&site);
    }
}

/// What somebody does who can write the database.
fn forge(site: &Site, sql: &[&str]) {
    let sql: Vec<String> = sql.iter().map(|sql| (*sql).to_owned()).collect();
    let done = site.base.log.write(move |txn| {
        if !txn.conn.is_postgres() {
            txn.conn.execute("DROP TRIGGER IF EXISTS audit_is_never_updated", &[])?;
            txn.conn.execute("DROP TRIGGER IF EXISTS audit_is_never_deleted", &[])?;
        }
        sql.iter().try_for_each(|sql| txn.conn.execute(sql, &[]).map(drop))
    });
    done.unwrap();
}

fn faults(site: &Site) -> Vec<Fault> {
    site.base.verify_audit().unwrap().faults
}

#[test]
fn a_trail_proves_itself_and_says_where_it_was_touched() {
    each_trail(|site| {
        let found = site.base.verify_audit().unwrap();
        assert_eq!((found.rows, found.wrong), (10, 0), "{found:?}");
    });
    let cases: [(&[&str], &[Fault]); 8] = [
        (&["UPDATE audit SET who = 'cora' WHERE place = 4"], &[Fault::Changed { place: 4 }]),
        (&["UPDATE audit SET reason = '' WHERE place = 10"], &[Fault::Changed { place: 10 }]),
        (&["UPDATE audit SET reason = '', salt = NULL WHERE place = 4"], &[Fault::Changed { place: 4 }]),
        (&["UPDATE audit SET account = NULL WHERE place = 1"], &[Fault::Changed { place: 1 }]),
        (&["DELETE FROM audit WHERE place IN (4, 5)"], &[Fault::Missing { from: 4, to: 5 }]),
        (&["DELETE FROM audit WHERE place > 7"], &[Fault::Missing { from: 8, to: 10 }]),
        (
            &["INSERT INTO audit (n, at, who, act, reason) VALUES (99, 1, 'vic', 'person', '')"],
            &[Fault::Outside { n: 99 }],
        ),
        (&["DELETE FROM audit_head"], &[Fault::Changed { place: 1 }]),
    ];
    for (sql, expected) in cases {
        each_trail(|site| {
            forge(site, sql);
            assert_eq!(faults(site), expected, "{sql:?}");
        });
    }
}

#[test]
fn a_row_that_was_put_in_shows_where_it_stands() {
    each_trail(|site| {
        forge(
            site,
            &[
                "UPDATE audit SET place = -(place + 1) WHERE place >= 5",
                "UPDATE audit SET place = -place WHERE place < 0",
                "UPDATE audit_head SET place = 11",
            ],
        );
        site.base
            .log
            .write(|txn| {
                let sql = "SELECT place, hash FROM audit WHERE place = 4";
                let before =
                    txn.conn.only(sql, &[], |row| Ok(Head { place: row.get(0)?, hash: row.get(1)? }))?;
                let (salt, act) = ([7; 16], act(99));
                let digest = digest_of(&salt, &act.reason);
                let head = next(before, &act, &digest);
                txn.conn.execute(
                    "INSERT INTO audit (at, who, account, address, act, record, reason, place, salt, digest, hash)
                     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    args![act.at, act.who, act.account, act.address, act.act, act.record, act.reason, head.place,
                        salt, digest, head.hash],
                )
            })
            .unwrap();
        assert_eq!(faults(site).first(), Some(&Fault::Changed { place: 6 }));
    });
}

/// Writes the chain anew from a place on, as somebody would who has the database and knows this program.
fn rewrite(site: &Site, from: u64) {
    site.base
        .log
        .write(move |txn| {
            let sql = "SELECT place, hash FROM audit WHERE place = ?";
            let before = |row: &Row| Ok(Head { place: row.get(0)?, hash: row.get(1)? });
            let mut head = txn.conn.only(sql, args![from - 1], before)?;
            let sql = format!("SELECT {COLUMNS}, digest FROM audit WHERE place >= ? ORDER BY place");
            for (act, digest) in
                txn.conn.all(&sql, args![from], |row| Ok((read(row)?, row.get::<[u8; 32]>(7)?)))?
            {
                head = next(head, &act, &digest);
                let sql = "UPDATE audit SET hash = ? WHERE place = ?";
                txn.conn.execute(sql, args![head.hash, head.place])?;
            }
            txn.conn.execute("UPDATE audit_head SET place = ?, hash = ?", args![head.place, head.hash])
        })
        .unwrap();
}

#[test]
fn what_was_cut_off_or_written_anew_is_known_to_the_ledger() {
    let cut = "UPDATE audit_head SET place = 7, hash = (SELECT hash FROM audit WHERE place = 7)";
    each_trail(|site| {
        forge(site, &["DELETE FROM audit WHERE place > 7", cut]);
        assert_eq!(faults(site), [], "nobody had noted it yet");
    });
    each_trail(|site| {
        site.base.note_trail().unwrap();
        site.base.note_trail().unwrap();
        assert_eq!(site.base.ledger.trail().unwrap().len(), 1, "once");
        forge(site, &["DELETE FROM audit WHERE place > 7", cut]);
        assert_eq!(faults(site), [Fault::Cut { from: 8, to: 10 }]);
        site.base.audit((1..=5).map(act).collect()).unwrap();
        assert_eq!(faults(site), [Fault::Rewritten { place: 10 }], "others in their place do not hide it");
    });
    each_trail(|site| {
        site.base.note_trail().unwrap();
        forge(site, &["UPDATE audit SET who = 'cora' WHERE place = 3"]);
        rewrite(site, 3);
        assert_eq!(faults(site), [Fault::Rewritten { place: 10 }]);
    });
}

#[test]
fn a_restore_says_what_it_lost_and_the_trail_goes_on() {
    each_trail(|site| {
        site.base.note_trail().unwrap();
        forge(
            site,
            &[
                "DELETE FROM audit WHERE place > 6",
                "UPDATE audit_head SET place = 6, hash = (SELECT hash FROM audit WHERE place = 6)",
            ],
        );
        let head = site.base.log.read(super::head).unwrap();
        site.base.ledger.note_trail(&Noted { head, restored: true }, START).unwrap();
        site.base.audit(vec![act(7)]).unwrap();
        site.base.note_trail().unwrap();
        let found = site.base.verify_audit().unwrap();
        assert_eq!((found.rows, found.faults, found.lost), (7, vec![], vec![(7, 10)]));
    });
}

#[test]
fn rows_from_before_the_chain_are_its_beginning() {
    let unchain = [
        "UPDATE audit SET place = NULL, salt = NULL, digest = NULL, hash = NULL, address = '', account = NULL",
        "DELETE FROM audit_head",
    ];
    each_trail(|site| {
        forge(site, &unchain);
        let before = site.base.log.read(audited).unwrap();
        let again = Base::open_at(site.dir.path(), &site.places, site.base.clock.clone()).unwrap();
        again.audit(vec![act(11)]).unwrap();
        let found = again.verify_audit().unwrap();
        assert_eq!((found.rows, found.faults), (11, vec![]));
        assert_eq!(again.log.read(audited).unwrap()[..10], before);
    });
}

#[test]
fn nodes_that_append_at_once_make_one_chain() {
    let seed: u64 = rand::random();
    println!("seed {seed}");
    for site in [Some(Site::new()), Site::shared()].into_iter().flatten() {
        let nodes: Vec<_> =
            if site.base.log.is_shared() { (0..2).map(|_| site.node()).collect() } else { Vec::new() };
        let bases: Vec<Arc<Base>> = nodes
            .iter()
            .map(|(_, base)| base.clone())
            .chain([site.base.clone(), site.base.clone()])
            .collect();
        std::thread::scope(|scope| {
            for (number, base) in bases.iter().enumerate() {
                scope.spawn(move || {
                    for n in 0..25 {
                        // Some in one go, and some among others' work.
                        let many = (seed.rotate_left(u32::try_from(n).unwrap()) ^ number as u64) % 3;
                        base.audit((0..=many).map(act).collect()).unwrap();
                    }
                });
            }
        });
        let found = site.base.verify_audit().unwrap();
        assert!(found.rows >= 25 * bases.len() as u64);
        assert_eq!((found.wrong, found.rows), (0, site.count("audit")), "seed {seed}");
    }
}

#[test]
fn a_record_that_is_erased_takes_its_reasons_along_and_the_chain_holds() {
    each_trail(|site| {
        let (person, other) = (RecordId::from_bytes([3; 16]), RecordId::from_bytes([4; 16]));
        let erased = Audited { act: "erase".into(), record: Some(person), ..act(3) };
        site.base.audit(vec![erased]).unwrap();
        let log = &site.base.log;
        let forbidden = log.write(move |txn| super::forget_reasons(txn.conn, other));
        assert!(forbidden.is_err() || txn_is_postgres(site), "the table itself forbids it");
        if txn_is_postgres(site) {
            return;
        }
        log.write(move |txn| {
            txn.conn.execute("INSERT INTO erased (record) VALUES (?)", args![person])?;
            super::forget_reasons(txn.conn, person)
        })
        .unwrap();
        let trail = log.read(audited).unwrap();
        assert_eq!((trail[2].reason.as_str(), trail[3].reason.as_str()), ("", "reason 4"));
        assert_eq!(trail[10].reason, "reason 3", "why it was erased stays");
        assert_eq!(faults(site), []);
    });
}

fn txn_is_postgres(site: &Site) -> bool {
    site.base.log.is_shared()
}

#[test]
fn who_did_what_with_a_record_and_what_an_account_did() {
    each_trail(|site| {
        let asked = [RecordId::from_bytes([3; 16]), RecordId::from_bytes([8; 16])];
        let log = &site.base.log;
        let of = log.read(|conn| audited_of(conn, &asked, 5)).unwrap();
        assert_eq!(of, [act(8), act(3)], "the latest first");
        assert_eq!(log.read(|conn| audited_of(conn, &asked, 1)).unwrap(), [act(8)]);
        assert_eq!(log.read(|conn| audited_by(conn, 1, 2)).unwrap(), [act(10), act(9)]);
        assert_eq!(log.read(|conn| audited_by(conn, 2, 2)).unwrap(), []);
    });
}
