//! The provider `imageshare`: its configuration, and what it consists of.

mod share_id;
mod token;

use std::env;
use std::time::Duration;

use async_trait::async_trait;
use imageshare_credentials::{Arguments, Found};

use crate::api::{ApiError, Client, Credential, ErrorKind, Secret, Settings};
use crate::data;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::resources;
use crate::schema::{Attribute, Schema, between, duration, not_empty, parse_duration};
use crate::server::{DataSource, Ephemeral, Function, ListResource, Provider, Resource};
use crate::value::Object;

/// The provider of imageshare.
pub struct Imageshare;

#[async_trait]
impl Provider for Imageshare {
    type Client = Client;

    fn address(&self) -> &'static str {
        "registry.terraform.io/imageshare/imageshare"
    }

    fn schema(&self) -> Schema {
        Schema::new(
            "Shares machine images between projects, with consent. A value that is left out is taken from the environment, then from a profile of the credentials file, `~/.config/imageshare/credentials.toml` or `IMAGESHARE_CREDENTIALS_FILE`.",
            [
                Attribute::string("endpoint", "The URL of the service. Else `IMAGESHARE_ENDPOINT`.").check(not_empty()),
                Attribute::string("token", "A token. Else `IMAGESHARE_TOKEN`.").sensitive().check(not_empty()),
                Attribute::string("access_key_id", "The id of an access key, in place of a token. Else `IMAGESHARE_ACCESS_KEY_ID`.")
                    .check(not_empty()),
                Attribute::string("secret_access_key", "The secret of the access key. Else `IMAGESHARE_SECRET_ACCESS_KEY`.")
                    .sensitive()
                    .check(not_empty()),
                Attribute::string("project_id", "The project to act for, if an admin's credential is of another. Else `IMAGESHARE_PROJECT_ID`.")
                    .check(not_empty()),
                Attribute::string("profile", "The profile of the credentials file. Else `IMAGESHARE_PROFILE`, else `default`.")
                    .check(not_empty()),
                Attribute::number("max_retries", "How often a call is tried again that the service was too busy for: 8, if it is left out.")
                    .check(between(0..=100)),
                Attribute::string("request_timeout", "How long one response may take: `1m`, if it is left out.").check(duration()),
            ],
        )
    }

    async fn configure(&self, config: &Object, _: &str, diagnostics: &mut Diagnostics) -> Option<Client> {
        let settings = match settings(config) {
            Ok(settings) => settings,
            Err(problem) => {
                diagnostics.push(problem);
                return None;
            }
        };
        let (has_token, project) =
            (matches!(settings.credential, Credential::Token(_)), settings.project_id.clone());
        let client = match Client::new(settings) {
            Ok(client) => client,
            Err(problem) => {
                diagnostics.push(Diagnostic::error("There is no way to connect", problem).at("endpoint"));
                return None;
            }
        };
        if let Err(problem) = check(&client, has_token, project.as_deref()).await {
            diagnostics.push(problem);
            return None;
        }
        Some(client)
    }

    fn resources(&self) -> Vec<Box<dyn Resource<Client>>> {
        resources::all()
    }

    fn data_sources(&self) -> Vec<Box<dyn DataSource<Client>>> {
        data::all()
    }

    fn ephemerals(&self) -> Vec<Box<dyn Ephemeral<Client>>> {
        vec![Box::new(token::Token)]
    }

    fn list_resources(&self) -> Vec<Box<dyn ListResource<Client>>> {
        resources::lists()
    }

    fn functions(&self) -> Vec<Box<dyn Function>> {
        vec![Box::new(share_id::ParseShareId)]
    }
}

/// Finds the endpoint and the credential, and sets what is configured beside them.
fn settings(config: &Object) -> Result<Settings, Diagnostic> {
    let owned = |name: &str| config.str(name).map(str::to_owned);
    let arguments = Arguments {
        endpoint: owned("endpoint"),
        token: owned("token").map(Secret::new),
        access_key_id: owned("access_key_id"),
        secret_access_key: owned("secret_access_key").map(Secret::new),
        project_id: owned("project_id"),
        profile: owned("profile"),
    };
    let found = imageshare_credentials::find(&arguments, |name| env::var(name).ok()).map_err(|problem| {
        let argument = problem.argument().name();
        let fault = if problem.is_missing() { "Missing" } else { "Invalid" };
        Diagnostic::error(format!("{fault} {argument}"), format!("{problem}.")).at(argument)
    })?;
    let Found { endpoint, credential, project_id } = found;
    let mut settings = Settings { project_id, ..Settings::new(endpoint, credential) };
    if let Some(retries) = config.i64("max_retries").and_then(|retries| u32::try_from(retries).ok()) {
        settings.retries.max_retries = retries;
    }
    if let Some(timeout) = config.str("request_timeout").and_then(parse_duration) {
        settings.exchange_timeout = timeout.max(Duration::from_millis(1));
    }
    Ok(settings)
}

/// Checks the endpoint and the credential by one call, so that a fault is shown once, and where it is.
async fn check(client: &Client, has_token: bool, project: Option<&str>) -> Result<(), Diagnostic> {
    let credential = if has_token { "token" } else { "access_key_id" };
    let acting = match client.service().await {
        Ok(service) => service.project_id.clone(),
        // A server before 0.2 does not say what it is.
        Err(error) if error.kind == ErrorKind::Unsupported => return Ok(()),
        Err(error) => return Err(refused(&error, credential)),
    };
    match project {
        Some(project) if project != acting => {
            let is_admin =
                client.service().await.is_ok_and(|service| service.roles.iter().any(|role| role == "admin"));
            if is_admin {
                return Ok(());
            }
            let detail = format!(
                "The credential acts for project {acting} alone. Leave project_id out, or use a credential of project {project}."
            );
            Err(Diagnostic::error("The credential is of another project", detail).at("project_id"))
        }
        _ => Ok(()),
    }
}

/// Why the first call failed, at the argument at fault.
fn refused(error: &ApiError, credential: &str) -> Diagnostic {
    let (summary, argument) = match error.kind {
        ErrorKind::Unauthorized => ("The credential is not accepted", credential),
        ErrorKind::Forbidden { .. } => ("The credential does not permit this", credential),
        ErrorKind::Unreachable | ErrorKind::TimedOut => ("The service cannot be reached", "endpoint"),
        ErrorKind::UnexpectedResponse => ("The endpoint is not an imageshare server", "endpoint"),
        _ => ("The service does not answer", "endpoint"),
    };
    Diagnostic::error(summary, error.to_string()).at(argument)
}
