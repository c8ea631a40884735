//! The clinical safety file: what it says is proven is proven by tests that exist.

#![allow(clippy::unwrap_used)]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

const ROWS: [&str; 7] = ["Hazard", "Causes", "Effect", "Controls", "Proven by", "Left over", "Rating"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The names of all functions under `#[test]` or the like, and of all Python tests.
fn tests_that_exist() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut folders =
        ["protocol", "client-core", "server", "ffi", "tests"].map(|name| root().join(name)).to_vec();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                tests_of(&fs::read_to_string(&path).unwrap(), &mut names);
            }
        }
    }
    names
}

fn tests_of(source: &str, names: &mut BTreeSet<String>) {
    let (mut is_test, mut is_list) = (false, false);
    for line in source.lines().map(str::trim) {
        // What both logs promise stands in lists.
        if matches!(line, "on_both! {" | "shared! {") || is_list {
            is_list = line != "}";
            names.extend(line.strip_suffix(',').map(str::to_owned));
            continue;
        }
        // `#[test]`, `#[tokio::test(...)]`; the macros of proptest hold them, too.
        if line.starts_with("#[") {
            is_test |= line.contains("test]") || line.contains("test(");
            is_test &= !line.starts_with("#[ignore");
        } else if let Some(signature) = line.strip_prefix("async fn ").or_else(|| line.strip_prefix("fn ")) {
            if is_test {
                names.extend(signature.split(['(', '<']).next().map(str::to_owned));
            }
            is_test = false;
        }
    }
}

#[test]
fn every_hazard_names_tests_that_exist() {
    let log = fs::read_to_string(root().join("docs/clinical-safety/hazard-log.md")).unwrap();
    let exist = tests_that_exist();
    assert!(exist.contains("every_hazard_names_tests_that_exist"));
    assert!(!exist.contains("tests_of"), "only tests count");

    let hazards: Vec<&str> = log.split("\n## ").skip(1).collect();
    assert!(hazards.len() >= 10, "the pack alone names ten");
    for (n, hazard) in hazards.iter().enumerate() {
        let title = hazard.lines().next().unwrap();
        assert!(title.starts_with(&format!("H{} ", n + 1)), "out of order: {title}");
        let rows: Vec<Vec<&str>> = hazard
            .lines()
            .filter(|line| line.starts_with("| ") && !line.starts_with("| |") && !line.starts_with("| ---"))
            .map(|line| line.trim_matches('|').splitn(2, " | ").map(str::trim).collect())
            .collect();
        let names: Vec<&str> = rows.iter().map(|row| row[0]).collect();
        assert_eq!(names, ROWS, "{title}");
        assert!(rows.iter().all(|row| row.len() == 2 && !row[1].is_empty()), "{title}: an empty row");

        let proof: Vec<&str> = rows[4][1].split(", ").map(|name| name.trim_matches('`')).collect();
        let gone: Vec<&&str> = proof.iter().filter(|name| !exist.contains(**name)).collect();
        assert!(gone.is_empty(), "{title} is proven by tests that are not there: {gone:?}");
    }
}
