//! `PUT /v1/tenants/{project_id}`: create or replace a tenant's entry in the directory.

use std::str::FromStr;

use http::StatusCode;
use serde_json::{Map, Value};

use super::{TenantBody, path_tenant};
use crate::domain::{CLOUD_ACCOUNT_FORMAT, DirectoryEntry, ID_FORMAT, NAME_FORMAT, Name, Region, TenantId};
use crate::facade::registry::body::parse_object;
use crate::http::{ApiError, AuthenticatedRequest, HttpResponse, json_response};
use crate::usecases;

/// The operation's route.
pub const ROUTE: &str = "PUT /v1/tenants/{project_id}";

/// `{"account":"…","project":"…","region":"…","organization":"…","cloud_account":"…"}` in, `{"tenant":{…}}` out. The
/// region is by default that of the service. Without the last two, the tenant is in no organization and is bound to no
/// cloud account: the body replaces the entry.
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
    let body = parse_object(body, &["account", "project", "region", "organization", "cloud_account"])?;
    let region: Option<Region> = parse_optional(&body, "region", ID_FORMAT)?;
    Ok(DirectoryEntry {
        tenant,
        account: parse_name(&body, "account")?,
        project: parse_name(&body, "project")?,
        region: region
            .or_else(|| default_region.parse().ok())
            .ok_or_else(|| malformed_field("region", ID_FORMAT))?,
        organization: parse_optional(&body, "organization", ID_FORMAT)?,
        cloud_account: parse_optional(&body, "cloud_account", CLOUD_ACCOUNT_FORMAT)?,
    })
}

fn parse_name(body: &Map<String, Value>, field: &str) -> Result<Name, ApiError> {
    parse_optional(body, field, NAME_FORMAT)?.ok_or_else(|| malformed_field(field, NAME_FORMAT))
}

fn parse_optional<T: FromStr>(
    body: &Map<String, Value>,
    field: &str,
    expected: &str,
) -> Result<Option<T>, ApiError> {
    let Some(value) = body.get(field) else { return Ok(None) };
    let parsed = value.as_str().and_then(|text| text.parse().ok());
    parsed.map(Some).ok_or_else(|| malformed_field(field, expected))
}

fn malformed_field(field: &str, expected: &str) -> ApiError {
    ApiError::malformed(format!("{field}: expected {expected}."))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::domain::{CloudAccountId, OrganizationId};
    use crate::http::any_json::near_variants;

    proptest! {
        #[test]
        fn tenant_body_is_parsed_faithfully(
            body in near_variants(&json!({
                "account": "acme", "project": "web", "region": "eu-nl",
                "organization": "o-1", "cloud_account": "123456789012",
            })),
            text in ".{0,60}",
        ) {
            let _ = parse_entry(&text);
            if let Ok(entry) = parse_entry(&body.to_string()) {
                prop_assert_eq!(body["account"].as_str(), Some(entry.account.as_str()));
                prop_assert_eq!(body["project"].as_str(), Some(entry.project.as_str()));
                prop_assert_eq!(body["region"].as_str().unwrap_or("eu-de"), entry.region.as_str());
                prop_assert_eq!(body["organization"].as_str(), entry.organization.as_ref().map(OrganizationId::as_str));
                prop_assert_eq!(body["cloud_account"].as_str(), entry.cloud_account.as_ref().map(CloudAccountId::as_str));
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
        for account in ["7", "null", "\"\"", "\"12345678901\"", "\"1234-5678-9012\""] {
            let body = format!(r#"{{"account":"acme","project":"web","cloud_account":{account}}}"#);
            assert!(error_text(&body).contains("cloud_account: expected 12 digits"), "{body}");
        }
        let body = r#"{"account":"acme","project":"web","organization":"a b"}"#;
        assert!(error_text(body).contains("organization: expected 1 to 64"));
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
