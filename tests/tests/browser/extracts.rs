//! A coordinator takes a file of people, and later what changed since.

use std::{collections::BTreeMap, path::Path};

use serde_json::json;
use wayside_server::log;
use wayside_tests::browser::Screen;

use crate::{
    coordinator::{go, look, recorded},
    world::World,
};

/// A name that a spreadsheet would run.
const FORMULA: &str = "=HYPERLINK(\"http://example.org\")";

/// Rows by their cells as they stand in the file, and the place in the last one.
fn taken(screen: &Screen, dir: &Path) -> (Vec<BTreeMap<String, String>>, String) {
    let file = screen.downloaded(dir, "wayside-people.csv");
    let mut reader = csv::Reader::from_reader(file.as_slice());
    let names: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
    let rows = reader.records().map(|row| {
        let row = row.unwrap();
        names.iter().cloned().zip(row.iter().map(str::to_owned)).collect()
    });
    let mut rows: Vec<BTreeMap<String, String>> = rows.collect();
    let end = rows.pop().unwrap();
    assert_eq!(end["status"], "end");
    (rows, end[&names[1]].trim_start_matches('\'').to_owned())
}

fn families(rows: &[BTreeMap<String, String>]) -> Vec<&str> {
    rows.iter().map(|row| row["name_family"].as_str()).collect()
}

#[test]
fn a_coordinator_takes_a_file_of_people_and_then_only_what_changed() {
    let Some(world) = World::start() else { return };
    let coordinator = &world.coordinator;
    let dir = tempfile::tempdir().unwrap();
    coordinator.downloads_to(dir.path());
    recorded(&world, FORMULA, "Okafor", &json!({}));
    go(coordinator, "/");
    coordinator.see("Okafor");
    coordinator.tap_in("nav[aria-label='Menu']", "Extracts");
    coordinator.see("Who takes it, and why, is written into the audit trail.");
    look(coordinator, "extracts");
    coordinator.choose("File", "People");
    coordinator.tap("Download");
    let missing = "return document.querySelector('#reason:invalid') === document.activeElement";
    coordinator.until("the browser to ask for the reason", missing, json!([]));
    coordinator.type_into("Why you need it", "Audit of uptake");
    coordinator.tap("Download");
    let (people, place) = taken(coordinator, dir.path());
    let own = people.iter().find(|row| row["name_family"] == "Okafor").unwrap();
    assert_eq!(own["name_given"], format!("'{FORMULA}"), "a spreadsheet takes it for text");
    assert_eq!(own["status"], "current");
    for (column, cell) in people.iter().flatten() {
        assert!(!cell.starts_with(['=', '+', '-', '@', '\t']), "{column}: {cell}");
    }

    recorded(&world, "Joy", "Winterbotom", &json!({}));
    go(coordinator, "/");
    coordinator.see("Joy Winterbotom");
    go(coordinator, "/extracts");
    coordinator.choose("File", "People");
    coordinator.type_into("Why you need it", "Audit of uptake");
    coordinator.type_into("Only what changed since", &place);
    coordinator.tap("Download");
    let (changed, later) = taken(coordinator, dir.path());
    assert_eq!(families(&changed), ["Winterbotom"]);
    assert_ne!(later, place);
    assert!(people.len() > changed.len());
    coordinator.see("Only what changed since");

    coordinator.tap("data dictionary");
    coordinator.see("name_family");
    look(coordinator, "dictionary");
    let trail = world.demo.server.base().log.read(log::audited).unwrap();
    let told = trail.iter().filter(|act| act.act == "extract").map(|act| act.reason.as_str());
    assert_eq!(told.collect::<Vec<_>>(), ["people.csv: Audit of uptake"; 2]);
    world.end();
}
