//! The product from outside, as a person at a terminal has it: the server's and the tablet's
//! programs as processes of their own, with real files, real TLS and real signals.

use std::{
    collections::BTreeSet,
    io::Write,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::Value;
use tempfile::TempDir;
use wayside_server::ServerConfig;

use crate::{
    day::{self, TabletPlan},
    nodes::{Databases, Node, Nodes},
};

/// How many servers there are over one PostgreSQL.
const NODES: usize = 3;

/// The programs, built with this crate: `env!("CARGO_BIN_EXE_...")` is known to tests only.
#[derive(Clone)]
pub struct Programs {
    pub server: PathBuf,
    pub tablet: PathBuf,
    /// Whether the base is three servers over PostgreSQL behind a balancer, not one over SQLite.
    pub on_postgres: bool,
}

/// What the programs of one test are called. The tests in `tests/on_postgres` are those of other files, over PostgreSQL.
#[macro_export]
macro_rules! programs {
    () => {
        $crate::field::Programs {
            server: env!("CARGO_BIN_EXE_wayside-under-test").into(),
            tablet: env!("CARGO_BIN_EXE_wayside-tablet-under-test").into(),
            on_postgres: env!("CARGO_CRATE_NAME") == "on_postgres" && !$crate::postgres::skipped(),
        }
    };
}

/// A place on disk for one base and its tablets, gone at the end of the test.
pub struct Field {
    pub programs: Programs,
    // Ended before what it writes to is removed.
    serving: Serving,
    databases: Option<Databases>,
    pub dir: TempDir,
}

enum Serving {
    One(Node),
    Many(Nodes),
}

impl Field {
    pub fn new(programs: Programs) -> Field {
        Field::with_arguments(programs, Vec::new())
    }

    /// The same; where there is one server it is given these arguments.
    pub fn with_arguments(programs: Programs, arguments: Vec<String>) -> Field {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let (server, at) = (&programs.server, dir.path());
        let databases = programs.on_postgres.then(|| Databases::shared(at).expect("PostgreSQL"));
        let serving = match &databases {
            None => Serving::One(Node::new(server, &at.join("base"), arguments)),
            Some(databases) => {
                let all = vec![databases.clone(); NODES];
                Serving::Many(Nodes::new(server, at, &all).expect("a balancer"))
            }
        };
        Field { programs, serving, databases, dir }
    }

    /// A server that has been bound once, the team Leeds East, and tablets enrolled in it.
    pub fn with<const N: usize>(programs: Programs, tablets: [&str; N]) -> (Field, [TabletCli; N]) {
        let mut field = Field::new(programs);
        field.serve();
        field.wayside_text(&["team", "add", "Leeds East"]);
        let tablets = tablets.map(|name| field.enrolled(name, "Leeds East"));
        (field, tablets)
    }

    fn data(&self) -> PathBuf {
        self.dir.path().join("base")
    }

    /// For a server in this process on the same data.
    pub fn config(&self) -> ServerConfig {
        let places = self.databases.as_ref().map(|databases| databases.places().expect("two addresses"));
        ServerConfig { places: places.unwrap_or_default(), ..ServerConfig::local(self.data()) }
    }

    /// Starts the base and waits until it listens. After the first time it has the same address.
    pub fn serve(&mut self) {
        match &mut self.serving {
            Serving::One(node) => node.start(),
            Serving::Many(nodes) => nodes.start(),
        }
        .expect("the base starts");
    }

    /// Where tablets find the base, or did.
    pub fn address(&self) -> SocketAddr {
        match &self.serving {
            Serving::One(node) => node.addr().expect("the server was bound once"),
            Serving::Many(nodes) => nodes.address(),
        }
    }

    /// `kill -9`: no chance to tidy up.
    pub fn kill_server(&mut self) {
        match &mut self.serving {
            Serving::One(node) => node.kill(),
            Serving::Many(nodes) => nodes.end(Node::kill),
        }
        .expect("the base can be killed");
    }

    /// As an administrator stops it: SIGTERM, and a clean end.
    pub fn stop_server(&mut self) {
        match &mut self.serving {
            Serving::One(node) => node.stop(),
            Serving::Many(nodes) => nodes.end(Node::stop),
        }
        .expect("a clean end");
    }

    /// A `wayside` command on this base's data.
    pub fn wayside(&self, args: &[&str]) -> Output {
        Command::new(&self.programs.server)
            .args(args)
            .arg("--data")
            .arg(self.data())
            .args(self.databases.iter().flat_map(Databases::arguments))
            .output()
            .expect("wayside runs")
    }

    /// A `wayside` command that must succeed, and what it printed.
    pub fn wayside_text(&self, args: &[&str]) -> String {
        let output = self.wayside(args);
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text").trim_end().to_owned()
    }

    pub fn wayside_json(&self, args: &[&str]) -> Value {
        let mut args = args.to_vec();
        args.push("--json");
        serde_json::from_str(&self.wayside_text(&args)).expect("JSON")
    }

    /// A tablet that has never been used.
    pub fn tablet(&self, name: &str) -> TabletCli {
        TabletCli {
            program: self.programs.tablet.clone(),
            dir: self.dir.path().join(name),
            name: name.to_owned(),
        }
    }

    /// A tablet enrolled in `team`; the server must have been bound once.
    pub fn enrolled(&self, name: &str, team: &str) -> TabletCli {
        let tablet = self.tablet(name);
        let code = self.wayside_text(&["enrol-code", "--team", team]);
        tablet.ok(&["enrol", &code, "--name", name]);
        tablet
    }
}

/// One tablet, driven by `wayside-tablet`.
pub struct TabletCli {
    program: PathBuf,
    pub dir: PathBuf,
    pub name: String,
}

impl TabletCli {
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.arg("--dir").arg(&self.dir).args(args);
        command
    }

    pub fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().expect("wayside-tablet runs")
    }

    /// Must succeed; what it printed.
    pub fn ok(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert!(
            output.status.success(),
            "{} {args:?}: {}",
            self.name,
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).expect("text").trim_end().to_owned()
    }

    pub fn json(&self, args: &[&str]) -> Value {
        let mut args = args.to_vec();
        args.push("--json");
        serde_json::from_str(&self.ok(&args)).expect("JSON")
    }

    /// Syncs without an error; the report.
    pub fn sync(&self) -> Value {
        let report = self.json(&["sync"]);
        assert_eq!(report["error"], Value::Null, "{}: {report}", self.name);
        report
    }

    /// Must fail; the one JSON object on standard error.
    pub fn refused(&self, args: &[&str]) -> Value {
        let output = self.run(args);
        assert_eq!(output.status.code(), Some(1), "{} {args:?} should be refused", self.name);
        serde_json::from_slice(&output.stderr).expect("one JSON object on standard error")
    }

    /// Records lines and returns the contacts' ids, one for each line that was committed.
    pub fn record(&self, lines: &[Value]) -> Vec<String> {
        let (ids, output) = self.record_with(&[], lines);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        ids
    }

    pub fn record_with(&self, args: &[&str], lines: &[Value]) -> (Vec<String>, Output) {
        let file = self.dir.with_extension("lines");
        write_lines(&file, lines);
        let mut all = vec!["record", file.to_str().expect("a plain path")];
        all.extend_from_slice(args);
        let output = self.run(&all);
        let ids = String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect();
        (ids, output)
    }
}

