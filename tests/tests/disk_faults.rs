//! The real programs on a disk that is full, fails, tears, lies, or loses its power: what was acknowledged stays, what cannot
//! be kept is refused with a clear code, and when the fault ends all goes on without anybody's help.
//!
//! A moment is the n-th write, or the n-th time that something is made to stay: an event, not a time. `WAYSIDE_SEEDS=500`
//! takes as many; the counts of what was met are printed.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};

use rand::{RngExt, SeedableRng, rngs::StdRng};
use rusqlite::Connection;
use serde_json::Value;
use tempfile::TempDir;
use tokio::task::block_in_place as blocking;
use tokio_rustls::TlsConnector;
use wayside_client_core::{By, Problem, RecordId, SyncReport, Tablet};
use wayside_server::{Base, Clock, backup, views::Views};
use wayside_tests::{
    balancer::{readiness, trusting},
    day::{self, TabletPlan},
    disk::{Disk, Fault, Small, skipped},
    field::{Field, copy_dir, ids, lines, write_lines},
    nodes::Node,
    programs, seeds,
    world::{KEY, TEAM},
};

/// Codes with which a server says that its disk is the reason.
const OF_THE_DISK: [&str; 2] = ["storage_full", "storage_failed"];
/// How long a server may take to notice that its disk works again. It looks every two seconds.
const PATIENCE: Duration = Duration::from_secs(120);
/// So many seeds share one base: what lies there grows.
const SHARED: usize = 16;

/// What is done to the disk, by seed: each kind comes in turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    /// For a while.
    Passing(Fault),
    Killed,
    /// The process dies, and with it goes what was not made to stay.
    PowerCut,
    /// The same after a disk that only said that things stay.
    LiedTo,
}

const KINDS: [Kind; 8] = [
    Kind::Passing(Fault::Full),
    Kind::PowerCut,
    Kind::Passing(Fault::NoSync),
    Kind::LiedTo,
    Kind::Passing(Fault::Short),
    Kind::Killed,
    Kind::Passing(Fault::Fails),
    Kind::Passing(Fault::ReadOnly),
];

fn kind(seed: u64) -> Kind {
    KINDS[(seed % KINDS.len() as u64) as usize]
}

struct Van {
    name: String,
    tablet: Tablet,
    recorded: BTreeSet<RecordId>,
}

impl Van {
    fn record(&mut self, seed: u64, count: usize) {
        let plan = TabletPlan::new(&self.name, "Masjid Al-Noor", 10_000);
        for _ in 0..count {
            let line = day::contact(seed, "2026-11-20".parse().unwrap(), &plan, self.recorded.len());
            self.recorded.insert(self.tablet.record(line, &By::staff("nurse-01")).unwrap().contact);
        }
    }

    /// Contacts for all of whose changes base has answered, by the tablet's own books.
    fn acknowledged(&self) -> BTreeSet<RecordId> {
        let waiting: BTreeSet<RecordId> = self.tablet.waiting_records().unwrap().into_iter().collect();
        self.recorded.difference(&waiting).copied().collect()
    }
}

/// A base on a disk of its own. Two tablets record, a third only reads.
struct Ward {
    dir: TempDir,
    data: PathBuf,
    node: Node,
    disk: Disk,
    tls: TlsConnector,
    vans: Vec<Van>,
    reader: Tablet,
}

