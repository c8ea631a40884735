//! One check or conversation: what was measured, what it means, what was done about it.

use askama::Template;
use axum::extract::Path;
use axum::response::Response;
use serde_json::Value;
use wayside_protocol::clinical::Urgency;
use wayside_protocol::clinical::follow_up::{Task, TaskKind};
use wayside_protocol::clinical::text::Texts;

use super::super::words;
use super::Ask;
use super::check_tables::{advice, measurements, notes, readings, red_flags};
use super::frame::Frame;
use super::pressures::{self, Figure};
use super::record::{Common, unknown};
use super::table::{Fact, Table, entries, facts, struck, text};
use super::task::{self, TaskCard};
use crate::api::{self, Names};
use crate::base::Base;
use crate::error::Result;

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
    "calls",
    "monitor_loan",
    "notes",
    "satisfaction",
];

/// What a form can name.
struct Entry {
    /// Of a reading its id; of what is struck out its path; of a list its code.
    name: String,
    words: String,
}

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
    figures: Vec<Figure>,
    /// Readings, red flags, measurements, advice, notes: those that there are.
    tables: Vec<Table>,
    /// Where today's rules would say something else than what was said to the person.
    hindsight: String,
    disputed: Vec<String>,
    /// Of an urgent check: that nobody has phoned, or been reached.
    not_phoned: &'static str,
    handled: bool,
    /// What took it in hand: in words, with its path.
    taken: Vec<Entry>,
    tasks: Vec<TaskCard>,
    calls: Vec<String>,
    /// Readings that may be corrected, and entries that may be struck out.
    readings: Vec<Entry>,
    entries: Vec<Entry>,
    /// Whom one can refer to, and how soon.
    services: Vec<Entry>,
    urgencies: Vec<Entry>,
    /// Whether a day of a home diary can be typed in here, and whether it counts in this very check.
    asks_diary: bool,
    takes_diary: bool,
    /// A monitor that is not back.
    lent: bool,
    lifestyle: Vec<Fact>,
    more: Vec<Fact>,
    common: Common,
}

pub async fn check(ask: Ask, Path(id): Path<String>) -> Response {
    ask.page_of(id, move |door, frame, id| {
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
            notes(record, names),
        ];
        let name = match &found.person {
            Some(person) => api::name_of(person).unwrap_or_else(|| "name not given".to_owned()),
            None => "no details given".to_owned(),
        };
        let what = if conversation { "Conversation" } else { "Check" };
        let texts = Texts::english();
        Ok(CheckPage {
            conversation,
            urgency: words::urgency(urgency),
            colour: words::urgency_colour(urgency),
            category: text(record, "/derived/category").map(words::category).unwrap_or_default(),
            pair,
            why: text(record, "/derived/why").unwrap_or_default().to_owned(),
            signs: words::signs(&api::Signs::of(record)),
            actions: actions.filter_map(Value::as_str).map(words::action).collect(),
            another_due: record.pointer("/derived/another_reading_due") == Some(&Value::Bool(true)),
            hindsight: found.hindsight.as_ref().map(|differs| texts.say(&differs.text)).unwrap_or_default(),
            disputed: disputed(record),
            not_phoned: not_phoned(&found, urgency),
            handled: found.attention == api::Attention::Handled,
            taken: taken(&found),
            tasks: found.tasks.iter().map(|task| card(record, task, names)).collect(),
            calls: task::calls(&found.calls, names),
            readings: live_readings(record),
            entries: strikable(record),
            services: if frame.may_settle { services(&door.web.base, record)? } else { Vec::new() },
            urgencies: urgencies(),
            takes_diary: api::takes_diary(record),
            asks_diary: api::takes_diary(record) || found.person.is_some(),
            lent: record.get("monitor_loan").is_some_and(Value::is_object)
                && text(record, "/monitor_loan/returned_at").is_none(),
            facts: about(&found),
            figures: pressures::of_check(record),
            tables: tables.into_iter().filter(|table| !table.rows.is_empty()).collect(),
            lifestyle: lifestyle(record),
            more: more(record),
            common: Common::of(&found.shown, names),
            frame: frame.titled(format!("{what}: {name}"), "", "change"),
        })
    })
    .await
}

/// Whom one can always refer to, by code.
const ALWAYS: &[(&str, &str)] = &[
    ("gp", "GP practice"),
    ("maternity", "Maternity unit"),
    ("nhs111", "NHS 111"),
    ("pharmacy", "Pharmacy"),
];

/// Those, and the services of the check's team that are in use. A referral names a service as people call it.
fn services(base: &Base, record: &Value) -> Result<Vec<Entry>> {
    let entry = |name: &str, words: String| Entry { name: name.to_owned(), words };
    let always = ALWAYS.iter().map(|(code, words)| entry(code, (*words).to_owned()));
    let Some(team) = text(record, "/team") else { return Ok(always.collect()) };
    let team = api::team::find(base, team)?;
    let directory =
        team.services.iter().filter(|service| service.active).map(|service| {
            entry(&service.name, format!("{} ({})", service.name, words::spaced(&service.kind)))
        });
    Ok(always.chain(directory).collect())
}

