//! A function's surroundings on AWS: its environment variables, its log, its connection to the table.
//!
//! The SDK is set up by hand rather than by `aws-config`: a function finds its credentials and region in its
//! environment, and the crates saved are a fifth of the binary. The connection is opened while the function
//! initialises, which AWS does at full speed, instead of in the first request. A table or an issuer of tokens that does not
//! answer by then is asked again by the requests, which are answered 503 as long as it does not.

use std::env;
use std::fmt;
use std::sync::Arc;

use aws_credential_types::Credentials;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::config::{BehaviorVersion, Builder, Region};
use aws_smithy_http_client::Builder as HttpBuilder;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use http::Uri;
use std::time::Duration;
use tokio::time::timeout;
use tracing_subscriber::EnvFilter;

use super::HttpFunction;
use crate::auth::{
    Authenticator, BadCertificateAuthorities, BadClaimPaths, BadKeySet, BadMasterKeys, BadUrl,
    CertificateAuthorities, ClaimPaths, ExpectedClaims, MasterKeys, loggable_address,
};
use crate::domain::{BadLimit, Clock, LimitSetting, Limits};
use crate::http::{BadPublicUrl, parse_public_url};
use crate::store::{Store, StoreError};
use crate::table::DynamoDb;
use crate::{App, Settings};

/// How long a function waits, while it initialises, for the table and the keys of tokens.
const WARM_UP_TIMEOUT: Duration = Duration::from_millis(1500);

