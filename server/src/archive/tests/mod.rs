mod archiving;
mod erasing;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::sync::atomic::Ordering;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};
use wayside_protocol::record::{Hash, Kind, Record, change_hash};
use wayside_protocol::sync::frame::{
    self, Ask, Changes, Entry, Found, Frame, Hello, Item, LookUp, Place, STREAMED_VERSION, Terms, Verdict,
    Wish,
};
use wayside_protocol::sync::{SetSum, capability, sign_request};

use super::*;
use crate::testing::{Offer, START, Site, Tablet, quarantined};
use crate::{Base, Clock, Error, backup, sync};

/// A tablet as the specification wants it, as far as it is about which changes it holds.
struct Model {
    tablet: Tablet,
    team: RecordId,
    epoch: [u8; 8],
    cursor: u64,
    /// With their numbers, as far as they are known.
    pairs: BTreeMap<(RecordId, Hash), Option<u64>>,
    archived: BTreeSet<RecordId>,
    capabilities: u64,
}

/// What an answer said beside what the model took in.
#[derive(Debug, Default)]
struct Said {
    verdicts: Vec<Verdict>,
    entries: Vec<Entry>,
    found: Option<Found>,
    terms: Terms,
    more: bool,
}

impl Model {
    fn new(site: &Site) -> Model {
        // Comparing is another matter: without it a strange place is sent everything.
        let capabilities = capability::OURS & !capability::REPAIR;
        let (tablet, team) = (site.tablet(), site.team);
        let (pairs, archived) = (BTreeMap::new(), BTreeSet::new());
        Model { tablet, team, epoch: [0; 8], cursor: 0, pairs, archived, capabilities }
    }

    fn fingerprint(&self) -> [u8; 16] {
        let mut sum = SetSum::default();
        for ((record, hash), seq) in &self.pairs {
            if !self.archived.contains(record) && seq.is_some_and(|seq| seq <= self.cursor) {
                sum.add(*record, hash);
            }
        }
        sum.fingerprint()
    }

    fn place(&self) -> Place {
        let beyond = self.pairs.values().flatten().filter(|seq| **seq > self.cursor);
        let beyond: BTreeSet<u64> = beyond.copied().collect();
        let held = beyond.into_iter().map(|seq| (seq, seq)).collect();
        let (team, epoch, cursor) = (self.team, self.epoch, self.cursor);
        Place { team, epoch, cursor, fingerprint: self.fingerprint(), held }
    }

    /// One exchange, of whose answer so many frames arrive.
    fn exchange(
        &mut self,
        base: &Base,
        head: Vec<Frame>,
        offers: &[Offer],
        arrive: usize,
    ) -> Result<Said, Error> {
        let hello = Hello {
            version: STREAMED_VERSION,
            capabilities: self.capabilities,
            ..self.tablet.hello(base.clock.now_ms(), vec![self.place()])
        };
        let mut body = Vec::new();
        Frame::Hello(hello).encode(&mut body);
        Frame::Ask(Ask { frame_bytes: 1, ..Ask::default() }).encode(&mut body);
        head.iter().for_each(|frame| frame.encode(&mut body));
        Frame::Seal(sign_request(&self.tablet.key, base.identity.public(), &body)).encode(&mut body);
        if !offers.is_empty() {
            Frame::Changes(self.tablet.frame(self.team, offers)).encode(&mut body);
        }
        let answer = sync::exchange(base, &body)?;
        let mut said = Said { more: true, ..Said::default() };
        for frame in frame::decode(&answer).unwrap().into_iter().take(arrive) {
            self.take(frame, offers, &mut said);
        }
        Ok(said)
    }

    fn take(&mut self, frame: Frame, offers: &[Offer], said: &mut Said) {
        match frame {
            Frame::Verdicts(frame) => {
                for ((record, change), verdict) in offers.iter().zip(&frame.verdicts) {
                    match verdict {
                        Verdict::Accepted { seq } | Verdict::Known { seq } => {
                            self.pairs.insert((*record, change.hash), Some(*seq));
                        }
                        Verdict::Erased => self.forget(*record),
                        _ => {}
                    }
                }
                said.verdicts = frame.verdicts;
            }
            Frame::Changes(frame) => {
                for (record, hash, seq) in bodies(&frame) {
                    self.pairs.insert((record, hash), Some(seq));
                }
            }
            Frame::Entries(frame) => {
                assert_eq!((frame.team, frame.epoch), (self.team, self.epoch));
                for entry in &frame.entries {
                    match entry.what {
                        What::Archive => drop(self.archived.insert(entry.record)),
                        What::Activate => drop(self.archived.remove(&entry.record)),
                        What::Erase => self.forget(entry.record),
                    }
                }
                said.entries.extend(frame.entries);
            }
            Frame::Mark(mark) => self.reach(mark.epoch, mark.cursor),
            Frame::State(state) => {
                let team = &state.teams[0];
                self.reach(team.epoch, team.cursor);
                said.more = team.more;
                if !team.more {
                    assert_eq!(self.fingerprint(), team.fingerprint, "at {}", team.cursor);
                }
            }
            Frame::Found(found) => said.found = Some(found),
            Frame::Terms(terms) => said.terms = terms,
            Frame::Receipt(_) => {}
            other => panic!("{other:?}"),
        }
    }

