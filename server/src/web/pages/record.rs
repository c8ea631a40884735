//! What every record's page has: its history, and what stands beside each other with a form to settle it.
//! And the page of a record that has none of its own.

use askama::Template;
use axum::Form;
use axum::extract::Path;
use axum::extract::rejection::FormRejection;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use wayside_protocol::error::Code;
use wayside_protocol::record::path;
use wayside_protocol::record::schema::{self, At, MEASUREMENTS_PATH, READINGS_PATH, Shape, Type};
use wayside_protocol::record::{Kind, RecordId};

use super::super::{blocking, words};
use super::Ask;
use super::frame::Frame;
use super::table::{Cell, Fact, Row, Table, text};
use crate::api::{self, Settle, Shown, can_settle};
use crate::error::{Error, Result};

/// One value among several.
pub struct Beside {
    /// For the form: the value as JSON.
    pub json: String,
    pub words: String,
    pub source: String,
}

/// What else may be typed in.
#[derive(PartialEq)]
pub enum Another {
    Nothing,
    Text,
    Reading,
}

pub struct Conflict {
    pub path: String,
    /// Of the form's elements.
    pub id: String,
    pub name: String,
    pub values: Vec<Beside>,
    pub can_settle: bool,
    pub another: Another,
    pub hint: String,
}

impl Conflict {
    pub fn asks_text(&self) -> bool {
        self.another == Another::Text
    }

    pub fn asks_reading(&self) -> bool {
        self.another == Another::Reading
    }
}

/// The parts that all record pages share.
pub struct Common {
    pub id: String,
    pub heads: String,
    pub conflicts: Vec<Conflict>,
    pub history: Table,
    /// The same by field: every value that each ever had.
    pub values: Table,
    pub entered_in_error: Option<String>,
    pub archived: bool,
}

impl Common {
    pub fn of(shown: &Shown, names: &api::Names) -> Common {
        let record = &shown.record;
        let kind = shown.kind();
        let found = record.get("conflicts").and_then(Value::as_array).into_iter().flatten();
        Common {
            id: text(record, "/id").unwrap_or_default().to_owned(),
            heads: shown.heads.join(" "),
            conflicts: found.enumerate().map(|(index, found)| conflict(kind, index, found, names)).collect(),
            history: history(shown),
            values: values(shown),
            entered_in_error: record
                .get("entered_in_error")
                .filter(|error| !error.is_null())
                .map(|error| text(error, "/reason").unwrap_or("No reason given").to_owned()),
            archived: record.get("archived").is_some(),
        }
    }
}

fn conflict(kind: Option<Kind>, index: usize, found: &Value, names: &api::Names) -> Conflict {
    let path = text(found, "/path").unwrap_or_default().to_owned();
    let name = path.rsplit('/').next().unwrap_or_default().to_owned();
    let values = found.get("values").and_then(Value::as_array).into_iter().flatten().map(|one| {
        let value = one.get("value").unwrap_or(&Value::Null);
        let by = text(one, "/by").map(|by| names.staff(by)).unwrap_or_default();
        let tablet = text(one, "/tablet").map(|tablet| names.tablet(tablet)).unwrap_or_default();
        let at = text(one, "/at").map(words::when).unwrap_or_default();
        Beside {
            json: value.to_string(),
            words: beside(&name, value),
            source: [by, tablet, at]
                .into_iter()
                .filter(|part| !part.is_empty())
                .collect::<Vec<_>>()
                .join(", "),
        }
    });
    let another = kind.map_or(Another::Nothing, |kind| another(kind, &path));
    let hint = kind.map(|kind| hint(kind, &path)).unwrap_or_default();
    Conflict {
        id: format!("settle-{index}"),
        name: words::field(&path),
        values: values.collect(),
        can_settle: kind.is_some_and(|kind| can_settle(kind, &path)),
        another,
        hint,
        path,
    }
}

/// A value as one of several: of a reading only what people compare.
fn beside(name: &str, value: &Value) -> String {
    let number = |name: &str| value.get(name).and_then(Value::as_i64);
    let (Some(systolic), Some(diastolic)) = (number("systolic"), number("diastolic")) else {
        return words::value(name, value);
    };
    let pulse = number("pulse").map(|pulse| format!(", pulse {pulse}")).unwrap_or_default();
    let reason = text(value, "/reason").map(|reason| format!(": {reason}")).unwrap_or_default();
    format!("{systolic}/{diastolic}{pulse}{reason}")
}

fn another(kind: Kind, at: &str) -> Another {
    if at.starts_with(READINGS_PATH) {
        return Another::Reading;
    }
    match schema::at(kind, at) {
        At::Field(Shape::One(Type::Any | Type::Id)) => Another::Nothing,
        At::Field(Shape::One(_)) => Another::Text,
        At::Field(Shape::Composite(_))
            if kind == Kind::Person && matches!(at, schema::BIRTH | "nhs_number") =>
        {
            Another::Text
        }
        _ => Another::Nothing,
    }
}

