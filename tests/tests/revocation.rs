//! A tablet that is lost, and one that leaves a team: nothing is lost, and then nothing is left on it.
#![allow(clippy::unwrap_used)]

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use serde_json::Value;
use tokio::task::block_in_place;
use wayside_client_core::{By, Kind, Page, RecordId, SyncReport, Tablet};
use wayside_server::{api, backup, log, views::Views};
use wayside_tests::{
    field::{copy_dir, is_wiped, lines},
    world::{KEY, TEAM, World},
};

/// How many contacts wait on a tablet whose hand-over is cut.
const WAITING: usize = 40;

fn id(world: &World, at: usize) -> String {
    world.tablets[at].tablet().id()
}

/// What is held at base from revoked tablets, by tablet.
fn held(world: &World) -> BTreeMap<String, u64> {
    let all = block_in_place(|| world.server().base().log.read(log::quarantine)).unwrap();
    let mut held = BTreeMap::new();
    for one in all {
        assert_eq!(one.code, "from_revoked_tablet", "seed {}", world.seed);
        *held.entry(one.tablet).or_default() += 1;
    }
    held
}

fn revoke(world: &World, at: usize) {
    block_in_place(|| api::revoke(world.server().base(), "test", &id(world, at))).unwrap();
}

fn admit(world: &World, tablet: &str) -> api::Admitted {
    block_in_place(|| api::admit_held(world.server().base(), "test", tablet)).unwrap()
}

fn backed_up(world: &World) -> PathBuf {
    block_in_place(|| backup::backup(world.server().base(), &world.dir.path().join("shelf"))).unwrap()
}

/// Puts base back to a backup, with its keys and ledger as they are.
async fn put_back(world: &mut World, made: &Path) {
    world.stop().await;
    world.move_keys();
    backup::restore(made, &world.data, &world.clock()).unwrap();
    world.serve().await;
}

async fn sync(world: &World, at: usize) -> SyncReport {
    world.tablets[at].tablet().sync(|_| {}).await
}

fn code(report: &SyncReport) -> Option<&str> {
    report.error.as_ref().map(|problem| problem.code.as_str())
}

