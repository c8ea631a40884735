//! The pages as a browser meets them, through the router.

mod access;
mod account;
mod api;
mod arranging;
mod behind;
mod coordinating;
mod exports;
mod extracts;
mod find;
mod fleet;
mod happenings;
mod letter;
mod live;
mod matrix;
mod programs;
mod quality;
mod reach;
mod serving;
mod sessions;
mod settling;
mod showing;
mod signing_in;
mod team;
mod teams_apart;
mod today;
mod together;
mod tokens;
mod trail;

use std::pin::pin;
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll, Wake};
use std::thread;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode, header};
use http_body_util::BodyExt;
use tower::ServiceExt;
use wayside_protocol::record::RecordId;

use super::{Door, Web, router};
use crate::accounts::{self, Role, Scope, Wish};
use crate::testing::Site;
use crate::views::Views;

pub const PASSWORD: &str = "correct horse battery";
pub const PORT: u16 = 8080;
pub const ORIGIN: &str = "http://127.0.0.1:8080";

/// A server's pages without TLS, as on a machine of its own.
pub struct Desk {
    pub site: Site,
    pub web: Arc<Web>,
    router: Router,
}

pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: String,
}

impl Answer {
    pub fn header(&self, name: header::HeaderName) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap()
    }

    pub fn code(&self) -> String {
        self.json()["code"].as_str().unwrap().to_owned()
    }
}

impl Desk {
    pub fn new() -> Desk {
        Desk::of(Site::new())
    }

    pub fn of(site: Site) -> Desk {
        let web = Web::new(site.base.clone(), "Leeds <b>East</b>");
        let router = router(Door { web: web.clone(), secure: false, loopback: Some(PORT) });
        Desk { site, web, router }
    }

    pub fn account(&self, name: &str, role: Role) {
        // Hashing is slow by design: once for all tests.
        static HASH: LazyLock<String> = LazyLock::new(|| {
            let site = Site::new();
            accounts::add(&site.base, "first", Role::Viewer, PASSWORD).unwrap();
            let sql = "SELECT password FROM account";
            site.base.log.read(|conn| conn.only(sql, &[], |row| row.get(0))).unwrap()
        });
        let (name, role) = (name.to_owned(), role.as_str());
        let add = "INSERT INTO account (name, role, password, created_at) VALUES (?, ?, ?, 0)";
        self.site
            .base
            .log
            .write(move |txn| txn.conn.execute(add, crate::log::db::args![name, role, *HASH]))
            .unwrap();
    }

    /// The cookie of an account that has just signed in.
    pub async fn signed_in(&self, name: &str, role: Role) -> String {
        self.account(name, role);
        let link = accounts::sign_in_link(&self.site.base, name, ORIGIN).unwrap();
        let answer = self.get(link.strip_prefix(ORIGIN).unwrap(), "").await;
        assert_eq!(answer.status, StatusCode::OK);
        cookie(&answer)
    }

    /// The token of an account of its own.
    pub fn token(&self, name: &str, role: Role, scopes: &[Scope]) -> String {
        self.account(name, role);
        let wish = Wish { account: name.into(), name: "a program".into(), scopes: scopes.to_vec(), days: 30 };
        accounts::issue(&self.site.base, "test", &wish).unwrap()
    }

    /// What a program gets with its token.
    pub async fn get_by(&self, path: &str, token: &str) -> Answer {
        let asked = request("GET", path, "").header(header::AUTHORIZATION, format!("Bearer {token}"));
        self.send(asked.body(Body::empty()).unwrap()).await
    }

    pub async fn get(&self, path: &str, cookie: &str) -> Answer {
        self.send(request("GET", path, cookie).body(Body::empty()).unwrap()).await
    }

    /// A form that a page of ours sent.
    pub async fn post(&self, path: &str, cookie: &str, form: &str) -> Answer {
        let request = request("POST", path, cookie)
            .header("sec-fetch-site", "same-origin")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.send(request.body(form.to_owned().into()).unwrap()).await
    }

    pub async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
        Answer { status: parts.status, headers: parts.headers, body }
    }

    pub fn router(&self) -> Router {
        self.router.clone()
    }

    /// What `serve` does all the time.
    pub fn catch_up(&self) {
        Views::open(self.site.dir.path()).unwrap().catch_up(&self.site.base.log).unwrap();
    }

    pub fn later(&self, ms: u64) {
        self.site.now.fetch_add(ms, std::sync::atomic::Ordering::Relaxed);
    }

    pub fn heads(&self, id: RecordId) -> Vec<String> {
        crate::api::record(&self.site.base, &crate::api::Readers::whole(), id).unwrap().0.heads
    }
}

pub fn request(method: &str, path: &str, cookie: &str) -> axum::http::request::Builder {
    let builder = Request::builder().method(method).uri(path).header(header::HOST, "127.0.0.1:8080");
    if cookie.is_empty() { builder } else { builder.header(header::COOKIE, cookie) }
}

pub fn cookie(answer: &Answer) -> String {
    answer.header(header::SET_COOKIE).split(';').next().unwrap().to_owned()
}

/// Waits for what asks, over PostgreSQL, too: its client blocks, which no thread may that drives a runtime. This one only
/// waits.
pub fn inside<T>(asks: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _inside = runtime.enter();
    let waker = Arc::new(Awake(thread::current())).into();
    let mut asks = pin!(asks);
    loop {
        match asks.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(done) => return done,
            Poll::Pending => thread::park(),
        }
    }
}

struct Awake(thread::Thread);

impl Wake for Awake {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// A form's body.
pub fn form(fields: &[(&str, &str)]) -> String {
    let escape = |text: &str| {
        let bytes = text
            .bytes()
            .map(|b| if b.is_ascii_alphanumeric() { (b as char).to_string() } else { format!("%{b:02X}") });
        bytes.collect::<String>()
    };
    fields.iter().map(|(name, value)| format!("{name}={}", escape(value))).collect::<Vec<_>>().join("&")
}
