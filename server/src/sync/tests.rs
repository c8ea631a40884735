use std::sync::atomic::Ordering;

use serde_json::json;
use wayside_protocol::record::{Kind, RecordId, change_hash, chunk};
use wayside_protocol::sync::frame::{Item, Place};
use wayside_protocol::sync::{SetSum, verify_list};

use super::*;
use crate::testing::{
    Offer as Change, START, Site, Tablet as TestTablet, altered, change, nowhere, quarantined,
};

fn accepted(verdicts: &[Verdict]) -> bool {
    verdicts.iter().all(|verdict| matches!(verdict, Verdict::Accepted { .. }))
}

/// Every change of an answer, its signature verified as a puller does it.
fn verified(site: &Site, answer: &crate::testing::Answer) -> Vec<(u64, RecordId, [u8; 32])> {
    let mut found = Vec::new();
    for frame in &answer.changes {
        for list in &frame.lists {
            let author = match list.author.checked_sub(1) {
                None => *site.base.identity.public(),
                Some(index) => frame.authors[index].0,
            };
            let items = list.signed_items(change_hash);
            assert!(verify_list(&author, frame.team, &items, &list.signature));
            for item in &list.items {
                if let Item::Body { record, seq, raw } = item {
                    found.push((*seq, *record, change_hash(raw)));
                }
            }
        }
    }
    found
}

#[test]
fn one_tablet_pushes_and_another_holds_the_same() {
    let site = Site::new();
    let (one, two) = (site.tablet(), site.tablet());
    let changes: Vec<_> =
        (0..5).map(|i| one.begin(Kind::Person, json!({"phone": i.to_string()})).1).collect();
    // One of them is refused: the others' signature still covers it.
    let mut with_bad = changes.clone();
    with_bad.insert(2, one.begin(Kind::Person, json!({"sex": 1})).1);
    let answer = one.exchange(&site.base, vec![nowhere(site.team)], vec![one.frame(site.team, &with_bad)]);
    let answer = answer.unwrap();
    // Its own do not come back; the team's record does.
    assert_eq!(answer.seqs(), [1]);
    let state = answer.state.teams[0].clone();
    assert_eq!((state.cursor, state.more), (6, false));

    let answer = two.exchange(&site.base, vec![nowhere(site.team)], vec![]).unwrap();
    let got = verified(&site, &answer);
    assert_eq!(got.len(), 6);
    assert_eq!(answer.state.teams[0], state);
    let mut sum = SetSum::default();
    got.iter().for_each(|(_, record, hash)| sum.add(*record, hash));
    assert_eq!(sum.fingerprint(), state.fingerprint);

    // Nothing new: small whatever the server holds.
    let place = Place { epoch: state.epoch, cursor: 6, fingerprint: state.fingerprint, ..nowhere(site.team) };
    let idle = two.exchange(&site.base, vec![place], vec![]).unwrap();
    assert!(idle.changes.is_empty() && idle.size < 128, "{}", idle.size);
}

#[test]
fn a_large_log_comes_in_steps_at_log_order() {
    let site = Site::new();
    let (one, two) = (site.tablet(), site.tablet());
    for _ in 0..5 {
        let note = "x".repeat(9000);
        let offers: Vec<_> =
            (0..40).map(|_| one.begin(Kind::Site, json!({"name": "n", "notes": note})).1).collect();
        assert!(accepted(&one.push(&site, &offers)));
    }
    let mut place = nowhere(site.team);
    let (mut seqs, mut rounds) = (Vec::new(), 0);
    loop {
        let answer = two.exchange(&site.base, vec![place.clone()], vec![]).unwrap();
        for frame in &answer.changes {
            let bytes = verified(&site, &answer).len();
            let size: usize = frame.lists.iter().flat_map(|list| &list.items).map(size).sum();
            // An eighth more for the end of a list.
            assert!(bytes > 0 && size <= 288 << 10, "{size}");
        }
        seqs.extend(answer.seqs());
        let state = &answer.state.teams[0];
        assert_eq!(seqs.len() as u64, state.cursor);
        (place.epoch, place.cursor) = (state.epoch, state.cursor);
        rounds += 1;
        if !state.more {
            break;
        }
    }
    assert_eq!(seqs, (1..=201).collect::<Vec<_>>());
    assert_eq!(rounds, 2);
}

