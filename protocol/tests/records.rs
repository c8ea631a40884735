//! The record schema end to end: JSON in, document, JSON out, with everything concurrent shown.

#![allow(clippy::unwrap_used)]

use automerge::transaction::{CommitOptions, Transactable};
use automerge::{ActorId, Automerge, ROOT, ScalarValue};
use serde_json::{Value, json};
use wayside_protocol::{
    error::Code,
    record::{
        Author, Authored, Corrections, Flattener, Kind, Message, Record, RecordId, Rules, Scalar, Write,
        admit::{Fit, History, apply_checked},
        change_hash, check_change,
        chunk::{self, MAX_DEPS},
        entry_id, tablet_id,
    },
};

const SITE: &str = "0190b3f2-6c1a-7cde-8f00-2a6b1c9d4e5f";

/// The public key of the n-th tablet.
fn key(n: u8) -> [u8; 32] {
    [n; 32]
}

fn tablet(n: u8) -> String {
    tablet_id(&key(n))
}

/// What the server says of a change that stands on what `history` holds.
fn admitted(record: &Record, kind: Option<Kind>, raw: &[u8], author: u8) -> Result<Kind, Code> {
    let parsed = chunk::parse(raw).expect("an honest chunk");
    check_change(record.id(), kind, &parsed, &key(author), |path| record.has(path))
        .map_err(|invalid| invalid.code)
}

fn message(tablet: &str) -> Message {
    Message {
        at: "2026-11-20T13:05:00Z".into(),
        by: "nurse-01".into(),
        offset: 0,
        tablet: tablet.into(),
        supersedes: Vec::new(),
        reason: String::new(),
    }
}

struct Pen {
    name: u8,
    count: u8,
}

impl Pen {
    fn new(name: u8) -> Pen {
        Pen { name, count: 0 }
    }

    fn flatten(&mut self, kind: Kind, json: Value) -> Vec<Write> {
        let object = json.as_object().unwrap().clone();
        self.flattener(kind, |f| f.object(object)).unwrap()
    }

    fn flattener<T>(&mut self, kind: Kind, f: impl FnOnce(&mut Flattener) -> T) -> T {
        let mut new_id = || {
            self.count += 1;
            entry_id([self.name, self.count, 0, 0, 0])
        };
        f(&mut Flattener { kind, rules: Rules::Entry, new_id: &mut new_id })
    }

    fn set(&mut self, record: &mut Record, path: &str, value: Value) -> Authored {
        let kind = record.kind().unwrap();
        let writes = self.flattener(kind, |f| f.set(path, value)).unwrap();
        self.author(|author| record.edit(None, &writes, author).unwrap().unwrap())
    }

    fn author<T>(&mut self, f: impl FnOnce(&Author) -> T) -> T {
        self.count += 1;
        let message = message(&tablet(self.name));
        f(&Author { actor: [self.name; 16], fresh: [self.count.wrapping_add(100); 16], message: &message })
    }

    fn begin(&mut self, kind: Kind, json: Value) -> (Record, Authored) {
        let writes = self.flatten(kind, json);
        let id: RecordId = SITE.parse().unwrap();
        self.author(|author| Record::begin(id, kind, &writes, author).unwrap())
    }
}

fn contact() -> Value {
    json!({
        "session": SITE, "person": SITE, "started_at": "2026-11-20T13:05:00+00:00", "reason": "walk_up",
        "check_type": "bp_only", "prior_diagnosis": ["diabetes", "af"], "declined": ["weight"],
        "bp": {"pulse_rhythm": "regular", "symptoms": ["dizzy"], "readings": [
            {"taken_at": "2026-11-20T13:06:00Z", "systolic": 185, "diastolic": 100, "pulse": 71, "arm": "left"}]},
        "measurements": [{"what": "height", "value": 170, "unit": "cm"}],
        "lifestyle": {"smoking": "ex", "audit_c": {"q1": 1, "q2": 0, "q3": 0}},
        "notes": "Came with a neighbour", "satisfaction": 5,
        "ext": {"outcome": {"actions": ["leaflet"]}, "till": 3},
        "from_a_newer_version": {"depth": {"list": [1, 2]}, "flag": true},
    })
}

