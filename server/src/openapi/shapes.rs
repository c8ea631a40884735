//! Shapes of what other crates print, or of what no one type prints. That real answers have them is checked in the
//! tests of every address.
#![allow(dead_code, reason = "only their schemas are used")]

use std::borrow::Cow;

use serde_json::{Value, json};
use utoipa::openapi::{Ref, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};
use wayside_protocol::record::Kind;
use wayside_protocol::record::schema::{self, Field, Member, Shape, Type};

use crate::reach::Figure;

/// A referral or follow-up as it stands today.
#[derive(ToSchema)]
pub struct Task {
    /// `follow_up` or `referral`.
    kind: String,
    /// The entry's id in the check.
    entry: String,
    /// The type of a follow-up, or to whom a referral goes.
    what: String,
    state: String,
    urgency: Option<String>,
    reason: Option<String>,
    /// `YYYY-MM-DD`.
    due_on: Option<String>,
    /// `YYYY-MM-DD`.
    since: Option<String>,
    attempts: u64,
    reasons_missed: Vec<String>,
    last: Option<TaskEvent>,
}

#[derive(ToSchema)]
pub struct TaskEvent {
    entry: String,
    status: String,
    at: Option<String>,
    by: Option<String>,
    outcome: Option<String>,
}

/// A try to reach somebody by telephone.
#[derive(ToSchema)]
pub struct Call {
    entry: String,
    /// `tried`, `no_answer` or `reached`.
    outcome: String,
    at: Option<String>,
    by: Option<String>,
    spoke_to: Option<String>,
    about: Option<String>,
}

/// A member of staff, as the team's record has them.
#[derive(ToSchema)]
pub struct Staff {
    id: String,
    name: String,
    role: String,
    active: bool,
    has_pin: bool,
}

/// A change that could not be accepted, whole, and why.
#[derive(ToSchema)]
pub struct Quarantined {
    team: String,
    record: String,
    hash: String,
    /// Why: an error code.
    code: String,
    path: String,
    message: String,
    tablet: String,
    tablet_name: String,
    author: String,
    received_at: Option<String>,
    /// What it would have set, by path; null where it cannot be read.
    values: Option<Value>,
}

/// What a write came to.
#[derive(ToSchema)]
pub struct Written {
    record: String,
    /// What the next edit stands on.
    heads: Vec<String>,
    /// As in the record.
    conflicts: Option<Vec<Value>>,
}

/// Who is on it, as it was sent.
#[derive(ToSchema)]
pub struct Take {
    /// `on`, `over` or `off`.
    #[schema(pattern = "^(on|over|off)$")]
    take: String,
}

#[derive(ToSchema)]
pub struct Taken {
    check: String,
}

/// Whether somebody has looked at it.
#[derive(ToSchema)]
pub struct LookedAt {
    seen: bool,
}

#[derive(ToSchema)]
pub struct Looked {
    hash: String,
    seen: bool,
}

#[derive(ToSchema)]
pub struct Wanted {
    /// Names, numbers, a date of birth, a site, a day.
    #[schema(max_length = 200)]
    text: String,
}

/// What somebody decided where values disagreed.
#[derive(ToSchema)]
pub struct Decided {
    /// As in `conflicts`.
    path: String,
    value: Value,
    /// As they were shown with the record.
    heads: Vec<String>,
    #[schema(default = "")]
    reason: Option<String>,
}

/// One thing to do to a record. Which other members are needed depends on `act`: see the page about the API.
#[derive(ToSchema)]
pub struct Act {
    /// `follow_up_event`, `follow_up`, `referral`, `referral_event`, `call`, `return_loan`, `diary_day`, `strike_out`,
    /// `correct`, `entered_in_error`, `not_in_error`, `merge`, `unmerge` or `not_same`.
    act: String,
    /// As they were shown with the record; needed where something is replaced.
    heads: Option<Vec<String>>,
}

/// FHIR R4, UK Core.
#[derive(ToSchema)]
pub struct Bundle {
    /// `Bundle`.
    #[serde(rename = "resourceType")]
    resource_type: String,
    r#type: String,
    entry: Vec<Value>,
}

/// Any of the five kinds of records; stands for the component `Record`.
pub struct AnyRecord;

impl PartialSchema for AnyRecord {
    fn schema() -> RefOr<Schema> {
        Ref::from_schema_name("Record").into()
    }
}

impl ToSchema for AnyRecord {
    fn name() -> Cow<'static, str> {
        "Record".into()
    }
}

impl PartialSchema for Figure {
    fn schema() -> RefOr<Schema> {
        Ref::from_schema_name("Figure").into()
    }
}

impl ToSchema for Figure {}

