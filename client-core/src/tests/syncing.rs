use serde_json::{Value, json};
use wayside_protocol::{
    record::RecordId,
    sync::{
        Frame, capability,
        frame::{self, Item, Refusal, Verdict},
    },
};

use super::{
    Kit, NOW,
    base::{Base, settled, sync, sync_through, whole},
    by, line,
};
use crate::{
    Code, Edit, Page,
    store::{log, meta},
};

fn pair() -> (Base, Kit, Kit) {
    let (base, one, two) = (Base::new(), Kit::new(1), Kit::new(2));
    base.enrol(&one);
    base.enrol(&two);
    (base, one, two)
}

#[test]
fn two_tablets_come_to_hold_the_same_and_a_second_sync_is_small() {
    let (mut base, one, two) = pair();
    let recorded = one.record();
    two.record();
    let outcome = settled(&one, &mut base);
    assert_eq!((outcome.exchanges, outcome.pushed, outcome.accepted, outcome.in_sync), (1, 4, 4, true));
    let outcome = settled(&two, &mut base);
    assert_eq!((outcome.pushed, outcome.pulled, outcome.in_sync), (4, 4, true));
    settled(&one, &mut base);
    assert_eq!(one.show(recorded.contact), two.show(recorded.contact));
    assert_eq!(one.tablet.list(None, Page::default()).unwrap().len(), 8);
    let outcome = settled(&one, &mut base);
    assert_eq!((outcome.exchanges, outcome.pushed, outcome.pulled), (1, 0, 0));
    assert!(base.bytes.0 <= 300 && base.bytes.1 <= 200, "{:?}", base.bytes);
    let status = one.tablet.status().unwrap();
    assert!(status.in_sync && status.waiting == 0 && status.last_synced_at.is_some());
    one.record();
    assert!(!one.tablet.status().unwrap().in_sync);
}

#[test]
fn tablets_that_disagree_show_it_and_a_third_edit_settles_it() {
    let (mut base, one, two) = pair();
    let person = one.record().person.unwrap();
    settled(&one, &mut base);
    settled(&two, &mut base);
    one.tablet.edit(person, Edit::set("name/family", "Kahn"), &by()).unwrap();
    two.tablet.edit(person, Edit::set("name/family", "Cahn"), &by()).unwrap();
    settled(&one, &mut base);
    settled(&two, &mut base);
    settled(&one, &mut base);
    assert_eq!(one.show(person), two.show(person));
    assert_eq!(one.show(person)["conflicts"][0]["values"].as_array().unwrap().len(), 2);
    two.tablet.edit(person, Edit::set("name/family", "Khan"), &by()).unwrap();
    settled(&two, &mut base);
    settled(&one, &mut base);
    assert_eq!(one.show(person)["conflicts"], json!([]));
    assert_eq!(one.show(person)["name"]["family"], "Khan");
}

#[test]
fn an_edit_made_while_a_sync_runs_is_never_marked_synced() {
    let (mut base, one, _) = pair();
    let person = one.record().person.unwrap();
    let mut edited = false;
    let cell = std::cell::RefCell::new(&mut base);
    let outcome = sync_through(&one.tablet, &Base::new(), |request| {
        let answer = cell.borrow_mut().handle(&request);
        if !edited {
            edited = true;
            one.tablet.edit(person, Edit::set("name/family", "Kahn"), &by()).unwrap();
            // The answer is on its way: what it says is about the request.
            assert_eq!(one.tablet.status().unwrap().waiting, 5);
        }
        answer
    });
    // It goes with the next request of the same sync.
    assert_eq!((outcome.exchanges, outcome.accepted, outcome.in_sync), (2, 5, true));

    // Cut after the first answer: the edit is still waiting.
    let mut first = true;
    let cut = sync_through(&one.tablet, &Base::new(), |request| {
        let answer = cell.borrow_mut().handle(&request);
        let phone = if first { "1" } else { "2" };
        one.tablet.edit(person, Edit::set("phone", phone), &by()).unwrap();
        if std::mem::take(&mut first) { answer } else { Vec::new() }
    });
    assert_eq!(cut.code(), Some(Code::FrameMalformed));
    assert_eq!(one.tablet.status().unwrap().waiting, 2);
}

