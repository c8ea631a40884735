//! The page's program from outside: over real loopback, as a browser or somebody else on the device would ask.

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::watch,
};
use wayside_client_core::{By, Edit, Key, Kind, Tablet};

use super::{ENDPOINTS, Running, UiOptions, assets, serve};

struct Page {
    running: Running,
    tablet: Tablet,
    token: String,
    _dir: TempDir,
}

async fn page() -> Page {
    page_with(None).await
}

async fn page_with(signal: Option<watch::Sender<bool>>) -> Page {
    let dir = tempfile::tempdir().unwrap();
    let tablet = Tablet::open(&dir.path().join("tablet"), &Key::from_bytes([7; 32])).unwrap();
    let options = UiOptions { staff: Some("sam".into()), signal, ..UiOptions::default() };
    let running = serve(tablet.clone(), options).await.unwrap();
    let token = running.url.split("#token=").nth(1).unwrap().to_owned();
    Page { running, tablet, token, _dir: dir }
}

/// A request, line by line: nothing is added. The status and the body; of a stream only the first part.
async fn raw(page: &Page, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(page.running.addr).await.unwrap();
    let mut request = format!("{method} {path} HTTP/1.1\r\nconnection: close\r\n");
    for (name, value) in headers {
        request += &format!("{name}: {value}\r\n");
    }
    request += &format!("content-length: {}\r\n\r\n{body}", body.len());
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    loop {
        let mut part = [0; 16 << 10];
        let read = stream.read(&mut part).await.unwrap();
        answer.extend_from_slice(&part[..read]);
        let text = String::from_utf8_lossy(&answer);
        if read == 0 || (text.contains("text/event-stream") && text.contains("data: ")) {
            let status = text.split(' ').nth(1).unwrap().parse().unwrap();
            return (status, text.into_owned());
        }
    }
}

/// As the page asks.
async fn ask(page: &Page, method: &str, path: &str, body: Value) -> (u16, Value) {
    let host = page.running.addr.to_string();
    let bearer = format!("Bearer {}", page.token);
    let origin = format!("http://{host}");
    let mut headers = vec![("host", host.as_str()), ("authorization", bearer.as_str())];
    if method == "POST" {
        headers.extend([("origin", origin.as_str()), ("content-type", "application/json")]);
    }
    let (status, text) = raw(page, method, path, &headers, &body.to_string()).await;
    let json = text.split_once("\r\n\r\n").map(|(_, body)| body).unwrap_or_default();
    let json = &json[json.find('{').unwrap_or(0)..json.rfind('}').map_or(0, |end| end + 1)];
    (status, serde_json::from_str(json).unwrap_or_default())
}

async fn get(page: &Page, path: &str) -> Value {
    let (status, json) = ask(page, "GET", path, json!({})).await;
    assert_eq!(status, 200, "{path}: {json}");
    json
}

async fn post(page: &Page, path: &str, body: Value) -> Value {
    let (status, json) = ask(page, "POST", path, body).await;
    assert_eq!(status, 200, "{path}: {json}");
    json
}

/// A session at a site that is new.
async fn open_session(page: &Page) -> String {
    let site = post(page, "/api/sites", json!({"name": "Masjid Al-Noor", "type": "mosque"})).await;
    let session = post(page, "/api/sessions", json!({"site": site["id"], "setting": "pop_up"})).await;
    session["id"].as_str().unwrap().to_owned()
}

fn reading(systolic: i64, diastolic: i64) -> Value {
    json!({"systolic": systolic, "diastolic": diastolic, "arm": "left"})
}

