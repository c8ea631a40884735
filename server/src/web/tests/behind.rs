//! Pages of a server whose views are not there yet, and of several over one log.

use std::os::unix::fs::symlink;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::http::{HeaderMap, StatusCode, header};
use serde_json::json;
use wayside_protocol::record::Kind;

use super::coordinating::{act, push, very_high};
use super::{Desk, inside};
use crate::accounts::Role;
use crate::log::db::args;
use crate::testing::{Site, on_both};
use crate::views::Views;
use crate::{Base, Clock};

on_both!(
    nothing_is_shown_before_the_views_have_caught_up_once,
    a_coordinator_never_sees_less_than_what_they_did_whichever_server_answers,
);

/// A second server over the same log, with views of its own.
fn beside(desk: &Desk) -> Desk {
    let now = desk.site.now.clone();
    let (dir, base) = match desk.site.places.are_shared() {
        true => desk.site.node(),
        false => {
            let dir = tempfile::tempdir().unwrap();
            for shared in ["log.db", "keys"] {
                symlink(desk.site.dir.path().join(shared), dir.path().join(shared)).unwrap();
            }
            let time = now.clone();
            let base = Base::open(dir.path(), Clock::new(move || time.load(Ordering::Relaxed))).unwrap();
            (dir, Arc::new(base))
        }
    };
    Desk::of(Site { dir, base, now, team: desk.site.team, places: desk.site.places.clone() })
}

fn retry_after(headers: &HeaderMap) -> u64 {
    headers[header::RETRY_AFTER].to_str().unwrap().parse().unwrap()
}

fn nothing_is_shown_before_the_views_have_caught_up_once(site: Site) {
    inside(before_the_views(Desk::of(site)));
}

async fn before_the_views(desk: Desk) {
    let cora = desk.signed_in("cora", Role::Coordinator).await;
    let check = push(&desk, &desk.site.tablet(), Kind::Contact, very_high(None, &json!({})));
    let base = desk.site.base.clone();
    base.followed.begin();

    let page = desk.get("/", &cora).await;
    assert_eq!(page.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(page.body.contains("One moment") && page.body.contains("Nothing is lost"), "{}", page.body);
    assert!(retry_after(&page.headers) > 0);
    assert_eq!(page.headers[header::REFRESH], page.headers[header::RETRY_AFTER]);
    let answer = desk.get("/api/v1/today", &cora).await;
    assert_eq!((answer.status, answer.code().as_str()), (StatusCode::SERVICE_UNAVAILABLE, "behind"));
    assert!(retry_after(&answer.headers) > 0 && !answer.headers.contains_key(header::REFRESH));
    let head = desk.site.head();
    let refused =
        act(&desk, &cora, check, json!({"act": "call", "outcome": "reached", "spoke_to": "person"})).await;
    assert_eq!((refused.status, desk.site.head()), (StatusCode::SERVICE_UNAVAILABLE, head));
    // Who is not signed in learns nothing of it.
    assert_eq!(desk.get("/api/v1/today", "").await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(desk.get("/sign-in", "").await.status, StatusCode::OK);

    base.catch_up(&mut Views::open(base.data()).unwrap()).unwrap();
    assert_eq!(desk.get("/", &cora).await.status, StatusCode::OK);
    base.followed.begin();
    assert_eq!(desk.get("/", &cora).await.status, StatusCode::OK, "it has begun already");
    assert_eq!(desk.post("/sign-out", &cora, "").await.status, StatusCode::SEE_OTHER);
}

/// One writes at the first server and asks the second, whose views are not there yet.
fn a_coordinator_never_sees_less_than_what_they_did_whichever_server_answers(site: Site) {
    inside(at_two_servers(Desk::of(site)));
}

async fn at_two_servers(desk: Desk) {
    let cora = desk.signed_in("cora", Role::Coordinator).await;
    let vic = desk.signed_in("vic", Role::Viewer).await;
    let check = push(&desk, &desk.site.tablet(), Kind::Contact, very_high(None, &json!({})));
    let second = beside(&desk);
    let base = second.site.base.clone();
    let mut views = Views::open(base.data()).unwrap();
    base.followed.begin();
    base.catch_up(&mut views).unwrap();
    let waiting = |answer: &super::Answer| answer.json()["things"].as_array().unwrap().len();
    assert_eq!(waiting(&second.get("/api/v1/today", &cora).await), 1);

    let done =
        act(&desk, &cora, check, json!({"act": "call", "outcome": "reached", "spoke_to": "person"})).await;
    assert_eq!(done.status, StatusCode::CREATED, "{}", done.body);
    assert_eq!(waiting(&desk.get("/api/v1/today", &cora).await), 0);
    let behind = second.get("/api/v1/today", &cora).await;
    assert_eq!((behind.status, behind.code().as_str()), (StatusCode::SERVICE_UNAVAILABLE, "behind"));
    assert!(retry_after(&behind.headers) > 0);
    assert_eq!(second.get("/", &cora).await.status, StatusCode::SERVICE_UNAVAILABLE);
    // Whoever wrote nothing sees what is there.
    assert_eq!(waiting(&second.get("/api/v1/today", &vic).await), 1);

    base.catch_up(&mut views).unwrap();
    assert_eq!(waiting(&second.get("/api/v1/today", &cora).await), 0);
    // What was written before a restore may be gone: nobody waits for it.
    let sql = "UPDATE login SET wrote_epoch = ?, wrote_seq = 1000000";
    desk.site.base.log.write(move |txn| txn.conn.execute(sql, args![[0u8; 8]])).unwrap();
    assert_eq!(second.get("/", &cora).await.status, StatusCode::OK);
}
