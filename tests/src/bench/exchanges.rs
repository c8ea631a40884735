//! What a sync costs between a tablet and a server: new contacts up, the same down to a fresh tablet, a reconnect with
//! nothing new, and one with five edits on each side; on a good link and on a bad one.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use wayside_client_core::Page;
use wayside_server::{Base, Clock, Server, ServerConfig, sync};

use super::{
    Figure, SEED, TEAM,
    bytes::Parts,
    party::{self, ClientArguments, Cost, Op, ServerParty},
    prepared::PaperTablet,
    records::Floor,
    server::wait_for_views,
};
use crate::{
    day::{self, TabletPlan},
    slow_link::{Pace, SlowLink},
};

/// A link and its name.
type On = (&'static str, Pace);

const LINKS: [On; 2] = [("good link", Pace::GOOD), ("bad link", Pace::BAD)];
/// Contacts that a paper tablet pushes before the next one does: they are made in memory.
const PAPER: usize = 5_000;

/// What a floor is, where several lines have the same.
const JSON_LINES: &str = "zstd -19 of the records as JSON lines";
const ZSTD: &str = "one zstd -19 of them";
const STORED: &str = "JSON lines into one durable SQLite";
const ON_LINK: &str = "2 round trips and the floor's bytes";
const ONE_REQUEST: &str = "one request";
const PROMISE_6: &str = "promise 6: at most 512";
const AT_FEW: &str = "the same with the fewest contacts";

/// What reconnects cost with few contacts: they should cost the same with many.
#[derive(Default)]
pub struct Reconnects(HashMap<String, Cost>);

impl Reconnects {
    fn of(&mut self, what: &str, cost: Cost) -> Cost {
        *self.0.entry(what.to_owned()).or_insert(cost)
    }
}

/// Everything with so many contacts. `program` is this very program.
pub async fn all(program: &Path, contacts: usize, few: &mut Reconnects) -> Result<Vec<Figure>> {
    let dir = tempfile::tempdir()?;
    let data = dir.path().join("contacts.jsonl");
    let plan = TabletPlan::new("bench", "Masjid Al-Noor", contacts);
    let date = "2026-11-20".parse()?;
    let lines = (0..contacts).map(|i| day::contact(SEED, date, &plan, i).to_string() + "\n");
    fs::write(&data, lines.collect::<String>())?;
    let place = Place::new(program, dir.path(), contacts).await?;
    let full = party::open(&place.seed("full"))?;
    let before = full.list(None, Page::default())?;
    party::record(&full, &data)?;
    let records = full.list(None, Page::default())?;
    let all = Floor::of(records.clone(), &dir.path().join("all.db"))?;
    let new = records.into_iter().filter(|record| !before.contains(record)).collect();
    let new = Floor::of(new, &dir.path().join("new.db"))?;
    drop(full);
    let mut figures = Vec::new();
    for on in LINKS {
        let data = Some(data.clone());
        figures.extend(tokio::task::block_in_place(|| place.day(on, data, &new, &all, few))?);
    }
    Ok(figures)
}

/// Reconnects only, of a tablet that holds very many contacts.
pub async fn reconnects(program: &Path, contacts: usize, few: &mut Reconnects) -> Result<Vec<Figure>> {
    let dir = tempfile::tempdir()?;
    let place = Place::new(program, dir.path(), contacts).await?;
    tokio::task::block_in_place(|| {
        let changes = fill(&place.seed("base"), contacts)?;
        let mut server = place.begin(Pace::GOOD)?;
        for tablet in ["full", "fresh"] {
            place.sync(&mut server, tablet, Op::Pull, None, None)?;
        }
        wait_for_views(&place.now("base"), changes)?;
        server.end()?;
        let mut figures = Vec::new();
        for on in LINKS {
            let mut server = place.again(on.1)?;
            figures.extend(place.reconnects(&mut server, on, few)?);
            server.end()?;
        }
        Ok(figures)
    })
}

/// Pushes contacts with their people to the server in a data directory. Returns how many changes that are.
pub fn fill(data: &Path, contacts: usize) -> Result<usize> {
    let base = Base::open(data, Clock::default())?;
    let mut changes = 0;
    for (batch, from) in (0..contacts).step_by(PAPER).enumerate() {
        let seed = SEED + 1 + batch as u64;
        let now_ms = u64::try_from(jiff::Timestamp::now().as_millisecond())?;
        let mut paper = PaperTablet::enrolled(&base, TEAM, seed)?;
        let (bodies, raws) = paper.requests(PAPER.min(contacts - from), seed, now_ms)?;
        for body in bodies {
            sync::exchange(&base, &body)?;
        }
        changes += raws.len();
    }
    Ok(changes)
}

/// A server and two tablets, enrolled over a link: as they were before the first day, and as they are on it.
struct Place<'a> {
    program: &'a Path,
    dir: &'a Path,
    contacts: usize,
    link: SlowLink,
}

