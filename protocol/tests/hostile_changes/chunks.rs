//! One change by itself: its chunk, and that it sets nothing but scalars at the root.

use super::craft::*;

use automerge::marks::{ExpandMark, Mark};
use automerge::transaction::{CommitOptions, Transactable, Transaction};
use automerge::{Automerge, AutomergeError, Change, ObjType, ROOT, ReadDoc, ScalarValue};
use wayside_protocol::error::Code;
use wayside_protocol::record::chunk::{self};

#[test]
fn compressed_chunks_are_refused_before_they_are_inflated() {
    let mut bare = document(1);
    bare.transact::<_, _, AutomergeError>(|tx| tx.put(ROOT, "k", "a".repeat(4_000_000))).unwrap();
    let mut change = bare.get_change_by_hash(&bare.get_heads()[0]).unwrap();
    let compressed = change.bytes().into_owned();
    assert!(compressed.len() < chunk::MAX_BYTES);
    let inflated = Change::from_bytes(compressed.clone()).unwrap();
    assert!(inflated.raw_bytes().len() > 500 * compressed.len(), "trap");

    assert_eq!(parse_error(&compressed), Some(Code::ChangeCompressed));
    // Also as a column within a plain chunk.
    let mut craft = Craft::new(&[int("k", 1)]);
    craft.columns[0].0 |= 8;
    assert_eq!(parse_error(&craft.raw()), Some(Code::ChangeCompressed));
}

#[test]
fn only_one_plain_chunk_and_nothing_after_it() {
    let raw = one_change();
    assert_eq!(parse_error(&raw), None);
    for len in 0..raw.len() {
        assert_eq!(parse_error(&raw[..len]), Some(Code::ChangeMalformed), "cut at {len}");
    }
    for tail in [&[0][..], &raw] {
        assert_eq!(parse_error(&[&raw, tail].concat()), Some(Code::ChangeMalformed));
    }
    let mut magic = raw.clone();
    magic[0] ^= 1;
    assert_eq!(parse_error(&magic), Some(Code::ChangeMalformed));
    for chunk_type in [0, 3, 4, 255] {
        assert_eq!(parse_error(&seal(chunk_type, contents(&raw))), Some(Code::ChangeMalformed));
    }
    assert_eq!(parse_error(&seal(2, contents(&raw))), Some(Code::ChangeCompressed));
    // A whole document is not a change.
    let mut saved = Automerge::new();
    saved.load_incremental(&raw).unwrap();
    assert_eq!(parse_error(&saved.save()), Some(Code::ChangeMalformed));
    assert_eq!(parse_error(&saved.save_nocompress()), Some(Code::ChangeMalformed));
    // A length in more bytes than it needs is another spelling of the same hash.
    let mut overlong = raw[..9].to_vec();
    let length = contents(&raw).len() as u64;
    overlong.extend([length as u8 | 0x80, (length >> 7) as u8 | 0x80, 0]);
    overlong.extend(contents(&raw));
    assert_eq!(parse_error(&overlong), Some(Code::ChangeMalformed));
}

#[test]
fn the_checksum_is_verified() {
    let mut raw = one_change();
    raw[4] ^= 1;
    assert!(Change::from_bytes(raw.clone()).is_ok(), "trap: from_bytes does not look");
    assert!(Automerge::new().load_incremental(&raw).is_err());
    assert_eq!(parse_error(&raw), Some(Code::ChangeChecksum));
}

#[test]
fn size_is_capped() {
    let room = Craft::new(&[int("k", 1)]).raw().len() - 1 + 2;
    let message = |len: usize| Craft { message: vec![b'm'; len], ..Craft::new(&[int("k", 1)]) };
    let largest = message(chunk::MAX_BYTES - room - 2).raw();
    assert_eq!(largest.len(), chunk::MAX_BYTES);
    assert_eq!(admit(&[], &largest), Ok(()));
    assert_eq!(parse_error(&message(chunk::MAX_BYTES - room - 1).raw()), Some(Code::ChangeTooLarge));
}

