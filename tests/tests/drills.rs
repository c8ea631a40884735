//! What goes wrong with storage, and how it heals: a server restored from a backup, lost, or set back behind everybody's
//! back; a tablet set back to an older copy of itself, or copied to a second one. Real servers and tablets, and days
//! made up from a seed. In each drill no record and no edit is lost, everybody comes to hold the same, and staff are
//! told in a sentence.

#![allow(clippy::unwrap_used, clippy::print_stderr)]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};
use tempfile::TempDir;
use wayside_client_core::{By, Edit, Env, Key, ManualClock, Page, RecordId, SyncReport, Tablet};
use wayside_server::{Clock, Running, Server, ServerConfig, backup, log, views::Views};
use wayside_tests::{
    day::{self, TabletPlan},
    field::copy_dir,
    seeds,
};

const KEY: Key = Key::from_bytes([7; 32]);
const START: u64 = 1_795_179_600_000;
const MINUTE: u64 = 60_000;
const TEAM: &str = "Leeds East";

/// A base and its tablets, and everything that was ever recorded there.
struct World {
    rng: StdRng,
    seed: u64,
    dir: TempDir,
    now: Arc<AtomicU64>,
    data: PathBuf,
    listen: String,
    server: Option<Running>,
    tablets: Vec<Van>,
    /// Contacts, and the unique member that each edit wrote into one of them.
    contacts: BTreeSet<RecordId>,
    edits: BTreeMap<u64, RecordId>,
    /// Counts runs of programs: each has its own randomness.
    runs: u64,
}

struct Van {
    dir: PathBuf,
    name: String,
    tablet: Option<Tablet>,
    clock: Arc<ManualClock>,
    /// What staff were told, sync by sync.
    told: Vec<&'static str>,
    recorded: usize,
}

impl Van {
    fn tablet(&self) -> &Tablet {
        self.tablet.as_ref().unwrap()
    }

    fn times_told(&self, code: &str) -> usize {
        self.told.iter().filter(|told| **told == code).count()
    }
}

impl World {
    async fn new(seed: u64, tablets: usize) -> World {
        eprintln!("seed {seed}");
        let dir = tempfile::tempdir().unwrap();
        let mut world = World {
            rng: StdRng::seed_from_u64(seed),
            seed,
            data: dir.path().join("base"),
            dir,
            now: Arc::new(AtomicU64::new(START)),
            listen: "127.0.0.1:0".into(),
            server: None,
            tablets: Vec::new(),
            contacts: BTreeSet::new(),
            edits: BTreeMap::new(),
            runs: 0,
        };
        world.serve().await;
        world.server().base().team_add(TEAM).unwrap();
        for _ in 0..tablets {
            world.enrol().await;
        }
        world
    }

    fn server(&self) -> &Running {
        self.server.as_ref().unwrap()
    }

    fn clock(&self) -> Clock {
        let now = self.now.clone();
        Clock::new(move || now.load(Ordering::Relaxed))
    }

    async fn serve(&mut self) {
        let config = ServerConfig {
            listen: self.listen.clone(),
            clock: self.clock(),
            ..ServerConfig::local(&self.data)
        };
        let server = Server::start(config).await.unwrap();
        self.listen = server.addr.to_string();
        self.server = Some(server);
    }

    async fn stop(&mut self) {
        self.server.take().unwrap().shutdown().await.unwrap();
    }

    /// The server goes on in a new place, to which only its keys and ledger came.
    fn move_keys(&mut self) {
        let next = self.dir.path().join(format!("base-{}", self.runs));
        self.runs += 1;
        fs::create_dir(&next).unwrap();
        copy_dir(&self.data.join("keys"), &next.join("keys"));
        self.data = next;
    }

