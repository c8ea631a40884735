//! A health check: what its type asks for and how much of it is there, what the answers come to, who can have one.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State},
};
use serde_json::{Value, json};
use wayside_protocol::clinical::{
    activity::{Hours, Work},
    alcohol::AuditC,
    health_check::{CheckType, Eligibility, NHS_HEALTH_CHECK_EXCLUSIONS},
    health_summary::HealthCheck,
    smoking::Smoking,
};

use super::{
    Answer,
    app::App,
    contact_view::{heads_text, live},
    fail::Fail,
    people,
    today::id,
};

/// What is measured or typed in: name, label, unit.
const MEASURED: &[(&str, &str, &str)] = &[
    ("height", "Height", "cm"),
    ("weight", "Weight", "kg"),
    ("waist", "Waist", "cm"),
    ("total_cholesterol", "Total cholesterol", "mmol/L"),
    ("hdl", "HDL cholesterol", "mmol/L"),
    ("hba1c", "HbA1c", "mmol/mol"),
];

/// The answers of AUDIT-C, 0 to 4 (clinical pack, 4.9).
const AUDIT: [[&str; 5]; 3] = [
    ["Never", "Monthly or less", "2 to 4 times a month", "2 to 3 times a week", "4 times a week or more"],
    ["1 to 2", "3 to 4", "5 to 6", "7 to 9", "10 or more"],
    ["Never", "Less than monthly", "Monthly", "Weekly", "Daily or almost daily"],
];

pub async fn show(State(app): State<Arc<App>>, Path(contact): Path<String>) -> Answer {
    app.with(move |app| Ok(Json(view(app, &contact)?))).await
}

fn view(app: &App, contact: &str) -> Result<Value, Fail> {
    let id = id(contact)?;
    let check = app.tablet.health_check(id)?;
    let shown = app.tablet.show(id)?;
    let contact = &shown.json;
    let person = contact["person"].as_str().and_then(|person| people::known(app, person));
    let items: Vec<Value> = check
        .completeness
        .items
        .iter()
        .map(|(item, given)| json!({"code": item, "label": app.say_id(&format!("item-{item}")), "answer": given}))
        .collect();
    Ok(json!({
        "id": contact["id"],
        "heads": heads_text(&shown.heads),
        "person": person,
        "check_type": contact["check_type"],
        "progress": app.say(&check.progress),
        "items": items,
        "eligibility": {"yes": check.eligibility == Eligibility::Eligible, "words": app.say(&check.eligibility_text)},
        "diagnoses": diagnoses(app, contact),
        "results": results(app, &check),
        "form": form(contact),
        "declined": contact["declined"],
        "lists": lists(app, check.audit_c_q3),
    }))
}

/// Figures first, then what the rules say of them.
fn results(app: &App, check: &HealthCheck) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(bmi) = check.bmi {
        lines.push(format!("BMI {:.1}", bmi.bmi));
    }
    if let Some((ratio, _)) = check.waist_to_height {
        lines.push(format!("Waist to height {ratio:.2}"));
    }
    if let AuditC::Scored { score, .. } = check.audit_c {
        lines.push(format!("AUDIT-C {score}"));
    }
    // The standard and the lower thresholds may say the same.
    for line in check.texts.iter().map(|text| app.say(text)) {
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    lines
}

fn coded(app: &App, prefix: &str, codes: impl Iterator<Item = &'static str>) -> Vec<Value> {
    codes.map(|code| json!({"code": code, "label": app.say_id(&format!("{prefix}-{code}"))})).collect()
}

fn lists(app: &App, third: &str) -> Value {
    let questions = ["audit-q1", "audit-q2", third];
    let audit: Vec<Value> = questions
        .iter()
        .zip(AUDIT)
        .map(|(question, answers)| {
            let answers =
                answers.iter().enumerate().map(|(n, label)| json!({"code": n.to_string(), "label": label}));
            json!({"label": app.say_id(question), "options": answers.collect::<Vec<_>>()})
        })
        .collect();
    let measured =
        MEASURED.iter().map(|(code, label, unit)| json!({"code": code, "label": label, "unit": unit}));
    json!({
        "types": coded(app, "check-type", CheckType::ALL.iter().map(|one| one.as_str())),
        "smoking": coded(app, "smoking", Smoking::ALL.iter().map(|one| one.as_str())),
        "work": coded(app, "work", Work::ALL.iter().map(|one| one.as_str())),
        "hours": coded(app, "hours", Hours::ALL.iter().map(|one| one.as_str())),
        "audit": audit,
        "measured": measured.collect::<Vec<_>>(),
    })
}

fn has(contact: &Value, pointer: &str, code: &str) -> bool {
    contact.pointer(pointer).and_then(Value::as_array).is_some_and(|set| set.iter().any(|one| one == code))
}

fn diagnoses(app: &App, contact: &Value) -> Vec<Value> {
    NHS_HEALTH_CHECK_EXCLUSIONS
        .iter()
        .map(|(code, _)| {
            json!({"code": code, "label": app.say_id(&format!("exclusion-{code}")),
                "on": has(contact, "/prior_diagnosis", code)})
        })
        .collect()
}

/// The latest live measurement of a kind.
fn measured(contact: &Value, what: &str) -> Option<f64> {
    let entries = live(contact, "/measurements").into_iter().map(|(_, entry)| entry);
    let latest = entries
        .filter(|entry| entry["what"] == what)
        .max_by_key(|entry| entry["taken_at"].as_str().unwrap_or_default().to_owned());
    latest.and_then(|entry| entry["value"].as_f64())
}

/// What is there already, as the form shows it.
fn form(contact: &Value) -> Value {
    let mut form = json!({});
    for (what, ..) in MEASURED {
        form[*what] = json!(measured(contact, what));
    }
    let lifestyle = &contact["lifestyle"];
    form["smoking"] = lifestyle["smoking"].clone();
    form["audit_c"] = lifestyle["audit_c"].clone();
    form["gppaq"] = lifestyle["gppaq"].clone();
    form["family_history"] = match lifestyle["family_history"].as_array().map(Vec::as_slice) {
        None | Some([]) => Value::Null,
        Some(_) if has(contact, "/lifestyle/family_history", "chd_under_60") => json!("yes"),
        Some(_) => json!("no"),
    };
    form["risk_score"] = lifestyle["risk_score"].clone();
    form
}