#[test]
fn declared_runs_are_counted_before_anything_iterates() {
    // 100,000 operations in about a hundred bytes. Every one more digit costs a bare Automerge ten times the
    // memory and time, and the sender one bit.
    let bomb = |count: i64| {
        Craft::new(&[])
            .column(21, run(count, &prefixed(b"k")))
            .column(52, uleb(count as u64))
            .column(66, run(count, &uleb(1)))
            .column(86, run(count, &uleb(0)))
            .column(112, run(count, &uleb(0)))
            .raw()
    };
    let raw = bomb(100_000);
    assert!(raw.len() < 120);
    assert_eq!(Change::from_bytes(raw.clone()).unwrap().len(), 100_000, "trap");
    assert_eq!(parse_error(&raw), Some(Code::ChangeTooLarge));
    assert_eq!(parse_error(&bomb(i64::MAX)), Some(Code::ChangeTooLarge));

    // The same in any one column.
    let honest = Craft::new(&[int("k", 1), int("k", 2).replacing(&[(0, 1)])]);
    assert_eq!(parse_error(&honest.raw()), None);
    for billions in [10_001, 4_000_000_000, i64::MAX] {
        for spec in [21, 66, 86, 112, 113, 115] {
            for column in [
                run(billions, &prefixed(b"")),
                // A literal run, and a run of nulls.
                [sleb(-billions), vec![1]].concat(),
                [sleb(0), uleb(billions as u64)].concat(),
            ] {
                let raw = honest.clone().column(spec, column).raw();
                assert_eq!(parse_error(&raw), Some(Code::ChangeTooLarge), "{spec}: {billions}");
            }
        }
        let raw = honest.clone().column(52, uleb(billions as u64)).raw();
        assert_eq!(parse_error(&raw), Some(Code::ChangeTooLarge), "{billions}");
    }
    // Many runs, each within bounds.
    let runs: Vec<u8> = (0..3).flat_map(|n| run(9_000, &uleb(n % 2))).collect();
    assert_eq!(parse_error(&honest.clone().column(66, runs).raw()), Some(Code::ChangeTooLarge));
}

#[test]
fn declared_counts_and_lengths_reserve_nothing() {
    let with = |edit: &dyn Fn(&mut Vec<u8>)| {
        let mut contents = Craft::new(&[int("k", 1)]).contents();
        edit(&mut contents);
        parse_error(&seal(1, &contents))
    };
    let huge = uleb(u64::MAX);
    // Dependencies; the actor's length; the message's length (after actor, seq, start_op and time).
    assert_eq!(with(&|c| drop(c.splice(0..1, huge.clone()))), Some(Code::ChangeTooLarge));
    assert_eq!(with(&|c| drop(c.splice(1..2, huge.clone()))), Some(Code::ChangeMalformed));
    assert_eq!(with(&|c| drop(c.splice(21..22, huge.clone()))), Some(Code::ChangeMalformed));
    // Other authors, columns, and the length of a column.
    assert_eq!(with(&|c| drop(c.splice(23..24, huge.clone()))), Some(Code::ChangeTooLarge));
    assert_eq!(with(&|c| drop(c.splice(24..25, huge.clone()))), Some(Code::ChangeMalformed));
    let mut craft = Craft::new(&[int("k", 1)]);
    craft.declared = vec![(21, u64::MAX), (52, 2)];
    assert_eq!(parse_error(&craft.raw()), Some(Code::ChangeMalformed));
    // The length of a string, of a value, and a count of replaced operations.
    let craft = Craft::new(&[int("k", 1)]);
    for (spec, column) in
        [(21, run(-1, &huge)), (86, run(-1, &uleb(u64::MAX << 4 | 6))), (112, run(-1, &huge))]
    {
        assert_eq!(parse_error(&craft.clone().column(spec, column).raw()), Some(Code::ChangeMalformed));
    }
}

