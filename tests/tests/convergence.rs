//! Any order of any edits on any tablets converges, and nothing is lost: as a property of records
//! alone, thousands of them, without storage or network. `end_to_end.rs` does the same with real
//! tablets and a real server.

#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};

use rand::{RngExt, SeedableRng, rngs::StdRng, seq::SliceRandom};
use serde_json::{Value, json};
use wayside_protocol::record::{
    Author, Flattener, Hash, Kind, Message, Record, RecordId, Rules, Scalar, Write, entry_id,
};
use wayside_tests::seeds;

/// One change as replicas hand it around, with what its author saw.
#[derive(Clone)]
struct Change {
    hash: Hash,
    raw: Vec<u8>,
    /// Changes in its history, itself included.
    history: BTreeSet<Hash>,
    writes: Vec<Write>,
}

/// One tablet's copy of the record: changes in the order in which they arrived.
#[derive(Default)]
struct Replica {
    changes: Vec<Change>,
}

impl Replica {
    fn knows(&self, hash: &Hash) -> bool {
        self.changes.iter().any(|change| change.hash == *hash)
    }

    fn load(&self, id: RecordId) -> Record {
        Record::load(id, self.changes.iter().map(|change| &change.raw)).unwrap()
    }

    /// Takes what `other` holds, whole or as far as a random cut, in its order.
    fn pull(&mut self, other: &[Change], cut: usize) {
        for change in &other[..cut] {
            if !self.knows(&change.hash) {
                self.changes.push(change.clone());
            }
        }
    }
}

const FIELDS: &[&str] =
    &["satisfaction", "check_type", "reason", "bp/pulse_rhythm", "ext/till", "ended", "age_band"];

fn random_value(rng: &mut StdRng, field: &str) -> Value {
    let mut pick = |values: &[Value]| values[rng.random_range(0..values.len())].clone();
    match field {
        "satisfaction" => pick(&[json!(1), json!(2), json!(5), json!(null)]),
        "check_type" => pick(&[json!("bp_only"), json!("nhs_health_check"), json!("smi_physical")]),
        "reason" => pick(&[json!("walk_up"), json!("invited"), json!(null)]),
        "bp/pulse_rhythm" => pick(&[json!("regular"), json!("irregular")]),
        "ended" => {
            pick(&[json!({"how": "completed"}), json!({"how": "parked"}), json!({"how": "left_early"})])
        }
        "age_band" => pick(&[json!("18-39"), json!("40-74"), json!("markup <b>&amp;</b>")]),
        _ => pick(&[json!("a"), json!(7), json!(2.5), json!({"b": [1]})]),
    }
}

struct Day {
    rng: StdRng,
    id: RecordId,
    replicas: Vec<Replica>,
    all: BTreeMap<Hash, Change>,
    entries: BTreeSet<String>,
    actors: u8,
}

impl Day {
    fn new(seed: u64) -> Day {
        let mut rng = StdRng::seed_from_u64(seed);
        let tablets = rng.random_range(2..5);
        Day {
            id: RecordId::from_bytes([7; 16]),
            replicas: (0..tablets).map(|_| Replica::default()).collect(),
            all: BTreeMap::new(),
            entries: BTreeSet::new(),
            actors: 0,
            rng,
        }
    }

    fn begin(&mut self, tablet: usize) {
        let json = json!({"session": self.id.to_string(), "started_at": "2026-11-20T13:05:00Z"});
        let writes = self.flatten(|f| f.object(json.as_object().cloned().unwrap_or_default()));
        let message = message(tablet);
        let (_, authored) =
            Record::begin(self.id, Kind::Contact, &writes, &self.author(tablet, &message)).unwrap();
        self.keep(tablet, authored.hash, authored.raw, &[], writes);
    }

    fn flatten(
        &mut self,
        f: impl FnOnce(&mut Flattener) -> Result<Vec<Write>, wayside_protocol::error::Invalid>,
    ) -> Vec<Write> {
        let rng = &mut self.rng;
        let mut new_id = || entry_id(rng.random());
        f(&mut Flattener { kind: Kind::Contact, rules: Rules::Entry, new_id: &mut new_id }).unwrap()
    }

