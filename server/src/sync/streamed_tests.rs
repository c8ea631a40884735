//! Requests of version 2: committed frame by frame, asked about after a cut, told of news.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::body::{Body, Bytes};
use futures_util::stream;
use serde_json::json;
use tokio::sync::mpsc;
use wayside_protocol::record::{Kind, change_hash};
use wayside_protocol::sync::frame::{List, Mark, Place, Rest, Sent};

use super::*;
use crate::testing::{Offer as Change, START, Site, Tablet as TestTablet, nowhere};

fn people(tablet: &TestTablet, count: usize) -> Vec<Change> {
    (0..count).map(|_| tablet.begin(Kind::Person, json!({"sex": "F"})).1).collect()
}

fn sent(frame: &Changes) -> Sent {
    Sent { team: frame.team, list: *frame.lists[0].signature.first_chunk().unwrap() }
}

/// The verdicts of an answer, each with the number of its frame, and the rest of it.
fn answer(bytes: &[u8]) -> (Vec<(u64, Vec<Verdict>)>, Vec<Frame>) {
    let (mut verdicts, mut rest) = (Vec::new(), Vec::new());
    for frame in frame::decode(bytes).unwrap() {
        match frame {
            Frame::Verdicts(frame) => verdicts.push((frame.frame, frame.verdicts)),
            frame => rest.push(frame),
        }
    }
    (verdicts, rest)
}

fn terms(frames: &[Frame]) -> Terms {
    let found = frames.iter().find_map(|frame| match frame {
        Frame::Terms(terms) => Some(terms.clone()),
        _ => None,
    });
    found.unwrap()
}

fn state(frames: &[Frame]) -> State {
    match frames.last() {
        Some(Frame::State(state)) => state.clone(),
        other => panic!("{other:?}"),
    }
}

/// The body of a request that arrives in these pieces; without a last one the link is cut.
fn arriving(pieces: Vec<Vec<u8>>, cut: bool) -> Body {
    let pieces = pieces.into_iter().map(|piece| Ok(Bytes::from(piece)));
    let cut = cut.then(|| Err(std::io::Error::from(std::io::ErrorKind::ConnectionReset)));
    Body::from_stream(stream::iter(pieces.chain(cut)))
}

async fn received(site: &Site, body: Body) -> Result<Vec<u8>> {
    let mut reading = Reading::begin(&Default::default(), body)?;
    receive(site.base.clone(), &Gate::default(), &mut reading).await.map(Answer::whole)
}

#[tokio::test]
async fn a_body_cut_anywhere_leaves_its_whole_frames_and_they_can_be_asked_about() {
    let site = Site::new();
    let server = *site.base.identity.public();
    let tablet = site.tablet();
    let mut committed_before = 0;
    for step in 0..12 {
        let changes: Vec<_> = (0..3).map(|_| tablet.frame(site.team, &people(&tablet, 2))).collect();
        let asked: Vec<Sent> = changes.iter().map(sent).collect();
        let hello = || tablet.streamed_hello(START, vec![nowhere(site.team)]);
        let (body, ends) = tablet.streamed(&server, hello(), Ask::default(), changes.clone());
        let cut = body.len() * step / 12 + 7;
        let whole = ends[1..].iter().filter(|end| **end <= cut).count();
        // In pieces of a TCP segment, then nothing more.
        let pieces = body[..cut].chunks(100).map(<[u8]>::to_vec).collect();
        let code = received(&site, arriving(pieces, true)).await.unwrap_err().code();
        assert_eq!(code, Code::LinkCut);
        let head = site.head() as usize;
        assert_eq!(head, 1 + committed_before + 2 * whole, "cut at {cut} of {ends:?}");

        let ask = Ask { sent: asked, ..Ask::default() };
        // What had not arrived goes with the same request: its number follows those that are asked about.
        let left = changes[whole..].to_vec();
        let (body, _) = tablet.streamed(&server, hello(), ask, left.clone());
        let (verdicts, _) = answer(&exchange(&site.base, &body).unwrap());
        assert_eq!(verdicts.len(), 3);
        for (index, (frame, verdicts)) in (0..).zip(&verdicts) {
            if index < whole as u64 {
                assert_eq!(*frame, index);
                assert!(verdicts.iter().all(|verdict| matches!(verdict, Verdict::Known { .. })));
            } else {
                assert_eq!(*frame, 3 + index - whole as u64);
                assert!(verdicts.iter().all(|verdict| matches!(verdict, Verdict::Accepted { .. })));
            }
        }
        committed_before = site.head() as usize - 1;
    }
}