impl Ward {
    async fn new(program: &Path) -> Ward {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("base");
        let mut node = Node::new(program, &data, Vec::new());
        node.start().unwrap();
        let url = format!("https://{}", node.addr().unwrap());
        let base = blocking(|| Base::open(&data, Clock::default())).unwrap();
        blocking(|| base.team_add(TEAM)).unwrap();
        let mut tablets = Vec::new();
        for name in ["van-1", "van-2", "reader"] {
            let tablet = Tablet::open(&dir.path().join(name), &KEY).unwrap();
            let code = blocking(|| base.enrol_code(TEAM, Some(&url))).unwrap().to_text();
            tablet.enrol(&code, name).await.unwrap();
            tablets.push(tablet);
        }
        drop(base);
        node.stop().unwrap();
        let mut disk = Disk::under(&data);
        node.with(disk.environment());
        disk.settle();
        node.start().unwrap();
        let tls = trusting(&fs::read(data.join("keys/tls.crt")).unwrap()).unwrap();
        let reader = tablets.pop().unwrap();
        let van = |(n, tablet)| Van { name: format!("van-{n}"), tablet, recorded: BTreeSet::new() };
        let vans = tablets.into_iter().enumerate().map(van).collect();
        Ward { dir, data, node, disk, tls, vans, reader }
    }

    fn addr(&self) -> SocketAddr {
        self.node.addr().unwrap()
    }

    /// Until the disk has struck, tablets record and sync. Whatever they are told, it can be done again. Returns whether it did.
    async fn work(&mut self, seed: u64, rng: &mut StdRng) -> bool {
        for _ in 0..12 {
            for van in &mut self.vans {
                van.record(seed, rng.random_range(1..4));
                let report = van.tablet.sync(|_| {}).await;
                assert!(report.error.as_ref().is_none_or(|error| error.retry), "seed {seed}: {report:?}");
            }
            if self.disk.hits() > 0 {
                return true;
            }
        }
        false
    }

    /// The disk fails for a while. The server says so, and goes on when it ends.
    async fn passes(&mut self, fault: Fault, seed: u64, rng: &mut StdRng) -> bool {
        let pid = self.node.pid();
        self.disk.strike(fault, rng.random_range(0..60));
        let met = self.work(seed, rng).await;
        if met {
            self.vans[0].record(seed, 1);
            let report = self.vans[0].tablet.sync(|_| {}).await;
            self.refused(&report, seed);
            let (status, said) = readiness(self.addr(), &self.tls).await.unwrap();
            let said: Value = serde_json::from_str(&said).unwrap();
            assert!(
                status == 503 && OF_THE_DISK.iter().any(|code| said["code"] == *code),
                "seed {seed}: {said}"
            );
            let report = self.reader.sync(|_| {}).await;
            // Who only reads goes without a receipt. Other faults can keep the server from reading, too.
            let waits = |error: &Problem| fault != Fault::Full && error.retry;
            assert!(report.error.as_ref().is_none_or(waits), "seed {seed}: {report:?}");
        }
        self.disk.heal();
        self.ready(seed).await;
        for van in &self.vans {
            let report = van.tablet.sync(|_| {}).await;
            assert!(report.error.is_none(), "seed {seed}: {report:?}");
        }
        assert_eq!(self.node.pid(), pid, "seed {seed}: nobody started it again");
        met
    }

    fn refused(&self, report: &SyncReport, seed: u64) {
        let error = report.error.as_ref();
        let clear = error.is_some_and(|error| error.retry && OF_THE_DISK.contains(&error.code.as_str()));
        assert!(clear, "seed {seed}: {report:?}");
        assert!(
            !self.vans[0].tablet.waiting_records().unwrap().is_empty(),
            "seed {seed}: it waits on the tablet"
        );
    }

