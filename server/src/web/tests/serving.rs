use axum::body::Body;
use axum::http::header;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tower::ServiceExt;

use super::{Desk, request};
use crate::accounts::Role;
use crate::{Server, ServerConfig};

async fn ask(addr: std::net::SocketAddr, line: &str) -> String {
    let mut stream = TcpStream::connect(addr).await.unwrap();
    let head = format!("{line} HTTP/1.1\r\nHost: {addr}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn the_listener_without_tls_serves_pages_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("base");
    let mut config = ServerConfig::local(&data);
    config.pages = Some("127.0.0.1:0".into());
    config.name = "Leeds East".into();
    let running = Server::start(config).await.unwrap();
    let addr = running.pages_addr().unwrap();
    let page = ask(addr, "GET /sign-in").await;
    assert!(page.starts_with("HTTP/1.1 200") && page.contains("Leeds East"), "{page}");
    assert!(ask(addr, "POST /sync/v1").await.starts_with("HTTP/1.1 404"));
    assert!(ask(addr, "GET /healthz").await.starts_with("HTTP/1.1 404"));
    // Links lead to where the pages are, from whichever process they are asked for.
    assert_eq!(running.pages_url(), format!("http://{addr}"));
    assert_eq!(running.base().pages_url().unwrap(), running.pages_url());
    running.shutdown().await.unwrap();

    for listen in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0", "nonsense"] {
        let refused = ServerConfig { pages: Some(listen.into()), ..ServerConfig::local(&data) };
        assert_eq!(Server::start(refused).await.err().unwrap().code().as_str(), "bad_arguments", "{listen}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_and_answers_are_compressed_and_what_streams_is_not() {
    let desk = Desk::new();
    let cookie = desk.signed_in("vic", Role::Viewer).await;
    for (path, encoding) in [("/", "gzip"), ("/api/v1/today", "gzip"), ("/sign-in", "gzip"), ("/events", "")]
    {
        let asked = request("GET", path, &cookie).header(header::ACCEPT_ENCODING, "gzip, br, zstd");
        let response = desk.router().oneshot(asked.body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(response.status(), 200, "{path}");
        let answered = response.headers().get(header::CONTENT_ENCODING);
        assert_eq!(answered.map_or("", |value| value.to_str().unwrap()), encoding, "{path}");
    }
    // Who did not ask for it gets plain text.
    let plain = desk.get("/sign-in", "").await;
    assert!(plain.body.contains("Password") && plain.header(header::CONTENT_ENCODING).is_empty());
}
