//! The sync protocol of one sync, without I/O: from what the store holds to the bytes of a request, and from the
//! bytes of an answer to steps that the store takes, each in one transaction.

use std::collections::{BTreeMap, BTreeSet};

use ed25519_dalek::SigningKey;
use wayside_protocol::{
    error::Code,
    record::{Hash, RecordId},
    sync::{
        Duty, Frame, PublicKey, capability, combined,
        frame::{
            Ask, Changes, Entries, Hello, Incoming, Item, List, LookUp, Mark, PROTOCOL_VERSION, Refusal,
            Rest, STREAMED_VERSION, Sent, State, TeamState, Terms, Unlock, Verdicts, What,
        },
        sign_list, sign_request,
    },
};

use super::{
    memory::{Memory, SentFrame, SentItem, Unanswered},
    orders::Orders,
    plan::{Batch, Offers, TeamPlace, is_quiet, plan},
    repair::Repairs,
    step::{Answer, Next, Outline, Step},
    verify::verified,
};
use crate::{
    error::{Error, Result},
    store::log::PulledList,
};

/// How often a team is compared from the beginning in one sync.
const REFILLS: u32 = 3;

/// A tablet of more teams than this names only those of which something is new to it.
const NAMED: usize = 4;

/// For each team cursor, how much is held beyond it, and whether it is being refilled; and the first change to offer.
type Stand = (Vec<(RecordId, u64, u64, bool)>, Option<Hash>);

/// An answer as far as it has arrived.
#[derive(Default)]
struct Reading {
    incoming: Incoming,
    /// To a request whose frames are committed one by one.
    streamed: bool,
    /// Of an old server: everything is looked at together, at the end.
    kept: Vec<Frame>,
    begun: bool,
    judged: BTreeSet<u64>,
    /// A frame that was pulled, until it is known how far it leads.
    pulled: Option<(RecordId, Vec<PulledList>)>,
    ended: bool,
}

pub struct Engine {
    key: SigningKey,
    server: PublicKey,
    /// What the last request asks about and then what it offers, frame by frame.
    sent: Vec<SentFrame>,
    /// How many of these it only asks about.
    asked_about: usize,
    /// Teams that the last request stands for without naming them.
    rest: Vec<TeamPlace>,
    /// Of which base said that they stand elsewhere.
    moved: BTreeSet<RecordId>,
    /// A server that does not take what it was said to: it is spoken to as to an old one.
    old_server: bool,
    reading: Reading,
    orders: Orders,
    /// The places of the last request.
    asked: BTreeMap<RecordId, TeamPlace>,
    states: BTreeMap<RecordId, TeamState>,
    /// How often each team was begun anew.
    refilled: BTreeMap<RecordId, u32>,
    repairs: Repairs,
    clock_refused: bool,
    /// Asked as soon as the server is known to understand it, and until it has answered.
    look_up: Option<LookUp>,
    /// The last request asks it.
    looking: bool,
    /// Where the last request stood: the same again means that nothing moves.
    stood: Option<Stand>,
}

impl Engine {
    pub fn new(key: SigningKey, server: PublicKey) -> Engine {
        Engine {
            key,
            server,
            sent: Vec::new(),
            asked_about: 0,
            rest: Vec::new(),
            moved: BTreeSet::new(),
            old_server: false,
            reading: Reading::default(),
            orders: Orders::default(),
            asked: BTreeMap::new(),
            states: BTreeMap::new(),
            refilled: BTreeMap::new(),
            repairs: Repairs::default(),
            clock_refused: false,
            look_up: None,
            looking: false,
            stood: None,
        }
    }

    /// One that looks something up beside bringing both sides to hold the same.
    pub fn looking_up(key: SigningKey, server: PublicKey, look_up: LookUp) -> Engine {
        Engine { look_up: Some(look_up), ..Engine::new(key, server) }
    }

    /// Whether what was to be looked up has not been answered: the server does not know how.
    pub fn is_looking(&self) -> bool {
        self.look_up.is_some()
    }