/// After a restore a tablet gives back what others signed: what it lacks itself of a list is absent, as is what goes in another frame.
#[tokio::test]
async fn what_is_given_back_of_anothers_list_can_be_asked_about() {
    let site = Site::new();
    let server = *site.base.identity.public();
    let (author, giver) = (site.tablet(), site.tablet());
    let list = author.list(site.team, &people(&author, 3));
    let part = |bodies: std::ops::Range<usize>| {
        let items = list.items.iter().enumerate().map(|(at, item)| match item {
            Item::Body { record, raw, .. } if !bodies.contains(&at) => {
                Item::Absent { record: *record, hash: change_hash(raw) }
            }
            item => item.clone(),
        });
        let list = List { author: 1, items: items.collect(), ..list.clone() };
        let authors = vec![(author.public(), author.certificate)];
        Changes { team: site.team, authors, lists: vec![list] }
    };
    let (first, second) = (part(0..2), part(2..3));
    let told = |tablet: &TestTablet, changes: Vec<Changes>| {
        let ask = Ask { sent: vec![sent(&first), sent(&second)], ..Ask::default() };
        let hello = tablet.streamed_hello(START, vec![nowhere(site.team)]);
        let (body, _) = tablet.streamed(&server, hello, ask, changes);
        answer(&exchange(&site.base, &body).unwrap()).0
    };
    let accepted = |told: Vec<(u64, Vec<Verdict>)>, count: usize| {
        let all = |verdicts: &[Verdict]| verdicts.iter().all(|one| matches!(one, Verdict::Accepted { .. }));
        assert!(told.len() == 1 && told[0].0 == 2 && told[0].1.len() == count && all(&told[0].1), "{told:?}");
    };
    assert_eq!(told(&giver, vec![]), []);
    accepted(told(&giver, vec![first.clone()]), 2);
    assert_eq!(told(&giver, vec![]), [], "the list is there, and not all that is in it");
    accepted(told(&giver, vec![second.clone()]), 1);
    let known: Vec<_> = (2..5).map(|seq| Verdict::Known { seq }).collect();
    for tablet in [&giver, &author] {
        assert_eq!(told(tablet, vec![]), [(0, known.clone()), (1, known.clone())]);
    }
    // Of another team nobody is told.
    site.base.team_add("South").unwrap();
    let mut stranger = TestTablet::new();
    stranger.join(&site.base, "South").unwrap();
    let ask = Ask { sent: vec![sent(&first)], ..Ask::default() };
    let (body, _) = stranger.streamed(&server, stranger.streamed_hello(START, vec![]), ask, vec![]);
    assert_eq!(exchange(&site.base, &body).unwrap_err().code(), Code::TeamNotAllowed);
}

/// What the server knows of the one tablet that says how much it holds back, once something is committed.
fn waiting(site: &Site, tablet: &TestTablet) -> Option<u64> {
    site.base.log.write(|_| Ok(())).unwrap();
    let id = wayside_protocol::record::tablet_id(&tablet.public());
    site.base.log.read(log::last_contacts).unwrap()[&id].waiting
}

#[tokio::test]
async fn a_tablet_says_what_it_holds_back_and_what_arrived_of_a_cut_body_is_taken_off() {
    let site = Site::new();
    let server = *site.base.identity.public();
    let tablet = site.tablet();
    let hello = |capabilities| {
        let hello = tablet.streamed_hello(START, vec![nowhere(site.team)]);
        Hello { capabilities, ..hello }
    };
    let changes: Vec<_> = (0..3).map(|_| tablet.frame(site.team, &people(&tablet, 2))).collect();
    // Of a tablet that does not know of it nothing is said.
    let (body, _) = tablet.streamed(&server, hello(capability::STREAMED), Ask::default(), vec![]);
    exchange(&site.base, &body).unwrap();
    assert_eq!(waiting(&site, &tablet), None);
    let can = capability::STREAMED | capability::WAITING;
    let ask = Ask { waiting: 14, ..Ask::default() };
    let (body, ends) = tablet.streamed(&server, hello(can), ask, changes);
    let pieces = vec![body[..ends[2]].to_vec(), body[ends[2]..ends[2] + 40].to_vec()];
    let code = received(&site, arriving(pieces, true)).await.unwrap_err().code();
    assert_eq!((code, waiting(&site, &tablet)), (Code::LinkCut, Some(10)));
    let (body, _) = tablet.streamed(&server, hello(can), Ask::default(), vec![]);
    exchange(&site.base, &body).unwrap();
    assert_eq!(waiting(&site, &tablet), Some(0));
}

