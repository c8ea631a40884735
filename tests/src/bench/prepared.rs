//! Requests made beforehand, so that what is timed is the server alone.

use anyhow::Result;
use ed25519_dalek::SigningKey;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::json;
use wayside_protocol::{
    record::{Author, Authored, Flattener, Kind, Message, Record, RecordId, Rules, entry_id, tablet_id},
    sync::{
        Frame, UNKNOWN_SERVER, capability,
        frame::{Changes, Enrol, Hello, Item, List, Place, STREAMED_VERSION, decode},
        sign_list, sign_request,
    },
};
use wayside_server::{Base, sync};

use super::part;
use crate::day::{self, TabletPlan};

/// A tablet that is nothing but its key.
pub struct PaperTablet {
    key: SigningKey,
    team: RecordId,
    server: [u8; 32],
    rng: StdRng,
}

/// One request after the other, or one change after the other.
type Bodies = Vec<Vec<u8>>;

/// Changes in one signed list, and in one request.
const LIST: usize = 200;

impl PaperTablet {
    pub fn enrolled(base: &Base, team: &str, seed: u64) -> Result<PaperTablet> {
        PaperTablet::enrolled_as(base, team, &format!("paper {seed}"), seed)
    }

    pub fn enrolled_as(base: &Base, team: &str, name: &str, seed: u64) -> Result<PaperTablet> {
        let mut rng = StdRng::seed_from_u64(seed);
        let key = SigningKey::from_bytes(&rng.random());
        let secret = base.enrol_code(team, Some("https://base.example"))?.secret;
        let mut body = Vec::new();
        let tablet = key.verifying_key().to_bytes();
        Frame::Enrol(Enrol { version: 1, secret, tablet, name: name.to_owned() }).encode(&mut body);
        let seal = sign_request(&key, &UNKNOWN_SERVER, &body);
        Frame::Seal(seal).encode(&mut body);
        let answer = decode(&sync::enrol(base, &body)?)?;
        let Some(Frame::Enrolled(enrolled)) = answer.into_iter().next() else {
            anyhow::bail!("not enrolled")
        };
        Ok(PaperTablet { key, team: enrolled.team, server: enrolled.server, rng })
    }

    /// Requests that push `contacts` contacts with their people, and the raw changes in them. They must reach the
    /// server within its clock window from `now_ms`.
    pub fn requests(&mut self, contacts: usize, seed: u64, now_ms: u64) -> Result<(Bodies, Bodies)> {
        let tablet = self.id();
        let message = Message {
            at: "2026-11-20T13:05:00Z".into(),
            by: "nurse-01".into(),
            offset: 0,
            tablet,
            supersedes: Vec::new(),
            reason: String::new(),
        };
        let actor = self.rng.random();
        let plan = TabletPlan::new(&format!("paper {seed}"), "Masjid Al-Noor", contacts);
        let date = "2026-11-20".parse()?;
        let site = RecordId::fresh(now_ms, &self.rng.random());
        let session = RecordId::session(site, "2026-11-20");
        let mut changes = Vec::new();
        let mut begin = |kind: Kind, id: RecordId, json, rng: &mut StdRng| -> Result<()> {
            let mut new_id = || entry_id(rng.random());
            let writes = Flattener { kind, rules: Rules::Entry, new_id: &mut new_id }.object(json)?;
            let author = Author { actor, fresh: rng.random(), message: &message };
            let (_, authored) = Record::begin(id, kind, &writes, &author)?;
            changes.push((id, authored));
            Ok(())
        };
        for i in 0..contacts {
            let line = day::contact(seed, date, &plan, i);
            let (person, contact) =
                (RecordId::fresh(now_ms, &self.rng.random()), RecordId::fresh(now_ms, &self.rng.random()));
            begin(Kind::Person, person, part(&line, "person"), &mut self.rng)?;
            let mut json = part(&line, "contact");
            json.insert("session".into(), json!(session.to_string()));
            json.insert("person".into(), json!(person.to_string()));
            begin(Kind::Contact, contact, json, &mut self.rng)?;
        }
        let raws = changes.iter().map(|(_, change)| change.raw.clone()).collect();
        let requests = changes.chunks(LIST).map(|batch| self.request(batch, now_ms)).collect();
        Ok((requests, raws))
    }

    /// Of its key, as it stands in messages.
    pub fn id(&self) -> String {
        tablet_id(&self.key.verifying_key().to_bytes())
    }

    /// A request that pushes these changes as one signed list. As for all of them, `now_ms` is when the server gets it.
    pub fn request(&mut self, batch: &[(RecordId, Authored)], now_ms: u64) -> Vec<u8> {
        let items: Vec<_> = batch.iter().map(|(id, change)| (*id, change.hash)).collect();
        let signature = sign_list(&self.key, self.team, &items);
        let bodies =
            batch.iter().map(|(id, change)| Item::Body { record: *id, seq: 0, raw: change.raw.clone() });
        let list = List { author: 0, signature, items: bodies.collect() };
        // Names no place, so that nothing is pulled.
        let nonce = self.rng.random();
        let mut body = self.head(nonce, Vec::new(), now_ms);
        Frame::Changes(Changes { team: self.team, authors: vec![], lists: vec![list] })
            .encode_for(capability::OURS, &mut body);
        body
    }

    /// A request that only asks what is new since it was here.
    pub fn asking(&self, place: Place, now_ms: u64) -> Vec<u8> {
        self.head(rand::random(), vec![place], now_ms)
    }

    fn head(&self, nonce: [u8; 16], teams: Vec<Place>, now_ms: u64) -> Vec<u8> {
        let mut body = Vec::new();
        Frame::Hello(Hello {
            version: STREAMED_VERSION,
            capabilities: capability::OURS,
            tablet: self.key.verifying_key().to_bytes(),
            nonce,
            time_ms: now_ms,
            teams,
        })
        .encode(&mut body);
        let seal = sign_request(&self.key, &self.server, &body);
        Frame::Seal(seal).encode(&mut body);
        body
    }
}
