//! A function's environment variables, and what is wrong with them.

use std::env;
use std::fmt;

use aws_credential_types::Credentials;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::config::{BehaviorVersion, Builder, Region};
use aws_smithy_http_client::Builder as HttpBuilder;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use http::Uri;
use std::time::Duration;

use crate::auth::{AwsService, SecretStores};

/// An error in a function's environment, which lasts until the function is deployed again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadDeployment {
    /// A variable is missing.
    #[error("the environment variable {0} is missing: set it, and deploy the function again")]
    Missing(&'static str),
    /// A variable has a value that cannot be used.
    #[error("the environment variable {setting} is invalid: {problem}")]
    Invalid {
        /// The variable.
        setting: &'static str,
        /// What is wrong, for the log.
        problem: String,
    },
}

impl BadDeployment {
    /// The variable and the kind of error, for callers: without its value, and without details of the deployment.
    pub(super) fn summary(&self) -> String {
        match self {
            Self::Missing(setting) => format!("{setting} is missing"),
            Self::Invalid { setting, .. } => format!("{setting} is invalid"),
        }
    }
}

/// Returns what makes the error of a variable from what is wrong with its value.
pub(super) fn invalid<E: fmt::Display>(setting: &'static str) -> impl Fn(E) -> BadDeployment {
    move |problem| BadDeployment::Invalid { setting, problem: problem.to_string() }
}

/// Reads a variable that must be set.
pub(super) fn required_var(name: &'static str) -> Result<String, BadDeployment> {
    optional_var(name).ok_or(BadDeployment::Missing(name))
}

/// Reads a variable. An empty one counts as missing, since deployment tools set variables to nothing.
pub(super) fn optional_var(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

/// Access to the services of AWS, as Lambda gives it to a function.
pub(super) struct Aws {
    pub(super) region: String,
    credentials: Credentials,
}

impl Aws {
    /// Reads Lambda's variables.
    pub(super) fn from_env() -> Result<Self, BadDeployment> {
        let credentials = Credentials::new(
            required_var("AWS_ACCESS_KEY_ID")?,
            required_var("AWS_SECRET_ACCESS_KEY")?,
            optional_var("AWS_SESSION_TOKEN"),
            None,
            "environment",
        );
        Ok(Self { region: required_var("AWS_REGION")?, credentials })
    }

    /// A client of DynamoDB. Opens no connection yet.
    pub(super) fn dynamodb_client(&self) -> Result<Client, BadDeployment> {
        let http = HttpBuilder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
        // The store retries, until the deadline of its request.
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(Duration::from_secs(2))
            .operation_timeout(Duration::from_secs(4));
        let config = Builder::new()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(self.region.clone()))
            .credentials_provider(self.credentials.clone())
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeouts.build())
            .http_client(http);
        let config = match endpoint_url("AWS_ENDPOINT_URL_DYNAMODB")? {
            Some(url) => config.endpoint_url(url),
            None => config,
        };
        Ok(Client::from_conf(config.build()))
    }

    /// A client of a service by its name in signatures; `None` if the TLS library cannot be used. `endpoint_setting`
    /// names the variable that sets another endpoint.
    pub(super) fn service(
        &self,
        name: &'static str,
        endpoint_setting: &'static str,
        timeout: Duration,
    ) -> Result<Option<AwsService>, BadDeployment> {
        let url = endpoint_url(endpoint_setting)?;
        Ok(AwsService::new(name, &self.region, url.as_deref(), self.credentials.clone(), timeout))
    }

    /// Access to the services that keep secrets.
    pub(super) fn secret_stores(&self) -> Result<SecretStores, BadDeployment> {
        Ok(SecretStores {
            region: self.region.clone(),
            credentials: self.credentials.clone(),
            ssm_url: endpoint_url("AWS_ENDPOINT_URL_SSM")?,
            secrets_manager_url: endpoint_url("AWS_ENDPOINT_URL_SECRETS_MANAGER")?,
        })
    }
}

/// The URL of another endpoint of a service, if one is set: for the service, or for all.
fn endpoint_url(service: &'static str) -> Result<Option<String>, BadDeployment> {
    for name in [service, "AWS_ENDPOINT_URL"] {
        if let Some(url) = optional_var(name) {
            let expected = || invalid(name)("expected http://HOST[:PORT] or https://HOST[:PORT]");
            let uri: Uri = url.parse().map_err(|_| expected())?;
            let is_web = matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some();
            return if is_web { Ok(Some(url)) } else { Err(expected()) };
        }
    }
    Ok(None)
}