#[tokio::test(flavor = "multi_thread")]
async fn every_endpoint_refuses_strangers() {
    let page = page().await;
    let host = page.running.addr.to_string();
    let port = page.running.addr.port();
    let bearer = format!("Bearer {}", page.token);
    let own = format!("http://{host}");
    let rebound = format!("evil.example:{port}");
    let other_port = format!("http://127.0.0.1:{}", port ^ 1);
    let json = ("content-type", "application/json");
    for (method, path) in ENDPOINTS {
        let path = path.replace("{id}", "01931d4a-0000-7000-8000-000000000000");
        let refused: &[(u16, &[(&str, &str)])] = &[
            (401, &[("host", &host), ("origin", &own), json]),
            (401, &[("host", &host), ("origin", &own), ("authorization", "Bearer "), json]),
            (401, &[("host", &host), ("origin", &own), ("authorization", "Bearer 0"), json]),
            (403, &[("authorization", &bearer), ("host", &rebound), ("origin", &own), json]),
            (403, &[("authorization", &bearer), ("host", &host), ("origin", "http://evil.example"), json]),
            (403, &[("authorization", &bearer), ("host", &host), ("origin", &other_port), json]),
            (403, &[("authorization", &bearer), ("host", &host), ("origin", "null"), json]),
            (
                403,
                &[
                    ("authorization", &bearer),
                    ("host", &host),
                    ("origin", &own),
                    ("sec-fetch-site", "cross-site"),
                    json,
                ],
            ),
            (403, &[("authorization", &bearer), ("host", &host), ("host", &rebound), ("origin", &own), json]),
        ];
        for (status, headers) in refused {
            let (got, text) = raw(&page, method, &path, headers, "{}").await;
            // Two hosts are no HTTP at all for some servers: what matters is that they get nothing.
            assert!(got == *status || got == 400, "{method} {path} {headers:?}: {got}");
            assert!(!text.contains("tallies") && !text.contains("data: "), "{text}");
        }
        if *method == "POST" {
            let bare = [("authorization", bearer.as_str()), ("host", &host), json];
            assert_eq!(raw(&page, method, &path, &bare, "{}").await.0, 403, "{path} without an origin");
            let form = [
                ("authorization", bearer.as_str()),
                ("host", &host),
                ("origin", &own),
                ("content-type", "text/plain"),
            ];
            assert_eq!(raw(&page, method, &path, &form, "{}").await.0, 403, "{path} as a form");
        }
        let (allowed, _) = ask(&page, method, &path, json!({})).await;
        assert!(!matches!(allowed, 401 | 403), "{method} {path} is open to the page: {allowed}");
    }
}

#[test]
fn every_route_is_in_the_list_of_endpoints() {
    let source = include_str!("mod.rs");
    let routed = source.matches(".route(\"/api/").count() + source.matches(".route(\"/events\"").count();
    let mut paths: Vec<&str> = ENDPOINTS.iter().map(|(_, path)| *path).collect();
    paths.sort_unstable();
    paths.dedup();
    assert_eq!(routed, paths.len());
    assert!(paths.iter().all(|path| source.contains(&format!(".route(\"{path}\""))));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_on_the_page_comes_from_elsewhere() {
    let page = page().await;
    let host = page.running.addr.to_string();
    let (status, index) = raw(&page, "GET", "/", &[("host", &host)], "").await;
    assert_eq!(status, 200);
    let head = index.to_lowercase();
    assert!(head.contains("content-security-policy: default-src 'none'; script-src 'self'"));
    assert!(head.contains("cache-control: no-store") && head.contains("x-content-type-options: nosniff"));
    assert!(!head.contains("unsafe") && !index.contains("style=") && !index.contains("onclick"));
    let mut files = vec![index.split_once("\r\n\r\n").unwrap().1.to_owned()];
    for name in assets::names() {
        let (status, file) = raw(&page, "GET", &format!("/page/{name}"), &[("host", &host)], "").await;
        assert_eq!(status, 200, "{name}");
        files.push(file.split_once("\r\n\r\n").unwrap().1.to_owned());
    }
    for file in files {
        for word in
            ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "https://", "@import"]
        {
            assert!(!file.contains(word), "{word} in {}", &file[..80]);
        }
        let other = file.replace("http://www.w3.org/2000/svg", "");
        assert!(!other.contains("http://"), "an address in {}", &file[..80]);
    }
    assert_eq!(raw(&page, "GET", "/", &[("host", "evil.example")], "").await.0, 403);
    assert_eq!(raw(&page, "GET", "/page/..%2fmod.rs", &[("host", &host)], "").await.0, 404);
}

