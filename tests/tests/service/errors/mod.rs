//! The text of every error of every facade, in one file that a review reads: `errors.txt`.
//!
//! It is made from two lists: every variant of every error (`variants.rs`; a variant without a case does not
//! compile), and requests that are refused before a use case is called (`requests.txt`). A text of the facades'
//! sources that neither list produces fails the test below, so no new error can be forgotten.
//!
//! `UPDATE_SNAPSHOTS=1 cargo test -p imageshare-tests --test service errors` writes that file; review its diff.

mod requests;
mod sources;
mod variants;

use std::fmt::Write as _;
use std::path::Path;

use imageshare_tests::api::ApiResponse;

/// One error: its cause, and its response.
struct Case {
    cause: String,
    status: u16,
    code: String,
    message: String,
}

/// The errors of a facade with one kind of cause.
struct Section {
    title: String,
    cases: Vec<Case>,
}

impl Case {
    fn new(cause: impl Into<String>, response: &ApiResponse) -> Self {
        let (code, message) = (response.code().to_owned(), response.message().to_owned());
        Self { cause: cause.into(), status: response.status, code, message }
    }
}

/// The snapshot: a heading per section, two lines per case.
fn render(sections: &[Section]) -> String {
    let mut text = String::new();
    for Section { title, cases } in sections {
        writeln!(text, "## {title}\n").unwrap();
        for Case { cause, status, code, message } in cases {
            writeln!(text, "{cause}\n    {status} {code} {message}").unwrap();
        }
        text.push('\n');
    }
    text
}

#[tokio::test]
async fn error_texts_match_the_snapshot() {
    let mut sections = variants::sections();
    sections.extend(requests::sections().await);
    sections.sort_by(|one, other| one.title.cmp(&other.title));
    let text = render(&sections);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/service/errors/errors.txt");
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let snapshot = std::fs::read_to_string(&path).unwrap_or_default();
    for (number, (is, was)) in text.lines().zip(snapshot.lines()).enumerate() {
        assert_eq!(is, was, "errors.txt, line {}", number + 1);
    }
    assert_eq!(text.lines().count(), snapshot.lines().count(), "errors.txt has another number of lines");
    let missing = sources::texts_missing_from(&text);
    assert!(missing.is_empty(), "these texts are in no case, add one to requests.txt: {missing:#?}");
}