#[test]
fn json_survives_the_document() {
    let (record, authored) = Pen::new(1).begin(Kind::Contact, contact());
    assert_eq!(authored.hash, change_hash(&authored.raw));
    let shown = record.view().to_json(Some(SITE), None);
    for (path, expected) in [
        ("/kind", json!("contact")),
        ("/team", json!(SITE)),
        ("/started_at", json!("2026-11-20T13:05:00Z")),
        ("/prior_diagnosis", json!(["af", "diabetes"])),
        ("/declined", json!(["weight"])),
        ("/bp/symptoms", json!(["dizzy"])),
        ("/lifestyle/audit_c", json!({"q1": 1, "q2": 0, "q3": 0})),
        ("/ext", json!({"outcome": {"actions": ["leaflet"]}, "till": 3})),
        ("/from_a_newer_version", json!({"depth": {"list": [1, 2]}, "flag": true})),
        ("/created", json!({"at": "2026-11-20T13:05:00Z", "by": "nurse-01", "tablet": tablet(1)})),
        ("/conflicts", json!([])),
        ("/derived/category", json!("VERY_HIGH")),
        ("/derived/urgency", json!("same_day")),
    ] {
        assert_eq!(shown.pointer(path), Some(&expected), "{path}");
    }
    let readings = shown["bp"]["readings"].as_object().unwrap();
    assert_eq!(readings.values().next().unwrap()["systolic"], 185);
    // What was shown can be taken in again, ids and all.
    let (again, _) = Pen::new(2).begin(Kind::Contact, shown.clone());
    let mut second = again.view().to_json(Some(SITE), None);
    second["created"] = shown["created"].clone();
    assert_eq!(second, shown);
}

#[test]
fn an_honest_change_passes_admission() {
    let (mut record, beginning) = Pen::new(1).begin(Kind::Contact, contact());
    assert_eq!(admitted(&record, None, &beginning.raw, 1), Ok(Kind::Contact));
    let edit = Pen::new(2).set(&mut record, "satisfaction", json!(4));
    assert_eq!(admitted(&record, Some(Kind::Contact), &edit.raw, 2), Ok(Kind::Contact));
    assert_eq!(admitted(&record, Some(Kind::Contact), &edit.raw, 3), Err(Code::ChangeMessage));
    assert_eq!(admitted(&record, Some(Kind::Person), &beginning.raw, 1), Err(Code::BeginningInvalid));
    let elsewhere = Record::load(RecordId::from_bytes([9; 16]), [&beginning.raw]).unwrap();
    assert_eq!(admitted(&elsewhere, None, &beginning.raw, 1), Err(Code::BeginningInvalid));
}

#[test]
fn what_an_honest_tablet_never_writes_is_refused_at_admission() {
    let reading = json!({"taken_at": "2026-11-20T13:06:00Z", "systolic": 120, "diastolic": 80});
    let with = |name: &str, value: Value| {
        let mut entry = reading.clone();
        entry[name] = value;
        entry
    };
    let amend = |set: Value| json!({"entry": "notes/aaaaaaaa", "set": set});
    for (path, value, code) in [
        ("kind", json!("person"), Code::BeginningInvalid),
        ("schema", json!("x"), Code::BeginningInvalid),
        ("quarantined", json!([1]), Code::BadPath),
        ("derived/category", json!("NORMAL"), Code::BadPath),
        ("started_at", json!("2026-11-20T14:05:00+01:00"), Code::WrongType),
        ("session", json!(SITE.to_uppercase()), Code::WrongType),
        ("bp/readings/aaaaaaaa", with("corrected_by", json!(["bbbbbbbb"])), Code::BadPath),
        ("bp/readings/aaaaaaaa", with("struck_out", json!({"reason": "x"})), Code::BadPath),
        ("bp/readings/aaaaaaaa", with("corrects", json!("bbbbbbbb")), Code::EntryNotFound),
        ("bp/readings/aaaaaaaa", with("corrects", json!("aaaaaaaa")), Code::EntryNotFound),
        ("bp/readings/aaaaaaaa", with("supersedes", json!(["bbbbbbbb"])), Code::EntryNotFound),
        ("amendments/aaaaaaaa", amend(json!({"systolic": 111})), Code::BadPath),
        ("amendments/aaaaaaaa", amend(json!({"struck_out": {"reason": "x"}})), Code::EntryNotFound),
    ] {
        let (mut record, _) = Pen::new(1).begin(Kind::Contact, contact());
        let before = Record::load(record.id(), [&Pen::new(1).begin(Kind::Contact, contact()).1.raw]).unwrap();
        let writes = [Write { path: path.into(), value: Scalar::from_json(value.clone()) }];
        let edit = Pen::new(2).author(|author| record.edit(None, &writes, author).unwrap().unwrap());
        let parsed = chunk::parse(&edit.raw).unwrap();
        let refused =
            check_change(record.id(), Some(Kind::Contact), &parsed, &key(2), |path| before.has(path));
        assert_eq!(refused.map_err(|invalid| invalid.code), Err(code), "{path} {value}");
    }
}

