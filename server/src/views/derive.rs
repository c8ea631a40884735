//! What the views hold of a record, as far as the log alone says it. Pure, so that it is made in another thread than
//! the one that writes.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};

use jiff::civil::Date;
use serde_json::{Map, Value};
use wayside_protocol::clinical::follow_up::{Task, is_handled, tasks};
use wayside_protocol::clinical::{derive, needs_attention};
use wayside_protocol::matching::PersonFacts;
use wayside_protocol::record::{Kind, RecordId, View};
use wayside_protocol::sync::frame::What;

use super::changed::ever_merged_into;
use super::find;
use super::reach::Reached;
use super::today::{Stands, Todo, todos};
use crate::error::{Error, Result};
use crate::log;

/// A part of a team's log, derived.
pub(super) struct Part {
    /// It follows this number, and ends with that.
    pub from: u64,
    pub to: u64,
    /// Records that were erased.
    pub gone: BTreeSet<RecordId>,
    /// The number of each record's last row.
    pub numbers: BTreeMap<RecordId, u64>,
    pub records: Vec<Record>,
    pub persons: BTreeMap<RecordId, Person>,
    pub contacts: BTreeMap<RecordId, Contact>,
}

/// The row of a record.
pub(super) struct Record {
    pub id: RecordId,
    pub kind: String,
    /// JSON.
    pub fields: String,
    pub conflicts: String,
    pub conflict_count: usize,
    pub search: String,
    pub created: String,
    pub archived: bool,
}

pub(super) struct Person {
    /// As from [`View::whole`].
    pub whole: Value,
    pub facts: PersonFacts,
    /// Under what they are compared with others.
    pub keys: Vec<String>,
    /// By what they are found.
    pub found_by: BTreeSet<String>,
    /// Whom they were ever merged into.
    pub merged_into: BTreeSet<RecordId>,
}

/// What is said of a contact needs its person.
pub(super) enum Contact {
    /// Who names nobody, or somebody of the same part.
    Derived(Box<ContactRows>),
    /// The person is in the views, or nowhere.
    Alone(View),
}

/// What the tables `contact`, `reach`, `task` and `todo` hold of a contact.
pub(super) struct ContactRows {
    pub session: Option<String>,
    pub person: Option<RecordId>,
    pub started_at: String,
    pub category: Option<&'static str>,
    /// JSON array.
    pub actions: String,
    pub urgency: &'static str,
    pub rank: i64,
    pub why: String,
    pub stands: Stands,
    /// `None` where the contact was entered in error.
    pub reached: Option<Reached>,
    pub tasks: Vec<Task>,
    pub todos: Vec<Todo>,
}

impl Part {
    pub fn of(from: u64, part: log::Part) -> Result<Part> {
        let log::Part { to, records, numbers, off_tablets } = part;
        let mut derived = Part {
            from,
            to,
            gone: BTreeSet::new(),
            numbers,
            records: Vec::with_capacity(records.len()),
            persons: BTreeMap::new(),
            contacts: BTreeMap::new(),
        };
        let mut contacts = Vec::new();
        for (id, raws) in records {
            if off_tablets.get(&id) == Some(&What::Erase) {
                derived.gone.insert(id);
                continue;
            }
            let Some(view) = read(id, &raws) else {
                tracing::error!(record = %id, "an accepted record cannot be read back");
                continue;
            };
            derived.records.push(Record::of(id, &view, off_tablets.contains_key(&id))?);
            match view.kind {
                Some(Kind::Contact) => contacts.push((id, view)),
                Some(Kind::Person) => {
                    derived.persons.insert(id, Person::of(view, &raws));
                }
                _ => {}
            }
        }
        // Last of all: what is derived of them needs their persons.
        for (id, view) in contacts {
            let here = person_id(&view.fields).map(|person| derived.persons.get(&person));
            let contact = match here {
                Some(None) => Contact::Alone(view),
                here => {
                    Contact::Derived(Box::new(ContactRows::of(id, view, here.flatten().map(|p| &p.whole))))
                }
            };
            derived.contacts.insert(id, contact);
        }
        Ok(derived)
    }
}

