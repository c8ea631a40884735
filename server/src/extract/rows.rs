//! From a record to its rows: one, or one for each entry.

use std::borrow::Cow;

use serde_json::{Value, json};
use wayside_protocol::clinical::follow_up::{Task, tasks};
use wayside_protocol::clinical::{Derived, Otherwise};
use wayside_protocol::record::{Kind, RecordId, path};

use super::columns::{Column, File, Origin};
use crate::fhir::{Place, disputed, places};

/// A record as the views hold it.
pub struct Source {
    pub id: RecordId,
    pub team: RecordId,
    /// With its `conflicts`, as [`wayside_protocol::record::View::whole`] has it.
    pub record: Value,
    /// The record that stands for its person, or for itself if it is a person's.
    pub person: Option<RecordId>,
    /// Of a contact.
    pub derived: Option<Derived>,
}

/// One row, before it is written.
pub struct Row<'a> {
    file: File,
    source: &'a Source,
    place: Option<&'a Place<'a>>,
    task: Option<&'a Task>,
    /// Names of columns whose values disagree.
    pub unsettled: Vec<(&'static str, Vec<Value>)>,
}

/// Members in which two corrections may differ and still say the same was measured.
const BESIDE: &[&str] = &["reason", "by", "taken_at", "confirmed_unusual"];
/// Never one without the other.
const PAIR: [&str; 2] = ["systolic", "diastolic"];

/// Gives each row of a record to `each`, with `columns` looked through for what is not settled.
pub fn rows<E>(
    file: File,
    source: &Source,
    columns: &[&'static Column],
    mut each: impl FnMut(&Row<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let mut give = |place: Option<&Place<'_>>, task: Option<&Task>| {
        let mut row = Row { file, source, place, task, unsettled: Vec::new() };
        if row.may_disagree() {
            row.unsettled = columns
                .iter()
                .filter_map(|column| Some((column.name.as_str(), row.disagreeing(column)?)))
                .collect();
        }
        each(&row)
    };
    let Some(map) = file.entries() else { return give(None, None) };
    // How they stand by what happened: what is due today depends on the day on which somebody looks.
    let tasks = match file {
        File::FollowUps | File::Referrals => tasks(&source.record, jiff::civil::Date::MIN),
        _ => Vec::new(),
    };
    for place in places(&source.record, map) {
        let task = tasks.iter().find(|task| task.entry == place.root);
        give(Some(&place), task)?;
    }
    Ok(())
}

impl<'a> Row<'a> {
    /// One of the codes of the column `status`.
    pub fn status(&self) -> &'static str {
        let in_error = self.source.record.get("entered_in_error").is_some_and(Value::is_object);
        let disputed = disputed(&self.source.record, "entered_in_error");
        match self.place {
            _ if in_error && !disputed.iter().any(|value| value.is_null()) => "entered_in_error",
            Some(place) if place.live.is_empty() => "struck_out",
            _ if self.unsettled.is_empty() => "current",
            _ => "unsettled",
        }
    }

    pub fn is_unsettled(&self, column: &Column) -> bool {
        self.unsettled.iter().any(|(name, _)| *name == column.name)
    }

    /// The value of a column; of ids of records the plain ids.
    pub fn value(&self, column: &Column) -> Option<Cow<'a, Value>> {
        let source = self.source;
        let text = |text: String| Some(Cow::Owned(Value::String(text)));
        let found = match &column.origin {
            Origin::Status => return text(self.status().to_owned()),
            Origin::Record => return text(source.id.to_string()),
            Origin::Team => return text(source.team.to_string()),
            Origin::Person => return text(source.person?.to_string()),
            Origin::Entry => return text(self.place?.root.to_owned()),
            Origin::Field(way) => way.iter().try_fold(&source.record, |at, name| at.get(name))?,
            Origin::Member(name) => self.entry()?.get(name)?,
            Origin::StruckOut => self.place?.struck?.get("struck_out")?.get("reason")?,
            Origin::Tally(name) => source.record.get("tallies")?.get(name)?,
            Origin::Corrected => return Some(Cow::Owned(Value::Bool(self.place?.was_corrected()))),
            Origin::Counts => {
                let derived = source.derived.as_ref()?;
                // Which of them decides is not settled, however settled this one is.
                if derived.disputed.as_ref().is_some_and(|disputed| !disputed.otherwise.is_empty()) {
                    return None;
                }
                let chosen = derived.chosen_reading.as_deref();
                let counts = self.place?.live.iter().any(|(id, _)| Some(*id) == chosen);
                return Some(Cow::Owned(Value::Bool(counts)));
            }
            Origin::Derived(name) => return derived(source.derived.as_ref()?, name).map(Cow::Owned),
            Origin::Task(name) => return task(self.task?, name).map(Cow::Owned),
            Origin::Unsettled => return None,
        };
        (!found.is_null()).then_some(Cow::Borrowed(found))
    }

    /// By what its entry is known among those of all contacts.
    pub fn entry_path(&self) -> Option<String> {
        let at = path::join(self.file.entries()?, self.place?.root);
        Some(format!("{}/{at}", self.source.id))
    }

    /// What stands at the place, or was struck out there.
    fn entry(&self) -> Option<&'a Value> {
        let place = self.place?;
        place.live.first().map(|(_, entry)| *entry).or(place.struck)
    }

    /// Whether anything disagrees: of most rows nothing does, and their columns are not looked through.
    fn may_disagree(&self) -> bool {
        let conflicts = self.source.record.get("conflicts").and_then(Value::as_array);
        conflicts.is_some_and(|conflicts| !conflicts.is_empty())
            || self.place.is_some_and(|place| place.live.len() > 1)
            || self.source.derived.as_ref().is_some_and(|derived| derived.disputed.is_some())
    }

    /// The values of a column that disagree; `None` where none do.
    fn disagreeing(&self, column: &Column) -> Option<Vec<Value>> {
        match &column.origin {
            Origin::Field(_) if !column.path.is_empty() => self.in_conflict(&column.path),
            Origin::Person if self.file.kind() == Kind::Contact => self.in_conflict("person"),
            Origin::Member(name) => self.corrections_differ(name),
            Origin::Derived(name) => self.derived_differs(name),
            Origin::StruckOut => {
                let at = path::join(&path::join(self.file.entries()?, self.place?.root), "struck_out");
                self.in_conflict(&at)
            }
            _ => None,
        }
    }

    /// Values of conflicts at a path, of what holds it, and of what lies below it.
    fn in_conflict(&self, path: &str) -> Option<Vec<Value>> {
        let conflicts = self.source.record.get("conflicts")?.as_array()?;
        let about = |at: &str| {
            at == path
                || at.strip_prefix(path).is_some_and(|rest| rest.starts_with('/'))
                || path.strip_prefix(at).is_some_and(|rest| rest.starts_with('/'))
        };
        let found: Vec<&Value> = conflicts
            .iter()
            .filter(|one| one.get("path").and_then(Value::as_str).is_some_and(about))
            .collect();
        let values = found.iter().filter_map(|one| one.get("values")?.as_array()).flatten();
        let values = values.filter_map(|value| value.get("value").cloned()).collect();
        (!found.is_empty()).then_some(values)
    }

    /// Corrections that nobody has settled, where what they measured differs.
    fn corrections_differ(&self, name: &str) -> Option<Vec<Value>> {
        let live = &self.place?.live;
        let differ = |name: &str| {
            let mut values = live.iter().map(|(_, entry)| entry.get(name));
            let first = values.next().flatten();
            values.any(|value| value != first)
        };
        if live.len() < 2 || BESIDE.contains(&name) {
            return None;
        }
        let differs = match PAIR.contains(&name) {
            true => PAIR.iter().any(|name| differ(name)),
            false => differ(name),
        };
        let values = live.iter().filter_map(|(_, entry)| entry.get(name).cloned());
        differs.then(|| values.collect())
    }

    /// What the rules would make of a contact with each of the values that disagree.
    fn derived_differs(&self, name: &str) -> Option<Vec<Value>> {
        let own = self.source.derived.as_ref()?;
        if name == "bmi" {
            return self.in_conflict(wayside_protocol::record::schema::MEASUREMENTS_PATH);
        }
        let disputed = own.disputed.as_ref()?;
        let about = |wanted: &[&str]| {
            disputed.paths.iter().any(|path| wanted.iter().any(|wanted| path.starts_with(wanted)))
        };
        let differs = match name {
            "rules" => false,
            "age" => about(&["person/birth", "age_band", "started_at"]),
            "systolic" | "diastolic" | "why" | "another_reading_due" => {
                about(&["bp/readings"]) || !disputed.otherwise.is_empty()
            }
            _ => !disputed.otherwise.is_empty(),
        };
        let others = disputed.otherwise.iter().filter_map(|other| otherwise(other, name));
        differs.then(|| derived(own, name).into_iter().chain(others).collect())
    }
}

