//! A change among others: numbering, dependencies, history.

use super::craft::*;

use automerge::{ActorId, Automerge, AutomergeError, Change, ChangeHash, ROOT, ReadDoc};
use wayside_protocol::error::Code;
use wayside_protocol::record::admit::{Fit, History, apply_checked, apply_checked_on};
use wayside_protocol::record::chunk::{self};

#[test]
fn a_start_op_near_the_end_panics_the_next_honest_edit() {
    let mut tablet = document(1);
    let first = put(&mut tablet, &[("k", 1.into())]);
    let hostile = Craft { actor: vec![5; 16], seq: 1, ..Craft::after(&first, &[int("l", 1)]) };
    let raw = Craft { start_op: (1 << 32) - 2, ..hostile.clone() }.raw();
    let mut bare = Automerge::new();
    bare.load_incremental(&first).unwrap();
    bare.load_incremental(&raw).unwrap();
    let mut bare = Automerge::load(&bare.save()).expect("it even reloads");
    let edited = quietly(|| {
        put(&mut bare, &[("m", 1.into())]);
        put(&mut bare, &[("m", 2.into())])
    });
    assert!(edited.is_err(), "trap");
    assert_eq!(parse_error(&raw), Some(Code::StartOpWrong));

    // One that skips a single number already eats up the room of everyone after it.
    for start_op in [1, 3, (1 << 31) - 1] {
        let raw = Craft { start_op, ..hostile.clone() }.raw();
        assert_eq!(admit(std::slice::from_ref(&first), &raw), Err(Code::StartOpWrong), "{start_op}");
    }
    assert_eq!(admit(&[first], &hostile.raw()), Ok(()));
    let beginning = Craft { start_op: 2, ..Craft::new(&[int("k", 1)]) }.raw();
    assert_eq!(admit(&[], &beginning), Err(Code::StartOpWrong));
}

#[test]
fn start_op_counts_all_ancestors_and_only_those() {
    let mut tablet = document(1);
    let first = put(&mut tablet, &[("k", 1.into())]);
    let mut long = tablet.fork().with_actor(ActorId::from([2; 16]));
    let three = put(&mut long, &[("a", 1.into()), ("b", 1.into()), ("c", 1.into())]);
    let short = put(&mut tablet, &[("d", 1.into())]);
    let hash = |raw: &[u8]| chunk::parse(raw).unwrap().hash;
    let accepted = [first.clone(), three.clone(), short.clone()];
    let fresh = Craft { actor: vec![5; 16], ..Craft::new(&[int("l", 1)]) };
    let mut both = vec![hash(&three), hash(&short)];
    both.sort_unstable();
    for (deps, right) in [(vec![], 1), (vec![hash(&first)], 2), (vec![hash(&short)], 3), (both, 5)] {
        for start_op in 1..7 {
            let raw = Craft { deps: deps.clone(), start_op, ..fresh.clone() }.raw();
            let expected = if start_op == right { Ok(()) } else { Err(Code::StartOpWrong) };
            assert_eq!(admit(&accepted, &raw), expected, "{start_op} of {right}");
        }
    }
}

#[test]
fn one_duplicate_sequence_number_rejects_a_whole_batch() {
    let beginning = put(&mut document(1), &[("k", 1.into())]);
    let other = put(&mut document(1), &[("k", 2.into())]);
    let innocent = put(&mut document(2), &[("k", 3.into())]);
    let change = |raw: &Vec<u8>| Change::from_bytes(raw.clone()).unwrap();
    let mut bare = Automerge::new();
    bare.load_incremental(&beginning).unwrap();
    let batch = bare.apply_changes([change(&innocent), change(&other)]);
    assert!(matches!(batch, Err(AutomergeError::DuplicateSeqNumber(1, _))), "trap");
    assert_eq!(bare.get_heads().len(), 1, "trap: the innocent one is gone");

    let accepted = [beginning];
    assert_eq!(admit(&accepted, &other), Err(Code::ActorCollision));
    assert_eq!(admit(&accepted, &innocent), Ok(()));
    // Refused at once, also when it says that it waits for something: no arrival makes it right.
    let waiting = Craft { actor: vec![1; 16], deps: vec![[9; 32]], ..Craft::new(&[int("k", 2)]) }.raw();
    assert_eq!(admit(&accepted, &waiting), Err(Code::ActorCollision));
}