/// A tablet that is a version ahead begins records of its own schema, and may add what nobody here knows.
#[test]
fn a_beginning_of_a_newer_schema_is_admitted_and_shown_whole() {
    let mut document = Automerge::new().with_actor(ActorId::from([9; 16]));
    let mut writing = document.transaction();
    for (key, value) in [
        ("id", ScalarValue::from(SITE)),
        ("kind", "contact".into()),
        ("schema", ScalarValue::Int(2)),
        ("session", "460a892b-9dc4-5bd8-9edf-683246954d1d".into()),
        ("started_at", "2026-11-20T13:05:00Z".into()),
        ("oxygen/saturation", ScalarValue::Int(97)),
    ] {
        writing.put(ROOT, key, value).unwrap();
    }
    let said = message(&tablet(1)).to_text();
    writing.commit_with(CommitOptions::default().with_message(said).with_time(0)).0.unwrap();
    let raw = document.get_changes(&[])[0].raw_bytes().to_vec();
    let id: RecordId = SITE.parse().unwrap();
    let parsed = chunk::parse(&raw).unwrap();
    let kind = check_change(id, None, &parsed, &key(1), |_| false);
    assert_eq!(kind.map_err(|invalid| invalid.code), Ok(Kind::Contact));
    let record = Record::load(id, [&raw]).unwrap();
    let shown = Value::Object(record.view().fields);
    assert_eq!((&shown["schema"], &shown["oxygen"]["saturation"]), (&json!(2), &json!(97)));
}

#[test]
fn a_beginning_says_its_kind_once() {
    let writes = [
        Write { path: "kind".into(), value: Scalar::Text("person".into()) },
        Write { path: "session".into(), value: Scalar::Text(SITE.into()) },
        Write { path: "started_at".into(), value: Scalar::Text("2026-11-20T13:05:00Z".into()) },
    ];
    let id: RecordId = SITE.parse().unwrap();
    let (record, beginning) =
        Pen::new(1).author(|author| Record::begin(id, Kind::Contact, &writes, author).unwrap());
    assert_eq!(record.kind(), Some(Kind::Person), "Automerge shows the last");
    assert_eq!(admitted(&record, None, &beginning.raw, 1), Err(Code::BeginningInvalid));
}

#[test]
fn altered_bytes_never_have_the_name_of_an_honest_change() {
    let (_, beginning) = Pen::new(1).begin(Kind::Contact, contact());
    for at in 0..beginning.raw.len() {
        let mut altered = beginning.raw.clone();
        altered[at] ^= 1;
        assert_ne!(change_hash(&altered), beginning.hash, "byte {at}");
    }
}

#[test]
fn a_field_of_a_newer_version_is_shown_whatever_its_name() {
    let (mut record, _) = Pen::new(1).begin(Kind::Contact, contact());
    Pen::new(2).set(&mut record, "amendments_of_the_future", json!("kept"));
    assert_eq!(record.view().fields["amendments_of_the_future"], "kept");
}

#[test]
fn rewriting_an_entry_is_refused_at_admission() {
    let (mut record, _) = Pen::new(1).begin(Kind::Contact, contact());
    let view = record.view();
    let reading = view.fields["bp"]["readings"].as_object().unwrap().keys().next().unwrap().clone();
    let value = json!({"taken_at": "2026-11-20T13:06:00Z", "systolic": 120, "diastolic": 80});
    let writes = [Write { path: format!("bp/readings/{reading}"), value: Scalar::from_json(value) }];
    let edit = Pen::new(2).author(|author| record.edit(None, &writes, author).unwrap().unwrap());
    assert_eq!(admitted(&record, Some(Kind::Contact), &edit.raw, 2), Err(Code::EntryWrittenOnce));
}

