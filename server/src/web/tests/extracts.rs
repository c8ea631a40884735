//! CSV extracts, through the doors.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::http::StatusCode;
use serde_json::{Value, json};
use wayside_protocol::record::{Kind, RecordId};
use wayside_protocol::sync::frame::What;

use super::coordinating::{push, very_high};
use super::happenings::Happenings;
use super::{Answer, Desk, form, request};
use crate::accounts::{self, Role, Scope};
use crate::api::extracts::{add_recipient, end_recipient};
use crate::extract::File;
use crate::log::{self, Made};
use crate::testing::Tablet;

/// What must not leave with a pseudonymised file, each in as many places as somebody could write it.
const PLANTED: [&str; 12] = [
    "Plantagenet",
    "Zebedee",
    "9990000018",
    "999 000 0018",
    "1968-02-03",
    "ZZ99 3VZ",
    "07700900123",
    "planted@example.org",
    "plant street",
    "nurse-01",
    "Example Surgery",
    "Y99999",
];

fn planted_person() -> Value {
    json!({"name": {"given": "Zebedee", "family": "Plantagenet"}, "date_of_birth": "1968-02-03", "nhs_number": {"value": "9990000018", "status": "02"},
        "sex": "Plantagenet", "gender": "Zebedee 1968-02-03", "address": {"lines": ["1 plant street"], "postcode": "ZZ99 3VZ"},
        "phone": "07700900123", "email": "planted@example.org", "language": "Zebedee", "communication_needs": ["Plantagenet"],
        "ethnic_category": "J", "plus_groups": ["Zebedee"], "gp": {"registered": "yes", "ods_code": "Y99999", "practice_name": "Example Surgery"},
        "consents": {"aaaaaaaa": {"purpose": "share_with_gp Zebedee", "given": true, "by": "nurse-01"}},
        "religion": "Plantagenet", "declined": ["Zebedee"], "ext": {"old_id": "9990000018"}})
}

fn planted_check(person: RecordId) -> Value {
    let more = json!({"prior_diagnosis": ["af", "Plantagenet"], "on_treatment": "Zebedee 999 000 0018",
        "bp": {"readings": {"aaaaaaaa": {"taken_at": "2026-11-17T13:06:00Z", "systolic": 190, "diastolic": 124, "arm": "Plantagenet",
            "device": "Zebedee's", "cuff": "Plantagenet", "method": "9990000018", "by": "nurse-01", "reason": "Zebedee"}},
            "symptoms": ["Zebedee"], "red_flags": {"cccccccc": {"flag": "Plantagenet", "present": true}}},
        "measurements": {"bbbbbbbb": {"what": "Plantagenet", "value": 9_990_000_018_i64, "unit": "Zebedee"}},
        "lifestyle": {"smoking": "Plantagenet", "risk_score": {"name": "Zebedee", "value": 9_990_000_018_i64, "source": "Plantagenet"}},
        "advice": {"dddddddd": {"code": "Zebedee", "by": "nurse-01"}}, "notes": {"eeeeeeee": {"text": "Plantagenet, born 1968-02-03", "by": "nurse-01"}},
        "referrals": {"ffffffff": {"to": {"name": "Example Surgery"}, "reason": "Zebedee", "how": "Plantagenet", "by": "nurse-01", "urgency": "same_day"}},
        "referral_events": {"gggggggg": {"referral": "ffffffff", "status": "sent", "outcome": "Zebedee", "by": "nurse-01"}},
        "follow_ups": {"hhhhhhhh": {"type": "Plantagenet", "for": "nurse-01", "due_on": "2026-12-01"}},
        "follow_up_events": {"jjjjjjjj": {"follow_up": "hhhhhhhh", "status": "not_reached", "reason_missed": "Zebedee out"}},
        "calls": {"kkkkkkkk": {"outcome": "reached", "spoke_to": "Zebedee"}}, "ext": {"note": "Plantagenet"}});
    very_high(Some(person), &more)
}

