//! A base in this process and its tablets, in which storage goes wrong and time passes: real servers, TLS and databases,
//! with a clock and randomness from a seed.
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
use tokio::task::block_in_place;
use wayside_client_core::{By, Edit, Env, Key, ManualClock, Page, RecordId, Recorded, SyncReport, Tablet};
use wayside_server::{Clock, Places, Running, Server, ServerConfig, log, views::Views};

use crate::{
    day::{self, TabletPlan},
    field::copy_dir,
    link::Link,
};

pub const KEY: Key = Key::from_bytes([7; 32]);
pub const START: u64 = 1_795_179_600_000;
const MINUTE: u64 = 60_000;
pub const TEAM: &str = "Leeds East";

/// A base and its tablets, and everything that was ever recorded there.
pub struct World {
    pub rng: StdRng,
    pub seed: u64,
    pub dir: TempDir,
    pub now: Arc<AtomicU64>,
    pub data: PathBuf,
    /// Where log and ledger lie, if not in `data`.
    pub places: Places,
    pub listen: String,
    pub server: Option<Running>,
    /// Through which all tablets go.
    pub link: Option<Link>,
    pub tablets: Vec<Van>,
    /// Contacts, and the unique member that each edit wrote into one of them.
    pub contacts: BTreeSet<RecordId>,
    pub edits: BTreeMap<u64, RecordId>,
    /// Counts runs of programs: each has its own randomness.
    pub runs: u64,
}

pub struct Van {
    pub dir: PathBuf,
    pub name: String,
    pub tablet: Option<Tablet>,
    pub clock: Arc<ManualClock>,
    /// What staff were told, sync by sync.
    pub told: Vec<&'static str>,
    pub recorded: usize,
}

impl Van {
    pub fn tablet(&self) -> &Tablet {
        self.tablet.as_ref().unwrap()
    }

    pub fn times_told(&self, code: &str) -> usize {
        self.told.iter().filter(|told| **told == code).count()
    }
}

impl World {
    pub async fn new(seed: u64, tablets: usize) -> World {
        World::over(Places::default(), seed, tablets).await
    }

    pub async fn over(places: Places, seed: u64, tablets: usize) -> World {
        eprintln!("seed {seed}");
        let dir = tempfile::tempdir().unwrap();
        let mut world = World {
            rng: StdRng::seed_from_u64(seed),
            seed,
            data: dir.path().join("base"),
            dir,
            places,
            now: Arc::new(AtomicU64::new(START)),
            listen: "127.0.0.1:0".into(),
            server: None,
            link: None,
            tablets: Vec::new(),
            contacts: BTreeSet::new(),
            edits: BTreeMap::new(),
            runs: 0,
        };
        world.serve().await;
        world.link = Some(Link::up(world.server().addr).await.unwrap());
        block_in_place(|| world.server().base().team_add(TEAM)).unwrap();
        for _ in 0..tablets {
            world.enrol().await;
        }
        world
    }

    pub fn server(&self) -> &Running {
        self.server.as_ref().unwrap()
    }

    pub fn clock(&self) -> Clock {
        let now = self.now.clone();
        Clock::new(move || now.load(Ordering::Relaxed))
    }

    pub async fn serve(&mut self) {
        let config = ServerConfig {
            listen: self.listen.clone(),
            clock: self.clock(),
            places: self.places.clone(),
            ..ServerConfig::local(&self.data)
        };
        let server = Server::start(config).await.unwrap();
        self.listen = server.addr.to_string();
        self.server = Some(server);
    }

    pub async fn stop(&mut self) {
        self.server.take().unwrap().shutdown().await.unwrap();
    }

    /// The server goes on in a new place, to which only its keys and ledger came.
    pub fn move_keys(&mut self) {
        let next = self.dir.path().join(format!("base-{}", self.runs));
        self.runs += 1;
        fs::create_dir(&next).unwrap();
        copy_dir(&self.data.join("keys"), &next.join("keys"));
        self.data = next;
    }

