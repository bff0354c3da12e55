//! `imageshare tenants`: reads and writes a service's directory of tenants, over its API.

mod file;
mod import;
mod progress;

use std::time::Duration;

use imageshare::domain::{Entry, Role, TenantId};
use serde_json::{Value, json};

pub use self::import::ImportError;
use crate::cli::{ListFormat, Place, TenantsCommand};
use crate::client::{Client, ClientError};
use crate::keys::Grant;

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
        TenantsCommand::Import { file, format, place } => {
            Ok(import::import(file, *format, || client(place)).await?)
        }
        TenantsCommand::List { format, place } => {
            let tenants = all(&client(place)?).await?;
            Ok(match format {
                ListFormat::Text => tenants.iter().map(line).collect(),
                ListFormat::Csv => file::csv(&tenants),
                ListFormat::Json => file::json(&tenants),
            })
        }
        TenantsCommand::Show { project, place } => {
            let answer = client(place)?.ask("GET", &path(project), None).await?;
            Ok(line(&parse(answer.get("tenant").unwrap_or(&Value::Null))?))
        }
        TenantsCommand::Delete { project, place } => {
            client(place)?.ask("DELETE", &path(project), None).await?;
            Ok(String::new())
        }
    }
}

/// Asks as an admin: with the token that was given, or one of a local server's.
fn client(place: &Place) -> Result<Client, ClientError> {
    let project = ACTING_PROJECT.parse().map_err(|_| ClientError::Strange)?;
    let (roles, lifetime) = (vec![Role::Admin], Duration::from_mins(1));
    Client::at(place, Grant { project, account: None, user: None, roles, lifetime })
}

fn path(tenant: &TenantId) -> String {
    format!("/v1/tenants/{tenant}")
}

/// The whole directory, page by page.
async fn all(client: &Client) -> Result<Vec<Entry>, ClientError> {
    let (mut tenants, mut target) = (Vec::new(), "/v1/tenants".to_owned());
    loop {
        let page = client.ask("GET", &target, None).await?;
        let listed = page.get("tenants").and_then(Value::as_array).ok_or(ClientError::Strange)?;
        for tenant in listed {
            tenants.push(parse(tenant)?);
        }
        match page.pointer("/page_info/next_marker").and_then(Value::as_str) {
            Some(marker) => target = format!("/v1/tenants?marker={marker}"),
            None => return Ok(tenants),
        }
    }
}

/// A tenant as the service shows it.
fn parse(wire: &Value) -> Result<Entry, ClientError> {
    fn field<T: std::str::FromStr>(wire: &Value, name: &str) -> Result<T, ClientError> {
        let text = wire.get(name).and_then(Value::as_str);
        text.and_then(|text| text.parse().ok()).ok_or(ClientError::Strange)
    }
    Ok(Entry {
        tenant: field(wire, "project_id")?,
        account: field(wire, "account")?,
        project: field(wire, "project")?,
        region: field(wire, "region")?,
    })
}

/// A tenant as the service, and a JSON file, has it.
fn wire(entry: &Entry) -> Value {
    json!({
        "project_id": entry.tenant.as_str(),
        "account": entry.account.as_str(),
        "project": entry.project.as_str(),
        "region": entry.region.as_str(),
    })
}

/// Names hold no control characters, and so no tab.
fn line(entry: &Entry) -> String {
    format!("{}\t{}\t{}\t{}\n", entry.tenant, entry.account, entry.project, entry.region)
}