    fn reach(&mut self, epoch: [u8; 8], cursor: u64) {
        if epoch != self.epoch && self.epoch != [0; 8] {
            // All that is still held counts again, under numbers that have yet to be heard.
            self.pairs.values_mut().for_each(|seq| *seq = None);
            self.archived.clear();
        }
        assert!(epoch != self.epoch || cursor >= self.cursor, "never back");
        (self.epoch, self.cursor) = (epoch, cursor);
    }

    fn forget(&mut self, record: RecordId) {
        self.pairs.retain(|(of, _), _| *of != record);
        self.archived.remove(&record);
    }

    /// Drops the bytes of what is archived.
    fn drop_archived(&mut self) {
        self.pairs.retain(|(of, _), _| !self.archived.contains(of));
    }

    fn pull(&mut self, base: &Base) -> Said {
        let mut all = Said::default();
        loop {
            let said = self.exchange(base, vec![], &[], usize::MAX).unwrap();
            all.entries.extend(said.entries);
            if !said.more {
                return Said { terms: said.terms, ..all };
            }
        }
    }

    fn push(&mut self, base: &Base, offers: &[Offer]) -> Vec<Verdict> {
        self.exchange(base, vec![], offers, usize::MAX).unwrap().verdicts
    }

    fn holds(&self, record: RecordId) -> bool {
        !self.archived.contains(&record) && self.pairs.keys().any(|(of, _)| *of == record)
    }

    fn look_up(&mut self, base: &Base, reason: &str, wish: Wish) -> Result<Said, Error> {
        let (team, staff, reason) = (self.team, "nurse-01".to_owned(), reason.to_owned());
        let asked = Frame::LookUp(LookUp { team, staff, reason, wish });
        self.exchange(base, vec![asked], &[], usize::MAX)
    }
}

fn bodies(frame: &Changes) -> Vec<(RecordId, Hash, u64)> {
    let items = frame.lists.iter().flat_map(|list| &list.items);
    let bodies = items.filter_map(|item| match item {
        Item::Body { record, seq, raw } => Some((*record, change_hash(raw), *seq)),
        Item::Absent { .. } => None,
    });
    bodies.collect()
}

/// What of a team is active, by other means than sums.
fn active(base: &Base) -> BTreeSet<(RecordId, Hash)> {
    let sql = "SELECT log.record, log.hash FROM log JOIN record ON record.record = log.record WHERE archived IS NULL";
    base.log
        .read(|conn| conn.all(sql, &[], |row| Ok((row.get(0)?, row.get(1)?))))
        .unwrap()
        .into_iter()
        .collect()
}

fn enter(site: &Site, what: What, records: &[RecordId]) {
    let (team, records) = (site.team, records.to_vec());
    site.base
        .log
        .write(move |txn| log::enter(txn, team, what, &records, Made { at: START, by: SERVER }))
        .unwrap();
}

fn amina() -> Value {
    json!({"name": {"given": "Amina", "family": "Khan"}, "date_of_birth": "1968-02-03",
        "nhs_number": {"value": "9990000018"}, "sex": "F", "address": {"lines": ["1 Low Lane"], "postcode": "LS9 7AB"}})
}

const SESSION: RecordId = RecordId::from_bytes([5; 16]);

fn with(person: RecordId) -> Value {
    json!({"session": SESSION.to_string(), "person": person.to_string(), "started_at": "2026-11-20T13:05:00Z",
        "bp": {"readings": [{"taken_at": "2026-11-20T13:05:00Z", "systolic": 118, "diastolic": 76}]}})
}

const DAY: u64 = 24 * 60 * 60 * 1000;