fn hint(kind: Kind, at: &str) -> String {
    match schema::at(kind, at) {
        At::Field(Shape::One(Type::Date)) => "A date, for example 2026-11-20".to_owned(),
        At::Field(Shape::One(Type::Time)) => "A time in UTC, for example 2026-11-20T13:05:00Z".to_owned(),
        At::Field(Shape::One(Type::Int)) => "A whole number".to_owned(),
        At::Field(Shape::One(Type::Bool)) => "true or false".to_owned(),
        At::Field(Shape::One(Type::Code(list))) => {
            let words: Vec<String> = list.iter().map(|code| words::spaced(code)).collect();
            format!("One of: {}", words.join(", "))
        }
        At::Field(Shape::One(Type::EthnicCategory)) => "A code: A to S, Z or 99".to_owned(),
        _ if at == schema::BIRTH => "A date of birth, for example 1968-02-03".to_owned(),
        _ if at == "nhs_number" => "10 digits, for example 999 000 0018".to_owned(),
        _ => String::new(),
    }
}

fn history(shown: &Shown) -> Table {
    let rows = shown.history.iter().map(|change| {
        let mut number = Cell::new(change.number.to_string());
        if !change.beside.is_empty() {
            let numbers: Vec<String> = change.beside.iter().map(ToString::to_string).collect();
            number = number.lines(vec![format!("Made without seeing {}", numbers.join(", "))]);
        }
        let writes: Vec<String> = change
            .writes
            .iter()
            .map(|write| {
                let name = write.path.rsplit('/').next().unwrap_or_default();
                let was: Vec<String> = write.before.iter().map(|value| words::value(name, value)).collect();
                let was = if was.is_empty() { String::new() } else { format!(" (was {})", was.join(" / ")) };
                format!("{}: {}{was}", words::field(&write.path), words::value(name, &write.value))
            })
            .collect();
        let why = (!change.reason.is_empty()).then(|| format!("Why: {}", change.reason));
        let writes = writes.into_iter().chain(why).collect::<Vec<_>>();
        let at = Cell::new(words::when(&change.at))
            .lines(vec![format!("Received {}", words::when(&change.received_at))]);
        let cells = vec![
            number,
            Cell::new(&change.by_name).lines(vec![change.tablet_name.clone()]),
            at,
            Cell::new(if writes.is_empty() { "Nothing that people see" } else { "" }).lines(writes),
        ];
        Row { key: change.hash.clone(), class: "", cells }
    });
    let head = vec!["Change", "Who and on which tablet", "When, by its own clock", "What was set"];
    Table {
        caption: "Every change, in the order in which they build on each other",
        head,
        rows: rows.collect(),
    }
}

fn values(shown: &Shown) -> Table {
    let mut fields: Vec<(&str, Vec<Row>)> = Vec::new();
    for change in &shown.history {
        for write in &change.writes {
            let name = write.path.rsplit('/').next().unwrap_or_default();
            let why = (!change.reason.is_empty()).then(|| format!("Why: {}", change.reason));
            let cells = vec![
                Cell::new(words::field(&write.path)),
                Cell::new(words::value(name, &write.value)).lines(why.into_iter().collect()),
                Cell::new(&change.by_name).lines(vec![change.tablet_name.clone()]),
                Cell::new(words::when(&change.at)),
            ];
            let row = Row { key: format!("value-{}-{}", change.hash, write.path), class: "", cells };
            match fields.iter_mut().find(|(path, _)| *path == write.path) {
                Some((_, rows)) => rows.push(row),
                None => fields.push((&write.path, vec![row])),
            }
        }
    }
    let head = vec!["Field", "Value", "Who and on which tablet", "When, by its own clock"];
    let rows = fields.into_iter().flat_map(|(_, rows)| rows).collect();
    Table { caption: "Every value that each field ever had, the oldest first", head, rows }
}

#[derive(Template)]
#[template(path = "record.html")]
struct RecordPage {
    frame: Frame,
    facts: Vec<Fact>,
    common: Common,
}

/// A site, a team, or a record that has no page of its own.
pub async fn record(ask: Ask, Path(id): Path<String>) -> Response {
    ask.page_of(id, move |door, frame, id| {
        let (shown, names) = api::record(&door.web.base, &door.web.readers, id)?;
        let hidden = ["id", "kind", "schema", "team", "created", "conflicts", "derived", "staff"];
        let fields = shown.record.as_object().into_iter().flatten();
        let facts = fields.filter(|(name, value)| !hidden.contains(&name.as_str()) && !value.is_null());
        let kind = text(&shown.record, "/kind").unwrap_or_default();
        let title = text(&shown.record, "/name").map_or_else(|| words::spaced(kind), str::to_owned);
        Ok(RecordPage {
            frame: frame.titled(title, "", "change"),
            facts: facts
                .map(|(name, value)| Fact::new(&words::spaced(name), words::value(name, value)))
                .collect(),
            common: Common::of(&shown, &names),
        })
    })
    .await
}