#[tokio::test]
async fn what_is_asked_about_has_the_verdict_that_it_was_given() {
    let site = Site::new();
    let server = *site.base.identity.public();
    let tablet = site.tablet();
    let (mut record, begin) = tablet.begin(Kind::Person, json!({"sex": "F"}));
    let waits = tablet.edit(&mut record, None, json!({"phone": "1"}));
    let bad = tablet.begin(Kind::Person, json!({"sex": 1})).1;
    let frame = tablet.frame(site.team, &[people(&tablet, 1).remove(0), bad, waits]);
    let never = tablet.frame(site.team, &[begin]);
    let hello = || tablet.streamed_hello(START, vec![]);
    let (body, _) = tablet.streamed(&server, hello(), Ask::default(), vec![frame.clone()]);
    let (given, _) = answer(&exchange(&site.base, &body).unwrap());
    let ask = Ask { sent: vec![sent(&never), sent(&frame)], ..Ask::default() };
    let (body, _) = tablet.streamed(&server, hello(), ask, vec![]);
    let (told, _) = answer(&exchange(&site.base, &body).unwrap());
    assert_eq!((told.len(), told[0].0), (1, 1));
    assert_eq!((&told[0].1[0], &told[0].1[1..]), (&Verdict::Known { seq: 2 }, &given[0].1[1..]));
    assert!(matches!(given[0].1[1..], [Verdict::Quarantined { .. }, Verdict::Waiting]));
}

#[tokio::test]
async fn a_frame_that_is_wrong_takes_nothing_with_it_that_came_before() {
    let site = Site::new();
    let server = *site.base.identity.public();
    let tablet = site.tablet();
    let south = site.base.team_add("South").unwrap();
    let good = tablet.frame(site.team, &people(&tablet, 2));
    let mut forged = tablet.frame(site.team, &people(&tablet, 2));
    forged.lists[0].signature[7] ^= 1;
    let foreign = tablet.frame(south, &people(&tablet, 2));
    for (bad, code) in [(forged, Code::SignatureInvalid), (foreign, Code::TeamNotAllowed)] {
        let hello = tablet.streamed_hello(START, vec![]);
        let (body, ends) = tablet.streamed(&server, hello, Ask::default(), vec![good.clone(), bad]);
        let pieces = vec![body[..ends[1]].to_vec(), body[ends[1]..].to_vec()];
        assert_eq!(received(&site, arriving(pieces, false)).await.unwrap_err().code(), code);
        assert_eq!(site.head(), 3);
    }
}

#[test]
fn a_request_is_taken_once() {
    let site = Site::new();
    let server = site.base.identity.public();
    let tablet = site.tablet();
    let old = tablet.body(server, tablet.hello(START, vec![]), vec![]);
    let (new, _) = tablet.streamed(server, tablet.streamed_hello(START, vec![]), Ask::default(), vec![]);
    for body in [old, new] {
        exchange(&site.base, &body).unwrap();
        assert_eq!(exchange(&site.base, &body).unwrap_err().code(), Code::Replayed);
    }
    // Neither at the seams of the window.
    let late = tablet.body(server, tablet.hello(START + CLOCK_WINDOW_MS, vec![]), vec![]);
    exchange(&site.base, &late).unwrap();
    site.now.fetch_add(2 * CLOCK_WINDOW_MS, Ordering::Relaxed);
    assert_eq!(exchange(&site.base, &late).unwrap_err().code(), Code::Replayed);
    site.now.fetch_add(1, Ordering::Relaxed);
    assert_eq!(exchange(&site.base, &late).unwrap_err().code(), Code::Clock);
}

