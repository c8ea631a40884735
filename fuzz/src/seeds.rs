//! The inputs that a fuzzer begins with: honest ones, from a generated day (JSON lines on standard input) and from the
//! protocol's vectors. `./run --seeds` writes them anew.

use std::{
    error::Error,
    fs,
    io::{self, Read},
    path::Path,
};

use data_encoding::HEXLOWER;
use serde_json::{Value, json};
use wayside_protocol::{
    record::{Author, Flattener, Kind, Message, Record, RecordId, Rules, entry_id, tablet_id},
    sync::{
        Frame,
        frame::{Changes, Item, List, grouped},
        reconcile::{Comparison, Pairs},
    },
};

use crate::{
    admission,
    changes::{self, AUTHOR},
    reconcile::{SIZES, pair},
    records::KINDS,
};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Writes a folder for each target into `folder`.
pub fn write(folder: &str) -> Result<()> {
    let mut day = String::new();
    io::stdin().read_to_string(&mut day)?;
    let lines = day.lines().map(serde_json::from_str).collect::<std::result::Result<Vec<Value>, _>>()?;
    let histories: Vec<Vec<Vec<u8>>> =
        lines.iter().enumerate().flat_map(|(n, line)| recorded(n, line)).collect();
    let packed: Vec<Vec<u8>> = histories.iter().map(|raws| changes::pack(raws)).collect();
    for (input, raws) in packed.iter().zip(&histories) {
        assert_eq!(admission::run(input), raws.len(), "honest changes are accepted");
    }
    let folder = Path::new(folder);
    save(&folder.join("admission"), &packed)?;
    let mut readable: Vec<Vec<u8>> = packed.iter().step_by(3).map(|packed| after(0, packed)).collect();
    readable.extend(lines.iter().flat_map(typed));
    save(&folder.join("records"), &readable)?;
    save(&folder.join("frames"), &frames(&histories)?)?;
    save(&folder.join("reconcile"), &comparisons())?;
    Ok(())
}

fn save(folder: &Path, inputs: &[Vec<u8>]) -> Result<()> {
    fs::create_dir_all(folder)?;
    for (n, input) in inputs.iter().enumerate() {
        fs::write(folder.join(format!("{n:03}.bin")), input)?;
    }
    Ok(())
}

fn after(first: u8, rest: &[u8]) -> Vec<u8> {
    [&[first], rest].concat()
}

/// The session, the person and the contact of a line as their changes: each begun, edited by two who did not see each
/// other, and settled by the first.
fn recorded(n: usize, line: &Value) -> Vec<Vec<Vec<u8>>> {
    [Kind::Session, Kind::Person, Kind::Contact]
        .into_iter()
        .filter_map(|kind| {
            let mut json = line.get(kind.as_str())?.as_object()?.clone();
            match kind {
                Kind::Session => json.insert("site".into(), json!(record(n, 9))),
                Kind::Contact => json.insert("session".into(), json!(record(n, 8))),
                _ => None,
            };
            history(n, kind, Value::Object(json))
        })
        .collect()
}

fn record(n: usize, what: u8) -> RecordId {
    RecordId::fresh(1_795_179_990_000 + 70_000 * n as u64, &[what; 10])
}

fn history(n: usize, kind: Kind, json: Value) -> Option<Vec<Vec<u8>>> {
    let message = Message {
        at: "2026-11-20T13:05:00Z".into(),
        by: "nurse-01".into(),
        offset: 0,
        tablet: tablet_id(&AUTHOR),
        supersedes: Vec::new(),
        reason: String::new(),
    };
    let author = Author { actor: [n as u8; 16], fresh: [0x77; 16], message: &message };
    let other = Author { actor: [0x99; 16], ..author.clone() };
    let mut made = 0;
    let mut new_id = || {
        made += 1;
        entry_id([made, n as u8, 1, 2, 3])
    };
    let mut flattener = Flattener { kind, rules: Rules::Entry, new_id: &mut new_id };
    let mut flat = |json: Value| flattener.object(json.as_object()?.clone()).ok();
    let (mut record, begun) = Record::begin(record(n, kind as u8), kind, &flat(json)?, &author).ok()?;
    let mut raws = vec![begun.raw];
    if n.is_multiple_of(2) {
        let shown = record.heads();
        for (author, text) in [(&author, "first"), (&other, "second")] {
            let note = json!({"notes": [{"text": text}], "ext": {"seen": text}, "extra": 1.5, "declined": ["phone"]});
            raws.extend(record.edit(Some(&shown), &flat(note)?, author).ok()?.map(|change| change.raw));
        }
        let settle = flat(json!({"ext": {"seen": "second"}, "extra": null}))?;
        raws.extend(record.edit(None, &settle, &author).ok()?.map(|change| change.raw));
    }
    Some(raws)
}

