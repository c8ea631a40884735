use axum::body::Body;
use axum::http::{Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::json;
use tower::ServiceExt;
use wayside_protocol::error::Code;
use wayside_protocol::record::Kind;
use wayside_protocol::sync::frame::{self, Ask, Frame, MAX_BODY};

use super::{Gate, ROUTES, Route, Who, router, router_behind};
use crate::limits::Limit;
use crate::testing::{START, Site, Tablet, nowhere};
use crate::views::Views;

async fn send(site: &Site, method: &str, path: &str, body: impl Into<Body>) -> (StatusCode, Vec<u8>) {
    let request = Request::builder().method(method).uri(path).body(body.into()).unwrap();
    let response = router(site.base.clone()).oneshot(request).await.unwrap();
    let status = response.status();
    // Every byte counts on a bad link.
    let one_more = matches!(status, StatusCode::METHOD_NOT_ALLOWED | StatusCode::SERVICE_UNAVAILABLE);
    let few = if one_more { 3 } else { 2 };
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

/// Requests that would be done, made by `tablet` for the server of this identity; each ends with its seal.
fn requests(site: &Site, route: &Route, tablet: &Tablet, server: &[u8; 32]) -> Vec<Vec<u8>> {
    let places = || vec![nowhere(site.team)];
    let streamed =
        || tablet.streamed(server, tablet.streamed_hello(START, places()), Ask::default(), vec![]).0;
    match route.path {
        "/sync/v1" => {
            let pushed = tablet.frame(site.team, &[tablet.begin(Kind::Person, json!({"sex": "F"})).1]);
            vec![tablet.body(server, tablet.hello(START, places()), vec![pushed]), streamed()]
        }
        "/sync/v1/live" => vec![streamed()],
        "/sync/v1/enrol" => {
            let code = site.base.enrol_code("North", Some("https://base.example")).unwrap();
            vec![tablet.enrol_body(code.secret)]
        }
        path => panic!("no refusal test for {path}: write one"),
    }
}

#[tokio::test]
async fn every_endpoint_refuses_who_may_not_use_it() {
    let (site, elsewhere) = (Site::new(), Site::new());
    let known = site.tablet();
    let server = *site.base.identity.public();
    for route in ROUTES {
        if route.who == Who::Anyone {
            let (status, body) = send(&site, route.method, route.path, vec![]).await;
            match route.path {
                "/healthz" => assert_eq!((status, body), (StatusCode::OK, br#"{"status":"ok"}"#.to_vec())),
                "/readyz" => assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "nobody follows"),
                path => panic!("no test of what {path} tells everybody: write one"),
            }
            continue;
        }
        for (form, good) in requests(&site, route, &known, &server).into_iter().enumerate() {
            refuses(&site, &elsewhere, route, form, good).await;
        }
    }
}

async fn refuses(site: &Site, elsewhere: &Site, route: &Route, form: usize, good: Vec<u8>) {
    let send = async |body| send(site, route.method, route.path, body).await;
    let request = |site, tablet, server| requests(site, route, tablet, server).swap_remove(form);
    let (stranger, outsider) = (Tablet::new(), elsewhere.tablet());
    let before = site.head();
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
            let (status, body) = send(request(site, &stranger, site.base.identity.public())).await;
            assert_eq!((status, refused(&body)), (StatusCode::UNAUTHORIZED, Code::TabletUnknown));
            let known = site.tablet();
            let replayed = request(elsewhere, &known, elsewhere.base.identity.public());
            let (status, body) = send(replayed).await;
            assert_eq!((status, refused(&body)), (StatusCode::UNAUTHORIZED, Code::SignatureInvalid));
            let (status, body) = send(request(site, &outsider, site.base.identity.public())).await;
            assert_eq!((status, refused(&body)), (StatusCode::UNAUTHORIZED, Code::TabletUnknown));
        }
        // A code of another server.
        _ => {
            let (status, body) = send(request(elsewhere, &stranger, site.base.identity.public())).await;
            assert_eq!((status, refused(&body)), (StatusCode::FORBIDDEN, Code::CodeUnknown));
        }
    }
    assert_eq!(site.head(), before, "{}", route.path);
    assert_eq!(send(good.clone()).await.0, StatusCode::OK);
    if route.who == Who::Tablet {
        let (status, body) = send(good).await;
        assert_eq!((status, refused(&body)), (StatusCode::CONFLICT, Code::Replayed));
    }
}

#[tokio::test]
async fn a_server_with_too_much_to_do_says_when_to_come_again() {
    let site = Site::new();
    let router = router_behind(site.base.clone(), Gate::of(1, 0, 0));
    for path in ["/sync/v1", "/sync/v1/enrol", "/sync/v1/live"] {
        let request = Request::post(path).body(Body::from(vec![0; 10])).unwrap();
        let response = router.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        let after: u64 = response.headers()["retry-after"].to_str().unwrap().parse().unwrap();
        assert!((2..12).contains(&after));
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(refused(&body), Code::Busy);
    }
}

#[tokio::test]
async fn a_tablet_for_which_there_is_no_channel_left_is_told_when_to_come_again() {
    let site = Site::new();
    let tablet = site.tablet();
    let live = ROUTES.iter().find(|route| route.path == "/sync/v1/live").unwrap();
    let ask = async |channels| {
        let body = requests(&site, live, &tablet, site.base.identity.public()).remove(0);
        let router = router_behind(site.base.clone(), Gate::of(1, 8, channels));
        router.oneshot(Request::post(live.path).body(Body::from(body)).unwrap()).await.unwrap()
    };
    let response = ask(0).await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    let after: u64 = response.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((2..12).contains(&after));
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(refused(&body), Code::Busy);
    assert_eq!(site.base.limits.counts().of(Limit::News), 1);
    assert_eq!(ask(1).await.status(), StatusCode::OK);
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

#[tokio::test]
async fn a_server_is_ready_once_its_views_have_caught_up() {
    let site = Site::new();
    let tablet = site.tablet();
    let people: Vec<_> = (0..5).map(|_| tablet.begin(Kind::Person, json!({"sex": "F"})).1).collect();
    tablet.push(&site, &people);
    let ask = async || {
        let (status, body) = send(&site, "GET", "/readyz", vec![]).await;
        (status, serde_json::from_slice::<serde_json::Value>(&body).unwrap())
    };
    let behind = json!({"code": "behind", "behind": 6, "teams": 1});
    assert_eq!(ask().await, (StatusCode::SERVICE_UNAVAILABLE, behind.clone()));
    site.base.followed.begin();
    assert_eq!(ask().await, (StatusCode::SERVICE_UNAVAILABLE, behind));
    let mut views = Views::open(site.dir.path()).unwrap();
    site.base.catch_up(&mut views).unwrap();
    assert_eq!(ask().await, (StatusCode::OK, json!({"code": "ok", "behind": 0, "teams": 0})));
    // A little behind is ready.
    tablet.push(&site, &[tablet.begin(Kind::Person, json!({"sex": "F"})).1]);
    assert_eq!(ask().await, (StatusCode::OK, json!({"code": "ok", "behind": 1, "teams": 1})));
    site.base.followed.end();
    assert_eq!(ask().await.0, StatusCode::SERVICE_UNAVAILABLE);
}
