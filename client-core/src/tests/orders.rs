//! What base orders a tablet to delete, and when it obeys.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use ed25519_dalek::SigningKey;
use wayside_protocol::sync::{
    Duty, Frame, Order,
    frame::{Hello, Incoming, decode},
};

use super::{
    KEY, Kit,
    base::{Base, Outcome, settled, sync_through},
    by, line,
};
use crate::{
    Code, Env, Kind, Page, Tablet,
    store::{Store, log, meta},
};

/// A sync with a base that puts an order into each answer.
fn ordered(kit: &Kit, base: &mut Base, mut order: impl FnMut(&Hello) -> Order) -> Outcome {
    let public = Base { key: base.key.clone(), ..Base::new() };
    sync_through(&kit.tablet, &public, |request| {
        let mut incoming = Incoming::default();
        incoming.push(&request).unwrap();
        let Some(Frame::Hello(hello)) = incoming.peek().unwrap() else { panic!("no hello") };
        let mut frames = decode(&base.handle(&request)).unwrap();
        frames.insert(frames.len() - 1, Frame::Order(order(&hello)));
        let mut answer = Vec::new();
        frames.iter().for_each(|frame| frame.encode(&mut answer));
        answer
    })
}

fn enrolled(seed: u64) -> (Kit, Base) {
    let (kit, base) = (Kit::new(seed), Base::new());
    base.enrol(&kit);
    (kit, base)
}

fn failed<T>(result: crate::Result<T>) -> Code {
    result.map(drop).unwrap_err().code()
}

#[test]
fn a_tablet_hands_over_what_it_has_and_wipes_itself() {
    let (mut kit, mut base) = enrolled(1);
    kit.record();
    settled(&kit, &mut base);
    for _ in 0..3 {
        kit.record();
    }
    let waiting = kit.tablet.status().unwrap().waiting;
    base.refuse_text = Some(("nurse-01", Code::FromRevokedTablet));
    let forgotten = Arc::new(AtomicBool::new(false));
    let forget = forgotten.clone();
    kit.tablet.when_wiped(move || forget.store(true, Ordering::Release));
    let (key, id) = (base.key.clone(), kit.tablet.id());
    let outcome =
        ordered(&kit, &mut base, |hello| Order::sign(&key, &hello.tablet, &hello.nonce, Duty::Wipe));
    assert_eq!(outcome.code(), Some(Code::TabletWiped));
    assert_eq!(outcome.quarantined, waiting, "a verdict on everything, first");
    assert!(forgotten.load(Ordering::Acquire));
    let left: Vec<String> = kit
        .dir
        .path()
        .read_dir()
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(left, ["wiped"]);
    assert_eq!(failed(kit.tablet.status()), Code::TabletWiped);
    assert_eq!(failed(kit.tablet.record(line(), &by())), Code::TabletWiped);

    kit.reopen();
    let status = kit.tablet.status().unwrap();
    assert_eq!(status.notices.iter().map(|notice| notice.code).collect::<Vec<_>>(), ["tablet_wiped"]);
    assert!(!status.enrolled && kit.tablet.id() != id && !Store::was_wiped(kit.dir.path()));
    assert_eq!(kit.tablet.list(None, Page::default()).unwrap(), Vec::<serde_json::Value>::new());
    base.enrol(&kit);
}

#[test]
fn what_base_could_not_keep_is_not_wiped() {
    let (kit, mut base) = enrolled(6);
    kit.record();
    settled(&kit, &mut base);
    kit.record();
    let key = base.key.clone();
    let wipe = |base: &mut Base| {
        ordered(&kit, base, |hello| Order::sign(&key, &hello.tablet, &hello.nonce, Duty::Wipe)).code()
    };
    // Quarantine is full: it said so, and has nothing of it.
    base.refuse_text = Some(("nurse-01", Code::WaitingFull));
    for _ in 0..2 {
        assert_eq!(wipe(&mut base), None);
        assert_eq!(kit.tablet.list(Some(Kind::Contact), Page::default()).unwrap().len(), 2);
        assert!(kit.tablet.status().unwrap().waiting > 0);
    }
    (base.refuse_text, base.refuse) = (Some(("nurse-01", Code::FromRevokedTablet)), Default::default());
    assert_eq!(wipe(&mut base), Some(Code::TabletWiped));
}

#[test]
fn what_base_had_in_quarantine_is_handed_over_again_before_it_is_wiped() {
    let (kit, mut base) = enrolled(7);
    kit.record();
    base.refuse_text = Some(("nurse-01", Code::FromRevokedTablet));
    let first = settled(&kit, &mut base);
    assert!(first.quarantined > 0 && !first.in_sync);
    // Base is set back meanwhile, and knows nothing of it: no fingerprint covers its quarantine.
    let key = base.key.clone();
    let outcome =
        ordered(&kit, &mut base, |hello| Order::sign(&key, &hello.tablet, &hello.nonce, Duty::Wipe));
    assert_eq!((outcome.code(), outcome.quarantined), (Some(Code::TabletWiped), first.quarantined));
}

