use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::StatusCode;
use http_body_util::BodyExt;
use serde_json::json;
use tokio::sync::oneshot;
use tokio::time::timeout;
use tower::ServiceExt;
use wayside_protocol::record::Kind;

use super::{Desk, request};
use crate::accounts::{self, Role};
use crate::views;

/// The next event that is no heartbeat.
async fn next(body: &mut Body) -> Option<String> {
    loop {
        let frame = timeout(Duration::from_secs(10), body.frame()).await.expect("an event in time")?;
        let text = String::from_utf8(frame.unwrap().into_data().unwrap().to_vec()).unwrap();
        if !text.starts_with(':') {
            return Some(text);
        }
    }
}

async fn events(desk: &Desk, cookie: &str) -> Body {
    let asked = request("GET", "/events", cookie).body(Body::empty()).unwrap();
    let response = desk.router().oneshot(asked).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    response.into_body()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_is_told_within_a_second_and_the_page_then_shows_it() {
    let desk = Desk::new();
    let cookie = desk.signed_in("vic", Role::Viewer).await;
    let (stop, stopped) = oneshot::channel();
    let following = tokio::spawn(views::follow(desk.site.base.clone(), stopped));
    let mut viewed = desk.site.base.viewed();
    viewed.wait_for(|position| !position.is_empty()).await.unwrap();

    let mut body = events(&desk, &cookie).await;
    let first = next(&mut body).await.unwrap();
    assert!(first.starts_with("event: heads\ndata: "), "{first}");
    let page = desk.get("/", &cookie).await.body;
    let heads = first.trim().rsplit(' ').next().unwrap();
    assert!(page.contains(&format!("data-heads=\"{heads}\"")));

    let tablet = desk.site.tablet();
    let at = "2026-11-20T13:05:00Z";
    let fields = json!({"session": "01a20221-57e6-7f0f-b5c6-452956d7cfbb", "started_at": at,
        "bp": {"readings": [{"taken_at": at, "systolic": 190, "diastolic": 124}]}});
    tablet.push(&desk.site, &[tablet.begin(Kind::Contact, fields).1]);
    let committed = Instant::now();
    let second = next(&mut body).await.unwrap();
    assert!(committed.elapsed() < Duration::from_secs(1), "{:?}", committed.elapsed());
    assert!(second.starts_with("event: heads\n") && second != first, "{second}");
    assert!(!second.contains("190"));
    let page = desk.get("/", &cookie).await.body;
    assert!(page.contains("190/124") && page.contains("(1 urgent) Today"));

    // What is held is told as well.
    let bad = json!({"nhs_number": {"value": "999 000 0019"}});
    tablet.push(&desk.site, &[tablet.begin(Kind::Person, bad).1]);
    assert!(next(&mut body).await.unwrap().starts_with("event: heads\n"));

    // Disabled meanwhile: the next thing to be told ends the channel instead.
    accounts::disable(&desk.site.base, "vic").unwrap();
    tablet.push(&desk.site, &[tablet.begin(Kind::Person, json!({"sex": "F"})).1]);
    assert!(next(&mut body).await.unwrap().starts_with("event: end\n"));
    assert_eq!(next(&mut body).await, None);
    let _ = stop.send(());
    following.await.unwrap();
}

#[tokio::test]
async fn the_channel_ends_with_the_server() {
    let desk = Desk::new();
    let cookie = desk.signed_in("vic", Role::Viewer).await;
    let mut body = events(&desk, &cookie).await;
    next(&mut body).await.unwrap();
    desk.web.close();
    assert_eq!(next(&mut body).await, None);
}
