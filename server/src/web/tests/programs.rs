//! What programs follow and send: pages by cursor, the stream of urgent checks, requests that name themselves.

use std::collections::BTreeSet;

use axum::body::Body;
use axum::http::StatusCode;
use http_body_util::BodyExt;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};
use tower::ServiceExt;
use wayside_protocol::record::{Kind, RecordId};

use super::coordinating::push;
use super::{Answer, Desk, request};
use crate::accounts::{Role, Scope};
use crate::testing::Tablet;
use crate::views::Views;

/// A check of these readings that began so many minutes after one o'clock.
fn check(desk: &Desk, tablet: &Tablet, minute: usize, systolic: i64) -> String {
    check_of(desk, tablet, desk.site.team, minute, systolic)
}

fn check_of(desk: &Desk, tablet: &Tablet, team: RecordId, minute: usize, systolic: i64) -> String {
    let at = format!("2026-11-17T{:02}:{:02}:00Z", 13 + minute / 60, minute % 60);
    let fields = json!({"session": "01a20221-57e6-7f0f-b5c6-452956d7cfbb", "started_at": at,
        "bp": {"readings": [{"taken_at": at, "systolic": systolic, "diastolic": 84}]}});
    let begin = tablet.begin(Kind::Contact, fields).1;
    let frame = tablet.frame(team, std::slice::from_ref(&begin));
    tablet.exchange(&desk.site.base, vec![], vec![frame]).unwrap();
    begin.0.to_string()
}

/// As `serve` does: open streams hear of it.
fn follow(desk: &Desk) {
    desk.site.base.catch_up(&mut Views::open(desk.site.dir.path()).unwrap()).unwrap();
}

fn ids(answer: &Answer) -> Vec<String> {
    let checks = answer.json()["checks"].as_array().unwrap().clone();
    let id = |check: &Value| check.get("check").or(check.get("id")).unwrap().as_str().unwrap().to_owned();
    checks.iter().map(id).collect()
}

#[tokio::test]
async fn checks_come_page_by_page_each_once_whatever_comes_meanwhile() {
    let desk = Desk::new();
    let token = desk.token("prog", Role::Viewer, &[Scope::Read]);
    let tablet = desk.site.tablet();
    let all: Vec<String> =
        (0..9).map(|minute| check(&desk, &tablet, minute * 7, 118 + 8 * minute as i64)).collect();
    follow(&desk);
    let (mut seen, mut after) = (Vec::new(), String::new());
    loop {
        let path = format!("/api/v1/checks?from=2026-11-17&to=2026-11-17&limit=2{after}");
        let page = desk.get_by(&path, &token).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.body);
        seen.extend(ids(&page));
        // Of what comes in between, what began before is not shown any more, and moves nobody.
        check(&desk, &tablet, 0, 120);
        follow(&desk);
        match page.json()["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => break,
        }
    }
    assert_eq!(seen, all);
    let raised = desk.get_by("/api/v1/checks?category=HIGH,HIGH_STAGE1,HIGH_STAGE2,VERY_HIGH", &token).await;
    let categories: BTreeSet<String> = raised.json()["checks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|check| check["category"].as_str().unwrap().to_owned())
        .collect();
    assert!(!categories.is_empty() && categories.iter().all(|code| code.contains("HIGH")), "{categories:?}");
    let other = desk.get_by("/api/v1/checks?from=2026-11-18", &token).await;
    assert_eq!(other.json(), json!({"checks": [], "next": null}));
    for (query, code) in [
        ("after=nonsense", "cursor_invalid"),
        ("limit=0", "bad_arguments"),
        ("limit=201", "bad_arguments"),
        ("limit=x", "bad_arguments"),
        ("from=yesterday", "bad_arguments"),
        ("category=unheard_of", "bad_arguments"),
        ("team=north", "bad_id"),
    ] {
        assert_eq!(desk.get_by(&format!("/api/v1/checks?{query}"), &token).await.code(), code, "{query}");
    }
}