#[test]
fn nobody_else_can_order_anything() {
    let (kit, mut base) = enrolled(2);
    kit.record();
    let (key, stranger) = (base.key.clone(), SigningKey::from_bytes(&[9; 32]));
    let team = base.team;
    let mut stolen = None;
    type Forge<'a> = Box<dyn FnMut(&Hello) -> Order + 'a>;
    let forged: Vec<Forge> = vec![
        Box::new(|hello| Order::sign(&stranger, &hello.tablet, &hello.nonce, Duty::Wipe)),
        Box::new(|hello| Order::sign(&key, &[8; 32], &hello.nonce, Duty::Wipe)),
        Box::new(|hello| Order::sign(&key, &hello.tablet, &[8; 16], Duty::Wipe)),
        Box::new(|hello| {
            let leave = Order::sign(&key, &hello.tablet, &hello.nonce, Duty::Leave(team));
            Order { duty: Duty::Wipe, ..leave }
        }),
        // One that was good in an earlier request of this very tablet.
        Box::new(|hello| {
            *stolen.get_or_insert_with(|| Order::sign(&key, &hello.tablet, &[1; 16], Duty::Leave(team)))
        }),
    ];
    for forge in forged {
        let outcome = ordered(&kit, &mut base, forge);
        assert_eq!(outcome.code(), Some(Code::SignatureInvalid));
        assert_eq!(kit.tablet.list(Some(Kind::Contact), Page::default()).unwrap().len(), 1);
    }
    assert!(settled(&kit, &mut base).in_sync, "and it goes on");
}

#[test]
fn what_is_recorded_in_the_last_moment_is_handed_over_first() {
    let (kit, mut base) = enrolled(3);
    kit.record();
    settled(&kit, &mut base);
    for duty in [Duty::Leave(base.team), Duty::Wipe] {
        kit.record();
        assert!(!kit.tablet.0.obey(duty).unwrap());
        assert!(settled(&kit, &mut base).in_sync);
    }
    assert_eq!(kit.tablet.list(Some(Kind::Contact), Page::default()).unwrap().len(), 3);
    assert!(kit.tablet.0.obey(Duty::Wipe).unwrap());
}

#[test]
fn a_wipe_that_was_cut_short_is_finished_before_anything_is_shown() {
    let (mut kit, mut base) = enrolled(4);
    let contact = kit.record().contact;
    settled(&kit, &mut base);
    // The program ends between the decision and the deletion; another one still has the tablet open.
    let at = "2026-11-20T13:00:00Z";
    kit.tablet.0.store.write(|conn| meta::set(conn, meta::WIPED, at)).unwrap();
    let other = kit.tablet.clone();
    kit.reopen();
    let status = kit.tablet.status().unwrap();
    assert_eq!(status.notices[0].code, "tablet_wiped");
    assert_eq!(failed(kit.tablet.show(contact)), Code::RecordNotFound);
    assert_eq!(failed(other.show(contact)), Code::TabletWiped);
    assert_eq!(
        failed(other.record(line(), &by())),
        Code::TabletWiped,
        "nothing goes to where nobody finds it"
    );
    assert!(Tablet::open_with(kit.dir.path(), &KEY, Env::system()).is_ok());
}

/// It was out of the team when it sent that, and is back; base, which was set back meanwhile, has lost its quarantine.
#[test]
fn what_was_refused_before_a_log_was_ever_heard_of_is_offered_once_more_with_its_first_epoch() {
    let (kit, base) = enrolled(6);
    kit.record();
    let store = &kit.tablet.0.store;
    let sql = "UPDATE change SET answered = 1, state = 'quarantined', code = 'from_revoked_tablet'";
    store.write(|conn| Ok(conn.execute(sql, ())?)).unwrap();
    let offered = || store.read(|conn| Ok(log::offers(conn, 1 << 20)?.changes.len())).unwrap();
    let advance = |epoch| store.write(|conn| log::advance(conn, base.team, [epoch; 8], 0, false)).unwrap();
    advance(0);
    assert_eq!(offered(), 0, "answered in this sync");
    store.write(log::begin_sync).unwrap();
    assert_eq!(offered(), 0);
    advance(1);
    assert!(offered() > 0);
    store.write(|conn| Ok(conn.execute(sql, ())?)).unwrap();
    store.write(log::begin_sync).unwrap();
    advance(1);
    assert_eq!(offered(), 0, "once");
}

#[test]
fn one_team_leaves_and_the_other_stays() {
    let (kit, mut base) = enrolled(5);
    kit.record();
    let other = crate::RecordId::from_bytes([6; 16]);
    kit.tablet.0.store.write(|conn| meta::join_team(conn, other, "South")).unwrap();
    let stays = kit.tablet.record(line(), &crate::By { team: Some(other), ..by() }).unwrap().contact;
    let leaves = kit.tablet.list(Some(Kind::Contact), Page::default()).unwrap().len() - 1;
    assert_eq!(leaves, 1);
    // What the first had not sent has its verdict.
    kit.tablet
        .0
        .store
        .write(|conn| {
            let sql = "UPDATE change SET answered = 1, state = 'quarantined' WHERE team = ?";
            Ok(conn.execute(sql, [base.team.as_bytes()])?)
        })
        .unwrap();
    assert!(kit.tablet.0.obey(Duty::Leave(base.team)).unwrap());
    let teams = kit.tablet.teams().unwrap();
    assert_eq!(teams.iter().map(|team| team.name.as_str()).collect::<Vec<_>>(), ["South"]);
    let contacts = kit.tablet.list(Some(Kind::Contact), Page::default()).unwrap();
    assert_eq!(contacts.iter().map(|one| one["id"].clone()).collect::<Vec<_>>(), [stays.to_string()]);
    let of_first = "SELECT (SELECT count(*) FROM change WHERE team = ?1) + (SELECT count(*) FROM signed_list WHERE team = ?1)
        + (SELECT count(*) FROM record WHERE team = ?1)";
    let left: u64 = kit
        .tablet
        .0
        .store
        .read(|conn| Ok(conn.query_row(of_first, [base.team.as_bytes()], |row| row.get(0))?))
        .unwrap();
    assert_eq!(left, 0);
    assert!(!kit.tablet.0.store.read(log::places).unwrap().iter().any(|place| place.team == base.team));
    assert!(!kit.tablet.search("Khan", Page::default()).unwrap().is_empty(), "the other's person is found");
    base.refuse_text = None;
}
