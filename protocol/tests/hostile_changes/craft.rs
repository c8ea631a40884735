//! What the tests make changes with: an encoder that writes what it is told, honest documents, and the
//! guard as the server runs it.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

use automerge::transaction::{CommitOptions, Transactable, Transaction};
use automerge::{ActorId, Automerge, ChangeHash, ROOT, ReadDoc, ScalarValue};
use sha2::{Digest, Sha256};
use wayside_protocol::error::Code;
use wayside_protocol::record::admit::{Fit, History, apply_checked};
use wayside_protocol::record::chunk::{self, Scalar};

thread_local!(static QUIET: Cell<bool> = const { Cell::new(false) });

/// Runs what may panic inside Automerge. The hook is the process's, so it is silent for this thread only
/// and only meanwhile.
pub fn quietly<T>(work: impl FnOnce() -> T) -> std::thread::Result<T> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let loud = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if !QUIET.get() {
                loud(info);
            }
        }));
    });
    QUIET.set(true);
    let result = catch_unwind(AssertUnwindSafe(work));
    QUIET.set(false);
    result
}

pub fn uleb(mut n: u64) -> Vec<u8> {
    let mut out = Vec::new();
    loop {
        let byte = (n & 0x7f) as u8;
        n >>= 7;
        if n == 0 {
            out.push(byte);
            return out;
        }
        out.push(byte | 0x80);
    }
}

pub fn sleb(mut n: i64) -> Vec<u8> {
    let mut out = Vec::new();
    loop {
        let byte = (n & 0x7f) as u8;
        n >>= 7;
        if (n == 0 && byte & 0x40 == 0) || (n == -1 && byte & 0x40 != 0) {
            out.push(byte);
            return out;
        }
        out.push(byte | 0x80);
    }
}

pub fn prefixed(bytes: &[u8]) -> Vec<u8> {
    [uleb(bytes.len() as u64), bytes.to_vec()].concat()
}

/// A canonical run-length column of values encoded already.
pub fn rle(values: &[Vec<u8>]) -> Vec<u8> {
    pub fn flush(literal: &mut Vec<&Vec<u8>>, out: &mut Vec<u8>) {
        if !literal.is_empty() {
            out.extend(sleb(-(literal.len() as i64)));
            out.extend(literal.drain(..).flatten());
        }
    }
    let mut out = Vec::new();
    let mut literal = Vec::new();
    for run in values.chunk_by(|a, b| a == b) {
        if run.len() == 1 {
            literal.push(&run[0]);
        } else {
            flush(&mut literal, &mut out);
            out.extend(sleb(run.len() as i64));
            out.extend(&run[0]);
        }
    }
    flush(&mut literal, &mut out);
    out
}

pub fn rle_uleb(values: &[u64]) -> Vec<u8> {
    rle(&values.iter().map(|n| uleb(*n)).collect::<Vec<_>>())
}

pub fn run(count: i64, value: &[u8]) -> Vec<u8> {
    [sleb(count), value.to_vec()].concat()
}

/// Makes a chunk of contents: length and checksum as they should be.
pub fn seal(chunk_type: u8, contents: &[u8]) -> Vec<u8> {
    let hashed = [vec![chunk_type], prefixed(contents)].concat();
    let checksum = &Sha256::digest(&hashed)[..4];
    [&[0x85, 0x6f, 0x4a, 0x83][..], checksum, &hashed].concat()
}

/// The contents of a sealed chunk.
pub fn contents(raw: &[u8]) -> &[u8] {
    let length = raw[9..].iter().position(|byte| byte & 0x80 == 0).unwrap() + 1;
    &raw[9 + length..]
}

#[derive(Clone)]
pub struct Op {
    pub key: &'static str,
    pub meta: u64,
    pub value: Vec<u8>,
    /// Index of the author (0 is the change's own) and number.
    pub replaces: Vec<(u64, i64)>,
}

pub fn int(key: &'static str, n: i64) -> Op {
    let value = sleb(n);
    Op { key, meta: (value.len() as u64) << 4 | 4, value, replaces: vec![] }
}

impl Op {
    pub fn replacing(mut self, replaces: &[(u64, i64)]) -> Op {
        self.replaces = replaces.to_vec();
        self
    }
}

