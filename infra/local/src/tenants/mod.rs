//! `imageshare tenants`: reads and writes a service's directory of tenants, over its API.

mod file;
mod import;
mod progress;
mod wire;

use std::time::Duration;

use imageshare::domain::{DirectoryEntry, Role};
use serde_json::Value;

pub use self::import::ImportError;
use self::wire::{list_tenants, parse_tenant, tenant_path};
use crate::cli::{ListFormat, ServerLocation, TenantsCommand};
use crate::client::{Client, ClientError};
use crate::keys::TokenClaims;

/// What the service's log calls the project that the command acts for.
const ACTING_PROJECT: &str = "command-line";

/// Why nothing came of it.
#[derive(Debug, thiserror::Error)]
pub enum TenantsError {
    /// The service did not do it.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// A file was not imported.
    #[error(transparent)]
    Import(#[from] ImportError),
}

/// Does what was asked for. Returns what is to be printed.
///
/// # Errors
/// Says what is in the way.
pub async fn run(command: &TenantsCommand) -> Result<String, TenantsError> {
    match command {
        TenantsCommand::Import { file, format, location: place } => {
            Ok(import::import(file, *format, || admin_client(place)).await?)
        }
        TenantsCommand::List { format, location: place } => {
            let tenants = list_tenants(&admin_client(place)?).await?;
            Ok(match format {
                ListFormat::Text => tenants.iter().map(format_tenant).collect(),
                ListFormat::Csv => file::to_csv(&tenants),
                ListFormat::Json => file::to_json(&tenants),
            })
        }
        TenantsCommand::Show { project, location: place } => {
            let answer = admin_client(place)?.request("GET", &tenant_path(project), None).await?;
            Ok(format_tenant(&parse_tenant(answer.get("tenant").unwrap_or(&Value::Null))?))
        }
        TenantsCommand::Delete { project, location: place } => {
            admin_client(place)?.request("DELETE", &tenant_path(project), None).await?;
            Ok(String::new())
        }
    }
}

/// Asks as an admin: with the token that was given, or one of a local server's.
fn admin_client(place: &ServerLocation) -> Result<Client, ClientError> {
    let project = ACTING_PROJECT.parse().map_err(|_| ClientError::UnexpectedResponse)?;
    let (roles, lifetime) = (vec![Role::Admin], Duration::from_mins(1));
    Client::for_server(place, TokenClaims { project, account: None, user: None, roles, lifetime })
}

/// Names hold no control characters, and so no tab.
fn format_tenant(entry: &DirectoryEntry) -> String {
    format!("{}\t{}\t{}\t{}\n", entry.tenant, entry.account, entry.project, entry.region)
}