#[test]
fn frames_are_of_the_size_that_is_asked_for_and_say_how_far_they_lead() {
    let site = Site::new();
    let (one, two) = (site.tablet(), site.tablet());
    one.push(&site, &people(&one, 200));
    let ask = Ask { frame_bytes: 10_000, ..Ask::default() };
    let hello = two.streamed_hello(START, vec![nowhere(site.team)]);
    let (body, _) = two.streamed(site.base.identity.public(), hello, ask, vec![]);
    let (_, frames) = answer(&exchange(&site.base, &body).unwrap());
    let (mut last, mut marks) = (0, 0);
    for frame in &frames {
        match frame {
            Frame::Changes(changes) => {
                let bodies =
                    changes.lists.iter().flat_map(|list| &list.items).filter_map(|item| match item {
                        wayside_protocol::sync::frame::Item::Body { seq, raw, .. } => Some((*seq, raw.len())),
                        _ => None,
                    });
                let bodies: Vec<_> = bodies.collect();
                assert!(bodies.iter().map(|(_, size)| size).sum::<usize>() <= 10_000);
                last = bodies.last().unwrap().0;
            }
            Frame::Mark(Mark { cursor, .. }) => {
                assert_eq!(*cursor, last);
                marks += 1;
            }
            _ => {}
        }
    }
    assert!(marks >= 3, "{marks}");
    assert_eq!((last, state(&frames).teams[0].cursor), (201, 201));
}

#[test]
fn many_teams_without_news_are_one_fingerprint() {
    let site = Site::new();
    let server = *site.base.identity.public();
    let mut tablet = site.tablet();
    for n in 0..30 {
        let name = format!("Team {n}");
        site.base.team_add(&name).unwrap();
        tablet.join(&site.base, &name).unwrap();
    }
    let rest = |site: &Site| {
        let known = site.base.log.read(|conn| {
            let places = log::teams(conn)?.into_iter().map(|team| {
                let at = log::sum_at(conn, team.n, team.head)?.fingerprint();
                Ok((team.id, team.epoch, team.head, at))
            });
            places.collect::<Result<Vec<_>>>()
        });
        let known = known.unwrap();
        Rest { teams: known.len() as u64, fingerprint: combined(known) }
    };
    let go = |rest: Rest, places: Vec<Place>| {
        let ask = Ask { rest: Some(rest), ..Ask::default() };
        let (body, _) = tablet.streamed(&server, tablet.streamed_hello(START, places), ask, vec![]);
        let answered = exchange(&site.base, &body).unwrap();
        let (size, (_, frames)) = (body.len() + answered.len(), answer(&answered));
        (terms(&frames).rest_same, state(&frames).teams.len(), size)
    };
    let same = rest(&site);
    let (equal, named, size) = go(same, vec![]);
    assert!(equal && named == 0 && size < 300, "{size} bytes for 31 teams");
    // If not, the answer says where each of them stands: one that is copied may have fewer than base knows.
    let (equal, named, _) = go(Rest { teams: 30, ..same }, vec![]);
    assert!(!equal && named == 31);
    assert!(!go(same, vec![nowhere(site.team)]).0, "one of them is named");
    tablet.push(&site, &people(&tablet, 1));
    assert!(!go(same, vec![]).0, "something is new");
    assert!(go(rest(&site), vec![]).0);
}

#[test]
fn a_tablet_that_is_too_old_may_still_send_and_is_told() {
    let site = Site::new();
    let server = *site.base.identity.public();
    let tablet = site.tablet();
    site.base.require_version(STREAMED_VERSION + 1);
    // An old tablet's recordings are taken, and it goes on from its own place.
    let place = Place { cursor: 7, fingerprint: [9; 16], epoch: [1; 8], ..nowhere(site.team) };
    let frame = tablet.frame(site.team, &people(&tablet, 2));
    let answered = tablet.exchange(&site.base, vec![place.clone()], vec![frame]).unwrap();
    assert_eq!((answered.verdicts[0].len(), answered.seqs().len()), (2, 0));
    assert_eq!(answered.state.teams[0], place.unmoved());
    let refused = tablet.exchange(&site.base, vec![place.clone()], vec![]).unwrap_err();
    assert_eq!(refused.code(), Code::VersionUnsupported, "the word for it that it knows");
    // A newer one is told in the same answer.
    let frame = tablet.frame(site.team, &people(&tablet, 2));
    let hello = tablet.streamed_hello(START, vec![place]);
    let (body, _) = tablet.streamed(&server, hello, Ask::default(), vec![frame]);
    let (verdicts, frames) = answer(&exchange(&site.base, &body).unwrap());
    assert!(matches!(verdicts[0].1[..], [Verdict::Accepted { .. }, Verdict::Accepted { .. }]));
    assert_eq!(terms(&frames).notice, "upgrade_needed");
    assert_eq!(site.head(), 5);
}

