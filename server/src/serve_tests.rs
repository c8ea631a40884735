use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, Error, SignatureScheme, StreamOwned};
use serde_json::json;
use sha2::{Digest, Sha256};
use wayside_protocol::record::Kind;
use wayside_protocol::sync::EnrolmentCode;
use wayside_protocol::sync::frame::{self, Ask, Frame, Sent, Verdict};

use super::*;
use crate::testing::{Tablet, nowhere};

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

type Tls = StreamOwned<ClientConnection, TcpStream>;

/// A connection on which nothing has been said yet.
fn connected(addr: SocketAddr, pin: [u8; 32]) -> std::io::Result<Tls> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Pinned(pin)))
        .with_no_client_auth();
    let name = ServerName::from(addr.ip());
    let connection = ClientConnection::new(Arc::new(config), name).unwrap();
    Ok(StreamOwned::new(connection, TcpStream::connect(addr)?))
}

/// A request as it goes through TLS.
fn http(path: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head =
        format!("POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n");
    [head.as_bytes(), body].concat()
}

fn say(stream: &mut Tls, bytes: &[u8]) -> std::io::Result<()> {
    stream.write_all(bytes)?;
    stream.flush()
}

/// The whole answer, head and body.
fn hear(mut stream: Tls) -> std::io::Result<Vec<u8>> {
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Ok(answer)
}

