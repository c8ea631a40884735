//! The tables of a check: readings, red flags, measurements, advice, notes.

use serde_json::Value;

use super::super::words;
use super::table::{Cell, Row, Table, entries, struck, text};
use crate::api::Names;

pub fn readings(record: &Value, names: &Names) -> Table {
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
pub fn red_flags(record: &Value) -> Table {
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

pub fn measurements(record: &Value) -> Table {
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

pub fn advice(record: &Value, names: &Names) -> Table {
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
                text(advice, "/language")
                    .map(|code| format!("In {}", words::language(code)))
                    .into_iter()
                    .collect(),
            ),
        ];
        Row { key: id.to_owned(), class: "", cells }
    });
    Table { caption: "Advice given", head: vec!["Advice", "When", "By whom"], rows: rows.collect() }
}

pub fn notes(record: &Value, names: &Names) -> Table {
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
