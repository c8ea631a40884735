//! The limits as clients meet them.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{HeaderMap, Request, StatusCode, header};
use http_body_util::BodyExt;
use serde_json::json;
use tokio::task::JoinSet;
use tower::ServiceExt;
use wayside_protocol::error::Code;
use wayside_protocol::record::{Kind, tablet_id};
use wayside_protocol::sync::frame::{self, Ask, Frame, Verdict};

use super::{Limit, Net, Pace, Proxies, Settings};
use crate::accounts;
use crate::log::{self, Quota, Quotas, audited};
use crate::serve::all_addresses;
use crate::testing::{START, Site, Tablet, nowhere, on_both, quarantined};
use crate::views::Views;
use crate::web::{Door, Web};
use crate::{Error, sync};

/// A minute passes in no test.
const THREE: Pace = Pace { burst: 3, per_minute: 1 };
const ONE: &str = "192.0.2.1";
const OTHER: &str = "192.0.2.2";

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Answer {
    /// The code of a refusal in frames, which says when to come again.
    fn refusal(&self) -> Code {
        match frame::decode(&self.body).unwrap().as_slice() {
            [Frame::Refusal(refusal)] => Code::parse(&refusal.code).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    fn comes_again(&self) -> u64 {
        assert_eq!(self.status, StatusCode::TOO_MANY_REQUESTS);
        self.headers[header::RETRY_AFTER].to_str().unwrap().parse().unwrap()
    }
}

struct Served {
    site: Site,
    router: Router,
}

impl Served {
    fn new(settings: Settings) -> Served {
        let site = Site::new();
        site.base.limits.set(settings);
        let web = Web::new(site.base.clone(), "Leeds East");
        let router = all_addresses(Arc::new(Door { web, secure: true, loopback: None }));
        Served { site, router }
    }

    async fn get(&self, path: &str, from: &str) -> Answer {
        send(&self.router, request("GET", path, from, Vec::new())).await
    }

    async fn post(&self, path: &str, from: &str, body: Vec<u8>) -> Answer {
        send(&self.router, request("POST", path, from, body)).await
    }

    /// An exchange in which a tablet asks for everything.
    fn asking(&self, tablet: &Tablet) -> Vec<u8> {
        let hello = tablet.streamed_hello(START, vec![nowhere(self.site.team)]);
        tablet.streamed(self.site.base.identity.public(), hello, Ask::default(), Vec::new()).0
    }

    fn refusals(&self) -> Vec<(String, String, String)> {
        let all = self.site.base.log.read(audited).unwrap();
        let refused = all.into_iter().filter(|act| act.act == "refused");
        refused.map(|act| (act.who, act.reason, act.address)).collect()
    }
}

fn request(method: &str, path: &str, from: &str, body: Vec<u8>) -> Request<Body> {
    let request = Request::builder().method(method).uri(path).header(header::HOST, "base.example");
    let request = match from {
        "" => request,
        from => request.extension(ConnectInfo(SocketAddr::new(from.parse().unwrap(), 4711))),
    };
    request.body(Body::from(body)).unwrap()
}

async fn send(router: &Router, request: Request<Body>) -> Answer {
    let (parts, body) = router.clone().oneshot(request).await.unwrap().into_parts();
    let body = body.collect().await.unwrap().to_bytes().to_vec();
    Answer { status: parts.status, headers: parts.headers, body }
}

#[tokio::test]
async fn an_address_that_asks_too_often_is_told_when_to_come_again_and_others_are_served() {
    let served = Served::new(Settings { address: THREE, ..Settings::default() });
    for _ in 0..3 {
        assert_eq!(served.get("/sign-in", ONE).await.status, StatusCode::OK);
    }
    // Everybody hears it in the words they know.
    let page = served.get("/sign-in", ONE).await;
    assert!((50..75).contains(&page.comes_again()));
    assert!(page.headers.contains_key(header::CONTENT_SECURITY_POLICY));
    let page = String::from_utf8(page.body).unwrap();
    assert!(page.contains("<h1") && page.contains("Too many requests"), "{page}");
    let api = served.get("/api/v1/today", ONE).await;
    api.comes_again();
    let error: serde_json::Value = serde_json::from_slice(&api.body).unwrap();
    assert_eq!((&error["code"], &error["retry"]), (&json!("rate_limited"), &json!(true)));
    let tablet = served.site.tablet();
    let frames = served.post("/sync/v1", ONE, served.asking(&tablet)).await;
    assert_eq!((frames.refusal(), frames.comes_again() >= 50), (Code::RateLimited, true));

    assert_eq!(served.post("/sync/v1", OTHER, served.asking(&tablet)).await.status, StatusCode::OK);
    assert_eq!(served.get("/healthz", ONE).await.status, StatusCode::OK, "who watches over it");
    assert_eq!(served.get("/sign-in", "").await.status, StatusCode::OK, "nobody knows from where");
    // A home has a whole network of IPv6.
    for host in 1..=3 {
        assert_eq!(served.get("/sign-in", &format!("2001:db8::{host}")).await.status, StatusCode::OK);
    }
    served.get("/sign-in", "2001:db8::ffff:4").await.comes_again();
    assert_eq!(served.get("/sign-in", "2001:db8:0:1::1").await.status, StatusCode::OK);
    let counted = served.site.base.limits.counts();
    assert_eq!((counted.of(Limit::AddressRate), counted.of(Limit::TabletRate)), (4, 0));
    assert_eq!(counted.refusals, [(Code::RateLimited, 4)]);
}

#[tokio::test]
async fn a_tablet_that_asks_too_often_is_told_when_to_come_again_and_others_are_served() {
    let served = Served::new(Settings { tablet: THREE, ..Settings::default() });
    let (site, tablet) = (&served.site, served.site.tablet());
    for _ in 0..3 {
        assert_eq!(served.post("/sync/v1", ONE, served.asking(&tablet)).await.status, StatusCode::OK);
    }
    let pushed = tablet.frame(site.team, &[tablet.begin(Kind::Person, json!({"sex": "F"})).1]);
    let hello = tablet.streamed_hello(START, vec![]);
    let push = tablet.streamed(site.base.identity.public(), hello, Ask::default(), vec![pushed]).0;
    let before = site.head();
    for path in ["/sync/v1", "/sync/v1/live"] {
        let refused = served.post(path, OTHER, served.asking(&tablet)).await;
        assert_eq!((refused.refusal(), refused.comes_again() >= 50), (Code::RateLimited, true), "{path}");
    }
    assert_eq!(served.post("/sync/v1", OTHER, push.clone()).await.refusal(), Code::RateLimited);
    assert_eq!(site.head(), before);
    assert_eq!(served.post("/sync/v1", ONE, served.asking(&site.tablet())).await.status, StatusCode::OK);
    // Nobody uses up its share in its name.
    let mut forged = served.asking(&tablet);
    *forged.last_mut().unwrap() ^= 1;
    assert_eq!(served.post("/sync/v1", ONE, forged).await.refusal(), Code::SignatureInvalid);
    assert_eq!(site.base.limits.counts().of(Limit::TabletRate), 3);
    // One row for three refusals; and what was refused is done once it may come.
    let (own, reason) = (tablet_id(&tablet.public()), "rate_limited".to_owned());
    let expected = [
        (own, reason, OTHER.to_owned()),
        ("unknown tablet".to_owned(), "signature_invalid".to_owned(), ONE.to_owned()),
    ];
    assert_eq!(served.refusals(), expected);
    site.base.limits.set(Settings::default());
    assert_eq!(served.post("/sync/v1", ONE, push).await.status, StatusCode::OK);
    assert_eq!(site.head(), before + 1);
}

#[tokio::test]
async fn only_so_many_requests_are_at_work_at_once() {
    let settings = Settings { tablet_at_once: 1, address_at_once: 2, ..Settings::default() };
    let served = Served::new(settings);
    let limits = &served.site.base.limits;
    let tablet = served.site.tablet();
    let n = served.site.base.log.read(|conn| log::tablet_by_key(conn, &tablet.public())).unwrap().unwrap().n;
    let inside = limits.admit_tablet(n).unwrap();
    let refused = served.post("/sync/v1", ONE, served.asking(&tablet)).await;
    assert_eq!((refused.refusal(), refused.comes_again() <= 20), (Code::RateLimited, true));
    drop(inside);
    assert_eq!(served.post("/sync/v1", ONE, served.asking(&tablet)).await.status, StatusCode::OK);
    let inside = [limits.admit(ONE.parse().unwrap()).unwrap(), limits.admit(ONE.parse().unwrap()).unwrap()];
    served.get("/sign-in", ONE).await.comes_again();
    assert_eq!(served.get("/sign-in", OTHER).await.status, StatusCode::OK);
    drop(inside);
    assert_eq!(served.get("/sign-in", ONE).await.status, StatusCode::OK);
    let counted = limits.counts();
    assert_eq!((counted.of(Limit::TabletAtOnce), counted.of(Limit::AddressAtOnce)), (1, 1));
}

#[tokio::test]
async fn behind_a_proxy_the_address_that_counts_is_what_the_proxy_says() {
    let proxies = Proxies { nets: vec!["10.0.0.0/8".parse::<Net>().unwrap()], ..Proxies::default() };
    let served = Served::new(Settings { address: THREE, proxies, ..Settings::default() });
    let from = async |client: &str| {
        let mut asked = request("GET", "/sign-in", "10.0.0.7", Vec::new());
        if !client.is_empty() {
            asked.headers_mut().insert("x-forwarded-for", client.parse().unwrap());
        }
        send(&served.router, asked).await.status
    };
    for n in 0..3 {
        // Whatever they put in front of it themselves.
        assert_eq!(from(&format!("198.51.100.{n}, {ONE}")).await, StatusCode::OK);
    }
    assert_eq!(from(ONE).await, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(from(OTHER).await, StatusCode::OK);
    for _ in 0..5 {
        assert_eq!(from("").await, StatusCode::OK, "nobody can be told from anybody else");
    }
    // The audit trail names them, too.
    let mut asked = request("POST", "/sync/v1", "10.0.0.7", served.asking(&Tablet::new()));
    asked.headers_mut().insert("x-forwarded-for", OTHER.parse().unwrap());
    assert_eq!(send(&served.router, asked).await.refusal(), Code::TabletUnknown);
    assert_eq!(served.refusals()[0].2, OTHER);
}

#[tokio::test]
async fn a_form_that_is_large_slow_deep_or_packed_is_refused() {
    let within = std::time::Duration::from_millis(20);
    let served = Served::new(Settings { form_within: within, ..Settings::default() });
    let site = &served.site;
    let wish = accounts::Wish {
        account: "amira".into(),
        name: "a program".into(),
        scopes: vec![accounts::Scope::Read],
        days: 1,
    };
    accounts::add(&site.base, "amira", accounts::Role::Viewer, "correct horse battery").unwrap();
    let token = accounts::issue(&site.base, "test", &wish).unwrap();
    site.base.followed.begin();
    let mut views = Views::open(site.dir.path()).unwrap();
    site.base.catch_up(&mut views).unwrap();
    let find = async |body: Body, encoding: Option<&str>| {
        let mut asked = request("POST", "/api/v1/find", ONE, Vec::new());
        let headers = asked.headers_mut();
        headers.insert(header::AUTHORIZATION, format!("Bearer {token}").parse().unwrap());
        headers.insert(header::CONTENT_TYPE, "application/json".parse().unwrap());
        encoding.map(|encoding| headers.insert(header::CONTENT_ENCODING, encoding.parse().unwrap()));
        *asked.body_mut() = body;
        let answer = send(&served.router, asked).await;
        let code = serde_json::from_slice::<serde_json::Value>(&answer.body).unwrap()["code"].clone();
        (answer.status.as_u16(), code.as_str().unwrap_or_default().to_owned())
    };
    let said = |status, code: &str| (status, code.to_owned());
    let good = br#"{"text": "Quillfeather"}"#;
    assert_eq!(find(Body::from(good.to_vec()), None).await, said(200, ""));
    let large = [good.as_slice(), &vec![b' '; 64 << 10]].concat();
    assert_eq!(find(Body::from(large), None).await, said(413, "too_large"));
    let begun = futures_util::stream::iter([Ok::<_, std::io::Error>(good.to_vec())]);
    let slow = futures_util::StreamExt::chain(begun, futures_util::stream::pending());
    assert_eq!(find(Body::from_stream(slow), None).await, said(408, "link_cut"));
    let deep = format!(r#"{{"text": {}1{}}}"#, "[".repeat(20_000), "]".repeat(20_000));
    assert_eq!(find(Body::from(deep), None).await, said(400, "bad_json"));
    // Nothing is unpacked: what says that it is packed is taken as it stands.
    let packed = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0x4b, 0, 0];
    assert_eq!(find(Body::from(packed.to_vec()), Some("gzip")).await, said(400, "bad_json"));
    assert_eq!(site.base.limits.counts().of(Limit::TooLarge), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_van_park_behind_one_address_meets_no_limit() {
    let served = Served::new(Settings::default());
    let (site, team) = (&served.site, served.site.team);
    let server = *site.base.identity.public();
    let before = site.head();
    let mut park = JoinSet::new();
    for _ in 0..200 {
        let tablet = site.tablet();
        let people: Vec<_> = (0..2).map(|_| tablet.begin(Kind::Person, json!({"sex": "F"})).1).collect();
        let hello = || tablet.streamed_hello(START, vec![nowhere(team)]);
        let body = |changes| tablet.streamed(&server, hello(), Ask::default(), changes).0;
        let sent = [
            (
                "/sync/v1",
                body(people.iter().map(|one| tablet.frame(team, std::slice::from_ref(one))).collect()),
            ),
            ("/sync/v1", body(Vec::new())),
            ("/sync/v1/live", body(Vec::new())),
        ];
        let router = served.router.clone();
        park.spawn(async move {
            for (path, body) in sent {
                let answer = send(&router, request("POST", path, ONE, body)).await;
                assert_eq!(answer.status, StatusCode::OK, "{path}");
            }
        });
    }
    while let Some(done) = park.join_next().await {
        done.unwrap();
    }
    assert_eq!(site.head(), before + 400);
    let counted = site.base.limits.counts();
    assert!(
        counted.refusals.is_empty() && counted.limits.iter().all(|(_, times)| *times == 0),
        "{counted:?}"
    );
}

fn held(tablet: Quota, team: Quota) -> Settings {
    Settings { held: Quotas { tablet, team }, ..Settings::default() }
}

const MANY: Quota = Quota { changes: 1000, bytes: 1 << 30 };

fn of(changes: u64) -> Quota {
    Quota { changes, ..MANY }
}

on_both!(
    what_quarantine_has_no_room_for_stays_on_the_tablet_and_goes_again,
    a_tablet_that_was_revoked_fills_no_disk_and_loses_nothing,
);

fn what_quarantine_has_no_room_for_stays_on_the_tablet_and_goes_again(site: Site) {
    let (one, two) = (site.tablet(), site.tablet());
    let bad = |tablet: &Tablet| tablet.begin(Kind::Person, json!({"sex": 7})).1;
    let good = |tablet: &Tablet| tablet.begin(Kind::Person, json!({"sex": "F"})).1;
    let (wrong, full) = (|| quarantined(Code::WrongType), || quarantined(Code::WaitingFull));
    site.base.limits.set(held(of(3), of(5)));
    let offers: Vec<_> = (0..5).map(|_| bad(&one)).collect();
    assert_eq!(one.push(&site, &offers), [wrong(), wrong(), wrong(), full(), full()]);
    assert_eq!(site.count("quarantine"), 3);
    // What was kept is known, what is good is taken, and another tablet has room of its own, as far as its team has.
    assert_eq!(one.push(&site, &offers[2..4]), [wrong(), full()]);
    assert!(matches!(one.push(&site, &[good(&one)])[..], [Verdict::Accepted { .. }]));
    assert_eq!(two.push(&site, &[bad(&two), bad(&two), bad(&two)]), [wrong(), wrong(), full()]);
    assert_eq!(site.count("quarantine"), 5);
    assert_eq!(site.base.limits.counts().of(Limit::Waiting), 4);
    let bytes = offers.iter().map(|(_, change)| change.raw.len() as u64).sum();
    site.base.limits.set(held(Quota { bytes, ..MANY }, MANY));
    assert_eq!(one.push(&site, &offers), [wrong(), wrong(), wrong(), wrong(), wrong()]);
    assert_eq!(one.push(&site, &[bad(&one)]), [full()], "bytes count, too");
    assert_eq!(site.count("quarantine"), 7);
}

fn a_tablet_that_was_revoked_fills_no_disk_and_loses_nothing(site: Site) {
    let tablet = site.tablet();
    let offers: Vec<_> = (0..3).map(|_| tablet.begin(Kind::Person, json!({"sex": "F"})).1).collect();
    let key = tablet.public();
    site.base.log.write(move |txn| log::revoke(txn.conn, &key, START)).unwrap();
    site.base.limits.set(held(of(2), MANY));
    let push = || {
        let changes = vec![tablet.frame(site.team, &offers)];
        let body = tablet.body(site.base.identity.public(), tablet.hello(START, vec![]), changes);
        sync::exchange(&site.base, &body)
    };
    // No verdict at all: with any it might wipe itself.
    assert!(matches!(push(), Err(Error::Later(Code::HoldFull, 900))));
    assert_eq!(site.count("quarantine"), 0);
    site.base.limits.set(Settings::default());
    assert!(push().is_ok());
    assert_eq!(site.count("quarantine"), 3);
}
