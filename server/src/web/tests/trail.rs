//! What the audit trail keeps of pages and API; who may see it; erasing by two; subject access; the retention review.

use std::net::SocketAddr;

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{StatusCode, header};
use serde_json::json;
use wayside_protocol::record::{Kind, RecordId};

use super::coordinating::{push, very_high};
use super::{Desk, form, request};
use crate::accounts::{self, Role};
use crate::log::{self, Audited, audited};

const MINUTE: u64 = 60_000;

struct Seen {
    desk: Desk,
    person: RecordId,
    check: RecordId,
}

impl Seen {
    fn new() -> Seen {
        let desk = Desk::new();
        let tablet = desk.site.tablet();
        let amina = json!({"name": {"given": "Amina", "family": "Quillfeather"}, "phone": "07700 900123",
            "date_of_birth": "1968-02-14"});
        let (person, begin) = tablet.begin(Kind::Person, amina);
        tablet.push(&desk.site, &[begin]);
        let check = push(&desk, &tablet, Kind::Contact, very_high(Some(person.id()), &json!({})));
        Seen { person: person.id(), check, desk }
    }

    fn trail(&self) -> Vec<Audited> {
        self.desk.site.base.log.read(audited).unwrap()
    }

    /// What stands in the trail beside signing in.
    fn acts(&self) -> Vec<(String, Option<RecordId>)> {
        let all = self.trail().into_iter().filter(|act| act.act != "sign_in");
        all.map(|act| (act.act, act.record)).collect()
    }
}

#[tokio::test]
async fn every_reading_is_written_down_with_who_and_from_where() {
    let seen = Seen::new();
    let vic = seen.desk.signed_in("vic", Role::Viewer).await;
    let (person, check) = (seen.person, seen.check);
    let paths = [
        (format!("/people/{person}"), "person", person),
        (format!("/checks/{check}"), "check", check),
        (format!("/checks/{check}/letter"), "letter", check),
        (format!("/records/{person}"), "record", person),
        (format!("/api/v1/people/{person}"), "person", person),
        (format!("/api/v1/records/{check}/history"), "history", check),
    ];
    let from: SocketAddr = "192.0.2.7:4711".parse().unwrap();
    for (path, _, _) in &paths {
        let asked = request("GET", path, &vic).extension(ConnectInfo(from)).body(Body::empty()).unwrap();
        assert_eq!(seen.desk.send(asked).await.status, StatusCode::OK, "{path}");
    }
    let expected = |(_, act, record): &(String, &str, RecordId)| ((*act).to_owned(), Some(*record));
    let mut expected: Vec<_> = paths.iter().map(expected).collect();
    // The person was read a moment ago.
    expected.remove(4);
    assert_eq!(seen.acts(), expected);
    let account = accounts::list(&seen.desk.site.base).unwrap()[0].n;
    for act in seen.trail().iter().filter(|act| act.act != "sign_in") {
        assert_eq!(
            (act.who.as_str(), act.account, act.address.as_str()),
            ("vic", Some(account), "192.0.2.7")
        );
    }
    seen.desk.later(6 * MINUTE);
    seen.desk.get(&paths[0].0, &vic).await;
    assert_eq!(seen.acts().len(), expected.len() + 1, "again after a while");
    assert_eq!(seen.desk.site.base.verify_audit().unwrap().wrong, 0);
}

#[tokio::test]
async fn who_is_refused_and_who_tries_ids_is_written_down() {
    let seen = Seen::new();
    let vic = seen.desk.signed_in("vic", Role::Viewer).await;
    let nobody = RecordId::from_bytes([9; 16]);
    assert_eq!(seen.desk.post(&format!("/records/{}/settle", seen.person), &vic, "").await.status, 403);
    assert_eq!(seen.desk.get(&format!("/people/{nobody}"), &vic).await.status, 404);
    assert_eq!(
        seen.acts(),
        [("refused".to_owned(), Some(seen.person)), ("refused".to_owned(), Some(nobody))]
    );
    let reasons: Vec<String> =
        seen.trail().into_iter().filter(|act| act.act == "refused").map(|act| act.reason).collect();
    assert!(reasons[0].ends_with("POST /records/{id}/settle"), "{reasons:?}");
    // Strangers leave no row: they could fill the disk.
    let before = seen.trail().len();
    seen.desk.get(&format!("/people/{nobody}"), "").await;
    assert_eq!(seen.trail().len(), before);
}

