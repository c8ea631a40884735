//! `wayside serve` as processes of their own, with real signals: one over SQLite, or several over one PostgreSQL behind a
//! balancer.

use std::{
    ffi::OsString,
    fs::{self, File},
    io::{BufRead, BufReader, Write},
    net::SocketAddr,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        LazyLock,
        atomic::{AtomicU32, Ordering},
    },
};

use anyhow::{Context, Result, anyhow, ensure};
use rustix::process::{Pid, Signal, kill_process};

use wayside_server::{Base, Clock, Places};

use crate::{
    balancer::{Balancer, Health, Listening},
    field::copy_dir,
    postgres::Postgres,
};

/// Where the log is when it is not in the data directory: two files, each with the address of a database, since a password is
/// not for anybody who lists the processes.
#[derive(Clone)]
pub struct Databases {
    log: PathBuf,
    ledger: PathBuf,
}

impl Databases {
    /// Writes down the addresses of a log and a ledger.
    pub fn at(dir: &Path, log: &str, ledger: &str) -> Result<Databases> {
        let write = |name: &str, url: &str| -> Result<PathBuf> {
            let path = dir.join(name);
            let mut file = File::options().write(true).create(true).truncate(true).mode(0o600).open(&path)?;
            file.write_all(url.as_bytes())?;
            Ok(path)
        };
        Ok(Databases { log: write("log.url", log)?, ledger: write("ledger.url", ledger)? })
    }

    /// Two new databases of the one PostgreSQL server that all tests of this process share.
    pub fn shared(dir: &Path) -> Result<Databases> {
        static SERVER: LazyLock<Result<Postgres, String>> =
            LazyLock::new(|| Postgres::start().map_err(|error| format!("{error:#}")));
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let server = SERVER.as_ref().map_err(|error| anyhow!("{error}"))?;
        let n = COUNT.fetch_add(1, Ordering::Relaxed);
        let [log, ledger] = ["log", "ledger"].map(|what| format!("{what}_{n}"));
        server.create(&log)?;
        server.create(&ledger)?;
        Databases::at(dir, &server.url(&log), &server.url(&ledger))
    }

    fn named(&self) -> [String; 2] {
        [&self.log, &self.ledger].map(|path| format!("file:{}", path.display()))
    }

    /// As `wayside` takes them.
    pub fn arguments(&self) -> Vec<String> {
        let [log, ledger] = self.named();
        vec!["--log".into(), log, "--ledger".into(), ledger]
    }

    /// As a base in this process takes them.
    pub fn places(&self) -> Result<Places> {
        let [log, ledger] = self.named();
        Ok(Places::parse(Some(&log), Some(&ledger))?)
    }
}

/// A base over these databases in this process, for what an administrator does. Its keys lie in `data` already.
pub fn base_over(data: &Path, log: &str, ledger: &str) -> Result<Base> {
    let places = Places::parse(Some(log), Some(ledger))?;
    Ok(Base::open_at(data, &places, Clock::default())?)
}

/// One server, running or not.
pub struct Node {
    program: PathBuf,
    pub data: PathBuf,
    arguments: Vec<String>,
    environment: Vec<(OsString, OsString)>,
    /// After the first start it keeps its address.
    listen: String,
    child: Option<Child>,
}

impl Node {
    /// `arguments` are those of `wayside serve`, but for `--data` and `--listen`.
    pub fn new(program: &Path, data: &Path, arguments: Vec<String>) -> Node {
        let listen = "127.0.0.1:0".into();
        let (program, data, environment) = (program.to_owned(), data.to_owned(), Vec::new());
        Node { program, data, arguments, environment, listen, child: None }
    }

    /// What it is given beside its arguments from its next start on.
    pub fn with(&mut self, environment: Vec<(OsString, OsString)>) {
        self.environment = environment;
    }

    /// Starts the server and waits until it listens.
    pub fn start(&mut self) -> Result<()> {
        ensure!(self.child.is_none(), "it runs already");
        let said = self.data.with_extension("log");
        let mut child = Command::new(&self.program)
            .args(["serve", "--listen", &self.listen, "--data"])
            .arg(&self.data)
            .args(&self.arguments)
            .envs(self.environment.iter().cloned())
            .stdout(Stdio::piped())
            .stderr(File::options().create(true).append(true).open(&said)?)
            .spawn()
            .context("the server starts")?;
        let out = child.stdout.take().context("the server's output")?;
        self.child = Some(child);
        let mut lines = BufReader::new(out).lines().map_while(Result::ok);
        let listens =
            lines.find_map(|line| line.split_once("https://").map(|(_, address)| address.to_owned()));
        let address = listens.ok_or_else(|| {
            anyhow!("the server does not listen: {}", fs::read_to_string(&said).unwrap_or_default())
        })?;
        self.listen = address.split_whitespace().next().unwrap_or_default().trim_end_matches('/').to_owned();
        Ok(())
    }