#[test]
fn ten_thousand_operations_pass_and_no_more() {
    // The worst honest shape: one key, set over and over, each replacing the one before.
    let count = |n: i64| {
        Craft::new(&[])
            .column(21, run(n, &prefixed(b"k")))
            .column(52, uleb(n as u64))
            .column(66, run(n, &uleb(1)))
            .column(86, run(n, &uleb(0)))
            .column(112, [run(-1, &uleb(0)), run(n - 1, &uleb(1))].concat())
            .column(113, run(n - 1, &uleb(0)))
            .column(115, run(n - 1, &sleb(1)))
            .raw()
    };
    assert_eq!(chunk::parse(&count(10_000)).unwrap().ops, 10_000);
    assert_eq!(admit(&[], &count(10_000)), Ok(()));
    assert_eq!(parse_error(&count(10_001)), Some(Code::ChangeTooLarge));
}

#[test]
fn columns_agree_with_each_other_and_with_the_data() {
    let honest = Craft::new(&[int("a", 1), int("b", 2)]);
    assert_eq!(parse_error(&honest.raw()), None);
    let cases: Vec<(u64, Vec<u8>)> = vec![
        // Fewer or more than two operations.
        (21, rle(&[prefixed(b"a")])),
        (21, rle(&[prefixed(b"a"), prefixed(b"b"), prefixed(b"c")])),
        (52, uleb(1)),
        (52, uleb(3)),
        (66, rle_uleb(&[1])),
        (86, rle_uleb(&[0x14])),
        (112, rle_uleb(&[0])),
        (112, rle_uleb(&[0, 1])),
        // Replaced operations that nothing counts, or half of one.
        (113, rle_uleb(&[0])),
        (115, rle(&[sleb(1)])),
        // Value bytes too few, too many.
        (87, vec![1]),
        (87, vec![1, 2, 3]),
        // An unknown column; one in which the deflate bit is part of the type.
        (128, vec![1]),
        (200_000, vec![1]),
    ];
    for (spec, column) in cases {
        let raw = honest.clone().column(spec, column.clone()).raw();
        let code = parse_error(&raw).unwrap_or_else(|| panic!("{spec}: {column:?}"));
        let deflate = spec & 8 != 0;
        assert_eq!(code, if deflate { Code::ChangeCompressed } else { Code::ChangeMalformed }, "{spec}");
    }
    for spec in [21, 52, 86, 87, 112] {
        let mut craft = honest.clone();
        craft.columns.retain(|(column, _)| *column != spec);
        assert_eq!(parse_error(&craft.raw()), Some(Code::ChangeMalformed), "without {spec}");
        let mut craft = honest.clone();
        craft.columns.iter_mut().find(|(column, _)| *column == spec).unwrap().1.clear();
        assert_eq!(parse_error(&craft.raw()), Some(Code::ChangeMalformed), "empty {spec}");
    }
    let mut swapped = honest.clone();
    swapped.columns.swap(0, 1);
    assert_eq!(parse_error(&swapped.raw()), Some(Code::ChangeMalformed));
    let mut repeated = honest.clone();
    repeated.columns.insert(0, repeated.columns[0].clone());
    assert_eq!(parse_error(&repeated.raw()), Some(Code::ChangeMalformed));
    let mut extra = honest.clone();
    extra.extra = vec![0];
    assert!(Change::from_bytes(extra.raw()).is_ok(), "trap: unknown bytes ride along");
    assert_eq!(parse_error(&extra.raw()), Some(Code::ChangeMalformed));
}