#[tokio::test]
async fn who_comes_in_and_who_fails_to_is_written_down() {
    let seen = Seen::new();
    seen.desk.account("vic", Role::Viewer);
    let form = |password: &str| form(&[("name", "VIC"), ("password", password)]);
    assert_eq!(seen.desk.post("/sign-in", "", &form("wrong horse battery")).await.status, 401);
    assert_eq!(seen.desk.post("/sign-in", "", &form(super::PASSWORD)).await.status, 303);
    let unknown = super::form(&[("name", "my secret password"), ("password", "x")]);
    assert_eq!(seen.desk.post("/sign-in", "", &unknown).await.status, 401);
    let rows: Vec<_> =
        seen.trail().into_iter().map(|act| (act.act, act.who, act.account.is_some(), act.reason)).collect();
    let row = |act: &str, who: &str| (act.to_owned(), who.to_owned(), !who.is_empty(), String::new());
    assert_eq!(rows, [row("sign_in_refused", "vic"), row("sign_in", "vic"), row("sign_in_refused", "")]);
}

#[tokio::test]
async fn nothing_is_shown_that_cannot_be_written_down() {
    let seen = Seen::new();
    let vic = seen.desk.signed_in("vic", Role::Viewer).await;
    seen.desk.site.base.log.write_sealed(|txn| log::seal(txn.conn, 1)).unwrap();
    let answer = seen.desk.get(&format!("/people/{}", seen.person), &vic).await;
    assert!(!answer.status.is_success() && !answer.body.contains("Quillfeather"), "{}", answer.body);
}

