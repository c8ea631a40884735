//! What was arranged at a contact, in words: referrals, calls, follow-ups, a monitor lent, advice given.

use std::sync::Arc;

use axum::{Json, extract::State};
use serde_json::{Value, json};
use wayside_client_core::{Kind, Page};

use super::{
    Answer,
    app::App,
    contact_view::live,
    fail::Fail,
    lists::label,
    words::{FOLLOW_UPS, STATUS, TOLD},
};

fn text<'a>(entry: &'a Value, name: &str) -> &'a str {
    entry[name].as_str().unwrap_or_default()
}

/// The words of a list for a code, else the code made readable.
pub fn of(list: &[(&str, &str)], code: &str) -> String {
    list.iter()
        .find(|(known, _)| *known == code)
        .map_or_else(|| label(code), |(_, label)| (*label).to_owned())
}

/// Whom something went to: one of our codes, or a name as it stands in the directory.
pub fn to(entry: &Value) -> String {
    let to = &entry["to"];
    let known = to.as_str().or_else(|| to["name"].as_str()).unwrap_or_default();
    if TOLD.iter().any(|(code, _)| *code == known) || known.contains('_') {
        of(TOLD, known)
    } else {
        known.to_owned()
    }
}

/// The entries of a map that say what became of one entry, the oldest first.
fn events(app: &App, contact: &Value, pointer: &str, member: &str, id: &str) -> Result<Vec<Value>, Fail> {
    let mut events: Vec<&Value> = live(contact, pointer)
        .into_iter()
        .map(|(_, event)| event)
        .filter(|event| event[member] == *id)
        .collect();
    events.sort_by_key(|event| text(event, "at").to_owned());
    let shown = events.into_iter().map(|event| {
        Ok(json!({"status": event["status"], "label": of(STATUS, text(event, "status")), "at": event["at"],
            "by": app.name_of(event["by"].as_str())?,
            "words": event["outcome"].as_str().or_else(|| event["reason_missed"].as_str())}))
    });
    shown.collect()
}

/// What was arranged, each list the oldest first.
pub fn arranged(app: &App, contact: &Value) -> Result<Value, Fail> {
    let mut referrals: Vec<Value> = live(contact, "/referrals")
        .into_iter()
        .map(|(id, one)| {
            let urgency = text(one, "urgency");
            Ok(json!({"id": id, "to": to(one), "urgency": urgency, "reason": one["reason"], "at": one["made_at"],
                "how": one["how"], "urgency_words": app.say_id(&format!("urgency-{urgency}")),
                "events": events(app, contact, "/referral_events", "referral", id)?}))
        })
        .collect::<Result<_, Fail>>()?;
    let mut calls: Vec<Value> = live(contact, "/calls")
        .into_iter()
        .map(|(_, one)| {
            Ok(json!({"outcome": of(STATUS, text(one, "outcome")), "spoke_to": one["spoke_to"],
                "about": one["about"], "at": one["at"], "by": app.name_of(one["by"].as_str())?}))
        })
        .collect::<Result<_, Fail>>()?;
    for list in [&mut referrals, &mut calls] {
        list.sort_by_key(|one| text(one, "at").to_owned());
    }
    let follow_ups: Vec<Value> = live(contact, "/follow_ups")
        .into_iter()
        .map(|(id, one)| {
            Ok(json!({"id": id, "type": one["type"], "label": of(FOLLOW_UPS, text(one, "type")),
                "due_on": one["due_on"], "events": events(app, contact, "/follow_up_events", "follow_up", id)?}))
        })
        .collect::<Result<_, Fail>>()?;
    Ok(
        json!({"referrals": referrals, "calls": calls, "follow_ups": follow_ups, "loan": contact["monitor_loan"]}),
    )
}

/// The team's directory: whom to refer to, and which monitors there are to lend.
pub async fn services(State(app): State<Arc<App>>) -> Answer {
    app.with(|app| Ok(Json(directory(app)?))).await
}

fn directory(app: &App) -> Result<Value, Fail> {
    let services: Vec<Value> = app
        .tablet
        .services()?
        .into_iter()
        .map(|one| {
            json!({"id": one.id, "name": one.name, "kind": label(&one.kind), "phone": one.phone, "hours": one.hours,
                "area": one.area})
        })
        .collect();
    let mut devices = Vec::new();
    for team in app.tablet.list(Some(Kind::Team), Page::default())? {
        for (id, one) in live(&team, "/devices") {
            let name = format!("{} {}", text(one, "make"), text(one, "model"));
            devices.push(json!({"code": id, "label": format!("{} ({id})", name.trim())}));
        }
    }
    let always: Vec<Value> = TOLD
        .iter()
        .filter(|(code, _)| *code != "999")
        // The name is what is kept with the record: a label may be translated.
        .map(|(code, label)| json!({"code": code, "label": label, "name": label}))
        .collect();
    Ok(json!({"services": services, "devices": devices, "always": always}))
}
