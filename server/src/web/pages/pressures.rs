//! Blood pressures as drawings: of one check, and of one person over all checks.

use jiff::Timestamp;
use serde_json::Value;
use wayside_protocol::clinical::{Circumstances, Setting, thresholds};

use super::super::words::{self, LONDON};
use super::chart::{Pressures, Reading};
use super::table::{Cell, Row, Table, entries, struck, text};

/// A drawing with its words.
pub struct Figure {
    pub id: &'static str,
    pub title: &'static str,
    /// What the lines are.
    pub note: &'static str,
    pub chart: Pressures,
    /// The same figures, where no other table of the page has them.
    pub table: Table,
}

impl Figure {
    fn new(
        id: &'static str,
        title: &'static str,
        readings: &[Reading],
        of: &Circumstances,
        table: Table,
    ) -> Option<Figure> {
        let note = match (of.pregnant, of.under_18, of.setting) {
            (true, ..) => "The lines are those in pregnancy.",
            (_, true, _) => "Under 18 no lines are drawn: those of adults do not hold.",
            (_, _, Setting::Clinic) => "The lines are those of readings taken by staff.",
            _ => "The lines are those of the average of home or 24-hour readings.",
        };
        let chart = Pressures::of(readings, thresholds(of));
        (!chart.readings.is_empty()).then_some(Figure { id, title, note, chart, table })
    }
}

/// The readings of a check that count, by where they were taken. Its table of readings stands beside them.
pub fn of_check(record: &Value) -> Vec<Figure> {
    let category = text(record, "/derived/category").unwrap_or_default();
    let circumstances = Circumstances {
        pregnant: category.starts_with("PREG"),
        under_18: category == "NOT_CLASSIFIED",
        ..Circumstances::default()
    };
    let at_home = |reading: &Value| matches!(text(reading, "/setting"), Some("hbpm" | "abpm"));
    let all = entries(record, "/bp/readings", "taken_at");
    let of = |home: bool| -> Vec<Reading> {
        let live = all.iter().enumerate().filter(|(_, (_, reading))| {
            let corrected =
                reading.get("corrected_by").and_then(Value::as_array).is_some_and(|by| !by.is_empty());
            at_home(reading) == home && !corrected && struck(reading).is_none()
        });
        let drawn = live.filter_map(|(n, (_, reading))| {
            let number = |name: &str| reading.get(name).and_then(Value::as_i64);
            let root = text(reading, "/corrects").unwrap_or_default();
            Some(Reading {
                // One after the other: minutes between them say nothing.
                at: i64::try_from(n).unwrap_or_default(),
                label: (n + 1).to_string(),
                systolic: number("systolic")?,
                diastolic: number("diastolic")?,
                disputed: is_disputed(record, root),
            })
        });
        drawn.collect()
    };
    let clinic =
        Figure::new("chart-clinic", "Readings taken by staff", &of(false), &circumstances, Table::default());
    let circumstances = Circumstances { setting: Setting::Hbpm, ..circumstances };
    let home =
        Figure::new("chart-home", "Home and 24-hour readings", &of(true), &circumstances, Table::default());
    clinic.into_iter().chain(home).collect()
}

fn is_disputed(record: &Value, root: &str) -> bool {
    let conflicts = record.get("conflicts").and_then(Value::as_array).into_iter().flatten();
    let mut paths = conflicts.filter_map(|conflict| text(conflict, "/path")?.strip_prefix("bp/readings/"));
    !root.is_empty() && paths.any(|path| path == root)
}

/// What each check of a person came to, over time: readings by staff, and averages of home readings. Checks in
/// pregnancy and under 18, which other lines hold for, are left to their own pages.
pub fn of_person(checks: &[Value]) -> Vec<Figure> {
    let mut clinic = Vec::new();
    let mut means = Vec::new();
    let (mut clinic_rows, mut mean_rows) = (Vec::new(), Vec::new());
    // The latest comes first in the story.
    for check in checks.iter().rev() {
        let category = text(check, "/derived/category").unwrap_or_default();
        if category.is_empty()
            || category.starts_with("PREG")
            || matches!(category, "NOT_CLASSIFIED" | "INVALID")
        {
            continue;
        }
        let number = |pointer: &str| check.pointer(pointer).and_then(Value::as_i64);
        let at = text(check, "/started_at").and_then(|at| at.parse::<Timestamp>().ok());
        let (Some(systolic), Some(diastolic), Some(at)) =
            (number("/derived/systolic"), number("/derived/diastolic"), at)
        else {
            continue;
        };
        let paths = check.pointer("/derived/disputed/paths").and_then(Value::as_array).into_iter().flatten();
        let disputed = paths.filter_map(Value::as_str).any(|path| path.starts_with("bp/readings"));
        let mean = text(check, "/derived/chosen_reading").is_none();
        let words = format!("{systolic}/{diastolic}{}", if disputed { " (disputed)" } else { "" });
        let (readings, rows) =
            if mean { (&mut means, &mut mean_rows) } else { (&mut clinic, &mut clinic_rows) };
        readings.push(Reading {
            at: at.as_second(),
            label: at.to_zoned(LONDON.clone()).strftime("%b %Y").to_string(),
            systolic,
            diastolic,
            disputed,
        });
        rows.push(Row {
            key: String::new(),
            class: "",
            cells: vec![
                Cell::new(words::when(&at.to_string())),
                Cell::new(words).strong(),
                Cell::new(words::category(category)),
            ],
        });
    }
    let table = |caption, rows| Table { caption, head: vec!["When", "mmHg", "Category"], rows };
    let plain = Circumstances::default();
    let home = Circumstances { setting: Setting::Hbpm, ..plain };
    let clinic = Figure::new(
        "chart-clinic",
        "Readings over time",
        &clinic,
        &plain,
        table("Readings over time", clinic_rows),
    );
    let means = Figure::new(
        "chart-home",
        "Averages of home readings over time",
        &means,
        &home,
        table("Averages of home readings", mean_rows),
    );
    clinic.into_iter().chain(means).collect()
}