fn later(site: &Site, days: u64) {
    site.now.fetch_add(days * DAY, Ordering::Relaxed);
}

fn run(site: &Site) -> [usize; 3] {
    let Archived { persons, contacts, sessions } = archive(&site.base, 30, "test", false).unwrap();
    [persons, contacts, sessions]
}

/// Somebody who was seen once, pushed.
struct Visit {
    person: Record,
    contact: Record,
}

impl Visit {
    fn id(&self) -> RecordId {
        self.person.id()
    }

    fn new(site: &Site, tablet: &mut Model) -> Visit {
        Visit::of(site, tablet, amina())
    }

    fn of(site: &Site, tablet: &mut Model, who: Value) -> Visit {
        let (person, begin) = tablet.tablet.begin(Kind::Person, who);
        let (contact, seen) = tablet.tablet.begin(Kind::Contact, with(person.id()));
        tablet.push(&site.base, &[begin, seen]);
        Visit { person, contact }
    }

    fn is_held(&self, tablet: &Model) -> [bool; 2] {
        [tablet.holds(self.person.id()), tablet.holds(self.contact.id())]
    }
}

fn session(site: &Site, tablet: &mut Model) {
    let fields = json!({"site": RecordId::from_bytes([6; 16]).to_string(), "date": "2026-11-20"});
    let offer = tablet.tablet.begin_as(SESSION, rand::random(), Kind::Session, fields).1;
    tablet.push(&site.base, &[offer]);
}

fn views(site: &Site) -> Views {
    let mut views = Views::open(site.dir.path()).unwrap();
    views.catch_up(&site.base.log).unwrap();
    views
}

/// Whatever is archived, fetched, erased and edited in between, and wherever links are cut: tablets and log agree.
#[test]
fn fingerprints_agree_through_any_sequence() {
    for seed in 0..16 {
        let shown = std::panic::catch_unwind(|| a_sequence(seed));
        assert!(shown.is_ok(), "seed {seed}");
    }
}

fn a_sequence(seed: u64) {
    let mut dice = StdRng::seed_from_u64(seed);
    let site = Site::new();
    let mut models = [Model::new(&site), Model::new(&site), Model::new(&site)];
    let mut records: Vec<Record> = Vec::new();
    let mut erased = BTreeSet::new();
    for _ in 0..70 {
        let who = dice.random_range(0..2);
        let any = |dice: &mut StdRng, records: &[Record]| records[dice.random_range(0..records.len())].id();
        match dice.random_range(0..10) {
            0..3 => {
                let (record, offer) = models[who].tablet.begin(Kind::Person, amina());
                let contact = models[who].tablet.begin(Kind::Contact, with(record.id()));
                models[who].push(&site.base, &[offer, contact.1]);
                records.extend([record, contact.0]);
            }
            3..5 if !records.is_empty() => {
                let at = dice.random_range(0..records.len());
                let (id, kind) = (records[at].id(), records[at].kind());
                let said = dice.random::<u32>().to_string();
                let fields = match kind {
                    Some(Kind::Person) => json!({"phone": said}),
                    _ => json!({"notes": [{"text": said}]}),
                };
                let offer = models[who].tablet.edit(&mut records[at], None, fields);
                let verdict = models[who].push(&site.base, &[offer]);
                let expected = erased.contains(&id);
                assert_eq!(verdict == [Verdict::Erased], expected, "{verdict:?}");
            }
            5 if !records.is_empty() => {
                let some: Vec<RecordId> = (0..4).map(|_| any(&mut dice, &records)).collect();
                enter(&site, What::Archive, &some);
            }
            6 if !records.is_empty() => {
                let some = vec![any(&mut dice, &records)];
                models[who].look_up(&site.base, "Came back", Wish::Fetch { records: some }).unwrap();
            }
            7 if !records.is_empty() && dice.random_ratio(1, 3) => {
                let one = any(&mut dice, &records);
                enter(&site, What::Erase, &[one]);
                erased.insert(one);
            }
            8 => models[who].drop_archived(),
            _ => {
                let arrive = dice.random_range(0..12);
                models[who].exchange(&site.base, vec![], &[], arrive).unwrap();
            }
        }
    }
    for model in &mut models {
        model.pull(&site.base);
        model.drop_archived();
        assert_eq!(model.pairs.keys().copied().collect::<BTreeSet<_>>(), active(&site.base));
    }
    let shelf = tempfile::tempdir().unwrap();
    assert!(backup::backup(&site.base, shelf.path()).is_ok(), "sums are what a backup computes");
}
