//! *Team*: staff, PINs, unlock codes, services.

use axum::http::{StatusCode, header};
use serde_json::{Value, json};
use wayside_protocol::record::tablet_id;
use wayside_protocol::staff::{Challenge, unlock_code, unlock_secret};

use super::{Answer, Desk, form};
use crate::accounts::Role;
use crate::api;

struct Page {
    desk: Desk,
    cora: String,
}

impl Page {
    async fn new() -> Page {
        let desk = Desk::new();
        let cora = desk.signed_in("cora", Role::Coordinator).await;
        Page { desk, cora }
    }

    fn at(&self, rest: &str) -> String {
        format!("/teams/{}{rest}", self.desk.site.team)
    }

    async fn read(&self, rest: &str) -> Answer {
        self.desk.get(&self.at(rest), &self.cora).await
    }

    async fn send(&self, rest: &str, fields: &[(&str, &str)]) -> Answer {
        self.desk.post(&self.at(rest), &self.cora, &form(fields)).await
    }

    async fn json(&self) -> Value {
        self.desk.get(&format!("/api/v1/teams/{}", self.desk.site.team), &self.cora).await.json()
    }

    /// Adds a member and returns their id.
    async fn add(&self, name: &str) -> String {
        let answer = self.send("/staff", &[("name", name), ("role", "nurse")]).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
        answer.header(header::LOCATION).rsplit('/').next().unwrap().to_owned()
    }

    async fn seen(&self, id: &str) -> String {
        let staff = self.json().await["staff"].clone();
        staff.as_array().unwrap().iter().find(|one| one["id"] == id).unwrap()["seen"]
            .as_str()
            .unwrap()
            .to_owned()
    }
}

#[tokio::test]
async fn a_coordinator_keeps_the_list_of_staff_and_a_viewer_only_reads_it() {
    let page = Page::new().await;
    let id = page.add("Amira <b>Khan").await;
    for rest in ["", &format!("/staff/{id}")] {
        let body = page.read(rest).await.body;
        assert!(body.contains("Amira &#60;b&#62;Khan") && !body.contains("<b>Khan"), "{rest}");
    }
    assert_eq!(page.send("/staff", &[("name", "amira <B>khan"), ("role", "")]).await.status, 422);
    assert_eq!(page.send("/staff", &[("name", " "), ("role", "")]).await.status, 422);
    let fields = [("seen", ""), ("name", "Amira Khan"), ("role", "lead nurse"), ("active", "yes")];
    let answer = page.send(&format!("/staff/{id}"), &fields).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
    let staff = &page.json().await["staff"];
    assert_eq!(
        (&staff[0]["name"], &staff[0]["role"], &staff[0]["active"]),
        (&json!("Amira Khan"), &json!("lead nurse"), &json!(true))
    );
    // Who stood on what was there before is told, and replaces nothing.
    let answer =
        page.send(&format!("/staff/{id}"), &[("seen", ""), ("name", "Bela"), ("active", "yes")]).await;
    assert_eq!(answer.status, StatusCode::CONFLICT);
    assert!(answer.body.contains("Somebody has changed this"));
    let seen = page.seen(&id).await;
    let fields = [("seen", seen.as_str()), ("name", "Amira Khan"), ("role", "lead nurse"), ("active", "no")];
    assert_eq!(page.send(&format!("/staff/{id}"), &fields).await.status, StatusCode::SEE_OTHER);
    assert!(page.read("").await.body.contains("Left"));
    // What they recorded keeps their name, on every page.
    page.desk.catch_up();
    let names = page.desk.site.base.log.read(|log| {
        crate::api::Readers::whole()
            .read(&page.desk.site.base, |views| api::Names::read(&page.desk.site.base, log, views))
    });
    assert_eq!(names.unwrap().staff(&id), "Amira Khan");

    let vic = page.desk.signed_in("vic", Role::Viewer).await;
    for rest in ["", &format!("/staff/{id}")] {
        let body = page.desk.get(&page.at(rest), &vic).await.body;
        assert!(body.contains("Amira Khan") && !body.contains(&page.at("/")) || rest.is_empty());
        assert!(!body.contains("method=\"post\" class=\"app-box"), "{rest}");
    }
    let nobody = page.read("/staff/aaaaaaaa").await;
    assert_eq!(nobody.status, StatusCode::NOT_FOUND);
    assert!(page.desk.get("/teams", &vic).await.body.contains(&page.at("")));
}

