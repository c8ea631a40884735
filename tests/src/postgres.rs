//! Real PostgreSQL servers, from Debian's packages, each in a temporary directory as a system user of its own, as durable as
//! in real life. They can be killed, paused, followed by a synchronous standby, promoted, and are gone with the tests' process,
//! however that ends.
#![allow(clippy::print_stderr)]

mod backups;

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    os::unix::{fs::chown, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use rand::RngExt;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// Who owns a cluster and who runs it when the tests run as root, which PostgreSQL refuses to.
const USER: &str = "postgres";
/// Below those that the system hands out for outgoing connections, so that a server finds its port free when it starts again.
const PORTS: std::ops::Range<u16> = 15_000..30_000;
/// A start on a machine that has a lot to do; far more than it takes.
const PATIENCE: Duration = Duration::from_secs(120);
/// What the standby is called where the primary waits for it.
const STANDBY: &str = "standby";

/// Ends with whoever holds its standard input: kills the server that runs in a directory, and removes that.
const WATCHDOG: &str = r#"
cat >/dev/null
pid=$(head -n 1 "$1/data/postmaster.pid" 2>/dev/null)
# The file of a server that was killed stays, and its number may be somebody else's by now.
if [ -n "$pid" ] && [ "$(readlink "/proc/$pid/cwd")" = "$1/data" ]; then kill -KILL "$pid"; fi
tries=0
# Its last processes may still be writing.
until rm -rf "$1" 2>/dev/null || [ $tries -ge 100 ]; do tries=$((tries + 1)); sleep 0.1; done
"#;

/// One server and its files, running or not.
pub struct Postgres {
    installed: Installed,
    dir: PathBuf,
    port: u16,
    password: String,
    running: Option<Child>,
    watchdog: Child,
    /// The watchdog lives as long as this is open.
    leash: Option<ChildStdin>,
}

/// Whether tests may go without PostgreSQL: only `WAYSIDE_POSTGRES=skip` says so.
pub fn skipped() -> bool {
    let skipped = std::env::var("WAYSIDE_POSTGRES").is_ok_and(|value| value == "skip");
    if skipped {
        eprintln!("Skipped: WAYSIDE_POSTGRES=skip leaves PostgreSQL out.");
    }
    skipped
}

/// Where its programs are, and how to become its user.
#[derive(Clone)]
struct Installed {
    programs: PathBuf,
    /// User and group by number, where the tests run as root.
    user: Option<(u32, u32)>,
}

impl Installed {
    fn find() -> Result<Installed> {
        let missing = "PostgreSQL is not installed: `tests/run` installs it, or `apt-get install postgresql`; \
                       WAYSIDE_POSTGRES=skip leaves its tests out";
        let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
        let number = |path: &PathBuf| path.file_name().and_then(|name| name.to_str()?.parse::<u32>().ok());
        let newest = versions.map(|entry| entry.path()).max_by_key(number);
        let debian = newest.map(|version| version.join("bin"));
        let path = std::env::var_os("PATH").unwrap_or_default();
        let elsewhere = std::env::split_paths(&path).find(|dir| dir.join("initdb").is_file());
        let programs = debian.filter(|dir| dir.join("initdb").is_file()).or(elsewhere).context(missing)?;
        let user = if rustix::process::geteuid().is_root() { Some((id("-u")?, id("-g")?)) } else { None };
        Ok(Installed { programs, user })
    }

    /// One of its programs, run as its user. `setpriv` becomes the program, so a process's number is the program's own.
    fn command(&self, program: &str) -> Command {
        let program = self.programs.join(program);
        let mut command = match self.user {
            Some((user, group)) => {
                let mut command = Command::new("setpriv");
                command.args([format!("--reuid={user}"), format!("--regid={group}")]);
                command.arg("--clear-groups").arg(program);
                command
            }
            None => Command::new(program),
        };
        // Not where its user may not be; and what ends the tests by Ctrl-C is the watchdog.
        command.current_dir("/").stdin(Stdio::null()).process_group(0);
        command
    }

    fn run(&self, program: &str, dress: impl FnOnce(&mut Command)) -> Result<String> {
        let mut command = self.command(program);
        dress(&mut command);
        let output = command.output().with_context(|| format!("{program} runs"))?;
        ensure!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8(output.stdout)?.trim_end().to_owned())
    }
}

