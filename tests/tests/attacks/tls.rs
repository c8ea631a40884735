//! Somebody between a tablet and base who would rather have them speak something older.

use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::Arc,
    thread::{self, JoinHandle},
    time::Duration,
};

use rustls::{
    ServerConfig, ServerConnection, StreamOwned, SupportedProtocolVersion,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    version::{TLS12, TLS13},
};
use tokio::runtime::Runtime;
use wayside_client_core::{Key, Tablet};

use crate::{
    target::{NORTH, Target},
    wire::{Door, http},
};

static OLD: [&SupportedProtocolVersion; 1] = [&TLS12];
static NEW: [&SupportedProtocolVersion; 1] = [&TLS13];

#[test]
fn nothing_older_than_tls_1_3_is_spoken_and_nothing_in_the_clear() {
    let target = Target::start();
    let request = http("GET", "/healthz", &[("Host", "x")], b"");
    let speak = |versions: &'static [&'static SupportedProtocolVersion]| -> std::io::Result<Option<u16>> {
        let mut line = Door { versions, ..target.door() }.connect()?;
        line.say(&request)?;
        Ok(line.hear()?.map(|answer| answer.status))
    };
    assert!(!matches!(speak(&OLD), Ok(Some(_))));
    assert_eq!(speak(&NEW).unwrap(), Some(200));
    assert_eq!(speak(rustls::ALL_VERSIONS).unwrap(), Some(200), "the newer one is taken");

    // The beginnings of handshakes in SSL 3.0, TLS 1.0 and 1.1, and HTTP without any.
    let old = |minor: u8| {
        let random = [7; 32];
        let hello = [&[3, minor][..], &random, &[0], &[0, 2, 0, 0x2f], &[1, 0]].concat();
        let length = u8::try_from(hello.len()).unwrap();
        [&[22, 3, minor, 0, length + 4, 1, 0, 0, length][..], &hello].concat()
    };
    for said in [old(0), old(1), old(2), request.clone()] {
        let mut stream = TcpStream::connect(target.door().addr).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        stream.write_all(&said).unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        // An alert at the most, never a handshake or an answer.
        assert!(answer.is_empty() || answer[0] == 21, "{answer:?}");
        assert!(!answer.windows(4).any(|part| part == b"HTTP"));
    }
}

/// Somebody with base's own key who speaks this version: what they heard of the first request.
fn listening(
    target: &Target,
    version: &'static SupportedProtocolVersion,
) -> (SocketAddr, JoinHandle<String>) {
    let keys = target.base().data().join("keys");
    let certificate = CertificateDer::from_pem_slice(&fs::read(keys.join("tls.crt")).unwrap()).unwrap();
    let key = PrivateKeyDer::from_pem_slice(&fs::read(keys.join("tls.key")).unwrap()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_protocol_versions(&[version])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let heard = thread::spawn(move || {
        let connection = ServerConnection::new(Arc::new(config)).unwrap();
        let mut stream = StreamOwned::new(connection, listener.accept().unwrap().0);
        let mut said = [0; 64];
        let read = stream.read(&mut said).unwrap_or_default();
        String::from_utf8_lossy(&said[..read]).into_owned()
    });
    (addr, heard)
}

#[test]
fn a_tablet_says_nothing_to_a_server_that_speaks_something_older() {
    let target = Target::start();
    let runtime = Runtime::new().unwrap();
    for (version, hears) in [(OLD[0], false), (NEW[0], true)] {
        let (addr, heard) = listening(&target, version);
        let code = target.base().enrol_code(NORTH, Some(&format!("https://{addr}"))).unwrap().to_text();
        let dir = tempfile::tempdir().unwrap();
        let tablet = Tablet::open(dir.path(), &Key::from_bytes([7; 32])).unwrap();
        assert!(runtime.block_on(tablet.enrol(&code, "van")).is_err());
        let heard = heard.join().unwrap();
        assert_eq!(heard.starts_with("POST /sync/v1/enrol"), hears, "{version:?}: {heard}");
    }
}