/// One file of an answer as somebody holds it: rows by their cells, and the place from which to go on.
struct Read {
    rows: Vec<BTreeMap<String, String>>,
    next: String,
}

fn read(answer: &Answer) -> Read {
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    let mut reader = csv::Reader::from_reader(answer.body.as_bytes());
    let names: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
    let undo = |cell: &str| cell.strip_prefix('\'').unwrap_or(cell).to_owned();
    let mut rows: Vec<Vec<String>> =
        reader.records().map(|row| row.unwrap().iter().map(undo).collect()).collect();
    let end = rows.pop().unwrap();
    assert_eq!(
        (end[0].as_str(), &end[1]),
        ("end", &answer.headers["wayside-next"].to_str().unwrap().to_owned())
    );
    let rows = rows.into_iter().map(|row| names.iter().cloned().zip(row).collect());
    Read { rows: rows.collect(), next: end[1].clone() }
}

async fn named(desk: &Desk, cookie: &str, path: &str, reason: &str) -> Answer {
    let asked = request("GET", path, cookie).header("wayside-reason", reason);
    desk.send(asked.body(Body::empty()).unwrap()).await
}

async fn take(desk: &Desk, cookie: &str, file: File, after: &str) -> Read {
    let path = format!("/api/v1/extracts/{}.csv?after={after}", file.as_str());
    read(&named(desk, cookie, &path, "a test").await)
}

#[tokio::test]
async fn what_names_people_wants_a_reason_and_stands_in_the_trail() {
    let desk = Desk::new();
    let cora = desk.signed_in("cora", Role::Coordinator).await;
    let tablet = desk.site.tablet();
    let person = push(&desk, &tablet, Kind::Person, planted_person());
    push(&desk, &tablet, Kind::Contact, planted_check(person));
    let extracts = |desk: &Desk| {
        let trail = desk.site.base.log.read(log::audited).unwrap();
        trail.into_iter().filter(|act| act.act == "extract").map(|act| act.reason).collect::<Vec<_>>()
    };
    let long = "x".repeat(2000);
    for (reason, code) in [("", "missing_field"), ("  ", "missing_field"), (long.as_str(), "out_of_range")] {
        let answer = named(&desk, &cora, "/api/v1/extracts/people.csv", reason).await;
        assert_eq!((answer.status, answer.code().as_str()), (StatusCode::UNPROCESSABLE_ENTITY, code));
        let answer = desk.post("/extracts", &cora, &form(&[("file", "people"), ("reason", reason)])).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(!answer.body.contains("Plantagenet"));
    }
    assert!(extracts(&desk).iter().all(|told| !told.contains("people.csv: ")), "{:?}", extracts(&desk));
    let by_page =
        desk.post("/extracts", &cora, &form(&[("file", "people"), ("reason", " audit\n of  uptake ")])).await;
    let by_program = named(&desk, &cora, "/api/v1/extracts/people.csv", "audit of uptake").await;
    assert_eq!(by_page.body, by_program.body);
    for answer in [&by_page, &by_program] {
        assert_eq!(answer.headers["content-type"], "text/csv; charset=utf-8");
        assert_eq!(answer.headers["content-disposition"], "attachment; filename=\"wayside-people.csv\"");
        let row = &read(answer).rows[0];
        assert_eq!(
            (row["name_family"].as_str(), row["nhs_number_value"].as_str(), row["status"].as_str()),
            ("Plantagenet", "9990000018", "current")
        );
    }
    assert_eq!(extracts(&desk).iter().filter(|told| *told == "people.csv: audit of uptake").count(), 2);
}

