//! *Fleet* and *Sites*.

use axum::http::StatusCode;
use serde_json::json;
use wayside_protocol::record::{Kind, RecordId, tablet_id};
use wayside_protocol::sync::{EnrolmentCode, capability};

use super::{Desk, form};
use crate::accounts::Role;
use crate::log::{Visit, audited, tablet_by_key};
use crate::testing::Tablet;

fn trail(desk: &Desk) -> Vec<(String, String, Option<RecordId>, String)> {
    let mut all = desk.site.base.log.read(audited).unwrap();
    all.retain(|one| matches!(one.act.as_str(), "rename_tablet" | "enrol_code" | "unlock"));
    all.into_iter().map(|one| (one.who, one.act, one.record, one.reason)).collect()
}

#[tokio::test]
async fn each_tablet_shows_when_it_was_here_and_what_is_wrong_with_it() {
    let desk = Desk::new();
    let tablet = desk.site.tablet();
    let bad = json!({"started_at": "2026-11-20T13:05:00Z", "session": RecordId::from_bytes([7; 16]).to_string(),
        "bp": {"readings": [{"taken_at": "2026-11-20T13:06:00Z", "systolic": 301, "diastolic": 100}]}});
    tablet.push(&desk.site, &[tablet.begin(Kind::Contact, bad).1]);
    let id = tablet_id(&tablet.public());
    let n = desk.site.base.log.read(|conn| tablet_by_key(conn, &tablet.public())).unwrap().unwrap().n;
    let visit = Visit {
        at: crate::testing::START,
        skew_ms: 3 * 3_600_000,
        waiting: Some(14),
        capabilities: capability::OURS & !capability::WAITING,
    };
    desk.site.base.log.seen(n, visit);
    // Written with the next commit.
    desk.site.base.team_add("South").unwrap();
    desk.later(3 * 3_600_000);
    let vic = desk.signed_in("vic", Role::Viewer).await;

    let fleet = desk.get("/api/v1/fleet", &vic).await.json();
    let one = &fleet["tablets"][0];
    assert_eq!((&one["id"], &one["teams"]), (&json!(id), &json!(["North"])));
    assert_eq!(
        (&one["waiting"], &one["quarantined"], &one["up_to_date"]),
        (&json!(14), &json!(1), &json!(false))
    );
    for path in ["/fleet".to_owned(), format!("/fleet/{id}")] {
        let page = desk.get(&path, &vic).await;
        assert_eq!(page.status, StatusCode::OK);
        for words in ["3 hours ago", "lock 3 hours fast", "14 changes"] {
            assert!(page.body.contains(words), "{path} {words}: {}", page.body);
        }
        assert!(!page.body.contains("Make a code") && !page.body.contains("Rename</h2>"), "a viewer looks");
    }
    assert!(desk.get("/fleet", &vic).await.body.contains("Older than this server"));
    assert_eq!(desk.get("/fleet/nobody", &vic).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_coordinator_renames_a_tablet() {
    let desk = Desk::new();
    let id = tablet_id(&desk.site.tablet().public());
    let cora = desk.signed_in("cora", Role::Coordinator).await;
    let rename = async |id: &str, name: &str| {
        desk.post(&format!("/fleet/{id}"), &cora, &form(&[("name", name)])).await.status
    };
    assert_eq!(rename(&id, " Van 2, <blue> ").await, StatusCode::SEE_OTHER);
    let page = desk.get("/fleet", &cora).await.body;
    assert!(page.contains("Van 2, &#60;blue&#62;"), "{page}");
    let value = desk.get(&format!("/fleet/{id}"), &cora).await.body;
    assert!(value.contains("value=\"Van 2, &#60;blue&#62;\""), "the form shows what it is called");
    for name in ["", "  ", &"x".repeat(201)] {
        assert_eq!(rename(&id, name).await, StatusCode::UNPROCESSABLE_ENTITY);
    }
    assert_eq!(rename("nobody", "Van 3").await, StatusCode::NOT_FOUND);
    assert_eq!(trail(&desk), [("cora".to_owned(), "rename_tablet".to_owned(), None, id)]);
}

#[tokio::test]
async fn an_administrator_enrols_a_tablet_by_a_code_that_works_once() {
    let desk = Desk::new();
    desk.site.base.listens("https://base.example", &[7; 32], None).unwrap();
    let ada = desk.signed_in("ada", Role::Administrator).await;
    let team = desk.site.team.to_string();
    let answer = desk.post("/fleet", &ada, &form(&[("team", &team)])).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    let text = answer.body.split(['<', '>']).find(|part| part.starts_with("wayside1-")).unwrap();
    let code = EnrolmentCode::parse(text).unwrap();
    assert_eq!((code.url.as_str(), code.pin), ("https://base.example", [7; 32]));
    assert!(answer.body.contains("<svg role=\"img\"") && answer.body.contains("works once, until"));
    assert!(desk.get("/fleet", &ada).await.body.contains("1 code not used yet"));
    Tablet::new().enrol(&desk.site.base, code.secret).unwrap();
    assert!(Tablet::new().enrol(&desk.site.base, code.secret).is_err(), "it is used");
    assert!(!desk.get("/fleet", &ada).await.body.contains("not used yet"));
    assert_eq!(
        trail(&desk),
        [("ada".to_owned(), "enrol_code".to_owned(), Some(desk.site.team), String::new())]
    );
    let stranger = RecordId::from_bytes([9; 16]).to_string();
    for team in [stranger.as_str(), "nonsense", ""] {
        assert!(desk.post("/fleet", &ada, &form(&[("team", team)])).await.status.is_client_error(), "{team}");
    }
}

#[tokio::test]
async fn sites_are_added_and_put_right_and_nothing_is_overwritten_unseen() {
    let desk = Desk::new();
    let cora = desk.signed_in("cora", Role::Coordinator).await;
    let team = desk.site.team.to_string();
    let new =
        [("team", team.as_str()), ("name", "Kirkgate Market"), ("kind", "market"), ("postcode", "ls27hy")];
    assert_eq!(desk.post("/sites", &cora, &form(&new)).await.status, StatusCode::SEE_OTHER);
    desk.catch_up();
    let listed = desk.get("/api/v1/sites", &cora).await.json();
    let site = listed["sites"][0].clone();
    assert_eq!(
        (&site["name"], &site["kind"], &site["postcode"], &site["active"], &site["team"]),
        (&json!("Kirkgate Market"), &json!("market"), &json!("LS2 7HY"), &json!(true), &json!("North"))
    );
    let id: RecordId = site["id"].as_str().unwrap().parse().unwrap();
    let at = format!("/sites/{id}");
    let page = desk.get(&at, &cora).await.body;
    assert!(
        page.contains("value=\"Kirkgate Market\"") && page.contains("<option value=\"market\" selected>")
    );

    // Two who had the same form open: both of their names stay, and the page says so.
    let heads = desk.heads(id).join(" ");
    let change = |name: &'static str, active: &'static str| {
        form(&[
            ("heads", &heads),
            ("name", name),
            ("kind", "market"),
            ("postcode", "LS2 7HY"),
            ("active", active),
        ])
    };
    assert_eq!(desk.post(&at, &cora, &change("Kirkgate", "no")).await.status, StatusCode::SEE_OTHER);
    assert_eq!(desk.post(&at, &cora, &change("Leeds Market", "no")).await.status, StatusCode::SEE_OTHER);
    desk.catch_up();
    let page = desk.get(&at, &cora).await.body;
    assert!(page.contains("Values of this site disagree"), "{page}");
    assert!(desk.get("/sites", &cora).await.body.contains("No longer used"));

    for (name, kind) in [(" ", "market"), ("Market", "casino")] {
        let wrong = form(&[("team", &team), ("name", name), ("kind", kind), ("postcode", "")]);
        assert_eq!(desk.post("/sites", &cora, &wrong).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    }
    let stale = form(&[("heads", &"0".repeat(64)), ("name", "Other")]);
    assert!(desk.post(&at, &cora, &stale).await.status.is_client_error());
    assert_eq!(desk.get(&format!("/sites/{team}"), &cora).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn an_unlock_code_leaves_its_trace() {
    let desk = Desk::new();
    let tablet = desk.site.tablet();
    let cora = desk.signed_in("cora", Role::Coordinator).await;
    let member =
        crate::api::team::add_member(&desk.site.base, desk.site.team, "cora", "Amira", "nurse").unwrap();
    let challenge = wayside_protocol::staff::Challenge::new(&tablet_id(&tablet.public()), 1234567);
    let at = format!("/teams/{}/staff/{member}/unlock", desk.site.team);
    assert_eq!(desk.post(&at, &cora, &form(&[("challenge", "0000000000")])).await.status, 422);
    assert!(trail(&desk).is_empty(), "nobody was given a code");
    let answer = desk.post(&at, &cora, &form(&[("challenge", challenge.as_str())])).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    assert_eq!(trail(&desk), [("cora".to_owned(), "unlock".to_owned(), Some(desk.site.team), member)]);
}

#[tokio::test]
async fn an_administrator_revokes_a_tablet_by_one_click_and_decides_about_what_it_sends() {
    let desk = Desk::new();
    let tablet = desk.site.tablet();
    let id = tablet_id(&tablet.public());
    let (ada, cora) =
        (desk.signed_in("ada", Role::Administrator).await, desk.signed_in("cora", Role::Coordinator).await);
    let at = format!("/fleet/{id}");
    assert!(!desk.get(&at, &cora).await.body.contains("Revoke this tablet"), "a coordinator cannot");
    let page = desk.get(&at, &ada).await.body;
    assert!(page.contains("Revoke this tablet") && page.contains("Take it out of this team"), "{page}");
    for (path, body) in [
        (format!("{at}/revoke"), String::new()),
        (format!("{at}/leave"), form(&[("team", &desk.site.team.to_string())])),
        ("/quarantine/admit".to_owned(), form(&[("tablet", &id)])),
        ("/quarantine/refuse".to_owned(), form(&[("tablet", &id)])),
    ] {
        assert_eq!(desk.post(&path, &cora, &body).await.status, StatusCode::FORBIDDEN, "{path}");
    }
    assert_eq!(desk.post("/fleet/nobody/revoke", &ada, "").await.status, StatusCode::NOT_FOUND);
    assert_eq!(desk.post(&format!("{at}/revoke"), &ada, "").await.status, StatusCode::SEE_OTHER);
    let page = desk.get(&at, &ada).await.body;
    assert!(page.contains("Revoked") && !page.contains("Revoke this tablet"), "{page}");
    assert!(desk.get("/fleet", &cora).await.body.contains("Revoked"));

    let sent = [(); 2].map(|()| tablet.begin(Kind::Person, json!({"sex": "F"})).1);
    tablet.push(&desk.site, &sent[..1]);
    let page = desk.get("/quarantine", &cora).await.body;
    assert!(
        page.contains("1 change came after this tablet was revoked")
            && page.contains("An administrator decides")
    );
    assert!(!page.contains("Admit them"));
    assert!(desk.get("/quarantine", &ada).await.body.contains("Admit them"));
    let decide = async |how: &str| {
        desk.post(&format!("/quarantine/{how}"), &ada, &form(&[("tablet", &id)])).await.status
    };
    assert_eq!(decide("admit").await, StatusCode::SEE_OTHER);
    assert_eq!((desk.site.head(), desk.site.count("quarantine")), (2, 0));
    tablet.push(&desk.site, &sent[1..]);
    assert_eq!(decide("refuse").await, StatusCode::SEE_OTHER);
    assert_eq!((desk.site.head(), desk.site.count("quarantine")), (2, 1));
    let page = desk.get("/quarantine", &ada).await.body;
    assert!(!page.contains("Admit them") && page.contains("an administrator refused it"), "{page}");
    let acts = desk.site.base.log.read(audited).unwrap().into_iter();
    let acts: Vec<(String, String)> =
        acts.filter(|one| one.who == "ada").map(|one| (one.act, one.reason)).collect();
    for act in ["revoke_tablet", "admit_held", "refuse_held"] {
        assert!(acts.contains(&(act.to_owned(), id.clone())), "{act}: {acts:?}");
    }
}