#[test]
fn a_refused_clock_costs_one_more_request_and_is_remembered() {
    let (mut base, one, _) = pair();
    one.record();
    one.clock.advance(24 * 3600 * 1000);
    let mut times = Vec::new();
    let cell = std::cell::RefCell::new(&mut base);
    let mut go = |always: bool| {
        sync_through(&one.tablet, &Base::new(), |request| {
            let frames = frame::decode(&request).unwrap();
            let Frame::Hello(hello) = &frames[0] else { panic!("no hello") };
            times.push(hello.time_ms);
            if !always && hello.time_ms.abs_diff(NOW as u64) < 1000 {
                return cell.borrow_mut().handle(&request);
            }
            let (code, message) = ("clock".to_owned(), "Your clock is wrong.".to_owned());
            let mut body = Vec::new();
            Frame::Refusal(Refusal { code, message, server_time_ms: NOW as u64 }).encode(&mut body);
            body
        })
    };
    let outcome = go(false);
    assert_eq!((outcome.exchanges, outcome.in_sync), (2, true));
    assert_eq!(go(false).exchanges, 1, "the offset is kept");
    assert_eq!(go(true).code(), Some(Code::Clock), "once, not for ever");
    assert_eq!(one.tablet.status().unwrap().clock_skew_ms, Some(24 * 3600 * 1000));
}

#[test]
fn what_is_quarantined_leaves_the_document_with_what_builds_on_it_and_blocks_nothing() {
    let (mut base, one, two) = pair();
    let recorded = one.record();
    let (contact, person) = (recorded.contact, recorded.person.unwrap());
    settled(&one, &mut base);
    one.tablet.edit(contact, Edit::set("ext/shift", "POISON"), &by()).unwrap();
    one.tablet.edit(contact, Edit::set("satisfaction", 4), &by()).unwrap();
    one.tablet.edit(person, Edit::set("language", "ur"), &by()).unwrap();
    assert_eq!(one.show(contact)["satisfaction"], 4);
    base.refuse_text = Some(("POISON", Code::OutOfRange));
    let outcome = sync(&one, &mut base);
    assert_eq!((outcome.quarantined, outcome.accepted, outcome.code()), (2, 1, None));
    let json = one.show(contact);
    assert_eq!((json.get("ext"), json.get("satisfaction")), (None, None));
    let quarantined = json["quarantined"].as_array().unwrap();
    assert_eq!(quarantined[0]["code"], "out_of_range");
    assert_eq!(quarantined[0]["values"], json!({"ext/shift": "POISON"}));
    assert_eq!(quarantined[0]["message"], Code::OutOfRange.message());
    assert_eq!(one.show(person)["language"], "ur", "the rest went through");

    // The same actor's next number is taken: the next edit has one of its own, and reaches the others.
    one.tablet.edit(contact, Edit::set("satisfaction", 5), &by()).unwrap();
    assert_eq!(sync(&one, &mut base).accepted, 1);
    settled(&two, &mut base);
    assert_eq!(two.show(contact)["satisfaction"], 5);
    let status = one.tablet.status().unwrap();
    assert_eq!((status.waiting, status.quarantined, status.in_sync), (0, 2, false));
    assert_eq!(sync(&one, &mut base).pushed, 0, "said once");
}

