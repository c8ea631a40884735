//! Honest changes altered at random.

use super::craft::*;

use automerge::transaction::CommitOptions;
use automerge::{Automerge, ReadDoc, ScalarValue};
use wayside_protocol::record::admit::{Fit, History, apply_checked, apply_checked_on, is_plain_beginning};
use wayside_protocol::record::{Record, RecordId, View, chunk};

struct Rng(u64);

impl Rng {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }
}

const KEYS: [&str; 12] = [
    "id",
    "kind",
    "a",
    "a/b",
    "b",
    "name/family",
    "bp/readings/7k2m9q4a",
    "bp/readings/bc3vex2z",
    "bp/readings/dc3vex2z",
    "amendments/aaaaaaaa",
    "note",
    "é/👩‍⚕️",
];

/// Entries, among them some that replace, strike out and correct each other.
const ENTRIES: [&str; 6] = [
    r#"{"diastolic":94,"systolic":152}"#,
    r#"{"corrects":"7k2m9q4a","diastolic":94,"systolic":162}"#,
    r#"{"corrects":"7k2m9q4a","diastolic":95,"supersedes":["bc3vex2z"],"systolic":172}"#,
    r#"{"entry":"bp/readings/7k2m9q4a","set":{"struck_out":{"reason":"cuff"}}}"#,
    r#"{"entry":"bp/readings/7k2m9q4a","set":{"struck_out":{"reason":"arm"}}}"#,
    r#"[1,2.5]"#,
];

fn random_scalar(rng: &mut Rng) -> ScalarValue {
    match rng.below(12) {
        9 => ScalarValue::Bytes(ENTRIES[rng.below(ENTRIES.len())].into()),
        10 => ["contact", "person", "later kind"][rng.below(3)].into(),
        0 => ScalarValue::Null,
        1 => true.into(),
        2 => false.into(),
        3 => ScalarValue::Int(rng.next() as i64 >> rng.below(64)),
        4 => ScalarValue::Uint(rng.next() >> rng.below(64)),
        5 => ScalarValue::F64(rng.next() as f64 / 1000.0),
        6 => ScalarValue::Bytes((0..rng.below(20)).map(|_| rng.next() as u8).collect()),
        7 => "".into(),
        _ => ["Ayşe", "👩‍⚕️", "120/80", "long ago"][rng.below(4)].repeat(rng.below(4)).into(),
    }
}

