//! Finds a table in DynamoDB: its region, the credentials for it, and clients.
//!
//! Credentials and region come from where every AWS SDK looks: the environment, the shared profile, a web identity, the
//! credentials of the container (ECS, EKS), the instance's metadata. Functions read the environment only, to start
//! faster; for a server the standard chain is worth its size, since it also renews what expires.

use std::error::Error;
use std::time::Duration;

use aws_config::SdkConfig;
use aws_config::environment::EnvironmentVariableRegionProvider;
use aws_config::imds::region::ImdsRegionProvider;
use aws_config::meta::region::ProvideRegion;
use aws_config::profile::ProfileFileRegionProvider;
use aws_config::provider_config::ProviderConfig;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::config::{BehaviorVersion, Builder, ProvideCredentials, Region, SharedHttpClient};
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodbstreams::Client as StreamClient;
use aws_smithy_http_client::Builder as HttpBuilder;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};

use super::error::RemoteError;
use crate::cli::{TableEndpoint, TableName};
use crate::client::root_cause;

/// How long a connection may take to be opened.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// How long one call to the table may take. The store retries, until the deadline of its request.
const CALL_TIMEOUT: Duration = Duration::from_secs(4);

/// How long a call about the table may take, with the SDK's retries.
const ADMIN_TIMEOUT: Duration = Duration::from_secs(20);

/// The codes for credentials that are missing, wrong, expired, or not allowed to make the call.
const DENIED: [&str; 7] = [
    "AccessDeniedException",
    "ExpiredTokenException",
    "IncompleteSignatureException",
    "InvalidSignatureException",
    "MissingAuthenticationTokenException",
    "NotAuthorized",
    "UnrecognizedClientException",
];

/// A table in DynamoDB that can be called: who calls it, where it is, and how it is called.
#[derive(Debug, Clone)]
pub struct Connection {
    /// The name of the table.
    pub table: TableName,
    /// The region that calls are signed for.
    pub region: String,
    /// The address of the API, if it is not AWS's own.
    endpoint: Option<String>,
    config: SdkConfig,
}

impl Connection {
    /// Finds the region and the credentials. `service_region` is the region that the server was given for its clients,
    /// if it was; it is the table's where nothing else says which that is. Makes no call to the table.
    ///
    /// # Errors
    /// [`RemoteError`] if there is no region, or there are no credentials.
    pub async fn open(
        table: &TableName,
        endpoint: &TableEndpoint,
        service_region: Option<&str>,
    ) -> Result<Self, RemoteError> {
        let http = HttpBuilder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
        let region = find_region(endpoint, service_region, &http).await;
        let region = region.ok_or_else(|| RemoteError::NoRegion { table: table.clone() })?;
        let config = aws_config::defaults(BehaviorVersion::latest())
            .region(region.clone())
            .http_client(http)
            .load()
            .await;
        let credentials = match config.credentials_provider() {
            Some(provider) => provider.provide_credentials().await.map_err(|problem| root_cause(&problem)),
            None => Err("there is no source of credentials".to_owned()),
        };
        // The list of sources that were tried has several lines.
        let one_line = |problem: String| problem.split_whitespace().collect::<Vec<_>>().join(" ");
        credentials.map_err(|problem| RemoteError::NoCredentials { problem: one_line(problem) })?;
        let endpoint = endpoint.endpoint_url.clone();
        Ok(Self { table: table.clone(), region: region.to_string(), endpoint, config })
    }

    /// Where the table is, for messages: its region, or the address that was given.
    pub fn place(&self) -> &str {
        self.endpoint.as_deref().unwrap_or(&self.region)
    }

    /// A client for the store: it makes each call once, since the store retries.
    pub(super) fn table_client(&self) -> Client {
        let timeouts =
            TimeoutConfig::builder().connect_timeout(CONNECT_TIMEOUT).operation_timeout(CALL_TIMEOUT).build();
        let config = self.client_config().retry_config(RetryConfig::disabled()).timeout_config(timeouts);
        Client::from_conf(config.build())
    }

    /// A client for calls about the table, which the SDK retries.
    pub(super) fn admin_client(&self) -> Client {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .operation_timeout(ADMIN_TIMEOUT)
            .build();
        Client::from_conf(self.client_config().timeout_config(timeouts).build())
    }

    /// A client for the table's stream. The SDK retries: nothing waits for it.
    pub(super) fn stream_client(&self) -> StreamClient {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .operation_timeout(ADMIN_TIMEOUT)
            .build();
        let mut config =
            aws_sdk_dynamodbstreams::config::Builder::from(&self.config).timeout_config(timeouts);
        if let Some(url) = &self.endpoint {
            config.set_endpoint_url(Some(url.clone()));
        }
        StreamClient::from_conf(config.build())
    }

    /// The error of a call about the table.
    pub(super) fn call_error<E, R>(&self, call: &'static str, error: &SdkError<E, R>) -> RemoteError
    where
        E: ProvideErrorMetadata + Error + 'static,
        R: std::fmt::Debug,
    {
        let (table, place) = (self.table.clone(), self.place().to_owned());
        let Some(service) = error.as_service_error() else {
            return RemoteError::Unreachable { table, place, problem: root_cause(error) };
        };
        let (code, message) = (service.code().unwrap_or("unknown"), service.message().unwrap_or_default());
        let problem = format!("{code}: {message}");
        match code {
            "ResourceNotFoundException" => RemoteError::NoTable { table, place },
            code if DENIED.contains(&code) => RemoteError::Denied { table, place, call, problem },
            _ => RemoteError::Rejected { table, place, call, problem },
        }
    }

    /// The address is the DynamoDB client's only: a web identity is still exchanged at AWS.
    fn client_config(&self) -> Builder {
        let mut config = Builder::from(&self.config);
        if let Some(url) = &self.endpoint {
            config.set_endpoint_url(Some(url.clone()));
        }
        config
    }
}

/// Finds the region: the given one; that of the environment or the profile; the server's own; any, at an address other
/// than AWS's; that of the instance.
async fn find_region(
    endpoint: &TableEndpoint,
    service_region: Option<&str>,
    http: &SharedHttpClient,
) -> Option<Region> {
    if let Some(given) = &endpoint.table_region {
        return Some(Region::new(given.clone()));
    }
    // Deployment tools set variables to nothing.
    let is_named = |region: &Region| !region.as_ref().is_empty();
    if let Some(region) = EnvironmentVariableRegionProvider::new().region().await.filter(is_named) {
        return Some(region);
    }
    if let Some(region) = ProfileFileRegionProvider::new().region().await.filter(is_named) {
        return Some(region);
    }
    if let Some(region) = service_region {
        return Some(Region::new(region.to_owned()));
    }
    if endpoint.endpoint_url.is_some() {
        return Some(Region::from_static("local"));
    }
    let provider = ProviderConfig::without_region().with_http_client(http.clone());
    ImdsRegionProvider::builder().configure(&provider).build().region().await
}
