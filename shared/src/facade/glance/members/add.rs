//! `POST /v2/images/{image_id}/members`: share an image with one project.

use http::StatusCode;
use serde_json::Value;

use super::{Action, Wire, image_of};
use crate::domain::{ID_FORM, TenantId};
use crate::facade::glance::Error;
use crate::facade::glance::request::{object, remembered};
use crate::facade::{Reply, json};
use crate::function::Call;
use crate::usecases;

/// The operation's route.
pub const ROUTE: &str = "POST /v2/images/{image_id}/members";

/// `{"member":"…"}` in, the member out: 200, not 201, since several clients know no other.
pub async fn answer(call: &Call) -> Reply {
    add(call).await.unwrap_or_else(Error::into_reply)
}

async fn add(call: &Call) -> Result<Reply, Error> {
    let (tenant, image) = (parse(call.body())?, image_of(call)?);
    let remembered = remembered(call, &(&image, &tenant))?;
    let (service, caller) = (&call.service, call.caller());
    let member = usecases::add_member_once(service, caller, &image, &tenant, remembered.as_ref()).await;
    let member = member.map_err(|refusal| Action::Add.refused(refusal))?;
    Ok(json(StatusCode::OK, &Wire::from(&member)))
}

fn parse(body: &[u8]) -> Result<TenantId, Error> {
    let body = object(body, r#"Expected a member in the form: {"member": "image_id"}"#)?;
    match body.get("member") {
        None => Err(Error::bad_request("Member to be added not specified")),
        Some(Value::Null) => Err(Error::bad_request("Member can't be empty")),
        Some(Value::String(text)) if text.is_empty() => Err(Error::bad_request("Member can't be empty")),
        Some(value) => {
            let tenant = value.as_str().and_then(|text| text.parse().ok());
            tenant.ok_or_else(|| Error::expected("member", &format!("a project id, {ID_FORM}")))
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn refused(body: &str) -> String {
        format!("{:?}", parse(body.as_bytes()).unwrap_err())
    }

    #[test]
    fn what_is_not_as_it_must_be_is_refused_in_the_words_of_glance() {
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
            assert!(refused(body).contains(message), "{body}: {}", refused(body));
        }
        assert!(refused(&"[".repeat(100_000)).contains("Malformed JSON"));
        assert!(refused(&format!(r#"{{"member":"{}"}}"#, "x".repeat(65))).contains("member: expected"));
    }

    proptest! {
        #[test]
        fn who_is_added_is_named_by_the_body(bytes in prop::collection::vec(any::<u8>(), 0..80), text in ".{0,70}") {
            let _ = parse(&bytes);
            let body = serde_json::json!({ "member": text }).to_string();
            if let Ok(tenant) = parse(body.as_bytes()) {
                prop_assert_eq!(tenant.as_str(), text);
            }
        }
    }
}
