//! Reads and writes the attributes of an item. An attribute that is missing or malformed is an error that names it, so
//! that a request or worker fails instead of guessing.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::StoreError;
use super::keys::Key;
use crate::table::Write;
pub use crate::table::{AttributeValue, Item};

/// The attribute that holds the revision of an item.
pub const REV: &str = "rev";

/// Adds the condition that an item still has the revision that was read.
pub fn if_unchanged(write: Write, revision: impl ToString) -> Write {
    write.and_if(format!("{REV} = :read")).value(":read", text(revision))
}

/// Builds an item from its key and its other attributes.
pub fn item(key: Key, attributes: impl IntoIterator<Item = (impl Into<String>, AttributeValue)>) -> Item {
    key.into_iter().chain(attributes.into_iter().map(|(name, value)| (name.into(), value))).collect()
}

/// Returns a text attribute.
pub fn text(value: impl ToString) -> AttributeValue {
    AttributeValue::S(value.to_string())
}

/// Returns a number attribute. A revision is stored as text instead: it is only compared for equality, and text is no
/// larger and faster to read.
pub fn number(value: impl Into<i128>) -> AttributeValue {
    AttributeValue::N(value.into().to_string())
}

/// Returns a text attribute that holds a value as JSON.
pub fn json(value: &impl Serialize) -> Result<AttributeValue, StoreError> {
    serde_json::to_string(value).map(AttributeValue::S).map_err(|_| StoreError::Unreadable("json"))
}

/// Reads a text attribute.
pub fn get_text<'a>(item: &'a Item, name: &'static str) -> Result<&'a str, StoreError> {
    item.get(name).and_then(|value| value.as_s().ok()).map(String::as_str).ok_or(StoreError::Unreadable(name))
}

/// Reads and parses a text attribute.
pub fn get_parsed<T: std::str::FromStr>(item: &Item, name: &'static str) -> Result<T, StoreError> {
    get_text(item, name)?.parse().map_err(|_| StoreError::Unreadable(name))
}

/// Reads a number attribute.
pub fn get_number<T: std::str::FromStr>(item: &Item, name: &'static str) -> Result<T, StoreError> {
    find_number(item, name)?.ok_or(StoreError::Unreadable(name))
}

/// Reads a number attribute; `None` if the item does not have it.
pub fn find_number<T: std::str::FromStr>(item: &Item, name: &'static str) -> Result<Option<T>, StoreError> {
    let Some(value) = item.get(name) else { return Ok(None) };
    let number = value.as_n().ok().and_then(|digits| digits.parse().ok());
    number.map(Some).ok_or(StoreError::Unreadable(name))
}

/// Reads a text attribute that holds a value as JSON.
pub fn get_json<T: DeserializeOwned>(item: &Item, name: &'static str) -> Result<T, StoreError> {
    serde_json::from_str(get_text(item, name)?).map_err(|_| StoreError::Unreadable(name))
}
