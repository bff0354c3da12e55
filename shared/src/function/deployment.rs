//! The deployment of a function on AWS: its environment variables, its log, its connection to the table.
//!
//! The SDK is configured directly rather than by `aws-config`: a function finds its credentials and region in its
//! environment, and the crates saved are a fifth of the binary. The connection is opened while the function
//! initialises, which AWS runs at full speed, instead of in the first request. If the table or a token issuer does
//! not respond by then, requests try it again, and fail with 503 until it does.

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
use tracing::Level;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::format;
use tracing_subscriber::fmt::format::JsonFields;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use super::HttpFunction;
use super::metrics::{Metrics, WithMetrics};
use crate::auth::{
    Authenticator, BadCertificateAuthorities, BadClaimPaths, BadKeySet, BadMasterKeys, BadUrl,
    CertificateAuthorities, ClaimPaths, ExpectedClaims, MasterKeys, loggable_address,
};
use crate::domain::{BadLimit, Clock, LimitSetting, Limits};
use crate::http::{BadPublicUrl, METRICS_TARGET, parse_public_url};
use crate::store::{Store, StoreError};
use crate::table::DynamoDb;
use crate::{App, Settings};

/// The most time that a function waits for the table and the issuers' keys while it initialises.
const WARM_UP_TIMEOUT: Duration = Duration::from_millis(1500);

/// The name that the log lines of Lambda's runtime begin with.
const LAMBDA_RUNTIME: &str = "lambda_runtime";

