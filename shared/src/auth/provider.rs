//! The OpenID provider through which people sign in to the console: authorization code with PKCE, state and nonce.
//!
//! The provider's endpoints come from its discovery document. Its ID token is verified with the keys of the deployment's issuers,
//! as any token, but for the client of the console: so its claims name project and roles as those of other tokens do. The
//! token itself is not kept, since it may not fit a cookie; a [session token](super::session_token) that ends no later takes its
//! place.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::certificate_authorities::CertificateAuthorities;
use super::error::AuthError;
use super::issuer_client::{BadUrl, IssuerClient};
use super::refreshed::{FetchError, RefreshPolicy, Refreshed, Source, Wanted};
use super::secrets::{SECRET_POLICY, SecretReader};
use crate::domain::Timestamp;

/// The path of the discovery document below the issuer.
const DISCOVERY_PATH: &str = "/.well-known/openid-configuration";

/// Endpoints change rarely. A request waits for them, since it can do nothing without.
const DISCOVERY_POLICY: RefreshPolicy = RefreshPolicy {
    background_age: Duration::from_hours(1),
    blocking_age: Duration::from_hours(1),
    first_fetch_interval: Duration::from_secs(1),
};

/// The settings of the provider.
#[derive(Debug)]
pub struct ProviderSettings {
    /// Its issuer: the `iss` of its tokens, below which its discovery document is.
    pub issuer: String,
    /// The client that the console is at the provider.
    pub client_id: String,
    /// The client's secret.
    pub client_secret: ClientSecret,
}

/// The secret of the console's client.
pub enum ClientSecret {
    /// A public client has none: PKCE alone protects its codes.
    None,
    /// The secret.
    Fixed(String),
    /// The secret is kept in a parameter or secret of AWS.
    Kept(Box<SecretReader>),
}

impl fmt::Debug for ClientSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientSecret")
    }
}

/// The provider.
#[derive(Debug)]
pub struct SignInProvider {
    pub(super) issuer: String,
    pub(super) client_id: String,
    secret: CachedSecret,
    endpoints: Arc<Refreshed<Discovery>>,
    authorities: CertificateAuthorities,
}

enum CachedSecret {
    None,
    Fixed(String),
    Kept(Arc<Refreshed<KeptSecret>>),
}

impl fmt::Debug for CachedSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CachedSecret")
    }
}

/// What a browser keeps between the two halves of a sign-in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignInAttempt {
    /// Comes back with the code, so that the code is of this attempt.
    pub state: String,
    /// Comes back in the token.
    pub nonce: String,
    /// Proves to the provider that the code is redeemed by the one who asked for it.
    pub verifier: String,
}

impl SignInAttempt {
    /// A new attempt, at random.
    pub fn new() -> Self {
        let random = || uuid::Uuid::new_v4().simple().to_string();
        Self { state: random(), nonce: random(), verifier: random() + &random() }
    }

    /// The text that proves later that the sender of `verifier` is the one of this request (RFC 7636, S256).
    fn challenge(&self) -> String {
        URL_SAFE_NO_PAD.encode(Sha256::digest(&self.verifier))
    }
}

impl Default for SignInAttempt {
    fn default() -> Self {
        Self::new()
    }
}

/// Why a sign-in with the provider has failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignInError {
    /// The deployment has no provider, or no master key to sign a session with.
    #[error("the deployment has no provider for the console, or no master key")]
    NotConfigured,
    /// The provider does not answer, or not usefully.
    #[error("the provider cannot be used now: {0}")]
    Unavailable(String),
    /// The provider does not redeem the code.
    #[error("the provider refuses the code: {0}")]
    Refused(String),
    /// The token of the provider is not accepted.
    #[error("the provider's token: {0}")]
    Token(#[from] AuthError),
}