/// The contacts that base shows.
fn at_base(world: &World) -> BTreeSet<RecordId> {
    let mut views = Views::open(&world.data).unwrap();
    block_in_place(|| views.catch_up(&world.server().base().log)).unwrap();
    let contacts = views.list(Some(Kind::Contact)).unwrap();
    contacts.iter().map(|record| record["id"].as_str().unwrap().parse().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_tablet_hands_over_everything_and_wipes_itself() {
    let mut world = World::new(71, 2).await;
    for _ in 0..3 {
        world.record(0);
    }
    world.sync(0).await;
    for _ in 0..5 {
        world.record(0);
    }
    let (tablet, unsent) = (id(&world, 0), world.tablets[0].tablet().status().unwrap().waiting);
    revoke(&world, 0);
    let report = sync(&world, 0).await;
    assert_eq!(code(&report), Some("tablet_wiped"), "{report:?}");
    assert_eq!((report.pushed, report.pulled), (unsent, 0), "it is given nothing");
    assert_eq!(held(&world), BTreeMap::from([(tablet.clone(), unsent)]));
    is_wiped(&world.tablets[0].dir);
    assert_eq!(code(&sync(&world, 0).await), Some("tablet_wiped"));

    assert_eq!(admit(&world, &tablet), api::Admitted { accepted: unsent, waiting: 0, refused: 0 });
    assert_eq!(at_base(&world), world.contacts, "nothing is lost");
    world.sync(1).await;
    let there = world.tablets[1].tablet().list(Some(Kind::Contact), Page::default()).unwrap();
    assert_eq!(there.len(), world.contacts.len());

    // It begins anew as another tablet, and says what happened.
    world.open(0);
    let status = world.tablets[0].tablet().status().unwrap();
    assert_eq!(status.notices[0].code, "tablet_wiped");
    assert!(!status.enrolled && status.tablet != tablet);
    world.stop().await;
}

/// The restored server knows of the revocation by its ledger, and lacks what only the revoked tablet still holds.
#[tokio::test(flavor = "multi_thread")]
async fn a_restore_from_before_it_does_not_bring_a_revoked_tablet_back() {
    let mut world = World::new(72, 2).await;
    world.record(0);
    world.everybody_syncs().await;
    let made = backed_up(&world);
    world.record(0);
    world.sync(0).await;
    world.record(0);
    let tablet = id(&world, 0);
    revoke(&world, 0);
    put_back(&mut world, &made).await;
    let report = sync(&world, 0).await;
    assert_eq!(code(&report), Some("tablet_wiped"), "{report:?}");
    is_wiped(&world.tablets[0].dir);
    assert_eq!(at_base(&world).len(), 1, "nothing of it counts before somebody has decided");
    let admitted = admit(&world, &tablet);
    assert_eq!((admitted.waiting, admitted.refused), (0, 0), "{admitted:?}");
    assert_eq!(at_base(&world), world.contacts, "nothing is lost");
    let report = sync(&world, 1).await;
    assert!(report.error.is_none() && report.in_sync, "{report:?}");
    world.stop().await;
}

/// Cut all over the hand-over: in the middle of frames, between them, in the answers.
#[tokio::test(flavor = "multi_thread")]
async fn a_hand_over_that_is_cut_anywhere_loses_nothing() {
    const CUT: usize = 8;
    let mut world = World::new(73, CUT + 1).await;
    let mut unsent = BTreeMap::new();
    for at in 0..=CUT {
        // Capabilities and terms of the first sync; and where each frame is small.
        for cut in [700, 900, 1100, 1300] {
            world.cut_sync(at, cut).await;
        }
        world.sync(at).await;
        (0..WAITING).for_each(|_| world.record(at));
        unsent.insert(id(&world, at), world.tablets[at].tablet().status().unwrap().waiting);
        revoke(&world, at);
    }
    let before = world.link.as_ref().unwrap().carried();
    assert_eq!(code(&sync(&world, CUT).await), Some("tablet_wiped"));
    let whole = world.link.as_ref().unwrap().carried() - before;
    let mut all_cuts = 0;
    for at in 0..CUT {
        let mut cuts = 0;
        for share in at as u64..at as u64 + 3 {
            let link = world.link.as_mut().unwrap();
            link.cut_after(1_500 + whole * share / (CUT as u64 + 2));
            let report = sync(&world, at).await;
            world.link.as_mut().unwrap().restore().await.unwrap();
            if code(&report) == Some("tablet_wiped") {
                break;
            }
            assert!(report.error.is_some_and(|problem| problem.retry), "a cut is nothing final");
            assert!(world.tablets[at].dir.join("tablet.db").exists());
            cuts += 1;
        }
        if cuts == 3 {
            assert_eq!(code(&sync(&world, at).await), Some("tablet_wiped"));
        }
        all_cuts += cuts;
        is_wiped(&world.tablets[at].dir);
    }
    assert!(all_cuts > CUT, "{all_cuts} cuts");
    assert_eq!(held(&world), unsent, "each change once");
    for tablet in unsent.keys() {
        admit(&world, tablet);
    }
    assert_eq!(at_base(&world), world.contacts);
    world.stop().await;
}

/// Whoever is in signal at that moment learns it at once: the channel of news closes.
#[tokio::test(flavor = "multi_thread")]
async fn a_tablet_that_waits_for_news_is_wiped_while_it_waits() {
    let mut world = World::new(79, 1).await;
    world.record(0);
    world.sync(0).await;
    let tablet = world.tablets[0].tablet().clone();
    let (told, mut heard) = tokio::sync::watch::channel(0);
    let living = tokio::spawn(async move {
        tablet.live(|_| {}, |_: &SyncReport| told.send_modify(|syncs| *syncs += 1)).await;
    });
    // Its first sync is over: it hangs on the channel, or is on its way there.
    heard.wait_for(|syncs| *syncs > 0).await.unwrap();
    revoke(&world, 0);
    living.await.unwrap();
    is_wiped(&world.tablets[0].dir);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_team_that_is_taken_away_leaves_and_the_other_goes_on() {
    let mut world = World::new(74, 1).await;
    let base = world.server().base().clone();
    let south = block_in_place(|| base.team_add("South")).unwrap();
    let url = world.link.as_ref().unwrap().url();
    let join = block_in_place(|| base.enrol_code("South", Some(&url))).unwrap().to_text();
    let tablet = world.tablets[0].tablet().clone();
    tablet.enrol(&join, "van-0").await.unwrap();
    let north = tablet.teams().unwrap().into_iter().find(|team| team.name == TEAM).unwrap().id;
    let all = lines(74, "both", 4);
    let record = |team: RecordId, line: &Value| {
        tablet.record(line.clone(), &By { team: Some(team), ..By::staff("nurse-01") }).unwrap().contact
    };
    let of_north = [record(north, &all[0])];
    let of_south = [record(south, &all[1])];
    assert!(sync(&world, 0).await.in_sync);
    let of_north = [of_north[0], record(north, &all[2])];
    let of_south = [of_south[0], record(south, &all[3])];
    let mark = tablet.id();
    block_in_place(|| api::take_out(&base, "test", &mark, south)).unwrap();

    let report = sync(&world, 0).await;
    assert_eq!(code(&report), None, "{report:?}");
    assert_eq!(report.notices.iter().map(|notice| notice.code).collect::<Vec<_>>(), ["team_left"]);
    let status = tablet.status().unwrap();
    assert_eq!(status.teams.iter().map(|team| team.id).collect::<Vec<_>>(), [north]);
    assert!(status.in_sync && status.quarantined == 0, "{status:?}");
    let shown = tablet.list(Some(Kind::Contact), Page::default()).unwrap();
    let shown: BTreeSet<RecordId> =
        shown.iter().map(|one| one["id"].as_str().unwrap().parse().unwrap()).collect();
    assert_eq!(shown, BTreeSet::from(of_north));
    for contact in of_south {
        assert_eq!(tablet.show(contact).unwrap_err().code_text(), "record_not_found");
    }
    // What it had not sent of that team waits for somebody's decision; the other team's is at base.
    let held = held(&world);
    assert!(held[&mark] > 0 && held.len() == 1);
    assert_eq!(at_base(&world), BTreeSet::from([of_north[0], of_north[1], of_south[0]]));
    admit(&world, &mark);
    assert_eq!(at_base(&world).len(), 4);
    // And it works on for the team that it still has.
    let next = record(north, &lines(75, "both", 1)[0]);
    assert!(sync(&world, 0).await.in_sync && at_base(&world).contains(&next));
    assert_eq!(tablet.teams().unwrap().len(), 1);
    // In the team again, the same program goes on in a session of which it knows nothing any more.
    let join = block_in_place(|| base.enrol_code("South", Some(&url))).unwrap().to_text();
    tablet.enrol(&join, "van-0").await.unwrap();
    let again = record(south, &all[1]);
    let report = sync(&world, 0).await;
    assert!(report.in_sync && report.quarantined == 0, "{report:?}");
    assert!(at_base(&world).contains(&again));
    world.open(0);
    assert_eq!(world.tablets[0].tablet().teams().unwrap().len(), 2);
    drop((base, tablet));
    world.stop().await;
}

/// A copy of a tablet is locked out by a new key, and nothing that was signed by the old one is lost.
#[tokio::test(flavor = "multi_thread")]
async fn a_new_key_locks_copies_out_and_what_the_old_one_signed_stays_valid() {
    let mut world = World::new(78, 2).await;
    world.record(0);
    world.everybody_syncs().await;
    let made = backed_up(&world);
    world.record(0);
    world.sync(0).await;
    let copy = world.dir.path().join("copy");
    copy_dir(&world.tablets[0].dir, &copy);
    (0..2).for_each(|_| world.record(0));
    let before = id(&world, 0);
    // The answer is lost, again and again: the next try comes to the same key.
    for cut in [600, 1_600, 2_000, 2_400, 2_800] {
        world.link.as_mut().unwrap().cut_after(cut);
        let renewed = world.tablets[0].tablet().renew_key().await;
        world.link.as_mut().unwrap().restore().await.unwrap();
        if renewed.is_ok() {
            break;
        }
    }
    if id(&world, 0) == before {
        // The sync that comes next asks for it first.
        world.sync(0).await;
    }
    assert_ne!(id(&world, 0), before);
    world.record(0);
    assert!(world.sync(0).await.in_sync);
    assert_eq!(held(&world), BTreeMap::new());
    assert_eq!(at_base(&world), world.contacts);

    // The copy still has the old key.
    let copied = Tablet::open(&copy, &KEY).unwrap();
    assert_eq!(copied.id(), before);
    assert_eq!(code(&copied.sync(|_| {}).await), Some("key_replaced"));
    assert_eq!(copied.renew_key().await.unwrap_err().code_text(), "key_replaced");

    // A restored server takes back what the old key signed, and still takes nothing from the copy.
    put_back(&mut world, &made).await;
    assert_eq!(code(&copied.sync(|_| {}).await), Some("key_replaced"));
    world.nothing_is_lost().await;
    world.stop().await;
}
