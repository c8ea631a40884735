//! For people at a terminal: aligned text.

use std::io::{self, Write};

use serde_json::Value;

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or("-")
}

fn list(value: &Value, name: &str) -> String {
    let values = value.get(name).and_then(Value::as_array).into_iter().flatten();
    values.filter_map(Value::as_str).collect::<Vec<_>>().join(" ")
}

/// Columns as wide as their widest cell; the last runs free.
pub fn table(rows: Vec<Vec<String>>, out: &mut impl Write) -> io::Result<()> {
    let mut widths: Vec<usize> = Vec::new();
    for row in &rows {
        widths.resize(widths.len().max(row.len()), 0);
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    for row in rows {
        let mut line = String::new();
        for (width, cell) in widths.iter().zip(&row) {
            line.push_str(&printable(cell));
            line.extend(std::iter::repeat_n(' ', width + 2 - cell.chars().count()));
        }
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

/// What was recorded goes to a terminal: without anything that a terminal would obey.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn head(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| name.to_uppercase()).collect()
}

pub fn records(records: &[Value], out: &mut impl Write) -> io::Result<()> {
    let mut rows = vec![head(&["id", "kind", "created", "conflicts", "what"])];
    rows.extend(records.iter().map(|record| {
        let conflicts = record.get("conflicts").and_then(Value::as_array).map_or(0, Vec::len);
        vec![
            text(record, "/id").to_owned(),
            text(record, "/kind").to_owned(),
            text(record, "/created/at").to_owned(),
            if conflicts == 0 { "-".to_owned() } else { conflicts.to_string() },
            title(record),
        ]
    }));
    table(rows, out)
}

/// A few words by which somebody knows a record again.
fn title(record: &Value) -> String {
    match text(record, "/kind") {
        "person" => format!("{} {}", text(record, "/name/given"), text(record, "/name/family")),
        "contact" => format!("{} {}", text(record, "/started_at"), text(record, "/derived/category")),
        "session" => format!("{} at {}", text(record, "/date"), text(record, "/site")),
        _ => text(record, "/name").to_owned(),
    }
}

/// A record, one field a line.
pub fn record(record: &Value, out: &mut impl Write) -> io::Result<()> {
    let mut rows = Vec::new();
    lines(String::new(), record, &mut rows);
    table(rows, out)
}

fn lines(path: String, value: &Value, rows: &mut Vec<Vec<String>>) {
    let below = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}/{name}") };
    match value {
        Value::Object(members) => {
            members.iter().for_each(|(name, value)| lines(below(name), value, rows));
        }
        Value::Array(values) if values.iter().any(Value::is_object) => {
            values.iter().enumerate().for_each(|(i, value)| lines(below(&i.to_string()), value, rows));
        }
        Value::Array(values) => {
            let words: Vec<String> = values.iter().map(scalar).collect();
            rows.push(vec![path, words.join(", ")]);
        }
        value => rows.push(vec![path, scalar(value)]),
    }
}

fn scalar(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

pub fn worklist(items: &[Value], out: &mut impl Write) -> io::Result<()> {
    let mut rows = vec![head(&["urgency", "category", "started at", "contact", "person", "actions", "why"])];
    rows.extend(items.iter().map(|item| {
        let cell = |name: &str| text(item, &format!("/{name}")).to_owned();
        vec![
            cell("urgency"),
            cell("category"),
            cell("started_at"),
            cell("contact"),
            cell("person"),
            list(item, "actions"),
            cell("why"),
        ]
    }));
    table(rows, out)
}

pub fn quarantine(items: &[Value], out: &mut impl Write) -> io::Result<()> {
    let mut rows = vec![head(&["received at", "tablet", "record", "code", "path", "message"])];
    rows.extend(items.iter().map(|item| {
        ["received_at", "tablet", "record", "code", "path", "message"]
            .iter()
            .map(|name| text(item, &format!("/{name}")).to_owned())
            .collect()
    }));
    table(rows, out)
}

pub fn readmitted(items: &[Value], out: &mut impl Write) -> io::Result<()> {
    if items.is_empty() {
        return writeln!(out, "There is nothing like that in quarantine.");
    }
    let mut rows = vec![head(&["outcome", "record", "hash", "code"])];
    rows.extend(items.iter().map(|item| {
        ["outcome", "record", "hash", "code"]
            .iter()
            .map(|name| text(item, &format!("/{name}")).to_owned())
            .collect()
    }));
    table(rows, out)
}
