//! The error texts in the facades' sources, each of which some case has to produce.

use std::fs;
use std::path::{Path, PathBuf};

/// Texts that are not errors: of the log, a header, a successful response, or the reason of a lint.
const NOT_ERRORS: [&str; 7] = [
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>",
    "Keystone uri=\"{address}\"",
    "a token cannot be checked",
    "a response could not be serialized as JSON",
    "one table: every error of the use cases",
    "the table failed",
    "{failed} of {all} failed. The first: {first}",
];

/// Texts of errors that take more than one request; other tests produce them.
const NEED_MORE_THAN_A_REQUEST: [&str; 6] = [
    // Needs ten thousand images, as in `long_lists`.
    "More than {MAX_IMAGES} images would have to be counted. Narrow the list by ImageId, ImageName or ImageOwnerAlias.",
    "None of the first {examined} images matches. Narrow the list by ImageName or ImageId, or go on with NextToken={}",
    "None of the first {examined} images matches. Narrow the list by name, id, tag or owner, or go on with marker={next}",
    // Needs a conflict that does not end.
    "The members of image {image} are being changed by others. Try again in a second.",
    // Needs a marker, which is another one each time.
    "it only without a marker",
    // Needs a bug in this program.
    "Unknown system error. Try again.",
];

/// Files whose texts are documents.
const DOCUMENTS: [&str; 1] = ["glance/schema.rs"];

/// The texts of the facades' sources that are not in `snapshot`, each with its file.
pub(super) fn texts_missing_from(snapshot: &str) -> Vec<String> {
    let facades = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/src/facade");
    let mut missing = Vec::new();
    for file in source_files(&facades) {
        let name = file.strip_prefix(&facades).unwrap().to_str().unwrap();
        if DOCUMENTS.contains(&name) {
            continue;
        }
        let texts = texts(&fs::read_to_string(&file).unwrap());
        let is_missing = |text: &String| {
            ![&NOT_ERRORS[..], &NEED_MORE_THAN_A_REQUEST].concat().contains(&text.as_str())
                && !fragments(text).iter().all(|fragment| snapshot.contains(fragment))
        };
        missing.extend(texts.into_iter().filter(is_missing).map(|text| format!("{name}: {text}")));
    }
    missing
}

fn source_files(directory: &Path) -> Vec<PathBuf> {
    let mut entries: Vec<_> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    let all =
        entries.into_iter().flat_map(|path| if path.is_dir() { source_files(&path) } else { vec![path] });
    all.filter(|path| path.extension().is_some_and(|extension| extension == "rs")).collect()
}

/// The string literals of several words outside tests and comments; routes are left out.
fn texts(source: &str) -> Vec<String> {
    let mut rest = source.split("#[cfg(test)]\nmod ").next().unwrap();
    let mut texts = Vec::new();
    while let Some(start) = rest.find(['"', '\'', '/']) {
        let found = &rest[start..];
        if found.starts_with("//") {
            rest = found.split_once('\n').map_or("", |(_, after)| after);
        } else if let Some(after) = found.strip_prefix("'\"'") {
            rest = after;
        } else if let Some(literal) = found.strip_prefix('"') {
            let end = length(literal);
            texts.push(unescape(&literal[..end]));
            rest = &literal[end + 1..];
        } else {
            rest = &found[1..];
        }
    }
    let is_route = |text: &str| text.split_once(' ').is_some_and(|(_, path)| path.starts_with('/'));
    texts.retain(|text| text.contains(' ') && !is_route(text));
    texts
}

/// The length of a literal, without its closing quotation mark.
fn length(literal: &str) -> usize {
    let mut is_escaped = false;
    let is_end = |byte: u8| {
        let is_end = byte == b'"' && !is_escaped;
        is_escaped = byte == b'\\' && !is_escaped;
        is_end
    };
    literal.bytes().position(is_end).unwrap()
}

fn unescape(literal: &str) -> String {
    let mut lines = literal.split("\\\n");
    let first = lines.next().unwrap_or_default().to_owned();
    lines.fold(first, |text, line| text + line.trim_start()).replace("\\\"", "\"")
}

/// The parts of a format string between its placeholders that are long enough to be specific.
fn fragments(text: &str) -> Vec<String> {
    let text = text.replace("{{", "{}").replace("}}", "{}");
    let between = text.split(['{', '}']).step_by(2).map(str::trim);
    between.filter(|fragment| fragment.len() > 3).map(str::to_owned).collect()
}