fn size(item: &Item) -> usize {
    match item {
        Item::Body { raw, .. } => raw.len() + 20,
        Item::Absent { .. } => 49,
    }
}

#[test]
fn what_is_held_is_not_sent_and_another_epoch_starts_anew() {
    let site = Site::new();
    let (one, two) = (site.tablet(), site.tablet());
    let offers: Vec<_> = (0..6).map(|_| one.begin(Kind::Person, json!({"sex": "F"})).1).collect();
    one.push(&site, &offers);
    let answer = two.exchange(&site.base, vec![nowhere(site.team)], vec![]).unwrap();
    let epoch = answer.state.teams[0].epoch;
    let place = Place { epoch, cursor: 2, held: vec![(4, 5), (6, 6)], ..nowhere(site.team) };
    let pull = |place: Place| two.exchange(&site.base, vec![place], vec![]).unwrap();
    assert_eq!(pull(place.clone()).seqs(), [3, 7]);
    verified(&site, &pull(place.clone()));
    assert_eq!(pull(Place { epoch: [9; 8], ..place.clone() }).seqs().len(), 7);
    assert_eq!(pull(Place { cursor: 8, held: vec![], ..place }).seqs().len(), 7);
}

#[test]
fn changes_wait_for_what_they_build_on_and_are_admitted_with_it() {
    let site = Site::new();
    let (one, two) = (site.tablet(), site.tablet());
    let (mut person, begin) = two.begin(Kind::Person, json!({"sex": "F"}));
    let first = one.edit(&mut person, None, json!({"language": "ur"}));
    let second = one.edit(&mut person, None, json!({"phone": "07700 900123"}));
    assert_eq!(one.push(&site, std::slice::from_ref(&second)), [Verdict::Waiting]);
    assert_eq!(one.push(&site, &[second.clone(), first.clone()]), [Verdict::Waiting, Verdict::Waiting]);
    assert_eq!((site.head(), site.count("waiting")), (1, 2));

    let frame = two.frame(site.team, &[begin]);
    let answer = two.exchange(&site.base, vec![nowhere(site.team)], vec![frame]).unwrap();
    assert_eq!(answer.verdicts, [[Verdict::Accepted { seq: 2 }]]);
    // Those who waited are in the log already, and come down with the same answer.
    assert_eq!(answer.seqs(), [1, 3, 4]);
    assert_eq!(verified(&site, &answer).len(), 3);
    assert_eq!((site.count("waiting"), site.count("waiting_for")), (0, 0));
    assert_eq!(one.push(&site, &[first, second]), [Verdict::Known { seq: 3 }, Verdict::Known { seq: 4 }]);
}

#[test]
fn what_waits_for_a_refused_change_is_refused_with_it() {
    let site = Site::new();
    let tablet = site.tablet();
    let (mut person, begin) = tablet.begin(Kind::Person, json!({"sex": 1}));
    let edit = tablet.edit(&mut person, None, json!({"language": "ur"}));
    let later = tablet.edit(&mut person, None, json!({"phone": "1"}));
    assert_eq!(tablet.push(&site, std::slice::from_ref(&later)), [Verdict::Waiting]);
    assert_eq!(tablet.push(&site, &[edit]), [Verdict::Waiting]);
    assert_eq!(tablet.push(&site, std::slice::from_ref(&begin)), [quarantined(Code::WrongType)]);
    assert_eq!((site.count("waiting"), site.count("quarantine")), (0, 3));
    assert_eq!(
        tablet.push(&site, &[later, begin]),
        [quarantined(Code::DependsOnQuarantined), quarantined(Code::WrongType)]
    );
}

