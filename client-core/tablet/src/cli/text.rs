//! What people read: short sentences, in the words of those who use a tablet.

use std::io::{self, Write};

use serde_json::Value;
use wayside_client_core::{Status, SyncReport};

fn counted(n: u64, one: &str, many: &str) -> String {
    if n == 1 { format!("1 {one}") } else { format!("{n} {many}") }
}

pub fn status(status: &Status, out: &mut impl Write) -> io::Result<()> {
    let records = &status.records;
    writeln!(
        out,
        "{}, {}, {} on this tablet.",
        counted(records.contact, "contact", "contacts"),
        counted(records.person, "person", "people"),
        counted(records.session, "session", "sessions"),
    )?;
    match status.teams.as_slice() {
        [] => writeln!(out, "Not enrolled yet: everything stays on this tablet.")?,
        teams => {
            let names: Vec<&str> = teams.iter().map(|team| team.name.as_str()).collect();
            writeln!(out, "Belongs to {}.", names.join(", "))?;
        }
    }
    open(status, status.in_sync, out)?;
    match &status.last_synced_at {
        Some(at) => writeln!(out, "Last synced at {at}.")?,
        None => writeln!(out, "Never synced.")?,
    }
    if let Some(skew) = status.clock_skew_ms.filter(|skew| skew.unsigned_abs() >= 60_000) {
        let minutes = skew.unsigned_abs() / 60_000;
        let way = if skew > 0 { "ahead of" } else { "behind" };
        writeln!(out, "This tablet's clock is {} {way} base.", counted(minutes, "minute", "minutes"))?;
    }
    if status.archived > 0 {
        let records = counted(status.archived, "record is", "records are");
        writeln!(out, "{records} archived at base, and kept here until its backups have them.")?;
    }
    for notice in &status.notices {
        writeln!(out, "{} ({})", notice.message, notice.at.as_deref().unwrap_or_default())?;
    }
    Ok(())
}

/// What is not simply at base.
fn open(status: &Status, at_base: bool, out: &mut impl Write) -> io::Result<()> {
    if status.waiting > 0 {
        writeln!(out, "{} waiting: nobody at base can see them yet.", status.waiting)?;
    }
    if status.quarantined > 0 {
        writeln!(
            out,
            "{} not accepted at base: kept here and there, see what is wrong with `show`.",
            status.quarantined
        )?;
    }
    if status.conflicts > 0 {
        let records = counted(status.conflicts, "record was", "records were");
        writeln!(out, "{records} changed in two ways: please say which is right.")?;
    }
    if at_base {
        writeln!(out, "Everything is at base.")?;
    }
    Ok(())
}

/// `status` of a tablet that is still there: one that was revoked has wiped itself.
pub fn report(report: &SyncReport, status: Option<&Status>, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "{} sent, {} fetched.", report.pushed, report.pulled)?;
    for notice in &report.notices {
        writeln!(out, "{}", notice.message)?;
    }
    status.map_or(Ok(()), |status| open(status, report.in_sync, out))
}

/// One record in one line.
pub fn summary(record: &Value) -> String {
    let text = |pointer: &str| record.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let joined = |parts: &[&str]| {
        let parts: Vec<&str> = parts.iter().copied().filter(|part| !part.is_empty()).collect();
        parts.join(" ")
    };
    let said = match text("/kind") {
        "person" => joined(&[text("/name/given"), text("/name/family"), text("/date_of_birth")]),
        "site" | "team" => text("/name").to_owned(),
        "session" => joined(&[text("/date"), text("/setting"), text("/vehicle")]),
        "contact" => joined(&[text("/started_at"), text("/derived/category")]),
        _ => String::new(),
    };
    let conflicts = record["conflicts"].as_array().is_some_and(|conflicts| !conflicts.is_empty());
    let mut line = format!("{}  {:<8} {said}", text("/id"), text("/kind"));
    if conflicts {
        line.push_str("  (to settle)");
    }
    if record.get("quarantined").is_some() {
        line.push_str("  (not accepted at base)");
    }
    line
}

/// A whole record, indented.
pub fn record(record: &Value, out: &mut impl Write) -> io::Result<()> {
    members(record, 0, out)
}

fn members(value: &Value, depth: usize, out: &mut impl Write) -> io::Result<()> {
    let indent = "  ".repeat(depth);
    let entries: Vec<(String, &Value)> = match value {
        Value::Object(members) => members.iter().map(|(name, value)| (format!("{name}:"), value)).collect(),
        Value::Array(items) => items.iter().map(|item| ("-".to_owned(), item)).collect(),
        _ => Vec::new(),
    };
    for (name, value) in entries {
        match value {
            Value::Null => {}
            Value::Object(inner) if inner.is_empty() => {}
            Value::Array(inner) if inner.is_empty() => {}
            Value::Object(_) | Value::Array(_) => {
                writeln!(out, "{indent}{name}")?;
                members(value, depth + 1, out)?;
            }
            Value::String(text) => writeln!(out, "{indent}{name} {text}")?,
            other => writeln!(out, "{indent}{name} {other}")?,
        }
    }
    Ok(())
}
