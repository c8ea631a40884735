//! HTTPS to the one server: a POST and its answer, over one connection as long as it lasts.

use std::{
    io,
    pin::Pin as StdPin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use http_body_util::{BodyExt, Full};
use hyper::{
    Request, StatusCode, Uri,
    body::{Bytes, Incoming},
    client::conn::http1::{self, SendRequest},
    header::{CONTENT_TYPE, HOST, RETRY_AFTER},
};
use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, pki_types::ServerName};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    task::JoinSet,
    time::timeout,
};
use tokio_rustls::TlsConnector;
use wayside_protocol::{error::Code, sync::frame::MAX_BODY};

use super::pin::{self, Pin};
use crate::{
    env::{Carried, Carrier, Env},
    error::{Error, Result},
};

const MEDIA_TYPE: &str = "application/vnd.wayside.frames";
/// To reach the server at all. A link with a second of latency gets through.
const CONNECT: Duration = Duration::from_secs(20);
/// Without a single byte moving in either direction.
pub const IDLE: Duration = Duration::from_secs(45);

/// What is carried arrives in pieces of so many bytes.
const PIECE: usize = 4096;

/// Bytes of HTTP in each direction, headers included, before TLS.
#[derive(Debug, Default)]
pub struct Counters {
    pub up: AtomicU64,
    pub down: AtomicU64,
}

impl Counters {
    fn moved(&self) -> u64 {
        self.up.load(Ordering::Relaxed) + self.down.load(Ordering::Relaxed)
    }
}

/// What came back. `cut` is the error that ended the body early, if one did.
pub struct Received {
    pub status: StatusCode,
    pub body: Vec<u8>,
    pub cut: Option<Error>,
}

/// An answer whose body is on its way.
pub struct Answering<'a> {
    pub status: StatusCode,
    /// When the server wants to be asked again.
    pub retry_after: Option<Duration>,
    link: &'a mut Link,
    body: Body,
    arrived: usize,
}

enum Body {
    Coming(Incoming),
    /// What is left of one that was carried.
    Carried(Carried),
}

impl Answering<'_> {
    /// The next bytes; `None` at the end. An error says that the body ends early.
    pub async fn next(&mut self) -> Result<Option<Bytes>> {
        let next = self.read().await;
        if next.is_err() {
            self.link.open = None;
        }
        next
    }

    async fn read(&mut self) -> Result<Option<Bytes>> {
        let body = match &mut self.body {
            Body::Coming(body) => body,
            Body::Carried(carried) if carried.body.is_empty() && carried.cut => {
                return Err(Error::Failed(Code::LinkCut));
            }
            Body::Carried(carried) if carried.body.is_empty() => return Ok(None),
            Body::Carried(Carried { body, .. }) => {
                let rest = body.split_off(body.len().min(PIECE));
                return Ok(Some(std::mem::replace(body, rest).into()));
            }
        };
        loop {
            match while_moving(&self.link.counters, IDLE, body.frame()).await {
                Some(None) => return Ok(None),
                Some(Some(Ok(frame))) => {
                    let Ok(data) = frame.into_data() else { continue };
                    self.arrived += data.len();
                    if self.arrived > MAX_BODY {
                        return Err(Error::Failed(Code::FrameMalformed));
                    }
                    return Ok(Some(data));
                }
                Some(Some(Err(_))) | None => return Err(Error::Failed(Code::LinkCut)),
            }
        }
    }
}

pub struct Link {
    server: Address,
    prefix: String,
    pub counters: Arc<Counters>,
    open: Option<Open>,
    /// A connection that is being made, which ends when this is dropped.
    opening: JoinSet<Result<Open>>,
    /// Instead of a connection.
    carrier: Option<Arc<dyn Carrier>>,
}

/// A connection, with the task that moves its bytes and ends when this is dropped.
type Open = (SendRequest<Full<Bytes>>, JoinSet<()>);

