//! Patterns over images, in a subset of EventBridge's pattern language.
//!
//! A pattern is a JSON object. Each member names a field of the image and lists conditions on it: every field has to
//! match, and a field matches if one of its conditions does. A field with several values, such as `tags`, matches if
//! one of its values does. `$or` lists patterns of which one has to match, and `properties` is an object with a member
//! for each property.
//!
//! ```json
//! {"name": [{"wildcard": "golden-*"}], "properties": {"os": ["linux", {"prefix": "bsd-"}]}}
//! ```
//!
//! The conditions are exact values, `prefix`, `suffix`, `wildcard`, `equals-ignore-case`, `numeric`, `exists` and
//! `anything-but`. It differs from EventBridge on purpose:
//!
//! * a field that no image has, and a condition that its field can never satisfy, are errors;
//! * properties are texts, and a condition on a number compares those that are decimal numbers;
//! * a field without a value is absent, and never `null`, which is an error;
//! * `cidr` does not exist, and a wildcard has at most three `*`.
//!
//! Parsing is the only way to get a pattern, so every pattern is within its limits: it is matched in time
//! proportional to its text and the image's, and no recursion is deeper than five objects.

mod condition;
mod error;
mod field;
mod parse;
mod term;
#[cfg(test)]
mod tests;
mod text_test;

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

pub use self::error::PatternError;
pub use self::parse::MAX_PATTERN_BYTES;
use self::term::{Term, all_match, terms_json};
use super::Image;

/// A pattern over images.
#[derive(Debug, Clone, PartialEq)]
pub struct Pattern {
    terms: Vec<Term>,
}

impl Pattern {
    /// Parses a pattern from JSON.
    ///
    /// # Errors
    /// [`PatternError`] names the first faulty place.
    pub fn parse(json: &Value) -> Result<Self, PatternError> {
        parse::parse(json).map(|terms| Self { terms })
    }

    /// Whether an image matches.
    pub fn matches(&self, image: &Image) -> bool {
        all_match(&self.terms, image)
    }

    /// The pattern as JSON, which parses to the same pattern.
    pub fn to_json(&self) -> Value {
        terms_json(&self.terms)
    }
}

/// Whether two versions of an image are equal in all fields that a pattern can see.
pub fn look_the_same(one: &Image, other: &Image) -> bool {
    one.visibility == other.visibility
        && one.details == other.details
        && (one.created, one.updated) == (other.created, other.updated)
}

/// Compact JSON.
impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_json().fmt(f)
    }
}

impl Serialize for Pattern {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_json().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&Value::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}