#[tokio::test]
async fn a_token_takes_what_it_was_made_for() {
    let desk = Desk::new();
    let n = add_recipient(&desk.site.base, "test", "Public health").unwrap();
    let whole = desk.token("whole", Role::Coordinator, &[Scope::Extract]);
    let without = desk.token("without", Role::Coordinator, &[Scope::ExtractPseudonymous]);
    let viewer = desk.token("viewer", Role::Viewer, &[Scope::Extract, Scope::ExtractPseudonymous]);
    let ask = async |path: &str, token: &str| {
        let asked = request("GET", path, "")
            .header("authorization", format!("Bearer {token}"))
            .header("wayside-reason", "a test");
        desk.send(asked.body(Body::empty()).unwrap()).await
    };
    let (named, shared) = ("/api/v1/extracts/people.csv", format!("/api/v1/pseudonymous/{n}/people.csv"));
    assert_eq!(
        (ask(named, &whole).await.status, ask(&shared, &without).await.status),
        (StatusCode::OK, StatusCode::OK)
    );
    assert_eq!(
        (ask(named, &without).await.code(), ask(&shared, &whole).await.code()),
        ("scope_missing".into(), "scope_missing".into())
    );
    assert_eq!(
        (ask(named, &viewer).await.code(), ask(&shared, &viewer).await.code()),
        ("role_not_allowed".into(), "role_not_allowed".into())
    );
}

#[tokio::test]
async fn nothing_that_names_somebody_leaves_in_a_pseudonymised_file() {
    let desk = Desk::new();
    let cora = desk.signed_in("cora", Role::Coordinator).await;
    let tablet = desk.site.tablet();
    let person = push(&desk, &tablet, Kind::Person, planted_person());
    let check = push(&desk, &tablet, Kind::Contact, planted_check(person));
    let site = push(
        &desk,
        &tablet,
        Kind::Site,
        json!({"name": "Plantagenet House", "type": "mosque", "address": {"lines": ["1 plant street"], "postcode": "ZZ99 3VZ"}}),
    );
    let session = push(
        &desk,
        &tablet,
        Kind::Session,
        json!({"site": site.to_string(), "date": "2026-11-17", "vehicle": "Zebedee",
        "staff": ["nurse-01"], "audience": ["Plantagenet"], "languages": ["Zebedee"], "tallies": {"approached": 5},
        "notes": {"bbbbbbbb": {"text": "Zebedee came"}}}),
    );
    let one = add_recipient(&desk.site.base, "test", "Public health").unwrap();
    let other = add_recipient(&desk.site.base, "test", "A university").unwrap();
    let ask = async |n: i64, file: File| {
        desk.get(&format!("/api/v1/pseudonymous/{n}/{}.csv", file.as_str()), &cora).await
    };
    let mut whole = String::new();
    for file in File::ALL.into_iter().filter(|file| file.is_shared()) {
        let answer = ask(one, file).await;
        let rows = read(&answer).rows;
        assert_eq!(rows.len(), 1, "{file:?}");
        let lower = answer.body.to_lowercase();
        let secret = PLANTED.iter().map(|planted| (*planted).to_owned());
        let ids = [person, check, site, session].map(|id| id.to_string());
        for secret in secret.chain(ids).chain(["2026-11-17".to_owned(), "13:0".to_owned()]) {
            assert!(!lower.contains(&secret.to_lowercase()), "{file:?} tells {secret}: {}", answer.body);
        }
        // The same for one recipient, another for another.
        assert_eq!(read(&ask(one, file).await).rows, rows);
        let others = read(&ask(other, file).await).rows;
        for (column, cell) in &rows[0] {
            let hashed = cell.len() == 32 && cell.bytes().all(|digit| digit.is_ascii_hexdigit());
            assert_eq!(hashed, others[0][column] != *cell, "{column}");
        }
        whole.push_str(&answer.body);
    }
    // What is of use does leave, and fits together.
    let (people, contacts) =
        (read(&ask(one, File::People).await).rows, read(&ask(one, File::Contacts).await).rows);
    let readings = read(&ask(one, File::Readings).await).rows;
    assert_eq!(people[0]["ethnic_category"], "J");
    assert_eq!((&contacts[0]["person"], &readings[0]["contact"]), (&people[0]["id"], &contacts[0]["id"]));
    assert_eq!(
        (contacts[0]["age"].as_str(), contacts[0]["category"].as_str(), contacts[0]["started_at"].as_str()),
        ("50-59", "VERY_HIGH", "2026-11")
    );
    assert_eq!((readings[0]["systolic"].as_str(), readings[0]["arm"].as_str()), ("190", "other"));
    // Sites are places, which may tell a religion.
    assert_eq!(ask(one, File::Sites).await.code(), "not_found");
    end_recipient(&desk.site.base, "test", one).unwrap();
    assert_eq!(ask(one, File::People).await.code(), "recipient_unknown");
    assert_eq!(
        add_recipient(&desk.site.base, "test", "Public health").unwrap_err().code().as_str(),
        "recipient_exists"
    );
}

