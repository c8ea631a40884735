//! One check or conversation: what was measured, what it means, what was done about it.

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
use super::table::{Cell, Fact, Row, Table, entries, facts, struck, text};
use crate::api::{self, Names};

const KNOWN: &[&str] = &[
    "session",
    "person",
    "age_band",
    "sex",
    "ethnic_category",
    "started_at",
    "ended",
    "check_type",
    "reason",
    "prior_diagnosis",
    "on_treatment",
    "pregnant",
    "bp",
    "measurements",
    "lifestyle",
    "advice",
    "referrals",
    "referral_events",
    "follow_ups",
    "follow_up_events",
    "monitor_loan",
    "notes",
    "satisfaction",
];

#[derive(Template)]
#[template(path = "check.html")]
struct CheckPage {
    frame: Frame,
    conversation: bool,
    urgency: String,
    colour: &'static str,
    category: String,
    pair: String,
    why: String,
    signs: Vec<String>,
    actions: Vec<String>,
    another_due: bool,
    facts: Vec<Fact>,
    /// Readings, red flags, measurements, advice, referrals, follow-ups, notes: those that there are.
    tables: Vec<Table>,
    lifestyle: Vec<Fact>,
    more: Vec<Fact>,
    common: Common,
}

pub async fn check(
    State(door): State<Arc<Door>>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<String>,
) -> Response {
    shown(&door, &visitor, move |door, frame| {
        let id = id.parse().map_err(|_| Code::BadId)?;
        let found = api::check(&door.web.base, &door.web.readers, id)?;
        let record = &found.shown.record;
        let names = found.names.as_ref();
        let conversation = !has_readings(record);
        let number = |name: &str| record.pointer(name).and_then(Value::as_i64);
        let pair = match (number("/derived/systolic"), number("/derived/diastolic")) {
            (Some(systolic), Some(diastolic)) => format!("{systolic}/{diastolic}"),
            _ => String::new(),
        };
        let urgency = text(record, "/derived/urgency").unwrap_or_default();
        let actions = record.pointer("/derived/actions").and_then(Value::as_array).into_iter().flatten();
        let tables = vec![
            readings(record, names),
            red_flags(record),
            measurements(record),
            advice(record, names),
            with_events(record, names, &REFERRALS),
            with_events(record, names, &FOLLOW_UPS),
            notes(record, names),
        ];
        let name = match &found.person {
            Some(person) => api::name_of(person).unwrap_or_else(|| "name not given".to_owned()),
            None => "no details given".to_owned(),
        };
        let what = if conversation { "Conversation" } else { "Check" };
        Ok(CheckPage {
            frame: frame.titled(format!("{what}: {name}"), "", "change"),
            conversation,
            urgency: words::urgency(urgency),
            colour: words::urgency_colour(urgency),
            category: text(record, "/derived/category").map(words::category).unwrap_or_default(),
            pair,
            why: text(record, "/derived/why").unwrap_or_default().to_owned(),
            signs: words::signs(&api::Signs::of(record)),
            actions: actions.filter_map(Value::as_str).map(words::action).collect(),
            another_due: record.pointer("/derived/another_reading_due") == Some(&Value::Bool(true)),
            facts: about(&found),
            tables: tables.into_iter().filter(|table| !table.rows.is_empty()).collect(),
            lifestyle: lifestyle(record),
            more: more(record),
            common: Common::of(&found.shown, names),
        })
    })
    .await
}

/// A contact with readings is a check, one without a conversation.
pub fn has_readings(record: &Value) -> bool {
    record.pointer("/bp/readings").and_then(Value::as_object).is_some_and(|readings| !readings.is_empty())
}