#[test]
fn one_bad_record_blocks_nothing_and_each_has_its_reason() {
    let site = Site::new();
    site.base.team_add("South").unwrap();
    let mut tablet = site.tablet();
    let other = site.tablet();
    let id = RecordId::fresh(START, &rand::random());
    let honest = |fields| tablet.begin(Kind::Person, fields).1;
    let plain = honest(json!({"sex": "F"}));
    let raw = plain.1.raw.clone();
    let mut bad: Vec<(Code, Change)> = vec![
        (Code::ChangeMalformed, change(id, b"not a change at all".to_vec())),
        (Code::ChangeMalformed, change(id, vec![])),
        (Code::ChangeTooLarge, change(id, vec![7; chunk::MAX_BYTES + 1])),
        (Code::WrongType, honest(json!({"sex": 1}))),
        (Code::UnknownValue, honest(json!({"ethnic_category": "??"}))),
        (Code::MissingField, tablet.begin(Kind::Contact, json!({"reason": "walk_up"})).1),
        (Code::RecordRefused, tablet.begin(Kind::Team, json!({"name": "Mine"})).1),
    ];
    bad.push((Code::NhsNumberInvalid, honest(json!({"nhs_number": {"value": "999 000 0019"}}))));
    let mut compressed = raw.clone();
    compressed[8] = 2;
    bad.push((Code::ChangeCompressed, change(id, compressed)));
    bad.push((Code::SequenceGap, change(id, altered(&raw, |contents| contents[18] = 2))));
    bad.push((Code::StartOpWrong, change(id, altered(&raw, |contents| contents[19] = 2))));
    let counter =
        (0..raw.len() - 40).map(|at| altered(&raw, |contents| contents[at.min(contents.len() - 1)] ^= 0x0c));
    let counter = counter.into_iter().find(|raw| chunk::parse(raw).err() == Some(Code::OperationRefused));
    bad.push((Code::OperationRefused, change(id, counter.unwrap())));
    // The envelope names another record than the change.
    bad.push((Code::BeginningInvalid, change(id, raw.clone())));
    let contact = json!({"session": id.to_string(), "started_at": "2026-11-20T13:05:00Z", "bp": {"readings":
        [{"taken_at": "2026-11-20T13:06:00Z", "systolic": 999, "diastolic": 94}]}});
    bad.push((Code::OutOfRange, tablet.begin(Kind::Contact, contact).1));

    // An entry is never written again.
    let note = |text| json!({"notes": {"aaaaaaaa": {"text": text}}});
    let fields = json!({"site": id.to_string(), "date": "2026-11-20", "notes": note("a")["notes"]});
    let (mut session, begin) = tablet.begin(Kind::Session, fields);
    let rewritten = tablet.edit(&mut session, None, note("b"));
    assert!(accepted(&tablet.push(&site, &[begin])));
    bad.push((Code::EntryWrittenOnce, rewritten));

    // The same actor and number twice in one record; an actor of another tablet.
    let actor = rand::random();
    let twice = RecordId::fresh(START, &rand::random());
    let begin =
        |tablet: &TestTablet, id, sex| tablet.begin_as(id, actor, Kind::Person, json!({"sex": sex})).1;
    assert!(accepted(&tablet.push(&site, &[begin(&tablet, twice, "F")])));
    bad.push((Code::ActorCollision, begin(&tablet, twice, "M")));
    assert_eq!(other.push(&site, &[begin(&other, id, "F")]), [quarantined(Code::ActorOwned)]);

    // A record of the other team.
    let south = other.begin(Kind::Person, json!({"sex": "F"}));
    assert!(accepted(&other.push(&site, std::slice::from_ref(&south.1))));
    tablet.join(&site.base, "South").unwrap();
    let team = site.base.log.read(|conn| log::team_by_name(conn, "South")).unwrap().unwrap();
    let answer = tablet.exchange(&site.base, vec![], vec![tablet.frame(team.id, &[south.1])]).unwrap();
    assert_eq!(answer.verdicts, [[quarantined(Code::RecordElsewhere)]]);

    let mut nameless = tablet.message();
    nameless.at = "yesterday".into();
    let author =
        wayside_protocol::record::Author { actor: rand::random(), fresh: rand::random(), message: &nameless };
    let begun = wayside_protocol::record::Record::begin(id, Kind::Person, &[], &author).unwrap();
    bad.push((Code::ChangeMessage, (id, begun.1)));

    // All at once, an honest one among them.
    let mut offers: Vec<_> = bad.iter().map(|(_, offer)| offer.clone()).collect();
    offers.push(plain);
    let verdicts = tablet.push(&site, &offers);
    for ((code, _), verdict) in bad.iter().zip(&verdicts) {
        assert_eq!(*verdict, quarantined(*code));
    }
    assert!(accepted(&verdicts[bad.len()..]), "{verdicts:?}");
    // Each is kept whole, and says the same when it comes again.
    let kept = site.base.log.read(log::quarantine).unwrap();
    assert_eq!(kept.len(), bad.len() + 2);
    for (code, offer) in &bad {
        assert!(kept.iter().any(|kept| kept.raw == offer.1.raw && kept.code == code.as_str()), "{code}");
    }
    let path = kept.iter().find(|kept| kept.code == "out_of_range").map(|kept| kept.path.clone());
    assert_eq!(path.as_deref(), Some("bp/readings/systolic"));
    assert_eq!(tablet.push(&site, &offers)[..bad.len()], verdicts[..bad.len()]);
    assert_eq!(site.base.log.read(log::quarantine).unwrap().len(), bad.len() + 2);
}

