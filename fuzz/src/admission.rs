//! Changes that somebody pushes to one record, judged as the server does.
//!
//! Nothing panics past `apply_checked`; what is taken for a plain beginning always applies; what is accepted loads,
//! reads the same with Automerge and without, and takes the next honest edit, which is accepted in its turn.
//!
//! Whatever fits is applied, also where the schema refuses it: that check must not be what keeps Automerge safe.

use wayside_protocol::{
    error::Code,
    record::{
        Author, Kind, Message, Record, RecordId, Scalar, View, Write,
        admit::{Fit, History, Scratch, apply_checked_on, is_plain_beginning},
        change_hash, check_change,
        chunk::{self, Chunk},
        tablet_id,
    },
};

use crate::changes::{self, AUTHOR};

/// How many changes of the input were accepted.
pub fn run(input: &[u8]) -> usize {
    let raws = changes::unpack(input);
    let mut log = Log::of(changes::record(&raws));
    for raw in &raws {
        log.offer(raw);
    }
    let accepted = log.accepted.len();
    if accepted > 0 {
        log.check();
    }
    accepted
}

struct Log {
    id: RecordId,
    kind: Option<Kind>,
    history: History,
    accepted: Vec<Vec<u8>>,
    scratch: Scratch,
}

impl Log {
    fn of(id: RecordId) -> Log {
        Log { id, kind: None, history: History::new(), accepted: Vec::new(), scratch: None }
    }

    /// Whether the change was accepted.
    fn offer(&mut self, raw: &[u8]) -> bool {
        let Ok(chunk) = chunk::parse(raw) else { return false };
        assert_eq!(chunk.hash, change_hash(raw));
        if self.history.fit(&chunk) != Fit::Fits {
            return false;
        }
        let checked = self.checked(&chunk);
        let accepted: Vec<&[u8]> = self.accepted.iter().map(Vec::as_slice).collect();
        let applied = apply_checked_on(&mut self.scratch, &accepted, raw);
        assert_ne!(applied, Err(Code::Internal), "what was accepted loads");
        if is_plain_beginning(&self.history, &chunk, raw) {
            assert_eq!(applied, Ok(()), "a plain beginning applies");
        }
        match (checked, applied) {
            (Some(kind), Ok(())) => {
                self.kind = Some(kind);
                self.history.insert(&chunk);
                self.accepted.push(raw.to_vec());
                true
            }
            _ => {
                self.scratch = None;
                false
            }
        }
    }

    fn checked(&self, chunk: &Chunk) -> Option<Kind> {
        check_change(self.id, self.kind, chunk, &AUTHOR, |path| self.history.has_set(path)).ok()
    }

    fn check(&mut self) {
        let mut record = Record::load(self.id, &self.accepted).expect("what was accepted loads");
        let (view, heads) = View::of_changes(self.id, &self.accepted).expect("and is read");
        let by_automerge = record.view();
        assert_eq!(heads, record.heads());
        assert_eq!(view.fields, by_automerge.fields);
        assert_eq!(view.conflicts, by_automerge.conflicts);
        assert_eq!(view.kind, self.kind);
        view.to_json(None, None);

        let message = Message {
            at: "2026-11-20T13:05:00Z".into(),
            by: "nurse-01".into(),
            offset: 0,
            tablet: tablet_id(&AUTHOR),
            supersedes: Vec::new(),
            reason: String::new(),
        };
        let author = Author { actor: [0xee; 16], fresh: [0xef; 16], message: &message };
        let writes = [Write { path: "fuzzed".into(), value: Scalar::Text("by a colleague".into()) }];
        let edit = record.edit(None, &writes, &author).expect("what was accepted is edited");
        if let Some(edit) = edit {
            assert!(self.offer(&edit.raw), "the next honest edit is accepted");
        }
    }
}
