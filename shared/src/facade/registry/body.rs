//! Bodies of this facade: JSON objects in which a member that nobody knows, or that stands there twice, is refused.

use serde_json::{Map, Value};

use crate::http::{ApiError, strict_json};

/// Reads a body that may hold those members.
///
/// # Errors
/// What is wrong with it.
pub(super) fn parse_object(body: &[u8], members: &[&str]) -> Result<Map<String, Value>, ApiError> {
    if body.trim_ascii().is_empty() {
        let message = format!("The request body is empty. Send a JSON object with {}.", members.join(", "));
        return Err(ApiError::bad_request("IMG.0007", message));
    }
    let wrong = |message: String| ApiError::malformed(message);
    let body = strict_json::parse(body)
        .map_err(|problem| wrong(format!("The request body cannot be read: {problem}.")))?;
    let Value::Object(body) = body else {
        return Err(wrong("The request body is not a JSON object.".to_owned()));
    };
    match body.keys().find(|name| !members.contains(&name.as_str())) {
        Some(unknown) => Err(wrong(format!("{unknown}: expected only {}.", members.join(", ")))),
        None => Ok(body),
    }
}