/// What an accepted record shows. Nothing here is hostile any more, but no record may stop the others.
fn read(id: RecordId, raws: &[Vec<u8>]) -> Option<View> {
    let view = catch_unwind(AssertUnwindSafe(|| View::of_changes(id, raws)));
    view.ok()?.ok().map(|(view, _)| view)
}

impl Person {
    fn of(view: View, raws: &[Vec<u8>]) -> Person {
        let whole = view.into_whole();
        let facts = PersonFacts::of(&whole);
        // Who was entered in error is nobody's duplicate.
        let there = whole.get("entered_in_error").is_none();
        let keys = if there { facts.keys() } else { Vec::new() };
        Person { keys, found_by: find::keys(&whole), merged_into: ever_merged_into(raws), facts, whole }
    }
}

impl Record {
    fn of(id: RecordId, view: &View, archived: bool) -> Result<Record> {
        let unwritable = |_| Error::Internal("a view as JSON");
        let mut search = String::new();
        for (name, value) in &view.fields {
            if !matches!(name.as_str(), "id" | "kind" | "schema" | "created") {
                words(value, &mut search);
            }
        }
        for conflict in &view.conflicts {
            for concurrent in conflict.get("values").and_then(Value::as_array).into_iter().flatten() {
                concurrent.get("value").into_iter().for_each(|value| words(value, &mut search));
            }
        }
        let kind = view.fields.get("kind").and_then(Value::as_str).unwrap_or_default();
        let created =
            view.fields.get("created").and_then(|created| created.get("at")?.as_str()).unwrap_or_default();
        Ok(Record {
            id,
            kind: kind.to_owned(),
            fields: serde_json::to_string(&view.fields).map_err(unwritable)?,
            conflicts: serde_json::to_string(&view.conflicts).map_err(unwritable)?,
            conflict_count: view.conflicts.len(),
            search,
            created: created.to_owned(),
            archived,
        })
    }
}

/// Appends every text and number of a value, in lower case, each on its own.
fn words(value: &Value, out: &mut String) {
    match value {
        Value::String(text) => {
            out.push_str(&text.to_lowercase());
            out.push('\n');
        }
        Value::Number(number) => {
            out.push_str(&number.to_string());
            out.push('\n');
        }
        Value::Array(values) => values.iter().for_each(|value| words(value, out)),
        Value::Object(members) => members.values().for_each(|value| words(value, out)),
        Value::Null | Value::Bool(_) => {}
    }
}

/// The person that a contact names.
pub(super) fn person_id(contact: &Map<String, Value>) -> Option<RecordId> {
    contact.get("person")?.as_str()?.parse().ok()
}

impl ContactRows {
    /// `person` as from [`View::whole`].
    pub fn of(id: RecordId, view: View, person: Option<&Value>) -> ContactRows {
        let named = person_id(&view.fields);
        // As `View::derive_contact` has it: while values disagree, the more urgent one counts.
        let contact = view.into_whole();
        let derived = derive(&contact, person);
        let text = |name: &str| contact.get(name).and_then(Value::as_str).map(str::to_owned);
        let actions: Vec<&str> = derived.actions.iter().map(|action| action.as_str()).collect();
        let stands = match needs_attention(&derived) {
            false => Stands::Routine,
            true if is_handled(&contact, &derived) => Stands::InHand,
            true => Stands::Waits,
        };
        // On the first of all days nothing is due: what is open then depends on the events alone.
        let tasks = tasks(&contact, Date::MIN);
        ContactRows {
            session: text("session"),
            person: named,
            started_at: text("started_at").unwrap_or_default(),
            category: derived.category.map(|category| category.as_str()),
            actions: Value::from(actions).to_string(),
            urgency: derived.urgency.as_str(),
            rank: derived.urgency as i64,
            stands,
            reached: Reached::of(&contact, person, &derived),
            todos: todos(id, &contact, &derived, &tasks, stands),
            tasks,
            why: derived.why,
        }
    }
}
