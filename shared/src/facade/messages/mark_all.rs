//! `PUT /v1/messages`: mark every message as read that arrived up to a moment.

use serde_json::Value;

use crate::domain::Timestamp;
use crate::http::object_body::parse_object;
use crate::http::{ApiError, AuthenticatedRequest, HttpResponse, no_content};
use crate::usecases;

/// The operation's route.
pub const ROUTE: &str = "PUT /v1/messages";

/// `{"read_up_to":"2026-11-21T22:46:56.123Z"}` in, 204 out. The moment is the `as_of` of the list that was read: later
/// messages stay unread.
pub async fn handle(request: &AuthenticatedRequest) -> HttpResponse {
    mark_all(request).await.unwrap_or_else(ApiError::into_response)
}

async fn mark_all(request: &AuthenticatedRequest) -> Result<HttpResponse, ApiError> {
    let up_to = parse(request.body())?;
    usecases::mark_messages_read(&request.app, request.caller(), up_to).await?;
    Ok(no_content())
}

fn parse(body: &[u8]) -> Result<Timestamp, ApiError> {
    let body = parse_object(body, &["read_up_to"])?;
    let moment = body.get("read_up_to").and_then(Value::as_str).and_then(Timestamp::parse_iso);
    moment
        .filter(|moment| moment.unix_millis() >= 0)
        .ok_or_else(|| ApiError::malformed("read_up_to: expected as_of of a list of messages."))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::http::any_json::near_variants;

    const MOMENT: &str = "2024-11-06T06:30:00.778Z";

    proptest! {
        #[test]
        fn moment_body_is_parsed_faithfully(
            body in near_variants(&json!({"read_up_to": MOMENT})), bytes in prop::collection::vec(any::<u8>(), 0..60),
        ) {
            let _ = parse(&bytes);
            if let Ok(moment) = parse(body.to_string().as_bytes()) {
                prop_assert_eq!(body["read_up_to"].as_str().and_then(Timestamp::parse_iso), Some(moment));
            }
        }
    }

    #[test]
    fn moment_keeps_its_milliseconds() {
        let moment = parse(json!({"read_up_to": MOMENT}).to_string().as_bytes()).unwrap();
        assert_eq!(moment.unix_millis(), 1_730_874_600_778);
        for bad in ["\"\"", "5", "null", "\"now\"", "\"1969-01-01T00:00:00Z\""] {
            let error = format!("{:?}", parse(format!("{{\"read_up_to\":{bad}}}").as_bytes()).unwrap_err());
            assert!(error.contains("read_up_to: expected as_of"), "{bad}");
        }
    }
}
