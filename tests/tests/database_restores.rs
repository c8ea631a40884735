//! Servers over PostgreSQL whose database is restored by its own tools: from a dump, to a point in time, and behind
//! everybody's back. The ledger lies apart and stays as it is. As in the drills over SQLite, everything is real, the days
//! are made up from a seed, no record and no edit is lost, and staff and coordinators are told.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

use anyhow::Result;
use tokio::task::block_in_place as blocking;
use wayside_client_core::RecordId;
use wayside_server::{
    Base, Places, archive, backup,
    log::{self, Place},
    views::Views,
};
use wayside_tests::{
    postgres::{Postgres, skipped},
    seeds,
    world::World,
};

/// Each takes a cluster of its own.
fn few_seeds() -> impl Iterator<Item = u64> {
    seeds::seeds(2).into_iter().take(50)
}

fn only(code: &str) -> BTreeSet<String> {
    BTreeSet::from([code.to_owned()])
}

fn places(log: &str, ledger: &str) -> Places {
    Places::parse(Some(log), Some(ledger)).unwrap()
}

/// Three tablets over a new PostgreSQL with both databases.
async fn world(seed: u64) -> Result<(Postgres, World)> {
    let server = blocking(|| {
        let server = Postgres::start()?;
        server.create("log")?;
        server.create("ledger")?;
        anyhow::Ok(server)
    })?;
    let places = places(&server.url("log"), &server.url("ledger"));
    Ok((server, World::over(places, seed, 3).await))
}

/// Where the team's log ends, and up to where tablets need keep nothing.
fn head_and_watermark(world: &World) -> (u64, u64) {
    let base = world.server().base();
    let now = base.clock.now_ms();
    let read = |conn: &log::Conn| {
        let team = log::teams(conn)?.remove(0);
        Ok((team.head, log::watermark(conn, team.n, now)?))
    };
    blocking(|| base.log.read(read)).unwrap()
}

/// What `wayside log check` does with a copy. Returns how many changes came since.
fn check(world: &World, copy: &str) -> Result<u64> {
    Ok(blocking(|| backup::check_copy(world.server().base(), &Place::parse(copy)?))?)
}

/// What nobody changes any more leaves the tablets.
async fn archive_all(world: &mut World) {
    world.everybody_syncs().await;
    world.pass(1);
    blocking(|| archive::archive(world.server().base(), 0, "test", false)).unwrap();
    everybody_records(world).await;
}

/// Receipts come with news.
async fn everybody_records(world: &mut World) {
    for at in 0..world.tablets.len() {
        world.record(at);
        world.sync(at).await;
    }
    world.everybody_syncs().await;
}

/// Records that are archived, as each tablet still keeps them.
fn kept(world: &World) -> Vec<u64> {
    world.tablets.iter().map(|van| van.tablet().status().unwrap().archived).collect()
}

/// Contacts that tablets do not show any more.
fn away(world: &World) -> BTreeSet<RecordId> {
    let shown = |id: &RecordId| world.tablets[0].tablet().show(*id).is_ok();
    world.contacts.iter().filter(|id| !shown(id)).copied().collect()
}

