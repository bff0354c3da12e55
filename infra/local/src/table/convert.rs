//! Converts items, expression values and errors between the store's types and the embedded database's.

use std::collections::HashMap;

use dynoxide::DynoxideError;
use dynoxide::errors::CancellationReason;
use dynoxide::types::AttributeValue as Embedded;
use imageshare::table::{AttributeValue, CONDITION_FAILED, CancelReason, Item, TableError, Values};

use super::storage::{is_locked, storage_fault};

/// Converts an item to the embedded database's type.
///
/// # Errors
/// An attribute has a type that the embedded database does not support.
pub(super) fn to_item(item: &Item) -> Result<HashMap<String, Embedded>, TableError> {
    item.iter().map(|(name, value)| Ok((name.clone(), to_value(value)?))).collect()
}

/// Converts the values of an expression. Returns `None` instead of an empty map, which DynamoDB rejects.
///
/// # Errors
/// As [`to_item`].
pub(super) fn to_values(values: &Values) -> Result<Option<HashMap<String, Embedded>>, TableError> {
    let pairs = values.iter().map(|(name, value)| Ok(((*name).to_owned(), to_value(value)?)));
    (!values.is_empty()).then(|| pairs.collect()).transpose()
}

/// Converts the names of an expression. Returns `None` instead of an empty map.
pub(super) fn to_names(names: &[(&'static str, &'static str)]) -> Option<HashMap<String, String>> {
    let pairs = names.iter().map(|(name, attribute)| ((*name).to_owned(), (*attribute).to_owned()));
    (!names.is_empty()).then(|| pairs.collect())
}

fn to_value(value: &AttributeValue) -> Result<Embedded, TableError> {
    Ok(match value {
        AttributeValue::S(text) => Embedded::S(text.clone()),
        AttributeValue::N(digits) => Embedded::N(digits.clone()),
        AttributeValue::B(blob) => Embedded::B(blob.as_ref().to_vec()),
        AttributeValue::Bool(truth) => Embedded::BOOL(*truth),
        AttributeValue::Null(null) => Embedded::NULL(*null),
        AttributeValue::Ss(texts) => Embedded::SS(texts.clone()),
        AttributeValue::Ns(numbers) => Embedded::NS(numbers.clone()),
        AttributeValue::Bs(blobs) => Embedded::BS(blobs.iter().map(|blob| blob.as_ref().to_vec()).collect()),
        AttributeValue::L(list) => Embedded::L(list.iter().map(to_value).collect::<Result<_, _>>()?),
        AttributeValue::M(map) => Embedded::M(to_item(map)?),
        other => {
            let message = format!("an attribute has an unknown type: {other:?}");
            return Err(TableError::Service { code: "ValidationException".to_owned(), message });
        }
    })
}

pub(super) fn from_items(items: Vec<HashMap<String, Embedded>>) -> impl Iterator<Item = Item> {
    items.into_iter().map(from_item)
}

pub(super) fn from_item(item: HashMap<String, Embedded>) -> Item {
    item.into_iter().map(|(name, value)| (name, from_value(value))).collect()
}

fn from_value(value: Embedded) -> AttributeValue {
    match value {
        Embedded::S(text) => AttributeValue::S(text),
        Embedded::N(digits) => AttributeValue::N(digits),
        Embedded::B(bytes) => AttributeValue::B(bytes.into()),
        Embedded::BOOL(truth) => AttributeValue::Bool(truth),
        Embedded::NULL(null) => AttributeValue::Null(null),
        Embedded::SS(texts) => AttributeValue::Ss(texts),
        Embedded::NS(numbers) => AttributeValue::Ns(numbers),
        Embedded::BS(blobs) => AttributeValue::Bs(blobs.into_iter().map(Into::into).collect()),
        Embedded::L(list) => AttributeValue::L(list.into_iter().map(from_value).collect()),
        Embedded::M(map) => AttributeValue::M(from_item(map)),
    }
}

pub(super) fn to_failure(error: DynoxideError) -> TableError {
    match error {
        DynoxideError::ConditionalCheckFailedException(message, found) => {
            TableError::Canceled(vec![CancelReason {
                code: Some(CONDITION_FAILED.to_owned()),
                message: Some(message),
                found: found.map(from_item),
            }])
        }
        DynoxideError::TransactionCanceledException(_, reasons) => {
            TableError::Canceled(reasons.into_iter().map(to_reason).collect())
        }
        other if is_locked(&other) => TableError::NotSent(other.to_string()),
        other => {
            if let Some(fault) = storage_fault(&other) {
                return TableError::Storage(fault, other.to_string());
            }
            // As on the wire, the code follows the service's name and version.
            let code = other.error_type().rsplit('#').next().unwrap_or_default().to_owned();
            TableError::Service { code, message: other.to_string() }
        }
    }
}

fn to_reason(reason: CancellationReason) -> CancelReason {
    CancelReason {
        code: Some(reason.code).filter(|code| code != "None"),
        message: reason.message,
        found: reason.item.map(from_item),
    }
}
