//! What the requests of this facade have in common: the image of the path, and JSON bodies.

use serde_json::{Map, Value};

use super::Error;
use crate::domain::ImageId;
use crate::http::{AuthenticatedRequest, strict_json};

/// The image of the path. A malformed id is not found, like an unknown one.
pub(super) fn path_image_id(request: &AuthenticatedRequest) -> Result<ImageId, Error> {
    let text = request.path_parameter("image_id");
    text.parse().map_err(|_| Error::image_not_found(text))
}

/// Parses a body as JSON of any type.
pub(super) fn parse_json(body: &[u8]) -> Result<Value, Error> {
    ensure_body(body)?;
    strict_json::parse(body)
        .map_err(|problem| Error::bad_request(format!("Malformed JSON in request body: {problem}.")))
}

/// Parses a body that has to be an object. The errors for other types are Glance's; `array_message` is the one for an
/// array.
pub(super) fn parse_object(body: &[u8], array_message: &'static str) -> Result<Map<String, Value>, Error> {
    ensure_body(body)?;
    match strict_json::parse(body) {
        Ok(Value::Object(members)) => Ok(members),
        Ok(Value::Array(_)) => Err(Error::bad_request(array_message)),
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
