//! Cells of a CSV file: what a value is written as, and how a spreadsheet is kept from running it.

use std::borrow::Cow;

use serde_json::Value;

/// What a spreadsheet takes for the beginning of a formula (OWASP, CSV injection; clinical pack, section 9), full-width
/// forms among it.
const DANGEROUS: [char; 11] =
    ['=', '+', '-', '@', '\t', '\r', '\n', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}'];

/// A text as a cell holds it: an apostrophe stands before whatever could be a formula, and before what begins with an
/// apostrophe itself. So one rule undoes it: where a cell begins with an apostrophe, take that one away.
///
/// Spaces do not hide a formula from every program, so that what comes after them counts.
pub fn defused(text: &str) -> Cow<'_, str> {
    let first = text.trim_start_matches([' ', '\u{a0}', '\u{feff}']).chars().next();
    let harmful = first.is_some_and(|first| DANGEROUS.contains(&first)) || text.starts_with('\'');
    if harmful { Cow::Owned(format!("'{text}")) } else { Cow::Borrowed(text) }
}

/// What a cell was before it was [`defused`], as whoever reads a file does it.
#[cfg(test)]
pub fn undone(cell: &str) -> &str {
    cell.strip_prefix('\'').unwrap_or(cell)
}

/// A value as text: nothing as nothing, lists and objects as JSON.
pub fn text(value: &Value) -> Cow<'_, str> {
    match value {
        Value::Null => Cow::Borrowed(""),
        Value::String(text) => Cow::Borrowed(text),
        Value::Bool(true) => Cow::Borrowed("true"),
        Value::Bool(false) => Cow::Borrowed("false"),
        other => Cow::Owned(other.to_string()),
    }
}
