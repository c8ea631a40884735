//! Many tablets at once, each request on a connection of its own, as they come over the air.

use std::{net::SocketAddr, sync::Arc, time::Instant};

use anyhow::{Context, Result, ensure};
use rustls::pki_types::ServerName;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
};
use tokio_rustls::TlsConnector;
use wayside_protocol::{
    record::RecordId,
    sync::{
        Frame, SetSum,
        frame::{Item, Place, Verdict, decode},
    },
};
use wayside_server::log;

use super::{PaperTablet, Servers, TABLETS};
use crate::{balancer::trusting, nodes::Node};

/// How often everybody looks in, and pulls.
const LOOKS: usize = 40;
const PULLS: usize = 3;

/// What tablets do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Give what they have.
    Push,
    /// Ask, and learn that there is nothing new.
    Look,
    /// Fetch what an answer carries, from the beginning.
    Pull,
}

pub struct Load {
    pushes: Vec<Vec<u8>>,
    tablets: Vec<PaperTablet>,
    teams: Vec<RecordId>,
}

pub struct Answered {
    pub requests: usize,
    pub changes: usize,
    pub seconds: f64,
}

impl Load {
    pub fn new(pushes: Vec<Vec<u8>>, tablets: Vec<PaperTablet>, teams: Vec<RecordId>) -> Load {
        Load { pushes, tablets, teams }
    }

    pub fn run(&self, servers: &Servers, kind: Kind) -> Result<Answered> {
        let bodies = match kind {
            Kind::Push => self.pushes.clone(),
            Kind::Look => self.asking(servers, LOOKS, true)?,
            Kind::Pull => self.asking(servers, PULLS, false)?,
        };
        let addresses: Vec<SocketAddr> = servers.nodes.iter().map(Node::addr).collect::<Result<_>>()?;
        let tls = trusting(&servers.certificate)?;
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        runtime.block_on(send(bodies, addresses, tls, kind))
    }

    /// Each tablet so many times, with all of its team or nothing of it.
    fn asking(&self, servers: &Servers, times: usize, holds_all: bool) -> Result<Vec<Vec<u8>>> {
        let now_ms = u64::try_from(jiff::Timestamp::now().as_millisecond())?;
        let places = self.teams.iter().map(|team| place(servers, *team, holds_all));
        let places: Vec<Place> = places.collect::<Result<_>>()?;
        let mut bodies = Vec::new();
        for _ in 0..times {
            for (n, tablet) in self.tablets.iter().enumerate() {
                bodies.push(tablet.asking(places[n % places.len()].clone(), now_ms));
            }
        }
        Ok(bodies)
    }
}

fn place(servers: &Servers, team: RecordId, holds_all: bool) -> Result<Place> {
    let (epoch, cursor, sum) = servers.admin.log.read(|conn| {
        let found = log::team_by_id(conn, team)?.ok_or(wayside_protocol::error::Code::TeamUnknown)?;
        Ok((found.epoch, found.head, log::sum_at(conn, found.n, found.head)?))
    })?;
    Ok(match holds_all {
        true => Place { team, epoch, cursor, fingerprint: sum.fingerprint(), held: Vec::new() },
        false => {
            let fingerprint = SetSum::default().fingerprint();
            Place { team, epoch, cursor: 0, fingerprint, held: Vec::new() }
        }
    })
}

async fn send(
    bodies: Vec<Vec<u8>>,
    addresses: Vec<SocketAddr>,
    tls: TlsConnector,
    kind: Kind,
) -> Result<Answered> {
    let requests = bodies.len();
    let (bodies, addresses) = (Arc::new(bodies), Arc::new(addresses));
    let begun = Instant::now();
    let mut tablets = JoinSet::new();
    // A tablet has one exchange at a time. Each of its own is for another server.
    for tablet in 0..TABLETS {
        let (bodies, addresses, tls) = (bodies.clone(), addresses.clone(), tls.clone());
        tablets.spawn(async move {
            let mut answers = Vec::new();
            for (turn, body) in bodies.iter().skip(tablet).step_by(TABLETS).enumerate() {
                answers.push(post(addresses[(tablet + turn) % addresses.len()], &tls, body).await?);
            }
            Ok::<_, anyhow::Error>(answers)
        });
    }
    let mut answers = Vec::new();
    while let Some(done) = tablets.join_next().await {
        answers.extend(done??);
    }
    let seconds = begun.elapsed().as_secs_f64();
    let changes = answers.iter().map(|answer| changes(answer, kind)).sum::<Result<usize>>()?;
    Ok(Answered { requests, changes, seconds })
}

/// One exchange and its answer's body.
async fn post(addr: SocketAddr, tls: &TlsConnector, body: &[u8]) -> Result<Vec<u8>> {
    let mut stream = tls.connect(ServerName::from(addr.ip()), TcpStream::connect(addr).await?).await?;
    let head = format!(
        "POST /sync/v1 HTTP/1.1\r\nhost: base\r\nconnection: close\r\ncontent-length: {}\r\n\
         content-type: application/vnd.wayside.frames\r\n\r\n",
        body.len()
    );
    stream.write_all(&[head.as_bytes(), body].concat()).await?;
    let mut answer = Vec::new();
    // A server need not end TLS in form when it closes.
    let read = stream.read_to_end(&mut answer).await;
    ensure!(read.is_ok() || !answer.is_empty(), "no answer");
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").context("an answer's head")? + 4;
    let (head, body) = answer.split_at(end);
    let head = String::from_utf8_lossy(head).to_ascii_lowercase();
    ensure!(head.starts_with("http/1.1 200"), "{}", head.lines().next().unwrap_or_default());
    if head.contains("transfer-encoding: chunked") { whole(body) } else { Ok(body.to_vec()) }
}

/// A body that came in chunks.
fn whole(mut chunks: &[u8]) -> Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = chunks.windows(2).position(|two| two == b"\r\n").context("a chunk's size")?;
        let size = usize::from_str_radix(std::str::from_utf8(&chunks[..end])?, 16)?;
        if size == 0 {
            return Ok(body);
        }
        body.extend_from_slice(chunks.get(end + 2..end + 2 + size).context("a chunk")?);
        chunks = chunks.get(end + 2 + size + 2..).context("another chunk")?;
    }
}

/// Changes that an answer accepts, or carries.
fn changes(answer: &[u8], kind: Kind) -> Result<usize> {
    let frames = decode(answer)?;
    let mut count = 0;
    for frame in &frames {
        count += match (frame, kind) {
            (Frame::Verdicts(verdicts), Kind::Push) => {
                let accepted = |verdict: &&Verdict| matches!(verdict, Verdict::Accepted { .. });
                verdicts.verdicts.iter().filter(accepted).count()
            }
            (Frame::Changes(changes), Kind::Pull) => {
                let items = changes.lists.iter().flat_map(|list| &list.items);
                items.filter(|item| matches!(item, Item::Body { .. })).count()
            }
            (Frame::Refusal(refusal), _) => anyhow::bail!("refused: {}", refusal.code),
            (Frame::Changes(_), Kind::Look) => anyhow::bail!("something was new"),
            _ => 0,
        };
    }
    Ok(count)
}