#[tokio::test]
async fn a_pin_is_shown_once_and_its_verifier_nowhere() {
    let page = Page::new().await;
    let id = page.add("Amira").await;
    assert!(page.read("").await.body.contains("No PIN yet"));
    let drawn = page.send(&format!("/staff/{id}/pin"), &[("seen", ""), ("pin", "")]).await;
    assert_eq!((drawn.status, drawn.header(header::CACHE_CONTROL)), (StatusCode::OK, "no-store"));
    let shown = drawn.body.split("app-reading\">").nth(1).unwrap().split('<').next().unwrap();
    let pin: String = shown.chars().filter(char::is_ascii_digit).collect();
    assert_eq!(pin.len(), 6);
    // It is the one that tablets will ask for.
    let verifiers = page.desk.site.base.log.read(|conn| {
        let raws = crate::log::record_changes(conn, 1, page.desk.site.team)?;
        Ok(wayside_protocol::record::Record::load(page.desk.site.team, &raws).unwrap().pin_verifiers())
    });
    assert!(verifiers.unwrap()[&id].matches(&pin));

    let seen = page.seen(&id).await;
    for easy in ["123456", "12345", "abcdef"] {
        let answer = page.send(&format!("/staff/{id}/pin"), &[("seen", &seen), ("pin", easy)]).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{easy}");
    }
    let typed = page.send(&format!("/staff/{id}/pin"), &[("seen", &seen), ("pin", "604 173")]).await;
    assert!(typed.body.contains("604 173"));
    // An old page's form sets nothing.
    assert_eq!(page.send(&format!("/staff/{id}/pin"), &[("seen", &seen), ("pin", "")]).await.status, 409);

    page.desk.catch_up();
    let team = page.desk.site.team;
    for address in [
        "/teams".to_owned(),
        page.at(""),
        page.at(&format!("/staff/{id}")),
        format!("/records/{team}"),
        format!("/api/v1/records/{team}/history"),
        "/api/v1/teams".to_owned(),
        format!("/api/v1/teams/{team}"),
        "/quarantine".to_owned(),
    ] {
        let answer = page.desk.get(&address, &page.cora).await;
        assert_eq!(answer.status, StatusCode::OK, "{address}");
        for secret in ["argon2", &pin, "604 173", "604173"] {
            assert!(!answer.body.contains(secret), "{secret} in {address}");
        }
    }
    let views = crate::views::Views::open(page.desk.site.dir.path()).unwrap();
    let record = views.show(team).unwrap().unwrap();
    assert_eq!(record["staff"][&id]["has_pin"], true);
    assert!(!record.to_string().contains("argon2"));
}

