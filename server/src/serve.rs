//! The server as it runs: TLS, the router, the follower of the log, and how it all ends.

use std::net::{IpAddr, SocketAddr, TcpListener, ToSocketAddrs};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum_server::tls_rustls::RustlsAcceptor;
use hyper_util::rt::TokioTimer;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use wayside_protocol::error::Code;

use crate::base::{Base, Places, ends_within};
use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::keys::{Tls, TlsFiles};
use crate::limits::{self, Threshold};
use crate::renew::Renewal;
use crate::router::router;
use crate::views::{self, LITTLE, Views};
use crate::web::{self, Door, Web};
use crate::{health, log};

/// How long requests that are in flight may take after a shutdown was asked for.
pub(crate) const GRACE: Duration = Duration::from_secs(20);
/// How long a connection may take over a request's head, or stand idle between two.
pub(crate) const HEAD: Duration = Duration::from_secs(60);
/// How often the ledger notes where the audit trail ends, at the least.
const TRAIL_NOTED: Duration = Duration::from_secs(60 * 60);

/// What a server needs to start.
#[derive(Debug, Clone)]
pub struct ServerConfig {
    /// The data directory; made if it is not there.
    pub data: PathBuf,
    /// Where log and ledger lie, if not there.
    pub places: Places,
    /// As in `127.0.0.1:8443`; port 0 takes any that is free.
    pub listen: String,
    /// Where tablets reach it, if that is not where it listens.
    pub url: Option<String>,
    /// `None`: our own self-signed certificate. Tablets pin its key.
    pub tls: Option<TlsFiles>,
    /// What the pages call the service.
    pub name: String,
    /// Where to serve the pages without TLS, too, as in `127.0.0.1:8080`: on this machine only.
    pub pages: Option<String>,
    /// Where Prometheus finds `/metrics`, without TLS.
    pub metrics: Option<String>,
    pub clock: Clock,
}

impl ServerConfig {
    /// Listens on a free port of this machine: for tests and the demo.
    pub fn local(data: impl Into<PathBuf>) -> ServerConfig {
        let clock = Clock::default();
        let name = web::DEFAULT_NAME.to_owned();
        let listen = "127.0.0.1:0".into();
        let (data, places) = (data.into(), Places::default());
        let (url, tls, pages, metrics) = (None, None, None, None);
        ServerConfig { data, places, listen, url, tls, name, pages, metrics, clock }
    }
}

pub struct Server;

impl Server {
    /// Returns once the server listens.
    pub async fn start(config: ServerConfig) -> Result<Running> {
        let name = config.name.clone();
        let (data, files) = (config.data.clone(), config.tls.clone());
        let prepared = tokio::task::spawn_blocking(move || prepare(config)).await;
        let Prepared { base, listener, pages, metrics, tls, url } =
            prepared.map_err(|_| Error::Internal("a panic at start"))??;
        let addr = listener.local_addr().map_err(Error::Listen)?;
        let web = Web::new(base.clone(), &name);
        let pages = pages.map(|listener| Pages::serve(&web, listener)).transpose()?;
        let handle = axum_server::Handle::new();
        let renewal = Arc::new(Renewal::new(data, files, tls));
        tokio::spawn(renewal.clone().watch(base.closing()));
        let metrics = metrics
            .map(|listener| health::Door::serve(base.clone(), renewal.clone(), listener))
            .transpose()?;
        let tls = RustlsAcceptor::new(renewal.config()).acceptor(Threshold(base.clone()));
        let mut server = axum_server::from_tcp(listener)
            .map_err(Error::Listen)?
            .acceptor(tls)
            .handle(handle.clone())
            .http1_only();
        // Every byte counts on a bad link, and nobody here trusts a clock.
        server
            .http_builder()
            .http1()
            .auto_date_header(false)
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD);
        let door = Arc::new(Door { web: web.clone(), secure: true, loopback: None });
        let service = all_addresses(door).into_make_service_with_connect_info::<SocketAddr>();
        let serving = tokio::spawn(async move { server.serve(service).await.map_err(Error::Listen) });
        let (stop, stopped) = oneshot::channel();
        let following = tokio::spawn(views::follow(base.clone(), stopped));
        tokio::spawn(note_trail(base.clone()));
        tracing::info!(%addr, "listening");
        Ok(Running { addr, url, base, handle, serving, following, stop, web, pages, metrics, renewal })
    }
}

/// Every address of this server, behind what each request passes first.
pub(crate) fn all_addresses(door: Arc<Door>) -> Router {
    let observe = from_fn_with_state(door.web.base.metrics.clone(), health::observe);
    router(door.web.base.clone())
        .merge(web::routes(&door))
        .fallback_service(web::unknown(&door))
        .layer(from_fn_with_state(door, limits::front))
        .layer(observe)
}