fn about(found: &api::Check) -> Vec<Fact> {
    let (record, names) = (&found.shown.record, found.names.as_ref());
    let mut out = Vec::new();
    match (&found.person, text(record, "/person")) {
        (Some(person), _) => {
            let name = api::name_of(person).unwrap_or_else(|| "Name not given".to_owned());
            let id = text(person, "/id").unwrap_or_default();
            out.push(Fact::link("Person", name, format!("/people/{id}")));
        }
        (None, Some(_)) => out.push(Fact::new("Person", "Their record has not arrived yet")),
        (None, None) => out.push(Fact::new("Person", "No details given")),
    }
    if let Some(age) = record.pointer("/derived/age").and_then(Value::as_i64) {
        out.push(Fact::new("Age on the day", age.to_string()));
    }
    out.extend(facts(
        record,
        &[("/age_band", "Age band"), ("/sex", "Sex"), ("/ethnic_category", "Ethnic category")],
    ));
    match (&found.session, text(record, "/session")) {
        (Some(session), Some(id)) => {
            let site =
                found.site.as_ref().and_then(|site| text(site, "/name")).unwrap_or("Site not known yet");
            let day = text(session, "/date").map(words::date).unwrap_or_default();
            out.push(Fact::link("Session", format!("{site}, {day}"), format!("/sessions/{id}")));
        }
        _ => out.push(Fact::new("Session", "Its record has not arrived yet")),
    }
    out.extend(text(record, "/started_at").map(|at| Fact::new("Began", words::when(at))));
    let ended = (text(record, "/ended/at").map(words::when), text(record, "/ended/how").map(words::spaced));
    match ended {
        (Some(at), how) => {
            let how = how.map(|how| format!(" ({})", how.to_lowercase())).unwrap_or_default();
            out.push(Fact::new("Ended", at + &how));
        }
        (None, Some(how)) => out.push(Fact::new("Ended", how)),
        _ => {}
    }
    if let Some(by) = text(record, "/created/by") {
        let tablet = text(record, "/created/tablet").map(|tablet| names.tablet(tablet)).unwrap_or_default();
        out.push(Fact::new("Recorded by", format!("{}, on {tablet}", names.staff(by))));
    }
    out.extend(facts(
        record,
        &[
            ("/check_type", "Type"),
            ("/reason", "Reason"),
            ("/prior_diagnosis", "Diagnosed before"),
            ("/on_treatment", "On treatment"),
            ("/pregnant", "Pregnant"),
            ("/bp/pulse_rhythm", "Pulse rhythm"),
            ("/bp/symptoms", "Symptoms"),
        ],
    ));
    out
}

fn readings(record: &Value, names: &Names) -> Table {
    let all = entries(record, "/bp/readings", "taken_at");
    let nth = |id: &str| all.iter().position(|(own, _)| *own == id).map(|index| index + 1);
    let chosen = text(record, "/derived/chosen_reading");
    let rows = all.iter().enumerate().map(|(index, (id, reading))| {
        let number = |name: &str| reading.get(name).and_then(Value::as_i64);
        let mut notes = Vec::new();
        let mut gone = false;
        if let Some(says) = struck(reading) {
            gone = true;
            notes.push(says);
        }
        let by = reading.get("corrected_by").and_then(Value::as_array).into_iter().flatten();
        let by: Vec<String> = by.filter_map(Value::as_str).filter_map(nth).map(|n| n.to_string()).collect();
        if !by.is_empty() {
            gone = true;
            notes.push(format!("Corrected by reading {}", by.join(" and ")));
        }
        if let Some(original) = text(reading, "/corrects") {
            let which = nth(original).map_or("an earlier reading".to_owned(), |n| format!("reading {n}"));
            let why = text(reading, "/reason").map(|why| format!(": {why}")).unwrap_or_default();
            notes.push(format!("Corrects {which}{why}"));
        }
        if reading.get("confirmed_unusual") == Some(&Value::Bool(true)) {
            notes.push("Unusual, and confirmed".to_owned());
        }
        let said = |name: &str| {
            reading
                .get(name)
                .filter(|value| !value.is_null())
                .map(|value| words::value(name, value).to_lowercase())
        };
        let arm = text(reading, "/arm").map(|arm| format!("{} arm", words::spaced(arm)));
        let place: Vec<String> = arm.into_iter().chain(said("position")).collect();
        let how: Vec<String> = ["cuff", "method", "setting"]
            .iter()
            .filter_map(|name| Some(format!("{} {}", words::spaced(name).to_lowercase(), said(name)?)))
            .chain(
                reading
                    .get("device")
                    .filter(|device| !device.is_null())
                    .map(|device| words::value("", device)),
            )
            .collect();
        let mut pair = Cell::new(format!(
            "{}/{}",
            number("systolic").unwrap_or_default(),
            number("diastolic").unwrap_or_default()
        ))
        .strong()
        .struck(gone);
        if chosen == Some(*id) {
            pair.tag = "Chosen".to_owned();
            pair.colour = "nhsuk-tag--blue";
        }
        pair.lines.extend(number("pulse").map(|pulse| format!("Pulse {pulse}")));
        let cells = vec![
            Cell::new((index + 1).to_string()),
            pair,
            Cell::new(text(reading, "/taken_at").map(words::when).unwrap_or_default()),
            Cell::new(place.join(", ")).lines(vec![how.join(", ")]),
            Cell::new(text(reading, "/by").map(|by| names.staff(by)).unwrap_or_default()).lines(notes),
        ];
        Row { key: (*id).to_owned(), class: "", cells }
    });
    let head = vec!["Reading", "mmHg", "Taken", "Arm and position", "By whom, and what became of it"];
    Table { caption: "Readings, in the order in which they were taken", head, rows: rows.collect() }
}

