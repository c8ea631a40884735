//! A plain TCP balancer in front of several servers, as a public one stands there: whoever connects gets the next server in
//! turn, however often he comes. It asks each whether it is ready, and leaves out who says no or nothing.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, Result};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional},
    net::{TcpListener, TcpStream},
    runtime::Runtime,
    sync::watch,
    time::{sleep, timeout},
};
use tokio_rustls::TlsConnector;

/// How often each server is asked, and how long it may take to answer.
const EVERY: Duration = Duration::from_millis(250);
const AT_MOST: Duration = Duration::from_secs(10);

/// What a server said of itself last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    Ready,
    /// It answers, and wants no traffic. It is given some where nobody wants any: it can still do most of its work.
    Busy,
    Down,
}

struct Node {
    addr: SocketAddr,
    health: watch::Sender<Health>,
}

/// Works on a thread of its own until it is dropped, so that tests with and without a runtime can use it.
pub struct Balancer {
    nodes: Arc<[Node]>,
    runtime: Option<Runtime>,
}

impl Balancer {
    /// In front of `nodes`, which all show this certificate. Where it listens is known before they are: see [`Listening`].
    pub fn start(listening: Listening, nodes: &[SocketAddr], certificate: &[u8]) -> Result<Balancer> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let tls = trusting(certificate)?;
        let node = |addr: &SocketAddr| Node { addr: *addr, health: watch::channel(Health::Down).0 };
        let nodes: Arc<[Node]> = nodes.iter().map(node).collect();
        for n in 0..nodes.len() {
            runtime.spawn(look_after(nodes.clone(), n, tls.clone()));
        }
        listening.0.set_nonblocking(true)?;
        runtime.spawn(listen(listening.0, nodes.clone()));
        Ok(Balancer { nodes, runtime: Some(runtime) })
    }

    /// Waits until it has heard this of a server. Blocks.
    pub fn until(&self, node: usize, wanted: Health) -> Result<()> {
        let mut health = self.nodes.get(node).context("no such server")?.health.subscribe();
        let runtime = self.runtime.as_ref().context("it works")?;
        // Not where the caller is: that may be another runtime.
        std::thread::scope(|scope| {
            let waiting =
                scope.spawn(|| runtime.block_on(health.wait_for(|health| *health == wanted)).map(drop));
            Ok(waiting.join().map_err(|_| anyhow::anyhow!("a panic"))??)
        })
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        // Not where it is dropped: that may be inside another runtime. Afterwards its address refuses connections.
        if let Some(runtime) = self.runtime.take() {
            let _ = std::thread::spawn(move || runtime.shutdown_timeout(AT_MOST)).join();
        }
    }
}

/// A place to listen, before there is anything behind it.
pub struct Listening(std::net::TcpListener);

impl Listening {
    pub fn bind() -> Result<Listening> {
        Ok(Listening(std::net::TcpListener::bind(("127.0.0.1", 0))?))
    }

    /// Where a balancer listened before.
    pub fn again(addr: SocketAddr) -> Result<Listening> {
        Ok(Listening(std::net::TcpListener::bind(addr)?))
    }

    pub fn addr(&self) -> Result<SocketAddr> {
        Ok(self.0.local_addr()?)
    }
}

async fn listen(listener: std::net::TcpListener, nodes: Arc<[Node]>) {
    let Ok(listener) = TcpListener::from_std(listener) else { return };
    let turn = Arc::new(AtomicUsize::new(0));
    while let Ok((mut tablet, _)) = listener.accept().await {
        let (nodes, turn) = (nodes.clone(), turn.clone());
        tokio::spawn(async move {
            let Some((node, mut server)) = connect(&nodes, &turn).await else { return };
            let mut health = node.health.subscribe();
            tokio::select! {
                _ = copy_bidirectional(&mut tablet, &mut server) => {}
                // Who waits for an answer from a dead server is better off with another.
                _ = health.wait_for(|health| *health == Health::Down) => {}
            }
        });
    }
}

/// The next server that wants traffic, or else the next one that is there at all.
async fn connect<'a>(nodes: &'a [Node], turn: &AtomicUsize) -> Option<(&'a Node, TcpStream)> {
    for wanted in [Health::Ready, Health::Busy] {
        for _ in nodes {
            let node = &nodes[turn.fetch_add(1, Ordering::Relaxed) % nodes.len()];
            if *node.health.borrow() != wanted {
                continue;
            }
            match TcpStream::connect(node.addr).await {
                Ok(stream) => return Some((node, stream)),
                Err(_) => drop(node.health.send_replace(Health::Down)),
            }
        }
    }
    None
}

async fn look_after(nodes: Arc<[Node]>, n: usize, tls: TlsConnector) {
    let node = &nodes[n];
    loop {
        let health = match timeout(AT_MOST, readiness(node.addr, &tls)).await {
            Ok(Ok((200, _))) => Health::Ready,
            Ok(Ok(_)) => Health::Busy,
            Ok(Err(_)) | Err(_) => Health::Down,
        };
        node.health.send_if_modified(|held| std::mem::replace(held, health) != health);
        sleep(EVERY).await;
    }
}

/// What a server says of itself at `/readyz`: status and body.
pub async fn readiness(addr: SocketAddr, tls: &TlsConnector) -> Result<(u16, String)> {
    let mut stream = tls.connect(ServerName::from(addr.ip()), TcpStream::connect(addr).await?).await?;
    stream.write_all(b"GET /readyz HTTP/1.1\r\nhost: balancer\r\nconnection: close\r\n\r\n").await?;
    let mut answer = Vec::new();
    // Not everybody says goodbye.
    let read = stream.read_to_end(&mut answer).await;
    if answer.is_empty() {
        read?;
    }
    let answer = String::from_utf8(answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").context("an answer")?;
    Ok((head.get(9..12).context("a status")?.parse()?, body.to_owned()))
}

/// TLS to whoever shows this certificate.
pub fn trusting(certificate: &[u8]) -> Result<TlsConnector> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(certificate).map_err(|_| anyhow::anyhow!("a certificate"))?)?;
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}
