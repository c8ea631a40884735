//! A base and its tablets on made-up disks, with a made-up time, and what can happen to them as wholes: they die, are set
//! back, copied, restored, taken away.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{Write, stderr},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
};

use anyhow::{Context, Result, ensure};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::Value;
use tempfile::TempDir;
use wayside_client_core::{Clock as _, Env, Key, ManualClock, RecordId, SyncReport, Tablet};
use wayside_server::{Base, Clock, seeded, views::Views};

use super::{
    base::Shelved,
    disk::{Mark, copy_dir, copy_torn},
    history::{Held, History},
    older::Overheard,
    wire::{self, Died, Fault, Line, Wire, lock},
};

pub const KEY_BYTES: [u8; 32] = [7; 32];
pub const KEY: Key = Key::from_bytes(KEY_BYTES);
const START: u64 = 1_795_179_600_000;
pub const SECOND: u64 = 1000;
pub const MINUTE: u64 = 60 * SECOND;
pub const DAY: u64 = 24 * 60 * MINUTE;
/// How far base's clock may be off, in milliseconds.
pub const MOST_SKEW: i64 = 120_000;
/// What came late was asked by a clock that was far ahead: base cannot know.
pub const PASSED_FOR_NEW: &str = "a late request passed for a new one";
/// Bytes a second of a link on which little fits into a frame.
pub const SLOW: u64 = 2_000;
/// So many are kept of a tablet.
const COPIES: usize = 4;

/// How often what happened.
pub type Counts = BTreeMap<&'static str, u64>;

pub struct World {
    pub seed: u64,
    pub rng: StdRng,
    pub dir: TempDir,
    pub now: Arc<AtomicU64>,
    /// How far base's own clock is off.
    pub base_skew: Arc<AtomicI64>,
    pub data: PathBuf,
    pub base: Option<Arc<Base>>,
    pub views: Option<Views>,
    pub wire: Arc<Mutex<Wire>>,
    pub teams: Vec<RecordId>,
    pub vans: Vec<Van>,
    pub history: History,
    pub counts: Counts,
    pub shelf: Vec<Shelved>,
    pub sessions: BTreeSet<RecordId>,
    /// Contacts with follow-ups that were planned.
    pub tasks: Vec<(RecordId, String)>,
    /// What was recorded while a tablet was syncing.
    pub meanwhile: Arc<Mutex<Option<usize>>>,
    /// The numbers of the teams that a tablet, by its id, belongs to at base.
    pub members: BTreeMap<String, BTreeSet<usize>>,
    /// Counts programs and folders: each has its own randomness and name.
    runs: u64,
    /// When storage was last set back somewhere, or base died.
    pub upset: u64,
    /// Counts what happened.
    pub step: u64,
    /// Tablets, copies included, are no more.
    pub most: usize,
    tell: bool,
}

/// A tablet.
pub struct Van {
    pub dir: PathBuf,
    pub name: String,
    pub tablet: Option<Tablet>,
    pub clock: Arc<ManualClock>,
    pub skew_ms: i64,
    pub line: Line,
    /// What it certainly holds.
    pub holds: Held,
    /// When its last whole sync was.
    pub quiet_at: u64,
    pub revoked: bool,
    /// It asked for a new key, and does not know what became of that.
    pub renewing: bool,
    pub gone: bool,
    /// A form that somebody has had open for a while: its record, what was shown, and its heads.
    pub form: Option<(RecordId, Value, Vec<[u8; 32]>)>,
    /// Copies of its database, with what it held.
    pub copies: Vec<(PathBuf, Held)>,
}

/// How things were before a tablet asked base something.
pub struct Before {
    id: String,
    teams: BTreeSet<usize>,
    fault: Option<(usize, Fault)>,
    grave: PathBuf,
}

impl Van {
    pub fn tablet(&self) -> &Tablet {
        self.tablet.as_ref().expect("a tablet that is not gone")
    }

    pub fn clock_ms(&self) -> i64 {
        self.clock.now_ms()
    }
}