    pub fn runs(&self) -> bool {
        self.child.is_some()
    }

    /// Its process, while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// Where it listens, or did.
    pub fn addr(&self) -> Result<SocketAddr> {
        self.listen.parse().context("the server was bound once")
    }

    /// Waits for its end, which somebody else has brought about.
    pub fn died(&mut self) -> Result<()> {
        if let Some(mut child) = self.child.take() {
            child.wait()?;
        }
        Ok(())
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        if let Some(child) = &self.child {
            kill_process(Pid::from_child(child), signal)?;
        }
        Ok(())
    }

    /// `kill -9`: no chance to tidy up.
    pub fn kill(&mut self) -> Result<()> {
        if let Some(mut child) = self.child.take() {
            child.kill()?;
            child.wait()?;
        }
        Ok(())
    }

    /// As an administrator stops it: SIGTERM, and a clean end.
    pub fn stop(&mut self) -> Result<()> {
        self.signal(Signal::TERM)?;
        if let Some(mut child) = self.child.take() {
            ensure!(child.wait()?.success(), "a clean end");
        }
        Ok(())
    }

    /// Has it look at the files of its certificate.
    pub fn hang_up(&self) -> Result<()> {
        self.signal(Signal::HUP)
    }

    /// Nothing moves until [`Self::resume`]; connections stay open.
    pub fn pause(&self) -> Result<()> {
        self.signal(Signal::STOP)
    }

    pub fn resume(&self) -> Result<()> {
        self.signal(Signal::CONT)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.kill();
    }
}

/// Several servers of the same keys and databases, and the balancer in front of them, which tablets are told of.
pub struct Nodes {
    pub nodes: Vec<Node>,
    address: SocketAddr,
    balancer: Option<Balancer>,
    /// Before the first start.
    listening: Option<Listening>,
}

impl Nodes {
    /// One server for each of `databases`, which lead to the same ones, each in a directory of its own: `DIR/base`,
    /// `DIR/base-1` and so on.
    pub fn new(program: &Path, dir: &Path, databases: &[Databases]) -> Result<Nodes> {
        let listening = Listening::bind()?;
        let address = listening.addr()?;
        let node = |(n, databases): (usize, &Databases)| {
            let mut arguments = databases.arguments();
            arguments.extend(["--url".into(), format!("https://{address}")]);
            let name = if n == 0 { "base".into() } else { format!("base-{n}") };
            Node::new(program, &dir.join(name), arguments)
        };
        let nodes = databases.iter().enumerate().map(node).collect();
        Ok(Nodes { nodes, address, balancer: None, listening: Some(listening) })
    }

    /// Where the balancer listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn balancer(&self) -> Result<&Balancer> {
        self.balancer.as_ref().context("nobody is served")
    }

    /// Starts all that do not run, and returns when all are ready.
    pub fn start(&mut self) -> Result<()> {
        // The first one makes the keys.
        let keys = self.nodes.first().context("a node")?.data.join("keys");
        for node in self.nodes.iter_mut().filter(|node| !node.runs()) {
            if keys.exists() && !node.data.exists() {
                copy_dir(&keys, &node.data.join("keys"));
            }
            node.start()?;
        }
        if self.balancer.is_none() {
            let listening = match self.listening.take() {
                Some(listening) => listening,
                None => Listening::again(self.address)?,
            };
            let certificate = fs::read(keys.join("tls.crt"))?;
            let addresses: Vec<SocketAddr> = self.nodes.iter().map(Node::addr).collect::<Result<_>>()?;
            self.balancer = Some(Balancer::start(listening, &addresses, &certificate)?);
        }
        (0..self.nodes.len()).try_for_each(|n| self.balancer()?.until(n, Health::Ready))
    }

    /// Nobody answers at their address any more, each node having been ended in this way.
    pub fn end(&mut self, how: impl Fn(&mut Node) -> Result<()>) -> Result<()> {
        self.balancer = None;
        self.nodes.iter_mut().try_for_each(how)
    }
}
