//! Honest changes pass, and are read as they were written.

use super::craft::*;

use automerge::transaction::Transactable;
use automerge::{ActorId, Automerge, Change, ROOT, ReadDoc, ScalarValue};
use wayside_protocol::error::Code;
use wayside_protocol::record::chunk::{self};

#[test]
fn honest_changes_pass_and_are_read_as_written() {
    let mut first = document(1);
    let mut accepted: Vec<Vec<u8>> = Vec::new();
    let mut admitted = |raw: Vec<u8>, expected: Option<Vec<(&str, ScalarValue)>>| {
        assert_eq!(admit(&accepted, &raw), Ok(()));
        let chunk = chunk::parse(&raw).unwrap();
        let change = Change::from_bytes(raw.clone()).unwrap();
        assert_eq!(chunk.hash, change.hash().0);
        assert_eq!(chunk.deps, change.deps().iter().map(|dep| dep.0).collect::<Vec<_>>());
        assert_eq!(chunk.actor, change.actor_id().to_bytes());
        assert_eq!((chunk.seq, chunk.start_op), (change.seq(), change.start_op().get()));
        assert_eq!((chunk.time, Some(chunk.message)), (change.timestamp(), change.message()));
        assert_eq!((chunk.ops, chunk.max_op()), (change.len() as u64, change.max_op()));
        if let Some(expected) = expected {
            let written: Vec<_> = chunk.writes().map(|(key, value)| (key, owned(value))).collect();
            assert_eq!(written, expected);
        }
        accepted.push(raw);
        assert_shows(&reload(&accepted), accepted.last().unwrap());
    };
    admitted(put(&mut first, &honest_writes()), Some(honest_writes()));
    let keys: Vec<String> = (0..50).map(|n| format!("bp/readings/{n:08}")).collect();
    let fifty: Vec<_> = keys.iter().map(|key| (key.as_str(), ScalarValue::from(key.as_str()))).collect();
    admitted(put(&mut first, &fifty), Some(fifty.clone()));

    // Three edits of one field on the same heads, the two others by fresh authors.
    let heads = first.get_heads();
    let mut second = first.fork_at(&heads).unwrap().with_actor(ActorId::from([9; 16]));
    let mut third = first.fork_at(&heads).unwrap().with_actor(ActorId::from([3; 16]));
    let edit = |value: &str| vec![("name/given", ScalarValue::from(value)), ("a/true", ScalarValue::Null)];
    for (document, value) in [(&mut first, "A"), (&mut second, "B"), (&mut third, "C")] {
        admitted(put(document, &edit(value)), Some(edit(value)));
    }
    // Three equal values are no conflict to a person, but three values to Automerge.
    first.merge(&mut second).unwrap();
    first.merge(&mut third).unwrap();
    assert_eq!(first.get_all(ROOT, "name/given").unwrap().len(), 3);
    // One with three dependencies, which settles the conflict and replaces three operations.
    let settled = vec![("name/given", "D".into()), ("a/true", false.into()), ("a/true", ScalarValue::Null)];
    admitted(put(&mut first, &edit("D")), Some(settled));
    let settled = accepted.last().unwrap();
    let chunk = chunk::parse(settled).unwrap();
    assert_eq!((chunk.deps.len(), chunk.replaces().next().unwrap().1.len()), (3, 3));

    // An edit made on heads that the screen showed, long past, by a fresh author.
    let mut late = first.fork_at(&heads).unwrap().with_actor(ActorId::from([4; 16]));
    let raw = put(&mut late, &edit("E"));
    assert_eq!(admit(&accepted, &raw), Ok(()));
}

#[test]
fn a_key_put_twice_in_one_transaction_is_two_chained_operations() {
    let mut tablet = document(1);
    let before = put(&mut tablet, &[("k", 0.into())]);
    let raw = put(&mut tablet, &[("k", 1.into()), ("other", 5.into()), ("k", 2.into()), ("k", 3.into())]);
    let chunk = chunk::parse(&raw).unwrap();
    assert_eq!(chunk.keys().collect::<Vec<_>>(), ["k", "other", "k", "k"]);
    assert_eq!(admit(&[before], &raw), Ok(()));
}

