use axum::body::Body;
use axum::http::{Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::json;
use tower::ServiceExt;
use wayside_protocol::error::Code;
use wayside_protocol::record::Kind;
use wayside_protocol::sync::frame::{self, Frame, MAX_BODY};

use super::{ROUTES, Route, Who, router};
use crate::testing::{START, Site, Tablet, nowhere};

async fn send(site: &Site, method: &str, path: &str, body: impl Into<Body>) -> (StatusCode, Vec<u8>) {
    let request = Request::builder().method(method).uri(path).body(body.into()).unwrap();
    let response = router(site.base.clone()).oneshot(request).await.unwrap();
    let status = response.status();
    // Every byte counts on a bad link.
    let few = if status == StatusCode::METHOD_NOT_ALLOWED { 3 } else { 2 };
    assert!(response.headers().len() <= few, "{:?}", response.headers());
    (status, response.into_body().collect().await.unwrap().to_bytes().to_vec())
}

fn refused(body: &[u8]) -> Code {
    match frame::decode(body).unwrap().as_slice() {
        [Frame::Refusal(refusal)] => {
            assert_eq!(refusal.server_time_ms, START);
            Code::parse(&refusal.code).unwrap()
        }
        other => panic!("{other:?}"),
    }
}

/// Ends the last of a request's bytes differently.
fn alter(mut body: Vec<u8>, at: usize) -> Vec<u8> {
    body[at] ^= 1;
    body
}

/// A request that would be done, made by `tablet` for the server of this identity.
fn request(site: &Site, route: &Route, tablet: &Tablet, server: &[u8; 32]) -> Vec<u8> {
    match route.path {
        "/sync/v1" => {
            let pushed = tablet.frame(site.team, &[tablet.begin(Kind::Person, json!({"sex": "F"})).1]);
            tablet.body(server, tablet.hello(START, vec![nowhere(site.team)]), vec![pushed])
        }
        "/sync/v1/enrol" => {
            let code = site.base.enrol_code("North", Some("https://base.example")).unwrap();
            tablet.enrol_body(code.secret)
        }
        path => panic!("no refusal test for {path}: write one"),
    }
}

#[tokio::test]
async fn every_endpoint_refuses_who_may_not_use_it() {
    let (site, elsewhere) = (Site::new(), Site::new());
    let (known, stranger) = (site.tablet(), Tablet::new());
    let server = *site.base.identity.public();
    for route in ROUTES {
        let send = async |body| send(&site, route.method, route.path, body).await;
        if route.who == Who::Anyone {
            let (status, body) = send(vec![]).await;
            assert_eq!((status, body.as_slice()), (StatusCode::OK, br#"{"status":"ok"}"#.as_slice()));
            continue;
        }
        let good = request(&site, route, &known, &server);
        let before = (site.head(), site.count("tablet_team"));
        for garbage in [vec![], vec![0; 200], b"hello".to_vec(), rand::random::<[u8; 32]>().to_vec()] {
            let (status, body) = send(garbage).await;
            assert_eq!((status, refused(&body)), (StatusCode::BAD_REQUEST, Code::FrameMalformed));
        }
        // Without its seal, with another's, altered where it was signed and where it was not.
        let (status, body) = send(good[..good.len() - 67].to_vec()).await;
        assert_eq!((status, refused(&body)), (StatusCode::BAD_REQUEST, Code::FrameMalformed));
        let mut resealed = good[..good.len() - 67].to_vec();
        Frame::Seal([7; 64]).encode(&mut resealed);
        let last = good.len() - 1;
        for body in [resealed, alter(good.clone(), last)] {
            let (status, body) = send(body).await;
            assert_eq!((status, refused(&body)), (StatusCode::UNAUTHORIZED, Code::SignatureInvalid));
        }
        for at in (0..good.len()).step_by(7) {
            let (status, body) = send(alter(good.clone(), at)).await;
            assert!(status.is_client_error(), "{at}: {status}");
            let code = refused(&body);
            let expected = [Code::FrameMalformed, Code::SignatureInvalid, Code::VersionUnsupported];
            assert!(expected.contains(&code), "{at}: {code}");
        }
        match route.who {
            Who::Tablet => {
                let (status, body) = send(request(&site, route, &stranger, &server)).await;
                assert_eq!((status, refused(&body)), (StatusCode::UNAUTHORIZED, Code::TabletUnknown));
                let replayed = request(&elsewhere, route, &known, elsewhere.base.identity.public());
                let (status, body) = send(replayed).await;
                assert_eq!((status, refused(&body)), (StatusCode::UNAUTHORIZED, Code::SignatureInvalid));
            }
            // A code of another server.
            _ => {
                let (status, body) = send(request(&elsewhere, route, &stranger, &server)).await;
                assert_eq!((status, refused(&body)), (StatusCode::FORBIDDEN, Code::CodeUnknown));
            }
        }
        assert_eq!((site.head(), site.count("tablet_team")), before, "{}", route.path);
        assert_eq!(send(good).await.0, StatusCode::OK);
    }
}

#[tokio::test]
async fn what_is_too_large_is_not_read() {
    let site = Site::new();
    let (status, body) = send(&site, "POST", "/sync/v1", vec![0; MAX_BODY + 1]).await;
    assert_eq!((status, refused(&body)), (StatusCode::PAYLOAD_TOO_LARGE, Code::TooLarge));
    // Chunked, without a declared length.
    let pieces = http_body_util::Full::new(axum::body::Bytes::from(vec![0; MAX_BODY + 1]));
    let body = Body::new(pieces.map_frame(|frame| frame));
    let (status, body) = send(&site, "POST", "/sync/v1", body).await;
    assert_eq!((status, refused(&body)), (StatusCode::PAYLOAD_TOO_LARGE, Code::TooLarge));
}

#[tokio::test]
async fn other_addresses_and_methods_are_refused_in_json() {
    let site = Site::new();
    let code = |body: &[u8]| serde_json::from_slice::<serde_json::Value>(body).unwrap()["code"].clone();
    for path in ["/", "/sync", "/sync/v1/", "/sync/v2", "/healthz/x", "/../keys"] {
        let (status, body) = send(&site, "GET", path, vec![]).await;
        assert_eq!((status, code(&body)), (StatusCode::NOT_FOUND, json!("not_found")), "{path}");
    }
    for route in ROUTES {
        let (status, body) = send(&site, "DELETE", route.path, vec![]).await;
        assert_eq!((status, code(&body)), (StatusCode::METHOD_NOT_ALLOWED, json!("method_not_allowed")));
    }
}
