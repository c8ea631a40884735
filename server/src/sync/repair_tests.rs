use serde_json::json;
use wayside_protocol::error::Code;
use wayside_protocol::record::{Hash, Kind, RecordId};
use wayside_protocol::sync::frame::{self, Frame, Place, Reconcile, State, Terms, Want};
use wayside_protocol::sync::reconcile::{Comparison, Pairs, brief, pair_id};
use wayside_protocol::sync::{Receipt, Token, capability, sign_request};

use crate::testing::on_both;
use crate::testing::{Offer, START, Site, Tablet, nowhere};
use crate::{Error, log, sync};

/// What an exchange answered beside changes.
struct Healed {
    reconcile: Option<Reconcile>,
    receipt: Option<Receipt>,
    terms: Terms,
    state: State,
    /// Changes that came with their bytes.
    bodies: usize,
}

fn ask(site: &Site, tablet: &Tablet, places: Vec<Place>, frames: Vec<Frame>) -> Result<Healed, Error> {
    ask_at(site.base.clock.now_ms(), site, tablet, places, frames)
}

fn ask_at(
    time: u64,
    site: &Site,
    tablet: &Tablet,
    places: Vec<Place>,
    frames: Vec<Frame>,
) -> Result<Healed, Error> {
    let hello = frame::Hello {
        version: frame::STREAMED_VERSION,
        capabilities: capability::OURS,
        ..tablet.hello(time, places)
    };
    let mut body = Vec::new();
    Frame::Hello(hello).encode(&mut body);
    frames.iter().for_each(|frame| frame.encode(&mut body));
    Frame::Seal(sign_request(&tablet.key, site.base.identity.public(), &body)).encode(&mut body);
    let (mut reconcile, mut receipt, mut terms, mut state, mut bodies) = (None, None, None, None, 0);
    for frame in frame::decode(&sync::exchange(&site.base, &body)?).unwrap() {
        match frame {
            Frame::Reconcile(frame) => reconcile = Some(frame),
            Frame::Receipt(frame) => receipt = Some(frame),
            Frame::Terms(frame) => terms = Some(frame),
            Frame::State(frame) => state = Some(frame),
            Frame::Changes(frame) => bodies += frame.bodies(),
            Frame::Mark(_) => {}
            other => panic!("{other:?}"),
        }
    }
    Ok(Healed { reconcile, receipt, terms: terms.unwrap(), state: state.unwrap(), bodies })
}

/// A team's log of six changes: its own record and five people.
fn six() -> (Site, Tablet, Vec<Offer>) {
    six_at(Site::new())
}

fn six_at(site: Site) -> (Site, Tablet, Vec<Offer>) {
    let tablet = site.tablet();
    let offers: Vec<_> = (0..5).map(|_| tablet.begin(Kind::Person, json!({"sex": "F"})).1).collect();
    tablet.push(&site, &offers);
    (site, tablet, offers)
}

fn place(site: &Site, cursor: u64) -> Place {
    let team = site.base.log.read(log::teams).unwrap().remove(0);
    let sum = site.base.log.read(|conn| log::sum_at(conn, team.n, cursor)).unwrap();
    Place { team: team.id, epoch: team.epoch, cursor, fingerprint: sum.fingerprint(), held: vec![] }
}

fn shown(receipt: &Receipt) -> Vec<Frame> {
    vec![Frame::Token(receipt.token), Frame::Receipt(receipt.clone())]
}

fn alarms(site: &Site) -> Vec<(String, Option<String>, u64)> {
    let alarms = site.base.log.read(|conn| log::alarms(conn, START)).unwrap();
    alarms.into_iter().map(|alarm| (alarm.code, alarm.tablet, alarm.times)).collect()
}