    async fn enrol(&mut self) {
        let name = format!("van-{}", self.tablets.len());
        let clock = Arc::new(ManualClock::new(0));
        let dir = self.dir.path().join(&name);
        let van = Van { dir, name: name.clone(), tablet: None, clock, told: Vec::new(), recorded: 0 };
        self.tablets.push(van);
        let at = self.tablets.len() - 1;
        self.open(at);
        let code = self.server().base().enrol_code(TEAM, None).unwrap().to_text();
        self.tablets[at].tablet().enrol(&code, &name).await.unwrap();
    }

    fn open(&mut self, at: usize) {
        self.runs += 1;
        let van = &mut self.tablets[at];
        van.clock.set(i64::try_from(self.now.load(Ordering::Relaxed)).unwrap());
        let env = Env::seeded(self.seed << 20 | self.runs, van.clock.clone());
        van.tablet = Some(Tablet::open_with(&van.dir, &KEY, env).unwrap());
    }

    fn pass(&mut self, minutes: u64) {
        let now = self.now.fetch_add(minutes * MINUTE, Ordering::Relaxed) + minutes * MINUTE;
        self.tablets.iter().for_each(|van| van.clock.set(i64::try_from(now).unwrap()));
    }

    fn record(&mut self, at: usize) {
        let van = &mut self.tablets[at];
        // A copy of a tablet goes on with contacts of its own.
        let plan = TabletPlan::new(&format!("{}-{}", van.name, self.runs), "Masjid Al-Noor", 1000);
        let line = day::contact(self.seed, "2026-11-20".parse().unwrap(), &plan, van.recorded);
        van.recorded += 1;
        let recorded = van.tablet().record(line, &By::staff("nurse-01")).unwrap();
        self.contacts.insert(recorded.contact);
    }

    /// Edits a contact that the tablet holds, if it holds any.
    fn edit(&mut self, at: usize) {
        let tablet = self.tablets[at].tablet();
        let held: Vec<RecordId> =
            self.contacts.iter().filter(|id| tablet.show(**id).is_ok()).copied().collect();
        if held.is_empty() {
            return;
        }
        let contact = held[self.rng.random_range(0..held.len())];
        let n = self.edits.len() as u64;
        let edit = Edit::set(&format!("ext/edit-{n}"), n);
        tablet.edit(contact, edit, &By::staff("nurse-02")).unwrap();
        self.edits.insert(n, contact);
    }

    async fn sync(&mut self, at: usize) -> SyncReport {
        let report = self.tablets[at].tablet().sync(|_| {}).await;
        assert!(report.error.is_none(), "seed {}: {report:?}", self.seed);
        self.tablets[at].told.extend(report.notices.iter().map(|notice| notice.code));
        report
    }

    /// Some minutes of somebody's day.
    async fn work(&mut self, steps: usize) {
        for _ in 0..steps {
            let at = self.rng.random_range(0..self.tablets.len());
            match self.rng.random_range(0..10) {
                0..=4 => self.record(at),
                5..=7 => self.edit(at),
                _ => drop(self.sync(at).await),
            }
            self.pass(1);
        }
    }

    async fn everybody_syncs(&mut self) {
        for _ in 0..2 {
            let first = self.rng.random_range(0..self.tablets.len());
            for at in 0..self.tablets.len() {
                self.sync((first + at) % self.tablets.len()).await;
            }
        }
    }

    /// Everybody holds the same, and everything that was ever recorded.
    async fn nothing_is_lost(&mut self) {
        self.everybody_syncs().await;
        let seed = self.seed;
        let base = self.server().base().clone();
        let mut views = Views::open(&self.data).unwrap();
        views.catch_up(&base.log).unwrap();
        let of_base = |id: RecordId| views.show(id).unwrap().unwrap_or(Value::Null);
        for at in 0..self.tablets.len() {
            assert!(self.sync(at).await.in_sync, "seed {seed}");
            let tablet = self.tablets[at].tablet();
            let listed = tablet.list(None, Page::default()).unwrap();
            let ids: BTreeSet<RecordId> =
                listed.iter().map(|record| record["id"].as_str().unwrap().parse().unwrap()).collect();
            assert!(
                self.contacts.is_subset(&ids),
                "seed {seed}: a contact is not on {}",
                self.tablets[at].name
            );
            for id in ids {
                assert_eq!(tablet.show(id).unwrap().json, of_base(id), "seed {seed}");
            }
        }
        for (n, contact) in &self.edits {
            assert_eq!(
                of_base(*contact)["ext"][format!("edit-{n}")],
                json!(n),
                "seed {seed}: an edit is lost"
            );
        }
        assert_eq!(base.log.read(log::quarantine).unwrap(), [], "seed {seed}");
    }