/// What the form of a conflict sends.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Decided {
    path: String,
    heads: String,
    /// The chosen value as JSON, or `other`.
    choice: String,
    other: String,
    systolic: String,
    diastolic: String,
    pulse: String,
    reason: String,
}

/// Settles one conflict and shows the record again.
pub async fn settle(
    ask: Ask,
    Path(text): Path<String>,
    form: Result<Form<Decided>, FormRejection>,
) -> Response {
    let Ok(Form(decided)) = form else {
        return ask.refuse(&Code::BadArguments.into());
    };
    let web = ask.door.web.clone();
    let by = ask.visitor.name().unwrap_or_default().to_owned();
    let done = blocking(move || {
        let id: RecordId = text.parse().map_err(|_| Code::BadId)?;
        let (shown, _) = api::record(&web.base, &web.readers, id)?;
        let kind = shown.kind().ok_or(Code::WrongKind)?;
        let value = decided.value(kind)?;
        let heads = Settle::heads(decided.heads.split_whitespace())?;
        let Decided { path, reason, .. } = decided;
        api::settle(&web.base, id, &by, Settle { path, value, heads, reason })?;
        Ok(address(kind, id))
    });
    match done.await {
        Ok(address) => Redirect::to(&address).into_response(),
        Err(error) => ask.refuse(&error),
    }
}

/// Where a record of this kind is shown.
pub(super) fn address(kind: Kind, id: RecordId) -> String {
    match kind {
        Kind::Contact => format!("/checks/{id}"),
        Kind::Person => format!("/people/{id}"),
        _ => format!("/records/{id}"),
    }
}

impl Decided {
    fn value(&self, kind: Kind) -> Result<Value> {
        if self.choice.is_empty() {
            return Err(Error::Said(Code::MissingField, "Choose one of the values.".to_owned()));
        }
        if self.choice != "other" {
            return serde_json::from_str(&self.choice).map_err(|_| Code::BadJson.into());
        }
        if self.path.starts_with(READINGS_PATH) {
            return self.reading();
        }
        if self.path.starts_with(MEASUREMENTS_PATH) {
            return Err(Code::NotSettleable.into());
        }
        let typed = self.other.trim();
        if typed.is_empty() {
            return Err(Error::Said(Code::MissingField, "Enter the other value.".to_owned()));
        }
        Ok(match schema::at(kind, &self.path) {
            At::Field(Shape::One(Type::Int | Type::Number | Type::Bool)) => {
                serde_json::from_str(typed).unwrap_or_else(|_| json!(typed))
            }
            At::Field(Shape::One(Type::Code(list))) => {
                let said = |code: &&&str| **code == typed || words::spaced(code).eq_ignore_ascii_case(typed);
                json!(list.iter().find(said).map_or(typed, |code| *code))
            }
            _ if self.path == schema::BIRTH => json!({"date_of_birth": typed}),
            _ => json!(typed),
        })
    }

    fn reading(&self) -> Result<Value> {
        let number = |name: &str, text: &str| -> Result<Option<i64>> {
            match text.trim() {
                "" => Ok(None),
                text => text.parse().map(Some).map_err(|_| {
                    Error::Said(Code::WrongType, format!("{} must be a whole number.", words::spaced(name)))
                }),
            }
        };
        let needed = |name: &str, text: &str| {
            let missing = || Error::Said(Code::MissingField, format!("Enter the {name} pressure."));
            number(name, text)?.ok_or_else(missing)
        };
        let mut reading = Map::new();
        reading.insert("systolic".into(), json!(needed("systolic", &self.systolic)?));
        reading.insert("diastolic".into(), json!(needed("diastolic", &self.diastolic)?));
        reading.extend(number("pulse", &self.pulse)?.map(|pulse| ("pulse".to_owned(), json!(pulse))));
        Ok(Value::Object(reading))
    }
}

/// Fields that no part of a page shows: those of a newer version and what an integrator added.
pub fn unknown(record: &Value, known: &[&str]) -> Vec<Fact> {
    let always = [
        "id",
        "kind",
        "schema",
        "team",
        "created",
        "conflicts",
        "derived",
        "declined",
        "entered_in_error",
        "archived",
    ];
    let fields = record.as_object().into_iter().flatten();
    let rest = fields.filter(|(name, value)| {
        !always.contains(&name.as_str()) && !known.contains(&name.as_str()) && !value.is_null()
    });
    rest.map(|(name, value)| Fact::new(&words::field(&path::escape(name)), words::value(name, value)))
        .collect()
}
