//! `imageshare tenants`: reads and writes a service's directory of tenants, over its API.

mod file;
mod import;
mod progress;
mod wire;

use std::time::Duration;

use imageshare::domain::{CloudAccountId, DirectoryEntry, OrganizationId, Role};
use serde_json::Value;

pub use self::import::ImportError;
use self::wire::{list_tenants, parse_tenant, tenant_path};
use crate::cli::{ListFormat, ServerLocation, TenantsCommand};
use crate::client::{Client, ClientError};
use crate::keys::TokenClaims;

/// The project of the command's own tokens, as the service's log names it.
const ACTING_PROJECT: &str = "command-line";

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum TenantsError {
    /// The service refused, or cannot be reached.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// A file was not imported.
    #[error(transparent)]
    Import(#[from] ImportError),
}

/// Runs the command, and returns its output.
///
/// # Errors
/// [`TenantsError`] if the file is invalid, or the service refuses or cannot be reached.
pub async fn run(command: &TenantsCommand) -> Result<String, TenantsError> {
    match command {
        TenantsCommand::Import { file, format, location } => {
            Ok(import::import(file, *format, || admin_client(location)).await?)
        }
        TenantsCommand::List { format, location } => {
            let tenants = list_tenants(&admin_client(location)?).await?;
            Ok(match format {
                ListFormat::Text => tenants.iter().map(format_tenant).collect(),
                ListFormat::Csv => file::to_csv(&tenants),
                ListFormat::Json => file::to_json(&tenants),
            })
        }
        TenantsCommand::Show { project, location } => {
            let response = admin_client(location)?.request("GET", &tenant_path(project), None).await?;
            Ok(format_tenant(&parse_tenant(response.get("tenant").unwrap_or(&Value::Null))?))
        }
        TenantsCommand::Delete { project, location } => {
            admin_client(location)?.request("DELETE", &tenant_path(project), None).await?;
            Ok(String::new())
        }
    }
}

/// Opens a client with the role admin: with the token in the environment, or with tokens for a local server.
fn admin_client(location: &ServerLocation) -> Result<Client, ClientError> {
    let project = ACTING_PROJECT.parse().map_err(|_| ClientError::UnexpectedResponse)?;
    let (roles, lifetime) = (vec![Role::Admin], Duration::from_mins(1));
    Client::for_server(location, TokenClaims { project, account: None, user: None, roles, lifetime })
}

/// Formats a tenant as a line with tabs: four fields, and two more if the tenant has one of them. Names have no control
/// characters, so no tab.
fn format_tenant(entry: &DirectoryEntry) -> String {
    let DirectoryEntry { tenant, account, project, region, organization, cloud_account } = entry;
    let names = format!("{tenant}\t{account}\t{project}\t{region}");
    if organization.is_none() && cloud_account.is_none() {
        return names + "\n";
    }
    let organization = organization.as_ref().map_or("", OrganizationId::as_str);
    let cloud_account = cloud_account.as_ref().map_or("", CloudAccountId::as_str);
    format!("{names}\t{organization}\t{cloud_account}\n")
}