/// Has the ledger note where the audit trail ends, every hour until the server ends.
async fn note_trail(base: Arc<Base>) {
    let mut closing = base.closing();
    while !ends_within(&mut closing, TRAIL_NOTED).await {
        noted(base.clone()).await;
    }
}

async fn noted(base: Arc<Base>) {
    match tokio::task::spawn_blocking(move || base.note_trail()).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            tracing::error!(code = %error.code(), detail = error.detail(), "the ledger does not note the audit trail")
        }
        Err(_) => tracing::error!("a panic while noting the audit trail"),
    }
}

/// The listener of the pages alone.
struct Pages {
    addr: SocketAddr,
    handle: axum_server::Handle<SocketAddr>,
    serving: JoinHandle<Result<()>>,
}

impl Pages {
    fn serve(web: &Arc<Web>, listener: TcpListener) -> Result<Pages> {
        let addr = listener.local_addr().map_err(Error::Listen)?;
        let handle = axum_server::Handle::new();
        let mut server = axum_server::from_tcp(listener)
            .map_err(Error::Listen)?
            .acceptor(Threshold(web.base.clone()))
            .handle(handle.clone());
        server.http_builder().http1().timer(TokioTimer::new()).header_read_timeout(HEAD);
        let door = Door { web: web.clone(), secure: false, loopback: Some(addr.port()) };
        let front = from_fn_with_state(Arc::new(door.clone()), limits::front);
        let observe = from_fn_with_state(web.base.metrics.clone(), health::observe);
        let service =
            web::router(door).layer(front).layer(observe).into_make_service_with_connect_info::<SocketAddr>();
        let serving = tokio::spawn(async move { server.serve(service).await.map_err(Error::Listen) });
        tracing::info!(%addr, "pages are listening");
        Ok(Pages { addr, handle, serving })
    }
}

/// What is ready before anything is served.
struct Prepared {
    base: Arc<Base>,
    listener: TcpListener,
    pages: Option<TcpListener>,
    metrics: Option<TcpListener>,
    tls: Tls,
    url: String,
}

fn bind(addrs: &[SocketAddr]) -> Result<TcpListener> {
    let listener = TcpListener::bind(addrs).map_err(Error::Listen)?;
    listener.set_nonblocking(true).map_err(Error::Listen)?;
    Ok(listener)
}

fn addresses(listen: &str) -> Result<Vec<SocketAddr>> {
    let unclear = || "An address to listen on looks like 127.0.0.1:8443.".to_owned();
    let addrs = listen.to_socket_addrs().map_err(|_| Error::Said(Code::BadArguments, unclear()))?;
    Ok(addrs.collect())
}

/// Passwords and cookies go over this listener in the clear: never off this machine.
fn bind_pages(listen: &str) -> Result<TcpListener> {
    let addrs = addresses(listen)?;
    if addrs.iter().any(|addr| !addr.ip().is_loopback()) {
        let message = "Pages without TLS are served on this machine only, as in 127.0.0.1:8080.";
        return Err(Error::Said(Code::BadArguments, message.into()));
    }
    bind(&addrs)
}

fn prepare(config: ServerConfig) -> Result<Prepared> {
    // Refused before anything is made or bound.
    let addrs = addresses(&config.listen)?;
    let pages = config.pages.as_deref().map(bind_pages).transpose()?;
    let metrics = config.metrics.as_deref().map(|listen| bind(&addresses(listen)?)).transpose()?;
    let base = Base::open_at(&config.data, &config.places, config.clock)?;
    base.followed.begin();
    if let Err(error) = catch_up_if_near(&base) {
        // Tablets need no views.
        tracing::error!(code = %error.code(), detail = error.detail(), "views lag behind");
    }
    let host = config.listen.rsplit_once(':').map(|(host, _)| host.trim_matches(['[', ']']));
    let named =
        host.filter(|host| host.parse::<IpAddr>().map_or(!host.is_empty(), |ip| !ip.is_unspecified()));
    let tls = Tls::open(&config.data, config.tls.as_ref(), named)?;
    let listener = bind(&addrs)?;
    let mut addr = listener.local_addr().map_err(Error::Listen)?;
    let url = config.url.map(|url| url.trim_end_matches('/').to_owned()).unwrap_or_else(|| {
        // Nobody can connect to "everywhere".
        if addr.ip().is_unspecified() {
            addr.set_ip(if addr.is_ipv4() {
                [127, 0, 0, 1].into()
            } else {
                std::net::Ipv6Addr::LOCALHOST.into()
            });
        }
        format!("https://{addr}")
    });
    let shown = pages.as_ref().map(TcpListener::local_addr).transpose().map_err(Error::Listen)?;
    base.listens(&url, &tls.pin, shown.map(|addr| format!("http://{addr}")))?;
    Ok(Prepared { base: Arc::new(base), listener, pages, metrics, tls, url })
}

