use serde_json::json;
use wayside_protocol::error::Code;
use wayside_protocol::record::{Kind, tablet_id};
use wayside_protocol::sync::frame::{
    self, Ask, Changes, Frame, Hello, LookUp, Place, Rest, STREAMED_VERSION, Verdict, Wish,
};
use wayside_protocol::sync::{Duty, NewKey, Order, capability, sign_request, verify_certificate};

use super::*;
use crate::testing::{Offer, START, Site, Tablet, nowhere, quarantined};
use crate::{Base, sync};

fn id(tablet: &Tablet) -> String {
    tablet_id(&tablet.public())
}

fn held() -> Verdict {
    quarantined(Code::FromRevokedTablet)
}

/// What a tablet of today is answered; `more` goes into the head of its request.
fn asks(
    tablet: &Tablet,
    base: &Base,
    places: Vec<Place>,
    more: Vec<Frame>,
    changes: Vec<Changes>,
) -> (Hello, Vec<Frame>) {
    let hello = Hello {
        version: STREAMED_VERSION,
        capabilities: capability::OURS,
        ..tablet.hello(base.clock.now_ms(), places)
    };
    let mut body = Vec::new();
    Frame::Hello(hello.clone()).encode(&mut body);
    Frame::Ask(Ask::default()).encode(&mut body);
    more.iter().for_each(|frame| frame.encode(&mut body));
    Frame::Seal(sign_request(&tablet.key, base.identity.public(), &body)).encode(&mut body);
    changes.into_iter().for_each(|frame| Frame::Changes(frame).encode(&mut body));
    let answer = match sync::exchange(base, &body) {
        Ok(answer) => answer,
        Err(error) => sync::refusal(&error, 0),
    };
    (hello, frame::decode(&answer).unwrap())
}

fn refused(frames: &[Frame]) -> Option<Code> {
    match frames {
        [Frame::Refusal(refusal)] => Code::parse(&refusal.code),
        _ => None,
    }
}

fn duties(base: &Base, hello: &Hello, frames: &[Frame]) -> Vec<Duty> {
    let orders = frames.iter().filter_map(|frame| match frame {
        Frame::Order(order) => Some(*order),
        _ => None,
    });
    let duties = orders.map(|order: Order| {
        assert!(order.verify(base.identity.public(), &hello.tablet, &hello.nonce));
        order.duty
    });
    duties.collect()
}

fn person(tablet: &Tablet) -> Offer {
    tablet.begin(Kind::Person, json!({"sex": "F"})).1
}