/// An error in a function's environment.
#[derive(thiserror::Error)]
pub enum BadDeployment {
    /// A variable is missing.
    #[error("the environment variable {0} is missing")]
    MissingVariable(&'static str),
    /// `IMAGESHARE_JWKS` is not a valid key set.
    #[error("IMAGESHARE_JWKS: {0}")]
    KeySet(#[from] BadKeySet),
    /// `IMAGESHARE_JWKS` is neither a key set nor a URL.
    #[error("IMAGESHARE_JWKS: {0}")]
    KeySetUrl(BadUrl),
    /// `IMAGESHARE_KEYSTONE_URL` is not a valid URL.
    #[error("IMAGESHARE_KEYSTONE_URL: {0}")]
    Keystone(BadUrl),
    /// `IMAGESHARE_CLAIMS` is not a list of claim paths.
    #[error("IMAGESHARE_CLAIMS: {0}")]
    Claims(#[from] BadClaimPaths),
    /// `IMAGESHARE_ISSUER_CA` has no valid certificates.
    #[error("IMAGESHARE_ISSUER_CA: {0}")]
    Authorities(#[from] BadCertificateAuthorities),
    /// `IMAGESHARE_MASTER_KEYS` is not a list of master keys.
    #[error("IMAGESHARE_MASTER_KEYS: {0}")]
    MasterKeys(#[from] BadMasterKeys),
    /// `IMAGESHARE_LIMITS` is not a list of limits.
    #[error("IMAGESHARE_LIMITS: {0}")]
    Limits(#[from] BadLimit),
    /// `IMAGESHARE_DIRECTORY` has an unknown value.
    #[error("IMAGESHARE_DIRECTORY: expected complete, or nothing")]
    Directory,
    /// `IMAGESHARE_PUBLIC_URL` is not a valid URL.
    #[error("IMAGESHARE_PUBLIC_URL: {0}")]
    PublicUrl(#[from] BadPublicUrl),
    /// The variable for the DynamoDB endpoint is not a valid URL.
    #[error("{0}: expected http://HOST[:PORT] or https://HOST[:PORT]")]
    Endpoint(&'static str),
    /// The table does not exist, or the function may not use it.
    #[error("IMAGESHARE_TABLE: {0}")]
    Table(StoreError),
}

/// The message, since an error that `main` returns is logged in this form.
impl fmt::Debug for BadDeployment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Starts the log: one JSON object per line, which CloudWatch can query. `RUST_LOG` sets the level, of all modules or of
/// some (`warn,imageshare=debug`), except for Lambda's runtime, which stays at `info`: at `trace` it logs whole events,
/// with the clients' credentials. Lines with metrics are written at every level if `IMAGESHARE_METRICS_NAMESPACE` is
/// set.
pub fn init_logging() {
    let (metrics, problem) = match Metrics::from_env() {
        Ok(metrics) => (metrics, None),
        Err(problem) => (None, Some(problem)),
    };
    let filter = log_filter(optional_var("RUST_LOG").as_deref());
    let filter = if metrics.is_some() { filter.with_target(METRICS_TARGET, Level::DEBUG) } else { filter };
    // The span of a request is the only one.
    let inner = format().json().flatten_event(true).with_target(false).with_span_list(false);
    let log = tracing_subscriber::fmt::layer().fmt_fields(JsonFields::new());
    let log = log.event_format(WithMetrics { inner, metrics });
    tracing_subscriber::registry().with(log).with(filter).init();
    if let Some(problem) = problem {
        tracing::error!("{problem}");
    }
}

/// The filter of the log for a value of `RUST_LOG`; that of `info` if it is missing or not a list of levels. A filter
/// by the values of spans and fields, which would need regular expressions, is not offered.
fn log_filter(level: Option<&str>) -> Targets {
    let filter: Option<Targets> = level.and_then(|level| level.parse().ok());
    let filter = filter.unwrap_or_else(|| Targets::new().with_default(Level::INFO));
    let default = filter.default_level().unwrap_or(LevelFilter::OFF);
    let targets = filter.into_iter().filter(|(target, _)| !target.starts_with(LAMBDA_RUNTIME));
    Targets::new().with_default(default).with_targets(targets).with_target(LAMBDA_RUNTIME, Level::INFO)
}

/// Creates the app from the environment, and opens the connection to the table. The variables are `IMAGESHARE_TABLE`,
/// `IMAGESHARE_LIMITS` (`name=value`, separated by commas), `IMAGESHARE_PUBLIC_URL`, `IMAGESHARE_DIRECTORY`
/// (`complete` if every tenant is in the directory) and those of AWS; `AWS_ENDPOINT_URL_DYNAMODB` sets another
/// DynamoDB endpoint.
///
/// # Errors
/// [`BadDeployment`] names the variable that is missing or invalid.
pub async fn app_from_env() -> Result<App, BadDeployment> {
    let app = load_app()?;
    warm_up(app.store.clone(), Authenticator::without_keys()).await?;
    log_start(&app.settings, None);
    Ok(app)
}

/// Opens the connection to the table, and fetches the issuers' keys concurrently. A call that has not completed after
/// [`WARM_UP_TIMEOUT`] continues in the background, beside the first request.
///
/// # Errors
/// [`BadDeployment::Table`] if the table refuses the function.
async fn warm_up(store: Store, authenticator: Authenticator) -> Result<(), BadDeployment> {
    let warming_up =
        tokio::spawn(async move { tokio::join!(store.probe(), authenticator.prefetch_keys()).0 });
    match timeout(WARM_UP_TIMEOUT, warming_up).await {
        Ok(Ok(Ok(()))) => {}
        Ok(Ok(Err(problem))) if problem.is_transient() => {
            tracing::warn!(%problem, "the table does not respond; requests will try again");
        }
        Ok(Ok(Err(problem))) => return Err(BadDeployment::Table(problem)),
        Ok(Err(problem)) => tracing::error!(%problem, "the warm-up task failed"),
        Err(_) => {
            tracing::warn!("the table or a token issuer has not responded yet; requests will try again");
        }
    }
    Ok(())
}

/// Creates the app from the environment, without a call to the table.
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
    /// Creates an HTTP function from its environment variables, and opens the connection to the table.
    ///
    /// # Errors
    /// [`BadDeployment`] names the variable that is missing or invalid.
    pub async fn from_env() -> Result<Self, BadDeployment> {
        function_from_env().await
    }
}

/// Creates an HTTP function from the environment. Besides the variables of [`app_from_env`] these are:
///
/// * `IMAGESHARE_JWKS`: a JSON Web Key Set, or the URL of one; optional with `IMAGESHARE_KEYSTONE_URL`
/// * `IMAGESHARE_ISSUER`, `IMAGESHARE_AUDIENCE`: the `iss` and `aud` that tokens must have, if set
/// * `IMAGESHARE_CLAIMS`: the paths of claims, as `project=NAME,account=NAME,roles=NAME`
/// * `IMAGESHARE_KEYSTONE_URL`: the Keystone that validates tokens that none of the keys has signed
/// * `IMAGESHARE_ISSUER_CA`: the certificates of a private authority for those servers, in PEM, or the path of a PEM
///   file
/// * `IMAGESHARE_MASTER_KEYS`: `ID:BASE64`, separated by commas, the key for new access keys first. Without it there
///   are no access keys
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
    let app = load_app()?;
    warm_up(app.store.clone(), authenticator.clone()).await?;
    log_start(&app.settings, Some(issuer_names().join(", ")));
    Ok(HttpFunction::new(app, authenticator))
}

/// Logs the version and settings of the function, with the same fields as the server, one line per instance. So each
/// log says which deployment wrote it.
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

/// Whether `IMAGESHARE_JWKS` is a key set rather than the URL of one.
fn is_key_set(keys: &str) -> bool {
    keys.trim_start().starts_with('{')
}

/// Creates an authenticator that trusts the keys in `IMAGESHARE_JWKS`, or at the URL in it.
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

/// Reads a variable. An empty one counts as missing, since deployment tools set variables to nothing.
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
    // The store retries, until the deadline of its request.
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

/// The URL of another DynamoDB endpoint, if one is set.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_level_never_opens_the_log_of_lambda_runtime() {
        for level in ["trace", "lambda_runtime=trace", "lambda_runtime::layers=trace", "imageshare=debug"] {
            let filter = log_filter(Some(level));
            assert!(filter.would_enable("lambda_runtime", &Level::INFO), "{level}");
            assert!(!filter.would_enable("lambda_runtime::layers", &Level::DEBUG), "{level}");
        }
    }

    #[test]
    fn log_level_is_that_of_the_variable_or_info() {
        for (level, shown, hidden) in [
            (None, Level::INFO, Level::DEBUG),
            (Some("warn"), Level::WARN, Level::INFO),
            (Some("error,imageshare=debug"), Level::DEBUG, Level::TRACE),
            (Some("=["), Level::INFO, Level::DEBUG),
        ] {
            let filter = log_filter(level);
            assert!(filter.would_enable("imageshare::http", &shown), "{level:?}");
            assert!(!filter.would_enable("imageshare::http", &hidden), "{level:?}");
        }
    }
}