    /// `time_ms` is the server's time as estimated here, `budget` the bytes of changes that a request may hold.
    pub fn next(&mut self, outline: &Outline, nonce: [u8; 16], time_ms: u64, budget: usize) -> Result<Next> {
        if let Some(next) = self.orders.due(outline) {
            if let Next::Obey(Duty::Leave(team)) = next {
                self.asked.remove(&team);
                self.states.remove(&team);
                self.stood = None;
            }
            return Ok(next);
        }
        let answered = outline.places.iter().all(|place| {
            let state = self.states.get(&place.team);
            // A refill first hears the whole log, then offers: its offers are not yet in this outline.
            state.is_some_and(|state| !state.more) && !place.refilling
        });
        let looks = self.look_up.is_some() && self.can_look_up(&outline.memory);
        if answered && outline.offers.changes.is_empty() && !looks {
            for place in &outline.places {
                // What is held under a number beyond the log's end was in a log that is no more.
                if let Some(state) = self.states.get(&place.team)
                    && (state.cursor != place.cursor
                        || state.fingerprint != place.sum.fingerprint()
                        || !place.held.is_empty())
                {
                    let (team, epoch) = (place.team, state.epoch);
                    self.refill(team)?;
                    self.states.remove(&team);
                    return Ok(Next::Refill { team, epoch });
                }
            }
            return Ok(Next::Done);
        }
        let places = outline.places.iter();
        let stands = places
            .map(|place| {
                let held = place.held.iter().map(|(from, to)| to - from + 1).sum();
                (place.team, place.cursor, held, place.refilling)
            })
            .collect();
        let stands = Some((stands, outline.offers.changes.first().map(|offer| offer.hash)));
        if self.stood == stands {
            return Err(Error::Failed(Code::NotSettled));
        }
        self.stood = stands;
        Ok(Next::Send(self.request(outline, nonce, time_ms, budget)?))
    }

    /// What to do about a team of which something came that builds on what is not here: base takes it for held, under
    /// numbers that are not those of its log.
    pub fn differs(&mut self, team: RecordId) -> Result<Step> {
        self.refill(team)?;
        self.states.remove(&team);
        self.repairs.forget(team);
        let epoch = self.asked.get(&team).map_or([0; 8], |asked| asked.epoch);
        Ok(Step::Refill { team, epoch })
    }

    /// A few times in a sync, since the log may get a new epoch in it: if that does not heal it, nothing here does.
    fn refill(&mut self, team: RecordId) -> Result<()> {
        let times = self.refilled.entry(team).or_default();
        *times += 1;
        if *times > REFILLS {
            return Err(Error::Failed(Code::NotSettled));
        }
        self.stood = None;
        Ok(())
    }

    fn can_look_up(&self, memory: &Memory) -> bool {
        self.streamed(memory) && memory.server_can & capability::ARCHIVE != 0
    }

    /// Whether the server takes requests frame by frame.
    fn streamed(&self, memory: &Memory) -> bool {
        memory.streamed() && !self.old_server
    }

    fn request(
        &mut self,
        outline: &Outline,
        nonce: [u8; 16],
        time_ms: u64,
        budget: usize,
    ) -> Result<Vec<u8>> {
        let memory = &outline.memory;
        let streamed = self.streamed(memory);
        let look_up = self.look_up.clone().filter(|_| self.can_look_up(memory));
        self.looking = look_up.is_some();
        let mut places: Vec<&TeamPlace> = outline.places.iter().collect();
        self.rest.clear();
        // What is fetched comes with the answer, if the hello names its team.
        if streamed && !self.looking && places.len() > NAMED {
            let quiet =
                |place: &TeamPlace| !self.moved.contains(&place.team) && is_quiet(place, &outline.offers);
            let (rest, named) = places.into_iter().partition(|place| quiet(place));
            places = named;
            self.rest = Vec::into_iter(rest).cloned().collect();
        }
        self.asked = places.iter().map(|place| (place.team, (*place).clone())).collect();
        self.orders.nonce = nonce;
        let mut body = Vec::new();
        let hello = Hello {
            version: if streamed { STREAMED_VERSION } else { PROTOCOL_VERSION },
            capabilities: capability::OURS,
            tablet: self.key.verifying_key().to_bytes(),
            nonce,
            time_ms,
            teams: places.into_iter().map(TeamPlace::to_wire).collect(),
        };
        Frame::Hello(hello).encode(&mut body);
        if outline.asks_unlock {
            Frame::Unlock(Unlock { secret: None }).encode(&mut body);
        }
        self.sent.clear();
        if streamed {
            self.ask(memory, outline.offers.total).encode(&mut body);
            if memory.server_can & capability::REPAIR != 0 {
                let (frames, asks) = self.repairs.frames(outline)?;
                if asks {
                    // Whether anything moves is seen there.
                    self.stood = None;
                }
                frames.iter().for_each(|frame| frame.encode(&mut body));
            }
            if let Some(look_up) = look_up {
                Frame::LookUp(look_up).encode(&mut body);
            }
            let seal = sign_request(&self.key, &self.server, &body);
            Frame::Seal(seal).encode(&mut body);
        }
        self.asked_about = self.sent.len();
        self.reading = Reading { streamed, ..Reading::default() };
        if self.asked_about > 0 || self.looking {
            // What was committed is heard first: nothing goes twice; and somebody waits for what is looked up. Then the same may stand to be offered.
            self.stood = None;
            return Ok(body);
        }
        let before = body.len();
        for batch in plan(&outline.offers, budget, memory.frame_up()) {
            let end = body.len();
            let changes = self.changes(&batch, &outline.offers);
            Frame::Changes(changes).encode_for(memory.server_can, &mut body);
            if streamed && end > before && body.len() > memory.body() {
                body.truncate(end);
                self.sent.pop();
                break;
            }
        }
        if !streamed {
            let seal = sign_request(&self.key, &self.server, &body);
            Frame::Seal(seal).encode(&mut body);
        }
        Ok(body)
    }