fn live_head(site: &Site, tablet: &TestTablet, places: Vec<Place>) -> Head {
    let hello = tablet.streamed_hello(site.base.clock.now_ms(), places);
    let (body, _) = tablet.streamed(site.base.identity.public(), hello, Ask::default(), vec![]);
    let mut incoming = Incoming::default();
    incoming.push(&body).unwrap();
    incoming.next_head().unwrap().unwrap()
}

fn place(site: &Site) -> Place {
    let team = site.base.log.read(|conn| log::team_by_id(conn, site.team)).unwrap().unwrap();
    Place { epoch: team.epoch, cursor: team.head, ..nowhere(site.team) }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_for_news_hears_of_them_and_of_the_end() {
    let site = Site::new();
    let (one, two) = (site.tablet(), site.tablet());
    let gate = Arc::new(Gate::default());
    let wait = |places: Vec<Place>| {
        let (base, gate, head) = (site.base.clone(), gate.clone(), live_head(&site, &two, places));
        tokio::spawn(async move {
            live(base, &gate, head, String::new()).await.map(|bytes| state(&answer(&bytes).1))
        })
    };
    // Already behind: at once.
    assert!(wait(vec![nowhere(site.team)]).await.unwrap().unwrap().teams[0].more);
    let waiting = wait(vec![place(&site)]);
    // Each was opened, and then looked at.
    while gate.worked.load(Ordering::Relaxed) < 4 {
        tokio::task::yield_now().await;
    }
    assert!(!waiting.is_finished());
    // What other teams do is not even looked at: of a thousand tablets nearly all are of another team.
    let south = site.base.team_add("South").unwrap();
    let mut third = site.tablet();
    third.join(&site.base, "South").unwrap();
    let before = gate.worked.load(Ordering::Relaxed);
    for _ in 0..50 {
        let frame = third.frame(south, &people(&third, 1));
        third.exchange(&site.base, vec![], vec![frame]).unwrap();
        tokio::task::yield_now().await;
    }
    assert_eq!(gate.worked.load(Ordering::Relaxed), before);
    one.push(&site, &people(&one, 1));
    let heard = waiting.await.unwrap().unwrap();
    assert_eq!((heard.teams[0].cursor, heard.teams[0].more), (2, true));
    // Its own change, which it holds beyond its cursor, is no news.
    let own = Place { cursor: 1, held: vec![(2, 2)], ..place(&site) };
    let waiting = wait(vec![own]);
    site.base.close();
    assert!(!waiting.await.unwrap().unwrap().teams[0].more);
}

/// A tablet that sends a byte now and then holds a place among those that are open, and no other.
#[tokio::test(flavor = "multi_thread")]
async fn slow_bodies_hold_nobody_up_and_too_many_are_asked_to_come_again() {
    let site = Site::new();
    let server = *site.base.identity.public();
    let tablet = site.tablet();
    let gate = Arc::new(Gate::of(1, 3, 1));
    let (sender, mut arrived) = mpsc::unbounded_channel();
    let mut slow = Vec::new();
    for _ in 0..2 {
        let tablet = site.tablet();
        let frame = tablet.frame(site.team, &people(&tablet, 2));
        let hello = tablet.streamed_hello(START, vec![]);
        let (body, ends) = tablet.streamed(&server, hello, Ask::default(), vec![frame]);
        let (bytes, mut rest) = mpsc::channel::<std::io::Result<Bytes>>(1);
        let pieces = stream::poll_fn(move |context| rest.poll_recv(context));
        let (base, gate, sender) = (site.base.clone(), gate.clone(), sender.clone());
        let open = gate.enter().unwrap();
        let task = tokio::spawn(async move {
            let _open = open;
            let mut reading = Reading::begin(&Default::default(), Body::from_stream(pieces))?.patient();
            let done = receive(base, &gate, &mut reading).await.map(Answer::whole);
            sender.send(()).ok();
            done
        });
        // All but the last byte.
        bytes.send(Ok(body[..ends[1] - 1].to_vec().into())).await.unwrap();
        slow.push((bytes, body[ends[1] - 1..].to_vec(), task));
    }
    // One place to work in, and it is free.
    let frame = tablet.frame(site.team, &people(&tablet, 5));
    let hello = tablet.streamed_hello(START, vec![]);
    let (body, _) = tablet.streamed(&server, hello, Ask::default(), vec![frame]);
    let quick = gate.enter().unwrap();
    assert!(matches!(gate.enter(), Err(Error::Busy(2..12))));
    let mut reading = Reading::begin(&Default::default(), arriving(vec![body], false)).unwrap();
    let (verdicts, _) = answer(&receive(site.base.clone(), &gate, &mut reading).await.unwrap().whole());
    drop(quick);
    assert_eq!((verdicts[0].1.len(), site.head()), (5, 6));
    assert!(arrived.try_recv().is_err(), "the slow ones are still at it");
    for (bytes, last, task) in slow {
        bytes.send(Ok(last.into())).await.unwrap();
        drop(bytes);
        assert_eq!(answer(&task.await.unwrap().unwrap()).0[0].1.len(), 2);
    }
    assert_eq!(site.head(), 10);
}

/// A busy server may begin to read a request only after the tablet's next one, which was told that nothing had arrived.
#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_is_read_after_the_tablets_next_one_stores_nothing() {
    let site = Site::new();
    let server = *site.base.identity.public();
    let tablet = site.tablet();
    let changes: Vec<_> = (0..3).map(|_| tablet.frame(site.team, &people(&tablet, 2))).collect();
    let asked: Vec<Sent> = changes.iter().map(sent).collect();
    let hello = tablet.streamed_hello(START, vec![]);
    let given_up = Some(hello.nonce);
    let (late, _) = tablet.streamed(&server, hello, Ask::default(), changes.clone());
    // The tablet's clock was put right meanwhile: nothing goes by it.
    let hello = tablet.streamed_hello(START - CLOCK_WINDOW_MS, vec![]);
    let (again, _) = tablet.streamed(&server, hello, Ask { sent: asked, given_up, ..Ask::default() }, vec![]);
    let (verdicts, _) = answer(&received(&site, arriving(vec![again], false)).await.unwrap());
    assert!(verdicts.is_empty(), "nothing has arrived");
    let refused = received(&site, arriving(vec![late], false)).await.unwrap_err();
    assert_eq!((refused.code(), site.head()), (Code::LinkCut, 1));
    let hello = tablet.streamed_hello(START, vec![]);
    let (body, _) = tablet.streamed(&server, hello, Ask::default(), changes);
    let (verdicts, _) = answer(&received(&site, arriving(vec![body], false)).await.unwrap());
    assert!(verdicts.iter().flat_map(|(_, all)| all).all(|one| matches!(one, Verdict::Accepted { .. })));
    assert_eq!((site.head(), site.base.frames_sent_again()), (7, 0));
}