/// From the one that leaves most time.
fn urgencies() -> Vec<Entry> {
    let all = Urgency::ALL.iter();
    all.map(|urgency| Entry { name: urgency.as_str().to_owned(), words: urgency.label().to_owned() })
        .collect()
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

/// In which values the check is disputed, and what else it could come to.
fn disputed(record: &Value) -> Vec<String> {
    let list = |pointer: &str| record.pointer(pointer).and_then(Value::as_array).into_iter().flatten();
    let fields = list("/derived/disputed/paths").filter_map(Value::as_str);
    let mut fields: Vec<String> =
        fields.map(|path| words::field(path.strip_prefix("person/").unwrap_or(path))).collect();
    fields.dedup();
    if fields.is_empty() {
        return Vec::new();
    }
    let mut lines = vec![format!(
        "Disputed: {}. The more urgent value counts until somebody settles it.",
        fields.join(", ").to_lowercase()
    )];
    lines.extend(list("/derived/disputed/otherwise").map(|other| {
        let number = |name: &str| other.get(name).and_then(Value::as_i64);
        let pair = number("systolic").zip(number("diastolic")).map(|(high, low)| format!("{high}/{low}, "));
        let category = text(other, "/category").map_or("no category".to_owned(), words::category);
        let soon = text(other, "/urgency").map(words::urgency).unwrap_or_default();
        format!("Otherwise it would be: {}{category} ({})", pair.unwrap_or_default(), soon.to_lowercase())
    }));
    lines
}

fn not_phoned(found: &api::Check, urgency: &str) -> &'static str {
    let urgent = Urgency::parse(urgency).is_some_and(|urgency| urgency >= Urgency::SameDay);
    if !urgent || found.attention != api::Attention::Waits {
        ""
    } else if found.calls.is_empty() {
        "Nobody has phoned yet."
    } else {
        "Nobody has been reached yet."
    }
}

/// Calls and events by which a check counts as being in somebody's hands.
fn taken(found: &api::Check) -> Vec<Entry> {
    let reached = found.calls.iter().filter(|call| call.outcome == "reached").map(|one| Entry {
        name: format!("calls/{}", one.entry),
        words: task::call(one, one.by.as_deref().map(|by| found.names.staff(by)).as_deref()),
    });
    let events = found.tasks.iter().filter(|task| task.kind == TaskKind::Referral).filter_map(|task| {
        let last = task.last.as_ref().filter(|_| !task.state.is_open())?;
        let words = format!(
            "Referral to {}: {}",
            words::spaced(&task.what),
            words::spaced(&last.status).to_lowercase()
        );
        Some(Entry { name: format!("referral_events/{}", last.entry), words })
    });
    reached.chain(events).collect()
}

fn card(record: &Value, task: &Task, names: &Names) -> TaskCard {
    let check = text(record, "/id").unwrap_or_default();
    let by = task.last.as_ref().and_then(|last| last.by.as_deref()).map(|by| names.staff(by));
    let mut card = TaskCard::of(check, task, by.as_deref());
    let (map, field) = match task.kind {
        TaskKind::Referral => ("/referral_events", "/referral"),
        TaskKind::FollowUp => ("/follow_up_events", "/follow_up"),
    };
    // Here everything that became of it is told, not only what was last.
    card.facts.retain(|fact| fact.key != "Last");
    for (_, event) in
        entries(record, map, "at").into_iter().filter(|(_, e)| text(e, field) == Some(&task.entry))
    {
        let mut said = text(event, "/at").map(words::when).unwrap_or_default();
        said.extend(text(event, "/by").map(|by| format!(", {}", names.staff(by))));
        for name in ["outcome", "reason_missed", "due_on"] {
            let more = event.get(name).filter(|more| !more.is_null());
            said.extend(more.map(|more| format!(": {}", words::value(name, more))));
        }
        said.extend(struck(event).map(|struck| format!(". {struck}")));
        let status = text(event, "/status").map(words::spaced).unwrap_or_default();
        card.facts.push(Fact::new(&status, said));
    }
    card
}

/// Readings that count, the way a form names them.
fn live_readings(record: &Value) -> Vec<Entry> {
    let all = entries(record, "/bp/readings", "taken_at");
    let live = all.into_iter().filter(|(_, reading)| {
        struck(reading).is_none()
            && reading.get("corrected_by").is_none_or(|by| by.as_array().is_none_or(Vec::is_empty))
    });
    let named = live.map(|(id, reading)| {
        let number = |name: &str| reading.get(name).and_then(Value::as_i64).unwrap_or_default();
        let at = text(reading, "/taken_at").map(words::when).unwrap_or_default();
        Entry { name: id.to_owned(), words: format!("{}/{}, {at}", number("systolic"), number("diastolic")) }
    });
    named.collect()
}

/// The maps of entries that a coordinator may strike out, with what orders them.
const STRIKABLE: &[(&str, &str)] = &[
    ("bp/red_flags", "asked_at"),
    ("measurements", "taken_at"),
    ("advice", "given_at"),
    ("referrals", "made_at"),
    ("referral_events", "at"),
    ("follow_ups", "due_on"),
    ("follow_up_events", "at"),
    ("calls", "at"),
    ("notes", "at"),
];

fn strikable(record: &Value) -> Vec<Entry> {
    let readings = live_readings(record).into_iter().map(|reading| Entry {
        name: format!("bp/readings/{}", reading.name),
        words: format!("Reading {}", reading.words),
    });
    let rest = STRIKABLE.iter().flat_map(|(map, by)| {
        let live =
            entries(record, &format!("/{map}"), by).into_iter().filter(|(_, entry)| struck(entry).is_none());
        let named = live.map(|(id, entry)| Entry {
            name: format!("{map}/{id}"),
            words: format!("{}: {}", words::field(&format!("{map}/{id}")), words::value("", entry)),
        });
        named.collect::<Vec<_>>()
    });
    readings.chain(rest).collect()
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