impl SignInProvider {
    pub(super) fn new(
        settings: ProviderSettings,
        authorities: &CertificateAuthorities,
    ) -> Result<Self, BadUrl> {
        let ProviderSettings { issuer, client_id, client_secret } = settings;
        let client = IssuerClient::new(&issuer, authorities)?;
        let secret = match client_secret {
            ClientSecret::None => CachedSecret::None,
            ClientSecret::Fixed(secret) => CachedSecret::Fixed(secret),
            ClientSecret::Kept(reader) => {
                CachedSecret::Kept(Refreshed::new(KeptSecret(*reader), SECRET_POLICY))
            }
        };
        let discovery = Discovery { issuer: issuer.clone(), client };
        let endpoints = Refreshed::new(discovery, DISCOVERY_POLICY);
        Ok(Self { issuer, client_id, secret, endpoints, authorities: authorities.clone() })
    }

    /// The provider's host, which people know it by.
    pub fn name(&self) -> &str {
        let rest = self.issuer.split_once("://").map_or(self.issuer.as_str(), |(_, rest)| rest);
        rest.split('/').next().unwrap_or_default()
    }

    /// Returns the address at the provider where a sign-in begins. At most one request.
    ///
    /// # Errors
    /// [`SignInError::Unavailable`] if the endpoints are not known and cannot be fetched.
    pub async fn authorization_url(
        &self,
        attempt: &SignInAttempt,
        redirect_uri: &str,
        now: Timestamp,
    ) -> Result<String, SignInError> {
        let endpoints = self.endpoints(now).await?;
        let challenge = attempt.challenge();
        let query = encode_form(&[
            ("response_type", "code"),
            ("client_id", &self.client_id),
            ("redirect_uri", redirect_uri),
            ("scope", "openid"),
            ("state", &attempt.state),
            ("nonce", &attempt.nonce),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ]);
        let separator = if endpoints.authorization_endpoint.contains('?') { '&' } else { '?' };
        Ok(format!("{}{separator}{query}", endpoints.authorization_endpoint))
    }

    /// Redeems a code for an ID token. One request, and one for each of endpoints and secret that is not known.
    pub(super) async fn redeem(
        &self,
        code: &str,
        verifier: &str,
        redirect_uri: &str,
        now: Timestamp,
    ) -> Result<String, SignInError> {
        let endpoints = self.endpoints(now).await?;
        let secret = self.secret(now).await?;
        let mut fields = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", redirect_uri),
            ("code_verifier", verifier),
        ];
        let authorization = secret.map(|secret| {
            // RFC 6749, 2.3.1: both parts are form-encoded before they are joined.
            let pair = format!("{}:{}", encode(&self.client_id), encode(&secret));
            format!("Basic {}", STANDARD.encode(pair))
        });
        if authorization.is_none() {
            fields.push(("client_id", &self.client_id));
        }
        let mut headers =
            vec![("accept", "application/json"), ("content-type", "application/x-www-form-urlencoded")];
        headers.extend(authorization.as_deref().map(|value| ("authorization", value)));
        let client = IssuerClient::new(&endpoints.token_endpoint, &self.authorities);
        let client = client.map_err(|problem| SignInError::Unavailable(problem.to_string()))?;
        let response = client.post("", &headers, encode_form(&fields)).await;
        let (status, body) = response.map_err(SignInError::Unavailable)?;
        if status >= 500 {
            return Err(SignInError::Unavailable(format!("its token endpoint answered {status}")));
        }
        if status != 200 {
            let error = serde_json::from_slice::<TokenError>(&body).map(|error| error.error);
            return Err(SignInError::Refused(format!("{status} {}", error.unwrap_or_default())));
        }
        let tokens = serde_json::from_slice::<Tokens>(&body);
        tokens.map(|tokens| tokens.id_token).map_err(|_| SignInError::Refused("no ID token".to_owned()))
    }

    async fn endpoints(&self, now: Timestamp) -> Result<Arc<Endpoints>, SignInError> {
        self.endpoints.get(Wanted::Cached, now).await.map_err(SignInError::Unavailable)
    }

    async fn secret(&self, now: Timestamp) -> Result<Option<String>, SignInError> {
        match &self.secret {
            CachedSecret::None => Ok(None),
            CachedSecret::Fixed(secret) => Ok(Some(secret.clone())),
            CachedSecret::Kept(kept) => {
                let kept = kept.get(Wanted::Cached, now).await.map_err(SignInError::Unavailable)?;
                Ok(Some(kept.0.clone()))
            }
        }
    }
}

