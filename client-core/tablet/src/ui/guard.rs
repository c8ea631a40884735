//! Who may talk to this program: the page itself, on this device, opened with the launch token.
//!
//! The browser also shows other sites, and other programs run on the device. So each request is checked for its
//! Host (another name that leads to loopback is DNS rebinding), its Origin (another site's page) and the token
//! (another program). The page's own files hold no data and need no token; everything else does.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::{
        HeaderMap, HeaderName, HeaderValue, Method,
        header::{
            AUTHORIZATION, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, ORIGIN,
            REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
        },
    },
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::{app::App, fail::Fail};

/// Nothing from elsewhere, nothing inline, nobody frames it; and no text ever becomes markup (trusted types).
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

const HEADERS: [(HeaderName, &str); 8] = [
    (CONTENT_SECURITY_POLICY, POLICY),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (X_FRAME_OPTIONS, "DENY"),
    (REFERRER_POLICY, "no-referrer"),
    // Records must not end up in the browser's cache on disk.
    (CACHE_CONTROL, "no-store"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("permissions-policy"), "camera=(), microphone=(), geolocation=()"),
];

/// Host and Origin of every request, and the headers of every answer.
pub async fn place(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let mut response = match misplaced(&app, request.method(), request.headers()) {
        Some(fail) => fail.into_response(),
        None => next.run(request).await,
    };
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

/// The launch token, on everything that shows or changes anything; and never for another site's page.
pub async fn token(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let site = request.headers().get("sec-fetch-site").map(HeaderValue::as_bytes);
    if site.is_some_and(|site| !matches!(site, b"same-origin" | b"none")) {
        return from_elsewhere().into_response();
    }
    let given = request.headers().get(AUTHORIZATION).map(HeaderValue::as_bytes);
    match given.and_then(|given| given.strip_prefix(b"Bearer ")) {
        Some(given) if same(given, app.token.as_bytes()) => next.run(request).await,
        _ => Fail::no_token().into_response(),
    }
}

fn misplaced(app: &App, method: &Method, headers: &HeaderMap) -> Option<Fail> {
    let port = app.addr.port();
    let own = [app.addr.to_string(), format!("localhost:{port}"), format!("127.0.0.1:{port}")];
    let mut hosts = headers.get_all(HOST).iter();
    let host_is_own = match (hosts.next(), hosts.next()) {
        (Some(host), None) => own.iter().any(|own| host.as_bytes().eq_ignore_ascii_case(own.as_bytes())),
        _ => false,
    };
    if !host_is_own {
        return Some(Fail::wrong_place("host_refused", "This address is not the one that Wayside serves."));
    }
    let reads = matches!(*method, Method::GET | Method::HEAD);
    match headers.get(ORIGIN) {
        Some(origin) if own.iter().any(|own| origin.as_bytes() == format!("http://{own}").as_bytes()) => {}
        // Browsers leave it out only where a page reads from where it came.
        None if reads => {}
        _ => return Some(from_elsewhere()),
    }
    // A form of another site cannot send this type.
    let json = headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
    if !reads && !json {
        return Some(Fail::wrong_place("type_refused", "Only JSON is taken here."));
    }
    None
}

fn from_elsewhere() -> Fail {
    Fail::wrong_place("origin_refused", "Only Wayside's own page may ask this.")
}

/// Compares without stopping at the first difference.
fn same(given: &[u8], own: &[u8]) -> bool {
    given.len() == own.len() && given.iter().zip(own).fold(0, |seen, (a, b)| seen | (a ^ b)) == 0
}