/// `put` of the value that wins a conflict does not set it: it deletes the others. Wayside refuses deletes,
/// so a client that settles a conflict on the value shown first sets another one, in the same transaction.
/// What is admitted then says which value was chosen, and by whom.
#[test]
fn settling_a_conflict_on_the_value_shown_is_a_delete_in_automerge() {
    let mut tablet = document(1);
    let first = put(&mut tablet, &[("k", 1.into())]);
    let mut other = tablet.fork().with_actor(ActorId::from([2; 16]));
    let left = put(&mut tablet, &[("k", 2.into())]);
    let right = put(&mut other, &[("k", 3.into())]);
    tablet.merge(&mut other).unwrap();
    let accepted = [first, left, right];
    let shown = tablet.get(ROOT, "k").unwrap().unwrap().0.into_scalar().unwrap();

    let raw = commit(&mut tablet.clone(), |tx| tx.put(ROOT, "k", shown.clone()).unwrap());
    let operations = Change::from_bytes(raw.clone()).unwrap().decode().operations;
    assert_eq!(operations[0].action, automerge::legacy::OpType::Delete, "trap");
    assert_eq!(parse_error(&raw), Some(Code::OperationRefused));

    let raw = put(&mut tablet, &[("k", shown.clone())]);
    let written: Vec<_> = chunk::parse(&raw).unwrap().writes().map(|(_, value)| owned(value)).collect();
    assert_eq!(written, [ScalarValue::Null, shown]);
    assert_eq!(admit(&accepted, &raw), Ok(()));
    assert_eq!(tablet.get_all(ROOT, "k").unwrap().len(), 1);
}

#[test]
fn a_key_put_twice_without_chaining_would_be_in_conflict_with_itself() {
    let raw = Craft::new(&[int("k", 1), int("k", 2)]).raw();
    let mut bare = Automerge::new();
    bare.load_incremental(&raw).unwrap();
    assert_eq!(bare.get_all(ROOT, "k").unwrap().len(), 2, "trap");
    assert_eq!(parse_error(&raw), Some(Code::OperationRefused));

    let chained = Craft::new(&[int("k", 1), int("k", 2).replacing(&[(0, 1)])]).raw();
    assert_eq!(admit(&[], &chained), Ok(()));
    // The third replaces the first again, and leaves the second in conflict.
    let forked = [int("k", 1), int("k", 2).replacing(&[(0, 1)]), int("k", 3).replacing(&[(0, 1)])];
    assert_eq!(parse_error(&Craft::new(&forked).raw()), Some(Code::OperationRefused));
    // Itself, a later one, and one of another key.
    let itself = Craft::new(&[int("k", 1).replacing(&[(0, 1)])]);
    assert_eq!(parse_error(&itself.raw()), Some(Code::ChangeMalformed));
    let later = Craft::new(&[int("k", 1).replacing(&[(0, 2)]), int("k", 2)]);
    assert_eq!(parse_error(&later.raw()), Some(Code::ChangeMalformed));
    let other = Craft::new(&[int("k", 1), int("l", 2).replacing(&[(0, 1)])]);
    assert_eq!(parse_error(&other.raw()), Some(Code::OperationRefused));
}

#[test]
fn the_encoder_of_these_tests_writes_what_automerge_writes() {
    let mut tablet = document(7);
    let raw = commit(&mut tablet, |tx| {
        tx.put(ROOT, "a", 1).unwrap();
        tx.put(ROOT, "b", -1).unwrap();
    });
    let crafted = Craft { message: br#"{"by":"s1"}"#.to_vec(), ..Craft::new(&[int("a", 1), int("b", -1)]) };
    assert_eq!(crafted.raw(), raw);
    assert_eq!(seal(1, contents(&raw)), raw);
}