impl Place<'_> {
    async fn new<'a>(program: &'a Path, dir: &'a Path, contacts: usize) -> Result<Place<'a>> {
        let place = Place { program, dir, contacts, link: SlowLink::new().await? };
        let server = Server::start(ServerConfig::local(place.seed("base"))).await?;
        let base = server.base().clone();
        tokio::task::spawn_blocking(move || base.team_add(TEAM)).await??;
        place.link.lead(server.addr, Pace::GOOD);
        for tablet in ["full", "fresh"] {
            party::enrolled(&server, &place.link.url(), &place.seed(tablet)).await?;
        }
        server.shutdown().await?;
        Ok(place)
    }

    fn seed(&self, name: &str) -> PathBuf {
        self.dir.join("seed").join(name)
    }

    fn now(&self, name: &str) -> PathBuf {
        self.dir.join("now").join(name)
    }

    /// A new day, from the beginning.
    fn begin(&self, pace: Pace) -> Result<ServerParty> {
        let now = self.dir.join("now");
        if now.exists() {
            fs::remove_dir_all(&now)?;
        }
        for part in ["base", "full", "fresh"] {
            copy(&self.seed(part), &self.now(part))?;
        }
        self.again(pace)
    }

    /// The same day, with the server started again.
    fn again(&self, pace: Pace) -> Result<ServerParty> {
        let server = ServerParty::start(self.program, &self.now("base"))?;
        self.link.lead(server.addr, pace);
        Ok(server)
    }

    fn sync(
        &self,
        server: &mut ServerParty,
        tablet: &str,
        op: Op,
        data: Option<PathBuf>,
        mutate: Option<&str>,
    ) -> Result<Cost> {
        let mutate = mutate.map(str::to_owned);
        let arguments =
            ClientArguments { op, dir: self.now(tablet), data, n: self.contacts, port: None, mutate };
        party::sync(self.program, server, &arguments)
    }

    fn day(
        &self,
        on: On,
        data: Option<PathBuf>,
        new: &Floor,
        all: &Floor,
        few: &mut Reconnects,
    ) -> Result<Vec<Figure>> {
        let mut server = self.begin(on.1)?;
        let push = self.sync(&mut server, "full", Op::Push, data.clone(), None)?;
        // Later figures are not of what the server still does with this.
        wait_for_views(&self.now("base"), push.accepted)?;
        server.end()?;
        let parts = Parts::of(&self.now("base").join("log.db"))?;
        let mut lines = self.lines(on, "push");
        lines.whole(&push, new, on.1);
        lines.cpu(&push, (new.send_cpu, ZSTD), (new.store_cpu, STORED));
        lines.memory(&push);
        lines.parts(&push, &parts, new);
        let mut figures = lines.figures;

        let mut server = self.again(on.1)?;
        let pull = self.sync(&mut server, "fresh", Op::Pull, data, None)?;
        let mut lines = self.lines(on, "cold pull");
        lines.whole(&pull, all, on.1);
        lines.cpu(&pull, (all.store_cpu, STORED), (all.send_cpu, ZSTD));
        lines.memory(&pull);
        figures.extend(lines.figures);

        figures.extend(self.reconnects(&mut server, on, few)?);
        server.end()?;
        Ok(figures)
    }

    fn reconnects(&self, server: &mut ServerParty, on: On, few: &mut Reconnects) -> Result<Vec<Figure>> {
        let mut sync = |tablet, mutate| self.sync(server, tablet, Op::Sync, None, mutate);
        // What the last sync brought is acknowledged by the next.
        sync("full", None)?;
        sync("fresh", None)?;
        let idle = sync("full", None)?;
        sync("fresh", Some("5:10:srv"))?;
        let edits = sync("full", Some("0:5:dev"))?;

        let mut lines = self.lines(on, "reconnect, nothing new");
        lines.line("up", idle.up as f64, "B", 512.0, PROMISE_6);
        lines.line("down", idle.down as f64, "B", 512.0, PROMISE_6);
        lines.like_few(&idle, on.1, 0, few);
        let mut figures = lines.figures;

        let mut lines = self.lines(on, "reconnect, 5 edits each side");
        // The other side's five are about as large.
        let (floor, both) = (edits.edits_floor, (edits.up + edits.down) as f64);
        lines.line("both ways", both, "B", 2.0 * floor as f64, JSON_LINES);
        lines.like_few(&edits, on.1, floor, few);
        figures.extend(lines.figures);
        Ok(figures)
    }

    fn lines(&self, on: On, what: &str) -> Lines {
        Lines { of: format!("{} contacts, {}, {what}", self.contacts, on.0), figures: Vec::new() }
    }
}