    /// Frames of an earlier request are asked about where there are several: one may as well be sent again.
    fn ask(&mut self, memory: &Memory, waiting: u64) -> Frame {
        let Unanswered { nonce, frames } = &memory.sent;
        let (mut sent, mut given_up) = (Vec::new(), None);
        if frames.len() > 1 {
            self.sent.clone_from(frames);
            sent = frames.iter().map(|frame| Sent { team: frame.team, list: frame.list }).collect();
            given_up = Some(*nonce);
        }
        let rest = (!self.rest.is_empty()).then(|| Rest {
            teams: self.rest.len() as u64,
            fingerprint: combined(
                self.rest
                    .iter()
                    .map(|place| (place.team, place.epoch, place.cursor, place.sum.fingerprint())),
            ),
        });
        Frame::Ask(Ask { frame_bytes: memory.frame_down() as u64, sent, given_up, rest, waiting })
    }

    /// What should be asked about if the answer to the last request does not come: nothing where one frame is sent
    /// again at the most. `None`: what was remembered before still stands.
    pub fn unanswered(&self) -> Option<Vec<SentFrame>> {
        if self.asked_about > 0 {
            return None;
        }
        let several = self.reading.streamed && self.sent.len() > 1;
        Some(if several { self.sent.clone() } else { Vec::new() })
    }

    /// One batch as a frame; what it offers is remembered, in its order.
    fn changes(&mut self, batch: &Batch, offers: &Offers) -> Changes {
        let team = batch.team;
        let offered: Vec<_> = batch.offers.iter().filter_map(|index| offers.changes.get(*index)).collect();
        let body = |record, raw: &[u8]| Item::Body { record, seq: 0, raw: raw.to_vec() };
        match batch.list.and_then(|no| offers.lists.get(&no)) {
            None => {
                let ids: Vec<_> = offered.iter().map(|offer| (offer.record, offer.hash)).collect();
                let signature = sign_list(&self.key, team, &ids);
                self.sent.push(SentFrame::new(team, &signature, ids.iter().map(|id| (*id, true))));
                let items = offered.iter().map(|offer| body(offer.record, &offer.raw)).collect();
                Changes { team, authors: Vec::new(), lists: vec![List { author: 0, signature, items }] }
            }
            Some(list) => {
                let mut left = offered;
                let mut items = Vec::new();
                let sent = list.items.iter().map(|(record, hash)| {
                    let found = left.iter().position(|offer| offer.record == *record && offer.hash == *hash);
                    items.push(match found {
                        Some(index) => body(*record, &left.swap_remove(index).raw),
                        None => Item::Absent { record: *record, hash: *hash },
                    });
                    ((*record, *hash), found.is_some())
                });
                self.sent.push(SentFrame::new(team, &list.signature, sent));
                // What this tablet itself signed in an earlier life is its own.
                let own = list.author == self.key.verifying_key().to_bytes();
                let authors = if own { Vec::new() } else { vec![(list.author, list.certificate)] };
                let author = authors.len();
                Changes { team, authors, lists: vec![List { author, signature: list.signature, items }] }
            }
        }
    }

    /// What came of an answer. Nothing of a frame is in the steps unless all of it is in order.
    pub fn feed(&mut self, bytes: &[u8]) -> Answer {
        let mut answer = Answer::default();
        answer.error = self.arrived(bytes, &mut answer.steps).err();
        answer
    }

    /// The answer is over: as it should be, or cut, and then its whole frames count.
    pub fn finish(&mut self, complete: bool) -> Answer {
        let mut answer = Answer::default();
        answer.error = self.over(complete, &mut answer.steps).err();
        answer
    }

    /// Whether the answer was read to its end: what is wrong then, base said.
    pub fn ended(&self) -> bool {
        self.reading.ended
    }