#[tokio::test]
async fn an_address_names_one_of_our_files_or_nothing() {
    let desk = Desk::new();
    let cora = desk.signed_in("cora", Role::Coordinator).await;
    let n = add_recipient(&desk.site.base, "test", "../../etc/passwd").unwrap();
    for name in [
        "people",
        "People.csv",
        "people.csv.csv",
        "..%2Fpeople.csv",
        "..%2F..%2Fkeys%2Fidentity.key",
        "people.csv%00",
        "%2e%2e",
        "teams.csv",
        ".csv",
        "views.db",
    ] {
        for path in [format!("/api/v1/extracts/{name}"), format!("/api/v1/pseudonymous/{n}/{name}")] {
            let answer = named(&desk, &cora, &path, "a test").await;
            assert_eq!(
                (answer.status, answer.code().as_str()),
                (StatusCode::NOT_FOUND, "not_found"),
                "{path}"
            );
        }
        let sent = form(&[("file", name), ("reason", "a test")]);
        if name != "people" {
            assert_eq!(desk.post("/extracts", &cora, &sent).await.status, StatusCode::NOT_FOUND, "{name}");
        }
    }
    for recipient in ["0", "-1", "99", "x", "1%2F..", "9999999999999999999999"] {
        let answer = desk.get(&format!("/api/v1/pseudonymous/{recipient}/people.csv"), &cora).await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (StatusCode::NOT_FOUND, "recipient_unknown"),
            "{recipient}"
        );
    }
    // A recipient's name stands in no file's name.
    let answer = desk.get(&format!("/api/v1/pseudonymous/{n}/people.csv"), &cora).await;
    assert_eq!(
        answer.headers["content-disposition"],
        "attachment; filename=\"wayside-people-pseudonymised.csv\""
    );
    for after in ["x", "AQE", "%FF"] {
        assert_eq!(
            named(&desk, &cora, &format!("/api/v1/extracts/people.csv?after={after}"), "a test").await.status,
            StatusCode::BAD_REQUEST
        );
    }
    for limit in ["many", "-1"] {
        assert_eq!(
            named(&desk, &cora, &format!("/api/v1/extracts/people.csv?limit={limit}"), "a test").await.code(),
            "bad_arguments"
        );
    }
}

