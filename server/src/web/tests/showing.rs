use axum::http::StatusCode;
use serde_json::{Value, json};
use wayside_protocol::record::schema::{Member, Shape, Type};
use wayside_protocol::record::{Kind, RecordId};

use super::Desk;
use crate::accounts::Role;

/// In every text. The words tell which field let it through.
fn hostile(field: &str) -> String {
    format!("<script>alert('{field}')</script><img src=x onerror=\"{field}\">&amp;\"'{field}")
}

/// Values for every field of a kind, with markup wherever text may stand.
fn everything(kind: Kind, ids: &Value) -> Value {
    let mut object = serde_json::Map::new();
    for field in kind.fields() {
        if matches!(field.name, "merged_into" | "not_same_as" | "nhs_number" | "notes")
            && kind != Kind::Contact
        {
            continue;
        }
        let value = match ids.get(field.name) {
            Some(id) => id.clone(),
            None => shape(field.name, field.shape),
        };
        if field.name == "birth" {
            object.extend([("date_of_birth".to_owned(), json!("1968-02-03"))]);
        } else if !value.is_null() {
            object.insert(field.name.to_owned(), value);
        }
    }
    object.insert("ext".into(), json!({"clinic<b>": hostile("ext")}));
    object.insert("new<i>er".into(), json!(hostile("newer")));
    Value::Object(object)
}

fn shape(name: &str, shape: Shape) -> Value {
    match shape {
        Shape::One(ty) => one(name, ty),
        Shape::Composite(members) => composite(members),
        Shape::Set(_) => json!([hostile(name)]),
        Shape::Entries(members) => json!({"aaaaaaaa": composite(members)}),
        Shape::Tallies => json!({hostile(name): 3}),
        Shape::Group(fields) => {
            let members =
                fields.iter().map(|field| (field.name.to_owned(), self::shape(field.name, field.shape)));
            Value::Object(members.collect())
        }
        Shape::Open => json!({hostile("key"): hostile(name)}),
    }
}

fn composite(members: &[Member]) -> Value {
    let one = members
        .iter()
        .filter(|member| !matches!(member.name, "corrects" | "supersedes"))
        .map(|member| (member.name.to_owned(), one(member.name, member.ty)));
    Value::Object(one.collect())
}

fn one(name: &str, ty: Type) -> Value {
    match (name, ty) {
        ("systolic", _) => json!(192),
        ("diastolic", _) => json!(104),
        ("pulse" | "value", _) => json!(72),
        ("what", _) => json!("height"),
        ("satisfaction" | "q1" | "q2" | "q3", _) => json!(1),
        (_, Type::Text) => json!(hostile(name)),
        (_, Type::Any) => json!([hostile(name)]),
        (_, Type::Int | Type::Number) => json!(1),
        (_, Type::Bool) => json!(true),
        (_, Type::Date) => json!("2026-11-20"),
        (_, Type::Time) => json!("2026-11-20T13:05:00Z"),
        (_, Type::Code(list)) => json!(list[0]),
        (_, Type::EthnicCategory) => json!("J"),
        (_, Type::Entry) => json!("aaaaaaaa"),
        (_, Type::Id) => Value::Null,
    }
}

struct Filled {
    person: RecordId,
    /// Somebody who looks the same.
    other: RecordId,
    check: RecordId,
    session: RecordId,
    site: RecordId,
}