/// Present ones each on their own; those that were asked for and not there in one row.
fn red_flags(record: &Value) -> Table {
    let mut rows = Vec::new();
    let mut absent: Vec<(String, Vec<String>)> = Vec::new();
    for (id, flag) in entries(record, "/bp/red_flags", "asked_at") {
        let name = text(flag, "/flag").map(|code| words::coded("flag", code)).unwrap_or_default();
        let at = text(flag, "/asked_at").map(words::when).unwrap_or_default();
        let says = struck(flag);
        let present = flag.get("present") == Some(&Value::Bool(true));
        if !present && says.is_none() {
            match absent.iter_mut().find(|(asked, _)| *asked == at) {
                Some((_, names)) => names.push(name),
                None => absent.push((at, vec![name])),
            }
            continue;
        }
        let answer = if present { Cell::tag("Present", "nhsuk-tag--red") } else { Cell::new("Not present") };
        let sign = Cell::new(name).struck(says.is_some()).lines(says.into_iter().collect());
        rows.push(Row { key: id.to_owned(), class: "", cells: vec![sign, answer, Cell::new(at)] });
    }
    rows.extend(absent.into_iter().map(|(at, names)| {
        let cells = vec![Cell::new(names.join(", ")), Cell::new("Not present"), Cell::new(at)];
        Row { key: String::new(), class: "", cells }
    }));
    Table { caption: "Red flags", head: vec!["Sign", "Answer", "Asked"], rows }
}

fn measurements(record: &Value) -> Table {
    let rows = entries(record, "/measurements", "taken_at").into_iter().map(|(id, measured)| {
        let value = measured.get("value").map(|value| words::value("", value)).unwrap_or_default();
        let unit = text(measured, "/unit").unwrap_or_default();
        let mut notes: Vec<String> = struck(measured).into_iter().collect();
        if measured.get("corrected_by").and_then(Value::as_array).is_some_and(|by| !by.is_empty()) {
            notes.push("Corrected".to_owned());
        }
        let gone = !notes.is_empty();
        if text(measured, "/corrects").is_some() {
            notes.push("A correction".to_owned());
        }
        let cells = vec![
            Cell::new(text(measured, "/what").map(words::spaced).unwrap_or_default()),
            Cell::new(format!("{value} {unit}").trim().to_owned()).struck(gone).lines(notes),
            Cell::new(text(measured, "/taken_at").map(words::when).unwrap_or_default()),
        ];
        Row { key: id.to_owned(), class: "", cells }
    });
    Table { caption: "Measurements", head: vec!["What", "Value", "Taken"], rows: rows.collect() }
}