impl World {
    pub async fn new(seed: u64, tablets: usize, tell: bool) -> Result<World> {
        seeded::begin(seed);
        let memory = Path::new("/dev/shm");
        let dir = if memory.is_dir() { tempfile::tempdir_in(memory)? } else { tempfile::tempdir()? };
        let mut world = World {
            seed,
            rng: StdRng::seed_from_u64(seed),
            now: Arc::new(AtomicU64::new(START)),
            base_skew: Arc::default(),
            data: dir.path().join("base-0"),
            dir,
            base: None,
            views: None,
            wire: Arc::default(),
            teams: Vec::new(),
            vans: Vec::new(),
            history: History::default(),
            counts: Counts::new(),
            shelf: Vec::new(),
            sessions: BTreeSet::new(),
            tasks: Vec::new(),
            meanwhile: Arc::default(),
            members: BTreeMap::new(),
            runs: 0,
            upset: 0,
            step: 0,
            most: 12.max(tablets + 4),
            tell,
        };
        lock(&world.wire).now = world.now.clone();
        world.serve()?;
        let teams = if tablets > 2 { world.rng.random_range(1..=2) } else { 1 };
        let teams = teams.max(tablets / 10);
        for n in 0..teams {
            let id = world.base().team_add(&format!("Team {n}"))?;
            world.teams.push(id);
        }
        for n in 0..tablets {
            world.enrol(n % teams).await?;
            if teams > 1 && world.rng.random_bool(0.2) {
                world.join(n, (n + 1) % teams).await?;
            }
        }
        Ok(world)
    }

    pub fn did(&mut self, what: &'static str) {
        *self.counts.entry(what).or_default() += 1;
        lock(&self.wire).note(what.as_bytes());
        self.tell(what);
    }

    pub fn tell(&self, what: &str) {
        if self.tell {
            let _ = writeln!(stderr(), "{:>4}  {what}", self.step);
        }
    }

    pub fn base(&self) -> &Arc<Base> {
        self.base.as_ref().expect("base is up between steps")
    }

    pub fn fresh(&mut self, what: &str) -> PathBuf {
        self.runs += 1;
        self.dir.path().join(format!("{what}-{}", self.runs))
    }

    pub fn now(&self) -> u64 {
        self.now.load(Ordering::Relaxed)
    }

    pub fn any(&mut self, n: usize) -> usize {
        self.rng.random_range(0..n.max(1))
    }

    pub fn clock(&self) -> Clock {
        let (now, skew) = (self.now.clone(), self.base_skew.clone());
        Clock::new(move || now.load(Ordering::Relaxed).saturating_add_signed(skew.load(Ordering::Relaxed)))
    }

    /// Time passes for everybody.
    pub fn pass(&mut self, ms: u64) {
        self.now.fetch_add(ms, Ordering::Relaxed);
        self.vans.iter().for_each(|van| van.clock.advance(ms as i64));
    }

    fn set_clock(&self, at: usize) {
        let van = &self.vans[at];
        van.clock.set(self.now() as i64 + van.skew_ms);
    }

    async fn enrol(&mut self, team: usize) -> Result<()> {
        let dir = self.fresh("tablet");
        let clock = Arc::new(ManualClock::new(self.now() as i64));
        let line = Line::new(self.wire.clone(), clock.clone());
        let rates = [SLOW, 20_000, 200_000];
        line.own().rate = rates[self.any(rates.len())];
        let van = Van {
            name: format!("van-{}", self.vans.len()),
            dir,
            tablet: None,
            clock,
            skew_ms: 0,
            line,
            holds: Held::new(),
            quiet_at: 0,
            revoked: false,
            renewing: false,
            gone: false,
            form: None,
            copies: Vec::new(),
        };
        self.vans.push(van);
        let at = self.vans.len() - 1;
        self.open(at)?;
        if self.rng.random_bool(0.15) {
            self.becomes_old(at);
        }
        self.join(at, team).await
    }

    /// A tablet's program starts.
    pub fn open(&mut self, at: usize) -> Result<()> {
        self.runs += 1;
        self.set_clock(at);
        let van = &mut self.vans[at];
        van.clock.restart();
        van.line.own().dir.clone_from(&van.dir);
        let carrier = Some(Arc::new(van.line.clone()) as _);
        let env = Env { carrier, ..Env::seeded(self.seed << 20 | self.runs, van.clock.clone()) };
        let env = Env { random: Arc::new(Overheard::new(env.random, self.wire.clone())), ..env };
        van.tablet = Some(Tablet::open_with(&van.dir, &KEY, env)?);
        van.form = None;
        Ok(())
    }

    pub fn those_who_work(&self) -> Vec<usize> {
        (0..self.vans.len()).filter(|at| !self.vans[*at].gone && !self.vans[*at].revoked).collect()
    }