#[test]
fn text_is_utf8_and_values_fill_their_length() {
    let latin1 = vec![b'a', 0xe9];
    let message = Craft { message: latin1.clone(), ..Craft::new(&[int("k", 1)]) };
    assert_eq!(parse_error(&message.raw()), Some(Code::ChangeMalformed));
    let key = Craft::new(&[int("k", 1)]).column(21, run(-1, &prefixed(&latin1)));
    assert_eq!(parse_error(&key.raw()), Some(Code::ChangeMalformed));
    let one = |meta: u64, value: &[u8]| {
        parse_error(&Craft::new(&[Op { key: "k", meta, value: value.to_vec(), replaces: vec![] }]).raw())
    };
    assert_eq!(one(0x26, &latin1), Some(Code::ChangeMalformed));
    assert_eq!(one(0x27, &latin1), None);
    // Null and the two booleans have no bytes; numbers are as short as can be; a float has eight.
    for meta in [0x10, 0x11, 0x12] {
        assert_eq!(one(meta, &[0]), Some(Code::ChangeMalformed), "{meta}");
    }
    for (meta, value) in [(0x23, &[0x81, 0][..]), (0x23, &[1, 1]), (0x24, &[0xff, 0x7f]), (0x75, &[0; 7])] {
        assert_eq!(one(meta, value), Some(Code::ChangeMalformed), "{meta} {value:?}");
    }
    for meta in [3, 4, 5] {
        assert_eq!(one(meta, &[]), Some(Code::ChangeMalformed), "{meta}");
    }
}

#[test]
fn headers_are_as_automerge_writes_them() {
    let craft = Craft::new(&[int("k", 1)]);
    let error = |craft: Craft| parse_error(&craft.raw());
    let deps = |deps: Vec<[u8; 32]>| Craft { deps, ..craft.clone() };
    assert_eq!(error(deps(vec![[1; 32], [2; 32]])), None);
    assert_eq!(error(deps(vec![[2; 32], [1; 32]])), Some(Code::ChangeMalformed));
    assert_eq!(error(deps(vec![[1; 32], [1; 32]])), Some(Code::ChangeMalformed));
    assert_eq!(error(deps((0..64).map(|n| [n; 32]).collect())), None);
    assert_eq!(error(deps((0..65).map(|n| [n; 32]).collect())), Some(Code::ChangeTooLarge));
    for (len, expected) in [(0, Some(Code::ChangeMalformed)), (1, None), (64, None)] {
        assert_eq!(error(Craft { actor: vec![1; len], ..craft.clone() }), expected);
    }
    assert_eq!(error(Craft { actor: vec![1; 65], ..craft.clone() }), Some(Code::ChangeMalformed));
    for seq in [0, 1 << 31, u64::MAX] {
        assert_eq!(error(Craft { seq, ..craft.clone() }), Some(Code::SequenceGap));
    }
    for start_op in [0, 1 << 31, (1 << 32) - 2, u64::MAX] {
        assert_eq!(error(Craft { start_op, ..craft.clone() }), Some(Code::StartOpWrong));
    }
    let last = Craft { start_op: (1 << 31) - 2, ..Craft::new(&[int("k", 1), int("l", 1)]) };
    assert_eq!(error(last.clone()), None);
    assert_eq!(error(Craft { start_op: last.start_op + 1, ..last }), Some(Code::StartOpWrong));

    // Other authors: sorted, not the change's own, each referred to.
    let others = |others: Vec<Vec<u8>>, replaces: &[(u64, i64)]| {
        error(Craft { others, start_op: 9, ..Craft::new(&[int("k", 1).replacing(replaces)]) })
    };
    let (a, b) = (vec![1; 16], vec![2; 16]);
    assert_eq!(others(vec![a.clone(), b.clone()], &[(1, 3), (2, 3)]), None);
    assert_eq!(others(vec![b.clone(), a.clone()], &[(2, 3), (1, 3)]), Some(Code::ChangeMalformed));
    assert_eq!(others(vec![a.clone(), a.clone()], &[(1, 3), (2, 3)]), Some(Code::ChangeMalformed));
    assert_eq!(others(vec![vec![7; 16]], &[(1, 3)]), Some(Code::ChangeMalformed));
    assert_eq!(others(vec![a.clone(), b.clone()], &[(1, 3)]), Some(Code::ChangeMalformed));
    // Replaced operations: in order, of a known author, with a number that comes before.
    assert_eq!(others(vec![a.clone(), b.clone()], &[(2, 3), (1, 3)]), Some(Code::ChangeMalformed));
    assert_eq!(others(vec![a.clone(), b], &[(1, 4), (2, 3)]), Some(Code::ChangeMalformed));
    for replaces in [(2, 3), (u64::MAX, 3), (1, 0), (1, -1), (1, 9), (1, i64::MAX)] {
        assert_eq!(others(vec![a.clone()], &[(1, 3), replaces]), Some(Code::ChangeMalformed), "{replaces:?}");
    }
}

