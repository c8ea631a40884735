use std::collections::BTreeSet;

use serde_json::json;
use wayside_protocol::{
    record::{Author, Message, Record, RecordId, Scalar, Write},
    sync::{
        Frame, capability,
        frame::{self, Verdict, Verdicts},
        verify_certificate, verify_list,
    },
};

use super::{
    Kit,
    base::{Base, Outcome, settled, sync, sync_through, whole},
    by,
    syncing::copy,
};
use crate::{
    Code, Edit, Page,
    store::log,
    sync::{
        apply,
        engine::Engine,
        memory::{SentFrame, Unanswered},
        outline,
        step::{Next, Step},
    },
};

fn enrolled(base: &Base, seed: u64) -> Kit {
    let kit = Kit::new(seed);
    base.enrol(&kit);
    kit
}

/// Three authors: two tablets, and the server itself.
fn full_house() -> (Base, Kit, Kit) {
    let mut base = Base::new();
    let (one, two) = (enrolled(&base, 1), enrolled(&base, 2));
    let person = one.record().person.unwrap();
    settled(&one, &mut base);
    two.record();
    settled(&two, &mut base);
    two.tablet.edit(person, Edit::set("language", "ur"), &by()).unwrap();
    settled(&two, &mut base);
    // A coordinator edits at base.
    let raws: Vec<Vec<u8>> =
        base.log.iter().filter(|entry| entry.record == person).map(|entry| entry.raw.clone()).collect();
    let mut record = Record::load(person, raws).unwrap();
    let message = Message {
        at: "2026-11-20T14:00:00Z".into(),
        by: "coordinator".into(),
        offset: 0,
        tablet: "base".into(),
        supersedes: Vec::new(),
        reason: String::new(),
    };
    let author = Author { actor: [88; 16], fresh: [89; 16], message: &message };
    let writes = [Write { path: "phone".into(), value: Scalar::Text("07700 900999".into()) }];
    let authored = record.edit(None, &writes, &author).unwrap().unwrap();
    base.write(person, authored.hash, authored.raw);
    settled(&one, &mut base);
    settled(&two, &mut base);
    assert_eq!(one.show(person), two.show(person));
    assert_eq!(one.show(person)["phone"], "07700 900999");
    (base, one, two)
}

#[test]
fn a_restored_server_is_refilled_with_what_it_lost_as_it_was_signed() {
    let (mut base, one, two) = full_house();
    let before: Vec<_> = base.log.iter().map(|entry| (entry.record, entry.hash)).collect();
    for kept in [0, 3, before.len() - 1] {
        let mut restored = Base::new();
        restored.log = base.log.iter().take(kept).map(copy).collect();
        restored.epoch = [10 + kept as u8; 8];
        // One tablet holds it all, whoever wrote it.
        let outcome = sync(&one, &mut restored);
        assert_eq!((outcome.code(), outcome.in_sync), (None, true), "{kept}");
        assert_eq!(outcome.pushed as usize, before.len() - kept, "only what was lost is offered");
        let mut after: Vec<_> = restored.log.iter().map(|entry| (entry.record, entry.hash)).collect();
        let mut expected = before.clone();
        after.sort_unstable();
        expected.sort_unstable();
        assert_eq!(after, expected);
        let outcome = settled(&two, &mut restored);
        assert_eq!((outcome.pushed, outcome.pulled, outcome.in_sync), (0, 0, true));
        settled(&one, &mut restored);
        base = restored;
    }
    let (listed_one, listed_two) = (
        one.tablet.list(None, Page::default()).unwrap().len(),
        two.tablet.list(None, Page::default()).unwrap().len(),
    );
    assert_eq!((listed_one, listed_two), (8, 8));
}

