//! Tenants in the service's API.

use imageshare::domain::{CloudAccountId, DirectoryEntry, OrganizationId, TenantId};
use serde_json::Value;

use crate::client::{Client, ClientError};

pub(super) fn tenant_path(tenant: &TenantId) -> String {
    format!("/v1/tenants/{tenant}")
}

/// Reads the whole directory, page by page.
pub(super) async fn list_tenants(client: &Client) -> Result<Vec<DirectoryEntry>, ClientError> {
    let (mut tenants, mut target) = (Vec::new(), "/v1/tenants".to_owned());
    loop {
        let page = client.request("GET", &target, None).await?;
        let listed = page.get("tenants").and_then(Value::as_array).ok_or(ClientError::UnexpectedResponse)?;
        for tenant in listed {
            tenants.push(parse_tenant(tenant)?);
        }
        match page.pointer("/page_info/next_marker").and_then(Value::as_str) {
            Some(marker) => target = format!("/v1/tenants?marker={marker}"),
            None => return Ok(tenants),
        }
    }
}

/// Parses a tenant of a response.
pub(super) fn parse_tenant(wire: &Value) -> Result<DirectoryEntry, ClientError> {
    fn field<T: std::str::FromStr>(wire: &Value, name: &str) -> Result<T, ClientError> {
        let text = wire.get(name).and_then(Value::as_str);
        text.and_then(|text| text.parse().ok()).ok_or(ClientError::UnexpectedResponse)
    }
    fn optional<T: std::str::FromStr>(wire: &Value, name: &str) -> Result<Option<T>, ClientError> {
        if wire.get(name).is_none() { Ok(None) } else { field(wire, name).map(Some) }
    }
    Ok(DirectoryEntry {
        tenant: field(wire, "project_id")?,
        account: field(wire, "account")?,
        project: field(wire, "project")?,
        region: field(wire, "region")?,
        organization: optional(wire, "organization")?,
        cloud_account: optional(wire, "cloud_account")?,
    })
}

/// Formats a tenant as in the service's responses, and as in a JSON file.
pub(super) fn tenant_json(entry: &DirectoryEntry) -> Value {
    let members = [
        ("project_id", Some(entry.tenant.as_str())),
        ("account", Some(entry.account.as_str())),
        ("project", Some(entry.project.as_str())),
        ("region", Some(entry.region.as_str())),
        ("organization", entry.organization.as_ref().map(OrganizationId::as_str)),
        ("cloud_account", entry.cloud_account.as_ref().map(CloudAccountId::as_str)),
    ];
    members.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}