#[derive(Clone)]
pub struct Craft {
    pub deps: Vec<[u8; 32]>,
    pub actor: Vec<u8>,
    pub seq: u64,
    pub start_op: u64,
    pub time: i64,
    pub message: Vec<u8>,
    pub others: Vec<Vec<u8>>,
    pub columns: Vec<(u64, Vec<u8>)>,
    /// Where the column table and the data disagree.
    pub declared: Vec<(u64, u64)>,
    pub extra: Vec<u8>,
}

impl Craft {
    pub fn new(ops: &[Op]) -> Craft {
        let pred = || ops.iter().flat_map(|op| op.replaces.iter());
        let mut last = 0;
        let deltas: Vec<_> = pred().map(|(_, n)| sleb(n - std::mem::replace(&mut last, *n))).collect();
        let mut columns = vec![
            (21, rle(&ops.iter().map(|op| prefixed(op.key.as_bytes())).collect::<Vec<_>>())),
            (52, if ops.is_empty() { vec![] } else { uleb(ops.len() as u64) }),
            (66, rle_uleb(&vec![1; ops.len()])),
            (86, rle_uleb(&ops.iter().map(|op| op.meta).collect::<Vec<_>>())),
            (87, ops.iter().flat_map(|op| op.value.clone()).collect()),
            (112, rle_uleb(&ops.iter().map(|op| op.replaces.len() as u64).collect::<Vec<_>>())),
            (113, rle_uleb(&pred().map(|(actor, _)| *actor).collect::<Vec<_>>())),
            (115, rle(&deltas)),
        ];
        columns.retain(|(_, data)| !data.is_empty());
        Craft {
            deps: vec![],
            actor: vec![7; 16],
            seq: 1,
            start_op: 1,
            time: 0,
            message: b"m".to_vec(),
            others: vec![],
            columns,
            declared: vec![],
            extra: vec![],
        }
    }

    /// The next change of the author of `raw`, on top of it.
    pub fn after(raw: &[u8], ops: &[Op]) -> Craft {
        let before = chunk::parse(raw).unwrap();
        Craft {
            deps: vec![before.hash],
            actor: before.actor.to_vec(),
            seq: before.seq + 1,
            start_op: before.max_op() + 1,
            ..Craft::new(ops)
        }
    }

    pub fn column(mut self, spec: u64, data: Vec<u8>) -> Craft {
        self.columns.retain(|(column, _)| *column != spec);
        self.columns.push((spec, data));
        self.columns.sort_by_key(|(spec, _)| *spec);
        self
    }

    pub fn contents(&self) -> Vec<u8> {
        let mut out = uleb(self.deps.len() as u64);
        out.extend(self.deps.iter().flatten());
        out.extend(prefixed(&self.actor));
        out.extend(uleb(self.seq));
        out.extend(uleb(self.start_op));
        out.extend(sleb(self.time));
        out.extend(prefixed(&self.message));
        out.extend(uleb(self.others.len() as u64));
        out.extend(self.others.iter().flat_map(|actor| prefixed(actor)));
        out.extend(uleb(self.columns.len() as u64));
        for (spec, data) in &self.columns {
            let declared = self.declared.iter().find(|(column, _)| column == spec);
            out.extend(uleb(*spec));
            out.extend(uleb(declared.map_or(data.len() as u64, |(_, len)| *len)));
        }
        out.extend(self.columns.iter().flat_map(|(_, data)| data));
        out.extend(&self.extra);
        out
    }

    pub fn raw(&self) -> Vec<u8> {
        seal(1, &self.contents())
    }
}

pub fn document(actor: u8) -> Automerge {
    Automerge::new().with_actor(ActorId::from([actor; 16]))
}

/// One transaction, one change: its raw bytes.
pub fn put(document: &mut Automerge, writes: &[(&str, ScalarValue)]) -> Vec<u8> {
    commit(document, |tx| {
        for (key, value) in writes {
            set(tx, key, value);
        }
    })
}