/// A simulation found it: only frames that the tablet had signed were asked about, and all others went again.
#[test]
fn what_was_given_back_when_the_link_was_cut_is_asked_about_and_goes_once() {
    let (base, one, _two) = full_house();
    let mut restored = Base::new();
    // In the middle of what the other tablet signed at once.
    restored.log = base.log.iter().take(6).map(copy).collect();
    restored.epoch = [9; 8];
    let cut = sync_through(&one.tablet, &Base::new(), |request| {
        let offers = frame::decode(&request).unwrap().iter().any(|frame| matches!(frame, Frame::Changes(_)));
        if offers { Vec::new() } else { restored.handle(&request) }
    });
    assert!(cut.error.is_some());

    let inner = &one.tablet.0;
    let (mut stands, time) = outline(inner).unwrap();
    stands.memory.server_can = capability::STREAMED;
    let key = inner.store.read(|conn| inner.identity(conn)).unwrap().key.clone();
    let mut engine = Engine::new(key.clone(), base.public());
    let Next::Send(_) = engine.next(&stands, [1; 16], time, 1 << 20).unwrap() else { panic!() };
    let frames = engine.unanswered().unwrap();
    let offered = |sent: &SentFrame| sent.items.iter().filter(|item| item.offered).count();
    assert!(frames.len() > 2, "of several authors");
    assert_eq!(frames.iter().map(offered).sum::<usize>(), stands.offers.changes.len());
    assert!(frames.iter().any(|sent| offered(sent) < sent.items.len()), "base has the rest of that list");

    // All but the last arrived.
    stands.memory.sent = Unanswered { nonce: [1; 16], frames: frames.clone() };
    let mut engine = Engine::new(key, base.public());
    let Next::Send(_) = engine.next(&stands, [2; 16], time, 1 << 20).unwrap() else { panic!() };
    let arrived = &frames[..frames.len() - 1];
    for (number, sent) in (0..).zip(arrived) {
        let verdicts = (1..).take(sent.items.len()).map(|seq| Verdict::Known { seq }).collect();
        let mut answer = Vec::new();
        Frame::Verdicts(Verdicts { team: sent.team, frame: number, verdicts }).encode(&mut answer);
        let answer = engine.feed(&answer);
        assert!(answer.error.is_none(), "{:?}", answer.error);
        let [Step::Verdicts { verdicts, .. }] = &answer.steps[..] else { panic!() };
        assert_eq!(verdicts.len(), offered(sent));
        for step in answer.steps {
            apply(inner, step).unwrap();
        }
    }
    let left = outline(inner).unwrap().0.offers.changes;
    assert_eq!(left.len(), frames.last().map(offered).unwrap());
}

/// So nobody ever has to vouch for somebody else's change: decision 0011.
#[test]
fn what_others_made_is_held_with_the_list_that_they_signed() {
    let (base, one, two) = full_house();
    for kit in [&one, &two] {
        let lists = kit.tablet.0.store.read(|conn| {
            let bare = "SELECT count(*) FROM change WHERE own = 0 AND list IS NULL";
            assert_eq!(conn.query_row(bare, [], |row| row.get(0)), Ok(0));
            let mut statement = conn.prepare(
                "SELECT r.id, c.hash, c.team, s.author, s.certificate, s.signature, s.items
                 FROM change c JOIN record r ON r.no = c.record JOIN signed_list s ON s.no = c.list WHERE c.own = 0",
            )?;
            let mut rows = statement.query([])?;
            let (mut lists, mut of_the_server) = (0, 0);
            while let Some(row) = rows.next()? {
                let (record, hash): ([u8; 16], [u8; 32]) = (row.get(0)?, row.get(1)?);
                let (team, items): ([u8; 16], Vec<u8>) = (row.get(2)?, row.get(6)?);
                let items = items.as_chunks::<48>().0.iter().map(|item| {
                    let (record, hash) = item.split_first_chunk::<16>().unwrap();
                    (RecordId::from_bytes(*record), hash.try_into().unwrap())
                });
                let items: Vec<(RecordId, [u8; 32])> = items.collect();
                assert!(items.contains(&(RecordId::from_bytes(record), hash)));
                let author: [u8; 32] = row.get(3)?;
                assert!(verify_list(&author, RecordId::from_bytes(team), &items, &row.get(5)?));
                let own = author == base.public();
                assert!(own || verify_certificate(&base.public(), &author, &row.get(4)?));
                (lists, of_the_server) = (lists + 1, of_the_server + usize::from(own));
            }
            Ok((lists, of_the_server))
        });
        let (lists, of_the_server) = lists.unwrap();
        assert!(lists > 3 && of_the_server == 1, "{lists} and {of_the_server}");
    }
}