    fn arrived(&mut self, bytes: &[u8], steps: &mut Vec<Step>) -> Result<()> {
        self.reading.incoming.push(bytes)?;
        while let Some(frame) = self.reading.incoming.next_frame()? {
            if self.reading.streamed {
                self.take(frame, steps)?;
            } else {
                self.reading.kept.push(frame);
            }
        }
        Ok(())
    }

    fn over(&mut self, complete: bool, steps: &mut Vec<Step>) -> Result<()> {
        let kept = std::mem::take(&mut self.reading.kept);
        if let Some(Frame::State(state)) = kept.last() {
            // It answers a strange log from its beginning: the numbers that are held go first.
            for team in &state.teams {
                self.meet(team.team, team.epoch, team.cursor, steps)?;
            }
        }
        kept.into_iter().try_for_each(|frame| self.take(frame, steps))?;
        self.flush(None, steps);
        let whole = self.reading.ended && self.reading.incoming.is_empty();
        if complete && !whole { Err(Error::Failed(Code::FrameMalformed)) } else { Ok(()) }
    }

    fn take(&mut self, frame: Frame, steps: &mut Vec<Step>) -> Result<()> {
        let first = !std::mem::replace(&mut self.reading.begun, true);
        if self.reading.ended {
            return Err(Error::Failed(Code::FrameMalformed));
        }
        match frame {
            Frame::Refusal(refusal) if first => {
                self.reading.ended = true;
                self.refused(&refusal, steps)?;
            }
            Frame::Verdicts(frame) => {
                let index = frame.frame;
                steps.push(self.verdicts(frame)?);
                if !self.reading.judged.insert(index) {
                    return Err(Error::Failed(Code::FrameMalformed));
                }
            }
            Frame::Changes(frame) => {
                self.flush(None, steps);
                let team = frame.team;
                if !self.asked.contains_key(&team) {
                    return Err(Error::Failed(Code::FrameMalformed));
                }
                let lists = verified(&self.server, frame)?;
                self.repairs.arrived(team, &lists);
                self.reading.pulled = Some((team, lists));
            }
            Frame::Entries(frame) => self.entries(frame, steps)?,
            Frame::Found(found) if self.looking => steps.push(Step::Found(found)),
            Frame::Reconcile(frame) => self.repairs.answered(&frame)?,
            Frame::Receipt(receipt) => {
                if !receipt.verify(&self.server, &self.key.verifying_key().to_bytes()) {
                    return Err(Error::Failed(Code::SignatureInvalid));
                }
                steps.push(Step::Receipt(receipt));
            }
            Frame::Order(order) => {
                self.orders.take(&order, &self.server, &self.key.verifying_key().to_bytes())?;
            }
            Frame::Unlock(Unlock { secret: Some(secret) }) => steps.push(Step::UnlockSecret { secret }),
            Frame::Mark(mark) => self.mark(mark, steps)?,
            Frame::Terms(terms) => self.terms(terms, steps),
            Frame::State(state) => {
                self.flush(None, steps);
                // One verdict for each change that was offered, or the answer is not one.
                let offered = self.asked_about as u64..self.sent.len() as u64;
                if !offered.into_iter().all(|index| self.reading.judged.contains(&index)) {
                    return Err(Error::Failed(Code::FrameMalformed));
                }
                steps.extend(self.repairs.done());
                self.state(state, steps)?;
                if std::mem::take(&mut self.looking) {
                    self.look_up = None;
                }
                self.reading.ended = true;
            }
            _ => return Err(Error::Failed(Code::FrameMalformed)),
        }
        Ok(())
    }

    /// A frame that was pulled is stored with what is known of how far it leads.
    fn flush(&mut self, mark: Option<([u8; 8], u64)>, steps: &mut Vec<Step>) {
        if let Some((team, lists)) = self.reading.pulled.take()
            && (mark.is_some() || !lists.is_empty())
        {
            steps.push(Step::Pulled { team, lists, mark });
        }
    }

    /// What base says of whole records. Where nothing of them follows, the next mark is behind this.
    fn entries(&mut self, frame: Entries, steps: &mut Vec<Step>) -> Result<()> {
        self.flush(None, steps);
        let Entries { team, epoch, entries } = frame;
        let asked = self.asked.get(&team).ok_or(Error::Failed(Code::FrameMalformed))?;
        if asked.epoch != [0; 8] && asked.epoch != epoch {
            return Err(Error::Failed(Code::FrameMalformed));
        }
        if entries.iter().any(|entry| entry.what == What::Erase) {
            self.repairs.erased(team);
        }
        steps.push(Step::Entries { team, entries });
        self.reading.pulled = Some((team, Vec::new()));
        Ok(())
    }