/// What one sync came to, line by line.
struct Lines {
    of: String,
    figures: Vec<Figure>,
}

impl Lines {
    fn line(&mut self, name: &str, value: f64, unit: &'static str, floor: f64, note: &'static str) {
        self.figures.push(Figure { what: format!("{}: {name}", self.of), value, unit, floor, note });
    }

    fn whole(&mut self, cost: &Cost, floor: &Floor, pace: Pace) {
        let bytes = floor.bytes as f64;
        self.line("both ways", (cost.up + cost.down) as f64, "B", bytes, JSON_LINES);
        self.line("up", cost.up as f64, "B", bytes, JSON_LINES);
        self.line("down", cost.down as f64, "B", bytes, JSON_LINES);
        self.line("exchanges", cost.exchanges as f64, "", 1.0, ONE_REQUEST);
        match pace.rate {
            Some(_) => self.line("wall", cost.wall, "s", pace.least(floor.bytes, 0).as_secs_f64(), ON_LINK),
            None => self.line("wall", cost.wall, "s", floor.store_wall, STORED),
        }
    }

    fn memory(&mut self, cost: &Cost) {
        self.line("memory of the tablet", cost.tablet.most_memory, "MB", 64.0, "at most 64 MB");
        self.line("memory of the server", cost.server.most_memory, "MB", cost.server_before, "before it");
    }

    fn cpu(&mut self, cost: &Cost, tablet: (f64, &'static str), server: (f64, &'static str)) {
        self.line("CPU of the tablet", cost.tablet.cpu, "s", tablet.0, tablet.1);
        self.line("CPU of the server", cost.server.cpu, "s", server.0, server.1);
    }

    /// Of what the bytes of a push consist.
    fn parts(&mut self, push: &Cost, parts: &Parts, floor: &Floor) {
        let other = push.up.saturating_sub(parts.frames);
        for (name, bytes) in [
            ("changes in it", parts.frames),
            ("random bits of ids in these", parts.ids),
            ("signatures in these", parts.signatures),
            ("hellos, seals, HTTP headers in it", other),
        ] {
            self.line(name, bytes as f64, "B", floor.bytes as f64, "the same: what share it is");
        }
    }

    /// A reconnect, which should cost what it costs with few contacts. `floor` is what goes each way at the least.
    fn like_few(&mut self, cost: &Cost, pace: Pace, floor: u64, few: &mut Reconnects) {
        let (_, what) = self.of.split_once(", ").unwrap_or_default();
        let at_few = few.of(what, *cost);
        self.line("exchanges", cost.exchanges as f64, "", 1.0, ONE_REQUEST);
        match pace.rate {
            Some(_) => self.line("wall", cost.wall, "s", pace.least(floor, floor).as_secs_f64(), ON_LINK),
            None => self.line("wall", cost.wall, "s", at_few.wall, AT_FEW),
        }
        self.cpu(cost, (at_few.tablet.cpu, AT_FEW), (at_few.server.cpu, AT_FEW));
        self.memory(cost);
    }
}

/// A directory with all that is in it.
pub fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &to)?;
        } else {
            fs::copy(entry.path(), &to).context("a copy")?;
        }
    }
    Ok(())
}
