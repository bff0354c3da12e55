//! The error of an invalid pattern.

/// An invalid pattern: the first faulty place, and what was expected there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}: expected {expected}")]
pub struct PatternError {
    /// The path of the faulty place, such as `name[0].wildcard`; `pattern` for the whole.
    pub path: String,
    /// What was expected there.
    pub expected: String,
}

impl PatternError {
    pub(super) fn new(path: &str, expected: impl Into<String>) -> Self {
        let path = if path.is_empty() { "pattern" } else { path };
        Self { path: path.to_owned(), expected: expected.into() }
    }
}
