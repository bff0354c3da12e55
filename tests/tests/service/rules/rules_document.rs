//! Checks `shared/RULES.md` against the code: its errors and its tests exist.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

const RULES: &str = include_str!("../../../../shared/RULES.md");

/// Every error of every facade.
const ERRORS: &str = include_str!("../errors/errors.txt");

/// The texts in backquotes.
fn backquoted(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

/// The rows of the table, cell by cell.
fn rows() -> Vec<Vec<&'static str>> {
    let rows = RULES.lines().filter(|line| line.starts_with("| ")).skip(1);
    rows.map(|row| row.trim_matches('|').split('|').map(str::trim).collect()).collect()
}

#[test]
fn every_rule_names_existing_tests() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut missing = Vec::new();
    for row in rows() {
        assert_eq!(row.len(), 6, "{row:?}");
        let named = backquoted(row[5]);
        assert!(
            !named.is_empty() && named.len().is_multiple_of(2),
            "{row:?}: a file and a name for each test"
        );
        for pair in named.chunks(2) {
            let is_from_root = pair[0].starts_with("shared/");
            let file = if is_from_root { root.join(pair[0]) } else { root.join("tests/tests").join(pair[0]) };
            let text = fs::read_to_string(&file).unwrap_or_default();
            let is_there = text.lines().any(|line| line.contains(&format!("fn {}(", pair[1])));
            if !is_there {
                missing.push(format!("{} {}", pair[0], pair[1]));
            }
        }
    }
    assert!(missing.is_empty(), "no such test: {missing:#?}");
}

/// The cases of these sections of the snapshot of all errors: the cause of each, and its status, code and message.
fn error_cases(facades: &[&str]) -> Vec<(&'static str, &'static str)> {
    let sections =
        ERRORS.split("## ").filter(|section| facades.iter().any(|facade| section.starts_with(facade)));
    let lines: Vec<_> =
        sections.flat_map(|section| section.lines().skip(1)).filter(|line| !line.is_empty()).collect();
    lines.chunks(2).map(|case| (case[0], case[1])).collect()
}

/// The code of the second line of a case.
fn code(error: &str) -> &str {
    error.split_whitespace().nth(1).unwrap_or_default()
}

#[test]
fn every_rule_names_existing_error_codes() {
    let codes = |facades: &[&str]| error_cases(facades).into_iter().map(|(_, error)| code(error)).collect();
    let ims: BTreeSet<_> = codes(&["ims", "messages", "registry"]);
    let (glance, alibaba) = (codes(&["glance", "ims", "registry"]), codes(&["alibaba"]));
    for row in rows() {
        for (cell, known) in [(row[2], &ims), (row[3], &glance), (row[4], &alibaba)] {
            for code in backquoted(cell) {
                assert!(known.contains(code), "{code} of the rule {}", row[0]);
            }
        }
    }
}

#[test]
fn every_pair_outcome_has_a_rule() {
    let is_rule = |cause: &str| {
        let others = ["outcome: Done", "outcome: Superseded", "outcome: RetriesExhausted"];
        cause.starts_with("RuleViolation") && !others.iter().any(|other| cause.contains(other))
    };
    let outcomes = error_cases(&["ims, use cases"]).into_iter().filter(|(cause, _)| is_rule(cause));
    let codes: Vec<_> = outcomes.map(|(_, error)| code(error)).collect();
    assert!(codes.len() >= 13, "{codes:?}");
    for code in codes.iter().filter(|code| **code != "IMG.0046") {
        assert!(RULES.contains(code), "{code} is of no rule");
    }
}