#[tokio::test]
async fn recipients_are_added_and_ended_by_administrators_on_the_page() {
    let desk = Desk::new();
    let cora = desk.signed_in("cora", Role::Coordinator).await;
    let ada = desk.signed_in("ada", Role::Administrator).await;
    let add = form(&[("act", "add"), ("name", "Public <health>")]);
    assert_eq!(desk.post("/extracts/recipients", &cora, &add).await.status, StatusCode::FORBIDDEN);
    assert_eq!(desk.post("/extracts/recipients", &ada, &add).await.status, StatusCode::SEE_OTHER);
    let page = desk.get("/extracts", &cora).await.body;
    assert!(page.contains("Public &#60;health&#62;") && !page.contains("Add a recipient"), "{page}");
    let n = desk.site.base.log.read(log::recipients).unwrap()[0].n.to_string();
    let sent = form(&[("file", "contacts"), ("recipient", &n)]);
    assert_eq!(desk.post("/extracts", &cora, &sent).await.status, StatusCode::OK);
    let end = form(&[("act", "end"), ("n", &n)]);
    assert_eq!(desk.post("/extracts/recipients", &ada, &end).await.status, StatusCode::SEE_OTHER);
    assert_eq!(desk.post("/extracts", &cora, &sent).await.status, StatusCode::NOT_FOUND);
    assert!(!desk.get("/extracts", &ada).await.body.contains("Public"));
    for bad in [
        form(&[("act", "add"), ("name", " ")]),
        form(&[("act", "add"), ("name", "a\nb")]),
        form(&[("act", "end"), ("n", "77")]),
        form(&[("act", "x")]),
    ] {
        assert!(desk.post("/extracts/recipients", &ada, &bad).await.status.is_client_error());
    }
}

#[tokio::test]
async fn the_dictionary_is_a_page_a_table_and_json() {
    let desk = Desk::new();
    let vic = desk.signed_in("vic", Role::Viewer).await;
    let page = desk.get("/extracts/dictionary", &vic).await.body;
    let table = desk.get("/api/v1/extracts/dictionary.csv", &vic).await;
    let told = desk.get("/api/v1/extracts/dictionary.json", &vic).await.json();
    let columns =
        told["files"].as_array().unwrap().iter().flat_map(|file| file["columns"].as_array().unwrap());
    let columns: Vec<&str> = columns.map(|column| column["column"].as_str().unwrap()).collect();
    assert_eq!(csv::Reader::from_reader(table.body.as_bytes()).records().count(), columns.len());
    for column in columns {
        assert!(page.contains(column), "{column}");
    }
}

/// Somebody's copy of one file, kept up to date by extracts.
#[derive(Default)]
struct Copy {
    next: String,
    /// By record, and by entry within it.
    held: BTreeMap<(String, String), BTreeMap<String, String>>,
}

impl Copy {
    /// How many rows came.
    async fn follow(&mut self, desk: &Desk, cookie: &str, file: File, limit: &str) -> usize {
        let mut count = 0;
        loop {
            let path = format!("/api/v1/extracts/{}.csv?after={}{limit}", file.as_str(), self.next);
            let answer = named(desk, cookie, &path, "a test").await;
            let Read { rows, next } = read(&answer);
            count += rows.len();
            for row in rows {
                let record = row.get("contact").unwrap_or(&row["id"]).clone();
                let entry = if row.contains_key("contact") { row["id"].clone() } else { String::new() };
                if row["status"] == "erased" {
                    self.held.retain(|(of, _), _| *of != record);
                } else {
                    self.held.insert((record, entry), row);
                }
            }
            self.next = next;
            if answer.headers["wayside-more"] == "false" {
                return count;
            }
        }
    }
}

/// Whatever happens in whatever order, a copy that follows in small steps is the copy of somebody who takes everything at
/// once; and who asks again is sent nothing.
#[tokio::test]
async fn a_copy_that_follows_is_a_copy_of_everything() {
    for seed in 0..6 {
        let desk = Desk::new();
        let cora = desk.signed_in("cora", Role::Coordinator).await;
        let mut happenings = Happenings::new(&desk, seed);
        let mut copies: Vec<(File, Copy)> =
            [File::People, File::Contacts, File::Readings].map(|file| (file, Copy::default())).into();
        for _ in 0..24 {
            happenings.next(&desk);
            if happenings.chance(0.4) {
                desk.catch_up();
                for (file, copy) in &mut copies {
                    copy.follow(&desk, &cora, *file, happenings.limit()).await;
                }
            }
        }
        happenings.erase(&desk);
        desk.catch_up();
        for (file, copy) in &mut copies {
            copy.follow(&desk, &cora, *file, "").await;
            let mut whole = Copy::default();
            whole.follow(&desk, &cora, *file, "").await;
            assert_eq!(copy.held, whole.held, "seed {seed} {file:?}");
            assert_eq!(copy.follow(&desk, &cora, *file, "").await, 0, "seed {seed} {file:?}");
        }
    }
}

