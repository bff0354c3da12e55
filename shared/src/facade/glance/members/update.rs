//! `PUT /v2/images/{image_id}/members/{member_id}`: accept or reject an image as its member, or make it pending again.

use http::StatusCode;

use super::{MemberAction, MemberJson, path_member};
use crate::domain::{Status, UnknownValue, VaultId};
use crate::facade::glance::Error;
use crate::facade::glance::request::parse_object;
use crate::http::{AuthenticatedRequest, HttpResponse, json_response, vault_id};
use crate::usecases;

/// The operation's route.
pub const ROUTE: &str = "PUT /v2/images/{image_id}/members/{member_id}";

/// `{"status":"accepted"|"rejected"|"pending","vault_id":"…"}` in, the member out. Other keys are ignored, such as the
/// `member` of openstacksdk.
pub async fn handle(request: &AuthenticatedRequest) -> HttpResponse {
    update(request).await.unwrap_or_else(Error::into_response)
}

async fn update(request: &AuthenticatedRequest) -> Result<HttpResponse, Error> {
    let decision = parse(request.body())?;
    let (image, tenant) = path_member(request)?;
    let member = usecases::decide_as_member(&request.app, request.caller(), &image, &tenant, decision).await;
    let member = member.map_err(|error| MemberAction::Update.error_for(error))?;
    Ok(json_response(StatusCode::OK, &MemberJson::from(&member)))
}

type MemberUpdate = (Result<Status, UnknownValue>, Option<VaultId>);

fn parse(body: &[u8]) -> Result<MemberUpdate, Error> {
    let body = parse_object(body, r#"Expected a status in the form: {"status": "status"}"#)?;
    let status = body.get("status").ok_or_else(|| Error::bad_request("Status not specified"))?;
    let status = status.as_str().unwrap_or_default().parse();
    let vault = vault_id::parse(body.get("vault_id"))
        .map_err(|expected| Error::new(StatusCode::BAD_REQUEST, "IMG.0184", expected))?;
    Ok((status, vault))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    #[test]
    fn member_status_bodies_of_clients_are_parsed() {
        let status = |body: &str| parse(body.as_bytes()).unwrap();
        assert_eq!(status(r#"{"status":"accepted","member":"mem1"}"#), (Ok(Status::Accepted), None));
        assert_eq!(status(r#"{"status":"pending","vault_id":null}"#), (Ok(Status::Pending), None));
        assert_eq!(
            status(r#"{"status":"rejected","vault_id":"v-1"}"#),
            (Ok(Status::Rejected), Some("v-1".parse().unwrap()))
        );
        for unknown in ["\"Accepted\"", "\"\"", "null", "7", "{}", "\"accepted\\u0000\""] {
            assert_eq!(
                status(&format!(r#"{{"status":{unknown}}}"#)).0,
                Err(UnknownValue(Status::EXPECTED)),
                "{unknown}"
            );
        }
    }

    #[test]
    fn body_without_status_is_rejected() {
        for (body, message) in [
            ("{}", "Status not specified"),
            (r#"["accepted"]"#, r#"Expected a status in the form: {\"status\": \"status\"}"#),
            ("\"accepted\"", "Unexpected body type. Expected list/dict."),
            ("", "Body expected in request."),
            ("{", "Malformed JSON in request body.\""),
            (r#"{"status":"accepted","vault_id":5}"#, "vault_id: expected 1 to 64 characters"),
            (r#"{"status":"accepted","vault_id":"a/b"}"#, "IMG.0184"),
        ] {
            let error = format!("{:?}", parse(body.as_bytes()).unwrap_err());
            assert!(error.contains(message), "{body}: {error}");
        }
    }

    proptest! {
        #[test]
        fn only_defined_member_statuses_are_valid(bytes in prop::collection::vec(any::<u8>(), 0..80), text in ".{0,10}") {
            let _ = parse(&bytes);
            let body = Value::from_iter([("status", text.clone())]).to_string();
            let (status, _) = parse(body.as_bytes()).unwrap();
            prop_assert_eq!(status.is_ok(), ["pending", "accepted", "rejected"].contains(&text.as_str()));
        }
    }
}