#[test]
fn a_damaged_copy_does_not_keep_the_honest_change_out() {
    let site = Site::new();
    let tablet = site.tablet();
    let (mut person, begin) = tablet.begin(Kind::Person, json!({"sex": "F"}));
    let edit = tablet.edit(&mut person, None, json!({"language": "ur"}));
    let damaged = |offer: &Change| {
        let mut raw = offer.1.raw.clone();
        raw[5] ^= 1;
        change(offer.0, raw)
    };
    assert_eq!(tablet.push(&site, std::slice::from_ref(&edit)), [Verdict::Waiting]);
    for offer in [&edit, &begin] {
        assert_eq!(tablet.push(&site, &[damaged(offer)]), [quarantined(Code::ChangeChecksum)]);
    }
    assert_eq!(tablet.push(&site, &[begin]), [Verdict::Accepted { seq: 2 }]);
    assert_eq!(tablet.push(&site, &[edit]), [Verdict::Known { seq: 3 }]);
}

#[test]
fn many_small_lists_come_in_frames_that_a_tablet_takes() {
    let site = Site::new();
    let (one, two) = (site.tablet(), site.tablet());
    for _ in 0..3 {
        let lists = (0..300).map(|_| one.list(site.team, &[one.begin(Kind::Person, json!({"sex": "F"})).1]));
        let frame = Changes { team: site.team, authors: vec![], lists: lists.collect() };
        one.exchange(&site.base, vec![], vec![frame]).unwrap();
    }
    let answer = two.exchange(&site.base, vec![nowhere(site.team)], vec![]).unwrap();
    assert_eq!(verified(&site, &answer).len(), 901);
    assert!(answer.changes.len() > 1);
}

#[test]
fn a_record_has_an_end() {
    let site = Site::new();
    let tablet = site.tablet();
    let (mut place, begin) = tablet.begin(Kind::Site, json!({"name": "n"}));
    let mut offers = vec![begin];
    for i in 0..120 {
        offers.push(tablet.edit(&mut place, None, json!({"notes": format!("{i}{}", "x".repeat(9000))})));
    }
    let verdicts: Vec<_> = offers.chunks(60).flat_map(|some| tablet.push(&site, some)).collect();
    let first = verdicts.iter().position(|verdict| *verdict == quarantined(Code::RecordTooLarge)).unwrap();
    assert!(first > 100 && accepted(&verdicts[..first]));
    assert_eq!(verdicts[first + 1], quarantined(Code::DependsOnQuarantined));
}

