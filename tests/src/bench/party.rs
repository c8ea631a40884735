//! A tablet and a server as processes of their own, so that CPU and memory of each are its own. The tablet speaks what
//! the peers' `bench.py` asks of a client: JSON lines, `ready`, then `GO`, then `done`, then `EXIT`.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, BufRead, BufReader, Write},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::Instant,
};

use anyhow::{Context, Result, bail, ensure};
use clap::{Args, ValueEnum};
use rustix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};
use wayside_client_core::{By, Edit, Key, Kind, Page, Tablet};
use wayside_server::{Running, Server, ServerConfig};

use super::{TEAM, peers, records};

const KEY: [u8; 32] = [7; 32];
/// Whom an edit asks to come again, and what it says before its tag.
const CATEGORY: &str = "recheck_due";
const NOTE: &str = "Phoned back: ";

/// The tablet's part, in the words of the peers' README.
#[derive(Args, Debug, Clone)]
pub struct ClientArguments {
    #[arg(long)]
    pub op: Op,
    #[arg(long)]
    pub dir: PathBuf,
    /// The contacts, a JSON object each; without it nobody looks whether all of them are there.
    #[arg(long)]
    pub data: Option<PathBuf>,
    #[arg(long)]
    pub n: usize,
    /// Not looked at: a tablet knows its server's address from its enrolment.
    #[arg(long)]
    pub port: Option<u16>,
    /// LO:HI:TAG: edits contacts LO to HI, without the last, before it is ready.
    #[arg(long)]
    pub mutate: Option<String>,
}

#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    Prep,
    Push,
    Pull,
    Sync,
}

/// What a process has used.
#[derive(Debug, Clone, Copy, Default)]
pub struct Usage {
    /// Seconds of CPU.
    pub cpu: f64,
    /// Megabytes: now, and the most ever.
    pub memory: f64,
    pub most_memory: f64,
}

impl Usage {
    pub fn own() -> Result<Usage> {
        let cpu = clock_gettime(ClockId::ProcessCPUTime);
        let status = std::fs::read_to_string("/proc/self/status")?;
        let megabytes = |name: &str| -> Result<f64> {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).context("no memory figure")?;
            let kilobytes = line.trim().strip_suffix(" kB").context("a memory figure")?;
            Ok(kilobytes.parse::<f64>()? * 1024.0 / 1e6)
        };
        Ok(Usage { cpu: seconds(cpu), memory: megabytes("VmRSS:")?, most_memory: megabytes("VmHWM:")? })
    }

    fn to_json(self) -> Value {
        json!({"cpu": self.cpu, "memory": self.memory, "most_memory": self.most_memory})
    }

    fn from_json(json: &Value) -> Usage {
        let number = |name: &str| json.get(name).and_then(Value::as_f64).unwrap_or_default();
        Usage { cpu: number("cpu"), memory: number("memory"), most_memory: number("most_memory") }
    }
}

/// CPU that this thread has used, in seconds.
pub fn thread_cpu() -> f64 {
    seconds(clock_gettime(ClockId::ThreadCPUTime))
}

