use axum::body::Body;
use axum::http::{StatusCode, header};

use super::{Desk, PASSWORD, request};
use crate::accounts::{self, Role, Scope, Wish};

const DAY: u64 = 24 * 60 * 60 * 1000;

#[tokio::test]
async fn a_token_works_until_it_runs_out_or_is_revoked_or_its_account_is_disabled() {
    let desk = Desk::new();
    let base = &desk.site.base;
    let token = desk.token("amina", Role::Viewer, &[Scope::Read]);
    assert!(token.starts_with("way_") && token.len() == 47, "{token}");
    let answer = desk.get_by("/api/v1/today", &token).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);

    // Others are nobody's, also what a cookie holds, and a right cookie beside a wrong token helps nobody.
    let cookie = desk.signed_in("bela", Role::Viewer).await;
    let held = cookie.split_once('=').unwrap().1;
    let mut altered = token.clone();
    altered.replace_range(10..11, if &token[10..11] == "A" { "B" } else { "A" });
    for wrong in ["", "way_", held, &format!("way_{held}"), &altered, &token[..46]] {
        let asked = request("GET", "/api/v1/today", &cookie)
            .header(header::AUTHORIZATION, format!("Bearer {wrong}"))
            .body(Body::empty());
        let answer = desk.send(asked.unwrap()).await;
        assert_eq!((answer.status, answer.code()), (StatusCode::UNAUTHORIZED, "not_signed_in".into()));
    }
    // It is no cookie either.
    let answer = desk.get("/", &format!("wayside-8080={}", &token[4..])).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);

    let there = async |token: &str| desk.get_by("/api/v1/today", token).await.status == StatusCode::OK;
    let (listed, second) = (accounts::tokens(base).unwrap(), {
        let wish =
            Wish { account: "AMINA".into(), name: "other".into(), scopes: vec![Scope::Read], days: 30 };
        accounts::issue(base, "test", &wish).unwrap()
    });
    assert_eq!(listed.len(), 1);
    assert_eq!((listed[0].account.as_str(), listed[0].scopes.as_slice()), ("amina", &[Scope::Read][..]));
    accounts::revoke(base, "test", listed[0].n).unwrap();
    assert!(!there(&token).await && there(&second).await);
    assert_eq!(accounts::revoke(base, "test", listed[0].n).unwrap_err().code().as_str(), "token_unknown");
    desk.later(30 * DAY - 1);
    assert!(there(&second).await);
    desk.later(1);
    assert!(!there(&second).await);

    let third = desk.token("cora", Role::Coordinator, &[Scope::Read]);
    assert!(there(&third).await);
    accounts::disable(base, "cora").unwrap();
    assert!(!there(&third).await);
    let wish = Wish { account: "cora".into(), name: "x".into(), scopes: vec![Scope::Read], days: 1 };
    assert_eq!(accounts::issue(base, "test", &wish).unwrap_err().code().as_str(), "account_disabled");
}

#[tokio::test]
async fn a_token_does_what_it_was_made_for_and_never_more_than_its_account_may() {
    let desk = Desk::new();
    let post = async |path: &str, token: &str| {
        // A program says nothing of any origin.
        let asked = request("POST", path, "")
            .header(header::AUTHORIZATION, format!("Bearer {token}"))
            .header(header::CONTENT_TYPE, "application/json");
        desk.send(asked.body(Body::from("{}")).unwrap()).await
    };
    let settle = "/api/v1/records/01a20221-57e6-7f0f-b5c6-452956d7cfbb/settle";
    let reads = desk.token("cora", Role::Coordinator, &[Scope::Read]);
    assert_eq!(desk.get_by("/api/v1/today", &reads).await.status, StatusCode::OK);
    for refused in [post(settle, &reads).await, desk.get_by("/api/v1/fhir/Patient.ndjson", &reads).await] {
        assert_eq!((refused.status, refused.code()), (StatusCode::FORBIDDEN, "scope_missing".into()));
    }
    let viewer = desk.token("vic", Role::Viewer, &Scope::ALL);
    let refused = post(settle, &viewer).await;
    assert_eq!((refused.status, refused.code()), (StatusCode::FORBIDDEN, "role_not_allowed".into()));
    // In, and told what is wrong with it.
    let writes = desk.token("cara", Role::Coordinator, &[Scope::Write]);
    assert_eq!(post(settle, &writes).await.code(), "bad_json");
    // Pages know no tokens.
    let asked = request("GET", "/", "").header(header::AUTHORIZATION, format!("Bearer {viewer}"));
    let answer = desk.send(asked.body(Body::empty()).unwrap()).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
}

#[test]
fn a_token_is_shown_once_and_stored_as_a_digest() {
    let desk = Desk::new();
    let base = &desk.site.base;
    accounts::add(base, "amina", Role::Viewer, PASSWORD).unwrap();
    let wish = Wish { account: "amina".into(), name: "x".into(), scopes: vec![Scope::Read], days: 30 };
    let token = accounts::issue(base, "test", &wish).unwrap();
    for wrong in [
        Wish { account: "nobody".into(), ..wish.clone() },
        Wish { name: " ".into(), ..wish.clone() },
        Wish { scopes: vec![], ..wish.clone() },
        Wish { days: 0, ..wish.clone() },
        Wish { days: 367, ..wish.clone() },
    ] {
        assert!(accounts::issue(base, "test", &wrong).is_err(), "{wrong:?}");
    }
    let trail = base.log.read(crate::log::audited).unwrap();
    assert_eq!(trail.iter().filter(|act| act.act == "token_add").count(), 1);
    for file in ["log.db", "log.db-wal"] {
        let bytes = std::fs::read(desk.site.dir.path().join(file)).unwrap_or_default();
        let secret = &token.as_bytes()[4..];
        assert!(!bytes.windows(secret.len()).any(|part| part == secret), "{file}");
    }
}