#[test]
fn bad_values_are_refused_with_what_to_do() {
    let reading = |systolic: i64, diastolic: i64| {
        json!({"session": SITE, "started_at": "2026-11-20T13:05:00Z", "bp": {
        "readings": [{"taken_at": "2026-11-20T13:06:00Z", "systolic": systolic, "diastolic": diastolic}]}})
    };
    for (kind, json, code, says) in [
        (Kind::Contact, reading(301, 100), Code::OutOfRange, "300"),
        (Kind::Contact, reading(69, 45), Code::ConfirmUnusual, "70"),
        (Kind::Contact, reading(90, 90), Code::OutOfRange, "lower"),
        (
            Kind::Contact,
            json!({"bp": {"readings": [{"systolic": 120, "diastolic": 80}]}}),
            Code::MissingField,
            "taken_at",
        ),
        (Kind::Contact, json!({"reason": "curious"}), Code::UnknownValue, "walk_up"),
        (Kind::Contact, json!({"started_at": "20 November"}), Code::WrongType, "started_at"),
        (Kind::Contact, json!({"satisfaction": 6}), Code::OutOfRange, "1 to 5"),
        (Kind::Contact, json!({"bp": {"readings": {"too-long-an-id": {}}}}), Code::BadId, "array"),
        (Kind::Person, json!({"nhs_number": "999 123 4567"}), Code::NhsNumberInvalid, ""),
        (Kind::Person, json!({"ethnic_category": "Q"}), Code::UnknownValue, "99"),
        (Kind::Person, json!({"name": "Amina"}), Code::WrongType, "name"),
        (Kind::Person, json!({"date_of_birth": "3/2/1968"}), Code::WrongType, "date"),
        (Kind::Site, json!({"name": null, "type": "temple"}), Code::UnknownValue, "mosque"),
        (Kind::Site, json!({"name": "x".repeat(10_001)}), Code::TooLarge, "large"),
    ] {
        let object = json.as_object().unwrap().clone();
        let error = Pen::new(1).flattener(kind, |f| f.object(object)).unwrap_err();
        assert_eq!(error.code, code, "{json}");
        assert!(error.message.contains(says), "{}", error.message);
    }
}

#[test]
fn a_person_is_normalised_at_entry() {
    let (record, _) = Pen::new(1).begin(
        Kind::Person,
        json!({"name": {"given": "Amina", "family": "Khan"}, "nhs_number": "999 000 0018", "age_years": 58,
               "age_as_of": "2026-11-20", "age_is_estimate": true, "plus_groups": ["homeless"]}),
    );
    let fields = record.view().fields;
    assert_eq!(fields["nhs_number"], json!({"value": "9990000018", "status": "02"}));
    assert_eq!(fields["age_years"], 58);
    assert_eq!(record.scalars("birth").len(), 1);
    assert_eq!(fields.get("birth"), None);
}

/// Two tablets that hold the same record.
fn pair(kind: Kind, json: Value) -> (Record, Record, Vec<Vec<u8>>) {
    let (left, beginning) = Pen::new(1).begin(kind, json);
    let right = Record::load(left.id(), [&beginning.raw]).unwrap();
    (left, right, vec![beginning.raw])
}

fn merged(id: RecordId, raws: &[Vec<u8>]) -> Record {
    Record::load(id, raws).unwrap()
}

#[test]
fn concurrent_values_are_all_shown_until_somebody_settles_them() {
    let (mut left, mut right, mut raws) =
        pair(Kind::Person, json!({"name": {"given": "Amina", "family": "Khan"}}));
    raws.push(Pen::new(2).set(&mut left, "name/family", json!("Kahn")).raw);
    raws.push(Pen::new(3).set(&mut right, "name/family", json!("Cann")).raw);
    let mut both = merged(left.id(), &raws);
    let conflicts = both.view().conflicts;
    assert_eq!(conflicts.len(), 1);
    assert_eq!(conflicts[0]["path"], "name/family");
    let mut values: Vec<_> = conflicts[0]["values"]
        .as_array()
        .unwrap()
        .iter()
        .map(|v| (v["value"].clone(), v["tablet"].clone()))
        .collect();
    values.sort_by_key(|(value, _)| value.to_string());
    assert_eq!(values, [(json!("Cann"), json!(tablet(3))), (json!("Kahn"), json!(tablet(2)))]);
    // In the other order of arrival: the same.
    raws.swap(1, 2);
    assert_eq!(merged(left.id(), &raws).view().to_json(None, None), both.view().to_json(None, None));
    raws.push(Pen::new(4).set(&mut both, "name/family", json!("Khan")).raw);
    let settled = merged(left.id(), &raws).view();
    assert_eq!(settled.conflicts, Vec::<Value>::new());
    assert_eq!(settled.fields["name"]["family"], "Khan");
}