    async fn ready(&self, seed: u64) {
        let until = Instant::now() + PATIENCE;
        loop {
            let said = readiness(self.addr(), &self.tls).await;
            if matches!(said, Ok((200, _))) {
                return;
            }
            assert!(Instant::now() < until, "seed {seed}: it does not recover by itself: {said:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// The process dies in the middle of its work; what is on the disk then must hold all that tablets were told it holds.
    async fn dies(&mut self, power: bool, seed: u64, rng: &mut StdRng) -> bool {
        self.disk.strike(Fault::Dies, rng.random_range(0..80));
        let met = self.work(seed, rng).await;
        if met { self.node.died() } else { self.node.kill() }.unwrap();
        if power {
            self.disk.cut_power(rng);
        }
        self.disk.heal();
        let at_base = self.at_base(seed).unwrap_or_else(|| panic!("seed {seed}: the log is not whole"));
        for van in &self.vans {
            let lost: Vec<_> = van.acknowledged().difference(&at_base).copied().collect();
            assert!(lost.is_empty(), "seed {seed}: {} was told that {lost:?} are safe", van.name);
        }
        self.start_again().await;
        met
    }

    /// A disk that lies can lose what was acknowledged, and the log with it. The tablets give it back.
    async fn was_lied_to(&mut self, seed: u64, rng: &mut StdRng) -> bool {
        self.disk.strike(Fault::Lies, rng.random_range(0..20));
        let met = self.work(seed, rng).await;
        self.node.kill().unwrap();
        self.disk.cut_power(rng);
        if let Some(held) = self.at_base(seed) {
            let told: BTreeSet<RecordId> = self.vans.iter().flat_map(Van::acknowledged).collect();
            eprintln!("seed {seed}: the lies took {} contacts from base", told.difference(&held).count());
        } else {
            // As for any log that cannot be read and has no backup: keys and ledger alone.
            eprintln!("seed {seed}: the log was lost");
            let aside = self.dir.path().join(format!("aside-{seed}"));
            fs::rename(&self.data, &aside).unwrap();
            copy_dir(&aside.join("keys"), &self.data.join("keys"));
        }
        self.start_again().await;
        met
    }

    async fn start_again(&mut self) {
        self.disk.settle();
        blocking(|| self.node.start()).unwrap();
    }

    /// All contacts that base holds; `None` where its log cannot be read or does not prove itself.
    fn at_base(&self, seed: u64) -> Option<BTreeSet<RecordId>> {
        let whole = |name: &str| -> rusqlite::Result<String> {
            Connection::open(self.data.join(name))?.query_row("PRAGMA integrity_check", [], |row| row.get(0))
        };
        if whole("log.db").ok()? != "ok" {
            return None;
        }
        assert_eq!(whole("keys/ledger.db").unwrap(), "ok", "seed {seed}");
        // Views may be lost: they are derived again.
        if whole("views.db").ok().is_none_or(|said| said != "ok") {
            for end in ["", "-wal", "-shm"] {
                let _ = fs::remove_file(self.data.join(format!("views.db{end}")));
            }
        }
        blocking(|| {
            let base = Base::open(&self.data, Clock::default()).ok()?;
            // Computes each team's fingerprint from its changes.
            backup::backup(&base, &self.dir.path().join("shelf")).ok()?;
            fs::remove_dir_all(self.dir.path().join("shelf")).unwrap();
            let mut views = Views::open(&self.data).ok()?;
            views.catch_up(&base.log).ok()?;
            let all = self.vans.iter().flat_map(|van| &van.recorded);
            Some(all.filter(|id| views.show(**id).is_ok_and(|shown| shown.is_some())).copied().collect())
        })
    }

    /// Everybody holds the same, and everything that was ever recorded.
    async fn nothing_is_lost(mut self, seed: u64) {
        for _ in 0..2 {
            for tablet in self.vans.iter().map(|van| &van.tablet).chain([&self.reader]) {
                let report = tablet.sync(|_| {}).await;
                assert!(report.error.is_none(), "seed {seed}: {report:?}");
            }
        }
        for van in &self.vans {
            assert!(van.tablet.sync(|_| {}).await.in_sync, "seed {seed}: {} holds something else", van.name);
            for id in &van.recorded {
                assert!(self.reader.show(*id).is_ok(), "seed {seed}: {id} did not arrive everywhere");
            }
        }
        self.node.stop().unwrap();
        let all: BTreeSet<RecordId> = self.vans.iter().flat_map(|van| van.recorded.clone()).collect();
        assert_eq!(self.at_base(seed), Some(all), "seed {seed}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_whose_disk_fails_refuses_recovers_and_loses_nothing_acknowledged() {
    if skipped() {
        return;
    }
    let mut met: BTreeMap<Kind, u32> = BTreeMap::new();
    let all = seeds::seeds(KINDS.len() as u64);
    for some in all.chunks(SHARED) {
        let mut ward = Ward::new(&programs!().server).await;
        for seed in some {
            let mut rng = StdRng::seed_from_u64(*seed);
            let kind = kind(*seed);
            let struck = match kind {
                Kind::Passing(fault) => ward.passes(fault, *seed, &mut rng).await,
                Kind::Killed => ward.dies(false, *seed, &mut rng).await,
                Kind::PowerCut => ward.dies(true, *seed, &mut rng).await,
                Kind::LiedTo => ward.was_lied_to(*seed, &mut rng).await,
            };
            *met.entry(kind).or_default() += u32::from(struck);
        }
        ward.nothing_is_lost(*some.last().unwrap()).await;
    }
    eprintln!("{} seeds; met: {met:?}", all.len());
    assert!(all.len() < KINDS.len() || KINDS.iter().all(|kind| met[kind] > 0), "{met:?}");
}

/// What the test above rests on: of a server that says that something stays before it does, a power cut tells.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_would_not_wait_for_its_disk_is_seen_to_lose_what_it_acknowledged() {
    if skipped() {
        return;
    }
    let mut ward = Ward::new(&programs!().server).await;
    for waits in [true, false] {
        if !waits {
            // To who looks from outside it is the same whether nobody syncs or syncing does nothing.
            ward.disk.strike(Fault::Lies, 0);
        }
        for van in &mut ward.vans {
            van.record(1, 3);
            assert!(van.tablet.sync(|_| {}).await.in_sync);
        }
        ward.node.kill().unwrap();
        assert!(waits || ward.disk.cut_power_at_worst() > 0);
        let held = ward.at_base(1).unwrap();
        let told: BTreeSet<RecordId> = ward.vans.iter().flat_map(Van::acknowledged).collect();
        assert_eq!(told.is_subset(&held), waits, "{} were acknowledged, {} are held", told.len(), held.len());
        ward.start_again().await;
    }
    ward.nothing_is_lost(1).await;
}

/// No library in between: a file system without room.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_on_a_file_system_that_is_full_takes_changes_again_once_there_is_room() {
    let Some(small) = Small::mount(12 << 10) else { return };
    let dir = tempfile::tempdir().unwrap();
    let data = small.path().join("base");
    let mut node = Node::new(&programs!().server, &data, Vec::new());
    node.start().unwrap();
    let base = blocking(|| Base::open(&data, Clock::default())).unwrap();
    blocking(|| base.team_add(TEAM)).unwrap();
    let url = format!("https://{}", node.addr().unwrap());
    let [tablet, reader] = ["van", "reader"].map(|name| Tablet::open(&dir.path().join(name), &KEY).unwrap());
    for tablet in [&tablet, &reader] {
        let code = blocking(|| base.enrol_code(TEAM, Some(&url))).unwrap().to_text();
        tablet.enrol(&code, "van").await.unwrap();
    }
    drop(base);
    let mut van = Van { name: "van".into(), tablet, recorded: BTreeSet::new() };
    let tls = trusting(&fs::read(data.join("keys/tls.crt")).unwrap()).unwrap();
    van.record(1, 5);
    assert!(van.tablet.sync(|_| {}).await.in_sync);

    let filling = small.fill();
    let refused = loop {
        van.record(1, 5);
        // What has room in the journal's file as it is still goes in.
        if let Some(error) = van.tablet.sync(|_| {}).await.error {
            break error;
        }
    };
    assert_eq!((refused.code.as_str(), refused.retry), ("storage_full", true), "{refused:?}");
    let (status, said) = readiness(node.addr().unwrap(), &tls).await.unwrap();
    assert!(status == 503 && said.contains("storage_full"), "{said}");
    // Who brings nothing gets what others brought, also from a server that is started again without room.
    let served = async |why: &str| {
        let report = reader.sync(|_| {}).await;
        assert!(report.error.is_none(), "{why}: {report:?}");
        assert!(van.acknowledged().iter().all(|id| reader.show(*id).is_ok()), "{why}");
    };
    served("full").await;
    node.kill().unwrap();
    node.start().unwrap();
    served("started without room").await;
    van.record(1, 1);
    assert_eq!(van.tablet.sync(|_| {}).await.error.map(|error| error.code).as_deref(), Some("storage_full"));

    fs::remove_file(filling).unwrap();
    let until = Instant::now() + PATIENCE;
    while !matches!(readiness(node.addr().unwrap(), &tls).await, Ok((200, _))) {
        assert!(Instant::now() < until, "it does not recover by itself");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let report = van.tablet.sync(|_| {}).await;
    assert!(report.in_sync, "{report:?}");
    node.stop().unwrap();
    let base = blocking(|| Base::open(&data, Clock::default())).unwrap();
    let mut views = Views::open(&data).unwrap();
    blocking(|| views.catch_up(&base.log)).unwrap();
    assert!(van.recorded.iter().all(|id| views.show(*id).unwrap().is_some()));
}

/// The tablet's program: a recording that fails says so, and what was recorded before stands.
#[test]
fn a_tablet_whose_disk_fails_says_so_and_keeps_what_it_acknowledged() {
    if skipped() {
        return;
    }
    let (mut field, [tablet]) = Field::with(programs!(), ["van"]);
    let mut disk = Disk::under(&tablet.dir);
    let (mut acknowledged, mut met) = (BTreeSet::new(), BTreeMap::<Kind, u32>::new());
    for seed in seeds::seeds(KINDS.len() as u64).into_iter().filter(|seed| kind(*seed) != Kind::LiedTo) {
        let mut rng = StdRng::seed_from_u64(seed);
        let kind = kind(seed);
        let fault = if let Kind::Passing(fault) = kind { fault } else { Fault::Dies };
        let file = field.dir.path().join("disk.lines");
        write_lines(&file, &lines(seed, "van", 8));
        disk.settle();
        disk.strike(fault, rng.random_range(0..90));
        let output = tablet
            .command(&["record", file.to_str().unwrap()])
            .envs(disk.environment())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .output()
            .unwrap();
        acknowledged.extend(String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned));
        let struck = disk.hits() > 0;
        *met.entry(kind).or_default() += u32::from(struck);
        if struck && fault != Fault::Dies {
            let said = String::from_utf8(output.stderr.clone()).unwrap();
            let line = |line: &str| serde_json::from_str::<Value>(line).unwrap_or_default();
            let of_the_disk = |line: Value| OF_THE_DISK.iter().any(|code| line["code"] == *code);
            let clear = !said.is_empty() && said.lines().map(line).all(of_the_disk);
            // The last write of all may be one that nobody needs: of the file that is emptied at the end.
            assert!(
                clear || output.status.success(),
                "seed {seed}: {}",
                String::from_utf8_lossy(&output.stderr)
            );
        }
        match kind {
            Kind::PowerCut => drop(disk.cut_power(&mut rng)),
            _ => disk.heal(),
        }
        let held = ids(&tablet.json(&["list", "--kind", "contact"]));
        let lost: Vec<_> = acknowledged.difference(&held).collect();
        assert!(lost.is_empty(), "seed {seed}: {kind:?} lost {lost:?}");
    }
    eprintln!("met: {met:?}");
    assert!(met.values().any(|count| *count > 0), "{met:?}");
    tablet.sync();
    assert!(acknowledged.is_subset(&ids(&field.wayside_json(&["list", "--kind", "contact"]))));
    field.stop_server();
}
