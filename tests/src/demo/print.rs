//! How the demo looks on a terminal, and in a log where there is none.

use std::io::{Result, Write};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::Value;
use wayside_client_core::Progress;

/// One bar for each tablet.
pub struct Bars {
    _all: MultiProgress,
    bars: Vec<ProgressBar>,
}

impl Bars {
    pub fn new<'a>(tablets: impl Iterator<Item = (&'a str, u64)>) -> Bars {
        let all = MultiProgress::new();
        let style = ProgressStyle::with_template("  {prefix:<11} {bar:32} {pos:>4} of {len:<4} {msg}")
            .unwrap_or_else(|_| ProgressStyle::default_bar());
        let bars = tablets.map(|(name, length)| {
            let bar = all.add(ProgressBar::new(length).with_style(style.clone()));
            bar.set_prefix(name.to_owned());
            bar
        });
        let bars = bars.collect();
        Bars { _all: all, bars }
    }

    pub fn hidden(count: usize) -> Bars {
        let all = MultiProgress::with_draw_target(ProgressDrawTarget::hidden());
        Bars { bars: (0..count).map(|_| all.add(ProgressBar::new(0))).collect(), _all: all }
    }

    pub fn bar(&self, index: usize) -> ProgressBar {
        self.bars.get(index).cloned().unwrap_or_else(ProgressBar::hidden)
    }

    pub fn finish(&self) {
        self.bars.iter().for_each(ProgressBar::finish);
    }
}

/// A sync as it goes on.
pub fn show(bar: &ProgressBar, progress: &Progress) {
    bar.set_position(progress.pushed.min(bar.length().unwrap_or_default()));
    bar.set_message(format!("{} up, {} down", bytes(progress.bytes_up), bytes(progress.bytes_down)));
}

pub fn bytes(count: u64) -> String {
    match count {
        0..1_000 => format!("{count} B"),
        1_000..1_000_000 => format!("{:.1} kB", count as f64 / 1e3),
        _ => format!("{:.2} MB", count as f64 / 1e6),
    }
}

pub fn conflict(
    out: &mut impl Write,
    record: &Value,
    conflict: &Value,
    name_of: impl Fn(&str) -> String,
) -> Result<()> {
    writeln!(out, "  {} {}", text(&record["kind"]), text(&conflict["path"]))?;
    for value in conflict["values"].as_array().into_iter().flatten() {
        let said = match &value["value"] {
            Value::Object(reading) if reading.contains_key("systolic") => {
                format!("{}/{}", reading["systolic"], reading["diastolic"])
            }
            other => text(other),
        };
        let tablet = name_of(value["tablet"].as_str().unwrap_or_default());
        writeln!(out, "    {said:<12} by {}, {tablet}", text(&value["by"]))?;
    }
    Ok(())
}

pub fn work(out: &mut impl Write, item: &Value, records: &[Value]) -> Result<()> {
    let find = |id: &Value| records.iter().find(|record| record["id"] == *id);
    let name = match find(&item["person"]).map(|person| &person["name"]) {
        Some(name) => [&name["given"], &name["family"]]
            .into_iter()
            .filter_map(Value::as_str)
            .collect::<Vec<_>>()
            .join(" "),
        None => "no details given".to_owned(),
    };
    let name: String =
        if name.chars().count() > 30 { name.chars().take(29).chain(['…']).collect() } else { name };
    let actions: Vec<String> = item["actions"].as_array().into_iter().flatten().map(text).collect();
    let urgency = text(&item["urgency"]).replace('_', " ");
    writeln!(out, "  {urgency:<15} {:<12} {name:<30} {}", text(&item["category"]), actions.join(", "))
}

fn text(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| if value.is_null() { "-".to_owned() } else { value.to_string() }, str::to_owned)
}
