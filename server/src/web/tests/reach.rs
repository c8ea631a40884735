use axum::http::{StatusCode, header};
use serde_json::json;
use wayside_protocol::record::Kind;

use super::Desk;
use crate::accounts::Role;
use crate::views::Views;

#[tokio::test]
async fn reach_shows_the_same_figures_as_page_json_and_csv_and_no_small_ones() {
    let desk = Desk::new();
    let tablet = desk.site.tablet();
    let site = tablet.begin(Kind::Site, json!({"name": "=cmd() Market <b>"})).1;
    let session = tablet.begin(Kind::Session, json!({"site": site.0.to_string(), "date": "2026-11-20"})).1;
    tablet.push(&desk.site, &[site, session.clone()]);
    for (count, ethnic) in [(40, "A"), (30, "J"), (3, "N")] {
        for _ in 0..count {
            let person = tablet.begin(Kind::Person, json!({"ethnic_category": ethnic})).1;
            let contact = json!({"person": person.0.to_string(), "session": session.0.to_string(),
                "started_at": "2026-11-20T13:05:00Z"});
            let contact = tablet.begin(Kind::Contact, contact).1;
            tablet.push(&desk.site, &[person, contact]);
        }
    }
    Views::open(desk.site.base.data()).unwrap().catch_up(&desk.site.base.log).unwrap();
    let cookie = desk.signed_in("vic", Role::Viewer).await;
    let days = "?from=2026-11-01&to=2026-11-30";

    let page = desk.get(&format!("/reach{days}"), &cookie).await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(
        page.body.contains("Asian or Asian British: Pakistani")
            && page.body.contains("=cmd() Market &#60;b&#62;")
    );
    assert!(page.body.contains("No index of deprivation has been imported"));

    let json = desk.get(&format!("/api/v1/reach{days}"), &cookie).await.json();
    assert_eq!(json["people"][0], 75, "73 to the nearest 5");
    let lines = json["cuts"][0]["lines"].as_array().unwrap();
    let seen: Vec<_> =
        lines.iter().map(|line| (line["code"].as_str().unwrap(), &line["people"][0])).collect();
    assert_eq!(seen, [("A", &json!(40)), ("J", &json!("*")), ("N", &json!("*"))]);

    let sheet = desk.get(&format!("/reach.csv{days}"), &cookie).await;
    assert_eq!(sheet.header(header::CONTENT_TYPE), "text/csv; charset=utf-8");
    let line = |begins: &str| sheet.body.lines().find(|line| line.starts_with(begins)).unwrap().to_owned();
    assert_eq!(line("ethnic_category,J"), "ethnic_category,J,Asian or Asian British: Pakistani,*,0,0,0,0");
    assert!(line("site,").contains("'=cmd() Market <b>"), "a spreadsheet must not take it for a formula");

    let nobody = desk.get("/reach?from=2020-01-01&to=2020-12-31", &cookie).await;
    assert_eq!(nobody.status, StatusCode::OK);
    // What is not understood is as if it were not there.
    let odd = desk.get("/reach?from=yesterday&to=%00&team=../../etc", &cookie).await;
    assert_eq!(odd.status, StatusCode::OK);
}
