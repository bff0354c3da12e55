//! The credentials that a deployment accepts: tokens of its issuers and its Keystone, and its own access keys.

use std::sync::Arc;

use futures_util::future::join_all;

use super::bearer::{Bearer, ExpectedClaims};
use super::certificate_authorities::CertificateAuthorities;
use super::error::{AuthError, CredentialError};
use super::issuer_client::BadUrl;
use super::key_set::{BadKeySet, KeySet};
use super::keyring::Keyring;
use super::keystone::Keystone;
use super::master_keys::MasterKeys;
use super::provider::SignInProvider;
use super::refreshed::Wanted;
use super::remote_key_set::{KeySetSource, RemoteKeySet};
use super::secrets::SecretReader;
use super::signed_token::SignedToken;
use crate::domain::Timestamp;

/// Authenticates requests. Cheap to clone. Its `Debug` shows which keys there are, never their material.
#[derive(Debug, Clone)]
pub struct Authenticator {
    pub(super) trusted_issuers: Vec<Arc<TrustedIssuer>>,
    pub(super) keystone: Option<Arc<Keystone>>,
    pub(super) keyring: Keyring,
    /// Where people sign in to the console.
    pub(super) provider: Option<Arc<SignInProvider>>,
}

/// An issuer's keys, and the claims that its tokens must have.
#[derive(Debug)]
pub(super) struct TrustedIssuer {
    pub(super) keys: IssuerKeys,
    expected_claims: ExpectedClaims,
}

/// The keys that an issuer signs tokens with: configured, or fetched from its URL or from AWS.
#[derive(Debug)]
pub(super) enum IssuerKeys {
    Fixed(KeySet),
    Remote(Arc<RemoteKeySet>),
}

impl Authenticator {
    /// Creates an authenticator that trusts the keys of a JSON Web Key Set (RFC 7517).
    ///
    /// Keys that are not for signatures are skipped. Any other key that cannot be used safely makes the whole set
    /// invalid, so that a configuration mistake shows at startup and not at some later token.
    pub fn from_jwks(jwks_json: &str, expected: ExpectedClaims) -> Result<Self, BadKeySet> {
        Ok(Self::without_keys().with_trusted_issuer(IssuerKeys::Fixed(KeySet::parse(jwks_json)?), expected))
    }

    /// Creates an authenticator that trusts no keys yet. [`Self::with_jwks_url`], [`Self::with_keystone`] and
    /// [`Self::with_master_keys`] add to it.
    pub fn without_keys() -> Self {
        Self { trusted_issuers: Vec::new(), keystone: None, keyring: Keyring::default(), provider: None }
    }

    /// Also trusts the keys of the JSON Web Key Set at a URL. Fetches nothing yet.
    ///
    /// # Errors
    /// [`BadUrl`] if the URL is invalid or not safe: it is neither `https://` nor loopback.
    pub fn with_jwks_url(
        self,
        url: &str,
        expected: ExpectedClaims,
        authorities: &CertificateAuthorities,
    ) -> Result<Self, BadUrl> {
        Ok(self.with_trusted_issuer(IssuerKeys::Remote(KeySetSource::at_url(url, authorities)?), expected))
    }

    /// Also trusts the keys of the JSON Web Key Set in a parameter or secret of AWS. Reads nothing yet.
    #[must_use]
    pub fn with_jwks_secret(self, secret: SecretReader, expected: ExpectedClaims) -> Self {
        self.with_trusted_issuer(IssuerKeys::Remote(KeySetSource::in_secret(secret)), expected)
    }

    fn with_trusted_issuer(mut self, keys: IssuerKeys, expected: ExpectedClaims) -> Self {
        self.trusted_issuers.push(Arc::new(TrustedIssuer { keys, expected_claims: expected }));
        self
    }

    /// Also accepts tokens of the Keystone at a URL, which verifies each token that none of the keys has signed.
    ///
    /// # Errors
    /// [`BadUrl`] if the URL is invalid or not safe: it is neither `https://` nor loopback.
    pub fn with_keystone(self, url: &str, authorities: &CertificateAuthorities) -> Result<Self, BadUrl> {
        Ok(Self { keystone: Some(Arc::new(Keystone::new(url, authorities)?)), ..self })
    }

    /// Also accepts access keys whose secrets are derived from these master keys, and the tokens issued for them.
    #[must_use]
    pub fn with_master_keys(self, master_keys: MasterKeys) -> Self {
        Self { keyring: Keyring::new(master_keys), ..self }
    }

    /// Also accepts access keys whose secrets are derived from the master keys in a parameter or secret of AWS. Reads nothing
    /// yet.
    #[must_use]
    pub fn with_master_keys_secret(self, secret: SecretReader) -> Self {
        Self { keyring: Keyring::with_secret(secret), ..self }
    }

    /// Fetches the keys of all URLs and secrets concurrently, before the first request needs them. A failed fetch is logged
    /// and repeated by that request.
    pub async fn prefetch_keys(&self) {
        let now = Timestamp::now();
        let key_sets = join_all(self.remote_key_sets().map(|remote| remote.get(Wanted::Cached, now)));
        // Failures were logged.
        let _ = tokio::join!(key_sets, self.keyring.load_master_keys(now));
    }

    /// Reads the secrets that are not cached, and starts to read those again that are due. Returns what is wrong with those that
    /// cannot be used: setting and secret, and the kind of fault. Costs no call while all are cached.
    pub async fn unusable_secrets(&self, now: Timestamp) -> Vec<String> {
        let secrets = self.remote_key_sets().filter(|remote| remote.source().is_secret());
        let key_sets = join_all(secrets.map(|secret| secret.get(Wanted::Cached, now)));
        let (key_sets, master_keys) = tokio::join!(key_sets, self.keyring.load_master_keys(now));
        let key_sets = key_sets.into_iter().filter_map(Result::err);
        key_sets.chain(master_keys.err()).collect()
    }

