//! `PUT /v1/tenants/{project_id}`: create or replace a tenant's entry in the directory.

use http::StatusCode;
use serde_json::{Map, Value};

use super::{TenantBody, path_tenant};
use crate::domain::{DirectoryEntry, ID_FORMAT, NAME_FORMAT, Name, Region, TenantId};
use crate::facade::registry::body::parse_object;
use crate::http::{ApiError, AuthenticatedRequest, HttpResponse, json_response};
use crate::usecases;

/// The operation's route.
pub const ROUTE: &str = "PUT /v1/tenants/{project_id}";

/// `{"account":"…","project":"…","region":"…"}` in, `{"tenant":{…}}` out. The region is by default that of the service.
pub async fn handle(request: &AuthenticatedRequest) -> HttpResponse {
    put(request).await.unwrap_or_else(ApiError::into_response)
}

async fn put(request: &AuthenticatedRequest) -> Result<HttpResponse, ApiError> {
    let entry = parse(path_tenant(request)?, request.body(), &request.app.settings.region)?;
    usecases::put_tenant(&request.app, request.caller(), &entry).await?;
    Ok(json_response(StatusCode::OK, &TenantBody { tenant: (&entry).into() }))
}

/// Parses the body. An unknown member is an error: a misspelt `region` would put the tenant into the default region.
fn parse(tenant: TenantId, body: &[u8], default_region: &str) -> Result<DirectoryEntry, ApiError> {
    let malformed = |message: String| ApiError::malformed(message);
    let body = parse_object(body, &["account", "project", "region"])?;
    let region = match body.get("region") {
        None => Some(default_region),
        Some(region) => region.as_str(),
    };
    let region = region.and_then(|text| text.parse::<Region>().ok());
    Ok(DirectoryEntry {
        tenant,
        account: parse_name(&body, "account")?,
        project: parse_name(&body, "project")?,
        region: region.ok_or_else(|| malformed(format!("region: expected {ID_FORMAT}.")))?,
    })
}

fn parse_name(body: &Map<String, Value>, field: &str) -> Result<Name, ApiError> {
    let name = body.get(field).and_then(Value::as_str).and_then(|text| text.parse().ok());
    name.ok_or_else(|| ApiError::malformed(format!("{field}: expected {NAME_FORMAT}.")))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::http::any_json::near_variants;

    proptest! {
        #[test]
        fn tenant_body_is_parsed_faithfully(
            body in near_variants(&json!({"account": "acme", "project": "web", "region": "eu-nl"})),
            text in ".{0,60}",
        ) {
            let _ = parse_entry(&text);
            if let Ok(entry) = parse_entry(&body.to_string()) {
                prop_assert_eq!(body["account"].as_str(), Some(entry.account.as_str()));
                prop_assert_eq!(body["project"].as_str(), Some(entry.project.as_str()));
                prop_assert_eq!(body["region"].as_str().unwrap_or("eu-de"), entry.region.as_str());
            }
        }
    }

    fn parse_entry(body: &str) -> Result<DirectoryEntry, ApiError> {
        parse("t-1".parse().unwrap(), body.as_bytes(), "eu-de")
    }

    #[test]
    fn tenant_region_defaults_to_this_region() {
        let entry = parse_entry(r#"{"account":"acme","project":"eu-de_web"}"#).unwrap();
        assert_eq!((entry.project.as_str(), entry.region.as_str()), ("eu-de_web", "eu-de"));
        let entry = parse_entry(r#"{"account":"acme","project":"web","region":"eu-nl"}"#).unwrap();
        assert_eq!((entry.account.as_str(), entry.region.as_str()), ("acme", "eu-nl"));
    }

    #[test]
    fn invalid_tenant_field_is_named() {
        let error_text = |body: &str| format!("{:?}", parse_entry(body).unwrap_err());
        for name in ["7", "null", "\"\"", "\" a\"", "\"a\\n\"", &format!("\"{}\"", "x".repeat(65))] {
            let account = error_text(&format!(r#"{{"account":{name},"project":"web"}}"#));
            assert!(account.contains("account: expected 1 to 64 characters"), "{account}");
            let project = error_text(&format!(r#"{{"account":"acme","project":{name}}}"#));
            assert!(project.contains("project: expected 1 to 64 characters"), "{project}");
        }
        for region in ["7", "null", "\"\"", "\"eu de\""] {
            let body = format!(r#"{{"account":"acme","project":"web","region":{region}}}"#);
            assert!(error_text(&body).contains("region: expected 1 to 64"), "{body}");
        }
        assert!(error_text(r#"{"account":"a"}"#).contains("project: expected"));
        assert!(
            error_text(r#"{"account":"a","project":"b","regoin":"c"}"#).contains("regoin: expected only")
        );
        assert!(error_text(r#"{"account":"a","account":"b","project":"c"}"#).contains("given twice"));
        assert!(
            error_text("[]").contains("not a JSON object")
                && error_text("").contains("Send a JSON object with account, project, region")
        );
    }
}
