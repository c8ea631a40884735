//! A base that accepts what it is told to, keeps a log, and forgets when it is told to.

use std::collections::HashMap;

use ed25519_dalek::SigningKey;
use wayside_protocol::{
    record::{Hash, RecordId, change_hash, chunk},
    staff::unlock_secret,
    sync::{
        Duty, Frame, SetSum,
        frame::{self, Changes, Entries, Item, List, State, TeamState, Unlock, Verdict, Verdicts, What},
        sign_certificate, sign_list, verify_list, verify_request,
    },
};

use super::{Kit, NOW};
use crate::{
    Code, Error, Tablet,
    store::{log, meta},
    sync::{
        apply,
        engine::Engine,
        outline, settle,
        step::{Answer, Next, Step},
    },
};

pub struct Entry {
    /// Of an entry about a whole record; a change has none.
    pub what: Option<What>,
    pub record: RecordId,
    pub hash: Hash,
    pub raw: Vec<u8>,
    pub author: [u8; 32],
    pub list: Vec<(RecordId, Hash)>,
    pub signature: [u8; 64],
}

pub struct Base {
    pub key: SigningKey,
    pub team: RecordId,
    pub epoch: [u8; 8],
    pub log: Vec<Entry>,
    /// Refused, by their hash.
    pub refuse: HashMap<Hash, Code>,
    /// Refuses everything new that says this.
    pub refuse_text: Option<(&'static str, Code)>,
    /// How many log entries fit into one answer.
    pub page: usize,
    pub bytes: (usize, usize),
}

impl Base {
    pub fn new() -> Base {
        Base {
            key: SigningKey::from_bytes(&[42; 32]),
            team: RecordId::from_bytes([5; 16]),
            epoch: [1; 8],
            log: Vec::new(),
            refuse: HashMap::new(),
            refuse_text: None,
            page: 1000,
            bytes: (0, 0),
        }
    }

    pub fn public(&self) -> [u8; 32] {
        self.key.verifying_key().to_bytes()
    }

    /// As `Tablet::enrol` leaves a tablet.
    pub fn enrol(&self, kit: &Kit) {
        self.enrol_at(kit, "https://127.0.0.1:1", [0; 32]);
    }

    pub fn enrol_at(&self, kit: &Kit, url: &str, pin: [u8; 32]) {
        let inner = &kit.tablet.0;
        let certificate = sign_certificate(&self.key, &kit.public());
        let server = meta::Server { url: url.to_owned(), pin, key: self.public(), certificate };
        inner
            .store
            .write(|conn| {
                meta::set_server(conn, &server)?;
                meta::join_team(conn, self.team, "Riverside")
            })
            .unwrap();
    }

    pub fn handle(&mut self, body: &[u8]) -> Vec<u8> {
        let (signed, seal) = frame::unseal(body).unwrap();
        let mut frames = frame::decode(signed).unwrap().into_iter();
        let Some(Frame::Hello(hello)) = frames.next() else { panic!("no hello") };
        assert!(verify_request(&hello.tablet, &self.public(), signed, &seal));
        let mut answer = Vec::new();
        let mut offered = Vec::new();
        let mut asks_unlock = false;
        let pushed = frames.filter(|frame| {
            let asks = matches!(frame, Frame::Unlock(Unlock { secret: None }));
            asks_unlock |= asks;
            !asks
        });
        for (index, frame) in pushed.enumerate() {
            let Frame::Changes(changes) = frame else { panic!("not changes") };
            let verdicts = self.admit(&hello.tablet, changes, &mut offered);
            Frame::Verdicts(Verdicts { team: self.team, frame: index as u64, verdicts }).encode(&mut answer);
        }
        let place = &hello.teams[0];
        let head = self.log.len() as u64;
        let known = place.epoch == self.epoch && place.cursor <= head;
        let (from, held) = if known { (place.cursor, place.held.clone()) } else { (0, Vec::new()) };
        let mut reached = from;
        let again = self.said_again(&offered, from);
        if !again.is_empty() {
            let (team, epoch) = (self.team, self.epoch);
            Frame::Entries(Entries { team, epoch, entries: again }).encode(&mut answer);
        }
        for seq in from + 1..=head {
            let Entry { what, record, .. } = self.log[seq as usize - 1];
            let last = self.last_entry(record, head);
            if let Some(what) = what {
                if last.is_some_and(|last| last.0 == seq) && (from > 0 || what == What::Activate) {
                    self.entry(seq).encode(&mut answer);
                    let again = (1..=head).filter(|seq| self.is_change_of(*seq, record));
                    again
                        .filter(|_| what == What::Activate)
                        .for_each(|seq| self.pull(seq).encode(&mut answer));
                }
                reached = seq;
                continue;
            }
            if !is_active(last) {
                reached = seq;
                continue;
            }
            if held.iter().any(|(a, b)| (*a..=*b).contains(&seq)) || offered.contains(&seq) {
                reached = seq;
                continue;
            }
            if (seq - from) as usize > self.page {
                break;
            }
            self.pull(seq).encode(&mut answer);
            reached = seq;
        }
        if asks_unlock {
            let secret = Some(unlock_secret(self.key.as_bytes(), &hello.tablet));
            Frame::Unlock(Unlock { secret }).encode(&mut answer);
        }
        let mut sum = SetSum::default();
        let changes = self.log[..reached as usize].iter().filter(|entry| entry.what.is_none());
        changes
            .filter(|entry| is_active(self.last_entry(entry.record, reached)))
            .for_each(|entry| sum.add(entry.record, &entry.hash));
        let state = TeamState {
            team: self.team,
            epoch: self.epoch,
            cursor: reached,
            fingerprint: sum.fingerprint(),
            more: reached < head,
        };
        Frame::State(State { server_time_ms: NOW as u64, teams: vec![state] }).encode(&mut answer);
        self.bytes = (body.len(), answer.len());
        answer
    }