#[tokio::test]
async fn an_unlock_code_is_for_the_tablet_that_shows_the_digits() {
    let page = Page::new().await;
    let id = page.add("Amira").await;
    let tablet = page.desk.site.tablet();
    let challenge = Challenge::new(&tablet_id(&tablet.public()), 31_415);
    let answer = page.send(&format!("/staff/{id}/unlock"), &[("challenge", &challenge.to_string())]).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    let secret = unlock_secret(page.desk.site.base.identity.key().as_bytes(), &tablet.public());
    let mut code = unlock_code(&secret, page.desk.site.team, &id, &challenge);
    code.insert(4, ' ');
    assert!(answer.body.contains(&code) && answer.body.contains("van tablet"));
    // A slip of the tongue, another team's tablet, nobody of this team.
    let stranger = Challenge::new("aaaaaaaaaaaaaaaa", 31_415);
    for wrong in ["", "0000000000", stranger.as_str()] {
        let answer = page.send(&format!("/staff/{id}/unlock"), &[("challenge", wrong)]).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{wrong}");
    }
    let answer = page.send("/staff/aaaaaaaa/unlock", &[("challenge", challenge.as_str())]).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn services_groups_and_settings_reach_the_record() {
    let page = Page::new().await;
    let fields = [
        ("name", "Quit Leeds"),
        ("kind", "stop_smoking"),
        ("phone", "0113 496 0000"),
        ("hours", "Mon to Fri"),
    ];
    assert_eq!(page.send("/services", &fields).await.status, StatusCode::SEE_OTHER);
    assert_eq!(page.send("/services", &[("name", "x"), ("kind", "astrology")]).await.status, 422);
    let service = page.json().await["services"][0].clone();
    assert_eq!((&service["kind"], &service["active"]), (&json!("stop_smoking"), &json!(true)));
    let at = format!("/services/{}", service["id"].as_str().unwrap());
    let fields =
        [("seen", ""), ("name", "Quit Leeds"), ("kind", "stop_smoking"), ("phone", ""), ("active", "no")];
    assert_eq!(page.send(&at, &fields).await.status, StatusCode::SEE_OTHER);
    assert_eq!(page.send(&at, &fields).await.status, StatusCode::CONFLICT);
    // A form that does not say what it stood on.
    assert_eq!(page.send(&at, &[("name", "Quit"), ("kind", "gp")]).await.status, StatusCode::BAD_REQUEST);
    let service = page.json().await["services"][0].clone();
    assert_eq!(
        (&service["phone"], &service["active"], &service["hours"]),
        (&json!(""), &json!(false), &json!(""))
    );

    assert_eq!(
        page.send("/groups", &[("group", "Taxi/drivers"), ("there", "yes")]).await.status,
        StatusCode::SEE_OTHER
    );
    assert_eq!(page.json().await["plus_groups"], json!(["Taxi/drivers"]));
    assert_eq!(
        page.send("/groups", &[("group", "Taxi/drivers"), ("there", "no")]).await.status,
        StatusCode::SEE_OTHER
    );
    assert_eq!(page.json().await["plus_groups"], json!([]));

    let before = page.json().await["guide"].clone();
    let mut set = before.clone();
    set["wait_seconds"] = json!(90);
    let text = |value: &Value| {
        value.as_bool().map_or(value.to_string(), |yes| if yes { "yes" } else { "no" }.into())
    };
    let sent: Vec<(String, String)> =
        set.as_object().unwrap().iter().map(|(name, value)| (name.clone(), text(value))).collect();
    let shown = before.to_string();
    let mut fields: Vec<(&str, &str)> =
        sent.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    fields.push(("before", &shown));
    let answer = page.send("/guide", &fields).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
    assert_eq!(page.json().await["guide"]["wait_seconds"], 90);
    assert_eq!(page.send("/guide", &fields).await.status, StatusCode::CONFLICT);
    for minutes in ["0", "61", "soon"] {
        assert_eq!(page.send("/lock", &[("minutes", minutes)]).await.status, 422, "{minutes}");
    }
    assert_eq!(page.send("/lock", &[("minutes", "10")]).await.status, StatusCode::SEE_OTHER);
    assert_eq!(page.json().await["lock_minutes"], 10);
    page.desk.catch_up();
    let record = crate::views::Views::open(page.desk.site.dir.path())
        .unwrap()
        .show(page.desk.site.team)
        .unwrap()
        .unwrap();
    assert_eq!(record["settings"], json!({"guide": set, "lock_minutes": 10}));
    assert_eq!(record["conflicts"], json!([]));
}

#[tokio::test]
async fn a_team_from_before_teams_had_records_gets_one() {
    let page = Page::new().await;
    let id = wayside_protocol::record::RecordId::fresh(crate::testing::START, &[7; 10]);
    page.desk.site.base.log.write(move |txn| crate::log::add_team(txn, id, "South", [1; 8], 0)).unwrap();
    assert!(page.desk.get(&format!("/teams/{id}"), &page.cora).await.body.contains("South"));
    let fields = form(&[("name", "Amira"), ("role", "")]);
    let answer = page.desk.post(&format!("/teams/{id}/staff"), &page.cora, &fields).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
    page.desk.catch_up();
    let record = crate::views::Views::open(page.desk.site.dir.path()).unwrap().show(id).unwrap().unwrap();
    assert_eq!((&record["kind"], &record["name"]), (&json!("team"), &json!("South")));
}
