//! `PUT /v1/owners/{project_id}`: trust or block an owner.

use http::StatusCode;
use serde_json::Value;

use super::{OwnerBody, path_owner};
use crate::domain::{Policy, PolicyKind, UnknownValue};
use crate::facade::registry::body::parse_object;
use crate::http::{ApiError, AuthenticatedRequest, HttpResponse, json_response, vault_id};
use crate::usecases;

/// The operation's route.
pub const ROUTE: &str = "PUT /v1/owners/{project_id}";

/// `{"policy":"trusted","vault_id":"v-1"}` or `{"policy":"blocked"}` in, `{"owner":{…}}` out. It replaces the policy
/// that there was, and the same policy again changes nothing.
pub async fn handle(request: &AuthenticatedRequest) -> HttpResponse {
    put(request).await.unwrap_or_else(ApiError::into_response)
}

async fn put(request: &AuthenticatedRequest) -> Result<HttpResponse, ApiError> {
    let (owner, policy) = (path_owner(request)?, parse(request.body())?);
    let policy = usecases::put_owner_policy(&request.app, request.caller(), owner, policy).await?;
    Ok(json_response(StatusCode::OK, &OwnerBody { owner: (&policy).into() }))
}

fn parse(body: &[u8]) -> Result<Policy, ApiError> {
    let body = parse_object(body, &["policy", "vault_id"])?;
    let kind = body.get("policy").and_then(Value::as_str).unwrap_or_default().parse();
    let kind =
        kind.map_err(|UnknownValue(expected)| ApiError::malformed(format!("policy: expected {expected}.")))?;
    let vault = vault_id::parse(body.get("vault_id"))
        .map_err(|message| ApiError::bad_request("IMG.0184", message))?;
    match (kind, vault) {
        (PolicyKind::Trusted, vault) => Ok(Policy::Trusted { vault }),
        (PolicyKind::Blocked, None) => Ok(Policy::Blocked),
        (PolicyKind::Blocked, Some(_)) => {
            Err(ApiError::malformed("vault_id: expected only with the policy \"trusted\"."))
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::domain::VaultId;
    use crate::http::any_json::near_variants;

    proptest! {
        #[test]
        fn policy_body_is_parsed_faithfully(
            body in near_variants(&json!({"policy": "trusted", "vault_id": "v-1"})),
            bytes in prop::collection::vec(any::<u8>(), 0..60),
        ) {
            let _ = parse(&bytes);
            if let Ok(policy) = parse(body.to_string().as_bytes()) {
                prop_assert_eq!(body["policy"].as_str(), Some(policy.kind().as_str()));
                let vault = body["vault_id"].as_str().filter(|vault| !vault.is_empty());
                prop_assert_eq!(vault, policy.vault().map(VaultId::as_str));
            }
        }
    }

    #[test]
    fn invalid_policy_field_is_named() {
        for (body, expected) in [
            ("{}", "policy: expected"),
            (r#"{"policy":"Trusted"}"#, "policy: expected"),
            (r#"{"policy":null}"#, "policy: expected"),
            (r#"{"policy":"trusted","vault_id":"a b"}"#, "vault_id: expected"),
            (r#"{"policy":"blocked","vault_id":"v"}"#, "vault_id: expected only with"),
            (r#"{"policy":"trusted","vault":"v"}"#, "vault: expected only policy, vault_id"),
            (" ", "Send a JSON object with policy, vault_id"),
        ] {
            let error = format!("{:?}", parse(body.as_bytes()).unwrap_err());
            assert!(error.contains(expected), "{body}: {error}");
        }
        assert_eq!(parse(br#"{"policy":"blocked","vault_id":null}"#).unwrap(), Policy::Blocked);
    }
}