#[test]
fn a_comparison_finds_what_differs_and_sends_what_is_wanted_in_the_logs_order() {
    let (site, tablet, offers) = six();
    // This tablet holds three of the five, and one that the log has lost.
    let lost = tablet.begin(Kind::Person, json!({"sex": "M"})).1;
    let mine: Vec<(RecordId, Hash)> =
        offers[..3].iter().chain([&lost]).map(|(record, change)| (*record, change.hash)).collect();
    let (mut comparison, mut message) = Comparison::begin(Pairs::new(mine)).unwrap();
    let at = Place { cursor: 0, ..place(&site, 0) };
    let (team, epoch) = (at.team, at.epoch);
    let mut head = 0;
    loop {
        let turn = Frame::Reconcile(Reconcile { team, epoch, head, message });
        let healed = ask(&site, &tablet, vec![at.clone()], vec![turn]).unwrap();
        assert_eq!(healed.bodies, 0, "nothing is sent before it is known what is missing");
        assert!(healed.state.teams[0].more && healed.receipt.is_none(), "and nothing is at an end");
        let answer = healed.reconcile.unwrap();
        assert_eq!((answer.head, answer.epoch), (6, epoch));
        head = answer.head;
        match comparison.go_on(&answer.message).unwrap() {
            Some(next) => message = next,
            None => break,
        }
    }
    assert_eq!(comparison.ours.iter().collect::<Vec<_>>(), [&pair_id(lost.0, &lost.1.hash)]);
    assert_eq!(comparison.theirs.len(), 3, "two people and the team itself");
    let briefs = comparison.theirs.iter().map(brief).chain([[0xee; 8]]).collect();
    let want = Frame::Want(Want { team, epoch, head, briefs });
    assert_eq!(ask(&site, &tablet, vec![at], vec![want]).unwrap().bodies, 3, "what is unknown is left out");
}

#[test]
fn a_strange_place_is_sent_nothing_and_told_where_the_log_is() {
    let (site, tablet, _) = six();
    for strange in [Place { epoch: [9; 8], ..place(&site, 3) }, Place { cursor: 7, ..place(&site, 6) }] {
        let healed = ask(&site, &tablet, vec![strange.clone()], vec![]).unwrap();
        assert_eq!((healed.bodies, healed.receipt), (0, None));
        let state = &healed.state.teams[0];
        assert_eq!(state.epoch, place(&site, 0).epoch);
        assert!(state.more && state.cursor <= 6);
        // A tablet that cannot compare is sent everything, as before.
        assert_eq!(tablet.exchange(&site.base, vec![strange], vec![]).unwrap().seqs(), [1, 2, 3, 4, 5, 6]);
    }
    // Of another epoch a question has no answer; beyond the log's end neither.
    let at = place(&site, 0);
    let message = Comparison::begin(Pairs::new([])).unwrap().1;
    for (epoch, head) in [([9; 8], 0), (at.epoch, 7)] {
        let turn = Frame::Reconcile(Reconcile { team: at.team, epoch, head, message: message.clone() });
        let want = Frame::Want(Want { team: at.team, epoch, head, briefs: vec![[1; 8]] });
        for frame in [turn, want] {
            let healed = ask(&site, &tablet, vec![at.clone()], vec![frame]).unwrap();
            assert_eq!((healed.reconcile, healed.bodies), (None, 0));
        }
    }
}

#[test]
fn what_is_asked_twice_of_other_teams_or_in_no_form_is_refused() {
    let (site, tablet, _) = six();
    let other = site.base.team_add("South").unwrap();
    let at = place(&site, 0);
    let turn = |team, message: &[u8]| {
        Frame::Reconcile(Reconcile { team, epoch: at.epoch, head: 0, message: message.to_vec() })
    };
    let code = |frames| ask(&site, &tablet, vec![place(&site, 0)], frames).err().unwrap().code();
    assert_eq!(code(vec![turn(other, &[0x61])]), Code::TeamNotAllowed);
    assert_eq!(code(vec![turn(at.team, &[0x61]), turn(at.team, &[0x61])]), Code::FrameMalformed);
    assert_eq!(code(vec![turn(at.team, &[])]), Code::FrameMalformed);
    assert_eq!(code(vec![turn(at.team, &[0x61, 0, 0, 9])]), Code::FrameMalformed);
    assert_eq!(code(vec![Frame::Token([1; 8]), Frame::Token([1; 8])]), Code::FrameMalformed);
    let want = Frame::Want(Want { team: other, epoch: at.epoch, head: 0, briefs: vec![] });
    assert_eq!(code(vec![want]), Code::TeamNotAllowed);
}