    fn alarms(&self) -> BTreeSet<String> {
        let base = self.server().base();
        let now = base.clock.now_ms();
        let alarms = base.log.read(|conn| log::alarms(conn, now)).unwrap();
        alarms.into_iter().map(|alarm| alarm.code).collect()
    }
}

/// A few in the normal run; up to 200, some forty minutes of them, when more are asked for.
fn few_seeds() -> impl Iterator<Item = u64> {
    seeds::seeds(2).into_iter().take(200)
}

/// The one alarm that a drill ends with.
fn only(code: &str) -> BTreeSet<String> {
    BTreeSet::from([code.to_owned()])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_restored_from_a_backup_of_an_hour_ago_is_refilled() {
    for seed in few_seeds() {
        let mut world = World::new(seed, 3).await;
        world.work(30).await;
        world.everybody_syncs().await;
        let shelf = world.dir.path().join("shelf");
        let made = backup::backup(world.server().base(), &shelf).unwrap();
        // An hour in which some sync and some do not, and one tablet is new.
        world.enrol().await;
        world.work(30).await;
        let synced = world.rng.random_range(0..3);
        world.sync(synced).await;
        world.pass(60);
        world.stop().await;
        world.move_keys();
        backup::restore(&made, &world.data, &world.clock()).unwrap();
        for at in 0..3 {
            world.record(at);
        }
        world.serve().await;
        world.work(10).await;
        world.nothing_is_lost().await;
        for van in &world.tablets[..3] {
            assert_eq!(van.times_told("server_restored"), 1, "seed {seed}: {}", van.name);
            assert_eq!(van.times_told("tablet_copied"), 0, "seed {seed}: {}", van.name);
            let notice = van.tablet().status().unwrap().notice.unwrap();
            assert!(notice.message.ends_with("nothing is lost."), "{}", notice.message);
        }
        assert_eq!(world.alarms(), only("server_restored"), "seed {seed}");
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_was_lost_starts_empty_and_is_refilled() {
    for seed in few_seeds() {
        let mut world = World::new(seed, 3).await;
        world.work(40).await;
        // What only the server and the tablets that pulled it hold.
        world.everybody_syncs().await;
        world.work(10).await;
        world.stop().await;
        world.move_keys();
        world.serve().await;
        world.work(10).await;
        world.nothing_is_lost().await;
        for van in &world.tablets {
            assert_eq!(van.times_told("server_restored"), 1, "seed {seed}: {}", van.name);
        }
        assert_eq!(world.alarms(), only("log_replaced"), "seed {seed}");
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_is_set_back_behind_everybodys_back_is_noticed_by_a_receipt() {
    for seed in few_seeds() {
        let mut world = World::new(seed, 3).await;
        world.work(20).await;
        world.everybody_syncs().await;
        world.stop().await;
        let copy = world.dir.path().join("copy.db");
        fs::copy(world.data.join("log.db"), &copy).unwrap();
        world.serve().await;
        world.record(0);
        world.work(20).await;
        world.everybody_syncs().await;
        world.stop().await;
        // Somebody puts the old file back. Nothing in the ledger tells.
        fs::copy(&copy, world.data.join("log.db")).unwrap();
        world.serve().await;
        assert_eq!(world.alarms(), BTreeSet::new(), "seed {seed}");
        if world.rng.random() {
            world.record(1);
            world.record(2);
        }
        world.nothing_is_lost().await;
        assert_eq!(world.alarms(), only("log_replaced"), "seed {seed}");
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tablet_set_back_to_an_old_copy_goes_on_and_forks_nothing() {
    for seed in few_seeds() {
        let mut world = World::new(seed, 2).await;
        world.work(20).await;
        world.everybody_syncs().await;
        world.tablets[0].tablet = None;
        let copy = world.dir.path().join("copy");
        copy_dir(&world.tablets[0].dir, &copy);
        world.open(0);
        world.record(0);
        world.work(20).await;
        world.everybody_syncs().await;
        let told_before = world.tablets[0].told.clone();
        assert!(told_before.is_empty(), "seed {seed}: {told_before:?}");
        // The old copy comes back, and work goes on with it.
        world.tablets[0].tablet = None;
        fs::remove_dir_all(&world.tablets[0].dir).unwrap();
        copy_dir(&copy, &world.tablets[0].dir);
        world.open(0);
        for _ in 0..3 {
            world.record(0);
            world.edit(0);
        }
        world.work(10).await;
        world.nothing_is_lost().await;
        assert_eq!(world.tablets[0].times_told("tablet_copied"), 1, "seed {seed}");
        assert_eq!(world.tablets[1].told, [""; 0], "seed {seed}");
        assert_eq!(world.alarms(), only("tablet_copied"), "seed {seed}");
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tablet_copied_to_a_second_one_records_on_both_and_nothing_is_lost() {
    for seed in few_seeds() {
        let mut world = World::new(seed, 2).await;
        world.work(20).await;
        world.everybody_syncs().await;
        world.record(0);
        world.tablets[0].tablet = None;
        let twin = Van {
            dir: world.dir.path().join("twin"),
            name: "twin".into(),
            tablet: None,
            clock: Arc::new(ManualClock::new(0)),
            told: Vec::new(),
            recorded: world.tablets[0].recorded,
        };
        copy_dir(&world.tablets[0].dir, &twin.dir);
        world.tablets.push(twin);
        world.open(0);
        world.open(2);
        for _ in 0..3 {
            for at in [0, 2] {
                world.record(at);
                world.edit(at);
                world.sync(at).await;
            }
        }
        world.work(20).await;
        world.nothing_is_lost().await;
        let told =
            world.tablets[0].times_told("tablet_copied") + world.tablets[2].times_told("tablet_copied");
        assert!(told > 0, "seed {seed}");
        assert_eq!(world.tablets[1].told, [""; 0], "seed {seed}");
        assert_eq!(world.alarms(), only("tablet_copied"), "seed {seed}");
        world.stop().await;
    }
}

/// What a repair costs follows what differs, not what is held.
#[tokio::test(flavor = "multi_thread")]
async fn a_repair_costs_what_was_lost() {
    let mut world = World::new(1, 2).await;
    for _ in 0..150 {
        world.record(0);
        world.pass(1);
    }
    world.everybody_syncs().await;
    let made = backup::backup(world.server().base(), &world.dir.path().join("shelf")).unwrap();
    for _ in 0..5 {
        world.record(0);
        world.pass(1);
    }
    let lost = world.sync(0).await.pushed;
    world.stop().await;
    world.move_keys();
    backup::restore(&made, &world.data, &world.clock()).unwrap();
    world.serve().await;
    // The one that holds what was lost gives it back; it is sent nothing.
    let report = world.sync(0).await;
    assert_eq!((report.pushed, report.pulled, report.in_sync), (lost, 0, true));
    assert!(report.bytes_down < 4_000 && report.bytes_up < 12_000, "{report:?}");
    // The one that lacks only this pulls it.
    let report = world.sync(1).await;
    assert_eq!((report.pushed, report.pulled, report.in_sync), (0, lost, true));
    assert!(report.bytes_down < 12_000 && report.bytes_up < 4_000, "{report:?}");
    world.stop().await;
}
