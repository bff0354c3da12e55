//! `POST /v2/images/{image_id}/members`: share an image with one project.

use http::StatusCode;
use serde_json::Value;

use super::{MemberAction, MemberJson, path_image};
use crate::domain::{ID_FORMAT, TenantId};
use crate::facade::glance::Error;
use crate::facade::glance::request::parse_object;
use crate::http::{AuthenticatedRequest, HttpResponse, idempotency, json_response};
use crate::usecases;

/// The operation's route.
pub const ROUTE: &str = "POST /v2/images/{image_id}/members";

/// `{"member":"…"}` in, the member out: 200, not 201, because several clients accept only 200.
pub async fn handle(request: &AuthenticatedRequest) -> HttpResponse {
    add(request).await.unwrap_or_else(Error::into_response)
}

async fn add(request: &AuthenticatedRequest) -> Result<HttpResponse, Error> {
    let (tenant, image) = (parse(request.body())?, path_image(request)?);
    let idempotency = idempotency::parse_header(request, &(&image, &tenant))?;
    let (app, caller) = (&request.app, request.caller());
    let member = usecases::add_member(app, caller, &image, &tenant, idempotency.as_ref()).await;
    let member = member.map_err(|error| MemberAction::Add.error_for(error))?;
    Ok(json_response(StatusCode::OK, &MemberJson::from(&member)))
}

fn parse(body: &[u8]) -> Result<TenantId, Error> {
    let body = parse_object(body, r#"Expected a member in the form: {"member": "image_id"}"#)?;
    match body.get("member") {
        None => Err(Error::bad_request("Member to be added not specified")),
        Some(Value::Null) => Err(Error::bad_request("Member can't be empty")),
        Some(Value::String(text)) if text.is_empty() => Err(Error::bad_request("Member can't be empty")),
        Some(value) => {
            let tenant = value.as_str().and_then(|text| text.parse().ok());
            tenant.ok_or_else(|| Error::invalid_field("member", &format!("a project id, {ID_FORMAT}")))
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn error_text(body: &str) -> String {
        format!("{:?}", parse(body.as_bytes()).unwrap_err())
    }

    #[test]
    fn invalid_member_body_returns_glance_message() {
        assert_eq!(parse(br#"{"member":"mem1","other":{}}"#).unwrap().as_str(), "mem1");
        for (body, message) in [
            ("{}", "Member to be added not specified"),
            (r#"{"member":""}"#, "Member can't be empty"),
            (r#"{"member":null}"#, "Member can't be empty"),
            (r#"["mem1"]"#, r#"Expected a member in the form: {\"member\": \"image_id\"}"#),
            ("\"text\"", "Unexpected body type. Expected list/dict."),
            ("7", "Unexpected body type. Expected list/dict."),
            ("{", "Malformed JSON in request body.\""),
            ("NaN", "Malformed JSON in request body.\""),
            (r#"{"member":"\ud800"}"#, "Malformed JSON in request body.\""),
            (r#"{"member":"a","member":"b"}"#, "Malformed JSON in request body.\""),
            (" \n", "Body expected in request."),
            (r#"{"member":123}"#, "member: expected a project id"),
            (r#"{"member":{}}"#, "member: expected a project id"),
            (r#"{"member":"a\u0000"}"#, "member: expected a project id"),
            (r#"{"member":"a/b"}"#, "member: expected a project id"),
            (r#"{"member":"ü"}"#, "member: expected a project id"),
        ] {
            assert!(error_text(body).contains(message), "{body}: {}", error_text(body));
        }
        assert!(error_text(&"[".repeat(100_000)).contains("Malformed JSON"));
        assert!(error_text(&format!(r#"{{"member":"{}"}}"#, "x".repeat(65))).contains("member: expected"));
    }

    proptest! {
        #[test]
        fn parsed_member_equals_the_member_in_the_body(bytes in prop::collection::vec(any::<u8>(), 0..80), text in ".{0,70}") {
            let _ = parse(&bytes);
            let body = serde_json::json!({ "member": text }).to_string();
            if let Ok(tenant) = parse(body.as_bytes()) {
                prop_assert_eq!(tenant.as_str(), text);
            }
        }
    }
}
