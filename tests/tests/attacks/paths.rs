//! Ways out of where files lie: in addresses, in names, in what a program is asked to write.

use std::{collections::BTreeSet, fs, process::Command};

use wayside_server::accounts::Role;
use wayside_tests::{field::Programs, programs};

use crate::{
    paper::Paper,
    target::{NORTH, PLANTED, Target},
    wire::http,
};

#[test]
fn no_address_leads_out_of_what_is_served() {
    let target = Target::start();
    target.seen(&Paper::enrolled(target.base(), NORTH));
    let ada = target.signed_in("ada", Role::Administrator, None);
    let host = target.door().addr.to_string();
    let ask = |path: &str| {
        let headers = [
            ("Host", host.as_str()),
            ("Cookie", &ada),
            ("Wayside-Reason", "an attack"),
            ("Accept", "text/html"),
        ];
        target.door().ask(&http("GET", path, &headers, b""))
    };
    let keys = target.base().data().join("keys");
    let secrets = [fs::read(keys.join("identity.key")).unwrap(), fs::read(keys.join("tls.key")).unwrap()];
    let inside =
        ["/assets/", "/api/v1/fhir/", "/api/v1/extracts/", "/api/v1/pseudonymous/1/", "/people/", "/"];
    let outs = [
        "../log.db",
        "..%2flog.db",
        "..%2f..%2fkeys%2fidentity.key",
        "%2e%2e/%2e%2e/keys/tls.key",
        "....//....//keys/tls.key",
        "..%5c..%5clog.db",
        "%252e%252e%252flog.db",
        "/etc/passwd",
        "%2fetc%2fpasswd",
        "people.csv%00.png",
        "people.csv/../../log.db",
        "file:///etc/passwd",
        "C:%5clog.db",
        "%ff%fe",
    ];
    for place in inside {
        for out in outs {
            let path = format!("{place}{out}");
            let answer = ask(&path);
            assert!([400, 404].contains(&answer.status), "{path}: {}", answer.status);
            let body = &answer.body;
            for secret in
                secrets.iter().map(Vec::as_slice).chain([&b"SQLite format"[..], b"root:", PLANTED.as_bytes()])
            {
                assert!(!body.windows(secret.len()).any(|part| part == secret), "{path}");
            }
        }
    }
    // What there is, is served from the same places.
    let page = ask("/").text();
    let style =
        page.split("href=\"").filter_map(|rest| rest.split('"').next()).find(|path| path.ends_with(".css"));
    for path in [style.unwrap(), "/api/v1/fhir/Patient.ndjson", "/api/v1/extracts/people.csv"] {
        assert_eq!(ask(path).status, 200, "{path}");
    }
}

#[test]
fn no_name_leads_out_of_where_extracts_are_written() {
    let programs: Programs = programs!();
    let target = Target::start();
    target.seen(&Paper::enrolled(target.base(), NORTH));
    let ada = target.signed_in("ada", Role::Administrator, None);
    const OUT: &str = "../../evil\"; filename=\"/etc/passwd";
    assert_eq!(target.post("/extracts/recipients", &ada, &[("act", "add"), ("name", OUT)]).status, 303);
    let answer = target.get("/api/v1/pseudonymous/1/contacts.csv", &ada);
    assert_eq!(answer.status, 200, "{}", answer.text());
    let named = answer.header("content-disposition");
    assert_eq!(named, "attachment; filename=\"wayside-contacts-pseudonymised.csv\"");

    let all_files = || -> BTreeSet<std::path::PathBuf> {
        let walk = |dir: &std::path::Path| -> Vec<std::path::PathBuf> {
            fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect()
        };
        let top = walk(target.dir.path());
        top.iter().flat_map(|dir| walk(dir)).chain(top.clone()).collect()
    };
    let before = all_files();
    let to = target.dir.path().join("out");
    let run = |arguments: &[&str]| {
        let data = target.base().data();
        let all = ["extract", "--reason", "an attack", "--to", to.to_str().unwrap()];
        Command::new(&programs.server).args(all).args(arguments).arg("--data").arg(data).output().unwrap()
    };
    for name in ["../../people", "/etc/passwd", "people.csv/../../log"] {
        let refused = run(&[name]);
        let said: serde_json::Value = serde_json::from_slice(&refused.stderr).unwrap();
        assert_eq!((refused.status.code(), &said["code"]), (Some(1), &"unknown_value".into()), "{said}");
    }
    assert_eq!(all_files(), before, "nothing was written");
    let made = run(&["contacts", "--recipient", OUT]);
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let new: Vec<_> = all_files().difference(&before).cloned().collect();
    assert_eq!(new, [to.clone(), to.join("wayside-contacts-pseudonymised.csv")]);
}
