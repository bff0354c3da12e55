//! Who makes a request.
//!
//! A credential is handed to the module that understands its kind ([`authenticate`] tells them apart): a bearer token
//! ([`signed_token`]), checked against the deployment's keys ([`key_set`], [`remote_key_set`]) or by the [`keystone`] that issued it, or [`issued_token`] here,
//! or a [`signature`] by an access key, whose secret is derived from the deployment's [`master_keys`]. Every kind ends in the same [`Caller`] or the same [`CredentialError`],
//! so that what lies behind does not know how somebody proved who they are.

mod access_rules;
mod authenticate;
mod certificate_authorities;
mod claim_paths;
mod issued_token;
mod issuer_client;
mod key_set;
mod keyring;
mod keystone;
mod master_keys;
mod remote_key_set;
pub mod signature;
mod signed_token;
mod token_hash;
mod ttl_cache;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use futures_util::future::join_all;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use percent_encoding::percent_decode;

pub use self::access_rules::AccessRules;
pub use self::authenticate::AuthError;
pub use self::certificate_authorities::{BadCertificateAuthorities, CertificateAuthorities};
pub use self::claim_paths::{BadClaimPaths, ClaimPaths};
pub use self::issued_token::IssuedToken;
pub use self::issuer_client::{BadUrl, loggable_address};
use self::key_set::KeySet;
pub use self::key_set::{Algorithm, BadKeySet, JwkError};
pub use self::keyring::{Credential, Keyring};
use self::keystone::Keystone;
pub use self::master_keys::{BadMasterKeys, MasterKeys, Secret};
use self::remote_key_set::RemoteKeySet;
use self::signature::SignatureError;
use self::signed_token::SignedToken;
use crate::domain::{Caller, Timestamp};

/// More than any token needs, and less than the 10 KB of headers that an API gateway lets through.
const LONGEST_TOKEN_BYTES: usize = 8 * 1024;

/// What a token must say beside its signature.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExpectedClaims {
    /// The only accepted `iss`; without it, any issuer that signs with one of the keys will do.
    pub issuer: Option<String>,
    /// What `aud` must be or hold; without it, `aud` is not looked at.
    pub audience: Option<String>,
    /// Where the token says for whom it speaks.
    pub claim_paths: ClaimPaths,
}

/// Why a request has no caller. Each message tells the caller what to do, and holds nothing of the credential.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CredentialError {
    /// Neither header holds a credential.
    #[error(
        "no token: send one in the header X-Auth-Token, or as Authorization: Bearer TOKEN, or sign with an access key"
    )]
    Missing,
    /// `Authorization` is neither a bearer token nor a signature.
    #[error("unknown kind of Authorization: expected Bearer TOKEN or a signature SDK-HMAC-SHA256")]
    UnknownScheme,
    /// The headers hold several credentials that differ.
    #[error(
        "the request holds several credentials: send one token, in X-Auth-Token or in Authorization, or one signature"
    )]
    Ambiguous,
    /// The token is too long to be looked at.
    #[error("the token is too long: expected at most {LONGEST_TOKEN_BYTES} bytes")]
    TooLong,
    /// The token cannot be read.
    #[error(
        "malformed token: expected a signed JSON Web Token, HEADER.CLAIMS.SIGNATURE in base64url; get a new one"
    )]
    Malformed,
    /// The token's `alg` is none that is ever accepted.
    #[error(
        "the token's alg is not accepted: expected RS256, RS384, RS512, PS256, ES256, ES384, EdDSA or HS256"
    )]
    UnknownAlgorithm,
    /// The token's `alg` is not that of the key that it names.
    #[error("the token's alg does not belong to its key: expected {0}")]
    WrongAlgorithm(Algorithm),
    /// No key of that `kid`, or none for that `alg`.
    #[error("the token is signed with a key that this server does not know: get a token from its issuer")]
    UnknownKey,
    /// The token has no `kid`, and several keys are for its `alg`.
    #[error("the token does not say which key it is signed with: expected a kid in its header")]
    MissingKeyId,
    /// The signature is not that of the token's contents by that key.
    #[error("the token's signature is wrong: send the token unchanged, or get a new one")]
    InvalidSignature,
    /// A claim is missing or not of its type.
    #[error("the token's claim {claim} is missing or wrong: expected {expected}")]
    InvalidClaim {
        /// The name of the claim, or its path.
        claim: String,
        /// What it should have been.
        expected: &'static str,
    },
    /// The token's time is over.
    #[error("the token has expired: get a new one")]
    Expired,
    /// The token's time has not come.
    #[error("the token is not valid yet: its nbf or iat is in the future, check the clocks")]
    NotYetValid,
    /// The token comes from somebody else.
    #[error("the token's issuer (iss) is not the one that this server trusts")]
    WrongIssuer,
    /// The token is meant for somebody else.
    #[error("the token is not meant for this server: its audience (aud) does not name it")]
    WrongAudience,
    /// The token is good, but gives no role that means anything here.
    #[error("the token gives no role here: ask its issuer for one of admin, member, reader")]
    NoRole,
    /// The Keystone of this deployment does not know the token, or not any more.
    #[error("the token is not known to this deployment's Keystone: get a new one")]
    UnknownToken,
    /// The access key that the token was issued for is disabled.
    #[error("the access key that the token was issued for is disabled: get a token with another key")]
    KeyDisabled,
    /// The token was revoked.
    #[error("the token was revoked: get a new one")]
    Revoked,
    /// The token is of an issuer that is not asked about single tokens.
    #[error("the token was not issued here, and ends by itself: revoke it with its issuer")]
    NotRevocable,
    /// The token is good, but acts for no project.
    #[error("the token acts for no project: get one that is scoped to a project")]
    NoProject,
    /// The access rules of the application credential that the token was got with do not allow the request.
    #[error(
        "the access rules of the token's application credential do not allow this request: use another one"
    )]
    AccessRulesDenied,
    /// The request is signed, but not as it must be.
    #[error(transparent)]
    Signature(#[from] SignatureError),
}

