//! Today: what stands on it and why, who is on it, and what one click does and takes back.

use axum::body::Body;
use axum::http::{StatusCode, header};
use serde_json::{Value, json};
use wayside_protocol::record::{Kind, RecordId};

use super::coordinating::{SESSION, act, get, in_part, page, push, submit, very_high};
use super::{Answer, Desk, ORIGIN, form, request};
use crate::accounts::Role;
use crate::log::CLAIM_MS;

/// The day of the tests' clock, in London.
const TODAY: &str = "2026-11-18";

fn check(person: Option<RecordId>, systolic: i64, diastolic: i64, more: &Value) -> Value {
    let mut check = very_high(person, more);
    let reading = &mut check["bp"]["readings"]["aaaaaaaa"];
    (reading["systolic"], reading["diastolic"]) = (json!(systolic), json!(diastolic));
    check
}

async fn post(desk: &Desk, cookie: &str, path: &str, body: Value) -> Answer {
    let asked = request("POST", path, cookie)
        .header(header::ORIGIN, ORIGIN)
        .header(header::CONTENT_TYPE, "application/json");
    desk.send(asked.body(Body::from(body.to_string())).unwrap()).await
}

/// The parts in which a check stands, in the order of the list.
async fn parts(desk: &Desk, cookie: &str, check: RecordId) -> Vec<String> {
    let mut parts = Vec::new();
    for path in ["/api/v1/today", "/api/v1/today?part=in_hand"] {
        let list = get(desk, cookie, path).await;
        let things = list["things"].as_array().unwrap().iter();
        parts.extend(
            things
                .filter(|thing| thing["check"] == check.to_string())
                .map(|thing| thing["part"].as_str().unwrap().to_owned()),
        );
    }
    parts
}

#[tokio::test]
async fn the_most_urgent_comes_first_and_each_thing_stands_where_somebody_will_take_it_up() {
    let desk = Desk::new();
    let cora = desk.signed_in("cora", Role::Coordinator).await;
    let tablet = desk.site.tablet();
    let same_day =
        json!({"aaaaaaaa": {"to": "gp", "urgency": "same_day", "made_at": "2026-11-17T13:10:00Z"}});
    let weeks =
        json!({"aaaaaaaa": {"to": "gp", "urgency": "within_3_weeks", "made_at": "2026-11-17T13:10:00Z"}});
    let due = |day: &str| json!({"aaaaaaaa": {"type": "call", "due_on": day}});
    let put = |fields: Value| push(&desk, &tablet, Kind::Contact, fields);

    let raised = put(check(None, 152, 94, &json!({})));
    let referred = put(check(None, 153, 94, &json!({"referrals": weeks})));
    let late = put(check(None, 118, 74, &json!({"follow_ups": due("2026-11-16")})));
    let later = put(check(None, 119, 74, &json!({"follow_ups": due("2026-11-19")})));
    let judged = put(check(None, 120, 74, &json!({"referrals": same_day})));
    let worst = put(very_high(
        None,
        &json!({"bp": {
        "readings": {"aaaaaaaa": {"taken_at": "2026-11-17T13:06:00Z", "systolic": 191, "diastolic": 124}},
        "red_flags": {"cccccccc": {"flag": "chest_pain", "present": true}}}}),
    ));
    let high = put(very_high(None, &json!({"referrals": same_day, "follow_ups": due(TODAY)})));
    put(check(None, 121, 74, &json!({})));

    let list = get(&desk, &cora, "/api/v1/today").await;
    let order: Vec<(String, String)> = list["things"]
        .as_array()
        .unwrap()
        .iter()
        .map(|thing| {
            (thing["part"].as_str().unwrap().to_owned(), thing["check"].as_str().unwrap().to_owned())
        })
        .collect();
    let said = |part: &str, check: RecordId| (part.to_owned(), check.to_string());
    // Of one urgency and time, in the order of their ids, which stays the same.
    let (first, second) = (judged.min(high), judged.max(high));
    let expected = [
        said("urgent", worst),
        said("urgent", first),
        said("urgent", second),
        said("follow_up", late),
        said("follow_up", high),
        said("arrange", raised),
        said("referral", referred),
    ];
    assert_eq!(order, expected);
    assert_eq!(list["urgent"], 3);
    assert_eq!(parts(&desk, &cora, later).await, [""; 0], "nothing is due before its day");
    assert_eq!(list["things"][5]["due_on"], "2026-12-08", "three weeks from the check");
    // Each row says why, and what comes next.
    let shown = page(&desk, &cora, "/").await;
    for words in [
        "<title>(3 urgent) Today",
        "Red flag: Chest pain",
        "Referral to GP: nobody has confirmed that they have it",
        "Nothing is arranged yet. By Tuesday 8 December 2026",
        "Ask whether they have it, and what came of it",
        "Urgent (3)",
        "Follow-ups due (2)",
    ] {
        assert!(shown.contains(words), "{words}");
    }
    assert_eq!(shown.matches("<article").count(), 7);
    let shown = page(&desk, &cora, "/?part=follow_up").await;
    assert_eq!(shown.matches("<article").count(), 2);
}

