//! A deterministic simulator: tablets and a base, with the product's own code on both sides, their real databases, made-up
//! days, links and disks, all from one seed. What happens is in `people`, `world` and `base`, how links fail in `wire`, what a death
//! leaves in `disk`; `history` is what it knows by itself, and `check` compares.
//!
//! In every other run base is two nodes over one log, here in one file; nodes over PostgreSQL are for the failover drill.
//!
//! Made up: the network (no sockets, no TLS, no HTTP heads), the clocks, the randomness, and that a disk keeps what it
//! was told to sync (the files are in memory; `kills` and the faults of disks test the rest). Real: everything else.

mod base;
mod check;
mod disk;
mod history;
mod older;
mod people;
mod teams;
mod wire;
mod world;

use anyhow::Result;
use rand::RngExt;
use wayside_server::log;

use wire::{Carriage, Fault, lock};
pub use world::{Counts, name_of};
use world::{DAY, MINUTE, MOST_SKEW, SECOND, SLOW, World};

/// What is simulated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// At most; a run draws how many it has.
    pub tablets: usize,
    pub days: u64,
    /// Exactly so many tablets.
    pub all: bool,
    /// Everything that happens is told on standard error.
    pub tell: bool,
}

impl Default for Shape {
    fn default() -> Shape {
        Shape { tablets: 8, days: 3, all: false, tell: false }
    }
}

/// What a run came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    pub counts: Counts,
    /// Over every byte that went over a link, and everything that happened.
    pub trace: [u8; 32],
}

/// Every kind of fault: one that never happened in many runs is a fault of the simulator.
pub const FAULTS: [&str; 42] = [
    "cut on the way up",
    "cut on the way down",
    "held back",
    "a request came late",
    "overtaken on its way",
    "sent twice",
    "damaged on the way up",
    "damaged on the way down",
    "base died in a request",
    "base's write was torn",
    "a tablet died sending",
    "a tablet died storing",
    "a tablet died recording",
    "a tablet's write was torn",
    "a tablet's clock jumped",
    "base's clock jumped",
    "base restarted",
    "one of two nodes restarted",
    "backed up",
    "base was restored",
    "base was set back silently",
    "a tablet was set back",
    "a tablet was cloned",
    "revoked",
    "erased somebody",
    "archived",
    "fetched from the archive",
    "merged two people",
    "recorded what base refuses",
    "recorded while syncing",
    "a busy hour",
    "came back after a cut",
    "an older program",
    "an upgrade",
    "a tablet of version 1",
    "an upgrade from version 1",
    "back to version 1",
    "said what nobody knows yet",
    "joined another team",
    "taken out of a team",
    "left a team",
    "a new key",
];

/// One run. An error says which promise was broken.
pub fn run(seed: u64, shape: Shape) -> Result<Outcome> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(live(seed, shape))
}

/// With more tablets than this each does less, and less happens to base for each of them.
const FEW: usize = 8;

async fn live(seed: u64, shape: Shape) -> Result<Outcome> {
    let tablets = if shape.all { shape.tablets } else { 1 + seed as usize % shape.tablets };
    let mut world = World::new(seed, tablets, shape.tell).await?;
    for day in 0..shape.days {
        // A day in the field is busier than the night behind it.
        for _ in 0..4 + 7 * tablets.min(FEW) + tablets.saturating_sub(FEW) {
            world.step += 1;
            world.happen().await?;
            let pause = world.rng.random_range(1..20) * MINUTE;
            world.pass(pause);
        }
        if day + 1 < shape.days {
            let (day, rest) = (world.now() % DAY, world.rng.random_range(0..4) * DAY / 4);
            world.pass(DAY - day + rest);
        }
    }
    world.step += 1;
    world.check().await?;
    let trace = lock(&world.wire).digest();
    Ok(Outcome { counts: world.counts, trace })
}

