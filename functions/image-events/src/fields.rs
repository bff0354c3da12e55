//! Reads the members of JSON objects, with errors that name them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use crate::EventError;

/// The most tags or properties that are read. More than an image can have, so that its own limit is the one that is
/// reported.
const MAX_MEMBERS: usize = 1_000;

/// The error for a field.
pub fn malformed(field: impl Into<String>, expected: &'static str) -> EventError {
    EventError::Malformed { field: field.into(), expected }
}

/// An object and its name.
#[derive(Debug, Clone)]
pub struct Fields<'a> {
    members: &'a Map<String, Value>,
    name: String,
}

impl<'a> Fields<'a> {
    /// The members of an object; `None` for another value. Fields of an object without a name have no prefix.
    pub fn new(value: &'a Value, name: impl Into<String>) -> Option<Self> {
        value.as_object().map(|members| Self { members, name: name.into() })
    }

    /// The name of a member, as errors have it.
    pub fn path(&self, member: &str) -> String {
        if self.name.is_empty() { member.to_owned() } else { format!("{}.{member}", self.name) }
    }

    /// A member; null if it is missing.
    pub fn value(&self, member: &str) -> &'a Value {
        self.members.get(member).unwrap_or(&Value::Null)
    }

    /// The names of all members.
    pub fn names(&self) -> impl Iterator<Item = &'a str> {
        self.members.keys().map(String::as_str)
    }

    /// A text; `None` if the member is missing or none.
    pub fn optional_text(&self, member: &str) -> Option<&'a str> {
        self.value(member).as_str()
    }

    /// A text of at most `max_bytes`.
    ///
    /// # Errors
    /// [`EventError::Malformed`] with `expected` if it is missing, empty or longer.
    pub fn text(
        &self,
        member: &str,
        max_bytes: usize,
        expected: &'static str,
    ) -> Result<&'a str, EventError> {
        let text = self.optional_text(member).filter(|text| (1..=max_bytes).contains(&text.len()));
        text.ok_or_else(|| malformed(self.path(member), expected))
    }

    /// A text that is parsed.
    ///
    /// # Errors
    /// [`EventError::Malformed`] with `expected` if it is missing or malformed.
    pub fn parsed<T: std::str::FromStr>(
        &self,
        member: &str,
        expected: &'static str,
    ) -> Result<T, EventError> {
        let parsed = self.optional_text(member).and_then(|text| text.parse().ok());
        parsed.ok_or_else(|| malformed(self.path(member), expected))
    }

    /// A text that is parsed; `None` if the member is missing or null.
    ///
    /// # Errors
    /// [`EventError::Malformed`] with `expected` if it is malformed.
    pub fn optional<T: std::str::FromStr>(
        &self,
        member: &str,
        expected: &'static str,
    ) -> Result<Option<T>, EventError> {
        if self.value(member).is_null() { Ok(None) } else { self.parsed(member, expected).map(Some) }
    }

    /// A number; zero if the member is missing or null.
    ///
    /// # Errors
    /// [`EventError::Malformed`] if it is another value.
    pub fn number(&self, member: &str) -> Result<u32, EventError> {
        if self.value(member).is_null() {
            return Ok(0);
        }
        let number = self.value(member).as_u64().and_then(|number| u32::try_from(number).ok());
        number.ok_or_else(|| malformed(self.path(member), "a whole number"))
    }

    /// An object.
    ///
    /// # Errors
    /// [`EventError::Malformed`] if it is missing or none.
    pub fn object(&self, member: &str) -> Result<Self, EventError> {
        let path = self.path(member);
        Self::new(self.value(member), path.clone()).ok_or_else(|| malformed(path, "an object"))
    }

    /// The objects of an array of at most `most`.
    ///
    /// # Errors
    /// [`EventError::Malformed`] if it is missing or longer, or has another value.
    pub fn objects(&self, member: &str, most: usize) -> Result<Vec<Self>, EventError> {
        const EXPECTED: &str = "a short array of objects";
        let path = self.path(member);
        let array = self.value(member).as_array().filter(|array| array.len() <= most);
        let array = array.ok_or_else(|| malformed(path.clone(), EXPECTED))?;
        let objects = array.iter().enumerate().map(|(index, value)| {
            let name = format!("{path}[{index}]");
            Self::new(value, name.clone()).ok_or_else(|| malformed(name, "an object"))
        });
        objects.collect()
    }

    /// An array of texts as a set; empty if the member is missing or null.
    ///
    /// # Errors
    /// [`EventError::Malformed`] if it is another value.
    pub fn text_set(&self, member: &str) -> Result<BTreeSet<String>, EventError> {
        let malformed = || malformed(self.path(member), "an array of texts");
        match self.value(member) {
            Value::Null => Ok(BTreeSet::new()),
            Value::Array(array) if array.len() <= MAX_MEMBERS => {
                array.iter().map(|value| value.as_str().map(str::to_owned).ok_or_else(malformed)).collect()
            }
            _ => Err(malformed()),
        }
    }

    /// An object of texts; empty if the member is missing or null.
    ///
    /// # Errors
    /// [`EventError::Malformed`] if it is another value.
    pub fn text_map(&self, member: &str) -> Result<BTreeMap<String, String>, EventError> {
        match self.value(member) {
            Value::Null => Ok(BTreeMap::new()),
            Value::Object(members) if members.len() <= MAX_MEMBERS => {
                let texts = members.iter().map(|(name, value)| match value {
                    Value::String(text) => Ok((name.clone(), text.clone())),
                    _ => Err(malformed(format!("{}.{name}", self.path(member)), "a text")),
                });
                texts.collect()
            }
            _ => Err(malformed(self.path(member), "an object of texts")),
        }
    }
}
