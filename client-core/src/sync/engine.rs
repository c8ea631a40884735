//! The sync protocol of one sync, without I/O: from what the store holds to the bytes of a request, and from the
//! bytes of an answer to steps that the store takes, each in one transaction.

use std::collections::{BTreeMap, BTreeSet};

use ed25519_dalek::SigningKey;
use wayside_protocol::{
    error::Code,
    record::{Hash, RecordId, change_hash, chunk},
    staff::UnlockSecret,
    sync::{
        Frame, PublicKey, SignatureBytes,
        frame::{
            self, Changes, Hello, Item, List, PROTOCOL_VERSION, Refusal, State, TeamState, Unlock, Verdict,
            Verdicts,
        },
        sign_list, sign_request, verify_certificate, verify_list,
        wire::Reader,
    },
};

use super::plan::{Batch, Offers, SignedList, TeamPlace, plan};
use crate::{
    error::{Error, Result},
    store::log::PulledList,
};

/// What the store holds at the moment of a request.
#[derive(Debug, Clone)]
pub struct Outline {
    pub places: Vec<TeamPlace>,
    pub offers: Offers,
    /// Whether this tablet still lacks its secret for unlock codes.
    pub asks_unlock: bool,
}

/// What comes next in a sync.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    Send(Vec<u8>),
    /// The two sides do not hold the same: forget the team's numbers and compare from the beginning.
    Refill {
        team: RecordId,
        epoch: [u8; 8],
    },
    /// Everything is sent, everything is here, and the fingerprints are equal.
    Done,
}

/// One thing for the store to do, in one transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// For exactly the changes of one frame that was sent.
    Verdicts {
        team: RecordId,
        verdicts: Vec<(RecordId, Hash, Verdict)>,
    },
    Pulled {
        team: RecordId,
        lists: Vec<PulledList>,
    },
    State {
        team: RecordId,
        epoch: [u8; 8],
        cursor: u64,
        more: bool,
    },
    /// Forget the team's numbers: everything is compared from the beginning of a log with this epoch.
    Refill {
        team: RecordId,
        epoch: [u8; 8],
    },
    /// What unlock codes of this tablet are computed from.
    UnlockSecret {
        secret: UnlockSecret,
    },
    /// The server's time, milliseconds since 1970.
    Time {
        server_time_ms: u64,
    },
}

/// What an answer came to: the steps before the first thing that was wrong with it, and that.
#[derive(Debug, Default)]
pub struct Answer {
    pub steps: Vec<Step>,
    pub error: Option<Error>,
}

/// For each team cursor, how much is held beyond it, and whether it is being refilled; and the first change to offer.
type Stand = (Vec<(RecordId, u64, u64, bool)>, Option<Hash>);

pub struct Engine {
    key: SigningKey,
    server: PublicKey,
    /// What was offered in the last request, frame by frame.
    sent: Vec<(RecordId, Vec<(RecordId, Hash)>)>,
    /// The places of the last request.
    asked: BTreeMap<RecordId, TeamPlace>,
    states: BTreeMap<RecordId, TeamState>,
    refilled: BTreeSet<RecordId>,
    clock_refused: bool,
    /// Where the last request stood: the same again means that nothing moves.
    stood: Option<Stand>,
}

impl Engine {
    pub fn new(key: SigningKey, server: PublicKey) -> Engine {
        Engine {
            key,
            server,
            sent: Vec::new(),
            asked: BTreeMap::new(),
            states: BTreeMap::new(),
            refilled: BTreeSet::new(),
            clock_refused: false,
            stood: None,
        }
    }

