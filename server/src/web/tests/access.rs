use std::fs;
use std::path::Path;

use axum::body::Body;
use axum::http::{Request, StatusCode, header};

use super::{Desk, ORIGIN, request};
use crate::accounts::Role;
use crate::router::Who;
use crate::web::{Door, ROUTES, handler, router};
use tower::ServiceExt;

const SOMETHING: &str = "01a20221-57e6-7f0f-b5c6-452956d7cfbb";

fn path(pattern: &str) -> String {
    pattern
        .replace("{id}", SOMETHING)
        .replace("{name}", "nothing.css")
        .replace("{entry}", "aaaaaaaa")
        .replace("{other}", SOMETHING)
        .replace("{recipient}", "1")
        .replace("{hash}", &"0a".repeat(32))
}

fn is_program(path: &str) -> bool {
    path.starts_with("/api/") || path == "/events"
}

#[tokio::test]
async fn every_address_refuses_who_may_not_use_it() {
    let desk = Desk::new();
    let viewer = desk.signed_in("vic", Role::Viewer).await;
    let coordinator = desk.signed_in("cora", Role::Coordinator).await;
    for route in ROUTES {
        assert!(handler(route).is_some(), "no handler for {}", route.path);
        let path = path(route.path);
        // By a name that somebody made to point here.
        for host in ["evil.example:8080", "127.0.0.1", "127.0.0.1:8081", "localhost.evil.example:8080"] {
            let asked = Request::builder().method(route.method).uri(&path).header(header::HOST, host);
            let answer = desk.send(asked.body(Body::empty()).unwrap()).await;
            assert_eq!(answer.status, StatusCode::MISDIRECTED_REQUEST, "{path} by {host}");
        }
        // From elsewhere, or from nobody knows where, whoever is signed in.
        if route.method == "POST" {
            let marks: [&[(&str, &str)]; 5] = [
                &[("sec-fetch-site", "cross-site"), ("origin", ORIGIN)],
                &[("sec-fetch-site", "same-site")],
                &[("origin", "https://evil.example")],
                &[("origin", "null")],
                &[],
            ];
            for mark in marks {
                let mut asked = request("POST", &path, &coordinator);
                for (name, value) in mark {
                    asked = asked.header(*name, *value);
                }
                let answer = desk.send(asked.body(Body::empty()).unwrap()).await;
                assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path} {mark:?}");
            }
        }
        let Who::Account(least) = route.who else { continue };
        for nobody in ["", "wayside-8080=", "wayside-8080=AAAA", "other=1"] {
            let answer = match route.method {
                "GET" => desk.get(&path, nobody).await,
                _ => desk.post(&path, nobody, "").await,
            };
            if is_program(&path) {
                assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{path}");
                assert_eq!(answer.code(), "not_signed_in");
                assert_eq!(answer.json()["retry"], false);
            } else if route.method == "GET" {
                assert_eq!(answer.status, StatusCode::SEE_OTHER, "{path}");
                assert_eq!(answer.header(header::LOCATION), "/sign-in");
            } else {
                assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{path}");
            }
        }
        for (role, cookie) in [(Role::Viewer, &viewer), (Role::Coordinator, &coordinator)] {
            if least > role {
                let answer = match route.method {
                    "GET" => desk.get(&path, cookie).await,
                    _ => desk.post(&path, cookie, "").await,
                };
                assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path}");
            }
        }
    }
}

#[tokio::test]
async fn every_answer_carries_the_headers_that_keep_it_safe() {
    let desk = Desk::new();
    let cookie = desk.signed_in("vic", Role::Viewer).await;
    for path in ["/", "/sign-in", "/checks/nonsense", "/api/v1/today", "/assets/none.js", "/sign-in/once"] {
        let answer = desk.get(path, &cookie).await;
        let policy = answer.header(header::CONTENT_SECURITY_POLICY);
        assert!(policy.starts_with("default-src 'none'; ") && !policy.contains("unsafe"), "{path}");
        assert!(policy.contains("frame-ancestors 'none'"));
        assert_eq!(answer.header(header::X_CONTENT_TYPE_OPTIONS), "nosniff");
        assert_eq!(answer.header(header::REFERRER_POLICY), "no-referrer");
        assert_eq!(answer.header(header::CACHE_CONTROL), "no-store", "{path}");
        // What the policy forbids is not there to begin with.
        assert!(!answer.body.contains(" style=") && !answer.body.contains("<style"), "{path}");
        assert!(!answer.body.contains("onclick") && !answer.body.contains("://"), "{path}");
    }
}

#[tokio::test]
async fn assets_may_be_kept_for_ever_and_name_nothing_elsewhere() {
    let desk = Desk::new();
    let page = desk.get("/sign-in", "").await.body;
    let style = page.split('"').find(|part| part.ends_with(".css")).unwrap();
    let answer = desk.get(style, "").await;
    assert_eq!(answer.status, StatusCode::OK);
    assert!(answer.header(header::CACHE_CONTROL).contains("immutable"));
    assert!(answer.body.len() < 120 * 1024);
    for word in ["url(", "@import", "@font-face", "rutiger", "http"] {
        assert!(!answer.body.contains(word), "{word}");
    }
}