#[tokio::test]
async fn one_click_says_what_became_of_it_and_another_takes_that_back() {
    let desk = Desk::new();
    let cora = desk.signed_in("cora", Role::Coordinator).await;
    let vic = desk.signed_in("vic", Role::Viewer).await;
    let tablet = desk.site.tablet();
    let person =
        push(&desk, &tablet, Kind::Person, json!({"name": {"given": "Joy"}, "phone": "07700 900 461"}));
    let same_day = json!({"referrals": {"bbbbbbbb": {"to": "gp", "urgency": "same_day", "made_at": "2026-11-17T13:10:00Z"}}});
    let check = push(&desk, &tablet, Kind::Contact, very_high(Some(person), &same_day));
    assert!(!page(&desk, &vic, "/").await.contains("data-quick"), "a viewer has no buttons");

    // Nobody answered: noted, and still there.
    let back = [("back", "today?part=urgent")];
    let call = |outcome: &'static str| [("act", "call"), ("outcome", outcome), ("spoke_to", "the person")];
    let to = submit(&desk, &cora, check, &[call("no_answer").as_slice(), &back].concat()).await;
    assert!(to.starts_with(&format!("/?part=urgent&done={check}.calls.")), "{to}");
    let shown = page(&desk, &cora, &to).await;
    assert!(shown.contains("Noted for Joy: No answer (cora, ") && shown.contains("Last call: No answer"));
    assert_eq!(parts(&desk, &cora, check).await, ["urgent"]);

    // They have it: in hand by the rules, and off the list.
    let received =
        [("act", "referral_event"), ("referral", "bbbbbbbb"), ("status", "received"), ("back", "today")];
    let to = submit(&desk, &cora, check, &received).await;
    assert_eq!(parts(&desk, &cora, check).await, ["in_hand"]);
    let shown = page(&desk, &cora, &to).await;
    assert!(shown.contains("Noted for Joy: Received (cora, ") && shown.contains("<title>Today"));
    assert!(shown.contains("The check is in hand."));
    // What the page offers takes back exactly that.
    let field = |name: &str| {
        let said = &shown[shown.find("id=\"said\"").unwrap()..];
        let value = &said[said.find(&format!("name=\"{name}\" value=\"")).unwrap()..];
        value.split('"').nth(3).unwrap().to_owned()
    };
    let undo: Vec<(&str, String)> =
        ["act", "heads", "path", "reason", "back"].map(|name| (name, field(name))).to_vec();
    let undo: Vec<(&str, &str)> = undo.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let to = submit(&desk, &cora, check, &undo).await;
    assert_eq!(parts(&desk, &cora, check).await, ["urgent"]);
    let shown = page(&desk, &cora, &to).await;
    assert!(shown.contains("Taken back for Joy: Received (cora, "), "{to}");
    let record = get(&desk, &cora, &format!("/api/v1/checks/{check}")).await;
    assert_eq!(record["record"]["referral_events"].as_object().unwrap().len(), 1, "it stays in the record");

    // Reached without a word with whom is not taken.
    let nobody = [("act", "call"), ("outcome", "reached"), ("spoke_to", " "), ("back", "today")];
    let refused = desk.post(&format!("/records/{check}/act"), &cora, &form(&nobody)).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    submit(&desk, &cora, check, &[call("reached").as_slice(), &back].concat()).await;
    // The referral that nobody confirmed is no longer urgent, and still asked after.
    assert_eq!(parts(&desk, &cora, check).await, ["referral", "in_hand"]);
}

