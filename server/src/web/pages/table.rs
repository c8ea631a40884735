//! Rows and cells, for the one table that all pages share: it becomes stacked rows on a narrow screen.

use serde_json::Value;

use super::super::words;

/// A table. Nothing is shown of one without rows.
#[derive(Default)]
pub struct Table {
    pub caption: &'static str,
    pub head: Vec<&'static str>,
    pub rows: Vec<Row>,
}

#[derive(Default)]
pub struct Row {
    /// What finds it again when the page refreshes.
    pub key: String,
    /// For its colour; may be empty.
    pub class: &'static str,
    pub cells: Vec<Cell>,
}

#[derive(Default)]
pub struct Cell {
    pub text: String,
    /// Further lines below.
    pub lines: Vec<String>,
    pub href: String,
    pub tag: String,
    /// The class of the tag's colour.
    pub colour: &'static str,
    pub strong: bool,
    pub struck: bool,
}

impl Cell {
    pub fn new(text: impl Into<String>) -> Cell {
        Cell { text: text.into(), ..Cell::default() }
    }

    pub fn link(text: impl Into<String>, href: String) -> Cell {
        Cell { text: text.into(), href, ..Cell::default() }
    }

    pub fn tag(text: impl Into<String>, colour: &'static str) -> Cell {
        Cell { tag: text.into(), colour, ..Cell::default() }
    }

    pub fn lines(mut self, lines: Vec<String>) -> Cell {
        self.lines = lines;
        self
    }

    pub fn strong(mut self) -> Cell {
        self.strong = true;
        self
    }

    pub fn struck(mut self, struck: bool) -> Cell {
        self.struck = struck;
        self
    }
}

/// One line of a summary list.
pub struct Fact {
    pub key: String,
    pub value: String,
    pub href: String,
}

impl Fact {
    pub fn new(key: &str, value: impl Into<String>) -> Fact {
        Fact { key: key.to_owned(), value: value.into(), href: String::new() }
    }

    pub fn link(key: &str, value: impl Into<String>, href: String) -> Fact {
        Fact { key: key.to_owned(), value: value.into(), href }
    }
}

/// The text at a JSON pointer.
pub fn text<'a>(record: &'a Value, pointer: &str) -> Option<&'a str> {
    record.pointer(pointer).and_then(Value::as_str).filter(|text| !text.is_empty())
}

/// Facts for the fields of a record that are there, in the order asked for: pointer and key.
pub fn facts(record: &Value, asked: &[(&str, &str)]) -> Vec<Fact> {
    let declined: Vec<&str> = record
        .get("declined")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    asked
        .iter()
        .filter_map(|(pointer, key)| {
            let name = pointer.rsplit('/').next().unwrap_or_default();
            let whole = pointer.trim_start_matches('/');
            match record.pointer(pointer) {
                Some(value) if !value.is_null() => Some(Fact::new(key, words::value(name, value))),
                _ if declined.iter().any(|field| *field == whole || *field == name) => {
                    Some(Fact::new(key, "Asked, declined to say"))
                }
                _ => None,
            }
        })
        .collect()
}

/// The entries of a map, in the order of a member (a time), then by id.
pub fn entries<'a>(record: &'a Value, pointer: &str, by: &str) -> Vec<(&'a str, &'a Value)> {
    let map = record.pointer(pointer).and_then(Value::as_object);
    let mut entries: Vec<(&str, &Value)> =
        map.into_iter().flatten().map(|(id, entry)| (id.as_str(), entry)).collect();
    entries.sort_by_key(|(id, entry)| (text(entry, &format!("/{by}")).unwrap_or("~").to_owned(), *id));
    entries
}

/// Whether an entry was struck out, in words.
pub fn struck(entry: &Value) -> Option<String> {
    let struck = entry.get("struck_out").filter(|struck| !struck.is_null())?;
    let reason = struck.get("reason").unwrap_or(struck);
    Some(match reason {
        Value::String(reason) => format!("Struck out: {reason}"),
        _ => "Struck out".to_owned(),
    })
}
