//! A server with two teams, each with its own people, and accounts to attack.

use std::{fs, thread, time::Duration};

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use wayside_protocol::record::{Kind, RecordId};
use wayside_server::{
    Base, Running, Server, ServerConfig,
    accounts::{self, Role},
};

use crate::{
    paper::Paper,
    wire::{Answer, Door, http},
};

pub const NORTH: &str = "North";
pub const SOUTH: &str = "South";
/// What everybody of the first team is called, and nobody else.
pub const PLANTED: &str = "Quillfeather";
const FORM: &str = "application/x-www-form-urlencoded";

pub struct Target {
    server: Option<Running>,
    runtime: Runtime,
    pub dir: TempDir,
    pub north: RecordId,
    pub south: RecordId,
}

/// One person of the first team, seen once.
pub struct Seen {
    pub person: RecordId,
    pub check: RecordId,
    pub session: RecordId,
    pub site: RecordId,
}

impl Target {
    pub fn start() -> Target {
        let dir = tempfile::tempdir().unwrap();
        let runtime = Runtime::new().unwrap();
        let config = ServerConfig {
            pages: Some("127.0.0.1:0".into()),
            ..ServerConfig::local(dir.path().join("base"))
        };
        let server = runtime.block_on(Server::start(config)).unwrap();
        let north = server.base().team_add(NORTH).unwrap();
        let south = server.base().team_add(SOUTH).unwrap();
        Target { server: Some(server), runtime, dir, north, south }
    }

    pub fn base(&self) -> &Base {
        self.server.as_ref().unwrap().base()
    }

    /// The listener for everybody.
    pub fn door(&self) -> Door {
        let certificate = fs::read(self.base().data().join("keys/tls.crt")).unwrap();
        let addr = self.server.as_ref().unwrap().addr;
        Door { addr, certificate: Some(certificate), versions: rustls::DEFAULT_VERSIONS }
    }

    /// The listener of the pages alone, without TLS.
    pub fn pages(&self) -> Door {
        let addr = self.server.as_ref().unwrap().pages_addr().unwrap();
        Door { addr, certificate: None, versions: &[] }
    }

    pub fn origin(&self) -> String {
        format!("https://{}", self.door().addr)
    }

    /// A person of the first team who was seen by a tablet of it, once the views show them.
    pub fn seen(&self, tablet: &Paper) -> Seen {
        let name = |given: &str| json!({"given": given, "family": PLANTED});
        let site = tablet.begin(Kind::Site, json!({"name": format!("{PLANTED} Hall")}));
        let session = tablet.begin(Kind::Session, json!({"site": site.0.to_string(), "date": "2026-11-20"}));
        let consent = json!({"purpose": "share_with_gp", "given": true, "at": "2026-11-20T13:00:00Z"});
        let person = tablet.begin(
            Kind::Person,
            json!({"name": name("Zubayda"), "date_of_birth": "1968-02-14", "nhs_number": {"value": "9990000018"},
                "consents": [consent]}),
        );
        let check = tablet.begin(
            Kind::Contact,
            json!({"session": session.0.to_string(), "person": person.0.to_string(),
                "started_at": "2026-11-20T13:05:00Z", "reason": "walk_up", "check_type": "bp_only",
                "bp": {"readings": [{"taken_at": "2026-11-20T13:06:00Z", "systolic": 188, "diastolic": 122}]},
                "notes": [{"text": format!("Seen with {PLANTED}"), "at": "2026-11-20T13:07:00Z", "by": "n"}]}),
        );
        let ids = [person.0, check.0, session.0, site.0];
        let accepted = tablet.push(self.base(), &[site, session, person, check]);
        assert_eq!(accepted, ["accepted"; 4]);
        self.viewed();
        let [person, check, session, site] = ids;
        Seen { person, check, session, site }
    }

    /// Waits until the pages show everything.
    pub fn viewed(&self) {
        loop {
            let answer = self.door().ask(&http("GET", "/readyz", &[("Host", "x")], b""));
            let ready: Value = serde_json::from_slice(&answer.body).unwrap();
            if ready["behind"] == 0 {
                return;
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// The cookie of a new account that has signed in; `team` is where it has its role, if not everywhere.
    pub fn signed_in(&self, name: &str, role: Role, team: Option<RecordId>) -> String {
        accounts::add(self.base(), name, role, "correct horse battery").unwrap();
        if let Some(team) = team {
            accounts::set_role(self.base(), "test", name, Some(team), Some(role)).unwrap();
        }
        self.again(name)
    }

    /// The cookie of another login of an account.
    pub fn again(&self, name: &str) -> String {
        let link = accounts::sign_in_link(self.base(), name, "").unwrap();
        let answer = self.get(&link, "");
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.cookie()
    }

    pub fn get(&self, path: &str, cookie: &str) -> Answer {
        let host = self.door().addr.to_string();
        self.door().ask(&http(
            "GET",
            path,
            &[("Host", &host), ("Cookie", cookie), ("Accept", "text/html")],
            b"",
        ))
    }

    /// A form that one of our own pages sent.
    pub fn post(&self, path: &str, cookie: &str, fields: &[(&str, &str)]) -> Answer {
        let (host, origin) = (self.door().addr.to_string(), self.origin());
        let headers = [
            ("Host", host.as_str()),
            ("Cookie", cookie),
            ("Origin", &origin),
            ("Content-Type", FORM),
            ("Accept", "text/html"),
        ];
        self.door().ask(&http("POST", path, &headers, form(fields).as_bytes()))
    }

    /// What one of our own scripts sends.
    pub fn post_json(&self, path: &str, cookie: &str, body: &str) -> Answer {
        let (host, origin) = (self.door().addr.to_string(), self.origin());
        let headers = [
            ("Host", host.as_str()),
            ("Cookie", cookie),
            ("Origin", &origin),
            ("Content-Type", "application/json"),
        ];
        self.door().ask(&http("POST", path, &headers, body.as_bytes()))
    }

    /// What a tablet sends.
    pub fn sync(&self, body: &[u8]) -> Answer {
        self.door().ask(&http("POST", "/sync/v1", &[("Host", "x")], body))
    }

    /// How many changes and entries both logs hold.
    pub fn heads(&self) -> u64 {
        let heads = self.base().log.read(wayside_server::log::heads).unwrap();
        heads.iter().map(|(_, _, seq)| seq).sum()
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        if let Some(server) = self.server.take() {
            // A test that has failed already says more than this.
            let _ = self.runtime.block_on(server.shutdown());
        }
    }
}

/// Text as a form or an address carries it.
pub fn escaped(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    text.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

pub fn form(fields: &[(&str, &str)]) -> String {
    fields.iter().map(|(name, value)| format!("{name}={}", escaped(value))).collect::<Vec<_>>().join("&")
}
