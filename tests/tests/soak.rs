//! `cargo soak`, for some seconds.
#![allow(clippy::unwrap_used)]

use std::{fs, path::Path, time::Duration};

use wayside_tests::soak::{Plan, run};

/// Whether so short a time was flat says nothing; that everything came to base is asked by the soak itself.
#[test]
fn a_short_soak_loses_nothing_and_writes_a_report_that_stands_by_itself() {
    let dir = tempfile::tempdir().unwrap();
    let plan = Plan {
        tablets: 6,
        coordinators: 1,
        lasts: Duration::from_secs(8),
        every: Duration::from_secs(1),
        pace: Duration::from_secs(2),
        seed: rand::random_range(0..1 << 32),
        report: dir.path().join("report"),
    };
    let mut said = Vec::new();
    run(Path::new(env!("CARGO_BIN_EXE_wayside-under-test")), &plan, &mut said).unwrap();
    let said = String::from_utf8(said).unwrap();
    assert!(said.contains("memory: ") && said.contains(" contacts, all of them on the pages"), "{said}");
    assert!(!said.contains("\n0 contacts"), "{said}");
    let html = fs::read_to_string(plan.report.join("report.html")).unwrap();
    assert_eq!(html.matches("</svg>").count(), 9);
    assert!(html.matches("<path d=\"M").count() >= 12, "a line for each figure");
    for elsewhere in ["http", "src=", "href=", "@import", "NaN", "inf"] {
        assert!(!html.contains(elsewhere), "{elsewhere}");
    }
    let mut table = csv::Reader::from_path(plan.report.join("samples.csv")).unwrap();
    let memory: Vec<f64> = table.records().map(|row| row.unwrap().get(1).unwrap().parse().unwrap()).collect();
    assert!(!memory.is_empty() && memory.iter().all(|megabytes| *megabytes > 5.0), "{memory:?}");
}