#[tokio::test]
async fn a_form_leads_back_to_pages_of_ours_only() {
    let desk = Desk::new();
    let cora = desk.signed_in("cora", Role::Coordinator).await;
    let tablet = desk.site.tablet();
    let check = push(&desk, &tablet, Kind::Contact, very_high(None, &json!({})));
    for back in
        ["today//evil.example", "today?part=urgent&x=//evil.example", "today?page=2#//evil", "today\\evil"]
    {
        let fields = [("act", "call"), ("outcome", "tried"), ("back", back)];
        let to = submit(&desk, &cora, check, &fields).await;
        assert!(to.starts_with("/?") || to.starts_with("/checks/"), "{back}: {to}");
        assert!(!to.contains("evil"), "{back}: {to}");
    }
}

#[tokio::test]
async fn who_is_on_it_is_seen_by_others_runs_out_and_is_about_the_person() {
    let desk = Desk::new();
    let cora = desk.signed_in("cora", Role::Coordinator).await;
    let dora = desk.signed_in("dora", Role::Coordinator).await;
    let tablet = desk.site.tablet();
    let person = push(&desk, &tablet, Kind::Person, json!({"name": {"given": "Joy"}}));
    let other = push(&desk, &tablet, Kind::Person, json!({"name": {"given": "Joyce"}}));
    let first = push(&desk, &tablet, Kind::Contact, very_high(Some(person), &json!({})));
    let second = push(&desk, &tablet, Kind::Contact, very_high(Some(person), &json!({})));
    let theirs = push(&desk, &tablet, Kind::Contact, very_high(Some(other), &json!({})));
    let nobody = push(&desk, &tablet, Kind::Contact, very_high(None, &json!({})));
    let claims = async |cookie: &str| {
        let list = get(&desk, cookie, "/api/v1/today").await;
        let of = |check: RecordId| {
            let thing =
                list["things"].as_array().unwrap().iter().find(|thing| thing["check"] == check.to_string());
            let claim = &thing.unwrap()["claim"];
            if claim.is_null() {
                String::new()
            } else {
                format!("{} {}", claim["by"].as_str().unwrap(), claim["mine"])
            }
        };
        [of(first), of(second), of(theirs), of(nobody)]
    };
    let take = async |cookie: &str, check: RecordId, take: &str| {
        post(&desk, cookie, &format!("/api/v1/records/{check}/claim"), json!({"take": take})).await
    };
    let mut viewed = desk.site.base.viewed();
    viewed.mark_unchanged();
    assert_eq!(take(&cora, first, "on").await.status, StatusCode::OK);
    assert!(viewed.has_changed().unwrap(), "open pages are told at once");
    assert_eq!(claims(&dora).await, ["cora false", "cora false", "", ""]);
    assert_eq!(claims(&cora).await, ["cora true", "cora true", "", ""]);
    assert!(page(&desk, &dora, "/").await.contains("cora is on it, since "));

    // By her other check too: it would be the same telephone.
    let refused = take(&dora, second, "on").await;
    assert_eq!((refused.status, refused.code().as_str()), (StatusCode::CONFLICT, "changed_meanwhile"));
    assert_eq!(refused.json()["message"], "cora is on it already.");
    take(&dora, second, "off").await;
    assert_eq!(claims(&cora).await[0], "cora true", "nobody ends another's");
    assert_eq!(take(&dora, nobody, "on").await.status, StatusCode::OK);
    take(&dora, second, "over").await;
    assert_eq!(claims(&dora).await, ["dora true", "dora true", "", "dora true"]);

    // Somebody finds that the two are one person.
    act(&desk, &cora, person, json!({"act": "merge", "with": other.to_string()})).await;
    assert_eq!(claims(&dora).await, ["dora true", "dora true", "dora true", "dora true"]);
    desk.later(CLAIM_MS);
    // Signed out by then, too.
    let cora = desk.signed_in("cora2", Role::Coordinator).await;
    assert_eq!(claims(&cora).await, ["", "", "", ""]);
    assert_eq!(take(&cora, first, "on").await.status, StatusCode::OK);
    // By a form of the page: back to the row.
    let fields = form(&[("take", "off"), ("back", "today?part=urgent")]);
    let answer = desk.post(&format!("/records/{first}/claim"), &cora, &fields).await;
    assert_eq!(answer.header(header::LOCATION), format!("/?part=urgent#thing-{first}"));
    assert_eq!(claims(&cora).await[0], "");

    for (id, status) in
        [(person, StatusCode::NOT_FOUND), (RecordId::from_bytes([7; 16]), StatusCode::NOT_FOUND)]
    {
        assert_eq!(take(&cora, id, "on").await.status, status, "no check");
    }
    assert_eq!(take(&cora, first, "perhaps").await.code(), "bad_json");
}