fn seconds(time: rustix::time::Timespec) -> f64 {
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

fn say(out: &mut impl Write, line: &Value) -> io::Result<()> {
    writeln!(out, "{line}")?;
    out.flush()
}

/// Is the tablet.
pub async fn client(arguments: &ClientArguments, out: &mut impl Write) -> Result<()> {
    let ClientArguments { op, dir, data, n, mutate, .. } = arguments;
    if *op == Op::Prep {
        let data = data.as_ref().context("--data")?;
        peers::prepare(dir, data).await?;
        return Ok(say(out, &json!({"ev": "prepped"}))?);
    }
    if !dir.join("tablet.db").exists() {
        peers::enrolled_before(dir)?;
    }
    let start = Instant::now();
    let tablet = open(dir)?;
    let opened = start.elapsed().as_secs_f64();
    // What the edits cost at the least, and what the process used for them, are no part of the sync.
    let floor = match mutate {
        Some(mutate) => edit(&tablet, *n, mutate)?,
        None => 0,
    };
    say(out, &json!({"ev": "ready", "load_s": opened, "floor": floor}))?;
    let mut lines = io::stdin().lines();
    ensure!(lines.next().transpose()?.as_deref() == Some("GO"), "not told to go");
    let (start, before) = (Instant::now(), Usage::own()?);
    let report = tablet.sync(|_| {}).await;
    let (wall, after) = (start.elapsed().as_secs_f64(), Usage::own()?);
    let used = Usage { cpu: after.cpu - before.cpu, ..after };
    let fits = data.as_ref().map_or(Ok(true), |data| holds_all(&tablet, data))?;
    let tags = json!({"dev": tagged(&tablet, *n, "dev")?, "srv": tagged(&tablet, *n, "srv")?});
    let mut done = json!({
        "ev": "done", "wall": wall, "ok": report.error.is_none() && report.in_sync && fits, "tags": tags,
        "used": used.to_json(), "report": report,
    });
    if let Some(error) = &report.error {
        done["note"] = json!(error.code);
    }
    say(out, &done)?;
    lines.next().transpose()?;
    Ok(())
}

pub fn open(dir: &Path) -> Result<Tablet> {
    Ok(Tablet::open(dir, &Key::from_bytes(KEY))?)
}

/// A tablet of the bench's team that has synced once and holds nothing. Its server's address is in the code.
pub async fn enrolled(server: &Running, url: &str, dir: &Path) -> Result<Tablet> {
    let tablet = open(dir)?;
    let (base, url) = (server.base().clone(), url.to_owned());
    let code = tokio::task::spawn_blocking(move || base.enrol_code(TEAM, Some(&url))).await??;
    tablet.enrol(&code.to_text(), "bench").await?;
    let report = tablet.sync(|_| {}).await;
    ensure!(report.error.is_none(), "the first sync failed: {:?}", report.error);
    Ok(tablet)
}

/// Records each line of a file.
pub fn record(tablet: &Tablet, data: &Path) -> Result<()> {
    for line in BufReader::new(File::open(data)?).lines() {
        tablet.record(peers::contact(serde_json::from_str(&line?)?), &By::staff("nurse-01"))?;
    }
    Ok(())
}

/// Contacts by the order in which they were recorded, on whichever tablet.
fn contacts(tablet: &Tablet, n: usize, from: u64, to: u64) -> Result<Vec<Value>> {
    let page = Page { offset: (n as u64).saturating_sub(to), limit: Some(to.saturating_sub(from)) };
    Ok(tablet.list(Some(Kind::Contact), page)?)
}

/// One change to each of some contacts: another outcome and a note. Returns the floor of what they now are.
fn edit(tablet: &Tablet, n: usize, mutate: &str) -> Result<usize> {
    let mut parts = mutate.splitn(3, ':');
    let (Some(from), Some(to), Some(tag)) = (parts.next(), parts.next(), parts.next()) else {
        bail!("--mutate is LO:HI:TAG");
    };
    let (from, to) = (from.parse()?, to.parse()?);
    for contact in contacts(tablet, n, from, to)? {
        let id = contact.get("id").and_then(Value::as_str).context("an id")?.parse()?;
        let mut outcome = contact.pointer("/ext/outcome").cloned().unwrap_or_else(|| json!({}));
        outcome["category"] = json!(CATEGORY);
        let edit = Edit::set("ext/outcome", outcome).and("notes", json!([{"text": format!("{NOTE}{tag}.")}]));
        tablet.edit(id, edit, &By::staff("nurse-01"))?;
    }
    records::floor_bytes(contacts(tablet, n, from, to)?)
}

/// How many of the first contacts carry such an edit.
fn tagged(tablet: &Tablet, n: usize, tag: &str) -> Result<usize> {
    let note = format!("{NOTE}{tag}.");
    let contacts = contacts(tablet, n, 0, 10)?;
    Ok(contacts.iter().filter(|contact| contact.to_string().contains(&note)).count())
}

/// Whether every contact is here, with the family name of who was seen.
fn holds_all(tablet: &Tablet, data: &Path) -> Result<bool> {
    let text = |json: &Value, path: &str| json.pointer(path).and_then(Value::as_str).map(str::to_owned);
    // However it is written.
    let at = |json: &Value, path: &str| text(json, path)?.parse::<jiff::Timestamp>().ok();
    let people = tablet.list(Some(Kind::Person), Page::default())?;
    let families: BTreeMap<_, _> =
        people.iter().map(|person| (text(person, "/id"), text(person, "/name/family"))).collect();
    let mut here: Vec<_> = tablet
        .list(Some(Kind::Contact), Page::default())?
        .iter()
        .map(|contact| {
            let family = families.get(&text(contact, "/person")).cloned().flatten();
            (at(contact, "/started_at"), family)
        })
        .collect();
    let mut wanted = Vec::new();
    for line in BufReader::new(File::open(data)?).lines() {
        let line = peers::contact(serde_json::from_str(&line?)?);
        wanted.push((at(&line, "/contact/started_at"), text(&line, "/person/name/family")));
    }
    here.sort();
    wanted.sort();
    Ok(here == wanted)
}

/// Is the server, until its input ends: each line asks what it has used.
pub async fn server(data: &Path, out: &mut impl Write) -> Result<()> {
    let server = Server::start(ServerConfig::local(data)).await?;
    say(out, &json!({"addr": server.addr}))?;
    for line in io::stdin().lines() {
        line?;
        say(out, &Usage::own()?.to_json())?;
    }
    Ok(server.shutdown().await?)
}

/// The other end of a process that speaks JSON lines.
pub struct Party {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Party {
    pub fn start(program: &Path, arguments: &[String]) -> Result<Party> {
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("a process of the bench")?;
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().context("its output")?);
        Ok(Party { child, input, output })
    }

    pub fn tell(&mut self, line: &str) -> Result<()> {
        writeln!(self.input.as_mut().context("its input")?, "{line}")?;
        Ok(())
    }

    pub fn hear(&mut self) -> Result<Value> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        serde_json::from_str(&line).context("a process of the bench ended early")
    }

    pub fn end(mut self) -> Result<()> {
        drop(self.input.take());
        ensure!(self.child.wait()?.success(), "a process of the bench failed");
        Ok(())
    }
}

