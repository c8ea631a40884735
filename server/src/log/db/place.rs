//! Where a PostgreSQL database is, and how its server is known.
//!
//! TLS here is always verified whole, certificate and name, whatever `sslmode` asks for: `prefer` as others have it
//! would go on in the clear with whoever answers. To another machine it is used unless `sslmode=disable` says
//! otherwise in so many words.

use std::fs;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use postgres::config::{Config, Host, SslMode};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tokio_postgres_rustls::MakeRustlsConnect;
use wayside_protocol::error::Code;

use crate::error::{Error, Result};

/// The authorities that the operating system trusts, where the address names no file.
const SYSTEM_ROOTS: &str = "/etc/ssl/certs/ca-certificates.crt";
/// A server that is cut off is given up after this, unless the address says otherwise.
const SILENCE: Duration = Duration::from_secs(10);

/// The address holds a password: it is never shown.
#[derive(Clone)]
pub struct Place {
    pub(super) config: Config,
    pub(super) tls: MakeRustlsConnect,
}

fn refused(says: &str) -> Error {
    Error::Said(Code::BadArguments, says.to_owned())
}

impl Place {
    /// Whether a text is such an address at all.
    pub fn is_one(text: &str) -> bool {
        ["postgres://", "postgresql://", "file:"].iter().any(|scheme| text.starts_with(scheme))
    }

    /// Reads one that somebody typed as an argument, where no password may stand: whoever lists the machine's processes
    /// reads it.
    pub fn typed(text: &str) -> Result<Place> {
        let place = Place::parse(text)?;
        if !text.starts_with("file:") && place.config.get_password().is_some() {
            let says = "A password in an argument is read by whoever lists this machine's processes: give the address as file:PATH of a file that holds it, or in the environment.";
            return Err(refused(says));
        }
        Ok(place)
    }

    /// Reads `postgres://USER:PASSWORD@HOST:PORT,HOST:PORT/DATABASE?...`, or `file:PATH` for a file that holds such an
    /// address. Beside what the client library takes: `sslmode` as in libpq, and `sslrootcert`, a file of PEM
    /// certificates, else those of the operating system.
    pub fn parse(text: &str) -> Result<Place> {
        if let Some(path) = text.strip_prefix("file:") {
            let held = fs::read_to_string(path)
                .map_err(|error| Error::File("file of the database's address", error))?;
            if held.trim().starts_with("file:") {
                return Err(refused("The file does not hold a database's address."));
            }
            return Place::parse(held.trim());
        }
        let (plain, mode, roots) = take_tls(text);
        let says = "This is not the address of a PostgreSQL database: postgres://USER@HOST/DATABASE.";
        // What the library says of it may quote the password.
        let mut config = Config::from_str(&plain).map_err(|_| refused(says))?;
        let local = config.get_hosts().iter().all(is_local);
        config.ssl_mode(match mode.as_deref() {
            Some("disable") => SslMode::Disable,
            Some("require" | "verify-ca" | "verify-full") => SslMode::Require,
            None | Some("prefer" | "allow") if local => SslMode::Disable,
            None | Some("prefer" | "allow") => SslMode::Require,
            Some(_) => return Err(refused("sslmode is disable, require, verify-ca or verify-full.")),
        });
        if !local && config.get_ssl_mode() == SslMode::Disable {
            tracing::warn!("the database is on another machine and the connection to it is not encrypted");
        }
        let roots = match (config.get_ssl_mode(), roots) {
            (SslMode::Disable, _) => RootCertStore::empty(),
            (_, roots) => read_roots(roots.as_deref().filter(|path| *path != "system"))?,
        };
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(SILENCE);
        }
        if config.get_tcp_user_timeout().is_none() {
            config.tcp_user_timeout(SILENCE);
        }
        config
            .keepalives(true)
            .keepalives_idle(SILENCE)
            .keepalives_interval(Duration::from_secs(2))
            .keepalives_retries(3);
        if config.get_application_name().is_none() {
            config.application_name("wayside");
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|_| Error::Internal("TLS versions"))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Place { config, tls: MakeRustlsConnect::new(tls) })
    }
}

/// Takes `sslmode` and `sslrootcert` out of an address: the library knows the one less well and the other not at all.
fn take_tls(text: &str) -> (String, Option<String>, Option<String>) {
    let Some((place, query)) = text.split_once('?') else { return (text.to_owned(), None, None) };
    let (mut mode, mut roots, mut rest) = (None, None, Vec::new());
    for pair in query.split('&') {
        match pair.split_once('=') {
            Some(("sslmode", value)) => mode = Some(value.to_owned()),
            Some(("sslrootcert", value)) => roots = Some(value.replace("%2F", "/").replace("%20", " ")),
            _ => rest.push(pair),
        }
    }
    let plain = if rest.is_empty() { place.to_owned() } else { format!("{place}?{}", rest.join("&")) };
    (plain, mode, roots)
}

fn is_local(host: &Host) -> bool {
    match host {
        Host::Unix(_) => true,
        Host::Tcp(name) => {
            name == "localhost" || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
        }
    }
}

fn read_roots(path: Option<&str>) -> Result<RootCertStore> {
    let unusable = || Error::Key("file of certificates for the database");
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path.unwrap_or(SYSTEM_ROOTS)).map_err(|_| unusable())? {
        roots.add_parsable_certificates([certificate.map_err(|_| unusable())?]);
    }
    if roots.is_empty() { Err(unusable()) } else { Ok(roots) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(text: &str) -> Result<SslMode> {
        Ok(Place::parse(text)?.config.get_ssl_mode())
    }

    #[test]
    fn nobody_is_spoken_to_in_the_clear_on_another_machine_unless_that_is_said() {
        let dir = tempfile::tempdir().unwrap();
        let roots = dir.path().join("roots.pem");
        let certificate = rcgen::generate_simple_self_signed(["db.example".to_owned()]).unwrap();
        fs::write(&roots, certificate.cert.pem()).unwrap();
        let with = |text: &str| mode(&format!("{text}sslrootcert={}", roots.display()));
        for there in ["?", "?sslmode=prefer&", "?sslmode=require&", "?sslmode=verify-full&"] {
            assert_eq!(
                with(&format!("postgres://u:p@db.example/wayside{there}")).unwrap(),
                SslMode::Require,
                "{there}"
            );
            let one_local = format!("postgres://u:p@localhost,db.example/wayside{there}");
            assert_eq!(with(&one_local).unwrap(), SslMode::Require, "{there}");
        }
        assert_eq!(mode("postgres://u@db.example/wayside?sslmode=disable").unwrap(), SslMode::Disable);
        assert_eq!(mode("postgres://u@127.0.0.1/wayside").unwrap(), SslMode::Disable);
        assert!(mode("postgres://u@db.example/wayside?sslmode=maybe").is_err());
        fs::write(&roots, "nothing").unwrap();
        assert!(with("postgres://u:p@db.example/wayside?").is_err(), "nobody could be verified");
    }

    #[test]
    fn an_address_in_a_file_is_read_and_none_is_ever_shown() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("address");
        fs::write(&file, "postgres://u:secret@127.0.0.1:1/wayside?target_session_attrs=read-write\n")
            .unwrap();
        let place = Place::parse(&format!("file:{}", file.display())).unwrap();
        assert_eq!(place.config.get_dbname(), Some("wayside"));
        for wrong in ["postgres://u:secret@host:port/x", "postgres://u:secret@h/x?what=secret"] {
            let said = Place::parse(wrong).err().unwrap().to_json().to_string();
            assert!(!said.contains("secret"), "{said}");
        }
    }
}