fn id(which: &str) -> Result<u32> {
    let output = Command::new("id").args([which, USER]).output().context("id runs")?;
    ensure!(output.status.success(), "there is no user {USER}, as whom PostgreSQL would run");
    Ok(String::from_utf8(output.stdout)?.trim().parse()?)
}

impl Postgres {
    /// A new server, alone.
    pub fn start() -> Result<Postgres> {
        let mut server = Postgres::prepare(Installed::find()?, password())?;
        let secret = server.dir.join("password");
        server.write(&secret, &server.password)?;
        let data = server.data();
        server.installed.run("initdb", |command| {
            // What follows is synced to disk; an empty cluster that is lost is made again.
            command.args(["--no-sync", "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8"]);
            command.arg("--username").arg(USER).arg("--pwfile").arg(secret).arg("--pgdata").arg(data);
        })?;
        server.run()?;
        Ok(server)
    }

    /// A standby for which every commit on `self` waits from now on.
    pub fn synchronous_standby(&self) -> Result<Postgres> {
        let mut standby = Postgres::prepare(self.installed.clone(), self.password.clone())?;
        let data = standby.data();
        let from = format!(
            "host=127.0.0.1 port={} user={USER} password={} application_name={STANDBY}",
            self.port, self.password
        );
        standby.installed.run("pg_basebackup", |command| {
            command.args(["--no-sync", "--checkpoint=fast", "--wal-method=stream", "--write-recovery-conf"]);
            command.arg("--dbname").arg(from).arg("--pgdata").arg(data);
        })?;
        standby.run()?;
        self.sql("postgres", &format!("ALTER SYSTEM SET synchronous_standby_names = 'FIRST 1 ({STANDBY})'"))?;
        self.sql("postgres", "SELECT pg_reload_conf()")?;
        self.until("SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'", "1")?;
        Ok(standby)
    }

    /// Directory, port and watchdog.
    fn prepare(installed: Installed, password: String) -> Result<Postgres> {
        let dir = TempDir::with_prefix("wayside-postgres-")?.keep();
        if let Some((user, group)) = installed.user {
            chown(&dir, Some(user), Some(group))?;
        }
        let mut watchdog = Command::new("sh")
            .args(["-c", WATCHDOG, "watchdog"])
            .arg(&dir)
            .stdin(Stdio::piped())
            .process_group(0)
            .spawn()
            .context("a watchdog")?;
        let leash = watchdog.stdin.take();
        Ok(Postgres { installed, dir, port: free_port()?, password, running: None, watchdog, leash })
    }

    /// The directory of its cluster.
    pub fn data(&self) -> PathBuf {
        self.dir.join("data")
    }

    fn write(&self, file: &Path, text: &str) -> Result<()> {
        fs::write(file, text)?;
        if let Some((user, group)) = self.installed.user {
            chown(file, Some(user), Some(group))?;
        }
        Ok(())
    }

