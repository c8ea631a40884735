//! One person: who they are, what they agreed to, and the story of all checks.

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{Path, State};
use axum::response::Response;
use serde_json::Value;
use wayside_protocol::error::Code;

use super::super::{Door, Visitor, words};
use super::frame::Frame;
use super::record::{Common, unknown};
use super::shown;
use super::table::{Cell, Fact, Row, Table, entries, facts, text};
use crate::api;

const KNOWN: &[&str] = &[
    "name",
    "date_of_birth",
    "age_years",
    "age_as_of",
    "age_is_estimate",
    "nhs_number",
    "nhs_number_absent_reason",
    "address",
    "postcode_status",
    "phone",
    "email",
    "contact_preference",
    "sex",
    "gender",
    "language",
    "interpreter_needed",
    "communication_needs",
    "ethnic_category",
    "plus_groups",
    "gp",
    "consents",
    "merged_into",
];

/// One check in the story.
struct Event {
    id: String,
    when: String,
    urgency: String,
    colour: &'static str,
    /// "152/94, Raised reading".
    what: String,
    why: String,
    next: Vec<String>,
    conversation: bool,
}

#[derive(Template)]
#[template(path = "person.html")]
struct PersonPage {
    frame: Frame,
    identifiers: Vec<Fact>,
    demographics: Vec<Fact>,
    consents: Table,
    story: Vec<Event>,
    common: Common,
}

pub async fn person(
    State(door): State<Arc<Door>>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<String>,
) -> Response {
    shown(&door, &visitor, move |door, frame| {
        let id = id.parse().map_err(|_| Code::BadId)?;
        let found = api::person(&door.web.base, &door.web.readers, id)?;
        let record = &found.shown.record;
        let name = api::name_of(record).unwrap_or_else(|| "Name not given".to_owned());
        Ok(PersonPage {
            frame: frame.titled(name, "", "check"),
            identifiers: identifiers(record),
            demographics: demographics(record),
            consents: consents(record, &found.names),
            story: found.checks.iter().map(event).collect(),
            common: Common::of(&found.shown, &found.names),
        })
    })
    .await
}

fn identifiers(record: &Value) -> Vec<Fact> {
    let mut out = facts(record, &[("/name/given", "Given name"), ("/name/family", "Family name")]);
    match (text(record, "/date_of_birth"), record.get("age_years").and_then(Value::as_i64)) {
        (Some(date), _) => out.push(Fact::new("Date of birth", words::birthday(date))),
        (None, Some(years)) => {
            let about = if record.get("age_is_estimate") == Some(&Value::Bool(true)) { "About " } else { "" };
            let on = text(record, "/age_as_of")
                .map(|on| format!(" on {}", words::birthday(on)))
                .unwrap_or_default();
            out.push(Fact::new("Age", format!("{about}{years}{on}")));
        }
        _ => {}
    }
    if let Some(number) = text(record, "/nhs_number/value") {
        let status =
            text(record, "/nhs_number/status").map(|status| format!(" ({})", words::coded("status", status)));
        out.push(Fact::new("NHS number", words::nhs_number(number) + &status.unwrap_or_default()));
    }
    out.extend(facts(
        record,
        &[
            ("/nhs_number_absent_reason", "No NHS number because"),
            ("/address/lines", "Address"),
            ("/address/postcode", "Postcode"),
            ("/postcode_status", "About the postcode"),
            ("/phone", "Phone"),
            ("/email", "Email"),
            ("/contact_preference", "Prefers to be contacted by"),
            ("/gp/practice_name", "GP practice"),
            ("/gp/ods_code", "Practice code"),
            ("/gp/registered", "Registered with a GP"),
            ("/gp/wants_help_to_register", "Wants help to register"),
        ],
    ));
    if let Some(other) = text(record, "/merged_into") {
        out.push(Fact::link("The same person as", "Another record", format!("/people/{other}")));
    }
    out
}

fn demographics(record: &Value) -> Vec<Fact> {
    let mut out = facts(
        record,
        &[
            ("/sex", "Sex"),
            ("/gender", "Gender"),
            ("/ethnic_category", "Ethnic category"),
            ("/language", "Language"),
            ("/interpreter_needed", "Interpreter needed"),
            ("/communication_needs", "Communication needs"),
            ("/plus_groups", "Groups"),
        ],
    );
    out.extend(unknown(record, KNOWN));
    out
}

fn consents(record: &Value, names: &api::Names) -> Table {
    let rows = entries(record, "/consents", "at").into_iter().map(|(id, consent)| {
        let given = match (consent.get("given"), text(consent, "/withdrawn_at")) {
            (_, Some(at)) => format!("Withdrawn {}", words::when(at)),
            (Some(Value::Bool(true)), _) => "Given".to_owned(),
            (Some(Value::Bool(false)), _) => "Refused".to_owned(),
            _ => "Not said".to_owned(),
        };
        let struck = super::table::struck(consent);
        let cells = vec![
            Cell::new(text(consent, "/purpose").map(words::spaced).unwrap_or_default())
                .struck(struck.is_some()),
            Cell::new(given).lines(struck.into_iter().collect()),
            Cell::new(text(consent, "/at").map(words::when).unwrap_or_default()),
            Cell::new(text(consent, "/by").map(|by| names.staff(by)).unwrap_or_default()),
        ];
        Row { key: id.to_owned(), class: "", cells }
    });
    Table { caption: "Consents", head: vec!["To what", "Answer", "When", "Asked by"], rows: rows.collect() }
}

fn event(check: &Value) -> Event {
    let number = |pointer: &str| check.pointer(pointer).and_then(Value::as_i64);
    let category = text(check, "/derived/category").map(words::category);
    let conversation = !super::check::has_readings(check);
    let reading = match (number("/derived/systolic"), number("/derived/diastolic")) {
        (Some(systolic), Some(diastolic)) => Some(format!("{systolic}/{diastolic}")),
        _ => None,
    };
    let what: Vec<String> = reading.into_iter().chain(category).collect();
    let urgency = text(check, "/derived/urgency").unwrap_or_default();
    let actions = check.pointer("/derived/actions").and_then(Value::as_array).into_iter().flatten();
    let error = check.get("entered_in_error").is_some_and(|error| !error.is_null());
    Event {
        id: text(check, "/id").unwrap_or_default().to_owned(),
        when: text(check, "/started_at").map(words::when).unwrap_or_default(),
        urgency: if error { "Entered in error".to_owned() } else { words::urgency(urgency) },
        colour: if error { "nhsuk-tag--grey" } else { words::urgency_colour(urgency) },
        what: what.join(", "),
        why: text(check, "/derived/why").unwrap_or_default().to_owned(),
        next: actions.filter_map(Value::as_str).map(words::action).collect(),
        conversation,
    }
}
