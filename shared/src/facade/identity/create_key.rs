//! `POST /v1/access-keys`: create an access key of the caller's project. The response has the secret, unless the client
//! chose it. It is never shown again, except to a retry with the same `Idempotency-Key`.

use http::StatusCode;
use http::header::{CACHE_CONTROL, HeaderValue};
use serde_json::{Value, json};

use super::access_key::{AccessKeyJson, parse_name};
use crate::auth::Secret;
use crate::domain::{Role, Timestamp};
use crate::http::object_body::parse_object;
use crate::http::{ApiError, AuthenticatedRequest, HttpResponse, idempotency, json_response};
use crate::usecases::{self, NewAccessKey};

/// The operation's route.
pub const ROUTE: &str = "POST /v1/access-keys";

/// What an `expires_at` has to be, for the error.
pub(super) const EXPECTED_EXPIRY: &str =
    "a time of RFC 3339 in the next 3,650 days, such as 2027-01-31T00:00:00Z";

/// `{"name":"…","roles":["member"],"expires_at":"…","secret":"…"}` in, the access key with its secret out (201).
pub async fn handle(request: &AuthenticatedRequest) -> HttpResponse {
    create(request).await.unwrap_or_else(ApiError::into_response)
}

async fn create(request: &AuthenticatedRequest) -> Result<HttpResponse, ApiError> {
    let new = parse(request.body())?;
    let caller = request.caller();
    // The user is part of the content: another user of the project must not get the secret by sending the same request
    // with the same idempotency key. A chosen secret is not, since a digest of it would be stored.
    let roles: Vec<_> = new.roles.iter().map(|role| role.name()).collect();
    let mut content = vec![json!(caller.user), json!(new.name), json!(roles)];
    content.extend(new.expires_at.map(|end| json!(end.unix_millis())));
    let idempotency = idempotency::parse_header(request, &content)?;
    let (key, secret) =
        usecases::create_access_key(&request.app, &request.keyring, caller, new, idempotency.as_ref())
            .await?;
    let shown = key.sealed_secret.is_none().then(|| secret.reveal());
    let mut response = json_response(StatusCode::CREATED, &AccessKeyJson::new(&key, shown));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// Parses the body. An unknown member is an error: a misspelt `roles` would create a key with the default role, and a
/// misspelt `expires_at` one that never expires.
fn parse(body: &[u8]) -> Result<NewAccessKey, ApiError> {
    let body = parse_object(body, &["name", "roles", "expires_at", "secret"])?;
    let roles = body.get("roles").map_or(Some(vec![Role::Member]), parse_roles);
    let roles = roles.ok_or_else(|| ApiError::malformed("roles: expected some of reader, member, admin."))?;
    let expires_at = body.get("expires_at").map(|value| {
        let time = value.as_str().and_then(Timestamp::parse_rfc3339);
        time.ok_or_else(|| ApiError::malformed(format!("expires_at: expected {EXPECTED_EXPIRY}.")))
    });
    let secret = body.get("secret").map(|value| {
        let secret = Secret::chosen(value.as_str().unwrap_or_default());
        secret.map_err(|problem| ApiError::malformed(format!("secret: {problem}.")))
    });
    Ok(NewAccessKey {
        name: parse_name(&body)?,
        roles,
        expires_at: expires_at.transpose()?,
        secret: secret.transpose()?,
    })
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
            body in near_variants(&json!({"name": "ci", "roles": ["member", "reader"],
                "expires_at": "2027-01-31T00:00:00Z", "secret": "s".repeat(32)})),
            bytes in prop::collection::vec(any::<u8>(), 0..60),
        ) {
            let _ = parse(&bytes);
            if let Ok(new) = parse(body.to_string().as_bytes()) {
                prop_assert_eq!(body["name"].as_str(), Some(new.name.as_str()));
                let sent = body["roles"].as_array().into_iter().flatten().filter_map(Value::as_str);
                let sent: Vec<_> = sent.filter_map(Role::from_name).collect();
                let all_sent = new.roles.iter().all(|role| sent.contains(role));
                prop_assert!(all_sent || (body.get("roles").is_none() && new.roles == [Role::Member]));
                let end = new.expires_at.map(Timestamp::to_iso_seconds);
                prop_assert_eq!(body["expires_at"].as_str(), end.as_deref());
                prop_assert_eq!(body["secret"].as_str(), new.secret.as_ref().map(Secret::reveal));
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
        for end in ["null", "1795000000", "\"2027-01-31\"", "\"2027-01-31T00:00:00\"", "\"tomorrow\""] {
            let text = error_text(&format!(r#"{{"name":"a","expires_at":{end}}}"#));
            assert!(text.contains("expires_at: expected a time of RFC 3339"), "{text}");
        }
        for secret in ["null", "7", "\"short\"", &format!("\"{}\"", " ".repeat(32))] {
            let text = error_text(&format!(r#"{{"name":"a","secret":{secret}}}"#));
            assert!(text.contains("secret: expected 32 to 128 visible ASCII"), "{text}");
        }
        assert!(error_text(r#"{"name":"a","role":"reader"}"#).contains("role: expected only name, roles"));
        assert!(error_text(r#"{"name":"a","name":"b"}"#).contains("given twice"));
        assert!(error_text("[]").contains("not a JSON object"));
        assert!(error_text("").contains("body is empty"));
    }
}