impl CredentialError {
    /// Whether the caller is known but may do nothing (403), rather than unknown (401).
    pub fn is_forbidden(&self) -> bool {
        matches!(
            self,
            Self::NoRole
                | Self::NoProject
                | Self::AccessRulesDenied
                | Self::NotRevocable
                | Self::Signature(SignatureError::ProjectMismatch { .. })
        )
    }
}

/// Who bears a token, and how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bearer {
    /// Who.
    pub caller: Caller,
    /// Since when the token is good, where it says so.
    pub issued: Option<Timestamp>,
    /// Until when.
    pub expires: Timestamp,
    /// What requests it is good for, where it is not good for all.
    pub access_rules: Option<Arc<AccessRules>>,
}

/// Decides who makes a request. Cheap to clone; its `Debug` shows which keys there are, never their material.
#[derive(Debug, Clone)]
pub struct Authenticator {
    trusted_issuers: Vec<Arc<TrustedIssuer>>,
    keystone: Option<Arc<Keystone>>,
    keyring: Keyring,
}

/// An issuer's keys, and what its tokens must say.
#[derive(Debug)]
struct TrustedIssuer {
    keys: IssuerKeys,
    expected_claims: ExpectedClaims,
}

/// The keys that tokens may be signed with.
#[derive(Debug)]
enum IssuerKeys {
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
    async fn revoke_with_keystone(&self, token: &str, now: Timestamp) -> Result<(), AuthError> {
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

/// The one token in the headers. Whoever sends two that differ is refused: which of them an intermediary believed
/// is not ours to guess.
fn bearer_token(headers: &HeaderMap) -> Result<String, CredentialError> {
    let plain = headers.get_all("x-auth-token").iter().map(|value| decode_header_value(value.as_bytes()));
    let bearer = headers.get_all(AUTHORIZATION).iter().map(|value| bearer_value(value.as_bytes()));
    let mut tokens = plain.chain(bearer);
    let token = tokens.next().unwrap_or(Err(CredentialError::Missing))?;
    for other in tokens {
        if other? != token {
            return Err(CredentialError::Ambiguous);
        }
    }
    if token.is_empty() { Err(CredentialError::Missing) } else { Ok(token) }
}

/// Glance's Python client percent-encodes header values; a token never holds a `%` of its own.
fn decode_header_value(value: &[u8]) -> Result<String, CredentialError> {
    if value.len() > LONGEST_TOKEN_BYTES {
        return Err(CredentialError::TooLong);
    }
    let text = percent_decode(value.trim_ascii()).decode_utf8().map_err(|_| CredentialError::Malformed)?;
    Ok(text.into_owned())
}

fn bearer_value(value: &[u8]) -> Result<String, CredentialError> {
    let (scheme, token) = value.split_at_checked("Bearer ".len()).ok_or(CredentialError::UnknownScheme)?;
    if scheme.eq_ignore_ascii_case(b"Bearer ") {
        decode_header_value(token)
    } else {
        Err(CredentialError::UnknownScheme)
    }
}
