//! Records read: from changes that nobody judged, and from JSON at a door.
//!
//! Showing never panics, whatever the parser lets through, and neither does what is derived; a whole history reads the
//! same with Automerge and without; what a door takes makes a record that reads back.
//!
//! The first byte: 0, changes (see `changes`). 1 to 127, JSON of a new record, whose kind it chooses. From 128, JSON
//! for one path of such a record, after a line with the path.

use std::panic::{AssertUnwindSafe, catch_unwind};

use serde_json::Value;
use wayside_protocol::{
    clinical,
    record::{
        Author, Flattener, Kind, Message, Record, RecordId, Rules, View, Write,
        admit::{Fit, History},
        check_change, chunk, entry_id, tablet_id,
    },
};

use crate::changes::{self, AUTHOR};

pub const KINDS: [Kind; 5] = [Kind::Team, Kind::Site, Kind::Session, Kind::Person, Kind::Contact];

pub fn run(input: &[u8]) {
    match input {
        [0, rest @ ..] => stored(&changes::unpack(rest)),
        [how, rest @ ..] => typed(KINDS[usize::from(*how & 0x7f) % KINDS.len()], *how >= 0x80, rest),
        [] => {}
    }
}

fn stored(raws: &[Vec<u8>]) {
    let id = changes::record(raws);
    let mut history = History::new();
    let (mut parsed, mut whole) = (Vec::new(), Vec::new());
    for raw in raws {
        let Ok(chunk) = chunk::parse(raw) else { continue };
        parsed.push(raw);
        if history.fit(&chunk) == Fit::Fits {
            history.insert(&chunk);
            whole.push(raw);
        }
    }
    if let Ok((view, _)) = View::of_changes(id, &parsed) {
        shown(&view);
    }
    let (view, heads) = View::of_changes(id, &whole).expect("a whole history is read");
    shown(&view);
    // Automerge may panic on what never passed admission: whoever reads such bytes catches that.
    let loaded = catch_unwind(AssertUnwindSafe(|| {
        let record = Record::load(id, &whole).ok()?;
        Some((record.view(), record.heads()))
    }));
    if let Ok(Some((by_automerge, its_heads))) = loaded {
        assert_eq!(heads, its_heads);
        assert_eq!(view.fields, by_automerge.fields);
        assert_eq!(view.conflicts, by_automerge.conflicts);
    }
}

fn shown(view: &View) {
    view.to_json(Some("a team"), Some(&Value::Object(view.fields.clone())));
    view.derive_contact(None);
}

fn typed(kind: Kind, at_a_path: bool, text: &[u8]) {
    let mut made = 0u8;
    let mut new_id = || {
        made = made.wrapping_add(1);
        entry_id([made, 1, 2, 3, 4])
    };
    let mut flattener = Flattener { kind, rules: Rules::Entry, new_id: &mut new_id };
    let writes = if at_a_path {
        let Some(end) = text.iter().position(|byte| *byte == b'\n') else { return };
        let (path, json) = text.split_at(end);
        let (Ok(path), Ok(value)) = (std::str::from_utf8(path), serde_json::from_slice(&json[1..])) else {
            return;
        };
        flattener.set(path, value)
    } else {
        let Ok(value) = serde_json::from_slice::<Value>(text) else { return };
        clinical::derive(&value, Some(&value));
        let Value::Object(object) = value else { return };
        flattener.object(object)
    };
    if let Ok(writes) = writes {
        begun(kind, &writes);
    }
}

fn begun(kind: Kind, writes: &[Write]) {
    let id = RecordId::from_bytes([1; 16]);
    let message = Message {
        at: "2026-11-20T13:05:00Z".into(),
        by: "nurse-01".into(),
        offset: 0,
        tablet: tablet_id(&AUTHOR),
        supersedes: Vec::new(),
        reason: String::new(),
    };
    let author = Author { actor: [1; 16], fresh: [2; 16], message: &message };
    let (record, change) = Record::begin(id, kind, writes, &author).expect("a beginning");
    let by_automerge = record.view();
    shown(&by_automerge);
    // Too large, say: the tablet asks as well, and refuses to record it.
    let Ok(chunk) = chunk::parse(&change.raw) else { return };
    let _ = check_change(id, None, &chunk, &AUTHOR, |_| false);
    let (view, heads) = View::of_changes(id, &[&change.raw]).expect("a beginning is read");
    assert_eq!(heads, [change.hash]);
    assert_eq!(view.fields, by_automerge.fields);
    assert_eq!(view.conflicts, by_automerge.conflicts);
    // What was shown can be taken back in: no panic, whatever it says.
    let mut new_id = || entry_id([9; 5]);
    let _ = Flattener { kind, rules: Rules::Admission, new_id: &mut new_id }.object(view.fields);
}