/// The components that stand in no type: records as the tables of the schema have them, and figures.
pub fn components() -> Vec<(String, Value)> {
    let name = |kind: Kind| format!("{}Record", capital(kind.as_str()));
    let mut all: Vec<(String, Value)> =
        Kind::ALL.into_iter().map(|kind| (name(kind), record(kind))).collect();
    let any: Vec<Value> = Kind::ALL
        .into_iter()
        .map(|kind| json!({"$ref": format!("#/components/schemas/{}", name(kind))}))
        .collect();
    all.push(("Record".to_owned(), json!({"anyOf": any})));
    all.push((
        "Figure".to_owned(),
        json!({
            "description": "To the nearest 5; `*` where the number is small, or another could be worked out from it.",
            "oneOf": [{"type": "integer", "minimum": 0}, {"type": "string", "const": "*"}],
        }),
    ));
    all
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// A record as it is shown. Newer tablets may write more members and other codes: nothing is closed.
fn record(kind: Kind) -> Value {
    let mut shown = object(schema::COMMON.iter().chain(kind.fields()));
    let described = [
        ("team", json!({"type": "string", "description": "The id of its team."})),
        ("created", json!({"type": "object", "description": "Who began it, when, on which tablet."})),
        (
            "conflicts",
            json!({"type": "array", "items": {"type": "object"},
            "description": "Fields with values that nobody has settled: path and values."}),
        ),
        ("derived", json!({"type": "object", "description": "What the clinical rules make of it."})),
    ];
    if let Some(properties) = shown.get_mut("properties").and_then(Value::as_object_mut) {
        properties.insert("kind".to_owned(), json!({"type": "string", "const": kind.as_str()}));
        // The two ways to know an age stand beside the other fields.
        if let Some(birth) = properties.remove(schema::BIRTH) {
            let members = birth.get("properties").and_then(Value::as_object).cloned();
            properties.extend(members.into_iter().flatten());
        }
        properties.extend(described.map(|(name, schema)| (name.to_owned(), schema)));
    }
    shown["required"] = json!(["id", "kind"]);
    shown
}

fn object<'a>(fields: impl Iterator<Item = &'a Field>) -> Value {
    let properties: serde_json::Map<String, Value> =
        fields.map(|field| (field.name.to_owned(), shape(&field.shape))).collect();
    json!({"type": "object", "properties": properties})
}

fn shape(shape: &Shape) -> Value {
    match shape {
        Shape::One(ty) => of_type(*ty),
        Shape::Composite(of) => members(of),
        Shape::Set(_) => json!({"type": "array", "items": {"type": "string"}}),
        Shape::Entries(of) => {
            json!({"type": "object", "description": "By the entry's id.", "additionalProperties": members(of)})
        }
        Shape::Tallies => json!({"type": "object", "description": "Sums by name."}),
        Shape::Group(fields) => object(fields.iter()),
        Shape::Open => json!({"type": "object"}),
    }
}

fn members(members: &[Member]) -> Value {
    let properties: serde_json::Map<String, Value> =
        members.iter().map(|member| (member.name.to_owned(), of_type(member.ty))).collect();
    json!({"type": "object", "properties": properties})
}

fn of_type(ty: Type) -> Value {
    match ty {
        Type::Text | Type::Entry | Type::EthnicCategory => json!({"type": "string"}),
        Type::Int => json!({"type": "integer"}),
        Type::Number => json!({"type": "number"}),
        Type::Bool => json!({"type": "boolean"}),
        Type::Date => json!({"type": "string", "format": "date"}),
        Type::Time => json!({"type": "string", "format": "date-time"}),
        Type::Id => json!({"type": "string", "format": "uuid"}),
        Type::Code(codes) => {
            json!({"type": "string", "description": format!("One of {}, or a newer code.", codes.join(", "))})
        }
        Type::Any => json!({}),
    }
}

/// The data dictionary of extracts.
#[derive(ToSchema)]
pub struct Dictionary {
    files: Vec<DictionaryFile>,
}

#[derive(ToSchema)]
pub struct DictionaryFile {
    /// As in addresses, without `.csv`.
    file: String,
    columns: Vec<DictionaryColumn>,
}

#[derive(ToSchema)]
pub struct DictionaryColumn {
    /// From 1.
    position: u64,
    column: String,
    r#type: String,
    /// Empty where there is none.
    unit: String,
    codes: Vec<DictionaryCode>,
    /// Where it stands in the records; empty where it is found from them.
    field: String,
    source: String,
    meaning: String,
    pseudonymised: String,
}

#[derive(ToSchema)]
pub struct DictionaryCode {
    code: String,
    label: String,
}