#[tokio::test]
async fn the_list_can_be_that_of_one_site_or_of_what_i_am_on() {
    let desk = Desk::new();
    let cora = desk.signed_in("cora", Role::Coordinator).await;
    let dora = desk.signed_in("dora", Role::Coordinator).await;
    let tablet = desk.site.tablet();
    let [(market, at_market), (library, at_library)] = ["Market <b>", "Library"].map(|name| {
        let site = push(&desk, &tablet, Kind::Site, json!({"name": name}));
        let session = json!({"site": site.to_string(), "date": "2026-11-17"});
        (site, json!({"session": push(&desk, &tablet, Kind::Session, session).to_string()}))
    });
    let person = push(&desk, &tablet, Kind::Person, json!({"name": {"given": "Joy"}}));
    let first = push(&desk, &tablet, Kind::Contact, very_high(Some(person), &at_market));
    let again = push(&desk, &tablet, Kind::Contact, very_high(Some(person), &at_library));
    let other = push(&desk, &tablet, Kind::Contact, very_high(None, &at_market));
    push(&desk, &tablet, Kind::Contact, check(None, 152, 94, &at_library));
    tablet
        .push(&desk.site, &[tablet.begin(Kind::Person, json!({"nhs_number": {"value": "999 000 0019"}})).1]);
    desk.catch_up();
    post(&desk, &cora, &format!("/api/v1/records/{first}/claim"), json!({"take": "on"})).await;
    post(&desk, &dora, &format!("/api/v1/records/{other}/claim"), json!({"take": "on"})).await;

    let listed = async |cookie: &str, query: &str| {
        let list = get(&desk, cookie, &format!("/api/v1/today?{query}")).await;
        let things = list["things"].as_array().unwrap().iter();
        let mut checks: Vec<String> =
            things.map(|thing| thing["check"].as_str().unwrap().to_owned()).collect();
        checks.sort_unstable();
        let counts = list["counts"].as_array().unwrap().iter();
        let whole: u64 = counts.filter(|one| one[0] != "in_hand").map(|one| one[1].as_u64().unwrap()).sum();
        // All are on the first page: what is listed, and what is held.
        let held = list["held"].as_array().unwrap().len();
        assert_eq!((whole, &list["total"]), ((checks.len() + held) as u64, &json!(whole)), "{query}");
        assert_eq!(list["urgent"], 3, "{query}: whatever is filtered");
        (checks, held)
    };
    let sorted = |ids: &[RecordId]| {
        let mut ids: Vec<String> = ids.iter().map(RecordId::to_string).collect();
        ids.sort_unstable();
        ids
    };
    assert_eq!(listed(&cora, "").await.1, 1);
    assert_eq!(listed(&cora, &format!("site={market}")).await, (sorted(&[first, other]), 0));
    assert_eq!(listed(&cora, &format!("site={library}")).await.0.len(), 2);
    // Whoever rings her is on both of her checks.
    assert_eq!(listed(&cora, "who=me").await, (sorted(&[first, again]), 0));
    assert_eq!(listed(&cora, &format!("who=me&site={library}")).await.0, sorted(&[again]));
    assert_eq!(listed(&dora, "who=me").await.0, sorted(&[other]));
    assert_eq!(listed(&dora, &format!("who=me&site={library}")).await.0.len(), 0);
    // What is not understood filters nothing.
    assert_eq!(listed(&cora, "site=nowhere&who=nobody").await.0.len(), 4);

    // The page keeps the one filter in the links and the form of the others, and forms lead back to the same list.
    let shown = page(&desk, &cora, &format!("/?who=me&site={market}")).await;
    for words in [
        format!("href=\"/?part=urgent&#38;site={market}&#38;who=me\""),
        "<input type=\"hidden\" name=\"who\" value=\"me\">".to_owned(),
        format!("<option value=\"{market}\" selected>Market &#60;b&#62;</option>"),
        ". Showing: All (1), Only what I am on, Market &#60;b&#62;</span>".to_owned(),
        "<details class=\"nhsuk-details app-fold\" id=\"filters\" data-listens-hidden open>".to_owned(),
    ] {
        assert!(shown.contains(&words), "{words}");
    }
    assert!(
        page(&desk, &cora, "/").await.contains("id=\"filters\" data-listens-hidden>"),
        "folded where nothing is filtered"
    );
    let called =
        [("act", "call"), ("outcome", "no_answer"), ("back", &format!("today?site={market}&who=me"))];
    let to = submit(&desk, &cora, first, &called).await;
    assert!(to.starts_with(&format!("/?site={market}&who=me&done={first}.calls.")), "{to}");
}

