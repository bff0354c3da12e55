//! `PATCH /v1/access-keys/{key_id}`: rename an access key of the caller's project. Nothing else of it can be changed.

use http::StatusCode;

use super::access_key::{AccessKeyJson, parse_name, path_key};
use crate::http::object_body::parse_object;
use crate::http::{ApiError, AuthenticatedRequest, HttpResponse, json_response};
use crate::usecases;

/// The operation's route.
pub const ROUTE: &str = "PATCH /v1/access-keys/{key_id}";

/// `{"name":"…"}` in, the access key out.
pub async fn handle(request: &AuthenticatedRequest) -> HttpResponse {
    rename(request).await.unwrap_or_else(ApiError::into_response)
}

async fn rename(request: &AuthenticatedRequest) -> Result<HttpResponse, ApiError> {
    let name = parse(request.body())?;
    let id = path_key(request)?;
    let key = usecases::rename_access_key(&request.app, request.caller(), &id, name).await?;
    Ok(json_response(StatusCode::OK, &AccessKeyJson::new(&key, None)))
}

fn parse(body: &[u8]) -> Result<String, ApiError> {
    parse_name(&parse_object(body, &["name"])?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_name_can_be_changed() {
        assert_eq!(parse(br#"{"name":"ci"}"#).unwrap(), "ci");
        let error_text = |body: &str| format!("{:?}", parse(body.as_bytes()).unwrap_err());
        for body in [r#"{"name":""}"#, r#"{"name":null}"#, "{}"] {
            assert!(error_text(body).contains("name: expected a string of 1 to 255"), "{body}");
        }
        for member in ["roles", "expires_at", "secret", "disabled_at"] {
            let text = error_text(&format!(r#"{{"name":"a","{member}":null}}"#));
            assert!(text.contains(&format!("{member}: expected only name.")), "{text}");
        }
    }
}