    fn remote_key_sets(&self) -> impl Iterator<Item = &Arc<RemoteKeySet>> {
        self.trusted_issuers.iter().filter_map(|issuer| match &issuer.keys {
            IssuerKeys::Remote(remote) => Some(remote),
            IssuerKeys::Fixed(_) => None,
        })
    }

    /// Returns the bearer of a token that this deployment has not issued itself. Costs no request if the keys are
    /// fresh and one of them signed the token, or if Keystone's response is cached.
    ///
    /// # Errors
    /// [`AuthError`] if the token is invalid, or its issuer is unavailable. [`CredentialError::is_forbidden`] tells 403
    /// from 401.
    pub async fn verify_external_token(&self, token: &str, now: Timestamp) -> Result<Bearer, AuthError> {
        let error = match self.verify_signed_token(token, now).await {
            Err(AuthError::Credential(error)) if may_have_other_issuer(&error) => error,
            result => return result,
        };
        match &self.keystone {
            Some(keystone) => keystone.bearer(token, now).await,
            None => Err(error.into()),
        }
    }

    /// Returns the bearer of an ID token that the issuer has made for this client and this nonce. Its claims name project and
    /// roles as those of the issuer's other tokens do.
    ///
    /// # Errors
    /// [`AuthError`] if the token is invalid or for another client, or its issuer is unavailable.
    pub(super) async fn verify_id_token(
        &self,
        token: &str,
        (issuer, client_id): (&str, &str),
        nonce: &str,
        now: Timestamp,
    ) -> Result<Bearer, AuthError> {
        let token = SignedToken::parse(token)?;
        let is_issuer =
            |trusted: &&Arc<TrustedIssuer>| trusted.expected_claims.issuer.as_deref() == Some(issuer);
        let trusted = self.trusted_issuers.iter().find(is_issuer).ok_or(CredentialError::WrongIssuer)?;
        let expected =
            ExpectedClaims { audience: Some(client_id.to_owned()), ..trusted.expected_claims.clone() };
        // Without the cache of verified tokens: this one is accepted nowhere else.
        let bearer = trusted.with_keys(now, |keys| token.verify(keys, &expected, now)).await?;
        if token.text_claim("nonce").as_deref() != Some(nonce) {
            return Err(CredentialError::InvalidClaim {
                claim: "nonce".to_owned(),
                expected: "that of the sign-in",
            }
            .into());
        }
        if token.text_claim("azp").is_some_and(|party| party != client_id) {
            return Err(CredentialError::WrongAudience.into());
        }
        Ok(bearer)
    }

    /// Asks the deployment's Keystone to revoke a token that none of the keys has signed.
    ///
    /// # Errors
    /// [`CredentialError::NotRevocable`] for a valid token of another issuer.
    pub(super) async fn revoke_with_keystone(&self, token: &str, now: Timestamp) -> Result<(), AuthError> {
        match (&self.keystone, self.verify_signed_token(token, now).await) {
            (Some(keystone), Err(AuthError::Credential(error))) if may_have_other_issuer(&error) => {
                keystone.revoke(token, now).await
            }
            (_, Err(error)) => Err(error),
            (_, Ok(_)) => Err(CredentialError::NotRevocable.into()),
        }
    }

    /// Returns the bearer of a token that one of the keys has signed. The first issuer that knows the
    /// key, or is unavailable, decides.
    async fn verify_signed_token(&self, token: &str, now: Timestamp) -> Result<Bearer, AuthError> {
        let token = SignedToken::parse(token)?;
        let mut error = CredentialError::UnknownKey;
        for issuer in &self.trusted_issuers {
            match issuer.bearer(&token, now).await {
                Err(AuthError::Credential(rejected)) if may_have_other_issuer(&rejected) => error = rejected,
                result => return result,
            }
        }
        Err(error.into())
    }
}

impl TrustedIssuer {
    async fn bearer(&self, token: &SignedToken<'_>, now: Timestamp) -> Result<Bearer, AuthError> {
        self.with_keys(now, |keys| token.bearer(keys, &self.expected_claims, now)).await
    }

    /// Verifies a token with the issuer's keys, and once more if its key is unknown and there are newer keys.
    async fn with_keys(
        &self,
        now: Timestamp,
        verify: impl Fn(&KeySet) -> Result<Bearer, CredentialError>,
    ) -> Result<Bearer, AuthError> {
        let remote = match &self.keys {
            IssuerKeys::Fixed(keys) => return Ok(verify(keys)?),
            IssuerKeys::Remote(remote) => remote,
        };
        let cached = remote.get(Wanted::Cached, now).await.map_err(AuthError::IssuerUnavailable)?;
        match verify(&cached) {
            Err(CredentialError::UnknownKey) => {
                let missing = Wanted::MissingKey { in_use_since: None };
                let refreshed = remote.get(missing, now).await.map_err(AuthError::IssuerUnavailable)?;
                Ok(verify(&refreshed)?)
            }
            result => Ok(result?),
        }
    }
}

/// Returns whether a rejected token may belong to another issuer: it is signed with an unknown key, or opaque as
/// Keystone's are.
fn may_have_other_issuer(error: &CredentialError) -> bool {
    use CredentialError::{Malformed, MissingKeyId, UnknownAlgorithm, UnknownKey};
    matches!(error, Malformed | UnknownAlgorithm | UnknownKey | MissingKeyId)
}
