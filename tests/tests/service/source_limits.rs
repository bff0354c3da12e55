//! Checks the limits of `.github/CONTRIBUTING.md` on source files: their length, and the length of the names of tests.

use std::fs;
use std::path::{Path, PathBuf};

/// The most lines of a source file.
const MAX_LINES: usize = 500;

/// The files that are longer. This list may only become shorter: a new file is split instead, and a file that is split
/// is removed here.
const LONGER_FILES: [&str; 4] = [
    "infra/local/src/table/scheduler.rs",
    "shared/src/store/keys/lists.rs",
    "tests/tests/service/references.rs",
    "tests/tests/service/strangers.rs",
];

/// The most characters of the name of a test.
const MAX_NAME_CHARS: usize = 60;

/// The minimum number of tests and of source files: fewer mean that the search is broken.
const MIN_TESTS: usize = 900;
const MIN_FILES: usize = 300;

/// The paths of all source files from the root of the repository, sorted, with their content.
fn sources() -> Vec<(String, String)> {
    fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if path.is_dir() && !name.starts_with('.') && name != "target" {
                collect(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut found = Vec::new();
    collect(root, &mut found);
    found.sort();
    assert!(found.len() >= MIN_FILES, "{} source files found", found.len());
    let from_root = |path: &Path| path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
    found.iter().map(|path| (from_root(path), fs::read_to_string(path).unwrap())).collect()
}

/// The names of the tests in a source text, those in `proptest!` blocks included.
fn test_names(source: &str) -> Vec<&str> {
    let mut names = Vec::new();
    let mut is_test = false;
    for line in source.lines().map(str::trim_start) {
        is_test |=
            ["#[test]", "#[tokio::test]", "#[tokio::test("].iter().any(|start| line.starts_with(start));
        let function = line.strip_prefix("async ").unwrap_or(line).strip_prefix("fn ");
        if let Some((name, _)) = function.filter(|_| is_test).and_then(|function| function.split_once('(')) {
            names.push(name);
            is_test = false;
        }
    }
    names
}

#[test]
fn only_listed_files_are_longer_than_the_limit() {
    let sources = sources();
    let is_long = |source: &str| source.lines().count() > MAX_LINES;
    let longer = sources.iter().filter(|(_, source)| is_long(source)).map(|(path, _)| path.as_str());
    assert_eq!(longer.collect::<Vec<_>>(), LONGER_FILES, "more than {MAX_LINES} lines, and the listed files");
}

#[test]
fn test_names_are_within_the_limit() {
    let sources = sources();
    let tests: Vec<_> = sources
        .iter()
        .flat_map(|(path, source)| test_names(source).into_iter().map(move |name| (path, name)))
        .collect();
    let long: Vec<_> = tests.iter().filter(|(_, name)| name.chars().count() > MAX_NAME_CHARS).collect();
    assert!(long.is_empty(), "names of more than {MAX_NAME_CHARS} characters: {long:#?}");
    assert!(tests.len() >= MIN_TESTS, "{} tests found", tests.len());
}

#[test]
fn test_names_of_every_form_are_found() {
    let forms = [
        "#[test]\nfn plain() {}",
        "#[tokio::test]\nasync fn asynchronous() {}\nfn helper() {}",
        "#[tokio::test(start_paused = true)]\n#[expect(clippy::too_many_lines)]\nasync fn with_attributes() {}",
        "proptest! {\n    #[test]\n    fn property(\n        number: u8,\n    ) {}\n}",
        "fn helper() {}",
    ];
    let names: Vec<_> = forms.iter().flat_map(|form| test_names(form)).collect();
    assert_eq!(names, ["plain", "asynchronous", "with_attributes", "property"]);
}