/// One request over TLS and its answer.
fn post(addr: SocketAddr, pin: [u8; 32], path: &str, body: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut stream = connected(addr, pin)?;
    say(&mut stream, &http(path, body))?;
    hear(stream)
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

/// Tablets that send a byte now and then: each connection, its request, and how much of that has been said.
#[derive(Default)]
struct Slow(Vec<(Tls, Vec<u8>, usize)>);

impl Slow {
    fn say_a_byte(&mut self) {
        for (stream, whole, said) in &mut self.0 {
            assert!(*said + 1 < whole.len(), "there is always more to say");
            say(stream, &whole[*said..=*said]).unwrap();
            *said += 1;
        }
    }
}

/// More tablets than the server works on at once that are slow, some in the head of a request and some in its changes,
/// and as many that do not read their answer. Others come and go as if they were not there: if they had to wait, the
/// slow ones would stand still until the server gives them up.
#[tokio::test(flavor = "multi_thread")]
async fn slow_tablets_hold_nobody_up() {
    const OF_EACH: usize = 70;
    let dir = tempfile::tempdir().unwrap();
    let running = Server::start(ServerConfig::local(dir.path())).await.unwrap();
    let (addr, base) = (running.addr, running.base().clone());
    let test = move || {
        let team = base.team_add("North").unwrap();
        let pin = base.enrol_code("North", None).unwrap().pin;
        // A new tablet's request with more noise than is said below, the lengths of its HTTP head and of the head of its frames.
        let request = |asks_for_all: bool| {
            let mut tablet = Tablet::new();
            tablet.join(&base, "North").unwrap();
            let text: String = (0..1_000).map(|_| rand::random_range('a'..='z')).collect();
            let person = tablet.begin(Kind::Person, json!({"ext": {"noise": text}})).1;
            let sent = (0..20).map(|_| Sent { team, list: rand::random() });
            let ask = Ask { sent: sent.collect(), ..Ask::default() };
            let places = if asks_for_all { vec![nowhere(team)] } else { vec![] };
            let hello = tablet.streamed_hello(base.clock.now_ms(), places);
            let frames = vec![tablet.frame(team, &[person])];
            let (body, ends) = tablet.streamed(base.identity.public(), hello, ask, frames);
            let whole = http("/sync/v1", &body);
            let head = whole.len() - body.len();
            (whole, head, head + ends[0])
        };
        let accepted = |answer: &[u8]| {
            let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap() + 4;
            let frames = frame::decode(&answer[end..]).unwrap();
            let Some(Frame::Verdicts(frame)) = frames.first() else { panic!("{frames:?}") };
            matches!(frame.verdicts[..], [Verdict::Accepted { .. }])
        };
        let (mut slow, mut deaf) = (Slow::default(), Vec::new());
        for _ in 0..OF_EACH {
            let mut stream = connected(addr, pin).unwrap();
            say(&mut stream, &request(true).0).unwrap();
            deaf.push(stream);
            for in_changes in [false, true] {
                let (whole, head, frames) = request(false);
                let mut stream = connected(addr, pin).unwrap();
                let said = if in_changes { frames + 10 } else { head + 10 };
                say(&mut stream, &whole[..said]).unwrap();
                slow.0.push((stream, whole, said));
            }
            slow.say_a_byte();
        }
        for n in 0..30 {
            let (whole, head, _) = request(false);
            assert!(accepted(&post(addr, pin, "/sync/v1", &whole[head..]).unwrap()), "exchange {n}");
            slow.say_a_byte();
        }
        // They are at it as before, and what they bring counts.
        slow.0.iter_mut().for_each(|(stream, whole, said)| say(stream, &whole[*said..]).unwrap());
        let slow = slow.0.into_iter().map(|(stream, ..)| stream);
        assert!(slow.map(hear).all(|answer| accepted(&answer.unwrap())));
        assert!(deaf.into_iter().map(hear).all(|answer| answer.unwrap().starts_with(b"HTTP/1.1 200 OK\r\n")));
    };
    tokio::task::spawn_blocking(test).await.unwrap();
    running.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_of_an_older_tls_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let running = Server::start(ServerConfig::local(dir.path())).await.unwrap();
    let addr = running.addr;
    let speak = move |version: &'static rustls::SupportedProtocolVersion| {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let pin = crate::Tls::open(dir.path(), None, None).unwrap().pin;
        let config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[version])
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Pinned(pin)))
            .with_no_client_auth();
        let connection = ClientConnection::new(Arc::new(config), ServerName::from(addr.ip())).unwrap();
        let mut stream = StreamOwned::new(connection, TcpStream::connect(addr).unwrap());
        say(&mut stream, &http("/healthz", &[])).and_then(|()| hear(stream))
    };
    let (older, newer) =
        tokio::task::spawn_blocking(move || (speak(&rustls::version::TLS12), speak(&rustls::version::TLS13)))
            .await
            .unwrap();
    assert!(older.is_err(), "{older:?}");
    assert!(newer.is_ok());
    running.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewed_certificate_is_taken_without_a_restart_and_another_key_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let files = TlsFiles { cert: dir.path().join("tls.crt"), key: dir.path().join("tls.key") };
    let write = |key: &rcgen::KeyPair, name: &str| {
        let certificate =
            rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap().self_signed(key).unwrap();
        std::fs::write(&files.cert, certificate.pem()).unwrap();
        std::fs::write(&files.key, key.serialize_pem()).unwrap();
        certificate.der().to_vec()
    };
    let key = rcgen::KeyPair::generate().unwrap();
    let first = write(&key, "one.example");
    let config = ServerConfig { tls: Some(files.clone()), ..ServerConfig::local(dir.path().join("base")) };
    let running = Server::start(config).await.unwrap();
    let addr = running.addr;
    let pin = crate::Tls::open(dir.path(), Some(&files), None).unwrap().pin;
    let shown = async || {
        let shown = move || {
            let mut stream = connected(addr, pin).unwrap();
            say(&mut stream, &http("/healthz", &[])).unwrap();
            let shown = stream.conn.peer_certificates().unwrap()[0].to_vec();
            hear(stream).unwrap();
            shown
        };
        tokio::task::spawn_blocking(shown).await.unwrap()
    };
    assert_eq!(shown().await, first);
    assert!(!tokio::task::block_in_place(|| running.renew_tls()).unwrap(), "nothing changed");
    let second = write(&key, "two.example");
    assert_eq!(shown().await, first, "not before somebody looks");
    assert!(tokio::task::block_in_place(|| running.renew_tls()).unwrap());
    assert_eq!(shown().await, second);
    // Half of a renewal, and another key: what is in use stays.
    std::fs::write(&files.key, rcgen::KeyPair::generate().unwrap().serialize_pem()).unwrap();
    assert!(tokio::task::block_in_place(|| running.renew_tls()).is_err());
    write(&rcgen::KeyPair::generate().unwrap(), "three.example");
    let refused = tokio::task::block_in_place(|| running.renew_tls()).unwrap_err();
    assert_eq!(refused.code(), Code::ServerNotTrusted);
    assert_eq!(shown().await, second);
    running.shutdown().await.unwrap();
}