#[test]
fn an_author_that_the_header_does_not_name_panics_in_automerge() {
    let raw = Craft { start_op: 9, ..Craft::new(&[int("k", 1).replacing(&[(5, 3)])]) }.raw();
    assert!(quietly(|| Automerge::new().load_incremental(&raw).is_ok()).is_err(), "trap");
    assert_eq!(parse_error(&raw), Some(Code::ChangeMalformed));
}

#[test]
fn a_time_at_the_far_end_makes_the_next_honest_change_unreadable() {
    let hostile = Craft { time: i64::MIN, ..Craft::new(&[int("k", 1)]) };
    let mut bare = Automerge::new();
    bare.load_incremental(&hostile.raw()).unwrap();
    Automerge::load(&bare.save()).unwrap();
    let reloads = quietly(|| {
        let mut tx = bare.transaction();
        tx.put(ROOT, "l", 1).unwrap();
        tx.commit_with(CommitOptions::default().with_time(1_790_000_000));
        Automerge::load(&bare.save()).is_ok()
    });
    assert!(!matches!(reloads, Ok(true)), "trap");

    for time in [i64::MIN, i64::MAX, chunk::MAX_TIME + 1, -chunk::MAX_TIME - 1] {
        assert_eq!(parse_error(&Craft { time, ..hostile.clone() }.raw()), Some(Code::ChangeMalformed));
    }
    // The ends of what is allowed live beside each other.
    let first = Craft { time: -chunk::MAX_TIME, ..hostile }.raw();
    let second = Craft { time: chunk::MAX_TIME, ..Craft::after(&first, &[int("l", 1)]) }.raw();
    assert_eq!(admit(&[], &first), Ok(()));
    assert_eq!(admit(&[first], &second), Ok(()));
}

