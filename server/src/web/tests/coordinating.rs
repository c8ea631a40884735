//! What coordinators do on their pages beside settling: follow up, merge, put right.

use axum::body::Body;
use axum::http::{StatusCode, header};
use serde_json::{Value, json};
use tokio::sync::oneshot;
use wayside_protocol::record::{Kind, RecordId};

use super::{Desk, ORIGIN, form, request};
use crate::accounts::Role;
use crate::testing::Tablet;
use crate::views::{Views, follow};

/// The day of the tests' clock, in London: Wednesday 18 November 2026.
const TODAY: &str = "2026-11-18";
pub const SESSION: &str = "01a20221-57e6-7f0f-b5c6-452956d7cfbb";

pub fn very_high(person: Option<RecordId>, more: &Value) -> Value {
    let mut check = json!({"session": SESSION, "started_at": "2026-11-17T13:05:00Z",
        "person": person.map(|id| id.to_string()),
        "bp": {"readings": {"aaaaaaaa": {"taken_at": "2026-11-17T13:06:00Z", "systolic": 190, "diastolic": 124}}}});
    check.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    check
}

pub fn push(desk: &Desk, tablet: &Tablet, kind: Kind, fields: Value) -> RecordId {
    let begin = tablet.begin(kind, fields).1;
    let verdict = tablet.push(&desk.site, std::slice::from_ref(&begin));
    assert!(format!("{verdict:?}").contains("Accepted"), "{verdict:?}");
    desk.catch_up();
    begin.0
}

pub async fn get(desk: &Desk, cookie: &str, path: &str) -> Value {
    let answer = desk.get(path, cookie).await;
    assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.body);
    answer.json()
}

pub async fn page(desk: &Desk, cookie: &str, path: &str) -> String {
    let answer = desk.get(path, cookie).await;
    assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.body);
    answer.body
}

/// How many things a part of Today has.
pub async fn in_part(desk: &Desk, cookie: &str, part: &str) -> u64 {
    let list = get(desk, cookie, "/api/v1/today").await;
    let counts = list["counts"].as_array().unwrap();
    counts.iter().find(|one| one[0] == part).unwrap()[1].as_u64().unwrap()
}

/// By the API.
pub async fn act(desk: &Desk, cookie: &str, id: RecordId, body: Value) -> super::Answer {
    let asked = request("POST", &format!("/api/v1/records/{id}/act"), cookie)
        .header(header::ORIGIN, ORIGIN)
        .header(header::CONTENT_TYPE, "application/json");
    let answer = desk.send(asked.body(Body::from(body.to_string())).unwrap()).await;
    desk.catch_up();
    answer
}

/// By a form of a page; the address to which it leads.
pub async fn submit(desk: &Desk, cookie: &str, id: RecordId, fields: &[(&str, &str)]) -> String {
    let answer = desk.post(&format!("/records/{id}/act"), cookie, &form(fields)).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{fields:?}: {}", answer.body);
    desk.catch_up();
    answer.header(header::LOCATION).to_owned()
}

