//! `PUT /v1/vaults/{vault_id}`: create a vault or replace its details.

use http::StatusCode;
use serde_json::{Map, Value};

use super::{VaultBody, path_vault};
use crate::domain::{MAX_VAULT_GIB, UnknownValue, VaultDetails, VaultStatus};
use crate::facade::registry::body::parse_object;
use crate::http::{ApiError, AuthenticatedRequest, HttpResponse, json_response};
use crate::usecases;

/// The operation's route.
pub const ROUTE: &str = "PUT /v1/vaults/{vault_id}";

/// `{"protection_type":"backup","capacity_gib":100,"status":"available"}` in, `{"vault":{…}}` out. `status` is by
/// default `available`.
pub async fn handle(request: &AuthenticatedRequest) -> HttpResponse {
    put(request).await.unwrap_or_else(ApiError::into_response)
}

async fn put(request: &AuthenticatedRequest) -> Result<HttpResponse, ApiError> {
    let (id, details) = (path_vault(request)?, parse(request.body())?);
    let vault = usecases::put_vault(&request.app, request.caller(), id, &details).await?;
    Ok(json_response(StatusCode::OK, &VaultBody { vault: (&vault).into() }))
}

fn parse(body: &[u8]) -> Result<VaultDetails, ApiError> {
    let body = parse_object(body, &["protection_type", "capacity_gib", "status"])?;
    let malformed =
        |field: &str, expected: &str| ApiError::malformed(format!("{field}: expected {expected}."));
    let protection = text_member(&body, "protection_type").parse();
    let status = match body.get("status") {
        None => Ok(VaultStatus::Available),
        Some(_) => text_member(&body, "status").parse(),
    };
    let capacity = body.get("capacity_gib").and_then(Value::as_u64).and_then(|gib| u32::try_from(gib).ok());
    let capacity = capacity.filter(|gib| (1..=MAX_VAULT_GIB).contains(gib));
    Ok(VaultDetails {
        protection: protection.map_err(|UnknownValue(expected)| malformed("protection_type", expected))?,
        status: status.map_err(|UnknownValue(expected)| malformed("status", expected))?,
        capacity_gib: capacity.ok_or_else(|| {
            malformed("capacity_gib", &format!("a whole number of GiB from 1 to {MAX_VAULT_GIB}"))
        })?,
    })
}

/// A member's string. Empty, and so invalid, if it is missing or of another type.
fn text_member<'a>(body: &'a Map<String, Value>, field: &str) -> &'a str {
    body.get(field).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::domain::Protection;
    use crate::http::any_json::near_variants;

    proptest! {
        #[test]
        fn vault_body_is_parsed_faithfully(
            body in near_variants(&json!({"protection_type": "backup", "capacity_gib": 100, "status": "frozen"})),
            bytes in prop::collection::vec(any::<u8>(), 0..60),
        ) {
            let _ = parse(&bytes);
            if let Ok(vault) = parse(body.to_string().as_bytes()) {
                prop_assert_eq!(body["protection_type"].as_str(), Some(vault.protection.as_str()));
                prop_assert_eq!(body["capacity_gib"].as_u64(), Some(u64::from(vault.capacity_gib)));
                prop_assert_eq!(body["status"].as_str().unwrap_or("available"), vault.status.as_str());
            }
        }
    }

    #[test]
    fn vault_status_defaults_to_available() {
        let vault = parse(br#"{"protection_type":"backup","capacity_gib":100}"#).unwrap();
        let available = VaultStatus::Available;
        let expected = VaultDetails { protection: Protection::Backup, status: available, capacity_gib: 100 };
        assert_eq!(vault, expected);
        let vault =
            parse(br#"{"protection_type":"replication","capacity_gib":1,"status":"frozen"}"#).unwrap();
        assert_eq!((vault.protection, vault.status), (Protection::Replication, VaultStatus::Frozen));
    }

    #[test]
    fn invalid_vault_field_is_named() {
        let error_text = |body: &str| format!("{:?}", parse(body.as_bytes()).unwrap_err());
        for protection in ["7", "null", "\"\"", "\"Backup\""] {
            let body = format!(r#"{{"protection_type":{protection},"capacity_gib":1}}"#);
            assert!(error_text(&body).contains("protection_type: expected"), "{body}");
        }
        for gib in ["0", "-1", "1.5", "1e3", "\"5\"", "null", "10485761", "99999999999999999999"] {
            let body = format!(r#"{{"protection_type":"backup","capacity_gib":{gib}}}"#);
            assert!(
                error_text(&body).contains("capacity_gib: expected a whole number of GiB from 1"),
                "{body}"
            );
        }
        let status = error_text(r#"{"protection_type":"backup","capacity_gib":1,"status":null}"#);
        assert!(status.contains("status: expected"), "{status}");
        assert!(error_text(r#"{"protection_type":"backup"}"#).contains("capacity_gib: expected"));
        assert!(
            error_text(r#"{"protection":"backup"}"#).contains("protection: expected only protection_type")
        );
        assert!(error_text(r#"{"capacity_gib":1,"capacity_gib":2}"#).contains("given twice"));
        assert!(error_text(" ").contains("Send a JSON object with protection_type, capacity_gib"));
    }
}