    /// Starts it and waits until it takes connections. After [`Self::kill`] or [`Self::stop`] it goes on with what it has.
    pub fn run(&mut self) -> Result<()> {
        ensure!(self.running.is_none(), "it runs already");
        let mut child = self
            .installed
            .command("postgres")
            .arg("-D")
            .arg(self.data())
            .args(["-p", &self.port.to_string(), "-c", "listen_addresses=127.0.0.1"])
            // As durable as file by file, after a crash and for a new standby, and much sooner done.
            .args(["-c", "recovery_init_sync_method=syncfs"])
            .args(["-c", "max_connections=300", "-c"])
            .arg(format!("unix_socket_directories={}", self.dir.display()))
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .context("PostgreSQL starts")?;
        let said = child.stderr.take().context("its log")?;
        let log = fs::File::options().create(true).append(true).open(self.dir.join("log"))?;
        let (ready, is_ready) = mpsc::channel();
        std::thread::spawn(move || keep_log(BufReader::new(said), log, &ready));
        self.running = Some(child);
        if is_ready.recv_timeout(PATIENCE).is_err() {
            let log = fs::read_to_string(self.dir.join("log")).unwrap_or_default();
            bail!("PostgreSQL did not start:\n{log}");
        }
        Ok(())
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// A database of this server as Wayside is told of it. The password is in it.
    pub fn url(&self, database: &str) -> String {
        self.url_by(&[self.port], database)
    }

    /// The same by way of other ports of this machine, one of which leads to a server that takes writes.
    pub fn url_by(&self, ports: &[u16], database: &str) -> String {
        let hosts: Vec<String> = ports.iter().map(|port| format!("127.0.0.1:{port}")).collect();
        let (hosts, password) = (hosts.join(","), &self.password);
        format!("postgres://{USER}:{password}@{hosts}/{database}?target_session_attrs=read-write")
    }

    pub fn create(&self, database: &str) -> Result<()> {
        self.sql("postgres", &format!("CREATE DATABASE {database}")).map(drop)
    }

    /// What a query gives, a line for each row.
    pub fn sql(&self, database: &str, sql: &str) -> Result<String> {
        self.installed.run("psql", |command| {
            command.env("PGPASSWORD", &self.password);
            command.args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "-U", USER, "-d", database]);
            command.args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "-v", "ON_ERROR_STOP=1"]);
            command.args(["-c", sql]);
        })
    }

    /// Asks again until the answer is this.
    pub fn until(&self, sql: &str, wanted: &str) -> Result<()> {
        let begun = Instant::now();
        loop {
            let answer = self.sql("postgres", sql)?;
            if answer == wanted {
                return Ok(());
            }
            ensure!(begun.elapsed() < PATIENCE, "{sql}: {answer}, not {wanted}");
        }
    }

    /// The main process and all of its children, as long as it runs. New ones may come unless it is stopped.
    pub fn processes(&self) -> Vec<u32> {
        let Some(main) = self.running.as_ref().map(Child::id) else { return Vec::new() };
        let children = fs::read_to_string(format!("/proc/{main}/task/{main}/children")).unwrap_or_default();
        std::iter::once(main).chain(children.split_whitespace().filter_map(|pid| pid.parse().ok())).collect()
    }

    fn signal_all(&self, signal: Signal) {
        for pid in self.processes() {
            // One that has ended needs no signal.
            let _ = Pid::from_raw(pid as i32).map(|pid| kill_process(pid, signal));
        }
    }

    /// As when the machine goes down: every process at once, in the middle of whatever it does.
    pub fn kill(&mut self) -> Result<()> {
        self.pause();
        self.signal_all(Signal::KILL);
        if let Some(mut child) = self.running.take() {
            child.wait()?;
        }
        Ok(())
    }

    /// Nothing moves until [`Self::resume`]; connections stay open.
    pub fn pause(&self) {
        // Again, for children that came in between. Stopped first, the main process has no more.
        while !self.processes().into_iter().all(is_stopped) {
            self.signal_all(Signal::STOP);
        }
    }

    pub fn resume(&self) {
        self.signal_all(Signal::CONT);
    }

    /// As an administrator stops it.
    pub fn stop(&mut self) -> Result<()> {
        if let Some(mut child) = self.running.take() {
            kill_process(Pid::from_child(&child), Signal::INT)?;
            child.wait()?;
        }
        Ok(())
    }

    /// A standby becomes the one that takes writes. Returns when it does.
    pub fn promote(&self) -> Result<()> {
        let promoted = self.sql("postgres", "SELECT pg_promote(true, 120)")?;
        ensure!(promoted == "t", "the standby was not promoted");
        Ok(())
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let _ = self.kill();
        drop(self.leash.take());
        let _ = self.watchdog.wait();
    }
}

/// Whether a process stands still, or is no more.
pub fn is_stopped(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // Its name comes first, in brackets.
    stat.rsplit_once(')').is_none_or(|(_, rest)| rest.trim_start().starts_with(['T', 'Z', 'X']))
}

/// Keeps what the server says, and tells when it takes connections.
fn keep_log(said: impl BufRead, mut log: fs::File, ready: &mpsc::Sender<()>) {
    for line in said.lines().map_while(std::result::Result::ok) {
        let _ = writeln!(log, "{line}");
        if line.contains("ready to accept") {
            let _ = ready.send(());
        }
    }
}

fn password() -> String {
    format!("{:032x}", rand::rng().random::<u128>())
}

fn free_port() -> Result<u16> {
    let mut rng = rand::rng();
    let mut tried = (0..100).map(|_| rng.random_range(PORTS));
    tried.find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()).context("a free port")
}
