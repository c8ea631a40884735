//! *Your account* and *Accounts*: second factors, passwords, logins, roles and tokens.

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{StatusCode, header};
use std::net::SocketAddr;
use totp_rs::{Builder, Secret};

use super::{Answer, Desk, PASSWORD, cookie, form, request};
use crate::accounts::{self, Role};
use crate::testing::START;

async fn sign_in(desk: &Desk, password: &str, code: &str) -> Answer {
    desk.post("/sign-in", "", &form(&[("name", "amina"), ("password", password), ("code", code)])).await
}

fn between<'a>(page: &'a str, before: &str, after: &str) -> Vec<&'a str> {
    page.split(before).skip(1).filter_map(|rest| Some(rest.split_once(after)?.0)).collect()
}

/// What the app shows after so many seconds.
fn shown(secret: &str, seconds: u64) -> String {
    let secret = Secret::try_from_base32(secret).unwrap();
    Builder::new().with_secret(secret).build().unwrap().generate(START / 1000 + seconds).to_string()
}

#[tokio::test]
async fn with_a_second_factor_a_password_alone_signs_nobody_in_and_no_code_works_twice() {
    let desk = Desk::new();
    let here = desk.signed_in("amina", Role::Coordinator).await;
    // Who finds a browser signed in sets none up either, and so keeps nobody out.
    for wrong in ["", "password=no"] {
        assert!(desk.post("/account/second-factor", &here, wrong).await.status.is_client_error());
    }
    let page = desk.post("/account/second-factor", &here, &form(&[("password", PASSWORD)])).await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.body);
    assert_eq!(page.header(header::CACHE_CONTROL), "no-store");
    let secret = between(&page.body, "<code id=\"secret\">", "</code>")[0].to_owned();
    assert!(page.body.contains("<svg role=\"img\""));
    // Nothing asks for it before the app has shown that it works.
    assert_eq!(sign_in(&desk, PASSWORD, "").await.status, StatusCode::SEE_OTHER);
    let wrong = desk.post("/account/second-factor/confirm", &here, &form(&[("code", "000000")])).await;
    assert_eq!(wrong.status, StatusCode::UNAUTHORIZED);
    let code = shown(&secret, 0);
    let page = desk.post("/account/second-factor/confirm", &here, &form(&[("code", &code)])).await;
    let recovery: Vec<String> =
        between(&page.body, "<li><code>", "</code>").into_iter().map(str::to_owned).collect();
    assert_eq!((page.status, recovery.len()), (StatusCode::OK, 10), "{}", page.body);

    let refused = async |password: &str, code: &str| {
        let answer = sign_in(&desk, password, code).await;
        let same = answer.body.contains("The name, the password or the code is not correct.");
        desk.later(60_000);
        (answer.status, same) == (StatusCode::UNAUTHORIZED, true)
    };
    assert!(refused(PASSWORD, "").await && refused(PASSWORD, &code).await, "the code that set it up is used");
    // The clock stands two minutes later.
    let fresh = shown(&secret, 120);
    assert!(refused("wrong horse battery", &fresh).await);
    let fresh = shown(&secret, 180);
    let answer = sign_in(&desk, PASSWORD, &format!(" {} {} ", &fresh[..3], &fresh[3..])).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
    assert!(refused(PASSWORD, &fresh).await, "replayed");
    assert!(refused(PASSWORD, &shown(&secret, 0)).await, "an old one");
    let lost = recovery[3].to_uppercase();
    assert_eq!(sign_in(&desk, PASSWORD, &lost).await.status, StatusCode::SEE_OTHER);
    assert!(refused(PASSWORD, &lost).await, "used up");
    assert!(desk.get("/account", &here).await.body.contains("9 recovery codes"));

    // Stored are digests and a salt: neither the secret nor a code.
    for file in ["log.db", "log.db-wal"] {
        let bytes = std::fs::read(desk.site.dir.path().join(file)).unwrap_or_default();
        let raw = data_encoding::BASE32_NOPAD.decode(secret.as_bytes()).unwrap();
        for planted in [secret.as_bytes(), &raw, recovery[0].as_bytes()] {
            assert!(!bytes.windows(planted.len()).any(|part| part == planted), "{file}");
        }
    }

    // Who finds a browser signed in cannot take it away.
    let wrong = desk.post("/account/second-factor/remove", &here, &form(&[("password", "no")])).await;
    assert_eq!(wrong.status, StatusCode::UNAUTHORIZED);
    let done = desk.post("/account/second-factor/remove", &here, &form(&[("password", PASSWORD)])).await;
    assert_eq!(done.status, StatusCode::SEE_OTHER);
    assert_eq!(sign_in(&desk, PASSWORD, "").await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn where_the_server_says_so_an_administrator_sets_one_up_before_anything_else() {
    let desk = Desk::new();
    let ada = desk.signed_in("ada", Role::Administrator).await;
    let cora = desk.signed_in("cora", Role::Coordinator).await;
    assert_eq!(desk.get("/fleet", &ada).await.status, StatusCode::OK);
    desk.site.base.require_second_factor();
    let answer = desk.get("/fleet", &ada).await;
    assert_eq!((answer.status, answer.header(header::LOCATION)), (StatusCode::SEE_OTHER, "/account"));
    assert_eq!(desk.get("/api/v1/today", &ada).await.code(), "second_factor_needed");
    assert!(desk.get("/account", &ada).await.body.contains("Set up a second factor first."));
    assert_eq!(desk.get("/fleet", &cora).await.status, StatusCode::OK);
    let page = desk.post("/account/second-factor", &ada, &form(&[("password", PASSWORD)])).await;
    let secret = between(&page.body, "<code id=\"secret\">", "</code>")[0];
    let code = form(&[("code", &shown(secret, 0))]);
    assert_eq!(desk.post("/account/second-factor/confirm", &ada, &code).await.status, StatusCode::OK);
    assert_eq!(desk.get("/fleet", &ada).await.status, StatusCode::OK);
}

#[tokio::test]
async fn guessing_from_elsewhere_does_not_keep_an_account_out_where_it_has_been() {
    let desk = Desk::new();
    desk.account("amina", Role::Viewer);
    let from = async |last: u8, password: &str| {
        let body = form(&[("name", "amina"), ("password", password)]);
        let asked = request("POST", "/sign-in", "")
            .header("sec-fetch-site", "same-origin")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .extension(ConnectInfo(SocketAddr::from(([192, 0, 2, last], 4000))));
        desk.send(asked.body(Body::from(body)).unwrap()).await.status
    };
    assert_eq!(from(1, PASSWORD).await, StatusCode::SEE_OTHER);
    for last in 10..16 {
        from(last, "wrong horse battery").await;
    }
    assert_eq!(from(20, PASSWORD).await, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(from(1, PASSWORD).await, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn a_new_password_and_signing_out_everywhere_end_the_other_logins() {
    let desk = Desk::new();
    let one = desk.signed_in("amina", Role::Viewer).await;
    let two = cookie(&sign_in(&desk, PASSWORD, "").await);
    let page = desk.get("/account", &one).await.body;
    assert_eq!(page.matches("This one").count(), 1);
    assert!(page.contains("Viewer"));
    let change = async |current: &str, new: &str, again: &str| {
        let fields = [("current", current), ("new", new), ("again", again)];
        desk.post("/account/password", &one, &form(&fields)).await.status
    };
    let new = "another horse battery";
    assert_eq!(change(PASSWORD, new, "something else").await, StatusCode::UNPROCESSABLE_ENTITY);
    for refused in ["too short", "password1234", "amina amina amina"] {
        assert_eq!(change(PASSWORD, refused, refused).await, StatusCode::UNPROCESSABLE_ENTITY, "{refused}");
    }
    assert_eq!(change("wrong horse battery", new, new).await, StatusCode::UNAUTHORIZED);
    assert_eq!(change(PASSWORD, new, new).await, StatusCode::SEE_OTHER);
    let there = async |cookie: &str| desk.get("/", cookie).await.status == StatusCode::OK;
    assert!(there(&one).await && !there(&two).await);
    assert_eq!(sign_in(&desk, PASSWORD, "").await.status, StatusCode::UNAUTHORIZED);
    let three = cookie(&sign_in(&desk, new, "").await);
    assert_eq!(desk.post("/account/sign-out-everywhere", &one, "").await.status, StatusCode::SEE_OTHER);
    assert!(!there(&one).await && !there(&three).await);
    let acts: Vec<String> =
        desk.site.base.log.read(crate::log::audited).unwrap().into_iter().map(|act| act.act).collect();
    for act in ["change_password", "sign_out_everywhere"] {
        assert_eq!(acts.iter().filter(|one| *one == act).count(), 1, "{act}");
    }
}

#[tokio::test]
async fn an_administrator_gives_roles_by_team_and_tokens() {
    let desk = Desk::new();
    let ada = desk.signed_in("ada", Role::Administrator).await;
    let bela = desk.signed_in("bela", Role::Administrator).await;
    let south = desk.site.base.team_add("South").unwrap();
    let role = async |team: &str, role: &str| {
        let fields = [("account", "bela"), ("team", team), ("role", role)];
        let answer = desk.post("/accounts/roles", &ada, &form(&fields)).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
    };
    role(&south.to_string(), "viewer").await;
    role(&desk.site.team.to_string(), "coordinator").await;
    let page = desk.get("/accounts", &ada).await.body;
    assert!(page.contains("Coordinator in North") && page.contains("Viewer in South"), "{page}");
    assert_eq!(desk.get("/accounts", &bela).await.status, StatusCode::FORBIDDEN, "at once");
    role(&desk.site.team.to_string(), "").await;
    assert_eq!(desk.get(&format!("/teams/{}", desk.site.team), &bela).await.status, StatusCode::NOT_FOUND);
    assert_eq!(desk.get(&format!("/teams/{south}"), &bela).await.status, StatusCode::OK);
    role("every", "").await;
    assert_eq!(desk.get("/", &bela).await.status, StatusCode::FORBIDDEN);
    // Whoever may do nothing can still leave.
    assert_eq!(desk.post("/sign-out", &bela, "").await.status, StatusCode::SEE_OTHER);

    let wish =
        [("account", "ada"), ("name", "nightly <b>"), ("scope", "read"), ("scope", "urgent"), ("days", "30")];
    let page = desk.post("/accounts/tokens", &ada, &form(&wish)).await;
    let token = between(&page.body, "<code id=\"token\">", "</code>")[0];
    assert_eq!(desk.get_by("/api/v1/today", token).await.status, StatusCode::OK);
    let page = desk.get("/accounts", &ada).await.body;
    assert!(!page.contains(token) && page.contains("nightly &#60;b&#62;"));
    let n = accounts::tokens(&desk.site.base).unwrap()[0].n;
    let done = desk.post(&format!("/accounts/tokens/{n}/revoke"), &ada, "").await;
    assert_eq!(done.status, StatusCode::SEE_OTHER);
    assert_eq!(desk.get_by("/api/v1/today", token).await.status, StatusCode::UNAUTHORIZED);
}
