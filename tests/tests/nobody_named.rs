//! Nothing that a server says of itself names anybody: names, NHS numbers, telephone numbers, dates of birth and free text
//! are planted wherever somebody can put them, everything that comes out is read, and none of it may be there.
#![allow(clippy::unwrap_used)]

use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    path::Path,
    thread,
    time::Duration,
};

use serde_json::{Value, json};
use wayside_server::{
    Base, Clock,
    accounts::{self, Role},
};
use wayside_tests::{
    desk::Client,
    field::{Field, lines},
    programs,
};

/// Invented; the NHS number is of the test range and the telephone number of the range kept for drama. Each in the forms
/// in which it might come out.
const PLANTED: [&str; 15] = [
    "quillfeather",
    "zubayda",
    "thornquist",
    "amaryllis",
    "9990000018",
    "999 000 0018",
    "999%20000%200018",
    "07700900123",
    "7700900123",
    "1968-02-14",
    "sunflower",
    "owls-at-midnight",
    "zubayda.q@example.org",
    "zz99 3wz",
    // Whoever could say it would write lines of their own into the log.
    "forged",
];

/// Everything that was said, with where.
#[derive(Default)]
struct Heard(Vec<(String, String)>);

impl Heard {
    fn hear(&mut self, place: &str, text: impl AsRef<[u8]>) {
        self.0.push((place.to_owned(), String::from_utf8_lossy(text.as_ref()).into_owned()));
    }

    fn of(&self, place: &str) -> String {
        self.0.iter().filter(|(at, _)| at == place).map(|(_, text)| text.as_str()).collect()
    }

    fn names_nobody(&self) {
        for (place, text) in &self.0 {
            let low = text.to_lowercase();
            for planted in PLANTED {
                let line = low.lines().find(|line| line.contains(planted));
                assert!(line.is_none(), "{planted} came out in {place}: {}", line.unwrap_or_default());
            }
        }
    }
}

/// One request without TLS, and the whole answer.
fn ask(addr: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(addr).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    // Whoever is turned away in the middle of a request may find the connection reset.
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

fn get(addr: SocketAddr, path: &str) -> String {
    ask(addr, &format!("GET {path} HTTP/1.1\r\nHost: {addr}\r\nConnection: close\r\n\r\n"))
}

fn post(addr: SocketAddr, path: &str, kind: &str, body: &str) -> String {
    let length = body.len();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: {addr}\r\nOrigin: http://{addr}\r\nContent-Type: {kind}\r\nContent-Length: {length}"
    );
    ask(addr, &format!("{head}\r\nConnection: close\r\n\r\n{body}"))
}

/// Where the log says that something listens.
fn listens(log: &Path, message: &str) -> SocketAddr {
    loop {
        let text = fs::read_to_string(log).unwrap();
        let line = text.lines().find(|line| line.contains(message));
        let address = line.and_then(|line| {
            let from = line.find("127.0.0.1:")?;
            let rest = line.get(from..)?;
            rest.split(|c: char| !(c.is_ascii_digit() || c == '.' || c == ':')).next()?.parse().ok()
        });
        match address {
            Some(address) => return address,
            None => thread::sleep(Duration::from_millis(20)),
        }
    }
}

const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json";

fn person_and_check(out_of_range: bool) -> Value {
    let mut line = lines(7, "van", 1).remove(0);
    line["person"] = json!({
        "name": {"given": "Zubayda", "family": "Quillfeather"}, "date_of_birth": "1968-02-14", "sex": "female",
        "nhs_number": {"value": "9990000018"},
        "phones": {"pppppp22": {"value": "07700900123", "use": "mobile"}},
        "email": "zubayda.q@example.org"
    });
    let object = line["contact"].as_object_mut().unwrap();
    object.insert(
        "notes".into(),
        json!([{"text": "The key is under the sunflower", "at": "2026-11-20T13:07:00Z", "by": "Amaryllis"}]),
    );
    if out_of_range {
        object.insert(
            "bp".into(),
            json!({"readings": [{"taken_at": "2026-11-20T13:06:00Z", "systolic": 900, "diastolic": 100}]}),
        );
    }
    line
}