/// Reads events until `count` of them have come, or the text of one was cut in the middle.
async fn listen(desk: &Desk, token: &str, after: &str, count: usize, cut: bool) -> Vec<(String, Value)> {
    let asked = request("GET", "/api/v1/urgent/stream", "")
        .header("authorization", format!("Bearer {token}"))
        .header("last-event-id", after);
    let response = desk.router().oneshot(asked.body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let (mut body, mut text) = (response.into_body(), String::new());
    let whole = |text: &str| text.matches("event: urgent").count();
    while whole(&text) < count || !text.ends_with("\n\n") {
        let frame = body.frame().await.expect("an event").unwrap();
        text.push_str(std::str::from_utf8(&frame.into_data().unwrap()).unwrap());
    }
    if cut {
        // The last one did not come whole: a reader of events throws it away.
        text.truncate(text.len() - 3);
    }
    let events = text
        .split_inclusive("\n\n")
        .filter(|event| event.ends_with("\n\n") && event.contains("event: urgent"));
    events
        .map(|event| {
            let line = |name: &str| event.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim();
            (line("id:").to_owned(), serde_json::from_str(line("data:")).unwrap())
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_is_cut_anywhere_neither_skips_nor_doubles_an_urgent_check() {
    let seed: u64 =
        std::env::var("WAYSIDE_SEED").map_or_else(|_| rand::random(), |seed| seed.parse().unwrap());
    println!("WAYSIDE_SEED={seed}");
    let mut rng = StdRng::seed_from_u64(seed);
    let desk = Desk::new();
    let token = desk.token("prog", Role::Viewer, &[Scope::Urgent]);
    let (tablet, mut south) = (desk.site.tablet(), Tablet::new());
    let second = desk.site.base.team_add("South").unwrap();
    south.join(&desk.site.base, "South").unwrap();
    let (mut told, mut place, mut made) = (Vec::new(), String::new(), BTreeSet::new());
    for round in 0..12 {
        for number in 0..rng.random_range(1..6) {
            let (of, team) = if rng.random() { (&tablet, desk.site.team) } else { (&south, second) };
            let urgent = rng.random_range(0..3) > 0;
            let id = check_of(&desk, of, team, round * 6 + number, if urgent { 186 } else { 124 });
            if urgent {
                made.insert(id);
            }
        }
        follow(&desk);
        let waiting = made.len() - told.len();
        if waiting > 0 {
            let (count, cut) = (rng.random_range(1..=waiting), rng.random());
            for (id, data) in listen(&desk, &token, &place, count, cut).await {
                told.push(data);
                place = id;
            }
        }
    }
    let waiting = made.len() - told.len();
    if waiting > 0 {
        told.extend(listen(&desk, &token, &place, waiting, false).await.into_iter().map(|(_, data)| data));
    }
    let ids: Vec<&str> = told.iter().map(|check| check["id"].as_str().unwrap()).collect();
    assert_eq!(ids.iter().copied().collect::<BTreeSet<_>>(), made.iter().map(String::as_str).collect());
    assert_eq!(ids.len(), made.len(), "one came twice");
    // The list is the same, page by page, and the same as the coordinators' list.
    let (mut listed, mut after) = (Vec::new(), String::new());
    loop {
        let page = desk.get_by(&format!("/api/v1/urgent?limit=3&after={after}"), &token).await;
        listed.extend(page.json()["checks"].as_array().unwrap().clone());
        after = page.json()["next"].as_str().unwrap().to_owned();
        if page.json()["more"] == false {
            break;
        }
    }
    let of = |checks: &[Value]| checks.iter().map(|check| check["id"].to_string()).collect::<BTreeSet<_>>();
    assert_eq!((of(&listed), listed.len()), (of(&told), told.len()));
    let today = desk.get("/api/v1/today?part=urgent", &desk.signed_in("vic", Role::Viewer).await).await;
    assert_eq!(today.json()["urgent"], made.len());
    let nothing = desk.get_by("/api/v1/urgent?after=now", &token).await;
    assert_eq!(nothing.json()["checks"], json!([]));
    assert_eq!(desk.get_by("/api/v1/urgent/stream?after=nonsense", &token).await.code(), "cursor_invalid");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_stream_is_told_at_once_without_a_name_and_ends_with_the_token() {
    let desk = Desk::new();
    let token = desk.token("prog", Role::Viewer, &[Scope::Urgent]);
    let tablet = desk.site.tablet();
    follow(&desk);
    let asked = request("GET", "/api/v1/urgent/stream?after=now", "")
        .header("authorization", format!("Bearer {token}"));
    let response = desk.router().oneshot(asked.body(Body::empty()).unwrap()).await.unwrap();
    let mut body = response.into_body();
    let mut next = async || {
        let frame = body.frame().await?;
        Some(String::from_utf8(frame.unwrap().into_data().unwrap().to_vec()).unwrap())
    };
    assert!(next().await.unwrap().contains("retry: 3000"));
    let person = push(&desk, &tablet, Kind::Person, json!({"name": {"given": "Amina", "family": "Khan"}}));
    let at = "2026-11-17T13:05:00Z";
    let fields = json!({"session": "01a20221-57e6-7f0f-b5c6-452956d7cfbb", "started_at": at, "person": person.to_string(),
        "bp": {"readings": [{"taken_at": at, "systolic": 186, "diastolic": 104}]}});
    let id = push(&desk, &tablet, Kind::Contact, fields);
    follow(&desk);
    let event = next().await.unwrap();
    assert!(event.contains("event: urgent") && event.contains(&id.to_string()), "{event}");
    assert!(
        !event.contains("Amina") && !event.contains("Khan") && !event.contains(&person.to_string()),
        "{event}"
    );
    desk.site.base.log.write(|txn| txn.conn.execute("UPDATE api_token SET revoked_at = 1", &[])).unwrap();
    check(&desk, &tablet, 9, 190);
    follow(&desk);
    assert_eq!(next().await, None);
}

struct Caller {
    desk: Desk,
    token: String,
    check: RecordId,
}

impl Caller {
    fn new(desk: Desk) -> Caller {
        let token = desk.token("prog", Role::Coordinator, &[Scope::Read, Scope::Write]);
        let tablet = desk.site.tablet();
        let check = check(&desk, &tablet, 0, 186).parse().unwrap();
        follow(&desk);
        Caller { desk, token, check }
    }

    async fn call(&self, token: &str, key: &str, outcome: &str) -> Answer {
        let asked = request("POST", &format!("/api/v1/records/{}/act", self.check), "")
            .header("authorization", format!("Bearer {token}"))
            .header("content-type", "application/json")
            .header("idempotency-key", key);
        let body = json!({"act": "call", "outcome": outcome}).to_string();
        self.desk.send(asked.body(body.into()).unwrap()).await
    }

    async fn calls(&self) -> usize {
        let check = self.desk.get_by(&format!("/api/v1/checks/{}", self.check), &self.token).await;
        check.json()["calls"].as_array().unwrap().len()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_names_itself_is_done_once() {
    let caller = Caller::new(Desk::new());
    let token = caller.token.clone();
    let first = caller.call(&token, "call 1", "no_answer").await;
    assert_eq!(first.status, StatusCode::CREATED, "{}", first.body);
    for _ in 0..3 {
        let again = caller.call(&token, "call 1", "no_answer").await;
        assert_eq!((again.status, &again.body), (first.status, &first.body));
        assert_eq!(again.headers["idempotency-replayed"], "true");
    }
    assert_eq!(caller.calls().await, 1);
    let other = caller.call(&token, "call 1", "tried").await;
    assert_eq!((other.status.as_u16(), other.code().as_str()), (422, "key_reused"));
    // A refusal is an answer, too.
    let refused = caller.call(&token, "call 2", "shouted").await;
    assert!(refused.status.is_client_error(), "{}", refused.body);
    assert_eq!(caller.call(&token, "call 2", "shouted").await.body, refused.body);
    // Somebody else's names are their own.
    let another = caller.desk.token("another", Role::Coordinator, &[Scope::Write]);
    assert_eq!(caller.call(&another, "call 1", "tried").await.status, StatusCode::CREATED);
    assert_eq!(caller.call(&token, "", "tried").await.code(), "bad_arguments");
    assert_eq!(caller.call(&token, &"x".repeat(256), "tried").await.code(), "bad_arguments");
    assert_eq!(caller.calls().await, 2);
    // Of many at once, one is done.
    let twice =
        futures_util::future::join_all((0..6).map(|_| caller.call(&token, "call 3", "no_answer"))).await;
    for answer in twice {
        assert!(answer.status == StatusCode::CREATED || answer.code() == "key_pending", "{}", answer.body);
    }
    assert_eq!(caller.calls().await, 3);
    // One that began and was never answered is not done again.
    let forget = "UPDATE answered SET status = 0";
    caller.desk.site.base.log.write(|txn| txn.conn.execute(forget, &[])).unwrap();
    let pending = caller.call(&token, "call 1", "no_answer").await;
    assert_eq!((pending.status.as_u16(), pending.code().as_str()), (409, "key_pending"));
    // After a day the name is free.
    caller.desk.later(crate::log::ANSWERED_MS);
    let later = caller.call(&token, "call 1", "no_answer").await;
    assert_eq!(
        (later.status, later.headers.contains_key("idempotency-replayed")),
        (StatusCode::CREATED, false)
    );
    assert_eq!(caller.desk.site.count("answered"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_answered_goes_with_the_record_that_it_was_about() {
    let caller = Caller::new(Desk::new());
    caller.call(&caller.token, "call 1", "no_answer").await;
    assert_eq!(caller.desk.site.count("answered"), 1);
    let check = caller.check;
    let now = crate::testing::START;
    caller.desk.site.base.log.write(move |txn| crate::log::erase_again(txn.conn, check, now)).unwrap();
    assert_eq!(caller.desk.site.count("answered"), 0);
}

/// All of a list by its cursors, and by its pages; `own` says which row it is.
async fn both_ways(
    desk: &Desk,
    token: &str,
    path: &str,
    rows: &str,
    own: fn(&Value) -> String,
) -> [Vec<String>; 2] {
    let joined = |query: String| {
        if path.contains('?') { format!("{path}&{query}") } else { format!("{path}?{query}") }
    };
    let of = |page: &Value| page[rows].as_array().unwrap().iter().map(own).collect::<Vec<_>>();
    let (mut by_cursor, mut after) = (Vec::new(), String::new());
    loop {
        let answer = desk.get_by(&joined(format!("after={after}")), token).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.body);
        by_cursor.extend(of(&answer.json()));
        match answer.json()["next"].as_str() {
            Some(next) => after = next.to_owned(),
            None => break,
        }
    }
    let (mut by_page, mut page) = (Vec::new(), 1);
    loop {
        let answer = desk.get_by(&joined(format!("page={page}")), token).await.json();
        by_page.extend(of(&answer));
        if answer["pages"] == page {
            break;
        }
        page += 1;
    }
    [by_cursor, by_page]
}

#[tokio::test]
async fn work_lists_come_by_cursor_as_they_come_by_page() {
    let desk = Desk::new();
    let token = desk.token("prog", Role::Viewer, &[Scope::Read]);
    let tablet = desk.site.tablet();
    for number in 0..55_usize {
        let at = format!("2026-11-17T{:02}:{:02}:00Z", 9 + number / 20, number % 20);
        let fields = json!({"session": "01a20221-57e6-7f0f-b5c6-452956d7cfbb", "started_at": at,
            "bp": {"readings": [{"taken_at": at, "systolic": 150 + number, "diastolic": 84}]},
            "follow_ups": [{"type": "call", "due_on": format!("2026-11-{:02}", 10 + number % 7)}]});
        push(&desk, &tablet, Kind::Contact, fields);
        for given in ["Amina", "Aminah"] {
            let family: String =
                ["Ka", "Lo", "Mi", "Nu", "Pe", "Ra", "So"][number % 7].repeat(1 + number / 7);
            push(
                &desk,
                &tablet,
                Kind::Person,
                json!({"name": {"given": given, "family": family},
                "date_of_birth": format!("19{:02}-03-{:02}", 30 + number, 1 + number % 28)}),
            );
        }
    }
    follow(&desk);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    for (path, rows, least, own) in [
        (
            "/api/v1/today",
            "things",
            100,
            (|row| format!("{} {} {}", row["part"], row["check"], row["task"]["entry"]))
                as fn(&Value) -> String,
        ),
        ("/api/v1/today?part=urgent", "things", 15, |row| row["check"].to_string()),
        ("/api/v1/follow-ups", "items", 55, |row| row["task"]["entry"].to_string()),
        ("/api/v1/follow-ups?show=undated", "items", 0, |row| row["task"]["entry"].to_string()),
        ("/api/v1/duplicates", "pairs", 55, |row| format!("{} {}", row["one"]["id"], row["other"]["id"])),
        ("/api/v1/conflicts", "records", 0, |row| row["id"].to_string()),
    ] {
        let [by_cursor, by_page] = both_ways(&desk, &token, path, rows, own).await;
        assert_eq!(by_cursor, by_page, "{path}");
        assert!(by_cursor.len() >= least, "{path}: {}", by_cursor.len());
    }
    // What went meanwhile moves nobody: the check that was shown last, and the one before it, are struck out.
    let first = desk.get_by("/api/v1/today?part=urgent", &token).await.json();
    assert_eq!(first["next"], Value::Null, "fewer than a page are urgent");
    let first = desk.get_by("/api/v1/follow-ups", &token).await.json();
    let next = text(&first["next"]);
    let rest = desk.get_by(&format!("/api/v1/follow-ups?after={next}"), &token).await.json();
    let last = first["items"].as_array().unwrap().last().unwrap()["check"].as_str().unwrap().parse().unwrap();
    let now = crate::testing::START;
    desk.site.base.log.write(move |txn| crate::log::erase_again(txn.conn, last, now)).unwrap();
    follow(&desk);
    let after = desk.get_by(&format!("/api/v1/follow-ups?after={next}"), &token).await.json();
    assert_eq!(after["items"], rest["items"]);
    assert_eq!(desk.get_by("/api/v1/duplicates?after=nonsense", &token).await.code(), "cursor_invalid");
    assert_eq!(desk.get_by(&format!("/api/v1/today?after={next}"), &token).await.code(), "cursor_invalid");
}

#[tokio::test]
async fn places_tablets_and_what_is_held_come_page_by_page_each_once() {
    let desk = Desk::new();
    let token = desk.token("prog", Role::Viewer, &[Scope::Read]);
    let mut tablets = vec![desk.site.tablet()];
    for number in 0..4 {
        desk.site.base.team_add(&format!("Team {number}")).unwrap();
        tablets.push(desk.site.tablet());
        push(
            &desk,
            &tablets[0],
            Kind::Site,
            json!({"name": format!("Market {}", 9 - number), "type": "market"}),
        );
        desk.later(60_000);
        let wrong = json!({"nhs_number": {"value": format!("999000000{number}")}});
        tablets[0].push(&desk.site, &[tablets[0].begin(Kind::Person, wrong).1]);
    }
    follow(&desk);
    for (path, rows, own, least) in [
        ("/api/v1/quarantine", "changes", "hash", 3),
        ("/api/v1/sites", "sites", "id", 4),
        ("/api/v1/teams", "teams", "id", 5),
        ("/api/v1/fleet", "tablets", "id", 5),
    ] {
        let of = |page: &Value| -> Vec<String> {
            let rows = page[rows].as_array().unwrap();
            rows.iter().map(|row| row[own].as_str().unwrap().to_owned()).collect()
        };
        let whole = desk.get_by(path, &token).await.json();
        assert_eq!(whole["next"], Value::Null, "{path}");
        let whole = of(&whole);
        assert!(whole.len() >= least, "{path}: {whole:?}");
        let (mut seen, mut after) = (Vec::new(), String::new());
        loop {
            let page = desk.get_by(&format!("{path}?limit=2&after={after}"), &token).await.json();
            assert!(of(&page).len() <= 2, "{path}");
            seen.extend(of(&page));
            let Some(next) = page["next"].as_str() else { break };
            after = next.to_owned();
        }
        assert_eq!(seen, whole, "{path}");
        assert_eq!(seen.iter().collect::<BTreeSet<_>>().len(), seen.len(), "{path}");
        let first = desk.get_by(&format!("{path}?limit=1"), &token).await.json()["next"].clone();
        let of_another = if path.ends_with("sites") { "/api/v1/teams" } else { "/api/v1/sites" };
        let asked = format!("{of_another}?after={}", first.as_str().unwrap());
        assert_eq!(desk.get_by(&asked, &token).await.code(), "cursor_invalid", "{path}");
        for (query, code) in
            [("after=nonsense", "cursor_invalid"), ("limit=0", "bad_arguments"), ("limit=x", "bad_arguments")]
        {
            let refused = desk.get_by(&format!("{path}?{query}"), &token).await;
            assert_eq!((refused.status, refused.code().as_str()), (StatusCode::BAD_REQUEST, code), "{path}");
        }
    }
    let held = desk.get_by("/api/v1/quarantine", &token).await.json();
    let received = held["changes"].as_array().unwrap().iter().map(|one| one["received_at"].to_string());
    assert!(received.is_sorted_by(|one, next| one >= next), "the latest first");
}