#[test]
fn nothing_but_scalars_at_the_root() {
    let mut tablet = document(1);
    put(&mut tablet, &[("k", 1.into()), ("l", ScalarValue::counter(1))]);
    type Work = fn(&mut Transaction<'_>) -> Result<(), AutomergeError>;
    let works: [(&str, Work); 12] = [
        ("map", |tx| tx.put_object(ROOT, "m", ObjType::Map).map(drop)),
        ("list", |tx| tx.put_object(ROOT, "m", ObjType::List).map(drop)),
        ("text", |tx| tx.put_object(ROOT, "m", ObjType::Text).map(drop)),
        ("table", |tx| tx.put_object(ROOT, "m", ObjType::Table).map(drop)),
        ("delete", |tx| tx.delete(ROOT, "k")),
        ("increment", |tx| tx.increment(ROOT, "l", 1)),
        ("counter", |tx| tx.put(ROOT, "m", ScalarValue::counter(1))),
        ("timestamp", |tx| tx.put(ROOT, "m", ScalarValue::Timestamp(1))),
        ("unknown", |tx| tx.put(ROOT, "m", ScalarValue::Unknown { type_code: 10, bytes: vec![1] })),
        ("inside a map", |tx| {
            let map = tx.put_object(ROOT, "m", ObjType::Map)?;
            tx.put(map, "k", 1)
        }),
        ("inside a list", |tx| {
            let list = tx.put_object(ROOT, "m", ObjType::List)?;
            tx.insert(list, 0, 1)
        }),
        ("a mark", |tx| {
            let text = tx.put_object(ROOT, "m", ObjType::Text)?;
            tx.splice_text(&text, 0, 0, "abc")?;
            tx.mark(&text, Mark::new("bold".into(), true, 0, 2), ExpandMark::After)
        }),
    ];
    for (name, work) in works {
        // On its own, and beside an honest write.
        for honest in [false, true] {
            let mut tablet = tablet.fork();
            let raw = commit(&mut tablet, |tx| {
                if honest {
                    tx.put(ROOT, "n", 1).unwrap();
                }
                work(tx).unwrap();
            });
            assert_eq!(parse_error(&raw), Some(Code::OperationRefused), "{name}");
        }
    }
    // A write inside an object made earlier: only the object columns tell.
    let mut tablet = document(1);
    let mut inside = None;
    commit(&mut tablet, |tx| inside = Some(tx.put_object(ROOT, "m", ObjType::Map).unwrap()));
    let raw = commit(&mut tablet, |tx| tx.put(inside.unwrap(), "k", 1).unwrap());
    assert_eq!(parse_error(&raw), Some(Code::OperationRefused));

    let one = Craft::new(&[int("k", 1)]);
    let insert = one.clone().column(52, vec![0, 1]).raw();
    assert_eq!(parse_error(&insert), Some(Code::OperationRefused));
    let null_key = one.clone().column(21, vec![0, 1]).raw();
    assert_eq!(parse_error(&null_key), Some(Code::OperationRefused));
    for action in [0, 2, 3, 4, 5, 6, 7, 8, u64::MAX] {
        let raw = one.clone().column(66, rle_uleb(&[action])).raw();
        assert_eq!(parse_error(&raw), Some(Code::OperationRefused), "{action}");
    }
    for kind in 8..16 {
        let raw = one.clone().column(86, rle_uleb(&[0x10 | kind])).raw();
        assert_eq!(parse_error(&raw), Some(Code::OperationRefused), "{kind}");
    }
    for (spec, column) in [(1, vec![0x7f, 0]), (2, vec![0x7f, 1]), (17, vec![0x7f, 0]), (19, vec![0x7f, 1])] {
        assert_eq!(parse_error(&one.clone().column(spec, column).raw()), Some(Code::OperationRefused));
    }
    for (spec, column) in [(148, vec![0, 1]), (165, run(-1, &prefixed(b"bold")))] {
        assert_eq!(parse_error(&one.clone().column(spec, column).raw()), Some(Code::OperationRefused));
    }
}

#[test]
fn a_change_without_operations_is_refused() {
    let mut tablet = document(1);
    let hash = tablet.empty_commit(CommitOptions::default());
    let raw = tablet.get_change_by_hash(&hash).unwrap().raw_bytes().to_vec();
    assert_eq!(parse_error(&raw), Some(Code::OperationRefused));
}

#[test]
fn a_change_cannot_hide_a_key_that_it_does_not_name() {
    let mut tablet = document(1);
    let first = put(&mut tablet, &[("bp/readings/a", "180/120".into()), ("note", "x".into())]);
    // Sets the note, and replaces the reading as well.
    let craft = Craft::after(&first, &[int("note", 1).replacing(&[(0, 1), (0, 2)])]);
    let raw = craft.raw();
    let mut bare = Automerge::new();
    bare.load_incremental(&first).unwrap();
    bare.load_incremental(&raw).unwrap();
    assert!(bare.get(ROOT, "bp/readings/a").unwrap().is_none(), "trap: the reading is gone from view");
    assert!(!matches!(quietly(|| Automerge::load(&bare.save()).is_ok()), Ok(true)), "trap");
    assert!(chunk::parse(&raw).is_ok());
    assert_eq!(admit(std::slice::from_ref(&first), &raw), Err(Code::OperationRefused));

    // Of an author nobody knows; of a number that nobody used; concurrent, so never seen by the author.
    let mut other = document(3);
    other.load_incremental(&first).unwrap();
    let second = put(&mut tablet, &[("note", "y".into())]);
    let concurrent = put(&mut other, &[("note", "z".into())]);
    let accepted = [first, second.clone(), concurrent];
    for (others, replaces) in [
        (vec![vec![9; 16]], (1, 2)),
        (vec![], (0, 1)),
        (vec![vec![3; 16]], (1, 1)),
        (vec![vec![3; 16]], (1, 3)),
    ] {
        let raw = Craft { others, ..Craft::after(&second, &[int("note", 1).replacing(&[replaces])]) }.raw();
        assert_eq!(admit(&accepted, &raw), Err(Code::OperationRefused), "{replaces:?}");
    }
}