    /// A sync to its end, whatever that is. What a death left is in place afterwards.
    pub async fn sync(&mut self, at: usize, fault: Option<(usize, Fault)>) -> Result<SyncReport> {
        let before = self.before(at, fault)?;
        let report = self.vans[at].tablet().sync(|_| {}).await;
        lock(&self.wire).note(format!("{report:?}").as_bytes());
        self.tell(&format!("{} syncs, {fault:?}: {report:?}", self.vans[at].name));
        if report.error.as_ref().is_some_and(|error| error.code == "tablet_wiped") {
            self.base_may_have_died()?;
            self.count_fault(at, before.fault);
            self.wiped(at)?;
        } else if self.after(at, before)? {
            // What it was told is nowhere, and what base took may come twice.
            self.vans[at].quiet_at = 0;
        } else if report.error.is_none() {
            self.synced(at);
        } else {
            // What was lost on the way may come twice.
            self.vans[at].quiet_at = 0;
        }
        Ok(report)
    }

    /// Before a tablet asks base something.
    pub fn before(&mut self, at: usize, fault: Option<(usize, Fault)>) -> Result<Before> {
        let grave = self.fresh("tablet");
        let van = &self.vans[at];
        van.line.begin(fault);
        van.line.own().grave.clone_from(&grave);
        Ok(Before { id: van.tablet().id(), teams: self.teams_on(at)?, fault, grave })
    }

    /// Puts in place what deaths left, and notes who the tablet is now. Whether it died.
    pub fn after(&mut self, at: usize, before: Before) -> Result<bool> {
        let Before { id, teams, fault, grave } = before;
        let died = self.vans[at].line.own().died.take();
        if self.base_may_have_died()? && self.vans[at].renewing {
            self.did("base died giving a key");
        }
        self.count_fault(at, fault);
        let has_died = died.is_some();
        if let Some(died) = died {
            let mark = match died {
                Died::Left => None,
                Died::At(mark) => Some(mark),
            };
            self.tablet_died(at, grave, mark)?;
        }
        self.goes_by(at, &id);
        self.has_left(at, &teams)?;
        Ok(has_died)
    }

    fn count_fault(&mut self, at: usize, fault: Option<(usize, Fault)>) {
        let hit = self.vans[at].line.own().hit;
        if let Some((_, fault)) = fault.filter(|_| hit) {
            self.did(name_of(fault));
        }
    }

    fn base_may_have_died(&mut self) -> Result<bool> {
        let died = lock(&self.wire).died.take();
        died.as_ref().map_or(Ok(()), |mark| self.base_died(mark))?;
        Ok(died.is_some())
    }

    /// Both sides hold what either held.
    fn synced(&mut self, at: usize) {
        let van = &mut self.vans[at];
        self.history.base.extend(&van.holds);
        van.quiet_at = self.step;
    }

    /// What a tablet that is wiped held is only where it handed it over.
    fn wiped(&mut self, at: usize) -> Result<()> {
        let van = &mut self.vans[at];
        ensure!(van.revoked, "seed {}: a tablet was wiped that nobody revoked", self.seed);
        ensure!(!van.dir.join("tablet.db").exists(), "a wiped tablet has a database");
        ensure!(van.dir.join("wiped").is_file(), "nobody is told that it was wiped");
        self.tell(&format!("handed over: {:?}", self.vans[at].holds));
        let van = &mut self.vans[at];
        self.history.base.extend(&van.holds);
        (van.gone, van.tablet) = (true, None);
        van.holds.clear();
        van.form = None;
        Ok(())
    }

    /// A tablet's program ends in the middle of something, and starts again.
    pub fn tablet_died(&mut self, at: usize, to: PathBuf, since: Option<Mark>) -> Result<()> {
        if let Some(mark) = since
            && copy_torn(&self.vans[at].dir, &to, "tablet.db", &mark, &mut self.rng)?
        {
            self.did("a tablet's write was torn");
        }
        self.move_tablet(at, to)
    }

    fn move_tablet(&mut self, at: usize, to: PathBuf) -> Result<()> {
        let van = &mut self.vans[at];
        van.tablet = None;
        fs::remove_dir_all(&van.dir)?;
        van.dir = to;
        self.open(at)
    }

