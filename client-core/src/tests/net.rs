//! The link itself: TLS, pins, cuts.

use std::sync::{Arc, Mutex};

use rustls::{ServerConfig, pki_types::PrivateKeyDer};
use sha2::{Digest, Sha256};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};
use tokio_rustls::TlsAcceptor;

use super::{Kit, base::Base};
use crate::{Phase, Progress, SyncReport, Tablet};

struct Server {
    url: String,
    pin: [u8; 32],
    base: Arc<Mutex<Base>>,
    /// Cuts each answer after so many bytes.
    cut: Arc<Mutex<Option<usize>>>,
}

async fn serve() -> Server {
    let made = rcgen::generate_simple_self_signed(["nowhere.example".to_owned()]).unwrap();
    let pin = Sha256::digest(rcgen::PublicKeyData::subject_public_key_info(&made.signing_key)).into();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let (base, cut) = (Arc::new(Mutex::new(Base::new())), Arc::new(Mutex::new(None)));
    let (shared, cuts) = (base.clone(), cut.clone());
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            let Ok(mut tls) = acceptor.accept(tcp).await else { continue };
            let mut read = Vec::new();
            loop {
                let Some(request) = request(&mut tls, &mut read).await else { break };
                let answer = shared.lock().unwrap().handle(&request);
                let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", answer.len());
                let cut = *cuts.lock().unwrap();
                tls.write_all(head.as_bytes()).await.unwrap();
                tls.write_all(&answer[..cut.unwrap_or(answer.len())]).await.unwrap();
                tls.flush().await.unwrap();
                if cut.is_some() {
                    break;
                }
            }
        }
    });
    Server { url, pin, base, cut }
}

async fn request(from: &mut (impl AsyncReadExt + Unpin), read: &mut Vec<u8>) -> Option<Vec<u8>> {
    loop {
        if let Some(end) = read.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8(read[..end].to_vec()).unwrap();
            assert!(head.starts_with("POST /sync/v1 HTTP/1.1\r\n"), "{head}");
            assert!(head.len() < 200, "{head}");
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
            let length: usize = length.parse().unwrap();
            while read.len() < end + 4 + length {
                (from.read_buf(read).await.ok()? > 0).then_some(())?;
            }
            let rest = read.split_off(end + 4 + length);
            return Some(std::mem::replace(read, rest).split_off(end + 4));
        }
        (from.read_buf(read).await.ok()? > 0).then_some(())?;
    }
}

async fn sync(tablet: &Tablet) -> SyncReport {
    tablet.sync(|_| {}).await
}

fn code(report: &SyncReport) -> Option<&str> {
    report.error.as_ref().map(|problem| problem.code.as_str())
}

#[tokio::test]
async fn a_whole_sync_over_tls() {
    let server = serve().await;
    let (one, two) = (Kit::new(1), Kit::new(2));
    assert_eq!(code(&sync(&one.tablet).await), Some("not_enrolled"));
    for kit in [&one, &two] {
        server.base.lock().unwrap().enrol_at(kit, &server.url, server.pin);
    }
    let contact = one.record().contact;
    let seen: Mutex<Vec<Progress>> = Mutex::default();
    let tablet = one.tablet.clone();
    // As bindings do it: elsewhere, in a task of its own.
    let (report, seen) = tokio::spawn(async move {
        let report = tablet.sync(|progress| seen.lock().unwrap().push(progress)).await;
        (report, seen.into_inner().unwrap())
    })
    .await
    .unwrap();
    assert_eq!((code(&report), report.pushed, report.in_sync), (None, 4, true));
    assert_eq!((seen[0].phase, seen.last().unwrap().phase), (Phase::Connecting, Phase::Done));
    assert_eq!(seen.last().unwrap().to_push, 4);
    server.base.lock().unwrap().page = 1;
    let report = sync(&two.tablet).await;
    assert_eq!((report.pulled, report.exchanges, report.in_sync), (4, 4, true));
    assert_eq!(two.show(contact), one.show(contact));
    let report = sync(&two.tablet).await;
    assert_eq!((report.exchanges, report.in_sync), (1, true));
    assert!(report.bytes_up <= 512 && report.bytes_down <= 512, "{report:?}");
}

#[tokio::test]
async fn only_the_pinned_key_is_trusted() {
    let server = serve().await;
    let kit = Kit::new(1);
    server.base.lock().unwrap().enrol_at(&kit, &server.url, [0; 32]);
    let report = sync(&kit.tablet).await;
    assert_eq!((code(&report), report.bytes_up), (Some("server_not_trusted"), 0));
    assert_eq!(kit.tablet.status().unwrap().last_synced_at, None);
}

#[tokio::test]
async fn nobody_there_and_no_name() {
    let kit = Kit::new(1);
    Base::new().enrol_at(&kit, "https://127.0.0.1:1", [0; 32]);
    assert_eq!(code(&sync(&kit.tablet).await), Some("server_unreachable"));
    Base::new().enrol_at(&kit, "https://base.invalid:1", [0; 32]);
    assert_eq!(code(&sync(&kit.tablet).await), Some("no_signal"));
}

#[tokio::test]
async fn a_link_cut_at_any_byte_loses_nothing() {
    let server = serve().await;
    let kit = Kit::new(1);
    server.base.lock().unwrap().enrol_at(&kit, &server.url, server.pin);
    kit.record();
    for cut in [0, 1, 20] {
        *server.cut.lock().unwrap() = Some(cut);
        let report = sync(&kit.tablet).await;
        assert_eq!(code(&report), Some("link_cut"), "{cut}");
        assert!(report.error.unwrap().retry);
    }
    *server.cut.lock().unwrap() = None;
    assert!(sync(&kit.tablet).await.in_sync);
    assert_eq!(server.base.lock().unwrap().log.len(), 4, "once each");
}

#[tokio::test]
async fn one_sync_at_a_time_and_dropping_it_is_safe() {
    let server = serve().await;
    let kit = Kit::new(1);
    server.base.lock().unwrap().enrol_at(&kit, &server.url, server.pin);
    kit.record();
    {
        let mut first = std::pin::pin!(kit.tablet.sync(|_| {}));
        // Far enough to hold the lock.
        tokio::select! {
            biased;
            _ = &mut first => panic!("too fast"),
            () = std::future::ready(()) => {}
        }
        assert!(kit.tablet.status().unwrap().syncing);
        assert_eq!(code(&sync(&kit.tablet).await), Some("sync_running"));
    }
    // What was under way when it was dropped ends by itself.
    while kit.tablet.status().unwrap().syncing {
        tokio::task::yield_now().await;
    }
    assert!(sync(&kit.tablet).await.in_sync);
}