on_both! {
    a_receipt_is_given_at_the_end_and_again_only_when_something_moved,
    an_old_token_is_told_once_and_both_copies_go_on,
    a_request_that_later_ones_overtook_accuses_nobody,
    a_receipt_that_the_log_contradicts_raises_an_alarm_and_draws_a_new_epoch,
    a_tablet_that_goes_again_as_in_version_1_is_no_copy,
    base_that_lost_nothing_but_the_last_tokens_accuses_no_tablet,
}

fn a_receipt_is_given_at_the_end_and_again_only_when_something_moved(site: Site) {
    let (site, tablet, _) = six_at(site);
    let first = ask(&site, &tablet, vec![nowhere(site.team)], vec![]).unwrap().receipt.unwrap();
    assert!(first.verify(site.base.identity.public(), &tablet.public()));
    let position = first.position(site.team).unwrap();
    assert_eq!((position.seq, position.fingerprint), (6, place(&site, 6).fingerprint));
    let still = ask(&site, &tablet, vec![place(&site, 6)], shown(&first)).unwrap();
    assert_eq!((still.receipt, still.terms.notice.as_str()), (None, ""));
    // Lost with the answer: it is given again, and nobody is accused.
    let again = ask(&site, &tablet, vec![nowhere(site.team)], vec![]).unwrap();
    assert_eq!(again.terms.notice, "");
    assert_ne!(again.receipt.unwrap().token, first.token);
}

/// So does one whose request was damaged on its way: it takes base for an older one, and is no copy.
fn a_tablet_that_goes_again_as_in_version_1_is_no_copy(site: Site) {
    let (site, tablet, _) = six_at(site);
    let mut receipt = ask(&site, &tablet, vec![nowhere(site.team)], vec![]).unwrap().receipt.unwrap();
    for _ in 0..2 {
        let hello = frame::Hello {
            version: frame::PROTOCOL_VERSION,
            capabilities: capability::OURS,
            ..tablet.hello(site.base.clock.now_ms(), vec![place(&site, 3)])
        };
        let mut body = Vec::new();
        Frame::Hello(hello).encode(&mut body);
        Frame::Seal(sign_request(&tablet.key, site.base.identity.public(), &body)).encode(&mut body);
        let answer = frame::decode(&sync::exchange(&site.base, &body).unwrap()).unwrap();
        let copied = |frame: &Frame| matches!(frame, Frame::Terms(terms) if !terms.notice.is_empty());
        assert!(!answer.iter().any(copied));
        assert!(
            !answer.iter().any(|frame| matches!(frame, Frame::Receipt(_))),
            "it could not show its token"
        );
        assert_eq!(alarms(&site), []);
        let healed = ask(&site, &tablet, vec![place(&site, 3)], shown(&receipt)).unwrap();
        assert_eq!(healed.terms.notice, "", "and it goes on with the token that it has");
        receipt = healed.receipt.unwrap();
    }
}

fn an_old_token_is_told_once_and_both_copies_go_on(site: Site) {
    let (site, tablet, _) = six_at(site);
    let mut receipts = Vec::new();
    for cursor in [0, 3, 4] {
        let frames = receipts.last().map_or(vec![], shown);
        receipts.push(ask(&site, &tablet, vec![place(&site, cursor)], frames).unwrap().receipt.unwrap());
    }
    let go = |token: Token| {
        let healed = ask(&site, &tablet, vec![place(&site, 3)], vec![Frame::Token(token)]).unwrap();
        (healed.terms.notice, healed.receipt.unwrap().token)
    };
    let (notice, renewed) = go(receipts[0].token);
    assert_eq!(notice, "tablet_copied");
    let (notice, next) = go(renewed);
    assert_eq!(notice, "", "told, it goes on");
    assert_eq!(go(receipts[2].token).0, "tablet_copied", "and so does the other");
    assert_eq!(go(next).0, "tablet_copied");
    let id = wayside_protocol::record::tablet_id(&tablet.public());
    assert_eq!(alarms(&site), [("tablet_copied".to_owned(), Some(id), 3)]);
    // An altered or foreign receipt says nothing about the log.
    let foreign = Receipt { signature: [1; 64], ..receipts[0].clone() };
    ask(&site, &tablet, vec![place(&site, 3)], vec![Frame::Receipt(foreign)]).unwrap();
    assert_eq!(place(&site, 0).epoch, receipts[0].positions[0].epoch);
}

