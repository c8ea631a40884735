use axum::body::Body;
use axum::http::{StatusCode, header};

use super::{Desk, ORIGIN, PASSWORD, cookie, form, request};
use crate::accounts::{self, Role, Roles};

async fn sign_in(desk: &Desk, name: &str, password: &str) -> super::Answer {
    desk.post("/sign-in", "", &form(&[("name", name), ("password", password)])).await
}

const MINUTE: u64 = 60_000;

#[tokio::test]
async fn the_right_password_signs_in_and_nothing_else_does() {
    let desk = Desk::new();
    desk.account("Amina Khan", Role::Viewer);
    desk.account("gone", Role::Administrator);
    accounts::disable(&desk.site.base, "gone").unwrap();

    let answer = sign_in(&desk, " amina khan ", PASSWORD).await;
    assert_eq!((answer.status, answer.header(header::LOCATION)), (StatusCode::SEE_OTHER, "/"));
    let set = answer.header(header::SET_COOKIE);
    assert!(set.starts_with("wayside-8080="), "{set}");
    assert!(set.contains("; Path=/; HttpOnly; SameSite=Strict") && !set.contains("Secure"), "{set}");
    assert_eq!(desk.get("/", &cookie(&answer)).await.status, StatusCode::OK);
    // Two sign-ins are two cookies, and neither is stored.
    let again = sign_in(&desk, "Amina Khan", PASSWORD).await;
    assert_ne!(cookie(&answer), cookie(&again));
    let sql = "SELECT count(*) FROM login WHERE length(token) = 32";
    let stored: u64 = desk.site.base.log.read(|conn| conn.only(sql, &[], |row| row.get(0))).unwrap();
    assert_eq!(stored, 2);

    for (name, password) in
        [("Amina Khan", "wrong horse battery"), ("nobody", PASSWORD), ("gone", PASSWORD), ("", "")]
    {
        let answer = sign_in(&desk, name, password).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
        assert!(answer.body.contains("The name, the password or the code is not correct."));
        assert_eq!(answer.header(header::SET_COOKIE), "");
        assert!(password.is_empty() || !answer.body.contains(password));
    }
}

#[tokio::test]
async fn guessing_is_slowed_down_for_one_name_only() {
    let desk = Desk::new();
    desk.account("amina", Role::Viewer);
    desk.account("bela", Role::Viewer);
    for _ in 0..5 {
        assert_eq!(sign_in(&desk, "amina", "wrong horse battery").await.status, StatusCode::UNAUTHORIZED);
    }
    let answer = sign_in(&desk, "AMINA", PASSWORD).await;
    assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(answer.header(header::RETRY_AFTER), "1");
    assert_eq!(sign_in(&desk, "bela", PASSWORD).await.status, StatusCode::SEE_OTHER);
    desk.later(1000);
    assert_eq!(sign_in(&desk, "amina", PASSWORD).await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn a_link_works_once_and_for_ten_minutes() {
    let desk = Desk::new();
    desk.account("amina", Role::Viewer);
    let link = || accounts::sign_in_link(&desk.site.base, "amina", ORIGIN).unwrap();
    let path = link().strip_prefix(ORIGIN).unwrap().to_owned();
    // A browser that looks ahead does not use it up.
    let ahead = request("GET", &path, "").header("sec-purpose", "prefetch;prerender");
    let answer = desk.send(ahead.body(Body::empty()).unwrap()).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    let answer = desk.get(&path, "").await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(desk.get("/", &cookie(&answer)).await.status, StatusCode::OK);
    assert_eq!(desk.get(&path, "").await.status, StatusCode::UNAUTHORIZED);

    let late = link();
    desk.later(10 * MINUTE);
    assert_eq!(desk.get(late.strip_prefix(ORIGIN).unwrap(), "").await.status, StatusCode::UNAUTHORIZED);
    let disabled = link();
    accounts::disable(&desk.site.base, "amina").unwrap();
    assert_eq!(desk.get(disabled.strip_prefix(ORIGIN).unwrap(), "").await.status, StatusCode::UNAUTHORIZED);
    assert!(accounts::sign_in_link(&desk.site.base, "amina", ORIGIN).is_err());
    assert_eq!(desk.get("/sign-in/once?code=x", "").await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_login_ends_by_hand_when_idle_after_half_a_day_and_when_disabled() {
    let desk = Desk::new();
    let here = async |cookie: &str| desk.get("/", cookie).await.status == StatusCode::OK;
    let one = desk.signed_in("one", Role::Viewer).await;
    let answer = desk.post("/sign-out", &one, "").await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    assert!(answer.header(header::SET_COOKIE).contains("Max-Age=0"));
    assert!(!here(&one).await);

    let two = desk.signed_in("two", Role::Viewer).await;
    for _ in 0..(12 * 60 / 20 - 1) {
        desk.later(20 * MINUTE);
        assert!(here(&two).await);
        // What was noted last is written behind the answer.
        desk.site.base.log.write(|_| Ok(())).unwrap();
    }
    desk.later(20 * MINUTE);
    assert!(!here(&two).await);

    // A page that refreshes itself keeps nobody signed in.
    let three = desk.signed_in("three", Role::Viewer).await;
    desk.later(20 * MINUTE);
    let live = request("GET", "/", &three).header("x-wayside-live", "1");
    assert_eq!(desk.send(live.body(Body::empty()).unwrap()).await.status, StatusCode::OK);
    desk.site.base.log.write(|_| Ok(())).unwrap();
    desk.later(10 * MINUTE);
    assert!(!here(&three).await);

    let four = desk.signed_in("four", Role::Coordinator).await;
    assert!(here(&four).await);
    accounts::disable(&desk.site.base, "four").unwrap();
    assert!(!here(&four).await);
}

#[test]
fn accounts_are_added_once_and_listed() {
    let desk = Desk::new();
    let base = &desk.site.base;
    accounts::add(base, " Amina ", Role::Coordinator, PASSWORD).unwrap();
    let code = |result: crate::Result<()>| result.unwrap_err().code().as_str();
    assert_eq!(code(accounts::add(base, "AMINA", Role::Viewer, PASSWORD)), "account_exists");
    assert_eq!(code(accounts::add(base, "bela", Role::Viewer, "too short")), "password_refused");
    assert_eq!(code(accounts::add(base, " ", Role::Viewer, PASSWORD)), "out_of_range");
    assert_eq!(code(accounts::disable(base, "nobody")), "account_unknown");
    let listed = accounts::list(base).unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!(
        (listed[0].name.as_str(), &listed[0].roles, listed[0].disabled),
        ("Amina", &Roles::Everywhere(Role::Coordinator), false)
    );
}