#[test]
fn settling_on_either_value_is_an_honest_change() {
    let (mut left, mut right, mut raws) = pair(Kind::Person, json!({"name": {"family": "Khan"}}));
    raws.push(Pen::new(2).set(&mut left, "name/family", json!("Kahn")).raw);
    raws.push(Pen::new(3).set(&mut right, "name/family", json!("Cann")).raw);
    for value in ["Kahn", "Cann"] {
        let mut both = merged(left.id(), &raws);
        let settled = Pen::new(4).set(&mut both, "name/family", json!(value));
        assert_eq!(admitted(&both, Some(Kind::Person), &settled.raw, 4), Ok(Kind::Person), "never a delete");
        assert_eq!(both.view().conflicts, Vec::<Value>::new());
        assert_eq!(both.view().fields["name"]["family"], value);
    }
}

#[test]
fn equal_values_are_no_conflict_and_other_fields_merge() {
    let (mut left, mut right, mut raws) = pair(Kind::Person, json!({"name": {"family": "Khan"}}));
    raws.push(Pen::new(2).set(&mut left, "phone", json!("07700 900123")).raw);
    raws.push(Pen::new(3).set(&mut right, "phone", json!("07700 900123")).raw);
    raws.push(Pen::new(3).set(&mut right, "plus_groups/homeless", json!(true)).raw);
    raws.push(Pen::new(2).set(&mut left, "plus_groups", json!(["sex_worker"])).raw);
    let view = merged(left.id(), &raws).view();
    assert_eq!(view.conflicts, Vec::<Value>::new());
    assert_eq!(view.fields["plus_groups"], json!(["homeless", "sex_worker"]));
}

#[test]
fn clearing_a_field_beside_an_edit_stays_visible() {
    let (mut left, mut right, mut raws) = pair(Kind::Person, json!({"phone": "07700 900123"}));
    raws.push(Pen::new(2).set(&mut left, "phone", json!(null)).raw);
    raws.push(Pen::new(3).set(&mut right, "phone", json!("07700 900456")).raw);
    let view = merged(left.id(), &raws).view();
    assert_eq!(view.conflicts[0]["path"], "phone");
}

#[test]
fn an_edit_on_what_was_shown_overwrites_nothing_it_never_saw() {
    let (left, mut right, _) = pair(Kind::Person, json!({"phone": "07700 900123"}));
    let shown = left.heads();
    let pulled = Pen::new(3).set(&mut right, "phone", json!("07700 900456"));
    let mut left = Record::load(left.id(), [&left_raw(&left), &pulled.raw]).unwrap();
    let writes = [Write { path: "phone".into(), value: Scalar::Text("07700 900789".into()) }];
    let edit = Pen::new(2).author(|author| left.edit(Some(&shown), &writes, author).unwrap().unwrap());
    assert_ne!(edit.actor, [2; 16], "an edit beside the current heads has an actor of its own");
    assert_eq!(left.view().conflicts.len(), 1);
    assert_eq!(left.view().conflicts[0]["values"].as_array().unwrap().len(), 2);
}