/// `assets/build` leaves out what no template uses: a class that came later needs it run again.
#[test]
fn every_class_in_the_templates_has_its_style() {
    let style = include_str!("../../../assets/wayside.css");
    let mut classes: Vec<&str> = Vec::new();
    let sources = [
        include_str!("../../../templates/base.html"),
        include_str!("../../../templates/parts/macros.html"),
        include_str!("../../../templates/beside.html"),
        include_str!("../../../templates/check.html"),
        include_str!("../../../templates/duplicates.html"),
        include_str!("../../../templates/reach.html"),
        include_str!("../../../templates/follow-ups.html"),
        include_str!("../../../templates/parts/acts.html"),
        include_str!("../../../templates/person.html"),
        include_str!("../../../templates/member.html"),
        include_str!("../../../templates/parts/team.html"),
        include_str!("../../../templates/session.html"),
        include_str!("../../../templates/team.html"),
        include_str!("../../../templates/sign-in.html"),
        include_str!("../../../templates/find.html"),
        include_str!("../../../templates/extracts.html"),
        include_str!("../../../templates/dictionary.html"),
        include_str!("../../../templates/fleet.html"),
        include_str!("../../../templates/tablet.html"),
        include_str!("../../../templates/enrol.html"),
        include_str!("../../../templates/sites.html"),
        include_str!("../../../templates/site.html"),
        include_str!("../../../templates/quality.html"),
        include_str!("../../../templates/parts/site.html"),
        include_str!("../../../templates/parts/months.html"),
        include_str!("../../../templates/parts/charts.html"),
        include_str!("../../../templates/today.html"),
        include_str!("../../../templates/account.html"),
        include_str!("../../../templates/accounts.html"),
        include_str!("../../../templates/parts/account.html"),
        include_str!("../../../templates/second-factor.html"),
        include_str!("../pages/accounts.rs"),
        include_str!("../words.rs"),
        include_str!("../pages/check_tables.rs"),
        include_str!("../pages/duplicates.rs"),
        include_str!("../pages/reach.rs"),
        include_str!("../pages/quality.rs"),
        include_str!("../pages/find.rs"),
        include_str!("../pages/fleet.rs"),
        include_str!("../pages/sites.rs"),
        include_str!("../pages/task.rs"),
        include_str!("../pages/person.rs"),
        include_str!("../pages/team/mod.rs"),
        include_str!("../pages/today.rs"),
    ];
    for source in sources {
        let words = source.split(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '_');
        classes.extend(words.filter(|word| word.starts_with("nhsuk-") || word.starts_with("app-")));
    }
    // Names for structure, which the design system gives no style of their own.
    let bare = ["nhsuk-header__account-form", "nhsuk-header__navigation-item--current"];
    classes.retain(|class| !style.contains(class) && !bare.contains(class));
    assert!(classes.is_empty(), "run assets/build for {classes:?}");
}

#[tokio::test]
async fn over_tls_any_host_name_will_do_and_the_cookie_is_secure() {
    let desk = Desk::new();
    let door = Door { web: desk.web.clone(), secure: true, loopback: None };
    desk.account("vic", Role::Viewer);
    let link = crate::accounts::sign_in_link(&desk.site.base, "vic", "").unwrap();
    let asked = Request::builder().uri(link).header(header::HOST, "base.example");
    let answer = router(door).oneshot(asked.body(Body::empty()).unwrap()).await.unwrap();
    let cookie = answer.headers()[header::SET_COOKIE].to_str().unwrap();
    assert!(cookie.starts_with("__Host-wayside="));
    for part in ["; Path=/", "; HttpOnly", "; SameSite=Strict", "; Secure"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    assert!(!cookie.contains("Domain"));
    assert_eq!(answer.headers()[header::STRICT_TRANSPORT_SECURITY], "max-age=31536000");
    let without = desk.get("/sign-in", "").await;
    assert_eq!(without.header(header::STRICT_TRANSPORT_SECURITY), "", "this machine's other servers go on");
}

/// A browser offers what was typed before only where that is a name to sign in by, or a password manager's business.
#[test]
fn every_field_for_typing_says_what_a_browser_may_fill_in() {
    let (mut seen, mut dirs) = (0, vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("templates")]);
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                dirs.push(path);
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            for field in text.split("<input ").skip(1).chain(text.split("<textarea ").skip(1)) {
                // Each stands on a line of its own.
                let tag = field.lines().next().unwrap_or_default();
                let unseen = ["hidden", "radio", "checkbox", "submit", "date", "time", "month"];
                if unseen.iter().any(|kind| tag.contains(&format!("type=\"{kind}\""))) {
                    continue;
                }
                assert!(tag.contains("autocomplete=\""), "{}: {tag}", path.display());
                seen += 1;
            }
        }
    }
    assert!(seen > 25, "{seen}");
}