/// No page is shown before the views were once at the end of the log. Who is hardly behind gets there before it
/// listens, so that nobody notices.
fn catch_up_if_near(base: &Base) -> Result<()> {
    let mut views = Views::to_follow(base.data())?;
    base.followed.now_at(views.come_to()?);
    if base.followed.behind(&base.log.read(log::teams)?).changes <= LITTLE {
        base.catch_up(&mut views)?;
    }
    Ok(())
}

/// A server that listens.
pub struct Running {
    /// The address that it is bound to.
    pub addr: SocketAddr,
    url: String,
    base: Arc<Base>,
    handle: axum_server::Handle<SocketAddr>,
    serving: JoinHandle<Result<()>>,
    following: JoinHandle<()>,
    stop: oneshot::Sender<()>,
    web: Arc<Web>,
    pages: Option<Pages>,
    metrics: Option<health::Door>,
    renewal: Arc<Renewal>,
}

impl Running {
    /// Where tablets reach it, as it stands in enrolment codes.
    pub fn url(&self) -> &str {
        &self.url
    }

    pub fn base(&self) -> &Arc<Base> {
        &self.base
    }

    /// The address to which the listener of the pages alone is bound, if there is one.
    pub fn pages_addr(&self) -> Option<SocketAddr> {
        self.pages.as_ref().map(|pages| pages.addr)
    }

    /// The address to which the listener of `/metrics` is bound, if there is one.
    pub fn metrics_addr(&self) -> Option<SocketAddr> {
        self.metrics.as_ref().map(|metrics| metrics.addr)
    }

    /// Where people find the pages: on this machine without TLS if they are served there.
    pub fn pages_url(&self) -> String {
        self.pages_addr().map_or_else(|| self.url.clone(), |addr| format!("http://{addr}"))
    }

    /// Takes no more requests, finishes those in flight, and returns when the writer has ended.
    pub async fn shutdown(self) -> Result<()> {
        // Live pages never end by themselves, and tablets wait for news.
        self.web.close();
        self.base.close();
        self.handle.graceful_shutdown(Some(GRACE));
        if let Some(pages) = &self.pages {
            pages.handle.graceful_shutdown(Some(GRACE));
        }
        let mut served = self.serving.await.unwrap_or(Err(Error::Internal("a panic in the server")));
        if let Some(pages) = self.pages {
            served = served.and(pages.serving.await.unwrap_or(Err(Error::Internal("a panic in the pages"))));
        }
        if let Some(metrics) = self.metrics {
            served = served.and(metrics.shutdown().await);
        }
        drop(self.web);
        let _ = self.stop.send(());
        let _ = self.following.await;
        noted(self.base.clone()).await;
        // The last one out joins the writer, which finishes what is queued.
        let base = self.base;
        let _ = tokio::task::spawn_blocking(move || drop(base)).await;
        served
    }

    /// Takes the files of the TLS certificate if they have changed, as happens every minute and on SIGHUP. Blocks.
    pub fn renew_tls(&self) -> Result<bool> {
        self.renewal.look()
    }

    /// Runs until the process is asked to end (SIGTERM, SIGINT), then shuts down.
    pub async fn until_signal(self, mut signals: Signals) -> Result<()> {
        loop {
            tokio::select! {
                _ = signals.terminate.recv() => break,
                _ = signals.interrupt.recv() => break,
                _ = signals.hangup.recv() => self.renewal.renew().await,
            }
        }
        tracing::info!("shutting down");
        self.shutdown().await
    }
}

/// What the process is asked by signals, from when this is made: each would end it before. So it is made before anybody is told
/// that the server listens.
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    pub fn heard() -> Result<Signals> {
        let heard = |kind| signal(kind).map_err(|error| Error::File("signal handler", error));
        Ok(Signals {
            terminate: heard(SignalKind::terminate())?,
            interrupt: heard(SignalKind::interrupt())?,
            hangup: heard(SignalKind::hangup())?,
        })
    }
}

/// Makes panics say where they happened and nothing else: their text can quote a record. Call it first
/// thing in a program that takes in changes.
pub fn quiet_panics() {
    std::panic::set_hook(Box::new(|info| {
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        crate::health::note_panic();
        tracing::error!(place, "panic");
    }));
}

#[cfg(test)]
#[path = "serve_tests.rs"]
mod tests;
