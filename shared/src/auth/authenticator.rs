//! The credentials that a deployment accepts: the keys of its issuers, its Keystone, its access keys.

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
use super::remote_key_set::RemoteKeySet;
use super::signed_token::SignedToken;
use crate::domain::Timestamp;

/// Decides who makes a request. Cheap to clone; its `Debug` shows which keys there are, never their material.
#[derive(Debug, Clone)]
pub struct Authenticator {
    pub(super) trusted_issuers: Vec<Arc<TrustedIssuer>>,
    keystone: Option<Arc<Keystone>>,
    pub(super) keyring: Keyring,
}

/// An issuer's keys, and what its tokens must say.
#[derive(Debug)]
pub(super) struct TrustedIssuer {
    pub(super) keys: IssuerKeys,
    expected_claims: ExpectedClaims,
}

/// The keys that tokens may be signed with.
#[derive(Debug)]
pub(super) enum IssuerKeys {
    Fixed(KeySet),
    Remote(RemoteKeySet),
}

impl Authenticator {
    /// An authenticator that trusts the keys of that JSON Web Key Set (RFC 7517).
    ///
    /// Keys for other ends than signatures are skipped. A set with any other key that cannot be used safely is
    /// refused whole, so that a mistake in the configuration shows at the start and not at some later token.
    pub fn from_jwks(jwks_json: &str, expected: ExpectedClaims) -> Result<Self, BadKeySet> {
        Ok(Self::without_keys().with_trusted_issuer(IssuerKeys::Fixed(KeySet::parse(jwks_json)?), expected))
    }

    /// An authenticator that trusts no keys, for a deployment whose tokens are all of others.
    pub fn without_keys() -> Self {
        Self { trusted_issuers: Vec::new(), keystone: None, keyring: Keyring::default() }
    }

    /// The same, trusting also the keys of the JSON Web Key Set that is published at that address. Nothing is asked yet.
    ///
    /// # Errors
    /// The address is none that can be asked safely.
    pub fn with_jwks_url(
        self,
        url: &str,
        expected: ExpectedClaims,
        authorities: &CertificateAuthorities,
    ) -> Result<Self, BadUrl> {
        Ok(self.with_trusted_issuer(IssuerKeys::Remote(RemoteKeySet::new(url, authorities)?), expected))
    }

    fn with_trusted_issuer(mut self, keys: IssuerKeys, expected: ExpectedClaims) -> Self {
        self.trusted_issuers.push(Arc::new(TrustedIssuer { keys, expected_claims: expected }));
        self
    }

    /// The same, asking the Keystone at that address about tokens that none of the keys has signed.
    ///
    /// # Errors
    /// The address is none that can be asked safely.
    pub fn with_keystone(self, url: &str, authorities: &CertificateAuthorities) -> Result<Self, BadUrl> {
        Ok(Self { keystone: Some(Arc::new(Keystone::new(url, authorities)?)), ..self })
    }

    /// The same, trusting signatures by access keys that are derived from those master keys.
    #[must_use]
    pub fn with_master_keys(self, masters: MasterKeys) -> Self {
        Self { keyring: Keyring::new(masters), ..self }
    }

    /// Asks for the keys at an address before the first request needs them, at all addresses side by side. Where they cannot
    /// be had, they are asked for again then.
    pub async fn prefetch_keys(&self) {
        join_all(self.trusted_issuers.iter().map(async |trusted| {
            if let IssuerKeys::Remote(remote) = &trusted.keys {
                // What is in the way was logged.
                let _ = remote.get(false, Timestamp::now()).await;
            }
        }))
        .await;
    }

    /// The bearer of a token that this deployment has not issued itself.
    ///
    /// # Errors
    /// Says what is wrong with the token; [`CredentialError::is_forbidden`] tells 403 from 401.
    pub async fn verify_external_token(&self, token: &str, now: Timestamp) -> Result<Bearer, AuthError> {
        let refused = match self.verify_signed_token(token, now).await {
            Err(AuthError::Credential(refused)) if may_have_other_issuer(&refused) => refused,
            settled => return settled,
        };
        match &self.keystone {
            Some(keystone) => keystone.bearer(token, now).await,
            None => Err(refused.into()),
        }
    }

    /// Has the deployment's Keystone revoke a token, where it is that one's: where none of the keys has signed it.
    pub(super) async fn revoke_with_keystone(&self, token: &str, now: Timestamp) -> Result<(), AuthError> {
        match (&self.keystone, self.verify_signed_token(token, now).await) {
            (Some(keystone), Err(AuthError::Credential(refused))) if may_have_other_issuer(&refused) => {
                keystone.revoke(token, now).await
            }
            (_, Err(refused)) => Err(refused),
            (_, Ok(_)) => Err(CredentialError::NotRevocable.into()),
        }
    }

    /// The bearer of a token that one of the keys has signed.
    async fn verify_signed_token(&self, token: &str, now: Timestamp) -> Result<Bearer, AuthError> {
        let token = SignedToken::parse(token)?;
        let mut refused = CredentialError::UnknownKey;
        for trusted in &self.trusted_issuers {
            match trusted.bearer(&token, now).await {
                Err(AuthError::Credential(unknown)) if may_have_other_issuer(&unknown) => refused = unknown,
                settled => return settled,
            }
        }
        Err(refused.into())
    }
}

impl TrustedIssuer {
    async fn bearer(&self, token: &SignedToken<'_>, now: Timestamp) -> Result<Bearer, AuthError> {
        let remote = match &self.keys {
            IssuerKeys::Fixed(keys) => return Ok(token.bearer(keys, &self.expected_claims, now)?),
            IssuerKeys::Remote(remote) => remote,
        };
        let known = remote.get(false, now).await.map_err(AuthError::IssuerUnavailable)?;
        match token.bearer(&known, &self.expected_claims, now) {
            Err(CredentialError::UnknownKey) => {
                let newer = remote.get(true, now).await.map_err(AuthError::IssuerUnavailable)?;
                Ok(token.bearer(&newer, &self.expected_claims, now)?)
            }
            settled => Ok(settled?),
        }
    }
}

/// Whether a token that some keys do not tell anything of may be of other keys, or one of Keystone's own, which are opaque.
fn may_have_other_issuer(refused: &CredentialError) -> bool {
    use CredentialError::{Malformed, MissingKeyId, UnknownAlgorithm, UnknownKey};
    matches!(refused, Malformed | UnknownAlgorithm | UnknownKey | MissingKeyId)
}
