//! Prints the routes as a table.

use std::io::{self, Write};

use imageshare_routes::Document;

use crate::TaskResult;

/// Prints a line for each route: its key, its function, and its body limit if the document states one.
///
/// # Errors
/// The document cannot be read, or the output cannot be written.
pub(crate) fn print() -> TaskResult {
    Ok(io::stdout().write_all(table(&Document::load()?).as_bytes())?)
}

fn table(document: &Document) -> String {
    let lines = document.routes().map(|route| {
        let limit = route.body_limit.map(|limit| format!("{limit} bytes")).unwrap_or_default();
        let line = format!("{:<76} {:<12} {limit}", route.key, route.function);
        format!("{}\n", line.trim_end())
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_has_function_and_limit_of_a_route() {
        let table = table(&Document::load().unwrap());
        let line = |key: &str| table.lines().find(|line| line.starts_with(key)).unwrap();
        let words: Vec<_> = line("POST /v1/cloudimages/members ").split_whitespace().skip(2).collect();
        assert_eq!(words, ["share", "262144", "bytes"]);
        assert!(line("GET /health ").ends_with(" documents"));
    }
}