/// More people edited one record side by side than a change may name heads.
#[test]
fn a_record_with_more_heads_than_a_change_may_name_can_still_be_edited_and_settled() {
    const SIDES: usize = MAX_DEPS as usize + 10;
    let mut raws = Vec::new();
    let (first, begun) = Pen::new(200).begin(Kind::Person, json!({"sex": "F"}));
    raws.push(begun.raw.clone());
    let mut history = History::new();
    history.insert(&chunk::parse(&begun.raw).unwrap());
    for side in 0..SIDES {
        let mut theirs = Record::load(first.id(), [&begun.raw]).unwrap();
        let phone = Write { path: "phone".into(), value: Scalar::Text(format!("07700 {side:06}")) };
        // Every tenth wrote something else.
        let other = Write { path: format!("ext/side-{side}"), value: Scalar::Int(1) };
        let writes = if side % 10 == 0 { [other] } else { [phone] };
        let author = Author { actor: [side as u8; 16], fresh: [255; 16], message: &message("side") };
        let edit = theirs.edit(None, &writes, &author).unwrap().unwrap();
        history.insert(&chunk::parse(&edit.raw).unwrap());
        raws.push(edit.raw);
    }
    let mut record = merged(first.id(), &raws);
    assert_eq!((record.heads().len(), record.scalars("phone").len()), (SIDES, SIDES - SIDES.div_ceil(10)));
    let shown = record.heads();
    let mut heads = vec![SIDES];
    for (n, base) in [(0, Some(&shown[..])), (1, None)] {
        let writes = [Write { path: "phone".into(), value: Scalar::Text(format!("07700 90000{n}")) }];
        let (actor, fresh) = ([210 + n; 16], [220 + n; 16]);
        let edit = record.edit(base, &writes, &Author { actor, fresh, message: &message("desk") });
        let edit = edit.unwrap().unwrap();
        let parsed = chunk::parse(&edit.raw).expect("within the caps");
        assert!(matches!(history.fit(&parsed), Fit::Fits));
        let before: Vec<&[u8]> = raws.iter().map(Vec::as_slice).collect();
        apply_checked(&before, &edit.raw).unwrap();
        history.insert(&parsed);
        raws.push(edit.raw);
        heads.push(record.heads().len());
    }
    // The first edit took in all that said something of the phone but what goes beyond the cap, the second the rest.
    assert_eq!(heads, [SIDES, SIDES - MAX_DEPS as usize + 1, 1]);
    assert_eq!(record.scalars("phone"), [Scalar::Text("07700 900001".into())]);
    assert!((0..SIDES).step_by(10).all(|side| record.has(&format!("ext/side-{side}"))));
    assert_eq!(merged(first.id(), &raws).heads(), record.heads());
}

fn left_raw(_: &Record) -> Vec<u8> {
    let (_, beginning) = Pen::new(1).begin(Kind::Person, json!({"phone": "07700 900123"}));
    beginning.raw
}

#[test]
fn two_beginnings_of_one_session_merge_and_tallies_add_up() {
    let session = |staff: &str, approached: i64| {
        json!({"site": SITE, "date": "2026-11-20", "setting": "van", "staff": [staff],
               "tallies": {"approached": approached}})
    };
    let (left, a) = Pen::new(1).begin(Kind::Session, session("nurse-01", 3));
    let (_, b) = Pen::new(2).begin(Kind::Session, session("nurse-02", 4));
    let view = merged(left.id(), &[a.raw, b.raw]).view();
    assert_eq!(view.conflicts, Vec::<Value>::new());
    assert_eq!(view.fields["tallies"], json!({"approached": 7}));
    assert_eq!(view.fields["staff"], json!(["nurse-01", "nurse-02"]));
}

fn correction(original: &str, systolic: i64, supersedes: &[&str]) -> Value {
    let mut value = json!({"taken_at": "2026-11-20T13:06:00Z", "systolic": systolic, "diastolic": 90, "corrects": original});
    if !supersedes.is_empty() {
        value["supersedes"] = json!(supersedes);
    }
    value
}

#[test]
fn two_corrections_of_one_reading_are_a_conflict_and_a_third_settles_it() {
    let (mut left, mut right, mut raws) = pair(Kind::Contact, contact());
    let reading = left.view().fields["bp"]["readings"].as_object().unwrap().keys().next().unwrap().clone();
    let (first, second, third) = ("aaaaaaaa", "bbbbbbbb", "cccccccc");
    raws.push(
        Pen::new(2).set(&mut left, &format!("bp/readings/{first}"), correction(&reading, 152, &[])).raw,
    );
    let one = left.view();
    assert_eq!(one.conflicts, Vec::<Value>::new());
    assert_eq!(one.fields["bp"]["readings"][&reading]["corrected_by"], json!([first]));
    assert_eq!(one.to_json(None, None)["derived"]["category"], "HIGH");

    raws.push(
        Pen::new(3).set(&mut right, &format!("bp/readings/{second}"), correction(&reading, 182, &[])).raw,
    );
    let mut both = merged(left.id(), &raws);
    let view = both.view();
    assert_eq!(view.conflicts.len(), 1);
    assert_eq!(view.conflicts[0]["path"], format!("bp/readings/{reading}"));
    assert_eq!(
        view.to_json(None, None)["derived"]["category"],
        "VERY_HIGH",
        "the more urgent counts meanwhile"
    );

    let settle = correction(&reading, 152, &[first, second]);
    raws.push(Pen::new(4).set(&mut both, &format!("bp/readings/{third}"), settle).raw);
    let view = merged(left.id(), &raws).view();
    assert_eq!(view.conflicts, Vec::<Value>::new());
    assert_eq!(view.to_json(None, None)["derived"]["category"], "HIGH");
    let readings = view.fields["bp"]["readings"].as_object().unwrap();
    let chains = Corrections::of(readings.iter().map(|(id, value)| (id.as_str(), value)));
    assert_eq!(chains.leaves(&reading, readings.keys().map(String::as_str)), [third]);
}

