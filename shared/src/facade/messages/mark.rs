//! `PUT /v1/messages/{message_id}`: mark a message as read, or as unread.

use http::StatusCode;
use serde_json::Value;

use super::path_message;
use super::view::{MessageBody, MessageJson};
use crate::http::object_body::parse_object;
use crate::http::{ApiError, AuthenticatedRequest, HttpResponse, json_response};
use crate::usecases;

/// The operation's route.
pub const ROUTE: &str = "PUT /v1/messages/{message_id}";

/// `{"read":true}` in, `{"message":{…}}` out.
pub async fn handle(request: &AuthenticatedRequest) -> HttpResponse {
    mark(request).await.unwrap_or_else(ApiError::into_response)
}

async fn mark(request: &AuthenticatedRequest) -> Result<HttpResponse, ApiError> {
    let (id, is_read) = (path_message(request)?, parse(request.body())?);
    let view = usecases::mark_message(&request.app, request.caller(), &id, is_read).await?;
    let message = MessageJson::new(&view, &request.caller().tenant, &request.base_url());
    Ok(json_response(StatusCode::OK, &MessageBody { message }))
}

fn parse(body: &[u8]) -> Result<bool, ApiError> {
    let is_read = parse_object(body, &["read"])?.get("read").and_then(Value::as_bool);
    is_read.ok_or_else(|| ApiError::malformed("read: expected true or false."))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::http::any_json::near_variants;

    proptest! {
        #[test]
        fn read_body_is_parsed_faithfully(
            body in near_variants(&json!({"read": true})), bytes in prop::collection::vec(any::<u8>(), 0..40),
        ) {
            let _ = parse(&bytes);
            if let Ok(is_read) = parse(body.to_string().as_bytes()) {
                prop_assert_eq!(body, json!({ "read": is_read }));
            }
        }
    }

    #[test]
    fn invalid_read_mark_is_named() {
        for body in [r#"{"read":"true"}"#, r#"{"read":1}"#, r#"{"read":null}"#, "{}"] {
            let error = format!("{:?}", parse(body.as_bytes()).unwrap_err());
            assert!(error.contains("read: expected true or false"), "{body}");
        }
        assert_eq!(parse(br#"{"read":false}"#), Ok(false));
    }
}