    /// `time_ms` is the server's time as estimated here, `budget` the bytes of changes that a request may hold.
    pub fn next(&mut self, outline: &Outline, nonce: [u8; 16], time_ms: u64, budget: usize) -> Result<Next> {
        let answered = outline.places.iter().all(|place| {
            let state = self.states.get(&place.team);
            // A refill first hears the whole log, then offers: its offers are not yet in this outline.
            state.is_some_and(|state| !state.more) && !place.refilling
        });
        if answered && outline.offers.changes.is_empty() {
            for place in &outline.places {
                if let Some(state) = self.states.get(&place.team)
                    && (state.cursor != place.cursor || state.fingerprint != place.sum.fingerprint())
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
        Ok(Next::Send(self.request(outline, nonce, time_ms, budget)))
    }

    /// Once in a sync: if that does not heal it, nothing here does.
    fn refill(&mut self, team: RecordId) -> Result<()> {
        if !self.refilled.insert(team) {
            return Err(Error::Failed(Code::NotSettled));
        }
        self.stood = None;
        Ok(())
    }

    fn request(&mut self, outline: &Outline, nonce: [u8; 16], time_ms: u64, budget: usize) -> Vec<u8> {
        let mut body = Vec::new();
        let hello = Hello {
            version: PROTOCOL_VERSION,
            capabilities: 0,
            tablet: self.key.verifying_key().to_bytes(),
            nonce,
            time_ms,
            teams: outline.places.iter().map(TeamPlace::to_wire).collect(),
        };
        Frame::Hello(hello).encode(&mut body);
        if outline.asks_unlock {
            Frame::Unlock(Unlock { secret: None }).encode(&mut body);
        }
        self.asked = outline.places.iter().map(|place| (place.team, place.clone())).collect();
        self.sent.clear();
        for batch in plan(&outline.offers, budget) {
            let changes = self.changes(&batch, &outline.offers);
            Frame::Changes(changes).encode(&mut body);
        }
        let seal = sign_request(&self.key, &self.server, &body);
        Frame::Seal(seal).encode(&mut body);
        body
    }

    /// One batch as a frame; what it offers is remembered, in its order.
    fn changes(&mut self, batch: &Batch, offers: &Offers) -> Changes {
        let team = batch.team;
        let offered: Vec<_> = batch.offers.iter().filter_map(|index| offers.changes.get(*index)).collect();
        let mut ids: Vec<(RecordId, Hash)> = offered.iter().map(|offer| (offer.record, offer.hash)).collect();
        let body = |record, raw: &[u8]| Item::Body { record, seq: 0, raw: raw.to_vec() };
        let frame = match batch.list.and_then(|no| offers.lists.get(&no)) {
            None => {
                let signature = sign_list(&self.key, team, &ids);
                let items = offered.iter().map(|offer| body(offer.record, &offer.raw)).collect();
                Changes { team, authors: Vec::new(), lists: vec![List { author: 0, signature, items }] }
            }
            Some(list) => {
                let mut left = offered;
                ids.clear();
                let items = list.items.iter().map(|(record, hash)| {
                    let found = left.iter().position(|offer| offer.record == *record && offer.hash == *hash);
                    match found.map(|index| left.swap_remove(index)) {
                        Some(offer) => {
                            ids.push((*record, *hash));
                            body(*record, &offer.raw)
                        }
                        None => Item::Absent { record: *record, hash: *hash },
                    }
                });
                let items = items.collect();
                // What this tablet itself signed in an earlier life is its own.
                let own = list.author == self.key.verifying_key().to_bytes();
                let authors = if own { Vec::new() } else { vec![(list.author, list.certificate)] };
                let author = authors.len();
                Changes { team, authors, lists: vec![List { author, signature: list.signature, items }] }
            }
        };
        self.sent.push((team, ids));
        frame
    }

    /// A whole answer. Nothing of a frame is in the steps unless all of it is in order.
    pub fn response(&mut self, body: &[u8]) -> Answer {
        let mut answer = Answer::default();
        if let Err(error) = self.read(body, true, &mut answer) {
            answer.error = Some(error);
        }
        answer
    }

    /// What arrived of an answer before the link was cut: its whole frames count.
    pub fn partial(&mut self, body: &[u8]) -> Answer {
        let mut answer = Answer::default();
        let whole = body.get(..whole_frames(body)).unwrap_or_default();
        if let Err(error) = self.read(whole, false, &mut answer) {
            answer.error = Some(error);
        }
        answer
    }

    fn read(&mut self, body: &[u8], complete: bool, answer: &mut Answer) -> Result<()> {
        let frames = frame::decode(body)?;
        if let [Frame::Refusal(refusal)] = frames.as_slice() {
            return self.refused(refusal, answer);
        }
        if let Some(Frame::State(state)) = frames.last() {
            self.meet_strange_logs(state, answer)?;
        }
        let mut judged = BTreeSet::new();
        let mut ended = false;
        for frame in frames {
            if ended {
                return Err(Error::Failed(Code::FrameMalformed));
            }
            match frame {
                Frame::Verdicts(frame) => {
                    let index = frame.frame;
                    answer.steps.push(self.verdicts(frame)?);
                    if !judged.insert(index) {
                        return Err(Error::Failed(Code::FrameMalformed));
                    }
                }
                Frame::Changes(frame) => answer.steps.push(self.pulled(frame)?),
                Frame::Unlock(Unlock { secret: Some(secret) }) => {
                    answer.steps.push(Step::UnlockSecret { secret });
                }
                Frame::State(state) => {
                    // One verdict for each change that was offered, or the answer is not one.
                    if judged.len() != self.sent.len() {
                        return Err(Error::Failed(Code::FrameMalformed));
                    }
                    self.state(state, answer)?;
                    ended = true;
                }
                _ => return Err(Error::Failed(Code::FrameMalformed)),
            }
        }
        if complete && !ended { Err(Error::Failed(Code::FrameMalformed)) } else { Ok(()) }
    }

    /// A log of another epoch, or shorter than this tablet knows it, was restored from a backup. The server has
    /// answered as if nothing were held here, and so the store forgets its numbers before it takes these.
    fn meet_strange_logs(&mut self, state: &State, answer: &mut Answer) -> Result<()> {
        for team in &state.teams {
            let Some(asked) = self.asked.get_mut(&team.team) else { continue };
            let known = asked.epoch == [0; 8] || asked.epoch == team.epoch;
            if !known || team.cursor < asked.cursor {
                (asked.epoch, asked.cursor) = (team.epoch, 0);
                self.refill(team.team)?;
                answer.steps.push(Step::Refill { team: team.team, epoch: team.epoch });
            }
        }
        Ok(())
    }

    fn refused(&mut self, refusal: &Refusal, answer: &mut Answer) -> Result<()> {
        if refusal.code == Code::Clock.as_str() && !self.clock_refused {
            self.clock_refused = true;
            self.stood = None;
            answer.steps.push(Step::Time { server_time_ms: refusal.server_time_ms });
            return Ok(());
        }
        Err(refusal_error(refusal))
    }

    fn verdicts(&self, frame: Verdicts) -> Result<Step> {
        let sent = usize::try_from(frame.frame).ok().and_then(|index| self.sent.get(index));
        let (team, items) = sent.ok_or(Error::Failed(Code::FrameMalformed))?;
        if *team != frame.team || items.len() != frame.verdicts.len() {
            return Err(Error::Failed(Code::FrameMalformed));
        }
        let verdicts = items.iter().zip(frame.verdicts);
        let verdicts = verdicts.map(|((record, hash), verdict)| (*record, *hash, verdict)).collect();
        Ok(Step::Verdicts { team: *team, verdicts })
    }

    /// Verifies every list of a frame: nothing is taken from it otherwise.
    fn pulled(&self, frame: Changes) -> Result<Step> {
        if !self.asked.contains_key(&frame.team) {
            return Err(Error::Failed(Code::FrameMalformed));
        }
        let certified = |(key, certificate): &(PublicKey, SignatureBytes)| {
            *key == self.server || verify_certificate(&self.server, key, certificate)
        };
        if !frame.authors.iter().all(certified) {
            return Err(Error::Failed(Code::SignatureInvalid));
        }
        let mut lists = Vec::with_capacity(frame.lists.len());
        for list in frame.lists {
            let items = list.signed_items(change_hash);
            let (author, certificate) = match list.author.checked_sub(1) {
                None => (self.server, [0; 64]),
                Some(index) => *frame.authors.get(index).ok_or(Error::Failed(Code::FrameMalformed))?,
            };
            if !verify_list(&author, frame.team, &items, &list.signature) {
                return Err(Error::Failed(Code::SignatureInvalid));
            }
            let mut bodies = Vec::new();
            for item in list.items {
                let Item::Body { record, seq, raw } = item else { continue };
                if seq == 0 {
                    return Err(Error::Failed(Code::FrameMalformed));
                }
                chunk::parse(&raw)?;
                bodies.push((record, seq, raw));
            }
            let list = SignedList { author, certificate, signature: list.signature, items };
            lists.push(PulledList { list, bodies });
        }
        Ok(Step::Pulled { team: frame.team, lists })
    }

    fn state(&mut self, state: State, answer: &mut Answer) -> Result<()> {
        answer.steps.push(Step::Time { server_time_ms: state.server_time_ms });
        if self.asked.keys().any(|team| !state.teams.iter().any(|state| state.team == *team)) {
            return Err(Error::Failed(Code::TeamNotAllowed));
        }
        for team in state.teams {
            if !self.asked.contains_key(&team.team) {
                continue;
            }
            let TeamState { team: id, epoch, cursor, more, .. } = team;
            answer.steps.push(Step::State { team: id, epoch, cursor, more });
            self.states.insert(team.team, team);
        }
        Ok(())
    }
}

/// The error that a refusal stands for. The message of a code known here is our own.
pub fn refusal_error(refusal: &Refusal) -> Error {
    match Code::parse(&refusal.code) {
        Some(code) => Error::Failed(code),
        None => Error::Server { code: refusal.code.clone(), message: refusal.message.clone() },
    }
}

/// How many bytes of a body that was cut are whole frames.
fn whole_frames(body: &[u8]) -> usize {
    let mut reader = Reader::new(body);
    let mut whole = 0;
    let mut next = || {
        reader.u8()?;
        if reader.u8()? == 1 {
            reader.varint()?;
        }
        reader.bytes()?;
        Ok::<usize, wayside_protocol::sync::wire::Malformed>(body.len() - reader.remaining())
    };
    while let Ok(end) = next() {
        whole = end;
    }
    whole
}
