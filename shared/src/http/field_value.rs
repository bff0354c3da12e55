//! The value of a field of a JSON object that a facade writes piece by piece, straight into the answer.

use std::collections::BTreeSet;

use serde::Serialize;

/// A value.
#[derive(Serialize)]
#[serde(untagged)]
pub(crate) enum FieldValue<'a> {
    Text(&'a str),
    Number(u32),
    Boolean(bool),
    TextSet(&'a BTreeSet<String>),
    Null,
}

impl<'a> From<Option<&'a str>> for FieldValue<'a> {
    fn from(text: Option<&'a str>) -> Self {
        text.map_or(Self::Null, Self::Text)
    }
}
