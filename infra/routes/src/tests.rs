//! Compares the document with the code: both have the same routes and functions.

use std::fs;
use std::path::{Path, PathBuf};

use super::*;

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Lists the names in a directory.
fn names(directory: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(directory).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// Reads the Rust sources under a directory, without tests.
fn sources(directory: &Path) -> String {
    let mut text = String::new();
    for name in names(directory) {
        let path = directory.join(&name);
        if path.is_dir() && name != "tests" {
            text += &sources(&path);
        } else if path.extension().is_some_and(|extension| extension == "rs") && name != "tests.rs" {
            let source = fs::read_to_string(&path).unwrap();
            text += source.split("#[cfg(test)]\n").next().unwrap();
        }
    }
    text
}

/// Finds the route keys among the string literals of a source.
fn route_keys(source: &str) -> BTreeSet<&str> {
    let is_key = |text: &str| {
        text.split_once(" /").is_some_and(|(method, path)| {
            method == ANY
                || ["DELETE", "GET", "PATCH", "POST", "PUT"].contains(&method) && !path.contains(' ')
        })
    };
    source.lines().flat_map(|line| line.split('"').skip(1).step_by(2)).filter(|text| is_key(text)).collect()
}

#[test]
fn every_function_of_the_document_has_its_folder() {
    let document = Document::load().unwrap();
    let folders = names(&workspace().join("functions"));
    assert_eq!(document.functions(), folders.iter().map(String::as_str).collect());
}

#[test]
fn route_constants_are_the_routes_of_the_document() {
    let document = Document::load().unwrap();
    let sources = sources(&workspace().join("shared/src")) + &sources(&workspace().join("functions"));
    let in_code = route_keys(&sources);
    let in_document: BTreeSet<&str> = document.routes().map(|route| route.key.as_str()).collect();
    let unknown: Vec<_> = in_code.difference(&in_document).collect();
    assert!(unknown.is_empty(), "routes in the code that are not in the document: {unknown:?}");

    let handled = document.routes().filter(|route| route.method != ANY);
    let unhandled: Vec<_> =
        handled.map(|route| route.key.as_str()).filter(|key| !in_code.contains(key)).collect();
    assert!(unhandled.is_empty(), "routes in the document that are not in the code: {unhandled:?}");
}

#[test]
fn route_keys_are_found_in_a_source() {
    let source =
        "pub const ROUTE: &str = \"GET /v2/images\";\nlet text = \"GET it\"; (\"ANY /a/{b}\", \"PUT /c\")";
    assert_eq!(route_keys(source), BTreeSet::from(["ANY /a/{b}", "GET /v2/images", "PUT /c"]));
}

#[test]
fn routes_are_read_with_function_and_body_limit() {
    let document = Document::parse(
        "
paths:
  /things:
    get: { x-imageshare-function: things }
    put: { x-imageshare-function: things, x-imageshare-body-limit: 7 }
  /$default:
    x-amazon-apigateway-any-method: { x-imageshare-function: rest }
x-imageshare-workers: [worker]
",
    )
    .unwrap();
    let put = document.find("PUT /things").unwrap();
    assert_eq!((put.function.as_str(), put.body_limit), ("things", Some(7)));
    assert_eq!(document.find("GET /things").unwrap().body_limit, None);
    assert_eq!(document.find("GET /nowhere").unwrap().function, "rest");
    assert_eq!(document.http_functions(), BTreeSet::from(["rest", "things"]));
    assert_eq!(document.functions(), BTreeSet::from(["rest", "things", "worker"]));
    assert!(Document::parse("paths: { /a: { get: {} } }").is_err());
}