macro_rules! on_both {
    ($($name:ident),* $(,)?) => {
        mod sqlite {
            $(#[test] fn $name() { super::$name(crate::testing::Site::new()); })*
        }
        mod postgres {
            $(#[test] fn $name() { crate::testing::Site::shared().map(super::$name); })*
        }
    };
}

on_both! {
    a_revoked_tablet_reads_nothing_and_changes_nothing,
    one_that_was_upgraded_is_ordered_at_its_first_request,
    it_hands_over_what_a_log_that_was_set_back_has_lost,
    it_is_not_ordered_to_wipe_itself_before_it_has_named_its_teams,
    what_it_sent_is_admitted_or_refused_and_keeps_nobody_out,
    a_team_is_taken_away_and_given_back,
    a_new_key_is_taken_once_and_ends_the_old_one,
}

/// A simulation found it: a quiet tablet of many teams names none of them, and nobody saw that this log had lost something of theirs.
fn it_is_not_ordered_to_wipe_itself_before_it_has_named_its_teams(site: Site) {
    let tablet = site.tablet();
    tablet.push(&site, &[person(&tablet)]);
    revoke(&site.base, "test", &id(&tablet)).unwrap();
    let ordered = |rest: Option<Rest>, places: Vec<Place>| {
        let hello = Hello { capabilities: capability::OURS, ..tablet.streamed_hello(START, places) };
        let ask = Ask { rest, ..Ask::default() };
        let (body, _) = tablet.streamed(site.base.identity.public(), hello.clone(), ask, vec![]);
        let answer = frame::decode(&sync::exchange(&site.base, &body).unwrap()).unwrap();
        let same = answer.iter().any(|frame| matches!(frame, Frame::Terms(terms) if terms.rest_same));
        assert!(!same, "so that it names them");
        duties(&site.base, &hello, &answer)
    };
    let unnamed = Some(Rest { teams: 5, fingerprint: [1; 16] });
    assert_eq!(ordered(unnamed, vec![]), []);
    assert_eq!(ordered(unnamed, vec![nowhere(site.team)]), []);
    assert_eq!(ordered(None, vec![nowhere(site.team)]), [Duty::Wipe]);
}

fn a_revoked_tablet_reads_nothing_and_changes_nothing(site: Site) {
    let (lost, other) = (site.tablet(), site.tablet());
    let own = person(&lost);
    assert_eq!(lost.push(&site, std::slice::from_ref(&own)), [Verdict::Accepted { seq: 2 }]);
    other.push(&site, &[person(&other)]);
    let head = site.head();
    revoke(&site.base, "test", &id(&lost)).unwrap();
    revoke(&site.base, "test", &id(&lost)).unwrap();

    let next = person(&lost);
    let frames = vec![lost.frame(site.team, &[own.clone(), next.clone()])];
    let (hello, answer) = asks(&lost, &site.base, vec![nowhere(site.team)], vec![], frames);
    let verdicts = answer.iter().find_map(|frame| match frame {
        Frame::Verdicts(verdicts) => Some(verdicts.verdicts.clone()),
        _ => None,
    });
    assert_eq!(verdicts.unwrap(), [Verdict::Known { seq: 2 }, held()]);
    assert_eq!(duties(&site.base, &hello, &answer), [Duty::Wipe]);
    assert!(
        !answer
            .iter()
            .any(|frame| matches!(frame, Frame::Changes(_) | Frame::Receipt(_) | Frame::Entries(_)))
    );
    assert_eq!((site.head(), site.count("quarantine")), (head, 1));
    // A comparison, a look up, the secret for unlock codes.
    let question = frame::Reconcile { team: site.team, epoch: [0; 8], head: 0, message: vec![0x61] };
    let (_, answer) = asks(&lost, &site.base, vec![], vec![Frame::Reconcile(question)], vec![]);
    assert!(!answer.iter().any(|frame| matches!(frame, Frame::Reconcile(_))), "{answer:?}");
    let wish = Wish::Search { query: "khan".into() };
    let look_up = LookUp { team: site.team, staff: "nurse-01".into(), reason: "x".into(), wish };
    let (_, answer) = asks(&lost, &site.base, vec![], vec![Frame::LookUp(look_up)], vec![]);
    assert_eq!(refused(&answer), Some(Code::TeamNotAllowed));
    let unlock = Frame::Unlock(frame::Unlock { secret: None });
    let (_, answer) = asks(&lost, &site.base, vec![], vec![unlock], vec![]);
    assert!(!answer.iter().any(|frame| matches!(frame, Frame::Unlock(_))));
    // An old program, which knows no orders: what it sends is kept apart, too, and then it is refused.
    let old =
        lost.exchange(&site.base, vec![nowhere(site.team)], vec![lost.frame(site.team, &[person(&lost)])]);
    let old = old.unwrap();
    assert_eq!((old.seqs(), old.verdicts), (vec![], vec![vec![held()]]));
    let refusal = lost.exchange(&site.base, vec![nowhere(site.team)], vec![]);
    assert_eq!(refusal.unwrap_err().code(), Code::TabletRevoked);
    // The same key comes in by no new code.
    let secret = site.base.enrol_code("North", Some("https://base.example")).unwrap().secret;
    let mut again = Tablet { key: lost.key.clone(), certificate: [0; 64] };
    assert_eq!(again.enrol(&site.base, secret).unwrap_err().code(), Code::TabletRevoked);
    assert_eq!(site.head(), head);
    // What it had signed before stays, and others go on.
    assert_eq!(other.push(&site, &[own]), [Verdict::Known { seq: 2 }]);
}

/// Its program was renewed after it was revoked: it does not know yet that base can order anything.
fn one_that_was_upgraded_is_ordered_at_its_first_request(site: Site) {
    let lost = site.tablet();
    revoke(&site.base, "test", &id(&lost)).unwrap();
    let ask = |capabilities| {
        let hello = Hello {
            version: 1,
            capabilities,
            ..lost.hello(site.base.clock.now_ms(), vec![nowhere(site.team)])
        };
        let mut body = Vec::new();
        Frame::Hello(hello.clone()).encode(&mut body);
        Frame::Seal(sign_request(&lost.key, site.base.identity.public(), &body)).encode(&mut body);
        let answer = sync::exchange(&site.base, &body).unwrap_or_else(|error| sync::refusal(&error, 0));
        (hello, frame::decode(&answer).unwrap())
    };
    let (_, answer) = ask(0);
    assert!(matches!(&answer[..], [Frame::Refusal(refusal)] if refusal.code == "tablet_revoked"));
    let (hello, answer) = ask(capability::OURS);
    assert_eq!(duties(&site.base, &hello, &answer), [Duty::Wipe]);
    assert!(answer.iter().any(|frame| matches!(frame, Frame::Terms(_))));
}

/// The log was set back and has grown again, in the same epoch: only the fingerprint tells, or numbers beyond its end.
fn it_hands_over_what_a_log_that_was_set_back_has_lost(site: Site) {
    let lost = site.tablet();
    lost.push(&site, &[person(&lost), person(&lost)]);
    revoke(&site.base, "test", &id(&lost)).unwrap();
    let cursor = |fingerprint, held| {
        let team = site.base.log.read(log::teams).unwrap().remove(0);
        let sum = site.base.log.read(|conn| log::sum_at(conn, team.n, 3)).unwrap().fingerprint();
        let fingerprint = if fingerprint { sum } else { [7; 16] };
        let place = Place { team: team.id, epoch: team.epoch, cursor: 3, fingerprint, held };
        let (_, answer) = asks(&lost, &site.base, vec![place], vec![], vec![]);
        let state = answer.iter().find_map(|frame| match frame {
            Frame::State(state) => state.teams.first(),
            _ => None,
        });
        (state.unwrap().epoch == team.epoch, state.unwrap().cursor)
    };
    assert_eq!(cursor(true, vec![]), (true, 3));
    assert_eq!(cursor(false, vec![]), (true, 0), "it forgets its numbers, and offers everything");
    assert_eq!(cursor(true, vec![(5, 6)]), (true, 0));
}

fn what_it_sent_is_admitted_or_refused_and_keeps_nobody_out(site: Site) {
    let (lost, other) = (site.tablet(), site.tablet());
    revoke(&site.base, "test", &id(&lost)).unwrap();
    let (mut record, begin) = lost.begin(Kind::Person, json!({"sex": "F"}));
    let edit = lost.edit(&mut record, None, json!({"phone": "1"}));
    // Sent the wrong way round, and one that no rule would take.
    let bad = lost.begin(Kind::Contact, json!({"started_at": "2026-11-20T13:05:00Z"})).1;
    assert_eq!(lost.push(&site, &[edit, begin, bad]), [held(), held(), held()]);
    let admitted = admit_held(&site.base, "test", &id(&lost)).unwrap();
    assert_eq!(admitted, Admitted { accepted: 2, waiting: 0, refused: 1 });
    assert_eq!((site.head(), site.count("quarantine"), site.count("waiting")), (3, 1, 0));

    // An honest tablet's own change, which a stolen one sent first: refused from the one, taken from the other.
    let (mut theirs, begin) = other.begin(Kind::Person, json!({"sex": "M"}));
    let edit = other.edit(&mut theirs, None, json!({"phone": "2"}));
    let stolen = Changes {
        authors: vec![(other.public(), other.certificate)],
        lists: vec![frame::List { author: 1, ..other.list(site.team, std::slice::from_ref(&begin)) }],
        ..lost.frame(site.team, &[])
    };
    let answer = lost.exchange(&site.base, vec![], vec![stolen]).unwrap();
    assert_eq!(answer.verdicts, [[held()]]);
    assert_eq!(refuse_held(&site.base, "test", &id(&lost)).unwrap(), 1);
    let verdicts = other.push(&site, &[begin, edit]);
    assert_eq!(verdicts, [Verdict::Accepted { seq: 4 }, Verdict::Accepted { seq: 5 }]);
    let again = person(&lost);
    assert_eq!(lost.push(&site, std::slice::from_ref(&again)), [held()]);
    assert_eq!(refuse_held(&site.base, "test", &id(&lost)).unwrap(), 1);
    assert_eq!(lost.push(&site, &[again]), [quarantined(Code::RefusedAtBase)]);
    assert_eq!(admit_held(&site.base, "test", &id(&lost)).unwrap(), Admitted::default());
}

fn a_team_is_taken_away_and_given_back(site: Site) {
    let mut tablet = site.tablet();
    let south = site.base.team_add("South").unwrap();
    tablet.join(&site.base, "South").unwrap();
    take_out(&site.base, "test", &id(&tablet), south).unwrap();
    assert_eq!(take_out(&site.base, "test", &id(&tablet), south).unwrap_err().code(), Code::TeamUnknown);
    assert_eq!(revoke(&site.base, "test", "nobody").unwrap_err().code(), Code::RecordNotFound);
    let change = |team| vec![tablet.frame(team, &[person(&tablet)])];
    let places = || vec![nowhere(site.team), nowhere(south)];
    let (hello, answer) = asks(&tablet, &site.base, places(), vec![], change(south));
    assert_eq!(duties(&site.base, &hello, &answer), [Duty::Leave(south)]);
    let verdicts = |answer: &[Frame]| {
        let verdicts = answer.iter().find_map(|frame| match frame {
            Frame::Verdicts(verdicts) => Some(verdicts.verdicts.clone()),
            _ => None,
        });
        verdicts.unwrap()
    };
    assert_eq!(verdicts(&answer), [held()]);
    let of = |answer: &[Frame], team| {
        answer.iter().any(|frame| matches!(frame, Frame::Changes(changes) if changes.team == team))
    };
    assert!(of(&answer, site.team) && !of(&answer, south), "the other team goes on");
    let (_, answer) = asks(&tablet, &site.base, vec![nowhere(site.team)], vec![], change(site.team));
    assert_eq!(verdicts(&answer), [Verdict::Accepted { seq: 2 }]);
    // It joins again, and is an ordinary tablet of that team.
    let mut tablet = Tablet { key: tablet.key.clone(), certificate: tablet.certificate };
    tablet.join(&site.base, "South").unwrap();
    let (hello, answer) = asks(&tablet, &site.base, places(), vec![], vec![]);
    assert!(duties(&site.base, &hello, &answer).is_empty() && of(&answer, south));
    // Taken out again, it says so in the ledger again.
    site.now.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    take_out(&site.base, "test", &id(&tablet), south).unwrap();
    let left = site
        .base
        .ledger
        .after(0)
        .unwrap()
        .into_iter()
        .filter(|entry| matches!(entry, Entry::TeamLeft { .. }));
    assert_eq!(left.count(), 2);
}

fn a_new_key_is_taken_once_and_ends_the_old_one(site: Site) {
    let (mut tablet, other) = (site.tablet(), site.tablet());
    let server = *site.base.identity.public();
    let before = person(&tablet);
    tablet.push(&site, std::slice::from_ref(&before));
    let old = Tablet { key: tablet.key.clone(), certificate: tablet.certificate };
    let next = Tablet::new();
    let wish = |new: &Tablet, old: &Tablet| Frame::NewKey(NewKey::sign(&new.key, &server, &old.public()));
    let renew = |by: &Tablet, wish: Frame| asks(by, &site.base, vec![], vec![wish], vec![]).1;
    // Another's wish, a key that is known, and one beside something else.
    assert_eq!(refused(&renew(&tablet, wish(&next, &other))), Some(Code::SignatureInvalid));
    assert_eq!(refused(&renew(&tablet, wish(&other, &tablet))), Some(Code::KeyReplaced));
    let (_, answer) = asks(&tablet, &site.base, vec![nowhere(site.team)], vec![wish(&next, &tablet)], vec![]);
    assert_eq!(refused(&answer), Some(Code::FrameMalformed));
    // Asked twice: the answer may have been lost.
    for _ in 0..2 {
        let answer = renew(&tablet, wish(&next, &old));
        let [Frame::Renewed(certificate), Frame::State(_)] = &answer[..] else { panic!("{answer:?}") };
        assert!(verify_certificate(&server, &next.public(), certificate));
        tablet.certificate = *certificate;
    }
    assert_eq!(refused(&renew(&old, wish(&Tablet::new(), &old))), Some(Code::KeyReplaced));
    let by_old = old.exchange(&site.base, vec![], vec![old.frame(site.team, &[person(&old)])]);
    assert_eq!(by_old.unwrap_err().code(), Code::KeyReplaced);
    let secret = site.base.enrol_code("North", Some("https://base.example")).unwrap().secret;
    let again = Tablet { key: old.key.clone(), certificate: [0; 64] }.enrol(&site.base, secret);
    assert_eq!(again.unwrap_err().code(), Code::KeyReplaced);
    // What the old key signed comes from the new one, and is accepted as its own.
    let late = person(&old);
    let list = frame::List { author: 1, ..old.list(site.team, &[before, late]) };
    let changes = Changes {
        authors: vec![(old.public(), old.certificate)],
        lists: vec![list],
        ..next.frame(site.team, &[])
    };
    let answer = next.exchange(&site.base, vec![nowhere(site.team)], vec![changes]).unwrap();
    assert_eq!(answer.verdicts, [[Verdict::Known { seq: 2 }, Verdict::Accepted { seq: 3 }]]);
    let fleet = site.base.log.read(log::fleet).unwrap();
    assert!(fleet.iter().any(|one| one.id == id(&next)) && fleet.iter().all(|one| one.id != id(&old)));
    revoke(&site.base, "test", &id(&next)).unwrap();
    assert_eq!(refused(&renew(&next, wish(&Tablet::new(), &next))), Some(Code::TabletRevoked));
}

#[test]
fn a_log_that_was_set_back_knows_it_again() {
    let site = Site::new();
    let mut lost = site.tablet();
    let moved = site.tablet();
    lost.join(&site.base, "North").unwrap();
    let out = tempfile::tempdir().unwrap();
    let copy = crate::backup::backup(&site.base, out.path()).unwrap();
    let own = person(&lost);
    lost.push(&site, std::slice::from_ref(&own));
    revoke(&site.base, "test", &id(&lost)).unwrap();
    take_out(&site.base, "test", &id(&moved), site.team).unwrap();

    let next = tempfile::tempdir().unwrap();
    let keys = next.path().join("keys");
    std::fs::create_dir(&keys).unwrap();
    for file in std::fs::read_dir(site.dir.path().join("keys")).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), keys.join(file.file_name())).unwrap();
    }
    crate::backup::restore(&copy, next.path(), &site.base.clock).unwrap();
    let base = Base::open(next.path(), site.base.clock.clone()).unwrap();
    // What the restored log lacks it hands over from the beginning, and nothing of it is accepted.
    let place = Place { epoch: [7; 8], cursor: 2, ..nowhere(site.team) };
    let (hello, answer) = asks(&lost, &base, vec![place], vec![], vec![lost.frame(site.team, &[own])]);
    assert_eq!(duties(&base, &hello, &answer), [Duty::Wipe]);
    let Some(Frame::State(state)) = answer.last() else { panic!("no state") };
    assert!(state.teams[0].epoch != [7; 8] && state.teams[0].cursor == 0 && !state.teams[0].more);
    let held = base.log.read(log::quarantine).unwrap();
    assert_eq!(held.iter().map(|one| one.code.as_str()).collect::<Vec<_>>(), ["from_revoked_tablet"]);
    let (hello, answer) = asks(&moved, &base, vec![nowhere(site.team)], vec![], vec![]);
    assert_eq!(duties(&base, &hello, &answer), [Duty::Leave(site.team)]);
}