#[test]
fn a_struck_out_reading_stays_visible_and_no_longer_counts() {
    let (mut record, _) = Pen::new(1).begin(Kind::Contact, contact());
    let reading = record.view().fields["bp"]["readings"].as_object().unwrap().keys().next().unwrap().clone();
    let amendment =
        json!({"entry": format!("bp/readings/{reading}"), "set": {"struck_out": {"reason": "wrong person"}}});
    Pen::new(2).set(&mut record, "amendments/aaaaaaaa", amendment);
    let shown = record.view().to_json(None, None);
    assert_eq!(shown["bp"]["readings"][&reading]["struck_out"]["reason"], "wrong person");
    assert_eq!(shown["derived"]["category"], Value::Null);
    assert_eq!(shown.get("amendments"), None);

    // Two who strike it out for different reasons disagree, until a third settles that.
    let again = |reason: &str| json!({"entry": format!("bp/readings/{reading}"), "set": {"struck_out": {"reason": reason}}});
    Pen::new(3).set(&mut record, "amendments/bbbbbbbb", again("test of the cuff"));
    let path = format!("bp/readings/{reading}/struck_out");
    assert_eq!(record.view().conflicts[0]["path"], json!(path));
    let mut settled = again("wrong person");
    settled["supersedes"] = json!(["aaaaaaaa", "bbbbbbbb"]);
    Pen::new(4).set(&mut record, "amendments/cccccccc", settled);
    let view = record.view();
    assert_eq!(view.conflicts, Vec::<Value>::new());
    assert_eq!(view.fields["bp"]["readings"][&reading]["struck_out"]["reason"], "wrong person");
}

#[test]
fn a_value_beside_fields_below_it_is_a_conflict() {
    let (mut left, mut right, mut raws) = pair(Kind::Person, json!({"phone": "07700 900123"}));
    raws.push(Pen::new(2).set(&mut left, "housing", json!("hostel")).raw);
    raws.push(Pen::new(3).set(&mut right, "housing/kind", json!("sofa")).raw);
    let view = merged(left.id(), &raws).view();
    assert_eq!(view.conflicts.len(), 1);
    let shown = view.to_json(None, None).to_string();
    assert!(shown.contains("hostel") && shown.contains("sofa"), "{shown}");
}

#[test]
fn bytes_that_do_not_give_back_every_change_are_an_error() {
    let (_, _, mut raws) = pair(Kind::Person, json!({"phone": "07700 900123"}));
    let id: RecordId = SITE.parse().unwrap();
    let cut = raws[0].len() / 2;
    raws.push(raws[0][..cut].to_vec());
    assert!(Record::load(id, &raws).is_err());
    assert!(Record::load(id, &raws[..0]).unwrap().kind().is_none());
}

#[test]
fn two_who_strike_out_for_the_same_reason_agree() {
    let mut pen = Pen::new(1);
    let entry = "bp/readings/aaaaaaaa";
    let reading = json!({"taken_at": "2026-11-20T13:06:00Z", "systolic": 152, "diastolic": 94});
    let fields = json!({"session": SITE, "started_at": "2026-11-20T13:05:00Z"});
    let (mut record, _) = pen.begin(Kind::Contact, fields);
    pen.set(&mut record, entry, reading);
    let mut strike = |by: &str, reason: &str| {
        let struck = json!({"reason": reason, "by": by, "at": "2026-11-20T13:10:00Z"});
        let path = format!("amendments/{}", entry_id([9, by.as_bytes()[0], 0, 0, 0]));
        pen.set(&mut record, &path, json!({"entry": entry, "set": {"struck_out": struck}}));
        record.view().conflicts.len()
    };
    assert_eq!(strike("nurse-01", "cuff slipped"), 0);
    assert_eq!(strike("other-02", "cuff slipped"), 0);
    assert_eq!(strike("third-03", "wrong person"), 1);
}
