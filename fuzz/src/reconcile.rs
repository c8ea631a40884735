//! Messages of a comparison, from either side.
//!
//! Nothing panics; an answer stays within its limit; what is said to be held here alone is held here; and two honest
//! sides find exactly what differs.
//!
//! The first byte chooses among sets, the next ten which of the first 40 pairs each of two sides holds; then messages,
//! each a length (2 bytes, little-endian) and its bytes.

use std::{collections::BTreeSet, sync::LazyLock};

use wayside_protocol::{
    record::RecordId,
    sync::reconcile::{Comparison, MAX_MESSAGE, PairId, Pairs, pair_id},
};

const MOST: usize = 8;
pub const SIZES: [usize; 4] = [0, 1, 40, 700];

type Pair = (RecordId, [u8; 32]);

static SETS: LazyLock<[(Pairs, BTreeSet<PairId>); 4]> =
    LazyLock::new(|| SIZES.map(|size| (Pairs::new((0..size).map(pair)), ids((0..size).map(pair)))));

pub fn run(input: &[u8]) {
    let Some((choice, rest)) = input.split_first_chunk::<11>() else { return };
    let [set, here @ .., f, g, h, i, j] = *choice;
    honest(&here, &[f, g, h, i, j]);
    let Some((pairs, held)) = SETS.get(usize::from(set) % SIZES.len()) else { return };
    let (mut comparison, _) = Comparison::begin(pairs.clone()).expect("a beginning");
    for message in messages(rest) {
        if let Ok(answer) = pairs.answer(message) {
            assert!(answer.len() <= MAX_MESSAGE, "{} bytes", answer.len());
        }
        if let Ok(Some(next)) = comparison.go_on(message) {
            assert!(next.len() <= MAX_MESSAGE, "{} bytes", next.len());
        }
        assert!(comparison.ours.is_subset(held), "ours are ours");
        assert!(comparison.theirs.len() <= rest.len() / size_of::<PairId>(), "theirs were named");
    }
}

fn messages(mut rest: &[u8]) -> Vec<&[u8]> {
    let mut messages = Vec::new();
    while let [low, high, after @ ..] = rest
        && messages.len() < MOST
    {
        let length = usize::from(u16::from_le_bytes([*low, *high])).min(after.len());
        let (message, after) = after.split_at(length);
        messages.push(message);
        rest = after;
    }
    messages
}

fn honest(here: &[u8; 5], there: &[u8; 5]) {
    let of = |held: &[u8; 5]| -> Vec<Pair> {
        (0..40).filter(|n| held.get(n / 8).is_some_and(|byte| byte >> (n % 8) & 1 == 1)).map(pair).collect()
    };
    let (here, there) = (of(here), of(there));
    let other = Pairs::new(there.iter().copied());
    let (mut comparison, first) = Comparison::begin(Pairs::new(here.iter().copied())).expect("a beginning");
    let mut message = Some(first);
    while let Some(question) = message {
        let answer = other.answer(&question).expect("an answer");
        message = comparison.go_on(&answer).expect("the next question");
    }
    let (here, there) = (ids(here.into_iter()), ids(there.into_iter()));
    assert_eq!(comparison.ours, here.difference(&there).copied().collect());
    assert_eq!(comparison.theirs, there.difference(&here).copied().collect());
}

/// Some of one moment, as the records of a busy minute are.
pub fn pair(n: usize) -> Pair {
    let made = 1_795_179_990_000 + 70_000 * (n as u64 / 3);
    (RecordId::fresh(made, &[n as u8; 10]), [n as u8 ^ (n >> 8) as u8; 32])
}

fn ids(pairs: impl Iterator<Item = Pair>) -> BTreeSet<PairId> {
    pairs.map(|(record, hash)| pair_id(record, &hash)).collect()
}
