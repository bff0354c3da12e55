//! The deployment of a function on AWS: its environment variables, its connection to the table.
//!
//! The SDK is configured directly rather than by `aws-config`: a function finds its credentials and region in its
//! environment, and the crates saved are a fifth of the binary. The connection is opened while the function
//! initialises, which AWS runs at full speed, instead of in the first request. If the table, a secret or a token issuer
//! does not respond by then, requests try it again, and fail with 503 until it does. So they do if the environment is wrong
//! ([`readiness`](super::readiness)).

use std::sync::Arc;
use std::time::Duration;

use super::environment::{Aws, BadDeployment, invalid, optional_var, required_var};
use super::readiness::Readiness;
use super::{HttpFunction, unconfigured};
use crate::auth::{
    Authenticator, CertificateAuthorities, ClaimPaths, ClientSecret, ExpectedClaims, MasterKeys,
    ProviderSettings, SecretReader, SecretReference, loggable_address,
};
use crate::domain::{BadLimit, Clock, LimitSetting, Limits};
use crate::events::{Bus, EventBridge, NoBus};
use crate::http::parse_public_url;
use crate::store::Store;
use crate::table::DynamoDb;
use crate::{App, Settings};

/// How long one call of the bus may take.
const PUBLISH_TIMEOUT: Duration = Duration::from_secs(5);

/// Creates the app of a worker from the environment, and opens the connection to the table. The variables are
/// `IMAGESHARE_TABLE`, `IMAGESHARE_LIMITS` (`name=value`, separated by commas), `IMAGESHARE_PUBLIC_URL`,
/// `IMAGESHARE_DIRECTORY` (`complete` if every tenant is in the directory) and those of AWS; `AWS_ENDPOINT_URL_DYNAMODB`
/// sets another DynamoDB endpoint. What is wrong is logged, and makes the app unready.
pub(super) async fn app_from_env() -> (App, Readiness) {
    let app = Aws::from_env().and_then(|aws| load_app(&aws));
    let app = match app {
        Ok(app) => app,
        Err(problem) => return (unconfigured::app(), misconfigured(problem)),
    };
    let readiness = Readiness::of(app.store.clone(), unconfigured::authenticator());
    readiness.warm_up().await;
    log_start(&app.settings, None);
    (app, readiness)
}

/// Creates the app of a worker, and the bus that it publishes on, from the environment: that of [`app_from_env`],
/// `IMAGESHARE_EVENT_BUS`, and `AWS_ENDPOINT_URL_EVENTBRIDGE`, which sets another endpoint. What is wrong is logged, and
/// makes the app unready.
pub(super) async fn publisher_from_env() -> (App, Box<dyn Bus>, Readiness) {
    let bus = Aws::from_env().and_then(|aws| load_bus(&aws));
    match bus {
        Ok(bus) => {
            let (app, readiness) = app_from_env().await;
            (app, bus, readiness)
        }
        Err(problem) => (unconfigured::app(), Box::new(NoBus), misconfigured(problem)),
    }
}

/// The deployment's bus. Without the name of one nothing is published.
fn load_bus(aws: &Aws) -> Result<Box<dyn Bus>, BadDeployment> {
    const SETTING: &str = "IMAGESHARE_EVENT_BUS";
    let Some(name) = optional_var(SETTING) else { return Ok(Box::new(NoBus)) };
    let service = aws.service("events", "AWS_ENDPOINT_URL_EVENTBRIDGE", PUBLISH_TIMEOUT)?;
    let service = service.ok_or_else(|| invalid(SETTING)("the certificates of the system cannot be used"))?;
    Ok(Box::new(EventBridge::new(service, name)))
}