/// The first so many lines of a tablet's day in the mosque.
pub fn lines(seed: u64, tablet: &str, count: usize) -> Vec<Value> {
    let plan = TabletPlan::new(tablet, "Masjid Al-Noor", count);
    let date = "2026-11-20".parse().expect("a date");
    (0..count).map(|i| day::contact(seed, date, &plan, i)).collect()
}

/// The ids of records in a list.
pub fn ids(list: &Value) -> BTreeSet<String> {
    let ids = list.as_array().into_iter().flatten().filter_map(|record| record["id"].as_str());
    ids.map(str::to_owned).collect()
}

/// Copies a folder with all that is in it.
pub fn copy_dir(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder").map(|entry| entry.expect("a file")) {
        let target = to.join(entry.file_name());
        if entry.file_type().expect("a file").is_dir() {
            copy_dir(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).expect("a copy");
        }
    }
}

pub fn write_lines(file: &Path, lines: &[Value]) {
    let mut out = std::fs::File::create(file).expect("a file");
    for line in lines {
        writeln!(out, "{line}").expect("a line");
    }
}

/// Whether a text stands among these bytes.
pub fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

/// Files below a directory in which a text can be read.
pub fn files_with(dir: &Path, text: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(files_with(&path, text));
        } else {
            let bytes = std::fs::read(&path).expect("a file");
            found.extend(holds(&bytes, text).then_some(path));
        }
    }
    found
}

/// Only that it was wiped, and a lock: no database, no journal of one, nothing temporary.
pub fn is_wiped(dir: &Path) {
    let names = dir
        .read_dir()
        .expect("a directory")
        .map(|file| file.expect("a file").file_name().into_string().expect("a plain name"));
    let names: BTreeSet<String> = names.collect();
    assert_eq!(names, BTreeSet::from(["sync.lock".to_owned(), "wiped".to_owned()]));
}
