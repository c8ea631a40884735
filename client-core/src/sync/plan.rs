//! Pure: from what the store holds to the batches of the next request.

use std::collections::{HashMap, HashSet};

use wayside_protocol::{
    record::{Hash, RecordId},
    sync::{
        ListItem, PublicKey, SetSum, SignatureBytes,
        frame::{MAX_HELD, Place},
    },
};

/// A list that this tablet signs anew holds at most so many changes.
pub const BATCH_CHANGES: usize = 1024;
/// Well below the frames that a body may hold.
const MAX_BATCHES: usize = 512;
/// What a change costs in a frame beside its bytes: kind, record, number, length; or record and hash alone.
const ITEM_BYTES: usize = 48;
const BATCH_OVERHEAD: usize = 256;

/// This tablet's place in one team's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TeamPlace {
    pub team: RecordId,
    /// Zeros before the first sync.
    pub epoch: [u8; 8],
    pub cursor: u64,
    /// Over everything held up to the cursor.
    pub sum: SetSum,
    /// Held beyond the cursor, as inclusive ranges.
    pub held: Vec<(u64, u64)>,
    /// Everything is being compared again from the beginning of the log.
    pub refilling: bool,
}

impl TeamPlace {
    pub fn to_wire(&self) -> Place {
        Place {
            team: self.team,
            epoch: self.epoch,
            cursor: self.cursor,
            fingerprint: self.sum.fingerprint(),
            // The server sends what is not named here, and it is recognised.
            held: self.held.iter().copied().take(MAX_HELD).collect(),
        }
    }
}

/// Whether there is nothing to say of a team but where the tablet stands.
pub fn is_quiet(place: &TeamPlace, offers: &Offers) -> bool {
    let offered = offers.changes.iter().any(|offer| offer.team == place.team);
    place.epoch != [0; 8] && place.held.is_empty() && !place.refilling && !offered
}

/// A list as its author signed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedList {
    pub author: PublicKey,
    /// The server's word for the author; zeros for the server itself.
    pub certificate: SignatureBytes,
    pub signature: SignatureBytes,
    pub items: Vec<ListItem>,
}

/// A change that the server has not answered for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    pub team: RecordId,
    pub record: RecordId,
    pub hash: Hash,
    pub raw: Vec<u8>,
    /// The list it was pulled in; `None` for one made on this tablet, which can always be signed anew.
    pub list: Option<i64>,
}

/// The first of what there is to offer, in local order within each team.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Offers {
    pub changes: Vec<Offer>,
    pub lists: HashMap<i64, SignedList>,
    /// How many there are in all.
    pub total: u64,
}

/// What one frame offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    pub team: RecordId,
    /// `None`: to be signed by this tablet.
    pub list: Option<i64>,
    /// Indexes into the offers, in the order of the frame.
    pub offers: Vec<usize>,
}

