//! What one, two and three servers over one PostgreSQL take in and give out, beside bare inserts of the same bytes into the same
//! PostgreSQL, as durable; and what they wait for.

mod load;
mod watched;

use std::{fs, path::Path, sync::Arc};

use anyhow::{Context, Result, ensure};
use postgres::{Client, NoTls};
use tempfile::TempDir;
use wayside_protocol::record::RecordId;
use wayside_server::Base;

pub use self::{load::Kind, watched::Bound};
use self::{
    load::{Answered, Load},
    watched::Watched,
};
use super::{Figure, prepared::PaperTablet};
use crate::{
    field::copy_dir,
    nodes::{Databases, Node, base_over},
    postgres::Postgres,
};

/// Teams where there are many.
const TEAMS: usize = 40;
/// Tablets of each run, all of them at once.
const TABLETS: usize = 64;
/// Contacts in a request after a day without signal, and in one while there is signal.
const LARGE: usize = 100;
const SMALL: usize = 1;
/// Connections of the floor: enough that a sync to disk serves several commits.
const WRITERS: usize = 16;

/// What is pushed in a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    pub teams: usize,
    /// In one request.
    pub contacts: usize,
    pub requests: usize,
}

impl Shape {
    /// Everything to one team or to many, in large requests or small ones.
    pub fn all(quick: bool) -> [Shape; 4] {
        let (large, small) = if quick { (40, 1_000) } else { (160, 4_000) };
        [(TEAMS, LARGE, large), (1, LARGE, large), (TEAMS, SMALL, small), (1, SMALL, small)]
            .map(|(teams, contacts, requests)| Shape { teams, contacts, requests })
    }

    /// A contact and its person.
    fn changes(self) -> usize {
        2 * self.contacts * self.requests
    }

    fn name(self) -> String {
        let teams = if self.teams == 1 { "one team" } else { "many teams" };
        format!("{} changes a request, {teams}", 2 * self.contacts)
    }
}

/// One run's figures and what bounded it.
pub struct Measured {
    pub figures: Vec<Figure>,
    pub bounds: Vec<Bound>,
}

/// Servers over databases of their own.
struct Servers {
    nodes: Vec<Node>,
    admin: Arc<Base>,
    certificate: Vec<u8>,
    _dir: TempDir,
}

impl Servers {
    fn start(program: &Path, postgres: &Postgres, name: &str, count: usize) -> Result<Servers> {
        let dir = tempfile::tempdir()?;
        let [log, ledger] = ["log", "ledger"].map(|what| format!("{what}_{name}"));
        postgres.create(&log)?;
        postgres.create(&ledger)?;
        let (log, ledger) = (postgres.url(&log), postgres.url(&ledger));
        let databases = Databases::at(dir.path(), &log, &ledger)?;
        let mut nodes: Vec<Node> = Vec::new();
        let admin = dir.path().join("admin");
        for n in 0..count {
            let data = dir.path().join(format!("node-{n}"));
            if let Some(first) = nodes.first() {
                copy_dir(&first.data.join("keys"), &data.join("keys"));
            }
            let mut node = Node::new(program, &data, databases.arguments());
            node.start()?;
            nodes.push(node);
        }
        let keys = nodes.first().context("a server")?.data.join("keys");
        copy_dir(&keys, &admin.join("keys"));
        let certificate = fs::read(keys.join("tls.crt"))?;
        let admin = Arc::new(base_over(&admin, &log, &ledger)?);
        Ok(Servers { nodes, admin, certificate, _dir: dir })
    }
}