#[test]
fn a_gap_in_the_sequence_panics_in_automerge() {
    let mut tablet = document(1);
    let first = put(&mut tablet, &[("k", 1.into())]);
    let second = put(&mut tablet, &[("k", 2.into())]);
    let gap = Craft { seq: 3, ..Craft::after(&first, &[int("l", 1)]) }.raw();
    let mut bare = Automerge::new();
    bare.load_incremental(&first).unwrap();
    assert!(quietly(|| bare.load_incremental(&gap).is_ok()).is_err(), "trap");

    assert_eq!(admit(std::slice::from_ref(&first), &gap), Err(Code::SequenceGap));
    // The previous change exists, but the author did not build on it.
    assert_eq!(admit(&[first.clone(), second], &gap), Err(Code::SequenceGap));
    let stranger = Craft { seq: 2, actor: vec![5; 16], ..Craft::after(&first, &[int("l", 1)]) }.raw();
    assert_eq!(admit(std::slice::from_ref(&first), &stranger), Err(Code::SequenceGap));

    // The scratch document survives no panic, and the one behind `None` is loaded again.
    let mut scratch = None;
    let accepted = refs(std::slice::from_ref(&first));
    let panicked = quietly(|| apply_checked_on(&mut scratch, &accepted, &gap));
    assert_eq!(panicked.unwrap(), Err(Code::ChangeUnreadable));
    assert!(scratch.is_none());
    let good = put(
        &mut tablet.fork_at(&[ChangeHash(chunk::parse(&first).unwrap().hash)]).unwrap(),
        &[("m", 1.into())],
    );
    assert_eq!(apply_checked_on(&mut scratch, &accepted, &good), Ok(()));
    assert!(scratch.is_some());
}

#[test]
fn a_change_whose_dependencies_are_missing_waits() {
    let mut tablet = document(1);
    let first = put(&mut tablet, &[("k", 1.into())]);
    let second = put(&mut tablet, &[("k", 2.into())]);
    let third = put(&mut tablet, &[("k", 3.into())]);
    let mut bare = Automerge::new();
    bare.load_incremental(&first).unwrap();
    assert!(bare.load_incremental(&third).is_ok(), "trap: success");
    assert_eq!(bare.get(ROOT, "k").unwrap().unwrap().0, 1.into(), "trap: nothing happened");

    let chunk = |raw| chunk::parse(raw).unwrap();
    let mut history = history(std::slice::from_ref(&first));
    assert_eq!(history.fit(&chunk(&third)), Fit::Waits(vec![chunk(&second).hash]));
    assert_eq!(apply_checked(&[&first], &third), Err(Code::ChangeUnreadable));
    assert_eq!(history.fit(&chunk(&first)), Fit::Known);
    assert_eq!(history.fit(&chunk(&second)), Fit::Fits);
    history.insert(&chunk(&second));
    history.insert(&chunk(&second));
    assert_eq!((history.len(), history.contains(&chunk(&second).hash)), (2, true));
    assert_eq!(history.fit(&chunk(&third)), Fit::Fits);
}

#[test]
fn load_incremental_swallows_a_corrupt_tail() {
    let mut tablet = document(1);
    let first = put(&mut tablet, &[("k", 1.into())]);
    let mut second = put(&mut tablet, &[("k", 2.into())]);
    *second.last_mut().unwrap() ^= 1;
    let both = [first.clone(), second.clone()].concat();
    let mut bare = Automerge::new();
    assert_eq!(bare.load_incremental(&both).ok(), Some(0), "trap: success");
    assert!(bare.get_heads().is_empty(), "trap: into an empty document, not even the good one");

    // An accepted history that does not load is not the fault of the change that comes next.
    let third = put(&mut tablet, &[("k", 3.into())]);
    assert_eq!(apply_checked(&[&first, &second], &third), Err(Code::Internal));
}

#[test]
fn a_change_that_no_longer_reloads_is_refused() {
    // Accepted by Automerge, and lost at the next load: it replaces what is not there.
    let raw = Craft { start_op: 9, ..Craft::new(&[int("k", 1).replacing(&[(0, 3)])]) }.raw();
    let mut bare = Automerge::new();
    bare.load_incremental(&raw).unwrap();
    assert_eq!(bare.get_heads().len(), 1, "trap");
    assert!(!matches!(quietly(|| Automerge::load(&bare.save()).is_ok()), Ok(true)), "trap");

    assert!(chunk::parse(&raw).is_ok());
    assert_eq!(quietly(|| apply_checked(&[], &raw)).unwrap(), Err(Code::ChangeUnreadable));
}

#[test]
fn history_walks_diamonds_once() {
    // Sixty levels of two changes on two heads: 2^60 paths.
    let mut history = History::new();
    let mut below: Vec<[u8; 32]> = vec![];
    let mut previous: Option<([u8; 32], u64)> = None;
    for level in 0..60u64 {
        let mut heads = vec![];
        for side in 0..2u8 {
            let actor = [vec![side], vec![level as u8; 15]].concat();
            let craft =
                Craft { deps: below.clone(), actor, start_op: level + 1, ..Craft::new(&[int("k", 1)]) };
            let raw = craft.raw();
            let chunk = chunk::parse(&raw).unwrap();
            assert_eq!(history.fit(&chunk), Fit::Fits);
            history.insert(&chunk);
            heads.push(chunk.hash);
            previous = Some((chunk.hash, chunk.max_op()));
        }
        heads.sort_unstable();
        below = heads;
    }
    assert_eq!(previous.map(|(_, max_op)| max_op), Some(60));
}
