//! Recording a contact: each saved form is one change, on the heads that the screen showed.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State},
};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use wayside_client_core::{Code, Edit, Kind, RecordId};
use wayside_protocol::clinical::{check_measurement as limits_of, check_reading as limits};

use super::{
    Answer,
    app::{App, Body, now},
    change::Change,
    contact_view::{heads, view},
    fail::Fail,
    today::{self, id, record},
};

#[derive(Deserialize)]
pub struct Create {
    session: String,
    person: Option<String>,
    started_at: Option<String>,
    #[serde(flatten)]
    change: Change,
}

/// A new contact, with its first form.
pub async fn create(State(app): State<Arc<App>>, Body(create): Body<Create>) -> Answer {
    app.saving(move |app| {
        let session = id(&create.session)?;
        let place = today::place(app, session)?;
        let by = app.by(place.team);
        let mut contact = json!({
            "session": session, "started_at": create.started_at.unwrap_or_else(now),
        });
        if let Some(person) = &create.person {
            let person = id(person)?;
            record(app, person, Kind::Person)?;
            contact["person"] = json!(person);
        }
        if create.change.reading.is_some() {
            contact["check_type"] = json!("bp_only");
        }
        if let Value::Object(fields) = &mut contact {
            for (path, value) in create.change.set(&by.staff, &Value::Null)? {
                nest(fields, &path, value);
            }
        }
        let made = app.tablet.create(Kind::Contact, contact, &by)?;
        Ok(Json(view(app, made)?))
    })
    .await
}

/// Puts a value at its path in nested JSON.
fn nest(fields: &mut Map<String, Value>, path: &str, value: Value) {
    match path.split_once('/') {
        Some((group, rest)) => {
            if let Value::Object(inner) = fields.entry(group).or_insert_with(|| json!({})) {
                nest(inner, rest, value);
            }
        }
        None => {
            fields.insert(path.to_owned(), value);
        }
    }
}

pub async fn show(State(app): State<Arc<App>>, Path(contact): Path<String>) -> Answer {
    app.with(move |app| Ok(Json(view(app, id(&contact)?)?))).await
}

#[derive(Deserialize)]
pub struct Save {
    base: Option<Vec<String>>,
    #[serde(flatten)]
    change: Change,
}

pub async fn edit(
    State(app): State<Arc<App>>,
    Path(contact): Path<String>,
    Body(save): Body<Save>,
) -> Answer {
    app.saving(move |app| {
        let contact = id(&contact)?;
        let known = record(app, contact, Kind::Contact)?;
        let by = app.by(None);
        let set = save.change.set(&by.staff, &known)?;
        let base = save.base.as_deref().map(heads).transpose()?;
        if !set.is_empty() {
            app.tablet.edit(contact, Edit { base, set }, &by)?;
        }
        Ok(Json(view(app, contact)?))
    })
    .await
}

#[derive(Deserialize)]
pub struct Correct {
    base: Option<Vec<String>>,
    reading: String,
    set: Map<String, Value>,
    reason: String,
}

/// What may be corrected here.
const CORRECTED: &[&str] = &["systolic", "diastolic", "pulse", "arm", "confirmed_unusual"];

pub async fn correct(
    State(app): State<Arc<App>>,
    Path(contact): Path<String>,
    Body(correct): Body<Correct>,
) -> Answer {
    app.saving(move |app| {
        let contact = id(&contact)?;
        needs_reason(&correct.reason)?;
        let base = correct.base.as_deref().map(heads).transpose()?;
        if let Some(name) = correct.set.keys().find(|name| !CORRECTED.contains(&name.as_str())) {
            return Err(Fail::field(Code::BadPath, name, Code::BadPath.message()));
        }
        let set = correct.set.into_iter().collect();
        let reason = Some(correct.reason.trim());
        app.tablet.correct(contact, &correct.reading, set, reason, base.as_deref(), &app.by(None))?;
        Ok(Json(view(app, contact)?))
    })
    .await
}

fn needs_reason(reason: &str) -> Result<(), Fail> {
    if reason.trim().is_empty() {
        return Err(Fail::field(Code::MissingField, "reason", "Say why, in a word or two."));
    }
    Ok(())
}

#[derive(Deserialize)]
pub struct Strike {
    /// The entry's path.
    entry: String,
    reason: String,
}

pub async fn strike(
    State(app): State<Arc<App>>,
    Path(contact): Path<String>,
    Body(strike): Body<Strike>,
) -> Answer {
    app.saving(move |app| {
        let contact: RecordId = id(&contact)?;
        record(app, contact, Kind::Contact)?;
        needs_reason(&strike.reason)?;
        app.tablet.strike_out(contact, &strike.entry, strike.reason.trim(), &app.by(None))?;
        Ok(Json(view(app, contact)?))
    })
    .await
}

/// The limits that what was typed so far breaks.
pub async fn check_reading(Body(typed): Body<Value>) -> Answer {
    let number = |name: &str| typed[name].as_i64();
    let (systolic, diastolic) = (number("systolic"), number("diastolic"));
    // What is not typed yet stands at a value that is always possible, and nothing is said of it.
    let found = limits(systolic.unwrap_or(120), diastolic.unwrap_or(20), number("pulse"));
    let findings: Vec<Value> = found
        .iter()
        .filter(|finding| number(finding.path).is_some())
        .filter(|finding| {
            systolic.is_some() || finding.path != "diastolic" || !finding.message.contains("lower than")
        })
        .map(|finding| {
            let level = if finding.code() == Code::OutOfRange { "block" } else { "confirm" };
            json!({"level": level, "path": finding.path, "message": finding.message})
        })
        .collect();
    Ok(Json(json!({"findings": findings})))
}

#[derive(Deserialize)]
pub struct Measured {
    what: String,
    /// As it was typed.
    value: String,
}

/// The limits of one measurement, beside its field.
pub async fn check_measurement(Body(typed): Body<Measured>) -> Answer {
    let findings = match typed.value.trim().replace(',', ".").parse::<f64>() {
        Ok(value) if value.is_finite() => limits_of(&typed.what, value)
            .iter()
            .map(|finding| {
                let level = if finding.code() == Code::OutOfRange { "block" } else { "confirm" };
                json!({"level": level, "message": finding.message})
            })
            .collect(),
        _ => vec![json!({"level": "block", "message": "Type a number, as in 172 or 80.5."})],
    };
    Ok(Json(json!({"findings": findings})))
}