#[derive(Clone)]
struct Address {
    config: Arc<ClientConfig>,
    host: String,
    port: u16,
}

impl Link {
    /// To a server such as `https://base.example:8443`; a path is kept in front of every request's.
    pub fn new(url: &str, pin: Pin, env: &Env) -> Result<Link> {
        let bad = |_| Error::Failed(Code::CodeMalformed);
        let uri: Uri = url.parse().map_err(|_| bad(()))?;
        if uri.scheme_str() != Some("https") {
            return Err(bad(()));
        }
        let host = uri.host().ok_or(()).map_err(bad)?.to_owned();
        let config = pin::client(pin).map_err(|_| Error::Failed(Code::Internal))?;
        Ok(Link {
            server: Address { config: Arc::new(config), host, port: uri.port_u16().unwrap_or(443) },
            prefix: uri.path().trim_end_matches('/').to_owned(),
            counters: Arc::default(),
            open: None,
            opening: JoinSet::new(),
            carrier: env.carrier.clone(),
        })
    }

    /// Begins to connect, so that what is to be sent can be prepared meanwhile.
    pub fn begin(&mut self) {
        if self.carrier.is_some() {
            return;
        }
        self.opening.spawn(connect(self.server.clone(), self.counters.clone()));
    }

    /// One exchange, its answer whole.
    pub async fn post(&mut self, path: &str, body: Vec<u8>) -> Result<Received> {
        let mut answering = self.send(path, body, IDLE).await?;
        let (status, mut body) = (answering.status, Vec::new());
        let cut = loop {
            match answering.next().await {
                Ok(Some(bytes)) => body.extend_from_slice(&bytes),
                Ok(None) => break None,
                Err(cut) => break Some(cut),
            }
        };
        Ok(Received { status, body, cut })
    }

    /// Sends a request and waits for the answer to begin, for as long as `idle` without a byte moving. An error says
    /// that no answer came; the request may have arrived all the same.
    pub async fn send(&mut self, path: &str, body: Vec<u8>, idle: Duration) -> Result<Answering<'_>> {
        if let Some(carrier) = self.carrier.clone() {
            return self.carry(carrier.as_ref(), path, body).await;
        }
        let reusable = match &mut self.open {
            Some((sender, _)) => sender.ready().await.is_ok(),
            None => false,
        };
        if !reusable {
            self.open = None;
            self.open = Some(match self.opening.join_next().await {
                Some(opened) => opened.unwrap_or(Err(Error::Failed(Code::Internal)))?,
                None => connect(self.server.clone(), self.counters.clone()).await?,
            });
        }
        let (sender, _) = self.open.as_mut().ok_or(Error::Failed(Code::Internal))?;
        let request = Request::post(format!("{}{path}", self.prefix))
            .header(HOST, authority(&self.server))
            .header(CONTENT_TYPE, MEDIA_TYPE)
            .body(Full::new(Bytes::from(body)))
            .map_err(|_| Error::Failed(Code::Internal))?;
        let sent = while_moving(&self.counters, idle, sender.send_request(request)).await;
        let response = match sent {
            Some(Ok(response)) => response,
            _ => {
                self.open = None;
                return Err(Error::Failed(Code::LinkCut));
            }
        };
        let retry_after = response.headers().get(RETRY_AFTER);
        let retry_after = retry_after.and_then(|seconds| seconds.to_str().ok()?.parse().ok());
        Ok(Answering {
            status: response.status(),
            retry_after: retry_after.map(Duration::from_secs),
            link: self,
            body: Body::Coming(response.into_body()),
            arrived: 0,
        })
    }
}

impl Link {
    async fn carry(&mut self, carrier: &dyn Carrier, path: &str, body: Vec<u8>) -> Result<Answering<'_>> {
        self.counters.up.fetch_add(body.len() as u64, Ordering::Relaxed);
        let carried = carrier.post(&format!("{}{path}", self.prefix), body).await;
        let carried = carried.ok_or(Error::Failed(Code::LinkCut))?;
        self.counters.down.fetch_add(carried.body.len() as u64, Ordering::Relaxed);
        let status = StatusCode::from_u16(carried.status).map_err(|_| Error::Failed(Code::LinkCut))?;
        Ok(Answering { status, retry_after: None, link: self, body: Body::Carried(carried), arrived: 0 })
    }
}

