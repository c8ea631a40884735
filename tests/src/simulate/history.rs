//! The simulator's own plain history of what people did, and who certainly holds it. It knows nothing of Automerge, of logs
//! or of cursors.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use wayside_client_core::RecordId;

/// By number: which of the things that were done.
pub type Held = BTreeSet<usize>;

/// One thing that somebody did.
#[derive(Debug, Clone)]
pub struct Op {
    pub record: RecordId,
    pub mark: Mark,
    /// What it wrote into a field that others write, too.
    pub over: Option<Over>,
    /// What it added to a session's count of conversations.
    pub tally: i64,
    /// It should be in quarantine, by itself or because of what it is built on.
    pub bad: bool,
    /// Where it was is no more: a storage that was set back took it along, and nobody else had it.
    pub gone: bool,
}

/// How one sees that it is there.
#[derive(Debug, Clone)]
pub enum Mark {
    /// A member of `ext` with its number, written in the same change.
    Member,
    /// An id of an entry, or a value that nobody else writes.
    Text(String),
    /// Only a sum shows it.
    Sum,
}

#[derive(Debug, Clone)]
pub struct Over {
    pub path: &'static str,
    pub value: String,
    /// Those whose values whoever wrote it had before their eyes.
    pub seen: Vec<usize>,
}

#[derive(Default)]
pub struct History {
    pub ops: Vec<Op>,
    /// What base certainly has.
    pub base: Held,
    pub erased: BTreeSet<RecordId>,
    /// Of erased people.
    pub erased_names: Vec<String>,
    /// Which person a contact is with.
    pub person_of: BTreeMap<RecordId, RecordId>,
    pub names: BTreeMap<RecordId, String>,
    /// The number of the team that people, contacts and sessions belong to.
    pub team_of: BTreeMap<RecordId, usize>,
    /// What was done to records of each team.
    pub of_team: BTreeMap<usize, Vec<usize>>,
}

/// The member of `ext` that a change bears.
pub fn member(op: usize) -> String {
    format!("op-{op:06}")
}

/// All values that a record shows at a path.
pub fn values_at(json: &Value, path: &str) -> BTreeSet<String> {
    let conflict = json["conflicts"].as_array().into_iter().flatten().find(|one| one["path"] == path);
    let beside = conflict.and_then(|one| one["values"].as_array()).into_iter().flatten();
    let stands = json.pointer(&format!("/{path}"));
    let all = stands.into_iter().chain(beside.map(|one| &one["value"]));
    all.filter_map(Value::as_str).map(str::to_owned).collect()
}

impl History {
    pub fn add(&mut self, op: Op) -> usize {
        let n = self.ops.len();
        if let Some(team) = self.team_of.get(&op.record) {
            self.of_team.entry(*team).or_default().push(n);
        }
        self.ops.push(op);
        n
    }

    /// Whether what was done is in a record as it is shown: it is to be seen, or somebody saw it and wrote over it.
    pub fn is_in(&self, op: usize, json: &Value, text: &str) -> bool {
        let this = &self.ops[op];
        let seen = match &this.mark {
            Mark::Member => json["ext"][member(op)] == op,
            Mark::Text(told) => text.contains(told),
            Mark::Sum => false,
        };
        seen || this.over.is_some()
            && (op + 1..self.ops.len()).any(|later| {
                let over = self.ops[later].over.as_ref();
                self.ops[later].record == this.record
                    && over.is_some_and(|over| over.seen.contains(&op))
                    && self.is_in(later, json, text)
            })
    }

    /// The writers of the values that somebody sees at a path.
    pub fn writers(&self, record: RecordId, path: &str, shown: &BTreeSet<String>) -> Vec<usize> {
        let wrote = |op: &Op| {
            let over = op.over.as_ref().filter(|over| over.path == path);
            op.record == record && over.is_some_and(|over| shown.contains(&over.value))
        };
        (0..self.ops.len()).filter(|op| wrote(&self.ops[*op])).collect()
    }

    pub fn of_record(&self, record: RecordId) -> impl Iterator<Item = usize> {
        (0..self.ops.len()).filter(move |op| self.ops[*op].record == record)
    }

    /// Whether nobody needs to find it any more.
    pub fn is_excused(&self, op: usize) -> bool {
        let Op { record, gone, .. } = &self.ops[op];
        let person = self.person_of.get(record);
        *gone || self.erased.contains(record) || person.is_some_and(|person| self.erased.contains(person))
    }
}
