//! *Data quality*.

use axum::http::StatusCode;
use serde_json::{Value, json};
use wayside_protocol::record::Kind;

use super::Desk;
use crate::accounts::Role;
use crate::log::{Visit, tablet_by_key};
use crate::testing::START;

#[tokio::test]
async fn missing_answers_rounded_readings_and_impossible_times_are_counted_by_site() {
    let desk = Desk::new();
    let (tablet, another) = (desk.site.tablet(), desk.site.tablet());
    let mut offers = Vec::new();
    let mut sessions = Vec::new();
    for name in ["Market <b>", "Library"] {
        let site = tablet.begin(Kind::Site, json!({"name": name})).1;
        let session = json!({"site": site.0.to_string(), "date": "2026-11-20"});
        let session = tablet.begin(Kind::Session, session).1;
        sessions.push(session.0.to_string());
        offers.extend([site, session]);
    }
    let check = |session: &str, ethnic: &str, day: &str, readings: &[(i64, i64)], taken: &str| {
        let readings: Vec<Value> = readings
            .iter()
            .map(|(systolic, diastolic)| json!({"taken_at": taken, "systolic": systolic, "diastolic": diastolic}))
            .collect();
        let contact = json!({"session": session, "started_at": format!("{day}T13:05:00Z"),
            "ethnic_category": ethnic, "bp": {"readings": readings}});
        // One of the two is taken to the library.
        let tablet = if session == sessions[1] { &another } else { &tablet };
        tablet.push(&desk.site, &[tablet.begin(Kind::Contact, contact).1]);
    };
    tablet.push(&desk.site, &offers);
    // At the market everybody reads 130 or 140; every fourth was not asked.
    for n in 0..60 {
        let ethnic = if n % 4 == 0 { "99" } else { "A" };
        let readings = if n % 3 == 0 { [(140, 80), (150, 90)] } else { [(130, 80), (130, 90)] };
        check(&sessions[0], ethnic, "2026-11-20", &readings, "2026-11-20T13:06:00Z");
    }
    // At the library ten are of another day than their session, and ten have a reading from the year before.
    for n in 0..30 {
        let day = if n < 10 { "2026-11-19" } else { "2026-11-20" };
        let taken = if n >= 20 { "2025-11-20T13:06:00Z" } else { "2026-11-20T13:06:00Z" };
        check(&sessions[1], "Z", day, &[(131 + n % 9, 81)], taken);
    }
    // The library's runs an hour slow; the other is a minute out, which is nothing.
    for (tablet, skew_ms) in [(&another, -3_600_000), (&tablet, 60_000)] {
        let n = desk.site.base.log.read(|conn| tablet_by_key(conn, &tablet.public())).unwrap().unwrap().n;
        desk.site.base.log.seen(n, Visit { at: START, skew_ms, waiting: None, capabilities: 0 });
    }
    // Written with the next commit.
    desk.site.base.team_add("South").unwrap();
    // Some days on: what is after today cannot be.
    desk.later(7 * 24 * 3_600_000);
    desk.catch_up();
    let vic = desk.signed_in("vic", Role::Viewer).await;
    let found = desk.get("/api/v1/quality?from=2026-11&to=2026-11", &vic).await.json();
    let sites = found["sites"].as_array().unwrap();
    let of = |contacts: u64| sites.iter().find(|site| site["contacts"] == contacts).unwrap();
    let (market, library) = (of(60), of(30));
    assert_eq!((&market["ethnicity_missing"], &library["ethnicity_missing"]), (&json!(15), &json!(0)));
    assert_eq!((&market["impossible_times"], &library["impossible_times"]), (&json!(0), &json!(20)));
    assert_eq!((&market["wrong_clock"], &library["wrong_clock"]), (&json!(0), &json!(30)));
    assert_eq!((&market["just_below"], &market["just_above"]), (&json!(80), &json!(20)));
    assert_eq!((&market["below_to_above"], &market["zeros_percent"]), (&json!(4.0), &json!(100.0)));
    assert_eq!(library["zeros_percent"], Value::Null, "thirty readings say nothing");
    assert_eq!(found["digits_by_chance"], Value::Null, "a digit that is hidden makes the others no guess");
    assert_eq!(found["quarters"][0]["code"], "2026-Q4");

    let page = desk.get("/quality?from=2026-11&to=2026-11", &vic).await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.body.contains("On a tablet with a wrong clock"));
    assert!(page.body.contains("Market &#60;b&#62;") && page.body.contains("October to December 2026"));
    assert!(page.body.contains("<option value=\"2026-11\" selected>November 2026"), "{}", page.body);
    let other = desk.get("/api/v1/quality?from=2026-09&to=2026-10", &vic).await.json();
    assert_eq!(other["everywhere"]["contacts"], 0);
}
