//! A name of the attacker's that leads to this machine: their page then has the same origin as ours, but calls us by it.

use serde_json::json;
use tokio::runtime::Runtime;
use wayside_client_core::{By, Key, Tablet};
use wayside_server::accounts::{self, Role};
use wayside_tablet::ui;

use crate::{
    target::Target,
    wire::{Door, http},
};

#[test]
fn the_tablets_page_answers_to_its_own_address_alone() {
    let (runtime, dir) = (Runtime::new().unwrap(), tempfile::tempdir().unwrap());
    let tablet = Tablet::open(dir.path(), &Key::from_bytes([7; 32])).unwrap();
    let line = json!({"session": {"site": "Quillfeather Hall", "date": "2026-11-20"},
        "contact": {"started_at": "2026-11-20T13:05:00Z"}});
    tablet.record(line, &By::staff("nurse-01")).unwrap();
    let page = runtime.block_on(ui::serve(tablet, ui::UiOptions::default())).unwrap();
    let door = Door { addr: page.addr, certificate: None, versions: &[] };
    let token = format!("Bearer {}", page.url.split("#token=").nth(1).unwrap());
    let (own, port) = (page.addr.to_string(), page.addr.port());
    // Everything else is right: a page that was rebound may have been told the token.
    let ask = |method: &str, path: &str, host: &str, origin: &str| {
        let headers = [
            ("Host", host),
            ("Origin", origin),
            ("Authorization", &token),
            ("Content-Type", "application/json"),
        ];
        door.ask(&http(method, path, &headers, br#"{"name": "Another"}"#))
    };
    let names = [
        format!("evil.example:{port}"),
        "evil.example".to_owned(),
        format!("127.0.0.1.evil.example:{port}"),
        format!("[::1].evil.example:{port}"),
        format!("{own}@evil.example"),
        "127.0.0.1:1".to_owned(),
        format!("wayside.local:{port}"),
        format!("0.0.0.0:{port}"),
        String::new(),
    ];
    for (method, path) in [
        ("GET", "/"),
        ("GET", "/api/sites"),
        ("GET", "/api/state"),
        ("POST", "/api/sites"),
        ("POST", "/api/enrol"),
    ] {
        for name in &names {
            let refused = ask(method, path, name, &format!("http://{name}"));
            assert!([400, 403].contains(&refused.status), "{path} as {name}: {}", refused.status);
            if refused.status == 403 {
                assert_eq!(refused.code(), "host_refused", "{path} as {name}");
            }
            assert!(!refused.text().contains("Quill"), "{path} as {name}");
        }
        let foreign = ask(method, path, &own, &format!("http://evil.example:{port}"));
        assert_eq!((foreign.status, foreign.code().as_str()), (403, "origin_refused"), "{path}");
    }
    for name in [own.clone(), format!("localhost:{port}")] {
        let honest = ask("GET", "/api/sites", &name, &format!("http://{name}"));
        assert!(honest.status == 200 && honest.text().contains("Quillfeather"), "{}", honest.text());
    }
    runtime.block_on(page.shutdown());
}

#[test]
fn nor_do_the_coordinators_pages_where_they_are_without_tls() {
    let target = Target::start();
    let door = target.pages();
    let (own, port) = (door.addr.to_string(), door.addr.port());
    accounts::add(target.base(), "Victoria", Role::Administrator, "correct horse battery").unwrap();
    let link = accounts::sign_in_link(target.base(), "Victoria", "").unwrap();
    let ask = |path: &str, host: &str, cookie: &str| {
        door.ask(&http("GET", path, &[("Host", host), ("Cookie", cookie), ("Accept", "text/html")], b""))
    };
    let cookie = ask(&link, &own, "").cookie();
    for name in [
        format!("evil.example:{port}"),
        "evil.example".to_owned(),
        "127.0.0.1:1".to_owned(),
        format!("0.0.0.0:{port}"),
    ] {
        for path in ["/", "/account", "/sign-in", "/api/v1/today", "/nowhere"] {
            let refused = ask(path, &name, &cookie);
            assert_eq!(refused.status, 421, "{path} as {name}");
            assert!(!refused.text().contains("Victoria"), "{path} as {name}");
        }
        assert_eq!(ask("/api/v1/today", &name, &cookie).code(), "host_unknown");
    }
    assert!(ask("/account", &own, &cookie).text().contains("Victoria"));
}
