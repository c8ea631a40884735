//! What a tablet would offer after some contacts, made without a tablet.

use anyhow::Result;
use jiff::{SignedDuration, Timestamp};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::{Map, Value, json};
use wayside_protocol::{
    record::{Author, Flattener, Kind, Message, Record, RecordId, Rules, entry_id},
    sync::frame::{Changes, Item, List},
};

use super::part;
use crate::day::{self, TabletPlan};

const SITES: [&str; 6] = [
    "Masjid Al-Noor",
    "Kirkgate Market",
    "St Columba's Hall",
    "Hillside Hostel",
    "Lane End Library",
    "Gurdwara Road",
];

/// The changes of one batch: site and session, and for each contact a person and the contact, each saved when that
/// conversation ended. The signature is no signature.
pub fn offered(seed: u64, contacts: usize) -> Result<Changes> {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut tablet = Pen {
        actor: rng.random(),
        tablet: entry_id(rng.random()) + &entry_id(rng.random()),
        by: format!("nurse-{:02}", rng.random_range(1..20)),
        items: Vec::new(),
    };
    let site_name = SITES[rng.random_range(0..SITES.len())];
    let plan = TabletPlan::new(&format!("tablet {seed}"), site_name, contacts);
    let date = "2026-03-02"
        .parse::<jiff::civil::Date>()?
        .saturating_add(jiff::Span::new().days((seed % 600) as i64));
    let (mut site, mut session) = (None, None);
    for i in 0..contacts {
        let line = day::contact(seed, date, &plan, i);
        let contact = part(&line, "contact");
        let started: Timestamp = text(&contact, "started_at").parse()?;
        let now = started + SignedDuration::from_secs(rng.random_range(200..900));
        let now_ms = u64::try_from(now.as_millisecond())? + rng.random_range(0..1000);
        let at = Timestamp::from_second(now.as_second())?.to_string();
        if site.is_none() {
            let id = RecordId::fresh(now_ms, &rng.random());
            site = Some(tablet.begin(Kind::Site, id, json!({"name": site_name}), &at, &mut rng)?);
        }
        let mut of_session = part(&line, "session");
        let day = text(&of_session, "date").to_owned();
        let id = RecordId::session(site.unwrap_or(RecordId::fresh(0, &[0; 10])), &day);
        if session != Some(id) {
            of_session.insert("site".into(), json!(site));
            session = Some(tablet.begin(Kind::Session, id, Value::Object(of_session), &at, &mut rng)?);
        }
        let mut contact = contact;
        contact.insert("session".into(), json!(id));
        if line.get("person").is_some_and(Value::is_object) {
            let person = RecordId::fresh(now_ms, &rng.random());
            tablet.begin(Kind::Person, person, Value::Object(part(&line, "person")), &at, &mut rng)?;
            contact.insert("person".into(), json!(person));
        }
        let id = RecordId::fresh(now_ms + 1, &rng.random());
        tablet.begin(Kind::Contact, id, Value::Object(contact), &at, &mut rng)?;
    }
    let mut signature = [0; 64];
    rng.fill(&mut signature);
    let list = List { author: 0, signature, items: tablet.items };
    Ok(Changes { team: RecordId::fresh(0, &rng.random()), authors: Vec::new(), lists: vec![list] })
}

fn text<'a>(object: &'a Map<String, Value>, name: &str) -> &'a str {
    object.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// Who makes the changes.
struct Pen {
    actor: [u8; 16],
    tablet: String,
    by: String,
    items: Vec<Item>,
}

impl Pen {
    fn begin(
        &mut self,
        kind: Kind,
        id: RecordId,
        json: Value,
        at: &str,
        rng: &mut StdRng,
    ) -> Result<RecordId> {
        let message = Message {
            at: at.to_owned(),
            by: self.by.clone(),
            offset: 0,
            tablet: self.tablet.clone(),
            supersedes: Vec::new(),
            reason: String::new(),
        };
        let json = json.as_object().cloned().unwrap_or_default();
        let mut new_id = || entry_id(rng.random());
        let writes = Flattener { kind, rules: Rules::Entry, new_id: &mut new_id }.object(json)?;
        let author = Author { actor: self.actor, fresh: rng.random(), message: &message };
        let (_, change) = Record::begin(id, kind, &writes, &author)?;
        self.items.push(Item::Body { record: id, seq: 0, raw: change.raw });
        Ok(id)
    }
}