/// A record of each kind that says everything, in conflict, and one change in quarantine.
fn fill(desk: &Desk) -> Filled {
    let (one, two) = (desk.site.tablet(), desk.site.tablet());
    let push = |kind: Kind, fields: Value| {
        let (mut record, begin) = one.begin(kind, fields);
        let verdict = one.push(&desk.site, std::slice::from_ref(&begin));
        assert!(format!("{verdict:?}").contains("Accepted"), "{kind:?} {verdict:?}");
        let base = record.heads();
        for (tablet, word) in [(&one, "left"), (&two, "right")] {
            let field = match kind {
                Kind::Person => json!({"name": {"family": hostile(word)}}),
                Kind::Contact => json!({"on_treatment": hostile(word)}),
                Kind::Session => json!({"vehicle": hostile(word)}),
                _ => json!({"name": hostile(word)}),
            };
            tablet.push(&desk.site, &[tablet.edit(&mut record, Some(&base), field)]);
        }
        begin.0
    };
    let site = push(Kind::Site, everything(Kind::Site, &json!({})));
    let session = push(Kind::Session, everything(Kind::Session, &json!({"site": site.to_string()})));
    let person = push(Kind::Person, everything(Kind::Person, &json!({})));
    let other = push(Kind::Person, everything(Kind::Person, &json!({})));
    let ids = json!({"session": session.to_string(), "person": person.to_string()});
    let check = push(Kind::Contact, everything(Kind::Contact, &ids));
    let bad = json!({"nhs_number": {"value": "999 000 0019"}, "name": {"given": hostile("held")}});
    one.push(&desk.site, &[one.begin(Kind::Person, bad).1]);
    let rename = format!("UPDATE tablet SET name = '{}'", hostile("tablet").replace('\'', "''"));
    desk.site.base.log.write(move |txn| txn.conn.execute(&rename, &[])).unwrap();
    desk.catch_up();
    Filled { person, other, check, session, site }
}

#[tokio::test]
async fn markup_in_any_text_stays_text_on_every_page() {
    let desk = Desk::new();
    let cora = desk.signed_in(&hostile("account")[..60], Role::Coordinator).await;
    let Filled { person, other, check, session, site } = fill(&desk);
    let pages = [
        "/".to_owned(),
        "/sessions".to_owned(),
        "/sessions?view=list&month=2026-11".to_owned(),
        "/sessions?view=<b>&site=<i>".replace('<', "%3C").replace('>', "%3E"),
        format!("/sessions/{session}"),
        format!("/people/{person}"),
        format!("/checks/{check}"),
        format!("/checks/{check}/letter"),
        format!("/records/{site}"),
        format!("/records/{session}"),
        "/follow-ups".to_owned(),
        "/follow-ups?show=<b>".replace('<', "%3C").replace('>', "%3E"),
        "/duplicates".to_owned(),
        "/duplicates?show=conflicts".to_owned(),
        "/reach".to_owned(),
        "/reach?from=2026-11-01&to=2026-11-30".to_owned(),
        format!("/people/{person}/beside/{other}"),
        "/quarantine".to_owned(),
        "/checks/%3Cscript%3E".to_owned(),
    ];
    for path in pages {
        let answer = desk.get(&path, &cora).await;
        let page = &answer.body;
        assert!(path.contains("%3C") || answer.status == StatusCode::OK, "{path}: {page}");
        // The scripts are our own files; nothing that came in opens an element or leaves an attribute.
        let own = if path == "/" { 2 } else { 1 };
        assert_eq!(page.matches("<script").count(), own, "{path}");
        assert_eq!(page.matches("<script type=\"module\" src=\"/assets/").count(), own, "{path}");
        for raw in ["<img", "<b>", "<i>", "onerror=\"", "</script><", "'</", "&amp;\""] {
            assert!(!page.contains(raw), "{path} lets {raw} through");
        }
        assert_eq!(page.matches("<h1").count(), 1, "{path}");
        assert!(
            page.contains("Not for clinical use until a Clinical Safety Officer has signed the hazard log")
        );
    }
    // And it is there, as it was typed, on the pages that should show it.
    let page = desk.get(&format!("/checks/{check}"), &cora).await.body;
    for field in ["outcome", "reason_missed", "left", "right", "ext", "newer", "text", "smoking"] {
        assert!(page.contains(&format!("&#39;{field}")), "{field} is not shown");
    }
    let page = desk.get(&format!("/people/{person}"), &cora).await.body;
    for field in ["given", "phone", "email", "practice_name", "purpose", "religion", "tablet"] {
        assert!(page.contains(&format!("&#39;{field}")), "{field} is not shown");
    }
    let page = desk.get("/follow-ups", &cora).await.body;
    for field in ["to", "phone", "spoke_to"] {
        assert!(page.contains(&format!("&#39;{field}")), "{field} is not shown");
    }
    let page = desk.get(&format!("/people/{person}/beside/{other}"), &cora).await.body;
    for field in ["given", "phone", "practice_name"] {
        assert!(page.contains(&format!("&#39;{field}")), "{field} is not shown");
    }
    let page = desk.get("/quarantine", &cora).await.body;
    assert!(page.contains("&#39;held") && page.contains("NHS number"));
}