impl Drop for Party {
    fn drop(&mut self) {
        drop(self.input.take());
        // One that was ended before is not there any more.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A server in its own process.
pub struct ServerParty {
    party: Party,
    pub addr: SocketAddr,
}

impl ServerParty {
    pub fn start(program: &Path, data: &Path) -> Result<ServerParty> {
        let data = data.to_string_lossy().into_owned();
        let mut party = Party::start(program, &["server".into(), data])?;
        let said = party.hear()?;
        let addr = said.get("addr").and_then(Value::as_str).context("an address")?.parse()?;
        Ok(ServerParty { party, addr })
    }

    pub fn usage(&mut self) -> Result<Usage> {
        self.party.tell("")?;
        Ok(Usage::from_json(&self.party.hear()?))
    }

    pub fn end(self) -> Result<()> {
        self.party.end()
    }
}

/// What one sync came to, on both sides.
#[derive(Debug, Clone, Copy, Default)]
pub struct Cost {
    /// Seconds.
    pub wall: f64,
    pub up: u64,
    pub down: u64,
    pub exchanges: u64,
    /// Changes that the server took in.
    pub accepted: usize,
    pub tablet: Usage,
    pub server: Usage,
    /// What the server held before it.
    pub server_before: f64,
    /// The least that the edits of this sync could cost in bytes.
    pub edits_floor: u64,
}

/// One sync of a tablet in its own process. Blocks.
pub fn sync(program: &Path, server: &mut ServerParty, arguments: &ClientArguments) -> Result<Cost> {
    let mut party = Party::start(program, &arguments.to_vec())?;
    let ready = party.hear()?;
    let before = server.usage()?;
    party.tell("GO")?;
    let done = party.hear()?;
    let after = server.usage()?;
    ensure!(done.get("ok") == Some(&json!(true)), "a sync failed: {done}");
    party.tell("EXIT")?;
    party.end()?;
    let number = |path: &str| done.pointer(path).and_then(Value::as_u64).unwrap_or_default();
    Ok(Cost {
        wall: done.get("wall").and_then(Value::as_f64).unwrap_or_default(),
        up: number("/report/bytes_up"),
        down: number("/report/bytes_down"),
        exchanges: number("/report/exchanges"),
        accepted: usize::try_from(number("/report/accepted"))?,
        tablet: done.get("used").map(Usage::from_json).unwrap_or_default(),
        server: Usage { cpu: after.cpu - before.cpu, ..after },
        server_before: before.memory,
        edits_floor: ready.get("floor").and_then(Value::as_u64).unwrap_or_default(),
    })
}

impl ClientArguments {
    fn to_vec(&self) -> Vec<String> {
        let op = self.op.to_possible_value().map(|op| op.get_name().to_owned()).unwrap_or_default();
        let mut all = vec!["client".into(), "--op".into(), op, "--n".into(), self.n.to_string()];
        for (name, value) in [
            ("--dir", Some(self.dir.to_string_lossy().into_owned())),
            ("--data", self.data.as_ref().map(|data| data.to_string_lossy().into_owned())),
            ("--mutate", self.mutate.clone()),
        ] {
            all.extend(value.into_iter().flat_map(|value| [name.to_owned(), value]));
        }
        all
    }
}