fn derived(derived: &Derived, name: &str) -> Option<Value> {
    match name {
        "category" => Some(json!(derived.category?)),
        "actions" => Some(json!(derived.actions)),
        "urgency" => Some(json!(derived.urgency)),
        "systolic" => Some(json!(derived.systolic?)),
        "diastolic" => Some(json!(derived.diastolic?)),
        "why" => Some(json!(derived.why)),
        "another_reading_due" => Some(json!(derived.another_reading_due)),
        "bmi" => Some(json!(derived.bmi?)),
        "age" => Some(json!(derived.age?)),
        "rules" => Some(json!(derived.rules)),
        _ => None,
    }
}

fn otherwise(other: &Otherwise, name: &str) -> Option<Value> {
    match name {
        "category" => Some(json!(other.category)),
        "actions" => Some(json!(other.actions)),
        "urgency" => Some(json!(other.urgency)),
        "systolic" => Some(json!(other.systolic)),
        "diastolic" => Some(json!(other.diastolic)),
        _ => None,
    }
}

fn task(task: &Task, name: &str) -> Option<Value> {
    let last = task.last.as_ref();
    match name {
        "state" => Some(json!(task.state)),
        "due" => Some(json!(task.due_on?.to_string())),
        "since" => Some(json!(task.since?.to_string())),
        "attempts" => Some(json!(task.attempts)),
        "reasons_missed" => (!task.reasons_missed.is_empty()).then(|| json!(task.reasons_missed)),
        "last_status" => Some(json!(last?.status)),
        "last_at" => Some(json!(last?.at.as_ref()?)),
        "last_by" => Some(json!(last?.by.as_ref()?)),
        "last_outcome" => Some(json!(last?.outcome.as_ref()?)),
        _ => None,
    }
}