async fn connect(server: Address, counters: Arc<Counters>) -> Result<Open> {
    let bare = server.host.trim_start_matches('[').trim_end_matches(']');
    let name = ServerName::try_from(bare.to_owned()).map_err(|_| Error::Failed(Code::CodeMalformed))?;
    let unreachable = |_| Error::Failed(Code::ServerUnreachable);
    let tcp = timeout(CONNECT, tcp(bare, server.port)).await.map_err(unreachable)??;
    // A request is written whole: nothing is gained by waiting for more.
    tcp.set_nodelay(true).ok();
    let tls = TlsConnector::from(server.config.clone()).connect(name, tcp);
    let tls = timeout(CONNECT, tls).await.map_err(unreachable)?.map_err(|error| {
        Error::Failed(match error.kind() {
            _ if pin::is_mistrust(&error) => Code::ServerNotTrusted,
            io::ErrorKind::InvalidData => Code::ServerUnreachable,
            _ => Code::LinkCut,
        })
    })?;
    let counted = Counted { inner: tls, counters };
    let (sender, connection) =
        http1::handshake(TokioIo::new(counted)).await.map_err(|_| Error::Failed(Code::LinkCut))?;
    let mut task = JoinSet::new();
    task.spawn(async move {
        // What fails here is reported to whoever waits for the answer.
        connection.await.ok();
    });
    Ok((sender, task))
}

fn authority(server: &Address) -> String {
    let Address { host, port, .. } = server;
    if *port == 443 { host.clone() } else { format!("{host}:{port}") }
}

async fn tcp(host: &str, port: u16) -> Result<TcpStream> {
    // No name server is what no signal looks like.
    let addresses = tokio::net::lookup_host((host, port)).await.map_err(|_| Error::Failed(Code::NoSignal))?;
    let mut last = Code::NoSignal;
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(error) => {
                last = match error.kind() {
                    io::ErrorKind::NetworkUnreachable
                    | io::ErrorKind::NetworkDown
                    | io::ErrorKind::AddrNotAvailable => Code::NoSignal,
                    _ => Code::ServerUnreachable,
                };
            }
        }
    }
    Err(Error::Failed(last))
}

/// Waits as long as bytes move: a slow link is not a dead one. `None` when they no longer do.
async fn while_moving<T>(counters: &Counters, idle: Duration, wait: impl Future<Output = T>) -> Option<T> {
    let mut wait = std::pin::pin!(wait);
    loop {
        let before = counters.moved();
        match timeout(idle, &mut wait).await {
            Ok(done) => return Some(done),
            Err(_) if counters.moved() != before => {}
            Err(_) => return None,
        }
    }
}

/// Counts what goes through.
struct Counted<S> {
    inner: S,
    counters: Arc<Counters>,
}

impl<S: AsyncRead + Unpin> AsyncRead for Counted<S> {
    fn poll_read(
        mut self: StdPin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let done = ready!(StdPin::new(&mut self.inner).poll_read(cx, buf));
        let read = buf.filled().len() - before;
        self.counters.down.fetch_add(read as u64, Ordering::Relaxed);
        Poll::Ready(done)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Counted<S> {
    fn poll_write(mut self: StdPin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let done = ready!(StdPin::new(&mut self.inner).poll_write(cx, buf));
        if let Ok(written) = &done {
            self.counters.up.fetch_add(*written as u64, Ordering::Relaxed);
        }
        Poll::Ready(done)
    }

    fn poll_flush(mut self: StdPin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        StdPin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: StdPin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        StdPin::new(&mut self.inner).poll_shutdown(cx)
    }
}
