//! A follow-up or referral as a card with its forms: on the list, and on its check's page.

use serde_json::Value;
use wayside_protocol::clinical::follow_up::{Call, Task, TaskKind, TaskState};

use super::super::words;
use super::table::Fact;
use crate::api::Names;

/// One way in which it may go on: the code, and what the form calls it.
pub struct Outcome {
    pub code: &'static str,
    pub words: &'static str,
}

pub struct TaskCard {
    /// Of the form's elements, and what finds it again when the page refreshes.
    pub id: String,
    pub check: String,
    pub entry: String,
    pub referral: bool,
    pub title: String,
    pub state: &'static str,
    pub colour: &'static str,
    pub facts: Vec<Fact>,
    pub outcomes: &'static [Outcome],
    /// What a call is about: the entry that it is for, in words.
    pub about: String,
    /// Ended: nothing more is asked for.
    pub closed: bool,
}

const fn outcome(code: &'static str, words: &'static str) -> Outcome {
    Outcome { code, words }
}

const OF_FOLLOW_UP: &[Outcome] = &[
    outcome("done", "Done"),
    outcome("not_reached", "Not reached"),
    outcome("rearranged", "Rearranged for another day"),
    outcome("declined", "Declined"),
];

const OF_REFERRAL: &[Outcome] = &[
    outcome("sent", "Sent"),
    outcome("received", "Received there"),
    outcome("attended", "Attended"),
    outcome("did_not_attend", "Did not attend"),
    outcome("declined", "Declined"),
    outcome("closed", "Closed, with the outcome below"),
];

impl TaskCard {
    /// `last_by` is the name of whoever acted last.
    pub fn of(check: &str, task: &Task, last_by: Option<&str>) -> TaskCard {
        let referral = task.kind == TaskKind::Referral;
        let what = words::spaced(&task.what);
        let title = match referral {
            true if words::is_code(&task.what) => format!("Referral to {}", lower(&what)),
            // A service or a person by name.
            true => format!("Referral to {}", task.what),
            false => what,
        };
        let mut facts = Vec::new();
        if let Some(due) = task.due_on {
            facts.push(Fact::new("Due", words::date(&due.to_string())));
        }
        facts.extend(task.urgency.map(|urgency| Fact::new("How soon", urgency.label())));
        let key = if referral { "Reason" } else { "For" };
        facts.extend(
            task.reason.as_deref().map(|reason| Fact::new(key, words::value("reason", &Value::from(reason)))),
        );
        if let Some(last) = &task.last {
            let mut said = words::spaced(&last.status);
            said.extend(last.at.as_deref().map(|at| format!(", {}", words::when(at))));
            said.extend(last_by.map(|by| format!(", {by}")));
            said.extend(last.outcome.as_deref().map(|outcome| format!(": {outcome}")));
            facts.push(Fact::new("Last", said));
        }
        if task.attempts > 1 {
            facts.push(Fact::new("Tried", words::count(i64::try_from(task.attempts).unwrap_or(0), "time")));
        }
        TaskCard {
            id: format!("{}-{}", task.kind, task.entry),
            check: check.to_owned(),
            entry: task.entry.clone(),
            referral,
            about: title.clone(),
            title,
            state: task.state.label(),
            colour: colour(task.state),
            facts,
            outcomes: if referral { OF_REFERRAL } else { OF_FOLLOW_UP },
            closed: matches!(task.state, TaskState::Done | TaskState::Declined),
        }
    }
}

fn lower(words: &str) -> String {
    // "GP" stays as it is.
    let second = words.chars().nth(1).is_some_and(char::is_uppercase);
    if second { words.to_owned() } else { words.to_lowercase() }
}

/// A call, in one line.
pub fn call(call: &Call, by: Option<&str>) -> String {
    let mut said = match call.outcome.as_str() {
        "reached" => "Reached".to_owned(),
        "no_answer" => "No answer".to_owned(),
        "tried" => "Tried, not got through".to_owned(),
        other => words::spaced(other),
    };
    said.extend(call.spoke_to.as_deref().map(|who| format!(": spoke to {who}")));
    said.extend(call.about.as_deref().map(|about| format!(" ({about})")));
    said.extend(call.at.as_deref().map(|at| format!(", {}", words::when(at))));
    said.extend(by.map(|by| format!(", {by}")));
    said
}

/// The calls of a check, the oldest first.
pub fn calls(all: &[Call], names: &Names) -> Vec<String> {
    all.iter().map(|one| call(one, one.by.as_deref().map(|by| names.staff(by)).as_deref())).collect()
}

const fn colour(state: TaskState) -> &'static str {
    match state {
        TaskState::Overdue => "nhsuk-tag--red",
        TaskState::Due => "nhsuk-tag--orange",
        TaskState::NotReached => "nhsuk-tag--yellow",
        TaskState::Open | TaskState::Received => "nhsuk-tag--blue",
        TaskState::Done => "nhsuk-tag--green",
        TaskState::Declined => "nhsuk-tag--grey",
    }
}