/// What is wrong with a function's environment.
#[derive(thiserror::Error)]
pub enum BadDeployment {
    /// A variable is missing.
    #[error("the environment variable {0} is missing")]
    MissingVariable(&'static str),
    /// `IMAGESHARE_JWKS` is no key set.
    #[error("IMAGESHARE_JWKS: {0}")]
    KeySet(#[from] BadKeySet),
    /// `IMAGESHARE_JWKS` is no key set, and no address of one either.
    #[error("IMAGESHARE_JWKS: {0}")]
    KeySetUrl(BadUrl),
    /// `IMAGESHARE_KEYSTONE_URL` is no address.
    #[error("IMAGESHARE_KEYSTONE_URL: {0}")]
    Keystone(BadUrl),
    /// `IMAGESHARE_CLAIMS` does not say where claims stand.
    #[error("IMAGESHARE_CLAIMS: {0}")]
    Claims(#[from] BadClaimPaths),
    /// `IMAGESHARE_ISSUER_CA` holds no certificates that can be used.
    #[error("IMAGESHARE_ISSUER_CA: {0}")]
    Authorities(#[from] BadCertificateAuthorities),
    /// `IMAGESHARE_MASTER_KEYS` is no list of master keys.
    #[error("IMAGESHARE_MASTER_KEYS: {0}")]
    MasterKeys(#[from] BadMasterKeys),
    /// `IMAGESHARE_LIMITS` is no list of limits.
    #[error("IMAGESHARE_LIMITS: {0}")]
    Limits(#[from] BadLimit),
    /// `IMAGESHARE_DIRECTORY` is set to something else than it can be.
    #[error("IMAGESHARE_DIRECTORY: expected complete, or nothing")]
    Directory,
    /// `IMAGESHARE_PUBLIC_URL` is no address.
    #[error("IMAGESHARE_PUBLIC_URL: {0}")]
    PublicUrl(#[from] BadPublicUrl),
    /// The variable that names another DynamoDB holds no address.
    #[error("{0}: expected http://HOST[:PORT] or https://HOST[:PORT]")]
    Endpoint(&'static str),
    /// There is no such table, or the function may not use it.
    #[error("IMAGESHARE_TABLE: {0}")]
    Table(StoreError),
}

/// The message, since it is this form in which an error that ends `main` comes into the log.
impl fmt::Debug for BadDeployment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Starts the log: one JSON object a line, which CloudWatch can query; `RUST_LOG` chooses the level. Lambda's runtime says
/// no more than `info` whatever that is: at `trace` it writes whole events, and a client's credential with them.
pub fn init_logging() {
    let level = optional_var("RUST_LOG").unwrap_or_else(|| "info".to_owned());
    let filter = EnvFilter::try_new(format!("{level},lambda_runtime=info"));
    let filter = filter.unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt().json().flatten_event(true).with_env_filter(filter).with_target(false).init();
}

/// The service as the environment describes it: `IMAGESHARE_TABLE`, `IMAGESHARE_LIMITS` (`name=value`, joined by commas),
/// `IMAGESHARE_PUBLIC_URL`, `IMAGESHARE_DIRECTORY` (`complete` where every tenant stands in the directory) and AWS's own
/// variables; `AWS_ENDPOINT_URL_DYNAMODB` names another DynamoDB. Opens the connection to the table.
///
/// # Errors
/// [`BadDeployment`] names the variable that is missing or wrong.
pub async fn app_from_env() -> Result<App, BadDeployment> {
    let service = load_app()?;
    warm_up(service.store.clone(), Authenticator::without_keys()).await?;
    log_start(&service.settings, None);
    Ok(service)
}

/// Opens the connection to the table, and asks for the keys of tokens at the same time. What has not answered after
/// [`WARM_UP_TIMEOUT`] goes on being asked beside the first request.
///
/// # Errors
/// [`BadDeployment::Table`] where the table refuses the function.
async fn warm_up(store: Store, authenticator: Authenticator) -> Result<(), BadDeployment> {
    let asking = tokio::spawn(async move { tokio::join!(store.probe(), authenticator.prefetch_keys()).0 });
    match timeout(WARM_UP_TIMEOUT, asking).await {
        Ok(Ok(Ok(()))) => {}
        Ok(Ok(Err(problem))) if problem.is_transient() => {
            tracing::warn!(%problem, "the table does not answer; requests ask it again");
        }
        Ok(Ok(Err(problem))) => return Err(BadDeployment::Table(problem)),
        Ok(Err(problem)) => tracing::error!(%problem, "the table could not be asked"),
        Err(_) => tracing::warn!("the table or the keys of tokens do not answer yet; requests ask again"),
    }
    Ok(())
}

/// The service as the environment describes it, with which nothing was asked of the table yet.
fn load_app() -> Result<App, BadDeployment> {
    let region = required_var("AWS_REGION")?;
    let store = Store::new(
        DynamoDb::new(dynamodb_client(&region)?, required_var("IMAGESHARE_TABLE")?),
        Clock::for_function(),
    );
    let limits = optional_var("IMAGESHARE_LIMITS").unwrap_or_default();
    let limits = limits.split(',').filter(|text| !text.is_empty()).map(str::parse::<LimitSetting>);
    let limits = Limits::from_settings(&limits.collect::<Result<Vec<_>, _>>()?)?;
    let directory_is_complete = match optional_var("IMAGESHARE_DIRECTORY").as_deref() {
        None => false,
        Some("complete") => true,
        Some(_) => return Err(BadDeployment::Directory),
    };
    let public_url = optional_var("IMAGESHARE_PUBLIC_URL");
    public_url.as_deref().map(parse_public_url).transpose()?;
    let settings = Settings { region, public_url, directory_is_complete, limits };
    Ok(App { store, settings: Arc::new(settings) })
}

impl HttpFunction {
    /// A function as its environment variables describe it; opens the connection to the table.
    ///
    /// # Errors
    /// [`BadDeployment`] names the variable that is missing or wrong.
    pub async fn from_env() -> Result<Self, BadDeployment> {
        function_from_env().await
    }
}

/// A function that answers HTTP, as the environment describes it: besides [`app_from_env`]'s variables,
/// `IMAGESHARE_JWKS` (a JSON Web Key Set or the address of one), `IMAGESHARE_ISSUER`, `IMAGESHARE_AUDIENCE` and
/// `IMAGESHARE_CLAIMS` (`project=NAME,account=NAME,roles=NAME`) for tokens;
/// `IMAGESHARE_KEYSTONE_URL`, the Keystone that is asked about tokens which none of the keys has signed, and with which
/// `IMAGESHARE_JWKS` may be left out; `IMAGESHARE_ISSUER_CA`, certificates of the private authority that those servers have
/// theirs from (in PEM, or the path of a file of them); and `IMAGESHARE_MASTER_KEYS` (`ID:BASE64`, joined by commas, the one
/// for new access keys first), without which there are no access keys.
async fn function_from_env() -> Result<HttpFunction, BadDeployment> {
    let authorities = match optional_var("IMAGESHARE_ISSUER_CA") {
        Some(certificates) => certificates.parse()?,
        None => CertificateAuthorities::default(),
    };
    let keystone = optional_var("IMAGESHARE_KEYSTONE_URL");
    let authenticator = match optional_var("IMAGESHARE_JWKS") {
        Some(keys) => jwks_authenticator(&keys, &authorities)?,
        None if keystone.is_some() => Authenticator::without_keys(),
        None => return Err(BadDeployment::MissingVariable("IMAGESHARE_JWKS")),
    };
    let authenticator = match keystone {
        Some(url) => authenticator.with_keystone(&url, &authorities).map_err(BadDeployment::Keystone)?,
        None => authenticator,
    };
    let masters = MasterKeys::parse(&optional_var("IMAGESHARE_MASTER_KEYS").unwrap_or_default())?;
    let authenticator = authenticator.with_master_keys(masters);
    let service = load_app()?;
    warm_up(service.store.clone(), authenticator.clone()).await?;
    log_start(&service.settings, Some(issuer_names().join(", ")));
    Ok(HttpFunction::new(service, authenticator))
}

/// Logs how the function was set up, in the words of the server's line: with which version and settings a log was written can
/// then be read in it. One line for each instance.
fn log_start(settings: &Settings, issuers: Option<String>) {
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        public_url = settings.public_url,
        table = optional_var("IMAGESHARE_TABLE"),
        region = settings.region,
        directory_complete = settings.directory_is_complete,
        limits = %settings.limits,
        issuers,
        "started"
    );
}

/// The issuers whose tokens the function accepts, for the log.
fn issuer_names() -> Vec<String> {
    let jwks = optional_var("IMAGESHARE_JWKS").map(|keys| {
        if is_key_set(&keys) {
            "IMAGESHARE_JWKS".to_owned()
        } else {
            loggable_address(keys.trim()).to_owned()
        }
    });
    let keystone = optional_var("IMAGESHARE_KEYSTONE_URL").map(|url| loggable_address(&url).to_owned());
    let issuer = optional_var("IMAGESHARE_ISSUER").map(|issuer| format!("iss={issuer}"));
    let audience = optional_var("IMAGESHARE_AUDIENCE").map(|audience| format!("aud={audience}"));
    [jwks, keystone, issuer, audience].into_iter().flatten().collect()
}

/// Whether `IMAGESHARE_JWKS` is a key set itself, rather than the address of one.
fn is_key_set(keys: &str) -> bool {
    keys.trim_start().starts_with('{')
}

/// What trusts the keys of `IMAGESHARE_JWKS`: written out there, or at the address that stands there.
fn jwks_authenticator(
    keys: &str,
    authorities: &CertificateAuthorities,
) -> Result<Authenticator, BadDeployment> {
    let expected = ExpectedClaims {
        issuer: optional_var("IMAGESHARE_ISSUER"),
        audience: optional_var("IMAGESHARE_AUDIENCE"),
        claim_paths: optional_var("IMAGESHARE_CLAIMS")
            .map_or_else(|| Ok(ClaimPaths::default()), |text| text.parse())?,
    };
    if is_key_set(keys) {
        return Ok(Authenticator::from_jwks(keys, expected)?);
    }
    let authenticator = Authenticator::without_keys();
    authenticator.with_jwks_url(keys.trim(), expected, authorities).map_err(BadDeployment::KeySetUrl)
}

fn required_var(name: &'static str) -> Result<String, BadDeployment> {
    optional_var(name).ok_or(BadDeployment::MissingVariable(name))
}

/// A variable that is set to nothing, as deployment tools do it, is not set.
fn optional_var(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

fn dynamodb_client(region: &str) -> Result<Client, BadDeployment> {
    let credentials = Credentials::new(
        required_var("AWS_ACCESS_KEY_ID")?,
        required_var("AWS_SECRET_ACCESS_KEY")?,
        optional_var("AWS_SESSION_TOKEN"),
        None,
        "environment",
    );
    let http = HttpBuilder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
    // The store tries again, as long as its request has time.
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(2))
        .operation_timeout(Duration::from_secs(4));
    let config = Builder::new()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(region.to_owned()))
        .credentials_provider(credentials)
        .retry_config(RetryConfig::disabled())
        .timeout_config(timeouts.build())
        .http_client(http);
    let config = match dynamodb_endpoint()? {
        Some(url) => config.endpoint_url(url),
        None => config,
    };
    Ok(Client::from_conf(config.build()))
}

/// The address of another DynamoDB, where one is named.
fn dynamodb_endpoint() -> Result<Option<String>, BadDeployment> {
    for name in ["AWS_ENDPOINT_URL_DYNAMODB", "AWS_ENDPOINT_URL"] {
        if let Some(url) = optional_var(name) {
            let uri: Uri = url.parse().map_err(|_| BadDeployment::Endpoint(name))?;
            let is_web = matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some();
            return if is_web { Ok(Some(url)) } else { Err(BadDeployment::Endpoint(name)) };
        }
    }
    Ok(None)
}
