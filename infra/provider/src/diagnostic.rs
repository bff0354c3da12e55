//! What the user is told: errors and warnings, each at an attribute if one is at fault.

use crate::protocol::{self, AttributePath, AttributePathStep, Selector};
use crate::value::{Path, Step};

/// One error or warning. Its texts contain no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    severity: protocol::Severity,
    summary: String,
    detail: String,
    path: Path,
}

impl Diagnostic {
    /// An error: what failed in one line, then why and what to do.
    pub fn error(summary: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::new(protocol::Severity::Error, summary.into(), detail.into())
    }

    /// A warning: the operation goes on.
    pub fn warning(summary: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::new(protocol::Severity::Warning, summary.into(), detail.into())
    }

    fn new(severity: protocol::Severity, summary: String, detail: String) -> Self {
        Self { severity, summary, detail, path: Path::default() }
    }

    /// Points to the attribute at fault.
    #[must_use]
    pub fn at(self, path: impl Into<Path>) -> Self {
        Self { path: path.into(), ..self }
    }

    /// Whether it is an error.
    pub fn is_error(&self) -> bool {
        self.severity == protocol::Severity::Error
    }

    /// The first line.
    pub fn summary(&self) -> &str {
        &self.summary
    }

    /// The explanation.
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// The attribute at fault; empty if none is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// The errors and warnings of one operation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Diagnostics(Vec<Diagnostic>);

impl Diagnostics {
    /// Adds one.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        self.0.push(diagnostic);
    }

    /// Adds an error that concerns no attribute.
    pub fn error(&mut self, summary: impl Into<String>, detail: impl Into<String>) {
        self.push(Diagnostic::error(summary, detail));
    }

    /// Adds a warning that concerns no attribute.
    pub fn warn(&mut self, summary: impl Into<String>, detail: impl Into<String>) {
        self.push(Diagnostic::warning(summary, detail));
    }

    /// Whether there is an error among them.
    pub fn has_errors(&self) -> bool {
        self.0.iter().any(Diagnostic::is_error)
    }

    /// Each of them, in the order that they were added.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.0.iter()
    }

    /// Adds the error of an operation, if it failed, and returns its result.
    pub fn take<T>(&mut self, result: Result<T, Diagnostic>) -> Option<T> {
        result.map_err(|problem| self.push(problem)).ok()
    }
}

impl From<Diagnostic> for Diagnostics {
    fn from(diagnostic: Diagnostic) -> Self {
        Self(vec![diagnostic])
    }
}

impl Extend<Diagnostic> for Diagnostics {
    fn extend<I: IntoIterator<Item = Diagnostic>>(&mut self, more: I) {
        self.0.extend(more);
    }
}

impl<'a> IntoIterator for &'a Diagnostics {
    type Item = &'a Diagnostic;
    type IntoIter = std::slice::Iter<'a, Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl IntoIterator for Diagnostics {
    type Item = Diagnostic;
    type IntoIter = std::vec::IntoIter<Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl From<Diagnostic> for protocol::Diagnostic {
    fn from(diagnostic: Diagnostic) -> Self {
        let path = (!diagnostic.path.is_empty()).then(|| wire_path(&diagnostic.path));
        Self {
            severity: diagnostic.severity.into(),
            summary: diagnostic.summary,
            detail: diagnostic.detail,
            attribute: path,
        }
    }
}

impl From<Diagnostics> for Vec<protocol::Diagnostic> {
    fn from(diagnostics: Diagnostics) -> Self {
        diagnostics.into_iter().map(Into::into).collect()
    }
}

/// A path as the protocol has it.
pub(crate) fn wire_path(path: &Path) -> AttributePath {
    let selector = |step: &Step| match step {
        Step::Attribute(name) => Selector::AttributeName(name.clone()),
        Step::Key(key) => Selector::ElementKeyString(key.clone()),
        Step::Index(index) => Selector::ElementKeyInt(i64::try_from(*index).unwrap_or(i64::MAX)),
    };
    AttributePath {
        steps: path.steps().iter().map(|step| AttributePathStep { selector: Some(selector(step)) }).collect(),
    }
}