/// Everything that people, programs and attackers do, once; returns what came out of it.
fn a_day(format: &str) -> Heard {
    let settings = tempfile::tempdir().unwrap();
    let file = settings.path().join("wayside.toml");
    let text = format!(
        "pages = '127.0.0.1:0'\n[logging]\nformat = '{format}'\n\
         filter = 'warn,wayside_server=trace,wayside_protocol=trace'\n[metrics]\nlisten = '127.0.0.1:0'\n"
    );
    fs::write(&file, text).unwrap();
    let arguments = vec!["--config".to_owned(), file.to_str().unwrap().to_owned()];
    let mut field = Field::with_arguments(programs!(), arguments);
    field.serve();
    let mut heard = Heard::default();
    let log = field.dir.path().join("base.log");
    let (pages, metrics) = (listens(&log, "pages are listening"), listens(&log, "metrics are served"));

    // Recorded honestly, and in a way that goes to quarantine.
    field.wayside_text(&["team", "add", "Leeds East"]);
    field.wayside_text(&["staff", "add", "Amaryllis Thornquist", "--role", "nurse", "--team", "Leeds East"]);
    let tablet = field.enrolled("van", "Leeds East");
    let (_, honest) = tablet.record_with(&["--unchecked"], &[person_and_check(false)]);
    assert!(honest.status.success(), "{}", String::from_utf8_lossy(&honest.stderr));
    tablet.record_with(&["--unchecked"], &[person_and_check(true)]);
    tablet.run(&["sync", "--json"]);
    let held = field.wayside_text(&["quarantine", "--json"]);
    assert!(held.contains("out_of_range"), "{held}");
    let person = field.wayside_json(&["search", "quillfeather"])[0]["id"].as_str().unwrap().to_owned();

    // Looked for and opened, by somebody who may.
    let base = Base::open(&field.config().data, Clock::default()).unwrap();
    accounts::add(&base, "coordinator-1", Role::Administrator, "correct horse battery").unwrap();
    drop(base);
    let link = field.wayside_text(&["sign-in-link", "coordinator-1"]);
    let mut client = Client::sign_in(pages, &link).unwrap();
    for path in
        ["/", "/quarantine", "/fleet", &format!("/people/{person}"), &format!("/api/v1/people/{person}")]
    {
        assert_eq!(client.get(path).unwrap().status, 200, "{path}");
    }
    let form = "text=quillfeather&q=quillfeather&kind=people";
    client.load("POST", "/find", form).unwrap();
    client.load("POST", "/api/v1/find", r#"{"text": "999 000 0018"}"#).unwrap();
    client
        .load("POST", &format!("/records/{person}/act"), "act=call&note=sunflower&person=Quillfeather")
        .unwrap();

    // Tried by somebody who may not, with what they should not know.
    for answer in [
        post(
            pages,
            "/sign-in",
            FORM,
            "name=zubayda.q%40example.org&password=owls-at-midnight&code=07700900123",
        ),
        post(pages, "/sign-in", FORM, "name=owls-at-midnight&password=Quillfeather"),
        post(pages, "/sign-in", FORM, "name=x%0d%0a%1b%5b31mERROR+forged&password=y%0aERROR+forged"),
        get(pages, "/people/%0aERROR%20forged?next=%0aforged"),
        post(pages, "/sign-in", JSON, r#"{"name": "Quillfeather"}"#),
        post(pages, "/find", FORM, "text=Quillfeather+9990000018"),
        post(pages, "/api/v1/find", JSON, r#"{"text": "Quillfeather", "Quillfeather": "#),
        post(pages, "/api/v1/records/Quillfeather/act", JSON, r#"{"act": "Quillfeather"}"#),
        post(pages, "/sync/v1", "application/vnd.wayside.frames", "Zubayda Quillfeather 9990000018"),
        get(pages, "/people/Quillfeather"),
        get(pages, "/people/9990000018?name=Zubayda"),
        get(pages, "/Quillfeather/9990000018"),
        get(pages, "/api/v1/people/999%20000%200018"),
        get(pages, "/fleet/zubayda.q@example.org"),
        ask(
            pages,
            &format!("QUILLFEATHER /people/Zubayda HTTP/1.1\r\nHost: {pages}\r\nConnection: close\r\n\r\n"),
        ),
        ask(pages, "GET / HTTP/1.1\r\nHost: quillfeather.example\r\nConnection: close\r\n\r\n"),
        ask(
            pages,
            &format!(
                "GET /api/v1/today HTTP/1.1\r\nHost: {pages}\r\nAuthorization: Bearer Quillfeather\r\nCookie: x=Zubayda\r\n\
                 User-Agent: owls-at-midnight\r\nX-Request-Id: Quillfeather\r\nConnection: close\r\n\r\n"
            ),
        ),
    ] {
        // A page shows what was typed to who typed it; the head of its answer never does, nor does a program's.
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        heard.hear("the heads of answers", head);
        if head.contains("application/json") {
            heard.hear("refusals", body);
        }
    }

    // What the server says of itself, and what its commands refuse.
    for path in ["/healthz", "/readyz"] {
        let tls_only = get(pages, path);
        heard.hear("healthz", tls_only);
    }
    let scraped = get(metrics, "/metrics");
    heard.hear("metrics", &scraped);
    heard.hear("metrics", get(metrics, "/Quillfeather"));
    for doctor in [&["doctor"][..], &["doctor", "--json"], &["doctor", "--deep"]] {
        let said = field.wayside(doctor);
        heard.hear("doctor", said.stdout);
        heard.hear("doctor", said.stderr);
    }
    for line in [
        &["show", "Quillfeather"][..],
        &["list", "--kind", "Zubayda"],
        &["tablet", "revoke", "Quillfeather"],
        &["account", "disable", "Quillfeather"],
        &["erase", "9990000018", "--reason", "sunflower", "--yes"],
    ] {
        let said = field.wayside(line);
        assert!(!said.status.success(), "{line:?}");
        heard.hear("refused commands", said.stderr);
    }
    field.stop_server();
    heard.hear("log", fs::read(&log).unwrap());
    heard
}

#[test]
fn nothing_that_a_server_says_of_itself_names_anybody() {
    for format in ["text", "json"] {
        let heard = a_day(format);
        heard.names_nobody();
        // It did say something.
        let (log, metrics) = (heard.of("log"), heard.of("metrics"));
        for expected in ["/people/{id}", "/sign-in", "/find", "shutting down"] {
            assert!(log.contains(expected), "{format}: {expected} is not in the log:\n{log}");
        }
        if format == "json" {
            for line in log.lines() {
                let object: Value =
                    serde_json::from_str(line).unwrap_or_else(|_| panic!("a line of its own kind: {line}"));
                assert!(object["level"].is_string() && object["timestamp"].is_string(), "{line}");
            }
        }
        for expected in [
            "wayside_quarantine_changes{code=\"out_of_range\"} 1",
            "route=\"/people/{id}\"",
            "route=\"other\"",
            "method=\"other\"",
            "wayside_ready 1",
        ] {
            assert!(metrics.contains(expected), "{expected}:\n{metrics}");
        }
        assert!(heard.of("doctor").contains("quarantine"), "{}", heard.of("doctor"));
        assert!(heard.of("refused commands").contains("bad_id"));
        assert!(
            heard.of("healthz").contains("404"),
            "the addresses of programs are not on the pages' own listener"
        );
    }
}