    fn author<'a>(&mut self, tablet: usize, message: &'a Message) -> Author<'a> {
        // A fifth of the edits come after a restart of the process: a new actor.
        if self.rng.random_ratio(1, 5) {
            self.actors += 1;
        }
        let mut actor = [tablet as u8 + 1; 16];
        actor[1] = self.actors;
        Author { actor, fresh: self.rng.random(), message }
    }

    fn keep(&mut self, tablet: usize, hash: Hash, raw: Vec<u8>, base: &[Hash], writes: Vec<Write>) {
        let mut history: BTreeSet<Hash> =
            base.iter().flat_map(|head| self.all[head].history.clone()).collect();
        history.insert(hash);
        for write in &writes {
            if write.path.starts_with("bp/readings/") || write.path.starts_with("notes/") {
                self.entries.insert(write.path.clone());
            }
        }
        let change = Change { hash, raw, history, writes };
        self.all.insert(hash, change.clone());
        self.replicas[tablet].changes.push(change);
    }

    fn edit(&mut self, tablet: usize) {
        let mut record = self.replicas[tablet].load(self.id);
        let view = record.view();
        // Sometimes the form was opened before the last pull.
        let base = match self.rng.random_ratio(1, 4) {
            true => {
                let changes = &self.replicas[tablet].changes;
                vec![changes[self.rng.random_range(0..changes.len())].hash]
            }
            false => record.heads(),
        };
        let readings: Vec<String> = view
            .fields
            .get("bp")
            .and_then(|bp| bp["readings"].as_object())
            .into_iter()
            .flatten()
            .map(|(id, _)| id.clone())
            .collect();
        let reading = |rng: &mut StdRng| {
            json!({"taken_at": "2026-11-20T13:06:00Z", "systolic": rng.random_range(90..200),
                   "diastolic": rng.random_range(50..89)})
        };
        let (path, value) = match self.rng.random_range(0..10) {
            0..=1 => (format!("bp/readings/{}", entry_id(self.rng.random())), reading(&mut self.rng)),
            2..=3 if !readings.is_empty() => {
                let mut value = reading(&mut self.rng);
                value["corrects"] = json!(readings[self.rng.random_range(0..readings.len())]);
                (format!("bp/readings/{}", entry_id(self.rng.random())), value)
            }
            4 => (format!("notes/{}", entry_id(self.rng.random())), json!({"text": "said hello"})),
            5 => {
                ("prior_diagnosis".into(), json!([(["af", "diabetes", "smi"][self.rng.random_range(0..3)])]))
            }
            _ => {
                let field = FIELDS[self.rng.random_range(0..FIELDS.len())];
                (field.to_owned(), random_value(&mut self.rng, field))
            }
        };
        let writes = self.flatten(|f| f.set(&path, value));
        let message = message(tablet);
        let author = self.author(tablet, &message);
        if let Some(authored) = record.edit(Some(&base), &writes, &author).unwrap() {
            // A write that Automerge dropped because nothing changed is no write.
            let kept: Vec<Write> = wayside_protocol::record::chunk::parse(&authored.raw)
                .unwrap()
                .keys()
                .filter_map(|key| writes.iter().find(|write| write.path == key).cloned())
                .collect();
            self.keep(tablet, authored.hash, authored.raw, &base, kept);
        }
    }

    fn run(&mut self) {
        // Two tablets may begin the same record on their own, as they do with a session.
        for tablet in 0..self.replicas.len() {
            if tablet == 0 || self.rng.random_ratio(1, 3) {
                self.begin(tablet);
            }
        }
        for _ in 0..self.rng.random_range(5..25) {
            let tablet = self.rng.random_range(0..self.replicas.len());
            if self.replicas[tablet].changes.is_empty() || self.rng.random_ratio(1, 3) {
                let other = self.rng.random_range(0..self.replicas.len());
                let theirs = self.replicas[other].changes.clone();
                let cut = self.rng.random_range(0..=theirs.len());
                self.replicas[tablet].pull(&theirs, cut);
            } else {
                self.edit(tablet);
            }
        }
    }

    /// Everything to everybody, each in an order of its own that respects dependencies.
    fn settle(&mut self) {
        for tablet in 0..self.replicas.len() {
            let mut order: Vec<Change> = self.all.values().cloned().collect();
            order.shuffle(&mut self.rng);
            order.sort_by_key(|change| change.history.len());
            self.replicas[tablet].pull(&order, order.len());
        }
    }

    /// The values at a path that no later change, by somebody who had seen them, replaced.
    fn survivors(&self, path: &str) -> Vec<Scalar> {
        let writers: Vec<&Change> =
            self.all.values().filter(|change| change.writes.iter().any(|write| write.path == path)).collect();
        let mut values: Vec<Scalar> = Vec::new();
        for change in &writers {
            let replaced =
                writers.iter().any(|other| other.hash != change.hash && other.history.contains(&change.hash));
            let value =
                change.writes.iter().rev().find(|write| write.path == path).map(|write| write.value.clone());
            if let Some(value) = value.filter(|value| !replaced && !values.contains(value)) {
                values.push(value);
            }
        }
        values.sort_by_key(|value| value.to_json().to_string());
        values
    }
}

fn message(tablet: usize) -> Message {
    Message {
        at: "2026-11-20T13:05:00Z".into(),
        by: format!("staff-{tablet}"),
        offset: 0,
        tablet: format!("tablet-{tablet}"),
        supersedes: Vec::new(),
        reason: String::new(),
    }
}

#[test]
fn any_order_of_any_edits_on_any_tablets_converges_with_nothing_lost() {
    for seed in seeds::seeds(150) {
        let mut day = Day::new(seed);
        day.run();
        day.settle();
        let views: Vec<Value> =
            day.replicas.iter().map(|replica| replica.load(day.id).view().to_json(None, None)).collect();
        for view in &views {
            assert_eq!(view, &views[0], "seed {seed}: replicas differ");
        }
        let record = day.replicas[0].load(day.id);
        let shown = &views[0];
        for field in FIELDS {
            let mut held = record.scalars(field);
            held.sort_by_key(|value| value.to_json().to_string());
            assert_eq!(held, day.survivors(field), "seed {seed}: {field}");
            let conflict =
                shown["conflicts"].as_array().unwrap().iter().find(|conflict| conflict["path"] == **field);
            assert_eq!(conflict.is_some(), held.len() > 1, "seed {seed}: {field} in conflicts");
            if let Some(conflict) = conflict {
                assert_eq!(conflict["values"].as_array().unwrap().len(), held.len(), "seed {seed}: {field}");
            }
        }
        for entry in &day.entries {
            let pointer = format!("/{entry}");
            assert!(shown.pointer(&pointer).is_some(), "seed {seed}: {entry} is lost");
        }
    }
}