    pub async fn enrol(&mut self) {
        let name = format!("van-{}", self.tablets.len());
        let clock = Arc::new(ManualClock::new(0));
        let dir = self.dir.path().join(&name);
        let van = Van { dir, name: name.clone(), tablet: None, clock, told: Vec::new(), recorded: 0 };
        self.tablets.push(van);
        let at = self.tablets.len() - 1;
        self.open(at);
        let url = self.link.as_ref().unwrap().url();
        let code = block_in_place(|| self.server().base().enrol_code(TEAM, Some(&url))).unwrap().to_text();
        self.tablets[at].tablet().enrol(&code, &name).await.unwrap();
    }

    pub fn open(&mut self, at: usize) {
        self.runs += 1;
        let van = &mut self.tablets[at];
        van.clock.set(i64::try_from(self.now.load(Ordering::Relaxed)).unwrap());
        let env = Env::seeded(self.seed << 20 | self.runs, van.clock.clone());
        van.tablet = Some(Tablet::open_with(&van.dir, &KEY, env).unwrap());
    }

    pub fn pass(&mut self, minutes: u64) {
        let now = self.now.fetch_add(minutes * MINUTE, Ordering::Relaxed) + minutes * MINUTE;
        self.tablets.iter().for_each(|van| van.clock.set(i64::try_from(now).unwrap()));
    }

    pub fn record(&mut self, at: usize) {
        let van = &mut self.tablets[at];
        // A copy of a tablet goes on with contacts of its own.
        let plan = TabletPlan::new(&format!("{}-{}", van.name, self.runs), "Masjid Al-Noor", 1000);
        let line = day::contact(self.seed, "2026-11-20".parse().unwrap(), &plan, van.recorded);
        self.record_line(at, line);
    }

    pub fn record_line(&mut self, at: usize, line: Value) -> Recorded {
        let van = &mut self.tablets[at];
        van.recorded += 1;
        let recorded = van.tablet().record(line, &By::staff("nurse-01")).unwrap();
        self.contacts.insert(recorded.contact);
        recorded
    }

    /// Edits a contact that the tablet holds, if it holds any.
    pub fn edit(&mut self, at: usize) {
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

    pub async fn sync(&mut self, at: usize) -> SyncReport {
        let report = self.tablets[at].tablet().sync(|_| {}).await;
        assert!(report.error.is_none(), "seed {}: {report:?}", self.seed);
        self.tablets[at].told.extend(report.notices.iter().map(|notice| notice.code));
        report
    }

    /// A sync whose link is cut after so many bytes. Returns whether that was before its end.
    pub async fn cut_sync(&mut self, at: usize, bytes: u64) -> bool {
        let link = self.link.as_mut().unwrap();
        link.cut_after(bytes);
        let report = self.tablets[at].tablet().sync(|_| {}).await;
        link.restore().await.unwrap();
        self.tablets[at].told.extend(report.notices.iter().map(|notice| notice.code));
        if let Some(error) = &report.error {
            assert!(error.retry && !report.in_sync, "seed {}: {report:?}", self.seed);
        }
        report.error.is_some()
    }

    /// Some minutes of somebody's day.
    pub async fn work(&mut self, steps: usize) {
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

    pub async fn everybody_syncs(&mut self) {
        for _ in 0..2 {
            let first = self.rng.random_range(0..self.tablets.len());
            for at in 0..self.tablets.len() {
                self.sync((first + at) % self.tablets.len()).await;
            }
        }
    }

    /// Everybody holds the same, and everything that was ever recorded.
    pub async fn nothing_is_lost(&mut self) {
        self.everybody_syncs().await;
        let seed = self.seed;
        let base = self.server().base().clone();
        let mut views = Views::open(&self.data).unwrap();
        block_in_place(|| views.catch_up(&base.log)).unwrap();
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
        assert_eq!(block_in_place(|| base.log.read(log::quarantine)).unwrap(), [], "seed {seed}");
    }

    pub fn alarms(&self) -> BTreeSet<String> {
        let base = self.server().base();
        let now = base.clock.now_ms();
        let alarms = block_in_place(|| base.log.read(|conn| log::alarms(conn, now))).unwrap();
        alarms.into_iter().map(|alarm| alarm.code).collect()
    }
}