/// Pushes, then looks in and pulls, through one to `most` servers. Blocks; must not run inside a runtime.
pub fn run(program: &Path, shape: Shape, most: usize) -> Result<Measured> {
    let mut measured = Measured { figures: Vec::new(), bounds: Vec::new() };
    let postgres = Postgres::start()?;
    let mut floor = None;
    for count in 1..=most {
        let servers = Servers::start(program, &postgres, &format!("n{count}"), count)?;
        let (load, raws) = prepared(&servers, shape)?;
        let watched = Watched::start(&postgres, &servers.nodes)?;
        let pushed = load.run(&servers, Kind::Push)?;
        measured.bounds.push(watched.end(format!("{}, {count} servers", shape.name()), pushed.changes)?);
        ensure!(pushed.changes == shape.changes(), "{} of {} changes", pushed.changes, shape.changes());
        let floor = match floor {
            Some(floor) => floor,
            None => *floor.insert(bare(&postgres, &raws, 2 * shape.contacts)?),
        };
        let rate = |what: &str, unit, answered: &Answered, count_of: usize, floor: f64, note| Figure {
            what: format!("{}, {count} servers: {what}", shape.name()),
            value: count_of as f64 / answered.seconds,
            unit,
            floor,
            note,
        };
        measured.figures.push(rate(
            "taken in",
            "changes/s",
            &pushed,
            pushed.changes,
            floor,
            "bare inserts, as many rows in a commit, 16 connections",
        ));
        // Reads don't care how it came in.
        if shape.contacts == LARGE && shape.teams > 1 {
            let looked = load.run(&servers, Kind::Look)?;
            let first = measured.figures.iter().find(|figure| figure.unit == "syncs/s");
            let one = first.map_or(looked.requests as f64 / looked.seconds, |figure| figure.value);
            let note = "one server";
            measured.figures.push(rate("nothing new", "syncs/s", &looked, looked.requests, one, note));
            let pulled = load.run(&servers, Kind::Pull)?;
            let first = measured.figures.iter().find(|figure| figure.unit == "changes/s pulled");
            let one = first.map_or(pulled.changes as f64 / pulled.seconds, |figure| figure.value);
            measured.figures.push(rate("pulled", "changes/s pulled", &pulled, pulled.changes, one, note));
        }
    }
    Ok(measured)
}

/// Requests that the servers have not seen, and the changes in them.
fn prepared(servers: &Servers, shape: Shape) -> Result<(Load, Vec<Vec<u8>>)> {
    let base = &servers.admin;
    let names: Vec<String> = (0..shape.teams).map(|n| format!("Team {n}")).collect();
    let teams: Vec<RecordId> = names.iter().map(|name| Ok(base.team_add(name)?)).collect::<Result<_>>()?;
    let mut tablets = (0..TABLETS)
        .map(|n| PaperTablet::enrolled(base, &names[n % names.len()], n as u64))
        .collect::<Result<Vec<_>>>()?;
    let now_ms = u64::try_from(jiff::Timestamp::now().as_millisecond())?;
    let (mut bodies, mut raws) = (Vec::new(), Vec::new());
    for n in 0..shape.requests {
        let tablet = &mut tablets[n % TABLETS];
        let (request, changes) = tablet.requests(shape.contacts, n as u64, now_ms)?;
        bodies.extend(request);
        raws.extend(changes);
    }
    Ok((Load::new(bodies, tablets, teams), raws))
}

/// Changes a second that PostgreSQL takes as bare rows, so many in a commit.
fn bare(postgres: &Postgres, raws: &[Vec<u8>], at_once: usize) -> Result<f64> {
    postgres.create("bare")?;
    let table = "CREATE TABLE log (writer BIGINT, seq BIGINT, raw BYTEA, PRIMARY KEY (writer, seq))";
    postgres.sql("bare", table)?;
    let url = postgres.url("bare");
    let commits: Vec<&[Vec<u8>]> = raws.chunks(at_once).collect();
    let clients = (0..WRITERS).map(|_| Ok(Client::connect(&url, NoTls)?)).collect::<Result<Vec<_>>>()?;
    let begun = std::time::Instant::now();
    std::thread::scope(|scope| -> Result<()> {
        let write = |(writer, mut client): (usize, Client)| {
            let commits = &commits;
            scope.spawn(move || -> Result<()> {
                let sql = "INSERT INTO log SELECT $1, * FROM unnest($2::bigint[], $3::bytea[])";
                let insert = client.prepare(sql)?;
                for (n, rows) in commits.iter().enumerate().skip(writer).step_by(WRITERS) {
                    let seqs: Vec<i64> = (0..rows.len()).map(|i| (n * at_once + i) as i64).collect();
                    client.execute(&insert, &[&(writer as i64), &seqs, rows])?;
                }
                Ok(())
            })
        };
        let writing: Vec<_> = clients.into_iter().enumerate().map(write).collect();
        writing.into_iter().try_for_each(|one| one.join().map_err(|_| anyhow::anyhow!("a panic"))?)
    })?;
    Ok(raws.len() as f64 / begun.elapsed().as_secs_f64())
}
