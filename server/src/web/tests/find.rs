//! *Find*: people as they were heard, numbers by either end, sites, days; and what is left in the audit trail.

use axum::http::{StatusCode, header};
use serde_json::json;
use wayside_protocol::record::{Kind, RecordId};

use super::{Desk, form, request};
use crate::accounts::Role;
use crate::log::audited;
use crate::testing::Offer;

struct Searching {
    desk: Desk,
    vic: String,
    muhammad: RecordId,
    session: RecordId,
}

impl Searching {
    async fn new() -> Searching {
        let desk = Desk::new();
        let tablet = desk.site.tablet();
        let person = |given: &str, family: &str, born: &str, nhs: &str| -> Offer {
            let person = json!({"name": {"given": given, "family": family}, "date_of_birth": born,
                "nhs_number": {"value": nhs}, "phone": "07700 900123"});
            tablet.begin(Kind::Person, person).1
        };
        let muhammad = person("Muhammad", "Khan", "1968-02-14", "9990000018");
        let other = person("José", "O'Brien <b>", "1968-02-14", "9990000026");
        let site = tablet.begin(Kind::Site, json!({"name": "Masjid Al-Noor", "type": "mosque"})).1;
        let session = json!({"site": site.0.to_string(), "date": "2026-11-20"});
        let session = tablet.begin(Kind::Session, session).1;
        let (muhammad_id, session_id) = (muhammad.0, session.0);
        tablet.push(&desk.site, &[muhammad, other, site, session]);
        desk.catch_up();
        let vic = desk.signed_in("vic", Role::Viewer).await;
        Searching { desk, vic, muhammad: muhammad_id, session: session_id }
    }

    async fn page(&self, text: &str) -> String {
        let answer = self.desk.post("/find", &self.vic, &form(&[("text", text)])).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        answer.body
    }

    /// Who searched and what they opened, without the times.
    fn trail(&self) -> Vec<(String, String, Option<RecordId>, String)> {
        let mut all = self.desk.site.base.log.read(audited).unwrap();
        all.retain(|one| matches!(one.act.as_str(), "find" | "open"));
        all.into_iter().map(|one| (one.who, one.act, one.record, one.reason)).collect()
    }
}

#[tokio::test]
async fn people_are_found_as_they_were_heard_and_by_either_end_of_their_numbers() {
    let find = Searching::new().await;
    let link = format!("/find/{}", find.muhammad);
    let searches = [
        "Mohamed kahn",
        "KHAN muhamm",
        "14 Feb 1968 khan",
        "14/02/1968 khan",
        "999 000 0018",
        "0018",
        "khan 07700900123",
    ];
    for text in searches {
        let page = find.page(text).await;
        assert!(page.contains(&link) && !page.contains("José"), "{text}: {page}");
        assert!(page.contains("14 February 1968") && page.contains("999 000 0018"), "{text}");
    }
    let page = find.page("jose obrien").await;
    assert!(page.contains("José O&#39;Brien &#60;b&#62;") && !page.contains(&link));
    let page = find.page("14/02/1968").await;
    assert!(page.contains("José") && page.contains(&link));
    for nothing in ["k", " - ", "khan obrien", "zebra", "999 000 0034"] {
        assert!(find.page(nothing).await.contains("Nothing was found"), "{nothing}");
    }
    assert_eq!(
        find.desk.post("/find", &find.vic, &form(&[("text", &"k".repeat(201))])).await.status,
        StatusCode::UNPROCESSABLE_ENTITY
    );
}

#[tokio::test]
async fn sites_and_sessions_are_found_by_name_and_day() {
    let find = Searching::new().await;
    let link = format!("/sessions/{}", find.session);
    for text in ["masjid", "al noor", "masjd al-nor", "20 Nov 2026", "noor 20/11/2026"] {
        let page = find.page(text).await;
        assert!(page.contains(&link) && page.contains("Friday 20 November 2026"), "{text}: {page}");
    }
    assert!(find.page("masjid").await.contains("/sites/"));
    assert!(find.page("noor 21/11/2026").await.contains("/sites/"), "the site, if not on that day");
    assert!(!find.page("noor 21/11/2026").await.contains(&link));
}

#[tokio::test]
async fn a_search_and_what_is_opened_from_it_are_audited_and_what_was_typed_is_not() {
    let find = Searching::new().await;
    find.page("khan").await;
    let answer = find.desk.get(&format!("/find/{}", find.muhammad), &find.vic).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    assert_eq!(answer.header(header::LOCATION), format!("/people/{}", find.muhammad));
    // Nothing is looked for by one letter, and a session is no person.
    find.page("k").await;
    let answer = find.desk.get(&format!("/find/{}", find.session), &find.vic).await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    let row = |act: &str, record| ("vic".to_owned(), act.to_owned(), record, String::new());
    let expected = [row("find", None), row("open", Some(find.muhammad)), row("find", None)];
    assert_eq!(find.trail(), expected);
    // An address would stay in histories and in the logs of proxies.
    assert!(!find.desk.get("/find?text=khan", &find.vic).await.body.contains("Muhammad"));
}

#[tokio::test]
async fn programs_search_by_post() {
    let find = Searching::new().await;
    let ask = async |body: &'static str| {
        let request = request("POST", "/api/v1/find", &find.vic)
            .header("sec-fetch-site", "same-origin")
            .header(header::CONTENT_TYPE, "application/json");
        find.desk.send(request.body(body.into()).unwrap()).await
    };
    let found = ask(r#"{"text": "mohamed"}"#).await.json();
    assert_eq!(found["people"][0]["id"], find.muhammad.to_string());
    assert_eq!((&found["people"][0]["team"], &found["more"]), (&json!("North"), &json!(false)));
    assert_eq!(ask("khan").await.code(), "bad_json");
    assert_eq!(find.trail().len(), 1);
}

#[tokio::test]
async fn a_name_that_is_disputed_or_was_merged_is_found_too() {
    let find = Searching::new().await;
    let tablet = find.desk.site.tablet();
    let (mut one, begin) = tablet.begin(Kind::Person, json!({"name": {"given": "Amina", "family": "Shah"}}));
    let base = one.heads();
    let (ours, theirs) = (
        tablet.edit(&mut one, Some(&base), json!({"name": {"family": "Sheikh"}})),
        tablet.edit(&mut one, Some(&base), json!({"name": {"family": "Malik"}})),
    );
    let later = tablet
        .begin(Kind::Person, json!({"name": {"given": "Aminah"}, "merged_into": begin.0.to_string()}))
        .1;
    // The lowest id stands for both.
    let (id, other) = (begin.0.min(later.0), begin.0.max(later.0));
    tablet.push(&find.desk.site, &[begin, ours, theirs, later]);
    find.desk.catch_up();
    for text in ["sheikh", "malik", "aminah"] {
        let page = find.page(text).await;
        assert!(page.contains(&format!("/find/{id}")), "{text}");
        assert!(!page.contains(&other.to_string()), "{text}");
    }
    assert!(find.page("shah").await.contains("Nothing was found"), "nobody is called that any more");
}