/// What the base shows of a tablet that is away: what it said with its last request, whether or not the answer came.
#[test]
fn each_request_says_how_many_changes_wait_and_counts_none_that_was_refused() {
    let (mut base, one, _) = pair();
    let contact = one.record().contact;
    settled(&one, &mut base);
    one.tablet.edit(contact, Edit::set("ext/shift", "POISON"), &by()).unwrap();
    base.refuse_text = Some(("POISON", Code::OutOfRange));
    assert_eq!(sync(&one, &mut base).quarantined, 1);

    // From here on the server takes requests frame by frame; the link is cut before it answers.
    one.tablet.0.store.write(|conn| meta::set(conn, meta::SERVER_CAN, capability::OURS as i64)).unwrap();
    // What it says, and how many changes it brings.
    let request = || {
        let mut frames = Vec::new();
        let cut = sync_through(&one.tablet, &Base::new(), |request| {
            frames.extend(frames_of(&request));
            Vec::new()
        });
        assert!(cut.error.is_some());
        let brought =
            frames.iter().map(|frame| if let Frame::Changes(all) = frame { all.bodies() } else { 0 });
        let brought: usize = brought.sum();
        let said = frames.into_iter().find_map(|frame| match frame {
            Frame::Ask(ask) => Some(ask.waiting),
            _ => None,
        });
        (said, brought)
    };
    assert_eq!(request(), (Some(0), 0), "what was refused is nothing that could still come");
    for n in 0..200 {
        let large = format!("{n} {}", "x".repeat(9_900));
        one.tablet.edit(contact, Edit::set("ext/large", large), &by()).unwrap();
    }
    let (said, brought) = request();
    assert_eq!(said, Some(200));
    assert!(brought < 200, "it says so of what one request has no room for, too");
    assert_eq!(request(), (said, brought), "nothing of it arrived");
}

/// The frames of a request that goes frame by frame.
fn frames_of(request: &[u8]) -> Vec<Frame> {
    let mut incoming = frame::Incoming::default();
    incoming.push(request).unwrap();
    std::iter::from_fn(|| incoming.next_frame().unwrap()).collect()
}

#[test]
fn what_the_server_cannot_keep_now_is_offered_again() {
    let (mut base, one, _) = pair();
    let contact = one.record().contact;
    settled(&one, &mut base);
    one.tablet.edit(contact, Edit::set("ext/shift", "LATER"), &by()).unwrap();
    base.refuse_text = Some(("LATER", Code::WaitingFull));
    assert_eq!(sync(&one, &mut base).quarantined, 0);
    let status = one.tablet.status().unwrap();
    assert_eq!((status.waiting, status.quarantined, status.in_sync), (1, 0, false));
    assert_eq!(one.show(contact)["ext"]["shift"], "LATER", "and stays in the document");
    (base.refuse_text, base.refuse) = (None, Default::default());
    assert_eq!(sync(&one, &mut base).accepted, 1);
    assert_eq!(one.tablet.status().unwrap().waiting, 0);
}

#[test]
fn a_descendant_that_was_never_sent_is_quarantined_here_and_sent_all_the_same() {
    let (mut base, one, _) = pair();
    let contact = one.record().contact;
    settled(&one, &mut base);
    one.tablet.edit(contact, Edit::set("ext/shift", "POISON"), &by()).unwrap();
    base.refuse_text = Some(("POISON", Code::OutOfRange));
    let mut first = true;
    let mut offered = Vec::new();
    let cell = std::cell::RefCell::new(&mut base);
    let outcome = sync_through(&one.tablet, &Base::new(), |request| {
        if std::mem::take(&mut first) {
            one.tablet.edit(contact, Edit::set("satisfaction", 4), &by()).unwrap();
        }
        for frame in frame::decode(&request).unwrap() {
            if let Frame::Changes(changes) = frame {
                offered.push(changes.bodies());
            }
        }
        cell.borrow_mut().handle(&request)
    });
    assert_eq!((offered, outcome.quarantined), (vec![1, 1], 2));
    let quarantined = one.show(contact)["quarantined"].as_array().unwrap().clone();
    let codes: Vec<&Value> = quarantined.iter().map(|change| &change["code"]).collect();
    assert_eq!(codes, ["out_of_range", "depends_on_quarantined"]);
    assert_eq!(quarantined[1]["values"], json!({"satisfaction": 4}));
    assert_eq!(one.tablet.status().unwrap().waiting, 0);
}

