//! The JSON bodies of the service's own API. An unknown or duplicate member is an error.

use serde_json::{Map, Value};

use super::{ApiError, strict_json};

/// Parses a body that has to be an object with no other members than these.
///
/// # Errors
/// [`ApiError`] says what is wrong with the body, and names an unknown member.
pub(crate) fn parse_object(body: &[u8], members: &[&str]) -> Result<Map<String, Value>, ApiError> {
    if body.trim_ascii().is_empty() {
        let message = format!("The request body is empty. Send a JSON object with {}.", members.join(", "));
        return Err(ApiError::bad_request("IMG.0007", message));
    }
    let malformed = |message: String| ApiError::malformed(message);
    let body = strict_json::parse(body)
        .map_err(|problem| malformed(format!("The request body cannot be read: {problem}.")))?;
    let Value::Object(body) = body else {
        return Err(malformed("The request body is not a JSON object.".to_owned()));
    };
    match body.keys().find(|name| !members.contains(&name.as_str())) {
        Some(unknown) => Err(malformed(format!("{unknown}: expected only {}.", members.join(", ")))),
        None => Ok(body),
    }
}