#[tokio::test]
async fn only_loopback_is_served() {
    let dir = tempfile::tempdir().unwrap();
    let tablet = Tablet::open(&dir.path().join("tablet"), &Key::from_bytes([7; 32])).unwrap();
    let listen = "0.0.0.0:0".parse().unwrap();
    assert!(serve(tablet, UiOptions { listen, ..UiOptions::default() }).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_person_is_recorded_and_found_again() {
    let page = page().await;
    let session = open_session(&page).await;
    let typed = json!({"given": "<b>Amina</b>", "family": "Khan", "date_of_birth": "03/02/1968",
        "nhs_number": "999 000 0018", "ethnic_category": "J", "declined": ["phone"], "session": session});
    let person = post(&page, "/api/people", typed).await["id"].clone();
    let contact = post(
        &page,
        "/api/contacts",
        json!({"session": session, "person": person, "started_at": "2026-11-22T10:00:00Z", "reading": reading(152, 94)}),
    )
    .await;
    // Markup in a field is text like any other, from the record to the page.
    assert_eq!(contact["person"]["name"], "<b>Amina</b> Khan");
    assert_eq!(contact["result"]["category"]["words"], "Raised reading");
    assert_eq!(contact["result"]["another_reading_due"], true);
    assert_eq!(contact["flags_due"], false);

    let id = contact["id"].as_str().unwrap();
    let again = json!({"base": contact["heads"], "reading": reading(136, 84)});
    let contact = post(&page, &format!("/api/contacts/{id}"), again).await;
    assert_eq!(contact["readings"].as_array().unwrap().len(), 2);
    let ended = json!({"base": contact["heads"], "ended": "completed", "saw": {
        "category": contact["result"]["category"]["code"], "rules": contact["result"]["rules"],
        "actions": contact["result"]["todo"].as_array().unwrap().iter().map(|one| one["code"].clone()).collect::<Vec<_>>()}});
    post(&page, &format!("/api/contacts/{id}"), ended).await;

    let stored = page.tablet.show(id.parse().unwrap()).unwrap().json;
    assert_eq!(stored["created"]["by"], "sam");
    assert_eq!(stored["ended"]["how"], "completed");
    assert_eq!(stored["advice"].as_object().unwrap().len(), 1, "what was advised, with its rules");
    let known = page.tablet.show(person.as_str().unwrap().parse().unwrap()).unwrap().json;
    assert_eq!(known["date_of_birth"], "1968-02-03");
    assert_eq!(known["declined"], json!(["phone"]));

    let found = get(&page, &format!("/api/people?session={session}&q=kh&page=0")).await;
    assert_eq!(found["people"][0]["id"], person);
    assert_eq!(found["people"][0]["today"], true);
    let today = get(&page, &format!("/api/sessions/{session}")).await;
    assert_eq!(today["contacts"][0]["waiting"], true);
    assert_eq!(today["contacts"][0]["category"]["words"], "Normal, close to raised");
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_are_named_beside_the_field_and_unusual_values_are_asked_about() {
    let page = page().await;
    let session = open_session(&page).await;
    let save = |reading: Value| json!({"session": session, "person": null, "reading": reading});
    let (status, error) = ask(&page, "POST", "/api/contacts", save(reading(310, 90))).await;
    assert_eq!((status, error["code"].as_str().unwrap()), (422, "out_of_range"));
    assert_eq!(error["message"], "Systolic cannot be more than 300.");
    assert!(error["path"].as_str().unwrap().ends_with("systolic"));
    let (_, error) = ask(&page, "POST", "/api/contacts", save(reading(65, 45))).await;
    assert_eq!(error["code"], "confirm_unusual");
    let mut confirmed = reading(65, 45);
    confirmed["confirmed_unusual"] = json!(true);
    let contact = post(&page, "/api/contacts", save(confirmed)).await;
    assert_eq!(contact["readings"][0]["confirmed_unusual"], true);
    let typed = post(&page, "/api/check/reading", json!({"systolic": 310})).await;
    assert_eq!(typed["findings"][0]["level"], "block");
    assert_eq!(post(&page, "/api/check/reading", json!({"diastolic": 88})).await["findings"], json!([]));
    // One form, every error of it.
    let (_, error) = ask(&page, "POST", "/api/people", json!({"nhs_number": "1", "phone": "x"})).await;
    assert_eq!(error["path"], "given");
    assert_eq!(error["others"].as_array().unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_very_high_reading_asks_at_once_and_any_yes_is_an_emergency() {
    let page = page().await;
    let session = open_session(&page).await;
    let contact =
        post(&page, "/api/contacts", json!({"session": session, "reading": reading(181, 95)})).await;
    assert_eq!((&contact["flags_due"], &contact["phone_now"]), (&json!(true), &json!(true)));
    let path = format!("/api/contacts/{}", contact["id"].as_str().unwrap());
    let yes = json!({"base": contact["heads"], "red_flags": [{"flag": "chest_pain", "present": true}]});
    let contact = post(&page, &path, yes).await;
    assert_eq!((&contact["emergency"], &contact["flags_due"]), (&json!("999"), &json!(false)));
    let flag = contact["red_flags"][0]["id"].as_str().unwrap();
    let struck = json!({"entry": format!("bp/red_flags/{flag}"), "reason": "Tapped by mistake"});
    let contact = post(&page, &format!("{path}/strike"), struck).await;
    assert_eq!((&contact["emergency"], &contact["flags_due"]), (&Value::Null, &json!(true)));
    let told = json!({"base": contact["heads"], "set": {
        "calls": [{"outcome": "reached", "spoke_to": "GP practice: duty doctor"}],
        "referrals": [{"to": "gp", "urgency": "same_day", "how": "phone"}]}});
    let told = post(&page, &path, told).await;
    assert_eq!(told["arranged"]["calls"][0]["spoke_to"], "GP practice: duty doctor");
    assert_eq!(told["arranged"]["referrals"][0]["urgency_words"], "Today");
    assert_eq!((&told["phone_now"], &told["told_due"]), (&json!(false), &Value::Null));
}

#[tokio::test(flavor = "multi_thread")]
async fn parked_is_resumed_and_a_reading_is_corrected_with_both_to_be_seen() {
    let page = page().await;
    let session = open_session(&page).await;
    let contact = post(&page, "/api/contacts", json!({"session": session, "ended": "parked"})).await;
    assert_eq!(contact["ended"], "parked");
    let path = format!("/api/contacts/{}", contact["id"].as_str().unwrap());
    let contact = post(&page, &path, json!({"base": contact["heads"], "resume": true})).await;
    assert_eq!(contact["ended"], Value::Null);
    let contact = post(&page, &path, json!({"base": contact["heads"], "reading": reading(125, 80)})).await;
    let wrong = json!({"base": contact["heads"], "reading": contact["readings"][0]["id"],
        "set": {"systolic": 152}, "reason": "Typed wrong"});
    let contact = post(&page, &format!("{path}/correct"), wrong.clone()).await;
    let states: Vec<&Value> =
        contact["readings"].as_array().unwrap().iter().map(|reading| &reading["state"]).collect();
    assert_eq!(states, ["corrected", "live"]);
    assert_eq!(contact["result"]["systolic"], 152);
    let (status, error) = ask(&page, "POST", &format!("{path}/correct"), {
        let mut without = wrong;
        without["reason"] = json!(" ");
        without
    })
    .await;
    assert_eq!((status, error["path"].as_str().unwrap()), (422, "reason"));
    post(&page, &format!("/api/sessions/{session}/tallies"), json!({"name": "leaflets", "n": 3})).await;
    assert_eq!(get(&page, &format!("/api/sessions/{session}")).await["tallies"]["leaflets"], 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_stands_on_what_the_screen_showed_and_a_conflict_is_settled() {
    let page = page().await;
    let by = By::staff("colleague");
    let person =
        page.tablet.create(Kind::Person, json!({"name": {"given": "A", "family": "Khan"}}), &by).unwrap();
    let shown = get(&page, &format!("/api/people/{person}")).await;
    // Meanwhile a colleague puts it right in another way.
    page.tablet.edit(person, Edit::set("name/family", "Kahn"), &by).unwrap();
    let mut typed = shown["form"].clone();
    typed["family"] = json!("Khann");
    typed["was"] = shown["form"].clone();
    typed["base"] = shown["heads"].clone();
    post(&page, &format!("/api/people/{person}"), typed).await;

    let list = get(&page, "/api/unsettled").await;
    assert_eq!(list["disagree"][0]["fields"], json!(["Family name"]));
    let both = get(&page, &format!("/api/unsettled/{person}")).await;
    let values = both["conflicts"][0]["values"].as_array().unwrap().clone();
    assert_eq!(values.len(), 2);
    let settled = json!({"base": both["heads"], "path": "name/family", "value": "Khann"});
    post(&page, &format!("/api/unsettled/{person}"), settled).await;
    assert_eq!(get(&page, "/api/unsettled").await["disagree"], json!([]));
    assert_eq!(page.tablet.show(person).unwrap().json["name"]["family"], "Khann");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_switch_is_there_only_with_a_signal_to_cut() {
    let without = page().await;
    assert_eq!(get(&without, "/api/state").await["signal"], Value::Null);
    assert_eq!(ask(&without, "POST", "/api/signal", json!({"on": false})).await.0, 404);
    let (signal, mut cut) = watch::channel(true);
    let with = page_with(Some(signal)).await;
    post(&with, "/api/signal", json!({"on": false})).await;
    cut.changed().await.unwrap();
    assert!(!*cut.borrow());
    let host = with.running.addr.to_string();
    let bearer = format!("Bearer {}", with.token);
    let (status, event) =
        raw(&with, "GET", "/events", &[("host", &host), ("authorization", &bearer)], "").await;
    assert_eq!(status, 200);
    assert!(event.contains("\"signal\":false"), "{event}");
    with.running.shutdown().await;
}

/// The rules of the number pad are the page's own. A fresh machine may have no Node: then only chromium would know.
#[test]
fn the_number_pad_follows_its_rules() {
    let tests = concat!(env!("CARGO_MANIFEST_DIR"), "/page/tests/typing.test.mjs");
    match std::process::Command::new("node").args(["--test", tests]).output() {
        Err(_) => println!("skipped: there is no node here"),
        Ok(output) => assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout)),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_chosen_of_the_display_is_told_again_and_only_a_known_language_is_taken() {
    let page = page().await;
    let usual = get(&page, "/api/display").await;
    assert_eq!(
        (&usual["text"], &usual["contrast"], &usual["language"]),
        (&json!("normal"), &json!("normal"), &json!("en-GB"))
    );
    let languages = page.tablet.dir().join("languages");
    std::fs::create_dir(&languages).unwrap();
    std::fs::write(languages.join("ur.json"), r#"{"name": "Test", "phrases": {"Not enrolled": "[N]"}}"#)
        .unwrap();
    std::fs::write(languages.join("ur.ftl"), "category-HIGH = [H]\n").unwrap();
    let chosen = |language: &str| json!({"text": "large", "contrast": "high", "language": language});
    let (status, error) = ask(&page, "POST", "/api/display", chosen("../ur")).await;
    assert_eq!((status, error["path"].as_str().unwrap()), (422, "language"));
    post(&page, "/api/display", chosen("ur")).await;
    let shown = get(&page, "/api/display").await;
    assert_eq!((&shown["text"], &shown["dir"]), (&json!("large"), &json!("rtl")));
    assert_eq!(shown["phrases"]["Not enrolled"], "[N]");
    assert_eq!(get(&page, "/api/state").await["sync"]["text"], "[N]");
    // The rules speak it too; what a form keeps of them is English.
    let session = open_session(&page).await;
    let contact =
        post(&page, "/api/contacts", json!({"session": session, "reading": reading(152, 94)})).await;
    let category = &contact["result"]["category"];
    assert_eq!((&category["words"], &category["recorded"]), (&json!("[H]"), &json!("Raised reading")));
    post(&page, "/api/notices/put-away", json!({"code": "nothing_of_the_kind"})).await;
}