#[test]
fn too_many_that_wait_are_turned_away_for_now() {
    let site = Site::new();
    let tablet = site.tablet();
    let pairs: Vec<_> = (0..1001)
        .map(|_| {
            let (mut person, begin) = tablet.begin(Kind::Person, json!({"sex": "F"}));
            (begin, tablet.edit(&mut person, None, json!({"language": "ur"})))
        })
        .collect();
    let edits: Vec<_> = pairs.iter().map(|(_, edit)| edit.clone()).collect();
    let verdicts = tablet.push(&site, &edits);
    assert!(verdicts[..1000].iter().all(|verdict| *verdict == Verdict::Waiting));
    assert_eq!(verdicts[1000], quarantined(Code::WaitingFull));
    let (begin, edit) = pairs[1000].clone();
    assert!(accepted(&tablet.push(&site, &[begin, edit])));
    assert_eq!(site.count("quarantine"), 0);
}

#[test]
fn one_record_cannot_keep_the_writer_busy_with_what_waits() {
    let site = Site::new();
    let tablet = site.tablet();
    let (mut place, begin) = tablet.begin(Kind::Site, json!({"name": "n"}));
    let notes = (0..65).map(|i| tablet.edit(&mut place, None, json!({"notes": i.to_string()})));
    let edits: Vec<_> = notes.collect();
    let verdicts = tablet.push(&site, &edits);
    assert_eq!(verdicts.iter().filter(|verdict| **verdict == Verdict::Waiting).count(), 64);
    assert_eq!(verdicts[64], quarantined(Code::WaitingFull));
    assert!(accepted(&tablet.push(&site, &[begin])));
    assert_eq!(tablet.push(&site, &edits)[64], Verdict::Accepted { seq: 67 });
}

/// Tallies of one session come from every tablet of a van at once.
#[test]
fn many_tablets_write_one_record_at_once() {
    let site = Site::new();
    let tablets: Vec<_> = (0..6).map(|_| site.tablet()).collect();
    let (place, begin) = tablets[0].begin(Kind::Site, json!({"name": "n"}));
    tablets[0].push(&site, std::slice::from_ref(&begin));
    std::thread::scope(|scope| {
        for tablet in &tablets {
            let (site, raw, id) = (&site, &begin.1.raw, place.id());
            scope.spawn(move || {
                let mut record = wayside_protocol::record::Record::load(id, [raw]).unwrap();
                for i in 0..5 {
                    let edit = tablet.edit(&mut record, None, json!({"notes": i.to_string()}));
                    assert!(accepted(&tablet.push(site, &[edit])));
                }
            });
        }
    });
    assert_eq!(site.head(), 2 + 30);
}

#[test]
fn a_list_is_passed_on_with_its_authors_certificate_only() {
    let site = Site::new();
    let (author, carrier) = (site.tablet(), site.tablet());
    let offers: Vec<_> = (0..2).map(|_| author.begin(Kind::Person, json!({"sex": "F"})).1).collect();
    let mut list = author.list(site.team, &offers);
    list.author = 1;
    // What the carrier does not have itself stands in the list by its hash.
    list.items[1] = Item::Absent { record: offers[1].0, hash: offers[1].1.hash };
    let frame = |authors| Changes { team: site.team, authors, lists: vec![list.clone()] };
    let go = |frame| carrier.exchange(&site.base, vec![], vec![frame]).map(|answer| answer.verdicts);
    let forged = go(frame(vec![(author.public(), carrier.certificate)]));
    assert_eq!(forged.unwrap_err().code(), Code::SignatureInvalid);
    let verdicts = go(frame(vec![(author.public(), author.certificate)])).unwrap();
    assert_eq!(verdicts, [[Verdict::Accepted { seq: 2 }]]);
    // The author brings the rest; the actors are still its own.
    assert_eq!(author.push(&site, &offers), [Verdict::Known { seq: 2 }, Verdict::Accepted { seq: 3 }]);
}