#[tokio::test]
async fn coordinators_see_who_looked_and_administrators_what_an_account_did() {
    let seen = Seen::new();
    let desk = &seen.desk;
    let vic = desk.signed_in("vic", Role::Viewer).await;
    let cora = desk.signed_in("cora", Role::Coordinator).await;
    let ada = desk.signed_in("ada", Role::Administrator).await;
    desk.get(&format!("/checks/{}", seen.check), &vic).await;
    let looked = format!("/people/{}/looked", seen.person);
    assert_eq!(desk.get(&looked, &vic).await.status, StatusCode::FORBIDDEN);
    let page = desk.get(&looked, &cora).await.body;
    assert!(page.contains("Read a check") && page.contains("vic"), "{page}");
    assert!(desk.get(&format!("/people/{}", seen.person), &cora).await.body.contains(&looked));
    let account =
        accounts::list(&desk.site.base).unwrap().into_iter().find(|one| one.name == "vic").unwrap().n;
    for path in ["/audit".to_owned(), format!("/audit/{account}")] {
        assert_eq!(desk.get(&path, &cora).await.status, StatusCode::FORBIDDEN);
        assert!(desk.get(&path, &ada).await.body.contains("vic"));
    }
    assert!(desk.get(&format!("/audit/{account}"), &ada).await.body.contains("Was refused"));
    assert_eq!(desk.get("/audit/999", &ada).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_person_is_erased_by_two_administrators_and_never_by_one() {
    let seen = Seen::new();
    let desk = &seen.desk;
    let cora = desk.signed_in("cora", Role::Coordinator).await;
    let ada = desk.signed_in("ada", Role::Administrator).await;
    let bea = desk.signed_in("bea", Role::Administrator).await;
    let at = |part: &str| format!("/people/{}/erase{part}", seen.person);
    let why = form(&[("reason", "Asked to be forgotten")]);
    assert_eq!(desk.post(&at(""), &cora, &why).await.status, StatusCode::FORBIDDEN);
    assert_eq!(desk.post(&at(""), &ada, &form(&[("reason", " ")])).await.status, 422);
    assert_eq!(desk.post(&at("/confirm"), &bea, "").await.status, 422, "nobody has asked");
    assert_eq!(desk.post(&at(""), &ada, &why).await.status, StatusCode::SEE_OTHER);
    assert!(desk.post(&at("/confirm"), &ada, "").await.body.contains("Another administrator must confirm"));
    assert_eq!(desk.post(&at(""), &bea, &why).await.status, StatusCode::CONFLICT, "one has asked already");
    let page = desk.get(&at(""), &bea).await.body;
    assert!(page.contains("ada asked for this") && page.contains("Erase for good"), "{page}");
    assert!(!desk.get(&at(""), &ada).await.body.contains("Erase for good"));
    assert!(desk.get("/erasures", &bea).await.body.contains("Quillfeather"));
    // It runs out.
    desk.later(8 * 24 * 60 * MINUTE);
    let (ada, bea) = (again(desk, "ada").await, again(desk, "bea").await);
    assert_eq!(desk.post(&at("/confirm"), &bea, "").await.status, 422);
    assert_eq!(desk.post(&at(""), &ada, &why).await.status, StatusCode::SEE_OTHER);
    assert_eq!(desk.post(&at("/refuse"), &bea, "").await.status, StatusCode::SEE_OTHER);
    assert_eq!(desk.post(&at("/confirm"), &bea, "").await.status, 422);
    assert_eq!(desk.post(&at(""), &ada, &why).await.status, StatusCode::SEE_OTHER);
    assert_eq!(desk.post(&at("/confirm"), &bea, "").await.status, StatusCode::SEE_OTHER);
    assert_eq!(desk.get(&format!("/people/{}", seen.person), &bea).await.status, StatusCode::NOT_FOUND);
    assert_eq!(desk.site.count("erase_request"), 0);
    let trail = seen.trail();
    let erased = trail.iter().find(|act| act.act == "erase").unwrap();
    assert_eq!(
        (erased.who.as_str(), erased.reason.as_str()),
        ("ada, confirmed by bea", "Asked to be forgotten")
    );
    let asked = trail.iter().find(|act| act.act == "erase_asked").unwrap();
    assert_eq!((asked.record, asked.reason.as_str()), (Some(seen.person), ""), "reasons go with the record");
    assert_eq!(desk.site.base.verify_audit().unwrap().wrong, 0);
}

/// Signs in again after a login has run out.
async fn again(desk: &Desk, name: &str) -> String {
    let link = accounts::sign_in_link(&desk.site.base, name, super::ORIGIN).unwrap();
    super::cookie(&desk.get(link.strip_prefix(super::ORIGIN).unwrap(), "").await)
}

#[tokio::test]
async fn a_request_of_somebody_who_was_shut_out_counts_no_more() {
    let seen = Seen::new();
    let desk = &seen.desk;
    let ada = desk.signed_in("ada", Role::Administrator).await;
    let bea = desk.signed_in("bea", Role::Administrator).await;
    let at = |part: &str| format!("/people/{}/erase{part}", seen.person);
    desk.post(&at(""), &ada, &form(&[("reason", "Asked for it")])).await;
    let shut = "UPDATE account SET disabled_at = 1 WHERE name = 'ada'";
    desk.site.base.log.write(move |txn| txn.conn.execute(shut, &[])).unwrap();
    assert_eq!(desk.post(&at("/confirm"), &bea, "").await.status, 422);
    assert_eq!(desk.get(&format!("/people/{}", seen.person), &bea).await.status, StatusCode::OK);
}

#[tokio::test]
async fn everything_about_one_person_is_shown_with_a_reason_and_nothing_of_anybody_else() {
    let seen = Seen::new();
    let desk = &seen.desk;
    let tablet = desk.site.tablet();
    // Perhaps the same person, and perhaps not.
    let like = json!({"name": {"given": "Amina", "family": "Quillfeathers"}, "phone": "07700 900123",
        "date_of_birth": "1968-02-14", "email": "other@example.org"});
    tablet.push(&desk.site, &[tablet.begin(Kind::Person, like).1]);
    desk.catch_up();
    let vic = desk.signed_in("vic", Role::Viewer).await;
    let cora = desk.signed_in("cora", Role::Coordinator).await;
    let at = format!("/people/{}/access", seen.person);
    let why = [("reason", "Asked in person")];
    assert_eq!(desk.get(&at, &vic).await.status, StatusCode::FORBIDDEN);
    assert_eq!(desk.post(&at, &vic, &form(&why)).await.status, StatusCode::FORBIDDEN);
    assert_eq!(desk.get(&at, &cora).await.status, StatusCode::OK);
    assert_eq!(desk.post(&at, &cora, "reason=").await.status, 422);
    desk.get(&format!("/checks/{}", seen.check), &vic).await;
    let page = desk.post(&at, &cora, &form(&why)).await.body;
    for held in ["Amina", "Quillfeather", "07700 900123", "190/124", "Read a check", "vic"] {
        assert!(page.contains(held), "{held}: {page}");
    }
    let answer = desk.post(&at, &cora, &form(&[why[0], ("as", "json")])).await;
    assert_eq!(answer.header(header::CONTENT_DISPOSITION), "attachment; filename=\"subject-access.json\"");
    let found = answer.json();
    let ids: Vec<&str> = found["records"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["record"]["id"].as_str().unwrap())
        .collect();
    assert_eq!(ids, [seen.person.to_string(), seen.check.to_string()]);
    assert_eq!(found["records"][1]["history"].as_array().unwrap().len(), 1);
    assert!(found["looked"].as_array().unwrap().iter().any(|act| act["who"] == "vic"), "{found}");
    for text in [page, answer.body] {
        assert!(!text.contains("Quillfeathers") && !text.contains("other@example.org"));
    }
    let taken: Vec<_> = seen.trail().into_iter().filter(|act| act.act == "subject_access").collect();
    assert_eq!(taken.len(), 2);
    assert!(taken.iter().all(|act| act.record == Some(seen.person) && act.reason == "Asked in person"));
}

#[tokio::test]
async fn records_are_listed_for_review_when_they_are_due_and_stay() {
    let seen = Seen::new();
    let desk = &seen.desk;
    let tablet = desk.site.tablet();
    let mut old = Vec::new();
    for (name, born) in [("Longago", "1960-01-01"), ("Child", "2015-01-01")] {
        let (person, begin) =
            tablet.begin(Kind::Person, json!({"name": {"family": name}, "date_of_birth": born}));
        let long_ago = json!({"started_at": "2018-11-17T13:05:00Z"});
        let contact = very_high(Some(person.id()), &long_ago);
        old.extend([begin, tablet.begin(Kind::Contact, contact).1]);
    }
    let verdicts = format!("{:?}", tablet.push(&desk.site, &old));
    assert_eq!(verdicts.matches("Accepted").count(), 4, "{verdicts}");
    desk.catch_up();
    let vic = desk.signed_in("vic", Role::Viewer).await;
    let cora = desk.signed_in("cora", Role::Coordinator).await;
    assert_eq!(desk.get("/retention", &vic).await.status, StatusCode::FORBIDDEN);
    let page = desk.get("/retention", &cora).await.body;
    assert!(page.contains("Longago") && page.contains("17 November 2026"), "{page}");
    assert!(!page.contains("Child") && !page.contains("Quillfeather"), "{page}");
    assert_eq!(desk.site.count("erased"), 0);
}