#[tokio::test]
async fn an_erased_record_is_said_and_its_rows_are_gone() {
    let desk = Desk::new();
    let cora = desk.signed_in("cora", Role::Coordinator).await;
    let tablet = desk.site.tablet();
    let person = push(&desk, &tablet, Kind::Person, planted_person());
    let check = push(&desk, &tablet, Kind::Contact, planted_check(person));
    let n = add_recipient(&desk.site.base, "test", "Public health").unwrap();
    let path = format!("/api/v1/pseudonymous/{n}/readings.csv");
    let before = read(&desk.get(&path, &cora).await);
    let (team, made) = (desk.site.team, Made { at: 1, by: log::SERVER });
    desk.site.base.log.write(move |txn| log::enter(txn, team, What::Erase, &[person, check], made)).unwrap();
    desk.catch_up();
    let after = read(&desk.get(&format!("{path}?after={}", before.next), &cora).await);
    let erased: Vec<&str> = after.rows.iter().map(|row| row["contact"].as_str()).collect();
    assert!(
        after.rows.iter().all(|row| row["status"] == "erased")
            && erased.contains(&before.rows[0]["contact"].as_str())
    );
    let told = take(&desk, &cora, File::People, "").await.rows;
    assert!(
        told.iter().all(|row| row["status"] == "erased")
            && told.iter().any(|row| row["id"] == person.to_string())
    );
}

#[tokio::test]
async fn only_records_of_teams_that_somebody_coordinates_leave() {
    let desk = Desk::new();
    let base = &desk.site.base;
    let cora = desk.signed_in("cora", Role::Viewer).await;
    let other = base.team_add("South").unwrap();
    let own = desk.site.tablet();
    push(&desk, &own, Kind::Person, json!({"name": {"family": "Northerner"}}));
    let mut elsewhere = Tablet::new();
    elsewhere.join(base, "South").unwrap();
    let (_, begun) = elsewhere.begin(Kind::Person, json!({"name": {"family": "Southerner"}}));
    elsewhere.exchange(base, vec![], vec![elsewhere.frame(other, &[begun])]).unwrap();
    desk.catch_up();
    // Whoever reads everything in both, and coordinates one.
    for (team, role) in [(desk.site.team, Role::Coordinator), (other, Role::Viewer)] {
        accounts::set_role(base, "test", "cora", Some(team), Some(role)).unwrap();
    }
    let people = |rows: &[BTreeMap<String, String>]| {
        rows.iter().map(|row| row["name_family"].clone()).collect::<Vec<_>>()
    };
    let taken = take(&desk, &cora, File::People, "").await;
    assert_eq!(people(&taken.rows), ["Northerner"]);
    let n = add_recipient(base, "test", "Public health").unwrap();
    let shared = read(&desk.get(&format!("/api/v1/pseudonymous/{n}/people.csv"), &cora).await);
    assert_eq!(shared.rows.len(), 1);
    // Recipients are those of the whole server.
    accounts::set_role(base, "test", "cora", Some(other), Some(Role::Administrator)).unwrap();
    let add = form(&[("act", "add"), ("name", "A friend")]);
    assert_eq!(desk.post("/extracts/recipients", &cora, &add).await.status, StatusCode::FORBIDDEN);
    // What she may take now comes whole, though her place is further on.
    assert_eq!(people(&take(&desk, &cora, File::People, &taken.next).await.rows), ["Southerner"]);
}
