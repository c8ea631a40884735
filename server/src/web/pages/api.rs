//! The API, for people: the same document as `/api/v1/openapi.json`, on one page that needs no script.

use askama::Template;
use axum::response::Response;
use serde_json::Value;

use super::Ask;
use super::frame::Frame;
use super::table::{Cell, Row, Table};
use crate::openapi::{DOCUMENT, OPS, Op};

#[derive(Template)]
#[template(path = "api.html")]
struct ApiPage {
    frame: Frame,
    groups: Vec<Group>,
    /// What bodies and answers hold.
    types: Vec<Component>,
}

struct Group {
    name: &'static str,
    addresses: Vec<Address>,
}

struct Address {
    id: String,
    title: String,
    says: &'static str,
    scope: Option<String>,
    takes: Table,
    gives: Table,
}

struct Component {
    name: String,
    says: String,
    holds: Table,
}

pub async fn api(ask: Ask) -> Response {
    ask.page(|_, frame| {
        let mut groups: Vec<Group> = Vec::new();
        for op in OPS {
            if groups.last().is_none_or(|last| last.name != op.group) {
                groups.push(Group { name: op.group, addresses: Vec::new() });
            }
            if let Some(group) = groups.last_mut() {
                group.addresses.push(address(op));
            }
        }
        let types = DOCUMENT["components"]["schemas"].as_object().into_iter().flatten();
        let types = types.map(|(name, schema)| component(name, schema));
        Ok(ApiPage { frame: frame.titled("The API", "/api", ""), groups, types: types.collect() })
    })
    .await
}

fn address(op: &Op) -> Address {
    let described = &DOCUMENT["paths"][op.path][op.method.to_lowercase()];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut takes: Vec<Row> = described["parameters"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|param| {
            let place = match param["in"].as_str() {
                Some("path") => "in the address",
                Some("query") => "after ?",
                _ => "as a header",
            };
            row(
                &text(&param["name"]),
                vec![
                    Cell::new(text(&param["name"])),
                    Cell::new(place),
                    Cell::new(text(&param["description"])),
                ],
            )
        })
        .collect();
    let body = &described["requestBody"]["content"]["application/json"]["schema"];
    if body.is_object() {
        takes.push(row("body", vec![Cell::new("The body"), Cell::new("JSON"), type_cell(body)]));
    }
    let gives = described["responses"].as_object().into_iter().flatten().map(|(status, response)| {
        let content = response["content"].as_object().into_iter().flatten().next();
        let holds = content.map_or_else(Cell::default, |(media, content)| {
            let mut cell = type_cell(&content["schema"]);
            if media != "application/json" {
                cell = Cell::new(media);
            } else if status.starts_with('4') || status.starts_with('5') {
                cell = Cell::new("An error: code, message, retry");
            }
            cell
        });
        row(
            status,
            vec![Cell::new(status), holds, Cell::new(text(&response["description"]).replace('`', ""))],
        )
    });
    Address {
        id: text(&described["operationId"]),
        title: format!("{} {}", op.method, op.path),
        says: op.says,
        scope: described["security"].pointer("/0/token/0").and_then(Value::as_str).map(str::to_owned),
        takes: Table { caption: "Takes", head: vec!["Name", "Where", "What it is"], rows: takes },
        gives: Table { caption: "Answers", head: vec!["Status", "Holds", "Codes"], rows: gives.collect() },
    }
}

fn row(key: &str, cells: Vec<Cell>) -> Row {
    Row { key: key.to_owned(), cells, ..Row::default() }
}

fn component(name: &str, schema: &Value) -> Component {
    let mut holds = Table { caption: "Holds", head: vec!["Name", "Type", "What it is"], rows: Vec::new() };
    // Types that are put together from others have their members side by side.
    let parts = schema["allOf"].as_array().cloned().unwrap_or_else(|| vec![schema.clone()]);
    for part in &parts {
        if part["$ref"].is_string() {
            holds.rows.push(row("all", vec![Cell::new("All members of"), type_cell(part), Cell::default()]));
        }
        for (name, schema) in part["properties"].as_object().into_iter().flatten() {
            let says = schema["description"].as_str().unwrap_or_default();
            holds.rows.push(row(name, vec![Cell::new(name), type_cell(schema), Cell::new(says)]));
        }
    }
    if holds.rows.is_empty() {
        holds.rows.push(row("itself", vec![Cell::new("Itself"), type_cell(schema), Cell::default()]));
    }
    let says = schema["description"].as_str().unwrap_or_default();
    Component { name: name.to_owned(), says: says.to_owned(), holds }
}

/// Which type it is, with a link to where that stands.
fn type_cell(schema: &Value) -> Cell {
    let choices = ["oneOf", "anyOf"].iter().find_map(|of| schema[*of].as_array());
    let one = choices.into_iter().flatten().find(|one| one["$ref"].is_string()).unwrap_or(schema);
    let (list, refers) = match one["items"]["$ref"].as_str() {
        Some(refers) => ("a list of ", Some(refers)),
        None => ("", one["$ref"].as_str()),
    };
    if let Some(name) = refers.and_then(|refers| refers.rsplit('/').next()) {
        return Cell::link(format!("{list}{name}"), format!("#type-{name}"));
    }
    let types = match (&schema["type"], choices) {
        (Value::Array(types), _) => types.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" or "),
        (_, Some(choices)) => choices.iter().map(|one| type_cell(one).text).collect::<Vec<_>>().join(" or "),
        (Value::String(of), _) if of == "array" => match type_cell(&schema["items"]).text.as_str() {
            "anything" => "a list".to_owned(),
            of => format!("a list: {of}"),
        },
        (Value::String(of), _) => of.clone(),
        _ => "anything".to_owned(),
    };
    Cell::new(types)
}
