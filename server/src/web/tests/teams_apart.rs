//! What an account of one team can learn of another, and do to it, by what is in a request rather than in its address:
//! nothing. Addresses are asked one by one in `matrix`.

use axum::body::Body;
use axum::http::{StatusCode, header};
use serde_json::{Value, json};
use wayside_protocol::record::{Kind, RecordId};

use super::{Answer, Desk, ORIGIN, form, request};
use crate::accounts::{self, Role};
use crate::testing::{START, Tablet};

struct Apart {
    desk: Desk,
    south: RecordId,
    /// One who looks the same, in each team.
    north_person: RecordId,
    south_person: RecordId,
}

impl Apart {
    fn new() -> Apart {
        let desk = Desk::new();
        let south = desk.site.base.team_add("South").unwrap();
        let person = |team: RecordId, name: &str| {
            let mut tablet = Tablet::new();
            tablet.join(&desk.site.base, name).unwrap();
            let fields = json!({"name": {"given": "Zubayda", "family": "Example"}, "date_of_birth": "1961-04-02",
                "nhs_number": {"value": "9990000018"}});
            let one = tablet.begin(Kind::Person, fields).1;
            let bad = tablet.begin(Kind::Person, json!({"nhs_number": {"value": "999 000 0019"}})).1;
            let id = one.0;
            tablet.exchange(&desk.site.base, vec![], vec![tablet.frame(team, &[one, bad])]).unwrap();
            id
        };
        let (north_person, south_person) = (person(desk.site.team, "North"), person(south, "South"));
        desk.catch_up();
        Apart { desk, south, north_person, south_person }
    }

    /// An account of the south alone.
    async fn of_south(&self, name: &str, role: Role) -> String {
        let cookie = self.desk.signed_in(name, Role::Viewer).await;
        accounts::set_role(&self.desk.site.base, "test", name, Some(self.south), Some(role)).unwrap();
        cookie
    }

    async fn act(&self, cookie: &str, on: RecordId, act: Value) -> Answer {
        let asked = request("POST", &format!("/api/v1/records/{on}/act"), cookie)
            .header(header::ORIGIN, ORIGIN)
            .header(header::CONTENT_TYPE, "application/json");
        self.desk.send(asked.body(Body::from(act.to_string())).unwrap()).await
    }
}

#[tokio::test]
async fn nobody_is_merged_or_told_apart_with_somebody_of_a_team_that_one_cannot_see() {
    let apart = Apart::new();
    let sara = apart.of_south("sara", Role::Coordinator).await;
    let nobody = RecordId::fresh(START, &rand::random());
    for act in ["merge", "not_same", "unmerge"] {
        let of = |id: RecordId| json!({"act": act, "with": id, "other": id, "from": id});
        let theirs = apart.act(&sara, apart.south_person, of(apart.north_person)).await;
        let none = apart.act(&sara, apart.south_person, of(nobody)).await;
        assert_eq!(theirs.status, StatusCode::NOT_FOUND, "{act}");
        assert_eq!((theirs.status, theirs.body), (none.status, none.body), "{act}");
    }
}

#[tokio::test]
async fn two_who_look_the_same_in_two_teams_are_shown_to_who_may_see_both() {
    let apart = Apart::new();
    let sara = apart.of_south("sara", Role::Coordinator).await;
    let both = apart.desk.signed_in("both", Role::Coordinator).await;
    let pairs = async |cookie: &str| {
        apart.desk.get("/api/v1/duplicates", cookie).await.json()["pairs"].as_array().map_or(0, Vec::len)
    };
    assert_eq!((pairs(&sara).await, pairs(&both).await), (0, 1));
    let beside = format!("/people/{}/beside/{}", apart.south_person, apart.north_person);
    assert_eq!(apart.desk.get(&beside, &sara).await.status, StatusCode::NOT_FOUND);
    assert_eq!(apart.desk.get(&beside, &both).await.status, StatusCode::OK);
    accounts::set_role(&apart.desk.site.base, "test", "sara", Some(apart.desk.site.team), Some(Role::Viewer))
        .unwrap();
    assert_eq!(pairs(&sara).await, 1);
    // Who may only look in one of the two teams looks.
    let answer =
        apart.act(&sara, apart.north_person, json!({"act": "entered_in_error", "reason": "x"})).await;
    assert_eq!((answer.status, answer.code()), (StatusCode::FORBIDDEN, "role_not_allowed".into()));
}

#[tokio::test]
async fn nothing_is_begun_in_a_team_that_is_not_theirs_and_what_it_holds_is_not_shown() {
    let apart = Apart::new();
    let (desk, north) = (&apart.desk, apart.desk.site.team.to_string());
    let sam = apart.of_south("sam", Role::Administrator).await;
    let site = form(&[("team", &north), ("name", "Hall"), ("kind", ""), ("postcode", "")]);
    assert_eq!(desk.post("/sites", &sam, &site).await.status, StatusCode::NOT_FOUND);
    assert_eq!(desk.post("/fleet", &sam, &form(&[("team", &north)])).await.status, StatusCode::NOT_FOUND);
    let south = form(&[("team", &apart.south.to_string())]);
    assert_ne!(desk.post("/fleet", &sam, &south).await.status, StatusCode::NOT_FOUND);
    let held = desk.get("/api/v1/quarantine", &sam).await.json();
    assert_eq!(held.to_string().matches(&apart.south.to_string()).count(), 1, "{held}");
    assert!(!held.to_string().contains(&north));
    let today = desk.get("/api/v1/today", &sam).await.json();
    assert_eq!((today["held"].as_array().unwrap().len(), today["total"].as_u64()), (1, Some(1)), "{today}");
    // Asked for the other team's, it shows nothing rather than another thing.
    let asked = desk.get(&format!("/api/v1/today?team={north}"), &sam).await.json();
    assert_eq!((asked["total"].as_u64(), asked["teams"].as_array().unwrap().len()), (Some(0), 1));
    assert!(!asked.to_string().contains("North"));
}