/// Groups offers into batches of about `frame` bytes of changes each and at most `budget` together, and at least one
/// batch. Larger ones compress better, smaller ones cost less to send again after a cut.
///
/// Own changes keep their order. A list of somebody else's goes whole where its first change stands: what that
/// makes arrive early waits at the server for what it builds on, a frame later.
pub fn plan(offers: &Offers, budget: usize, frame: usize) -> Vec<Batch> {
    let mut batches: Vec<Batch> = Vec::new();
    let mut open: Option<(Batch, usize)> = None;
    let mut taken: HashSet<usize> = HashSet::new();
    for (index, offer) in offers.changes.iter().enumerate() {
        if !taken.insert(index) {
            continue;
        }
        let Some(list) = offer.list else {
            let fits = open.as_ref().is_some_and(|(batch, bytes)| {
                batch.team == offer.team
                    && batch.offers.len() < BATCH_CHANGES
                    && bytes + offer.raw.len() <= frame
            });
            if !fits {
                batches.extend(open.take().map(|(batch, _)| batch));
            }
            let (batch, bytes) =
                open.get_or_insert_with(|| (Batch { team: offer.team, list: None, offers: Vec::new() }, 0));
            batch.offers.push(index);
            *bytes += offer.raw.len();
            continue;
        };
        batches.extend(open.take().map(|(batch, _)| batch));
        let position = |offer: &Offer| {
            let items = offers.lists.get(&list).map_or(&[][..], |list| &list.items);
            items.iter().position(|item| *item == (offer.record, offer.hash))
        };
        let mut of_list: Vec<usize> = (index..offers.changes.len())
            .filter(|i| offers.changes.get(*i).is_some_and(|o| o.list == Some(list) && o.team == offer.team))
            .collect();
        of_list.sort_by_key(|i| offers.changes.get(*i).and_then(position));
        taken.extend(&of_list);
        let mut batch = Batch { team: offer.team, list: Some(list), offers: Vec::new() };
        let mut bytes = 0;
        for i in of_list {
            let size = offers.changes.get(i).map_or(0, |offer| offer.raw.len());
            if bytes + size > frame && !batch.offers.is_empty() {
                let next = Batch { offers: Vec::new(), ..batch.clone() };
                batches.push(std::mem::replace(&mut batch, next));
                bytes = 0;
            }
            batch.offers.push(i);
            bytes += size;
        }
        batches.push(batch);
    }
    batches.extend(open.map(|(batch, _)| batch));

    let mut spent = 0;
    let mut within = 0;
    for batch in batches.iter().take(MAX_BATCHES) {
        let bodies: usize =
            batch.offers.iter().filter_map(|i| offers.changes.get(*i)).map(|offer| offer.raw.len()).sum();
        let items =
            batch.list.and_then(|no| offers.lists.get(&no)).map_or(batch.offers.len(), |l| l.items.len());
        spent += bodies + items * ITEM_BYTES + BATCH_OVERHEAD;
        if within > 0 && spent > budget {
            break;
        }
        within += 1;
    }
    batches.truncate(within);
    batches
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: usize = 256 << 10;
    const TEAM: RecordId = RecordId::from_bytes([9; 16]);

    fn offer(n: u8, size: usize, list: Option<i64>) -> Offer {
        let record = RecordId::from_bytes([n; 16]);
        Offer { team: TEAM, record, hash: [n; 32], raw: vec![0; size], list }
    }

    fn offers(changes: Vec<Offer>, lists: &[(i64, &[u8])]) -> Offers {
        let list = |items: &[u8]| SignedList {
            author: [1; 32],
            certificate: [2; 64],
            signature: [3; 64],
            items: items.iter().map(|n| (RecordId::from_bytes([*n; 16]), [*n; 32])).collect(),
        };
        let lists = lists.iter().map(|(no, items)| (*no, list(items))).collect();
        Offers { total: changes.len() as u64, changes, lists }
    }

    #[test]
    fn nothing_to_offer_is_no_batch() {
        assert_eq!(plan(&Offers::default(), 1 << 20, FRAME), []);
    }

    #[test]
    fn batches_are_bounded_and_keep_the_order() {
        let all = offers((0..100).map(|n| offer(n, 8000, None)).collect(), &[]);
        let batches = plan(&all, 1 << 20, FRAME);
        assert_eq!(batches.len(), 4);
        let order: Vec<usize> = batches.iter().flat_map(|batch| batch.offers.clone()).collect();
        assert_eq!(order, (0..100).collect::<Vec<_>>());
        // A small budget still sends one batch.
        assert_eq!(plan(&all, 1, FRAME).len(), 1);
        // A change larger than a batch goes alone.
        let large = offers(vec![offer(1, 10, None), offer(2, 600_000, None), offer(3, 10, None)], &[]);
        let sizes: Vec<usize> = plan(&large, 1 << 20, FRAME).iter().map(|batch| batch.offers.len()).collect();
        assert_eq!(sizes, [1, 1, 1]);
    }

    #[test]
    fn a_list_of_another_author_stays_as_it_was_signed() {
        let changes =
            vec![offer(1, 10, None), offer(4, 10, Some(7)), offer(2, 10, None), offer(3, 10, Some(7))];
        let all = offers(changes, &[(7, &[3, 4, 5])]);
        let batches = plan(&all, 1 << 20, FRAME);
        let shape: Vec<(Option<i64>, Vec<usize>)> =
            batches.into_iter().map(|batch| (batch.list, batch.offers)).collect();
        assert_eq!(shape, [(None, vec![0]), (Some(7), vec![3, 1]), (None, vec![2])]);
    }
}
