//! Arrays of ids in JSON bodies.

use std::collections::HashSet;
use std::hash::Hash;
use std::str::FromStr;

use serde_json::Value;

use super::ApiError;
use crate::domain::ID_FORMAT;

/// Parses an array of 1 to `max` ids. Returns them without duplicates, in their order. `code` is the error code for a
/// malformed id.
///
/// # Errors
/// [`ApiError`] names the field, or the entry of the array.
pub(crate) fn parse_ids<T: FromStr + Clone + Eq + Hash>(
    field: &str,
    code: &'static str,
    value: Option<&Value>,
    max: usize,
) -> Result<Vec<T>, ApiError> {
    let expected = || ApiError::malformed(format!("{field}: expected an array of 1 to {max} ids."));
    let values = value.and_then(Value::as_array).filter(|ids| !ids.is_empty()).ok_or_else(expected)?;
    if values.len() > max {
        return Err(too_many_items(field, max, values.len()));
    }
    let mut seen = HashSet::with_capacity(values.len());
    let mut ids = Vec::with_capacity(values.len());
    for (index, value) in values.iter().enumerate() {
        let text = value
            .as_str()
            .ok_or_else(|| ApiError::malformed(format!("{field}[{index}]: expected a string.")))?;
        let id: T = text
            .parse()
            .map_err(|_| ApiError::bad_request(code, format!("{field}[{index}]: expected {ID_FORMAT}.")))?;
        if seen.insert(id.clone()) {
            ids.push(id);
        }
    }
    Ok(ids)
}

/// The error for an array that is too long.
pub(crate) fn too_many_items(field: &str, max: usize, count: usize) -> ApiError {
    ApiError::malformed(format!("{field}: expected at most {max}, got {count}. Send several requests."))
}