/// How a client writes: see `settling_a_conflict_on_the_value_shown_is_a_delete_in_automerge`.
pub fn set(tx: &mut Transaction<'_>, key: &str, value: &ScalarValue) {
    let winner = tx.get(ROOT, key).unwrap().map(|(winner, _)| winner.into_owned());
    if tx.get_all(ROOT, key).unwrap().len() > 1 && winner == Some(value.clone().into()) {
        let other = if value.is_null() { false.into() } else { ScalarValue::Null };
        tx.put(ROOT, key, other).unwrap();
    }
    tx.put(ROOT, key, value.clone()).unwrap();
}

pub fn commit(document: &mut Automerge, work: impl FnOnce(&mut Transaction<'_>)) -> Vec<u8> {
    let mut tx = document.transaction();
    work(&mut tx);
    let options = CommitOptions::default().with_message(r#"{"by":"s1"}"#);
    let hash = tx.commit_with(options).0.expect("something was written");
    document.get_change_by_hash(&hash).unwrap().raw_bytes().to_vec()
}

pub fn refs(accepted: &[Vec<u8>]) -> Vec<&[u8]> {
    accepted.iter().map(Vec::as_slice).collect()
}

pub fn history(accepted: &[Vec<u8>]) -> History {
    let mut history = History::new();
    for raw in accepted {
        history.insert(&chunk::parse(raw).unwrap());
    }
    history
}

/// Parse, fit, apply: everything that stands between a stranger's bytes and the log.
pub fn admit(accepted: &[Vec<u8>], raw: &[u8]) -> Result<(), Code> {
    match history(accepted).fit(&chunk::parse(raw)?) {
        Fit::Fits => apply_checked(&refs(accepted), raw),
        Fit::Refused(code) => Err(code),
        Fit::Known | Fit::Waits(_) => panic!("the test's history is incomplete"),
    }
}

pub fn parse_error(raw: &[u8]) -> Option<Code> {
    chunk::parse(raw).err()
}

pub fn owned(value: Scalar<'_>) -> ScalarValue {
    match value {
        Scalar::Null => ScalarValue::Null,
        Scalar::Bool(b) => ScalarValue::Boolean(b),
        Scalar::Int(n) => ScalarValue::Int(n),
        Scalar::Uint(n) => ScalarValue::Uint(n),
        Scalar::F64(n) => ScalarValue::F64(n),
        Scalar::Str(s) => ScalarValue::Str(s.into()),
        Scalar::Bytes(b) => ScalarValue::Bytes(b.to_vec()),
    }
}

/// The document of these changes, after a save and a load.
pub fn reload(accepted: &[Vec<u8>]) -> Automerge {
    let mut document = Automerge::new();
    document.load_incremental(&accepted.concat()).unwrap();
    let heads = document.get_heads();
    let reloaded = Automerge::load(&document.save()).unwrap();
    assert_eq!(reloaded.get_heads(), heads);
    reloaded
}

/// What a change writes, by its parser, is what the record shows right after it.
pub fn assert_shows(document: &Automerge, raw: &[u8]) {
    let chunk = chunk::parse(raw).unwrap();
    let last: BTreeMap<_, _> = chunk.writes().collect();
    for (key, value) in last {
        let shown = document.get_all_at(ROOT, key, &[ChangeHash(chunk.hash)]).unwrap();
        assert!(shown.iter().any(|(shown, _)| *shown == owned(value).into()), "{key}");
    }
}

pub fn honest_writes() -> Vec<(&'static str, ScalarValue)> {
    vec![
        ("id", "0198c0de-0000-7000-8000-000000000001".into()),
        ("kind", "contact".into()),
        ("name/family", "Ǎ👩‍⚕️\u{10ffff}".into()),
        ("name/given", "".into()),
        ("a/null", ScalarValue::Null),
        ("a/true", true.into()),
        ("a/false", false.into()),
        ("a/zero", ScalarValue::Int(0)),
        ("a/minus", ScalarValue::Int(-65)),
        ("a/min", ScalarValue::Int(i64::MIN)),
        ("a/max", ScalarValue::Int(i64::MAX)),
        ("a/uint", ScalarValue::Uint(u64::MAX)),
        ("a/float", ScalarValue::F64(-36.6)),
        ("a/bytes", ScalarValue::Bytes(vec![0, 255])),
        ("a/empty", ScalarValue::Bytes(vec![])),
        ("a/long", "x".repeat(5000).into()),
    ]
}

pub fn one_change() -> Vec<u8> {
    put(&mut document(1), &honest_writes())
}