/// The changes of a record that several tablets edit at once, dependencies first.
fn random_record(rng: &mut Rng) -> Vec<Vec<u8>> {
    let mut tablets: Vec<Automerge> = (0..3).map(|n| document(n * 50 + 10)).collect();
    let mut changes = Vec::new();
    for _ in 0..4 + rng.below(8) {
        let (a, b) = (rng.below(3), rng.below(3));
        if a != b && rng.below(2) == 0 {
            let mut from = tablets[a].clone();
            tablets[b].merge(&mut from).unwrap();
        }
        let count = 1 + rng.below(6);
        let before = tablets[b].get_heads();
        let mut tx = tablets[b].transaction();
        for _ in 0..count {
            set(&mut tx, KEYS[rng.below(KEYS.len())], &random_scalar(rng));
        }
        let time = (rng.next() % 3_000_000_000) as i64 - 1_000_000_000;
        let message =
            format!(r#"{{"at":"2026-11-20T13:05:00Z","by":"nurse-{b}","offset":0,"tablet":"t{b}"}}"#);
        let options = CommitOptions::default().with_message(message).with_time(time);
        if let Some(hash) = tx.commit_with(options).0 {
            assert_ne!(before, tablets[b].get_heads());
            changes.push(tablets[b].get_change_by_hash(&hash).unwrap().raw_bytes().to_vec());
        }
    }
    changes
}

#[test]
fn random_honest_records_pass_whole() {
    for seed in 0..150 {
        let changes = random_record(&mut Rng(seed));
        let mut history = History::new();
        let mut scratch = None;
        for (n, raw) in changes.iter().enumerate() {
            let chunk = chunk::parse(raw).unwrap_or_else(|code| panic!("seed {seed}, change {n}: {code}"));
            assert_eq!(history.fit(&chunk), Fit::Fits, "seed {seed}, change {n}");
            let applied = apply_checked_on(&mut scratch, &refs(&changes[..n]), raw);
            assert_eq!(applied, Ok(()), "seed {seed}, change {n}");
            assert_shows(scratch.as_ref().unwrap(), raw);
            history.insert(&chunk);
            assert_read_alike(&changes[..=n], seed);
        }
        reload(&changes);
    }
}

/// What is shown without Automerge is what Automerge shows.
fn assert_read_alike(changes: &[Vec<u8>], seed: u64) {
    let id = RecordId::from_bytes([7; 16]);
    let record = Record::load(id, changes).unwrap();
    let (view, heads) = View::of_changes(id, changes).unwrap();
    let expected = record.view();
    assert_eq!(view.kind, expected.kind, "seed {seed}");
    assert_eq!(view.fields, expected.fields, "seed {seed}");
    assert_eq!(view.conflicts, expected.conflicts, "seed {seed}");
    assert_eq!(heads, record.heads(), "seed {seed}");
}

#[test]
fn what_builds_on_the_unknown_is_not_shown_as_if_it_were_whole() {
    let changes = random_record(&mut Rng(3));
    let id = RecordId::from_bytes([7; 16]);
    for (n, raw) in changes.iter().enumerate() {
        let without: Vec<_> = changes.iter().filter(|other| *other != raw).collect();
        let needed = changes
            .iter()
            .any(|other| chunk::parse(other).unwrap().deps.contains(&chunk::parse(raw).unwrap().hash));
        assert_eq!(View::of_changes(id, &without).is_err(), needed, "without {n}");
        assert_eq!(Record::load(id, &without).is_err(), needed, "without {n}");
    }
    assert!(View::of_changes(id, &[&changes[0], &changes[0]]).is_err(), "one change twice");
}

/// A record's beginning, from one key to as many as any form has.
fn random_beginning(rng: &mut Rng) -> Vec<u8> {
    let mut tablet = document(rng.next() as u8);
    let mut tx = tablet.transaction();
    let most = [3, 20, 300][rng.below(3)];
    for _ in 0..1 + rng.below(most) {
        let key = match rng.below(3) {
            0 => KEYS[rng.below(KEYS.len())].to_owned(),
            1 => format!("bp/readings/{:08}", rng.below(50)),
            _ => format!("ext/{}", "k".repeat(rng.below(200))),
        };
        let value = match rng.below(20) {
            0 => "x".repeat(rng.below(4000)).into(),
            _ => random_scalar(rng),
        };
        set(&mut tx, &key, &value);
    }
    let hash = tx.commit_with(CommitOptions::default().with_message("{}")).0.unwrap();
    tablet.get_change_by_hash(&hash).unwrap().raw_bytes().to_vec()
}

#[test]
fn a_beginning_that_parses_and_fits_is_always_taken() {
    // What the server asks of a plain beginning, with and without Automerge. `MUTATIONS` as below, but a quarter:
    // beginnings are larger than edits.
    let each = mutations() / 4;
    let (mut plain, mut altered) = (0, 0);
    for record in 0..40 {
        let honest = random_beginning(&mut Rng(record));
        for seed in 0..each {
            let rng = &mut Rng(seed << 16 | record);
            let mut raw = honest.clone();
            if seed > 0 {
                let mut inner = contents(&honest).to_vec();
                mutate(rng, &mut inner);
                raw = seal(1, &inner);
            }
            let Ok(chunk) = chunk::parse(&raw) else { continue };
            if History::new().fit(&chunk) != Fit::Fits {
                continue;
            }
            altered += u64::from(raw != honest);
            plain += u64::from(is_plain_beginning(&History::new(), &chunk, &raw));
            assert_eq!(apply_checked(&[], &raw), Ok(()), "record {record}, seed {seed}");
            assert_read_alike(&[raw], seed);
        }
    }
    println!("plain beginnings: {plain}, altered ones: {altered}");
    assert!(plain > 30 && altered >= each, "too few reach the document to prove anything");
}

/// `MUTATIONS=5000 cargo test mutated` looks harder.
fn mutations() -> u64 {
    std::env::var("MUTATIONS").ok().and_then(|n| n.parse().ok()).unwrap_or(100)
}

/// A few small harms to the contents of a chunk, or to the whole of it.
fn mutate(rng: &mut Rng, bytes: &mut Vec<u8>) {
    for _ in 0..1 + rng.below(3) {
        let at = rng.below(bytes.len().max(1)).min(bytes.len().saturating_sub(1));
        match rng.below(7) {
            _ if bytes.is_empty() => bytes.push(rng.next() as u8),
            0 => bytes[at] ^= 1 << rng.below(8),
            1 => bytes[at] = rng.next() as u8,
            2 => bytes[at] = [0, 1, 0x7f, 0x80, 0xff][rng.below(5)],
            3 => bytes.insert(at, rng.next() as u8),
            4 => drop(bytes.remove(at)),
            5 => bytes[at] = bytes[at].wrapping_add(1),
            _ => {
                let other = rng.below(bytes.len());
                bytes.swap(at, other);
            }
        }
    }
}

/// Parsed, fits, admitted: how far a change came.
type Came = (bool, bool, bool);

fn mutate_and_admit(seed: u64, changes: &[Vec<u8>]) -> Came {
    let rng = &mut Rng(seed);
    let (accepted, later) = changes.split_at(rng.below(changes.len()));
    // A quarter as they come, which the checksum stops; the others sealed again.
    let raw = if rng.below(4) == 0 {
        let mut raw = later[0].clone();
        mutate(rng, &mut raw);
        raw
    } else {
        let mut inner = contents(&later[0]).to_vec();
        mutate(rng, &mut inner);
        seal(1, &inner)
    };
    if raw == later[0] {
        return (false, false, false);
    }
    let Ok(chunk) = chunk::parse(&raw) else { return (false, false, false) };
    if history(accepted).fit(&chunk) != Fit::Fits {
        return (true, false, false);
    }
    if apply_checked(&refs(accepted), &raw).is_err() {
        return (true, true, false);
    }
    let whole = [accepted, std::slice::from_ref(&raw)].concat();
    assert_shows(&reload(&whole), &raw);
    (true, true, true)
}

#[test]
fn mutated_changes_never_panic_the_parser_and_what_passes_reads_back() {
    let each = mutations();
    let mut came = [0, 0, 0];
    for record in 0..40 {
        let changes = random_record(&mut Rng(record));
        for seed in 0..each {
            let outcome = quietly(|| mutate_and_admit(seed, &changes));
            let (parsed, fits, admitted) = outcome.unwrap_or_else(|panic| {
                let why = panic.downcast_ref::<String>();
                panic!("panicked: record {record}, seed {seed}: {why:?}")
            });
            // What parses and fits, Automerge takes: the guards in front of it leave it nothing to refuse.
            assert_eq!(fits, admitted, "record {record}, seed {seed}");
            for (count, so_far) in came.iter_mut().zip([parsed, fits, admitted]) {
                *count += u64::from(so_far);
            }
        }
    }
    println!("parsed, fits, admitted: {came:?}");
    assert!(came[2] >= each, "too few mutations reach the document to prove anything");
}
