//! The server's TLS certificate, renewed while it runs: its files are looked at now and then, and when somebody asks
//! (SIGHUP). Connections that are open keep the one they began with.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum_server::tls_rustls::RustlsConfig;
use rustls::pki_types::CertificateDer;
use tokio::sync::watch;
use wayside_protocol::error::Code;

use crate::base::ends_within;
use crate::error::{Error, Result};
use crate::keys::{Tls, TlsFiles};

/// So often somebody looks.
const LOOK: Duration = Duration::from_secs(60);

pub struct Renewal {
    data: PathBuf,
    files: Option<TlsFiles>,
    config: RustlsConfig,
    /// What tablets pin.
    pin: [u8; 32],
    seen: Mutex<Seen>,
}

/// What is in use: the digest of its files, and the certificate.
struct Seen {
    digest: [u8; 32],
    leaf: CertificateDer<'static>,
}

impl Renewal {
    pub fn new(data: PathBuf, files: Option<TlsFiles>, tls: Tls) -> Renewal {
        let Tls { config, pin, digest, leaf } = tls;
        let seen = Mutex::new(Seen { digest, leaf });
        Renewal { data, files, config: RustlsConfig::from_config(config), pin, seen }
    }

    /// For the acceptor of connections: what is renewed here holds there.
    pub fn config(&self) -> RustlsConfig {
        self.config.clone()
    }

    /// The certificate that is shown now.
    pub fn shown(&self) -> CertificateDer<'static> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).leaf.clone()
    }

    /// Takes the files if they have changed, and says whether it did. Files that do not fit together, or cannot be read, are
    /// refused, and so is another key: no tablet would trust it. What is in use stays. Blocks.
    pub fn look(&self) -> Result<bool> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let Tls { config, pin, digest, leaf } = Tls::open(&self.data, self.files.as_ref(), None)?;
        if digest == seen.digest {
            return Ok(false);
        }
        if pin != self.pin {
            let says = "The certificate is for another key than the one that tablets know: renew it for the same key.";
            return Err(Error::Said(Code::ServerNotTrusted, says.into()));
        }
        self.config.reload_from_config(config);
        *seen = Seen { digest, leaf };
        Ok(true)
    }

    /// The same, off the async threads and with a line in the log.
    pub async fn renew(self: &Arc<Self>) {
        let renewal = self.clone();
        match tokio::task::spawn_blocking(move || renewal.look()).await {
            Ok(Ok(true)) => tracing::info!("the TLS certificate was renewed"),
            Ok(Ok(false)) | Err(_) => {}
            // The two files are rarely replaced in one moment: the next look finds both.
            Ok(Err(error)) => tracing::warn!(code = %error.code(), "the TLS certificate was not renewed"),
        }
    }

    /// Looks now and then, until the server ends.
    pub async fn watch(self: Arc<Self>, mut closing: watch::Receiver<bool>) {
        while !ends_within(&mut closing, LOOK).await {
            self.renew().await;
        }
    }
}
