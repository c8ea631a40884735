//! Other sync engines beside ours on the same contacts and links, by the bench that they come with: a folder with
//! `bench.py` and its README, of which a copy runs. Ours joins it as the peer `W`.

use std::{
    env, fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use wayside_server::{Server, ServerConfig, Signals};

use super::{TEAM, exchanges::copy, party};

/// Where our two processes find what was made beforehand: a server with its team, and a tablet that is enrolled in it.
const MADE: &str = "WAYSIDE_PEER_DIR";
/// The port that every client is told, where the bench's own link listens.
const PORT: u16 = 28_473;
const OURS: &str = "W";
/// The peer that needs a Rust build of its own.
const SAMOD: &str = "P3";
const SAMOD_PROGRAM: &str = "p3-samod/target/release/p3-samod";
/// One cell may take so many seconds.
const BOUND: &str = "600";

/// One peer in one scenario on one link, as the bench's `results.csv` has it.
pub struct Row(Vec<(String, String)>);

/// Runs the peers' bench in `scratch`, where a former run may have installed what it needs, and returns its rows.
pub fn run(program: &Path, folder: &Path, scratch: &Path, peers: &str, sizes: &[usize]) -> Result<Vec<Row>> {
    let missing = missing();
    ensure!(missing.is_empty(), "the peers need {}: please install it", missing.join(", "));
    copy_sources(folder, scratch)?;
    let wanted: Vec<&str> = peers.split(',').filter(|peer| *peer != OURS).collect();
    install(scratch, &wanted)?;
    join(program, scratch)?;
    let mut peers = wanted;
    // Right after the floor, which every other row is compared with.
    peers.insert(usize::from(peers.first() == Some(&"P0")), OURS);
    let results = scratch.join("results.csv");
    if results.exists() {
        fs::remove_file(&results)?;
    }
    for contacts in sizes {
        let (contacts, peers) = (contacts.to_string(), peers.join(","));
        let arguments =
            ["bench.py", "--peers", &peers, "--n", &contacts, "--links", "none,bad", "--bound", BOUND];
        step(scratch, "python3", &arguments, &[(MADE, &scratch.join("wayside"))])?;
    }
    rows(&results)
}

/// Programs that are not there.
fn missing() -> Vec<&'static str> {
    let runs = |program: &str, arguments: &[&str]| {
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    let all = [
        ("Node 20 or later (node)", runs("node", &["--version"])),
        ("npm", runs("npm", &["--version"])),
        ("Python 3.11 or later (python3)", runs("python3", &["--version"])),
        ("Python's venv module", runs("python3", &["-c", "import venv, ensurepip"])),
    ];
    all.into_iter().filter(|(_, runs)| !runs).map(|(name, _)| name).collect()
}

/// The bench's own files: what it made or installed stays where it was.
fn copy_sources(folder: &Path, scratch: &Path) -> Result<()> {
    ensure!(folder.join("bench.py").is_file(), "{} holds no bench.py", folder.display());
    fs::create_dir_all(scratch)?;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let to = scratch.join(entry.file_name());
        if entry.file_type()?.is_file() {
            fs::copy(entry.path(), to)?;
        } else if entry.file_name() == "p3-samod" {
            copy(&entry.path(), &to)?;
        }
    }
    Ok(())
}

fn install(scratch: &Path, peers: &[&str]) -> Result<()> {
    if !scratch.join("node_modules").is_dir() {
        step(scratch, "npm", &["install", "--no-audit", "--no-fund"], &[])?;
    }
    if !scratch.join(".venv").is_dir() {
        step(scratch, "python3", &["-m", "venv", ".venv"], &[])?;
        step(scratch, ".venv/bin/pip", &["-q", "install", "-r", "requirements.txt"], &[])?;
    }
    if peers.contains(&SAMOD) && !scratch.join(SAMOD_PROGRAM).is_file() {
        let folder = scratch.join("p3-samod");
        step(&folder, "cargo", &["build", "--release"], &[("CARGO_TARGET_DIR", &folder.join("target"))])?;
    }
    Ok(())
}

/// What a program of the bench prints goes where this program's messages go, away from its table.
fn step(dir: &Path, program: &str, arguments: &[&str], environment: &[(&str, &Path)]) -> Result<()> {
    let program = if program.contains('/') { dir.join(program) } else { program.into() };
    let status = Command::new(&program)
        .args(arguments)
        .envs(environment.iter().copied())
        .env("BENCH_PORT", PORT.to_string())
        .current_dir(dir)
        .stdin(Stdio::null())
        .stdout(std::io::stderr())
        .status()
        .with_context(|| format!("{} does not start", program.display()))?;
    ensure!(status.success(), "{} {} failed", program.display(), arguments.join(" "));
    Ok(())
}

/// Adds our line to the bench's list of peers.
fn join(program: &Path, scratch: &Path) -> Result<()> {
    const LIST: &str = "PEERS = {";
    let bench = scratch.join("bench.py");
    let source = fs::read_to_string(&bench)?;
    let (before, after) = source.split_once(LIST).context("bench.py has no list of peers")?;
    let (comment, after) = after.split_once('\n').context("bench.py has no list of peers")?;
    let program = json!(program);
    let line = format!("    \"{OURS}\": ([{program}, \"peer-server\"], [{program}, \"client\"], {{}}, 1),\n");
    Ok(fs::write(bench, format!("{before}{LIST}{comment}\n{line}{after}"))?)
}

