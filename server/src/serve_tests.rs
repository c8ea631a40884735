use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, Error, SignatureScheme, StreamOwned};
use sha2::{Digest, Sha256};
use wayside_protocol::sync::EnrolmentCode;
use wayside_protocol::sync::frame::{self, Frame};

use super::*;
use crate::testing::Tablet;

/// Trusts one key, as tablets do.
#[derive(Debug)]
struct Pinned([u8; 32]);

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        cert: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> std::result::Result<ServerCertVerified, Error> {
        let spki = ParsedCertificate::try_from(cert)?.subject_public_key_info();
        let pin: [u8; 32] = Sha256::digest(&spki).into();
        if pin == self.0 { Ok(ServerCertVerified::assertion()) } else { Err(Error::General("pin".into())) }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, Error> {
        let algorithms = rustls::crypto::ring::default_provider().signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, cert, dss, &algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, Error> {
        let algorithms = rustls::crypto::ring::default_provider().signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, dss, &algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        rustls::crypto::ring::default_provider().signature_verification_algorithms.supported_schemes()
    }
}

/// One request over TLS; returns the whole answer, head and body.
fn post(addr: SocketAddr, pin: [u8; 32], path: &str, body: &[u8]) -> std::io::Result<Vec<u8>> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Pinned(pin)))
        .with_no_client_auth();
    let name = ServerName::from(addr.ip());
    let connection = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut stream = StreamOwned::new(connection, TcpStream::connect(addr)?);
    let length = body.len();
    write!(
        stream,
        "POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n"
    )?;
    stream.write_all(body)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Ok(answer)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tablet_is_enrolled_over_tls_and_the_server_ends_when_asked() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().to_owned();
    let running = Server::start(ServerConfig::local(&data)).await.unwrap();
    let addr = running.addr;
    assert_eq!(running.url(), format!("https://{addr}"));
    // As another process does it, while the server runs.
    let text = tokio::task::spawn_blocking(move || {
        crate::team_add(&data, "North")?;
        crate::enrol_code(&data, "North", None)
    });
    let code = EnrolmentCode::parse(&text.await.unwrap().unwrap()).unwrap();
    assert_eq!(code.url, running.url());

    let body = Tablet::new().enrol_body(code.secret);
    let answer = tokio::task::spawn_blocking(move || post(addr, code.pin, "/sync/v1/enrol", &body));
    let answer = answer.await.unwrap().unwrap();
    let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap() + 4;
    let head = std::str::from_utf8(&answer[..end]).unwrap();
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n") && !head.contains("date:"), "{head}");
    let frames = frame::decode(&answer[end..]).unwrap();
    assert!(matches!(&frames[..], [Frame::Enrolled(enrolled)] if enrolled.team_name == "North"));
    let wrong = tokio::task::spawn_blocking(move || post(addr, [0; 32], "/healthz", &[])).await.unwrap();
    assert!(wrong.is_err());

    running.shutdown().await.unwrap();
    assert!(TcpStream::connect(addr).is_err());
    // The writer has ended: nothing is left beside the database.
    assert!(!dir.path().join("log.db-wal").exists());
}