    pub fn copy_tablet(&mut self, at: usize) -> Result<()> {
        let to = self.fresh("tablet");
        let van = &mut self.vans[at];
        copy_dir(&van.dir, &to)?;
        let held = van.holds.clone();
        if van.copies.len() == COPIES {
            fs::remove_dir_all(van.copies.remove(0).0)?;
        }
        van.copies.push((to, held));
        Ok(())
    }

    /// A tablet is set back to an older copy of itself.
    pub fn set_tablet_back(&mut self, at: usize) -> Result<()> {
        let n = self.any(self.vans[at].copies.len());
        let (copy, held) = self.vans[at].copies[n].clone();
        let to = self.fresh("tablet");
        copy_dir(&copy, &to)?;
        self.vans[at].holds = held;
        self.upset = self.step;
        self.move_tablet(at, to)
    }

    /// A copy of a tablet goes on beside it.
    pub fn clone_tablet(&mut self, at: usize) -> Result<()> {
        let dir = self.fresh("tablet");
        let van = &self.vans[at];
        copy_dir(&van.dir, &dir)?;
        let clock = Arc::new(ManualClock::new(0));
        let line = Line::new(self.wire.clone(), clock.clone());
        line.own().rate = van.line.own().rate;
        let twin = Van {
            name: format!("{}-twin", van.name),
            dir,
            tablet: None,
            clock,
            line,
            holds: van.holds.clone(),
            form: None,
            copies: Vec::new(),
            ..*van
        };
        self.vans.push(twin);
        self.upset = self.step;
        self.open(self.vans.len() - 1)
    }

    /// What base shows, after its views have followed.
    pub fn follow(&mut self) -> Result<&Views> {
        let base = self.base().clone();
        if self.views.is_none() {
            self.views = Some(Views::open(&self.data)?);
        }
        let views = self.views.as_mut().context("views")?;
        views.catch_up(&base.log)?;
        Ok(views)
    }

    pub fn at_base(&self, id: RecordId) -> Result<Option<Value>> {
        Ok(self.views.as_ref().context("views")?.show(id)?)
    }

    /// Finds out who holds what after something was set back: what nobody certainly has any more may be there all the
    /// same, or is gone.
    pub async fn look_around(&mut self) -> Result<()> {
        self.deliver_late().await;
        self.follow()?;
        let mut held = self.history.base.clone();
        self.vans.iter().for_each(|van| held.extend(&van.holds));
        for op in (0..self.history.ops.len()).rev() {
            if held.contains(&op) || self.history.is_excused(op) {
                continue;
            }
            let record = self.history.ops[op].record;
            if let Some(json) = self.at_base(record)?
                && self.history.is_in(op, &json, &json.to_string())
            {
                self.history.base.insert(op);
            }
            let mut somewhere = self.history.base.contains(&op);
            for van in &mut self.vans {
                let Some(shown) = van.tablet.as_ref().and_then(|tablet| tablet.show(record).ok()) else {
                    continue;
                };
                if self.history.is_in(op, &shown.json, &shown.json.to_string()) {
                    van.holds.insert(op);
                    somewhere = true;
                }
            }
            self.history.ops[op].gone = !somewhere;
        }
        Ok(())
    }

    /// What was held back arrives, in another order.
    pub async fn deliver_late(&mut self) {
        loop {
            let n = {
                let waiting = lock(&self.wire).late.len();
                if waiting == 0 {
                    return;
                }
                self.any(waiting)
            };
            let late = lock(&self.wire).late.swap_remove(n);
            let answer = wire::deliver(&self.wire, &late.path, &late.body, true).await;
            let taken = answer.as_ref().is_some_and(|answer| answer.status == 200);
            lock(&self.wire).note(&answer.map(|answer| answer.body).unwrap_or_default());
            self.did("a request came late");
            if taken && late.has_wrong_time() {
                self.did(PASSED_FOR_NEW);
            }
        }
    }
}

pub const fn name_of(fault: Fault) -> &'static str {
    match fault {
        Fault::CutUp(_) => "cut on the way up",
        Fault::CutDown(_) => "cut on the way down",
        Fault::Late => "held back",
        Fault::Twice => "sent twice",
        Fault::DamagedUp(_) => "damaged on the way up",
        Fault::DamagedDown(_) => "damaged on the way down",
        Fault::ServerDies => "base died in a request",
        Fault::Meanwhile => "recorded while syncing",
        Fault::TabletDiesSending => "a tablet died sending",
        Fault::TabletDiesStoring => "a tablet died storing",
    }
}