#[tokio::test]
async fn the_api_says_what_the_pages_say() {
    let desk = Desk::new();
    let vic = desk.signed_in("vic", Role::Viewer).await;
    let Filled { person, check, session, .. } = fill(&desk);
    let get = async |path: &str| {
        let answer = desk.get(path, &vic).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}");
        answer.json()
    };
    let list = get("/api/v1/today").await;
    assert_eq!((&list["total"], &list["urgent"]), (&json!(2), &json!(1)));
    assert_eq!(list["things"][0]["check"], check.to_string());
    assert_eq!(
        (&list["things"][0]["systolic"], &list["things"][0]["urgency"]),
        (&json!(192), &json!("emergency"))
    );
    assert!(list["held"][0]["message"].as_str().unwrap().contains("NHS number"));
    assert_eq!(list["tablets"].as_array().unwrap().len(), 2);
    assert_eq!(get("/api/v1/today?part=arrange").await["things"], json!([]));
    assert_eq!(get("/api/v1/today?part=nonsense&page=7").await["total"], 2);
    let month = get("/api/v1/sessions").await;
    assert_eq!((&month["month"], &month["sessions"][0]["seen"]), (&json!("2026-11"), &json!(1)));
    let popup = get(&format!("/api/v1/sessions/{session}")).await;
    assert_eq!(popup["checks"][0]["check"], check.to_string());
    let staff = json!([{"name": super_staff(), "seen": 0}, {"name": "nurse-01", "seen": 1}]);
    assert_eq!(popup["staff"], staff);
    let shown = get(&format!("/api/v1/checks/{check}")).await;
    assert_eq!(shown["person"]["id"], person.to_string());
    assert_eq!(shown["record"]["derived"]["age"], 58);
    let history = get(&format!("/api/v1/records/{check}/history")).await;
    assert_eq!(history.as_array().unwrap().len(), 3);
    assert_eq!(history[2]["beside"], json!([2]));
    assert_eq!(get(&format!("/api/v1/people/{person}")).await["checks"][0]["id"], check.to_string());
    assert_eq!(get("/api/v1/quarantine").await["changes"][0]["code"], "nhs_number_invalid");
    let disputed = get("/api/v1/conflicts").await;
    assert_eq!(disputed["total"], 4, "two people, a session and a site; the check stands on Today");
    assert_eq!(
        (&disputed["records"][0]["kind"], &disputed["records"][0]["fields"]),
        (&json!("person"), &json!(["name/family"]))
    );

    for (path, code) in [
        (format!("/api/v1/checks/{person}"), "record_not_found"),
        (format!("/api/v1/people/{}", RecordId::from_bytes([9; 16])), "record_not_found"),
        ("/api/v1/sessions/x".to_owned(), "bad_id"),
    ] {
        let answer = desk.get(&path, &vic).await;
        assert_eq!((answer.status, answer.code().as_str()), (StatusCode::NOT_FOUND, code), "{path}");
    }
}

/// The session's own staff member, as `everything` named them.
fn super_staff() -> String {
    hostile("staff")
}

#[tokio::test]
async fn filters_are_in_the_address_and_never_hide_by_mistake() {
    let desk = Desk::new();
    // The check was made some days ago.
    desk.later(7 * 24 * 60 * 60 * 1000);
    let vic = desk.signed_in("vic", Role::Viewer).await;
    fill(&desk);
    for (path, shown) in [
        ("/", true),
        ("/?part=urgent", true),
        ("/?part=arrange", false),
        ("/?part=%00&page=x", true),
        ("/?team=nonsense", true),
        ("/?team=01a20221-57e6-7f0f-b5c6-452956d7cfbb", false),
        ("/?page=0", true),
        ("/?page=18446744073709551615", true),
        ("/?when=today", false),
    ] {
        let page = desk.get(path, &vic).await.body;
        assert_eq!(page.contains("192/104"), shown, "{path}");
        assert!(
            page.contains("<title>(1 urgent) Today"),
            "who is urgent stands there whatever is filtered: {path}"
        );
    }
}