    /// Behind a frame: how far it leads. Before the first one of a team: it is sent from another place than was asked
    /// for.
    fn mark(&mut self, mark: Mark, steps: &mut Vec<Step>) -> Result<()> {
        let Mark { team, epoch, cursor } = mark;
        if self.reading.pulled.as_ref().is_some_and(|(pulled, _)| *pulled == team) {
            self.flush(Some((epoch, cursor)), steps);
            return Ok(());
        }
        self.flush(None, steps);
        self.meet(team, epoch, cursor, steps).map(|_| ())
    }

    fn terms(&mut self, terms: Terms, steps: &mut Vec<Step>) {
        if terms.rest_same {
            for place in self.rest.drain(..) {
                self.states.insert(place.team, place.to_wire().unmoved());
            }
        }
        let Terms { capabilities, credit, notice, .. } = terms;
        steps.push(Step::Terms { server_can: capabilities, credit, notice });
    }

    /// A log of another epoch, or shorter than this tablet knows it, was restored from a backup. The server
    /// answers as if nothing were held here, and so the store forgets its numbers before it takes these.
    fn meet(&mut self, team: RecordId, epoch: [u8; 8], cursor: u64, steps: &mut Vec<Step>) -> Result<bool> {
        let Some(asked) = self.asked.get_mut(&team) else { return Ok(false) };
        let other = asked.epoch != [0; 8] && asked.epoch != epoch;
        let strange = other || cursor < asked.cursor;
        if strange {
            (asked.epoch, asked.cursor) = (epoch, 0);
            self.refill(team)?;
            self.states.remove(&team);
            steps.push(Step::Notice(Code::ServerRestored));
            steps.push(Step::Refill { team, epoch });
        }
        Ok(strange)
    }

    fn refused(&mut self, refusal: &Refusal, steps: &mut Vec<Step>) -> Result<()> {
        let error = Error::from(refusal);
        match error.code() {
            Code::Clock if !self.clock_refused => {
                self.clock_refused = true;
                steps.push(Step::Time { server_time_ms: refusal.server_time_ms });
            }
            // A server that was put back to an older version no longer knows what it said it could.
            Code::VersionUnsupported | Code::FrameMalformed if self.reading.streamed => {
                self.old_server = true;
                let credit = Memory::default().credit;
                steps.push(Step::Terms { server_can: 0, credit, notice: String::new() });
            }
            _ => return Err(error),
        }
        // The same is asked again.
        self.repairs.refused();
        self.stood = None;
        Ok(())
    }

    fn verdicts(&self, frame: Verdicts) -> Result<Step> {
        let index = usize::try_from(frame.frame).unwrap_or(usize::MAX);
        let sent = self.sent.get(index).ok_or(Error::Failed(Code::FrameMalformed))?;
        // Of a frame that is asked about base knows only its list.
        let judged = |item: &&SentItem| item.offered || index < self.asked_about;
        let items: Vec<&SentItem> = sent.items.iter().filter(judged).collect();
        if sent.team != frame.team || items.len() != frame.verdicts.len() {
            return Err(Error::Failed(Code::FrameMalformed));
        }
        let verdicts = items.into_iter().zip(frame.verdicts).filter(|(item, _)| item.offered);
        let verdicts = verdicts.map(|(item, verdict)| (item.record, item.hash, verdict)).collect();
        Ok(Step::Verdicts { team: sent.team, verdicts })
    }

    fn state(&mut self, state: State, steps: &mut Vec<Step>) -> Result<()> {
        steps.push(Step::Time { server_time_ms: state.server_time_ms });
        if self.asked.keys().any(|team| !state.teams.iter().any(|state| state.team == *team)) {
            return Err(Error::Failed(Code::TeamNotAllowed));
        }
        for place in self.rest.drain(..) {
            let unmoved = place.to_wire().unmoved();
            if state.teams.contains(&unmoved) {
                self.states.insert(place.team, unmoved);
            } else {
                // Or it did not say, being older.
                self.moved.insert(place.team);
                self.stood = None;
            }
        }
        for team in state.teams {
            if !self.asked.contains_key(&team.team) {
                continue;
            }
            let TeamState { team: id, epoch, cursor, more, .. } = team;
            if !self.meet(id, epoch, cursor, steps)? {
                steps.push(Step::State { team: id, epoch, cursor, more });
                self.states.insert(team.team, team);
            }
        }
        Ok(())
    }
}
