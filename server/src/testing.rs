//! What the tests share: a server in a directory of its own, and tablets that speak to it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ed25519_dalek::SigningKey;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use wayside_protocol::record::{
    Author, Authored, Flattener, Hash, Kind, Message, Record, RecordId, Rules, Write, change_hash, entry_id,
    tablet_id,
};
use wayside_protocol::sync::frame::{
    self, Ask, Changes, Enrol, Enrolled, Frame, Hello, Item, List, Place, STREAMED_VERSION, State, Verdict,
};
use wayside_protocol::sync::{PublicKey, SignatureBytes, capability, sign_list, sign_request};

use crate::{Base, Clock, Error, Places, sync};

pub const START: u64 = 1_795_000_000_000;

fn clock(now: &Arc<AtomicU64>) -> Clock {
    let now = now.clone();
    Clock::new(move || now.load(Ordering::Relaxed))
}

/// Tests of a site, each run on SQLite, and on PostgreSQL where WAYSIDE_POSTGRES names a server.
macro_rules! on_both {
    ($($name:ident),* $(,)?) => {
        mod sqlite {
            $(#[test] fn $name() { super::$name(crate::testing::Site::new()); })*
        }
        mod postgres {
            $(#[test] fn $name() { crate::testing::Site::shared().map(super::$name); })*
        }
    };
}
pub(crate) use on_both;

/// The addresses of two databases that nobody else uses, a log and a ledger, where WAYSIDE_POSTGRES names a server.
pub fn shared_addresses() -> Option<[String; 2]> {
    let server = std::env::var("WAYSIDE_POSTGRES").ok().filter(|server| server != "skip")?;
    let (host, _) = server.rsplit_once('/').unwrap();
    let name = format!("wayside_{:016x}", rand::random::<u64>());
    Some(["log", "ledger"].map(|part| {
        crate::log::db::Conn::writer(&crate::log::Place::parse(&server).unwrap())
            .unwrap()
            .execute(&format!("CREATE DATABASE {name}_{part}"), &[])
            .unwrap();
        format!("{host}/{name}_{part}")
    }))
}

pub fn shared_places() -> Option<Places> {
    let [log, ledger] = shared_addresses()?;
    Some(Places::parse(Some(&log), Some(&ledger)).unwrap())
}

pub struct Site {
    pub dir: TempDir,
    pub base: Arc<Base>,
    pub now: Arc<AtomicU64>,
    pub team: RecordId,
    pub places: Places,
}

impl Site {
    pub fn new() -> Site {
        Site::at(Places::default())
    }

    /// One over databases of its own on the PostgreSQL that WAYSIDE_POSTGRES names, if it names one.
    pub fn shared() -> Option<Site> {
        shared_places().map(Site::at)
    }

    pub fn at(places: Places) -> Site {
        let dir = tempfile::tempdir().unwrap();
        let now = Arc::new(AtomicU64::new(START));
        let base = Arc::new(Base::open_at(dir.path(), &places, clock(&now)).unwrap());
        let team = base.team_add("North").unwrap();
        Site { dir, base, now, team, places }
    }

    /// Another node over the same log, with the same keys and views of its own.
    pub fn node(&self) -> (TempDir, Arc<Base>) {
        let dir = tempfile::tempdir().unwrap();
        let keys = dir.path().join("keys");
        std::fs::create_dir(&keys).unwrap();
        std::fs::copy(self.dir.path().join("keys/identity.key"), keys.join("identity.key")).unwrap();
        let base = Base::open_at(dir.path(), &self.places, clock(&self.now)).unwrap();
        (dir, Arc::new(base))
    }

    /// A tablet of the first team.
    pub fn tablet(&self) -> Tablet {
        let mut tablet = Tablet::new();
        tablet.join(&self.base, "North").unwrap();
        tablet
    }

    pub fn head(&self) -> u64 {
        let team = self.base.log.read(|conn| crate::log::team_by_id(conn, self.team)).unwrap().unwrap();
        team.head
    }

    pub fn count(&self, table: &str) -> u64 {
        let sql = format!("SELECT count(*) FROM {table}");
        self.base.log.read(|conn| conn.only(&sql, &[], |row| row.get(0))).unwrap()
    }
}

pub struct Tablet {
    pub key: SigningKey,
    pub certificate: SignatureBytes,
}

/// What an exchange answered.
#[derive(Debug)]
pub struct Answer {
    pub verdicts: Vec<Vec<Verdict>>,
    pub changes: Vec<Changes>,
    pub state: State,
    pub size: usize,
}

impl Answer {
    /// The numbers of all changes that came down, in the order in which they came.
    pub fn seqs(&self) -> Vec<u64> {
        let items = self.changes.iter().flat_map(|frame| &frame.lists).flat_map(|list| &list.items);
        items
            .filter_map(|item| match item {
                Item::Body { seq, .. } => Some(*seq),
                Item::Absent { .. } => None,
            })
            .collect()
    }
}

pub type Offer = (RecordId, Authored);

impl Tablet {
    pub fn new() -> Tablet {
        Tablet { key: SigningKey::from_bytes(&rand::random()), certificate: [0; 64] }
    }

    pub fn public(&self) -> PublicKey {
        self.key.verifying_key().to_bytes()
    }

    pub fn join(&mut self, base: &Base, team: &str) -> Result<Enrolled, Error> {
        let secret = base.enrol_code(team, Some("https://base.example")).unwrap().secret;
        self.enrol(base, secret)
    }

    pub fn enrol(&mut self, base: &Base, secret: [u8; 16]) -> Result<Enrolled, Error> {
        let answer = sync::enrol(base, &self.enrol_body(secret))?;
        match frame::decode(&answer).unwrap().as_slice() {
            [Frame::Enrolled(enrolled)] => {
                self.certificate = enrolled.certificate;
                Ok(enrolled.clone())
            }
            other => panic!("{other:?}"),
        }
    }

    pub fn enrol_body(&self, secret: [u8; 16]) -> Vec<u8> {
        let mut body = Vec::new();
        let name = "van tablet".to_owned();
        Frame::Enrol(Enrol { version: 1, secret, tablet: self.public(), name }).encode(&mut body);
        let seal = sign_request(&self.key, &[0; 32], &body);
        Frame::Seal(seal).encode(&mut body);
        body
    }

    pub fn message(&self) -> Message {
        Message {
            at: "2026-11-20T13:05:00Z".into(),
            by: "nurse-01".into(),
            offset: 0,
            tablet: tablet_id(&self.public()),
            supersedes: Vec::new(),
            reason: String::new(),
        }
    }

    /// A new record, with fields as JSON, whether or not they are allowed.
    pub fn begin(&self, kind: Kind, fields: Value) -> (Record, Offer) {
        self.begin_as(RecordId::fresh(START, &rand::random()), rand::random(), kind, fields)
    }

    pub fn begin_as(&self, id: RecordId, actor: [u8; 16], kind: Kind, fields: Value) -> (Record, Offer) {
        let message = self.message();
        let author = Author { actor, fresh: rand::random(), message: &message };
        let (record, authored) = Record::begin(id, kind, &writes(kind, fields), &author).unwrap();
        (record, (id, authored))
    }

    pub fn edit(&self, record: &mut Record, base: Option<&[Hash]>, fields: Value) -> Offer {
        let message = self.message();
        let author = Author { actor: rand::random(), fresh: rand::random(), message: &message };
        let writes = writes(record.kind().unwrap(), fields);
        let authored = record.edit(base, &writes, &author).unwrap().unwrap();
        (record.id(), authored)
    }

    /// One path with its new value; null clears it.
    pub fn set(&self, record: &mut Record, path: &str, value: Value) -> Offer {
        let message = self.message();
        let author = Author { actor: rand::random(), fresh: rand::random(), message: &message };
        let mut new_id = || entry_id(rand::random());
        let kind = record.kind().unwrap();
        let writes =
            Flattener { kind, rules: Rules::Unchecked, new_id: &mut new_id }.set(path, value).unwrap();
        let authored = record.edit(None, &writes, &author).unwrap().unwrap();
        (record.id(), authored)
    }

    pub fn list(&self, team: RecordId, offers: &[Offer]) -> List {
        let items: Vec<_> = offers.iter().map(|(id, change)| (*id, change_hash(&change.raw))).collect();
        List {
            author: 0,
            signature: sign_list(&self.key, team, &items),
            items: offers
                .iter()
                .map(|(record, change)| Item::Body { record: *record, seq: 0, raw: change.raw.clone() })
                .collect(),
        }
    }

    pub fn frame(&self, team: RecordId, offers: &[Offer]) -> Changes {
        Changes { team, authors: vec![], lists: vec![self.list(team, offers)] }
    }

    pub fn hello(&self, time_ms: u64, teams: Vec<Place>) -> Hello {
        Hello { version: 1, capabilities: 0, tablet: self.public(), nonce: rand::random(), time_ms, teams }
    }

    pub fn body(&self, server: &PublicKey, hello: Hello, changes: Vec<Changes>) -> Vec<u8> {
        let mut body = Vec::new();
        Frame::Hello(hello).encode(&mut body);
        changes.into_iter().for_each(|frame| Frame::Changes(frame).encode(&mut body));
        let seal = sign_request(&self.key, server, &body);
        Frame::Seal(seal).encode(&mut body);
        body
    }

    /// The hello of a request of version 2.
    pub fn streamed_hello(&self, time_ms: u64, teams: Vec<Place>) -> Hello {
        let hello = self.hello(time_ms, teams);
        Hello { version: STREAMED_VERSION, capabilities: capability::STREAMED, ..hello }
    }

    /// A request of version 2, and where each of its frames ends; the first end is that of its head.
    pub fn streamed(
        &self,
        server: &PublicKey,
        hello: Hello,
        ask: Ask,
        changes: Vec<Changes>,
    ) -> (Vec<u8>, Vec<usize>) {
        let mut body = Vec::new();
        Frame::Hello(hello).encode(&mut body);
        Frame::Ask(ask).encode(&mut body);
        Frame::Seal(sign_request(&self.key, server, &body)).encode(&mut body);
        let mut ends = vec![body.len()];
        for frame in changes {
            Frame::Changes(frame).encode(&mut body);
            ends.push(body.len());
        }
        (body, ends)
    }

    pub fn exchange(&self, base: &Base, places: Vec<Place>, changes: Vec<Changes>) -> Result<Answer, Error> {
        let hello = self.hello(base.clock.now_ms(), places);
        let answer = sync::exchange(base, &self.body(base.identity.public(), hello, changes))?;
        let mut parts = (Vec::new(), Vec::new(), None);
        for frame in frame::decode(&answer).unwrap() {
            match frame {
                Frame::Verdicts(verdicts) => parts.0.push(verdicts.verdicts),
                Frame::Changes(changes) => parts.1.push(changes),
                Frame::State(state) => parts.2 = Some(state),
                other => panic!("{other:?}"),
            }
        }
        let (verdicts, changes, state) = parts;
        Ok(Answer { verdicts, changes, state: state.unwrap(), size: answer.len() })
    }

    /// Pushes changes of the site's team as one list and returns their verdicts.
    pub fn push(&self, site: &Site, offers: &[Offer]) -> Vec<Verdict> {
        let answer = self.exchange(&site.base, vec![], vec![self.frame(site.team, offers)]).unwrap();
        assert_eq!(answer.verdicts.len(), 1);
        answer.verdicts.into_iter().next().unwrap()
    }
}

/// Where a tablet stands that has nothing yet.
pub fn nowhere(team: RecordId) -> Place {
    Place { team, epoch: [0; 8], cursor: 0, fingerprint: [0; 16], held: vec![] }
}

fn writes(kind: Kind, fields: Value) -> Vec<Write> {
    let mut new_id = || entry_id(rand::random());
    let Value::Object(fields) = fields else { panic!("fields are an object") };
    Flattener { kind, rules: Rules::Unchecked, new_id: &mut new_id }.object(fields).unwrap()
}

pub fn quarantined(code: wayside_protocol::error::Code) -> Verdict {
    Verdict::Quarantined { code: code.as_str().into() }
}

/// A change from bytes that no honest author would write.
pub fn change(id: RecordId, raw: Vec<u8>) -> Offer {
    (id, Authored { hash: change_hash(&raw), raw, actor: [0; 16], seq: 1 })
}

/// Alters the contents of a change of less than 16 KB and makes length and checksum right again.
pub fn altered(raw: &[u8], alter: impl FnOnce(&mut [u8])) -> Vec<u8> {
    let mut raw = raw.to_vec();
    let contents = 9 + raw[9..].iter().position(|byte| byte & 0x80 == 0).unwrap() + 1;
    alter(&mut raw[contents..]);
    let hash = Sha256::digest(&raw[8..]);
    raw[4..8].copy_from_slice(&hash[..4]);
    raw
}
