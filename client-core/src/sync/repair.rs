//! Comparing with the server what both should hold, without I/O: which of it the server lost, which of it never came.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use wayside_protocol::{
    error::Code,
    record::{Hash, RecordId, chunk},
    sync::{
        Frame,
        frame::{MAX_WANTED, Reconcile, Want},
        reconcile::{Brief, Comparison, PairId, Pairs, brief, pair_id},
    },
};

use super::{
    plan::{TeamPlace, is_quiet},
    step::{Outline, Step},
};
use crate::{
    error::{Error, Result},
    store::log::{Epoch, PulledList},
};

/// What is held of the teams that must be compared.
pub type Held = BTreeMap<RecordId, Vec<(RecordId, Hash)>>;

/// The comparisons of one sync. One that is cut begins again in the next: it is a few small turns.
#[derive(Default)]
pub struct Repairs(BTreeMap<RecordId, Repair>);

struct Repair {
    epoch: Epoch,
    /// The log is compared up to here; 0 until the server has said.
    head: u64,
    /// What was held when it began: what is recorded meanwhile is not compared.
    held: HashSet<PairId>,
    comparison: Comparison,
    turn: Turn,
    /// Whether the last answer brought anything.
    moved: bool,
    /// It said that something wanted was erased since.
    erased: bool,
}

enum Turn {
    Ask(Vec<u8>),
    /// These are missing here.
    Want(BTreeMap<Brief, PairId>),
    /// Too much is missing to name it: the whole log comes, and what is held of it is recognised.
    PullAll,
}

impl Repairs {
    /// What is shown of the last receipt, and what is asked about teams that must be compared; and whether any must.
    pub fn frames(&mut self, outline: &Outline) -> Result<(Vec<Frame>, bool)> {
        let mut frames = Vec::new();
        if let Some(receipt) = &outline.receipt {
            frames.push(Frame::Token(receipt.token));
            // The whole of it where the server may need it: while nothing is new every place says the same.
            if !outline.places.iter().all(|place| is_quiet(place, &outline.offers)) {
                frames.push(Frame::Receipt(receipt.clone()));
            }
        }
        let shown = frames.len();
        for place in outline.places.iter().filter(|place| place.refilling) {
            frames.extend(self.ask(place, &outline.held)?);
        }
        let asks = frames.len() > shown;
        Ok((frames, asks))
    }

    /// What to ask about a team that must be compared. Nothing: it is pulled from its beginning.
    fn ask(&mut self, place: &TeamPlace, held: &Held) -> Result<Option<Frame>> {
        let TeamPlace { team, epoch, .. } = *place;
        if self.0.get(&team).is_none_or(|repair| repair.epoch != epoch) {
            let pairs = held.get(&team).map_or(&[][..], Vec::as_slice);
            let ids = pairs.iter().map(|(record, hash)| pair_id(*record, hash)).collect();
            let (comparison, message) = Comparison::begin(Pairs::new(pairs.iter().copied()))?;
            let turn = Turn::Ask(message);
            self.0.insert(
                team,
                Repair { epoch, head: 0, held: ids, comparison, turn, moved: true, erased: false },
            );
        }
        let Some(repair) = self.0.get_mut(&team) else { return Ok(None) };
        // Every turn is answered with something, or this would go on for ever.
        if !std::mem::take(&mut repair.moved) {
            return Err(Error::Failed(Code::NotSettled));
        }
        let head = repair.head;
        Ok(match &repair.turn {
            Turn::Ask(message) => {
                Some(Frame::Reconcile(Reconcile { team, epoch, head, message: message.clone() }))
            }
            Turn::Want(wanted) => {
                let briefs = wanted.keys().copied().collect();
                Some(Frame::Want(Want { team, epoch, head, briefs }))
            }
            Turn::PullAll => {
                repair.moved = true;
                None
            }
        })
    }

    /// Takes an answer to a question.
    pub fn answered(&mut self, answer: &Reconcile) -> Result<()> {
        let malformed = Error::Failed(Code::FrameMalformed);
        let Some(repair) = self.0.get_mut(&answer.team) else { return Err(malformed) };
        let asked = repair.head == 0 || repair.head == answer.head;
        if !matches!(repair.turn, Turn::Ask(_)) || answer.epoch != repair.epoch || !asked {
            return Err(malformed);
        }
        repair.head = answer.head;
        repair.moved = true;
        repair.turn = match repair.comparison.go_on(&answer.message)? {
            Some(next) => Turn::Ask(next),
            None if repair.comparison.theirs.len() > MAX_WANTED => Turn::PullAll,
            None => Turn::Want(repair.comparison.theirs.iter().map(|id| (brief(id), *id)).collect()),
        };
        Ok(())
    }

    /// Changes of a team came.
    pub fn arrived(&mut self, team: RecordId, lists: &[PulledList]) {
        let Some(repair) = self.0.get_mut(&team) else { return };
        let Turn::Want(wanted) = &mut repair.turn else { return };
        for (record, _, raw) in lists.iter().flat_map(|list| &list.bodies) {
            let Ok(chunk) = chunk::parse(raw) else { continue };
            repair.moved |= wanted.remove(&brief(&pair_id(*record, &chunk.hash))).is_some();
        }
    }

    /// The last questions were not looked at.
    pub fn refused(&mut self) {
        self.0.values_mut().for_each(|repair| repair.moved = true);
    }

    /// What was compared of a team says nothing any more.
    pub fn forget(&mut self, team: RecordId) {
        self.0.remove(&team);
    }

    /// Something of a team was erased.
    pub fn erased(&mut self, team: RecordId) {
        if let Some(repair) = self.0.get_mut(&team) {
            repair.erased = true;
        }
    }

    /// What is done at the end of an answer: nothing is missing any more.
    pub fn done(&mut self) -> Vec<Step> {
        for repair in self.0.values_mut() {
            // As much of what is wanted comes as an answer holds: if none does, the rest was erased.
            if std::mem::take(&mut repair.erased)
                && !repair.moved
                && let Turn::Want(wanted) = &mut repair.turn
            {
                wanted.clear();
            }
        }
        let complete = |repair: &Repair| matches!(&repair.turn, Turn::Want(wanted) if wanted.is_empty());
        let done: Vec<RecordId> =
            self.0.iter().filter(|(_, repair)| complete(repair)).map(|(team, _)| *team).collect();
        let steps = done.into_iter().filter_map(|team| {
            let Repair { epoch, head, held, comparison, .. } = self.0.remove(&team)?;
            let lost: &BTreeSet<PairId> = &comparison.ours;
            let common = held.into_iter().filter(|id| !lost.contains(id)).collect();
            Some(Step::Repaired { team, epoch, head, common })
        });
        steps.collect()
    }
}