    fn admit(&mut self, sender: &[u8; 32], frame: Changes, offered: &mut Vec<u64>) -> Vec<Verdict> {
        let mut verdicts = Vec::new();
        for list in frame.lists {
            let author = list.author.checked_sub(1).map_or(*sender, |index| frame.authors[index].0);
            let items = list.signed_items(change_hash);
            assert!(verify_list(&author, self.team, &items, &list.signature));
            for item in list.items {
                let Item::Body { record, raw, .. } = item else { continue };
                let hash = change_hash(&raw);
                let last = self.last_entry(record, self.log.len() as u64);
                if matches!(last, Some((_, What::Erase))) {
                    verdicts.push(Verdict::Erased);
                    continue;
                }
                if let Some(index) = self.log.iter().position(|e| e.record == record && e.hash == hash) {
                    offered.push(index as u64 + 1);
                    verdicts.push(Verdict::Known { seq: index as u64 + 1 });
                    continue;
                }
                if let Some((text, code)) = &self.refuse_text
                    && raw.windows(text.len()).any(|window| window == text.as_bytes())
                {
                    self.refuse.insert(hash, *code);
                }
                let deps = chunk::parse(&raw).map(|chunk| chunk.deps).unwrap_or_default();
                if deps.iter().any(|dep| self.refuse.contains_key(dep)) {
                    self.refuse.insert(hash, Code::DependsOnQuarantined);
                }
                if let Some(code) = self.refuse.get(&hash) {
                    verdicts.push(Verdict::Quarantined { code: code.as_str().into() });
                    continue;
                }
                if !is_active(last) {
                    self.says(What::Activate, record);
                }
                let (list_items, signature) = (items.clone(), list.signature);
                self.log.push(Entry { what: None, record, hash, raw, author, list: list_items, signature });
                offered.push(self.log.len() as u64);
                verdicts.push(Verdict::Accepted { seq: self.log.len() as u64 });
            }
        }
        verdicts
    }

    /// A frame with one entry of the log, its list as it was signed.
    pub fn pull(&self, seq: u64) -> Frame {
        let entry = &self.log[seq as usize - 1];
        let items = entry.list.iter().map(|(record, hash)| {
            if (*record, *hash) == (entry.record, entry.hash) {
                Item::Body { record: *record, seq, raw: entry.raw.clone() }
            } else {
                Item::Absent { record: *record, hash: *hash }
            }
        });
        let list = List { author: 1, signature: entry.signature, items: items.collect() };
        let own = entry.author == self.public();
        let authors = vec![(entry.author, sign_certificate(&self.key, &entry.author))];
        let (authors, list) = if own { (Vec::new(), List { author: 0, ..list }) } else { (authors, list) };
        Frame::Changes(Changes { team: self.team, authors, lists: vec![list] })
    }

    /// Something that the server itself does to a record.
    pub fn write(&mut self, record: RecordId, hash: Hash, raw: Vec<u8>) {
        let list = vec![(record, hash)];
        let signature = sign_list(&self.key, self.team, &list);
        self.log.push(Entry { what: None, record, hash, raw, author: self.public(), list, signature });
    }

    /// An entry about a whole record.
    pub fn says(&mut self, what: What, record: RecordId) {
        let (hash, raw, list) = ([0; 32], Vec::new(), Vec::new());
        self.log.push(Entry {
            what: Some(what),
            record,
            hash,
            raw,
            author: [0; 32],
            list,
            signature: [0; 64],
        });
    }

    /// The last entry about a record up to a place in the log.
    fn last_entry(&self, record: RecordId, to: u64) -> Option<(u64, What)> {
        let mut entries = (1..=to).rev().map(|seq| (seq, &self.log[seq as usize - 1]));
        entries.find_map(|(seq, entry)| Some((seq, entry.what.filter(|_| entry.record == record)?)))
    }

    fn is_change_of(&self, seq: u64, record: RecordId) -> bool {
        let entry = &self.log[seq as usize - 1];
        entry.what.is_none() && entry.record == record
    }

