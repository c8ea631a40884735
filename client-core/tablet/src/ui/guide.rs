//! The next step of a measurement in words, and what can be asked before there is a record.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Query, State},
};
use serde::Deserialize;
use serde_json::{Value, json};
use wayside_client_core::{Kind, Page, RecordId};
use wayside_protocol::clinical::guide::{GuideSettings, Step, StepCode, next_step};

use super::{
    Answer,
    app::{App, now},
    due,
    today::{self, id, record},
};

/// A step as the page draws it.
pub fn step(app: &App, step: &Step) -> Value {
    let notes: Vec<String> = step.notes.iter().map(|note| app.say(note)).collect();
    let choices: Vec<Value> = step
        .choices
        .iter()
        .map(|choice| json!({"code": choice.value, "label": app.say(&choice.text)}))
        .collect();
    json!({
        "code": step.code, "text": app.say(&step.text), "notes": notes, "required": step.required,
        "interrupts": step.interrupts, "skip": step.skip, "choices": choices, "path": step.fields.first(),
        "wait_seconds": step.wait_seconds, "not_before": step.not_before, "reading": step.reading,
    })
}

#[derive(Deserialize)]
pub struct About {
    person: Option<String>,
    /// Where they are seen: its team's settings count.
    session: Option<String>,
}

/// What the guide would ask before the first reading: shown beside the number pad, so that the questions cost no
/// screen of their own.
pub async fn before(State(app): State<Arc<App>>, Query(about): Query<About>) -> Answer {
    app.with(move |app| {
        let person =
            about.person.as_deref().map(|person| record(app, id(person)?, Kind::Person)).transpose()?;
        let session = about.session.as_deref().map(|session| today::place(app, id(session)?)).transpose()?;
        let teams = app.tablet.list(Some(Kind::Team), Page::default())?;
        let settings = settings(&teams, session.and_then(|place| place.team));
        let mut contact = json!({"started_at": now(), "declined": []});
        let mut asked = Vec::new();
        loop {
            let next = next_step(&contact, person.as_ref(), &settings);
            let (Some(skip), StepCode::AskAge | StepCode::AskPregnant | StepCode::AskPulseRhythm) =
                (next.skip, next.code)
            else {
                break;
            };
            // As if it had been skipped, so that the next one comes.
            if let Some(declined) = contact["declined"].as_array_mut() {
                declined.push(json!(skip));
            }
            asked.push(step(app, &next));
        }
        let open = match about.person.as_deref() {
            Some(person) => due::open_for(app, id(person)?)?,
            None => Vec::new(),
        };
        Ok(Json(json!({"ask": asked, "open": open})))
    })
    .await
}

/// The settings of one team, of all that are here; the usual ones where it is not among them.
fn settings(teams: &[Value], team: Option<RecordId>) -> GuideSettings {
    teams.iter().find(|one| today::team(one) == team).map(GuideSettings::of_team).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_team_that_sees_somebody_says_what_is_asked() {
        let ids = [1, 2, 3].map(|n| RecordId::from_bytes([n; 16]));
        let team =
            |id: RecordId, from: i64| json!({"team": id, "settings": {"guide": {"pregnancy_from": from}}});
        let teams = [team(ids[0], 14), team(ids[1], 20)];
        let from = |team| settings(&teams, team).pregnancy_from;
        assert_eq!((from(Some(ids[0])), from(Some(ids[1]))), (14, 20));
        let usual = GuideSettings::default().pregnancy_from;
        assert_eq!((from(Some(ids[2])), from(None)), (usual, usual));
    }
}
