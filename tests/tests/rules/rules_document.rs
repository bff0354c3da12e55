//! Holds `shared/RULES.md` to the code: its errors are known, and its tests exist.

use std::fs;
use std::path::{Path, PathBuf};

const RULES: &str = include_str!("../../../shared/RULES.md");

/// The texts in backquotes.
fn backquoted(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

/// The rows of the table, cell by cell.
fn rows() -> Vec<Vec<&'static str>> {
    let rows = RULES.lines().filter(|line| line.starts_with("| ")).skip(1);
    rows.map(|row| row.trim_matches('|').split('|').map(str::trim).collect()).collect()
}

fn read_all(directory: &Path) -> String {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries
        .map(|path| if path.is_dir() { read_all(&path) } else { fs::read_to_string(path).unwrap() })
        .collect()
}

#[test]
fn every_rule_names_existing_tests() {
    let tests = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests");
    let mut wrong = Vec::new();
    for row in rows() {
        assert_eq!(row.len(), 6, "{row:?}");
        let named = backquoted(row[5]);
        assert!(
            !named.is_empty() && named.len().is_multiple_of(2),
            "{row:?}: a file and a name for each test"
        );
        for pair in named.chunks(2) {
            let file = match pair[0].strip_prefix("../") {
                Some(outside) => tests.join("../..").join(outside),
                None => tests.join(pair[0]),
            };
            let text = fs::read_to_string(&file).unwrap_or_default();
            let is_there = text.lines().any(|line| line.contains(&format!("fn {}(", pair[1])));
            if !is_there {
                wrong.push(format!("{} {}", pair[0], pair[1]));
            }
        }
    }
    assert!(wrong.is_empty(), "no such test: {wrong:#?}");
}

#[test]
fn every_rule_names_existing_error_codes() {
    let facades = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/src/facade");
    let [ims, glance, alibaba] = ["ims", "glance", "alibaba"].map(|facade| read_all(&facades.join(facade)));
    let ims = ims
        + &read_all(&facades.join("../http"))
        + &read_all(&facades.join("../usecases"))
        + &read_all(&facades.join("registry"));
    for row in rows() {
        for (cell, facade) in [(row[2], &ims), (row[3], &(glance.clone() + &ims)), (row[4], &alibaba)] {
            for code in backquoted(cell) {
                assert!(facade.contains(&format!("\"{code}\"")), "{code} of the rule {}", row[0]);
            }
        }
    }
}

#[test]
fn every_pair_outcome_has_a_rule() {
    let errors = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/src/usecases/outcome_error.rs");
    let errors = fs::read_to_string(errors).unwrap();
    let (_, outcomes) = errors.split_once("fn outcome_error(").unwrap();
    let (outcomes, _) = outcomes.split_once("Outcome::RetriesExhausted").unwrap();
    let codes: Vec<_> = outcomes.split('"').filter(|text| text.starts_with("IMG.")).collect();
    assert!(codes.len() >= 13, "{codes:?}");
    for code in codes.iter().filter(|code| **code != "IMG.0046") {
        assert!(RULES.contains(code), "{code} is of no rule");
    }
}
