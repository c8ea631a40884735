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
    assert_eq!(
        line("ethnic_category,J"),
        "ethnic_category,J,Asian or Asian British: Pakistani,*,0,0,0,0,,,,"
    );
    assert_eq!(
        line("completeness,ethnic_category"),
        "completeness,ethnic_category,Ethnic category,,,,,,,75,0,0"
    );
    assert!(line("site,").contains("'=cmd() Market <b>"), "a spreadsheet must not take it for a formula");

    // Every figure is the same three times over: none in one format tells what another hides.
    let mut rows = csv::ReaderBuilder::new().from_reader(sheet.body.as_bytes());
    let rows: Vec<csv::StringRecord> = rows.records().map(Result::unwrap).collect();
    let mut compared = 0;
    for cut in json["cuts"].as_array().unwrap() {
        let by = cut["by"].as_str().unwrap();
        for line in cut["lines"].as_array().unwrap() {
            let code = line["code"].as_str().unwrap();
            let figures: Vec<String> = line["people"]
                .as_array()
                .unwrap()
                .iter()
                .map(|one| one.to_string().replace('"', ""))
                .collect();
            let row = rows.iter().find(|row| &row[0] == by && &row[1] == code).unwrap();
            assert_eq!(row.iter().skip(3).take(5).collect::<Vec<_>>(), figures, "{by} {code}");
            let shown = cells(&page.body, caption(by), code);
            assert_eq!(shown[1..6], figures, "{by} {code}");
            compared += 1;
        }
    }
    assert!(compared >= 10, "{compared}");
    // Bars are drawn from what is shown too.
    assert!(page.body.contains("People seen by month") && page.body.contains("By month"));
    // Whole months: no day can be taken from another.
    let days = desk.get("/api/v1/reach?from=2026-11-20&to=2026-11-20", &cookie).await.json();
    assert_eq!((&days["from"], &days["to"]), (&json!("2026-11-01"), &json!("2026-11-30")));
    assert_eq!(days["people"], json["people"]);

    let nobody = desk.get("/reach?from=2020-01-01&to=2020-12-31", &cookie).await;
    assert_eq!(nobody.status, StatusCode::OK);
    // What is not understood is as if it were not there.
    let odd = desk.get("/reach?from=yesterday&to=%00&team=../../etc", &cookie).await;
    assert_eq!(odd.status, StatusCode::OK);
}

fn caption(by: &str) -> &'static str {
    match by {
        "ethnic_category" => "By ethnic category",
        "quintile" => "By deprivation of the area",
        "age" => "By age",
        "sex" => "By sex",
        "registered" => "By registration",
        "language" => "By language",
        "site" => "By the site",
        "ward" => "By ward",
        other => panic!("no table of {other}"),
    }
}

/// What the cells of a row say, by the table's caption and the row's key.
fn cells(page: &str, caption: &str, key: &str) -> Vec<String> {
    let table = page.split("<table").find(|table| table.contains(&format!(">{caption}"))).unwrap();
    let row = table.split("<tr").find(|row| row.contains(&format!("data-key=\"{key}\""))).unwrap();
    let paragraphs =
        row.split("<p>").skip(1).map(|cell| cell.split("</p>").next().unwrap().trim().to_owned());
    paragraphs.collect()
}
