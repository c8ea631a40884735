//! The server as it runs: TLS, the router, the follower of the log, and how it all ends.

use std::net::{IpAddr, SocketAddr, TcpListener, ToSocketAddrs};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum_server::tls_rustls::RustlsConfig;
use hyper_util::rt::TokioTimer;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use wayside_protocol::error::Code;

use crate::base::Base;
use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::keys::{Tls, TlsFiles};
use crate::router::router;
use crate::views;

/// How long requests that are in flight may take after a shutdown was asked for.
const GRACE: Duration = Duration::from_secs(20);
/// How long a connection may take over a request's head, or stand idle between two.
const HEAD: Duration = Duration::from_secs(60);

/// What a server needs to start.
#[derive(Debug, Clone)]
pub struct ServerConfig {
    /// The data directory; made if it is not there.
    pub data: PathBuf,
    /// As in `127.0.0.1:8443`; port 0 takes any that is free.
    pub listen: String,
    /// Where tablets reach it, if that is not where it listens.
    pub url: Option<String>,
    /// `None`: our own self-signed certificate. Tablets pin its key.
    pub tls: Option<TlsFiles>,
    pub clock: Clock,
}

impl ServerConfig {
    /// Listens on a free port of this machine: for tests and the demo.
    pub fn local(data: impl Into<PathBuf>) -> ServerConfig {
        let clock = Clock::default();
        ServerConfig { data: data.into(), listen: "127.0.0.1:0".into(), url: None, tls: None, clock }
    }
}

pub struct Server;

impl Server {
    /// Returns once the server listens.
    pub async fn start(config: ServerConfig) -> Result<Running> {
        let prepared = tokio::task::spawn_blocking(move || prepare(config)).await;
        let (base, listener, tls, url) = prepared.map_err(|_| Error::Internal("a panic at start"))??;
        let addr = listener.local_addr().map_err(Error::Listen)?;
        let handle = axum_server::Handle::new();
        let mut server = axum_server::from_tcp_rustls(listener, RustlsConfig::from_config(tls.config))
            .map_err(Error::Listen)?
            .handle(handle.clone())
            .http1_only();
        // Every byte counts on a bad link, and nobody here trusts a clock.
        server
            .http_builder()
            .http1()
            .auto_date_header(false)
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD);
        let service = router(base.clone()).into_make_service();
        let serving = tokio::spawn(async move { server.serve(service).await.map_err(Error::Listen) });
        let (stop, stopped) = oneshot::channel();
        let following = tokio::spawn(views::follow(base.clone(), stopped));
        tracing::info!(%addr, "listening");
        Ok(Running { addr, url, base, handle, serving, following, stop })
    }
}

fn prepare(config: ServerConfig) -> Result<(Arc<Base>, TcpListener, Tls, String)> {
    let base = Base::open(&config.data, config.clock)?;
    let host = config.listen.rsplit_once(':').map(|(host, _)| host.trim_matches(['[', ']']));
    let named =
        host.filter(|host| host.parse::<IpAddr>().map_or(!host.is_empty(), |ip| !ip.is_unspecified()));
    let tls = Tls::open(&config.data, config.tls.as_ref(), named)?;
    let addrs: Vec<SocketAddr> = config
        .listen
        .to_socket_addrs()
        .map_err(|_| {
            Error::Said(Code::BadArguments, "An address to listen on looks like 127.0.0.1:8443.".into())
        })?
        .collect();
    let listener = TcpListener::bind(addrs.as_slice()).map_err(Error::Listen)?;
    listener.set_nonblocking(true).map_err(Error::Listen)?;
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
    base.listens(&url, &tls.pin)?;
    Ok((Arc::new(base), listener, tls, url))
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
}

impl Running {
    /// Where tablets reach it, as it stands in enrolment codes.
    pub fn url(&self) -> &str {
        &self.url
    }

    pub fn base(&self) -> &Arc<Base> {
        &self.base
    }

    /// Takes no more requests, finishes those in flight, and returns when the writer has ended.
    pub async fn shutdown(self) -> Result<()> {
        self.handle.graceful_shutdown(Some(GRACE));
        let served = self.serving.await.unwrap_or(Err(Error::Internal("a panic in the server")));
        let _ = self.stop.send(());
        let _ = self.following.await;
        // The last one out joins the writer, which finishes what is queued.
        let base = self.base;
        let _ = tokio::task::spawn_blocking(move || drop(base)).await;
        served
    }

    /// Runs until the process is asked to end (SIGTERM, SIGINT), then shuts down.
    pub async fn until_signal(self) -> Result<()> {
        use tokio::signal::unix::{SignalKind, signal};
        let failed = |error| Error::File("signal handler", error);
        let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("shutting down");
        self.shutdown().await
    }
}

/// Makes panics say where they happened and nothing else: their text can quote a record. Call it first
/// thing in a program that takes in changes.
pub fn quiet_panics() {
    std::panic::set_hook(Box::new(|info| {
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(place, "panic");
    }));
}

#[cfg(test)]
#[path = "serve_tests.rs"]
mod tests;