/// A tablet that comes again ends its earlier exchange, of which what arrived still counts.
#[tokio::test(flavor = "multi_thread")]
async fn a_tablet_that_comes_again_hears_of_all_that_had_arrived() {
    let site = Site::new();
    let server = *site.base.identity.public();
    let tablet = site.tablet();
    let gate = Arc::new(Gate::default());
    let changes: Vec<_> = (0..4).map(|_| tablet.frame(site.team, &people(&tablet, 3))).collect();
    let asked: Vec<Sent> = changes.iter().map(sent).collect();
    let hello = || tablet.streamed_hello(START, vec![]);
    let (body, ends) = tablet.streamed(&server, hello(), Ask::default(), changes);
    let (bytes, mut rest) = mpsc::channel::<std::io::Result<Bytes>>(1);
    let pieces = stream::poll_fn(move |context| rest.poll_recv(context));
    let (base, first) = (site.base.clone(), gate.clone());
    let earlier = tokio::spawn(async move {
        let mut reading = Reading::begin(&Default::default(), Body::from_stream(pieces))?;
        receive(base, &first, &mut reading).await.map(Answer::whole)
    });
    // Three whole frames, then silence: nobody here knows that the link is dead.
    bytes.send(Ok(body[..ends[3] + 5].to_vec().into())).await.unwrap();
    while site.head() == 1 {
        tokio::task::yield_now().await;
    }
    let (body, _) = tablet.streamed(&server, hello(), Ask { sent: asked, ..Ask::default() }, vec![]);
    let mut reading = Reading::begin(&Default::default(), arriving(vec![body], false)).unwrap();
    let (verdicts, _) = answer(&receive(site.base.clone(), &gate, &mut reading).await.unwrap().whole());
    assert_eq!(verdicts.iter().map(|(frame, _)| *frame).collect::<Vec<_>>(), [0, 1, 2]);
    assert_eq!(earlier.await.unwrap().unwrap_err().code(), Code::LinkCut);
    drop(bytes);
}