    fn entry(&self, seq: u64) -> Frame {
        let Entry { what, record, .. } = self.log[seq as usize - 1];
        let entries = what.map(|what| frame::Entry { what, record, seq }).into_iter().collect();
        Frame::Entries(Entries { team: self.team, epoch: self.epoch, entries })
    }

    /// What is archived and was offered as if it were not.
    fn said_again(&self, offered: &[u64], from: u64) -> Vec<frame::Entry> {
        let records = offered.iter().map(|seq| self.log[*seq as usize - 1].record);
        let last =
            records.filter_map(|record| Some((self.last_entry(record, self.log.len() as u64)?, record)));
        let mut again: Vec<frame::Entry> = last
            .filter(|((seq, what), _)| *seq <= from && *what == What::Archive)
            .map(|((seq, what), record)| frame::Entry { what, record, seq })
            .collect();
        again.sort_by_key(|entry| entry.seq);
        again.dedup();
        again
    }
}

fn is_active(last: Option<(u64, What)>) -> bool {
    last.is_none_or(|(_, what)| what == What::Activate)
}

/// An answer in one piece, or what arrived of it.
pub fn whole(engine: &mut Engine, body: &[u8], complete: bool) -> Answer {
    let mut answer = engine.feed(body);
    if answer.error.is_none() {
        let rest = engine.finish(complete);
        answer.steps.extend(rest.steps);
        answer.error = rest.error;
    }
    answer
}

/// What a sync without a network came to.
#[derive(Debug, Default)]
pub struct Outcome {
    pub exchanges: u64,
    pub pushed: u64,
    pub accepted: u64,
    pub quarantined: u64,
    pub pulled: u64,
    pub in_sync: bool,
    pub error: Option<Error>,
}

impl Outcome {
    pub fn code(&self) -> Option<Code> {
        self.error.as_ref().map(Error::code)
    }
}

/// A sync in which `carry` is the network: `None` cuts the link.
pub fn sync_through(tablet: &Tablet, base: &Base, mut carry: impl FnMut(Vec<u8>) -> Vec<u8>) -> Outcome {
    let inner = &tablet.0;
    inner.store.write(log::begin_sync).unwrap();
    let mut engine =
        Engine::new(inner.store.read(|conn| inner.identity(conn)).unwrap().key.clone(), base.public());
    let mut outcome = Outcome::default();
    'exchange: loop {
        let (outline, time) = outline(inner).unwrap();
        let request = match engine.next(&outline, inner.env.bytes(), time, 1 << 20) {
            Ok(Next::Send(request)) => request,
            Ok(Next::Refill { team, epoch }) => {
                apply(inner, Step::Refill { team, epoch }).unwrap();
                continue;
            }
            Ok(Next::OfferAgain(duty)) => {
                inner.offer_again(duty).unwrap();
                continue;
            }
            Ok(Next::Obey(duty)) => {
                // It does not where something is left to hand over.
                if inner.obey(duty).unwrap() && duty == Duty::Wipe {
                    return Outcome { error: Some(Error::Failed(Code::TabletWiped)), ..outcome };
                }
                continue;
            }
            Ok(Next::Done) => {
                outcome.in_sync = settle(inner).unwrap();
                return outcome;
            }
            Err(error) => return Outcome { error: Some(error), ..outcome },
        };
        outcome.exchanges += 1;
        assert!(outcome.exchanges < 100, "no end");
        let answer = whole(&mut engine, &carry(request), true);
        for step in answer.steps {
            let team = if let Step::Pulled { team, .. } = &step { Some(*team) } else { None };
            match apply(inner, step) {
                Ok(applied) => {
                    outcome.pushed += applied.answered;
                    outcome.accepted += applied.log.accepted;
                    outcome.quarantined += applied.log.quarantined;
                    outcome.pulled += applied.log.new;
                }
                Err(error) => match (team, error.code()) {
                    (Some(team), Code::NotSettled) => match engine.differs(team) {
                        Ok(refill) => {
                            apply(inner, refill).unwrap();
                            continue 'exchange;
                        }
                        Err(error) => return Outcome { error: Some(error), ..outcome },
                    },
                    _ => return Outcome { error: Some(error), ..outcome },
                },
            }
        }
        if let Some(error) = answer.error {
            return Outcome { error: Some(error), ..outcome };
        }
    }
}

pub fn sync(kit: &Kit, base: &mut Base) -> Outcome {
    let cell = std::cell::RefCell::new(base);
    let public = Base { key: cell.borrow().key.clone(), ..Base::new() };
    sync_through(&kit.tablet, &public, |request| cell.borrow_mut().handle(&request))
}

/// A sync that must go well.
pub fn settled(kit: &Kit, base: &mut Base) -> Outcome {
    let outcome = sync(kit, base);
    assert_eq!(outcome.code(), None);
    outcome
}
