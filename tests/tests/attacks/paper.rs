//! A tablet that is nothing but its key: it says whatever an attacker has it say.

use ed25519_dalek::SigningKey;
use serde_json::Value;
use wayside_protocol::{
    record::{
        Author, Authored, Flattener, Kind, Message, Record, RecordId, Rules, Write, change_hash, entry_id,
        tablet_id,
    },
    sync::{
        Frame, PublicKey, SignatureBytes, UNKNOWN_SERVER, capability,
        frame::{Changes, Enrol, Hello, Item, List, Place, STREAMED_VERSION, Verdict, Verdicts, decode},
        sign_list, sign_request,
    },
};
use wayside_server::{Base, sync};

pub type Offer = (RecordId, Authored);

#[derive(Clone)]
pub struct Paper {
    pub key: SigningKey,
    pub certificate: SignatureBytes,
    /// For whom it signs its requests.
    pub server: PublicKey,
    pub team: RecordId,
}

impl Paper {
    pub fn enrolled(base: &Base, team: &str) -> Paper {
        Paper::enrolled_with(SigningKey::from_bytes(&rand::random()), base, team)
    }

    pub fn enrolled_with(key: SigningKey, base: &Base, team: &str) -> Paper {
        let secret = base.enrol_code(team, Some("https://base.example")).unwrap().secret;
        let tablet = key.verifying_key().to_bytes();
        let mut body = Vec::new();
        Frame::Enrol(Enrol { version: 1, secret, tablet, name: "paper".into() }).encode(&mut body);
        let seal = sign_request(&key, &UNKNOWN_SERVER, &body);
        Frame::Seal(seal).encode(&mut body);
        let answer = decode(&sync::enrol(base, &body).unwrap()).unwrap();
        let Some(Frame::Enrolled(enrolled)) = answer.into_iter().next() else { panic!("not enrolled") };
        Paper { key, certificate: enrolled.certificate, server: enrolled.server, team: enrolled.team }
    }

    pub fn public(&self) -> PublicKey {
        self.key.verifying_key().to_bytes()
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

    /// A new record with these fields, whether or not they are allowed.
    pub fn begin(&self, kind: Kind, fields: Value) -> Offer {
        self.begin_as(rand::random(), kind, fields)
    }

    pub fn begin_as(&self, actor: [u8; 16], kind: Kind, fields: Value) -> Offer {
        let Value::Object(fields) = fields else { panic!("fields are an object") };
        let mut new_id = || entry_id(rand::random());
        let writes = Flattener { kind, rules: Rules::Unchecked, new_id: &mut new_id }.object(fields).unwrap();
        self.begin_with(actor, kind, &writes)
    }

    pub fn begin_with(&self, actor: [u8; 16], kind: Kind, writes: &[Write]) -> Offer {
        let message = self.message();
        let author = Author { actor, fresh: rand::random(), message: &message };
        let id = RecordId::fresh(1_795_000_000_000, &rand::random());
        (id, Record::begin(id, kind, writes, &author).unwrap().1)
    }

    /// A list of changes that this tablet signs as `author` of the frame that it will stand in.
    pub fn list(&self, team: RecordId, author: usize, offers: &[Offer]) -> List {
        let items: Vec<_> = offers.iter().map(|(id, change)| (*id, change_hash(&change.raw))).collect();
        let bodies =
            offers.iter().map(|(id, change)| Item::Body { record: *id, seq: 0, raw: change.raw.clone() });
        List { author, signature: sign_list(&self.key, team, &items), items: bodies.collect() }
    }

    pub fn frame(&self, team: RecordId, offers: &[Offer]) -> Frame {
        Frame::Changes(Changes { team, authors: vec![], lists: vec![self.list(team, 0, offers)] })
    }

    pub fn hello(&self, base: &Base, teams: Vec<Place>) -> Hello {
        Hello {
            version: STREAMED_VERSION,
            capabilities: capability::STREAMED,
            tablet: self.public(),
            nonce: rand::random(),
            time_ms: base.clock.now_ms(),
            teams,
        }
    }

    /// A request: what its seal covers, and what follows.
    pub fn request(&self, hello: Hello, asks: &[Frame], changes: &[Frame]) -> Vec<u8> {
        let mut body = Vec::new();
        Frame::Hello(hello).encode(&mut body);
        asks.iter().for_each(|frame| frame.encode(&mut body));
        let seal = sign_request(&self.key, &self.server, &body);
        Frame::Seal(seal).encode(&mut body);
        changes.iter().for_each(|frame| frame.encode(&mut body));
        body
    }

    /// Pushes changes honestly, and says what became of each.
    pub fn push(&self, base: &Base, offers: &[Offer]) -> Vec<String> {
        let body = self.request(self.hello(base, vec![]), &[], &[self.frame(self.team, offers)]);
        verdicts(&sync::exchange(base, &body).unwrap())
    }
}

/// Where a tablet stands that has nothing yet.
pub fn nowhere(team: RecordId) -> Place {
    Place { team, epoch: [0; 8], cursor: 0, fingerprint: [0; 16], held: vec![] }
}

/// What an answer says of each change: `accepted`, `known`, or the code that it is quarantined for.
pub fn verdicts(answer: &[u8]) -> Vec<String> {
    let frames = decode(answer).unwrap_or_default();
    let verdicts = frames.into_iter().filter_map(|frame| match frame {
        Frame::Verdicts(Verdicts { verdicts, .. }) => Some(verdicts),
        _ => None,
    });
    let told = |verdict| match verdict {
        Verdict::Accepted { .. } => "accepted".to_owned(),
        Verdict::Known { .. } => "known".to_owned(),
        Verdict::Quarantined { code } => code,
        _ => "waiting or erased".to_owned(),
    };
    verdicts.flatten().map(told).collect()
}