/// Creates an HTTP function from the environment, and opens the connection to the table. Besides the variables of
/// [`app_from_env`] these are:
///
/// * `IMAGESHARE_JWKS`: a JSON Web Key Set, the URL of one, or where AWS keeps one; optional with
///   `IMAGESHARE_KEYSTONE_URL`
/// * `IMAGESHARE_ISSUER`, `IMAGESHARE_AUDIENCE`: the `iss` and `aud` that tokens must have, if set
/// * `IMAGESHARE_CLAIMS`: the paths of claims, as `project=NAME,account=NAME,roles=NAME`
/// * `IMAGESHARE_KEYSTONE_URL`: the Keystone that validates tokens that none of the keys has signed
/// * `IMAGESHARE_ISSUER_CA`: the certificates of a private authority for those servers, in PEM, or the path of a PEM
///   file
/// * `IMAGESHARE_MASTER_KEYS`: `ID:BASE64`, separated by commas, the key for new access keys first; or where AWS keeps
///   that list. Without it there are no access keys
///
/// * `IMAGESHARE_CONSOLE_CLIENT_ID`, `IMAGESHARE_CONSOLE_CLIENT_SECRET`: the client that the console is at the provider
///   `IMAGESHARE_ISSUER`, with its secret or where AWS keeps that; without a client, the console has no sign-in through a provider
///
/// Where AWS keeps a value is a [`SecretReference`]. `AWS_ENDPOINT_URL_SSM` and `AWS_ENDPOINT_URL_SECRETS_MANAGER` set
/// other endpoints. What is wrong is logged, and makes the function unready.
pub(super) async fn function_from_env() -> (HttpFunction, Readiness) {
    let function = match load_function() {
        Ok(function) => function,
        Err(problem) => {
            let function = HttpFunction::new(unconfigured::app(), unconfigured::authenticator());
            return (function, misconfigured(problem));
        }
    };
    let readiness = Readiness::of(function.app.store.clone(), function.authenticator.clone());
    readiness.warm_up().await;
    log_start(&function.app.settings, Some(issuer_names().join(", ")));
    (function, readiness)
}

/// Logs what is wrong with the environment, once per instance.
fn misconfigured(problem: BadDeployment) -> Readiness {
    tracing::error!(%problem, "the function is not configured; it responds to every request with 503");
    Readiness::Misconfigured(problem)
}

/// Creates the app from the environment, without a call to the table.
fn load_app(aws: &Aws) -> Result<App, BadDeployment> {
    let table = DynamoDb::new(aws.dynamodb_client()?, required_var("IMAGESHARE_TABLE")?);
    let store = Store::new(table, Clock::for_function());
    let limits = load_limits().map_err(invalid("IMAGESHARE_LIMITS"))?;
    let directory_is_complete = match optional_var("IMAGESHARE_DIRECTORY").as_deref() {
        None => false,
        Some("complete") => true,
        Some(_) => return Err(invalid("IMAGESHARE_DIRECTORY")("expected complete, or nothing")),
    };
    let public_url = optional_var("IMAGESHARE_PUBLIC_URL");
    let is_valid = public_url.as_deref().map(parse_public_url).transpose();
    is_valid.map_err(invalid("IMAGESHARE_PUBLIC_URL"))?;
    let settings = Settings {
        region: aws.region.clone(),
        public_url,
        directory_is_complete,
        limits,
        // A function is paid by its duration.
        waiting_reads: None,
    };
    Ok(App { store, settings: Arc::new(settings) })
}

fn load_limits() -> Result<Limits, BadLimit> {
    let limits = optional_var("IMAGESHARE_LIMITS").unwrap_or_default();
    let limits = limits.split(',').filter(|text| !text.is_empty()).map(str::parse::<LimitSetting>);
    Limits::from_settings(&limits.collect::<Result<Vec<_>, _>>()?)
}

/// Creates an HTTP function from the environment, without a call to anything.
fn load_function() -> Result<HttpFunction, BadDeployment> {
    let aws = Aws::from_env()?;
    let authorities = match optional_var("IMAGESHARE_ISSUER_CA") {
        Some(certificates) => certificates.parse().map_err(invalid("IMAGESHARE_ISSUER_CA"))?,
        None => CertificateAuthorities::default(),
    };
    let keystone = optional_var("IMAGESHARE_KEYSTONE_URL");
    let authenticator = match optional_var("IMAGESHARE_JWKS") {
        Some(keys) => jwks_authenticator(&keys, &authorities, &aws)?,
        None if keystone.is_some() => Authenticator::without_keys(),
        None => return Err(BadDeployment::Missing("IMAGESHARE_JWKS")),
    };
    let authenticator = match keystone {
        Some(url) => {
            authenticator.with_keystone(&url, &authorities).map_err(invalid("IMAGESHARE_KEYSTONE_URL"))?
        }
        None => authenticator,
    };
    let authenticator = with_master_keys(authenticator, &aws)?;
    let authenticator = with_sign_in_provider(authenticator, &authorities, &aws)?;
    Ok(HttpFunction::new(load_app(&aws)?, authenticator))
}