#[test]
fn a_record_all_in_quarantine_is_shown_and_can_be_put_right() {
    let (mut base, one, two) = pair();
    let mut bad = line();
    bad["contact"]["ext"] = json!({"shift": "POISON"});
    let contact = one.tablet.record(bad, &by()).unwrap().contact;
    base.refuse_text = Some(("POISON", Code::OutOfRange));
    sync(&one, &mut base);
    let json = one.show(contact);
    assert_eq!((&json["kind"], &json["team"]), (&json!("contact"), &json!(base.team)));
    assert_eq!(json["quarantined"][0]["values"]["ext/shift"], "POISON");
    let listed = one.tablet.list(Some(crate::Kind::Contact), Page::default()).unwrap();
    assert_eq!(listed, [json]);
    one.tablet.edit(contact, Edit::set("ext/shift", "late"), &by()).unwrap();
    let json = one.show(contact);
    assert_eq!((&json["ext"]["shift"], &json["reason"]), (&json!("late"), &json!("walk_up")));
    sync(&one, &mut base);
    settled(&two, &mut base);
    assert_eq!(two.show(contact)["derived"]["category"], "HIGH");
}

#[test]
fn a_screen_from_before_the_quarantine_still_saves() {
    let (mut base, one, _) = pair();
    let contact = one.record().contact;
    settled(&one, &mut base);
    one.tablet.edit(contact, Edit::set("ext/shift", "POISON"), &by()).unwrap();
    let screen = one.shown(contact).heads;
    base.refuse_text = Some(("POISON", Code::OutOfRange));
    sync(&one, &mut base);
    one.tablet.edit(contact, Edit::set("satisfaction", 3).on(&screen), &by()).unwrap();
    assert_eq!(one.show(contact)["satisfaction"], 3);
    assert_eq!(sync(&one, &mut base).accepted, 1);
}

#[test]
fn answers_that_do_not_fit_the_request_are_refused() {
    let (base, one, _) = pair();
    one.record();
    let tamper = |f: &dyn Fn(&mut Vec<Frame>)| {
        let mut fresh = Base::new();
        let outcome = sync_through(&one.tablet, &base, |request| {
            let mut frames = frame::decode(&fresh.handle(&request)).unwrap();
            f(&mut frames);
            let mut body = Vec::new();
            frames.iter().for_each(|frame| frame.encode(&mut body));
            body
        });
        assert_eq!(one.tablet.status().unwrap().waiting, 4, "nothing was believed");
        outcome.code()
    };
    let verdicts = |frames: &mut Vec<Frame>, f: &dyn Fn(&mut frame::Verdicts)| {
        for frame in frames {
            if let Frame::Verdicts(verdicts) = frame {
                f(verdicts);
            }
        }
    };
    let malformed = Some(Code::FrameMalformed);
    assert_eq!(tamper(&|frames| verdicts(frames, &|v| drop(v.verdicts.pop()))), malformed);
    assert_eq!(tamper(&|frames| verdicts(frames, &|v| v.verdicts.push(Verdict::Waiting))), malformed);
    assert_eq!(tamper(&|frames| verdicts(frames, &|v| v.frame = 7)), malformed);
    assert_eq!(tamper(&|frames| verdicts(frames, &|v| v.team = RecordId::from_bytes([1; 16]))), malformed);
    assert_eq!(tamper(&|frames| frames.retain(|frame| !matches!(frame, Frame::Verdicts(_)))), malformed);
    assert_eq!(tamper(&|frames| frames.clear()), malformed);
}