#[tokio::test]
async fn what_is_held_stands_on_today_until_somebody_has_looked_at_it() {
    let desk = Desk::new();
    let cora = desk.signed_in("cora", Role::Coordinator).await;
    let tablet = desk.site.tablet();
    for number in ["999 000 0019", "999 000 0027"] {
        tablet.push(&desk.site, &[tablet.begin(Kind::Person, json!({"nhs_number": {"value": number}})).1]);
    }
    desk.catch_up();
    assert_eq!(in_part(&desk, &cora, "held").await, 2);
    let list = get(&desk, &cora, "/api/v1/today?part=held").await;
    let hash = list["held"][0]["hash"].as_str().unwrap().to_owned();
    let seen = form(&[("seen", "true"), ("back", "today?part=held")]);
    let answer = desk.post(&format!("/quarantine/{hash}/seen"), &cora, &seen).await;
    assert_eq!(answer.header(header::LOCATION), format!("/?part=held&looked={hash}"));
    assert!(page(&desk, &cora, &format!("/?part=held&looked={hash}")).await.contains("Take back"));
    assert_eq!(in_part(&desk, &cora, "held").await, 1);
    let held = get(&desk, &cora, "/api/v1/quarantine").await;
    assert_eq!(held["changes"].as_array().unwrap().len(), 2, "it stays held");
    let taken_back =
        post(&desk, &cora, &format!("/api/v1/quarantine/{hash}/seen"), json!({"seen": false})).await;
    assert_eq!(taken_back.status, StatusCode::OK);
    assert_eq!(in_part(&desk, &cora, "held").await, 2);
    for hash in ["zz", &"0a".repeat(32)] {
        let answer =
            post(&desk, &cora, &format!("/api/v1/quarantine/{hash}/seen"), json!({"seen": true})).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND);
    }
}

#[tokio::test]
async fn the_list_has_pages_and_what_is_held_comes_last() {
    let desk = Desk::new();
    let cora = desk.signed_in("cora", Role::Coordinator).await;
    let tablet = desk.site.tablet();
    let begins: Vec<_> = (0..45)
        .map(|minute| {
            let at = format!("2026-11-17T13:{minute:02}:00Z");
            let fields = json!({"session": SESSION, "started_at": at,
                "bp": {"readings": [{"taken_at": at, "systolic": 190, "diastolic": 124}]}});
            tablet.begin(Kind::Contact, fields).1
        })
        .collect();
    tablet.push(&desk.site, &begins);
    tablet
        .push(&desk.site, &[tablet.begin(Kind::Person, json!({"nhs_number": {"value": "999 000 0019"}})).1]);
    desk.catch_up();
    let first = get(&desk, &cora, "/api/v1/today").await;
    assert_eq!((&first["total"], &first["pages"]), (&json!(46), &json!(2)));
    assert_eq!((first["things"].as_array().unwrap().len(), first["held"].as_array().unwrap().len()), (40, 0));
    assert_eq!(first["things"][0]["started_at"], "2026-11-17T13:00:00Z", "who has waited longest");
    let last = get(&desk, &cora, "/api/v1/today?page=9").await;
    assert_eq!((last["things"].as_array().unwrap().len(), last["held"].as_array().unwrap().len()), (5, 1));
    assert!(page(&desk, &cora, "/?page=2").await.contains("Page 2 of 2"));
}