/// A simulation found it: the link was given up, the tablet asked again, and then the first request arrived.
fn a_request_that_later_ones_overtook_accuses_nobody(site: Site) {
    let (site, tablet, _) = six_at(site);
    let start = site.base.clock.now_ms();
    let go = |minutes: u64, token: Option<Token>| {
        let shown = token.map(Frame::Token).into_iter().collect();
        let healed = ask_at(start + minutes * 60_000, &site, &tablet, vec![place(&site, 3)], shown).unwrap();
        (healed.terms.notice, healed.receipt.map(|receipt| receipt.token))
    };
    let (_, first) = go(0, None);
    for overtaken_by in 1..4 {
        let mut last = first;
        for minutes in 0..overtaken_by {
            let (notice, next) = go(2 + minutes, last);
            assert_eq!(notice, "");
            assert!(next.is_some_and(|next| Some(next) != last));
            last = next;
            assert_eq!(go(1, first), (String::new(), None), "it tells nothing, and is given nothing");
        }
        // The next round begins where the tablet shows what it was given.
        assert_eq!(go(9, last).0, "");
        let set = "UPDATE tablet SET token_shown = NULL, token_given = ?";
        site.base.log.write(move |txn| txn.conn.execute(set, crate::log::db::args![first])).unwrap();
    }
    assert_eq!(alarms(&site), []);
    let (_, second) = go(2, first);
    go(3, second);
    assert_eq!(go(4, first).0, "tablet_copied", "that one was asked later");
}

/// As when it is put back to a copy of an hour in which nobody recorded anything.
fn base_that_lost_nothing_but_the_last_tokens_accuses_no_tablet(site: Site) {
    let (site, tablet, _) = six_at(site);
    let go = |token: Option<Token>| {
        let shown = token.map(Frame::Token).into_iter().collect();
        let healed = ask(&site, &tablet, vec![place(&site, 3)], shown).unwrap();
        (healed.terms.notice, healed.receipt.unwrap().token)
    };
    let mut tokens: Vec<Token> = Vec::new();
    for _ in 0..5 {
        tokens.push(go(tokens.last().copied()).1);
    }
    // None at all before, one of chance alone as an older server gave it, and two of the first.
    for back in [(None, None), (None, Some([9; 8])), (Some(tokens[0]), Some(tokens[1]))] {
        let set = "UPDATE tablet SET token_shown = ?, token_given = ?";
        site.base.log.write(move |txn| txn.conn.execute(set, crate::log::db::args![back.0, back.1])).unwrap();
        let (notice, next) = go(Some(tokens[3]));
        assert_eq!(notice, "", "{back:?}");
        if back.1.is_some() {
            assert_eq!(go(Some(tokens[2])).0, "tablet_copied", "that one is old");
        }
        let (notice, _) = go(Some(next));
        assert_eq!(notice, if back.1.is_some() { "tablet_copied" } else { "" });
    }
}

fn a_receipt_that_the_log_contradicts_raises_an_alarm_and_draws_a_new_epoch(site: Site) {
    let (site, tablet, _) = six_at(site);
    let honest = ask(&site, &tablet, vec![nowhere(site.team)], vec![]).unwrap().receipt.unwrap();
    let before = place(&site, 6);
    // The same log, which says something else now: as this server signed, at a number the log never had.
    for altered in [(60, before.fingerprint), (6, [7; 16])] {
        let at = place(&site, 6);
        let mut positions = honest.positions.clone();
        (positions[0].epoch, positions[0].seq, positions[0].fingerprint) = (at.epoch, altered.0, altered.1);
        let key = site.base.identity.key();
        let receipt = Receipt::sign(key, &tablet.public(), honest.token, positions);
        let healed = ask(&site, &tablet, vec![at.clone()], shown(&receipt)).unwrap();
        let now = place(&site, 6);
        assert_ne!(now.epoch, at.epoch);
        assert_eq!((healed.state.teams[0].epoch, healed.terms.notice.as_str()), (now.epoch, ""));
        // Shown again, it is of an epoch that is over.
        ask(&site, &tablet, vec![now.clone()], shown(&receipt)).unwrap();
        assert_eq!(place(&site, 6).epoch, now.epoch);
    }
    assert_eq!(alarms(&site), [("log_replaced".to_owned(), None, 2)]);
}