fn rows(results: &Path) -> Result<Vec<Row>> {
    let mut table = csv::Reader::from_path(results).context("the bench left no results")?;
    let names: Vec<String> = table.headers()?.iter().map(str::to_owned).collect();
    let rows = table.records().map(|record| {
        let record = record?;
        Ok(Row(names.iter().cloned().zip(record.iter().map(str::to_owned)).collect()))
    });
    rows.collect()
}

impl Row {
    /// What stands in a column.
    pub fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    pub fn to_json(&self) -> Value {
        let plain = |text: &String| text.parse::<f64>().map_or_else(|_| json!(text), |number| json!(number));
        self.0.iter().map(|(name, value)| (name.clone(), plain(value))).collect()
    }
}

/// Of our peer, `prep`: a server and two tablets that know it, one of which has recorded everything.
pub async fn prepare(dir: &Path, data: &Path) -> Result<()> {
    let made = made()?;
    if made.exists() {
        fs::remove_dir_all(&made)?;
    }
    let listen = SocketAddr::from(([127, 0, 0, 1], port()?));
    let config = ServerConfig { listen: listen.to_string(), ..ServerConfig::local(made.join("base")) };
    let server = Server::start(config).await?;
    let base = server.base().clone();
    tokio::task::spawn_blocking(move || base.team_add(TEAM)).await??;
    let url = server.url().to_owned();
    party::enrolled(&server, &url, &made.join("fresh")).await?;
    let tablet = party::enrolled(&server, &url, dir).await?;
    server.shutdown().await?;
    party::record(&tablet, data)
}

/// Of our peer: an empty tablet that was enrolled beforehand.
pub fn enrolled_before(dir: &Path) -> Result<()> {
    copy(&made()?.join("fresh"), dir)
}

/// Of our peer: the server, until it is asked to end.
pub async fn server(port: u16, dir: &Path) -> Result<()> {
    if !dir.join("log.db").exists() {
        copy(&made()?.join("base"), dir)?;
    }
    let config = ServerConfig { listen: format!("127.0.0.1:{port}"), ..ServerConfig::local(dir) };
    let running = Server::start(config).await?;
    Ok(running.until_signal(Signals::heard()?).await?)
}

fn made() -> Result<PathBuf> {
    Ok(env::var_os(MADE).with_context(|| format!("{MADE} is not set"))?.into())
}

fn port() -> Result<u16> {
    match env::var("BENCH_PORT") {
        Ok(port) => Ok(port.parse()?),
        Err(_) => Ok(PORT),
    }
}

/// A contact in the shape that a tablet records: as it is, or made from one of the peers' bench.
pub fn contact(line: Value) -> Value {
    if line.get("contact").is_some() { line } else { from_peers(&line) }
}

fn from_peers(line: &Value) -> Value {
    let at = |path: &str| line.pointer(path).cloned().unwrap_or_default();
    let text = |path: &str| line.pointer(path).and_then(Value::as_str).unwrap_or_default().to_owned();
    let mut person = json!({
        "name": {"given": at("/person/given_name"), "family": at("/person/family_name")},
        "date_of_birth": at("/person/dob"),
        "sex": at("/person/sex"),
        "address": {"postcode": at("/person/postcode")},
        "ethnic_category": at("/person/ethnic_category"),
        "language": at("/person/preferred_language"),
        "interpreter_needed": at("/person/interpreter"),
        "consents": [{"purpose": "share_with_gp", "given": at("/consent/share_with_gp"), "at": at("/consent/at")}],
    });
    for (name, path) in [("nhs_number", "/person/nhs_number"), ("phone", "/person/phone")] {
        if !at(path).is_null() {
            person[name] = at(path);
        }
    }
    if !at("/person/gp_practice").is_null() {
        person["gp"] = json!({"registered": "yes", "ods_code": at("/person/gp_practice")});
    }
    let cuff = at("/bp/cuff");
    let readings = at("/bp/readings");
    let readings: Vec<Value> = readings
        .as_array()
        .into_iter()
        .flatten()
        .map(|reading| {
            // A few of theirs are no blood pressure, which a tablet would not take.
            let number = |name: &str| reading.get(name).and_then(Value::as_i64).unwrap_or_default();
            let systolic = number("systolic");
            json!({
                "taken_at": reading["at"], "systolic": systolic, "diastolic": number("diastolic").min(systolic - 1),
                "pulse": reading["pulse"], "arm": reading["arm"], "position": "sitting", "setting": "clinic",
                "cuff": cuff,
            })
        })
        .collect();
    let rhythm = if at("/bp/irregular_pulse") == json!(true) { "irregular" } else { "regular" };
    let mut contact = json!({
        "started_at": at("/recorded_at"),
        "check_type": "nhs_health_check",
        "bp": {"readings": readings, "pulse_rhythm": rhythm},
        "lifestyle": {"smoking": at("/checks/smoking"), "audit_c": at("/checks/alcohol")},
        "ext": {"outcome": at("/outcome")},
    });
    if !at("/checks/height_cm").is_null() {
        contact["measurements"] = json!([
            {"what": "height", "value": at("/checks/height_cm"), "unit": "cm"},
            {"what": "weight", "value": at("/checks/weight_kg"), "unit": "kg"},
        ]);
    }
    if !text("/notes").is_empty() {
        contact["notes"] = json!([{"text": at("/notes")}]);
    }
    let site = format!("Site {}", text("/session_id").chars().take(8).collect::<String>());
    let date: String = text("/recorded_at").chars().take(10).collect();
    json!({"session": {"site": site, "date": date, "setting": "van"}, "person": person, "contact": contact})
}