/// As a door takes them.
fn typed(line: &Value) -> Vec<Vec<u8>> {
    let mut inputs = Vec::new();
    for (n, kind) in KINDS.into_iter().enumerate() {
        let Some(Value::Object(object)) = line.get(kind.as_str()) else { continue };
        inputs.push(after(n as u8, Value::Object(object.clone()).to_string().as_bytes()));
        if let Some((name, value)) = object.iter().next() {
            inputs.push(after(0x80 | n as u8, format!("{name}\n{value}").as_bytes()));
        }
    }
    inputs
}

fn frames(histories: &[Vec<Vec<u8>>]) -> Result<Vec<Vec<u8>>> {
    let mut inputs = Vec::new();
    let vectors = Path::new(env!("CARGO_MANIFEST_DIR")).join("../protocol/tests/vectors/frames.jsonl");
    for line in fs::read_to_string(vectors)?.lines() {
        let vector: Value = serde_json::from_str(line)?;
        let body =
            HEXLOWER.decode(vector.get("hex").and_then(Value::as_str).unwrap_or_default().as_bytes())?;
        if let [ty, 0, rest @ ..] = body.as_slice() {
            let length = rest.iter().take_while(|byte| **byte >= 0x80).count() + 1;
            inputs.push([&[2, *ty], &rest[length..]].concat());
        }
        inputs.push(after(0, &body));
    }
    for (n, raws) in histories.iter().enumerate().step_by(5) {
        let body = |raw: &Vec<u8>| Item::Body { record: record(n, 1), seq: n as u64, raw: raw.clone() };
        let mut items: Vec<Item> = raws.iter().map(body).collect();
        items.push(Item::Absent { record: record(n, 2), hash: [5; 32] });
        let list = |author| List { author, signature: [6; 64], items: items.clone() };
        let (authors, lists) = (vec![([3; 32], [4; 64])], vec![list(0), list(1)]);
        let changes = Changes { team: record(0, 3), authors, lists };
        inputs.push(after(1, &grouped(&changes).ok_or("changes that cannot be grouped")?));
        let mut whole = vec![3, 100];
        Frame::Changes(changes).encode(&mut whole);
        inputs.push(whole);
    }
    Ok(inputs)
}

/// Both sides' messages of comparisons between the target's own sets.
fn comparisons() -> Vec<Vec<u8>> {
    let mut inputs = Vec::new();
    for (here, size) in SIZES.into_iter().enumerate() {
        for missing in [2, 7, 1000] {
            let there = Pairs::new((0..800).filter(|n| n % missing != 1).map(pair));
            let Ok((mut comparison, first)) = Comparison::begin(Pairs::new((0..size).map(pair))) else {
                continue;
            };
            let mut input = vec![here as u8, 0xf0, 0x0f, 0xff, 1, missing as u8, 0xaa, 0, 0xf0, 0xff, 8];
            let mut message = Some(first);
            while let Some(question) = message {
                let Ok(answer) = there.answer(&question) else { break };
                for said in [&question, &answer] {
                    // Ten kilobytes of ids would teach nothing that a few do not.
                    if said.len() < 1500 {
                        input.extend_from_slice(&(said.len() as u16).to_le_bytes());
                        input.extend_from_slice(said);
                    }
                }
                message = comparison.go_on(&answer).unwrap_or_default();
            }
            inputs.push(input);
        }
    }
    inputs
}