fn all_were_told_once(world: &World, tablets: usize) {
    for van in &world.tablets[..tablets] {
        assert_eq!(van.times_told("server_restored"), 1, "seed {}: {}", world.seed, van.name);
        assert_eq!(van.times_told("tablet_copied"), 0, "seed {}: {}", world.seed, van.name);
        let notices = van.tablet().status().unwrap().notices;
        assert!(notices[0].message.ends_with("nothing is lost."), "{}", notices[0].message);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_restored_from_a_dump_is_refilled_also_with_what_had_left_the_tablets() -> Result<()> {
    if skipped() {
        return Ok(());
    }
    for seed in few_seeds() {
        let (server, mut world) = world(seed).await?;
        world.work(30).await;
        archive_all(&mut world).await;
        let archived = away(&world);
        assert!(!archived.is_empty() && kept(&world).iter().all(|kept| *kept > 0), "seed {seed}");
        let (head, _) = head_and_watermark(&world);
        let dump = blocking(|| server.dump("log"))?;

        // An hour, in which more leaves the tablets, and one is new: the ledger knows that.
        world.work(30).await;
        world.enrol().await;
        archive_all(&mut world).await;
        world.pass(60);
        let later: Vec<RecordId> = away(&world).difference(&archived).copied().collect();
        let before = kept(&world);
        assert!(!later.is_empty(), "seed {seed}");

        // Only a dump that was restored and looked at is a backup, and then the tablets keep no more than it lacks.
        blocking(|| server.restore(&dump, "scratch"))?;
        let (now, none) = head_and_watermark(&world);
        assert_eq!((none, check(&world, &server.url("scratch"))?), (0, now - head), "seed {seed}");
        assert_eq!(head_and_watermark(&world).1, head, "seed {seed}");
        everybody_records(&mut world).await;
        let after = kept(&world);
        assert!(
            after.iter().zip(&before).take(3).all(|(after, before)| 0 < *after && after < before),
            "seed {seed}: {before:?}, then {after:?}"
        );

        world.stop().await;
        blocking(|| server.restore(&dump, "restored"))?;
        world.places = places(&server.url("restored"), &server.url("ledger"));
        for at in 0..3 {
            world.record(at);
        }
        world.serve().await;
        assert_eq!(world.alarms(), only("log_replaced"), "seed {seed}");
        world.work(10).await;
        // What was archived before the dump is at base alone, and all else is everywhere.
        world.contacts.retain(|id| !archived.contains(id));
        world.nothing_is_lost().await;
        let views = Views::open(&world.data).unwrap();
        assert!(archived.iter().all(|id| views.show(*id).unwrap().is_some()), "seed {seed}");
        all_were_told_once(&world, 3);
        assert_eq!(world.alarms(), only("log_replaced"), "seed {seed}");
        world.stop().await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_recovered_to_a_point_in_time_is_refilled() -> Result<()> {
    if skipped() {
        return Ok(());
    }
    for seed in few_seeds() {
        // Recovery sets back a whole cluster: the ledger lies in another one.
        let (mut server, ledgers) = blocking(|| anyhow::Ok((Postgres::start()?, Postgres::start()?)))?;
        blocking(|| {
            server.create("log")?;
            ledgers.create("ledger")?;
            server.archive()
        })?;
        let ledger = ledgers.url("ledger");
        let mut world = World::over(places(&server.url("log"), &ledger), seed, 3).await;
        world.work(20).await;
        world.everybody_syncs().await;
        let mut recovered = blocking(|| server.base_backup())?;
        world.work(20).await;
        world.everybody_syncs().await;
        let (head, _) = head_and_watermark(&world);
        blocking(|| server.name_moment("before_the_mistake"))?;
        // Whether the ledger tells, too, makes no difference to who says so.
        if seed % 2 == 0 {
            world.enrol().await;
        }
        world.record(0);
        world.work(20).await;
        world.everybody_syncs().await;
        let (lost, _) = head_and_watermark(&world);

        blocking(|| recovered.recover(&server, "before_the_mistake"))?;
        assert_eq!(check(&world, &recovered.url("log"))?, lost - head, "seed {seed}");
        assert_eq!(head_and_watermark(&world).1, head, "seed {seed}");
        world.stop().await;
        world.places = places(&recovered.url("log"), &ledger);
        // `wayside log restored`.
        blocking(|| Base::open_restored(&world.data, &world.places, world.clock()).map(drop))?;
        world.serve().await;
        assert_eq!(head_and_watermark(&world).0, head, "seed {seed}: it is as it was at that moment");
        for at in 0..3 {
            world.record(at);
        }
        world.work(10).await;
        world.nothing_is_lost().await;
        all_were_told_once(&world, 3);
        assert_eq!(world.alarms(), only("server_restored"), "seed {seed}");
        world.stop().await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_set_back_behind_everybodys_back_is_noticed() -> Result<()> {
    if skipped() {
        return Ok(());
    }
    for seed in few_seeds() {
        let (server, mut world) = world(seed).await?;
        world.work(20).await;
        world.everybody_syncs().await;
        let dump = blocking(|| server.dump("log"))?;
        // Every other time the ledger tells, else only what tablets were told.
        let ledger_tells = seed % 2 == 0;
        if ledger_tells {
            world.enrol().await;
        }
        world.record(0);
        world.work(20).await;
        world.everybody_syncs().await;
        world.stop().await;
        blocking(|| server.restore(&dump, "log"))?;
        world.serve().await;
        let at_once = if ledger_tells { only("log_replaced") } else { BTreeSet::new() };
        assert_eq!(world.alarms(), at_once, "seed {seed}");
        // The first that comes may have nothing to offer.
        world.sync(2).await;
        world.record(1);
        world.nothing_is_lost().await;
        all_were_told_once(&world, 3);
        assert_eq!(world.alarms(), only("log_replaced"), "seed {seed}");
        world.stop().await;
    }
    Ok(())
}