impl World {
    /// One thing happens, to somebody.
    async fn happen(&mut self) -> Result<()> {
        let working = self.those_who_work();
        if working.is_empty() {
            return Ok(());
        }
        let at = working[self.any(working.len())];
        // A copy from before it joined the team that is left to it.
        if self.teams_on(at)?.is_empty() {
            return Ok(());
        }
        let what = self.any(108);
        // What concerns all of them, or takes long.
        let seldom = matches!(what, 87..92 | 95 | 96 | 98..103);
        if seldom && self.vans.len() > 2 * FEW && self.rng.random_bool(0.75) {
            return Ok(());
        }
        match what {
            0..20 => {
                let (dies, bad) = (self.rng.random_bool(0.1), self.rng.random_bool(0.03));
                self.see(at, dies, bad)
            }
            20..30 => self.add_to(at),
            30..44 => self.fill_in(at),
            44..49 => self.count(at),
            49..56 => self.put_right(at),
            56..61 => self.coordinate(),
            61..80 => self.meet(at).await,
            80..84 => self.jump(at),
            84..87 => {
                let grave = self.fresh("tablet");
                disk::copy_dir(&self.vans[at].dir, &grave)?;
                self.tablet_died(at, grave, None)?;
                self.did("a tablet's program ended");
                Ok(())
            }
            87 => self.restart_base(),
            88..91 => {
                self.back_up()?;
                self.did("backed up");
                Ok(())
            }
            91 => self.base_set_back().await,
            92..94 => self.tablet_set_back(at).await,
            94 => self.take_away(at).await,
            95 | 100 | 101 => self.erase(),
            96 | 102 => self.archive(),
            97 => self.fetch(at).await,
            98 => {
                self.deliver_late().await;
                Ok(())
            }
            103 | 104 => self.change_teams(at).await,
            105 => self.renew_key(at).await,
            106 | 107 => self.say_something_new(at),
            _ => self.busy_hours(at).await,
        }
    }

    /// Much comes together where the link is bad, and it is cut: so much goes in several frames, once the link was measured.
    async fn busy_hours(&mut self, at: usize) -> Result<()> {
        self.vans[at].line.own().rate = SLOW;
        for last in [false, true] {
            if !self.still_works(at)? {
                return Ok(());
            }
            for _ in 0..self.rng.random_range(15..40) {
                self.see_at_length(at)?;
            }
            self.did("a busy hour");
            if last {
                let share = self.rng.random_range(0.3..1.0);
                self.meet_with(at, 0, Some(Fault::CutUp(share))).await?;
            } else {
                self.meet(at).await?;
                self.sync(at, None).await?;
            }
        }
        Ok(())
    }

    /// A tablet has signal for a while.
    async fn meet(&mut self, at: usize) -> Result<()> {
        self.may_change_program(at);
        let share = self.rng.random_range(0.0..=1.0);
        let fault = match self.any(22) {
            0..3 => Some(Fault::CutUp(share)),
            3..6 => Some(Fault::CutDown(share)),
            6 => Some(Fault::Late),
            7 => Some(Fault::Twice),
            8 => Some(Fault::DamagedUp(share)),
            9 => Some(Fault::DamagedDown(share)),
            10 => Some(Fault::ServerDies),
            11 => Some(Fault::TabletDiesSending),
            12 => Some(Fault::TabletDiesStoring),
            13 | 14 => {
                self.prepare_meanwhile(at);
                Some(Fault::Meanwhile)
            }
            _ => None,
        };
        let request = if self.rng.random_bool(0.6) { 0 } else { self.any(4) };
        self.meet_with(at, request, fault).await
    }

    async fn meet_with(&mut self, at: usize, request: usize, fault: Option<Fault>) -> Result<()> {
        let calm = self.vans[at].quiet_at > self.upset && self.vans[at].line.own().hidden == 0;
        let cut = matches!(fault, Some(Fault::CutUp(_) | Fault::CutDown(_)));
        self.vans[at].line.own().watched = cut;
        let first = self.sync(at, fault.map(|fault| (request, fault))).await?;
        self.done_meanwhile(at);
        if let Some(error) = &first.error {
            anyhow::ensure!(!first.in_sync, "in sync, and {error:?}");
            anyhow::ensure!(
                !matches!(error.code.as_str(), "internal" | "storage_failed" | "server_failed"),
                "a sync ended with {error:?}"
            );
        }
        if cut && first.error.is_some() && self.rng.random() {
            self.comes_back(at, calm).await?;
            self.did("came back after a cut");
        }
        self.vans[at].line.own().watched = false;
        if fault == Some(Fault::Late) && self.rng.random() {
            self.is_overtaken(at).await?;
        }
        Ok(())
    }