#[test]
fn nothing_forged_is_pulled() {
    let (mut base, one, two) = pair();
    one.record();
    settled(&one, &mut base);
    let held = || two.tablet.list(None, Page::default()).unwrap().len();
    let tamper = |f: &dyn Fn(&mut frame::Changes)| {
        let cell = std::cell::RefCell::new(Base::new());
        cell.borrow_mut().log = base.log.iter().map(copy).collect();
        let outcome = sync_through(&two.tablet, &base, |request| {
            let mut frames = frame::decode(&cell.borrow_mut().handle(&request)).unwrap();
            let changes = frames.iter_mut().find_map(|frame| match frame {
                Frame::Changes(changes) => Some(changes),
                _ => None,
            });
            f(changes.unwrap());
            let mut body = Vec::new();
            frames.iter().for_each(|frame| frame.encode(&mut body));
            body
        });
        assert_eq!(held(), 0);
        outcome.code()
    };
    fn body(changes: &mut frame::Changes) -> (&mut RecordId, &mut u64, &mut Vec<u8>) {
        let items = changes.lists[0].items.iter_mut();
        let mut bodies = items.filter_map(|item| match item {
            Item::Body { record, seq, raw } => Some((record, seq, raw)),
            Item::Absent { .. } => None,
        });
        bodies.next().unwrap()
    }
    let invalid = Some(Code::SignatureInvalid);
    assert_eq!(tamper(&|changes| changes.lists[0].signature[0] ^= 1), invalid);
    assert_eq!(tamper(&|changes| changes.authors[0].1[0] ^= 1), invalid);
    assert_eq!(tamper(&|changes| changes.lists[0].author = 0), invalid);
    assert_eq!(tamper(&|changes| body(changes).2[40] ^= 1), invalid);
    assert_eq!(tamper(&|changes| *body(changes).0 = RecordId::from_bytes([1; 16])), invalid);
    assert_eq!(tamper(&|changes| *body(changes).1 = 0), Some(Code::FrameMalformed));
    assert_eq!(tamper(&|changes| changes.team = RecordId::from_bytes([1; 16])), Some(Code::FrameMalformed));
}

pub fn copy(entry: &super::base::Entry) -> super::base::Entry {
    super::base::Entry { raw: entry.raw.clone(), list: entry.list.clone(), ..*entry }
}

#[test]
fn a_signed_change_that_does_not_fit_its_record_is_refused_whole() {
    let (mut base, one, two) = pair();
    let person = one.record().person.unwrap();
    settled(&one, &mut base);
    one.tablet.edit(person, Edit::set("language", "ur"), &by()).unwrap();
    settled(&one, &mut base);
    // The server leaves out what the edit builds on.
    base.log.retain(|entry| entry.record == person);
    base.log.remove(0);
    assert_eq!(sync(&two, &mut base).code(), Some(Code::NotSettled), "nor after comparing");
    assert!(two.tablet.list(None, Page::default()).unwrap().is_empty());
    let places = two.tablet.0.store.read(log::places).unwrap();
    assert_eq!((places[0].cursor, places[0].held.len()), (0, 0));
}

#[test]
fn an_answer_cut_anywhere_costs_one_frame() {
    let (mut base, one, two) = pair();
    one.record();
    one.record();
    settled(&one, &mut base);
    let total = base.log.len();
    let mut full = Vec::new();
    sync_through(&two.tablet, &Base::new(), |request| {
        full = base.handle(&request);
        Vec::new()
    });
    let mut held_before = 0;
    for cut in (0..full.len()).step_by(97) {
        let kit = Kit::new(3);
        base.enrol(&kit);
        let inner = &kit.tablet.0;
        let mut engine = crate::sync::engine::Engine::new(
            inner.store.read(|conn| inner.identity(conn)).unwrap().key.clone(),
            base.public(),
        );
        let (outline, time) = crate::sync::outline(inner).unwrap();
        engine.next(&outline, [0; 16], time, 1000).unwrap();
        let answer = whole(&mut engine, &full[..cut], false);
        assert!(answer.error.is_none());
        for step in answer.steps {
            crate::sync::apply(inner, step).unwrap();
        }
        let held: usize = kit.tablet.0.store.read(log::places).unwrap()[0]
            .held
            .iter()
            .map(|(from, to)| (to - from + 1) as usize)
            .sum();
        assert!(held >= held_before);
        held_before = held;
        // What is left comes with the next sync, and nothing twice.
        assert_eq!(settled(&kit, &mut base).pulled as usize, total - held);
    }
    assert_eq!(held_before, total - usize::from(held_before < total));
}

#[test]
fn a_long_log_comes_in_pages() {
    let (mut base, one, two) = pair();
    for _ in 0..10 {
        one.record();
    }
    settled(&one, &mut base);
    base.page = 7;
    let outcome = settled(&two, &mut base);
    assert_eq!((outcome.pulled as usize, outcome.in_sync), (base.log.len(), true));
    assert_eq!(outcome.exchanges as usize, base.log.len().div_ceil(7));
}