/// The discovery document of an issuer.
#[derive(Debug)]
struct Discovery {
    issuer: String,
    client: IssuerClient,
}

#[derive(Debug, Deserialize)]
struct Endpoints {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
}

impl Source for Discovery {
    type Value = Endpoints;

    async fn fetch(&self) -> Result<Option<Endpoints>, FetchError> {
        let (status, body) = self.client.get(DISCOVERY_PATH, &[("accept", "application/json")]).await?;
        if status != 200 {
            return Err(format!("the provider's discovery document: its URL answered {status}").into());
        }
        let invalid = |detail: &str| FetchError {
            problem: "the provider's discovery document is invalid".to_owned(),
            detail: detail.to_owned(),
        };
        let endpoints: Endpoints =
            serde_json::from_slice(&body).map_err(|problem| invalid(&problem.to_string()))?;
        if endpoints.issuer != self.issuer {
            return Err(invalid("it names another issuer"));
        }
        let urls = [&endpoints.authorization_endpoint, &endpoints.token_endpoint];
        let are_safe = urls.iter().all(|url| IssuerClient::is_safe_url(url));
        if are_safe { Ok(Some(endpoints)) } else { Err(invalid("an endpoint is neither https nor loopback")) }
    }
}

/// A client's secret in a parameter or secret of AWS.
#[derive(Debug)]
struct KeptSecret(SecretReader);

/// A secret that was read. Its `Debug` does not show it.
struct SecretText(String);

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretText")
    }
}

impl Source for KeptSecret {
    type Value = SecretText;

    async fn fetch(&self) -> Result<Option<SecretText>, FetchError> {
        let parse = |text: &str| match text.trim() {
            "" => Err("it is empty"),
            text => Ok(SecretText(text.to_owned())),
        };
        self.0.read_as(parse).await.map(Some)
    }
}

#[derive(Deserialize)]
struct Tokens {
    id_token: String,
}

#[derive(Deserialize)]
struct TokenError {
    error: String,
}

fn encode(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

fn encode_form(fields: &[(&str, &str)]) -> String {
    let pairs = fields.iter().map(|(name, value)| format!("{name}={}", encode(value)));
    pairs.collect::<Vec<_>>().join("&")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn provider(issuer: &str) -> Result<SignInProvider, BadUrl> {
        let settings = ProviderSettings {
            issuer: issuer.to_owned(),
            client_id: "console".to_owned(),
            client_secret: ClientSecret::Fixed("hidden".to_owned()),
        };
        SignInProvider::new(settings, &CertificateAuthorities::default())
    }

    #[test]
    fn provider_is_named_by_its_host_and_shows_no_secret() {
        let provider = provider("https://login.example/realms/acme").unwrap();
        assert_eq!(provider.name(), "login.example");
        assert!(!format!("{provider:?}").contains("hidden"));
        assert!(self::provider("http://login.example").is_err() && self::provider("acme").is_err());
    }

    #[test]
    fn challenge_is_that_of_rfc_7636() {
        // Appendix B.
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk".to_owned();
        let attempt = SignInAttempt { verifier, ..SignInAttempt::new() };
        assert_eq!(attempt.challenge(), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
        let (one, other) = (SignInAttempt::new(), SignInAttempt::new());
        assert!(one.state != other.state && one.nonce != other.nonce && one.verifier != other.verifier);
        assert!((43..=128).contains(&one.verifier.len()));
    }
}