#[test]
fn a_log_that_shrank_or_changed_under_the_same_epoch_is_noticed() {
    let (base, one, _) = full_house();
    let before = base.log.len();
    // Shorter than the cursor.
    let mut shrunk = Base::new();
    shrunk.log = base.log.iter().take(2).map(copy).collect();
    let outcome = sync(&one, &mut shrunk);
    assert_eq!((outcome.code(), outcome.in_sync, shrunk.log.len()), (None, true, before));
    // As long as before, but something is gone: only the fingerprint tells.
    let mut changed = Base::new();
    changed.log = shrunk.log.iter().skip(1).map(copy).collect();
    let extra = enrolled(&changed, 9);
    extra.record();
    sync(&extra, &mut changed);
    let outcome = sync(&one, &mut changed);
    assert_eq!((outcome.code(), outcome.in_sync), (None, true));
}

#[test]
fn a_refill_that_is_cut_goes_on_where_it_was() {
    let (base, one, two) = full_house();
    let before = base.log.len();
    let mut restored = Base::new();
    restored.log = base.log.iter().take(3).map(copy).collect();
    restored.epoch = [9; 8];
    let mut exchanges = 0;
    loop {
        let mut first = true;
        let outcome = sync_through(&one.tablet, &base, |request| {
            let answer = restored.handle(&request);
            // One exchange gets through each time.
            if std::mem::take(&mut first) { answer } else { Vec::new() }
        });
        exchanges += 1;
        assert!(exchanges < 10);
        if outcome.error.is_none() {
            break;
        }
    }
    assert_eq!(restored.log.len(), before);
    settled(&two, &mut restored);
}

#[test]
fn a_server_that_will_not_hold_the_same_is_not_called_settled() {
    let (mut base, one, _) = full_house();
    let mut calls = 0;
    let outcome = sync_through(&one.tablet, &Base::new(), |request| {
        calls += 1;
        let mut body = Vec::new();
        for mut frame in frame::decode(&base.handle(&request)).unwrap() {
            if let Frame::State(state) = &mut frame {
                state.teams[0].fingerprint = [0; 16];
            }
            frame.encode(&mut body);
        }
        body
    });
    assert_eq!(outcome.code(), Some(Code::NotSettled));
    assert!(calls < 10);
    assert!(!one.tablet.status().unwrap().in_sync);
    assert_eq!(one.tablet.list(None, Page::default()).unwrap().len(), 8, "nothing is ever wiped");
}

#[test]
fn a_tablet_restored_from_its_backup_forks_nothing() {
    let mut base = Base::new();
    let mut kit = enrolled(&base, 1);
    let person = kit.record().person.unwrap();
    settled(&kit, &mut base);
    let copied = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(kit.dir.path()).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), copied.path().join(entry.file_name())).unwrap();
    }
    kit.tablet.edit(person, Edit::set("language", "ur"), &by()).unwrap();
    settled(&kit, &mut base);
    kit.dir = copied;
    kit.reopen();
    kit.tablet.edit(person, Edit::set("language", "bn"), &by()).unwrap();
    let outcome = settled(&kit, &mut base);
    assert_eq!((outcome.pushed, outcome.pulled, outcome.in_sync), (1, 1, true));
    assert_eq!(kit.show(person)["conflicts"][0]["path"], "language");
    assert_eq!(kit.show(person)["team"], json!(base.team));
}

