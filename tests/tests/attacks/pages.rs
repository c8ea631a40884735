//! A page of somebody else's in the same browser.

use wayside_protocol::error::Code;
use wayside_server::{
    Who,
    accounts::{self, Role, Token},
    routes,
};

use crate::{
    target::{Target, escaped, form},
    wire::{Answer, http},
};

const PASSWORD: &str = "correct horse battery";

fn sign_in(target: &Target, name: &str, cookie: &str) -> Answer {
    target.post("/sign-in", cookie, &[("name", name), ("password", PASSWORD)])
}

#[test]
fn a_cookie_from_before_signing_in_is_worth_nothing_afterwards() {
    let target = Target::start();
    let attackers = target.signed_in("mallory", Role::Viewer, None);
    accounts::add(target.base(), "Victoria", Role::Administrator, PASSWORD).unwrap();
    let name = attackers.split('=').next().unwrap().to_owned();
    let made_up = format!("{name}={}", Token::fresh().to_text());
    for planted in [made_up, attackers] {
        let signed = sign_in(&target, "Victoria", &planted);
        assert_eq!((signed.status, signed.header("location")), (303, "/"));
        let own = signed.cookie();
        assert!(own.starts_with(&format!("{name}=")) && own != planted, "{own}");
        let cookie = signed.header("set-cookie");
        assert!(
            cookie.contains("HttpOnly; SameSite=Strict; Secure") && name.starts_with("__Host-"),
            "{cookie}"
        );
        assert!(target.get("/account", &own).text().contains("Victoria"));
        // Whoever planted it is who they were: nobody, or themselves.
        let theirs = target.get("/account", &planted);
        assert!(!theirs.text().contains("Victoria"), "{}", theirs.text());
        // Nor is one's own of any use once one has signed out.
        assert_eq!(target.post("/sign-out", &own, &[]).status, 303);
        let over = target.get("/account", &own);
        assert_eq!((over.status, over.header("location")), (303, "/sign-in"));
    }
}

#[test]
fn no_other_page_makes_a_browser_do_anything() {
    let target = Target::start();
    let ada = target.signed_in("ada", Role::Administrator, None);
    let (host, ours) = (target.door().addr.to_string(), target.origin());
    let form_type = "application/x-www-form-urlencoded";
    let foreign: [(&[(&str, &str)], &str); 7] = [
        (&[("Origin", "https://evil.example")], form_type),
        (&[("Origin", "null")], form_type),
        (&[], form_type),
        (&[("Origin", &ours), ("Sec-Fetch-Site", "cross-site")], form_type),
        (&[("Origin", &ours), ("Sec-Fetch-Site", "same-site")], form_type),
        // What a form of another page can send as JSON.
        (&[("Origin", "https://evil.example")], "text/plain"),
        (&[("Referer", &ours)], "text/plain"),
    ];
    let wanted = |who| !matches!(who, Who::Tablet | Who::CodeHolder);
    let mut asked = 0;
    let mut line = target.door().connect().unwrap();
    for route in routes().filter(|route| route.method == "POST" && wanted(route.who)) {
        let id = "01931d4a-0000-7000-8000-000000000000";
        let path = route.path.replace("{id}", id).replace("{entry}", "aaaaaaaa").replace("{hash}", "00");
        let path = path.replace("{n}", "1");
        for (headers, kind) in &foreign {
            let mut all = vec![("Host", host.as_str()), ("Cookie", &ada), ("Content-Type", kind)];
            all.extend(headers.iter());
            line.say(&http("POST", &path, &all, b"{}")).unwrap();
            let refused = line.hear().unwrap().expect("an answer");
            assert_eq!(refused.status, 403, "{path} {headers:?}");
            let told = refused.text();
            assert!(
                refused.code() == "cross_origin" || told.contains(Code::CrossOrigin.message()),
                "{path} {headers:?}: {told}"
            );
            asked += 1;
        }
    }
    assert!(asked > 200, "{asked}");
    assert_eq!(target.get("/account", &ada).status, 200, "still signed in");

    // A whole form from elsewhere changes nothing; from here it does.
    let team = target.north.to_string();
    let fields = [("team", team.as_str()), ("name", "Kirkgate Market"), ("kind", "market"), ("postcode", "")];
    let before = target.heads();
    let evil = [
        ("Host", host.as_str()),
        ("Cookie", &ada),
        ("Origin", "https://evil.example"),
        ("Content-Type", form_type),
    ];
    let refused = target.door().ask(&http("POST", "/sites", &evil, form(&fields).as_bytes()));
    assert_eq!((refused.status, target.heads()), (403, before));
    assert_eq!(target.post("/sites", &ada, &fields).status, 303);
    assert_eq!(target.heads(), before + 1);

    // JSON that is called something else is not taken, even from here.
    let headers =
        [("Host", host.as_str()), ("Cookie", &ada), ("Origin", &ours), ("Content-Type", "text/plain")];
    let body = format!("{{\"text\": \"{}\"}}", escaped("Kirkgate"));
    let refused = target.door().ask(&http("POST", "/api/v1/find", &headers, body.as_bytes()));
    assert_eq!((refused.status, refused.code().as_str()), (415, "media_type"));
    assert_eq!(target.post_json("/api/v1/find", &ada, &body).status, 200);
}

/// A page in a frame could be clicked on unseen; one that is opened could be reached into.
#[test]
fn no_other_page_frames_ours_or_runs_in_it() {
    let target = Target::start();
    let ada = target.signed_in("ada", Role::Administrator, None);
    for path in ["/", "/sign-in", "/account", "/api/v1/today", "/nowhere", "/find"] {
        let answer = target.get(path, &ada);
        let policy = answer.header("content-security-policy");
        for rule in ["default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "base-uri 'none'"] {
            assert!(policy.contains(rule), "{path}: {policy}");
        }
        assert!(!policy.contains("unsafe"), "{path}: {policy}");
        let said = |name| answer.header(name).to_owned();
        let said =
            [said("x-frame-options"), said("x-content-type-options"), said("cross-origin-opener-policy")];
        assert_eq!(said, ["DENY", "nosniff", "same-origin"], "{path}");
        assert_eq!(answer.header("access-control-allow-origin"), "", "{path}");
        assert!(answer.header("cache-control").contains("no-store"), "{path}");
        let kept = [answer.header("strict-transport-security"), answer.header("referrer-policy")];
        assert_eq!(kept, ["max-age=31536000", "no-referrer"], "{path}");
    }
}