#[test]
fn a_signature_that_does_not_hold_refuses_everything() {
    let site = Site::new();
    let tablet = site.tablet();
    let good = tablet.frame(site.team, &[tablet.begin(Kind::Person, json!({"sex": "F"})).1]);
    let mut bad = tablet.frame(site.team, &[tablet.begin(Kind::Person, json!({"sex": "F"})).1]);
    bad.lists[0].signature[7] ^= 1;
    let refused = tablet.exchange(&site.base, vec![], vec![good, bad]);
    assert_eq!(refused.unwrap_err().code(), Code::SignatureInvalid);
    assert_eq!((site.head(), site.count("quarantine")), (1, 0));
}

#[test]
fn refusals_of_a_request() {
    let site = Site::new();
    let south = site.base.team_add("South").unwrap();
    let tablet = site.tablet();
    let code = |body: Vec<u8>| exchange(&site.base, &body).map(|_| ()).unwrap_err().code();
    let server = site.base.identity.public();
    let place = nowhere(site.team);
    let hello = || tablet.hello(START, vec![place.clone()]);
    assert!(exchange(&site.base, &tablet.body(server, hello(), vec![])).is_ok());
    for time in [START - CLOCK_WINDOW_MS - 1, START + CLOCK_WINDOW_MS + 1, 0, u64::MAX] {
        assert_eq!(code(tablet.body(server, tablet.hello(time, vec![]), vec![])), Code::Clock);
    }
    for version in [0, 3, 255] {
        let newer = Hello { version, ..hello() };
        assert_eq!(code(tablet.body(server, newer, vec![])), Code::VersionUnsupported);
    }
    let foreign = tablet.hello(START, vec![nowhere(south)]);
    assert_eq!(code(tablet.body(server, foreign, vec![])), Code::TeamNotAllowed);
    let pushed = tablet.frame(south, &[tablet.begin(Kind::Person, json!({"sex": "F"})).1]);
    assert_eq!(code(tablet.body(server, hello(), vec![pushed])), Code::TeamNotAllowed);
    let twice = tablet.hello(START, vec![place.clone(), place.clone()]);
    assert_eq!(code(tablet.body(server, twice, vec![])), Code::FrameMalformed);
    // Cut at any byte.
    let body = tablet.body(server, hello(), vec![]);
    for end in 0..body.len() {
        assert!(matches!(code(body[..end].to_vec()), Code::FrameMalformed | Code::SignatureInvalid));
    }
}

#[test]
fn a_code_works_once_and_for_a_day() {
    let site = Site::new();
    let secret = || site.base.enrol_code("North", Some("https://base.example/")).unwrap().secret;
    let (mut one, mut two) = (TestTablet::new(), TestTablet::new());
    let used = secret();
    let first = one.enrol(&site.base, used).unwrap();
    assert_eq!((first.team, first.team_name.as_str()), (site.team, "North"));
    // The answer may have been lost on the way.
    assert_eq!(one.enrol(&site.base, used).unwrap().certificate, first.certificate);
    assert_eq!(two.enrol(&site.base, used).unwrap_err().code(), Code::CodeUsed);
    assert_eq!(two.enrol(&site.base, [7; 16]).unwrap_err().code(), Code::CodeUnknown);
    let late = secret();
    site.now.fetch_add(24 * 60 * 60 * 1000, Ordering::Relaxed);
    assert_eq!(two.enrol(&site.base, late).unwrap_err().code(), Code::CodeExpired);
    assert_eq!(one.enrol(&site.base, used).unwrap_err().code(), Code::CodeExpired);
    assert_eq!(site.count("tablet"), 1);
}

#[test]
fn a_visit_is_noted_with_its_skew() {
    let site = Site::new();
    let tablet = site.tablet();
    let server = site.base.identity.public();
    let body = tablet.body(server, tablet.hello(START - 5000, vec![]), vec![]);
    exchange(&site.base, &body).unwrap();
    // The note is left for the writer; a job behind it comes after it.
    site.base.log.write(|_| Ok(())).unwrap();
    let noted: (u64, i64) = site
        .base
        .log
        .read(|conn| {
            let sql = "SELECT last_seen_at, clock_skew_ms FROM tablet";
            conn.only(sql, &[], |row| Ok((row.get(0)?, row.get(1)?)))
        })
        .unwrap();
    assert_eq!(noted, (START, -5000));
}
