//! The value of a JSON field that a facade serialises directly into the response, without a tree of values.

use std::collections::BTreeSet;

use serde::Serialize;

/// A field's value.
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