fn advice(record: &Value, names: &Names) -> Table {
    let rows = entries(record, "/advice", "given_at").into_iter().map(|(id, advice)| {
        let category = text(advice, "/category").map(|code| format!("Seen as: {}", words::category(code)));
        let rules = advice.get("rules").map(|rules| format!("Rules: {}", words::value("", rules)));
        let says = struck(advice);
        let gone = says.is_some();
        let lines = category.into_iter().chain(rules).chain(says).collect();
        let cells = vec![
            Cell::new(text(advice, "/code").map(words::action).unwrap_or_default()).struck(gone).lines(lines),
            Cell::new(text(advice, "/given_at").map(words::when).unwrap_or_default()),
            Cell::new(text(advice, "/by").map(|by| names.staff(by)).unwrap_or_default()).lines(
                text(advice, "/language").map(|language| format!("In {language}")).into_iter().collect(),
            ),
        ];
        Row { key: id.to_owned(), class: "", cells }
    });
    Table { caption: "Advice given", head: vec!["Advice", "When", "By whom"], rows: rows.collect() }
}

/// Entries that others tell the fate of.
struct Fated {
    caption: &'static str,
    head: &'static str,
    entries: &'static str,
    events: &'static str,
    /// How an event names its entry.
    names: &'static str,
    by: &'static str,
}

const REFERRALS: Fated = Fated {
    caption: "Referrals",
    head: "Referral",
    entries: "/referrals",
    events: "/referral_events",
    names: "/referral",
    by: "made_at",
};
const FOLLOW_UPS: Fated = Fated {
    caption: "Follow-ups",
    head: "Follow-up",
    entries: "/follow_ups",
    events: "/follow_up_events",
    names: "/follow_up",
    by: "due_on",
};

fn with_events(record: &Value, names: &Names, fated: &Fated) -> Table {
    let events = entries(record, fated.events, "at");
    let rows = entries(record, fated.entries, fated.by).into_iter().map(|(id, entry)| {
        let says = struck(entry);
        let became: Vec<String> = events
            .iter()
            .filter(|(_, event)| text(event, fated.names) == Some(id))
            .map(|(_, event)| {
                let status = text(event, "/status").map(words::spaced).unwrap_or_default();
                let at = text(event, "/at").map(|at| format!(", {}", words::when(at))).unwrap_or_default();
                let by = text(event, "/by").map(|by| format!(", {}", names.staff(by))).unwrap_or_default();
                let more = ["outcome", "reason_missed"].iter().find_map(|name| event.get(*name));
                let more =
                    more.filter(|more| !more.is_null()).map(|more| format!(": {}", words::value("", more)));
                format!("{status}{at}{by}{}", more.unwrap_or_default())
            })
            .collect();
        let cells = vec![
            Cell::new(words::value("", entry)).struck(says.is_some()).lines(says.into_iter().collect()),
            if became.is_empty() { Cell::new("Nothing yet") } else { Cell::new("").lines(became) },
        ];
        Row { key: id.to_owned(), class: "", cells }
    });
    Table { caption: fated.caption, head: vec![fated.head, "What became of it"], rows: rows.collect() }
}

fn notes(record: &Value, names: &Names) -> Table {
    let rows = entries(record, "/notes", "at").into_iter().map(|(id, note)| {
        let says = struck(note);
        let cells = vec![
            Cell::new(text(note, "/text").unwrap_or_default())
                .struck(says.is_some())
                .lines(says.into_iter().collect()),
            Cell::new(text(note, "/by").map(|by| names.staff(by)).unwrap_or_default()),
            Cell::new(text(note, "/at").map(words::when).unwrap_or_default()),
        ];
        Row { key: id.to_owned(), class: "", cells }
    });
    Table { caption: "Notes", head: vec!["Note", "By whom", "When"], rows: rows.collect() }
}

fn lifestyle(record: &Value) -> Vec<Fact> {
    facts(
        record,
        &[
            ("/lifestyle/smoking", "Smoking"),
            ("/lifestyle/audit_c", "AUDIT-C"),
            ("/lifestyle/gppaq", "GPPAQ"),
            ("/lifestyle/family_history", "Family history"),
            ("/lifestyle/risk_score", "Risk score, typed in"),
            ("/derived/bmi", "BMI (kg/m²)"),
        ],
    )
}

fn more(record: &Value) -> Vec<Fact> {
    let mut out =
        facts(record, &[("/monitor_loan", "Monitor lent"), ("/satisfaction", "Satisfaction, 1 to 5")]);
    out.extend(unknown(record, KNOWN));
    out
}
