//! Where people disagree, and what base refused.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State},
};
use jiff::civil::Date;
use serde::Deserialize;
use serde_json::{Value, json};
use wayside_client_core::{Kind, can_settle};
use wayside_protocol::{
    clinical::{NhsNumber, ethnic_category},
    record::schema::{At, READINGS_PATH, Shape, Type, at},
};

use super::{
    Answer,
    app::{App, Body},
    contact_view::{heads, heads_text, refused},
    fail::Fail,
    lists, people, today,
    today::id,
    words,
};

/// What people call a record.
fn title(app: &App, json: &Value) -> String {
    let name = || json["name"].as_str().unwrap_or("A record").to_owned();
    match json["kind"].as_str().and_then(Kind::parse) {
        Some(Kind::Person) => people::shown(json)["name"].as_str().unwrap_or_default().to_owned(),
        Some(Kind::Contact) => match json["person"].as_str() {
            None => "A check without details".to_owned(),
            Some(person) => {
                let person = people::known(app, person);
                let name = person.as_ref().and_then(|person| person["name"].as_str()).unwrap_or("somebody");
                format!("Check of {name}")
            }
        },
        Some(Kind::Session) => {
            let place = json["id"].as_str().and_then(|id| today::place(app, id.parse().ok()?).ok());
            place.map_or_else(
                || "A session".to_owned(),
                |place| format!("{}, {}", place.site_name, place.date),
            )
        }
        _ => name(),
    }
}

fn conflicts(json: &Value) -> impl Iterator<Item = &Value> {
    json["conflicts"].as_array().into_iter().flatten()
}

pub async fn list(State(app): State<Arc<App>>) -> Answer {
    app.with(|app| {
        let (mut disagree, mut kept_back) = (Vec::new(), Vec::new());
        for record in app.tablet.unsettled_records()? {
            let json = app.tablet.show(record)?.json;
            let fields: Vec<String> =
                conflicts(&json).filter_map(|conflict| conflict["path"].as_str().map(words::field)).collect();
            if !fields.is_empty() {
                disagree.push(json!({"id": record, "title": title(app, &json), "fields": fields}));
            }
            let reasons = refused(&json);
            if !reasons.is_empty() {
                let contact = json["kind"] == Kind::Contact.as_str() && !json["session"].is_null();
                kept_back.push(
                    json!({"id": record, "title": title(app, &json), "reasons": reasons, "contact": contact}),
                );
            }
        }
        Ok(Json(json!({"disagree": disagree, "refused": kept_back})))
    })
    .await
}

pub async fn show(State(app): State<Arc<App>>, Path(record): Path<String>) -> Answer {
    app.with(move |app| {
        let found = app.tablet.show(id(&record)?)?;
        let kind = found.json["kind"].as_str().and_then(Kind::parse);
        let shown: Vec<Value> = conflicts(&found.json)
            .map(|conflict| {
                let path = conflict["path"].as_str().unwrap_or_default();
                let values: Vec<Value> = conflict["values"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .map(|one| {
                        Ok(json!({"value": one["value"], "shown": value_shown(path, &one["value"]),
                            "by": app.name_of(one["by"].as_str())?, "at": one["at"]}))
                    })
                    .collect::<Result<_, Fail>>()?;
                let text =
                    kind.is_some_and(|kind| matches!(at(kind, path), At::Field(Shape::One(Type::Text))));
                Ok(json!({"path": path, "label": words::field(path), "values": values, "text": text,
                    "can_settle": kind.is_some_and(|kind| can_settle(kind, path))}))
            })
            .collect::<Result<_, Fail>>()?;
        Ok(Json(json!({
            "id": found.json["id"], "title": title(app, &found.json), "heads": heads_text(&found.heads),
            "conflicts": shown,
        })))
    })
    .await
}

/// One value in words.
fn value_shown(path: &str, value: &Value) -> String {
    match (path, value) {
        (_, Value::Null) => "Empty".to_owned(),
        ("birth", value) => people::born(value).unwrap_or_else(|| "Not known".to_owned()),
        ("nhs_number", value) => {
            let number = value["value"].as_str().unwrap_or_default();
            NhsNumber::parse(number).map_or_else(|_| number.to_owned(), |number| number.to_string())
        }
        ("ethnic_category", Value::String(code)) => {
            ethnic_category(code).map_or_else(|| code.clone(), |category| category.label.to_owned())
        }
        ("ended", value) => value["how"].as_str().map(lists::label).unwrap_or_default(),
        (path, value) if path.starts_with(READINGS_PATH) => {
            let pulse = value["pulse"].as_i64().map(|pulse| format!(", pulse {pulse}")).unwrap_or_default();
            format!("{}/{}{pulse}", value["systolic"], value["diastolic"])
        }
        (path, value) if path.starts_with("measurements/") => {
            let unit = value["unit"].as_str().map(|unit| format!(" {unit}")).unwrap_or_default();
            let what = value["what"].as_str().map(lists::label).unwrap_or_default();
            format!("{what}: {}{unit}", value["value"])
        }
        (_, Value::String(text)) => match text.parse::<Date>() {
            Ok(date) if text.len() == 10 => words::date(date),
            _ => text.clone(),
        },
        (_, Value::Bool(yes)) => if *yes { "Yes" } else { "No" }.to_owned(),
        (_, value) => value.to_string(),
    }
}

#[derive(Deserialize)]
pub struct Settle {
    base: Option<Vec<String>>,
    path: String,
    #[serde(default)]
    value: Value,
}

pub async fn settle(
    State(app): State<Arc<App>>,
    Path(record): Path<String>,
    Body(settle): Body<Settle>,
) -> Answer {
    app.saving(move |app| {
        let base = settle.base.as_deref().map(heads).transpose()?;
        app.tablet.settle(id(&record)?, &settle.path, settle.value, base.as_deref(), &app.by(None))?;
        Ok(Json(json!({})))
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_shown_in_words() {
        let weight =
            json!({"what": "weight", "value": 81.5, "unit": "kg", "taken_at": "2026-11-20T13:05:00Z"});
        assert_eq!(value_shown("measurements/aaaaaaaa", &weight), "Weight: 81.5 kg");
        let reading = json!({"systolic": 152, "diastolic": 94, "pulse": 71});
        assert_eq!(value_shown("bp/readings/aaaaaaaa", &reading), "152/94, pulse 71");
        assert_eq!(
            value_shown("nhs_number", &json!({"value": "9990000018", "status": "02"})),
            "999 000 0018"
        );
    }
}