    /// In a sync it may have been wiped, or have left what was a copy's only team.
    fn still_works(&self, at: usize) -> Result<bool> {
        Ok(self.those_who_work().contains(&at) && !self.teams_on(at)?.is_empty())
    }

    /// The tablet asks again before what was held back arrives.
    async fn is_overtaken(&mut self, at: usize) -> Result<()> {
        for _ in 0..self.rng.random_range(1..4) {
            if !self.still_works(at)? {
                break;
            }
            let pause = self.rng.random_range(1..60) * SECOND;
            self.pass(pause);
            self.see(at, false, false)?;
            self.sync(at, None).await?;
        }
        self.deliver_late().await;
        self.did("overtaken on its way");
        Ok(())
    }

    /// Which of these changes are in base's log.
    fn in_log(&self, changes: Carriage) -> Result<Carriage> {
        Ok(self.base().log.read(|conn| {
            let mut there = Carriage::new();
            for (team, record, hash) in changes {
                if let Some(of) = log::team_by_id(conn, team)?
                    && log::known(conn, of.n, record, &hash)?.is_some()
                {
                    there.insert((team, record, hash));
                }
            }
            Ok(there)
        })?)
    }

    /// Promise 7, of a link that was cut: what goes a second time, in frames that may be smaller now, is of one frame.
    async fn comes_back(&mut self, at: usize, calm: bool) -> Result<()> {
        let (sent, came) = {
            let own = self.vans[at].line.own();
            (own.sent.clone(), own.came.clone())
        };
        let landed = self.in_log(sent.all())?;
        let held = came.arrived();
        self.sync(at, None).await?;
        let (up, down) = {
            let own = self.vans[at].line.own();
            (own.sent.all(), own.came.all())
        };
        let (up, down) = (&up & &landed, &down & &held);
        anyhow::ensure!(
            !calm || sent.one_frame_has(&up) && came.one_frame_has(&down),
            "promise 7: after one cut {} changes went up again and {} came down again, of more than one frame",
            up.len(),
            down.len()
        );
        Ok(())
    }

    fn jump(&mut self, at: usize) -> Result<()> {
        if self.rng.random_bool(0.2) {
            let skew = self.rng.random_range(-MOST_SKEW..MOST_SKEW);
            self.base_skew.store(skew, std::sync::atomic::Ordering::Relaxed);
            self.did("base's clock jumped");
            return Ok(());
        }
        let skew = self.rng.random_range(-3 * DAY as i64..3 * DAY as i64);
        let van = &mut self.vans[at];
        van.skew_ms = if van.skew_ms == 0 { skew } else { 0 };
        van.clock.set(self.now.load(std::sync::atomic::Ordering::Relaxed) as i64 + van.skew_ms);
        self.did("a tablet's clock jumped");
        Ok(())
    }

    async fn base_set_back(&mut self) -> Result<()> {
        self.deliver_late().await;
        let silently = self.rng.random_bool(0.3);
        if self.put_back(silently)? {
            self.did(if silently { "base was set back silently" } else { "base was restored" });
            self.look_around().await?;
        }
        Ok(())
    }

    async fn tablet_set_back(&mut self, at: usize) -> Result<()> {
        match self.any(4) {
            0 | 1 => self.copy_tablet(at)?,
            2 if !self.vans[at].copies.is_empty() => {
                self.deliver_late().await;
                self.set_tablet_back(at)?;
                self.did("a tablet was set back");
                self.look_around().await?;
            }
            // Both would come by the new key, and who of them first is not known.
            3 if self.vans.len() < self.most && !self.vans[at].renewing => {
                self.clone_tablet(at)?;
                self.did("a tablet was cloned");
            }
            _ => {}
        }
        Ok(())
    }

    async fn take_away(&mut self, at: usize) -> Result<()> {
        if self.those_who_work().len() < 2 || self.rng.random_bool(0.4) {
            return Ok(());
        }
        if !self.revoke(at)? {
            return Ok(());
        }
        self.did("revoked");
        if self.rng.random() {
            let share = self.rng.random_range(0.0..=1.0);
            let fault = self.rng.random_bool(0.5).then_some((0, Fault::CutUp(share)));
            self.sync(at, fault).await?;
        }
        Ok(())
    }
}
