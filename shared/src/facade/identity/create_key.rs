//! `POST /v1/access-keys`: create an access key of the caller's project. The response has the secret, which is never
//! shown again, except to a retry with the same `Idempotency-Key`.

use http::StatusCode;
use http::header::{CACHE_CONTROL, HeaderValue};
use serde_json::Value;

use super::access_key::AccessKeyJson;
use crate::domain::Role;
use crate::http::{ApiError, AuthenticatedRequest, HttpResponse, idempotency, json_response, strict_json};
use crate::usecases::{self, NewAccessKey};

/// The operation's route.
pub const ROUTE: &str = "POST /v1/access-keys";

/// The maximum length of an access key's name, in characters.
const MAX_NAME_CHARS: usize = 255;

/// `{"name":"…","roles":["member"]}` in, the access key with its secret out (201).
pub async fn handle(request: &AuthenticatedRequest) -> HttpResponse {
    create(request).await.unwrap_or_else(ApiError::into_response)
}

async fn create(request: &AuthenticatedRequest) -> Result<HttpResponse, ApiError> {
    let new = parse(request.body())?;
    let caller = request.caller();
    // The user is part of the content: another user of the project must not get the secret by sending the same request
    // with the same idempotency key.
    let content = (&caller.user, &new.name, new.roles.iter().map(|role| role.name()).collect::<Vec<_>>());
    let idempotency = idempotency::parse_header(request, &content)?;
    let (key, secret) =
        usecases::create_access_key(&request.app, &request.keyring, caller, new, idempotency.as_ref())
            .await?;
    let mut response = json_response(StatusCode::CREATED, &AccessKeyJson::new(&key, Some(secret.reveal())));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// Parses the body. An unknown member is an error: a misspelt `roles` would create a key with the default role.
fn parse(body: &[u8]) -> Result<NewAccessKey, ApiError> {
    let body = strict_json::parse(body)
        .map_err(|problem| ApiError::malformed(format!("The request body cannot be read: {problem}.")))?;
    let Value::Object(body) = body else {
        return Err(ApiError::malformed("The request body is not a JSON object."));
    };
    if let Some(unknown) = body.keys().find(|name| !["name", "roles"].contains(&name.as_str())) {
        return Err(ApiError::malformed(format!("{unknown}: expected only name and roles.")));
    }
    let name = body.get("name").and_then(Value::as_str);
    let name = name.filter(|name| (1..=MAX_NAME_CHARS).contains(&name.chars().count()));
    let name = name.ok_or_else(|| {
        ApiError::malformed(format!("name: expected a string of 1 to {MAX_NAME_CHARS} characters."))
    })?;
    let roles = body.get("roles").map_or(Some(vec![Role::Member]), parse_roles);
    let roles = roles.ok_or_else(|| ApiError::malformed("roles: expected some of reader, member, admin."))?;
    Ok(NewAccessKey { name: name.to_owned(), roles })
}

fn parse_roles(value: &Value) -> Option<Vec<Role>> {
    let names = value.as_array().filter(|names| !names.is_empty())?;
    let mut roles = names.iter().map(|name| Role::from_name(name.as_str()?)).collect::<Option<Vec<_>>>()?;
    roles.sort();
    roles.dedup();
    Some(roles)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::http::any_json::near_variants;

    proptest! {
        #[test]
        fn create_key_body_is_parsed_faithfully(
            body in near_variants(&json!({"name": "ci", "roles": ["member", "reader"]})),
            bytes in prop::collection::vec(any::<u8>(), 0..60),
        ) {
            let _ = parse(&bytes);
            if let Ok(new) = parse(body.to_string().as_bytes()) {
                prop_assert_eq!(body["name"].as_str(), Some(new.name.as_str()));
                let sent = body["roles"].as_array().into_iter().flatten().filter_map(Value::as_str);
                let sent: Vec<_> = sent.filter_map(Role::from_name).collect();
                let all_sent = new.roles.iter().all(|role| sent.contains(role));
                prop_assert!(all_sent || (body.get("roles").is_none() && new.roles == [Role::Member]));
            }
        }
    }

    #[test]
    fn key_role_defaults_to_member() {
        let new = parse(br#"{"name":"ci"}"#).unwrap();
        assert_eq!((new.name.as_str(), new.roles), ("ci", vec![Role::Member]));
        let new = parse(br#"{"name":"ci","roles":["Admin","reader","admin"]}"#).unwrap();
        assert_eq!(new.roles, [Role::Reader, Role::Admin]);
    }

    #[test]
    fn invalid_create_key_field_is_named() {
        let error_text = |body: &str| format!("{:?}", parse(body.as_bytes()).unwrap_err());
        for name in ["7", "null", "\"\"", &format!("\"{}\"", "x".repeat(256))] {
            assert!(
                error_text(&format!(r#"{{"name":{name}}}"#)).contains("name: expected a string of 1 to 255")
            );
        }
        for roles in ["[]", "null", "\"member\"", "[7]", "[\"owner\"]"] {
            assert!(
                error_text(&format!(r#"{{"name":"a","roles":{roles}}}"#)).contains("roles: expected some of")
            );
        }
        assert!(error_text(r#"{"name":"a","role":"reader"}"#).contains("role: expected only name and roles"));
        assert!(error_text(r#"{"name":"a","name":"b"}"#).contains("given twice"));
        assert!(error_text("[]").contains("not a JSON object"));
        assert!(error_text("").contains("cannot be read"));
    }
}
