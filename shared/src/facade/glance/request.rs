//! What the registry's requests have in common: the image of the path, bodies, and bodies that should not be.

use serde_json::{Map, Value};

use super::Error;
use crate::domain::ImageId;
use crate::http::{AuthenticatedRequest, strict_json};

/// The image that the path names. An id that none can have is not found.
pub(super) fn path_image_id(request: &AuthenticatedRequest) -> Result<ImageId, Error> {
    let text = request.path_parameter("image_id");
    text.parse().map_err(|_| Error::image_not_found(text))
}

/// Reads a body as JSON, whatever its type.
pub(super) fn parse_json(body: &[u8]) -> Result<Value, Error> {
    ensure_body(body)?;
    strict_json::parse(body)
        .map_err(|problem| Error::bad_request(format!("Malformed JSON in request body: {problem}.")))
}

/// Reads a body that must be an object, and says in Glance's words what it is instead; `list` is what it says to one.
pub(super) fn parse_object(body: &[u8], list: &'static str) -> Result<Map<String, Value>, Error> {
    ensure_body(body)?;
    match strict_json::parse(body) {
        Ok(Value::Object(members)) => Ok(members),
        Ok(Value::Array(_)) => Err(Error::bad_request(list)),
        Ok(_) => Err(Error::bad_request("Unexpected body type. Expected list/dict.")),
        Err(_) => Err(Error::bad_request("Malformed JSON in request body.")),
    }
}

fn ensure_body(body: &[u8]) -> Result<(), Error> {
    if body.trim_ascii().is_empty() { Err(Error::bad_request("Body expected in request.")) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invalid_json_body_is_rejected() {
        let deep = "[".repeat(100_000);
        for bad in
            ["", " \n", "{", "NaN", r#"{"name":"\ud800"}"#, &deep, "{} {}", r#"{"name":"a","name":"b"}"#]
        {
            assert!(parse_json(bad.as_bytes()).is_err());
        }
        assert!(parse_json(b"{\"a\":\"\xff\"}").is_err());
        assert_eq!(parse_json(b" {} \n").unwrap(), serde_json::json!({}));
    }
}
