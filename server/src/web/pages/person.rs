//! One person: who they are, what they agreed to, and the story of all checks.

use askama::Template;
use axum::extract::Path;
use axum::response::Response;
use serde_json::Value;
use wayside_protocol::timeline::Standing;

use super::super::words;
use super::Ask;
use super::duplicates::likeness;
use super::frame::Frame;
use super::pressures::{self, Figure};
use super::record::{Common, unknown};
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
    "not_same_as",
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

/// One line of the timeline.
pub(super) struct Line {
    pub key: String,
    pub when: String,
    pub words: String,
    pub details: Vec<String>,
    /// By whom, and on which tablet.
    pub source: String,
    pub struck: bool,
    pub tag: &'static str,
}

/// Another record of this person.
struct Merged {
    id: String,
    into: String,
    name: String,
    /// What was written otherwise than in the record that stands for this person.
    facts: Vec<Fact>,
}

/// Somebody who may be the same.
struct Similar {
    id: String,
    href: String,
    name: String,
    likely: Cell,
    reasons: Vec<String>,
    /// The other team, of which nothing is merged.
    team: String,
}

/// Somebody who was found to be another person.
struct Decided {
    path: String,
    href: String,
    words: String,
}

#[derive(Template)]
#[template(path = "person.html")]
struct PersonPage {
    frame: Frame,
    identifiers: Vec<Fact>,
    demographics: Vec<Fact>,
    consents: Table,
    figures: Vec<Figure>,
    story: Vec<Event>,
    timeline: Vec<Line>,
    /// Records that were merged with this one.
    merged: Vec<Merged>,
    /// What this record itself was merged into, where a tablet did that the other way round.
    own_merge: String,
    duplicates: Vec<Similar>,
    decided: Vec<Decided>,
    common: Common,
}

pub async fn person(ask: Ask, Path(id): Path<String>) -> Response {
    ask.page_of(id, move |door, frame, id| {
        let found = api::person(&door.web.base, &door.web.readers, id)?;
        let record = &found.shown.record;
        let name = api::name_of(record).unwrap_or_else(|| "Name not given".to_owned());
        Ok(PersonPage {
            frame: frame.titled(name, "", "check"),
            identifiers: identifiers(record),
            demographics: demographics(record),
            consents: consents(record, &found.names),
            figures: pressures::of_person(&found.checks),
            story: found.checks.iter().map(event).collect(),
            timeline: found.timeline.iter().map(told).collect(),
            merged: found.merged.iter().map(|member| merged(record, member)).collect(),
            own_merge: text(record, "/merged_into").unwrap_or_default().to_owned(),
            duplicates: found.duplicates.iter().map(|one| similar(record, one)).collect(),
            decided: decided(record, &found.names),
            common: Common::of(&found.shown, &found.names),
        })
    })
    .await
}

pub(super) fn told(told: &api::Told) -> Line {
    let event = &told.event;
    let (struck, tag) = match event.standing {
        Standing::Counts => (false, ""),
        Standing::Corrected => (true, "Corrected"),
        Standing::StruckOut => (true, "Struck out"),
    };
    let source = told.by_name.iter().chain(&told.tablet_name).map(String::as_str).collect::<Vec<_>>();
    Line {
        key: format!("{}-{}-{:?}-{}", event.record, event.path, event.kind, event.at),
        when: words::when(&event.at),
        words: words::dated(&told.words),
        details: told.details.iter().map(|line| words::dated(line)).collect(),
        source: source.join(", "),
        struck,
        tag,
    }
}

fn merged(standing: &Value, member: &api::Member) -> Merged {
    let record = &member.record;
    let said = identifying(standing);
    let said = |fact: &Fact| said.iter().any(|other| other.key == fact.key && other.value == fact.value);
    Merged {
        id: text(record, "/id").unwrap_or_default().to_owned(),
        into: member.merged_into.clone().unwrap_or_default(),
        name: api::name_of(record).unwrap_or_else(|| "Name not given".to_owned()),
        facts: identifying(record).into_iter().filter(|fact| !said(fact)).collect(),
    }
}

fn similar(record: &Value, one: &api::Likely) -> Similar {
    let own = text(record, "/id").unwrap_or_default();
    Similar {
        id: one.id.clone(),
        href: format!("/people/{own}/beside/{}", one.id),
        name: one.name.clone().unwrap_or_else(|| "Name not given".to_owned()),
        likely: likeness(one.likely),
        reasons: one.reasons.clone(),
        team: if one.across_teams { one.team_name.clone() } else { String::new() },
    }
}

fn decided(record: &Value, names: &api::Names) -> Vec<Decided> {
    let live = entries(record, "/not_same_as", "at").into_iter();
    let live = live.filter(|(_, entry)| super::table::struck(entry).is_none());
    let found = live.map(|(id, entry)| {
        let by = text(entry, "/by").map(|by| format!(" by {}", names.staff(by))).unwrap_or_default();
        let at = text(entry, "/at").map(|at| format!(", {}", words::when(at))).unwrap_or_default();
        Decided {
            path: format!("not_same_as/{id}"),
            href: format!("/people/{}", text(entry, "/person").unwrap_or_default()),
            words: format!("Found to be somebody else{by}{at}"),
        }
    });
    found.collect()
}

/// What tells people apart, as their page shows it.
pub(super) fn identifying(record: &Value) -> Vec<Fact> {
    let mut out = identifiers(record);
    out.extend(facts(record, &[("/sex", "Sex"), ("/language", "Language")]));
    out
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
