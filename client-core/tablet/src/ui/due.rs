//! What is to be followed up, what was left half done, and the story of a person.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State},
};
use serde::Deserialize;
use serde_json::{Value, json};
use wayside_client_core::{Code, Due, Edit, Kind, Page, RecordId};
use wayside_protocol::clinical::{follow_up::TaskState, guide::StepCode};

use super::{
    Answer,
    app::{App, Body, now},
    care::{self, to},
    change::stamped_readings,
    fail::Fail,
    people,
    person_form::here,
    today::{self, id, record},
    words::FOLLOW_UPS,
};

/// More half-done checks than this are nothing to look through on a home screen.
const MOST_HALF_DONE: u64 = 8;

pub async fn due(State(app): State<Arc<App>>) -> Answer {
    app.with(|app| {
        let items: Vec<Value> = app.tablet.due(here())?.iter().map(|one| shown(app, one)).collect();
        Ok(Json(json!({"items": items})))
    })
    .await
}

/// How much of it is for today or late, for the home screen.
pub fn counts(app: &App) -> Result<Value, Fail> {
    let due = app.tablet.due(here())?;
    let count = |state: TaskState| due.iter().filter(|one| one.task.state == state).count();
    Ok(json!({"overdue": count(TaskState::Overdue), "today": count(TaskState::Due), "open": due.len()}))
}

fn what(app: &App, one: &Due) -> String {
    let label = match one.task.kind.as_str() {
        "referral" => to(&json!({"to": one.task.what})),
        _ => care::of(FOLLOW_UPS, &one.task.what),
    };
    app.phrase(&label)
}

fn shown(app: &App, one: &Due) -> Value {
    let person = one.person.as_ref();
    let name = person.map(|person| person.name.as_str()).filter(|name| !name.is_empty());
    json!({
        "contact": one.contact,
        "person": person.map(|person| person.id),
        "name": name.unwrap_or("No details"),
        "about": person.map(|person| person.birth.as_str()),
        "phone": person.map(|person| person.phone.as_str()),
        "kind": one.task.kind,
        "entry": one.task.entry,
        "what": one.task.what,
        "label": what(app, one),
        "reason": one.task.reason,
        "state": one.task.state,
        "state_label": app.say_id(&format!("task-{}", one.task.state)),
        "due_on": one.task.due_on,
        "attempts": one.task.attempts,
    })
}

/// What is open for somebody who has come back: a line, and where a tap leads.
pub fn open_for(app: &App, person: RecordId) -> Result<Vec<Value>, Fail> {
    let lines = app.tablet.due_of(person, here())?.into_iter().map(|one| {
        let state = app.say_id(&format!("task-{}", one.task.state));
        let text = format!("{}: {state}", what(app, &one));
        match (one.task.kind.as_str(), one.task.what.as_str()) {
            ("follow_up", "hbpm_diary") => {
                json!({"text": text, "label": "Enter the diary", "screen": "diary",
                "params": {"of": one.contact, "follow_up": one.task.entry}})
            }
            ("referral", _) => json!({"text": text, "label": "What became of it", "screen": "outcome",
                "params": {"id": one.contact, "referral": one.task.entry}}),
            _ => json!({"text": text, "label": "What became of it", "screen": "outcome",
                "params": {"id": one.contact, "follow_up": one.task.entry}}),
        }
    });
    Ok(lines.collect())
}

/// Checks of other days and places that wait for something; today's own stand in today's list.
pub fn half_done(app: &App, session: RecordId) -> Result<Vec<Value>, Fail> {
    let found = app.tablet.half_done(Page { offset: 0, limit: Some(MOST_HALF_DONE) })?;
    let lines = found.into_iter().filter(|one| one.session != Some(session)).map(|one| {
        let name = if one.name.is_empty() { "No details" } else { &one.name };
        json!({"id": one.id, "name": name, "where": one.site, "started_at": one.started_at, "parked": one.parked,
            "step": StepCode::parse(&one.step).map(StepCode::label)})
    });
    Ok(lines.collect())
}

/// The story of a person in words, with what is still open.
pub async fn timeline(State(app): State<Arc<App>>, Path(person): Path<String>) -> Answer {
    app.with(move |app| {
        let person = id(&person)?;
        let shown = people::shown(&record(app, person, Kind::Person)?);
        let events: Vec<Value> = app
            .tablet
            .timeline(person)?
            .into_iter()
            .map(|event| {
                let by = app.name_of(event.by.as_deref())?;
                Ok(json!({"at": event.at, "kind": event.kind, "record": event.record, "text": app.say(&event.text),
                    "notes": event.notes.iter().map(|note| app.say(note)).collect::<Vec<_>>(), "standing": event.standing, "by": by}))
            })
            .collect::<Result<_, Fail>>()?;
        Ok(Json(json!({"name": shown["name"], "about": shown["about"], "events": events,
            "open": open_for(app, person)?})))
    })
    .await
}

/// A diary or an average that came back.
#[derive(Deserialize)]
pub struct Diary {
    session: Option<String>,
    person: Option<String>,
    /// A check that has home readings already; else a new one is made, for beside clinic readings they would not count.
    into: Option<String>,
    /// The check that lent the monitor, and what was open there.
    of: Option<String>,
    follow_up: Option<String>,
    readings: Value,
}

pub async fn diary(State(app): State<Arc<App>>, Body(diary): Body<Diary>) -> Answer {
    app.saving(move |app| {
        let by = app.by(None);
        let readings = stamped_readings(diary.readings, &by.staff)?;
        let made = match &diary.into {
            Some(contact) => {
                let contact = id(contact)?;
                let set = vec![("bp/readings".to_owned(), readings)];
                app.tablet.edit(contact, Edit { base: None, set }, &by)?;
                contact
            }
            None => {
                let session = diary.session.as_deref().ok_or_else(|| Fail::code(Code::MissingField))?;
                let session = id(session)?;
                let by = app.by(today::place(app, session)?.team);
                let mut contact = json!({"session": session, "started_at": now(), "reason": "follow_up",
                    "check_type": "bp_only", "bp": {"readings": readings}});
                if let Some(person) = &diary.person {
                    let person = id(person)?;
                    record(app, person, Kind::Person)?;
                    contact["person"] = json!(person);
                }
                app.tablet.create(Kind::Contact, contact, &by)?
            }
        };
        if let Some(lent) = &diary.of {
            came_back(app, id(lent)?, diary.follow_up.as_deref())?;
        }
        Ok(Json(json!({"id": made})))
    })
    .await
}

/// The monitor is here again, and the diary with it.
fn came_back(app: &App, lent: RecordId, follow_up: Option<&str>) -> Result<(), Fail> {
    let contact = record(app, lent, Kind::Contact)?;
    let by = app.by(None);
    let open = |entry: &str| {
        let tasks = app.tablet.tasks(lent, here())?;
        Ok::<_, Fail>(tasks.iter().any(|task| task.entry == entry && task.state.is_open()))
    };
    if let Some(entry) = follow_up
        && open(entry)?
    {
        app.tablet.follow_up_event(lent, entry, "done", None, None, &by)?;
    }
    let mut loan = contact["monitor_loan"].clone();
    if loan.is_object() && loan["returned_at"].is_null() {
        loan["returned_at"] = json!(now());
        app.tablet.edit(lent, Edit::set("monitor_loan", loan), &by)?;
    }
    Ok(())
}