/// A sync whose answer is cut just before it says where the log stands.
fn sync_without_state(kit: &Kit, base: &mut Base) -> Outcome {
    let public = Base::new();
    let outcome = sync_through(&kit.tablet, &public, |request| {
        let mut frames = frame::decode(&base.handle(&request)).unwrap();
        assert!(matches!(frames.pop(), Some(Frame::State(_))));
        let mut body = Vec::new();
        frames.iter().for_each(|frame| frame.encode(&mut body));
        body
    });
    assert!(outcome.accepted > 0 && outcome.error.is_some(), "{outcome:?}");
    outcome
}

fn hashes(base: &Base) -> BTreeSet<[u8; 32]> {
    base.log.iter().map(|entry| entry.hash).collect()
}

/// Another tablet has sent so much to a base that was set back: the first one gives back what that had acknowledged.
fn gives_back(one: &Kit, two: &Kit, others: usize, base: &mut Base, acknowledged: &BTreeSet<[u8; 32]>) {
    for _ in 0..others {
        let person = two.record().person.unwrap();
        two.tablet.edit(person, Edit::set("language", "ur"), &by()).unwrap();
    }
    sync(two, base);
    let outcome = sync(one, base);
    assert_eq!((outcome.code(), outcome.in_sync), (None, true), "{others}");
    assert!(hashes(base).is_superset(acknowledged), "{others}: lost what it had acknowledged");
    settled(two, base);
    assert_eq!(
        one.tablet.list(None, Page::default()).unwrap().len(),
        two.tablet.list(None, Page::default()).unwrap().len()
    );
}

#[test]
fn numbers_of_a_log_whose_epoch_was_never_heard_count_for_nothing() {
    for others in [0, 1, 4] {
        let mut base = Base::new();
        let (one, two) = (enrolled(&base, 1), enrolled(&base, 2));
        one.record();
        // Base has it all, and says so; of what log these numbers are is not heard any more.
        sync_without_state(&one, &mut base);
        let acknowledged = hashes(&base);
        let mut restored = Base::new();
        restored.epoch = [9; 8];
        gives_back(&one, &two, others, &mut restored, &acknowledged);
    }
}

#[test]
fn numbers_beyond_the_end_of_a_log_are_those_of_a_log_that_was_set_back() {
    for others in [0, 1, 4] {
        let mut base = Base::new();
        let (one, two) = (enrolled(&base, 1), enrolled(&base, 2));
        one.record();
        settled(&one, &mut base);
        settled(&two, &mut base);
        let kept = base.log.len();
        one.record();
        sync_without_state(&one, &mut base);
        let acknowledged = hashes(&base);
        // Nobody knows of it: the epoch is the same.
        base.log.truncate(kept);
        gives_back(&one, &two, others, &mut base, &acknowledged);
    }
}

#[test]
fn a_wrong_clock_does_not_end_a_comparison() {
    let base = Base::new();
    let kit = enrolled(&base, 1);
    kit.record();
    let inner = &kit.tablet.0;
    inner.store.write(|conn| log::begin_refill(conn, base.team, [1; 8])).unwrap();
    let (mut outline, time) = outline(inner).unwrap();
    outline.memory.server_can = capability::OURS;
    let key = inner.store.read(|conn| inner.identity(conn)).unwrap().key.clone();
    let mut engine = Engine::new(key, base.public());
    let ask = |engine: &mut Engine| {
        let Next::Send(request) = engine.next(&outline, inner.env.bytes(), time, 1000).unwrap() else {
            panic!("nothing is asked")
        };
        let mut frames = frame::Incoming::default();
        frames.push(&request).unwrap();
        let mut asks = false;
        while let Some(frame) = frames.next_frame().unwrap() {
            asks |= matches!(frame, Frame::Reconcile(_));
        }
        assert!(asks);
    };
    ask(&mut engine);
    let mut refusal = Vec::new();
    let (code, message) = (Code::Clock.as_str().to_owned(), Code::Clock.message().to_owned());
    Frame::Refusal(frame::Refusal { code, message, server_time_ms: 1 }).encode(&mut refusal);
    assert!(whole(&mut engine, &refusal, true).error.is_none());
    ask(&mut engine);
}