/// Adds the master keys in `IMAGESHARE_MASTER_KEYS`, or those that it refers to.
fn with_master_keys(authenticator: Authenticator, aws: &Aws) -> Result<Authenticator, BadDeployment> {
    const SETTING: &str = "IMAGESHARE_MASTER_KEYS";
    let keys = optional_var(SETTING).unwrap_or_default();
    if SecretReference::is_reference(&keys) {
        return Ok(authenticator.with_master_keys_secret(secret_reader(SETTING, &keys, aws)?));
    }
    Ok(authenticator.with_master_keys(MasterKeys::parse(&keys).map_err(invalid(SETTING))?))
}

/// Adds the provider through which people sign in to the console, if `IMAGESHARE_CONSOLE_CLIENT_ID` is set.
fn with_sign_in_provider(
    authenticator: Authenticator,
    authorities: &CertificateAuthorities,
    aws: &Aws,
) -> Result<Authenticator, BadDeployment> {
    const SECRET: &str = "IMAGESHARE_CONSOLE_CLIENT_SECRET";
    let Some(client_id) = optional_var("IMAGESHARE_CONSOLE_CLIENT_ID") else { return Ok(authenticator) };
    let client_secret = match optional_var(SECRET) {
        None => ClientSecret::None,
        Some(text) if SecretReference::is_reference(&text) => {
            ClientSecret::Kept(Box::new(secret_reader(SECRET, &text, aws)?))
        }
        Some(secret) => ClientSecret::Fixed(secret),
    };
    let issuer = required_var("IMAGESHARE_ISSUER")?;
    let settings = ProviderSettings { issuer, client_id, client_secret };
    authenticator.with_sign_in_provider(settings, authorities).map_err(invalid("IMAGESHARE_ISSUER"))
}

/// Creates an authenticator that trusts the keys in `IMAGESHARE_JWKS`, or those that it refers to.
fn jwks_authenticator(
    keys: &str,
    authorities: &CertificateAuthorities,
    aws: &Aws,
) -> Result<Authenticator, BadDeployment> {
    const SETTING: &str = "IMAGESHARE_JWKS";
    let claim_paths = optional_var("IMAGESHARE_CLAIMS");
    let claim_paths = claim_paths.map_or_else(|| Ok(ClaimPaths::default()), |text| text.parse());
    let expected = ExpectedClaims {
        issuer: optional_var("IMAGESHARE_ISSUER"),
        audience: optional_var("IMAGESHARE_AUDIENCE"),
        claim_paths: claim_paths.map_err(invalid("IMAGESHARE_CLAIMS"))?,
    };
    if is_key_set(keys) {
        return Authenticator::from_jwks(keys, expected).map_err(invalid(SETTING));
    }
    let authenticator = Authenticator::without_keys();
    if SecretReference::is_reference(keys) {
        return Ok(authenticator.with_jwks_secret(secret_reader(SETTING, keys, aws)?, expected));
    }
    authenticator.with_jwks_url(keys.trim(), expected, authorities).map_err(invalid(SETTING))
}

/// Creates the reader of the secret that a setting refers to.
fn secret_reader(setting: &'static str, text: &str, aws: &Aws) -> Result<SecretReader, BadDeployment> {
    let reference = text.parse().map_err(invalid(setting))?;
    let reader = SecretReader::new(setting, reference, &aws.secret_stores()?);
    reader.ok_or_else(|| invalid(setting)("the certificates of the system cannot be used"))
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
    let jwks = optional_var("IMAGESHARE_JWKS").map(|keys| match keys.parse::<SecretReference>() {
        Ok(reference) => reference.to_string(),
        Err(_) if is_key_set(&keys) => "IMAGESHARE_JWKS".to_owned(),
        Err(_) => loggable_address(keys.trim()).to_owned(),
    });
    let keystone = optional_var("IMAGESHARE_KEYSTONE_URL").map(|url| loggable_address(&url).to_owned());
    let issuer = optional_var("IMAGESHARE_ISSUER").map(|issuer| format!("iss={issuer}"));
    let audience = optional_var("IMAGESHARE_AUDIENCE").map(|audience| format!("aud={audience}"));
    [jwks, keystone, issuer, audience].into_iter().flatten().collect()
}

/// Whether `IMAGESHARE_JWKS` is a key set rather than a reference to one.
fn is_key_set(keys: &str) -> bool {
    keys.trim_start().starts_with('{')
}