#[tokio::test]
async fn follow_ups_are_listed_by_their_day_and_done_by_a_form() {
    let desk = Desk::new();
    let cora = desk.signed_in("cora", Role::Coordinator).await;
    let vic = desk.signed_in("vic", Role::Viewer).await;
    let tablet = desk.site.tablet();
    let person =
        push(&desk, &tablet, Kind::Person, json!({"name": {"given": "Amina"}, "phone": "07700 900 123"}));
    let due = |day: &str| json!([{"type": "call", "due_on": day, "for": "van team"}]);
    let follow_ups = json!({"follow_ups": {"bbbbbbbb": due("2026-11-16")[0], "cccccccc": due(TODAY)[0],
        "dddddddd": due("2026-12-01")[0]},
        "referrals": {"eeeeeeee": {"to": "gp", "urgency": "same_day", "made_at": "2026-11-17T13:10:00Z"}}});
    let check = push(&desk, &tablet, Kind::Contact, very_high(Some(person), &follow_ups));
    let list = get(&desk, &vic, "/api/v1/follow-ups").await;
    assert_eq!((&list["today"], &list["overdue"]), (&json!(TODAY), &json!(2)));
    assert_eq!((&list["due"], &list["coming"], &list["undated"]), (&json!(1), &json!(1), &json!(0)));
    let states: Vec<&str> = list["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["task"]["state"].as_str().unwrap())
        .collect();
    assert_eq!(states, ["overdue", "overdue", "due", "open"]);
    assert_eq!(list["items"][0]["phone"], "07700 900 123");
    let shown = page(&desk, &cora, "/follow-ups?show=overdue").await;
    assert!(shown.contains("07700 900 123") && shown.contains("Amina") && shown.contains("Overdue (2)"));
    assert!(shown.contains("Monday 16 November 2026") && !shown.contains("1 December"));
    // A viewer reads the same without forms.
    assert!(!page(&desk, &vic, "/follow-ups").await.contains("<form action=\"/records"));

    let event =
        |status: &'static str| [("act", "follow_up_event"), ("follow_up", "bbbbbbbb"), ("status", status)];
    let mut done = event("done").to_vec();
    done.extend([("reason_missed", ""), ("due_on", ""), ("back", "follow-ups")]);
    assert_eq!(submit(&desk, &cora, check, &done).await, "/follow-ups");
    let list = get(&desk, &cora, "/api/v1/follow-ups").await;
    assert_eq!((&list["overdue"], &list["due"]), (&json!(1), &json!(1)));

    // Rearranged: only with a day; then it stands there.
    let rearranged =
        [("act", "follow_up_event"), ("follow_up", "cccccccc"), ("status", "rearranged"), ("due_on", "")];
    let refused = desk.post(&format!("/records/{check}/act"), &cora, &form(&rearranged)).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(refused.body.contains("Enter the new date."));
    let rearranged = json!({"act": "follow_up_event", "follow_up": "cccccccc", "status": "rearranged", "due_on": "2026-11-25"});
    assert_eq!(act(&desk, &cora, check, rearranged).await.status, StatusCode::CREATED);
    let list = get(&desk, &cora, "/api/v1/follow-ups?show=coming").await;
    assert_eq!((&list["due"], &list["coming"]), (&json!(0), &json!(2)));
    assert_eq!(list["items"][0]["task"]["due_on"], "2026-11-25");
    let missed = json!({"act": "follow_up_event", "follow_up": "dddddddd", "status": "not_reached", "reason_missed": "at work"});
    assert_eq!(act(&desk, &cora, check, missed).await.status, StatusCode::CREATED);
    assert!(page(&desk, &cora, &format!("/checks/{check}")).await.contains("at work"));

    // Two coordinators who say the same: both stay told, and it is done.
    let other = desk.signed_in("other", Role::Coordinator).await;
    for cookie in [&cora, &other] {
        let said =
            json!({"act": "referral_event", "referral": "eeeeeeee", "status": "closed", "outcome": "seen"});
        assert_eq!(act(&desk, cookie, check, said).await.status, StatusCode::CREATED);
    }
    let shown = get(&desk, &cora, &format!("/api/v1/checks/{check}")).await;
    assert_eq!(shown["record"]["referral_events"].as_object().unwrap().len(), 2);
    assert_eq!(shown["record"]["conflicts"], json!([]));
    assert_eq!(get(&desk, &cora, "/api/v1/follow-ups").await["overdue"], 0);
}

#[tokio::test]
async fn the_page_after_a_form_shows_what_was_just_done() {
    let desk = Desk::new();
    let cora = desk.signed_in("cora", Role::Coordinator).await;
    let tablet = desk.site.tablet();
    let check = push(&desk, &tablet, Kind::Contact, very_high(None, &json!({})));
    // As `serve` does it: from here on nothing tells the views to catch up.
    let base = &desk.site.base;
    base.followed.begin();
    base.catch_up(&mut Views::open(base.data()).unwrap()).unwrap();
    let (stop, stopped) = oneshot::channel();
    let following = tokio::spawn(follow(desk.site.base.clone(), stopped));
    for day in 1..=20 {
        let due_on = format!("2026-12-{day:02}");
        let planned =
            form(&[("act", "follow_up"), ("type", "call"), ("due_on", &due_on), ("back", "follow-ups")]);
        let answer = desk.post(&format!("/records/{check}/act"), &cora, &planned).await;
        assert_eq!(answer.header(header::LOCATION), "/follow-ups", "{}", answer.body);
        let list = get(&desk, &cora, "/api/v1/follow-ups").await;
        assert_eq!(list["coming"], day, "the list lags behind the form");
    }
    stop.send(()).unwrap();
    following.await.unwrap();
}

#[tokio::test]
async fn what_is_in_hand_leaves_the_worklist_and_comes_back() {
    let desk = Desk::new();
    let cora = desk.signed_in("cora", Role::Coordinator).await;
    let tablet = desk.site.tablet();
    let check = push(&desk, &tablet, Kind::Contact, very_high(None, &json!({})));
    assert!(page(&desk, &cora, &format!("/checks/{check}")).await.contains("Nobody has phoned yet."));
    let call = |outcome: &'static str, who: &'static str| {
        [("act", "call"), ("outcome", outcome), ("spoke_to", who), ("about", "very high reading")]
    };
    submit(&desk, &cora, check, &call("no_answer", "")).await;
    assert!(page(&desk, &cora, &format!("/checks/{check}")).await.contains("Nobody has been reached yet."));
    assert!(page(&desk, &cora, "/").await.contains("190/124"));
    submit(&desk, &cora, check, &call("reached", "the practice nurse")).await;

    assert!(!page(&desk, &cora, "/").await.contains("190/124"));
    assert!(page(&desk, &cora, "/?part=in_hand").await.contains("190/124"));
    assert_eq!(in_part(&desk, &cora, "in_hand").await, 1);
    let shown = page(&desk, &cora, &format!("/checks/{check}")).await;
    assert!(shown.contains("In hand.") && shown.contains("spoke to the practice nurse"));
    let record = get(&desk, &cora, &format!("/api/v1/checks/{check}")).await;
    assert_eq!(record["attention"], "handled");
    let (call, _) = record["record"]["calls"]
        .as_object()
        .unwrap()
        .iter()
        .find(|(_, call)| call["outcome"] == "reached")
        .unwrap();
    // The form on the page takes it back.
    let (path, heads) = (format!("calls/{call}"), desk.heads(check).join(" "));
    let undo = [("act", "strike_out"), ("heads", &heads), ("path", &path), ("reason", "wrong practice")];
    submit(&desk, &cora, check, &undo).await;
    assert!(page(&desk, &cora, "/").await.contains("190/124"));
    assert_eq!(in_part(&desk, &cora, "in_hand").await, 0);
}

/// Two people who are one, each with a check.
fn twice(desk: &Desk, tablet: &Tablet) -> [(RecordId, RecordId); 2] {
    ["Khan", "Kahn"].map(|family| {
        let fields = json!({"name": {"given": "Amina", "family": family}, "date_of_birth": "1968-02-03",
            "phone": "07700 900123", "sex": "female"});
        let person = push(desk, tablet, Kind::Person, fields);
        (person, push(desk, tablet, Kind::Contact, very_high(Some(person), &json!({}))))
    })
}

#[tokio::test]
async fn a_merge_puts_all_checks_under_one_person_and_can_be_taken_back() {
    let desk = Desk::new();
    let cora = desk.signed_in("cora", Role::Coordinator).await;
    let vic = desk.signed_in("vic", Role::Viewer).await;
    let tablet = desk.site.tablet();
    let [(one, first), (two, second)] = twice(&desk, &tablet);
    let (low, high) = (one.min(two), one.max(two));
    let pairs = get(&desk, &vic, "/api/v1/duplicates").await;
    assert_eq!((&pairs["likely"], pairs["pairs"].as_array().unwrap().len()), (&json!(1), 1));
    assert!(pairs["pairs"][0]["one"]["reasons"].as_array().unwrap().contains(&json!("Same date of birth")));
    let shown = page(&desk, &cora, &format!("/people/{one}")).await;
    assert!(
        shown.contains("May be recorded twice") && shown.contains(&format!("/people/{one}/beside/{two}"))
    );
    let side = page(&desk, &cora, &format!("/people/{one}/beside/{two}")).await;
    assert!(side.contains("Differs") && side.contains("One person: merge"));
    assert!(!page(&desk, &vic, &format!("/people/{one}/beside/{two}")).await.contains("One person: merge"));

    // From either side, and by two at once, it comes to the same.
    let body = |with: RecordId| json!({"act": "merge", "with": with.to_string()});
    let (left, right) = tokio::join!(act(&desk, &cora, one, body(two)), act(&desk, &cora, two, body(one)));
    assert_eq!((left.status, right.status), (StatusCode::CREATED, StatusCode::CREATED));
    for id in [one, two] {
        let person = get(&desk, &vic, &format!("/api/v1/people/{id}")).await;
        assert_eq!(person["record"]["id"], low.to_string());
        assert_eq!(person["checks"].as_array().unwrap().len(), 2);
        assert_eq!(person["merged"][0]["merged_into"], low.to_string());
        assert_eq!(person["duplicates"], json!([]));
        assert!(person["timeline"].as_array().unwrap().len() > 4);
    }
    assert_eq!(get(&desk, &vic, "/api/v1/duplicates").await["likely"], 0);
    let list = get(&desk, &vic, "/api/v1/today").await;
    assert_eq!(list["things"].as_array().unwrap().len(), 2);
    assert!(list["things"].as_array().unwrap().iter().all(|item| item["person"]["id"] == low.to_string()));

    // Side by side each still says what it said, and the merge can be taken back there.
    let side = page(&desk, &cora, &format!("/people/{low}/beside/{high}")).await;
    assert!(side.contains("Khan") && side.contains("Kahn") && side.contains("Differs"));
    assert!(
        side.contains("Take the merge back") && side.contains(&format!("action=\"/records/{high}/act\""))
    );
    assert!(
        !page(&desk, &vic, &format!("/people/{low}/beside/{high}")).await.contains("Take the merge back")
    );
    // A tablet that has not heard of it uploads another check of the record that was merged.
    let late = push(&desk, &tablet, Kind::Contact, very_high(Some(high), &json!({})));
    let person = get(&desk, &vic, &format!("/api/v1/people/{low}")).await;
    assert_eq!(person["checks"].as_array().unwrap().len(), 3);
    assert!(page(&desk, &vic, &format!("/checks/{late}")).await.contains(&format!("href=\"/people/{low}\"")));

    let from = low.to_string();
    let shown = page(&desk, &cora, &format!("/people/{low}")).await;
    assert!(shown.contains("Take the merge back"));
    // Of the other record only what it says otherwise.
    let merged = &shown[shown.find("id=\"merged\"").unwrap()..shown.find("app-story").unwrap()];
    assert!(merged.contains("Family name") && !merged.contains("Date of birth"), "{merged}");
    submit(&desk, &cora, high, &[("act", "unmerge"), ("from", &from)]).await;
    for (id, count) in [(low, 1), (high, 2)] {
        let person = get(&desk, &vic, &format!("/api/v1/people/{id}")).await;
        assert_eq!(
            (person["record"]["id"].clone(), person["checks"].as_array().unwrap().len()),
            (json!(id.to_string()), count)
        );
    }
    let again = act(&desk, &cora, high, json!({"act": "unmerge", "from": from})).await;
    assert_eq!((again.status, again.code().as_str()), (StatusCode::CONFLICT, "changed_meanwhile"));
    assert_ne!(first, second);
}

/// What a keyboard and a screen reader need: each field has a label of its own, each form a button.
#[tokio::test]
async fn every_form_can_be_filled_in_without_a_mouse() {
    let desk = Desk::new();
    let cora = desk.signed_in("cora", Role::Coordinator).await;
    let tablet = desk.site.tablet();
    let [(one, check), (two, _)] = twice(&desk, &tablet);
    let more = json!({"follow_ups": [{"type": "call", "due_on": TODAY}], "referrals": [{"to": "gp"}], "notes": ["x"]});
    let busy = push(&desk, &tablet, Kind::Contact, very_high(Some(one), &more));
    for path in [
        "/follow-ups".to_owned(),
        format!("/checks/{check}"),
        format!("/checks/{busy}"),
        format!("/people/{one}"),
        format!("/people/{one}/beside/{two}"),
    ] {
        let page = page(&desk, &cora, &path).await;
        let values = |name: &str| -> Vec<String> {
            let opens = format!(" {name}=\"");
            let parts = page.split(opens.as_str()).skip(1);
            parts.map(|part| part.split('"').next().unwrap().to_owned()).collect()
        };
        let ids = values("id");
        let mut once = ids.clone();
        once.sort();
        once.dedup();
        assert_eq!(once.len(), ids.len(), "{path}: an id is there twice");
        let labels = values("for");
        assert!(labels.iter().all(|label| ids.contains(label)), "{path}");
        let fields = page.split("<input").skip(1).map(|rest| rest.split('>').next().unwrap());
        for field in fields.filter(|field| !field.contains("type=\"hidden\"")) {
            let id = field.split(" id=\"").nth(1).and_then(|rest| rest.split('"').next());
            assert!(id.is_some_and(|id| labels.iter().any(|label| label == id)), "{path}: {field}");
        }
        for form in page.split("<form").skip(1) {
            assert!(form.split("</form>").next().unwrap().contains("<button"), "{path}");
        }
    }
}

#[tokio::test]
async fn two_people_stay_two_once_somebody_said_so() {
    let desk = Desk::new();
    let cora = desk.signed_in("cora", Role::Coordinator).await;
    let tablet = desk.site.tablet();
    let [(one, _), (two, _)] = twice(&desk, &tablet);
    let other = two.to_string();
    let to =
        submit(&desk, &cora, one, &[("act", "not_same"), ("other", &other), ("back", "duplicates")]).await;
    assert_eq!(to, "/duplicates");
    assert_eq!(get(&desk, &cora, "/api/v1/duplicates").await["pairs"], json!([]));
    assert!(page(&desk, &cora, "/duplicates").await.contains("Nobody seems to be recorded twice."));
    // Also when one of them changes.
    let shown = get(&desk, &cora, &format!("/api/v1/people/{one}")).await;
    assert_eq!(shown["duplicates"], json!([]));
    let entries = shown["record"]["not_same_as"].as_object().unwrap();
    let (entry, said) = entries.iter().next().unwrap();
    assert_eq!((&said["person"], &said["by"]), (&json!(other), &json!("cora")));
    let (path, heads) = (format!("not_same_as/{entry}"), desk.heads(one).join(" "));
    let undo =
        [("act", "strike_out"), ("heads", &heads), ("path", &path), ("reason", "they are sisters? no")];
    submit(&desk, &cora, one, &undo).await;
    assert_eq!(get(&desk, &cora, "/api/v1/duplicates").await["likely"], 1);
}

#[tokio::test]
async fn people_of_two_teams_are_linked_and_never_merged() {
    let desk = Desk::new();
    let cora = desk.signed_in("cora", Role::Coordinator).await;
    let tablet = desk.site.tablet();
    let [(one, _), _] = twice(&desk, &tablet);
    let south = desk.site.base.team_add("South").unwrap();
    let mut there = Tablet::new();
    there.join(&desk.site.base, "South").unwrap();
    let fields = json!({"name": {"given": "Amina", "family": "Khan"}, "date_of_birth": "1968-02-03",
        "phone": "07700 900123", "sex": "female"});
    let begin = there.begin(Kind::Person, fields).1;
    there.exchange(&desk.site.base, vec![], vec![there.frame(south, std::slice::from_ref(&begin))]).unwrap();
    desk.catch_up();
    let far = begin.0;
    assert!(page(&desk, &cora, &format!("/people/{one}")).await.contains("May also be known to team South"));
    let side = page(&desk, &cora, &format!("/people/{one}/beside/{far}")).await;
    assert!(!side.contains("One person: merge") && side.contains("They belong to different teams"));
    let refused = act(&desk, &cora, one, json!({"act": "merge", "with": far.to_string()})).await;
    assert_eq!(
        (refused.status, refused.code().as_str()),
        (StatusCode::UNPROCESSABLE_ENTITY, "record_elsewhere")
    );
}

#[tokio::test]
async fn a_reading_is_corrected_and_struck_out_on_what_the_page_showed() {
    let desk = Desk::new();
    let cora = desk.signed_in("cora", Role::Coordinator).await;
    let tablet = desk.site.tablet();
    let check = push(&desk, &tablet, Kind::Contact, very_high(None, &json!({})));
    let heads = desk.heads(check);
    let correct = |systolic: Value| {
        json!({"act": "correct", "reading": "aaaaaaaa", "systolic": systolic, "diastolic": 84, "reason": "slip",
            "heads": heads})
    };
    for (body, code) in [
        (correct(json!("x")), "wrong_type"),
        (correct(json!("")), "missing_field"),
        (correct(json!(400)), "out_of_range"),
        (
            json!({"act": "correct", "reading": "aaaaaaaa", "systolic": 1, "diastolic": 1, "reason": "x"}),
            "heads_unknown",
        ),
        (
            json!({"act": "strike_out", "path": "bp/readings/zzzzzzzz", "reason": "x", "heads": heads}),
            "entry_not_found",
        ),
        (
            json!({"act": "strike_out", "path": "on_treatment", "reason": "x", "heads": heads}),
            "entry_not_found",
        ),
        (
            json!({"act": "strike_out", "path": "bp/readings/aaaaaaaa", "reason": " ", "heads": heads}),
            "missing_field",
        ),
        (json!({"act": "follow_up_event", "follow_up": "aaaaaaaa", "status": "done"}), "entry_not_found"),
        (json!({"act": "call", "outcome": "shouted"}), "unknown_value"),
        (json!({"act": "call", "outcome": "reached"}), "missing_field"),
        (json!({"act": "merge", "with": check.to_string()}), "wrong_kind"),
        (json!({"act": "dance"}), "bad_json"),
    ] {
        let answer = act(&desk, &cora, check, body.clone()).await;
        assert!(answer.status.is_client_error(), "{body}: {}", answer.body);
        assert_eq!(answer.code(), code, "{body}");
    }
    assert_eq!(desk.site.count("quarantine"), 0);
    assert_eq!(act(&desk, &cora, check, correct(json!("150"))).await.status, StatusCode::CREATED);
    let shown = get(&desk, &cora, &format!("/api/v1/checks/{check}")).await;
    assert_eq!(shown["record"]["derived"]["systolic"], 150);
    assert_eq!(shown["record"]["bp"]["readings"].as_object().unwrap().len(), 2);
    // Somebody who still sees the first page corrects it, too: both stand, and the more urgent counts.
    assert_eq!(act(&desk, &cora, check, correct(json!("170"))).await.status, StatusCode::CREATED);
    let shown = get(&desk, &cora, &format!("/api/v1/checks/{check}")).await;
    assert_eq!(shown["record"]["conflicts"][0]["path"], "bp/readings/aaaaaaaa");
    let refused = json!({"act": "correct", "reading": "aaaaaaaa", "systolic": 140, "diastolic": 84, "reason": "x",
        "heads": desk.heads(check)});
    assert_eq!(act(&desk, &cora, check, refused).await.code(), "changed_meanwhile");

    let error = json!({"act": "entered_in_error", "reason": "a training entry", "heads": desk.heads(check)});
    assert_eq!(act(&desk, &cora, check, error).await.status, StatusCode::CREATED);
    assert!(page(&desk, &cora, &format!("/checks/{check}")).await.contains("a training entry"));
    assert!(!page(&desk, &cora, "/").await.contains("/124"));
    let back = json!({"act": "not_in_error", "heads": desk.heads(check)});
    assert_eq!(act(&desk, &cora, check, back).await.status, StatusCode::CREATED);
}

#[tokio::test]
async fn two_tablets_correct_one_reading_and_the_more_urgent_leads_until_it_is_settled() {
    let desk = Desk::new();
    let cora = desk.signed_in("cora", Role::Coordinator).await;
    let (left, right) = (desk.site.tablet(), desk.site.tablet());
    let (mut check, begin) = left.begin(Kind::Contact, very_high(None, &json!({})));
    let id = begin.0;
    left.push(&desk.site, std::slice::from_ref(&begin));
    let base = check.heads();
    for (tablet, entry, systolic, diastolic) in [(&left, "bbbbbbbb", 130, 82), (&right, "cccccccc", 186, 118)]
    {
        let reading = json!({"taken_at": "2026-11-17T13:06:00Z", "systolic": systolic, "diastolic": diastolic,
            "corrects": "aaaaaaaa", "reason": "typed wrongly"});
        let edit = tablet.edit(&mut check, Some(&base), json!({"bp": {"readings": {entry: reading}}}));
        tablet.push(&desk.site, &[edit]);
    }
    desk.catch_up();
    let list = get(&desk, &cora, "/api/v1/today").await;
    assert_eq!((&list["things"][0]["systolic"], &list["things"][0]["disputed"]), (&json!(186), &json!(true)));
    assert_eq!(list["things"][0]["urgency"], "same_day");
    let today = page(&desk, &cora, "/").await;
    assert_eq!(today.matches("until somebody settles it").count(), 1, "why says it, and says it once");
    assert!(page(&desk, &cora, &format!("/checks/{id}")).await.contains("Otherwise it would be: 130/82"));
    let shown = get(&desk, &cora, &format!("/api/v1/checks/{id}")).await;
    let values = shown["record"]["conflicts"][0]["values"].as_array().unwrap();
    let chosen = values.iter().find(|one| one["value"]["systolic"] == 130).unwrap()["value"].to_string();
    let heads = desk.heads(id).join(" ");
    let fields = [("path", "bp/readings/aaaaaaaa"), ("heads", &heads), ("choice", &chosen)];
    let answer = desk.post(&format!("/records/{id}/settle"), &cora, &form(&fields)).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
    desk.catch_up();
    assert_eq!(get(&desk, &cora, "/api/v1/today").await["total"], 0);
    let page = page(&desk, &cora, &format!("/checks/{id}")).await;
    assert!(page.contains("130/82") && page.contains("186/118"), "both stay in the history");
}

#[tokio::test]
async fn two_who_strike_out_one_entry_can_be_settled() {
    let desk = Desk::new();
    let cora = desk.signed_in("cora", Role::Coordinator).await;
    let tablet = desk.site.tablet();
    let id = push(&desk, &tablet, Kind::Contact, very_high(None, &json!({})));
    let heads = desk.heads(id);
    for reason in ["wrong cuff", "wrong person"] {
        let strike =
            json!({"act": "strike_out", "path": "bp/readings/aaaaaaaa", "reason": reason, "heads": heads});
        assert_eq!(act(&desk, &cora, id, strike).await.status, StatusCode::CREATED);
    }
    let shown = get(&desk, &cora, &format!("/api/v1/checks/{id}")).await;
    let conflict = &shown["record"]["conflicts"][0];
    assert_eq!(conflict["path"], "bp/readings/aaaaaaaa/struck_out");
    let heads = desk.heads(id).join(" ");
    let choice = conflict["values"][0]["value"].to_string();
    assert!(page(&desk, &cora, &format!("/checks/{id}")).await.contains("Which value counts?"));
    let fields = [("path", "bp/readings/aaaaaaaa/struck_out"), ("heads", &heads), ("choice", &choice)];
    let answer = desk.post(&format!("/records/{id}/settle"), &cora, &form(&fields)).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
    let shown = get(&desk, &cora, &format!("/api/v1/checks/{id}")).await;
    assert_eq!(shown["record"]["conflicts"], json!([]));
    assert_eq!(shown["record"]["bp"]["readings"]["aaaaaaaa"]["struck_out"], conflict["values"][0]["value"]);
}

#[tokio::test]
async fn an_address_that_is_none_gives_a_page_to_people_and_a_code_to_programs() {
    let desk = Desk::new();
    let vic = desk.signed_in("vic", Role::Viewer).await;
    let ask = async |path: &str, cookie: &str| {
        let asked = request("GET", path, cookie).header(header::ACCEPT, "text/html,*/*");
        desk.send(asked.body(Body::empty()).unwrap()).await
    };
    let answer = ask("/people", &vic).await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    assert!(answer.body.contains("Not found") && answer.body.contains("href=\"/follow-ups\""));
    assert!(answer.header(header::CONTENT_SECURITY_POLICY).starts_with("default-src 'none'"));
    assert_eq!(ask("/people", "").await.header(header::LOCATION), "/sign-in");
    for path in ["/api/v1/nothing", "/api/nothing"] {
        let answer = desk.get(path, &vic).await;
        assert_eq!((answer.status, answer.code().as_str()), (StatusCode::NOT_FOUND, "not_found"), "{path}");
    }
}
