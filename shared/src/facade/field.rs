//! The value of a field of a JSON object that a facade writes piece by piece, straight into the answer.

use std::collections::BTreeSet;

use serde::Serialize;

/// A value.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Field<'a> {
    Text(&'a str),
    Number(u32),
    Flag(bool),
    Texts(&'a BTreeSet<String>),
    Nothing,
}

impl<'a> From<Option<&'a str>> for Field<'a> {
    fn from(text: Option<&'a str>) -> Self {
        text.map_or(Self::Nothing, Self::Text)
    }
}
